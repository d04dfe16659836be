"""Bins of numbers: the formula, all four passes against central differences, starting values."""

import numpy as np
import pytest

from skmlp._engine.batches import DenseRows
from skmlp._engine.layers import Activate, Dense
from skmlp._engine.memory import Layout
from skmlp._engine.network import Network, Workspace, block_rows, evaluate, multilayer_perceptron
from skmlp._engine.objective import Objective
from skmlp._engine.penalties import Contractive
from skmlp._engine.piecewise import Piecewise
from skmlp.activations import ACTIVATIONS
from skmlp.initializers import INITIALIZERS
from skmlp.losses import SquaredError

GLOROT, TANH = INITIALIZERS["glorot_uniform"](), ACTIVATIONS["tanh"]()
ROWS = 7
BINS = (4, 1, 2)


def front(size, embeddings=((4, 3),), **options):
    """Two numbers, a code, and three positions."""
    n_in, init = 2 + len(embeddings) + len(BINS), (GLOROT, 1.0)
    options = {"embeddings": embeddings, "piecewise": (BINS, size), **options}
    return multilayer_perceptron((n_in, 5, 2), (TANH,), (init,) * 2, **options)


def inside(size):
    """dense - bins - tanh - dense: what is before the bins learns through them."""
    layout = Layout()
    first, heights = layout.block(6, 3), layout.block(3, max(BINS), size)
    last = layout.block(3 * size, 2)
    n_weights = layout.size
    layers = (
        Dense(first, layout.block(1, 3)),
        Piecewise(heights, BINS),
        Activate(TANH, 3 * size),
        Dense(last, layout.block(1, 2)),
    )
    return Network(layers, layout.size, n_weights)


def rows(leading=1, seed=0):
    """Positions before, among and behind the bins, none of them at an edge."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(leading, ROWS, 6))
    x[..., 2] = [0, 3, 3, -1, 0, 2, -1]
    x[..., 3:] = rng.integers(-2, 6, size=(leading, ROWS, 3)) + rng.uniform(0.1, 0.9, (ROWS, 3))
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
            objective.value_and_grad(theta + s * 1e-6 * v, x, y, weight, workspace, spare)
            for s in (1, -1)
        )
        numeric, analytic = (up - down) / 2e-6, (grad * v).sum(axis=1)
        worst = max(worst, np.abs(numeric - analytic).max() / np.abs(numeric).max())
    return worst


def drawn(network, members=3):
    return np.random.default_rng(1).normal(scale=0.6, size=(members, network.n_params))


def by_hand(layer, theta, x):
    """W e of every column, with loops."""
    (W,) = (block.view(theta) for block in layer.blocks)
    out = np.zeros((len(theta), ROWS, W.shape[1] * W.shape[3]))
    for member, row, j in np.ndindex(len(theta), ROWS, W.shape[1]):
        p, n, z = x[min(member, len(x) - 1), row, j], layer.bins[j], 0.0
        for t in range(1, n + 1):
            e = p - (t - 1)
            e = e if t == 1 else max(e, 0.0)
            e = e if t == n else min(e, 1.0)
            z = z + e * W[member, j, t - 1]
        out[member, row, j * W.shape[3] : (j + 1) * W.shape[3]] = z
    return out


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("leading", [1, 3])
def test_the_formula(leading, size):
    network, x = front(size), rows(leading)
    theta, (layer,) = drawn(network), network.of_numbers
    caches = Workspace(network, 3, np.float64).caches(ROWS)
    out = network.forward(theta, x, caches, stop=1)
    assert out.shape == (3, ROWS, 2 + 3 + 3 * size)
    np.testing.assert_array_equal(out[..., :2], np.broadcast_to(x[..., :2], (3, ROWS, 2)))
    np.testing.assert_allclose(out[..., 5:], by_hand(layer, theta, x[..., 3:]), atol=1e-12)


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


@pytest.mark.parametrize("make", [front, inside])
def test_tangents_are_those_of_central_differences(make):
    network, x = make(2), rows(3)
    theta, t = drawn(network), np.random.default_rng(2).normal(size=x.shape)
    t[..., 2] = 0.0  # a code cannot move
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
    d, t = rng.normal(size=out.shape), rng.normal(size=(3, ROWS, 6))
    left = (d * network.tangent(theta, t.copy(), caches)).sum()
    # A pass without a gradient may be repeated.
    for _ in range(2):
        right = (network.backward(theta, d.copy(), caches, None) * t).sum()
        assert left == pytest.approx(right, rel=1e-12)


def test_what_a_column_lacks_of_bins_stays_as_it_is():
    network, x = front(3), rows()
    theta, objective = drawn(network), Objective(network, SquaredError())
    grad, workspace = np.empty_like(theta), objective.workspace(3, np.float64)
    y = np.random.default_rng(4).normal(size=(ROWS, 2))
    objective.value_and_grad(theta, x, y, None, workspace, grad)
    heights = network.of_numbers[0].heights.view(grad)
    for j, n in enumerate(BINS):
        assert np.all(heights[:, j, n:] == 0.0) and np.all(heights[:, j, :n] != 0.0)


def test_float32():
    network, x, found = front(3), rows(), []
    theta, objective = drawn(network, 2), Objective(network, SquaredError())
    y = np.random.default_rng(4).normal(size=(ROWS, 2))
    for dtype in (np.float64, np.float32):
        grad, workspace = np.empty_like(theta, dtype=dtype), objective.workspace(2, dtype)
        given = (array.astype(dtype) for array in (theta, x, y))
        objective.value_and_grad(*given, None, workspace, grad)
        assert workspace.caches(ROWS)[0].parts[-1].filled.dtype == dtype
        found.append(grad)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-5)


def test_blocks_of_rows_are_of_bounded_size():
    bins = (48,) * 300
    wide = multilayer_perceptron((600, 5, 1), (TANH,), ((GLOROT, 1.0),) * 2, piecewise=(bins, 1))
    assert block_rows(wide, 1) * 300 * 48 <= 2**18
    network, x = front(2), rows()
    theta = drawn(network)
    whole = evaluate(network, theta, DenseRows(x[0]))
    blocks = evaluate(network, theta, DenseRows(x[0]), block=3)
    np.testing.assert_allclose(blocks, whole, rtol=1e-12)


def test_they_start_at_nothing_and_are_weights():
    network = front(2)
    theta = network.initial([np.random.default_rng(seed) for seed in (0, 1)])
    (layer,) = network.of_numbers
    assert theta.any() and not layer.heights.view(theta).any()
    assert layer.heights.offset + layer.heights.size <= network.n_weights
    assert network.waves is None


def test_nothing_changes_without_bins():
    sizes, init = (4, 5, 2), ((GLOROT, 1.0),) * 2
    for embeddings in ((), ((4, 3),)):
        plain = multilayer_perceptron(sizes, (TANH,), init, embeddings=embeddings)
        network = multilayer_perceptron(
            sizes, (TANH,), init, embeddings=embeddings, piecewise=((), 3)
        )
        assert network == plain and network.of_numbers == []


def test_waves_and_bins_stand_beside_each_other():
    network = front(2, periodic=(2, 3), sigma=0.4)
    assert [type(layer).__name__ for layer in network.of_numbers] == ["Periodic", "Piecewise"]
    objective = Objective(network, SquaredError(), alpha=0.1)
    assert relative_error(objective, network, rows()) < 1e-6
