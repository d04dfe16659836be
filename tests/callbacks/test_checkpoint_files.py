"""The files of checkpoints: ended fits, other fits, damage."""

import gc
import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.model_selection import GridSearchCV

from skmlp import MLPRegressor
from skmlp.callbacks import Callback, Checkpoint

from .shared import (
    MEMBERS,
    SMALL,
    Kill,
    Killed,
    Log,
    StopAfter,
    X,
    assert_same,
    attributes,
    finished,
    lengths,
    weight,
    y,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"tol": 1e9}, *MEMBERS[1:]])
def test_a_finished_fit_returns_at_once(params, tmp_path):
    path, log = tmp_path / "c.npz", []
    first = finished(path, **params)
    content = path.read_bytes()
    again = finished(path, callbacks=[Checkpoint(path), Log("", log)], **params)
    assert log == [("", "begin", first.n_iter_), ("", "end", first.n_iter_)]
    assert_same(attributes(first), attributes(again))
    assert path.read_bytes() == content


def test_a_finished_fit_warns_again(tmp_path):
    for _ in range(2):
        with pytest.warns(match=r"Maximum iterations \(5\) reached"):
            finished(tmp_path / "c.npz")


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_diverged_fit_ends_the_same_way_again(early_stopping, tmp_path):
    log, outcomes = [], []
    for _ in range(2):
        callbacks = [Checkpoint(tmp_path / "c.npz"), Log("", log)]
        params = {"early_stopping": early_stopping, "callbacks": callbacks, "max_iter": 50}
        model = MLPRegressor(**{**SMALL, "solver": "sgd", "learning_rate_init": 3.0, **params})
        if early_stopping:
            with pytest.warns(match="The best epoch, 1, is restored"):
                outcomes.append(attributes(model.fit(X, y)))
        else:
            with pytest.raises(ValueError, match="Solver produced non-finite") as error:
                model.fit(X, y)
            outcomes.append({"message": str(error.value)})
    assert_same(*outcomes)
    assert log[-2][1] == "begin", "the second fit should have had no epoch"


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("members", MEMBERS, ids=["one", "best", "average"])
def test_what_another_callback_has_stopped_goes_on_in_the_next_run(
    members, early_stopping, tmp_path
):
    settings = {**SMALL, **members, "early_stopping": early_stopping, "max_iter": 11}
    whole = MLPRegressor(**settings).fit(X, y)
    callbacks = [StopAfter(4), Checkpoint(tmp_path / "c.npz", every=3)]
    model = MLPRegressor(callbacks=callbacks, **settings)
    stopped = attributes(model.fit(X, y))
    assert stopped["n_iter_"] == 4 and "StopAfter" in stopped["stop_reason_"]
    assert_same(attributes(whole), attributes(model.fit(X, y)))


def test_ctrl_c_goes_on_from_the_last_checkpoint(tmp_path):
    class Interrupt(Callback):
        def on_epoch_end(self, state):
            if state.epoch == 7:
                raise KeyboardInterrupt

    path, settings = tmp_path / "c.npz", {**SMALL, "early_stopping": True, "max_iter": 11}
    model = MLPRegressor(callbacks=[Interrupt(), Checkpoint(path, 3)], **settings)
    with pytest.warns(UserWarning, match="interrupted"):
        assert model.fit(X, y).n_iter_ == 7
    model.set_params(callbacks=[Checkpoint(path, 3)]).fit(X, y)
    assert_same(attributes(MLPRegressor(**settings).fit(X, y)), attributes(model))


def test_without_resume_the_file_is_overwritten(tmp_path):
    path, log = tmp_path / "c.npz", []
    finished(path, alpha=5.0)
    model = finished(path, callbacks=[Checkpoint(path, 2, resume=False), Log("", log)])
    assert log[0] == ("", "begin", 0)
    assert_same(attributes(finished(path, callbacks=None)), attributes(model))
    assert_same(attributes(finished(path)), attributes(model))


def test_nothing_but_the_file_is_left(tmp_path):
    finished(str(tmp_path / "without a suffix"))
    assert os.listdir(tmp_path) == ["without a suffix"]


def test_an_error_while_saving_leaves_the_last_file(tmp_path, monkeypatch):
    path, settings = tmp_path / "c.npz", {**SMALL, "max_iter": 11}
    savez, saves = np.savez, []

    def fill_the_disk(file, **arrays):
        saves.append(file)
        if len(saves) < 3:
            return savez(file, **arrays)
        file.write(b"PK half a file")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        MLPRegressor(callbacks=[Checkpoint(path, 3)], **settings).fit(X, y)
    monkeypatch.undo()
    log = []
    resumed = MLPRegressor(callbacks=[Checkpoint(path, 3), Log("", log)], **settings).fit(X, y)
    assert log[0] == ("", "begin", 6)
    assert_same(attributes(MLPRegressor(**settings).fit(X, y)), attributes(resumed))


X_changed, y_changed = X.copy(), y.copy()
X_changed[80, 2] += 1e-9
y_changed[80] += 1e-9


@pytest.mark.parametrize(
    "params, data, message",
    [
        ({"alpha": 0.5}, (X, y), r"alpha was 0\.0001, is 0\.5"),
        ({"solver": "sgd"}, (X, y), "solver was 'adam', is 'sgd'"),
        ({"hidden_layer_sizes": (9,)}, (X, y), r"hidden_layer_sizes was \(8,\), is \(9,\)"),
        ({"max_iter": 6}, (X, y), "max_iter was 5, is 6"),
        ({"n_init": 2}, (X, y), "n_init was 1, is 2"),
        ({"dtype": "float32"}, (X, y), "dtype was 'auto', is 'float32'"),
        ({"random_state": 1}, (X, y), r"random_state was \[\d+, .*\], is \[\d+, "),
        ({"random_state": None}, (X, y), r"random_state was \[\d+, .*\], is None"),
        ({"alpha": 0.5, "tol": 0.1}, (X, y), r"alpha was .*; tol was 0\.0, is 0\.1"),
        ({}, (X_changed, y), r"the training data was '\w+', is '\w+'"),
        ({}, (X, y_changed), "the training data was"),
        ({}, (X, y, weight), "the training data was"),
        ({}, (X[:-1], y[:-1]), "the training data was"),
        ({}, (X.astype(np.float32), y), "the training data was"),
        ({}, (csr_array(X), y), "the training data was"),
    ],
)
def test_another_fit_is_told_what_differs(params, data, message, tmp_path):
    path = tmp_path / "c.npz"
    finished(path)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=message) as error:
        finished(path, *data, **params)
    assert str(path) in str(error.value) and "resume=False" in str(error.value)
    named = re.findall(r"([\w ]+) was ", str(error.value).partition("another fit:")[2])
    expected = [*params] if data[0] is X and data[1] is y and len(data) == 2 else None
    assert [name.strip() for name in named] == (expected or ["the training data"])
    assert path.read_bytes() == content


@pytest.mark.parametrize("change", ["X_val", "y_val", "sample_weight_val", "none"])
def test_other_validation_rows_are_told(change, tmp_path):
    path = tmp_path / "c.npz"
    model = MLPRegressor(max_iter=5, callbacks=[Checkpoint(path)], **SMALL)
    options = {"X_val": X[70:], "y_val": y[70:]}
    model.fit(X[:70], y[:70], **options)
    if change == "none":
        options = {}
    else:
        new = {"X_val": X_changed[70:], "y_val": y_changed[70:], "sample_weight_val": weight[70:]}
        options[change] = new[change]
    with pytest.raises(ValueError, match="fit: the validation data was '.*', is (None|'.*')"):
        model.fit(X[:70], y[:70], **options)


def test_another_version_is_told(tmp_path):
    path = tmp_path / "c.npz"
    finished(path)
    with np.load(path) as file:
        arrays = dict(file)
    facts = json.loads(arrays.pop("facts").tobytes())
    facts["identity"]["the version of skmlp"] = "'0.0.1'"
    with open(path, "wb") as file:
        np.savez(file, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)
    with pytest.raises(ValueError, match=r"the version of skmlp was '0\.0\.1', is '"):
        finished(path)


def test_what_does_not_matter_may_differ(tmp_path, capsys):
    path = tmp_path / "c.npz"
    first = finished(path)
    second = finished(path, np.asfortranarray(X), y.copy(), verbose=True, warm_start=True)
    assert_same(attributes(first), attributes(second))


def not_checkpoints(path):
    """Files that are none, by name."""
    finished(path)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    # Within the first array of the archive, whose checksum does not fit any more.
    damaged[whole.index(b"NUMPY") + 140] ^= 255
    other = path.with_name("other.npz")
    np.savez(other, theta=np.zeros(3))
    table = path.with_name("table.npy")
    np.save(table, X)
    return {
        "text": b"name,value\n1,2\n",
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "without its end": whole[:-1],
        "damaged": bytes(damaged),
        "another npz": other.read_bytes(),
        "npy": table.read_bytes(),
    }


@pytest.mark.parametrize(
    "kind",
    ["text", "empty", "truncated", "without its end", "damaged", "another npz", "npy", "folder"],
)
def test_what_is_no_checkpoint_is_refused(kind, tmp_path):
    path = tmp_path / "c.npz"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(not_checkpoints(tmp_path / "whole.npz")[kind])
    reason = "must name a file" if kind == "folder" else "not a readable checkpoint .*resume=False"
    with pytest.raises(ValueError, match=reason) as error:
        finished(path)
    assert str(path) in str(error.value)
    gc.collect()  # pytest reports a file that was left open
    if kind != "folder":
        assert finished(path, callbacks=[Checkpoint(path, resume=False)]).n_iter_ == 5


def test_a_missing_folder_is_told_before_the_first_epoch(tmp_path):
    log = []
    callbacks = [Log("", log), Checkpoint(tmp_path / "missing" / "c.npz")]
    with pytest.raises(
        ValueError, match=r"Checkpoint: path=.*missing.* must name a file in a folder that exists"
    ):
        MLPRegressor(callbacks=callbacks, **SMALL).fit(X, y)
    assert "epoch" not in [entry[1] for entry in log]


@pytest.mark.parametrize("every", [0, -1, 2.5, "10"])
def test_every_must_be_a_positive_whole_number(every):
    with pytest.raises(ValueError, match="every must be a whole number of at least 1, got"):
        Checkpoint("c.npz", every=every)


def test_every_may_be_a_number_of_numpy(tmp_path):
    assert finished(tmp_path / "c", callbacks=[Checkpoint(tmp_path / "c", np.int64(2))])


def test_sparse_rows_without_a_single_entry_can_be_watched(tmp_path):
    model = MLPRegressor(callbacks=[Checkpoint(tmp_path / "c.npz")], max_iter=2, **SMALL)
    model.fit(csr_array(X), y, X_val=csr_array((5, 4)), y_val=y[:5])
    assert model.n_iter_ == 2


def test_a_relative_path_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finished("c.npz")
    assert (tmp_path / "c.npz").exists()


def test_checkpoints_are_refused_where_they_cannot_act(tmp_path):
    callbacks = [Checkpoint(tmp_path / "c.npz")]
    with pytest.raises(ValueError, match="Checkpoint cannot act with solver='lbfgs'"):
        MLPRegressor(solver="lbfgs", callbacks=callbacks, **SMALL).fit(X, y)
    with pytest.raises(ValueError, match="Checkpoint cannot act with partial_fit"):
        MLPRegressor(callbacks=callbacks, **SMALL).partial_fit(X, y)
    assert os.listdir(tmp_path) == []


def test_one_file_is_for_one_fit(tmp_path):
    model = MLPRegressor(max_iter=2, callbacks=[Checkpoint(tmp_path / "c.npz")], **SMALL)
    with pytest.raises(ValueError, match="the training data was"):
        GridSearchCV(model, {"shuffle": [True]}, cv=2, error_score="raise").fit(X, y)


def test_a_killed_warm_start_is_resumed(tmp_path):
    settings = {**SMALL, "max_iter": 11, "warm_start": True, "early_stopping": True}
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    whole = MLPRegressor(**settings).fit(X, y).fit(X, -y)

    def run(*others):
        """What the program does each time it is started."""
        model = MLPRegressor(callbacks=[Checkpoint(first)], **settings).fit(X, y)
        return model.set_params(callbacks=[Checkpoint(second, 3), *others]).fit(X, -y)

    with pytest.raises(Killed):
        run(Kill(7))
    log = []
    resumed = run(Log("", log))
    assert log[0] == ("", "begin", 6)
    assert_same(attributes(whole), attributes(resumed))
    assert lengths(resumed) == {22}


def test_a_warm_start_needs_a_file_of_its_own(tmp_path):
    model = MLPRegressor(
        max_iter=2, warm_start=True, callbacks=[Checkpoint(tmp_path / "c")], **SMALL
    )
    model.fit(X, y)
    theta = model.theta_.copy()
    with pytest.raises(ValueError, match="the number of rows seen before was 0, is 180"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.theta_, theta)


def test_a_warm_start_from_other_weights_is_another_fit(tmp_path):
    settings = {**SMALL, "max_iter": 3, "warm_start": True}
    for target in (y, -y):
        model = MLPRegressor(**settings).fit(X, target)
        model.set_params(callbacks=[Checkpoint(tmp_path / "c.npz")])
        if target is y:
            model.fit(X, y)
    with pytest.raises(ValueError, match="belongs to another fit"):
        model.fit(X, y)


SCRIPT = """
import sys, time, warnings
from sklearn.datasets import make_regression
from skmlp import MLPRegressor
from skmlp.callbacks import Callback, Checkpoint

class Slow(Callback):
    def on_epoch_end(self, state):
        time.sleep(0.005 if state.epoch < 20 else 600)

X, y = make_regression(n_samples=90, n_features=4, noise=20.0, random_state=0)
settings = {settings!r}
MLPRegressor(callbacks=[Checkpoint(sys.argv[1], every=2), Slow()], **settings).fit(X, y)
"""


def test_a_process_killed_in_the_middle_of_a_fit(tmp_path):
    """The kill comes at any moment, between epochs, within one, or while the file is written."""
    path = tmp_path / "c.npz"
    settings = {**SMALL, "dropout": 0.3, "early_stopping": True, "n_init": 2, "max_iter": 40}
    settings["n_iter_no_change"] = 100
    script = SCRIPT.format(settings=settings)
    process = subprocess.Popen([sys.executable, "-c", script, str(path)])
    try:
        while not path.exists():
            assert process.poll() is None, "the fit ended before it could be killed"
            time.sleep(0.002)
    finally:
        process.kill()
        process.wait()
    assert process.returncode != 0
    log = []
    resumed = MLPRegressor(callbacks=[Checkpoint(path), Log("", log)], **settings).fit(X, y)
    assert 2 <= log[0][2] <= 20
    assert_same(attributes(MLPRegressor(**settings).fit(X, y)), attributes(resumed))
