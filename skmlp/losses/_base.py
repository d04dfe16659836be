"""What a loss is, and what losses share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf

import numpy as np
from scipy.optimize import brentq

# Stands for a probability or a mean of exactly zero, whose logarithm is to be finite: log is -13.8,
# near enough for a class or an event that first comes in a later batch to be learned.
ABSENT = 1e-6


@dataclass(frozen=True)
class Interval:
    """The real numbers between `low` and `high`.

    Parameters
    ----------
    low, high : float
        Ends, which may be infinite.
    low_inclusive, high_inclusive : bool
        Whether the ends belong to it.

    Examples
    --------
    >>> from skmlp.losses import Interval
    >>> print(Interval(0, 1, True, False))
    [0, 1)
    >>> Interval(0, 1, True, False).contains([0.0, 1.0])
    array([ True, False])
    """

    low: float
    high: float
    low_inclusive: bool
    high_inclusive: bool

    def contains(self, y):
        """Whether each entry of y lies in the interval; NaN does not.

        Parameters
        ----------
        y : array-like
            Numbers of any shape.

        Returns
        -------
        inside : ndarray of bool of the shape of y
            True for the numbers in the interval.

        Examples
        --------
        >>> from skmlp.losses import Poisson
        >>> Poisson().domain.contains([-1.0, 0.0, 2.5])
        array([False,  True,  True])
        """
        y = np.asarray(y)
        above = y >= self.low if self.low_inclusive else y > self.low
        below = y <= self.high if self.high_inclusive else y < self.high
        return above & below

    def __str__(self):
        left, right = "(["[self.low_inclusive], ")]"[self.high_inclusive]
        return f"{left}{self.low:g}, {self.high:g}{right}"


@dataclass(frozen=True)
class Loss(ABC):
    """Contract: loss and derivative with respect to the raw outputs g of the last layer.

    Attributes
    ----------
    domain : Interval
        Where y may lie.
    target_scaling : {"affine", "scale", "none"}
        Whether y is trained as (y - mean) / sd, as y / mean, or as it is.
    link : {"identity", "exp", "logistic", "softmax"}
        Name of the inverse link, which takes raw outputs to predictions.
    smooth : bool
        Whether the gradient is continuous in g.
    init_is_optimal : bool
        Whether no constant has a lower mean loss than `init_raw`.
    fused : str or None
        What compiled steps, which make all passes in one call, know the loss as. It counts only for
        the class that sets it, as subclasses may do something else.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import SquaredError
    >>> y, raw = np.array([[1.0], [2.0]]), np.array([[[3.0], [2.0]]])
    >>> loss, grad = np.empty((1, 2)), np.empty((1, 2, 1))
    >>> SquaredError().loss_grad(y, raw, loss, grad, lambda key, *array: np.empty(*array))
    >>> loss, grad.ravel()
    (array([[2., 0.]]), array([2., 0.]))
    """

    domain = Interval(-inf, inf, False, False)
    target_scaling = "affine"
    link = "identity"
    smooth = True
    init_is_optimal = True
    fused = None

    @property
    def plain(self):
        """The same loss without label smoothing."""
        return self

    def dispersion(self, mean, n_targets):
        """What a negative log-likelihood is multiplied by in this loss, given its mean over rows.

        1 for losses that are one; the variance of the noise for squared errors, and so on.

        Parameters
        ----------
        mean : float
            Mean of the loss over rows, summed over targets.
        n_targets : int
            Number of targets.

        Returns
        -------
        dispersion : float
            In the units of the loss.

        Examples
        --------
        A mean of half the squared errors of 2 is a variance of the noise of 4.

        >>> from skmlp.losses import Gamma, SquaredError
        >>> SquaredError().dispersion(2.0, n_targets=1), Gamma().dispersion(2.0, n_targets=1)
        (4.0, 1.0)
        """
        return 1.0

    def n_raw(self, n_targets):
        """Width of the output layer, an int, for so many targets (multiclass losses: classes).

        Examples
        --------
        >>> from skmlp.losses import Quantile, SquaredError
        >>> SquaredError().n_raw(3), Quantile([0.1, 0.5, 0.9]).n_raw(1)
        (3, 3)
        """
        return n_targets

    def init_raw(self, y, weight=None, n_targets=None):
        """Constant raw output of least weighted mean loss: a root of the mean gradient.

        Parameters
        ----------
        y : ndarray of shape (n, n_targets), for multiclass losses (n,)
            Targets as `loss_grad` takes them.
        weight : ndarray of shape (n,) or None
            Non-negative weights; None for all 1.
        n_targets : int or None
            Number of targets or classes; None reads it off y, that is, trusts that the last class
            is present.

        Returns
        -------
        raw : ndarray of shape (n_raw,)
            In float64.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.losses import AbsoluteError, SquaredError
        >>> y = np.array([[1.0], [2.0], [6.0]])
        >>> SquaredError().init_raw(y), AbsoluteError().init_raw(y)  # mean and median
        (array([3.]), array([2.]))
        """
        return np.array([self._root(column, weight) for column in np.asarray(y, np.float64).T])

    @abstractmethod
    def loss_grad(self, y, raw, loss, grad, work):
        """Write the loss of every row and its derivative with respect to `raw`.

        Parameters
        ----------
        y : ndarray of shape (rows, n_targets), for multiclass losses codes of shape (rows,)
            Targets, in the units that `raw` is for.
        raw : ndarray of shape (members, rows, n_raw)
            Not changed.
        loss : ndarray of shape (members, rows)
            Overwritten by the sum over outputs.
        grad : ndarray of shape (members, rows, n_raw)
            Overwritten.
        work : callable
            ``work(key, shape, dtype)`` lends an array.
        """

    def fitted(self, y, weight=None):
        """The loss with what it has to know of the training targets.

        Parameters
        ----------
        y : ndarray of shape (n, n_targets)
            In y's units.
        weight : ndarray of shape (n,) or None
            Non-negative weights; None for all 1.

        Returns
        -------
        loss : Loss
            The same, if there is nothing to know.

        Examples
        --------
        A normal distribution that is to be trained on several targets becomes a joint one.

        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> from skmlp.losses import SquaredError
        >>> type(Normal().fitted(np.array([[0.0, 1.0], [2.0, 5.0]]))).__name__
        'MultivariateNormal'
        >>> SquaredError().fitted(np.zeros((2, 2)))
        SquaredError()
        """
        return self

    def moved(self, ratio):
        """The loss for targets whose unit has been divided by a ratio.

        Parameters
        ----------
        ratio : ndarray of shape (n_targets,) or float
            Old unit over new unit, for each target or for all.

        Returns
        -------
        loss : Loss
            The same, if it has no parameter in that unit.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> from skmlp.losses import SquaredError
        >>> Normal(min_scale=0.5).moved(np.array([2.0])).min_scale
        1.0
        >>> SquaredError().moved(np.array([2.0]))
        SquaredError()
        """
        return self

    def units(self, shift, scale):
        """Factors and offsets that turn raw outputs for y into those for scale * y + shift.

        Parameters
        ----------
        shift, scale : ndarray of shape (n_targets,) or float
            Of the change of units, for each target or for all.

        Returns
        -------
        factor, offset : ndarray that broadcast with (n_raw,)
            The new raw outputs are ``factor * raw + offset``.

        Examples
        --------
        A Poisson output is the logarithm of the mean: in another unit it is shifted.

        >>> import numpy as np
        >>> from skmlp.losses import Poisson, SquaredError
        >>> shift, scale = np.array([1.0]), np.array([10.0])
        >>> SquaredError().units(shift, scale)
        (array([10.]), array([1.]))
        >>> factor, offset = Poisson().units(np.array([0.0]), scale)
        >>> factor, offset.round(2)
        (1.0, array([2.3]))
        """
        return scale, shift

    def predict(self, raw):
        """Inverse link.

        Parameters
        ----------
        raw : ndarray of shape (..., n_raw)
            Raw outputs of the network.

        Returns
        -------
        prediction : ndarray of shape (..., n_raw)
            New; in the units of y if `raw` is for them (see `units`).

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.losses import BinaryLogLoss, SquaredError
        >>> SquaredError().predict([0.0, 2.0]), BinaryLogLoss().predict(np.array([0.0]))
        (array([0., 2.]), array([0.5]))
        """
        return np.array(raw)

    def average(self, raw):
        """Raw outputs whose prediction is the mean of the members' predictions.

        Parameters
        ----------
        raw : ndarray of shape (members, rows, n_raw)
            Raw outputs of each member.

        Returns
        -------
        raw : ndarray of shape (rows, n_raw)
            Those of the mean prediction.

        Raises
        ------
        NotImplementedError
            For a `link` other than the identity, unless the loss has an `average` of its own.

        Examples
        --------
        Probabilities are averaged, not the logits 0 and log 9 that stand for them.

        >>> import numpy as np
        >>> from skmlp.losses import BinaryLogLoss
        >>> loss, raw = BinaryLogLoss(), np.array([[[0.0]], [[np.log(9.0)]]])
        >>> loss.predict(raw).ravel(), loss.predict(loss.average(raw)).ravel().round(6)
        (array([0.5, 0.9]), array([0.7]))
        """
        if self.link != "identity":
            raise NotImplementedError(
                f"{type(self).__name__} has link={self.link!r} and must say by `average` which raw "
                "outputs stand for the mean of predictions."
            )
        return self.predict(raw).mean(axis=0)

    def _root(self, y, weight):
        # Only losses of a difference come here: their minimiser lies between the extremes of y.
        low, high = y.min(), y.max()
        if low == high:
            return low

        def mean_gradient(constant):
            raw = np.full((1, len(y), 1), constant)
            grad = np.empty_like(raw)
            self.loss_grad(y[:, np.newaxis], raw, np.empty((1, len(y))), grad, _new_array)
            return np.average(grad[0, :, 0], weights=weight)

        return brentq(mean_gradient, low, high, xtol=1e-12 * (high - low))


@dataclass(frozen=True)
class ElementwiseLoss(Loss):
    """A loss that is a sum over outputs of a function of one target and one raw output.

    Examples
    --------
    A subclass writes the loss of every output and its derivative.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from skmlp import MLPRegressor
    >>> from skmlp.losses import ElementwiseLoss
    >>> @dataclass(frozen=True)
    ... class Quartic(ElementwiseLoss):
    ...     def _elements(self, y, raw, loss, grad, work):
    ...         np.subtract(raw, y, out=grad)  # the residual r
    ...         np.power(grad, 4, out=loss)
    ...         np.power(grad, 3, out=grad)
    ...         grad *= 4.0
    >>> y, weight = np.array([[0.0], [9.0]]), np.array([8.0, 1.0])
    >>> Quartic().init_raw(y, weight).round(6)  # 8 * 3 ** 3 = 6 ** 3
    array([3.])
    >>> model = MLPRegressor(Quartic(), hidden_layer_sizes=(), solver="lbfgs", random_state=0)
    >>> model.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]).predict([[3.0]]).round()
    array([7.])
    """

    def loss_grad(self, y, raw, loss, grad, work):
        if raw.shape[-1] == 1:
            self._elements(y, raw, loss[..., np.newaxis], grad, work)
            return
        each = work("loss each", raw.shape, raw.dtype)
        self._elements(y, raw, each, grad, work)
        # A product with ones takes a third of the time of a sum over a short last axis.
        np.matmul(each, np.ones(raw.shape[-1], raw.dtype), out=loss)

    @abstractmethod
    def _elements(self, y, raw, loss, grad, work):
        """As `loss_grad`, with one loss per output: `loss` has the shape of `raw`."""


def weighted_mean(y, weight):
    """Mean over rows, in float64."""
    return np.average(np.asarray(y, np.float64), axis=0, weights=weight)


def log_mean_exp(logarithms):
    """Logarithm of the mean over members of numbers given by their logarithms."""
    largest = logarithms.max(axis=0)
    return largest + np.log(np.mean(np.exp(logarithms - largest), axis=0))


def finite_log(x):
    """Logarithm of frequencies or means, with something small in the place of zero."""
    return np.log(np.where(x > 0, x, ABSENT))


def _new_array(key, shape, dtype):
    return np.empty(shape, dtype)
