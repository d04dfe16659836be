"""Mixtures of laws of one target."""

import numpy as np
import pytest
from scipy import stats

from skmlp.families import FAMILIES, Histogram, Law, Mixture, Normal, NormalMixture, Poisson

from .shared import LAWS, ROWS, fit, mixture, parameters

every_family = pytest.mark.parametrize("name", FAMILIES)
K = 3


def components(name):
    """Family, parameters of its laws with an axis of components, and their weights."""
    family = fit(FAMILIES[name]())
    rng = np.random.default_rng(6)
    p = parameters(family, ROWS * K, seed=6)
    p = {key: value.reshape(ROWS, K, *value.shape[1:]) for key, value in p.items()}
    return family, p, rng.dirichlet(np.full(K, 2.0), ROWS)


def averaged(family, p, weights, method, *points):
    """Weighted sum over components, one after the other."""
    each = [
        getattr(family, method)({key: value[:, k] for key, value in p.items()}, *points)
        for k in range(K)
    ]
    return sum(
        weights[:, k].reshape(-1, *[1] * (value.ndim - 1)) * value for k, value in enumerate(each)
    )


@every_family
def test_densities_and_probabilities_are_weighted_sums(name):
    family, p, weights = components(name)
    law, own = family.mix(p, weights)
    y = LAWS[name][0].ppf(LAWS[name][1], np.broadcast_to([0.02, 0.3, 0.5, 0.9], (ROWS, 4)))
    for method in ("cdf", "sf", "below"):
        expected = averaged(family, p, weights, method, y)
        np.testing.assert_allclose(getattr(law, method)(own, y), expected, rtol=1e-12)
    density = sum(
        weights[:, [k]] * np.exp(family.logpdf({key: v[:, k] for key, v in p.items()}, y))
        for k in range(K)
    )
    np.testing.assert_allclose(law.logpdf(own, y), np.log(density), rtol=1e-11)


@every_family
def test_moments_are_those_of_weighted_sums(name):
    family, p, weights = components(name)
    law, own = family.mix(p, weights)
    mean = averaged(family, p, weights, "mean")
    np.testing.assert_allclose(law.mean(own), mean, rtol=1e-12)
    each = [{key: value[:, k] for key, value in p.items()} for k in range(K)]
    second = sum(weights[:, k] * (family.var(q) + family.mean(q) ** 2) for k, q in enumerate(each))
    np.testing.assert_allclose(law.var(own), second - mean**2, rtol=1e-9)
    third = sum(
        weights[:, k]
        * (
            family.skewness(q) * family.var(q) ** 1.5
            + 3 * family.mean(q) * family.var(q)
            + family.mean(q) ** 3
        )
        for k, q in enumerate(each)
    )
    expected = (third - 3 * mean * law.var(own) - mean**3) / law.var(own) ** 1.5
    np.testing.assert_allclose(law.skewness(own), expected, rtol=1e-7, atol=1e-9)


@every_family
def test_equal_components_are_one(name):
    family = fit(FAMILIES[name]())
    p = parameters(family)
    law, own = family.mix(
        {key: np.repeat(value[:, np.newaxis], K, axis=1) for key, value in p.items()},
        np.full((ROWS, K), 1 / K),
    )
    q = np.broadcast_to([0.001, 0.2, 0.5, 0.97], (ROWS, 4))
    y = family.ppf(p, q)
    np.testing.assert_allclose(law.ppf(own, q), y, rtol=1e-9)
    for method in ("logpdf", "cdf", "sf", "logcdf", "crps"):
        expected = getattr(family, method)(p, y)
        np.testing.assert_allclose(getattr(law, method)(own, y), expected, rtol=1e-5, atol=1e-9)
    for method in ("mean", "var", "median", "skewness", "entropy"):
        expected = getattr(family, method)(p)
        rtol = 1e-3 if family.discrete else 1e-5
        np.testing.assert_allclose(getattr(law, method)(own), expected, rtol=rtol, atol=1e-7)


@every_family
def test_components_of_weight_zero_do_not_count(name):
    family, p, weights = components(name)
    weights = np.array([[0.0, 1.0, 0.0], [0.4, 0.0, 0.6], [1.0, 0.0, 0.0]])
    law, own = family.mix(p, weights)
    y = family.ppf({key: v[:, 1] for key, v in p.items()}, np.full((ROWS, 1), 0.6))
    density = averaged(family, p, weights, "cdf", y)
    np.testing.assert_allclose(law.cdf(own, y), density, rtol=1e-12)
    assert np.isfinite(law.logpdf(own, y)).all() and np.isfinite(law.crps(own, y)).all()
    draws = law.sample(own, 200, np.random.default_rng(0))
    first = {key: v[:1, 1] for key, v in p.items()}
    if not family.discrete:
        assert stats.kstest(family.cdf(first, draws[:1])[0], "uniform").pvalue > 1e-3


@every_family
def test_a_mixture_of_mixtures_is_one_of_their_components(name):
    family = fit(FAMILIES[name]())
    parts = [mixture(family, seed=seed) for seed in (4, 5)]
    law = parts[0][0]
    p = {key: np.stack([part[1][key] for part in parts], axis=1) for key in parts[0][1]}
    weights = np.random.default_rng(1).dirichlet([2.0, 3.0], ROWS)
    both, own = law.mix(p, weights)
    assert type(both) is type(law)
    assert not isinstance(getattr(both, "component", None), Mixture)
    y = law.ppf(parts[0][1], np.broadcast_to([0.1, 0.6], (ROWS, 2)))
    expected = sum(weights[:, [i]] * law.cdf(part, y) for i, (_, part) in enumerate(parts))
    np.testing.assert_allclose(both.cdf(own, y), expected, rtol=1e-12)
    mean = sum(weights[:, i] * law.mean(part) for i, (_, part) in enumerate(parts))
    np.testing.assert_allclose(both.mean(own), mean, rtol=1e-11)
    if "weights" in own:
        np.testing.assert_allclose(own["weights"].sum(axis=1), 1.0, rtol=1e-12)


def test_a_mixture_of_histograms_is_a_histogram():
    family = fit(Histogram())
    p = parameters(family, ROWS * K)["probability"].reshape(ROWS, K, -1)
    weights = np.random.default_rng(0).dirichlet(np.ones(K), ROWS)
    law, own = family.mix({"probability": p}, weights)
    assert law == family
    expected = (weights[..., np.newaxis] * p).sum(axis=1)
    np.testing.assert_allclose(own["probability"], expected, rtol=1e-12)


def test_a_mixture_of_normal_mixtures_has_all_their_normals():
    family = fit(NormalMixture(n_mixture_components=4))
    law, own = mixture(family)
    assert {key: value.shape for key, value in own.items()} == {
        "weights": (ROWS, 12),
        "loc": (ROWS, 12),
        "scale": (ROWS, 12),
    }
    assert law.batch(own) == (ROWS,) and not law.discrete


def test_mixtures_take_support_and_discreteness_from_their_components():
    for name, cls in FAMILIES.items():
        family = fit(cls())
        law, _ = mixture(family)
        assert law.support == family.support and law.discrete == family.discrete, name


def normal_mixture():
    rng = np.random.default_rng(12)
    p = {"loc": 2 * rng.standard_normal((40, 4)), "scale": rng.gamma(2.0, 0.3, (40, 4)) + 0.05}
    return *Normal().mix(p, rng.dirichlet(np.ones(4), 40)), rng.standard_normal((40, 3))


def test_closed_form_of_the_crps_agrees_with_the_numerical_one():
    law, p, y = normal_mixture()
    np.testing.assert_allclose(law.crps(p, y), Law.crps(law, p, y), rtol=1e-7)


def test_crps_of_a_mixture_is_at_most_the_mean_of_its_components():
    law, p, y = normal_mixture()
    each = Normal().crps({key: p[key] for key in ("loc", "scale")}, y[:, np.newaxis, :])
    assert (law.crps(p, y) <= np.einsum("nk,nkm->nm", p["weights"], each) + 1e-12).all()


def test_far_apart_components():
    law, p = Normal().mix(
        {"loc": np.array([[-1e3, 1e3]]), "scale": np.array([[1.0, 2.0]])}, np.array([[0.3, 0.7]])
    )
    q = np.array([[0.15, 0.299, 0.301, 0.65]])
    expected = [-1e3, stats.norm.ppf(0.299 / 0.3) - 1e3, 1e3 + 2 * stats.norm.ppf(0.001 / 0.7), 1e3]
    np.testing.assert_allclose(law.ppf(p, q)[0], expected, rtol=1e-9)
    np.testing.assert_allclose(law.mode(p), 1e3, rtol=1e-6)
    own = -0.3 * np.log(0.3) - 0.7 * np.log(0.7) + 0.7 * np.log(2)
    np.testing.assert_allclose(law.entropy(p), own + stats.norm.entropy(), rtol=1e-6)


def test_mode_of_two_normals_that_have_grown_together():
    law, p = Normal().mix(
        {"loc": np.array([[-0.5, 0.5]]), "scale": np.ones((1, 2))}, np.array([[0.5, 0.5]])
    )
    np.testing.assert_allclose(law.mode(p), 0.0, atol=1e-5)


def test_quantiles_of_mixtures_of_counts():
    law, p = Poisson().mix({"mean": np.array([[0.5, 200.0]])}, np.array([[0.5, 0.5]]))
    q = np.array([[0.1, 0.5 * stats.poisson.cdf(1, 0.5), 0.75]])
    np.testing.assert_array_equal(law.ppf(p, q)[0], [0.0, 1.0, 200.0])


@pytest.mark.parametrize("name", ["normal", "student_t", "laplace", "normal_mixture"])
@pytest.mark.parametrize("mixed", [False, True])
def test_about_stretches_around_a_centre(name, mixed):
    law, p = LAWS[f"mixture of {name}" if mixed else name]
    center = law.mean(p)
    moved = law.about(p, center, 2.5)
    q = np.broadcast_to([0.05, 0.5, 0.8], (ROWS, 3))
    y = law.ppf(p, q)
    expected = center[:, np.newaxis] + 2.5 * (y - center[:, np.newaxis])
    np.testing.assert_allclose(law.ppf(moved, q), expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(law.mean(moved), center, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(law.var(moved), 2.5**2 * law.var(p), rtol=1e-9)
    same = law.about(p, center, 1.0)
    for key in p:
        np.testing.assert_allclose(same[key], p[key], rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["gamma", "lognormal", "poisson", "negative_binomial", "histogram"]
)
@pytest.mark.parametrize("mixed", [False, True])
def test_what_has_no_scale_to_stretch_says_so(name, mixed):
    law, p = LAWS[f"mixture of {name}" if mixed else name]
    assert law.about(p, law.mean(p), 2.0) is None
