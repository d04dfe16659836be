"""Whole steps of training, compiled: in small networks most time goes by between the passes.

Each is made of the kernels for its passes, so that no formula stands in two places.
"""

import numpy as np

from .compiled import (
    _adam,
    _add_decay,
    _affine,
    _affine_backward,
    _compile,
    _normalize,
    _relu_backward,
    _relu_in_place,
    _shift,
)
from .plain import FUSED_LOSSES

SQUARED_ERROR = FUSED_LOSSES.index("squared error")
SOFTMAX = FUSED_LOSSES.index("softmax")


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
        for k in range(array.shape[1]):
            out[j, k] = array[rows[j], k]


@_compile
def _loss(grad, raw, rows, targets, loss, smoothing):
    """Sum of the losses of some rows, whose weighted gradient by `raw` is written."""
    numbers, codes, weight, _ = targets
    n, number = len(rows), raw.dtype.type
    losses = np.empty((1, n), raw.dtype)
    if loss == SOFTMAX:
        _softmax_loss(losses, grad, codes[rows], raw, smoothing)
    else:
        y = np.empty((n, numbers.shape[1]), raw.dtype)
        _take(y, numbers, rows)
        if loss == SQUARED_ERROR:
            _squared_error(losses, grad, y, raw)
        else:
            _log_loss(losses, grad, y, raw, smoothing)
    total = 0.0
    for j in range(n):
        factor = weight[rows[j]] if len(weight) else number(1)
        total += factor * losses[0, j]
        if len(weight):
            for k in range(raw.shape[2]):
                grad[0, j, k] *= factor
    return total


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
def _pass(theta, slope, rows, targets, network, loss, smoothing, outputs, deltas):
    """Sum of the losses of a member, and its gradient; the input is in `outputs`."""
    sizes, _, _, rectified = network
    n, n_layers, start = len(rows), len(sizes) - 1, 0
    h = _batch(outputs, n, sizes[0])
    for k in range(n_layers):
        start += n * sizes[k]
        z = _batch(outputs[start:], n, sizes[k + 1])
        weight, bias = _parameters(theta, k, network)
        _affine(z, h, weight, bias)
        if rectified[k]:
            _relu_in_place(z)
        h = z
    d = _batch(deltas[0], n, sizes[n_layers])
    total = _loss(d, h, rows, targets, loss, smoothing)
    for k in range(n_layers - 1, 0, -1):
        start -= n * sizes[k]
        h = _batch(outputs[start:], n, sizes[k])
        weight, _ = _parameters(theta, k, network)
        weight_grad, bias_grad = _parameters(slope, k, network)
        d_in = _batch(deltas[(n_layers - k) % 2], n, sizes[k])
        _affine_backward(weight_grad, bias_grad, d_in, h, d, weight)
        if rectified[k - 1]:
            _relu_backward(d_in, h)
        d = d_in
    weight, _ = _parameters(theta, 0, network)
    weight_grad, bias_grad = _parameters(slope, 0, network)
    _affine_backward(weight_grad, bias_grad, None, _batch(outputs, n, sizes[0]), d, weight)
    return total


@_compile
def _steps(theta, grad, m, v, inputs, targets, batch_size, network, objective, adam, rates, work):
    """See `plain.steps`."""
    (X, index), (_, _, weight, order) = inputs, targets
    n_in, (outputs, deltas) = network[0][0], work
    loss, smoothing, alpha, n_weights = objective
    beta_1, beta_2, epsilon = adam
    members = len(theta)
    totals, squares = np.zeros(members), np.zeros(members)
    for step in range(len(rates)):
        part = slice(step * batch_size, (step + 1) * batch_size)
        rows = order[part]
        _take(_batch(outputs, len(rows), n_in)[0], X, index[part])
        for i in range(members):
            totals[i] += _pass(
                theta[i], grad[i], rows, targets, network, loss, smoothing, outputs, deltas
            )
        if alpha > 0:
            _add_decay(grad, theta, n_weights, alpha, squares)
            totals += 0.5 * alpha * squares
        scale = 1.0 / len(rows)
        if len(weight):
            scale = 1.0 / weight[rows].astype(np.float64).sum()
        _adam(theta, grad, m, v, beta_1, beta_2, scale, rates[step], epsilon)
    return totals


KERNELS = {"steps": _steps}
