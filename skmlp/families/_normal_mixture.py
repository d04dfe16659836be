"""Mixtures of normal distributions."""

from dataclasses import dataclass, replace
from math import log, pi, sqrt

import numpy as np
from scipy.special import ndtr, softmax

from ..losses import weighted_quantile
from ._base import (
    MAX_SCALE,
    Family,
    grid_scale,
    mean_sd,
    release,
    start_gain,
    with_bounds_in,
)
from ._mixture import Mixture
from ._symmetric import HALF_LOG_2PI, NormalLaw, normal_spread


@dataclass(frozen=True)
class NormalMixture(Family, Mixture):
    """Mixture of normal distributions: raw outputs are logits, means and logarithms of scales.

    -log p(y) = -log sum_k w_k N(y; loc_k, scale_k^2), w the softmax of the logits and N the normal
    density. Domain: the real numbers.

    Parameters
    ----------
    loss : {"nll", "crps"}, default="nll"
        What is minimised: the negative log-likelihood, or the continuous ranked probability score.
    n_mixture_components : int, default=5
        Number of components, at least 1.
    min_scale : float, default=0.01
        Smallest standard deviation of a component, in those of y. It is raised to that within the
        cells of a grid on which y lies, lest components shrink to its values.
    max_scale : float, default=150.0
        Largest one.

    Raises
    ------
    ValueError
        For another `loss`, or `n_mixture_components` below 1.

    References
    ----------
    Bishop (1994), Mixture density networks, NCRG/94/004. Grimit et al. (2006), The continuous
    ranked probability score for circular variables, Q. J. R. Meteorol. Soc. 132 (for the CRPS).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import NormalMixture
    >>> p = {"weights": [[0.25, 0.75]], "loc": [[0.0, 4.0]], "scale": [[1.0, 1.0]]}
    >>> p = {name: np.array(value) for name, value in p.items()}
    >>> NormalMixture().mean(p), NormalMixture().var(p)
    (array([3.]), array([4.]))
    """

    n_mixture_components: int = 5
    min_scale: float = 0.01
    max_scale: float = MAX_SCALE

    scores = ("nll", "crps")
    init_is_optimal = False
    component = NormalLaw()
    n_core_axes = {"weights": 1, "loc": 1, "scale": 1}

    def __post_init__(self):
        super().__post_init__()
        if self.n_mixture_components < 1:
            raise ValueError(f"n_mixture_components={self.n_mixture_components} must be >= 1.")

    def n_raw(self, n_targets):
        return 3 * self.n_mixture_components

    def _split(self, raw):
        """Logits, means and logarithms of scales, as views."""
        k = self.n_mixture_components
        return raw[..., :k], raw[..., k : 2 * k], raw[..., 2 * k :]

    def _bounds(self):
        return log(self.min_scale), log(self.max_scale)

    def fitted(self, y, weight=None):
        family = super().fitted(y, weight)
        return replace(family, min_scale=max(self.min_scale, grid_scale(y[:, 0], weight)))

    def moved(self, ratio):
        return with_bounds_in(self, ratio[0])

    def units(self, shift, scale):
        k = self.n_mixture_components
        factor = np.concatenate([np.ones(k), np.full(k, scale[0]), np.ones(k)])
        return factor, np.repeat([0.0, shift[0], log(scale[0])], k)

    def init_raw(self, y, weight=None, n_targets=None):
        k = self.n_mixture_components
        loc = weighted_quantile(y[:, 0], (np.arange(k) + 0.5) / k, weight)
        _, sd = mean_sd(y[:, 0], weight)
        # Narrower than y, so that the components together are about as wide as it.
        scale = np.full(k, log(max(sd, 1e-300)) - 0.5 * log(k))
        return self.held(np.concatenate([np.zeros(k), loc, scale]))

    def init_gain(self, raw):
        gain = np.ones(len(raw))
        self._split(gain)[1][:] = start_gain(self._split(raw)[2])
        return gain

    def held(self, raw):
        raw = np.array(raw, np.float64)
        scales = self._split(raw)[2]
        np.clip(scales, *self._bounds(), out=scales)
        return raw

    def params(self, raw):
        logits, loc, rho = self._split(raw)
        return {"weights": softmax(logits, axis=-1), "loc": loc, "scale": np.exp(rho)}

    def mix(self, p, weights):
        return Mixture.mix(Mixture(self.component), p, weights)

    def _nll(self, y, raw, loss, grad, work):
        logits, loc, free = self._split(raw)
        d_logits, d_loc, d_rho = self._split(grad)
        rho, z = work("rho", free.shape, raw.dtype), work("z", free.shape, raw.dtype)
        inverse, each = work("1/scale", free.shape, raw.dtype), work("each", free.shape, raw.dtype)
        np.clip(free, *self._bounds(), out=rho)
        np.negative(rho, out=inverse)
        np.exp(inverse, out=inverse)
        np.subtract(y, loc, out=z)
        z *= inverse
        _normalise(logits, d_logits)
        np.multiply(z, z, out=d_rho)
        np.multiply(d_rho, -0.5, out=each)
        each -= rho
        each += d_logits
        total = _normalise(each, each)
        np.exp(each, out=each)
        np.negative(total[..., 0], out=loss)
        loss += HALF_LOG_2PI
        np.exp(d_logits, out=d_logits)
        d_logits -= each
        np.subtract(1.0, d_rho, out=d_rho)
        d_rho *= each
        z *= inverse
        np.multiply(z, each, out=d_loc)
        np.negative(d_loc, out=d_loc)
        release(free, rho, d_rho, work)

    def _crps(self, y, raw, loss, grad, work):
        logits, loc, free = self._split(raw)
        d_logits, d_loc, d_rho = self._split(grad)
        rho = np.clip(free, *self._bounds())
        w, scale = softmax(logits, axis=-1), np.exp(rho)
        near = normal_spread(y - loc, scale)
        step = loc[..., :, np.newaxis] - loc[..., np.newaxis, :]
        joint = np.hypot(scale[..., :, np.newaxis], scale[..., np.newaxis, :])
        far = np.einsum("...ij,...j->...i", normal_spread(step, joint), w)
        each = near - far
        np.einsum("...i,...i->...", w, near - 0.5 * far, out=loss)
        np.multiply(w, each - np.einsum("...i,...i->...", w, each)[..., np.newaxis], out=d_logits)
        z = step / joint
        push = 2.0 * ndtr((loc - y) / scale) - 1.0
        np.multiply(w, push - _times(2.0 * ndtr(z) - 1.0, w), out=d_loc)
        widen = _density2((y - loc) / scale) - scale * _times(_density2(z) / joint, w)
        np.multiply(w * scale, widen, out=d_rho)
        release(free, rho, d_rho, work)


def _normalise(logits, out):
    """Write log-softmax into `out` and return the logarithm of the sum, with an axis of 1."""
    largest = logits.max(axis=-1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(axis=-1, keepdims=True)) + largest
    np.subtract(logits, total, out=out)
    return total


def _times(matrix, w):
    return np.einsum("...ij,...j->...i", matrix, w)


def _density2(z):
    """Twice the standard normal density, the derivative of E|m + s X| in s at z = m / s."""
    return np.exp(-0.5 * z * z) * (2.0 / sqrt(2.0 * pi))
