import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

import skmlp.schedules
from skmlp.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    CosLog4,
    FlatCosine,
    InvScaling,
    OneCycle,
)

ALL = [
    *(cls() for cls in SCHEDULES.values()),
    InvScaling(0.2),
    Adaptive(2.0, 1e-4),
    OneCycle(0.0),
    OneCycle(0.5, 0.0),
    FlatCosine(0.9),
]
N_STEPS = 1000


def curve(schedule, n_steps=N_STEPS, n_rows=10):
    """All factors, with one epoch per step."""
    return np.array([schedule(step, n_steps, step * n_rows) for step in range(n_steps)])


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_factors_lie_between_0_and_1(schedule):
    factors = curve(schedule)
    assert factors.min() >= 0.0
    assert factors.max() <= 1.0
    assert factors.max() > 0.99


@pytest.mark.parametrize("n_steps", [1, 2, N_STEPS])
@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_factors_are_floats(schedule, n_steps):
    for step in range(n_steps):
        assert type(schedule(step, n_steps, 7)) is float


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_facts(schedule):
    for fact in (schedule.needs_horizon, schedule.ends_at_zero):
        assert type(fact) is bool
    if schedule.ends_at_zero:
        assert curve(schedule, 100_000)[-1] < 2e-5  # a straight line ends at 1e-5
    if not schedule.needs_horizon:
        assert schedule(3, 10, 5) == schedule(3, None, 5)


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_facts_of_those_that_scikit_learn_and_realmlp_have(schedule):
    if type(schedule) in (Cosine, FlatCosine, OneCycle, CosLog4):
        assert schedule.needs_horizon and schedule.ends_at_zero
    elif type(schedule) in (Constant, InvScaling, Adaptive):
        assert not (schedule.needs_horizon or schedule.ends_at_zero)
        assert (schedule.plateau_factor is None) is not isinstance(schedule, Adaptive)


@pytest.mark.parametrize("schedule", [Constant(), Adaptive()], ids=repr)
def test_constant(schedule):
    np.testing.assert_array_equal(curve(schedule), 1.0)


def test_adaptive_defaults_are_sklearns():
    assert (Adaptive().plateau_factor, Adaptive().min_learning_rate) == (5.0, 1e-6)
    assert Constant().min_learning_rate == 0.0


@pytest.mark.parametrize("power_t", [0.0, 0.5, 1.0])
def test_invscaling_agrees_with_sklearn(power_t):
    twin = SGDOptimizer([np.zeros(1)], 0.1, lr_schedule="invscaling", power_t=power_t)
    for n_samples_seen in range(0, 5000, 500):
        twin.iteration_ends(n_samples_seen)
        factor = InvScaling(power_t)(3, 10, n_samples_seen)
        assert 0.1 * factor == pytest.approx(twin.learning_rate, rel=1e-14)


def test_cosine():
    np.testing.assert_allclose([Cosine()(k, 4, 0) for k in (0, 2)], [1.0, 0.5])
    assert (np.diff(curve(Cosine())) < 0).all()


def test_flat_cosine():
    found = [FlatCosine()(k, 8, 0) for k in (0, 3, 4, 6)]
    np.testing.assert_allclose(found, [1.0, 1.0, 1.0, 0.5])
    factors = curve(FlatCosine(0.3))
    assert (factors[:300] == 1.0).all() and (np.diff(factors[301:]) < 0).all()
    np.testing.assert_allclose(curve(FlatCosine(0.0)), curve(Cosine()))


def test_one_cycle():
    schedule = OneCycle(warmup_fraction=0.3, initial_fraction=0.04)
    assert schedule(0, 10, 0) == pytest.approx(0.04)
    assert schedule(3, 20, 0) == pytest.approx(0.52)
    assert schedule(3, 10, 0) == pytest.approx(1.0)
    assert schedule(13, 20, 0) == pytest.approx(0.5)
    factors = curve(schedule)
    assert (np.diff(factors[:300]) > 0).all()
    assert (np.diff(factors[300:]) < 0).all()
    assert np.abs(np.diff(factors)).max() < 0.01
    np.testing.assert_allclose(curve(OneCycle(0.0)), curve(Cosine()))


def test_coslog4_has_four_cycles():
    zeros = [(2.0**k - 1.0) / 15.0 for k in range(5)]
    ones = [(2.0 ** (k + 0.5) - 1.0) / 15.0 for k in range(4)]
    n_steps = 15 * 10**6
    for times, factor in ((zeros, 0.0), (ones, 1.0)):
        for t in times:
            assert CosLog4()(round(t * n_steps), n_steps, 0) == pytest.approx(factor, abs=1e-9)
    turns = np.diff(np.sign(np.diff(curve(CosLog4()))))
    assert np.count_nonzero(turns) == 7
    expected = 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * 0.25)))
    assert CosLog4()(1, 4, 0) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_is_a_value(schedule):
    twin = eval(repr(schedule), vars(skmlp.schedules))
    for other in (twin, pickle.loads(pickle.dumps(schedule))):
        assert other == schedule
        assert hash(other) == hash(schedule)
    with pytest.raises(FrozenInstanceError):
        schedule.power_t = 1.0


def test_parameters_distinguish():
    assert len(set(ALL)) == len(ALL)


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (Adaptive, "plateau_factor", 1.0),
        (Adaptive, "min_learning_rate", -1e-6),
        (OneCycle, "warmup_fraction", 1.0),
        (OneCycle, "initial_fraction", 1.5),
    ],
)
def test_wrong_parameters_are_named(cls, name, value):
    with pytest.raises(ValueError, match=f"{name} must .* got {value}"):
        cls(**{name: value})
