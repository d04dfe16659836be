"""Curves of training hold what the estimator has recorded, each epoch in its place."""

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import make_scorer, r2_score

from skmlp import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    DensityRegressor,
    HypernetworkRegressor,
    MLPClassifier,
    MLPRegressor,
)
from skmlp.displays import LossCurveDisplay

from .shared import legend

SHORT = {"max_iter": 6, "learning_rate": "one_cycle", "random_state": 0}
WATCHED = {**SHORT, "early_stopping": True}


@pytest.fixture
def labels(data):
    return np.where(data[1] > 0, "yes", "no")


def drawn(line):
    """Epochs and values of a line."""
    return [np.asarray(values).tolist() for values in line.get_data()]


def test_all_curves_and_the_best_epoch(data, labels):
    model = MLPClassifier((8,), **WATCHED).fit(data[0], labels)
    display = LossCurveDisplay.from_estimator(model)
    epochs = [1, 2, 3, 4, 5, 6]
    assert drawn(display.loss_line_) == [epochs, model.loss_curve_]
    assert drawn(display.validation_line_) == [epochs, model.validation_loss_curve_]
    assert drawn(display.score_line_) == [epochs, model.validation_scores_]
    assert display.score_line_.axes is display.score_ax_ is not display.ax_
    (best,) = display.best_lines_
    assert list(best.get_xdata()) == [model.best_iteration_] * 2
    assert legend(display) == [
        "training loss",
        "validation loss",
        "validation accuracy",
        f"best epoch ({model.best_iteration_})",
    ]
    assert display.ax_.get_xlabel() == "epoch"
    assert display.score_ax_.get_ylabel() == "validation accuracy"
    colors = [line.get_color() for line in (display.loss_line_, display.validation_line_)]
    colors.append(display.score_line_.get_color())
    assert len(set(colors)) == 3
    entry = display.ax_.get_legend().get_lines()[2]
    assert entry.get_color() == colors[-1]


def test_only_what_was_measured_is_drawn(data):
    model = MLPRegressor(hidden_layer_sizes=(4,), **SHORT).fit(*data)
    display = LossCurveDisplay.from_estimator(model)
    assert display.validation_line_ is display.score_line_ is display.score_ax_ is None
    assert display.best_lines_ == [] and legend(display) == ["training loss"]


@pytest.mark.parametrize(
    "estimator",
    [
        MLPRegressor(hidden_layer_sizes=(4,), scoring="loss", **WATCHED),
        MLPRegressor("huber", (4,), **WATCHED),
        DensityRegressor(hidden_layer_sizes=(4,), **WATCHED),
        AutoencoderTransformer(2, 3, **WATCHED),
    ],
    ids=["scoring loss", "huber", "density", "autoencoder"],
)
def test_minus_the_loss_is_not_drawn_again(estimator, data):
    model = estimator.fit(*data)
    display = LossCurveDisplay.from_estimator(model)
    assert drawn(display.validation_line_)[1] == model.validation_loss_curve_
    assert display.score_line_ is None
    assert list(display.best_lines_[0].get_xdata()) == [model.best_iteration_] * 2


def minus_largest_error(estimator, X, y):
    return -np.abs(estimator.predict(X) - y).max()


@pytest.mark.parametrize(
    "scoring, name",
    [
        (None, "R2"),
        ("neg_mean_absolute_error", "neg_mean_absolute_error"),
        (minus_largest_error, "minus_largest_error"),
        (lambda *arguments: minus_largest_error(*arguments), "score"),
        (make_scorer(r2_score), "score"),
    ],
    ids=["none", "name", "function", "lambda", "scorer"],
)
def test_the_watched_score_has_a_name(scoring, name, data):
    model = MLPRegressor(hidden_layer_sizes=(4,), scoring=scoring, **WATCHED).fit(*data)
    display = LossCurveDisplay.from_estimator(model)
    assert display.score_ax_.get_ylabel() == f"validation {name}"


def test_averaged_starts_have_a_best_epoch_each(data):
    model = MLPRegressor(hidden_layer_sizes=(4,), n_init=3, combine_inits="average", **WATCHED).fit(
        *data
    )
    display = LossCurveDisplay.from_estimator(model)
    assert display.best_epochs == model.best_iteration_
    assert [line.get_xdata()[0] for line in display.best_lines_] == model.best_iteration_
    assert legend(display)[-1] == "best epochs of 3 starts"


def test_the_best_of_several_starts_has_one_curve(data):
    model = MLPRegressor(hidden_layer_sizes=(4,), n_init=3, **WATCHED).fit(*data)
    display = LossCurveDisplay.from_estimator(model)
    assert drawn(display.loss_line_)[1] == model.loss_curve_
    assert display.best_epochs == [model.best_iteration_]


def test_best_epochs_are_counted_from_the_first_fit(data):
    model = MLPRegressor(hidden_layer_sizes=(4,), warm_start=True, **WATCHED)
    model.fit(*data).fit(*data)
    display = LossCurveDisplay.from_estimator(model)
    assert len(display.loss_line_.get_xdata()) == 12
    assert display.best_epochs == [6 + model.best_iteration_]
    scores = model.validation_scores_[6:]
    assert scores[display.best_epochs[0] - 7] == max(scores) == model.best_validation_score_


def test_curves_of_partial_fit_go_on(data):
    X, y = data
    model = MLPRegressor(hidden_layer_sizes=(4,), random_state=0).partial_fit(X, y)
    display = LossCurveDisplay.from_estimator(model)
    assert display.loss_line_.get_marker() == "o"  # or nothing would be seen
    assert display.ax_.get_xlim() == (0.5, 1.5)
    assert not np.any(display.ax_.get_xticks() % 1)
    display = LossCurveDisplay.from_estimator(model.partial_fit(X, y))
    assert display.loss_line_.get_marker() == "None"
    assert drawn(display.loss_line_) == [[1, 2], model.loss_curve_]


def test_lbfgs_counts_iterations(data):
    model = MLPRegressor(hidden_layer_sizes=(2,), solver="lbfgs", max_iter=500, tol=0.01)
    display = LossCurveDisplay.from_estimator(model.set_params(random_state=0).fit(*data))
    assert display.ax_.get_xlabel() == "iteration"
    assert drawn(display.loss_line_)[1] == model.loss_curve_


def test_estimators_around_a_network(data):
    X, y = data
    network = AutoencoderTransformer(2, 3, **SHORT)
    detector = AutoencoderOutlierDetector(network).fit(X)
    display = LossCurveDisplay.from_estimator(detector)
    assert list(display.loss) == detector.autoencoder_.loss_curve_
    model = TransformedTargetRegressor(MLPRegressor(hidden_layer_sizes=(2,), **SHORT))
    display = LossCurveDisplay.from_estimator(model.fit(X, y))
    assert list(display.loss) == model.regressor_.loss_curve_


def test_hypernetworks(data):
    X, y = data
    X = np.column_stack([X, np.arange(len(X)) % 3])
    model = HypernetworkRegressor((4,), task_features=3, **WATCHED).fit(X, y)
    display = LossCurveDisplay.from_estimator(model)
    assert list(display.loss) == model.loss_curve_
    assert display.best_epochs == [model.best_iteration_]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_of_scikit_learn(data):
    X, y = data
    theirs = neural_network.MLPClassifier((4,), early_stopping=True, max_iter=5, random_state=0)
    display = LossCurveDisplay.from_estimator(theirs.fit(X, y > 0))
    assert list(display.loss) == theirs.loss_curve_
    assert drawn(display.score_line_)[1] == theirs.validation_scores_
    theirs = neural_network.MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0)
    theirs.fit(X, y)
    display = LossCurveDisplay.from_estimator(MLPRegressor.from_sklearn(theirs))
    assert list(display.loss) == theirs.loss_curve_
    theirs = neural_network.MLPRegressor(hidden_layer_sizes=(2,), solver="lbfgs", random_state=0)
    theirs.fit(X, y)
    with pytest.raises(TypeError, match="scikit-learn keeps none with solver='lbfgs'"):
        LossCurveDisplay.from_estimator(theirs)


def test_given_weights_have_no_curve(data, pyplot):
    X, y = data
    model = MLPRegressor.from_weights([np.ones((3, 1))], [np.zeros(1)], activation="relu")
    message = "loss_curve_, which is empty: the weights of MLPRegressor were given.*Call its fit"
    with pytest.raises(ValueError, match=message):
        LossCurveDisplay.from_estimator(model)
    assert not pyplot.get_fignums()
    display = LossCurveDisplay.from_estimator(model.partial_fit(X, y))
    assert len(display.loss) == 1


def test_two_models_share_the_axes_of_the_score(data, labels):
    first, second = (MLPClassifier((width,), **WATCHED).fit(data[0], labels) for width in (2, 8))
    one = LossCurveDisplay.from_estimator(first, name="narrow")
    two = LossCurveDisplay.from_estimator(second, name="wide", ax=one.ax_)
    assert two.score_ax_ is one.score_ax_
    assert len(one.figure_.axes) == 2
    assert legend(two)[0] == "narrow, training loss"
    assert legend(two)[4:7] == [
        "wide, training loss",
        "wide, validation loss",
        "wide, validation accuracy",
    ]
    lines = [one.loss_line_, one.validation_line_, one.score_line_]
    lines += [two.loss_line_, two.validation_line_, two.score_line_]
    assert len({line.get_color() for line in lines}) == 6


@pytest.mark.parametrize(
    "loss, yscale, drawn_as",
    [
        ([1.0, 0.5, 0.01], "auto", "log"),
        ([1.0, 0.5, 0.2], "auto", "linear"),
        ([1.0, 0.1, -0.2], "auto", "linear"),
        ([1.0, np.nan, 0.01], "auto", "log"),
        ([1.0, 0.5, 0.01], "linear", "linear"),
        ([1.0, 0.5, 0.2], "log", "log"),
    ],
    ids=["wide", "narrow", "negative", "gaps", "linear", "log"],
)
def test_scale_of_the_loss(loss, yscale, drawn_as):
    assert LossCurveDisplay(loss=loss).plot(yscale=yscale).ax_.get_yscale() == drawn_as
    other = LossCurveDisplay(loss=[1.0, 0.9, 0.8], validation_loss=loss).plot(yscale=yscale)
    assert other.ax_.get_yscale() == drawn_as


def test_styles():
    display = LossCurveDisplay(
        loss=[3.0, 2.0, 1.0],
        validation_loss=[3.0, 2.0, 2.5],
        validation_score=[0.1, 0.2, 0.1],
        best_epochs=[2],
    ).plot(
        loss_kwargs={"c": "red", "label": "mine"},
        validation_kwargs={"lw": 4},
        score_kwargs={"ls": "-."},
        best_kwargs={"color": "blue"},
    )
    assert display.loss_line_.get_color() == "red" and legend(display)[0] == "mine"
    assert display.validation_line_.get_linewidth() == 4
    assert display.score_line_.get_linestyle() == "-."
    assert display.best_lines_[0].get_color() == "blue"


def test_other_scales_are_refused(pyplot):
    with pytest.raises(ValueError, match="yscale='logit' must be 'auto', 'linear' or 'log'"):
        LossCurveDisplay(loss=[1.0]).plot(yscale="logit")
    assert not pyplot.get_fignums()


def test_a_fit_that_did_not_converge_is_shown(data):
    model = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(*data)
    assert len(LossCurveDisplay.from_estimator(model).loss) == 2
