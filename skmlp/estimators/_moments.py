"""Weighted means and variances of columns, block by block and mergeable."""

from dataclasses import dataclass

import numpy as np

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

    Merging two parts is exact (Chan, Golub and LeVeque 1983). What is missing does not count: where
    a column has gaps, number and weight of the rows are arrays, one entry a column.
    """

    n: int | np.ndarray
    weight: float | np.ndarray
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
                moments = cls._of_block(block, w)
                total = moments if total is None else total.merge(moments)
        return total

    @classmethod
    def _of_block(cls, block, w):
        # Relative to a row, the mean of a constant column is exact, however large.
        first = block[0]
        centred = block - first
        offset = np.average(centred, axis=0, weights=w)
        # Sums show whether it is worth looking.
        if np.isnan(offset.sum()) and np.isnan(block).any():
            return cls._of_block_with_gaps(block, w)
        centred -= offset
        centred *= centred
        return cls(len(block), float(w.sum()), first + offset, w @ centred)

    @classmethod
    def _of_block_with_gaps(cls, block, w):
        there = ~np.isnan(block)
        weights = there * w[:, np.newaxis]
        n, weight = there.sum(axis=0), weights.sum(axis=0)
        first = np.nan_to_num(block[there.argmax(axis=0), np.arange(block.shape[1])])
        centred = np.where(there, block - first, 0.0)
        offset = (weights * centred).sum(axis=0) / _divisor(weight)
        centred -= offset
        return cls(n, weight, first + offset, (weights * centred**2).sum(axis=0))

    def merge(self, other):
        weight = self.weight + other.weight
        with np.errstate(over="ignore", invalid="ignore"):
            share = other.weight / _divisor(weight)
            step = other.mean - self.mean
            between = step**2 * (self.weight * other.weight / _divisor(weight))
        return Moments(
            self.n + other.n,
            weight,
            self.mean + step * share,
            self.deviation + other.deviation + between,
        )

    def check(self, name, positions=None):
        """These moments, or an error that names the columns of `name` whose variance overflows.

        `positions` are those of the columns, if they are not all there are.
        """
        check_no_overflow(self.deviation, "variance", name, positions)
        return self

    def constant(self):
        """Which columns have been constant so far, up to rounding."""
        variance = self.deviation / _divisor(self.weight)
        eps = np.finfo(np.float64).eps
        # The bound of scikit-learn's StandardScaler for the error of the two-pass variance.
        with np.errstate(over="ignore"):
            return variance <= self.n * eps * variance + (self.n * eps * self.mean) ** 2

    def scale(self):
        """Standard deviations, 1 for constant columns."""
        return np.where(self.constant(), 1.0, np.sqrt(self.deviation / _divisor(self.weight)))


def check_no_overflow(spread, what, name="X", positions=None):
    """Refuse columns of `name` whose spread is not finite."""
    columns = np.flatnonzero(~np.isfinite(spread))
    if columns.size:
        columns = columns if positions is None else positions[columns]
        raise ValueError(
            f"{name} has values so large (or so far apart between calls) that the {what} of its "
            f"columns {columns[:5].tolist()} overflows. Divide them by a constant first."
        )


def _divisor(weight):
    """The weight, or 1 where nothing has been there to be weighted."""
    return weight + np.equal(weight, 0)
