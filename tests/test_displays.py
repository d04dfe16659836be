"""Figures show what they say: the artists hold the numbers that formulas give."""

import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse, stats
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmlp import DensityRegressor, displays
from skmlp.displays import DensityDisplay, PITDisplay, QuantileCalibrationDisplay
from skmlp.distributions import Distribution
from skmlp.families import Gamma, MultivariateNormal, Normal, Poisson
from skmlp.metrics import miscalibration_area, pit_values

CALIBRATION = [PITDisplay, QuantileCalibrationDisplay]


@pytest.fixture(autouse=True)
def pyplot():
    """matplotlib.pyplot that draws to memory, without figures of others."""
    backend = matplotlib.get_backend()
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")
    matplotlib.use(backend)


def normal(loc, scale):
    loc = np.asarray(loc, float)
    return Distribution(Normal(), {"loc": loc, "scale": np.broadcast_to(scale, loc.shape)})


def two_targets(n, scale=1.0):
    chol = np.broadcast_to(scale * np.eye(2), (n, 2, 2))
    return Distribution(MultivariateNormal(), {"loc": np.zeros((n, 2)), "scale_tril": chol})


class FirstFeature(RegressorMixin, BaseEstimator):
    """Normal about the first column plus those of others; remembers the last X."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return self.predict_dist(X).mean()

    def predict_dist(self, X):
        self.seen_ = X
        X = X.toarray() if hasattr(X, "toarray") else np.asarray(X, float)
        return normal(X[:, 0] + 10 * X[:, 1:].sum(axis=1), self.scale)


class Poissons(FirstFeature):
    def predict_dist(self, X):
        return Distribution(Poisson(), {"mean": np.exp(np.asarray(X, float)[:, 0])})


class OfSizes(FirstFeature):
    def predict_dist(self, X):
        self.seen_ = X
        return normal(X["size"].to_numpy(), 1.0)


class TwoTargets(FirstFeature):
    def predict_dist(self, X):
        return two_targets(len(X))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(201, 3)) + [0, 5, 5]
    return X, X[:, 0] + rng.normal(size=201)


def fitted(**parameters):
    return FirstFeature(**parameters).fit(np.zeros((2, 3)), np.zeros(2))


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


# Conventions


def test_public_names_exist():
    assert sorted(set(displays.__all__)) == displays.__all__
    assert all(hasattr(displays, name) for name in displays.__all__)


def test_matplotlib_is_imported_when_it_is_needed():
    code = "import sys, skmlp.displays; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib(monkeypatch, data):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    X, y = data
    message = r"needs matplotlib. Install it by: pip install skmlp\[plot\]"
    for cls in (DensityDisplay, *CALIBRATION):
        with pytest.raises(ImportError, match=rf"{cls.__name__}.from_estimator {message}"):
            cls.from_estimator(fitted(), X, y)
    for cls in CALIBRATION:
        with pytest.raises(ImportError, match=rf"{cls.__name__}.from_predictions {message}"):
            cls.from_predictions(y, normal(y, 1.0))
        with pytest.raises(ImportError, match=rf"^{cls.__name__} {message}"):
            cls(pit=y).plot()


@pytest.mark.parametrize("cls", [DensityDisplay, *CALIBRATION])
def test_displays_follow_the_conventions(cls, data, pyplot):
    X, y = data
    display = cls.from_estimator(fitted(), X, y)
    assert display.figure_ is display.ax_.figure is pyplot.gcf()
    assert display.ax_.has_data() and display.ax_.get_xlabel() and display.ax_.get_ylabel()
    first, (_, ax) = display.ax_, pyplot.subplots()
    assert display.plot(ax) is display
    assert display.ax_ is ax is not first and display.figure_ is ax.figure
    assert cls.from_estimator(fitted(), X, y, ax=ax).ax_ is ax
    assert len(pyplot.get_fignums()) == 2


@pytest.mark.parametrize("cls", [DensityDisplay, *CALIBRATION])
def test_pipelines_and_searches_are_accepted(cls, data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), FirstFeature())
    for model in (pipeline, GridSearchCV(pipeline, {"firstfeature__scale": [2.0]}, cv=2)):
        display = cls.from_estimator(model.fit(X, y), X, y)
        if cls is not DensityDisplay:
            assert display.name == "FirstFeature"
    for model in (Ridge(), make_pipeline(StandardScaler(), Ridge())):
        with pytest.raises(TypeError, match="^Ridge.* has no predict_dist"):
            cls.from_estimator(model.fit(X, y), X, y)


def test_a_network_is_shown(data):
    X, y = data
    model = DensityRegressor(learning_rate="one_cycle", max_iter=3, random_state=0).fit(X, y)
    for cls in (DensityDisplay, *CALIBRATION):
        cls.from_estimator(model, X, y)
    display = QuantileCalibrationDisplay.from_estimator(model, X, y)
    np.testing.assert_allclose(display.pit, model.pit(X, y))
    assert legend(display)[-1].startswith("DensityRegressor (area ")


# Densities


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


# Calibration


def test_histogram_and_its_band():
    y = np.random.default_rng(0).normal(size=400)
    pit = stats.norm.cdf(y)
    display = PITDisplay.from_predictions(y, normal(np.zeros(400), 1.0), n_bins=8, coverage=0.9)
    heights, edges, _ = display.bars_[0].get_data()
    np.testing.assert_allclose(heights, np.histogram(pit, 8, (0, 1), density=True)[0])
    np.testing.assert_array_equal(edges, np.linspace(0, 1, 9))
    tail = 0.1 / 8 / 2
    bounds = stats.binom.ppf([tail, 1 - tail], 400, 1 / 8) * 8 / 400
    extent = display.band_.get_extents().transformed(display.ax_.transData.inverted())
    np.testing.assert_allclose([extent.y0, extent.y1], bounds)
    assert list(display.line_.get_ydata()) == [1, 1]
    assert legend(display) == ["by chance (90 %)", "uniform"]


def is_inside(display):
    heights = display.bars_[0].get_data().values
    extent = display.band_.get_extents().transformed(display.ax_.transData.inverted())
    return extent.y0 - 1e-9 <= heights.min() and heights.max() <= extent.y1 + 1e-9


def test_right_distributions_stay_in_the_bands_and_others_do_not(pyplot):
    rng = np.random.default_rng(0)
    inside = {"bars": 0, "curve": 0}
    _, axes = pyplot.subplots()
    for _ in range(30):
        pit = rng.uniform(size=100)
        inside["bars"] += is_inside(PITDisplay(pit=pit).plot(axes))
        axes.clear()
        inside["curve"] += not outside_by(QuantileCalibrationDisplay(pit=pit).plot(axes))
        axes.clear()
    assert all(26 <= count for count in inside.values())
    y = rng.normal(size=1000)
    for scale in (0.7, 1.4):
        wrong = normal(np.zeros(1000), scale)
        assert not is_inside(PITDisplay.from_predictions(y, wrong))
        assert outside_by(QuantileCalibrationDisplay.from_predictions(y, wrong))


def outside_by(display):
    """Whether a curve leaves the band."""
    x, g = display.lines_[0].get_data()
    width = np.ptp(display.band_.get_paths()[0].vertices[:, 1]) / 2 - 0.5
    return np.max(np.abs(g - x)) > width


def test_calibration_curve_is_the_share_below_the_quantiles():
    rng = np.random.default_rng(0)
    loc, weight = rng.normal(size=50), rng.uniform(size=50)
    y, dist = loc + rng.normal(size=50), normal(loc, 0.5)
    display = QuantileCalibrationDisplay.from_predictions(y, dist, sample_weight=weight)
    x, g = display.lines_[0].get_data()
    assert display.lines_[0].get_drawstyle() == "steps-post"
    for level in (0.03, 0.3, 0.5, 0.9):
        share = np.average(y <= dist.ppf(level), weights=weight)
        assert g[np.searchsorted(x, level, side="right") - 1] == pytest.approx(share)
    area = miscalibration_area(y, dist, sample_weight=weight)
    assert display.areas_ == [area]
    n = weight.sum() ** 2 / np.sum(weight**2)
    width = np.sqrt(np.log(2 / 0.05) / (2 * n))
    edges = display.band_.get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([edges.min(), edges.max()], [-width, 1 + width])
    assert legend(display) == ["by chance (95 %)", "calibrated", f"area {area:.3f}"]


def test_weights_count_in_both():
    rng = np.random.default_rng(0)
    pit, weight = rng.uniform(size=40), np.repeat([1.0, 3.0], 20)
    display = PITDisplay(pit=pit, sample_weight=weight).plot()
    repeated = PITDisplay(pit=np.repeat(pit, weight.astype(int))).plot()
    np.testing.assert_allclose(*(d.bars_[0].get_data().values for d in (display, repeated)))
    # Kish: 80^2 / (20 + 180) = 32 rows.
    plain = PITDisplay(pit=pit[:32]).plot()
    np.testing.assert_allclose(*(d.band_.get_extents().height for d in (display, plain)), rtol=0.2)
    curves = [
        QuantileCalibrationDisplay(pit=pit, sample_weight=weight).plot(),
        QuantileCalibrationDisplay(pit=pit[:32]).plot(),
    ]
    np.testing.assert_allclose(*(d.band_.get_paths()[0].vertices for d in curves))


def test_several_targets_have_one_curve_each():
    y = np.random.default_rng(0).normal(size=(300, 2)) * [1.0, 3.0]
    dist = two_targets(300)
    bars = PITDisplay.from_predictions(y, dist, name="model")
    assert legend(bars)[:2] == ["model, target 0", "model, target 1"]
    curves = QuantileCalibrationDisplay.from_predictions(y, dist)
    for j in range(2):
        alone = miscalibration_area(y[:, j], dist.marginal(j))
        assert curves.areas_[j] == pytest.approx(alone)
        assert legend(curves)[2 + j] == f"target {j} (area {alone:.3f})"
        heights = bars.bars_[j].get_data().values
        np.testing.assert_allclose(heights, np.histogram(bars.pit[:, j], 10, (0, 1))[0] / 30)


@pytest.mark.parametrize("cls", CALIBRATION)
def test_two_models_share_what_chance_allows(cls):
    y = np.random.default_rng(0).normal(size=100)
    first = cls.from_predictions(y, normal(np.zeros(100), 1.0), name="right")
    second = cls.from_predictions(y, normal(np.zeros(100), 0.5), name="narrow", ax=first.ax_)
    assert first.band_ is not None and second.band_ is None
    labels = [text.split(" (area")[0] for text in legend(second)]
    assert sorted(labels)[1:] in (["calibrated", "narrow", "right"], ["narrow", "right", "uniform"])


def test_counts_are_placed_by_the_random_state():
    rate = np.linspace(0.5, 3.0, 50)
    y, dist = np.random.default_rng(0).poisson(rate), Distribution(Poisson(), {"mean": rate})
    display = PITDisplay.from_predictions(y, dist, random_state=4)
    np.testing.assert_array_equal(display.pit, pit_values(y, dist, random_state=4))


def test_calibration_refusals(pyplot):
    pit = np.linspace(0, 1, 5)
    for cls in CALIBRATION:
        for coverage in (0, 1, "most"):
            with pytest.raises(ValueError, match="coverage=.* strictly between 0 and 1"):
                cls(pit=pit).plot(coverage=coverage)
    for n_bins in (0, 2.5):
        with pytest.raises(ValueError, match=f"n_bins={n_bins} must be a whole number"):
            PITDisplay(pit=pit).plot(n_bins=n_bins)
    assert not pyplot.get_fignums()
