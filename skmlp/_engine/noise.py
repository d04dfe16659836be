"""Layers that corrupt the input in training, for denoising."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf

import numpy as np
from scipy.sparse import issparse

from .batches import Reconstruction
from .layers import Layer
from .memory import Cache

__all__ = ["NOISES", "FixedNoise", "GaussianNoise", "MaskingNoise", "Noise", "SaltAndPepper"]


@dataclass(frozen=True)
class Noise(Layer, ABC):
    """The first layer of a network: in training a corrupted copy of the input, else the input.

    Each member draws from its own generator. Nothing flows back through it: what depends on the
    uncorrupted input is computed by a pass without training.

    Parameters
    ----------
    level : float
    width : int

    Attributes
    ----------
    largest_level : float
        The largest level there is.
    """

    level: float
    width: int

    keeps_output = True
    corrupts = True
    largest_level = inf

    @classmethod
    def of(cls, level, low, high):
        """Noise of that level for columns with these smallest and largest values."""
        return cls(level, len(low))

    def allocate(self, space):
        return Cache(space, noisy=space.array("noisy", self.width) if space.training else None)

    def forward(self, theta, x, cache):
        if cache.noisy is None:
            return x
        np.copyto(cache.noisy, x.toarray() if issparse(x) else x)
        for rng, rows in zip(cache.space.rngs, cache.noisy, strict=True):
            self.corrupt(rows, rng, cache.work)
        return cache.noisy

    def backward(self, theta, d, cache, grad):
        return d

    def tangent(self, theta, t, cache):
        return t

    def tangent_backward(self, theta, d, cache, grad):
        return d

    @abstractmethod
    def corrupt(self, rows, rng, work):
        """Change `rows` of shape (rows, width) in place."""

    def _uniform(self, rows, rng, work):
        """Numbers from [0, 1), one for each entry."""
        drawn = work("noise", rows.shape, rows.dtype)
        rng.random(dtype=rows.dtype, out=drawn)
        return drawn


@dataclass(frozen=True)
class GaussianNoise(Noise):
    """x + level * N(0, 1)."""

    def corrupt(self, rows, rng, work):
        drawn = work("noise", rows.shape, rows.dtype)
        rng.standard_normal(dtype=rows.dtype, out=drawn)
        drawn *= self.level
        rows += drawn


@dataclass(frozen=True)
class MaskingNoise(Noise):
    """Zero for the fraction `level` of the entries, drawn one by one."""

    largest_level = 1.0

    def corrupt(self, rows, rng, work):
        kept = self._uniform(rows, rng, work)
        np.greater_equal(kept, self.level, out=kept)
        rows *= kept


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    """The smallest or the largest value of its column for the fraction `level` of the entries.

    Parameters
    ----------
    low, high : ndarray of shape (width,)
        Those values.
    """

    low: np.ndarray = None
    high: np.ndarray = None

    largest_level = 1.0

    @classmethod
    def of(cls, level, low, high):
        return cls(level, len(low), low, high)

    def corrupt(self, rows, rng, work):
        drawn = self._uniform(rows, rng, work)
        for below, values in ((self.level / 2, self.low), (self.level, self.high)):
            hit = np.less(drawn, below, out=work("noise hit", rows.shape, bool))
            np.copyto(rows, values, where=hit, casting="same_kind")
            drawn[hit] = 1.0


@dataclass(frozen=True)
class FixedNoise(Reconstruction):
    """Rows that are to be reconstructed from a corrupted copy, the same at every pass.

    Whatever the size of the blocks, an entry gets the same noise.

    Parameters
    ----------
    noise : Noise
    seed : int or sequence of int
    """

    noise: Noise = None
    seed: object = 0

    def batches(self, batch_size, order, work):
        rng = np.random.default_rng(self.seed)
        for _, y, weight, total in super().batches(batch_size, order, work):
            noisy = work("corrupted", y.shape)
            np.copyto(noisy, y)
            self.noise.corrupt(noisy, rng, work)
            yield noisy[np.newaxis], y, weight, total


NOISES = {
    "gaussian": GaussianNoise,
    "masking": MaskingNoise,
    "salt_and_pepper": SaltAndPepper,
}
