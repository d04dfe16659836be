"""What all estimators share: parameters and the template of fit."""

import copy
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial
from numbers import Real

import numpy as np
from sklearn.utils import check_random_state

from .._engine.lbfgs import train_lbfgs
from .._engine.objective import Objective
from .._engine.training import TrainState, train
from .._sklearn_compat import CallbackSupportMixin, _fit_context, open_callbacks, validate_data
from ._callbacks import callbacks_of, identity_of
from ._design import Design, check_same_design
from ._effective import dense_layers, reexpress
from ._model import NetworkModel, fitted_model
from ._outcome import all_or_nothing, choose, report, training_attributes, warn
from ._parameters import SHARED_CONSTRAINTS
from ._problem import Problem
from ._recipe import Layers, Recipe, check_same_model, is_stochastic, plan_of
from ._sample import Sample, as_weights, check_same_targets, is_far_outside, naming
from ._validation import check_dimensions, check_numbers, check_sample_weight, is_mapped
from ._watch import Watch, score_of, split, split_by

# By which the learning rate of a learned scale of the inputs is multiplied: it has to move by
# factors, while weights move by little (Holzmueller et al. 2024, arXiv 2407.04491).
SCALE_RATE = 6.0


class BaseMLP(CallbackSupportMixin, NetworkModel, ABC):
    """Template of fit for estimators over one network.

    Subclasses answer: what the loss is, how y becomes targets, what is watched, and what raw
    outputs mean. Think twice before adding anything here: every estimator inherits it.
    """

    _parameter_constraints = SHARED_CONSTRAINTS

    # Regressors have a parameter of this name; the losses of the others ignore it.
    target_scaling = True

    # These are parameters of some.
    weight_averaging, refit, n_shared_layers = 0.0, False, 0
    dropout_schedule = weight_decay_schedule = "constant"

    # Which sparse X `fit` takes, or False.
    _accept_sparse = "csr"

    # The parameter that says what raw outputs mean.
    _loss_parameter = "loss"

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Dense, a DataFrame, CSR or CSC, or memory mapped; a memory map is never loaded whole.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers, in any unit; for classifiers labels, or for several labels per row a matrix of
            0 and 1.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; rows of weight 0 are dropped before anything else.
        X_val, y_val : array-likes as X and y, default=None
            Rows to watch instead of a part of X. The best epoch on them is restored;
            `early_stopping` says whether they end the training too. Earlier steps of a Pipeline do
            not transform X_val by themselves, see the parameter `transform_input` of Pipeline.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Weights of the rows of X_val.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For input that cannot be used, for parameters that cannot act together, and when
            training diverges.
        TypeError
            For a sparse X with `categorical_features`.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` or `max_fun` ends a training that has not converged, when some of
            several starts diverge and are dropped, and when the best epoch is restored because
            training has diverged after it.
        UserWarning
            When X_val lies far outside the range of X, when `batch_size` is larger than the number
            of rows, when `scoring` cannot count weights, when a class of a single row cannot be
            watched, for a y of one column, and when Ctrl-C ends the training: the model is kept.

        Examples
        --------
        The last rows are watched instead of trained on.

        >>> import numpy as np
        >>> from skmlp import MLPRegressor
        >>> X = np.random.default_rng(0).normal(size=(60, 2))
        >>> y = 100.0 + 50.0 * X[:, 0]
        >>> model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> model.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:]).score(X[40:], y[40:]) > 0.99
        True
        >>> len(model.validation_loss_curve_) == model.n_iter_
        True
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def _fit(self, X, y, sample_weight, validation=(None,) * 3, *, incremental=False, classes=None):
        # Asked twice: callbacks are opened on this estimator before the copy is made.
        concrete = partial(self._concrete, X, sample_weight, incremental)
        # Opened first, as scikit-learn closes them whether the call fails or not.
        context = None if incremental else open_callbacks(self, concrete()._max_epochs())
        steps = X, y, sample_weight, validation, incremental, classes, context
        with all_or_nothing(self):
            self._take_over(concrete()._fit_steps(*steps))
        return self

    def _concrete(self, X, weight=None, incremental=False):
        """This estimator, or a copy in whose parameters no "auto" depends on the data any more."""
        return self

    def _take_over(self, concrete):
        """Take the fitted attributes of what `_concrete` has given."""
        if concrete is not self:
            parameters = self.get_params(deep=False)
            vars(self).clear()
            vars(self).update({**vars(concrete), **parameters})

    def _max_epochs(self):
        """Largest number of epochs of all restarts, None where they are not made together."""
        together = self.n_init == 1 or is_stochastic(self.solver)
        return self.max_iter if together else None

    def _fit_steps(self, X, y, sample_weight, validation, incremental, classes, context):
        recipe = Recipe.of(self, self._layers(), self._drawn_init(), incremental)
        resumed = (incremental or self.warm_start) and hasattr(self, "theta_")
        # What a later call of partial_fit may lack, a warm start must have: all classes.
        going_on = ("partial_fit" if incremental else "fit") if resumed else None
        whole = self._sample(X, y, sample_weight, going_on, classes)
        seeds = self._seeds()
        sample, held_out = self._hold_out(whole, validation, seeds[2], incremental)
        objective, data, state = self._posed(recipe, sample, seeds, resumed, incremental)
        start = state.theta.copy() if resumed else self._given_start()
        state.identity = partial(
            identity_of, self, sample, held_out, seeds, state.samples_seen, start
        )
        watch = self._watch(objective, held_out, sample, data, seeds[2]) if held_out else None
        factors = self._step_factors(self._network_of(self._model), state.theta.dtype)
        plan = plan_of(self, recipe, len(data), held_out is not None, incremental, factors)
        callbacks = callbacks_of(self, context, sample, self._attributes_now)
        self._train(objective, data, state, plan, watch, callbacks, not (resumed or incremental))
        members = choose(state, self._averages())
        report(state, members, None if incremental else recipe.optimizer)
        self.theta_ = self._shaped(state.theta[members])
        before = self.history_ if resumed else {}
        left = training_attributes(
            state, members, before, len(data), recipe.optimizer, incremental, self._averages()
        )
        self.__dict__.update(left)
        self._after_training(objective, data, members)
        if self.refit:
            self._train_on_all(recipe, whole, seeds, plan, state, members)
        return self

    def _seeds(self):
        """Of the initial weights and noise, of the order of rows, and of the split."""
        return check_random_state(self.random_state).randint(2**31 - 1, size=3).tolist()

    def _posed(self, recipe, sample, seeds, resumed, incremental=False):
        """Objective, training set, and a state that holds the parameters to start from.

        All fitted attributes that predictions need are set.
        """
        self._before_network(sample, seeds, resumed)
        loss = self._fitted_loss(sample, resumed)
        model = self._described(recipe, sample, loss.n_raw(self._n_targets(sample)))
        network = self._network_of(model)
        design, theta, loss = self._prepare(sample, loss, model, resumed)
        data = sample.training_set(design, theta.dtype)
        state = self._start(theta, recipe.optimizer, seeds, resumed, incremental)
        if not resumed:
            self._initialize(theta, network, loss, data, self._n_targets(sample), state.noise)
        self.__dict__.update(fitted_model(self._shaped(theta), model, design, loss))
        return self._objective(network, loss, sample, design), data, state

    def _problem(self, X, y, sample_weight=None):
        """What `fit` would begin to minimise on all these rows, or go on with if it is fitted.

        Nothing is trained, but fitted attributes change as at the begin of a fit.
        """
        self._validate_params()
        resumed = hasattr(self, "theta_")
        concrete = self._concrete(X, sample_weight, incremental=resumed)
        recipe = Recipe.of(concrete, concrete._layers(), concrete._drawn_init())
        sample = concrete._sample(X, y, sample_weight, "partial_fit" if resumed else None)
        return Problem(*concrete._posed(recipe, sample, concrete._seeds(), resumed))

    # What estimators with more than hidden layers between X and y answer in their own way.

    # How rows become a training set.
    _sample_class = Sample

    def _fitted_loss(self, sample, resumed):
        """The loss, with what it has to know of the targets."""
        return self._make_loss()

    def _layers(self):
        """Layers between input and output."""
        return Layers.of(self)

    def _drawn_init(self):
        """The rule by which weights are drawn."""
        return self.init

    def _before_network(self, sample, seeds, resumed):
        """What has to be known of the training rows before there is a network."""

    def _described(self, recipe, sample, n_raw):
        """The network in plain values."""
        return recipe.model(sample.X.shape[1], n_raw)

    def _initialize(self, theta, network, loss, data, n_targets, rngs):
        """Draw theta in place; the output starts at the best constant."""
        drawn = network.initial(rngs)
        network.start_from(drawn, loss.init_raw(*data.targets(), n_targets))
        theta[...] = drawn

    def _given_start(self):
        """Parameters that a new fit takes from elsewhere, or None."""

    def _objective(self, network, loss, sample, design):
        """What is minimised."""
        return Objective(network, loss, float(self.alpha))

    def _step_factors(self, network, dtype):
        """Factors of the learning rate for single parameters, (1, P), or None."""
        scales = [layer.scale for layer in dense_layers(network) if layer.scale is not None]
        if not scales:
            return None
        factors = np.ones((1, network.n_params), dtype)
        for scale in scales:
            scale.view(factors)[...] = SCALE_RATE
        return factors

    def _train(self, objective, data, state, plan, watch, callbacks, fresh):
        """Run the solver; `fresh` tells a whole fit from new weights."""
        self._solve(objective, data, state, plan, watch, callbacks)

    def _solve(self, objective, data, state, plan, watch=None, callbacks=()):
        """Let the solver change `state`."""
        run = train if plan.optimizer.stochastic else train_lbfgs
        run(objective, data, state, plan, watch=watch, callbacks=callbacks)

    def _after_training(self, objective, data, members):
        """What else is to be known once the `members` that were trained make up the model."""

    def _sample(self, X, y, sample_weight, going_on=None, classes=None, like=None):
        """Checked and encoded rows. Those of weight 0 are as if they were not there.

        `like` is the training sample when these rows are for validation.
        """
        mapped = is_mapped(X)
        X, y = self._check_data(X, y, reset=going_on is None)
        n = y.shape[0]
        if sample_weight is None:
            kept, weight = slice(None), None
        else:
            sample_weight = check_sample_weight(sample_weight, n)
            kept = np.flatnonzero(sample_weight)
            weight = sample_weight[kept]
        some = self._encode_target(y[kept], going_on, classes)
        factors = self._class_factors(some, weight) if like is None else like.factors
        weight = self._class_weighted(weight, some, factors)
        if sample_weight is None:
            index = np.arange(n) if weight is None else np.flatnonzero(weight)
            return self._sample_class(X, y, some, weight, factors, None, mapped).part(index)
        target, weights = np.zeros((n, *some.shape[1:]), some.dtype), np.zeros(n)
        target[kept], weights[kept] = some, weight
        sample = self._sample_class(X, y, target, weights, factors, None, mapped)
        return sample.part(np.flatnonzero(weights))

    def _hold_out(self, sample, validation, seed, incremental):
        """The rows to train on, and those to watch, or None."""
        X_val, y_val, weight_val = validation
        self._check_validation(*validation)
        early = self.early_stopping
        watching = X_val is not None or self._watches_by_default(sample)
        self.early_stopping_ = watching if early == "auto" else bool(early)
        if X_val is not None:
            with naming("X_val", "y_val", "sample_weight_val"):
                held_out = self._sample(X_val, y_val, weight_val, "X_val", like=sample)
            check_same_targets(sample, held_out)
            if is_far_outside(sample, held_out):
                warn(
                    "X_val lies far outside the range of X. Has it gone through the same "
                    "transformations? Earlier steps of a Pipeline do not transform it unless "
                    "transform_input=['X_val'] says so.",
                    UserWarning,
                )
            return sample, held_out
        if self.early_stopping_ and not incremental:
            training, validation = self._split(sample, seed)
            return sample.part(training), self._part_to_watch(sample, validation)
        if self.scoring is not None and not incremental:
            raise ValueError(
                f"scoring={self.scoring!r} cannot act without a validation set. Pass X_val and "
                "y_val to fit, set early_stopping=True, or leave scoring at None."
            )
        return sample, None

    def _part_to_watch(self, sample, validation):
        """The rows at the positions `validation`."""
        return sample.part(validation)

    def _watches_by_default(self, sample):
        """Whether a part of the rows is set aside when `early_stopping` is "auto"."""
        return False

    def _check_validation(self, X_val, y_val, sample_weight_val):
        """Refuse a part of a validation set."""
        given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        names = [name for name, value in given.items() if value is not None]
        if (X_val is None) != (y_val is None) or (X_val is None and names):
            raise ValueError(
                f"X_val and y_val belong together, but only {' and '.join(names)} was given. Give "
                "both, or none."
            )

    def _check_data(self, X, y, reset):
        check_dimensions(X)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=self._accept_sparse,
            dtype="numeric",
            multi_output=True,
            y_numeric=self._y_numeric,
            reset=reset,
        )
        return check_numbers(X), y

    _y_numeric = False

    @abstractmethod
    def _encode_target(self, y, going_on, classes):
        """Targets as floats of shape (n, n_targets) or class codes of shape (n,).

        `going_on` is None for a fresh start, the method that continues, or "X_val".
        """

    @abstractmethod
    def _make_loss(self):
        """The loss that the parameters and the kind of target stand for."""

    @abstractmethod
    def _watched_score(self, loss):
        """score(raw, y, weight) that is watched by default, or None for minus the loss."""

    def _n_targets(self, sample):
        return sample.target.shape[1]

    def _class_factors(self, target, weight):
        """Weights of the classes, None for all 1."""
        return None

    def _class_weighted(self, weight, target, factors):
        """Weights of the rows times those of their classes."""
        return weight

    def _split(self, sample, seed):
        """Positions for training and for validation."""
        if not isinstance(self.validation_fraction, Real):
            return split_by(self.validation_fraction, sample.X, sample.y, sample.positions())
        return self._share(sample, self.validation_fraction, seed)

    def _share(self, sample, fraction, seed):
        """Positions of all but a share of the rows, and of that share."""
        index = sample.positions()
        weight = None if sample.weight is None else sample.weight[index]
        strata = self._strata(sample, index)
        return split(index, fraction, seed, kinds=sample.kinds(), weight=weight, **strata)

    def _strata(self, sample, index):
        """What `split` shall stratify by."""
        return {}

    def _scalings(self, loss):
        """Kinds of scaling of features and of targets."""
        return self.feature_scaling, loss.target_scaling if self.target_scaling else "none"

    def _fit_design(self, loss, model, rows):
        """A new design."""
        return Design.fit(*self._scalings(loss), *rows)

    def _prepare(self, sample, loss, model, resumed):
        """Design, theta, (members, P), and loss: new, or the last ones brought up to date."""
        rows = sample.X, sample.target, sample.weight, sample.index
        if not resumed:
            dtype = _compute_dtype(self.dtype, sample.X.dtype)
            theta = np.empty((self.n_init, self._network_of(model).n_params), dtype)
            return self._fit_design(loss, model, rows), theta, loss
        check_same_model(self._model, model)
        if self._averages() != (self.theta_.ndim == 2):
            raise ValueError(
                f"combine_inits={self.combine_inits!r} with n_init={self.n_init} cannot go on from "
                f"a model of {len(np.atleast_2d(self.theta_))} network(s). Create a new estimator, "
                "or call fit with warm_start=False."
            )
        theta = np.array(np.atleast_2d(self.theta_))
        if self.dtype not in ("auto", theta.dtype.name):
            raise ValueError(
                f"dtype={self.dtype!r} differs from that of the first call, {theta.dtype}. Create "
                "a new estimator, or call fit with warm_start=False."
            )
        old = Design.restore(self._design)
        check_same_design(old, *self._scalings(loss), *self._named_loss())
        return self._followed(old, rows, self._network_of(model), theta, loss)

    def _followed(self, old, rows, network, theta, loss):
        """Design, theta and loss after more rows, which change no prediction."""
        design = old.update(*rows)
        reexpress(network, theta, loss, old, design)
        ratio = old.target.seen_from(design.target).scale / design.target.scale
        return design, theta, loss.moved(ratio)

    def _named_loss(self):
        """Name and value of the parameter that says what raw outputs mean."""
        return self._loss_parameter, getattr(self, self._loss_parameter)

    def _start(self, theta, optimizer, seeds, resumed, incremental):
        """State to train from; a new fit forgets best values, patience and lowered rates."""
        kept, seen = {}, 0
        if resumed:
            # Copies: training writes in place, and arrays of a loaded model may be read-only.
            kept, seen = copy.deepcopy(self._training), self.t_
            kept.pop("incremental")
            if kept.pop("optimizer") != type(optimizer).__name__:
                kept.update(moments=[], steps=np.zeros(len(theta), int))
            if not incremental:
                kept = {"moments": kept["moments"], "steps": kept["steps"]}
            steps = kept.pop("steps")
            kept.update(step=int(steps.max()), lag=steps.max() - steps)
        # The first restart is what n_init=1 gives.
        noise = [[seeds[0], seen, member] for member in range(len(theta))]
        return TrainState(
            theta,
            samples_seen=seen,
            order=np.random.default_rng([seeds[1], seen]),
            noise=tuple(map(np.random.default_rng, noise)),
            **kept,
        )

    def _watch(self, objective, held_out, sample, data, seed):
        plain = Objective(objective.network, objective.loss.plain)
        if held_out.is_part_of(sample):
            weight = data.weight
            if held_out.weight is not sample.weight:
                weight = as_weights(held_out.weight, self.theta_.dtype)
            validation = replace(data, index=held_out.index, weight=weight)
        else:
            validation = held_out.training_set(Design.restore(self._design), self.theta_.dtype)
        validation = validation.arranged()
        score = None
        if self.scoring is None:
            on_raw, (y, weight) = self._watched_score(plain.loss), validation.targets()
            score = on_raw and (lambda theta, raw: on_raw(raw, y, weight))
        elif self.scoring != "loss":
            score = score_of(self.scoring, self._for_scoring, held_out)
        return Watch(plain, validation, score)

    def _attributes_now(self, state):
        """Fitted attributes as if training had just ended."""
        members = np.flatnonzero(state.usable())
        if not state.running.any():
            members = choose(state, self._averages())
        elif self.combine_inits == "best" and state.losses:
            # As `choose` does: ties of the watched score go to the lower loss.
            loss = state.best_validation_loss if state.scores else state.losses[-1]
            members = np.lexsort((loss, -state.best_score))[:1]
        theta = state.outcome if state.kept is None or not state.scores else state.kept
        names = ("_model", "_design", "_loss", "n_layers_", "n_outputs_", "out_activation_")
        now = {name: getattr(self, name) for name in names} | {"feature_names_in_": None}
        return {**now, "theta_": self._shaped(np.array(theta[members]))}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _compute_dtype(dtype, given):
    if dtype != "auto":
        return np.dtype(dtype)
    return np.dtype(np.float32 if given == np.float32 else np.float64)
