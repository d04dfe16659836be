"""Periodic embeddings of numbers: what they learn, and that nothing else changes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skmlp import AutoencoderTransformer, MLPClassifier, MLPRegressor
from skmlp.estimators._design import Design
from skmlp.estimators._recipe import network_of
from skmlp.inspection import check_gradient

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {"hidden_layer_sizes": (8,), "max_iter": 6, "learning_rate_init": 0.01, "random_state": 0}
WAVES = {"numeric_embedding_size": 3}
# So small a step that what else changes would show.
STILL = {**FAST, **WAVES, "learning_rate_init": 1e-13}

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
y = X[:, 0] + np.sin(3.0 * X[:, 1]) + 0.1 * rng.normal(size=120)


def table(seed=0, n=120, shift=0.0):
    source = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "street": source.choice([f"street {i:02d}" for i in range(12)], n),
            "x": shift + source.normal(size=n),
            "city": source.choice(["Rome", "Oslo", "Lima"], n),
            "gaps": shift + source.normal(size=n),
        }
    )
    frame.loc[source.random(n) < 0.3, "gaps"] = np.nan
    return frame, (frame["x"] + (frame["city"] == "Oslo")).to_numpy()


def waves_by_hand(model, x):
    """Embeddings of numbers that are scaled already."""
    blocks = network_of(model._model).waves.blocks
    f, b, W, c = (block.view(model.theta_[np.newaxis])[0] for block in blocks)
    own = [np.cos(2 * np.pi * (x[:, [j]] * f[j] + b[j])) @ W[j] for j in range(len(f))]
    return np.hstack(own) + c


# What they do


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_fast_wave_is_learned_with_them_only(by_hand):
    source = np.random.default_rng(0)
    Z = source.uniform(-2.0, 2.0, size=(900, 1))
    target = np.sin(8.0 * Z[:, 0])
    settings = {"max_iter": 60, "learning_rate_init": 0.01} if by_hand else {}
    embedded = {"numeric_embedding_size": 4, "numeric_embedding_scale": 1.0}
    scores = [
        MLPRegressor(**settings, **options, random_state=0)
        .fit(Z[:600], target[:600])
        .score(Z[600:], target[600:])
        for options in ({}, embedded)
    ]
    assert scores[1] > 0.98
    assert 1.0 - scores[1] < 0.2 * (1.0 - scores[0])


def test_classes_by_waves():
    source = np.random.default_rng(0)
    Z = source.uniform(-2.0, 2.0, size=(900, 2))
    label = np.where(np.sin(8.0 * Z[:, 0]) > 0, "up", "down")
    model = MLPClassifier(
        numeric_embedding_size=4,
        numeric_embedding_scale=1.0,
        max_iter=60,
        learning_rate_init=0.01,
        random_state=0,
    )
    assert model.fit(Z[:600], label[:600]).score(Z[600:], label[600:]) > 0.9


def test_predictions_are_those_of_the_network_by_hand():
    model = MLPRegressor(**FAST, **WAVES).fit(X, y)
    network, design = network_of(model._model), Design.restore(model._design)
    x = (X - X.mean(axis=0)) / X.std(axis=0)
    inputs = np.hstack([x, waves_by_hand(model, x)])
    first, last = (network.layers[i] for i in network.dense_positions())
    W1, b1, W2, b2 = (
        block.view(model.theta_[np.newaxis])[0]
        for block in (first.weight, first.bias, last.weight, last.bias)
    )
    scaled = np.maximum(inputs @ W1 + b1, 0.0) @ W2 + b2
    np.testing.assert_allclose(model.predict(X), design.target.decode(scaled)[:, 0], rtol=1e-9)
    assert model.theta_.size == 4 * (2 * 16 + 16 * 3 + 3) + 17 * 8 + 9


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_a_scale_without_a_size_has_no_effect(cls):
    target = y > 0 if cls is MLPClassifier else y
    models = [
        cls(**FAST, **options).fit(X, target)
        for options in ({}, {"numeric_embedding_size": 0, "numeric_embedding_scale": 3.0})
    ]
    np.testing.assert_array_equal(models[0].theta_, models[1].theta_)


def test_the_scale_is_that_of_the_first_frequencies():
    for scale in (0.1, 2.0):
        model = MLPRegressor(**STILL, numeric_embedding_scale=scale).fit(X * 1e6, y)
        block = network_of(model._model).waves.frequencies
        found = block.view(model.theta_[np.newaxis])
        assert found.shape == (1, 4, 16)
        assert found.std() == pytest.approx(scale, rel=0.3)


# Tables


def test_only_numbers_have_waves():
    frame, target = table()
    model = MLPRegressor(**FAST, **WAVES, input_scale_layer=True).fit(frame, target)
    assert model._model["periodic"] == [2, 3]
    # Two numbers, a gap, three cities, a vector of eight for streets, and waves.
    assert network_of(model._model).layers[1].n_in == 2 + 1 + 3 + 8 + 2 * 3
    new = frame.head(5).assign(street="new", city=None, gaps=np.nan)
    assert np.isfinite(model.predict(new)).all()
    alone = MLPRegressor(**FAST, **WAVES).fit(frame[["street"]], target)
    assert network_of(alone._model).waves is None
    assert alone.theta_.size == MLPRegressor(**FAST).fit(frame[["street"]], target).theta_.size


@pytest.mark.parametrize("options", [{}, {"n_init": 2, "combine_inits": "average"}], ids=str)
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_gradients(cls, options):
    frame, target = table(n=40)
    target = target > 0 if cls is MLPClassifier else target
    model = cls(**{**FAST, **WAVES, **options, "hidden_layer_sizes": (5,), "activation": "tanh"})
    for estimator in (model, clone(model).fit(frame, target)):
        assert check_gradient(estimator, frame, target, scheme="central").relative_error < 1e-7


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "float32"},
        {"parametrization": "ntk", "input_scale_layer": True},
        {"dropout": 0.2},
        {"hidden_layer_sizes": ()},
        {"early_stopping": True, "n_init": 2},
        {"solver": "lbfgs"},
        {"solver": "sgd", "weight_decay": 0.1},
        {"feature_scaling": None},
        {"feature_scaling": "robust"},
        {"feature_scaling": "minmax"},
        {"numeric_embedding_size": 1},
    ],
    ids=str,
)
def test_with_every_other_option(options):
    model = MLPRegressor(**{**FAST, **WAVES, **options}).fit(X, y)
    predicted = model.predict(X)
    assert np.isfinite(predicted).all() and np.ptp(predicted) > 0.0
    assert predicted.dtype == model.theta_.dtype == options.get("dtype", "float64")
    np.testing.assert_allclose(model.predict(X[:1]), predicted[:1], rtol=1e-5)


@pytest.mark.parametrize("kind", ["standard", None])
def test_sparse_rows_are_predicted_block_by_block(kind):
    Z = np.where(np.abs(X) < 0.5, 0.0, X)
    model = MLPRegressor(**FAST, **WAVES, feature_scaling=kind).fit(Z, y)
    np.testing.assert_allclose(model.predict(csr_array(Z)), model.predict(Z), rtol=1e-9)


def test_memory_maps(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    models = [MLPRegressor(**FAST, **WAVES).fit(given, y) for given in (X, mapped)]
    np.testing.assert_allclose(models[1].predict(mapped), models[0].predict(X), rtol=1e-6)


def test_weight_decay_is_for_weights():
    settings = {**FAST, **WAVES, "solver": "sgd", "momentum": 0.0, "alpha": 0.0, "max_iter": 1}
    settings |= {"learning_rate_init": 0.01, "batch_size": 120}
    start, plain, decayed = (
        MLPRegressor(**{**settings, **options}).fit(X, y).theta_
        for options in ({"learning_rate_init": 1e-300}, {}, {"weight_decay": 0.5})
    )
    model = MLPRegressor(**settings).fit(X, y)
    f, b, W, c = network_of(model._model).waves.blocks
    for block in (f, b, c):
        part = slice(block.offset, block.offset + block.size)
        np.testing.assert_array_equal(decayed[part], plain[part])
    part = slice(W.offset, W.offset + W.size)
    np.testing.assert_allclose((decayed - plain)[part], -0.01 * 0.5 * start[part], atol=1e-12)


def test_rates_are_smaller_in_the_neural_tangent_parametrization():
    settings = {**FAST, **WAVES, "solver": "sgd", "momentum": 0.0, "alpha": 0.0, "max_iter": 1}
    settings |= {"batch_size": 120, "parametrization": "ntk"}
    start = MLPRegressor(**{**settings, "learning_rate_init": 1e-300})
    gradient = check_gradient(start, X, y).gradient
    start, model = start.fit(X, y), MLPRegressor(**settings).fit(X, y)
    rate = np.full(model.theta_.size, 0.01)
    for block in network_of(model._model).waves.blocks:
        rate[block.offset : block.offset + block.size] *= 0.1
    np.testing.assert_allclose(model.theta_, start.theta_ - rate * gradient, atol=1e-10)


# Going on


@pytest.mark.parametrize("options", [{}, {"parametrization": "ntk"}, {"dtype": "float32"}], ids=str)
def test_moving_statistics_change_no_prediction(options):
    frame, target = table()
    model = MLPRegressor(**STILL, **options).partial_fit(frame, target)
    before, tol = model.predict(frame), 1e-3 if "dtype" in options else 1e-6
    for chunk, shift in enumerate((3.0, -70.0)):
        more, _ = table(chunk + 1, shift=shift)
        model.partial_fit(more, target)
        np.testing.assert_allclose(model.predict(frame), before, rtol=tol, atol=tol)
    moved = Design.restore(model._design).features.shift
    assert np.abs(moved - frame[["x", "gaps"]].mean()).min() > 1.0
    phases = network_of(model._model).waves.phases.view(model.theta_[np.newaxis])
    assert np.abs(phases).max() < 0.51


def test_moving_statistics_of_several_members_and_of_classes():
    settings = {**STILL, "n_init": 2, "combine_inits": "average"}
    model = MLPClassifier(**settings).partial_fit(X, y > 0, classes=[False, True])
    before = model.predict_proba(X)
    model.partial_fit(3.0 * X + 5.0, y > 0)
    np.testing.assert_allclose(model.predict_proba(X), before, rtol=1e-6)


def test_a_column_that_was_constant_or_empty_in_the_first_chunk():
    early = X.copy()
    early[:, 1], early[:, 2] = 7.0, np.nan
    model = MLPRegressor(**STILL).partial_fit(early, y)
    before = model.predict(early)
    late = X * 100.0 + 3.0
    model.partial_fit(late, y)
    np.testing.assert_allclose(model.predict(early), before, rtol=1e-6)
    assert np.isfinite(model.predict(late)).all()


def test_a_warm_start_goes_on():
    model = MLPRegressor(**FAST, **WAVES, warm_start=True).fit(X, y)
    before = model.predict(X)
    model.set_params(learning_rate_init=1e-13, numeric_embedding_scale=9.0).fit(X, y)
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-6)


@pytest.mark.parametrize("sizes", [(3, 2), (3, 0), (0, 3)])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_another_size_is_refused(method, sizes):
    model = MLPRegressor(**FAST, warm_start=True, numeric_embedding_size=sizes[0]).fit(X, y)
    model.set_params(numeric_embedding_size=sizes[1])
    with pytest.raises(ValueError, match="numeric_embedding_size has changed since the first call"):
        getattr(model, method)(X, y)


# The rest of an estimator's life


def test_pickles():
    frame, target = table()
    model = MLPRegressor(**FAST, **WAVES).fit(frame, target)
    stored = pickle.dumps(model)
    np.testing.assert_array_equal(pickle.loads(stored).predict(frame), model.predict(frame))
    without = MLPRegressor(**FAST).fit(frame, target)
    more = model.theta_.nbytes - without.theta_.nbytes
    assert len(stored) < len(pickle.dumps(without)) + more + 500


def test_clones_and_searches():
    model = MLPRegressor(**FAST, numeric_embedding_size=2, numeric_embedding_scale=0.5)
    assert clone(model).get_params() == model.get_params()
    grid = {"numeric_embedding_size": [0, 2], "numeric_embedding_scale": [0.1, 1.0]}
    search = GridSearchCV(MLPRegressor(**FAST), grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == y.shape


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_first_of_several_starts_is_the_fit_alone(solver):
    settings = {**FAST, **WAVES, "solver": solver}
    alone = MLPRegressor(**settings).fit(X, y)
    model = MLPRegressor(**settings, n_init=3, combine_inits="average").fit(X, y)
    first, *others = model.estimators_
    np.testing.assert_allclose(first.predict(X), alone.predict(X), rtol=1e-6)
    assert all(not np.allclose(first.predict(X), other.predict(X)) for other in others)
    each = np.mean([member.predict(X) for member in model.estimators_], axis=0)
    np.testing.assert_allclose(model.predict(X), each, rtol=1e-9)


def test_weights_on_raw_rows_do_not_exist():
    model = MLPRegressor(**FAST, **WAVES).fit(X, y)
    for name in ("coefs_", "intercepts_"):
        with pytest.raises(AttributeError, match=f"{name} does not exist with numeric_embedding_s"):
            getattr(model, name)
    assert model.transform(X).shape == (120, 8)
    # Without a number there are no waves.
    signs = pd.DataFrame({"flag": X[:, 0] > 0})
    assert MLPRegressor(**FAST, **WAVES).fit(signs, y).coefs_[0].shape == (1, 8)


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_refusals(cls):
    target = y > 0 if cls is MLPClassifier else y
    model, before = cls(**FAST, **WAVES), dict(vars(cls(**FAST, **WAVES)))
    with pytest.raises(ValueError, match=r"numeric_embedding_size=3 .* sparse X.*X.toarray\(\)"):
        model.fit(csr_array(X), target)
    assert vars(model) == before
    model.set_params(encoder=AutoencoderTransformer(2, (3,), max_iter=2))
    with pytest.raises(ValueError, match="numeric_embedding_size=3 cannot act with an encoder.*0"):
        model.fit(X, target)
    model.set_params(numeric_embedding_size=0).fit(X, target)
    sparse = MLPRegressor(**FAST).__sklearn_tags__().input_tags.sparse
    assert sparse and not MLPRegressor(**WAVES).__sklearn_tags__().input_tags.sparse


def test_the_picture_of_a_network_is_refused_with_a_reason():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from skmlp.displays import NetworkDisplay

    model = MLPRegressor(**FAST, **WAVES).fit(X, y)
    with pytest.raises((AttributeError, ValueError), match="numeric_embedding_size=3"):
        NetworkDisplay.from_estimator(model)
    pyplot.close("all")
