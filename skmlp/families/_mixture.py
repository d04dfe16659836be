"""Mixtures of laws of one kind."""

import numpy as np
from scipy.special import logsumexp

from ._law import Law


class Mixture(Law):
    """Weighted sum of densities of one kind.

    Parameters
    ----------
    component : Law
        Of the parts, which differ in their parameters only.

    Notes
    -----
    `p` has "weights" of shape (*batch, k), which sum to 1, and the parameters of the components,
    whose batch is (*batch, k).

    References
    ----------
    McLachlan and Peel (2000), Finite mixture models, Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import Mixture, Poisson
    >>> p = {"weights": np.array([[0.5, 0.5]]), "mean": np.array([[1.0, 3.0]])}
    >>> Mixture(Poisson()).mean(p)
    array([2.])
    """

    def __init__(self, component):
        self.component = component

    @property
    def support(self):
        return self.component.support

    @property
    def discrete(self):
        return self.component.discrete

    def batch(self, p):
        return p["weights"].shape[:-1]

    def parts(self, p):
        """Parameters of the components, a dict: those of the mixture without "weights".

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Mixture, Poisson
        >>> p = {"weights": np.array([[0.5, 0.5]]), "mean": np.array([[1.0, 3.0]])}
        >>> Mixture(Poisson()).parts(p)
        {'mean': array([[1., 3.]])}
        """
        return {name: value for name, value in p.items() if name != "weights"}

    def mix(self, p, weights):
        """Law and parameters of the mixture of mixtures, which is one of all their components.

        The batch of `p` is (*batch, k), and so is the shape of `weights`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Mixture, Poisson
        >>> p = {"weights": np.full((1, 2, 2), 0.5), "mean": np.array([[[1.0, 3.0], [5.0, 7.0]]])}
        >>> law, flat = Mixture(Poisson()).mix(p, np.array([[0.5, 0.5]]))
        >>> flat["weights"], law.mean(flat)
        (array([[0.25, 0.25, 0.25, 0.25]]), array([4.]))
        """
        all_weights = weights[..., np.newaxis] * p["weights"]
        flat = {
            name: value.reshape(*weights.shape[:-1], -1, *value.shape[weights.ndim + 1 :])
            for name, value in {**p, "weights": all_weights}.items()
        }
        return self, flat

    def logpdf(self, p, y):
        each = self.component.logpdf(self.parts(p), np.asarray(y)[..., np.newaxis, :])
        return logsumexp(each + log_weights(p)[..., np.newaxis], axis=-2)

    def cdf(self, p, y):
        return self._averaged(self.component.cdf, p, y)

    def sf(self, p, y):
        return self._averaged(self.component.sf, p, y)

    def _averaged(self, function, p, y):
        each = function(self.parts(p), np.asarray(y)[..., np.newaxis, :])
        return np.einsum("...k,...km->...m", p["weights"], each)

    def ppf(self, p, q):
        q = np.asarray(q, np.float64)
        each = self.component.ppf(self.parts(p), q[..., np.newaxis, :])
        return self._search(p, q, each.min(axis=-2), each.max(axis=-2))

    def mean(self, p):
        return np.sum(p["weights"] * self.component.mean(self.parts(p)), axis=-1)

    def var(self, p):
        parts, weights = self.parts(p), p["weights"]
        mean = self.component.mean(parts)
        distance = mean - np.sum(weights * mean, axis=-1, keepdims=True)
        return np.sum(weights * (self.component.var(parts) + distance**2), axis=-1)

    def skewness(self, p):
        parts, weights = self.parts(p), p["weights"]
        mean, var = self.component.mean(parts), self.component.var(parts)
        distance = mean - np.sum(weights * mean, axis=-1, keepdims=True)
        third = self.component.skewness(parts) * var**1.5 + 3.0 * distance * var + distance**3
        return np.sum(weights * third, axis=-1) / self.var(p) ** 1.5

    def landmarks(self, p):
        each = self.component.landmarks(self.parts(p))
        return np.sort(each.reshape(*each.shape[:-2], each.shape[-2] * each.shape[-1]), axis=-1)

    def sample(self, p, n, rng):
        chosen = self._chosen(p, n, rng)
        values = self.component.sample(self.parts(p), n, rng)
        return np.take_along_axis(values, chosen[..., np.newaxis, :], axis=-2)[..., 0, :]

    def _chosen(self, p, n, rng):
        """Random components by their weights, (*batch, n)."""
        u = rng.random((*self.batch(p), n, 1))
        return np.sum(u > np.cumsum(p["weights"], axis=-1)[..., np.newaxis, :-1], axis=-1)

    def crps(self, p, y):
        closed = self.component.crps_of_mixture(self.parts(p), p["weights"], y)
        return super().crps(p, y) if closed is None else closed

    def about(self, p, center, factor):
        center, factor = np.asarray(center)[..., np.newaxis], np.asarray(factor)[..., np.newaxis]
        moved = self.component.about(self.parts(p), center, factor)
        return moved and {"weights": p["weights"], **moved}


def log_weights(p):
    """Logarithms of the weights, which may be 0."""
    with np.errstate(divide="ignore"):
        return np.log(p["weights"])
