"""What all estimators share: parameters, the template of fit, and raw predictions."""

import copy
import warnings
from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._engine.batches import TrainingSet
from .._engine.lbfgs import train_lbfgs
from .._engine.network import evaluate
from .._engine.objective import Objective
from .._engine.training import Plan, TrainState, train
from .._sklearn_compat import Interval, Options, StrOptions, _fit_context, validate_data
from .._version import __version__
from ..activations import ACTIVATIONS, Activation
from ..callbacks import PrintProgress
from ..initializers import INITIALIZERS, Initializer
from ..optimizers import OPTIMIZERS, Optimizer
from ..schedules import SCHEDULES, Schedule
from ._design import Design, check_same_design
from ._effective import effective_parameters, reexpress, set_output_bias
from ._encoding import FEATURE_SCALINGS
from ._outcome import STACKLEVEL, all_or_nothing, report
from ._recipe import Recipe, check_same_model, network_of
from ._validation import check_dimensions, check_sample_weight, is_mapped
from ._vocabulary import describe, restore
from ._watch import Watch, split


class BaseMLP(BaseEstimator, ABC):
    """Template of fit for estimators over one network.

    Subclasses answer: what the loss is, how y becomes targets, what is watched, and what raw
    outputs mean. Think twice before adding anything here: every estimator inherits it.
    """

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS)), Activation, list, tuple],
        "solver": [StrOptions(set(OPTIMIZERS)), Optimizer],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions(set(SCHEDULES)), Schedule],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "weight_tol": [Interval(Real, 0, None, closed="left")],
        "init": [StrOptions({"auto", *INITIALIZERS}), Initializer],
        "parametrization": [StrOptions({"standard", "ntk"})],
        "input_scale_layer": ["boolean"],
        "feature_scaling": [StrOptions({kind for kind in FEATURE_SCALINGS if kind}), None],
        "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
    }

    # Regressors have a parameter of this name; the losses of the others ignore it.
    target_scaling = True

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the network to X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Dense, CSR or CSC, or memory mapped; a memory map is never loaded whole.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; rows of weight 0 are dropped before anything else.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For input that cannot be used, and when training diverges.
        """
        return self._fit(X, y, sample_weight)

    @property
    def coefs_(self):
        """Effective weight matrices on raw X, read-only; see `intercepts_`."""
        return self._effective("coefs_")[0]

    @property
    def intercepts_(self):
        """Effective bias vectors, read-only.

        With `coefs_`, the hidden activations and `out_activation_` they give `predict` in y's
        units: scaling of X and y and the like are folded in.
        """
        return self._effective("intercepts_")[1]

    def _fit(self, X, y, sample_weight, *, incremental=False, classes=None):
        with all_or_nothing(self):
            return self._fit_steps(X, y, sample_weight, incremental, classes)

    def _fit_steps(self, X, y, sample_weight, incremental, classes):
        recipe = Recipe.of(self, incremental)
        resumed = (incremental or self.warm_start) and hasattr(self, "theta_")
        mapped = is_mapped(X)
        X, y = self._check_data(X, y, reset=not resumed)
        # What a later call of partial_fit may lack, a warm start must have: all classes.
        going_on = ("partial_fit" if incremental else "fit") if resumed else None
        target, weight = self._check_target(y, sample_weight, going_on, classes)
        index = np.arange(len(target)) if weight is None else np.flatnonzero(weight > 0)
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=3).tolist()
        validation = None
        if self.early_stopping and not incremental:
            index, validation = self._split(index, target, seeds[0])
        loss = self._make_loss()
        model = recipe.model(X.shape[1], loss.n_raw(self._n_targets(target)))
        design, theta = self._prepare(X, target, weight, index, loss, model, resumed)
        data = TrainingSet(
            design.rows(X, theta.dtype, mapped=mapped, scale_now=True),
            _as_targets(design.target.encode(target), theta.dtype),
            _as_weights(weight, theta.dtype),
            index if len(index) < len(target) else None,
        )
        member = np.random.default_rng([seeds[2], self.t_ if resumed else 0])
        if not resumed:
            _initialize(theta, network_of(model), loss, data, self._n_targets(target), member)
        state = TrainState(theta)
        if resumed:
            state = self._resume(theta, recipe.optimizer, incremental)
        order = np.random.default_rng([seeds[1], state.samples_seen])
        held_out = None if validation is None else replace(data, index=validation)
        objective = Objective(network_of(model), loss, float(self.alpha))
        self._train(recipe, objective, data, held_out, state, order, member, incremental)
        report(state, None if incremental else recipe.optimizer)
        self._model, self._design, self._loss = model, design.state(), describe(loss)
        self._publish(state, recipe, resumed, incremental)
        return self

    def _check_data(self, X, y, reset):
        check_dimensions(X)
        return validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype="numeric",
            multi_output=True,
            y_numeric=self._y_numeric,
            reset=reset,
        )

    def _check_target(self, y, sample_weight, going_on, classes):
        """Encoded targets and weights (None for all 1) of all rows.

        Rows of weight 0 are as if they were not there; their targets are filled with zeros.
        """
        n = y.shape[0]
        if sample_weight is None:
            target = self._encode_target(y, going_on, classes)
            return target, self._class_weighted(None, target)
        sample_weight = check_sample_weight(sample_weight, n)
        kept = np.flatnonzero(sample_weight)
        some = self._encode_target(y[kept], going_on, classes)
        weight, target = np.zeros(n), np.zeros((n, *some.shape[1:]), some.dtype)
        weight[kept] = self._class_weighted(sample_weight[kept], some)
        target[kept] = some
        return target, weight

    _y_numeric = False

    @abstractmethod
    def _encode_target(self, y, going_on, classes):
        """Targets as floats of shape (n, n_targets) or class codes of shape (n,).

        `going_on` is None for a fresh start, else the method that continues.
        """

    @abstractmethod
    def _make_loss(self):
        """The loss that the parameters and the kind of target stand for."""

    @abstractmethod
    def _watched_score(self, loss):
        """score(raw, y, weight) that early stopping watches, or None for minus the loss."""

    def _n_targets(self, target):
        return target.shape[1]

    def _class_weighted(self, weight, target):
        return weight

    def _split(self, index, target, seed):
        return split(index, self.validation_fraction, seed)

    def _prepare(self, X, target, weight, index, loss, model, resumed):
        """Design and theta: new, or those of the last call brought up to date."""
        part = None if len(index) == len(target) else index
        kind = loss.target_scaling if self.target_scaling else "none"
        if not resumed:
            design = Design.fit(self.feature_scaling, kind, X, target, weight, part)
            n_params = network_of(model).n_params
            return design, np.empty((1, n_params), _compute_dtype(self.dtype, X.dtype))
        check_same_model(self._model, model)
        theta = np.array(self.theta_[np.newaxis])
        if self.dtype not in ("auto", theta.dtype.name):
            raise ValueError(
                f"dtype={self.dtype!r} differs from that of the first call, {theta.dtype}. Create "
                "a new estimator, or call fit with warm_start=False."
            )
        old = Design.restore(self._design)
        check_same_design(old, self.feature_scaling, kind, self.loss)
        design = old.update(X, target, weight, part)
        reexpress(network_of(model), theta, old, design)
        return design, theta

    def _resume(self, theta, optimizer, incremental):
        """State of the last call; a new fit forgets best values, patience and lowered rates."""
        # Copies: training writes in place, and arrays of a loaded model may be read-only.
        kept = copy.deepcopy(self._training)
        kept.pop("incremental")
        if kept.pop("optimizer") != type(optimizer).__name__:
            kept.update(moments=[], step=0)
        if not incremental:
            kept = {"moments": kept["moments"], "step": kept["step"]}
        return TrainState(theta, samples_seen=self.t_, **kept)

    def _train(self, recipe, objective, data, held_out, state, order, noise, incremental):
        """Run the solver; the parameters end in `state.theta`."""
        watch = None
        if held_out is not None:
            plain = Objective(objective.network, objective.loss.plain)
            score = self._watched_score(plain.loss)
            watch = Watch(plain, held_out, score, len(state.theta), state.theta.dtype)
        plan = Plan(
            recipe.optimizer,
            recipe.schedule,
            learning_rate=float(self.learning_rate_init),
            batch_size=_batch_size(self.batch_size, len(data)),
            max_epochs=1 if incremental else self.max_iter,
            shuffle=self.shuffle,
            tol=float(self.tol),
            n_iter_no_change=self.n_iter_no_change,
            weight_tol=float(self.weight_tol),
            weight_decay=float(self.weight_decay),
            max_grad_norm=self.max_grad_norm,
        )
        callbacks = [PrintProgress(int(self.verbose))] if self.verbose else []
        if recipe.optimizer.stochastic:
            train(
                objective,
                data,
                state,
                plan,
                order,
                noise=[noise],
                watch=watch,
                callbacks=callbacks,
            )
        else:
            train_lbfgs(objective, data, state, plan, watch=watch, callbacks=callbacks)

    def _publish(self, state, recipe, resumed, incremental):
        """Set the fitted attributes."""
        curves = {
            "loss_curve_": state.losses,
            "learning_rate_curve_": state.learning_rates,
            "validation_scores_": state.scores or None,
            "validation_loss_curve_": state.validation_losses or None,
        }
        for name, values in curves.items():
            before = getattr(self, name, None) if resumed else None
            new = None if values is None else [float(value[0]) for value in values]
            setattr(self, name, new if before is None else before + (new or []))
        watched = bool(state.scores)
        self.theta_ = state.theta[0]
        self.n_layers_ = len(self._model["sizes"])
        self.n_outputs_ = self._model["sizes"][-1]
        self.out_activation_ = restore(self._loss).link
        self.n_iter_ = state.epoch
        self.t_ = state.samples_seen
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan
        self.best_loss_ = None if watched else float(state.best_loss[0])
        self.best_validation_score_ = float(state.best_score[0]) if watched else None
        self.best_iteration_ = int(state.best_epoch[0]) if watched else None
        self.stop_reason_ = state.reasons[0]
        if incremental and not (state.converged[0] or state.diverged[0] or state.interrupted):
            self.stop_reason_ = "The one pass of partial_fit was made."
        self._training = {
            "incremental": incremental,
            "optimizer": type(recipe.optimizer).__name__,
            "moments": state.moments,
            "step": state.step,
            "rate_factor": state.rate_factor,
            "stale": state.stale,
            "best_loss": state.best_loss,
        }

    def _raw(self, X):
        """Raw outputs of the network, of shape (members, n_samples, n_outputs)."""
        check_is_fitted(self)
        check_dimensions(X)
        X = validate_data(self, X, accept_sparse="csr", dtype="numeric", reset=False)
        rows = Design.restore(self._design).rows(X, self.theta_.dtype)
        return evaluate(network_of(self._model), self.theta_[np.newaxis], rows)

    def _effective(self, name):
        check_is_fitted(self)
        design = Design.restore(self._design)
        if not design.features.affine:
            raise AttributeError(
                f"{name} does not exist with feature_scaling={design.feature_kind!r}: its smooth "
                "clip cannot be folded into a weight matrix. Use feature_scaling='standard'."
            )
        network = network_of(self._model)
        return effective_parameters(
            network, self.theta_[np.newaxis], design.features, design.target
        )

    def __getstate__(self):
        state = dict(super().__getstate__())
        # The moments are twice the size of the parameters and serve further training only.
        training = state.get("_training")
        if training and not (training["incremental"] or self.warm_start):
            state["_training"] = {**training, "moments": [], "step": 0}
        return {**state, "_skmlp_version": __version__}

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop("_skmlp_version", "unknown")
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was stored by skmlp {version} and is loaded by skmlp "
                f"{__version__}: it may behave differently or not at all. Fit it again to be sure.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _initialize(theta, network, loss, data, n_targets, rng):
    """Draw theta; the output starts at the best constant."""
    drawn = network.initial([rng])
    set_output_bias(network, drawn, loss.init_raw(*data.targets(), n_targets))
    theta[...] = drawn


def _compute_dtype(dtype, given):
    if dtype != "auto":
        return np.dtype(dtype)
    return np.dtype(np.float32 if given == np.float32 else np.float64)


def _as_targets(target, dtype):
    """Floats in the compute dtype and in C order; integer codes as they are."""
    return target if target.ndim == 1 else np.ascontiguousarray(target, dtype)


def _as_weights(weight, dtype):
    """Weights in the compute dtype, which must be able to hold them."""
    if weight is None:
        return None
    with np.errstate(over="ignore", under="ignore"):
        cast = weight.astype(dtype)
    lost = (weight > 0) & ((cast == 0) | np.isinf(cast))
    if lost.any():
        raise ValueError(
            f"sample_weight (times class_weight) has values such as {weight[lost][0]:g}, which "
            f"{dtype} cannot hold. Multiply all weights by a constant, or use dtype='float64'."
        )
    return cast


def _batch_size(batch_size, n):
    if batch_size == "auto":
        return min(200, n)
    if batch_size > n:
        warnings.warn(
            f"batch_size={batch_size} is larger than the {n} training rows; it is clipped to {n}.",
            UserWarning,
            stacklevel=STACKLEVEL + 1,
        )
    return min(batch_size, n)
