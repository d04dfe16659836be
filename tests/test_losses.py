"""The contract of the losses, for every loss of the registries."""

import pickle
import tracemalloc
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from skmlp.losses import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    AbsoluteError,
    BinaryLogLoss,
    CrammerSinger,
    Gamma,
    Hinge,
    Huber,
    Interval,
    Poisson,
    Quantile,
    SoftmaxLogLoss,
    SquaredError,
    WestonWatkins,
)

CASES = [
    *(("regression", cls()) for cls in REGRESSION_LOSSES.values()),
    ("regression", Huber(delta=0.3)),
    ("regression", Quantile(0.9)),
    ("one target", Quantile((0.1, 0.5, 0.8))),
    *((kind, cls()) for kinds in CLASSIFICATION_LOSSES.values() for kind, cls in kinds.items()),
    ("binary", BinaryLogLoss(label_smoothing=0.2)),
    ("multilabel", BinaryLogLoss(label_smoothing=0.1)),
    ("multiclass", SoftmaxLogLoss(label_smoothing=0.2)),
    ("binary", Hinge(margin=0.5)),
    ("multiclass", CrammerSinger(margin=0.5)),
    ("multiclass", WestonWatkins(margin=2.0)),
]
CASES = list(dict.fromkeys(CASES))
N_TARGETS = {"regression": 2, "one target": 1, "binary": 1, "multilabel": 3, "multiclass": 4}

every_loss = pytest.mark.parametrize(("kind", "loss"), CASES, ids=str)
optimal = [case for case in CASES if case[1].init_is_optimal]
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


class Work:
    """Lends arrays that hold NaN the first time, and later whatever was left in them."""

    def __init__(self):
        self.arrays = {}

    def __call__(self, key, shape, dtype=np.float64):
        at = key, shape, np.dtype(dtype)
        if at not in self.arrays:
            self.arrays[at] = np.full(shape, np.nan, dtype)
        return self.arrays[at]


def make_targets(kind, loss, rng, rows, dtype=np.float64):
    shape = rows, N_TARGETS[kind]
    if kind == "multiclass":
        return rng.permutation(np.arange(rows) % N_TARGETS[kind])
    if kind in ("binary", "multilabel"):
        return (rng.random(shape) < 0.4).astype(dtype)
    if loss.domain.low == 0:
        y = rng.gamma(2.0, size=shape)
        return (np.floor(y) if loss.domain.low_inclusive else y).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def make_problem(kind, loss, members=1, rows=40, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    y = make_targets(kind, loss, rng, rows, dtype)
    raw = rng.standard_normal((members, rows, loss.n_raw(N_TARGETS[kind]))).astype(dtype)
    for array in (y, raw):
        array.flags.writeable = False
    return y, raw


def evaluate(loss, y, raw, work=None):
    values = np.full(raw.shape[:2], np.nan, raw.dtype)
    grad = np.full(raw.shape, np.nan, raw.dtype)
    loss.loss_grad(y, raw, values, grad, work or Work())
    return values, grad


def mean_loss_of_constant(loss, y, constant, weight=None):
    raw = np.broadcast_to(constant, (1, len(y), len(constant)))
    return np.average(evaluate(loss, y, np.ascontiguousarray(raw))[0][0], weights=weight)


def mean_grad_of_constant(loss, y, constant, weight=None):
    raw = np.broadcast_to(constant, (1, len(y), len(constant)))
    return np.average(evaluate(loss, y, np.ascontiguousarray(raw))[1][0], axis=0, weights=weight)


@every_loss
@pytest.mark.parametrize("members", [1, 3])
def test_gradient_agrees_with_central_differences(kind, loss, members):
    y, raw = make_problem(kind, loss, members)
    _, grad = evaluate(loss, y, raw)
    rng, h = np.random.default_rng(1), 1e-5
    for _ in range(5):
        direction = rng.standard_normal(raw.shape)
        up, _ = evaluate(loss, y, raw + h * direction)
        down, _ = evaluate(loss, y, raw - h * direction)
        expected, actual = (up - down) / (2 * h), (grad * direction).sum(axis=-1)
        assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@every_loss
def test_members_do_not_see_each_other(kind, loss):
    y, raw = make_problem(kind, loss, members=3)
    values, grad = evaluate(loss, y, raw)
    for m in range(3):
        alone = evaluate(loss, y, raw[m : m + 1].copy())
        np.testing.assert_allclose(values[m], alone[0][0], rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(grad[m], alone[1][0], rtol=1e-14, atol=1e-15)


@every_loss
def test_rows_do_not_see_each_other_and_work_may_be_dirty(kind, loss):
    work = Work()
    y, raw = make_problem(kind, loss, rows=40)
    values, grad = evaluate(loss, y, raw, work)
    for rows in (slice(0, 7), slice(7, 14)):
        part = evaluate(loss, y[rows], raw[:, rows].copy(), work)
        np.testing.assert_allclose(part[0], values[:, rows], rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(part[1], grad[:, rows], rtol=1e-14, atol=1e-15)


@every_loss
def test_losses_are_not_negative_and_finite(kind, loss):
    values, grad = evaluate(loss, *make_problem(kind, loss, members=2, rows=300))
    assert (values >= 0).all() and np.isfinite(values).all() and np.isfinite(grad).all()


@every_loss
def test_float32_stays_and_agrees_with_float64(kind, loss):
    y, raw = make_problem(kind, loss, members=2, dtype=np.float32)
    work = Work()
    values, grad = evaluate(loss, y, raw, work)
    assert loss.predict(raw).dtype == np.float32
    assert {dtype for _, _, dtype in work.arrays} <= {np.dtype(np.float32)}
    wide = evaluate(loss, y if kind == "multiclass" else y.astype(np.float64), raw.astype(float))
    np.testing.assert_allclose(values, wide[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(grad, wide[1], rtol=1e-5, atol=1e-5)


@every_loss
@both_dtypes
def test_extreme_raw_outputs_give_finite_values_without_warnings(kind, loss, dtype):
    y, raw = make_problem(kind, loss, members=4, dtype=dtype)
    sign = np.where(np.random.default_rng(3).random(raw.shape) < 0.5, -1, 1)
    scale = np.array([1e4, 1e2, 1e4, 1e3])[:, np.newaxis, np.newaxis]
    far = (sign * scale).astype(dtype)
    far[2] = 1e4
    far[3] = -1e4
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        values, grad = evaluate(loss, y, far)
        predicted = loss.predict(far)
    assert np.isfinite(values).all() and np.isfinite(grad).all() and np.isfinite(predicted).all()
    assert (values >= 0).all()


@every_loss
def test_nothing_is_allocated_that_grows_with_the_batch(kind, loss):
    peaks = []
    for rows in (20_000, 40_000):
        y, raw = make_problem(kind, loss, members=2, rows=rows, dtype=np.float32)
        values, grad, work = np.empty(raw.shape[:2], raw.dtype), np.empty_like(raw), Work()
        loss.loss_grad(y, raw, values, grad, work)
        tracemalloc.start()
        loss.loss_grad(y, raw, values, grad, work)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # NumPy's buffers for broadcasting and casting have a fixed size.
    assert peaks[1] < peaks[0] + 2000
    assert peaks[1] < 100_000


@every_loss
def test_predict_is_a_new_array_of_any_leading_shape(kind, loss):
    _, raw = make_problem(kind, loss, members=2)
    before, predicted = raw.copy(), loss.predict(raw)
    assert not np.shares_memory(predicted, raw) and predicted.flags.writeable
    np.testing.assert_array_equal(loss.predict(raw[0]), predicted[0])
    np.testing.assert_array_equal(raw, before)


LINKS = {
    "identity": lambda g: g,
    "exp": np.exp,
    "logistic": lambda g: 1 / (1 + np.exp(-g)),
    "softmax": lambda g: np.exp(g) / np.exp(g).sum(axis=-1, keepdims=True),
}


@every_loss
def test_predict_is_the_inverse_link_that_is_named(kind, loss):
    _, raw = make_problem(kind, loss)
    raw = np.sort(raw, axis=-1)
    np.testing.assert_allclose(loss.predict(raw), LINKS[loss.link](raw), rtol=1e-12)


@pytest.mark.parametrize(("kind", "loss"), optimal, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_no_constant_beats_init_raw(kind, loss, weighted):
    y, _ = make_problem(kind, loss, rows=60)
    rng = np.random.default_rng(2)
    weight = rng.gamma(1.0, size=60) if weighted else None
    best = loss.init_raw(y, weight)
    assert best.shape == (loss.n_raw(N_TARGETS[kind]),) and best.dtype == np.float64
    value = mean_loss_of_constant(loss, y, best, weight)
    for scale in (1e-4, 1e-2, 1.0):
        for _ in range(20):
            other = best + scale * rng.standard_normal(best.shape)
            assert value <= mean_loss_of_constant(loss, y, other, weight) + 1e-14
    if loss.smooth:
        assert np.abs(mean_grad_of_constant(loss, y, best, weight)).max() < 1e-10


@pytest.mark.parametrize(("kind", "loss"), CASES, ids=str)
def test_init_raw_counts_a_weight_of_two_as_two_rows(kind, loss):
    y, _ = make_problem(kind, loss, rows=30)
    counts = np.random.default_rng(5).integers(0, 4, 30)
    counts[:4] = 1
    repeated = loss.init_raw(np.repeat(y, counts, axis=0))
    np.testing.assert_allclose(loss.init_raw(y, counts.astype(float)), repeated, atol=1e-9)
    np.testing.assert_allclose(loss.init_raw(y, 0.1 * counts), repeated, atol=1e-9)


@pytest.mark.parametrize(("kind", "loss"), optimal, ids=str)
def test_init_raw_of_constant_targets_is_finite(kind, loss):
    y, _ = make_problem(kind, loss)
    constant = np.broadcast_to(y[:1], y.shape)
    raw = loss.init_raw(constant, None, N_TARGETS[kind])
    assert np.isfinite(raw).all() and raw.shape == (loss.n_raw(N_TARGETS[kind]),)
    if kind == "regression":
        # The logarithm of a mean of zero is held at that of 1e-6.
        expected = np.maximum(y[0], 1e-6) if loss.link == "exp" else y[0]
        np.testing.assert_allclose(loss.predict(raw), expected, rtol=1e-12)


@pytest.mark.parametrize("loss", [SoftmaxLogLoss(), CrammerSinger(), WestonWatkins()], ids=str)
def test_a_last_class_without_rows_still_gets_an_output(loss):
    raw = loss.init_raw(np.array([0, 1, 1]), None, 4)
    assert raw.shape == (4,) and np.isfinite(raw).all()
    assert raw[0] <= raw[1] and raw[3] <= raw[0]


@every_loss
def test_losses_are_values(kind, loss):
    copy = pickle.loads(pickle.dumps(loss))
    assert copy == loss and hash(copy) == hash(loss) and copy is not loss
    assert eval(repr(loss), {type(loss).__name__: type(loss)}) == loss
    with pytest.raises(FrozenInstanceError):
        loss.margin = 3.0
    assert vars(loss).keys() == {field.name for field in fields(loss)}


def test_losses_differ_by_class_and_by_parameters():
    assert len({Huber(1.0), Huber(2.0), Huber(), Huber(1.35)}) == 3
    assert SquaredError() != AbsoluteError() and CrammerSinger() != WestonWatkins()


def test_only_label_smoothing_is_not_plain():
    for _, loss in CASES:
        smooths = getattr(loss, "label_smoothing", 0.0) > 0
        assert loss.plain == (type(loss)() if smooths else loss)


@every_loss
def test_class_facts(kind, loss):
    assert loss.target_scaling in ("affine", "scale", "none")
    assert loss.link in LINKS
    y, _ = make_problem(kind, loss)
    assert loss.domain.contains(y).all()
    if kind in ("binary", "multilabel", "multiclass"):
        assert loss.target_scaling == "none"
        assert loss.probabilistic == hasattr(loss, "log_proba") == (loss.link != "identity")


def test_kinds_of_target_scaling():
    kinds = {name: cls.target_scaling for name, cls in REGRESSION_LOSSES.items()}
    assert kinds.pop("gamma") == "scale" and kinds.pop("poisson") == "none"
    assert set(kinds.values()) == {"affine"}


@pytest.mark.parametrize(
    ("interval", "text", "inside"),
    [
        (SquaredError.domain, "(-inf, inf)", [True, True, True, True]),
        (Poisson.domain, "[0, inf)", [False, True, True, True]),
        (Gamma.domain, "(0, inf)", [False, False, True, True]),
        (BinaryLogLoss.domain, "[0, 1]", [False, True, True, False]),
        (Interval(0, 1, True, False), "[0, 1)", [False, True, False, False]),
    ],
)
def test_interval(interval, text, inside):
    assert str(interval) == text
    assert interval.contains([-1.0, 0.0, 1.0, 7.0]).tolist() == inside
    assert not interval.contains([np.nan, np.inf, -np.inf]).any()


@pytest.mark.parametrize(
    "quantile", [0.0, 1.0, -0.5, np.nan, (0.5, 0.1), (0.2, 0.2), (0.5, 1.0), ()]
)
def test_quantile_levels_are_validated(quantile):
    with pytest.raises(ValueError, match="^quantile="):
        Quantile(quantile)


def test_quantile_takes_lists_and_arrays():
    assert Quantile([0.1, 0.9]) == Quantile((0.1, 0.9)) == Quantile(np.array([0.1, 0.9]))
    assert hash(Quantile([0.1, 0.9])) == hash(Quantile((0.1, 0.9)))


def test_several_quantiles_need_one_target():
    assert Quantile((0.1, 0.9)).n_raw(1) == 2 and Quantile(0.1).n_raw(3) == 3
    with pytest.raises(ValueError, match="single target"):
        Quantile((0.1, 0.9)).n_raw(2)
