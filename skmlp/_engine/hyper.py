"""A network whose parameters are written by another network."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .groups import GroupedRows
from .layers import Dense, Layer
from .memory import Block, Cache, Scratch
from .modulated import GroupedDense, Side
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
    gains : tuple of float
        Of the main network's dense layers: how large the weights are at the start.
    chunked : bool
        Whether one output layer writes all chunks.
    """

    told: Told
    ways: tuple
    n_values: int
    gains: tuple
    chunked: bool

    @cached_property
    def factor(self):
        """By which what chunks put out is multiplied, (n_values,), or None.

        The common output layer cannot know how large the weights of a layer are to be. What it
        writes for like places is alike, and would add up to huge signals: random signs, which
        what is learned can undo, keep it from doing so.
        """
        if not self.chunked:
            return None
        sd = self._start()[1][0] / self._usual_sd()
        return np.random.default_rng(0).choice([-1.0, 1.0], sd.shape) * np.where(sd > 0, sd, 1.0)

    @property
    def offset(self):
        """Block of the constant output that training starts from."""
        return next(layer.block for layer in self.layers[::-1] if isinstance(layer, Offset))

    @property
    def n_learned(self):
        """Number of parameters that training changes."""
        return self.n_params - self.offset.size

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
        self.offset.view(theta)[...] = raw

    def forward(self, theta, x, caches, stop=None):
        _check_whole(stop)
        caches.batch = x
        way, at_once = self._way(x), self.groups_at_once(len(theta))
        if way or len(x) <= at_once:
            caches.parts = None
            return self._forward(way, theta, x, caches)
        caches.parts, out = list(x.parts(at_once)), None
        # The way back goes forward again, and must see the same dropout.
        caches.noise = [rng.bit_generator.state for rng in caches.rngs]
        for rows, part in caches.parts:
            raw = self._forward(way, theta, part, caches)
            if out is None:
                out = caches.work("raw", (len(theta), x.n_rows, raw.shape[-1]))
            out[:, rows] = raw
        return out

    def backward(self, theta, d, caches, grad, stop=None, extra=None):
        _check_whole(stop, extra)
        way = self._way(caches.batch)
        if caches.parts is None:
            self._backward(way, theta, d, caches, grad)
            return
        total = caches.work("grad of parts", grad.shape)
        total.fill(0.0)
        for rng, state in zip(caches.rngs, caches.noise, strict=True):
            rng.bit_generator.state = state
        for rows, part in caches.parts:
            self._forward(way, theta, part, caches)
            self._backward(way, theta, np.ascontiguousarray(d[:, rows]), caches, grad)
            total += grad
        np.copyto(grad, total)

    def groups_at_once(self, members, effective=False):
        """For how many groups what is written, or effective parameters too, fit into memory."""
        writer = self.ways[0].writer.layers
        width = max(layer.n_out for layer in writer if isinstance(layer, Dense))
        entries = max(sum(self.told.chunks) * width, self.n_main if effective else 0)
        return max(1, WRITTEN_AT_ONCE // (members * entries))

    def written(self, theta, groups, caches):
        """Values that are written for the groups, (members, groups, n_values)."""
        return self._write(0, theta, groups, caches)

    def written_backward(self, theta, d_values, caches, grad):
        """Overwrite `grad` by the gradient that follows from one of the last values written."""
        writer = self.ways[0].writer
        if self.chunked:
            d_values *= caches.factor
        n_rows = d_values.shape[1] * sum(self.told.chunks)
        d = d_values.reshape(len(theta), n_rows, -1)
        grad.fill(0.0)
        writer.backward(theta, d, caches.writers[0].caches(n_rows), grad)

    def effective(self, theta, values):
        """Weights and biases of all dense layers, (members, groups, n_in, n_out) and so on."""
        pairs = [self.layers[i].effective(theta, values) for i in self.dense_positions()]
        weight, bias = pairs[-1]
        pairs[-1] = weight, bias + self.offset.view(theta)
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

    def _start(self):
        """Means and standard deviations of what is written at the start, (1, n_values) each."""
        start = np.zeros((2, 1, self.n_values))
        for i, gain in zip(self.dense_positions(), self.gains, strict=True):
            self.layers[i].begin(*start, gain)
        return start

    def _usual_sd(self):
        """Median of the standard deviations: factors of about 1 leave learning its pace."""
        sd = self._start()[1]
        return np.median(sd[sd > 0])

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
        mean, sd = (0.0, self._usual_sd()) if self.chunked else self._start()
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

    def _way(self, x):
        """Which way suits the batch."""
        return int(len(self.ways) > 1 and 2 * len(x) > x.n_rows)

    def _write(self, way, theta, x, caches):
        n_rows = len(x) * (1 if way else sum(self.told.chunks))
        writer = self.ways[way].writer
        out = writer.forward(theta, x, caches.writers[way].caches(n_rows))
        values = caches.by_group(out, len(x))
        if self.chunked:
            values *= caches.factor
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
        if way or self.chunked:
            # One adds, the other leaves gaps.
            side.grad.fill(0.0)
        self.ways[way].main.backward(theta, d, caches.mains[way].caches(n_rows), grad)
        if self.chunked:
            side.grad *= caches.factor
        n_written = side.grad.shape[1] * (1 if way else sum(self.told.chunks))
        d = side.grad.reshape(len(theta), n_written, -1)
        self.ways[way].writer.backward(theta, d, caches.writers[way].caches(n_written), grad)


def _check_whole(stop, extra=None):
    if stop is not None or extra:
        raise NotImplementedError(
            "A hypernetwork is computed as a whole, without penalties inside."
        )


class HyperWorkspace:
    """Workspaces of all networks that a `HyperNetwork` consists of, see `Workspace`."""

    # Nothing is computed without noise.
    clean = None

    def __init__(self, network, members, dtype, *, rngs=(), **options):
        self.network, self.members, self.rngs = network, members, tuple(rngs)
        self.work = Scratch(dtype)
        self.factor = network.factor.astype(dtype) if network.chunked else None
        self.batch = self.parts = self.noise = self._written = None
        self.sides = [Side() for _ in network.ways]
        self.writers = [Workspace(way.writer, members, dtype) for way in network.ways]
        self.mains = [
            Workspace(way.main, members, dtype, rngs=rngs, side=side, **options)
            for way, side in zip(network.ways, self.sides, strict=True)
        ]

    def by_group(self, out, n_groups):
        """What was written as (members, groups, n_values); the same array for the same `out`."""
        if self._written is None or self._written[0] is not out:
            # Layers hold on to views of what is the same as in the last batch.
            self._written = (out, out.reshape(len(out), n_groups, -1))
        return self._written[1]

    def caches(self, rows):
        """The workspace itself: how many groups there are is known with the batch."""
        return self
