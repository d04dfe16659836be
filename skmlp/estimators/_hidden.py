"""Hidden activations as features."""

import numpy as np
from sklearn.utils.metaestimators import available_if

from ._features import Features


def _has_hidden_layers(estimator):
    none = np.size(estimator.hidden_layer_sizes) == 0 or np.size(estimator.activation) == 0
    if none and estimator.encoder is None:
        raise AttributeError(
            "transform gives the activations of the last hidden layer, but hidden_layer_sizes="
            f"{estimator.hidden_layer_sizes!r} has none."
        )
    return True


class HiddenFeatures(Features):
    """Adds `transform` to estimators over a network with hidden layers."""

    def transform(self, X):
        """Activations of the last hidden layer.

        Exists only with at least one hidden layer or an `encoder`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_units)
            Of several averaged starts the units of all, side by side.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`.
        AttributeError
            Without hidden layers and `encoder`.

        Examples
        --------
        >>> from skmlp import MLPRegressor
        >>> absolute = MLPRegressor.from_weights(
        ...     [[[1.0, -1.0]], [[1.0], [1.0]]], [[0.0, 0.0], [0.0]], activation="relu"
        ... )
        >>> absolute.transform([[-3.0], [2.0]])
        array([[0., 3.],
               [2., 0.]])
        """
        members = self._outputs(X, stop=-1)
        return np.concatenate(members, axis=1)

    @property
    def _n_features_out(self):
        return self._model["sizes"][-2] * len(np.atleast_2d(self.theta_))


# scikit-learn wraps methods of a class, for set_output, when it is made: conditions come after.
HiddenFeatures.transform = available_if(_has_hidden_layers)(HiddenFeatures.transform)
HiddenFeatures.fit_transform = available_if(_has_hidden_layers)(HiddenFeatures.fit_transform)
