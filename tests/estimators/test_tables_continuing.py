"""Tables in chunks, on warm starts, from disk, and from checkpoints."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from skmlp import DensityRegressor, MLPClassifier, MLPRegressor
from skmlp.callbacks import Checkpoint
from skmlp.estimators._design import Design

N = 120
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {"hidden_layer_sizes": (8,), "max_iter": 6, "learning_rate_init": 0.01, "random_state": 0}
# So small a step that what else changes would show.
STILL = {**FAST, "learning_rate_init": 1e-13}


def table(seed=0, n=N, shift=0.0, levels=12):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": shift + rng.normal(size=n),
            "gaps": shift + rng.normal(size=n),
            "city": rng.choice(["Rome", "Oslo", "Lima"], n),
            "street": rng.choice([f"street {i:02d}" for i in range(levels)], n),
            "flag": rng.random(n) < 0.5,
        }
    )
    frame.loc[rng.random(n) < 0.3, "gaps"] = np.nan
    y = frame["x"] + (frame["city"] == "Oslo") + rng.normal(size=n)
    return frame, y.to_numpy()


@pytest.mark.parametrize("cls", [MLPRegressor, DensityRegressor])
@pytest.mark.parametrize("encoding", [{}, {"input_scale_layer": True}, {"parametrization": "ntk"}])
def test_moving_statistics_change_no_prediction(cls, encoding):
    frame, y = table()
    model = cls(**STILL, **encoding).partial_fit(frame, y)
    before = model.predict(frame)
    for chunk, shift in enumerate((3.0, -7.0)):
        more, z = table(chunk + 1, shift=shift)
        model.partial_fit(more, y.mean() + y.std() * (z - z.mean()) / z.std())
        np.testing.assert_allclose(model.predict(frame), before, rtol=1e-6, atol=1e-7)
    moved = Design.restore(model._design).features.shift
    assert np.abs(moved - frame[["x", "gaps"]].mean()).min() > 1.0


def test_statistics_of_chunks_are_those_of_all_rows():
    chunks = [table(seed, shift=5.0 * seed) for seed in range(3)]
    model = MLPRegressor(**FAST)
    for frame, y in chunks:
        model.partial_fit(frame, y)
    numbers = pd.concat([frame[["x", "gaps"]] for frame, _ in chunks]).to_numpy()
    scaler = StandardScaler().fit(numbers)
    features = Design.restore(model._design).features
    np.testing.assert_allclose(features.shift, scaler.mean_)
    np.testing.assert_allclose(features.scale, scaler.scale_)


def test_weighted_statistics_of_chunks_with_gaps():
    rng = np.random.default_rng(0)
    X = rng.normal(5.0, 3.0, size=(90, 3))
    X[rng.random((90, 3)) < 0.4] = np.nan
    X[:30, 2] = np.nan
    weight = rng.uniform(0.1, 3.0, 90)
    model = MLPRegressor(**FAST)
    for start in (0, 30, 60):
        part = slice(start, start + 30)
        model.partial_fit(X[part], np.arange(30.0), weight[part])
    scaler = StandardScaler().fit(X[:, :2], sample_weight=weight)
    features = Design.restore(model._design).features
    np.testing.assert_allclose(features.shift[:2], scaler.mean_)
    np.testing.assert_allclose(features.scale[:2], scaler.scale_)


def test_a_column_whose_first_number_comes_late():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    early = np.column_stack([X[:, 0], np.full(60, np.nan)])
    late = np.column_stack([X[:, 0], 1e6 + X[:, 1]])
    model = MLPRegressor(**STILL).partial_fit(early, y)
    before = model.predict(early)
    np.testing.assert_array_equal(model.predict(late), before)
    model.partial_fit(late, y)
    np.testing.assert_allclose(model.predict(early), before, rtol=1e-6)
    # From now on it counts, in units of its own.
    assert 0.0 < np.abs(model.predict(late) - before).max() < 5.0


def test_levels_and_gaps_are_those_of_the_first_chunk():
    frame, y = table()
    model = MLPRegressor(**FAST).partial_fit(frame, y)
    shape = model._model["sizes"], model._model["embeddings"]
    more, z = table(1, levels=30)
    more.loc[:9, "city"] = "Quito"
    more.loc[:9, "x"] = np.nan
    model.partial_fit(more, z)
    assert (model._model["sizes"], model._model["embeddings"]) == shape
    assert len(model.categories_[1]) == 12 and "Quito" not in model.categories_[0]
    assert np.isfinite(model.predict(more)).all()


def test_levels_that_a_dtype_declares_may_come_later():
    frame, y = table()
    cities = pd.CategoricalDtype(["Lima", "Oslo", "Quito", "Rome"])
    streets = pd.CategoricalDtype([f"street {i:02d}" for i in range(15)])
    first = frame.astype({"city": cities, "street": streets})
    model = MLPRegressor(**FAST).partial_fit(first, y)
    assert model.categories_[0].tolist() == ["Lima", "Oslo", "Quito", "Rome"]
    assert len(model.categories_[1]) == 15
    for column, coming, never in (("city", "Quito", "?"), ("street", "street 14", "?")):
        coming, never = first.assign(**{column: coming}), first.assign(**{column: never})
        np.testing.assert_array_equal(model.predict(coming), model.predict(never))
        for _ in range(3):
            model.partial_fit(coming, y)
        assert not np.allclose(model.predict(coming), model.predict(never), rtol=1e-3)
    # A fit knows all rows, and needs no places for others.
    assert model.fit(first, y).categories_[0].tolist() == ["Lima", "Oslo", "Rome"]


@pytest.mark.parametrize("declared", [False, True])
def test_rows_of_weight_zero_tell_no_levels_in_a_first_chunk(declared):
    frame, y = table()
    cities = pd.CategoricalDtype(["Lima", "Oslo", "Quito", "Rome"])
    frame = frame.astype({"city": cities}) if declared else frame
    more = frame.head(3).assign(street="A street")
    more["city"] = pd.Series(["Quito"] * 3, dtype=frame["city"].dtype)
    both = pd.concat([frame, more], ignore_index=True)
    model, reference = MLPRegressor(**FAST), MLPRegressor(**FAST)
    model.partial_fit(both, np.r_[y, y[:3]], np.r_[np.ones(N), np.zeros(3)])
    reference.partial_fit(frame, y, np.ones(N))
    assert "A street" not in model.categories_[1]
    assert ("Quito" in model.categories_[0]) == declared
    np.testing.assert_allclose(model.theta_, reference.theta_, rtol=1e-7, atol=1e-10)
    # A level is as silent as one that has not come.
    quito, never = frame.assign(city="Quito"), frame.assign(city="?")
    np.testing.assert_array_equal(model.predict(quito), model.predict(never))
    again = pickle.loads(pickle.dumps(model)).partial_fit(frame, y)
    assert again.categories_[1].tolist() == reference.categories_[1].tolist()


def test_chunks_of_few_rows_may_have_different_texts_only():
    frame, y = table()
    frame["street"] = [f"street {i}" for i in range(N)]
    model = MLPRegressor(**FAST).partial_fit(frame, y)
    assert len(model.categories_[1]) == N
    with pytest.raises(ValueError, match="'street'.*identifier"):
        MLPRegressor(**FAST).fit(frame, y)


def test_a_warm_start_goes_on():
    frame, y = table()
    model = MLPRegressor(**FAST, warm_start=True).fit(frame, y)
    before = model.predict(frame)
    model.set_params(learning_rate_init=1e-13).fit(frame, y)
    np.testing.assert_allclose(model.predict(frame), before, rtol=1e-6)
    for name, value in (
        ("max_one_hot", 20),
        ("category_embedding_size", 3),
        ("categorical_features", ["city", "street", "flag"]),
    ):
        changed = clone_of(model).set_params(**{name: value})
        with pytest.raises(ValueError, match=f"{name}.*first call"):
            changed.fit(frame, y)


def clone_of(model):
    return pickle.loads(pickle.dumps(model))


def test_a_loaded_model_goes_on_as_the_one_that_was_stored():
    frame, y = table()
    model = MLPClassifier(**FAST).partial_fit(frame, y > 0, classes=[False, True])
    other = clone_of(model)
    for one in (model, other):
        one.partial_fit(frame, y > 0)
    np.testing.assert_allclose(model.theta_, other.theta_, rtol=1e-7, atol=1e-10)
    assert len(pickle.dumps(model.set_params(warm_start=False))) < 100_000


def test_checkpoints_tell_tables_apart(tmp_path):
    frame, y = table()
    settings = {**FAST, "callbacks": [Checkpoint(tmp_path / "fit.npz", every=2)]}
    model = MLPRegressor(**settings).fit(frame, y)
    again = MLPRegressor(**settings).fit(frame, y)
    np.testing.assert_allclose(again.theta_, model.theta_, rtol=1e-7, atol=1e-10)
    with pytest.raises(ValueError, match="training data"):
        MLPRegressor(**settings).fit(frame.assign(city=frame["city"].iloc[::-1].to_numpy()), y)


@pytest.mark.parametrize("kind", ["standard", "robust", "minmax", None])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_memory_maps_are_tables_too(tmp_path, kind, dtype):
    rng = np.random.default_rng(2)
    X = np.column_stack(
        [rng.integers(0, 4, 400), rng.normal(size=(400, 2)), rng.integers(0, 12, 400)]
    )
    X[rng.random(400) < 0.2, 1] = np.nan
    X, y = X.astype(dtype), X[:, 2] + (X[:, 0] == 2)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    settings = {**FAST, "categorical_features": [0, 3], "feature_scaling": kind}
    model, reference = MLPRegressor(**settings), MLPRegressor(**settings)
    np.testing.assert_allclose(
        model.fit(mapped, y).predict(mapped), reference.fit(X, y).predict(X), rtol=1e-4
    )
    assert model.theta_.dtype == dtype
    # Watched rows are part of the map.
    watched = MLPRegressor(**settings, early_stopping=True).fit(mapped, y)
    assert np.isfinite(watched.predict(mapped[:50])).all()


def test_a_first_chunk_from_disk_is_that_of_the_array(tmp_path):
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.integers(0, 12, 400), rng.normal(size=(400, 19))])
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model, reference = (MLPRegressor(**FAST, categorical_features=[0]) for _ in range(2))
    model.partial_fit(mapped, X[:, 1])
    reference.partial_fit(X, X[:, 1])
    np.testing.assert_allclose(model.theta_, reference.theta_, rtol=1e-7, atol=1e-10)
    assert model.theta_[: 12 * 8].all()


def test_a_map_is_expanded_in_bounded_memory(tmp_path):
    n, d = 160_000, 40
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (n, d))
    rng = np.random.default_rng(0)
    X[:] = rng.normal(size=(n, d))
    X[::7, 3] = np.nan
    X[:, 0] = rng.integers(0, 5, n)
    X.flush()
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = MLPRegressor(**{**FAST, "max_iter": 1}, categorical_features=[0])
    tracemalloc.start()
    model.fit(mapped, np.asarray(mapped[:, 1], np.float64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Blocks have 4 MB in float64, the matrix would have 51.
    assert peak < 36e6
