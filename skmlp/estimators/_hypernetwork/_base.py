"""What both hypernetwork estimators share."""

import sys
from dataclasses import replace
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..._engine.continual import task_sums
from ..._engine.groups import GroupedRows
from ..._engine.modulated import Allowed
from ..._sklearn_compat import Interval, StrOptions
from ...activations import ACTIVATIONS, Activation
from .._design import Design
from .._effective import folded
from .._parameters import SHARED_CONSTRAINTS
from .._table import label
from .._tabular import TABLE_CONSTRAINTS, TakesTables
from .._vocabulary import restore
from ._columns import Columns, as_key, as_table, as_tasks, task_keys, with_numbers
from ._description import (
    MODULATIONS,
    check_modulation_parameters,
    described,
    hyper_network_of,
)
from ._memory import RemembersTasks
from ._predicting import PredictsByTask
from ._sample import TaskSample

# More texts than these that are all different are no category.
FEW_LEVELS = 8

ABOUT_CONTEXTS = "but it is one of context_features, which must be numbers. Encode it first."

# Main networks are written: these would act on weights that nobody holds.
WITHOUT = ("parametrization", "input_scale_layer")

HYPER_CONSTRAINTS = {
    **{name: kinds for name, kinds in SHARED_CONSTRAINTS.items() if name not in WITHOUT},
    **{name: TABLE_CONSTRAINTS[name] for name in ("categorical_features", "missing")},
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


class Hypernetwork(RemembersTasks, PredictsByTask, TakesTables):
    """Adds tasks and contexts to an estimator over a network; goes before `BaseMLP`."""

    _sample_class = TaskSample
    _network_of = staticmethod(hyper_network_of)
    _accept_sparse = False

    # What other estimators have as parameters. Categories have a column for every level: weights
    # are written, and an embedding of a level would have to be written too.
    parametrization, input_scale_layer = "standard", False
    max_one_hot, category_embedding_size, encoder = sys.maxsize, 1, None

    @property
    def task_embeddings_(self):
        """Learned vectors of the tasks, in the order of `tasks_`, read-only."""
        block = hyper_network_of(self._model).told.embeddings
        if block is None or not len(self.tasks_):
            return np.empty((0, self._model["embedding"]))
        embeddings = np.array(block.view(np.atleast_2d(self.theta_)))
        embeddings.flags.writeable = False
        return embeddings[0] if self.theta_.ndim == 1 else embeddings

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
        NotFittedError
            Before `fit`.
        ValueError
            For an unknown task, without a context that is needed, and for a task or a context
            where there are no columns of them.
        AttributeError
            With ``combine_inits="average"`` (ask the `estimators_`), with columns whose scaling is
            robust, categories (but bools), and missing values in the training rows.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import HypernetworkRegressor
        >>> x = np.linspace(-1, 1, 20)
        >>> X = np.column_stack([np.repeat([0, 1], 20), np.tile(x, 2)])
        >>> y = np.concatenate([3 * x, 1 - x])
        >>> model = HypernetworkRegressor(
        ...     hidden_layer_sizes=(), task_features=[0], solver="lbfgs", random_state=0
        ... ).fit(X, y)
        >>> coefs, intercepts = model.task_parameters(1)
        >>> coefs[0].round(1), intercepts[0].round(1)
        (array([[-1.]]), array([1.]))
        """
        check_is_fitted(self)
        self._check_one_affine_network("task_parameters")
        groups = self._group_of(task, context)
        network, theta = hyper_network_of(self._model), self.theta_[np.newaxis].astype(np.float64)
        caches = network.workspace(1, np.float64)
        pairs = network.effective(theta, network.written(theta, groups, caches))
        pairs = [(weight[0, 0], bias[0, 0]) for weight, bias in pairs]
        design = Design.restore(self._design)
        places, affine = design.places(self._positions().features), self._affine_features(design)
        features = SimpleNamespace(
            **{
                name: None if value is None else value[places]
                for name in ("shift", "scale")
                for value in [getattr(affine, name)]
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
            contexts = design.scaled(row)[np.newaxis][..., design.places(columns.context)]
        elif context is not None:
            raise ValueError(f"context={context!r} cannot be given: context_features is None.")
        allowed = None if self._allowed is None else self._allowed[[code]]
        tasks = np.array([code]) if columns.task or not columns.context else None
        return GroupedRows(np.empty((1, 1, 0)), np.zeros(1, int), tasks, contexts, allowed)

    def _bent_columns(self, design):
        return np.intersect1d(super()._bent_columns(design), self._positions().features)

    def _positions(self):
        return Columns.restore(self._columns)

    def _skipped(self):
        return self._positions().task

    def _numbers_only(self):
        return dict.fromkeys(self._positions().context, ABOUT_CONTEXTS)

    def _few_levels(self):
        return FEW_LEVELS

    def _chosen_mask(self, X):
        chosen, columns = super()._chosen_mask(X), self._positions()
        wrong = [j for j in (*columns.task, *columns.context) if chosen is not None and chosen[j]]
        if wrong:
            raise ValueError(
                f"categorical_features={self.categorical_features!r} has the columns {wrong}, "
                "which are those of tasks or contexts. Tasks need no encoding, contexts must be "
                "numbers. Leave them out."
            )
        return chosen

    def _found(self, X):
        return super()._found(with_numbers(X, self._positions()))

    def _coded(self, X):
        return super()._coded(with_numbers(X, self._positions()))

    def _silence(self, theta, network, data):
        """Weights are written, and cannot be set."""

    def _checked(self, X):
        X, context = super()._checked(X), self._positions().context
        missing = [j for j in context if X.dtype.kind == "f" and np.isnan(X[:, j]).any()]
        if missing:
            names = getattr(self, "feature_names_in_", None)
            row = int(np.argmax(np.isnan(X[:, missing[0]])))
            raise ValueError(
                f"Input X contains NaN in {label(missing[0], names)}, row {row}, which is one of "
                "context_features. A context must be known: fill it first, or drop such rows."
            )
        return X

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
        return replace(sample, allowed=self._allowed_outputs(sample, like, going_on))

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

    def _allowed_outputs(self, sample, like, going_on):
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

    def _described(self, recipe, sample, n_raw):
        columns = sample.columns
        n_tasks = len(self.tasks_)
        if not columns.task:
            n_tasks = int(not columns.context and self.modulation_ != "chunked")
        expansion, n_in = self._expanding, len(columns.features)
        if expansion is not None:
            n_in = int(np.isin(expansion.origin, columns.features).sum())
        return described(self, recipe, columns, self.modulation_, n_tasks, (n_in, n_raw))

    def _followed(self, old, rows, network, theta, loss):
        # What is written for other tasks could not follow.
        return old, theta, loss

    def _few_of_a_class(self):
        # Classes have their shares in tasks.
        return 0

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
        sums, weights = task_sums(objective, np.atleast_2d(self.theta_), data, n_tasks)
        sums, seen = sums.mean(axis=0), weights > 0
        losses[seen] = sums[seen] / weights[seen]
        self.task_loss_ = losses
        n_free = np.count_nonzero(seen) * self._model["embedding"]
        mean = sums.sum() / max(weights.sum() - n_free, 0.1 * weights.sum())
        self._dispersion = float(objective.loss.dispersion(mean, _n_targets(data.y)))

    def _attributes_now(self, state):
        names = ("tasks_", "_columns", "_allowed", "_memory", "_table")
        return {**super()._attributes_now(state), **{name: getattr(self, name) for name in names}}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        # Not all columns: tasks are told apart, contexts are numbers that must be known.
        tags.input_tags.categorical = False
        if not (self.task_features is None is self.context_features):
            tags.input_tags.allow_nan = False
        return tags


def _n_targets(y):
    return y.shape[1] if y.ndim == 2 else 1


def _as_numbers(context):
    try:
        return np.asarray([] if context is None else context, np.float64).reshape(-1)
    except (TypeError, ValueError):
        return np.empty(0)
