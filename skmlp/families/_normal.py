"""Normal and lognormal distributions of one target."""

from dataclasses import dataclass, replace
from math import inf, log, pi, sqrt

import numpy as np
from scipy import stats
from scipy.special import log_ndtr, ndtr, ndtri

from ..losses import Interval
from ._base import LocationScale, mean_sd, release
from ._multivariate import MultivariateNormal
from ._symmetric import HALF_LOG_2PI, NormalLaw, column

# Bound of the mean of log y, which is near 0 in units of training.
MAX_MU = 30.0


@dataclass(frozen=True)
class Normal(LocationScale, NormalLaw):
    """Normal distribution: raw outputs are the mean and the logarithm of the standard deviation.

    -log p(y) = (y - loc)^2 / (2 scale^2) + log scale + log(2 pi) / 2. Domain: the real numbers. For
    several targets it becomes the `MultivariateNormal`.

    Parameters
    ----------
    loss : {"nll", "crps", "beta_nll"}, default="nll"
        Negative log-likelihood; continuous ranked probability score; or the first, each row
        multiplied by sigma^(2 beta) as if that were a weight (Seitzer et al. 2022,
        arXiv 2203.09168).
    min_scale : float, default=1e-3
        Smallest standard deviation, in those of y.
    max_scale : float, default=150.0
        Largest one.
    beta : float, default=0.5
        Of "beta_nll"; 0 is "nll", and with 1 the mean learns as by least squares.
    covariance_type : {"full", "diag", "spherical", "tied"}, default="full"
        Of several targets; "tied" is a covariance that does not depend on x.

    Raises
    ------
    ValueError
        For another `loss`.

    References
    ----------
    Nix and Weigend (1994), Estimating the mean and variance of the target probability
    distribution, ICNN. Gneiting and Raftery (2007), Strictly proper scoring rules, prediction,
    and estimation, JASA 102.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import Normal
    >>> p = {"loc": np.array([0.0]), "scale": np.array([2.0])}
    >>> Normal().logpdf(p, np.array([[0.0, 2.0]])).round(3)
    array([[-1.612, -2.112]])
    """

    beta: float = 0.5
    covariance_type: str = "full"

    scores = ("nll", "crps", "beta_nll")

    @property
    def several_targets(self):
        return self.loss == "nll"

    def fitted(self, y, weight=None):
        """The family with what it has to know of the training targets.

        Parameters
        ----------
        y : ndarray of shape (n, n_targets)
            In y's units.
        weight : ndarray of shape (n,) or None, default=None
            Non-negative weights; None for all 1.

        Returns
        -------
        family : Normal or MultivariateNormal
            The second for several targets.

        Raises
        ------
        ValueError
            For several targets with a loss other than "nll", or an unknown `covariance_type`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> type(Normal().fitted(np.array([[0.0], [1.0]]))).__name__
        'Normal'
        >>> type(Normal().fitted(np.array([[0.0, 1.0], [2.0, 5.0]]))).__name__
        'MultivariateNormal'
        """
        if y.shape[1] == 1:
            return super().fitted(y, weight)
        if self.loss != "nll":
            raise ValueError(
                f"loss={self.loss!r} is for one target, but y has {y.shape[1]}. Use loss='nll', or "
                "fit one regressor per target with sklearn.multioutput.MultiOutputRegressor."
            )
        joint = MultivariateNormal(covariance_type=self.covariance_type, min_scale=self.min_scale)
        return joint.fitted(y, weight)

    def constant_raw(self, n_targets):
        return np.array([False, self.covariance_type == "tied"])

    def _start(self, y, weight):
        mean, sd = mean_sd(y[:, 0], weight)
        return self.held([mean, log(max(sd, 1e-300))])

    def _nll(self, y, raw, loss, grad, work):
        _normal_nll(raw, self._residual(y, raw, work), loss, grad, work)

    def _beta_nll(self, y, raw, loss, grad, work):
        residual = self._residual(y, raw, work)
        _normal_nll(raw, residual, loss, grad, work)
        factor = residual[2]
        factor *= 2.0 * self.beta
        np.exp(factor, out=factor)
        loss *= factor
        grad *= factor[..., np.newaxis]

    def _crps(self, y, raw, loss, grad, work):
        z, _, rho = self._residual(y, raw, work)
        scale, density = np.exp(rho), np.exp(-0.5 * z * z) * (2.0 / sqrt(2.0 * pi))
        centred = 2.0 * ndtr(z) - 1.0
        np.negative(centred, out=grad[..., 0])
        np.multiply(scale, density - 1.0 / sqrt(pi), out=grad[..., 1])
        np.multiply(scale, z * centred, out=loss)
        loss += grad[..., 1]
        release(raw[..., 1], rho, grad[..., 1], work)


def _normal_nll(raw, residual, loss, grad, work):
    """Negative log-likelihood of a normal distribution, given what `_residual` returns."""
    z, inverse, rho = residual
    np.multiply(z, inverse, out=inverse)
    np.negative(inverse, out=grad[..., 0])
    np.multiply(z, z, out=z)
    np.subtract(1.0, z, out=grad[..., 1])
    np.multiply(z, 0.5, out=loss)
    loss += rho
    loss += HALF_LOG_2PI
    release(raw[..., 1], rho, grad[..., 1], work)


@dataclass(frozen=True)
class LogNormal(LocationScale):
    """Lognormal distribution: raw outputs are mean and log standard deviation of log y.

    -log p(y) = (log y - mu)^2 / (2 sigma^2) + log(sigma y) + log(2 pi) / 2. Domain: y > 0.

    Parameters
    ----------
    loss : {"nll", "crps"}, default="nll"
        What is minimised: the negative log-likelihood, or the continuous ranked probability score.
    min_scale : float, default=1e-3
        Smallest standard deviation of log y.
    max_scale : float, default=10.0
        Largest one, so that the mean exp(mu + sigma^2 / 2) stays within float32.

    Raises
    ------
    ValueError
        For another `loss`.

    References
    ----------
    Crow and Shimizu (1988), Lognormal distributions. Baran and Lerch (2015), Log-normal
    distribution based EMOS models, Q. J. R. Meteorol. Soc. 141 (for the CRPS).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import LogNormal
    >>> LogNormal().mean({"mu": np.array([0.0]), "sigma": np.array([1.0])}).round(3)
    array([1.649])
    """

    max_scale: float = 10.0

    domain = support = Interval(0, inf, False, False)
    target_scaling = "scale"
    scores = ("nll", "crps")

    def fitted(self, y, weight=None):
        family = super().fitted(y, weight)
        # Of log y, whose scale has no unit.
        return replace(family, min_scale=self.min_scale)

    def moved(self, ratio):
        return self

    def units(self, shift, scale):
        return np.ones(2), np.stack([np.log(scale[0]), 0.0 * scale[0]])

    def _start(self, y, weight):
        return self.held(Normal(min_scale=self.min_scale)._start(np.log(y), weight))

    def _nll(self, y, raw, loss, grad, work):
        log_y = work("log y", y.shape, y.dtype)
        np.log(y, out=log_y)
        _normal_nll(raw, self._residual(log_y, raw, work), loss, grad, work)
        loss += log_y[:, 0]
        release(raw[..., 0], self._mu(raw), grad[..., 0], work)

    def held(self, raw):
        raw = super().held(raw)
        raw[..., 0] = self._mu(raw)
        return raw

    def _mu(self, raw):
        return np.clip(raw[..., 0], -MAX_MU, MAX_MU)

    def _residual(self, y, raw, work):
        held = work("held", raw.shape, raw.dtype)
        held[..., 0], held[..., 1:] = self._mu(raw), raw[..., 1:]
        return super()._residual(y, held, work)

    def _crps(self, y, raw, loss, grad, work):
        z, _, rho = self._residual(np.log(y), raw, work)
        sigma, mu = np.exp(rho), self._mu(raw)
        mean = np.exp(mu + 0.5 * sigma**2)
        upper = ndtr(z - sigma) - ndtr(-sigma / sqrt(2.0))
        np.multiply(mean, -2.0 * upper, out=grad[..., 0])
        np.multiply(y[:, 0], 2.0 * ndtr(z) - 1.0, out=loss)
        loss += grad[..., 0]
        density = y[:, 0] * np.exp(-0.5 * z**2) * (2.0 / sqrt(2.0 * pi))
        density -= mean * np.exp(-0.25 * sigma**2) / sqrt(pi)
        np.multiply(sigma, density + sigma * grad[..., 0], out=grad[..., 1])
        release(raw[..., 0], mu, grad[..., 0], work)
        release(raw[..., 1], rho, grad[..., 1], work)

    # The law

    def params(self, raw):
        return {"mu": raw[..., 0], "sigma": np.exp(raw[..., 1])}

    def _z(self, p, y):
        with np.errstate(divide="ignore"):
            return (np.log(np.maximum(y, 0.0)) - column(p, "mu")) / column(p, "sigma")

    def logpdf(self, p, y):
        y = np.asarray(y, np.float64)
        z = self._z(p, y)
        positive = np.where(y > 0, y, 1.0)
        value = -0.5 * z * z - np.log(positive * column(p, "sigma")) - HALF_LOG_2PI
        return np.where(y > 0, value, -inf)

    def cdf(self, p, y):
        return ndtr(self._z(p, y))

    def sf(self, p, y):
        return ndtr(-self._z(p, y))

    def logcdf(self, p, y):
        return log_ndtr(self._z(p, y))

    def ppf(self, p, q):
        return np.exp(column(p, "mu") + column(p, "sigma") * ndtri(q))

    def mean(self, p):
        return np.exp(p["mu"] + 0.5 * p["sigma"] ** 2)

    def median(self, p):
        return np.exp(p["mu"])

    def mode(self, p):
        return np.exp(p["mu"] - p["sigma"] ** 2)

    def var(self, p):
        return np.expm1(p["sigma"] ** 2) * self.mean(p) ** 2

    def skewness(self, p):
        square = np.exp(p["sigma"] ** 2)
        return (square + 2.0) * np.sqrt(square - 1.0)

    def entropy(self, p):
        return p["mu"] + np.log(p["sigma"]) + HALF_LOG_2PI + 0.5

    def sample(self, p, n, rng):
        noise = rng.standard_normal((*p["mu"].shape, n))
        return np.exp(column(p, "mu") + column(p, "sigma") * noise)

    def crps(self, p, y):
        z, sigma = self._z(p, y), column(p, "sigma")
        upper = ndtr(z - sigma) - ndtr(-sigma / sqrt(2.0))
        return y * (2.0 * ndtr(z) - 1.0) - 2.0 * self.mean(p)[..., np.newaxis] * upper

    def to_scipy(self, p):
        return stats.lognorm(p["sigma"][0], scale=np.exp(p["mu"][0]))
