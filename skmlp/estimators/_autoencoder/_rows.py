"""Rows of X that are their own targets."""

from dataclasses import replace

import numpy as np
from scipy.sparse import issparse

from ..._engine.batches import Reconstruction
from ..._engine.memory import Scratch
from .._moments import BLOCK_ENTRIES
from .._sample import Sample, as_weights


class ReconstructionSample(Sample):
    """A sample without y; `target` has no columns."""

    def for_scorer(self):
        X, _, weight = self.taken()
        return X, None, weight

    def training_set(self, design, dtype):
        rows = design.rows(self.X, dtype, mapped=self.mapped, scale_now=True)
        data = Reconstruction(rows, None, as_weights(self.weight, dtype), self.index)
        return replace(data, y=mean_row(data).astype(dtype))


def dense_rows(x):
    """Rows of a batch, (1, rows, n_features) or CSR, as a float64 array of two dimensions."""
    return (x.toarray() if issparse(x) else x[0]).astype(np.float64)


def blocks_of(data):
    """Yield dense rows and their weights (or None), a few megabytes at a time, in float64."""
    size, work = max(1, BLOCK_ENTRIES // data.rows.X.shape[1]), Scratch(np.float64)
    for x, _, weight, _ in data.batches(size, None, work):
        yield dense_rows(x), None if weight is None else weight.astype(np.float64)


def mean_row(data):
    """Weighted mean of the rows, of shape (1, n_features), in float64."""
    total, weights = 0.0, 0.0
    for x, weight in blocks_of(data):
        total = total + (x.sum(axis=0) if weight is None else weight @ x)
        weights += len(x) if weight is None else weight.sum()
    return (total / weights)[np.newaxis]


def scaled_limits(limits, features, dtype, loss):
    """Smallest and largest values of the columns as the network sees them.

    Raises
    ------
    ValueError
        When the network or the loss cannot work with such values.
    """
    scaled = np.empty((2, len(limits[0])))
    features.transform(np.array(limits, np.float64), scaled)
    bound = 0.1 * np.sqrt(np.finfo(dtype).max)
    outside = ~loss.domain.contains(scaled).all(axis=0)
    if outside.any():
        column = int(np.argmax(outside))
        raise ValueError(
            f"loss='log_loss' needs X in {loss.domain}, but column {column}, as the network sees "
            f"it, goes from {scaled[0, column]:g} to {scaled[1, column]:g}. Use "
            "feature_scaling='minmax', or loss='squared_error'."
        )
    if np.abs(scaled).max() > bound:
        raise ValueError(
            f"X has values that are, as the network sees them, up to {np.abs(scaled).max():g}, "
            f"with which {np.dtype(dtype)} cannot compute. Set feature_scaling='standard', or "
            "divide X by a constant."
        )
    return scaled
