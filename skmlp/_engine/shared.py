"""First layers that all members have in common while they are trained."""

from dataclasses import dataclass, replace

import numpy as np

from .layers import Layer
from .memory import Cache
from .network import Network, allocate


class _FirstRow:
    """All parameters of the first member, in the way in which blocks are asked for them."""

    @staticmethod
    def view(array):
        return array[:1]


FIRST = (_FirstRow(),)
NO_TANGENT = "Contractive penalties are for networks without shared layers."


@dataclass(frozen=True)
class Trunk(Layer):
    """Layers with the parameters of the first member, whatever the others have in their place.

    Whoever follows sees one output, (1, rows, width), for all members. What is minimised is the
    mean over them, so that these parameters get the mean of their gradients. It is written to every
    row: with steps that act entry by entry, rows that are equal in these places stay so. The layer
    after the trunk must be dense: nobody may write over the output, and its gradient has to be one
    of every member.

    Parameters
    ----------
    inner : Network
    """

    inner: Network

    keeps_output = True

    @property
    def blocks(self):
        return tuple(block for layer in self.inner.layers for block in layer.blocks)

    def allocate(self, space):
        adds = [space.adds | own for own in self.inner.adds(accumulate=False)]
        space = replace(space, members=1, rngs=space.rngs[:1], in_place=False)
        return Cache(space, parts=allocate(self.inner.layers, adds, space))

    def forward(self, theta, x, cache):
        (first,) = cache.views("theta", theta, FIRST)
        return self.inner.forward(first, x, cache.parts)

    def backward(self, theta, d, cache, grad):
        mean = cache.work((cache.space.path, "mean"), (1, *d.shape[1:]))
        np.add.reduce(d, axis=0, keepdims=True, out=mean)
        mean *= 1.0 / len(d)
        (first,) = cache.views("theta", theta, FIRST)
        if grad is None:
            return self.inner.backward(first, mean, cache.parts, None)
        (target,) = cache.views("grad", grad, FIRST)
        d_in = self.inner.backward(first, mean, cache.parts, target)
        self.spread(grad)
        return d_in

    def tangent(self, theta, t, cache):
        raise NotImplementedError(NO_TANGENT)

    def tangent_backward(self, theta, d, cache, grad):
        raise NotImplementedError(NO_TANGENT)

    def spread(self, array):
        """Give the entries of these layers in all rows of (members, P) the values of the first."""
        for block in self.blocks:
            part = array[:, block.offset : block.offset + block.size]
            part[1:] = part[0]


def share(network, n_dense):
    """The same network with its first `n_dense` dense layers, and what belongs to them, as a trunk.

    Parameters
    ----------
    network : Network
    n_dense : int
        Less than there are.

    Returns
    -------
    network : Network
        Over the same theta; its first layer is the `Trunk`.
    """
    depth = network.depth_of(n_dense)
    trunk = Trunk(replace(network, layers=network.layers[:depth]))
    return replace(network, layers=(trunk, *network.layers[depth:]))
