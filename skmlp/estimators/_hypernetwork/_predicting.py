"""Predictions for rows of known and of unknown tasks."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..._engine.modulated import Allowed
from ..._engine.network import evaluate
from .._design import Design
from .._outcome import warn
from .._validation import is_beyond_doubt
from .._vocabulary import restore
from ._columns import Columns, as_table, task_keys
from ._description import hyper_network_of
from ._sample import groups_of, task_rows

# Raw outputs of all tasks for a block of rows of unknown tasks have about so many entries.
ENTRIES = 2**21


@dataclass(frozen=True)
class _Rows:
    """What `task_rows` wants to know of rows that are to be predicted."""

    columns: Columns
    tasks: np.ndarray
    allowed: np.ndarray | None
    groups: np.ndarray


class PredictsByTask:
    """Adds raw outputs by task to an estimator over a hypernetwork."""

    def predict(self, X):
        """Predict in the units of y, or labels.

        `score` and the other methods that predict raise and warn alike.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `fit`, columns of tasks and contexts included.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Rows of unknown tasks get the average prediction of all known tasks.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For an X with other columns than in `fit`, or with values that cannot be used; for
            unknown tasks with ``unknown_task="error"``, or if all rows have such and of another
            type than those of `fit`.
        TypeError
            For a sparse X.

        Warns
        -----
        UserWarning
            Of unknown tasks, and how many rows they have.

        Examples
        --------
        An unknown task is warned of, and gets the average of the known ones, here of x and -x.

        >>> import warnings
        >>> import numpy as np
        >>> from skmlp import HypernetworkRegressor
        >>> x = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([np.repeat([0, 1], 50), np.tile(x, 2)])
        >>> model = HypernetworkRegressor(
        ...     task_features=[0], hidden_layer_sizes=(), solver="lbfgs", random_state=0
        ... )
        >>> model = model.fit(X, np.concatenate([x, -x]))
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     y = model.predict([[0, 0.5], [1, 0.5], [2, 0.5]])
        >>> (10 * y).round().astype(int).tolist(), len(caught)
        ([5, -5, 0], 1)
        """
        return super().predict(X)

    def _outputs(self, X, stop=None):
        """Raw outputs of all members, (members, n_samples, n_raw)."""
        check_is_fitted(self)
        X, columns = as_table(self, X), Columns.restore(self._columns)
        keys = task_keys(X, columns) if columns.task else None
        plain = self._table["levels"] is None and is_beyond_doubt(self, X)
        numbers = X if plain else self._read(X)
        codes = np.zeros(X.shape[0], int) if keys is None else self._known_codes(*keys)
        theta = np.atleast_2d(self.theta_)
        design = Design.restore(self._design)
        base = design.rows(numbers, theta.dtype, whole=plain)
        out = np.empty((len(theta), len(codes), self.n_outputs_), theta.dtype)

        def write(tasks, groups, index, target):
            told = _Rows(columns, tasks, self._allowed, groups)
            rows = task_rows(base, numbers, told, design)
            index = rows.arranged(index)
            target[:, index] = evaluate(hyper_network_of(self._model), theta, rows, index)

        known, unknown = np.flatnonzero(codes >= 0), np.flatnonzero(codes < 0)
        if len(known):
            write(codes, groups_of(codes, numbers, columns), known, out)
        if len(unknown):
            # As if all were of one task, whichever that is.
            groups = groups_of(np.zeros_like(codes), numbers, columns)
            self._write_average(write, groups, unknown, out)
        return out

    def _known_codes(self, keys, inverse):
        """Code of the task of every row, -1 for unknown tasks."""
        known = {key: code for code, key in enumerate(self.tasks_.tolist())}
        code_of = np.array([known.get(key, -1) for key in keys])
        codes = code_of[inverse]
        if (code_of < 0).any():
            self._announce_unknown([key for key in keys if key not in known], codes)
        return codes

    def _announce_unknown(self, unknown, codes):
        n = int(np.count_nonzero(codes < 0))
        known = self.tasks_.tolist()
        if n == len(codes) and not _kinds(unknown) & _kinds(known):
            raise ValueError(
                f"All {n} rows of X have unknown tasks, such as {unknown[0]!r} of dtype "
                f"{np.asarray(unknown[:1]).dtype}, while the tasks of fit are of dtype "
                f"{self.tasks_.dtype}, such as {known[0]!r}. Give the task columns as in fit."
            )
        message = f"{n} rows of X have unknown tasks: {', '.join(map(repr, unknown[:10]))}" + (
            ", ..." if len(unknown) > 10 else ""
        )
        if self.unknown_task == "error":
            raise ValueError(
                f"{message}. Learn them by adapt or partial_fit, or set unknown_task='average'."
            )
        warn(
            f"{message}. They get the average prediction of all known tasks; learn them by adapt "
            "or partial_fit, or set unknown_task='error'.",
            UserWarning,
        )

    def _write_average(self, write, groups, unknown, out):
        """Raw outputs whose prediction is the mean of those of all tasks and members."""
        n_tasks, loss = len(self.tasks_), restore(self._loss)
        size = max(1, ENTRIES // (n_tasks * len(out) * out.shape[-1]))
        scratch = np.empty_like(out)
        for start in range(0, len(unknown), size):
            index = unknown[start : start + size]
            every = []
            for task in range(n_tasks):
                write(np.full(out.shape[1], task), groups, index, scratch)
                every.append(scratch[:, index])
            raw = np.concatenate(every)
            if not getattr(loss, "probabilistic", True):
                # A class that some tasks do not have loses there, but not by far.
                never = raw <= Allowed.NEVER
                lowest = np.where(never, np.inf, raw).min(axis=-1, keepdims=True)
                raw = np.where(never, lowest, raw)
            out[:, index] = loss.average(raw)


def _kinds(keys):
    """Kinds of identifiers: numbers, texts and so on."""
    plain = (key for group in keys for key in (group if isinstance(group, tuple) else (group,)))
    return {"number" if isinstance(key, int | float) else type(key).__name__ for key in plain}
