"""Losses of classes: negative log-likelihoods and margins."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from scipy.special import expit, log_expit

from .. import _kernels as kernels
from .._kernels.plain import by_class
from ._base import ElementwiseLoss, Interval, Loss, finite_log, log_mean_exp, weighted_mean

# So many raw outputs become probabilities at a time: they are still in a cache from pass to pass.
CACHED_NUMBERS = 2**15

# Up to so many classes turning the array pays for itself (ten: a quarter of the time, fifty: .7).
FEW_CLASSES = 64


@dataclass(frozen=True)
class ClassificationLoss(Loss):
    """Contract of the losses for classes; `probabilistic` says whether `log_proba` exists.

    Examples
    --------
    >>> from skmlp.losses import Hinge, SoftmaxLogLoss
    >>> SoftmaxLogLoss().probabilistic, Hinge().probabilistic
    (True, False)
    >>> print(SoftmaxLogLoss().domain, SoftmaxLogLoss().target_scaling)
    [0, inf) none
    """

    domain = Interval(0, inf, True, False)
    target_scaling = "none"
    probabilistic = False


@dataclass(frozen=True)
class LogLoss(ClassificationLoss):
    """Contract of the negative log-likelihoods, with targets (1 - eps) y + eps / n_classes.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        eps, in [0, 1).

    References
    ----------
    Szegedy et al. (2016), Rethinking the inception architecture for computer vision, CVPR
    (label smoothing, eps).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import SoftmaxLogLoss
    >>> loss, raw = SoftmaxLogLoss(label_smoothing=0.1), np.array([[0.0, 1000.0]])
    >>> loss.predict(raw), loss.log_proba(raw)  # finite, where the probability rounds to 0
    (array([[0., 1.]]), array([[-1000.,     0.]]))
    >>> loss.plain
    SoftmaxLogLoss(label_smoothing=0.0)
    """

    label_smoothing: float = 0.0
    probabilistic = True

    @property
    def plain(self):
        return replace(self, label_smoothing=0.0) if self.label_smoothing else self

    @abstractmethod
    def log_proba(self, raw):
        """Logarithm of `predict`, of its shape, finite for finite raw outputs."""


@dataclass(frozen=True)
class BinaryLogLoss(LogLoss, ElementwiseLoss):
    """log(1 + exp(g)) - y g for y in {0, 1}, summed over labels; g is the log odds of y = 1.

    Domain: 0 and 1. Inverse link: logistic. ``log_proba(-raw)`` is log P(0).

    Parameters
    ----------
    label_smoothing : float, default=0.0
        eps, if y is to be trained as (1 - eps) y + eps / 2.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 4.3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import BinaryLogLoss
    >>> BinaryLogLoss().predict(np.log([1.0, 3.0])).round(3)
    array([0.5 , 0.75])
    """

    domain = Interval(0, 1, True, True)
    link = "logistic"
    fused = "log loss"

    def init_raw(self, y, weight=None, n_targets=None):
        rate = _smooth(weighted_mean(y, weight), self.label_smoothing, 2)
        return finite_log(rate) - finite_log(1.0 - rate)

    def predict(self, raw):
        return expit(raw)

    def log_proba(self, raw):
        # Where probabilities round to the same number, these do too: the largest is the same.
        proba = expit(raw)
        return np.where(proba > 0.5, np.log(np.maximum(proba, 0.5)), log_expit(raw))

    def average(self, raw):
        return log_mean_exp(log_expit(raw)) - log_mean_exp(log_expit(-raw))

    def _elements(self, y, raw, loss, grad, work):
        if self.label_smoothing:
            y = _smooth(y, self.label_smoothing, 2, out=work("loss target", y.shape, y.dtype))
        # For one output per row, few passes count more than vectorised ones: these two are scalar.
        np.logaddexp(raw, 0, out=loss)
        expit(raw, out=grad)
        np.subtract(grad, y, out=grad)
        part = work("loss part", raw.shape, raw.dtype)
        np.multiply(raw, y, out=part)
        np.subtract(loss, part, out=loss)


@dataclass(frozen=True)
class SoftmaxLogLoss(LogLoss):
    """log sum_c exp(g_c) - g_y for y in {0, ..., n_classes - 1}.

    Domain: class codes. Inverse link: softmax.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        eps, if the true class is to have the target 1 - eps + eps / n_classes, others the rest.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 4.3.4.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import SoftmaxLogLoss
    >>> SoftmaxLogLoss().predict(np.log([1.0, 3.0])).round(3)
    array([0.25, 0.75])
    """

    link = "softmax"
    fused = "softmax"

    def init_raw(self, y, weight=None, n_targets=None):
        counts = np.bincount(y, weights=weight, minlength=n_targets or 0)
        return finite_log(_smooth(counts / counts.sum(), self.label_smoothing, len(counts)))

    def predict(self, raw):
        return _over_classes(_softmax, raw)

    def log_proba(self, raw):
        return _over_classes(_log_softmax, raw)

    def average(self, raw):
        return log_mean_exp(self.log_proba(raw))

    def loss_grad(self, y, raw, loss, grad, work):
        kernels.softmax_loss(loss, grad, y, raw, self.label_smoothing, work)


@dataclass(frozen=True)
class MarginLoss(ClassificationLoss):
    """Contract of the losses that vanish once the true class leads by `margin`.

    They give decision values, no probabilities, and start from zero.

    Parameters
    ----------
    margin : float, default=1.0
        In units of the raw outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import CrammerSinger
    >>> y, raw = np.array([0, 0]), np.array([[[3.0, 1.0, 0.0], [3.0, 2.5, 0.0]]])
    >>> loss, grad = np.empty((1, 2)), np.empty((1, 2, 3))
    >>> CrammerSinger().loss_grad(y, raw, loss, grad, lambda key, *array: np.empty(*array))
    >>> loss  # class 0 leads by 2, and by 0.5
    array([[0. , 0.5]])
    """

    margin: float = 1.0
    smooth = False
    init_is_optimal = False

    def init_raw(self, y, weight=None, n_targets=None):
        if n_targets is None:
            n_targets = y.shape[1] if np.ndim(y) == 2 else int(np.max(y)) + 1
        return np.zeros(self.n_raw(n_targets))


@dataclass(frozen=True)
class Hinge(MarginLoss, ElementwiseLoss):
    """[margin - s g]_+ with s = 2 y - 1 for y in {0, 1}.

    Domain: 0 and 1. Inverse link: identity.

    Parameters
    ----------
    margin : float, default=1.0
        In units of the raw outputs.

    References
    ----------
    Cortes and Vapnik (1995), Support-vector networks, Machine Learning 20.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import Hinge
    >>> y, raw = np.array([[1.0], [0.0]]), np.array([[[0.25], [0.25]]])
    >>> loss, grad = np.empty((1, 2)), np.empty((1, 2, 1))
    >>> Hinge().loss_grad(y, raw, loss, grad, lambda key, *array: np.empty(*array))
    >>> loss
    array([[0.75, 1.25]])
    """

    domain = Interval(0, 1, True, True)

    def _elements(self, y, raw, loss, grad, work):
        minus_sign = work("loss sign", y.shape, y.dtype)
        np.multiply(y, -2, out=minus_sign)
        np.add(minus_sign, 1, out=minus_sign)
        np.multiply(raw, minus_sign, out=loss)
        np.add(loss, self.margin, out=loss)
        np.maximum(loss, 0, out=loss)
        np.greater(loss, 0, out=grad)
        np.multiply(grad, minus_sign, out=grad)


@dataclass(frozen=True)
class CrammerSinger(MarginLoss):
    """[max_{c != y} g_c + margin - g_y]_+ for y in {0, ..., n_classes - 1}.

    Domain: class codes. Inverse link: identity. Classes that tie for the maximum share the
    gradient.

    Parameters
    ----------
    margin : float, default=1.0
        In units of the raw outputs.

    References
    ----------
    Crammer and Singer (2001), On the algorithmic implementation of multiclass kernel-based vector
    machines, JMLR 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import CrammerSinger
    >>> y, raw = np.array([0]), np.array([[[1.0, 0.5, 0.25]]])
    >>> loss, grad = np.empty((1, 1)), np.empty((1, 1, 3))
    >>> CrammerSinger().loss_grad(y, raw, loss, grad, lambda key, *array: np.empty(*array))
    >>> loss
    array([[0.5]])
    """

    def loss_grad(self, y, raw, loss, grad, work):
        g, target = by_class(y, raw, work)
        rival = work("loss rival", g.shape, g.dtype)
        row = work("loss row", (len(g), 1, len(y)), g.dtype)
        np.einsum("mkb,kb->mb", g, target, out=loss)
        # The true class is not its own rival: no raw output is as low as -1e30.
        np.multiply(target, -1e30, out=rival)
        np.add(rival, g, out=rival)
        np.maximum.reduce(rival, axis=1, keepdims=True, out=row)
        np.subtract(row[:, 0], loss, out=loss)
        np.add(loss, self.margin, out=loss)
        np.maximum(loss, 0, out=loss)
        np.equal(rival, row, out=g)
        np.add.reduce(g, axis=1, keepdims=True, out=row)
        np.divide(g, row, out=g)
        np.subtract(g, target, out=g)
        np.greater(loss, 0, out=row[:, 0])
        np.multiply(g, row, out=grad.swapaxes(1, 2))


@dataclass(frozen=True)
class WestonWatkins(MarginLoss):
    """sum_{c != y} [g_c + margin - g_y]_+ for y in {0, ..., n_classes - 1}.

    Domain: class codes. Inverse link: identity.

    Parameters
    ----------
    margin : float, default=1.0
        In units of the raw outputs.

    References
    ----------
    Weston and Watkins (1999), Support vector machines for multi-class pattern recognition, ESANN.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.losses import WestonWatkins
    >>> y, raw = np.array([0]), np.array([[[1.0, 0.5, 0.25]]])
    >>> loss, grad = np.empty((1, 1)), np.empty((1, 1, 3))
    >>> WestonWatkins().loss_grad(y, raw, loss, grad, lambda key, *array: np.empty(*array))
    >>> loss
    array([[0.75]])
    """

    def loss_grad(self, y, raw, loss, grad, work):
        g, target = by_class(y, raw, work)
        row = work("loss row", (len(g), 1, len(y)), g.dtype)
        np.einsum("mkb,kb->mb", g, target, out=row[:, 0])
        np.subtract(g, row, out=g)
        # The true class now stands at exactly 0 and gets no margin: it is not its own rival.
        lead = work("loss lead", target.shape, g.dtype)
        np.subtract(1, target, out=lead)
        np.multiply(lead, self.margin, out=lead)
        np.add(g, lead, out=g)
        np.maximum(g, 0, out=g)
        np.add.reduce(g, axis=1, out=loss)
        np.greater(g, 0, out=g)
        np.add.reduce(g, axis=1, keepdims=True, out=row)
        true = np.multiply(target, row, out=work("loss rival", g.shape, g.dtype))
        np.subtract(g, true, out=grad.swapaxes(1, 2))


def _smooth(y, label_smoothing, n_classes, out=None):
    smoothed = np.multiply(y, 1.0 - label_smoothing, out=out)
    return np.add(smoothed, label_smoothing / n_classes, out=out)


def _over_classes(function, raw):
    """A new array of what `function` makes of raw outputs, (..., classes), given some by some.

    It works in place on an array and the axis of the classes. With few of them, sums and maxima
    take a fraction of the time when rows are the last axis.
    """
    raw = np.asarray(raw)
    n_classes, out = raw.shape[-1], np.empty(raw.shape, np.result_type(raw, np.float32))
    rows, results = raw.reshape(-1, n_classes), out.reshape(-1, n_classes)
    step, few = max(1, CACHED_NUMBERS // n_classes), n_classes <= FEW_CLASSES
    for start in range(0, len(rows), step):
        part, result = rows[start : start + step], results[start : start + step]
        if few:
            part, result = part.T, result.T
        g = part.astype(out.dtype, order="C")
        function(g, axis=0 if few else 1)
        result[...] = g
    return out


def _softmax(g, axis):
    g -= g.max(axis=axis, keepdims=True)
    np.exp(g, out=g)
    g /= g.sum(axis=axis, keepdims=True)


def _log_softmax(g, axis):
    g -= g.max(axis=axis, keepdims=True)
    g -= np.log(np.exp(g).sum(axis=axis, keepdims=True))
