"""Restarts, of which the best is kept or all are averaged."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import logit
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skmlp import MLPClassifier, MLPRegressor
from skmlp.callbacks import Callback
from skmlp.initializers import GlorotUniform, Initializer
from skmlp.losses import ElementwiseLoss

X, y = make_regression(n_samples=150, n_features=4, noise=20.0, random_state=0)
y = y / y.std()
X_class, y_class = make_classification(
    n_samples=150, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1, flip_y=0.1,
)  # fmt: skip
labels = np.c_[X_class[:, 0] > 0, X_class[:, 1] > 0.5, y_class == 2].astype(int)
train, val = slice(0, 110), slice(110, 150)
SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "learning_rate_init": 0.02}
AVERAGE = {**SMALL, "n_init": 3, "combine_inits": "average"}
REGRESSORS = {
    "squared_error": (MLPRegressor, {}, y),
    "two outputs": (MLPRegressor, {}, np.c_[y, X[:, 0] ** 2]),
    "poisson": (MLPRegressor, {"loss": "poisson"}, np.floor(np.exp(y))),
    "gamma": (MLPRegressor, {"loss": "gamma"}, np.exp(y)),
    "huber": (MLPRegressor, {"loss": "huber"}, y),
    "absolute_error": (MLPRegressor, {"loss": "absolute_error"}, y),
    "quantile": (MLPRegressor, {"loss": "quantile", "quantile": 0.8}, y),
    "quantiles": (MLPRegressor, {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}, y),
}
PROBABILISTIC = {
    "two classes": (MLPClassifier, {}, y_class > 0),
    "three classes": (MLPClassifier, {}, y_class),
    "multilabel": (MLPClassifier, {}, labels),
}
MARGIN = {
    "hinge": (MLPClassifier, {"loss": "hinge"}, y_class > 0),
    "crammer_singer": (MLPClassifier, {"loss": "crammer_singer"}, y_class),
    "weston_watkins": (MLPClassifier, {"loss": "weston_watkins", "margin": 2.0}, y_class),
}
ALL = {**REGRESSORS, **PROBABILISTIC, **MARGIN}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
several = pytest.mark.parametrize("kind", ["squared_error", "two classes", "three classes"])
solvers = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])


def features_of(cls):
    return X if cls is MLPRegressor else X_class


def fitted(kind, watch=False, **params):
    """An estimator of a kind, on all rows or watching the last ones."""
    cls, own, target = ALL[kind]
    features = features_of(cls)
    model = cls(**{**SMALL, "max_iter": 10, **own, **params})
    if not watch:
        return model.fit(features, target)
    return model.fit(features[train], target[train], X_val=features[val], y_val=target[val])


class Spy(Callback):
    """Keeps the state of the training, with the numbers of all restarts."""

    def __deepcopy__(self, memo):
        return self

    def on_train_end(self, state):
        self.state = state

    def scores(self):
        """Watched scores of every restart, up to its last epoch."""
        columns = zip(np.transpose(self.state.scores), self.state.last_epoch, strict=True)
        return [column[:last] for column, last in columns]

    def losses(self):
        columns = zip(np.transpose(self.state.losses), self.state.last_epoch, strict=True)
        return [column[:last] for column, last in columns]


# ---- averages ------------------------------------------------------------------------------------


@solvers
@pytest.mark.parametrize("kind", REGRESSORS)
def test_predictions_of_regressors_are_averaged(kind, solver):
    model = fitted(kind, solver=solver, **AVERAGE)
    each = [member.predict(X) for member in model.estimators_]
    assert len(each) == 3
    assert not np.allclose(each[0], each[1])
    np.testing.assert_allclose(model.predict(X), np.mean(each, axis=0), rtol=1e-9, atol=1e-12)
    assert model.predict(X).shape == each[0].shape
    if kind == "quantiles":
        assert (np.diff(model.predict(X), axis=1) >= 0).all()


@solvers
@pytest.mark.parametrize("kind", PROBABILISTIC)
def test_probabilities_are_averaged(kind, solver):
    model = fitted(kind, solver=solver, **AVERAGE)
    each = [member.predict_proba(X_class) for member in model.estimators_]
    assert not np.allclose(each[0], each[1])
    proba, mean = model.predict_proba(X_class), np.mean(each, axis=0)
    np.testing.assert_allclose(proba, mean, rtol=1e-9, atol=1e-12)
    logs = model.predict_log_proba(X_class)
    np.testing.assert_allclose(logs, np.log(mean), rtol=1e-9, atol=1e-14)
    if kind == "multilabel":
        np.testing.assert_array_equal(model.predict(X_class), mean > 0.5)
    else:
        np.testing.assert_array_equal(model.predict(X_class), model.classes_[mean.argmax(axis=1)])
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    if kind != "three classes":
        decision = logit(mean[:, 1] if kind == "two classes" else mean)
        np.testing.assert_allclose(model.decision_function(X_class), decision, rtol=1e-6)


@solvers
@pytest.mark.parametrize("kind", MARGIN)
def test_decision_values_of_margin_losses_are_averaged(kind, solver):
    model = fitted(kind, solver=solver, **AVERAGE)
    each = [member.decision_function(X_class) for member in model.estimators_]
    assert not np.allclose(each[0], each[1])
    mean = np.mean(each, axis=0)
    np.testing.assert_allclose(model.decision_function(X_class), mean, rtol=1e-9, atol=1e-12)
    codes = (mean > 0).astype(int) if mean.ndim == 1 else mean.argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X_class), model.classes_[codes])
    assert not hasattr(model, "predict_proba")


def test_probabilities_of_sure_members_are_averaged_without_overflow():
    coefs = [[[1.0, -1.0, 0.5]]]
    members = MLPClassifier.from_weights(coefs, [np.zeros(3)], activation=[], classes=[0, 1, 2])
    members.theta_ = np.stack([members.theta_, -members.theta_])
    far = np.array([[1e4], [-1e4], [0.0]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        proba, logs = members.predict_proba(far), members.predict_log_proba(far)
    np.testing.assert_allclose(proba[:2], [[0.5, 0.5, 0.0]] * 2, atol=1e-12)
    assert np.isfinite(logs).all()


@dataclass(frozen=True)
class Lopsided(ElementwiseLoss):
    """A user's own loss: errors in one direction count double."""

    def _elements(self, y, raw, loss, grad, work):
        error = raw - y
        factor = np.where(error > 0, 2.0, 1.0)
        loss[...] = factor * error**2 / 2
        grad[...] = factor * error

    def init_raw(self, y, weight=None, n_targets=None):
        return np.average(y, axis=0, weights=weight)


@pytest.mark.parametrize("combine", ["average", "best"])
def test_own_losses(combine):
    model = MLPRegressor(loss=Lopsided(), max_iter=8, **{**AVERAGE, "combine_inits": combine})
    model.fit(X, y)
    assert model.init_losses_.shape == (3,)
    if combine == "average":
        each = [member.predict(X) for member in model.estimators_]
        np.testing.assert_allclose(model.predict(X), np.mean(each, axis=0), rtol=1e-9)
    else:
        assert model.loss_ == model.init_losses_.min()


@dataclass(frozen=True)
class OwnPoisson(ElementwiseLoss):
    """A user's own loss with a link, and without `average`."""

    target_scaling = "none"
    link = "exp"

    def _elements(self, y, raw, loss, grad, work):
        mean = np.exp(raw)
        loss[...] = mean - y * raw
        grad[...] = mean - y

    def init_raw(self, y, weight=None, n_targets=None):
        return np.log(np.average(y, axis=0, weights=weight))

    def predict(self, raw):
        return np.exp(raw)


def test_own_losses_with_a_link():
    model = MLPRegressor(loss=OwnPoisson(), max_iter=8, **AVERAGE).fit(X, np.exp(y))
    each = [member.predict(X) for member in model.estimators_]
    np.testing.assert_allclose(model.predict(X), np.mean(each, axis=0), rtol=1e-9)


@several
def test_score_is_that_of_the_average(kind):
    model = fitted(kind, **AVERAGE)
    cls, _, target = ALL[kind]
    features = features_of(cls)
    own = cls.score(model, features, target)
    if cls is MLPRegressor:
        residual = np.sum((target - model.predict(features)) ** 2)
        expected = 1 - residual / np.sum((target - target.mean()) ** 2)
    else:
        expected = np.mean(model.predict(features) == target)
    assert own == pytest.approx(expected, rel=1e-12)


def test_one_start_is_no_average():
    model = fitted("squared_error", combine_inits="average")
    assert model.theta_.ndim == 1 and len(model.coefs_) == 2
    assert isinstance(model.best_loss_, float)
    with pytest.raises(AttributeError, match="n_init=1"):
        model.estimators_  # noqa: B018


@several
@solvers
def test_what_an_average_lacks_and_has(kind, solver):
    model = fitted(kind, solver=solver, **AVERAGE)
    for name in ("coefs_", "intercepts_"):
        assert not hasattr(model, name)
        with pytest.raises(AttributeError, match=f"{name}.*combine_inits='average'.*estimators_"):
            getattr(model, name)
    assert model.theta_.shape == (3, model.estimators_[0].theta_.size)
    assert model.init_losses_.shape == (3,)
    for member, theta in zip(model.estimators_, model.theta_, strict=True):
        assert type(member) is type(model)
        np.testing.assert_array_equal(member.theta_, theta)
        assert len(member.coefs_) == 2
        assert not hasattr(member, "estimators_")
        assert member.n_features_in_ == model.n_features_in_


def test_the_best_has_no_members():
    model = fitted("squared_error", n_init=3)
    assert not hasattr(model, "estimators_")
    with pytest.raises(AttributeError, match="combine_inits='best' and n_init=3"):
        model.estimators_  # noqa: B018
    assert not hasattr(MLPRegressor(n_init=3, combine_inits="average"), "estimators_")


@several
def test_transform_puts_the_units_of_all_side_by_side(kind):
    model = fitted(kind, **AVERAGE)
    features = features_of(type(model))
    hidden = model.transform(features)
    assert hidden.shape == (150, 24) and len(model.get_feature_names_out()) == 24
    parts = [member.transform(features) for member in model.estimators_]
    np.testing.assert_allclose(hidden, np.hstack(parts), rtol=1e-12)
    named = model.set_output(transform="pandas").transform(features)
    assert named.columns.tolist() == model.get_feature_names_out().tolist()
    assert fitted(kind, n_init=3).transform(features).shape == (150, 8)


@pytest.mark.parametrize("container", [csr_array, pd.DataFrame, np.float32])
@pytest.mark.parametrize("combine", ["average", "best"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_restarts_on_other_containers(container, combine, solver):
    settings = {**AVERAGE, "combine_inits": combine, "solver": solver, "max_iter": 5}
    features = container(X)
    model = MLPRegressor(**settings).fit(features, y)
    expected = np.float32 if container is np.float32 else np.float64
    assert model.theta_.dtype == model.predict(features).dtype == expected
    if combine == "average":
        each = [member.predict(features) for member in model.estimators_]
        np.testing.assert_allclose(model.predict(features), np.mean(each, axis=0), rtol=2e-4)
        assert all(one.dtype == expected for one in each)


@several
def test_float32_averages_are_those_of_float64(kind):
    cls, own, target = ALL[kind]
    first, second = (
        cls(max_iter=5, dtype=dtype, **own, **AVERAGE).fit(features_of(cls), target)
        for dtype in ("float32", "float64")
    )
    method = "predict" if cls is MLPRegressor else "predict_proba"
    outputs = [getattr(model, method)(features_of(cls)) for model in (first, second)]
    assert outputs[0].dtype == np.float32
    np.testing.assert_allclose(*outputs, rtol=2e-3, atol=2e-3)


# ---- the first restart ---------------------------------------------------------------------------


@solvers
@pytest.mark.parametrize("watch", [False, True])
@pytest.mark.parametrize("kind", ALL)
def test_the_first_restart_is_the_only_one_of_n_init_1(kind, watch, solver):
    alone = fitted(kind, watch, solver=solver)
    first = fitted(kind, watch, solver=solver, **AVERAGE).estimators_[0]
    np.testing.assert_allclose(first.theta_, alone.theta_, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 0.3},
        {"weight_decay": 0.1, "max_grad_norm": 0.5},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 2},
        {"learning_rate": "one_cycle"},
        {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.02},
        {"weight_tol": 0.05},
        {"weight_averaging": 0.9},
        {"dropout": 0.3, "dropout_schedule": "cosine"},
        {"early_stopping": True, "refit": True},
        {"solver": "rmsprop", "alpha": 1.0, "parametrization": "ntk"},
    ],
    ids=str,
)
def test_the_first_restart_is_independent_of_the_others(params):
    settings = {**SMALL, "max_iter": 40, "batch_size": 40, **params}
    alone, spy = MLPRegressor(**settings).fit(X, y), Spy()
    several = MLPRegressor(n_init=4, combine_inits="average", callbacks=[spy], **settings)
    several.fit(X, y)
    np.testing.assert_allclose(several.theta_[0], alone.theta_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(spy.losses()[0], alone.loss_curve_, rtol=1e-9)
    assert spy.state.last_epoch[0] == alone.n_iter_
    if "adaptive" in params.values():
        rates = np.transpose(spy.state.learning_rates)[0][: alone.n_iter_]
        np.testing.assert_allclose(rates, alone.learning_rate_curve_, rtol=1e-12)


def test_restarts_do_not_depend_on_how_many_there_are():
    two, five = (fitted("squared_error", **{**AVERAGE, "n_init": n}) for n in (2, 5))
    np.testing.assert_allclose(two.theta_, five.theta_[:2], rtol=1e-9)
    assert len({tuple(theta) for theta in five.theta_}) == 5


def test_the_seed_decides():
    first, again, other = (
        fitted("squared_error", **{**AVERAGE, "random_state": seed}) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.theta_, again.theta_)
    assert not np.allclose(first.theta_, other.theta_)


# ---- the best ------------------------------------------------------------------------------------


def describes(model, spy, winner):
    """Whether all attributes are those of a restart."""
    state = spy.state
    last = state.last_epoch[winner]
    assert model.n_iter_ == last == len(model.loss_curve_)
    np.testing.assert_array_equal(model.loss_curve_, spy.losses()[winner])
    assert model.loss_ == model.loss_curve_[-1]
    assert model.stop_reason_ == state.reasons[winner]
    np.testing.assert_array_equal(model.theta_, state.theta[winner])
    assert all(len(column) == last for column in model.history_.values())
    if state.scores:
        np.testing.assert_array_equal(model.validation_scores_, spy.scores()[winner])
        assert model.best_validation_score_ == state.best_score[winner]
        assert model.best_iteration_ == state.best_epoch[winner]
        assert model.best_loss_ is None
        best = model.best_iteration_ - 1
        assert model.validation_loss_curve_[best] == model.init_losses_[winner]
    else:
        assert model.best_loss_ == min(model.loss_curve_)
        assert model.best_iteration_ is model.validation_scores_ is None
        assert model.loss_ == model.init_losses_[winner]


@solvers
@pytest.mark.parametrize("kind", ALL)
def test_the_best_has_the_lowest_training_loss_when_nothing_is_watched(kind, solver):
    spy = Spy()
    model = fitted(kind, solver=solver, n_init=4, callbacks=[spy])
    last = [losses[-1] for losses in spy.losses()]
    np.testing.assert_array_equal(model.init_losses_, last)
    describes(model, spy, int(np.argmin(last)))
    if solver != "lbfgs":
        assert model.t_ == model.n_iter_ * 150


@solvers
@pytest.mark.parametrize("kind", ALL)
def test_the_best_has_the_highest_watched_score(kind, solver):
    spy = Spy()
    model = fitted(
        kind, True, solver=solver, n_init=4, callbacks=[spy], max_iter=25, n_iter_no_change=3
    )
    best = np.array([scores.max() for scores in spy.scores()])
    np.testing.assert_array_equal(spy.state.best_score, best)
    # Of those with the same score the one with the lowest validation loss at its best epoch.
    tied = np.flatnonzero(best == best.max())
    winner = tied[np.argmin(model.init_losses_[tied])]
    describes(model, spy, winner)
    assert model.init_losses_.shape == (4,)
    cls, _, target = ALL[kind]
    if kind in ("squared_error", "poisson", *PROBABILISTIC):
        score = model.score(features_of(cls)[val], target[val])
        assert score == pytest.approx(best.max(), rel=1e-9)
    if solver != "lbfgs":
        assert model.t_ == model.n_iter_ * 110


def test_ties_of_the_score_go_to_the_lower_validation_loss():
    """Three rows are easily right, so that several restarts get all of them."""
    spy = Spy()
    rows = np.random.default_rng(3).permutation(150)[:3]
    model = MLPClassifier(n_init=5, max_iter=30, callbacks=[spy], **SMALL).fit(
        X_class, y_class, X_val=X_class[rows], y_val=y_class[rows]
    )
    tied = np.flatnonzero(spy.state.best_score == spy.state.best_score.max())
    assert len(tied) > 1
    winner = tied[np.argmin(model.init_losses_[tied])]
    assert winner != tied[0]
    describes(model, spy, winner)


def test_the_winner_by_loss_and_by_a_scorer_may_differ():
    def first_weight(estimator, features, target):
        return estimator.coefs_[0][1, 2]

    spy = Spy()
    model = fitted("squared_error", True, n_init=4, scoring=first_weight, callbacks=[spy])
    assert model.best_validation_score_ == model.coefs_[0][1, 2]
    winner = int(np.argmax(spy.state.best_score))
    describes(model, spy, winner)
    assert winner != np.argmin(model.init_losses_)


@several
def test_the_best_is_one_of_those_that_would_be_averaged(kind):
    best, average = (fitted(kind, True, n_init=4, combine_inits=how) for how in ("best", "average"))
    np.testing.assert_array_equal(best.init_losses_, average.init_losses_)
    assert any(np.array_equal(best.theta_, theta) for theta in average.theta_)


def test_more_starts_are_never_worse():
    losses = [fitted("squared_error", n_init=n).loss_ for n in (1, 2, 4)]
    assert losses[0] >= losses[1] >= losses[2]
    assert losses[2] < losses[0]


# ---- curves --------------------------------------------------------------------------------------


@solvers
@pytest.mark.parametrize("watch", [False, True])
def test_curves_of_an_average_are_means_of_the_members_that_still_train(watch, solver):
    spy = Spy()
    model = fitted(
        "squared_error", watch, solver=solver, callbacks=[spy], max_iter=200, tol=0.01,
        n_iter_no_change=2, **AVERAGE,
    )  # fmt: skip
    last = spy.state.last_epoch
    assert len(set(last)) > 1, "the restarts shall stop at different epochs"
    assert model.n_iter_ == last.max() == len(model.loss_curve_)
    assert {len(column) for column in model.history_.values()} == {model.n_iter_}
    assert len(pd.DataFrame(model.history_)) == model.n_iter_
    curves = [(model.loss_curve_, spy.losses())]
    if watch:
        curves.append((model.validation_scores_, spy.scores()))
    for curve, each in curves:
        for epoch, value in enumerate(curve):
            still = [column[epoch] for column in each if len(column) > epoch]
            assert value == pytest.approx(np.mean(still), rel=1e-12)
    assert model.loss_ == model.loss_curve_[-1]
    if watch:
        assert model.best_iteration_ == spy.state.best_epoch.tolist()
        assert model.best_validation_score_ == pytest.approx(np.mean(spy.state.best_score))
        assert model.best_loss_ is None
    else:
        assert model.best_iteration_ is model.best_validation_score_ is None
        assert model.best_loss_ == pytest.approx(np.mean([min(c) for c in spy.losses()]))


def test_the_reason_tells_of_each_restart_when_they_differ():
    spy = Spy()
    settings = {**AVERAGE, "tol": 0.01, "n_iter_no_change": 2}
    fitted("squared_error", max_iter=200, callbacks=[spy], **settings)
    first = spy.state.last_epoch.min()
    early, late = (np.flatnonzero((spy.state.last_epoch == first) == yes) for yes in (True, False))
    reason = fitted("squared_error", max_iter=first, **settings).stop_reason_
    assert len(early) and len(late)
    for members, words in ((early, "2 consecutive epochs"), (late, f"max_iter={first}")):
        for member in members:
            own = reason.split(f"Restart {member}: ")[1].split(" Restart")[0]
            assert words in own
    same = fitted("squared_error", max_iter=2, **AVERAGE).stop_reason_
    assert same == "The maximum number of iterations, max_iter=2, was reached."


def test_each_restart_of_an_average_ends_with_its_own_best_epoch():
    model = fitted("squared_error", True, max_iter=60, n_iter_no_change=3, **AVERAGE)
    scores = [member.score(X[val], y[val]) for member in model.estimators_]
    assert np.mean(scores) == pytest.approx(model.best_validation_score_, rel=1e-10)
    assert len(set(model.best_iteration_)) > 1


# ---- restarts that diverge -----------------------------------------------------------------------


class Broken(Initializer):
    """Glorot's weights, but for some restarts far too large ones."""

    def __init__(self, *members):
        self.members, self.calls = members, 0

    def weights(self, rng, fan_in, fan_out, gain):
        member, self.calls = self.calls // 2, self.calls + 1
        drawn = GlorotUniform().weights(rng, fan_in, fan_out, gain)
        return drawn * (1e200 if member in self.members else 1.0)


class Poison(Callback):
    """Makes a restart non-finite after some epochs."""

    def __init__(self, epoch, *members):
        self.epoch, self.members = epoch, list(members)

    def on_epoch_end(self, state):
        if state.epoch == self.epoch:
            state.theta[self.members] = np.nan


DROPPED = "1 of 3 restarts diverged and are dropped"


@solvers
@pytest.mark.parametrize("watch", [False, True])
@pytest.mark.parametrize("member", [0, 2])
def test_a_diverged_restart_is_dropped_from_an_average(member, watch, solver):
    settings = {**AVERAGE, "solver": solver, "max_iter": 6}
    whole = fitted("squared_error", watch, init="glorot_uniform", **settings)
    with pytest.warns(ConvergenceWarning, match=DROPPED):
        model = fitted("squared_error", watch, init=Broken(member), **settings)
    assert len(model.estimators_) == len(model.theta_) == 2
    assert np.isfinite(model.theta_).all() and np.isfinite(model.predict(X)).all()
    assert np.flatnonzero(np.isnan(model.init_losses_)).tolist() == [member]
    assert model.n_iter_ == len(model.loss_curve_) and np.isfinite(model.loss_curve_).all()
    if watch:
        assert len(model.best_iteration_) == 2
        assert np.isfinite(model.validation_scores_).all()
    assert whole.theta_.shape[0] == 3


@solvers
@pytest.mark.parametrize("watch", [False, True])
def test_a_diverged_restart_does_not_win(watch, solver):
    with pytest.warns(ConvergenceWarning, match=DROPPED):
        model = fitted("squared_error", watch, init=Broken(0), n_init=3, solver=solver)
    assert np.isnan(model.init_losses_[0]) and np.isfinite(model.init_losses_[1:]).all()
    assert np.isfinite(model.predict(X)).all()
    assert model.score(X, y) > -1
    assert "non-finite" not in model.stop_reason_


@pytest.mark.parametrize("combine", ["best", "average"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_a_restart_that_diverges_late_leaves_the_others_alone(solver, combine):
    settings = {**AVERAGE, "combine_inits": combine, "solver": solver, "max_iter": 9}
    whole = fitted("squared_error", **{**settings, "combine_inits": "average"})
    with pytest.warns(ConvergenceWarning, match=f"{DROPPED}.*in epoch 4"):
        model = fitted("squared_error", callbacks=[Poison(3, 1)], **settings)
    if combine == "average":
        np.testing.assert_allclose(model.theta_, whole.theta_[[0, 2]], rtol=1e-9)
        losses = whole.init_losses_[[0, 2]]
        assert model.loss_ == pytest.approx(losses.mean(), rel=1e-9)
    else:
        winner = [0, 2][np.argmin(whole.init_losses_[[0, 2]])]
        np.testing.assert_allclose(model.theta_, whole.theta_[winner], rtol=1e-9)


def test_a_restart_that_diverges_after_its_best_epoch_stays():
    with pytest.warns(ConvergenceWarning, match="best epoch, [1-3], is restored"):
        model = fitted("squared_error", True, callbacks=[Poison(3, 1)], max_iter=9, **AVERAGE)
    assert len(model.estimators_) == 3
    assert np.isfinite(model.init_losses_).all() and np.isfinite(model.theta_).all()
    assert model.best_iteration_[1] <= 3
    assert "non-finite in epoch 4" in model.stop_reason_


def test_a_single_survivor_of_an_average_is_still_an_average():
    with pytest.warns(ConvergenceWarning, match="2 of 3 restarts diverged"):
        model = fitted("squared_error", True, init=Broken(0, 1), **AVERAGE)
    assert model.theta_.ndim == 2 and len(model.estimators_) == 1
    assert not hasattr(model, "coefs_")
    np.testing.assert_allclose(model.predict(X), model.estimators_[0].predict(X), rtol=1e-12)
    assert isinstance(model.best_iteration_, list)


@solvers
@pytest.mark.parametrize("combine", ["best", "average"])
def test_it_is_an_error_when_all_diverge(combine, solver):
    model = MLPRegressor(
        **{**AVERAGE, "combine_inits": combine}, solver=solver, init=Broken(0, 1, 2)
    )
    with pytest.raises(ValueError, match="^Solver produced non-finite parameter weights"):
        model.fit(X, y)
    assert not hasattr(model, "theta_")


@several
def test_the_kept_best_can_go_on_though_another_diverged(kind):
    with pytest.warns(ConvergenceWarning, match=DROPPED):
        model = fitted(kind, callbacks=[Poison(3, 2)], n_init=3, warm_start=True)
    cls, _, target = ALL[kind]
    features, before = features_of(cls), model.score(features_of(cls), target)
    fresh = clone(model).set_params(n_init=1, callbacks=None)
    model.set_params(n_init=1, callbacks=None)
    on = pickle.loads(pickle.dumps(model)).partial_fit(features, target)
    assert np.isfinite(on.theta_).all()
    assert on.score(features, target) > before - 0.05
    model.fit(features, target)
    assert model.loss_ < fresh.fit(features, target).loss_


@pytest.mark.parametrize("way", ["average", "best"])
def test_a_member_restored_after_it_diverged_can_go_on(way):
    poison = Poison(3, 0, 1, 2) if way == "best" else Poison(3, 1)
    with pytest.warns(ConvergenceWarning, match="is restored"):
        model = fitted(
            "squared_error", True, callbacks=[poison], **{**AVERAGE, "combine_inits": way}
        )
    before = model.score(X, y)
    model.set_params(callbacks=None, n_init=1 if way == "best" else 3)
    model.partial_fit(X, y)
    assert np.isfinite(model.theta_).all()
    assert model.theta_.shape[0] == 3 or way == "best"
    assert model.score(X, y) > before - 0.05


# ---- going on ------------------------------------------------------------------------------------


class SlowOthers(Initializer):
    """Glorot's weights; all restarts but the first start far away and train long."""

    def __init__(self):
        self.calls = 0

    def weights(self, rng, fan_in, fan_out, gain):
        member, self.calls = self.calls // 2, self.calls + 1
        return GlorotUniform().weights(rng, fan_in, fan_out, gain) * (5.0 if member else 1.0)


class PoisonStopped(Callback):
    """Makes restarts non-finite that have stopped, which still make the steps of the others."""

    def on_epoch_end(self, state):
        state.theta[~state.running] = np.nan


@pytest.mark.parametrize("how", ["partial_fit", "warm_start", "average"])
@pytest.mark.parametrize("poisoned", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_a_restart_that_stopped_before_the_others_goes_on_as_if_alone(solver, poisoned, how):
    settings = {**SMALL, "solver": solver, "tol": 0.02, "n_iter_no_change": 2, "warm_start": True}
    settings["learning_rate_init"] = 0.002 if solver == "sgd" else 0.02
    settings["combine_inits"] = "average" if how == "average" else "best"
    spy = Spy()
    callbacks = [spy, PoisonStopped()] if poisoned else [spy]
    alone, several = (
        MLPRegressor(
            n_init=n, init=SlowOthers(), callbacks=callbacks, max_iter=300, **settings
        ).fit(X, y)
        for n in (1, 3)
    )
    assert alone.n_iter_ == spy.state.last_epoch[0] < spy.state.last_epoch.max()
    np.testing.assert_allclose(np.atleast_2d(several.theta_)[0], alone.theta_, rtol=1e-9)
    for model in (alone, several):
        model.set_params(n_init=model.n_init if how == "average" else 1, max_iter=3, callbacks=None)
        model.fit(X, y) if how == "warm_start" else model.partial_fit(X, y)
    # A batch holds all rows, so that their order matters to rounding only.
    np.testing.assert_allclose(np.atleast_2d(several.theta_)[0], alone.theta_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
@several
def test_members_of_an_average_go_on_as_they_would_alone(kind, solver):
    cls, _, target = ALL[kind]
    features = features_of(cls)
    model = fitted(kind, solver=solver, **AVERAGE)
    members = model.estimators_
    model.partial_fit(features, target)
    assert model.t_ == 11 * 150 and model.theta_.shape[0] == 3
    for member, theta in zip(members, model.theta_, strict=True):
        member.partial_fit(features, target)
        np.testing.assert_allclose(member.theta_, theta, rtol=1e-9, atol=1e-12)


@solvers
@several
def test_warm_starts_of_an_average_train_all_members(kind, solver):
    cls, _, target = ALL[kind]
    features = features_of(cls)
    model = fitted(kind, solver=solver, warm_start=True, max_iter=5, **AVERAGE)
    before, first = model.theta_.copy(), model.n_iter_
    model.fit(features, target)
    assert model.theta_.shape == before.shape
    assert all(
        not np.array_equal(one, other) for one, other in zip(before, model.theta_, strict=True)
    )
    assert model.init_losses_.shape == (3,)
    assert len(model.loss_curve_) == first + model.n_iter_
    assert model.loss_ < model.loss_curve_[0]


@solvers
def test_warm_starts_of_the_best_go_on_with_the_winner(solver):
    model = fitted("squared_error", solver=solver, warm_start=True, n_init=3, max_iter=5)
    single = clone(model).set_params(n_init=1)
    vars(single).update({k: v for k, v in vars(model).items() if k != "n_init"})
    model.fit(X, y)
    assert model.theta_.ndim == 1
    np.testing.assert_array_equal(model.theta_, single.fit(X, y).theta_)


def test_partial_fit_from_scratch_averages():
    model = MLPRegressor(**AVERAGE)
    for _ in range(20):
        model.partial_fit(X, y)
    assert model.theta_.shape[0] == 3 and model.t_ == 20 * 150
    assert len(model.loss_curve_) == 20 and model.loss_curve_[-1] < model.loss_curve_[0]
    each = [member.predict(X) for member in model.estimators_]
    np.testing.assert_allclose(model.predict(X), np.mean(each, axis=0), rtol=1e-9)
    classifier = MLPClassifier(**AVERAGE).partial_fit(X_class, y_class, classes=[0, 1, 2, 3])
    assert classifier.predict_proba(X_class).shape == (150, 4)


def test_moving_statistics_change_no_prediction_of_any_member():
    model = fitted("squared_error", **AVERAGE)
    model.set_params(learning_rate_init=1e-300)
    before = [member.predict(X) for member in model.estimators_]
    model.partial_fit(3.0 * X[:40] + 5.0, 2.0 * y[:40] - 1.0)
    after = [member.predict(X) for member in model.estimators_]
    np.testing.assert_allclose(before, after, rtol=1e-9, atol=1e-9)


def test_a_first_partial_fit_cannot_choose_the_best():
    model = MLPRegressor(n_init=3, **SMALL)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(ValueError, match="n_init=3.*combine_inits='best'.*'average'"):
        model.partial_fit(X, y)
    assert not hasattr(model, "theta_")


def test_a_member_that_diverges_in_partial_fit_is_dropped():
    model = fitted("squared_error", **AVERAGE)
    kept = model.theta_[[0, 2]].copy()
    model.theta_ = model.theta_ * np.array([[1.0], [1e200], [1.0]])
    with pytest.warns(ConvergenceWarning, match=DROPPED):
        model.partial_fit(X, y)
    assert len(model.estimators_) == 2
    assert np.linalg.norm(model.theta_ - kept) < np.linalg.norm(kept)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_fit(X, y)
    assert np.isfinite(model.theta_).all() and len(model.theta_) == 2


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (AVERAGE, {"combine_inits": "best"}),
        (AVERAGE, {"n_init": 1}),
        ({**SMALL, "n_init": 3}, {"combine_inits": "average"}),
    ],
    ids=["to the best", "to one", "to an average"],
)
def test_one_way_to_combine_cannot_go_on_as_another(first, then):
    model = MLPRegressor(warm_start=True, max_iter=2, **first).fit(X, y)
    theta = model.theta_.copy()
    model.set_params(**then)
    with pytest.raises(ValueError, match="combine_inits=.*warm_start=False"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.theta_, theta)


# ---- what estimators do besides ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("combine", ["average", "best"])
def test_pickles_predict_the_same(kind, combine):
    model = fitted(kind, **{**AVERAGE, "combine_inits": combine, "max_iter": 3})
    features = features_of(type(model))
    for one in (model, *(model.estimators_ if combine == "average" else ())):
        again = pickle.loads(pickle.dumps(one))
        np.testing.assert_array_equal(again.predict(features), one.predict(features))
        np.testing.assert_array_equal(again.init_losses_, one.init_losses_)
        assert list(again.history_) == list(one.history_)


def test_pickles_of_the_best_hold_one_network():
    large = {**SMALL, "hidden_layer_sizes": (400, 40), "max_iter": 1}
    one, best, three = (
        len(pickle.dumps(MLPRegressor(n_init=n, combine_inits=how, **large).fit(X, y)))
        for n, how in ((1, "best"), (4, "best"), (4, "average"))
    )
    assert best < 1.01 * one + 500
    assert three > 3.5 * one


def test_a_member_can_be_stored_alone():
    large = {**AVERAGE, "hidden_layer_sizes": (400, 40), "max_iter": 1}
    model = MLPRegressor(**large).fit(X, y)
    member = model.estimators_[1]
    assert len(pickle.dumps(member)) < 1.1 * member.theta_.nbytes + 10_000


@several
def test_clones_and_parameters(kind):
    model = fitted(kind, **AVERAGE)
    copy = clone(model)
    assert copy.get_params() == model.get_params() and not hasattr(copy, "theta_")
    member = model.estimators_[1]
    assert member.get_params() == {**model.get_params(), "n_init": 1}
    features = features_of(type(model))
    cls, _, target = ALL[kind]
    refitted = clone(member).fit(features, target)
    np.testing.assert_allclose(refitted.theta_, model.theta_[0], rtol=1e-9, atol=1e-12)


def test_training_a_member_on_does_not_change_the_average():
    model = fitted("squared_error", **AVERAGE)
    theta, prediction = model.theta_.copy(), model.predict(X)
    curve = list(model.loss_curve_)
    for member in model.estimators_:
        member.partial_fit(X, y)
        member.fit(X, -y)
    np.testing.assert_array_equal(model.theta_, theta)
    np.testing.assert_array_equal(model.predict(X), prediction)
    assert model.loss_curve_ == curve


@pytest.mark.parametrize("kind", ["two outputs", "quantiles", "three classes", "hinge"])
def test_many_threads_predict_at_once(kind):
    model = fitted(kind, **AVERAGE)
    features = features_of(type(model))
    parts = [features[i : i + 50] for i in range(0, 100, 5)]
    method = model.decision_function if kind == "hinge" else model.predict
    expected = [method(part) for part in parts]
    before = pickle.dumps(model)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for one, other in zip(pool.map(method, parts), expected, strict=True):
                np.testing.assert_array_equal(one, other)
            list(pool.map(lambda part: model.estimators_[0].predict(part), parts))
    assert pickle.dumps(model) == before


def test_searches_over_the_restarts():
    grid = {"n_init": [1, 3], "combine_inits": ["best", "average"]}
    search = GridSearchCV(MLPRegressor(max_iter=3, **SMALL), grid, cv=2, error_score="raise")
    search.fit(X, y)
    table = pd.DataFrame(search.cv_results_).groupby("param_n_init")["mean_test_score"]
    assert table.nunique()[1] == 1 and table.nunique()[3] == 2


@pytest.mark.parametrize("bad", [{"n_init": 0}, {"n_init": 1.5}, {"combine_inits": "median"}])
def test_values_that_are_refused(bad):
    with pytest.raises(ValueError, match=f"'{next(iter(bad))}' parameter"):
        MLPRegressor(**bad).fit(X, y)


def test_restarts_without_hidden_layers_all_end_at_the_same_optimum():
    model = MLPRegressor(
        hidden_layer_sizes=(), solver="lbfgs", tol=1e-9, n_init=3, combine_inits="average",
        random_state=0,
    ).fit(X, y)  # fmt: skip
    np.testing.assert_allclose(model.init_losses_, model.init_losses_[0], rtol=1e-9)
    assert np.ptp(model.theta_, axis=0).max() < 1e-5
    assert not hasattr(model, "transform")
