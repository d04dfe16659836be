"""The epoch time of skmlp and its peers on made-up data, of which only the shapes matter."""

import warnings
from contextlib import contextmanager
from functools import partial
from time import perf_counter

import numpy as np
from _peers import Floor, Jax, PyTorch, jax_worker
from _speed_figure import draw
from _tables import MarkdownTable, installed
from _workloads import WORKLOADS
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import skmlp
from skmlp import _kernels as kernels

# Contestants: called with a workload, a number of epochs and the dtype, they return an object with
# ``fit(X, y)`` that runs for exactly that many epochs and then has them in ``n_iter_``.


def common(workload, epochs):
    """The parameters that both libraries share; no stopping rule is left but ``max_iter``."""
    return {
        "hidden_layer_sizes": workload.hidden,
        "batch_size": workload.batch_size,
        "max_iter": epochs,
        "tol": 0.0,
        "n_iter_no_change": np.inf,
        "random_state": 0,
    }


def theirs(workload, epochs, dtype):
    """scikit-learn's, which trains in the dtype of X."""
    name = "MLPClassifier" if workload.is_classification else "MLPRegressor"
    return getattr(neural_network, name)(**common(workload, epochs))


def ours(workload, epochs, dtype, *, compiled=False, **parameters):
    """skmlp's, without the scaling that scikit-learn's does not do.

    It takes the kernels of NumPy, or the compiled ones, until another is asked for.
    """
    kernels.use(compiled)
    parameters |= common(workload, epochs) | {"feature_scaling": None, "dtype": dtype}
    if workload.is_classification:
        return skmlp.MLPClassifier(**parameters)
    return skmlp.MLPRegressor(target_scaling=False, **parameters)


SKLEARN, TORCH, JAX, FLOOR = "scikit-learn", "PyTorch", "JAX", "floor"
OURS, COMPILED = "skmlp NumPy", "skmlp compiled"
CONTESTANTS = {SKLEARN: theirs, OURS: ours, COMPILED: partial(ours, compiled=True)}
PEERS = {TORCH: PyTorch, FLOOR: Floor}  # JAX needs a process
PACKAGES = {TORCH: "torch", JAX: "jax", COMPILED: "skmlp[accel]"}  # what pip installs for whom


def takes_part(name):
    """Whether all is there that a contestant needs."""
    if name == COMPILED:
        return kernels.available()
    return name not in PACKAGES or installed(PACKAGES[name])


def available(*names):
    """Those of the names (or of all) that can take part, in the order of the table.

    Says which are left out.
    """
    names = names or (SKLEARN, TORCH, JAX, FLOOR, OURS, COMPILED)
    for name in names:
        if not takes_part(name):
            print(f"{name} is skipped: pip install {PACKAGES[name]}")
    return [name for name in names if takes_part(name)]


def own_kinds():
    """skmlp's contestants: by NumPy, and compiled where that can be."""
    return {name: CONTESTANTS[name] for name in (OURS, COMPILED) if takes_part(name)}


def taking_part(names, workload, worker):
    """Contestants by name; those without sparse matrices stay away from them."""
    everyone = CONTESTANTS | PEERS | {JAX: partial(Jax, worker)}
    return {name: everyone[name] for name in names if name in CONTESTANTS or not workload.is_sparse}


@contextmanager
def limited(threads, names=()):
    """So many threads for everyone of `names`; gives the process of JAX, or None."""
    worker = jax_worker(threads) if JAX in names else None
    if TORCH in names:
        import torch

        torch.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads), warnings.catch_warnings():
            # All are told to stop early, which is what the warning complains of.
            warnings.simplefilter("ignore", ConvergenceWarning)
            yield worker
    finally:
        if worker is not None:
            worker.shutdown()


# Measuring

# Seconds until the threads of the last contestant's BLAS no longer wait in loops for more to do.
SETTLING = 0.1


def fit_seconds(estimator, X, y, epochs):
    """Seconds of ``fit``, which must take ``epochs`` epochs."""
    start = perf_counter()
    estimator.fit(X, y)
    seconds = perf_counter() - start
    if np.any(np.asarray(estimator.n_iter_) != epochs):
        raise RuntimeError(f"{estimator} ran {estimator.n_iter_} epochs instead of {epochs}")
    return seconds


def epoch_seconds(contestant, workload, X, y, dtype):
    """(seconds of 2k epochs - seconds of k epochs) / k: what fit does once cancels.

    Fits of one epoch go before, as the first ones after the turn of another are slower.
    """
    start = perf_counter()
    while perf_counter() - start < SETTLING:
        contestant(workload, 1, dtype).fit(X, y)
    k = workload.epochs
    short, long = (
        fit_seconds(contestant(workload, epochs, dtype), X, y, epochs) for epochs in (k, 2 * k)
    )
    return (long - short) / k


def measure(contestants, workload, dtype, repeats):
    """Arrays of ``repeats`` epoch seconds by contestant; the contestants take turns."""
    X, y = workload.data(np.dtype(dtype))
    for contestant in contestants.values():
        contestant(workload, 1, dtype).fit(X, y)  # warms caches and thread pools up, compiles
    seconds = {name: np.empty(repeats) for name in contestants}
    for repeat in range(repeats):
        for name, contestant in contestants.items():
            seconds[name][repeat] = epoch_seconds(contestant, workload, X, y, dtype)
    return seconds


# The table


def milliseconds(seconds):
    """Median and quartiles, as in ``12.3 (11.9-12.8)``."""
    low, middle, high = 1000 * np.quantile(seconds, (0.25, 0.5, 0.75))
    digits = 1 if middle < 100 else 0
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def ratio(seconds, above, below):
    """Median over median, as text; empty when one of the two did not take part."""
    if above not in seconds or below not in seconds:
        return ""
    return f"{np.median(seconds[above]) / np.median(seconds[below]):.2f}"


def columns_of_ratios(names):
    """(title, [(above, below), ...]) of each: peers over both of ours, both over the floor."""
    both = [name for name in (OURS, COMPILED) if name in names]
    columns = [
        (f"{name} / skmlp", [(name, own) for own in both])
        for name in names
        if name not in (FLOOR, OURS, COMPILED)
    ]
    return [*columns, (f"skmlp / {FLOOR}", [(own, FLOOR) for own in both])]


def cells(seconds, names):
    """Times of all and ratios, as text; a contestant that stayed away has empty cells."""
    times = [milliseconds(seconds[name]) if name in seconds else "" for name in names]
    ratios = (
        [text for pair in pairs if (text := ratio(seconds, *pair))]
        for _, pairs in columns_of_ratios(names)
    )
    return times + [", ".join(texts) for texts in ratios]


def speed(args):
    """Print the table, a row as soon as it is known, and how to read it."""
    names = available()
    times = (f"{name + ', ms':>20}" for name in names)
    ratios = (f"{title:>16}" for title, _ in columns_of_ratios(names))
    shape = ("rows x features - hidden - outputs", "batch", "dtype", "threads")
    table = MarkdownTable((*shape, *times, *ratios))
    print(table.head(), flush=True)
    workloads, results = [w for w in WORKLOADS if w.is_quick or not args.quick], []
    for threads in args.threads:
        with limited(threads, names) as worker:
            for workload in workloads:
                contestants = taking_part(names, workload, worker)
                for dtype in args.dtype:
                    seconds = measure(contestants, workload, dtype, args.repeats)
                    first = (workload.name, f"{workload.batch_size}", dtype, f"{threads}")
                    print(table.row(*first, *cells(seconds, names)), flush=True)
                    found = {name: float(np.median(seconds[name])) for name in seconds}
                    results.append((workload.name, workload.batch_size, dtype, threads, found))
    if args.figure:
        draw(args.figure, results)
    print(NOTES)


NOTES = """
Milliseconds of one epoch, the difference of fits of 2k and k epochs over k: median (quartiles) of
the repeats, the contestants taking turns. The threads are those allowed to BLAS, OpenMP, PyTorch
and XLA; JAX works in a process of its own, as its threads are counted once, when it starts. The
data are random numbers, only their shapes matter; nobody scales them or stops early. One output is
a regression. All take the same steps: Adam with scikit-learn's settings and L2 penalty.
PyTorch: eager, Adam(fused=True). JAX: an epoch is one jitted scan; compiling it does not count.
floor: the steps' matrix products by the same BLAS, and nothing else. skmlp NumPy: without Numba;
compiled: the fused kernels of skmlp[accel]. Ratios are of medians: with peers, above 1, skmlp is
faster, first by NumPy, then compiled; with the floor, 1 would be products only.
Bars of the project: scikit-learn / skmlp 2.0 on digits and the regression, 1.5 elsewhere (compiled:
2.2 and 1.8); PyTorch / skmlp 1.0 (compiled: 1.2); compiled, skmlp / floor 1.3 on the layers of 256
and 1024 units, and, with BLAS kernels for AVX-512, JAX / skmlp 1.0, at batch 32 0.77."""
