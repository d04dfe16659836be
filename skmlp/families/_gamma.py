"""The gamma distribution."""

from dataclasses import dataclass
from math import inf, log

import numpy as np
from scipy import stats
from scipy.special import betaln, digamma, gammainc, gammaincc, gammaincinv, gammaln

from ..losses import Interval
from ._base import Family, release, start_gain
from ._symmetric import column

MAX_LOG_MEAN = 60.0
LOG_SHAPE = (-7.0, 14.0)


@dataclass(frozen=True)
class Gamma(Family):
    """Gamma distribution: raw outputs are the logarithms of the mean and of the shape.

    With scale = mean / shape, -log p(y) = log Gamma(shape) + shape log scale - (shape - 1) log y +
    y / scale. Domain: y > 0.

    Parameters
    ----------
    loss : {"nll"}, default="nll"
        The CRPS, a closed form in the values, has none for the derivative in the shape.

    Raises
    ------
    ValueError
        For another `loss`.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, chapter 8. Scheuerer and Moeller
    (2015), Probabilistic wind speed forecasting on a grid, Ann. Appl. Stat. 9 (for the CRPS).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import Gamma
    >>> p = {"shape": np.array([2.0]), "scale": np.array([3.0])}
    >>> Gamma().mean(p), Gamma().var(p)
    (array([6.]), array([18.]))
    """

    domain = support = Interval(0, inf, False, False)
    target_scaling = "scale"
    starts_optimal = ()

    def n_raw(self, n_targets):
        return 2

    def units(self, shift, scale):
        return np.ones(2), np.stack([np.log(scale[0]), 0.0 * scale[0]])

    def _start(self, y, weight):
        mean = np.average(y[:, 0], weights=weight)
        gap = log(mean) - np.average(np.log(y[:, 0]), weights=weight)
        # The approximation of Minka (2002) starts the search for the root.
        shape = (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap)) / (12.0 * max(gap, 1e-12))
        return self.held(np.array([log(mean), log(shape)]))

    def init_gain(self, raw):
        # The standard deviation of log y is about the root of 1 / shape.
        return np.array([start_gain(-0.5 * raw[1]), 1.0])

    def held(self, raw):
        raw = np.array(raw, np.float64)
        raw[..., 0] = np.clip(raw[..., 0], -MAX_LOG_MEAN, MAX_LOG_MEAN)
        raw[..., 1] = np.clip(raw[..., 1], *LOG_SHAPE)
        return raw

    def params(self, raw):
        shape = np.exp(raw[..., 1])
        return {"shape": shape, "scale": np.exp(raw[..., 0]) / shape}

    def _nll(self, y, raw, loss, grad, work):
        log_y = work("log y", y.shape, y.dtype)
        np.log(y, out=log_y)
        g = np.clip(raw[..., 0], -MAX_LOG_MEAN, MAX_LOG_MEAN)
        rho = np.clip(raw[..., 1], *LOG_SHAPE)
        shape, step = np.exp(rho), log_y[:, 0] - g
        ratio = np.exp(np.minimum(step, MAX_LOG_MEAN))
        np.multiply(shape, 1.0 - ratio, out=grad[..., 0])
        np.multiply(shape, digamma(shape) - rho - 1.0 - step + ratio, out=grad[..., 1])
        np.multiply(shape, ratio - step - rho, out=loss)
        loss += gammaln(shape) + log_y[:, 0]
        release(raw[..., 0], g, grad[..., 0], work)
        release(raw[..., 1], rho, grad[..., 1], work)

    # The law

    def _x(self, p, y):
        return np.maximum(y, 0.0) / column(p, "scale")

    def logpdf(self, p, y):
        y = np.asarray(y, np.float64)
        shape, scale = column(p, "shape"), column(p, "scale")
        x = np.where(y > 0, y, 1.0) / scale
        value = (shape - 1.0) * np.log(x) - x - gammaln(shape) - np.log(scale)
        return np.where(y > 0, value, -inf)

    def cdf(self, p, y):
        return gammainc(column(p, "shape"), self._x(p, y))

    def sf(self, p, y):
        return gammaincc(column(p, "shape"), self._x(p, y))

    def ppf(self, p, q):
        return column(p, "scale") * gammaincinv(column(p, "shape"), q)

    def mean(self, p):
        return p["shape"] * p["scale"]

    def mode(self, p):
        return np.maximum(p["shape"] - 1.0, 0.0) * p["scale"]

    def var(self, p):
        return p["shape"] * p["scale"] ** 2

    def skewness(self, p):
        return 2.0 / np.sqrt(p["shape"])

    def entropy(self, p):
        shape = p["shape"]
        return shape + np.log(p["scale"]) + gammaln(shape) + (1.0 - shape) * digamma(shape)

    def sample(self, p, n, rng):
        return rng.gamma(column(p, "shape"), column(p, "scale"), (*p["shape"].shape, n))

    def crps(self, p, y):
        shape, scale = column(p, "shape"), column(p, "scale")
        x = self._x(p, y)
        above = y * (2.0 * gammainc(shape, x) - 1.0)
        pairs = scale * np.exp(-betaln(0.5, shape))
        return above - shape * scale * (2.0 * gammainc(shape + 1.0, x) - 1.0) - pairs

    def to_scipy(self, p):
        return stats.gamma(p["shape"][0], scale=p["scale"][0])
