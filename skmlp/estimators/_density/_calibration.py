"""Calibration of predicted distributions on rows kept apart."""

import numpy as np
from scipy.optimize import minimize_scalar

from ...families import Recalibrated

# The fewest rows from which the ends of a 90 % interval can be told.
MIN_ROWS = 20
# From this many on the map of "pit" has knots at the ends of a 90 % interval.
ROWS_FOR_PIT = 200
LOG_FACTORS = (-4.0, 4.0)


def fit(method, law, params, y, weight, parameter, value):
    """What `apply` needs, in plain values.

    Parameters
    ----------
    method : {"auto", "scale", "pit"}
    law, params
        The distributions of n rows as they are.
    y : ndarray of shape (n,) or (n, n_targets)
    weight : ndarray of shape (n,)
    parameter, value : str, object
        How the user has named the law.
    """
    if method not in ("auto", *METHODS):
        raise ValueError(f"method={method!r} must be 'auto', 'scale' or 'pit'.")
    kept = weight > 0
    if np.count_nonzero(kept) < MIN_ROWS:
        raise ValueError(
            f"calibrate needs at least {MIN_ROWS} rows, from which the ends of a 90 % interval can "
            f"be told, but got {np.count_nonzero(kept)}. Give more rows, or a larger "
            "calibration_fraction."
        )
    params = {name: array[kept] for name, array in params.items()}
    if method == "auto":
        scalable = law.about(params, law.mean(params), 1.0) is not None
        few = np.count_nonzero(kept) < ROWS_FOR_PIT
        method = "scale" if law.vector or (few and scalable) else "pit"
    found = METHODS[method](law, params, y[kept], weight[kept], f"{parameter}={value!r}")
    return {"method": method, "n_samples": int(np.count_nonzero(kept)), **found}


def _fit_scale(law, params, y, weight, name):
    center = law.mean(params)
    if law.about(params, center, 1.0) is None:
        raise ValueError(
            f"method='scale' cannot act with {name}, which has no scale to stretch. Use "
            "method='pit'."
        )
    if law.vector:
        pairs = [(*law.marginal(params, j), y[:, j]) for j in range(y.shape[1])]
    else:
        pairs = [(law, params, y)]
    return {"factor": [_best_factor(*pair, weight) for pair in pairs]}


def _best_factor(law, params, y, weight):
    """The stretch of largest likelihood."""
    center, y = law.mean(params), y[:, np.newaxis]

    def loss(log_factor):
        moved = law.about(params, center, np.exp(log_factor))
        return -np.average(law.logpdf(moved, y)[:, 0], weights=weight)

    found = minimize_scalar(loss, bounds=LOG_FACTORS, method="bounded")
    return float(np.exp(found.x))


def _fit_pit(law, params, y, weight, name):
    if law.vector:
        raise ValueError(
            "method='pit' is for one target, but y has several. Use method='scale', which keeps "
            "their correlations."
        )
    ranks, levels = Recalibrated.fit(law, params, y[:, np.newaxis], weight)
    return {"ranks": ranks.tolist(), "levels": levels.tolist()}


METHODS = {"scale": _fit_scale, "pit": _fit_pit}


def apply(found, law, params):
    """Law and parameters after calibration."""
    if found["method"] == "pit":
        return Recalibrated(law, found["ranks"], found["levels"]), params
    factor = np.array(found["factor"]) if law.vector else found["factor"][0]
    return law, law.about(params, law.mean(params), factor)


def check_coverage(found, coverage):
    """Refuse intervals whose ends lie beyond what the rows of calibration can tell."""
    needed = int(np.ceil(2.0 / (1.0 - np.max(coverage)) - 1e-9))
    if found["n_samples"] < needed:
        raise ValueError(
            f"coverage={coverage!r} needs at least {needed} rows of calibration, but there were "
            f"{found['n_samples']}. Ask for less, or calibrate on more rows."
        )
