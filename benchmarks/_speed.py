"""The epoch time of skmlp and its peers on made-up data, of which only the shapes matter."""

import warnings
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from _tables import MarkdownTable
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import skmlp


@dataclass(frozen=True)
class Workload:
    """The shape of a training, and the number of epochs worth timing."""

    n_rows: int
    n_features: int
    hidden: tuple
    n_outputs: int
    batch_size: int
    epochs: int
    is_classification: bool = True

    @property
    def name(self):
        """Rows x features - hidden units - outputs, as in 1797x64-100-10."""
        hidden = "x".join(map(str, self.hidden))
        return f"{self.n_rows}x{self.n_features}-{hidden}-{self.n_outputs}"

    def data(self, dtype):
        """Standard normal X; normal y, or each class equally often. Both are noise."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.n_rows, self.n_features), dtype=dtype)
        if self.is_classification:
            return X, rng.permutation(self.n_rows) % self.n_outputs
        return X, rng.standard_normal(self.n_rows, dtype=dtype)


WORKLOADS = (
    Workload(1797, 64, (100,), 10, batch_size=200, epochs=40),  # scikit-learn's digits
    Workload(1797, 64, (100,), 10, batch_size=32, epochs=20),
    Workload(20640, 8, (100,), 1, batch_size=200, epochs=8, is_classification=False),
    Workload(60000, 784, (100,), 10, batch_size=200, epochs=2),
    Workload(50000, 50, (256, 256, 256), 10, batch_size=256, epochs=1),
)
QUICK_ROWS = 30_000  # --quick leaves out workloads with more


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


def ours(workload, epochs, dtype):
    """skmlp's, without the scaling that scikit-learn's does not do."""
    parameters = common(workload, epochs) | {"feature_scaling": None, "dtype": dtype}
    if workload.is_classification:
        return skmlp.MLPClassifier(**parameters)
    return skmlp.MLPRegressor(target_scaling=False, **parameters)


OURS = "skmlp"
CONTESTANTS = {"scikit-learn": theirs, OURS: ours}  # a peer is one more entry


# Measuring


def fit_seconds(estimator, X, y, epochs):
    """Seconds of ``fit``, which must take ``epochs`` epochs."""
    start = perf_counter()
    estimator.fit(X, y)
    seconds = perf_counter() - start
    if estimator.n_iter_ != epochs:
        raise RuntimeError(f"{estimator} ran {estimator.n_iter_} epochs instead of {epochs}")
    return seconds


def epoch_seconds(contestant, workload, X, y, dtype):
    """(seconds of 2k epochs - seconds of k epochs) / k: what fit does once cancels."""
    k = workload.epochs
    short, long = (
        fit_seconds(contestant(workload, epochs, dtype), X, y, epochs) for epochs in (k, 2 * k)
    )
    return (long - short) / k


def measure(workload, dtype, repeats):
    """Arrays of ``repeats`` epoch seconds by contestant; the contestants take turns."""
    X, y = workload.data(np.dtype(dtype))
    for contestant in CONTESTANTS.values():
        contestant(workload, 1, dtype).fit(X, y)  # warms caches and thread pools up
    seconds = {name: np.empty(repeats) for name in CONTESTANTS}
    for repeat in range(repeats):
        for name, contestant in CONTESTANTS.items():
            seconds[name][repeat] = epoch_seconds(contestant, workload, X, y, dtype)
    return seconds


# The table


def milliseconds(seconds):
    """Median and quartiles, as in ``12.3 (11.9-12.8)``."""
    low, middle, high = 1000 * np.quantile(seconds, (0.25, 0.5, 0.75))
    return f"{middle:.1f} ({low:.1f}-{high:.1f})"


def ratios(seconds):
    """Median of each peer over the median of skmlp: how many times faster skmlp is."""
    our_median = np.median(seconds[OURS])
    return [np.median(peer) / our_median for name, peer in seconds.items() if name != OURS]


def speed(args):
    """Print the table, a row as soon as it is known, and how to read it."""
    table = MarkdownTable(
        (
            "rows x features - hidden - outputs",
            "batch",
            "dtype",
            "threads",
            *(f"{name + ', ms':>22}" for name in CONTESTANTS),
            *(f"{name} / {OURS}" for name in CONTESTANTS if name != OURS),
        )
    )
    print(table.head(), flush=True)
    workloads = [w for w in WORKLOADS if not (args.quick and w.n_rows > QUICK_ROWS)]
    with warnings.catch_warnings():
        # All are told to stop early, which is what the warning complains of; the notes say so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for workload in workloads:
            for dtype in args.dtype:
                for threads in args.threads:
                    with threadpool_limits(limits=threads):
                        seconds = measure(workload, dtype, args.repeats)
                    cells = [f"{workload.batch_size}", dtype, f"{threads}"]
                    cells += map(milliseconds, seconds.values())
                    cells += (f"{ratio:.2f}" for ratio in ratios(seconds))
                    print(table.row(workload.name, *cells), flush=True)
    print(
        "\nMilliseconds of one epoch, the difference of fits of 2k and k epochs over k: median "
        f"(quartiles) of {args.repeats} repeats,\nthe contestants taking turns in one process. "
        "The threads are those allowed to BLAS and OpenMP.\nThe data are random numbers, only "
        "their shapes matter; neither library scales them or stops early. One output is a\n"
        "regression. ConvergenceWarnings are silenced. The last column is a ratio of medians: "
        "above 1, skmlp is faster."
    )
