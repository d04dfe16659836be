"""Rows in groups that share a task and a context: sorting, taking, going in parts."""

import numpy as np
import pytest

from skmlp._engine.batches import DenseRows, TrainingSet
from skmlp._engine.groups import GroupedRows, TaskRows, group_numbers
from skmlp._engine.memory import Scratch


def distinct_pairs(tasks, contexts):
    return {(task, *context) for task, context in zip(tasks, contexts.tolist(), strict=True)}


@pytest.fixture
def table():
    """Eight columns of 60 rows; 1 and 4 are contexts of few values, 0 is not looked at."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8))
    X[:, 1] = rng.choice([-1.5, 0.25, 3.0], size=60)
    X[:, 4] = rng.choice([0.0, 2.0], size=60)
    return X


FEATURES, CONTEXT = np.array([2, 7, 3]), np.array([4, 1])
TASKS = np.random.default_rng(1).integers(5, size=60)
ALLOWED = np.random.default_rng(2).random((5, 3)) < 0.6


def task_rows(X, contexts=True, tasks=True, features=FEATURES):
    context = CONTEXT if contexts else np.array([], int)
    codes = TASKS if tasks else None
    groups = group_numbers(TASKS if tasks else np.zeros(60, int), X[:, context])
    return TaskRows(
        DenseRows(X), groups, codes, features, context, X.shape[1], ALLOWED if tasks else None
    )


def test_numbers_are_equal_where_tasks_and_contexts_are(table):
    contexts = table[:, CONTEXT]
    numbers = group_numbers(TASKS, contexts)
    assert numbers.shape == (60,)
    keys = {}
    for number, task, context in zip(numbers.tolist(), TASKS, contexts.tolist(), strict=True):
        assert keys.setdefault(number, (task, *context)) == (task, *context)
    assert len(keys) == len(distinct_pairs(TASKS, contexts))


def test_numbers_are_in_the_order_of_the_tasks(table):
    numbers = group_numbers(TASKS, table[:, CONTEXT])
    assert (np.diff(TASKS[np.argsort(numbers, kind="stable")]) >= 0).all()


def test_without_contexts_the_tasks_are_the_groups():
    np.testing.assert_array_equal(group_numbers(TASKS, np.empty((60, 0))), TASKS)


@pytest.mark.parametrize("contexts", [True, False])
@pytest.mark.parametrize("tasks", [True, False])
def test_a_batch_says_what_every_row_is_told(table, tasks, contexts):
    rows = task_rows(table, contexts, tasks)
    index = rows.arranged(np.random.default_rng(3).permutation(60)[:41])
    batch = rows.take(index, Scratch(np.float64))
    np.testing.assert_array_equal(batch.x, table[index][:, FEATURES][np.newaxis])
    assert batch.shape == (1, 41, 3)
    assert batch.n_rows == 41
    group = np.searchsorted(batch.starts, np.arange(41), side="right") - 1
    if contexts:
        np.testing.assert_array_equal(batch.contexts[0, group], table[index][:, CONTEXT])
    else:
        assert batch.contexts is None
    if tasks:
        np.testing.assert_array_equal(batch.tasks[group], TASKS[index])
        np.testing.assert_array_equal(batch.allowed[group], ALLOWED[TASKS[index]])
        assert (np.diff(batch.tasks) >= 0).all()
    else:
        assert batch.tasks is None
        assert batch.allowed is None
    told = np.column_stack([TASKS * tasks, table[:, CONTEXT] * contexts])[index]
    assert len(batch) == len(batch.starts) == len(np.unique(told, axis=0))


def test_arranging_keeps_the_order_within_a_group(table):
    rows = task_rows(table)
    index = np.random.default_rng(4).permutation(60)[:50]
    arranged = rows.arranged(index)
    assert sorted(arranged) == sorted(index)
    for group in np.unique(rows.groups):
        np.testing.assert_array_equal(
            arranged[rows.groups[arranged] == group], index[rows.groups[index] == group]
        )


def test_a_slice_is_the_same_as_its_positions(table):
    rows = task_rows(table)
    np.testing.assert_array_equal(rows.arranged(slice(10, 40)), rows.arranged(np.arange(10, 40)))
    np.testing.assert_array_equal(rows.arranged(slice(None)), rows.arranged(np.arange(60)))
    ordered = np.argsort(rows.groups, kind="stable")
    rows = TaskRows(
        DenseRows(table[ordered]), rows.groups[ordered], TASKS[ordered], FEATURES, CONTEXT, 8
    )
    by_slice, by_index = (
        rows.take(index, Scratch(np.float64)) for index in (slice(5, 30), np.arange(5, 30))
    )
    np.testing.assert_array_equal(by_slice.x, by_index.x)
    np.testing.assert_array_equal(by_slice.starts, by_index.starts)
    np.testing.assert_array_equal(by_slice.tasks, by_index.tasks)
    np.testing.assert_array_equal(by_slice.contexts, by_index.contexts)


def test_all_columns_are_handed_on_without_a_copy(table):
    rows = task_rows(table, features=np.arange(8))
    work = Scratch(np.float64)
    index = rows.arranged(slice(None))
    batch = rows.take(index, work)
    assert np.may_share_memory(batch.x, work("x", (60, 8)))
    np.testing.assert_array_equal(batch.x[0], table[index])


def test_contexts_have_the_dtype_of_the_rows(table):
    rows = task_rows(table.astype(np.float32))
    batch = rows.take(rows.arranged(slice(None)), Scratch(np.float32))
    assert batch.x.dtype == batch.contexts.dtype == np.float32


def test_shuffling_is_that_of_the_rows_below(table):
    order, alone = np.arange(60), np.arange(60)
    task_rows(table).shuffle(order, np.random.default_rng(5))
    DenseRows(table).shuffle(alone, np.random.default_rng(5))
    np.testing.assert_array_equal(order, alone)
    assert len(task_rows(table)) == 60


def test_targets_and_weights_follow_their_rows(table):
    y, weight = np.arange(60.0)[:, np.newaxis], np.arange(60.0) + 1
    rows = task_rows(table)
    index = np.random.default_rng(6).permutation(60)[:47]
    data = TrainingSet(rows, y, weight, index)
    order, seen, work = np.random.default_rng(7).permutation(index), [], Scratch(np.float64)
    for x, target, w, total in data.batches(20, order, work):
        own = target[:, 0].astype(int)
        np.testing.assert_array_equal(x.x[0], table[own][:, FEATURES])
        np.testing.assert_array_equal(w, weight[own])
        assert total == w.sum()
        tasks = np.repeat(x.tasks, np.diff(x.starts, append=x.n_rows))
        np.testing.assert_array_equal(tasks, TASKS[own])
        seen.append(own.copy())
    np.testing.assert_array_equal([len(own) for own in seen], [20, 20, 7])
    for own, part in zip(seen, np.split(order, [20, 40]), strict=True):
        np.testing.assert_array_equal(np.sort(own), np.sort(part))


STARTS = np.array([0, 3, 4, 8, 9])


def grouped():
    rng = np.random.default_rng(8)
    return GroupedRows(
        rng.normal(size=(1, 11, 2)),
        STARTS,
        np.array([0, 0, 2, 3, 3]),
        rng.normal(size=(1, 5, 2)),
        rng.random((5, 3)) < 0.5,
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_parts_put_together_are_the_batch(size):
    batch = grouped()
    parts = list(batch.parts(size))
    assert [len(part) for _, part in parts] == [min(size, 5 - i) for i in range(0, 5, size)]
    places = np.concatenate([np.arange(11)[rows] for rows, _ in parts])
    np.testing.assert_array_equal(places, np.arange(11))
    for rows, part in parts:
        np.testing.assert_array_equal(part.x, batch.x[:, rows])
        assert part.starts[0] == 0
        assert part.n_rows == rows.stop - rows.start
    for name, axis in (("tasks", 0), ("contexts", 1), ("allowed", 0)):
        joined = np.concatenate([getattr(part, name) for _, part in parts], axis=axis)
        np.testing.assert_array_equal(joined, getattr(batch, name))
    starts = np.concatenate([part.starts + rows.start for rows, part in parts])
    np.testing.assert_array_equal(starts, STARTS)


def test_parts_of_rows_that_are_told_nothing():
    batch = GroupedRows(np.zeros((1, 11, 2)), STARTS)
    for _, part in batch.parts(2):
        assert part.tasks is part.contexts is part.allowed is None
