"""The training loop: members, stopping, decay, clipping, and memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from skmlp._engine import objective as objective_module
from skmlp._engine.batches import DenseRows, TrainingSet
from skmlp._engine.lbfgs import train_lbfgs
from skmlp._engine.network import multilayer_perceptron
from skmlp._engine.objective import Objective
from skmlp._engine.training import Plan, TrainState, train
from skmlp.activations import ACTIVATIONS
from skmlp.callbacks import Callback
from skmlp.initializers import INITIALIZERS
from skmlp.losses import SoftmaxLogLoss, SquaredError
from skmlp.optimizers import OPTIMIZERS
from skmlp.schedules import SCHEDULES


def network_of(sizes, activation="tanh", **options):
    f = ACTIVATIONS[activation]()
    hidden = len(sizes) - 2
    init = (INITIALIZERS["glorot_uniform"](), 1.0)
    return multilayer_perceptron(sizes, (f,) * hidden, (init,) * (hidden + 1), **options)


def plan_of(optimizer="adam", schedule="constant", **options):
    defaults = {"learning_rate": 0.01, "batch_size": 16, "max_epochs": 12, "tol": 1e-3}
    return Plan(OPTIMIZERS[optimizer](), SCHEDULES[schedule](), **{**defaults, **options})


def regression_data(n=70, dtype=np.float64, weighted=False):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)).astype(dtype)
    y = np.sin(X.sum(axis=1, keepdims=True)).astype(dtype)
    weight = rng.uniform(0.5, 2.0, size=n).astype(dtype) if weighted else None
    return TrainingSet(DenseRows(X), y, weight)


def initial(network, seeds, dtype=np.float64):
    return network.initial([np.random.default_rng(seed) for seed in seeds]).astype(dtype)


def state_of(theta, seed=0, noise=()):
    return TrainState(theta, order=np.random.default_rng(seed), noise=noise)


class Validation:
    """Minus the loss on other rows, for every member."""

    def __init__(self, objective, members):
        self.data = regression_data(33)
        self.objective = objective
        self.workspace = objective.workspace(members, np.float64)

    def __call__(self, theta):
        losses, _ = self.objective.mean_loss(theta, self.data, self.workspace)
        return -losses, losses


OPTIONS = {
    "adam": {},
    "sgd": {"optimizer": "sgd"},
    "rmsprop": {"optimizer": "rmsprop"},
    "decay and clipping": {"weight_decay": 0.1, "max_grad_norm": 0.5},
    "adaptive": {"optimizer": "sgd", "schedule": "adaptive", "tol": 0.02, "n_iter_no_change": 2},
    "early end": {"tol": 0.01, "n_iter_no_change": 2, "max_epochs": 60, "learning_rate": 0.05},
    "weight_tol": {"weight_tol": 0.02, "max_epochs": 60},
    "one_cycle": {"schedule": "one_cycle"},
    "schedules": {"dropout_schedule": SCHEDULES["flat_cosine"](), "weight_decay": 0.1}
    | {"decay_schedule": SCHEDULES["cosine"]()},
    "averaging": {"averaging": 0.9, "weight_tol": 0.02, "max_epochs": 60},
}


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("name", OPTIONS)
def test_joint_fit_equals_single_fits(name, dropout, watched):
    network = network_of((3, 6, 5, 1), dropout=(dropout, dropout), input_scale=True, ntk=True)
    objective = Objective(network, SquaredError(), alpha=0.01)
    data, plan, seeds = regression_data(weighted=True), plan_of(**OPTIONS[name]), [3, 4, 5]

    def fit(seeds):
        noise = [np.random.default_rng(seed) for seed in seeds]
        state = state_of(initial(network, seeds), 1, noise)
        train(
            objective,
            data,
            state,
            plan,
            watch=Validation(objective, len(seeds)) if watched else None,
        )
        return state

    joint = fit(seeds)
    for m, seed in enumerate(seeds):
        alone = fit([seed])
        np.testing.assert_allclose(joint.theta[m], alone.theta[0], rtol=1e-9, atol=1e-12)
        assert joint.reasons[m] == alone.reasons[0]
        for name in ("best_epoch", "stale", "last_epoch"):
            assert getattr(joint, name)[m] == getattr(alone, name)[0]
        for name in ("best_loss", "best_score"):
            assert getattr(joint, name)[m] == pytest.approx(getattr(alone, name)[0], rel=1e-9)
        curve = [losses[m] for losses in joint.losses[: alone.epoch]]
        np.testing.assert_allclose(curve, np.ravel(alone.losses), rtol=1e-9)


@pytest.mark.parametrize("loss, outputs", [(SquaredError(), 1), (SoftmaxLogLoss(), 4)])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "prelu"])
def test_a_dense_step_allocates_nothing_that_grows_with_the_batch(activation, loss, outputs):
    network = network_of((20, 30, 30, outputs), activation, dropout=(0.1, 0.1))
    objective = Objective(network, loss, alpha=0.1)

    def peak(batch):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(3 * batch, 20))
        y = rng.normal(size=(3 * batch, 1)) if outputs == 1 else rng.integers(0, 4, 3 * batch)
        data = TrainingSet(DenseRows(X), y, np.ones(3 * batch))
        state = state_of(initial(network, [0]))
        optimizer, grad = OPTIMIZERS["adam"](), np.empty_like(state.theta)
        state.moments = optimizer.init(state.theta)
        workspace = objective.workspace(
            1, np.float64, training=True, rngs=[np.random.default_rng(0)]
        )
        order = rng.permutation(3 * batch)
        batches = data.batches(batch, order, workspace.work)
        for step in (1, 2, 3):
            if step == 3:  # the first step allocates the workspace, the second lets views settle
                tracemalloc.start()
            x, target, weight, total = next(batches)
            values = objective.value_and_grad(state.theta, x, target, weight, workspace, grad)
            _, scale = objective.finish(state.theta, values, grad, total, workspace)
            optimizer.step(state.theta, grad, state.moments, 0.001, step, scale)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    # NumPy's casting buffers hold 8192 entries whatever the batch; compiled products need none.
    assert peak(40_000) < peak(10_000) + 2_000
    assert peak(6_000) < peak(10_000) + 2_000


def test_float32_stays_float32():
    network = network_of((3, 6, 1), "prelu")
    objective = Objective(network, SquaredError(), alpha=0.1)
    data = regression_data(dtype=np.float32, weighted=True)
    for optimizer in ("adam", "sgd", "rmsprop"):
        state = state_of(initial(network, [0, 1], np.float32))
        plan = plan_of(optimizer, weight_decay=0.1, max_grad_norm=1.0)
        train(objective, data, state, plan)
        assert state.theta.dtype == np.float32
        assert all(m.dtype == np.float32 for m in state.moments)
        assert state.losses[-1].dtype == np.float64
    state = state_of(initial(network, [0], np.float32))
    train_lbfgs(objective, data, state, plan_of("lbfgs", tol=1e-5, max_epochs=50))
    assert state.theta.dtype == np.float32


def test_reason_and_number_of_stale_epochs():
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    for patience in (1, 3, 7):
        state = state_of(initial(network, [0]))
        plan = plan_of(tol=1e3, n_iter_no_change=patience, max_epochs=50)
        train(objective, regression_data(), state, plan)
        # The first epoch always improves on infinity.
        assert state.epoch == patience + 1
        assert f"for {patience} consecutive epochs" in state.reasons[0]
        assert state.converged[0]


def test_maximum_of_epochs_is_success_only_when_the_schedule_ends_at_zero():
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    for name, schedule in SCHEDULES.items():
        state = state_of(initial(network, [0]))
        plan = plan_of(schedule=name, tol=0.0, max_epochs=4)
        train(objective, regression_data(), state, plan)
        assert "max_iter=4" in state.reasons[0]
        assert state.converged[0] == schedule().ends_at_zero


def test_training_loss_rule_is_off_for_schedules_that_end_at_zero():
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    state = state_of(initial(network, [0]))
    plan = plan_of(schedule="cosine", tol=1e3, n_iter_no_change=1, max_epochs=9)
    train(objective, regression_data(), state, plan)
    assert state.epoch == 9


def test_adaptive_divides_by_five_until_the_rate_is_too_small():
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    state = state_of(initial(network, [0]))
    plan = plan_of("sgd", "adaptive", tol=1e3, n_iter_no_change=2, max_epochs=500)
    train(objective, regression_data(), state, plan)
    rates = np.unique(np.ravel(state.learning_rates))[::-1]
    np.testing.assert_allclose(rates, 0.01 / 5.0 ** np.arange(len(rates)), rtol=1e-12)
    assert rates[-1] <= 1e-6 < rates[-2]
    assert "too small" in state.reasons[0]


def test_weight_tol_stops_when_theta_stands_still():
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    state = state_of(initial(network, [0]))
    plan = plan_of(learning_rate=1e-9, weight_tol=1e-3, max_epochs=50)
    train(objective, regression_data(), state, plan)
    assert state.epoch == 1
    assert "weight_tol=0.001" in state.reasons[0]


def test_watched_best_is_restored_and_ties_go_to_the_lower_loss_then_the_later_epoch():
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    seen = []
    answers = [(0.1, 5.0), (0.7, 4.0), (0.7, 3.0), (0.7, 3.5), (0.7, 3.0), (0.2, 1.0)]

    def watch(theta):
        seen.append(theta.copy())
        score, loss = answers[len(seen) - 1]
        return np.array([score]), np.array([loss])

    state = state_of(initial(network, [0]))
    plan = plan_of(max_epochs=len(answers))
    train(objective, regression_data(), state, plan, watch=watch)
    assert state.best_epoch[0] == 5
    np.testing.assert_array_equal(state.theta, seen[4])


def test_diverged_member_ends_and_the_others_go_on():
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    theta = initial(network, [0, 1])
    theta[0] = 1e200
    state = state_of(theta.copy())
    train(objective, regression_data(), state, plan_of("sgd"))
    alone = state_of(theta[1:].copy())
    train(objective, regression_data(), alone, plan_of("sgd"))
    assert state.diverged.tolist() == [True, False]
    assert "epoch 1" in state.reasons[0]
    np.testing.assert_allclose(state.theta[1], alone.theta[0], rtol=1e-9)


class StopAfter(Callback):
    def __init__(self, epochs):
        self.epochs, self.calls = epochs, []

    def on_train_begin(self, state):
        self.calls.append("begin")

    def on_epoch_end(self, state):
        self.calls.append(state.epoch)
        return state.epoch == self.epochs

    def on_train_end(self, state):
        self.calls.append("end")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_are_called_in_order_and_stop(solver):
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    state, callback = state_of(initial(network, [0])), StopAfter(3)
    plan = plan_of(solver, tol=0.0)
    if solver == "adam":
        train(objective, regression_data(), state, plan, callbacks=[callback])
    else:
        train_lbfgs(objective, regression_data(), state, plan, callbacks=[callback])
    assert callback.calls == ["begin", 1, 2, 3, "end"]
    assert "callback" in state.reasons[0]


class Interrupt(Callback):
    def on_epoch_end(self, state):
        if state.epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("run, solver", [(train, "adam"), (train_lbfgs, "lbfgs")])
def test_interruption_keeps_a_usable_state(run, solver):
    network = network_of((3, 4, 1))
    state = state_of(initial(network, [0, 1]))
    objective, plan = Objective(network, SquaredError()), plan_of(solver, tol=0.0)
    run(objective, regression_data(), state, plan, callbacks=[Interrupt()])
    assert state.interrupted
    assert state.epoch == 2
    assert state.last_epoch.tolist() == ([2, 2] if solver == "adam" else [2, 0])
    assert np.isfinite(state.theta).all()


def test_a_second_interrupt_within_a_second_is_raised(monkeypatch):
    network = network_of((3, 4, 1))
    objective, plan = Objective(network, SquaredError()), plan_of(tol=0.0)

    def fit():
        state = state_of(initial(network, [0]))
        train(objective, regression_data(), state, plan, callbacks=[Interrupt()])

    fit()
    with pytest.raises(KeyboardInterrupt):
        fit()
    monkeypatch.setattr("skmlp._engine.state.SECOND_INTERRUPT", 0.0)
    fit()


def test_decay_is_decoupled_and_spares_biases():
    """One step with a zero gradient leaves theta * (1 - lr * decay) on the weights only."""
    network = network_of((3, 4, 1))
    data = regression_data(16)

    class NoGradient(SquaredError):
        def loss_grad(self, y, raw, loss, grad, work):
            loss.fill(0.0)
            grad.fill(0.0)

    theta = initial(network, [0])
    state = state_of(theta.copy())
    plan = plan_of(weight_decay=0.5, learning_rate=0.1, max_epochs=1)
    train(Objective(network, NoGradient()), data, state, plan)
    n = network.n_weights
    np.testing.assert_allclose(state.theta[:, :n], theta[:, :n] * (1 - 0.1 * 0.5), rtol=1e-14)
    np.testing.assert_array_equal(state.theta[:, n:], theta[:, n:])


def test_clipping_bounds_the_mean_gradient_of_each_member():
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    data = regression_data(16)
    theta = initial(network, [0, 1])
    sgd = replace(OPTIMIZERS["sgd"](), momentum=0.0, nesterovs_momentum=False)
    steps = {}
    for bound in (None, 0.05):
        state = state_of(theta.copy())
        plan = replace(plan_of(max_epochs=1, max_grad_norm=bound), optimizer=sgd)
        train(objective, data, state, plan)
        steps[bound] = (state.theta - theta) / 0.01
    norms = np.linalg.norm(steps[None], axis=1)
    assert (norms > 0.05).all()
    expected = steps[None] * (0.05 / norms)[:, np.newaxis]
    np.testing.assert_allclose(steps[0.05], expected, rtol=1e-9)


def test_lbfgs_finds_the_least_squares_solution():
    network = network_of((3, 1))
    data = regression_data(weighted=True)
    state = state_of(initial(network, [0]))
    objective = Objective(network, SquaredError(), alpha=0.3)
    train_lbfgs(objective, data, state, plan_of("lbfgs", tol=1e-10, max_epochs=200))
    A = np.column_stack([data.rows.X, np.ones(len(data))])
    penalty = np.diag([0.3, 0.3, 0.3, 0.0])
    W = data.weight[:, np.newaxis]
    exact = np.linalg.solve(A.T @ (W * A) + penalty, A.T @ (W * data.y))
    np.testing.assert_allclose(state.theta[0], exact[:, 0], rtol=1e-4)
    assert state.converged[0]


def test_lbfgs_does_not_depend_on_the_size_of_its_blocks(monkeypatch):
    network = network_of((3, 6, 1))
    objective = Objective(network, SquaredError(), alpha=0.1)
    ends = []
    for size in (16, 10_000):
        monkeypatch.setattr(
            objective_module, "block_rows", lambda network, members, size=size: size
        )
        state = state_of(initial(network, [0]))
        train_lbfgs(objective, regression_data(weighted=True), state, plan_of("lbfgs", tol=1e-6))
        ends.append(state.theta[0])
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6)


def test_scores_that_are_nan_keep_the_last_parameters():
    network = network_of((3, 4, 1))
    objective = Objective(network, SquaredError())
    state, seen = state_of(initial(network, [0])), []

    def watch(theta):
        seen.append(theta.copy())
        return np.array([np.nan]), np.array([1.0])

    plan = plan_of(max_epochs=4)
    train(objective, regression_data(), state, plan, watch=watch)
    np.testing.assert_array_equal(state.theta, seen[-1])
    assert state.best_epoch[0] == 0


def test_interruption_after_a_diverging_step_says_so():
    network = network_of((3, 4, 1))
    theta = initial(network, [0])
    theta[:] = np.inf

    class Rows(DenseRows):
        def shuffle(self, order, rng):
            raise KeyboardInterrupt

    data = regression_data()
    data = TrainingSet(Rows(data.rows.X), data.y)
    state = state_of(theta)
    train(Objective(network, SquaredError()), data, state, plan_of())
    assert state.interrupted and state.diverged[0]
