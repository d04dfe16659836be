"""How a fit ends, what it keeps, and how it goes on."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, r2_score

from skmlp import MLPClassifier, MLPRegressor
from skmlp.activations import ACTIVATIONS
from skmlp.losses import SquaredError
from skmlp.optimizers import OPTIMIZERS

X, y = make_regression(n_samples=150, n_features=4, noise=20.0, random_state=0)
X_class, y_three = make_classification(
    n_samples=150, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1, flip_y=0.1,
)  # fmt: skip
weight = np.random.default_rng(0).uniform(0.2, 3.0, size=150)
SMALL = {"hidden_layer_sizes": (10,), "random_state": 0, "learning_rate_init": 0.02}
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def held_out(cls, target, monkeypatch, **params):
    """A fit with early stopping, and the positions of the rows it set aside."""
    seen = []
    original = cls._split

    def spy(self, *args):
        parts = original(self, *args)
        seen.append(parts)
        return parts

    monkeypatch.setattr(cls, "_split", spy)
    features = X if cls is MLPRegressor else X_class
    model = cls(early_stopping=True, **{**SMALL, **params}).fit(features, target, weight)
    training, validation = seen[-1]
    assert not set(training) & set(validation)
    assert len(training) + len(validation) == 150
    return model, validation


@quiet
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("loss", ["squared_error", "poisson", "absolute_error", "gamma"])
def test_early_stopping_of_regressors_restores_the_best(loss, solver, monkeypatch):
    target = np.exp(y / y.std() / 3)
    model, rows = held_out(MLPRegressor, target, monkeypatch, loss=loss, solver=solver)
    if loss in ("squared_error", "poisson"):
        score = r2_score(target[rows], model.predict(X[rows]), sample_weight=weight[rows])
    else:
        score = -model.validation_loss_curve_[model.best_iteration_ - 1]
    assert model.best_validation_score_ == pytest.approx(score, rel=1e-9)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.validation_scores_[model.best_iteration_ - 1] == model.best_validation_score_
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    assert model.best_loss_ is None


@quiet
@pytest.mark.parametrize("loss", ["log_loss", "weston_watkins"])
@pytest.mark.parametrize("target", [y_three > 0, y_three], ids=["two", "three"])
def test_early_stopping_of_classifiers_restores_the_best(loss, target, monkeypatch):
    model, rows = held_out(MLPClassifier, target, monkeypatch, loss=loss)
    if loss == "log_loss":
        score = accuracy_score(
            target[rows], model.predict(X_class[rows]), sample_weight=weight[rows]
        )
        plain = log_loss(
            target[rows], model.predict_proba(X_class[rows]), sample_weight=weight[rows]
        )
        best = model.best_iteration_ - 1
        assert model.validation_loss_curve_[best] == pytest.approx(plain, rel=1e-9)
        scores = np.array(model.validation_scores_)
        ties = np.flatnonzero(scores == scores.max())
        assert model.validation_loss_curve_[best] == min(
            model.validation_loss_curve_[tie] for tie in ties
        )
    else:
        score = -min(model.validation_loss_curve_)
    assert model.best_validation_score_ == pytest.approx(score, rel=1e-12)


def test_the_split_is_stratified_for_every_classifier(monkeypatch):
    """Defect b: scikit-learn stratifies two classes only."""
    target = np.repeat([0, 1, 2], [15, 45, 90])
    model, rows = held_out(MLPClassifier, target, monkeypatch, validation_fraction=0.2)
    np.testing.assert_array_equal(np.bincount(target[rows]), [3, 9, 18])
    assert set(model.predict(X_class)) <= {0, 1, 2}


def test_a_class_of_one_row_stays_in_training_with_a_warning():
    target = np.where(np.arange(150) == 7, "rare", np.where(y_three > 0, "a", "b"))
    model = MLPClassifier(early_stopping=True, **SMALL)
    with pytest.warns(UserWarning, match="single row.*'rare'"):
        model.fit(X_class, target)
    assert model.classes_.tolist() == ["a", "b", "rare"]


@pytest.mark.parametrize("patience", [1, 3, 10])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_exactly_so_many_stale_epochs_stop(patience, early_stopping):
    """Defect c: scikit-learn needs one more."""
    model = MLPRegressor(
        tol=1e9, n_iter_no_change=patience, early_stopping=early_stopping, **SMALL
    ).fit(X, y)
    assert model.n_iter_ == 1 + patience
    assert f"{patience} consecutive epochs" in model.stop_reason_
    assert ("validation" in model.stop_reason_) == early_stopping


def test_the_loss_criterion_uses_tol_as_the_smallest_improvement():
    model = MLPRegressor(tol=0.01, n_iter_no_change=2, **SMALL).fit(X, y)
    curve = np.array(model.loss_curve_)
    best = np.minimum.accumulate(curve)
    improves = np.concatenate([[True], curve[1:] <= best[:-1] - 0.01])
    assert not improves[-2:].any()
    assert all(improves[k] or improves[k + 1] for k in range(len(curve) - 2))
    assert model.best_loss_ == best[-1] and model.loss_ == curve[-1]
    assert model.best_iteration_ is None and model.validation_scores_ is None


@quiet
def test_unwatched_training_keeps_the_last_weights():
    model = MLPRegressor(max_iter=5, **SMALL).fit(X, y)
    longer = MLPRegressor(max_iter=6, **SMALL).fit(X, y)
    assert longer.loss_curve_[:5] == model.loss_curve_
    assert "max_iter=5" in model.stop_reason_


def test_weight_tol_stops():
    model = MLPRegressor(weight_tol=0.01, tol=0.0, max_iter=5000, **SMALL).fit(X, y)
    assert "weight_tol=0.01" in model.stop_reason_ and model.n_iter_ < 5000
    settings = {**SMALL, "tol": 0.0, "n_iter_no_change": np.inf}
    with pytest.warns(ConvergenceWarning):
        before = MLPRegressor(max_iter=model.n_iter_ - 1, **settings).fit(X, y).theta_
    moved = np.linalg.norm(model.theta_ - before) / np.linalg.norm(before)
    assert moved <= 0.01


@pytest.mark.parametrize("cls, target", [(MLPRegressor, y), (MLPClassifier, y_three)])
@pytest.mark.parametrize(
    "params, warns",
    [
        ({"max_iter": 3}, True),
        ({"max_iter": 3, "early_stopping": True}, True),
        ({"max_iter": 3, "learning_rate": "cosine"}, False),
        ({"max_iter": 3, "learning_rate": "one_cycle"}, False),
        ({"max_iter": 3, "learning_rate": "coslog4"}, False),
        ({"max_iter": 3, "learning_rate": "invscaling"}, True),
        ({"max_iter": 3, "solver": "lbfgs"}, True),
        ({"max_fun": 3, "solver": "lbfgs"}, True),
        ({"tol": 1e9}, False),
        ({"weight_tol": 1e9}, False),
        ({"max_iter": 2000, "solver": "lbfgs", "tol": 0.1}, False),
    ],
)
def test_a_convergence_warning_comes_only_when_it_should(cls, target, params, warns):
    features = X if cls is MLPRegressor else X_class
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = cls(**{**SMALL, **params}).fit(features, target)
    assert [w.category for w in caught] == [ConvergenceWarning] * warns
    for warning in caught:
        assert warning.filename == __file__
    assert len(model.stop_reason_) > 20 and model.stop_reason_.endswith(".")


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "coslog4"])
def test_schedules_that_end_at_zero_run_to_their_end(schedule):
    settings = {**SMALL, "learning_rate": schedule, "max_iter": 30, "tol": 1e9}
    model = MLPRegressor(n_iter_no_change=1, **settings).fit(X, y)
    assert model.n_iter_ == 30
    rates = model.learning_rate_curve_
    assert 0 <= rates[-1] < 0.1 * max(rates) <= 0.1 * 0.02


# Defect d: scikit-learn trains on NaN until max_iter.


@pytest.mark.parametrize("cls, target", [(MLPRegressor, y * 1e3), (MLPClassifier, y_three)])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_divergence_is_an_error_or_the_best_epoch_comes_back(cls, target, early_stopping):
    settings = {"solver": "sgd", "feature_scaling": None, "random_state": 0}
    if cls is MLPRegressor:
        settings["target_scaling"] = False
    model = cls(early_stopping=early_stopping, learning_rate_init=1e150, **settings)
    features = X if cls is MLPRegressor else X_class
    with pytest.raises(ValueError) as error:
        model.fit(features * 1e6, target)
    message = str(error.value)
    assert message.startswith(
        "Solver produced non-finite parameter weights. The input data may contain large values "
        "and need to be preprocessed."
    )
    assert "in epoch " in message and "learning_rate_init" in message


class Explosive(SquaredError):
    """A squared error whose gradient becomes infinite once the loss is low."""

    def _elements(self, y, raw, loss, grad, work):
        super()._elements(y, raw, loss, grad, work)
        if loss.mean() < 0.3:
            grad[...] = np.inf


def test_divergence_after_a_good_epoch_restores_it():
    model = MLPRegressor(Explosive(), early_stopping=True, **SMALL)
    with pytest.warns(ConvergenceWarning, match=r"non-finite in epoch \d+.*best epoch.*restored"):
        model.fit(X, y)
    assert model.best_iteration_ == model.n_iter_ - 1 or model.best_iteration_ > 0
    assert np.isfinite(model.theta_).all() and np.isfinite(model.predict(X)).all()
    assert max(s for s in model.validation_scores_ if np.isfinite(s)) == pytest.approx(
        model.best_validation_score_
    )
    assert "non-finite" in model.stop_reason_
    with pytest.raises(ValueError, match="non-finite"):
        MLPRegressor(Explosive(), **SMALL).fit(X, y)


@quiet
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"dropout": 0.3}], ids=str)
def test_a_seed_makes_a_fit_reproducible(solver, options):
    if solver == "lbfgs" and "dropout" in options:
        options = {"weight_tol": 1e-3}
    settings = {**SMALL, "max_iter": 5, "solver": solver, **options}
    first = MLPRegressor(**settings).fit(X, y)
    np.testing.assert_array_equal(first.theta_, MLPRegressor(**settings).fit(X, y).theta_)
    np.testing.assert_array_equal(first.theta_, first.fit(X, y).theta_)
    settings["random_state"] = np.random.RandomState(3)
    shared = MLPRegressor(**settings).fit(X, y).theta_
    assert not np.array_equal(shared, MLPRegressor(**settings).fit(X, y).theta_)
    settings["random_state"] = None
    unseeded = MLPRegressor(**settings).fit(X, y).theta_
    assert not np.array_equal(unseeded, MLPRegressor(**settings).fit(X, y).theta_)


@quiet
@pytest.mark.parametrize("activation", [n for n, f in ACTIVATIONS.items() if f.trainable])
def test_every_activation_learns(activation):
    """Logistic layers too: scikit-learn's give constant predictions (sk#31235)."""
    settings = {**SMALL, "hidden_layer_sizes": (20, 20), "activation": activation}
    assert MLPRegressor(**settings).fit(X, y).score(X, y) > 0.8


@quiet
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_the_dtype_lasts_through_every_solver(solver, dtype):
    """Defect f: scikit-learn's L-BFGS makes float64 models of float32 rows."""
    model = MLPRegressor(solver=solver, max_iter=3, **SMALL).fit(X.astype(dtype), y)
    assert model.theta_.dtype == dtype == model.predict(X.astype(dtype)).dtype
    assert all(array.dtype == dtype for array in (*model.coefs_, *model.intercepts_))


@quiet
def test_lbfgs_with_weights_and_blocks_finds_the_same_minimum():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_000, 2))
    target = rows @ [2.0, -1.0] + 3.0
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0.0, random_state=0)
    model.fit(rows, target, rng.uniform(0.1, 1.0, size=20_000))
    np.testing.assert_allclose(model.coefs_[0][:, 0], [2.0, -1.0], atol=1e-3)
    np.testing.assert_allclose(model.intercepts_[0], 3.0, atol=1e-3)


class Interrupting(SquaredError):
    """A squared error during whose 40th evaluation the user presses Ctrl-C."""

    calls = [0]

    def _elements(self, y, raw, loss, grad, work):
        self.calls[0] += 1
        if self.calls[0] == 40:
            raise KeyboardInterrupt
        super()._elements(y, raw, loss, grad, work)


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_interrupt_ends_the_training_and_keeps_the_model(solver, early_stopping):
    Interrupting.calls[0] = 0
    model = MLPRegressor(
        Interrupting(), solver=solver, early_stopping=early_stopping, tol=0.0,
        n_iter_no_change=np.inf, **SMALL
    )  # fmt: skip
    with pytest.warns(UserWarning, match="(?i)interrupt") as caught:
        model.fit(X, y)
    assert [w.category for w in caught] == [UserWarning]
    assert "interrupt" in model.stop_reason_.lower()
    assert 0 < model.n_iter_ < 40
    assert np.isfinite(model.predict(X)).all() and model.score(X, y) > -1.0
    if early_stopping:
        assert model.best_validation_score_ == max(model.validation_scores_)
