"""Laws of one target: densities, distribution functions, moments and samples fit together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from skmlp.families import (
    FAMILIES,
    Family,
)

from .shared import LAWS, ROWS, fit, grid, has_jumps, make_targets, parameters

every_law = pytest.mark.parametrize("name", LAWS)
continuous = [name for name, (law, _) in LAWS.items() if not law.discrete]
counts = [name for name, (law, _) in LAWS.items() if law.discrete]
LEVELS = np.array([1e-6, 0.01, 0.05, 0.2, 0.37, 0.5, 0.61, 0.8, 0.95, 0.99, 1 - 1e-6])
quick = settings(max_examples=40, deadline=None)


def integral(name, function):
    """Integral (or sum) of density times function, for each row."""
    law, p = LAWS[name]
    x, weight = grid(law, p, 16_001 if has_jumps(name) else 8001)
    density = np.exp(law.logpdf(p, x))
    with np.errstate(invalid="ignore"):
        values = np.where(density > 0, density * function(x), 0.0)
    return np.sum(weight * values, axis=1)


def tolerance(name, smooth=2e-5):
    return 3e-3 if has_jumps(name) else smooth


def points_of(law, p, q=LEVELS[1:-1]):
    return law.ppf(p, np.broadcast_to(q, (ROWS, len(q))))


@every_law
def test_probabilities_add_up_to_one(name):
    np.testing.assert_allclose(integral(name, np.ones_like), 1.0, rtol=tolerance(name))


@every_law
def test_mean_variance_and_skewness_are_integrals(name):
    law, p = LAWS[name]
    mean, var = law.mean(p)[:, np.newaxis], law.var(p)[:, np.newaxis]
    rtol = tolerance(name)
    atol = rtol * np.sqrt(var).max()
    np.testing.assert_allclose(integral(name, lambda x: x), mean[:, 0], rtol=rtol, atol=atol)
    np.testing.assert_allclose(integral(name, lambda x: (x - mean) ** 2), var[:, 0], rtol=3 * rtol)
    # Those of heavy tails gather beyond the quantiles at which numerical integrals end.
    third = integral(name, lambda x: ((x - mean) / np.sqrt(var)) ** 3)
    rtol = 0.1 if "student" in name or "lognormal" in name else 5 * rtol
    np.testing.assert_allclose(law.skewness(p), third, rtol=rtol, atol=rtol)


@every_law
def test_entropy_is_an_integral(name):
    law, p = LAWS[name]
    expected = integral(name, lambda x: -law.logpdf(p, x))
    rtol = tolerance(name)
    np.testing.assert_allclose(law.entropy(p), expected, rtol=rtol, atol=rtol)


@every_law
def test_median_is_the_middle_quantile(name):
    law, p = LAWS[name]
    middle = law.ppf(p, np.full((ROWS, 1), 0.5))[:, 0]
    np.testing.assert_allclose(law.median(p), middle, rtol=1e-9, atol=1e-9)


@every_law
def test_mode_is_where_the_density_is_largest(name):
    law, p = LAWS[name]
    mode = law.mode(p)
    assert mode.shape == (ROWS,)
    x, _ = grid(law, p)
    highest = law.logpdf(p, x).max(axis=1)
    at_mode = law.logpdf(p, mode[:, np.newaxis])[:, 0]
    slack = 0.02 if "recalibrated" in name else 1e-6
    assert (at_mode >= highest - slack).all() or law.support.low == mode.min() == 0


@pytest.mark.parametrize("name", continuous)
def test_density_is_the_derivative_of_the_cdf(name):
    law, p = LAWS[name]
    y = points_of(law, p, np.linspace(0.03, 0.97, 23))
    h = 1e-6 * np.sqrt(law.var(p))[:, np.newaxis]
    slope = (law.cdf(p, y + h) - law.cdf(p, y - h)) / (2 * h)
    density = np.exp(law.logpdf(p, y))
    near_a_jump = np.abs(np.exp(law.logpdf(p, y + h)) / np.exp(law.logpdf(p, y - h)) - 1) > 1e-3
    assert near_a_jump.mean() <= (0.1 if has_jumps(name) else 0.0)
    np.testing.assert_allclose(slope[~near_a_jump], density[~near_a_jump], rtol=1e-5)


@pytest.mark.parametrize("name", counts)
def test_probabilities_of_counts_are_steps_of_the_cdf(name):
    law, p = LAWS[name]
    y = np.broadcast_to(np.arange(60.0), (ROWS, 60))
    step = law.cdf(p, y) - law.below(p, y)
    np.testing.assert_allclose(np.exp(law.logpdf(p, y)), step, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(law.below(p, y[:, 1:]), law.cdf(p, y[:, :-1]), rtol=1e-14)
    np.testing.assert_array_equal(law.cdf(p, y), law.cdf(p, y + 0.7))
    np.testing.assert_allclose(law.below(p, y + 0.7), law.cdf(p, y), rtol=1e-14)
    assert np.isneginf(law.logpdf(p, y + 0.5)).all() and np.isneginf(law.logpdf(p, -1 - y)).all()
    assert (law.cdf(p, -1 - y) == 0).all() and np.allclose(law.sf(p, -1 - y), 1, rtol=1e-12)


@pytest.mark.parametrize("name", continuous)
def test_below_is_the_cdf_where_no_value_has_a_probability(name):
    law, p = LAWS[name]
    y = points_of(law, p)
    np.testing.assert_array_equal(law.below(p, y), law.cdf(p, y))


@pytest.mark.parametrize("name", continuous)
def test_quantiles_invert_the_cdf(name):
    law, p = LAWS[name]
    q = np.broadcast_to(LEVELS, (ROWS, len(LEVELS)))
    np.testing.assert_allclose(law.cdf(p, law.ppf(p, q)), q, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", counts)
def test_quantiles_of_counts_are_the_smallest_that_reach_the_level(name):
    law, p = LAWS[name]
    q = np.broadcast_to(LEVELS, (ROWS, len(LEVELS)))
    y = law.ppf(p, q)
    np.testing.assert_array_equal(y, np.floor(y))
    assert (law.cdf(p, y) >= q).all() and (law.cdf(p, y - 1) < q).all()


@pytest.mark.parametrize("name", [name for name in counts if "recalibrated" not in name])
def test_quantiles_of_counts_at_their_own_levels(name):
    law, p = LAWS[name]
    y = np.broadcast_to(np.arange(8.0), (ROWS, 8))
    np.testing.assert_array_equal(law.ppf(p, law.cdf(p, y)), y)


@every_law
def test_quantiles_of_levels_0_and_1_are_the_ends_of_the_support(name):
    law, p = LAWS[name]
    ends = law.ppf(p, np.broadcast_to([0.0, 1.0], (ROWS, 2)))
    np.testing.assert_array_equal(ends, np.broadcast_to([law.support.low, np.inf], (ROWS, 2)))


@every_law
def test_survival_and_log_cdf(name):
    law, p = LAWS[name]
    y = points_of(law, p, LEVELS)
    np.testing.assert_allclose(law.sf(p, y), 1 - law.cdf(p, y), atol=1e-12)
    np.testing.assert_allclose(np.exp(law.logcdf(p, y)), law.cdf(p, y), rtol=1e-10)


@every_law
def test_outside_the_support_there_is_nothing(name):
    law, p = LAWS[name]
    y = np.broadcast_to([-3.0, -0.5], (ROWS, 2))
    if law.support.low == 0:
        assert np.isneginf(law.logpdf(p, y)).all() and np.isneginf(law.logcdf(p, y)).all()
        assert (law.cdf(p, y) == 0).all() and np.allclose(law.sf(p, y), 1, rtol=1e-12)
    far = np.broadcast_to([-1e10, 1e10], (ROWS, 2))
    np.testing.assert_allclose(law.cdf(p, far), np.broadcast_to([0.0, 1.0], (ROWS, 2)), atol=1e-12)


def numeric_crps(law, p, y):
    """Integrals of (cdf - step)^2 on either side of y, with points that gather at y."""
    if law.discrete:
        k = np.arange(-50.0, 3000.0)
        below = law.cdf(p, np.broadcast_to(k, (ROWS, len(k))))
        step = k >= y[..., np.newaxis]
        return np.sum((below[:, np.newaxis, :] - step) ** 2, axis=-1)
    u = np.linspace(-30.0, 25.0, 3001)
    scores = np.empty(y.shape)
    for j, point in enumerate(y.T):
        away = np.exp(u) * np.sqrt(law.var(p))[:, np.newaxis]
        left, right = point[:, np.newaxis] - away, point[:, np.newaxis] + away
        square = law.cdf(p, left) ** 2 + law.sf(p, right) ** 2
        scores[:, j] = np.sum(square * away, axis=1) * (u[1] - u[0])
    return scores


@every_law
def test_crps_is_the_integral_of_its_definition(name):
    law, p = LAWS[name]
    inside = points_of(law, p, np.array([0.001, 0.1, 0.5, 0.7, 0.999]))
    beyond = law.mean(p)[:, np.newaxis] + 9.0 * np.sqrt(law.var(p))[:, np.newaxis]
    y = np.concatenate([inside, np.round(beyond)], axis=1)
    actual = law.crps(p, y)
    assert actual.shape == y.shape
    np.testing.assert_allclose(actual, numeric_crps(law, p, y), rtol=5e-4, atol=1e-6)


@every_law
def test_crps_beyond_the_support_grows_with_the_distance(name):
    law, p = LAWS[name]
    low = -1e3 * np.sqrt(law.var(p)).max() if law.support.low else 0.0
    low = np.full((ROWS, 1), np.floor(low))
    np.testing.assert_allclose(law.crps(p, low - 7.0), law.crps(p, low) + 7.0, rtol=1e-6)


@pytest.mark.parametrize("name", counts)
def test_crps_of_counts_between_whole_numbers(name):
    law, p = LAWS[name]
    y = np.broadcast_to([0.25, 1.5, 3.75, -0.5], (ROWS, 4))
    k = np.floor(y)
    expected = numeric_crps(law, p, k) + (y - k) * (2 * law.cdf(p, y) - 1)
    np.testing.assert_allclose(law.crps(p, y), expected, rtol=1e-9)


@every_law
def test_samples_have_the_moments_of_the_law(name):
    law, p = LAWS[name]
    n = 8000 if isinstance(law, Family) else 3000
    draws = law.sample(p, n, np.random.default_rng(8))
    assert draws.shape == (ROWS, n) and law.support.contains(draws).all()
    mean, var = law.mean(p), law.var(p)
    step = draws - mean[:, np.newaxis]
    for power, expected in ((1, 0.0 * mean), (2, var), (3, law.skewness(p) * var**1.5)):
        values = step**power
        error = values.std(axis=1) / np.sqrt(values.shape[1])
        assert (np.abs(values.mean(axis=1) - expected) < 4.5 * error).all(), power


@pytest.mark.parametrize("name", continuous)
def test_ranks_of_samples_are_uniform(name):
    law, p = LAWS[name]
    ranks = law.cdf(p, law.sample(p, 1000, np.random.default_rng(9)))
    assert min(stats.kstest(row, "uniform").pvalue for row in ranks) > 1e-3


@pytest.mark.parametrize("name", counts)
def test_shares_of_counts_are_their_probabilities(name):
    law, p = LAWS[name]
    n = 3000
    draws = law.sample(p, n, np.random.default_rng(10))
    for k in range(6):
        share = np.exp(law.logpdf(p, np.full((ROWS, 1), float(k))))[:, 0]
        error = np.sqrt(share * (1 - share) / n) + 1e-3
        assert (np.abs((draws == k).mean(axis=1) - share) < 4.5 * error).all()


@every_law
def test_parameters_are_not_changed(name):
    law, p = LAWS[name]
    p = {key: value.copy() for key, value in p.items()}
    before = {key: value.copy() for key, value in p.items()}
    for value in p.values():
        value.flags.writeable = False
    y, rng = points_of(law, p), np.random.default_rng(0)
    for method in ("mean", "var", "median", "mode", "skewness", "entropy", "landmarks"):
        result = getattr(law, method)(p)
        assert result.shape[0] == ROWS
        assert not any(np.shares_memory(result, value) for value in p.values()), method
    for method in ("logpdf", "cdf", "sf", "logcdf", "below", "crps"):
        assert getattr(law, method)(p, y).shape == y.shape
    law.sample(p, 3, rng)
    for key, value in before.items():
        np.testing.assert_array_equal(p[key], value)


@every_law
def test_points_broadcast_with_rows(name):
    law, p = LAWS[name]
    y = points_of(law, p)[:1]
    for method in ("logpdf", "cdf", "sf", "logcdf", "below", "crps"):
        function = getattr(law, method)
        full = function(p, np.repeat(y, ROWS, axis=0))
        np.testing.assert_allclose(function(p, y), full, rtol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_batches_may_have_several_axes(name):
    law, p = LAWS[name]
    twice = {key: np.stack([value, value]) for key, value in p.items()}
    assert law.batch(twice) == (2, ROWS)
    y = points_of(law, p)
    for method in ("logpdf", "cdf", "ppf", "crps"):
        points = np.broadcast_to(LEVELS[1:-1], y.shape) if method == "ppf" else y
        alone = getattr(law, method)(p, points)
        both = getattr(law, method)(twice, np.stack([points, points]))
        np.testing.assert_allclose(both, np.stack([alone, alone]), rtol=1e-12)
    for method in ("mean", "var", "mode", "entropy", "skewness", "median"):
        alone, both = getattr(law, method)(p), getattr(law, method)(twice)
        np.testing.assert_allclose(both, np.stack([alone, alone]), rtol=1e-12)


# Hypothesis


@quick
@given(
    st.sampled_from(sorted(FAMILIES)),
    st.integers(0, 10_000),
    st.lists(st.floats(1e-6, 1 - 1e-6), min_size=2, max_size=12),
)
def test_quantiles_and_cdf_go_up_and_invert_each_other(name, seed, levels):
    law = fit(FAMILIES[name]())
    p = parameters(law, 3, seed, spread=0.8)
    q = np.broadcast_to(np.sort(levels), (3, len(levels)))
    y = law.ppf(p, q)
    back = law.cdf(p, y)
    assert (np.diff(y, axis=1) >= -1e-9 * np.abs(y[:, 1:])).all()
    assert (np.diff(back, axis=1) >= -1e-12).all()
    if law.discrete:
        assert (back >= q).all() and (law.cdf(p, y - 1) < q).all()
    else:
        np.testing.assert_allclose(back, q, rtol=1e-6, atol=1e-10)


@quick
@given(st.sampled_from(sorted(FAMILIES)), st.integers(0, 10_000))
def test_crps_is_positive_and_least_on_average_for_the_law_of_y(name, seed):
    law = fit(FAMILIES[name]())
    p = parameters(law, 2, seed, spread=0.8)
    y = law.ppf(p, np.broadcast_to((np.arange(200) + 0.5) / 200, (2, 200)))
    scores = law.crps(p, y)
    assert (scores >= 0).all()
    own, swapped = scores.mean(axis=1), law.crps(p, y[::-1]).mean(axis=1)
    # Row 1 scored by the law of row 0 is not better than by its own.
    assert swapped[0] >= own[1] * 0.99 - 1e-6 and swapped[1] >= own[0] * 0.99 - 1e-6


@quick
@given(st.sampled_from(sorted(FAMILIES)), st.integers(0, 10_000))
def test_logpdf_is_finite_where_targets_are(name, seed):
    law = fit(FAMILIES[name]())
    p = parameters(law, 4, seed, spread=1.5)
    y = make_targets(law, 30, np.random.default_rng(seed))[:, 0]
    assert np.isfinite(law.logpdf(p, np.broadcast_to(y, (4, 30)))).all()
