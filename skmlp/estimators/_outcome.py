"""How a call of fit may end: with a warning, or with an error and everything as it was."""

import warnings
from contextlib import contextmanager

from sklearn.exceptions import ConvergenceWarning

# From `report` up to the caller of a public method, past scikit-learn's wrapper of it.
STACKLEVEL = 6
NON_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)


@contextmanager
def all_or_nothing(estimator):
    """A call that fails leaves the estimator as it was, fitted or not."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def report(state, optimizer):
    """Warn or raise about how the training of a single member ended.

    `optimizer` is None for a single pass, which need not converge.
    """
    if state.diverged[0]:
        advice = "Lower learning_rate_init, set max_grad_norm, or scale the features."
        if not state.best_epoch[0]:
            raise ValueError(f"{NON_FINITE} {state.reasons[0]} {advice}")
        warnings.warn(
            f"{state.reasons[0]} The best epoch, {state.best_epoch[0]}, is restored. {advice}",
            ConvergenceWarning,
            stacklevel=STACKLEVEL,
        )
    elif state.interrupted:
        warnings.warn(state.reasons[0], UserWarning, stacklevel=STACKLEVEL)
    elif optimizer is not None and not state.converged[0]:
        message = f"L-BFGS failed to converge. {state.reasons[0]} Increase max_iter or max_fun."
        if optimizer.stochastic:
            # The words of scikit-learn, for those who filter by them.
            message = (
                f"Stochastic Optimizer: Maximum iterations ({state.epoch}) reached and the "
                "optimization hasn't converged yet. Increase max_iter, or raise "
                "learning_rate_init or tol."
            )
        warnings.warn(
            message,
            ConvergenceWarning,
            stacklevel=STACKLEVEL,
        )
