"""DensityRegressor by the protocol of the published UCI tables, and NGBoost in the same table."""

import warnings
from functools import partial
from time import perf_counter

import numpy as np
from _data import UCI_SOURCE, missing_uci, uci_splits
from _density_scores import plus_minus, scores, verdict
from _ngboost import HOW_TO_INSTALL, BoostedNormal, has_ngboost
from _tables import MarkdownTable
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skmlp import DensityRegressor

# One configuration for all sets.
CONFIG = {
    "hidden_layer_sizes": (64, 64),
    "learning_rate": "cosine",
    "learning_rate_init": 3e-3,
    "batch_size": 32,
    "max_iter": 300,
    "early_stopping": True,
    "validation_fraction": 0.1,
    "n_iter_no_change": 300,
    "tol": 0.0,
    "dtype": "float32",
}
# Chosen inside each training split, by the likelihood of the validation rows that the fit itself
# sets aside.
DROPOUTS = (0.01, 0.05)
# What a head has beyond it, on all sets too. The flexible ones learn their noise faster, and are
# slower: fewer epochs, and no choice.
FLEXIBLE = {"max_iter": 100, "dropouts": (0.05,)}
HEADS = {
    "normal": {},
    "normal_mixture": FLEXIBLE,
    "histogram": FLEXIBLE | {"n_bins": 30},
}
RIVAL = "NGBoost"


# Contestants: called with a seed, they return an object with ``fit(X, y)`` and ``predict_dist(X)``.


class Chosen:
    """Networks with the rate of dropout that the validation rows prefer."""

    def __init__(self, head, n_nets, seed):
        rates = HEADS[head].get("dropouts", DROPOUTS)
        self.candidates = [networks(head, n_nets, seed, dropout=rate) for rate in rates]

    def fit(self, X, y):
        """Fit all and keep the best."""
        fits = [candidate.fit(X, y) for candidate in self.candidates]
        self.best = max(fits, key=lambda fit: fit.best_validation_score_)
        return self

    def predict_dist(self, X):
        """Distributions of the best one."""
        return self.best.predict_dist(X)


def networks(head, n_nets, seed, **parameters):
    """One network, or the mixture of several."""
    averaged = {} if n_nets == 1 else {"n_init": n_nets, "combine_inits": "average"}
    settings = CONFIG | HEADS[head] | averaged | parameters
    settings.pop("dropouts", None)
    return DensityRegressor(head, random_state=seed, **settings)


def title(head, n_nets):
    """What a contestant is called, as in ``normal x 5``."""
    return f"{head} x {n_nets}"


def contestants(heads, nets, rival):
    """Functions of a seed by name; the rival is the last."""
    found = {title(head, n): partial(Chosen, head, n) for head in heads for n in nets}
    return found | ({RIVAL: BoostedNormal} if rival else {})


# Measuring


def fitted(contestant, split, seed):
    """A fitted model and its seconds, with one thread and without warnings of too few epochs."""
    X, y, _, _ = split
    model = contestant(seed)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = perf_counter()
        model.fit(X, y)
        return model, perf_counter() - start


def run_split(contestant, split, seed):
    """Scores of the test rows of a split, and the seconds of the fit."""
    model, seconds = fitted(contestant, split, seed)
    _, _, X_test, y_test = split
    return scores(model.predict_dist(X_test), y_test) | {"seconds": seconds}


def over_splits(function, contestant, splits, jobs):
    """Lists of values by key; ``function(contestant, split, seed)`` gives a dict of values."""
    runs = Parallel(n_jobs=jobs)(
        delayed(function)(contestant, split, seed) for seed, split in enumerate(splits)
    )
    return {key: [run[key] for run in runs] for key in runs[0]}


# The table


TITLES = ("set", "contestant", "NLL", "published", "as good", "RMSE", "CRPS", "cover", "inf", "s")


def cells(contestant, name, found):
    """All cells of a row but the first, as text."""
    return (
        contestant,
        plus_minus(found["nll"]),
        *verdict(contestant, name, found["nll"]),
        f"{np.mean(found['rmse']):#.3g}",
        f"{np.mean(found['crps']):#.3g}",
        f"{100 * np.mean(found['coverage']):.1f} %",
        f"{sum(found['infinite'])}",
        f"{np.mean(found['seconds']):.1f}",
    )


def summary(losses):
    """Sentences on the verdicts, and on the paired differences to the rival.

    Parameters
    ----------
    losses : dict of (contestant, set) to list of float
        NLL of each split.
    """
    lines = []
    for contestant in dict.fromkeys(contestant for contestant, _ in losses):
        names = [name for c, name in losses if c == contestant]
        answers = [verdict(contestant, name, losses[contestant, name])[1] for name in names]
        if judged := [answer for answer in answers if answer]:
            good = sum(answer in ("yes", "met") for answer in judged)
            lines.append(f"{contestant}: as good as the figure on {good} of {len(judged)} sets.")
        pairs = [name for name in names if contestant != RIVAL and (RIVAL, name) in losses]
        if pairs:
            differences = (
                f"{name} {plus_minus(np.subtract(losses[contestant, name], losses[RIVAL, name]))}"
                for name in pairs
            )
            lines.append(f"{contestant} minus {RIVAL}, paired: {', '.join(differences)}.")
    return lines


NOTES = f"""
NLL: nats per row, y in its own units, mean +- standard error over the splits (which overlap, so it
is a little too small); lower is better. x 5: five networks trained together, a true mixture of
their densities. published: x 1 the better of Lakshminarayanan et al. 2017 (one network) and
torch-naut's Normal network, x 5 torch-naut's ensemble of five, {RIVAL} Duan et al. 2020. as good:
whether the mean is at most that plus one of these standard errors; with few splits it says little.
goal: of the project, for a flexible head, met by the bare mean; on wine, whose y has six values, an
NLL below 0 only shows spikes on them. RMSE of the mean; CRPS in units of y; cover: of the central
90 % intervals; inf: test rows of all splits with an infinite NLL; s: mean seconds of a fit with one
thread. {RIVAL}: trees of depth 3, learning rate .01, their number (up to 2000) chosen by the NLL of
20 % of the training rows, then all of them fitted; its seconds are of both."""


def available(names, directory):
    """The sets that are there; the missing ones are printed with their source."""
    missing = missing_uci(names, directory)
    if missing:
        print(f"Missing: {', '.join(missing)}. Source: {UCI_SOURCE}.")
    return [name for name in names if name not in missing]


def density(args):
    """Print a row per set and contestant as soon as it is known, and what they say together."""
    rival = args.rival and has_ngboost()
    if args.rival and not rival:
        print(HOW_TO_INSTALL)
    names = available(args.sets, args.data)
    print(f"Splits: {args.splits}, jobs: {args.jobs}. All sets: {CONFIG}, dropout: {DROPOUTS}")
    print("".join(f"{head} also: {HEADS[head]}\n" for head in args.heads if HEADS[head]))
    table = MarkdownTable(tuple(f"{t:>18}" if t in TITLES[1:3] else t for t in TITLES), 16, 6)
    print(table.head(), flush=True)
    losses = {}
    for name in names:
        splits = uci_splits(name, args.data, args.splits)
        for label, contestant in contestants(args.heads, args.nets, rival).items():
            found = over_splits(run_split, contestant, splits, args.jobs)
            losses[label, name] = found["nll"]
            print(table.row(name, *cells(label, name, found)), flush=True)
    print("\n" + "\n".join(summary(losses)))
    print(NOTES)
