"""What cannot be used is refused in words that name it and the way out."""

import linecache
import re
from functools import cache

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from skmlp import AutoencoderTransformer, DensityRegressor
from skmlp.activations import LeakyReLU
from skmlp.callbacks import TimeLimit
from skmlp.families import FAMILIES, Normal
from skmlp.initializers import HeNormal
from skmlp.optimizers import Adam
from skmlp.schedules import Cosine

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = X[:, 0] + RNG.normal(size=40)
COUNTS = np.arange(40) % 5.0
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}


def refusal(target=Y, features=X, given=(), **params):
    """The message with which a fit is refused; a first fit leaves the estimator unfitted."""
    model = DensityRegressor(**{**SMALL, **params})
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError)) as error:
        model.fit(features, target, **dict(given))
    assert vars(model) == before
    return str(error.value)


@cache
def fitted(name="normal"):
    """Tests must not change it."""
    return DensityRegressor(name, **SMALL).fit(X, COUNTS + 1.0)


# ---- parameters ----------------------------------------------------------------------------------

# What each parameter cannot be. A test below sees to it that none is left out.
BAD = {
    "distribution": ["Normal", "gaussian", None, 1, Normal, ["normal"]],
    "loss": ["NLL", "mse", None, 1, Normal],
    "beta": ["0.5", None, -0.1, 1.1, np.nan],
    "n_bins": ["20", None, 1, 0, 2.5, np.nan],
    "binning": ["equal", None, 1, True],
    "n_mixture_components": ["5", None, 0, -1, 2.5],
    "covariance_type": ["Full", None, 1, "lower"],
    "calibration_fraction": ["0.1", None, -0.1, 1.0, 1.5, np.nan],
    "hidden_layer_sizes": ["100", 2.5, None, -1, (10, None), [[5]]],
    "activation": ["Relu", None, 5, LeakyReLU, [None]],
    "solver": ["ADAM", None, 3, Adam],
    "alpha": ["0.1", None, -1.0, np.nan],
    "batch_size": ["full", 0, 2.5, None],
    "learning_rate": ["linear", 0.1, None, Cosine],
    "learning_rate_init": ["0.1", None, -0.1, 0, np.nan],
    "power_t": ["0.5", None, -1.0],
    "max_iter": ["10", None, 0, 2.5],
    "shuffle": ["yes", None, 2],
    "random_state": ["seed", 1.5, -1],
    "tol": ["1e-4", None, -1.0],
    "verbose": ["yes", None, -1],
    "warm_start": ["yes", None, 2],
    "momentum": ["0.9", None, -0.1, 1.1],
    "nesterovs_momentum": ["yes", None, 2],
    "early_stopping": ["always", None, 2, 0.1],
    "validation_fraction": ["0.1", None, 0.0, 1.0, -0.1],
    "beta_1": ["0.9", None, -0.1, 1.0],
    "beta_2": ["0.9", None, -0.1, 1.0],
    "epsilon": ["1e-8", None, 0.0, -1.0],
    "n_iter_no_change": ["10", None, 0, 2.5],
    "max_fun": ["10", None, 0, 2.5],
    "weight_decay": ["0.1", None, np.nan],
    "weight_tol": ["0.1", None, -1.0],
    "init": ["Auto", None, 0.1, HeNormal],
    "parametrization": [None, 1, True],
    "input_scale_layer": ["yes", None, 2],
    "feature_scaling": [True, 1.0, "z"],
    "dropout": ["0.1", None, np.nan, [None]],
    "max_grad_norm": ["1", -1.0, np.nan],
    "encoder": ["pca", PCA(), AutoencoderTransformer],
    "encoder_learning_rate": [-0.1, None, "1"],
    "categorical_features": [True, 1.5, "city", ["city"], [99], [-1]],
    "max_one_hot": ["8", None, -1, 2.5],
    "category_embedding_size": ["8", None, 0, 2.5],
    "missing": [None, True, "mean"],
    "n_init": ["2", None, -1, 0],
    "combine_inits": [None, True, "mean"],
    "scoring": ["unknown", 3],
    "callbacks": ["TimeLimit", TimeLimit(1), 3, [TimeLimit]],
    "dtype": [None, np.float32, "float", 32],
}
# What has to be set for a value to be looked at.
NEEDS = {
    "n_bins": {"distribution": "histogram"},
    "binning": {"distribution": "histogram"},
    "n_mixture_components": {"distribution": "normal_mixture"},
    "beta": {"loss": "beta_nll"},
    "validation_fraction": {"early_stopping": True},
    "scoring": {"early_stopping": True},
}
CASES = [(name, value) for name, values in BAD.items() for value in values]


@pytest.mark.parametrize("name, value", CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
def test_every_parameter_refuses_other_values_by_name(name, value):
    message = refusal(**{**NEEDS.get(name, {}), name: value})
    assert name in message and len(message) > 30


def test_no_parameter_is_left_out():
    assert set(BAD) == set(DensityRegressor().get_params())


def test_an_unknown_parameter_is_named():
    with pytest.raises(TypeError, match="distrib"):
        DensityRegressor(distrib="normal")
    with pytest.raises(ValueError, match="distrib"):
        DensityRegressor().set_params(distrib="normal")


@pytest.mark.parametrize("params, words", [
    ({"n_bins": 10}, "n_bins=10 cannot act with distribution='normal'.*'histogram'"),
    ({"binning": "uniform", "distribution": "gamma"}, "binning='uniform' cannot act.*'histogram'"),
    ({"n_mixture_components": 3}, "n_mixture_components=3 cannot act.*'normal_mixture'"),
    ({"covariance_type": "diag", "distribution": "laplace"}, "covariance_type='diag'.*'normal'"),
    ({"beta": 0.3}, "beta=0.3 cannot act with loss='nll'.*loss='beta_nll'"),
    ({"beta": 0.3, "loss": "crps"}, "beta=0.3 cannot act with loss='crps'.*loss='beta_nll'"),
    ({"beta": 0.3, "distribution": "gamma"}, "beta=0.3 cannot act with loss='nll'"),
    ({"loss": "crps", "distribution": "student_t"}, "loss='crps' has no closed form.*loss='nll'"),
    ({"loss": "crps", "distribution": "gamma"}, "loss='crps' has no closed form.*loss='nll'"),
    ({"loss": "crps", "distribution": "negative_binomial"}, "loss='crps' has no closed form"),
    ({"loss": "beta_nll", "distribution": "laplace"}, "loss='beta_nll'.*loss='nll'.*loss='crps'"),
    ({"distribution": Normal(), "loss": "crps"}, "loss='crps' differs.*'nll', or set it there"),
    ({"dropout": 0.1, "solver": "lbfgs"}, "dropout=0.1 cannot act with solver='lbfgs'"),
    ({"scoring": "r2"}, "scoring='r2' cannot act without a validation set"),
])  # fmt: skip
def test_settings_that_cannot_act_are_refused(params, words):
    assert re.search(words, refusal(COUNTS + 1.0, **params))


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_are_those_of_the_families(name):
    for loss in ("nll", "crps", "beta_nll"):
        model = DensityRegressor(name, loss=loss, **SMALL)
        if loss in FAMILIES[name].scores:
            assert np.isfinite(model.fit(X, COUNTS + 1.0).loss_)
        else:
            assert f"loss='{loss}'" in refusal(COUNTS + 1.0, distribution=name, loss=loss)


# ---- targets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, value", [
    ("gamma", 0.0), ("gamma", -2.5), ("lognormal", -2.5), ("lognormal", 0.0),
    ("poisson", 2.5), ("poisson", -1.0), ("negative_binomial", -1.0), ("negative_binomial", 0.25),
])  # fmt: skip
def test_values_out_of_the_domain_are_shown(name, value):
    y = COUNTS + 1.0
    y[7] = value
    message = refusal(y, distribution=name)
    assert f"distribution='{name}'" in message and f"{value} in row 7" in message
    y_val = {"X_val": X[:10], "y_val": y[:10]}
    assert "y_val" in refusal(COUNTS + 1.0, given=y_val, distribution=name)
    ok = {"sample_weight": (np.arange(40) != 7).astype(float)}
    assert np.isfinite(DensityRegressor(name, **SMALL).fit(X, y, **ok).loss_)


@pytest.mark.parametrize("y", [np.array([*"abcd"] * 10), np.array(["a", 1] * 20, object)],
                         ids=["strings", "objects"])  # fmt: skip
def test_targets_that_are_no_numbers(y):
    assert len(refusal(y)) > 20


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_targets(value):
    y = Y.copy()
    y[3] = value
    assert re.search("y contains (NaN|infinity)|contains NaN", refusal(y))


def test_rows_of_three_dimensions():
    message = refusal(features=np.zeros((40, 2, 2)))
    assert "X.reshape(len(X), -1)" in message
    for method in ("predict", "predict_dist", "sample_y"):
        with pytest.raises(ValueError, match=re.escape("X.reshape(len(X), -1)")):
            getattr(fitted(), method)(np.zeros((40, 2, 2)))


def test_other_shapes():
    assert "inconsistent numbers of samples" in refusal(Y[:5])
    assert "3" in refusal(np.zeros((40, 2, 2)))
    assert "sample_weight" in refusal(given={"sample_weight": np.ones(5)})
    assert "sample_weight" in refusal(given={"sample_weight": -np.ones(40)})
    assert "y_val" in refusal(given={"X_val": X})


# ---- predictions ---------------------------------------------------------------------------------

CALLS = {
    "predict": (X,),
    "predict_dist": (X,),
    "predict_quantile": (X, 0.5),
    "predict_interval": (X,),
    "sample_y": (X,),
    "log_prob": (X, Y),
    "pit": (X, Y),
    "uncertainty": (X,),
    "calibrate": (X, Y),
    "score": (X, Y),
    "transform": (X,),
}


@pytest.mark.parametrize("method", CALLS)
def test_a_model_that_is_not_fitted_says_so(method):
    model = DensityRegressor(n_init=2, combine_inits="average")
    with pytest.raises(NotFittedError, match="DensityRegressor"):
        getattr(model, method)(*CALLS[method])
    assert not hasattr(model, "calibration_")


@pytest.mark.parametrize("attribute", ["coefs_", "intercepts_", "estimators_"])
def test_attributes_before_fit(attribute):
    assert not hasattr(DensityRegressor(), attribute)


@pytest.mark.parametrize("method", [name for name in CALLS if name != "uncertainty"])
def test_other_numbers_of_features_are_refused(method):
    with pytest.raises(ValueError, match="X has 2 features, but DensityRegressor is expecting 3"):
        getattr(fitted(), method)(X[:, :2], *CALLS[method][1:])


@pytest.mark.parametrize("method", ["log_prob", "score", "pit", "calibrate"])
@pytest.mark.parametrize("y, words", [
    (Y[:5], "inconsistent numbers of samples"),
    (np.c_[Y, Y], "y has shape"),
    (np.where(np.arange(40) == 3, np.nan, Y), "contains NaN"),
    (["a"] * 40, "dtype|convert|float"),
], ids=["five rows", "two columns", "NaN", "strings"])  # fmt: skip
def test_targets_that_do_not_fit_the_model(method, y, words):
    with pytest.raises(ValueError, match=words):
        getattr(fitted(), method)(X, y)


def test_a_column_of_targets_is_flat():
    model = fitted()
    np.testing.assert_array_equal(model.log_prob(X, Y[:, np.newaxis]), model.log_prob(X, Y))
    assert model.score(X, Y[:, np.newaxis].tolist()) == model.score(X, Y)


@pytest.mark.parametrize("q", [-0.1, 1.1, np.nan, [0.5, 2.0], [[0.5]]])
def test_levels_out_of_range(q):
    with pytest.raises(ValueError, match="q=.*between 0 and 1"):
        fitted().predict_quantile(X, q)


def test_the_ends_of_the_levels():
    assert np.isneginf(fitted().predict_quantile(X, 0.0)).all()
    np.testing.assert_array_equal(fitted("gamma").predict_quantile(X, 0.0), 0.0)
    assert np.isposinf(fitted("poisson").predict_quantile(X, 1.0)).all()


@pytest.mark.parametrize("n_samples", [-1, 2.5, "3", None])
def test_numbers_of_draws(n_samples):
    for name in FAMILIES:
        with pytest.raises((ValueError, TypeError)) as error:
            fitted(name).sample_y(X, n_samples)
        assert "n_samples" in str(error.value), name


def test_standard_deviations_or_covariances():
    with pytest.raises(ValueError, match="At most one of return_std and return_cov"):
        fitted().predict(X, return_std=True, return_cov=True)


@pytest.mark.parametrize("name, y", [("gamma", -1.0), ("lognormal", 0.0), ("poisson", 1.5)])
def test_values_without_a_density_have_none(name, y):
    """A score of held-out rows tells the truth: the model holds them for impossible."""
    assert np.isneginf(fitted(name).log_prob(X, np.full(40, y))).all()
    assert fitted(name).score(X, np.full(40, y)) == -np.inf


def test_uncertainty_needs_several_networks():
    with pytest.raises(ValueError, match="n_init=1.*Use n_init=5 and.*combine_inits='average'"):
        fitted().uncertainty(X)
    best = DensityRegressor(n_init=2, **SMALL).fit(X, Y)
    with pytest.raises(ValueError, match="combine_inits='best' keep one"):
        best.uncertainty(X)


def test_weights_of_a_score():
    weight = np.arange(40.0)
    expected = np.average(fitted().log_prob(X, Y), weights=weight)
    assert fitted().score(X, Y, weight) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="sample_weight"):
        fitted().score(X, Y, -weight)
    with pytest.raises(ValueError, match="sample_weight"):
        fitted().score(X, Y, weight[:5])


@pytest.mark.filterwarnings("default::UserWarning")
def test_warnings_point_to_the_line_of_the_user():
    with pytest.warns(UserWarning, match="batch_size=50 is larger") as caught:
        DensityRegressor(batch_size=50, **SMALL).fit(X, Y)  # this line
    (found,) = [w for w in caught if "batch_size" in str(w.message)]
    assert "# this line" in linecache.getline(found.filename, found.lineno)
