"""Data and callbacks of the tests in this folder."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression

from skmlp import MLPRegressor
from skmlp.callbacks import Callback, Checkpoint

X, y = make_regression(n_samples=90, n_features=4, noise=20.0, random_state=0)
X_class, y_class = make_classification(
    n_samples=90, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1, flip_y=0.1,
)  # fmt: skip
weight = np.random.default_rng(0).uniform(0.2, 3.0, size=90)
SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "learning_rate_init": 0.02}
SMALL |= {"batch_size": 30, "tol": 0.0}


class Log(Callback):
    """Writes into a list that copies share."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def __deepcopy__(self, memo):
        return type(self)(self.name, self.log)

    def on_train_begin(self, state):
        self.log.append((self.name, "begin", state.epoch))

    def on_epoch_end(self, state):
        self.log.append((self.name, "epoch", state.epoch))

    def on_train_end(self, state):
        self.log.append((self.name, "end", state.epoch))


class StopAfter(Callback):
    """Ends the training after so many epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, state):
        return state.epoch == self.epochs


class Counter(Callback):
    """Remembers and records the number of epochs it has seen."""

    def __init__(self):
        self.seen = 0

    def on_epoch_end(self, state):
        self.seen += 1
        state.record("seen", self.seen)


class Killed(Exception):
    """Stands for the end of the process."""


class Kill(Callback):
    """Ends the fit with an error after so many epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, state):
        if state.epoch == self.epochs:
            raise Killed


# The more is learned, the worse these scores are: the first epochs are the best.
WRONG = {"X_val": X[70:], "y_val": -y[70:]}


class Record(Callback):
    """Records what a function of the state gives, from the epoch `first` on."""

    def __init__(self, name, measure, first=1, every=1):
        self.name, self.measure, self.first, self.every = name, measure, first, every

    def on_epoch_end(self, state):
        if state.epoch >= self.first and (state.epoch - self.first) % self.every == 0:
            state.record(self.name, self.measure(state))


def lengths(model):
    return {len(column) for column in model.history_.values()}


MEMBERS = [
    {"n_init": 1},
    {"n_init": 3, "combine_inits": "best"},
    {"n_init": 3, "combine_inits": "average"},
]


def attributes(model):
    """All that fit has left, the moments too."""
    return {name: value for name, value in vars(model).items() if name.endswith("_")} | {
        "_training": model._training
    }


def assert_same(first, second):
    """Equal to the last bit, in depth."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert list(first) == list(second)
        for name in first:
            assert_same(first[name], second[name])
    elif isinstance(first, list) and any(isinstance(item, np.ndarray) for item in first):
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        if isinstance(first, np.ndarray):
            assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)


def killed_and_resumed(model, path, *data, kills=(7,), every=3, **options):
    """A fit that was killed after each of the epochs `kills`, and then run to its end."""
    for kill in kills:
        doomed = clone(model).set_params(callbacks=[Checkpoint(path, every), Kill(kill)])
        with pytest.raises(Killed):
            doomed.fit(*data, **options)
    log = []
    model = clone(model).set_params(callbacks=[Checkpoint(path, every), Log("", log)])
    model.fit(*data, **options)
    saved = kills[-1] - kills[-1] % every
    assert log[0] == ("", "begin", saved)
    assert [entry[2] for entry in log[1:-1]] == list(range(saved + 1, log[-2][2] + 1))
    return model


def check_resumes(model, path, *data, kills=(7,), every=3, **options):
    whole = clone(model).fit(*data, **options)
    resumed = killed_and_resumed(model, path, *data, kills=kills, every=every, **options)
    assert_same(attributes(whole), attributes(resumed))
    return resumed


def finished(path, *data, **params):
    """A finished fit, and its file."""
    model = MLPRegressor(**{**SMALL, "max_iter": 5, "callbacks": [Checkpoint(path)], **params})
    return model.fit(*(data or (X, y)))
