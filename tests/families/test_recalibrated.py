"""Laws whose distribution function is corrected by observed ranks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from skmlp.families import FAMILIES, Histogram, NegativeBinomial, Normal, Poisson, Recalibrated

from .shared import LAWS, ROWS, fit, knots, parameters

quick = settings(max_examples=40, deadline=None)
families = [name for name in LAWS if "recalibrated" not in name]
STEP = np.array([0.0, 1.0])


def normals(n, scale, seed=0):
    """Normal laws of one scale about random places, and y about them with scale 1."""
    rng = np.random.default_rng(seed)
    loc = rng.standard_normal(n)
    return {"loc": loc, "scale": np.full(n, scale)}, (loc + rng.standard_normal(n))[:, np.newaxis]


def calibrated(law, p, y, weight=None):
    weight = np.ones(len(y)) if weight is None else weight
    return Recalibrated(law, *Recalibrated.fit(law, p, y, weight))


def check_knots(ranks, levels):
    for values in (ranks, levels):
        assert values[0] == 0 and values[-1] == 1 and (np.diff(values) > 0).all()


@pytest.mark.parametrize("name", families)
def test_the_identity_changes_nothing(name):
    law, p = LAWS[name]
    same = Recalibrated(law, STEP, STEP)
    q = np.broadcast_to([0.01, 0.4, 0.5, 0.9], (ROWS, 4))
    y = law.ppf(p, q)
    np.testing.assert_allclose(same.ppf(p, q), y, rtol=1e-12)
    for method in ("logpdf", "cdf", "sf", "logcdf", "below"):
        expected = getattr(law, method)(p, y)
        np.testing.assert_allclose(getattr(same, method)(p, y), expected, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(same.crps(p, y), law.crps(p, y), rtol=1e-4, atol=1e-6)
    for method in ("mean", "var", "median", "entropy"):
        expected = getattr(law, method)(p)
        np.testing.assert_allclose(getattr(same, method)(p), expected, rtol=2e-3, atol=1e-5)
    assert same.batch(p) == (ROWS,) and same.support == law.support
    assert same.discrete == law.discrete


@pytest.mark.parametrize("n", [20, 100, 400, 5000])
def test_uniform_ranks_give_nearly_the_identity(n):
    p = {"loc": np.zeros(n), "scale": np.ones(n)}
    y = stats.norm.ppf((np.arange(n) + 0.5) / n)[:, np.newaxis]
    ranks, levels = Recalibrated.fit(Normal(), p, y, np.ones(n))
    check_knots(ranks, levels)
    np.testing.assert_allclose(levels, ranks, atol=1.0 / n)


@pytest.mark.parametrize(
    ("n", "n_knots"), [(1, 1), (5, 1), (20, 1), (100, 9), (200, 11), (2000, 17)]
)
def test_levels_need_ten_rows_beyond_them(n, n_knots):
    ranks, levels = Recalibrated.fit(Normal(), *normals(n, 1.0), np.ones(n))
    check_knots(ranks, levels)
    assert len(ranks) == n_knots + 2


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 2.0])
def test_intervals_of_calibrated_laws_cover_new_rows(scale):
    law = calibrated(Normal(), *normals(4000, scale))
    p, y = normals(4000, scale, seed=1)
    for coverage in (0.5, 0.8, 0.9, 0.98):
        ends = np.broadcast_to([0.5 - coverage / 2, 0.5 + coverage / 2], (4000, 2))
        bounds = law.ppf(p, ends)
        inside = np.mean((bounds[:, :1] <= y) & (y <= bounds[:, 1:]))
        assert abs(inside - coverage) < 5 * np.sqrt(coverage * (1 - coverage) / 4000)


def test_calibration_raises_the_likelihood_of_over_confident_laws():
    p, y = normals(3000, 0.5)
    law = calibrated(Normal(), p, y)
    p, y = normals(3000, 0.5, seed=1)
    gain = law.logpdf(p, y).mean() - Normal().logpdf(p, y).mean()
    most = Normal().logpdf({**p, "scale": np.ones(3000)}, y).mean() - Normal().logpdf(p, y).mean()
    assert 0.9 * most < gain < most + 0.02
    assert law.crps(p, y).mean() < Normal().crps(p, y).mean()


@pytest.mark.parametrize("scale", [0.3, 0.5, 2.0])
def test_mirrored_targets_give_the_mirrored_calibration(scale):
    p, y = normals(2000, scale)
    mirrored = {"loc": -p["loc"], "scale": p["scale"]}
    ranks, levels = Recalibrated.fit(Normal(), p, y, np.ones(2000))
    other = Recalibrated.fit(Normal(), mirrored, -y, np.ones(2000))
    np.testing.assert_allclose(other[0], 1 - ranks[::-1], atol=1e-12)
    np.testing.assert_allclose(other[1], 1 - levels[::-1], atol=1e-12)


@pytest.mark.parametrize("rank", [0.3, 0.5, 0.9])
def test_ranks_that_are_all_alike_become_the_median(rank):
    p = {"loc": np.zeros(300), "scale": np.ones(300)}
    y = np.full((300, 1), stats.norm.ppf(rank))
    law = calibrated(Normal(), p, y)
    check_knots(law.ranks, law.levels)
    np.testing.assert_allclose(law.cdf(p, y), 0.5, atol=0.01)


@pytest.mark.parametrize("far", [-1e6, 1e6])
def test_targets_far_outside_leave_a_law_with_positive_density(far):
    p, _ = normals(300, 1.0)
    law = calibrated(Normal(), p, np.full((300, 1), far))
    check_knots(law.ranks, law.levels)
    assert np.isfinite(law.logpdf(p, np.zeros((300, 1)))).all()
    assert np.isfinite(law.mean(p)).all() and np.isfinite(law.var(p)).all()


def test_weights_count_as_repeated_rows():
    p, y = normals(200, 0.6)
    counts = np.random.default_rng(3).integers(0, 4, 200)
    counts[0] = 1
    kept = counts > 0
    own = {key: value[kept] for key, value in p.items()}
    many = {key: np.repeat(value, counts) for key, value in p.items()}
    weighted = Recalibrated.fit(Normal(), own, y[kept], counts[kept].astype(float))
    repeated = Recalibrated.fit(Normal(), many, np.repeat(y, counts, axis=0), np.ones(counts.sum()))
    np.testing.assert_allclose(weighted, repeated, rtol=1e-12)


def test_one_more_row_is_spread_evenly():
    p, y = normals(21, 1.0)
    ranks, levels = Recalibrated.fit(Normal(), p, y, np.ones(21))
    middle = np.median(Normal().cdf(p, y))
    np.testing.assert_allclose(ranks, [0.0, middle, 1.0], rtol=1e-12)
    np.testing.assert_allclose(levels, [0.0, (21 * 0.5 + middle) / 22, 1.0], rtol=1e-12)


def test_no_stretch_of_ranks_loses_all_probability():
    p = {"loc": np.zeros(500), "scale": np.ones(500)}
    y = stats.norm.ppf(np.linspace(0.49, 0.51, 500))[:, np.newaxis]
    law = calibrated(Normal(), p, y)
    slopes = np.diff(law.levels) / np.diff(law.ranks)
    assert slopes.min() > 1e-3
    assert np.isfinite(law.logpdf(p, np.full((500, 1), 5.0))).all()


def test_density_is_the_slope_times_the_density_before():
    law, p = LAWS["normal, recalibrated"]
    ranks, levels = knots()
    middle = 0.5 * (ranks[1:] + ranks[:-1])
    y = law.law.ppf(p, np.broadcast_to(middle, (ROWS, len(middle))))
    slopes = np.diff(levels) / np.diff(ranks)
    expected = slopes * np.exp(law.law.logpdf(p, y))
    np.testing.assert_allclose(np.exp(law.logpdf(p, y)), expected, rtol=1e-10)
    np.testing.assert_allclose(
        law.cdf(p, y), np.broadcast_to(0.5 * (levels[1:] + levels[:-1]), y.shape)
    )


def test_survival_keeps_its_digits_in_the_tail():
    law, p = LAWS["normal, recalibrated"]
    y = law.law.ppf(p, np.full((ROWS, 1), 0.5)) + np.array([8.0, 20.0]) * p["scale"][:, np.newaxis]
    slope = (1 - law.levels[-2]) / (1 - law.ranks[-2])
    np.testing.assert_allclose(law.sf(p, y), slope * law.law.sf(p, y), rtol=1e-10)


# Counts


def counts_of(n, seed):
    """Means that are right, and counts with more variance than a Poisson has."""
    rng = np.random.default_rng(seed)
    mean = rng.gamma(4.0, 1.0, n)
    return {"mean": mean}, rng.negative_binomial(2.0, 2.0 / (2.0 + mean)).astype(float)[
        :, np.newaxis
    ]


def test_randomised_ranks_of_counts_become_uniform():
    law = calibrated(Poisson(), *counts_of(4000, 0))
    check_knots(law.ranks, law.levels)
    p, y = counts_of(4000, 1)
    u = np.random.default_rng(2).random((4000, 1))

    def distance(law):
        low, high = law.below(p, y), law.cdf(p, y)
        return stats.kstest((low + u * (high - low))[:, 0], "uniform").statistic

    assert distance(Poisson()) > 0.1 and distance(law) < 0.035
    assert law.logpdf(p, y).mean() > Poisson().logpdf(p, y).mean() + 0.1


def test_ranks_of_right_counts_stay():
    p, _ = counts_of(4000, 0)
    y = np.random.default_rng(5).poisson(p["mean"]).astype(float)[:, np.newaxis]
    ranks, levels = Recalibrated.fit(Poisson(), p, y, np.ones(4000))
    np.testing.assert_allclose(levels, ranks, atol=0.03)


def test_probabilities_of_calibrated_counts_sum_to_one():
    law = calibrated(NegativeBinomial(), {"mean": np.full(50, 3.0), "size": np.full(50, 2.0)},
                     np.arange(50.0)[:, np.newaxis] % 7)  # fmt: skip
    p = {"mean": np.array([0.2, 30.0]), "size": np.array([2.0, 5.0])}
    y = np.broadcast_to(np.arange(600.0), (2, 600))
    probability = np.exp(law.logpdf(p, y))
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose((probability * y).sum(axis=1), law.mean(p), rtol=1e-6)


def test_counts_that_are_all_zero():
    p, _ = counts_of(100, 0)
    law = calibrated(Poisson(), p, np.zeros((100, 1)))
    check_knots(law.ranks, law.levels)
    assert np.isfinite(law.logpdf(p, np.full((100, 1), 3.0))).all()
    assert (law.mean(p) < p["mean"]).all()


def test_calibrated_histograms():
    family = fit(Histogram(n_bins=5))
    p = parameters(family, 400)
    y = family.sample(p, 1, np.random.default_rng(0)) * 1.3
    law = calibrated(family, p, y)
    q = np.broadcast_to([0.001, 0.3, 0.99], (400, 3))
    np.testing.assert_allclose(law.cdf(p, law.ppf(p, q)), q, rtol=1e-7)


@quick
@given(
    st.sampled_from(sorted(FAMILIES)),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60),
    st.integers(0, 100),
)
def test_any_ranks_give_a_law(name, ranks, seed):
    family = fit(FAMILIES[name]())
    n = len(ranks)
    p = parameters(family, n, seed)
    y = family.ppf(p, np.clip(ranks, 1e-12, 1 - 1e-12)[:, np.newaxis])
    weight = np.random.default_rng(seed).gamma(1.0, size=n) + 1e-3
    law = calibrated(family, p, y, weight)
    check_knots(law.ranks, law.levels)
    q = np.broadcast_to([0.01, 0.25, 0.5, 0.75, 0.99], (n, 5))
    points = law.ppf(p, q)
    assert (np.diff(points, axis=1) >= 0).all()
    if not law.discrete:
        np.testing.assert_allclose(law.cdf(p, points), q, rtol=1e-5, atol=1e-7)
