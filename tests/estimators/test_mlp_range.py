"""The parameter `clip_predictions` of MLPRegressor."""

import pickle

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.model_selection import PredefinedSplit

from skmlp import MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_friedman1(120, noise=1.0, random_state=0)
FAR = 1000.0 * (X - 0.5)
Y = np.c_[y, 100.0 - 3.0 * y]
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 40, "learning_rate_init": 0.02, "random_state": 0}


def clipping(target=y, **params):
    return MLPRegressor(**{**SMALL, "clip_predictions": True, **params}).fit(X, target)


def without(model):
    """The same network, that does not clip."""
    return clone(model).set_params(clip_predictions=False).fit(X, y)


@pytest.mark.parametrize("target", [y, Y], ids=["one output", "two outputs"])
@pytest.mark.parametrize("scaled", [True, False])
def test_every_output_stays_in_its_range(target, scaled):
    model = clipping(target, target_scaling=scaled)
    found = model.predict(FAR)
    np.testing.assert_array_equal(
        model.target_range_, np.reshape([target.min(axis=0), target.max(axis=0)], (2, -1))
    )
    assert (found >= target.min(axis=0)).all() and (found <= target.max(axis=0)).all()
    for ends in np.c_[found].T:
        assert len(np.unique(ends)) < len(FAR)  # something was clipped
    free = clone(model).set_params(clip_predictions=False).fit(X, target).predict(FAR)
    np.testing.assert_allclose(found, np.clip(free, *np.squeeze(model.target_range_)), rtol=1e-9)


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "absolute_error"},
        {"loss": "huber"},
        {"loss": "log_cosh"},
        {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]},
        {"loss": "gamma"},
        {"loss": "poisson"},
        {"solver": "lbfgs"},
        {"feature_scaling": None},
        {"numeric_embedding_size": 2},
        {"numeric_embedding_size": 2, "numeric_embedding": "piecewise"},
    ],
    ids=str,
)
def test_every_kind_of_network_and_its_score(params):
    model = clipping(**params)
    found = model.predict(FAR)
    assert found.min() >= y.min() and found.max() <= y.max()
    free = without(model)
    for rows in (X, FAR):
        expected = np.clip(free.predict(rows), y.min(), y.max())
        np.testing.assert_allclose(model.predict(rows), expected, rtol=1e-7)
    assert model.score(FAR, y) > free.score(FAR, y)


def test_float32_is_rounded_inwards():
    model = MLPRegressor(**SMALL, clip_predictions=True).fit(X.astype(np.float32), y)
    found = model.predict(FAR.astype(np.float32))
    assert found.dtype == np.float32
    found = found.astype(np.float64)
    assert y.min() <= found.min() < y.min() + 1e-5 and y.max() - 1e-5 < found.max() <= y.max()


def test_score_is_that_of_the_predictions():
    model = clipping(loss="absolute_error")
    mean, median = (np.abs(y - c).mean() for c in (model.predict(FAR), np.median(y)))
    assert model.score(FAR, y) == pytest.approx(1.0 - mean / median, rel=1e-6)


def test_members_are_clipped_before_their_average():
    model = clipping(n_init=3, combine_inits="average")
    members = [member.predict(FAR) for member in model.estimators_]
    assert all(found.max() <= y.max() for found in members)
    np.testing.assert_allclose(model.predict(FAR), np.mean(members, axis=0), rtol=1e-9)
    clipped_last = np.clip(without(model).predict(FAR), y.min(), y.max())
    assert not np.allclose(model.predict(FAR), clipped_last)


def test_rows_that_do_not_train_do_not_count():
    weight = np.where(y == y.max(), 0.0, 1.0)
    expected = np.sort(y)[-2]
    model = MLPRegressor(clip_predictions=True, **SMALL).fit(X, y, sample_weight=weight)
    assert model.target_range_[1] == expected
    watched = clipping(validation_fraction=PredefinedSplit(np.where(y > 20.0, 0, -1)))
    watched.set_params(early_stopping=True).fit(X, y)
    assert watched.target_range_[1] == y[y <= 20.0].max()


def test_chunks_widen_the_range():
    order = np.argsort(y)
    model = MLPRegressor(hidden_layer_sizes=(8,), clip_predictions=True, random_state=0)
    for part in (order[40:80], order[60:70], order[:40]):
        model.partial_fit(X[part], y[part])
    np.testing.assert_array_equal(model.target_range_, [[y.min()], [y[order[79]]]])
    again = clipping(warm_start=True)
    again.fit(X[order[20:]], y[order[20:]])
    np.testing.assert_array_equal(again.target_range_, [[y.min()], [y.max()]])
    again.set_params(warm_start=False).fit(X[order[20:]], y[order[20:]])
    assert again.target_range_[0] == y[order[20]]


def test_it_can_be_switched_after_the_fit():
    model = clipping()
    clipped = model.predict(FAR)
    with pytest.raises(AttributeError, match=r"coefs_ .* clip_predictions=True.*no new fit"):
        _ = model.coefs_
    model.set_params(clip_predictions=False)
    np.testing.assert_array_equal(model.predict(FAR), without(model).predict(FAR))
    by_hand = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0.0) @ model.coefs_[1]
    np.testing.assert_allclose((by_hand + model.intercepts_[1])[:, 0], model.predict(X))
    np.testing.assert_array_equal(model.set_params(clip_predictions=True).predict(FAR), clipped)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(FAR), clipped)


def test_the_range_of_given_weights_is_not_known():
    theirs = neural_network.MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, random_state=0)
    theirs.fit(X, y)
    model = MLPRegressor.from_sklearn(theirs).set_params(clip_predictions=True)
    np.testing.assert_allclose(model.predict(FAR), theirs.predict(FAR))
    model.partial_fit(X, y)
    assert np.isinf(model.target_range_).all()


def test_transform_is_not_clipped():
    np.testing.assert_array_equal(clipping().transform(FAR), without(clipping()).transform(FAR))


def test_scorers_see_it():
    seen = []

    def largest(model, rows, target):
        seen.append(model.predict(1000.0 * rows).max() <= model.target_range_[1, 0])
        return model.score(rows, target)

    clipping(early_stopping=True, scoring=largest)
    assert seen and all(seen)
