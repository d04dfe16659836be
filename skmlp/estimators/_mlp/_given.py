"""Fitted estimators from weights that come from elsewhere."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..._engine.state import TrainState
from .._design import Design
from .._effective import place_parameters
from .._model import fitted_model
from .._outcome import training_attributes
from .._recipe import Layers, Recipe, network_of

REASON = "The weights were given."


def check_layers(coefs, intercepts):
    """Weight matrices and bias vectors as arrays of one floating dtype whose shapes fit.

    Raises
    ------
    ValueError
        That names the layer.
    """
    coefs, intercepts = list(map(np.asarray, coefs)), list(map(np.asarray, intercepts))
    if not coefs or len(coefs) != len(intercepts):
        raise ValueError(
            f"coefs and intercepts must have one entry per layer, got {len(coefs)} and "
            f"{len(intercepts)}."
        )
    width = None
    for i, (weight, bias) in enumerate(zip(coefs, intercepts, strict=True)):
        if weight.ndim != 2 or (width is not None and weight.shape[0] != width):
            expected = "(n_features, n_units)" if width is None else f"({width}, n_units)"
            raise ValueError(f"coefs[{i}] must have shape {expected}, got {weight.shape}.")
        width = weight.shape[1]
        if bias.shape != (width,):
            raise ValueError(f"intercepts[{i}] must have shape ({width},), got {bias.shape}.")
        if weight.dtype.kind not in "fiub" or bias.dtype.kind not in "fiub":
            raise ValueError(f"coefs[{i}] and intercepts[{i}] must hold real numbers.")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ValueError(f"coefs[{i}] and intercepts[{i}] must hold finite numbers.")
    single = all(array.dtype == np.float32 for array in (*coefs, *intercepts))
    dtype = np.float32 if single else np.float64
    return [w.astype(dtype) for w in coefs], [b.astype(dtype) for b in intercepts]


def set_weights(estimator, coefs, intercepts, loss):
    """Make an estimator with `feature_scaling=None` fitted, with these weights."""
    concrete = estimator._concrete(None, incremental=True)
    recipe = Recipe.of(concrete, Layers.of(concrete, training=False), estimator.init)
    model = recipe.model(len(coefs[0]), coefs[-1].shape[1])
    network, rng = network_of(model), np.random.default_rng(0)
    theta = network.initial([rng]).astype(coefs[0].dtype)
    place_parameters(network, theta, coefs, intercepts)
    estimator.n_features_in_ = len(coefs[0])
    estimator.early_stopping_, estimator.settings_ = False, concrete.settings_
    estimator._table = estimator._empty_table()
    estimator.is_categorical_, estimator.categories_ = None, []
    estimator.__dict__.update(fitted_model(theta[0], model, Design.identity(), loss))
    state = TrainState(theta)
    state.stop(state.running, REASON)
    estimator.__dict__.update(
        training_attributes(state, np.array([0]), {}, 0, recipe.optimizer, incremental=False)
    )
    return estimator


def parameters_from(cls, mlp, kind):
    """The parameters that a fitted estimator of scikit-learn shares with ours."""
    if not isinstance(mlp, kind):
        raise TypeError(
            f"mlp must be a fitted sklearn.neural_network.{kind.__name__}, got "
            f"{type(mlp).__name__}. Of a Pipeline, give the last step."
        )
    check_is_fitted(mlp)
    ours = cls._get_param_names()
    return {name: value for name, value in mlp.get_params(deep=False).items() if name in ours}


def take_over(estimator, mlp):
    """What else is known of scikit-learn's fit."""
    if hasattr(mlp, "feature_names_in_"):
        estimator.feature_names_in_ = mlp.feature_names_in_
    estimator.loss_curve_ = list(map(float, getattr(mlp, "loss_curve_", [])))
    estimator.history_ = {"loss": estimator.loss_curve_}
    estimator.loss_, estimator.n_iter_ = float(mlp.loss_), int(mlp.n_iter_)
    estimator.t_ = int(getattr(mlp, "t_", 0))
    return estimator
