"""One cell of the table of accuracy: a contestant, a set, a split, a seed."""

import hashlib
import platform
import warnings
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import scipy
import sklearn
from _accuracy_contestants import ours, warm_up
from _accuracy_results import is_frame, set_name
from _data import N_SPLITS, kind_of, load_splits
from _raw import error_rate, nrmse
from _tables import installed
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import skmlp

LEAST = 1e-15  # a probability below it counts as this much


def log_loss(y_test, proba):
    """Mean of -log of the true class's probability; y numbers the columns."""
    proba = np.asarray(proba, np.float64)
    return float(-np.mean(np.log(np.clip(proba[np.arange(len(y_test)), y_test], LEAST, None))))


@lru_cache(maxsize=1)
def all_splits(name, directory, frames):
    """The splits of a set; the last set stays in memory, as its cells come one after another."""
    return load_splits(name, directory, N_SPLITS, frames=frames)


def split_of(spec, split, directory, frames):
    """A split of a set, with as many training rows as ``"pol:150"`` says, stratified by class.

    Raises
    ------
    ValueError
        If there are not that many.
    """
    name, _, rows = spec.partition(":")
    X, y, X_test, y_test = all_splits(name, directory, frames)[split]
    if not rows:
        return X, y, X_test, y_test
    if int(rows) >= len(y):
        raise ValueError(f"{spec}: {name} has only {len(y)} training rows; ask for fewer")
    stratify = y if kind_of(name) == "classification" else None
    some, _ = train_test_split(
        np.arange(len(y)), train_size=int(rows), random_state=split, stratify=stratify
    )
    return X.iloc[some] if frames else X[some], y[some], X_test, y_test


@cache
def sources():
    """A few digits that change with any source of skmlp, whose version stays while it is made."""
    digest = hashlib.sha256()
    for path in sorted(Path(skmlp.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def versions(contestant):
    """What may change a result or its seconds; packages that are not installed are left out."""
    found = {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    }
    if contestant.make is ours:
        found["skmlp"] = f"{skmlp.__version__} (sources {sources()})"
    return found | {name: version(name) for name in contestant.packages if installed(name)}


def run_cell(contestant, spec, split, seed, directory, frames, jobs):
    """Fit, predict and score with one thread; returns a record of ``_accuracy_results``.

    Raises
    ------
    ValueError
        If a score is not finite.
    """
    kind = kind_of(set_name(spec))
    frame = is_frame(spec, frames)
    X, y, X_test, y_test = split_of(spec, split, directory, frame)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the notes below say so
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warm_up(contestant, kind, kind == "classification" and len(np.unique(y)) > 2)
        estimator = contestant.estimator(kind, seed, frame)
        start, cpu = perf_counter(), process_time()
        estimator.fit(X, y)
        values = {"fit": perf_counter() - start, "cpu": process_time() - cpu}
        start = perf_counter()
        y_pred = estimator.predict(X_test)
        values["predict"] = perf_counter() - start
        values |= scores(kind, estimator, X_test, y_test, y_pred)
    if not np.isfinite(list(values.values())).all():
        raise ValueError(f"scores are not finite: {values}")
    epochs = getattr(estimator, "n_iter_", None)
    return {
        "contestant": contestant.name,
        "task": kind,
        "set": spec,
        "split": split,
        "seed": seed,
        "frame": frame,
        "rows": len(y),
        "features": X.shape[1],
        "values": {key: float(value) for key, value in values.items()},
        "epochs": None if epochs is None else int(np.max(epochs)),
        "parameters": contestant.parameters(kind),
        "jobs": jobs,
        "versions": versions(contestant),
    }


def scores(kind, estimator, X_test, y_test, y_pred):
    """The scores of a fitted estimator by name, smaller is better."""
    if kind == "regression":
        return {"nRMSE": nrmse(y_test, y_pred)}
    return {
        "error": error_rate(y_test, y_pred),
        "log loss": log_loss(y_test, estimator.predict_proba(X_test)),
    }


def tried(contestant, spec, split, seed, *arguments):
    """The set, and a record, or a sentence on what went wrong: the rest of a long run goes on."""
    try:
        return spec, run_cell(contestant, spec, split, seed, *arguments), None
    except Exception as error:
        where = f"{contestant.name} on {spec}, split {split}, seed {seed}"
        return spec, None, f"Failed: {where}: {type(error).__name__}: {error}"
