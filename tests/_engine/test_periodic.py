"""Waves of numbers: the formula, all four passes against central differences, starting values."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skmlp._engine.batches import DenseRows
from skmlp._engine.layers import Activate, Dense
from skmlp._engine.memory import Layout
from skmlp._engine.network import Network, Workspace, block_rows, evaluate, multilayer_perceptron
from skmlp._engine.objective import Objective
from skmlp._engine.penalties import Contractive
from skmlp._engine.periodic import Periodic
from skmlp.activations import ACTIVATIONS
from skmlp.initializers import INITIALIZERS
from skmlp.losses import SquaredError

GLOROT, TANH = INITIALIZERS["glorot_uniform"](), ACTIVATIONS["tanh"]()
ROWS = 7


def front(size, embeddings=((4, 3),), **options):
    """Three numbers, of which two have waves, and a code."""
    sizes, init = (3 + len(embeddings), 5, 2), (GLOROT, 1.0)
    options = {"embeddings": embeddings, "periodic": (2, size), "sigma": 0.4, **options}
    return multilayer_perceptron(sizes, (TANH,), (init,) * 2, **options)


def inside(size):
    """dense - waves - tanh - dense: what is before the waves learns through them."""
    layout = Layout()
    first, mixing = layout.block(4, 3), layout.block(3, 6, size)
    last = layout.block(3 * size, 2)
    n_weights = layout.size
    layers = (
        Dense(first, layout.block(1, 3)),
        Periodic.of(layout, mixing, 0.4),
        Activate(TANH, 3 * size),
        Dense(last, layout.block(1, 2)),
    )
    return Network(layers, layout.size, n_weights)


def rows(leading=1, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(leading, ROWS, 4))
    x[..., -1] = [0, 3, 3, -1, 0, 2, -1]
    return x


def relative_error(objective, network, x, members=2, weighted=True):
    """Largest relative error of derivatives along four directions, over members."""
    rng = np.random.default_rng(0)
    y, weight = rng.normal(size=(ROWS, 2)), rng.uniform(0.2, 2.0, ROWS) if weighted else None
    theta = rng.normal(scale=0.6, size=(members, network.n_params))
    workspace = objective.workspace(members, np.float64)
    grad, spare, worst = np.empty_like(theta), np.empty_like(theta), 0.0
    objective.value_and_grad(theta, x, y, weight, workspace, grad)
    for _ in range(4):
        v = rng.normal(size=theta.shape) / network.n_params**0.5
        up, down = (
            objective.value_and_grad(theta + s * 1e-5 * v, x, y, weight, workspace, spare)
            for s in (1, -1)
        )
        numeric, analytic = (up - down) / 2e-5, (grad * v).sum(axis=1)
        worst = max(worst, np.abs(numeric - analytic).max() / np.abs(numeric).max())
    return worst


@pytest.mark.parametrize("options", [{}, {"input_scale": True, "ntk": True}], ids=str)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("leading", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_gradient_at_the_front(size, leading, weighted, options):
    network = front(size, **options)
    objective = Objective(network, SquaredError(), alpha=0.1)
    assert relative_error(objective, network, rows(leading), weighted=weighted) < 1e-6


@pytest.mark.parametrize("depths", [(), (2,), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("members", [1, 3])
def test_gradient_inside(members, size, depths):
    """A contractive penalty needs the tangent pass and its reverse."""
    network, penalties = inside(size), tuple(Contractive(depth, 0.3) for depth in depths)
    objective = Objective(network, SquaredError(), penalties=penalties)
    assert relative_error(objective, network, rows(), members) < 1e-6


def test_gradient_at_the_front_with_a_penalty():
    network = front(2, embeddings=())
    objective = Objective(network, SquaredError(), penalties=(Contractive(3, 0.3),))
    assert relative_error(objective, network, rows()[..., :3]) < 1e-6


def drawn(network, members=3, dtype=np.float64):
    rng = np.random.default_rng(1)
    return rng.normal(scale=0.6, size=(members, network.n_params)).astype(dtype)


def by_hand(waves, theta, x):
    """W cos(2 pi (f x + b)) + c of every column, with loops."""
    f, b, W, c = (block.view(theta) for block in waves.blocks)
    columns = []
    for j in range(f.shape[1]):
        turns = x[:, :, j, np.newaxis] * f[:, np.newaxis, j] + b[:, np.newaxis, j]
        columns.append(np.cos(2 * np.pi * turns) @ W[:, j])
    return np.concatenate(columns, axis=2) + c


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("leading", [1, 3])
def test_the_formula(leading, size):
    network, x = front(size), rows(leading)
    theta = drawn(network)
    caches = Workspace(network, 3, np.float64).caches(ROWS)
    out = network.forward(theta, x, caches, stop=1)
    assert out.shape == (3, ROWS, 3 + 3 + 2 * size)
    np.testing.assert_array_equal(out[..., :3], np.broadcast_to(x[..., :3], (3, ROWS, 3)))
    np.testing.assert_allclose(out[..., 6:], by_hand(network.waves, theta, x), atol=1e-12)


@pytest.mark.parametrize("make", [front, inside])
def test_tangents_are_those_of_central_differences(make):
    network, x = make(2), rows(3)
    theta, t = drawn(network), np.random.default_rng(2).normal(size=x.shape)
    t[..., -1] = 0.0  # a code cannot move
    caches = Workspace(network, 3, np.float64).caches(ROWS)
    up, down = (network.forward(theta, x + s * 1e-6 * t, caches).copy() for s in (1, -1))
    network.forward(theta, x, caches)
    np.testing.assert_allclose(network.tangent(theta, t, caches), (up - down) / 2e-6, atol=1e-7)


@pytest.mark.parametrize("make", [front, inside])
def test_input_gradient_and_tangent_are_adjoint(make):
    network, x, rng = make(2), rows(), np.random.default_rng(3)
    theta = drawn(network)
    caches = Workspace(network, 3, np.float64, input_grad=True).caches(ROWS)
    out = network.forward(theta, x, caches).copy()
    d, t = rng.normal(size=out.shape), rng.normal(size=(3, ROWS, 4))
    left = (d * network.tangent(theta, t.copy(), caches)).sum()
    # A pass without a gradient may be repeated.
    for _ in range(2):
        right = (network.backward(theta, d.copy(), caches, None) * t).sum()
        assert left == pytest.approx(right, rel=1e-12)


def test_members_do_not_know_each_other():
    network, x = front(3), rows(3)
    theta, y = drawn(network), np.random.default_rng(4).normal(size=(ROWS, 2))
    objective = Objective(network, SquaredError())

    def gradient(theta, x):
        grad, workspace = np.empty_like(theta), objective.workspace(len(theta), theta.dtype)
        objective.value_and_grad(theta, x, y, None, workspace, grad)
        return grad

    alone = [gradient(theta[[m]], x[[m]])[0] for m in range(3)]
    np.testing.assert_allclose(gradient(theta, x), alone, rtol=1e-12)


def test_float32():
    network, x = front(3), rows()
    theta, objective = drawn(network, 2), Objective(front(3), SquaredError())
    y, found = np.random.default_rng(4).normal(size=(ROWS, 2)), []
    for dtype in (np.float64, np.float32):
        grad, workspace = np.empty_like(theta, dtype=dtype), objective.workspace(2, dtype)
        given = (array.astype(dtype) for array in (theta, x, y))
        objective.value_and_grad(*given, None, workspace, grad)
        assert workspace.caches(ROWS)[0].parts[-1].wave.dtype == dtype
        found.append(grad)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-5)


def test_sparse_rows_are_the_same_rows():
    network = front(2, embeddings=())
    x = np.where(np.abs(rows()[..., :3]) < 0.5, 0.0, rows()[..., :3])
    theta, caches = drawn(network), Workspace(network, 3, np.float64).caches(ROWS)
    dense = network.forward(theta, x, caches).copy()
    np.testing.assert_array_equal(network.forward(theta, csr_array(x[0]), caches), dense)


def test_blocks_of_rows_are_of_bounded_size():
    wide = multilayer_perceptron((300, 5, 1), (TANH,), ((GLOROT, 1.0),) * 2, periodic=(300, 1))
    assert block_rows(wide, 2) * 300 * 16 * 2 <= 2**18
    network, x = front(2), rows()
    theta = drawn(network)
    whole = evaluate(network, theta, DenseRows(x[0]))
    blocks = evaluate(network, theta, DenseRows(x[0]), block=3)
    np.testing.assert_allclose(blocks, whole, rtol=1e-12)


def test_starting_values():
    network = multilayer_perceptron(
        (400, 5, 1), (TANH,), ((GLOROT, 1.0),) * 2, periodic=(400, 2), sigma=0.3
    )
    theta = network.initial([np.random.default_rng(0), np.random.default_rng(1)])
    alone = network.initial([np.random.default_rng(1)])
    np.testing.assert_array_equal(theta[1:], alone)
    f, b, W, c = (block.view(theta) for block in network.waves.blocks)
    assert f.std() == pytest.approx(0.3, rel=0.05) and abs(f.mean()) < 0.01
    for block, end in ((b, 0.5), (W, 0.25), (c, 0.25)):
        assert 0.99 * end < np.abs(block).max() <= end
        assert block.std() == pytest.approx(end / 3**0.5, rel=0.05)
    # W is a weight, the others are none.
    *others, mixing, offsets = network.waves.blocks
    assert mixing.offset < network.n_weights
    assert all(block.offset >= network.n_weights for block in (*others, offsets))


def test_nothing_changes_without_waves():
    sizes, init = (4, 5, 2), ((GLOROT, 1.0),) * 2
    for embeddings in ((), ((4, 3),)):
        plain = multilayer_perceptron(sizes, (TANH,), init, embeddings=embeddings)
        for none in ((0, 0), (3, 0), (0, 3)):
            network = multilayer_perceptron(
                sizes, (TANH,), init, embeddings=embeddings, periodic=none
            )
            assert network == plain and network.waves is None
