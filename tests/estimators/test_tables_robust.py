"""Anything a table may hold: a model, or a refusal in words; never a silent failure.

Small tables, which are trained by hand; test_tables_robust_recipe.py asks whether models are any
good, and is about what the recipe trains.
"""

import json
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skmlp import DensityRegressor, MLPClassifier, MLPRegressor

quick = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
FAST = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0}

# Columns, as functions of a generator and a number of rows.
COLUMNS = {
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-9,
    "huge": lambda rng, n: rng.normal(size=n) * 1e9,
    "far off": lambda rng, n: 1e9 + rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "log-normal": lambda rng, n: rng.lognormal(0.0, 8.0, n),
    "outlier": lambda rng, n: np.r_[1e12, rng.normal(size=n - 1)],
    "constant": lambda rng, n: np.full(n, 3.7e5),
    "zeros": lambda rng, n: np.zeros(n),
    "nearly constant": lambda rng, n: np.r_[1.0, np.zeros(n - 1)],
    "integers": lambda rng, n: rng.integers(-(2**62), 2**62, n),
    "small integers": lambda rng, n: rng.integers(0, 3, n).astype(np.int8),
    "float32": lambda rng, n: rng.normal(size=n).astype(np.float32),
    "gaps": lambda rng, n: np.where(rng.random(n) < 0.4, np.nan, rng.normal(size=n)),
    "all gaps": lambda rng, n: np.full(n, np.nan),
    "one number": lambda rng, n: np.r_[5e8, np.full(n - 1, np.nan)],
    "bools": lambda rng, n: rng.random(n) < 0.5,
    "always": lambda rng, n: np.ones(n, bool),
    "few levels": lambda rng, n: rng.choice(["a", "b", "c"], n),
    "many levels": lambda rng, n: rng.choice([f"l{i}" for i in range(14)], n),
    "one level": lambda rng, n: np.full(n, "only"),
    "a dominating level": lambda rng, n: np.r_[["rare"], np.full(n - 1, "common")],
    "levels and gaps": lambda rng, n: rng.choice(np.array(["a", "b", None], object), n),
    "no level": lambda rng, n: np.full(n, None, object),
    "texts of numbers": lambda rng, n: rng.choice(["01", "1", "1.0", ""], n),
    "all different": lambda rng, n: np.array([f"id {i}" for i in range(n)]),
    "infinite": lambda rng, n: np.r_[np.inf, rng.normal(size=n - 1)],
    "overflowing": lambda rng, n: rng.choice([1e308, -1e308], n),
    "dates": lambda rng, n: np.arange(n).astype("M8[D]"),
}
# Those that may be refused, and with what words.
REFUSED = {
    "all different": "identifier",
    "many levels": "identifier",
    "few levels": "identifier",
    "texts of numbers": "identifier",
    "infinite": "infinity",
    "overflowing": "overflow|cannot",
    "dates": "dates",
}
TEXTS = {
    "few levels", "many levels", "one level", "a dominating level", "levels and gaps",
    "texts of numbers", "all different",
}  # fmt: skip
WITH_GAPS = {"gaps", "all gaps", "one number", "levels and gaps", "no level"}
LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}


def made(names, n, seed, library, twice):
    """A table of these columns (the first `twice`), and its generator."""
    rng = np.random.default_rng(seed)
    columns = {f"{i} {name}": COLUMNS[name](rng, n) for i, name in enumerate(names)}
    if twice:
        columns["again"] = next(iter(columns.values()))
    if library == "polars":
        columns = {k: v.tolist() if v.dtype == object else v for k, v in columns.items()}
    return LIBRARIES[library](columns), rng


tables = {
    "names": st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5),
    "n": st.sampled_from([4, 12, 40]),
    "seed": st.integers(0, 3),
    "library": st.sampled_from(sorted(LIBRARIES)),
    "twice": st.booleans(),
}
choices = {
    "feature_scaling": st.sampled_from(["auto", "standard", "robust", "minmax"]),
    "categorical_features": st.none()
    | st.tuples(
        st.sampled_from(["positions", "names", "mask"]), st.sets(st.integers(0, 5), max_size=3)
    ),
    "max_one_hot": st.sampled_from([0, 2, 8]),
    "category_embedding_size": st.sampled_from([1, 8]),
    "missing": st.sampled_from(["indicator", "error"]),
    "early_stopping": st.booleans(),
    "dtype": st.sampled_from(["auto", "float32"]),
    "solver": st.sampled_from(["adam", "lbfgs"]),
}
weights = st.sampled_from(["none", "some rows", "any size"])


def weights_of(kind, rng, n):
    """Weights for n rows, of which the first always counts."""
    return {
        "none": None,
        "some rows": np.r_[1.0, rng.integers(0, 3, n - 1)],
        "any size": np.r_[1.0, 10.0 ** rng.integers(-4, 5, n - 1)],
    }[kind]


def model_of(cls, params, X):
    """An estimator, with the columns of X that `params` lists."""
    model = cls(**{**FAST, **params})
    if isinstance(model.categorical_features, tuple):
        form, positions = model.categorical_features
        mask = np.isin(np.arange(X.shape[1]), list(positions))
        model.categorical_features = {
            "positions": np.flatnonzero(mask),
            "names": [name for name, listed in zip(X.columns, mask, strict=True) if listed],
            "mask": mask,
        }[form]
    return model


REMEDY = re.compile(
    r"(?:^|[.:;,] (?:or |and )?)(?:add|convert|divide|drop|fill|give|increase|leave|set|use)\b",
    re.I,
)


def at_fault(message, names):
    """Kinds of the columns that a message names, by their labels or by their positions."""
    labels = re.findall(r"column '([^']*)'", message)
    listed = re.search(r"columns (\[[\d, ]+\])", message)
    kinds = [*names, names[0]]  # the last may be the first again
    positions = json.loads(listed[1]) if listed else []
    # scikit-learn 1.6 does not see the names of a polars frame of numbers.
    positions += [int(j) for j in re.findall(r"column (\d+)", message)]
    return [names[0] if own == "again" else own.split(" ", 1)[1] for own in labels] + [
        kinds[j] for j in positions
    ]


def check_refusal(message, model, names):
    """It says which column or which parameter is the reason, rightly so, and what to do."""
    assert REMEDY.search(message), message
    kinds = at_fault(message, names)
    if kinds:
        assert any(re.search(reasons(model, kind), message) for kind in kinds), message
        return
    blamed = {
        "validation_fraction": getattr(model, "early_stopping", False) is True,
        "dtype": model.dtype == "float32",
    }
    assert any(acts and f"{name}=" in message for name, acts in blamed.items()), message


def reasons(model, kind):
    """What may be said against a column of this kind."""
    words = [REFUSED[kind]] if kind in REFUSED else []
    if model.missing == "error" and kind in WITH_GAPS:
        words.append("NaN")
    if not isinstance(model.categorical_features, str) and kind in TEXTS:
        words.append("strings.*categorical_features")
    return "|".join(words) or "nothing"


def fitted_or_refused(model, names, X, y, weight, method="fit"):
    """The model, or None if it was refused in words, for a reason that is there."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What training and data may say; everything else is a leak, NumPy's warnings above all.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return getattr(model, method)(X, y, weight)
        except ValueError as error:
            message = str(error)
    check_refusal(message, model, names)
    return None


def changed(X, library):
    """The table with levels, gaps and numbers that training has not seen."""
    columns = X.to_dict("list") if library == "pandas" else X.to_dict(as_series=False)
    for values in columns.values():
        values.reverse()
        if any(isinstance(value, str) for value in values):
            values[:2] = "never seen", None
        elif any(isinstance(value, float) for value in values):
            values[:2] = np.nan, 1e6
    return LIBRARIES[library](columns)


def predictions(model, X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if hasattr(model, "predict_proba"):
            return model.predict_proba(X)
        return model.predict(X)


@quick
@given(st.fixed_dictionaries(tables), st.fixed_dictionaries({}, optional=choices), weights,
       st.sampled_from([1e-6, 1.0, 1e6]), st.sampled_from(["normal", "cauchy", "constant"]),
       st.sampled_from([MLPRegressor, DensityRegressor]))  # fmt: skip
def test_regressors(table, params, weighted, unit, shape, cls):
    X, rng = made(**table)
    n = table["n"]
    y = {"normal": rng.normal(size=n), "cauchy": rng.standard_cauchy(n), "constant": np.ones(n)}
    y, weight = unit * y[shape], weights_of(weighted, rng, n)
    model = fitted_or_refused(model_of(cls, params, X), table["names"], X, y, weight)
    if model is None:
        return
    found = predictions(model, X)
    assert np.isfinite(found).all() and found.shape == (n,)
    # Rows that training has not seen may lie far outside.
    if not model.early_stopping_:
        taken = slice(None) if weight is None else weight > 0
        # Of a constant the spread is taken to be 1.
        assert np.abs(found - y[taken].mean())[taken].max() <= 50.0 * (np.ptp(y[taken]) or 1.0)
    if model.missing == "indicator" and "overflowing" not in table["names"]:
        assert np.isfinite(predictions(model, changed(X, table["library"]))).all()
    np.testing.assert_array_equal(predictions(model, X), found)


@quick
@given(st.fixed_dictionaries(tables), st.fixed_dictionaries({}, optional=choices), weights,
       st.sampled_from(["balanced", "one to many", "two a class", "words", "bools"]))  # fmt: skip
def test_classifiers(table, params, weighted, kind):
    X, rng = made(**table)
    n = table["n"]
    y = {
        "balanced": np.arange(n) % 2 * 7 - 3,
        "one to many": (np.arange(n) < 2).astype(int),
        "two a class": np.arange(n) // 2,
        "words": np.array(["no", "yes", "perhaps", "no"])[np.arange(n) % 4],
        "bools": np.arange(n) % 2 == 0,
    }[kind]
    model, weight = model_of(MLPClassifier, params, X), weights_of(weighted, rng, n)
    model = fitted_or_refused(model, table["names"], X, y, weight)
    if model is None:
        return
    found = predictions(model, X)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    assert np.isin(model.predict(X), y).all()
    if model.missing == "indicator" and "overflowing" not in table["names"]:
        assert np.isfinite(predictions(model, changed(X, table["library"]))).all()


@quick
@given(st.fixed_dictionaries(tables), st.fixed_dictionaries(tables), weights,
       st.fixed_dictionaries({}, optional={k: v for k, v in choices.items()
                                           if k not in ("solver", "early_stopping")}))  # fmt: skip
def test_chunks(first, second, weighted, params):
    second = {**first, "n": second["n"], "seed": second["seed"]}
    model = model_of(MLPRegressor, params, made(**first)[0])
    for table in (first, second, first):
        X, rng = made(**table)
        y, weight = rng.normal(size=table["n"]), weights_of(weighted, rng, table["n"])
        if fitted_or_refused(model, table["names"], X, y, weight, "partial_fit") is None:
            return
        assert np.isfinite(predictions(model, X)).all()


SIGNAL = {
    "tiny": 1e-9,
    "small": 1e-3,
    "large": 1e6,
    "huge": 1e9,
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("unit", SIGNAL)
@pytest.mark.parametrize("of_y", [1e-6, 1e6])
def test_units_do_not_matter(unit, of_y):
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    frame = pd.DataFrame({"x": x, "city": rng.choice(["a", "b", "c"], 300)})
    y = x + 2.0 * (frame["city"] == "b")
    settings = {"max_iter": 60, "learning_rate_init": 0.02, "random_state": 0}
    reference = MLPRegressor(**settings).fit(frame, y)
    other = frame.assign(x=SIGNAL[unit] * x)
    model = MLPRegressor(**settings).fit(other, of_y * y)
    assert reference.score(frame, y) > 0.95
    np.testing.assert_allclose(model.predict(other) / of_y, reference.predict(frame), atol=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("bad", ["outlier", "heavy tails", "log-normal", "constant", "one number"])
def test_a_bad_column_does_not_spoil_the_good_ones(bad):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=400), "flag": rng.random(400) < 0.3})
    y = frame["x"] + 2.0 * frame["flag"]
    frame["bad"] = COLUMNS[bad](rng, 400)
    settings = {"max_iter": 80, "learning_rate_init": 0.02, "random_state": 0}
    for kind in ("standard", "robust"):
        model = MLPRegressor(**settings, feature_scaling=kind).fit(frame[:300], y[:300])
        assert model.score(frame[300:], y[300:]) > 0.8, kind


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_imbalance_and_integer_codes_of_classes():
    rng = np.random.default_rng(2)
    kind = rng.choice(["common", "rare"], 1000, p=[0.98, 0.02])
    frame = pd.DataFrame({"kind": kind, "noise": rng.normal(size=1000)})
    y = np.where(kind == "rare", 7, -3)
    model = MLPClassifier(max_iter=40, learning_rate_init=0.02, random_state=0).fit(frame, y)
    assert model.classes_.tolist() == [-3, 7]
    assert model.score(frame[kind == "rare"], y[kind == "rare"]) == 1.0
    assert model.score(frame, y) == 1.0
