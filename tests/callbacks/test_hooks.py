"""Hooks, copies, time limits, records."""

import time

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skmlp import MLPClassifier, MLPRegressor
from skmlp.callbacks import Callback, TimeLimit

from .shared import (
    SMALL,
    WRONG,
    Counter,
    Kill,
    Killed,
    Log,
    Record,
    StopAfter,
    X,
    X_class,
    lengths,
    y,
    y_class,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# --- hooks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_hooks_run_in_the_order_of_the_list(solver):
    log = []
    callbacks = [Log("a", log), Log("b", log)]
    MLPRegressor(solver=solver, max_iter=2, callbacks=callbacks, **SMALL).fit(X, y)
    expected = [("begin", 0), ("epoch", 1), ("epoch", 2), ("end", 2)]
    assert log == [(name, *event) for event in expected for name in "ab"]


def test_all_callbacks_see_the_epoch_in_which_one_stops():
    log = []
    callbacks = [Log("a", log), StopAfter(3), Log("b", log)]
    model = MLPRegressor(callbacks=callbacks, **SMALL).fit(X, y)
    assert [entry for entry in log if entry[1] == "epoch"] == [
        (name, "epoch", epoch) for epoch in (1, 2, 3) for name in "ab"
    ]
    assert model.n_iter_ == 3
    assert model.stop_reason_ == "The callback StopAfter asked to stop."


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_init", [1, 3])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_callback_that_stops_is_no_failure_to_converge(solver, n_init):
    """With lbfgs the restarts after the stopped one are not begun."""
    model = MLPRegressor(solver=solver, n_init=n_init, callbacks=[StopAfter(2)], **SMALL)
    model.fit(X, y)
    assert model.n_iter_ == 2 and "StopAfter" in model.stop_reason_
    assert np.isfinite(model.init_losses_).sum() == (1 if solver == "lbfgs" else n_init)


def test_stopping_restores_the_watched_best():
    settings = {**SMALL, "n_iter_no_change": 50}
    model = MLPRegressor(callbacks=[StopAfter(9)], **settings).fit(X[:70], y[:70], **WRONG)
    assert len(model.validation_scores_) == 9 and model.best_iteration_ < 9
    short = MLPRegressor(max_iter=model.best_iteration_, **settings).fit(X[:70], y[:70], **WRONG)
    np.testing.assert_array_equal(short.theta_, model.theta_)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_error_ends_all_callbacks_and_leaves_the_estimator_as_it_was(solver):
    log = []
    model = MLPRegressor(solver=solver, callbacks=[Log("a", log), Kill(2), Log("b", log)], **SMALL)
    with pytest.raises(Killed):
        model.fit(X, y)
    assert [entry[:2] for entry in log[-2:]] == [("a", "end"), ("b", "end")]
    assert not hasattr(model, "theta_")


# --- settings ------------------------------------------------------------------------------------


def test_fit_works_on_copies():
    counter = Counter()
    model = MLPRegressor(callbacks=[counter], max_iter=3, **SMALL)
    for _ in range(2):
        model.fit(X, y)
        assert model.history_["seen"] == [1.0, 2.0, 3.0]
    assert counter.seen == 0 and model.callbacks == [counter]
    assert vars(counter) == {"seen": 0}


def test_clones_have_callbacks_of_their_own():
    model = MLPRegressor(callbacks=[Counter(), TimeLimit(60.0)], max_iter=2, **SMALL).fit(X, y)
    copy = clone(model)
    assert [type(callback) for callback in copy.callbacks] == [Counter, TimeLimit]
    assert copy.callbacks[0] is not model.callbacks[0]
    assert vars(copy.callbacks[1]) == {"seconds": 60.0}
    assert copy.fit(X, y).history_["seen"] == model.history_["seen"]


def test_a_grid_search_counts_each_fit_anew():
    model = MLPRegressor(callbacks=[Counter()], max_iter=2, **SMALL)
    grid = {"alpha": [0.0, 1.0], "callbacks": [[Counter()], [StopAfter(1)], None]}
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.cv_results_["params"]) == 6
    search = GridSearchCV(model, {"alpha": [0.0, 1.0]}, cv=2).fit(X, y)
    assert search.best_estimator_.history_["seen"] == [1.0, 2.0]


@pytest.mark.parametrize("bad", [[Counter], ["progress"], [None], [lambda state: True]])
def test_only_instances_of_callbacks_are_taken(bad):
    with pytest.raises(ValueError, match="callbacks must hold instances of .*Callback"):
        MLPRegressor(callbacks=bad, **SMALL).fit(X, y)


# --- TimeLimit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_time_limit_stops_after_the_epoch_that_exceeds_it(solver, monkeypatch):
    clock = iter(np.arange(100.0))  # a second from one look to the next
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    model = MLPRegressor(solver=solver, callbacks=[TimeLimit(3.5)], **SMALL).fit(X, y)
    assert model.history_["seconds"] == [1.0, 2.0, 3.0, 4.0]
    assert model.n_iter_ == 4 and model.stop_reason_ == "The callback TimeLimit asked to stop."


def test_each_fit_has_its_own_time(monkeypatch):
    clock = iter(np.arange(100.0))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    model = MLPRegressor(callbacks=[TimeLimit(2.0)], warm_start=True, **SMALL)
    assert model.fit(X, y).fit(X, y).history_["seconds"] == [1.0, 2.0, 3.0] * 2


@pytest.mark.parametrize("seconds", [0, -1.0, np.nan])
def test_the_time_limit_must_be_positive(seconds):
    with pytest.raises(ValueError, match=f"seconds must be a positive number, got {seconds}"):
        TimeLimit(seconds)


# --- record and history_ -------------------------------------------------------------------------


def test_history_is_a_table_with_one_row_an_epoch():
    pandas = pytest.importorskip("pandas")
    callbacks = [Record("norm", lambda state: np.linalg.norm(state.theta, axis=1))]
    settings = {**SMALL, "early_stopping": True, "max_iter": 4, "callbacks": callbacks}
    table = pandas.DataFrame(MLPRegressor(**settings).fit(X, y).history_)
    assert table.shape == (4, 5)
    assert set(table) == {"loss", "learning_rate", "validation_score", "validation_loss", "norm"}
    assert all(dtype == np.float64 for dtype in table.dtypes)
    assert table.notna().all(axis=None)


def test_epochs_without_a_record_have_nan():
    callbacks = [Record("late", lambda state: state.epoch, first=3, every=2)]
    model = MLPRegressor(callbacks=callbacks, max_iter=6, **SMALL).fit(X, y)
    np.testing.assert_array_equal(
        model.history_["late"], [np.nan, np.nan, 3.0, np.nan, 5.0, np.nan]
    )
    assert lengths(model) == {6}


def test_a_record_is_that_of_the_winner_or_the_mean():
    callbacks = [Record("member", lambda state: np.arange(3.0))]
    settings = {**SMALL, "n_init": 3, "max_iter": 4, "callbacks": callbacks}
    best = MLPRegressor(**settings).fit(X, y)
    winner = np.argmin(best.init_losses_)
    assert best.history_["member"] == [winner] * 4
    average = MLPRegressor(combine_inits="average", **settings).fit(X, y)
    assert average.history_["member"] == [1.0] * 4


def test_the_second_record_of_an_epoch_counts():
    callbacks = [Record("same", lambda state: -1.0), Record("same", lambda state: state.epoch)]
    model = MLPRegressor(callbacks=callbacks, max_iter=3, **SMALL).fit(X, y)
    assert model.history_["same"] == [1.0, 2.0, 3.0]


def test_a_record_is_the_value_of_its_time():
    callbacks = [Record("best", lambda state: state.best_score)]
    settings = {**SMALL, "early_stopping": True, "max_iter": 6, "callbacks": callbacks}
    model = MLPRegressor(**settings).fit(X, y)
    assert model.validation_scores_[0] < model.best_validation_score_
    np.testing.assert_array_equal(
        model.history_["best"], np.maximum.accumulate(model.validation_scores_)
    )


def test_a_record_at_the_end_counts_for_the_last_epoch():
    class AtTheEnd(Callback):
        def on_train_end(self, state):
            state.record("end", 7.0)

    model = MLPRegressor(callbacks=[AtTheEnd()], max_iter=3, **SMALL).fit(X, y)
    np.testing.assert_array_equal(model.history_["end"], [np.nan, np.nan, 7.0])


@pytest.mark.parametrize("name", ["loss", "learning_rate", "validation_score", "validation_loss"])
def test_the_names_of_the_curves_are_taken(name):
    with pytest.raises(ValueError, match=f"record.*{name!r}"):
        MLPRegressor(callbacks=[Record(name, lambda state: 0.0)], max_iter=2, **SMALL).fit(X, y)


@pytest.mark.parametrize("combine_inits", ["best", "average"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_records_of_lbfgs_restarts_have_the_epochs_of_each(early_stopping, combine_inits):
    class Norm(Callback):
        def on_epoch_end(self, state):
            state.record("norm", np.linalg.norm(state.theta, axis=1))

    settings = {**SMALL, "solver": "lbfgs", "max_iter": 8, "early_stopping": early_stopping}
    model = MLPRegressor(n_init=3, combine_inits=combine_inits, callbacks=[Norm()], **settings).fit(
        X, y
    )
    assert lengths(model) == {model.n_iter_} and model.n_iter_ > 1
    assert np.isfinite(model.history_["norm"]).all()
    if combine_inits == "best" and not early_stopping:
        assert model.history_["norm"][-1] == pytest.approx(np.linalg.norm(model.theta_))


def test_warm_starts_and_partial_fit_append_to_the_history():
    model = MLPRegressor(max_iter=3, warm_start=True, **SMALL).fit(X, y)
    model.set_params(callbacks=[Counter()]).fit(X, y)
    np.testing.assert_array_equal(model.history_["seen"], [np.nan] * 3 + [1.0, 2.0, 3.0])
    model.set_params(callbacks=None).partial_fit(X, y)
    assert np.isnan(model.history_["seen"][-1])
    assert lengths(model) == {7} and model.loss_curve_ == model.history_["loss"]
    model.set_params(warm_start=False).fit(X, y)
    assert lengths(model) == {3} and "seen" not in model.history_


def test_callbacks_look_on_in_partial_fit():
    log = []
    model = MLPClassifier(callbacks=[Log("a", log), Counter()], **SMALL)
    for _ in range(3):
        model.partial_fit(X_class, y_class, classes=[0, 1, 2])
    assert log == [("a", "begin", 0), ("a", "epoch", 1), ("a", "end", 1)] * 3
    assert model.history_["seen"] == [1.0] * 3 and lengths(model) == {3}
