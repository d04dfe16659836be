"""An estimator stays whole: failed calls, changed settings, and arrays that others have mapped."""

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skmlp import MLPClassifier, MLPRegressor
from skmlp._engine.batches import MappedRows
from skmlp.estimators._design import Design

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_regression(n_samples=80, n_features=4, noise=5.0, random_state=0)
X_class, codes = make_classification(n_samples=80, n_features=4, random_state=0)
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0}

FAILURES = [
    lambda model: model.fit(X, np.full(80, np.nan)),
    lambda model: model.fit(np.full((80, 7), 1.0), y[:10]),
    lambda model: model.set_params(loss="poisson").fit(X[:, :2], y),
    lambda model: model.set_params(solver="sgd", learning_rate_init=1e300).fit(X[:, :2], y),
    lambda model: model.set_params(learning_rate_init=0.01).partial_fit(X, np.column_stack([y, y])),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("fail", FAILURES)
def test_a_call_that_fails_leaves_a_fitted_model_as_it_was(fail):
    model = MLPRegressor(**SMALL).fit(X, y)
    before, expected = set(vars(model)), model.predict(X)
    with pytest.raises(ValueError):
        fail(model)
    assert set(vars(model)) == before
    assert model.n_features_in_ == 4
    np.testing.assert_array_equal(model.predict(X), expected)


def test_a_refused_refit_of_a_classifier_keeps_its_classes():
    model = MLPClassifier(loss="hinge", **SMALL).fit(X_class, codes)
    expected = model.predict(X_class)
    with pytest.raises(ValueError, match="loss='hinge'"):
        model.fit(X_class, np.array(["a", "b", "c", "d"] * 20))
    assert model.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(model.predict(X_class), expected)


@pytest.mark.parametrize("name", ["predict", "predict_proba", "decision_function"])
def test_after_a_failed_first_fit_the_estimator_is_not_fitted(name):
    model = MLPClassifier(solver="sgd", learning_rate_init=1e300, **SMALL)
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(X_class, codes)
    with pytest.raises(NotFittedError):
        getattr(model, name)(X_class)
    assert not hasattr(model, "coefs_")


def test_probabilities_go_by_the_fitted_loss():
    margin = MLPClassifier(loss="hinge", **SMALL).fit(X_class, codes).set_params(loss="log_loss")
    assert not hasattr(margin, "predict_proba")
    log_loss = MLPClassifier(**SMALL).fit(X_class, codes).set_params(loss="hinge")
    assert log_loss.predict_proba(X_class).sum() == pytest.approx(80)
    assert hasattr(clone(margin), "predict_proba")


@pytest.mark.parametrize("first, then", [(codes, np.eye(2)[codes]), (np.eye(2)[codes], codes)])
def test_the_kind_of_y_may_not_change(first, then):
    for method in ("partial_fit", "fit"):
        model = MLPClassifier(warm_start=True, **SMALL).fit(X_class, first.astype(int))
        with pytest.raises(ValueError, match="y is .*multilabel"):
            getattr(model, method)(X_class, then.astype(int))


def test_a_chunk_may_lack_a_class_with_warm_start_too():
    model = MLPClassifier(warm_start=True, **SMALL).fit(X_class, codes)
    model.partial_fit(X_class[codes == 1], codes[codes == 1])
    with pytest.raises(ValueError, match="same classes as in the previous call"):
        model.fit(X_class[codes == 1], codes[codes == 1])


@pytest.mark.parametrize("odd", [None, 3.5, ("a",)])
def test_labels_that_cannot_be_ordered_are_named(odd):
    labels = np.array(["a", "b"] * 40, dtype=object)
    labels[3] = odd
    words = "y contains NaN.*None.* 1 of 80 rows.*3" if odd is None else "types .*str.*astype"
    with pytest.raises(ValueError, match=words):
        MLPClassifier().fit(X_class, labels)


def test_d2_checks_its_input():
    model = MLPRegressor(loss="gamma", **SMALL).fit(X, np.abs(y) + 1.0)
    with pytest.raises(ValueError, match="valid range"):
        model.score(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, np.ones(3))
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        model.score(X, np.abs(y) + 1.0, -np.ones(80))


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_lbfgs_says_that_max_fun_ended_it():
    with pytest.warns(ConvergenceWarning, match="max_fun"):
        MLPRegressor(solver="lbfgs", max_fun=3, hidden_layer_sizes=(6,)).fit(X, y)


def mapped(array, path):
    copy = np.memmap(path, dtype=array.dtype, mode="w+", shape=array.shape)
    copy[:] = array
    copy.flush()
    return np.memmap(path, dtype=array.dtype, mode="r", shape=array.shape)


@pytest.mark.parametrize("scaling", ["standard", "robust", None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_a_mapped_array_trains_like_one_in_memory(tmp_path, dtype, scaling):
    table = np.abs(X * 20).astype(dtype)
    model = MLPRegressor(feature_scaling=scaling, **SMALL)
    expected = clone(model).fit(table, y).theta_
    model.fit(mapped(table, tmp_path / "X"), y)
    np.testing.assert_allclose(model.theta_, expected, rtol=1e-5)


def test_a_mapped_array_is_never_taken_as_it_is(tmp_path):
    design = Design.fit(None, "none", X, y, None, None)
    rows = design.rows(mapped(X, tmp_path / "X"), X.dtype, mapped=True, scale_now=True)
    assert isinstance(rows, MappedRows)


def test_worker_processes_that_map_arrays_give_the_same_results():
    table = np.random.default_rng(0).normal(size=(3000, 50))  # joblib maps more than 1 MB
    target = table[:, 0] - table[:, 1]
    model = MLPRegressor(hidden_layer_sizes=(6,), max_iter=2, random_state=0)
    alone = clone(model).fit(table, target).theta_
    for fitted in Parallel(n_jobs=2)(delayed(clone(model).fit)(table, target) for _ in range(2)):
        np.testing.assert_allclose(fitted.theta_, alone, rtol=1e-10)


@pytest.mark.parametrize("weight", [1e-50, 1e50])
def test_weights_that_the_dtype_cannot_hold_are_refused(weight):
    weights = np.full(80, weight)
    MLPRegressor(**SMALL).fit(X, y, weights)
    with pytest.raises(ValueError, match=r"sample_weight .*float32 cannot hold"):
        MLPRegressor(dtype="float32", **SMALL).fit(X, y, weights)


def test_the_dtype_may_not_change():
    model = MLPRegressor(warm_start=True, **SMALL).fit(X, y)
    with pytest.raises(ValueError, match="dtype='float32' differs .*float64.*warm_start=False"):
        model.set_params(dtype="float32").fit(X, y)
    model.set_params(dtype="float64").fit(X, y)
