"""What the hypernetwork writes, put into plain networks; counts; modulations."""

import numpy as np
import pytest

from skmlp import (
    HypernetworkClassifier,
    HypernetworkRegressor,
    MLPClassifier,
    MLPRegressor,
)
from skmlp.activations import ACTIVATIONS
from skmlp.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 90
TASKS = np.resize([4, 7, 9], N)
FEATURES = 3.0 * RNG.normal(size=(N, 2)) + 5.0
CONTEXT = RNG.choice([1.0, 2.0, 4.0], N)
X = np.column_stack([FEATURES[:, 0], TASKS, FEATURES[:, 1]])
WITH_CONTEXT = np.column_stack([X, CONTEXT])
Y = np.where(TASKS == 4, 1.0, -2.0) * FEATURES[:, 0] + FEATURES[:, 1] ** 2 + 10.0
SMALL = {
    "hidden_layer_sizes": (5, 4),
    "activation": "tanh",
    "task_features": [1],
    "hyper_hidden_layer_sizes": (6,),
    "max_iter": 5,
    "random_state": 0,
}
MODULATIONS = pytest.mark.parametrize("modulation", ["full", "chunked", "low_rank", "film"])


def regressor(**params):
    return HypernetworkRegressor(**{**SMALL, **params})


def classifier(**params):
    return HypernetworkClassifier(**{**SMALL, **params})


def plain(model, *which, **params):
    """The main network of a task as an MLPRegressor."""
    pair = model.task_parameters(*which)
    params = {"activation": model.activation, **params}
    return MLPRegressor.from_weights(*pair, loss=model.loss, **params)


def plain_classifier(model, *which):
    return MLPClassifier.from_weights(
        *model.task_parameters(*which), activation=model.activation, classes=model.classes_,
        loss=model.loss,
    )  # fmt: skip


def close(first, second):
    np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-12)


# ---- the same predictions ------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["standard", "minmax", None])
@MODULATIONS
def test_regression(modulation, scaling):
    model = regressor(modulation=modulation, feature_scaling=scaling).fit(X, Y)
    for task in model.tasks_:
        own = TASKS == task
        close(plain(model, task).predict(FEATURES[own]), model.predict(X[own]))


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_every_regression_loss(loss):
    y = np.round(np.abs(Y)) + 1.0
    model = regressor(loss=loss, learning_rate_init=1e-3).fit(X, y)
    own = TASKS == 7
    close(plain(model, 7).predict(FEATURES[own]), model.predict(X[own]))


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"step", "prelu"}))
def test_every_activation(name):
    model = regressor(activation=name).fit(X, Y)
    own = TASKS == 9
    close(plain(model, 9).predict(FEATURES[own]), model.predict(X[own]))


@MODULATIONS
def test_several_targets(modulation):
    model = regressor(modulation=modulation).fit(X, np.column_stack([Y, -3.0 * Y + 1.0]))
    own = TASKS == 7
    close(plain(model, 7).predict(FEATURES[own]), model.predict(X[own]))


@MODULATIONS
@pytest.mark.parametrize("in_main", [False, True])
def test_tasks_and_contexts(modulation, in_main):
    params = {"modulation": modulation, "context_features": [3], "context_in_main": in_main}
    model = regressor(**params).fit(WITH_CONTEXT, Y)
    seen = np.column_stack([FEATURES, CONTEXT]) if in_main else FEATURES
    for value in (1.0, 4.0):
        own = (TASKS == 7) & (CONTEXT == value)
        close(plain(model, 7, [value]).predict(seen[own]), model.predict(WITH_CONTEXT[own]))
    # Contexts that have not been seen are as good as any.
    rows = np.column_stack([FEATURES[:, 0], np.full(N, 9), FEATURES[:, 1], np.full(N, 2.5)])
    seen = np.column_stack([FEATURES, np.full(N, 2.5)]) if in_main else FEATURES
    close(plain(model, 9, [2.5]).predict(seen), model.predict(rows))


def test_contexts_alone():
    rows = WITH_CONTEXT[:, [0, 2, 3]]
    model = regressor(task_features=None, context_features=-1).fit(rows, Y)
    for value in (1.0, 4.0):
        own = CONTEXT == value
        prediction = plain(model, None, [value]).predict(FEATURES[own])
        close(prediction, model.predict(rows[own]))
        close(plain(model, None, value).predict(FEATURES[own]), prediction)
    assert len(model.tasks_) == 0 and model.task_embeddings_.shape == (0, 8)


def test_without_hidden_layers():
    model = regressor(hidden_layer_sizes=(), activation="relu").fit(X, Y)
    (coef,), (intercept,) = model.task_parameters(4)
    own = TASKS == 4
    close(FEATURES[own] @ coef[:, 0] + intercept, model.predict(X[own]))


@pytest.mark.parametrize("loss", CLASSIFICATION_LOSSES)
@MODULATIONS
def test_two_classes(modulation, loss):
    model = classifier(modulation=modulation, loss=loss).fit(X, np.where(Y > Y.mean(), "a", "b"))
    for task in model.tasks_:
        own, other = TASKS == task, plain_classifier(model, task)
        close(other.decision_function(FEATURES[own]), model.decision_function(X[own]))
        assert (other.predict(FEATURES[own]) == model.predict(X[own])).all()
        if loss == "log_loss":
            close(other.predict_proba(FEATURES[own]), model.predict_proba(X[own]))


@pytest.mark.parametrize("loss", sorted(set(CLASSIFICATION_LOSSES) - {"hinge"}))
@MODULATIONS
def test_tasks_with_some_of_the_classes(modulation, loss):
    """Task 4 has all classes, 7 only three of the four, 9 two."""
    target = np.digitize(FEATURES[:, 0], [3.0, 5.0, 7.0])
    target = np.where(TASKS == 7, np.minimum(target, 2), target)
    target = np.where(TASKS == 9, np.maximum(target, 2), target)
    model = classifier(modulation=modulation, loss=loss).fit(X, np.array(list("abcd"))[target])
    for task in model.tasks_:
        own, other = TASKS == task, plain_classifier(model, task)
        close(other.decision_function(FEATURES[own]), model.decision_function(X[own]))
        assert (other.predict(FEATURES[own]) == model.predict(X[own])).all()
        shown = np.isin(np.arange(4), target[own])
        assert (model.decision_function(X[own])[:, ~shown] < -1e15).all()
        if loss == "log_loss":
            probabilities = model.predict_proba(X[own])
            close(other.predict_proba(FEATURES[own]), probabilities)
            assert not probabilities[:, ~shown].any() and probabilities[:, shown].all()
            close(probabilities.sum(axis=1), 1.0)


def test_labels_on_their_own():
    labels = np.column_stack([FEATURES > 5.0, Y > Y.mean()]).astype(int)
    model = classifier().fit(X, labels)
    own, pair = TASKS == 4, model.task_parameters(4)
    other = MLPClassifier.from_weights(*pair, activation="tanh", classes=[0, 1, 2], multilabel=True)
    close(other.predict_proba(FEATURES[own]), model.predict_proba(X[own]))


def test_float32():
    model = regressor(dtype="float32").fit(X, Y)
    own, (coefs, intercepts) = TASKS == 4, model.task_parameters(4)
    assert {array.dtype.name for array in (*coefs, *intercepts)} == {"float32"}
    assert model.predict(X).dtype == np.float32
    np.testing.assert_allclose(
        plain(model, 4).predict(FEATURES[own]), model.predict(X[own]), rtol=1e-4
    )


def test_float32_follows_the_data():
    model = regressor().fit(X.astype(np.float32), Y.astype(np.float32))
    assert model.theta_.dtype == model.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(model.predict(X), regressor().fit(X, Y).predict(X), rtol=1e-3)


def test_after_continual_learning_and_adaptation():
    model = regressor()
    for task in (4, 7):
        model.partial_fit(X[TASKS == task], Y[TASKS == task])
    model.adapt(X[TASKS == 9][:5], Y[TASKS == 9][:5])
    for task in model.tasks_:
        close(plain(model, task).predict(FEATURES[TASKS == task]), model.predict(X[TASKS == task]))


def test_members_of_an_average():
    model = regressor(n_init=2, combine_inits="average").fit(X, Y)
    own = TASKS == 4
    each = [plain(member, 4).predict(FEATURES[own]) for member in model.estimators_]
    close(np.mean(each, axis=0), model.predict(X[own]))
    with pytest.raises(AttributeError, match="combine_inits='average'"):
        model.task_parameters(4)


# ---- without tasks -------------------------------------------------------------------------------


@pytest.mark.parametrize("modulation", ["auto", "full", "chunked", "low_rank", "film"])
def test_one_network_has_coefs(modulation):
    model = regressor(task_features=None, modulation=modulation).fit(FEATURES, Y)
    own = MLPRegressor.from_weights(model.coefs_, model.intercepts_, activation="tanh")
    close(own.predict(FEATURES), model.predict(FEATURES))
    for one, other in zip(model.task_parameters(), (model.coefs_, model.intercepts_), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not model.coefs_[0].flags.writeable
    assert len(model.tasks_) == 0 and model.task_loss_.shape == (0,)


@pytest.mark.parametrize("params", [{}, {"context_features": [0]}])
def test_tasks_have_no_common_coefs(params):
    model = regressor(**params).fit(X, Y)
    for name in ("coefs_", "intercepts_"):
        with pytest.raises(AttributeError, match=rf"{name} does not exist.*task_parameters\(t"):
            getattr(model, name)
        assert not hasattr(model, name)


# ---- refusals ------------------------------------------------------------------------------------


def test_what_task_parameters_refuses():
    model = regressor().fit(X, Y)
    for task in (5, "4", None, (4,), [4], np.array([4, 7])):
        with pytest.raises(ValueError, match=r"is not one of tasks_: \[4.0, 7.0, 9.0\]"):
            model.task_parameters(task)
    with pytest.raises(ValueError, match=r"context=\[1.0\] cannot be given"):
        model.task_parameters(4, [1.0])
    with pytest.raises(ValueError, match="task=4 cannot be given, since task_features is None"):
        regressor(task_features=None).fit(X, Y).task_parameters(4)
    model = regressor(context_features=[3]).fit(WITH_CONTEXT, Y)
    for context in (None, [], [1.0, 2.0]):
        with pytest.raises(
            ValueError, match=r"must hold the 1 finite values of context_features=\[3\]"
        ):
            model.task_parameters(4, context)
    for context in ([np.nan], [np.inf], ["a"]):
        with pytest.raises(ValueError, match="context="):
            model.task_parameters(4, context)
    with pytest.raises(ValueError, match="not fitted"):
        regressor().task_parameters(4)


def test_a_clip_is_not_affine():
    model = regressor(feature_scaling="robust").fit(X, Y)
    with pytest.raises(AttributeError, match="feature_scaling='robust'"):
        model.task_parameters(4)
    model = regressor(feature_scaling="robust", task_features=None).fit(X, Y)
    with pytest.raises(AttributeError, match="feature_scaling='robust'"):
        _ = model.coefs_


def test_results_are_read_only():
    model = regressor().fit(X, Y)
    coefs, intercepts = model.task_parameters(4)
    for array in (*coefs, *intercepts, model.task_embeddings_):
        assert not array.flags.writeable


def test_tasks_are_found_by_equal_values():
    model = regressor().fit(X, Y)
    for task in (4, 4.0, np.int8(4), np.float32(4), model.tasks_[0]):
        np.testing.assert_array_equal(
            model.task_parameters(task)[0][0], model.task_parameters(4.0)[0][0]
        )


# ---- counts --------------------------------------------------------------------------------------


@MODULATIONS
def test_counts(modulation):
    model = regressor(modulation=modulation).fit(X, Y)
    main = 2 * 5 + 5 + 5 * 4 + 4 + 4 + 1
    assert model.n_main_parameters_ == main
    coefs, intercepts = model.task_parameters(4)
    assert sum(array.size for array in (*coefs, *intercepts)) == main
    body = 3 * 8 + 8 * 6 + 6
    widths, outs = [2, 5, 4], [5, 4, 1]
    written = {"full": main, "low_rank": 3 * 8 + sum(outs), "film": 2 * sum(outs)}
    shared = sum(a * b for a, b in zip(widths, outs, strict=True))
    common = {"full": 0, "low_rank": shared + 8 * (11 + 10), "film": shared + sum(outs)}
    if modulation != "chunked":
        assert model.n_parameters_ == body + 7 * written[modulation] + common[modulation]
    assert len(model.theta_) == model.n_parameters_ + 1


@pytest.mark.parametrize("n_tasks, n_rows, expected", [
    (21, 49, "low_rank"), (21, 50, "full"), (20, 5, "full"), (25, 5, "low_rank"),
])  # fmt: skip
def test_the_rule_of_auto(n_tasks, n_rows, expected):
    tasks = np.repeat(np.arange(n_tasks), n_rows)
    rows = np.column_stack([tasks, np.arange(len(tasks)) % 7])
    params = {"task_features": [0], "max_iter": 1, "hyper_hidden_layer_sizes": (4,)}
    model = HypernetworkRegressor(**params).fit(rows, rows[:, 1])
    assert model.modulation_ == expected
    # Rows of weight 0 do not count.
    weight = np.ones(len(tasks))
    weight[tasks >= 20] = 0.0
    model = HypernetworkRegressor(**params).fit(rows, rows[:, 1], weight)
    assert model.modulation_ == "full"


def test_auto_stays_what_it_was():
    model = regressor().partial_fit(X, Y)
    rows = np.column_stack([FEATURES[:, 0], np.arange(N) + 100, FEATURES[:, 1]])
    assert model.partial_fit(rows, Y).modulation_ == "full" and len(model.tasks_) == N + 3
    assert regressor().fit(rows, Y).modulation_ == "low_rank"
