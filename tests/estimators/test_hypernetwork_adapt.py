"""Embeddings of new tasks from few rows."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from skmlp import HypernetworkClassifier, HypernetworkRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
SLOPES = np.linspace(-2.0, 2.0, 9)
TASKS = np.repeat(np.arange(9), 12)
POINTS = RNG.uniform(-1.0, 1.0, (108, 1))
X = np.column_stack([TASKS, POINTS])
Y = SLOPES[TASKS] * POINTS[:, 0] + 3.0
SMALL = {
    "hidden_layer_sizes": (),
    "task_features": [0],
    "task_embedding_size": 2,
    "hyper_hidden_layer_sizes": (10,),
    "hyper_activation": "tanh",
    "random_state": 0,
}


@pytest.fixture(scope="module")
def trained():
    params = {**SMALL, "solver": "lbfgs", "alpha": 1e-4, "max_iter": 300}
    return HypernetworkRegressor(**params).fit(X, Y)


def of_slope(task, slope, n=4, seed=1):
    x = np.random.default_rng(seed).uniform(-1.0, 1.0, n)
    return np.column_stack([np.full(n, task), x]), slope * x + 3.0


def short(**params):
    return HypernetworkRegressor(**{**SMALL, "max_iter": 5, **params}).fit(X, Y)


def test_a_new_task_is_found_from_few_rows(trained):
    model = copy.deepcopy(trained)
    assert model.adapt(*of_slope(20, 1.25)) is model
    assert model.tasks_.tolist() == [*range(9), 20]
    assert model.task_embeddings_.shape == (10, 2)
    rows, target = of_slope(20, 1.25, n=50, seed=2)
    np.testing.assert_allclose(model.predict(rows), target, atol=0.1)
    assert model.task_loss_[9] < 1e-3 and not np.isnan(model.task_loss_).any()
    np.testing.assert_array_equal(model.task_loss_[:9], trained.task_loss_)


def test_several_new_tasks_do_not_depend_on_each_other(trained):
    parts = [of_slope(20, 1.25), of_slope(21, -0.4, seed=5), of_slope(22, 0.3, n=1)]
    rows, target = (np.concatenate(part) for part in zip(*parts, strict=True))
    together = copy.deepcopy(trained).adapt(rows, target)
    assert together.tasks_.tolist()[9:] == [20, 21, 22]
    for part, slope in zip(parts[:2], (1.25, -0.4), strict=True):
        alone = copy.deepcopy(trained).adapt(*part)
        task = part[0][0, 0]
        test_rows, truth = of_slope(task, slope, n=30, seed=3)
        np.testing.assert_allclose(together.predict(test_rows), truth, atol=0.1)
        np.testing.assert_allclose(together.predict(test_rows), alone.predict(test_rows), atol=0.02)


def test_a_copy_of_a_known_task_is_found_again():
    """Whatever minima lie in between: each new task starts from the tasks that serve it best."""
    x = RNG.uniform(-2.0, 2.0, 108)
    rows, y = np.column_stack([TASKS, x]), np.sin(x + 0.7 * TASKS)
    params = {**SMALL, "hidden_layer_sizes": (8,), "activation": "tanh", "solver": "lbfgs"}
    model = HypernetworkRegressor(**params, max_iter=300, alpha=1e-5).fit(rows, y)
    known = model.task_loss_
    few = TASKS < 4
    model.adapt(rows[few] + [100.0, 0.0], y[few], max_iter=50)
    assert (model.task_loss_[9:] < known[:4] + 0.01).all()


def test_rows_that_say_nothing_leave_a_task_where_tasks_are_on_average():
    """All lines meet at 0, so that a row there fits every slope."""
    y = Y + np.random.default_rng(3).normal(scale=0.3, size=108)
    model = HypernetworkRegressor(**SMALL, solver="lbfgs", max_iter=300).fit(X, y)
    known = model.task_embeddings_
    model.adapt([[20, 0.0]], [3.0])
    step = (model.task_embeddings_[-1] - known.mean(axis=0)) / known.std(axis=0)
    assert np.abs(step).max() < 0.3
    # Many rows outweigh what is usual.
    model.adapt(*of_slope(21, 1.75, n=300))
    rows, target = of_slope(21, 1.75, n=50, seed=2)
    assert np.sqrt(np.mean((model.predict(rows) - target) ** 2)) < 0.2


def test_one_known_task_is_enough_to_adapt():
    own = TASKS == 4
    model = HypernetworkRegressor(**{**SMALL, "max_iter": 5}).fit(X[own], Y[own])
    assert np.isfinite(model.adapt(*of_slope(20, 1.25)).predict([[20, 0.3]])).all()
    params = {**SMALL, "max_iter": 5, "task_embedding_size": 1}
    model = HypernetworkRegressor(**params).fit(X[own], Y[own])
    assert np.isfinite(model.adapt(*of_slope(20, 1.25)).theta_).all()


def assert_same_but_for_new_tasks(model, before, n_new=1):
    size, known = before.task_embeddings_.size, len(before.tasks_)
    np.testing.assert_array_equal(model.predict(X), before.predict(X))
    np.testing.assert_array_equal(model.task_embeddings_[:known], before.task_embeddings_)
    np.testing.assert_array_equal(model.theta_[:size], before.theta_[:size])
    more = n_new * before.task_embeddings_.shape[1]
    np.testing.assert_array_equal(model.theta_[size + more :], before.theta_[size:])
    for task in before.tasks_:
        for one, other in zip(
            model.task_parameters(task), before.task_parameters(task), strict=True
        ):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("params", [
    {}, {"modulation": "chunked"}, {"modulation": "low_rank"}, {"modulation": "film"},
    {"dtype": "float32"}, {"hidden_layer_sizes": (4,), "dropout": 0.4}, {"alpha": 1.0},
    {"early_stopping": True}, {"solver": "sgd"}, {"loss": "huber"},
    {"hidden_layer_sizes": (4,), "activation": "prelu"},
], ids=str)  # fmt: skip
def test_nothing_else_changes(params):
    model = short(**params)
    before = copy.deepcopy(model)
    model.adapt(*of_slope(20, 1.25))
    assert_same_but_for_new_tasks(model, before)
    kept = ("n_iter_", "t_", "loss_", "loss_curve_", "stop_reason_", "modulation_")
    assert all(getattr(model, name) == getattr(before, name) for name in kept)
    assert model.n_parameters_ == before.n_parameters_ + 2
    assert model.n_main_parameters_ == before.n_main_parameters_


def test_many_rows_of_the_new_task_do_better_than_any_known_task(trained):
    rows, target = of_slope(20, 1.25, n=40)
    model = copy.deepcopy(trained).adapt(rows, target)
    found = np.mean((model.predict(rows) - target) ** 2)
    others = [np.c_[np.full(40, task), rows[:, 1]] for task in range(9)]
    assert found < min(np.mean((trained.predict(other) - target) ** 2) for other in others)


def test_texts_and_several_columns():
    frame = pd.DataFrame({"site": [f"s{t % 3}" for t in TASKS], "line": TASKS // 3, "x": X[:, 1]})
    model = HypernetworkRegressor(
        **{**SMALL, "task_features": ["site", "line"], "max_iter": 5}
    ).fit(frame, Y)
    new = pd.DataFrame({"site": ["s9"] * 3, "line": 0, "x": [0.1, 0.5, 0.9]})
    model.adapt(new, [1.0, 2.0, 3.0])
    assert model.tasks_.tolist()[-1] == ("s9", 0)
    # A longer text than any before.
    model = HypernetworkRegressor(**{**SMALL, "task_features": "site", "max_iter": 5})
    model.fit(frame[["site", "x"]], Y)
    model.adapt(pd.DataFrame({"site": ["somewhere else"] * 2, "x": [0.1, 0.2]}), [1.0, 2.0])
    assert model.tasks_.tolist() == ["s0", "s1", "s2", "somewhere else"]
    assert model.predict(pd.DataFrame({"site": ["somewhere else"], "x": [0.3]})).shape == (1,)


def test_sample_weight(trained):
    rows, target = of_slope(20, 1.25, n=8)
    wrong = np.where(np.arange(8) < 4, target, -5.0)
    weight = (np.arange(8) < 4).astype(float)
    model = copy.deepcopy(trained).adapt(rows, wrong, weight)
    other = copy.deepcopy(trained).adapt(rows[:4], target[:4])
    np.testing.assert_array_equal(model.theta_, other.theta_)
    # A new task all of whose rows weigh nothing is none; known ones without weight do not matter.
    rows, target = np.r_[rows, [[0, 0.1], [30, 0.1]]], np.r_[wrong, 0.0, 0.0]
    model = copy.deepcopy(trained).adapt(rows, target, np.r_[weight, 0.0, 0.0])
    assert model.tasks_.tolist() == [*range(9), 20]
    np.testing.assert_array_equal(model.theta_, other.theta_)
    # Weights are those of rows.
    heavy = copy.deepcopy(trained).adapt(rows[:4], target[:4], [2.0, 1.0, 1.0, 1.0])
    twice = copy.deepcopy(trained).adapt(rows[[0, 0, 1, 2, 3]], target[[0, 0, 1, 2, 3]])
    np.testing.assert_allclose(heavy.predict(rows[:4]), twice.predict(rows[:4]), rtol=1e-5)


def test_members_of_an_average_adapt_each():
    model = short(n_init=2, combine_inits="average", max_iter=30)
    before = copy.deepcopy(model)
    model.adapt(*of_slope(20, 1.25))
    np.testing.assert_array_equal(model.predict(X), before.predict(X))
    assert model.task_embeddings_.shape == (2, 10, 2)
    for member, old in zip(model.estimators_, before.estimators_, strict=True):
        assert_same_but_for_new_tasks(member, old)
        alone = old.adapt(*of_slope(20, 1.25))
        np.testing.assert_allclose(
            member.predict([[20, 0.3]]), alone.predict([[20, 0.3]]), rtol=1e-6
        )


@pytest.mark.parametrize("warm", [False, True], ids=["partial_fit", "warm_start"])
def test_training_goes_on_afterwards(warm):
    model = short(warm_start=warm)
    for task in (20, 21):
        model.adapt(*of_slope(task, 1.0))
    embeddings = model.task_embeddings_
    go_on = model.fit if warm else model.partial_fit
    go_on(X, Y)
    assert len(model.tasks_) == 11
    np.testing.assert_array_equal(model.task_embeddings_[9:], embeddings[9:])
    assert (model.task_embeddings_[:9] != embeddings[:9]).any()
    go_on(*of_slope(20, 1.0))
    assert (model.task_embeddings_[9] != embeddings[9]).any()
    copied = pickle.loads(pickle.dumps(model))
    for one in (model, copied):
        (one.fit if warm else one.partial_fit)(*of_slope(22, 1.0))
        one.adapt(*of_slope(23, 1.0))
    np.testing.assert_array_equal(model.theta_, copied.theta_)


def test_adapt_after_partial_fit():
    model = HypernetworkRegressor(**SMALL)
    for task in range(3):
        model.partial_fit(X[task == TASKS], Y[task == TASKS])
    before = copy.deepcopy(model)
    model.adapt(*of_slope(20, 1.25))
    np.testing.assert_array_equal(model.task_embeddings_[:3], before.task_embeddings_)
    assert model.tasks_.tolist() == [0, 1, 2, 20]


def test_more_iterations_are_never_worse(trained):
    rows, target = of_slope(20, 1.25, n=10)
    losses = [
        copy.deepcopy(trained).adapt(rows, target, max_iter=n).task_loss_[-1] for n in (1, 5, 300)
    ]
    assert losses[2] <= losses[1] + 1e-6 and losses[1] <= losses[0]


@pytest.mark.parametrize("max_iter", [0, -1, 1.5, True, None, "all"])
def test_max_iter_is_checked(trained, max_iter):
    with pytest.raises(ValueError, match=f"max_iter={max_iter!r} must be an integer of at least 1"):
        copy.deepcopy(trained).adapt(*of_slope(20, 1.25), max_iter=max_iter)


def test_contexts():
    context = RNG.normal(size=108)
    rows = np.column_stack([X, context])
    model = HypernetworkRegressor(**{**SMALL, "max_iter": 5}, context_features=[2]).fit(rows, Y)
    before = model.predict(rows)
    new = np.column_stack([*of_slope(20, 1.25, n=6)[0].T, np.linspace(-1, 1, 6)])
    model.adapt(new, of_slope(20, 1.25, n=6)[1])
    np.testing.assert_array_equal(model.predict(rows), before)
    assert np.isfinite(model.predict(new)).all()


@pytest.mark.parametrize("loss", ["log_loss", "crammer_singer", "weston_watkins"])
def test_a_classifier_adapts_with_the_classes_of_the_new_task(loss):
    label = np.digitize(POINTS[:, 0] * np.where(TASKS % 2, 1, -1), [-0.3, 0.3])
    names = np.array(["low", "mid", "high"])
    model = HypernetworkClassifier(**{**SMALL, "loss": loss, "max_iter": 40,
                                      "learning_rate_init": 0.02}).fit(X, names[label])  # fmt: skip
    before, kept = model.predict(X), copy.deepcopy(model)
    rows = of_slope(20, 1.0, n=12)[0]
    model.adapt(rows, np.where(rows[:, 1] > 0, "high", "low"))
    assert (model.predict(X) == before).all()
    assert "mid" not in model.predict(rows)
    assert model.score(rows, np.where(rows[:, 1] > 0, "high", "low")) > 0.8
    with pytest.raises(ValueError, match="labels|classes"):
        kept.adapt(rows, np.where(rows[:, 1] > 0, "high", "new"))
    assert len(kept.tasks_) == 9


def test_multilabel_and_multioutput():
    labels = np.column_stack([POINTS[:, 0] > 0, POINTS[:, 0] > 0.3]).astype(int)
    model = HypernetworkClassifier(**{**SMALL, "max_iter": 5}).fit(X, labels)
    rows = of_slope(20, 1.0)[0]
    assert model.adapt(rows, labels[:4]).predict(rows).shape == (4, 2)
    model = short().fit(X, np.column_stack([Y, -Y]))
    assert model.adapt(rows, np.ones((4, 2))).predict(rows).shape == (4, 2)


def test_known_tasks_and_no_tasks_are_refused(trained):
    model = copy.deepcopy(trained)
    rows = np.r_[of_slope(20, 1.0)[0], [[4.0, 0.5], [2.0, 0.1]]]
    with pytest.raises(ValueError, match=r"new tasks only, but \[2.0, 4.0\] are known.*warm_start"):
        model.adapt(rows, np.zeros(6))
    with pytest.raises(ValueError, match="adapt is for new tasks, but task_features is None"):
        HypernetworkRegressor(max_iter=2).fit(X, Y).adapt(X, Y)
    with pytest.raises(ValueError, match="context_features|task_features is None"):
        HypernetworkRegressor(context_features=[0], max_iter=2).fit(X, Y).adapt(X, Y)
    with pytest.raises(ValueError, match="not fitted"):
        HypernetworkRegressor(**SMALL).adapt(X, Y)


@pytest.mark.parametrize("rows, target, words", [
    ([[20.0, -np.inf]], [1.0], "contains infinity in column 1, first in row 0"),
    ([[np.nan, 0.1]], [1.0], "missing value|contains NaN"),
    ([[20.0, 0.1]], [np.inf], "contains infinity"),
    ([[20.0, 0.1]], [1.0, 2.0], "inconsistent numbers of samples"),
    ([[20.0, 0.1]], [[1.0, 2.0]], "one output in the first call"),
    ([[20.0, 0.1, 0.2]], [1.0], "X has 3 features"),
    (np.empty((0, 2)), [], "0 sample"),
])  # fmt: skip
def test_bad_rows_leave_the_model_alone(trained, rows, target, words):
    model = copy.deepcopy(trained)
    with pytest.raises(ValueError, match=words):
        model.adapt(rows, target)
    assert len(model.tasks_) == 9 and len(model.task_loss_) == 9
    np.testing.assert_array_equal(model.theta_, trained.theta_)
