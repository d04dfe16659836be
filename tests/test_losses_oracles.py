"""Losses and weighted quantiles against values known from elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from sklearn import _loss as sklearn_loss
from sklearn import metrics

from skmlp.losses import (
    AbsoluteError,
    BinaryLogLoss,
    CrammerSinger,
    Gamma,
    Hinge,
    Huber,
    LogCosh,
    Poisson,
    Quantile,
    SoftmaxLogLoss,
    SquaredError,
    WestonWatkins,
    weighted_quantile,
)

ROWS = 50
RNG = np.random.default_rng(7)
REAL = RNG.standard_normal(ROWS)
COUNTS = RNG.poisson(2.0, ROWS).astype(float)
POSITIVE = RNG.gamma(2.0, size=ROWS)
CODES = RNG.integers(0, 4, ROWS)
BITS = RNG.integers(0, 2, ROWS).astype(float)
RAW = RNG.standard_normal((ROWS, 1))
RAWS = RNG.standard_normal((ROWS, 4))


def new_array(key, shape, dtype):
    return np.empty(shape, dtype)


def evaluate(loss, y, raw):
    """Losses (rows,) and gradient (rows, n_raw) of one member."""
    raw = np.asarray(raw)[np.newaxis]
    values, grad = np.empty(raw.shape[:2], raw.dtype), np.empty_like(raw)
    loss.loss_grad(y, raw, values, grad, new_array)
    return values[0], grad[0]


SKLEARN = [
    (SquaredError(), sklearn_loss.HalfSquaredError(), REAL, 0.0),
    (AbsoluteError(), sklearn_loss.AbsoluteError(), REAL, 0.0),
    (Quantile(0.3), sklearn_loss.PinballLoss(quantile=0.3), REAL, 0.0),
    (Poisson(), sklearn_loss.HalfPoissonLoss(), COUNTS, special.xlogy(COUNTS, COUNTS) - COUNTS),
    (Gamma(), sklearn_loss.HalfGammaLoss(), POSITIVE, -np.log(POSITIVE) - 1),
    (BinaryLogLoss(), sklearn_loss.HalfBinomialLoss(), BITS, 0.0),
]


@pytest.mark.parametrize(
    ("loss", "oracle", "y", "constant"), SKLEARN, ids=lambda v: type(v).__name__
)
def test_losses_and_gradients_of_scikit_learn(loss, oracle, y, constant):
    values, grad = evaluate(loss, y[:, np.newaxis], RAW)
    expected, expected_grad = oracle.loss_gradient(y, RAW[:, 0].copy())
    np.testing.assert_allclose(values, expected + constant, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(grad[:, 0], expected_grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_softmax_log_loss_of_scikit_learn(dtype):
    values, grad = evaluate(SoftmaxLogLoss(), CODES.astype(dtype), RAWS)
    oracle = sklearn_loss.HalfMultinomialLoss(n_classes=4)
    expected, expected_grad = oracle.loss_gradient(CODES.astype(float), RAWS)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(grad, expected_grad, rtol=1e-12, atol=1e-15)


def test_codes_above_127_do_not_overflow():
    y = np.arange(200, dtype=np.uint8)
    raw = RNG.standard_normal((200, 200))
    values, _ = evaluate(SoftmaxLogLoss(), y, raw)
    np.testing.assert_allclose(values, -np.diag(special.log_softmax(raw, axis=1)), rtol=1e-12)


def test_mean_losses_of_the_metrics():
    def mean(loss, y, raw):
        return evaluate(loss, y, raw)[0].mean()

    y, g = REAL[:, np.newaxis], RAW
    probability = special.expit(g[:, 0])
    pairs = [
        (mean(SquaredError(), y, g), metrics.mean_squared_error(y, g) / 2),
        (mean(AbsoluteError(), y, g), metrics.mean_absolute_error(y, g)),
        (mean(Quantile(0.8), y, g), metrics.mean_pinball_loss(y, g, alpha=0.8)),
        (
            mean(Poisson(), COUNTS[:, np.newaxis], g),
            metrics.mean_poisson_deviance(COUNTS, np.exp(g[:, 0])) / 2,
        ),
        (
            mean(Gamma(), POSITIVE[:, np.newaxis], g),
            metrics.mean_gamma_deviance(POSITIVE, np.exp(g[:, 0])) / 2,
        ),
        (mean(BinaryLogLoss(), BITS[:, np.newaxis], g), metrics.log_loss(BITS, probability)),
        (
            mean(SoftmaxLogLoss(), CODES, RAWS),
            metrics.log_loss(CODES, special.softmax(RAWS, axis=1)),
        ),
        (mean(Hinge(), BITS[:, np.newaxis], g), metrics.hinge_loss(BITS, g[:, 0])),
        (mean(CrammerSinger(), CODES, RAWS), metrics.hinge_loss(CODES, RAWS)),
    ]
    actual, expected = zip(*pairs, strict=True)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("delta", [0.3, 1.35, 5.0])
def test_huber_of_scipy(delta):
    values, grad = evaluate(Huber(delta), REAL[:, np.newaxis], 3 * RAW)
    residual = 3 * RAW[:, 0] - REAL
    np.testing.assert_allclose(values, special.huber(delta, residual), rtol=1e-12)
    np.testing.assert_allclose(grad[:, 0], np.clip(residual, -delta, delta), rtol=1e-12)


def test_log_cosh():
    values, grad = evaluate(LogCosh(), REAL[:, np.newaxis], RAW)
    residual = RAW[:, 0] - REAL
    np.testing.assert_allclose(values, np.log(np.cosh(residual)), rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(grad[:, 0], np.tanh(residual), rtol=1e-12)
    far, _ = evaluate(LogCosh(), np.zeros((2, 1)), np.array([[1e4], [-1e4]]))
    np.testing.assert_allclose(far, 1e4 - np.log(2), rtol=1e-15)


def test_deviances_are_negative_log_likelihoods_up_to_the_saturated_model():
    def gap(logpmf, mu, y):
        return logpmf(y, y) - logpmf(y, mu)

    mu = np.exp(RAW[:, 0])
    poisson = gap(stats.poisson.logpmf, mu, COUNTS)
    gamma = gap(lambda y, mu: stats.gamma.logpdf(y, 1.0, scale=mu), mu, POSITIVE)
    values, _ = evaluate(Poisson(), COUNTS[:, np.newaxis], RAW)
    np.testing.assert_allclose(values, poisson, rtol=1e-10, atol=1e-12)
    values, _ = evaluate(Gamma(), POSITIVE[:, np.newaxis], RAW)
    np.testing.assert_allclose(values, gamma, rtol=1e-10, atol=1e-12)


def margin_by_hand(y, g, margin):
    """[g_c + margin - g_y]_+ for the classes other than y, as a list per row."""
    classes = range(g.shape[1])
    return [
        [max(r[c] + margin - r[k], 0) for c in classes if c != k] for k, r in zip(y, g, strict=True)
    ]


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_margin_losses_by_hand(margin):
    rivals = margin_by_hand(CODES, RAWS, margin)
    np.testing.assert_allclose(
        evaluate(CrammerSinger(margin), CODES, RAWS)[0], [max(r) for r in rivals], atol=1e-14
    )
    np.testing.assert_allclose(
        evaluate(WestonWatkins(margin), CODES, RAWS)[0], [sum(r) for r in rivals], atol=1e-14
    )
    signs = 2 * BITS - 1
    np.testing.assert_allclose(
        evaluate(Hinge(margin), BITS[:, np.newaxis], RAW)[0],
        np.maximum(margin - signs * RAW[:, 0], 0),
        atol=1e-14,
    )


@pytest.mark.parametrize("loss", [CrammerSinger(), WestonWatkins()], ids=str)
def test_two_class_margin_losses_are_the_hinge_of_the_difference(loss):
    y = BITS.astype(int)
    values, grad = evaluate(loss, y, RAWS[:, :2])
    g = RAWS[:, 1:2] - RAWS[:, :1]
    expected, expected_grad = evaluate(Hinge(), BITS[:, np.newaxis], g)
    np.testing.assert_allclose(values, expected, atol=1e-14)
    np.testing.assert_allclose(grad, np.hstack([-expected_grad, expected_grad]), atol=1e-14)


def test_tied_rivals_share_the_gradient():
    _, grad = evaluate(CrammerSinger(), np.array([1, 3]), np.zeros((2, 4)))
    third = 1 / 3
    np.testing.assert_allclose(grad, [[third, -1, third, third], [third, third, third, -1]])


def test_softmax_with_two_classes_is_the_logistic_loss_of_the_difference():
    values, grad = evaluate(SoftmaxLogLoss(), BITS.astype(int), RAWS[:, :2])
    g = RAWS[:, 1:2] - RAWS[:, :1]
    expected, expected_grad = evaluate(BinaryLogLoss(), BITS[:, np.newaxis], g)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(grad[:, 1:], expected_grad, rtol=1e-11)


@pytest.mark.parametrize("eps", [0.05, 0.3])
def test_label_smoothing_is_cross_entropy_with_smoothed_targets(eps):
    target = (1 - eps) * np.eye(4)[CODES] + eps / 4
    values, grad = evaluate(SoftmaxLogLoss(eps), CODES, RAWS)
    expected = -(target * special.log_softmax(RAWS, axis=1)).sum(axis=1)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(grad, special.softmax(RAWS, axis=1) - target, atol=1e-14)

    target = (1 - eps) * BITS[:, np.newaxis] + eps / 2
    values, grad = evaluate(BinaryLogLoss(eps), BITS[:, np.newaxis], RAW)
    expected = -target * special.log_expit(RAW) - (1 - target) * special.log_expit(-RAW)
    np.testing.assert_allclose(values, expected[:, 0], rtol=1e-12)
    np.testing.assert_allclose(grad, special.expit(RAW) - target, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_proba_is_stable(dtype):
    for loss in (SoftmaxLogLoss(), BinaryLogLoss()):
        log_proba = loss.log_proba(RAWS.astype(dtype))
        assert log_proba.dtype == dtype
        np.testing.assert_allclose(np.exp(log_proba), loss.predict(RAWS), rtol=1e-5)
        assert np.isfinite(loss.log_proba(np.array([[1e4, -1e4]], dtype))).all()
    both = BinaryLogLoss().predict(RAW) + np.exp(BinaryLogLoss().log_proba(-RAW))
    np.testing.assert_allclose(both, 1.0, rtol=1e-12)
    assert BinaryLogLoss().log_proba(np.array([[-1e4]], dtype)).item() == -1e4


def test_binary_gradient_of_a_confident_row_is_accurate_in_float32():
    raw = np.linspace(-20, 20, 81, dtype=np.float32)[:, np.newaxis]
    for y in (0.0, 1.0):
        target = np.full(raw.shape, y, np.float32)
        _, grad = evaluate(BinaryLogLoss(), target, raw)
        np.testing.assert_allclose(grad, special.expit(raw.astype(float)) - y, rtol=0, atol=1e-7)


def test_closed_forms_of_init_raw():
    weight = RNG.gamma(1.0, size=ROWS)

    def mean(y):
        return np.average(y, weights=weight)

    def init(loss, y):
        return loss.init_raw(y[:, np.newaxis], weight).item()

    assert init(SquaredError(), REAL) == pytest.approx(mean(REAL))
    assert init(Poisson(), COUNTS) == pytest.approx(np.log(mean(COUNTS)))
    assert init(Gamma(), POSITIVE) == pytest.approx(np.log(mean(POSITIVE)))
    assert init(BinaryLogLoss(), BITS) == pytest.approx(special.logit(mean(BITS)))
    assert init(Huber(1e6), REAL) == pytest.approx(mean(REAL))
    assert AbsoluteError().init_raw(REAL[:, np.newaxis], None).item() == np.median(REAL)
    priors = [mean(CODES == code) for code in range(4)]
    np.testing.assert_allclose(SoftmaxLogLoss().init_raw(CODES, weight), np.log(priors))


def test_several_quantiles_are_summed_and_never_cross():
    levels = (0.1, 0.5, 0.9)
    loss, raw = Quantile(levels), RAWS[:, :3]
    values, grad = evaluate(loss, REAL[:, np.newaxis], raw)
    single = [evaluate(Quantile(q), REAL[:, np.newaxis], raw[:, [i]]) for i, q in enumerate(levels)]
    np.testing.assert_allclose(values, sum(value for value, _ in single), rtol=1e-12)
    np.testing.assert_allclose(grad, np.hstack([part for _, part in single]), rtol=1e-12)
    assert (np.diff(loss.predict(raw), axis=1) >= 0).all()
    np.testing.assert_array_equal(
        loss.init_raw(REAL[:, np.newaxis], None), weighted_quantile(REAL, levels)
    )


LEVELS = [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.9, 1.0]


@given(
    rows=st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 6)), min_size=1, max_size=30),
    unit=st.sampled_from([1.0, 0.1, 1 / 3, 1e-9, 1e9]),
)
def test_weighted_quantile_counts_weights_as_rows(rows, unit):
    y, counts = np.array(rows, dtype=float).T
    counts[0] = max(counts[0], 1)
    repeated = weighted_quantile(np.repeat(y, counts.astype(int)), LEVELS)
    np.testing.assert_array_equal(weighted_quantile(y, LEVELS, unit * counts), repeated)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_weighted_quantile_without_weights_is_definition_2(values):
    y = np.array(values)
    levels = np.arange(9) / 8
    expected = np.quantile(y, levels, method="averaged_inverted_cdf")
    np.testing.assert_allclose(weighted_quantile(y, levels), expected, atol=1e-9)
    np.testing.assert_allclose(weighted_quantile(y, 0.5), np.median(y), atol=1e-9)


def test_weighted_quantile_ties_survive_rounding():
    y = np.arange(10.0)
    # 0.1 + 0.1 + 0.1 > 0.3 in floating point.
    assert weighted_quantile(y, 0.3, np.full(10, 0.1)) == weighted_quantile(y, 0.3) == 2.5


@pytest.mark.parametrize("q", [-0.1, 1.1, [0.5, np.nan]])
def test_weighted_quantile_refuses_other_levels(q):
    with pytest.raises(ValueError, match="level between 0 and 1"):
        weighted_quantile([1.0, 2.0], q)


def test_weighted_quantile_shapes_follow_numpy():
    y = RNG.standard_normal((20, 3)).astype(np.float32)
    assert weighted_quantile(y[:, 0], 0.5).shape == ()
    assert weighted_quantile(y, 0.5).shape == (3,)
    assert weighted_quantile(y, [0.1, 0.9]).shape == (2, 3)
    assert weighted_quantile(y, 0.5).dtype == np.float64
    for column in range(3):
        assert weighted_quantile(y, 0.2)[column] == weighted_quantile(y[:, column], 0.2)
    weight = np.r_[0.0, np.ones(19)]
    np.testing.assert_array_equal(weighted_quantile(y, 0.0, weight), y[1:].min(axis=0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("numbers", [1, 40, 2**15])
@pytest.mark.parametrize("shape", [(3,), (50, 3), (2, 9, 5), (7, 100), (0, 4)], ids=str)
def test_probabilities_are_softmax_whatever_the_shape(shape, numbers, dtype, monkeypatch):
    monkeypatch.setattr("skmlp.losses._classification.CACHED_NUMBERS", numbers)
    raw = (20.0 * np.random.default_rng(0).standard_normal((*shape, 2))[..., 0]).astype(dtype)
    raw[..., 0] -= 1000.0
    before, loss = raw.copy(), SoftmaxLogLoss()
    proba, log_proba = loss.predict(raw), loss.log_proba(raw)
    assert proba.dtype == log_proba.dtype == dtype
    tolerance = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(proba, special.softmax(raw, axis=-1), tolerance, tolerance)
    expected = special.log_softmax(raw, axis=-1)
    np.testing.assert_allclose(log_proba, expected, tolerance, tolerance)
    np.testing.assert_array_equal(raw, before)


def test_probabilities_of_lists_and_of_impossible_classes():
    np.testing.assert_allclose(SoftmaxLogLoss().predict([0, -np.inf, 0]), [0.5, 0.0, 0.5])
    assert SoftmaxLogLoss().log_proba([[0, 1]]).dtype == np.float64
