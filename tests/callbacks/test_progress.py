"""Progress bars and lines."""

import re
import sys
import time

import numpy as np
import pytest

from skmlp import MLPClassifier, MLPRegressor
from skmlp.callbacks import Checkpoint, PrintProgress, ProgressBar

from .shared import (
    SMALL,
    WRONG,
    Kill,
    Killed,
    StopAfter,
    X,
    X_class,
    y,
    y_class,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# --- progress ------------------------------------------------------------------------------------


@pytest.fixture
def without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)


def ticking(monkeypatch, seconds):
    """A clock that goes on by so much whenever it is read."""
    clock = iter(np.arange(10_000) * seconds)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))


@pytest.fixture
def bars(monkeypatch):
    """The bars of rich that were begun, and those that were ended."""
    rich = pytest.importorskip("rich.progress")
    begun, ended = [], []
    start, stop = rich.Progress.start, rich.Progress.stop
    monkeypatch.setattr(rich.Progress, "start", lambda bar: (begun.append(bar), start(bar)))
    monkeypatch.setattr(rich.Progress, "stop", lambda bar: (ended.append(bar), stop(bar)))
    yield begun, ended
    for bar in begun:
        stop(bar)


def test_a_line_a_second_without_rich(without_rich, monkeypatch, capsys):
    ticking(monkeypatch, 0.5)
    model = MLPRegressor(callbacks=[ProgressBar()], max_iter=7, **SMALL).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["2/7", "4/7", "6/7", "7/7"]
    for line, epoch in zip(lines, (2, 4, 6, 7), strict=True):
        assert f"loss {model.loss_curve_[epoch - 1]:.5g}" in line
    # Half a second for each of the epochs that are left.
    assert [re.findall(r"at most (\S+) left", line) for line in lines] == [
        ["0:02"], ["0:02"], ["0:00"], [],
    ]  # fmt: skip


def test_the_line_tells_the_score_and_the_best_one(without_rich, monkeypatch, capsys):
    ticking(monkeypatch, 2.0)
    settings = {**SMALL, "n_iter_no_change": 50, "max_iter": 9}
    model = MLPRegressor(callbacks=[ProgressBar()], **settings).fit(X[:70], y[:70], **WRONG)
    scores = np.array(model.validation_scores_)
    assert model.best_iteration_ < 9
    shown = re.findall(r"score (\S+)  best (\S+)", capsys.readouterr().out)
    best = np.maximum.accumulate(scores)
    assert shown == [(f"{a:.5g}", f"{b:.5g}") for a, b in zip(scores, best, strict=True)]


def test_in_a_terminal_the_line_is_written_over_itself(without_rich, monkeypatch, capsys):
    ticking(monkeypatch, 2.0)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    MLPRegressor(callbacks=[ProgressBar()], max_iter=3, **SMALL).fit(X, y)
    out = capsys.readouterr().out
    assert out.endswith("\r\n") and out.count("\n") == 1 and out.count("\r") == 3
    # A shorter line leaves nothing of a longer one.
    texts = out.removesuffix("\n").split("\r")[:3]
    assert len(texts[2]) >= len(texts[1].rstrip()) > len(texts[2].rstrip())


def test_the_bar_of_rich(bars, capsys):
    model = MLPRegressor(callbacks=[ProgressBar()], max_iter=4, **SMALL).fit(X, y)
    assert f"epoch 4/4  loss {model.loss_:.5g}" in capsys.readouterr().out
    begun, ended = bars
    assert len(begun) == 1 and ended == begun
    assert begun[0].tasks[0].completed == begun[0].tasks[0].total == 4


def test_the_end_is_shown_when_patience_is_over(without_rich, capsys):
    """Before a second has passed."""
    settings = {**SMALL, "tol": 1e9, "n_iter_no_change": 2}
    MLPRegressor(callbacks=[ProgressBar()], **settings).fit(X, y)
    assert capsys.readouterr().out.startswith("epoch 3/200 ")


@pytest.mark.parametrize("solver, others", [("lbfgs", []), ("adam", [StopAfter(5)])])
def test_the_end_is_shown_whoever_ends_the_training(solver, others, without_rich, capsys):
    callbacks = [ProgressBar(), *others]
    model = MLPRegressor(solver=solver, callbacks=callbacks, **{**SMALL, "tol": 1.0}).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines and lines[-1].startswith(f"epoch {model.n_iter_}/200 ")


def test_an_error_in_an_epoch_ends_the_bar(bars, capsys):
    with pytest.raises(Killed):
        MLPRegressor(callbacks=[ProgressBar(), Kill(2)], **SMALL).fit(X, y)
    begun, ended = bars
    assert begun and ended == begun


def test_an_error_before_the_first_epoch_ends_the_bar(bars, tmp_path, capsys):
    callbacks = [ProgressBar(), Checkpoint(tmp_path / "missing" / "file")]
    with pytest.raises(ValueError, match="folder"):
        MLPRegressor(callbacks=callbacks, **SMALL).fit(X, y)
    begun, ended = bars
    assert begun and ended == begun


@pytest.mark.parametrize("verbose, epochs", [(True, [1, 2, 3, 4, 5]), (2, [1, 2, 4]), (4, [1, 4])])
def test_verbose_prints_every_so_many_epochs(verbose, epochs, capsys):
    settings = {**SMALL, "max_iter": 5, "early_stopping": True, "verbose": verbose}
    model = MLPClassifier(**settings).fit(X_class, y_class)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == model.stop_reason_
    expected = []
    for epoch in epochs:
        expected.append(f"Iteration {epoch}, loss = {model.loss_curve_[epoch - 1]:.8f}")
        expected.append(f"Validation score: {model.validation_scores_[epoch - 1]:.6f}")
    assert lines[:-1] == expected


def test_print_progress_is_what_verbose_does(capsys):
    MLPRegressor(max_iter=5, verbose=3, **SMALL).fit(X, y)
    verbose = capsys.readouterr().out
    MLPRegressor(max_iter=5, callbacks=[PrintProgress(3)], **SMALL).fit(X, y)
    assert capsys.readouterr().out == verbose
