"""Points stand at their components, in the colour of their target."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgba
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.manifold import SpectralEmbedding
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import AutoencoderTransformer, MLPClassifier
from skmlp.displays import EmbeddingDisplay

from .shared import legend

SHORT = {"max_iter": 2, "learning_rate": "one_cycle", "random_state": 0}


@pytest.fixture
def Z():
    return np.random.default_rng(0).normal(size=(24, 3))


def colors(display):
    """Colours of the points, without what makes them see-through."""
    display.figure_.canvas.draw()
    return display.scatter_.get_facecolors()[:, :3]


def offsets(display):
    return np.asarray(display.scatter_.get_offsets())


def assert_is_legend(display, names, cmap="tab10"):
    """Whether the legend has these names, and points have the colours that it says."""
    assert legend(display) == names
    handles = display.legend_.get_lines()
    for k, handle in enumerate(handles):
        assert to_rgba(handle.get_color()) == colormaps[cmap](k)


# Components


def test_components_of_a_transformer(data):
    X, _ = data
    model = AutoencoderTransformer(3, 4, noise="gaussian", **SHORT).fit(X)
    display = EmbeddingDisplay.from_estimator(model, X)
    np.testing.assert_array_equal(offsets(display), model.transform(X)[:, :2])
    assert display.ax_.get_xlabel() == "component 0"
    display = EmbeddingDisplay.from_estimator(model, X, components=(2, 0))
    np.testing.assert_array_equal(offsets(display), model.transform(X)[:, [2, 0]])
    assert display.ax_.get_xlabel() == "component 2"
    assert display.ax_.get_ylabel() == "component 0"
    assert display.legend_ is display.colorbar_ is None
    assert np.unique(colors(display), axis=0).tolist() == [list(to_rgba("C0")[:3])]


def test_data_frames_name_the_axes(data):
    X, _ = data
    model = AutoencoderTransformer(2, 4, **SHORT).set_output(transform="pandas").fit(X)
    display = EmbeddingDisplay.from_estimator(model, X)
    assert display.ax_.get_xlabel() == "autoencodertransformer0"
    np.testing.assert_array_equal(offsets(display), model.transform(X))


@pytest.mark.parametrize(
    "kind", [np.ndarray.tolist, sparse.csr_array, sparse.coo_array, pd.DataFrame, pl.DataFrame]
)
def test_tables(kind, Z):
    display = EmbeddingDisplay.from_embedding(kind(Z), components=(1, 2))
    np.testing.assert_array_equal(offsets(display), Z[:, 1:])


def test_pipelines_and_hidden_layers(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    display = EmbeddingDisplay.from_estimator(pipeline, X)
    np.testing.assert_array_equal(offsets(display), pipeline.transform(X))
    search = GridSearchCV(
        make_pipeline(SelectKBest(k=2), MLPClassifier((4,), **SHORT)),
        {"mlpclassifier__alpha": [0.1]},
        cv=2,
    ).fit(X, y > 0)
    display = EmbeddingDisplay.from_estimator(search, X, y > 0, components=(0, 3))
    hidden = search.best_estimator_.transform(X)
    np.testing.assert_array_equal(offsets(display), hidden[:, [0, 3]])


def test_coordinates_that_something_else_has_computed(Z):
    model = SpectralEmbedding(affinity="rbf", random_state=0).fit(Z)
    with pytest.raises(TypeError, match=r"SpectralEmbedding does not have.*from_embedding\(Z, y\)"):
        EmbeddingDisplay.from_estimator(model, Z)
    display = EmbeddingDisplay.from_embedding(model.embedding_)
    np.testing.assert_array_equal(offsets(display), model.embedding_)


def test_a_network_without_hidden_layers_is_refused(data):
    X, y = data
    model = make_pipeline(StandardScaler(), MLPClassifier((), **SHORT)).fit(X, y > 0)
    with pytest.raises(TypeError, match="MLPClassifier, inside Pipeline, does not have"):
        EmbeddingDisplay.from_estimator(model, X)


@pytest.mark.parametrize(
    "components", [(0, 3), (-1, 0), (0,), (0, 1, 2), 1, (0.0, 1), ("a", "b"), (True, 0)]
)
def test_components_that_do_not_exist(components, Z, pyplot):
    with pytest.raises(ValueError, match="components=.* has 3. Give two .* 0 and 2"):
        EmbeddingDisplay.from_embedding(Z, components=components)
    assert not pyplot.get_fignums()


def test_a_single_component_is_no_picture(Z):
    with pytest.raises(ValueError, match=r"components=\(0, 1\).* has 1. .*plt.hist"):
        EmbeddingDisplay.from_embedding(Z[:, :1])
    with pytest.raises(ValueError, match=r"has shape \(24,\), but must be \(n_samples"):
        EmbeddingDisplay.from_embedding(Z[:, 0])


def test_columns_of_the_same_name(Z):
    frame = pd.DataFrame(Z, columns=["a", "a", "b"])
    np.testing.assert_array_equal(offsets(EmbeddingDisplay.from_embedding(frame)), Z[:, :2])


def test_text_is_no_coordinate(pyplot):
    frame = pd.DataFrame({"size": [1, 2], "colour": ["red", "blue"], "weight": [3, 4]})
    with pytest.raises(ValueError, match="embedding must hold numbers: .*red"):
        EmbeddingDisplay.from_embedding(frame)
    assert not pyplot.get_fignums()
    assert EmbeddingDisplay.from_embedding(frame, components=(0, 2)).ax_.get_ylabel() == "weight"


# Classes


@pytest.mark.parametrize(
    "y, names",
    [
        (np.resize(["b", "a", "c"], 24), ["a", "b", "c"]),
        (np.resize([3, 1, 10], 24), ["1", "3", "10"]),
        (np.resize([3.0, 1.0, 10.0], 24), ["1", "3", "10"]),
        (np.resize([True, False], 24), ["False", "True"]),
        (np.resize(["b", "a"], 24).tolist(), ["a", "b"]),
        (np.resize([["b"], ["a"]], (24, 1)), ["a", "b"]),
        (np.resize(np.array([1, "a"], object), 24), ["1", "a"]),
        (pd.Series(np.resize(["b", "a"], 24), index=np.arange(24) + 7), ["a", "b"]),
        (pd.Series(np.resize([2, 1], 24), dtype="Int64"), ["1", "2"]),
        (pl.Series(np.resize(["b", "a"], 24)), ["a", "b"]),
        (pl.Series(np.resize(["b", "a"], 24), dtype=pl.Categorical), ["a", "b"]),
    ],
    ids=[
        "text",
        "integers",
        "floats",
        "booleans",
        "list",
        "column",
        "mixed",
        "series",
        "nullable",
        "polars",
        "polars categorical",
    ],
)
def test_classes_have_a_legend(y, names, Z):
    display = EmbeddingDisplay.from_embedding(Z, y)
    assert_is_legend(display, names)
    of_class = {name: colormaps["tab10"](k)[:3] for k, name in enumerate(names)}
    values = [str(value) for value in np.asarray(y).ravel().tolist()]
    expected = [of_class[value.removesuffix(".0")] for value in values]
    np.testing.assert_allclose(colors(display), expected)
    assert display.colorbar_ is None


def test_categories_keep_their_order(Z):
    y = pd.Series(np.resize(["low", "high", "mid"], 24), name="risk")
    y = y.astype(pd.CategoricalDtype(["low", "mid", "high", "never"], ordered=True))
    display = EmbeddingDisplay.from_embedding(Z, y)
    assert_is_legend(display, ["low", "mid", "high"])
    assert display.legend_.get_title().get_text() == "risk"


@pytest.mark.parametrize(
    "y",
    [
        np.resize(np.array(["a", None, "b"], object), 24),
        np.resize(np.array(["a", np.nan, "b"], object), 24),
        pd.Series(np.resize(np.array(["a", None, "b"], object), 24), dtype="string"),
        np.resize([1.0, np.nan, 2.0], 24),
        pd.Series(np.resize(np.array([1, None, 2], object), 24), dtype="Int64"),
    ],
    ids=["none", "nan", "string", "floats", "nullable"],
)
def test_missing_classes_are_grey(y, Z):
    display = EmbeddingDisplay.from_embedding(Z, y)
    assert legend(display)[-1] == "missing" and len(legend(display)) == 3
    np.testing.assert_allclose(colors(display)[1::3], 0.75)
    np.testing.assert_allclose(colors(display)[0], colormaps["tab10"](0)[:3])


@pytest.mark.parametrize("n, cmap", [(10, "tab10"), (20, "tab20")])
def test_colours_of_many_classes(n, cmap, Z):
    y = np.resize(np.arange(n), 24)
    assert_is_legend(EmbeddingDisplay.from_embedding(Z, y), [str(k) for k in range(n)], cmap)
    display = EmbeddingDisplay.from_embedding(Z, y, cmap="viridis")
    handles = display.legend_.get_lines()
    assert to_rgba(handles[-1].get_color()) == colormaps["viridis"](1.0)


def test_the_legend_names_the_most_frequent_of_very_many_classes():
    rng = np.random.default_rng(0)
    y = np.array([f"{k:03}" for k in range(60)])[np.r_[:60, 20:50]]
    display = EmbeddingDisplay.from_embedding(rng.normal(size=(90, 2)), y)
    assert legend(display)[-1] == "and 22 more"
    assert len(legend(display)) == 39
    assert set(legend(display)) >= {f"{k:03}" for k in range(20, 50)}
    assert len(np.unique(colors(display), axis=0)) == 60
    display.figure_.canvas.draw()
    assert display.ax_.get_window_extent().width > 200


# Numbers


@pytest.mark.parametrize(
    "y",
    [
        np.linspace(0, 1, 24),
        np.arange(24),
        np.arange(24).astype(np.float32),
        np.resize([0.5, 1.0], 24),
        pd.Series(np.arange(24), dtype="Int64"),
        pl.Series(np.linspace(0, 1, 24)),
    ],
    ids=["floats", "integers", "single", "fractions", "nullable", "polars"],
)
def test_numbers_have_a_colour_bar(y, Z):
    display = EmbeddingDisplay.from_embedding(Z, y)
    values = np.asarray(y, float)
    np.testing.assert_allclose(display.scatter_.get_array(), values)
    scaled = (values - values.min()) / np.ptp(values)
    np.testing.assert_allclose(colors(display), colormaps["viridis"](scaled)[:, :3])
    assert display.colorbar_ is not None and display.legend_ is None
    assert len(display.figure_.axes) == 2


def test_the_colour_bar_has_the_name_of_the_target(Z):
    display = EmbeddingDisplay.from_embedding(Z, pd.Series(np.linspace(0, 1, 24), name="price"))
    assert display.colorbar_.ax.get_ylabel() == "price"


def test_missing_numbers_are_grey(Z):
    y = np.linspace(0, 1, 24)
    y[5] = np.nan
    display = EmbeddingDisplay.from_embedding(Z, y)
    assert len(offsets(display)) == 24
    np.testing.assert_allclose(colors(display)[5], 0.75)
    assert display.scatter_.get_clim() == (0, 1)


def test_the_kind_can_be_told(Z):
    y = np.resize([3, 1, 10], 24)
    display = EmbeddingDisplay.from_embedding(Z, y, kind="numbers", cmap="magma")
    assert display.colorbar_.ax.get_ylim() == (1, 10)
    assert display.scatter_.get_cmap().name == "magma"
    display = display.plot(kind="classes")
    assert legend(display) == ["1", "3", "10"] and display.colorbar_ is None
    text = [str(value) for value in y]
    assert EmbeddingDisplay.from_embedding(Z, text, kind="numbers").colorbar_ is not None


@pytest.mark.parametrize(
    "y, options, message",
    [
        (np.zeros(23), {}, r"y has shape \(23,\), but must be \(24,\)"),
        (np.zeros((24, 2)), {}, r"y has shape \(24, 2\), but .*Of several targets"),
        (np.zeros((1, 24)), {}, r"y has shape \(1, 24\), but"),
        (["a"] * 24, {"kind": "numbers"}, "kind='numbers' needs numbers in y.*kind='classes'"),
        (None, {"kind": "colours"}, "kind='colours' must be 'auto', 'classes' or 'numbers'"),
    ],
    ids=["short", "two targets", "row", "text", "kind"],
)
def test_refusals(y, options, message, Z, pyplot):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_embedding(Z, y, **options)
    assert not pyplot.get_fignums()


def test_styles(Z):
    display = EmbeddingDisplay.from_embedding(Z, scatter_kwargs={"c": "red", "s": 50, "alpha": 1})
    assert colors(display)[0].tolist() == [1, 0, 0]
    assert display.scatter_.get_sizes().tolist() == [50]
    few, many = (EmbeddingDisplay.from_embedding(np.zeros((n, 2))) for n in (10, 3000))
    assert few.scatter_.get_sizes()[0] > 4 * many.scatter_.get_sizes()[0]
