"""Rows in groups that share what a hypernetwork is told: a task, a context, or both."""

from dataclasses import dataclass

import numpy as np

from .batches import Rows


@dataclass(frozen=True)
class GroupedRows:
    """A batch of rows, sorted by group.

    Parameters
    ----------
    x : ndarray of shape (1, rows, n_in)
    starts : ndarray of int of shape (groups,)
        First row of every group.
    tasks : ndarray of int of shape (groups,) or None
        Codes of the tasks.
    contexts : ndarray of shape (1, groups, n_context) or None
    allowed : ndarray of bool of shape (groups, n_raw) or None
        Outputs that the rows of a group can have; None for all.
    """

    x: np.ndarray
    starts: np.ndarray
    tasks: np.ndarray | None = None
    contexts: np.ndarray | None = None
    allowed: np.ndarray | None = None

    @property
    def shape(self):
        return self.x.shape

    @property
    def n_rows(self):
        return self.x.shape[1]

    def __len__(self):
        return len(self.starts)

    def parts(self, size):
        """Yield a slice of the rows and its `GroupedRows`, of at most `size` groups each."""
        ends = [*self.starts[::size].tolist(), self.n_rows]
        for i, (a, b) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
            groups = slice(i * size, (i + 1) * size)
            yield (
                slice(a, b),
                GroupedRows(
                    self.x[:, a:b],
                    self.starts[groups] - a,
                    None if self.tasks is None else self.tasks[groups],
                    None if self.contexts is None else self.contexts[:, groups],
                    None if self.allowed is None else self.allowed[groups],
                ),
            )


class TaskRows(Rows):
    """Rows of a design matrix that come with a task and columns of context.

    Parameters
    ----------
    rows : Rows
        Features and contexts.
    groups : ndarray of int of shape (n_rows,)
        Equal for rows that share task and context; tasks are in ascending order in them.
    tasks : ndarray of int of shape (n_rows,) or None
        Codes of the tasks.
    features, context : ndarray of int
        Columns of `rows` that are the network's input and the context.
    width : int
        Number of columns of `rows`.
    allowed : ndarray of bool of shape (n_tasks, n_raw) or None
    """

    def __init__(self, rows, groups, tasks, features, context, width, allowed=None):
        self.rows, self.groups, self.tasks = rows, groups, tasks
        self.context, self.allowed = context, allowed
        self.features = None if len(features) == width else features

    def __len__(self):
        return len(self.rows)

    def arranged(self, index):
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        return index[np.argsort(self.groups[index], kind="stable")]

    def take(self, index, work):
        x = self.rows.take(index, work)
        groups = self.groups[index]
        starts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
        contexts = tasks = allowed = None
        if len(self.context):
            contexts = x[:, starts][..., self.context]
        if self.features is not None:
            out = work("features", (1, x.shape[1], len(self.features)))
            x = np.take(x, self.features, axis=2, out=out, mode="clip")
        if self.tasks is not None:
            tasks = self.tasks[index][starts]
            allowed = None if self.allowed is None else self.allowed[tasks]
        return GroupedRows(x, starts, tasks, contexts, allowed)

    def shuffle(self, order, rng):
        self.rows.shuffle(order, rng)


def group_numbers(tasks, contexts):
    """Numbers that are equal where tasks and contexts are, in ascending order of the tasks.

    Parameters
    ----------
    tasks : ndarray of int of shape (n,)
    contexts : ndarray of shape (n, n_context)
    """
    if not contexts.shape[1]:
        return tasks
    keys = np.column_stack([tasks, contexts])
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
