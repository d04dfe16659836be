"""Checked rows of X and y that belong to tasks."""

from dataclasses import dataclass, replace

import numpy as np

from ..._engine.groups import TaskRows, group_numbers
from ..._sklearn_compat import _safe_indexing
from .._kinds import kinds_of_rows
from .._sample import Sample, fingerprint
from ._columns import Columns


@dataclass(frozen=True)
class TaskSample(Sample):
    """A `Sample` whose rows have tasks.

    Parameters
    ----------
    given : array or DataFrame of shape (n_samples, n_features)
        X as the caller gave it, task columns included.
    columns : Columns
    tasks : ndarray of int of shape (n_samples,)
        Codes of the tasks; 0 when there are none.
    task_factors : ndarray of shape (n_tasks,) or None
        By which the weights of a task's rows are multiplied.
    allowed : ndarray of bool of shape (n_tasks, n_raw) or None
        The outputs that rows of a task can have.
    """

    given: object = None
    columns: Columns | None = None
    tasks: np.ndarray | None = None
    task_factors: np.ndarray | None = None
    allowed: np.ndarray | None = None

    # They follow from the rest.
    groups = None

    def taken(self):
        positions = self.positions()
        weight = None if self.weight is None else self.weight[positions]
        return _safe_indexing(self.given, positions), self.y[positions], weight

    def training_set(self, design, dtype):
        data = super().training_set(design, dtype)
        return replace(data, rows=task_rows(data.rows, self.X, self, design))

    def kinds(self):
        # Of one task however it is called.
        others = sorted({*self.columns.context, *self.columns.features})
        target = np.column_stack([self.tasks, self.target])
        return kinds_of_rows(self.X, target, self.positions(), others)

    def fingerprint(self):
        return super().fingerprint() + fingerprint(self.tasks)

    def counts(self):
        """Rows of every task that take part."""
        return np.bincount(self.tasks[self.positions()])


# So many rows of a task tell its contexts.
TELLING = 50


def noted_contexts(sample, design, known, n_tasks):
    """Means and standard deviations of the contexts of all tasks, as a network is told them.

    Those of the sample's tasks are new, the others are `known` (None at first).

    Returns
    -------
    mean, sd : ndarray of shape (n_tasks, n_context)
    """
    columns = design.places(sample.columns.context)
    mean, sd = np.zeros((n_tasks, len(columns))), np.ones((n_tasks, len(columns)))
    if known is not None:
        mean[: len(known[0])], sd[: len(known[1])] = known
    index = sample.positions()
    index = index[np.argsort(sample.tasks[index], kind="stable")]
    tasks, first = np.unique(sample.tasks[index], return_index=True)
    for task, rows in zip(tasks, np.split(index, first[1:]), strict=True):
        rows = rows[:: -(-len(rows) // TELLING)]
        scaled = design.scaled(sample.X[rows])
        mean[task], sd[task] = scaled[:, columns].mean(axis=0), scaled[:, columns].std(axis=0)
    return mean, sd


def groups_of(tasks, X, columns):
    """Numbers that are equal for rows of equal task and context, by ascending tasks."""
    return group_numbers(tasks, np.asarray(X[:, list(columns.context)]))


def task_rows(rows, X, sample, design):
    """Rows for the engine; `sample` has the columns, tasks and allowed outputs."""
    columns, groups = sample.columns, sample.groups
    if groups is None:
        groups = groups_of(sample.tasks, X, columns)
    tasks = sample.tasks if columns.task or not columns.context else None
    features, context = design.places(columns.features), design.places(columns.context)
    width = X.shape[1] if design.expansion is None else design.expansion.width
    return TaskRows(rows, groups, tasks, features, context, width, sample.allowed)
