"""Originals and reconstructions stand where they belong, with the values that they have."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skmlp import AutoencoderOutlierDetector, AutoencoderTransformer
from skmlp.displays import ReconstructionDisplay

from .shared import legend

SHORT = {"max_iter": 2, "learning_rate": "one_cycle", "random_state": 0}


def autoencoder(**parameters):
    return AutoencoderTransformer(2, 4, **{**SHORT, **parameters})


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(size=(30, 12))


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_images_above_their_reconstructions(images):
    model = autoencoder().fit(images)
    display = ReconstructionDisplay.from_estimator(model, images, image_shape=(3, 4), n_samples=5)
    canvas = display.image_.get_array()
    # A gap of one pixel between images of 3 x 4.
    assert canvas.shape == (7, 5 * 5 - 1)
    rebuilt = model.reconstruct(images)
    for k in range(5):
        part = slice(5 * k, 5 * k + 4)
        np.testing.assert_array_equal(canvas[:3, part], images[k].reshape(3, 4))
        np.testing.assert_allclose(canvas[4:, part], rebuilt[k].reshape(3, 4))
    assert np.ma.masked_invalid(canvas).mask.sum() == canvas.size - 2 * 5 * 12
    assert ticks(display.ax_.yaxis) == ["original", "reconstruction"]
    assert display.ax_.get_yticks().tolist() == [1, 5]
    shown = images[:5]
    assert display.image_.get_clim() == (shown.min(), shown.max())
    np.testing.assert_array_equal(display.original, shown)
    np.testing.assert_allclose(display.reconstruction, rebuilt[:5])
    assert display.lines_ == display.reconstruction_lines_ == display.areas_ == []


def test_many_images_go_on_below(images):
    model = autoencoder().fit(images)
    display = ReconstructionDisplay.from_estimator(
        model, images, image_shape=(3, 4), n_samples=100, n_columns=12
    )
    assert len(display.original) == 30
    canvas = display.image_.get_array()
    assert canvas.shape == (3 * (2 * 3 + 1 + 3) - 3, 12 * 5 - 1)
    np.testing.assert_array_equal(canvas[10:13, 5:9], images[13].reshape(3, 4))
    np.testing.assert_allclose(canvas[24:27, 25:29], model.reconstruct(images)[29].reshape(3, 4))
    assert np.ma.masked_invalid(canvas)[20:, 30:].mask.all()
    assert ticks(display.ax_.yaxis) == ["original", "reconstruction"] * 3


def test_lines_are_the_rows_one_below_the_other(images):
    model = autoencoder().fit(images)
    display = ReconstructionDisplay.from_estimator(model, images, n_samples=4)
    levels = display.ax_.get_yticks()
    center = np.median(images[:4])
    for k in range(4):
        values = display.lines_[k].get_ydata() - levels[k] + center
        np.testing.assert_allclose(values, images[k])
        values = display.reconstruction_lines_[k].get_ydata() - levels[k] + center
        np.testing.assert_allclose(values, model.reconstruct(images)[k])
    both = np.array([line.get_ydata() for line in display.lines_])
    both = np.stack([both, [line.get_ydata() for line in display.reconstruction_lines_]])
    assert np.all(both[:, 1:].max(axis=(0, 2)) < both[:, :-1].min(axis=(0, 2)))
    assert ticks(display.ax_.yaxis) == ["0", "1", "2", "3"]
    assert legend(display) == ["original", "reconstruction"]
    assert len(display.areas_) == 4 and display.image_ is None


def test_features_of_other_units_are_standardised(images):
    images[:, 3] *= 1000
    model = autoencoder().fit(images)
    display = ReconstructionDisplay.from_estimator(model, images, n_samples=2)
    center, spread = images.mean(axis=0), images.std(axis=0)
    for k, line in enumerate(display.lines_):
        values = line.get_ydata() - display.ax_.get_yticks()[k]
        np.testing.assert_allclose(values, (images[k] - center) / spread)
    np.testing.assert_array_equal(display.original, images[:2])
    assert display.ax_.get_xlabel() == "every feature in its standard deviations"
    display = ReconstructionDisplay.from_estimator(model, images, standardize=False)
    assert display.scale is None and display.ax_.get_xlabel() == ""


def test_features_of_one_unit_are_standardised_if_told(images):
    model = autoencoder().fit(images)
    assert ReconstructionDisplay.from_estimator(model, images).scale is None
    display = ReconstructionDisplay.from_estimator(model, images, standardize=True)
    np.testing.assert_allclose(display.scale, images.std(axis=0))
    np.testing.assert_allclose(display.center, images.mean(axis=0))
    images[:, 0] = 1.0
    display = ReconstructionDisplay.from_estimator(model, images, standardize=True)
    assert display.scale[0] == 1.0
    assert ReconstructionDisplay.from_estimator(model, np.ones((3, 12))).scale is None


@pytest.mark.parametrize("library", [pd, pl])
def test_data_frames(library, images):
    names = [f"column {j}" for j in range(12)]
    frame = library.DataFrame(images, **{("columns" if library is pd else "schema"): names})
    if library is pd:
        frame.index = [f"patient {i}" for i in range(30)]
    model = autoencoder().set_output(transform="pandas").fit(frame)
    display = ReconstructionDisplay.from_estimator(model, frame, n_samples=2)
    assert ticks(display.ax_.xaxis) == names
    rows = ["patient 0", "patient 1"] if library is pd else ["0", "1"]
    assert ticks(display.ax_.yaxis) == rows
    np.testing.assert_allclose(display.original, images[:2])


@pytest.mark.parametrize("kind", [np.ndarray.tolist, sparse.csr_array, sparse.coo_array])
def test_other_tables(kind, images):
    images[images < 0.5] = 0.0
    model = autoencoder().fit(kind(images))
    display = ReconstructionDisplay.from_estimator(model, kind(images), standardize=True)
    np.testing.assert_array_equal(display.original, images[:10])
    np.testing.assert_allclose(display.scale, images.std(axis=0))


def test_many_features_have_no_names():
    X = np.random.default_rng(0).normal(size=(20, 41))
    display = ReconstructionDisplay.from_estimator(autoencoder().fit(X), X)
    assert display.ax_.get_xlabel() == "feature"
    assert display.lines_[0].get_marker() == "None"


# What is reconstructed


def test_detectors_and_other_transformers(images):
    frame = pd.DataFrame(images).add_prefix("pixel ")
    detector = AutoencoderOutlierDetector(autoencoder()).fit(frame)
    display = ReconstructionDisplay.from_estimator(detector, frame)
    np.testing.assert_allclose(display.reconstruction, detector.reconstruct(frame)[:10])
    assert display.feature_names == frame.columns.tolist()
    pca = PCA(2).fit(images)
    display = ReconstructionDisplay.from_estimator(pca, images)
    expected = pca.inverse_transform(pca.transform(images))[:10]
    np.testing.assert_allclose(display.reconstruction, expected)


def test_a_pipeline_goes_back_to_the_units_of_x(images):
    frame = pd.DataFrame(images * 50 + 7).add_prefix("pixel ")
    model = make_pipeline(StandardScaler(), PCA(6), autoencoder()).fit(frame)
    display = ReconstructionDisplay.from_estimator(model, frame, image_shape=(3, 4))
    np.testing.assert_array_equal(display.original, frame[:10])
    expected = model.inverse_transform(model.transform(frame[:10]))
    np.testing.assert_allclose(display.reconstruction, expected)
    assert display.feature_names == frame.columns.tolist()


def test_a_step_without_a_way_back_is_kept(images):
    model = make_pipeline(FunctionTransformer(np.log1p), autoencoder()).fit(images)
    display = ReconstructionDisplay.from_estimator(model, images)
    np.testing.assert_allclose(display.original, np.log1p(images[:10]))
    expected = model[-1].reconstruct(np.log1p(images[:10]))
    np.testing.assert_allclose(display.reconstruction, expected)
    both_ways = FunctionTransformer(np.log1p, np.expm1)
    model = make_pipeline(both_ways, autoencoder()).fit(images)
    display = ReconstructionDisplay.from_estimator(model, images)
    np.testing.assert_array_equal(display.original, images[:10])


def test_text_is_shown_as_the_autoencoder_sees_it():
    X = np.resize(["red", "green", "blue"], (24, 1)).astype(object)
    model = make_pipeline(OneHotEncoder(sparse_output=False), autoencoder()).fit(X)
    display = ReconstructionDisplay.from_estimator(model, X)
    np.testing.assert_array_equal(display.original, model[0].transform(X[:10]))
    assert ticks(display.ax_.xaxis) == ["x0_blue", "x0_green", "x0_red"]


# Refusals and styles


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"image_shape": (3, 3)},
            r"image_shape=\(3, 3\) makes 9 pixels, .* have 12 features",
        ),
        ({"image_shape": (12,)}, r"image_shape=\(12,\) must be a pair of whole numbers"),
        ({"image_shape": (3.0, 4)}, r"image_shape=\(3.0, 4\) must be a pair"),
        ({"image_shape": (-3, -4)}, r"image_shape=\(-3, -4\) must be a pair"),
        ({"image_shape": 12}, "image_shape=12 must be a pair"),
        ({"n_samples": 0}, "n_samples=0 must be a whole number of at least 1"),
        ({"n_samples": 2.5}, "n_samples=2.5 must be"),
        ({"standardize": "yes"}, "standardize='yes' must be True, False or 'auto'"),
        ({"n_columns": 0, "image_shape": (3, 4)}, "n_columns=0 must be a whole number"),
    ],
)
def test_refusals(options, message, images, pyplot):
    model = autoencoder().fit(images)
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay.from_estimator(model, images, **options)
    assert not pyplot.get_fignums()


def test_a_wrong_shape_of_square_images_is_told_the_right_one():
    X = np.random.default_rng(0).uniform(size=(20, 9))
    with pytest.raises(ValueError, match=r"of that product, such as \(3, 3\)"):
        ReconstructionDisplay.from_estimator(autoencoder().fit(X), X, image_shape=(2, 4))


def test_styles(images):
    model = autoencoder().fit(images)
    display = ReconstructionDisplay.from_estimator(
        model, images, line_kwargs={"c": "red", "label": "row"}, reconstruction_kwargs={"lw": 3}
    )
    assert {line.get_color() for line in display.lines_} == {"red"}
    assert {line.get_linewidth() for line in display.reconstruction_lines_} == {3}
    assert legend(display) == ["row", "reconstruction"]
    display = ReconstructionDisplay.from_estimator(
        model, images, image_shape=(3, 4), cmap="magma", image_kwargs={"vmin": -1.0}
    )
    assert display.image_.get_cmap().name == "magma"
    assert display.image_.get_clim()[0] == -1.0


@pytest.mark.parametrize("n_samples", [1, 10])
def test_long_names_have_room(n_samples, images):
    frame = pd.DataFrame(images).add_prefix("a very long name of a column, number ")
    display = ReconstructionDisplay.from_estimator(
        autoencoder().fit(frame), frame, n_samples=n_samples
    )
    display.figure_.canvas.draw()
    names = display.ax_.get_xticklabels()
    assert len({name.get_text() for name in names}) == 12  # their ends are not cut off
    assert min(name.get_window_extent().y0 for name in names) >= 0
    assert display.ax_.get_window_extent().height > 50
