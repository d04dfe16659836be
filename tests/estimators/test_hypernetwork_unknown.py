"""Rows of tasks that are not known: averages, warnings and errors."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from skmlp import HypernetworkClassifier, HypernetworkRegressor
from skmlp.losses import CLASSIFICATION_LOSSES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 90
TASKS = np.resize([4, 7, 9], N)
FEATURES = RNG.normal(size=(N, 2))
X = np.column_stack([TASKS, FEATURES])
Y = np.where(TASKS == 4, 1.0, -2.0) * FEATURES[:, 0] + FEATURES[:, 1] + 10.0
CODES = np.digitize(FEATURES[:, 0], [-0.5, 0.5])
SMALL = {
    "hidden_layer_sizes": (5,),
    "task_features": [0],
    "hyper_hidden_layer_sizes": (6,),
    "max_iter": 10,
    "learning_rate_init": 0.01,
    "random_state": 0,
}
UNKNOWN = pytest.mark.filterwarnings("ignore:.* rows of X have unknown tasks:UserWarning")


def regressor(**params):
    return HypernetworkRegressor(**{**SMALL, **params})


def classifier(**params):
    return HypernetworkClassifier(**{**SMALL, **params})


def as_task(task, n=None):
    """The same rows, all of one task."""
    return np.column_stack([np.full(N, task), FEATURES])[:n]


def of_each(method, tasks=(4, 7, 9)):
    return np.array([method(as_task(task)) for task in tasks])


# ---- averages ------------------------------------------------------------------------------------


@UNKNOWN
@pytest.mark.parametrize("params", [
    {}, {"modulation": "chunked"}, {"modulation": "low_rank"}, {"modulation": "film"},
    {"loss": "poisson"}, {"loss": "gamma"}, {"loss": "quantile", "quantile": (0.1, 0.9)},
    {"loss": "huber"}, {"target_scaling": False}, {"dtype": "float32"},
    {"n_init": 2, "combine_inits": "average"},
], ids=str)  # fmt: skip
def test_the_mean_of_all_predictions(params):
    model = regressor(**params).fit(X, Y)
    expected = of_each(model.predict).mean(axis=0)
    rtol = 1e-5 if "dtype" in params else 1e-9
    np.testing.assert_allclose(model.predict(as_task(5)), expected, rtol=rtol)


@UNKNOWN
def test_the_mean_for_several_targets():
    model = regressor().fit(X, np.column_stack([Y, -Y]))
    expected = of_each(model.predict).mean(axis=0)
    np.testing.assert_allclose(model.predict(as_task(5)), expected, rtol=1e-9)


@UNKNOWN
def test_the_mean_in_a_context():
    rows = np.column_stack([X, RNG.normal(size=N)])
    model = regressor(context_features=[3]).fit(rows, Y)
    every = [np.column_stack([np.full(N, task), rows[:, 1:]]) for task in (4, 7, 9, 5)]
    *known, unknown = map(model.predict, every)
    np.testing.assert_allclose(unknown, np.mean(known, axis=0), rtol=1e-9)


@UNKNOWN
@pytest.mark.parametrize("params", [{}, {"n_init": 2, "combine_inits": "average"}])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_the_mean_of_probabilities(kind, params):
    y = {"binary": CODES > 0, "multiclass": CODES, "multilabel": (FEATURES > 0).astype(int)}[kind]
    model = classifier(**params).fit(X, y)
    expected = of_each(model.predict_proba).mean(axis=0)
    probabilities = model.predict_proba(as_task(5))
    np.testing.assert_allclose(probabilities, expected, rtol=1e-9)
    np.testing.assert_allclose(model.predict_log_proba(as_task(5)), np.log(expected), rtol=1e-7)
    if kind == "multilabel":
        np.testing.assert_array_equal(model.predict(as_task(5)), expected > 0.5)
    else:
        best = model.classes_[expected.argmax(axis=1)]
        np.testing.assert_array_equal(model.predict(as_task(5)), best)
    if kind == "binary":
        decision = model.decision_function(as_task(5))
        np.testing.assert_allclose(expit(decision), probabilities[:, 1], rtol=1e-9)


@UNKNOWN
def test_classes_that_some_tasks_do_not_have():
    names = np.where(TASKS == 4, np.minimum(CODES, 1), np.where(TASKS == 7, CODES, 2 - CODES % 2))
    model = classifier().fit(X, names)
    probabilities = model.predict_proba(as_task(5))
    np.testing.assert_allclose(probabilities, of_each(model.predict_proba).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities > 0).all()
    assert np.isfinite(model.predict_log_proba(as_task(5))).all()
    assert np.isfinite(model.score(as_task(5), names))


@UNKNOWN
@pytest.mark.parametrize("loss", sorted(set(CLASSIFICATION_LOSSES) - {"log_loss"}))
def test_decision_values_of_margin_losses(loss):
    y = CODES > 0 if loss == "hinge" else CODES
    model = classifier(loss=loss).fit(X, y)
    expected = of_each(model.decision_function).mean(axis=0)
    np.testing.assert_allclose(model.decision_function(as_task(5)), expected, rtol=1e-9)
    if loss != "hinge":
        own = np.where(TASKS == 4, np.minimum(CODES, 1), CODES)
        model = classifier(loss=loss).fit(X, own)
        decision = model.decision_function(as_task(5))
        assert np.isfinite(decision).all() and np.abs(decision).max() < 1e3
        assert set(model.predict(as_task(5))) <= {0, 1, 2}


@UNKNOWN
def test_known_rows_do_not_mind():
    model = regressor().fit(X, Y)
    expected = model.predict(X)
    rows = X.copy()
    rows[::3, 0] = 5
    np.testing.assert_allclose(np.delete(model.predict(rows), slice(None, None, 3)),
                               np.delete(expected, slice(None, None, 3)), rtol=1e-12)  # fmt: skip
    np.testing.assert_allclose(model.predict(rows)[::3], model.predict(as_task(5))[::3], rtol=1e-12)


@UNKNOWN
def test_blocks_of_unknown_rows(monkeypatch):
    model = regressor(n_init=2, combine_inits="average").fit(X, Y)
    expected = model.predict(as_task(5))
    monkeypatch.setattr("skmlp.estimators._hypernetwork._predicting.ENTRIES", 40)
    np.testing.assert_allclose(model.predict(as_task(5)), expected, rtol=1e-12)


@UNKNOWN
def test_adapted_tasks_are_among_those_that_are_averaged():
    model = regressor().fit(X, Y)
    model.adapt(as_task(20, 5), 100.0 + Y[:5])
    expected = of_each(model.predict, (4, 7, 9, 20)).mean(axis=0)
    np.testing.assert_allclose(model.predict(as_task(5)), expected, rtol=1e-9)


# ---- words ---------------------------------------------------------------------------------------


def test_the_warning_has_the_tasks_and_the_number_of_rows():
    model = regressor().fit(X, Y)
    rows = X.copy()
    rows[:5, 0], rows[5:7, 0] = 13, 2
    with pytest.warns(UserWarning) as caught:
        model.predict(rows)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("7 rows of X have unknown tasks: 2.0, 13.0. They get the average")
    assert "adapt or partial_fit" in message and "unknown_task='error'" in message
    # It points at the caller.
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(X)


def test_long_lists_are_cut():
    model = regressor().fit(X, Y)
    rows = X.copy()
    rows[:30, 0] = np.arange(100, 130)
    with pytest.warns(UserWarning, match=r"30 rows .*: 100.0, 101.0, .*, 109.0, \.\.\.\. They"):
        model.predict(rows)


def test_one_warning_for_each_method():
    model = classifier().fit(X, CODES)
    names = ("predict", "predict_proba", "predict_log_proba", "decision_function")
    for method in [*(getattr(model, name) for name in names), lambda X: model.score(X, CODES)]:
        with pytest.warns(UserWarning, match="90 rows of X have unknown tasks: 5.0") as caught:
            method(as_task(5))
        assert len(caught) == 1


def test_errors_when_they_are_asked_for():
    model = regressor(unknown_task="error").fit(X, Y)
    rows = X.copy()
    rows[:5, 0] = 13
    with pytest.raises(ValueError, match="5 rows .* tasks: 13.0.*adapt.*unknown_task='average'"):
        model.predict(rows)
    # The parameter may change after training.
    model.set_params(unknown_task="average")
    with pytest.warns(UserWarning, match="5 rows"):
        model.predict(rows)
    with pytest.raises(ValueError, match="unknown_task"):
        regressor(unknown_task="mean").fit(X, Y)


@pytest.mark.parametrize("first, second, words", [
    ("int", "str", r"unknown tasks, such as '4' of dtype .*while .* dtype int64, such as 4"),
    ("str", "int", r"unknown tasks, such as 4 of dtype int64, while .* dtype .*, such as '4'"),
], ids=["texts", "numbers"])  # fmt: skip
@pytest.mark.parametrize("unknown_task", ["average", "error"])
def test_another_kind_of_identifiers_is_a_mistake(first, second, words, unknown_task):
    kinds = {"int": TASKS, "str": TASKS.astype(str)}
    frame = pd.DataFrame({"task": kinds[first], "a": FEATURES[:, 0]})
    model = regressor(unknown_task=unknown_task, task_features="task").fit(frame, Y)
    with pytest.raises(ValueError, match=words):
        model.predict(frame.assign(task=kinds[second]))


def test_mixed_kinds_are_only_unknown():
    frame = pd.DataFrame({"task": TASKS.astype(str), "a": FEATURES[:, 0]})
    model = regressor(task_features="task").fit(frame, Y)
    mixed = frame["task"].astype(object).where(TASKS != 4, 4)
    with pytest.warns(UserWarning, match="30 rows of X have unknown tasks: 4"):
        model.predict(frame.assign(task=mixed))
    with pytest.warns(UserWarning, match="90 rows of X have unknown tasks: 'x'"):
        model.predict(frame.assign(task="x"))


def test_unknown_tasks_in_training_are_new_tasks():
    model = regressor(unknown_task="error").partial_fit(X, Y)
    model.partial_fit(as_task(5), Y)
    assert model.tasks_.tolist() == [4, 7, 9, 5]
    assert np.isfinite(model.predict(as_task(5))).all()
