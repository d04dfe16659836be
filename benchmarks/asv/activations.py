"""Every activation: values, and products with the derivative."""

import numpy as np

from skmlp.activations import ACTIVATIONS, LearnedActivation

from .common import DTYPES, KERNELS, Scratch, noise, use


class Activations:
    """One layer's batch; the last axis is the width."""

    param_names = ("activation", "rows x width", "kernels", "dtype")
    params = (tuple(ACTIVATIONS), ("32x100", "200x100", "256x1024"), KERNELS, DTYPES)

    def setup(self, name, shape, kernels, dtype):
        """Inputs, values and gradients, and one call that loads what is loaded once."""
        use(kernels)
        self.activation = ACTIVATIONS[name]()
        rows, width = map(int, shape.split("x"))
        self.z, self.upstream = (noise(1, rows, width, dtype=dtype, seed=seed) for seed in (0, 1))
        self.a, self.grad = np.empty_like(self.z), np.empty_like(self.z)
        self.work = Scratch(dtype)
        self.slope = ()
        if isinstance(self.activation, LearnedActivation):
            self.slope = (np.full((1, 1, 1), self.activation.initial_slope, dtype),)
        self.time_forward()
        self.time_backward()

    def time_forward(self, *parameters):
        """f(z) into another array."""
        self.activation.forward(self.z, self.a, self.work, *self.slope)

    def time_backward(self, *parameters):
        """grad * f'(z); includes a copy of the gradient, which is written over."""
        np.copyto(self.grad, self.upstream)
        self.activation.backward(self.z, self.a, self.grad, self.work, *self.slope)
