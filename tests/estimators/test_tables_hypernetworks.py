"""Tables as they come in hypernetworks, where some columns are tasks and contexts."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict

from skmlp import HypernetworkClassifier, HypernetworkRegressor, MLPRegressor

N = 160
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {
    "hidden_layer_sizes": (6,),
    "hyper_hidden_layer_sizes": (6,),
    "max_iter": 5,
    "random_state": 0,
    "task_features": "site",
}


def table(seed=0, n=N):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "hour": rng.uniform(0, 24, n),
            "site": rng.choice(["Berlin", "Kyoto", "Lima"], n),
            "weather": rng.choice(["sun", "rain", "snow", "fog"], n),
            "gaps": rng.normal(size=n),
            "open": rng.random(n) < 0.7,
            "street": rng.choice([f"street {i}" for i in range(12)], n),
        }
    )
    frame.loc[rng.random(n) < 0.3, "gaps"] = np.nan
    frame.loc[rng.random(n) < 0.1, "weather"] = None
    y = frame["hour"] / 10 + (frame["weather"] == "rain") + frame["open"] + rng.normal(size=n)
    return frame, y.to_numpy()


def by_hand(frame, like):
    """What the main network sees, and the site."""
    numbers = like[["hour", "gaps"]]
    scaled = (frame[["hour", "gaps"]] - numbers.mean()) / numbers.std(ddof=0)
    out = {"hour": scaled["hour"], "gaps": scaled["gaps"].fillna(0.0)}
    out["missing"] = frame["gaps"].isna().astype(float)
    out["open"] = np.where(frame["open"], 1.0, -1.0)
    for name, levels in (("weather", ["fog", "rain", "snow", "sun"]), ("street", None)):
        for level in levels or sorted(like[name].unique()):
            out[f"{name} {level}"] = (frame[name] == level).astype(float)
        if name == "weather":
            out["no weather"] = frame[name].isna().astype(float)
    return pd.DataFrame({**out, "site": frame["site"]})


@pytest.mark.parametrize("cls", [HypernetworkRegressor, HypernetworkClassifier])
@pytest.mark.parametrize("modulation", ["full", "film", "low_rank", "chunked"])
def test_columns_are_those_of_a_matrix_by_hand(cls, modulation):
    frame, y = table()
    y = y > y.mean() if cls is HypernetworkClassifier else y
    model = cls(**FAST, modulation=modulation).fit(frame, y)
    # Columns are in the order of those they stem from.
    order = ["hour", *(f"weather {w}" for w in ("fog", "rain", "snow", "sun")), "no weather"]
    matrix = by_hand(frame, frame)
    order += ["gaps", "missing", "open", *(c for c in matrix if c.startswith("street")), "site"]
    plain = cls(**FAST, modulation=modulation, feature_scaling=None, categorical_features=None)
    plain.fit(matrix[order], y)
    np.testing.assert_allclose(model.predict(frame), plain.predict(matrix[order]), rtol=1e-7)
    fresh, _ = table(3)
    fresh.loc[:5, "weather"] = "hail"
    expected = plain.predict(by_hand(fresh, frame)[order])
    np.testing.assert_allclose(model.predict(fresh), expected, rtol=1e-7)
    assert model.is_categorical_.tolist() == [False, False, True, False, True, True]
    assert model.categories_[0].tolist() == ["fog", "rain", "snow", "sun"]


def test_frames_arrays_and_lists_are_the_same_table():
    frame, y = table()
    reference = HypernetworkRegressor(**FAST).fit(frame, y)
    columns = frame.astype(object).where(frame.notna(), None).to_dict("list")
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    for X, task in ((pl.DataFrame(columns), "site"), (np.array(rows, object), 1), (rows, 1)):
        model = HypernetworkRegressor(**{**FAST, "task_features": task}).fit(X, y)
        np.testing.assert_allclose(model.theta_, reference.theta_, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(
            model.predict(X), reference.predict(frame), rtol=1e-7, atol=1e-10
        )


def test_numbers_of_an_array_that_is_all_texts_stay_numbers():
    frame, y = table()
    numbers = frame[["hour", "site"]]
    reference = HypernetworkRegressor(**FAST).fit(numbers, y)
    X = np.column_stack(
        [frame["hour"].to_numpy().astype(str), frame["site"].to_numpy().astype(str)]
    )
    for texts in (X, X.astype(object)):
        model = HypernetworkRegressor(**{**FAST, "task_features": [1]}).fit(texts, y)
        assert model.is_categorical_ is None
        np.testing.assert_allclose(model.predict(texts), reference.predict(numbers))


@pytest.mark.parametrize("context_in_main", [False, True])
def test_contexts_beside_categories(context_in_main):
    frame, y = table()
    settings = {**FAST, "context_features": ["hour"], "context_in_main": context_in_main}
    model = HypernetworkRegressor(**settings).fit(frame, y)
    last = frame[[*frame.columns.drop("hour"), "hour"]]
    other = HypernetworkRegressor(**settings).fit(last, y)
    if not context_in_main:
        np.testing.assert_allclose(other.predict(last), model.predict(frame))
    moved = frame.assign(hour=0.0)
    assert not np.allclose(model.predict(moved), model.predict(frame))
    flags = frame.assign(night=frame["hour"] > 20)
    settings["context_features"] = ["hour", "night"]
    with_bool = HypernetworkRegressor(**settings).fit(flags, y)
    assert with_bool.is_categorical_.tolist() == [False, False, True, False, True, True, False]
    gone = frame.copy()
    gone.loc[3, "hour"] = np.nan
    with pytest.raises(ValueError, match="NaN in column 'hour', row 3.*context_features"):
        HypernetworkRegressor(**{**settings, "context_features": ["hour"]}).fit(gone, y)
    with pytest.raises(ValueError, match="NaN in column 'hour', row 3.*context_features"):
        model.predict(gone)
    with pytest.raises(ValueError, match="'weather', but it is one of context_features"):
        HypernetworkRegressor(**{**settings, "context_features": ["weather"]}).fit(frame, y)


def test_tasks_one_after_another_and_new_ones():
    frame, y = table(n=300)
    model = HypernetworkRegressor(**{**FAST, "max_iter": 30}, warm_start=True)
    for site in ("Berlin", "Kyoto", "Lima"):
        own = (frame["site"] == site).to_numpy()
        model.fit(frame[own], y[own])
    assert model.tasks_.tolist() == ["Berlin", "Kyoto", "Lima"]
    before = model.predict(frame)
    new = frame.head(20).assign(site="Oslo")
    new.loc[0, "weather"] = "hail"
    model.adapt(new, y[:20])
    np.testing.assert_allclose(model.predict(frame), before, rtol=1e-7, atol=1e-10)
    assert np.isfinite(model.predict(new)).all()
    chunk = HypernetworkRegressor(**FAST)
    for start in range(0, 300, 100):
        chunk.partial_fit(frame[start : start + 100], y[start : start + 100])
    assert np.isfinite(chunk.predict(frame)).all()


@pytest.mark.parametrize("settings", [
    {"early_stopping": True}, {"early_stopping": True, "scoring": "r2"},
    {"n_init": 2, "combine_inits": "average"}, {"dtype": "float32"}, {"solver": "lbfgs"},
    {"feature_scaling": "robust"}, {"task_weight": "balanced"},
], ids=str)  # fmt: skip
def test_with_everything_else(settings):
    frame, y = table()
    model = HypernetworkRegressor(**FAST, **settings).fit(frame, y)
    predicted = model.predict(frame)
    assert np.isfinite(predicted).all()
    np.testing.assert_allclose(
        pickle.loads(pickle.dumps(model)).predict(frame), predicted, rtol=1e-7, atol=1e-10
    )
    np.testing.assert_allclose(
        clone(model).fit(frame, y).predict(frame), predicted, rtol=1e-7, atol=1e-10
    )


def test_searches_and_watched_frames():
    frame, y = table()
    search = GridSearchCV(HypernetworkRegressor(**FAST), {"alpha": [0.0, 1.0]}, n_jobs=2, cv=2)
    assert np.isfinite(search.fit(frame, y).best_score_)
    assert cross_val_predict(HypernetworkRegressor(**FAST), frame, y, cv=2).shape == (N,)
    held_out, z = table(4)
    model = HypernetworkRegressor(**FAST, scoring="r2").fit(frame, y, X_val=held_out, y_val=z)
    assert model.best_validation_score_ == pytest.approx(model.score(held_out, z))


def test_rows_of_unknown_tasks():
    frame, y = table()
    model = HypernetworkRegressor(**FAST).fit(frame, y)
    strange = frame.assign(site="Oslo")
    with pytest.warns(UserWarning, match="unknown tasks: 'Oslo'"):
        predicted = model.predict(strange)
    each = [model.predict(frame.assign(site=site)) for site in model.tasks_]
    np.testing.assert_allclose(predicted, np.mean(each, axis=0))


@pytest.mark.parametrize("asked, words", [
    (["site"], r"categorical_features=\['site'\].*tasks or contexts"),
    ([1], "tasks or contexts"),
    (["weather"], "'open'|'street'.*does not list it"),
    (None, "strings such as .* in column 'weather'"),
], ids=["name", "position", "some", "None"])  # fmt: skip
def test_wrong_columns(asked, words):
    frame, y = table()
    with pytest.raises(ValueError, match=words):
        HypernetworkRegressor(**FAST, categorical_features=asked).fit(frame, y)


def test_what_else_is_refused():
    frame, y = table()
    with pytest.raises(ValueError, match="'gaps'.*missing='error'"):
        HypernetworkRegressor(**FAST, missing="error").fit(frame, y)
    with pytest.raises(ValueError, match="dates or times in column 'hour'"):
        HypernetworkRegressor(**FAST).fit(frame.assign(hour=pd.Timestamp("2024-01-01")), y)
    with pytest.raises(ValueError, match="'street'.*identifier"):
        HypernetworkRegressor(**FAST).fit(frame.assign(street=[f"s{i}" for i in range(N)]), y)
    model = HypernetworkRegressor(**FAST).fit(frame, y)
    with pytest.raises(AttributeError, match="task_parameters .*categorical_features"):
        model.task_parameters("Lima")
    gaps = HypernetworkRegressor(**FAST).fit(frame[["hour", "gaps", "site"]], y)
    with pytest.raises(AttributeError, match="task_parameters .*SimpleImputer"):
        gaps.task_parameters("Lima")
    plain = HypernetworkRegressor(**FAST).fit(frame[["hour", "site"]], y)
    assert len(plain.task_parameters("Lima")[0]) == 2
    assert np.isfinite(plain.predict(frame[["hour", "site"]].assign(hour=np.nan))).all()


def test_written_weights_act_on_bools():
    frame, y = table()
    frame = frame[["open", "hour", "site"]]
    model = HypernetworkRegressor(**FAST).fit(frame, y)
    own = frame[frame["site"] == "Lima"]
    written = MLPRegressor.from_weights(*model.task_parameters("Lima"), activation="relu")
    X = own[["open", "hour"]].to_numpy().astype(float)
    np.testing.assert_allclose(written.predict(X), model.predict(own), rtol=1e-6)
