"""A network is a tuple of layers over one flat parameter vector per member."""

import threading
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from .columns import Columns, Embedding, Pass
from .layers import Activate, Dense, Dropout
from .memory import Layout, Scratch, Space
from .periodic import N_WAVES, Periodic
from .piecewise import Piecewise

# Caches for so many different numbers of rows are kept.
MANY_SIZES = 64


@dataclass(frozen=True)
class Network:
    """A shape that never holds parameters.

    Parameters
    ----------
    layers : tuple of Layer
    n_params : int
        Length P of a row of theta.
    n_weights : int
        The first so many entries are weights: L2 and decay act on them and on nothing else.
    """

    layers: tuple
    n_params: int
    n_weights: int

    @property
    def noise(self):
        """The layer that corrupts the input in training, or None."""
        return self.layers[0] if self.layers[0].corrupts else None

    @cached_property
    def of_numbers(self):
        """The layers that embed numbers."""
        parts = [part for layer in self.layers for _, part in getattr(layer, "parts", ())]
        return [part for part in parts if isinstance(part, (Periodic, Piecewise))]

    @cached_property
    def waves(self):
        """The layer of waves among them, or None."""
        return next((part for part in self.of_numbers if isinstance(part, Periodic)), None)

    def dense_positions(self):
        """Positions of the dense layers in `layers`."""
        return [i for i, layer in enumerate(self.layers) if isinstance(layer, Dense)]

    def depth_of(self, n_dense):
        """How many layers come before the dense layer after the first `n_dense` of them."""
        return [*self.dense_positions(), len(self.layers)][n_dense]

    def behind(self, layer):
        """The same network with one more layer, without parameters, in front."""
        return replace(self, layers=(layer, *self.layers))

    def after(self, depth):
        """What follows the first `depth` layers, as a network over the same theta."""
        return replace(self, layers=self.layers[depth:])

    def forward(self, theta, x, caches, stop=None):
        """Output of the first `stop` layers (all by default) for x, (1 or members, rows, n_in)."""
        for layer, cache in zip(self.layers[:stop], caches[:stop], strict=True):
            x = cache.out = layer.forward(theta, x, cache)
        return x

    def backward(self, theta, d, caches, grad, stop=None, extra=None):
        """Gradient with respect to the input, given that of the first `stop` layers' output.

        `extra` maps a depth to one more gradient of the output of that many layers.
        """
        stop = len(self.layers) if stop is None else stop
        for depth in range(stop, 0, -1):
            if extra and depth in extra:
                d += extra[depth]
            d = self.layers[depth - 1].backward(theta, d, caches[depth - 1], grad)
        return d

    def tangent(self, theta, t, caches, stop=None):
        """Directional derivative of the first `stop` layers along `t`."""
        for layer, cache in zip(self.layers[:stop], caches[:stop], strict=True):
            t = layer.tangent(theta, t, cache)
        return t

    def tangent_backward(self, theta, d, caches, grad, stop=None):
        """Reverse of `tangent`; see `Layer.tangent_backward`."""
        for layer, cache in zip(self.layers[:stop][::-1], caches[:stop][::-1], strict=True):
            d = layer.tangent_backward(theta, d, cache, grad)
        return d

    def workspace(self, members, dtype, **options):
        """Everything that passes over batches need; for the options see `Workspace`."""
        return Workspace(self, members, dtype, **options)

    def start_from(self, theta, raw):
        """Let all members put out the constant `raw` where weights are 0, in place."""
        dense = self.layers[self.dense_positions()[-1]]
        dense.bias.view(theta)[...] = raw

    def initial(self, rngs):
        """Starting theta of shape (len(rngs), P) in float64, one generator per member."""
        theta = np.zeros((len(rngs), self.n_params))
        for row, rng in zip(theta, rngs, strict=True):
            for layer in self.layers:
                layer.initialize(row[np.newaxis], rng)
        return theta

    def adds(self, accumulate):
        """For each layer the blocks whose gradient it must add instead of writing.

        The backward pass runs from the last layer to the first, so the last holder of a block
        is its first writer; with `accumulate` everybody adds and the caller zeroes.
        """
        seen = {b.offset for layer in self.layers for b in layer.blocks} if accumulate else set()
        adds = []
        for layer in reversed(self.layers):
            adds.append(frozenset(b.offset for b in layer.blocks if b.offset in seen))
            seen.update(b.offset for b in layer.blocks)
        return adds[::-1]


class Workspace:
    """Every array that passes over batches need, allocated once and used again.

    Parameters
    ----------
    network : Network
    members : int
    dtype : numpy dtype
    training : bool
        Whether dropout acts.
    rngs : sequence of numpy.random.Generator
        Noise of each member; needed when `training`.
    input_grad : bool
        Whether the gradient with respect to the network's input is wanted.
    accumulate : bool
        Whether all passes add to the gradient, which the caller then zeroes.
    kept : frozenset of int
        Depths whose output somebody else reads after the forward pass.
    side : Side, optional
        What layers with a side input read.
    """

    def __init__(
        self,
        network,
        members,
        dtype,
        *,
        training=False,
        rngs=(),
        input_grad=False,
        accumulate=False,
        kept=frozenset(),
        side=None,
    ):
        self.network = network
        self.members = members
        self.work = Scratch(dtype)
        self.dropout_factor = np.ones(())
        self._options = {
            "training": training,
            "rngs": tuple(rngs),
            "dropout_factor": self.dropout_factor,
            "side": side,
        }
        self._input_grad = input_grad
        self._adds = network.adds(accumulate)
        self._kept = kept
        self._caches = {}
        # A second workspace for what an objective computes without noise.
        self.clean = None

    def caches(self, rows):
        """One cache per layer for batches of `rows` rows."""
        caches = self._caches.get(rows)
        if caches is None:
            if rows > max(self._caches, default=0) or len(self._caches) > MANY_SIZES:
                # The arrays grow, and nobody shall hold on to the old ones.
                self._caches.clear()
            caches = self._caches[rows] = self._allocate(rows)
        return caches

    def forget(self):
        """Let go of inputs and parameters; return the bytes that are still held."""
        for caches in self._caches.values():
            for cache in caches:
                cache.forget()
        return self.work.nbytes()

    def _allocate(self, rows):
        options = {"input_grad": self._input_grad, **self._options}
        space = Space(self.members, rows, self.work, **options)
        return allocate(self.network.layers, self._adds, space, self._kept)


def allocate(layers, adds, space, kept=frozenset()):
    """One cache for each of the layers, which follow one another.

    `adds` are those of each, `space` is that of all together: its `input_grad` is about the first.
    Outputs at the depths `kept` are not written over.
    """
    caches, in_place = [], False
    for i, (layer, own) in enumerate(zip(layers, adds, strict=True)):
        part = replace(
            space,
            path=(*space.path, i),
            in_place=in_place,
            input_grad=space.input_grad
            or any(before.blocks or before.reads_side for before in layers[:i]),
            adds=own,
        )
        caches.append(layer.allocate(part))
        in_place = not (layer.keeps_output or i + 1 in kept)
    return caches


@lru_cache(maxsize=256)
def multilayer_perceptron(
    sizes,
    activations,
    initializers,
    *,
    dropout=(),
    input_scale=False,
    ntk=False,
    tied=False,
    embeddings=(),
    periodic=(0, 0),
    sigma=0.1,
    piecewise=((), 0),
):
    """Dense layers, each with an activation and dropout as far as these are given.

    Parameters
    ----------
    sizes : tuple of int
        Widths from the input to the output.
    activations : tuple of Activation
        One per hidden layer, and one more for an output that is not linear.
    initializers : tuple of (initializer, gain)
        One per dense layer.
    dropout : tuple of float
        Rate after each hidden layer; empty for none.
    input_scale : bool
        Learn a scale per input feature.
    ntk : bool
        Neural tangent parametrization: W_eff = W / sqrt(n_in) (Jacot et al. 2018).
    tied : bool
        Whether the second half of the dense layers, from the last on, has the weights of the first
        half transposed; biases are each layer's own.
    embeddings : tuple of (int, int)
        Number of levels and length of their vectors, for each of the last columns of the input (but
        for positions), which hold codes of categories.
    periodic : tuple of (int, int)
        How many of the first columns have a periodic embedding beside them, and of which length.
    sigma : float
        Standard deviation of its first frequencies.
    piecewise : tuple of (tuple of int, int)
        Numbers of bins, for each of the last columns of the input, which hold positions among them,
        and length of their embeddings.
    """
    layout = Layout()
    bins, height = piecewise
    n_plain, n_waves = sizes[0] - len(embeddings) - len(bins), periodic[0] * periodic[1]
    tables = [layout.block(*shape) for shape in embeddings]
    mixing = layout.block(periodic[0], N_WAVES, periodic[1])
    heights = layout.block(len(bins), max(bins, default=0), height)
    n_embedded = sum(size for _, size in embeddings) + n_waves + len(bins) * height
    sizes = (n_plain + n_embedded, *sizes[1:])
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    n_drawn = len(pairs) // 2 if tied else len(pairs)
    weights = [layout.block(*pair) for pair in pairs[:n_drawn]]
    n_weights = layout.size
    factors = [n_in**-0.5 if ntk else 1.0 for n_in, _ in pairs[:n_drawn]]
    if tied:
        weights += [block.T for block in reversed(weights)]
        factors += reversed(factors)
    numbers = [(0, Periodic.of(layout, mixing, sigma))] if n_waves else []
    numbers += [(n_plain + len(tables), Piecewise(heights, bins))] if heights.size else []
    layers = [_embedded(n_plain, tables, numbers)] if tables or numbers else []
    for k, (n_in, n_out) in enumerate(pairs):
        initializer, gain = initializers[k] if k < n_drawn else (None, 1.0)
        layers.append(
            Dense(
                weights[k],
                layout.block(1, n_out),
                layout.block(n_in, 1) if input_scale and k == 0 else None,
                factor=factors[k],
                initializer=initializer,
                gain=gain,
            )
        )
        if k < len(activations):
            slopes = activations[k].n_slopes(n_out)
            block = layout.block(1, slopes) if slopes else None
            layers.append(Activate(activations[k], n_out, block))
        if k < len(dropout) and dropout[k] > 0:
            layers.append(Dropout(dropout[k], n_out))
    return Network(tuple(layers), layout.size, n_weights)


def _embedded(n_plain, tables, numbers):
    """The first columns as they are, vectors in place of the codes, and embeddings of numbers.

    `numbers` are pairs of the first of neighbouring columns and the layer that embeds them.
    """
    parts = [(tuple(range(n_plain)), Pass())] if n_plain else []
    parts += [((n_plain + i,), Embedding(table)) for i, table in enumerate(tables)]
    widths = ([n_plain] if n_plain else []) + [table.shape[1] for table in tables]
    parts += [(tuple(range(start, start + layer.n_in)), layer) for start, layer in numbers]
    widths += [layer.n_out for _, layer in numbers]
    n_in = max(columns[-1] for columns, _ in parts) + 1
    return Columns(tuple(parts), tuple(widths), n_in)


def forward_blocks(network, theta, rows, index=None, *, stop=None, block=None):
    """Yield slice, x and output for one block of rows after another; see `evaluate`.

    What is yielded is overwritten by the next block.
    """
    members = len(theta)
    n = len(rows) if index is None else len(index)
    block = block or block_rows(network, members)
    own = _last.take(network, members, theta.dtype)
    try:
        for start in range(0, n, block):
            part = slice(start, min(start + block, n))
            x = rows.take(part if index is None else index[part], own.work)
            # OpenBLAS now and then raises flags for products whose results are right (numpy#24067).
            with np.errstate(over="ignore", invalid="ignore"):
                raw = network.forward(theta, x, own.caches(part.stop - start), stop)
            yield part, x, raw
    finally:
        _last.give_back(own)


# More memory than this is not held for the next prediction.
HELD_BYTES = 2**22


class _Last(threading.local):
    """The workspace of a thread's last small prediction, for the next by the same network.

    Fresh memory costs more than the products of a small network.
    """

    workspace = None

    def take(self, network, members, dtype):
        """It, or a new one; until it is given back nobody else gets it."""
        held, self.workspace = self.workspace, None
        if held and (held.network is network and held.members == members):
            if held.work.dtype == dtype:
                return held
        return network.workspace(members, dtype)

    def give_back(self, workspace):
        """Hold it, but nothing of the caller's."""
        if isinstance(workspace, Workspace) and workspace.forget() <= HELD_BYTES:
            self.workspace = workspace


_last = _Last()


def evaluate(network, theta, rows, index=None, *, stop=None, block=None):
    """Outputs of all rows, block by block, so that memory stays bounded.

    Parameters
    ----------
    network : Network
    theta : ndarray of shape (members, P)
        May be read-only.
    rows : skmlp._engine.batches.Rows
    index : ndarray of int, optional
        The rows wanted; all by default.
    stop : int, optional
        Number of layers to run.
    block : int, optional
        Rows of a block; by default as `block_rows` says.

    Returns
    -------
    out : ndarray of shape (members, n_rows, width)
    """
    n, out = len(rows) if index is None else len(index), None
    for part, _, raw in forward_blocks(network, theta, rows, index, stop=stop, block=block):
        if out is None:
            out = np.empty((len(theta), n, raw.shape[-1]), raw.dtype)
        out[:, part] = raw
    return out


def block_rows(network, members):
    """Rows of a block: its widest array fills about 2 MB in float64."""
    dense = [network.layers[i] for i in network.dense_positions()]
    widths = [layer.n_out for layer in dense] + [layer.n_inside for layer in network.of_numbers]
    width = max(dense[0].n_in, members * max(widths))
    return max(16, min(8192, 2**18 // width))
