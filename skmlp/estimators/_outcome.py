"""How a call of fit may end: with a model and perhaps a warning, or with an error."""

import sys
import warnings
from contextlib import contextmanager

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._engine.state import INTERRUPTED

NON_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)
ADVICE = "Lower learning_rate_init, set max_grad_norm, or scale the features."
ONE_PASS = "The one pass of partial_fit was made."


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


def warn(message, category):
    """Warn about the line of the caller's code that called this package, directly or not."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(("skmlp.", "sklearn.")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def final_losses(state):
    """Of each member the validation loss of its best epoch, or the last training loss; else NaN."""
    losses = np.full(len(state.theta), np.nan)
    for member, last in enumerate(state.last_epoch):
        if state.best_epoch[member]:
            losses[member] = state.best_validation_loss[member]
        elif last and not state.diverged[member]:
            losses[member] = state.losses[last - 1][member]
    return losses


def choose(state, average):
    """Members that make up the model: all that are of use, or the best of them.

    Raises
    ------
    ValueError
        When all have diverged and none has a watched best to go back to.
    """
    usable = np.flatnonzero(state.usable())
    if not len(usable):
        raise ValueError(f"{NON_FINITE} {state.reasons[0]} {ADVICE}")
    if state.scores and not np.isfinite(state.scores).any():
        raise ValueError(
            "The watched score was not a finite number in any epoch. Choose another scoring, such "
            "as scoring='loss', or a larger validation set."
        )
    # When the user ends the training early, some restarts may not even have begun.
    begun = usable[state.last_epoch[usable] > 0]
    usable = begun if len(begun) else usable[:1]
    if average:
        return usable
    score = np.nan_to_num(-state.best_score[usable], nan=np.inf)
    order = np.lexsort((final_losses(state)[usable], score))
    return usable[order[:1]]


def report(state, members, optimizer):
    """Warn about how the training ended of the `members` that make up the model.

    `optimizer` is None for a single pass, which need not converge.
    """
    lost = np.flatnonzero(~state.usable())
    if len(lost):
        warn(
            f"{len(lost)} of {len(state.theta)} restarts diverged and are dropped: "
            f"{state.reasons[lost[0]]} {ADVICE}",
            ConvergenceWarning,
        )
    for member in members:
        if state.diverged[member]:
            best = state.best_epoch[member]
            message = f"{state.reasons[member]} The best epoch, {best}, is restored. {ADVICE}"
            warn(message, ConvergenceWarning)
            return
    if state.interrupted:
        warn(INTERRUPTED, UserWarning)
    elif optimizer is not None and not state.converged[members].all():
        warn(_not_converged(state, members, optimizer), ConvergenceWarning)


def _not_converged(state, members, optimizer):
    member = members[~state.converged[members]][0]
    if not optimizer.stochastic:
        return f"L-BFGS failed to converge. {state.reasons[member]} Increase max_iter or max_fun."
    # The words of scikit-learn, for those who filter by them.
    return (
        f"Stochastic Optimizer: Maximum iterations ({state.last_epoch[member]}) reached and the "
        "optimization hasn't converged yet. Increase max_iter, or raise learning_rate_init or tol."
    )


def curves(state, members):
    """Mean histories of the members that were still training, as lists of floats.

    Those without a single entry are left out; the others are filled up with NaN to one length.
    """
    n_epochs = int(state.last_epoch[members].max(initial=0))
    means = {}
    for name, column in state.curves().items():
        if not column:
            continue
        rows = [entry[members[state.last_epoch[members] > i]] for i, entry in enumerate(column)]
        means[name] = [float(row.mean()) for row in rows[:n_epochs]]
        means[name] += [np.nan] * (n_epochs - len(means[name]))
    return means


def reason_of(state, members, incremental):
    """Why the training ended, in a sentence; one for each restart when they differ."""
    ended = state.converged | state.diverged
    if incremental and not (ended[members].any() or state.interrupted):
        return ONE_PASS
    reasons = {member: state.reasons[member] for member in members}
    if len(set(reasons.values())) == 1:
        return state.reasons[members[0]]
    return " ".join(f"Restart {member}: {reason}" for member, reason in reasons.items())


def training_attributes(state, members, before, n_rows, optimizer, incremental, averaged=False):
    """The fitted attributes that tell how the `members` of the model were trained.

    Parameters
    ----------
    state : TrainState
    members : ndarray of int
    before : dict
        `history_` of earlier calls that this one continues.
    n_rows : int
        Training rows of an epoch.
    optimizer : Optimizer
    incremental : bool
    averaged : bool
        Whether the model is the average of the members.
    """
    history = _appended(before, curves(state, members))
    losses = history.get("loss", [])
    n_iter = int(state.last_epoch[members].max())
    watched = bool(state.scores)
    best_epochs = state.best_epoch[members].tolist()
    unseen = (state.epoch - n_iter) * n_rows if optimizer.stochastic else 0
    return {
        "history_": history,
        "loss_curve_": losses,
        "learning_rate_curve_": history.get("learning_rate", []),
        "validation_scores_": history.get("validation_score"),
        "validation_loss_curve_": history.get("validation_loss"),
        "loss_": losses[-1] if losses else np.nan,
        "n_iter_": n_iter,
        "t_": state.samples_seen - unseen,
        "best_loss_": None if watched else float(state.best_loss[members].mean()),
        "best_validation_score_": float(state.best_score[members].mean()) if watched else None,
        "best_iteration_": (best_epochs if averaged else best_epochs[0]) if watched else None,
        "init_losses_": final_losses(state),
        "stop_reason_": reason_of(state, members, incremental),
        "_training": to_go_on(state, members, optimizer, incremental),
    }


def to_go_on(state, members, optimizer, incremental):
    """What further training of the `members` takes over, but for their parameters."""
    return {
        "incremental": incremental,
        "optimizer": type(optimizer).__name__,
        "moments": [moment[members] for moment in state.moments],
        "steps": state.last_step[members],
        "rate_factor": state.rate_factor[members],
        "stale": state.stale[members],
        "best_loss": state.best_loss[members],
    }


def _appended(before, now):
    """Two histories in a row; NaN stands for what only one of them has."""
    n_before, n_now = (len(history.get("loss", ())) for history in (before, now))
    return {
        name: before.get(name, [np.nan] * n_before) + now.get(name, [np.nan] * n_now)
        for name in dict.fromkeys([*before, *now])
    }
