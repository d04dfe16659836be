"""Losses of numbers: differences, quantiles, deviances."""

from dataclasses import dataclass
from math import inf, log

import numpy as np
from scipy.special import xlogy

from ._base import ElementwiseLoss, Interval, finite_log, log_mean_exp, weighted_mean
from ._quantiles import weighted_quantile

# exp(80) = 5.5e34 leaves float32 four decades for the sum over outputs and the sample weight.
MAX_EXPONENT = 80.0


@dataclass(frozen=True)
class SquaredError(ElementwiseLoss):
    """(g - y)^2 / 2, whose minimiser is the mean.

    Domain: the real numbers. Inverse link: identity.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 1.5.5.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import SquaredError
    >>> SquaredError().init_raw(np.array([[1.0], [2.0], [6.0]]))
    array([3.])
    """

    fused = "squared error"

    def dispersion(self, mean, n_targets):
        return 2.0 * mean / n_targets

    def init_raw(self, y, weight=None, n_targets=None):
        return weighted_mean(y, weight)

    def _elements(self, y, raw, loss, grad, work):
        np.subtract(raw, y, out=grad)
        np.multiply(grad, 0.5, out=loss)
        np.multiply(loss, grad, out=loss)


@dataclass(frozen=True)
class AbsoluteError(ElementwiseLoss):
    """|g - y|, whose minimiser is the median.

    Domain: the real numbers. Inverse link: identity.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 1.5.5.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import AbsoluteError
    >>> AbsoluteError().init_raw(np.array([[1.0], [2.0], [6.0]]))
    array([2.])
    """

    smooth = False

    def dispersion(self, mean, n_targets):
        return mean / n_targets

    def init_raw(self, y, weight=None, n_targets=None):
        return weighted_quantile(y, 0.5, weight)

    def _elements(self, y, raw, loss, grad, work):
        np.subtract(raw, y, out=grad)
        np.abs(grad, out=loss)
        np.sign(grad, out=grad)


@dataclass(frozen=True)
class Huber(ElementwiseLoss):
    """r^2 / 2 for |r| <= delta, delta (|r| - delta / 2) beyond, with r = g - y.

    Domain: the real numbers. Inverse link: identity.

    Parameters
    ----------
    delta : float, default=1.35
        In the unit of training, which is the standard deviation of y when y is scaled. (With 1.35
        standard deviations of the residuals it would be 95 % efficient for normal errors.)

    References
    ----------
    Huber (1964), Robust estimation of a location parameter, Ann. Math. Statist. 35.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import Huber
    >>> Huber().init_raw(np.array([[1.0], [2.0], [6.0]])).round(3)
    array([2.175])
    """

    delta: float = 1.35

    def dispersion(self, mean, n_targets):
        return 2.0 * mean / n_targets

    def _elements(self, y, raw, loss, grad, work):
        # With the clipped residual c both branches are c (r - c / 2).
        half = work("loss half", raw.shape, raw.dtype)
        np.subtract(raw, y, out=loss)
        np.minimum(loss, self.delta, out=grad)
        np.maximum(grad, -self.delta, out=grad)
        np.multiply(grad, 0.5, out=half)
        np.subtract(loss, half, out=loss)
        np.multiply(loss, grad, out=loss)


@dataclass(frozen=True)
class Quantile(ElementwiseLoss):
    """Pinball loss max(q (y - g), (q - 1)(y - g)), whose minimiser is the q-th quantile.

    Domain: the real numbers. Inverse link: identity; several quantiles of one target are summed,
    and sorted when predicting, so that they never cross.

    Parameters
    ----------
    quantile : float or tuple of float, default=0.5
        Level q, strictly between 0 and 1, or several in increasing order.

    Raises
    ------
    ValueError
        For a `quantile` that is nothing of the kind.

    References
    ----------
    Koenker and Bassett (1978), Regression quantiles, Econometrica 46.
    Chernozhukov, Fernandez-Val and Galichon (2010), Quantile and probability curves without
    crossing, Econometrica 78.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import Quantile
    >>> Quantile((0.25, 0.75)).init_raw(np.array([[1.0], [2.0], [6.0]]))
    array([1., 6.])
    """

    quantile: float | tuple = 0.5
    smooth = False

    def dispersion(self, mean, n_targets):
        return mean / n_targets

    def __post_init__(self):
        levels = np.atleast_1d(self.quantile)
        inside = levels.size > 0 and levels.ndim == 1 and levels.dtype.kind in "fiu"
        inside = inside and bool(np.all((levels > 0) & (levels < 1)))
        if not inside or np.any(np.diff(levels) <= 0):
            raise ValueError(
                f"quantile={self.quantile!r} is not allowed: give a number strictly between 0 and "
                "1, or several of them in increasing order."
            )
        if np.ndim(self.quantile) > 0:
            object.__setattr__(self, "quantile", tuple(map(float, self.quantile)))

    def n_raw(self, n_targets):
        """Width of the output layer, an int: one output for each target, or for each level.

        Parameters
        ----------
        n_targets : int
            Number of targets; 1 for several levels.

        Returns
        -------
        n_raw : int
            Number of targets, or of levels.

        Raises
        ------
        ValueError
            For several levels of several targets.

        Examples
        --------
        >>> from skmlp.losses import Quantile
        >>> Quantile([0.1, 0.9]).n_raw(1)
        2
        """
        if np.ndim(self.quantile) == 0:
            return n_targets
        if n_targets > 1:
            raise ValueError(
                f"quantile={self.quantile!r} needs a single target, got {n_targets}: give one "
                "number, or fit one regressor per target with MultiOutputRegressor."
            )
        return len(self.quantile)

    def init_raw(self, y, weight=None, n_targets=None):
        return weighted_quantile(y, self.quantile, weight).ravel()

    def predict(self, raw):
        return np.array(raw) if np.ndim(self.quantile) == 0 else np.sort(raw, axis=-1)

    def _elements(self, y, raw, loss, grad, work):
        np.subtract(raw, y, out=loss)
        np.greater(loss, 0, out=grad)
        np.subtract(grad, np.asarray(self.quantile, raw.dtype), out=grad)
        np.multiply(loss, grad, out=loss)


@dataclass(frozen=True)
class LogCosh(ElementwiseLoss):
    """log cosh(g - y): r^2 / 2 near zero, |r| - log 2 far away, with tanh(r) as its derivative.

    Domain: the real numbers. Inverse link: identity.

    References
    ----------
    Green (1990), Bayesian reconstructions from emission tomography data using a modified EM
    algorithm, IEEE Trans. Med. Imaging 9.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import LogCosh
    >>> LogCosh().init_raw(np.array([[1.0], [2.0], [6.0]])).round(1)
    array([2.2])
    """

    def dispersion(self, mean, n_targets):
        return 2.0 * mean / n_targets

    def _elements(self, y, raw, loss, grad, work):
        negative = work("loss negative", raw.shape, raw.dtype)
        np.subtract(raw, y, out=grad)
        np.negative(grad, out=negative)
        np.logaddexp(grad, negative, out=loss)
        np.subtract(loss, log(2.0), out=loss)
        np.tanh(grad, out=grad)


@dataclass(frozen=True)
class LogMeanLoss(ElementwiseLoss):
    """Contract of the deviances whose raw output is the logarithm of the mean.

    Beyond 80 the exponent is held, so that float32 stays finite; gradients keep their sign there.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import Gamma
    >>> raw = Gamma().init_raw(np.array([[1.0], [2.0], [6.0]]))
    >>> Gamma().predict(raw).round(6)  # exp of the output
    array([3.])
    """

    link = "exp"

    def init_raw(self, y, weight=None, n_targets=None):
        return finite_log(weighted_mean(y, weight))

    def units(self, shift, scale):
        return 1.0, np.log(scale)

    def predict(self, raw):
        return np.exp(np.clip(raw, -MAX_EXPONENT, MAX_EXPONENT))

    def average(self, raw):
        return log_mean_exp(np.clip(raw, -MAX_EXPONENT, MAX_EXPONENT))


@dataclass(frozen=True)
class Poisson(LogMeanLoss):
    """Half the Poisson deviance, y log(y / mu) - y + mu with mu = exp(g).

    Domain: y >= 0. Inverse link: exp.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import Poisson
    >>> np.exp(Poisson().init_raw(np.array([[1.0], [2.0], [6.0]]))).round(6)
    array([3.])
    """

    domain = Interval(0, inf, True, False)
    target_scaling = "none"

    def _elements(self, y, raw, loss, grad, work):
        constant = work("loss constant", y.shape, y.dtype)
        xlogy(y, y, out=constant)
        np.subtract(constant, y, out=constant)
        np.minimum(raw, MAX_EXPONENT, out=grad)
        np.exp(grad, out=grad)
        np.multiply(raw, y, out=loss)
        np.subtract(grad, loss, out=loss)
        np.add(loss, constant, out=loss)
        np.subtract(grad, y, out=grad)


@dataclass(frozen=True)
class Gamma(LogMeanLoss):
    """Half the gamma deviance, y / mu - 1 - log(y / mu) with mu = exp(g).

    Domain: y > 0. Inverse link: exp.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import Gamma
    >>> np.exp(Gamma().init_raw(np.array([[1.0], [2.0], [6.0]]))).round(6)
    array([3.])
    """

    domain = Interval(0, inf, False, False)
    target_scaling = "scale"

    def _elements(self, y, raw, loss, grad, work):
        log_y = work("loss log y", y.shape, y.dtype)
        np.log(y, out=log_y)
        np.subtract(log_y, raw, out=loss)
        np.minimum(loss, MAX_EXPONENT, out=grad)
        np.exp(grad, out=grad)
        np.subtract(grad, loss, out=loss)
        np.subtract(loss, 1, out=loss)
        np.subtract(1, grad, out=grad)
