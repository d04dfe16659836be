"""Rows of a design matrix, dense, CSR or mapped from disk, and minibatches of them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import issparse

# Mapped arrays of more bytes are shuffled within blocks of rows, at nearly the speed of sequential
# reading. Smaller ones stay in the page cache and are shuffled as a whole, so that a fit does not
# depend on whether a parallel backend has mapped its array.
MAPPED_BYTES, SHUFFLE_BLOCK = 2**28, 16_384


class Rows(ABC):
    """Rows that can be taken by position, scaled and in the compute dtype."""

    @abstractmethod
    def __len__(self):
        """Number of rows."""

    @abstractmethod
    def take(self, index, work):
        """Rows at `index` (a slice or an int array): (1, rows, n_features), or CSR.

        Memory comes from `work` where the format allows; what is returned may be a view.
        """

    def shuffle(self, order, rng):
        """Shuffle the positions in `order` in place."""
        rng.shuffle(order)

    def arranged(self, index):
        """The positions at `index` (a slice or an int array) in the order `take` wants them in."""
        return index


class DenseRows(Rows):
    """An array in memory that already is what the network shall see."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def take(self, index, work):
        return gather(self.X, index, work, "x")[np.newaxis]


class SparseRows(Rows):
    """A CSR matrix; rows are converted and scaled batch by batch, columns by `scale` only."""

    def __init__(self, X, scale, dtype):
        self.X = X
        self.factor = None if scale is None else (1.0 / scale).astype(dtype)
        self.dtype = dtype

    def __len__(self):
        return self.X.shape[0]

    def take(self, index, work):
        rows = self.X[index].astype(self.dtype, copy=False)
        if self.factor is not None:
            # `rows` may share its data with X when the slice is the whole matrix.
            rows = rows.copy() if np.may_share_memory(rows.data, self.X.data) else rows
            rows.data *= self.factor[rows.indices]
        return rows


class MappedRows(Rows):
    """An array that is read, converted and scaled batch by batch and never loaded whole.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Usually memory mapped; any real dtype.
    transform : callable
        transform(rows, out) writes the scaled rows into `out`.
    dtype : numpy dtype
        Of the rows handed out.
    """

    def __init__(self, X, transform, dtype):
        self.X = X
        self.transform = transform
        self.dtype = dtype

    def __len__(self):
        return len(self.X)

    def take(self, index, work):
        raw = gather(self.X, index, work, "mapped")
        out = work("x", raw.shape, self.dtype)
        self.transform(raw, out)
        return out[np.newaxis]

    def shuffle(self, order, rng):
        """Shuffle the order of blocks, then the rows within each block."""
        if self.X.nbytes <= MAPPED_BYTES:
            rng.shuffle(order)
            return
        order.sort()
        starts = np.arange(0, len(order), SHUFFLE_BLOCK)
        rng.shuffle(starts)
        blocks = [order[start : start + SHUFFLE_BLOCK].copy() for start in starts]
        filled = 0
        for block in blocks:
            rng.shuffle(block)
            order[filled : filled + len(block)] = block
            filled += len(block)


class DensifiedRows(MappedRows):
    """A CSR matrix whose batches are made dense, for a network that was fitted on centred X."""

    def __len__(self):
        return self.X.shape[0]

    def take(self, index, work):
        raw = self.X[index].toarray()
        out = work("x", raw.shape, self.dtype)
        self.transform(raw, out)
        return out[np.newaxis]

    def shuffle(self, order, rng):
        rng.shuffle(order)


def gather(array, index, work, key):
    """array[index] without allocating: a view for a slice, a reused copy for positions."""
    if isinstance(index, slice):
        return array[index]
    out = work(key, (len(index), *array.shape[1:]), array.dtype)
    # mode="clip" lets NumPy write into `out` directly; the positions are in range.
    return array.take(index, axis=0, out=out, mode="clip")


@dataclass(frozen=True)
class TrainingSet:
    """What an estimator trains on.

    Parameters
    ----------
    rows : Rows
    y : ndarray of shape (n_rows, n_targets) or (n_rows,)
        Encoded targets: floats in the compute dtype, or integer codes of classes.
    weight : ndarray of shape (n_rows,) or None
        Positive weights in the compute dtype.
    index : ndarray of int or None
        The rows that take part, all by default; the others may serve for validation.
    """

    rows: Rows
    y: np.ndarray
    weight: np.ndarray | None = None
    index: np.ndarray | None = None

    def __len__(self):
        return len(self.rows) if self.index is None else len(self.index)

    def batches(self, batch_size, order, work):
        """Yield x, y, weight and the sum of weights of one batch after another.

        `order` holds positions, or is None for the rows as they stand.
        """
        order = self.index if order is None else order
        for start in range(0, len(self), batch_size):
            part = slice(start, min(start + batch_size, len(self)))
            part = self.rows.arranged(part if order is None else order[part])
            x = self.rows.take(part, work)
            y = self._target(part, x, work)
            if self.weight is None:
                weight, total = None, float(len(y))
            else:
                weight = gather(self.weight, part, work, "weight")
                total = float(weight.sum(dtype=np.float64))
            yield x, y, weight, total

    def _target(self, part, x, work):
        return gather(self.y, part, work, "y")

    def targets(self):
        """Targets and weights (or None) of the rows that take part."""
        if self.index is None:
            return self.y, self.weight
        return self.y[self.index], None if self.weight is None else self.weight[self.index]

    def arranged(self):
        """The same rows in the order in which batches have them, for use without another."""
        positions = self.positions()
        index = self.rows.arranged(positions)
        return self if index is positions else replace(self, index=index)

    def positions(self):
        """A new array of the positions that take part, to be shuffled."""
        return np.arange(len(self.rows)) if self.index is None else self.index.copy()


@dataclass(frozen=True)
class Reconstruction(TrainingSet):
    """Rows that are their own targets; `y` holds their weighted mean, of shape (1, n_features)."""

    def _target(self, part, x, work):
        return x.toarray() if issparse(x) else x[0]

    def targets(self):
        """The mean row, which stands for all where a best constant is sought; no weights."""
        return self.y, None
