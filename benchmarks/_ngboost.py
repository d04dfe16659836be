"""NGBoost behind the two methods that the density benchmarks call: ``fit`` and ``predict_dist``."""

import numpy as np
from _joint import joint_normal
from _tables import installed
from sklearn.model_selection import train_test_split

from skmlp.distributions import Distribution
from skmlp.families import Normal

HOW_TO_INSTALL = (
    "NGBoost is skipped. It needs scikit-learn < 1.7: make an environment of its own with "
    "`pip install . ngboost` and run this there."
)


def has_ngboost():
    """Whether NGBoost can take part."""
    return installed("ngboost")


class BoostedNormal:
    """A Normal by the protocol of the paper: the number of trees is chosen on 20 % of the rows.

    Here by their NLL (the paper's script takes their RMSE). Then all rows are fitted.
    """

    def __init__(self, random_state, largest=2000, learning_rate=0.01):
        import ngboost  # noqa: F401 - so that no fit waits for it

        self.random_state = random_state
        self.largest = largest
        self.learning_rate = learning_rate

    def fit(self, X, y):
        """Choose the number of trees, and fit all rows."""
        X_train, X_watch, y_train, y_watch = train_test_split(
            X, y, test_size=0.2, random_state=self.random_state
        )
        stages = self._boosted(self.largest, X_train, y_train).staged_pred_dist(X_watch)
        losses = [-np.mean(stage.logpdf(y_watch)) for stage in stages]
        self.n_trees_ = int(np.argmin(losses)) + 1
        self.model_ = self._boosted(self.n_trees_, X, y)
        return self

    def predict_dist(self, X):
        """The same distributions as objects of skmlp, so that both are scored by the same code."""
        params = self.model_.pred_dist(X).params
        return Distribution(Normal(), {"loc": params["loc"], "scale": params["scale"]})

    def _boosted(self, n_trees, X, y):
        from ngboost import NGBRegressor

        return NGBRegressor(
            n_estimators=n_trees,
            learning_rate=self.learning_rate,
            verbose=False,
            random_state=self.random_state,
        ).fit(X, y)


class BoostedMultivariateNormal:
    """NGBoost's joint Normal of several targets, with its defaults: 500 rounds."""

    def __init__(self, random_state, n_targets=2):
        import ngboost  # noqa: F401 - so that no fit waits for it

        self.random_state = random_state
        self.n_targets = n_targets

    def fit(self, X, Y):
        """Fit all rows."""
        from ngboost import NGBRegressor, distns

        self.model_ = NGBRegressor(
            Dist=distns.MultivariateNormal(self.n_targets),
            verbose=False,
            random_state=self.random_state,
        ).fit(X, Y)
        return self

    def predict_dist(self, X):
        """The same distributions as objects of skmlp."""
        dist = self.model_.pred_dist(X)
        return joint_normal(dist.loc, dist.cov)
