"""Predicted covariance matrices of several targets beside the known ones of made-up data."""

from functools import partial

import numpy as np
from _density import CONFIG, fitted, networks
from _density_scores import plus_minus
from _joint import Truth, joint_nll, matrix_error, relative_errors
from _tables import MarkdownTable

N_TRAIN, N_TEST = 20_000, 2000
QUICK_TRAIN = 5000
BAR = 0.10  # of the relative error
# Beyond the configuration of the accuracy tables: smooth functions, and large batches for many
# rows. Fixed on data of seeds that are not in the table (1000 and above).
SETTINGS = {
    "activation": "silu",
    "batch_size": 200,
    "learning_rate_init": 1e-2,
    "max_iter": 120,
    "dropout": 0.05,
}
CONTESTANTS = {
    "full": {"n_nets": 1, "covariance_type": "full"},
    "full x 5": {"n_nets": 5, "covariance_type": "full"},
    "diag": {"n_nets": 1, "covariance_type": "diag"},
}


def contestant(seed, n_nets, **parameters):
    """Joint Normals of one network or of the mixture of several."""
    return networks("normal", n_nets, seed, **SETTINGS, **parameters)


def measures(model, truth, X, Y, seconds):
    """Error of the covariance matrices and of the means, joint NLL, seconds."""
    dist = model.predict_dist(X)
    rmse = np.sqrt(np.mean((dist.mean() - truth.mean(X)) ** 2))
    error, variance, covariance = relative_errors(dist.cov(), truth.cov(X))
    return {
        "error": error,
        "variance": variance,
        "covariance": covariance,
        "matrix": matrix_error(dist.cov(), truth.cov(X)),
        "rmse": float(rmse),
        "nll": joint_nll(model, X, Y),
        "seconds": seconds,
    }


def run_seed(n_targets, n_rows, seed):
    """Measures of all contestants and of the truth by name; data and weights depend on the seed."""
    truth = Truth(n_targets)
    X, Y = truth.draw(n_rows, 2 * seed)
    X_test, Y_test = truth.draw(N_TEST, 2 * seed + 1)
    found = {}
    for name, settings in CONTESTANTS.items():
        model, seconds = fitted(partial(contestant, **settings), (X, Y, X_test, Y_test), seed)
        found[name] = measures(model, truth, X_test, Y_test, seconds)
    return found | {"truth": measures(truth, truth, X_test, Y_test, 0.0)}


NOTES = f"""
X: four features, uniform between -1 and 1; Y is a joint Normal whose means, standard deviations
and correlations (.16 to .81) are sines of x, see `Truth` in _joint.py. full: DensityRegressor with
one network, x 5: five, whose mixture has the covariance matrix; diag: independent Normals; truth:
what the data were drawn from. matrices: mean over {N_TEST} new x of |predicted - true| / |true|
with the norm of Frobenius, per cent; entries: the same of every entry by itself, meant over all of
them, then of the variances and of the covariances alone (diag is wrong by 100 % there); small
covariances have the largest relative errors. error of mean: RMSE to the true means, of y with
standard deviations near 1; NLL: joint, nats per row, and what it is above the truth on the same
rows. Mean +- standard error over the seeds; s: a fit with one thread. Bars of the project, for
matrices / for entries: {BAR:.0%}."""


def density_covariance(args):
    """Print a row per contestant and number of targets."""
    n_rows = QUICK_TRAIN if args.quick else N_TRAIN
    print(f"Training rows: {n_rows}, seeds: {args.seeds}. All: {CONFIG | SETTINGS}\n")
    wide = (
        f"{t:>16}" for t in ("matrices, %", "entries, %", "error of mean", "NLL", "above the truth")
    )
    titles = ("covariance", "targets", *wide, "bars", "variances", "covariances", "s")
    table = MarkdownTable(titles, 10)
    print(table.head(), flush=True)
    for n_targets in args.targets:
        runs = [run_seed(n_targets, n_rows, seed) for seed in range(args.seeds)]
        for name in runs[0]:
            found = {key: np.array([run[name][key] for run in runs]) for key in runs[0][name]}
            lowest = np.array([run["truth"]["nll"] for run in runs])
            bars = (
                "met" if np.mean(found[key]) <= BAR else "missed" for key in ("matrix", "error")
            )
            bar = " / ".join(bars)
            print(
                table.row(
                    name,
                    f"{n_targets}",
                    plus_minus(100 * found["matrix"], 2),
                    plus_minus(100 * found["error"], 2),
                    plus_minus(found["rmse"]),
                    plus_minus(found["nll"]),
                    plus_minus(found["nll"] - lowest),
                    bar if "full" in name else "",
                    f"{100 * np.mean(found['variance']):.1f}",
                    f"{100 * np.mean(found['covariance']):.1f}",
                    f"{np.mean(found['seconds']):.1f}",
                ),
                flush=True,
            )
    print(NOTES)
