"""Columns of a table to columns of a design matrix: gaps filled and marked, categories coded."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from .._engine.batches import MappedRows, gather
from ._bins import edges_of, positions
from ._encoding import refusing_overflow
from ._moments import row_blocks

# Floats hold all whole numbers up to here.
LARGEST_CODE = 2.0**53


class Selected:
    """Some columns of an array, taken rows by rows so that a memory map is not loaded whole."""

    def __init__(self, X, columns):
        self.X, self.columns = X, columns
        self.shape = X.shape[0], len(columns)

    def __getitem__(self, key):
        if isinstance(key, tuple):
            rows, j = key
            return self.X[rows, self.columns[j]]
        return np.take(self.X[key], self.columns, axis=1)


@dataclass(frozen=True)
class Category(ABC):
    """How the levels of one column become columns of the design matrix.

    Missing values have a place of their own if training rows had some; other values that training
    rows did not have are zeros, or the code -1.

    Parameters
    ----------
    column : int
    values : ndarray of shape (n_levels,)
        Levels of the training rows in ascending order.
    missing : bool
        Whether training rows had missing values.
    """

    column: int
    values: np.ndarray
    missing: bool

    @property
    @abstractmethod
    def width(self):
        """Number of columns it makes."""

    @abstractmethod
    def write(self, x, out):
        """Write (rows,) values as (rows, width)."""

    def state(self):
        """The category in plain values."""
        name = next(name for name, kind in CATEGORIES.items() if type(self) is kind)
        return {**vars(self), "kind": name}


class Sign(Category):
    """At most two levels: one column of -1 and +1, where a missing value is 0.

    What is missing has a second column, or is the other sign if there is a single level.
    """

    @property
    def width(self):
        return 2 if self.missing and len(self.values) == 2 else 1

    def write(self, x, out):
        out[...] = 0.0
        if len(self.values) + self.missing < 2:
            return  # a constant
        for sign, value in zip((1.0, -1.0), self.values[::-1], strict=False):
            out[x == value, 0] = sign
        if self.missing:
            out[np.isnan(x), -1] = 1.0 if self.width == 2 else -1.0


class OneHot(Category):
    """A column of 0 and 1 for every level, and one for missing values."""

    @property
    def width(self):
        return len(self.values) + self.missing

    def write(self, x, out):
        n = len(self.values)
        np.equal(x[:, np.newaxis], self.values, out=out[:, :n], casting="unsafe")
        if self.missing:
            out[:, n] = np.isnan(x)


class Embedded(Category):
    """One column of codes for a learned embedding, -1 for what training did not have."""

    width = 1

    @property
    def n_vectors(self):
        """Number of vectors to learn."""
        return len(self.values) + self.missing

    def write(self, x, out):
        place = np.searchsorted(self.values, x)
        np.minimum(place, len(self.values) - 1, out=place)
        out[:, 0] = np.where(self.values[place] == x, place, -1)
        if self.missing:
            out[np.isnan(x), 0] = len(self.values)


CATEGORIES = {"sign": Sign, "one_hot": OneHot, "embedded": Embedded}


@dataclass(frozen=True)
class Expansion:
    """The columns that the network sees.

    In order: the numbers, scaled; a 0/1 column for each of them that had gaps in the training rows;
    the columns of categories; a column of codes for each embedded category; and last, with edges,
    the position of each number among its bins.

    Parameters
    ----------
    numeric : ndarray of int
        Positions of the columns of numbers.
    gaps : ndarray of bool of shape (n_numeric,)
        Which of them have an indicator.
    empty : ndarray of bool of shape (n_numeric,)
        Which of them have not had a single number so far; whatever they hold counts as missing.
    categories : list of Category
        In the order of their columns in the design matrix.
    fill : ndarray of shape (n_numeric,) or None
        What stands for missing numbers, in the units of X; None if that is not known.
    edges : list of ndarray or None
        Edges of the bins of each column of numbers, in the units of X; none of columns that the
        first rows say nothing of.
    """

    numeric: np.ndarray
    gaps: np.ndarray
    empty: np.ndarray
    categories: list
    fill: np.ndarray | None = None
    edges: list | None = None

    @classmethod
    def of(cls, X, index, categorical, max_one_hot, levels=None):
        """What the rows of a dense X at `index` (None for all) call for.

        Parameters
        ----------
        categorical : ndarray of bool
            Which columns hold levels, or their codes.
        levels : dict
            Numbers of levels of columns that shall all have their place, seen or not.
        """
        numeric = np.flatnonzero(~categorical)
        counts = _gaps(X, index)[numeric] if X.dtype.kind == "f" else np.zeros(len(numeric), int)
        n = X.shape[0] if index is None else len(index)
        made = []
        for j in np.flatnonzero(categorical).tolist():
            values, missing = _levels(X, index, j)
            if levels and j in levels:
                values = np.arange(float(levels[j]))
            kind = Sign if len(values) <= 2 else OneHot
            if len(values) > max(2, max_one_hot):
                kind = Embedded
            made.append(kind(j, values, missing))
        made.sort(key=lambda own: (isinstance(own, Embedded), not _is_plain_sign(own)))
        return cls(numeric, counts > 0, counts == n, made)

    @cached_property
    def plain(self):
        """Whether rows without gaps are only scaled."""
        return not (self.categories or self.gaps.any() or self.binned)

    @property
    def n_numbers(self):
        """Number of columns of the design matrix before those of categories."""
        return len(self.numeric) + int(np.count_nonzero(self.gaps))

    @cached_property
    def width(self):
        """Number of columns of the design matrix."""
        widths = [category.width for category in self.categories]
        return self.n_numbers + sum(widths) + len(self.binned)

    @cached_property
    def binned(self):
        """Which of the columns of numbers have bins."""
        return [] if self.edges is None else [j for j, own in enumerate(self.edges) if len(own)]

    @property
    def bins(self):
        """Numbers of their bins."""
        return [len(self.edges[j]) - 1 for j in self.binned]

    @property
    def embedded(self):
        """Categories with an embedding, in order."""
        return [category for category in self.categories if isinstance(category, Embedded)]

    @property
    def codes(self):
        """Which columns of the design matrix hold codes."""
        stop = self.width - len(self.binned)
        return slice(stop - len(self.embedded), stop)

    @cached_property
    def origin(self):
        """For every column of the design matrix the column of X that it stems from."""
        made = [np.full(category.width, category.column) for category in self.categories]
        ends = self.numeric[np.array(self.binned, int)]
        return np.concatenate([self.numeric, self.numeric[self.gaps], *made, ends])

    def numbers(self, X):
        """The columns of numbers of X."""
        if not self.plain:
            check_dense(X)
        if len(self.numeric) == X.shape[1]:
            return X
        return Selected(X, self.numeric)

    def filled_by(self, features, X, weight, index):
        """With the centre of the training rows for missing numbers."""
        if not len(self.numeric):
            return replace(self, fill=np.empty(0))
        return replace(self, fill=features.center(self.numbers(X), weight, index))

    def with_bins(self, X, weight, index):
        """With bins of the rows at `index`."""
        return replace(self, edges=edges_of(self.numbers(X), weight, index))

    def after(self, features):
        """After more rows: columns that were empty until now have their first centre."""
        if features.moments is None or not self.empty.any():
            return self
        first = self.empty & (features.moments.weight > 0)
        return replace(
            self, empty=self.empty & ~first, fill=np.where(first, features.shift, self.fill)
        )

    def write(self, features, rows, out):
        """Write a dense block of rows as what the network sees; `features` scales the numbers."""
        n = len(self.numeric)
        if n:
            numbers = rows if n == rows.shape[1] else rows[:, self.numeric]
            missing = np.isnan(numbers)
            missing[:, self.empty] = True
            features.transform(numbers, out[:, :n])
            if missing.any():
                fill = np.empty((1, n))
                features.transform(self.fill[np.newaxis], fill)
                np.copyto(out[:, :n], fill, where=missing, casting="unsafe")
            if self.gaps.any():
                stop = n + np.count_nonzero(self.gaps)
                out[:, n:stop], n = missing[:, self.gaps], stop
        signs, ends = self._signs
        if len(signs):
            x = rows[:, signs]
            stop = n + len(signs)
            np.subtract(x == ends[1], x == ends[0], out=out[:, n:stop], dtype=out.dtype)
            n = stop
        for category in self._others:
            category.write(rows[:, category.column], out[:, n : n + category.width])
            n += category.width
        for k, j in enumerate(self.binned, start=n):
            x = np.asarray(rows[:, self.numeric[j]], np.float64)
            with refusing_overflow(out.dtype):
                out[:, k] = positions(np.where(np.isnan(x), self.fill[j], x), self.edges[j])

    @cached_property
    def _signs(self):
        """Columns of two levels and nothing else, which are written together, and their levels."""
        signs = [category for category in self.categories if _is_plain_sign(category)]
        columns = np.array([category.column for category in signs], int)
        return columns, np.array([category.values for category in signs]).T

    @cached_property
    def _others(self):
        return [category for category in self.categories if not _is_plain_sign(category)]

    def state(self):
        """The expansion in plain values."""
        state = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**state, "categories": [category.state() for category in self.categories]}

    @classmethod
    def restore(cls, state):
        """Inverse of `state`."""
        made = []
        for category in state["categories"]:
            own = dict(category)
            made.append(CATEGORIES[own.pop("kind")](**own))
        return cls(**{**state, "categories": made})


def _is_plain_sign(category):
    return isinstance(category, Sign) and len(category.values) == 2 and not category.missing


def check_dense(X):
    """Refuse a sparse X after a table with categories or gaps."""
    if issparse(X):
        raise ValueError(
            "X is sparse, but the table that fit got had categories or missing values, or there is "
            "a piecewise linear embedding of numbers. Give X as in fit, or X.toarray()."
        )


def _gaps(X, index):
    """How many rows at `index` are missing in each column."""
    counts = np.zeros(X.shape[1], int)
    with np.errstate(over="ignore", invalid="ignore"):
        for part in row_blocks(X, index):
            block = X[part if index is None else index[part]]
            # Sums show whether it is worth looking.
            if np.isnan(block.sum()):
                counts += np.isnan(block).sum(axis=0)
    return counts


def _levels(X, index, j):
    """Different numbers of column j in ascending order, and whether some are missing."""
    found, missing = np.empty(0), False
    for part in row_blocks(X, index):
        codes = X[part if index is None else index[part], j]
        x = np.asarray(codes, np.float64)
        if codes.dtype.kind in "iu" and np.abs(x).max() >= LARGEST_CODE:
            raise ValueError(
                f"categorical_features has column {j}, where whole numbers from 2**53 on cannot be "
                "told apart. Number the levels anew, or give them as text or by a category dtype."
            )
        gone = np.isnan(x)
        missing = missing or bool(gone.any())
        found = np.union1d(found, x[~gone])
    return found, missing


class ExpandedRows(MappedRows):
    """Rows that become wider, or have gaps, batch by batch."""

    def __init__(self, X, expansion, features, dtype):
        super().__init__(X, lambda rows, out: expansion.write(features, rows, out), dtype)
        self.width = expansion.width

    def take(self, index, work):
        raw = gather(self.X, index, work, "mapped")
        out = work("x", (len(raw), self.width), self.dtype)
        self.transform(raw, out)
        return out[np.newaxis]
