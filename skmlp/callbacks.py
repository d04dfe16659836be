"""What may look on, epoch by epoch, while a network trains, and stop it."""

import json
import os
import sys
import time
import zipfile
from numbers import Integral, Real
from pathlib import Path

import numpy as np

__all__ = ["Callback", "Checkpoint", "PrintProgress", "ProgressBar", "TimeLimit"]


class Callback:
    """Base of all callbacks: every hook does nothing.

    Estimators train with copies of their callbacks, so that cloning and searches are safe. What a
    callback finds out belongs into ``state.record(name, value)``, and is in ``history_[name]`` of
    the fitted estimator.

    Attributes
    ----------
    needs_steps : bool
        Whether it makes no sense with ``solver="lbfgs"`` and in `partial_fit`.

    Notes
    -----
    `state` has, among others, ``epoch`` (ended epochs), ``max_epochs``, ``theta`` of shape
    (members, n_parameters), ``outcome`` (theta, or its average with `weight_averaging`), and the
    lists ``losses``, ``scores``, ``validation_losses`` and ``learning_rates`` with one array per
    epoch, one number per member. Members are the restarts of ``n_init``; with ``solver="lbfgs"``
    they come one after another, each with a state of its own.

    ``state.record(name, value)`` notes a number, or one per member, for the epoch that has just
    ended; it raises ValueError before that, and for the name of a curve such as "loss".

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import MLPRegressor
    >>> from skmlp.callbacks import Callback
    >>> class WeightNorm(Callback):
    ...     def on_epoch_end(self, state):
    ...         state.record("norm", np.linalg.norm(state.theta, axis=1))
    ...         return state.losses[-1].max() < 0.1  # good enough
    >>> X = np.linspace(0, 1, 100)[:, np.newaxis]
    >>> model = MLPRegressor(callbacks=[WeightNorm()]).fit(X, 3 * X.ravel())
    >>> sorted(model.history_)
    ['learning_rate', 'loss', 'norm']
    >>> model.stop_reason_
    'The callback WeightNorm asked to stop.'
    """

    needs_steps = False

    def on_train_begin(self, state):
        """Before the first epoch.

        Parameters
        ----------
        state : object
            See the notes of `Callback`.

        Examples
        --------
        >>> from skmlp import MLPRegressor
        >>> from skmlp.callbacks import Callback
        >>> class Tell(Callback):
        ...     def on_train_begin(self, state):
        ...         print("at most", state.max_epochs, "epochs")
        >>> model = MLPRegressor(max_iter=20, tol=1.0, callbacks=[Tell()], random_state=0)
        >>> model = model.fit([[0.0], [1.0]], [0.0, 1.0])
        at most 20 epochs
        """

    def on_epoch_end(self, state):
        """After an epoch has been judged.

        Parameters
        ----------
        state : object
            See the notes of `Callback`.

        Returns
        -------
        stop : bool or None
            True stops all members.

        Examples
        --------
        >>> from skmlp import MLPRegressor
        >>> from skmlp.callbacks import Callback
        >>> class StopAt(Callback):
        ...     def on_epoch_end(self, state):
        ...         return state.epoch == 3
        >>> model = MLPRegressor(callbacks=[StopAt()], random_state=0)
        >>> model.fit([[0.0], [1.0]], [0.0, 1.0]).n_iter_
        3
        """

    def on_train_end(self, state):
        """After the parameters that training ends with are in place, or an error has ended it.

        Parameters
        ----------
        state : object
            See the notes of `Callback`.

        Examples
        --------
        >>> from skmlp import MLPRegressor
        >>> from skmlp.callbacks import Callback
        >>> class Tell(Callback):
        ...     def on_train_end(self, state):
        ...         print("theta of", len(state.theta), "starts after", state.epoch, "epochs")
        >>> model = MLPRegressor(n_init=3, tol=1.0, callbacks=[Tell()], random_state=0)
        >>> model = model.fit([[0.0], [1.0]], [0.0, 1.0])
        theta of 3 starts after 11 epochs
        """


class TimeLimit(Callback):
    """Stop after the first epoch that ends more than `seconds` after the start.

    ``history_["seconds"]`` tells the time at the end of every epoch.

    Parameters
    ----------
    seconds : float
        Positive. The clock starts with the first epoch.

    Raises
    ------
    ValueError
        When `seconds` is not a positive number.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import MLPRegressor
    >>> from skmlp.callbacks import TimeLimit
    >>> X = np.linspace(0, 1, 100)[:, np.newaxis]
    >>> model = MLPRegressor(callbacks=[TimeLimit(1e-6)], random_state=0).fit(X, X.ravel())
    >>> model.n_iter_
    1
    """

    def __init__(self, seconds):
        if not (isinstance(seconds, Real) and seconds > 0):
            raise ValueError(f"seconds must be a positive number, got {seconds!r}.")
        self.seconds = seconds

    def on_train_begin(self, state):
        self.start = time.perf_counter()

    def on_epoch_end(self, state):
        elapsed = time.perf_counter() - self.start
        state.record("seconds", elapsed)
        return elapsed > self.seconds


def check_every(every):
    """A number of epochs, at least 1."""
    if isinstance(every, bool) or not (isinstance(every, Integral) and every >= 1):
        raise ValueError(f"every must be a whole number of at least 1, got {every!r}.")
    return every


class Checkpoint(Callback):
    """Save the training to a file, and go on from there when a killed fit is run again.

    The resumed fit ends with the same parameters, to the last bit, as one that was never killed. A
    fit whose file says that it has ended returns at once. Put it last in the list of callbacks:
    then the epoch in which another one stops the training is saved too, and the next run goes on
    from it.

    Parameters
    ----------
    path : str or path-like
        The file, in NumPy's .npz format. It is replaced as a whole, never left half written. Use
        one file for each fit.
    every : int, default=10
        Save after every so many epochs, and at the end.
    resume : bool, default=True
        Whether to start from an existing file; False overwrites it.

    Raises
    ------
    ValueError
        When `every` is not a whole number of at least 1; when fit begins, if the folder does not
        exist, or if the file belongs to a fit with other parameters or data, or cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skmlp import MLPRegressor
    >>> from skmlp.callbacks import Checkpoint
    >>> X = np.linspace(0, 1, 100)[:, np.newaxis]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = Checkpoint(os.path.join(folder, "fit.npz"))
    ...     model = MLPRegressor(tol=0.1, callbacks=[saved], random_state=0).fit(X, X.ravel())
    ...     print(os.listdir(folder))
    ['fit.npz']
    """

    needs_steps = True

    def __init__(self, path, every=10, resume=True):
        self.path = os.fsdecode(path)
        self.every = check_every(every)
        self.resume = resume

    def on_train_begin(self, state):
        """Read the file, if there is one to go on from.

        Parameters
        ----------
        state : object
            See the notes of `Callback`.

        Raises
        ------
        ValueError
            See `Checkpoint`.

        Examples
        --------
        The second fit finds the file of the first, which has ended, and trains no more.

        >>> import os, tempfile
        >>> from skmlp import MLPRegressor
        >>> from skmlp.callbacks import Checkpoint
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = Checkpoint(os.path.join(folder, "fit.npz"))
        ...     model = MLPRegressor(tol=1.0, callbacks=[saved], random_state=0)
        ...     first = model.fit([[0.0], [1.0]], [0.0, 1.0]).theta_.copy()
        ...     again = model.fit([[0.0], [1.0]], [0.0, 1.0]).theta_
        >>> bool((first == again).all())
        True
        """
        folder = Path(self.path).absolute().parent
        if not folder.is_dir() or Path(self.path).is_dir():
            raise ValueError(
                f"Checkpoint: path={self.path!r} must name a file in a folder that exists."
            )
        self.identity = state.identity()
        if self.resume and Path(self.path).exists():
            self._load(state)

    def on_epoch_end(self, state):
        if state.epoch % self.every == 0 or not state.running.any():
            self._save(state)

    def _save(self, state):
        arrays, values = state.snapshot()
        facts = json.dumps({"identity": self.identity, "values": values})
        beside = f"{self.path}.{os.getpid()}.tmp"
        try:
            with open(beside, "wb") as file:
                np.savez(file, facts=np.frombuffer(facts.encode(), np.uint8), **arrays)
            os.replace(beside, self.path)
        finally:
            Path(beside).unlink(missing_ok=True)

    def _load(self, state):
        remedy = "Give another path, delete the file, or use resume=False to overwrite it."
        try:
            with open(self.path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            facts = json.loads(arrays.pop("facts").tobytes())
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"Checkpoint: path={self.path!r} is not a readable checkpoint ({error}). {remedy}"
            ) from error
        saved = facts["identity"]
        differing = [
            f"{name} was {saved.get(name)}, is {self.identity.get(name)}"
            for name in sorted({*saved, *self.identity})
            if saved.get(name) != self.identity.get(name)
        ]
        if differing:
            raise ValueError(
                f"Checkpoint: path={self.path!r} belongs to another fit: {'; '.join(differing)}. "
                f"{remedy}"
            )
        state.resume(arrays, facts["values"])


class ProgressBar(Callback):
    """Show the epoch, the loss, the watched score, the best one and the time left.

    A bar when the package rich is installed, else a line of text on the standard output, written
    over itself in a terminal and at most once a second elsewhere.

    Examples
    --------
    >>> from skmlp import MLPRegressor
    >>> from skmlp.callbacks import ProgressBar
    >>> model = MLPRegressor(callbacks=[ProgressBar()])
    """

    def on_train_begin(self, state):
        self.start = self.looked = time.perf_counter()
        self.first = state.epoch
        self.display = _RichBar() if _has_rich() else _TextLine()

    def on_epoch_end(self, state):
        now = time.perf_counter()
        if state.running.any() and now - self.looked >= self.display.pause:
            self.looked = now
            self._show(state, now)

    def on_train_end(self, state):
        if state.losses:
            self._show(state, time.perf_counter())
        self.display.close()

    def _show(self, state, now):
        an_epoch = (now - self.start) / max(1, state.epoch - self.first)
        seconds_left = an_epoch * (state.max_epochs - state.epoch)
        self.display.show(state, _describe(state, seconds_left))


def _describe(state, seconds_left):
    parts = [
        f"epoch {state.epoch}/{state.max_epochs}",
        f"loss {np.fmin.reduce(state.losses[-1]):.5g}",
    ]
    if state.scores:
        parts.append(f"score {np.fmax.reduce(state.scores[-1]):.5g}")
        parts.append(f"best {np.fmax.reduce(state.best_score):.5g}")
    if state.running.any():
        minutes, seconds = divmod(round(seconds_left), 60)
        parts.append(f"at most {minutes}:{seconds:02d} left")
    return "  ".join(parts)


def _has_rich():
    try:
        import rich.progress  # noqa: F401
    except ImportError:
        return False
    return True


class _TextLine:
    """Text on the standard output."""

    def __init__(self):
        self.over_itself = sys.stdout.isatty()
        self.pause = 0.1 if self.over_itself else 1.0
        self.width = 0

    def show(self, state, text):
        end = "\r" if self.over_itself else "\n"
        print(text.ljust(self.width), end=end, flush=True)
        self.width = len(text)

    def close(self):
        if self.over_itself:
            print(flush=True)


class _RichBar:
    """A bar of the package rich."""

    pause = 0.1

    def __init__(self):
        from rich.progress import BarColumn, Progress, TextColumn

        self.progress = Progress(BarColumn(), TextColumn("{task.description}"))
        self.task = self.progress.add_task("")
        self.progress.start()

    def show(self, state, text):
        self.progress.update(
            self.task, completed=state.epoch, total=state.max_epochs, description=text
        )

    def close(self):
        self.progress.stop()


class PrintProgress(Callback):
    """Print the lines of scikit-learn's MLPs.

    Parameters
    ----------
    every : int, default=1
        Print the first epoch and every so many.

    Raises
    ------
    ValueError
        When `every` is not a whole number of at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import MLPRegressor
    >>> from skmlp.callbacks import PrintProgress
    >>> X = np.linspace(0, 1, 100)[:, np.newaxis]
    >>> model = MLPRegressor(tol=0.1, callbacks=[PrintProgress(every=100)], random_state=0)
    >>> model = model.fit(X, X.ravel())
    Iteration 1, loss = 0...
    The training loss did not improve by more than tol=0.1 for 10 consecutive epochs.
    """

    def __init__(self, every=1):
        self.every = check_every(every)

    def on_epoch_end(self, state):
        if state.epoch % self.every and state.epoch > 1:
            return
        print(f"Iteration {state.epoch}, loss = {_mean(state.losses[-1]):.8f}")
        if state.scores:
            print(f"Validation score: {_mean(state.scores[-1]):.6f}")

    def on_train_end(self, state):
        for reason in dict.fromkeys(filter(None, state.reasons)):
            print(reason)


def _mean(values):
    """Mean of the numbers that are finite, if there are any."""
    finite = values[np.isfinite(values)]
    return finite.mean() if len(finite) else np.nan
