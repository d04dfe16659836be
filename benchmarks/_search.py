"""A grid search with two jobs: seconds, and how many threads its workers may use."""

import os
import warnings
from time import perf_counter, process_time

import numpy as np
from _speed import COMPILED, OURS, SKLEARN, available, milliseconds, ratio
from _tables import MarkdownTable
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_info

import skmlp
from skmlp import _kernels as kernels

GRID = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "learning_rate_init": [3e-4, 1e-3, 3e-3, 1e-2, 3e-2]}
FOLDS, EPOCHS, QUICK_EPOCHS = 3, 20, 5


class Timed:
    """What an estimator's fit took of the clock and of all processors, beside the estimator.

    `compiled` says which kernels a worker takes; scikit-learn's has none.
    """

    compiled = None

    def fit(self, X, y):
        """Fit, and keep seconds per second: above 1 when more than one thread works."""
        if self.compiled is not None:
            kernels.use(self.compiled)
        wall, work = perf_counter(), process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(X, y)
        self.processors_ = (process_time() - work) / (perf_counter() - wall)
        return self


class Theirs(Timed, MLPClassifier):
    """scikit-learn's."""


class Ours(Timed, skmlp.MLPClassifier):
    """skmlp's by NumPy."""

    compiled = False


class Compiled(Ours):
    """skmlp's with compiled kernels."""

    compiled = True


CONTESTANTS = {SKLEARN: Theirs, OURS: Ours, COMPILED: Compiled}


def blas_threads():
    """Threads that the BLAS libraries of this process may take, the most of any."""
    return max((p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"), default=1)


def scores(estimator, X, y):
    """What a search reports of a fit; runs in the worker that has fitted."""
    return {
        "accuracy": estimator.score(X, y),
        "threads": blas_threads(),
        "processors": estimator.processors_,
        "pid": os.getpid(),
    }


def search(contestant, epochs, n_jobs):
    """The search over 20 points; its data are digits."""
    estimator = contestant(max_iter=epochs, tol=0.0, n_iter_no_change=np.inf, random_state=0)
    return GridSearchCV(estimator, GRID, scoring=scores, cv=FOLDS, n_jobs=n_jobs, refit=False)


def run_once(contestant, X, y, epochs, n_jobs):
    """Seconds of a search, and what it reports."""
    model = search(contestant, epochs, n_jobs)
    start = perf_counter()
    model.fit(X, y)
    return perf_counter() - start, model.cv_results_


def warm_up(jobs):
    """Start the workers, with all that they load."""
    Parallel(n_jobs=jobs)(delayed(blas_threads)() for _ in range(4 * jobs))


def measure(contestants, epochs, n_jobs, repeats):
    """Arrays of seconds by contestant, who take turns, and the last reports."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    seconds, reports = {name: np.empty(repeats) for name in contestants}, {}
    warm_up(n_jobs)
    for contestant in contestants.values():
        run_once(contestant, X, y, 1, n_jobs)
    for repeat in range(repeats):
        for name, contestant in contestants.items():
            found = run_once(contestant, X, y, epochs, n_jobs)
            seconds[name][repeat], reports[name] = found
    return seconds, reports


def of_folds(report, name):
    """All values of a reported number, one for each point and fold."""
    return np.concatenate([report[f"split{fold}_test_{name}"] for fold in range(FOLDS)])


def grid_search(args):
    """Print a row per contestant and number of jobs."""
    contestants = {name: CONTESTANTS[name] for name in available(*CONTESTANTS)}
    epochs = QUICK_EPOCHS if args.quick else EPOCHS
    titles = ("jobs", f"{'search, ms':>20}", f"{SKLEARN} /", "workers", "BLAS threads")
    last = ("processors of a fit", "best accuracy")
    table = MarkdownTable(("contestant", *titles, *last))
    print(f"{epochs} epochs, 20 points, {FOLDS} folds\n\n{table.head()}", flush=True)
    for n_jobs in args.jobs:
        seconds, reports = measure(contestants, epochs, n_jobs, args.repeats)
        for name, report in reports.items():
            first = (f"{n_jobs}", milliseconds(seconds[name]), ratio(seconds, SKLEARN, name))
            workers = len(set(of_folds(report, "pid")))
            threads = f"{of_folds(report, 'threads').max():.0f}"
            processors = f"{np.median(of_folds(report, 'processors')):.2f}"
            accuracy = f"{report['mean_test_accuracy'].max():.3f}"
            print(table.row(name, *first, f"{workers}", threads, processors, accuracy), flush=True)
    print(NOTES.format(cpus=os.cpu_count()))


NOTES = """
GridSearchCV(n_jobs=...) on scikit-learn's digits / 16 in float32, batches of 200, default networks
with the same number of epochs; skmlp's scale X, as is their default. Milliseconds: median
(quartiles) of the repeats, the contestants taking turns; the workers have been started before.
BLAS threads: the most that the libraries of a worker allow; jobs times threads should not exceed
the {cpus} CPUs. processors of a fit: seconds of processors over seconds of the clock, median of all
fits: far above the BLAS threads would be threads that nobody has asked for."""
