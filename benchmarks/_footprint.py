"""What having skmlp costs before any training: seconds of its import, and bytes of its pickles."""

import pickle
import re
import subprocess
import sys
import warnings

import numpy as np
from _tables import MarkdownTable
from sklearn.exceptions import ConvergenceWarning

import skmlp

PROGRAM = "import sklearn.neural_network; import skmlp"
# "import time:       123 |        456 |   name"
LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| +(\S+)")
BASE, OURS = "sklearn.neural_network", "skmlp"
LARGEST = 5  # modules of others that are named
BAR_FACTOR, BAR_BYTES = 1.1, 10_000  # of a pickle: that many times the parameters, and a rest


# Import


def parse(text):
    """(name, microseconds without and with what it imports) of each module, in order."""
    return [(name, int(own), int(cumulative)) for own, cumulative, name in LINE.findall(text)]


def import_times():
    """What ``-X importtime`` says of a fresh interpreter."""
    command = [sys.executable, "-X", "importtime", "-c", PROGRAM]
    return parse(subprocess.run(command, capture_output=True, text=True, check=True).stderr)


def summary(modules):
    """Milliseconds: of both imports, of skmlp's own modules, of others that it alone needs."""
    end = [name for name, *_ in modules].index(BASE) + 1
    later = modules[end:]
    own = sum(own for name, own, *_ in later if name.split(".")[0] == OURS)
    total = sum(own for _, own, *_ in later)
    before = sum(own for _, own, *_ in modules[:end])
    found = {BASE: before, "skmlp": total, "its modules": own, "others": total - own}
    return {name: value / 1000 for name, value in found.items()}


def others(modules):
    """Milliseconds by top package of what skmlp imports and scikit-learn's MLP does not."""
    names = [name for name, *_ in modules]
    found = {}
    for name, own, *_ in modules[names.index(BASE) + 1 :]:
        package = ".".join(name.split(".")[:2])
        if package.split(".")[0] != OURS:
            found[package] = found.get(package, 0) + own / 1000
    return sorted(found.items(), key=lambda item: -item[1])[:LARGEST]


def import_time(repeats):
    """Print the medians of fresh interpreters."""
    import_times()  # writes the byte code and fills the page cache
    runs = [import_times() for _ in range(repeats)]
    table = MarkdownTable(("import of", f"{'ms':>20}"), 24)
    print(f"Import, {repeats} fresh interpreters\n\n{table.head()}", flush=True)
    summaries = [summary(run) for run in runs]
    for name in summaries[0]:
        low, middle, high = np.quantile([found[name] for found in summaries], (0.25, 0.5, 0.75))
        print(table.row(name, f"{middle:.1f} ({low:.1f}-{high:.1f})"))
    named = ", ".join(f"{name} {ms:.1f} ms" for name, ms in others(runs[-1]))
    print(f"\nLargest others in the last run: {named or 'none'}")


# Pickles


def fitted():
    """Estimators after an epoch, by a description."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 64))
    y = np.arange(500) % 10
    classifier, regressor = skmlp.MLPClassifier, skmlp.MLPRegressor
    once = {"max_iter": 1, "random_state": 0}
    estimators = {
        "classifier 64-100-10, float64": classifier(**once),
        "classifier 64-100-10, float32": classifier(dtype="float32", **once),
        "classifier 64-256x3-10": classifier((256, 256, 256), **once),
        "classifier 64-1024x2-10": classifier((1024, 1024), **once),
        "classifier, average of 8": classifier(n_init=8, combine_inits="average", **once),
        "classifier, early stopping": classifier(early_stopping=True, **once),
        "classifier, warm_start (keeps moments)": classifier(warm_start=True, **once),
        "regressor 64-100-1": regressor(**once),
        "density 64-100-2": skmlp.DensityRegressor(**once),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {name: model.fit(X, y) for name, model in estimators.items()}


def pickles():
    """Print the bytes of pickles and of the parameters in them."""
    table = MarkdownTable(("estimator", "pickle, bytes", "parameters, bytes", "ratio", "bar"), 38)
    print(f"\nPickles\n\n{table.head()}", flush=True)
    for name, model in fitted().items():
        size, parameters = len(pickle.dumps(model)), model.theta_.nbytes
        bar = "met" if size <= BAR_FACTOR * parameters + BAR_BYTES else "missed"
        if model.get_params().get("warm_start"):
            bar = ""  # the bar is for models that do not go on
        print(table.row(name, f"{size}", f"{parameters}", f"{size / parameters:.2f}", bar))


def footprint(args):
    """Print both tables."""
    import_time(args.repeats)
    pickles()
    print(NOTES)


NOTES = f"""
Import: `python -X importtime -c "{PROGRAM}"`, milliseconds, median (quartiles). The second line is
what skmlp adds to the first: its own modules, and others that it needs beyond scikit-learn's.
Pickles: pickle.dumps of a fitted estimator. Bar: {BAR_FACTOR} times the bytes of the parameters and
{BAR_BYTES} bytes more; one with warm_start keeps moments of the optimizer and has none."""
