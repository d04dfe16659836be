"""Corrupted inputs: what the noise is, and what of it the gradients see."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from skmlp._engine.batches import DenseRows, MappedRows, Reconstruction, SparseRows
from skmlp._engine.memory import Scratch
from skmlp._engine.network import Network, Workspace
from skmlp._engine.noise import NOISES
from skmlp._engine.objective import Objective
from skmlp._engine.penalties import CodePenalty, Contractive
from skmlp.losses import SquaredError

from .test_contract import relative_error, tied_network

LEVELS = {"gaussian": 0.3, "masking": 0.25, "salt_and_pepper": 0.25}
LOW, HIGH = np.array([-3.0, -2.0, -4.0, -5.0]), np.array([3.0, 2.0, 4.0, 5.0])


def noise_of(kind, level=None):
    return NOISES[kind].of(LEVELS[kind] if level is None else level, LOW, HIGH)


def corrupted(kind, x, seeds=(0,), training=True, dtype=np.float64, **options):
    network = Network((noise_of(kind, **options),), 0, 0)
    rngs = [np.random.default_rng(seed) for seed in seeds]
    workspace = Workspace(network, len(seeds), dtype, training=training, rngs=rngs)
    return network.forward(np.zeros((len(seeds), 0)), x, workspace.caches(x.shape[-2])).copy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_noise_is_what_its_name_says(dtype):
    x = np.random.default_rng(5).uniform(0.5, 1.5, size=(1, 20_000, 4)).astype(dtype)
    noisy = {kind: corrupted(kind, x, dtype=dtype)[0] for kind in NOISES}
    assert all(array.dtype == dtype for array in noisy.values())
    difference = noisy["gaussian"] - x[0]
    assert abs(difference.mean()) < 0.01 and difference.std() == pytest.approx(0.3, rel=0.02)
    masked = noisy["masking"] == 0.0
    assert masked.mean() == pytest.approx(0.25, rel=0.05)
    assert (noisy["masking"] == x[0])[~masked].all()
    salt, pepper = noisy["salt_and_pepper"] == HIGH, noisy["salt_and_pepper"] == LOW
    assert salt.mean() == pytest.approx(0.125, rel=0.1)
    assert pepper.mean() == pytest.approx(0.125, rel=0.1)
    assert (noisy["salt_and_pepper"] == x[0])[~(salt | pepper)].all()


@pytest.mark.parametrize("kind", NOISES)
def test_members_draw_for_themselves_and_only_in_training(kind):
    x = np.random.default_rng(5).normal(size=(1, 50, 4))
    both = corrupted(kind, x, seeds=(0, 1))
    assert not np.array_equal(both[0], both[1])
    np.testing.assert_array_equal(both[1], corrupted(kind, x, seeds=(1,))[0])
    np.testing.assert_array_equal(corrupted(kind, x, training=False), x)
    np.testing.assert_array_equal(corrupted(kind, x, level=0.0), x)
    sparse = csr_array(np.where(np.abs(x[0]) < 0.5, 0.0, x[0]))
    np.testing.assert_array_equal(corrupted(kind, sparse), corrupted(kind, sparse.toarray()[None]))


class SameNoise:
    """A generator that gives the same numbers at every call."""

    def random(self, dtype, out):
        np.random.default_rng(3).random(dtype=dtype, out=out)

    def standard_normal(self, dtype, out):
        np.random.default_rng(3).standard_normal(dtype=dtype, out=out)


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("exact", [True, False])
def test_gradient_with_noise_and_a_penalty_of_the_clean_code(kind, exact):
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(1, 7, 4)), rng.uniform(0.2, 2.0, size=7)
    plain, depth = tied_network()
    network = Network((noise_of(kind), *plain.layers), plain.n_params, plain.n_weights)
    penalties = (Contractive(depth + 1, 0.3, exact, clean=True), CodePenalty(depth + 1, 0.2, 2))
    objective = Objective(network, SquaredError(), penalties=penalties)
    options = {"rngs": [SameNoise()] * 2, "training": True}
    assert relative_error(objective, network, x, x[0], weight, **options) < 1e-6


def test_the_clean_penalty_does_not_see_the_noise():
    x = np.random.default_rng(1).normal(size=(1, 7, 4))
    plain, depth = tied_network()
    noisy = Network((noise_of("gaussian"), *plain.layers), plain.n_params, plain.n_weights)
    theta = plain.initial([np.random.default_rng(0)])

    def value(network, penalty, **options):
        both = (Objective(network, SquaredError(), penalties=p) for p in ((penalty,), ()))
        return np.subtract(
            *(
                o.value_and_grad(
                    theta,
                    x,
                    x[0],
                    None,
                    o.workspace(1, np.float64, rngs=[np.random.default_rng(0)], **options),
                    np.empty_like(theta),
                )
                for o in both
            )
        )

    expected = value(plain, Contractive(depth, 0.3))
    clean = Contractive(depth + 1, 0.3, clean=True)
    np.testing.assert_allclose(value(noisy, clean, training=True), expected, rtol=1e-12)
    seen = value(noisy, replace(clean, clean=False), training=True)
    assert abs(seen - expected) > 1e-3 * expected


def test_no_gradient_is_computed_for_the_noise():
    plain, _ = tied_network()
    network = Network((noise_of("masking"), *plain.layers), plain.n_params, plain.n_weights)
    caches = Workspace(network, 1, np.float64, training=True).caches(5)
    assert caches[1].d_in is None and caches[3].d_in is not None


def test_rows_that_are_their_own_targets():
    X = np.random.default_rng(0).normal(size=(10, 4)) * (np.arange(4) > 0)
    index = np.array([1, 2, 5, 7])
    mapped = MappedRows(X, lambda rows, out: np.copyto(out, rows), X.dtype)
    for rows in (DenseRows(X), SparseRows(csr_array(X), None, X.dtype), mapped):
        data = Reconstruction(rows, X[index].mean(axis=0, keepdims=True), None, index)
        seen = [y.copy() for _, y, _, _ in data.batches(3, None, Scratch(X.dtype))]
        np.testing.assert_array_equal(np.concatenate(seen), X[index])
        np.testing.assert_array_equal(data.targets()[0][0], X[index].mean(axis=0))
