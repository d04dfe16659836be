"""What the benchmarks share: the two kinds of kernels, reusable memory, and noise."""

from math import prod

import numpy as np

KERNELS = ("NumPy", "compiled")
DTYPES = ("float32", "float64")


def use(kind):
    """Take kernels of this kind; skip the benchmark where there are none."""
    try:
        from skmlp import _kernels as kernels
    except ImportError:  # before there were kernels to choose from
        kernels = None
    compiled = kind == "compiled"
    if compiled and (kernels is None or not kernels.available()):
        raise NotImplementedError("nothing to compile with")
    if kernels is not None:
        kernels.use(compiled)


class Scratch:
    """Lends arrays, the same again for the same key, as the engine's memory does."""

    def __init__(self, dtype):
        self.dtype, self.arrays = np.dtype(dtype), {}

    def __call__(self, key, shape, dtype=None):
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        flat = self.arrays.get((key, dtype))
        if flat is None or flat.size < prod(shape):
            flat = self.arrays[key, dtype] = np.empty(prod(shape), dtype)
        return flat[: prod(shape)].reshape(shape)


def noise(*shape, dtype="float64", seed=0):
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.dtype(dtype))
