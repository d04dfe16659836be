"""What the parameters that all estimators share may be."""

from numbers import Integral, Real

import numpy as np
from sklearn.metrics import get_scorer_names

from .._sklearn_compat import HasMethods, Interval, Options, StrOptions
from ..activations import ACTIVATIONS, Activation
from ..initializers import INITIALIZERS, Initializer
from ..optimizers import OPTIMIZERS, Optimizer
from ..schedules import SCHEDULES, Schedule
from ._encoding import FEATURE_SCALINGS

SHARED_CONSTRAINTS = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS)), Activation, list, tuple],
    "solver": [StrOptions(set(OPTIMIZERS)), Optimizer],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions(set(SCHEDULES)), Schedule],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean", StrOptions({"auto"})],
    "validation_fraction": [
        Interval(Real, 0, 1, closed="left"),
        HasMethods(["split", "get_n_splits"]),
    ],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        Options(Real, {np.inf}),
    ],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "weight_tol": [Interval(Real, 0, None, closed="left")],
    "init": [StrOptions({"auto", *INITIALIZERS}), Initializer],
    "parametrization": [StrOptions({"standard", "ntk"})],
    "input_scale_layer": ["boolean"],
    "feature_scaling": [StrOptions({kind for kind in FEATURE_SCALINGS if kind}), None],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "n_init": [Interval(Integral, 1, None, closed="left")],
    "combine_inits": [StrOptions({"best", "average"})],
    "scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
    "callbacks": [list, tuple, None],
    "dtype": [StrOptions({"auto", "float32", "float64"})],
}

# Levers of training that the estimators for tables have.
LEVER_CONSTRAINTS = {
    "refit": ["boolean"],
    "weight_averaging": [Interval(Real, 0, 1, closed="left")],
    "n_shared_layers": [Interval(Integral, 0, None, closed="left")],
    "weight_decay_schedule": [StrOptions(set(SCHEDULES)), Schedule],
    "dropout_schedule": [StrOptions(set(SCHEDULES)), Schedule],
}
