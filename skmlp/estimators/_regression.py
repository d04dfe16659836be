"""What regressors that predict numbers share."""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from .._engine.objective import mean_loss
from ..losses import REGRESSION_LOSSES
from ._design import Design
from ._recipe import check_loss_parameters
from ._targets import RealTargets
from ._validation import check_sample_weight
from ._vocabulary import resolve, restore

# The losses scikit-learn's MLPRegressor has; it watches R2 for them.
_SCORED_BY_R2 = (REGRESSION_LOSSES["squared_error"], REGRESSION_LOSSES["poisson"])


class Regression(RegressorMixin, RealTargets):
    """Adds predictions in y's units and their score to estimators over a network.

    They have the parameters `loss`, `target_scaling`, `delta` and `quantile`.
    """

    def predict(self, X):
        """Predict in the units of y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of the kinds that `fit` takes.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Of shape (n_samples, n_quantiles) for several quantiles.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For an X with other columns than in `fit`, or with values that cannot be used.

        Examples
        --------
        >>> from skmlp import MLPRegressor
        >>> fahrenheit = MLPRegressor.from_weights([[[1.8]]], [[32.0]], activation=[])
        >>> fahrenheit.predict([[0.0], [100.0]])
        array([ 32., 212.])
        """
        members, target = self._outputs(X), Design.restore(self._design).target
        predicted = restore(self._loss).predict(members)
        mean = predicted[0] if len(predicted) == 1 else predicted.mean(axis=0)
        prediction = self._in_range(target.decode(mean).astype(members.dtype, copy=False))
        return prediction[:, 0] if prediction.shape[1] == 1 and self._flat else prediction

    def score(self, X, y, sample_weight=None):
        """R2, or D2 of the trained loss when scikit-learn's MLP does not have that loss.

        D2 is the share of the loss of the best constant prediction that the network saves; 1 is
        perfect, 0 is no better than a constant. It is computed in the units of training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of the kinds that `fit` takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True values, in the units of `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            At most 1.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For X as `predict`; for a y with missing values or of another length, and, where D2 is
            computed, outside the domain of the loss.

        Examples
        --------
        >>> from skmlp import MLPRegressor
        >>> identity = MLPRegressor.from_weights(
        ...     [[[1.0]]], [[0.0]], activation=[], loss="absolute_error"
        ... )
        >>> identity.score([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])
        1.0
        >>> round(identity.score([[1.0], [2.0], [3.0]], [1.0, 2.0, 6.0]), 2)  # 3 / 5 is left
        0.4
        """
        check_is_fitted(self)
        loss = restore(self._loss)
        if isinstance(loss, _SCORED_BY_R2):
            # In float64: squares of what float32 holds may overflow or vanish.
            return r2_score(
                check_array(y, dtype=np.float64, ensure_2d=False, input_name="y"),
                self.predict(X).astype(np.float64),
                sample_weight=sample_weight,
            )
        raw = self._raw(X)[np.newaxis].astype(np.float64)
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(raw[0], y)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, len(y))
        target = Design.restore(self._design).target.encode(self._in_domain(y, loss))
        constant = np.broadcast_to(loss.init_raw(target, sample_weight), raw.shape).copy()
        ours, null = (mean_loss(loss, target, g, sample_weight)[0] for g in (raw, constant))
        return float(1.0 - ours / null) if null > 0 else float(ours == 0)

    def _in_range(self, prediction):
        """A prediction in y's units as it is given out."""
        return prediction

    def _make_loss(self):
        loss = resolve(self.loss, REGRESSION_LOSSES, self)
        homes = {name: (cls,) for name, cls in REGRESSION_LOSSES.items()}
        check_loss_parameters(self, loss, ("delta", "quantile"), homes)
        return loss

    def _watched_score(self, loss):
        if not isinstance(loss, _SCORED_BY_R2):
            return None
        return lambda raw, y, weight: _r2(y, loss.predict(raw), weight)


def _r2(y, predicted, weight):
    if len(y) < 2:
        raise ValueError(
            "R2 cannot be watched on a validation set of one row. Give more rows, or set "
            "scoring='loss'."
        )
    # Relative to a row, the weighted mean of a constant y is exact, and its R2 is 0 or 1.
    return r2_score(y - y[:1], predicted - y[:1], sample_weight=weight)
