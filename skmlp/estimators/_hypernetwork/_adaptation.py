"""Embeddings of new tasks for a hypernetwork that stays as it is."""

import numpy as np
from scipy.optimize import minimize

from ..._engine.continual import task_losses

# Every new task starts from so many known tasks' embeddings, the best of so many.
N_STARTS, N_CANDIDATES = 4, 128


def adapted_embeddings(objective, theta, data, codes, n_known, max_iter):
    """Write the embeddings of least loss of the tasks `codes` into `theta`, of shape (1, P).

    Tasks do not depend on each other: each keeps the best of its own starts.

    Parameters
    ----------
    objective : ContinualObjective
        Without protection.
    theta : ndarray of shape (1, P)
        Changed in place.
    data : TrainingSet
        Rows of the new tasks only.
    codes : ndarray of int
    n_known : int
        The embeddings of so many tasks have been learned.
    max_iter : int
    """
    table = objective.network.told.embeddings.view(theta)[0]

    def losses():
        return task_losses(objective, theta, data, len(table))[0, codes]

    candidates = np.unique(np.linspace(0, n_known - 1, N_CANDIDATES).astype(int))
    tried = np.empty((len(candidates), len(codes)))
    for candidate, row in zip(candidates, tried, strict=True):
        table[codes] = table[candidate]
        row[:] = losses()
    order = candidates[np.argsort(tried, axis=0)[:N_STARTS]]
    best, found = np.full(len(codes), np.inf), np.empty_like(table[codes])
    for start in order:
        table[codes] = table[start]
        _minimize(objective, theta, data, table, codes, max_iter)
        now = losses()
        better = now < best
        best[better], found[better] = now[better], table[codes][better]
    table[codes] = found


def _minimize(objective, theta, data, table, codes, max_iter):
    workspace, grad = objective.workspace(1, theta.dtype), np.empty_like(theta)
    block, shape = objective.network.told.embeddings, (len(codes), table.shape[1])

    def value_and_grad(flat):
        table[codes] = flat.reshape(shape)
        means, scale = objective.over(theta, data, workspace, grad)
        return float(means[0]), block.view(grad)[0, codes].astype(np.float64).ravel() * scale

    start = table[codes].astype(np.float64).ravel()
    options = {"maxiter": max_iter, "gtol": 1e-7 / len(codes)}
    result = minimize(value_and_grad, start, method="L-BFGS-B", jac=True, options=options)
    table[codes] = result.x.reshape(shape)
