"""Fans and heatmaps hold what predicted distributions say."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse, stats
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skmlp.displays import DensityDisplay, QuantileCalibrationDisplay
from skmlp.distributions import Distribution
from skmlp.families import Gamma, MultivariateNormal

from .shared import OfSizes, Poissons, TwoTargets, fitted, legend, two_targets


def test_fan_shows_quantiles_at_the_medians_of_other_features(data):
    X, y = data
    display = DensityDisplay.from_estimator(fitted(scale=2.0), X, y, coverages=(0.9, 0.4))
    center = display.values + 10 * np.median(X[:, 1:], axis=0).sum()
    assert display.values[[0, -1]].tolist() == [X[:, 0].min(), X[:, 0].max()]
    assert len(display.values) == 100
    np.testing.assert_allclose(display.line_.get_ydata(), center)
    for band, coverage in zip(display.bands_, (0.9, 0.4), strict=True):
        corners = band.get_paths()[0].vertices
        for sign in (-1, 1):
            edge = center + sign * 2.0 * stats.norm.ppf(0.5 + coverage / 2)
            far = np.abs(corners - np.column_stack([display.values, edge])[:, np.newaxis])
            assert far.max(axis=-1).min(axis=-1).max() < 1e-9
    np.testing.assert_array_equal(display.scatter_.get_offsets(), np.column_stack([X[:, 0], y]))
    assert legend(display) == ["90 % interval", "40 % interval", "median"]
    darkness = [band.get_facecolor()[0, :3].sum() for band in display.bands_]
    assert darkness[0] > darkness[1]


def test_heatmap_shows_the_density(data):
    X, y = data
    display = DensityDisplay.from_estimator(fitted(), X, kind="heatmap", grid_resolution=50)
    center = display.values + 10 * np.median(X[:, 1:], axis=0).sum()
    grid = np.linspace(*(center[[0, -1]] + stats.norm.ppf([0.005, 0.995])), 50)
    density = stats.norm.pdf(grid[:, np.newaxis], center)
    np.testing.assert_allclose(display.mesh_.get_array().reshape(50, 50), density)
    assert display.scatter_ is None is display.line_ and display.bands_ == []
    colorbar = display.figure_.axes[1]
    assert colorbar.get_ylabel() == "density"
    low, high = display.mesh_.get_clim()
    assert low == 0 and density.max() * 0.9 < high <= density.max()


def test_heatmap_includes_the_data(data):
    X, y = data
    y = y + 10 * np.median(X[:, 1:], axis=0).sum()
    y[:2] = -500, 700
    display = DensityDisplay.from_estimator(fitted(), X, y, kind="heatmap")
    heights = display.mesh_.get_coordinates()[..., 1]
    assert heights.min() < -500 and heights.max() > 700


def test_counts_are_steps_and_probabilities(data):
    X, _ = data
    display = DensityDisplay.from_estimator(Poissons(), X)
    assert display.line_.get_drawstyle() == "steps-mid"
    assert set(display.line_.get_ydata() % 1) == {0.0}
    smooth = DensityDisplay.from_estimator(fitted(), X)
    corners = [len(shown.bands_[0].get_paths()[0].vertices) for shown in (display, smooth)]
    assert corners[0] > 1.5 * corners[1]
    display = display.plot(kind="heatmap")
    rows = display.mesh_.get_array().reshape(-1, 100)
    expected = stats.poisson.pmf(np.arange(len(rows))[:, np.newaxis], np.exp(display.values))
    np.testing.assert_allclose(rows, expected)
    assert display.figure_.axes[1].get_ylabel() == "probability"


def test_an_unbounded_density_leaves_colours_for_the_others():
    values = np.linspace(1, 2, 100)
    law = {"shape": np.full(100, 0.5), "scale": values}
    display = DensityDisplay(values=values, dist=Distribution(Gamma(), law)).plot(kind="heatmap")
    assert display.mesh_.get_array().max() > 3 * display.mesh_.get_clim()[1]
    assert display.mesh_.colorbar.extend == "max"


def test_styles(data):
    X, y = data
    display = DensityDisplay.from_estimator(
        fitted(), X, y, color="red", line_kwargs={"lw": 5, "c": "k"}, scatter_kwargs={"alpha": 1}
    )
    assert display.line_.get_linewidth() == 5 and display.line_.get_color() == "k"
    assert display.scatter_.get_alpha() == 1
    assert display.bands_[0].get_facecolor()[0, 0] == 1.0
    curve = QuantileCalibrationDisplay(pit=y % 1).plot(color="red", label="mine").lines_[0]
    assert curve.get_color() == "red" and curve.get_label() == "mine"


def test_rows_to_scatter(data):
    X, y = data
    few = [
        DensityDisplay.from_estimator(fitted(), X, y, subsample=200, random_state=3)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(few[0].x, few[1].x)
    shown = set(zip(few[0].x, few[0].y, strict=True))
    assert len(shown) == 200 and shown < set(zip(X[:, 0], y, strict=True))
    assert len(DensityDisplay.from_estimator(fitted(), X, y, subsample=None).x) == 201


# Tables of all kinds


@pytest.mark.parametrize("feature", [1, -2])
@pytest.mark.parametrize(
    "kind", [np.asarray, np.ndarray.tolist, sparse.csr_array, sparse.csc_matrix, sparse.coo_array]
)
def test_arrays(data, kind, feature):
    X, _ = data
    model = fitted()
    display = DensityDisplay.from_estimator(model, kind(X), feature=feature, grid_resolution=7)
    assert display.ax_.get_xlabel() == "feature 1"
    rows = model.seen_.toarray() if sparse.issparse(model.seen_) else model.seen_
    assert sparse.issparse(model.seen_) == sparse.issparse(kind(X))
    expected = np.tile(np.median(X, axis=0), (7, 1))
    expected[:, 1] = np.linspace(X[:, 1].min(), X[:, 1].max(), 7)
    np.testing.assert_array_equal(rows, expected)


def test_missing_values_and_whole_numbers_are_held_as_they_are():
    X = np.array([[1.0, 0.0, np.nan], [2.0, 1.0, 7.0], [3.0, 1.0, 8.0], [np.nan, 0.0, np.nan]])
    model = fitted()
    display = DensityDisplay.from_estimator(model, X, grid_resolution=3)
    np.testing.assert_array_equal(model.seen_, [[1, 0, 7], [2, 0, 7], [3, 0, 7]])
    np.testing.assert_array_equal(display.values, [1, 2, 3])


def test_objects_keep_text():
    X = np.array([[1.0, "17"], [2.0, "17"], [4.0, "4"]], dtype=object)
    model = make_pipeline(make_column_transformer((OneHotEncoder(), [1])), fitted())
    model[:-1].fit(X)
    DensityDisplay.from_estimator(model, X)
    np.testing.assert_array_equal(model[-1].seen_[:, 0], np.ones(100))


@pytest.mark.parametrize("library", [pd, pl])
def test_data_frames(library):
    frame = library.DataFrame(
        {"size": [3, 1, 2], "colour": ["red", "blue", "red"], "new": [True, False, True]}
    )
    if library is pd:
        frame = frame.astype({"colour": "category"})
    model = OfSizes()
    y = library.Series("price", [1, 2, 3]) if library is pl else pd.Series([1, 2, 3], name="price")
    display = DensityDisplay.from_estimator(model, frame, y, feature="size", grid_resolution=5)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("size", "price")
    rows = model.seen_
    assert isinstance(rows, library.DataFrame) and list(rows.columns) == list(frame.columns)
    assert rows["size"].to_list() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert rows["colour"].to_list() == ["red"] * 5 and rows["new"].to_list() == [True] * 5
    assert rows["colour"].dtype == frame["colour"].dtype
    with pytest.raises(ValueError, match="feature='colour' holds no numbers"):
        DensityDisplay.from_estimator(model, frame, feature="colour")
    with pytest.raises(ValueError, match="feature='weight' is not a column of X, which has"):
        DensityDisplay.from_estimator(model, frame, feature="weight")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"feature": 3}, "feature=3 must be a position between 0 and 2"),
        ({"feature": 0.5}, "feature=0.5 must be a position"),
        ({"feature": "age"}, "feature='age' is a name, but X has no names"),
        ({"kind": "lines"}, "kind='lines' must be 'fan' or 'heatmap'"),
        ({"coverages": (0.5, 1.0)}, r"coverages=\(0.5, 1.0\) must be .* between 0 and 1"),
        ({"coverages": ()}, r"coverages=\(\) must be"),
        ({"grid_resolution": 1}, "grid_resolution=1 must be"),
        ({"subsample": 0.5}, "subsample=0.5 must be"),
        ({"y": np.zeros(3)}, r"y has shape \(3,\), but X has 201 rows"),
        ({"X": np.ones((201, 3))}, "feature=0 has fewer than two different values"),
        ({"X": np.zeros(201)}, r"X has shape \(201,\), but must be a table"),
    ],
)
def test_density_refusals(data, options, message, pyplot):
    arguments = dict(zip("Xy", data, strict=True)) | options
    with pytest.raises(ValueError, match=message):
        DensityDisplay.from_estimator(fitted(), **arguments)
    assert not pyplot.get_fignums()


def test_density_of_several_targets_is_refused(data):
    X, _ = data
    with pytest.raises(ValueError, match=r"one target, but dist has 2.*\.marginal\(0\)"):
        DensityDisplay.from_estimator(TwoTargets(), X)
    DensityDisplay(values=np.arange(5.0), dist=two_targets(5).marginal(1)).plot()
    law = {"loc": np.arange(5.0)[:, np.newaxis], "scale_tril": np.ones((5, 1, 1))}
    one = DensityDisplay(values=np.arange(5.0), dist=Distribution(MultivariateNormal(), law)).plot()
    np.testing.assert_allclose(one.line_.get_ydata(), np.arange(5.0))
