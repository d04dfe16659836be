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

# Steps of a call with several members at least, which are made member by member: the parameters of
# one come from main memory once a call.
JOINT_STEPS = 8

# Entries of the rows that are copied for a call, where `steps` cannot read X itself.
CALL_ENTRIES = 2**18

# NumPy's exponentials take a tenth of the time of those in `steps`: with more classes than some
# hundreds, that is more than calls cost.
MANY_CLASSES = 200


def fused_steps(objective, data, state, plan):
    """`FusedSteps` for these arguments of `train`, or None where only separate passes will do."""
    if kernels.steps is None:
        return None
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
    # Others may hand out sparse batches, or more than X.
    if not isinstance(data.rows, (DenseRows, MappedRows)):
        return None
    network, loss = _layers(objective.network), _name(objective.loss)
    if network is None or loss not in FUSED_LOSSES or _name(plan.optimizer) != "adam":
        return None
    if not _fits(network[0], loss, data):
        return None
    return FusedSteps(objective, data, state, plan, network)


class FusedSteps:
    """A fit in the form that the kernel `steps` takes."""

    def __init__(self, objective, data, state, plan, network):
        self.rows, self.batch_size, self.optimizer = data.rows, plan.batch_size, plan.optimizer
        self.network, dtype = network, state.theta.dtype
        self.least_steps = 1 if len(state.theta) == 1 else JOINT_STEPS
        loss = FUSED_LOSSES.index(_name(objective.loss))
        smoothing = float(getattr(objective.loss, "label_smoothing", 0.0))
        alpha, n_weights = float(objective.alpha), objective.network.n_weights
        self.objective = (loss, smoothing), alpha, n_weights
        numbers, codes = np.empty((0, 0), dtype), np.empty(0, np.intp)
        if data.y.ndim == 1:
            codes = data.y.astype(np.intp, copy=False)
        else:
            numbers = data.y.astype(dtype, copy=False)
        self.targets = numbers, codes, np.empty(0, dtype) if data.weight is None else data.weight
        n, total, widest = min(plan.batch_size, len(data)), sum(network[0]), max(network[0])
        shapes = (int(n * total),), (2, int(n * widest)), (1, n)
        self.work = tuple(np.empty(shape, dtype) for shape in shapes)
        self.scratch, X = Scratch(dtype), self.rows.X
        self.reads_X = type(self.rows) is DenseRows and X.dtype == dtype and X.flags.c_contiguous

    def run(self, state, grad, order, rates):
        """Make a step for each of the rates; returns sums of losses and weights over all rows."""
        n_steps, totals = self._steps_of_a_call(grad), np.zeros(len(state.theta))
        weights = 0.0
        for start in range(0, len(rates), n_steps):
            part = order[start * self.batch_size : (start + n_steps) * self.batch_size]
            targets = tuple(_plain(array[part] if len(array) else array) for array in self.targets)
            now = rates[start : start + n_steps]
            factors = [self.optimizer.factor(state.step + 1 + i) for i in range(len(now))]
            arguments = self._inputs(part), targets, self.batch_size, self.network, self.objective
            # A Ctrl-C is heard as soon as the call has ended: its steps have been made then.
            state.step += len(now)
            totals += kernels.steps(
                state.theta,
                grad,
                *state.moments,
                *arguments,
                self.optimizer.constants,
                now * factors,
                self.work,
            )
            weights += float(targets[2].sum(dtype=np.float64)) if len(targets[2]) else len(part)
        return totals, weights

    def _steps_of_a_call(self, grad):
        n_steps = max(CALL_PRODUCTS // (3 * self.batch_size * grad.size), self.least_steps)
        if not self.reads_X:
            n_steps = min(n_steps, CALL_ENTRIES // (self.batch_size * int(self.network[0][0])))
        return max(1, n_steps)

    def _inputs(self, order):
        """An array, and the positions of the rows at `order` in it."""
        if self.reads_X:
            return _plain(self.rows.X), _plain(order.astype(np.intp, copy=False))
        return _plain(self.rows.take(order, self.scratch)[0]), _plain(np.arange(len(order)))


def _fits(sizes, loss, data):
    """Whether arrays have the widths of the network, as nothing checks indices later."""
    if data.rows.X.shape[1] != sizes[0]:
        return False
    if loss != "softmax":
        return data.y.ndim == 2 and data.y.shape[1] == sizes[-1]
    return data.y.ndim == 1 and sizes[-1] <= MANY_CLASSES and data.y.max() < sizes[-1]


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
    """An array in C order and read only: all fits of a dtype call the same machine code."""
    view = np.ascontiguousarray(array).view(np.ndarray)
    view.flags.writeable = False
    return view
