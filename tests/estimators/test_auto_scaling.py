"""feature_scaling="auto": robust scaling for columns with heavy tails, standard for all others."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from skmlp import DensityRegressor, HypernetworkRegressor, MLPClassifier, MLPRegressor
from skmlp.estimators._design import Design
from skmlp.estimators._encoding import (
    SCREENED_ROWS,
    AutoScaling,
    RobustScaling,
    StandardScaling,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0}
CLASSES = [MLPRegressor, MLPClassifier, DensityRegressor, HypernetworkRegressor]


def wild(x, rng):
    """x with five outliers in six hundred rows, wherever they are."""
    return np.where(rng.permutation(len(x)) < 5 * len(x) // 600, 1e12, x)


TAME = {
    "normal": lambda rng, n: rng.normal(size=n),
    "far from 0": lambda rng, n: 1e6 + rng.normal(size=n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "log-normal": lambda rng, n: rng.lognormal(0.0, 1.0, n),
    "t, 3": lambda rng, n: rng.standard_t(3, n),
    "counts": lambda rng, n: rng.poisson(1.0, n) * 1.0,
    "rare flag": lambda rng, n: (rng.random(n) < 0.01) * 1.0,
    "constant": lambda rng, n: np.full(n, 0.1),
    "all gaps": lambda rng, n: np.full(n, np.nan),
    # A second group of rows, whose sizes say something, is no tail.
    "two groups": lambda rng, n: np.where(
        rng.random(n) < 0.7, rng.random(n), rng.uniform(5, 99, n)
    ),
}
HEAVY = {
    "log-normal, 3": lambda rng, n: rng.lognormal(0.0, 3.0, n),
    "log-normal, 8": lambda rng, n: rng.lognormal(0.0, 8.0, n),
    "outliers": lambda rng, n: wild(rng.normal(size=n), rng),
    "outliers and gaps": lambda rng, n: wild(np.where(rng.random(n) < 0.2, np.nan, 1), rng)
    * rng.normal(size=n),
    "a number for gaps": lambda rng, n: np.where(rng.random(n) < 0.1, -999.0, rng.normal(size=n)),
    "small": lambda rng, n: 1e-30 * wild(rng.normal(size=n), rng),
}  # fmt: skip
HEAVY["Cauchy"] = lambda rng, n: np.tan(np.pi * (rng.permutation(n) + 0.5 - n / 2) / n)


def table(kinds, n=600, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([column(rng, n) for column in kinds.values()])


ROWS = table({"tame": TAME["normal"], "heavy": HEAVY["outliers"], "other": TAME["exponential"]})
Y = ROWS[:, 0] + ROWS[:, 2] + np.random.default_rng(1).normal(size=600)


def transformed(scaling, X):
    out = np.empty(X.shape)
    scaling.transform(X, out)
    return out


@pytest.mark.parametrize("n", [600, 5 * SCREENED_ROWS])
def test_which_columns_have_heavy_tails(n):
    X = table({**TAME, **HEAVY}, n)
    found = AutoScaling.fit(X).heavy.tolist()
    assert found == list(range(len(TAME), len(TAME) + len(HEAVY)))


def test_units_do_not_matter():
    X = table({**TAME, **HEAVY})
    for unit in (2.0**-40, -(2.0**40)):
        np.testing.assert_array_equal(AutoScaling.fit(unit * X).heavy, AutoScaling.fit(X).heavy)


def test_each_column_is_scaled_as_by_its_kind():
    found = transformed(AutoScaling.fit(ROWS), ROWS)
    expected = transformed(StandardScaling.fit(ROWS), ROWS)
    expected[:, 1] = transformed(RobustScaling.fit(ROWS), ROWS)[:, 1]
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found).max() < 12.0


def test_back_again():
    scaling = AutoScaling.fit(ROWS)
    rows = np.where(ROWS > 1e11, 5.0, ROWS)
    np.testing.assert_allclose(scaling.inverse(transformed(scaling, rows)), rows, atol=1e-12)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_heavy_tails_it_is_standard_bit_for_bit(cls, dtype):
    X = table({name: TAME[name] for name in ("far from 0", "exponential", "rare flag", "counts")})
    X, y = X.astype(dtype), X[:, 1] > 1 if cls is MLPClassifier else X[:, 1]
    X[::7, 1] = np.nan
    default, standard = (
        cls(**SMALL, **kind).fit(X, y) for kind in ({}, {"feature_scaling": "standard"})
    )
    np.testing.assert_array_equal(default.theta_, standard.theta_)
    np.testing.assert_array_equal(default.predict(X), standard.predict(X))
    assert default.get_params()["feature_scaling"] == "auto"


def test_without_heavy_tails_there_are_effective_weights():
    X = ROWS[:, [0, 2]]
    for cls in CLASSES:
        y = Y > 1 if cls is MLPClassifier else Y
        default, standard = (
            cls(**SMALL, **kind).fit(X, y) for kind in ({}, {"feature_scaling": "standard"})
        )
        for found, expected in zip(default.coefs_, standard.coefs_, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_what_is_bent_has_no_effective_weights(name):
    model = MLPRegressor(**SMALL).fit(ROWS, Y)
    message = f"{name} does not exist with feature_scaling='auto'.*of column 1,.*'standard'"
    with pytest.raises(AttributeError, match=message):
        getattr(model, name)
    frame = pd.DataFrame({"key": ["a", "b"] * 300, "x": ROWS[:, 0], "income": ROWS[:, 1]})
    model = DensityRegressor(**SMALL).fit(frame, Y)
    with pytest.raises(AttributeError, match="of column 'income', which"):
        getattr(model, name)
    getattr(MLPRegressor(**SMALL, feature_scaling="standard").fit(ROWS, Y), name)


def test_tasks_and_contexts_are_no_columns_of_the_main_network():
    tasks = np.where(np.arange(600) < 5, 10**6, np.arange(600) % 3)
    X = np.column_stack([tasks, ROWS])
    params = {**SMALL, "task_features": [0]}
    model = HypernetworkRegressor(**params, context_features=[2]).fit(X, Y)
    assert Design.restore(model._design).bent.tolist() == [0, 2]
    assert model.task_parameters(1, [0.5])[0][0].shape == (2, 6)
    with pytest.raises(AttributeError, match="of column 2, which"):
        HypernetworkRegressor(**params).fit(X, Y).task_parameters(1)


def test_statistics_of_tame_columns_move_and_change_no_prediction():
    rng = np.random.default_rng(2)
    later = rng.normal(size=(300, 3)) * [50.0, 1e9, 3.0] + [100.0, -7.0, 1.0]
    settings = {**SMALL, "learning_rate_init": 1e-300, "feature_scaling": "auto"}
    model = MLPRegressor(**settings).partial_fit(ROWS, Y)
    both = np.vstack([ROWS, later])
    expected, first = model.predict(both), Design.restore(model._design).features
    model.partial_fit(later, Y[:300])
    np.testing.assert_allclose(model.predict(both), expected, rtol=1e-8)
    moved, standard = Design.restore(model._design).features, StandardScaling.fit(both)
    assert moved.heavy.tolist() == [1]
    np.testing.assert_allclose(moved.shift[[0, 2]], standard.shift[[0, 2]], rtol=1e-10)
    np.testing.assert_allclose(moved.scale[[0, 2]], standard.scale[[0, 2]], rtol=1e-10)
    assert (moved.shift[1], moved.scale[1]) == (first.shift[1], first.scale[1])


def test_the_first_rows_decide():
    tame = ROWS[:, [0, 2]]
    scaling = AutoScaling.fit(tame).update(1e9 * tame[:5]).update(tame)
    assert not scaling.heavy.size and scaling.affine


@pytest.mark.parametrize("n", [600, 3 * SCREENED_ROWS])
def test_weights_count_as_repeated_rows(n):
    X = table(HEAVY, n, seed=3)
    weight = np.random.default_rng(4).integers(0, 4, size=n)
    # What does not count may be anything.
    X[weight == 0] *= 1e6
    found, expected = AutoScaling.fit(X, weight), AutoScaling.fit(np.repeat(X, weight, axis=0))
    np.testing.assert_array_equal(found.heavy, expected.heavy)
    assert found.heavy.size > 3
    np.testing.assert_array_equal(found.shift[found.heavy], expected.shift[found.heavy])
    np.testing.assert_array_equal(found.scale[found.heavy], expected.scale[found.heavy])


def test_an_outlier_that_counts_for_nothing_is_none():
    weight = (ROWS[:, 1] < 1e11) * 1.0
    assert not AutoScaling.fit(ROWS, weight).heavy.size
    assert not AutoScaling.fit(ROWS, index=np.flatnonzero(weight)).heavy.size


def test_a_period_of_the_rows_does_not_matter():
    # Every hundredth row of a table sorted by the hour is always the same hour.
    hour = np.arange(100 * SCREENED_ROWS) % 100
    assert not AutoScaling.fit(np.column_stack([hour, hour == 7]) * 1.0).heavy.size


@pytest.mark.parametrize("cls", CLASSES)
def test_pickles_know_what_is_bent(cls):
    y = Y > 1 if cls is MLPClassifier else Y
    model = cls(**{**SMALL, "warm_start": True}).fit(ROWS, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(ROWS), model.predict(ROWS))
    np.testing.assert_array_equal(again.fit(ROWS, y).theta_, model.fit(ROWS, y).theta_)


def test_gaps_in_a_column_with_heavy_tails_are_filled_by_the_median():
    X = ROWS.copy()
    X[::5, :2] = np.nan
    model = MLPRegressor(**SMALL).fit(X, Y)
    fill = model._design["expansion"]["fill"]
    expected = [np.nanmean(X[:, 0]), np.nanmedian(X[:, 1]), X[:, 2].mean()]
    np.testing.assert_allclose(fill, expected, rtol=1e-10)


def test_rows_are_scaled_alike_however_they_come(tmp_path):
    on_disk = np.memmap(tmp_path / "X.bin", dtype=np.float64, mode="w+", shape=ROWS.shape)
    on_disk[:] = ROWS
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    model = MLPRegressor(**SMALL, shuffle=False)
    expected = model.fit(ROWS, Y).predict(ROWS)
    for X in (on_disk, frame, np.asfortranarray(ROWS)):
        np.testing.assert_allclose(model.fit(X, Y).predict(X), expected, rtol=1e-9)
    sparse = csr_array(np.where(np.abs(ROWS) > 1.0, ROWS, 0.0))
    scaling = AutoScaling.fit(sparse)
    np.testing.assert_array_equal(scaling.scale, StandardScaling.fit(sparse).scale)
    assert scaling.affine and scaling.shift is None
    np.testing.assert_array_equal(AutoScaling.restore(scaling.state()).scale, scaling.scale)


def test_a_variance_that_overflows_is_refused():
    with pytest.raises(ValueError, match=r"variance of its columns \[1\] overflows"):
        MLPRegressor(**SMALL).fit(np.where(ROWS > 1e11, 1e200, ROWS), Y)


def test_another_kind_is_refused_later():
    model = MLPRegressor(**SMALL).partial_fit(ROWS, Y)
    with pytest.raises(ValueError, match="feature_scaling='standard' differs from .* 'auto'"):
        model.set_params(feature_scaling="standard").partial_fit(ROWS, Y)
