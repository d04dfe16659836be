"""Predicted distributions along one feature."""

import numpy as np

from ..metrics import predicted_distributions
from ._along import column_of, find_feature, grid_between, numbers_of, rows_along, sampled
from ._base import Display, pyplot, styled

# What nearly all of a distribution is between, for the range of a heatmap.
OUTER_LEVELS = (0.005, 0.995)
# Share of a heatmap's cells that have colours of their own; the densest few are all of the last,
# or else one narrow or unbounded density would make all others pale. Two of 100 rows.
COLOURED_CELLS = 0.98


class DensityDisplay(Display):
    """Predicted distribution of y along one feature.

    Parameters
    ----------
    values : ndarray of shape (n_grid,)
        Increasing values of the feature.
    dist : Distribution
        Of one target, at these values.
    feature_name : str, default="x"
        Of the horizontal axis.
    target_name : str, default="y"
        Of the vertical axis.
    x, y : ndarray of shape (n_samples,) or None, default=None
        Data to scatter.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn; set by `plot`.
    bands_ : list of matplotlib PolyCollection
        Of a fan, one for each coverage from the largest to the smallest.
    line_ : matplotlib Line2D or None
        The median of a fan.
    mesh_ : matplotlib QuadMesh or None
        Of a heatmap.
    scatter_ : matplotlib PathCollection or None
        The data.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import DensityRegressor
    >>> from skmlp.displays import DensityDisplay
    >>> X = np.linspace(-1, 1, 300).reshape(-1, 1)
    >>> y = X[:, 0] ** 2 + np.random.default_rng(0).normal(scale=0.1, size=300)
    >>> model = DensityRegressor(early_stopping=True, random_state=0).fit(X, y)
    >>> display = DensityDisplay.from_estimator(model, X, y)
    >>> display.ax_.get_xlabel()
    'feature 0'
    >>> display = display.plot(kind="heatmap")
    """

    def __init__(self, *, values, dist, feature_name="x", target_name="y", x=None, y=None):
        self.values = values
        self.dist = dist
        self.feature_name = feature_name
        self.target_name = target_name
        self.x = x
        self.y = y

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        feature=0,
        kind="fan",
        coverages=(0.5, 0.8, 0.95),
        grid_resolution=100,
        subsample=1000,
        random_state=None,
        ax=None,
        **style,
    ):
        """Predict along one feature, with the other features held at typical values.

        These are medians (the lower of the two middle values, so that whole numbers remain), and
        the most frequent values of columns without numbers. The data are shown as they are, so
        where other features matter they need not follow the distributions.

        Parameters
        ----------
        estimator : object
            Fitted, with `predict_dist`; or a Pipeline or search whose last estimator has it.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that the range of the feature and the typical values of the others are taken from.
        y : array-like of shape (n_samples,), default=None
            Values to scatter.
        feature : int or str, default=0
            Position, or name of a column of a DataFrame. Shown from its smallest to its largest
            value.
        kind : {"fan", "heatmap"}, default="fan"
            See `plot`.
        coverages : sequence of float, default=(0.5, 0.8, 0.95)
            See `plot`.
        grid_resolution : int, default=100
            Number of values of the feature, and of y in a heatmap.
        subsample : int or None, default=1000
            Largest number of rows to scatter, None for all.
        random_state : int, RandomState instance or None, default=None
            Which rows these are.
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        **style
            Further arguments of `plot`.

        Returns
        -------
        display : DensityDisplay
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
            For several targets, a feature that X does not have or that cannot be varied, a y of
            another length, a `grid_resolution` below 2, a `subsample` below 1, or what `plot`
            refuses.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> from skmlp.displays import DensityDisplay
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(200, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=200)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> model = model.fit(X, y)
        >>> display = DensityDisplay.from_estimator(model, X, y, coverages=(0.5, 0.9), subsample=50)
        >>> len(display.bands_), len(display.scatter_.get_offsets())
        (2, 50)
        """
        pyplot(f"{cls.__name__}.from_estimator")
        X = X if hasattr(X, "columns") or hasattr(X, "toarray") else np.asarray(X)
        position, name = find_feature(X, feature)
        observed = numbers_of(column_of(X, position), feature)
        values = grid_between(observed, feature, grid_resolution)
        dist = predicted_distributions(estimator, rows_along(X, position, values))
        target_name, x = str(getattr(y, "name", None) or "y"), None
        if y is not None:
            x, y = sampled(observed, y, subsample, random_state)
        display = cls(
            values=values, dist=dist, feature_name=name, target_name=target_name, x=x, y=y
        )
        return display.plot(ax, kind=kind, coverages=coverages, **style)

    def plot(
        self,
        ax=None,
        *,
        kind="fan",
        coverages=(0.5, 0.8, 0.95),
        color="tab:blue",
        cmap="Blues",
        line_kwargs=None,
        scatter_kwargs=None,
    ):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        kind : {"fan", "heatmap"}, default="fan"
            The median in central intervals that are lighter the more they cover; or the density
            (of counts the probability) as a colour.
        coverages : sequence of float, default=(0.5, 0.8, 0.95)
            Of the intervals of a fan.
        color : matplotlib colour, default="tab:blue"
            Of a fan.
        cmap : str or Colormap, default="Blues"
            Of a heatmap.
        line_kwargs, scatter_kwargs : dict, default=None
            For ``ax.plot`` of the median and ``ax.scatter`` of the data.

        Returns
        -------
        self : object
            This display.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            For several targets, an unknown kind, or coverages that are not strictly between 0 and
            1.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.displays import DensityDisplay
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> x = np.linspace(0, 1, 20)
        >>> dist = Distribution(Normal(), {"loc": x, "scale": np.full(20, 0.1)})
        >>> display = DensityDisplay(values=x, dist=dist, target_name="y in metres")
        >>> display.plot(kind="heatmap").ax_.get_ylabel()
        'y in metres'
        """
        if kind not in ("fan", "heatmap"):
            raise ValueError(f"kind={kind!r} must be 'fan' or 'heatmap'.")
        dist, coverages = _single_target(self.dist), _decreasing(coverages)
        ax = self._draw_on(ax)
        self.bands_, self.line_, self.mesh_, self.scatter_ = [], None, None, None
        if kind == "fan":
            self._plot_fan(dist, coverages, color, line_kwargs)
        else:
            self._plot_heatmap(dist, cmap)
        if self.y is not None:
            style = styled(scatter_kwargs, color="black", s=9, alpha=0.4, linewidths=0, zorder=3)
            self.scatter_ = ax.scatter(self.x, self.y, **style)
        ax.set(xlabel=self.feature_name, ylabel=self.target_name)
        if kind == "fan":
            ax.legend()
        return self

    def _plot_fan(self, dist, coverages, color, line_kwargs):
        bounds = dist.interval(coverages)
        step = "mid" if dist.discrete else None
        shades = np.linspace(0.25, 0.6, len(coverages))
        for k, (coverage, shade) in enumerate(zip(coverages, shades, strict=True)):
            band = self.ax_.fill_between(
                self.values,
                *bounds[:, :, k].T,
                step=step,
                color=_lighter(color, shade),
                linewidth=0,
                label=f"{100 * coverage:.4g} % interval",
            )
            self.bands_.append(band)
        drawstyle = "steps-mid" if dist.discrete else "default"
        style = styled(line_kwargs, color=color, drawstyle=drawstyle, label="median")
        (self.line_,) = self.ax_.plot(self.values, dist.median(), **style)

    def _plot_heatmap(self, dist, cmap):
        ends = dist.ppf(OUTER_LEVELS)
        both = ends if self.y is None else np.append(ends, self.y)
        grid = np.linspace(both.min(), both.max(), len(self.values))
        if dist.discrete:
            grid = np.unique(np.round(grid))
        density = dist.pdf(grid[np.newaxis])
        top = np.quantile(density, COLOURED_CELLS)
        self.mesh_ = self.ax_.pcolormesh(
            self.values,
            grid,
            density.T,
            shading="nearest",
            cmap=cmap,
            vmin=0.0,
            vmax=top,
        )
        label = "probability" if dist.discrete else "density"
        extend = "max" if density.max() > top else "neither"
        self.figure_.colorbar(self.mesh_, ax=self.ax_, label=label, extend=extend)


def _single_target(dist):
    """Distributions without an axis for targets."""
    n_targets = getattr(dist, "n_targets", None)
    if n_targets is None:
        return dist
    if n_targets > 1:
        raise ValueError(
            f"DensityDisplay shows one target, but dist has {n_targets}. Take one of them: "
            "DensityDisplay(values=..., dist=model.predict_dist(rows).marginal(0)).plot()."
        )
    return dist.marginal(0)


def _decreasing(coverages):
    """Coverages from the largest to the smallest."""
    sorted_ = np.sort(np.atleast_1d(np.asarray(coverages, np.float64)))[::-1]
    if sorted_.ndim > 1 or not (len(sorted_) and np.all((sorted_ > 0) & (sorted_ < 1))):
        raise ValueError(f"coverages={coverages!r} must be numbers strictly between 0 and 1.")
    return sorted_


def _lighter(color, share):
    """A share of a colour in white."""
    from matplotlib.colors import to_rgb

    return tuple(1.0 - share * (1.0 - np.array(to_rgb(color))))
