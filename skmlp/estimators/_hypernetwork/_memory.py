"""Tasks that come one after another: what is held, what is new."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..._engine.continual import ContinualObjective, Protected
from .._design import Design
from .._outcome import all_or_nothing
from .._recipe import is_stochastic
from ._adaptation import Prior, adapted_embeddings
from ._description import hyper_network_of, resolved_modulation
from ._sample import noted_contexts


class RemembersTasks:
    """Adds boundaries between tasks, and embeddings of new ones, to a hypernetwork.

    `_memory` says which tasks are the current set, what theta was when it became that, and which
    contexts to hold other tasks at.
    """

    @property
    def estimators_(self):
        """The restarts as estimators of their own; exists with ``combine_inits="average"``.

        Raises
        ------
        AttributeError
            Before `fit`, and with a single network.
        """
        members = super().estimators_
        for i, member in enumerate(members):
            then = self._memory["theta"]
            then = None if then is None else then[i : i + 1]
            member._memory = {**self._memory, "theta": then}
        return members

    def adapt(self, X, y, sample_weight=None, *, max_iter=300):
        """Learn embeddings of new tasks from few rows; nothing else changes.

        Each new task starts from the embedding of the known task that serves its rows best, and
        from others that serve them well; the hypernetwork itself stays as it is, and so do all
        predictions for known tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of tasks that are not in `tasks_`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets, or labels of `classes_`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        max_iter : int, default=300
            Largest number of iterations of L-BFGS.

        Returns
        -------
        self : object
            `tasks_` and `task_embeddings_` have grown.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            When a task is known already, when there are no task columns or others than in `fit`,
            for input that cannot be used, and for a `max_iter` that is no integer of at least 1.
        TypeError
            For a sparse X.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import HypernetworkRegressor
        >>> task, x = np.repeat(np.arange(10), 20), np.tile(np.linspace(-1, 1, 20), 10)
        >>> X, y = np.column_stack([task, x]), (task - 4.5) * x
        >>> model = HypernetworkRegressor(
        ...     hidden_layer_sizes=(), task_features=[0], task_embedding_size=2, solver="lbfgs",
        ...     random_state=0,
        ... ).fit(X, y)
        >>> model = model.adapt([[99, -1.0], [99, 0.5], [99, 1.0]], [-3.0, 1.5, 3.0])
        >>> model.tasks_.tolist()[-1]
        99.0
        >>> model.predict([[99, 0.7]]).round(1)
        array([2.1])
        """
        return self._adapt(X, y, sample_weight, max_iter)

    def _adapt(self, X, y, sample_weight, max_iter):
        check_is_fitted(self)
        if isinstance(max_iter, bool) or not isinstance(max_iter, Integral) or max_iter < 1:
            raise ValueError(f"max_iter={max_iter!r} must be an integer of at least 1.")
        if not self._positions().task:
            raise ValueError("adapt is for new tasks, but task_features is None. Name the columns.")
        with all_or_nothing(self):
            before = len(self.tasks_)
            sample = self._sample(X, y, sample_weight, "partial_fit")
            codes = np.unique(sample.tasks[sample.positions()])
            if codes[0] < before:
                known = self.tasks_[codes[codes < before]].tolist()
                raise ValueError(
                    f"adapt learns new tasks only, but {known[:5]} are known already. Use "
                    "partial_fit, or fit with warm_start=True, to go on training them."
                )
            if self._columns != self._model["columns"]:
                raise ValueError(
                    "task_features, context_features or context_in_main has changed since the "
                    "first call. Set it back, or fit a new estimator."
                )
            loss, design = self._fitted_loss(sample, True), Design.restore(self._design)
            data = sample.training_set(design, self.theta_.dtype)
            self._grow(len(self.tasks_), [0])
            theta = np.array(np.atleast_2d(self.theta_))
            network = hyper_network_of(self._model)
            objective = ContinualObjective(network, loss, float(self.alpha))
            dispersion = self._dispersion
            for member in range(len(theta)):
                one = theta[member : member + 1]
                prior = Prior.of(network.told.embeddings.view(one)[0, :before], dispersion)
                adapted_embeddings(objective, one, data, codes, prior, max_iter)
            self.theta_ = theta[0] if self.theta_.ndim == 1 else theta
            # From now on the new tasks are among those that further training has to respect.
            self._memory = {**self._memory, "theta": theta.copy()}
            self._note_contexts(sample, design)
            self._after_training(objective, data, slice(None))
            self._dispersion = dispersion
        return self

    def _before_network(self, sample, seeds, resumed):
        super()._before_network(sample, seeds, resumed)
        n_tasks = len(self.tasks_)
        present = np.zeros(n_tasks, bool)
        present[np.unique(sample.tasks[sample.positions()]) if n_tasks else []] = True
        if not resumed or self.modulation != "auto":
            self.modulation_ = resolved_modulation(self, sample.columns, sample.counts())
        if not resumed:
            self._memory = {"current": present, "theta": None, "contexts": None}
            return
        if n_tasks > len(self._memory["current"]):
            self._grow(n_tasks, [seeds[0], self.t_])
        if (present & ~self._memory["current"]).any():
            then = np.array(np.atleast_2d(self.theta_))
            self._memory = {**self._memory, "current": present, "theta": then}
            training = dict(self._training, moments=[])
            for name, start in (("steps", 0), ("rate_factor", 1), ("stale", 0)):
                training[name] = np.full_like(training[name], start)
            training["best_loss"] = np.full_like(training["best_loss"], np.inf)
            self._training = training

    def _grow(self, n_tasks, seed):
        """Room for more tasks in theta, in the moments and in what is remembered.

        Embeddings are drawn anew for all restarts, as those of a first fit.
        """
        block = hyper_network_of(self._model).told.embeddings
        size, more = block.size, n_tasks * block.shape[1] - block.size
        rngs = [np.random.default_rng([*seed, n_tasks, i]) for i in range(self._n_members())]
        drawn = np.array([rng.normal(size=more) for rng in rngs])

        def grown(array, new):
            rows = np.atleast_2d(array)
            new = np.broadcast_to(new, (len(rows), more)).astype(rows.dtype)
            rows = np.concatenate([rows[:, :size], new, rows[:, size:]], axis=1)
            return rows.reshape(*array.shape[:-1], -1)

        self.theta_ = grown(self.theta_, drawn)
        moments = [grown(moment, 0.0) for moment in self._training["moments"]]
        self._training = {**self._training, "moments": moments}
        current = np.zeros(n_tasks, bool)
        current[: len(self._memory["current"])] = self._memory["current"]
        then = self._memory["theta"]
        then = None if then is None else grown(then, drawn)
        self._memory = {**self._memory, "current": current, "theta": then}
        self._model = {**self._model, "n_tasks": n_tasks}

    def _n_members(self):
        return len(np.atleast_2d(self.theta_))

    def _note_contexts(self, sample, design):
        """Remember where the tasks of a sample are to be held later."""
        if sample.columns.context and sample.columns.task:
            known, n_tasks = self._memory["contexts"], len(self.tasks_)
            noted = noted_contexts(sample, design, known, n_tasks)
            self._memory = {**self._memory, "contexts": noted}

    def _objective(self, network, loss, sample, design):
        protected = None
        self._note_contexts(sample, design)
        others = np.flatnonzero(~self._memory["current"])
        if self._memory["theta"] is not None and len(others) and self.output_reg > 0:
            if not is_stochastic(self.solver) and (
                self.output_reg_tasks is not None or sample.columns.context
            ):
                raise ValueError(
                    f"solver={self.solver!r} cannot protect a random choice of tasks "
                    f"(output_reg_tasks={self.output_reg_tasks!r}) or contexts. Use 'adam'."
                )
            protected = Protected(
                self._memory["theta"],
                others,
                float(self.output_reg),
                self.output_reg_tasks,
                sample.allowed,
                self._memory["contexts"],
            )
        return ContinualObjective(network, loss, float(self.alpha), protected=protected)

    def _step_factors(self, network, dtype):
        others = ~self._memory["current"]
        if not others.any():
            return None
        factors = np.ones((1, network.n_params), dtype)
        network.told.embeddings.view(factors)[0, others] = 0.0
        for layer in network.layers:
            # Learned slopes belong to all tasks, those that are to stay included.
            if getattr(layer, "slopes", None) is not None:
                layer.slopes.view(factors)[...] = 0.0
        return factors
