import math
import pickle

import numpy as np
import pytest
from scipy.stats import kstest, norm, uniform

import skmlp.initializers
from skmlp.initializers import INITIALIZERS, Initializer

FAN_IN, FAN_OUT, GAIN = 60, 140, 1.3

# name -> distribution of the weights, distribution of the biases (None: zeros)
GLOROT = GAIN * math.sqrt(6 / (FAN_IN + FAN_OUT))
HE = GAIN * math.sqrt(3 / FAN_IN)
DISTRIBUTIONS = {
    "glorot_uniform": (uniform(-GLOROT, 2 * GLOROT), uniform(-GLOROT, 2 * GLOROT)),
    "glorot_normal": (norm(0, GAIN * math.sqrt(2 / (FAN_IN + FAN_OUT))), None),
    "he_uniform": (uniform(-HE, 2 * HE), uniform(-(FAN_IN**-0.5), 2 * FAN_IN**-0.5)),
    "he_normal": (norm(0, GAIN / math.sqrt(FAN_IN)), None),
    "lecun_normal": (norm(0, FAN_IN**-0.5), None),
}


def draw(name, method, seed=0, fan_in=FAN_IN, fan_out=FAN_OUT, gain=GAIN):
    initializer = INITIALIZERS[name]()
    return getattr(initializer, method)(np.random.default_rng(seed), fan_in, fan_out, gain)


def test_registry():
    assert set(INITIALIZERS) == set(DISTRIBUTIONS)
    assert all(issubclass(cls, Initializer) for cls in INITIALIZERS.values())
    with pytest.raises(TypeError, match="abstract"):
        Initializer()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_shapes_and_dtype(name):
    for fan_in, fan_out in ((1, 1), (3, 5)):
        weights = draw(name, "weights", fan_in=fan_in, fan_out=fan_out)
        biases = draw(name, "biases", fan_in=fan_in, fan_out=fan_out)
        assert weights.shape == (fan_in, fan_out)
        assert biases.shape == (fan_out,)
        assert weights.dtype == biases.dtype == np.float64


@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_have_their_distribution(name):
    assert kstest(draw(name, "weights").ravel(), DISTRIBUTIONS[name][0].cdf).pvalue > 0.01


@pytest.mark.parametrize("name", INITIALIZERS)
def test_biases_have_their_distribution(name):
    biases = np.concatenate([draw(name, "biases", seed) for seed in range(20)])
    distribution = DISTRIBUTIONS[name][1]
    if distribution is None:
        np.testing.assert_array_equal(biases, 0.0)
    else:
        assert kstest(biases, distribution.cdf).pvalue > 0.01


@pytest.mark.parametrize("name", INITIALIZERS)
def test_gain_scales_the_weights(name):
    ratio = draw(name, "weights", gain=2.0) / draw(name, "weights", gain=1.0)
    np.testing.assert_allclose(ratio, 1.0 if name == "lecun_normal" else 2.0)


@pytest.mark.parametrize("name", ["he_uniform", "he_normal"])
def test_relu_keeps_the_power_of_the_signal(name):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 300))
    power = []
    for _ in range(10):
        weights = INITIALIZERS[name]().weights(rng, 300, 300, math.sqrt(2.0))
        x = np.maximum(x @ weights, 0.0)
        power.append(np.mean(x**2))
    assert 0.5 < power[-1] < 2.0


@pytest.mark.parametrize("method", ["weights", "biases"])
@pytest.mark.parametrize("name", INITIALIZERS)
def test_seed_decides(name, method):
    np.testing.assert_array_equal(draw(name, method, 3), draw(name, method, 3))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_is_a_value(name):
    initializer = INITIALIZERS[name]()
    twin = eval(repr(initializer), vars(skmlp.initializers))
    for other in (twin, pickle.loads(pickle.dumps(initializer))):
        assert other == initializer
        assert hash(other) == hash(initializer)
