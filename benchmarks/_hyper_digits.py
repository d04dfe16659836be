"""Digits learned in parts, one after another, by one hypernetwork; forgetting and its price."""

import warnings
from time import perf_counter

import numpy as np
from _tables import MarkdownTable
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skmlp import HypernetworkClassifier, MLPClassifier

N_TASKS, N_TEST = 5, 597
STEPS = 800  # per task, of 64 rows
SETTINGS = {
    "hidden_layer_sizes": (32,),
    "batch_size": 64,
    "learning_rate_init": 1e-3,
    "alpha": 0.0,
    "tol": 0.0,
    "n_iter_no_change": np.inf,
    "feature_scaling": None,
}
HYPER = {"task_features": [0], "warm_start": True}
# The wider hypernetwork has the 22,000 parameters of the study that the bars are from.
CHUNKED = {
    "modulation": "chunked",
    "chunk_size": 256,
    "hyper_hidden_layer_sizes": (64, 64),
}
UNPROTECTED, FULL = "full, output_reg=0", "full, .1"
JOINT, SEPARATE = "full, all at once", "a network per task"
CONTESTANTS = {
    UNPROTECTED: {"modulation": "full", "output_reg": 0.0},
    "full, .01": {"modulation": "full", "output_reg": 0.01},
    FULL: {"modulation": "full", "output_reg": 0.1},
    "full, 1": {"modulation": "full", "output_reg": 1.0},
    "full, .1, one task a step": {"modulation": "full", "output_reg": 0.1, "output_reg_tasks": 1},
    "chunked 256, .1": {"output_reg": 0.1, **CHUNKED},
    "low_rank 8, .1": {"modulation": "low_rank", "output_reg": 0.1},
    "low_rank 32, .1": {"modulation": "low_rank", "rank": 32, "output_reg": 0.1},
    "film, .1": {"modulation": "film", "output_reg": 0.1},
    JOINT: {"modulation": "full"},
    SEPARATE: None,
}
QUICK = (UNPROTECTED, FULL)
# Bars of the project: accuracies in per cent at least, unprotected at most, points forgotten
BARS = {
    "permuted": {FULL: 96.0, "chunked 256, .1": 94.5},
    "split": {FULL: 99.3},
}
MOST_UNPROTECTED, MOST_FORGOTTEN = {"permuted": 60.0}, {"permuted": 0.5}


def digits():
    """scikit-learn's digits over 16: 1200 training and 597 test rows."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=N_TEST, random_state=0, stratify=y)
    return X, y, X_test, y_test


def told(task, X):
    """X behind a column with the number of the task."""
    return np.column_stack([np.full(len(X), task), X])


def permuted(seed):
    """All digits in each task, with an order of the pixels of its own."""
    X, y, X_test, y_test = digits()
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(X.shape[1]) for _ in range(N_TASKS)]
    return [
        (told(task, X[:, order]), y, told(task, X_test[:, order]), y_test)
        for task, order in enumerate(orders)
    ]


def split(seed):
    """Two digits in each task: 0 and 1, 2 and 3 and so on."""
    X, y, X_test, y_test = digits()
    found = []
    for task in range(N_TASKS):
        own, own_test = y // 2 == task, y_test // 2 == task
        found.append((told(task, X[own]), y[own], told(task, X_test[own_test]), y_test[own_test]))
    return found


PROBLEMS = {"permuted": permuted, "split": split}


def epochs_of(n_rows):
    """Epochs with about as many steps as a task has."""
    return round(STEPS / -(-n_rows // SETTINGS["batch_size"]))


def accuracy(model, task):
    """Of the test rows of a task, in per cent."""
    return 100.0 * model.score(*task[2:])


def one_after_another(tasks, seed, parameters):
    """Accuracies right after each task and at the end, and the number of parameters."""
    model = HypernetworkClassifier(random_state=seed, **{**SETTINGS, **HYPER, **parameters})
    immediate = []
    for k, (X, y, _, _) in enumerate(tasks):
        model.set_params(max_iter=epochs_of(len(X)))
        # The first call is told of the classes that later tasks will bring.
        model.fit(X, y, classes=range(10)) if k == 0 else model.fit(X, y)
        immediate.append(accuracy(model, tasks[k]))
    return immediate, [accuracy(model, task) for task in tasks], model.n_parameters_


def all_at_once(tasks, seed, parameters):
    """The same for one fit of all tasks, of as many epochs as one task has."""
    X, y = (np.concatenate([task[i] for task in tasks]) for i in range(2))
    model = HypernetworkClassifier(random_state=seed, **{**SETTINGS, **HYPER, **parameters})
    model.set_params(max_iter=epochs_of(len(tasks[0][0]))).fit(X, y)
    found = [accuracy(model, task) for task in tasks]
    return found, found, model.n_parameters_


def one_by_one(tasks, seed):
    """The same for a network per task."""
    found, n_parameters = [], 0
    for X, y, X_test, y_test in tasks:
        model = MLPClassifier(random_state=seed, max_iter=epochs_of(len(X)), **SETTINGS)
        found.append(100.0 * model.fit(X[:, 1:], y).score(X_test[:, 1:], y_test))
        n_parameters += model.theta_.size
    return found, found, n_parameters


def run(name, tasks, seed):
    """Means over the tasks of what a contestant reaches, its parameters and its seconds."""
    start = perf_counter()
    if name == SEPARATE:
        immediate, final, n_parameters = one_by_one(tasks, seed)
    else:
        learn = all_at_once if name == JOINT else one_after_another
        immediate, final, n_parameters = learn(tasks, seed, CONTESTANTS[name])
    return {
        "final": np.mean(final),
        "immediate": np.mean(immediate),
        "forgotten": np.mean(np.subtract(immediate, final)[:-1]),
        "parameters": n_parameters,
        "seconds": perf_counter() - start,
    }


def verdict(problem, name, final, forgotten):
    """The bar of a contestant and whether it is met."""
    if name == UNPROTECTED and problem in MOST_UNPROTECTED:
        most = MOST_UNPROTECTED[problem]
        return f"<= {most:g}", "met" if final <= most else "missed"
    bar = BARS[problem].get(name)
    if bar is None:
        return "", ""
    enough = final >= bar
    if name == FULL:
        enough &= forgotten <= MOST_FORGOTTEN.get(problem, np.inf)
    return f">= {bar:g}", "met" if enough else "missed"


LOST = MOST_FORGOTTEN["permuted"]
NOTES = f"""
scikit-learn's digits / 16, 1200 training and {N_TEST} test rows, {N_TASKS} tasks one after another:
fit with warm_start=True, about {STEPS} steps of 64 rows each; the first call is told of all ten
classes. permuted: all digits in every task, the pixels in an order of its own (by the seed); split:
two digits in a task, which need only be told from each other. Per cent of the test rows that are
right, means over the tasks and the seeds, at the end and right after each task; forgotten: points
that the tasks before the last one have lost since; seeds: at the end. parameters: learned, of all
networks; the main network, 64-32-10, has 2410. chunked:
{CHUNKED}.
all at once: one fit with as many passes over the rows of each task; the last row: an MLPClassifier
for each task. Bar of "{FULL}", permuted: also at most {LOST:g} points forgotten."""


def print_problem(problem, names, n_seeds):
    """A row per contestant."""
    titles = ("at the end", "after the task", "forgotten", f"{'seeds':>20}", "parameters")
    table = MarkdownTable((problem, *titles, "s", "bar", "   "), 25)
    print(table.head(), flush=True)
    for name in names:
        runs = [run(name, PROBLEMS[problem](seed), seed) for seed in range(n_seeds)]
        found = {key: np.array([r[key] for r in runs]) for key in runs[0]}
        means = {key: float(values.mean()) for key, values in found.items()}
        print(
            table.row(
                name,
                *(f"{means[key]:.2f}" for key in ("final", "immediate", "forgotten")),
                " ".join(f"{value:.1f}" for value in found["final"]),
                f"{means['parameters']:.0f}",
                f"{means['seconds']:.1f}",
                *verdict(problem, name, means["final"], means["forgotten"]),
            ),
            flush=True,
        )
    print()


def hypernetwork_digits(args):
    """Print both problems."""
    names = QUICK if args.quick else tuple(CONTESTANTS)
    print(f"Seeds: {args.seeds}. All: {SETTINGS}; hypernetworks: {HYPER}\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is the plan
        for problem in PROBLEMS:
            print_problem(problem, names, args.seeds)
    print(NOTES)
