"""Numbers as bins that fill up: learned piecewise linear functions of every column."""

from dataclasses import dataclass

import numpy as np

from .._kernels.plain import back_product, outer_product
from .columns import by_column
from .layers import Layer
from .memory import Block, Cache


@dataclass(frozen=True)
class Piecewise(Layer):
    """z_j = W_j' e(p_j) for every column j, side by side.

    Columns hold positions p among the bins: 2.5 is the middle of the third. Entry t of e, counted
    from 1, is how much of bin t lies below p: p - (t - 1) between 0 and 1, for the first bin
    without the lower bound and for the last without the upper one. This is the piecewise linear
    encoding of Gorishniy et al. (2022, arXiv 2203.05556). W starts at 0, so that whatever stands
    beside the layer learns first.

    Arrays inside have shape (members, n, rows, k), for n columns of at most k bins; what a column
    lacks of k stays 0.

    Parameters
    ----------
    heights : Block of shape (n, k, m)
        W: by how much z rises over each bin.
    bins : tuple of int
        Number of bins of each column.
    """

    heights: Block
    bins: tuple

    @property
    def blocks(self):
        return (self.heights,)

    @property
    def n_in(self):
        return self.heights.shape[0]

    @property
    def n_out(self):
        return self.heights.shape[0] * self.heights.shape[2]

    @property
    def n_inside(self):
        """Numbers that a row is turned into."""
        return self.heights.shape[0] * self.heights.shape[1]

    def allocate(self, space):
        z = space.array("z", self.n_out)
        return Cache(
            space,
            z=z,
            z_of=by_column(z, self.heights),
            d_in=space.array("d", self.n_in) if space.input_grad else None,
            starts=np.arange(self.heights.shape[1], dtype=space.work.dtype),
            bounds=self._bounds(space.work.dtype),
            moves=None,
        )

    def forward(self, theta, x, cache):
        (heights,) = cache.views("theta", theta, self.blocks)
        filled = cache.filled = self._inside("filled", len(x), cache)
        low, high = cache.bounds
        np.subtract(x.swapaxes(1, 2)[..., np.newaxis], cache.starts, out=filled)
        np.maximum(filled, low, out=filled)
        np.minimum(filled, high, out=filled)
        cache.moves = None
        np.matmul(filled, heights, out=cache.z_of)
        return cache.z

    def backward(self, theta, d, cache, grad):
        d_of = by_column(d, self.heights)
        if grad is not None:
            (target,) = cache.views("grad", grad, self.blocks)
            cache.write(self.heights, target, lambda out: outer_product(cache.filled, d_of, out))
        return self._to_input(theta, d_of, cache)

    def tangent(self, theta, t, cache):
        cache.rising = self._inside("rising", len(t), cache)
        np.multiply(t.swapaxes(1, 2)[..., np.newaxis], self._moves(cache), out=cache.rising)
        (heights,) = cache.views("theta", theta, self.blocks)
        out = cache.space.array("Jt", self.n_out)
        np.matmul(cache.rising, heights, out=by_column(out, self.heights))
        return out

    def tangent_backward(self, theta, d, cache, grad):
        d_of = by_column(d, self.heights)
        (target,) = cache.views("grad", grad, self.blocks)
        cache.write(self.heights, target, lambda out: outer_product(cache.rising, d_of, out))
        return self._to_input(theta, d_of, cache)

    def _bounds(self, dtype):
        """Smallest and largest entry for every bin of every column, (n, 1, k) each."""
        n, k, _ = self.heights.shape
        low, high = np.zeros((n, 1, k), dtype), np.zeros((n, 1, k), dtype)
        for j, n_bins in enumerate(self.bins):
            high[j, 0, :n_bins] = 1.0
            if n_bins:
                low[j, 0, 0], high[j, 0, n_bins - 1] = -np.inf, np.inf
        return low, high

    def _inside(self, name, members, cache):
        n, k, _ = self.heights.shape
        return cache.work((cache.space.path, name), (members, n, cache.space.rows, k))

    def _moves(self, cache):
        """1 where an entry follows its position, else 0."""
        if cache.moves is None:
            low, high = cache.bounds
            cache.moves = self._inside("moves", len(cache.filled), cache)
            np.multiply(cache.filled > low, cache.filled < high, out=cache.moves)
        return cache.moves

    def _to_input(self, theta, d_of, cache):
        if cache.d_in is None:
            return None
        (heights,) = cache.views("theta", theta, self.blocks)
        inside = back_product(d_of, heights, self._inside("d inside", len(d_of), cache))
        inside *= self._moves(cache)
        np.sum(inside, axis=-1, out=cache.d_in.swapaxes(1, 2))
        return cache.d_in
