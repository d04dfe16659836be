"""The normal of several targets and its mixtures."""

import numpy as np
import pytest
from scipy import stats

from skmlp.families import Mixture, MultivariateNormal, Normal, NormalMixture

from .shared import COVARIANCES, ROWS, VECTOR, VECTOR_LAWS, fit, make_targets, mixture, parameters

every_law = pytest.mark.parametrize("name", VECTOR_LAWS)
every_family = pytest.mark.parametrize("name", VECTOR)
CONDITIONS = [
    (name, known)
    for name, (law, p) in VECTOR_LAWS.items()
    for known in ((0,), (1,), (1, 0))
    if len(known) < law.n_targets_of(p)
]
mixtures = [name for name in VECTOR_LAWS if name.startswith("mixture")]


def points_of(law, p, m=6, seed=2):
    return law.sample(p, m, np.random.default_rng(seed))


def take(p, i):
    return {key: value[i] for key, value in p.items()}


def joint_density(p, i, y):
    """Density of row i at points (m, t), summed over components by scipy."""
    row = take(p, i)
    covariances = row["scale_tril"] @ np.swapaxes(row["scale_tril"], -1, -2)
    if "weights" not in row:
        return stats.multivariate_normal(row["loc"], covariances).pdf(y)
    return sum(
        w * stats.multivariate_normal(loc, cov).pdf(y)
        for w, loc, cov in zip(row["weights"], row["loc"], covariances, strict=True)
    )


@every_law
def test_densities_of_scipy(name):
    law, p = VECTOR_LAWS[name]
    y = points_of(law, p)
    for i in range(ROWS):
        expected = np.log(joint_density(p, i, y[i].T))
        np.testing.assert_allclose(law.logpdf(p, y)[i], expected, rtol=1e-8, atol=1e-9)


@every_family
def test_entropy_and_object_of_scipy(name):
    law, p = VECTOR_LAWS[name]
    for i in range(ROWS):
        frozen = law.to_scipy({key: value[i : i + 1] for key, value in p.items()})
        np.testing.assert_allclose(frozen.entropy(), law.entropy(p)[i], rtol=1e-9)
        np.testing.assert_allclose(frozen.mean, law.mean(p)[i])
        np.testing.assert_allclose(frozen.cov, law.cov(p)[i], rtol=1e-12)


@every_family
def test_shapes_of_covariances(name):
    law, p = VECTOR_LAWS[name]
    cov, kind = law.cov(p), law.covariance_type
    assert cov.shape == (ROWS, law.n_targets, law.n_targets)
    np.testing.assert_allclose(cov, np.swapaxes(cov, 1, 2), rtol=1e-12)
    assert (np.linalg.eigvalsh(cov) > 0).all()
    off = cov - np.einsum("nii,ij->nij", cov, np.eye(law.n_targets))
    assert (np.abs(off).max() == 0) == (kind in ("diag", "spherical"))
    if kind == "spherical":
        np.testing.assert_allclose(np.einsum("nii->ni", cov).std(axis=1), 0.0, atol=1e-12)


@every_law
def test_samples_have_mean_and_covariance(name):
    law, p = VECTOR_LAWS[name]
    n = 8000
    draws = law.sample(p, n, np.random.default_rng(1))
    assert draws.shape == (ROWS, law.n_targets_of(p), n)
    step = draws - law.mean(p)[..., np.newaxis]
    products = step[:, :, np.newaxis] * step[:, np.newaxis]
    for values, expected in ((step, 0.0), (products, law.cov(p))):
        error = values.std(axis=-1) / np.sqrt(n)
        assert (np.abs(values.mean(axis=-1) - expected) < 4.5 * error).all()


@every_law
def test_samples_follow_their_marginals(name):
    law, p = VECTOR_LAWS[name]
    ranks = law.cdf(p, law.sample(p, 500, np.random.default_rng(4)))
    values = [stats.kstest(row, "uniform").pvalue for row in ranks.reshape(-1, 500)]
    assert min(values) > 1e-4


@pytest.mark.parametrize("name", mixtures)
def test_law_of_total_covariance(name):
    law, p = VECTOR_LAWS[name]
    for i in range(ROWS):
        row = take(p, i)
        own = sum(
            w * (tril @ tril.T + np.outer(loc, loc))
            for w, loc, tril in zip(row["weights"], row["loc"], row["scale_tril"], strict=True)
        )
        mean = row["weights"] @ row["loc"]
        np.testing.assert_allclose(law.mean(p)[i], mean, rtol=1e-12)
        np.testing.assert_allclose(law.cov(p)[i], own - np.outer(mean, mean), atol=1e-10)
    np.testing.assert_allclose(law.var(p), np.einsum("nii->ni", law.cov(p)), rtol=1e-12)


@every_law
def test_marginals_are_those_of_the_joint(name):
    law, p = VECTOR_LAWS[name]
    y = points_of(law, p)
    for j in range(law.n_targets_of(p)):
        own, q = law.marginal(p, j)
        assert not own.vector
        np.testing.assert_allclose(own.mean(q), law.mean(p)[:, j], rtol=1e-12)
        np.testing.assert_allclose(own.var(q), law.var(p)[:, j], rtol=1e-9)
        for method in ("cdf", "sf", "logcdf", "crps", "below"):
            expected = getattr(own, method)(q, y[:, j])
            np.testing.assert_allclose(getattr(law, method)(p, y)[:, j], expected, rtol=1e-12)
        levels = np.broadcast_to([0.1, 0.5], (ROWS, 2))
        np.testing.assert_allclose(law.ppf(p, levels)[:, j], own.ppf(q, levels), rtol=1e-12)
        for method in ("median", "skewness"):
            expected = getattr(own, method)(q)
            np.testing.assert_allclose(getattr(law, method)(p)[:, j], expected, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in VECTOR_LAWS if name.endswith("2")])
def test_marginal_density_is_the_integral_of_the_joint(name):
    law, p = VECTOR_LAWS[name]
    own, q = law.marginal(p, 0)
    spread = np.sqrt(law.var(p)[:, 1])[:, np.newaxis]
    other = law.mean(p)[:, 1][:, np.newaxis] + spread * np.linspace(-12, 12, 4001)
    at = law.mean(p)[:, :1] + 0.3
    y = np.stack([np.broadcast_to(at, other.shape), other], axis=1)
    density = np.exp(law.logpdf(p, y)).sum(axis=1) * spread[:, 0] * (24 / 4000)
    np.testing.assert_allclose(density, np.exp(own.logpdf(q, at))[:, 0], rtol=1e-6)


@pytest.mark.parametrize(("name", "known"), [c for c in CONDITIONS if c[0] in VECTOR])
def test_conditional_of_a_normal_by_its_formula(name, known):
    law, p = VECTOR_LAWS[name]
    t = law.n_targets
    values = {j: np.linspace(-1, 1, ROWS) + j for j in known}
    left = law.conditional(p, values)
    rest = [j for j in range(t) if j not in known]
    cov, loc = law.cov(p), law.mean(p)
    for i in range(ROWS):
        a = cov[i][np.ix_(rest, known)] @ np.linalg.inv(cov[i][np.ix_(known, known)])
        step = np.array([values[j][i] for j in known]) - loc[i][list(known)]
        np.testing.assert_allclose(left["loc"][i], loc[i][rest] + a @ step, rtol=1e-8, atol=1e-9)
        own = cov[i][np.ix_(rest, rest)] - a @ cov[i][np.ix_(known, rest)]
        np.testing.assert_allclose(law.cov(left)[i], own, rtol=1e-7, atol=1e-10)


def of_targets(p, i, kept):
    """Parameters of some targets of row i."""
    row = take(p, i)
    cov = row["scale_tril"] @ np.swapaxes(row["scale_tril"], -1, -2)
    cov = cov[..., kept, :][..., kept]
    own = {"loc": row["loc"][..., kept], "scale_tril": np.linalg.cholesky(cov)}
    own |= {"weights": row["weights"]} if "weights" in row else {}
    return {key: value[np.newaxis] for key, value in own.items()}


@pytest.mark.parametrize(("name", "known"), CONDITIONS)
def test_conditional_density_is_joint_over_given(name, known):
    law, p = VECTOR_LAWS[name]
    t = law.n_targets_of(p)
    rest = [j for j in range(t) if j not in known]
    values = {j: points_of(law, p)[:, j, 0] for j in known}
    left = law.conditional(p, values)
    assert law.n_targets_of(left) == len(rest)
    y = np.empty((ROWS, t, 6))
    y[:, rest] = points_of(law, left)
    for j in known:
        y[:, j] = values[j][:, np.newaxis]
    actual = law.logpdf(left, y[:, rest])
    for i in range(ROWS):
        given = joint_density(of_targets(p, i, list(known)), 0, y[i, list(known), :1].T)
        expected = np.log(joint_density(p, i, y[i].T)) - np.log(given)
        np.testing.assert_allclose(actual[i], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in VECTOR_LAWS if name.endswith("4")])
def test_conditioning_in_two_steps(name):
    law, p = VECTOR_LAWS[name]
    once = law.conditional(p, {0: 0.3, 2: -0.4})
    twice = law.conditional(law.conditional(p, {2: -0.4}), {0: 0.3})
    for key in once:
        np.testing.assert_allclose(twice[key], once[key], rtol=1e-8, atol=1e-10)


def test_conditional_on_values_that_rule_components_out():
    law, p = mixture(VECTOR["full of 4"])
    left = law.conditional(p, {0: 1e4})
    assert (left["weights"].max(axis=1) == 1).all() and (left["weights"].min(axis=1) == 0).all()
    y = points_of(law, left)
    assert np.isfinite(law.logpdf(left, y)).all()
    assert np.isfinite(law.entropy(left)).all()
    again = law.conditional(left, {0: 0.0})
    np.testing.assert_allclose(again["weights"].sum(axis=1), 1.0)


@pytest.mark.parametrize("known", [0, 1])
@pytest.mark.parametrize("width", [1e-3, 1e-6, 1e-9])
def test_conditional_of_nearly_collinear_targets(known, width):
    p = {"loc": np.zeros((1, 2)), "scale_tril": np.array([[[1.0, 0.0], [1.0, width]]])}
    left = MultivariateNormal().conditional(p, {known: 2.0})
    np.testing.assert_allclose(left["loc"], 2.0, rtol=2 * width**2 + 1e-9)
    np.testing.assert_allclose(left["scale_tril"], width, rtol=2 * width**2 + 1e-6)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_mixture_of_equal_components_is_the_component(kind):
    family = VECTOR[f"{kind} of 2"]
    p = parameters(family)
    law, own = family.mix(
        {key: np.repeat(value[:, np.newaxis], 3, axis=1) for key, value in p.items()},
        np.full((ROWS, 3), 1 / 3),
    )
    y = points_of(family, p)
    np.testing.assert_allclose(law.logpdf(own, y), family.logpdf(p, y), rtol=1e-10)
    np.testing.assert_allclose(law.cov(own), family.cov(p), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(law.entropy(own), family.entropy(p), atol=0.06)
    np.testing.assert_array_equal(law.entropy(own), law.entropy(own))
    np.testing.assert_allclose(law.mode(own), family.mode(p))


@pytest.mark.parametrize("name", mixtures)
def test_mode_of_a_mixture_is_its_best_centre(name):
    law, p = VECTOR_LAWS[name]
    mode = law.mode(p)
    for i in range(ROWS):
        densities = joint_density(p, i, p["loc"][i])
        np.testing.assert_array_equal(mode[i], p["loc"][i][densities.argmax()])


def test_nested_mixtures_flatten():
    family = VECTOR["full of 2"]
    law, _ = mixture(family)
    parts = [mixture(family, seed=seed)[1] for seed in (4, 5)]
    p = {key: np.stack([part[key] for part in parts], axis=1) for key in parts[0]}
    both, own = law.mix(p, np.full((ROWS, 2), 0.5))
    assert own["weights"].shape == (ROWS, 6) and own["scale_tril"].shape == (ROWS, 6, 2, 2)
    y = points_of(both, own)
    expected = np.logaddexp(*(law.logpdf(part, y) for part in parts)) - np.log(2)
    np.testing.assert_allclose(both.logpdf(own, y), expected, rtol=1e-10)


@every_law
@pytest.mark.parametrize("k", [2, 3])
def test_about_stretches_each_target_by_its_factor(name, k):
    law, p = VECTOR_LAWS[name]
    t = law.n_targets_of(p)
    if name.startswith("mixture"):
        law, p = mixture(law.component, k=k)
    center, factor = law.mean(p), np.linspace(0.5, 2.0, t)
    moved = law.about(p, center, factor)
    np.testing.assert_allclose(law.mean(moved), center, atol=1e-12)
    np.testing.assert_allclose(law.cov(moved), law.cov(p) * np.outer(factor, factor), rtol=1e-9)
    y = points_of(law, p)
    stretched = center[..., np.newaxis] + factor[:, np.newaxis] * (y - center[..., np.newaxis])
    expected = law.logpdf(p, y) - np.log(factor).sum()
    np.testing.assert_allclose(law.logpdf(moved, stretched), expected, rtol=1e-9)


def test_a_mixture_of_several_targets_has_no_object_of_scipy():
    law, p = mixture(VECTOR["full of 2"], rows=1)
    with pytest.raises(NotImplementedError, match="marginal"):
        law.to_scipy(p)


@every_law
def test_batches_may_have_several_axes(name):
    law, p = VECTOR_LAWS[name]
    twice = {key: np.stack([value, value]) for key, value in p.items()}
    assert law.batch(twice) == (2, ROWS)
    y = points_of(law, p)
    for method in ("logpdf", "cdf", "crps"):
        alone = getattr(law, method)(p, y)
        both = getattr(law, method)(twice, np.stack([y, y]))
        np.testing.assert_allclose(both, np.stack([alone, alone]), rtol=1e-10)
    for method in ("mean", "var", "cov", "mode", "median"):
        alone, both = getattr(law, method)(p), getattr(law, method)(twice)
        np.testing.assert_allclose(both, np.stack([alone, alone]), rtol=1e-10)


@every_law
def test_parameters_are_not_changed(name):
    law, p = VECTOR_LAWS[name]
    p = {key: value.copy() for key, value in p.items()}
    for value in p.values():
        value.flags.writeable = False
    y = points_of(law, p)
    for method in ("mean", "var", "cov", "mode", "median", "skewness", "entropy"):
        result = getattr(law, method)(p)
        assert not any(np.shares_memory(result, value) for value in p.values()), method
    for method in ("logpdf", "cdf", "crps"):
        getattr(law, method)(p, y)
    law.conditional(p, {0: 0.1})
    for key, value in p.items():
        np.testing.assert_array_equal(value, VECTOR_LAWS[name][1][key])


def test_marginals_are_laws_of_one_target():
    law, p = VECTOR_LAWS["full of 2"]
    assert law.marginal(p, 1)[0].__class__.__name__ == "NormalLaw"
    law, p = VECTOR_LAWS["mixture of full of 2"]
    assert isinstance(law.marginal(p, 1)[0], Mixture)


@pytest.mark.parametrize("t", [2, 4])
def test_a_normal_of_several_targets_becomes_the_multivariate(t):
    rng = np.random.default_rng(0)
    y = make_targets(Normal(), 50, rng, t)
    for kind in COVARIANCES:
        joint = Normal(covariance_type=kind, min_scale=0.02).fitted(y)
        assert joint == MultivariateNormal(covariance_type=kind, min_scale=0.02, n_targets=t)
        assert joint.target_scaling == ("common" if kind == "spherical" else "affine")


@pytest.mark.parametrize("score", ["crps", "beta_nll"])
def test_scores_of_one_target_refuse_several(score):
    y = np.zeros((5, 2))
    with pytest.raises(ValueError, match=f"loss='{score}'.*y has 2.*loss='nll'"):
        Normal(loss=score).fitted(y)


def test_one_target_of_a_multivariate_normal_is_a_normal():
    joint = fit(MultivariateNormal(), 1)
    p = parameters(joint)
    own, q = joint.marginal(p, 0)
    y = np.linspace(-1, 1, ROWS)[:, np.newaxis]
    expected = own.logpdf(q, y)
    np.testing.assert_allclose(joint.logpdf(p, y[:, np.newaxis]), expected, rtol=1e-12)


def test_other_families_have_no_vectors():
    assert [f.vector for f in (Normal(), NormalMixture(), MultivariateNormal())] == [
        False,
        False,
        True,
    ]
