"""The layer contract on its hard cases: sharing, learned slopes, scale, members, penalties."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skmlp._engine.batches import DenseRows
from skmlp._engine.columns import Columns
from skmlp._engine.layers import Activate, Dense, Dropout
from skmlp._engine.memory import Layout
from skmlp._engine.network import Network, Workspace, evaluate, multilayer_perceptron
from skmlp._engine.objective import Objective
from skmlp._engine.penalties import CodePenalty, Contractive, RatePenalty
from skmlp.activations import ACTIVATIONS
from skmlp.initializers import INITIALIZERS
from skmlp.losses import SquaredError

GLOROT = INITIALIZERS["glorot_uniform"]()
LOGISTIC, TANH, IDENTITY = (ACTIVATIONS[name]() for name in ("logistic", "tanh", "identity"))


def tied_network(per_unit=True):
    """scale - dense - tanh - dense - PReLU - dense - logistic - decoder of the same blocks."""
    prelu = ACTIVATIONS["prelu"](per_unit=per_unit)
    layout, sizes = Layout(), (4, 5, 6, 3)
    weights = [layout.block(*pair) for pair in zip(sizes[:-1], sizes[1:], strict=True)]
    n_weights = layout.size
    scale = layout.block(4, 1)
    slopes = layout.block(1, prelu.n_slopes(6))
    encoder = [
        Dense(weights[0], layout.block(1, 5), scale, 0.7, initializer=GLOROT),
        Activate(TANH, 5),
        Dense(weights[1], layout.block(1, 6), initializer=GLOROT),
        Activate(prelu, 6, slopes),
        Dense(weights[2], layout.block(1, 3), initializer=GLOROT),
        Activate(LOGISTIC, 3),
    ]
    decoder = [
        Dense(weights[2].T, layout.block(1, 6)),
        Activate(prelu, 6, slopes),
        Dense(weights[1].T, layout.block(1, 5)),
        Activate(TANH, 5),
        Dense(weights[0].T, layout.block(1, 4)),
    ]
    return Network((*encoder, *decoder), layout.size, n_weights), len(encoder)


def relative_error(objective, network, x, y, weight, members=2, seed=0, **options):
    """Largest relative error of directional derivatives, over members and four directions."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(scale=0.6, size=(members, network.n_params))
    workspace = objective.workspace(members, np.float64, **options)
    grad, spare = np.empty_like(theta), np.empty_like(theta)
    objective.value_and_grad(theta, x, y, weight, workspace, grad)
    worst = 0.0
    for _ in range(4):
        v = rng.normal(size=theta.shape)
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        up, down = (
            objective.value_and_grad(theta + s * 1e-5 * v, x, y, weight, workspace, spare)
            for s in (1, -1)
        )
        numeric, analytic = (up - down) / 2e-5, (grad * v).sum(axis=1)
        worst = max(worst, np.abs(numeric - analytic).max() / np.abs(numeric).max())
    return worst


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, 7, 4))
    return x, rng.normal(size=(7, 4)), rng.uniform(0.2, 2.0, size=7)


@pytest.mark.parametrize("per_unit", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    "penalties",
    [
        lambda depth: (),
        lambda depth: (Contractive(depth, 0.3),),
        lambda depth: (CodePenalty(depth, 0.2, power=1),),
        lambda depth: (CodePenalty(depth, 0.2, power=2), CodePenalty(4, 0.1, power=2)),
        lambda depth: (Contractive(depth, 0.3), CodePenalty(depth, 0.2, power=2)),
        lambda depth: (RatePenalty(depth, 0.4, rate=0.1),),
        lambda depth: (Contractive(depth, 0.3, clean=True), RatePenalty(depth, 0.2, 0.3)),
        # Of a dense layer before an activation in place, and two of one layer.
        lambda depth: (CodePenalty(1, 0.1, 2), CodePenalty(depth, 0.2, 2), CodePenalty(depth, 0.1)),
    ],
    ids=[
        "none",
        "contractive",
        "l1",
        "l2 at two depths",
        "contractive and l2",
        "rate",
        "clean contractive and rate",
        "three",
    ],
)
@pytest.mark.parametrize("kind", ["shared rows", "rows of each member", "CSR"])
def test_gradient_of_tied_network(data, kind, penalties, weighted, per_unit):
    network, depth = tied_network(per_unit)
    x, y, weight = data
    if kind == "rows of each member":
        x = np.concatenate([x, 0.5 - x[:, ::-1]])
    elif kind == "CSR":
        x = csr_array(np.where(np.abs(x[0]) < 0.5, 0.0, x[0]))
    objective = Objective(network, SquaredError(), penalties=penalties(depth))
    assert relative_error(objective, network, x, y, weight if weighted else None) < 1e-6


def jacobian_penalty(network, theta, x, depth, weight):
    """sum_i w_i |dh_i/dx|_F^2 of each member by central differences, row by row."""
    total = np.zeros(len(theta))
    workspace = Workspace(network, len(theta), np.float64)
    for row, w in zip(x[0], weight, strict=True):
        for j in range(x.shape[-1]):
            step = np.zeros_like(row)
            step[j] = 1e-6
            up, down = (
                network.forward(
                    theta, (row + s * step)[None, None], workspace.caches(1), depth
                ).copy()
                for s in (1, -1)
            )
            total += w * (((up - down) / 2e-6) ** 2).sum(axis=(1, 2))
    return total


def test_contractive_value_is_the_squared_jacobian(data):
    network, depth = tied_network()
    x, y, weight = data
    theta = np.random.default_rng(0).normal(scale=0.6, size=(2, network.n_params))
    values = {}
    for strength in (0.0, 1.0):
        objective = Objective(network, SquaredError(), penalties=(Contractive(depth, strength),))
        workspace = objective.workspace(2, np.float64)
        grad = np.empty_like(theta)
        values[strength] = objective.value_and_grad(theta, x, y, weight, workspace, grad)
    expected = jacobian_penalty(network, theta, x, depth, weight)
    np.testing.assert_allclose(values[1.0] - values[0.0], expected, rtol=1e-7)


def test_contractive_projection_is_unbiased_and_has_its_gradient(data):
    network, depth = tied_network()
    x, y, weight = data
    theta = np.random.default_rng(0).normal(scale=0.6, size=(1, network.n_params))
    rng = np.random.default_rng(2)

    def value(exact):
        objective = Objective(network, SquaredError(), penalties=(Contractive(depth, 1.0, exact),))
        workspace = objective.workspace(1, np.float64, rngs=[rng])
        grad = np.empty_like(theta)
        return objective.value_and_grad(theta, x, y, weight, workspace, grad)[0]

    draws = np.array([value(False) for _ in range(800)])
    assert abs(draws.mean() - value(True)) < 4 * draws.std() / np.sqrt(len(draws))

    penalty = Contractive(depth, 1.0, exact=False)
    objective = Objective(network, SquaredError(), penalties=(penalty,))
    options = {"rngs": [SameDraws()] * 2}
    assert relative_error(objective, network, x, y, weight, **options) < 1e-6


def test_projections_are_drawn_per_member(data):
    network, depth = tied_network()
    x, y, weight = data
    theta = np.random.default_rng(0).normal(scale=0.6, size=(2, network.n_params))
    penalty = Contractive(depth, 1.0, exact=False)
    objective = Objective(network, SquaredError(), penalties=(penalty,))

    def values(theta, seeds):
        rngs = [np.random.default_rng(seed) for seed in seeds]
        workspace = objective.workspace(len(theta), np.float64, rngs=rngs)
        return objective.value_and_grad(theta, x, y, weight, workspace, np.empty_like(theta))

    alone = [values(theta[[m]], [seed])[0] for m, seed in enumerate([3, 4])]
    np.testing.assert_allclose(values(theta, [3, 4]), alone, rtol=1e-12)


class SameDraws:
    """A generator whose noise is the same at every call, as central differences need it."""

    def random(self, dtype, out):
        np.random.default_rng(5).random(dtype=dtype, out=out)


def test_gradient_through_dropout_with_a_contractive_penalty(data):
    x, y, weight = data
    init = (INITIALIZERS["glorot_uniform"](), 1.0)
    network = multilayer_perceptron((4, 6, 5, 2), (TANH, TANH), (init,) * 3, dropout=(0.4, 0.3))
    objective = Objective(network, SquaredError(), penalties=(Contractive(6, 0.3),))
    options = {"rngs": [SameDraws()] * 2, "training": True}
    assert relative_error(objective, network, x, y[:, :2], weight, **options) < 1e-6


def test_a_tied_layer_is_drawn_once(data):
    network, _ = tied_network()
    theta = network.initial([np.random.default_rng(0), np.random.default_rng(1)])
    again = network.initial([np.random.default_rng(1)])
    np.testing.assert_array_equal(theta[1], again[0])
    first = network.layers[0]
    bound = np.sqrt(6.0 / 9.0)
    effective = first.weight.view(theta) * first.factor
    assert 0.5 * bound < np.abs(effective).max() <= bound
    np.testing.assert_array_equal(network.layers[-1].bias.view(theta), 0.0)


def test_evaluate_stops_at_a_layer_and_does_not_depend_on_blocks(data):
    network, depth = tied_network()
    x = np.random.default_rng(0).normal(size=(50, 4))
    theta = network.initial([np.random.default_rng(0), np.random.default_rng(1)])
    workspace = Workspace(network, 2, np.float64)
    whole = network.forward(theta, x[np.newaxis], workspace.caches(50), depth)
    blocks = evaluate(network, theta, DenseRows(x), stop=depth, block=16)
    assert blocks.shape == (2, 50, 3)
    np.testing.assert_allclose(blocks, whole, rtol=1e-12)


def columns_network():
    """Two dense layers on overlapping columns side by side, the second pair sharing a block."""
    layout = Layout()
    shared, own = layout.block(2, 3), layout.block(3, 2)
    head = layout.block(8, 2)
    n_weights = layout.size
    parts = (
        ((0, 1), Dense(shared, layout.block(1, 3))),
        ((1, 2, 3), Dense(own)),
        ((3, 0), Dense(shared)),
    )
    columns = Columns(parts, (3, 2, 3), 4)
    layers = (columns, Activate(TANH, 8), Dense(head, layout.block(1, 2)))
    return Network(layers, layout.size, n_weights)


@pytest.mark.parametrize("contractive", [False, True])
def test_gradient_of_columns(data, contractive):
    network = columns_network()
    x, y, weight = data
    penalties = (Contractive(3, 0.3),) if contractive else ()
    objective = Objective(network, SquaredError(), penalties=penalties)
    assert relative_error(objective, network, x, y[:, :2], weight) < 1e-6


def embedding_network(n_plain):
    sizes, init = (n_plain + 2, 5, 2), (GLOROT, 1.0)
    return multilayer_perceptron(
        sizes, (TANH,), (init,) * 2, input_scale=True, embeddings=((4, 3), (6, 2))
    )


@pytest.mark.parametrize("n_plain", [0, 2])
@pytest.mark.parametrize("leading", [1, 2])
def test_gradient_of_embeddings(data, n_plain, leading):
    """Codes repeat, some levels do not occur, and -1 is a level that nobody knows."""
    network = embedding_network(n_plain)
    _, y, weight = data
    rng = np.random.default_rng(0)
    x = rng.normal(size=(leading, 7, n_plain + 2))
    x[..., -2] = [0, 3, 3, -1, 0, 3, -1]
    x[..., -1] = [5, 5, 5, 5, 2, -1, 0]
    objective = Objective(network, SquaredError(), alpha=0.1)
    assert relative_error(objective, network, x, y[:, :2], weight) < 1e-6


def test_embeddings_are_rows_of_their_tables():
    network = embedding_network(2)
    theta = network.initial([np.random.default_rng(0), np.random.default_rng(1)])
    tables = [theta[:, :12].reshape(2, 4, 3), theta[:, 12:24].reshape(2, 6, 2)]
    assert 0.6 < theta[:, :24].std() < 1.4
    x = np.array([[[0.5, -2.0, 3, -1], [0.1, 0.2, -1, 5]]])
    caches = Workspace(network, 2, np.float64).caches(2)
    out = network.forward(theta, x, caches, stop=1)
    np.testing.assert_array_equal(out[:, :, :2], np.broadcast_to(x[..., :2], (2, 2, 2)))
    np.testing.assert_array_equal(out[:, 0, 2:5], tables[0][:, 3])
    np.testing.assert_array_equal(out[:, 1, 2:5], 0.0)
    np.testing.assert_array_equal(out[:, 0, 5:], 0.0)
    np.testing.assert_array_equal(out[:, 1, 5:], tables[1][:, 5])


def test_a_prediction_can_be_made_again_with_what_the_last_one_left():
    network, theta = embedding_network(2), np.random.default_rng(0).normal(size=(1, 100))
    rows = DenseRows(np.array([[0.5, -2.0, 3, -1], [0.1, 0.2, -1, 5]]))
    theta = theta[:, : network.n_params]
    first = evaluate(network, theta, rows)
    np.testing.assert_array_equal(evaluate(network, theta, rows), first)


def test_input_gradient_and_tangent_are_adjoint(data):
    """d'(J t) = (J'd)'t for a network of every kind of layer."""
    network, _ = tied_network()
    x, _, _ = data
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(3, network.n_params))
    workspace = Workspace(network, 3, np.float64, input_grad=True)
    caches = workspace.caches(7)
    out = network.forward(theta, x, caches).copy()
    d, t = rng.normal(size=out.shape), rng.normal(size=(3, 7, 4))
    left = (d * network.tangent(theta, t.copy(), caches)).sum()
    right = (network.backward(theta, d.copy(), caches, None) * t).sum()
    assert left == pytest.approx(right, rel=1e-12)


def test_dropout_scales_and_draws_per_member():
    layer, theta = Dropout(0.25, 6), np.zeros((2, 0))
    x = np.ones((2, 4000, 6))

    def run(seeds):
        rngs = [np.random.default_rng(seed) for seed in seeds]
        network = Network((layer,), 0, 0)
        workspace = Workspace(network, len(seeds), np.float64, training=True, rngs=rngs)
        caches = workspace.caches(4000)
        out = network.forward(theta[: len(seeds)], x[: len(seeds)], caches).copy()
        return out, network.backward(theta, np.ones_like(out), caches, None)

    out, back = run([1, 2])
    assert set(np.unique(out)) == {0.0, 1 / 0.75}
    assert np.mean(out == 0) == pytest.approx(0.25, abs=0.01)
    np.testing.assert_array_equal(out, back)
    np.testing.assert_array_equal(out[1], run([2])[0][0])
    workspace = Workspace(Network((layer,), 0, 0), 2, np.float64)
    assert Network((layer,), 0, 0).forward(theta, x, workspace.caches(4000)) is x
