"""Validation rows of every task, early stopping, scorers and callbacks."""

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

from skmlp import HypernetworkClassifier, HypernetworkRegressor
from skmlp.callbacks import Callback, Checkpoint, TimeLimit

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
COUNTS = {0: 60, 1: 40, 2: 12, 3: 3, 4: 2, 5: 1}
TASKS = RNG.permutation(np.repeat(list(COUNTS), list(COUNTS.values())))
N = len(TASKS)
POINTS = RNG.uniform(-1, 1, N)
X = np.column_stack([TASKS, POINTS])
Y = np.where(TASKS % 2, -1.0, 1.0) * POINTS
FRAME = pd.DataFrame({"site": [f"s{task}" for task in TASKS], "x": POINTS})
LABELS = np.array(list("abc"))[np.digitize(Y, [-0.3, 0.3])]
SMALL = {
    "hidden_layer_sizes": (6,),
    "hyper_hidden_layer_sizes": (8,),
    "learning_rate_init": 0.01,
    "max_iter": 20,
    "random_state": 0,
}


def regressor(**params):
    return HypernetworkRegressor(**{**SMALL, "task_features": [0], **params})


def classifier(**params):
    return HypernetworkClassifier(**{**SMALL, "task_features": [0], **params})


class Rows:
    """A scorer that keeps what it gets."""

    def __init__(self):
        self.calls = []

    def __deepcopy__(self, memo):
        return self

    def __call__(self, estimator, X, y, **params):
        self.calls.append((X, y))
        return estimator.score(X, y)


def held_out(model, X=X, y=Y, **fit):
    scorer = Rows()
    model.set_params(early_stopping=True, scoring=scorer).fit(X, y, **fit)
    return scorer.calls[0]


# ---- the split -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore:Tasks with a single row:UserWarning")
def test_every_task_has_its_share_of_the_validation_rows(seed):
    rows, target = held_out(regressor(validation_fraction=0.25, random_state=seed))
    counts = np.bincount(rows[:, 0].astype(int), minlength=6)
    np.testing.assert_allclose(counts[:3], [15, 10, 3], atol=1)
    # Tasks never lose all their training rows.
    assert (counts < np.array(list(COUNTS.values()))).all() and counts[5] == 0
    np.testing.assert_array_equal(target, np.where(rows[:, 0] % 2, -1.0, 1.0) * rows[:, 1])


@pytest.mark.filterwarnings("ignore:Tasks with a single row:UserWarning")
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_all_tasks_are_learned_however_large_the_share(fraction):
    model = regressor(validation_fraction=fraction)
    rows, _ = held_out(model)
    assert len(model.tasks_) == 6 and not np.isnan(model.task_loss_).any()
    left = np.array(list(COUNTS.values())) - np.bincount(rows[:, 0].astype(int), minlength=6)
    assert (left > 0).all()


def test_tasks_of_one_row_are_announced():
    with pytest.warns(UserWarning, match=r"Tasks with a single row.*task 5"):
        regressor(early_stopping=True).fit(X, Y)


@pytest.mark.filterwarnings("ignore:Tasks with a single row:UserWarning")
def test_texts_are_split_by_task_as_well():
    model = regressor(task_features="site", validation_fraction=0.25)
    rows, _ = held_out(model, FRAME)
    assert isinstance(rows, pd.DataFrame) and rows.columns.tolist() == ["site", "x"]
    numbers, _ = held_out(regressor(validation_fraction=0.25))
    assert sorted(rows["site"].str[1:].astype(float)) == sorted(numbers[:, 0])


def test_classifiers_are_split_by_task_and_class():
    kept = np.isin(TASKS, [0, 1])
    model = classifier(validation_fraction=0.3)
    _, validation = held_out(model, X[kept], LABELS[kept])
    shares = [np.mean(validation == label) for label in "abc"]
    np.testing.assert_allclose(shares, [np.mean(LABELS[kept] == c) for c in "abc"], atol=0.05)


@pytest.mark.filterwarnings("ignore:.*with a single row:UserWarning")
@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_classes_that_only_a_held_out_row_has(fraction):
    """A class of a task whose one row is held out would be a class that the task cannot have."""
    y = LABELS.copy()
    y[np.flatnonzero(TASKS == 1)[0]] = "d"
    model = classifier(validation_fraction=fraction, early_stopping=True).fit(X, y)
    shown = model.predict_proba(X[TASKS == 1]) > 0
    assert np.isfinite(model.validation_loss_curve_).all()
    assert max(model.validation_loss_curve_) < 1e3 and shown.all()


@pytest.mark.filterwarnings("ignore:.*with a single row:UserWarning")
@pytest.mark.parametrize("seed", range(8))
def test_losses_on_validation_rows_are_those_of_possible_classes(seed):
    rng = np.random.default_rng(seed)
    tasks, y = rng.integers(6, size=60), rng.integers(5, size=60)
    rows = np.column_stack([tasks, rng.normal(size=60)])
    model = classifier(early_stopping=True, validation_fraction=0.3, random_state=seed, max_iter=3)
    model.fit(rows, y)
    assert max(model.validation_loss_curve_) < 1e3


@pytest.mark.filterwarnings("ignore:.* rows of X have unknown tasks:UserWarning")
def test_splitters():
    rows, _ = held_out(regressor(validation_fraction=ShuffleSplit(1, test_size=20, random_state=0)))
    assert len(rows) == 20
    splitter = GroupShuffleSplit(1, test_size=2, random_state=0)
    with pytest.raises((ValueError, TypeError)):
        regressor(validation_fraction=splitter, early_stopping=True).fit(X, Y)


# ---- watching ------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Tasks with a single row:UserWarning")
@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error", "loss", None])
@pytest.mark.parametrize("frame", [False, True], ids=["array", "frame"])
def test_scorers_by_name(scoring, frame):
    given = FRAME if frame else X
    model = regressor(scoring=scoring, early_stopping=True)
    model.set_params(task_features="site" if frame else 0).fit(given, Y)
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    if scoring in (None, "r2"):
        model.set_params(scoring=None if scoring else "r2")
        other = clone(model).fit(given, Y)
        np.testing.assert_allclose(
            model.validation_scores_, other.validation_scores_, rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", "roc_auc_ovr", None])
def test_scorers_of_classifiers(scoring):
    kept = TASKS < 2
    model = classifier(scoring=scoring, early_stopping=True, task_features="site")
    model.fit(FRAME[kept], LABELS[kept])
    assert model.best_validation_score_ == max(model.validation_scores_)


@pytest.mark.parametrize("frame", [False, True], ids=["array", "frame"])
@pytest.mark.parametrize("early", ["auto", False])
def test_the_best_epoch_on_given_rows_is_restored(frame, early):
    rng = np.random.default_rng(1)
    tasks, points = rng.integers(3, size=40), rng.uniform(-1, 1, 40)
    rows, y = np.column_stack([tasks, points]), np.where(tasks % 2, -1.0, 1.0) * points
    names = pd.DataFrame({"site": [f"s{task}" for task in tasks], "x": points})
    given, rows = (FRAME, names) if frame else (X, rows)
    model = regressor(task_features="site" if frame else 0, learning_rate_init=0.1,
                      early_stopping=early, batch_size=20, max_iter=30)  # fmt: skip
    model.fit(given, Y, X_val=rows, y_val=y)
    assert model.score(rows, y) == pytest.approx(model.best_validation_score_, rel=1e-9)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.early_stopping_ == (early == "auto")


def test_early_stopping_ends_the_training():
    kept = TASKS < 3
    model = regressor(early_stopping=True, max_iter=500, n_iter_no_change=5, tol=1e-3)
    model.fit(X[kept], Y[kept])
    assert model.n_iter_ < 500 and model.best_iteration_ <= model.n_iter_
    assert "validation" in model.stop_reason_


def test_restarts_each_watch():
    kept = TASKS < 3
    model = regressor(early_stopping=True, n_init=3, combine_inits="average")
    model.fit(X[kept], Y[kept])
    assert len(model.best_iteration_) == 3
    best = regressor(early_stopping=True, n_init=3).fit(X[kept], Y[kept])
    np.testing.assert_allclose(best.init_losses_, model.init_losses_)


def test_given_rows_of_strange_tasks_are_refused():
    rows, y = np.array([[0.0, 0.1], [1.0, 0.4], [17.0, 0.2], [18.0, 0.2]]), np.arange(4.0)
    with pytest.raises(ValueError, match=r"X_val has tasks that X does not have: \[17.0, 18.0\]"):
        regressor().fit(X, Y, X_val=rows, y_val=y)
    # Rows without weight do not count.
    weight = [1.0, 1.0, 0.0, 0.0]
    model = regressor().fit(X, Y, X_val=rows, y_val=y, sample_weight_val=weight)
    assert len(model.tasks_) == 6
    model.partial_fit([[17.0, 0.3]], [0.0])
    model.set_params(warm_start=True)
    # What counts is what the hypernetwork knows.
    model.fit(X, Y, X_val=rows[:3], y_val=y[:3])
    assert len(model.tasks_) == 7


def test_given_rows_of_strange_classes_are_refused():
    kept = (TASKS != 1) | (LABELS != "b")
    rows = np.array([[1.0, 0.0]])
    with pytest.raises(ValueError, match="y_val has rows that y does not have: task 1.0 with cl"):
        classifier().fit(X[kept], LABELS[kept], X_val=rows, y_val=["b"])
    model = classifier().fit(X[kept], LABELS[kept], X_val=rows, y_val=["a"])
    assert np.isfinite(model.validation_loss_curve_).all()


@pytest.mark.parametrize("fit", [
    {"X_val": X}, {"y_val": Y}, {"sample_weight_val": np.ones(N)},
])  # fmt: skip
def test_half_a_validation_set_is_refused(fit):
    with pytest.raises(ValueError, match="X_val and y_val belong together"):
        regressor().fit(X, Y, **fit)


def test_given_rows_have_the_columns_of_X():
    with pytest.raises(ValueError, match="X_val"):
        regressor().fit(X, Y, X_val=X[:, :1], y_val=Y)
    with pytest.raises(ValueError, match="X_val"):
        regressor().fit(X, Y, X_val=np.c_[X, X], y_val=Y)
    with pytest.raises(ValueError, match="missing value.* row 2"):
        regressor(task_features="site").fit(
            FRAME, Y, X_val=FRAME.assign(site=FRAME["site"].where(np.arange(N) != 2)), y_val=Y
        )


# ---- callbacks -----------------------------------------------------------------------------------


def test_a_limit_of_time():
    model = regressor(callbacks=[TimeLimit(1e-9)], max_iter=50).fit(X, Y)
    assert model.n_iter_ == 1 and "TimeLimit" in model.stop_reason_


class Stop(Callback):
    """Ends the process, so to speak, after an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, state):
        if state.epoch == self.epoch:
            raise RuntimeError("killed")


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"n_init": 2}], ids=str)
@pytest.mark.filterwarnings("ignore:Tasks with a single row:UserWarning")
def test_a_killed_fit_resumes(tmp_path, params):
    path = tmp_path / "model.npz"
    params = {**params, "task_features": "site", "dropout": 0.2, "max_iter": 8}
    whole = regressor(**params).fit(FRAME, Y)
    checkpoint = Checkpoint(path, every=2)
    with pytest.raises(RuntimeError, match="killed"):
        regressor(**params, callbacks=[checkpoint, Stop(5)]).fit(FRAME, Y)
    resumed = regressor(**params, callbacks=[checkpoint]).fit(FRAME, Y)
    np.testing.assert_array_equal(resumed.theta_, whole.theta_)
    assert resumed.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("params", [
    {}, {"output_reg_tasks": 1, "n_init": 2, "combine_inits": "average"}, {"early_stopping": True},
], ids=str)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Tasks with a single row:UserWarning")
def test_a_warm_start_with_new_tasks_resumes(tmp_path, params):
    old = TASKS < 2
    model = regressor(**params, warm_start=True, max_iter=8).fit(X[old], Y[old])
    whole = copy.deepcopy(model).fit(X[~old], Y[~old])
    checkpoint = Checkpoint(tmp_path / "model.npz", every=2)
    model.set_params(callbacks=[checkpoint, Stop(5)])
    with pytest.raises(RuntimeError, match="killed"):
        model.fit(X[~old], Y[~old])
    assert model.tasks_.tolist() == [0, 1]
    model.set_params(callbacks=[checkpoint]).fit(X[~old], Y[~old])
    np.testing.assert_array_equal(model.theta_, whole.theta_)
    np.testing.assert_array_equal(model.task_loss_, whole.task_loss_)


def test_a_checkpoint_of_other_tasks_is_refused(tmp_path):
    checkpoint = Checkpoint(tmp_path / "model.npz", every=1)
    params = {"task_features": "site", "callbacks": [checkpoint], "max_iter": 3}
    with pytest.raises(RuntimeError, match="killed"):
        regressor(**{**params, "callbacks": [checkpoint, Stop(2)]}).fit(FRAME, Y)
    other = FRAME.assign(site=np.roll(FRAME["site"], 1))
    with pytest.raises(ValueError, match="X|data"):
        regressor(**params).fit(other, Y)


def test_the_history_is_a_table():
    model = regressor(early_stopping=False).fit(X, Y, X_val=X, y_val=Y)
    table = pd.DataFrame(model.history_)
    assert len(table) == model.n_iter_ and table.notna().any(axis=None)
