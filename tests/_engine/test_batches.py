"""Rows of all formats give the same minibatches."""

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from skmlp._engine import batches
from skmlp._engine.batches import (
    SHUFFLE_BLOCK,
    DenseRows,
    DensifiedRows,
    MappedRows,
    SparseRows,
    TrainingSet,
)
from skmlp._engine.memory import Scratch

SHIFT, SCALE = np.array([1.0, -2.0, 0.5]), np.array([2.0, 4.0, 0.5])


def transform(rows, out):
    out[...] = (rows - SHIFT) / SCALE


def dense(X):
    return DenseRows((X - SHIFT) / SCALE)


def mapped(X):
    X.flags.writeable = False
    return MappedRows(X, transform, np.float64)


def densified(X):
    return DensifiedRows(csr_matrix(X), transform, np.float64)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(23, 3)).round(1)


@pytest.mark.parametrize("make", [mapped, densified])
@pytest.mark.parametrize("index", [slice(4, 11), np.array([7, 0, 22, 7])])
def test_take_agrees_with_dense(X, make, index):
    work = Scratch(np.float64)
    expected = dense(X.copy()).take(index, work).copy()
    np.testing.assert_allclose(make(X).take(index, work), expected, rtol=1e-15)


@pytest.mark.parametrize("container", [csr_matrix, csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [slice(0, 23), slice(4, 11), np.array([7, 0, 22])])
def test_sparse_rows_are_scaled_without_touching_X(X, container, dtype, index):
    sparse = container(X)
    before = sparse.copy()
    rows = SparseRows(sparse, SCALE, dtype).take(index, Scratch(dtype))
    assert rows.dtype == dtype
    np.testing.assert_allclose(rows.toarray(), X[index] / SCALE, rtol=1e-6)
    assert (sparse != before).nnz == 0


def test_slices_of_dense_rows_are_views(X):
    rows = DenseRows(X)
    assert np.shares_memory(rows.take(slice(2, 5), Scratch(np.float64)), X)


@pytest.mark.parametrize("make", [dense, mapped])
@pytest.mark.parametrize("index", [None, np.array([1, 4, 5, 9, 20])])
def test_an_epoch_visits_every_row_once(X, make, index):
    y = np.arange(23.0)[:, np.newaxis]
    data = TrainingSet(make(X), y, np.linspace(1, 2, 23), index)
    order, work = data.positions(), Scratch(np.float64)
    data.rows.shuffle(order, np.random.default_rng(0))
    seen, total = [], 0.0
    for x, target, weight, weight_sum in data.batches(4, order, work):
        rows = target[:, 0].astype(int)
        np.testing.assert_allclose(x[0], (X[rows] - SHIFT) / SCALE, rtol=1e-15)
        np.testing.assert_array_equal(weight, data.weight[rows])
        seen += rows.tolist()
        total += weight_sum
    everything = range(23) if index is None else index.tolist()
    assert sorted(seen) == list(everything)
    assert seen != list(everything)
    assert total == pytest.approx(data.weight[list(everything)].sum())


def test_unshuffled_batches_keep_the_order(X):
    data = TrainingSet(DenseRows(X), np.arange(23.0)[:, np.newaxis])
    targets = [y[:, 0] for _, y, _, _ in data.batches(5, None, Scratch(np.float64))]
    np.testing.assert_array_equal(np.concatenate(targets), np.arange(23))


def test_large_mapped_rows_are_shuffled_within_blocks(monkeypatch):
    n = 3 * SHUFFLE_BLOCK + 100
    monkeypatch.setattr(batches, "MAPPED_BYTES", 1000)
    rows = MappedRows(np.zeros((n, 1)), transform, np.float64)
    order = np.arange(n)
    rows.shuffle(order, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(n))
    blocks = order // SHUFFLE_BLOCK
    assert np.count_nonzero(np.diff(blocks)) == 3
    first = order[: SHUFFLE_BLOCK // 2]
    assert np.count_nonzero(np.diff(first) == 1) < 10
