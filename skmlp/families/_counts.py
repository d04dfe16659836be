"""Distributions of counts."""

from dataclasses import dataclass
from math import inf, log

import numpy as np
from scipy import stats
from scipy.special import (
    betainc,
    betaincc,
    digamma,
    expit,
    gammaln,
    i0e,
    i1e,
    pdtr,
    pdtrc,
    xlogy,
)

from ..losses import Interval
from ._base import Family, release
from ._numeric import bisect_whole
from ._symmetric import column

MAX_LOG_MEAN = 30.0
LOG_SIZE = (-7.0, 14.0)


@dataclass(frozen=True)
class WholeNumbers(Interval):
    """The whole numbers of an interval."""

    def contains(self, y):
        return super().contains(y) & (np.floor(y) == y)

    def __str__(self):
        return f"{super().__str__()}, whole numbers only"


@dataclass(frozen=True)
class CountFamily(Family):
    """Contract of the families of counts, whose first raw output is the logarithm of the mean."""

    domain = support = WholeNumbers(0, inf, True, False)
    target_scaling = "none"
    discrete = True

    def held(self, raw):
        raw = np.array(raw, np.float64)
        raw[..., 0] = np.clip(raw[..., 0], -MAX_LOG_MEAN, MAX_LOG_MEAN)
        return raw

    def mean(self, p):
        return p["mean"].copy()

    def logpdf(self, p, y):
        y = np.asarray(y, np.float64)
        inside = self.support.contains(y)
        return np.where(inside, self._log_probability(p, np.where(inside, y, 0.0)), -inf)

    def ppf(self, p, q):
        q = np.asarray(q, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Cantelli's inequality bounds the quantiles from above.
            reach = np.sqrt(q / (1.0 - q)) * np.sqrt(self.var(p))[..., np.newaxis]
            high = np.where(q < 1.0, column(p, "mean") + reach, 0.0)
        low, high = np.broadcast_arrays(0.0, high)
        found = bisect_whole(lambda y: self.cdf(p, y) >= q, low, high)
        return np.where(q < 1.0, found, inf)


@dataclass(frozen=True)
class Poisson(CountFamily):
    """Poisson distribution: the raw output is the logarithm of the mean m.

    -log p(y) = m - y log m + log y!. Domain: whole numbers from 0.

    Parameters
    ----------
    loss : {"nll", "crps"}, default="nll"
        What is minimised: the negative log-likelihood, or the continuous ranked probability score.

    Raises
    ------
    ValueError
        For another `loss`.

    References
    ----------
    Cameron and Trivedi (2013), Regression analysis of count data, section 3.2. Wei and Held
    (2014), Calibration tests for count data, TEST 23 (for the CRPS).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import Poisson
    >>> Poisson().cdf({"mean": np.array([2.0])}, np.array([[0.0, 1.0]])).round(3)
    array([[0.135, 0.406]])
    """

    scores = ("nll", "crps")

    def n_raw(self, n_targets):
        return 1

    def _start(self, y, weight):
        return np.array([log(max(np.average(y[:, 0], weights=weight), 1e-6))])

    def params(self, raw):
        return {"mean": np.exp(raw[..., 0])}

    def _nll(self, y, raw, loss, grad, work):
        g = np.clip(raw[..., 0], -MAX_LOG_MEAN, MAX_LOG_MEAN)
        mean, count = np.exp(g), y[:, 0]
        np.subtract(mean, count, out=grad[..., 0])
        np.subtract(mean, count * g, out=loss)
        loss += gammaln(count + 1.0)
        release(raw[..., 0], g, grad[..., 0], work)

    def _crps(self, y, raw, loss, grad, work):
        g = np.clip(raw[..., 0].astype(np.float64), -MAX_LOG_MEAN, MAX_LOG_MEAN)
        p, count = {"mean": np.exp(g)}, y[:, :1].astype(np.float64)
        loss[...] = self.crps(p, count)[..., 0]
        count = count[:, 0]
        slope = 1.0 - 2.0 * pdtr(count, p["mean"]) - i0e(2.0 * p["mean"])
        slope += 2.0 * np.exp(self._log_probability(p, count[:, np.newaxis])[..., 0])
        grad[..., 0] = p["mean"] * slope
        release(raw[..., 0], g, grad[..., 0], work)

    # The law

    def _log_probability(self, p, y):
        mean = column(p, "mean")
        return xlogy(y, mean) - mean - gammaln(y + 1.0)

    def cdf(self, p, y):
        return np.where(y < 0, 0.0, pdtr(np.maximum(np.floor(y), 0.0), column(p, "mean")))

    def sf(self, p, y):
        return np.where(y < 0, 1.0, pdtrc(np.maximum(np.floor(y), 0.0), column(p, "mean")))

    def mode(self, p):
        return np.floor(p["mean"])

    def var(self, p):
        return p["mean"].copy()

    def skewness(self, p):
        return 1.0 / np.sqrt(p["mean"])

    def sample(self, p, n, rng):
        return rng.poisson(column(p, "mean"), (*p["mean"].shape, n)).astype(np.float64)

    def crps(self, p, y):
        mean = column(p, "mean")
        at = np.exp(self.logpdf(p, np.floor(y)))
        pairs = mean * (i0e(2.0 * mean) + i1e(2.0 * mean))
        return (y - mean) * (2.0 * self.cdf(p, y) - 1.0) + 2.0 * mean * at - pairs

    def to_scipy(self, p):
        return stats.poisson(p["mean"][0])


@dataclass(frozen=True)
class NegativeBinomial(CountFamily):
    """Negative binomial: raw outputs are the logarithms of the mean m and of the size r.

    With q = r / (r + m), p(y) = Gamma(y + r) / (Gamma(r) y!) q^r (1 - q)^y. The variance is
    m + m^2 / r. Domain: whole numbers from 0.

    Parameters
    ----------
    loss : {"nll"}, default="nll"
        The CRPS, a closed form in the values, has none for the derivative in the size.

    Raises
    ------
    ValueError
        For another `loss`.

    References
    ----------
    Cameron and Trivedi (2013), Regression analysis of count data, section 3.3. Wei and Held
    (2014), Calibration tests for count data, TEST 23 (for the CRPS).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import NegativeBinomial
    >>> NegativeBinomial().var({"mean": np.array([2.0]), "size": np.array([4.0])})
    array([3.])
    """

    starts_optimal = ()

    def n_raw(self, n_targets):
        return 2

    def _start(self, y, weight):
        mean = np.average(y[:, 0], weights=weight)
        excess = np.average((y[:, 0] - mean) ** 2, weights=weight) - mean
        size = mean**2 / excess if excess > 0 else np.exp(LOG_SIZE[1])
        return self.held(np.log(np.maximum([mean, size], 1e-6)))

    def held(self, raw):
        raw = super().held(raw)
        raw[..., 1] = np.clip(raw[..., 1], *LOG_SIZE)
        return raw

    def params(self, raw):
        return {"mean": np.exp(raw[..., 0]), "size": np.exp(raw[..., 1])}

    def _nll(self, y, raw, loss, grad, work):
        # In float64: differences of large log-gammas are small.
        y, wide = y[:, 0].astype(np.float64), raw.astype(np.float64)
        g = np.clip(wide[..., 0], -MAX_LOG_MEAN, MAX_LOG_MEAN)
        rho = np.clip(wide[..., 1], *LOG_SIZE)
        size, t = np.exp(rho), g - rho
        above = np.logaddexp(0.0, t)
        value = size * above + y * (above - t)
        value += gammaln(size) - gammaln(y + size) + gammaln(y + 1.0)
        slope = size * expit(t) - y * expit(-t)
        loss[...] = value
        grad[..., 0] = slope
        grad[..., 1] = size * (digamma(size) - digamma(y + size) + above) - slope
        release(raw[..., 0], g, grad[..., 0], work)
        release(raw[..., 1], rho, grad[..., 1], work)

    # The law

    def _success(self, p):
        """Parameter p of scipy.stats.nbinom, and 1 - p."""
        mean, size = column(p, "mean"), column(p, "size")
        return size / (size + mean), mean / (size + mean)

    def _log_probability(self, p, y):
        size = column(p, "size")
        success, failure = self._success(p)
        ways = gammaln(y + size) - gammaln(size) - gammaln(y + 1.0)
        return ways + xlogy(size, success) + xlogy(y, failure)

    def cdf(self, p, y):
        count = np.maximum(np.floor(y), 0.0)
        return np.where(y < 0, 0.0, betainc(column(p, "size"), count + 1.0, self._success(p)[0]))

    def sf(self, p, y):
        count = np.maximum(np.floor(y), 0.0)
        return np.where(y < 0, 1.0, betaincc(column(p, "size"), count + 1.0, self._success(p)[0]))

    def mode(self, p):
        return np.floor(np.maximum(p["mean"] * (1.0 - 1.0 / p["size"]), 0.0))

    def var(self, p):
        return p["mean"] + p["mean"] ** 2 / p["size"]

    def skewness(self, p):
        success = p["size"] / (p["size"] + p["mean"])
        return (2.0 - success) / np.sqrt((1.0 - success) * p["size"])

    def sample(self, p, n, rng):
        success = self._success(p)[0]
        counts = rng.negative_binomial(column(p, "size"), success, (*p["mean"].shape, n))
        return counts.astype(np.float64)

    def crps(self, p, y):
        mean, size = column(p, "mean"), column(p, "size")
        success, failure = self._success(p)
        between = np.asarray(y, np.float64)
        y = np.floor(between)
        slope = 2.0 * self.cdf(p, y) - 1.0
        below = np.where(y < 1, 0.0, betainc(size + 1.0, np.maximum(y, 1.0), success))
        pairs = _half_difference(size, 4.0 * failure / success**2)
        return between * slope - mean * (2.0 * below - 1.0) - pairs

    def to_scipy(self, p):
        size, mean = p["size"][0], p["mean"][0]
        return stats.nbinom(size, size / (size + mean))


def _half_difference(size, x):
    """E|X - X'| / 2 of two negative binomials, by the integral over their characteristic function.

    Its squared modulus is (1 + x w)^-size with w = sin(t / 2)^2; in v = logit(w) / 2 the
    trapezoidal rule converges exponentially. SciPy's hyp2f1, the closed form, fails for large
    sizes.
    """
    v, step = np.linspace(-60.0, 40.0, 401, retstep=True)
    w = expit(2.0 * v)
    lost = -np.expm1(-size[..., np.newaxis] * np.log1p(x[..., np.newaxis] * w))
    return step / (2.0 * np.pi) * (lost @ np.exp(-v))
