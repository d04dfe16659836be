"""Training by JAX: an epoch is one compiled function, a scan over its minibatches."""

import os
from functools import cache

import numpy as np
from _workloads import ALPHA, BETAS, EPSILON, LEARNING_RATE


def configure(threads):
    """Limit the threads of XLA, and allow float64; before JAX is imported."""
    os.environ["PJRT_NPROC"] = f"{threads}"  # the size of XLA's pool of threads
    os.environ["JAX_ENABLE_X64"] = "1"
    os.environ["JAX_PLATFORMS"] = "cpu"


@cache
def epoch_function(workload):
    """epoch(state, X, y, order) -> (state, mean loss), compiled at its first call."""
    import jax
    from jax import lax

    def epoch(state, X, y, order):
        def step(state, index):
            return adam_step(workload, state, X[index], y[index])

        n, batch = workload.n_rows, workload.batch_size
        full = n - n % batch
        state, losses = lax.scan(step, state, order[:full].reshape(-1, batch))
        total = losses.sum() * batch
        if full < n:  # a scan takes batches of one shape
            state, loss = step(state, order[full:])
            total += loss * (n - full)
        return state, total / n

    return jax.jit(epoch, donate_argnums=0)


def adam_step(workload, state, x, y):
    """One step of Adam: the new state (layers, m, v, number of steps) and the loss."""
    import jax
    import jax.numpy as jnp

    layers, m, v, t = state
    loss, grad = jax.value_and_grad(lambda layers: objective(workload, layers, x, y))(layers)
    beta_1, beta_2 = BETAS
    t = t + 1
    rate = LEARNING_RATE * jnp.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    m = jax.tree.map(lambda m, g: beta_1 * m + (1 - beta_1) * g, m, grad)
    v = jax.tree.map(lambda v, g: beta_2 * v + (1 - beta_2) * g * g, v, grad)
    layers = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), layers, m, v)
    return (layers, m, v, t), loss


def objective(workload, layers, x, y):
    """Mean loss of a batch and its share of the penalty."""
    import jax
    import jax.numpy as jnp

    *hidden, (W_out, b_out) = layers
    for W, b in hidden:
        x = jax.nn.relu(x @ W + b)
    raw = x @ W_out + b_out
    if workload.is_classification:
        log_p = jax.nn.log_softmax(raw)
        loss = -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()
    else:
        loss = 0.5 * jnp.square(raw[:, 0] - y).mean()
    return loss + 0.5 * ALPHA / workload.batch_size * sum(jnp.vdot(W, W) for W, _ in layers)


def start(workload, dtype):
    """The state before the first step: Glorot's weights, no moments."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    layers = []
    for n_in, n_out in zip(workload.sizes[:-1], workload.sizes[1:], strict=True):
        bound = np.sqrt(6 / (n_in + n_out))
        W = rng.uniform(-bound, bound, (n_in, n_out)).astype(dtype)
        layers.append((jnp.asarray(W), jnp.zeros(n_out, dtype)))
    m, v = (jax.tree.map(jnp.zeros_like, layers) for _ in range(2))
    return layers, m, v, jnp.zeros((), dtype)


@cache
def rows(workload, dtype):
    """X and y as arrays of JAX."""
    import jax.numpy as jnp

    X, y = workload.data(np.dtype(dtype))
    return jnp.asarray(X), jnp.asarray(y)


def train(workload, epochs, dtype):
    """Losses of so many epochs."""
    X, y = rows(workload, dtype)
    state, epoch, losses = start(workload, dtype), epoch_function(workload), []
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        order = rng.permutation(workload.n_rows).astype(np.int32)
        state, loss = epoch(state, X, y, order)
        losses.append(float(loss))
    return losses
