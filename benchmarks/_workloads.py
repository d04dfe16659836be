"""Trainings whose speed is measured: shapes of networks, and made-up data of these shapes."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

# scikit-learn's defaults, for peers who have others
LEARNING_RATE, BETAS, EPSILON, ALPHA = 1e-3, (0.9, 0.999), 1e-8, 1e-4
QUICK_PRODUCTS = 10**8  # multiply-adds of a forward pass over all rows: --quick has no more


@dataclass(frozen=True)
class Workload:
    """The shape of a training, and the number of epochs worth timing.

    With a `density` below 1, X is a CSR matrix with that share of nonzeros.
    """

    n_rows: int
    n_features: int
    hidden: tuple
    n_outputs: int
    batch_size: int
    epochs: int
    is_classification: bool = True
    density: float = 1.0

    @property
    def sizes(self):
        """Widths of all layers, input and output included."""
        return (self.n_features, *self.hidden, self.n_outputs)

    @property
    def name(self):
        """Rows x features - hidden units - outputs, as in 1797x64-100-10."""
        hidden = "x".join(map(str, self.hidden))
        kind = "CSR " if self.is_sparse else ""
        return f"{kind}{self.n_rows}x{self.n_features}-{hidden}-{self.n_outputs}"

    @property
    def is_sparse(self):
        """Whether X is a CSR matrix."""
        return self.density < 1.0

    @property
    def is_quick(self):
        """Whether an epoch takes milliseconds."""
        weights = sum(a * b for a, b in zip(self.sizes[:-1], self.sizes[1:], strict=True))
        return self.n_rows * weights <= QUICK_PRODUCTS

    def data(self, dtype):
        """Standard normal X; normal y, or each class equally often. Both are noise."""
        rng = np.random.default_rng(0)
        shape = self.n_rows, self.n_features
        if self.is_sparse:
            X = sparse.random(*shape, self.density, "csr", dtype, random_state=rng)
        else:
            X = rng.standard_normal(shape, dtype=dtype)
        if self.is_classification:
            return X, rng.permutation(self.n_rows) % self.n_outputs
        return X, rng.standard_normal(self.n_rows, dtype=dtype)


def digits(batch_size, epochs):
    """The shape of scikit-learn's digits."""
    return Workload(1797, 64, (100,), 10, batch_size, epochs)


WORKLOADS = (
    digits(batch_size=200, epochs=40),
    digits(batch_size=32, epochs=20),
    Workload(20640, 8, (100,), 1, batch_size=200, epochs=8, is_classification=False),
    Workload(60000, 784, (100,), 10, batch_size=200, epochs=2),
    Workload(50000, 50, (256, 256, 256), 10, batch_size=256, epochs=1),
    Workload(50000, 50, (256, 256, 256), 10, batch_size=1024, epochs=1),
    Workload(20000, 784, (1024, 1024), 10, batch_size=256, epochs=1),
    Workload(20000, 20000, (100,), 2, batch_size=200, epochs=1, density=0.001),
)
