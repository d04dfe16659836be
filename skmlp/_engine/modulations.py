"""What a hypernetwork writes of the main network's parameters, and how the two are built."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .hyper import HyperNetwork, Offset, Told, Way
from .layers import Activate, Dense, Dropout
from .memory import Layout, Part
from .modulated import Allowed, FilmDense, GroupedDense, LowRankDense, RowwiseDense
from .network import Network


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
    gains = [activation.gain for activation in activations] or [1.0]
    gains = tuple(gains[min(k, len(gains) - 1)] for k in range(len(dense)))
    layers = _main(layout, dense, activations, dropout, sizes[-1])
    size = layout.size
    main = Network(layers, size, n_weights)
    ways = [Way(Network(writer, size, n_weights), main)]
    if type(modulation) is Full:
        ways.append(_rowwise(ways[0], written))
    chunked = modulation.chunk is not None
    return HyperNetwork(
        layers, size, n_weights, told, tuple(ways), values.size, gains, chunked=chunked
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


# By name: what a hypernetwork writes of the main network's parameters.
MODULATIONS = {"full": Full, "chunked": Chunked, "low_rank": LowRank, "film": Film}
