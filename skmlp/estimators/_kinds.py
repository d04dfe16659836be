"""Which rows are copies of each other, and an order in which kinds of rows can be drawn."""

import numpy as np
from scipy.sparse import issparse

from ._moments import BLOCK_ENTRIES, row_blocks

# Rows that differ in none of so many columns are put in an order by the bits of all columns.
TELLING_COLUMNS = 64


def kinds_of_rows(X, target, index, columns=slice(None)):
    """Find the kinds of rows, of which all but one row of each are copies.

    Neither the order of the rows nor how often each is there matters for the order of the kinds,
    nor do increasing transformations of columns, such as other units: it is that of the targets,
    then of the values in columns. Only rows that many columns do not tell apart are in an order
    that hangs on the bits of their values.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    target : ndarray of shape (n_samples,) or (n_samples, n_targets)
    index : ndarray of int
        The rows.
    columns : slice or list of int
        Columns of X that count.

    Returns
    -------
    first : ndarray of int of shape (n_kinds,)
        Positions in `index` of one row of each kind.
    kind : ndarray of int of shape (len(index),)
    """
    keys = row_keys(X, target, columns)[index]
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    rank, rows = np.zeros(len(first), int), index[first]
    target = target.reshape(len(target), -1)
    _refine_by_columns(rank, target, rows, np.arange(target.shape[1]))
    tell = _refine_by_places if issparse(X) else _refine_by_columns
    tell(rank, X, rows, np.arange(X.shape[1])[columns])
    _refine(rank, keys[first])
    return first[np.argsort(rank)], rank[kind]


def _refine_by_columns(rank, X, rows, columns):
    """Refine ranks by columns from all over X, as the first pixels of images are dark in most."""
    columns = np.random.default_rng(0).permutation(columns)[:TELLING_COLUMNS]
    n_taken = 0
    while len(columns) and (tied := _tied(rank)).size:
        # Of many rows the first column mostly tells all; else several at once, as X may be a file.
        n_taken = min(2 * n_taken + 1, 1 + 4 * BLOCK_ENTRIES // len(tied))
        some, columns = np.split(columns, [n_taken])
        for values in X[np.ix_(rows[tied], some)].T:
            _refine(rank, values, tied)


def _refine_by_places(rank, X, rows, columns):
    """Refine ranks by the places where entries of a CSR matrix are."""
    X = X[rows][:, columns]
    X.eliminate_zeros()
    X.data = np.ones_like(X.data)
    _refine(rank, row_keys(X, np.zeros(len(rows))))


def _tied(rank):
    return np.flatnonzero(np.bincount(rank)[rank] > 1)


def _refine(rank, values, rows=None):
    """Let rows of one rank follow each other as their values do; changes `rank` in place.

    A rank is the number of rows before. `values` are those at `rows`, which have to be all rows of
    their ranks.
    """
    rows = np.arange(len(rank)) if rows is None else rows
    there = np.flatnonzero(np.bincount(rank)[rank[rows]] > 1)
    values, rows = np.nan_to_num(values[there], nan=np.inf, posinf=np.inf), rows[there]
    order = np.argsort(values)  # ten times as fast as a stable one; ties are of one rank
    order = order[np.argsort(rank[rows[order]], kind="stable")]
    old, values, rows = rank[rows][order], values[order], rows[order]
    position = np.arange(len(rows))
    starts = np.diff(old, prepend=-1) > 0
    steps = starts.copy()
    steps[1:] |= values[1:] != values[:-1]
    begin, group = (np.maximum.accumulate(np.where(s, position, 0)) for s in (steps, starts))
    rank[rows] = old + begin - group


def row_keys(X, target, columns=slice(None)):
    """A number for each row of X (or some of its columns) and target, equal where rows are equal.

    Sums of the mixed bits of the values, each times an odd number that depends on the column;
    exact, as integers wrap around.
    """
    keys = np.zeros(X.shape[0], np.uint64)
    width = X[:1, columns].shape[1]
    factors = _odd_numbers(width)
    if issparse(X):
        X = X.copy()
        X.sum_duplicates()
        products = _bits(X.data) * factors[X.indices]
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        np.add.at(keys, rows, products)
    else:
        for block in row_blocks(X):
            keys[block] = _bits(X[block, columns]) @ factors
    target = target.reshape(len(target), -1)
    return keys + _bits(target) @ _odd_numbers(width + target.shape[1])[width:]


_MIXER = np.uint64(0x9E3779B97F4A7C15)


def _odd_numbers(n):
    return np.random.default_rng(0).integers(2**63, size=n, dtype=np.uint64) * np.uint64(2) + (
        np.uint64(1)
    )


def _bits(values):
    """Mixed bit patterns of the values as floats; adding 0 takes the sign off zeros."""
    values = np.ascontiguousarray(values + np.float64(0.0), np.float64)
    # There are many bit patterns of NaN.
    np.copyto(values, np.nan, where=np.isnan(values))
    bits = values.view(np.uint64)
    # Small integers differ in their first bits only, of which products would keep next to nothing.
    bits ^= bits >> np.uint64(32)
    bits *= _MIXER
    bits ^= bits >> np.uint64(32)
    return bits
