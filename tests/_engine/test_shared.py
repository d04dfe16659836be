"""Layers that members share while they are trained: gradients, equal rows, stopping."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from skmlp import _kernels
from skmlp._engine.batches import DenseRows, TrainingSet
from skmlp._engine.network import multilayer_perceptron
from skmlp._engine.objective import Objective
from skmlp._engine.shared import Trunk, share
from skmlp._engine.training import Plan, TrainState, train
from skmlp.activations import ACTIVATIONS
from skmlp.callbacks import Callback
from skmlp.initializers import INITIALIZERS
from skmlp.losses import SquaredError
from skmlp.optimizers import OPTIMIZERS
from skmlp.schedules import SCHEDULES

ROWS, MEMBERS = 7, 3
# Four numbers or, with a front, two numbers, a code and a position among bins.
FRONT = {"embeddings": ((4, 3),), "periodic": (2, 2), "piecewise": ((3,), 2)}
KINDS = {
    "plain": {},
    "scale and ntk": {"input_scale": True, "ntk": True},
    "embeddings": FRONT,
    "embeddings, scale and ntk": {**FRONT, "input_scale": True, "ntk": True},
}


@pytest.fixture(params=["plain", "compiled"], autouse=True)
def kernels(request):
    """Either kind of kernels; whatever was in use before is in use again afterwards."""
    compiled = request.param == "compiled"
    if compiled and not _kernels.available():
        pytest.skip("there is nothing to compile with (pip install skmlp[accel])")
    before = _kernels.in_use()
    _kernels.use(compiled)
    yield
    _kernels.use(before)


def network_of(activation="tanh", hidden=(6, 5), **options):
    f, init = ACTIVATIONS[activation](), (INITIALIZERS["glorot_uniform"](), 1.0)
    sizes = (4, *hidden, 2)
    return multilayer_perceptron(
        sizes, (f,) * len(hidden), (init,) * (len(hidden) + 1), dropout=(), **options
    )


def rows(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1, ROWS, 4))
    x[..., 2] = [0, 3, 3, -1, 0, 2, -1]
    x[..., 3] = rng.integers(-1, 4, ROWS) + rng.uniform(0.1, 0.9, ROWS)
    return x, rng.normal(size=(ROWS, 2)), rng.uniform(0.2, 2.0, ROWS)


def shared_entries(network, n_dense):
    """Mask of the parameters of the layers before the dense layer after `n_dense` of them."""
    mask = np.zeros(network.n_params, bool)
    for layer in network.layers[: network.depth_of(n_dense)]:
        for block in layer.blocks:
            mask[block.offset : block.offset + block.size] = True
    return mask


def drawn(network, members=MEMBERS):
    return np.random.default_rng(1).normal(scale=0.6, size=(members, network.n_params))


def evaluated(network, theta, x, y, weight, **options):
    """Values and gradient; without accumulating it must overwrite what was there."""
    objective = Objective(network, SquaredError())
    workspace = network.workspace(len(theta), theta.dtype, **options)
    grad = np.full_like(theta, 0.0 if options else np.nan)
    return objective.value_and_grad(theta, x, y, weight, workspace, grad), grad


# Gradients


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("n_dense", [1, 2])
@pytest.mark.parametrize("activation", ["tanh", "relu", "mish", "prelu"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_central_differences(kind, activation, n_dense, members, weighted):
    plain = network_of(activation, **KINDS[kind])
    network, mine = share(plain, n_dense), shared_entries(plain, n_dense)
    x, y, weight = rows()
    theta, weight = drawn(plain, members), weight if weighted else None
    _, grad = evaluated(network, theta, x, y, weight)
    rng = np.random.default_rng(2)

    def differences(v):
        up, down = (
            evaluated(network, theta + s * 1e-6 * v, x, y, weight)[0].copy() for s in (1, -1)
        )
        return (up - down) / 2e-6

    for _ in range(4):
        # The mean over members, by the only row of shared parameters that counts.
        v = np.zeros_like(theta)
        v[0, mine] = rng.normal(size=mine.sum())
        assert (grad[0] * v[0]).sum() == pytest.approx(differences(v).mean(), rel=2e-6, abs=1e-7)
        # Every member's own loss, by its own parameters.
        v = np.where(mine, 0.0, rng.normal(size=theta.shape))
        np.testing.assert_allclose((grad * v).sum(axis=1), differences(v), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("n_dense", [1, 2, 3])
@pytest.mark.parametrize(
    "kind, sparse",
    [*((kind, False) for kind in KINDS), ("plain", True), ("scale and ntk", True)],
)
def test_they_are_the_means_of_those_of_members_with_equal_layers(kind, n_dense, sparse):
    plain = network_of(hidden=(6, 5, 4), **KINDS[kind])
    network, mine = share(plain, n_dense), shared_entries(plain, n_dense)
    assert isinstance(network.layers[0], Trunk)
    x, y, weight = rows()
    if sparse:
        x = csr_array(np.where(np.abs(x[0]) < 0.5, 0.0, x[0]))
    theta = drawn(plain)
    equal = np.where(mine, theta[0], theta)
    values, grad = evaluated(network, theta, x, y, weight)
    expected, apart = evaluated(plain, equal, x, y, weight)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(grad[:, ~mine], apart[:, ~mine], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(grad[0, mine], apart[:, mine].mean(axis=0), rtol=1e-9, atol=1e-12)
    for row in grad[1:]:
        np.testing.assert_array_equal(row[mine], grad[0, mine])
    # What the other rows hold in these places is not read.
    again, same = evaluated(network, equal, x, y, weight)
    np.testing.assert_array_equal(again, values)
    np.testing.assert_array_equal(same, grad)


def test_gradients_that_are_added_up():
    plain = network_of(**KINDS["embeddings"])
    network, data, theta = share(plain, 1), rows(), drawn(plain)
    _, once = evaluated(network, theta, *data)
    _, added = evaluated(network, theta, *data, accumulate=True)
    np.testing.assert_allclose(added, once, rtol=1e-12)


def test_only_the_input_gradient():
    plain = network_of()
    network, (x, _, _), theta = share(plain, 1), rows(), drawn(plain)
    workspace = network.workspace(MEMBERS, np.float64, input_grad=True)
    caches = workspace.caches(ROWS)
    d = np.random.default_rng(3).normal(size=(MEMBERS, ROWS, 2))
    up, down = (network.forward(theta, x + s * 1e-6, caches).copy() for s in (1, -1))
    network.forward(theta, x, caches)
    found = network.backward(theta, d.copy(), caches, None)
    assert found.shape == (1, ROWS, 4)
    expected = ((up - down) / 2e-6 * d).sum(axis=(0, 2)) / MEMBERS
    np.testing.assert_allclose(found[0].sum(axis=1), expected, rtol=1e-6, atol=1e-9)


def test_there_is_no_tangent_pass():
    plain = network_of()
    network, (x, _, _), theta = share(plain, 1), rows(), drawn(plain)
    caches = network.workspace(MEMBERS, np.float64).caches(ROWS)
    network.forward(theta, x, caches)
    with pytest.raises(NotImplementedError, match="without shared layers"):
        network.tangent(theta, x, caches)
    with pytest.raises(NotImplementedError, match="without shared layers"):
        network.layers[0].tangent_backward(theta, x, caches[0], theta.copy())


# Training


def data_of(n=70):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    return TrainingSet(DenseRows(X), np.sin(X[:, :2]), None)


def plan_of(optimizer="adam", schedule="constant", **options):
    defaults = {"learning_rate": 0.02, "batch_size": 16, "max_epochs": 6, "tol": 0.0}
    defaults |= {"n_iter_no_change": np.inf, "together": True}
    return Plan(OPTIMIZERS[optimizer](), SCHEDULES[schedule](), **{**defaults, **options})


def trained(plan, members=MEMBERS, n_dense=1, change=None, watch=None, callbacks=(), **options):
    """State after training with shared layers, and the mask of these; dropout after all layers."""
    f, init = ACTIVATIONS["mish"](), (INITIALIZERS["glorot_uniform"](), 1.0)
    plain = multilayer_perceptron((4, 6, 5, 2), (f, f), (init,) * 3, **options)
    network = share(plain, n_dense) if n_dense else plain
    theta = plain.initial([np.random.default_rng(seed) for seed in range(members)])
    if n_dense:
        network.layers[0].spread(theta)
    if change is not None:
        change(theta)
    noise = tuple(np.random.default_rng([7, member]) for member in range(members))
    state = TrainState(theta, order=np.random.default_rng(1), noise=noise)
    objective = Objective(network, SquaredError(), alpha=0.01)
    train(objective, data_of(), state, plan, watch=watch, callbacks=callbacks)
    return state, shared_entries(plain, n_dense)


WAYS = {
    "adam": {},
    "sgd": {"optimizer": "sgd"},
    "rmsprop": {"optimizer": "rmsprop"},
    "decay and clipping": {"weight_decay": 0.1, "max_grad_norm": 0.5, "optimizer": "sgd"},
    "clipping": {"max_grad_norm": 0.5},
    "averaging": {"averaging": 0.9},
    "one_cycle": {"schedule": "one_cycle", "dropout_schedule": SCHEDULES["cosine"]()},
}


@pytest.mark.parametrize("n_dense", [1, 2])
@pytest.mark.parametrize("dropout", [(), (0.3, 0.3)], ids=["no dropout", "dropout"])
@pytest.mark.parametrize("way", WAYS)
def test_rows_stay_equal_in_what_they_share_and_nowhere_else(way, dropout, n_dense):
    state, mine = trained(plan_of(**WAYS[way]), n_dense=n_dense, dropout=dropout, ntk=True)
    for row in state.theta[1:]:
        np.testing.assert_array_equal(row[mine], state.theta[0, mine])
        assert np.all(row[~mine] != state.theta[0, ~mine])
    assert state.losses[-1].mean() < state.losses[0].mean()


@pytest.mark.parametrize("way", WAYS)
def test_a_single_member_is_trained_as_without(way):
    options = {"members": 1, "dropout": (0.3, 0.3), "input_scale": True}
    alone, _ = trained(plan_of(**WAYS[way]), **options)
    plain, _ = trained(plan_of(**WAYS[way]), n_dense=0, **options)
    np.testing.assert_array_equal(alone.theta, plain.theta)
    np.testing.assert_array_equal(alone.losses, plain.losses)


def test_it_is_the_descent_of_the_mean_loss():
    """One step of plain SGD on all rows, by the gradients of members with equal layers."""
    plan = replace(plan_of(max_epochs=1, batch_size=70), optimizer=OPTIMIZERS["sgd"](momentum=0.0))
    before, mine = trained(replace(plan, learning_rate=0.0))
    after, _ = trained(plan)
    apart, _ = trained(plan, n_dense=0, change=lambda theta: np.copyto(theta, before.theta))
    moved, alone = after.theta - before.theta, apart.theta - before.theta
    np.testing.assert_allclose(moved[:, ~mine], alone[:, ~mine], rtol=1e-8, atol=1e-14)
    mean = np.broadcast_to(alone[:, mine].mean(axis=0), moved[:, mine].shape)
    np.testing.assert_allclose(moved[:, mine], mean, rtol=1e-8, atol=1e-14)


def test_the_longest_gradient_of_all_is_clipped():
    plan = plan_of(max_epochs=1, batch_size=70, max_grad_norm=0.01, learning_rate=1.0)
    plan = replace(plan, optimizer=OPTIMIZERS["sgd"](momentum=0.0))
    before, _ = trained(replace(plan, learning_rate=0.0))
    after, _ = trained(plan)
    steps = np.linalg.norm(after.theta - before.theta, axis=1)
    assert steps.max() == pytest.approx(0.01, rel=1e-9)
    assert len(set(steps)) == MEMBERS


def test_who_has_stopped_does_not_disturb_the_others():
    def until(*epochs):
        return trained(plan_of(epochs=np.array(epochs)), dropout=(0.2, 0.2))[0]

    mixed, late, early = until(2, 5, 3), until(5, 5, 5), until(2, 2, 2)
    np.testing.assert_array_equal(mixed.theta[0], early.theta[0])
    np.testing.assert_array_equal(mixed.theta[1], late.theta[1])
    assert mixed.last_epoch.tolist() == [2, 5, 3]
    assert not np.array_equal(mixed.theta[2], late.theta[2])


class Explode(Callback):
    """Make a member too large for its loss, but not for its gradient, after some epoch."""

    def __init__(self, member, epoch):
        self.member, self.epoch = member, epoch

    def on_epoch_end(self, state):
        if state.epoch == self.epoch:
            state.theta[self.member, -1] = 1e160


@pytest.mark.parametrize("member", range(MEMBERS))
def test_if_one_diverges_none_goes_on(member):
    state, _ = trained(plan_of(), callbacks=[Explode(member, 1)])
    assert state.diverged.all() and not state.usable().any()
    assert state.last_epoch.tolist() == [2, 2, 2]


@pytest.mark.parametrize("member", range(MEMBERS))
def test_and_all_go_back_to_their_best_epochs(member):
    seen = []

    def watch(theta):
        seen.append(theta.copy())
        return np.array([1.0, 2.0, 3.0]) * len(seen) * (-1.0, 1.0, 1.0), np.ones(MEMBERS)

    state, mine = trained(plan_of(), watch=watch, callbacks=[Explode(member, 2)])
    assert state.diverged.all() and state.usable().all()
    assert state.best_epoch.tolist() == [1, 2, 2]
    np.testing.assert_array_equal(state.theta[0], seen[0][0])
    np.testing.assert_array_equal(state.theta[1:], seen[1][1:])
    assert np.all(state.theta[0, mine] != state.theta[1, mine])
