"""Raw X and y to what a network sees: scaling of features and of targets, fitted and undone."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import min_max_axis

from ..losses import weighted_quantile

# Blocks of rows have about so many entries: 4 MB in float64.
BLOCK_ENTRIES = 2**19


def row_blocks(X, index=None):
    """Slices over the rows of X (or over `index`) of about BLOCK_ENTRIES entries each."""
    n = X.shape[0] if index is None else len(index)
    size = max(1, BLOCK_ENTRIES // max(1, X.shape[1]))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


@dataclass(frozen=True)
class Moments:
    """Weighted mean and sum of squared deviations of columns, which can be merged.

    Merging two parts is exact (Chan, Golub and LeVeque 1983).
    """

    n: int
    weight: float
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, X, weight=None, index=None):
        """Moments of the rows of a dense X, in float64 and block by block."""
        total = None
        with np.errstate(over="ignore", invalid="ignore"):
            for part in row_blocks(X, index):
                rows = part if index is None else index[part]
                block = np.asarray(X[rows], dtype=np.float64)
                w = np.ones(len(block)) if weight is None else np.asarray(weight[rows], np.float64)
                # Relative to a row, the mean of a constant column is exact, however large.
                first = block[0]
                block = block - first
                offset = np.average(block, axis=0, weights=w)
                block -= offset
                block *= block
                moments = cls(len(block), float(w.sum()), first + offset, w @ block)
                total = moments if total is None else total.merge(moments)
        return total

    def merge(self, other):
        weight = self.weight + other.weight
        with np.errstate(over="ignore", invalid="ignore"):
            step = other.mean - self.mean
            between = step**2 * (self.weight * other.weight / weight)
        return Moments(
            self.n + other.n,
            weight,
            self.mean + step * (other.weight / weight),
            self.deviation + other.deviation + between,
        )

    def check(self, name):
        """These moments, or an error that names the columns of `name` whose variance overflows."""
        columns = np.flatnonzero(~np.isfinite(self.deviation))
        if columns.size:
            raise ValueError(
                f"{name} has values so large (or so far apart between calls) that the variance of "
                f"its columns {columns[:5].tolist()} overflows. Divide them by a constant first."
            )
        return self

    def constant(self):
        """Which columns have been constant so far, up to rounding."""
        variance = self.deviation / self.weight
        eps = np.finfo(np.float64).eps
        # The bound of scikit-learn's StandardScaler for the error of the two-pass variance.
        return variance <= self.n * eps * variance + (self.n * self.mean * eps) ** 2

    def scale(self):
        """Standard deviations, 1 for constant columns."""
        return np.where(self.constant(), 1.0, np.sqrt(self.deviation / self.weight))


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
        raise ValueError(
            f"X has values that, scaled, {out.dtype} cannot hold. Use dtype='float64', or divide X "
            "by a constant."
        ) from None


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
        moments = Moments.of(X, weight, index).check("X")
        return moments.mean, moments.scale(), moments

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
        moments = self.moments.merge(Moments.of(X, weight, index)).check("X")
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
        low, shift, high, first, last = np.transpose(
            [_five_numbers(np.asarray(X[rows, j], np.float64), weight) for j in range(X.shape[1])]
        )
        scale = np.where(high > low, high - low, (last - first) / 2.0)
        return shift, _nonzero(scale)

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
            low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
        low = np.asarray(low, np.float64)
        return low, _nonzero(np.asarray(high, np.float64) - low)


def _five_numbers(column, weight):
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
