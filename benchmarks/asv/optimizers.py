"""Every optimizer that takes steps, on parameters of three networks."""

import numpy as np

from skmlp.optimizers import OPTIMIZERS

from .common import DTYPES, KERNELS, noise, use

STOCHASTIC = tuple(name for name, kind in OPTIMIZERS.items() if kind.stochastic)
# 64-100-10, 784-100-10 and 784-1024x2-10
SIZES = (7510, 79510, 1863690)


class Optimizers:
    """One step of one network."""

    param_names = ("optimizer", "parameters", "kernels", "dtype")
    params = (STOCHASTIC, SIZES, KERNELS, DTYPES)

    def setup(self, name, size, kernels, dtype):
        """Parameters, a gradient, and one step that loads what is loaded once."""
        use(kernels)
        self.optimizer = OPTIMIZERS[name]()
        self.theta, self.given = (noise(1, size, dtype=dtype, seed=seed) for seed in (0, 1))
        self.grad, self.t = np.empty_like(self.given), 0
        self.state = self.optimizer.init(self.theta)
        self.time_step()

    def time_step(self, *parameters):
        """A step with a scaled gradient; includes its copy, which is written over."""
        self.t += 1
        np.copyto(self.grad, self.given)
        self.optimizer.step(self.theta, self.grad, self.state, 1e-3, self.t, 0.005)
