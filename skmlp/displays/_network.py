"""A network as a picture: units, and the weights between them."""

from numbers import Integral

import numpy as np
from sklearn.preprocessing import StandardScaler

from ._along import column_of
from ._base import Display, pyplot, shortened, styled
from ._inside import feature_names as names_of_features
from ._inside import innermost, lacks, through

# Widths of the lines of the weakest and the strongest weights, and how opaque they are.
WIDTHS, OPACITIES = (0.2, 2.2), (0.1, 0.95)


class NetworkDisplay(Display):
    """The units of a network, layer by layer, and the weights between them.

    Weights are the effective ones, `coefs_`: they act on X as it is. A line is the wider and the
    stronger in colour the larger its weight is among those of its layer. Of a wide layer only the
    units with the strongest weights are drawn.

    Parameters
    ----------
    coefs : sequence of ndarray of shape (n_in, n_out)
        One weight matrix for each layer.
    feature_names, output_names : sequence of str or None, default=None
        None for none.
    layer_names : sequence of str or None, default=None
        One for each layer of units, inputs and outputs included.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn; set by `plot`.
    nodes_ : list of matplotlib PathCollection
        One for each layer of units.
    edges_ : list of matplotlib LineCollection
        One for each weight matrix, from weak to strong.
    units_ : list of ndarray of int
        Which units of each layer are drawn.
    texts_ : list of matplotlib Annotation
        Names, and numbers of units that are not drawn.
    colorbar_ : matplotlib Colorbar or None
        Of the weights; None with ``colorbar=False``.

    See Also
    --------
    skmlp.MLPRegressor : What `coefs_` are.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifier
    >>> from skmlp.displays import NetworkDisplay
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = MLPClassifier((6,), solver="lbfgs", alpha=0.1, random_state=0).fit(X, y)
    >>> display = NetworkDisplay.from_estimator(model, X)
    >>> [len(units) for units in display.units_]
    [4, 6, 3]
    """

    def __init__(self, *, coefs, feature_names=None, output_names=None, layer_names=None):
        self.coefs = coefs
        self.feature_names = feature_names
        self.output_names = output_names
        self.layer_names = layer_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        task=None,
        context=None,
        feature_names=None,
        output_names=None,
        ax=None,
        **style,
    ):
        """Draw the network of a fitted estimator.

        Parameters
        ----------
        estimator : object
            Fitted network of this package or of scikit-learn; or a Pipeline, a fitted search or
            an `AutoencoderOutlierDetector` that holds one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            If given, the weights of a feature are multiplied by its standard deviation (those of
            an output of an autoencoder divided by it), so that they can be compared whatever the
            units are.
        task, context : object, default=None
            Of a hypernetwork, which writes a network for each: as for its `task_parameters`.
        feature_names : sequence of str, default=None
            None for those that the estimator was fitted with.
        output_names : sequence of str, default=None
            None for the classes or targets.
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        **style
            Further arguments of `plot`.

        Returns
        -------
        display : NetworkDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError
            For an estimator that is not fitted.
        TypeError
            For one without `coefs_`.
        ValueError
            For an estimator that is not one network with fixed weights on X: with
            ``combine_inits="average"``, with columns whose scaling is robust, for an unknown task;
            for a task of an estimator that is no hypernetwork; for X of another number of
            features; for names that are too few or too many; and for what `plot` refuses.

        Examples
        --------
        >>> from skmlp.constructions import logic_gate
        >>> from skmlp.displays import NetworkDisplay
        >>> display = NetworkDisplay.from_estimator(logic_gate("xor"), feature_names=["p", "q"])
        >>> [len(units) for units in display.units_]
        [2, 2, 1]
        """
        caller = f"{cls.__name__}.from_estimator"
        pyplot(caller)
        steps, inner = innermost(estimator)
        network = getattr(inner, "autoencoder_", inner)
        if not hasattr(type(network), "coefs_") and not hasattr(network, "coefs_"):
            raise lacks(caller, "coefs_", network, estimator, "Give a fitted neural network.")
        coefs = _coefs_of(caller, network, task, context)
        positions = _inputs_of(network)
        n_features = network.n_features_in_
        names = names_of_features(inner, steps, n_features)
        rebuilds = hasattr(network, "reconstruct")
        if X is not None:
            spread = _spread(through(steps, X), positions, n_features)
            coefs = _comparable(coefs, spread, rebuilds)
        if output_names is None:
            output_names = names if rebuilds else _output_names(network, coefs[-1].shape[1])
        if feature_names is None:
            feature_names = [names[j] for j in positions]
        display = cls(
            coefs=coefs,
            feature_names=_checked("feature_names", feature_names, len(coefs[0])),
            output_names=_checked("output_names", output_names, coefs[-1].shape[1]),
            layer_names=_layer_names(network, coefs),
        )
        return display.plot(ax, **style)

    def plot(
        self,
        ax=None,
        *,
        max_units=16,
        cmap="coolwarm",
        colorbar=True,
        node_kwargs=None,
        edge_kwargs=None,
        text_kwargs=None,
    ):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        max_units : int, default=16
            Of a wider layer only so many units are drawn: those with the largest product of the
            norms of the weights before and after them.
        cmap : str or Colormap, default="coolwarm"
            Of the weights, from the most negative to the most positive.
        colorbar : bool, default=True
            Whether to draw the colour bar of the weights.
        node_kwargs, edge_kwargs, text_kwargs : dict, default=None
            For ``ax.scatter`` of the units, LineCollection of the weights, ``ax.annotate`` of
            the names.

        Returns
        -------
        self : object
            This display.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If `max_units` is not a whole number of at least 1.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.displays import NetworkDisplay
        >>> display = NetworkDisplay(coefs=[np.ones((3, 50)), np.ones((50, 1))]).plot(max_units=5)
        >>> [len(units) for units in display.units_]  # the others are counted in a line of text
        [3, 5, 1]
        """
        if not isinstance(max_units, Integral) or max_units < 1:
            raise ValueError(f"max_units={max_units!r} must be a whole number of at least 1.")
        self.units_ = _strongest(self.coefs, max_units)
        ax = self._draw_on(ax, self._figsize())
        heights = [self._heights(layer) for layer in range(len(self.units_))]
        self.edges_, self.nodes_, self.texts_, self.colorbar_ = [], [], [], None
        for layer, weight in enumerate(self.coefs):
            shown = weight[np.ix_(*self.units_[layer : layer + 2])]
            ends = heights[layer : layer + 2]
            self.edges_.append(self._draw_edges(layer, shown, ends, cmap, edge_kwargs))
        for layer, y in enumerate(heights):
            self.nodes_.append(self._draw_nodes(layer, y, node_kwargs))
            self._draw_rest(layer, text_kwargs)
        self._write(0, heights[0], self.feature_names, "right", text_kwargs)
        self._write(len(heights) - 1, heights[-1], self.output_names, "left", text_kwargs)
        self._finish()
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(
                self.edges_[0], ax=ax, shrink=0.6, ticks=[-1, 0, 1]
            )
            self.colorbar_.set_label("weight / largest of its layer")
            self.colorbar_.solids.set_alpha(1.0)
        return self

    def _n_units(self):
        return [len(self.coefs[0]), *(weight.shape[1] for weight in self.coefs)]

    def _heights(self, layer):
        """Heights of the units, from top to bottom; a place at the foot tells of further ones."""
        shown = len(self.units_[layer])
        places = shown + (shown < self._n_units()[layer])
        return 1.0 - (np.arange(places)[:shown] + 0.5) / places

    def _figsize(self):
        tallest = max(map(len, self.units_)) + 1
        return 2.6 + 1.5 * len(self.units_), float(np.clip(0.8 + 0.27 * tallest, 3.0, 9.0))

    def _draw_edges(self, layer, weight, ends, cmap, given):
        """Lines between two layers, the strongest last and on top."""
        from matplotlib.collections import LineCollection

        relative = (weight / max(np.abs(self.coefs[layer]).max(), 1e-300)).ravel()
        order = np.argsort(np.abs(relative))
        left, right = np.meshgrid(*ends, indexing="ij")
        lines = np.empty((relative.size, 2, 2))
        lines[:, 0], lines[:, 1] = layer, layer + 1
        lines[..., 1] = np.column_stack([left.ravel(), right.ravel()])
        strength = np.abs(relative[order])
        style = styled(
            given,
            cmap=cmap,
            linewidths=WIDTHS[0] + (WIDTHS[1] - WIDTHS[0]) * strength,
            alpha=OPACITIES[0] + (OPACITIES[1] - OPACITIES[0]) * strength,
            zorder=1,
        )
        edges = LineCollection(lines[order], **style)
        edges.set_array(relative[order])
        edges.set_clim(-1.0, 1.0)
        return self.ax_.add_collection(edges)

    def _draw_nodes(self, layer, heights, given):
        diameter = np.clip(0.7 * self._room() / len(heights), 4.0, 12.0)
        style = styled(
            given, s=diameter**2, facecolors="white", edgecolors="black", linewidths=0.9, zorder=2
        )
        return self.ax_.scatter(np.full(len(heights), layer), heights, **style)

    def _draw_rest(self, layer, given):
        """The number of units that are not drawn."""
        rest = self._n_units()[layer] - len(self.units_[layer])
        if rest:
            place = 0.5 / (len(self.units_[layer]) + 1)
            side = {0: "right", len(self.units_) - 1: "left"}.get(layer, "center")
            text = f"\N{HORIZONTAL ELLIPSIS} {rest} more"
            self._annotate(text, layer, place, side, {"color": "0.35", **(given or {})})

    def _write(self, layer, heights, names, side, given):
        """Names beside the units of a layer."""
        if names is not None:
            for unit, height in zip(self.units_[layer], heights, strict=True):
                self._annotate(shortened(names[unit]), layer, height, side, given)

    def _annotate(self, text, layer, height, side, given):
        places = 1 + max(map(len, self.units_))
        style = styled(given, fontsize=float(np.clip(0.8 * self._room() / places, 5.0, 10.0)))
        self.texts_.append(
            self.ax_.annotate(
                text,
                (layer, height),
                xytext=({"right": -9.0, "center": 0.0, "left": 9.0}[side], 0.0),
                textcoords="offset points",
                ha=side,
                va="center",
                annotation_clip=False,
                **style,
            )
        )

    def _room(self):
        """Height of the axes in typographic points."""
        return self.ax_.get_window_extent().height * 72.0 / self.figure_.dpi

    def _finish(self):
        """Names of the layers under them, and no frame."""
        sizes = self._n_units()
        names = self.layer_names or [""] * len(sizes)
        labels = [f"{name}\n{size}".strip() for name, size in zip(names, sizes, strict=True)]
        self.ax_.set_xticks(range(len(sizes)), labels)
        self.ax_.set_yticks([])
        self.ax_.tick_params(length=0)
        self.ax_.spines[:].set_visible(False)
        self.ax_.set(xlim=(-0.1, len(sizes) - 0.9), ylim=(0.0, 1.0))


def _strongest(coefs, max_units):
    """Of every layer the units with the strongest weights, in their order."""
    before = [1.0, *(np.linalg.norm(weight, axis=0) for weight in coefs)]
    after = [*(np.linalg.norm(weight, axis=1) for weight in coefs), 1.0]
    units = []
    for strength in (one * other for one, other in zip(before, after, strict=True)):
        first = np.argsort(-strength, kind="stable")[:max_units]
        units.append(np.sort(first))
    return units


def _coefs_of(caller, network, task, context):
    """The weights of one network, as they act on X."""
    writes = hasattr(network, "task_parameters")
    if not writes and not (task is None is context):
        raise ValueError(
            f"task={task!r}, context={context!r} are for hypernetworks, but {caller} was given "
            f"{type(network).__name__}. Leave them out."
        )
    try:
        coefs = network.task_parameters(task, context)[0] if writes else network.coefs_
    except AttributeError as error:
        raise ValueError(f"{caller} draws a single network with weights on X: {error}") from error
    return [np.asarray(weight, np.float64) for weight in coefs]


def _inputs_of(network):
    """Positions of the columns that the network sees; those of tasks are none of them."""
    if hasattr(network, "task_parameters"):
        return list(network._positions().features)
    return list(range(network.n_features_in_))


def _spread(X, positions, n_features):
    """Standard deviations of some columns."""
    X = X if hasattr(X, "shape") else np.asarray(X)
    if len(X.shape) != 2 or X.shape[1] != n_features:
        raise ValueError(
            f"X has shape {X.shape}, but the network was fitted to {n_features} features. Give "
            "rows like those, or leave X out."
        )
    if hasattr(X, "toarray"):
        return np.sqrt(StandardScaler(with_mean=False).fit(X).var_[positions])
    columns = [np.asarray(column_of(X, j), np.float64) for j in positions]
    return np.sqrt(StandardScaler().fit(np.column_stack(columns)).var_)


def _comparable(coefs, spread, rebuilds):
    """Weights times the standard deviations of the features, and over those of outputs."""
    coefs = [coefs[0] * spread[:, np.newaxis], *coefs[1:]]
    if rebuilds:
        coefs[-1] = coefs[-1] / np.where(spread > 0, spread, 1.0)
    return coefs


def _output_names(network, n):
    """What the outputs stand for."""
    classes = getattr(network, "classes_", None)
    if classes is not None and n == 1 and len(classes) == 2:
        return [str(classes[1])]
    if classes is not None and n == len(classes):
        return [str(label) for label in classes]
    quantiles = np.atleast_1d(getattr(network, "quantile", ()))
    if getattr(network, "loss", None) == "quantile" and n == len(quantiles) > 1:
        return [f"quantile {quantile:g}" for quantile in quantiles]
    if classes is None and not hasattr(network, "predict_dist"):
        return ["y"] if n == 1 else [f"target {j}" for j in range(n)]
    return [f"output {j}" for j in range(n)]


def _layer_names(network, coefs):
    n_hidden = len(coefs) - 1
    # The code of an autoencoder lies after the hidden layers of its encoder.
    code = np.size(network.hidden_layer_sizes) if hasattr(network, "n_components_") else None
    hidden = [k for k in range(n_hidden) if k != code]
    names = ["code"] * n_hidden
    for count, k in enumerate(hidden, 1):
        names[k] = f"hidden {count}" if len(hidden) > 1 else "hidden"
    return ["input", *names, "output"]


def _checked(parameter, names, n):
    """As many names as there are units."""
    names = [str(name) for name in names]
    if len(names) != n:
        raise ValueError(
            f"{parameter} has {len(names)} entries, but the network has {n} such units. Give one "
            "name for each, or None."
        )
    return names
