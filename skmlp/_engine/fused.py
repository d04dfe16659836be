"""Many steps in one call, for the plainest fits: small networks cost little but calls."""

import numpy as np

from .. import _kernels as kernels
from .._kernels.plain import FUSED_LOSSES
from .batches import DenseRows, MappedRows, TrainingSet
from .layers import Activate, Dense
from .memory import Scratch
from .objective import Objective

# Multiply-adds of a call, some hundredths of a second: Python hears of a Ctrl-C between calls.
CALL_PRODUCTS = 2**29

# Entries of the rows that are copied for a call, where `steps` cannot read X itself.
CALL_ENTRIES = 2**18


def fused(objective, data, state, plan):
    """A `Fused` for these arguments of `train`, or None if only separate passes can do it."""
    special = (
        plan.moving() is not None
        or plan.max_grad_norm is not None
        or plan.weight_decay > 0
        or plan.averaging > 0
        or state.lag.any()
        or objective.penalties
    )
    if special or (type(objective), type(data)) != (Objective, TrainingSet):
        return None
    if _name(plan.optimizer) != "adam" or _name(objective.loss) not in FUSED_LOSSES:
        return None
    network, floats = _layers(objective.network), data.y.dtype == state.theta.dtype
    if network is None or not (floats or data.y.ndim == 1):
        return None
    # Others may hand out sparse batches, or more than X.
    if not isinstance(data.rows, (DenseRows, MappedRows)):
        return None
    return Fused(objective, data, state, plan, network)


class Fused:
    """A fit in the form that the kernel `steps` takes."""

    def __init__(self, objective, data, state, plan, network):
        self.rows, self.batch_size, self.optimizer = data.rows, plan.batch_size, plan.optimizer
        self.network, sizes, dtype = network, network[0], state.theta.dtype
        loss = FUSED_LOSSES.index(_name(objective.loss))
        smoothing = float(getattr(objective.loss, "label_smoothing", 0.0))
        n_weights = objective.network.n_weights
        self.objective = loss, smoothing, float(objective.alpha), n_weights
        numbers, codes = np.empty((0, 0), dtype), np.empty(0, np.intp)
        if data.y.ndim == 1:
            codes = data.y.astype(np.intp)
        else:
            numbers = data.y
        self.weight = np.empty(0, dtype) if data.weight is None else data.weight
        self.targets = tuple(_plain(array) for array in (numbers, codes, self.weight))
        rows = min(plan.batch_size, len(data))
        self.work = np.empty(rows * sizes.sum(), dtype), np.empty((2, rows * sizes.max()), dtype)
        self.scratch = Scratch(dtype)
        X = self.rows.X
        self.reads_X = type(self.rows) is DenseRows and X.dtype == dtype and X.flags.c_contiguous

    def run(self, state, grad, order, rates):
        """Make a step for each of the rates; returns what `steps` returns, or None."""
        n_steps, totals = self._steps_of_a_call(grad), np.zeros(len(state.theta))
        for start in range(0, len(rates), n_steps):
            part = order[start * self.batch_size : (start + n_steps) * self.batch_size]
            now = rates[start : start + n_steps]
            factors = [self.optimizer.factor(state.step + 1 + i) for i in range(len(now))]
            found = kernels.steps(
                state.theta,
                grad,
                *state.moments,
                self._inputs(part),
                (*self.targets, part),
                self.batch_size,
                self.network,
                self.objective,
                self.optimizer.constants,
                now * factors,
                self.work,
            )
            if found is None:
                return None
            totals += found
            state.step += len(now)
        return totals

    def weight_sum(self, order):
        """Sum of the weights of the rows at `order`."""
        if not self.weight.size:
            return float(len(order))
        return float(self.weight[order].sum(dtype=np.float64))

    def _steps_of_a_call(self, grad):
        n_steps = CALL_PRODUCTS // (3 * self.batch_size * grad.size)
        if not self.reads_X:
            n_steps = min(n_steps, CALL_ENTRIES // (self.batch_size * self.network[0][0]))
        return max(1, n_steps)

    def _inputs(self, order):
        """An array, and the positions of the rows at `order` in it."""
        if self.reads_X:
            return _plain(self.rows.X), order
        return _plain(self.rows.take(order, self.scratch)[0]), np.arange(len(order))


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


def _plain(array):
    """An array in C order that is read only: all fits of a dtype call the same machine code."""
    view = np.ascontiguousarray(array).view(np.ndarray)
    view.flags.writeable = False
    return view
