"""Those that skmlp is timed against: PyTorch, JAX, and the bare matrix products of the steps.

Each is called with a workload, a number of epochs and the dtype, and has ``fit(X, y)`` and
``n_iter_``, as an estimator. All take the same number of steps of the same objective: Adam with
scikit-learn's settings, and its L2 penalty.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from _jax_training import configure, train
from _workloads import ALPHA, BETAS, EPSILON, LEARNING_RATE


class PyTorch:
    """PyTorch as its tutorials write it: eager, a loop over minibatches, Adam in one kernel."""

    def __init__(self, workload, epochs, dtype):
        self.workload, self.epochs, self.dtype = workload, epochs, dtype

    def fit(self, X, y):
        """Train for so many epochs."""
        import torch

        torch.manual_seed(0)
        model = self._network(torch)
        optimizer = self._adam(torch, model.parameters())
        loss = torch.nn.functional.cross_entropy
        if not self.workload.is_classification:
            y, loss = y[:, np.newaxis], _half_squared_error
        X, y = torch.from_numpy(X), torch.from_numpy(y)
        self.loss_curve_ = [
            self._epoch(torch, model, optimizer, loss, X, y) for _ in range(self.epochs)
        ]
        self.n_iter_ = len(self.loss_curve_)
        return self

    def _network(self, torch):
        sizes, nn, layers = self.workload.sizes, torch.nn, []
        for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Linear(n_in, n_out), nn.ReLU()]
        return nn.Sequential(*layers[:-1]).to(getattr(torch, self.dtype))

    def _adam(self, torch, parameters):
        parameters = list(parameters)
        settings = {
            "lr": LEARNING_RATE,
            "betas": BETAS,
            "eps": EPSILON,
            "weight_decay": ALPHA / self.workload.batch_size,
        }
        try:
            return torch.optim.Adam(parameters, fused=True, **settings)
        except RuntimeError:  # before PyTorch 2.4 there is none for processors
            return torch.optim.Adam(parameters, foreach=True, **settings)

    def _epoch(self, torch, model, optimizer, loss, X, y):
        total = torch.zeros(())
        for index in torch.randperm(len(X)).split(self.workload.batch_size):
            optimizer.zero_grad()
            value = loss(model(X[index]), y[index])
            value.backward()
            optimizer.step()
            total += value.detach() * len(index)
        return total.item() / len(X)


def _half_squared_error(raw, y):
    return 0.5 * (raw - y).square().mean()


class Jax:
    """JAX in a process of its own, whose threads it takes; `worker` comes from `jax_worker`."""

    def __init__(self, worker, workload, epochs, dtype):
        self.worker, self.arguments = worker, (workload, epochs, dtype)

    def fit(self, X, y):
        """Train there; the process makes the same X and y itself, once."""
        self.loss_curve_ = self.worker.submit(train, *self.arguments).result()
        self.n_iter_ = len(self.loss_curve_)
        return self


def jax_worker(threads):
    """A process for JAX: the number of its threads is read once, when its backend starts."""
    return ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=configure, initargs=(threads,)
    )


class Floor:
    """The matrix products of an epoch's steps by NumPy, and nothing else.

    Forward, gradient of the weights, gradient of the inputs but for the first layer, into arrays
    that are there already. X is read in order, the other factors are noise.
    """

    def __init__(self, workload, epochs, dtype):
        self.workload, self.epochs, self.dtype = workload, epochs, dtype

    def fit(self, X, y):
        """Multiply for so many epochs."""
        n_rows, batch = self.workload.n_rows, self.workload.batch_size
        rng = np.random.default_rng(0)
        layers = [_Products(rng, n_in, n_out, batch, self.dtype) for n_in, n_out in self._shapes()]
        for _ in range(self.epochs):
            for start in range(0, n_rows, batch):
                x = X[start : start + batch]
                for i, layer in enumerate(layers):
                    layer.run(x if i == 0 else None, len(x))
        self.n_iter_ = self.epochs
        return self

    def _shapes(self):
        return zip(self.workload.sizes[:-1], self.workload.sizes[1:], strict=True)


class _Products:
    """The products of one layer."""

    def __init__(self, rng, n_in, n_out, batch, dtype):
        def noise(*shape):
            return rng.standard_normal(shape, dtype=np.dtype(dtype))

        self.a, self.delta, self.weight = (
            noise(batch, n_in),
            noise(batch, n_out),
            noise(n_in, n_out),
        )
        self.z, self.grad, self.back = map(np.empty_like, (self.delta, self.weight, self.a))
        # For the products with one unit BLAS takes ten times as long.
        self.multiply = np.multiply if n_out == 1 else np.matmul

    def run(self, x, n):
        """The products of the first n rows; `x` is given to the first layer only."""
        delta = self.delta[:n]
        a = self.a[:n] if x is None else x
        np.matmul(a, self.weight, out=self.z[:n])
        np.matmul(a.T, delta, out=self.grad)
        if x is None:
            self.multiply(delta, self.weight.T, out=self.back[:n])
