"""What joint training learns, with weights, contexts, restarts, solvers and losses."""

import copy

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score

from skmlp import HypernetworkClassifier, HypernetworkRegressor, MLPRegressor
from skmlp.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from skmlp.optimizers import OPTIMIZERS
from skmlp.schedules import SCHEDULES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 150
TASKS = np.resize([0, 1, 2], N)
POINTS = RNG.uniform(-1.0, 1.0, N)
X = np.column_stack([TASKS, POINTS])
# What all tasks have in common is nothing: their mean is 0 everywhere.
Y = np.choose(TASKS, [np.sin(3 * POINTS), -np.sin(3 * POINTS) + POINTS**2, -(POINTS**2)])
SMALL = {"hidden_layer_sizes": (8,), "hyper_hidden_layer_sizes": (10,), "random_state": 0}
LEARNING = {**SMALL, "activation": "tanh", "solver": "lbfgs", "max_iter": 200, "alpha": 1e-5}
SHORT = {**SMALL, "task_features": [0], "max_iter": 5}
MODULATIONS = pytest.mark.parametrize("modulation", ["full", "chunked", "low_rank", "film"])


def short(**params):
    return HypernetworkRegressor(**{**SHORT, **params})


# ---- learning ------------------------------------------------------------------------------------


@MODULATIONS
def test_each_task_has_a_function_of_its_own(modulation):
    model = HypernetworkRegressor(modulation=modulation, task_features=[0], **LEARNING).fit(X, Y)
    assert model.score(X, Y) > 0.95
    assert (model.task_loss_ < 0.05).all() and model.task_loss_.shape == (3,)
    pooled = MLPRegressor(
        hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", random_state=0, max_iter=300
    )
    assert pooled.fit(X[:, 1:], Y).score(X[:, 1:], Y) < 0.2


@pytest.mark.parametrize("solver", sorted(set(OPTIMIZERS) | {"lbfgs"}))
def test_every_solver_learns(solver):
    params = {"learning_rate_init": 0.003 if solver == "sgd" else 0.01, "max_iter": 60}
    model = short(solver=solver, batch_size=30, **params).fit(X, Y)
    start = short(learning_rate_init=1e-300, max_iter=1).fit(X, Y)
    assert model.score(X, Y) > start.score(X, Y) + 0.1


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_runs(schedule):
    model = short(learning_rate=schedule, solver="sgd").fit(X, Y)
    assert len(model.learning_rate_curve_) == 5 and np.isfinite(model.theta_).all()


def test_task_embeddings_tell_tasks_apart_that_differ():
    """Tasks 0 and 1 are the same, task 2 is another."""
    y = np.where(TASKS == 2, -POINTS, POINTS)
    model = HypernetworkRegressor(task_features=[0], task_embedding_size=2, **LEARNING).fit(X, y)
    assert model.task_embeddings_.shape == (3, 2)
    grid = np.linspace(-1, 1, 9)
    same, alike, other = (model.predict(np.c_[np.full(9, task), grid]) for task in range(3))
    assert np.abs(same - alike).max() < 0.2 < np.abs(same - other).max()


def test_contexts_reach_values_that_were_not_seen():
    context = RNG.choice([-1.0, -0.5, 0.5, 1.0], N)
    rows, y = np.column_stack([context, POINTS]), context * np.sin(2 * POINTS)
    model = HypernetworkRegressor(context_features=[0], **LEARNING).fit(rows, y)
    for value in (-0.75, 0.0, 0.75):
        new = np.column_stack([np.full(N, value), POINTS])
        np.testing.assert_allclose(model.predict(new), value * np.sin(2 * POINTS), atol=0.12)
    assert model.modulation_ == "full" and len(model.tasks_) == 0


@MODULATIONS
def test_as_many_contexts_as_rows(modulation):
    context = RNG.uniform(-1, 1, N)
    rows, y = np.column_stack([context, POINTS]), context * POINTS
    params = {"modulation": modulation, "context_features": [0], "context_in_main": True}
    model = HypernetworkRegressor(**params, **LEARNING).fit(rows, y)
    assert model.score(rows, y) > 0.97
    # Row by row is the same as all at once.
    one = [model.predict(row[np.newaxis])[0] for row in rows[:5]]
    np.testing.assert_allclose(one, model.predict(rows)[:5], rtol=1e-8, atol=1e-10)


def test_tasks_and_contexts_together():
    context = RNG.uniform(-1, 1, N)
    rows, y = np.column_stack([X, context]), Y + context * np.where(TASKS == 0, 1.0, -1.0)
    params = {**LEARNING, "max_iter": 400}
    model = HypernetworkRegressor(task_features=[0], context_features=[2], **params).fit(rows, y)
    assert model.score(rows, y) > 0.95
    without = HypernetworkRegressor(task_features=[0], **params).fit(X, y)
    assert without.score(X, y) < 0.9


@pytest.mark.parametrize("modulation", ["auto", "full", "chunked", "low_rank", "film"])
def test_without_tasks_it_is_one_network(modulation):
    model = HypernetworkRegressor(modulation=modulation, **LEARNING).fit(
        X[:, 1:], np.sin(3 * POINTS)
    )
    assert model.score(X[:, 1:], np.sin(3 * POINTS)) > 0.9
    assert model.modulation_ == ("chunked" if modulation == "auto" else modulation)


def test_the_start_is_the_best_constant():
    model = short(learning_rate_init=1e-300, max_iter=1, hidden_layer_sizes=()).fit(X, Y + 5.0)
    assert abs(model.predict(X).mean() - 5.0 - Y.mean()) < 1.0
    assert r2_score(Y + 5.0, model.predict(X)) > -10.0


# ---- losses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_every_regression_loss_learns(loss):
    y = np.exp(np.where(TASKS == 1, -POINTS, POINTS))
    y = np.round(3 * y) if loss == "poisson" else y
    model = short(loss=loss, max_iter=80, learning_rate_init=0.01).fit(X, y)
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("loss", CLASSIFICATION_LOSSES)
@pytest.mark.parametrize("names", [[0, 1, 2], ["ant", "bee", "cat"]], ids=["int", "str"])
def test_every_classification_loss_learns(loss, names):
    y = np.digitize(np.where(TASKS == 1, -POINTS, POINTS), [-0.3, 0.3])
    y = np.array(names)[np.minimum(y, 1) if loss == "hinge" else y]
    model = HypernetworkClassifier(**{**SHORT, "loss": loss, "max_iter": 80,
                                      "learning_rate_init": 0.01}).fit(X, y)  # fmt: skip
    assert model.score(X, y) > 0.85
    assert model.predict(X).dtype == y.dtype


def test_several_targets_and_labels():
    y = np.column_stack([Y, -2.0 * Y, POINTS])
    model = HypernetworkRegressor(task_features=[0], **LEARNING).fit(X, y)
    assert model.predict(X).shape == (N, 3) and model.score(X, y) > 0.9
    labels = (y > 0).astype(int)
    model = HypernetworkClassifier(task_features=[0], **LEARNING).fit(X, labels)
    assert model.predict(X).shape == (N, 3) and model.score(X, labels) > 0.8


# ---- weights -------------------------------------------------------------------------------------


def same(first, second, rows=X):
    np.testing.assert_allclose(first.predict(rows), second.predict(rows), rtol=1e-8, atol=1e-10)


@MODULATIONS
def test_a_weight_of_two_is_the_row_twice(modulation):
    weight = RNG.integers(1, 4, N)
    index = np.repeat(np.arange(N), weight)
    # The batches are all rows, so that only sums matter.
    for params in ({"shuffle": False, "tol": 0.0}, {"solver": "lbfgs"}):
        size = {} if "solver" in params else {"batch_size": N}
        weighted = short(modulation=modulation, **params, **size).fit(X, Y, weight)
        size = {} if "solver" in params else {"batch_size": len(index)}
        repeated = short(modulation=modulation, **params, **size).fit(X[index], Y[index])
        same(weighted, repeated)
        np.testing.assert_allclose(weighted.task_loss_, repeated.task_loss_, rtol=1e-7)


def test_rows_of_weight_zero_do_not_exist():
    rows = np.r_[X, np.column_stack([np.full(10, 17), np.full(10, 1e3)]), X[:5]]
    y = np.r_[Y, np.full(15, 1e6)]
    weight = np.r_[np.ones(N), np.zeros(15)]
    model, other = short().fit(rows, y, weight), short().fit(X, Y)
    assert model.tasks_.tolist() == [0, 1, 2] and model.t_ == other.t_
    np.testing.assert_array_equal(model.theta_, other.theta_)
    model.partial_fit(rows, y, weight)
    assert model.tasks_.tolist() == [0, 1, 2]


def test_classes_of_weight_zero_do_not_exist():
    y = np.array(list("abc"))[np.digitize(POINTS, [-0.3, 0.3])]
    weight = np.where((TASKS == 2) & (y == "b"), 0.0, 1.0)
    model = HypernetworkClassifier(**SHORT).fit(X, y, weight)
    assert not model.predict_proba(X[TASKS == 2])[:, 1].any()
    assert (model.predict_proba(X[TASKS == 1]) > 0).all()
    weight = np.where(y == "b", 0.0, 1.0)
    assert HypernetworkClassifier(**SHORT).fit(X, y, weight).classes_.tolist() == ["a", "c"]


UNEVEN = np.r_[np.flatnonzero(TASKS == 0), np.flatnonzero(TASKS > 0)[:20]]


@pytest.mark.parametrize("given", [None, np.linspace(0.5, 2.0, len(UNEVEN))], ids=["", "weights"])
def test_balanced_tasks(given):
    rows, y = X[UNEVEN], Y[UNEVEN]
    own = np.ones(len(y)) if given is None else given
    sums = np.bincount(TASKS[UNEVEN], own)
    weight = own * (sums.sum() / (3 * sums))[TASKS[UNEVEN]]
    balanced = short(task_weight="balanced").fit(rows, y, given)
    explicit = short().fit(rows, y, weight)
    np.testing.assert_array_equal(balanced.theta_, explicit.theta_)
    assert balanced.loss_curve_ == explicit.loss_curve_
    assert not np.array_equal(balanced.theta_, short().fit(rows, y, given).theta_)
    totals = np.bincount(TASKS[UNEVEN], weight)
    np.testing.assert_allclose(totals, totals[0])


def test_balanced_tasks_count_the_same_on_validation_rows():
    params = {"early_stopping": True, "scoring": "loss", "max_iter": 8}
    rows, y = X[UNEVEN], Y[UNEVEN]
    sums = np.bincount(TASKS[UNEVEN])
    factors = sums.sum() / (3 * sums)
    weight = factors[TASKS[UNEVEN]]
    balanced = short(task_weight="balanced", **params).fit(rows, y)
    explicit = short(**params).fit(rows, y, weight)
    np.testing.assert_array_equal(balanced.theta_, explicit.theta_)
    fit = {"X_val": X[-30:], "y_val": Y[-30:]}
    balanced = short(task_weight="balanced", **params).fit(rows, y, **fit)
    explicit = short(**params).fit(rows, y, weight, **fit, sample_weight_val=factors[TASKS[-30:]])
    assert balanced.validation_scores_ == explicit.validation_scores_
    np.testing.assert_array_equal(balanced.theta_, explicit.theta_)


def test_balanced_tasks_of_a_warm_start_are_those_of_its_rows():
    rows, y = X[UNEVEN], Y[UNEVEN]
    old, sums = TASKS[UNEVEN] < 2, np.bincount(TASKS[UNEVEN])
    factors = sums[:2].sum() / (2 * sums[:2])
    balanced = short(task_weight="balanced", warm_start=True, alpha=1.0).fit(rows, y)
    explicit = copy.deepcopy(balanced).set_params(task_weight=None)
    balanced.fit(rows[old], y[old])
    explicit.fit(rows[old], y[old], factors[TASKS[UNEVEN][old]])
    np.testing.assert_array_equal(balanced.theta_, explicit.theta_)


def test_balanced_tasks_without_tasks_change_nothing():
    params = {"task_features": None}
    one = short(task_weight="balanced", **params).fit(X, Y)
    np.testing.assert_array_equal(one.theta_, short(**params).fit(X, Y).theta_)


def test_balanced_tasks_matter():
    """A task of few rows against one of many that contradicts it, with too small a network."""
    rows = np.r_[X[TASKS == 0], X[TASKS == 1][:4]]
    y = np.where(rows[:, 0] == 0, 1.0, -1.0) * rows[:, 1]
    params = {**SMALL, "task_features": [0], "task_embedding_size": 1, "alpha": 30.0,
              "solver": "lbfgs", "hidden_layer_sizes": (), "target_scaling": False}  # fmt: skip
    losses = [
        HypernetworkRegressor(task_weight=weight, **params).fit(rows, y).task_loss_[1]
        for weight in (None, "balanced")
    ]
    assert losses[1] < losses[0]


def test_weights_of_classes_and_tasks_together():
    y = np.digitize(POINTS, [-0.7, 0.3])
    params = {**SHORT, "class_weight": "balanced", "task_weight": "balanced"}
    model = HypernetworkClassifier(**params).fit(X[UNEVEN], y[UNEVEN])
    other = HypernetworkClassifier(**{**params, "task_weight": None}).fit(X[UNEVEN], y[UNEVEN])
    assert np.isfinite(model.theta_).all() and not np.array_equal(model.theta_, other.theta_)


# ---- restarts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_first_restart_is_the_only_one_of_one(solver):
    model = short(solver=solver, n_init=3, combine_inits="average").fit(X, Y)
    assert model.theta_.shape[0] == 3 and model.task_embeddings_.shape == (3, 3, 8)
    one = short(solver=solver).fit(X, Y)
    np.testing.assert_allclose(model.theta_[0], one.theta_, rtol=1e-9, atol=1e-11)
    first, *others = model.estimators_
    np.testing.assert_allclose(first.predict(X), one.predict(X), rtol=1e-9, atol=1e-11)
    mean = np.mean([member.predict(X) for member in model.estimators_], axis=0)
    np.testing.assert_allclose(model.predict(X), mean, rtol=1e-9, atol=1e-12)
    assert all(not np.allclose(other.predict(X), first.predict(X)) for other in others)


def test_the_best_restart_is_kept():
    average = short(n_init=3, combine_inits="average").fit(X, Y)
    best = short(n_init=3).fit(X, Y)
    losses = average.init_losses_
    assert best.loss_ == losses.min() and best.theta_.ndim == 1
    np.testing.assert_array_equal(best.init_losses_, losses)
    np.testing.assert_array_equal(best.theta_, average.theta_[losses.argmin()])
    assert not hasattr(best, "estimators_")


def test_the_best_restart_goes_on():
    model = short(n_init=2, warm_start=True).fit(X, Y)
    before = model.theta_
    model.fit(np.where([True, False], X + 5, X), Y)
    assert model.theta_.ndim == 1 and len(model.tasks_) == 6
    assert len(model.theta_) == len(before) + 3 * 8


# ---- one seed, one result ------------------------------------------------------------------------


@MODULATIONS
def test_the_seed_decides(modulation):
    params = {"modulation": modulation, "dropout": 0.2}
    model, again = (short(**params).fit(X, Y) for _ in range(2))
    np.testing.assert_array_equal(model.theta_, again.theta_)
    other = short(**params, **{"n_init": 1}).set_params(random_state=1).fit(X, Y)
    assert not np.array_equal(model.theta_, other.theta_)
    assert clone(model).get_params() == model.get_params()


def test_more_groups_than_fit_into_memory(monkeypatch):
    context = np.arange(N) / N
    rows = np.column_stack([X, context])
    for modulation in ("full", "chunked", "film"):
        params = {"context_features": [2], "modulation": modulation, "solver": "lbfgs"}
        expected = short(**params).fit(rows, Y).predict(rows)
        with monkeypatch.context() as patch:
            patch.setattr("skmlp._engine.hyper.WRITTEN_AT_ONCE", 500)
            parts = short(**params).fit(rows, Y).predict(rows)
        np.testing.assert_allclose(parts, expected, rtol=1e-6, atol=1e-8)
