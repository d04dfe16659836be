"""SciPy's L-BFGS-B on the same objective, state and stopping criteria as the training loop."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from .state import TrainState
from .training import consult, judge, session


def train_lbfgs(objective, data, state, plan, *, watch=None, callbacks=()):
    """Minimise the objective over all rows, one member after another.

    Parameters are those of `skmlp._engine.training.train`; `watch` and the callbacks see one
    member at a time. `plan.optimizer.max_fun` bounds the evaluations of each, and SciPy stops once
    the largest entry of the gradient is at most `plan.tol`, as in scikit-learn; an iteration counts
    as an epoch. Of `plan.step_factors` only zeros count. Values and gradients are computed block
    by block in theta's dtype, SciPy works in float64.
    """
    with session(state, plan, callbacks):
        for member in range(len(state.theta)):
            alone = TrainState(state.theta[member : member + 1], samples_seen=state.samples_seen)
            alone.max_epochs = plan.max_epochs
            try:
                _minimize(objective.of(member), data, alone, plan, watch, callbacks)
            except KeyboardInterrupt:
                alone.interrupt()
                raise
            finally:
                if not alone.running.any():
                    state.adopt(member, alone)
            if alone.halted.any():
                state.stop(state.running, alone.reasons[0])
                break


def _minimize(objective, data, state, plan, watch, callbacks):
    problem = _Problem(objective, data, state, plan.moving())
    # The training loss cannot stall in a line search: without a watch only SciPy's rule counts.
    plan = plan if watch else replace(plan, n_iter_no_change=np.inf)

    def iteration(intermediate_result):
        before = state.theta.copy()
        state.theta[...] = intermediate_result.x
        state.losses.append(np.array([float(intermediate_result.fun)]))
        state.epoch += 1
        judge(state, plan, watch, before if plan.weight_tol > 0 else None)
        consult(state, callbacks)
        if not state.running.any():
            raise StopIteration

    result = minimize(
        problem,
        state.theta[0].astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        callback=iteration,
        options={"maxfun": plan.optimizer.max_fun, "maxiter": plan.max_epochs, "gtol": plan.tol},
    )
    _conclude(result, state, plan, watch)


class _Problem:
    """Mean loss and gradient as a function of a float64 vector."""

    def __init__(self, objective, data, state, moving):
        self.objective, self.data, self.moving = objective, data, moving
        self.theta = state.theta.copy()
        self.workspace = objective.workspace(1, self.theta.dtype, training=True)
        self.grad = np.empty_like(self.theta)

    def __call__(self, x):
        self.theta[...] = x
        means, scale = self.objective.over(self.theta, self.data, self.workspace, self.grad)
        if self.moving is not None:
            self.grad *= self.moving
        return float(means[0]), self.grad[0].astype(np.float64) * scale


def _conclude(result, state, plan, watch):
    """Take over SciPy's verdict if none of our criteria has ended the training."""
    if not state.running.any():
        return
    state.theta[...] = result.x
    if not state.losses:
        # SciPy was content with the start: that counts as an iteration.
        state.losses.append(np.array([float(result.fun)]))
        state.epoch = 1
        judge(state, replace(plan, max_epochs=2), watch, None)
    finite = np.isfinite(result.fun) and np.isfinite(state.theta).all()
    state.diverged[:] = not finite
    message = result.message if isinstance(result.message, str) else result.message.decode()
    state.stop(state.running, f"L-BFGS ended: {message}.", converged=result.status == 0)
