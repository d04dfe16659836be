"""Embeddings of new tasks for a hypernetwork that stays as it is."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ..._engine.continual import task_sums

# Every new task starts from so many known tasks' embeddings, the best of so many.
N_STARTS, N_CANDIDATES = 4, 128

# Share of the mean variance that is added to every direction of the known embeddings.
SHRINKAGE = 0.1


@dataclass(frozen=True)
class Prior:
    """dispersion / 2 (e - mean)' precision (e - mean): new tasks are like the known ones.

    Few rows say little about an embedding; without a prior, those of eight numbers learned from
    five rows were twice as far off.

    Parameters
    ----------
    mean : ndarray of shape (size,)
    precision : ndarray of shape (size, size)
    dispersion : float
        What a negative log-likelihood is multiplied by in the loss.
    """

    mean: np.ndarray
    precision: np.ndarray
    dispersion: float

    @classmethod
    def of(cls, known, dispersion):
        """From the embeddings of known tasks, (n_tasks, size)."""
        known = known.astype(np.float64)
        size = known.shape[1]
        spread = np.cov(known.T, bias=True).reshape(size, size)
        usual = np.trace(spread) / size
        spread = spread + (SHRINKAGE * usual if usual > 0 else 1.0) * np.eye(size)
        return cls(known.mean(axis=0), np.linalg.inv(spread), dispersion)

    def value_and_grad(self, embeddings):
        """Values of shape (n_tasks,) and gradients of shape (n_tasks, size)."""
        step = embeddings - self.mean
        grad = self.dispersion * step @ self.precision
        return 0.5 * np.sum(step * grad, axis=1), grad


def adapted_embeddings(objective, theta, data, codes, prior, max_iter):
    """Write the embeddings of least loss and prior of the tasks `codes` into `theta`.

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
        The last rows of the table; those before it are known tasks.
    prior : Prior
    max_iter : int
    """
    table = objective.network.told.embeddings.view(theta)[0]

    def cost():
        sums, _ = task_sums(objective, theta, data, len(table))
        return sums[0, codes] + prior.value_and_grad(table[codes])[0]

    candidates = np.unique(np.linspace(0, codes[0] - 1, N_CANDIDATES).astype(int))
    tried = np.empty((len(candidates), len(codes)))
    for candidate, row in zip(candidates, tried, strict=True):
        table[codes] = table[candidate]
        row[:] = cost()
    order = candidates[np.argsort(tried, axis=0, kind="stable")[:N_STARTS]]
    best, found = np.full(len(codes), np.inf), np.empty_like(table[codes])
    for start in order:
        table[codes] = table[start]
        _minimize(objective, theta, data, table, codes, prior, max_iter)
        now = cost()
        better = now < best
        best[better], found[better] = now[better], table[codes][better]
    table[codes] = found


def _minimize(objective, theta, data, table, codes, prior, max_iter):
    workspace, grad = objective.workspace(1, theta.dtype), np.empty_like(theta)
    block, shape = objective.network.told.embeddings, (len(codes), table.shape[1])

    def value_and_grad(flat):
        table[codes] = flat.reshape(shape)
        means, scale = objective.over(theta, data, workspace, grad)
        values, slopes = prior.value_and_grad(flat.reshape(shape))
        slopes += block.view(grad)[0, codes]
        return float(means[0] + values.sum() * scale), slopes.ravel() * scale

    start = table[codes].astype(np.float64).ravel()
    options = {"maxiter": max_iter, "gtol": 1e-7 / len(codes)}
    result = minimize(value_and_grad, start, method="L-BFGS-B", jac=True, options=options)
    table[codes] = result.x.reshape(shape)
