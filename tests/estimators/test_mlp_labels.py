"""Labels of every kind, class weights, and y that no loss can use."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.class_weight import compute_sample_weight

from skmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y_three = make_classification(
    n_samples=90, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1,
)  # fmt: skip
y_two = (y_three > 0).astype(int)
y_many = np.column_stack([y_three > 0, y_three > 1, X[:, 0] > 0]).astype(int)
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 60, "random_state": 0, "learning_rate_init": 0.05}

NAMES = [
    np.array(["ant", "bee", "cow"]),
    np.array(["ant", "bee", "cow"], dtype=object),
    np.array([-7, 0, 12]),
    np.array([0.0, 1.0, 2.0]),
    np.array([3, 200, 255], dtype=np.uint8),
]


@pytest.mark.parametrize("names", NAMES, ids=lambda names: str(names.dtype))
@pytest.mark.parametrize("codes", [y_two, y_three], ids=["two", "three"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_labels_of_every_type(names, codes, early_stopping):
    settings = {**SMALL, "early_stopping": early_stopping}
    expected = MLPClassifier(**settings).fit(X, codes)
    model = MLPClassifier(**settings).fit(X, names[codes])
    np.testing.assert_array_equal(model.classes_, names[np.unique(codes)])
    assert model.classes_.dtype == names.dtype
    np.testing.assert_array_equal(model.predict(X), names[expected.predict(X)])
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.score(X, names[codes]) > 0.75
    for container in (list, pd.Series, tuple):
        again = MLPClassifier(**settings).fit(X, container(names[codes]))
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_boolean_labels():
    model = MLPClassifier(**SMALL).fit(X, y_two.astype(bool))
    assert model.classes_.tolist() == [False, True]
    assert model.predict(X).dtype == bool
    assert model.score(X, y_two.astype(bool)) > 0.8


def test_categorical_labels():
    labels = pd.Series(np.array(["ant", "bee", "cow"])[y_three], dtype="category")
    assert MLPClassifier(**SMALL).fit(X, labels).score(X, labels) > 0.75


@pytest.mark.parametrize("target", [y_many, y_many.astype(bool), y_many * 1.0, csr_array(y_many)])
def test_multilabel_targets(target):
    model = MLPClassifier(**SMALL).fit(X, target)
    predicted, probabilities = model.predict(X), model.predict_proba(X)
    assert predicted.shape == probabilities.shape == (90, 3) == model.decision_function(X).shape
    np.testing.assert_array_equal(predicted, probabilities > 0.5)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probabilities, rtol=1e-12)
    assert (predicted == y_many).mean() > 0.8
    assert model.out_activation_ == "logistic"
    watched = MLPClassifier(early_stopping=True, **SMALL).fit(X, target)
    assert 0 <= watched.best_validation_score_ <= 1


def test_two_class_outputs():
    model = MLPClassifier(**SMALL).fit(X, y_two)
    decision, probabilities = model.decision_function(X), model.predict_proba(X)
    assert decision.shape == (90,) and model.n_outputs_ == 1
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-decision)), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[(decision > 0).astype(int)])


@pytest.mark.parametrize("label", ["only", 5, True])
@pytest.mark.parametrize("loss", ["log_loss", "hinge", "weston_watkins"])
def test_one_class_is_always_predicted(label, loss):
    model = MLPClassifier(loss=loss, **SMALL).fit(X, np.full(90, label))
    assert model.classes_.tolist() == [label]
    assert (model.predict(X) == label).all()
    if loss == "log_loss":
        np.testing.assert_array_equal(model.predict_proba(X), np.ones((90, 1)))
        np.testing.assert_array_equal(model.predict_log_proba(X), np.zeros((90, 1)))


def test_a_column_of_labels_is_flattened_with_a_warning():
    with pytest.warns(DataConversionWarning, match="1d array"):
        model = MLPClassifier(**SMALL).fit(X, y_three[:, np.newaxis])
    assert model.predict(X).shape == (90,)
    with pytest.warns(DataConversionWarning, match="1d array"):
        assert MLPRegressor(**SMALL).fit(X, y_three[:, np.newaxis]).predict(X).shape == (90,)


@pytest.mark.parametrize(
    "target, words",
    [
        (np.linspace(0, 1, 90), "Unknown label type|continuous"),
        (np.column_stack([y_three, y_three]), "Multioutput|multiclass-multioutput"),
        (np.where(y_three == 0, np.nan, y_three), "NaN"),
    ],
)
def test_labels_that_are_none(target, words):
    with pytest.raises(ValueError, match=words):
        MLPClassifier(**SMALL).fit(X, target)


@pytest.mark.parametrize("codes", [y_two, y_three], ids=["two", "three"])
@pytest.mark.parametrize("loss", ["log_loss", "weston_watkins"])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 4.0}, {0: 0.5, 1: 2.0}])
def test_class_weights_multiply_those_of_rows(codes, loss, class_weight):
    rows = np.random.default_rng(0).integers(1, 4, size=90).astype(float)
    by_hand = compute_sample_weight(class_weight, codes)
    if class_weight == "balanced":
        by_hand = compute_sample_weight(class_weight, np.repeat(codes, rows.astype(int)))
        by_hand = np.array([by_hand[np.repeat(codes, rows.astype(int)) == c][0] for c in codes])
    settings = {**SMALL, "loss": loss, "early_stopping": True}
    weighted = MLPClassifier(class_weight=class_weight, **settings).fit(X, codes, rows)
    expected = MLPClassifier(**settings)
    expected.fit(X, codes, rows * by_hand)
    np.testing.assert_allclose(weighted.theta_, expected.theta_, rtol=1e-7, atol=1e-12)
    curves = weighted.validation_loss_curve_, expected.validation_loss_curve_
    np.testing.assert_allclose(*curves, rtol=1e-7)


def test_a_class_of_class_weight_zero_is_known_but_not_learned():
    model = MLPClassifier(class_weight={1: 0.0}, **SMALL).fit(X, y_three)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X)[:, 1].max() < 0.05


def test_balanced_weights_lift_the_rare_class():
    rare = (X[:, 0] + 0.7 * np.random.default_rng(0).normal(size=90)) > 1.3
    plain = MLPClassifier(**SMALL).fit(X, rare).predict_proba(X)[:, 1].mean()
    balanced = MLPClassifier(class_weight="balanced", **SMALL).fit(X, rare)
    assert balanced.predict_proba(X)[:, 1].mean() > plain


def test_class_weights_by_the_name_of_a_label():
    labels = np.array(["ant", "bee"])[y_two]
    named = MLPClassifier(class_weight={"bee": 3.0}, **SMALL).fit(X, labels)
    coded = MLPClassifier(class_weight={1: 3.0}, **SMALL).fit(X, y_two)
    np.testing.assert_array_equal(named.theta_, coded.theta_)
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(class_weight={"bug": 3.0}, **SMALL).fit(X, labels)


@pytest.mark.parametrize("smoothing", [0.1, 0.4])
@pytest.mark.parametrize("codes", [y_two, y_three, y_many], ids=["two", "three", "labels"])
def test_label_smoothing_moves_the_best_probabilities(codes, smoothing):
    """A model that can tell every row apart ends at (1 - eps) y + eps / n_classes."""
    apart = np.eye(90)
    model = MLPClassifier((), label_smoothing=smoothing, solver="lbfgs", alpha=0.0, tol=1e-9,
                          max_iter=500, random_state=0, feature_scaling=None)  # fmt: skip
    probabilities = model.fit(apart, codes).predict_proba(apart)
    target = codes if codes.ndim == 2 else np.eye(len(model.classes_))[codes]
    n_classes = 3 if codes is y_three else 2
    expected = (1 - smoothing) * target + smoothing / n_classes
    np.testing.assert_allclose(probabilities, expected, atol=0.01)


def test_the_validation_loss_is_without_label_smoothing():
    settings = {**SMALL, "early_stopping": True, "max_iter": 1, "learning_rate_init": 1e-300}
    plain = MLPClassifier(**settings).fit(X, y_three)
    smooth = MLPClassifier(label_smoothing=0.3, **settings).fit(X, y_three)
    # Only the start of the output bias differs; with equal biases the curves are the same.
    assert smooth.loss_curve_[0] != plain.loss_curve_[0]
    log_proba = smooth.predict_log_proba(X)
    assert abs(smooth.validation_loss_curve_[0] + log_proba[range(90), y_three].mean()) < 0.3


OUTSIDE = [
    ("poisson", -1.0, r"\[0, inf\)"),
    ("gamma", 0.0, r"\(0, inf\)"),
    ("gamma", -2.0, r"\(0, inf\)"),
]


@pytest.mark.parametrize("loss, value, domain", OUTSIDE)
def test_targets_outside_the_domain_of_the_loss(loss, value, domain):
    """Defect g: scikit-learn's poisson loss takes negative y in silence."""
    target = np.full(90, 3.0)
    target[17] = value
    with pytest.raises(ValueError, match=rf"{domain}.*loss='{loss}'.*{value}.*row 17"):
        MLPRegressor(loss, **SMALL).fit(X, target)
    with pytest.raises(ValueError, match=rf"{domain}.*loss='{loss}'"):
        MLPRegressor(loss, **SMALL).partial_fit(X, target)


@pytest.mark.parametrize("loss, value", [(loss, value) for loss, value, _ in OUTSIDE])
def test_rows_of_weight_zero_may_hold_anything(loss, value):
    """They are dropped before anything else."""
    target = np.linspace(1.0, 2.0, 90)
    expected = MLPRegressor(loss, **SMALL).fit(X[1:], target[1:])
    target[0] = value
    model = MLPRegressor(loss, **SMALL).fit(X, target, np.arange(90) > 0)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), rtol=1e-9)


def test_poisson_takes_zeros_and_several_outputs():
    X, Y = make_regression(n_samples=50, n_targets=2, random_state=0)
    Y = np.floor(np.abs(Y) / 50.0)
    model = MLPRegressor("poisson", **SMALL).fit(X, Y)
    assert model.predict(X).shape == (50, 2) and (model.predict(X) > 0).all()
    assert np.isfinite(MLPRegressor("poisson", **SMALL).fit(X, Y[:, 0] * 0).predict(X)).all()


@pytest.mark.parametrize("target", [["a"] * 90, np.full(90, np.inf), np.full((90, 2, 2), 1.0)])
def test_targets_that_are_no_numbers(target):
    with pytest.raises(ValueError):
        MLPRegressor(**SMALL).fit(X, target)


def test_sparse_targets_of_a_regressor_are_refused_clearly():
    with pytest.raises((ValueError, TypeError), match="(?i)sparse|dense"):
        MLPRegressor(**SMALL).fit(X, csr_array(y_many))
