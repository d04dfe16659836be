"""Checked rows of X and y that belong to tasks."""

from dataclasses import dataclass, replace

import numpy as np

from ..._engine.groups import TaskRows, group_numbers
from ..._sklearn_compat import _safe_indexing
from .._sample import Sample, fingerprint, row_keys
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

    def taken(self):
        positions = self.positions()
        weight = None if self.weight is None else self.weight[positions]
        return _safe_indexing(self.given, positions), self.y[positions], weight

    def training_set(self, design, dtype):
        data = super().training_set(design, dtype)
        return replace(data, rows=task_rows(data.rows, self.X, self))

    def keys(self):
        # Of one task however it is called.
        others = sorted({*self.columns.context, *self.columns.features})
        target = np.column_stack([self.tasks, self.target])
        return row_keys(self.X, target, others)

    def fingerprint(self):
        return super().fingerprint() + fingerprint(self.tasks)

    def counts(self):
        """Rows of every task that take part."""
        return np.bincount(self.tasks[self.positions()])


def scaled_contexts(sample, design):
    """Means and standard deviations of the context columns of some rows, as a network is told them.

    Returns (n_context,) twice.
    """
    index, columns = sample.positions(), list(sample.columns.context)
    index = index[:: max(1, len(index) // 1000)]
    rows = np.empty((len(index), sample.X.shape[1]))
    design.features.transform(sample.X[index], rows)
    contexts = rows[:, columns]
    return contexts.mean(axis=0), contexts.std(axis=0)


def task_rows(rows, X, sample):
    """Rows for the engine; `sample` has the columns, tasks and allowed outputs."""
    columns = sample.columns
    groups = group_numbers(sample.tasks, np.asarray(X[:, list(columns.context)]))
    tasks = sample.tasks if columns.task or not columns.context else None
    features, context = np.array(columns.features), np.array(columns.context, int)
    return TaskRows(rows, groups, tasks, features, context, X.shape[1], sample.allowed)
