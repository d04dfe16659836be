"""What training minimises, as a function of theta that can be evaluated by itself."""

from dataclasses import fields, replace

import numpy as np

from .._engine.hyper import HyperNetwork

# Fields of layers that hold blocks: what several of them are called, and which are vectors.
PLURALS = {"weight": "weights", "bias": "biases", "scale": "scales", "table": "embeddings"}
VECTORS = {"bias", "scale", "slopes", "offsets"}


class Problem:
    """Objective over one training set, with the same random numbers at every evaluation.

    Dropout and noise act as in training, but they are drawn anew from the same state each time.

    Parameters
    ----------
    objective : Objective
    data : TrainingSet
    state : TrainState
        Its generators make the noise.

    Attributes
    ----------
    theta : ndarray of shape (members, P)
        Parameters that training would begin with; free to be changed.
    """

    def __init__(self, objective, data, state):
        self.objective, self.data, self.theta = objective, data, np.array(state.theta)
        self._rngs = tuple(state.noise)
        self._states = [rng.bit_generator.state for rng in self._rngs]
        self._workspace = objective.workspace(
            len(self.theta), self.theta.dtype, training=True, rngs=self._rngs
        )
        self._grad = np.empty_like(self.theta)

    def value_and_grad(self):
        """Mean over the rows with all penalties at `theta`, (members,), and its gradient.

        The gradient, (members, P), is the same array each time.
        """
        for rng, state in zip(self._rngs, self._states, strict=True):
            rng.bit_generator.state = state
        # As in training, what is too large ends as infinity or NaN.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            values, scale = self.objective.over(self.theta, self.data, self._workspace, self._grad)
            self._grad *= scale
        return values, self._grad

    def blocks(self):
        """Name, shape and slice of theta of each block that training can change."""
        network = self.objective.network
        if not isinstance(network, HyperNetwork):
            return _blocks(network, set())
        seen = {network.offset}
        return _blocks(network.ways[0].writer, seen, "hyper ") + _blocks(network, seen)


def _blocks(network, seen, prefix=""):
    """Those of the layers of a network, numbered by dense layers.

    Blocks that are `seen`, to which all are added, are left out; transposed ones are the same.
    """
    found, depth, dense = [], -1, network.dense_positions()
    for i, layer in enumerate(network.layers):
        depth += i in dense
        field_of, several = _fields(layer), len(getattr(layer, "parts", ()))
        for j, block in enumerate(layer.blocks):
            stored = replace(block, transposed=False)
            if stored in seen:
                continue
            seen.add(stored)
            name = field_of.get(id(block), "parameters")
            shape = (block.size,) if name in VECTORS else block.shape
            # Of what acts on columns only tables of levels may be several.
            numbered = name == "table" if several else depth >= 0
            number = f"[{j if several else depth}]" if numbered else ""
            part = slice(block.offset, block.offset + block.size)
            found.append((f"{prefix}{PLURALS.get(name, name)}{number}", shape, part))
    return found


def _fields(layer):
    """Names of the fields that hold blocks, by the identity of those; of inner layers too."""
    names = {id(getattr(layer, field.name)): field.name for field in fields(layer)}
    for _, inner in getattr(layer, "parts", ()):
        names |= _fields(inner)
    return names
