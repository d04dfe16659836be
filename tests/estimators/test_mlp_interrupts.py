"""Ctrl-C ends a fit and keeps the model; a second one within a second is meant for more."""

import inspect
import os
import pickle
import re
import signal
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV

from skmlp import MLPClassifier, MLPRegressor, _kernels
from skmlp._engine import fused
from skmlp._engine import state as engine_state
from skmlp._engine.objective import Objective
from skmlp.callbacks import Callback

X, y = make_regression(n_samples=90, n_features=4, noise=20.0, random_state=0)
X_class, y_class = make_classification(
    n_samples=90, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1, flip_y=0.1,
)  # fmt: skip
DATA = {MLPRegressor: (X, y), MLPClassifier: (X_class, y_class)}
# Nothing but the user ends these fits before max_iter.
SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "learning_rate_init": 0.02}
SMALL |= {"batch_size": 30, "tol": 0.0, "n_iter_no_change": np.inf, "max_iter": 30}
KINDS = pytest.mark.parametrize("cls", DATA, ids=["regressor", "classifier"])
SOLVERS = pytest.mark.parametrize("solver", ["adam", "lbfgs"])
MEMBERS = pytest.mark.parametrize(
    "members",
    [{}, {"n_init": 3}, {"n_init": 3, "combine_inits": "average"}],
    ids=["one", "best", "average"],
)
REASON = "Training was interrupted by the user."


class Interrupt(Callback):
    """Ctrl-C after the k-th epoch of the fit, counted over all restarts."""

    def __init__(self, k=4, press=None):
        self.k, self.press, self.seen = k, press, 0

    def on_epoch_end(self, state):
        self.seen += 1
        if self.seen == self.k:
            if self.press is None:
                raise KeyboardInterrupt
            self.press()


@pytest.fixture
def real_signals():
    """The usual handler, which a process that runs tests may have replaced."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def clock(monkeypatch):
    """Its attribute `now` is the time in seconds."""
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(engine_state, "time", clock)
    return clock


def interrupt_in_batch(monkeypatch, k):
    """Ctrl-C while the k-th batch is worked on, whichever way."""
    calls = []

    def counted(original):
        def call(*args):
            calls.append(1)
            if len(calls) == k:
                raise KeyboardInterrupt
            return original(*args)

        return call

    for place, name in ((Objective, "value_and_grad"), (_kernels, "steps")):
        if place is Objective or _kernels.in_use():
            monkeypatch.setattr(place, name, counted(getattr(place, name)))
    for bound in ("CALL_PRODUCTS", "JOINT_STEPS"):
        monkeypatch.setattr(fused, bound, 1)  # a call for each batch


def interrupted(model, *data, **options):
    """The model after a fit that warned of nothing but the interruption."""
    with pytest.warns(UserWarning) as record:
        try:
            assert model.fit(*data, **options) is model
        except KeyboardInterrupt as error:  # would end the whole run of tests
            raise AssertionError("Ctrl-C was raised") from error
    assert [(w.category, str(w.message)) for w in record] == [(UserWarning, REASON)]
    assert record[0].filename == __file__
    return model


def documented_attributes(cls):
    text = inspect.getdoc(cls).partition("\nAttributes\n")[2]
    names = re.findall(r"^(\w+_) :", text, flags=re.MULTILINE)
    assert "theta_" in names or "loss_" in names
    # Only there when X has names, and with an encoder.
    return set(names) - {"feature_names_in_", "encoder_"}


def check_usable(model, X, y, absent=()):
    """All attributes are there, and what a user does next is possible."""
    complete = clone(model).set_params(callbacks=None, max_iter=1)
    with pytest.warns():
        complete.fit(X, y)
    fitted = {name for name in vars(complete) if name.endswith("_")}
    assert fitted <= set(vars(model))
    for name in (documented_attributes(type(model)) | fitted) - set(absent):
        assert hasattr(model, name), name
    assert np.isfinite(model.theta_).all()
    assert np.isfinite(model.score(X, y))
    assert {len(column) for column in model.history_.values()} <= {model.n_iter_}
    assert model.loss_curve_ == model.history_.get("loss", [])
    prediction = pickle.loads(pickle.dumps(model.set_params(callbacks=None))).predict(X)
    np.testing.assert_array_equal(prediction, model.predict(X))


def members_attributes(model):
    average = model.combine_inits == "average" and model.n_init > 1
    return ("coefs_", "intercepts_") if average else ("estimators_",)


@KINDS
@SOLVERS
@MEMBERS
@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_between_epochs_keeps_the_model(cls, solver, members, early_stopping):
    settings = {**SMALL, **members, "solver": solver, "early_stopping": early_stopping}
    model = interrupted(cls(callbacks=[Interrupt()], **settings), *DATA[cls])
    assert model.stop_reason_.endswith(REASON)
    assert model.n_iter_ == 4 and len(model.loss_curve_) == 4
    check_usable(model, *DATA[cls], members_attributes(model))


@KINDS
@SOLVERS
@MEMBERS
@pytest.mark.parametrize("batch", [1, 2, 8])
def test_ctrl_c_within_an_epoch_keeps_the_model(cls, solver, members, batch, monkeypatch):
    settings = {**SMALL, **members, "solver": solver}
    with monkeypatch.context() as patch:
        interrupt_in_batch(patch, batch)
        model = interrupted(cls(**settings), *DATA[cls])
    assert model.stop_reason_ == REASON
    assert solver == "lbfgs" or model.n_iter_ == (batch - 1) // 3
    check_usable(model, *DATA[cls], members_attributes(model))


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process on Windows")
@KINDS
@SOLVERS
@MEMBERS
@pytest.mark.parametrize("sender", ["raise_signal", "thread"])
def test_a_real_signal_keeps_the_model(cls, solver, members, sender, real_signals):
    threads = []

    def press_in_a_thread():
        threads.append(threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)))
        threads[0].start()

    def press():
        signal.raise_signal(signal.SIGINT)

    interrupt = Interrupt(2, press if sender == "raise_signal" else press_in_a_thread)
    # From a thread it comes at any moment; there shall be something left to interrupt.
    settings = {**SMALL, **members, "solver": solver, "max_iter": 100_000, "max_fun": 100_000}
    if solver == "lbfgs":
        settings["hidden_layer_sizes"] = (20, 20)
    model = interrupted(cls(callbacks=[interrupt], **settings), *DATA[cls])
    for thread in threads:
        thread.join()
    assert model.stop_reason_.endswith(REASON) and 2 <= model.n_iter_ < 100_000
    check_usable(model.set_params(max_fun=50), *DATA[cls], members_attributes(model))


@pytest.mark.parametrize("members", [{}, {"n_init": 3}], ids=["one", "best"])
def test_without_a_watched_set_the_last_weights_are_kept(members):
    settings = {**SMALL, **members}
    model = interrupted(MLPRegressor(callbacks=[Interrupt()], **settings), X, y)
    with pytest.warns(match="Maximum iterations"):
        short = MLPRegressor(**{**settings, "max_iter": 4}).fit(X, y)
    np.testing.assert_array_equal(model.theta_, short.theta_)
    np.testing.assert_array_equal(model.init_losses_, short.init_losses_)
    assert model.loss_curve_ == short.loss_curve_ and model.t_ == short.t_


@KINDS
@SOLVERS
@pytest.mark.parametrize("where", ["between epochs", "within an epoch", "while scoring"])
@pytest.mark.parametrize("early_stopping", ["auto", False])
def test_with_a_watched_set_the_best_weights_are_kept(
    cls, solver, where, early_stopping, monkeypatch
):
    """The more is learned, the worse is the score, since the validation targets are wrong."""
    features, target = DATA[cls]
    rows, rest = slice(0, 60), slice(60, None)
    wrong = (target[rest] + 1) % 3 if cls is MLPClassifier else -target[rest]
    options = {"X_val": features[rest], "y_val": wrong}
    callbacks, scoring = None, None
    metric = r2_score if cls is MLPRegressor else accuracy_score
    calls = []

    def scorer(model, X, y):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return metric(y, model.predict(X))

    if where == "between epochs":
        callbacks = [Interrupt(6)]
    elif where == "while scoring":
        scoring = scorer
    settings = {**SMALL, "solver": solver, "callbacks": callbacks, "scoring": scoring}
    with monkeypatch.context() as patch:
        if where == "within an epoch":
            interrupt_in_batch(patch, 14 if solver == "adam" else 9)
        model = interrupted(
            cls(early_stopping=early_stopping, **settings), features[rows], target[rows], **options
        )
    best = model.best_iteration_
    assert best < model.n_iter_
    assert model.best_validation_score_ == np.nanmax(model.validation_scores_)
    assert model.validation_scores_[best - 1] == model.best_validation_score_
    score = metric(wrong, model.predict(features[rest]))
    assert score == pytest.approx(model.best_validation_score_, rel=1e-9)
    with pytest.warns(match="Ma?ximum iterations|failed to converge"):
        short = cls(**{**settings, "max_iter": best, "callbacks": None, "scoring": None})
        short.fit(features[rows], target[rows])
    np.testing.assert_array_equal(model.theta_, short.theta_)
    assert {len(column) for column in model.history_.values()} == {model.n_iter_}


def test_restarts_of_lbfgs_that_were_not_begun_are_left_out(clock):
    settings = {**SMALL, "solver": "lbfgs", "n_init": 3, "max_iter": 5}
    # Each restart has five iterations: the second is interrupted after its third.
    with pytest.warns(UserWarning):
        best = MLPRegressor(callbacks=[Interrupt(8)], **settings).fit(X, y)
    np.testing.assert_array_equal(np.isfinite(best.init_losses_), [True, True, False])
    clock.now += 2.0
    settings["combine_inits"] = "average"
    with pytest.warns(UserWarning):
        average = MLPRegressor(callbacks=[Interrupt(8)], **settings).fit(X, y)
    assert average.theta_.shape == (2, best.theta_.size) and len(average.estimators_) == 2
    assert average.stop_reason_.count("Restart") == 2
    winner = np.nanargmin(best.init_losses_)
    np.testing.assert_array_equal(best.theta_, average.theta_[winner])


@SOLVERS
@pytest.mark.parametrize("combine_inits", ["best", "average"])
def test_the_warning_tells_of_ctrl_c_though_a_restart_had_ended_before(solver, combine_inits):
    calls = []

    def scorer(model, X, y):
        """The first restart does not get better, and is the better one; the other does."""
        calls.append(1)
        first = len(calls) % 2 == 1 if solver == "adam" else len(calls) <= 4
        return 1.0 if first else len(calls) / 1000

    settings = {**SMALL, "solver": solver, "n_init": 2, "combine_inits": combine_inits}
    settings |= {"n_iter_no_change": 3, "tol": 1e-4, "scoring": scorer, "early_stopping": True}
    model = interrupted(MLPRegressor(callbacks=[Interrupt(8)], **settings), X, y)
    assert "validation score did not improve" in model.stop_reason_  # of the first one
    assert combine_inits == "best" or REASON in model.stop_reason_


@KINDS
def test_ctrl_c_in_partial_fit_keeps_the_model(cls, monkeypatch):
    features, target = DATA[cls]
    options = {"classes": [0, 1, 2]} if cls is MLPClassifier else {}
    model = cls(**SMALL).partial_fit(features, target, **options)
    before = model.theta_
    with monkeypatch.context() as patch:
        interrupt_in_batch(patch, 2)
        with pytest.warns(UserWarning, match=REASON):
            model.partial_fit(features, target)
    assert model.stop_reason_ == REASON
    assert np.isfinite(model.theta_).all() and (model.theta_ != before).any()
    model.partial_fit(features, target)
    assert "interrupted" not in model.stop_reason_ and len(model.loss_curve_) == 2


def test_a_warm_start_goes_on_from_an_interrupted_fit():
    settings = {**SMALL, "shuffle": False, "max_iter": 4, "warm_start": True}
    model = interrupted(MLPRegressor(callbacks=[Interrupt(3)], **settings), X, y)
    with pytest.warns(match="Maximum iterations"):
        model.set_params(callbacks=None).fit(X, y)
        whole = MLPRegressor(**{**settings, "max_iter": 7}).fit(X, y)
    np.testing.assert_allclose(model.theta_, whole.theta_, rtol=1e-12)
    assert len(model.loss_curve_) == 7 and "interrupted" not in model.stop_reason_


def test_all_callbacks_are_told_of_the_end():
    told = []

    class Tell(Callback):
        def on_train_end(self, state):
            told.append((state.interrupted, state.running.any(), state.epoch))

    interrupted(MLPRegressor(callbacks=[Tell(), Interrupt(), Tell()], **SMALL), X, y)
    assert told == [(True, False, 4)] * 2


# --- the second one ------------------------------------------------------------------------------


def unchanged(model, before):
    assert list(vars(model)) == list(before)
    return all(vars(model)[name] is value for name, value in before.items())


@KINDS
@SOLVERS
@MEMBERS
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_second_ctrl_c_within_a_second_is_raised(cls, solver, members, early_stopping, clock):
    settings = {**SMALL, **members, "solver": solver, "early_stopping": early_stopping}
    model = interrupted(cls(callbacks=[Interrupt()], **settings), *DATA[cls])
    before, theta = dict(vars(model)), model.theta_.copy()
    for warm_start in (False, True):
        model.set_params(warm_start=warm_start)
        before["warm_start"] = warm_start
        clock.now += 0.9
        with pytest.raises(KeyboardInterrupt):
            model.fit(*DATA[cls])
        assert unchanged(model, before)
        np.testing.assert_array_equal(model.theta_, theta)
    clock.now += 1.1
    assert interrupted(model, *DATA[cls]).n_iter_ == 4


def test_a_second_ctrl_c_leaves_an_unfitted_estimator_unfitted(clock):
    interrupted(MLPRegressor(callbacks=[Interrupt()], **SMALL), X, y)
    model = MLPRegressor(callbacks=[Interrupt()], **SMALL)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not [name for name in vars(model) if name.endswith("_")]
    model.set_params(callbacks=[Interrupt(1)])
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_two_of_them_end_a_grid_search(clock):
    model = MLPRegressor(callbacks=[Interrupt()], **SMALL)
    search = GridSearchCV(model, {"alpha": [0.0, 1.0]}, cv=2)
    with pytest.warns(UserWarning, match=REASON), pytest.raises(KeyboardInterrupt):
        search.fit(X, y)


def test_ctrl_c_outside_the_training_is_raised_and_leaves_the_estimator(monkeypatch):
    """While the data are checked there is no model yet to keep."""
    with pytest.warns(match="Maximum iterations"):
        model = MLPRegressor(**{**SMALL, "max_iter": 2}).fit(X, y)
    before = dict(vars(model))

    def press(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPRegressor, "_make_loss", press)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :3], y)
    assert unchanged(model, before)


def test_ctrl_c_before_the_first_epoch_is_raised_and_ends_the_callbacks():
    """As while a large checkpoint is read."""
    ended = []

    class Begin(Callback):
        def __init__(self, press):
            self.press = press

        def on_train_begin(self, state):
            if self.press:
                raise KeyboardInterrupt

        def on_train_end(self, state):
            ended.append(self.press)

    model = MLPRegressor(callbacks=[Begin(False), Begin(True)], **SMALL)
    before = dict(vars(model))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert unchanged(model, before) and ended == [False]


# --- at any moment -------------------------------------------------------------------------------


class Tracer:
    """Ctrl-C when a line of the engine's loops is about to run for the first or the last time."""

    def __init__(self, line=None, occurrence=None):
        self.line, self.occurrence, self.counts = line, occurrence, {}

    def __call__(self, frame, event, arg):
        path = frame.f_code.co_filename
        return self.look if path.endswith(FILES) else None

    def look(self, frame, event, arg):
        if event == "line":
            line = os.path.basename(frame.f_code.co_filename), frame.f_lineno
            self.counts[line] = self.counts.get(line, 0) + 1
            if line == self.line and self.counts[line] == self.occurrence:
                raise KeyboardInterrupt
        return self.look

    def fit(self, model):
        before = sys.gettrace()
        sys.settrace(self)
        try:
            model.fit(X, y)
        finally:
            sys.settrace(before)


FILES = tuple(os.path.join("_engine", name) for name in ("training.py", "lbfgs.py", "state.py"))


def outcome(model, tracer):
    """None when the interrupted fit has kept or changed nothing, else what is wrong."""
    before = dict(vars(model))
    try:
        tracer.fit(model)
    except KeyboardInterrupt:
        return None if unchanged(model, before) else "raised, and the estimator changed"
    except Exception as error:
        return repr(error)
    if not np.isfinite(model.predict(X)).all():
        return "no finite prediction"
    return None if {len(c) for c in model.history_.values()} <= {model.n_iter_} else "lengths"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True, "n_init": 2, "combine_inits": "average"},
        {"solver": "lbfgs", "n_init": 2},
        {"solver": "lbfgs", "early_stopping": True},
    ],
    ids=str,
)
def test_ctrl_c_may_come_at_any_line(params, clock):
    model = MLPRegressor(**{**SMALL, "max_iter": 3, **params})
    survey = Tracer()
    survey.fit(clone(model))
    wrong = {}
    for line, count in survey.counts.items():
        for occurrence in {1, count}:
            clock.now += 2.0
            problem = outcome(clone(model), Tracer(line, occurrence))
            if problem is not None:
                wrong[line, occurrence] = problem
    assert len(survey.counts) > 50
    assert wrong == {}
