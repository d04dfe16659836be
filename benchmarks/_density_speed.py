"""Seconds of DensityRegressor: several targets beside NGBoost, and five networks beside one."""

import warnings
from time import perf_counter

import numpy as np
from _data import QUICK_UCI, uci_splits
from _density import CONFIG, available, networks
from _joint import Truth, joint_nll
from _ngboost import HOW_TO_INSTALL, BoostedMultivariateNormal, has_ngboost
from _tables import MarkdownTable
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skmlp import DensityRegressor

OURS, FIVE, DEFAULTS, RIVAL = "skmlp", "skmlp x 5", "skmlp, defaults", "NGBoost"
BAR_RIVAL, BAR_FIVE = 5.0, 2.5  # times faster than NGBoost, times slower than one network
REAL = "power-plant"
ROWS, QUICK_ROWS = 5000, 500
EPOCHS, QUICK_EPOCHS = 200, 50
DROPOUT = 0.05
# Of several targets, beyond the configuration of the accuracy tables: for thousands of rows larger
# batches, and therefore larger steps.
JOINT = {"batch_size": 200, "max_iter": 100, "learning_rate_init": 1e-2, "dropout": DROPOUT}
WARM_UP_ROWS = 100


# Contestants: called with a seed, they return an object with ``fit(X, Y)`` and ``predict_dist(X)``.


def joint(seed):
    """One joint Normal network in the configuration of the accuracy tables."""
    return networks("normal", 1, seed, **JOINT)


def five_joint(seed):
    """The mixture of five of them."""
    return networks("normal", 5, seed, **JOINT)


def defaults(seed):
    """The default constructor."""
    return DensityRegressor(random_state=seed)


def for_epochs(n_nets, epochs):
    """Networks that watch their validation rows, but are trained for so many epochs."""

    def contestant(seed):
        return networks("normal", n_nets, seed, dropout=DROPOUT, max_iter=epochs)

    return contestant


# Data of two targets


def made_up(n_rows):
    """Rows of known joint Normals, and 2000 to test on."""
    truth = Truth(2)
    return (*truth.draw(n_rows, 0), *truth.draw(2000, 1))


def power_and_humidity(directory, n_rows):
    """First split of power-plant: its y and its last feature, the humidity, are both predicted."""
    ((X, y, X_test, y_test),) = uci_splits(REAL, directory, 1)
    Y, Y_test = np.column_stack([y, X[:, -1]]), np.column_stack([y_test, X_test[:, -1]])
    return X[:n_rows, :-1], Y[:n_rows], X_test[:, :-1], Y_test


def workloads(names, directory, n_rows):
    """Training and test rows by name."""
    found = {"made up": made_up(n_rows)}
    return found | ({REAL: power_and_humidity(directory, n_rows)} if REAL in names else {})


# Measuring


def seconds_of(model, X, y):
    """Seconds of a fit."""
    start = perf_counter()
    model.fit(X, y)
    return perf_counter() - start


def alternate(contestants, X, y, repeats):
    """Seconds of each repeat, and the models of the repeats, by name; contestants take turns."""
    seconds = {name: np.empty(repeats) for name in contestants}
    models = {name: [] for name in contestants}
    for contestant in contestants.values():
        contestant(0).fit(X[:WARM_UP_ROWS], y[:WARM_UP_ROWS])
    for repeat in range(repeats):
        for name, contestant in contestants.items():
            models[name].append(contestant(repeat))
            seconds[name][repeat] = seconds_of(models[name][-1], X, y)
    return seconds, models


def middle(seconds):
    """Median and quartiles, as in ``1.23 (1.19-1.28)``."""
    low, median, high = np.quantile(seconds, (0.25, 0.5, 0.75))
    return f"{median:.2f} ({low:.2f}-{high:.2f})"


def times(seconds, name, reference):
    """Median of a contestant over that of the reference."""
    return float(np.median(seconds[name]) / np.median(seconds[reference]))


def check_epochs(models, epochs):
    """Refuse fits that have not made so many epochs."""
    for model in models:
        if np.any(np.asarray(model.n_iter_) != epochs):
            raise RuntimeError(f"{model} ran {model.n_iter_} epochs instead of {epochs}")


# The tables


def beside_rival(name, rows, repeats, table):
    """Print the rows of one workload: seconds and joint NLL of two targets."""
    X, Y, X_test, Y_test = rows
    contestants = {OURS: joint, FIVE: five_joint, DEFAULTS: defaults}
    contestants |= {RIVAL: BoostedMultivariateNormal} if has_ngboost() else {}
    seconds, models = alternate(contestants, X, Y, repeats)
    losses = {
        key: np.array([joint_nll(model, X_test, Y_test) for model in found])
        for key, found in models.items()
    }
    for key in contestants:
        ratio, answer = "", ""
        if key != RIVAL and RIVAL in contestants:
            faster = times(seconds, RIVAL, key)
            no_worse = np.mean(losses[key]) <= np.mean(losses[RIVAL])
            ratio, answer = f"{faster:.1f}", "met" if faster >= BAR_RIVAL and no_worse else "missed"
        cells = (f"{len(X)}", key, middle(seconds[key]), f"{np.mean(losses[key]):.3f}")
        print(table.row(name, *cells, ratio, answer), flush=True)


def five_beside_one(name, rows, epochs, repeats, table):
    """Print the row of one set: seconds of one and of five networks."""
    X, y, _, _ = rows
    contestants = {"one": for_epochs(1, epochs), "five": for_epochs(5, epochs)}
    seconds, models = alternate(contestants, X, y, repeats)
    for found in models.values():
        check_epochs(found, epochs)
    ratio = times(seconds, "five", "one")
    texts = [middle(seconds[key]) for key in contestants]
    answer = "met" if ratio <= BAR_FIVE else "missed"
    print(table.row(name, f"{len(X)}", *texts, f"{ratio:.2f}", answer), flush=True)


NOTES = f"""
Seconds of a fit: median (quartiles) of the repeats, the contestants taking turns in one process,
after a fit of {WARM_UP_ROWS} rows each. The threads are those allowed to BLAS and OpenMP; the trees
of {RIVAL} take one. Two targets: NLL joint, nats per row of test rows, mean over the repeats
(seeds). made up: 4 features, `Truth` in _joint.py; {REAL}: y and its last feature, the
humidity, from the other three. {OURS}: the configuration below with {JOINT};
x 5: a mixture of five networks; {RIVAL}: MultivariateNormal(2) with its defaults, 500 rounds.
{RIVAL} /: its median over ours; met: at least {BAR_RIVAL:g} and our NLL no higher. Five networks:
the same configuration, but neither one nor five stop before the last epoch. five / one: ratio of
the medians; met: at most {BAR_FIVE:g}.
{CONFIG}"""


def wide(*titles):
    """Titles of columns for a median and quartiles."""
    return tuple(f"{title:>18}" for title in titles)


def density_speed(args):
    """Print both tables."""
    names = available((REAL, *QUICK_UCI), args.data)
    if not has_ngboost():
        print(HOW_TO_INSTALL)
    with threadpool_limits(limits=args.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # all are told to stop early
        print(f"Threads: {args.threads}, repeats: {args.repeats}\n\nTwo targets\n")
        titles = ("data", "rows", f"{'contestant':>15}", *wide("s"), "NLL", f"{RIVAL} /", "bar")
        table = MarkdownTable(titles, 11)
        print(table.head(), flush=True)
        found = workloads(names, args.data, QUICK_ROWS if args.quick else ROWS)
        for name, rows in found.items():
            beside_rival(name, rows, args.repeats, table)
        epochs = QUICK_EPOCHS if args.quick else EPOCHS
        print(f"\nFive networks and one, {epochs} epochs\n")
        table = MarkdownTable(("data", "rows", *wide("one, s", "five, s"), "five / one", "bar"), 11)
        print(table.head(), flush=True)
        for name in [name for name in QUICK_UCI if name in names]:
            (rows,) = uci_splits(name, args.data, 1)
            five_beside_one(name, rows, epochs, args.repeats, table)
    print(NOTES)
