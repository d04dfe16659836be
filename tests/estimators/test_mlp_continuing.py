"""Warm starts, partial_fit, and estimators that come back from a file."""

import copy
import pickle
import re

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score

from skmlp import MLPClassifier, MLPRegressor
from skmlp.schedules import SCHEDULES

X, y = make_regression(n_samples=100, n_features=4, noise=20.0, random_state=0)
X_class, y_three = make_classification(
    n_samples=100, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1, flip_y=0.1,
)  # fmt: skip
SMALL = {"hidden_layer_sizes": (10,), "random_state": 0, "learning_rate_init": 0.02}
STREAMING = ["adam", "sgd", "rmsprop"]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_warm_start_forgets_earlier_best_scores(solver):
    """Defect a: a refit on -y restored the old weights, R2 = -2.9."""
    settings = {**SMALL, "early_stopping": True, "warm_start": True, "solver": solver}
    model = MLPRegressor(max_iter=300, **settings).fit(X, y)
    model.fit(X, -y)
    assert r2_score(-y, model.predict(X)) > 0.8
    assert model.n_iter_ > 1
    assert model.best_iteration_ <= model.n_iter_


def test_a_warm_start_forgets_patience_and_lowered_rates():
    settings = {**SMALL, "tol": 1e9, "n_iter_no_change": 3, "warm_start": True}
    model = MLPRegressor(learning_rate="constant", **settings).fit(X, y)
    assert model.n_iter_ == model.fit(X, y).n_iter_ == 4
    model = MLPRegressor(learning_rate="adaptive", solver="sgd", **settings).fit(X, y)
    first = len(model.learning_rate_curve_)
    model.fit(X, y)
    assert model.learning_rate_curve_[first] == 0.02


@pytest.mark.parametrize("solver", STREAMING)
def test_a_warm_start_goes_on_where_the_fit_ended(solver):
    settings = {**SMALL, "solver": solver, "alpha": 0.0}
    cold = MLPRegressor(max_iter=60, warm_start=True, **settings).fit(X, y)
    loss = cold.loss_
    again = cold.set_params(max_iter=3).fit(X, y)
    assert again.n_iter_ == 3 and len(again.loss_curve_) > 60 or again.loss_ < 1.5 * loss
    assert again.loss_curve_[-3] < 1.2 * loss


def test_max_iter_and_n_iter_of_warm_starts():
    """sk#16812, sk#24764: one iteration only, or a wrong n_iter_."""
    model = MLPRegressor(max_iter=4, warm_start=True, **SMALL)
    for k in range(1, 4):
        with pytest.warns(ConvergenceWarning):
            model.fit(X, y)
        assert model.n_iter_ == 4 and model.t_ == 400 * k
    cold = MLPRegressor(max_iter=4, **SMALL).fit(X, y).fit(X, y)
    assert cold.t_ == 400 and len(cold.loss_curve_) == 4


@pytest.mark.parametrize("first, second", [("adam", "sgd"), ("sgd", "adam"), ("lbfgs", "adam"),
                                           ("adam", "lbfgs"), ("rmsprop", "adam")])  # fmt: skip
def test_another_solver_may_go_on(first, second):
    model = MLPRegressor(solver=first, warm_start=True, max_iter=20, **SMALL).fit(X, y)
    before = model.loss_
    model.set_params(solver=second, learning_rate_init=1e-4).fit(X, y)
    assert model.loss_ < 1.5 * before
    if second != "lbfgs":
        model.partial_fit(X, y)
        assert np.isfinite(model.theta_).all()


def test_warm_starts_refuse_other_classes():
    model = MLPClassifier(warm_start=True, max_iter=3, **SMALL).fit(X_class, y_three)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
        model.fit(X_class, y_three + 1)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
        model.fit(X_class, y_three > 0)
    with pytest.raises(ValueError, match="features"):
        model.fit(X_class[:, :3], y_three)


@pytest.mark.parametrize("solver", STREAMING)
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_partial_fit_is_an_epoch(solver, learning_rate):
    settings = {**SMALL, "solver": solver, "learning_rate": learning_rate, "shuffle": False}
    settings |= {"feature_scaling": None, "target_scaling": False, "tol": 0.0}
    target = y / y.std()
    model = MLPRegressor(**settings)
    for _ in range(5):
        assert model.partial_fit(X, target) is model
        assert model.n_iter_ == 1
    fitted = MLPRegressor(max_iter=5, **settings).fit(X, target)
    np.testing.assert_allclose(model.theta_, fitted.theta_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.loss_curve_, fitted.loss_curve_, rtol=1e-9)
    assert model.t_ == fitted.t_ == 500


def test_partial_fit_does_not_speak_of_max_iter():
    model = MLPRegressor(**SMALL).partial_fit(X, y)
    assert "max_iter" not in model.stop_reason_


def test_partial_fit_of_classifiers_needs_all_classes_first():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLPClassifier(**SMALL).partial_fit(X_class, y_three)
    model = MLPClassifier(**SMALL)
    for label in (0, 1, 2):
        rows = y_three == label
        model.partial_fit(X_class[rows], y_three[rows], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="`y` has classes not in `self.classes_`"):
        model.partial_fit(X_class, y_three + 1)
    with pytest.raises(ValueError, match="`classes=.*is not the same as on last call"):
        model.partial_fit(X_class, y_three, classes=[0, 1])
    with pytest.raises(ValueError, match="`y` has classes not in `self.classes_`"):
        MLPClassifier(**SMALL).partial_fit(X_class, y_three, classes=[0, 1])


@pytest.mark.parametrize("names", [["ant", "bee", "cow"], [3, 5, 8], [False, True]])
def test_partial_fit_learns_labels_of_every_type(names):
    codes = y_three if len(names) == 3 else (y_three > 0).astype(int)
    labels = np.array(names)[codes]
    model = MLPClassifier(**SMALL)
    for _ in range(60):
        for part in (slice(0, 40), slice(40, 100)):
            model.partial_fit(X_class[part], labels[part], classes=np.array(names))
    assert model.score(X_class, labels) > 0.8
    once = MLPClassifier(**SMALL).partial_fit(X_class[:1], labels[:1], classes=names[::-1])
    assert once.predict_proba(X_class).shape == (100, len(names))


def test_partial_fit_of_multilabel_targets():
    """sk#12505."""
    target = np.column_stack([y_three > 0, y_three > 1]).astype(int)
    model = MLPClassifier(**SMALL)
    for _ in range(60):
        model.partial_fit(X_class, target, classes=[0, 1])
    assert (model.predict(X_class) == target).mean() > 0.75
    with pytest.raises(ValueError, match="labels"):
        model.partial_fit(X_class, np.column_stack([target, target]))


def test_fit_after_partial_fit_starts_anew():
    model = MLPRegressor(max_iter=3, **SMALL).partial_fit(X, y).fit(X, y)
    np.testing.assert_array_equal(model.theta_, MLPRegressor(max_iter=3, **SMALL).fit(X, y).theta_)


def test_a_refused_call_leaves_the_model_alone():
    model = MLPClassifier(warm_start=True, max_iter=5, missing="error", **SMALL)
    model.fit(X_class, y_three)
    expected, classes = model.predict_proba(X_class), model.classes_.copy()
    for features, target in [(X_class[:, :2], y_three), (X_class * np.nan, y_three),
                             (X_class, y_three + 1), (X_class, X_class[:, 0])]:  # fmt: skip
        with pytest.raises(ValueError):
            model.partial_fit(features, target)
        with pytest.raises(ValueError):
            model.fit(features, target)
        np.testing.assert_array_equal(model.predict_proba(X_class), expected)
        np.testing.assert_array_equal(model.classes_, classes)


COPIES = {
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "joblib": lambda model, path: through_joblib(model, path, None),
    "joblib, mapped": lambda model, path: through_joblib(model, path, "r"),
}


def through_joblib(model, path, mode):
    joblib.dump(model, path / "model.joblib")
    return joblib.load(path / "model.joblib", mmap_mode=mode)


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("solver, learning_rate", [("adam", "constant"), ("sgd", "adaptive")])
@pytest.mark.parametrize("cls, target", [(MLPRegressor, y), (MLPClassifier, y_three)])
def test_copies_predict_and_go_on_training(way, cls, target, solver, learning_rate, tmp_path):
    """sk#19626, ecosystem.md 1.4: a copy must not train one array and predict with another."""
    features = X if cls is MLPRegressor else X_class
    first = {"classes": [0, 1, 2]} if cls is MLPClassifier else {}
    model = cls(solver=solver, learning_rate=learning_rate, n_iter_no_change=1, tol=1.0, **SMALL)
    for _ in range(3):
        model.partial_fit(features, target, **first)
    other = COPIES[way](model, tmp_path)
    np.testing.assert_array_equal(other.predict(features), model.predict(features))
    before = model.theta_.copy()
    for _ in range(2):
        other.partial_fit(features, target)
    np.testing.assert_array_equal(model.theta_, before)
    assert not np.array_equal(other.theta_, before)
    for _ in range(2):
        model.partial_fit(features, target)
    np.testing.assert_array_equal(other.theta_, model.theta_)
    np.testing.assert_array_equal(other.predict(features), model.predict(features))
    assert all(map(np.array_equal, other.coefs_, model.coefs_))


@pytest.mark.parametrize("way", COPIES)
def test_copies_of_a_warm_start_go_on(way, tmp_path):
    model = MLPRegressor(max_iter=5, warm_start=True, **SMALL).fit(X, y)
    other = COPIES[way](model, tmp_path).fit(X, y)
    np.testing.assert_array_equal(other.theta_, model.fit(X, y).theta_)


@pytest.mark.parametrize("dtype, early", [(np.float64, False), (np.float32, True)])
def test_pickles_hold_the_parameters_and_little_more(dtype, early):
    """Defect j: scikit-learn's are 3 to 4 times as large."""
    features = np.random.default_rng(0).normal(size=(50, 200)).astype(dtype)
    model = MLPRegressor(hidden_layer_sizes=(300, 200), early_stopping=early, random_state=0)
    model.set_params(max_iter=20).fit(features, features[:, 0])
    size = model.theta_.nbytes
    assert len(pickle.dumps(model)) <= 1.1 * size + 10_000
    model.set_params(warm_start=True).fit(features, features[:, 0])
    assert len(pickle.dumps(model)) > 2.5 * size


def test_a_pickle_of_another_version_warns_with_both():
    model = MLPRegressor(max_iter=2, **SMALL).fit(X, y)
    state = model.__getstate__()
    assert re.match(r"\d+\.\d+", state["_skmlp_version"])
    other = MLPRegressor.__new__(MLPRegressor)
    with pytest.warns(UserWarning, match=rf"0\.0\.0.*{re.escape(state['_skmlp_version'])}"):
        other.__setstate__({**state, "_skmlp_version": "0.0.0"})
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_the_fitted_state_is_plain():
    """Arrays, lists, dicts, strings and numbers: what skops and the like can store."""

    def check(value):
        if isinstance(value, (list, tuple)):
            return all(map(check, value))
        if isinstance(value, dict):
            return all(map(check, [*value.keys(), *value.values()]))
        return value is None or isinstance(value, (np.ndarray, str, int, float, np.generic))

    for settings in ({}, {"early_stopping": True, "feature_scaling": "robust"}):
        for cls, target in ((MLPRegressor, y), (MLPClassifier, y_three)):
            model = cls(**SMALL, **settings, max_iter=3).fit(X, target)
            for name, value in vars(model).items():
                assert check(value), name


def test_clones_are_unfitted_and_equal_in_parameters():
    model = MLPRegressor(activation=["tanh"], **SMALL, max_iter=3).fit(X, y)
    other = clone(model)
    assert str(other.get_params()) == str(model.get_params())
    with pytest.raises(NotFittedError):
        other.predict(X)
    np.testing.assert_array_equal(other.fit(X, y).theta_, model.theta_)


def test_horizons_begin_anew_in_a_warm_start():
    for name in SCHEDULES:
        model = MLPRegressor(learning_rate=name, warm_start=True, max_iter=6, **SMALL).fit(X, y)
        first = list(model.learning_rate_curve_)
        again = model.fit(X, y).learning_rate_curve_[6:]
        if name != "invscaling":
            np.testing.assert_allclose(again, first, rtol=1e-12)


def test_a_stream_that_diverges_is_refused_in_words():
    settings = {**SMALL, "solver": "sgd", "learning_rate_init": 1e150}
    model = MLPRegressor(**settings, feature_scaling=None, target_scaling=False)
    model.partial_fit(X * 1e-200, y * 1e-200)
    before = model.theta_.copy()
    with pytest.raises(ValueError, match="^Solver produced non-finite parameter weights"):
        for _ in range(5):
            model.partial_fit(X * 1e100, y)
    assert np.isfinite(model.theta_).all() and before.shape == model.theta_.shape


def test_a_pass_that_diverges_is_an_error_and_keeps_the_model():
    model = MLPRegressor(solver="sgd", **SMALL).partial_fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        model.set_params(learning_rate_init=1e300, momentum=0.0, batch_size=4).partial_fit(X, y)
    np.testing.assert_array_equal(model.predict(X), before)
