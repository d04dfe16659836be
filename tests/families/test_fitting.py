"""Families before training: what they learn from y, where they start, units."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from skmlp.families import (
    FAMILIES,
    Histogram,
    Laplace,
    MultivariateNormal,
    Normal,
    NormalMixture,
    StudentT,
)

from .shared import EVERY, SCALAR, VECTOR, evaluate, make_targets, n_targets_of, of_constant

every = pytest.mark.parametrize("family", EVERY.values(), ids=EVERY.keys())
optimal = {name: f for name, f in EVERY.items() if f.init_is_optimal and f.loss != "beta_nll"}
scored = [(cls, score) for cls in FAMILIES.values() for score in cls.scores]
LOCATED = [cls for cls in FAMILIES.values() if "min_scale" in cls.__dataclass_fields__]
GRIDDED = [cls for cls in LOCATED if cls().domain.low != 0]


def targets(family, rows=80, seed=0):
    return make_targets(family, rows, np.random.default_rng(seed), n_targets_of(family))


def units_of(family):
    """A shift and scales that the family's kind of target scaling could have."""
    t = n_targets_of(family)
    if family.target_scaling == "none":
        return np.zeros(t), np.ones(t)
    if family.target_scaling == "scale":
        return np.zeros(t), np.full(t, 3.7)
    if family.target_scaling == "common":
        return np.linspace(-5, 9, t), np.full(t, 3.7)
    return np.linspace(-5, 9, t), np.linspace(0.2, 3.7, t)


@every
def test_raw_outputs_in_other_units_describe_the_target_in_those(family):
    y = targets(family)
    raw = np.clip(np.random.default_rng(1).standard_normal((80, family.n_raw(y.shape[1]))), -2, 2)
    shift, scale = units_of(family)
    law, p = family.in_units(raw, shift, scale)
    own = family.params(family.held(raw))
    points = (scale * y + shift)[..., np.newaxis] if family.vector else scale * y + shift
    before = family.logpdf(own, y[..., np.newaxis] if family.vector else y)
    np.testing.assert_allclose(law.logpdf(p, points) + np.log(scale).sum(), before, rtol=1e-9)
    mean = family.mean(own)
    expected = scale * mean + shift if family.vector else scale[0] * mean + shift[0]
    np.testing.assert_allclose(law.mean(p), expected, rtol=1e-9)
    q = np.broadcast_to([0.1, 0.6], (80, 2))
    move = (scale[:, np.newaxis], shift[:, np.newaxis]) if family.vector else (scale, shift)
    quantiles = move[0] * family.ppf(own, q) + move[1]
    np.testing.assert_allclose(law.ppf(p, q), quantiles, rtol=1e-8, atol=1e-9)


@every
def test_factor_and_offset_make_raw_outputs_in_those_units(family):
    raw = family.held(
        np.random.default_rng(1).standard_normal((7, family.n_raw(n_targets_of(family))))
    )
    shift, scale = units_of(family)
    factor, offset = family.units(shift, scale)
    assert np.broadcast_shapes(np.shape(factor), np.shape(offset), raw[0].shape) == raw[0].shape
    law, p = family.in_units(raw, shift, scale)
    direct = family.params(raw * factor + offset)
    for key in p:
        np.testing.assert_allclose(p[key], direct[key], rtol=1e-12)


@every
def test_units_go_there_and_back(family):
    raw = np.random.default_rng(1).standard_normal((7, family.n_raw(n_targets_of(family))))
    shift, scale = units_of(family)
    there = family.units(shift, scale)
    back = family.units(-shift / scale, 1 / scale)
    actual = (raw * there[0] + there[1]) * back[0] + back[1]
    np.testing.assert_allclose(actual, raw, rtol=1e-12, atol=1e-12)


@every
@pytest.mark.parametrize("shape", [(), (4,), (2, 4)])
def test_in_units_takes_any_batch_and_changes_nothing(family, shape):
    n_raw = family.n_raw(n_targets_of(family))
    raw = np.random.default_rng(1).standard_normal((*shape, n_raw)).astype(np.float32)
    raw.flags.writeable = False
    before = raw.copy()
    law, p = family.in_units(raw, *units_of(family))
    assert law.batch(p) == shape and all(v.dtype == np.float64 for v in p.values())
    np.testing.assert_array_equal(raw, before)


@pytest.mark.parametrize("name", optimal)
@pytest.mark.parametrize("weighted", [False, True])
def test_no_constant_is_better_than_the_start(name, weighted):
    family = optimal[name]
    y = targets(family, rows=120)
    rng = np.random.default_rng(2)
    weight = rng.gamma(1.0, size=120) if weighted else None
    best = family.init_raw(y, weight)
    assert best.shape == (family.n_raw(y.shape[1]),) and best.dtype == np.float64
    value, grad = of_constant(family, y, best, weight)
    for scale in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(15):
            other = best + scale * rng.standard_normal(best.shape)
            assert value <= of_constant(family, y, other, weight)[0] + 1e-9
    if family.smooth:
        # The covariance is kept from being singular.
        assert np.abs(grad).max() < (1e-3 if family.vector else 1e-6)


def test_start_of_beta_nll_is_a_root_of_its_gradient():
    family = SCALAR["normal-beta_nll"]
    y = targets(family)
    np.testing.assert_allclose(of_constant(family, y, family.init_raw(y))[1], 0.0, atol=1e-10)


@every
def test_start_is_nearly_as_good_as_any_constant(family):
    if family.loss == "beta_nll":
        family = SCALAR["normal-nll"]
    y = targets(family, rows=300)
    best = family.init_raw(y)
    value, _ = of_constant(family, y, best)
    rng = np.random.default_rng(2)
    others = [
        of_constant(family, y, best + 0.5 * rng.standard_normal(best.shape))[0] for _ in range(30)
    ]
    assert value <= min(others) + 0.1


def has_closed_start(family):
    return family.loss in family.starts_optimal or not family.init_is_optimal


@every
def test_start_counts_a_weight_of_two_as_two_rows(family):
    y = targets(family, rows=30)
    counts = np.random.default_rng(5).integers(0, 4, 30)
    counts[:4] = 1
    repeated = family.held(family.init_raw(np.repeat(y, counts, axis=0)))
    # A search ends when the loss does not change in its last digits.
    atol = 1e-9 if has_closed_start(family) else 1e-6
    for weight in (counts.astype(float), 0.1 * counts):
        start = family.held(family.init_raw(y, weight))
        np.testing.assert_allclose(start, repeated, rtol=1e-7, atol=atol)


@every
def test_start_of_constant_targets_is_finite(family):
    y = np.repeat(targets(family, rows=1), 50, axis=0)
    fitted = type(family)(loss=family.loss).fitted(y) if not family.vector else family
    raw = fitted.init_raw(y)
    values, grad = evaluate(fitted, y, np.broadcast_to(raw, (1, 50, len(raw))).copy())
    assert np.isfinite(raw).all() and np.isfinite(values).all() and np.isfinite(grad).all()


@pytest.mark.parametrize("name", ["poisson", "negative_binomial"])
def test_start_of_counts_that_are_all_zero_is_finite(name):
    family = FAMILIES[name]()
    raw = family.init_raw(np.zeros((20, 1)))
    assert np.isfinite(raw).all()
    assert family.mean(family.params(raw)) < 1e-3


def test_long_targets_do_not_slow_the_start():
    y = np.random.default_rng(0).standard_t(4, (200_000, 1))
    family = StudentT().fitted(y)
    p = family.params(family.init_raw(y))
    assert 3.6 < p["df"] < 4.4 and abs(p["scale"] - 1) < 0.03 and abs(p["loc"]) < 0.02


@every
def test_with_loss_of_takes_the_score_and_nothing_else(family):
    for score in family.scores:
        other = type(family)(loss=score)
        changed = family.with_loss_of(other)
        assert changed.loss == score
        assert changed.with_loss_of(family) == family


@every
def test_locations_start_with_smaller_weights_where_targets_hardly_vary(family):
    n_raw, t = family.n_raw(n_targets_of(family)), n_targets_of(family)
    raw = np.zeros(n_raw)
    np.testing.assert_array_equal(family.init_gain(raw), 1.0)
    narrow = family.init_gain(np.full(n_raw, 5.0 if family.vector else -5.0))
    assert narrow.shape == (n_raw,) and ((narrow > 0) & (narrow <= 1)).all()
    if family.vector or isinstance(family, (Normal, StudentT, Laplace)):
        np.testing.assert_allclose(narrow[:t], 10 * np.exp(-5.0))
        np.testing.assert_array_equal(narrow[t:], 1.0)


def test_with_loss_of_takes_beta():
    family = SCALAR["normal-nll"].with_loss_of(Normal("beta_nll", beta=0.9))
    assert family.loss == "beta_nll" and family.beta == 0.9
    joint = VECTOR["full of 2"]
    assert joint.with_loss_of(Normal("nll", beta=0.9)) == joint


@pytest.mark.parametrize("cls", [cls for cls in FAMILIES.values() if cls is not Normal])
@pytest.mark.parametrize("t", [2, 4])
def test_several_targets_are_refused_with_a_remedy(cls, t):
    y = np.tile(make_targets(cls(), 20, np.random.default_rng(0)), t)
    with pytest.raises(ValueError, match=f"y has {t} targets, but {cls.__name__}") as caught:
        cls().fitted(y)
    assert "distribution='normal'" in str(caught.value)
    assert "MultiOutputRegressor" in str(caught.value)


@pytest.mark.parametrize("cls", GRIDDED)
def test_scales_are_not_narrower_than_the_grid_of_the_targets(cls):
    rng = np.random.default_rng(0)
    y = np.round(rng.standard_normal((400, 1)) * 20 + 60)
    expected = 1 / np.sqrt(12) / y.std()
    np.testing.assert_allclose(cls().fitted(y).min_scale, expected, rtol=1e-6)
    np.testing.assert_allclose(cls().fitted(0.1 * y + 3).min_scale, expected, rtol=1e-6)
    assert cls(min_scale=0.5).fitted(y).min_scale == 0.5
    fine = rng.standard_normal((400, 1))
    assert cls().fitted(fine).min_scale == cls().min_scale


@pytest.mark.parametrize("cls", GRIDDED)
def test_min_scale_counts_a_weight_of_two_as_two_rows(cls):
    rng = np.random.default_rng(0)
    y = np.round(rng.standard_normal((60, 1)) * 3)
    counts = rng.integers(0, 4, 60)
    expected = cls().fitted(np.repeat(y, counts, axis=0)).min_scale
    actual = cls().fitted(y, counts.astype(float)).min_scale
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


@pytest.mark.parametrize("cls", GRIDDED)
def test_min_scale_of_constant_and_nearly_equal_targets(cls):
    assert cls().fitted(np.full((20, 1), 3.0)).min_scale == cls().min_scale
    y = 1.0 + np.array([[0.0], [1e-17], [0.1], [0.1 + 1e-16], [0.2]])
    assert np.isclose(cls().fitted(y).min_scale, 0.1 / np.sqrt(12) / y.std(), rtol=1e-6)


@pytest.mark.parametrize("cls", LOCATED)
def test_no_scale_is_below_min_scale(cls):
    family = cls(min_scale=0.07)
    p = family.params(family.held(np.full(family.n_raw(1), -1e3)))
    scale = p["sigma"] if "sigma" in p else p["scale"]
    np.testing.assert_allclose(scale, 0.07, rtol=1e-12)


def test_no_conditional_scale_of_several_targets_is_below_min_scale():
    family = MultivariateNormal(min_scale=0.07, n_targets=3)
    p = family.params(family.held(np.full(family.n_raw(3), 1e3)))
    np.testing.assert_allclose(np.einsum("ii->i", p["scale_tril"]), 0.07, rtol=1e-9)


def test_the_lognormal_keeps_its_min_scale():
    y = np.repeat(np.arange(1.0, 8.0), 10)[:, np.newaxis]
    family = FAMILIES["lognormal"]().fitted(y)
    assert family.min_scale == FAMILIES["lognormal"]().min_scale


@pytest.mark.parametrize(("cls", "score"), scored)
def test_fitted_leaves_the_family_alone(cls, score):
    family = cls(loss=score)
    fitted = family.fitted(targets(family))
    assert family == cls(loss=score) and fitted.loss == score
    assert pickle.loads(pickle.dumps(fitted)) == fitted
    with pytest.raises(FrozenInstanceError):
        fitted.loss = "nll"


def test_raw_outputs_are_as_many_as_the_parameters():
    expected = {
        "normal": 2,
        "student_t": 3,
        "laplace": 2,
        "lognormal": 2,
        "gamma": 2,
        "poisson": 1,
        "negative_binomial": 2,
        "normal_mixture": 15,
        "histogram": 20,
    }
    for name, n_raw in expected.items():
        assert SCALAR[f"{name}-nll"].n_raw(1) == n_raw, name


def test_starts_have_the_moments_of_the_targets():
    rng = np.random.default_rng(1)
    y = rng.standard_normal((500, 1)) * 0.8 + 0.3
    for family in (Normal(), Laplace(), StudentT(), NormalMixture()):
        p = family.params(family.init_raw(y))
        assert abs(family.mean(p) - y.mean()) < 0.1, family
        assert abs(np.sqrt(family.var(p)) / y.std() - 1) < 0.25, family
    z = (y - y.mean()) / y.std()
    family = Histogram().fitted(y)
    p = family.params(family.init_raw(z))
    assert abs(family.mean(p)) < 0.1 and abs(np.sqrt(family.var(p)) - 1) < 0.3
