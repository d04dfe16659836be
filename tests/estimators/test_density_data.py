"""Any container, dtype, weight and scale of rows; any data either fits or is refused in words."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, csr_array

from skmlp import DensityRegressor
from skmlp.families import FAMILIES
from skmlp.optimizers import OPTIMIZERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
COUNTS = RNG.poisson(np.exp(1.0 + 0.5 * X[:, 0])) + 1.0
Y = 3.0 * X[:, 0] + RNG.normal(size=60)
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0}
EVERY = pytest.mark.parametrize("name", FAMILIES)
ONE = pytest.mark.parametrize("name", ["normal", "gamma", "normal_mixture", "histogram", "poisson"])


def model_of(name="normal", **params):
    return DensityRegressor(name, **{**SMALL, **params})


def assert_alike(first, second, rows=X, **tolerance):
    np.testing.assert_allclose(first.predict(rows), second.predict(rows), **tolerance)
    ranks = [model.predict_quantile(rows, [0.1, 0.7]) for model in (first, second)]
    np.testing.assert_allclose(*ranks, **tolerance)


# ---- containers and dtypes -----------------------------------------------------------------------


def test_frames_and_series():
    frame, target = pd.DataFrame(X, columns=["a", "b", "c"]), pd.Series(COUNTS, name="n")
    plain, model = model_of("poisson").fit(X, COUNTS), model_of("poisson").fit(frame, target)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    # A frame may lie in memory in another order, in which sums are rounded in another way.
    np.testing.assert_allclose(model.predict(frame), plain.predict(X), rtol=1e-9)
    expected = plain.log_prob(X, COUNTS)
    np.testing.assert_allclose(model.log_prob(frame, target), expected, rtol=1e-9)
    assert model.calibrate(frame, target).score(frame, target) < 0
    for method, rest in (("predict", ()), ("sample_y", ()), ("pit", (target,)),
                         ("predict_dist", ()), ("calibrate", (target,))):  # fmt: skip
        with pytest.raises(ValueError, match="feature names"):
            getattr(model, method)(frame[["b", "a", "c"]], *rest)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict_interval(X)


def test_several_targets_in_a_frame():
    target = pd.DataFrame({"u": Y, "v": X[:, 1]})
    model = model_of().fit(X, target)
    assert model.predict(X).shape == (60, 2)
    assert model.score(X, target) == model.score(X, target.to_numpy())


@EVERY
def test_whole_numbers_and_booleans(name):
    floats = model_of(name).fit(X.round(), COUNTS)
    ints = model_of(name).fit(X.round().astype(int), COUNTS.astype(np.int32))
    assert_alike(ints, floats, X.round())
    lists = model_of(name).fit(X.round().tolist(), COUNTS.astype(int).tolist())
    assert_alike(lists, floats, X.round())
    objects = model_of(name).fit(X.astype(object), COUNTS.astype(object))
    assert_alike(objects, model_of(name).fit(X, COUNTS))


def test_booleans():
    assert_alike(model_of("poisson").fit(X, Y > 0), model_of("poisson").fit(X, 1.0 * (Y > 0)))


@EVERY
@pytest.mark.parametrize("several", [False, True])
def test_float32_stays_float32(name, several):
    if several and name != "normal":
        return
    narrow, target = X.astype(np.float32), np.c_[Y, X[:, 1]] if several else COUNTS
    model, wide = model_of(name).fit(narrow, target), model_of(name).fit(X, target)
    assert model.theta_.dtype == np.float32
    for values in (
        *model.predict(narrow, return_std=True),
        *model.predict(narrow, return_cov=True),
        model.predict_quantile(narrow, [0.1, 0.5]),
        model.predict_interval(narrow),
        model.sample_y(narrow, 2),
    ):
        assert values.dtype == np.float32 and np.isfinite(values).all()
    for values in (model.log_prob(narrow, target), model.predict_dist(narrow).mean()):
        assert values.dtype == np.float64
    assert_alike(model, wide, narrow, rtol=2e-3, atol=2e-3)
    assert model_of(name, dtype="float32").fit(X, target).predict(X).dtype == np.float32
    assert model_of(name, dtype="float64").fit(narrow, target).predict(narrow).dtype == np.float64


@pytest.mark.parametrize("convert", [csr_array, csc_matrix])
@ONE
def test_sparse_rows(name, convert):
    rows = convert(np.where(np.abs(X) > 0.5, X, 0.0))
    model = model_of(name).fit(rows, COUNTS)
    assert_alike(model, model, rows)
    np.testing.assert_allclose(model.predict(rows), model.predict(rows.toarray()), rtol=1e-12)
    assert np.isfinite(model.calibrate(rows, COUNTS).log_prob(rows, COUNTS)).all()
    np.testing.assert_allclose(
        model_of(name, feature_scaling=None).fit(rows.toarray(), COUNTS).predict(rows),
        model_of(name, feature_scaling=None).fit(rows.toarray(), COUNTS).predict(rows.toarray()),
    )


def test_sparse_targets_are_refused():
    with pytest.raises((TypeError, ValueError), match="[Ss]parse"):
        model_of().fit(X, csr_array(np.c_[Y, Y]))


@pytest.mark.parametrize("params", [{}, {"calibration_fraction": 0.4}, {"early_stopping": True}])
def test_memory_maps(tmp_path, params):
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", Y)
    mapped, target = (np.load(tmp_path / f"{n}.npy", mmap_mode="r") for n in ("X", "y"))
    params = {**params, "shuffle": False}
    model, plain = model_of(**params).fit(mapped, target), model_of(**params).fit(X, Y)
    assert_alike(model, plain, rtol=1e-9)
    np.testing.assert_array_equal(model.predict(mapped), model.predict(X))


# ---- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@EVERY
def test_weights_stand_for_repeated_rows(name, solver):
    weight = np.arange(60) % 4
    params = {"solver": solver, "shuffle": False, "alpha": 0.0}
    model = model_of(name, **params).fit(X, COUNTS, weight)
    repeated = model_of(name, **params).fit(X.repeat(weight, axis=0), COUNTS.repeat(weight))
    assert_alike(model, repeated, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("loss", ["crps", "beta_nll"])
def test_weights_with_other_scores(loss):
    weight = np.arange(60) % 4
    model = model_of(loss=loss, shuffle=False).fit(X, Y, weight)
    repeated = model_of(loss=loss, shuffle=False).fit(X.repeat(weight, axis=0), Y.repeat(weight))
    assert_alike(model, repeated, rtol=1e-5)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical", "tied"])
def test_weights_with_several_targets(kind):
    weight, target = np.arange(60) % 4, np.c_[Y, 100.0 * X[:, 1]]
    params = {"covariance_type": kind, "shuffle": False}
    model = model_of(**params).fit(X, target, weight)
    repeated = model_of(**params).fit(X.repeat(weight, axis=0), target.repeat(weight, axis=0))
    assert_alike(model, repeated, rtol=1e-5)
    cov = [m.predict(X, return_cov=True)[1] for m in (model, repeated)]
    np.testing.assert_allclose(*cov, rtol=1e-5)


@EVERY
def test_rows_of_weight_zero_are_not_there(name):
    weight = np.r_[np.zeros(20), np.ones(40)]
    odd = COUNTS.copy()
    odd[:10] = 1e6
    model = model_of(name).fit(X, odd, weight)
    without = model_of(name).fit(X[20:], COUNTS[20:])
    assert_alike(model, without, rtol=1e-9)
    heavy = model_of(name).fit(X[20:], COUNTS[20:], np.full(40, 7.0))
    assert_alike(heavy, without, rtol=0.05)


# ---- odd targets ---------------------------------------------------------------------------------


def assert_sane(model, rows, y):
    mean, sd = model.predict(rows, return_std=True)
    assert np.isfinite(mean).all() and np.isfinite(sd).all() and (sd >= 0).all()
    assert np.isfinite(model.predict_interval(rows)).all()
    assert np.isfinite(model.log_prob(rows, y)).all()
    assert np.isfinite(model.sample_y(rows, 2, 0)).all()


@pytest.mark.parametrize("n", [1, 2, 3])
@EVERY
def test_few_rows(name, n):
    model = model_of(name).fit(X[:n], COUNTS[:n])
    assert_sane(model, X, COUNTS)


@pytest.mark.parametrize("solver", ["adam", "rmsprop", "lbfgs"])
@EVERY
def test_a_constant_target_is_learned(name, solver):
    y = np.full(60, 7.0)
    params = {"hidden_layer_sizes": (20,), "learning_rate_init": 0.01, "max_iter": 100}
    model = model_of(name, solver=solver, **params).fit(X, y)
    assert_sane(model, X, y)
    np.testing.assert_allclose(model.predict(X), 7.0, atol=1.0)


@EVERY
def test_plain_gradients_of_a_constant_target_are_finite_or_refused(name):
    """Densities of no width have gradients without bound."""
    y = np.full(60, 7.0)
    try:
        model = model_of(name, solver="sgd", max_iter=50).fit(X, y)
    except ValueError as error:
        assert "Lower learning_rate_init" in str(error)
    else:
        assert_sane(model, X, y)


@EVERY
def test_rows_that_are_all_alike(name):
    params = {"learning_rate_init": 0.02, "max_iter": 60}
    model = model_of(name, **params).fit(np.ones((60, 3)), COUNTS)
    assert_sane(model, X, COUNTS)
    # Nothing is known but the marginal.
    at_ones = model.predict(np.ones((1, 3)))[0]
    assert abs(at_ones - COUNTS.mean()) < 0.3 * COUNTS.std()


@pytest.mark.parametrize("kind", ["full", "diag", "spherical", "tied"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows_of_several_targets(n, kind):
    target = np.c_[Y, X[:, 1], X[:, 2]]
    model = model_of(covariance_type=kind).fit(X[:n], target[:n])
    assert np.isfinite(model.log_prob(X, target)).all()
    factors = model.predict_dist(X).params["scale_tril"]
    assert np.isfinite(factors).all()
    assert (np.diagonal(factors, axis1=1, axis2=2) > 0).all()


@pytest.mark.parametrize("unit", [1e-8, 1e8, 1e-30, 1e30])
@pytest.mark.parametrize("name", [n for n in FAMILIES if n not in ("poisson", "negative_binomial")])
def test_extreme_units(name, unit):
    model, plain = model_of(name).fit(X, COUNTS * unit), model_of(name).fit(X, COUNTS)
    assert_sane(model, X, COUNTS * unit)
    np.testing.assert_allclose(model.predict(X) / unit, plain.predict(X), rtol=1e-5)
    np.testing.assert_allclose(
        model.score(X, COUNTS * unit), plain.score(X, COUNTS) - np.log(unit), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", ["poisson", "negative_binomial"])
def test_large_counts(name):
    y = np.round(COUNTS * 1e8)
    assert_sane(model_of(name).fit(X, y), X, y)


@EVERY
def test_a_large_offset_leaves_finite_densities(name):
    if name in ("normal", "laplace", "student_t", "normal_mixture", "histogram"):
        model, plain = model_of(name).fit(X, Y + 1e8), model_of(name).fit(X, Y)
        assert_sane(model, X, Y + 1e8)
        assert model.score(X, Y + 1e8) == pytest.approx(plain.score(X, Y), abs=1e-3)
    else:
        assert_sane(model_of(name).fit(X, COUNTS + 10_000.0), X, COUNTS + 10_000.0)


@pytest.mark.parametrize("size", [1e3, 1e6, 1e9])
@EVERY
def test_outliers_do_no_harm(name, size):
    y = COUNTS.copy()
    y[[3, 30]] = size
    model = model_of(name, max_iter=30, learning_rate_init=0.01).fit(X, y)
    assert_sane(model, X, y)
    rows = X.copy()
    rows[0] = size
    assert np.isfinite(model.predict_interval(rows)).all()
    assert np.isfinite(model_of(name).fit(rows, y).loss_)


@EVERY
def test_numbers_beyond_all_bounds_are_refused(name):
    with pytest.raises(ValueError, match="y has values .*Divide"):
        model_of(name).fit(X, np.round(COUNTS * 1e160))


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_far_out_of_the_data_have_densities(name, dtype):
    model = model_of(name).fit(X.astype(dtype), COUNTS)
    for factor in (1e2, 1e4, 1e8):
        rows = (factor * X).astype(dtype)
        assert np.isfinite(model.log_prob(rows, COUNTS)).all()
        # Those of float32 may be infinite, but must not be NaN, nor warn.
        for values in (*model.predict(rows, return_std=True), model.predict_interval(rows)):
            assert not np.isnan(values).any()
            assert dtype == np.float32 or np.isfinite(values).all()


# ---- whatever comes ------------------------------------------------------------------------------

quick = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
PARAMS = {
    "distribution": st.sampled_from(sorted(FAMILIES)),
    "loss": st.sampled_from(["nll", "crps", "beta_nll"]),
    "covariance_type": st.sampled_from(["full", "diag", "spherical", "tied"]),
    "n_bins": st.sampled_from([2, 20, 100]),
    "binning": st.sampled_from(["quantile", "uniform"]),
    "n_mixture_components": st.integers(1, 4),
    "calibration_fraction": st.sampled_from([0.0, 0.8]),
    "hidden_layer_sizes": st.lists(st.integers(1, 6), max_size=2).map(tuple),
    "solver": st.sampled_from(sorted(OPTIMIZERS)),
    "learning_rate_init": st.sampled_from([1e-4, 1e-2, 1.0]),
    "early_stopping": st.booleans(),
    "n_init": st.integers(1, 2),
    "combine_inits": st.sampled_from(["best", "average"]),
    "dtype": st.sampled_from(["auto", "float32", "float64"]),
}
ROWS = {
    "n": st.integers(1, 40),
    "unit": st.sampled_from([1e-20, 1.0, 1e12]),
    "scale": st.sampled_from([0.0, 1e-3, 1.0, 1e8]),
    "n_targets": st.sampled_from([1, 1, 2]),
    "weighted": st.booleans(),
    "whole": st.booleans(),
    "sparse": st.booleans(),
    "seed": st.integers(0, 5),
}


@quick
@given(st.fixed_dictionaries({}, optional=PARAMS), st.fixed_dictionaries(ROWS))
def test_any_combination_fits_or_is_refused_in_words(params, rows):
    rng = np.random.default_rng(rows["seed"])
    features = rng.normal(size=(rows["n"], 2)) * rows["scale"]
    features = csr_array(features) if rows["sparse"] else features
    y = rng.gamma(1.0, size=(rows["n"], rows["n_targets"])) * rows["unit"]
    y = (np.floor(y) + 1.0 if rows["whole"] else y)[:, 0 if rows["n_targets"] == 1 else slice(None)]
    weight = rng.integers(0, 3, size=rows["n"]).astype(float) if rows["weighted"] else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What training and data may say; everything else is a leak, NumPy's warnings above all.
        warnings.simplefilter("ignore", UserWarning)
        try:
            model = DensityRegressor(**{**SMALL, **params}).fit(features, y, weight)
        except ValueError as error:
            assert len(str(error)) > 30
            return
        assert np.isfinite(model.theta_).all() and np.isfinite(model.loss_)
        mean, sd = model.predict(features, return_std=True)
        assert np.isfinite(mean).all() and (sd >= 0).all() and mean.shape == y.shape
        assert np.isfinite(model.log_prob(features, y)).all()
        quantiles = model.predict_quantile(features, [0.1, 0.5, 0.9])
        assert quantiles.shape == (*y.shape, 3) and (np.diff(quantiles, axis=-1) >= 0).all()
