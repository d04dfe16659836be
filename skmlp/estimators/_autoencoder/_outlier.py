"""AutoencoderOutlierDetector."""

import copy
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..._sklearn_compat import Interval, LinkedToDocs, StrOptions, _fit_context
from ...losses import weighted_quantile
from .._validation import check_sample_weight, checked_rows
from ._fitted import check_features, unfrozen
from ._scores import SCORES
from ._transformer import AutoencoderTransformer, table_of_features

# The default network sees so many rows in a step and makes about so many steps, but no fewer and
# no more epochs than this: more would learn small sets by heart, and score new rows by another
# measure than those it has seen. With one batch of rows or less there are so many steps.
BATCH, STEPS, LEAST_EPOCHS, MOST_EPOCHS, FEW_STEPS = 64, 1000, 10, 50, 100


def default_autoencoder(n_rows, n_features):
    """The autoencoder of a detector that is given none.

    Three starts of a network of relu units, 128 - 32 - 128, which are averaged; 1000 steps of
    Adam (but 10 to 50 epochs) on batches of 64 rows, with a cosine schedule, on inputs with
    Gaussian noise of .1 standard deviations. Up to 64 rows there are 100 steps without noise,
    which makes a row of weight 2 the same as a row given twice, and the code is no wider than X.
    """
    network = AutoencoderTransformer(
        n_components=32,
        hidden_layer_sizes=(128,),
        code_activation="relu",
        batch_size=min(BATCH, n_rows),
        learning_rate="cosine",
        learning_rate_init=0.003,
        n_init=3,
        combine_inits="average",
    )
    if n_rows <= BATCH:
        return network.set_params(n_components=min(32, n_features), max_iter=FEW_STEPS)
    epochs = np.clip(-(-STEPS // -(-n_rows // BATCH)), LEAST_EPOCHS, MOST_EPOCHS).item()
    return network.set_params(noise="gaussian", noise_level=0.1, max_iter=epochs)


class AutoencoderOutlierDetector(OutlierMixin, LinkedToDocs, BaseEstimator):
    """Anomaly detection by what an autoencoder cannot reconstruct.

    An autoencoder learns to reconstruct the training rows; a row whose reconstruction differs
    from it in an unusual way is anomalous. "residual_mahalanobis" measures the residual r, row
    minus reconstruction, by r' S^-1 r with the covariance S of the training residuals (features
    and directions that are always reconstructed well weigh more), "squared_error" by the mean of
    its squares.

    It is made for training rows that are mostly normal. Distances to the nearest neighbours and
    isolation forests are simple rivals that are worth a try first. Far from all training rows an
    autoencoder may reconstruct anything by chance.

    Parameters
    ----------
    autoencoder : AutoencoderTransformer, FrozenEstimator or None, default=None
        One that is not fitted is cloned and fitted to X; ``FrozenEstimator(autoencoder)`` is
        taken as it is fitted. None is a network of relu units of widths 128, 32 and 128, three
        starts of which are averaged, trained by 1000 steps (10 to 50 epochs) on inputs with
        Gaussian noise of .1 standard deviations (100 steps without noise up to 64 rows).
    contamination : float, default=0.1
        Share of the training rows, at most 0.5, that `predict` calls anomalous. Rows that were
        not trained on are reconstructed less well, so that more of them are called anomalous,
        most so when the training rows are few: `validation_fraction` helps.
    anomaly_score : {"residual_mahalanobis", "squared_error"}, default="residual_mahalanobis"
        What is anomalous, see above. With averaged starts the scores of the starts are averaged.
    validation_fraction : float or None, default=None
        Share of the rows that is not trained on, and whose scores the threshold is taken from: of
        new rows like these about `contamination` will be called anomalous. None takes the
        threshold from the training rows.
    random_state : int, RandomState instance or None, default=None
        Passed to the autoencoder unless that has its own; draws the rows kept apart.

    Attributes
    ----------
    autoencoder_ : AutoencoderTransformer
        The fitted autoencoder.
    offset_ : float
        Threshold of the scores: their quantile of order `contamination` on the training rows, or
        on those kept apart.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, when X has string names.

    See Also
    --------
    AutoencoderTransformer : The autoencoder.
    sklearn.ensemble.IsolationForest, sklearn.neighbors.LocalOutlierFactor : Other detectors.

    References
    ----------
    Sakurada and Yairi (2014), Anomaly detection using autoencoders with nonlinear dimensionality
    reduction, MLSDA. Bouman and Heskes (2025), Autoencoders for anomaly detection are unreliable,
    arXiv:2501.13864.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import AutoencoderOutlierDetector
    >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 300)
    >>> circle = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> detector = AutoencoderOutlierDetector(contamination=0.01, random_state=0).fit(circle)
    >>> detector.predict([[0.0, 1.0], [0.0, 0.0]])
    array([ 1, -1])
    """

    _parameter_constraints = {
        "autoencoder": [AutoencoderTransformer, FrozenEstimator, None],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "anomaly_score": [StrOptions(set(SCORES))],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        autoencoder=None,
        *,
        contamination=0.1,
        anomaly_score="residual_mahalanobis",
        validation_fraction=None,
        random_state=None,
    ):
        self.autoencoder = autoencoder
        self.contamination = contamination
        self.anomaly_score = anomaly_score
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the autoencoder to X, and the threshold to its scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows of numbers; dense, CSR or CSC.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : AutoencoderOutlierDetector
            The fitted detector.

        Raises
        ------
        ValueError
            For input that cannot be used, when training diverges, and when `validation_fraction`
            leaves no rows to train on; for more than 5000 features with "residual_mahalanobis";
            for an `autoencoder` that is fitted and not frozen, or was fitted to other columns.

        Warns
        -----
        ConvergenceWarning, UserWarning
            What `AutoencoderTransformer.fit` warns of.

        Examples
        --------
        The threshold is such that the share `contamination` of the training rows is anomalous.

        >>> import numpy as np
        >>> from skmlp import AutoencoderOutlierDetector, AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 2 * t]) + 0.01 * np.sin(np.arange(100)).reshape(50, 2)
        >>> linear = AutoencoderTransformer(1, (), solver="lbfgs", random_state=0)
        >>> detector = AutoencoderOutlierDetector(linear, contamination=0.1).fit(X)
        >>> int((detector.score_samples(X) < detector.offset_).sum())  # of 50
        5
        """
        X = checked_rows(self, X, reset=True)
        weight = check_sample_weight(sample_weight, X.shape[0])
        training, watched = self._split(weight)
        rows, row_weight = X[training], weight[training]
        self.autoencoder_ = self._fitted_autoencoder(rows, row_weight)
        pairs = self.autoencoder_._rows_and_residuals(rows)
        self._score = vars(SCORES[self.anomaly_score].fit(pairs, row_weight)).copy()
        self._score_name = self.anomaly_score
        scores = -self._errors(X[watched], per_feature=False)
        threshold = float(weighted_quantile(scores, self.contamination, weight[watched]))
        # A training row at the threshold is normal whatever the last bits of its score.
        usual = SCORES[self.anomaly_score].usual
        self.offset_ = threshold - 1e-10 * max(abs(threshold), usual)
        return self

    def predict(self, X):
        """Predict which rows are normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        label : ndarray of shape (n_samples,)
            1 for normal rows, -1 for anomalies.

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import AutoencoderOutlierDetector, AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 2 * t]) + 0.01 * np.sin(np.arange(100)).reshape(50, 2)
        >>> linear = AutoencoderTransformer(1, (), solver="lbfgs", random_state=0)
        >>> detector = AutoencoderOutlierDetector(linear, contamination=0.1).fit(X)
        >>> detector.predict([[0.5, 1.0], [0.5, -1.0]])  # on the line of the rows, and far from it
        array([ 1, -1])
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def decision_function(self, X):
        """Scores minus `offset_`: negative for anomalies.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            In float64, in the units of `score_samples`.

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import AutoencoderOutlierDetector, AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 2 * t]) + 0.01 * np.sin(np.arange(100)).reshape(50, 2)
        >>> linear = AutoencoderTransformer(1, (), solver="lbfgs", random_state=0)
        >>> detector = AutoencoderOutlierDetector(linear, contamination=0.1).fit(X)
        >>> np.sign(detector.decision_function([[0.5, 1.0], [0.5, -1.0]]))
        array([ 1., -1.])
        """
        return self.score_samples(X) - self.offset_

    def score_samples(self, X):
        """Minus what `anomaly_score` names: the lower, the more anomalous.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            At most 0, in float64. Squares of scaled residuals for "squared_error", without a unit
            for "residual_mahalanobis".

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For an X with other columns than in `fit`, or with values that cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import AutoencoderOutlierDetector, AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 2 * t]) + 0.01 * np.sin(np.arange(100)).reshape(50, 2)
        >>> linear = AutoencoderTransformer(1, (), solver="lbfgs", random_state=0)
        >>> detector = AutoencoderOutlierDetector(linear, anomaly_score="squared_error").fit(X)
        >>> detector.score_samples([[0.5, 1.0], [0.5, -1.0]]).round(1)
        array([-0. , -0.7])
        """
        check_is_fitted(self)
        return -self._errors(checked_rows(self, X), per_feature=False)

    def reconstruct(self, X):
        """Rows of X coded and decoded, in the units of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            A DataFrame if X is one.

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples`.

        Examples
        --------
        What the second row should have been, by the line of the training rows:

        >>> import numpy as np
        >>> from skmlp import AutoencoderOutlierDetector, AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 2 * t]) + 0.01 * np.sin(np.arange(100)).reshape(50, 2)
        >>> linear = AutoencoderTransformer(
        ...     1, (), tied_weights=True, solver="lbfgs", random_state=0
        ... )
        >>> detector = AutoencoderOutlierDetector(linear).fit(X)
        >>> np.abs(detector.reconstruct([[0.5, 1.0], [0.5, -1.0]])).round(1)
        array([[0.5, 1. ],
               [0. , 0. ]])
        """
        check_is_fitted(self)
        reconstructed = self.autoencoder_.reconstruct(checked_rows(self, X))
        return table_of_features(reconstructed, X, self)

    def reconstruction_error(self, X, per_feature=True):
        """What each feature contributes to the anomaly of a row, or the anomaly of the row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        per_feature : bool, default=True
            Whether to return the contributions, or minus `score_samples`.

        Returns
        -------
        error : ndarray of shape (n_samples, n_features) or (n_samples,)
            Non-negative, in float64. With ``anomaly_score="squared_error"`` the mean of a row is
            minus its score, with "residual_mahalanobis" its sum is. Per feature a DataFrame if X
            is one.

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples`.

        Examples
        --------
        The third feature stands alone: what the network cannot tell, it alone contributes.

        >>> import numpy as np
        >>> from skmlp import AutoencoderOutlierDetector, AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 2 * t]) + 0.01 * np.sin(np.arange(100)).reshape(50, 2)
        >>> linear = AutoencoderTransformer(1, (), solver="lbfgs", random_state=0)
        >>> X = np.column_stack([X, np.cos(np.arange(50))])
        >>> detector = AutoencoderOutlierDetector(linear).fit(X)
        >>> row = [[0.5, 1.0, 5.0]]
        >>> parts = detector.reconstruction_error(row)
        >>> int(parts.argmax())
        2
        >>> bool(np.isclose(parts.sum(), -detector.score_samples(row)[0]))
        True
        """
        check_is_fitted(self)
        errors = self._errors(checked_rows(self, X), per_feature)
        if not per_feature:
            return errors
        return table_of_features(errors, X, self)

    def _fitted_autoencoder(self, X, weight):
        fitted = unfrozen("autoencoder", self.autoencoder)
        if fitted is not None:
            names = getattr(self, "feature_names_in_", None)
            check_features("autoencoder", fitted, X.shape[1], names)
            # Here it gets arrays that have been checked, and need not warn of missing names.
            autoencoder = copy.copy(fitted)
            autoencoder.__dict__.pop("feature_names_in_", None)
            return autoencoder
        if self.autoencoder is None:
            autoencoder = default_autoencoder(X.shape[0], X.shape[1])
        else:
            autoencoder = clone(self.autoencoder)
        if autoencoder.random_state is None:
            autoencoder.set_params(random_state=self.random_state)
        # Rows of weight 1 need no weights.
        return autoencoder.fit(X, sample_weight=None if (weight == 1.0).all() else weight)

    def _split(self, weight):
        """Rows to train on and to take the threshold from, none of weight 0: disjoint, or the same.

        Slices where they are all rows, so that a memory map is not loaded.
        """
        index = np.flatnonzero(weight)
        if self.validation_fraction is None:
            same = slice(None) if len(index) == len(weight) else index
            return same, same
        held_out = max(1, round(self.validation_fraction * len(index)))
        if held_out >= len(index):
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(index)} rows leaves none "
                "to train on. Set it to None, or give more rows."
            )
        order = check_random_state(self.random_state).permutation(index)
        return np.sort(order[held_out:]), np.sort(order[:held_out])

    def _errors(self, X, per_feature):
        """Contributions of the features, or their sums or means; X has been checked."""
        score, errors = SCORES[self._score_name](**self._score), []
        for _, residual in self.autoencoder_._rows_and_residuals(X):
            parts = score.contributions(residual)
            if not per_feature:
                parts = parts.mean(axis=1) if score.mean else parts.sum(axis=1)
            errors.append(parts)
        return np.concatenate(errors)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
