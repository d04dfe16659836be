"""How training went: curves of the loss and of what was watched."""

import numpy as np
from sklearn.base import is_classifier

from ._base import Display, pyplot, styled
from ._inside import innermost, lacks

# Marks the second axes of a figure, for the score, so that a second display finds them.
SCORE_AXES = "watched score"
# Curves that fall further than this are drawn with a logarithmic scale.
WIDE = 20.0
# A legend of more entries stands under the figure.
INSIDE = 5


class LossCurveDisplay(Display):
    """Training loss, validation loss and watched score of every epoch.

    The training loss contains penalties such as `alpha`, the validation loss does not; both are
    in the units of training, in which targets are scaled.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Training loss. NaN, here and below, stands for what was not measured.
    validation_loss : array-like of shape (n_epochs,) or None, default=None
        Loss on the validation rows, without penalties; None for none.
    validation_score : array-like of shape (n_epochs,) or None, default=None
        Higher is better.
    best_epochs : sequence of int, default=()
        Counted from 1; several for an average of several starts.
    score_name : str, default="score"
        What the score is called, after the word "validation".
    step_name : str, default="epoch"
        What is counted.
    name : str, default=None
        In the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn; set by `plot`.
    score_ax_ : matplotlib Axes or None
        The axes on the right, of the score.
    loss_line_ : matplotlib Line2D
        The training loss.
    validation_line_, score_line_ : matplotlib Line2D or None
        The validation loss and the score; None for what was not given.
    best_lines_ : list of matplotlib Line2D
        Vertical, one for each of the best epochs.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores against the number of rows.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skmlp import MLPClassifier
    >>> from skmlp.displays import LossCurveDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = MLPClassifier(early_stopping=True, random_state=0).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> display.best_epochs == [model.best_iteration_]
    True
    >>> display.score_ax_.get_ylabel()
    'validation accuracy'
    """

    def __init__(
        self,
        *,
        loss,
        validation_loss=None,
        validation_score=None,
        best_epochs=(),
        score_name="score",
        step_name="epoch",
        name=None,
    ):
        self.loss = loss
        self.validation_loss = validation_loss
        self.validation_score = validation_score
        self.best_epochs = best_epochs
        self.score_name = score_name
        self.step_name = step_name
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, *, name=None, ax=None, **style):
        """Draw the curves that training left behind.

        A watched score that is nothing but minus the validation loss is not drawn again.

        Parameters
        ----------
        estimator : object
            Fitted network of this package or of scikit-learn; or a Pipeline, a fitted search or
            an `AutoencoderOutlierDetector` that holds one.
        name : str, default=None
            In the legend, before the names of the curves.
        ax : matplotlib Axes, default=None
            None for those of a new figure; those of another display compare the two.
        **style
            Further arguments of `plot`.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError
            For an estimator that is not fitted.
        TypeError
            For one that has no loss curve.
        ValueError
            For one whose weights were given, and not learned, or what `plot` refuses.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import MLPRegressor
        >>> from skmlp.displays import LossCurveDisplay
        >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> model = MLPRegressor(tol=0.1, random_state=0).fit(X, X[:, 0])
        >>> display = LossCurveDisplay.from_estimator(model, name="adam")
        >>> len(display.loss) == model.n_iter_, display.validation_line_ is None
        (True, True)
        """
        caller = f"{cls.__name__}.from_estimator"
        pyplot(caller)
        _, inner = innermost(estimator)
        network = getattr(inner, "autoencoder_", inner)
        loss = _checked_curve(caller, network, estimator)
        validation_loss = getattr(network, "validation_loss_curve_", None)
        score = getattr(network, "validation_scores_", None)
        if score is not None and validation_loss is not None:
            score = None if _is_opposite(score, validation_loss) else score
        display = cls(
            loss=loss,
            validation_loss=validation_loss,
            validation_score=score,
            best_epochs=_best_epochs(network, len(loss)),
            score_name=_score_name(network),
            step_name="iteration" if _is_lbfgs(network) else "epoch",
            name=name,
        )
        return display.plot(ax, **style)

    def plot(
        self,
        ax=None,
        *,
        yscale="auto",
        loss_kwargs=None,
        validation_kwargs=None,
        score_kwargs=None,
        best_kwargs=None,
    ):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None for those of a new figure.
        yscale : {"auto", "linear", "log"}, default="auto"
            Of the loss. "auto" is logarithmic where all losses are positive, and the largest is
            more than 20 times the smallest.
        loss_kwargs, validation_kwargs, score_kwargs : dict, default=None
            For ``ax.plot`` of the curves.
        best_kwargs : dict, default=None
            For ``ax.axvline`` of the best epochs.

        Returns
        -------
        self : object
            This display.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            For another scale.

        Examples
        --------
        >>> from skmlp.displays import LossCurveDisplay
        >>> display = LossCurveDisplay(loss=[1.0, 0.1, 0.01], best_epochs=[3])
        >>> display.plot(loss_kwargs={"linestyle": "--"}).ax_.get_yscale()
        'log'
        """
        if yscale not in ("auto", "linear", "log"):
            raise ValueError(f"yscale={yscale!r} must be 'auto', 'linear' or 'log'.")
        ax = self._draw_on(ax)
        self.validation_line_ = self.score_line_ = self.score_ax_ = None
        self.loss_line_ = self._curve(ax, self.loss, loss_kwargs, "training loss")
        if self.validation_loss is not None:
            self.validation_line_ = self._curve(
                ax, self.validation_loss, validation_kwargs, "validation loss"
            )
        if self.validation_score is not None:
            self._plot_score(score_kwargs)
        self._plot_best(best_kwargs)
        if yscale == "log" or (yscale == "auto" and self._is_wide()):
            ax.set_yscale("log")
        ax.set(xlabel=self.step_name, ylabel="loss")
        _count_on(ax)
        self._plot_legend()
        return self

    def _curve(self, ax, values, given, label):
        values = np.asarray(values, np.float64)
        # A line through a single point would not be seen.
        marker = "o" if np.isfinite(values).sum() == 1 else None
        style = styled(given, label=self._labelled(label), marker=marker)
        return ax.plot(np.arange(1, len(values) + 1), values, **style)[0]

    def _labelled(self, label):
        return label if self.name is None else f"{self.name}, {label}"

    def _plot_score(self, given):
        """The score on axes of its own, but in the legend of the others and in their colours."""
        label = f"validation {self.score_name}"
        style = styled(given, linestyle="--", label=self._labelled(label))
        (entry,) = self.ax_.plot([], [], **style)
        self.score_ax_ = _score_axes(self.ax_)
        style = {**style, "color": entry.get_color()}
        self.score_line_ = self._curve(self.score_ax_, self.validation_score, style, label)
        self.score_ax_.set_ylabel(label)

    def _plot_best(self, given):
        self.best_lines_ = []
        epochs = list(self.best_epochs)
        label = f"best {self.step_name} ({epochs[0]})" if len(epochs) == 1 else None
        if len(epochs) > 1:
            label = f"best {self.step_name}s of {len(epochs)} starts"
        for k, epoch in enumerate(epochs):
            style = styled(
                given,
                color="0.4",
                linestyle=":",
                zorder=1,
                label=self._labelled(label) if k == 0 else None,
            )
            self.best_lines_.append(self.ax_.axvline(epoch, **style))

    def _plot_legend(self):
        if len(self.ax_.get_legend_handles_labels()[1]) > INSIDE:
            below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12), "ncols": 2}
            self.ax_.legend(**below, frameon=False)
        else:
            # A falling loss and a rising score leave room in the middle of the right side.
            self.ax_.legend(loc="best" if self.score_ax_ is None else "center right")

    def _is_wide(self):
        curves = [self.loss, [] if self.validation_loss is None else self.validation_loss]
        values = np.concatenate([np.asarray(curve, np.float64) for curve in curves])
        values = values[np.isfinite(values)]
        return len(values) > 0 and values.min() > 0 and values.max() > WIDE * values.min()


def _checked_curve(caller, network, outermost):
    """The loss curve of a network that has been trained."""
    if not hasattr(network, "loss_curve_"):
        remedy = "Give a fitted network, or a Pipeline or a fitted search that holds one."
        if hasattr(network, "coefs_"):
            remedy = (
                f"scikit-learn keeps none with solver={network.solver!r}; the networks of skmlp "
                "do, or choose another solver."
            )
        raise lacks(caller, "loss_curve_", network, outermost, remedy)
    if not len(network.loss_curve_):
        raise ValueError(
            f"{caller} shows loss_curve_, which is empty: the weights of "
            f"{type(network).__name__} were given, by from_weights or from_sklearn, and not "
            "learned. Call its fit or partial_fit first."
        )
    return list(network.loss_curve_)


def _best_epochs(network, n_epochs):
    """Best epochs of the last fit, counted as the curve is, which may go back to earlier fits."""
    best = getattr(network, "best_iteration_", None)
    if best is None:
        return []
    before = n_epochs - network.n_iter_
    return [before + epoch for epoch in np.atleast_1d(best).tolist() if epoch]


def _score_name(network):
    scoring = getattr(network, "scoring", None)
    if scoring is None:
        return "accuracy" if is_classifier(network) else "R2"
    if isinstance(scoring, str):
        return "score" if scoring == "loss" else scoring
    name = getattr(scoring, "__name__", "")
    return name if name.isidentifier() else "score"


def _is_opposite(score, loss):
    score, loss = np.asarray(score, np.float64), np.asarray(loss, np.float64)
    return np.allclose(score, -loss, equal_nan=True)


def _is_lbfgs(network):
    solver = getattr(network, "solver", None)
    return solver == "lbfgs" or not getattr(solver, "stochastic", True)


def _count_on(ax):
    """Ticks at whole numbers only, and room for one of them."""
    from matplotlib.ticker import MaxNLocator

    if np.ptp(ax.get_xlim()) < 1.0:
        ax.set_xlim(0.5, 1.5)
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))


def _score_axes(ax):
    """Axes that share x with `ax`, new or those of an earlier display."""
    for other in ax.figure.axes:
        if other.get_label() == SCORE_AXES and ax.get_shared_x_axes().joined(ax, other):
            return other
    score_ax = ax.twinx()
    score_ax.set_label(SCORE_AXES)
    # The legend of `ax` must not be crossed by the score.
    ax.set_zorder(score_ax.get_zorder() + 1)
    ax.patch.set_visible(False)
    return score_ax
