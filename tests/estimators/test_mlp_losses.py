"""Every loss fits what it is for; scores and probabilities that belong to it."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import (
    d2_absolute_error_score,
    d2_pinball_score,
    d2_tweedie_score,
    r2_score,
)
from sklearn.svm import LinearSVC

from skmlp import MLPClassifier, MLPRegressor
from skmlp.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, size=(300, 2))
MEAN = np.exp(1.0 + X[:, 0] + np.sin(3 * X[:, 1]))
y = rng.gamma(4.0, MEAN / 4.0)
X_class, y_three = make_classification(
    n_samples=200, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1,
)  # fmt: skip
SMALL = {"hidden_layer_sizes": (20,), "random_state": 0, "learning_rate_init": 0.01}


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_regression_loss_finds_the_signal(loss, solver):
    model = MLPRegressor(loss, solver=solver, max_iter=300, **SMALL).fit(X, y)
    assert np.corrcoef(model.predict(X), MEAN)[0, 1] > 0.9
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    two = MLPRegressor(loss, max_iter=20, **SMALL).fit(X, np.column_stack([y, 2 * y]))
    assert two.predict(X).shape == (300, 2)


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "gamma"])
def test_losses_of_the_mean_find_the_mean_and_others_their_own(loss):
    settings = {**SMALL, "hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 0.0, "tol": 1e-8}
    constant = np.zeros((300, 1))
    model = MLPRegressor(loss, **settings).fit(constant, y)
    np.testing.assert_allclose(model.predict(constant), y.mean(), rtol=1e-5)


def test_losses_of_the_median_and_of_quantiles():
    constant = np.zeros((300, 1))
    settings = {**SMALL, "hidden_layer_sizes": (), "max_iter": 1, "learning_rate_init": 1e-300}
    for loss in ("absolute_error", "quantile"):
        model = MLPRegressor(loss, **settings).fit(constant, y)
        np.testing.assert_allclose(model.predict(constant), np.median(y), rtol=1e-10)
    levels = [0.1, 0.5, 0.9]
    model = MLPRegressor("quantile", quantile=levels, **settings).fit(constant, y)
    expected = np.quantile(y, levels, method="averaged_inverted_cdf")
    np.testing.assert_allclose(model.predict(constant)[0], expected, rtol=1e-10)


def test_quantiles_never_cross_and_cover():
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    model = MLPRegressor("quantile", quantile=levels, max_iter=300, **SMALL).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (300, 5)
    wild = model.predict(rng.normal(size=(2000, 2)) * 100)
    assert (np.diff(wild, axis=1) >= 0).all() and (np.diff(predicted, axis=1) >= 0).all()
    np.testing.assert_allclose((y[:, np.newaxis] <= predicted).mean(axis=0), levels, atol=0.08)
    assert model.n_outputs_ == 5


SCORES = {
    "squared_error": r2_score,
    "poisson": r2_score,
    "absolute_error": d2_absolute_error_score,
    "quantile": lambda y, p, **k: d2_pinball_score(y, p, alpha=0.8, **k),
    "gamma": lambda y, p, **k: d2_tweedie_score(y, p, power=2, **k),
}


@pytest.mark.parametrize("loss", SCORES)
def test_score_is_r2_or_the_d2_of_the_loss(loss):
    options = {"quantile": 0.8} if loss == "quantile" else {}
    model = MLPRegressor(loss, max_iter=50, **options, **SMALL).fit(X, y)
    predicted, weight = model.predict(X), rng.integers(1, 4, size=300)
    assert model.score(X, y) == pytest.approx(SCORES[loss](y, predicted), abs=1e-9)
    by_hand = SCORES[loss](np.repeat(y, weight), np.repeat(predicted, weight))
    assert model.score(X, y, weight) == pytest.approx(by_hand, abs=1e-4)


@pytest.mark.parametrize("loss", ["huber", "log_cosh"])
def test_score_of_losses_that_scikit_learn_has_no_d2_for(loss):
    """1 - loss / loss of the best constant, in the units of training."""
    model = MLPRegressor(loss, max_iter=100, alpha=0.0, **SMALL).fit(X, y)
    residual = (model.predict(X) - y) / y.std()

    def mean_loss(r):
        if loss == "log_cosh":
            return np.log(np.cosh(r)).mean()
        return np.where(abs(r) <= 1.35, r**2 / 2, 1.35 * (abs(r) - 1.35 / 2)).mean()

    constants = np.linspace(y.min(), y.max(), 1001)
    best = min(mean_loss((constant - y) / y.std()) for constant in constants)
    assert model.score(X, y) == pytest.approx(1 - mean_loss(residual) / best, abs=1e-3)


def test_score_of_several_quantiles():
    model = MLPRegressor("quantile", quantile=[0.2, 0.8], max_iter=100, **SMALL).fit(X, y)
    assert 0 < model.score(X, y) < 1


@pytest.mark.parametrize("loss", CLASSIFICATION_LOSSES)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_every_classification_loss_finds_the_classes(loss, solver, kind):
    if kind not in CLASSIFICATION_LOSSES[loss]:
        return
    target = {
        "binary": y_three > 0,
        "multiclass": y_three,
        "multilabel": np.column_stack([y_three > 0, y_three > 1]).astype(int),
    }[kind]
    model = MLPClassifier(loss=loss, solver=solver, max_iter=200, **SMALL).fit(X_class, target)
    assert (model.predict(X_class) == target).mean() > 0.9
    decision = model.decision_function(X_class)
    assert decision.shape == ((200,) if kind == "binary" else (200, 3 - (kind == "multilabel")))


@pytest.mark.parametrize("loss", ["hinge", "crammer_singer", "weston_watkins"])
def test_margin_losses_have_no_probabilities(loss):
    model = MLPClassifier(loss=loss, max_iter=5, **SMALL)
    for name in ("predict_proba", "predict_log_proba"):
        assert not hasattr(model, name) and not hasattr(model.fit(X_class, y_three > 0), name)
        assert hasattr(MLPClassifier(), name)
        with pytest.raises(AttributeError, match=name):
            getattr(model, name)(X_class)


def test_two_classes_make_margin_losses_the_hinge():
    fits = [
        MLPClassifier(loss=loss, max_iter=5, **SMALL).fit(X_class, y_three > 0).theta_
        for loss in ("hinge", "crammer_singer", "weston_watkins")
    ]
    np.testing.assert_array_equal(fits[0], fits[1])
    np.testing.assert_array_equal(fits[0], fits[2])


def test_the_linear_hinge_is_a_support_vector_machine():
    noisy = (y_three > 0) ^ (np.arange(200) % 10 == 0)
    # C sum hinge + |w|^2 / 2, divided by n C; LinearSVC's bias is penalised a little.
    oracle = LinearSVC(C=0.1, loss="hinge", intercept_scaling=100.0, tol=1e-8, max_iter=1_000_000)
    oracle.fit(X_class, noisy)
    model = MLPClassifier((), loss="hinge", alpha=10.0, solver="sgd", learning_rate="cosine",
                          max_iter=1500, feature_scaling=None, learning_rate_init=0.05,
                          random_state=0).fit(X_class, noisy)  # fmt: skip
    np.testing.assert_allclose(model.coefs_[0][:, 0], oracle.coef_[0], atol=0.03)


@pytest.mark.parametrize("target", [y_three > 0, y_three], ids=["two", "three"])
def test_log_probabilities_are_finite_far_away(target):
    """Defect h: scikit-learn takes the logarithm of a probability that has become zero."""
    model = MLPClassifier(max_iter=50, **SMALL).fit(X_class, target)
    far = X_class * 1e6
    assert (model.predict_proba(far) == 0).any()
    log_proba = model.predict_log_proba(far)
    assert np.isfinite(log_proba).all()
    np.testing.assert_allclose(np.exp(log_proba), model.predict_proba(far), rtol=1e-9)
    assert log_proba.shape == model.predict_proba(far).shape


@pytest.mark.parametrize("margin", [0.5, 3.0])
def test_the_margin_is_the_lead_that_is_wanted(margin):
    model = MLPClassifier((), loss="hinge", margin=margin, alpha=0.0, max_iter=3000, tol=1e-9,
                          learning_rate_init=0.1, random_state=0)  # fmt: skip
    apart = np.array([[-1.0], [-0.9], [0.9], [1.0]])
    decision = model.fit(apart, [0, 0, 1, 1]).decision_function(apart)
    assert (decision * [-1, -1, 1, 1]).min() >= margin * 0.99
