"""What the training rows do not have counts for nothing, whatever comes later."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array

from skmlp import DensityRegressor, MLPClassifier, MLPRegressor

N = 80
ESTIMATORS = (MLPRegressor, MLPClassifier, DensityRegressor)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {"hidden_layer_sizes": (8,), "max_iter": 6, "learning_rate_init": 0.01, "random_state": 0}
rng = np.random.default_rng(0)
x = rng.normal(size=N)
y = x + 0.1 * rng.normal(size=N)

# Constant numbers


def outputs(model, X):
    return getattr(model, "predict_proba", model.predict)(X)


def check_first_column_counts_for_nothing(model, X):
    """Other values there, where something was, change no output."""
    expected = outputs(model, X)
    for value in (-1e9, 0.0, 1.0, 4e5):
        later = X.copy()
        later[~np.isnan(X[:, 0]), 0] = value
        np.testing.assert_array_equal(outputs(model, later), expected)


CONSTANT = {
    "zeros": np.zeros(N),
    "a tenth": np.full(N, 0.1),
    "large": np.full(N, 3.7e5),
    "very large": np.full(N, -1e15 / 3),
    "one number": np.r_[5e8, np.full(N - 1, np.nan)],
}


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("kind", ["standard", "robust", "minmax"])
@pytest.mark.parametrize("column", CONSTANT)
def test_a_constant_number_counts_for_nothing(cls, kind, column):
    X = np.column_stack([CONSTANT[column], x])
    model = cls(**FAST, feature_scaling=kind).fit(X, y > 0 if cls is MLPClassifier else y)
    check_first_column_counts_for_nothing(model, X)


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "sgd"},
        {"solver": "rmsprop"},
        {"solver": "lbfgs"},
        {"alpha": 0.0},
        {"weight_decay": 0.1},
        {"hidden_layer_sizes": ()},
        {"parametrization": "ntk", "input_scale_layer": True},
        {"early_stopping": True},
        {"n_init": 2, "combine_inits": "average"},
        {"numeric_embedding_size": 2},
        {"numeric_embedding_size": 2, "numeric_embedding": "piecewise"},
        {"dtype": "float32"},
    ],
    ids=str,
)
def test_a_constant_number_counts_for_nothing_however_training_goes(settings):
    X = np.column_stack([np.full(N, 3.7e5), x])
    model = MLPRegressor(**{**FAST, **settings}).fit(X, y)
    check_first_column_counts_for_nothing(model, X)


def test_a_constant_number_counts_for_nothing_by_the_recipe():
    X = np.column_stack([np.full(500, 3.7e5), np.resize(x, 500), rng.normal(size=500)])
    model = MLPRegressor(random_state=0).fit(X, X[:, 1])
    assert model.settings_["parametrization"] == "ntk"
    check_first_column_counts_for_nothing(model, X)


def test_constant_numbers_have_no_effective_weights():
    X = np.column_stack([x, np.full(N, 7.0)])
    coefs = MLPRegressor(**FAST).fit(X, y).coefs_[0]
    assert coefs[0].all() and not coefs[1].any()


def test_constant_numbers_of_a_frame_beside_categories():
    frame = pd.DataFrame({"town": rng.choice([*"abc"], N), "c": 3.7e5, "x": x})
    frame["street"] = rng.choice([f"street {i}" for i in range(12)], N)
    model = MLPRegressor(**FAST, numeric_embedding_size=2).fit(frame, y)
    np.testing.assert_array_equal(model.predict(frame.assign(c=-1e9)), model.predict(frame))
    assert not np.allclose(model.predict(frame.assign(x=0.0)), model.predict(frame))


def test_columns_of_a_sparse_matrix_that_training_has_not_filled():
    X = np.column_stack([np.zeros(N), x * (x > 0)])
    model = MLPRegressor(**FAST).fit(csr_array(X), y)
    later = X + [[3.0, 0.0]]
    np.testing.assert_array_equal(model.predict(csr_array(later)), model.predict(csr_array(X)))


def test_without_scaling_a_constant_is_a_bias_but_zeros_are_nothing():
    X = np.column_stack([np.zeros(N), x, np.ones(N)])
    model = MLPRegressor(**FAST, feature_scaling=None).fit(X, y)
    check_first_column_counts_for_nothing(model, X)
    assert model.coefs_[0][2].all()


@pytest.mark.parametrize("mapped", [False, True])
def test_only_rows_that_take_part_make_a_column_vary(mapped, tmp_path):
    X = np.column_stack([np.r_[5.0, 6.0, np.full(N - 2, 7.0)], x])
    if mapped:
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = MLPRegressor(**FAST).fit(X, y, np.r_[0.0, 0.0, np.ones(N - 2)])
    check_first_column_counts_for_nothing(model, np.array(X))


def test_what_moves_after_a_constant_start_is_learned():
    X = np.column_stack([x, np.full(N, 7.0)])
    moved = np.column_stack([x, 7.0 + 100.0 * rng.normal(size=N)])
    z = y + moved[:, 1] / 100.0
    settings = {**FAST, "max_iter": 200, "warm_start": True}
    model = MLPRegressor(**settings).fit(X, y)
    assert model.fit(moved, z).score(moved, z) > 0.9
    chunk = MLPRegressor(**FAST).partial_fit(X, y)
    check_first_column_counts_for_nothing(
        MLPRegressor(**FAST).partial_fit(X[:, ::-1], y), X[:, ::-1]
    )
    for _ in range(200):
        chunk.partial_fit(moved, z)
    assert chunk.score(moved, z) > 0.9


def test_a_first_chunk_of_one_row_keeps_all_units_alive():
    """Units without weights and with a negative bias could never learn."""
    X = np.column_stack([x, x[::-1]])
    model = MLPRegressor(**FAST).partial_fit(X[:1], y[:1])
    assert model.coefs_[0].all()


# Categories without levels

NOTHING = {
    "category": lambda: pd.DataFrame({"x": x, "c": pd.Categorical([None] * N)}),
    "declared": lambda: pd.DataFrame({"x": x, "c": pd.Categorical([None] * N, [*"ab"])}),
    "string": lambda: pd.DataFrame({"x": x, "c": pd.array([None] * N, "string")}),
    "object": lambda: pd.DataFrame({"x": x, "c": pd.Series([None] * N, dtype=object)}),
    "boolean": lambda: pd.DataFrame({"x": x, "c": pd.array([None] * N, "boolean")}),
    "array": lambda: np.array([[value, None] for value in x], object),
    "polars": lambda: pl.DataFrame({"x": x, "c": pl.Series([None] * N, dtype=pl.String)}),
    "null": lambda: pl.DataFrame({"x": x, "c": pl.Series([None] * N)}),
}


def with_texts(X, text):
    """The same rows with a text in the second column."""
    if isinstance(X, np.ndarray):
        return np.column_stack([X[:, :1], np.full(N, text, object)])
    frame = {"x": x, "c": [text] * N}
    return pl.DataFrame(frame) if isinstance(X, pl.DataFrame) else pd.DataFrame(frame)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("kind", NOTHING)
def test_a_category_of_which_training_has_seen_nothing(cls, kind):
    X, target = NOTHING[kind](), y > 0 if cls is MLPClassifier else y
    model = cls(**FAST).fit(X, target)
    assert model.is_categorical_.tolist() == [False, True] and len(model.categories_[0]) == 0
    for text in ("a", "new"):
        np.testing.assert_array_equal(outputs(model, with_texts(X, text)), outputs(model, X))
    watched = cls(**FAST).fit(X, target, X_val=with_texts(X, "new"), y_val=target)
    assert len(watched.validation_loss_curve_) == watched.n_iter_


# Levels that are declared have a place in a first chunk, and so has what is missing.
@pytest.mark.parametrize("kind", sorted(NOTHING.keys() - {"declared"}))
def test_a_first_chunk_without_levels(kind):
    X = NOTHING[kind]()
    model = MLPRegressor(**FAST).partial_fit(X, y)
    later = with_texts(X, "a")
    np.testing.assert_array_equal(model.predict(later), model.predict(X))
    before = model.predict(X)
    assert np.isfinite(model.partial_fit(later, y).predict(later)).all()
    assert not np.array_equal(model.predict(X), before)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "UInt8"])
def test_numbers_of_which_training_has_seen_nothing_stay_numbers(dtype):
    X = pd.DataFrame({"x": x, "n": pd.array([None] * N, dtype)})
    model = MLPRegressor(**FAST).partial_fit(X, y)
    assert model.is_categorical_ is None
    later = pd.DataFrame({"x": x, "n": pd.array(np.arange(N), dtype)})
    before = model.predict(X)
    np.testing.assert_array_equal(model.predict(later), before)
    model.partial_fit(later, y)
    assert np.ptp(model.predict(later.assign(x=0.0))) > 0.0
    with pytest.raises(ValueError, match="strings such as 'a' in column 'n'"):
        model.predict(later.assign(n="a"))
