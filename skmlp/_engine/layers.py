"""The layers of a network: four passes each, over arrays of shape (members, rows, features)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .. import _kernels as kernels
from .._kernels.plain import back_product, outer_product, product
from .memory import Block, Cache


class Layer(ABC):
    """The contract every layer keeps; no layer knows its neighbours.

    Parameters live in blocks of theta, an array of shape (members, P). `forward` must run
    before the other passes, which read what it left in the cache. Arrays handed in as `d` or
    `t` belong to the callee, which may overwrite them; arrays handed back are the layer's own
    and live until its next pass.

    Attributes
    ----------
    keeps_output : bool
        Whether a later pass reads the layer's output, so that nobody may write over it.
    corrupts : bool
        Whether in training the layer puts out a corrupted copy of its input.
    blocks : tuple of Block
        The parameters, in the order in which `backward` writes their gradients.
    reads_side : bool
        Whether the layer has a side input, see `skmlp._engine.modulated`.
    """

    keeps_output = False
    reads_side = False
    corrupts = False
    blocks = ()

    @abstractmethod
    def allocate(self, space):
        """Cache for batches of `space.rows` rows."""

    @abstractmethod
    def forward(self, theta, x, cache):
        """Output z for the input x."""

    @abstractmethod
    def backward(self, theta, d, cache, grad):
        """Gradient with respect to the input, given `d`, that with respect to the output.

        Adds the parameters' gradient to `grad` (the first writer of a block overwrites it);
        with None only the input's gradient is computed.
        """

    @abstractmethod
    def tangent(self, theta, t, cache):
        """Directional derivative J t of the output along `t`, at the last input."""

    @abstractmethod
    def tangent_backward(self, theta, d, cache, grad):
        """Reverse of the tangent pass: gradient with respect to `t`, given that of J t.

        Adds the parameters' share to `grad`. What J t owes to the input of the forward pass
        waits in the cache for the next `backward` that has a gradient.
        """

    def initialize(self, theta, rng):
        """Write starting values into `theta`, of shape (1, P)."""


@dataclass(frozen=True)
class Dense(Layer):
    """z = x W_eff + b with W_eff = factor * diag(scale) W.

    Parameters
    ----------
    weight : Block of shape (n_in, n_out)
    bias : Block of shape (1, n_out), optional
    scale : Block of shape (n_in, 1), optional
        Learned scale of the inputs. It belongs here and not to a layer of its own, so that
        sparse input is never made dense.
    factor : float
        Fixed factor of the neural tangent parametrization.
    initializer, gain
        How `initialize` draws W_eff and b. Without an initializer it leaves them: a tied layer's
        weights are drawn by the other holder, and its bias starts at 0.
    """

    weight: Block
    bias: Block | None = None
    scale: Block | None = None
    factor: float = 1.0
    initializer: object = None
    gain: float = 1.0

    @property
    def n_in(self):
        return self.weight.shape[-1 if self.weight.transposed else 0]

    @property
    def n_out(self):
        return self.weight.shape[0 if self.weight.transposed else -1]

    @property
    def blocks(self):
        return tuple(b for b in (self.weight, self.bias, self.scale) if b is not None)

    def allocate(self, space):
        plain = self.scale is None and self.factor == 1.0
        ones = space.work("ones", (1, 1, space.rows))
        ones.fill(1.0)
        return Cache(
            space,
            z=space.array("z", self.n_out),
            d_in=space.array("d", self.n_in) if space.input_grad else None,
            effective=None if plain else self._like_weight(space.parameters("W", self.weight)),
            in_one_go=plain and not (self.bias is None or space.adds or self.weight.transposed),
            ones=ones,
            t=None,
        )

    def forward(self, theta, x, cache):
        weight, bias, scale = self._views("theta", theta, cache)
        if cache.effective is not None:
            np.multiply(weight, self.factor, out=cache.effective)
            if scale is not None:
                cache.effective *= scale
            weight = cache.effective
        cache.x, cache.weight = x, weight
        if bias is None:
            product(x, weight, cache.z)
        else:
            kernels.affine(cache.z, x, weight, bias)
        return cache.z

    def backward(self, theta, d, cache, grad):
        if grad is not None and cache.in_one_go:
            target, bias_target, _ = self._views("grad", grad, cache)
            kernels.affine_backward(
                target, bias_target, cache.d_in, cache.x, d, cache.weight, cache.ones
            )
            return cache.d_in
        if grad is not None:
            self._write_weight(theta, cache.x, d, cache, grad)
            if self.bias is not None:
                target = self._views("grad", grad, cache)[1]
                cache.write(self.bias, target, lambda out: np.matmul(cache.ones, d, out=out))
        return None if cache.d_in is None else back_product(d, cache.weight, cache.d_in)

    def tangent(self, theta, t, cache):
        # The caller may reuse t's memory while this layer still needs it.
        cache.t = cache.work((cache.space.path, "t"), t.shape)
        np.copyto(cache.t, t)
        return np.matmul(t, cache.weight, out=cache.space.array("Jt", self.n_out))

    def tangent_backward(self, theta, d, cache, grad):
        self._write_weight(theta, cache.t, d, cache, grad)
        return None if cache.d_in is None else back_product(d, cache.weight, cache.d_in)

    def initialize(self, theta, rng):
        if self.scale is not None:
            self.scale.view(theta)[...] = 1.0
        if self.initializer is None:
            return
        drawn = self.initializer.weights(rng, self.n_in, self.n_out, self.gain)
        self.weight.view(theta)[...] = drawn / self.factor
        if self.bias is not None:
            drawn = self.initializer.biases(rng, self.n_in, self.n_out, self.gain)
            self.bias.view(theta)[...] = drawn

    def _views(self, role, array, cache):
        return cache.views(role, array, (self.weight, self.bias, self.scale))

    def _like_weight(self, array):
        return array.swapaxes(-1, -2) if self.weight.transposed else array

    def _write_weight(self, theta, x, d, cache, grad):
        target, _, scale_target = self._views("grad", grad, cache)
        if cache.effective is None:
            cache.write(self.weight, target, lambda out: outer_product(x, d, out))
            return
        effective = self._like_weight(cache.space.parameters("dW", self.weight))
        outer_product(x, d, effective)
        effective *= self.factor
        weight, _, scale = self._views("theta", theta, cache)
        if scale is None:
            cache.write(self.weight, target, lambda out: np.copyto(out, effective))
            return
        cache.write(self.weight, target, lambda out: np.multiply(effective, scale, out=out))
        cache.write(
            self.scale,
            scale_target,
            lambda out: np.einsum("mio,mio->mi", effective, weight, out=out[..., 0]),
        )


@dataclass(frozen=True)
class Activate(Layer):
    """a = f(z), element by element; learned slopes are a block of this layer.

    Parameters
    ----------
    activation : skmlp.activations.Activation
    width : int
    slopes : Block of shape (1, 1) or (1, width), optional
    """

    activation: object
    width: int
    slopes: Block | None = None

    keeps_output = True

    @property
    def blocks(self):
        return () if self.slopes is None else (self.slopes,)

    def allocate(self, space):
        in_place = space.in_place and not self.activation.needs_input
        return Cache(space, own=None if in_place else space.array("a", self.width), owed=None)

    def forward(self, theta, x, cache):
        cache.z = x
        cache.a = x if cache.own is None else cache.own
        cache.owed = None
        self.activation.forward(x, cache.a, cache.work, *self._slope(theta, cache))
        return cache.a

    def backward(self, theta, d, cache, grad):
        slope = self._slope(theta, cache)
        if grad is not None:
            self._write_slopes(self.activation.slope_grad if slope else None, d, cache, grad)
        self.activation.backward(cache.z, cache.a, d, cache.work, *slope)
        if grad is not None and cache.owed is not None:
            d += cache.owed
            cache.owed = None
        return d

    def tangent(self, theta, t, cache):
        cache.t = cache.work((cache.space.path, "t"), t.shape)
        np.copyto(cache.t, t)
        out = cache.space.array("Jt", self.width)
        np.copyto(out, t)
        self.activation.backward(cache.z, cache.a, out, cache.work, *self._slope(theta, cache))
        return out

    def tangent_backward(self, theta, d, cache, grad):
        slope = self._slope(theta, cache)
        curvature = self.activation.curvature(cache.z, cache.a, *slope)
        if slope or curvature is not None:
            dt = np.multiply(d, cache.t, out=cache.work("d * t", d.shape))
            self._write_slopes(self.activation.slope_curvature if slope else None, dt, cache, grad)
        if curvature is not None:
            dt *= curvature
            self._owe(dt, cache)
        self.activation.backward(cache.z, cache.a, d, cache.work, *slope)
        return d

    def initialize(self, theta, rng):
        if self.slopes is not None:
            self.slopes.view(theta)[...] = self.activation.initial_slope

    def _slope(self, theta, cache):
        return () if self.slopes is None else cache.views("theta", theta, self.blocks)

    def _owe(self, dz, cache):
        if cache.owed is None:
            cache.owed = cache.space.array("owed", self.width)
            np.copyto(cache.owed, dz)
        else:
            cache.owed += dz

    def _write_slopes(self, derivative, d, cache, grad):
        if derivative is None:
            return
        share = cache.work("slopes", d.shape)
        derivative(cache.z, d, share)
        (target,) = cache.views("grad", grad, self.blocks)
        axes = (1, 2) if self.slopes.size == 1 else (1,)
        cache.write(
            self.slopes, target, lambda out: np.sum(share, axis=axes, keepdims=True, out=out)
        )


@dataclass(frozen=True)
class Dropout(Layer):
    """Zero each entry with probability `rate` in training and divide the rest by 1 - rate.

    Each member draws from its own generator, so that a member of a joint fit sees the noise it
    would see alone (Srivastava et al. 2014, JMLR 15, in the inverted form).
    """

    rate: float
    width: int

    # Outside training the output is the input, which the layer before may need.
    keeps_output = True

    def allocate(self, space):
        on = space.training and self.rate > 0
        return Cache(
            space,
            mask=space.array("mask", self.width) if on else None,
            a=space.array("a", self.width) if on else None,
        )

    def forward(self, theta, x, cache):
        if cache.mask is None:
            return x
        for rng, mask in zip(cache.space.rngs, cache.mask, strict=True):
            rng.random(dtype=mask.dtype, out=mask)
        rate = self.rate * float(cache.space.dropout_factor)
        np.greater_equal(cache.mask, rate, out=cache.mask)
        cache.mask *= 1.0 / (1.0 - rate)
        return np.multiply(x, cache.mask, out=cache.a)

    def backward(self, theta, d, cache, grad):
        return self._masked(d, cache)

    def tangent(self, theta, t, cache):
        return self._masked(t, cache)

    def tangent_backward(self, theta, d, cache, grad):
        return self._masked(d, cache)

    def _masked(self, d, cache):
        if cache.mask is not None:
            d *= cache.mask
        return d
