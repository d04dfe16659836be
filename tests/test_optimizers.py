import pickle
import tracemalloc
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

import skmlp.optimizers
from skmlp._kernels import plain
from skmlp.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, Optimizer, RMSprop, StochasticOptimizer

STOCHASTIC = [
    *(cls() for cls in OPTIMIZERS.values() if cls.stochastic),
    SGD(momentum=0.0),
    SGD(momentum=0.5, nesterovs_momentum=False),
    Adam(beta_1=0.5, beta_2=0.9, epsilon=1e-3),
    Adam(beta_1=0.0),
    RMSprop(decay=0.99, epsilon=1e-2),
]
ALL = [*STOCHASTIC, *(cls() for cls in OPTIMIZERS.values() if not cls.stochastic), LBFGS(max_fun=7)]


def arrays(n_steps=6, shape=(3, 4), dtype=np.float64, seed=0):
    """A start and a gradient for every step."""
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal(shape).astype(dtype)
    return theta, rng.standard_normal((n_steps, *shape)).astype(dtype)


def run(optimizer, theta, grads, lr, scale=1.0):
    theta = theta.copy()
    state = optimizer.init(theta)
    for t, grad in enumerate(grads, 1):
        optimizer.step(theta, grad.copy(), state, lr, t, scale)
    return theta


def sgd(optimizer, theta, grads, lr):
    """Polyak's momentum, or Nesterov's."""
    v = np.zeros_like(theta)
    for g in grads:
        v = optimizer.momentum * v - lr * g
        nesterov = optimizer.nesterovs_momentum
        theta = theta + (optimizer.momentum * v - lr * g if nesterov else v)
    return theta


def adam(optimizer, theta, grads, lr):
    """Kingma and Ba's algorithm 1, with the bias corrections in the rate."""
    m = v = np.zeros_like(theta)
    for t, g in enumerate(grads, 1):
        m = optimizer.beta_1 * m + (1 - optimizer.beta_1) * g
        v = optimizer.beta_2 * v + (1 - optimizer.beta_2) * g**2
        rate = lr * np.sqrt(1 - optimizer.beta_2**t) / (1 - optimizer.beta_1**t)
        theta = theta - rate * m / (np.sqrt(v) + optimizer.epsilon)
    return theta


def rmsprop(optimizer, theta, grads, lr):
    """Tieleman and Hinton's, with a bias correction."""
    v = np.zeros_like(theta)
    for t, g in enumerate(grads, 1):
        v = optimizer.decay * v + (1 - optimizer.decay) * g**2
        corrected = v / (1 - optimizer.decay**t)
        theta = theta - lr * g / (np.sqrt(corrected) + optimizer.epsilon)
    return theta


# The textbook formulas, one step after the other. A new optimizer gets its own, and a line here.
REFERENCE = {SGD: sgd, Adam: adam, RMSprop: rmsprop}


def reference(optimizer, theta, grads, lr):
    return REFERENCE[type(optimizer)](optimizer, theta, grads, lr)


def test_every_stochastic_optimizer_has_a_reference():
    assert set(REFERENCE) == {cls for cls in OPTIMIZERS.values() if cls.stochastic}


@pytest.mark.parametrize("optimizer", STOCHASTIC, ids=repr)
def test_reference(optimizer):
    theta, grads = arrays()
    expected = reference(optimizer, theta, grads, 0.1)
    np.testing.assert_allclose(run(optimizer, theta, grads, 0.1), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (3, 1), (1, 4), (3, 4)], ids=str)
@pytest.mark.parametrize("optimizer", STOCHASTIC, ids=repr)
def test_rates_and_scales_of_any_shape(optimizer, shape):
    theta, grads = arrays()
    lr, scale = np.random.default_rng(1).uniform(0.01, 0.1, (2, *shape))
    expected = reference(optimizer, theta, scale * grads, lr)
    np.testing.assert_allclose(run(optimizer, theta, grads, lr, scale), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (50,), (3, 1), (1, 50), (3, 50)], ids=str)
@pytest.mark.parametrize("optimizer", STOCHASTIC, ids=repr)
def test_blocks_change_nothing(monkeypatch, optimizer, shape):
    monkeypatch.setattr(skmlp.optimizers.kernels, "adam", plain.adam, raising=False)
    theta, grads = arrays(shape=(3, 50))
    lr, scale = np.random.default_rng(1).uniform(0.01, 0.1, (2, *shape))
    whole = run(optimizer, theta, grads, lr, scale)
    monkeypatch.setattr(plain, "BLOCK", 32)
    np.testing.assert_array_equal(run(optimizer, theta, grads, lr, scale), whole)


def sklearn_twin(optimizer, params, lr):
    if isinstance(optimizer, SGD):
        return SGDOptimizer(
            params, lr, momentum=optimizer.momentum, nesterov=optimizer.nesterovs_momentum
        )
    settings = {name: getattr(optimizer, name) for name in ("beta_1", "beta_2", "epsilon")}
    return AdamOptimizer(params, lr, **settings)


@pytest.mark.parametrize(
    "optimizer", [o for o in STOCHASTIC if isinstance(o, SGD | Adam)], ids=repr
)
def test_agrees_with_sklearn(optimizer):
    theta, grads = arrays(n_steps=20)
    params = [theta.copy()]
    twin = sklearn_twin(optimizer, params, 0.05)
    for grad in grads:
        twin.update_params(params, [grad])
    np.testing.assert_allclose(run(optimizer, theta, grads, 0.05), params[0], rtol=1e-11)


def test_rmsprop_is_adam_without_momentum():
    """The bias corrections agree; epsilon stands at different places, so it is tiny here."""
    theta, grads = arrays()
    rmsprop, adam = RMSprop(0.99, 1e-300), Adam(0.0, 0.99, 1e-300)
    np.testing.assert_allclose(run(rmsprop, theta, grads, 0.1), run(adam, theta, grads, 0.1))


@pytest.mark.parametrize("optimizer", [Adam(), RMSprop()], ids=repr)
def test_first_step_is_as_long_as_the_rate(optimizer):
    theta, grads = arrays(n_steps=1)
    step = run(optimizer, theta, grads, 0.1) - theta
    np.testing.assert_allclose(step, -0.1 * np.sign(grads[0]), rtol=1e-4)


@pytest.mark.parametrize("optimizer", STOCHASTIC, ids=repr)
def test_members_do_not_see_each_other(optimizer):
    theta, grads = arrays()
    together = run(optimizer, theta, grads, 0.1)
    for k in range(len(theta)):
        alone = run(optimizer, theta[k : k + 1], grads[:, k : k + 1], 0.1)
        np.testing.assert_array_equal(together[k : k + 1], alone)


@pytest.mark.parametrize("shape", [(), (3, 1), (1, 4)], ids=str)
@pytest.mark.parametrize("optimizer", STOCHASTIC, ids=repr)
def test_float32_stays_float32(optimizer, shape):
    theta, grads = arrays(dtype=np.float32)
    lr = np.full(shape, 0.1, np.float32) if shape else 0.1
    state = optimizer.init(theta)
    assert {array.dtype for array in state} <= {np.dtype(np.float32)}
    assert {array.shape for array in state} <= {theta.shape}
    result = run(optimizer, theta, grads, lr)
    assert result.dtype == np.float32
    expected = reference(optimizer, theta.astype(float), grads.astype(float), 0.1)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (2, 1), (1, 100_000), (2, 100_000)], ids=str)
@pytest.mark.parametrize("optimizer", STOCHASTIC, ids=repr)
def test_nothing_grows_with_the_parameters(optimizer, shape, dtype):
    theta, (first, second) = arrays(2, (2, 100_000), dtype)
    lr = scale = np.full(shape, 0.1, dtype) if shape else 0.1
    state = optimizer.init(theta)
    optimizer.step(theta, first, state, lr, 1, scale)
    tracemalloc.start()
    optimizer.step(theta, second, state, lr, 2, scale)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Less than a row of theta; the buffers that older NumPy takes have a fixed size.
    assert peak < 300_000


@pytest.mark.parametrize("optimizer", STOCHASTIC, ids=repr)
def test_zero_gradient_moves_nothing(optimizer):
    theta, grads = arrays()
    np.testing.assert_array_equal(run(optimizer, theta, 0.0 * grads, 0.1), theta)


def descend(optimizer, gradient, theta, lr, n_steps):
    """Descend with a rate that falls to 0, as every method of constant step length needs."""
    state = optimizer.init(theta)
    for t in range(1, n_steps + 1):
        rate = lr * (1.0 - (t - 1) / n_steps)
        optimizer.step(theta, gradient(theta), state, rate, t)
    return theta


@pytest.mark.parametrize("optimizer", STOCHASTIC, ids=repr)
def test_solves_a_parabola(optimizer):
    target, curvature = np.array([1.0, -2.0, 3.0]), np.array([1.0, 4.0, 10.0])
    theta = descend(optimizer, lambda x: curvature * (x - target), np.zeros((2, 3)), 0.05, 2000)
    np.testing.assert_allclose(theta, [target, target], atol=1e-4)


@pytest.mark.parametrize("optimizer", STOCHASTIC, ids=repr)
def test_solves_rosenbrock(optimizer):
    def gradient(theta):
        x, y = theta.T
        return np.stack([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)], axis=1)

    lr, n_steps = (0.02, 10_000) if optimizer.scale_free else (1e-3, 30_000)
    theta = descend(optimizer, gradient, np.array([[-1.2, 1.0], [0.0, 0.0]]), lr, n_steps)
    np.testing.assert_allclose(theta, np.ones((2, 2)), atol=1e-2)


def test_registry():
    assert set(OPTIMIZERS) >= {"adam", "sgd", "lbfgs"}  # the names that scikit-learn has
    assert {cls.__name__ for cls in OPTIMIZERS.values()} < set(skmlp.optimizers.__all__)
    for cls in OPTIMIZERS.values():
        assert issubclass(cls, Optimizer)
        assert issubclass(cls, StochasticOptimizer) == cls.stochastic
    assert not LBFGS.stochastic
    assert not hasattr(LBFGS, "step")


@pytest.mark.parametrize("cls", [Optimizer, StochasticOptimizer])
def test_contracts_are_abstract(cls):
    with pytest.raises(TypeError, match="abstract"):
        cls()


@pytest.mark.parametrize("optimizer", ALL, ids=repr)
def test_is_a_value(optimizer):
    twin = eval(repr(optimizer), vars(skmlp.optimizers))
    for other in (twin, pickle.loads(pickle.dumps(optimizer))):
        assert other == optimizer
        assert hash(other) == hash(optimizer)
    with pytest.raises(FrozenInstanceError):
        optimizer.epsilon = 1.0


def test_parameters_distinguish():
    assert len(set(ALL)) == len(ALL)


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (SGD, "momentum", 1.1),
        (SGD, "momentum", -0.1),
        (Adam, "beta_1", 1.0),
        (Adam, "beta_2", -0.5),
        (Adam, "epsilon", 0.0),
        (RMSprop, "decay", 1.0),
        (RMSprop, "epsilon", -1.0),
    ],
)
def test_wrong_parameters_are_named(cls, name, value):
    with pytest.raises(ValueError, match=f"{name} must .* got {value}"):
        cls(**{name: value})
