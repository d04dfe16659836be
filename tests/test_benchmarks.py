"""The pure functions of the benchmarks; nothing is timed and no real data are read."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MODULES = ("_data", "_tables", "_raw", "_speed")


@pytest.fixture(scope="module")
def run():
    """benchmarks/run.py as a module; its siblings are ``run._data`` and so on."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("benchmarks_run", BENCHMARKS / "run.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name in MODULES:
            setattr(module, name, sys.modules[name])
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in MODULES:
            sys.modules.pop(name, None)


def write_set(directory, name, n=21, n_splits=3):
    """A made-up file in the format of the collection; returns X, y and the masks."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 2)), rng.normal(size=n)
    masks = np.zeros((n_splits, n), bool)
    for i, mask in enumerate(masks):
        mask[i::5] = True
    (directory / "regression").mkdir(exist_ok=True)
    packed = np.packbits(masks, axis=1)
    np.savez(directory / "regression" / f"{name}.npz", X=X, y=y, test_mask=packed, n=n)
    return X, y, masks


# Data


def test_regression_splits(run, tmp_path):
    X, y, masks = write_set(tmp_path, "yacht")
    path = run._data.regression_path(tmp_path, "yacht")
    splits = list(run._data.regression_splits(path))
    assert len(splits) == len(masks)
    for (X_train, y_train, X_test, y_test), mask in zip(splits, masks, strict=True):
        np.testing.assert_array_equal(X_train, X[~mask])
        np.testing.assert_array_equal(y_train, y[~mask])
        np.testing.assert_array_equal(X_test, X[mask])
        np.testing.assert_array_equal(y_test, y[mask])


def test_load_splits_stops(run, tmp_path):
    write_set(tmp_path, "autompg")
    assert len(run._data.load_splits("autompg", tmp_path, 2)) == 2


def test_missing_sets(run, tmp_path, monkeypatch):
    write_set(tmp_path, "autompg")
    names = ("autompg", "pol", "vowel")
    monkeypatch.setattr(run._data, "find_spec", lambda name: None)
    assert run._data.missing_sets(names, tmp_path) == ["pol", "vowel"]
    assert run._data.missing_sets(names, None) == list(names)
    monkeypatch.setattr(run._data, "find_spec", lambda name: object())
    assert run._data.missing_sets(names, None) == ["autompg", "pol"]


def test_sets_of_special_treatment_exist(run):
    names = {*run._data.REGRESSION, *run._data.CLASSIFICATION}
    assert names >= {*run._data.NOT_COUNTED, *run._data.QUICK}
    assert set(run._data.SOURCES) == set(run._raw.MEASURES) == set(map(run._data.kind_of, names))


# Numbers


def test_nrmse_of_the_mean_is_one(run):
    y = np.array([1.0, 5.0, 9.0])
    assert run._raw.nrmse(y, np.full(3, 5.0)) == pytest.approx(1)
    assert run._raw.nrmse(y, y) == 0


def test_error_rate(run):
    assert run._raw.error_rate(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])) == 0.25


def test_ratio_of_errors_has_an_offset(run):
    assert run._raw.MEASURES["classification"].ratio(0.0, 0.01) == pytest.approx(0.5)
    assert run._raw.MEASURES["regression"].ratio(0.2, 0.4) == pytest.approx(0.5)


def test_geometric_mean(run):
    assert run._tables.geometric_mean([0.5, 2.0]) == pytest.approx(1)
    assert run._tables.geometric_mean([4.0, 1.0]) == pytest.approx(2)


def test_epoch_seconds_leaves_the_set_up_out(run, monkeypatch):
    clock = [0.0]

    class Peer:
        """Takes 7 s, and 3 s an epoch."""

        def __init__(self, workload, epochs, dtype):
            self.epochs = epochs

        def fit(self, X, y):
            clock[0] += 7 + 3 * self.epochs
            self.n_iter_ = self.epochs

    monkeypatch.setattr(run._speed, "perf_counter", lambda: clock[0])
    workload = run._speed.WORKLOADS[0]
    assert run._speed.epoch_seconds(Peer, workload, None, None, "float32") == pytest.approx(3)


def test_a_fit_that_stops_early_is_no_measurement(run):
    class Peer:
        """Stops after one epoch."""

        n_iter_ = 1

        def fit(self, X, y):
            pass

    with pytest.raises(RuntimeError, match="1 epochs instead of 5"):
        run._speed.fit_seconds(Peer(), None, None, 5)


def test_speed_ratio_is_of_medians(run):
    seconds = {"scikit-learn": np.array([3.0, 4.0, 90.0]), "skmlp": np.array([1.0, 2.0, 2.0])}
    assert run._speed.ratios(seconds) == [2.0]
    assert run._speed.milliseconds(np.array([0.001, 0.002, 0.003])) == "2.0 (1.5-2.5)"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_workloads(run, dtype):
    workload = run._speed.WORKLOADS[0]
    X, y = workload.data(np.dtype(dtype))
    assert workload.name == "1797x64-100-10"
    assert X.shape == (1797, 64)
    assert X.dtype == dtype
    assert set(y) == set(range(10))


# Contestants


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_raw_contestants_differ_from_their_defaults_by_the_seed(run, kind):
    for name, contestant in run._raw.CONTESTANTS.items():
        estimator = contestant(kind, 3)
        if name == run._raw.REFERENCE:
            estimator = getattr(estimator, "regressor", estimator)[-1]
        assert estimator.get_params() == type(estimator)(random_state=3).get_params()


@pytest.mark.parametrize("i", range(5))
def test_speed_contestants_share_their_parameters(run, i):
    workload = run._speed.WORKLOADS[i]
    theirs, ours = (
        contestant(workload, 4, "float32").get_params()
        for contestant in run._speed.CONTESTANTS.values()
    )
    own = {"feature_scaling", "target_scaling", "dtype", "early_stopping"}
    assert theirs["max_iter"] == 4
    assert all(ours[name] == value for name, value in theirs.items() if name not in own)
    assert ours["feature_scaling"] is None


# Tables


def test_markdown_is_aligned(run):
    table = run._tables.MarkdownTable(("set", "a long title", "s"))
    lines = [*table.head().splitlines(), table.row("vowel", "0.1", "12.5")]
    assert len({len(line) for line in lines}) == 1
    assert [len(line.split("|")) for line in lines] == [5, 5, 5]
    assert set(lines[1]) == set("| -:")
    with pytest.raises(ValueError, match="argument"):
        table.row("too", "few")


def test_command_hides_the_machine(run):
    command = run._tables.command
    typed = ["raw", "--data", "/some/where", "--quick"]
    assert command(typed, "/some/where") == "python benchmarks/run.py raw --data DIR --quick"
    assert command(["raw", "--data=/some/where"], "/some/where").endswith("raw --data=DIR")
    assert command(["speed"]) == "python benchmarks/run.py speed"


def test_raw_prints_what_is_there(run, tmp_path, monkeypatch, capsys):
    for name in ("autompg", "tamielectric"):
        write_set(tmp_path, name)
    contestants = {name: lambda kind, seed: DummyRegressor() for name in run._raw.CONTESTANTS}
    monkeypatch.setattr(run._raw, "CONTESTANTS", contestants)
    arguments = ["--splits", "2", "--sets", "autompg", "tamielectric", "pol"]
    run.main(["raw", "--data", str(tmp_path), *arguments])
    printed = capsys.readouterr().out
    assert "raw --data DIR --splits 2" in printed
    assert "Missing: pol. Source: Wilson, Kim et al." in printed
    rows = [line for line in printed.splitlines() if line.startswith("|")][2:]
    assert [row.split()[1] for row in rows] == ["autompg", "tamielectric"]
    assert all(row.split()[-2] == "1.000" for row in rows)
    assert "over 1 sets: nRMSE 1.000" in printed
    assert "tamielectric, counted in no mean: no signal" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["raw", "--splits", "11"],
        ["raw", "--seeds", "0"],
        ["raw", "--sets", "iris"],
        ["raw", "--sets", "pol", "--quick"],
        ["speed", "--dtype", "float16"],
    ],
)
def test_wrong_arguments(run, arguments, capsys):
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert "usage" in capsys.readouterr().err
