"""Histograms and curves hold the places of y, and their bands what chance allows."""

import numpy as np
import pytest
from scipy import stats

from skmlp.displays import PITDisplay, QuantileCalibrationDisplay
from skmlp.distributions import Distribution
from skmlp.families import Poisson
from skmlp.metrics import miscalibration_area, pit_values

from .shared import CALIBRATION, legend, normal, two_targets


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
