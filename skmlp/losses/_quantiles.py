"""Weighted quantiles for which weights are numbers of rows."""

import numpy as np


def weighted_quantile(y, q, weight=None):
    """Quantiles along axis 0 by the averaged inverted distribution function.

    A row of weight 2 counts as two rows, and rows of weight 0 as none, which the interpolating
    definitions do not satisfy.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, k)
        Values, of every column by itself.
    q : float or array-like of floats
        Levels from 0 to 1.
    weight : array-like of shape (n,) or None, default=None
        Not negative, and not all zero.

    Returns
    -------
    quantiles : ndarray of shape (*q.shape, *y.shape[1:])
        In float64 and the units of y.

    Raises
    ------
    ValueError
        For a level outside 0 and 1.

    References
    ----------
    Hyndman and Fan (1996), Sample quantiles in statistical packages, Am. Stat. 50, definition 2.

    Examples
    --------
    >>> from skmlp.losses import weighted_quantile
    >>> weighted_quantile([1, 2, 4], 0.5, weight=[1, 1, 2]).item()
    3.0
    """
    y, q = np.asarray(y, np.float64), np.asarray(q, np.float64)
    if not np.all((q >= 0.0) & (q <= 1.0)):
        raise ValueError(f"q={q.tolist()!r} must be a level between 0 and 1, or several of them.")
    if weight is not None:
        weight = np.asarray(weight, np.float64)
        y, weight = y[weight > 0], weight[weight > 0]
    columns = y.reshape(len(y), -1).T
    quantiles = [_column_quantile(column, q, weight) for column in columns]
    return np.stack(quantiles, axis=-1).reshape(q.shape + y.shape[1:])


def _column_quantile(y, q, weight):
    if weight is None:
        values, target = np.sort(y), q * len(y)
        tolerance = _rounding(len(y), len(y))
        left, right = np.ceil(target - tolerance) - 1.0, np.floor(target + tolerance)
        left, right = np.maximum(left, 0.0).astype(int), right.astype(int)
    else:
        order = np.argsort(y)
        values, below = y[order], np.cumsum(weight[order])
        target, tolerance = q * below[-1], _rounding(len(y), below[-1])
        left = np.searchsorted(below, target - tolerance)
        right = np.searchsorted(below, target + tolerance, side="right")
    return 0.5 * (values[left] + values[np.minimum(right, len(y) - 1)])


def _rounding(n, total):
    # Sums that differ by rounding only are a tie, as they are for whole weights.
    return (n + 8) * np.finfo(np.float64).eps * total
