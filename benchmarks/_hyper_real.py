"""Real groups: recordings of 42 people, spectra of 106 experiments, and hypernetworks."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from _data import SOURCES, missing_sets
from _density_scores import plus_minus
from _hyper_groups import (
    ConcatenatingRegressor,
    Separate,
    one_hot,
    pooled,
    with_concatenation,
    written,
)
from _hyper_real_data import (
    EPOCHS,
    FOLDS,
    INNER_FOLDS,
    MANY_EPOCHS,
    SETS,
    loaded,
    runs_of_people,
)
from _tables import MarkdownTable
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import HypernetworkRegressor, MLPRegressor

# What can be done about new groups
WAYS = ("unknown", "few rows", "adapt")

# Contestants; the group is the first column of what they see

NETWORK = {
    "hidden_layer_sizes": (32, 32),
    "batch_size": 200,
    "learning_rate": "cosine",
    "learning_rate_init": 0.005,
    "n_iter_no_change": np.inf,
}


@dataclass(frozen=True)
class Contestant:
    """Something that predicts, and the settings among which validation rows choose.

    Parameters
    ----------
    make : callable
        ``make(random_state, **settings)`` is an unfitted estimator.
    grid : tuple of dict or None
        None for that of the set.
    learns : {"fit", "adapt", "alone"}
        How it learns new groups from few rows: together with the rows of all others, also by
        `adapt`, or from these rows alone.
    described : bool
        Whether it sees what describes the group.
    """

    make: Callable
    grid: tuple | None = None
    learns: str = "fit"
    described: bool = False

    @property
    def ways(self):
        """What it can do about new groups, out of `WAYS`."""
        return {"alone": WAYS[1:2], "fit": WAYS[:2], "adapt": WAYS}[self.learns]

    def seen(self, data):
        """The columns of X that it sees."""
        hidden = 0 if self.described else data.n_described
        return np.delete(data.X, slice(1, 1 + hidden), axis=1)

    def settings(self, data):
        """Among these it chooses."""
        return data.grid if self.grid is None else self.grid


def network(random_state, **settings):
    """A network for the rows of all groups."""
    return MLPRegressor(random_state=random_state, **{**NETWORK, **settings})


def pooled_network(*args, **settings):
    """The same for all groups."""
    return pooled(network(*args, **settings))


def one_hot_network(*args, **settings):
    """It sees an indicator of every group."""
    return one_hot(network(*args, **settings))


def networks(random_state, **settings):
    """A small network of its own for every group, by L-BFGS."""
    model = MLPRegressor(
        hidden_layer_sizes=(16,), solver="lbfgs", random_state=random_state, **settings
    )
    return Separate(model)


def ridges(random_state, **settings):
    """A linear model for every group."""
    return Separate(make_pipeline(StandardScaler(), Ridge(**settings)))


def mean(random_state):
    """The mean of all training rows."""
    return DummyRegressor()


def means(random_state):
    """The mean of the training rows of every group."""
    return Separate(DummyRegressor())


def hypernetwork(modulation, **own):
    """A contestant whose groups have embeddings."""
    kind = HypernetworkRegressor
    if modulation == "concatenated":
        kind, own = ConcatenatingRegressor, {**own, "hyper_hidden_layer_sizes": ()}

    def make(random_state, **settings):
        settings = {**NETWORK, **own, **settings}
        return kind(task_features=[0], modulation=modulation, random_state=random_state, **settings)

    return Contestant(make, learns="adapt")


STRENGTHS = tuple({"alpha": value} for value in (0.001, 0.01, 0.1, 1.0, 10.0))
WIDE_STRENGTHS = tuple({"alpha": value} for value in (0.1, 1.0, 10.0, 100.0, 1000.0))
CONTESTANTS = {
    "mean": Contestant(mean, ({},)),
    "mean of the group": Contestant(means, ({},), "alone"),
    "ridge per group": Contestant(ridges, WIDE_STRENGTHS, "alone"),
    "network per group": Contestant(networks, STRENGTHS, "alone"),
    "pooled": Contestant(pooled_network),
    "pooled, described": Contestant(pooled_network, described=True),
    "one-hot": Contestant(one_hot_network),
    "concatenated": hypernetwork("concatenated"),
    "film": hypernetwork("film"),
    "low_rank": hypernetwork("low_rank"),
    "full": hypernetwork("full"),
}


def scores(model, X, y):
    """RMSE and R2 as a pair."""
    predicted = model.predict(X)
    return float(np.sqrt(np.mean((predicted - y) ** 2))), float(r2_score(y, predicted))


# Known groups


def known_scores(contestant, settings, data, split, seed):
    """Scores of new blocks of known groups."""
    X, (train, test) = contestant.seen(data), split
    model = contestant.make(seed, **settings).fit(X[train], data.y[train])
    return scores(model, X[test], data.y[test])


def best_for_known(contestant, data):
    """The settings of least error on folds within the first training set."""
    grid = contestant.settings(data)
    if len(grid) == 1:
        return grid[0]
    rows, _ = next(data.within(0))
    folds = [
        tuple(rows[part] for part in split)
        for split in islice(data.part(rows).within(0), INNER_FOLDS)
    ]
    errors = [
        np.mean([known_scores(contestant, settings, data, fold, 0)[0] for fold in folds])
        for settings in grid
    ]
    return grid[int(np.argmin(errors))]


# New groups


def by_way(contestant, settings, ways, data, parts, seed):
    """Scores by way on the last of the parts: known groups, few and other rows of new ones."""
    X, y = contestant.seen(data), data.y
    known, few, rest = parts
    found = {}

    def fitted(rows):
        return contestant.make(seed, **settings).fit(X[rows], y[rows])

    if "few rows" in ways:
        rows = few if contestant.learns == "alone" else np.r_[known, few]
        found["few rows"] = scores(fitted(rows), X[rest], y[rest])
    if "unknown" in ways or "adapt" in ways:
        model = fitted(known)
        found["unknown"] = scores(model, X[rest], y[rest])
        if "adapt" in ways:
            found["adapt"] = scores(model.adapt(X[few], y[few]), X[rest], y[rest])
    return {way: found[way] for way in ways}


def best_for_new(contestant, data):
    """The settings of least error by way, on folds within the first training set."""
    grid = contestant.settings(data)
    if len(grid) == 1:
        return dict.fromkeys(contestant.ways, grid[0])
    rows, _ = next(data.between(0))
    folds = [
        (rows[known], *data.some(rows[new], 0))
        for known, new in islice(data.part(rows).between(0), INNER_FOLDS)
    ]
    found = [
        [by_way(contestant, settings, contestant.ways, data, fold, 0) for fold in folds]
        for settings in grid
    ]
    return {
        way: grid[int(np.argmin([np.mean([one[way][0] for one in runs]) for runs in found]))]
        for way in contestant.ways
    }


def new_scores(contestant, best, data, split, seed):
    """Scores of new groups by way, each with its own settings."""
    train, test = split
    parts, found = (train, *data.some(test, seed)), {}
    for settings in contestant.settings(data):
        ways = [way for way in best if best[way] == settings]
        found |= by_way(contestant, settings, ways, data, parts, seed)
    return found


# Tables


def best_of(means):
    """The name of the least error."""
    return min(means, key=means.get)


def cells(pairs):
    """RMSE and R2, mean and standard error over folds and seeds."""
    errors, shares = zip(*pairs, strict=True)
    return plus_minus(errors), plus_minus(shares)


def print_known(data, seeds):
    """The table of new blocks of known groups."""
    titles = ("known groups", f"{'RMSE':>15}", f"{'R2':>15}", f"{'settings':>30}")
    table = MarkdownTable(titles, 20)
    print(table.head(), flush=True)
    means_of = {}
    for name, contestant in CONTESTANTS.items():
        best = best_for_known(contestant, data)
        pairs = [
            known_scores(contestant, best, data, split, seed)
            for seed in range(seeds)
            for split in data.within(seed)
        ]
        means_of[name] = np.mean(pairs, axis=0)[0]
        print(table.row(name, *cells(pairs), written(best)), flush=True)
    print(f"\nLeast error: {best_of(means_of)}.\n", flush=True)


def print_new(data, seeds):
    """The table of new groups."""
    titles = [f"{text:>17}" for way in WAYS for text in (f"{way}: RMSE", "R2")]
    table = MarkdownTable(("new groups", *titles), 20)
    print(table.head(), flush=True)
    means_of = {way: {} for way in WAYS}
    for name, contestant in CONTESTANTS.items():
        best = best_for_new(contestant, data)
        runs = [
            new_scores(contestant, best, data, split, seed)
            for seed in range(seeds)
            for split in data.between(seed)
        ]
        row = []
        for way in WAYS:
            pairs = [run[way] for run in runs if way in run]
            row += cells(pairs) if pairs else ("-", "-")
            if pairs:
                means_of[way][name] = np.mean(pairs, axis=0)[0]
        print(table.row(name, *row), flush=True)
    winners = (f"{way} {best_of(found)}" for way, found in means_of.items() if found)
    print(f"\nLeast errors: {'; '.join(winners)}.\n", flush=True)


NOTES = f"""
voice: Parkinsons telemonitoring, 16 measures of a recording of a voice; y is the total UPDRS less
its mean. A group is a person, described by age and sex, which nearly tell who it is. A visit has
about six recordings of nearly the same time and the same y and is never parted. y was interpolated
in time between three examinations: with the time as a feature it is a smooth curve for everybody,
and the voice is not needed; without, hardly more is to be known than the mean of the person.
airfoil: sound pressure by the logarithm of the frequency; a group is an experiment, described by
angle, chord, velocity and thickness.
known groups: {FOLDS} folds of whole visits (airfoil: of rows), every group in all of them.
new groups: {FOLDS} folds of whole groups, a few random rows of each set apart (10, airfoil: 5);
scores are of all other visits. unknown: without these rows; those with embeddings predict the
average over the known groups. few rows: fitted to them and the known groups together ("of the
group", "per group": to them alone). adapt: fitted to the known groups, then `adapt` to the rows.
RMSE and R2 over all rows of a fold, mean +- standard error over folds and seeds; these share the
rows, so the errors are too small.
Settings are chosen for each column by itself, on {INNER_FOLDS} folds of the same kind within the
first training set.
Networks: {written(NETWORK)};
grid: {"; ".join(map(written, EPOCHS))};
airfoil: {"; ".join(map(written, MANY_EPOCHS))}.
Networks per group: 16 units, L-BFGS; grid: {"; ".join(map(written, STRENGTHS))}.
Ridge: standardised features; grid: {"; ".join(map(written, WIDE_STRENGTHS))}.
All else by default: scaled features and target, embeddings of 8, rank 8."""


def describe(name, data, directory):
    """Say what the groups of a set are."""
    sizes = np.unique(data.group, return_counts=True)[1]
    print(
        f"{name}: {len(data.y)} rows of {len(sizes)} groups; smallest {sizes.min()}, "
        f"median {np.median(sizes):g}, largest {sizes.max()}."
    )
    if SETS[name][0] == "parkinsons":
        runs, pairs = runs_of_people(loaded(directory, "parkinsons")[0])
        print(
            f"Groups are by the first column of the file; it has {runs} runs of equal age and sex, "
            f"and {pairs} different pairs of these."
        )
    print()


def hypernetwork_real(args):
    """Print the tables of known and of new groups for each set."""
    seeds = 1 if args.quick else args.seeds
    with warnings.catch_warnings(), with_concatenation():
        warnings.simplefilter("ignore", ConvergenceWarning)  # they run for all their epochs
        warnings.filterwarnings("ignore", ".* rows of X have unknown tasks", UserWarning)
        for name in SETS if args.sets is None else args.sets:
            file, read = SETS[name]
            if missing_sets([file], args.data):
                print(f"Missing: {file}. Source: {SOURCES['regression']}.\n")
                continue
            data = read(args.data)
            describe(name, data, args.data)
            print_known(data, seeds)
            print_new(data, seeds)
    print(NOTES)
