"""Learning tasks one after another: earlier ones are held where they were."""

from dataclasses import dataclass, replace

import numpy as np

from .groups import GroupedRows
from .objective import Objective, row_losses
from .penalties import inner


class Protected:
    """strength / T * sum_j |theta_j - theta_j*|^2 over T earlier tasks j.

    theta_j are the weights and biases that act on the rows of task j, theta_j* what they were at
    the last change of tasks, or the last time a task was adapted (von Oswald et al. 2020, ICLR,
    without their look-ahead).

    Parameters
    ----------
    theta : ndarray of shape (members, P)
        All parameters at that time; the tasks' embeddings are in them.
    tasks : ndarray of int
        Codes of the protected tasks.
    strength : float
    n_drawn : int or None
        A random choice of so many tasks counts in a step; all by default.
    allowed : ndarray of bool of shape (n_tasks, n_raw) or None
        Weights of outputs that a task cannot have are free.
    contexts : pair of ndarrays of shape (n_tasks, n_context) or None
        Means and standard deviations of the contexts to hold tasks at; None is 0 and 1.
    """

    def __init__(self, theta, tasks, strength, n_drawn=None, allowed=None, contexts=None):
        self.theta, self.tasks, self.strength = theta, tasks, strength
        self.n_drawn = None if n_drawn is None or n_drawn >= len(tasks) else n_drawn
        self.allowed, self.contexts = allowed, contexts
        self._held = None

    def of(self, member):
        """The penalty of one member alone."""
        theta = self.theta[member : member + 1]
        settings = self.strength, self.n_drawn, self.allowed, self.contexts
        return Protected(theta, self.tasks, *settings)

    def add(self, network, theta, grad, factor, workspace):
        """Add the gradient times `factor` to `grad`; return the penalty of each member."""
        tasks = self.tasks
        if self.n_drawn is not None:
            tasks = np.sort(workspace.rngs[0].choice(tasks, self.n_drawn, replace=False))
        total, part = (workspace.work((self, i), grad.shape) for i in range(2))
        value = np.zeros(len(theta))
        for some in _blocks(tasks, network, len(theta)):
            contexts = self._contexts(network, some, workspace)
            groups = _groups(some, contexts, theta.dtype)
            targets = self._targets(network, groups, workspace)
            values = network.written(theta, groups, workspace)
            scale = self.strength / len(tasks)
            errors = [
                tuple(now - then for now, then in zip(*pairs, strict=True))
                for pairs in zip(network.effective(theta, values), targets, strict=True)
            ]
            self._free(errors[-1], some)
            value += scale * sum(_squares(error) for pair in errors for error in pair)
            for pair in errors:
                for error in pair:
                    error *= 2.0 * scale * factor
            total.fill(0.0)
            d_values = np.zeros_like(values)
            network.effective_backward(theta, values, errors, total, d_values)
            network.written_backward(theta, d_values, workspace, part)
            grad += total
            grad += part
        return value

    def _targets(self, network, groups, workspace):
        """Pairs of weights and biases of the groups as they were."""
        if network.told.n_context or not self._keeps(network):
            return self._written(network, groups, workspace)
        if self._held is None:
            every = _groups(self.tasks, None, self.theta.dtype)
            self._held = self._written(network, every, workspace)
        places = np.searchsorted(self.tasks, groups.tasks)
        return [(weight[:, places], bias[:, places]) for weight, bias in self._held]

    def _written(self, network, groups, workspace):
        values = network.written(self.theta, groups, workspace)
        return [
            (np.array(weight), np.array(bias))
            for weight, bias in network.effective(self.theta, values)
        ]

    def _keeps(self, network):
        """Whether what was written takes less memory than the parameters that wrote it."""
        return len(self.tasks) * network.n_main <= network.n_params

    def _contexts(self, network, tasks, workspace):
        """Contexts to hold tasks at, drawn anew in every step."""
        if not network.told.n_context:
            return None
        shape = (len(tasks), network.told.n_context)
        mean, sd = (0.0, 1.0) if self.contexts is None else (part[tasks] for part in self.contexts)
        return workspace.rngs[0].normal(mean, sd, shape)[np.newaxis]

    def _free(self, errors, tasks):
        if self.allowed is None:
            return
        weight, bias = errors
        free = ~self.allowed[tasks]
        np.copyto(bias, 0.0, where=free)
        np.copyto(weight, 0.0, where=free[:, np.newaxis])


def _squares(errors):
    flat = errors.reshape(len(errors), -1)
    return inner(flat, flat)


def _blocks(tasks, network, members):
    size = network.groups_at_once(members, effective=True)
    return [tasks[i : i + size] for i in range(0, len(tasks), size)]


def _groups(tasks, contexts, dtype):
    """Groups without rows."""
    empty = np.empty((1, len(tasks), 0), dtype)
    return GroupedRows(empty, np.arange(len(tasks)), tasks, contexts)


@dataclass(frozen=True)
class ContinualObjective(Objective):
    """Loss over a hypernetwork's raw outputs, and the protection of earlier tasks, or None."""

    protected: Protected | None = None

    def of(self, member):
        return (
            self if self.protected is None else replace(self, protected=self.protected.of(member))
        )

    def finish(self, theta, values, grad, weight_sum, workspace):
        if self.protected is not None:
            # All that comes out of here is divided by the weights, and this shall not be.
            penalty = self.protected.add(self.network, theta, grad, weight_sum, workspace)
            values = values + weight_sum * penalty
        return super().finish(theta, values, grad, weight_sum, workspace)


def task_losses(objective, theta, data, n_tasks):
    """Mean plain loss of every task over a data set, (members, n_tasks); NaN without rows."""
    sums, weights = task_sums(objective, theta, data, n_tasks)
    with np.errstate(invalid="ignore"):
        return sums / weights


def task_sums(objective, theta, data, n_tasks):
    """Sums of the plain losses of every task over a data set, (members, n_tasks), and weights."""
    workspace = objective.workspace(len(theta), theta.dtype)
    sums, weights = np.zeros((len(theta), n_tasks)), np.zeros(n_tasks)
    loss = objective.loss.plain
    for x, y, weight, _ in data.batches(1024, None, workspace.work):
        raw = objective.network.forward(theta, x, workspace.caches(len(y)))
        losses = row_losses(loss, y, raw, weight, workspace.work)
        tasks = np.repeat(x.tasks, np.diff(x.starts, append=x.n_rows))
        for sum_, own in zip(sums, losses, strict=True):
            sum_ += np.bincount(tasks, own, n_tasks)
        weights += np.bincount(tasks, weight, n_tasks)
    return sums, weights
