"""Raw X and y to what a network sees: scaling of features and of targets, fitted and undone."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import min_max_axis

from ..losses import weighted_quantile
from ._moments import Moments, check_no_overflow, row_blocks


@dataclass(frozen=True)
class FeatureScaling(ABC):
    """x -> (x - shift) / scale, column by column.

    Attributes
    ----------
    shift, scale : ndarray of shape (n_features,) or None
        None is no scaling at all; sparse matrices have a scale and no shift.
    moments : Moments or None
        Running statistics, where the kind has them.
    largest : ndarray of shape (n_features,) or None
        Largest absolute values of sparse columns, 0 for those that have been empty so far.
    """

    shift: np.ndarray | None = None
    scale: np.ndarray | None = None
    moments: Moments | None = None
    largest: np.ndarray | None = None

    @property
    def affine(self):
        """Whether the scaling can be folded into a weight matrix."""
        return True

    def placeholders(self):
        """Which columns have a scale that stands for one not known yet."""
        return False if self.largest is None else self.largest == 0.0

    def unseen(self):
        """Which columns of a dense X have had gaps only so far, so that their shift is none."""
        return False if self.moments is None else np.equal(self.moments.weight, 0)

    @classmethod
    def fit(cls, X, weight=None, index=None):
        """Statistics of the rows at `index`, weighted.

        Sparse columns are divided by their largest absolute value and never centred, whatever
        the kind: centring would fill the matrix, and dividing by the standard deviation makes
        rare columns of counts too loud.
        """
        if issparse(X):
            return cls._by_largest(_largest_absolute(X, index))
        return cls(*cls._statistics(X, weight, index))

    @classmethod
    @abstractmethod
    def _statistics(cls, X, weight, index):
        """The fields for a dense X."""

    def center(self, X, weight=None, index=None):
        """What stands for missing values of the columns of a dense X, in its units."""
        return np.nan_to_num(Moments.of(X, weight, index).mean)

    def update(self, X, weight=None, index=None):
        """Scaling after more rows; kinds without running statistics stay as they are."""
        if issparse(X) and self.largest is not None:
            return self._by_largest(np.maximum(self.largest, _largest_absolute(X, index)))
        return self

    @classmethod
    def _by_largest(cls, largest):
        return cls(scale=_nonzero(largest), largest=largest)

    def transform(self, rows, out):
        """Write the scaled `rows`, a dense block, into `out`; arithmetic is in float64."""
        if self.scale is None:
            _copy(rows, out)
            return
        wide = out if out.dtype == np.float64 else np.empty(rows.shape)
        np.subtract(rows, 0.0 if self.shift is None else self.shift, out=wide)
        wide *= 1.0 / self.scale
        if self.shift is not None:
            self._bend(wide)
        if wide is not out:
            _copy(wide, out)

    def inverse(self, scaled):
        """Rows in the units of X, in float64; the same array if there is no scaling."""
        if self.scale is None:
            return scaled
        rows = np.array(scaled, np.float64)
        if self.shift is not None:
            self._unbend(rows)
            rows *= self.scale
            rows += self.shift
        else:
            rows *= self.scale
        return rows

    def _bend(self, x):
        """Whatever a kind does to dense columns after the affine map, in place."""

    def _unbend(self, x):
        """Inverse of `_bend`, in place."""

    def state(self):
        """Arrays and numbers from which the scaling can be rebuilt."""
        return {"shift": self.shift, "scale": self.scale, "largest": self.largest}

    @classmethod
    def restore(cls, state):
        """Inverse of `state`."""
        return cls(**state)


def _copy(rows, out):
    """Cast `rows` into `out`, or say that its dtype cannot hold them."""
    try:
        with np.errstate(over="raise"):
            np.copyto(out, rows, casting="unsafe")
    except FloatingPointError:
        raise _too_large(out.dtype) from None


@contextmanager
def refusing_overflow(dtype):
    """Say of values of X that are too large for `dtype` that they are."""
    try:
        with np.errstate(over="raise"):
            yield
    except FloatingPointError:
        raise _too_large(dtype) from None


def _too_large(dtype):
    return ValueError(
        f"X has values that, scaled, {dtype} cannot hold. Use dtype='float64', or divide X by a "
        "constant."
    )


class NoScaling(FeatureScaling):
    """x as it is."""

    @classmethod
    def fit(cls, X, weight=None, index=None):
        return cls()

    @classmethod
    def _statistics(cls, X, weight, index):
        return ()


class StandardScaling(FeatureScaling):
    """Mean 0 and variance 1."""

    @classmethod
    def _statistics(cls, X, weight, index):
        moments = Moments.of(X, weight, index).check("X", getattr(X, "columns", None))
        return moments.mean, moments.scale(), moments

    def center(self, X, weight=None, index=None):
        return self.shift

    def placeholders(self):
        return super().placeholders() if self.moments is None else self.moments.constant()

    def state(self):
        # Shift and scale follow from the moments: a pickle need not hold both.
        return super().state() if self.moments is None else {"moments": vars(self.moments).copy()}

    @classmethod
    def restore(cls, state):
        if "moments" not in state:
            return super().restore(state)
        moments = Moments(**state["moments"])
        return cls(moments.mean, moments.scale(), moments)

    def update(self, X, weight=None, index=None):
        if self.moments is None or issparse(X):
            return super().update(X, weight, index)
        moments = self.moments.merge(Moments.of(X, weight, index))
        moments.check("X", getattr(X, "columns", None))
        return StandardScaling(moments.mean, moments.scale(), moments)


class RobustScaling(FeatureScaling):
    """Median 0 and interquartile range 1, then a smooth clip: z / sqrt(1 + (z / 3)^2).

    A column whose quartiles coincide is divided by half its range (Holzmueller et al. 2024,
    arXiv 2407.04491).
    """

    @property
    def affine(self):
        return self.shift is None

    @classmethod
    def _statistics(cls, X, weight, index):
        rows = slice(None) if index is None else index
        weight = None if weight is None else weight[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            low, shift, high, first, last = np.transpose(
                [
                    _five_numbers(np.asarray(X[rows, j], np.float64), weight)
                    for j in range(X.shape[1])
                ]
            )
            scale = np.where(high > low, high - low, (last - first) / 2.0)
            ends = shift + scale
        check_no_overflow(ends, "range", positions=getattr(X, "columns", None))
        return shift, _nonzero(scale)

    def center(self, X, weight=None, index=None):
        return self.shift

    def _bend(self, x):
        x /= np.hypot(1.0, x / 3.0)

    def _unbend(self, x):
        # A network may put out what no number is bent to: the end of the scale stands for 30.
        np.clip(x, -_BENT_30, _BENT_30, out=x)
        x /= np.sqrt(1.0 - (x / 3.0) ** 2)


_BENT_30 = 30.0 / np.hypot(1.0, 10.0)


class MinMaxScaling(FeatureScaling):
    """Training minimum 0 and maximum 1."""

    @classmethod
    def _statistics(cls, X, weight, index):
        low, high = np.inf, -np.inf
        for part in row_blocks(X, index):
            block = X[part if index is None else index[part]]
            # Other than minimum and maximum these skip what is missing.
            low = np.fmin(low, np.fmin.reduce(block, axis=0))
            high = np.fmax(high, np.fmax.reduce(block, axis=0))
        low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        empty = low > high
        low = np.where(empty, 0.0, low)
        with np.errstate(over="ignore"):
            width = np.where(empty, 0.0, high) - low
        check_no_overflow(width, "range", positions=getattr(X, "columns", None))
        return low, _nonzero(width)


def _five_numbers(column, weight):
    there = ~np.isnan(column)
    if not there.all():
        column, weight = column[there], None if weight is None else weight[there]
    if not column.size:
        return (0.0,) * 5
    quartiles = weighted_quantile(column, (0.25, 0.5, 0.75), weight)
    return *quartiles, column.min(), column.max()


def _largest_absolute(X, index):
    low, high = min_max_axis(X if index is None else X[index], axis=0)
    return np.maximum(np.abs(low), np.abs(high)).astype(np.float64)


def _nonzero(scale):
    return np.where(scale == 0.0, 1.0, scale)


class TargetScaling(ABC):
    """How a kind of loss sees y, and how its last layer speaks in y's units.

    Parameters
    ----------
    shift, scale : ndarray of shape (n_targets,)
    """

    # Targets whose scale stands for one not known yet, since they have been constant so far.
    placeholders = False

    def __init__(self, shift=0.0, scale=1.0):
        self.shift, self.scale = shift, scale

    def seen_from(self, new):
        """This scaling with the scales of `new` in place of placeholders."""
        return type(self)(self.shift, np.where(self.placeholders, new.scale, self.scale))

    # Whether the statistics are moments of y, and whether they follow further rows.
    has_moments = True
    moves = True

    @classmethod
    @abstractmethod
    def of(cls, moments, features):
        """Scaling from the moments of y, or from the FeatureScaling of X."""

    def encode(self, y):
        """y in the network's units."""
        return (y - self.shift) / self.scale

    def decode(self, prediction):
        """A prediction in y's units."""
        return prediction * self.scale + self.shift

    def fold(self, loss, weight, bias):
        """The last layer whose raw outputs are for y in its own units."""
        return _rescaled(weight, bias, *loss.units(self.shift, self.scale))

    def unfold(self, loss, weight, bias):
        """Inverse of `fold`."""
        return _rescaled(weight, bias, *loss.units(-self.shift / self.scale, 1.0 / self.scale))


def _rescaled(weight, bias, factor, offset):
    return weight * factor, bias * factor + offset


class PlainTarget(TargetScaling):
    """y as it is."""

    has_moments = False

    @classmethod
    def of(cls, moments, features):
        return cls()

    def encode(self, y):
        return y

    def decode(self, prediction):
        return prediction

    def fold(self, loss, weight, bias):
        return weight, bias

    unfold = fold


class AffineTarget(TargetScaling):
    """(y - mean) / sd, for losses of a difference."""

    @classmethod
    def of(cls, moments, features):
        target = cls(moments.mean, moments.scale())
        target.placeholders = moments.constant()
        return target


class FixedTarget(AffineTarget):
    """The same with the statistics of the first call, where raw outputs cannot follow others."""

    moves = False


class CommonTarget(AffineTarget):
    """(y - mean) / sd with one sd for all targets, so that their units stay comparable."""

    @classmethod
    def of(cls, moments, features):
        constant = moments.constant()
        variance = np.mean(np.where(constant, 0.0, moments.deviation / moments.weight))
        scale = 1.0 if constant.all() else np.sqrt(variance)
        target = cls(moments.mean, np.full_like(moments.mean, scale))
        target.placeholders = constant.all()
        return target


class RatioTarget(TargetScaling):
    """y / mean, for losses of a ratio, whose raw output is a logarithm."""

    @classmethod
    def of(cls, moments, features):
        return cls(0.0 * moments.mean, moments.mean)


class FeatureTarget(AffineTarget):
    """Rows of X, scaled as the network sees them; its outputs are in the same units."""

    has_moments = False

    @classmethod
    def of(cls, moments, features):
        shift = 0.0 if features.shift is None else features.shift
        target = cls(shift, 1.0 if features.scale is None else features.scale)
        target.placeholders = features.placeholders()
        target.features = features
        return target

    def decode(self, prediction):
        return self.features.inverse(prediction)


FEATURE_SCALINGS = {
    "standard": StandardScaling,
    "robust": RobustScaling,
    "minmax": MinMaxScaling,
    None: NoScaling,
}

TARGET_SCALINGS = {
    "affine": AffineTarget,
    "fixed": FixedTarget,
    "common": CommonTarget,
    "scale": RatioTarget,
    "none": PlainTarget,
    "features": FeatureTarget,
}
