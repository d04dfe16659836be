"""A network whose parameters are written by another network."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .groups import GroupedRows
from .layers import Activate, Dense, Dropout, Layer
from .memory import Block, Cache, Layout, Part, Scratch
from .modulated import Allowed, FilmDense, GroupedDense, LowRankDense, RowwiseDense, Side
from .network import Network, Workspace

# So many written parameters exist at a time, about 32 MB in float64; batches that need more are
# gone through in parts, whose forward pass is made again on the way back.
WRITTEN_AT_ONCE = 2**22


@dataclass(frozen=True)
class Told(Layer):
    """What a hypernetwork is told of a group: embedding of the task, context, code of a chunk.

    The output has a row for every group, or for every chunk of every group.

    Parameters
    ----------
    embeddings : Block of shape (n_tasks, size), optional
    n_context : int
    layer_codes, place_codes : Block of shape (n, size), optional
        Codes of layers, and of places within a layer; their sum is the code of a chunk.
    chunks : tuple of int
        Number of chunks of each layer.
    """

    embeddings: Block | None
    n_context: int = 0
    layer_codes: Block | None = None
    place_codes: Block | None = None
    chunks: tuple = (1,)

    @property
    def blocks(self):
        held = (self.embeddings, self.layer_codes, self.place_codes)
        return tuple(block for block in held if block is not None)

    @property
    def widths(self):
        code = 0 if self.layer_codes is None else self.layer_codes.shape[1]
        own = 0 if self.embeddings is None else self.embeddings.shape[1]
        return own, self.n_context, code

    def allocate(self, space):
        return Cache(space, u=space.array("u", sum(self.widths)))

    def forward(self, theta, x, cache):
        cache.told = x
        embedding, context, code = self._split(cache.u)
        if self.embeddings is not None:
            embedding[...] = self.embeddings.view(theta)[:, x.tasks, np.newaxis]
        if self.n_context:
            context[...] = x.contexts[:, :, np.newaxis]
        if self.layer_codes is not None:
            layers, places = self.layer_codes.view(theta), self.place_codes.view(theta)
            for k, part in enumerate(self._slices()):
                n = part.stop - part.start
                code[:, :, part] = (layers[:, k, np.newaxis] + places[:, :n])[:, np.newaxis]
        return cache.u

    def backward(self, theta, d, cache, grad):
        if not self.blocks:
            return None
        embedding, _, code = self._split(d)
        if self.embeddings is not None:
            target = self.embeddings.view(grad)
            target.fill(0.0)
            share = embedding.sum(axis=2)
            for member, part in zip(target, share, strict=True):
                np.add.at(member, cache.told.tasks, part)
        if self.layer_codes is not None:
            layers, places = self.layer_codes.view(grad), self.place_codes.view(grad)
            places.fill(0.0)
            share = code.sum(axis=1)
            for k, part in enumerate(self._slices()):
                layers[:, k] = share[:, part].sum(axis=1)
                places[:, : part.stop - part.start] += share[:, part]
        return None

    def tangent(self, theta, t, cache):
        raise NotImplementedError("What a hypernetwork is told has no derivative by the input.")

    tangent_backward = tangent

    def initialize(self, theta, rng):
        if self.embeddings is not None:
            self.embeddings.view(theta)[...] = rng.normal(size=self.embeddings.shape)
        if self.layer_codes is not None:
            for block in (self.layer_codes, self.place_codes):
                block.view(theta)[...] = rng.normal(0.0, 0.5**0.5, block.shape)

    def _split(self, u):
        """Views of shape (members, groups, chunks, ·) of the three parts."""
        u = u.reshape(len(u), -1, sum(self.chunks), u.shape[-1])
        own, context, _ = self.widths
        return u[..., :own], u[..., own : own + context], u[..., own + context :]

    def _slices(self):
        stops = np.cumsum(self.chunks).tolist()
        return [slice(a, b) for a, b in zip([0, *stops[:-1]], stops, strict=True)]


@dataclass(frozen=True)
class Offset(Layer):
    """z plus a constant from theta that is not learned: the best constant output at the start."""

    block: Block

    @property
    def blocks(self):
        return (self.block,)

    def allocate(self, space):
        return Cache(space)

    def forward(self, theta, x, cache):
        x += self.block.view(theta)
        return x

    def backward(self, theta, d, cache, grad):
        if grad is not None:
            self.block.view(grad).fill(0.0)
        return d

    def tangent(self, theta, t, cache):
        return t

    def tangent_backward(self, theta, d, cache, grad):
        return d


@dataclass(frozen=True)
class Way:
    """One way to compute: what writes for each group, and the network that reads it."""

    writer: Network
    main: Network


@dataclass(frozen=True)
class HyperNetwork(Network):
    """A network of which another one writes parameters for every group of rows.

    `layers` are those of the main network. Both networks have their learned parameters in the
    same theta. The input of all passes is `GroupedRows`.

    Parameters
    ----------
    told : Told
    ways : tuple of Way
        The first writes all parameters of a group at once; the second, which full modulation
        has, never forms them.
    n_values : int
        Number of values that are written for a group, gaps between chunks included.
    factor : ndarray of shape (n_values,) or None
        By which what chunks put out is multiplied.
    mean, sd : ndarray of shape (1, n_values)
        Of what is written at the start.
    """

    told: Told
    ways: tuple
    n_values: int
    mean: np.ndarray = field(compare=False)
    sd: np.ndarray = field(compare=False)
    factor: np.ndarray | None = field(compare=False, default=None)

    @property
    def n_learned(self):
        """Number of parameters that training changes."""
        return self.n_params - self.layers[-2].block.size

    @property
    def n_main(self):
        """Number of weights and biases that act on a row."""
        dense = (self.layers[i] for i in self.dense_positions())
        return sum((layer.n_in + 1) * layer.n_out for layer in dense)

    def dense_positions(self):
        dense = (Dense, GroupedDense)
        return [i for i, layer in enumerate(self.layers) if isinstance(layer, dense)]

    def workspace(self, members, dtype, **options):
        return HyperWorkspace(self, members, dtype, **options)

    def start_from(self, theta, raw):
        self.layers[-2].block.view(theta)[...] = raw

    def forward(self, theta, x, caches, stop=None):
        caches.batch = x
        way, at_once = self._choose(x, len(theta))
        if way or len(x) <= at_once:
            caches.parts = None
            return self._forward(way, theta, x, caches)
        caches.parts, out = list(x.parts(at_once)), None
        for rows, part in caches.parts:
            raw = self._forward(way, theta, part, caches)
            if out is None:
                out = caches.work("raw", (len(theta), x.n_rows, raw.shape[-1]))
            out[:, rows] = raw
        return out

    def backward(self, theta, d, caches, grad, stop=None, extra=None):
        way, _ = self._choose(caches.batch, len(theta))
        if caches.parts is None:
            self._backward(way, theta, d, caches, grad)
            return
        total = caches.work("grad of parts", grad.shape)
        total.fill(0.0)
        for rows, part in caches.parts:
            self._forward(way, theta, part, caches)
            self._backward(way, theta, np.ascontiguousarray(d[:, rows]), caches, grad)
            total += grad
        np.copyto(grad, total)

    def written(self, theta, groups, caches):
        """Values that are written for the groups, (members, groups, n_values)."""
        return self._write(0, theta, groups, caches)

    def written_backward(self, theta, d_values, caches, grad):
        """Overwrite `grad` by the gradient that follows from one of the last values written."""
        writer = self.ways[0].writer
        if self.factor is not None:
            d_values *= self.factor
        n_rows = d_values.shape[1] * sum(self.told.chunks)
        d = d_values.reshape(len(theta), n_rows, -1)
        grad.fill(0.0)
        writer.backward(theta, d, caches.writers[0].caches(n_rows), grad)

    def effective(self, theta, values):
        """Weights and biases of all dense layers, (members, groups, n_in, n_out) and so on."""
        pairs = [self.layers[i].effective(theta, values) for i in self.dense_positions()]
        weight, bias = pairs[-1]
        pairs[-1] = weight, bias + self.layers[-2].block.view(theta)
        return pairs

    def effective_backward(self, theta, values, d_pairs, grad, d_values):
        """Add to `grad` and `d_values` what gradients of effective parameters mean."""
        for i, pair in zip(self.dense_positions(), d_pairs, strict=True):
            self.layers[i].effective_backward(theta, values, *pair, grad, d_values)

    def initial(self, rngs):
        theta = np.zeros((len(rngs), self.n_params))
        for row, rng in zip(theta, rngs, strict=True):
            one = row[np.newaxis]
            for layer in (*self.ways[0].writer.layers[:-1], *self.layers):
                layer.initialize(one, rng)
            self._begin(one, rng)
        return theta

    def _begin(self, theta, rng):
        """Let what is written start with the means and standard deviations of the main layers.

        The size of the last hidden layer's output is measured, not assumed.
        """
        *body, head = self.ways[0].writer.layers
        told = self._some_groups(rng)
        n_rows = len(told) * sum(self.told.chunks)
        body = Network(tuple(body), self.n_params, 0)
        caches = Workspace(body, 1, np.float64).caches(n_rows)
        h = body.forward(theta, told, caches)
        size = np.sqrt(head.n_in * np.mean(np.square(h))) or 1.0
        mean, sd = (0.0, 1.0) if self.factor is not None else (self.mean, self.sd)
        head.weight.view(theta)[...] = rng.normal(size=head.weight.shape) * (sd / size)
        head.bias.view(theta)[...] = mean

    def _some_groups(self, rng):
        embeddings = self.told.embeddings
        n = 64 if self.told.n_context else 1
        if embeddings is not None:
            n = max(n, min(256, embeddings.shape[0]))
        return GroupedRows(
            np.empty((1, n, 0)),
            np.arange(n),
            None if embeddings is None else np.arange(n) % embeddings.shape[0],
            rng.normal(size=(1, n, self.told.n_context)),
        )

    def _choose(self, x, members):
        """Which way suits the batch, and how many groups can be written at once."""
        rowwise = len(self.ways) > 1 and 2 * len(x) > x.n_rows
        return int(rowwise), max(1, WRITTEN_AT_ONCE // (members * self.n_values))

    def _write(self, way, theta, x, caches):
        n_rows = len(x) * (1 if way else sum(self.told.chunks))
        writer = self.ways[way].writer
        values = writer.forward(theta, x, caches.writers[way].caches(n_rows))
        values = values.reshape(len(theta), len(x), -1)
        if self.factor is not None:
            values = np.multiply(values, self.factor, out=caches.work("values", values.shape))
        return values

    def _forward(self, way, theta, x, caches):
        side = caches.sides[way]
        side.point(x.starts, x.n_rows, x.allowed)
        side.values = self._write(way, theta, x, caches)
        side.grad = caches.work(("d values", way), side.values.shape)
        main = self.ways[way].main
        return main.forward(theta, x.x, caches.mains[way].caches(x.n_rows))

    def _backward(self, way, theta, d, caches, grad):
        side, n_rows = caches.sides[way], d.shape[1]
        if way or self.factor is not None:
            # One adds, the other leaves gaps.
            side.grad.fill(0.0)
        self.ways[way].main.backward(theta, d, caches.mains[way].caches(n_rows), grad)
        if self.factor is not None:
            side.grad *= self.factor
        n_written = side.grad.shape[1] * (1 if way else sum(self.told.chunks))
        d = side.grad.reshape(len(theta), n_written, -1)
        self.ways[way].writer.backward(theta, d, caches.writers[way].caches(n_written), grad)


class HyperWorkspace:
    """Workspaces of all networks that a `HyperNetwork` consists of, see `Workspace`."""

    # Nothing is computed without noise.
    clean = None

    def __init__(self, network, members, dtype, *, rngs=(), **options):
        self.network, self.members, self.rngs = network, members, tuple(rngs)
        self.work = Scratch(dtype)
        self.batch = self.parts = None
        self.sides = [Side() for _ in network.ways]
        self.writers = [Workspace(way.writer, members, dtype) for way in network.ways]
        self.mains = [
            Workspace(way.main, members, dtype, rngs=rngs, side=side, **options)
            for way, side in zip(network.ways, self.sides, strict=True)
        ]

    def caches(self, rows):
        """The workspace itself: how many groups there are is known with the batch."""
        return self


@dataclass(frozen=True)
class Full:
    """All weights and biases of the main network are written, each by an output of its own."""

    chunk = code = None
    layer = GroupedDense

    def written(self, values, n_in, n_out):
        """Blocks of a dense layer in what is written."""
        return {"weight": values.block(n_in, n_out), "bias": values.block(1, n_out)}

    def weights(self, layout, n_in, n_out):
        """Blocks of weights that the groups share."""
        return {}

    def biases(self, layout, n_out):
        """Blocks of biases that the groups share."""
        return {}

    def drawn(self, initializer, gain):
        """How shared weights are drawn."""
        return {}


@dataclass(frozen=True)
class Chunked(Full):
    """The same written in chunks of one size by one output layer, which is told which chunk.

    Chunks never reach from one layer into the next (Ha, Dai and Le 2017; von Oswald et al. 2020).
    """

    chunk: int
    code: int

    def written(self, values, n_in, n_out):
        values.align(self.chunk)
        blocks = super().written(values, n_in, n_out)
        values.align(self.chunk)
        return blocks


@dataclass(frozen=True)
class LowRank(Full):
    """The groups share W, U and V; written are the diagonal of a product and the biases."""

    rank: int
    layer = LowRankDense

    def written(self, values, n_in, n_out):
        return {"strengths": values.block(1, self.rank), "shift": values.block(1, n_out)}

    def weights(self, layout, n_in, n_out):
        return {
            "weight": layout.block(n_in, n_out),
            "left": layout.block(n_in, self.rank),
            "right": layout.block(self.rank, n_out),
        }

    def drawn(self, initializer, gain):
        return {"initializer": initializer, "gain": gain}


@dataclass(frozen=True)
class Film(Full):
    """The groups share weights and biases; written are a scale and a shift of every unit."""

    layer = FilmDense

    def written(self, values, n_in, n_out):
        return {"strengths": values.block(1, n_out), "shift": values.block(1, n_out)}

    def weights(self, layout, n_in, n_out):
        return {"weight": layout.block(n_in, n_out)}

    def biases(self, layout, n_out):
        return {"bias": layout.block(1, n_out)}

    def drawn(self, initializer, gain):
        return {"initializer": initializer, "gain": gain}


@lru_cache(maxsize=64)
def hyper_network(
    sizes,
    activations,
    initializers,
    modulation,
    body_sizes,
    body_activations,
    body_initializers,
    *,
    n_tasks=0,
    embedding=0,
    n_context=0,
    dropout=(),
):
    """A main network and the one that writes (some of) its parameters.

    Parameters
    ----------
    sizes, activations, initializers, dropout
        Of the main network, as `multilayer_perceptron` takes them.
    modulation : Full, Chunked, LowRank or Film
    body_sizes, body_activations, body_initializers : tuples
        Hidden layers of the writing network.
    n_tasks, embedding, n_context : int
        Rows and columns of the table of embeddings, and columns of context.
    """
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    values, layout = Layout(), Layout()
    written, ends = [], [0]
    for pair in pairs:
        written.append(modulation.written(values, *pair))
        ends.append(values.size)
    chunk = modulation.chunk or values.size
    chunks = tuple(np.diff(ends) // chunk) if modulation.chunk else (1,)
    chunks = tuple(map(int, chunks))
    embeddings = layout.block(n_tasks, embedding) if n_tasks else None
    width = embedding * bool(n_tasks) + n_context + (modulation.code or 0)
    body_pairs = list(zip([width, *body_sizes], [*body_sizes, chunk], strict=False))
    body_weights = [layout.block(*pair) for pair in body_pairs]
    weights = [modulation.weights(layout, *pair) for pair in pairs]
    n_weights = layout.size
    codes = [None, None]
    if modulation.chunk:
        codes = [layout.block(len(chunks), modulation.code)]
        codes.append(layout.block(max(chunks), modulation.code))
    told = Told(embeddings, n_context, *codes, chunks=chunks)
    writer = _writer(layout, told, body_weights, body_activations, body_initializers)
    dense = [
        modulation.layer(
            **weights[k],
            **written[k],
            **modulation.biases(layout, pairs[k][1]),
            **modulation.drawn(*initializers[k]),
        )
        for k in range(len(pairs))
    ]
    start = np.zeros((2, 1, values.size))
    for k, layer in enumerate(dense):
        layer.begin(*start, activations[min(k, len(activations) - 1)].gain if activations else 1.0)
    layers = _main(layout, dense, activations, dropout, sizes[-1])
    size = layout.size
    main = Network(layers, size, n_weights)
    ways = [Way(Network(writer, size, n_weights), main)]
    if type(modulation) is Full:
        ways.append(_rowwise(ways[0], written))
    factor = np.where(start[1, 0] > 0, start[1, 0], 1.0) if modulation.chunk else None
    return HyperNetwork(
        layers, size, n_weights, told, tuple(ways), values.size, *start, factor=factor
    )


def _writer(layout, told, weights, activations, initializers):
    """Layers of the writing network."""
    layers = [told]
    for weight, activation, (initializer, gain) in zip(
        weights[:-1], activations, initializers, strict=True
    ):
        n_out = weight.shape[1]
        layers.append(Dense(weight, layout.block(1, n_out), initializer=initializer, gain=gain))
        slopes = activation.n_slopes(n_out)
        layers.append(Activate(activation, n_out, layout.block(1, slopes) if slopes else None))
    layers.append(Dense(weights[-1], layout.block(1, weights[-1].shape[1])))
    return tuple(layers)


def _main(layout, dense, activations, dropout, n_raw):
    """Layers of the main network."""
    layers = []
    for k, layer in enumerate(dense):
        layers.append(layer)
        if k < len(activations):
            slopes = activations[k].n_slopes(layer.n_out)
            block = layout.block(1, slopes) if slopes else None
            layers.append(Activate(activations[k], layer.n_out, block))
        if k < len(dropout) and dropout[k] > 0:
            layers.append(Dropout(dropout[k], layer.n_out))
    return (*layers, Offset(layout.block(1, n_raw)), Allowed(n_raw))


def _rowwise(joint, written):
    """The way of full modulation that forms no weights, over the same theta."""
    *body, head = joint.writer.layers
    blocks = iter(written)

    def parts(block):
        return tuple(Part(held, block.offset, block.shape) for held in (head.weight, head.bias))

    layers = []
    for layer in joint.main.layers:
        if isinstance(layer, GroupedDense):
            own = next(blocks)
            layer = RowwiseDense(*parts(own["weight"]), *parts(own["bias"]))
        layers.append(layer)
    size, n_weights = joint.main.n_params, joint.main.n_weights
    return Way(Network(tuple(body), size, n_weights), Network(tuple(layers), size, n_weights))
