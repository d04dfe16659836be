"""The compiled kernels against those of NumPy, and the one place where they are chosen."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from skmlp import _kernels
from skmlp._engine.memory import Scratch
from skmlp._kernels import plain

needs_numba = pytest.mark.skipif(
    not _kernels.available(), reason="there is nothing to compile with (pip install skmlp[accel])"
)
DTYPES = [np.float32, np.float64]


@pytest.fixture
def compiled():
    """The compiled kernels; whatever was in use before is in use again afterwards."""
    before = _kernels.in_use()
    _kernels.use(True)
    yield _kernels
    _kernels.use(before)


def draw(dtype, *shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def close(dtype):
    return {"rtol": 32 * np.finfo(dtype).eps, "atol": 32 * np.finfo(dtype).eps}


@needs_numba
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1.0, 0.05, "members"])
@pytest.mark.parametrize("rate", [0.01, "parameters", "all", "members"])
def test_adam(compiled, dtype, scale, rate):
    scale = np.array([[0.1], [2.0]], dtype) if scale == "members" else scale
    rates = {
        "parameters": np.linspace(0, 0.1, 9, dtype=dtype)[np.newaxis],
        "all": np.linspace(0, 0.1, 18, dtype=dtype).reshape(2, 9),
        "members": np.array([[0.1], [0.02]], dtype),
    }
    rate = rates.get(rate, rate)
    given = [draw(dtype, 2, 9, seed=seed) for seed in range(4)]
    given[3] = np.abs(given[3])
    results = []
    for adam in (plain.adam, compiled.adam):
        theta, grad, m, v = (array.copy() for array in given)
        adam(theta, grad, m, v, 0.9, 0.999, scale, 0.7, rate, 1e-6)
        results.append((theta, m, v))
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(theirs, ours, **close(dtype))


@needs_numba
@pytest.mark.parametrize("dtype", DTYPES)
def test_add_decay(compiled, dtype):
    theta, work = draw(dtype, 3, 11), Scratch(dtype)
    grads = [draw(dtype, 3, 11, seed=1) for _ in range(2)]
    sums = [
        add(grad, theta, 7, 0.3, work)
        for add, grad in zip((plain.add_decay, compiled.add_decay), grads, strict=True)
    ]
    np.testing.assert_allclose(sums[1], sums[0], **close(dtype))
    np.testing.assert_allclose(grads[1], grads[0], **close(dtype))
    np.testing.assert_array_equal(grads[1][:, 7:], draw(dtype, 3, 11, seed=1)[:, 7:])


def test_blocks_are_cut_where_arrays_are_long(monkeypatch):
    monkeypatch.setattr(plain, "BLOCK", 32)
    theta, columns, row = np.zeros((4, 20)), np.ones((4, 1)), np.arange(20.0)
    blocks = list(plain.by_blocks(theta, columns, row, 0.5))
    assert [part.shape for part, *_ in blocks] == [(4, 8), (4, 8), (4, 4)]
    assert all(np.may_share_memory(part, theta) for part, *_ in blocks)
    assert all(one is columns and number == 0.5 for _, one, _, number in blocks)
    np.testing.assert_array_equal(np.concatenate([cut for _, _, cut, _ in blocks]), row)
    assert len(list(plain.by_blocks(theta[:, :8], columns))) == 1
    # However many members there are, a block is worth its calls.
    many = [part.shape for (part,) in plain.by_blocks(np.zeros((100, 3)))]
    assert many == [(100, 2), (100, 1)]


def test_decay_by_blocks(monkeypatch):
    theta, work = draw(np.float64, 3, 50), Scratch(np.float64)
    results = []
    for block in (plain.BLOCK, 32):
        monkeypatch.setattr(plain, "BLOCK", block)
        grad = draw(np.float64, 3, 50, seed=1)
        results.append((grad, plain.add_decay(grad, theta, 47, 0.3, work)))
    np.testing.assert_array_equal(results[1][0], results[0][0])
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-14)


@needs_numba
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["relu", "relu_backward", "logistic_backward", "tanh_backward"])
@pytest.mark.parametrize("shape", [(2, 5, 3), (4, 6)])
def test_activations(compiled, dtype, name, shape):
    given, work = draw(dtype, *shape), Scratch(dtype)
    outs = [draw(dtype, *shape, seed=1) for _ in range(2)]
    getattr(plain, name)(outs[0], given, work)
    getattr(compiled, name)(outs[1], given, work)
    np.testing.assert_allclose(outs[1], outs[0], **close(dtype))


@needs_numba
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 5, 3), (4, 6)])
def test_mish(compiled, dtype, shape):
    z, results = 10 * draw(dtype, *shape), []
    for kernels in (plain, compiled):
        out, grad = np.empty_like(z), draw(dtype, *shape, seed=1)
        kernels.mish(out, z, np.exp(z))
        kernels.mish_backward(grad, z, np.exp(z), Scratch(dtype))
        results.append((out, grad))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(theirs, ours, **close(dtype))


@needs_numba
@pytest.mark.parametrize("dtype", DTYPES)
def test_add_bias_and_relu_in_place(compiled, dtype):
    bias, results = draw(dtype, 2, 1, 3), []
    for kernels in (plain, compiled):
        z = draw(dtype, 2, 5, 3, seed=1)
        kernels.add_bias(z, bias)
        kernels.relu(z, z, Scratch(dtype))
        results.append(z)
    np.testing.assert_array_equal(results[1], results[0])


@needs_numba
@pytest.mark.parametrize("name", ["plain", "compiled"])
def test_relu_lets_nan_through(compiled, name):
    z = np.array([[[np.nan, -np.inf, np.inf, -0.0]]])
    out = np.empty_like(z)
    (plain if name == "plain" else compiled).relu(out, z, Scratch(z.dtype))
    np.testing.assert_array_equal(out, [[[np.nan, 0.0, np.inf, 0.0]]])


@needs_numba
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 7, 3000])  # the last is too large for compiled products
@pytest.mark.parametrize("members, n_out", [(1, 1), (1, 4), (3, 1), (3, 4)])
@pytest.mark.parametrize("kind", ["C", "F", "read-only", "every second", "CSR"])
def test_affine(compiled, dtype, rows, members, n_out, kind):
    x, theta = draw(dtype, 1, rows, 40), draw(dtype, members, 40 * n_out + n_out, seed=1)
    if kind == "F":
        x = np.asfortranarray(x[0])[np.newaxis]
    elif kind == "read-only":
        x.flags.writeable = theta.flags.writeable = False
    elif kind == "every second":
        x = np.repeat(x, 2, axis=2)[..., ::2]
    elif kind == "CSR":
        x = sparse.csr_array(x[0])
    weight, bias = (part.reshape(members, -1, n_out) for part in np.split(theta, [-n_out], axis=1))
    d, ones, results = draw(dtype, members, rows, n_out, seed=2), np.ones((1, 1, rows), dtype), []
    for kernels in (plain, compiled):
        z, grad = np.empty_like(d), np.empty(theta.shape, dtype)
        views = [part.reshape(members, -1, n_out) for part in np.split(grad, [-n_out], axis=1)]
        kernels.affine(z, x, weight, bias)
        kernels.affine_backward(*views, None, x, d, weight, ones)
        d_in = np.empty((members, rows, 40), dtype)
        kernels.affine_backward(*views, d_in, x, d, weight, ones)
        results.append((z, grad, d_in))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(
            theirs, ours, **{k: 2e3 * np.finfo(dtype).eps for k in ("rtol", "atol")}
        )


@needs_numba
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("n_classes, rows", [(3, 8), (200, 100)])
def test_softmax_loss(compiled, dtype, smoothing, n_classes, rows):
    raw, work = 20 * draw(dtype, 2, rows, n_classes), Scratch(dtype)
    y = np.arange(rows) % n_classes
    results = []
    for loss_of in (plain.softmax_loss, compiled.softmax_loss):
        loss, grad = np.empty(raw.shape[:2], dtype), np.empty_like(raw)
        loss_of(loss, grad, y, raw, smoothing, work)
        results.append((loss, grad))
    scale = {"rtol": 1e-5, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(theirs, ours, **scale)


@needs_numba
def test_softmax_loss_lets_outputs_be_impossible(compiled):
    raw, loss = np.array([[[0.0, -1e18, 0.0]]]), np.empty((1, 1))
    grad = np.empty_like(raw)
    compiled.softmax_loss(loss, grad, np.array([0]), raw, 0.0, Scratch(raw.dtype))
    np.testing.assert_allclose(loss, np.log(2.0))
    np.testing.assert_allclose(grad, [[[-0.5, 0.0, 0.5]]])


@needs_numba
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_is_the_same_up_to_rounding(compiled, dtype):
    from skmlp import MLPClassifier

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 5)).astype(dtype), np.arange(90) % 3
    proba = []
    for choice in (False, True):
        _kernels.use(choice)
        model = MLPClassifier(max_iter=15, batch_size=32, alpha=0.1, random_state=0)
        proba.append(model.fit(X, y).predict_proba(X))
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(proba[1], proba[0], rtol=tolerance, atol=tolerance)


def test_every_compiled_kernel_has_one_of_numpy():
    if _kernels.available():
        from skmlp._kernels import compiled, fused

        assert set(compiled.KERNELS | fused.KERNELS) <= set(plain.KERNELS)
    assert all(callable(kernel) for name, kernel in plain.KERNELS.items() if name != "steps")


@pytest.mark.parametrize("wish, expected", [("0", False), ("1", _kernels.available())])
def test_the_choice_is_made_once_and_late(wish, expected):
    code = (
        "import sys, skmlp; from skmlp import _kernels;"
        "assert 'numba' not in sys.modules;"
        "wanted = _kernels.in_use(); _kernels.adam; print(wanted, _kernels.in_use())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SKMLP_COMPILED": wish},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [str(expected), str(expected)]


def test_unknown_kernels_are_no_attributes():
    with pytest.raises(AttributeError, match="no kernel 'nothing'"):
        _kernels.nothing  # noqa: B018


def test_a_numba_that_does_not_work_is_done_without(tmp_path):
    (tmp_path / "numba.py").write_text("raise ImportError('needs another NumPy')")
    code = (
        "import warnings; from skmlp import _kernels\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always'); _kernels.adam\n"
        "print(_kernels.in_use(), len(caught), 'another NumPy' in str(caught[0].message))"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SKMLP_COMPILED": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["False", "1", "True"]
