"""Whole steps of training, compiled: in small networks most time goes by between the passes.

They are made of the compiled kernels for the passes, which therefore compute the same. The losses
of whole batches, which by NumPy are methods of the vocabulary, are here once more, and relu is.
"""

from pathlib import Path
from zlib import crc32

import numpy as np
from numba import njit

from .compiled import (
    _adam,
    _add_bias,
    _moved,
    _normalize,
    _product,
    _products_backward,
    _shift,
    _sum_rows,
)
from .plain import FUSED_LOSSES

SQUARED_ERROR, LOG_LOSS = FUSED_LOSSES.index("squared error"), FUSED_LOSSES.index("log loss")

# Parts of `steps`; only as a whole is it kept on disk.
_compile = njit(nogil=True, error_model="numpy")


@_compile
def _squared_error(loss, grad, y, raw):
    number = raw.dtype.type
    for j in range(raw.shape[1]):
        total = number(0)
        for k in range(raw.shape[2]):
            residual = raw[0, j, k] - y[j, k]
            grad[0, j, k] = residual
            total += residual * residual
        loss[0, j] = number(0.5) * total


@_compile
def _log_loss(loss, grad, y, raw, smoothing):
    number = raw.dtype.type
    one, full, half = number(1), number(1.0 - smoothing), number(0.5 * smoothing)
    for j in range(raw.shape[1]):
        total = number(0)
        for k in range(raw.shape[2]):
            g, target = raw[0, j, k], full * y[j, k] + half
            e = np.exp(-abs(g))
            grad[0, j, k] = (one if g >= number(0) else e) / (one + e) - target
            total += max(g, number(0)) + np.log1p(e) - g * target
        loss[0, j] = total


@_compile
def _softmax_loss(loss, grad, y, raw, smoothing):
    rest = smoothing / raw.shape[2]
    full = 1.0 - smoothing + rest
    _shift(loss, grad, y, raw, full, rest)
    for j in range(grad.shape[1]):
        for k in range(grad.shape[2]):
            grad[0, j, k] = np.exp(grad[0, j, k])
    _normalize(loss, grad, y, full, rest)


@_compile
def _take(out, array, rows):
    for j in range(len(rows)):
        # With the two indices of each entry this takes twice as long.
        given, taken = array[rows[j]], out[j]
        for i in range(len(taken)):
            taken[i] = given[i]


@_compile
def _loss(loss, grad, raw, targets, kind, smoothing):
    """Weighted sum of the losses of some rows, whose gradient by `raw` is written."""
    numbers, codes, weight = targets
    if kind == SQUARED_ERROR:
        _squared_error(loss, grad, numbers, raw)
    elif kind == LOG_LOSS:
        _log_loss(loss, grad, numbers, raw, smoothing)
    else:
        _softmax_loss(loss, grad, codes, raw, smoothing)
    total = 0.0
    for j in range(raw.shape[1]):
        if len(weight):
            loss[0, j] *= weight[j]
            for k in range(raw.shape[2]):
                grad[0, j, k] *= weight[j]
        total += loss[0, j]
    return total


# Several passes in one, as wide layers and their parameters would come from main memory for each.


@_compile
def _add_bias_and_rectify(z, bias):
    zero = z.dtype.type(0)
    for j in range(z.shape[1]):
        for k in range(z.shape[2]):
            # NaN stays NaN.
            given = z[0, j, k] + bias[0, 0, k]
            z[0, j, k] = zero if given <= zero else given


@_compile
def _rectify_backward_and_sum_rows(sums, grad, a):
    zero = a.dtype.type(0)
    sums[:] = 0
    for j in range(a.shape[1]):
        for k in range(a.shape[2]):
            given = grad[0, j, k] if a[0, j, k] > zero else zero
            grad[0, j, k] = given
            sums[0, 0, k] += given


@njit(nogil=True, error_model="numpy", fastmath={"reassoc"})
def _decay_and_adam(theta, grad, m, v, n, alpha, adam, scale, rate, squares):
    number, (beta_1, beta_2, epsilon) = theta.dtype.type, adam
    b_1, b_2, s = number(beta_1), number(beta_2), number(scale)
    a, r, e = number(alpha), number(rate), number(epsilon)
    for i in range(theta.shape[0]):
        x, g, mean, square, total = theta[i], grad[i], m[i], v[i], number(0)
        for j in range(n):
            total += x[j] * x[j]
            slope = s * (g[j] + a * x[j])
            mean[j], square[j], fall = _moved(slope, mean[j], square[j], b_1, b_2, r, e)
            x[j] -= fall
        for j in range(n, len(x)):
            mean[j], square[j], fall = _moved(s * g[j], mean[j], square[j], b_1, b_2, r, e)
            x[j] -= fall
        squares[i] = total


@_compile
def _parameters(theta, layer, network):
    """Weights and biases of a layer, as views of shape (1, n_in, n_out) and (1, 1, n_out)."""
    sizes, weights, biases, _ = network
    n_in, n_out = sizes[layer], sizes[layer + 1]
    weight = theta[weights[layer] : weights[layer] + n_in * n_out].reshape(1, n_in, n_out)
    return weight, theta[biases[layer] : biases[layer] + n_out].reshape(1, 1, n_out)


@_compile
def _batch(array, n, width):
    """The beginning of an array as one of shape (1, n, width)."""
    return array[: n * width].reshape(1, n, width)


@_compile
def _pass(theta, slope, n, targets, network, loss, work):
    """Sum of the losses of a member over n rows, and its gradient; they are the first outputs."""
    (sizes, _, _, rectified), (outputs, deltas, losses) = network, work
    n_layers, start = len(sizes) - 1, 0
    h = _batch(outputs, n, sizes[0])
    for k in range(n_layers):
        start += n * sizes[k]
        z = _batch(outputs[start:], n, sizes[k + 1])
        weight, bias = _parameters(theta, k, network)
        _product(z, h, weight)
        if rectified[k]:
            _add_bias_and_rectify(z, bias)
        else:
            _add_bias(z, bias)
        h = z
    d = _batch(deltas[0], n, sizes[n_layers])
    total = _loss(losses[:, :n], d, h, targets, *loss)
    _, bias_grad = _parameters(slope, n_layers - 1, network)
    _sum_rows(bias_grad, d)
    for k in range(n_layers - 1, 0, -1):
        start -= n * sizes[k]
        h = _batch(outputs[start:], n, sizes[k])
        weight, _ = _parameters(theta, k, network)
        weight_grad, _ = _parameters(slope, k, network)
        _, bias_grad = _parameters(slope, k - 1, network)
        d_in = _batch(deltas[(n_layers - k) % 2], n, sizes[k])
        _products_backward(weight_grad, d_in, h, d, weight)
        if rectified[k - 1]:
            _rectify_backward_and_sum_rows(bias_grad, d_in, h)
        else:
            _sum_rows(bias_grad, d_in)
        d = d_in
    weight, _ = _parameters(theta, 0, network)
    weight_grad, _ = _parameters(slope, 0, network)
    _products_backward(weight_grad, None, _batch(outputs, n, sizes[0]), d, weight)
    return total


def _steps_of(sources):
    """Return the kernel `steps`, whose machine code on disk is of no use once `sources` change.

    Numba would only see that this file has changed, but it looks at what a closure holds too.

    steps(theta, grad, m, v, inputs, targets, batch_size, network, objective, adam, rates, work)
    makes steps of Adam over batches of rows, one after another, and returns the sums of losses over
    all rows and of the penalties over batches, an ndarray of shape (members,). It does not check
    whether an index is within its array.

    * theta, grad, m, v: of shape (members, P); all but `grad`, which is used up, as `adam` changes
      them. Nothing else is written but `work`.
    * inputs: X, and the positions of the rows in it.
    * targets: of these rows numbers, (n_rows, n_targets), codes of classes, (n_rows,), and weights,
      (n_rows,). Those that there are not are empty.
    * network: arrays with the widths of all layers, input and output included; offsets of weights
      and of biases in theta, and whether relu follows, for each dense layer.
    * objective: (position in `FUSED_LOSSES`, label smoothing), alpha, number of weights.
    * adam: beta_1, beta_2, epsilon.
    * rates: `factor` times `rate` of each step, as many as there are batches.
    * work: memory for the outputs of all layers, for two gradients of the widest, (2, ...), and for
      losses, (1, batch_size).
    """

    @njit(cache=True, nogil=True, error_model="numpy")
    def steps(
        theta, grad, m, v, inputs, targets, batch_size, network, objective, adam, rates, work
    ):
        sources  # noqa: B018
        (X, index), (numbers, codes, weight) = inputs, targets
        loss, alpha, n_weights = objective
        n_in, members = network[0][0], len(theta)
        totals, square = np.zeros(members), np.zeros(1)
        # Member by member, as the parameters of one may fit in a cache.
        for i in range(members):
            own = slice(i, i + 1)
            for step in range(len(rates)):
                part = slice(step * batch_size, (step + 1) * batch_size)
                rows, here = index[part], (numbers[part], codes[part], weight[part])
                _take(_batch(work[0], len(rows), n_in)[0], X, rows)
                totals[i] += _pass(theta[i], grad[i], len(rows), here, network, loss, work)
                total_weight = float(len(rows))
                if len(weight):
                    total_weight = here[2].astype(np.float64).sum()
                scale, rate, arrays = 1.0 / total_weight, rates[step], (theta[own], grad[own])
                if alpha > 0:
                    _decay_and_adam(
                        *arrays, m[own], v[own], n_weights, alpha, adam, scale, rate, square
                    )
                    totals[i] += 0.5 * alpha * square[0]
                else:
                    _adam(*arrays, m[own], v[own], *adam[:2], scale, rate, adam[2])
        return totals

    return steps


FILES = [Path(__file__).with_name(f"{name}.py") for name in ("compiled", "plain", "fused")]
SOURCES = b"".join(path.read_bytes() for path in FILES if path.exists())
KERNELS = {"steps": _steps_of(crc32(SOURCES))}
