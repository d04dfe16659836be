"""Dense layers with a side input: the part of their weights that another network has written.

Rows come in groups that share one set of weights, sorted by group. The side input holds a vector
of values for every group; layers own blocks of that vector as they own blocks of theta, and add
what they owe to it to its gradient.
"""

from dataclasses import dataclass

import numpy as np

from .layers import Dense, Layer
from .memory import Block, Cache, Part


class Side:
    """The groups of a batch, and the values that another network has written for each.

    Attributes
    ----------
    values, grad : ndarray of shape (members, groups, n_values)
    starts : ndarray of int of shape (groups,)
        First row of every group.
    group : ndarray of int of shape (rows,)
        Group of every row.
    size : int
        Rows of a group if all have as many, else 0.
    allowed : ndarray of bool of shape (groups, n_raw) or None
        Outputs that the rows of a group can have; None for all.
    """

    def point(self, starts, n_rows, allowed=None):
        """Describe the groups of the next batch."""
        counts = np.diff(starts, append=n_rows)
        self.starts, self.allowed = starts, allowed
        self.group = np.repeat(np.arange(len(starts)), counts)
        self.size = int(counts[0]) if (counts == counts[0]).all() else 0
        stops = [*starts[1:].tolist(), n_rows]
        self.slices = [slice(a, b) for a, b in zip(starts.tolist(), stops, strict=True)]

    def spread(self, values, out):
        """Values of every row, given those of the groups: (members, groups, w) to rows."""
        return np.take(values, self.group, axis=1, out=out, mode="clip")

    def collect(self, rows, out):
        """Sums of every group, given values of rows."""
        if self.size == 1:
            np.copyto(out, rows)
        else:
            np.add.reduceat(rows, self.starts, axis=1, out=out)

    def split(self, rows):
        """Rows of groups of one size as (members, groups, rows of a group, width)."""
        return rows.reshape(len(rows), -1, self.size, rows.shape[-1])


class SideLayer(Layer):
    """A layer with a side input.

    Those of a dense kind also say which weights act on the rows of a group, (members, groups,
    n_in, n_out), and take back what a gradient of those means for theta and the values.
    """

    reads_side = True

    def tangent(self, theta, t, cache):
        raise NotImplementedError("Contractive penalties are for networks without a side input.")

    def tangent_backward(self, theta, d, cache, grad):
        raise NotImplementedError("Contractive penalties are for networks without a side input.")

    def effective(self, theta, values):
        """Weights (members, groups, n_in, n_out) and biases (members, groups, n_out)."""

    def effective_backward(self, theta, values, d_weight, d_bias, grad, d_values):
        """Add to `grad` and `d_values` what gradients of effective weights and biases mean."""

    def begin(self, mean, sd, gain):
        """Write means and standard deviations of the starting values, rows of shape (1, n)."""


@dataclass(frozen=True)
class GroupedDense(SideLayer):
    """z = x W_g + b_g, all weights written by another network, for the rows of every group g.

    Parameters
    ----------
    weight : Block of shape (n_in, n_out), of the side input
    bias : Block of shape (1, n_out), of the side input
    """

    weight: Block
    bias: Block

    @property
    def n_in(self):
        return self.weight.shape[0]

    @property
    def n_out(self):
        return self.weight.shape[1]

    def allocate(self, space):
        return Cache(
            space,
            z=space.array("z", self.n_out),
            d_in=space.array("d", self.n_in) if space.input_grad else None,
        )

    def forward(self, theta, x, cache):
        cache.x, side = x, cache.space.side
        weight, bias = self._views("values", side.values, cache)
        if side.size:
            z = side.split(cache.z)
            np.matmul(side.split(x), weight, out=z)
            z += bias
            return cache.z
        for g, rows in enumerate(side.slices):
            z = np.matmul(x[:, rows], weight[:, g], out=cache.z[:, rows])
            z += bias[:, g]
        return cache.z

    def backward(self, theta, d, cache, grad):
        side, x = cache.space.side, cache.x
        weight, _ = self._views("values", side.values, cache)
        if grad is not None:
            d_weight, d_bias = self._views("grad", side.grad, cache)
            side.collect(d, d_bias[:, :, 0])
            if side.size:
                np.matmul(side.split(x).swapaxes(-1, -2), side.split(d), out=d_weight)
            else:
                for g, rows in enumerate(side.slices):
                    np.matmul(x[:, rows].swapaxes(-1, -2), d[:, rows], out=d_weight[:, g])
        if cache.d_in is None:
            return None
        if side.size:
            np.matmul(side.split(d), weight.swapaxes(-1, -2), out=side.split(cache.d_in))
        else:
            for g, rows in enumerate(side.slices):
                np.matmul(d[:, rows], weight[:, g].swapaxes(-1, -2), out=cache.d_in[:, rows])
        return cache.d_in

    def effective(self, theta, values):
        return self.weight.view(values), self.bias.view(values)[:, :, 0]

    def effective_backward(self, theta, values, d_weight, d_bias, grad, d_values):
        self.weight.view(d_values)[...] += d_weight
        self.bias.view(d_values)[:, :, 0] += d_bias

    def begin(self, mean, sd, gain):
        # Half of the variance of z comes from the weights, half from the biases: hyperfan-in of
        # Chang, Flokas and Lipson (2020), ICLR.
        self.weight.view(sd)[...] = gain * (2.0 * self.n_in) ** -0.5
        self.bias.view(sd)[...] = gain * 0.5**0.5

    def _views(self, role, array, cache):
        return cache.views(role, array, (self.weight, self.bias))


@dataclass(frozen=True)
class RowwiseDense(SideLayer):
    """The same as `GroupedDense` without ever forming the weights of a group.

    The side input are the outputs h of the last hidden layer of the network that would write
    them, W_g = C + sum_k h_gk H_k, so that z = x C + sum_k (h_k x) H_k: a product with the
    columns of a Khatri-Rao product, one k at a time. It costs as many products as h has entries,
    and pays when hardly two rows share a group.

    Parameters
    ----------
    weight, weight_bias : Part
        H, (n_hidden, n_in, n_out), and C, (1, n_in, n_out), in theta.
    bias, bias_bias : Part
        The same for b_g, with shapes (n_hidden, 1, n_out) and (1, 1, n_out).
    """

    weight: Part
    weight_bias: Part
    bias: Part
    bias_bias: Part

    @property
    def n_in(self):
        return self.weight.shape[0]

    @property
    def n_out(self):
        return self.weight.shape[1]

    @property
    def blocks(self):
        return (self.weight, self.weight_bias, self.bias, self.bias_bias)

    def allocate(self, space):
        return Cache(
            space,
            z=space.array("z", self.n_out),
            d_in=space.array("d", self.n_in),
        )

    def forward(self, theta, x, cache):
        head, constant, bias_head, bias = cache.views("theta", theta, self.blocks)
        cache.x, h = x, self._hidden(cache)
        z, part = cache.z, cache.work("part of z", cache.z.shape)
        np.matmul(x, constant[:, 0], out=z)
        z += bias[:, 0]
        z += np.matmul(h, bias_head[:, :, 0], out=part)
        scaled = cache.work("h x", (len(h), *x.shape[1:]))
        for k in range(h.shape[-1]):
            np.multiply(x, h[..., k, np.newaxis], out=scaled)
            z += np.matmul(scaled, head[:, k], out=part)
        return z

    def backward(self, theta, d, cache, grad):
        head, constant, bias_head, _ = cache.views("theta", theta, self.blocks)
        d_head, d_constant, d_bias_head, d_bias = cache.views("grad", grad, self.blocks)
        x, h = cache.x, self._hidden(cache)
        np.matmul(x.swapaxes(-1, -2), d, out=d_constant[:, 0])
        np.sum(d, axis=1, out=d_bias[:, 0, 0])
        np.matmul(h.swapaxes(-1, -2), d, out=d_bias_head[:, :, 0])
        d_h = np.matmul(d, bias_head[:, :, 0].swapaxes(-1, -2), out=cache.work("d h", h.shape))
        d_in = np.matmul(d, constant[:, 0].swapaxes(-1, -2), out=cache.d_in)
        scaled = cache.work("h x", (len(h), *x.shape[1:]))
        for k in range(h.shape[-1]):
            np.multiply(x, h[..., k, np.newaxis], out=scaled)
            np.matmul(scaled.swapaxes(-1, -2), d, out=d_head[:, k])
            np.matmul(d, head[:, k].swapaxes(-1, -2), out=scaled)
            d_h[..., k] += np.einsum("mni,mni->mn", scaled, np.broadcast_to(x, scaled.shape))
            scaled *= h[..., k, np.newaxis]
            d_in += scaled
        shares = cache.work("d h of groups", cache.space.side.grad.shape)
        cache.space.side.collect(d_h, shares)
        cache.space.side.grad += shares
        return d_in

    def _hidden(self, cache):
        side = cache.space.side
        return side.spread(side.values, cache.space.array("h", side.values.shape[-1]))


@dataclass(frozen=True)
class LowRankDense(SideLayer, Dense):
    """z = x (W + U diag(s_g) V) + b_g, with s and b written by another network.

    Parameters
    ----------
    weight : Block of shape (n_in, n_out)
        W, in theta, as are `left`, U of shape (n_in, rank), and `right`, V of (rank, n_out).
    strengths, shift : Block of shapes (1, rank) and (1, n_out), of the side input
        s and b.
    """

    left: Block | None = None
    right: Block | None = None
    strengths: Block | None = None
    shift: Block | None = None

    # How different groups are at the start: with .3 or 1 many small tasks were fitted worse.
    SHARE = 0.1

    @property
    def rank(self):
        return self.left.shape[1]

    @property
    def blocks(self):
        return (self.weight, self.left, self.right)

    def forward(self, theta, x, cache):
        z, side = super().forward(theta, x, cache), cache.space.side
        left, right = cache.views("factors", theta, (self.left, self.right))
        strengths, shift = cache.views("values", side.values, (self.strengths, self.shift))
        cache.s = side.spread(strengths[:, :, 0], cache.space.array("s", self.rank))
        cache.xu = np.matmul(x, left, out=cache.space.array("xu", self.rank))
        scaled = np.multiply(cache.xu, cache.s, out=cache.space.array("xus", self.rank))
        part = np.matmul(scaled, right, out=cache.work("part of z", z.shape))
        z += part
        z += side.spread(shift[:, :, 0], part)
        return z

    def backward(self, theta, d, cache, grad):
        left, right = cache.views("factors", theta, (self.left, self.right))
        d_left, d_right = cache.views("d factors", grad, (self.left, self.right))
        side, array = cache.space.side, cache.space.array
        d_strengths, d_shift = cache.views("d values", side.grad, (self.strengths, self.shift))
        scaled = np.multiply(cache.xu, cache.s, out=array("xus", self.rank))
        np.matmul(scaled.swapaxes(-1, -2), d, out=d_right)
        d_scaled = np.matmul(d, right.swapaxes(-1, -2), out=array("d xus", self.rank))
        side.collect(np.multiply(d_scaled, cache.xu, out=scaled), d_strengths[:, :, 0])
        side.collect(d, d_shift[:, :, 0])
        d_scaled *= cache.s
        np.matmul(cache.x.swapaxes(-1, -2), d_scaled, out=d_left)
        d_in = super().backward(theta, d, cache, grad)
        if d_in is not None:
            part = cache.work("part of d", d_in.shape)
            d_in += np.matmul(d_scaled, left.swapaxes(-1, -2), out=part)
        return d_in

    def effective(self, theta, values):
        left, right, strengths = self._factors(theta, values)
        weight = np.matmul(left * strengths, right)
        weight += self.weight.view(theta)[:, np.newaxis]
        return weight, self.shift.view(values)[:, :, 0]

    def effective_backward(self, theta, values, d_weight, d_bias, grad, d_values):
        left, right, strengths = self._factors(theta, values)
        self.weight.view(grad)[...] += d_weight.sum(axis=1)
        d_scaled = np.matmul(d_weight, right.swapaxes(-1, -2))
        self.strengths.view(d_values)[...] += (d_scaled * left).sum(axis=2, keepdims=True)
        self.left.view(grad)[...] += (d_scaled * strengths).sum(axis=1)
        d_right = np.matmul((left * strengths).swapaxes(-1, -2), d_weight)
        self.right.view(grad)[...] += d_right.sum(axis=1)
        self.shift.view(d_values)[:, :, 0] += d_bias

    def initialize(self, theta, rng):
        super().initialize(theta, rng)
        self.left.view(theta)[...] = rng.normal(0.0, self.n_in**-0.5, self.left.shape)
        self.right.view(theta)[...] = rng.normal(0.0, self.rank**-0.5, self.right.shape)

    def begin(self, mean, sd, gain):
        self.strengths.view(sd)[...] = self.SHARE * gain
        self.shift.view(sd)[...] = self.SHARE * gain

    def _factors(self, theta, values):
        left, right = (block.view(theta)[:, np.newaxis] for block in (self.left, self.right))
        return left, right, self.strengths.view(values)


@dataclass(frozen=True)
class FilmDense(SideLayer, Dense):
    """z = gamma_g (x W + b) + beta_g, with gamma and beta written by another network.

    Feature-wise linear modulation (Perez et al. 2018, AAAI).

    Parameters
    ----------
    weight, bias : Block
        W and b, in theta.
    strengths, shift : Block of shape (1, n_out), of the side input
        gamma and beta.
    """

    strengths: Block | None = None
    shift: Block | None = None

    SHARE = 0.1

    def forward(self, theta, x, cache):
        z, side = super().forward(theta, x, cache), cache.space.side
        strengths, shift = cache.views("values", side.values, (self.strengths, self.shift))
        cache.plain = cache.space.array("plain", self.n_out)
        np.copyto(cache.plain, z)
        cache.s = side.spread(strengths[:, :, 0], cache.space.array("s", self.n_out))
        z *= cache.s
        z += side.spread(shift[:, :, 0], cache.work("part of z", z.shape))
        return z

    def backward(self, theta, d, cache, grad):
        side = cache.space.side
        d_strengths, d_shift = cache.views("d values", side.grad, (self.strengths, self.shift))
        side.collect(d, d_shift[:, :, 0])
        cache.plain *= d
        side.collect(cache.plain, d_strengths[:, :, 0])
        d *= cache.s
        return super().backward(theta, d, cache, grad)

    def effective(self, theta, values):
        strengths = self.strengths.view(values)
        bias = self.bias.view(theta) * strengths[:, :, 0] + self.shift.view(values)[:, :, 0]
        return self.weight.view(theta)[:, np.newaxis] * strengths, bias

    def effective_backward(self, theta, values, d_weight, d_bias, grad, d_values):
        strengths = self.strengths.view(values)
        weight, bias = self.weight.view(theta)[:, np.newaxis], self.bias.view(theta)
        self.weight.view(grad)[...] += (d_weight * strengths).sum(axis=1)
        self.bias.view(grad)[:, 0] += (d_bias * strengths[:, :, 0]).sum(axis=1)
        d_strengths = (d_weight * weight).sum(axis=2) + d_bias * bias
        self.strengths.view(d_values)[:, :, 0] += d_strengths
        self.shift.view(d_values)[:, :, 0] += d_bias

    def begin(self, mean, sd, gain):
        self.strengths.view(mean)[...] = 1.0
        self.strengths.view(sd)[...] = self.SHARE
        self.shift.view(sd)[...] = self.SHARE


@dataclass(frozen=True)
class Allowed(SideLayer):
    """Raw outputs as they are where a group can have them, and too small to count elsewhere."""

    width: int

    # Squares of it are still finite in float32.
    NEVER = -1e18

    def allocate(self, space):
        return Cache(space, mask=None)

    def forward(self, theta, x, cache):
        side = cache.space.side
        cache.mask = None if side.allowed is None else ~side.allowed[side.group]
        if cache.mask is not None:
            np.copyto(x, self.NEVER, where=cache.mask)
        return x

    def backward(self, theta, d, cache, grad):
        if cache.mask is not None:
            np.copyto(d, 0.0, where=cache.mask)
        return d
