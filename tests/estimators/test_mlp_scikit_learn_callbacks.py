"""The callbacks of scikit-learn 1.9 and later look on, too."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifier, MLPRegressor
from skmlp.callbacks import Callback, Checkpoint

sklearn_callback = pytest.importorskip(
    "sklearn.callback", reason="scikit-learn has callbacks from 1.9 on"
)

X, y = make_regression(n_samples=90, n_features=4, noise=20.0, random_state=0)
X_class, y_class = make_classification(
    n_samples=90, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1, flip_y=0.1,
)  # fmt: skip
weight = np.random.default_rng(0).uniform(0.2, 3.0, size=90)
SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "learning_rate_init": 0.02}
SMALL |= {"batch_size": 30, "tol": 0.0, "max_iter": 6}
MEMBERS = pytest.mark.parametrize(
    "members",
    [{}, {"n_init": 3}, {"n_init": 3, "combine_inits": "average"}],
    ids=["one", "best", "average"],
)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Recorder:
    """A user's callback: notes every hook, and may stop after an epoch."""

    def __init__(self, stop_after=None, fail_in=None):
        self.stop_after, self.fail_in = stop_after, fail_in
        self.events, self.ends = [], []

    def setup(self, estimator, context):
        self.note("setup", context)

    def teardown(self, estimator, context):
        self.note("teardown", context)

    def on_fit_task_begin(self, estimator, context):
        self.note("begin", context)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.note("end", context)
        if fitted_estimator is not None:
            self.ends.append((context.task_name, X, y, metadata, fitted_estimator))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after

    def note(self, hook, context):
        self.events.append((hook, context.task_name, context.task_id))
        if self.fail_in == self.events[-1]:
            raise RuntimeError("the hook failed")

    def epochs(self):
        return [end for end in self.ends if end[0] == "epoch"]


class StopAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, state):
        return state.epoch == self.epochs


class Raise(Callback):
    def __init__(self, error, epoch):
        self.error, self.epoch = error, epoch

    def on_epoch_end(self, state):
        if state.epoch == self.epoch:
            raise self.error


def check_hooks(recorder, model):
    """Every task that was begun has ended, in the right order, and there is one an epoch."""
    events = recorder.events
    assert events[0] == ("setup", "fit", 0) and events[-1] == ("teardown", "fit", 0)
    assert events[1] == ("begin", "fit", 0) and events[-2] == ("end", "fit", 0)
    assert len(set(events)) == len(events)
    pairs = events[2:-2]
    for i, (begin, end) in enumerate(zip(pairs[::2], pairs[1::2], strict=True)):
        assert (begin, end) == (("begin", "epoch", i), ("end", "epoch", i))
    assert len(recorder.epochs()) == model.n_iter_
    assert [end[0] for end in recorder.ends] == ["epoch"] * model.n_iter_ + ["fit"]
    assert {name for name in vars(model) if "callback" in name} == {"callbacks", "_skl_callbacks"}


@MEMBERS
@pytest.mark.parametrize(
    "params, n_iter",
    [
        ({}, 6),
        ({"tol": 1e9, "n_iter_no_change": 2}, 3),
        ({"early_stopping": True}, 6),
        ({"early_stopping": True, "tol": 1e9, "n_iter_no_change": 2}, 3),
        ({"weight_tol": 1e9}, 1),
        ({"callbacks": [StopAfter(4)]}, 4),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_one_task_for_the_fit_and_one_for_each_epoch(params, n_iter, members):
    recorder = Recorder()
    model = MLPRegressor(**{**SMALL, **members, **params}).set_callbacks(recorder).fit(X, y)
    assert model.n_iter_ == n_iter
    check_hooks(recorder, model)
    assert len(recorder.events) == 2 * n_iter + 4  # not a task more


@MEMBERS
@pytest.mark.parametrize("early_stopping", [False, True])
def test_lbfgs_has_a_task_for_each_iteration(early_stopping, members):
    recorder = Recorder()
    settings = {**SMALL, **members, "solver": "lbfgs", "early_stopping": early_stopping}
    model = MLPRegressor(**settings).set_callbacks(recorder).fit(X, y)
    events = recorder.events
    assert [hook for hook, *_ in events].count("begin") == len(recorder.epochs()) + 1
    assert len(recorder.epochs()) == settings["max_iter"] * model.n_init
    assert [hook for hook, task, _ in events if task == "epoch"] == ["begin", "end"] * len(
        recorder.epochs()
    )


def test_when_lbfgs_ends_by_itself_the_task_that_was_begun_ends_too():
    recorder = Recorder()
    settings = {**SMALL, "solver": "lbfgs", "max_iter": 500, "hidden_layer_sizes": (2,)}
    model = MLPRegressor(n_init=2, **settings).set_callbacks(recorder).fit(X, y)
    assert "L-BFGS ended" in model.stop_reason_
    tasks = [hook for hook, task, _ in recorder.events if task == "epoch"]
    assert tasks == ["begin", "end"] * (len(tasks) // 2)
    assert recorder.ends[-1][0] == "fit" and recorder.events[-1][0] == "teardown"


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@MEMBERS
def test_returning_true_stops(solver, members):
    recorder = Recorder(stop_after=3)
    model = MLPRegressor(**{**SMALL, **members, "solver": solver}).set_callbacks(recorder)
    model.fit(X, y)
    assert model.n_iter_ == 3 and "asked to stop" in model.stop_reason_
    check_hooks(recorder, model)
    short = MLPRegressor(**{**SMALL, **members, "solver": solver, "max_iter": 3})
    if solver == "adam":
        np.testing.assert_array_equal(short.fit(X, y).theta_, model.theta_)
    model.set_callbacks().fit(X, y)
    assert model.n_iter_ == 6


def test_the_context_tells_how_many_epochs_there_may_be():
    seen = []

    class Look(Recorder):
        def on_fit_task_begin(self, estimator, context):
            seen.append((context.task_name, context.max_subtasks, context.estimator_name))

    MLPClassifier(**SMALL).set_callbacks(Look()).fit(X_class, y_class)
    assert seen[:2] == [("fit", 6, "MLPClassifier"), ("epoch", 0, "MLPClassifier")]
    seen.clear()
    MLPRegressor(solver="lbfgs", n_init=2, **SMALL).set_callbacks(Look()).fit(X, y)
    assert seen[0] == ("fit", None, "MLPRegressor")


@MEMBERS
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_the_fitted_estimator_predicts_as_if_fit_had_stopped(cls, early_stopping, solver, members):
    data = (X, y) if cls is MLPRegressor else (X_class, np.array(["a", "b", "c"])[y_class])
    recorder = Recorder()
    settings = {**SMALL, **members, "early_stopping": early_stopping, "solver": solver}
    model = cls(**settings).set_callbacks(recorder).fit(*data)
    fitted = [end[-1] for end in recorder.ends]
    assert len({id(estimator) for estimator in fitted}) == len(fitted)
    assert all(type(estimator) is cls and estimator is not model for estimator in fitted)
    np.testing.assert_array_equal(fitted[-1].predict(data[0]), model.predict(data[0]))
    if solver == "lbfgs":
        assert all(np.isfinite(estimator.score(*data)) for estimator in fitted)
        return
    for epochs, estimator in zip((1, 4), (fitted[0], fitted[3]), strict=True):
        short = cls(**{**settings, "max_iter": epochs}).fit(*data)
        np.testing.assert_array_equal(estimator.predict(data[0]), short.predict(data[0]))
        np.testing.assert_array_equal(estimator.theta_, short.theta_)


@pytest.mark.parametrize("seed", range(4))
def test_the_last_fitted_estimator_is_the_winner_when_scores_tie(seed):
    recorder = Recorder()
    settings = {**SMALL, "n_init": 4, "random_state": seed, "early_stopping": True}
    model = MLPRegressor(scoring=lambda model, X, y: 1.0, **settings).set_callbacks(recorder)
    model.fit(X, y)
    np.testing.assert_array_equal(recorder.ends[-1][-1].theta_, model.theta_)


@pytest.mark.parametrize("seed", range(4))
def test_the_last_fitted_estimator_is_the_winner_when_others_went_on(seed):
    recorder = Recorder()
    settings = {**SMALL, "n_init": 4, "random_state": seed, "max_iter": 60}
    settings |= {"tol": 0.02, "n_iter_no_change": 1, "learning_rate_init": 0.1}
    model = MLPRegressor(**settings).set_callbacks(recorder).fit(X, y)
    np.testing.assert_array_equal(recorder.ends[-1][-1].theta_, model.theta_)


class Poison(Callback):
    """Lets the second restart diverge in the third epoch."""

    def on_epoch_end(self, state):
        if state.epoch == 2:
            state.theta[1] = np.nan


@pytest.mark.parametrize("combine_inits", ["best", "average"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_restart_that_diverged_has_no_part_in_the_fitted_estimator(early_stopping, combine_inits):
    recorder = Recorder()
    settings = {**SMALL, "n_init": 3, "combine_inits": combine_inits}
    model = MLPRegressor(callbacks=[Poison()], early_stopping=early_stopping, **settings)
    if early_stopping:
        model.set_callbacks(recorder).fit(X, y)
    else:
        with pytest.warns(match="1 of 3 restarts diverged"):
            model.set_callbacks(recorder).fit(X, y)
    for *_, estimator in recorder.ends[2:]:
        assert np.isfinite(estimator.predict(X)).all()
    np.testing.assert_array_equal(recorder.ends[-1][-1].predict(X), model.predict(X))


def test_hooks_are_given_the_training_rows():
    recorder = Recorder()
    model = MLPRegressor(**SMALL).set_callbacks(recorder)
    model.fit(X[:60], y[:60], weight[:60], X_val=X[60:], y_val=y[60:])
    for _, rows, target, metadata, _ in recorder.ends:
        np.testing.assert_array_equal(rows, X[:60])
        np.testing.assert_array_equal(target, y[:60])
        np.testing.assert_array_equal(metadata["sample_weight"], weight[:60])
    recorder.ends.clear()
    model.set_params(early_stopping=True, validation_fraction=0.2).fit(X, y)
    for _, rows, target, metadata, _ in recorder.ends:
        assert len(rows) == len(target) == 72 and metadata is None
        assert {*map(tuple, rows)} <= {*map(tuple, X)}
    recorder.ends.clear()
    MLPClassifier(**SMALL).set_callbacks(recorder).fit(csr_array(X_class), y_class + 5)
    assert recorder.ends[0][1].format == "csr"
    np.testing.assert_array_equal(recorder.ends[0][2], y_class + 5)


def test_ctrl_c_ends_the_task_that_was_begun():
    recorder = Recorder()
    model = MLPRegressor(callbacks=[Raise(KeyboardInterrupt(), 4)], **SMALL)
    with pytest.warns(UserWarning, match="interrupted"):
        model.set_callbacks(recorder).fit(X, y)
    tasks = [event[:2] for event in recorder.events]
    assert tasks[2:-2] == [("begin", "epoch"), ("end", "epoch")] * 4
    assert tasks[-2:] == [("end", "fit"), ("teardown", "fit")]
    np.testing.assert_array_equal(recorder.ends[-1][-1].theta_, model.theta_)


def failing(kind):
    """An estimator, its data, the error, and how many epochs come before it."""
    data, params, hook, epochs = (X, y), {}, None, 0
    if kind == "data":
        data = X[:-1], y
    elif kind == "names":
        data = np.where(X > 0, np.inf, X), y
    elif kind == "combination":
        params = {"solver": "lbfgs", "dropout": 0.5}
    elif kind == "divergence":
        params, epochs = {"solver": "sgd", "learning_rate_init": 1e6}, None
    elif kind == "callback":
        params, epochs = {"callbacks": [Raise(ValueError("mine"), 3)]}, 2
    elif kind == "hook":
        hook, epochs = ("end", "epoch", 2), 2
    elif kind == "first hook":
        hook = ("begin", "fit", 0)
    return MLPRegressor(**{**SMALL, **params}), data, hook, epochs


@pytest.mark.parametrize(
    "kind", ["data", "names", "combination", "divergence", "callback", "hook", "first hook"]
)
def test_an_error_in_fit_tears_down(kind):
    model, data, hook, epochs = failing(kind)
    recorder = Recorder(fail_in=hook)
    model.set_callbacks(recorder)
    before = dict(vars(model))
    with pytest.raises((ValueError, RuntimeError)) as error:
        model.fit(*data)
    if kind == "divergence":
        assert str(error.value).startswith("Solver produced non-finite parameter weights.")
    hooks = [event[0] for event in recorder.events]
    assert hooks.count("setup") == hooks.count("teardown") == 1 and hooks[-1] == "teardown"
    assert ("end", "fit", 0) not in recorder.events
    assert epochs is None or len(recorder.epochs()) == epochs
    assert vars(model) == before
    good = model.set_params(solver="adam", dropout=0.0, learning_rate_init=0.01, callbacks=None)
    recorder.fail_in = None
    recorder.events.clear(), recorder.ends.clear()
    check_hooks(recorder, good.fit(X, y))


def test_a_diverging_fit_that_is_watched_restores_the_best():
    recorder = Recorder()
    settings = {**SMALL, "solver": "sgd", "learning_rate_init": 3.0, "max_iter": 50}
    model = MLPRegressor(early_stopping=True, **settings).set_callbacks(recorder)
    with pytest.warns(match="non-finite .* The best epoch, 1, is restored"):
        model.fit(X, y)
    check_hooks(recorder, model)
    assert recorder.ends[-1][-1].score(X, y) == model.score(X, y)


def test_partial_fit_has_no_tasks():
    recorder = Recorder()
    MLPRegressor(**SMALL).set_callbacks(recorder).partial_fit(X, y)
    assert recorder.events == []


def test_a_warm_start_is_a_fit_of_its_own():
    recorder = Recorder()
    model = MLPRegressor(warm_start=True, **SMALL).set_callbacks(recorder).fit(X, y)
    recorder.events.clear(), recorder.ends.clear()
    check_hooks(recorder, model.fit(X, y))


def test_a_finished_fit_with_a_checkpoint_has_no_epochs(tmp_path):
    for epochs in (6, 0):
        recorder = Recorder()
        model = MLPRegressor(callbacks=[Checkpoint(tmp_path / "c.npz")], **SMALL)
        model.set_callbacks(recorder).fit(X, y)
        assert len(recorder.epochs()) == epochs and model.n_iter_ == 6
        hooks = [event[:2] for event in recorder.events]
        for task in ("epoch", "fit"):
            assert hooks.count(("begin", task)) == hooks.count(("end", task))


def test_results_do_not_depend_on_who_looks_on():
    plain = MLPRegressor(dropout=0.2, n_init=2, **SMALL).fit(X, y)
    watched = clone(plain).set_callbacks(Recorder(), sklearn_callback.ScoringMonitor(scoring="r2"))
    np.testing.assert_array_equal(watched.fit(X, y).theta_, plain.theta_)
    assert watched.history_ == plain.history_
    assert np.isfinite(pickle.loads(pickle.dumps(watched)).predict(X)).all()


# --- those that come with scikit-learn -----------------------------------------------------------


def scores_of(monitor, name):
    """Scores of the epochs, and of the whole fit."""
    rows = monitor.get_logs().data
    epochs = [row for row in rows if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in epochs] == list(range(len(epochs)))
    whole = [row[name] for row in rows if row["task_name"] == "fit"]
    assert len(whole) == 1
    return [row[name] for row in epochs], whole[0]


@MEMBERS
@pytest.mark.parametrize("weights", [None, weight], ids=["", "weighted"])
def test_the_scoring_monitor_logs_every_epoch(weights, members):
    monitor = sklearn_callback.ScoringMonitor(scoring="r2")
    model = MLPRegressor(**{**SMALL, **members}).set_callbacks(monitor).fit(X, y, weights)
    scores, whole = scores_of(monitor, "r2")
    assert len(scores) == model.n_iter_ == 6
    expected = r2_score(y, model.predict(X), sample_weight=weights)
    assert scores[-1] == pytest.approx(expected, rel=1e-12) == whole
    assert scores[0] < scores[-1]


def test_the_scoring_monitor_of_a_classifier_in_columns():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X_class, columns=list("abcd"))
    names = np.array(["a", "b", "c"])[y_class]
    monitor = sklearn_callback.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    model = MLPClassifier(n_init=2, **SMALL).set_callbacks(monitor).fit(table, names)
    scores, whole = scores_of(monitor, "accuracy")
    assert len(scores) == 6 and whole == model.score(table, names)
    assert len(scores_of(monitor, "neg_log_loss")[0]) == 6


def test_the_scoring_monitor_leaves_a_diverging_fit_its_error():
    settings = {**SMALL, "solver": "sgd", "learning_rate_init": 1e6}
    model = MLPRegressor(**settings).set_callbacks(sklearn_callback.ScoringMonitor(scoring="r2"))
    with pytest.raises(ValueError, match="^Solver produced non-finite parameter weights"):
        model.fit(X, y)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_scoring_monitor_in_a_grid_search(n_jobs):
    monitor = sklearn_callback.ScoringMonitor(scoring="r2")
    model = MLPRegressor(**SMALL).set_callbacks(monitor)
    search = GridSearchCV(model, {"alpha": [0.0, 1.0]}, cv=2, n_jobs=n_jobs).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == (2 * 2 + 1) * 6  # and the refit
    assert search.best_estimator_.n_iter_ == 6


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@MEMBERS
def test_the_progress_bar(solver, members, capsys):
    pytest.importorskip("rich")
    bar = sklearn_callback.ProgressBar()
    model = MLPRegressor(**{**SMALL, **members, "solver": solver}).set_callbacks(bar)
    plain = clone(model).set_callbacks().fit(X, y)
    np.testing.assert_array_equal(model.fit(X, y).theta_, plain.theta_)
    out = capsys.readouterr().out
    assert "MLPRegressor" in out and "100%" in out


def test_the_progress_bar_of_a_fit_that_fails(capsys):
    pytest.importorskip("rich")
    bar = sklearn_callback.ProgressBar()
    model = MLPRegressor(callbacks=[Raise(ValueError("mine"), 3)], **SMALL).set_callbacks(bar)
    with pytest.raises(ValueError, match="mine"):
        model.fit(X, y)
    assert model.set_params(callbacks=None).fit(X, y).n_iter_ == 6


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_progress_bar_of_a_grid_search(n_jobs, capsys):
    pytest.importorskip("rich")
    model = make_pipeline(StandardScaler(), MLPRegressor(**SMALL))
    grid = {"mlpregressor__alpha": [0.0, 1.0]}
    bar = sklearn_callback.ProgressBar(max_propagation_depth=None)
    search = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).set_callbacks(bar).fit(X, y)
    plain = GridSearchCV(model, grid, cv=2).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )
    out = capsys.readouterr().out
    assert "GridSearchCV" in out and "MLPRegressor" in out


def test_the_progress_bar_of_a_pipeline(capsys):
    pytest.importorskip("rich")
    model = make_pipeline(StandardScaler(), MLPClassifier(**SMALL))
    model.set_callbacks(sklearn_callback.ProgressBar(max_propagation_depth=None))
    assert model.fit(X_class, y_class)[-1].n_iter_ == 6
    out = capsys.readouterr().out
    assert "Pipeline" in out and "MLPClassifier" in out
