"""Networks that write networks: gradients, ways, counts, variance at the start, memory."""

import tracemalloc

import numpy as np
import pytest

from skmlp._engine import hyper
from skmlp._engine.batches import DenseRows
from skmlp._engine.groups import GroupedRows, TaskRows, group_numbers
from skmlp._engine.hyper import HyperNetwork, Offset, Told
from skmlp._engine.layers import Activate, Dense
from skmlp._engine.memory import Layout
from skmlp._engine.modulated import Allowed, Side
from skmlp._engine.modulations import MODULATIONS, Chunked, Film, Full, LowRank, hyper_network
from skmlp._engine.network import Network, Workspace, evaluate
from skmlp._engine.objective import Objective, row_losses
from skmlp.activations import ACTIVATIONS
from skmlp.initializers import INITIALIZERS
from skmlp.losses import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    CrammerSinger,
    SoftmaxLogLoss,
    SquaredError,
    WestonWatkins,
)

TANH, RELU = ACTIVATIONS["tanh"](), ACTIVATIONS["relu"]()
PRELU = ACTIVATIONS["prelu"](per_unit=True)
KINDS = {"full": Full(), "chunked": Chunked(7, 3), "low_rank": LowRank(2), "film": Film()}
TOLD = {
    "tasks": {"n_tasks": 4, "embedding": 2},
    "contexts": {"n_context": 2},
    "both": {"n_tasks": 4, "embedding": 2, "n_context": 2},
    "static": {"n_tasks": 1, "embedding": 2},
}
STARTS = {"unequal": [0, 3, 4, 8], "equal": [0, 4, 8], "one row each": list(range(12))}
N_ROWS = 12

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
every_start = pytest.mark.parametrize("starts", STARTS.values(), ids=STARTS)
everything_told = pytest.mark.parametrize("told", TOLD)


def init_of(name, n, gain=1.0):
    return ((INITIALIZERS[name](), gain),) * n


def network_of(kind, told="both", sizes=(3, 5, 4, 2), activations=(TANH, PRELU), **options):
    body, f = options.pop("body", (6, 5)), options.pop("body_activations", TANH)
    gain = options.pop("gain", 1.0)
    return hyper_network(
        sizes,
        activations,
        init_of("he_uniform", len(sizes) - 1, gain),
        kind,
        body,
        (f,) * len(body),
        init_of("glorot_uniform", len(body)),
        **(TOLD[told] if isinstance(told, str) else told),
        **options,
    )


def initial(network, members=2, seed=0):
    """Starting parameters of which none is exactly 0."""
    theta = network.initial([np.random.default_rng([seed, i]) for i in range(members)])
    return theta + np.random.default_rng(seed).normal(scale=0.05, size=theta.shape)


def batch_of(network, starts, n_rows=N_ROWS, n_raw=None, seed=1):
    """Rows in groups; where there are more groups than tasks, tasks come again."""
    rng, n = np.random.default_rng(seed), len(starts)
    told = network.told
    tasks = allowed = None
    if told.embeddings is not None:
        n_tasks = told.embeddings.shape[0]
        tasks = np.sort(np.arange(n) % n_tasks)
        if n_raw is not None:
            allowed = rng.random((n_tasks, n_raw)) < 0.6
            allowed[:, 0] = True
            allowed = allowed[tasks]
    contexts = rng.normal(size=(1, n, told.n_context)) if told.n_context else None
    n_in = network.layers[0].n_in
    x = rng.normal(size=(1, n_rows, n_in))
    return GroupedRows(x, np.array(starts), tasks, contexts, allowed)


def group_of_rows(x):
    return np.repeat(np.arange(len(x)), np.diff(x.starts, append=x.n_rows))


def values(objective, theta, x, y, weight):
    """Loss of every member, by a forward pass alone."""
    workspace = objective.network.workspace(len(theta), np.float64)
    raw = objective.network.forward(theta, x, workspace.caches(x.n_rows))
    return row_losses(objective.loss, y, raw, weight, workspace.work).sum(axis=1)


def numeric_grad(value, theta, h=1e-5):
    """Central differences by all parameters at once: shifted copies are members."""
    steps = h * np.eye(theta.shape[1])
    rows = [value(np.concatenate([row + steps, row - steps])) for row in theta]
    up, down = np.array(rows).reshape(len(theta), 2, -1).swapaxes(0, 1)
    return (up - down) / (2 * h)


def value_and_grad(objective, theta, x, y, weight=None, **options):
    workspace = objective.workspace(len(theta), theta.dtype, **options)
    grad = np.full_like(theta, np.nan)
    return objective.value_and_grad(theta, x, y, weight, workspace, grad), grad


def assert_gradient(objective, x, y, weight, members=2):
    """Of every block of parameters within 1e-6 of the largest derivative by one of them."""
    network = objective.network
    theta = initial(network, members)
    value, grad = value_and_grad(objective, theta, x, y, weight)
    np.testing.assert_allclose(value, values(objective, theta, x, y, weight), rtol=1e-12)
    numeric = numeric_grad(lambda shifted: values(objective, shifted, x, y, weight), theta)
    offset = network.layers[-2].block
    np.testing.assert_array_equal(offset.view(grad), 0.0)
    offset.view(numeric)[...] = 0.0
    assert np.abs(numeric).max() > 1e-2
    assert np.abs(grad - numeric).max() <= 1e-6 * np.abs(numeric).max()
    for block in blocks_of(network):
        own, expected = block.view(grad), block.view(numeric)
        assert np.abs(own - expected).max() <= 1e-5 * np.abs(expected).max() + 1e-9, block


def blocks_of(network):
    way = network.ways[0]
    layers = (*way.writer.layers, *way.main.layers)
    blocks = {block.offset: block for layer in layers for block in layer.blocks}
    return list(blocks.values())


# Gradients


@every_start
@everything_told
@every_kind
def test_gradient(kind, told, starts):
    network = network_of(kind, told)
    x, rng = batch_of(network, starts), np.random.default_rng(2)
    y, weight = rng.normal(size=(N_ROWS, 2)), rng.uniform(0.2, 2.0, N_ROWS)
    assert_gradient(Objective(network, SquaredError()), x, y, weight)


def test_gradient_of_chunks_that_are_told_their_place_only():
    network = network_of(Chunked(7, 3), {})
    x, rng = batch_of(network, [0]), np.random.default_rng(2)
    assert_gradient(Objective(network, SquaredError()), x, rng.normal(size=(N_ROWS, 2)), None)


@pytest.mark.parametrize("kind", [Full(), Chunked(5, 2)], ids=type)
@every_start
def test_gradient_without_hidden_layers_of_the_writer(kind, starts):
    for sizes in ((3, 4, 2), (3, 2)):
        network = network_of(kind, "both", sizes, (TANH,) * (len(sizes) - 2), body=())
        x, y = batch_of(network, starts), np.random.default_rng(2).normal(size=(N_ROWS, 2))
        assert_gradient(Objective(network, SquaredError()), x, y, None, members=1)


LOSSES = [
    *(("regression", loss()) for loss in REGRESSION_LOSSES.values()),
    *((kind, loss()) for kinds in CLASSIFICATION_LOSSES.values() for kind, loss in kinds.items()),
]
LOSSES = list(dict.fromkeys(LOSSES))


def targets_for(sort, loss, x, n_raw, rng):
    """y in the domain of the loss; of the classes that a row can have."""
    if sort == "multiclass":
        codes = np.arange(x.n_rows) % n_raw
        if x.allowed is None:
            return codes
        allowed = x.allowed[group_of_rows(x)]
        return np.array([rng.choice(np.flatnonzero(row)) for row in allowed])
    if sort != "regression":
        return rng.integers(2, size=(x.n_rows, n_raw)).astype(float)
    y = rng.normal(size=(x.n_rows, n_raw))
    return y if loss.domain.contains(-1.0) else np.exp(y)


@pytest.mark.parametrize("starts", [STARTS["unequal"], STARTS["one row each"]], ids=["few", "many"])
@pytest.mark.parametrize(("sort", "loss"), LOSSES, ids=str)
@every_kind
def test_gradient_of_every_loss(kind, sort, loss, starts):
    n_raw = {"regression": 2, "binary": 1, "multiclass": 4, "multilabel": 3}[sort]
    network = network_of(kind, "both", (3, 4, n_raw), (TANH,), body=(4,))
    for weighted, masked in ((False, False), (True, sort == "multiclass")):
        rng = np.random.default_rng(3)
        x = batch_of(network, starts, n_raw=n_raw if masked else None)
        y = targets_for(sort, loss, x, n_raw, rng)
        weight = rng.uniform(0.2, 2.0, N_ROWS) if weighted else None
        assert_gradient(Objective(network, loss), x, y, weight)


@pytest.mark.parametrize("loss", [SoftmaxLogLoss(), CrammerSinger(), WestonWatkins()], ids=str)
@every_start
@every_kind
def test_classes_that_a_task_does_not_have_are_as_if_they_were_not_there(kind, starts, loss):
    network = network_of(kind, "tasks", (3, 4, 5), (TANH,))
    theta, x = initial(network), batch_of(network, starts)
    allowed = np.array([True, False, True, True, False])
    masked = GroupedRows(x.x, x.starts, x.tasks, None, np.tile(allowed, (len(x), 1)))
    y = np.random.default_rng(3).choice([0, 2, 3], size=N_ROWS)
    value, grad = value_and_grad(Objective(network, loss), theta, masked, y)
    workspace = network.workspace(2, np.float64)
    raw = network.forward(theta, x, workspace.caches(N_ROWS))[..., allowed].copy()
    alone = row_losses(loss, np.searchsorted([0, 2, 3], y), raw, None, workspace.work).sum(axis=1)
    np.testing.assert_allclose(value, alone, rtol=1e-12)
    assert np.isfinite(grad).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_start
@every_kind
def test_a_batch_in_parts_is_the_same(monkeypatch, kind, starts, dtype):
    network = network_of(kind, "both", (3, 4, 3), (PRELU,))
    theta = initial(network).astype(dtype)
    x = batch_of(network, starts, n_raw=3)
    x = GroupedRows(x.x.astype(dtype), x.starts, x.tasks, x.contexts.astype(dtype), x.allowed)
    rng = np.random.default_rng(3)
    y, weight = targets_for("multiclass", None, x, 3, rng), rng.uniform(0.2, 2, N_ROWS)
    objective = Objective(network, SoftmaxLogLoss())
    value, grad = value_and_grad(objective, theta, x, y, weight.astype(dtype))
    for groups in (1, 2):
        monkeypatch.setattr(HyperNetwork, "groups_at_once", lambda self, m, g=groups: g)
        again = value_and_grad(objective, theta, x, y, weight.astype(dtype))
        eps = 50 * np.finfo(dtype).eps
        np.testing.assert_allclose(again[0], value, rtol=eps)
        np.testing.assert_allclose(again[1], grad, rtol=eps, atol=eps * np.abs(grad).max())


@every_kind
def test_what_exists_at_a_time_is_bounded(monkeypatch, kind):
    """By entries of the widest array of the writing network, or of effective parameters."""
    network = network_of(kind)
    written, both = (network.groups_at_once(3, effective) for effective in (False, True))
    assert both <= written
    assert 3 * written * network.n_values <= hyper.WRITTEN_AT_ONCE
    assert 3 * both * max(network.n_main, network.n_values) <= hyper.WRITTEN_AT_ONCE
    monkeypatch.setattr(hyper, "WRITTEN_AT_ONCE", 1)
    assert network.groups_at_once(3) == network.groups_at_once(3, True) == 1


def test_batches_of_all_shapes_can_share_a_workspace(monkeypatch):
    """Neither rows nor groups of earlier batches leave anything behind."""
    monkeypatch.setattr(hyper, "WRITTEN_AT_ONCE", 400)
    for kind in KINDS.values():
        network = network_of(kind, "both")
        objective, theta = Objective(network, SquaredError()), initial(network)
        workspace, grad = objective.workspace(2, np.float64), np.empty_like(theta)
        for starts, n_rows in (([0, 3], 9), (range(7), 7), ([0, 1, 5, 8], 20), ([0], 2), ([0], 1)):
            x = batch_of(network, list(starts), n_rows)
            y = np.random.default_rng(n_rows).normal(size=(n_rows, 2))
            value = objective.value_and_grad(theta, x, y, None, workspace, grad)
            fresh = value_and_grad(objective, theta, x, y)
            np.testing.assert_array_equal(value, fresh[0])
            np.testing.assert_array_equal(grad, fresh[1])


def directional_error(objective, x, y, seeds=(1, 2)):
    """Relative error of derivatives in a direction, with the same noise at every evaluation."""
    theta, rng = initial(objective.network), np.random.default_rng(5)

    def at(theta):
        rngs = [np.random.default_rng(seed) for seed in seeds]
        return value_and_grad(objective, theta, x, y, training=True, rngs=rngs)

    v = rng.normal(size=theta.shape)
    objective.network.layers[-2].block.view(v)[...] = 0.0
    numeric = (at(theta + 1e-6 * v)[0] - at(theta - 1e-6 * v)[0]) / 2e-6
    return np.abs((at(theta)[1] * v).sum(axis=1) - numeric).max() / np.abs(numeric).max()


@every_start
@every_kind
def test_gradient_through_dropout(kind, starts):
    network = network_of(kind, "both", activations=(TANH, TANH), dropout=(0.4, 0.3))
    x, y = batch_of(network, starts), np.random.default_rng(3).normal(size=(N_ROWS, 2))
    assert directional_error(Objective(network, SquaredError()), x, y) < 1e-6


@every_kind
def test_dropout_in_parts_is_that_of_the_loss(monkeypatch, kind):
    """Parts go forward twice, and both times have to meet the same noise."""
    network = network_of(kind, "both", activations=(TANH, TANH), dropout=(0.4, 0.3))
    monkeypatch.setattr(hyper, "WRITTEN_AT_ONCE", 1)
    x, y = batch_of(network, [0, 3, 4, 8]), np.random.default_rng(3).normal(size=(N_ROWS, 2))
    assert directional_error(Objective(network, SquaredError()), x, y) < 1e-6


def test_members_do_not_see_each_other():
    for kind in KINDS.values():
        network = network_of(kind, "both", dropout=(0.3, 0.3))
        objective, theta = Objective(network, SquaredError()), initial(network, 3)
        y = np.random.default_rng(3).normal(size=(N_ROWS, 2))
        for starts in STARTS.values():
            x = batch_of(network, starts)

            def run(members, x=x, objective=objective, theta=theta, y=y):
                options = {"training": True, "rngs": [np.random.default_rng(m) for m in members]}
                return value_and_grad(objective, theta[members], x, y, **options)

            value, grad = run([0, 1, 2])
            for member in range(3):
                alone = run([member])
                np.testing.assert_allclose(value[member], alone[0][0], rtol=1e-12)
                np.testing.assert_allclose(grad[member], alone[1][0], rtol=1e-9, atol=1e-12)


@every_kind
def test_derivatives_in_directions_are_refused(kind):
    """They are for contractive penalties, which networks without a side input have."""
    network = network_of(kind)
    for layer in (network.told, network.layers[0], network.layers[-1]):
        for passed in (layer.tangent, layer.tangent_backward):
            with pytest.raises(NotImplementedError):
                passed(*[None] * (3 if passed == layer.tangent else 4))


# Ways


def written_by_hand(network, theta, x):
    """(members, groups, n_values) from the formulas, one group and chunk after another."""
    told, (_, *body, head) = network.told, network.ways[0].writer.layers
    out = np.zeros((len(theta), len(x), network.n_values))
    for m, row in enumerate(theta[:, np.newaxis]):
        for g in range(len(x)):
            u = []
            if told.embeddings is not None:
                u.append(told.embeddings.view(row)[0, x.tasks[g]])
            if told.n_context:
                u.append(x.contexts[0, g])
            pieces = []
            for layer, n_chunks in enumerate(told.chunks):
                for place in range(n_chunks):
                    h = list(u)
                    if told.layer_codes is not None:
                        codes = told.layer_codes.view(row)[0], told.place_codes.view(row)[0]
                        h.append(codes[0][layer] + codes[1][place])
                    h = np.concatenate(h)
                    for dense in body:
                        if isinstance(dense, Dense):
                            h = h @ dense.weight.view(row)[0] + dense.bias.view(row)[0, 0]
                        else:
                            h = np.tanh(h)
                    pieces.append(h @ head.weight.view(row)[0] + head.bias.view(row)[0, 0])
            out[m, g] = np.concatenate(pieces)
    return out


def outputs_by_hand(network, theta, x):
    """(members, rows, n_raw) by a loop over rows, with the weights that are written for each."""
    workspace = network.workspace(len(theta), np.float64)
    pairs = network.effective(theta, network.written(theta, x, workspace).copy())
    slopes = [layer.slopes for layer in network.layers if isinstance(layer, Activate)]
    out = []
    for row, g in enumerate(group_of_rows(x)):
        a = np.repeat(x.x[:, row], len(theta), axis=0)
        for k, (weight, bias) in enumerate(pairs):
            a = np.einsum("mi,mio->mo", a, weight[:, g]) + bias[:, g]
            if k < len(slopes) and slopes[k] is None:
                a = np.tanh(a)
            elif k < len(slopes):
                a = np.where(a > 0, a, slopes[k].view(theta)[:, 0] * a)
        if x.allowed is not None:
            a[:, ~x.allowed[g]] = Allowed.NEVER
        out.append(a)
    return np.stack(out, axis=1)


@everything_told
@every_kind
def test_what_is_written_is_what_the_formulas_say(kind, told):
    network = network_of(kind, told)
    theta, x = initial(network), batch_of(network, STARTS["unequal"])
    expected = written_by_hand(network, theta, x)
    if kind is KINDS["chunked"]:
        # Layers of 20, 24 and 10 parameters take 3, 4 and 2 chunks of 7.
        assert network.told.chunks == (3, 4, 2)
        gains, factor = (TANH.gain, PRELU.gain, PRELU.gain), np.abs(network.factor)
        for start, n_in, n_out, gain in zip((0, 21, 49), (3, 5, 4), (5, 4, 2), gains, strict=True):
            n, unit = n_in * n_out, gain * factor[0] / (TANH.gain / 6**0.5)
            np.testing.assert_allclose(factor[start : start + n], unit / (2 * n_in) ** 0.5)
            np.testing.assert_allclose(factor[start + n : start + n + n_out], unit * 0.5**0.5)
        assert abs(np.sign(network.factor).mean()) < 0.4
        expected *= network.factor
    workspace = network.workspace(2, np.float64)
    written = network.written(theta, x, workspace)
    np.testing.assert_allclose(written, expected, rtol=1e-12, atol=1e-14)


def test_weights_of_full_modulation_stand_one_after_another():
    network = network_of(Full(), "tasks")
    theta, x = initial(network), batch_of(network, STARTS["unequal"])
    values = written_by_hand(network, theta, x)
    (w, b), *_, (_, last) = network.effective(theta, values)
    np.testing.assert_array_equal(w, values[..., :15].reshape(2, 4, 3, 5))
    np.testing.assert_array_equal(b, values[..., 15:20])
    offset = network.layers[-2].block.view(theta)
    np.testing.assert_allclose(last, values[..., -2:] + offset, rtol=1e-15)


@every_start
@everything_told
@every_kind
def test_every_way_is_the_loop_over_rows(monkeypatch, kind, told, starts):
    network = network_of(kind, told)
    theta = initial(network)
    x = batch_of(network, starts, n_raw=2)
    expected = outputs_by_hand(network, theta, x)
    y = np.random.default_rng(3).normal(size=(N_ROWS, 2))
    grads = []
    for way in range(len(network.ways)):
        monkeypatch.setattr(HyperNetwork, "_way", lambda self, x, way=way: way)
        workspace = network.workspace(2, np.float64)
        raw = network.forward(theta, x, workspace.caches(N_ROWS))
        np.testing.assert_allclose(raw, expected, rtol=1e-10, atol=1e-10)
        without = GroupedRows(x.x, x.starts, x.tasks, x.contexts)
        grads.append(value_and_grad(Objective(network, SquaredError()), theta, without, y)[1])
    np.testing.assert_allclose(grads[-1], grads[0], rtol=1e-10, atol=1e-10)
    assert len(grads) == 1 + (kind is KINDS["full"])


def table_of(network, n=50, seed=4):
    """Rows in no order: two columns of context of few values, and tasks."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3 + network.told.n_context))
    contexts = X[:, 3:]
    contexts[...] = rng.choice([-1.0, 0.5, 2.0], size=contexts.shape)
    tasks = rng.integers(4, size=n)
    codes = None if network.told.embeddings is None else tasks
    groups = group_numbers(tasks if codes is not None else np.zeros(n, int), contexts)
    width = X.shape[1]
    rows = TaskRows(DenseRows(X), groups, codes, np.arange(3), np.arange(3, width), width)
    alone = GroupedRows(X[np.newaxis, :, :3], np.arange(n), codes, contexts[np.newaxis])
    return rows, alone


@pytest.mark.parametrize("told", ["tasks", "contexts", "both"])
@every_kind
def test_outputs_do_not_depend_on_the_order_of_rows(kind, told):
    network = network_of(kind, told)
    theta = initial(network)
    rows, alone = table_of(network)
    expected = outputs_by_hand(network, theta, alone)
    for seed, block in ((0, None), (1, 16), (2, 1)):
        index = rows.arranged(np.random.default_rng(seed).permutation(50))
        out = np.full_like(expected, np.nan)
        out[:, index] = evaluate(network, theta, rows, index, block=block)
        np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-10)


def test_weights_of_groups_are_formed_only_where_groups_have_rows():
    network = network_of(Full(), "both")
    for starts, rowwise in (([0, 3, 6, 9], False), (range(6), False), (range(7), True)):
        workspace = network.workspace(2, np.float64)
        network.forward(initial(network), batch_of(network, list(starts)), workspace)
        assert [hasattr(side, "values") for side in workspace.sides] == [not rowwise, rowwise]


# Counts


class Kernels:
    """The static hypernetwork of Ha, Dai and Le (2017), equation 2, from the engine's pieces.

    Each of D embeddings z gives a kernel (n_in, f * n_out * f), one slice for each of the n_in
    input channels: a_i = W_i z + B_i, K_i = W_out a_i + B_out.
    """

    def __init__(self, f, n_in, n_out, n_z, d, n_embeddings):
        layout = Layout()
        told = Told(layout.block(n_embeddings, n_z))
        pairs = [(n_z, n_in * d), (d, f * n_out * f)]
        weights = [layout.block(*pair) for pair in pairs]
        n_weights = layout.size
        first, second = (Dense(w, layout.block(1, w.shape[1])) for w in weights)
        self.n_embeddings, self.n_in, self.d = n_embeddings, n_in, d
        self.networks = [
            Network(layers, layout.size, n_weights) for layers in ((told, first), (second,))
        ]
        rows = n_embeddings, n_embeddings * n_in
        spaces = [
            Workspace(network, 1, np.float64, input_grad=network is self.networks[1])
            for network in self.networks
        ]
        self.caches = [space.caches(n) for space, n in zip(spaces, rows, strict=True)]
        self.n_generated = n_embeddings * n_in * f * n_out * f

    @property
    def n_params(self):
        blocks = [b for network in self.networks for layer in network.layers for b in layer.blocks]
        assert sum(block.size for block in blocks) == self.networks[0].n_params
        return self.networks[0].n_params

    def forward(self, theta):
        told = GroupedRows(
            np.empty((1, self.n_embeddings, 0)),
            np.arange(self.n_embeddings),
            np.arange(self.n_embeddings),
        )
        a = self.networks[0].forward(theta, told, self.caches[0])
        return self.networks[1].forward(theta, a.reshape(1, -1, self.d), self.caches[1])

    def backward(self, theta, d, grad):
        d = self.networks[1].backward(theta, d, self.caches[1], grad)
        d = np.ascontiguousarray(d).reshape(1, self.n_embeddings, -1)
        self.networks[0].backward(theta, d, self.caches[0], grad)


def test_a_published_hypernetwork_has_4244_parameters():
    """MNIST: one 7x7 kernel of 16 by 16 channels; 4,240 and an embedding of 4 for 12,544."""
    kernels = Kernels(f=7, n_in=16, n_out=16, n_z=4, d=4, n_embeddings=1)
    assert kernels.n_params == 4_244
    assert kernels.n_generated == 12_544


def test_a_published_hypernetwork_has_91408_parameters():
    """CIFAR-10, wide residual network 40-1: all kernels are tiled from 16 by 16 channels.

    36 layers in three groups of 16, 32 and 64 channels take 242 embeddings of size 64.
    """
    pairs = [(16, 16)] * 12
    pairs += [(16, 32)] + [(32, 32)] * 11
    pairs += [(32, 64)] + [(64, 64)] * 11
    n_embeddings = sum(n_in * n_out // 16**2 for n_in, n_out in pairs)
    assert (len(pairs), n_embeddings) == (36, 242)
    kernels = Kernels(f=3, n_in=16, n_out=16, n_z=64, d=64, n_embeddings=n_embeddings)
    assert kernels.n_params == 91_408
    assert kernels.n_generated == 557_568


def test_the_published_hypernetwork_is_its_formula_and_has_its_gradient():
    f, n_in, n_out, n_z, d, n_embeddings = 2, 3, 4, 5, 2, 3
    kernels = Kernels(f, n_in, n_out, n_z, d, n_embeddings)
    expected = n_z * n_embeddings + d * (n_z + 1) * n_in + f * n_out * f * (d + 1)
    assert kernels.n_params == expected
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(1, expected))
    z, w, w_out, b, b_out = np.split(theta[0], np.cumsum([15, 30, 32, 6]))
    a = z.reshape(3, 5) @ w.reshape(5, 6) + b
    by_hand = a.reshape(3, n_in, d) @ w_out.reshape(2, 16) + b_out
    np.testing.assert_allclose(kernels.forward(theta).reshape(by_hand.shape), by_hand, rtol=1e-12)
    target, grad = rng.normal(size=by_hand.shape), np.full_like(theta, np.nan)
    kernels.backward(theta, target.reshape(1, 9, 16).copy(), grad)
    steps = 1e-5 * np.eye(expected)
    up, down = (
        [(kernels.forward(theta + sign * step).ravel() * target.ravel()).sum() for step in steps]
        for sign in (1, -1)
    )
    numeric = (np.array(up) - down) / 2e-5
    np.testing.assert_allclose(grad[0], numeric, rtol=1e-6, atol=1e-7)


def test_numbers_of_parameters():
    """A main network 64-64-64-1 under a body of one hidden layer of 32, five tasks.

    What the last layer of the body feeds is counted as the reference counts it, with two
    exceptions. FiLM modulates the output layer too, 33 * 2 * 129 = 8,514 in place of the 8,448 for
    the hidden layers alone. Chunks of 256 do not reach from one layer into the next, which takes
    17 + 17 + 1 in place of 33, and the code of a chunk is the sum of that of its layer and that of
    its place, (3 + 17) * 8 = 160 parameters in place of 33 * 8 = 264.
    """
    sizes, pairs = (64, 64, 64, 1), ((64, 64), (64, 64), (64, 1))
    n_main = sum((n_in + 1) * n_out for n_in, n_out in pairs)
    n_biases = sum(n_out for _, n_out in pairs)
    assert (n_main, n_biases) == (8_385, 129)
    table, body = 5 * 8, (8 + 1) * 32
    head = {
        "full": 33 * n_main,
        "low_rank": 33 * (3 * 4 + n_biases) + sum(4 * (n_in + n_out) for n_in, n_out in pairs),
        "film": 33 * 2 * n_biases,
        "chunked": 33 * 256,
    }
    assert head["full"] == 276_705
    assert head["low_rank"] == 5_937
    assert head["film"] - 33 * 2 == 8_448
    assert head["chunked"] + 33 * 8 == 8_712
    others = {
        "full": 0,
        "low_rank": n_main - n_biases,
        "film": n_main,
        # The code of a chunk is among what the body is told.
        "chunked": (3 + 17) * 8 + 8 * 32,
    }
    for name, settings in {"low_rank": (4,), "chunked": (256, 8)}.items() | {
        ("full", ()),
        ("film", ()),
    }:
        network = network_of(
            MODULATIONS[name](*settings),
            {"n_tasks": 5, "embedding": 8},
            sizes,
            (RELU, RELU),
            body=(32,),
            body_activations=RELU,
        )
        assert network.n_learned == table + body + head[name] + others[name], name
        assert network.n_main == n_main
        assert network.n_params == network.n_learned + 1
        theta = network.initial([np.random.default_rng(0)])
        assert theta.shape == (1, network.n_params)
        assert sum(block.size for block in blocks_of(network)) == network.n_params


def test_contexts_and_slopes_are_counted():
    """Three more columns widen the first layer of the body by three rows; PReLU has slopes."""
    for kind in KINDS.values():
        plain = network_of(kind, "tasks", activations=(TANH, TANH)).n_learned
        more = network_of(kind, {**TOLD["tasks"], "n_context": 3}, activations=(TANH, PRELU))
        assert more.n_learned == plain + 3 * 6 + 4


# The start


def starting_variances(network, theta, n_rows=512):
    """n_in * Var(W) and Var(z) of all dense layers, means over tasks, for standard normal rows."""
    n_tasks = network.told.embeddings.shape[0]
    rng = np.random.default_rng(9)
    groups = GroupedRows(np.empty((1, n_tasks, 0)), np.arange(n_tasks), np.arange(n_tasks))
    pairs = network.effective(
        theta, network.written(theta, groups, network.workspace(1, np.float64))
    )
    a = rng.normal(size=(n_tasks, n_rows, pairs[0][0].shape[2]))
    weights, outputs = [], []
    for weight, bias in pairs:
        z = a @ weight[0] + bias[0][:, np.newaxis]
        weights.append(weight.shape[2] * np.mean([w.var() for w in weight[0]]))
        outputs.append(np.mean([part.var() for part in z]))
        a = np.maximum(z, 0.0)
    return np.array(weights), np.array(outputs)


def keeps_its_size(weights, outputs):
    """Whether Var(W) is 1 / n_in within a factor of 2, and hidden layers have the same Var(z)."""
    hidden = outputs[:-1]
    return ((weights > 0.5) & (weights < 2.0)).all() and hidden.max() < 2.0 * hidden.min()


DEEP = (128, 256, 256, 256, 10)


def deep_network(kind, sizes=DEEP):
    return network_of(
        kind,
        {"n_tasks": 4, "embedding": 8},
        sizes,
        (RELU,) * (len(sizes) - 2),
        gain=RELU.gain,
        body=(64, 64),
        body_activations=RELU,
    )


def starts_of(network, seeds):
    """Geometric means over seeds of what `starting_variances` returns."""
    drawn = [network.initial([np.random.default_rng(seed)]) for seed in range(seeds)]
    logs = [np.log(starting_variances(network, theta)) for theta in drawn]
    return np.exp(np.mean(logs, axis=0))


@pytest.mark.parametrize(
    ("kind", "seeds"), [(Full(), 1), (Chunked(1636, 8), 6), (Chunked(500, 8), 6)], ids=repr
)
def test_hyperfan_in_keeps_signals_in_size(kind, seeds):
    network = deep_network(kind)
    assert keeps_its_size(*starts_of(network, seeds))
    theta = network.initial([np.random.default_rng(0)])
    # He et al. (2015) for the last layer of the writing network, as if it were any other.
    head, rng = network.ways[0].writer.layers[-1].weight, np.random.default_rng(1)
    factor = 1.0 if network.factor is None else np.abs(network.factor).mean()
    head.view(theta)[...] = rng.normal(0.0, (2 / 64) ** 0.5 / factor, head.shape)
    weights, outputs = starting_variances(network, theta)
    assert not keeps_its_size(weights, outputs)
    assert outputs[2] > 20 * outputs[0]


@pytest.mark.parametrize("chunk", [16, 64, 100])
def test_small_chunks_do_not_add_up(chunk):
    """Chunks of one task are alike, and so would be the rows of W if each were a chunk."""
    assert keeps_its_size(*starts_of(deep_network(Chunked(chunk, 8), (64,) * 4 + (3,)), 8))


@pytest.mark.parametrize("kind", [LowRank(4), Film()], ids=repr)
def test_common_weights_that_are_modulated_keep_signals_in_size(kind):
    """Their common weights are drawn as those of any network, with gain^2 / n_in."""
    weights, outputs = starts_of(deep_network(kind), 2)
    assert keeps_its_size(weights / RELU.gain**2, outputs)


# Memory


def peak(run):
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def wide(kind):
    network = network_of(
        kind, {"n_context": 2}, (10, 128, 128, 1), (RELU, RELU), body=(16,), body_activations=RELU
    )
    assert network.n_main == 18_049
    return network


def contexts_of(n_rows):
    """As many different contexts as rows, as a batch and as a table."""
    rng = np.random.default_rng(0)
    X, none = rng.normal(size=(n_rows, 12)), np.zeros(n_rows, int)
    batch = GroupedRows(X[np.newaxis, :, :10], np.arange(n_rows), None, X[np.newaxis, :, 10:])
    groups = group_numbers(none, X[:, 10:])
    return batch, TaskRows(DenseRows(X), groups, None, np.arange(10), np.array([10, 11]), 12)


def peak_of_a_step(network, n_rows):
    theta, (x, _) = network.initial([np.random.default_rng(0)]), contexts_of(n_rows)
    y = np.random.default_rng(1).normal(size=(n_rows, 1))
    return peak(lambda: value_and_grad(Objective(network, SquaredError()), theta, x, y))


@pytest.mark.parametrize("kind", [Full(), Chunked(1024, 4), LowRank(4), Film()], ids=repr)
def test_rows_with_contexts_of_their_own_do_not_get_weights_of_their_own(monkeypatch, kind):
    """Their weights would take 289 MB, and their gradients as much; all memory is an eighth.

    Full modulation takes 19 MB, the chunked one some arrays of the 4 MB that it may use, and the
    others a few arrays as wide as a layer.
    """
    monkeypatch.setattr(hyper, "WRITTEN_AT_ONCE", 2**19)
    network, n_rows = wide(kind), 2000
    weights = n_rows * network.n_main * 8
    assert peak_of_a_step(network, n_rows) < weights / 8
    theta, (_, rows) = network.initial([np.random.default_rng(0)]), contexts_of(n_rows)
    index = rows.arranged(slice(None))
    assert peak(lambda: evaluate(network, theta, rows, index)) < weights / 8


def test_weights_of_all_rows_would_be_seen(monkeypatch):
    """That they are in the memory that the test before measures, if they are formed."""
    monkeypatch.setattr(HyperNetwork, "_way", lambda self, x: 0)
    network = wide(Full())
    assert peak_of_a_step(network, 200) > 2 * 200 * network.n_main * 8


# The layers of both networks


def test_told_adds_up_over_groups_of_one_task():
    layout = Layout()
    told = Told(layout.block(4, 2), 1, layout.block(2, 3), layout.block(2, 3), chunks=(2, 1))
    network = Network((told,), layout.size, layout.size)
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(2, layout.size))
    tasks, contexts = np.array([1, 3, 1, 1]), rng.normal(size=(1, 4, 1))
    x = GroupedRows(np.empty((1, 4, 0)), np.arange(4), tasks, contexts)
    caches = Workspace(network, 2, np.float64).caches(12)
    u = network.forward(theta, x, caches).reshape(2, 4, 3, 6)
    table, layers, places = (block.view(theta) for block in told.blocks)
    for g, task in enumerate(tasks):
        for c, (layer, place) in enumerate([(0, 0), (0, 1), (1, 0)]):
            code = layers[:, layer] + places[:, place]
            expected = np.concatenate(
                [table[:, task], np.tile(contexts[:, g], (2, 1)), code], axis=1
            )
            np.testing.assert_array_equal(u[:, g, c], expected)
    grad, d = np.full_like(theta, np.nan), rng.normal(size=(2, 4, 3, 6))
    assert network.backward(theta, d.reshape(2, 12, 6).copy(), caches, grad) is None
    d_table, d_layers, d_places = (block.view(grad) for block in told.blocks)
    own = d[..., :2].sum(axis=2)
    np.testing.assert_allclose(d_table[:, 1], own[:, [0, 2, 3]].sum(axis=1), rtol=1e-13)
    np.testing.assert_array_equal(d_table[:, 3], own[:, 1])
    np.testing.assert_array_equal(d_table[:, [0, 2]], 0.0)
    codes = d[..., 3:].sum(axis=1)
    np.testing.assert_allclose(d_layers[:, 0], codes[:, :2].sum(axis=1), rtol=1e-13)
    np.testing.assert_array_equal(d_layers[:, 1], codes[:, 2])
    np.testing.assert_allclose(d_places[:, 0], codes[:, 0] + codes[:, 2], rtol=1e-13)
    np.testing.assert_array_equal(d_places[:, 1], codes[:, 1])


def test_the_offset_is_added_and_never_learned():
    layout = Layout()
    layer = Offset(layout.block(1, 2))
    network = Network((layer,), layout.size, 0)
    theta, x = np.array([[1.0, -2.0], [0.5, 3.0]]), np.zeros((2, 5, 2))
    caches = Workspace(network, 2, np.float64).caches(5)
    out = network.forward(theta, x, caches)
    np.testing.assert_array_equal(out, np.repeat(theta[:, np.newaxis], 5, axis=1))
    grad, d = np.full_like(theta, np.nan), np.ones((2, 5, 2))
    assert network.backward(theta, d, caches, grad) is d
    np.testing.assert_array_equal(grad, 0.0)
    np.testing.assert_array_equal(d, 1.0)
    for kind in KINDS.values():
        whole = network_of(kind)
        theta, x = initial(whole), batch_of(whole, [0, 5])
        before = whole.forward(theta, x, whole.workspace(2, np.float64)).copy()
        whole.start_from(theta, np.array([3.0, -1.0]) + theta[:, np.newaxis, -2:])
        after = whole.forward(theta, x, whole.workspace(2, np.float64))
        np.testing.assert_allclose(after - before, np.broadcast_to([3.0, -1.0], after.shape))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_that_a_group_cannot_have(dtype):
    network, side = Network((Allowed(3),), 0, 0), Side()
    caches = Workspace(network, 2, dtype, side=side).caches(4)
    x, theta = np.ones((2, 4, 3), dtype), np.empty((2, 0), dtype)
    side.point(np.array([0, 3]), 4)
    assert network.forward(theta, x, caches) is x
    np.testing.assert_array_equal(x, 1.0)
    d = np.ones_like(x)
    assert network.backward(theta, d, caches, theta) is d
    np.testing.assert_array_equal(d, 1.0)
    side.point(np.array([0, 3]), 4, np.array([[True, False, True], [True, True, False]]))
    out = network.forward(theta, x, caches)
    rows = np.array([[1, 0, 1]] * 3 + [[1, 1, 0]], bool)
    np.testing.assert_array_equal(out == 1.0, np.broadcast_to(rows, out.shape))
    assert (out[:, ~rows] < -1e17).all()
    assert np.isfinite(np.square(out)).all()
    np.testing.assert_array_equal(network.backward(theta, d, caches, theta), out == 1.0)
