"""Running statistics of partial_fit and warm starts change no prediction by themselves (E7)."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skmlp import MLPClassifier, MLPRegressor
from skmlp.estimators._design import Design
from skmlp.estimators._encoding import FEATURE_SCALINGS, Moments, StandardScaling

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
# Chunks of a drifting stream: means and spreads move by orders of magnitude.
CHUNKS = [rng.normal(size=(30, 3)) * 3.0**k + 10.0 * k for k in range(4)]
TARGETS = [np.abs(chunk[:, 0] * 5.0) + 0.1 for chunk in CHUNKS]
EVERYTHING = np.vstack(CHUNKS)
STILL = {"learning_rate_init": 1e-300, "hidden_layer_sizes": (5,), "random_state": 0}

VARIANTS = [
    {},
    {"feature_scaling": None},
    {"feature_scaling": "robust"},
    {"feature_scaling": "minmax"},
    {"target_scaling": False},
    {"input_scale_layer": True, "parametrization": "ntk"},
    {"hidden_layer_sizes": ()},
    {"loss": "gamma"},
    {"loss": "poisson"},
    {"loss": "quantile", "quantile": [0.2, 0.9]},
    {"activation": "prelu", "solver": "sgd"},
]


def spread(predicted):
    return 1e-9 * np.abs(predicted).max()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_partial_fit_with_moving_statistics_changes_no_prediction(variant, sparse):
    def convert(chunk):
        return csr_array(np.where(np.abs(chunk) > 1, chunk, 0)) if sparse else chunk

    model = MLPRegressor(**{**STILL, **variant}).partial_fit(convert(CHUNKS[0]), TARGETS[0])
    expected = model.predict(convert(EVERYTHING))
    for chunk, target in zip(CHUNKS[1:], TARGETS[1:], strict=True):
        model.partial_fit(convert(chunk), target)
        predicted = model.predict(convert(EVERYTHING))
        np.testing.assert_allclose(predicted, expected, rtol=1e-8, atol=spread(expected))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_warm_start_with_moving_statistics_changes_no_prediction(variant):
    settings = {**STILL, **variant, "max_iter": 1, "warm_start": True}
    model = MLPRegressor(**settings).fit(CHUNKS[0], TARGETS[0])
    expected = model.predict(EVERYTHING)
    for chunk, target in zip(CHUNKS[1:], TARGETS[1:], strict=True):
        model.fit(chunk, target)
        predicted = model.predict(EVERYTHING)
        np.testing.assert_allclose(predicted, expected, rtol=1e-8, atol=spread(expected))


def test_classifiers_too():
    model = MLPClassifier(**STILL)
    labels = [np.arange(30) % 3] * 4
    model.partial_fit(CHUNKS[0], labels[0], classes=[0, 1, 2])
    expected = model.decision_function(EVERYTHING)
    for chunk, target in zip(CHUNKS[1:], labels[1:], strict=True):
        model.partial_fit(chunk, target)
        np.testing.assert_allclose(model.decision_function(EVERYTHING), expected, rtol=1e-8)


def test_two_rows_are_enough_to_change_no_prediction():
    model = MLPRegressor(**STILL).partial_fit(CHUNKS[0][:2], TARGETS[0][:2])
    expected = model.predict(EVERYTHING)
    model.partial_fit(CHUNKS[1], TARGETS[1])
    np.testing.assert_allclose(model.predict(EVERYTHING), expected, rtol=1e-7)


@pytest.mark.parametrize("unit", [1.0, 1e4])
@pytest.mark.parametrize("constant", ["every column", "one column", "the target", "sparse"])
def test_what_was_constant_in_the_first_chunk_is_learned_like_the_rest(constant, unit):
    """Its weights were never trained: the first real scale must not multiply them."""
    X = np.random.default_rng(1).normal(size=(200, 4)) * unit
    y = X[:, 0] / unit + X[:, 1] / unit
    first = {"X": X[:20].copy(), "y": y[:20].copy()}
    if constant == "every column":
        first = {"X": X[:1], "y": y[:1]}
    elif constant == "the target":
        y, first["y"] = y / unit, np.zeros(20)
    else:
        first["X"][:, 1] = 0.0
    wrap = csr_array if constant == "sparse" else np.asarray
    model = MLPRegressor(hidden_layer_sizes=(20,), learning_rate_init=0.02, random_state=0)
    model.partial_fit(wrap(first["X"]), first["y"])
    seen = model.predict(wrap(first["X"]))
    model.set_params(learning_rate_init=1e-300).partial_fit(wrap(X), y)
    if constant in ("one column", "sparse"):
        np.testing.assert_allclose(model.predict(wrap(first["X"])), seen, rtol=1e-6, atol=1e-9)
    model.set_params(learning_rate_init=0.02)
    for _ in range(200):
        model.partial_fit(wrap(X), y)
    assert model.score(wrap(X), y) > 0.95


def test_the_statistics_end_as_those_of_all_rows():
    weights = [rng.uniform(0.1, 2.0, size=30) for _ in CHUNKS]
    model = MLPRegressor(**STILL)
    for chunk, target, weight in zip(CHUNKS, TARGETS, weights, strict=True):
        model.partial_fit(chunk, target, weight)
    weight, target = np.concatenate(weights), np.concatenate(TARGETS)
    mean = np.average(EVERYTHING, axis=0, weights=weight)
    variance = np.average((EVERYTHING - mean) ** 2, axis=0, weights=weight)
    design = Design.restore(model._design)
    np.testing.assert_allclose(design.features.shift, mean, rtol=1e-10)
    np.testing.assert_allclose(design.features.scale, np.sqrt(variance), rtol=1e-10)
    average = np.average(target, weights=weight)
    np.testing.assert_allclose(design.target.shift, average, rtol=1e-10)


def test_moments_merge_exactly_and_weigh_rows():
    weight = rng.uniform(0.1, 2.0, size=120)
    whole = Moments.of(EVERYTHING, weight)
    parts = Moments.of(EVERYTHING[:50], weight[:50]).merge(Moments.of(EVERYTHING[50:], weight[50:]))
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(parts.scale(), whole.scale(), rtol=1e-12)
    indexed = Moments.of(EVERYTHING, weight, np.arange(50))
    np.testing.assert_allclose(indexed.mean, Moments.of(EVERYTHING[:50], weight[:50]).mean)
    large = Moments.of(EVERYTHING + 1e9).scale()
    np.testing.assert_allclose(large, EVERYTHING.std(axis=0), rtol=1e-5)


@pytest.mark.parametrize("kind", ["robust", "minmax", None])
def test_kinds_without_running_statistics_keep_those_of_the_first_call(kind):
    scaling = FEATURE_SCALINGS[kind].fit(CHUNKS[0])
    assert scaling.update(CHUNKS[1]) is scaling


@pytest.mark.parametrize("first, second", [(1.0, 0.5), (0.5, 1.0), (2.0, 1.0), (0.0, 3.0)])
def test_the_largest_absolute_value_of_a_sparse_column_never_shrinks(first, second):
    column = csr_array(np.array([[first], [0.0]]))
    scaling = StandardScaling.fit(column).update(csr_array(np.array([[-second], [0.0]])))
    assert scaling.scale[0] == max(first, second)


def test_a_moving_stream_is_learned():
    """Frozen statistics of a first chunk of one row cost 60 % in E7."""
    data = np.random.default_rng(1)
    X = data.normal(size=(600, 4)) * [1.0, 30.0, 0.01, 5.0] + [0.0, 300.0, 1.0, -40.0]
    y = 1e3 * (X[:, 0] + X[:, 1] / 30.0) + 5e4
    settings = {"hidden_layer_sizes": (20,), "learning_rate_init": 0.01, "random_state": 0}
    errors = []
    for first in (1, 200):
        model = MLPRegressor(**settings).partial_fit(X[:first], y[:first])
        for _ in range(20):
            for start in range(0, 600, 100):
                model.partial_fit(X[start : start + 100], y[start : start + 100])
        errors.append(1.0 - model.score(X, y))
    assert max(errors) < 0.05


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chunks_of_another_dtype_and_format_continue(dtype):
    model = MLPRegressor(random_state=0).partial_fit(CHUNKS[0].astype(dtype), TARGETS[0])
    for chunk in (CHUNKS[1].astype(np.float32), CHUNKS[1], csr_array(CHUNKS[1])):
        model.partial_fit(chunk, TARGETS[1])
        assert model.theta_.dtype == dtype
        assert model.predict(chunk).dtype == dtype
        assert np.isfinite(model.predict(chunk)).all()
