"""Predicted distributions without a network, and what figures say."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from skmlp.displays import PITDisplay, QuantileCalibrationDisplay
from skmlp.distributions import Distribution
from skmlp.families import MultivariateNormal, Normal, Poisson

CALIBRATION = [PITDisplay, QuantileCalibrationDisplay]


def normal(loc, scale):
    loc = np.asarray(loc, float)
    return Distribution(Normal(), {"loc": loc, "scale": np.broadcast_to(scale, loc.shape)})


def two_targets(n, scale=1.0):
    chol = np.broadcast_to(scale * np.eye(2), (n, 2, 2))
    return Distribution(MultivariateNormal(), {"loc": np.zeros((n, 2)), "scale_tril": chol})


class FirstFeature(RegressorMixin, BaseEstimator):
    """Normal about the first column plus those of others; remembers the last X."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return self.predict_dist(X).mean()

    def predict_dist(self, X):
        self.seen_ = X
        X = X.toarray() if hasattr(X, "toarray") else np.asarray(X, float)
        return normal(X[:, 0] + 10 * X[:, 1:].sum(axis=1), self.scale)


class Poissons(FirstFeature):
    def predict_dist(self, X):
        return Distribution(Poisson(), {"mean": np.exp(np.asarray(X, float)[:, 0])})


class OfSizes(FirstFeature):
    def predict_dist(self, X):
        self.seen_ = X
        return normal(X["size"].to_numpy(), 1.0)


class TwoTargets(FirstFeature):
    def predict_dist(self, X):
        return two_targets(len(X))


def fitted(**parameters):
    return FirstFeature(**parameters).fit(np.zeros((2, 3)), np.zeros(2))


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]
