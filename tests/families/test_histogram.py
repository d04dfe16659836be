"""Histograms: edges, tails, smoothing, and exactness of the law."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate

from skmlp.families import Histogram

from .shared import evaluate, fit, of_constant, parameters

RNG = np.random.default_rng(0)
QUALITY = np.repeat([3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [10, 53, 681, 638, 199, 18])
TARGETS = {
    "continuous": RNG.standard_t(5, 300),
    "wine": QUALITY,
    "one of six values holds most": np.repeat(np.arange(6.0), [300, 3, 2, 2, 1, 1]),
    "constant": np.full(40, 7.5),
    "two values": np.repeat([0.0, 1.0], [70, 30]),
    "one row": np.array([2.0]),
    "two rows": np.array([2.0, 9.0]),
    "large and close": 1e6 + RNG.random(50),
    "heavy tailed": RNG.standard_cauchy(400),
    "rounded": np.round(RNG.standard_normal(500), 1),
    "zero-inflated": np.concatenate([np.zeros(150), RNG.gamma(2.0, size=150)]),
}
every_target = pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS.keys())
both_binnings = pytest.mark.parametrize("binning", ["quantile", "uniform"])


def standardised(y):
    sd = y.std()
    return (y - y.mean()) / (sd if sd > 0 else 1.0)


def fitted(y, **parameters):
    return Histogram(**parameters).fitted(y[:, np.newaxis])


@every_target
@both_binnings
@pytest.mark.parametrize("n_bins", [1, 2, 6, 20, 1000])
def test_edges_increase_and_hold_all_targets(y, binning, n_bins):
    family = fitted(y, n_bins=n_bins, binning=binning)
    edges, z = np.array(family.edges), standardised(y)
    assert (np.diff(edges) > 0).all() and 2 <= len(edges) <= n_bins + 1
    assert edges[0] < z.min() and z.max() < edges[-1]
    assert family.n_raw(1) == len(edges) - 1 == len(family.init_raw(z[:, np.newaxis]))
    assert all(0 < tail <= 0.1 for tail in family.tails)


@every_target
@pytest.mark.parametrize("n_bins", [2, 6, 20, 1000])
def test_no_quantile_bin_is_empty_and_ties_share_a_bin(y, n_bins):
    family = fitted(y, n_bins=n_bins)
    edges, z = np.array(family.edges), standardised(y)
    bins = np.searchsorted(edges, z) - 1
    assert (np.bincount(bins, minlength=len(edges) - 1) > 0).all()
    assert not np.isin(edges, z).any()


@pytest.mark.parametrize("name", ["wine", "one of six values holds most", "two values"])
@pytest.mark.parametrize("more", [0, 1, 14])
def test_as_many_bins_as_values_give_each_value_its_own(name, more):
    y = TARGETS[name]
    values = np.unique(standardised(y))
    family = fitted(y, n_bins=len(values) + more)
    assert len(family.edges) == len(values) + 1
    inner = np.array(family.edges)[1:-1]
    np.testing.assert_allclose(inner, 0.5 * (values[1:] + values[:-1]), rtol=1e-9)


def test_bins_of_continuous_targets_hold_as_many_rows_each():
    y = TARGETS["continuous"]
    bins = np.searchsorted(fitted(y, n_bins=20).edges, standardised(y)) - 1
    np.testing.assert_array_equal(np.bincount(bins), 15)


def test_uniform_bins_have_one_width():
    y = TARGETS["continuous"]
    family = fitted(y, n_bins=8, binning="uniform")
    z = standardised(y)
    np.testing.assert_allclose(family.edges[1:-1], np.linspace(z.min(), z.max(), 9)[1:-1])


def test_a_constant_target_has_one_bin_and_a_finite_density():
    family = fitted(TARGETS["constant"])
    assert len(family.edges) == 2 and family.n_raw(1) == 1
    law, p = family.in_units(np.zeros((1, 1)), np.array([7.5]), np.array([1.0]))
    np.testing.assert_allclose(law.mean(p), 7.5)
    np.testing.assert_allclose(law.mode(p), 7.5)
    assert np.isfinite(law.logpdf(p, np.array([[7.5, 0.0, 1e3]]))).all()


@every_target
@both_binnings
def test_no_value_has_zero_density(y, binning):
    family = fitted(y, binning=binning)
    raw = RNG.standard_normal((3, family.n_raw(1)))
    p = family.params(raw)
    far = np.broadcast_to([-1e8, -1e3, 0.0, 1e3, 1e8], (3, 5))
    assert np.isfinite(family.logpdf(p, far)).all()
    values, grad = evaluate(family, far.T[:, :1].copy(), np.zeros((1, 5, family.n_raw(1))))
    assert np.isfinite(values).all() and np.isfinite(grad).all()


def test_outer_bins_leave_their_tails_the_share_of_one_row_more():
    family = fitted(QUALITY)
    np.testing.assert_allclose(family.tails, [1 / 12, 1 / 20])
    assert fitted(TARGETS["two rows"]).tails == (0.1, 0.1)
    p = {"probability": np.full((1, 6), 1 / 6)}
    below, above = np.array(family.edges)[[0, -1]]
    np.testing.assert_allclose(family.cdf(p, np.array([[below]])), 1 / 72, rtol=1e-12)
    np.testing.assert_allclose(family.sf(p, np.array([[above]])), 1 / 120, rtol=1e-9)
    beyond = np.array([[above, above + family._widths[-1]]])
    ratio = np.divide(*family.sf(p, beyond)[0])
    np.testing.assert_allclose(ratio, np.e, rtol=1e-9)


@every_target
@both_binnings
def test_weights_count_as_repeated_rows(y, binning):
    counts = np.random.default_rng(3).integers(0, 4, len(y))
    counts[:2] = 2
    repeated = np.repeat(y, counts)
    many = fitted(repeated, binning=binning)
    weighted = Histogram(binning=binning).fitted(y[:, np.newaxis], counts.astype(float))
    np.testing.assert_allclose(weighted.edges, many.edges, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(weighted.tails, many.tails, rtol=1e-12)
    assert weighted.smoothing == many.smoothing
    mean, sd = repeated.mean(), repeated.std() or 1.0
    start = weighted.init_raw((y[:, np.newaxis] - mean) / sd, counts.astype(float))
    expected = many.init_raw((repeated[:, np.newaxis] - mean) / sd)
    np.testing.assert_allclose(start, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.8, 3.0])
def test_smoothing_weights_of_each_bin_sum_to_one(smoothing):
    family = fitted(TARGETS["continuous"], smoothing=smoothing)
    weights = family._neighbours
    assert weights.shape == (20, 20) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)
    assert (weights.argmax(axis=1) == np.arange(20)).all() or smoothing > 1
    np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-12)
    assert (smoothing == 0) == (np.diag(weights) == 1).all()


def test_smoothing_is_off_where_every_bin_is_one_value():
    assert fitted(QUALITY).smoothing == 0.0
    assert fitted(TARGETS["constant"]).smoothing == 0.0
    assert fitted(TARGETS["continuous"]).smoothing == 0.8
    assert fitted(TARGETS["rounded"]).smoothing == 0.8
    assert fitted(QUALITY, n_bins=3).smoothing == 0.8


def test_plain_is_the_histogram_without_smoothing():
    family = fitted(TARGETS["continuous"])
    assert family.plain == replace(family, smoothing=0.0)


@pytest.mark.parametrize("loss", ["nll", "crps"])
def test_start_has_the_frequencies_of_the_bins(loss):
    y = TARGETS["continuous"]
    family = fitted(y, smoothing=0.0, loss=loss, n_bins=7)
    z = standardised(y)[:, np.newaxis]
    rows = np.bincount(np.searchsorted(family.edges, z[:, 0]) - 1)
    start = family.init_raw(z)
    np.testing.assert_allclose(family.params(start)["probability"], rows / len(y), rtol=1e-9)
    if loss == "nll":
        value, grad = of_constant(family, z, start)
        np.testing.assert_allclose(grad, 0.0, atol=1e-12)


def cdf_by_hand(family, probability, y):
    """Distribution function of one row at one point, bin by bin."""
    edges, (low, high) = np.array(family.edges), family.tails
    width = np.diff(edges)
    mass = np.array(probability)
    left, right = mass[0] * low, mass[-1] * high
    inside = mass.copy()
    inside[0] -= left
    inside[-1] -= right
    if y < edges[0]:
        return left * np.exp((y - edges[0]) / width[0])
    if y > edges[-1]:
        return 1 - right * np.exp((edges[-1] - y) / width[-1])
    return left + np.sum(inside * np.clip((y - edges[:-1]) / width, 0, 1))


CASES = {
    "quantile": fit(Histogram(n_bins=6)),
    "uniform": fit(Histogram(n_bins=5, binning="uniform")),
    "one bin": fit(Histogram(n_bins=1)),
    "wine": Histogram().fitted(QUALITY[:, np.newaxis]),
}
every_case = pytest.mark.parametrize("family", CASES.values(), ids=CASES.keys())


def points(family):
    edges = np.array(family.edges)
    middle = 0.5 * (edges[1:] + edges[:-1])
    return np.sort([edges[0] - 4, edges[0] - 0.1, *edges, *middle, edges[-1] + 0.1, edges[-1] + 4])


@every_case
def test_cdf_and_quantiles_are_exact(family):
    p = parameters(family, 3)
    y = points(family)
    expected = [[cdf_by_hand(family, q, point) for point in y] for q in p["probability"]]
    y = np.broadcast_to(y, (3, len(y)))
    np.testing.assert_allclose(family.cdf(p, y), expected, rtol=1e-12)
    np.testing.assert_allclose(family.ppf(p, np.array(expected)), y, rtol=1e-9, atol=1e-9)


@every_case
def test_moments_and_crps_are_exact(family):
    p = parameters(family, 1)
    probability, edges = p["probability"][0], np.array(family.edges)
    beyond = np.diff(edges)[[0, -1]] * [-40, 40]
    limits = [edges[0] + beyond[0], *edges, edges[-1] + beyond[1]]

    def pieces(function, extra=()):
        ends = np.sort([*limits, *extra])
        return sum(
            integrate.quad(function, a, b)[0] for a, b in zip(ends[:-1], ends[1:], strict=True)
        )

    def density(y):
        return np.exp(family.logpdf(p, np.array([[y]]))[0, 0])

    def cdf(y):
        return cdf_by_hand(family, probability, y)

    mean = pieces(lambda y: y * density(y))
    var = pieces(lambda y: (y - mean) ** 2 * density(y))
    np.testing.assert_allclose(pieces(density), 1.0, rtol=1e-5)
    np.testing.assert_allclose(family.mean(p), mean, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(family.var(p), var, rtol=1e-6)
    third = pieces(lambda y: (y - mean) ** 3 * density(y)) / var**1.5
    np.testing.assert_allclose(family.skewness(p), third, rtol=1e-5, atol=1e-6)
    y = points(family)[::2]
    scores = family.crps(p, y[np.newaxis])[0]
    for point, score in zip(y, scores, strict=True):
        expected = pieces(lambda x, at=point: (cdf(x) - (x >= at)) ** 2, [point])
        np.testing.assert_allclose(score, expected, rtol=1e-6)


@every_case
def test_quantiles_of_levels_0_and_1_are_infinite(family):
    ends = family.ppf(parameters(family, 2), np.broadcast_to([0.0, 1.0], (2, 2)))
    np.testing.assert_array_equal(ends, [[-np.inf, np.inf]] * 2)


def test_bins_without_probability():
    family = Histogram(edges=(0.0, 1.0, 2.0, 3.0, 4.0), tails=(0.1, 0.1))
    p = {"probability": np.array([[0.5, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0]])}
    q = np.broadcast_to([0.5, 0.75], (2, 2))
    np.testing.assert_allclose(family.ppf(p, q), [[1.0, 2.5], [1.5, 1.75]], rtol=1e-12)
    np.testing.assert_allclose(family.mode(p)[1], 1.5)
    ends = family.ppf(p, np.broadcast_to([0.0, 1.0], (2, 2)))
    assert not np.isnan(ends).any() and (ends[:, 0] <= 1).all() and (ends[:, 1] >= 2).all()
    y = np.broadcast_to([-1.0, 1.5, 3.5, 9.0], (2, 4))
    assert np.isneginf(family.logpdf(p, y)[1, [0, 2, 3]]).all()
    assert np.isfinite(family.crps(p, y)).all() and np.isfinite(family.entropy(p)).all()


def test_saturated_logits_keep_a_finite_loss():
    family = fit(Histogram())
    raw = np.full((1, 2, family.n_raw(1)), -1e3)
    raw[..., 0] = 1e3
    y = np.array([[10.0], [-10.0]])
    for loss in ("nll", "crps"):
        values, grad = evaluate(replace(family, loss=loss), y, raw)
        assert np.isfinite(values).all() and np.isfinite(grad).all()


def test_units_move_the_edges():
    family = fit(Histogram(n_bins=5))
    raw = RNG.standard_normal((2, 5))
    law, p = family.in_units(raw, np.array([10.0]), np.array([3.0]))
    np.testing.assert_allclose(law.edges, 3 * np.array(family.edges) + 10, rtol=1e-12)
    assert law.tails == family.tails and p["probability"].shape == (2, 5)
