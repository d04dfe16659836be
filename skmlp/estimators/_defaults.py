"""What the word "auto" stands for: skmlp's own recipe, or the defaults of scikit-learn."""

from inspect import signature

import numpy as np

from .._sklearn_compat import StrOptions, num_samples
from ._parameters import SHARED_CONSTRAINTS
from ._table import is_sparse

# By hand: what "auto" stands for once somebody steers the training.
BY_HAND = {
    "hidden_layer_sizes": (100,),
    "activation": "relu",
    "learning_rate": "constant",
    "learning_rate_init": 0.001,
    "max_iter": 200,
    "batch_size": "auto",
    "beta_2": 0.999,
    "n_iter_no_change": 10,
    "early_stopping": "auto",
    "parametrization": "standard",
    "input_scale_layer": False,
    "dropout": 0.0,
}

OPEN_CONSTRAINTS = {
    name: [StrOptions({"auto"}), *options]
    for name, options in SHARED_CONSTRAINTS.items()
    if name in BY_HAND and name not in ("batch_size", "early_stopping")
}

# Whoever sets one of these means to train as scikit-learn does.
STEERING = (
    "solver",
    "batch_size",
    "learning_rate",
    "learning_rate_init",
    "power_t",
    "max_iter",
    "shuffle",
    "tol",
    "warm_start",
    "momentum",
    "nesterovs_momentum",
    "early_stopping",
    "beta_1",
    "beta_2",
    "epsilon",
    "n_iter_no_change",
    "max_fun",
    "weight_tol",
    "parametrization",
    "encoder",
    "scoring",
)

# What stands for an open parameter where it is not "auto". The loss on held-out rows tells epochs
# apart better than accuracy or R2.
OPEN = {"scoring": None}

# What a fitted network is made of, which further training has to keep.
STRUCTURE = ("hidden_layer_sizes", "activation", "parametrization", "input_scale_layer", "dropout")

# With fewer rows training by hand is as good: a tenth of them is too little to choose an epoch by.
RECIPE_ROWS = 500

# The number of epochs is that of so many steps, within bounds.
STEPS, EPOCHS = 2500, (40, 256)


class HasRecipe:
    """Parameters that are left at "auto" follow a recipe; before `BaseMLP`.

    Attributes
    ----------
    _recipe, _by_hand : dict
        Settings of the recipe that depend on the kind of estimator, and all that stand for "auto"
        without it.
    """

    _by_hand = BY_HAND

    def _concrete(self, X, weight=None, incremental=False):
        settings = self._settings(_n_rows(X, weight), is_sparse(X) or incremental, incremental)
        return self._copy_with({**settings, "settings_": settings})

    def _settings(self, n_rows, by_hand=False, incremental=False):
        """What the parameters that are "auto" stand for, by name."""
        by_hand = by_hand or is_steered(self) or n_rows < RECIPE_ROWS
        values = {**(self._by_hand if by_hand else self._recipe | recipe_for(n_rows))}
        if (depth := self._depth()) is not None:
            values["hidden_layer_sizes"] = values["hidden_layer_sizes"][:1] * depth
        if (incremental or self.warm_start) and hasattr(self, "theta_"):
            values |= self._kept()
        found = {name: value for name, value in values.items() if self._is_open(name)}
        sizes = found.get("hidden_layer_sizes", self.hidden_layer_sizes)
        if "dropout" in found and np.size(sizes) == 0:
            found["dropout"] = 0.0  # there is no layer that it could follow
        return found

    def _kept(self):
        """Settings of the fitted network; a rate for another parametrization would not suit it."""
        kept = {name: self.settings_[name] for name in STRUCTURE if name in self.settings_}
        if kept.get("parametrization") == "ntk" and "learning_rate_init" in self.settings_:
            kept["learning_rate_init"] = 0.1 * self._recipe["learning_rate_init"]
        return kept

    def _is_open(self, name):
        value = getattr(self, name)
        return (value is None or isinstance(value, str)) and value == OPEN.get(name, "auto")

    def _depth(self):
        """Number of hidden layers that a list, one entry for each, speaks of; None without one."""
        given = (self.activation, self.dropout)
        return next((len(v) for v in given if isinstance(v, (list, tuple, np.ndarray))), None)

    def _attributes_now(self, state):
        # Hooks get the estimator of the user, which knows nothing of what its copy has found out.
        parameters = self.get_params(deep=False)
        found = {name: value for name, value in vars(self).items() if name not in parameters}
        return {**found, **super()._attributes_now(state)}

    def _for_scoring(self, theta):
        # Scorers see the parameters of the user.
        other = super()._for_scoring(theta)
        vars(other).update({name: OPEN.get(name, "auto") for name in self.settings_})
        return other


def is_steered(estimator):
    """Whether a parameter by which scikit-learn's training is steered is not at its default."""
    defaults = signature(type(estimator)).parameters
    values = ((getattr(estimator, name), defaults[name].default) for name in STEERING)
    changed = any(not (value is default or _equal(value, default)) for value, default in values)
    # The recipe watches a part of the rows, which scikit-learn's training does not by default.
    return changed or _equal(estimator.validation_fraction, 0)


def _equal(value, default):
    return type(value) is not np.ndarray and np.ndim(value) == 0 and bool(value == default)


def recipe_for(n_rows):
    """The settings of the recipe that depend on the number of rows."""
    batch_size = 32 if n_rows < 1000 else 128 if n_rows < 8000 else 256
    epochs = int(np.clip(STEPS * batch_size / n_rows, *EPOCHS))
    return {"batch_size": batch_size, "max_iter": epochs if n_rows < 50_000 else epochs // 2}


def _n_rows(X, weight=None):
    """Rows that count, for whatever X and weights are; checks come later."""
    try:
        n = num_samples(X)
    except TypeError:
        return 0
    weight = np.asarray(weight)
    usable = weight.shape == (n,) and weight.dtype.kind in "biuf"
    return np.count_nonzero(weight) if usable else n


# What all share. The neural tangent parametrization with a learned scale of the inputs, Adam with a
# short memory and a rate that falls to 0 follow Holzmueller et al. (2024), arXiv 2407.04491; the
# figures were chosen on the first splits of the tables in benchmarks/README.md.
RECIPE = {
    "hidden_layer_sizes": (128, 128, 128),
    "activation": "mish",
    "learning_rate": "cosine",
    "beta_2": 0.95,
    "n_iter_no_change": np.inf,
    "early_stopping": True,
    "scoring": "loss",
    "parametrization": "ntk",
    "input_scale_layer": True,
}
REGRESSION_RECIPE = {**RECIPE, "learning_rate_init": 0.1, "dropout": 0.0}
CLASSIFICATION_RECIPE = {
    **RECIPE,
    "learning_rate_init": 0.03,
    "dropout": 0.15,
    "temperature_scaling": True,
}
