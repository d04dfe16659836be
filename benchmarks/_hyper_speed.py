"""Milliseconds of a training step of hypernetworks beside a network that all tasks share."""

from dataclasses import dataclass
from itertools import product
from time import perf_counter

import numpy as np
from _tables import MarkdownTable
from threadpoolctl import threadpool_limits

from skmlp._engine.groups import GroupedRows
from skmlp._engine.modulations import Chunked, Film, Full, LowRank, hyper_network
from skmlp._engine.network import multilayer_perceptron
from skmlp._engine.objective import Objective
from skmlp.activations import ReLU
from skmlp.initializers import GlorotUniform
from skmlp.losses import SquaredError
from skmlp.optimizers import Adam

N_TASKS = 8
ROWS = 256  # of the step that has a bar
SIZES = (256, 256, 256, 1)
STEPS, QUICK_STEPS = 10, 2  # of a contestant before the next has its turn
EMBEDDING, BODY = 8, (32, 32)
CHUNK = 1456  # what chunk_size=None chooses for these sizes, about
BAR = 1.6
SHARED = "shared"


@dataclass(frozen=True)
class Contestant:
    """A modulation and the hidden layers of the network that writes; None for one main network."""

    modulation: object = None
    body: tuple = BODY

    def network(self):
        """The network of the engine."""
        depth, rule = len(SIZES) - 2, (GlorotUniform(), 1.0)
        main = SIZES, (ReLU(),) * depth, (rule,) * (depth + 1)
        if self.modulation is None:
            return multilayer_perceptron(*main)
        body = self.body, (ReLU(),) * len(self.body), (rule,) * len(self.body)
        return hyper_network(*main, self.modulation, *body, n_tasks=N_TASKS, embedding=EMBEDDING)


CONTESTANTS = {
    SHARED: Contestant(),
    "full": Contestant(Full()),
    "full, (8,)": Contestant(Full(), (8,)),
    "chunked": Contestant(Chunked(CHUNK, 8)),
    "low_rank 8": Contestant(LowRank(8)),
    "film": Contestant(Film()),
}


def batch(n_rows, dtype):
    """Rows, tasks of groups of random sizes, and targets."""
    rng = np.random.default_rng(0)
    tasks = np.sort(rng.integers(N_TASKS, size=n_rows))
    starts = np.flatnonzero(np.diff(tasks, prepend=-1))
    x = rng.normal(size=(1, n_rows, SIZES[0])).astype(dtype)
    y = rng.normal(size=(n_rows, SIZES[-1])).astype(dtype)
    return x, GroupedRows(x, starts, tasks[starts]), y


class Stepper:
    """Makes steps of one contestant on one batch.

    Parameters
    ----------
    contestant : Contestant
    n_rows : int
    dtype : str
    update : bool
        Whether Adam moves the parameters, or the gradient is all that is computed.
    """

    def __init__(self, contestant, n_rows, dtype, update):
        network = contestant.network()
        x, grouped, self.y = batch(n_rows, dtype)
        self.x = x if contestant.modulation is None else grouped
        self.objective, self.optimizer = Objective(network, SquaredError()), Adam()
        self.theta = network.initial([np.random.default_rng(0)]).astype(dtype)
        self.grad, self.moments = np.empty_like(self.theta), self.optimizer.init(self.theta)
        self.workspace = self.objective.workspace(1, self.theta.dtype, training=True)
        self.update, self.t = update, 0

    def step(self):
        """Forward and backward pass, the update if it is wanted."""
        theta, grad, workspace = self.theta, self.grad, self.workspace
        values = self.objective.value_and_grad(theta, self.x, self.y, None, workspace, grad)
        _, scale = self.objective.finish(theta, values, grad, float(len(self.y)), workspace)
        self.t += 1
        if self.update:
            # The step is so short that the contestants stay where they are.
            self.optimizer.step(theta, grad, self.moments, 1e-9, self.t, scale)


def alternate(steppers, n_steps, repeats):
    """Milliseconds of a step in each repeat, by name; the contestants take turns."""
    found = {name: np.empty(repeats) for name in steppers}
    for stepper in steppers.values():
        stepper.step()
    for repeat in range(repeats):
        for name, stepper in steppers.items():
            start = perf_counter()
            for _ in range(n_steps):
                stepper.step()
            found[name][repeat] = 1e3 * (perf_counter() - start) / n_steps
    return found


def ratios(milliseconds):
    """Median of each contestant over that of the shared network."""
    shared = np.median(milliseconds[SHARED])
    return {name: float(np.median(values) / shared) for name, values in milliseconds.items()}


NOTES = f"""
A step on rows of {N_TASKS} tasks, in groups of random sizes, of a main network of widths {SIZES},
relu and squared error: forward and backward pass, what is written included; in the second half of
the table the update by Adam as well. ms: median of the repeats, each of some steps in a row, the
contestants taking turns; /: over the median of the shared network, one main network for all rows.
Hypernetworks: embeddings of {EMBEDDING}, hidden layers {BODY} or as said, chunks of {CHUNK}.
Bar, for {ROWS} rows: at most {BAR:g} times the shared network."""


def measured(n_rows, dtype, n_steps, repeats):
    """Parameters by name, and milliseconds by name without and with the update."""
    found = []
    for update in (False, True):
        steppers = {
            name: Stepper(contestant, n_rows, dtype, update)
            for name, contestant in CONTESTANTS.items()
        }
        found.append(alternate(steppers, n_steps, repeats))
    return {name: stepper.theta.shape[1] for name, stepper in steppers.items()}, found


def cells(name, n_rows, milliseconds):
    """Median, ratio and verdict of a contestant, as text."""
    ratio = ratios(milliseconds)[name]
    answer = "met" if ratio <= BAR else "missed"
    with_bar = n_rows == ROWS and name != SHARED
    return f"{np.median(milliseconds[name]):.2f}", f"{ratio:.2f}", answer if with_bar else ""


def hypernetwork_speed(args):
    """Print a row per contestant, dtype, number of threads and number of rows."""
    n_steps = QUICK_STEPS if args.quick else STEPS
    print(f"Repeats: {args.repeats}, steps in each: {n_steps}\n")
    titles = ("rows", "dtype", "threads", "parameters")
    timed = ("ms", "/", "bar", "ms, Adam", "/", "bar")
    table = MarkdownTable(("modulation", *titles, *timed), 11)
    print(table.head(), flush=True)
    for n_rows, dtype, threads in product(args.rows, args.dtype, args.threads):
        with threadpool_limits(limits=threads):
            sizes, found = measured(n_rows, dtype, n_steps, args.repeats)
        for name, size in sizes.items():
            texts = [text for one in found for text in cells(name, n_rows, one)]
            print(table.row(name, f"{n_rows}", dtype, f"{threads}", f"{size}", *texts), flush=True)
    print(NOTES)
