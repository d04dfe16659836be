"""Frames of every library and dtype, and everything in scikit-learn that passes them on."""

import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import BaggingRegressor, StackingRegressor, VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import check_array

from skmlp import DensityRegressor, MLPClassifier, MLPRegressor

N = 120
ESTIMATORS = (MLPRegressor, MLPClassifier, DensityRegressor)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {"hidden_layer_sizes": (8,), "max_iter": 6, "learning_rate_init": 0.01, "random_state": 0}


def values(seed=0, n=N):
    """Columns as lists of Python values, None where missing, and y."""
    rng = np.random.default_rng(seed)

    def gappy(column, share=0.15):
        return [None if gone else value for value, gone in zip(column, rng.random(n) < share)]  # noqa: B905

    columns = {
        "age": gappy(rng.normal(40, 10, n).tolist()),
        "rooms": rng.integers(1, 6, n).tolist(),
        "city": gappy(rng.choice(["Rome", "Oslo", "Lima"], n).tolist()),
        "street": rng.choice([f"street {i}" for i in range(15)], n).tolist(),
        "garden": (rng.random(n) < 0.5).tolist(),
        "pets": gappy((rng.random(n) < 0.5).tolist()),
    }
    y = [r + (c == "Oslo") + g for r, c, g in zip(*map(columns.get, ("rooms", "city", "garden")))]  # noqa: B905
    return columns, np.array(y, float)


def as_rows(columns):
    return [list(row) for row in zip(*columns.values(), strict=True)]


def objects(columns):
    out = np.empty((len(columns["age"]), len(columns)), object)
    out[:] = as_rows(columns)
    return out


def nullable(columns):
    dtypes = {
        "age": "Float64",
        "rooms": "Int64",
        "city": "string",
        "street": "category",
        "garden": "boolean",
        "pets": "boolean",
    }
    return pd.DataFrame({name: pd.array(columns[name], dtype=d) for name, d in dtypes.items()})


def enums(columns):
    frame = pl.DataFrame(columns)
    return frame.with_columns(
        pl.col("city").cast(pl.Enum(["Rome", "Quito", "Oslo", "Lima"])),
        pl.col("street").cast(pl.Categorical),
        pl.col("rooms").cast(pl.Int8),
    )


CONTAINERS = {
    "pandas": lambda columns: pd.DataFrame(columns),
    "objects": lambda columns: pd.DataFrame(columns, dtype=object),
    "nullable": nullable,
    "polars": pl.DataFrame,
    "enums": enums,
    "array": objects,
    "lists": as_rows,
    "decimals": lambda columns: pd.DataFrame(
        {**columns, "age": [None if v is None else Decimal(v) for v in columns["age"]]}
    ),
}


def target_of(cls, y):
    return (y > y.mean()).astype(int) if cls is MLPClassifier else y


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("kind", CONTAINERS)
def test_the_same_values_are_the_same_table(kind, cls):
    columns, y = values()
    X, frame = CONTAINERS[kind](columns), pd.DataFrame(columns)
    y = target_of(cls, y)
    model, reference = cls(**FAST).fit(X, y), cls(**FAST).fit(frame, y)
    np.testing.assert_allclose(model.theta_, reference.theta_, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(model.predict(X), reference.predict(frame), rtol=1e-7, atol=1e-10)
    assert model.is_categorical_.tolist() == [False, False, True, True, True, True]
    for ours, theirs in zip(model.categories_, reference.categories_, strict=True):
        assert ours.tolist() == theirs.tolist()
    assert reference.categories_[0].tolist() == ["Lima", "Oslo", "Rome"]
    assert reference.categories_[2].tolist() == [False, True]


# scikit-learn 1.6 does not know the names of polars.
@pytest.mark.filterwarnings("ignore:X has feature names, but")
def test_a_model_of_one_library_predicts_from_others():
    columns, y = values()
    model = MLPRegressor(**FAST).fit(pl.DataFrame(columns), y)
    expected = model.predict(pl.DataFrame(columns))
    for kind in ("pandas", "nullable", "enums"):
        np.testing.assert_allclose(
            model.predict(CONTAINERS[kind](columns)), expected, rtol=1e-7, atol=1e-10
        )
    named = MLPRegressor(**FAST).fit(pd.DataFrame(columns), y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_allclose(named.predict(objects(columns)), expected, rtol=1e-7, atol=1e-10)


def test_the_order_of_rows_does_not_name_levels():
    columns, y = values()
    frame = pd.DataFrame(columns)
    model = MLPRegressor(**FAST).fit(frame, y)
    mixed = np.random.default_rng(0).permutation(N)
    other = MLPRegressor(**FAST).fit(frame.iloc[mixed], y[mixed])
    for ours, theirs in zip(model.categories_, other.categories_, strict=True):
        assert ours.tolist() == theirs.tolist()


def test_columns_of_numbers_stay_numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 3))
    X[rng.random((N, 3)) < 0.1] = np.nan
    y = rng.normal(size=N)
    reference = MLPRegressor(**FAST).fit(X, y)
    assert reference.is_categorical_ is None and reference.categories_ == []
    for other in (
        pd.DataFrame(X),
        pl.DataFrame(X),
        pd.DataFrame(X).astype(object),
        pd.DataFrame(X).convert_dtypes(),
        X.astype(object),
        X.tolist(),
        pl.DataFrame(X).fill_nan(None),
    ):
        np.testing.assert_allclose(
            MLPRegressor(**FAST).fit(other, y).theta_, reference.theta_, rtol=1e-7, atol=1e-10
        )


def test_sparse_frames_are_what_scikit_learn_makes_of_them():
    """A sparse matrix, but for scikit-learn 1.6 with pandas 3, which makes them dense."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.poisson(0.3, (N, 5)).astype(float), columns=list("abcde"))
    y = rng.normal(size=N)
    frame = X.astype(pd.SparseDtype(float, 0.0))
    model = MLPRegressor(**FAST).fit(frame, y)
    reference = MLPRegressor(**FAST).fit(check_array(frame, accept_sparse="csr"), y)
    np.testing.assert_allclose(model.theta_, reference.theta_)
    assert model.coefs_[0].shape == (5, 8)


def test_bools_of_an_array_are_numbers_and_of_a_frame_levels():
    rng = np.random.default_rng(0)
    X, y = rng.random((N, 2)) < 0.3, rng.normal(size=N)
    as_numbers = MLPRegressor(**FAST).fit(X.astype(float), y)
    np.testing.assert_allclose(
        MLPRegressor(**FAST).fit(X, y).theta_, as_numbers.theta_, rtol=1e-7, atol=1e-10
    )
    frame = pd.DataFrame(X, columns=["a", "b"])
    assert MLPRegressor(**FAST).fit(frame, y).is_categorical_.all()
    none = MLPRegressor(**FAST, categorical_features=None).fit(frame, y)
    np.testing.assert_allclose(none.theta_, as_numbers.theta_, rtol=1e-7, atol=1e-10)


def test_other_values_than_texts_are_levels_by_their_text():
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    frame = pd.DataFrame({"x": x, "bin": pd.cut(x, [-9, -1, 0, 1, 9])})
    model = MLPRegressor(**FAST).fit(frame, x)
    assert model.categories_[0].tolist() == ["(-1, 0]", "(-9, -1]", "(0, 1]", "(1, 9]"]
    assert model.predict(frame.assign(bin=frame["bin"].astype(str))) == pytest.approx(
        model.predict(frame)
    )
    days = pd.DataFrame({"day": pd.to_datetime(["2020-01-01", "2020-01-02"] * 60)})
    model = MLPRegressor(**FAST, categorical_features=["day"]).fit(days, x)
    assert model.categories_[0].tolist() == ["2020-01-01 00:00:00", "2020-01-02 00:00:00"]
    assert np.unique(model.predict(days)).size == 2


def test_texts_and_numbers_in_one_column_are_levels():
    frame = pd.DataFrame({"c": ["a", 1, 2.5, "b"] * 30})
    model = MLPRegressor(**FAST).fit(frame, np.arange(N))
    assert model.categories_[0].tolist() == [1, 2.5, "a", "b"]
    assert np.unique(model.predict(frame)).size == 4


def test_columns_can_be_named():
    columns, y = values()
    frame = pd.DataFrame(columns).drop(columns=["pets"])
    named = MLPRegressor(**FAST, categorical_features=["city", "street", "garden", "rooms"])
    named.fit(frame, y)
    assert named.is_categorical_.tolist() == [False, True, True, True, True]
    assert named.categories_[0].tolist() == [1, 2, 3, 4, 5]
    one = MLPRegressor(**FAST, categorical_features="city").fit(frame[["age", "city"]], y)
    assert one.is_categorical_.tolist() == [False, True]
    # A list keeps its own to numbers elsewhere.
    some = MLPRegressor(**FAST, categorical_features=["city", "street"]).fit(frame, y)
    assert some.is_categorical_.tolist() == [False, False, True, True, False]
    none = MLPRegressor(**FAST, categorical_features=[]).fit(frame[["age", "garden"]], y)
    assert none.is_categorical_ is None


def test_columns_without_names_of_texts():
    columns, y = values()
    frame = pd.DataFrame(columns).set_axis(range(6), axis=1)
    model = MLPRegressor(**FAST).fit(frame, y)
    reference = MLPRegressor(**FAST).fit(pd.DataFrame(columns), y)
    np.testing.assert_allclose(model.theta_, reference.theta_, rtol=1e-7, atol=1e-10)
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_searches_clones_and_pickles(cls, kind):
    columns, y = values()
    X, y = CONTAINERS[kind](columns), target_of(cls, y)
    grid = {"max_one_hot": [2, 30], "missing": ["indicator"]}
    search = GridSearchCV(cls(**FAST), grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    best = search.best_estimator_
    copies = [pickle.loads(pickle.dumps(best)), clone(best).fit(X, y)]
    for copy in copies:
        np.testing.assert_allclose(copy.predict(X), search.predict(X), rtol=1e-7, atol=1e-10)
    assert cross_val_predict(best, X, y, cv=3).shape == (N,)
    assert np.isfinite(cross_val_score(best, X, y, cv=3)).all()


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize(
    "settings",
    [
        {"early_stopping": True},
        {"early_stopping": True, "scoring": "loss"},
        {"early_stopping": True, "scoring": lambda model, X, y: -np.mean(model.predict(X) != y)},
        {"n_init": 2, "combine_inits": "average"},
    ],
    ids=["watched", "loss", "scorer", "averaged"],
)
def test_watched_and_averaged(cls, settings):
    columns, y = values()
    X, y = pd.DataFrame(columns), target_of(cls, y)
    model = cls(**FAST, **settings).fit(X, y)
    assert np.isfinite(model.score(X, y))
    if "n_init" in settings:
        parts = [one.predict(X) for one in model.estimators_]
        assert len(parts) == 2 and not np.array_equal(*parts)
        if cls is MLPRegressor:
            np.testing.assert_allclose(np.mean(parts, axis=0), model.predict(X))


def test_scorers_get_what_has_been_read_already():
    columns, y = values()
    X = pd.DataFrame(columns)
    seen = []

    def scorer(model, rows, target):
        seen.append((type(rows), rows.shape, np.isfinite(model.predict(rows)).all()))
        return model.score(rows, target)

    split = MLPRegressor(**FAST, early_stopping=True, scoring=scorer).fit(X, y)
    assert set(seen) == {(np.ndarray, (12, 6), True)}
    held_out, z = values(1, 30)
    given = MLPRegressor(**FAST, scoring="r2")
    given.fit(X, y, X_val=pd.DataFrame(held_out), y_val=z)
    expected = given.score(pd.DataFrame(held_out), z)
    assert given.best_validation_score_ == pytest.approx(expected)
    assert np.isfinite(split.best_validation_score_)


def test_calibration_inside_fit_and_after():
    columns, y = values(n=400)
    X = pd.DataFrame(columns)
    model = DensityRegressor(**FAST, calibration_fraction=0.3).fit(X, y)
    assert model.calibration_["n_samples"] == pytest.approx(120, abs=3)
    assert list(model.feature_names_in_) == list(X.columns)
    low, high = model.calibrate(X, y).predict_interval(X, 0.8).T
    assert (low < high).all()


def test_behind_and_before_other_steps():
    columns, y = values()
    X = pd.DataFrame(columns)
    passing = make_column_transformer(
        (FunctionTransformer(np.exp, feature_names_out="one-to-one"), ["rooms"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipeline = make_pipeline(passing, MLPRegressor(**FAST)).fit(X, y)
    assert pipeline[-1].is_categorical_.sum() == 4
    assert pipeline[:-1].transform(X).shape == (N, 6)
    # Without frames there are objects.
    plain = make_pipeline(clone(passing).set_output(transform="default"), MLPRegressor(**FAST))
    np.testing.assert_allclose(
        plain.fit(X, y).predict(X), pipeline.predict(X), rtol=1e-7, atol=1e-10
    )
    features = make_pipeline(MLPRegressor(**FAST), SelectKBest(k=3), Ridge()).fit(X, y)
    assert features.predict(X).shape == (N,)
    out = MLPRegressor(**FAST).set_output(transform="pandas").fit_transform(X, y)
    assert out.shape == (N, 8) and list(out.index) == list(X.index)
    only = make_column_transformer(
        (MLPRegressor(**FAST), make_column_selector(dtype_exclude="number"))
    )
    assert only.fit_transform(X, y).shape == (N, 8)


def test_inside_ensembles():
    columns, y = values()
    X = pd.DataFrame(columns)
    bag = BaggingRegressor(MLPRegressor(**FAST), 3, max_features=0.7, random_state=0).fit(X, y)
    assert np.isfinite(bag.predict(X)).all()
    assert bag.__sklearn_tags__().input_tags.allow_nan
    stack = StackingRegressor([("net", MLPRegressor(**FAST))], cv=2).fit(X, y)
    assert stack.predict(X).shape == (N,)
    labels = y > y.mean()
    vote = VotingClassifier([("net", MLPClassifier(**FAST))], voting="soft").fit(X, labels)
    assert vote.predict_proba(X).shape == (N, 2)


def test_permutation_importance_is_told_by_columns_of_the_table():
    columns, y = values(n=300)
    X = pd.DataFrame(columns)
    model = MLPRegressor(max_iter=100, learning_rate_init=0.01, random_state=0)
    importance = permutation_importance(model.fit(X, y), X, y, n_repeats=3, random_state=0)
    ranked = X.columns[np.argsort(importance.importances_mean)[::-1]]
    assert set(ranked[:3]) == {"rooms", "city", "garden"}
