"""What the scores of AutoencoderOutlierDetector are, and what they say about the features."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.spatial.distance import mahalanobis
from sklearn.datasets import load_wine
from sklearn.frozen import FrozenEstimator

from skmlp import AutoencoderOutlierDetector, AutoencoderTransformer
from skmlp.estimators._autoencoder import _scores
from skmlp.estimators._autoencoder._scores import FLOOR, RIDGE, SCORES
from skmlp.losses import weighted_quantile

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = load_wine().data[:, :6]
WEIGHT = np.random.default_rng(0).integers(0, 4, size=len(X)).astype(float)
SMALL = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0}
SMALL |= {"learning_rate_init": 0.01}
AVERAGE = {"n_init": 3, "combine_inits": "average"}
MEMBERS = pytest.mark.parametrize("members", [{}, AVERAGE], ids=["one", "average"])
NAMES = pytest.mark.parametrize("name", SCORES)


def coder_of(**params):
    return AutoencoderTransformer(**{**SMALL, **params})


def detector_of(coder=None, **params):
    return AutoencoderOutlierDetector(coder or coder_of(), **params)


@MEMBERS
@NAMES
def test_contributions_are_what_scores_are_made_of(name, members):
    model = detector_of(coder_of(**members), anomaly_score=name).fit(X)
    parts, scores = model.reconstruction_error(X), model.score_samples(X)
    assert parts.shape == X.shape and scores.shape == (178,)
    assert parts.dtype == scores.dtype == np.float64 and (parts >= 0).all()
    whole = parts.mean(axis=1) if name == "squared_error" else parts.sum(axis=1)
    np.testing.assert_allclose(whole, -scores, rtol=1e-12)
    np.testing.assert_array_equal(model.reconstruction_error(X, per_feature=False), -scores)
    np.testing.assert_array_equal(model.score_samples(X), scores)


def test_squared_errors_are_those_of_the_autoencoder():
    model = detector_of(anomaly_score="squared_error").fit(X)
    np.testing.assert_allclose(
        -model.score_samples(X), model.autoencoder_.reconstruction_error(X), rtol=1e-12
    )
    np.testing.assert_allclose(
        model.reconstruction_error(X),
        model.autoencoder_.reconstruction_error(X, per_feature=True),
        rtol=1e-12,
    )


def residuals_of(coder, rows):
    """Residuals in units of the training standard deviations."""
    return (rows - coder.reconstruct(rows)) / X.std(axis=0)


@pytest.mark.parametrize("weighted", [False, True])
def test_mahalanobis_scores_by_the_formula(weighted):
    weight = WEIGHT if weighted else None
    coder = coder_of().fit(X)
    model = detector_of(FrozenEstimator(coder)).fit(X, sample_weight=weight)
    residual = residuals_of(coder, X)
    center = np.average(residual, axis=0, weights=weight)
    covariance = np.cov(residual.T, bias=True, aweights=weight)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    mean = np.average(scaled, axis=0, weights=weight)
    variance = np.average((scaled - mean) ** 2, axis=0, weights=weight).mean()
    ridge = RIDGE * np.trace(covariance) / 6 + FLOOR**2 * variance
    inverse = np.linalg.inv(covariance + ridge * np.eye(6))
    expected = [mahalanobis(row, center, inverse) ** 2 for row in residual]
    np.testing.assert_allclose(-model.score_samples(X), expected, rtol=1e-8)


@NAMES
def test_scores_of_an_average_are_mean_scores_of_its_members(name):
    coder = coder_of(**AVERAGE).fit(X)
    model = detector_of(FrozenEstimator(coder), anomaly_score=name).fit(X)
    members = [
        detector_of(FrozenEstimator(member), anomaly_score=name).fit(X)
        for member in coder.estimators_
    ]
    scores = np.mean([member.score_samples(X) for member in members], axis=0)
    np.testing.assert_allclose(model.score_samples(X), scores, rtol=1e-9)
    parts = np.mean([member.reconstruction_error(X) for member in members], axis=0)
    np.testing.assert_allclose(model.reconstruction_error(X), parts, rtol=1e-9, atol=1e-12)
    # An average of one is one.
    alone = detector_of(coder_of(n_init=1, combine_inits="average"), anomaly_score=name).fit(X)
    np.testing.assert_allclose(alone.score_samples(X), members[0].score_samples(X), rtol=1e-9)


@NAMES
def test_scores_do_not_depend_on_other_rows_or_blocks(name, monkeypatch):
    model = detector_of(anomaly_score=name).fit(X)
    scores = model.score_samples(X)
    order = np.random.default_rng(0).permutation(178)
    np.testing.assert_allclose(model.score_samples(X[order]), scores[order], rtol=1e-9)
    np.testing.assert_allclose(model.score_samples(X[5:6]), scores[5:6], rtol=1e-9)
    monkeypatch.setattr("skmlp._engine.network.block_rows", lambda network, members: 7)
    np.testing.assert_allclose(model.score_samples(X), scores, rtol=1e-9)
    again = detector_of(anomaly_score=name).fit(X)
    np.testing.assert_allclose(again.score_samples(X), scores, rtol=1e-7)


@NAMES
def test_weights_are_copies(name):
    coder = FrozenEstimator(coder_of().fit(X))
    one = detector_of(coder, anomaly_score=name).fit(X, sample_weight=WEIGHT)
    other = detector_of(coder, anomaly_score=name).fit(np.repeat(X, WEIGHT.astype(int), axis=0))
    np.testing.assert_allclose(one.score_samples(X), other.score_samples(X), rtol=1e-9)
    assert one.offset_ == pytest.approx(other.offset_, rel=1e-9)


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.25, 0.5])
@NAMES
def test_the_offset_is_the_quantile_of_training_scores(name, contamination):
    model = detector_of(anomaly_score=name, contamination=contamination).fit(X)
    scores = model.score_samples(X)
    expected = weighted_quantile(scores, contamination)
    assert model.offset_ == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(model.decision_function(X), scores - model.offset_)
    labels = model.predict(X)
    assert set(labels) == {-1, 1}
    np.testing.assert_array_equal(labels, np.where(model.decision_function(X) < 0, -1, 1))
    assert np.mean(labels == -1) == pytest.approx(contamination, abs=1 / 178)


@NAMES
def test_the_corrupted_feature_explains_the_anomaly(name):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(500, 2))
    rows = factors @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(500, 8))
    model = detector_of(coder_of(max_iter=60), anomaly_score=name).fit(rows)
    found = []
    for j in range(8):
        corrupted = rows[:40].copy()
        corrupted[:, j] += 4.0 * rows[:, j].std()
        parts = model.reconstruction_error(corrupted)
        found.append(parts.argmax(axis=1) == j)
        assert (model.score_samples(corrupted) < model.score_samples(rows[:40])).mean() > 0.9
    assert np.mean(found) > 0.8


def test_mahalanobis_sees_what_is_small_but_unusual():
    """A direction that is always reconstructed well counts for more."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 4))
    rows[:, 1] = rows[:, 0] + 0.02 * rng.normal(size=400)
    odd = rows[:1].copy()
    odd[0, 1] += 0.4
    ranks = {}
    for name in SCORES:
        model = detector_of(coder_of(max_iter=30), anomaly_score=name).fit(rows)
        ranks[name] = np.mean(model.score_samples(rows) < model.score_samples(odd))
    assert ranks["residual_mahalanobis"] < 0.02 < ranks["squared_error"]


def test_many_columns_have_no_covariance_matrix(monkeypatch):
    monkeypatch.setattr(_scores, "COVARIANCE_COLUMNS", 5)
    with pytest.raises(ValueError, match="there are 6, more than 5. Use anomaly_score='squared_er"):
        detector_of().fit(X)
    assert detector_of(anomaly_score="squared_error").fit(X).score_samples(X).shape == (178,)


@NAMES
@pytest.mark.parametrize("value", [0.0, 7.0, 1e9])
def test_constant_columns_do_no_harm(name, value):
    rows = np.column_stack([X, np.full(178, value)])
    model = detector_of(anomaly_score=name).fit(rows)
    scores = model.score_samples(rows)
    assert np.isfinite(scores).all()
    odd = rows[:1].copy()
    odd[0, 6] += max(5.0, value)
    assert model.score_samples(odd)[0] < scores[0]
    assert model.reconstruction_error(odd)[0].argmax() == 6


@pytest.mark.parametrize("rows", [np.zeros((30, 3)), np.ones((30, 1)), np.arange(30.0)[:, None]])
@NAMES
def test_degenerate_rows(name, rows):
    model = detector_of(coder_of(n_components=1), anomaly_score=name).fit(rows)
    assert np.isfinite(model.score_samples(rows)).all()
    if np.ptp(rows) == 0:
        assert (model.predict(rows) == 1).all()


@NAMES
def test_fewer_rows_than_features(name):
    rows = np.random.default_rng(0).normal(size=(12, 40))
    model = detector_of(anomaly_score=name, contamination=0.25).fit(rows)
    scores = model.score_samples(rows)
    assert np.isfinite(scores).all() and (model.predict(rows) == -1).sum() == 3
    assert (model.score_samples(rows + 30.0) < scores.min()).all()


@NAMES
@MEMBERS
def test_sparse_rows(name, members):
    rows = np.where(X < np.median(X, axis=0), 0.0, X)
    dense = rows / np.abs(rows).max(axis=0)
    one = detector_of(coder_of(**members), anomaly_score=name).fit(csr_array(rows))
    two = detector_of(coder_of(**members, feature_scaling=None), anomaly_score=name).fit(dense)
    np.testing.assert_allclose(
        one.score_samples(csr_array(rows)), two.score_samples(dense), rtol=1e-6
    )
    np.testing.assert_allclose(one.score_samples(csr_array(rows)), one.score_samples(rows))
    assert one.offset_ == pytest.approx(two.offset_, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_scores_are_float64_whatever_x_is(dtype):
    model = detector_of().fit((X * 10).astype(dtype))
    scores = model.score_samples((X * 10).astype(dtype))
    assert scores.dtype == np.float64
    expected = detector_of().fit(X * 10).score_samples(X * 10)
    assert np.corrcoef(scores, expected)[0, 1] > 0.99
