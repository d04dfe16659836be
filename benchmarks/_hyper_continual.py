"""Functions learned one after another by one hypernetwork, with and without protection."""

import warnings
from time import perf_counter

import numpy as np
from _tables import MarkdownTable
from sklearn.exceptions import ConvergenceWarning

from skmlp import HypernetworkRegressor, MLPRegressor

N_TRAIN, N_TEST, NOISE = 100, 50, 0.05
EPOCHS = 1000  # of four batches: 4000 steps a task
QUICK_SEEDS = 5
STRENGTHS = (0.05, 0.025, 0.0)
JOINT = "joint"

# Lower end, upper end and function of each task: von Oswald et al. (2020), as in their program;
# and three Chebyshev polynomials, which no network could tell apart by x.
PROBLEMS = {
    "polynomials": (
        (-4.0, -2.0, lambda x: x + 3.0),
        (-1.0, 1.0, lambda x: 2.0 * x**2 - 1.0),
        (2.0, 4.0, lambda x: (x - 3.0) ** 3),
    ),
    "Chebyshev": (
        (-1.0, 1.0, lambda x: x),
        (-1.0, 1.0, lambda x: 2.0 * x**2 - 1.0),
        (-1.0, 1.0, lambda x: 4.0 * x**3 - 3.0 * x),
    ),
}
SETTINGS = {
    "hidden_layer_sizes": (10, 10),
    "activation": "logistic",
    "learning_rate_init": 1e-2,
    "batch_size": 32,
    "alpha": 0.0,
    "tol": 0.0,
    "n_iter_no_change": np.inf,
    "feature_scaling": None,
    "target_scaling": False,
}
HYPER = {
    "task_features": [0],
    "modulation": "full",
    "task_embedding_size": 2,
    "hyper_hidden_layer_sizes": (10, 10),
    "hyper_activation": "logistic",
    "warm_start": True,
}

# Bars of the project: medians over the seeds, and what nine in ten seeds keep
MEDIANS = (0.005, 0.005, 0.02)
BELOW = {"polynomials": 0.05, "Chebyshev": 0.02}
FORGOTTEN, SHARE = 0.3, 0.9
BLIND_MSE = 0.25


def rows_of(problem):
    """Training and test rows of each task; the first column is its number."""
    found = []
    for task, (low, high, function) in enumerate(PROBLEMS[problem]):
        rng = np.random.RandomState(42)  # anew for every task, as in the published program
        x = rng.uniform(low, high, N_TRAIN)
        y = function(x) + rng.normal(0.0, NOISE, N_TRAIN)
        x_test = np.linspace(low, high, N_TEST)
        X, X_test = (np.column_stack([np.full(len(v), task), v]) for v in (x, x_test))
        found.append((X, y, X_test, function(x_test)))
    return found


def together(tasks):
    """Training rows of all tasks."""
    return np.concatenate([rows[0] for rows in tasks]), np.concatenate([rows[1] for rows in tasks])


def seeds_at_once(n_seeds, epochs):
    """So many networks that are trained side by side on the same batches."""
    return {"n_init": n_seeds, "combine_inits": "average", "max_iter": epochs, "random_state": 0}


def networks_of(model):
    """The networks of an estimator, each as an estimator of its own."""
    return model.estimators_ if model.n_init > 1 else [model]


def errors(model, tasks):
    """Mean squared errors of the test rows, (seeds, tasks)."""
    return np.array(
        [
            [np.mean((network.predict(X) - y) ** 2) for _, _, X, y in tasks]
            for network in networks_of(model)
        ]
    )


def one_after_another(tasks, output_reg, n_seeds, epochs):
    """Errors right after each task, and errors at the end, (seeds, tasks) each."""
    model = HypernetworkRegressor(
        output_reg=output_reg, **SETTINGS, **HYPER, **seeds_at_once(n_seeds, epochs)
    )
    immediate = []
    for task, (X, y, _, _) in enumerate(tasks):
        immediate.append(errors(model.fit(X, y), tasks[task : task + 1])[:, 0])
    return np.array(immediate).T, errors(model, tasks)


def all_at_once(tasks, n_seeds, epochs):
    """The same for a fit of all tasks together, whose epochs have as many rows of each task."""
    model = HypernetworkRegressor(**SETTINGS, **HYPER, **seeds_at_once(n_seeds, epochs))
    found = errors(model.fit(*together(tasks)), tasks)
    return found, found


def blind(tasks, n_seeds, epochs):
    """Errors of a network that is not told the task."""
    model = MLPRegressor(**SETTINGS, **seeds_at_once(n_seeds, epochs))
    X, y = together(tasks)
    model.fit(X[:, 1:], y)
    return errors(model, [(None, None, X_test[:, 1:], y_test) for _, _, X_test, y_test in tasks])


def verdict(problem, strength, found):
    """How many seeds keep what nine in ten should, and whether that and the medians are met."""
    n = len(found)
    if strength == JOINT:
        return "", ""
    if strength == 0.0:
        kept = np.sum(found[:, :2].max(axis=1) > FORGOTTEN)
        medians = True
        text = f"forgotten {kept}/{n}"
    else:
        kept = np.sum(found.max(axis=1) < BELOW[problem])
        medians = problem == "Chebyshev" or np.all(np.median(found, axis=0) <= MEDIANS)
        text = f"< {BELOW[problem]:g} {kept}/{n}"
    return text, "met" if kept >= SHARE * n and medians else "missed"


def three(values):
    """Errors of the tasks, as in ``.0012 / .0031 / 1.2346``."""
    return " / ".join(f"{value:.4f}" for value in values)


def name_of(strength):
    """A strength as the tables call it."""
    return strength if strength == JOINT else f"output_reg={strength:g}"


def print_seeds(results):
    """A row per seed with the errors at the end."""
    table = MarkdownTable(("seed", *(f"{name_of(s):>26}" for s in results)), 4)
    print(f"\nAll seeds\n\n{table.head()}")
    for seed, row in enumerate(zip(*results.values(), strict=True)):
        print(table.row(f"{seed}", *map(three, row)), flush=True)


NOTES = f"""
Three tasks of {N_TRAIN} rows with noise {NOISE}; the first column of X tells which. Learned one
after another, 4000 steps each, by fit with warm_start=True and max_iter={EPOCHS}. Mean squared
errors of {N_TEST} rows without noise per task: medians over the seeds right after a task and after
the last, and 90 % quantiles after the last. polynomials: those of the program of von Oswald et
al. (2020), without look-ahead. Its beta stands beside a squared error without the factor 1/2, so
that output_reg=.025 is its .05 and .05 its .1. joint: all tasks in one fit of as many epochs. The
seeds are networks that start from different weights and see the same batches. Bars, protected:
polynomials: medians at most {three(MEDIANS)}, and all tasks below
{BELOW["polynomials"]:g} for nine of ten seeds; Chebyshev: all tasks below {BELOW["Chebyshev"]:g}
for nine of ten. Unprotected: task 1 or 2 above {FORGOTTEN:g} for nine of ten."""


def measured(problem, strength, tasks, n_seeds, table):
    """Print the row of a strength; return the errors at the end, (seeds, tasks)."""
    start = perf_counter()
    if strength == JOINT:
        immediate, found = all_at_once(tasks, n_seeds, EPOCHS)
    else:
        immediate, found = one_after_another(tasks, strength, n_seeds, EPOCHS)
    seconds = perf_counter() - start
    middle, last = np.median(immediate, axis=0), np.median(found, axis=0)
    most = np.quantile(found, 0.9, axis=0)
    cells = (*map(three, (middle, last, most)), *verdict(problem, strength, found))
    print(table.row(name_of(strength), *cells, f"{seconds:.1f}"), flush=True)
    return found


def print_blind(tasks, n_seeds):
    """What a network reaches that is not told the task."""
    found = blind(tasks, n_seeds, EPOCHS)
    answer = "met" if found.mean() >= BLIND_MSE else "missed"
    print(
        f"\nMLPRegressor that is not told the task: medians {three(np.median(found, axis=0))},\n"
        f"mean of all {found.mean():.3f}; bar: at least {BLIND_MSE:g}, {answer}."
    )


def print_problem(problem, strengths, n_seeds):
    """A row per strength, then all seeds."""
    tasks = rows_of(problem)
    wide = (f"{t:>26}" for t in ("right after the task", "at the end", "90 % of seeds below"))
    table = MarkdownTable((problem, *wide, f"{'seeds':>15}", "bar", "s"), 16)
    print(table.head(), flush=True)
    results = {s: measured(problem, s, tasks, n_seeds, table) for s in strengths}
    if problem == "Chebyshev":
        print_blind(tasks, n_seeds)
    print_seeds(results)
    print()


def hypernetwork_continual(args):
    """Print both problems."""
    n_seeds = QUICK_SEEDS if args.quick else args.seeds
    strengths = (STRENGTHS[0], STRENGTHS[-1]) if args.quick else (*STRENGTHS, JOINT)
    print(f"Seeds: {n_seeds}. All networks: {SETTINGS}\nHypernetwork: {HYPER}\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # max_iter is the plan
        for problem in PROBLEMS:
            print_problem(problem, strengths, n_seeds)
    print(NOTES)
