"""Denoising autoencoders: fresh noise in training, fixed noise when watched, none afterwards."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine

from skmlp import AutoencoderTransformer
from skmlp._engine.noise import NOISES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = load_wine().data[:, :6]
SMALL = {"n_components": 2, "hidden_layer_sizes": (7,), "max_iter": 5, "random_state": 0}
SMALL |= {"learning_rate_init": 0.01, "batch_size": 32}
KINDS = pytest.mark.parametrize("kind", NOISES)


def model_of(kind, **params):
    return AutoencoderTransformer(**{**SMALL, "noise": kind, **params})


@pytest.fixture
def drawn(monkeypatch):
    """Copies of all corrupted blocks, in order."""
    seen = []
    for cls in NOISES.values():

        def corrupt(self, rows, rng, work, original=cls.corrupt):
            before = rows.copy()
            original(self, rows, rng, work)
            seen.append((before, rows.copy()))

        monkeypatch.setattr(cls, "corrupt", corrupt)
    return seen


@KINDS
def test_every_batch_has_fresh_noise_that_can_be_had_again(kind, drawn):
    model = model_of(kind, shuffle=False, max_iter=3).fit(X)
    first = [noisy for _, noisy in drawn]
    assert len(first) == 3 * 6
    # The same rows in two epochs, with other noise.
    np.testing.assert_array_equal(drawn[0][0], drawn[6][0])
    assert not np.array_equal(first[0], first[6])
    changed = first[0] != drawn[0][0]
    assert not np.array_equal(changed[:16], changed[16:32]) or kind == "gaussian"
    drawn.clear()
    again = clone(model).fit(X)
    np.testing.assert_array_equal(again.theta_, model.theta_)
    for one, (_, other) in zip(first, drawn, strict=True):
        np.testing.assert_array_equal(one, other)
    other = clone(model).set_params(random_state=1).fit(X)
    assert not np.allclose(other.theta_, model.theta_)


@KINDS
def test_members_have_noise_of_their_own(kind):
    both = model_of(kind, n_init=2, combine_inits="average").fit(X)
    np.testing.assert_allclose(both.estimators_[0].theta_, model_of(kind).fit(X).theta_, rtol=1e-9)


def test_the_noise_acts_on_scaled_rows(drawn):
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    settings = {"shuffle": False, "batch_size": 178, "max_iter": 1, "noise_level": 0.4}
    model_of("salt_and_pepper", **settings).fit(X)
    ((before, noisy),) = drawn
    np.testing.assert_allclose(before, scaled, atol=1e-12)
    hit = before != noisy
    assert hit.mean() == pytest.approx(0.4, abs=0.05)
    low, high = scaled.min(axis=0), scaled.max(axis=0)
    ends = np.isclose(noisy, low) | np.isclose(noisy, high)
    assert ends[hit].all() and np.isclose(noisy, low)[hit].mean() == pytest.approx(0.5, abs=0.1)
    drawn.clear()
    model_of("gaussian", **settings).fit(X)
    ((before, noisy),) = drawn
    assert np.std(noisy - before) == pytest.approx(0.4, rel=0.1)


@KINDS
def test_no_noise_after_training(kind, drawn):
    model = model_of(kind).fit(X)
    drawn.clear()
    codes = model.transform(X)
    np.testing.assert_array_equal(codes, model.transform(X))
    np.testing.assert_array_equal(model.reconstruct(X), model.reconstruct(X))
    assert model.score(X) == model.score(X)
    model.inverse_transform(codes)
    assert not drawn


@KINDS
@pytest.mark.parametrize("kept", [{"X_val": X[120:]}, {}], ids=["X_val", "split"])
def test_the_same_parameters_have_the_same_validation_loss(kind, kept, drawn):
    """A validation set is corrupted once and for all."""
    params = {"learning_rate_init": 1e-18, "alpha": 0.0, "tol": 0.0, "max_iter": 4}
    model = model_of(kind, early_stopping=True, **params).fit(X[:120], **kept)
    losses = model.validation_loss_curve_
    assert len(losses) == 4 and np.ptp(losses) < 1e-9 * losses[0]
    assert len(set(model.loss_curve_)) == 4
    plain = model_of(None, early_stopping=True, **params).fit(X[:120], **kept)
    assert losses[0] != pytest.approx(plain.validation_loss_curve_[0], rel=1e-6)


@KINDS
def test_the_validation_loss_is_of_clean_rows_from_corrupted_ones(kind, drawn):
    model = model_of(kind, shuffle=False, early_stopping=False, max_iter=1)
    model.fit(X[:120], X_val=X[120:])
    clean, noisy = drawn[-1]
    assert len(clean) == 58
    mean, sd = X[:120].mean(axis=0), X[:120].std(axis=0)
    np.testing.assert_allclose(clean, (X[120:] - mean) / sd, atol=1e-12)
    rows = (model.reconstruct(noisy * sd + mean) - mean) / sd
    loss = 0.5 * ((rows - clean) ** 2).sum(axis=1).mean()
    assert model.validation_loss_curve_ == [pytest.approx(loss)]


def test_the_validation_noise_does_not_depend_on_blocks(monkeypatch):
    params = {"early_stopping": True, "max_iter": 3}
    one = model_of("masking", **params).fit(X)
    monkeypatch.setattr("skmlp._engine.objective.block_rows", lambda network, members: 5)
    other = model_of("masking", **params).fit(X)
    np.testing.assert_allclose(one.validation_loss_curve_, other.validation_loss_curve_, rtol=1e-9)


@KINDS
def test_sparse_and_weighted_rows(kind):
    rows = np.where(X < np.median(X, axis=0), 0.0, X)
    rows /= rows.max(axis=0)
    dense = model_of(kind, feature_scaling=None).fit(rows, sample_weight=np.arange(178.0))
    other = model_of(kind).fit(csr_array(rows), sample_weight=np.arange(178.0))
    np.testing.assert_allclose(other.theta_, dense.theta_, rtol=1e-9, atol=1e-12)


def test_salt_and_pepper_remember_the_range_of_earlier_chunks(drawn):
    model = model_of("salt_and_pepper", feature_scaling=None, noise_level=1.0)
    model.partial_fit(X * 0.0 + np.array([[0.0], [1.0]] * 89)).partial_fit(X * 0.0 + 0.5)
    for _, noisy in drawn:
        assert set(np.unique(noisy)) == {0.0, 1.0}


# ---- what it is for -----------------------------------------------------------------------------


class Corrupt:
    """Digits with noise that no training has seen."""

    X = load_digits().data / 16
    rng = np.random.default_rng(0)
    train, test = X[:900], X[900:1300]
    gaussian = test + rng.normal(scale=0.3, size=test.shape)
    masking = test * (rng.random(test.shape) >= 0.3)
    hit = rng.random(test.shape)
    salt_and_pepper = np.where(hit < 0.15, 0.0, np.where(hit < 0.3, 1.0, test))


@KINDS
def test_denoising_repairs_digits(kind):
    params = {"n_components": 32, "hidden_layer_sizes": (), "code_activation": "relu"}
    params |= {"feature_scaling": None, "max_iter": 40, "learning_rate_init": 0.005}
    noisy = getattr(Corrupt, kind)

    def error(noise):
        model = model_of(noise, **params).fit(Corrupt.train)
        return np.mean((model.reconstruct(noisy) - Corrupt.test) ** 2)

    denoising = error(kind)
    assert denoising < 0.85 * error(None)
    assert denoising < 0.6 * np.mean((noisy - Corrupt.test) ** 2)


@KINDS
def test_the_largest_level_still_trains(kind):
    level = min(NOISES[kind].largest_level, 3.0)
    model = model_of(kind, noise_level=level).fit(X)
    assert np.isfinite(model.theta_).all()
    # Little can be learned from noise: the mean is near.
    assert -model.score(X) > 0.3
