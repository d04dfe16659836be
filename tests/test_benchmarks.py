"""The pure functions of the benchmarks; nothing is timed and no real data are read."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MODULES = (
    "_data",
    "_tables",
    "_raw",
    "_speed",
    "_anomalies",
    "_codes",
    "_denoising",
    "_pretraining",
    "_labels",
    "_autoencoder_speed",
)


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


def test_missing_anomalies(run, tmp_path):
    (tmp_path / "adbench").mkdir()
    run._data.anomaly_path(tmp_path, "WBC").touch()
    assert run._data.missing_anomalies(["WBC", "Wilt"], tmp_path) == ["Wilt"]
    assert run._data.missing_anomalies(["WBC"], None) == ["WBC"]


def test_digits_split(run):
    X, y, X_test, y_test = run._data.digits_split()
    assert (X.shape, X_test.shape) == ((1347, 64), (450, 64))
    assert (len(y), len(y_test), X.max()) == (1347, 450, 1.0)


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


def test_interval_is_students(run):
    mean, half = run._tables.interval([1.0, 2.0, 3.0])
    assert mean == pytest.approx(2)
    assert half == pytest.approx(4.302653 / np.sqrt(3))


def test_installed(run):
    assert run._tables.installed("numpy", "sklearn")
    assert not run._tables.installed("numpy", "no_such_module")


# Autoencoders


def test_clean_split_trains_on_normal_rows_only(run):
    is_anomaly = np.arange(21) % 3 == 0
    X = np.column_stack([np.arange(21.0), is_anomaly])
    X_train, X_test, truth = run._anomalies.clean_split(X, is_anomaly, 0)
    assert len(X_train) == len(X_test) - 7 == 7
    assert not X_train[:, 1].any()
    np.testing.assert_array_equal(X_test[:, 1], truth)
    assert sorted([*X_train[:, 0], *X_test[:, 0]]) == list(range(21))
    again, _, _ = run._anomalies.clean_split(X, is_anomaly, 1)
    assert sorted(again[:, 0]) != sorted(X_train[:, 0])


def test_rivals_find_an_outlier(run):
    rng = np.random.default_rng(0)
    X_train = rng.normal(size=(200, 5)) * [3, 3, 1, 0.3, 0.1]
    X_test = np.concatenate([X_train[:20], [[10, 9, 8, 7, 6]]])
    for rival in run._anomalies.STANDARDISED:
        if rival is not run._anomalies.pyod_autoencoder:
            ((_, scores),) = rival(X_train, X_test, 0)
            assert np.argmax(scores) == 20


def test_summary_of_anomalies_leaves_the_decisive_sets_out(run):
    names = run._anomalies.OURS, run._anomalies.KNN
    rows = {"Wilt": dict(zip(names, (0.9, 0.5), strict=True))}
    rows["WBC"] = dict(zip(names, (0.7, 0.8), strict=True))
    over_all, rest = run._anomalies.summary(rows)
    assert "over 2 sets: skmlp 0.8000, kNN-5 0.6500. skmlp is above kNN-5 on 1 of 2." in over_all
    assert "over 1 sets without Wilt" in rest
    assert "kNN-5 0.8000, skmlp 0.7000" in rest
    assert len(run._anomalies.summary({"WBC": rows["WBC"]})) == 1


def test_errors_of_images(run):
    X = np.zeros((3, 4))
    assert run._codes.mean_error(X, X + 0.5) == pytest.approx(0.25)
    assert run._codes.image_error(X, X + 0.5) == pytest.approx(1)
    assert run._codes.verdict(0.25, 0.25) == "met"
    assert run._codes.verdict(0.26, 0.25) == "missed"


def test_corruptions(run):
    X = np.full((400, 50), 0.4)
    noises = run._denoising
    added = noises.gaussian(X, 0.3, np.random.default_rng(0)) - X
    assert added.std() == pytest.approx(0.3, rel=0.05)
    masked = noises.masking(X, 0.25, np.random.default_rng(0))
    assert set(masked.ravel()) == {0.0, 0.4}
    assert np.mean(masked == 0) == pytest.approx(0.25, abs=0.02)
    peppered = noises.salt_and_pepper(X, 0.25, np.random.default_rng(0))
    assert [np.mean(peppered == value) for value in (0.0, 1.0)] == pytest.approx(
        [0.125, 0.125], abs=0.02
    )
    assert noises.with_extremes(X)[-2:].tolist() == [[0.0] * 50, [1.0] * 50]


def test_jacobian_norm_of_sigmoids(run):
    rng = np.random.default_rng(0)
    weights, bias, x = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=4)

    def code(x):
        return 1 / (1 + np.exp(-x @ weights - bias))

    step = 1e-6 * np.eye(4)
    jacobian = np.array([(code(x + e) - code(x - e)) / 2e-6 for e in step])
    norms = run._pretraining.jacobian_norms(code(x)[np.newaxis], weights)
    assert norms == pytest.approx([np.linalg.norm(jacobian)])
    assert run._pretraining.saturation(np.array([[0.01, 0.5], [0.96, 0.94]])) == 0.5


def test_labelled_rows_are_stratified(run):
    y = np.repeat(np.arange(5), 40)
    rows = run._labels.labelled(y, 50, 0)
    assert np.bincount(y[rows]).tolist() == [10] * 5
    assert len(run._labels.labelled(y, None, 0)) == 200


def test_contestants_of_labels_are_tuned_alike(run):
    sizes = {
        np.prod([len(values) for values in grid.values()]) for grid in run._labels.GRIDS.values()
    }
    assert sizes == {6}


def test_speed_of_autoencoders_is_of_the_same_layers(run):
    speed = run._autoencoder_speed
    workload = speed.Workload("made up", (6, 2), 5, 2)
    assert workload.layers == (6, 2, 6)
    X = np.random.default_rng(0).random((20, 8))
    theirs, ours = speed.Regressor(workload, 2), speed.ours(workload, 2)
    with pytest.warns(ConvergenceWarning):  # told to stop early
        theirs.fit(X)
    with pytest.warns(ConvergenceWarning):
        ours.fit(X)
    shapes = [coefs.shape for coefs in ours.coefs_]
    assert shapes == [coefs.shape for coefs in theirs.model.coefs_]
    assert theirs.transform(X).shape == ours.transform(X).shape == (20, 2)
    found = {("skmlp", "fit"): np.array([2.0]), ("PyOD", "fit"): np.array([3.0])}
    assert speed.ratio(found, "PyOD", "fit") == "1.50"
    assert speed.ratio(found, "PyOD", "transform") == ""


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
        ["anomalies", "--seeds", "0"],
        ["compression", "--data", "somewhere"],
        ["autoencoder-speed", "--repeats", "0"],
    ],
)
def test_wrong_arguments(run, arguments, capsys):
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert "usage" in capsys.readouterr().err
