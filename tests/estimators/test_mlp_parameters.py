"""Every parameter acts as it says, and what cannot act is refused with a remedy."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

from skmlp import AutoencoderTransformer, MLPClassifier, MLPRegressor
from skmlp.activations import ACTIVATIONS, LeakyReLU, PReLU, Tanh
from skmlp.callbacks import Callback
from skmlp.initializers import INITIALIZERS, HeNormal
from skmlp.losses import Huber, Quantile, SquaredError
from skmlp.optimizers import LBFGS, OPTIMIZERS, SGD, Adam
from skmlp.schedules import SCHEDULES, Adaptive, Constant, Cosine, InvScaling, Schedule

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_regression(n_samples=60, n_features=4, noise=5.0, random_state=0)
X_class, y_class = make_classification(
    n_samples=60, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=0,
    n_clusters_per_class=1,
)  # fmt: skip
SMALL_ENCODER = AutoencoderTransformer(3, (5,), max_iter=3)
SMALL = {"hidden_layer_sizes": (6, 5), "max_iter": 6, "random_state": 0}


class StopAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, state):
        return state.epoch == self.epochs


def regress(**params):
    return MLPRegressor(**{**SMALL, **params}).fit(X, y)


def classify(**params):
    return MLPClassifier(**{**SMALL, **params}).fit(X_class, y_class)


def start(**params):
    """The estimator before the first step of SGD."""
    return regress(max_iter=1, **{"learning_rate_init": 1e-300, "solver": "sgd", **params})


CHANGES = [
    {"loss": "huber"},
    {"hidden_layer_sizes": (7, 5)},
    {"activation": "tanh"},
    {"solver": "sgd"},
    {"alpha": 1.0},
    {"batch_size": 13},
    {"learning_rate_init": 0.01},
    {"max_iter": 7},
    {"random_state": 1},
    {"solver": "sgd", "momentum": 0.5},
    {"solver": "sgd", "nesterovs_momentum": False},
    {"solver": "sgd", "momentum": 0.0},
    {"solver": "sgd", "learning_rate": "invscaling"},
    {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.2},
    {"early_stopping": True},
    {"early_stopping": True, "validation_fraction": 0.3},
    {"early_stopping": True, "validation_fraction": KFold(3)},
    {"early_stopping": True, "scoring": lambda model, X, y: -model.score(X, y)},
    {"n_init": 3},
    {"n_init": 3, "combine_inits": "average"},
    {"n_init": 3, "n_shared_layers": 1},
    {"n_init": 3, "combine_inits": "average", "n_shared_layers": 1},
    {"n_init": 3, "combine_inits": "average", "n_shared_layers": 2},
    {"callbacks": [StopAfter(5)]},
    {"beta_1": 0.5},
    {"beta_2": 0.9},
    {"epsilon": 0.1},
    {"solver": "rmsprop"},
    {"solver": "rmsprop", "epsilon": 0.1},
    {"solver": "lbfgs"},
    {"solver": "lbfgs", "max_fun": 3},
    {"solver": "lbfgs", "tol": 10.0},
    {"tol": 10.0, "n_iter_no_change": 1},
    {"tol": 10.0, "n_iter_no_change": 2},
    {"shuffle": False, "batch_size": 13},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "weight_decay_schedule": "cosine"},
    {"weight_averaging": 0.5},
    {"early_stopping": True, "refit": True},
    {"weight_tol": 0.5},
    {"init": "glorot_normal"},
    {"parametrization": "ntk"},
    {"input_scale_layer": True},
    {"feature_scaling": None},
    {"feature_scaling": "minmax"},
    {"feature_scaling": "robust"},
    {"target_scaling": False},
    {"dropout": 0.3},
    {"dropout": 0.3, "dropout_schedule": "cosine"},
    {"learning_rate_init": 0.02, "clip_predictions": True},
    {"max_grad_norm": 0.01, "solver": "sgd"},
    {"encoder": SMALL_ENCODER},
    {"encoder": SMALL_ENCODER, "encoder_learning_rate": 0.0},
    {"encoder": SMALL_ENCODER, "encoder_learning_rate": 0.5},
    {"loss": "huber", "delta": 0.5},
    {"loss": "quantile"},
    {"loss": "quantile", "quantile": 0.9},
    {"categorical_features": [0]},
    {"categorical_features": [0], "category_embedding_size": 2},
    {"categorical_features": [0], "max_one_hot": 1000},
    {"numeric_embedding_size": 2},
    {"numeric_embedding_size": 3},
    {"numeric_embedding_size": 3, "numeric_embedding_scale": 1.0},
    {"numeric_embedding_size": 3, "numeric_embedding": "piecewise"},
    {"dtype": "float32"},
    *({"learning_rate": name} for name in SCHEDULES if name not in ("constant", "adaptive")),
    *({"activation": name} for name in ACTIVATIONS if name not in ("relu", "tanh", "step")),
]


def test_every_change_of_a_parameter_changes_the_fit():
    fits = [({}, regress().predict(X))]
    for change in CHANGES:
        predicted = regress(**change).predict(X)
        assert np.isfinite(predicted).all(), change
        for other, same in fits:
            assert not np.array_equal(predicted, same), (change, other)
        fits.append((change, predicted))


def test_no_parameter_is_left_out_above():
    changed = {name for change in CHANGES for name in change}
    # What is done about missing values has no effect where none is missing.
    without_effect_on_predictions = {"verbose", "warm_start", "missing"}
    assert changed | without_effect_on_predictions == set(MLPRegressor().get_params())


CLASSIFIER_CHANGES = [
    {"loss": "crammer_singer"},
    {"loss": "weston_watkins"},
    {"loss": "weston_watkins", "margin": 0.05},
    {"class_weight": {0: 3.0}},
    {"class_weight": {0: 3.0, 1: 2.0}},
    {"label_smoothing": 0.1},
    {"temperature_scaling": True, "early_stopping": True},
]


def test_every_parameter_of_the_classifier_changes_the_fit():
    fits = [({}, classify().decision_function(X_class))]
    for change in CLASSIFIER_CHANGES:
        decision = classify(**change).decision_function(X_class)
        for other, same in fits:
            assert not np.array_equal(decision, same), (change, other)
        fits.append((change, decision))
    own = set(MLPClassifier().get_params()) - set(MLPRegressor().get_params())
    own |= {"loss", "early_stopping"}
    assert own == {name for change in CLASSIFIER_CHANGES for name in change}


@pytest.mark.parametrize("every, expected", [(True, 6), (1, 6), (2, 4), (4, 2), (False, 0)])
def test_verbose_prints_every_so_many_epochs(every, expected, capsys):
    regress(verbose=every)
    assert capsys.readouterr().out.count("Iteration ") == expected


PLAIN_SGD = {"solver": "sgd", "momentum": 0.0, "max_iter": 1, "learning_rate_init": 0.1}


def test_weight_decay_is_decoupled_and_spares_the_biases():
    before, plain = start(), regress(**PLAIN_SGD)
    decayed = regress(weight_decay=0.3, **PLAIN_SGD)
    scale = 1.0 / y.std()
    for k, factor in [(0, X.std(axis=0)[:, np.newaxis]), (1, 1.0), (2, scale)]:
        moved = (decayed.coefs_[k] - plain.coefs_[k]) * factor
        np.testing.assert_allclose(moved, -0.1 * 0.3 * before.coefs_[k] * factor, atol=1e-12)
    n_weights = 4 * 6 + 6 * 5 + 5
    np.testing.assert_allclose(decayed.theta_[n_weights:], plain.theta_[n_weights:], rtol=1e-12)


def test_weight_decay_follows_the_schedule():
    """With a gradient of zero the weights are those of theta -= lr_t * weight_decay * theta."""
    flat = {"feature_scaling": None, "target_scaling": False, "alpha": 0.0, "solver": "sgd"}
    settings = {**SMALL, **flat, "hidden_layer_sizes": (), "learning_rate": "cosine"}
    zeros = np.zeros((10, 2))
    before = MLPRegressor(**{**settings, "max_iter": 1, "learning_rate_init": 1e-300})
    after = MLPRegressor(**settings, learning_rate_init=0.5, weight_decay=0.7)
    before.fit(zeros, np.zeros(10)), after.fit(zeros, np.zeros(10))
    rates = 0.5 * np.array([SCHEDULES["cosine"]()(step, 6, 0) for step in range(6)])
    np.testing.assert_allclose(after.learning_rate_curve_, rates, rtol=1e-12)
    expected = before.coefs_[0] * np.prod(1.0 - rates * 0.7)
    np.testing.assert_allclose(after.coefs_[0], expected, rtol=1e-12)


def test_max_grad_norm_bounds_the_step():
    before = start().theta_
    long, short = regress(**PLAIN_SGD), regress(max_grad_norm=0.25, **PLAIN_SGD)
    step = long.theta_ - before
    assert np.linalg.norm(step) > 0.1 * 0.25
    np.testing.assert_allclose(
        short.theta_ - before, step * 0.025 / np.linalg.norm(step), atol=1e-12
    )
    loose = regress(max_grad_norm=1e6, **PLAIN_SGD)
    np.testing.assert_allclose(loose.theta_, long.theta_, rtol=1e-12)


def test_ntk_starts_alike_and_divides_the_step_of_weights_by_fan_in():
    settings = {**PLAIN_SGD, "feature_scaling": None, "target_scaling": False, "alpha": 0.0}
    begin = {**settings, "learning_rate_init": 1e-300}
    settings["learning_rate_init"] = 1e-4
    before = regress(**begin)
    np.testing.assert_allclose(
        regress(parametrization="ntk", **begin).predict(X), before.predict(X), rtol=1e-12
    )
    standard, ntk = regress(**settings), regress(parametrization="ntk", **settings)
    for k, fan_in in enumerate((4, 6, 5)):
        full = standard.coefs_[k] - before.coefs_[k]
        np.testing.assert_allclose(
            ntk.coefs_[k] - before.coefs_[k], full / fan_in, rtol=1e-6, atol=1e-12
        )


def test_the_input_scale_starts_at_one_and_is_learned():
    before, scaled = start(), start(input_scale_layer=True)
    np.testing.assert_array_equal(before.predict(X), scaled.predict(X))
    assert len(scaled.theta_) == len(before.theta_) + X.shape[1]
    assert regress(input_scale_layer=True, max_iter=30).loss_ < regress(max_iter=30).loss_ * 1.5


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_by_name_and_by_instance(name):
    by_name = start(init=name, activation="tanh")
    by_object = start(init=INITIALIZERS[name](), activation="tanh")
    np.testing.assert_array_equal(by_name.theta_, by_object.theta_)


@pytest.mark.parametrize("activation, init", [("relu", "he_uniform"), ("tanh", "glorot_uniform")])
def test_auto_init_goes_by_the_activation(activation, init):
    one = {"hidden_layer_sizes": (6,), "activation": activation}
    auto, named = start(**one), start(init=init, **one)
    # The same draws; the factor before them is the activation's own.
    ratio = auto.coefs_[0] / named.coefs_[0]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-12)
    assert 0.3 < ratio[0, 0] <= 1.0 + 1e-12


@pytest.mark.parametrize(
    "by_name, by_object",
    [
        ({"activation": "tanh"}, {"activation": Tanh()}),
        ({"activation": ["relu", "tanh"]}, {"activation": ("relu", Tanh())}),
        ({"solver": "sgd", "momentum": 0.5}, {"solver": SGD(momentum=0.5)}),
        ({"beta_1": 0.5, "epsilon": 1e-3}, {"solver": Adam(beta_1=0.5, epsilon=1e-3)}),
        ({"solver": "lbfgs", "max_fun": 5}, {"solver": LBFGS(max_fun=5)}),
        ({"learning_rate": "cosine"}, {"learning_rate": Cosine()}),
        ({"learning_rate": "constant"}, {"learning_rate": Constant()}),
        ({"learning_rate": "adaptive", "tol": 9.0}, {"learning_rate": Adaptive(), "tol": 9.0}),
        (
            {"learning_rate": "invscaling", "power_t": 0.3},
            {"learning_rate": InvScaling(power_t=0.3)},
        ),
        ({"init": "he_normal"}, {"init": HeNormal()}),
        ({"loss": "huber", "delta": 0.7}, {"loss": Huber(delta=0.7)}),
        ({"loss": "quantile", "quantile": [0.2, 0.8]}, {"loss": Quantile((0.2, 0.8))}),
        ({}, {"loss": SquaredError()}),
    ],
)
def test_instances_act_like_their_names(by_name, by_object):
    np.testing.assert_array_equal(regress(**by_name).theta_, regress(**by_object).theta_)
    again = clone(regress(**by_object)).fit(X, y)
    np.testing.assert_array_equal(again.theta_, regress(**by_name).theta_)


def test_parameters_of_instances_act():
    slopes = [LeakyReLU(0.3), LeakyReLU(0.01)]
    first, second = (regress(activation=slope).predict(X) for slope in slopes)
    assert not np.array_equal(first, second)
    per_unit = regress(activation=PReLU(per_unit=True))
    assert len(per_unit.theta_) == len(regress(activation="prelu").theta_) + (6 - 1) + (5 - 1)


def test_activations_act_layer_by_layer():
    both = regress(activation=["tanh", "logistic"])
    predicted = X
    for k, f in enumerate([np.tanh, lambda z: 1 / (1 + np.exp(-z)), lambda z: z]):
        predicted = f(predicted @ both.coefs_[k] + both.intercepts_[k])
    np.testing.assert_allclose(predicted[:, 0], both.predict(X), rtol=1e-10)


def test_dropout_acts_layer_by_layer_and_in_training_only():
    first, second = regress(dropout=[0.5, 0.0]), regress(dropout=[0.0, 0.5])
    assert not np.array_equal(first.theta_, second.theta_)
    np.testing.assert_array_equal(regress(dropout=[0.0, 0.0]).theta_, regress().theta_)
    np.testing.assert_array_equal(regress(dropout=0.5).theta_, regress(dropout=(0.5, 0.5)).theta_)
    np.testing.assert_array_equal(first.predict(X), first.predict(X))
    np.testing.assert_array_equal(start(dropout=0.5).predict(X), start().predict(X))


class Times(Schedule):
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, step, n_steps, n_samples_seen):
        return self.factor


@pytest.mark.parametrize("name, value", [("dropout", 0.5), ("weight_decay", 0.5)])
def test_schedules_of_dropout_and_decay_are_factors(name, value):
    schedule = f"{name}_schedule"
    plain = regress(**{name: value}).theta_
    np.testing.assert_array_equal(regress(**{name: value, schedule: Constant()}).theta_, plain)
    np.testing.assert_array_equal(regress(**{name: value, schedule: Times(0.0)}).theta_,
                                  regress().theta_)  # fmt: skip
    double = regress(**{name: value / 2, schedule: Times(2.0)}).theta_
    np.testing.assert_array_equal(double, plain)
    several = regress(**{name: value, schedule: "cosine"}, n_init=2, combine_inits="average")
    alone = regress(**{name: value, schedule: "cosine"}).theta_
    np.testing.assert_allclose(several.theta_[0], alone, rtol=1e-9)


@pytest.mark.parametrize("name", ["dropout", "weight_decay"])
def test_they_have_the_horizon_of_the_fit(name):
    steps = []

    class Note(Times):
        def __call__(self, step, n_steps, n_samples_seen):
            steps.append((step, n_steps, n_samples_seen))
            return self.factor

    regress(**{name: 0.1, f"{name}_schedule": Note(1.0)}, batch_size=30, max_iter=2)
    assert steps == [(0, 4, 0), (1, 4, 0), (2, 4, 60), (3, 4, 60)]


@pytest.mark.parametrize("name", ["dropout_schedule", "weight_decay_schedule"])
def test_partial_fit_refuses_them_with_a_horizon(name):
    with pytest.raises(ValueError, match=f"partial_fit does not support {name}='cosine'"):
        MLPRegressor(**{name: "cosine"}).partial_fit(X, y)
    assert np.isfinite(MLPRegressor(**{name: "invscaling"}).partial_fit(X, y).theta_).all()


@pytest.mark.parametrize("solver", [name for name in OPTIMIZERS if name != "lbfgs"])
@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_schedules_act_with_every_stochastic_solver(solver, learning_rate):
    settings = {"solver": solver, "learning_rate": learning_rate, "max_iter": 20}
    model = regress(tol=1.0, n_iter_no_change=3, **settings)
    rates = np.array(model.learning_rate_curve_)
    assert (rates > 0).all() or SCHEDULES[learning_rate].ends_at_zero
    assert (len(set(rates)) > 1) == (learning_rate != "constant")


def test_no_warning_comes_from_parameters_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        for change in CHANGES[:10]:
            regress(**change)
