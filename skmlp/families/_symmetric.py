"""Laws that are symmetric about a location, and the normal among them."""

from math import log, pi, sqrt

import numpy as np
from scipy import stats
from scipy.special import log_ndtr, ndtr, ndtri

from ._law import Law

HALF_LOG_2PI = 0.5 * log(2.0 * pi)


def column(p, name):
    """A parameter with an axis for points."""
    return p[name][..., np.newaxis]


class SymmetricLaw(Law):
    """Contract of the laws with "loc", about which they are symmetric, and "scale"."""

    def z(self, p, y):
        """Distances from the location in scales.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> Normal().z({"loc": np.array([1.0]), "scale": np.array([2.0])}, np.array([[1.0, 5.0]]))
        array([[0., 2.]])
        """
        return (y - column(p, "loc")) / column(p, "scale")

    def mean(self, p):
        return p["loc"].copy()

    def median(self, p):
        return p["loc"].copy()

    def mode(self, p):
        return p["loc"].copy()

    def skewness(self, p):
        return np.zeros_like(p["loc"])

    def about(self, p, center, factor):
        loc = center + factor * (p["loc"] - center)
        return {**p, "loc": loc, "scale": p["scale"] * factor}


class NormalLaw(SymmetricLaw):
    """The normal distribution."""

    def logpdf(self, p, y):
        z = self.z(p, y)
        return -0.5 * z * z - np.log(column(p, "scale")) - HALF_LOG_2PI

    def cdf(self, p, y):
        return ndtr(self.z(p, y))

    def sf(self, p, y):
        return ndtr(-self.z(p, y))

    def logcdf(self, p, y):
        return log_ndtr(self.z(p, y))

    def ppf(self, p, q):
        return column(p, "loc") + column(p, "scale") * ndtri(q)

    def var(self, p):
        return p["scale"] ** 2

    def entropy(self, p):
        return np.log(p["scale"]) + HALF_LOG_2PI + 0.5

    def sample(self, p, n, rng):
        noise = rng.standard_normal((*p["loc"].shape, n))
        return column(p, "loc") + column(p, "scale") * noise

    def crps(self, p, y):
        return normal_spread(y - column(p, "loc"), column(p, "scale")) - column(p, "scale") / sqrt(
            pi
        )

    def crps_of_mixture(self, p, weights, y):
        loc, scale = p["loc"], p["scale"]
        y = np.asarray(y)[..., np.newaxis, :]
        near = normal_spread(y - column(p, "loc"), column(p, "scale"))
        near = np.einsum("...k,...km->...m", weights, near)
        between = normal_spread(
            loc[..., :, np.newaxis] - loc[..., np.newaxis, :],
            np.hypot(scale[..., :, np.newaxis], scale[..., np.newaxis, :]),
        )
        apart = np.einsum("...i,...ij,...j->...", weights, between, weights)
        return near - 0.5 * apart[..., np.newaxis]

    def to_scipy(self, p):
        return stats.norm(p["loc"][0], p["scale"][0])


def normal_spread(m, s):
    """E|X| for X normal with mean m and standard deviation s."""
    z = m / s
    return m * (2.0 * ndtr(z) - 1.0) + 2.0 * s * np.exp(-0.5 * z * z) / sqrt(2.0 * pi)
