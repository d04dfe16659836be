"""Penalties on parameters and on what a layer puts out; values and gradients are sums over rows."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .. import _kernels as kernels


def add_l2(alpha, network, theta, grad, work):
    """alpha / 2 * |weights|^2 of each member, as in scikit-learn; adds its gradient to `grad`."""
    squares = kernels.add_decay(grad, theta, network.n_weights, alpha, work)
    return 0.5 * alpha * squares


def inner(a, b):
    """Inner products of the rows of two (members, P) arrays, summed in their dtype.

    Not by BLAS: waking its threads for a vector costs more than it saves, and very much more on
    a busy machine.
    """
    return np.einsum("mp,mp->m", a, b).astype(np.float64)


class OutputPenalty(ABC):
    """A penalty on h, the output of the first `depth` layers of a network.

    Attributes
    ----------
    depth : int
    input_grad : bool
        Whether the gradient with respect to the network's input must be computed.
    writes_grad : bool
        Whether the penalty adds to the gradient of the parameters itself.
    clean : bool
        Whether h is that of the uncorrupted input, without noise and dropout. It takes a pass of
        its own, and `depth` layers have to be the network's whole way to h.
    of_rates : bool
        Whether h has to lie between 0 and 1.
    """

    input_grad = False
    writes_grad = False
    clean = False
    of_rates = False

    @abstractmethod
    def value_and_grad(self, network, theta, h, caches, weight, grad, work):
        """Weighted sum over rows per member, and its gradient by h (None if written to `grad`)."""


@dataclass(frozen=True)
class CodePenalty(OutputPenalty):
    """strength * sum_j |h_j| (power 1) or strength * sum_j h_j^2 (power 2) for every row."""

    depth: int
    strength: float
    power: int = 1

    def value_and_grad(self, network, theta, h, caches, weight, grad, work):
        d = work(("code penalty", self), h.shape)
        if self.power == 1:
            np.sign(h, out=d)
        else:
            np.multiply(h, 2.0, out=d)
        d *= self.strength
        if weight is not None:
            d *= weight[:, np.newaxis]
        return np.einsum("mbj,mbj->m", d, h).astype(np.float64) / self.power, d


@dataclass(frozen=True)
class RatePenalty(OutputPenalty):
    """strength * sum_j KL(rate || mean of h_j over the batch), for h between 0 and 1.

    KL(p || q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)); Ng (2011), Sparse autoencoder,
    lecture notes of CS294A. Means are held off 0 and 1 by EDGE, so that dead units can recover.
    """

    depth: int
    strength: float
    rate: float

    EDGE = 1e-4
    of_rates = True

    def value_and_grad(self, network, theta, h, caches, weight, grad, work):
        weight = np.ones(h.shape[1], h.dtype) if weight is None else weight
        total = weight.sum(dtype=np.float64)
        mean = np.einsum("b,mbj->mj", weight, h).astype(np.float64) / total
        q, p = np.clip(mean, self.EDGE, 1.0 - self.EDGE), self.rate
        divergence = p * np.log(p / q) + (1.0 - p) * np.log((1.0 - p) / (1.0 - q))
        slope = self.strength * ((1.0 - p) / (1.0 - q) - p / q)
        d = work(("rate penalty", self), h.shape)
        np.multiply(weight[:, np.newaxis], slope[:, np.newaxis].astype(h.dtype), out=d)
        return self.strength * total * divergence.sum(axis=1), d


@dataclass(frozen=True)
class Contractive(OutputPenalty):
    """strength * ||J||_F^2 for every row, J the Jacobian of h by the network's input.

    For each cotangent v of the code, u = J'v costs one backward pass; |u|^2 summed over the unit
    vectors is exact, with random signs it is unbiased. Since d|J'v|^2 = 2 d(v'J u) with u held,
    one tangent pass along u and its reverse from 2v give the gradient; what they owe to the
    forward pass is collected by the ordinary backward pass (Rifai et al. 2011, ICML; the
    projection after Hutchinson 1990).

    Parameters
    ----------
    depth : int
    strength : float
    exact : bool
        Whether to take all unit vectors; otherwise one vector of signs per row is drawn from the
        generator of each member.
    clean : bool
    """

    depth: int
    strength: float
    exact: bool = True
    clean: bool = False

    input_grad = True
    writes_grad = True

    def value_and_grad(self, network, theta, h, caches, weight, grad, work):
        v = work(("cotangent", self.depth), h.shape)
        total = np.zeros(len(theta))
        for write in self._cotangents(h, caches[0].space, work):
            write(v)
            u = network.backward(theta, v, caches, None, stop=self.depth)
            rows = np.einsum("mbi,mbi->mb", u, u, out=work("row norms", u.shape[:2]))
            if weight is not None:
                rows *= weight
            total += rows.sum(axis=1)
            network.tangent(theta, u, caches, stop=self.depth)
            write(v)
            v *= 2.0 * self.strength
            if weight is not None:
                v *= weight[:, np.newaxis]
            network.tangent_backward(theta, v, caches, grad, stop=self.depth)
        return self.strength * total, None

    def _cotangents(self, h, space, work):
        """Functions that write one cotangent each, since the passes overwrite it."""
        if self.exact:
            return [lambda out, j=j: _unit(out, j) for j in range(h.shape[-1])]
        signs = work(("signs", self.depth), h.shape)
        for rng, part in zip(space.rngs, signs, strict=True):
            rng.random(dtype=part.dtype, out=part)
        np.sign(np.subtract(signs, 0.5, out=signs), out=signs)
        return [lambda out: np.copyto(out, signs)]


def _unit(out, j):
    out.fill(0.0)
    out[..., j] = 1.0


def _l1(depth, strength, rate):
    """strength * sum_j |h_j| for every row."""
    return CodePenalty(depth, strength, power=1)


def _l2(depth, strength, rate):
    """strength * sum_j h_j^2 for every row."""
    return CodePenalty(depth, strength, power=2)


# By name: penalty(depth, strength, rate) that makes a code sparse.
SPARSITIES = {
    "l1": _l1,
    "l2": _l2,
    "kl": RatePenalty,
}
