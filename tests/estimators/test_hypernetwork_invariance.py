"""Names of tasks and the order of rows do not matter, and other rows never do."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skmlp import HypernetworkClassifier, HypernetworkRegressor
from skmlp.activations import ACTIVATIONS
from skmlp.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES

quick = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

RNG = np.random.default_rng(0)
N = 48
TASKS = np.resize([0, 1, 2, 3], N)
FEATURES = RNG.normal(size=(N, 2))
CONTEXT = RNG.choice([-1.0, 0.0, 1.0], N)
Y = np.where(TASKS % 2, -1.0, 1.0) * FEATURES[:, 0] + CONTEXT
CODES = np.digitize(Y, [-0.7, 0.7])
SMALL = {
    "hidden_layer_sizes": (4,),
    "task_features": [0],
    "hyper_hidden_layer_sizes": (5,),
    "tol": 1e9,
    "n_iter_no_change": 4,
    "batch_size": 16,
    "random_state": 0,
}
MODULATIONS = ["full", "chunked", "low_rank", "film"]


def table(names):
    """The rows with other names for the tasks."""
    return np.column_stack([np.asarray(names)[TASKS], FEATURES, CONTEXT])


def objects(names):
    column = np.empty(len(names), object)
    column[:] = names
    return pd.DataFrame({"task": column[TASKS], "a": FEATURES[:, 0], "b": FEATURES[:, 1]})


def regressor(**params):
    return HypernetworkRegressor(**{**SMALL, **params})


def mixed(seed=0):
    """Rows of known and unknown tasks in known and new contexts."""
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [rng.integers(0, 6, N), rng.normal(size=(N, 2)), rng.choice([-1.0, 0.3, 1.0], N)]
    )


REGRESSORS = [
    regressor(modulation=modulation, **more).fit(table([0, 1, 2, 3]), Y)
    for modulation in MODULATIONS
    for more in ({}, {"context_features": [3]})
]
REGRESSORS.append(regressor(n_init=2, combine_inits="average").fit(table([0, 1, 2, 3]), Y))
CLASSIFIERS = [
    HypernetworkClassifier(modulation=modulation, **SMALL).fit(table([0, 1, 2, 3]), y)
    for modulation in ("full", "film")
    for y in (CODES, np.where(TASKS == 1, np.minimum(CODES, 1), CODES), Y > 0)
]


# ---- names of tasks ------------------------------------------------------------------------------

numbers = st.lists(
    st.one_of(st.integers(-(2**40), 2**40), st.floats(-1e6, 1e6)), min_size=4, max_size=4,
    unique_by=float,
).map(lambda names: sorted(map(float, names)))  # fmt: skip
texts = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    min_size=4,
    max_size=4,
    unique=True,
).map(sorted)
tuples = st.lists(
    st.tuples(st.integers(-5, 5), st.text("abc", max_size=2)), min_size=4, max_size=4, unique=True
).map(sorted)


@quick
@given(names=numbers)
def test_other_numbers_in_the_same_order_change_nothing(names):
    model = regressor().fit(table(names), Y)
    expected = REGRESSORS[0].predict(table([0, 1, 2, 3]))
    np.testing.assert_array_equal(model.predict(table(names)), expected)
    np.testing.assert_array_equal(model.theta_, REGRESSORS[0].theta_)
    assert model.tasks_.tolist() == names


@quick
@given(names=texts)
def test_texts_in_the_same_order_change_nothing(names):
    frame = objects(names)
    model = regressor(task_features="task").fit(frame, Y)
    expected = regressor(task_features="task").fit(objects([0, 1, 2, 3]), Y)
    np.testing.assert_array_equal(model.theta_, expected.theta_)
    np.testing.assert_array_equal(model.predict(frame), expected.predict(objects([0, 1, 2, 3])))
    assert model.tasks_.tolist() == names


@quick
@given(names=tuples)
def test_pairs_in_the_same_order_change_nothing(names):
    frame = objects([0, 1, 2, 3])
    first, second = zip(*[names[task] for task in TASKS], strict=True)
    pairs = frame.assign(task=list(first), line=list(second))
    model = regressor(task_features=["task", "line"]).fit(pairs, Y)
    expected = regressor(task_features="task").fit(frame, Y)
    # Sums of columns depend on how they lie in memory.
    np.testing.assert_allclose(model.theta_, expected.theta_, rtol=1e-9, atol=1e-12)
    assert model.tasks_.tolist() == names


@pytest.mark.parametrize("names", [list("abcd"), [1, 20, 300, 4000], [-7.5, 0.0, 0.1, 1e20]])
@pytest.mark.parametrize("target", [Y, np.zeros(N)], ids=["", "constant"])
def test_names_do_not_decide_what_is_watched(names, target):
    """Rows of different tasks are no copies of each other, whatever else they share."""
    params = {"task_features": "task", "early_stopping": True, "validation_fraction": 0.25}
    grid = np.repeat(np.arange(N // 4), 4)
    model, expected = (
        regressor(**params).fit(objects(each).infer_objects().assign(a=grid, b=0.0), target)
        for each in (names, [0, 1, 2, 3])
    )
    np.testing.assert_allclose(model.theta_, expected.theta_, rtol=1e-9, atol=1e-12)
    assert model.validation_loss_curve_ == pytest.approx(expected.validation_loss_curve_)


@quick
@given(order=st.permutations([0, 1, 2, 3]))
def test_tasks_of_later_calls_come_in_their_own_order(order):
    model, other = regressor(batch_size=6), regressor(batch_size=6)
    for task in order:
        own = TASKS == task
        model.partial_fit(table([0, 1, 2, 3])[own], Y[own])
    assert model.tasks_.tolist() == order
    for code, task in enumerate(order):
        own = TASKS == task
        other.partial_fit(np.c_[np.full(own.sum(), code), FEATURES[own], CONTEXT[own]], Y[own])
    np.testing.assert_array_equal(model.theta_, other.theta_)


def test_contexts_may_be_in_other_units():
    """They are scaled like features."""
    rows = table([0, 1, 2, 3])
    other = rows * [1.0, 1.0, 1.0, 1000.0] + [0.0, 0.0, 0.0, 40.0]
    one, same = (regressor(context_features=[3]).fit(X, Y) for X in (rows, other))
    np.testing.assert_allclose(one.predict(rows), same.predict(other), rtol=1e-8, atol=1e-10)


# ---- rows ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.* rows of X have unknown tasks:UserWarning")
@quick
@given(seed=st.integers(0, 10**6), which=st.sampled_from(range(len(REGRESSORS))))
def test_predictions_come_in_the_order_of_the_rows(seed, which):
    X, order = mixed(seed), np.random.default_rng(seed).permutation(N)
    model = REGRESSORS[which]
    np.testing.assert_allclose(
        model.predict(X[order]), model.predict(X)[order], rtol=1e-9, atol=1e-11
    )


@pytest.mark.filterwarnings("ignore:.* rows of X have unknown tasks:UserWarning")
@quick
@given(
    seed=st.integers(0, 10**6),
    which=st.sampled_from(range(len(REGRESSORS))),
    index=st.lists(st.integers(0, N - 1), min_size=1, max_size=N),
)
def test_predictions_do_not_depend_on_other_rows(seed, which, index):
    X, model = mixed(seed), REGRESSORS[which]
    np.testing.assert_allclose(
        model.predict(X[index]), model.predict(X)[index], rtol=1e-9, atol=1e-11
    )


@pytest.mark.filterwarnings("ignore:.* rows of X have unknown tasks:UserWarning")
@quick
@given(
    seed=st.integers(0, 10**6),
    which=st.sampled_from(range(len(CLASSIFIERS))),
    index=st.lists(st.integers(0, N - 1), min_size=1, max_size=N),
)
def test_probabilities_do_not_depend_on_other_rows(seed, which, index):
    X, model = mixed(seed), CLASSIFIERS[which]
    some, every = model.predict_proba(X[index]), model.predict_proba(X)
    np.testing.assert_allclose(some, every[index], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(every.sum(axis=1), 1.0)


@quick
@given(index=st.permutations(range(N)))
def test_the_order_of_training_rows_matters_by_rounding_only(index):
    X = table([0, 1, 2, 3])
    params = {"context_features": [3], "batch_size": N}
    model, other = regressor(**params).fit(X, Y), regressor(**params).fit(X[index], Y[index])
    np.testing.assert_allclose(model.predict(X), other.predict(X), rtol=1e-6, atol=1e-8)


# ---- all sorts of settings -----------------------------------------------------------------------

shared = {
    "hidden_layer_sizes": st.sampled_from([(), (1,), (3,), (4, 2)]),
    "activation": st.sampled_from(sorted(ACTIVATIONS)),
    "context_features": st.sampled_from([None, [3], [2, 3]]),
    "context_in_main": st.booleans(),
    "modulation": st.sampled_from(["auto", *MODULATIONS]),
    "task_embedding_size": st.sampled_from([1, 3]),
    "hyper_hidden_layer_sizes": st.sampled_from([(), (4,), (4, 3)]),
    "hyper_activation": st.sampled_from(["relu", "tanh", "prelu"]),
    "output_reg": st.sampled_from([0.0, 0.05, 1e3]),
    "output_reg_tasks": st.sampled_from([None, 1]),
    "task_weight": st.sampled_from([None, "balanced"]),
    "solver": st.sampled_from(["adam", "sgd", "lbfgs"]),
    "batch_size": st.sampled_from(["auto", 7]),
    "early_stopping": st.booleans(),
    "feature_scaling": st.sampled_from(["auto", "standard", "robust", "minmax", None]),
    "dropout": st.sampled_from([0.0, 0.4]),
    "max_grad_norm": st.sampled_from([None, 0.5]),
    "n_init": st.sampled_from([1, 2]),
    "combine_inits": st.sampled_from(["best", "average"]),
    "dtype": st.sampled_from(["auto", "float32"]),
    "alpha": st.sampled_from([0.0, 1e-4]),
}
of_regressors = {
    "loss": st.sampled_from(sorted(REGRESSION_LOSSES)),
    "target_scaling": st.booleans(),
}
of_classifiers = {
    "loss": st.sampled_from(sorted(CLASSIFICATION_LOSSES)),
    "class_weight": st.sampled_from([None, "balanced"]),
    "label_smoothing": st.sampled_from([0.0, 0.2]),
}
SEVERAL = settings(quick, max_examples=60)


def try_everything(cls, y, params):
    """Fit, predict, adapt and go on; only a ValueError in words is as good."""
    fixed = {"task_features": [0], "max_iter": 2, "random_state": 0, "learning_rate_init": 1e-3}
    X = table([0, 1, 2, 3])
    known = TASKS < 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = cls(**fixed, **params).fit(X[known], y[known])
        except ValueError as error:
            assert "=" in str(error), error
            return
        assert np.isfinite(model.predict(X)).all()
        model.adapt(X[~known], y[~known], max_iter=2)
        before = model.theta_.copy()
        try:
            model.set_params(warm_start=True).fit(X[~known], y[~known])
        except ValueError as error:
            assert "=" in str(error), error
            np.testing.assert_array_equal(model.theta_, before)
        assert np.isfinite(model.predict(X)).all()
        assert model.tasks_.tolist() == [0, 1, 2, 3]


@SEVERAL
@given(params=st.fixed_dictionaries({**shared, **of_regressors}))
def test_any_regressor_fits_or_says_why_not(params):
    try_everything(HypernetworkRegressor, np.abs(Y) + 1.0, params)


@SEVERAL
@given(params=st.fixed_dictionaries({**shared, **of_classifiers}), binary=st.booleans())
def test_any_classifier_fits_or_says_why_not(params, binary):
    try_everything(HypernetworkClassifier, np.minimum(CODES, 1) if binary else CODES, params)
