"""The object that predicted distributions are: shapes, indexing, refusals, blocks."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from skmlp import distributions
from skmlp.distributions import BLOCK_POINTS, Distribution
from skmlp.families import FAMILIES, Normal

from .families.shared import COVARIANCES, LAWS, ROWS, VECTOR, VECTOR_LAWS, fit, mixture, parameters

SCALAR_NAMES = [
    *FAMILIES,
    "mixture of student_t",
    "mixture of poisson",
    "mixture of gamma, recalibrated",
    "histogram, recalibrated",
    "negative_binomial, recalibrated",
]
VECTOR_NAMES = [f"{kind} of 2" for kind in COVARIANCES] + ["full of 4"]
VECTOR_NAMES += [f"mixture of {kind} of 4" for kind in COVARIANCES] + ["mixture of full of 2"]
SCALAR_DISTS = {name: Distribution(*LAWS[name]) for name in SCALAR_NAMES}
VECTOR_DISTS = {name: Distribution(*VECTOR_LAWS[name]) for name in VECTOR_NAMES}
DISTS = SCALAR_DISTS | VECTOR_DISTS
every = pytest.mark.parametrize("dist", DISTS.values(), ids=DISTS.keys())
vector = pytest.mark.parametrize("dist", VECTOR_DISTS.values(), ids=VECTOR_DISTS.keys())
POINTWISE = ("logpdf", "pdf", "cdf", "logcdf", "sf", "crps")
MOMENTS = ("mean", "median", "mode", "var", "std", "skewness", "entropy")
quick = settings(max_examples=30, deadline=None)


def axes_of(dist):
    """Axes for targets."""
    return () if dist.n_targets is None else (dist.n_targets,)


def result_axes(dist, method):
    """Axes for targets of a result; joint densities have none."""
    return () if method in ("logpdf", "pdf", "entropy") else axes_of(dist)


def points(dist, m=4):
    """y of shape (n[, t], m)."""
    return dist.ppf(np.linspace(0.21, 0.88, m))


def wide(n, **changes):
    rng = np.random.default_rng(0)
    return Distribution(
        Normal(), {"loc": rng.standard_normal(n), "scale": rng.gamma(2.0, size=n)} | changes
    )


# Shapes


@every
def test_shapes_of_moments(dist):
    for method in MOMENTS:
        result = getattr(dist, method)()
        assert result.shape == (ROWS, *result_axes(dist, method)), method
        assert result.dtype == np.float64
    t = dist.n_targets or 1
    for method in ("cov", "corr"):
        assert getattr(dist, method)().shape == (ROWS, t, t)
    assert len(dist) == ROWS


@every
def test_shapes_of_functions_of_points(dist):
    y = points(dist)
    for method in POINTWISE:
        function, axes = getattr(dist, method), result_axes(dist, method)
        assert function(0.5).shape == (ROWS, *axes), method
        assert function(y[..., 0]).shape == (ROWS, *axes)
        assert function(y).shape == (ROWS, *axes, 4)
        assert function(y[:1]).shape == (ROWS, *axes, 4)
        assert function(y[..., :1]).shape == (ROWS, *axes, 1)
        assert function(y.tolist()).shape == (ROWS, *axes, 4)


@every
def test_points_of_every_shape_agree(dist):
    y = points(dist)
    for method in POINTWISE:
        function = getattr(dist, method)
        expected = function(y)
        for k in range(4):
            np.testing.assert_allclose(function(y[..., k]), expected[..., k], rtol=1e-10)
        for_all = function(np.broadcast_to(y[:1], y.shape))
        np.testing.assert_allclose(function(y[:1]), for_all, rtol=1e-10)
        same = np.full((ROWS, *axes_of(dist)), 2.0)
        np.testing.assert_allclose(function(2.0), function(same), rtol=1e-10)
        np.testing.assert_allclose(function(2), function(same), rtol=1e-10)


@vector
def test_one_point_for_all_rows_of_several_targets(dist):
    t = dist.n_targets
    y = np.linspace(-1, 1, t)
    for method in POINTWISE:
        function = getattr(dist, method)
        expected = function(np.tile(y, (ROWS, 1)))
        np.testing.assert_allclose(function(y[np.newaxis]), expected, rtol=1e-10)
        grid = function(np.stack([y, y + 1], axis=-1)[np.newaxis])
        np.testing.assert_allclose(grid[..., 0], expected, rtol=1e-10)


@every
def test_shapes_of_quantiles_intervals_and_samples(dist):
    head = (ROWS, *axes_of(dist))
    assert dist.ppf(0.3).shape == head
    assert dist.ppf([0.3]).shape == (*head, 1)
    assert dist.ppf([0.3, 0.6, 0.9]).shape == (*head, 3)
    assert dist.ppf([]).shape == (*head, 0)
    assert dist.interval().shape == dist.interval(0.5).shape == (*head, 2)
    assert dist.interval([0.5]).shape == (*head, 2, 1)
    assert dist.interval([0.5, 0.8, 0.9]).shape == (*head, 2, 3)
    assert dist.sample().shape == (*head, 1)
    assert dist.sample(7, random_state=0).shape == (*head, 7)


@every
def test_intervals_are_quantiles(dist):
    bounds = dist.interval([0.5, 0.9])
    np.testing.assert_allclose(bounds[..., 0, 0], dist.ppf(0.25), rtol=1e-12)
    np.testing.assert_allclose(bounds[..., 1, 0], dist.ppf(0.75), rtol=1e-12)
    np.testing.assert_allclose(bounds[..., 1], dist.interval(0.9), rtol=1e-12)
    np.testing.assert_allclose(dist.interval(), dist.interval(0.9))


@every
def test_relations_between_methods(dist):
    y = points(dist)
    np.testing.assert_allclose(dist.pdf(y), np.exp(dist.logpdf(y)), rtol=1e-12)
    np.testing.assert_allclose(dist.sf(y) + dist.cdf(y), 1.0, rtol=1e-9)
    np.testing.assert_allclose(np.exp(dist.logcdf(y)), dist.cdf(y), rtol=1e-9)
    np.testing.assert_allclose(dist.std() ** 2, dist.var(), rtol=1e-12)
    np.testing.assert_allclose(dist.median(), dist.ppf(0.5), rtol=1e-9, atol=1e-9)
    diagonal = np.einsum("nii->ni", dist.cov()).reshape(dist.var().shape)
    np.testing.assert_allclose(diagonal, dist.var(), rtol=1e-9)
    np.testing.assert_allclose(np.einsum("nii->ni", dist.corr()), 1.0, rtol=1e-12)
    assert (np.abs(dist.corr()) <= 1 + 1e-12).all()


# Rows


@every
def test_rows_by_number_slice_mask_and_list(dist):
    y = points(dist)
    expected, mean = dist.logpdf(y), dist.mean()
    choices = {
        "int": (1, [1]),
        "numpy int": (np.int64(2), [2]),
        "negative": (-1, [ROWS - 1]),
        "slice": (slice(1, None), range(1, ROWS)),
        "step": (slice(None, None, -1), range(ROWS - 1, -1, -1)),
        "mask": (np.arange(ROWS) != 1, [i for i in range(ROWS) if i != 1]),
        "list of bool": ([True] + [False] * (ROWS - 1), [0]),
        "list": ([2, 0, 0], [2, 0, 0]),
        "array": (np.array([1, -1]), [1, ROWS - 1]),
    }
    for kind, (rows, numbers) in choices.items():
        part, numbers = dist[rows], list(numbers)
        assert isinstance(part, Distribution) and len(part) == len(numbers), kind
        assert part.law is dist.law and part.n_targets == dist.n_targets
        np.testing.assert_allclose(part.logpdf(y[numbers]), expected[numbers], rtol=1e-10)
        np.testing.assert_allclose(part.mean(), mean[numbers], rtol=1e-10)


@every
def test_no_rows(dist):
    for none in (dist[:0], dist[[]], dist[np.zeros(ROWS, bool)]):
        assert len(none) == 0
        head = (0, *axes_of(dist))
        for method in MOMENTS:
            assert getattr(none, method)().shape == (0, *result_axes(dist, method)), method
        for method in POINTWISE:
            assert getattr(none, method)(1.0).shape == (0, *result_axes(dist, method)), method
        assert none.ppf([0.1, 0.2]).shape == (*head, 2) and none.sample(3).shape == (*head, 3)


@pytest.mark.parametrize("row", [ROWS, -ROWS - 1, 10**6])
def test_rows_that_do_not_exist(row):
    dist = SCALAR_DISTS["normal"]
    with pytest.raises(IndexError, match=f"{row} of {ROWS}"):
        dist[row]
    with pytest.raises(IndexError):
        dist[[row]]


def test_iterating_ends_at_the_last_row():
    assert [len(row) for row in SCALAR_DISTS["normal"]] == [1] * ROWS


@pytest.mark.parametrize("dist", [SCALAR_DISTS["normal"], VECTOR_DISTS["full of 2"]])
def test_what_a_distribution_says_of_itself(dist):
    text = repr(dist)
    assert str(ROWS) in text and type(dist.law).__name__ in text
    assert all(name in text for name in dist.params)


def test_facts():
    assert SCALAR_DISTS["poisson"].discrete and not SCALAR_DISTS["normal"].discrete
    assert SCALAR_DISTS["normal"].n_targets is None
    assert VECTOR_DISTS["mixture of full of 4"].n_targets == 4
    assert distributions.__all__ == ["Distribution"]


def test_params_are_arrays_in_float64_by_name():
    dist = Distribution(Normal(), {"loc": [0, 5], "scale": np.array([1, 2], np.float32)})
    assert list(dist.params) == ["loc", "scale"]
    assert all(value.dtype == np.float64 for value in dist.params.values())
    np.testing.assert_allclose(dist.cdf(5), [stats.norm.cdf(5), 0.5])


@every
def test_pickle(dist):
    copy = pickle.loads(pickle.dumps(dist))
    y = points(dist)
    np.testing.assert_array_equal(copy.logpdf(y), dist.logpdf(y))
    np.testing.assert_array_equal(copy.ppf(0.3), dist.ppf(0.3))


# Refusals


@pytest.mark.parametrize("dist", [SCALAR_DISTS["gamma"], VECTOR_DISTS["diag of 2"]])
@pytest.mark.parametrize("q", [-0.1, 1.1, np.nan, [0.5, 2.0], [[0.1], [0.2]], [0.5, np.nan]])
def test_levels_outside_0_to_1_are_refused(dist, q):
    with pytest.raises(ValueError, match=r"^q=.*between 0 and 1"):
        dist.ppf(q)


@pytest.mark.parametrize("dist", [SCALAR_DISTS["gamma"], VECTOR_DISTS["diag of 2"]])
@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.5, 95, np.nan, [0.5, 1.0], [[0.5]]])
def test_coverages_outside_0_to_1_are_refused(dist, coverage):
    with pytest.raises(ValueError, match=r"^coverage=.*strictly between 0 and 1"):
        dist.interval(coverage)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("normal", (ROWS + 1,)),
        ("normal", (2, 4)),
        ("normal", (ROWS, 2, 1)),
        ("full of 4", (ROWS,)),
        ("full of 4", (ROWS, 3)),
        ("full of 4", (ROWS + 1, 4)),
        ("full of 4", (ROWS, 4, 1, 1)),
        ("mixture of full of 4", (2, 4, 7)),
    ],
)
@pytest.mark.parametrize("method", POINTWISE)
def test_points_of_the_wrong_shape_are_refused(name, shape, method):
    with pytest.raises(ValueError, match=re.escape(f"y has shape {shape}")) as caught:
        getattr(DISTS[name], method)(np.ones(shape))
    assert "n_points" in str(caught.value)


def test_what_is_for_several_targets():
    dist = SCALAR_DISTS["normal"]
    with pytest.raises(ValueError, match="marginal: .*single target"):
        dist.marginal(0)
    with pytest.raises(ValueError, match="conditional: .*single target"):
        dist.conditional({0: 1.0})


@pytest.mark.parametrize("j", [4, -5, "0", 1.0, None])
def test_marginals_that_do_not_exist(j):
    with pytest.raises(ValueError, match=r"marginal: j=.*between 0 and 3"):
        VECTOR_DISTS["full of 4"].marginal(j)


@pytest.mark.parametrize(
    "given_values",
    [
        {},
        {4: 1.0},
        {-5: 1.0},
        {"0": 1.0},
        {0: 1.0, -4: 2.0},
        {0.0: 1.0},
        dict.fromkeys(range(4), 0.0),
    ],
)
def test_conditions_that_make_no_sense(given_values):
    with pytest.raises(ValueError, match=r"conditional: the keys of .*between 0 and 3"):
        VECTOR_DISTS["full of 4"].conditional(given_values)


def test_conditions_of_the_wrong_length():
    with pytest.raises(ValueError):
        VECTOR_DISTS["full of 4"].conditional({0: np.zeros(ROWS + 1)})


@pytest.mark.parametrize("n_samples", [0, -3, 2.5, "2", None])
def test_numbers_of_samples_that_make_no_sense(n_samples):
    with pytest.raises(ValueError, match="^n_samples=.*whole number of at least 1"):
        SCALAR_DISTS["normal"].sample(n_samples)


# Several targets


@vector
def test_marginals(dist):
    t = dist.n_targets
    for j in range(t):
        own = dist.marginal(j)
        assert own.n_targets is None and len(own) == ROWS
        np.testing.assert_allclose(own.mean(), dist.mean()[:, j], rtol=1e-12)
        np.testing.assert_allclose(own.var(), dist.var()[:, j], rtol=1e-9)
        np.testing.assert_allclose(own.ppf([0.1, 0.7]), dist.ppf([0.1, 0.7])[:, j], rtol=1e-9)
        np.testing.assert_allclose(dist.marginal(np.int64(j - t)).mean(), own.mean())


@vector
def test_conditionals(dist):
    t = dist.n_targets
    values = np.linspace(-0.5, 0.5, ROWS)
    left = dist.conditional({0: values})
    assert len(left) == ROWS
    assert left.n_targets == (None if t == 2 else t - 1)
    y = np.zeros((ROWS, t))
    y[:, 0] = values
    others = y[:, 1] if t == 2 else y[:, 1:]
    joint = dist.logpdf(y) - dist.marginal(0).logpdf(values)
    np.testing.assert_allclose(left.logpdf(others), joint, rtol=1e-8, atol=1e-9)
    last = dist.conditional({-1: 0.25})
    same = dist.conditional({t - 1: np.full(ROWS, 0.25)})
    np.testing.assert_allclose(last.mean(), same.mean(), rtol=1e-12)
    only = dist.conditional({j: 0.1 * j for j in range(1, t)})
    assert only.n_targets is None
    assert only.ppf([0.2, 0.4]).shape == (ROWS, 2)


@vector
def test_order_of_what_is_given_does_not_matter(dist):
    t = dist.n_targets
    if t == 4:
        one, other = dist.conditional({2: 1.0, 0: -1.0}), dist.conditional({0: -1.0, 2: 1.0})
        np.testing.assert_allclose(one.mean(), other.mean(), rtol=1e-9)
        np.testing.assert_allclose(one.cov(), other.cov(), rtol=1e-8)
        single = dist.marginal(1).mean()
        assert one.mean().shape == (ROWS, 2) and single.shape == (ROWS,)


@vector
def test_independent_targets_do_not_inform_each_other(dist):
    law = dist.law
    if getattr(law, "covariance_type", "mixture") in ("diag", "spherical"):
        left = dist.conditional({0: 100.0})
        mean = dist.mean()[:, 1:]
        np.testing.assert_allclose(left.mean().reshape(mean.shape), mean, rtol=1e-12)


# Randomness


@every
def test_seeds(dist):
    first = dist.sample(5, random_state=3)
    np.testing.assert_array_equal(dist.sample(5, random_state=3), first)
    assert not np.array_equal(dist.sample(5, random_state=4), first)
    from_generator = dist.sample(5, random_state=np.random.default_rng(3))
    np.testing.assert_array_equal(from_generator, first)
    old = [dist.sample(5, random_state=np.random.RandomState(3)) for _ in range(2)]
    np.testing.assert_array_equal(*old)
    state = np.random.RandomState(3)
    assert not np.array_equal(
        dist.sample(5, random_state=state), dist.sample(5, random_state=state)
    )


@every
def test_samples_vary_among_rows(dist):
    repeated = dist[[0, 0]]
    draws = repeated.sample(20, random_state=0)
    assert not np.array_equal(draws[0], draws[1])


# Blocks and sizes


BLOCKED = {
    "normal": wide(BLOCK_POINTS + 300),
    "poisson mixture": Distribution(*mixture(fit(FAMILIES["poisson"]()), rows=2500)),
    "histogram": Distribution(
        fit(FAMILIES["histogram"]()), parameters(fit(FAMILIES["histogram"]()), rows=2500)
    ),
    "vectors": Distribution(VECTOR["full of 2"], parameters(VECTOR["full of 2"], rows=2500)),
}


@pytest.mark.parametrize("dist", BLOCKED.values(), ids=BLOCKED.keys())
def test_blocks_of_rows_agree_with_rows_alone(dist):
    some = np.array([0, 1, 511, 512, 1023, 1024, len(dist) - 1])
    alone = dist[some]
    for method in ("mean", "var", "median", "mode", "entropy", "skewness"):
        expected = getattr(alone, method)()
        rtol = 1e-3 if dist.discrete else 1e-9
        np.testing.assert_allclose(getattr(dist, method)()[some], expected, rtol=rtol, atol=1e-6)
    q = [0.1, 0.2, 0.5, 0.9]
    np.testing.assert_allclose(dist.ppf(q)[some], alone.ppf(q), rtol=1e-9)
    y = dist.ppf(0.4)
    for method in ("logpdf", "cdf", "sf"):
        expected = getattr(alone, method)(y[some])
        np.testing.assert_allclose(getattr(dist, method)(y)[some], expected, rtol=1e-9)
    many = np.repeat(y[..., np.newaxis], 5, axis=-1)
    np.testing.assert_allclose(dist.logpdf(many)[some], alone.logpdf(many[some]), rtol=1e-9)


def test_more_points_than_a_block_holds():
    dist = wide(3)
    y = np.linspace(-5, 5, 3 * BLOCK_POINTS)[np.newaxis]
    expected = stats.norm.cdf(y, dist.params["loc"][:, None], dist.params["scale"][:, None])
    np.testing.assert_allclose(dist.cdf(y), expected, rtol=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_twenty_thousand_rows_in_one_call(name):
    family = fit(FAMILIES[name]())
    dist = Distribution(family, parameters(family, rows=20_000))
    y = dist.ppf(0.3)
    assert y.shape == dist.logpdf(y).shape == dist.crps(y).shape == (20_000,)
    assert (dist.cdf(y) >= 0.3 - 1e-9).all()
    assert dist.interval(0.9).shape == (20_000, 2) and dist.sample(2).shape == (20_000, 2)


def test_rows_are_not_computed_one_by_one():
    class Counting(Normal):
        calls = 0

        def cdf(self, p, y):
            Counting.calls += 1
            return super().cdf(p, y)

    dist = wide(20_000)
    Distribution(Counting(), dist.params).cdf(0.0)
    assert 1 < Counting.calls <= 20_000 / BLOCK_POINTS + 1


# Arrays are left alone


@every
def test_read_only_params_are_enough_and_are_not_changed(dist):
    params = {name: value.copy() for name, value in dist.params.items()}
    for value in params.values():
        value.flags.writeable = False
    locked = Distribution(dist.law, params)
    y = points(locked)
    y.flags.writeable = False
    for method in (*MOMENTS, "cov", "corr"):
        result = getattr(locked, method)()
        assert result.flags.writeable, method
        assert not any(np.shares_memory(result, value) for value in params.values()), method
    for method in POINTWISE:
        getattr(locked, method)(y)
    locked.ppf([0.0, 0.3, 1.0]), locked.interval(), locked.sample(3, random_state=0)
    if dist.n_targets:
        locked.marginal(0).mean(), locked.conditional({0: 0.0}).mean()
    for name, value in dist.params.items():
        np.testing.assert_array_equal(params[name], value)


# scipy.stats


@pytest.mark.parametrize("name", LAWS)
def test_objects_of_scipy(name):
    dist = Distribution(*LAWS[name])
    for i in (0, -1):
        frozen, row = dist.to_scipy(i), dist[i]
        y = points(row)[0]
        y = np.unique(y)
        density = frozen.logpmf if dist.discrete else frozen.logpdf
        np.testing.assert_allclose(density(y), row.logpdf(y[np.newaxis])[0], rtol=1e-9)
        np.testing.assert_allclose(frozen.cdf(y), row.cdf(y[np.newaxis])[0], rtol=1e-9)
        np.testing.assert_allclose(frozen.sf(y), row.sf(y[np.newaxis])[0], rtol=1e-9, atol=1e-12)
        q = np.array([0.05, 0.5, 0.9])
        np.testing.assert_allclose(frozen.ppf(q), row.ppf(q)[0], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(frozen.mean(), row.mean()[0], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(frozen.std(), row.std()[0], rtol=1e-8)
        assert np.ndim(frozen.cdf(0.5)) == 0
        draws = frozen.rvs(size=(3, 2), random_state=0)
        assert draws.shape == (3, 2)


def test_objects_of_scipy_know_their_support():
    gamma = Distribution(*LAWS["mixture of gamma"]).to_scipy(0)
    assert gamma.support() == (0, np.inf) and gamma.cdf(-1.0) == 0 and gamma.pdf(-1.0) == 0
    counts = SCALAR_DISTS["mixture of poisson"].to_scipy(0)
    assert counts.pmf(0.5) == 0 and counts.pmf(-1) == 0 and counts.support()[0] == 0


@pytest.mark.parametrize("name", [name for name in VECTOR_NAMES if name in VECTOR])
def test_objects_of_scipy_of_several_targets(name):
    dist = VECTOR_DISTS[name]
    y = points(dist)
    frozen = dist.to_scipy(1)
    np.testing.assert_allclose(frozen.logpdf(y[1].T), dist.logpdf(y)[1], rtol=1e-9)


def test_objects_of_scipy_of_mixtures_of_several_targets_are_those_of_marginals():
    dist = VECTOR_DISTS["mixture of full of 2"]
    with pytest.raises(NotImplementedError, match="marginal"):
        dist.to_scipy(0)
    frozen = dist.marginal(1).to_scipy(0)
    np.testing.assert_allclose(frozen.mean(), dist.mean()[0, 1], rtol=1e-9)


def test_rows_of_objects_of_scipy_must_exist():
    with pytest.raises(IndexError, match=f"row {ROWS} of {ROWS}"):
        SCALAR_DISTS["normal"].to_scipy(ROWS)


# Hypothesis


@quick
@given(
    st.sampled_from(sorted(FAMILIES)),
    st.integers(0, 1000),
    st.lists(st.floats(0.001, 0.999), min_size=1, max_size=8),
)
def test_quantiles_go_up_and_reach_their_levels(name, seed, levels):
    family = fit(FAMILIES[name]())
    dist = Distribution(family, parameters(family, rows=2, seed=seed, spread=0.8))
    q = np.sort(levels)
    y = dist.ppf(q)
    assert (np.diff(y, axis=1) >= -1e-9 * np.abs(y[:, 1:])).all()
    assert (dist.cdf(y) >= q - 1e-7).all()
    lower, upper = np.moveaxis(dist.interval(q), 1, 0)
    assert (lower <= upper).all()
    assert (np.diff(upper - lower, axis=1) >= -1e-9 * np.abs(upper[:, 1:])).all()


@quick
@given(st.sampled_from(sorted(VECTOR)), st.integers(0, 1000), st.floats(-3, 3))
def test_knowing_a_target_never_widens_a_normal(name, seed, value):
    family = VECTOR[name]
    dist = Distribution(family, parameters(family, rows=2, seed=seed))
    left = dist.conditional({0: value}).var().reshape(2, -1)
    assert (left <= dist.var()[:, 1:] * (1 + 1e-9)).all()
