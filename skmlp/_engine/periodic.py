"""Numbers as waves: a few learned functions of every column at the front of a network."""

from dataclasses import dataclass
from math import tau

import numpy as np
from scipy.sparse import issparse

from .. import _kernels as kernels
from .._kernels.plain import back_product, outer_product
from .columns import by_column
from .layers import Layer
from .memory import Block, Cache

# Waves of each column (Holzmueller et al. 2024, arXiv 2407.04491).
N_WAVES = 16


@dataclass(frozen=True)
class Periodic(Layer):
    """z_j = W_j' cos(2 pi (f_j x_j + b_j)) + c_j for every column j, side by side.

    The periodic embeddings of Gorishniy et al. (2022, arXiv 2203.05556) with biases in place of
    sines (Holzmueller et al. 2024, arXiv 2407.04491). All four blocks are learned.

    Arrays inside have shape (members, n, rows, k), for k waves of each of n columns, so that each
    pass is a few batched products.

    Parameters
    ----------
    frequencies, phases : Block of shape (n, k)
        f and b, in turns: f starts as N(0, sigma^2), b as U(-1/2, 1/2).
    mixing : Block of shape (n, k, m)
        W; starts as U(-1, 1) / sqrt(k).
    offsets : Block of shape (1, n * m)
        c; starts in the same way.
    sigma : float
    """

    frequencies: Block
    phases: Block
    mixing: Block
    offsets: Block
    sigma: float = 0.1

    @classmethod
    def of(cls, layout, mixing, sigma):
        """With the other blocks from `layout`."""
        n, k, size = mixing.shape
        waves = layout.block(n, k), layout.block(n, k)
        return cls(*waves, mixing, layout.block(1, n * size), sigma)

    @property
    def blocks(self):
        return self.frequencies, self.phases, self.mixing, self.offsets

    @property
    def n_in(self):
        return self.frequencies.shape[0]

    @property
    def n_out(self):
        return self.offsets.shape[1]

    @property
    def n_inside(self):
        """Numbers that a row is turned into."""
        return self.frequencies.size

    def allocate(self, space):
        n, k, _ = self.mixing.shape
        z, ones = space.array("z", self.n_out), space.work("ones", (1, 1, space.rows))
        ones.fill(1.0)
        return Cache(
            space,
            z=z,
            z_of=by_column(z, self.mixing),
            d_in=space.array("d", n) if space.input_grad else None,
            ones=ones,
            angle=self._inside("angle", space),
            wave=self._inside("wave", space),
            rates=space.work((space.path, "rates"), (space.members, n, 2, k)),
            d_rates=space.work((space.path, "d rates"), (space.members, n, 2, k)),
            sine=None,
            owed=None,
        )

    def forward(self, theta, x, cache):
        frequencies, phases, mixing, offsets = cache.views("theta", theta, self.blocks)
        np.multiply(frequencies, tau, out=cache.rates[:, :, 0])
        np.multiply(phases, tau, out=cache.rates[:, :, 1])
        cache.with_one = self._with_one(x, cache)
        cache.sine = cache.owed = None
        np.matmul(cache.with_one, cache.rates, out=cache.angle)
        np.cos(cache.angle, out=cache.wave)
        np.matmul(cache.wave, mixing, out=cache.z_of)
        kernels.add_bias(cache.z, offsets)
        return cache.z

    def backward(self, theta, d, cache, grad):
        d_of = by_column(d, self.mixing)
        if grad is not None:
            target = cache.views("grad", grad, self.blocks)
            cache.write(self.mixing, target[2], lambda out: outer_product(cache.wave, d_of, out))
            cache.write(self.offsets, target[3], lambda out: np.matmul(cache.ones, d, out=out))
        elif cache.d_in is None:
            return None
        d_angle = self._d_wave(theta, d_of, cache)
        d_angle *= self._sine(cache)
        if grad is not None:
            if cache.owed is not None:
                d_angle += cache.owed
                cache.owed = None
            both = outer_product(cache.with_one, d_angle, cache.d_rates)
            both *= -tau
            cache.write(self.frequencies, target[0], lambda out: np.copyto(out, both[:, :, 0]))
            cache.write(self.phases, target[1], lambda out: np.copyto(out, both[:, :, 1]))
        return self._to_input(d_angle, cache)

    def tangent(self, theta, t, cache):
        members, rows, n = t.shape
        # The caller may reuse t's memory while this layer still needs it.
        cache.t = cache.work((cache.space.path, "t"), (members, n, rows, 1))
        np.copyto(cache.t[..., 0], t.swapaxes(1, 2))
        turned = self._turned(cache)
        turned *= self._sine(cache)
        mixing = cache.views("theta", theta, self.blocks)[2]
        out = cache.space.array("Jt", self.n_out)
        np.matmul(turned, mixing, out=by_column(out, self.mixing))
        return np.negative(out, out=out)

    def tangent_backward(self, theta, d, cache, grad):
        d_of, target = by_column(d, self.mixing), cache.views("grad", grad, self.blocks)
        d_angle, turned = self._d_wave(theta, d_of, cache), self._turned(cache)
        self._owe(d_angle, turned, cache)
        sine = self._sine(cache)
        d_angle *= sine
        turned *= sine
        np.negative(turned, out=turned)
        cache.write(self.mixing, target[2], lambda out: outer_product(turned, d_of, out))
        own = outer_product(cache.t, d_angle, cache.d_rates[:, :, :1])
        own *= -tau
        cache.write(self.frequencies, target[0], lambda out: np.copyto(out, own[:, :, 0]))
        return self._to_input(d_angle, cache)

    def initialize(self, theta, rng):
        end = self.mixing.shape[1] ** -0.5
        self.frequencies.view(theta)[...] = rng.normal(0.0, self.sigma, self.frequencies.shape)
        self.phases.view(theta)[...] = rng.uniform(-0.5, 0.5, self.phases.shape)
        for block in (self.mixing, self.offsets):
            block.view(theta)[...] = rng.uniform(-end, end, block.shape)

    def _inside(self, name, space):
        """Array of one number for every wave of every row, (members, n, rows, k)."""
        n, k, _ = self.mixing.shape
        return space.work((space.path, name), (space.members, n, space.rows, k))

    def _with_one(self, x, cache):
        """x and a 1 for every number, (1 or members, n, rows, 2)."""
        if issparse(x):
            x = x.toarray()[np.newaxis]
        key = cache.space.path, "with one"
        out = cache.work(key, (len(x), x.shape[2], x.shape[1], 2))
        np.copyto(out[..., 0], x.swapaxes(1, 2))
        out[..., 1] = 1.0
        return out

    def _sine(self, cache):
        """Sines of the angles, which take the place of these."""
        if cache.sine is None:
            cache.sine = np.sin(cache.angle, out=cache.angle)
        return cache.sine

    def _d_wave(self, theta, d_of, cache):
        mixing = cache.views("theta", theta, self.blocks)[2]
        return back_product(d_of, mixing, self._inside("d wave", cache.space))

    def _turned(self, cache):
        """By how much t turns the angles."""
        return np.multiply(cache.t, cache.rates[:, :, :1], out=self._inside("turned", cache.space))

    def _owe(self, d_wave, turned, cache):
        """Keep what J t owes to the angles, with the sign that `backward` has before the end."""
        share = np.multiply(d_wave, turned, out=self._inside("share", cache.space))
        share *= cache.wave
        if cache.owed is None:
            cache.owed = self._inside("owed", cache.space)
            np.copyto(cache.owed, share)
        else:
            cache.owed += share

    def _to_input(self, d_angle, cache):
        """Gradient of the input for minus that of the angles."""
        if cache.d_in is None:
            return None
        back = cache.d_in.swapaxes(1, 2)[..., np.newaxis]
        np.matmul(d_angle, cache.rates[:, :, 0, :, np.newaxis], out=back)
        return np.negative(cache.d_in, out=cache.d_in)
