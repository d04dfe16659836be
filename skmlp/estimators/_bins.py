"""Bins of columns of numbers by quantiles of the training rows, and positions among them."""

import numpy as np

from ..losses import weighted_quantile
from ._encoding import some_rows
from ._moments import check_no_overflow

# At most so many bins a column, as in the package of the paper (Gorishniy et al. 2022, arXiv
# 2203.05556). Not by the number of rows, since a row of weight 2 is two.
N_BINS = 48

# Quantiles of more rows would hardly be others: 200 rows a bin.
MOST_ROWS = 10_000

# Beyond the edges the outer bins go on for ever: they must not be much narrower than the others.
NARROW = 1e-3


def edges_of(X, weight=None, index=None):
    """Edges of the bins of every column of a dense X, (n_bins + 1,) each, in its units.

    Quantiles of the rows at `index` (None for all), weighted, as far as they differ. What is
    missing does not count, and a column without two different numbers has no edges.
    """
    rows = some_rows(X.shape[0], weight, index, MOST_ROWS)
    weight = None if weight is None else weight[rows]
    edges = [_edges(np.asarray(X[rows, j], np.float64), weight) for j in range(X.shape[1])]
    with np.errstate(over="ignore"):
        spread = np.array([own[-1] - own[0] if len(own) else 0.0 for own in edges])
    check_no_overflow(spread, "range", positions=getattr(X, "columns", None))
    return edges


def _edges(column, weight):
    there = ~np.isnan(column)
    column, weight = column[there], None if weight is None else weight[there]
    if not len(column):
        return np.empty(0)
    with np.errstate(over="ignore"):
        if np.isinf(2.0 * np.abs(column).max()):
            return np.array([-np.inf, np.inf])  # refused by the caller
    edges = np.unique(weighted_quantile(column, np.linspace(0.0, 1.0, N_BINS + 1), weight))
    # Numbers so close together that one over their difference is infinite count as equal.
    edges = edges[np.diff(edges, prepend=-np.inf) > np.finfo(np.float64).tiny]
    widths = np.diff(edges)
    if not len(widths):
        return np.empty(0)
    least = NARROW * np.median(widths)
    inner = edges[1:-1]
    inner = inner[(inner - edges[0] >= least) & (edges[-1] - inner >= least)]
    return np.r_[edges[0], inner, edges[-1]]


def positions(x, edges):
    """Where numbers lie among bins: 2.5 is the middle of the third, below 0 before the first."""
    place = np.interp(x, edges, np.arange(float(len(edges))))
    place += np.minimum((x - edges[0]) / (edges[1] - edges[0]), 0.0)
    place += np.maximum((x - edges[-1]) / (edges[-1] - edges[-2]), 0.0)
    return place
