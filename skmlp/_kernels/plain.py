"""The kernels by NumPy; they say what the compiled ones compute.

Arrays that are written are named first. Those of parameters have shape (members, P).
"""

import numpy as np

# Passes over arrays of parameters go on to the next so many numbers when all are done with these,
# which takes a quarter less time once theta is millions: they are still in a cache. In smaller
# blocks the calls cost more than that.
BLOCK = 2**16

# Losses that compiled steps know, by the names that their classes say.
FUSED_LOSSES = ("squared error", "log loss", "softmax")


def by_blocks(theta, *others):
    """Yield theta, (members, P), and arrays that broadcast against it, some columns at a time.

    Numbers go along with every block, and nothing is cut that is of one column.
    """
    n, width = theta.shape[1], max(BLOCK // len(theta), BLOCK // 16)
    if n <= width:
        yield theta, *others
        return
    for start in range(0, n, width):
        part = slice(start, start + width)
        cut = (x[..., part] if np.ndim(x) and x.shape[-1] == n else x for x in others)
        yield theta[:, part], *cut


def multiply(x, constant, *factors):
    """Multiply x by the constant and the factors in place; numbers share one pass or none."""
    for factor in factors:
        if np.ndim(factor) == 0:
            constant = float(factor) * constant
        else:
            np.multiply(x, factor, out=x)
    if constant != 1.0:
        np.multiply(x, constant, out=x)


def adam(theta, grad, m, v, beta_1, beta_2, scale, factor, rate, epsilon):
    """m <- beta_1 m + g, v <- beta_2 v + g^2, theta <- theta - factor rate m / (sqrt(v) + epsilon).

    With g = scale * grad; `grad` is used up. `scale` and `rate` are numbers or broadcast.
    """
    for x, g, mean, square, s, r in by_blocks(theta, grad, m, v, scale, rate):
        multiply(g, 1.0, s)
        np.multiply(mean, beta_1, out=mean)
        np.add(mean, g, out=mean)
        np.multiply(g, g, out=g)
        np.multiply(square, beta_2, out=square)
        np.add(square, g, out=square)
        np.sqrt(square, out=g)
        np.add(g, epsilon, out=g)
        np.divide(mean, g, out=g)
        multiply(g, factor, r)
        np.subtract(x, g, out=x)


def add_decay(grad, theta, n, alpha, work):
    """grad <- grad + alpha * theta for the first n columns; returns the sums of their squares.

    By no product of BLAS: waking its threads for a vector costs more than it saves, and very much
    more on a busy machine.
    """
    sums = np.zeros(len(theta))
    for weights, slopes in by_blocks(theta[:, :n], grad[:, :n]):
        slopes += np.multiply(weights, alpha, out=work("decay", weights.shape))
        sums += np.einsum("mp,mp->m", weights, weights)
    return sums


def add_bias(z, bias):
    """z <- z + bias, (members, rows, width) and (members, 1, width)."""
    z += bias


def product(x, weight, out):
    """x @ weight for every member, x dense, of shape (1 or members, rows, width), or CSR."""
    if isinstance(x, np.ndarray):
        return np.matmul(x, weight, out=out)
    for member, w in enumerate(weight):
        out[member] = x @ w
    return out


def outer_product(x, d, out):
    """Transposed x @ d for every member, x dense or CSR."""
    if isinstance(x, np.ndarray):
        return np.matmul(x.swapaxes(-1, -2), d, out=out)
    for member, rows in enumerate(d):
        out[member] = x.T @ rows
    return out


def back_product(d, weight, out):
    """d @ transposed weight; BLAS takes ten times as long as this for a single unit."""
    multiply = np.multiply if weight.shape[-1] == 1 else np.matmul
    return multiply(d, weight.swapaxes(-1, -2), out=out)


def affine(z, x, weight, bias):
    """z <- x @ weight + bias for every member, x dense or CSR."""
    add_bias(product(x, weight, z), bias)


def affine_backward(weight_grad, bias_grad, d_in, x, d, weight, ones):
    """The gradients of `affine`, given that of z; with `d_in` None, not that of x.

    `weight` and its gradient are in C order for each member. `ones` has shape (1, 1, rows): sums
    over rows are products with it, in half the time.
    """
    outer_product(x, d, weight_grad)
    np.matmul(ones, d, out=bias_grad)
    if d_in is not None:
        back_product(d, weight, d_in)


def relu(out, z, work):
    """out <- max(z, 0).

    NumPy's maximum of two float32 arrays takes a third of the time of array and number.
    """
    zero = 0.0
    if z.dtype == np.float32:
        zero = work("activation.0", z.shape, z.dtype)
        zero.fill(0.0)
    np.maximum(z, zero, out=out)


def relu_backward(grad, a, work):
    """grad <- grad where a > 0, else 0."""
    grad *= np.greater(a, 0.0, out=work("activation.0", a.shape, a.dtype))


def logistic_backward(grad, a, work):
    """grad <- grad * a * (1 - a)."""
    slope = work("activation.slope", a.shape, a.dtype)
    np.subtract(a, np.multiply(a, a, out=slope), out=slope)
    grad *= slope


def tanh_backward(grad, a, work):
    """grad <- grad * (1 - a^2)."""
    slope = work("activation.slope", a.shape, a.dtype)
    np.subtract(1.0, np.multiply(a, a, out=slope), out=slope)
    grad *= slope


def mish(out, z, e):
    """out <- z * n / (n + 2) with n = e * (e + 2), for e = exp(z), which is used up."""
    e *= np.add(e, 2.0, out=out)
    np.divide(e, np.add(e, 2.0, out=out), out=out)
    out *= z


def mish_backward(grad, z, e, work):
    """grad <- grad * (e + 2 + 4 * z * (1 + e) / d) * e / d with d = e * (e + 2) + 2; e = exp(z)."""
    d = np.add(e, 2.0, out=work("activation.1", z.shape, z.dtype))
    d *= e
    d += 2.0
    slope = np.add(e, 1.0, out=work("activation.slope", z.shape, z.dtype))
    slope /= d
    slope *= z
    slope *= 4.0
    slope += e
    slope += 2.0
    slope *= np.divide(e, d, out=d)
    grad *= slope


def softmax_loss(loss, grad, y, raw, smoothing, work):
    """Log loss of softmax, and its gradient, for class codes y with label smoothing."""
    g, target = by_class(y, raw, work)
    if smoothing:
        np.multiply(target, 1.0 - smoothing, out=target)
        np.add(target, smoothing / len(target), out=target)
    row = work("loss row", (len(g), 1, len(y)), raw.dtype)
    np.maximum.reduce(g, axis=1, keepdims=True, out=row)
    np.subtract(g, row, out=g)
    np.einsum("mkb,kb->mb", g, target, out=loss)
    np.exp(g, out=g)
    np.add.reduce(g, axis=1, keepdims=True, out=row)
    np.divide(g, row, out=g)
    np.subtract(g, target, out=grad.swapaxes(1, 2))
    np.log(row, out=row)
    np.subtract(row[:, 0], loss, out=loss)


def by_class(y, raw, work):
    """Copies of raw outputs as (members, classes, rows), one-hot targets as (classes, rows).

    With few classes, sums and maxima over them are twice as fast when rows are the last axis.
    """
    members, rows, n_classes = raw.shape
    g = work("loss by class", (members, n_classes, rows), raw.dtype)
    np.copyto(g, raw.swapaxes(1, 2))
    codes = work("loss codes", (rows,), raw.dtype)
    np.copyto(codes, y, casting="unsafe")
    target = work("loss target", (n_classes, rows), raw.dtype)
    np.equal(codes, np.arange(n_classes, dtype=raw.dtype)[:, np.newaxis], out=target)
    return g, target


KERNELS = {
    "adam": adam,
    "add_decay": add_decay,
    "add_bias": add_bias,
    "affine": affine,
    "affine_backward": affine_backward,
    "relu": relu,
    "relu_backward": relu_backward,
    "logistic_backward": logistic_backward,
    "tanh_backward": tanh_backward,
    "mish": mish,
    "mish_backward": mish_backward,
    "softmax_loss": softmax_loss,
    # Many steps in one call, which only compiled ones can be; see `skmlp._kernels.fused`.
    "steps": None,
}
