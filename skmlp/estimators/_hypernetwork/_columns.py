"""Which columns of X say what, and tasks as numbers."""

from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from ..._sklearn_compat import _get_column_indices, _safe_indexing, validate_data
from .._table import label, names_of, with_columns
from .._validation import check_dimensions


@dataclass(frozen=True)
class Columns:
    """Positions of the columns of X.

    Parameters
    ----------
    task, context, features : tuple of int
        What identifies the task, what the hypernetwork is told, what the main network sees.
    """

    task: tuple
    context: tuple
    features: tuple

    @classmethod
    def of(cls, estimator, X):
        """What the parameters of an estimator stand for in X."""
        names = ("task_features", "context_features")
        task, context = (_positions(name, getattr(estimator, name), X) for name in names)
        both = sorted(set(task) & set(context))
        if both:
            raise ValueError(
                f"task_features and context_features share the columns {both}. A column is either "
                "an identifier or a number that the hypernetwork is told."
            )
        if estimator.context_in_main and not context:
            raise ValueError(
                f"context_in_main={estimator.context_in_main!r} cannot act without "
                "context_features. Name some, or leave context_in_main at False."
            )
        taken = {*task, *(() if estimator.context_in_main else context)}
        features = tuple(j for j in range(X.shape[1]) if j not in taken)
        if not features and taken:
            check_array(X, dtype=None)
            raise ValueError(
                f"task_features={estimator.task_features!r} and context_features="
                f"{estimator.context_features!r} take all columns of X, which has {X.shape[1]} "
                "feature(s): nothing is left for the main network. Set context_in_main=True, or "
                "add features."
            )
        return cls(task, context, features)

    def state(self):
        """The positions as lists."""
        return [list(self.task), list(self.context), list(self.features)]

    @classmethod
    def restore(cls, state):
        """Inverse of `state`."""
        return cls(*map(tuple, state))


def _positions(name, key, X):
    if key is None:
        return ()
    key = key(X) if callable(key) else key
    if isinstance(key, bool | np.bool_):
        raise ValueError(
            f"{name}={key!r} does not tell columns of X. Give positions, names, a mask of all "
            "columns or a function."
        )
    if isinstance(key, np.ndarray):
        key = key.tolist()
    try:
        positions = _get_column_indices(X, _by_place(key, X))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ValueError(
            f"{name}={key!r} does not tell columns of X, which has {X.shape[1]}: {error} "
            "Give positions, names of a DataFrame, a mask or a function. A transformer may have "
            "renamed columns (verbose_feature_names_out=False keeps names) or taken their names "
            "away (set_output(transform='pandas') keeps them)."
        ) from error
    positions = tuple(int(j) for j in np.atleast_1d(positions))
    if not positions or len(set(positions)) < len(positions):
        raise ValueError(f"{name}={key!r} must name one or more different columns of X.")
    return positions


def _by_place(key, X):
    """Names as positions: scikit-learn 1.6 knows those of pandas only."""
    names = [key] if isinstance(key, str) else key
    texts = isinstance(names, list | tuple) and names and all(isinstance(n, str) for n in names)
    if not (texts and hasattr(X, "columns")):
        return key
    columns = list(X.columns)
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(f"There is no column {missing[0]!r}.")
    twice = [name for name in names if columns.count(name) > 1]
    if twice:
        raise ValueError(f"There are several columns {twice[0]!r}.")
    return [columns.index(name) for name in names]


def as_table(estimator, X, reset=False):
    """X as something with columns: lists become arrays, of objects where they hold strings.

    Without `reset` there have to be as many as in the first call.
    """
    check_dimensions(X)
    if issparse(X):
        raise TypeError(
            "Sparse X was passed, but hypernetworks need dense data. Use '.toarray()' to convert "
            "to a dense array."
        )
    X = with_columns(X)
    if len(X.shape) != 2 or 0 in X.shape:
        check_array(X, dtype=None)  # says what is wrong
    if not reset and X.shape[1] != estimator.n_features_in_:
        validate_data(estimator, X, skip_check_array=True, reset=False)
    return X


def with_numbers(X, columns):
    """An array with numbers where texts of tasks have made texts of them."""
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "OU":
        return X
    out = X.astype(object)
    for j in (*columns.context, *columns.features):
        if any(isinstance(value, str) for value in X[:, j]):
            try:
                out[:, j] = X[:, j].astype(np.float64)
            except (TypeError, ValueError):
                continue
    return out


def task_keys(X, columns):
    """The different tasks of X as Python values, and which of them every row has.

    Numbers that are equal are one task, 17 and 17.0; several columns make tuples.
    """
    names = names_of(X)
    parts = [_unique(_column(X, j), label(j, names)) for j in columns.task]
    if len(parts) == 1:
        return parts[0]
    codes = np.column_stack([inverse for _, inverse in parts])
    unique, inverse = np.unique(codes, axis=0, return_inverse=True)
    each = [keys for keys, _ in parts]
    keys = [tuple(own[k] for own, k in zip(each, row, strict=True)) for row in unique.tolist()]
    return keys, inverse.reshape(-1)


def _column(X, j):
    if isinstance(X, np.ndarray):
        return X[:, j]
    return _safe_indexing(X, j, axis=1)


def _unique(column, name):
    values = np.asarray(column).reshape(-1)
    if values.dtype.kind == "M":
        # One date is one task, whatever the unit it is stored in.
        values = values.astype("datetime64[us]").astype(object)
    if values.dtype.kind in "biufUS":
        unique, inverse = np.unique(values, return_inverse=True)
        keys = unique.tolist()
    else:
        keys, inverse, seen = [], np.empty(len(values), int), {}
        for i, value in enumerate(values.tolist()):
            key = as_key(value)
            inverse[i] = seen.setdefault(key, len(seen))
        keys = list(seen)
    missing = [code for code, key in enumerate(keys) if _is_missing(key)]
    if missing:
        row = int(np.flatnonzero(inverse == missing[0])[0])
        key = keys[missing[0]]
        kind = "an infinite" if isinstance(key, float) and abs(key) == inf else "a missing"
        raise ValueError(
            f"The task {name} of X has {kind} value, {key!r}, in row {row}. Identifiers "
            "can be neither NaN nor infinite. Give such rows one of their own, for example "
            "'unknown', or drop them."
        )
    return _in_order(keys, inverse)


def _in_order(keys, inverse):
    """Keys in ascending order where they have one, else as they came."""
    try:
        order = sorted(range(len(keys)), key=keys.__getitem__)
    except TypeError:
        return keys, inverse
    rank = np.empty(len(keys), int)
    rank[order] = np.arange(len(keys))
    return [keys[k] for k in order], rank[inverse]


def as_key(value):
    """NumPy scalars as Python values, sequences as tuples; what cannot be looked up as its text."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    value = tuple(value) if isinstance(value, list) else value
    try:
        hash(value)
    except TypeError:
        return str(value)
    return value


def _is_missing(key):
    if isinstance(key, float):
        return not isfinite(key)
    return key is None or type(key).__name__ in ("NAType", "NaTType")


def as_tasks(keys):
    """Task identifiers as an array of shape (n_tasks,)."""
    kinds = {type(key) for key in keys}
    if len(kinds) == 1 and kinds <= {str, int, float, bool} or kinds == {int, float}:
        array = np.array(keys)
        # Large integers may not survive among others.
        if array.tolist() == keys:
            return array
    tasks = np.empty(len(keys), object)
    tasks[:] = keys
    return tasks
