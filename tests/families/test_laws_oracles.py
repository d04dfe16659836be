"""Laws of one target against those of scipy.stats, closed formulas and sums."""

import numpy as np
import pytest
from scipy import special, stats

from skmlp.families import (
    FAMILIES,
    Laplace,
    LogNormal,
    NegativeBinomial,
    Normal,
    Poisson,
    Recalibrated,
    StudentT,
)

from .shared import LAWS, ROWS

LEVELS = np.array([1e-6, 0.01, 0.05, 0.2, 0.37, 0.5, 0.61, 0.8, 0.95, 0.99, 1 - 1e-6])


def columns(p):
    return {key: value[:, np.newaxis] for key, value in p.items()}


ORACLES = {
    "normal": lambda p: stats.norm(p["loc"], p["scale"]),
    "student_t": lambda p: stats.t(p["df"], p["loc"], p["scale"]),
    "laplace": lambda p: stats.laplace(p["loc"], p["scale"]),
    "lognormal": lambda p: stats.lognorm(p["sigma"], scale=np.exp(p["mu"])),
    "gamma": lambda p: stats.gamma(p["shape"], scale=p["scale"]),
    "poisson": lambda p: stats.poisson(p["mean"]),
    "negative_binomial": lambda p: stats.nbinom(p["size"], p["size"] / (p["size"] + p["mean"])),
}
of_scipy = pytest.mark.parametrize("name", ORACLES)


@of_scipy
def test_points_of_scipy(name):
    law, p = LAWS[name]
    oracle, y = ORACLES[name](columns(p)), law.ppf(p, np.broadcast_to(LEVELS, (ROWS, len(LEVELS))))
    density = oracle.logpmf if law.discrete else oracle.logpdf
    np.testing.assert_allclose(law.logpdf(p, y), density(y), rtol=1e-9, atol=1e-9)
    for method in ("cdf", "sf", "logcdf"):
        expected = getattr(oracle, method)(y)
        np.testing.assert_allclose(getattr(law, method)(p, y), expected, rtol=1e-7, atol=1e-14)
    q = np.broadcast_to(LEVELS, (ROWS, len(LEVELS)))
    np.testing.assert_allclose(law.ppf(p, q), oracle.ppf(q), rtol=1e-8, atol=1e-10)


@of_scipy
def test_moments_and_entropy_of_scipy(name):
    law, p = LAWS[name]
    oracle = ORACLES[name](p)
    mean, var, skewness = oracle.stats("mvs")
    np.testing.assert_allclose(law.mean(p), mean, rtol=1e-10)
    np.testing.assert_allclose(law.var(p), var, rtol=1e-10)
    np.testing.assert_allclose(law.skewness(p), skewness, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(law.median(p), oracle.median(), rtol=1e-9)
    np.testing.assert_allclose(law.entropy(p), oracle.entropy(), rtol=1e-6)


@of_scipy
def test_tails_keep_their_digits(name):
    law, p = LAWS[name]
    oracle = ORACLES[name](columns(p))
    high = law.mean(p)[:, np.newaxis] + np.sqrt(law.var(p))[:, np.newaxis] * np.array([6.0, 15.0])
    high = np.ceil(high)
    np.testing.assert_allclose(law.sf(p, high), oracle.sf(high), rtol=1e-6)
    density = oracle.logpmf if law.discrete else oracle.logpdf
    np.testing.assert_allclose(law.logpdf(p, high), density(high), rtol=1e-9)


@pytest.mark.parametrize("shape", [0.05, 0.3, 1.0, 500.0])
def test_gamma_of_every_shape(shape):
    p = {"shape": np.array([shape]), "scale": np.array([2.0])}
    law, oracle = FAMILIES["gamma"](), stats.gamma(shape, scale=2.0)
    q = np.array([[0.1, 0.5, 0.9]])
    y = law.ppf(p, q)
    np.testing.assert_allclose(y, oracle.ppf(q), rtol=1e-10)
    np.testing.assert_allclose(law.logpdf(p, y), oracle.logpdf(y), rtol=1e-9)
    np.testing.assert_allclose(law.entropy(p), oracle.entropy(), rtol=1e-9)
    assert law.mode(p) == max(0.0, 2.0 * (shape - 1.0))
    # E|X - y| - E|X - X'| / 2, with the mean difference of the gamma.
    ratio = np.exp(special.gammaln(shape + 0.5) - special.gammaln(shape))
    expected = 1e4 - 2.0 * (shape + ratio / np.sqrt(np.pi))
    np.testing.assert_allclose(law.crps(p, np.full((1, 1), 1e4)), expected, rtol=1e-10)


def test_log_cdf_of_the_normal_and_the_lognormal_keeps_its_digits_far_out():
    p = {"loc": np.zeros(1), "scale": np.ones(1)}
    y = np.array([[-50.0, -200.0]])
    np.testing.assert_allclose(Normal().logcdf(p, y), stats.norm.logcdf(y), rtol=1e-12)
    p = {"mu": np.zeros(1), "sigma": np.ones(1)}
    actual = LogNormal().logcdf(p, np.exp(y))
    np.testing.assert_allclose(actual, stats.norm.logcdf(y), rtol=1e-12)


def test_skewness_of_student_t_needs_a_third_moment():
    p = {"loc": np.zeros(2), "scale": np.ones(2), "df": np.array([2.5, 3.5])}
    np.testing.assert_array_equal(StudentT().skewness(p), [np.nan, 0.0])


def test_crps_of_the_normal_and_the_laplace_at_their_centres():
    p = {"loc": np.array([2.0]), "scale": np.array([3.0])}
    y = np.array([[2.0]])
    expected = 3.0 * (np.sqrt(2) - 1) / np.sqrt(np.pi)
    np.testing.assert_allclose(Normal().crps(p, y), expected, rtol=1e-12)
    np.testing.assert_allclose(Laplace().crps(p, y), 0.75, rtol=1e-12)


@pytest.mark.parametrize("sigma", [0.05, 1.0, 4.0, 8.0, 12.0])
def test_crps_of_wide_lognormals(sigma):
    p = {"mu": np.zeros(1), "sigma": np.array([sigma])}
    upper = special.ndtr(-sigma) - special.ndtr(-sigma / np.sqrt(2))
    expected = -2 * np.exp(sigma**2 / 2) * upper
    np.testing.assert_allclose(LogNormal().crps(p, np.ones((1, 1))), expected, rtol=1e-9)


@pytest.mark.parametrize("law", [Poisson(), NegativeBinomial()], ids=str)
@pytest.mark.parametrize("mean", [1e-6, 0.3, 40.0, 3e3])
def test_crps_of_counts_of_every_size(law, mean):
    p = {"mean": np.array([mean]), "size": np.array([7.0])}
    y = law.ppf(p, np.array([[0.01, 0.5, 0.99]]))
    k = np.arange(mean + 30 * np.sqrt(law.var(p)[0]) + 40)
    below = law.cdf(p, k[np.newaxis])[0]
    expected = [np.sum((below - (k >= point)) ** 2) for point in y[0]]
    np.testing.assert_allclose(law.crps(p, y)[0], expected, rtol=1e-7)


@pytest.mark.parametrize("mean", [0.5, 5.0, 2e3])
@pytest.mark.parametrize("size", [0.1, 10.0, 1e3, 1e5, 1.2e6])
def test_crps_of_negative_binomials_of_every_size(mean, size):
    p = {"mean": np.array([mean]), "size": np.array([size])}
    law = NegativeBinomial()
    sd = np.sqrt(law.var(p)[0])
    k = np.arange(np.ceil(mean + 10 * sd + min(sd, mean / size) * 30 + 20))
    below = law.cdf(p, k[np.newaxis])[0]
    for point in (0.0, np.floor(mean)):
        expected = np.sum((below - (k >= point)) ** 2)
        actual = law.crps(p, np.array([[point]]))
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("mixed", [False, True])
def test_counts_over_a_range_too_wide_to_sum_term_by_term(mixed):
    family = NegativeBinomial()
    p = {"mean": np.array([100.0, 1e3, 3e3]), "size": np.array([0.1, 0.5, 8.0])}
    if mixed:
        parts = {key: np.stack([value, 2 * value], axis=1) for key, value in p.items()}
        law, p = family.mix(parts, np.full((3, 2), 0.5))
    else:
        law = Recalibrated(family, [0.0, 1.0], [0.0, 1.0])
    k = np.broadcast_to(np.arange(80_000.0), (3, 80_000))
    log_share = law.logpdf(p, k) if mixed else family.logpdf(p, k)
    share = np.exp(log_share)
    mean = (share * k).sum(axis=1)
    np.testing.assert_allclose(law.mean(p), mean, rtol=1e-3)
    step = k - mean[:, np.newaxis]
    var = (share * step**2).sum(axis=1)
    np.testing.assert_allclose(law.var(p), var, rtol=1e-2)
    third = (share * step**3).sum(axis=1) / var**1.5
    np.testing.assert_allclose(law.skewness(p), third, rtol=2e-2)
    np.testing.assert_allclose(law.entropy(p), -(share * log_share).sum(axis=1), rtol=5e-3)
    y = np.broadcast_to([0.0, 60.0, 5e3], (3, 3))
    below = np.cumsum(share, axis=1)
    expected = [[np.sum((row - (k[0] >= point)) ** 2) for point in y[0]] for row in below]
    np.testing.assert_allclose(law.crps(p, y), expected, rtol=5e-3)


@pytest.mark.parametrize("law", [Poisson(), NegativeBinomial()], ids=str)
def test_quantiles_of_the_largest_counts_end(law):
    # Beyond 2^53 not every whole number is a float.
    p = {"mean": np.exp(np.array([34.0, 36.0, 36.7])), "size": np.ones(3)}
    y = law.ppf(p, np.full((3, 1), 0.3))
    assert (law.cdf(p, y) >= 0.3).all()
