"""Integrals, inverses and maxima of one function per row, for all rows at once."""

from functools import lru_cache

import numpy as np

NODES = 12
# Levels of the quantiles between which densities are smooth enough for a few nodes.
LEVELS = (1e-9, 1e-7, 1e-5, 1e-3, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
LEVELS = np.array((*LEVELS, 1 - 1e-3, 1 - 1e-5, 1 - 1e-7, 1 - 1e-9))
BISECTIONS = 60


@lru_cache
def legendre(n=NODES):
    """Nodes in (0, 1) and weights of Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return 0.5 * (nodes + 1.0), 0.5 * weights


def panels(points):
    """Nodes and weights of composite quadrature between consecutive points.

    Parameters
    ----------
    points : ndarray of shape (*batch, k)
        In increasing order.

    Returns
    -------
    x, weight : ndarray of shape (*batch, (k - 1) * n)
    """
    nodes, weights = legendre()
    left, width = points[..., :-1, np.newaxis], np.diff(points)[..., np.newaxis]
    shape = (*points.shape[:-1], width.shape[-2] * len(nodes))
    return (left + width * nodes).reshape(shape), (width * weights).reshape(shape)


def bisect(above, low, high):
    """The points where `above` turns from False to True, between `low` and `high`.

    Parameters
    ----------
    above : callable
        above(x) -> bool array, of the shape of x.
    low, high : ndarray
    """
    ends = np.isfinite(low) & np.isfinite(high)
    bounds, (low, high) = low, (np.where(ends, bound, 0.0) for bound in (low, high))
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        over = above(middle)
        high = np.where(over, middle, high)
        low = np.where(over, low, middle)
        # Further halves are rounding.
        if np.all(high - low <= 1e-14 * (np.abs(low) + np.abs(high))):
            break
    # Infinite ends coincide: they are the quantiles of levels 0 and 1.
    return np.where(ends, 0.5 * (low + high), bounds)


def bisect_whole(above, low, high):
    """The smallest whole numbers in [low, high] for which `above` is True."""
    ends = np.isfinite(low) & np.isfinite(high)
    bounds, low = low, np.where(ends, np.floor(low), 0.0) - 1.0
    high = np.where(ends, np.ceil(high), 0.0)
    while True:
        middle = np.floor(0.5 * (low + high))
        # Beyond 2^53 not every number has a neighbour.
        inside = (middle > low) & (middle < high)
        if not np.any(inside):
            return np.where(ends, high, bounds)
        over = above(middle)
        high = np.where(inside & over, middle, high)
        low = np.where(inside & ~over, middle, low)


def argmax(function, points):
    """Where a function per row is largest: the best of `points`, refined between its neighbours.

    Parameters
    ----------
    function : callable
        function(x) of x of shape (*batch, m) gives (*batch, m).
    points : ndarray of shape (*batch, k)
        In increasing order.

    Returns
    -------
    x : ndarray of shape (*batch,)
    """
    best = function(points).argmax(axis=-1)[..., np.newaxis]
    start = np.take_along_axis(points, best, axis=-1)
    low = np.take_along_axis(points, np.maximum(best - 1, 0), axis=-1)
    high = np.take_along_axis(points, np.minimum(best + 1, points.shape[-1] - 1), axis=-1)
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(BISECTIONS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        keep_left = function(left) >= function(right)
        low, high = np.where(keep_left, low, left), np.where(keep_left, right, high)
    refined = 0.5 * (low + high)
    # At a jump of the function the search may have left the best point for a lower side.
    return np.where(function(refined) >= function(start), refined, start)[..., 0]
