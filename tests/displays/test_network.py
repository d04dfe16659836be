"""Pictures of networks show the effective weights, at the units that they join."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import neural_network
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    DensityRegressor,
    HypernetworkClassifier,
    HypernetworkRegressor,
    MLPClassifier,
    MLPRegressor,
)
from skmlp.displays import NetworkDisplay

SHORT = {"max_iter": 2, "learning_rate": "one_cycle", "random_state": 0}
COLUMNS = ["length", "width", "height"]


@pytest.fixture
def frame(data):
    return pd.DataFrame(data[0], columns=COLUMNS)


def texts(display):
    return [text.get_text() for text in display.texts_]


def layers(display):
    return [label.get_text() for label in display.ax_.get_xticklabels()]


def weights_of(display, layer):
    """The drawn weights as a matrix, by the ends of their lines."""
    heights = [nodes.get_offsets()[:, 1] for nodes in display.nodes_[layer : layer + 2]]
    weight = np.full([len(y) for y in heights], np.nan)
    edges = display.edges_[layer]
    for line, value in zip(edges.get_segments(), edges.get_array(), strict=True):
        assert line[:, 0].tolist() == [layer, layer + 1]
        ends = [int(np.argmin(np.abs(y - end))) for y, end in zip(heights, line[:, 1], strict=True)]
        assert np.isnan(weight[tuple(ends)])
        weight[tuple(ends)] = value
    return weight


def test_lines_are_the_effective_weights(data, frame):
    model = MLPRegressor(hidden_layer_sizes=(5, 4), **SHORT).fit(frame, data[1])
    display = NetworkDisplay.from_estimator(model)
    assert [len(nodes.get_offsets()) for nodes in display.nodes_] == [3, 5, 4, 1]
    for layer, weight in enumerate(model.coefs_):
        np.testing.assert_allclose(weights_of(display, layer), weight / np.abs(weight).max())
        edges = display.edges_[layer]
        strength = np.abs(edges.get_array())
        assert np.all(np.diff(strength) >= 0)  # the strongest on top
        assert np.all(np.diff(edges.get_linewidths()) >= 0)
        assert np.all(np.diff(edges.get_alpha()) >= 0)
        assert edges.get_clim() == (-1, 1)
    assert layers(display) == ["input\n3", "hidden 1\n5", "hidden 2\n4", "output\n1"]
    assert texts(display) == [*COLUMNS, "y"]
    heights = display.nodes_[1].get_offsets()[:, 1]
    assert np.all(np.diff(heights) < 0)  # the first unit is at the top
    assert display.colorbar_.ax.get_ylabel() == "weight / largest of its layer"


def test_wide_layers_show_their_strongest_units():
    rng = np.random.default_rng(0)
    coefs = [rng.normal(size=(40, 30)), rng.normal(size=(30, 25))]
    names = [f"f{j}" for j in range(40)], [f"c{j}" for j in range(25)]
    display = NetworkDisplay(coefs=coefs, feature_names=names[0], output_names=names[1])
    display.plot(max_units=7)
    strengths = [
        np.linalg.norm(coefs[0], axis=1),
        np.linalg.norm(coefs[0], axis=0) * np.linalg.norm(coefs[1], axis=1),
        np.linalg.norm(coefs[1], axis=0),
    ]
    for units, strength in zip(display.units_, strengths, strict=True):
        assert units.tolist() == sorted(np.argsort(strength)[-7:].tolist())
    first, second, third = display.units_
    shown = coefs[0][np.ix_(first, second)] / np.abs(coefs[0]).max()
    np.testing.assert_allclose(weights_of(display, 0), shown)
    rest = ["\N{HORIZONTAL ELLIPSIS} 33 more", "\N{HORIZONTAL ELLIPSIS} 23 more"]
    rest.append("\N{HORIZONTAL ELLIPSIS} 18 more")
    assert texts(display)[:3] == rest
    assert texts(display)[3:] == [f"f{j}" for j in first] + [f"c{j}" for j in third]
    lowest = min(nodes.get_offsets()[:, 1].min() for nodes in display.nodes_)
    assert all(text.xy[1] < lowest for text in display.texts_[:3])
    assert len(display.plot(max_units=40).units_[0]) == 40


@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist, sparse.csr_array])
def test_spread_of_features_makes_weights_comparable(kind, data):
    X, y = data
    units = np.array([1.0, 1e3, 1e-3])
    model = MLPRegressor(hidden_layer_sizes=(4,), **SHORT).fit(X, y)
    other = MLPRegressor(hidden_layer_sizes=(4,), **SHORT).fit(X * units, y)
    display = NetworkDisplay.from_estimator(model, kind(X))
    np.testing.assert_allclose(display.coefs[0], model.coefs_[0] * X.std(axis=0)[:, np.newaxis])
    np.testing.assert_array_equal(display.coefs[1], model.coefs_[1])
    scaled = NetworkDisplay.from_estimator(other, kind(X * units))
    np.testing.assert_allclose(scaled.coefs[0], display.coefs[0], rtol=1e-6)


def test_constant_features_have_no_effect(data):
    X, y = data
    X = np.column_stack([X, np.full(len(X), 2.0)])
    display = NetworkDisplay.from_estimator(MLPRegressor(**SHORT).fit(X, y), X)
    assert not display.coefs[0][3].any()
    model = AutoencoderTransformer(2, 3, **SHORT).fit(X)
    assert np.isfinite(NetworkDisplay.from_estimator(model, X).coefs[-1]).all()


def test_an_autoencoder_puts_out_its_features(frame):
    model = AutoencoderTransformer(2, (6, 4), **SHORT).fit(frame)
    display = NetworkDisplay.from_estimator(model, frame)
    names = ["input\n3", "hidden 1\n6", "hidden 2\n4", "code\n2", "hidden 3\n4", "hidden 4\n6"]
    assert layers(display) == [*names, "output\n3"]
    assert texts(display) == COLUMNS * 2
    spread = frame.to_numpy().std(axis=0)
    np.testing.assert_allclose(display.coefs[-1], model.coefs_[-1] / spread)
    detector = AutoencoderOutlierDetector(AutoencoderTransformer(2, (), **SHORT)).fit(frame)
    display = NetworkDisplay.from_estimator(detector, frame)
    assert layers(display) == ["input\n3", "code\n2", "output\n3"]
    assert texts(display) == COLUMNS * 2


@pytest.mark.parametrize(
    "y, names",
    [
        (np.repeat(["a", "b"], 30), ["b"]),
        (np.repeat(["a", "b", "c"], 20), ["a", "b", "c"]),
        (np.repeat([4, 2, 7], 20), ["2", "4", "7"]),
        (np.arange(180).reshape(60, 3) % 2, ["0", "1", "2"]),
    ],
    ids=["two", "three", "numbers", "multilabel"],
)
def test_outputs_of_classifiers_are_classes(y, names, data):
    model = MLPClassifier((2,), **SHORT).fit(data[0][:60], y)
    assert NetworkDisplay.from_estimator(model).output_names == names


def test_outputs_of_regressors_are_targets(data):
    X, y = data
    several = MLPRegressor(hidden_layer_sizes=(2,), **SHORT).fit(X, np.column_stack([y, -y]))
    assert NetworkDisplay.from_estimator(several).output_names == ["target 0", "target 1"]
    quantiles = MLPRegressor("quantile", (2,), quantile=[0.1, 0.5, 0.9], **SHORT).fit(X, y)
    names = ["quantile 0.1", "quantile 0.5", "quantile 0.9"]
    assert NetworkDisplay.from_estimator(quantiles).output_names == names
    density = DensityRegressor(hidden_layer_sizes=(2,), **SHORT).fit(X, y)
    assert NetworkDisplay.from_estimator(density).output_names == ["output 0", "output 1"]


def test_names_that_are_given(data):
    model = MLPRegressor(hidden_layer_sizes=(2,), **SHORT).fit(*data)
    display = NetworkDisplay.from_estimator(model)
    assert texts(display) == ["x0", "x1", "x2", "y"]
    long = "the yield of the third field in 1000 kg"
    display = NetworkDisplay.from_estimator(model, feature_names=["a", "b", 3], output_names=[long])
    assert texts(display)[:3] == ["a", "b", "3"]
    written = texts(display)[3]
    assert len(written) <= 24 and written.startswith("the yield") and written.endswith("1000 kg")


def test_names_behind_other_steps(data, frame):
    network = MLPRegressor(hidden_layer_sizes=(2,), **SHORT)
    pipeline = make_pipeline(StandardScaler(), network).fit(frame, data[1])
    display = NetworkDisplay.from_estimator(pipeline, frame)
    assert display.feature_names == COLUMNS
    np.testing.assert_allclose(display.coefs[0], pipeline[-1].coefs_[0])
    pipeline = make_pipeline(StandardScaler(), PCA(2), network).fit(frame, data[1])
    assert NetworkDisplay.from_estimator(pipeline).feature_names == ["pca0", "pca1"]


def test_a_linear_model_has_no_hidden_layer(data):
    model = MLPRegressor(hidden_layer_sizes=(), **SHORT).fit(*data)
    display = NetworkDisplay.from_estimator(model)
    assert layers(display) == ["input\n3", "output\n1"] and len(display.edges_) == 1


def test_networks_of_scikit_learn(data):
    with pytest.warns(UserWarning, match="hasn't converged"):
        theirs = neural_network.MLPRegressor(
            hidden_layer_sizes=(2,), max_iter=2, random_state=0
        ).fit(*data)
    display = NetworkDisplay.from_estimator(theirs)
    np.testing.assert_array_equal(display.coefs[0], theirs.coefs_[0])
    assert texts(display) == ["x0", "x1", "x2", "y"]


def test_weights_that_are_all_zero_are_drawn():
    display = NetworkDisplay(coefs=[np.zeros((2, 2)), np.zeros((2, 1))]).plot()
    assert not weights_of(display, 0).any() and texts(display) == []


# Hypernetworks


def test_the_network_of_a_task(data, frame):
    frame.insert(1, "town", np.resize(["Brno", "Plzen"], len(frame)))
    model = HypernetworkRegressor((4,), task_features="town", **SHORT).fit(frame, data[1])
    display = NetworkDisplay.from_estimator(model, task="Plzen")
    coefs, _ = model.task_parameters("Plzen")
    np.testing.assert_allclose(display.coefs[0], coefs[0])
    assert display.feature_names == COLUMNS
    display = NetworkDisplay.from_estimator(model, frame, task="Plzen")
    spread = frame[COLUMNS].to_numpy().std(axis=0)
    np.testing.assert_allclose(display.coefs[0], coefs[0] * spread[:, np.newaxis])
    message = r"task='Praha' is not one of tasks_: \['Brno', 'Plzen'\]"
    with pytest.raises(ValueError, match=message):
        NetworkDisplay.from_estimator(model, task="Praha")


def test_the_network_of_a_context(data):
    X, y = data
    model = HypernetworkClassifier((4,), context_features=[2], **SHORT).fit(X, y > 0)
    display = NetworkDisplay.from_estimator(model, context=[5.0])
    np.testing.assert_allclose(display.coefs[0], model.task_parameters(context=[5.0])[0][0])
    assert display.feature_names == ["x0", "x1"]
    assert display.output_names == ["True"]


# Refusals


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"n_init": 2, "combine_inits": "average"}, "combine_inits='average'.*estimators_"),
        ({"feature_scaling": "robust"}, "feature_scaling='robust'.*Use feature_scaling='standard'"),
    ],
    ids=["average", "robust"],
)
def test_what_is_not_one_affine_network_is_refused(settings, message, data, pyplot):
    model = MLPRegressor(hidden_layer_sizes=(2,), **settings, **SHORT).fit(*data)
    for estimator in (model, make_pipeline(model), FrozenEstimator(model)):
        with pytest.raises(ValueError, match=f"draws a single network.*{message}"):
            NetworkDisplay.from_estimator(estimator)
    assert not pyplot.get_fignums()


def test_members_of_an_average_are_shown(data):
    model = MLPRegressor(hidden_layer_sizes=(2,), n_init=2, combine_inits="average", **SHORT)
    member = model.fit(*data).estimators_[1]
    np.testing.assert_array_equal(NetworkDisplay.from_estimator(member).coefs[0], member.coefs_[0])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"feature_names": ["a"]}, "feature_names has 1 entries, but the network has 3"),
        ({"output_names": ["a", "b"]}, "output_names has 2 entries, but the network has 1"),
        ({"max_units": 0}, "max_units=0 must be a whole number"),
        ({"max_units": 2.5}, "max_units=2.5 must be"),
        ({"task": 3}, "task=3, context=None are for hypernetworks.*MLPRegressor. Leave them out"),
        ({"X": np.zeros((4, 2))}, r"X has shape \(4, 2\), but .* 3 features"),
    ],
)
def test_refusals(options, message, data, pyplot):
    model = MLPRegressor(hidden_layer_sizes=(2,), **SHORT).fit(*data)
    with pytest.raises(ValueError, match=message):
        NetworkDisplay.from_estimator(model, **options)
    assert not pyplot.get_fignums()


def test_styles(data):
    model = MLPRegressor(hidden_layer_sizes=(2,), **SHORT).fit(*data)
    display = NetworkDisplay.from_estimator(
        model,
        cmap="PiYG",
        colorbar=False,
        node_kwargs={"s": 7, "edgecolors": "red"},
        edge_kwargs={"linewidths": 3.0},
        text_kwargs={"fontsize": 4},
    )
    assert display.colorbar_ is None and len(display.figure_.axes) == 1
    assert display.nodes_[0].get_sizes().tolist() == [7]
    assert display.edges_[0].get_cmap().name == "PiYG"
    assert set(display.edges_[0].get_linewidths()) == {3.0}
    assert {text.get_fontsize() for text in display.texts_} == {4}


def test_names_have_room(data, frame):
    frame.columns = ["a long name that needs room", "b", "c"]
    model = MLPRegressor(hidden_layer_sizes=(2,), **SHORT).fit(frame, data[1])
    display = NetworkDisplay.from_estimator(model)
    display.figure_.canvas.draw()
    for text in display.texts_:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= display.figure_.bbox.x1
