"""Piecewise linear embeddings of numbers: their bins, what they learn, what moves them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skmlp import AutoencoderTransformer, MLPClassifier, MLPRegressor
from skmlp.estimators import _bins
from skmlp.estimators._bins import edges_of, positions
from skmlp.estimators._design import Design
from skmlp.estimators._recipe import network_of
from skmlp.inspection import check_gradient

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {"hidden_layer_sizes": (8,), "max_iter": 6, "learning_rate_init": 0.01, "random_state": 0}
BINS = {"numeric_embedding": "piecewise", "numeric_embedding_size": 3}
# So small a step that what else changes would show.
STILL = {**FAST, **BINS, "learning_rate_init": 1e-13}

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


def edges(model):
    return Design.restore(model._design).expansion.edges


def heights(model):
    (layer,) = network_of(model._model).of_numbers
    return layer.heights.view(model.theta_[np.newaxis])[0]


def filled(x, own):
    """How far each bin is filled, from the edges."""
    e = (x[:, np.newaxis] - own[:-1]) / np.diff(own)
    e[:, 1:] = np.maximum(e[:, 1:], 0.0)
    e[:, :-1] = np.minimum(e[:, :-1], 1.0)
    return e


# Bins


def test_edges_are_quantiles_of_what_is_there():
    x = np.arange(1000.0)
    columns = [x, x**2, np.where(x < 300, np.nan, x), x % 3 // 2, x // 600, x * 0.0, x * np.nan]
    Z = np.column_stack(columns)
    found = edges_of(Z)
    assert [len(own) for own in found] == [49, 49, 49, 2, 2, 0, 0]
    np.testing.assert_allclose(found[0], np.linspace(0, 999, 49), atol=1.0)
    np.testing.assert_allclose(found[1], found[0] ** 2, rtol=0.01)
    assert found[2][0] == 300.0 and found[3].tolist() == found[4].tolist() == [0.0, 1.0]
    some = edges_of(Z[:, [0, 1, 2, 4, 5, 6]], index=np.arange(200, 320))
    assert [len(own) for own in some[3:]] == [0, 0, 0]
    assert some[0][0] == 200.0 and some[1][-1] == 319.0**2
    # All twenty of them, and the middle where a level falls between two.
    assert set(some[2]) == {*range(300, 320), 304.5, 309.5, 314.5}


def test_weights_are_copies():
    source = np.random.default_rng(0)
    Z, weight = source.normal(size=(60, 2)), source.integers(0, 30, 60).astype(float)
    found, expected = edges_of(Z, weight), edges_of(np.repeat(Z, weight.astype(int), axis=0))
    for own, copied, plain in zip(found, expected, edges_of(Z), strict=True):
        np.testing.assert_array_equal(own, copied)
        assert not np.array_equal(own, plain)


def test_outer_bins_are_no_needles():
    x = np.r_[-1.0 - 1e-12, np.full(200, -1.0), np.linspace(0.0, 10.0, 800), 10.0 + 1e-12]
    (own,) = edges_of(x[:, np.newaxis])
    assert own[0] == x[0] and own[-1] == x[-1]
    assert min(own[1] - own[0], own[-1] - own[-2]) > 1e-3
    model = MLPRegressor(**FAST, **BINS).fit(x[:, np.newaxis], x)
    assert np.abs(model.predict([[-30.0], [40.0]])).max() < 1e4


def test_numbers_of_every_size_have_places():
    for x in (X[:, 0], 1e9 * X[:, 0], 1e-9 * X[:, 0], 1e150 + 1e140 * X[:, 0], 1e-305 * X[:, 0]):
        (own,) = edges_of(x[:, np.newaxis])
        place = positions(np.r_[x, 2.0 * x.max(), 2.0 * x.min()], own)
        assert len(own) > 40 and np.isfinite(place).all()
        assert place[: len(x)].min() == 0.0 and place[: len(x)].max() == len(own) - 1
    assert len(edges_of(5e-324 * (X[:, :1] > 0))[0]) == 0
    with pytest.raises(ValueError, match=r"X has values so large .* columns \[1\]"):
        edges_of(np.column_stack([X[:, 0], 1.5e308 * np.sign(X[:, 0])]))


def test_positions():
    own = np.array([0.0, 1.0, 3.0])
    x = np.array([-2.0, 0.0, 0.25, 1.0, 2.0, 3.0, 5.0])
    np.testing.assert_allclose(positions(x, own), [-2.0, 0.0, 0.25, 1.0, 1.5, 2.0, 3.0])


def test_some_rows_of_a_large_table_are_enough(monkeypatch):
    Z = np.random.default_rng(0).normal(size=(4000, 2))
    whole = edges_of(Z)
    monkeypatch.setattr(_bins, "MOST_ROWS", 1000)
    for own, some in zip(whole, edges_of(Z), strict=True):
        assert not np.array_equal(own, some)
        np.testing.assert_allclose(some[5:-5], own[5:-5], atol=0.2)


# What they learn


def test_predictions_are_those_of_the_network_by_hand():
    model = MLPRegressor(**FAST, **BINS).fit(X, y)
    network, design = network_of(model._model), Design.restore(model._design)
    new = np.vstack([X, 3.0 * X])
    inputs = [(new - X.mean(axis=0)) / X.std(axis=0)]
    for j, (own, W) in enumerate(zip(edges_of(X), heights(model), strict=True)):
        inputs.append(filled(new[:, j], own) @ W[: len(own) - 1])
    first, last = (network.layers[i] for i in network.dense_positions())
    W1, b1, W2, b2 = (
        block.view(model.theta_[np.newaxis])[0]
        for block in (first.weight, first.bias, last.weight, last.bias)
    )
    scaled = np.maximum(np.hstack(inputs) @ W1 + b1, 0.0) @ W2 + b2
    np.testing.assert_allclose(model.predict(new), design.target.decode(scaled)[:, 0], rtol=1e-9)
    assert heights(model).shape == (4, 48, 3) and heights(model).any()
    assert model.theta_.size == 4 * 48 * 3 + (4 + 4 * 3 + 1) * 8 + 9


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_thresholds_are_learned_with_them_only(cls):
    source = np.random.default_rng(0)
    Z = source.uniform(-2.0, 2.0, size=(900, 1))
    target = np.floor(4.0 * Z[:, 0]) % 2
    settings = {"hidden_layer_sizes": (16,), "max_iter": 60, "learning_rate_init": 0.01}
    scores = [
        cls(**settings, **options, random_state=0)
        .fit(Z[:600], target[:600])
        .score(Z[600:], target[600:])
        for options in ({}, {**BINS, "numeric_embedding_size": 4})
    ]
    assert scores[0] < 0.75 < scores[1]


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_a_kind_without_a_size_has_no_effect(cls):
    target = y > 0 if cls is MLPClassifier else y
    models = [
        cls(**FAST, **options).fit(X, target)
        for options in ({}, {"numeric_embedding": "piecewise", "numeric_embedding_scale": 3.0})
    ]
    np.testing.assert_array_equal(models[0].theta_, models[1].theta_)
    assert models[1].coefs_[0].shape == (4, 8)


def test_they_begin_as_the_network_without_them():
    model, plain = MLPRegressor(**STILL), MLPRegressor(**{**STILL, "numeric_embedding_size": 0})
    x = X[:, :1]
    for estimator in (model, plain):
        estimator.set_params(hidden_layer_sizes=(), learning_rate_init=1e-300).fit(x, y)
    np.testing.assert_allclose(heights(model), 0.0, atol=1e-250)
    # Other first weights, but still a straight line in x.
    for estimator in (model, plain):
        slope = np.diff(estimator.predict([[0.0], [1.0], [2.0]]))
        assert slope[0] == pytest.approx(slope[1])


# Tables


def test_only_numbers_have_bins():
    frame, target = table()
    model = MLPRegressor(**FAST, **BINS, input_scale_layer=True).fit(frame, target)
    assert model._model["piecewise"] == [[len(own) - 1 for own in edges(model)], 3]
    assert min(model._model["piecewise"][0]) > 30
    # Two numbers, a gap, three cities, a vector of eight for streets, and bins.
    assert network_of(model._model).layers[1].n_in == 2 + 1 + 3 + 8 + 2 * 3
    new = frame.head(5).assign(street="new", city=None, gaps=np.nan)
    assert np.isfinite(model.predict(new)).all()
    mean = frame["gaps"].mean()
    place = Design.restore(model._design).scaled(model._read(new))[:, -1]
    np.testing.assert_allclose(place, positions(mean, edges(model)[1]))
    alone = MLPRegressor(**FAST, **BINS).fit(frame[["street"]], target)
    assert alone.theta_.size == MLPRegressor(**FAST).fit(frame[["street"]], target).theta_.size


def test_columns_that_say_nothing_have_no_bins():
    Z = np.column_stack([X, np.full(120, 7.0), np.full(120, np.nan), X[:, 0] > 0])
    model = MLPRegressor(**FAST, **BINS).fit(Z, y)
    assert [len(own) > 1 for own in edges(model)] == [True] * 4 + [False, False, True]
    assert len(model._model["piecewise"][0]) == 5
    late = np.column_stack([X, X[:, :2] * 1e3, X[:, 0]])
    np.testing.assert_allclose(model.predict(late)[:9], model.predict(late[:9]), rtol=1e-9)
    assert np.isfinite(model.predict(late)).all()
    constant = MLPRegressor(**FAST, **BINS).fit(np.ones((120, 2)), y)
    assert constant.coefs_[0].shape == (2, 8)
    assert len(network_of(constant._model).of_numbers) == 0


@pytest.mark.parametrize("options", [{}, {"n_init": 2, "combine_inits": "average"}], ids=str)
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_gradients(cls, options):
    frame, target = table(n=40)
    target = target > 0 if cls is MLPClassifier else target
    model = cls(**{**FAST, **BINS, **options, "hidden_layer_sizes": (5,), "activation": "tanh"})
    for estimator in (model, clone(model).fit(frame, target)):
        found = check_gradient(estimator, frame, target, scheme="central")
        assert found.relative_error < 1e-7
        assert "heights" in [block["name"] for block in found.blocks]


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
        {"weight_averaging": 0.9},
        {"early_stopping": True, "refit": True},
    ],
    ids=str,
)
def test_with_every_other_option(options):
    model = MLPRegressor(**{**FAST, **BINS, **options}).fit(X, y)
    predicted = model.predict(X)
    assert np.isfinite(predicted).all() and np.ptp(predicted) > 0.0
    assert predicted.dtype == model.theta_.dtype == options.get("dtype", "float64")
    np.testing.assert_allclose(model.predict(X[:1]), predicted[:1], rtol=1e-5)


@pytest.mark.parametrize("unit, origin", [(1e9, 0.0), (1e-9, 0.0), (1.0, 1e6)])
def test_units_do_not_count(unit, origin):
    settings = {**FAST, **BINS, "dtype": "float32"}
    models = [MLPRegressor(**settings).fit(Z, y) for Z in (X, unit * X + origin)]
    predicted = models[1].predict(unit * X + origin)
    np.testing.assert_allclose(predicted, models[0].predict(X), rtol=1e-3, atol=1e-4)


def test_rows_that_are_watched_have_no_say():
    settings = {**FAST, **BINS, "early_stopping": True}
    held = MLPRegressor(**settings).fit(X, y)
    model = MLPRegressor(**FAST, **BINS).fit(X, y, X_val=X + 0.3, y_val=y)
    assert not np.array_equal(edges(held)[0], edges_of(X)[0])
    np.testing.assert_array_equal(edges(model)[0], edges_of(X)[0])
    weight = np.r_[np.ones(60), np.zeros(60)]
    weighted = MLPRegressor(**FAST, **BINS).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(edges(weighted)[0], edges_of(X[:60])[0])
    assert np.isfinite(model.predict(X)).all()


def test_memory_maps(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    models = [MLPRegressor(**FAST, **BINS).fit(given, y) for given in (X, mapped)]
    np.testing.assert_allclose(models[1].predict(mapped), models[0].predict(X), rtol=1e-6)


# Going on


@pytest.mark.parametrize("options", [{}, {"parametrization": "ntk"}, {"dtype": "float32"}], ids=str)
def test_moving_statistics_change_no_prediction(options):
    frame, target = table()
    model = MLPRegressor(**FAST, **BINS, **options).partial_fit(frame, target)
    assert heights(model).any()
    model.set_params(learning_rate_init=1e-13)
    before, first = model.predict(frame), edges(model)
    tol = 1e-3 if "dtype" in options else 1e-6
    for chunk, shift in enumerate((3.0, -70.0)):
        more, _ = table(chunk + 1, shift=shift)
        model.partial_fit(more, target)
        np.testing.assert_allclose(model.predict(frame), before, rtol=tol, atol=tol)
    for own, now in zip(first, edges(model), strict=True):
        np.testing.assert_array_equal(own, now)
    moved = Design.restore(model._design).features.shift
    assert np.abs(moved - frame[["x", "gaps"]].mean()).min() > 1.0


def test_a_first_chunk_that_says_little():
    early = X[:3].copy()
    early[:, 1], early[:, 2] = 7.0, np.nan
    model = MLPRegressor(**FAST, **BINS).partial_fit(early, y[:3])
    first = edges(model)
    assert [len(own) > 1 for own in first] == [True, False, False, True]
    for _ in range(3):
        model.partial_fit(X * 100.0 + 3.0, y)
    for own, now in zip(first, edges(model), strict=True):
        np.testing.assert_array_equal(own, now)
    assert np.isfinite(model.predict(X)).all()
    one = MLPRegressor(**FAST, **BINS).partial_fit(X[:1], y[:1]).partial_fit(X, y)
    assert network_of(one._model).of_numbers == []


def test_a_warm_start_goes_on():
    model = MLPRegressor(**FAST, **BINS, warm_start=True).fit(X, y)
    before, first = model.predict(X), edges(model)
    model.set_params(learning_rate_init=1e-13).fit(X[:50] * 2.0, y[:50])
    np.testing.assert_array_equal(edges(model)[0], first[0])
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-6)


PLAIN, WAVES = {"numeric_embedding_size": 0}, {**BINS, "numeric_embedding": "periodic"}


@pytest.mark.parametrize(
    "first, then",
    [(BINS, WAVES), (WAVES, BINS), (BINS, PLAIN), (PLAIN, BINS)]
    + [(BINS, {"numeric_embedding_size": 2})],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_another_embedding_is_refused(method, first, then):
    model = MLPRegressor(**{**FAST, **first}, warm_start=True).fit(X, y)
    model.set_params(**then)
    with pytest.raises(ValueError, match="numeric_embedding or .* changed since the first call"):
        getattr(model, method)(X, y)


# The rest of an estimator's life


def test_pickles():
    frame, target = table()
    model = MLPRegressor(**FAST, **BINS).fit(frame, target)
    stored = pickle.dumps(model)
    np.testing.assert_array_equal(pickle.loads(stored).predict(frame), model.predict(frame))
    without = MLPRegressor(**FAST).fit(frame, target)
    more = model.theta_.nbytes - without.theta_.nbytes + sum(own.nbytes for own in edges(model))
    assert len(stored) < len(pickle.dumps(without)) + more + 1000


def test_clones_and_searches():
    model = MLPRegressor(**FAST, **BINS)
    assert clone(model).get_params() == model.get_params()
    grid = {"numeric_embedding": ["periodic", "piecewise"], "numeric_embedding_size": [0, 2]}
    search = GridSearchCV(MLPRegressor(**FAST), grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == y.shape


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_first_of_several_starts_is_the_fit_alone(solver):
    settings = {**FAST, **BINS, "solver": solver}
    alone = MLPRegressor(**settings).fit(X, y)
    model = MLPRegressor(**settings, n_init=3, combine_inits="average").fit(X, y)
    first, *others = model.estimators_
    np.testing.assert_allclose(first.predict(X), alone.predict(X), rtol=1e-6)
    assert all(not np.allclose(first.predict(X), other.predict(X)) for other in others)
    each = np.mean([member.predict(X) for member in model.estimators_], axis=0)
    np.testing.assert_allclose(model.predict(X), each, rtol=1e-9)


def test_weights_on_raw_rows_do_not_exist():
    model = MLPRegressor(**FAST, **BINS).fit(X, y)
    for name in ("coefs_", "intercepts_"):
        with pytest.raises(AttributeError, match=f"{name} does not exist with numeric_embedding_s"):
            getattr(model, name)
    assert model.transform(X).shape == (120, 8)


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_refusals(cls):
    target = y > 0 if cls is MLPClassifier else y
    model, before = cls(**FAST, **BINS), dict(vars(cls(**FAST, **BINS)))
    with pytest.raises(ValueError, match=r"numeric_embedding_size=3 .* sparse X.*X.toarray\(\)"):
        model.fit(csr_array(X), target)
    model.set_params(numeric_embedding_scale=1.0)
    with pytest.raises(ValueError, match=r"numeric_embedding_scale=1.0 cannot act .*'piecewise'"):
        model.fit(X, target)
    model.set_params(numeric_embedding_scale=0.1)
    assert vars(model) == before
    model.set_params(encoder=AutoencoderTransformer(2, (3,), max_iter=2))
    with pytest.raises(ValueError, match="numeric_embedding_size=3 cannot act with an encoder.*0"):
        model.fit(X, target)
    model.set_params(encoder=None).fit(X, target)
    with pytest.raises(ValueError, match=r"X is sparse, .* piecewise .*X.toarray\(\)"):
        model.predict(csr_array(X))
    with pytest.raises(ValueError, match="'numeric_embedding' parameter .* must be a str among"):
        cls(numeric_embedding="splines").fit(X, target)
    assert not model.__sklearn_tags__().input_tags.sparse
