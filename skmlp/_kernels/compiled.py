"""The kernels compiled by Numba, once for each dtype; the machine code is kept on disk.

They do in one pass what NumPy does in several, with the same numbers up to rounding.
"""

import numpy as np
from numba import njit
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

from . import plain

# Where passes are called one by one, products of up to so many multiply-adds are taken here, by
# SciPy's BLAS, which the call of NumPy's costs more than it saves; larger ones are for the threads
# of NumPy's BLAS. OpenBLAS wakes its own at this size, and two pools of threads on the same cores
# would be in each other's way. Several members share the price of NumPy's call, and its BLAS is
# often the newer and faster one. (Whole steps have SciPy's BLAS alone, for products of any size.)
FEW_MULTIPLICATIONS = 2**18

_compile = njit(cache=True, nogil=True, error_model="numpy")

# Sums may be taken in any order, so that several are taken at once.
_compile_sum = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})


@_compile
def _moved(g, mean, square, beta_1, beta_2, rate, epsilon):
    """New means of a gradient g and its square, and by how much its parameter falls."""
    mean = beta_1 * mean + g
    square = beta_2 * square + g * g
    return mean, square, rate * mean / (np.sqrt(square) + epsilon)


@_compile
def _adam(theta, grad, m, v, beta_1, beta_2, scale, rate, epsilon):
    number = theta.dtype.type
    b_1, b_2, s = number(beta_1), number(beta_2), number(scale)
    r, e = number(rate), number(epsilon)
    for i in range(theta.shape[0]):
        for j in range(theta.shape[1]):
            g = s * grad[i, j]
            m[i, j], v[i, j], fall = _moved(g, m[i, j], v[i, j], b_1, b_2, r, e)
            theta[i, j] -= fall


@_compile
def _adam_rates(theta, grad, m, v, beta_1, beta_2, scale, factor, rates, epsilon):
    number = theta.dtype.type
    b_1, b_2, s = number(beta_1), number(beta_2), number(scale)
    f, e = number(factor), number(epsilon)
    for i in range(theta.shape[0]):
        rate = rates[min(i, rates.shape[0] - 1)]
        for j in range(theta.shape[1]):
            g = s * grad[i, j]
            m[i, j], v[i, j], fall = _moved(g, m[i, j], v[i, j], b_1, b_2, f * rate[j], e)
            theta[i, j] -= fall


def adam(theta, grad, m, v, beta_1, beta_2, scale, factor, rate, epsilon):
    """See `plain.adam`."""
    if np.ndim(scale) or (np.ndim(rate) and rate.shape[-1] != theta.shape[1]):
        plain.adam(theta, grad, m, v, beta_1, beta_2, scale, factor, rate, epsilon)
    elif np.ndim(rate):
        _adam_rates(theta, grad, m, v, beta_1, beta_2, float(scale), factor, rate, epsilon)
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


@intrinsic
def _in_c_order(typing, array):
    """The same array, of which the caller knows that it is in C order; the compiler does not."""
    known = array.copy(layout="C")

    def generate(context, builder, signature, args):
        return impl_ret_borrowed(context, builder, known, args[0])

    return known(array), generate


@_compile
def _product(z, x, weight):
    n_out = weight.shape[2]
    in_order = weight.strides[2] == weight.itemsize and weight.strides[1] == n_out * weight.itemsize
    for i in range(z.shape[0]):
        rows = np.ascontiguousarray(x[min(i, x.shape[0] - 1)])
        if in_order:
            np.dot(rows, _in_c_order(weight[i]), z[i])
        else:
            np.dot(rows, np.ascontiguousarray(weight[i]), z[i])


@_compile
def _affine(z, x, weight, bias):
    _product(z, x, weight)
    _add_bias(z, bias)


def affine(z, x, weight, bias):
    """See `plain.affine`."""
    if _is_small(z, x):
        _affine(z, x, weight, bias)
    else:
        plain.product(x, weight, z)
        _add_bias(z, bias)


@_compile
def _products_backward(weight_grad, d_in, x, d, weight):
    for i in range(d.shape[0]):
        rows = np.ascontiguousarray(d[i])
        given = np.ascontiguousarray(x[min(i, x.shape[0] - 1)])
        np.dot(given.T, rows, _in_c_order(weight_grad[i]))
        if d_in is not None:
            if rows.shape[1] > 1:
                np.dot(rows, _in_c_order(weight[i]).T, d_in[i])
            else:
                column = np.ascontiguousarray(weight[i, :, 0])
                for j in range(rows.shape[0]):
                    for k in range(column.shape[0]):
                        d_in[i, j, k] = rows[j, 0] * column[k]


@_compile
def _sum_rows(sums, d):
    sums[:] = 0
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            for k in range(d.shape[2]):
                sums[i, 0, k] += d[i, j, k]


@_compile
def _affine_backward(weight_grad, bias_grad, d_in, x, d, weight):
    _products_backward(weight_grad, d_in, x, d, weight)
    _sum_rows(bias_grad, d)


def affine_backward(weight_grad, bias_grad, d_in, x, d, weight, ones):
    """See `plain.affine_backward`."""
    if _is_small(d, x):
        _affine_backward(weight_grad, bias_grad, d_in, x, d, weight)
    else:
        plain.affine_backward(weight_grad, bias_grad, d_in, x, d, weight, ones)


def _is_small(z, x):
    """Whether x is dense and its product too small for NumPy's call."""
    _, rows, width = z.shape
    if type(x) is not np.ndarray or rows * width * x.shape[-1] > FEW_MULTIPLICATIONS:
        return False
    return len(z) == 1 or width == 1


@_compile
def _relu_in_place(z):
    # With two names for one array the compiler would not dare to use vector instructions, nor where
    # some numbers need not be written: without adding zero they would all be what was read.
    zero = z.dtype.type(0)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            for k in range(z.shape[2]):
                given = z[i, j, k] + zero
                z[i, j, k] = zero if given <= zero else given


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


@_compile
def _mish(out, z, e):
    number = z.dtype.type
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            for k in range(z.shape[2]):
                n = e[i, j, k] * (e[i, j, k] + number(2))
                out[i, j, k] = n / (n + number(2)) * z[i, j, k]


def mish(out, z, e):
    """See `plain.mish`."""
    (_mish if z.ndim == 3 else plain.mish)(out, z, e)


@_compile
def _mish_backward(grad, z, e):
    number = z.dtype.type
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            for k in range(z.shape[2]):
                x = e[i, j, k]
                d = x * (x + number(2)) + number(2)
                slope = number(4) * ((x + number(1)) / d * z[i, j, k]) + x + number(2)
                grad[i, j, k] *= slope * (x / d)


def mish_backward(grad, z, e, work):
    """See `plain.mish_backward`."""
    if z.ndim == 3:
        _mish_backward(grad, z, e)
    else:
        plain.mish_backward(grad, z, e, work)


def _three_axes(compiled, fallback):
    """A kernel for batches, (members, rows, width); other arrays are NumPy's."""

    def kernel(out, given, work):
        if out.ndim == 3:
            compiled(out, given)
        else:
            fallback(out, given, work)

    return kernel


@_compile
def _shift(loss, grad, y, raw, full, rest):
    """grad <- raw - its maximum over classes, loss <- - sum of targets * grad."""
    number = raw.dtype.type
    n_classes = raw.shape[2]
    for i in range(raw.shape[0]):
        for j in range(raw.shape[1]):
            largest = raw[i, j, 0]
            for k in range(1, n_classes):
                largest = raw[i, j, k] if raw[i, j, k] > largest else largest
            total = number(0)
            for k in range(n_classes):
                shifted = raw[i, j, k] - largest
                grad[i, j, k] = shifted
                # An impossible class, -inf, counts only where it is a target.
                total += shifted if rest else number(0)
            loss[i, j] = -number(rest) * total - number(full - rest) * grad[i, j, y[j]]


@_compile
def _normalize(loss, grad, y, full, rest):
    """loss <- loss + log(sum of grad), grad <- grad / its sum - targets."""
    number = grad.dtype.type
    n_classes = grad.shape[2]
    for i in range(grad.shape[0]):
        for j in range(grad.shape[1]):
            total = number(0)
            for k in range(n_classes):
                total += grad[i, j, k]
            for k in range(n_classes):
                grad[i, j, k] = grad[i, j, k] / total - number(rest)
            grad[i, j, y[j]] -= number(full - rest)
            loss[i, j] += np.log(total)


def softmax_loss(loss, grad, y, raw, smoothing, work):
    """See `plain.softmax_loss`."""
    rest = smoothing / raw.shape[2]
    full = 1.0 - smoothing + rest
    _shift(loss, grad, y, raw, full, rest)
    # NumPy's uses vector instructions.
    np.exp(grad, out=grad)
    _normalize(loss, grad, y, full, rest)


KERNELS = {
    "adam": adam,
    "add_decay": add_decay,
    "add_bias": _add_bias,
    "affine": affine,
    "affine_backward": affine_backward,
    "relu": relu,
    "relu_backward": _three_axes(_relu_backward, plain.relu_backward),
    "logistic_backward": _three_axes(_logistic_backward, plain.logistic_backward),
    "tanh_backward": _three_axes(_tanh_backward, plain.tanh_backward),
    "mish": mish,
    "mish_backward": mish_backward,
    "softmax_loss": softmax_loss,
}
