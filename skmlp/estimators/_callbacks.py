"""Who looks on while an estimator trains: its callbacks, and those of scikit-learn."""

import copy
import re

from .._version import __version__
from ..callbacks import Callback, PrintProgress
from ._sample import fingerprint


def callbacks_of(estimator, context, sample, attributes_of):
    """Callbacks of a fit: copies, so that the parameter stays a setting.

    Those of scikit-learn come last, since only then it is known whether there is a next epoch.
    """
    callbacks = copy.deepcopy(list(estimator.callbacks or ()))
    if estimator.verbose:
        callbacks.insert(0, PrintProgress(int(estimator.verbose)))
    if context is not None:
        callbacks.append(ScikitLearnCallbacks(*context, sample, attributes_of))
    return callbacks


def identity_of(estimator, sample, held_out, seeds, samples_seen, start):
    """Texts that tell a fit from others, for checkpoints.

    `samples_seen` rows have led to the weights `start` that a warm start begins with; else they
    are 0 and None.
    """
    if estimator.random_state is None and held_out and held_out.is_part_of(sample):
        raise ValueError(
            "Checkpoint cannot resume with random_state=None when a part of X is watched, since "
            "every run draws another part. Set random_state to an integer."
        )
    irrelevant = ("callbacks", "verbose", "warm_start", "random_state")
    parameters = estimator.get_params(deep=False)
    facts = {
        **{name: value for name, value in parameters.items() if name not in irrelevant},
        "random_state": None if estimator.random_state is None else seeds,
        "the number of rows seen before": samples_seen,
        "the weights it starts from": None if start is None else fingerprint(start),
        "the training data": sample.fingerprint(),
        "the validation data": None if held_out is None else held_out.fingerprint(),
        "the version of skmlp": __version__,
    }
    # Functions show an address, which another process does not have.
    return {name: re.sub(" at 0x[0-9a-fA-F]+", "", repr(value)) for name, value in facts.items()}


class ScikitLearnCallbacks(Callback):
    """Calls the hooks of what ``set_callbacks`` was given: a task for the fit, one for each epoch.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
    estimator : estimator being fitted
    sample : Sample
        The training rows.
    attributes_of : callable
        attributes_of(state) -> dict of the fitted attributes that the hooks may ask for.
    """

    def __init__(self, context, estimator, sample, attributes_of):
        self.context, self.estimator = context, estimator
        self.sample, self.attributes_of = sample, attributes_of
        self.epoch = None

    def on_train_begin(self, state):
        self.context.call_on_fit_task_begin(**self._facts(state))
        self._begin_epoch(state)

    def on_epoch_end(self, state):
        if self.epoch is None:
            # The next restart of lbfgs, which has a state of its own.
            self._begin_epoch(state)
        stop = self._end(self.epoch, state)
        self.epoch = None
        if state.running.any() and not stop:
            self._begin_epoch(state)
        return stop

    def on_train_end(self, state):
        if state.running.any() or not state.usable().any():
            return  # an error has ended the fit, or will
        if self.epoch is not None:
            # Begun, but never run: an empty task.
            self.epoch.call_on_fit_task_end(estimator=self.estimator)
        self._end(self.context, state)

    def _begin_epoch(self, state):
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self._facts(state))

    def _end(self, task, state):
        return task.call_on_fit_task_end(
            **self._facts(state), reconstruction_attributes=lambda: self.attributes_of(state)
        )

    def _facts(self, state):
        """What every hook may ask for; callables are called only if one does."""
        return {
            "estimator": self.estimator,
            "X": lambda: self.sample.taken()[0],
            "y": lambda: self.sample.taken()[1],
            "metadata": lambda: self._metadata(self.sample.taken()[2]),
        }

    @staticmethod
    def _metadata(weight):
        return None if weight is None else {"sample_weight": weight}
