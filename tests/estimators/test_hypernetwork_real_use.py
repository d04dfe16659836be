"""Pipelines, searches, cross-validation, ensembles, files, memory maps."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, VotingRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skmlp import HypernetworkClassifier, HypernetworkRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 120
TASKS = np.resize([1, 2, 3, 4], N)
FEATURES = RNG.normal(size=(N, 2))
Y = np.where(TASKS % 2, -1.0, 1.0) * FEATURES[:, 0] + 0.1 * FEATURES[:, 1]
LABELS = np.where(Y > 0, "yes", "no")
SMALL = {
    "hidden_layer_sizes": (4,),
    "hyper_hidden_layer_sizes": (6,),
    "learning_rate_init": 0.01,
    "max_iter": 40,
    "batch_size": 20,
    "random_state": 0,
}
UNKNOWN = pytest.mark.filterwarnings("ignore:.* rows of X have unknown tasks:UserWarning")
# X, and how its task column is called: whole numbers, texts in a table, and in an array.
ARRAY = np.column_stack([TASKS, FEATURES])
FRAME = pd.DataFrame(
    {"site": [f"site {task}" for task in TASKS], "a": FEATURES[:, 0], "b": FEATURES[:, 1]}
)
CONTAINERS = {"array": (ARRAY, 0), "frame": (FRAME, "site"), "objects": (FRAME.to_numpy(), [0])}
EVERY = pytest.mark.parametrize("X, task", CONTAINERS.values(), ids=CONTAINERS)


def regressor(task, **params):
    return HypernetworkRegressor(task_features=task, **{**SMALL, **params})


def classifier(task, **params):
    return HypernetworkClassifier(task_features=task, **{**SMALL, **params})


# ---- scikit-learn's tools ------------------------------------------------------------------------


def test_a_pipeline_that_keeps_the_names_of_sites():
    scale = ColumnTransformer(
        [("numbers", StandardScaler(), ["a", "b"])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = make_pipeline(scale, regressor("site", feature_scaling=None)).fit(FRAME, Y)
    assert model.score(FRAME, Y) > 0.9
    assert model[-1].tasks_.tolist() == [f"site {task}" for task in (1, 2, 3, 4)]
    np.testing.assert_allclose(
        model.predict(FRAME), regressor("site").fit(FRAME, Y).predict(FRAME), rtol=0.05, atol=0.05
    )
    # Without names the column is found by its place: at the end.
    scale = ColumnTransformer([("numbers", StandardScaler(), [1, 2])], remainder="passthrough")
    model = make_pipeline(scale, regressor(-1)).fit(FRAME.to_numpy(), Y)
    assert model.score(FRAME.to_numpy(), Y) > 0.9


def test_a_scaler_over_all_columns_moves_the_numbers_of_tasks_only():
    model = make_pipeline(StandardScaler(), regressor(0)).fit(ARRAY, Y)
    assert len(model[-1].tasks_) == 4 and model.score(ARRAY, Y) > 0.8


@EVERY
def test_grid_search(X, task):
    grid = {"modulation": ["full", "film"], "alpha": [1e-4, 1e4]}
    search = GridSearchCV(regressor(task), grid, scoring="r2", cv=KFold(2))
    search.fit(X, Y)
    assert search.best_params_["alpha"] == 1e-4 and search.score(X, Y) > 0.8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_grid_search_through_a_pipeline_in_two_processes():
    pipe = make_pipeline(FunctionTransformer(), regressor("site", max_iter=5))
    grid = {"hypernetworkregressor__task_embedding_size": [1, 2]}
    search = GridSearchCV(pipe, grid, scoring="r2", cv=2, n_jobs=2)
    search.fit(FRAME, Y)
    assert np.isfinite(search.best_score_)


@EVERY
def test_cross_validation(X, task):
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    model = regressor(task)
    predictions = cross_val_predict(model, X, Y, cv=list(folds.split(X, TASKS)))
    assert np.corrcoef(predictions, Y)[0, 1] > 0.9
    scores = cross_val_score(model, X, Y, cv=3, scoring="neg_mean_squared_error")
    assert np.isfinite(scores).all()
    labels = cross_val_predict(classifier(task), X, LABELS, cv=3, method="predict_proba")
    np.testing.assert_allclose(labels.sum(axis=1), 1.0)


@EVERY
def test_unknown_groups_in_cross_validation(X, task):
    with pytest.warns(UserWarning, match="30 rows of X have unknown tasks"):
        scores = cross_val_score(regressor(task), X, Y, groups=TASKS, cv=GroupKFold(4))
    assert np.isfinite(scores).all()
    with pytest.warns(UserWarning, match="30 rows of X have unknown tasks"):
        predictions = cross_val_predict(classifier(task), X, LABELS, groups=TASKS, cv=GroupKFold(4))
    assert set(predictions) <= {"yes", "no"}


@UNKNOWN
@EVERY
def test_bagging(X, task):
    place = 0
    model = BaggingRegressor(regressor(place, max_iter=30), 3, random_state=0).fit(X, Y)
    assert model.score(X, Y) > 0.5


@EVERY
def test_permutation_importance(X, task):
    model = regressor(task).fit(X, Y)
    found = permutation_importance(model, X, Y, n_repeats=3, random_state=0)
    site, a, b = found.importances_mean
    assert site > 5 * b and a > 5 * b


@EVERY
def test_voting_and_several_outputs(X, task):
    two = np.column_stack([Y, -Y])
    model = MultiOutputRegressor(regressor(0, max_iter=5)).fit(X, two)
    assert model.predict(X).shape == (N, 2)
    voters = [("one", regressor(0, max_iter=5)), ("two", regressor(0, max_iter=5))]
    assert VotingRegressor(voters).fit(X, Y).predict(X).shape == (N,)
    target = TransformedTargetRegressor(regressor(0, max_iter=5), transformer=StandardScaler())
    assert np.isfinite(target.fit(X, Y).predict(X)).all()


def test_a_task_column_that_a_step_has_made():
    """What a transformer puts out is as good as a column of the data."""
    steps = ColumnTransformer(
        [
            ("task", FunctionTransformer(np.round), [0]),
            ("rest", SelectKBest(f_regression, k=1), [1, 2]),
        ]
    )
    model = make_pipeline(steps, regressor(0)).fit(ARRAY + [0.2, 0.0, 0.0], Y)
    assert model[-1].tasks_.tolist() == [1, 2, 3, 4] and model[-1].n_features_in_ == 2
    one_hot = ColumnTransformer([("task", OneHotEncoder(sparse_output=False), [0])],
                                remainder="passthrough")  # fmt: skip
    model = make_pipeline(one_hot, regressor([0, 1, 2, 3])).fit(ARRAY, Y)
    assert len(model[-1].tasks_) == 4 and model.score(ARRAY, Y) > 0.8


# ---- copies and files ----------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("average", [False, True])
def test_pickles_and_copies(X, task, average, tmp_path):
    restarts = {"n_init": 2, "combine_inits": "average"} if average else {}
    model = regressor(task, max_iter=5, **restarts).fit(X, Y)
    joblib.dump(model, tmp_path / "model.joblib")
    expected = model.predict(X)
    for other in (
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
        copy.deepcopy(model),
    ):
        np.testing.assert_array_equal(other.predict(X), expected)
        assert other.tasks_.tolist() == model.tasks_.tolist()
        other.partial_fit(X, Y).adapt(_new_task(X), Y[:2], max_iter=3)
        assert len(other.tasks_) == 5
    np.testing.assert_array_equal(model.predict(X), expected)


def _new_task(X):
    new = X[:2].copy()
    if isinstance(new, pd.DataFrame):
        return new.assign(site="elsewhere")
    new[:, 0] = 9 if X.dtype.kind == "f" else "elsewhere"
    return new


def test_pickles_hold_the_parameters_and_little_else():
    model = regressor(0, hidden_layer_sizes=(100,), hyper_hidden_layer_sizes=(50,), max_iter=2)
    model.fit(ARRAY, Y)
    assert len(pickle.dumps(model)) < 1.1 * model.theta_.nbytes + 10_000


def test_functions_in_parameters_are_not_needed_to_predict():
    model = HypernetworkRegressor(task_features=lambda X: [0], **SMALL).fit(ARRAY, Y)
    expected = model.predict(ARRAY)
    model.set_params(task_features=[0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(ARRAY), expected)
    # The fitted columns count, not the parameter.
    model.set_params(task_features=[2])
    np.testing.assert_array_equal(model.predict(ARRAY), expected)


def test_clones_and_representations():
    model = regressor(np.array([True, False, False]), context_features=np.array([2]))
    other = clone(model)
    np.testing.assert_array_equal(other.task_features, model.task_features)
    assert "task_features" in repr(model) and "task_features" in other.get_params()
    other.fit(ARRAY, Y)
    assert not hasattr(model, "tasks_")
    assert "HypernetworkRegressor" in other._repr_html_()


def test_parameters_are_not_changed():
    given = [0]
    model = regressor(given, max_iter=2)
    before = copy.deepcopy(model.get_params())
    model.fit(ARRAY, Y).partial_fit(ARRAY, Y)
    assert model.get_params() == before and model.task_features is given


# ---- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_read_only_data_is_left_alone(layout):
    X = np.array(ARRAY, order="F" if layout == "F" else "C")
    X = np.repeat(X, 2, axis=1)[:, ::2] if layout == "strided" else X
    y, weight = Y.copy(), np.ones(N)
    for array in (X, y, weight):
        array.flags.writeable = False
    model = regressor(0, max_iter=5).fit(X, y, weight)
    model.partial_fit(X, y, weight).adapt(_new_task(np.array(X)), y[:2])
    np.testing.assert_array_equal(X, ARRAY)
    np.testing.assert_allclose(model.predict(X), model.predict(ARRAY), rtol=1e-10)
    frozen = FRAME.to_numpy()
    frozen.flags.writeable = False
    regressor(0, max_iter=2).fit(frozen, y)
    np.testing.assert_array_equal(frozen, FRAME.to_numpy())


@pytest.mark.parametrize("context", [None, [2]])
@pytest.mark.parametrize("early", [False, True])
def test_memory_maps(tmp_path, context, early):
    np.save(tmp_path / "X.npy", ARRAY)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    params = {"context_features": context, "context_in_main": context is not None,
              "early_stopping": early, "shuffle": False, "max_iter": 5}  # fmt: skip
    model, other = (regressor(0, **params).fit(X, Y) for X in (mapped, ARRAY))
    np.testing.assert_allclose(model.predict(ARRAY), other.predict(ARRAY), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(model.predict(mapped), other.predict(ARRAY), rtol=1e-8, atol=1e-10)
    assert np.isfinite(regressor(0, max_iter=3).fit(mapped, Y).predict(mapped)).all()


def test_predictions_from_many_threads():
    model = regressor(0, max_iter=5).fit(ARRAY, Y)
    expected = model.predict(ARRAY)
    calls = joblib.Parallel(4, prefer="threads")(
        joblib.delayed(model.predict)(ARRAY) for _ in range(20)
    )
    for prediction in calls:
        np.testing.assert_array_equal(prediction, expected)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_float32_comes_out_as_float32(method):
    X = ARRAY.astype(np.float32)
    model = classifier(0, max_iter=5).fit(X, LABELS)
    assert model.theta_.dtype == np.float32
    if method != "predict":
        assert getattr(model, method)(X).dtype == np.float32
    frame = FRAME.astype({"a": np.float32, "b": np.float32})
    model = regressor("site", max_iter=5).fit(frame, Y.astype(np.float32))
    assert model.predict(frame).dtype == np.float32
    assert regressor("site", max_iter=5, dtype="float64").fit(frame, Y).theta_.dtype == np.float64


@pytest.mark.parametrize("ids", [
    np.array([1e30, -1e30, 1e-300, 0.0]),
    np.array([2**53, 2**53 + 2, 2**62, -(2**62)]),
    np.array([16777216.0, 16777217.0, 16777218.0, 16777219.0]),
], ids=["huge", "whole", "beyond float32"])  # fmt: skip
def test_strange_numbers_are_identifiers_like_others(ids):
    frame = FRAME.assign(site=ids[TASKS - 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model = regressor("site", max_iter=5, dtype="float32").fit(frame, Y)
        assert len(model.tasks_) == 4
        assert np.isfinite(model.predict(frame)).all()
        assert np.isfinite(regressor("site", max_iter=5).fit(frame, Y).predict(frame)).all()


def test_identifiers_that_are_not_finite():
    ids = np.array([np.inf, 2.0, 0.0, 1.0])
    with pytest.raises(ValueError, match="infinite"):
        regressor(0).fit(np.column_stack([ids[TASKS - 1], FEATURES]), Y)
