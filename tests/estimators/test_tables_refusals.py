"""What no table may hold is refused with the name of the column and a remedy."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator

from skmlp import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    DensityRegressor,
    MLPClassifier,
    MLPRegressor,
)
from skmlp.estimators._table import chosen_columns

N = 60
ESTIMATORS = (MLPRegressor, MLPClassifier, DensityRegressor)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
rng = np.random.default_rng(0)
x = rng.normal(size=N)
days = pd.date_range("2024-02-28", periods=N)
y = (x > 0).astype(int)


def frame(**columns):
    return pd.DataFrame({"x": x, **columns})


def refusal(model, X, target=y, **given):
    """The message of a fit that is refused and leaves the estimator as it was."""
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError)) as error:
        model.fit(X, target, **given)
    assert vars(model) == before
    return str(error.value)


DATES = {
    "datetime64": days,
    "with a zone": days.tz_localize("Europe/Rome"),
    "timedelta64": days - days[0],
    "dates": days.date,
    "periods": days.to_period("M"),
    "times": [t.time() for t in days],
    "some missing": [*days[:-1], pd.NaT],
    "all missing": [pd.NaT] * N,
}


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("kind", DATES)
def test_dates_and_times(cls, kind):
    message = refusal(cls(**FAST), frame(day=DATES[kind]))
    assert "'day'" in message and "dates or times" in message
    assert "days since a date" in message and "leave the column out" in message


@pytest.mark.parametrize("kind", ["datetime64", "timedelta64", "dates", "times"])
def test_dates_and_times_of_polars(kind):
    given = DATES[kind]
    given = given.to_pydatetime().tolist() if kind == "datetime64" else list(given)
    given = [d.to_pytimedelta() for d in given] if kind == "timedelta64" else given
    message = refusal(MLPRegressor(**FAST), pl.DataFrame({"x": x, "day": given}))
    assert "'day'" in message and "dates or times" in message


@pytest.mark.parametrize("dtype", [object, "string"])
def test_identifiers(dtype):
    names = pd.Series([f"user {i}" for i in range(N)], dtype=dtype)
    message = refusal(MLPRegressor(**FAST), frame(user=names))
    assert "All 60 strings in column 'user'" in message and "'user 0'" in message
    assert "categorical_features" in message and "Leave it out" in message
    # With the remedies it goes.
    for model, X in (
        (MLPRegressor(**FAST, categorical_features=["user"]), frame(user=names)),
        (MLPRegressor(**FAST), frame(user=names.astype("category"))),
        (MLPRegressor(**FAST), frame(user=[*names[:-1], names[0]])),
        (MLPRegressor(**FAST), frame()),
    ):
        assert np.isfinite(model.fit(X, y).predict(X)).all()


def test_few_rows_of_different_texts_are_no_identifiers():
    few = pd.DataFrame({"c": list("abcdefgh")})
    assert MLPRegressor(**FAST).fit(few, y[:8]).categories_[0].tolist() == list("abcdefgh")
    gaps = pd.DataFrame({"c": [*"abcdefghi", *[None] * 20]})
    assert "identifier" in refusal(MLPRegressor(**FAST), gaps, y[:29])


def test_rows_of_weight_zero_do_not_tell_whether_a_column_is_an_identifier():
    repeated = frame(user=[*(f"user {i}" for i in range(N - 2)), "user 0", "user 1"])
    left = np.r_[np.ones(N - 2), 0.0, 0.0]
    with pytest.raises(ValueError, match="All 58 strings in column 'user'.*identifier"):
        MLPRegressor(**FAST).fit(repeated, y, left)
    few = np.r_[np.ones(8), np.zeros(N - 8)]
    model = MLPRegressor(**FAST).fit(frame(user=[f"user {i}" for i in range(N)]), y, few)
    assert model.categories_[0].tolist() == [f"user {i}" for i in range(8)]


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinity(cls, bad):
    column = np.where(np.arange(N) >= 7, bad, x)
    message = refusal(cls(**FAST), frame(income=column, city=["a", "b", "c"] * 20))
    assert "infinity in column 'income', first in row 7" in message and "NaN" in message
    message = refusal(cls(**FAST), np.column_stack([x, column]))
    assert "infinity in column 1, first in row 7" in message
    model = cls(**FAST).fit(frame(income=x), y)
    with pytest.raises(ValueError, match="infinity in column 'income', first in row 7"):
        model.predict(frame(income=column))


def test_infinity_in_a_category_that_is_listed():
    code = np.where(np.arange(N) == 7, np.inf, np.arange(N) % 3)
    settings = {**FAST, "categorical_features": ["c", "t"]}
    X = frame(c=code, t=["a", "b", "c"] * 20)
    message = refusal(MLPRegressor(**settings), X)
    assert "infinity in column 'c', first in row 7" in message and "NaN" in message
    model = MLPRegressor(**settings).fit(X.assign(c=np.arange(N) % 3), y)
    with pytest.raises(ValueError, match="infinity in column 'c', first in row 7"):
        model.predict(X)


def test_codes_that_floats_cannot_tell_apart():
    X = np.column_stack([2**53 + np.arange(N) % 3, np.arange(N)])
    message = refusal(MLPRegressor(**FAST, categorical_features=[0]), X)
    assert "column 0" in message and r"2**53" in message and "category dtype" in message
    exact = pd.DataFrame(X, columns=["id", "x"]).astype({"id": "category"})
    assert len(MLPRegressor(**FAST).fit(exact, y).categories_[0]) == 3


@pytest.mark.parametrize("cls", [MLPRegressor, DensityRegressor])
def test_infinite_targets(cls):
    target = np.where(np.arange(N) % 20 == 3, -np.inf, x)
    message = refusal(cls(**FAST), frame(), target)
    assert "y contains infinity in 3 of 60 rows" in message and "[3, 23, 43]" in message
    with pytest.raises(ValueError, match="y_val.*y contains infinity"):
        cls(**FAST).fit(frame(), x, X_val=frame(), y_val=target)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_missing_values_where_they_are_not_wanted(cls):
    gaps = np.where(np.arange(N) >= 5, np.nan, x)
    model = cls(**FAST, missing="error")
    for column, first in ((gaps, 5), (["a", "b", None] * 20, 2), ([True, None] * 30, 1)):
        message = refusal(model, frame(own=column))
        assert f"NaN in column 'own', first in row {first}" in message
        assert "missing='indicator'" in message and "SimpleImputer" in message
    fitted = model.fit(frame(own=["a", "b", "c"] * 20), y)
    with pytest.raises(ValueError, match="NaN in column 'own', first in row 2"):
        fitted.predict(frame(own=["a", "b", None] * 20))
    assert not model.__sklearn_tags__().input_tags.allow_nan
    assert cls().__sklearn_tags__().input_tags.allow_nan


@pytest.mark.parametrize(
    "target, words",
    [
        (np.where(np.arange(N) % 20 == 3, np.nan, x), r"3 of 60 rows.*\[3, 23, 43\].*drop"),
        ([None, *y[1:].tolist()], r"1 of 60 rows.*\[0\]"),
        (pd.Series(y, dtype="Int64").where(np.arange(N) != 8), r"\[8\]"),
        (pd.Series([*"ab" * 29, None, "a"]), r"\[58\]"),
        (np.full(N, np.nan), r"60 of 60 rows.*\[0, 1, 2, 3, 4, \.\.\.\]"),
        (pl.Series([*y[:-1].tolist(), None]), r"\[59\]"),
    ],
    ids=["floats", "list", "nullable", "texts", "all", "polars"],
)
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_missing_targets(cls, target, words):
    with pytest.raises(ValueError, match=f"y contains NaN.*{words}"):
        cls(**FAST).fit(frame(), target)
    with pytest.raises(ValueError, match=f"y_val.*y contains NaN.*{words}"):
        cls(**FAST).fit(frame(), y, X_val=frame(), y_val=target)


@pytest.mark.parametrize(
    "asked, words",
    [
        (["town"], "'town'.*'x', 'city'"),
        ("town", "'town'"),
        ([2], "entry 2.*2 columns.*0 to 1"),
        ([-1], "entry -1"),
        ([0.5], "entry 0.5"),
        ([True], "mask of 1 entries.*2 columns"),
        (["x"], "'city'.*categorical_features does not list it"),
        ([], "'city'.*does not list it"),
        (None, "'city'.*categorical_features='from_dtype'"),
    ],
    ids=["name", "text", "position", "negative", "float", "mask", "others", "none", "None"],
)
def test_wrong_columns(asked, words):
    X = frame(city=["a", "b", "c"] * 20)
    with pytest.raises(ValueError, match=words):
        MLPRegressor(**FAST, categorical_features=asked).fit(X, y)


def test_a_name_of_two_columns():
    """From scikit-learn 1.9 on no frame may have such."""
    twice = frame(code=y).set_axis(["code", "code"], axis=1)
    with pytest.raises(ValueError, match="'code'.*2 columns of that name.*positions"):
        chosen_columns(["code"], twice)
    assert chosen_columns([1], twice).tolist() == [False, True]


def test_names_without_a_frame():
    X = frame(code=np.arange(N) % 4).to_numpy()
    with pytest.raises(ValueError, match="names of columns, but X has none.*positions"):
        MLPRegressor(**FAST, categorical_features=["code"]).fit(X, y)


def test_sparse_tables_have_neither_categories_nor_gaps():
    X = csr_array(np.column_stack([x, np.arange(N) % 4]))
    with pytest.raises(TypeError, match="categorical_features=.*sparse"):
        MLPRegressor(**FAST, categorical_features=[1]).fit(X, y)
    holes = X.copy()
    holes.data[0] = np.nan
    with pytest.raises(ValueError, match="NaN in column 0, first in row 0.*sparse"):
        MLPRegressor(**FAST).fit(holes, y)
    model = MLPRegressor(**FAST, categorical_features=[1]).fit(X.toarray(), y)
    with pytest.raises(ValueError, match=r"sparse.*categories.*toarray"):
        model.predict(X)
    gaps = X.toarray()
    gaps[3, 0] = np.nan
    with pytest.raises(ValueError, match=r"sparse.*missing values.*toarray"):
        MLPRegressor(**FAST).fit(gaps, y).predict(X)
    with pytest.raises(ValueError, match="NaN in column 0.*No training rows"):
        MLPRegressor(**FAST).fit(X, y).predict(gaps)
    texts = frame(city=["a", "b", "c"] * 20).to_numpy()
    for dense in (gaps, texts):
        model = MLPRegressor(**FAST).partial_fit(dense, y)
        for use in (model.predict, lambda rows, fitted=model: fitted.partial_fit(rows, y)):
            with pytest.raises(ValueError, match=r"sparse.*toarray"):
                use(X)
        with pytest.raises(ValueError, match=r"sparse.*toarray"):
            MLPRegressor(**FAST).fit(dense, y, X_val=X, y_val=y)


@pytest.mark.parametrize(
    "value",
    [{"a": 1}, [1, 2], (1, 2), {1}, 1j, object],
    ids="dict list tuple set complex type".split(),
)
@pytest.mark.parametrize("mixed", [False, True])
def test_values_that_no_column_can_hold(value, mixed):
    column = np.empty(N, object)
    column[:] = 1.0 if mixed else "a"
    column[4] = value
    message = refusal(MLPRegressor(**FAST), frame(odd=column))
    assert f"type {type(value).__name__} in column 'odd', row 4" in message


def test_other_types_than_in_fit():
    model = MLPRegressor(**FAST).fit(frame(c=["a", "b", "c"] * 20), y)
    with pytest.raises(ValueError, match="'c'.*1 of type int.*'a' of type str"):
        model.predict(frame(c=[1, 2, 3] * 20))
    with pytest.raises(
        ValueError, match="strings such as 'a' in column 'x', where fit had numbers"
    ):
        model.predict(frame(c="a").assign(x="a"))
    coded = MLPRegressor(**FAST, categorical_features=["c"]).fit(frame(c=[1, 2, 3] * 20), y)
    with pytest.raises(ValueError, match="strings such as '1' in column 'c', where fit"):
        coded.predict(frame(c=["1", "2", "3"] * 20))
    # Some that are known are enough, and so are strange ones of the same type.
    assert np.isfinite(model.predict(frame(c=["a", 1, "z"] * 20))).all()
    assert np.isfinite(model.predict(frame(c="z"))).all()


def test_models_of_given_weights_know_no_means():
    model = MLPRegressor.from_weights([[[1.0]]], [[0.0]], activation=[])
    assert model.predict([[2.0]]).tolist() == [2.0]
    with pytest.raises(ValueError, match="NaN in column 0.*No training rows"):
        model.predict([[np.nan]])
    with pytest.raises(ValueError, match="strings"):
        model.predict([["a"]])


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_encoders_take_numbers_only(cls):
    encoder = AutoencoderTransformer(1, (4,), max_iter=3, random_state=0)
    model = cls(**FAST, encoder=encoder)
    message = refusal(model, frame(city=["a", "b", "c"] * 20))
    assert "'city'" in message and "OneHotEncoder" in message and "encoder" in message
    message = refusal(model, frame(gaps=[1.0, np.nan] * 30))
    assert "'gaps'" in message and "SimpleImputer" in message and "encoder" in message
    message = refusal(model.set_params(categorical_features=[1]), frame(code=np.arange(N) % 3))
    assert "categorical_features=[1]" in message and "encoder" in message
    model.set_params(categorical_features="from_dtype")
    tags = model.__sklearn_tags__().input_tags
    assert not tags.allow_nan and not tags.categorical
    # Bools are numbers there, as they always were.
    flags = frame(flag=y == 1)
    frozen = FrozenEstimator(AutoencoderTransformer(1, (4,), max_iter=3, random_state=0).fit(flags))
    for start in (encoder, frozen):
        fitted = model.set_params(encoder=start).fit(flags, y)
        assert fitted.is_categorical_ is None and np.isfinite(fitted.predict(flags)).all()


@pytest.mark.parametrize("cls", [AutoencoderTransformer, AutoencoderOutlierDetector])
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_autoencoders_take_numbers_only(cls, make):
    X = make({"x": x, "city": ["a", "b", "c"] * 20})
    with pytest.raises(ValueError, match=f"'city'.*{cls.__name__}.*numbers only.*OneHotEncoder"):
        cls().fit(X)
    # scikit-learn 1.6 does not see the names of a polars frame of numbers.
    with pytest.raises(ValueError, match="NaN in column ('x'|0), first in row .*SimpleImputer"):
        cls().fit(make({"x": np.where(x > 1, np.nan, x), "z": x}))


@pytest.mark.parametrize("cls", [AutoencoderTransformer, AutoencoderOutlierDetector])
@pytest.mark.parametrize(
    "odd, words",
    [
        (days, "strings or dates"),
        ([b"a"] * N, "strings or dates"),
        (np.where(np.arange(N) == 7, np.inf, x), "infinity in .* row 7.*Use NaN"),
        (np.where(np.arange(N) == 7, np.nan, x), "NaN in .* row 7.*SimpleImputer"),
        (pd.Series([None, *x[1:]], dtype=object), "NaN in .* row 0"),
        (pd.array([None, *x[1:]], "Float64"), "NaN in .* row 0"),
    ],
    ids=["dates", "bytes", "infinity", "NaN", "None", "NA"],
)
def test_autoencoders_name_the_column(cls, odd, words):
    with pytest.raises(ValueError, match="column 'odd'") as error:
        cls().fit(frame(odd=odd))
    assert re.search(words, str(error.value))
    model = cls(random_state=0).fit(frame(odd=x))
    use = model.transform if hasattr(model, "transform") else model.predict
    with pytest.raises(ValueError, match="column 'odd'"):
        use(frame(odd=odd))
