"""Where y is in its predicted distributions: figures of their calibration."""

from numbers import Integral, Real

import numpy as np

from ..metrics import (
    area_of_pit,
    chance_band,
    checked_weight,
    observed_levels,
    pit_values,
    predicted_distributions,
    unwrap,
)
from ._base import Display, pyplot, styled


class _CalibrationFigure(Display):
    """Base class of displays of `skmlp.metrics.pit_values`."""

    def __init__(self, *, pit, sample_weight=None, name=None):
        self.pit = pit
        self.sample_weight = sample_weight
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        sample_weight=None,
        random_state=None,
        name=None,
        ax=None,
        **style,
    ):
        """Predict distributions and see where y is in them.

        Parameters
        ----------
        estimator : object
            Fitted, with `predict_dist`; or a Pipeline or search whose last estimator has it.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that training has not seen.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Observed values, in the units of `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        random_state : int, RandomState, Generator or None, default=None
            Source of the places of counts, see `skmlp.metrics.pit_values`.
        name : str, default=None
            In the legend; None for the name of the estimator's class.
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        **style
            Further arguments of `plot`.

        Returns
        -------
        display : object
            The display, drawn.

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError
            For an estimator that is not fitted.
        TypeError
            If no `predict_dist` is found.
        ValueError
            For shapes that do not match, numbers that are not finite, bad weights, or what `plot`
            refuses.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> from skmlp.displays import PITDisplay
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(200, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=200)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> display = PITDisplay.from_estimator(model.fit(X[:100], y[:100]), X[100:], y[100:])
        >>> display.pit.shape
        (100,)
        """
        pyplot(f"{cls.__name__}.from_estimator")
        if name is None:
            name = type(unwrap(estimator, "predict_dist")[1]).__name__
        return cls.from_predictions(
            y,
            predicted_distributions(estimator, X),
            sample_weight=sample_weight,
            random_state=random_state,
            name=name,
            ax=ax,
            **style,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        dist,
        *,
        sample_weight=None,
        random_state=None,
        name=None,
        ax=None,
        **style,
    ):
        """See where y is in given distributions.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
            Observed values, in the units of `dist`.
        dist : Distribution
            Of the same rows.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        random_state : int, RandomState, Generator or None, default=None
            Source of the places of counts, see `skmlp.metrics.pit_values`.
        name : str, default=None
            In the legend.
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        **style
            Further arguments of `plot`.

        Returns
        -------
        display : object
            The display, drawn.

        Raises
        ------
        ImportError
            Without matplotlib.
        TypeError
            For a `dist` without `cdf` and a length.
        ValueError
            For shapes that do not match, numbers that are not finite, bad weights, or what `plot`
            refuses.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.displays import QuantileCalibrationDisplay
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> y = np.random.default_rng(0).normal(size=200)
        >>> dist = Distribution(Normal(), {"loc": np.full(200, 10.0), "scale": np.ones(200)})
        >>> display = QuantileCalibrationDisplay.from_predictions(y, dist)
        >>> round(display.areas_[0], 2)  # all y lie below all predictions: 1/2, the worst
        0.5
        """
        pyplot(f"{cls.__name__}.from_predictions")
        pit = pit_values(y_true, dist, random_state=random_state)
        return cls(pit=pit, sample_weight=sample_weight, name=name).plot(ax, **style)

    def _by_target(self):
        """Pairs of label (None for none) and values, one for each target."""
        if np.ndim(self.pit) == 1:
            return [(self.name, self.pit)]
        prefix = "" if self.name is None else f"{self.name}, "
        return [(f"{prefix}target {j}", pit) for j, pit in enumerate(np.transpose(self.pit))]

    def _is_first(self, label):
        """Whether no other display has drawn what chance allows on these axes."""
        return label not in self.ax_.get_legend_handles_labels()[1]

    def _n_effective(self):
        """Number of rows; with weights that of Kish (1965), as many equal ones vary as much."""
        weight = checked_weight(self.sample_weight, len(self.pit))
        return weight.sum() ** 2 / np.sum(weight**2)


class PITDisplay(_CalibrationFigure):
    """Histogram of probability integral transforms, the places of y in its distributions.

    Right distributions give equal bars but for chance. Bars that are highest at both ends tell of
    distributions that are too narrow, a hill in the middle of too wide ones, a slope of
    predictions that are too high or too low.

    Parameters
    ----------
    pit : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Several targets have one histogram each, in outline.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    name : str, default=None
        In the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn; set by `plot`.
    bars_ : list of matplotlib StepPatch
        One for each target.
    line_ : matplotlib Line2D or None
        The uniform density; None if the axes had one already, of another display.
    band_ : matplotlib Polygon or None
        What chance allows; None as for `line_`.

    See Also
    --------
    QuantileCalibrationDisplay : The same as a curve, which needs no bins.

    References
    ----------
    Gneiting, Balabdaoui and Raftery (2007), Probabilistic forecasts, calibration and sharpness,
    JRSS B 69.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import ndtri
    >>> from skmlp.displays import PITDisplay
    >>> from skmlp.distributions import Distribution
    >>> from skmlp.families import Normal
    >>> y = ndtri((np.arange(1000) + 0.5) / 1000)
    >>> narrow = Distribution(Normal(), {"loc": np.zeros(1000), "scale": np.full(1000, 0.5)})
    >>> display = PITDisplay.from_predictions(y, narrow)
    >>> display.ax_.get_xlabel()
    'probability integral transform'
    """

    def plot(self, ax=None, *, n_bins=10, coverage=0.95, color=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        n_bins : int, default=10
            Bars between 0 and 1.
        coverage : float, default=0.95
            Least probability that all bars of right distributions are inside the band at once, by
            binomial counts and Bonferroni's inequality.
        color : matplotlib colour, default=None
            Of the bars; several targets have the colours of the axes' cycle.

        Returns
        -------
        self : object
            This display.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If `n_bins` is not a whole number of at least 1, for a `coverage` that is not strictly
            between 0 and 1, or for bad weights.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.displays import PITDisplay
        >>> display = PITDisplay(pit=np.linspace(0, 1, 1001), name="right").plot(n_bins=4)
        >>> display.bars_[0].get_data().values.round(2)  # densities
        array([1., 1., 1., 1.])
        """
        if not isinstance(n_bins, Integral) or n_bins < 1:
            raise ValueError(f"n_bins={n_bins!r} must be a whole number of at least 1.")
        _check_band(coverage)
        ax = self._draw_on(ax)
        targets = self._by_target()
        styles = [{"linewidth": 1.5, "color": f"C{k}"} for k in range(len(targets))]
        if len(targets) == 1:
            styles = [{"fill": True, "alpha": 0.6, "color": color}]
        weight = checked_weight(self.sample_weight, len(self.pit))
        self.bars_ = []
        for (label, pit), style in zip(targets, styles, strict=True):
            counts, edges = np.histogram(pit, bins=n_bins, range=(0.0, 1.0), weights=weight)
            density = counts * (n_bins / weight.sum())
            self.bars_.append(ax.stairs(density, edges, label=label, **style))
        self.band_ = self.line_ = None
        if self._is_first("uniform"):
            self._plot_reference(n_bins, coverage)
        ax.set(xlabel="probability integral transform", ylabel="density", xlim=(0.0, 1.0))
        ax.set_ylim(bottom=0.0)
        ax.legend()
        return self

    def _plot_reference(self, n_bins, coverage):
        n = max(1, round(self._n_effective()))
        low, high = n_bins * chance_band(n, 1.0 / n_bins, 1.0 - (1.0 - coverage) / n_bins)
        self.band_ = self.ax_.axhspan(low, high, **_band_style(coverage))
        self.line_ = self.ax_.axhline(1.0, color="black", linestyle="--", label="uniform")


class QuantileCalibrationDisplay(_CalibrationFigure):
    """Share of y below predicted quantiles, against the levels of these.

    Right distributions follow the diagonal but for chance. A curve that is flatter than it in the
    middle tells of distributions that are too narrow, a steeper one of too wide ones, a curve
    above it of predictions that are too high.

    Parameters
    ----------
    pit : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Values of `skmlp.metrics.pit_values`; several targets have one curve each.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    name : str, default=None
        In the legend, before the `skmlp.metrics.miscalibration_area`.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn; set by `plot`.
    areas_ : list of float
        Miscalibration areas, one for each target.
    lines_ : list of matplotlib Line2D
        One for each target.
    diagonal_ : matplotlib Line2D or None
        None if the axes had one already, of another display.
    band_ : matplotlib PolyCollection or None
        What chance allows; None as for `diagonal_`.

    See Also
    --------
    PITDisplay : The same as a histogram.

    References
    ----------
    Kuleshov, Fenner and Ermon (2018), Accurate uncertainties for deep learning using calibrated
    regression, ICML. Massart (1990), The tight constant in the Dvoretzky-Kiefer-Wolfowitz
    inequality, Annals of Probability 18 (the band).

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import ndtri
    >>> from skmlp.displays import QuantileCalibrationDisplay
    >>> from skmlp.distributions import Distribution
    >>> from skmlp.families import Normal
    >>> y = ndtri((np.arange(1000) + 0.5) / 1000)
    >>> narrow = Distribution(Normal(), {"loc": np.zeros(1000), "scale": np.full(1000, 0.5)})
    >>> display = QuantileCalibrationDisplay.from_predictions(y, narrow, name="too narrow")
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()][-1]
    'too narrow (area 0.102)'
    """

    def plot(self, ax=None, *, coverage=0.95, **line_kwargs):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None for those of a new figure; those of another display compare the two.
        coverage : float, default=0.95
            Least probability that the whole curve of right distributions is inside the band.
        **line_kwargs
            For ``ax.plot`` of the curves.

        Returns
        -------
        self : object
            This display.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            For a `coverage` that is not strictly between 0 and 1, or for bad weights.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.displays import QuantileCalibrationDisplay
        >>> display = QuantileCalibrationDisplay(pit=np.linspace(0, 1, 101) ** 2)
        >>> display = display.plot(color="black")
        >>> round(display.areas_[0], 2)  # the integral of sqrt(p) - p
        0.17
        """
        _check_band(coverage)
        ax = self._draw_on(ax)
        self.diagonal_ = self.band_ = None
        if self._is_first("calibrated"):
            self._plot_reference(coverage)
        self.areas_, self.lines_ = [], []
        for label, pit in self._by_target():
            steps, observed = observed_levels(pit, self.sample_weight)
            self.areas_.append(area_of_pit(pit, self.sample_weight))
            area = f"area {self.areas_[-1]:.3f}"
            style = styled(
                line_kwargs,
                drawstyle="steps-post",
                label=area if label is None else f"{label} ({area})",
            )
            x, g = np.concatenate([[0.0], steps, [1.0]]), np.concatenate([[0.0], observed, [1.0]])
            self.lines_ += ax.plot(x, g, **style)
        ax.set(xlabel="level of the quantile", ylabel="share of y below it", aspect="equal")
        ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
        ax.legend()
        return self

    def _plot_reference(self, coverage):
        level = np.array([0.0, 1.0])
        width = np.sqrt(np.log(2.0 / (1.0 - coverage)) / (2.0 * self._n_effective()))
        self.band_ = self.ax_.fill_between(
            level, level - width, level + width, **_band_style(coverage)
        )
        (self.diagonal_,) = self.ax_.plot(
            level, level, color="black", linestyle="--", label="calibrated"
        )


def _band_style(coverage):
    label = f"by chance ({100 * coverage:.4g} %)"
    return {"color": "black", "alpha": 0.12, "linewidth": 0, "label": label}


def _check_band(coverage):
    if not (isinstance(coverage, Real) and 0 < coverage < 1):
        raise ValueError(f"coverage={coverage!r} must be a number strictly between 0 and 1.")
