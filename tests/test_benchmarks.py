"""The pure functions of the benchmarks; nothing is timed and no real data are read."""

import importlib.util
import itertools
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import approx_fprime
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning

from skmlp import DensityRegressor, _kernels
from skmlp._engine.groups import GroupedRows
from skmlp._engine.modulations import hyper_network
from skmlp.activations import Tanh
from skmlp.distributions import Distribution
from skmlp.families import Normal
from skmlp.initializers import GlorotUniform
from skmlp.losses import REGRESSION_LOSSES

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MODULES = (
    "_data",
    "_tables",
    "_raw",
    "_accuracy_contestants",
    "_accuracy_results",
    "_accuracy_tables",
    "_accuracy_cells",
    "_accuracy",
    "_workloads",
    "_peers",
    "_jax_training",
    "_speed",
    "_children",
    "_predict",
    "_memory",
    "_starts",
    "_footprint",
    "_search",
    "_scaling",
    "_speed_commands",
    "_anomalies",
    "_codes",
    "_denoising",
    "_pretraining",
    "_labels",
    "_autoencoder_speed",
    "_density_scores",
    "_joint",
    "_ngboost",
    "_density",
    "_density_calibration",
    "_density_covariance",
    "_density_speed",
    "_hyper_continual",
    "_hyper_digits",
    "_hyper_groups",
    "_hyper_real_data",
    "_hyper_real",
    "_hyper_speed",
)
ASV_MODULES = ("activations", "losses", "optimizers", "fit")


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
    workload = run._workloads.WORKLOADS[0]
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
    speed = run._speed
    seconds = {"a": np.array([3.0, 4.0, 90.0]), "b": np.array([1.0, 2.0, 2.0])}
    assert speed.ratio(seconds, "a", "b") == "2.00"
    assert speed.ratio(seconds, "a", "c") == ""
    assert speed.milliseconds(np.array([0.001, 0.002, 0.003])) == "2.0 (1.5-2.5)"
    assert speed.milliseconds(np.array([0.1, 0.2, 0.3])) == "200 (150-250)"


def test_speed_has_ratios_to_both_kinds_and_to_the_floor(run):
    speed = run._speed
    names = [speed.SKLEARN, speed.FLOOR, speed.OURS, speed.COMPILED]
    assert [title for title, _ in speed.columns_of_ratios(names)] == [
        "scikit-learn / skmlp",
        "skmlp / floor",
    ]
    seconds = {
        name: np.array([value]) for name, value in zip(names, (6.0, 1.0, 3.0, 2.0), strict=True)
    }
    assert speed.cells(seconds, names)[4:] == ["2.00, 3.00", "3.00, 2.00"]
    del seconds[speed.FLOOR]
    assert speed.cells(seconds, names)[1::4] == ["", ""]  # its time, and ratios to it


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_workloads(run, dtype):
    workload = run._workloads.WORKLOADS[0]
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


# Densities


def write_uci(directory, name, n=60, n_features=3):
    """A made-up set in the format of the published density tables; returns X and y."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, n_features))
    y = X[:, 0] + rng.normal(size=n)
    (directory / "uci").mkdir(exist_ok=True)
    np.savez(directory / "uci" / f"{name}.npz", X=X, y=y)
    return X, y


def normals(n):
    """Standard Normals of n rows."""
    return Distribution(Normal(), {"loc": np.zeros(n), "scale": np.ones(n)})


def test_uci_splits_follow_the_protocol(run):
    splits = list(run._data.uci_rows(308, 20))
    assert len(splits) == 20
    for train, test in splits:
        assert (len(train), len(test)) == (277, 31)
        assert sorted([*train, *test]) == list(range(308))
    assert splits[0][0][:5].tolist() == [73, 304, 228, 238, 259]
    assert splits[1][0][:5].tolist() == [162, 101, 114, 20, 23]
    state = np.random.get_state()  # noqa: NPY002 - the protocol itself
    try:
        np.random.seed(1)  # noqa: NPY002
        for train, test in splits:
            whole = np.random.choice(range(308), 308, replace=False)  # noqa: NPY002
            np.testing.assert_array_equal(np.concatenate([train, test]), whole)
    finally:
        np.random.set_state(state)  # noqa: NPY002


@pytest.mark.parametrize("n, n_train", [(768, 691), (1030, 927), (1599, 1439), (9568, 8611)])
def test_uci_splits_round(run, n, n_train):
    ((train, test),) = run._data.uci_rows(n, 1)
    assert (len(train), len(test)) == (n_train, n - n_train)


def test_uci_splits_take_the_rows(run, tmp_path):
    X, y = write_uci(tmp_path, "yacht")
    splits = run._data.uci_splits("yacht", tmp_path, 2)
    for (X_train, y_train, X_test, y_test), (train, test) in zip(
        splits, run._data.uci_rows(60, 2), strict=True
    ):
        np.testing.assert_array_equal(X_train, X[train])
        np.testing.assert_array_equal(y_train, y[train])
        np.testing.assert_array_equal(X_test, X[test])
        np.testing.assert_array_equal(y_test, y[test])
    assert run._data.missing_uci(["yacht", "energy"], tmp_path) == ["energy"]
    assert run._data.missing_uci(["yacht"], None) == ["yacht"]


def test_scores_of_normals(run):
    found = run._density_scores.scores(normals(4), np.array([0.0, 1.0, -1.0, 3.0]))
    assert found["nll"] == pytest.approx(0.5 * np.log(2 * np.pi) + 11 / 8)
    assert found["rmse"] == pytest.approx(np.sqrt(11 / 4))
    assert (found["coverage"], found["infinite"]) == (0.75, 0)
    alone = run._density_scores.scores(normals(1), np.zeros(1))
    assert alone["crps"] == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi))


def test_mean_and_standard_error(run):
    scores = run._density_scores
    assert scores.mean_error([1.0, 2.0, 3.0]) == pytest.approx((2, 1 / np.sqrt(3)))
    assert scores.plus_minus([1.0, 2.0, 3.0], 2) == "2.00 +- 0.58"
    assert scores.plus_minus([1.5]) == "1.500"
    assert scores.plus_minus([1.0, np.inf]) == "inf"


def test_verdict_allows_a_standard_error_of_the_published_figure(run):
    scores = run._density_scores
    assert scores.PUBLISHED["normal x 5"]["yacht"] == -0.02
    verdict = scores.verdict
    assert verdict("normal x 5", "yacht", [0.0, 0.1]) == ("-0.02", "no")  # 0.05 +- 0.05
    assert verdict("normal x 5", "yacht", [-0.05, 0.1]) == ("-0.02", "yes")  # 0.025 +- 0.075
    assert verdict("normal x 5", "yacht", [0.0]) == ("-0.02", "no")
    assert verdict("normal x 5", "yacht", [-1.0, np.inf]) == ("-0.02", "no")
    assert verdict("NGBoost", "kin8nm", [-0.5]) == ("-0.49", "yes")
    assert verdict("histogram x 5", "power-plant", [2.60, 2.68]) == ("goal 2.65", "met")
    assert verdict("histogram x 5", "power-plant", [2.60, 2.80]) == ("goal 2.65", "missed")
    assert verdict("normal_mixture x 5", "wine-quality-red", [-1.0]) == ("goal >= 0", "missed")
    assert verdict("normal_mixture x 5", "yacht", [0.0]) == ("", "")
    assert verdict("histogram x 1", "power-plant", [0.0]) == ("", "")


def test_figures_are_of_all_sets(run):
    for figures in run._density_scores.PUBLISHED.values():
        assert set(figures) == set(run._data.UCI)
    assert set(run._density_scores.GOALS) < set(run._data.UCI) > set(run._data.QUICK_UCI)
    named = {run._density.title(head, n) for head in run._density.HEADS for n in (1, 5)}
    named.add(run._density.RIVAL)
    assert named >= {*run._density_scores.PUBLISHED, *run._density_scores.WITH_GOALS}


def test_miscalibration_area(run):
    area = run._density_scores.miscalibration_area
    assert area((np.arange(500) + 0.5) / 500) == pytest.approx(0, abs=1e-3)
    assert area(np.zeros(10)) == area(np.ones(10)) == pytest.approx(0.5)
    assert area(np.full(10, 0.5)) == pytest.approx(0.25)


def test_summary_of_densities_is_paired(run):
    losses = {
        ("normal x 5", "yacht"): [-1.0, 0.0],
        ("NGBoost", "yacht"): [-0.5, 0.5],
        ("histogram x 1", "yacht"): [0.5, 0.5],
    }
    lines = run._density.summary(losses)
    assert lines == [
        "normal x 5: as good as the figure on 1 of 1 sets.",
        "normal x 5 minus NGBoost, paired: yacht -0.500 +- 0.000.",
        "NGBoost: as good as the figure on 1 of 1 sets.",
        "histogram x 1 minus NGBoost, paired: yacht 0.500 +- 0.500.",
    ]


def test_contestants_of_densities(run):
    found = run._density.contestants(["normal", "histogram"], [1, 5], rival=False)
    assert list(found) == ["normal x 1", "normal x 5", "histogram x 1", "histogram x 5"]
    one, five = found["normal x 1"](3).candidates, found["histogram x 5"](3).candidates
    assert [model.dropout for model in one] == list(run._density.DROPOUTS)
    for model in one:
        assert (model.random_state, model.distribution, model.n_init) == (3, "normal", 1)
        assert model.get_params().items() >= run._density.CONFIG.items()
    for model in five:
        assert (model.distribution, model.n_init, model.combine_inits) == (
            "histogram",
            5,
            "average",
        )


def test_the_validation_rows_choose_the_dropout(run):
    class Fake:
        def __init__(self, score):
            self.best_validation_score_ = score

        def fit(self, X, y):
            return self

        def predict_dist(self, X):
            return self.best_validation_score_

    chosen = run._density.Chosen("normal", 1, 0)
    chosen.candidates = [Fake(0.1), Fake(0.3), Fake(0.2)]
    assert chosen.fit(None, None).predict_dist(None) == 0.3


def test_ngboost_is_the_last_contestant(run):
    assert list(run._density.contestants(["normal"], [1], rival=True))[-1] == "NGBoost"


def test_ngboost_is_fitted_again_with_the_best_number_of_trees(run, monkeypatch):
    fits = []

    class Regressor:
        """Its third stage is the best."""

        def __init__(self, n_estimators, learning_rate, verbose, random_state):
            self.n_estimators = n_estimators

        def fit(self, X, y):
            fits.append((self.n_estimators, len(X)))
            return self

        def staged_pred_dist(self, X):
            return [stats.norm(k - 2, np.ones(len(X))) for k in range(self.n_estimators)]

        def pred_dist(self, X):
            return SimpleNamespace(params={"loc": X[:, 0], "scale": np.full(len(X), 2.0)})

    monkeypatch.setitem(sys.modules, "ngboost", SimpleNamespace(NGBRegressor=Regressor))
    X = np.zeros((50, 1))
    model = run._ngboost.BoostedNormal(0, largest=7).fit(X, np.zeros(50))
    assert fits == [(7, 40), (3, 50)]
    np.testing.assert_array_equal(model.predict_dist(X + 5.0).mean(), np.full(50, 5.0))
    assert model.predict_dist(X).std()[0] == 2


def test_known_covariances(run):
    truth = run._joint.Truth(3)
    X, Y = truth.draw(40_000, 0)
    cov = truth.cov(X)
    sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    corr = (cov / (sd[:, :, np.newaxis] * sd[:, np.newaxis, :]))[:, [0, 0, 1], [1, 2, 2]]
    assert 0.16 <= corr.min() < corr.max() <= 0.81
    residuals = Y - truth.mean(X)
    found = residuals.T @ residuals / len(X)
    np.testing.assert_allclose(found, cov.mean(axis=0), rtol=0.05)
    law = stats.multivariate_normal(truth.mean(X[:1])[0], cov[0])
    assert run._joint.joint_nll(truth, X[:1], Y[:1]) == pytest.approx(-law.logpdf(Y[0]))
    np.testing.assert_allclose(truth.predict_dist(X[:9]).cov(), cov[:9])
    errors = run._joint.relative_errors
    assert errors(1.1 * cov, cov) == pytest.approx((0.1, 0.1, 0.1))
    assert errors(cov * np.eye(3), cov) == pytest.approx((2 / 3, 0, 1))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_calibration_is_taken_off_the_same_networks(run):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = X[:, 0] + rng.normal(size=300)
    split = X[:200], y[:200], X[200:], y[200:]

    def contestant(seed):
        return DensityRegressor(max_iter=5, calibration_fraction=0.2, random_state=seed)

    found = run._density_calibration.before_and_after(contestant, split, 0)
    model = contestant(0).fit(*split[:2])
    assert found["after", "nll"] == pytest.approx(-model.score(*split[2:]))
    del model.calibration_
    assert found["before", "nll"] == pytest.approx(-model.score(*split[2:]))
    assert found["before", "nll"] != found["after", "nll"]
    assert run._density_calibration.contestant(1, 0).calibration_fraction == 0.2


def test_speed_of_densities_is_of_two_targets(run, tmp_path):
    X, y = write_uci(tmp_path, "power-plant", n_features=4)
    speed = run._density_speed
    (train, test), n = next(run._data.uci_rows(60, 1)), 20
    X_train, Y_train, X_test, Y_test = speed.workloads([speed.REAL], tmp_path, n)[speed.REAL]
    np.testing.assert_array_equal(X_train, X[train[:n], :3])
    np.testing.assert_array_equal(Y_train, np.column_stack([y, X[:, 3]])[train[:n]])
    np.testing.assert_array_equal(Y_test, np.column_stack([y, X[:, 3]])[test])
    assert list(speed.workloads([], None, n)) == ["made up"]
    assert speed.made_up(n)[1].shape == (n, 2)


def test_density_contestants_take_turns(run, monkeypatch):
    clock, turns = [0.0], []

    class Peer:
        """Takes as many seconds as its name says."""

        def __init__(self, seconds):
            self.seconds = seconds

        def fit(self, X, y):
            turns.append(self.seconds)
            clock[0] += self.seconds
            self.n_iter_ = [4, 4]

    speed = run._density_speed
    monkeypatch.setattr(speed, "perf_counter", lambda: clock[0])
    peers = {"one": lambda seed: Peer(2.0), "five": lambda seed: Peer(5.0)}
    seconds, models = speed.alternate(peers, np.zeros((3, 1)), np.zeros(3), 2)
    assert turns == [2, 5] * 3  # the first are to warm up
    assert speed.times(seconds, "five", "one") == 2.5
    assert speed.middle(seconds["five"]) == "5.00 (5.00-5.00)"
    speed.check_epochs(models["five"], 4)
    with pytest.raises(RuntimeError, match="instead of 5"):
        speed.check_epochs(models["five"], 5)


def test_five_networks_run_as_long_as_one(run):
    X, y = np.random.default_rng(0).normal(size=(2, 60, 1))
    for n_nets in (1, 5):
        model = run._density_speed.for_epochs(n_nets, 3)(0).fit(X, y[:, 0])
        run._density_speed.check_epochs([model], 3)


def test_density_prints_what_is_there(run, tmp_path, monkeypatch, capsys):
    class Marginal:
        """Standard Normals."""

        def fit(self, X, y):
            pass

        def predict_dist(self, X):
            return normals(len(X))

    write_uci(tmp_path, "yacht")
    monkeypatch.setattr(
        run._density, "contestants", lambda *arguments: {"normal x 1": lambda seed: Marginal()}
    )
    arguments = ["--splits", "3", "--sets", "yacht", "energy", "--no-ngboost"]
    run.main(["density", "--data", str(tmp_path), *arguments])
    printed = capsys.readouterr().out
    assert "density --data DIR --splits 3" in printed
    assert "Missing: energy. Source: UCI_Datasets" in printed
    assert "NGBoost is skipped" not in printed
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert [cell.strip() for cell in rows[2].split("|")][1:3] == ["yacht", "normal x 1"]
    assert " 0.67 |      no |" in rows[2]
    assert "normal x 1: as good as the figure on 0 of 1 sets." in printed


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["density"], {"splits": 20, "jobs": 1, "nets": [1, 5], "rival": True}),
        (["density", "--heads", "histogram", "--nets", "5"], {"heads": ["histogram"], "nets": [5]}),
        (["density", "--quick", "--no-ngboost"], {"sets": ("energy", "yacht"), "rival": False}),
        (["density-calibration", "--splits", "2", "--jobs", "2"], {"splits": 2, "jobs": 2}),
        (["density-covariance", "--targets", "3"], {"targets": [3], "seeds": 3, "data": None}),
        (["density-speed", "--repeats", "7"], {"repeats": 7, "threads": 1, "quick": False}),
    ],
)
def test_density_command_lines(run, arguments, expected, monkeypatch):
    seen = []
    monkeypatch.setattr(run, arguments[0].replace("-", "_"), seen.append)
    run.main(arguments)
    assert vars(seen[0]).items() >= expected.items()


# Contestants


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_raw_contestants_differ_from_their_defaults_by_the_seed(run, kind):
    for name, contestant in run._raw.CONTESTANTS.items():
        estimator = contestant(kind, 3)
        if name == run._raw.REFERENCE:
            estimator = getattr(estimator, "regressor", estimator)[-1]
        assert estimator.get_params() == type(estimator)(random_state=3).get_params()


@pytest.mark.parametrize("i", range(8))
def test_speed_contestants_share_their_parameters(run, i, monkeypatch):
    monkeypatch.setattr(run._speed.kernels, "use", lambda compiled: None)
    workload = run._workloads.WORKLOADS[i]
    theirs, ours, compiled = (
        contestant(workload, 4, "float32").get_params()
        for contestant in run._speed.CONTESTANTS.values()
    )
    own = {"feature_scaling", "target_scaling", "dtype", "early_stopping"}
    assert theirs["max_iter"] == 4
    # The others at "auto" are scikit-learn's, as the number of epochs is given.
    own |= {name for name, value in ours.items() if value == "auto"}
    assert {"hidden_layer_sizes", "batch_size", "tol", "n_iter_no_change"}.isdisjoint(own)
    assert all(ours[name] == value for name, value in theirs.items() if name not in own)
    assert ours["feature_scaling"] is None
    assert compiled == ours


# Speed and memory


def tiny(run, **settings):
    """A training of a few rows, the last batch of which is shorter."""
    return run._workloads.Workload(50, 4, (6, 5), 3, batch_size=20, epochs=1, **settings)


def test_quick_workloads_and_sparse_ones(run):
    workloads = run._workloads.WORKLOADS
    assert [w.is_quick for w in workloads] == [True] * 3 + [False] * 5
    assert [w.name for w in workloads if w.is_sparse] == ["CSR 20000x20000-100-2"]
    X, y = tiny(run, density=0.5).data(np.dtype("float32"))
    assert (X.format, X.nnz, X.dtype, len(y)) == ("csr", 100, np.float32, 50)


def test_only_the_estimators_take_sparse_rows(run):
    speed = run._speed
    names = [speed.SKLEARN, speed.TORCH, speed.JAX, speed.FLOOR, speed.OURS]
    assert list(speed.taking_part(names, tiny(run), None)) == names
    sparse = speed.taking_part(names, tiny(run, density=0.5), None)
    assert list(sparse) == [speed.SKLEARN, speed.OURS]


def test_who_is_not_installed_is_named(run, monkeypatch, capsys):
    monkeypatch.setattr(run._speed, "installed", lambda name: False)
    monkeypatch.setattr(run._speed.kernels, "available", lambda: False)
    assert run._speed.available() == [run._speed.SKLEARN, run._speed.FLOOR, run._speed.OURS]
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "PyTorch is skipped: pip install torch",
        "JAX is skipped: pip install jax",
        "skmlp compiled is skipped: pip install skmlp[accel]",
    ]


def test_floor_multiplies(run):
    products = run._peers._Products(np.random.default_rng(0), 4, 3, 5, "float64")
    x = np.random.default_rng(1).normal(size=(2, 4))
    products.run(x, 2)
    np.testing.assert_allclose(products.z[:2], x @ products.weight)
    np.testing.assert_allclose(products.grad, x.T @ products.delta[:2])
    products.run(None, 5)
    np.testing.assert_allclose(products.back, products.delta @ products.weight.T)
    floor = run._peers.Floor(tiny(run), 3, "float64")
    assert floor.fit(*tiny(run).data(np.dtype("float64"))).n_iter_ == 3


@pytest.mark.parametrize("is_classification", [True, False])
def test_peers_learn_what_is_in_their_rows(run, is_classification):
    workload = tiny(run, is_classification=is_classification)
    if not is_classification:
        workload = run._workloads.Workload(50, 4, (6,), 1, 20, 1, is_classification=False)
    curves = []
    if run._tables.installed("torch"):
        model = run._peers.PyTorch(workload, 200, "float32")
        curves.append(model.fit(*workload.data(np.dtype("float32"))).loss_curve_)
    if run._tables.installed("jax"):
        curves.append(run._jax_training.train(workload, 200, "float32"))
    for losses in curves:
        assert len(losses) == 200
        assert losses[-1] < 0.95 * losses[0]


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_memory_of_a_child_is_seen(run):
    found = run._children.observe(run._memory.prepare_array, 20_000, "float64", False)
    assert found.result > 0
    assert 70 < found.growth < 76 + run._memory.BAR_COPY  # the scaled copy is 76 MB


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_a_child_that_fails_is_an_error(run, tmp_path):
    with pytest.raises(RuntimeError, match="prepare_map.*failed"):
        run._children.observe(run._memory.prepare_map, str(tmp_path / "missing.npy"), True)


def test_maps_are_written_in_parts(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run._memory, "WRITTEN_ROWS", 3)
    run._memory.write_map(tmp_path / "X.npy", 7, "uint8")
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert (X.shape, X.dtype) == ((7, run._memory.MAPPED_FEATURES), np.uint8)
    assert len(np.unique(X, axis=0)) == 7
    assert [run._memory.verdict(mb, 50) for mb in (50, 51)] == ["met", "missed"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_predictions_take_turns(run, monkeypatch):
    predict = run._predict
    monkeypatch.setattr(predict, "LOOP_SECONDS", 0.0)
    monkeypatch.setattr(predict.kernels, "use", lambda compiled: None)
    workload = tiny(run)
    model = predict.fitted(predict.SCALED, workload, "float32")
    X = predict.rows(workload, 3, "float32")
    seconds = predict.measure({"one": model, "other": model}, "predict", X, 2)
    assert {name: len(values) for name, values in seconds.items()} == {"one": 2, "other": 2}


def test_bars_of_starts(run):
    starts = run._starts
    case = starts.Case(tiny(run), (1, 8), 3.5)
    seconds = {1: np.array([1.0]), 8: np.array([3.5])}
    assert starts.cells(seconds, case)[1:] == ["", "3.50", "", "3.5", "met"]
    seconds[8] += 0.1
    assert starts.cells(seconds, case)[-1] == "missed"
    fits = starts.contestants(lambda *arguments, n_init: n_init, case.starts)
    assert {n: fit(None, 1, "float32") for n, fit in fits.items()} == {1: 1, 8: 8}


def test_import_times_are_beyond_those_of_scikit_learn(run):
    lines = [
        "import time: self [us] | cumulative | imported package",
        "import time:      3000 |       3000 |     numpy",
        "import time:      1000 |       4000 | sklearn.neural_network",
        "import time:        70 |         70 |     scipy.signal",
        "import time:        20 |         90 |   skmlp.losses",
        "import time:        10 |        100 | skmlp",
    ]
    modules = run._footprint.parse("\n".join(lines))
    assert modules[2] == ("scipy.signal", 70, 70)
    assert run._footprint.summary(modules) == {
        "sklearn.neural_network": 4.0,
        "skmlp": 0.1,
        "its modules": 0.03,
        "others": 0.07,
    }
    assert run._footprint.others(modules) == [("scipy.signal", 0.07)]


def test_search_has_twenty_points(run, monkeypatch):
    search = run._search
    monkeypatch.setattr(search.kernels, "use", lambda compiled: None)
    assert np.prod([len(values) for values in search.GRID.values()]) == 20
    X, y = tiny(run).data(np.dtype("float64"))
    monkeypatch.setattr(search, "GRID", {"alpha": [1e-4, 1e-3]})
    for contestant in search.CONTESTANTS.values():
        seconds, report = search.run_once(contestant, X, y, 1, None)
        assert seconds > 0
        assert search.of_folds(report, "threads").shape == (6,)
        assert (search.of_folds(report, "processors") > 0).all()


def test_slopes(run):
    scaling = run._scaling
    sizes = (1, 2, 4, 8)
    assert scaling.slope(sizes, [3, 6, 12, 24]) == pytest.approx(1)
    assert scaling.last_slope(sizes, [1, 1, 1, 4]) == pytest.approx(2)
    deep = scaling.FAMILIES[2].workload(4)
    assert deep.name == "4000x64-100x100x100x100-10"
    assert deep.n_rows * deep.epochs * 37400 >= scaling.WORK


def test_scaling_draws(run, tmp_path):
    family = run._scaling.FAMILIES[0]
    result = family, (1, 2), {"skmlp": [1.0, 2.0]}
    run._scaling.draw(tmp_path / "scaling.png", [result, result])
    assert (tmp_path / "scaling.png").stat().st_size > 0


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["speed", "--quick"], {"quick": True, "threads": [1], "dtype": ["float32", "float64"]}),
        (["predict", "--threads", "1", "2"], {"threads": [1, 2], "repeats": 5}),
        (["memory", "--rows", "1000"], {"rows": 1000, "quick": False, "data": None}),
        (["starts"], {"dtype": ["float32"], "threads": [1]}),
        (["import", "--repeats", "7"], {"repeats": 7}),
        (["search", "--jobs", "2"], {"jobs": [2], "quick": False}),
        (["scaling", "--figure", "a.svg"], {"figure": "a.svg", "peers": False, "threads": 1}),
    ],
)
def test_command_lines_of_speed(run, arguments, expected, monkeypatch):
    functions = {"import": "footprint", "search": "grid_search"}
    seen = []
    name = functions.get(arguments[0], arguments[0])
    monkeypatch.setattr(run._speed_commands, name, seen.append)
    run.main(arguments)
    assert vars(seen[0]).items() >= expected.items()


# Benchmarks for asv


@pytest.fixture(scope="module")
def asv():
    """benchmarks/asv as a package under another name, as asv itself may be installed.

    The kernels that its benchmarks choose are not those of later tests.
    """
    compiled = _kernels.in_use()
    name, path = "benchmarks_asv", BENCHMARKS / "asv"
    spec = importlib.util.spec_from_file_location(
        name, path / "__init__.py", submodule_search_locations=[str(path)]
    )
    sys.modules[name] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    yield {module: importlib.import_module(f"{name}.{module}") for module in ASV_MODULES}
    _kernels.use(compiled)
    for loaded in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[loaded]


@pytest.mark.parametrize(
    "module, kind",
    [
        ("activations", "Activations"),
        ("losses", "Losses"),
        ("optimizers", "Optimizers"),
        ("fit", "Fit"),
        ("fit", "Predict"),
    ],
)
def test_asv_benchmarks_run_once(asv, module, kind):
    benchmark = getattr(asv[module], kind)
    first, *rest = benchmark.params
    assert len(benchmark.param_names) == len(benchmark.params)
    timed = [name for name in dir(benchmark) if name.startswith(("time_", "peakmem_"))]
    assert timed
    # All names of a registry, the smallest of everything else.
    names = first[:1] if kind == "Predict" else first
    for parameters in itertools.product(names, *(values[:1] for values in rest)):
        instance = benchmark()
        instance.setup(*parameters)
        for name in timed:
            getattr(instance, name)(*parameters)


def test_asv_benchmarks_without_a_compiler_are_skipped(asv, monkeypatch):
    monkeypatch.setattr(_kernels, "available", lambda: False)
    with pytest.raises(NotImplementedError, match="compile"):
        asv["activations"].use("compiled")


def test_asv_benchmarks_know_all_that_is_registered(asv):
    assert len(asv["losses"].LOSSES) == len(REGRESSION_LOSSES) + 8
    assert asv["optimizers"].STOCHASTIC == ("adam", "sgd", "rmsprop")


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
        ["memory", "--rows", "0"],
        ["search", "--jobs"],
        ["anomalies", "--seeds", "0"],
        ["compression", "--data", "somewhere"],
        ["autoencoder-speed", "--repeats", "0"],
        ["density", "--splits", "21"],
        ["density", "--heads", "gamma"],
        ["density", "--sets", "yacht", "--quick"],
        ["density-calibration", "--jobs", "0"],
        ["density-covariance", "--targets", "1"],
        ["density-speed", "--threads", "0"],
    ],
)
def test_wrong_arguments(run, arguments, capsys):
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert "usage" in capsys.readouterr().err


def test_continual_tasks_and_verdicts(run):
    continual = run._hyper_continual
    for problem, pieces in continual.PROBLEMS.items():
        tasks = continual.rows_of(problem)
        assert [rows[0][0, 0] for rows in tasks] == [0, 1, 2]
        for (X, y, X_test, y_test), (low, high, function) in zip(tasks, pieces, strict=True):
            assert X.shape == (100, 2) and X_test.shape == (50, 2)
            assert low <= X[:, 1].min() < X[:, 1].max() <= high
            assert np.std(y - function(X[:, 1])) == pytest.approx(0.05, rel=0.2)
            np.testing.assert_array_equal(y_test, function(X_test[:, 1]))
    good = np.full((10, 3), 0.001)
    one_bad = good.copy()
    one_bad[3, 0] = 0.4
    verdict = continual.verdict
    assert verdict("polynomials", 0.05, good) == ("< 0.05 10/10", "met")
    assert verdict("polynomials", 0.05, one_bad) == ("< 0.05 9/10", "met")
    assert verdict("polynomials", 0.05, 10 * good) == ("< 0.05 10/10", "missed")  # medians
    assert verdict("Chebyshev", 0.05, 10 * good) == ("< 0.02 10/10", "met")
    assert verdict("Chebyshev", 0.05, 30 * good) == ("< 0.02 0/10", "missed")
    assert verdict("polynomials", 0.0, one_bad) == ("forgotten 1/10", "missed")
    assert verdict("polynomials", 0.0, 400 * good) == ("forgotten 10/10", "met")
    assert verdict("polynomials", continual.JOINT, good) == ("", "")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_continual_errors_have_a_row_per_seed(run):
    continual = run._hyper_continual
    tasks = continual.rows_of("Chebyshev")
    immediate, found = continual.one_after_another(tasks, 0.05, n_seeds=2, epochs=2)
    assert immediate.shape == found.shape == (2, 3)
    np.testing.assert_array_equal(immediate[:, -1], found[:, -1])
    assert continual.all_at_once(tasks, 1, 2)[1].shape == (1, 3)
    assert continual.blind(tasks, 2, 2).shape == (2, 3)


def test_digits_in_parts(run):
    digits = run._hyper_digits
    X, y, X_test, y_test = digits.digits()
    assert len(X) == 1200 and len(X_test) == 597
    for task, (own, labels, test, test_labels) in enumerate(digits.permuted(0)):
        assert (own[:, 0] == task).all() and (test[:, 0] == task).all()
        np.testing.assert_array_equal(np.sort(own[:, 1:]), np.sort(X))
        np.testing.assert_array_equal(labels, y)
        np.testing.assert_array_equal(test_labels, y_test)
    parts = digits.split(0)
    assert [sorted(set(part[1])) for part in parts] == [[2 * i, 2 * i + 1] for i in range(5)]
    assert sum(len(part[0]) for part in parts) == 1200
    assert digits.epochs_of(1200) == 42 and digits.epochs_of(240) == 200


def test_bars_of_digits(run):
    digits = run._hyper_digits
    assert {*digits.BARS["permuted"], *digits.BARS["split"], *digits.QUICK} <= {*digits.CONTESTANTS}
    verdict = digits.verdict
    assert verdict("permuted", digits.FULL, 96.0, 0.5) == (">= 96", "met")
    assert verdict("permuted", digits.FULL, 96.0, 0.6) == (">= 96", "missed")
    assert verdict("split", digits.FULL, 99.2, 0.0) == (">= 99.3", "missed")
    assert verdict("permuted", digits.UNPROTECTED, 61.0, 40.0) == ("<= 60", "missed")
    assert verdict("split", digits.UNPROTECTED, 61.0, 40.0) == ("", "")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_digits_are_learned_one_after_another(run, monkeypatch):
    digits = run._hyper_digits
    monkeypatch.setattr(digits, "STEPS", 4)
    tasks = digits.split(0)
    for name in (digits.FULL, digits.JOINT, digits.SEPARATE):
        found = digits.run(name, tasks, 0)
        assert 0 <= found["final"] <= 100 and found["parameters"] >= 2410


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_of_hypernetworks(run, dtype):
    speed = run._hyper_speed
    for contestant in speed.CONTESTANTS.values():
        stepper = speed.Stepper(contestant, 16, dtype, update=True)
        before = stepper.theta.copy()
        stepper.step()
        assert stepper.grad.dtype == dtype and np.isfinite(stepper.grad).all()
        assert np.abs(stepper.theta - before).max() <= 1e-6
    ratios = speed.ratios({speed.SHARED: np.array([1.0, 2.0, 9.0]), "film": np.full(3, 3.0)})
    assert ratios == {speed.SHARED: 1.0, "film": 1.5}
    found = {speed.SHARED: np.ones(1), "film": np.full(1, 1.7)}
    assert speed.cells("film", speed.ROWS, found) == ("1.70", "1.70", "missed")
    assert speed.cells("film", 1024, found) == ("1.70", "1.70", "")


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["hypernetwork-continual"], {"seeds": 20, "quick": False}),
        (["hypernetwork-digits", "--quick"], {"seeds": 3, "quick": True}),
        (["hypernetwork-speed", "--rows", "64"], {"rows": [64], "threads": [1, 2], "repeats": 11}),
    ],
)
def test_hypernetwork_command_lines(run, arguments, expected, monkeypatch):
    seen = []
    name = arguments[0].replace("-", "_")
    if arguments[0] in run.STUDIES:
        study = (seen.append, *run.STUDIES[arguments[0]][1:])
        monkeypatch.setitem(run.STUDIES, arguments[0], study)
    monkeypatch.setattr(run, name, seen.append)
    run.main(arguments)
    assert vars(seen[0]).items() >= expected.items()


def test_waves(run):
    waves = run._hyper_groups.Waves(3)
    X, y = waves.train
    assert X.shape == (1000, 2)
    assert 0.08 < np.std(y - waves.wave(X[:, 0].astype(int), X[:, 1])) < 0.12
    assert set(waves.test_new[0][:, 0]) == set(waves.few[0][:, 0]) == set(range(100, 150))
    np.testing.assert_array_equal(waves.train[1], run._hyper_groups.Waves(3).train[1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_concatenation_is_a_dense_layer_of_row_and_embedding(run):
    groups = run._hyper_groups
    X, y = groups.Waves(0).train
    with groups.with_concatenation():
        model = groups.CONTESTANTS["concatenated 2"].make(5, random_state=0).fit(X, y)
        predicted = model.predict(X)
        network, embeddings = model._network_of(model._model), model.task_embeddings_
    theta = model.theta_[np.newaxis]
    writer, (first, _, second, _, last, offset, _) = network.ways[0].writer, network.layers
    head = writer.layers[-1]
    inputs = np.column_stack([X[:, 1:], embeddings[X[:, 0].astype(int)]])
    weight = np.concatenate([first.weight.view(theta)[0], head.weight.view(theta)[0]])
    h = inputs @ weight + first.bias.view(theta)[0] + head.bias.view(theta)[0]
    for layer in (second, last):
        h = np.tanh(h) @ layer.weight.view(theta)[0] + layer.bias.view(theta)[0]
    np.testing.assert_allclose(predicted, h[:, 0] + offset.block.view(theta)[0, 0, 0])


def test_gradient_of_concatenation(run):
    """The layer adds to what is written, so that a wrong gradient would still learn something."""
    groups = run._hyper_groups
    network = hyper_network(
        *((1, 3, 2), (Tanh(),), ((GlorotUniform(), 1.0),) * 2, groups.Concatenated()),
        *((), (), ()),
        n_tasks=4,
        embedding=2,
    )
    rng = np.random.default_rng(0)
    theta = network.initial([rng])
    rows = GroupedRows(rng.normal(size=(1, 7, 1)), np.array([0, 1, 4]), np.array([0, 2, 3]))
    d = rng.normal(size=(1, 7, 2))
    caches, grad = network.workspace(1, np.float64), np.empty_like(theta)

    def value(flat):
        return np.sum(d * network.forward(flat[np.newaxis], rows, caches))

    network.forward(theta, rows, caches)
    network.backward(theta, d.copy(), caches, grad)
    numeric = approx_fprime(theta[0], value, 1e-6)
    numeric[-2:] = 0.0  # the constant output
    np.testing.assert_allclose(grad[0], numeric, atol=1e-5)


def test_bars_of_groups(run):
    groups = run._hyper_groups
    low, high = {"known": 0.1, "new": 0.25}, {"known": 0.7, "new": 0.7}
    means = {"film 2": low, "low_rank 2": high, "separate": low, "pooled": high}
    found = [line.rpartition(", ")[2] for line in groups.verdicts(means)]
    assert found == ["met.", "missed.", "missed.", "met."]


def test_visits(run):
    subject, time = np.array([1, 0, 1, 1, 0, 0]), np.array([7.0, 0.1, 0.0, 0.2, 0.0, 9.0])
    np.testing.assert_array_equal(run._hyper_real_data.visits(subject, time), [3, 0, 2, 2, 0, 1])
    people = np.array([[0, 60, 1], [1, 60, 1], [2, 70, 0], [3, 60, 1]], float)
    assert run._hyper_real_data.runs_of_people(people) == (3, 2)


def test_folds_of_groups(run):
    rng = np.random.default_rng(0)
    group, block = np.repeat(np.arange(10), 20), np.arange(200) // 2
    X = np.column_stack([group, group + 100, rng.normal(size=200)])
    data = run._hyper_real_data.Groups(X, rng.normal(size=200), block, 1, 3, ({},))
    for train, test in data.within(0):
        assert set(data.group[train]) == set(data.group[test]) == set(range(10))
        assert not set(block[train]) & set(block[test])
    for train, test in data.between(0):
        assert not set(data.group[train]) & set(data.group[test])
        few, others = data.some(test, 0)
        assert np.bincount(group[few])[np.unique(group[test])].tolist() == [3, 3]
        assert not set(block[few]) & set(block[others])
    plain = run._hyper_real.Contestant(None).seen(data)
    np.testing.assert_array_equal(plain, X[:, [0, 2]])


def test_separate_models(run):
    X, y = np.array([[0, 1], [0, 2], [5, 3.0]]), np.array([1.0, 3.0, 7.0])
    model = run._hyper_groups.Separate(DummyRegressor()).fit(X, y)
    np.testing.assert_array_equal(model.predict(X[::-1]), [7, 2, 2])


def test_real_groups_print_what_is_there(run, tmp_path, monkeypatch, capsys):
    means = {name: run._hyper_real.CONTESTANTS[name] for name in ("mean", "mean of the group")}
    monkeypatch.setattr(run._hyper_real, "CONTESTANTS", means)
    (tmp_path / "regression").mkdir()
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(1, 9, 200), np.repeat(rng.normal(size=(10, 4)), 20, axis=0)])
    np.savez(tmp_path / "regression" / "airfoil.npz", X=X, y=X[:, 1])
    sets = ["--sets", "voice", "airfoil", "--quick"]
    run.main(["hypernetwork-real", "--data", str(tmp_path), *sets])
    printed = capsys.readouterr().out
    assert "Missing: parkinsons." in printed
    assert "airfoil: 200 rows of 10 groups" in printed
    assert "Least error: mean of the group." in printed
