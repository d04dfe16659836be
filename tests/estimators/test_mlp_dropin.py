"""Whoever changes the import and switches scaling off gets scikit-learn's steps."""

import numpy as np
import pytest
import sklearn.neural_network as sk
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

import skmlp
from skmlp.estimators._defaults import BY_HAND

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_regression(n_samples=40, n_features=4, noise=5.0, random_state=0)
y = y / y.std()
Y = np.column_stack([y, y**2, np.sin(y)])
X_class, y_three = make_classification(
    n_samples=40, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1,
)  # fmt: skip
weight = np.random.default_rng(0).uniform(0.2, 3.0, size=40)

UNSCALED = {"feature_scaling": None}
TARGETS = {
    "one output": ("MLPRegressor", X, y, True),
    "three outputs": ("MLPRegressor", X, Y, True),
    "two classes": ("MLPClassifier", X_class, y_three > 0, False),
    "three classes": ("MLPClassifier", X_class, y_three, False),
    "labels": ("MLPClassifier", X_class, np.column_stack([y_three > 0, y_three > 1]) * 1, False),
}
SETTINGS = {
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
    "adam, other moments": {"solver": "adam", "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.01},
    "momentum": {"solver": "sgd", "learning_rate_init": 0.01, "nesterovs_momentum": False},
    "plain sgd": {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.0},
    "alpha": {"solver": "sgd", "learning_rate_init": 0.01, "alpha": 1.0},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "power": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.2},
    "minibatches": {"solver": "adam", "shuffle": False, "batch_size": 9},
    "logistic": {"activation": "logistic", "learning_rate_init": 0.01},
    "tanh": {"activation": "tanh", "learning_rate_init": 0.01},
    "identity": {"activation": "identity", "learning_rate_init": 0.01},
    "two layers": {"hidden_layer_sizes": (6, 3), "learning_rate_init": 0.01},
    "no layer": {"hidden_layer_sizes": (), "learning_rate_init": 0.01},
}


def pair(target, epochs, settings, weight=None, **ours_only):
    """Our fit, and scikit-learn's from the same starting parameters."""
    name, features, values, regression = TARGETS[target]
    if regression:
        ours_only = {"target_scaling": False, **ours_only}
    settings = {"hidden_layer_sizes": (5,), "random_state": 0, **settings}
    # scikit-learn remembers the best loss of the call before.
    settings["n_iter_no_change"] = np.inf
    build = {**settings, **UNSCALED, **ours_only}
    ours = getattr(skmlp, name)(max_iter=epochs, **build).fit(features, values, weight)
    build["learning_rate_init"] = 1e-300
    first = getattr(skmlp, name)(max_iter=1, **build).fit(features, values, weight)
    theirs = getattr(sk, name)(max_iter=1, warm_start=True, **settings)
    theirs.fit(features, values, **_weights(weight))
    theirs.coefs_ = [np.array(coef) for coef in first.coefs_]
    theirs.intercepts_ = [np.array(intercept) for intercept in first.intercepts_]
    theirs.t_, theirs.loss_curve_ = 0, []
    theirs.set_params(max_iter=epochs).fit(features, values, **_weights(weight))
    return ours, theirs


def _weights(weight):
    # scikit-learn has sample weights since 1.7
    return {} if weight is None else {"sample_weight": weight}


def compare(ours, theirs, epochs):
    for mine, other in zip(
        [*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9)
    assert len(theirs.loss_curve_) == epochs == ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    assert ours.n_layers_ == theirs.n_layers_ and ours.n_outputs_ == theirs.n_outputs_
    assert ours.out_activation_ == theirs.out_activation_


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("target", TARGETS)
def test_trajectories_equal_scikit_learn(target, setting):
    for epochs in (1, 2, 25):
        ours, theirs = pair(target, epochs, SETTINGS[setting])
        compare(ours, theirs, epochs)
    features = TARGETS[target][1]
    np.testing.assert_allclose(ours.predict(features), theirs.predict(features), rtol=1e-6)


@pytest.mark.parametrize("target", ["one output", "two classes", "three classes"])
def test_losses_equal_scikit_learn(target):
    ours, theirs = pair(target, 10, {"alpha": 0.5})
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)


def test_the_loss_of_several_outputs_is_their_sum():
    """API.md section 2: loss_ differs from scikit-learn's by n_outputs (E4)."""
    ours, theirs = pair("three outputs", 10, {"alpha": 0.0})
    np.testing.assert_allclose(ours.loss_curve_, 3 * np.array(theirs.loss_curve_), rtol=1e-9)


def gradient_step(coef, intercept, weight, alpha, rate):
    """One step of gradient descent of weighted least squares, by hand."""
    residual = weight * (X @ coef + intercept - y)
    total = weight.sum()
    step = (X.T @ residual + alpha * coef) / total
    return coef - rate * step, intercept - rate * residual.sum() / total


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_sample_weights_and_alpha_act_by_the_formula(scale):
    """Alpha is divided by the sum of weights (E3), so weights of another scale change its force."""
    settings = {"solver": "sgd", "momentum": 0.0, "hidden_layer_sizes": (), "random_state": 0}
    settings |= {"feature_scaling": None, "target_scaling": False, "alpha": 3.0, "tol": 0.0}
    w = weight * scale
    first = skmlp.MLPRegressor(**settings, max_iter=1, learning_rate_init=1e-300).fit(X, y, w)
    fitted = skmlp.MLPRegressor(**settings, max_iter=4, learning_rate_init=0.1).fit(X, y, w)
    coef, intercept = first.coefs_[0][:, 0], first.intercepts_[0][0]
    for _ in range(4):
        coef, intercept = gradient_step(coef, intercept, w, 3.0, 0.1)
    np.testing.assert_allclose(fitted.coefs_[0][:, 0], coef, rtol=1e-10)
    np.testing.assert_allclose(fitted.intercepts_[0], intercept, rtol=1e-10)


def test_the_output_bias_starts_at_the_best_constant():
    first = pair("one output", 1, {}, weight=None)[0]
    assert first.n_iter_ == 1
    settings = {"max_iter": 1, "learning_rate_init": 1e-300, "random_state": 0}
    model = skmlp.MLPRegressor(**settings, **UNSCALED, target_scaling=False)
    np.testing.assert_allclose(model.fit(X, y + 7.0, weight).intercepts_[-1],
                               np.average(y + 7.0, weights=weight))  # fmt: skip


@pytest.mark.parametrize("cls", ["one output", "three classes"])
def test_adaptive_divides_by_five_on_a_stalled_loss(cls):
    name, features, target, _ = TARGETS[cls]
    settings = {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 3}
    model = getattr(skmlp, name)(**settings, learning_rate_init=0.01, random_state=0)
    rates = np.array(model.fit(features, target).learning_rate_curve_)
    # The first epoch improves on nothing at all.
    expected = 0.01 / 5.0 ** ((np.arange(len(rates)) - 1) // 3).clip(0)
    np.testing.assert_allclose(rates, expected, rtol=1e-10)
    assert rates[-1] <= 1e-6 < rates[-4]
    assert "learning rate" in model.stop_reason_


def test_invscaling_counts_rows():
    model = skmlp.MLPRegressor(learning_rate="invscaling", power_t=0.4, max_iter=5).fit(X, y)
    rates = 0.001 / (40.0 * np.arange(5) + 1.0) ** 0.4
    np.testing.assert_allclose(model.learning_rate_curve_, rates, rtol=1e-12)


@pytest.mark.parametrize("scaling", [None, "standard", "minmax"])
@pytest.mark.parametrize("target_scaling", [True, False])
def test_no_hidden_layer_is_linear_regression(scaling, target_scaling):
    model = skmlp.MLPRegressor(
        hidden_layer_sizes=(), solver="lbfgs", alpha=0.0, tol=1e-10, max_iter=1000,
        feature_scaling=scaling, target_scaling=target_scaling, random_state=0,
    )  # fmt: skip
    oracle = LinearRegression().fit(X, Y, weight)
    model.fit(X, Y, weight)
    np.testing.assert_allclose(model.coefs_[0], oracle.coef_.T, atol=1e-4)
    np.testing.assert_allclose(model.intercepts_[0], oracle.intercept_, atol=1e-4)


def test_no_hidden_layer_and_alpha_is_ridge():
    model = skmlp.MLPRegressor(
        hidden_layer_sizes=(), solver="lbfgs", alpha=5.0, tol=1e-10, feature_scaling=None,
        target_scaling=False, max_iter=1000, random_state=0,
    ).fit(X, y, weight)  # fmt: skip
    oracle = Ridge(alpha=5.0).fit(X, y, weight)
    np.testing.assert_allclose(model.coefs_[0][:, 0], oracle.coef_, atol=1e-4)
    np.testing.assert_allclose(model.intercepts_[0], oracle.intercept_, atol=1e-4)


@pytest.mark.parametrize("target", [y_three > 0, y_three], ids=["binary", "three classes"])
@pytest.mark.parametrize("weighted", [False, True])
def test_no_hidden_layer_is_logistic_regression(target, weighted):
    sample_weight = weight if weighted else None
    model = skmlp.MLPClassifier((), solver="lbfgs", alpha=0.5, tol=1e-9, feature_scaling=None)
    model.set_params(max_iter=1000).fit(X_class, target, sample_weight)
    oracle = LogisticRegression(C=2.0, tol=1e-10, max_iter=1000)
    oracle.fit(X_class, target, sample_weight)
    np.testing.assert_allclose(
        model.predict_proba(X_class), oracle.predict_proba(X_class), atol=5e-4
    )
    coef = model.coefs_[0].T
    np.testing.assert_allclose(coef - coef.mean(axis=0) * (len(coef) > 1), oracle.coef_, atol=1e-3)


def test_scikit_learns_attributes_are_all_there():
    for target in ("one output", "three classes"):
        ours, theirs = pair(target, 5, {"early_stopping": True})
        public = {name for name in vars(theirs) if name.endswith("_") and name[0] != "_"}
        assert {name for name in public if not hasattr(ours, name)} == set()
        for name in ("best_loss_", "validation_scores_", "best_validation_score_"):
            assert (getattr(ours, name) is None) == (getattr(theirs, name) is None), name


def test_parameters_keep_name_order_and_default():
    for name in ("MLPRegressor", "MLPClassifier"):
        theirs = getattr(sk, name)().get_params()
        ours = getattr(skmlp, name)().get_params()
        # By hand, "auto" does what the default does there, but for a validation set of its own.
        left_open = {name: "auto" for name, value in ours.items() if value == "auto"}
        by_hand = {name: BY_HAND.get(name, ours[name]) for name in left_open}
        assert {**theirs, "early_stopping": "auto"}.items() <= {**ours, **by_hand}.items()
        added = {"MLPRegressor": 3, "MLPClassifier": 2}[name]
        code = getattr(skmlp, name).__init__.__code__
        theirs_code = getattr(sk, name).__init__.__code__
        given = code.co_varnames[1 : 1 + code.co_argcount - 1]
        assert len(given) == added
        assert set(theirs_code.co_varnames[1:]) <= set(code.co_varnames)


def test_reaching_max_iter_warns_as_in_scikit_learn():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(3\) reached"):
        skmlp.MLPRegressor(max_iter=3).fit(X, y)
