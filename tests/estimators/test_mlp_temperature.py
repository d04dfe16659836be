"""The parameter `temperature_scaling` of MLPClassifier."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.datasets import load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skmlp import MLPClassifier
from skmlp.estimators._temperature import best_temperature
from skmlp.losses import BinaryLogLoss, SoftmaxLogLoss

BY_HAND = {
    "hidden_layer_sizes": (20,),
    "solver": "lbfgs",
    "max_iter": 30,
    "early_stopping": False,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def noisy():
    """Three classes with a tenth of the labels wrong, of which lbfgs becomes too sure."""
    X, y = make_classification(
        600, 8, n_informative=6, n_classes=3, flip_y=0.15, class_sep=0.7, random_state=0
    )
    return train_test_split(X, y, random_state=0)


def fitted(data, **parameters):
    X, X_val, y, y_val = data
    model = MLPClassifier(**{**BY_HAND, **parameters})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of few iterations
        return model.fit(X, y, X_val=X_val, y_val=y_val)


def outputs(kind, rows, members=2, seed=0):
    rng = np.random.default_rng(seed)
    width = 4 if kind is SoftmaxLogLoss else 2
    raw = 6 * rng.standard_normal((members, rows, width))
    if kind is SoftmaxLogLoss:
        return rng.integers(0, width, rows), raw
    return rng.integers(0, 2, (rows, width)).astype(float), raw


@pytest.mark.parametrize("kind", [BinaryLogLoss, SoftmaxLogLoss])
@pytest.mark.parametrize("weighted", [False, True])
def test_temperatures_are_those_that_a_minimizer_finds(kind, weighted):
    y, raw = outputs(kind, 40)
    if kind is SoftmaxLogLoss:
        raw[:, np.arange(40), y] += 5.0
    weight = np.linspace(0.5, 2, 40) if weighted else np.ones(40)

    # One row more, of unknown class: a little of every row's weight goes to each class.
    unknown = 1 / (weight.sum() + 1)

    def total(log_factor, one):
        scaled = np.exp(log_factor) * one
        if kind is SoftmaxLogLoss:
            log_proba = SoftmaxLogLoss().log_proba(scaled)
            known, mean = log_proba[np.arange(40), y], log_proba.mean(axis=1)
        else:
            right = BinaryLogLoss().log_proba(np.where(y > 0, scaled, -scaled))
            wrong = BinaryLogLoss().log_proba(np.where(y > 0, -scaled, scaled))
            known, mean = right.sum(axis=1), (right + wrong).sum(axis=1) / 2
        return -weight @ ((1 - unknown) * known + unknown * mean)

    for one in raw:
        found = best_temperature(kind(), y, one[np.newaxis], weight if weighted else None)
        best = minimize_scalar(total, bounds=(-3, 3), args=(one,), method="bounded").x
        assert found == pytest.approx(np.exp(-best), rel=5e-3) and found > 1.5


def test_an_average_is_judged_as_one():
    y, raw = outputs(SoftmaxLogLoss, 40, members=5)
    raw[:, np.arange(40), y] += 5.0

    def loss(temperature):
        proba = SoftmaxLogLoss().predict(raw / temperature).mean(axis=0)
        proba = (1 - 1 / 41) * np.log(proba[np.arange(40), y]) + np.log(proba).mean(axis=1) / 41
        return -proba.mean()

    found = best_temperature(SoftmaxLogLoss(), y, raw)
    assert loss(found) < min(loss(0.95 * found), loss(1.05 * found))
    # Their disagreement has made it less sure already.
    assert found < best_temperature(SoftmaxLogLoss(), y, raw[:1])


def test_a_weight_counts_as_copies():
    y, raw = outputs(SoftmaxLogLoss, 30)
    counts = np.arange(30) % 3
    copies = best_temperature(SoftmaxLogLoss(), np.repeat(y, counts), np.repeat(raw, counts, 1))
    weighted = best_temperature(SoftmaxLogLoss(), y, raw, counts.astype(float))
    assert weighted == pytest.approx(copies, rel=2e-3)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_temperatures_are_bounded_when_all_rows_are_right(scale):
    y, raw = outputs(SoftmaxLogLoss, 30)
    raw = np.full_like(raw, -1.0)
    raw[:, np.arange(30), y] = 1.0
    assert 0.05 <= best_temperature(SoftmaxLogLoss(), y, scale * raw) <= 20


def test_a_few_rows_that_are_all_right_do_not_make_it_too_sure():
    y, raw = outputs(SoftmaxLogLoss, 30, members=1)
    raw = 8 * np.eye(4)[y][np.newaxis]
    proba = SoftmaxLogLoss().predict(raw / best_temperature(SoftmaxLogLoss(), y, raw))
    # One row in 31 is of an unknown class.
    np.testing.assert_allclose(proba.max(axis=-1), 1 - 3 / 4 / 31, atol=1e-3)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_outputs_that_are_not_finite_get_one(wrong):
    y, raw = outputs(SoftmaxLogLoss, 30)
    assert best_temperature(SoftmaxLogLoss(), y, 0 * raw) == 1.0
    raw[0, 3, 1] = wrong
    assert best_temperature(SoftmaxLogLoss(), y, raw) == 1.0


def test_it_changes_no_label_and_lowers_the_loss(noisy):
    _, X_val, _, y_val = noisy
    sure, tempered = (fitted(noisy, temperature_scaling=t) for t in (False, True))
    np.testing.assert_array_equal(sure.predict(X_val), tempered.predict(X_val))
    np.testing.assert_allclose(
        sure.decision_function(X_val) / tempered.temperature_,
        tempered.decision_function(X_val),
        rtol=1e-9,
    )
    assert sure.temperature_ == 1.0 < tempered.temperature_
    assert log_loss(y_val, tempered.predict_proba(X_val)) < log_loss(
        y_val, sure.predict_proba(X_val)
    )
    assert tempered.best_iteration_ == sure.best_iteration_
    assert tempered.validation_scores_ == sure.validation_scores_


def test_several_starts_have_one_temperature(noisy):
    _, X_val, _, _ = noisy
    sure, tempered = (
        fitted(noisy, temperature_scaling=t, n_init=3, combine_inits="average")
        for t in (False, True)
    )
    for one, other in zip(sure.estimators_, tempered.estimators_, strict=True):
        np.testing.assert_allclose(
            one.decision_function(X_val) / tempered.temperature_, other.decision_function(X_val)
        )
    assert tempered.temperature_ != 1.0


@pytest.mark.parametrize("multilabel", [False, True])
def test_two_classes_and_labels(noisy, multilabel):
    X, X_val, y, y_val = noisy
    y, y_val = (np.column_stack([v > 0, v > 1]) if multilabel else v > 0 for v in (y, y_val))
    data = X, X_val, y.astype(int), y_val.astype(int)

    def loss(model):
        proba = model.predict_proba(X_val)
        parts = proba.T if multilabel else [proba[:, 1]]
        return sum(map(log_loss, np.atleast_2d(data[3].T), parts))

    sure, tempered = (fitted(data, temperature_scaling=t) for t in (False, True))
    assert loss(tempered) < loss(sure)
    np.testing.assert_array_equal(sure.predict(X_val), tempered.predict(X_val))


def test_auto_is_the_recipe_alone(noisy):
    X, _, y, _ = noisy
    X, y = np.tile(X, (2, 1)), np.tile(y, 2)
    assert MLPClassifier()._settings(len(X))["temperature_scaling"]
    assert not MLPClassifier(max_iter=5)._settings(len(X))["temperature_scaling"]
    for loss in ("crammer_singer", "weston_watkins"):
        assert not MLPClassifier(loss=loss)._settings(len(X))["temperature_scaling"]


def test_without_a_validation_set_it_is_refused(noisy):
    X, _, y, _ = noisy
    with pytest.raises(ValueError, match="temperature_scaling=True cannot act without a valid"):
        MLPClassifier(temperature_scaling=True).fit(X, y)


def test_without_probabilities_it_is_refused(noisy):
    X, _, y, _ = noisy
    model = MLPClassifier(temperature_scaling=True, loss="crammer_singer", early_stopping=True)
    with pytest.raises(ValueError, match="temperature_scaling=True cannot act with loss='cram"):
        model.fit(X, y)


def test_a_tempered_network_can_be_trained_further():
    X, y = load_wine(return_X_y=True)
    model = MLPClassifier(temperature_scaling=True, max_iter=30, tol=1e-9, random_state=0)
    with pytest.warns(match="Maximum iterations"):
        model.fit(X, y, X_val=X, y_val=y)
    before = model.predict_proba(X)
    model.partial_fit(X, y)
    assert np.abs(model.predict_proba(X) - before).max() < 0.1
    assert model.temperature_ == 1.0
