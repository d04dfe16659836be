"""Tasks one after another: which are trained, which are held, and what is forgotten."""

import copy
import pickle

import numpy as np
import pytest

from skmlp import HypernetworkRegressor
from skmlp.estimators._hypernetwork._description import hyper_network_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
GRID = np.linspace(-1.0, 1.0, 21)
FUNCTIONS = [lambda x: x, lambda x: 2 * x**2 - 1, lambda x: -x]
SMALL = {
    "hidden_layer_sizes": (8,),
    "activation": "tanh",
    "task_features": [0],
    "hyper_hidden_layer_sizes": (10,),
    "learning_rate_init": 0.005,
    "batch_size": 20,
    "feature_scaling": None,
    "target_scaling": False,
    "random_state": 0,
}
WAYS = pytest.mark.parametrize("warm", [False, True], ids=["partial_fit", "warm_start"])
MODULATIONS = pytest.mark.parametrize("modulation", ["full", "chunked", "low_rank", "film"])


def rows(*tasks, n=40, seed=0):
    rng = np.random.default_rng([seed, *tasks])
    task = np.resize(tasks, n)
    x = rng.uniform(-1.0, 1.0, n)
    return np.column_stack([task, x]), np.choose(task, [f(x) for f in FUNCTIONS])


def grid(task):
    return np.column_stack([np.full(len(GRID), task), GRID])


def error(model, task):
    return np.sqrt(np.mean((model.predict(grid(task)) - FUNCTIONS[task](GRID)) ** 2))


def new(**params):
    return HypernetworkRegressor(**{**SMALL, **params})


def go_on(model, data, warm, passes=3):
    """Some epochs over the rows, in either way."""
    if warm:
        return model.set_params(warm_start=True, max_iter=passes).fit(*data)
    for _ in range(passes):
        model.partial_fit(*data)
    return model


def distance(first, second):
    """Between what `task_parameters` says twice."""
    pairs = zip([*first[0], *first[1]], [*second[0], *second[1]], strict=True)
    return max(np.abs(a - b).max() for a, b in pairs)


# ---- boundaries ----------------------------------------------------------------------------------


def test_chunks_of_the_current_tasks_pass_no_boundary():
    model = new().partial_fit(*rows(0, 1))
    for tasks in [(0, 1), (0,), (1,), (1, 0)]:
        steps = model._training["steps"][0]
        model.partial_fit(*rows(*tasks))
        assert model._training["steps"][0] == steps + 2
        assert model._memory["theta"] is None and model._memory["current"].all()


@WAYS
def test_no_boundary_means_plain_training(warm):
    held, free = new(output_reg=100.0), new(output_reg=0.0)
    for model in (held, free):
        go_on(model, rows(0, 1), warm)
        go_on(model, rows(0), warm)
    np.testing.assert_array_equal(held.theta_, free.theta_)


@WAYS
def test_a_new_task_passes_a_boundary(warm):
    model = go_on(new(), rows(0, 1), warm)
    before, theta = model.task_embeddings_, model.theta_
    go_on(model, rows(2), warm, passes=1)
    assert model.tasks_.tolist() == [0, 1, 2]
    assert model._memory["current"].tolist() == [False, False, True]
    # The steps of the optimizer start anew: 40 rows are 2 batches.
    assert model._training["steps"][0] == 2
    np.testing.assert_array_equal(model.task_embeddings_[:2], before)
    # What is remembered is the model before, with room for the new task.
    size = before.size
    then = model._memory["theta"][0]
    np.testing.assert_array_equal(then[:size], theta[:size])
    np.testing.assert_array_equal(then[size + before.shape[1] :], theta[size:])


def test_a_boundary_is_passed_once():
    model = new().partial_fit(*rows(0)).partial_fit(*rows(1))
    then = model._memory["theta"].copy()
    model.partial_fit(*rows(1)).partial_fit(*rows(1))
    np.testing.assert_array_equal(model._memory["theta"], then)
    assert model._training["steps"][0] == 6


def test_the_moments_start_anew():
    model = new(output_reg=0.0, learning_rate_init=1e-3)
    for _ in range(20):
        model.partial_fit(*rows(0))
    fresh = copy.deepcopy(model)
    fresh._training = {**fresh._training, "moments": [0.0 * m for m in fresh._training["moments"]]}
    fresh._training["steps"] = 0 * fresh._training["steps"]
    for one in (model, fresh):
        one.partial_fit(*rows(1))
    np.testing.assert_array_equal(model.theta_, fresh.theta_)


@pytest.mark.parametrize("params", [
    {}, {"solver": "sgd"}, {"weight_decay": 0.1}, {"alpha": 10.0}, {"max_grad_norm": 0.01},
    {"modulation": "low_rank"}, {"modulation": "chunked"}, {"output_reg": 0.0}, {"dropout": 0.3},
    {"dtype": "float32"}, {"n_init": 2, "combine_inits": "average"}, {"output_reg_tasks": 1},
], ids=str)  # fmt: skip
@WAYS
def test_embeddings_of_held_tasks_stay_bit_for_bit(params, warm):
    model = go_on(new(**params), rows(0, 1), warm)
    before, theta = model.task_embeddings_, model.theta_
    go_on(model, rows(2), warm)
    np.testing.assert_array_equal(model.task_embeddings_[..., :2, :], before)
    assert not np.array_equal(model.theta_[..., -40:], theta[..., -40:])
    third = model.task_embeddings_[..., 2, :]
    go_on(model, rows(2), warm)
    assert not np.array_equal(model.task_embeddings_[..., 2, :], third)


@WAYS
def test_learned_slopes_stay_with_the_tasks_that_are_held(warm):
    """They are the same for all tasks, so that no embedding could make up for a change."""
    model = go_on(new(activation="prelu"), rows(0, 1), warm)

    def slopes():
        layers = hyper_network_of(model._model).layers
        blocks = [layer.slopes for layer in layers if getattr(layer, "slopes", None) is not None]
        return [block.view(model.theta_[np.newaxis]).copy() for block in blocks]

    first = slopes()
    go_on(model, rows(0, 1), warm)
    before = slopes()
    assert len(first) == 1 and not np.array_equal(first, before)
    go_on(model, rows(2), warm)
    np.testing.assert_array_equal(slopes(), before)


def test_lbfgs_holds_embeddings_too():
    model = new(solver="lbfgs", warm_start=True, max_iter=30, batch_size="auto").fit(*rows(0, 1))
    before, old = model.task_embeddings_, [error(model, 0), error(model, 1)]
    model.set_params(output_reg=1.0).fit(*rows(2))
    np.testing.assert_array_equal(model.task_embeddings_[:2], before)
    assert error(model, 2) < 0.3
    np.testing.assert_allclose([error(model, 0), error(model, 1)], old, atol=0.1)


# ---- holding and forgetting ----------------------------------------------------------------------


@MODULATIONS
def test_a_strong_penalty_holds_what_was_written(modulation):
    params = {"modulation": modulation, "solver": "lbfgs", "warm_start": True, "max_iter": 50}
    moved = []
    for strength in (0.0, 1e6):
        model = new(**params, batch_size="auto").fit(*rows(0, 1))
        then = [model.task_parameters(task) for task in (0, 1)]
        model.set_params(output_reg=strength).fit(*rows(2))
        moved.append(max(distance(model.task_parameters(task), then[task]) for task in (0, 1)))
    assert moved[0] > 0.05 and moved[1] < 1e-3


@MODULATIONS
@WAYS
def test_a_penalty_holds_with_small_steps_too(modulation, warm):
    moved = []
    for strength in (0.0, 10.0):
        model = new(modulation=modulation, output_reg=strength, learning_rate_init=1e-3)
        go_on(model, rows(0, 1), warm, passes=5)
        then = model.task_parameters(0)
        go_on(model, rows(2), warm, passes=30)
        moved.append(distance(model.task_parameters(0), then))
    assert moved[1] < 0.3 * moved[0]


def learned_in_a_row(**params):
    model = new(warm_start=True, max_iter=150, tol=0.0, **params)
    errors = []
    for task in range(3):
        model.fit(*rows(task))
        errors.append(error(model, task))
    return model, errors


def test_without_a_penalty_tasks_are_forgotten():
    held, once = learned_in_a_row(output_reg=0.3)
    assert max(once) < 0.1
    assert max(error(held, task) for task in range(3)) < 0.15
    free, once = learned_in_a_row(output_reg=0.0)
    assert max(once) < 0.1
    assert min(error(free, task) for task in range(2)) > 0.3


def test_a_random_choice_of_tasks_is_held_as_well():
    model, _ = learned_in_a_row(output_reg=0.3, output_reg_tasks=1)
    assert max(error(model, task) for task in range(3)) < 0.2
    both, _ = learned_in_a_row(output_reg=0.3, output_reg_tasks=2)
    plain, _ = learned_in_a_row(output_reg=0.3)
    # A choice of all is no choice.
    np.testing.assert_array_equal(both.theta_, plain.theta_)


def test_a_task_that_comes_back_is_trained_again():
    model = new(learning_rate_init=0.01)
    for task in (0, 1):
        go_on(model, rows(task), False, passes=5)
    embeddings, before = model.task_embeddings_, error(model, 0)
    go_on(model, rows(0), False, passes=40)
    assert model._memory["current"].tolist() == [True, False]
    assert not np.array_equal(model.task_embeddings_[0], embeddings[0])
    np.testing.assert_array_equal(model.task_embeddings_[1], embeddings[1])
    assert error(model, 0) < 0.5 * before


def test_tasks_of_one_chunk_are_learned_together():
    model = new(learning_rate_init=0.01)
    go_on(model, rows(0), False, passes=20)
    go_on(model, rows(1, 2, n=80), False, passes=80)
    assert model._memory["current"].tolist() == [False, True, True]
    assert max(error(model, 1), error(model, 2)) < 0.2


@pytest.mark.parametrize("scaling, rate", [("standard", 5e-3), ("minmax", 5e-3), (None, 5e-4)])
def test_contexts_are_held_at_random_values(scaling, rate):
    X, y = rows(0, 1, 2, n=90)
    X = np.column_stack([X, 50.0 + 5.0 * np.random.default_rng(1).normal(size=90)])
    old = X[:, 0] < 2
    params = {"context_features": [2], "warm_start": True, "max_iter": 30}
    drifts = []
    for strength in (0.0, 100.0):
        model = new(**{**params, "feature_scaling": scaling, "learning_rate_init": rate})
        model.set_params(output_reg=strength).fit(X[old], y[old])
        then = model.predict(X[old])
        model.fit(X[~old], y[~old])
        drifts.append(np.abs(model.predict(X[old]) - then).max())
    assert drifts[1] < 0.2 * drifts[0]


def test_an_adapted_task_is_held_from_then_on():
    moved = []
    for strength in (0.0, 1e6):
        params = {"solver": "lbfgs", "warm_start": True, "batch_size": "auto", "max_iter": 50}
        model = new(**params, output_reg=strength).fit(*rows(0, 1))
        model.adapt(*rows(2, n=10))
        then, embedding = model.task_parameters(2), model.task_embeddings_[2]
        X, y = rows(0, 1)
        model.fit(X, -y)
        np.testing.assert_array_equal(model.task_embeddings_[2], embedding)
        moved.append(distance(model.task_parameters(2), then))
    assert moved[0] > 0.05 and moved[1] < 1e-3


# ---- what stays ----------------------------------------------------------------------------------


@WAYS
def test_the_statistics_are_those_of_the_first_call(warm):
    scaled = {"feature_scaling": "standard", "target_scaling": True, "learning_rate_init": 1e-300}
    model = go_on(new(**scaled), rows(0, 1), warm, passes=1)
    before = [model.predict(grid(task)) for task in (0, 1)]
    X, y = rows(1)
    go_on(model, (X * [1.0, 9.0] + [0.0, 30.0], 50.0 * y + 7.0), warm, passes=1)
    X, y = rows(2)
    go_on(model, (X * [1.0, 9.0] + [0.0, 30.0], 50.0 * y + 7.0), warm, passes=1)
    for task in (0, 1):
        np.testing.assert_allclose(model.predict(grid(task)), before[task], rtol=1e-10, atol=1e-12)


@WAYS
def test_a_call_that_fails_changes_nothing(warm):
    model = go_on(new(), rows(0, 1), warm)
    predictions = model.predict(grid(0))
    X, y = rows(2)
    for bad_X, bad_y in [
        (X, np.where(X[:, 1] > 0, np.nan, y)),
        (np.where(X > 0.5, np.inf, X), y),
        (X[:, :1], y),
        (np.column_stack([X, y]), y),
        (X, np.column_stack([y, y])),
        (X, y[:-1]),
    ]:
        with pytest.raises(ValueError):
            go_on(model, (bad_X, bad_y), warm)
        assert model.tasks_.tolist() == [0, 1]
        np.testing.assert_array_equal(model.predict(grid(0)), predictions)
    other = go_on(new(), rows(0, 1), warm)
    for one in (model, other):
        go_on(one, rows(2), warm)
    np.testing.assert_array_equal(model.theta_, other.theta_)


@WAYS
def test_a_divergence_changes_nothing(warm):
    model = go_on(new(), rows(0, 1), warm)
    theta = model.theta_
    model.set_params(solver="sgd", learning_rate_init=1e200)
    X, y = rows(2)
    with pytest.raises(ValueError, match="non-finite"), np.errstate(all="ignore"):
        go_on(model, (X, 1e100 * y), warm)
    assert model.tasks_.tolist() == [0, 1]
    np.testing.assert_array_equal(model.theta_, theta)


@MODULATIONS
@WAYS
def test_a_pickle_in_the_middle_goes_on_the_same(modulation, warm):
    model = new(modulation=modulation, output_reg_tasks=1)
    for tasks in [(0,), (1,)]:
        go_on(model, rows(*tasks), warm, passes=2)
    other = pickle.loads(pickle.dumps(model))
    for one in (model, other):
        for tasks in [(1,), (2,), (0, 2)]:
            go_on(one, rows(*tasks), warm, passes=2)
    np.testing.assert_array_equal(model.theta_, other.theta_)
    np.testing.assert_array_equal(model.predict(grid(1)), other.predict(grid(1)))


def test_a_plain_fit_starts_afresh():
    model = new(max_iter=3).fit(*rows(0, 1))
    model.partial_fit(*rows(2))
    model.fit(*rows(2))
    assert model.tasks_.tolist() == [2] and model.task_loss_.shape == (1,)
    np.testing.assert_array_equal(model.theta_, new(max_iter=3).fit(*rows(2)).theta_)


def test_partial_fit_is_an_epoch():
    model = new(shuffle=False)
    for _ in range(3):
        model.partial_fit(*rows(0, 1))
    fitted = new(shuffle=False, max_iter=3).fit(*rows(0, 1))
    np.testing.assert_allclose(model.theta_, fitted.theta_, rtol=1e-9, atol=1e-12)
    assert model.t_ == 120


def test_each_member_is_held_where_it_was():
    model = new(n_init=2, combine_inits="average", output_reg=1e6, learning_rate_init=1e-5)
    for task in (0, 1):
        go_on(model, rows(task), False)
    for member in model.estimators_:
        then = member.task_parameters(0)
        go_on(member, rows(1), False, passes=5)
        assert distance(member.task_parameters(0), then) < 1e-3
        assert go_on(member, rows(2), False).tasks_.tolist() == [0, 1, 2]
    assert model.tasks_.tolist() == [0, 1]
    assert go_on(model, rows(2), False).theta_.shape == (2, len(member.theta_))


def test_a_lowered_rate_and_patience_end_with_the_boundary():
    params = {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 3, "tol": 1e-4}
    model = new(**params, learning_rate_init=0.002, output_reg=0.0)
    for _ in range(60):
        model.partial_fit(*rows(0))
    model._training["rate_factor"][:] = 0.2
    best = model._training["best_loss"][0]
    X, y = rows(1)
    for _ in range(6):
        model.partial_fit(X, 5.0 * y)
        # Far above the best loss of the task before, but falling.
        assert model.loss_ > best
    assert model._training["rate_factor"][0] == 1.0


def test_task_loss_keeps_what_earlier_calls_said():
    model = go_on(new(), rows(0, 1), False)
    first = model.task_loss_
    expected = [np.mean((model.predict(rows(0, 1)[0]) - rows(0, 1)[1])[t::2] ** 2) / 2
                for t in (0, 1)]  # fmt: skip
    np.testing.assert_allclose(first, expected, rtol=1e-9)
    go_on(model, rows(2), False)
    np.testing.assert_array_equal(model.task_loss_[:2], first)
    assert np.isfinite(model.task_loss_).all()


def test_tasks_are_held_at_contexts_of_their_own():
    """The task in the middle has contexts that the others never see."""
    rng = np.random.default_rng(0)
    functions = [np.sin, lambda x: 2 * x**2 - 1, np.negative]
    parts = []
    for task, (center, function) in enumerate(zip((0, 3, 0), functions, strict=True)):
        x, context = rng.uniform(-1, 1, 150), rng.normal(center, 0.1, 150)
        parts.append((np.column_stack([np.full(150, task), context, x]), function(x)))
    model = HypernetworkRegressor(
        task_features=0, context_features=1, modulation="full", output_reg=1.0, warm_start=True,
        max_iter=120, learning_rate_init=0.005, feature_scaling=None, target_scaling=False,
        tol=0, n_iter_no_change=1000, random_state=0,
    )  # fmt: skip
    for X, y in parts:
        model.fit(X, y)
    assert min(model.score(X, y) for X, y in parts) > 0.9


def test_adapt_refuses_other_columns_than_those_of_the_first_call():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(40) % 2, rng.integers(5, 7, 40), rng.normal(size=40)])
    model = HypernetworkRegressor(task_features=0, max_iter=2, random_state=0).fit(X, X[:, 2])
    before = model.predict(X)
    model.set_params(task_features=1)
    with pytest.raises(ValueError, match="task_features.* has changed"):
        model.adapt(X, X[:, 2])
    np.testing.assert_array_equal(model.set_params(task_features=0).predict(X), before)
