"""Many steps in one call, for the plainest fits: small networks cost little but calls."""

from dataclasses import dataclass

import numpy as np

from .. import _kernels as kernels
from .._kernels.plain import FUSED_LOSSES
from .batches import DenseRows, TrainingSet
from .layers import Activate, Dense
from .objective import Objective

# Multiply-adds of a call, some hundredths of a second: Python hears of a Ctrl-C between calls.
CALL_PRODUCTS = 2**29


@dataclass(frozen=True)
class Fused:
    """A fit in the form that the kernel `steps` takes; see there for all but `adam`, an Adam."""

    X: np.ndarray
    targets: tuple
    batch_size: int
    network: tuple
    objective: tuple
    adam: object
    work: tuple

    def run(self, state, grad, order, rates):
        """Make a step for each of the rates; returns what `steps` returns, or None."""
        products = 3 * self.batch_size * grad.size
        n_steps, totals = max(1, CALL_PRODUCTS // products), np.zeros(len(state.theta))
        for start in range(0, len(rates), n_steps):
            part = slice(start, start + n_steps)
            t = range(state.step + 1, state.step + 1 + len(rates[part]))
            found = kernels.steps(
                state.theta,
                grad,
                *state.moments,
                self.X,
                self.targets,
                order[start * self.batch_size : (start + n_steps) * self.batch_size],
                self.batch_size,
                self.network,
                self.objective,
                self.adam.constants,
                rates[part] * [self.adam.factor(number) for number in t],
                self.work,
            )
            if found is None:
                return None
            totals += found
            state.step += len(t)
        return totals

    def weight_sum(self, order):
        """Sum of the weights of the rows at `order`."""
        weight = self.targets[2]
        return float(weight[order].sum(dtype=np.float64)) if len(weight) else float(len(order))


def fused(objective, data, state, plan):
    """A `Fused`, or None for a fit with anything that only separate passes can do."""
    network, loss = _layers(objective.network), _name(objective.loss)
    special = (
        plan.moving() is not None
        or plan.max_grad_norm is not None
        or plan.weight_decay > 0
        or plan.averaging > 0
        or state.lag.any()
        or objective.penalties
    )
    if special or network is None or _name(plan.optimizer) != "adam" or loss not in FUSED_LOSSES:
        return None
    if (type(objective), type(data), type(data.rows)) != (Objective, TrainingSet, DenseRows):
        return None
    dtype, X = state.theta.dtype, data.rows.X
    if X.dtype != dtype or not X.flags.c_contiguous:
        return None
    numbers, codes = np.empty((0, 0), dtype), np.empty(0, np.intp)
    if data.y.ndim == 1:
        codes = data.y.astype(np.intp, order="C", copy=False)
    elif data.y.dtype != dtype:
        return None
    else:
        numbers = np.ascontiguousarray(data.y)
    weight = np.empty(0, dtype) if data.weight is None else np.ascontiguousarray(data.weight)
    smoothing = float(getattr(objective.loss, "label_smoothing", 0.0))
    return Fused(
        _read_only(X),
        tuple(_read_only(array) for array in (numbers, codes, weight)),
        plan.batch_size,
        network,
        (FUSED_LOSSES.index(loss), smoothing, float(objective.alpha), objective.network.n_weights),
        plan.optimizer,
        _memory(network[0], min(plan.batch_size, len(data)), dtype),
    )


def _memory(sizes, rows, dtype):
    return np.empty(rows * sizes.sum(), dtype), np.empty((2, rows * sizes.max()), dtype)


def _name(thing):
    """What compiled steps know a piece of the vocabulary as; a subclass may do something else."""
    return vars(type(thing)).get("fused")


def _layers(network):
    """The network as `steps` takes it, or None."""
    dense, rectified = [], []
    for layer in network.layers:
        if type(layer) is Dense and _is_plain(layer):
            dense.append(layer)
            rectified.append(False)
        elif type(layer) is Activate and _name(layer.activation) == "relu" and dense:
            rectified[-1] = True
        elif type(layer) is not Activate or _name(layer.activation) != "identity":
            return None
    # Its last pass has no relu to go back through.
    if not dense or rectified[-1]:
        return None
    return (
        np.array([dense[0].n_in, *(layer.n_out for layer in dense)]),
        np.array([layer.weight.offset for layer in dense]),
        np.array([layer.bias.offset for layer in dense]),
        np.array(rectified),
    )


def _is_plain(dense):
    """Whether a layer is z = x W + b with a W of its own."""
    own = dense.bias is not None and not dense.weight.transposed
    return own and dense.scale is None and dense.factor == 1.0


def _read_only(array):
    """A view of a plain array, so that all fits of a dtype call the same machine code."""
    view = array.view(np.ndarray)
    view.flags.writeable = False
    return view
