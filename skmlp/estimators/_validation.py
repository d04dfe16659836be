"""Checks of the arguments of ``fit`` that scikit-learn offers no public function for."""

from mmap import mmap
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from .._sklearn_compat import validate_data
from ._table import ABOUT_INFINITY, first_text


def check_sample_weight(sample_weight, X, dtype=np.float64):
    """Return the weights of the rows as a one-dimensional array of finite numbers >= 0.

    Parameters
    ----------
    sample_weight : None, number or array-like of shape (n_samples,)
        ``None`` gives every row the weight 1, a number gives every row that weight.
    X : array-like of shape (n_samples, ...) or int
        The rows that are weighted, or their number.
    dtype : dtype, default=numpy.float64
        Floating dtype of the result.

    Returns
    -------
    ndarray of shape (n_samples,)
        At least one weight is positive. The array may share memory with ``sample_weight``, so the
        caller must not write into it.

    Raises
    ------
    ValueError
        If a weight is negative, NaN or infinite in ``dtype``, if all are zero, or if the shape
        is wrong.
    """
    n_rows = X if isinstance(X, Integral) else np.shape(X)[0]
    if sample_weight is None:
        return np.ones(n_rows, dtype=dtype)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, sample_weight, dtype=np.float64)
    weight = _as_float_array(sample_weight, dtype)
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight must be a number or an array of shape ({n_rows},), one weight for "
            f"each row of X; got shape {weight.shape}."
        )
    _check_range(weight)
    return weight


def _as_float_array(sample_weight, dtype):
    # An overflow in the cast is silent here: check_array then refuses the infinity by name.
    with np.errstate(over="ignore"):
        try:
            return check_array(
                sample_weight,
                dtype=dtype,
                ensure_2d=False,
                allow_nd=True,
                ensure_min_samples=0,
                input_name="sample_weight",
            )
        except (TypeError, ValueError) as error:
            if "sample_weight" in str(error):
                raise
            raise ValueError(f"sample_weight must hold numbers: {error}") from error


def _check_range(weight):
    negative = np.flatnonzero(weight < 0)
    if negative.size:
        raise ValueError(
            f"sample_weight must not be negative; got {weight[negative[0]]:g} at row "
            f"{negative[0]} ({negative.size} negative of {weight.size} weights). "
            "Use the weight 0 to leave a row out."
        )
    if not weight.any():
        raise ValueError(
            f"sample_weight must have at least one positive weight, but all {weight.size} are zero "
            f"(in {weight.dtype})."
        )


def check_dimensions(X):
    """Refuse arrays of three and more dimensions, showing how to flatten them.

    Raises
    ------
    ValueError
        With the code that turns X into a table.
    """
    ndim = getattr(X, "ndim", None)
    if ndim is None and isinstance(X, (list, tuple)):
        ndim = np.ndim(X[0]) + 1 if len(X) else 1
    if ndim is not None and ndim > 2:
        raise ValueError(
            f"Found array with dim {ndim}, but X must be a table of shape (n_samples, n_features). "
            "Flatten each sample first: X.reshape(len(X), -1)"
        )


def check_finite(X, names, missing, advice):
    """Refuse infinite values of X, and missing ones unless they are allowed.

    Parameters
    ----------
    X : ndarray or CSR matrix
    names : sequence of str or None
        Names of the columns.
    missing : bool
        Whether NaN is allowed.
    advice : str
        What an error about NaN ends with.
    """
    values = X.data if issparse(X) else X
    if values.dtype.kind != "f":
        return
    # A sum that overflows is finite after all.
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    if np.isfinite(total) or (missing and np.isnan(total) and not np.isinf(values).any()):
        return
    for name, found in (("infinity", np.isinf), ("NaN", np.isnan)):
        if found is np.isnan and missing:
            continue
        row, columns = _first_entry(X, found)
        if row is None:
            continue
        called = [f"column {j}" if names is None else f"column {str(names[j])!r}" for j in columns]
        where = ", ".join([*called[:5], *["..."] * (len(called) > 5)])
        remedy = advice if found is np.isnan else ABOUT_INFINITY
        raise ValueError(f"Input X contains {name} in {where}, first in row {row}. {remedy}")


def _first_entry(X, found):
    """First row with such an entry, and all columns with one."""
    if issparse(X):
        entries = X.tocoo()
        wrong = found(entries.data)
        rows, columns = entries.row[wrong], entries.col[wrong]
    else:
        rows, columns = np.nonzero(found(X))
    return (int(rows.min()), np.unique(columns).tolist()) if len(rows) else (None, [])


def check_numbers(X):
    """X with numbers for objects that are such, or an error for dates and the like."""
    if X.dtype.kind == "O":
        X = check_array(X, dtype=np.float64)
    if X.dtype.kind not in "biuf":
        raise ValueError(
            f"X has the dtype {X.dtype}, but must hold numbers. Convert its columns first."
        )
    return X


def checked_rows(estimator, X, reset=False, sparse="csr"):
    """X without a y as an array or CSR matrix of numbers, as scikit-learn checks it.

    For estimators that take numbers only, and say so.
    """
    if not reset and is_beyond_doubt(estimator, X):
        return X
    check_dimensions(X)
    try:
        checked = check_numbers(
            validate_data(
                estimator,
                X,
                accept_sparse=sparse,
                dtype="numeric",
                reset=reset,
                ensure_all_finite=False,
            )
        )
    except (TypeError, ValueError) as error:
        where = first_text(X)
        if where is None:
            raise
        raise ValueError(
            f"X has strings or dates in {where}, but {type(estimator).__name__} takes numbers "
            "only. Encode the column first, for example by OneHotEncoder in a ColumnTransformer, "
            f"or leave it out. ({error})"
        ) from error
    advice = "Fill in what is missing first, for example by SimpleImputer."
    check_finite(checked, getattr(estimator, "feature_names_in_", None), False, advice)
    return checked


def is_beyond_doubt(estimator, X):
    """Whether X is a plain array that scikit-learn's checks would hand back as it is.

    For a single row they take longer than the prediction.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype.char not in "fd":
        return False
    if X.shape[1] != estimator.n_features_in_ or not len(X):
        return False
    if "feature_names_in_" in vars(estimator):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def is_mapped(X):
    """Whether X is an array whose memory is a file, so that it should not be loaded whole."""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return isinstance(X, mmap)
