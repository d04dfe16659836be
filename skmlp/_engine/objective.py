"""Value and gradient of what is minimised: the one place for sample weights and penalties.

(But for compiled steps, `skmlp._kernels.fused`, which tests compare with it.)
"""

from dataclasses import dataclass

import numpy as np

from .memory import Scratch
from .network import block_rows
from .penalties import add_l2


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

    def workspace(self, members, dtype, training=False, rngs=()):
        """A workspace with the passes that the penalties need."""
        accumulate = any(penalty.writes_grad for penalty in self.penalties)

        def pass_for(clean, training):
            penalties = [penalty for penalty in self.penalties if penalty.clean == clean]
            return self.network.workspace(
                members,
                dtype,
                input_grad=any(penalty.input_grad for penalty in penalties),
                accumulate=accumulate,
                kept=frozenset(penalty.depth for penalty in penalties),
                training=training,
                rngs=rngs,
            )

        workspace = pass_for(False, training)
        if any(penalty.clean for penalty in self.penalties):
            workspace.clean = pass_for(True, False)
        return workspace

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
        values = np.add.reduce(losses, axis=1, dtype=np.float64)
        extra = {}
        if self.penalties:
            if any(penalty.writes_grad for penalty in self.penalties):
                grad.fill(0.0)
            extra = self._penalize(theta, False, caches, weight, work, values, grad)
        self.network.backward(theta, d, caches, grad, extra=extra)
        if workspace.clean is not None:
            self._pass_without_noise(theta, x, weight, workspace.clean, values, grad)
        return values

    def of(self, member):
        """The objective of one member alone."""
        return self

    def finish(self, theta, values, grad, weight_sum, workspace):
        """Add the penalty on parameters to sums over rows and turn the values into means.

        Returns
        -------
        means : ndarray of shape (members,)
        scale : float
            By which the gradient, left as a sum, is still to be multiplied.
        """
        if self.alpha > 0:
            values = values + add_l2(self.alpha, self.network, theta, grad, workspace.work)
        return values / weight_sum, 1.0 / weight_sum

    def over(self, theta, data, workspace, grad):
        """Means of each member over a data set, block by block, all penalties included.

        `grad` is overwritten by the sum of the gradients. Returns what `finish` returns.
        """
        part, values, total = workspace.work("grad of a block", grad.shape), 0.0, 0.0
        grad.fill(0.0)
        block = block_rows(self.network, len(theta))
        for x, y, weight, weight_sum in data.batches(block, None, workspace.work):
            values = values + self.value_and_grad(theta, x, y, weight, workspace, part)
            grad += part
            total += weight_sum
        return self.finish(theta, values, grad, total, workspace)

    def mean_loss(self, theta, data, workspace, collect=False):
        """Mean loss of each member over a data set, block by block, without penalties.

        With `collect`, the raw outputs of shape (members, rows, n_raw) too, else None.
        """
        values, total, outputs = np.zeros(len(theta)), 0.0, []
        block = block_rows(self.network, len(theta))
        for x, y, weight, weight_sum in data.batches(block, None, workspace.work):
            raw = self.network.forward(theta, x, workspace.caches(len(y)))
            values += row_losses(self.loss, y, raw, weight, workspace.work).sum(axis=1)
            total += weight_sum
            if collect:
                outputs.append(raw.copy())
        return values / total, np.concatenate(outputs, axis=1) if collect else None

    def _pass_without_noise(self, theta, x, weight, workspace, values, grad):
        """Penalties at the uncorrupted input, and their gradients."""
        depth = max(penalty.depth for penalty in self.penalties if penalty.clean)
        caches, work = workspace.caches(x.shape[-2]), workspace.work
        h = self.network.forward(theta, x, caches, stop=depth)
        extra = self._penalize(theta, True, caches, weight, work, values, grad)
        d = work("d clean", h.shape)
        d.fill(0.0)
        self.network.backward(theta, d, caches, grad, stop=depth, extra=extra)

    def _penalize(self, theta, clean, caches, weight, work, values, grad):
        extra = {}
        for penalty in self.penalties:
            if penalty.clean != clean:
                continue
            depth = penalty.depth
            h = caches[depth - 1].out
            value, d = penalty.value_and_grad(self.network, theta, h, caches, weight, grad, work)
            values += value
            if d is not None:
                extra[depth] = extra[depth] + d if depth in extra else d
        return extra


def mean_loss(loss, y, raw, weight=None):
    """Weighted mean of a loss over rows, in float64, for raw outputs (members, rows, n_raw)."""
    values = row_losses(loss, y, raw, weight, Scratch(raw.dtype)).sum(axis=1)
    return values / (len(y) if weight is None else np.sum(weight, dtype=np.float64))


def row_losses(loss, y, raw, weight, work):
    """Weighted losses of rows, (members, rows), in float64."""
    losses, grad = work("losses", raw.shape[:2]), work("d raw", raw.shape)
    loss.loss_grad(y, raw, losses, grad, work)
    losses = losses.astype(np.float64)
    return losses if weight is None else losses * weight
