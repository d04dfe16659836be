"""Rows in natural groups: recordings of 42 people and spectra of 106 experiments."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from _data import regression_path
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

FOLDS = 5
# Of the folds within the first training set; one alone often chooses badly.
INNER_FOLDS = 3


@dataclass(frozen=True)
class Groups:
    """Rows of X with a group as first column, then what describes the group, then features.

    Parameters
    ----------
    X, y : ndarray
    block : ndarray of int
        Rows of one block are never parted.
    n_described : int
        Number of columns that describe the group.
    n_few : int
        Rows of every new group that can be learned from.
    grid : tuple of dict
        Settings of the networks for all groups.
    """

    X: np.ndarray
    y: np.ndarray
    block: np.ndarray
    n_described: int
    n_few: int
    grid: tuple

    @property
    def group(self):
        return self.X[:, 0]

    def part(self, rows):
        """Some of the rows."""
        return replace(self, X=self.X[rows], y=self.y[rows], block=self.block[rows])

    def within(self, seed):
        """Folds of whole blocks; every group is in all of them."""
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        return folds.split(self.X, self.group.astype(int), self.block)

    def between(self, seed):
        """Folds of whole groups."""
        folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
        return folds.split(self.X, groups=self.group)

    def some(self, rows, seed):
        """A few random rows of every group, and those of other blocks than these."""
        rows = np.random.default_rng(seed).permutation(rows)
        group, few = self.group[rows], []
        for own in np.unique(group):
            few.extend(rows[group == own][: self.n_few])
        others = rows[~np.isin(self.block[rows], self.block[few])]
        return np.sort(few), np.sort(others)


def loaded(directory, name):
    """X and y of a file."""
    with np.load(regression_path(directory, name)) as file:
        return file["X"], file["y"]


SUBJECT, AGE, SEX, TIME, VOICE = range(5)
# Recordings of one visit are minutes apart, visits are a week apart.
SAME_VISIT = 0.5
EPOCHS = (
    {"max_iter": 30, "weight_decay": 0.0},
    {"max_iter": 30, "weight_decay": 1.0},
    {"max_iter": 90, "weight_decay": 0.0},
)


def visits(subject, time):
    """Numbers of the visits: rows of a subject with no gap of half a day between them."""
    order = np.lexsort((time, subject))
    new = (np.diff(subject[order]) != 0) | (np.diff(time[order]) > SAME_VISIT)
    numbers = np.empty(len(order), int)
    numbers[order] = np.r_[0, np.cumsum(new)]
    return numbers


def runs_of_people(X):
    """Number of runs of rows in the file with equal age and sex, and of different pairs of these.

    Two neighbours may share both, and so may people far apart.
    """
    pairs = X[:, [AGE, SEX]]
    changes = np.count_nonzero(np.any(pairs[1:] != pairs[:-1], axis=1))
    return changes + 1, len(np.unique(pairs, axis=0))


def recordings(first, directory):
    """Recordings of the voices of people; the features begin with the column `first`."""
    X, y = loaded(directory, "parkinsons")
    subject = np.unique(X[:, SUBJECT], return_inverse=True)[1].reshape(-1)
    table = np.column_stack([subject, X[:, [AGE, SEX]], X[:, first:]])
    return Groups(table, y, visits(subject, X[:, TIME]), 2, 10, EPOCHS)


# Hertz; the file holds differences from the mean.
LOWEST = 200.0
MANY_EPOCHS = tuple({"max_iter": 600, "weight_decay": decay} for decay in (0.0, 0.1, 1.0))


def spectra(directory):
    """The sound of airfoils by the logarithm of the frequency, a group per experiment."""
    X, y = loaded(directory, "airfoil")
    experiment = np.unique(X[:, 1:], axis=0, return_inverse=True)[1].reshape(-1)
    frequency = np.log(X[:, 0] - X[:, 0].min() + LOWEST)
    table = np.column_stack([experiment, X[:, 1:], frequency])
    return Groups(table, y, np.arange(len(y)), 4, 5, MANY_EPOCHS)


# By name: the file, and what reads it.
SETS = {
    "voice": ("parkinsons", partial(recordings, VOICE)),
    "voice-and-time": ("parkinsons", partial(recordings, TIME)),
    "airfoil": ("airfoil", spectra),
}
