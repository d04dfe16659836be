"""Epochs, the state of a fit, and the one training loop."""

from dataclasses import dataclass

import numpy as np

from .fused import fused_steps
from .penalties import inner
from .state import TrainState, passes_on

__all__ = ["Plan", "TrainState", "consult", "judge", "session", "train"]

DIVERGED = "The loss or the parameters became non-finite in epoch {epoch}."
HALTED = "The callback {name} asked to stop."


@dataclass(frozen=True)
class Plan:
    """How to train: vocabulary objects and numbers, nothing that changes while training.

    Parameters
    ----------
    optimizer, schedule
        Instances of the vocabulary.
    learning_rate : float
    batch_size, max_epochs : int
    shuffle : bool
    tol, n_iter_no_change : float
        Stop after so many epochs without an improvement by `tol` of the watched score, or of the
        training loss when nothing is watched.
    stops_on_plateau : bool
        Whether that stops the training at all; if not, `max_epochs` are the plan.
    weight_tol : float
        Stop when an epoch moves theta by less, relative to its norm; 0 switches this off.
    weight_decay : float
        Decoupled decay of the weights (Loshchilov and Hutter 2019).
    decay_schedule, dropout_schedule : Schedule or None
        By whose factors the decay and the rates of dropout are multiplied; None is 1 throughout.
    averaging : float
        Decay of the moving average of theta over all updates, which is watched and kept in place of
        theta (Polyak and Juditsky 1992; with the weights of Adam's means, which sum to one from the
        first update on); 0 is none.
    max_grad_norm : float or None
        Upper bound of the norm of a member's mean gradient.
    epochs : ndarray of int or None
        After which epoch each member stops, if that is not `max_epochs`, by which a schedule goes.
    step_factors : ndarray of shape (1, P) or None
        In theta's dtype: by which the learning rate of each parameter is multiplied. Those of
        factor 0 stay as they are, and their gradient counts as 0.
    together : bool
        Whether members share parameters (see `skmlp._engine.shared`), so that they take equal
        steps, and none of them goes on when one is no longer finite. A schedule that waits for a
        plateau of each member is not for them.
    """

    optimizer: object
    schedule: object
    learning_rate: float
    batch_size: int
    max_epochs: int
    shuffle: bool = True
    tol: float = 1e-4
    n_iter_no_change: float = 10
    stops_on_plateau: bool = True
    weight_tol: float = 0.0
    weight_decay: float = 0.0
    decay_schedule: object = None
    dropout_schedule: object = None
    averaging: float = 0.0
    max_grad_norm: float | None = None
    epochs: np.ndarray | None = None
    step_factors: np.ndarray | None = None
    together: bool = False

    def moving(self):
        """Zeros for the parameters that stay as they are and ones for the others, or None."""
        if self.step_factors is None or self.step_factors.all():
            return None
        return (self.step_factors != 0).astype(self.step_factors.dtype)


def train(objective, data, state, plan, *, watch=None, callbacks=()):
    """Train until every member has stopped; `state.theta` ends as what each member keeps.

    Parameters
    ----------
    objective : Objective
    data : TrainingSet
    state : TrainState
        Changed in place. Its generators shuffle the rows and make the noise.
    plan : Plan
    watch : callable, optional
        watch(theta) -> (scores, losses) on validation data, one each per member. The best row
        of theta is restored at the end.
    callbacks : sequence of Callback
        `on_epoch_end(state)` returning True stops all members.
    """
    if not state.moments:
        state.moments = plan.optimizer.init(state.theta)
    if plan.averaging > 0:
        state.average = state.theta.copy()
    workspace = objective.workspace(
        len(state.theta), state.theta.dtype, training=True, rngs=tuple(state.noise)
    )
    epoch = _Epoch(objective, data, state, plan, workspace)
    with session(state, plan, callbacks):
        while state.running.any():
            before = state.outcome.copy() if plan.weight_tol > 0 else None
            epoch.run()
            judge(state, plan, watch, before)
            consult(state, callbacks)


class session:
    """The frame of every training: an announced start, and an end with what each member keeps.

    Not a generator with `contextmanager`, as a Ctrl-C may come before that could yield.
    """

    def __init__(self, state, plan, callbacks):
        self.state, self.callbacks, self.begun = state, callbacks, []
        state.max_epochs = plan.max_epochs

    def __enter__(self):
        try:
            for callback in self.callbacks:
                callback.on_train_begin(self.state)
                self.begun.append(callback)
            # A diverging fit is judged after its epoch, in one place and with one message.
            self.silence = np.errstate(over="ignore", invalid="ignore", divide="ignore")
            self.silence.__enter__()
        except BaseException:
            self._end()
            raise

    def __exit__(self, kind, error, trace):
        self.silence.__exit__(kind, error, trace)
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        try:
            if interrupted and passes_on():
                return False
            if interrupted:
                self.state.interrupt()
            if kind is None or interrupted:
                self.state.settle()
        finally:
            self._end()
        return interrupted

    def _end(self):
        for callback in self.begun:
            callback.on_train_end(self.state)


def consult(state, callbacks):
    """Tell all callbacks that an epoch has ended; one that returns True ends the training.

    Those after it in the list see that it has ended.
    """
    for callback in callbacks:
        if callback.on_epoch_end(state):
            state.halted |= state.running
            state.stop(state.running, HALTED.format(name=type(callback).__name__))


class _Epoch:
    """One pass over the rows in minibatches."""

    def __init__(self, objective, data, state, plan, workspace):
        self.objective, self.data, self.state, self.plan = objective, data, state, plan
        self.workspace = workspace
        self.grad = np.empty_like(state.theta)
        self.positions = data.positions() if plan.shuffle else None
        self.order = None if self.positions is None else self.positions.copy()
        self.steps = -(-len(data) // plan.batch_size)
        self.n_steps = self.steps * plan.max_epochs
        self.moving = plan.moving()
        self.uneven = bool(state.lag.any())
        self.fused_steps = fused_steps(objective, data, state, plan)

    def run(self):
        state, plan = self.state, self.plan
        if self.order is not None:
            # From the same start each time, so that an order depends on the generator alone.
            np.copyto(self.order, self.positions)
            self.data.rows.shuffle(self.order, state.order)
        factor = _one_or_all(state.rate_factor)
        if plan.step_factors is not None:
            factor = factor * plan.step_factors
        total, weights, rate = self._at_once(factor) or self._pass_by_pass(factor)
        state.samples_seen += len(self.data)
        state.losses.append(total / weights)
        state.learning_rates.append(np.ravel(rate * state.rate_factor).astype(np.float64))
        state.epoch += 1

    def _pass_by_pass(self, factor):
        """Sums of losses and of weights over the epoch, and the learning rate at its end."""
        state, plan = self.state, self.plan
        total, weights = np.zeros(len(state.theta)), 0.0
        for batch in self.data.batches(plan.batch_size, self.order, self.workspace.work):
            now = state.step - state.first_step, self.n_steps, state.samples_seen
            rate, decay = plan.learning_rate * plan.schedule(*now), plan.weight_decay
            if plan.decay_schedule is not None:
                decay *= plan.decay_schedule(*now)
            if plan.dropout_schedule is not None:
                self.workspace.dropout_factor[...] = plan.dropout_schedule(*now)
            total += self._step(batch, rate * factor, decay) * batch[-1]
            weights += batch[-1]
        return total, weights, rate

    def _at_once(self, factor):
        """The same by few calls for many steps, or None where that cannot be done."""
        if self.fused_steps is None or np.ndim(factor):
            return None
        state, plan = self.state, self.plan
        first, seen = state.step - state.first_step, state.samples_seen
        factors = [plan.schedule(first + i, self.n_steps, seen) for i in range(self.steps)]
        rates = plan.learning_rate * np.array(factors)
        order = self.data.positions() if self.order is None else self.order
        return *self.fused_steps.run(state, self.grad, order, rates * factor), float(rates[-1])

    def _step(self, batch, rate, decay):
        state, plan, grad = self.state, self.plan, self.grad
        x, y, weight, weight_sum = batch
        theta = state.theta
        values = self.objective.value_and_grad(theta, x, y, weight, self.workspace, grad)
        means, scale = self.objective.finish(theta, values, grad, weight_sum, self.workspace)
        if self.moving is not None:
            grad *= self.moving
        if plan.max_grad_norm is not None:
            norm = np.sqrt(inner(grad, grad)) * scale
            if plan.together:
                norm[:] = norm.max()
            clip = np.minimum(1.0, plan.max_grad_norm / np.maximum(norm, 1e-300))
            scale = (scale * clip)[:, np.newaxis].astype(theta.dtype)
        if decay > 0:
            n_weights = self.objective.network.n_weights
            decay = rate * decay
            theta[:, :n_weights] *= 1.0 - (decay[:, :n_weights] if np.ndim(decay) else decay)
        state.step += 1
        if self.uneven:
            self._step_one_by_one(rate, scale)
        else:
            plan.optimizer.step(theta, grad, state.moments, rate, state.step, scale)
        if state.average is not None:
            self._average()
        return means

    def _average(self):
        state, decay, move = self.state, self.plan.averaging, self.grad  # a gradient no longer
        np.subtract(state.theta, state.average, out=move)
        move *= (1.0 - decay) / (1.0 - decay ** (state.step - state.first_step))
        state.average += move

    def _step_one_by_one(self, rate, scale):
        """The update for members that have made different numbers of updates before."""
        state = self.state
        for member, lag in enumerate(state.lag.tolist()):
            only = slice(member, member + 1)
            # An array may have a row for each member, or one for all.
            own = [v[min(member, len(v) - 1)] if np.ndim(v) else v for v in (rate, scale)]
            moments = [moment[only] for moment in state.moments]
            optimizer = self.plan.optimizer
            optimizer.step(
                state.theta[only], self.grad[only], moments, own[0], state.step - lag, own[1]
            )


def _one_or_all(factor):
    """The common rate factor as a float, or the array when members differ."""
    first = float(factor[0, 0])
    return first if (factor == factor[0, 0]).all() else factor


def judge(state, plan, watch, before):
    """After an epoch: which members stop, and why. `before` is the outcome at the epoch's start."""
    finite = np.isfinite(state.losses[-1]) & np.isfinite(state.theta).all(axis=1)
    if plan.together:
        finite[:] = finite.all()
    if not finite.all():
        state.diverge(~finite, DIVERGED.format(epoch=state.epoch))
    stalled = _compare_watched(state, plan, watch) if watch else _compare_losses(state, plan)
    _plateau(state, plan, stalled, "validation score" if watch else "training loss")
    if before is not None:
        moved = np.linalg.norm(state.outcome - before, axis=1)
        still = moved <= plan.weight_tol * np.linalg.norm(before, axis=1)
        state.stop(still, f"An epoch moved the weights by less than weight_tol={plan.weight_tol}.")
    if plan.epochs is not None:
        state.stop(state.epoch >= plan.epochs, "All epochs that were asked for were made.")
    if state.epoch >= plan.max_epochs:
        state.stop(
            state.running,
            f"The maximum number of iterations, max_iter={plan.max_epochs}, was reached.",
            converged=plan.schedule.ends_at_zero or not plan.stops_on_plateau,
        )


def _compare_losses(state, plan):
    loss = state.losses[-1]
    better = loss <= state.best_loss - plan.tol
    # What a stopped member does has no part in its record.
    state.stale = np.where(state.running, np.where(better, 0, state.stale + 1), state.stale)
    state.best_loss = np.where(state.running, np.fmin(state.best_loss, loss), state.best_loss)
    if plan.schedule.ends_at_zero:
        return np.zeros(len(loss), bool)
    return state.stale >= plan.n_iter_no_change


def _compare_watched(state, plan, watch):
    scores, losses = (np.asarray(values, np.float64) for values in watch(state.outcome))
    state.scores.append(scores)
    state.validation_losses.append(losses)
    stale = np.where(scores >= state.best_score + plan.tol, 0, state.stale + 1)
    state.stale = np.where(state.running, stale, state.stale)
    # Ties go to the lower validation loss, then to the later epoch.
    better = (scores > state.best_score) | (
        (scores == state.best_score) & (losses <= state.best_validation_loss)
    )
    better &= state.running
    if state.kept is None:
        state.kept = state.outcome.copy()
    state.kept[better] = state.outcome[better]
    state.best_score[better] = scores[better]
    state.best_validation_loss[better] = losses[better]
    state.best_epoch[better] = state.epoch
    return state.stale >= plan.n_iter_no_change


def _plateau(state, plan, stalled, what):
    stalled = stalled & state.running
    if not stalled.any():
        return
    schedule = plan.schedule
    reason = (
        f"The {what} did not improve by more than tol={plan.tol} "
        f"for {plan.n_iter_no_change} consecutive epochs"
    )
    if schedule.plateau_factor is None:
        if plan.stops_on_plateau:
            state.stop(stalled, f"{reason}.")
        return
    rates = plan.learning_rate * state.rate_factor[:, 0]
    small = rates <= schedule.min_learning_rate
    if plan.stops_on_plateau:
        state.stop(stalled & small, f"{reason} and the learning rate is too small to be lowered.")
    state.lower_rate(np.where(stalled & ~small, schedule.plateau_factor, 1.0))
