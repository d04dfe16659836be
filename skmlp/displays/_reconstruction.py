"""Rows and what an autoencoder makes of them."""

from math import isqrt
from numbers import Integral

import numpy as np
from sklearn.preprocessing import StandardScaler

from ._base import Display, pyplot, shortened, styled
from ._inside import feature_names, innermost, lacks, through

# Features are drawn by their own scales where the largest standard deviation is so many times the
# median: they can hardly have one unit.
UNLIKE = 10.0
# Pictures in a row; pixels between a picture and its reconstruction, as a share of the height.
COLUMNS, GAP = 10, 0.08
# With no more features than this their names are written.
NAMED_FEATURES = 40


class ReconstructionDisplay(Display):
    """Rows above, or under, their reconstructions: as images, or as lines over the features.

    Parameters
    ----------
    original, reconstruction : ndarray of shape (n_samples, n_features)
        The rows, and what is made of them, in the same units.
    image_shape : pair of int or None, default=None
        Height and width of the rows as images; None for lines.
    feature_names : sequence of str or None, default=None
        Written under lines of up to 40 features; None for none.
    row_names : sequence of str or None, default=None
        None for numbers from 0.
    center, scale : ndarray of shape (n_features,) or None, default=None
        What lines are drawn of is (value - center) / scale; None for the values themselves.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn; set by `plot`.
    image_ : matplotlib AxesImage or None
        All images in one.
    lines_, reconstruction_lines_ : list of matplotlib Line2D
        One for each row.
    areas_ : list of matplotlib PolyCollection
        The differences, one for each row.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skmlp.displays import ReconstructionDisplay
    >>> X = load_digits().data
    >>> pca = PCA(8).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(pca, X, image_shape=(8, 8))
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['original', 'reconstruction']
    """

    def __init__(
        self,
        *,
        original,
        reconstruction,
        image_shape=None,
        feature_names=None,
        row_names=None,
        center=None,
        scale=None,
    ):
        self.original = original
        self.reconstruction = reconstruction
        self.image_shape = image_shape
        self.feature_names = feature_names
        self.row_names = row_names
        self.center = center
        self.scale = scale

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        image_shape=None,
        n_samples=10,
        standardize="auto",
        ax=None,
        **style,
    ):
        """Reconstruct the first rows of X.

        In a Pipeline rows go through all steps and back again, so that both are in the units of
        X. If a step has no way back, they are shown as they come to the autoencoder.

        Parameters
        ----------
        estimator : object
            Fitted, with `reconstruct`, such as `AutoencoderTransformer` and
            `AutoencoderOutlierDetector`, or with `transform` and `inverse_transform`, such as
            PCA; or a Pipeline or a fitted search whose last estimator has them.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, of which the first are shown; all of them give the standard deviations.
        image_shape : pair of int, default=None
            Height and width if rows are images.
        n_samples : int, default=10
            Largest number of rows to show.
        standardize : bool or "auto", default="auto"
            Whether lines are drawn in standard deviations of the features of X. "auto" does so
            where the features can hardly have one unit: one varies more than ten times as much
            as their median.
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        **style
            Further arguments of `plot`.

        Returns
        -------
        display : ReconstructionDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError
            For an estimator that is not fitted.
        TypeError
            For one that cannot reconstruct.
        ValueError
            For an `image_shape` of another number of pixels than there are features, an
            `n_samples` below 1, another `standardize`, or what `plot` refuses.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.decomposition import PCA
        >>> from skmlp.displays import ReconstructionDisplay
        >>> X = load_iris().data
        >>> display = ReconstructionDisplay.from_estimator(PCA(2).fit(X), X, n_samples=3)
        >>> len(display.lines_)
        3
        """
        caller = f"{cls.__name__}.from_estimator"
        pyplot(caller)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r} must be a whole number of at least 1.")
        if standardize not in (True, False, "auto"):
            raise ValueError(f"standardize={standardize!r} must be True, False or 'auto'.")
        steps, inner = innermost(estimator, "reconstruct")
        if not _can_reconstruct(inner):
            remedy = (
                "Give an AutoencoderTransformer, an AutoencoderOutlierDetector, or a transformer "
                "with inverse_transform."
            )
            raise lacks(caller, "the result of reconstruct", inner, estimator, remedy)
        X = X if hasattr(X, "shape") else np.asarray(X)
        X = X.tocsr() if hasattr(X, "tocsr") else X
        original, rebuilt, back = _there_and_back(steps, inner, X[:n_samples])
        image_shape = _checked_image_shape(image_shape, original.shape[1])
        center = scale = None
        if image_shape is None and standardize:
            table = X if back else through(steps, X)
            center, scale = _scales(table, always=standardize is True)
        display = cls(
            original=original,
            reconstruction=rebuilt,
            image_shape=image_shape,
            feature_names=_names(X if back else None, steps, inner, original.shape[1]),
            row_names=_row_names(X, len(original)),
            center=center,
            scale=scale,
        )
        return display.plot(ax, **style)

    def plot(
        self,
        ax=None,
        *,
        n_columns=COLUMNS,
        cmap="gray",
        image_kwargs=None,
        line_kwargs=None,
        reconstruction_kwargs=None,
    ):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        n_columns : int, default=10
            Images side by side; further ones stand below.
        cmap : str or Colormap, default="gray"
            Of images. It spans the values of the originals.
        image_kwargs : dict, default=None
            For ``ax.imshow``.
        line_kwargs, reconstruction_kwargs : dict, default=None
            For ``ax.plot`` of the rows and of their reconstructions.

        Returns
        -------
        self : object
            This display.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If `n_columns` is not a whole number of at least 1.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.displays import ReconstructionDisplay
        >>> images = np.eye(6)[:4]
        >>> display = ReconstructionDisplay(
        ...     original=images, reconstruction=0.9 * images, image_shape=(2, 3)
        ... )
        >>> display.plot(n_columns=2).image_.get_cmap().name
        'gray'
        """
        if not isinstance(n_columns, Integral) or n_columns < 1:
            raise ValueError(f"n_columns={n_columns!r} must be a whole number of at least 1.")
        self.image_, self.lines_, self.reconstruction_lines_, self.areas_ = None, [], [], []
        if self.image_shape is None:
            self._plot_lines(ax, line_kwargs, reconstruction_kwargs)
        else:
            self._plot_images(ax, n_columns, cmap, image_kwargs)
        return self

    def _plot_images(self, ax, n_columns, cmap, given):
        from matplotlib import colormaps

        height, width = self.image_shape
        n_columns = min(n_columns, len(self.original))
        n_blocks = -(-len(self.original) // n_columns)
        inch = min(0.75, 9.0 / n_columns * height / width) / height
        size = (inch * n_columns * width + 1.4, inch * n_blocks * 2.3 * height + 0.3)
        ax = self._draw_on(ax, size)
        canvas, places = _mosaic(self.original, self.reconstruction, (height, width), n_columns)
        low, high = np.nanmin(self.original), np.nanmax(self.original)
        cmap = colormaps[cmap] if isinstance(cmap, str) else cmap
        style = styled(given, vmin=low, vmax=high, interpolation="nearest")
        self.image_ = ax.imshow(canvas, cmap=cmap.with_extremes(bad=(0, 0, 0, 0)), **style)
        ax.set_xticks([])
        ax.set_yticks(places, ["original", "reconstruction"] * n_blocks)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)

    def _plot_lines(self, ax, given, given_reconstruction):
        n, n_features = np.shape(self.original)
        named = self.feature_names is not None and n_features <= NAMED_FEATURES
        names = [shortened(name) for name in self.feature_names] if named else []
        longest = max(map(len, names), default=0)
        upright = longest * n_features > 60
        room = 0.08 * longest if upright else 0.0
        ax = self._draw_on(ax, (min(5.0 + 0.1 * n_features, 9.0), 2.0 + room + 0.55 * n))
        original, rebuilt = self._drawn_values()
        levels = -_distance(original, rebuilt) * np.arange(n)
        marker = "o" if n_features <= NAMED_FEATURES else None
        look = {"linewidth": 1.2, "marker": marker, "markersize": 2.5}
        first = styled(given, color="black", label="original", **look)
        second = styled(given_reconstruction, color="C1", label="reconstruction", **look)
        x = np.arange(n_features)
        for one, other, level in zip(original, rebuilt, levels, strict=True):
            ends = one + level, other + level
            ax.axhline(level, color="0.9", linewidth=0.8, zorder=0)
            self.lines_ += ax.plot(x, ends[0], **first)
            self.reconstruction_lines_ += ax.plot(x, ends[1], **second)
            self.areas_.append(ax.fill_between(x, *ends, color="C1", alpha=0.25, linewidth=0))
            # The legend needs each of them once.
            first, second = {**first, "label": None}, {**second, "label": None}
        ax.set_yticks(levels, self._row_labels())
        xlabel = "" if named else "feature"
        if self.scale is not None:
            xlabel = "every feature in its standard deviations"
        ax.set(xlabel=xlabel, ylabel="row")
        if named:
            ax.set_xticks(x, names, rotation=90 if upright else 0)
        ax.margins(x=0.02)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)

    def _row_labels(self):
        names = range(len(self.original)) if self.row_names is None else self.row_names
        return [shortened(name, 16) for name in names]

    def _drawn_values(self):
        """Originals and reconstructions as lines go, about 0."""
        both = np.stack([self.original, self.reconstruction]).astype(np.float64)
        if self.scale is None:
            return both - np.nanmedian(both[0])
        return (both - self.center) / self.scale


def _can_reconstruct(estimator):
    both = hasattr(estimator, "transform") and hasattr(estimator, "inverse_transform")
    return hasattr(estimator, "reconstruct") or both


def _there_and_back(steps, inner, X):
    """Rows and their reconstructions, in the units of X if there is a way back to them."""
    seen = through(steps, X)
    if hasattr(inner, "reconstruct"):
        rebuilt = inner.reconstruct(seen)
    else:
        rebuilt = inner.inverse_transform(inner.transform(seen))
    back = all(map(_has_way_back, steps)) and _is_numeric(X)
    if back:
        for step in reversed(steps):
            rebuilt = step.inverse_transform(rebuilt)
    return _as_array(X if back else seen), _as_array(rebuilt), back


def _has_way_back(step):
    # A FunctionTransformer without an inverse gives back what it gets.
    one_way = getattr(step, "func", None) is not None and step.inverse_func is None
    return hasattr(step, "inverse_transform") and not one_way


def _is_numeric(X):
    try:
        _as_array(X)
    except (TypeError, ValueError):
        return False
    return True


def _as_array(X):
    return np.asarray(X.toarray() if hasattr(X, "toarray") else X, np.float64)


def _checked_image_shape(image_shape, n_features):
    if image_shape is None:
        return None
    given = image_shape if isinstance(image_shape, tuple | list) else ()
    if len(given) != 2 or not all(isinstance(k, Integral) and k >= 1 for k in given):
        raise ValueError(
            f"image_shape={image_shape!r} must be a pair of whole numbers, height and width."
        )
    height, width = map(int, given)
    if height * width != n_features:
        side = isqrt(n_features)
        hint = f", such as ({side}, {side})" if side * side == n_features else ""
        raise ValueError(
            f"image_shape={image_shape!r} makes {height * width} pixels, but rows have "
            f"{n_features} features. Give a height and a width of that product{hint}, or None to "
            "draw lines."
        )
    return height, width


def _scales(X, always):
    """Means and standard deviations of the features; None, None where they may have one unit."""
    sparse = hasattr(X, "toarray")
    scaler = StandardScaler(with_mean=not sparse).fit(X if sparse else _as_array(X))
    spread = np.sqrt(scaler.var_)
    varied = spread[spread > 0]
    if not len(varied) or not (always or varied.max() > UNLIKE * np.median(varied)):
        return None, None
    return np.zeros(len(spread)) if sparse else scaler.mean_, scaler.scale_


def _names(X, steps, inner, n_features):
    """Names of the columns of X; for None those of what comes to the last estimator."""
    if hasattr(X, "columns"):
        return [str(name) for name in X.columns]
    # X as it is comes to the first step.
    seen_by = (inner, steps) if X is None else ([*steps, inner][0], [])
    return feature_names(*seen_by, n_features)


def _row_names(X, n):
    """The first labels of a DataFrame of pandas, None for anything else."""
    return list(X.index[:n]) if hasattr(X, "iloc") else None


def _mosaic(original, reconstruction, shape, n_columns):
    """All images in one, NaN between them, and the heights of the middles of its rows."""
    height, width = shape
    gap = max(1, round(GAP * height))
    n_blocks = -(-len(original) // n_columns)
    block = 2 * height + 4 * gap
    size = (n_blocks * block - 3 * gap, n_columns * (width + gap) - gap)
    canvas = np.full(size, np.nan)
    for k, pair in enumerate(zip(original, reconstruction, strict=True)):
        left = k % n_columns * (width + gap)
        for below, row in enumerate(pair):
            top = k // n_columns * block + below * (height + gap)
            canvas[top : top + height, left : left + width] = row.reshape(shape)
    tops = np.arange(n_blocks)[:, np.newaxis] * block + [0, height + gap]
    return canvas, (tops + (height - 1) / 2).ravel()


def _distance(*tables):
    """The smallest distance between rows at which no line crosses another row's."""
    low = np.nanmin(tables, axis=(0, 2))
    high = np.nanmax(tables, axis=(0, 2))
    gaps = high[1:] - low[:-1]
    return 1.05 * max(gaps.max(initial=0.0), 1e-9)
