"""Scores of predicted distributions, and how their means compare with published figures."""

import numpy as np

COVERAGE = 0.9

# NLL in nats per row, y in its own units; by contestant and set.
ONE_NET = {  # the better of Lakshminarayanan et al. 2017 (appendix) and torch-naut's mdn_1comp
    "concrete": 3.22,
    "energy": 1.53,
    "kin8nm": -1.20,
    "power-plant": 2.78,
    "wine-quality-red": 0.98,
    "yacht": 0.67,
}
FIVE_NETS = {  # torch-naut's ensembles of five, branch iclr2025; a mixture as well
    "concrete": 2.97,
    "energy": 0.62,
    "kin8nm": -1.34,
    "power-plant": 2.69,
    "wine-quality-red": 0.91,
    "yacht": -0.02,
}
BOOSTING = {  # Duan et al. 2020
    "concrete": 3.04,
    "energy": 0.60,
    "kin8nm": -0.49,
    "power-plant": 2.79,
    "wine-quality-red": 0.91,
    "yacht": 0.20,
}
PUBLISHED = {"normal x 1": ONE_NET, "normal x 5": FIVE_NETS, "NGBoost": BOOSTING}

# Goals of the project for the flexible heads, five nets.
GOALS = {"concrete": 3.0, "kin8nm": -1.25, "power-plant": 2.65}
WITH_GOALS = ("normal_mixture x 5", "histogram x 5")
# wine has six values: below this a density has only put spikes on them.
FLOORS = {"wine-quality-red": 0.0}


def scores(dist, y):
    """Scores of the distributions of test rows.

    Parameters
    ----------
    dist : skmlp.distributions.Distribution
        One for each row.
    y : ndarray of shape (n_rows,)

    Returns
    -------
    scores : dict of str to float
        NLL in nats per row, RMSE of the mean, CRPS, coverage of the 90 % intervals, and the number
        of rows whose NLL is not finite.
    """
    log_density = dist.logpdf(y)
    low, high = dist.interval(COVERAGE).T
    return {
        "nll": -float(np.mean(log_density)),
        "rmse": float(np.sqrt(np.mean((dist.mean() - y) ** 2))),
        "crps": float(np.mean(dist.crps(y))),
        "coverage": float(np.mean((low <= y) & (y <= high))),
        "infinite": int(np.count_nonzero(~np.isfinite(log_density))),
    }


def mean_error(values):
    """Mean and standard error; the error is NaN for one value or when some are infinite."""
    values = np.asarray(values, float)
    if len(values) < 2 or not np.all(np.isfinite(values)):
        return float(np.mean(values)), np.nan
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def plus_minus(values, digits=3):
    """Mean and standard error as text; the mean alone when there is no error."""
    mean, error = mean_error(values)
    return f"{mean:.{digits}f}" + ("" if np.isnan(error) else f" +- {error:.{digits}f}")


def at_least_as_good(values, figure):
    """Whether the mean is at most the figure plus one standard error (none of one value)."""
    mean, error = mean_error(values)
    return bool(mean <= figure + np.nan_to_num(error))


def verdict(contestant, name, values):
    """A published figure or a goal for the mean NLL of a set, and what the values make of it.

    Returns
    -------
    figure, answer : str
        Both empty where there is nothing to compare with.
    """
    if name in PUBLISHED.get(contestant, ()):
        figure = PUBLISHED[contestant][name]
        return f"{figure:.2f}", "yes" if at_least_as_good(values, figure) else "no"
    if contestant in WITH_GOALS and name in FLOORS:
        floor = FLOORS[name]
        return f"goal >= {floor:g}", "met" if np.mean(values) >= floor else "missed"
    if contestant in WITH_GOALS and name in GOALS:
        goal = GOALS[name]
        return f"goal {goal:g}", "met" if np.mean(values) <= goal else "missed"
    return "", ""


def miscalibration_area(ranks):
    """Area between the distribution function of the PIT values and that of uniform ones.

    0 at best, 1/2 at worst; the integral over levels from 0 to 1 is a mean over 1000 midpoints.
    """
    levels = (np.arange(1000) + 0.5) / 1000
    below = np.searchsorted(np.sort(ranks), levels, side="right") / len(ranks)
    return float(np.mean(np.abs(below - levels)))
