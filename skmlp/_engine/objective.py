"""Value and gradient of what is minimised: the one place for sample weights and penalties."""

from dataclasses import dataclass

import numpy as np

from .memory import Scratch
from .network import Workspace, evaluate
from .penalties import L2


@dataclass(frozen=True)
class Objective:
    """Loss over a network's raw outputs, plus penalties.

    Parameters
    ----------
    network : Network
    loss : skmlp.losses.Loss
    alpha : float
        Coupled L2 penalty, alpha / 2 * |weights|^2 divided by the sum of sample weights.
    penalties : tuple of OutputPenalty
        Penalties on the outputs of layers.
    """

    network: object
    loss: object
    alpha: float = 0.0
    penalties: tuple = ()

    def workspace(self, members, dtype, **options):
        """A workspace with the passes that the penalties need."""
        return Workspace(
            self.network,
            members,
            dtype,
            input_grad=any(penalty.input_grad for penalty in self.penalties),
            accumulate=any(penalty.writes_grad for penalty in self.penalties),
            kept=frozenset(penalty.depth for penalty in self.penalties),
            **options,
        )

    def value_and_grad(self, theta, x, y, weight, workspace, grad):
        """Weighted sums over the rows of x, without the penalty on parameters.

        Parameters
        ----------
        theta : ndarray of shape (members, P)
        x : ndarray of shape (1 or members, rows, n_features), or CSR
        y : ndarray of shape (rows, n_targets) or (rows,)
        weight : ndarray of shape (rows,) or None
        workspace : Workspace
        grad : ndarray of shape (members, P)
            Overwritten.

        Returns
        -------
        values : ndarray of shape (members,)
            In float64.
        """
        work, caches = workspace.work, workspace.caches(len(y))
        raw = self.network.forward(theta, x, caches)
        losses, d = work("losses", raw.shape[:2]), work("d raw", raw.shape)
        self.loss.loss_grad(y, raw, losses, d, work)
        if weight is not None:
            losses *= weight
            d *= weight[:, np.newaxis]
        values = losses.sum(axis=1, dtype=np.float64)
        extra = None
        if self.penalties:
            if any(penalty.writes_grad for penalty in self.penalties):
                grad.fill(0.0)
            extra = self._penalize(theta, caches, weight, work, values, grad)
        self.network.backward(theta, d, caches, grad, extra=extra)
        return values

    def finish(self, theta, values, grad, weight_sum, work):
        """Add the penalty on parameters to sums over rows and turn the values into means.

        Returns
        -------
        means : ndarray of shape (members,)
        scale : float
            By which the gradient, left as a sum, is still to be multiplied.
        """
        if self.alpha > 0:
            values = values + L2(self.alpha).add(self.network, theta, grad, work)
        return values / weight_sum, 1.0 / weight_sum

    def mean_loss(self, theta, data, workspace):
        """Mean loss of each member over a data set, without penalties, and the raw outputs."""
        raw = evaluate(self.network, theta, data.rows, data.index, workspace=workspace)
        y, weight = data.targets()
        return mean_loss(self.loss, y, raw, weight), raw

    def _penalize(self, theta, caches, weight, work, values, grad):
        extra = {}
        for penalty in self.penalties:
            depth = penalty.depth
            h = caches[depth - 1].out
            value, d = penalty.value_and_grad(self.network, theta, h, caches, weight, grad, work)
            values += value
            if d is not None:
                extra[depth] = extra[depth] + d if depth in extra else d
        return extra


def mean_loss(loss, y, raw, weight=None):
    """Weighted mean of a loss over rows, in float64, for raw outputs (members, rows, n_raw)."""
    losses = np.empty(raw.shape[:2], raw.dtype)
    loss.loss_grad(y, raw, losses, np.empty_like(raw), Scratch(raw.dtype))
    return np.average(losses.astype(np.float64), axis=1, weights=weight)
