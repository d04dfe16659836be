"""Checked rows of X and y, for training and for validation."""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import min_max_axis

from .._engine.batches import TrainingSet
from ._kinds import kinds_of_rows
from ._moments import row_blocks


@dataclass(frozen=True)
class Sample:
    """What the caller gave, and what it stands for.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), or CSR
        In the caller's terms.
    target : ndarray of shape (n_samples, n_targets) or (n_samples,)
        Floats, or codes of classes.
    weight : ndarray of shape (n_samples,) or None
        Sample weights times those of the classes; None for all 1.
    factors : ndarray of shape (n_classes,) or None
        Weights of the classes.
    index : ndarray of int or None
        The rows that take part; None for all.
    mapped : bool
        Whether X shall not be loaded whole.
    """

    X: object
    y: object
    target: np.ndarray
    weight: np.ndarray | None
    factors: np.ndarray | None
    index: np.ndarray | None
    mapped: bool

    def __len__(self):
        return len(self.target) if self.index is None else len(self.index)

    def part(self, index):
        """The same rows, of which only those at `index` take part."""
        return replace(self, index=index if len(index) < len(self.target) else None)

    def is_part_of(self, other):
        """Whether both are parts of the same rows."""
        return self.target is other.target

    def positions(self):
        """Positions of the rows that take part."""
        return np.arange(len(self.target)) if self.index is None else self.index

    def taken(self):
        """X, y and weight (or None) of the rows that take part."""
        if self.index is None:
            return self.X, self.y, self.weight
        weight = None if self.weight is None else self.weight[self.index]
        return self.X[self.index], self.y[self.index], weight

    def for_scorer(self):
        """`taken`, with a y of one column made flat, as `predict` gives it."""
        X, y, weight = self.taken()
        return X, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y, weight

    def training_set(self, design, dtype):
        """What the engine works on."""
        return TrainingSet(
            design.rows(self.X, dtype, mapped=self.mapped, scale_now=True),
            _as_targets(self.target, design.target.encode(self.target), dtype),
            as_weights(self.weight, dtype),
            self.index,
        )

    def kinds(self):
        """Rows that take part of which none is a copy, and of which kind each row is."""
        return kinds_of_rows(self.X, self.target, self.positions())

    def fingerprint(self):
        """A text that changes with the data and with the rows that take part."""
        parts = (self.X.data, self.X.indices, self.X.indptr) if issparse(self.X) else (self.X,)
        return fingerprint(*parts, self.target, self.weight, self.index)


def fingerprint(*arrays):
    """A text that changes with the content of the arrays, of which some may be None."""
    digest = blake2b(digest_size=16)
    for array in arrays:
        if array is None:
            continue
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        if not array.size:
            continue
        rows = array.reshape(len(array), -1)
        for block in row_blocks(rows):
            digest.update(np.ascontiguousarray(rows[block]))
    return digest.hexdigest()


def check_same_targets(sample, held_out):
    """Refuse a validation set whose targets have another number of columns."""
    columns, expected = held_out.target.shape[1:], sample.target.shape[1:]
    if columns != expected:
        raise ValueError(
            f"y_val has {'x'.join(map(str, columns))} column(s), but y has "
            f"{'x'.join(map(str, expected))}."
        )


@contextmanager
def naming(*names):
    """Say in errors about the arguments of a validation set that it is they that are meant."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if any(name in str(error) for name in names):
            raise
        raise ValueError(f"In {', '.join(names)}: {error}") from error


def is_far_outside(sample, held_out):
    """Whether most rows of `held_out` have a value beyond the range of `sample`, widened threefold.

    That is what becomes of a validation set that has not gone through the same transformations.
    """
    low, high = value_range(sample)
    width = np.where(high > low, high - low, np.inf)
    low, high = low - width, high + width
    outside = 0
    for X in _blocks(held_out):
        # Among thousands of rare words there is always one that is new.
        if issparse(X):
            beyond = X.copy()
            beyond.data = (X.data < low[X.indices]) | (X.data > high[X.indices])
        else:
            beyond = (X < low) | (X > high)
        counts = np.asarray(beyond.sum(axis=1)).ravel()
        filled = np.asarray((X != 0).sum(axis=1)).ravel()
        outside += np.count_nonzero(counts > 0.1 * filled)
    return outside > 0.5 * len(held_out)


def value_range(sample):
    """Smallest and largest values of the columns."""
    if issparse(sample.X):
        return (np.asarray(b, np.float64) for b in min_max_axis(sample.taken()[0], axis=0))
    # Other than minimum and maximum these skip what is missing.
    bounds = [(np.fmin.reduce(X), np.fmax.reduce(X)) for X in _blocks(sample)]
    low, high = (np.array(bound, np.float64) for bound in zip(*bounds, strict=True))
    return np.fmin.reduce(low), np.fmax.reduce(high)


def _blocks(sample):
    """Blocks of the rows that take part."""
    for block in row_blocks(sample.X, sample.index):
        yield sample.X[block if sample.index is None else sample.index[block]]


def _as_targets(target, encoded, dtype):
    """Floats in the compute dtype and in C order; integer codes as they are."""
    if target.ndim == 1:
        return target
    # Optimizers square gradients, and gradients may be as large as targets.
    largest = np.finfo(dtype).max
    remedy = "D" if dtype == np.float64 else "Use dtype='float64', or d"
    for values, bound in ((target, largest), (encoded, 0.1 * np.sqrt(largest))):
        if np.abs(values).max(initial=0.0) > bound:
            raise ValueError(
                f"y has values up to {np.abs(target).max():g}, with which {dtype} cannot compute. "
                f"{remedy}ivide y by a constant."
            )
    return np.ascontiguousarray(encoded, dtype)


def as_weights(weight, dtype):
    """Weights in the compute dtype, which must be able to hold them."""
    if weight is None:
        return None
    with np.errstate(over="ignore", under="ignore"):
        cast = weight.astype(dtype)
    lost = (weight > 0) & ((cast == 0) | np.isinf(cast))
    if lost.any():
        raise ValueError(
            f"sample_weight (times class_weight) has values such as {weight[lost][0]:g}, which "
            f"{dtype} cannot hold. Multiply all weights by a constant, or use dtype='float64'."
        )
    return cast
