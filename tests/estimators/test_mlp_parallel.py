"""Many at once, in threads and in processes, are as good as one alone."""

import gc
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, delayed
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_validate

from skmlp import MLPClassifier, MLPRegressor
from skmlp.callbacks import Callback
from skmlp.estimators._validation import is_mapped

X, y = make_regression(n_samples=120, n_features=4, noise=20.0, random_state=0)
X_class, y_class = make_classification(
    n_samples=120, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1, flip_y=0.1,
)  # fmt: skip
SMALL = {"hidden_layer_sizes": (12,), "random_state": 0, "learning_rate_init": 0.02}
SMALL |= {"max_iter": 8, "batch_size": 30, "tol": 0.0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def assert_same_fit(first, second):
    assert type(first) is type(second)
    assert first.theta_.dtype == second.theta_.dtype
    np.testing.assert_array_equal(first.theta_, second.theta_)
    assert list(first.history_) == list(second.history_)
    for name, column in first.history_.items():
        np.testing.assert_array_equal(column, second.history_[name], err_msg=name)
    assert first.stop_reason_ == second.stop_reason_ and first.n_iter_ == second.n_iter_


class Meet(Callback):
    """Two fits wait for each other after every epoch."""

    def __init__(self, barrier):
        self.barrier = barrier

    def __deepcopy__(self, memo):
        return self

    def on_epoch_end(self, state):
        self.barrier.wait(60)


PAIRS = {
    "both kinds": (
        (MLPRegressor(dropout=0.2, **SMALL), X, y),
        (MLPClassifier(dropout=0.2, **SMALL), X_class, y_class),
    ),
    "the same settings": (
        (MLPRegressor(n_init=2, early_stopping=True, n_iter_no_change=50, **SMALL), X, y),
        (MLPRegressor(n_init=2, early_stopping=True, n_iter_no_change=50, **SMALL), X, -y),
    ),
    "the same data": (
        (MLPRegressor(activation="logistic", **SMALL), X, y),
        (MLPRegressor(activation="gelu", max_grad_norm=0.1, **SMALL), X, y),
    ),
    "CSR": (
        (MLPRegressor(**SMALL), csr_array(X), y),
        (MLPClassifier(loss="crammer_singer", **SMALL), csr_array(X_class), y_class),
    ),
    "lbfgs": (
        (MLPRegressor(solver="lbfgs", **{**SMALL, "max_iter": 5}), X, y),
        (MLPClassifier(solver="lbfgs", **{**SMALL, "max_iter": 5}), X_class, y_class),
    ),
    "two widths": (
        (MLPRegressor(**SMALL), X, y),
        (MLPRegressor(**{**SMALL, "hidden_layer_sizes": (30, 20)}), X.astype(np.float32), y),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_fits_in_two_threads_are_those_of_each_alone(name):
    pair = PAIRS[name]
    alone = [clone(model).fit(*data) for model, *data in pair]
    barrier = threading.Barrier(2)
    both = [clone(model).set_params(callbacks=[Meet(barrier)]) for model, *_ in pair]
    with ThreadPoolExecutor(2) as pool:
        fits = [pool.submit(m.fit, *data) for m, (_, *data) in zip(both, pair, strict=True)]
        together = [fit.result(60) for fit in fits]
    for one, other in zip(alone, together, strict=True):
        assert_same_fit(one, other)


FITTED = {
    "regressor": lambda: MLPRegressor(**SMALL).fit(X, y),
    "float32": lambda: MLPRegressor(dtype="float32", **SMALL).fit(X, y),
    "average": lambda: MLPRegressor(n_init=3, combine_inits="average", **SMALL).fit(X, y),
    "CSR": lambda: MLPRegressor(**SMALL).fit(csr_array(X), y),
    "classifier": lambda: MLPClassifier(**SMALL).fit(X_class, y_class),
    "averaged classifier": lambda: MLPClassifier(n_init=3, combine_inits="average", **SMALL).fit(
        X_class, y_class
    ),
}


@pytest.mark.parametrize("name", FITTED)
def test_eight_threads_may_predict_with_one_estimator(name):
    model = FITTED[name]()
    rng = np.random.default_rng(0)
    # Of different lengths, so that a shared buffer would be seen.
    tables = [rng.normal(size=(200 + 37 * i, 4)) for i in range(8)]
    if name == "CSR":
        tables = [csr_array(table) for table in tables]
    methods = ["predict", "transform"]
    methods += ["predict_proba"] if "classifier" in name else []
    barrier = threading.Barrier(8)

    def work(table):
        barrier.wait(60)
        return [[getattr(model, method)(table) for method in methods] for _ in range(5)]

    before = dict(vars(model))
    expected = [[getattr(model, method)(table) for method in methods] for table in tables]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, tables))
    for rounds, right in zip(results, expected, strict=True):
        for result in rounds:
            for one, other in zip(result, right, strict=True):
                np.testing.assert_array_equal(one, other)
    assert list(vars(model)) == list(before)
    assert all(vars(model)[key] is value for key, value in before.items())


# joblib maps arrays of more than 1 MB into its workers, read-only.
LARGE = np.random.default_rng(1).normal(size=(17_000, 8))
LARGE[np.abs(LARGE) < 0.3] = 0.0
LARGE_y = LARGE[:, :3].sum(axis=1) + np.sin(3 * LARGE[:, 0])
LARGE_classes = np.array(["a", "b", "c"])[np.digitize(LARGE_y, [-1.0, 1.0])]
LARGE_weight = np.random.default_rng(2).uniform(0.5, 2.0, size=len(LARGE))
QUICK = {**SMALL, "max_iter": 2, "batch_size": 500}


@pytest.fixture(scope="module")
def workers():
    """The same two processes for all tests."""
    with Parallel(n_jobs=2, backend="loky") as parallel:
        yield parallel


def test_joblib_maps_the_large_arrays(workers):
    """Else the tests below would show nothing."""
    assert LARGE.nbytes > 2**20
    assert workers(delayed(is_mapped)(LARGE) for _ in range(2)) == [True, True]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True, "n_init": 2},
        {"feature_scaling": "minmax", "dropout": 0.2},
        {"feature_scaling": "robust"},
        {"feature_scaling": None, "dtype": "float32"},
        {"solver": "lbfgs"},
    ],
    ids=str,
)
def test_fits_in_processes_are_those_of_each_alone(params, workers):
    tasks = [
        (MLPRegressor(**{**QUICK, **params}), LARGE, LARGE_y),
        (MLPRegressor(**{**QUICK, **params}), LARGE, LARGE_y, LARGE_weight),
        (MLPClassifier(**{**QUICK, **params}), LARGE, LARGE_classes),
    ]
    if params.get("feature_scaling", "standard") is not None and "robust" not in params.values():
        tasks.append((MLPRegressor(**{**QUICK, **params}), LARGE.astype(np.float32), LARGE_y))
    together = workers(delayed(clone(model).fit)(*data) for model, *data in tasks)
    for (model, *data), fitted in zip(tasks, together, strict=True):
        assert_same_fit(clone(model).fit(*data), fitted)


def test_sparse_fits_in_processes_are_those_of_each_alone(workers):
    sparse = csr_array(LARGE)
    assert sparse.data.nbytes > 2**17 * 6
    tasks = [(MLPRegressor(**QUICK), LARGE_y), (MLPClassifier(**QUICK), LARGE_classes)]
    together = workers(delayed(clone(model).fit)(sparse, target) for model, target in tasks)
    for (model, target), fitted in zip(tasks, together, strict=True):
        assert_same_fit(clone(model).fit(sparse, target), fitted)


def test_mapped_validation_rows_are_watched_as_others(workers):
    model = MLPRegressor(**QUICK)
    options = {"X_val": LARGE[::-1] + 0.01, "y_val": LARGE_y[::-1]}
    fitted = workers([delayed(clone(model).fit)(LARGE, LARGE_y, **options)])[0]
    assert_same_fit(clone(model).fit(LARGE, LARGE_y, **options), fitted)


def test_a_fitted_estimator_predicts_in_processes(workers):
    """Its weights are mapped read-only, too, when they are large."""
    model = MLPClassifier(**{**QUICK, "hidden_layer_sizes": (400, 400), "max_iter": 1})
    model.fit(LARGE[:1000], LARGE_classes[:1000])
    assert model.theta_.nbytes > 2**20
    results = workers(delayed(model.predict_proba)(LARGE[i::4]) for i in range(4))
    for i, result in enumerate(results):
        np.testing.assert_array_equal(result, model.predict_proba(LARGE[i::4]))


def test_mapped_weights_go_on_in_processes(workers):
    settings = {**QUICK, "hidden_layer_sizes": (400, 400), "max_iter": 1, "warm_start": True}
    model = MLPRegressor(**settings).fit(LARGE[:1000], LARGE_y[:1000])
    theta = model.theta_.copy()
    data = LARGE[1000:2000], LARGE_y[1000:2000]
    again, passed = workers(delayed(go_on)(*data) for go_on in (model.fit, model.partial_fit))
    np.testing.assert_array_equal(model.theta_, theta)
    passed_here = clone(model).fit(LARGE[:1000], LARGE_y[:1000]).partial_fit(*data)
    assert_same_fit(passed_here, passed)
    assert_same_fit(model.fit(*data), again)


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_a_grid_search_in_processes_is_that_of_one(cls, workers):
    data = (X, y) if cls is MLPRegressor else (X_class, y_class)
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(), (5,)]}
    model = cls(n_init=2, early_stopping=True, **{**SMALL, "n_iter_no_change": 2})
    one, two = (GridSearchCV(model, grid, cv=2, n_jobs=n).fit(*data) for n in (1, 2))
    for name in ("mean_test_score", "std_test_score", "rank_test_score"):
        np.testing.assert_array_equal(one.cv_results_[name], two.cv_results_[name])
    assert np.ptp(one.cv_results_["mean_test_score"]) > 0
    assert one.best_params_ == two.best_params_
    assert_same_fit(one.best_estimator_, two.best_estimator_)


def test_cross_validation_of_large_data_in_processes_is_that_of_one(workers):
    """Here the folds are taken out of mapped arrays."""
    one, two = (
        cross_validate(
            MLPRegressor(**QUICK), LARGE, LARGE_y, cv=2, n_jobs=n, return_estimator=True,
            params={"sample_weight": LARGE_weight},
        )
        for n in (1, 2)
    )  # fmt: skip
    np.testing.assert_array_equal(one["test_score"], two["test_score"])
    for first, second in zip(one["estimator"], two["estimator"], strict=True):
        assert_same_fit(first, second)


def test_a_prediction_holds_on_to_nothing_of_the_callers():
    """What a thread keeps for its next prediction is memory, not X."""
    model = MLPRegressor(feature_scaling=None, **{**SMALL, "max_iter": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    rows = np.array(X)
    alive = weakref.ref(rows)
    expected = model.predict(rows)
    del rows
    gc.collect()
    assert alive() is None
    np.testing.assert_array_equal(model.predict(X), expected)
