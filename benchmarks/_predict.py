"""Rows per second of predict, from one row to a million, and the memory of the million."""

import warnings
from time import perf_counter

import numpy as np
from _children import LINUX_ONLY, can_observe, observe
from _speed import COMPILED, OURS, SKLEARN, common, limited, own_kinds, ratio, theirs
from _tables import MarkdownTable
from _workloads import Workload
from sklearn.exceptions import ConvergenceWarning

import skmlp
from skmlp import _kernels as kernels

TRAINING_ROWS = 2000
LOOP_SECONDS = 0.2  # calls that take less are repeated for so long
ROWS, QUICK_ROWS = (1, 1000, 1_000_000), (1, 1000)
BARS = {1: 2.0, 1_000_000: 1.5}  # seconds of scikit-learn over ours
WORKLOADS = (
    Workload(TRAINING_ROWS, 64, (100,), 10, batch_size=200, epochs=1),
    Workload(TRAINING_ROWS, 8, (100,), 1, batch_size=200, epochs=1, is_classification=False),
)
SCALED = "skmlp scaled"


def scaled(workload, epochs, dtype):
    """skmlp's with its default scaling, which scikit-learn does not do."""
    name = "MLPClassifier" if workload.is_classification else "MLPRegressor"
    return getattr(skmlp, name)(**common(workload, epochs), dtype=dtype)


def contestants():
    """Estimators by name: what `speed` times, and ours with its scaling."""
    return {SKLEARN: theirs, **own_kinds(), SCALED: scaled}


def rows(workload, n, dtype):
    """n made-up rows for the network of a workload."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((n, workload.n_features), dtype=np.dtype(dtype))


def fitted(name, workload, dtype):
    """A contestant after one epoch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return contestants()[name](workload, 1, dtype).fit(*workload.data(np.dtype(dtype)))


def seconds_of(call, X):
    """Mean seconds of a call; short ones are repeated."""
    start, calls = perf_counter(), 0
    while calls == 0 or perf_counter() - start < LOOP_SECONDS:
        call(X)
        calls += 1
    return (perf_counter() - start) / calls


def measure(models, method, X, repeats):
    """Arrays of seconds by contestant, who take turns; the first turn warms up."""
    seconds = {name: np.empty(repeats + 1) for name in models}
    for repeat in range(repeats + 1):
        for name, model in models.items():
            kernels.use(name == COMPILED)
            seconds[name][repeat] = seconds_of(getattr(model, method), X)
    return {name: values[1:] for name, values in seconds.items()}


def prepare_prediction(name, workload, dtype, method, n):
    """In a fresh process: the call whose memory counts."""
    model, X = fitted(name, workload, dtype), rows(workload, n, dtype)
    predict = getattr(model, method)
    predict(X[:1000])  # what is loaded at the first call is not of this one
    return lambda: predict(X).nbytes


def memory(workload, dtype, method, n, threads):
    """Megabytes that a prediction takes beyond X, its result included, as text."""
    if n < ROWS[-1] or not can_observe():
        return ["", ""]
    arguments = workload, dtype, method, n
    found = [
        observe(prepare_prediction, name, *arguments, threads=threads) for name in (SKLEARN, OURS)
    ]
    return [f"{observed.growth:.0f}" for observed in found]


def print_rows(table, workload, dtype, args, threads):
    """A row for each method and number of rows."""
    models = {name: fitted(name, workload, dtype) for name in contestants()}
    peers = [name for name in models if name != SKLEARN]
    for method in ("predict", "predict_proba")[: 1 + workload.is_classification]:
        for n in QUICK_ROWS if args.quick else ROWS:
            seconds = measure(models, method, rows(workload, n, dtype), args.repeats)
            medians = [f"{1000 * np.median(values):.3f}" for values in seconds.values()]
            ratios = [ratio(seconds, SKLEARN, name) for name in peers]
            bar = f"{BARS[n]:g}" if n in BARS else ""
            found = memory(workload, dtype, method, n, threads)
            first = (f"{workload.name} {method}", f"{n}", dtype, f"{threads}")
            print(table.row(*first, *medians, *ratios, bar, *found), flush=True)


def predict(args):
    """Print a row per network, method, number of rows, dtype and number of threads."""
    if not can_observe():
        print(LINUX_ONLY)
    names = list(contestants())
    titles = (
        "network, method",
        f"{'rows':>7}",
        "dtype",
        "threads",
        *(f"{name + ', ms':>16}" for name in names),
        *(f"{SKLEARN} / {name}" for name in names[1:]),
        "bar",
        *(f"MB {name}" for name in (SKLEARN, OURS)),
    )
    table = MarkdownTable(titles, 28)
    print(table.head(), flush=True)
    for threads in args.threads:
        with limited(threads):
            for workload in WORKLOADS:
                for dtype in args.dtype:
                    print_rows(table, workload, dtype, args, threads)
    print(NOTES)


NOTES = f"""
Milliseconds of a call: medians of the repeats, the contestants taking turns; calls shorter than
{LOOP_SECONDS} s are repeated for so long. Ratios are of medians: above 1, skmlp is faster. The
networks have seen one epoch of noise, X has the dtype of the network. skmlp NumPy and compiled
scale nothing, as scikit-learn's; skmlp scaled has the defaults, by NumPy.
MB: anonymous resident memory of a process of its own beyond what was there before the call, X
included in what was there, the result in what was taken; looked at every 2 ms."""
