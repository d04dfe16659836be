"""Combinations that cannot act are refused: the message has parameter, value and remedy."""

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression

from skmlp import MLPClassifier, MLPRegressor
from skmlp.activations import Step
from skmlp.optimizers import LBFGS
from skmlp.schedules import Cosine, InvScaling

X, y = make_regression(n_samples=30, n_features=4, random_state=0)
y_class = make_classification(n_samples=30, random_state=0)[1]
y_three = np.arange(30) % 3


def refusal(params, target=y, cls=MLPRegressor, method="fit"):
    """The message with which a fit is refused."""
    with pytest.raises(ValueError) as error:
        getattr(cls(**params), method)(X, target)
    return str(error.value)


WITH_LBFGS = [
    ("dropout", 0.5),
    ("dropout", [0.5]),
    ("max_grad_norm", 1.5),
    ("weight_decay", 0.25),
    ("weight_decay_schedule", "cosine"),
    ("dropout_schedule", "flat_cosine"),
    ("weight_averaging", 0.5),
    ("learning_rate", "cosine"),
    ("learning_rate", "one_cycle"),
    ("learning_rate", "coslog4"),
    ("learning_rate", Cosine()),
    ("learning_rate", InvScaling()),
]


@pytest.mark.parametrize("name, value", WITH_LBFGS)
@pytest.mark.parametrize("solver", ["lbfgs", LBFGS()])
@pytest.mark.parametrize("cls, target", [(MLPRegressor, y), (MLPClassifier, y_class)])
def test_lbfgs_refuses_what_acts_on_steps(cls, target, solver, name, value):
    message = refusal({"solver": solver, name: value}, target, cls)
    assert f"{name}={value!r}" in message
    assert "lbfgs" in message.lower()
    assert "adam" in message


@pytest.mark.parametrize(
    "ignored", [{"momentum": 0.5}, {"learning_rate": "invscaling"}, {"learning_rate": "adaptive"},
                {"batch_size": 5}, {"beta_1": 0.5}, {"shuffle": False}, {"power_t": 0.1}],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_lbfgs_ignores_what_scikit_learn_ignores(ignored):
    settings = {"solver": "lbfgs", "random_state": 0, "max_iter": 5, "hidden_layer_sizes": 5}
    plain = MLPRegressor(**settings).fit(X, y)
    same = MLPRegressor(**settings, **ignored).fit(X, y)
    np.testing.assert_array_equal(plain.theta_, same.theta_)


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "coslog4", Cosine()])
@pytest.mark.parametrize("cls, target", [(MLPRegressor, y), (MLPClassifier, y_class)])
def test_partial_fit_refuses_schedules_with_a_horizon(cls, target, name):
    with pytest.raises(ValueError) as error:
        if cls is MLPClassifier:
            cls(learning_rate=name).partial_fit(X, target, classes=[0, 1])
        else:
            cls(learning_rate=name).partial_fit(X, target)
    assert f"learning_rate={name!r}" in str(error.value)
    assert "constant" in str(error.value)


def test_partial_fit_refuses_early_stopping():
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True.*False"):
        MLPRegressor(early_stopping=True).partial_fit(X, y)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True.*False"):
        MLPClassifier(early_stopping=True).partial_fit(X, y_class, classes=[0, 1])


@pytest.mark.parametrize("solver", ["lbfgs", LBFGS()])
def test_there_is_no_partial_fit_with_lbfgs(solver):
    """Defect e: scikit-learn's regressor has one, which runs a full L-BFGS."""
    for cls in (MLPRegressor, MLPClassifier):
        assert not hasattr(cls(solver=solver), "partial_fit")
        assert hasattr(cls(), "partial_fit")


@pytest.mark.parametrize("activation", ["step", Step(), ["step"], (Step(),)])
def test_step_cannot_be_trained(activation):
    message = refusal({"activation": activation})
    assert "activation=" in message
    assert "step" in message.lower()
    assert "logistic" in message


@pytest.mark.parametrize(
    "params, words",
    [
        ({"activation": ["relu", "tanh"]}, ["activation", "2", "1", "hidden_layer_sizes"]),
        ({"dropout": [0.1, 0.2]}, ["dropout", "2", "1", "hidden_layer_sizes"]),
        ({"activation": []}, ["activation", "0", "hidden_layer_sizes"]),
        ({"activation": ["rely"]}, ["activation", "'rely'", "relu"]),
        ({"activation": "rely"}, ["activation", "'rely'", "relu"]),
        ({"activation": [3]}, ["activation", "3"]),
        ({"dropout": [1.0]}, ["dropout", "1.0"]),
        ({"dropout": 1.0}, ["dropout", "1.0"]),
        ({"dropout": [-0.1]}, ["dropout", "-0.1"]),
        ({"dropout": ["a"]}, ["dropout", "a"]),
        ({"dropout": [np.nan]}, ["dropout", "nan"]),
        ({"hidden_layer_sizes": (3, 0)}, ["hidden_layer_sizes", "0"]),
        ({"hidden_layer_sizes": (3, -2)}, ["hidden_layer_sizes", "-2"]),
        ({"hidden_layer_sizes": (3.5,)}, ["hidden_layer_sizes", "3.5"]),
        ({"hidden_layer_sizes": [(3, 3)]}, ["hidden_layer_sizes", "3"]),
        ({"hidden_layer_sizes": 0}, ["hidden_layer_sizes", "0"]),
        ({"init": "he"}, ["init", "'he'", "he_uniform"]),
        ({"solver": "adamw"}, ["solver", "'adamw'", "adam"]),
        ({"learning_rate": "step"}, ["learning_rate", "'step'", "cosine"]),
        ({"loss": "log_loss"}, ["loss", "'log_loss'", "squared_error"]),
        ({"parametrization": "mup"}, ["parametrization", "'mup'", "ntk"]),
        ({"feature_scaling": "none"}, ["feature_scaling", "'none'", "None"]),
        ({"max_grad_norm": 0.0}, ["max_grad_norm", "0"]),
        ({"weight_decay": -1.0}, ["weight_decay", "-1"]),
        ({"dtype": "float16"}, ["dtype", "float16", "float32"]),
        ({"loss": "huber", "delta": 0.0}, ["delta", "0"]),
        ({"loss": "quantile", "quantile": 1.0}, ["quantile", "1.0"]),
        ({"loss": "quantile", "quantile": [0.5, 0.2]}, ["quantile", "0.5, 0.2", "increasing"]),
        ({"loss": "quantile", "quantile": []}, ["quantile"]),
        ({"loss": "quantile", "quantile": ["a"]}, ["quantile"]),
        ({"quantile": [0.2, 1.5], "loss": "quantile"}, ["quantile", "1.5"]),
        ({"learning_rate_init": 0.0}, ["learning_rate_init", "0"]),
    ],
)
def test_values_that_no_fit_can_use(params, words):
    message = refusal({"hidden_layer_sizes": (4,), **params})
    for word in words:
        assert word in message, message


CANNOT_ACT = [
    (MLPRegressor, y, {"dropout": 0.5, "hidden_layer_sizes": ()}, "dropout", "hidden_layer_sizes"),
    (MLPRegressor, y, {"delta": 2.0}, "delta", "huber"),
    (MLPRegressor, y, {"quantile": 0.9}, "quantile", "loss"),
    (MLPRegressor, y, {"quantile": [0.1, 0.9]}, "quantile", "loss"),
    (MLPClassifier, y_class, {"margin": 2.0}, "margin", "hinge"),
    (MLPClassifier, y_class, {"loss": "hinge", "label_smoothing": 0.1}, "label_smoothing", "log"),
    (MLPClassifier, y_three, {"loss": "crammer_singer", "label_smoothing": 0.1},
     "label_smoothing", "log_loss"),
]  # fmt: skip


@pytest.mark.parametrize("cls, target, params, name, remedy", CANNOT_ACT)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_added_parameters_that_cannot_act_are_refused(cls, target, params, name, remedy):
    message = refusal(params, target, cls)
    assert f"{name}={params[name]!r}" in message
    assert remedy in message


@pytest.mark.parametrize("loss", ["hinge"])
def test_hinge_is_for_two_classes(loss):
    message = refusal({"loss": loss}, y_three, MLPClassifier)
    assert "loss='hinge'" in message and "crammer_singer" in message


def test_margins_are_not_for_multilabel_targets():
    target = np.column_stack([y_class, 1 - y_class])
    for loss in ("hinge", "crammer_singer", "weston_watkins"):
        message = refusal({"loss": loss}, target, MLPClassifier)
        assert f"loss={loss!r}" in message and "log_loss" in message
    message = refusal({"class_weight": {0: 2.0}}, target, MLPClassifier)
    assert "class_weight={0: 2.0}" in message and "sample_weight" in message


def test_several_quantiles_need_one_target():
    message = refusal({"loss": "quantile", "quantile": [0.2, 0.8]}, np.column_stack([y, y]))
    assert "MultiOutputRegressor" in message and "0.2, 0.8" in message


@pytest.mark.parametrize("class_weight", [{0: -1.0}, {0: np.nan}, {0: 0.0, 1: 0.0}])
def test_class_weights_that_no_fit_can_use(class_weight):
    message = refusal({"class_weight": class_weight}, y_class, MLPClassifier)
    assert "class_weight" in message


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "changed, name",
    [
        ({"hidden_layer_sizes": (5,)}, "hidden_layer_sizes"),
        ({"activation": "tanh"}, "activation"),
        ({"input_scale_layer": True}, "input_scale_layer"),
        ({"parametrization": "ntk"}, "parametrization"),
    ],
)
def test_warm_start_refuses_another_network(changed, name):
    model = MLPRegressor(hidden_layer_sizes=(4,), warm_start=True, max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match=name):
        model.set_params(**changed).fit(X, y)
    with pytest.raises(ValueError, match="output"):
        MLPRegressor(warm_start=True, max_iter=2).fit(X, y).fit(X, np.column_stack([y, y]))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_warm_start_refuses_another_kind_of_target_or_does_it_right():
    """A poisson loss on standardised counts would be nonsense."""
    X = np.linspace(-1, 1, 60)[:, np.newaxis]
    counts = np.random.default_rng(0).poisson(np.exp(2.0 + X[:, 0]))
    settings = {"hidden_layer_sizes": (), "learning_rate_init": 0.01, "random_state": 0}
    model = MLPRegressor(warm_start=True, max_iter=3, **settings).fit(X, counts)
    cold = MLPRegressor(loss="poisson", max_iter=500, **settings).fit(X, counts)
    try:
        model.set_params(loss="poisson", max_iter=500).fit(X, counts)
    except ValueError as error:
        assert "loss" in str(error)
    else:
        np.testing.assert_allclose(model.predict(X), cold.predict(X), rtol=0.1)


def test_partial_fit_refuses_balanced_class_weights():
    model = MLPClassifier(class_weight="balanced")
    with pytest.raises(ValueError, match="class_weight='balanced' .*partial_fit.*sample_weight"):
        model.partial_fit(X, y_class, classes=[0, 1])
