"""Raw X to what a network sees: scaling of features, fitted and undone."""

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
    def bends(self):
        """Positions of the columns that more is done to than an affine map."""
        return np.empty(0, int)

    @property
    def affine(self):
        """Whether the scaling can be folded into a weight matrix."""
        return not self.bends.size

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
        return self._moved(moments.check("X", getattr(X, "columns", None)))

    def _moved(self, moments):
        """The same kind with other moments."""
        return type(self)(moments.mean, moments.scale(), moments)


class RobustScaling(FeatureScaling):
    """Median 0 and interquartile range 1, then a smooth clip: z / sqrt(1 + (z / 3)^2).

    A column whose quartiles coincide is divided by half its range (Holzmueller et al. 2024,
    arXiv 2407.04491).
    """

    @property
    def bends(self):
        return np.arange(0 if self.shift is None else len(self.shift))

    @classmethod
    def _statistics(cls, X, weight, index):
        with np.errstate(over="ignore", invalid="ignore"):
            low, shift, high, first, last = _five_numbers(X, weight, index)
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

# How many times that of a normal column with the same quartiles a standard deviation is: columns
# are SQUEEZED, which networks cope with, and bending a second group of rows costs more than it
# gains; so only if a value is FAR away. In the end they are LOST (`docs/defaults.md`, heavy tails).
SQUEEZED, LOST = 5.0, 30.0
FAR = 12.0
NORMAL_IQR = 1.349
SCREENED_ROWS = 1000


@dataclass(frozen=True)
class AutoScaling(StandardScaling):
    """Mean 0 and variance 1, but robust scaling for the columns that have heavy tails.

    Attributes
    ----------
    heavy : ndarray of int or None
        Positions of these columns, which the first rows decide.
    robust : RobustScaling or None
        Of these columns.
    """

    heavy: np.ndarray | None = None
    robust: RobustScaling | None = None

    @property
    def bends(self):
        return super().bends if self.heavy is None else self.heavy

    @classmethod
    def _statistics(cls, X, weight, index):
        _, sd, moments = super()._statistics(X, weight, index)
        sd = np.where(moments.constant(), 0.0, sd)
        # Quartiles take time: those of a few rows say of which columns the others are needed.
        some = some_rows(X.shape[0], weight, index, SCREENED_ROWS)
        columns = np.flatnonzero(_squeezed(sd, _five_numbers(X, weight, some)) > SQUEEZED / 2.0)
        numbers = _five_numbers(X, weight, index, columns)
        heavy = _has_heavy_tails(sd[columns], numbers)
        low, middle, high = numbers[:3, heavy]
        robust = RobustScaling(middle, high - low)
        return cls._fields(moments, columns[heavy], robust)

    @classmethod
    def _fields(cls, moments, heavy, robust):
        shift, scale = moments.mean.copy(), moments.scale()
        shift[heavy], scale[heavy] = robust.shift, robust.scale
        return shift, scale, moments, None, heavy, robust

    def _moved(self, moments):
        return type(self)(*self._fields(moments, self.heavy, self.robust))

    def state(self):
        state = super().state()
        if self.heavy is None:
            return state
        return {**state, "heavy": self.heavy, "robust": self.robust.state()}

    @classmethod
    def restore(cls, state):
        if "moments" not in state:
            return super().restore(state)
        robust = RobustScaling.restore(state["robust"])
        return cls(*cls._fields(Moments(**state["moments"]), state["heavy"], robust))

    def _bend(self, x):
        self._at_heavy(self.robust._bend, x)

    def _unbend(self, x):
        self._at_heavy(self.robust._unbend, x)

    def _at_heavy(self, bend, x):
        if self.heavy.size:
            part = x[:, self.heavy]
            bend(part)
            x[:, self.heavy] = part


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


def _squeezed(sd, numbers):
    """How many times the standard deviation that quartiles tell it is; 0 if they coincide."""
    low, _, high, *_ = numbers
    iqr = high - low
    return np.divide(sd * NORMAL_IQR, iqr, out=np.zeros_like(sd), where=iqr > 0.0)


def _has_heavy_tails(sd, numbers):
    squeezed, (_, middle, _, first, last) = _squeezed(sd, numbers), numbers
    far = np.maximum(last - middle, middle - first) > FAR * sd
    return (squeezed > LOST) | ((squeezed > SQUEEZED) & far)


def _five_numbers(X, weight=None, index=None, columns=None):
    """Quartiles, minimum and maximum of columns, one array each, column by column."""
    rows = slice(None) if index is None else index
    weight = None if weight is None else weight[rows]
    columns = range(X.shape[1]) if columns is None else columns
    found = [_five_of(np.asarray(X[rows, j], np.float64), weight) for j in columns]
    return np.reshape(found, (-1, 5)).T


def _five_of(column, weight):
    there = ~np.isnan(column)
    if weight is not None:
        there &= weight > 0.0
    if not there.all():
        column, weight = column[there], None if weight is None else weight[there]
    if not column.size:
        return (0.0,) * 5
    quartiles = weighted_quantile(column, (0.25, 0.5, 0.75), weight)
    return *quartiles, column.min(), column.max()


def some_rows(n, weight, index, most):
    """At most so many of the rows that count, evenly spread; the same in every call."""
    rows = np.arange(n) if index is None else index
    if weight is not None:
        rows = rows[weight[rows] > 0.0]
    if len(rows) <= most:
        return rows
    # Multiples of the golden ratio have no period that rows could have too.
    places = np.sort(np.arange(most) * ((np.sqrt(5.0) - 1.0) / 2.0) % 1.0)
    return rows[(places * len(rows)).astype(int)]


def _largest_absolute(X, index):
    low, high = min_max_axis(X if index is None else X[index], axis=0)
    return np.maximum(np.abs(low), np.abs(high)).astype(np.float64)


def _nonzero(scale):
    return np.where(scale == 0.0, 1.0, scale)


FEATURE_SCALINGS = {
    "auto": AutoScaling,
    "standard": StandardScaling,
    "robust": RobustScaling,
    "minmax": MinMaxScaling,
    None: NoScaling,
}
