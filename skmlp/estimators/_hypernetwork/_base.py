"""What both hypernetwork estimators share."""

from dataclasses import replace
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..._engine.continual import ContinualObjective, Protected, task_losses
from ..._engine.groups import GroupedRows
from ..._engine.modulated import Allowed
from ..._sklearn_compat import Interval, StrOptions
from ...activations import ACTIVATIONS, Activation
from .._design import Design
from .._effective import folded
from .._outcome import all_or_nothing
from .._parameters import SHARED_CONSTRAINTS
from .._recipe import is_stochastic
from .._vocabulary import restore
from ._adaptation import adapted_embeddings
from ._columns import Columns, as_key, as_table, as_tasks, has_texts, numbers_and_targets, task_keys
from ._description import (
    MODULATIONS,
    check_modulation_parameters,
    described,
    hyper_network_of,
    resolved_modulation,
)
from ._predicting import PredictsByTask
from ._sample import TaskSample

# Main networks are written: these would act on weights that nobody holds.
WITHOUT = ("parametrization", "input_scale_layer")

HYPER_CONSTRAINTS = {
    **{name: kinds for name, kinds in SHARED_CONSTRAINTS.items() if name not in WITHOUT},
    "task_features": "no_validation",
    "context_features": "no_validation",
    "context_in_main": ["boolean"],
    "modulation": [StrOptions({"auto", *MODULATIONS})],
    "rank": [Interval(Integral, 1, None, closed="left")],
    "chunk_size": [Interval(Integral, 1, None, closed="left"), None],
    "chunk_embedding_size": [Interval(Integral, 1, None, closed="left")],
    "task_embedding_size": [Interval(Integral, 1, None, closed="left")],
    "hyper_hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "hyper_activation": [StrOptions(set(ACTIVATIONS)), Activation, list, tuple],
    "output_reg": [Interval(Real, 0, None, closed="left")],
    "output_reg_tasks": [Interval(Integral, 1, None, closed="left"), None],
    "unknown_task": [StrOptions({"average", "error"})],
    "task_weight": [StrOptions({"balanced"}), None],
}


class Hypernetwork(PredictsByTask):
    """Adds tasks and contexts to an estimator over a network; goes before `BaseMLP`."""

    _sample_class = TaskSample
    _network_of = staticmethod(hyper_network_of)
    _accept_sparse = False

    parametrization, input_scale_layer = "standard", False

    @property
    def task_embeddings_(self):
        """Learned vectors of the tasks, in the order of `tasks_`, read-only."""
        block = hyper_network_of(self._model).told.embeddings
        if block is None or not len(self.tasks_):
            return np.empty((0, self._model["embedding"]))
        embeddings = np.array(block.view(np.atleast_2d(self.theta_)))
        embeddings.flags.writeable = False
        return embeddings[0] if self.theta_.ndim == 1 else embeddings

    @property
    def estimators_(self):
        """The restarts as estimators of their own; exists with ``combine_inits="average"``."""
        members = super().estimators_
        for i, member in enumerate(members):
            then = self._memory["theta"]
            then = None if then is None else then[i : i + 1]
            member._memory = {**self._memory, "theta": then}
        return members

    def task_parameters(self, task=None, context=None):
        """Weights and biases that the hypernetwork writes for a task.

        Parameters
        ----------
        task : object, default=None
            An entry of `tasks_`: for several task columns a tuple. None without task columns.
        context : array-like of shape (n_context,), default=None
            Values of the context columns, in their units; needed where there are some.

        Returns
        -------
        coefs, intercepts : list of ndarray
            Effective on the columns of X that the main network sees, in y's units, as
            `MLPRegressor.from_weights` and `MLPClassifier.from_weights` take them. Outputs of
            classes that the task does not have are so small that they never win.

        Raises
        ------
        ValueError
            For an unknown task, or without a context that is needed.
        AttributeError
            With ``combine_inits="average"`` (ask the `estimators_`) and with
            ``feature_scaling="robust"``.
        """
        check_is_fitted(self)
        self._check_one_affine_network("task_parameters")
        groups = self._group_of(task, context)
        network, theta = hyper_network_of(self._model), self.theta_[np.newaxis].astype(np.float64)
        caches = network.workspace(1, np.float64)
        pairs = network.effective(theta, network.written(theta, groups, caches))
        pairs = [(weight[0, 0], bias[0, 0]) for weight, bias in pairs]
        design, columns = Design.restore(self._design), list(self._positions().features)
        features = SimpleNamespace(
            **{
                name: None if value is None else value[columns]
                for name in ("shift", "scale")
                for value in [getattr(design.features, name)]
            }
        )
        coefs, intercepts = folded(
            pairs, features, design.target, restore(self._loss), self.theta_.dtype
        )
        if groups.allowed is not None:
            last = np.where(groups.allowed[0], intercepts[-1], Allowed.NEVER)
            intercepts[-1] = last.astype(self.theta_.dtype)
            intercepts[-1].flags.writeable = False
        return coefs, intercepts

    def _effective(self, name):
        check_is_fitted(self)
        columns = self._positions()
        if columns.task or columns.context:
            raise AttributeError(
                f"{name} does not exist here: every task or context has its own. Use "
                "task_parameters(task) or task_parameters(task, context)."
            )
        return self.task_parameters()

    def _group_of(self, task, context):
        """What the hypernetwork is told of a task in a context."""
        columns, design = self._positions(), Design.restore(self._design)
        code = 0
        if columns.task:
            known = {key: code for code, key in enumerate(self.tasks_.tolist())}
            key = as_key(task)
            if key not in known:
                raise ValueError(f"task={task!r} is not one of tasks_: {self.tasks_.tolist()}.")
            code = known[key]
        elif task is not None:
            raise ValueError(f"task={task!r} cannot be given, since task_features is None.")
        contexts = None
        if columns.context:
            given = _as_numbers(context)
            if len(given) != len(columns.context) or not np.isfinite(given).all():
                raise ValueError(
                    f"context={context!r} must hold the {len(columns.context)} finite values of "
                    f"context_features={self.context_features!r}."
                )
            row = np.zeros((1, self.n_features_in_))
            row[:, list(columns.context)] = given
            out = np.empty_like(row)
            design.features.transform(row, out)
            contexts = out[np.newaxis][..., list(columns.context)]
        elif context is not None:
            raise ValueError(f"context={context!r} cannot be given: context_features is None.")
        allowed = None if self._allowed is None else self._allowed[[code]]
        tasks = np.array([code]) if columns.task or not columns.context else None
        return GroupedRows(np.empty((1, 1, 0)), np.zeros(1, int), tasks, contexts, allowed)

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
        sample_weight : array-like of shape (n_samples,), default=None
        max_iter : int, default=300
            Largest number of iterations of L-BFGS.

        Returns
        -------
        self : object
            `tasks_` and `task_embeddings_` have grown.

        Raises
        ------
        ValueError
            When a task is known already, or there are no task columns.
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
            loss = self._fitted_loss(sample, True)
            data = sample.training_set(Design.restore(self._design), self.theta_.dtype)
            self._grow(len(self.tasks_), [0])
            theta = np.array(np.atleast_2d(self.theta_))
            network = hyper_network_of(self._model)
            objective = ContinualObjective(network, loss, float(self.alpha))
            for member in range(len(theta)):
                one = theta[member : member + 1]
                adapted_embeddings(objective, one, data, codes, before, max_iter)
            self.theta_ = theta[0] if self.theta_.ndim == 1 else theta
            # From now on the new tasks are among those that further training has to respect.
            self._memory = {"current": self._memory["current"], "theta": theta.copy()}
            self._after_training(objective, data, slice(None))
        return self

    def _positions(self):
        return Columns.restore(self._columns)

    def _check_data(self, X, y, reset):
        columns = self._positions()
        if has_texts(X, columns):
            return numbers_and_targets(self, X, y, columns, reset)
        return super()._check_data(X, y, reset)

    def _sample(self, X, y, sample_weight, going_on=None, classes=None, like=None):
        X = as_table(self, X, reset=going_on is None)
        if like is None:
            check_modulation_parameters(self)
            self._columns = Columns.of(self, X).state()
        columns = self._positions()
        keys = task_keys(X, columns) if columns.task else None
        sample = super()._sample(X, y, sample_weight, going_on, classes, like)
        tasks = np.zeros(len(sample.target), int)
        if columns.task:
            tasks = self._codes_of(*keys, sample, going_on, like)
        elif going_on is None:
            self.tasks_ = np.empty(0, object)
        sample = replace(sample, given=X, columns=columns, tasks=tasks)
        sample = self._task_weighted(sample, like)
        if going_on is None:
            self._allowed = None
        return replace(sample, allowed=self._allowed_outputs(sample, like))

    def _codes_of(self, keys, inverse, sample, going_on, like):
        """Codes of the tasks of all rows; new tasks are appended to `tasks_`."""
        known = {} if going_on is None else {k: i for i, k in enumerate(self.tasks_.tolist())}
        present = [keys[k] for k in np.unique(inverse[sample.positions()])]
        new = [key for key in present if key not in known]
        if like is not None and new:
            raise ValueError(
                f"X_val has tasks that X does not have: {new[:5]}. Leave their rows out of X_val "
                "and y_val, or add some to X and y."
            )
        known |= {key: len(known) + i for i, key in enumerate(new)}
        self.tasks_ = as_tasks(list(known))
        # Rows of weight 0 may have tasks of their own; they are never looked at.
        return np.array([known.get(key, 0) for key in keys])[inverse]

    def _task_weighted(self, sample, like):
        """The sample with every task of the same weight, if that is wanted."""
        if self.task_weight is None or not sample.columns.task:
            return sample
        index = sample.positions()
        if like is None:
            weight = None if sample.weight is None else sample.weight[index]
            sums = np.bincount(sample.tasks[index], weight, len(self.tasks_))
            present = sums > 0
            factors = np.zeros(len(sums))
            factors[present] = sums.sum() / (present.sum() * sums[present])
        else:
            factors = like.task_factors
        weight = np.ones(len(sample.tasks)) if sample.weight is None else sample.weight
        return replace(sample, weight=weight * factors[sample.tasks], task_factors=factors)

    def _allowed_outputs(self, sample, like):
        """Outputs that the tasks can have, or None for all."""
        return None

    def _check_chunk(self):
        """Refuse weights that only all rows could tell."""
        if self.task_weight is not None:
            raise ValueError(
                f"task_weight={self.task_weight!r} cannot act in partial_fit, which does not see "
                "all rows. Give sample_weight."
            )

    def _for_scoring(self, theta):
        # Scorers get rows as the caller gave them.
        return self._copy_with({"theta_": np.array(theta)})

    def _before_network(self, sample, seeds, resumed):
        n_tasks = len(self.tasks_)
        present = np.zeros(n_tasks, bool)
        present[np.unique(sample.tasks[sample.positions()]) if n_tasks else []] = True
        if not resumed or self.modulation != "auto":
            self.modulation_ = resolved_modulation(self, sample.columns, sample.counts())
        if not resumed:
            self._memory = {"current": present, "theta": None}
            return
        if n_tasks > len(self._memory["current"]):
            self._grow(n_tasks, [seeds[0], self.t_])
        if (present & ~self._memory["current"]).any():
            self._memory = {"current": present, "theta": np.array(np.atleast_2d(self.theta_))}
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
        self._memory = {"current": current, "theta": then}
        self._model = {**self._model, "n_tasks": n_tasks}

    def _n_members(self):
        return len(np.atleast_2d(self.theta_))

    def _described(self, recipe, sample, n_raw):
        columns = sample.columns
        n_tasks = len(self.tasks_)
        if not columns.task:
            n_tasks = int(not columns.context and self.modulation_ != "chunked")
        return described(self, recipe, columns, self.modulation_, n_tasks, n_raw)

    def _followed(self, old, rows, network, theta, loss):
        # What is written for other tasks could not follow.
        return old, theta, loss

    def _objective(self, network, loss, sample, design):
        protected = None
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

    def _strata(self, sample, index):
        strata = super()._strata(sample, index)
        if not sample.columns.task:
            return strata
        tasks, names = sample.tasks[index], [f"task {task!r}" for task in self.tasks_.tolist()]
        if not strata:
            return {"codes": tasks, "labels": np.array(names, object), "what": "Tasks"}
        n_classes = len(strata["labels"])
        pairs = tasks * n_classes + strata["codes"]
        share = self.validation_fraction * len(index)
        if len(np.unique(pairs)) > share:
            return {"codes": tasks, "labels": np.array(names, object), "what": "Tasks"}
        labels = [f"{label!r} of {name}" for name in names for label in strata["labels"].tolist()]
        return {"codes": pairs, "labels": np.array(labels, object)}

    def _split(self, sample, seed):
        training, validation = super()._split(sample, seed)
        if not sample.columns.task or not isinstance(self.validation_fraction, Real):
            return training, validation
        # Every task has to be learned before it can be watched.
        lost = ~np.isin(sample.tasks[validation], sample.tasks[training])
        return np.sort(np.r_[training, validation[lost]]), validation[~lost]

    def _after_training(self, objective, data, members):
        if self._memory["theta"] is not None:
            self._memory = {**self._memory, "theta": self._memory["theta"][members]}
        network = objective.network
        self.n_parameters_, self.n_main_parameters_ = network.n_learned, network.n_main
        n_tasks = len(self.tasks_)
        if not n_tasks:
            self.task_loss_ = np.empty(0)
            return
        losses = np.full(n_tasks, np.nan)
        before = getattr(self, "task_loss_", losses)[:n_tasks]
        losses[: len(before)] = before
        theta = np.atleast_2d(self.theta_)
        now = task_losses(objective, theta, data, n_tasks).mean(axis=0)
        self.task_loss_ = np.where(np.isnan(now), losses, now)

    def _attributes_now(self, state):
        names = ("tasks_", "_columns", "_allowed", "_memory")
        return {**super()._attributes_now(state), **{name: getattr(self, name) for name in names}}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


def _as_numbers(context):
    try:
        return np.asarray([] if context is None else context, np.float64).reshape(-1)
    except (TypeError, ValueError):
        return np.empty(0)
