"""Losses of the families, for every family and score of the registry."""

import pickle
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from skmlp.families import FAMILIES, Histogram, MultivariateNormal, Normal

from .shared import EVERY, SCALAR, VECTOR, Work, evaluate, make_targets, n_targets_of

every = pytest.mark.parametrize("family", EVERY.values(), ids=EVERY.keys())
with_closed_form = {name: f for name, f in EVERY.items() if f.loss in ("nll", "crps")}
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def make_problem(family, members=1, rows=40, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    y = make_targets(family, rows, rng, n_targets_of(family)).astype(dtype)
    n_raw = family.n_raw(n_targets_of(family))
    raw = np.clip(rng.standard_normal((members, rows, n_raw)), -2, 2).astype(dtype)
    for array in (y, raw):
        array.flags.writeable = False
    return y, raw


@pytest.mark.parametrize("family", with_closed_form.values(), ids=with_closed_form.keys())
@pytest.mark.parametrize("members", [1, 3])
def test_gradient_agrees_with_central_differences(family, members):
    y, raw = make_problem(family, members)
    _, grad = evaluate(family, y, raw)
    rng, h = np.random.default_rng(1), 1e-5
    for _ in range(5):
        direction = rng.standard_normal(raw.shape)
        up, _ = evaluate(family, y, raw + h * direction)
        down, _ = evaluate(family, y, raw - h * direction)
        expected, actual = (up - down) / (2 * h), (grad * direction).sum(axis=-1)
        assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@every
def test_members_do_not_see_each_other(family):
    y, raw = make_problem(family, members=3)
    values, grad = evaluate(family, y, raw)
    for m in range(3):
        alone = evaluate(family, y, raw[m : m + 1].copy())
        np.testing.assert_allclose(values[m], alone[0][0], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(grad[m], alone[1][0], rtol=1e-12, atol=1e-13)


@every
def test_rows_do_not_see_each_other_and_work_may_be_dirty(family):
    work = Work()
    y, raw = make_problem(family)
    values, grad = evaluate(family, y, raw, work)
    for rows in (slice(0, 7), slice(7, 14)):
        part = evaluate(family, y[rows], raw[:, rows].copy(), work)
        np.testing.assert_allclose(part[0], values[:, rows], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(part[1], grad[:, rows], rtol=1e-12, atol=1e-13)


@every
def test_float32_agrees_with_float64(family):
    y, raw = make_problem(family, members=2, dtype=np.float32)
    work = Work()
    values, grad = evaluate(family, y, raw, work)
    assert {dtype for _, _, dtype in work.arrays} <= {np.dtype(np.float32)}
    wide = evaluate(family, y.astype(float), raw.astype(float))
    for narrow, exact in zip((values, grad), wide, strict=True):
        np.testing.assert_allclose(narrow, exact, rtol=1e-4, atol=1e-5 * np.abs(exact).max())


@every
@both_dtypes
def test_extreme_raw_outputs_give_finite_values_without_warnings(family, dtype):
    y, raw = make_problem(family, members=4, dtype=dtype)
    sign = np.where(np.random.default_rng(3).random(raw.shape) < 0.5, -1, 1)
    far = (1e3 * sign).astype(dtype)
    far[1] *= 0.05
    far[2] = 1e3
    far[3] = -1e3
    values, grad = evaluate(family, y, far)
    assert np.isfinite(values).all() and np.isfinite(grad).all()


@every
def test_extreme_raw_outputs_give_finite_predictions(family):
    _, raw = make_problem(family)
    far = np.concatenate([50 * np.sign(raw), np.full_like(raw, 50), np.full_like(raw, -50)])
    assert np.isfinite(family.predict(family.held(far))).all()


@every
@both_dtypes
def test_extreme_targets_give_finite_values_without_warnings(family, dtype):
    _, raw = make_problem(family, rows=6, dtype=dtype)
    y = np.array([1e6, 1e4, 1.0, 0.0, -1e4, -1e6])[:, np.newaxis]
    if family.domain.low == 0:
        y = np.abs(y) if family.discrete else np.exp(y / 1e5)
    y = np.repeat(y, n_targets_of(family), axis=1).astype(dtype)
    values, grad = evaluate(family, y, raw)
    assert np.isfinite(values).all() and np.isfinite(grad).all()


@every
@pytest.mark.parametrize("size", [3.0, 30.0, 300.0])
def test_beyond_the_bounds_the_loss_is_level_and_the_gradient_only_pushes_back(family, size):
    y, _ = make_problem(family, members=2)
    n_raw = family.n_raw(n_targets_of(family))
    raw = size * np.random.default_rng(5).standard_normal((2, 40, n_raw))
    held = family.held(raw)
    values, grad = evaluate(family, y, raw)
    inside, free = evaluate(family, y, held)
    np.testing.assert_allclose(values, inside, rtol=1e-12)
    back = (raw - held) * free >= 0
    np.testing.assert_allclose(grad, np.where(back, free, 0.0), rtol=1e-12)


@every
def test_held_is_a_copy_in_float64_that_keeps_what_is_within_bounds(family):
    _, raw = make_problem(family, dtype=np.float32)
    held = family.held(raw)
    assert held.dtype == np.float64 and not np.shares_memory(held, raw)
    np.testing.assert_array_equal(held, raw)
    np.testing.assert_array_equal(family.held(family.held(1e3 * raw)), family.held(1e3 * raw))


@pytest.mark.parametrize("name", [name for name, f in EVERY.items() if f.loss == "nll"])
def test_nll_is_minus_the_log_density(name):
    family = EVERY[name].plain
    y, raw = make_problem(family, members=2)
    values, _ = evaluate(family, y, raw)
    p = family.params(family.held(raw))
    points = np.stack([y, y])[..., np.newaxis] if family.vector else np.stack([y, y])
    expected = -family.logpdf(p, points)[..., 0]
    np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, f in EVERY.items() if f.loss == "crps"])
def test_crps_is_that_of_the_law(name):
    family = EVERY[name]
    y, raw = make_problem(family, members=2)
    values, _ = evaluate(family, y, raw)
    p = family.params(family.held(raw))
    np.testing.assert_allclose(values, family.crps(p, np.stack([y, y]))[..., 0], rtol=1e-10)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_beta_nll_weighs_rows_by_a_constant(beta):
    family = replace(SCALAR["normal-beta_nll"], beta=beta)
    y, raw = make_problem(family, members=2)
    values, grad = evaluate(family, y, raw)
    plain, plain_grad = evaluate(replace(family, loss="nll"), y, raw)
    weight = np.exp(family.held(raw)[..., 1]) ** (2 * beta)
    np.testing.assert_allclose(values, weight * plain, rtol=1e-12)
    np.testing.assert_allclose(grad, weight[..., np.newaxis] * plain_grad, rtol=1e-12)


def test_beta_of_one_half_makes_steps_of_the_mean_proportional_to_the_residual_in_scales():
    family = SCALAR["normal-beta_nll"]
    assert family.beta == 0.5
    y, raw = make_problem(family)
    z = (raw[..., 0] - y[:, 0]) / np.exp(raw[..., 1])
    np.testing.assert_allclose(evaluate(family, y, raw)[1][..., 0], z, rtol=1e-12)


def test_smoothing_of_a_histogram_gives_the_loss_of_smoothed_targets():
    family = SCALAR["histogram-nll"]
    y, raw = make_problem(family)
    log_p = np.log(family.params(raw)["probability"])
    bins = np.searchsorted(np.array(family.edges)[1:-1], y[:, 0], side="right")
    target = family._neighbours[bins]
    plain, _ = evaluate(family.plain, y, raw)
    own = np.take_along_axis(log_p[0], bins[:, np.newaxis], axis=1)[:, 0]
    expected = plain[0] + own - (target * log_p[0]).sum(axis=1)
    np.testing.assert_allclose(evaluate(family, y, raw)[0][0], expected, rtol=1e-12)


@every
def test_predict_is_the_mean_with_an_axis_of_targets(family):
    _, raw = make_problem(family, members=2)
    before, predicted = raw.copy(), family.predict(raw)
    assert predicted.shape == (*raw.shape[:2], n_targets_of(family))
    mean = family.mean(family.params(family.held(raw)))
    np.testing.assert_allclose(predicted.reshape(mean.shape), mean, rtol=1e-12)
    np.testing.assert_array_equal(raw, before)


@every
def test_families_are_values(family):
    evaluate(family, *make_problem(family))
    copy = pickle.loads(pickle.dumps(family))
    assert copy == family and hash(copy) == hash(family)
    assert eval(repr(family), {type(family).__name__: type(family)}) == family
    with pytest.raises(FrozenInstanceError):
        family.loss = "other"


@pytest.mark.parametrize("cls", [*FAMILIES.values(), MultivariateNormal])
def test_unknown_scores_are_refused_with_a_list(cls):
    with pytest.raises(ValueError, match=f"loss='brier'.*{cls.__name__}") as caught:
        cls(loss="brier")
    assert all(f"loss='{score}'" in str(caught.value) for score in cls.scores)


@pytest.mark.parametrize("cls", FAMILIES.values())
def test_class_facts(cls):
    family = cls()
    assert family.loss == "nll" == cls.scores[0]
    assert all(callable(getattr(family, f"_{score}")) for score in cls.scores)
    assert [f.name for f in fields(cls)][0] == "loss"
    assert family.target_scaling in ("affine", "scale", "none", "fixed", "common")
    y = make_targets(family, 100, np.random.default_rng(0))
    assert family.domain.contains(y).all() and family.support.contains(y).all()


def test_a_mixture_has_no_raw_outputs_of_its_own():
    with pytest.raises(NotImplementedError, match="Mixtures"):
        Normal().average(np.zeros((2, 3, 2)))


@pytest.mark.parametrize("family", EVERY.values(), ids=EVERY.keys())
def test_constant_raw_is_a_mask_of_the_raw_outputs(family):
    t = n_targets_of(family)
    mask = family.constant_raw(t)
    assert mask.shape == (family.n_raw(t),) and mask.dtype == bool
    tied = family.vector and family.covariance_type == "tied"
    expected = np.arange(len(mask)) >= t if tied else np.zeros(len(mask), bool)
    np.testing.assert_array_equal(mask, expected)


def test_a_tied_scale_of_one_target_does_not_depend_on_x():
    assert Normal(covariance_type="tied").constant_raw(1).tolist() == [False, True]


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"n_bins": 0}, "n_bins=0"),
        ({"binning": "kmeans"}, "binning='kmeans' is not one of quantile, uniform"),
    ],
)
def test_parameters_of_histograms_are_checked(parameters, match):
    with pytest.raises(ValueError, match=match):
        Histogram(**parameters)


def test_parameters_of_mixtures_and_covariances_are_checked():
    with pytest.raises(ValueError, match="n_mixture_components=0"):
        FAMILIES["normal_mixture"](n_mixture_components=0)
    with pytest.raises(ValueError, match="covariance_type='banded' is not one of full"):
        MultivariateNormal(covariance_type="banded")


def test_vector_families_exist_for_every_covariance():
    assert {family.n_raw(4) for family in VECTOR.values() if family.n_targets == 4} == {14, 8, 5}
