"""The demonstration of the README."""

import re

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from skmlp import __main__ as demonstration

TASKS = demonstration.load_tasks()


class QuickTask(demonstration.Task):
    """A task with contestants that fit at once."""

    def contestants(self):
        """Three estimators that look at y only."""
        return [DummyClassifier() if self.is_classification else DummyRegressor()] * 3


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_tasks(task):
    X_train, X_test, y_train, y_test = task.split()
    assert len(X_train) + len(X_test) == len(task.X)
    assert len(y_test) == len(X_test) >= len(task.X) // 4
    np.testing.assert_array_equal(X_test, task.split()[1])
    assert task.score(y_test, y_test) == 1
    bare, scaled, ours = task.contestants()
    assert type(bare).__name__ == type(scaled[-1]).__name__ == type(ours).__name__
    assert type(ours).__module__.startswith("skmlp.")


def test_table(monkeypatch, capsys):
    quick = [QuickTask(task.name, task.X, task.y, task.is_classification) for task in TASKS]
    monkeypatch.setattr(demonstration, "load_tasks", lambda: quick)
    demonstration.main()
    lines = capsys.readouterr().out.splitlines()
    assert len({len(line) for line in lines[2:8]}) == 1  # the columns are aligned
    number = r"-?\d+\.\d\d\d +\d+\.\d\d s"
    for task, line in zip(TASKS, lines[3:8], strict=True):
        assert re.fullmatch(rf"{task.name} .* (accuracy|R2) +{number} +{number} +{number}", line)
