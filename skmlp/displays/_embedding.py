"""Rows of a table as points in two dimensions."""

from numbers import Integral

import numpy as np

from ._along import column_of
from ._base import Display, pyplot, shortened, styled
from ._inside import innermost, lacks

# Whole numbers with more different values than this are shown as numbers, not as classes.
MOST_CLASSES = 20
# The legend names so many classes, in columns of so many.
NAMED_CLASSES, COLUMN = 38, 20
# Diameters of points, in typographic points, and the area that all of them take together.
SMALLEST, LARGEST, TOTAL_AREA = 2.0, 6.0, 9000.0
MISSING_COLOR = "0.75"


class EmbeddingDisplay(Display):
    """Two components of transformed rows, coloured by a target.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, 2)
        Horizontal and vertical positions of the rows.
    y : array-like of shape (n_samples,) or None, default=None
        Classes, which have a legend, or numbers, which have a colour bar.
    component_names : sequence of two str, default=("component 0", "component 1")
        Of the horizontal and the vertical axis.
    target_name : str, default=None
        Title of the legend, label of the colour bar.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn; set by `plot`.
    scatter_ : matplotlib PathCollection
        All points; in the order of the rows, so that no class hides another.
    legend_ : matplotlib Legend or None
        Of the classes; None for numbers, and without y.
    colorbar_ : matplotlib Colorbar or None
        Of the numbers; None for classes, and without y.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import AutoencoderTransformer
    >>> from skmlp.displays import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = AutoencoderTransformer(learning_rate="one_cycle", max_iter=50, random_state=0)
    >>> display = EmbeddingDisplay.from_estimator(model.fit(X), X, y)
    >>> [text.get_text() for text in display.legend_.get_texts()]
    ['0', '1', '2']
    """

    def __init__(
        self,
        *,
        embedding,
        y=None,
        component_names=("component 0", "component 1"),
        target_name=None,
    ):
        self.embedding = embedding
        self.y = y
        self.component_names = component_names
        self.target_name = target_name

    @classmethod
    def from_estimator(cls, transformer, X, y=None, *, components=(0, 1), ax=None, **style):
        """Transform rows and draw two of their components.

        Parameters
        ----------
        transformer : object
            Fitted, with `transform`, such as `AutoencoderTransformer`, `MLPClassifier` (its last
            hidden layer), or a Pipeline or a fitted search of one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to transform, of the kinds that the transformer takes.
        y : array-like of shape (n_samples,), default=None
            Target, see `plot`.
        components : pair of int, default=(0, 1)
            Columns of what `transform` returns, for the horizontal and the vertical axis.
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        **style
            Further arguments of `plot`.

        Returns
        -------
        display : EmbeddingDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError
            For a transformer that is not fitted.
        TypeError
            For an estimator without `transform`.
        ValueError
            For components that do not exist, another number of rows in y, or what `plot` refuses.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.decomposition import PCA
        >>> from skmlp.displays import EmbeddingDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> display = EmbeddingDisplay.from_estimator(PCA(3).fit(X), X, y, components=(0, 2))
        >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
        ('component 0', 'component 2')
        """
        caller = f"{cls.__name__}.from_estimator"
        pyplot(caller)
        transformers, inner = innermost(transformer, "transform")
        if not hasattr(inner, "transform"):
            remedy = (
                "Give a fitted transformer; coordinates that something else has computed, such as "
                "the result of TSNE().fit_transform(X), are shown by "
                f"{cls.__name__}.from_embedding(Z, y)."
            )
            raise lacks(caller, "the result of transform", inner, transformer, remedy)
        for step in (*transformers, inner):
            X = step.transform(X)
        return cls.from_embedding(X, y, components=components, ax=ax, **style)

    @classmethod
    def from_embedding(cls, Z, y=None, *, components=(0, 1), ax=None, **style):
        """Draw two components of rows that have been transformed.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_samples, n_components)
            The names of a DataFrame are those of the axes.
        y : array-like of shape (n_samples,), default=None
            Target, see `plot`.
        components : pair of int, default=(0, 1)
            Columns of Z, for the horizontal and the vertical axis.
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        **style
            Further arguments of `plot`.

        Returns
        -------
        display : EmbeddingDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            For components that do not exist or hold no numbers, another number of rows in y, or
            what `plot` refuses.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.displays import EmbeddingDisplay
        >>> Z = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
        >>> display = EmbeddingDisplay.from_embedding(Z, ["a", "b", "a"])
        >>> [text.get_text() for text in display.legend_.get_texts()]
        ['a', 'b']
        """
        pyplot(f"{cls.__name__}.from_embedding")
        Z = Z if hasattr(Z, "columns") or hasattr(Z, "toarray") else np.asarray(Z)
        _check_components(components, Z.shape)
        names = [str(name) for name in getattr(Z, "columns", ())]
        names = [names[j] if names else f"component {j}" for j in components]
        embedding = np.column_stack([_coordinates(column_of(Z, j)) for j in components])
        target = getattr(y, "name", None)
        display = cls(
            embedding=embedding,
            y=_checked_target(y, len(embedding)),
            component_names=names,
            target_name=None if target is None else str(target),
        )
        return display.plot(ax, **style)

    def plot(self, ax=None, *, kind="auto", cmap=None, scatter_kwargs=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        kind : {"auto", "classes", "numbers"}, default="auto"
            What y holds. "auto" takes as numbers what has fractions, or more than 20 different
            values. Rows whose y is missing are grey.
        cmap : str or Colormap, default=None
            None for "tab10" or "tab20", of more than 20 classes "turbo", and "viridis" for
            numbers.
        scatter_kwargs : dict, default=None
            For ``ax.scatter``.

        Returns
        -------
        self : object
            This display.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            For another kind, or "numbers" where y has none.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.displays import EmbeddingDisplay
        >>> Z = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
        >>> display = EmbeddingDisplay(embedding=Z, y=[3, 1, 2]).plot(kind="numbers")
        >>> display.legend_ is None, display.colorbar_ is None
        (True, False)
        """
        if kind not in ("auto", "classes", "numbers"):
            raise ValueError(f"kind={kind!r} must be 'auto', 'classes' or 'numbers'.")
        numbers = None if self.y is None else _as_numbers(self.y, kind)
        classes = None if self.y is None or numbers is not None else _as_classes(self.y)
        self._draw_on(ax, None if classes is None else _figsize(classes[1]))
        self.legend_ = self.colorbar_ = None
        if self.y is None:
            self._scatter(scatter_kwargs, color="C0")
        elif numbers is None:
            self._plot_classes(*classes, cmap, scatter_kwargs)
        else:
            self._plot_numbers(numbers, cmap, scatter_kwargs)
        self.ax_.set(xlabel=self.component_names[0], ylabel=self.component_names[1])
        return self

    def _scatter(self, given, **defaults):
        size = np.clip(TOTAL_AREA / max(len(self.embedding), 1), SMALLEST**2, LARGEST**2)
        style = styled(given, s=size, alpha=0.8, linewidths=0, **defaults)
        self.scatter_ = self.ax_.scatter(*np.transpose(self.embedding), **style)

    def _plot_classes(self, codes, names, cmap, given):
        """Points of the classes `names`, by their codes; -1 is a missing class."""
        colors = _colors_of(len(names), cmap)
        of_points = np.vstack([colors, _rgba(MISSING_COLOR)])[codes]
        self._scatter(given, color=of_points)
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        shown = np.sort(np.argsort(-counts, kind="stable")[:NAMED_CLASSES])
        entries = [(colors[k], shortened(names[k])) for k in shown]
        if len(shown) < len(names):
            entries.append(((0, 0, 0, 0), f"and {len(names) - len(shown)} more"))
        if np.any(codes < 0):
            entries.append((_rgba(MISSING_COLOR), "missing"))
        self.legend_ = self.ax_.legend(
            handles=[_dot(color, label) for color, label in entries],
            title=self.target_name,
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            ncols=-(-len(entries) // COLUMN),
            frameon=False,
        )

    def _plot_numbers(self, numbers, cmap, given):
        cmap = _colormap("viridis" if cmap is None else cmap).with_extremes(bad=MISSING_COLOR)
        self._scatter(given, c=numbers, cmap=cmap, plotnonfinite=True)
        self.colorbar_ = self.figure_.colorbar(self.scatter_, ax=self.ax_, label=self.target_name)
        self.colorbar_.solids.set_alpha(1.0)


def _check_components(components, shape):
    if len(shape) != 2:
        raise ValueError(f"The embedding has shape {shape}, but must be (n_samples, n_components).")
    try:
        given = list(components)
    except TypeError:
        given = []
    n = shape[1]
    whole = all(isinstance(j, Integral) and not isinstance(j, bool) for j in given)
    if len(given) != 2 or not whole or not all(0 <= j < n for j in given):
        remedy = f"Give two positions between 0 and {n - 1}, such as (0, 1)."
        if n == 1:
            remedy = "A single one has no picture in two dimensions; draw it by plt.hist."
        raise ValueError(
            f"components={components!r} must be two columns of the embedding, which has {n}. "
            f"{remedy}"
        )


def _coordinates(column):
    try:
        return np.asarray(column, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The embedding must hold numbers: {error}. Choose other components, or transform "
            "text first."
        ) from error


def _checked_target(y, n_samples):
    """y as it is, but a single column for a table of one."""
    if y is None:
        return None
    if not hasattr(y, "dtype"):
        y = np.asarray(y)
    shape = y.shape
    if len(shape) == 2 and shape[1] == 1:
        y = y[:, 0]
    if shape[0] != n_samples or len(y.shape) != 1:
        raise ValueError(
            f"y has shape {shape}, but must be ({n_samples},), one value for each row. Of several "
            "targets, show one at a time."
        )
    return y


def _as_numbers(y, kind):
    """y as float64 if it holds numbers, or shall, else None."""
    values = np.asarray(y)
    if values.dtype.kind == "O" and getattr(y.dtype, "kind", "O") in "iuf":
        # Nullable numbers of pandas.
        values = y.to_numpy(np.float64, na_value=np.nan)
    if kind == "classes" or (kind == "auto" and values.dtype.kind not in "iuf"):
        return None
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"kind='numbers' needs numbers in y, which has {values.dtype}: {error}. Use "
            "kind='classes'."
        ) from error
    if kind == "numbers":
        return numbers
    different = np.unique(numbers[np.isfinite(numbers)])
    is_fraction = np.any(different % 1)
    return numbers if is_fraction or len(different) > MOST_CLASSES else None


def _as_classes(y):
    """Codes of the classes, -1 where there is none, and their names in order."""
    values = np.asarray(y).tolist()
    present = {value for value in values if not _is_missing(value)}
    # Categories of pandas have an order.
    categories = getattr(getattr(y, "cat", None), "categories", ())
    ordered = [value for value in categories if value in present]
    if not ordered:
        try:
            ordered = sorted(present)
        except TypeError:
            ordered = sorted(present, key=str)
    code_of = {value: code for code, value in enumerate(ordered)}
    codes = np.array([code_of.get(value, -1) for value in values], int)
    return codes, [_as_text(value) for value in ordered]


def _is_missing(value):
    return value is None or type(value).__name__ == "NAType" or value != value


def _as_text(value):
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _figsize(names):
    """Inches, with room for the columns of the legend."""
    names = [shortened(name) for name in names[:NAMED_CLASSES]]
    n_columns = -(-len(names) // COLUMN)
    longest = max(map(len, names), default=0)
    return 5.2 + n_columns * (0.5 + 0.08 * longest), 4.8


def _colors_of(n, cmap):
    """Colours of n classes, (n, 4)."""
    if cmap is None:
        cmap = "tab10" if n <= 10 else "tab20" if n <= MOST_CLASSES else "turbo"
    cmap = _colormap(cmap)
    if cmap.N <= 20 and n <= cmap.N:
        return cmap(np.arange(n))
    return cmap(np.linspace(0.0, 1.0, max(n, 2))[:n])


def _colormap(cmap):
    from matplotlib import colormaps

    return colormaps[cmap] if isinstance(cmap, str) else cmap


def _rgba(color):
    from matplotlib.colors import to_rgba

    return to_rgba(color)


def _dot(color, label):
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="none", marker="o", markersize=6, color=color, label=label)
