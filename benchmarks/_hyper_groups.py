"""Many small groups: waves of 100 tasks from ten noisy points each, and new tasks from five."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from unittest.mock import patch

import numpy as np
from _density_scores import plus_minus
from _tables import MarkdownTable
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skmlp import HypernetworkRegressor, MLPRegressor
from skmlp._engine.layers import Dense
from skmlp._engine.memory import Block
from skmlp._engine.modulated import SideLayer
from skmlp._engine.modulations import MODULATIONS, Film

# Data

N_KNOWN, N_NEW = 100, 50
N_ROWS, N_FEW = 10, 5
NOISE = 0.1
GRID = np.linspace(-3, 3, 61)
# Settings are chosen on waves that are in no row of the table.
TUNING_SEED = 1000


class Waves:
    """y = A sin(1.5 x + phi), with A ~ U(.5, 2) and phi ~ U(0, pi) of every task.

    X has two columns, the task and x ~ U(-3, 3). Known tasks have rows for training and for
    validation, new ones a few; `test` and `test_new` are on `GRID` and without noise.
    """

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.amplitude = self.rng.uniform(0.5, 2.0, N_KNOWN + N_NEW)
        self.phase = self.rng.uniform(0.0, np.pi, N_KNOWN + N_NEW)
        known, new = np.split(np.arange(N_KNOWN + N_NEW), [N_KNOWN])
        self.train, self.valid = self._noisy(known, N_ROWS), self._noisy(known, N_ROWS)
        self.few = self._noisy(new, N_FEW)
        self.test, self.test_new = self._clean(known), self._clean(new)

    def wave(self, task, x):
        """Expected y of rows."""
        return self.amplitude[task] * np.sin(1.5 * x + self.phase[task])

    def _noisy(self, tasks, n_rows):
        task = np.repeat(tasks, n_rows)
        x = self.rng.uniform(-3.0, 3.0, len(task))
        noise = NOISE * self.rng.standard_normal(len(task))
        return np.column_stack([task, x]), self.wave(task, x) + noise

    def _clean(self, tasks):
        task, x = np.repeat(tasks, len(GRID)), np.tile(GRID, len(tasks))
        return np.column_stack([task, x]), self.wave(task, x)


def rmse(model, rows):
    """Root of the mean squared error over rows (X, y) of all tasks."""
    X, y = rows
    return float(np.sqrt(np.mean((model.predict(X) - y) ** 2)))


# Rivals; the task is the first column of X


@dataclass(frozen=True)
class ShiftedDense(SideLayer, Dense):
    """z = x W + b, in the first layer plus a vector that another network has written.

    Where that is linear in the embedding e, z = x W + e V + b: a dense layer of x and e.
    """

    shift: Block | None = None

    SPREAD = 0.3

    def forward(self, theta, x, cache):
        z, side = super().forward(theta, x, cache), cache.space.side
        if self.shift is not None:
            shift = self.shift.view(side.values)[:, :, 0]
            z += side.spread(shift, cache.work("part of z", z.shape))
        return z

    def backward(self, theta, d, cache, grad):
        side = cache.space.side
        if self.shift is not None:
            side.collect(d, self.shift.view(side.grad)[:, :, 0])
        return super().backward(theta, d, cache, grad)

    def begin(self, mean, sd, gain):
        if self.shift is not None:
            self.shift.view(sd)[...] = self.SPREAD


@dataclass(frozen=True)
class Concatenated(Film):
    """All is shared, but the first layer also sees the embedding of the task."""

    layer = ShiftedDense

    def written(self, values, n_in, n_out):
        return {} if values.size else {"shift": values.block(1, n_out)}


class ConcatenatingRegressor(HypernetworkRegressor):
    """One network of the features and a learned embedding of the task side by side.

    The engine, the training and `adapt` are those of HypernetworkRegressor; only what an
    embedding does differs. It needs `with_concatenation`.
    """

    _parameter_constraints = {
        **HypernetworkRegressor._parameter_constraints,
        "modulation": "no_validation",
    }


def with_concatenation():
    """A context in which hypernetworks know ``modulation="concatenated"``."""
    return patch.dict(MODULATIONS, concatenated=Concatenated)


class Separate(RegressorMixin, BaseEstimator):
    """A clone of an estimator for every task, which does not see the column of the task."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y):
        """Fit a model for each of the tasks of X, and forget all others."""
        self.models_ = {
            task: clone(self.estimator).fit(X[X[:, 0] == task, 1:], y[X[:, 0] == task])
            for task in np.unique(X[:, 0]).tolist()
        }
        return self

    def predict(self, X):
        """Predict rows of tasks that have a model."""
        out = np.empty(len(X))
        for task in np.unique(X[:, 0]).tolist():
            rows = X[:, 0] == task
            out[rows] = self.models_[task].predict(X[rows, 1:])
        return out


def pooled(estimator):
    """The same model for all tasks, which does not see the column of the task."""
    return make_pipeline(
        ColumnTransformer([("task", "drop", [0])], remainder="passthrough"), estimator
    )


def one_hot(estimator):
    """A model that sees an indicator of every task."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        ColumnTransformer([("task", encoder, [0])], remainder="passthrough"), estimator
    )


# Contestants

NETWORK = {
    "hidden_layer_sizes": (32, 32),
    "activation": "tanh",
    "feature_scaling": None,
    "target_scaling": False,
}
TRAINING = {
    "batch_size": N_KNOWN * N_ROWS,
    "learning_rate": "cosine",
    "learning_rate_init": 0.005,
    "n_iter_no_change": np.inf,
}
N_STEPS, QUICK_STEPS = 3000, 500
# alpha is divided by the number of rows, 1000; weight_decay is not coupled with the loss.
SHARED_GRID = (
    {"alpha": 1e-4},
    {"alpha": 1.0},
    {"alpha": 0.0, "weight_decay": 0.3},
    {"alpha": 0.0, "weight_decay": 1.0},
)
# Divided by 10 rows.
SEPARATE_GRID = tuple(
    {"hidden_layer_sizes": sizes, "alpha": alpha}
    for sizes in ((16, 16), (8, 8))
    for alpha in (1e-3, 1e-2, 1e-1)
)


@dataclass(frozen=True)
class Contestant:
    """Something that predicts, and the settings among which the validation rows choose.

    Parameters
    ----------
    make : callable
        ``make(n_steps, random_state=..., **settings)`` is an unfitted estimator.
    grid : tuple of dict
    new : {"adapt", "fit", "predict", "no"}
        What is done about rows of new tasks: `adapt`, fit these only, just predict, or nothing.
    """

    make: Callable
    grid: tuple = SHARED_GRID
    new: str = "adapt"


def network(n_steps, **settings):
    """One network on all rows."""
    return MLPRegressor(**{**NETWORK, **TRAINING, "max_iter": n_steps, **settings})


def alone(n_steps, **settings):
    """A network for ten rows; L-BFGS finds less error there than Adam, in less time."""
    settings = {**NETWORK, "solver": "lbfgs", "max_iter": 300, **settings}
    return Separate(MLPRegressor(**settings))


def hypernetwork(modulation, size, **own):
    """A contestant whose tasks have embeddings."""
    kind = HypernetworkRegressor
    if modulation == "concatenated":
        kind, own = ConcatenatingRegressor, {**own, "hyper_hidden_layer_sizes": ()}

    def make(n_steps, **settings):
        settings = {**NETWORK, **TRAINING, "max_iter": n_steps, **own, **settings}
        return kind(task_features=[0], modulation=modulation, task_embedding_size=size, **settings)

    return Contestant(make)


CONTESTANTS = {
    "pooled": Contestant(lambda *args, **kwargs: pooled(network(*args, **kwargs)), new="predict"),
    "separate": Contestant(alone, SEPARATE_GRID, new="fit"),
    "one-hot": Contestant(lambda *args, **kwargs: one_hot(network(*args, **kwargs)), new="no"),
    "concatenated 2": hypernetwork("concatenated", 2),
    "concatenated 8": hypernetwork("concatenated", 8),
    "film 2": hypernetwork("film", 2),
    "film 8": hypernetwork("film", 8),
    "low_rank 2": hypernetwork("low_rank", 2, rank=4),
    "low_rank 8": hypernetwork("low_rank", 8, rank=4),
    "full 2": hypernetwork("full", 2),
    "full 8": hypernetwork("full", 8),
}


def chosen(contestant, n_steps):
    """The settings of least validation error on the waves for tuning."""
    waves = Waves(TUNING_SEED)
    errors = [
        rmse(contestant.make(n_steps, random_state=0, **settings).fit(*waves.train), waves.valid)
        for settings in contestant.grid
    ]
    return contestant.grid[int(np.argmin(errors))]


def measures(contestant, settings, n_steps, seed):
    """Errors on known and on new tasks (NaN if there is no way), and the seconds of `fit`."""
    waves = Waves(seed)
    model = contestant.make(n_steps, random_state=seed, **settings)
    start = perf_counter()
    model.fit(*waves.train)
    found = {"seconds": perf_counter() - start, "known": rmse(model, waves.test), "new": np.nan}
    if contestant.new in ("adapt", "fit"):
        getattr(model, contestant.new)(*waves.few)
    if contestant.new != "no":
        found["new"] = rmse(model, waves.test_new)
    return found


# Tables

# Goals of the project, the largest or smallest mean RMSE over the seeds.
BARS = (
    ("low_rank 2 or film 2, known tasks, at most", ("low_rank 2", "film 2"), "known", 0.15),
    ("low_rank 2 or film 2, new tasks, at most", ("low_rank 2", "film 2"), "new", 0.20),
    ("separate, known tasks, at least", ("separate",), "known", 0.30),
    ("pooled, known tasks, at least", ("pooled",), "known", 0.65),
)


def verdicts(means):
    """A line for each bar, given mean errors by contestant and measure."""
    lines = []
    for text, names, key, bar in BARS:
        best = min(means[name][key] for name in names)
        met = best >= bar if text.endswith("least") else best <= bar
        lines.append(f"{text} {bar:.2f}: {best:.3f}, {'met' if met else 'missed'}.")
    return lines


def written(settings):
    """Settings as ``alpha=1, weight_decay=0``."""
    return ", ".join(f"{name}={value}" for name, value in settings.items())


NOTES = f"""
RMSE on {len(GRID)} points without noise, mean +- standard error over the seeds, and by seed;
the seed draws the waves and the weights. known: {N_KNOWN} tasks of {N_ROWS} rows. new: {N_NEW}
other tasks of {N_FEW} rows; separate networks are fitted to these alone, all with embeddings
learn embeddings by `adapt`, the pooled network predicts without knowing them, and a network of
indicators has no way to learn them. s: `fit`. The number is the size of the embedding.
Settings of each are the best of its grid by the error on {N_ROWS} noisy validation rows a task of
the waves of seed {TUNING_SEED}. concatenated: the network of one-hot columns whose weights are a
product of rank 2 or 8, that is, an embedding beside x; it runs on the engine of the hypernetworks,
so that training and `adapt` are the same (see ConcatenatingRegressor).
Grid of separate: {"; ".join(map(written, SEPARATE_GRID))}; L-BFGS, 300 iterations.
Grid of all others: {"; ".join(map(written, SHARED_GRID))};
full-batch Adam with {written(TRAINING)}.
All: {written(NETWORK)}."""


def hypernetwork_groups(args):
    """Print a row per contestant and what became of the bars."""
    n_steps, seeds = (QUICK_STEPS, 1) if args.quick else (N_STEPS, args.seeds)
    print(f"Steps of Adam: {n_steps}, seeds: {seeds}.\n")
    by_seed = f"{'by seed':>{6 * seeds - 1}}"
    titles = (
        "contestant",
        f"{'known':>15}",
        by_seed,
        f"{'new':>15}",
        by_seed,
        "s",
        f"{'settings':>37}",
    )
    table, means = MarkdownTable(titles, 14), {}
    print(table.head(), flush=True)
    with warnings.catch_warnings(), with_concatenation():
        warnings.simplefilter("ignore", ConvergenceWarning)  # they run for all their steps
        for name, contestant in CONTESTANTS.items():
            settings = chosen(contestant, n_steps)
            runs = [measures(contestant, settings, n_steps, seed) for seed in range(seeds)]
            values = {key: [run[key] for run in runs] for key in runs[0]}
            means[name] = {key: np.mean(value) for key, value in values.items()}
            cells = [
                text
                for key in ("known", "new")
                for text in (plus_minus(values[key]), " ".join(f"{v:.3f}" for v in values[key]))
            ]
            seconds = f"{means[name]['seconds']:.1f}"
            print(table.row(name, *cells, seconds, written(settings)), flush=True)
    print("", *verdicts(means), NOTES, sep="\n")
