"""Input that no fit can use is refused by name; odd input that can be used gives finite models."""

import linecache
import pickle
import re
import tempfile
import warnings
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array, csr_array, csr_matrix
from sklearn.datasets import make_regression
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold, LeaveOneOut, ShuffleSplit

from skmlp import AutoencoderTransformer, MLPClassifier, MLPRegressor
from skmlp.activations import ACTIVATIONS, LeakyReLU
from skmlp.callbacks import Callback, Checkpoint, TimeLimit
from skmlp.estimators._design import Design
from skmlp.initializers import INITIALIZERS, HeNormal
from skmlp.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Huber
from skmlp.optimizers import LBFGS, SGD, Adam
from skmlp.schedules import SCHEDULES, Adaptive, Constant, Cosine, FlatCosine

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_regression(n_samples=40, n_features=3, noise=1.0, random_state=0)
codes = np.arange(40) % 3
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 4, "random_state": 0}
# Tables as they come are in test_tables_*.py.
STRICT = {"missing": "error", "categorical_features": None}
PAIRS = [(MLPRegressor, y), (MLPClassifier, codes)]


def refusal(cls, features, target, params=(), **given):
    """The message with which a fit is refused; a first fit leaves the estimator unfitted."""
    model = cls(**{**SMALL, **dict(params)})
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError)) as error:
        model.fit(features, target, **given)
    assert vars(model) == before
    return str(error.value)


# What each parameter cannot be, one value of each kind. A test below sees to it that none is left
# out.
BAD = {
    "loss": ["squared", None, 1, Huber],
    "hidden_layer_sizes": ["100", 2.5, True, None, -1, (10, None), [[5]], {5}],
    "activation": ["Relu", None, 5, LeakyReLU, {"relu"}, [None], ["relu", 5]],
    "solver": ["ADAM", None, 3, Adam, ["adam"]],
    "alpha": ["0.1", None, -1.0, np.nan, [0.1], 1j],
    "batch_size": ["full", 0, 2.5, None, -3, np.nan],
    "learning_rate": ["linear", 0.1, None, Cosine],
    "learning_rate_init": ["0.1", None, -0.1, 0, np.nan, np.inf, [0.1]],
    "power_t": ["0.5", None, -1.0, np.nan],
    "max_iter": ["10", None, 0, -1, 2.5, np.nan],
    "shuffle": ["yes", None, 2],
    "random_state": ["seed", 1.5, -1],
    "tol": ["1e-4", None, -1.0, np.nan],
    "verbose": ["yes", None, -1, 1.5],
    "warm_start": ["yes", None, 2],
    "momentum": ["0.9", None, -0.1, 1.1, np.nan],
    "nesterovs_momentum": ["yes", None, 2],
    "early_stopping": ["always", None, 2, 0.1],
    "beta_1": ["0.9", None, -0.1, 1.0, np.nan],
    "beta_2": ["0.9", None, -0.1, 1.0, np.nan],
    "epsilon": ["1e-8", None, 0.0, -1.0, np.nan],
    "n_iter_no_change": ["10", None, 0, 2.5, -np.inf, np.nan],
    "max_fun": ["10", None, 0, 2.5],
    "weight_decay": ["0.1", None, np.nan],
    "weight_decay_schedule": [None, 1.0, "flat", FlatCosine, "adaptive"],
    "weight_averaging": ["0.9", None, -0.1, 1.0, True, np.nan],
    "weight_tol": ["0.1", None, -1.0, np.nan],
    "init": ["Auto", None, 0.1, HeNormal],
    "parametrization": [None, 1, True],
    "input_scale_layer": ["yes", None, 2, 0.5],
    "feature_scaling": [True, False, 1.0, "z"],
    "target_scaling": ["yes", None, 2, "standard"],
    "dropout": ["0.1", None, np.nan, {0.1}, [None], [[0.1]]],
    "dropout_schedule": [None, 0.1, "flat", FlatCosine, "adaptive", Adaptive()],
    "clip_predictions": ["yes", None, 2, 0.5],
    "refit": ["yes", None, 2, 0.5],
    "max_grad_norm": ["1", -1.0, np.nan, [1.0]],
    "delta": ["1", None, -1.0, np.nan],
    "quantile": ["median", None, 0.0, np.nan, [[0.5]], [None], [0.5, 0.5], [np.nan, 0.5]],
    "dtype": [None, np.float32, "float", 32, np.dtype("float64")],
    "combine_inits": [None, True, "mean"],
    "n_shared_layers": ["1", None, -1, 1.5, np.nan],
    "encoder": ["pca", PCA(), AutoencoderTransformer],
    "encoder_learning_rate": [-0.1, None, "1", np.nan],
    "categorical_features": [True, 1.5, "city", ["city"], [3], [-1], [0.5], [True], {0}],
    "max_one_hot": ["8", None, -1, 2.5, np.nan],
    "category_embedding_size": ["8", None, 0, 2.5, np.nan],
    "numeric_embedding": ["splines", None, True, 8],
    "numeric_embedding_size": ["8", None, -1, 2.5, np.nan],
    "numeric_embedding_scale": ["0.1", None, 0.0, -1.0, np.nan],
    "missing": [None, True, "mean", np.nan],
    "n_init": ["2", None, -1, np.nan],
    "callbacks": ["TimeLimit", TimeLimit(1), 3, [TimeLimit], [None], {}],
    "margin": ["1", None, 0.0, -1.0, np.nan],
    "class_weight": ["equal", 2.0, [1.0, 2.0], {"a": 1.0}, {0: "heavy"}, {0: None}],
    "label_smoothing": ["0.1", None, -0.1, 1.0, np.nan],
    "temperature_scaling": ["yes", None, 2, 0.5],
}
# tests/estimators/test_mlp_watching.py has these.
ELSEWHERE = {"validation_fraction", "scoring"}
NEEDS = {
    "delta": {"loss": "huber"},
    "quantile": {"loss": "quantile"},
    "margin": {"loss": "weston_watkins"},
}


def bad_values():
    return [
        pytest.param(cls, target, name, value, id=f"{cls.__name__}-{name}-{i}")
        for cls, target in PAIRS
        for name, values in BAD.items()
        if name in cls().get_params()
        for i, value in enumerate(values)
    ]


@pytest.mark.parametrize("cls, target, name, value", bad_values())
def test_every_parameter_refuses_values_of_other_kinds_by_name(cls, target, name, value):
    message = refusal(cls, X, target, {**NEEDS.get(name, {}), name: value})
    assert name in message
    assert len(message) > 30


@pytest.mark.parametrize("cls, target", PAIRS)
def test_no_parameter_is_left_out_above(cls, target):
    assert set(cls().get_params()) <= set(BAD) | ELSEWHERE


@pytest.mark.parametrize("cls, target", PAIRS)
def test_an_unknown_parameter_is_named(cls, target):
    with pytest.raises(TypeError, match="dropuot"):
        cls(dropuot=0.1)
    with pytest.raises(ValueError, match="dropuot"):
        cls().set_params(dropuot=0.1)


# Odd rows --------------------------------------------------------------------------------------

LOSSES = {"squared_error", "absolute_error", "huber", "quantile", "log_cosh", "poisson", "gamma"}
COUNTED = {"poisson", "gamma"}


def test_every_loss_is_in_the_list():
    assert LOSSES == set(REGRESSION_LOSSES)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("unit", [1e30, 1e-30])
def test_the_unit_of_y_does_not_matter(loss, unit, solver):
    """All losses but poisson, whose y is not scaled, train on the same numbers."""
    target = np.exp(y / 100.0) if loss in COUNTED else y
    settings = {**SMALL, "loss": loss, "solver": solver}
    for dtype, rtol in ((np.float64, 1e-6), (np.float32, 1e-2)):
        if loss == "poisson" and unit > 1 and dtype == np.float32:
            continue  # refused, as another test says
        features = X.astype(dtype)
        expected = MLPRegressor(**settings).fit(features, target)
        model = MLPRegressor(**settings).fit(features, target * unit)
        predicted = model.predict(features)
        assert np.isfinite(predicted).all() and predicted.dtype == dtype
        if loss != "poisson":
            np.testing.assert_allclose(
                predicted / dtype(unit), expected.predict(features), rtol=rtol, atol=rtol
            )
            assert model.score(features, target * unit) == pytest.approx(
                expected.score(features, target), abs=rtol
            )
        else:
            assert 0.1 < np.median(predicted / target / unit) < 10.0


@pytest.mark.parametrize("feature_scaling", ["standard", "robust", "minmax"])
@pytest.mark.parametrize("cls, target", PAIRS)
@pytest.mark.parametrize("unit", [1e30, 1e-30])
def test_the_unit_of_x_does_not_matter(cls, target, unit, feature_scaling):
    settings = {**SMALL, "feature_scaling": feature_scaling}
    for dtype, rtol in ((np.float64, 1e-6), (np.float32, 1e-2)):
        expected = transformed(cls(**settings).fit(X.astype(dtype), target), X.astype(dtype))
        features = (X * unit).astype(dtype)
        model = cls(**settings).fit(features, target)
        np.testing.assert_allclose(transformed(model, features), expected, rtol=rtol, atol=rtol)


def transformed(model, features):
    """What a change of a prediction shows in."""
    return getattr(model, "decision_function", model.predict)(features)


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("constant", [3.0, 1e15])
def test_a_constant_y_is_predicted(loss, dtype, constant):
    settings = {**SMALL, "loss": loss, "max_iter": 500, "learning_rate_init": 0.01}
    model = MLPRegressor(**settings).fit(X.astype(dtype), np.full(40, constant))
    tolerance = 0.3 if loss in COUNTED else 0.1
    np.testing.assert_allclose(
        model.predict(X.astype(dtype)) / dtype(constant), 1.0, rtol=tolerance
    )


def test_counts_that_float32_cannot_square_are_refused():
    message = refusal(MLPRegressor, X.astype(np.float32), np.full(40, 1e25), {"loss": "poisson"})
    assert "y" in message and "float32" in message


@pytest.mark.parametrize("target", [np.full(40, 1e-30), np.zeros(40), np.full((40, 2), -1e-30)])
def test_a_constant_y_near_zero_is_almost_zero(target):
    """Its standard deviation says nothing about the unit, so that 1 stands for it."""
    model = MLPRegressor(**{**SMALL, "max_iter": 500, "learning_rate_init": 0.01}).fit(X, target)
    assert np.abs(model.predict(X)).max() < 0.5


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e15 / 3, -1e17 / 3])
@pytest.mark.parametrize("feature_scaling", ["standard", "robust", "minmax"])
@pytest.mark.parametrize("convert", [np.asarray, csr_array], ids=["dense", "sparse"])
def test_constant_columns_change_little(constant, feature_scaling, convert):
    check_constant_column(constant, feature_scaling, convert)


def test_very_large_constant_columns_change_little():
    check_constant_column(1e30, "standard", np.asarray)


def check_constant_column(constant, feature_scaling, convert):
    settings = {**SMALL, "feature_scaling": feature_scaling, "hidden_layer_sizes": ()}
    settings |= {"max_iter": 300, "learning_rate_init": 0.05}
    for cls, target in PAIRS:
        more = np.column_stack([X, np.full(40, constant)])
        score = cls(**settings).fit(convert(X), target).score(convert(X), target)
        model = cls(**settings).fit(convert(more), target)
        assert model.score(convert(more), target) > score - 0.06


@pytest.mark.parametrize("feature_scaling", ["standard", "robust", "minmax", None])
def test_with_constant_features_only_the_best_constant_is_predicted(feature_scaling):
    settings = {**SMALL, "feature_scaling": feature_scaling, "alpha": 0.0, "solver": "lbfgs"}
    settings["max_iter"] = 200
    features = np.full((40, 2), 0.1)
    model = MLPRegressor(**settings).fit(features, y)
    np.testing.assert_allclose(model.predict(features), y.mean(), atol=0.001 * y.std())
    target = np.repeat([0, 1], [10, 30])
    classifier = MLPClassifier(**settings).fit(features, target)
    np.testing.assert_allclose(classifier.predict_proba(features)[:, 1], 0.75, atol=0.001)


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop", "lbfgs"])
def test_one_row_is_learned_by_heart(solver):
    settings = {**SMALL, "solver": solver, "max_iter": 500, "learning_rate_init": 0.01}
    model = MLPRegressor(**settings).fit(X[:1], y[:1])
    np.testing.assert_allclose(model.predict(X[:1]), y[:1], rtol=0.01)
    classifier = MLPClassifier(**settings).fit(X[:1], ["only"])
    assert classifier.predict(X).tolist() == ["only"] * 40
    np.testing.assert_array_equal(classifier.predict_proba(X), 1.0)


@pytest.mark.parametrize("watch", [False, True])
@pytest.mark.parametrize("n_init", [1, 2])
def test_lbfgs_that_is_done_at_the_start_has_all_attributes(watch, n_init):
    given = {"X_val": X, "y_val": y} if watch else {}
    model = MLPRegressor(**SMALL, solver="lbfgs", tol=1e6, n_init=n_init).fit(X, y, **given)
    assert model.n_iter_ == len(model.loss_curve_) >= 1
    assert np.isfinite(model.loss_) and np.isfinite(model.init_losses_).all()
    if watch:
        assert np.isfinite(model.validation_scores_).all()


@pytest.mark.parametrize("unit", [1e25, 1e-25])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_scores_of_float32_do_not_depend_on_the_unit(unit):
    features, target = X.astype(np.float32), y.astype(np.float32)
    expected = MLPRegressor(**SMALL).fit(features, target).score(features, target)
    large = target * np.float32(unit)
    score = MLPRegressor(**SMALL).fit(features, large).score(features, large)
    assert score == pytest.approx(expected, abs=1e-3)


def test_targets_that_float32_cannot_hold_are_refused():
    message = refusal(MLPRegressor, X.astype(np.float32), y * 1e40)
    assert "y" in message and "float32" in message


@pytest.mark.parametrize("feature_scaling", ["standard", None])
def test_rows_that_float32_cannot_hold_are_refused(feature_scaling):
    model = MLPRegressor(**SMALL, dtype="float32", feature_scaling=feature_scaling).fit(X, y)
    with pytest.raises(ValueError, match="X.*float32|float32.*X"):
        model.predict(X * 1e60)


def test_a_fit_that_diverges_is_reported_line_by_line(capsys):
    rng = np.random.default_rng(0)
    model = MLPRegressor(
        "poisson", (4,), solver="sgd", learning_rate_init=1e300, verbose=True, batch_size=2,
        feature_scaling=None,
    )  # fmt: skip
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(X * 1e3, rng.poisson(100.0, size=40))
    assert "non-finite" in capsys.readouterr().out


@pytest.mark.parametrize("scoring", ["r2", lambda model, features, target: float("nan")])
def test_a_watched_score_that_is_never_a_number_is_refused(scoring):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        message = refusal(MLPRegressor, X, y, {"scoring": scoring}, X_val=X[:1], y_val=y[:1])
    assert "scoring" in message


# Rows and targets that no call can use -----------------------------------------------------------

with_nan, with_inf = X.copy(), X.copy()
with_nan[3, 1], with_inf[3, 1] = np.nan, -np.inf
BAD_ROWS = {
    "nan": (with_nan, "NaN"),
    "inf": (with_inf, "infinity"),
    "none": (np.array([[1.0, None, 2.0]] * 40), "NaN"),
    "sparse nan": (csr_array(with_nan), "NaN"),
    "words": ([["a", "b", "c"]] * 40, "strings"),
    "complex": (X * 1j, "(?i)complex"),
    "ragged": ([[1.0, 2.0, 3.0], [1.0]] * 20, "sequence|inhomogeneous"),
    "vector": (X[:, 0], "1D array(.|\\n)*reshape"),
    "number": (3.0, "scalar|dimension|array"),
    "cube": (X.reshape(40, 3, 1), r"X\.reshape\(len\(X\), -1\)"),
    "empty": (X[:0], "0 sample"),
    "narrow": (X[:, :2], "2 features.*3 features"),
    "wide": (np.column_stack([X, X]), "6 features.*3 features"),
}
USES = [
    *((MLPRegressor, y, name) for name in ("predict", "transform", "score")),
    *(
        (MLPClassifier, codes, name)
        for name in ("predict", "predict_proba", "predict_log_proba", "decision_function", "score")
    ),
]


@pytest.mark.parametrize("feature_scaling", ["standard", None])
@pytest.mark.parametrize("cls, target, name", USES)
@pytest.mark.parametrize("kind", BAD_ROWS)
def test_rows_that_a_fitted_model_cannot_use(kind, cls, target, name, feature_scaling):
    rows, words = BAD_ROWS[kind]
    model = cls(**SMALL, missing="error", feature_scaling=feature_scaling).fit(X, target)
    arguments = (rows, target) if name == "score" else (rows,)
    with pytest.raises((ValueError, TypeError), match=words):
        getattr(model, name)(*arguments)


@pytest.mark.parametrize("feature_scaling", ["standard", None])
def test_lists_of_objects_are_treated_like_arrays_of_objects(feature_scaling):
    settings = {**SMALL, "missing": "error", "feature_scaling": feature_scaling}
    rows = [[Decimal(7) / 2, Fraction(1, 3), True], [Decimal(1), Fraction(1, 2), False]] * 20
    settings["categorical_features"] = None
    expected = MLPRegressor(**settings).fit(np.array(rows), y).predict(np.array(rows))
    model = MLPRegressor(**settings).fit(rows, y)
    np.testing.assert_allclose(model.predict(rows), expected)
    holes = [[1.0, None, 2.0]] * 40
    with pytest.raises(ValueError, match="NaN"):
        model.predict(holes)
    assert "NaN" in refusal(MLPRegressor, holes, y, settings)
    assert "NaN" in refusal(MLPRegressor, X, y, settings, X_val=holes, y_val=y)


def test_dates_are_refused_in_words():
    dates = np.full((40, 3), np.datetime64("2020-01-01"))
    assert re.search("numeric|numbers|convert", refusal(MLPRegressor, dates, y))


@pytest.mark.parametrize("kind", [kind for kind in BAD_ROWS if kind not in ("narrow", "wide")])
@pytest.mark.parametrize("cls, target", PAIRS)
def test_rows_that_cannot_be_trained_on(cls, target, kind):
    rows, words = BAD_ROWS[kind]
    assert re.search(words, refusal(cls, rows, target, STRICT))


@pytest.mark.parametrize("kind", BAD_ROWS)
@pytest.mark.parametrize("cls, target", PAIRS)
def test_rows_that_cannot_be_watched_are_named(cls, target, kind):
    rows, words = BAD_ROWS[kind]
    message = refusal(cls, X, target, STRICT, X_val=rows, y_val=target)
    assert re.search(words, message)
    assert "X_val" in message


mixed = np.array(["a", 1.0, "b", None] * 10, dtype=object)
BAD_TARGETS = [
    (MLPRegressor, {}, np.where(np.arange(40) == 7, np.nan, y), "NaN"),
    (MLPRegressor, {}, np.where(np.arange(40) == 7, np.inf, y), "infinity"),
    (MLPRegressor, {}, ["high"] * 40, "high|numeric|string"),
    (MLPRegressor, {}, y * 1j, "(?i)complex"),
    (MLPRegressor, {}, y[:39], "inconsistent.*40, 39"),
    (MLPRegressor, {}, y[:, np.newaxis, np.newaxis], "dim 3|shape"),
    (MLPRegressor, {}, np.empty((40, 0)), "0 feature|column|minimum"),
    (MLPRegressor, {"loss": "poisson"}, -np.ones(40), "poisson.*-1.0 in row 0"),
    (MLPRegressor, {"loss": "gamma"}, np.zeros(40), "gamma.*0.0 in row 0"),
    (MLPClassifier, {}, np.where(codes == 1, np.nan, codes), "NaN"),
    (MLPClassifier, {}, mixed, "NaN"),
    (MLPClassifier, {}, np.array(["a", 1.0, "b", 2.0] * 10, dtype=object), "float, str"),
    (MLPClassifier, {}, [None] * 40, "None|type|label"),
    (MLPClassifier, {}, y, "continuous"),
    (MLPClassifier, {}, codes[:39], "inconsistent.*40, 39"),
    (MLPClassifier, {}, codes.reshape(40, 1, 1), "dim 3|shape|type"),
    (MLPClassifier, {}, np.column_stack([codes, codes]), "MultiOutputClassifier"),
    (MLPClassifier, {}, np.column_stack([codes, y]), "continuous|label"),
]


@pytest.mark.parametrize("watched", [False, True], ids=["y", "y_val"])
@pytest.mark.parametrize("cls, params, bad, words", BAD_TARGETS)
def test_targets_that_cannot_be_used(cls, params, bad, words, watched):
    if watched:
        good = np.abs(y) + 1.0 if cls is MLPRegressor else codes
        message = refusal(cls, X, good, params, X_val=X, y_val=bad)
        assert "y_val" in message
    else:
        message = refusal(cls, X, bad, params)
    assert re.search(words, message)


@pytest.mark.parametrize(
    "weights",
    [np.full(40, np.nan), np.full(40, np.inf), np.ones((40, 1)), -1.0, 0.0, np.ones(3)],
    ids=["nan", "inf", "column", "a negative number", "zero", "few"],
)
@pytest.mark.parametrize("name", ["sample_weight", "sample_weight_val"])
@pytest.mark.parametrize("cls, target", PAIRS)
def test_weights_that_cannot_be_used_are_named(cls, target, name, weights):
    given = {"X_val": X, "y_val": target} if name == "sample_weight_val" else {}
    assert name in refusal(cls, X, target, **given, **{name: weights})


@pytest.mark.parametrize(
    "given, words",
    [
        ({"y": [None] * 40}, "NaN|None|missing"),
        ({"y": np.array([1.0, None] * 20)}, "NaN|None|missing"),
        ({"sample_weight": ["a"] * 40}, "sample_weight"),
        ({"X_val": X, "y_val": 3.0}, "y_val"),
    ],
)
def test_messages_that_could_be_clearer(given, words):
    arguments = {"y": y, **given}
    assert re.search(words, refusal(MLPRegressor, X, arguments.pop("y"), **arguments))


def test_unknown_arguments_of_fit_are_named():
    with pytest.raises(TypeError, match="x_val"):
        MLPRegressor().fit(X, y, x_val=X, y_val=y)


@pytest.mark.parametrize("given", [{"y": None}, {}])
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_a_missing_y_is_named(cls, given):
    with pytest.raises((ValueError, TypeError), match="'y'|y to be passed|but .* y"):
        cls(**SMALL).fit(X, **given)


def test_the_first_chunk_must_announce_classes_that_can_be():
    for classes, words in [
        (None, "classes must be passed"),
        ([0, 1], "classes not in"),
        ([], "classes"),
        (["a", "b", "c"], "classes|y has"),
        ([0, 1, np.nan], "classes"),
    ]:
        model = MLPClassifier(**SMALL)
        with pytest.raises((ValueError, TypeError), match=words):
            model.partial_fit(X, codes, classes=classes)
        assert not hasattr(model, "theta_")


# Any combination -----------------------------------------------------------------------------


class Measure(Callback):
    def on_epoch_end(self, state):
        state.record("largest", np.abs(state.theta).max(axis=1))
        return state.epoch == 3


def minus_largest_error(model, features, target):
    return -float(np.max(model.predict(features) != target))


# The first value of each is the default.
CHOICES = {
    "hidden_layer_sizes": [(100,), (), (3,), [4, 2], 2, np.array([3])],
    "activation": ["relu", *sorted(set(ACTIVATIONS) - {"relu"}), ["tanh"], LeakyReLU(0.1)],
    "solver": ["adam", "sgd", "rmsprop", "lbfgs", SGD(0.5), LBFGS(5)],
    "alpha": [0.0001, 0.0, 1, 1e4],
    "batch_size": ["auto", 1, 7, 1000],
    "learning_rate": ["constant", *sorted(set(SCHEDULES) - {"constant"}), Cosine(), Constant()],
    "learning_rate_init": [0.001, 1e-300, 0.1, 10.0, 1e6],
    "power_t": [0.5, 0, 5.0],
    "shuffle": [True, False],
    "tol": [1e-4, 0, 1.0, 1e10],
    "verbose": [False, True, 3],
    "warm_start": [False, True],
    "momentum": [0.9, 0, 1.0],
    "nesterovs_momentum": [True, False],
    "early_stopping": ["auto", True, False],
    "validation_fraction": [0.1, 0.0, 0.5, 0.99, KFold(2), ShuffleSplit(3), LeaveOneOut()],
    "beta_1": [0.9, 0.0],
    "beta_2": [0.999, 0.0],
    "epsilon": [1e-8, 1e-300, 10.0],
    "n_iter_no_change": [10, 1, np.inf],
    "max_fun": [15000, 1],
    "weight_decay": [0.0, 0.1, 100.0],
    "weight_decay_schedule": ["constant", *sorted(set(SCHEDULES) - {"constant"}), Cosine()],
    "weight_averaging": [0.0, 0.5, 0.999],
    "weight_tol": [0.0, 1e-3, 10.0],
    "init": ["auto", *sorted(INITIALIZERS), HeNormal()],
    "parametrization": ["standard", "ntk"],
    "input_scale_layer": [False, True],
    "feature_scaling": ["standard", "robust", "minmax", None],
    "dropout": [0.0, 0.5, 0.99, [0.5]],
    "dropout_schedule": ["constant", *sorted(set(SCHEDULES) - {"constant"}), Cosine()],
    "refit": [False, True],
    "max_grad_norm": [None, 1.0, 1e-30],
    "n_init": [1, 2, 3],
    "combine_inits": ["best", "average"],
    "n_shared_layers": [0, 1, 2],
    "callbacks": [None, [], [Measure()], (TimeLimit(100.0), Measure()), "checkpoint"],
    "dtype": ["auto", "float32", "float64"],
}
OF_REGRESSORS = {
    "loss": ["squared_error", *sorted(set(REGRESSION_LOSSES) - {"squared_error"}), Huber(0.3)],
    "target_scaling": [True, False],
    "clip_predictions": [False, True],
    "delta": [1.35, 0.01, 100],
    "quantile": [0.5, 0.99, [0.1, 0.5, 0.9]],
    "scoring": [None, "loss", "r2", "neg_mean_absolute_error", minus_largest_error],
}
OF_CLASSIFIERS = {
    "loss": ["log_loss", *sorted(set(CLASSIFICATION_LOSSES) - {"log_loss"})],
    "margin": [1.0, 0.01, 100.0],
    "class_weight": [None, "balanced"],
    "label_smoothing": [0.0, 0.3, 0.99],
    "temperature_scaling": ["auto", False, True],
    "scoring": [None, "loss", "accuracy", "balanced_accuracy", minus_largest_error],
}


def constructor_parameters(choices):
    """A few parameters that differ from their defaults, or many."""
    names = st.lists(st.sampled_from(sorted(choices)), max_size=14, unique=True)
    return names.flatmap(
        lambda some: st.fixed_dictionaries({name: st.sampled_from(choices[name]) for name in some})
    )


CONTAINERS = {
    "array": np.asarray,
    "fortran": np.asfortranarray,
    "list": lambda features: features.tolist(),
    "frame": lambda features: pd.DataFrame(
        features, columns=[f"column {i}" for i in range(features.shape[1])]
    ),
    "csr": csr_array,
    "csr_matrix": csr_matrix,
    "csc": csc_array,
}
COLUMNS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "counts": lambda rng, n: rng.poisson(1.0, size=n).astype(float),
    "zero": lambda rng, n: np.zeros(n),
    "constant": lambda rng, n: np.full(n, 0.1),
    "large constant": lambda rng, n: np.full(n, 1e15 / 3),
    "huge": lambda rng, n: rng.normal(size=n) * 1e30,
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-30,
    "far": lambda rng, n: 1e9 + rng.normal(size=n),
    "one apart": lambda rng, n: np.where(np.arange(n) == n - 1, 1e12, rng.normal(size=n)),
    "binary": lambda rng, n: rng.integers(0, 2, size=n).astype(float),
}
data = st.fixed_dictionaries(
    {
        "n": st.one_of(st.integers(1, 6), st.integers(7, 40)),
        "columns": st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5),
        "dtype": st.sampled_from([np.float64, np.float32, np.int64]),
        "container": st.sampled_from(sorted(CONTAINERS)),
        "weight": st.sampled_from([None, "ones", "zeros and more", "unequal", "a number"]),
        "validation": st.sampled_from([None, None, "rows", "one row", "weighted", "other kind"]),
        "seed": st.integers(0, 20),
    }
)
REAL_TARGETS = {
    **{name: lambda rng, n, name=name: COLUMNS[name](rng, n) for name in COLUMNS},
    "positive": lambda rng, n: rng.gamma(1.0, size=n) + 1e-3,
    "many counts": lambda rng, n: rng.poisson(1000.0, size=n),
    "integers": lambda rng, n: rng.integers(-5, 5, size=n),
    "booleans": lambda rng, n: rng.normal(size=n) > 0,
    "float32": lambda rng, n: rng.normal(size=n).astype(np.float32),
    "series": lambda rng, n: pd.Series(rng.gamma(1.0, size=n)),
    "list": lambda rng, n: rng.gamma(1.0, size=n).tolist(),
    "two columns": lambda rng, n: rng.gamma(1.0, size=(n, 2)),
    "one column": lambda rng, n: rng.gamma(1.0, size=(n, 1)),
    "unlike columns": lambda rng, n: np.c_[rng.normal(size=n) * 1e20, np.zeros(n)],
}
CLASSES = {
    "one": lambda rng, n: np.full(n, 3),
    "two": lambda rng, n: rng.integers(0, 2, size=n),
    "signs": lambda rng, n: rng.choice([-1.0, 1.0], size=n),
    "booleans": lambda rng, n: rng.normal(size=n) > 0,
    "three": lambda rng, n: rng.integers(0, 3, size=n),
    "strings": lambda rng, n: rng.choice(["a", "bcd", "ä"], size=n),
    "objects": lambda rng, n: rng.choice(np.array(["no", "yes"], object), size=n),
    "categorical": lambda rng, n: pd.Series(rng.choice(["no", "yes"], size=n), dtype="category"),
    "all different": lambda rng, n: np.arange(n),
    "list": lambda rng, n: rng.integers(0, 3, size=n).tolist(),
    "one column": lambda rng, n: rng.integers(0, 2, size=(n, 1)),
    "labels": lambda rng, n: rng.integers(0, 2, size=(n, 3)),
    "sparse labels": lambda rng, n: csr_matrix(rng.integers(0, 2, size=(n, 3))),
    "one label": lambda rng, n: np.c_[np.ones(n, int), np.zeros(n, int)],
}


def draw_features(rows, rng, n, container=None):
    """Columns of the kinds asked for, in the container asked for."""
    dense = np.stack([COLUMNS[kind](rng, n) for kind in rows["columns"]], axis=1)
    if rows["dtype"] is np.int64:
        dense = np.clip(dense, -(2.0**60), 2.0**60)
    return CONTAINERS[container or rows["container"]](dense.astype(rows["dtype"]))


def draw_weights(kind, rng, n):
    return {
        None: None,
        "ones": np.ones(n),
        "zeros and more": rng.integers(0, 3, size=n),
        "unequal": np.exp(rng.normal(size=n) * 5).tolist(),
        "a number": 2.5,
    }[kind]


def draw_arguments(rows, targets, kind):
    """X, y and what else `fit` gets."""
    rng = np.random.default_rng(rows["seed"])
    n = rows["n"]
    features, target = draw_features(rows, rng, n), targets[kind](rng, n)
    given = {"sample_weight": draw_weights(rows["weight"], rng, n)}
    if rows["validation"] is not None:
        m = 1 if rows["validation"] == "one row" else 12
        container = "csr" if rows["validation"] == "other kind" else None
        given |= {"X_val": draw_features(rows, rng, m, container), "y_val": targets[kind](rng, m)}
        if rows["validation"] == "weighted":
            given["sample_weight_val"] = rng.integers(0, 3, size=m)
    return features, target, given


# What may be said about data and usage. Everything else is a leak, NumPy's warnings above all.
KNOWN = (
    "X_val lies far outside",
    "Classes with a single row stay",
    "A column-vector y was passed",
    "is larger than the",
    "takes no sample_weight",
    # Of scikit-learn's, about data.
    "The number of unique classes is greater than 50%",
    "X does not have valid feature names",
    "A single label was found in",
    "y_pred contains classes not in y_true",
)


def fit_or_refusal(model, features, target, given):
    """The fitted model, or None if it was refused on purpose and in words."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(features, target, **given)
        except (ValueError, TypeError) as error:
            assert len(str(error)) > 25
            check_raised_on_purpose(error)
            return None
        finally:
            strange = [
                str(w.message)
                for w in caught
                if w.category.__name__ != "ConvergenceWarning"
                and not any(words in str(w.message) for words in KNOWN)
            ]
            assert not strange, strange
    return model


def check_raised_on_purpose(error):
    """An error that a line `raise ...` has made, not one that an operation has stumbled over."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    assert line.strip().startswith("raise"), line


def documented_attributes(cls):
    """Names in the section Attributes of the docstring."""
    section = cls.__doc__.partition("    Attributes\n")[2].partition("    See Also\n")[0]
    heads = re.findall(r"^    (\w[\w, ]*) : ", section, flags=re.MULTILINE)
    return [name.strip() for head in heads for name in head.split(",")]


def check_attributes(model, features):
    averages = model.theta_.ndim == 2
    clips = len(Design.restore(model._design).bent) > 0
    clips = clips or model.get_params().get("clip_predictions", False)
    for name in documented_attributes(type(model)):
        expected = {
            "coefs_": not averages and not clips,
            "estimators_": averages,
            "encoder_": model.encoder is not None,
            "feature_names_in_": isinstance(features, pd.DataFrame),
        }
        expected["intercepts_"] = expected["coefs_"]
        assert hasattr(model, name) == expected.get(name, True), name
    assert np.isfinite(model.theta_).all() and np.isfinite(model.loss_)
    assert np.isfinite(model.loss_curve_).all() and len(model.loss_curve_) >= 1
    assert len(model.loss_curve_) == model.n_iter_ <= model.max_iter
    assert {len(column) for column in model.history_.values()} == {model.n_iter_}
    assert model.n_features_in_ == np.shape(features)[1]
    assert len(model.init_losses_) == model.n_init
    assert model.stop_reason_.endswith(".")


def check_pickle(model, method, features):
    loaded = pickle.loads(pickle.dumps(model))
    again, first = (getattr(one, method)(features) for one in (loaded, model))
    np.testing.assert_array_equal(again, first)


def check_hidden_features(model, features, n):
    if not np.size(model.hidden_layer_sizes):
        assert not hasattr(model, "transform")
        return
    hidden = model.transform(features)
    assert hidden.shape == (n, len(model.get_feature_names_out()))
    assert np.isfinite(hidden).all()


quick = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def fitted(cls, params, arguments, max_iter):
    """The fitted model, or None; a checkpoint is a file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if params.get("callbacks") == "checkpoint":
            params = {**params, "callbacks": [Checkpoint(Path(folder) / "fit.npz", every=2)]}
        model = cls(**{"hidden_layer_sizes": (5,), **params}, max_iter=max_iter, random_state=0)
        return fit_or_refusal(model, *arguments)


@quick
@given(
    constructor_parameters({**CHOICES, **OF_REGRESSORS}),
    data,
    st.sampled_from(list(REAL_TARGETS)),
    st.sampled_from([1, 4]),
)
def test_any_regressor_is_finite_or_refused(params, rows, kind, max_iter):
    features, target, given = draw_arguments(rows, REAL_TARGETS, kind)
    model = fitted(MLPRegressor, params, (features, target, given), max_iter)
    if model is None:
        return
    n, shape = rows["n"], np.shape(target)
    predicted = model.predict(features)
    several = params.get("loss") == "quantile" and np.ndim(model.quantile)
    assert predicted.shape == (n, 3) if several else predicted.shape == shape or shape == (n, 1)
    assert np.isfinite(predicted).all()
    assert predicted.dtype == model.theta_.dtype
    weight = given["sample_weight"] if np.ndim(given["sample_weight"]) else None
    if n > 1:
        assert np.isfinite(model.score(features, target, weight))
    check_attributes(model, features)
    check_hidden_features(model, features, n)
    check_pickle(model, "predict", features)


@quick
@given(constructor_parameters({**CHOICES, **OF_CLASSIFIERS}), data, st.sampled_from(list(CLASSES)),
       st.sampled_from([1, 4]))  # fmt: skip
def test_any_classifier_is_finite_or_refused(params, rows, kind, max_iter):
    features, target, given = draw_arguments(rows, CLASSES, kind)
    model = fitted(MLPClassifier, params, (features, target, given), max_iter)
    if model is None:
        return
    n, labels = rows["n"], len(model.classes_)
    predicted, decision = model.predict(features), model.decision_function(features)
    multilabel = "label" in kind
    assert predicted.shape == ((n, labels) if multilabel else (n,))
    assert multilabel or np.isin(predicted, model.classes_).all()
    assert decision.shape == ((n, labels) if multilabel or labels > 2 else (n,))
    assert np.isfinite(decision).all()
    assert hasattr(model, "predict_proba") == (model.loss == "log_loss")
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(features)
        assert probabilities.shape == (n, labels)
        assert (probabilities >= 0).all() and (probabilities <= 1).all()
        if not multilabel:
            np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
        assert np.isfinite(model.predict_log_proba(features)).all()
    weight = given["sample_weight"] if np.ndim(given["sample_weight"]) else None
    assert 0 <= model.score(features, target, weight) <= 1
    check_attributes(model, features)
    check_hidden_features(model, features, n)
    check_pickle(model, "decision_function", features)
