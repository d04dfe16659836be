"""What becomes of the columns of a table, against matrices made by scikit-learn and by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

from skmlp import DensityRegressor, MLPClassifier, MLPRegressor
from skmlp.losses import weighted_quantile

N = 160
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {"hidden_layer_sizes": (8,), "max_iter": 6, "learning_rate_init": 0.01, "random_state": 0}


def table(seed=0, n=N):
    """A frame with every kind of column, and y."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n),
            "city": rng.choice(["Rome", "Oslo", "Lima"], n),
            "income": rng.lognormal(10, 1, n),
            "member": rng.random(n) < 0.4,
            "size": pd.Categorical(rng.choice(["S", "M", "L", "XL"], n)),
        }
    )
    y = frame["age"] / 10 + 2.0 * (frame["city"] == "Oslo") + frame["member"] + rng.normal(size=n)
    return frame, y.to_numpy()


def with_gaps(frame, columns=("age", "city"), seed=1, share=0.2):
    """The frame without a share of the values of some columns."""
    rng = np.random.default_rng(seed)
    frame = frame.copy()
    for column in columns:
        frame.loc[rng.random(len(frame)) < share, column] = None
    return frame


def signs(column):
    return np.where(column.to_numpy(), 1.0, -1.0)[:, np.newaxis]


def by_hand(frame, scaler, like=None):
    """The design matrix of `frame` without gaps: numbers, two levels, one-hot columns."""
    like = frame if like is None else like
    numbers = ["age", "income"]
    scaled = scaler.fit(like[numbers].to_numpy()).transform(frame[numbers].to_numpy())
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    one_hot = encoder.fit(like[["city", "size"]]).transform(frame[["city", "size"]])
    return np.hstack([scaled, signs(frame["member"]), one_hot])


SCALERS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    None: make_pipeline("passthrough"),
}


@pytest.mark.parametrize("kind", SCALERS)
def test_columns_are_those_of_a_column_transformer(kind):
    frame, y = table()
    settings = {**FAST, "hidden_layer_sizes": (), "solver": "lbfgs"} if kind is None else FAST
    model = MLPRegressor(**settings, feature_scaling=kind).fit(frame, y)
    matrix = by_hand(frame, SCALERS[kind])
    plain = MLPRegressor(**settings, feature_scaling=None).fit(matrix, y)
    np.testing.assert_allclose(model.predict(frame), plain.predict(matrix), rtol=1e-9)
    fresh, _ = table(seed=5)
    expected = plain.predict(by_hand(fresh, SCALERS[kind], frame))
    np.testing.assert_allclose(model.predict(fresh), expected, rtol=1e-9)


def test_robust_scaling_is_that_of_scikit_learn_with_a_smooth_clip():
    frame, y = table(n=161)
    model = MLPRegressor(**FAST, feature_scaling="robust").fit(frame, y)
    matrix = by_hand(frame, RobustScaler())
    matrix[:, :2] /= np.hypot(1.0, matrix[:, :2] / 3.0)
    plain = MLPRegressor(**FAST, feature_scaling=None).fit(matrix, y)
    np.testing.assert_allclose(model.predict(frame), plain.predict(matrix), rtol=1e-9)


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier, DensityRegressor])
@pytest.mark.parametrize("kind", ["standard", "minmax", None])
def test_gaps_are_filled_and_marked_as_by_an_imputer(cls, kind):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(N, 3)) * [1.0, 2.0, 0.5]
    y = X[:, 0] + rng.normal(size=N) > 0 if cls is MLPClassifier else X[:, 0] + rng.normal(size=N)
    X[rng.random(N) < 0.3, 1] = np.nan
    model = cls(**FAST, feature_scaling=kind).fit(X, y)
    union = FeatureUnion(
        [
            ("filled", make_pipeline(SCALERS[kind], SimpleImputer())),
            ("gaps", MissingIndicator(error_on_new=False)),
        ]
    )
    if kind is None:
        union = FeatureUnion([("filled", SimpleImputer()), union.transformer_list[1]])
    if kind == "minmax":
        fill = MinMaxScaler().fit(X).transform([np.nanmean(X, axis=0)])[0]
        scaled = MinMaxScaler().fit_transform(X)
        matrix = np.column_stack([np.where(np.isnan(scaled), fill, scaled), np.isnan(X[:, 1])])
    else:
        matrix = union.fit_transform(X)
    plain = cls(**FAST, feature_scaling=None).fit(matrix.astype(float), y)
    if cls is MLPClassifier:
        np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(matrix), rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), plain.predict(matrix), rtol=1e-9)


def test_robust_scaling_fills_gaps_by_the_median():
    rng = np.random.default_rng(3)
    X = rng.lognormal(size=(N, 2))
    y = X[:, 0] + rng.normal(size=N)
    X[rng.random(N) < 0.3, 0] = np.nan
    model = MLPRegressor(**FAST, feature_scaling="robust").fit(X, y)
    median = weighted_quantile(X[~np.isnan(X[:, 0]), 0], (0.5,), None)[0]
    assert model._design["expansion"]["fill"][0] == median
    # A value in place of a gap is told from it by the indicator alone, whose weights are small.
    filled = np.where(np.isnan(X), median, X)
    weights = model.theta_[: 3 * 8].reshape(3, 8)
    weights[2] = 0.0
    np.testing.assert_allclose(model.predict(X), model.predict(filled), rtol=1e-12)


def test_two_levels_are_a_sign_and_what_is_missing_lies_between():
    frame = pd.DataFrame({"c": ["a", "b", "a", "b"] * 20})
    y = (frame["c"] == "b").to_numpy().astype(float)
    model = MLPRegressor(
        hidden_layer_sizes=(), max_iter=300, solver="lbfgs", alpha=0.0, tol=1e-10
    ).fit(frame, y)
    assert model._model["sizes"][0] == 1
    np.testing.assert_allclose(model.predict(frame), y, atol=1e-4)
    for other in ("z", None):
        rows = pd.DataFrame({"c": ["a", other]})
        np.testing.assert_allclose(model.predict(rows)[1], 0.5, atol=1e-4)


def test_missing_is_a_level_where_training_had_it():
    frame = pd.DataFrame({"c": ["a", "b", "c", None] * 20, "d": ["x", "y", None, "x"] * 20})
    y = np.array([0.0, 1.0, 2.0, 5.0] * 20)
    model = MLPRegressor(
        hidden_layer_sizes=(), max_iter=300, solver="lbfgs", alpha=0.0, tol=1e-10
    ).fit(frame, y)
    assert model._model["sizes"][0] == 4 + 2
    np.testing.assert_allclose(model.predict(frame), y, atol=1e-3)


def test_levels_that_training_has_not_seen_are_zeros():
    frame, y = table()
    model = MLPRegressor(**FAST).fit(frame, y)
    strange = frame.assign(city="Quito", size="XXL")
    matrix = by_hand(strange, StandardScaler(), frame)
    assert not matrix[:, 3:].any()
    plain = MLPRegressor(**FAST, feature_scaling=None).fit(by_hand(frame, StandardScaler()), y)
    np.testing.assert_allclose(model.predict(strange), plain.predict(matrix), rtol=1e-9)


def test_gaps_in_columns_that_had_none_are_means():
    frame, y = table()
    model = MLPRegressor(**FAST).fit(frame, y)
    for column in ("age", "income"):
        gone = frame.assign(**{column: np.nan})
        mean = frame.assign(**{column: frame[column].mean()})
        np.testing.assert_allclose(model.predict(gone), model.predict(mean), rtol=1e-9)


def test_positions_choose_among_numbers():
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.integers(10, 15, N) * 100.0, rng.normal(size=N)])
    y = (X[:, 0] == 1200) + X[:, 1]
    model = MLPRegressor(**FAST, categorical_features=[0]).fit(X, y)
    encoder = ColumnTransformer([("n", StandardScaler(), [1]), ("c", OneHotEncoder(), [0])])
    matrix = encoder.fit_transform(X)
    plain = MLPRegressor(**FAST, feature_scaling=None).fit(matrix, y)
    np.testing.assert_allclose(model.predict(X), plain.predict(matrix), rtol=1e-9)
    assert model.is_categorical_.tolist() == [True, False]
    assert model.categories_[0].tolist() == [1000, 1100, 1200, 1300, 1400]
    masked = MLPRegressor(**FAST, categorical_features=[True, False]).fit(X, y)
    np.testing.assert_allclose(masked.theta_, model.theta_, rtol=1e-7, atol=1e-10)


def test_codes_of_levels_may_be_anything():
    rng = np.random.default_rng(5)
    codes, x = rng.integers(0, 4, N), rng.normal(size=N)
    y = codes + x
    names = np.array([-1.0, 0.0, 7.5, 1e9])
    fits = [
        MLPRegressor(**FAST, categorical_features=[0]).fit(np.column_stack([column, x]), y)
        for column in (codes, names[codes])
    ]
    np.testing.assert_allclose(fits[0].theta_, fits[1].theta_, rtol=1e-7, atol=1e-10)
    held = np.array([[2.0, 0.3]])
    strange = np.array([[8.0, 0.3]])
    assert fits[0].predict(held) == fits[1].predict([[7.5, 0.3]])
    assert fits[0].predict(strange) == fits[1].predict(strange)


def test_statistics_are_weighted():
    frame, y = table()
    frame = with_gaps(frame)
    weight = np.random.default_rng(6).integers(0, 3, N)
    whole = {**FAST, "batch_size": 10 * N}
    with pytest.warns(UserWarning, match="batch_size"):
        weighted = MLPRegressor(**whole).fit(frame, y, weight)
        index = np.repeat(np.arange(N), weight)
        repeated = MLPRegressor(**whole).fit(frame.iloc[index], y[index])
    np.testing.assert_allclose(weighted.predict(frame), repeated.predict(frame), rtol=1e-7)


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}])
def test_rows_of_weight_zero_do_not_even_tell_their_levels(settings):
    frame, y = table()
    frame = with_gaps(frame, ["age"])
    more = frame.head(20).assign(city="Aachen", size="A")
    more.loc[:, "income"] = np.nan
    both = pd.concat([frame, more], ignore_index=True)
    weight = np.r_[np.ones(N), np.zeros(20)]
    model = MLPRegressor(**FAST, **settings)
    alone = model.fit(frame, y, np.ones(N)).theta_
    predicted = model.predict(both)
    np.testing.assert_allclose(
        model.fit(both, np.r_[y, np.ones(20)], weight).theta_, alone, rtol=1e-7, atol=1e-10
    )
    np.testing.assert_allclose(model.predict(both), predicted, rtol=1e-7)
    assert "Aachen" not in model.categories_[0]


def test_levels_that_only_the_validation_part_has_are_unseen():
    frame, y = table()
    held_out = frame.head(30).assign(city="Quito")
    model = MLPRegressor(**FAST).fit(frame, y, X_val=held_out, y_val=y[:30])
    assert model.categories_[0].tolist() == ["Lima", "Oslo", "Rome"]
    both = pd.concat([frame, held_out], ignore_index=True)
    split = [(np.arange(N), N + np.arange(30))]
    inside = MLPRegressor(**FAST, early_stopping=True, validation_fraction=_Given(split))
    inside.fit(both, np.r_[y, y[:30]])
    assert inside.categories_[0].tolist() == ["Lima", "Oslo", "Rome"]
    np.testing.assert_allclose(inside.theta_, model.theta_, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(inside.predict(held_out), model.predict(held_out), rtol=1e-7)


class _Given:
    """A splitter of given positions."""

    def __init__(self, parts):
        self.parts = parts

    def split(self, X, y=None, groups=None):
        yield from self.parts

    def get_n_splits(self, X=None, y=None, groups=None):
        return len(self.parts)


def test_names_of_levels_change_nothing():
    frame, y = table()
    model = MLPRegressor(**FAST).fit(frame, y)
    renamed = frame.assign(city=frame["city"].map({"Lima": "1", "Oslo": "2", "Rome": "3"}))
    other = MLPRegressor(**FAST).fit(renamed, y)
    np.testing.assert_allclose(other.theta_, model.theta_, rtol=1e-7, atol=1e-10)
    declared = frame.assign(size=frame["size"].cat.set_categories(["XL", "S", "?", "L", "M"]))
    other = MLPRegressor(**FAST).fit(declared, y)
    np.testing.assert_allclose(other.theta_, model.theta_, rtol=1e-7, atol=1e-10)
    assert "?" not in other.categories_[-1]


def test_a_column_without_any_number_counts_for_nothing():
    frame, y = table()
    frame["empty"] = np.nan
    model = MLPRegressor(**FAST).fit(frame, y)
    np.testing.assert_array_equal(
        model.predict(frame), model.predict(frame.assign(empty=np.linspace(-1e9, 1e9, N)))
    )


def test_float32_stays_float32():
    frame, y = table()
    single = frame.astype({"age": np.float32, "income": np.float32})
    model = MLPRegressor(**FAST).fit(single, y)
    assert model.theta_.dtype == model.predict(single).dtype == np.float32
    assert MLPRegressor(**FAST).fit(frame, y).theta_.dtype == np.float64
    double = MLPRegressor(**FAST).fit(frame, y).predict(frame)
    np.testing.assert_allclose(model.predict(single), double, rtol=1e-3)


def test_effective_weights_exist_for_numbers_only():
    frame, y = table()
    numbers = frame[["age", "income"]]
    model = MLPRegressor(**FAST)
    assert model.fit(numbers, y).coefs_[0].shape == (2, 8)
    with pytest.raises(AttributeError, match="coefs_ .*categorical_features"):
        model.fit(frame, y).coefs_  # noqa: B018
    with pytest.raises(AttributeError, match="intercepts_ .*missing='indicator'.*SimpleImputer"):
        model.fit(with_gaps(numbers, ["age"]), y).intercepts_  # noqa: B018
    assert not hasattr(model, "coefs_")


def by_weights(model, X):
    """Outputs of a relu network from its effective weights."""
    for weight, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        X = np.maximum(X @ weight + bias, 0.0)
    return (X @ model.coefs_[-1] + model.intercepts_[-1])[:, 0]


@pytest.mark.parametrize("kind", ["standard", "minmax", None])
@pytest.mark.parametrize("hidden", [(), (8,), (8, 4)], ids=str)
def test_effective_weights_act_on_bools(kind, hidden):
    frame, y = table()
    dummies = pd.get_dummies(frame[["member", "age", "city", "income"]])
    settings = {**FAST, "hidden_layer_sizes": hidden, "feature_scaling": kind, "dtype": "float64"}
    settings |= {"solver": "lbfgs"} if kind is None else {}
    for X in (dummies, dummies.assign(always=True), dummies.select_dtypes(bool)):
        model = MLPRegressor(**settings).fit(X, y)
        np.testing.assert_allclose(
            by_weights(model, X.to_numpy().astype(float)), model.predict(X), rtol=1e-7, atol=1e-7
        )
        assert not model.coefs_[0].flags.writeable
    assert model.is_categorical_.all()


def test_effective_weights_act_on_two_numbers():
    rng = np.random.default_rng(8)
    codes = np.column_stack([rng.choice([3.0, -7.0], N), rng.normal(size=N), rng.integers(1, 3, N)])
    y = codes.sum(axis=1)
    model = MLPRegressor(**FAST, categorical_features=[0, 2]).fit(codes, y)
    np.testing.assert_allclose(by_weights(model, codes), model.predict(codes), rtol=1e-9)
    frame = pd.DataFrame(codes, columns=[*"abc"]).astype({"a": "category", "c": "category"})
    other = MLPRegressor(**FAST).fit(frame, y)
    np.testing.assert_allclose(other.coefs_[0], model.coefs_[0], rtol=1e-7)
    gaps = frame.assign(c=frame["c"].where(rng.random(N) < 0.5))
    with pytest.raises(AttributeError, match="coefs_ .*bools or two numbers, without gaps"):
        MLPRegressor(**FAST).fit(gaps, y).coefs_  # noqa: B018


def test_wide_tables_of_bools_are_quick_to_write():
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(rng.random((200, 300)) < 0.3).rename(columns=str)
    y = frame["0"].to_numpy().astype(float)
    model = MLPRegressor(**FAST).fit(frame, y)
    plain = MLPRegressor(**FAST, feature_scaling=None).fit(np.where(frame, 1.0, -1.0), y)
    np.testing.assert_allclose(model.theta_, plain.theta_, rtol=1e-7, atol=1e-10)
