"""What the training rows do not have counts for nothing until it comes."""

import numpy as np
from scipy.sparse import issparse

from .._engine.memory import Scratch
from ._effective import dense_layers
from ._moments import row_blocks


def silence_columns(theta, network, columns):
    """Set the first weights of some columns to 0, in place.

    As long as the columns are 0 in training, so is the gradient: the weights stay 0 whatever the
    solver. In front of waves, numbers get the frequency 0.

    Parameters
    ----------
    theta : ndarray of shape (members, P)
    network : Network
    columns : ndarray of int
        Of the design matrix; none of codes.
    """
    dense_layers(network)[0].weight.view(theta)[:, columns] = 0.0
    if network.waves is not None:
        numbers = columns[columns < network.waves.n_in]
        network.waves.frequencies.view(theta)[:, numbers] = 0.0


def silence_levels(theta, network, codes):
    """Set the vectors of levels that no row has to 0, in place.

    `codes` has a column for each embedded category.
    """
    for own, table in zip(codes.T, network.layers[0].blocks, strict=False):
        table.view(theta)[:, np.setdiff1d(np.arange(table.shape[0]), own)] = 0.0


def columns_of_zeros(rows, index, n):
    """Which of the first `n` columns are 0 in all rows at `index` (None for all), in order.

    Most columns are done with the first block of rows, and few are looked at in the others.
    """
    left, work = np.arange(n), Scratch(np.float64)
    if issparse(rows.X):
        X = rows.X if index is None else rows.X[index]
        return np.setdiff1d(left, X.indices[X.data != 0])
    for part in row_blocks(rows.X, index):
        if not len(left):
            break
        x = rows.take(part if index is None else index[part], work)
        left = left[~x[0][:, left].any(axis=0)]
    return left
