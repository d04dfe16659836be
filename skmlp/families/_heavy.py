"""Distributions with heavier tails than the normal."""

from dataclasses import dataclass
from math import log, pi

import numpy as np
from scipy import stats
from scipy.special import betaln, digamma, gammaln, stdtr, stdtrit

from ..losses import weighted_quantile
from ._base import LocationScale, release
from ._symmetric import SymmetricLaw, column

# Degrees of freedom: above 2, so that there is a variance.
MIN_DF = 2.0
LOG_DF = (-5.0, 8.0)


@dataclass(frozen=True)
class Laplace(LocationScale, SymmetricLaw):
    """Laplace distribution: raw outputs are the median and the logarithm of the scale b.

    -log p(y) = |y - loc| / b + log(2 b). Domain: the real numbers.

    Parameters
    ----------
    loss : {"nll", "crps"}, default="nll"
        What is minimised: the negative log-likelihood, or the continuous ranked probability score.
    min_scale : float, default=1e-3
        Smallest b, in standard deviations of y.
    max_scale : float, default=150.0
        Largest one.

    Raises
    ------
    ValueError
        For another `loss`.

    References
    ----------
    Kotz, Kozubowski and Podgorski (2001), The Laplace distribution and generalizations,
    Birkhaeuser. Jordan, Krueger and Lerch (2019), Evaluating probabilistic forecasts with
    scoringRules, J. Stat. Softw. 90 (for the CRPS).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import Laplace
    >>> Laplace().var({"loc": np.array([0.0]), "scale": np.array([2.0])})  # 2 b^2
    array([8.])
    """

    scores = ("nll", "crps")
    smooth = False

    def _start(self, y, weight):
        median = weighted_quantile(y[:, 0], 0.5, weight)
        scale = np.average(np.abs(y[:, 0] - median), weights=weight)
        return self.held(np.array([median, log(max(scale, 1e-300))]))

    def _nll(self, y, raw, loss, grad, work):
        z, inverse, rho = self._residual(y, raw, work)
        np.sign(z, out=grad[..., 0])
        np.abs(z, out=z)
        np.subtract(1.0, z, out=grad[..., 1])
        np.add(z, rho, out=loss)
        loss += log(2.0)
        inverse *= -1.0
        grad[..., 0] *= inverse
        release(raw[..., 1], rho, grad[..., 1], work)

    def _crps(self, y, raw, loss, grad, work):
        z, _, rho = self._residual(y, raw, work)
        scale, size = np.exp(rho), np.abs(z)
        decay = np.exp(-size)
        np.multiply(np.sign(z), decay - 1.0, out=grad[..., 0])
        np.multiply(scale, decay * (1.0 + size) - 0.75, out=grad[..., 1])
        np.multiply(scale, size + decay - 0.75, out=loss)
        release(raw[..., 1], rho, grad[..., 1], work)

    # The law

    def logpdf(self, p, y):
        return -np.abs(self.z(p, y)) - np.log(2.0 * column(p, "scale"))

    def cdf(self, p, y):
        z = self.z(p, y)
        tail = 0.5 * np.exp(-np.abs(z))
        return np.where(z < 0, tail, 1.0 - tail)

    def sf(self, p, y):
        z = self.z(p, y)
        tail = 0.5 * np.exp(-np.abs(z))
        return np.where(z > 0, tail, 1.0 - tail)

    def ppf(self, p, q):
        q = np.asarray(q, np.float64)
        with np.errstate(divide="ignore"):
            size = np.log(2.0 * np.minimum(q, 1.0 - q))
        return column(p, "loc") + column(p, "scale") * np.where(q < 0.5, size, -size)

    def var(self, p):
        return 2.0 * p["scale"] ** 2

    def entropy(self, p):
        return 1.0 + np.log(2.0 * p["scale"])

    def crps(self, p, y):
        size = np.abs(self.z(p, y))
        return column(p, "scale") * (size + np.exp(-size) - 0.75)

    def to_scipy(self, p):
        return stats.laplace(p["loc"][0], p["scale"][0])


@dataclass(frozen=True)
class StudentT(LocationScale, SymmetricLaw):
    """Student's t: raw outputs are the location, the log of the scale and that of df - 2.

    With z = (y - loc) / scale and the beta function B, -log p(y) = (df + 1) log(1 + z^2 / df) / 2 +
    log scale + log(df) / 2 + log B(1/2, df/2). Domain: the real numbers. Degrees of freedom stay
    above 2, so that there is a variance.

    Parameters
    ----------
    loss : {"nll"}, default="nll"
        The CRPS, a closed form in the values, has none for the derivative in df.
    min_scale : float, default=1e-3
        Smallest scale, in standard deviations of y.
    max_scale : float, default=150.0
        Largest one.

    Raises
    ------
    ValueError
        For another `loss`.

    References
    ----------
    Lange, Little and Taylor (1989), Robust statistical modeling using the t distribution, JASA
    84. Jordan, Krueger and Lerch (2019), Evaluating probabilistic forecasts with scoringRules,
    J. Stat. Softw. 90 (for the CRPS).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import StudentT
    >>> p = {"loc": np.array([0.0]), "scale": np.array([2.0]), "df": np.array([4.0])}
    >>> StudentT().var(p)  # scale^2 df / (df - 2)
    array([8.])
    """

    starts_optimal = ()

    def n_raw(self, n_targets):
        return 3

    def units(self, shift, scale):
        factor, offset = super().units(shift, scale)
        return np.append(factor, 1.0), np.append(offset, 0.0)

    def _start(self, y, weight):
        median = weighted_quantile(y[:, 0], 0.5, weight)
        spread = np.average(np.abs(y[:, 0] - median), weights=weight)
        return self.held(np.array([median, log(max(spread, 1e-300)), log(4.0)]))

    def held(self, raw):
        raw = super().held(raw)
        raw[..., 2] = np.clip(raw[..., 2], *LOG_DF)
        return raw

    def params(self, raw):
        return {**super().params(raw), "df": MIN_DF + np.exp(raw[..., 2])}

    def _nll(self, y, raw, loss, grad, work):
        z, inverse, rho = self._residual(y, raw, work)
        eta = np.clip(raw[..., 2], *LOG_DF)
        excess = np.exp(eta)
        df = MIN_DF + excess
        square = z * z
        bend = (df + 1.0) / (df + square)
        np.multiply(z, inverse, out=z)
        np.multiply(bend, -z, out=grad[..., 0])
        np.subtract(1.0, bend * square, out=grad[..., 1])
        stretch = np.log1p(square / df)
        half = 0.5 * (df + 1.0)
        slope = digamma(0.5 * df) - digamma(half) + 1.0 / df + stretch - bend * square / df
        np.multiply(0.5 * excess, slope, out=grad[..., 2])
        np.multiply(half, stretch, out=loss)
        loss += rho + gammaln(0.5 * df) - gammaln(half) + 0.5 * np.log(df * pi)
        release(raw[..., 1], rho, grad[..., 1], work)
        release(raw[..., 2], eta, grad[..., 2], work)

    # The law

    def _log_density(self, p, z):
        df = column(p, "df")
        constant = gammaln(0.5 * (df + 1.0)) - gammaln(0.5 * df) - 0.5 * np.log(df * pi)
        return constant - 0.5 * (df + 1.0) * np.log1p(z * z / df)

    def logpdf(self, p, y):
        return self._log_density(p, self.z(p, y)) - np.log(column(p, "scale"))

    def cdf(self, p, y):
        return stdtr(column(p, "df"), self.z(p, y))

    def sf(self, p, y):
        return stdtr(column(p, "df"), -self.z(p, y))

    def ppf(self, p, q):
        q = np.asarray(q, np.float64)
        inside = (q > 0.0) & (q < 1.0)
        # At the ends SciPy gives the wrong infinity, or NaN.
        z = stdtrit(column(p, "df"), np.where(inside, q, 0.5))
        z = np.where(inside, z, np.where(q < 0.5, -np.inf, np.inf))
        return column(p, "loc") + column(p, "scale") * z

    def var(self, p):
        return p["scale"] ** 2 * p["df"] / (p["df"] - 2.0)

    def skewness(self, p):
        """0, or NaN where there is no third moment.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import StudentT
        >>> p = {"loc": np.zeros(2), "scale": np.ones(2), "df": np.array([2.5, 5.0])}
        >>> StudentT().skewness(p)
        array([nan,  0.])
        """
        return np.where(p["df"] > 3.0, 0.0, np.nan)

    def entropy(self, p):
        df = p["df"]
        half = 0.5 * (df + 1.0)
        own = half * (digamma(half) - digamma(0.5 * df)) + 0.5 * np.log(df) + betaln(0.5 * df, 0.5)
        return own + np.log(p["scale"])

    def sample(self, p, n, rng):
        noise = rng.standard_t(column(p, "df"), (*p["loc"].shape, n))
        return column(p, "loc") + column(p, "scale") * noise

    def crps(self, p, y):
        z, df = self.z(p, y), column(p, "df")
        density = np.exp(self._log_density(p, z))
        spread = 2.0 * density * (df + z * z) / (df - 1.0)
        pairs = np.exp(betaln(0.5, df - 0.5) - 2.0 * betaln(0.5, 0.5 * df))
        pairs = pairs * 2.0 * np.sqrt(df) / (df - 1.0)
        centred = stdtr(df, z) - stdtr(df, -z)
        return column(p, "scale") * (z * centred + spread - pairs)

    def to_scipy(self, p):
        return stats.t(p["df"][0], p["loc"][0], p["scale"][0])
