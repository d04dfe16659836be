"""The kernels compiled by Numba, once for each dtype; the machine code is kept on disk.

They do in one pass what NumPy does in several, with the same numbers up to rounding.
"""

import numpy as np
from numba import njit

from . import plain

# Beyond so many entries NumPy's exponential, which uses vector instructions, wins.
FEW_EXPONENTIALS = 2**14

_compile = njit(cache=True, nogil=True, error_model="numpy")

# Sums may be taken in any order, so that several are taken at once.
_compile_sum = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})


@_compile
def _adam(theta, grad, m, v, beta_1, beta_2, scale, rate, epsilon):
    number = theta.dtype.type
    b_1, b_2, s = number(beta_1), number(beta_2), number(scale)
    r, e = number(rate), number(epsilon)
    for i in range(theta.shape[0]):
        for j in range(theta.shape[1]):
            g = s * grad[i, j]
            first = b_1 * m[i, j] + g
            second = b_2 * v[i, j] + g * g
            m[i, j] = first
            v[i, j] = second
            theta[i, j] -= r * first / (np.sqrt(second) + e)


def adam(theta, grad, m, v, beta_1, beta_2, scale, factor, rate, epsilon):
    """See `plain.adam`."""
    if np.ndim(scale) or np.ndim(rate):
        plain.adam(theta, grad, m, v, beta_1, beta_2, scale, factor, rate, epsilon)
    else:
        _adam(theta, grad, m, v, beta_1, beta_2, float(scale), float(factor * rate), epsilon)


@_compile_sum
def _add_decay(grad, theta, n, alpha, sums):
    a = theta.dtype.type(alpha)
    for i in range(theta.shape[0]):
        total = theta.dtype.type(0)
        for j in range(n):
            grad[i, j] += a * theta[i, j]
            total += theta[i, j] * theta[i, j]
        sums[i] = total


def add_decay(grad, theta, n, alpha, work):
    """See `plain.add_decay`."""
    sums = np.empty(len(theta))
    _add_decay(grad, theta, n, alpha, sums)
    return sums


@_compile
def _add_bias(z, bias):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            for k in range(z.shape[2]):
                z[i, j, k] += bias[i, 0, k]


@_compile
def _relu_in_place(z):
    # With two names for one array the compiler would not dare to use vector instructions.
    zero = z.dtype.type(0)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            for k in range(z.shape[2]):
                z[i, j, k] = zero if z[i, j, k] <= zero else z[i, j, k]


def relu(out, z, work):
    """See `plain.relu`."""
    if z.ndim != 3:
        plain.relu(out, z, work)
    elif out is z:
        _relu_in_place(z)
    else:
        _relu(out, z)


@_compile
def _relu(out, z):
    zero = z.dtype.type(0)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            for k in range(z.shape[2]):
                # NaN stays NaN.
                out[i, j, k] = zero if z[i, j, k] <= zero else z[i, j, k]


@_compile
def _relu_backward(grad, a):
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            for k in range(a.shape[2]):
                grad[i, j, k] = grad[i, j, k] if a[i, j, k] > zero else zero


@_compile
def _logistic_backward(grad, a):
    one = a.dtype.type(1)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            for k in range(a.shape[2]):
                grad[i, j, k] *= a[i, j, k] * (one - a[i, j, k])


@_compile
def _tanh_backward(grad, a):
    one = a.dtype.type(1)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            for k in range(a.shape[2]):
                grad[i, j, k] *= one - a[i, j, k] * a[i, j, k]


def _three_axes(compiled, fallback):
    """A kernel for batches, (members, rows, width); other arrays are NumPy's."""

    def kernel(out, given, work):
        if out.ndim == 3:
            compiled(out, given)
        else:
            fallback(out, given, work)

    return kernel


@_compile
def _softmax_loss(loss, grad, y, raw, smoothing):
    number = raw.dtype.type
    n_classes = raw.shape[2]
    rest = number(smoothing / n_classes)
    full = number(1.0 - smoothing) + rest
    for i in range(raw.shape[0]):
        for j in range(raw.shape[1]):
            largest = raw[i, j, 0]
            for k in range(1, n_classes):
                largest = max(largest, raw[i, j, k])
            total, cross = number(0), number(0)
            for k in range(n_classes):
                shifted = raw[i, j, k] - largest
                power = np.exp(shifted)
                grad[i, j, k] = power
                total += power
                target = full if k == y[j] else rest
                if target != 0:
                    cross += target * shifted
            for k in range(n_classes):
                grad[i, j, k] = grad[i, j, k] / total - (full if k == y[j] else rest)
            loss[i, j] = np.log(total) - cross


def softmax_loss(loss, grad, y, raw, smoothing, work):
    """See `plain.softmax_loss`."""
    if raw.size > FEW_EXPONENTIALS:
        plain.softmax_loss(loss, grad, y, raw, smoothing, work)
    else:
        _softmax_loss(loss, grad, y, raw, smoothing)


KERNELS = {
    "adam": adam,
    "add_decay": add_decay,
    "add_bias": _add_bias,
    "relu": relu,
    "relu_backward": _three_axes(_relu_backward, plain.relu_backward),
    "logistic_backward": _three_axes(_logistic_backward, plain.logistic_backward),
    "tanh_backward": _three_axes(_tanh_backward, plain.tanh_backward),
    "softmax_loss": softmax_loss,
}
