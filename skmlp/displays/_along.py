"""Rows of a table that differ in one feature."""

from collections import Counter
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state


def find_feature(X, feature):
    """Position and name of a feature of a table."""
    if len(X.shape) != 2:
        raise ValueError(
            f"X has shape {X.shape}, but must be a table of shape (n_samples, n_features)."
        )
    names = [str(name) for name in X.columns] if hasattr(X, "columns") else None
    n_features = X.shape[1]
    if isinstance(feature, str):
        if names is None:
            raise ValueError(
                f"feature={feature!r} is a name, but X has no names of columns. Give a DataFrame, "
                "or the position of the feature."
            )
        if feature not in names:
            raise ValueError(f"feature={feature!r} is not a column of X, which has {names}.")
        return names.index(feature), feature
    if not isinstance(feature, Integral) or not -n_features <= feature < n_features:
        raise ValueError(
            f"feature={feature!r} must be a position between 0 and {n_features - 1} for X of shape "
            f"{X.shape}, or the name of a column."
        )
    position = int(feature) % n_features
    return position, f"feature {position}" if names is None else names[position]


def column_of(X, position):
    """One column of an array, sparse matrix or DataFrame, as an array."""
    if hasattr(X, "toarray"):
        return X.tocsc()[:, [position]].toarray()[:, 0]
    if hasattr(X, "iloc"):  # of pandas, whose names need not differ
        return np.asarray(X.iloc[:, position])
    if hasattr(X, "columns"):
        return np.asarray(X[X.columns[position]])
    return X[:, position]


def numbers_of(column, feature):
    """A column as float64."""
    numbers = _as_numbers(column)
    if numbers is None:
        raise ValueError(f"feature={feature!r} holds no numbers along which to predict.")
    return numbers


def _as_numbers(column):
    """A column as float64, or None. Text is none, even "17": an encoder waits for it as it is."""
    if column.dtype.kind not in "iufO" or _has_text(column):
        return None
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        return None


def _has_text(column):
    return column.dtype.kind == "O" and any(isinstance(value, str) for value in column)


def grid_between(observed, feature, grid_resolution):
    """Evenly spaced values from the smallest observed to the largest."""
    if not isinstance(grid_resolution, Integral) or grid_resolution < 2:
        raise ValueError(
            f"grid_resolution={grid_resolution!r} must be a whole number of at least 2."
        )
    finite = observed[np.isfinite(observed)]
    if len(finite) == 0 or finite.min() == finite.max():
        raise ValueError(
            f"feature={feature!r} has fewer than two different values in X. Choose another one."
        )
    return np.linspace(finite.min(), finite.max(), grid_resolution)


def rows_along(X, position, values):
    """A table like X of rows with the given values in one column, and typical ones elsewhere."""
    by_column = X.tocsc() if hasattr(X, "tocsc") else X
    columns = [
        values if j == position else np.full(len(values), _typical(column_of(by_column, j)))
        for j in range(X.shape[1])
    ]
    if hasattr(X, "columns"):
        return _data_frame(columns, X, position)
    rows = np.empty((len(values), len(columns)), object if X.dtype.kind in "OU" else np.float64)
    for j, column in enumerate(columns):
        rows[:, j] = column
    return type(X)(rows) if hasattr(X, "toarray") else rows


def _data_frame(columns, like, position):
    """A DataFrame of the library and the names of another one."""
    frame = type(like)(dict(zip(like.columns, columns, strict=True)))
    if not hasattr(frame, "iloc"):  # of pandas, whose categories must stay categories
        return frame
    varied = like.columns[position]
    return frame.astype({name: dtype for name, dtype in like.dtypes.items() if name != varied})


def _typical(column):
    """The lower median of numbers, or the most frequent value of anything else."""
    numbers = _as_numbers(column)
    if numbers is None:
        return Counter(column.tolist()).most_common(1)[0][0]
    known = np.sort(numbers[~np.isnan(numbers)])
    return known[(len(known) - 1) // 2] if len(known) else np.nan


def sampled(x, y, subsample, random_state):
    """x and y of at most `subsample` random rows."""
    y = np.asarray(y, np.float64)
    if y.size != len(x):
        raise ValueError(
            f"y has shape {y.shape}, but X has {len(x)} rows, and one target is shown."
        )
    y = y.reshape(-1)
    if subsample is None or subsample >= len(x):
        return x, y
    if not isinstance(subsample, Integral) or subsample < 1:
        raise ValueError(f"subsample={subsample!r} must be a whole number of at least 1, or None.")
    rows = check_random_state(random_state).choice(len(x), subsample, replace=False)
    return x[rows], y[rows]
