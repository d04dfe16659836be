"""The parameter `weight_averaging`."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_friedman1

from skmlp import MLPClassifier, MLPRegressor
from skmlp.callbacks import Callback

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_friedman1(90, noise=1.0, random_state=0)
X_class, y_class = make_classification(90, 10, n_informative=5, n_classes=3, random_state=0)
DATA = {MLPRegressor: (X, y), MLPClassifier: (X_class, y_class)}
BOTH = pytest.mark.parametrize("cls", DATA, ids=["regressor", "classifier"])
# Three steps an epoch.
SMALL = {"hidden_layer_sizes": (6,), "batch_size": 30, "learning_rate_init": 0.02}
SMALL |= {"random_state": 0, "max_iter": 8}


class Spy(Callback):
    """Copies of theta and of its average, after every epoch."""

    paths = []

    def on_train_begin(self, state):
        self.paths.clear()

    def on_epoch_end(self, state):
        self.paths.append((state.theta.copy(), state.outcome.copy()))


def fitted(cls, **params):
    return cls(**{**SMALL, "weight_averaging": 0.8, **params}).fit(*DATA[cls])


def averaged(path, decay):
    """Mean of a path with weights that fall by `decay` into the past."""
    weights = decay ** np.arange(len(path))[::-1]
    return np.tensordot(weights / weights.sum(), path, axes=1)


@BOTH
@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}, {"n_init": 2, "dropout": 0.2}], ids=str)
def test_it_is_the_weighted_mean_of_all_steps(cls, params):
    # One step an epoch, so that a callback sees all.
    settings = {**params, "batch_size": 90, "callbacks": [Spy()], "tol": 0.0}
    model = fitted(cls, **settings)
    path = np.array([theta for theta, _ in Spy.paths])
    for epochs in (1, 2, len(path)):
        expected = averaged(path[:epochs], 0.8)
        np.testing.assert_allclose(Spy.paths[epochs - 1][1], expected, rtol=1e-9, atol=1e-12)
    assert any(np.array_equal(model.theta_, member) for member in Spy.paths[-1][1])
    plain = fitted(cls, **settings, weight_averaging=0.0)
    # It looks on and does not steer; without it, compiled steps may round otherwise.
    np.testing.assert_allclose(np.array([theta for theta, _ in Spy.paths]), path, 1e-9, 1e-12)
    np.testing.assert_allclose(plain.loss_curve_, model.loss_curve_, 1e-9)


@BOTH
def test_the_first_average_is_the_first_step(cls):
    one = {"batch_size": 90, "max_iter": 1}
    plain = fitted(cls, **one, weight_averaging=0.0)
    for decay in (0.5, 0.999):
        found = fitted(cls, **one, weight_averaging=decay)
        np.testing.assert_allclose(found.theta_, plain.theta_, rtol=1e-12)


@BOTH
def test_averages_are_watched_and_restored(cls):
    features, target = DATA[cls]
    rows = {"X_val": features[60:], "y_val": target[60:]}
    model = cls(**SMALL, weight_averaging=0.8, callbacks=[Spy()], learning_rate="cosine")
    model.set_params(max_iter=30, learning_rate_init=0.2).fit(features[:60], target[:60], **rows)
    path = [average[0] for _, average in Spy.paths]
    np.testing.assert_array_equal(model.theta_, path[model.best_iteration_ - 1])
    assert model.score(features[60:], target[60:]) == pytest.approx(model.best_validation_score_)


@BOTH
@pytest.mark.parametrize("combine", ["best", "average"])
def test_several_starts(cls, combine):
    model = fitted(cls, n_init=3, combine_inits=combine)
    alone = fitted(cls)
    first = model.estimators_[0].theta_ if combine == "average" else model.theta_
    if combine == "average" or model.init_losses_.argmin() == 0:
        np.testing.assert_allclose(first, alone.theta_, rtol=1e-9)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(DATA[cls][0]), model.predict(DATA[cls][0]))


@BOTH
def test_a_warm_start_goes_on_from_the_average(cls):
    model = fitted(cls, warm_start=True)
    start = model.theta_.copy()
    model.set_params(learning_rate_init=1e-12, max_iter=1).fit(*DATA[cls])
    np.testing.assert_allclose(model.theta_, start, rtol=1e-6, atol=1e-8)
    assert np.isfinite(model.set_params(learning_rate_init=0.02).fit(*DATA[cls]).theta_).all()


@BOTH
def test_partial_fit_refuses_it(cls):
    model = fitted(cls)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(ValueError, match="weight_averaging=0.8.* set weight_averaging=0"):
        model.partial_fit(*DATA[cls])
    model.set_params(weight_averaging=0).partial_fit(*DATA[cls])


class Interrupt(Callback):
    def on_epoch_end(self, state):
        if state.epoch == 5:
            raise KeyboardInterrupt


@BOTH
def test_ctrl_c_keeps_the_average(cls):
    with pytest.warns(UserWarning, match="interrupted by the user"):
        model = fitted(cls, callbacks=[Interrupt()])
    np.testing.assert_array_equal(model.theta_, fitted(cls, max_iter=5).theta_)


def test_divergence_is_told_and_the_best_average_restored():
    settings = {"solver": "sgd", "learning_rate_init": 1e3, "momentum": 0.0, "max_iter": 50}
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        fitted(MLPRegressor, **settings)

    class Explode(Callback):
        def on_epoch_end(self, state):
            if state.epoch == 3:
                state.theta[:1] = np.nan

    model = MLPRegressor(**SMALL, weight_averaging=0.8, callbacks=[Explode()])
    with pytest.warns(match="The best epoch, [123], is restored"):
        model.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert np.isfinite(model.theta_).all()
    best = clone(model).set_params(callbacks=None, max_iter=model.best_iteration_)
    best.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    np.testing.assert_array_equal(model.theta_, best.theta_)


def test_without_it_nothing_is_kept():
    fitted(MLPRegressor, weight_averaging=0, callbacks=[Spy()])
    assert all(np.array_equal(theta, average) for theta, average in Spy.paths)
