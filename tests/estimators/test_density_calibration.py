"""Calibration on rows kept apart, ranks, and what intervals may then promise."""

import copy
import pickle
from functools import cache

import numpy as np
import pytest
from scipy import stats

from skmlp import DensityRegressor
from skmlp.families import FAMILIES

SMALL = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "random_state": 0}
SMALL |= {"learning_rate": "one_cycle", "max_iter": 30, "batch_size": 48}
# Far too long for so few rows: too sure of itself.
OVERFITTED = {**SMALL, "hidden_layer_sizes": (50,), "max_iter": 150, "alpha": 0.0}
METHODS = pytest.mark.parametrize("method", ["pit", "scale"])
NAMES = ["normal", "normal_mixture", "student_t", "laplace"]
COUNTS = {"poisson", "negative_binomial"}


@cache
def data(n, seed, kind="real"):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.0, 1.0, size=(n, 2))
    if kind == "counts":
        return X, rng.poisson(np.exp(1.0 + X[:, 0])).astype(float)
    y = 2.0 * X[:, 0] + 0.5 * rng.normal(size=n)
    return X, np.exp(y) if kind == "positive" else y


def two_targets(n, seed):
    X, y = data(n, seed)
    return X, np.c_[y, 100.0 * (data(n, seed + 1000)[1] + y)]


def data_for(name, n, seed):
    positive = "positive" if name in ("gamma", "lognormal") else "real"
    return data(n, seed, "counts" if name in COUNTS else positive)


@cache
def overfitted(name="normal"):
    """Tests must not change it."""
    return DensityRegressor(name, **OVERFITTED).fit(*data_for(name, 60, 0))


def calibrated(name="normal", n=500, **given):
    return copy.deepcopy(overfitted(name)).calibrate(*data_for(name, n, 1), **given)


X_TEST, Y_TEST = data(1500, 2)


def miscoverage(model, *coverages):
    errors = []
    for coverage in coverages or (0.5, 0.8, 0.9):
        low, high = model.predict_interval(X_TEST, coverage).T
        errors.append(abs(np.mean((low <= Y_TEST) & (Y_TEST <= high)) - coverage))
    return max(errors)


# ---- what it does --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@METHODS
def test_a_model_too_sure_of_itself_is_corrected(name, method):
    before, after = overfitted(name), calibrated(name, method=method)
    assert after.score(X_TEST, Y_TEST) > before.score(X_TEST, Y_TEST) + 0.02
    assert miscoverage(before) > 0.1
    if method == "pit":
        assert miscoverage(after) < 0.05
    else:
        # One factor widens all quantiles alike, whatever their errors: it is the outer ones that
        # the likelihood asks for.
        assert miscoverage(after, 0.9) < 0.7 * miscoverage(before, 0.9)


def test_ranks_are_uniform_after_it():
    before, after = (
        stats.kstest(model.pit(X_TEST, Y_TEST), "uniform").statistic
        for model in (overfitted(), calibrated())
    )
    assert after < 0.06 < before


@pytest.mark.parametrize("name", FAMILIES)
def test_every_distribution_can_be_calibrated(name):
    X, y = data_for(name, 3000, 2)
    model = calibrated(name)
    assert model.calibration_["method"] == "pit" and model.calibration_["n_samples"] == 500
    assert model.score(X, y) > overfitted(name).score(X, y) - 0.02
    dist = model.predict_dist(X[:200])
    quantiles = model.predict_quantile(X[:200], [0.05, 0.3, 0.5, 0.9])
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (dist.cdf(y[:200]) >= 0).all() and (dist.cdf(y[:200]) <= 1).all()
    np.testing.assert_allclose(model.predict(X[:200]), dist.mean())
    assert np.isfinite(dist.std()).all() and np.isfinite(model.sample_y(X[:200], 2)).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_there_still_is_a_density(name):
    dist = calibrated(name).predict_dist(data_for(name, 3, 2)[0])
    if name in COUNTS:
        total = dist.pdf(np.arange(3000.0)[np.newaxis]).sum(axis=1)
    else:
        y = dist.ppf(np.linspace(1e-6, 1 - 1e-6, 8001))
        middle, width = 0.5 * (y[:, 1:] + y[:, :-1]), np.diff(y)
        total = (dist.pdf(middle) * width).sum(axis=1)
    np.testing.assert_allclose(total, 1.0, atol=5e-3)


@METHODS
def test_density_and_distribution_function_agree(method):
    model = calibrated(method=method)
    dist = model.predict_dist(X_TEST[:50])
    levels = np.linspace(0.013, 0.987, 9)
    y = dist.ppf(levels)
    np.testing.assert_allclose(dist.cdf(y), np.broadcast_to(levels, y.shape), atol=1e-9)
    np.testing.assert_allclose(dist.sf(y), 1.0 - dist.cdf(y), atol=1e-9)
    step = 1e-6
    slope = (dist.cdf(y + step) - dist.cdf(y - step)) / (2 * step)
    np.testing.assert_allclose(dist.pdf(y), slope, rtol=1e-3)
    values = dist.sample(4000, 0)
    np.testing.assert_allclose(values.mean(axis=1), dist.mean(), atol=0.1)


def test_scale_stretches_about_the_mean():
    before, after = overfitted(), calibrated(method="scale")
    (factor,) = after.calibration_["factor"]
    assert factor > 1.2
    mean, sd = before.predict(X_TEST, return_std=True)
    stretched, wider = after.predict(X_TEST, return_std=True)
    np.testing.assert_allclose(stretched, mean, rtol=1e-10)
    np.testing.assert_allclose(wider, factor * sd, rtol=1e-10)


def test_the_stretch_is_that_of_the_largest_likelihood():
    X, y = data(500, 1)
    mean, sd = overfitted().predict(X, return_std=True)
    expected = np.sqrt(np.mean(((y - mean) / sd) ** 2))
    assert calibrated(method="scale").calibration_["factor"][0] == pytest.approx(expected, rel=1e-4)


def test_a_right_model_is_left_about_as_it_is():
    X, y = data(3000, 3)
    model = DensityRegressor(**SMALL).fit(X, y)
    before = model.score(X_TEST, Y_TEST)
    model.calibrate(*data(1000, 4))
    assert model.score(X_TEST, Y_TEST) == pytest.approx(before, abs=0.03)


def test_several_targets_keep_their_correlations():
    model = DensityRegressor(**OVERFITTED).fit(*two_targets(60, 0))
    X, Y = two_targets(2000, 2)
    before, corr = model.score(X, Y), model.predict_dist(X).corr()
    assert model.calibrate(*two_targets(500, 1)) is model
    assert model.calibration_["method"] == "scale" and len(model.calibration_["factor"]) == 2
    assert model.score(X, Y) > before + 0.1
    np.testing.assert_allclose(model.predict_dist(X).corr(), corr, rtol=1e-8)
    with pytest.raises(ValueError, match="method='pit' is for one target.*method='scale'"):
        model.calibrate(*two_targets(500, 1), method="pit")


def test_averaged_networks_can_be_calibrated():
    model = DensityRegressor(n_init=3, combine_inits="average", **OVERFITTED).fit(*data(60, 0))
    apart = model.uncertainty(X_TEST[:5]).total
    for method in ("pit", "scale"):
        before = copy.deepcopy(model).score(X_TEST, Y_TEST)
        after = copy.deepcopy(model).calibrate(*data(500, 1), method=method)
        assert after.score(X_TEST, Y_TEST) > before
        np.testing.assert_array_equal(after.uncertainty(X_TEST[:5]).total, apart)


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_counts_keep_their_tails(name):
    X = data_for(name, 5, 2)[0]
    before, after = overfitted(name), calibrated(name)
    counts = np.array([0.0, 5.0, 20.0, 60.0, 300.0])
    for y in counts:
        found, given = (model.log_prob(X, np.full(5, y)) for model in (after, before))
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, given, atol=4.0)


# ---- how it is asked for -------------------------------------------------------------------------


@METHODS
def test_a_second_call_replaces_the_first(method):
    once, twice = (calibrated(method=method) for _ in range(2))
    twice.calibrate(*data(100, 9)).calibrate(*data(500, 1), method=method)
    assert once.calibration_ == twice.calibration_


@pytest.mark.parametrize("name", ["normal", "poisson"])
@METHODS
def test_weights_stand_for_repeated_rows(name, method):
    if (name, method) == ("poisson", "scale"):
        return
    X, y = data_for(name, 200, 1)
    weight = np.arange(200) % 3
    weighted, repeated = (copy.deepcopy(overfitted(name)) for _ in range(2))
    weighted.calibrate(X, y, weight, method=method)
    repeated.calibrate(X.repeat(weight, axis=0), y.repeat(weight), method=method)
    np.testing.assert_allclose(
        weighted.predict_quantile(X, [0.1, 0.8]), repeated.predict_quantile(X, [0.1, 0.8]),
        rtol=1e-5,
    )  # fmt: skip


def test_equal_weights_are_none():
    plain, weighted = calibrated(), calibrated(sample_weight=np.full(500, 1.0))
    assert plain.calibration_ == weighted.calibration_


@pytest.mark.parametrize("method", ["isotonic", None, 1])
def test_unknown_methods_are_named(method):
    with pytest.raises(ValueError, match=r"method=.*'auto', 'scale' or 'pit'"):
        calibrated(method=method)


@pytest.mark.parametrize("name", ["poisson", "gamma", "lognormal", "histogram"])
def test_what_has_no_scale_cannot_be_stretched(name):
    with pytest.raises(ValueError, match=f"method='scale' cannot act with distribution='{name}'"):
        calibrated(name, method="scale")


@pytest.mark.parametrize("name, value", [("gamma", -1.0), ("lognormal", 0.0), ("poisson", 2.5),
                                         ("negative_binomial", -1.0)])  # fmt: skip
def test_values_out_of_the_domain_are_refused(name, value):
    X, y = data_for(name, 100, 1)
    y = y.copy()
    y[7] = value
    model = copy.deepcopy(overfitted(name))
    with pytest.raises(ValueError, match=f"distribution='{name}'.*{value} in row 7"):
        model.calibrate(X, y)
    assert not hasattr(model, "calibration_")


def test_too_few_rows():
    with pytest.raises(ValueError, match="at least 20 rows.* but got 19"):
        calibrated(n=19)
    weight = np.ones(100)
    weight[:81] = 0.0
    with pytest.raises(ValueError, match="at least 20 rows.* but got 19"):
        calibrated(n=100, sample_weight=weight)
    model = calibrated(n=20)
    assert model.predict_interval(X_TEST[:2], 0.9).shape == (2, 2)


@pytest.mark.parametrize("coverage, needed", [(0.95, 40), (0.99, 200), ([0.5, 0.98], 100)])
@METHODS
def test_a_coverage_needs_rows(method, coverage, needed):
    model = calibrated(n=needed - 1, method=method)
    with pytest.raises(ValueError, match=f"at least {needed} rows.* but there were {needed - 1}"):
        model.predict_interval(X_TEST[:3], coverage)
    enough = calibrated(n=needed, method=method)
    assert np.isfinite(enough.predict_interval(X_TEST[:3], coverage)).all()
    assert np.isfinite(overfitted().predict_interval(X_TEST[:3], coverage)).all()


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 1.5, [0.5, 1.0], [[0.5]]])
def test_coverages_out_of_range_are_named(coverage):
    for model in (overfitted(), calibrated()):
        with pytest.raises(ValueError, match="coverage=.*strictly between 0 and 1"):
            model.predict_interval(X_TEST[:3], coverage)


def test_a_refit_and_more_training_clear_it():
    model = calibrated().set_params(max_iter=2, learning_rate="constant")
    model.partial_fit(*data(60, 0))
    assert not hasattr(model, "calibration_")
    model.calibrate(*data(500, 1)).set_params(learning_rate="one_cycle").fit(*data(60, 0))
    assert not hasattr(model, "calibration_")


def test_a_failed_call_leaves_the_model_as_it_was():
    model = calibrated()
    found = copy.deepcopy(model.calibration_)
    with pytest.raises(ValueError):
        model.calibrate(*data(5, 1))
    with pytest.raises(ValueError):
        model.fit(X_TEST, np.full(1500, np.nan))
    assert model.calibration_ == found


def test_it_survives_storage():
    model = calibrated()
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.calibration_ == model.calibration_
    np.testing.assert_array_equal(loaded.log_prob(X_TEST, Y_TEST), model.log_prob(X_TEST, Y_TEST))


# ---- within fit ----------------------------------------------------------------------------------


def test_a_fraction_of_the_rows_is_set_apart_for_it():
    X, y = data(400, 0)
    X = np.c_[X, np.arange(400)]
    seen = []

    class Spy(DensityRegressor):
        def calibrate(self, X, y, sample_weight=None, **given):
            seen.append((X, y))
            return super().calibrate(X, y, sample_weight, **given)

    model = Spy(calibration_fraction=0.25, **SMALL).fit(X, y)
    ((apart, target),) = seen
    assert len(apart) == 100 and model.calibration_["n_samples"] == 100
    rows = apart[:, 2].astype(int)
    np.testing.assert_array_equal(target, y[rows])
    rest = np.setdiff1d(np.arange(400), rows)
    assert model.t_ == 300 * model.n_iter_
    # The statistics of scaling are those of the other rows alone.
    features = model._design["features"]["moments"]
    np.testing.assert_allclose(features["mean"], X[rest].mean(axis=0))
    by_hand = DensityRegressor(**SMALL).fit(X[rest], y[rest]).calibrate(apart, target)
    assert by_hand.calibration_["n_samples"] == 100
    assert by_hand.score(X, y) == pytest.approx(model.score(X, y), abs=0.1)
    again = copy.deepcopy(model).calibrate(apart, target)
    assert again.calibration_ == model.calibration_


def test_it_goes_with_early_stopping_weights_and_names():
    import pandas as pd

    X, y = data(400, 0)
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = DensityRegressor(calibration_fraction=0.25, early_stopping=True, **SMALL)
    model.fit(frame, y, np.r_[np.zeros(100), np.ones(300)])
    assert model.calibration_["n_samples"] == 75
    assert list(model.feature_names_in_) == ["a", "b"]
    assert "_kept_apart" not in vars(model)
    assert np.isfinite(model.score(frame, y))


def test_it_corrects_within_fit_too():
    X, y = data(600, 0)
    plain = DensityRegressor(**OVERFITTED).fit(X[:80], y[:80])
    model = DensityRegressor(calibration_fraction=0.8, **OVERFITTED).fit(X[:400], y[:400])
    assert miscoverage(model) < miscoverage(plain)


def test_it_cannot_act_with_partial_fit():
    with pytest.raises(ValueError, match="calibration_fraction=0.2 cannot act with partial_fit"):
        DensityRegressor(calibration_fraction=0.2).partial_fit(*data(60, 0))


def test_a_fraction_that_leaves_too_few_rows_is_refused():
    with pytest.raises(ValueError, match="at least 20 rows.*calibration_fraction"):
        DensityRegressor(calibration_fraction=0.2, **SMALL).fit(*data(60, 0))


# ---- ranks ---------------------------------------------------------------------------------------


def test_ranks_of_a_right_model_are_uniform():
    model = DensityRegressor(**SMALL).fit(*data(3000, 3))
    ranks = model.pit(X_TEST, Y_TEST)
    assert stats.kstest(ranks, "uniform").statistic < 0.07
    np.testing.assert_array_equal(ranks, model.predict_dist(X_TEST).cdf(Y_TEST))


def test_ranks_of_counts_are_spread_over_their_steps():
    model = DensityRegressor("poisson", **SMALL).fit(*data(900, 3, "counts"))
    X, y = data(3000, 2, "counts")
    ranks, dist = model.pit(X, y), model.predict_dist(X)
    assert (dist.cdf(y - 1.0) <= ranks).all() and (ranks <= dist.cdf(y)).all()
    assert stats.kstest(ranks, "uniform").statistic < 0.05
    np.testing.assert_array_equal(ranks, model.pit(X, y))
    assert not np.array_equal(ranks, copy.deepcopy(model).set_params(random_state=1).pit(X, y))
