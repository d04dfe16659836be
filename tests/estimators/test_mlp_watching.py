"""Sets that are watched while a network trains: given by the user, or set aside."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    get_scorer,
    log_loss,
    make_scorer,
    mean_absolute_error,
    mean_poisson_deviance,
    r2_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifier, MLPRegressor
from skmlp.schedules import Schedule

X, y = make_regression(n_samples=160, n_features=4, noise=20.0, random_state=0)
X_class, y_class = make_classification(
    n_samples=160, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1, flip_y=0.1,
)  # fmt: skip
train, val = slice(0, 120), slice(120, 160)
weight = np.random.default_rng(0).uniform(0.2, 3.0, size=160)
labels = np.c_[X_class[:, 0] > 0, X_class[:, 1] > 0.5, y_class == 2].astype(int)
SMALL = {"hidden_layer_sizes": (10,), "random_state": 0, "learning_rate_init": 0.02}
KINDS = {
    "regressor": (MLPRegressor, X, y),
    "two classes": (MLPClassifier, X_class, y_class > 0),
    "three classes": (MLPClassifier, X_class, y_class),
    "multilabel": (MLPClassifier, X_class, labels),
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def watched(model, features=X, target=y, sample_weight=None, sample_weight_val=None):
    """Fit on the first 120 rows, watch the last 40."""
    return model.fit(
        features[train],
        target[train],
        sample_weight,
        X_val=features[val],
        y_val=target[val],
        sample_weight_val=sample_weight_val,
    )


def assert_same_fit(first, second, rtol=1e-9):
    np.testing.assert_allclose(first.theta_, second.theta_, rtol=rtol, atol=rtol)
    for name in ("loss_curve_", "validation_scores_", "validation_loss_curve_"):
        one, other = getattr(first, name), getattr(second, name)
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol, err_msg=name)
    assert first.best_iteration_ == second.best_iteration_


# ---- what the three values of early_stopping do -------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_given_rows_are_watched_and_their_best_epoch_is_restored(kind, solver):
    cls, features, target = KINDS[kind]
    model = watched(cls(solver=solver, max_iter=30, **SMALL), features, target)
    assert model.early_stopping_ is True
    scores, losses = np.array(model.validation_scores_), np.array(model.validation_loss_curve_)
    best = model.best_iteration_ - 1
    assert model.best_validation_score_ == scores[best] == scores.max()
    assert losses[best] == losses[scores == scores.max()].min()
    # What is restored scores on these rows what the curve says.
    assert model.score(features[val], target[val]) == pytest.approx(scores[best], rel=1e-10)
    assert len(scores) == len(losses) == len(model.loss_curve_) == model.n_iter_
    assert model.best_loss_ is None


def test_all_rows_of_x_are_trained_on_when_others_are_watched():
    model = watched(MLPRegressor(max_iter=2, **SMALL))
    assert model.t_ == 2 * 120


@pytest.mark.parametrize("early_stopping", ["auto", True])
def test_given_rows_stop_the_training(early_stopping):
    model = watched(
        MLPRegressor(early_stopping=early_stopping, tol=1e9, n_iter_no_change=3, **SMALL)
    )
    assert model.n_iter_ == 4
    assert "validation score" in model.stop_reason_ and "3 consecutive" in model.stop_reason_


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_without_early_stopping_the_given_rows_only_choose(solver):
    settings = {**SMALL, "solver": solver, "max_iter": 12, "n_iter_no_change": 2}
    stops = watched(MLPRegressor(tol=0.0, **settings))
    goes_on = MLPRegressor(early_stopping=False, tol=0.0, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watched(goes_on)
    assert goes_on.early_stopping_ is False
    assert goes_on.n_iter_ == 12 >= stops.n_iter_
    assert "max_iter=12" in goes_on.stop_reason_
    # The same path, only longer.
    assert goes_on.validation_scores_[: stops.n_iter_] == stops.validation_scores_
    scores = np.array(goes_on.validation_scores_)
    assert goes_on.best_iteration_ == 1 + np.flatnonzero(scores == scores.max())[-1]
    assert goes_on.score(X[val], y[val]) == pytest.approx(scores.max(), rel=1e-10)


def test_a_stale_score_does_not_end_the_training_without_early_stopping():
    model = MLPRegressor(early_stopping=False, tol=1e9, n_iter_no_change=1, max_iter=9, **SMALL)
    assert watched(model).n_iter_ == 9


@pytest.mark.parametrize("target", [y, np.sign(X[:, 0])], ids=["regressor", "classifier"])
def test_weight_tol_ends_the_training_without_early_stopping(target):
    cls = MLPRegressor if target is y else MLPClassifier
    model = watched(cls(early_stopping=False, weight_tol=1e9, **SMALL), X, target)
    assert model.n_iter_ == 1
    assert "weight_tol" in model.stop_reason_


@pytest.mark.parametrize("schedule", ["adaptive", "cosine", "one_cycle", "invscaling"])
def test_schedules_with_a_watched_set_and_no_early_stopping_run_to_the_end(schedule):
    model = MLPRegressor(
        early_stopping=False, learning_rate=schedule, tol=1e9, n_iter_no_change=2, max_iter=12,
        **SMALL,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watched(model)
    assert model.n_iter_ == len(model.learning_rate_curve_) == 12
    if schedule == "adaptive":
        assert model.learning_rate_curve_[-1] < model.learning_rate_curve_[0]


def test_nothing_is_watched_by_default():
    model = MLPRegressor(max_iter=3, **SMALL).fit(X, y)
    assert model.early_stopping_ is False
    assert model.validation_scores_ is model.validation_loss_curve_ is None
    assert model.best_validation_score_ is model.best_iteration_ is None
    assert list(model.history_) == ["loss", "learning_rate"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_internal_split_is_what_x_val_with_the_same_rows_is(kind):
    """Up to the scaling, which sees the training rows only."""
    cls, features, target = KINDS[kind]
    folds = np.where(np.arange(160) < 120, -1, 0)
    settings = {**SMALL, "max_iter": 15, "shuffle": False}
    given = watched(cls(**settings), features, target)
    inside = cls(early_stopping=True, validation_fraction=PredefinedSplit(folds), **settings)
    assert_same_fit(inside.fit(features, target), given)


def test_the_given_rows_win_over_validation_fraction():
    settings = {**SMALL, "max_iter": 5}
    plain = watched(MLPRegressor(**settings))
    other = watched(MLPRegressor(early_stopping=True, validation_fraction=0.5, **settings))
    assert_same_fit(plain, other)


@pytest.mark.parametrize("same", [True, False], ids=["the same array", "a copy"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_x_itself_can_be_watched_with_other_targets_and_weights(same, solver):
    model = MLPRegressor(early_stopping=False, scoring="loss", max_iter=4, solver=solver, **SMALL)
    model.fit(
        X, y, weight, X_val=X if same else X.copy(), y_val=y[::-1], sample_weight_val=weight[::-1]
    )
    mean = np.average(y, weights=weight)
    variance = np.average((y - mean) ** 2, weights=weight)
    errors = np.average((y[::-1] - model.predict(X)) ** 2, weights=weight[::-1])
    assert -model.best_validation_score_ == pytest.approx(errors / variance / 2, rel=1e-9)


def test_training_rows_watched_without_weights_count_the_same():
    model = MLPRegressor(early_stopping=False, max_iter=4, **SMALL)
    model.fit(X, y, weight, X_val=X, y_val=y)
    assert model.best_validation_score_ == pytest.approx(r2_score(y, model.predict(X)), rel=1e-9)


# ---- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_the_given_rows_count(kind):
    cls, features, target = KINDS[kind]
    weight_val = weight[val]
    model = watched(cls(max_iter=10, **SMALL), features, target, sample_weight_val=weight_val)
    score = model.score(features[val], target[val], weight_val)
    assert model.best_validation_score_ == pytest.approx(score, rel=1e-10)
    if kind == "three classes":
        plain = log_loss(target[val], model.predict_proba(features[val]), sample_weight=weight_val)
        best = model.best_iteration_ - 1
        assert model.validation_loss_curve_[best] == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
@pytest.mark.parametrize("kind", KINDS)
def test_given_rows_of_weight_zero_are_as_if_they_were_not_there(kind, container):
    cls, features, target = KINDS[kind]
    kept = np.arange(120, 160) % 3 > 0
    with_zeros, without = (
        cls(max_iter=8, **SMALL).fit(
            container(features[train]),
            target[train],
            X_val=container(features[val][some]),
            y_val=target[val][some],
            sample_weight_val=weights,
        )
        for some, weights in ((slice(None), kept * weight[val]), (kept, weight[val][kept]))
    )
    assert_same_fit(with_zeros, without, rtol=1e-12)


def test_given_rows_of_weight_zero_may_hold_unknown_classes_and_values_out_of_the_domain():
    zero_first = np.r_[0.0, np.ones(39)]
    strange = y_class.copy()
    strange[120] = 7
    watched(MLPClassifier(max_iter=2, **SMALL), X_class, strange, sample_weight_val=zero_first)
    counts = np.abs(y)
    counts[120] = -1
    watched(
        MLPRegressor(loss="poisson", max_iter=2, **SMALL), X, counts, sample_weight_val=zero_first
    )


def test_weights_of_two_and_rows_that_come_twice_are_watched_alike():
    double = np.repeat(np.arange(120, 160), 1 + (np.arange(40) < 10))
    once = watched(MLPRegressor(max_iter=10, **SMALL), sample_weight_val=1.0 + (np.arange(40) < 10))
    twice = MLPRegressor(max_iter=10, **SMALL).fit(
        X[train], y[train], X_val=X[double], y_val=y[double]
    )
    assert_same_fit(once, twice, rtol=1e-9)


def balanced_factors(codes, sample_weight=None):
    sums = np.bincount(codes, sample_weight)
    return sums.sum() / (len(sums) * sums)


@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_class_weights_of_the_training_rows_count_on_the_given_rows(weighted):
    target = (X_class[:, 0] + 0.3 * X_class[:, 1] > 1.0).astype(int)
    own = weight if weighted else np.ones(160)
    model = watched(
        MLPClassifier(class_weight="balanced", max_iter=12, **SMALL),
        X_class,
        target,
        own[train] if weighted else None,
        own[val] if weighted else None,
    )
    factors = balanced_factors(target[train], own[train])
    total = factors[target[val]] * own[val]
    best = model.best_iteration_ - 1
    predicted, proba = model.predict(X_class[val]), model.predict_proba(X_class[val])
    assert model.best_validation_score_ == pytest.approx(
        accuracy_score(target[val], predicted, sample_weight=total), rel=1e-12
    )
    assert model.validation_loss_curve_[best] == pytest.approx(
        log_loss(target[val], proba, sample_weight=total), rel=1e-9
    )
    # The shares of the classes differ in the two parts, or this would show nothing.
    of_its_own = balanced_factors(target[val], own[val])
    assert abs(factors[1] / factors[0] - of_its_own[1] / of_its_own[0]) > 0.1


def test_class_weights_count_in_scores_by_name():
    model = watched(
        MLPClassifier(class_weight={0: 1.0, 1: 3.0, 2: 0.5}, scoring="neg_log_loss", max_iter=9,
                      **SMALL),
        X_class,
        y_class,
    )  # fmt: skip
    factors = np.array([1.0, 3.0, 0.5])[y_class[val]]
    plain = log_loss(y_class[val], model.predict_proba(X_class[val]), sample_weight=factors)
    assert -model.best_validation_score_ == pytest.approx(plain, rel=1e-9)
    np.testing.assert_allclose(
        model.validation_scores_, -np.array(model.validation_loss_curve_), rtol=1e-9
    )


def test_a_class_of_weight_zero_is_not_watched():
    model = watched(
        MLPClassifier(class_weight={0: 1.0, 1: 1.0, 2: 0.0}, max_iter=6, **SMALL), X_class, y_class
    )
    kept = y_class[val] < 2
    score = model.score(X_class[val][kept], y_class[val][kept])
    assert model.best_validation_score_ == pytest.approx(score, rel=1e-12)


# ---- the internal split --------------------------------------------------------------------------


def splits(cls, features, target, sample_weight=None, monkeypatch=None, **params):
    """Positions for training and for validation of a fit."""
    seen = []
    original = cls._split

    def spy(self, *args):
        seen.append(original(self, *args))
        return seen[-1]

    monkeypatch.setattr(cls, "_split", spy)
    cls(early_stopping=True, **{**SMALL, "max_iter": 1, **params}).fit(
        features, target, sample_weight
    )
    monkeypatch.setattr(cls, "_split", original)
    return seen[-1]


UNEQUAL = {
    "two sizes": np.where(np.arange(800) % 4 == 0, 60.0, 1.0),
    "lognormal": np.exp(1.5 * np.random.default_rng(5).normal(size=800)),
    "with zeros": np.where(
        np.arange(800) % 3 == 0, 0.0, np.exp(np.random.default_rng(6).normal(size=800))
    ),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", UNEQUAL)
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_the_watched_part_has_its_share_of_the_weight(cls, kind, seed, monkeypatch):
    features = np.random.default_rng(1).normal(size=(800, 3))
    target = features[:, 0] if cls is MLPRegressor else np.digitize(features[:, 0], [-1, 1])
    weights = UNEQUAL[kind]
    training, validation = splits(
        cls, features, target, weights, monkeypatch, validation_fraction=0.2, random_state=seed
    )
    assert sorted([*training, *validation]) == np.flatnonzero(weights).tolist()
    assert len(validation) == np.ceil(0.2 * np.count_nonzero(weights))
    share = weights[validation].sum() / weights.sum()
    # Drawn without regard to the weights, the share of the lognormal ones has a deviation of 0.04.
    assert 0.17 < share < 0.23


def test_the_split_changes_with_the_seed_and_with_nothing_else(monkeypatch):
    first, again, other = (
        splits(MLPRegressor, X, y, weight, monkeypatch, random_state=seed, alpha=alpha)[1]
        for seed, alpha in ((0, 1e-4), (0, 1.0), (1, 1e-4))
    )
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_classes_keep_their_shares_with_very_unequal_weights(monkeypatch):
    features = np.random.default_rng(1).normal(size=(500, 3))
    target = np.repeat([0, 1, 2], [300, 150, 50])
    weights = np.exp(2.0 * np.random.default_rng(2).normal(size=500))
    _, validation = splits(
        MLPClassifier, features, target, weights, monkeypatch, validation_fraction=0.1
    )
    np.testing.assert_array_equal(np.bincount(target[validation]), [30, 15, 5])


@pytest.mark.parametrize("container", [np.asarray, csr_array, pd.DataFrame])
def test_copies_of_a_row_stay_together(container, monkeypatch):
    index = np.repeat(np.arange(80), 2)
    training, validation = splits(MLPRegressor, container(X[index]), y[index], None, monkeypatch)
    assert not set(index[training]) & set(index[validation])
    assert len(training) + len(validation) == 160


@pytest.mark.parametrize("container", [np.asarray, csr_array])
def test_rows_of_small_integers_are_not_taken_for_copies(container, monkeypatch):
    # 2000 different rows: the digits of different numbers, and some for all rows.
    digits = (np.arange(2000)[:, np.newaxis] * 7919 // 2 ** np.arange(24) % 2).astype(float)
    _, validation = splits(MLPRegressor, container(digits), np.zeros(2000), None, monkeypatch)
    assert len(validation) == 200


@pytest.mark.parametrize(("n_distinct", "together"), [(30, False), (79, False), (80, True)])
def test_a_few_rows_with_many_copies_are_split_copy_by_copy(n_distinct, together, monkeypatch):
    index = np.repeat(np.arange(n_distinct), 11)
    training, validation = splits(MLPRegressor, X[index], y[index], None, monkeypatch)
    assert len(validation) == pytest.approx(0.1 * len(index), abs=1)
    assert (not set(index[training]) & set(index[validation])) == together


UNITS = {
    "units": (lambda X: X * [3.6, 1e-3, 1e6, 2.0], lambda y: 1000.0 * y),
    "curves": (lambda X: np.sinh(X), lambda y: np.cbrt(y)),
    "float32": (lambda X: X.astype(np.float32), lambda y: y),
}


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize("kind", UNITS)
def test_units_do_not_choose_the_watched_rows(kind, cls, monkeypatch):
    features, target = (X, y) if cls is MLPRegressor else (X_class, y_class)
    features = np.where(np.random.default_rng(0).random(features.shape) < 0.1, np.nan, features)
    of_X, of_y = UNITS[kind]
    other = of_y(target) if cls is MLPRegressor else np.array(["a", "b", "c"])[target]
    _, expected = splits(cls, features, target, None, monkeypatch)
    _, found = splits(cls, of_X(features), other, None, monkeypatch)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_units_of_sparse_counts(cls, container, monkeypatch):
    rng = np.random.default_rng(1)
    words = rng.poisson(0.5, size=(160, 200)).astype(float)
    target = rng.integers(0, 2, 160)
    expected, found = (
        splits(cls, container(unit * words), target, None, monkeypatch)[1] for unit in (1.0, 0.3)
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
@pytest.mark.parametrize("features", [X, np.round(X), np.tile(X > 0, 40)], ids=["", "int", "bool"])
@pytest.mark.parametrize("target", [y, np.c_[y > 0, X[:, 0]]], ids=["", "several"])
def test_neither_the_order_of_rows_nor_copies_choose_the_watched_rows(
    target, features, container, monkeypatch
):
    number = np.random.default_rng(0).integers(0, 4, 160)
    index = np.random.default_rng(1).permutation(np.repeat(np.arange(160), number))
    features, target = features.astype(float), target.astype(float)
    _, with_weights = splits(MLPRegressor, container(features), target, 1.0 * number, monkeypatch)
    _, with_copies = splits(
        MLPRegressor, container(features[index]), target[index], None, monkeypatch
    )
    rows = np.c_[features, target]
    found, expected = (set(map(tuple, rows[i])) for i in (index[with_copies], with_weights))
    assert found == expected


# ---- rare classes --------------------------------------------------------------------------------

RARE = np.repeat([0, 1, 2], [600, 390, 10])
RARE_X = np.random.default_rng(3).normal(size=(1000, 3)) + 0.5 * RARE[:, np.newaxis]
LOSS = {"scoring": "loss", "validation_fraction": 0.1}


def test_three_rows_of_a_rare_class_are_watched_and_count_by_their_share(monkeypatch):
    training, validation = splits(MLPClassifier, RARE_X, RARE, None, monkeypatch, **LOSS)
    assert np.bincount(RARE[validation]).tolist() == [60, 39, 3]
    assert len(training) + len(validation) == 1000
    model = MLPClassifier(early_stopping=True, **LOSS, **{**SMALL, "max_iter": 4})
    model.fit(RARE_X, RARE)
    share = np.where(RARE[validation] == 2, 0.01 * 102 / 3, 1.0)
    loss = log_loss(RARE[validation], model.predict_proba(RARE_X[validation]), sample_weight=share)
    assert -model.best_validation_score_ == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([190, 10], [19, 3]),
        ([194, 6], [19, 2]),
        ([197, 3], [20, 1]),
        ([170, 30], [17, 3]),
        # So many more would be watched that too few were left.
        ([*[10] * 20], [*[1] * 20]),
    ],
    ids=str,
)
def test_how_many_rows_of_a_class_are_watched(counts, expected, monkeypatch):
    target = np.repeat(np.arange(len(counts)), counts)
    features = np.random.default_rng(1).normal(size=(200, 3))
    _, validation = splits(MLPClassifier, features, target, None, monkeypatch, **LOSS)
    assert np.bincount(target[validation]).tolist() == expected


@pytest.mark.parametrize(
    "params", [{}, {**LOSS, "validation_fraction": StratifiedKFold(10)}], ids=["accuracy", "folds"]
)
def test_rare_classes_are_watched_by_their_share_elsewhere(params, monkeypatch):
    _, validation = splits(MLPClassifier, RARE_X, RARE, None, monkeypatch, **params)
    assert np.bincount(RARE[validation]).tolist() == [60, 39, 1]
    model = MLPClassifier(early_stopping=True, **params, **{**SMALL, "max_iter": 4})
    model.fit(RARE_X, RARE)
    losses, best = model.validation_loss_curve_, model.best_iteration_ - 1
    plain = log_loss(RARE[validation], model.predict_proba(RARE_X[validation]))
    assert losses[best] == pytest.approx(plain, rel=1e-9)


def test_weights_of_rare_rows_and_copies_are_watched_alike():
    number = np.random.default_rng(0).integers(1, 4, 1000)
    index = np.repeat(np.arange(1000), number)
    model = MLPClassifier(early_stopping=True, solver="lbfgs", max_iter=8, **LOSS, **SMALL)
    weighted = clone(model).fit(RARE_X, RARE, number)
    assert_same_fit(model.fit(RARE_X[index], RARE[index]), weighted, rtol=1e-7)


# ---- splitters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "splitter",
    [
        KFold(4),
        KFold(5, shuffle=True, random_state=3),
        ShuffleSplit(1, test_size=30, random_state=0),
        StratifiedKFold(4),
        PredefinedSplit(np.where(np.arange(160) % 7 == 0, 0, -1)),
        PredefinedSplit(np.arange(160) // 50),
    ],
    ids=repr,
)
def test_the_first_split_of_a_splitter_is_watched(splitter, monkeypatch):
    training, validation = splits(
        MLPClassifier, X_class, y_class, None, monkeypatch, validation_fraction=splitter
    )
    expected = next(iter(splitter.split(X_class, y_class)))
    np.testing.assert_array_equal(training, np.sort(expected[0]))
    np.testing.assert_array_equal(validation, np.sort(expected[1]))


@pytest.mark.parametrize("kind", KINDS)
def test_splitters_count_rows_of_weight_zero_and_leave_them_out(kind, monkeypatch):
    cls, features, target = KINDS[kind]
    weights = np.where(np.arange(160) % 4 == 1, 0.0, weight)
    folds = np.where(np.arange(160) % 5 == 0, 0, -1)
    training, validation = splits(
        cls, features, target, weights, monkeypatch, validation_fraction=PredefinedSplit(folds)
    )
    counts = np.flatnonzero(weights)
    np.testing.assert_array_equal(training, np.setdiff1d(counts, np.flatnonzero(folds == 0)))
    np.testing.assert_array_equal(validation, np.intersect1d(counts, np.flatnonzero(folds == 0)))


@pytest.mark.parametrize("left", ["training", "validation"])
def test_a_splitter_that_leaves_one_part_empty_is_refused(left):
    folds = np.where(np.arange(160) < 20, 0, -1)
    weights = (folds == (-1 if left == "training" else 0)).astype(float)
    model = MLPRegressor(early_stopping=True, validation_fraction=PredefinedSplit(folds), **SMALL)
    with pytest.raises(ValueError, match="validation_fraction=PredefinedSplit.*at least one"):
        model.fit(X, y, weights)


def test_a_splitter_that_needs_groups_is_refused_with_a_remedy():
    model = MLPRegressor(early_stopping=True, validation_fraction=GroupKFold(3), **SMALL)
    with pytest.raises(ValueError, match="validation_fraction=GroupKFold.*groups.*PredefinedSplit"):
        model.fit(X, y)
    assert not hasattr(model, "theta_")


@pytest.mark.parametrize("bad", [1.0, -0.1, "half", None, [0.1]])
def test_what_is_neither_a_fraction_nor_a_splitter_is_refused(bad):
    with pytest.raises(ValueError, match="'validation_fraction' parameter"):
        MLPRegressor(early_stopping=True, validation_fraction=bad, **SMALL).fit(X, y)


def test_splitters_survive_clone_and_are_not_used_without_early_stopping():
    splitter = GroupKFold(3)
    model = clone(MLPRegressor(validation_fraction=splitter, max_iter=2, **SMALL))
    assert isinstance(model.validation_fraction, GroupKFold)
    assert model.fit(X, y).validation_scores_ is None


# ---- scoring -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "target", "watches_loss"),
    [
        ("squared_error", y, False),
        ("poisson", np.abs(y), False),
        ("absolute_error", y, True),
        ("huber", y, True),
        ("quantile", y, True),
        ("gamma", np.abs(y) + 1, True),
        ("log_loss", y_class, False),
        ("crammer_singer", y_class, True),
        ("hinge", y_class > 0, True),
    ],
)
def test_the_default_watches_what_scikit_learn_does_or_minus_the_loss(loss, target, watches_loss):
    cls, features = (MLPClassifier, X_class) if len(set(target)) < 5 else (MLPRegressor, X)
    model = watched(cls(loss=loss, max_iter=5, **SMALL), features, target)
    minus_loss = -np.array(model.validation_loss_curve_)
    if watches_loss:
        np.testing.assert_array_equal(model.validation_scores_, minus_loss)
    else:
        score = (r2_score if cls is MLPRegressor else accuracy_score)(
            target[val], model.predict(features[val])
        )
        assert model.best_validation_score_ == pytest.approx(score, rel=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_loss_watches_minus_the_validation_loss(kind):
    cls, features, target = KINDS[kind]
    model = watched(cls(scoring="loss", max_iter=20, **SMALL), features, target)
    np.testing.assert_array_equal(model.validation_scores_, -np.array(model.validation_loss_curve_))
    assert model.best_iteration_ == 1 + np.argmin(model.validation_loss_curve_)


SCORERS = {
    "neg_mean_absolute_error": "regressor",
    "r2": "regressor",
    "accuracy": "three classes",
    "neg_log_loss": "three classes",
    "roc_auc_ovr": "three classes",
    "balanced_accuracy": "three classes",
    "roc_auc": "two classes",
    "f1": "two classes",
    "f1_macro": "multilabel",
    "accuracy ": "multilabel",
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scoring", SCORERS)
def test_scorers_by_name(scoring, weighted):
    cls, features, target = KINDS[SCORERS[scoring]]
    scoring = scoring.strip()
    weights = weight[val] if weighted else None
    model = watched(
        cls(scoring=scoring, max_iter=8, **SMALL), features, target, sample_weight_val=weights
    )
    expected = get_scorer(scoring)(model, features[val], target[val], sample_weight=weights)
    assert model.best_validation_score_ == pytest.approx(expected, rel=1e-10)
    assert model.best_validation_score_ == max(model.validation_scores_)


def minus_largest_error(estimator, features, target):
    return -np.abs(estimator.predict(features) - target).max()


def weighted_score(estimator, features, target, sample_weight=None):
    return -mean_absolute_error(target, estimator.predict(features), sample_weight=sample_weight)


def any_keywords(estimator, features, target, **options):
    return weighted_score(estimator, features, target, **options)


@pytest.mark.parametrize("scorer", [minus_largest_error, weighted_score, any_keywords])
def test_callables(scorer):
    model = watched(MLPRegressor(scoring=scorer, max_iter=8, **SMALL))
    assert model.best_validation_score_ == pytest.approx(scorer(model, X[val], y[val]), rel=1e-10)
    assert clone(model).scoring is scorer


@pytest.mark.parametrize("scorer", [weighted_score, any_keywords, "neg_mean_absolute_error"])
def test_callables_get_the_weights(scorer):
    model = watched(
        MLPRegressor(scoring=scorer, max_iter=8, **SMALL), sample_weight_val=weight[val]
    )
    expected = weighted_score(model, X[val], y[val], weight[val])
    assert model.best_validation_score_ == pytest.approx(expected, rel=1e-10)


def largest_error(true, predicted):
    return np.abs(true - predicted).max()


@pytest.mark.parametrize(
    "scorer",
    [
        minus_largest_error,
        # Their signatures have sample_weight, though the metric does not.
        make_scorer(largest_error, greater_is_better=False),
        "neg_max_error",
    ],
    ids=["callable", "make_scorer", "name"],
)
def test_scorers_that_take_no_weights_warn_once_and_go_without(scorer):
    model = MLPRegressor(scoring=scorer, max_iter=5, **SMALL)
    with pytest.warns(UserWarning, match="takes no sample_weight") as caught:
        watched(model, sample_weight_val=weight[val])
    assert sum("sample_weight" in str(w.message) for w in caught) == 1
    expected = minus_largest_error(model, X[val], y[val])
    assert model.best_validation_score_ == pytest.approx(expected, rel=1e-10)


def test_epochs_whose_score_is_nan_are_never_the_best():
    values = iter([np.nan, 0.1, np.nan, 0.3, 0.2, np.nan])
    model = MLPRegressor(scoring=lambda *args: next(values), max_iter=6, **SMALL)
    watched(model)
    assert (model.best_iteration_, model.best_validation_score_) == (4, 0.3)
    np.testing.assert_array_equal(model.validation_scores_, [np.nan, 0.1, np.nan, 0.3, 0.2, np.nan])


@pytest.mark.parametrize("value", [None, "high", [1.0, 2.0], np.array([1.0])])
def test_scorers_that_return_no_number_are_refused(value):
    model = MLPRegressor(scoring=lambda estimator, features, target: value, **SMALL)
    with pytest.raises(ValueError, match="scoring=.*must return a number"):
        watched(model)
    assert not hasattr(model, "theta_")


@pytest.mark.parametrize("scoring", ["loss", "r2", minus_largest_error])
def test_scoring_without_a_watched_set_is_refused(scoring):
    model = MLPRegressor(scoring=scoring, **SMALL)
    with pytest.raises(ValueError, match="scoring=.*X_val.*early_stopping=True"):
        model.fit(X, y)
    assert not hasattr(model, "early_stopping_")
    model.set_params(early_stopping=True, max_iter=2).fit(X, y)


@pytest.mark.parametrize("bad", ["no such scorer", 3, ["r2"]])
def test_unknown_scorings_are_refused(bad):
    with pytest.raises(ValueError, match="'scoring' parameter"):
        watched(MLPRegressor(scoring=bad, **SMALL))


def test_scorers_see_a_fitted_copy_with_the_weights_of_the_epoch():
    seen = []

    def spy(estimator, features, target):
        assert type(estimator) is MLPRegressor and estimator is not model
        assert estimator.get_params() == model.get_params()
        seen.append(estimator.coefs_[0])
        estimator.alpha = 1e6
        return estimator.score(features, target)

    model = MLPRegressor(scoring=spy, max_iter=4, early_stopping=False, **SMALL)
    watched(model)
    assert_same_fit(watched(clone(model).set_params(scoring=None)), model, rtol=1e-12)
    assert len(seen) == 4
    np.testing.assert_array_equal(model.coefs_[0], seen[model.best_iteration_ - 1])
    assert not np.array_equal(seen[0], seen[1])
    assert model.alpha == 1e-4


def test_scorers_work_on_an_internal_split_with_weights(monkeypatch):
    model = MLPRegressor(
        early_stopping=True, scoring="neg_mean_absolute_error", max_iter=6, **SMALL
    ).fit(X, y, weight)
    _, rows = splits(MLPRegressor, X, y, weight, monkeypatch)
    expected = weighted_score(model, X[rows], y[rows], weight[rows])
    assert model.best_validation_score_ == pytest.approx(expected, rel=1e-10)


def test_scorers_get_the_labels_of_the_user():
    names = np.array(["ant", "bee", "cow"], object)[y_class]
    model = MLPClassifier(scoring="balanced_accuracy", max_iter=6, **SMALL)
    watched(model, X_class, names)
    expected = balanced_accuracy_score(names[val], model.predict(X_class[val]))
    assert model.best_validation_score_ == pytest.approx(expected, rel=1e-12)


def test_a_scorer_of_another_unit_than_the_loss():
    target = np.random.default_rng(0).poisson(np.exp(X[:, 0])).astype(float)
    model = watched(
        MLPRegressor(loss="poisson", scoring="neg_mean_poisson_deviance", max_iter=8, **SMALL),
        X,
        target,
    )
    deviance = mean_poisson_deviance(target[val], model.predict(X[val]))
    assert -model.best_validation_score_ == pytest.approx(deviance, rel=1e-9)
    # Half the deviance is the loss.
    np.testing.assert_allclose(
        -np.array(model.validation_scores_), 2 * np.array(model.validation_loss_curve_), rtol=1e-9
    )


# ---- what X_val may be ---------------------------------------------------------------------------


@pytest.mark.parametrize("scoring", [None, "loss", "r2", minus_largest_error])
@pytest.mark.parametrize("given", [True, False], ids=["X_val", "internal"])
def test_data_frames_cause_no_warnings_about_names(scoring, given):
    frame = pd.DataFrame(X, columns=list("abcd"))
    settings = {**SMALL, "scoring": scoring, "max_iter": 3, "tol": 0.0}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*feature names")
        if given:
            model = MLPRegressor(**settings).fit(
                frame[:120], pd.Series(y[:120]), X_val=frame[120:], y_val=pd.Series(y[120:])
            )
            # A frame may hold its columns one after another, which changes sums by rounding.
            assert_same_fit(model, watched(MLPRegressor(**settings)), rtol=1e-9)
        else:
            model = MLPRegressor(early_stopping=True, **settings).fit(frame, pd.Series(y))
    assert model.feature_names_in_.tolist() == list("abcd")


def test_columns_of_x_val_in_another_order_are_refused():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = MLPRegressor(**SMALL)
    with pytest.raises(ValueError, match="feature names"):
        model.fit(frame[:120], y[:120], X_val=frame[list("dcba")][120:], y_val=y[120:])
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("of_train", [np.asarray, csr_array, csr_matrix])
@pytest.mark.parametrize("of_val", [np.asarray, csr_array, csr_matrix])
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_sparse_and_dense_rows_are_watched_alike(of_train, of_val, scoring):
    thin = np.where(np.abs(X) > 0.5, X, 0.0)
    first, second = (
        MLPRegressor(scoring=scoring, max_iter=6, **SMALL).fit(
            of_train(thin[train]), y[train], X_val=container(thin[val]), y_val=y[val]
        )
        for container in (of_train, of_val)
    )
    assert_same_fit(first, second, rtol=1e-9)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
@pytest.mark.parametrize("given", [np.float32, np.float64])
def test_float32_is_the_dtype_of_the_training_rows(container, given):
    half = X.astype(np.float32)
    model = MLPRegressor(max_iter=6, scoring="r2", **SMALL).fit(
        container(half[train]), y[train], X_val=container(half[val].astype(given)), y_val=y[val]
    )
    assert model.theta_.dtype == np.float32
    assert model.predict(half[val]).dtype == np.float32
    score = r2_score(y[val], model.predict(half[val]))
    assert model.best_validation_score_ == pytest.approx(score, abs=1e-5)
    assert isinstance(model.best_validation_score_, float)


def test_whole_numbers_are_watched_as_floats():
    whole = np.round(10 * X)
    as_integers, as_floats = (
        watched(MLPRegressor(max_iter=5, **SMALL), whole.astype(dtype)) for dtype in (int, float)
    )
    assert_same_fit(as_integers, as_floats)


def test_memory_maps_are_watched_as_arrays_are(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    on_disk, in_memory = (
        watched(MLPRegressor(max_iter=6, scoring=scoring, **SMALL), features)
        for features, scoring in ((mapped, "r2"), (X, "r2"))
    )
    assert_same_fit(on_disk, in_memory, rtol=1e-12)
    split = (
        MLPRegressor(early_stopping=True, max_iter=6, **SMALL).fit(features, y, weight)
        for features in (mapped, X)
    )
    assert_same_fit(*split, rtol=1e-12)


def test_mapped_rows_are_not_loaded_to_compare_their_range(tmp_path):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).normal(size=(200_000, 20)))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    target, weights = np.arange(200_000) % 7.0, np.ones(200_000)
    weights[3] = 0.0
    model = MLPRegressor(hidden_layer_sizes=(2,), max_iter=1, batch_size=2000, random_state=0)
    tracemalloc.start()
    try:
        model.fit(mapped, target, weights, X_val=np.array(mapped[:50]), y_val=target[:50])
        assert tracemalloc.get_traced_memory()[1] < 0.8 * mapped.nbytes
    finally:
        tracemalloc.stop()


def test_lists_and_columns_of_targets():
    plain = watched(MLPRegressor(max_iter=4, **SMALL))
    listed = MLPRegressor(max_iter=4, **SMALL).fit(
        X[train].tolist(), y[train].tolist(), X_val=X[val].tolist(), y_val=y[val].tolist()
    )
    assert_same_fit(plain, listed)


@pytest.mark.parametrize("scoring", [None, "accuracy", "f1_samples"])
def test_sparse_multilabel_targets_are_watched(scoring):
    settings = {**SMALL, "scoring": scoring, "max_iter": 8}
    dense, sparse = (
        MLPClassifier(**settings).fit(
            X_class[train],
            container(labels[train]),
            X_val=X_class[val],
            y_val=container(labels[val]),
        )
        for container in (np.asarray, csr_matrix)
    )
    assert_same_fit(dense, sparse)


def test_y_val_may_lack_classes():
    kept = y_class[val] > 0
    model = MLPClassifier(max_iter=4, **SMALL).fit(
        X_class[train], y_class[train], X_val=X_class[val][kept], y_val=y_class[val][kept]
    )
    score = model.score(X_class[val][kept], y_class[val][kept])
    assert model.best_validation_score_ == score


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"X_val": X[val]}, "only X_val was"),
        ({"y_val": y[val]}, "only y_val was"),
        ({"sample_weight_val": weight[val]}, "only sample_weight_val was"),
        ({"X_val": X[val], "sample_weight_val": weight[val]}, "only X_val and sample_weight_val"),
    ],
)
def test_x_val_and_y_val_belong_together(given, names):
    with pytest.raises(ValueError, match=f"belong together.*{names}"):
        MLPRegressor(**SMALL).fit(X, y, **given)


def test_classes_of_y_val_that_y_lacks_are_named():
    with pytest.raises(ValueError, match=r"y_val has classes that y does not have: \[2\]"):
        MLPClassifier(**SMALL).fit(
            X_class[train], np.minimum(y_class[train], 1), X_val=X_class[val], y_val=y_class[val]
        )


def test_a_failing_validation_set_leaves_the_estimator_as_it_was():
    model = watched(MLPClassifier(max_iter=3, **SMALL), X_class, y_class)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="y_val"):
        model.fit(X_class, y_class % 2, X_val=X_class[val], y_val=y_class[val])
    assert vars(model) == before


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"y": np.c_[y, y], "y_val": np.c_[y, y, y][val]}, "y_val"),
        ({"loss": "poisson", "y": np.abs(np.c_[y, y]), "y_val": np.abs(np.c_[y, y, y])[val]},
         "y_val"),
        ({"y_val": np.c_[y, y][val]}, "y_val"),
        ({"X_val": X[val, :3]}, "X_val"),
        ({"y_val": y[121:160]}, "X_val|y_val"),
        ({"X_val": np.full((40, 4), np.inf)}, "X_val"),
        ({"sample_weight_val": np.ones(39)}, "sample_weight_val"),
        ({"sample_weight_val": np.zeros(40)}, "sample_weight_val"),
        ({"sample_weight_val": -np.ones(40)}, "sample_weight_val"),
        ({"loss": "gamma", "y": np.abs(y) + 1}, "y_val"),
    ],
    ids=["columns", "poisson", "dimensions", "features", "length", "inf", "weights", "zeros",
         "negative", "domain"],
)  # fmt: skip
def test_errors_about_the_given_rows_name_them(given, name):
    data = {"y": y, "X_val": X[val], "y_val": y[val], **given}
    model = MLPRegressor(loss=data.pop("loss", "squared_error"), **SMALL)
    with pytest.raises(ValueError, match=f"(^|[^a-z_])({name})"):
        model.fit(X, data.pop("y"), **data)


# ---- far outside ---------------------------------------------------------------------------------

FAR = "X_val lies far outside the range of X"


@pytest.mark.parametrize("container", [np.asarray, csr_array, np.float32, pd.DataFrame])
def test_rows_that_were_not_transformed_are_pointed_out(container):
    raw = 1000.0 + 50.0 * X
    scaled = StandardScaler().fit_transform(raw)
    with pytest.warns(UserWarning, match=f"{FAR}.*transform_input"):
        MLPRegressor(max_iter=1, **SMALL).fit(
            container(scaled[train]), y[train], X_val=container(raw[val]), y_val=y[val]
        )


def quiet_about_x_val(features, features_val, sample_weight_val=None, sample_weight=None):
    n, n_val = features.shape[0], features_val.shape[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=FAR)
        MLPRegressor(max_iter=1, **SMALL).fit(
            features,
            np.arange(n),
            sample_weight,
            X_val=features_val,
            y_val=np.arange(n_val),
            sample_weight_val=sample_weight_val,
        )


def heavy_tails(n, n_features, seed):
    return np.random.default_rng(seed).standard_t(2.5, size=(n, n_features))


def counts(n, n_features, seed):
    """Words of a text: most are rare."""
    rate = 20.0 / (1.0 + np.arange(n_features))
    return csr_array(np.random.default_rng(seed).poisson(rate, size=(n, n_features)).astype(float))


@pytest.mark.parametrize(
    "draw",
    [
        lambda n, seed: np.random.default_rng(seed).normal(size=(n, 50)),
        lambda n, seed: np.random.default_rng(seed).lognormal(size=(n, 10)),
        lambda n, seed: np.random.default_rng(seed).integers(0, 2, size=(n, 20)),
        lambda n, seed: heavy_tails(n, 8, seed),
        lambda n, seed: counts(n, 300, seed),
        # Shift by one width: a forecast.
        lambda n, seed: np.random.default_rng(seed).uniform(size=(n, 3)) + seed,
    ],
    ids=["normal", "lognormal", "binary", "heavy tails", "counts", "shifted"],
)
def test_rows_of_the_same_kind_are_no_false_alarm(draw):
    quiet_about_x_val(draw(60, 0), draw(40, 1))


def word_frequencies(n, seed):
    """Like tf-idf of texts over many words, most of which are in few of them."""
    rng = np.random.default_rng(seed)
    rate = 60.0 / (1.0 + np.arange(3000)) * rng.gamma(0.3, 1 / 0.3, size=(n, 3000))
    words = rng.poisson(rate * rng.lognormal(0.0, 0.7, size=(n, 1))) + (np.arange(3000) == 0)
    return csr_array(words / np.linalg.norm(words, axis=1, keepdims=True))


def test_rare_words_are_no_false_alarm():
    quiet_about_x_val(word_frequencies(80, 0), word_frequencies(40, 1))


def test_constant_columns_and_few_outliers_are_no_false_alarm():
    constant = np.c_[X, np.ones(160)]
    moved = constant.copy()
    moved[:, -1] = 1e6
    quiet_about_x_val(constant[train], moved[val])
    some = X[val].copy()
    some[:20] *= 1e6
    quiet_about_x_val(X[train], some)


def test_only_rows_that_count_are_far_outside():
    outlying = X[val].copy()
    outlying[:30] += 1e6
    quiet_about_x_val(X[train], outlying, sample_weight_val=np.repeat([0.0, 1.0], [30, 10]))


def test_training_rows_of_weight_zero_do_not_widen_the_range():
    wide = np.r_[X[train], np.full((1, 4), 1e9), np.full((1, 4), -1e9)]
    with pytest.warns(UserWarning, match=FAR):
        MLPRegressor(max_iter=1, **SMALL).fit(
            wide,
            np.r_[y[train], 0.0, 0.0],
            np.repeat([1.0, 0.0], [120, 2]),
            X_val=1000.0 + 50.0 * X[val],
            y_val=y[val],
        )


# ---- pipelines and searches ----------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_a_pipeline_transforms_x_val_when_told_to(weighted):
    raw = 1000.0 + 50.0 * X
    scaler = StandardScaler().fit(raw[train])
    settings = {**SMALL, "max_iter": 6, "feature_scaling": None}
    own = {"sample_weight_val": weight[val]} if weighted else {}
    by_hand = MLPRegressor(**settings).fit(
        scaler.transform(raw[train]), y[train], X_val=scaler.transform(raw[val]), y_val=y[val],
        **own,
    )  # fmt: skip
    with config_context(enable_metadata_routing=True):
        mlp = MLPRegressor(**settings).set_fit_request(
            X_val=True, y_val=True, sample_weight_val=weighted or None
        )
        pipeline = make_pipeline(StandardScaler(), mlp, transform_input=["X_val"])
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=FAR)
            pipeline.fit(raw[train], y[train], X_val=raw[val], y_val=y[val], **own)
    assert_same_fit(pipeline[-1], by_hand, rtol=1e-12)


def test_a_pipeline_that_does_not_transform_x_val_is_pointed_out():
    raw = 1000.0 + 50.0 * X
    with config_context(enable_metadata_routing=True):
        mlp = MLPRegressor(max_iter=1, **SMALL).set_fit_request(X_val=True, y_val=True)
        with pytest.warns(UserWarning, match=FAR):
            make_pipeline(StandardScaler(), mlp).fit(
                raw[train], y[train], X_val=raw[val], y_val=y[val]
            )


def test_a_pipeline_without_routing_takes_named_parameters():
    model = make_pipeline(StandardScaler(), MLPRegressor(max_iter=4, **SMALL))
    model.fit(X[train], y[train], mlpregressor__X_val=X[val], mlpregressor__y_val=y[val])
    assert len(model[-1].validation_scores_) == 4


def test_a_search_passes_the_validation_set_on():
    search = GridSearchCV(
        MLPRegressor(max_iter=4, **SMALL), {"alpha": [1e-4, 1.0]}, cv=2, error_score="raise"
    ).fit(X[train], y[train], X_val=X[val], y_val=y[val])
    assert len(search.best_estimator_.validation_scores_) == 4


# ---- going on ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_start_watches_anew(kind):
    cls, features, target = KINDS[kind]
    model = watched(cls(warm_start=True, max_iter=4, **SMALL), features, target)
    watched(model, features, target)
    recent = np.array(model.validation_scores_)[-model.n_iter_ :]
    assert model.best_validation_score_ == recent.max()
    assert 1 <= model.best_iteration_ <= model.n_iter_
    assert len(model.history_["validation_score"]) == len(model.loss_curve_) == 8
    score = model.score(features[val], target[val])
    assert score == pytest.approx(model.best_validation_score_, rel=1e-10)


def test_after_a_watched_fit_partial_fit_goes_on_from_the_best():
    model = watched(MLPRegressor(max_iter=8, **SMALL))
    before = r2_score(y[train], model.predict(X[train]))
    model.partial_fit(X[train], y[train])
    assert r2_score(y[train], model.predict(X[train])) > before - 0.05
    assert model.validation_scores_[:8] and np.isnan(model.validation_scores_[8])
    assert model.best_iteration_ is None


class Explodes(Schedule):
    """A learning rate that becomes far too large in the third epoch."""

    def __call__(self, step, n_steps, n_samples_seen):
        return 1.0 if n_samples_seen < 2 * 120 else 1e200


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("solver", ["sgd", "adam", "rmsprop"])
def test_a_diverged_fit_with_a_restored_best_can_go_on(solver, momentum):
    model = MLPRegressor(solver=solver, momentum=momentum, learning_rate=Explodes(), **SMALL)
    with pytest.warns(ConvergenceWarning, match="The best epoch, 2, is restored"):
        watched(model)
    before = r2_score(y[train], model.predict(X[train]))
    model.set_params(learning_rate="constant", learning_rate_init=1e-4)
    model.partial_fit(X[train], y[train])
    assert r2_score(y[train], model.predict(X[train])) > before - 0.01
