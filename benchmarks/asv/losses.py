"""Every loss: value and gradient of a batch."""

import numpy as np

from skmlp.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES

from .common import DTYPES, KERNELS, Scratch, noise, use

LOSSES = {name: ("regression", kind) for name, kind in REGRESSION_LOSSES.items()} | {
    f"{name} {task}": (task, kind)
    for name, kinds in CLASSIFICATION_LOSSES.items()
    for task, kind in kinds.items()
}
N_TARGETS = {"regression": 1, "binary": 1, "multilabel": 10, "multiclass": 10}


def targets(task, loss, rows, dtype):
    """Class codes, zeros and ones, or numbers that the loss allows."""
    rng = np.random.default_rng(1)
    n = N_TARGETS[task]
    if task == "multiclass":
        return rng.integers(n, size=rows)
    if task != "regression":
        return rng.integers(2, size=(rows, n)).astype(dtype)
    positive = loss.domain.low == 0
    return (rng.poisson(3.0, (rows, n)) + 1 if positive else noise(rows, n)).astype(dtype)


class Losses:
    """Value and gradient, as training asks for them."""

    param_names = ("loss", "rows", "kernels", "dtype")
    params = (tuple(LOSSES), (32, 200, 4096), KERNELS, DTYPES)

    def setup(self, name, rows, kernels, dtype):
        """Targets, raw outputs, and one call that loads what is loaded once."""
        use(kernels)
        task, kind = LOSSES[name]
        self.loss, self.work = kind(), Scratch(dtype)
        self.y = targets(task, self.loss, rows, dtype)
        self.raw = noise(1, rows, self.loss.n_raw(N_TARGETS[task]), dtype=dtype)
        self.values, self.grad = np.empty((1, rows), dtype), np.empty_like(self.raw)
        self.time_loss_grad()

    def time_loss_grad(self, *parameters):
        """Losses of the rows, and the gradient with respect to the raw outputs."""
        self.loss.loss_grad(self.y, self.raw, self.values, self.grad, self.work)
