"""Categories of many levels: learned vectors, against the same network written out by hand."""

import numpy as np
import pandas as pd
import pytest

from skmlp import DensityRegressor, MLPClassifier, MLPRegressor
from skmlp.estimators._design import Design
from skmlp.estimators._recipe import network_of
from skmlp.inspection import check_gradient

N = 200
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = {"hidden_layer_sizes": (8,), "max_iter": 6, "learning_rate_init": 0.01, "random_state": 0}


def table(n_levels=12, seed=0, n=N):
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=n_levels)
    code = rng.integers(0, n_levels, n)
    frame = pd.DataFrame({"x": rng.normal(size=n), "level": [f"level {k:03d}" for k in code]})
    return frame, effect[code] + 0.3 * frame["x"].to_numpy() + 0.1 * rng.normal(size=n)


@pytest.mark.parametrize(
    "settings, shape",
    [
        ({}, [12, 8]),
        ({"category_embedding_size": 3}, [12, 3]),
        ({"category_embedding_size": 50}, [12, 12]),
        ({"max_one_hot": 11}, [12, 8]),
    ],
    ids=["default", "short", "long", "just"],
)
def test_sizes(settings, shape):
    frame, y = table()
    model = MLPRegressor(**FAST, **settings).fit(frame, y)
    assert model._model["embeddings"] == [shape]
    assert model._model["sizes"][0] == 2
    n_in = 1 + shape[1]
    assert model.theta_.size == shape[0] * shape[1] + (n_in + 1) * 8 + 9
    one_hot = MLPRegressor(**FAST, **{**settings, "max_one_hot": 12}).fit(frame, y)
    assert one_hot._model["embeddings"] == [] and one_hot._model["sizes"][0] == 13


def test_missing_has_a_vector_where_training_had_it():
    frame, y = table()
    frame.loc[::5, "level"] = None
    model = MLPRegressor(**FAST).fit(frame, y)
    assert model._model["embeddings"] == [[13, 8]]
    assert len(model.categories_[0]) == 12


def test_predictions_are_those_of_the_network_by_hand():
    frame, y = table()
    frame["other"] = np.random.default_rng(1).choice([f"o{i}" for i in range(10)], N)
    frame["flag"] = np.arange(N) % 3 == 0
    model = MLPRegressor(**FAST).fit(frame, y)
    tables = [
        b.view(model.theta_[np.newaxis])[0] for b in network_of(model._model).layers[0].blocks
    ]
    new = frame.head(20).copy()
    new.loc[:4, "level"] = "strange"
    new.loc[3:8, "other"] = None

    def vectors(name, levels, table):
        place = dict(zip(levels, table, strict=True))
        return np.array([place.get(v, np.zeros(table.shape[1])) for v in new[name]])

    levels = dict(zip(["level", "other", "flag"], model.categories_, strict=True))
    x = (new["x"].to_numpy() - frame["x"].mean()) / frame["x"].std(ddof=0)
    inputs = np.column_stack(
        [
            x,
            np.where(new["flag"], 1.0, -1.0),
            vectors("level", levels["level"], tables[0]),
            vectors("other", levels["other"], tables[1]),
        ]
    )
    rest = model.theta_[sum(t.size for t in tables) :]
    W1, rest = rest[: 18 * 8].reshape(18, 8), rest[18 * 8 :]
    W2, b1, b2 = rest[:8], rest[8:16], rest[16]
    scaled = np.maximum(inputs @ W1 + b1, 0.0) @ W2 + b2
    design = Design.restore(model._design)
    np.testing.assert_allclose(model.predict(new), design.target.decode(scaled), rtol=1e-9)


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier, DensityRegressor])
@pytest.mark.parametrize("settings", [{}, {"n_init": 2, "combine_inits": "average"}])
def test_gradients_of_vectors(cls, settings):
    frame, y = table(n=40)
    frame.loc[::7, "level"] = None
    y = y > 0 if cls is MLPClassifier else y
    model = cls(hidden_layer_sizes=(5,), activation="tanh", max_iter=5, random_state=0, **settings)
    result = check_gradient(model, frame, y, scheme="central")
    assert result.relative_error < 1e-7
    assert result.n_evaluations == 2 * sum(int(np.prod(block.shape)) for block in result.blocks)


def test_vectors_learn_what_levels_have_in_common():
    frame, y = table(n_levels=60, n=900)
    fresh, z = table(n_levels=60, n=900, seed=0)
    settings = {"max_iter": 80, "learning_rate": "cosine", "learning_rate_init": 0.02}
    model = MLPRegressor(**settings, alpha=0.01, random_state=0).fit(frame[:600], y[:600])
    assert model.score(fresh[600:], z[600:]) > 0.8
    without = MLPRegressor(**settings, random_state=0).fit(frame[["x"]][:600], y[:600])
    assert without.score(fresh[["x"]][600:], z[600:]) < 0.3


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_every_solver_trains_vectors(solver):
    frame, y = table(n=400)
    settings = {**FAST, "max_iter": 60, "solver": solver, "alpha": 0.01}
    assert MLPRegressor(**settings).fit(frame, y).score(frame, y) > 0.7


def test_vectors_in_float32_and_with_every_option_of_the_first_layer():
    frame, y = table()
    for options in (
        {"dtype": "float32"},
        {"input_scale_layer": True},
        {"parametrization": "ntk"},
        {"dropout": 0.2},
        {"hidden_layer_sizes": ()},
        {"early_stopping": True, "n_init": 2},
    ):
        model = MLPRegressor(**{**FAST, **options}).fit(frame, y)
        assert np.isfinite(model.predict(frame)).all(), options
        levels = pd.DataFrame({"x": [0.0, 0.0], "level": ["level 001", "level 002"]})
        assert np.ptp(model.predict(levels)) > 0.0, options


def test_a_table_of_nothing_but_vectors():
    frame, y = table()
    model = MLPRegressor(**FAST).fit(frame[["level"]], y)
    assert np.unique(model.predict(frame[["level"]]).round(12)).size == 12
