"""Which columns of X tell the task or the context, and which values are one task."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_selector

from skmlp import HypernetworkClassifier, HypernetworkRegressor

RNG = np.random.default_rng(0)
TASKS = RNG.permutation(np.repeat([3, 5, 11], 20))
FEATURES = RNG.normal(size=(60, 2))
X = np.column_stack([FEATURES[:, 0], TASKS, FEATURES[:, 1]])
Y = X[:, 0] * (TASKS - 6.0)
NAMES = ["width", "site", "height"]
FRAME = pd.DataFrame({"width": X[:, 0], "site": TASKS, "height": X[:, 2]})
SMALL = {
    "hidden_layer_sizes": (5,),
    "hyper_hidden_layer_sizes": (6,),
    "tol": 1e9,
    "n_iter_no_change": 3,
    "random_state": 0,
}


def fitted(X, y=Y, task_features=(1,), **params):
    if isinstance(task_features, tuple):
        task_features = list(task_features)
    return HypernetworkRegressor(task_features=task_features, **{**SMALL, **params}).fit(X, y)


def assert_close(first, second):
    # Sums of columns depend on how they lie in memory.
    np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-12)


REFERENCE = fitted(X).predict(X)


def with_sites(values):
    return FRAME.assign(site=values)


# ---- how columns are named -----------------------------------------------------------------------


def is_site(X):
    return [1]


def without_address(value):
    """The text of a parameter, the same in every process."""
    return str(value).partition(" at 0x")[0]


@pytest.mark.parametrize("given", [
    1, [1], (1,), -2, [-2], np.array([1]), np.int64(1), slice(1, 2), is_site,
    [False, True, False], np.array([False, True, False]), lambda X: np.arange(X.shape[1]) == 1,
], ids=without_address)  # fmt: skip
def test_columns_by_place_mask_and_function(given):
    model = HypernetworkRegressor(task_features=given, **SMALL).fit(X, Y)
    assert_close(model.tasks_, [3, 5, 11])
    assert_close(model.predict(X), REFERENCE)


@pytest.mark.parametrize("given", [
    "site", ["site"], np.array(["site"]), 1, [1], slice("site", "site"),
    [False, True, False], make_column_selector(pattern="si"), lambda X: "site",
], ids=without_address)  # fmt: skip
def test_columns_of_a_data_frame_by_name(given):
    model = HypernetworkRegressor(task_features=given, **SMALL).fit(FRAME, Y)
    assert_close(model.predict(FRAME), REFERENCE)
    assert model.feature_names_in_.tolist() == NAMES


def test_columns_of_a_polars_frame():
    frame = pl.DataFrame({"width": X[:, 0], "site": TASKS, "height": X[:, 2]})
    model = fitted(frame, task_features="site")
    assert_close(model.predict(frame), REFERENCE)
    texts = frame.with_columns(site=pl.col("site").cast(pl.String))
    model = fitted(texts, task_features="site")
    assert model.tasks_.tolist() == ["11", "3", "5"]
    codes = texts.with_columns(site=pl.col("site").cast(pl.Categorical))
    assert_close(model.predict(codes), model.predict(texts))
    missing = texts.with_columns(site=pl.when(pl.col("width") > 0).then(pl.col("site")))
    with pytest.raises(ValueError, match="missing value, None, in row"):
        model.fit(missing, Y)


def test_lists_and_arrays_of_objects():
    assert_close(fitted(X.tolist()).predict(X.tolist()), REFERENCE)
    assert_close(fitted(X.astype(object)).predict(X.astype(object)), REFERENCE)
    rows = [[width, f"site {task}", height] for width, task, height in X.tolist()]
    model = fitted(rows)
    assert model.tasks_.tolist() == ["site 11.0", "site 3.0", "site 5.0"]
    table = np.array(rows, object)
    assert_close(model.predict(table), model.predict(rows))
    assert_close(fitted(table).predict(rows), model.predict(rows))


def test_contexts_by_name_and_place():
    params = {"task_features": "site", "context_in_main": True}
    named = fitted(FRAME, context_features="height", **params).predict(FRAME)
    placed = fitted(X, context_features=[2], task_features=[1], context_in_main=True).predict(X)
    assert_close(named, placed)
    masked = fitted(FRAME, context_features=[False, False, True], **params).predict(FRAME)
    assert_close(named, masked)
    outside = fitted(FRAME, context_features="height", task_features="site").predict(FRAME)
    assert not np.allclose(named, outside)


def test_the_main_network_does_not_see_the_task():
    other = np.where(TASKS == 3, 1e6, np.where(TASKS == 5, 2e6, 3e6))
    assert_close(fitted(with_sites(other)).predict(with_sites(other)), REFERENCE)
    assert fitted(X).task_parameters(3)[0][0].shape == (2, 5)


def test_the_names_are_checked_as_in_scikit_learn():
    model = fitted(FRAME, task_features="site")
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        assert_close(model.predict(X), REFERENCE)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(FRAME[["site", "width", "height"]])
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(FRAME.rename(columns={"site": "place"}))
    with pytest.raises(ValueError, match="now missing:\n- height"):
        model.predict(FRAME[["width", "site"]])
    with pytest.warns(UserWarning, match="X has feature names, but"):
        assert_close(fitted(X).predict(FRAME), REFERENCE)
    for wrong in (X[:, :2], np.c_[X, X]):
        with pytest.raises(ValueError, match="X has . features, but HypernetworkRegressor is e"):
            fitted(X).predict(wrong)
    texts = with_sites(TASKS.astype(str))
    model = fitted(texts, task_features="site")
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(texts.to_numpy())
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(texts[["site", "width", "height"]])
    with pytest.raises(ValueError, match="now missing:\n- height"):
        model.predict(texts[["width", "site"]])
    with pytest.raises(ValueError, match="X has 2 features, but HypernetworkRegressor is e"):
        fitted(texts.to_numpy()).predict(texts.to_numpy()[:, :2])


# ---- which values are one task -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [
    "int8", "uint16", "int64", "float32", "float64", "Int64", "Float64", "category", "object",
])  # fmt: skip
def test_numbers_are_one_task_whatever_their_type(kind):
    frame = with_sites(pd.Series(TASKS).astype(kind))
    model = fitted(frame, task_features="site")
    assert model.tasks_.tolist() == [3, 5, 11]
    assert_close(model.predict(frame), REFERENCE)
    assert_close(model.predict(FRAME), REFERENCE)
    assert_close(fitted(FRAME, task_features="site").predict(frame), REFERENCE)


@pytest.mark.parametrize("kind", ["object", "string", "category", "str"])
def test_texts_stay_texts(kind):
    texts = pd.Series(["b", "a", "c"]).take(np.searchsorted([3, 5, 11], TASKS))
    frame = with_sites(texts.astype(kind).to_numpy() if kind == "object" else texts.array)
    frame["site"] = frame["site"].astype(kind)
    model = fitted(frame, task_features="site")
    assert model.tasks_.tolist() == ["a", "b", "c"] and model.tasks_.dtype.kind == "U"
    assert model.task_embeddings_.shape == (3, 8)
    assert_close(model.predict(frame[::-1]), model.predict(frame)[::-1])


def test_digits_in_texts_are_no_numbers():
    model = fitted(with_sites(TASKS.astype(str)), task_features="site")
    assert model.tasks_.tolist() == ["11", "3", "5"]
    with pytest.raises(ValueError, match=r"unknown tasks, such as 3 .*int64.* <U2, such as '11'"):
        model.predict(FRAME)
    mixed = with_sites(np.where(TASKS == 3, "3", TASKS.astype(object)))
    model = fitted(mixed, task_features="site")
    assert set(model.tasks_.tolist()) == {"3", 5, 11}
    assert_close(model.predict(mixed[::-1]), model.predict(mixed)[::-1])


@pytest.mark.parametrize("kind", ["bool", "boolean", "object"])
def test_booleans(kind):
    frame = with_sites(pd.Series(TASKS > 4).astype(kind))
    model = fitted(frame, task_features="site")
    assert model.tasks_.tolist() == [False, True]
    numbers = with_sites((TASKS > 4).astype(int))
    assert_close(model.predict(numbers), model.predict(frame))


@pytest.mark.parametrize("unit", ["ns", "us", "s"])
def test_dates(unit):
    days = np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "datetime64[ns]")
    frame = with_sites(days[np.searchsorted([3, 5, 11], TASKS)].astype(f"datetime64[{unit}]"))
    model = fitted(frame, task_features="site")
    assert model.tasks_[0] == datetime.datetime(2020, 1, 1)
    assert_close(model.predict(frame), REFERENCE)
    other = with_sites(frame["site"].astype("datetime64[ms]"))
    assert_close(model.predict(other), REFERENCE)
    objects = with_sites(frame["site"].dt.date.astype(object))
    model = fitted(objects, task_features="site")
    assert model.tasks_[0] == datetime.date(2020, 1, 1)
    assert_close(model.predict(objects), REFERENCE)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, float("nan")], ids=str)
@pytest.mark.parametrize("kind", ["text", "object"])
def test_missing_identifiers_are_refused(missing, kind):
    values = TASKS.astype(str).astype(object) if kind == "text" else TASKS.astype(object)
    model = fitted(with_sites(values), task_features="site")
    values = values.copy()
    values[7] = missing
    for method in (lambda X: model.fit(X, Y), lambda X: model.partial_fit(X, Y), model.predict):
        with pytest.raises(ValueError, match="task column 'site' of X has a missing value.* row 7"):
            method(with_sites(values))


@pytest.mark.parametrize("kind", ["float64", "Int64", "string", "category", "datetime64[ns]"])
def test_missing_identifiers_of_columns_with_a_type(kind):
    values = pd.Series(TASKS)
    values = (pd.to_datetime(values) if "date" in kind else values).astype(kind)
    model = fitted(with_sites(values), task_features="site")
    values[7] = None
    for method in (lambda X: model.fit(X, Y), model.predict):
        with pytest.raises(ValueError, match="missing value.* row 7.*'unknown', or drop"):
            method(with_sites(values))


def test_missing_identifiers_in_arrays():
    holes = X.copy()
    holes[7, 1] = np.nan
    with pytest.raises(ValueError, match="missing value, nan, in row 7"):
        fitted(holes)
    with pytest.raises(ValueError, match="missing value, nan, in row 7"):
        fitted(X).predict(holes)
    # The others are scikit-learn's.
    holes = X.copy()
    holes[7, 0] = np.nan
    with pytest.raises(ValueError, match="X contains NaN in column 0, first in row 7"):
        fitted(holes, missing="error")


# ---- several columns -----------------------------------------------------------------------------


def test_several_columns_make_tuples():
    frame = FRAME.assign(line=np.where(X[:, 0] > 0, "left", "right"))
    model = fitted(frame, task_features=["site", "line"])
    assert model.tasks_.tolist() == [
        (site, line) for site in (3, 5, 11) for line in ("left", "right")
    ]
    coefs, _ = model.task_parameters((5, "right"))
    assert_close(coefs[0], model.task_parameters((np.int64(5), "right"))[0][0])
    same = frame.assign(site=frame["site"].astype(float))
    assert_close(model.predict(same), model.predict(frame))
    # The order in which they are named is that of the tuples.
    turned = fitted(frame, task_features=["line", "site"])
    assert turned.tasks_.tolist()[0] == ("left", 3)
    strange = frame.assign(line="middle")
    with pytest.warns(UserWarning, match=r"60 rows of X have unknown tasks: \(3, 'middle'\), \(5"):
        assert np.isfinite(model.predict(strange)).all()


def test_several_numeric_columns():
    rows = np.column_stack([X, TASKS > 4])
    model = fitted(rows, task_features=[1, 3])
    assert model.tasks_.tolist() == [(3, 0), (5, 1), (11, 1)]
    assert_close(model.predict(rows), REFERENCE)
    with pytest.warns(UserWarning, match=r"20 rows of X have unknown tasks: \(3.0, 1.0\)"):
        model.predict(np.column_stack([X, np.ones(60)]))


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("params, words", [
    ({"task_features": [3]}, r"task_features=\[3\] does not tell columns of X, which has 3"),
    ({"task_features": -4}, "task_features=-4 does not tell"),
    ({"task_features": "place"}, "task_features='place' does not tell"),
    ({"task_features": ["site", "place"]}, "task_features=.*'place'.* does not tell"),
    ({"task_features": [True, False]}, "task_features=.*True, False.* does not tell"),
    ({"task_features": []}, r"task_features=\[\] must name one or more"),
    ({"task_features": [1, 1]}, r"task_features=\[1, 1\] must name one or more different"),
    ({"task_features": [1, -2]}, r"task_features=\[1, -2\] must name one or more different"),
    ({"task_features": 1.5}, "task_features=1.5 does not tell"),
    ({"context_features": [3]}, r"context_features=\[3\] does not tell"),
    ({"context_features": "place"}, "context_features='place' does not tell"),
    ({"context_features": []}, r"context_features=\[\] must name one or more"),
    ({"context_features": [False] * 3}, "context_features=.* must name one or more"),
    ({"task_features": [1], "context_features": [1, 2]}, r"share the columns \[1\]"),
    ({"task_features": [0, 1, 2]}, "take all columns of X, which has 3 feature.*add features"),
    ({"context_features": [0, 1, 2]}, "take all columns of X.*Set context_in_main=True"),
    ({"task_features": [0], "context_features": [1, 2]}, "task_features=.*context_features=.*all"),
    ({"context_in_main": True}, "context_in_main=True cannot act without context_features"),
])  # fmt: skip
@pytest.mark.parametrize("cls", [HypernetworkRegressor, HypernetworkClassifier])
def test_columns_that_do_not_exist(cls, params, words):
    model = cls(**SMALL, **params)
    with pytest.raises(ValueError, match=words):
        model.fit(FRAME, Y > 0 if cls is HypernetworkClassifier else Y)
    assert not hasattr(model, "tasks_")


def test_names_need_a_data_frame():
    with pytest.raises(ValueError, match="task_features='site' does not tell .* names of a DataF"):
        fitted(X, task_features="site")


def test_a_name_of_two_columns_is_refused():
    twice = FRAME.set_axis(["width", "site", "site"], axis=1)
    with pytest.raises(ValueError, match="task_features='site' .* several columns 'site'"):
        fitted(twice, task_features="site")


def test_texts_are_no_contexts():
    frame = with_sites(TASKS.astype(str)).assign(colour="red")
    with pytest.raises(ValueError, match="strings such as 'red' in column 'colour'"):
        fitted(frame, task_features="site", context_features="colour")
    with pytest.raises(ValueError, match="strings such as 'red' in column 'colour'"):
        fitted(frame, task_features="site", categorical_features=None)


def test_everything_may_be_context_if_the_main_network_sees_it():
    model = fitted(FEATURES, task_features=None, context_features=[0, 1], context_in_main=True)
    assert np.isfinite(model.predict(FEATURES)).all() and len(model.tasks_) == 0
