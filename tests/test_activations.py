import pickle
import tracemalloc
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy import special
from scipy.integrate import quad
from scipy.stats import norm

import skmlp.activations
from skmlp.activations import ACTIVATIONS, ELU, Activation, LeakyReLU, LearnedActivation, PReLU
from skmlp.initializers import INITIALIZERS

ALL = [
    *(cls() for cls in ACTIVATIONS.values()),
    LeakyReLU(0.0),
    LeakyReLU(0.3),
    LeakyReLU(1.0),
    PReLU(-0.5),
    PReLU(0.1, per_unit=True),
    ELU(0.0),
    ELU(0.5),
    ELU(2.0),
]
LEARNED = [activation for activation in ALL if isinstance(activation, LearnedActivation)]
SMOOTH = [activation for activation in ALL if not activation.piecewise_linear]
IN_PLACE = [activation for activation in ALL if not activation.needs_input]
DTYPES = [np.float32, np.float64]

SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
REFERENCE = {
    "identity": lambda z: z,
    "logistic": special.expit,
    "tanh": np.tanh,
    "relu": lambda z: np.where(z > 0, z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "prelu": lambda z: np.where(z > 0, z, 0.25 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "selu": lambda z: SCALE * np.where(z > 0, z, ALPHA * np.expm1(np.minimum(z, 0))),
    "softplus": lambda z: np.logaddexp(0, z),
    "gelu": lambda z: z * norm.cdf(z),
    "silu": lambda z: z * special.expit(z),
    "mish": lambda z: z * np.tanh(np.logaddexp(0, z)),
    "step": lambda z: np.where(z >= 0, 1.0, 0.0),
}


def work(key, shape, dtype):
    return np.full(shape, np.nan, dtype)


def sample(dtype=np.float64, shape=(3, 5, 4), seed=0):
    """Normal numbers that keep away from the kink at 0."""
    z = 2.0 * np.random.default_rng(seed).standard_normal(shape)
    return np.where(np.abs(z) < 0.05, 0.05, z).astype(dtype)


def slopes(activation, z, seed=0):
    """What forward, backward and curvature take last: nothing, or one slope array."""
    if not isinstance(activation, LearnedActivation):
        return ()
    members, _, width = z.shape
    shape = (members, 1, activation.n_slopes(width))
    return (np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(z.dtype),)


def forward(activation, z, *slope):
    out = np.full_like(z, np.nan)
    activation.forward(z, out, work, *slope)
    return out


def backward(activation, z, *slope):
    grad = np.ones_like(z)
    activation.backward(z, forward(activation, z, *slope), grad, work, *slope)
    return grad


def test_every_name_has_a_reference():
    assert set(REFERENCE) == set(ACTIVATIONS)


def test_public_names():
    assert {cls.__name__ for cls in ACTIVATIONS.values()} < set(skmlp.activations.__all__)
    assert all(hasattr(skmlp.activations, name) for name in skmlp.activations.__all__)
    assert all(issubclass(cls, Activation) for cls in ACTIVATIONS.values())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values(name, dtype):
    z = np.concatenate([np.linspace(-30, 30, 601), [0.0, 1e-8, -1e-8, 1e3, -1e3]]).astype(dtype)
    a = ACTIVATIONS[name]()(z)
    assert a.dtype == dtype
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(a, REFERENCE[name](z.astype(float)), rtol=8 * eps, atol=8 * eps)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_backward_is_the_derivative(activation):
    z, h = sample(), 1e-6
    slope = slopes(activation, z)
    difference = forward(activation, z + h, *slope) - forward(activation, z - h, *slope)
    np.testing.assert_allclose(
        backward(activation, z, *slope), difference / (2 * h), rtol=1e-8, atol=1e-9
    )


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_backward_multiplies(activation):
    z = sample()
    slope = slopes(activation, z)
    grad = sample(seed=1)
    expected = grad * backward(activation, z, *slope)
    activation.backward(z, forward(activation, z, *slope), grad, work, *slope)
    np.testing.assert_allclose(grad, expected, rtol=1e-14)


@pytest.mark.parametrize("activation", SMOOTH, ids=repr)
def test_curvature_is_the_second_derivative(activation):
    z, h = sample(), 1e-6
    difference = (backward(activation, z + h) - backward(activation, z - h)) / (2 * h)
    curvature = activation.curvature(z, forward(activation, z))
    np.testing.assert_allclose(curvature, difference, rtol=1e-7, atol=2e-9)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_curvature_is_none_where_there_is_none(activation):
    z = sample()
    slope = slopes(activation, z)
    curvature = activation.curvature(z, forward(activation, z, *slope), *slope)
    assert (curvature is None) == activation.piecewise_linear


@pytest.mark.parametrize("activation", IN_PLACE, ids=repr)
def test_out_may_be_z(activation):
    z = sample()
    a = z.copy()
    activation.forward(a, a, work)
    np.testing.assert_array_equal(a, forward(activation, z))
    grad = np.ones_like(z)
    activation.backward(a, a, grad, work)
    np.testing.assert_array_equal(grad, backward(activation, z))
    if not activation.piecewise_linear:
        np.testing.assert_array_equal(activation.curvature(a, a), activation.curvature(z, a))


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_inputs_are_left_alone(activation):
    z = sample()
    slope = slopes(activation, z)
    a = forward(activation, z, *slope)
    for array in (z, a, *slope):
        array.setflags(write=False)
    forward(activation, z, *slope)
    activation.backward(z, a, np.ones_like(z), work, *slope)
    activation.curvature(z, a, *slope)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_extremes_are_finite(activation, dtype):
    z = np.concatenate([np.linspace(-1e4, 1e4, 999), np.linspace(-150, 150, 601)]).astype(dtype)
    z = np.append(z, 0.0).astype(dtype).reshape(1, -1, 1)
    slope = slopes(activation, z)
    a = forward(activation, z, *slope)
    results = [a, backward(activation, z, *slope), activation.curvature(z, a, *slope)]
    for result in results[: 2 if activation.piecewise_linear else 3]:
        assert result.dtype == dtype
        assert np.isfinite(result).all()


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_derivative_is_right_far_out(activation):
    z, h = np.array([-1e4, -150.0, 150.0, 1e4]), 1e-3
    difference = (activation(z + h) - activation(z - h)) / (2 * h)
    np.testing.assert_allclose(activation.derivative(z), difference, atol=1e-6)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_float32_agrees_with_float64(activation):
    z = sample(np.float32)
    slope = slopes(activation, z)
    wide = [array.astype(float) for array in (z, *slope)]
    for function in (forward, backward):
        narrow = function(activation, z, *slope)
        assert narrow.dtype == np.float32
        np.testing.assert_allclose(narrow, function(activation, *wide), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_nothing_grows_with_the_batch(activation, dtype):
    arrays = {}

    def lookup(*key):
        if key not in arrays:
            arrays[key] = np.empty(*key[1:])
        return arrays[key]

    z = sample(dtype, (1, 20_000, 10))
    slope = slopes(activation, z)
    a, grad = np.empty_like(z), np.ones_like(z)

    def passes():
        activation.forward(z, a, lookup, *slope)
        activation.backward(z, a, grad, lookup, *slope)

    passes()
    tracemalloc.start()
    passes()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < z.nbytes / 10


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_gain(activation):
    if type(activation).__name__ in {"Identity", "Logistic", "Tanh"}:
        assert activation.gain == pytest.approx(1.0 / float(activation.derivative(0.0)))
    elif activation.trainable:

        def power(z):
            return float(activation(z)) ** 2 * norm.pdf(z)

        moment = quad(power, -12, 0, epsabs=1e-12)[0] + quad(power, 0, 12, epsabs=1e-12)[0]
        assert activation.gain == pytest.approx(moment**-0.5, rel=1e-9)
    assert type(activation.gain) is float
    assert activation.default_init in INITIALIZERS


def test_selu_keeps_mean_and_variance():
    selu = ACTIVATIONS["selu"]()
    for power, moment in ((1, 0.0), (2, 1.0)):
        parts = (
            quad(lambda z: float(selu(z)) ** power * norm.pdf(z), *ends)[0]  # noqa: B023
            for ends in ((-12, 0), (0, 12))
        )
        assert sum(parts) == pytest.approx(moment, abs=1e-8)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_is_a_value(activation):
    twin = eval(repr(activation), vars(skmlp.activations))
    for other in (twin, pickle.loads(pickle.dumps(activation))):
        assert other == activation
        assert hash(other) == hash(activation)
    with pytest.raises(FrozenInstanceError):
        activation.gain_ = 2.0


def test_parameters_distinguish():
    assert LeakyReLU(0.1) != LeakyReLU(0.2)
    assert len({ELU(), ELU(1.0), ELU(2.0)}) == 2


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [(LeakyReLU, "negative_slope", -0.1), (LeakyReLU, "negative_slope", 1.5), (ELU, "alpha", -1.0)],
)
def test_wrong_parameters_are_named(cls, name, value):
    with pytest.raises(ValueError, match=f"{name} must .* got {value}"):
        cls(**{name: value})


@pytest.mark.parametrize("z", [[-1, 0, 2], 0.5, [[True, False]], np.float32([1.0, -2.0])])
@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_call_takes_any_array(activation, z):
    before = np.array(z)
    for result in (activation(z), activation.derivative(z)):
        assert result.shape == before.shape
        assert result.dtype == (np.float32 if before.dtype == np.float32 else np.float64)
        assert not np.shares_memory(result, z)
    np.testing.assert_array_equal(z, before)


def test_step():
    step = ACTIVATIONS["step"]()
    assert not step.trainable
    np.testing.assert_array_equal(step([-1e-300, -0.0, 0.0, 2.0]), [0.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(step.derivative([-1.0, 0.0, 1.0]), 0.0)
    assert all(cls.trainable for name, cls in ACTIVATIONS.items() if name != "step")


def test_relu_lets_nothing_through_at_zero():
    np.testing.assert_array_equal(ACTIVATIONS["relu"]().derivative([-1.0, 0.0, 1.0]), [0, 0, 1])


@pytest.mark.parametrize("name", ["relu", "tanh", "logistic", "prelu"])
def test_nan_stays_nan(name):
    assert np.isnan(ACTIVATIONS[name]()(np.float32([np.nan]))).all()


@pytest.mark.parametrize("activation", LEARNED, ids=repr)
def test_slope_gradients(activation):
    z, h = sample(), 1e-5
    (slope,) = slopes(activation, z)
    grad = sample(seed=1)
    kept = grad.copy()
    methods = {activation.slope_grad: forward, activation.slope_curvature: backward}
    for method, function in methods.items():
        out = np.full_like(z, np.nan)
        method(z, grad, out)
        difference = function(activation, z, slope + h) - function(activation, z, slope - h)
        np.testing.assert_allclose(out, grad * difference / (2 * h), rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(grad, kept)


@pytest.mark.parametrize("activation", LEARNED, ids=repr)
def test_members_have_slopes_of_their_own(activation):
    z = sample()
    (slope,) = slopes(activation, z)
    for function in (forward, backward):
        together = function(activation, z, slope)
        for k in range(len(z)):
            alone = function(activation, z[k : k + 1], slope[k : k + 1])
            np.testing.assert_array_equal(together[k : k + 1], alone)


def test_number_of_slopes():
    assert all(activation.n_slopes(7) == 0 for activation in ALL if activation not in LEARNED)
    assert PReLU().n_slopes(7) == 1
    assert PReLU(per_unit=True).n_slopes(7) == 7
    assert PReLU().initial_slope == 0.25
