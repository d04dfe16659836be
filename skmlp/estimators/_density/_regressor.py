"""DensityRegressor."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Bunch, check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from ..._sklearn_compat import Interval, StrOptions, _fit_context
from ...distributions import Distribution
from ...families import FAMILIES, Family
from .._availability import available_with
from .._base import BaseMLP
from .._design import Design
from .._encoder import ENCODER_CONSTRAINT, StartsFromEncoder
from .._hidden import HiddenFeatures
from .._recipe import check_incremental, check_loss_parameters
from .._tabular import TABLE_CONSTRAINTS, TakesTables
from .._targets import RealTargets
from .._validation import check_sample_weight
from .._vocabulary import describe, resolve, restore
from . import _calibration as calibration

# A validation set costs a tenth of the rows; with fewer than these it is not taken unasked.
ROWS_TO_WATCH = 500

# By which the learning rate of raw outputs that do not depend on x is multiplied: only a bias has
# to take them all the way from the marginal fit.
CONSTANT_RATE = 10.0


class DensityRegressor(
    RegressorMixin, RealTargets, HiddenFeatures, StartsFromEncoder, TakesTables, BaseMLP
):
    """Neural network for the whole conditional distribution of y.

    The outputs of a multilayer perceptron are the parameters of a distribution p(y | x), and its
    weights minimise the mean of -log p(y | x), or of another proper score, plus an L2 penalty.
    Predictions are distributions: means, quantiles, intervals, densities, random values.

    X and y are scaled inside; everything is predicted in y's units.

    Parameters
    ----------
    distribution : str or Family, default="normal"
        A name in `skmlp.families.FAMILIES` or an instance. Several targets need "normal", which
        then has a covariance matrix.
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units of each hidden layer; with ``()`` raw outputs are linear in x.
    activation : str, Activation or a sequence of them, default="relu"
        A name in `skmlp.activations.ACTIVATIONS` or an instance, for all hidden layers or one
        per layer.
    loss : {"nll", "crps", "beta_nll"}, default="nll"
        The score to train by: negative log-likelihood, for every distribution; continuous ranked
        probability score, where it has a closed form, which forgives outliers; or, for "normal",
        the first weighted by sigma^(2 beta), which fits the mean better.
    beta : float, default=0.5
        Of ``loss="beta_nll"``: 0 is "nll", and with 1 the mean learns as by least squares.
    n_bins : int, default=20
        Largest number of bins of ``distribution="histogram"``.
    binning : {"quantile", "uniform"}, default="quantile"
        Whether its bins have the same number of training rows or the same width.
    n_mixture_components : int, default=5
        Components of ``distribution="normal_mixture"``.
    covariance_type : {"full", "diag", "spherical", "tied"}, default="full"
        Covariance matrix of ``distribution="normal"`` for several targets; "tied" is one full
        matrix that does not depend on x.
    calibration_fraction : float, default=0.0
        Share of the rows that `fit` keeps apart to call `calibrate` on.
    solver : str or Optimizer, default="adam"
        A name in `skmlp.optimizers.OPTIMIZERS` or an instance. Settings of a named solver come
        from the parameters of the same name.
    alpha : float, default=0.0001
        Coupled L2 penalty of the weights, divided by the sum of sample weights of the batch.
    batch_size : int or "auto", default="auto"
        Rows of a minibatch; "auto" is min(200, n_samples).
    learning_rate : str or Schedule, default="constant"
        A name in `skmlp.schedules.SCHEDULES` or an instance; acts with every stochastic solver.
    learning_rate_init : float, default=0.001
        Initial (for schedules that go up and down: largest) step size.
    power_t : float, default=0.5
        Exponent of ``learning_rate="invscaling"``.
    max_iter : int, default=200
        Largest number of epochs, or of iterations of L-BFGS.
    shuffle : bool, default=True
        Whether to shuffle the rows before each epoch.
    random_state : int, RandomState instance or None, default=None
        Source of the splits, the order of rows, the initial weights and dropout.
    tol : float, default=1e-4
        Smallest improvement that counts, in units of the watched score or of the scaled training
        loss; for L-BFGS the bound of the largest entry of the gradient.
    verbose : bool or int, default=False
        Print the loss every epoch, or every so many epochs.
    warm_start : bool, default=False
        Whether `fit` goes on from the last solution. Shapes may not change.
    momentum : float, default=0.9
        Momentum of ``solver="sgd"``.
    nesterovs_momentum : bool, default=True
        Whether that momentum is Nesterov's.
    early_stopping : bool or "auto", default="auto"
        Stop once the score on a validation set stalls, and restore the best weights. The set is
        `X_val` of `fit`, else a part of X. "auto" is True if `X_val` is given or X has at least
        500 rows: a density that is trained for too long becomes too sure of itself. With False
        and `X_val` the best weights are restored as well, but only `max_iter` (or `weight_tol`)
        ends the training.
    validation_fraction : float or cross-validation splitter, default=0.1
        Share of the rows that `early_stopping` sets aside, or an object whose first split tells
        them.
    beta_1 : float, default=0.9
        Decay of the first moment of "adam".
    beta_2 : float, default=0.999
        Decay of the second moment of "adam".
    epsilon : float, default=1e-8
        Added to the denominators of "adam" and "rmsprop".
    n_iter_no_change : int or inf, default=10
        Exactly so many epochs without improvement end the training.
    max_fun : int, default=15000
        Largest number of evaluations of "lbfgs".
    weight_decay : float, default=0.0
        Decoupled decay: every step multiplies the weights by 1 - learning rate * weight_decay;
        "adam" with it is AdamW.
    weight_tol : float, default=0.0
        Stop when an epoch moves the parameters by less, relative to their norm; 0 is off.
    init : str or Initializer, default="auto"
        A name in `skmlp.initializers.INITIALIZERS` or an instance; "auto" takes the
        `default_init` of the activation with its `default_gain`, and for the output layer 0.6
        of that with "adam" and "rmsprop".
    parametrization : {"standard", "ntk"}, default="standard"
        "ntk" trains W in W / sqrt(n_in).
    input_scale_layer : bool, default=False
        Learn a scale of every feature before the first layer.
    feature_scaling : {"auto", "standard", "robust", "minmax"} or None, default="auto"
        Scaling of the columns of X, with statistics of the training rows: "standard" by mean and
        standard deviation, "robust" by median and interquartile range with a smooth clip, "minmax"
        by minimum and maximum. "auto" is "standard", but "robust" for columns with heavy tails or
        outliers. Sparse columns are divided by their largest absolute value instead.
    dropout : float or sequence of float, default=0.0
        Rate of dropout after every hidden layer, or one per layer.
    max_grad_norm : float or None, default=None
        Largest norm of the gradient of a minibatch; longer ones are shortened.
    encoder : AutoencoderTransformer, FrozenEstimator or None, default=None
        An autoencoder whose encoder stands before the hidden layers, with its scaling of X in
        place of `feature_scaling`; `hidden_layer_sizes`, `activation` and `dropout` list the new
        layers only; with ``hidden_layer_sizes=()`` `transform` gives the codes as training has
        left them. One that is not fitted is cloned and fitted to the training rows first;
        ``FrozenEstimator(autoencoder)`` starts from the weights of a fitted one.
    encoder_learning_rate : float, default=1.0
        By which the steps of the layers of the encoder are multiplied; 0 keeps them as they are.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Which columns of X are categories: those of a DataFrame (or an array of objects) that hold
        strings or bools or have a category or Enum dtype, the columns at these positions, with
        these names or where a mask is True, or none; all others must hold numbers. Two levels
        become a column of -1 and +1, up to `max_one_hot` levels a column each, more an embedding.
        Levels that training has not seen are zeros.
    max_one_hot : int, default=8
        Largest number of levels that have a column each.
    category_embedding_size : int, default=8
        Length of the vector that is learned for every level of a category with more levels.
    missing : {"indicator", "error"}, default="indicator"
        What is done about missing values (NaN, None, pandas.NA, null) in X: numbers are replaced by
        the mean of the training rows, or the median for robust scaling, and a column that had some
        in training gets one more, of 0 and 1, that says where; in categories they are a level of
        their own. "error" refuses them.
    n_init : int, default=1
        Number of starts from different weights. They are trained together, on the same batches
        (one after another by "lbfgs"); the first is what ``n_init=1`` gives.
    combine_inits : {"best", "average"}, default="best"
        Keep the start with the best watched score, or the lowest training loss when nothing is
        watched; or keep all, whose densities are averaged: a mixture of the networks, which knows
        where they disagree (`uncertainty`).
    scoring : str, callable or None, default=None
        What is watched on the validation set: a scorer's name or ``scorer(estimator, X, y)``,
        higher is better. None and "loss" are minus the validation loss.
    callbacks : list of Callback or None, default=None
        Instances of classes in `skmlp.callbacks`. Training works with copies of them; what they
        find out is in `history_`.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Of computation and predictions; "auto" is float32 for float32 X, else float64.

    Attributes
    ----------
    theta_ : ndarray of shape (n_parameters,)
        All parameters, for scaled X and y.
    coefs_, intercepts_ : list of ndarray
        Effective weights and biases on raw X, computed on access and read-only. With the hidden
        activations they give the raw outputs for y in its own units, see `skmlp.families`.
        Averaged starts, categories (but bools), missing values in the training rows and
        columns with robust scaling have none.
    n_iter_ : int
        Epochs of the last call of `fit`.
    t_ : int
        Training rows seen so far.
    loss_ : float
        Last training loss, penalty included, in scaled units.
    best_loss_ : float or None
        Smallest training loss; None when a validation set is watched.
    loss_curve_ : list of float
        Training loss of every epoch.
    learning_rate_curve_ : list of float
        Learning rate at the end of every epoch.
    validation_scores_ : list of float or None
        Watched score of every epoch.
    validation_loss_curve_ : list of float or None
        Loss of the validation rows, without penalty.
    best_validation_score_ : float or None
        Score of the epoch that was restored.
    best_iteration_ : int or None
        That epoch, counted from 1 within the last call of `fit`.
    history_ : dict of str to list of float
        All curves, and what callbacks have recorded, with one entry per epoch: the columns of a
        DataFrame. NaN stands for what was not measured.
    early_stopping_ : bool
        What ``early_stopping="auto"`` stands for.
    init_losses_ : ndarray of shape (n_starts,)
        Loss of every start (of the networks that a warm start goes on with): on the validation
        set at its best epoch, or else of the last training epoch. NaN for one that diverged.
    estimators_ : list of estimators
        The starts, each as a fitted estimator; only with ``combine_inits="average"``. The curves
        and best values are then means of the starts, `best_iteration_` is a list, and
        `theta_` has a row for each.
    encoder_ : AutoencoderTransformer
        The fitted autoencoder that the encoder's weights were taken from; only with `encoder`.
    stop_reason_ : str
        Why training ended, in a sentence.
    n_layers_ : int
        Number of layers, input and output included.
    n_outputs_ : int
        Number of raw outputs.
    out_activation_ : str
        "identity": raw outputs are turned into parameters by the family.
    calibration_ : dict
        What the last call of `calibrate` has found, "method" and "n_samples" first; only after it.
    is_categorical_ : ndarray of bool of shape (n_features,) or None
        Which columns of X are categories; None if none is.
    categories_ : list of ndarray
        The levels of each of them in the training rows.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, when X has string names.

    See Also
    --------
    MLPRegressor : Point predictions, and several quantiles that do not cross.
    skmlp.distributions.Distribution : What `predict_dist` returns.
    sklearn.gaussian_process.GaussianProcessRegressor : Has `return_std` and `sample_y` too.

    References
    ----------
    Nix and Weigend (1994), Estimating the mean and variance of the target probability
    distribution, ICNN. Bishop (1994), Mixture density networks, NCRG/94/004. Lakshminarayanan,
    Pritzel and Blundell (2017), Simple and scalable predictive uncertainty estimation using deep
    ensembles, NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> from skmlp import DensityRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = DensityRegressor(early_stopping=True, random_state=0).fit(X_train, y_train)
    >>> model.predict_interval(X_test[:3], coverage=0.8).shape
    (3, 2)
    >>> model.predict_dist(X_test[:3]).sf(200.0).shape  # probabilities of y > 200
    (3,)
    """

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        **TABLE_CONSTRAINTS,
        "distribution": [StrOptions(set(FAMILIES)), Family],
        "loss": [StrOptions({"nll", "crps", "beta_nll"})],
        "beta": [Interval(Real, 0, 1, closed="both")],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "binning": [StrOptions({"quantile", "uniform"})],
        "n_mixture_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions({"full", "diag", "spherical", "tied"})],
        "calibration_fraction": [Interval(Real, 0, 1, closed="left")],
        "encoder": ENCODER_CONSTRAINT,
        "encoder_learning_rate": [Interval(Real, 0, None, closed="left")],
    }
    _loss_parameter = "distribution"

    def __init__(
        self,
        distribution="normal",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="nll",
        beta=0.5,
        n_bins=20,
        binning="quantile",
        n_mixture_components=5,
        covariance_type="full",
        calibration_fraction=0.0,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping="auto",
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        weight_decay=0.0,
        weight_tol=0.0,
        init="auto",
        parametrization="standard",
        input_scale_layer=False,
        feature_scaling="auto",
        dropout=0.0,
        max_grad_norm=None,
        encoder=None,
        encoder_learning_rate=1.0,
        categorical_features="from_dtype",
        max_one_hot=8,
        category_embedding_size=8,
        missing="indicator",
        n_init=1,
        combine_inits="best",
        scoring=None,
        callbacks=None,
        dtype="auto",
    ):
        self.distribution = distribution
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.beta = beta
        self.n_bins = n_bins
        self.binning = binning
        self.n_mixture_components = n_mixture_components
        self.covariance_type = covariance_type
        self.calibration_fraction = calibration_fraction
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.weight_decay = weight_decay
        self.weight_tol = weight_tol
        self.init = init
        self.parametrization = parametrization
        self.input_scale_layer = input_scale_layer
        self.feature_scaling = feature_scaling
        self.dropout = dropout
        self.max_grad_norm = max_grad_norm
        self.encoder = encoder
        self.encoder_learning_rate = encoder_learning_rate
        self.categorical_features = categorical_features
        self.max_one_hot = max_one_hot
        self.category_embedding_size = category_embedding_size
        self.missing = missing
        self.n_init = n_init
        self.combine_inits = combine_inits
        self.scoring = scoring
        self.callbacks = callbacks
        self.dtype = dtype

    @available_with(check_incremental)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Make one pass over X and y, going on from the last call.

        Running means and standard deviations keep the scaling up to date without changing any
        distribution by themselves; bins of a histogram stay those of the first call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of rows, as in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            This estimator.

        Raises
        ------
        AttributeError
            With "lbfgs", ``early_stopping=True``, several starts of which the best is kept, or an
            `encoder` that is not frozen: then there is no such method.
        ValueError
            With `calibration_fraction`; for input that cannot be used, settings of the network or
            the distribution that have changed since the first call, schedules and callbacks that
            need a whole fit ("cosine", `Checkpoint`), and when training diverges.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(200, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=200)
        >>> model = DensityRegressor(hidden_layer_sizes=(), learning_rate_init=0.1, random_state=0)
        >>> before = model.partial_fit(X[:100], y[:100]).score(X, y)
        >>> for _ in range(10):
        ...     model = model.partial_fit(X[100:], y[100:])
        >>> model.score(X, y) > before
        True
        """
        return self._fit(X, y, sample_weight, incremental=True)

    @property
    def estimators_(self):
        """The networks as estimators of their own; exists with ``combine_inits="average"``.

        Raises
        ------
        AttributeError
            Before `fit`, and with a single network.
        """
        members = super().estimators_
        for member in members:
            # It was found for the mixture.
            member.__dict__.pop("calibration_", None)
        return members

    def predict(self, X, return_std=False, return_cov=False):
        """Expected values, in the units of y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        return_std : bool, default=False
            Return standard deviations of y too.
        return_cov : bool, default=False
            Return covariance matrices of the targets too, one per row.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Of the predicted distributions.
        std : ndarray of the same shape
            Only with `return_std`.
        cov : ndarray of shape (n_samples, n_targets, n_targets)
            Only with `return_cov`.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_dist`, and for `return_std` together with `return_cov`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(400, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=400)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> mean, std = model.fit(X, y).predict([[0.2], [0.7]], return_std=True)
        >>> mean.round(1), std.round(1)  # both in the units of y
        (array([0.2, 0.7]), array([0.1, 0.1]))
        """
        if return_std and return_cov:
            raise ValueError("At most one of return_std and return_cov can be asked for.")
        dist = self.predict_dist(X)
        mean = self._cast(dist.mean())
        if return_std:
            return mean, self._cast(dist.std())
        return (mean, self._cast(dist.cov())) if return_cov else mean

    def predict_dist(self, X):
        """The distribution of y for every row of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        dist : Distribution
            In float64. Mixtures of the networks if these are averaged.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For an X with other columns than in `fit`, or with values that cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(400, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=400)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> dist = model.fit(X, y).predict_dist([[0.2], [0.7]])
        >>> dist
        <2 distributions, Normal of loc, scale>
        >>> dist.sf(0.5).round(2)  # probabilities of y > 0.5
        array([0.  , 0.98])
        """
        law, params = self._mixed(*self._members(X))
        if hasattr(self, "calibration_"):
            law, params = calibration.apply(self.calibration_, law, params)
        return Distribution(law, params)

    def predict_quantile(self, X, q):
        """Quantiles of y, of each target by itself.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        q : float or array-like of shape (n_q,)
            Levels from 0 to 1.

        Returns
        -------
        quantiles : ndarray of shape (n_samples[, n_targets][, n_q])
            In the units of y; a single level has no axis.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_dist`, and for levels outside 0 and 1.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(400, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=400)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> model.fit(X, y).predict_quantile([[0.2], [0.7]], [0.1, 0.5, 0.9]).round(1)
        array([[0.1, 0.2, 0.3],
               [0.6, 0.7, 0.8]])
        """
        return self._cast(self.predict_dist(X).ppf(q))

    def predict_interval(self, X, coverage=0.9):
        """Central intervals that hold y with a given probability, of each target by itself.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        coverage : float or array-like of shape (n_cov,), default=0.9
            Probabilities strictly between 0 and 1.

        Returns
        -------
        bounds : ndarray of shape (n_samples[, n_targets], 2[, n_cov])
            Lower and upper ends, in the units of y; a single coverage has no axis.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_dist`, for a coverage of 0 or 1 or outside, and when `calibrate` has seen
            too few rows for that coverage.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(400, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=400)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> model.fit(X, y).predict_interval([[0.2], [0.7]], coverage=0.8).round(1)
        array([[0.1, 0.3],
               [0.6, 0.8]])
        >>> model.predict_interval([[0.2], [0.7]], coverage=[0.5, 0.8, 0.95]).shape
        (2, 2, 3)
        """
        bounds = self.predict_dist(X).interval(coverage)
        if hasattr(self, "calibration_"):
            calibration.check_coverage(self.calibration_, coverage)
        return self._cast(bounds)

    def sample_y(self, X, n_samples=1, random_state=None):
        """Random values of y for every row of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        n_samples : int, default=1
            Draws for each row.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        Returns
        -------
        y : ndarray of shape (n_rows[, n_targets], n_samples)
            In the units of y.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_dist`, and when `n_samples` is not a whole number of at least 1.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(400, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=400)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> draws = model.fit(X, y).sample_y([[0.2], [0.7]], n_samples=1000, random_state=0)
        >>> draws.shape
        (2, 1000)
        >>> draws.mean(axis=1).round(1)
        array([0.2, 0.7])
        """
        return self._cast(self.predict_dist(X).sample(n_samples, random_state))

    def log_prob(self, X, y):
        """Logarithm of the density (of counts: of the probability) of every row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Where to evaluate the density of each row.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            Natural logarithms, for y in its units; joint for several targets. In float64.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_dist`, and for a y of another shape or with missing values.

        Examples
        --------
        Densities are per unit of y, so that they may be above 1, and their logarithms positive.

        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(400, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=400)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> model.fit(X, y).log_prob([[0.5], [0.5]], [0.5, 0.8]).round(1)
        array([ 1.4, -3.1])
        """
        dist = self.predict_dist(X)
        return dist.logpdf(self._checked_y(dist, y))

    def pit(self, X, y):
        """Probability integral transform: the share of the distribution below y.

        Uniform between 0 and 1 when the distributions are right. Counts are given a random place
        in their step, drawn with `random_state`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Observed values.

        Returns
        -------
        pit : ndarray of shape (n_samples[, n_targets])
            Between 0 and 1, of each target by itself.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_dist`, and for a y of another shape or with missing values.

        References
        ----------
        Dawid (1984), Statistical theory: the prequential approach, JRSS A 147. Czado, Gneiting and
        Held (2009), Predictive model assessment for count data, Biometrics 65.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(400, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=400)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> model.fit(X, y).pit([[0.5], [0.5]], [0.5, 0.6]).round(1)
        array([0.5, 0.8])
        """
        dist = self.predict_dist(X)
        y = self._checked_y(dist, y)
        ranks = dist.cdf(y)
        if dist.discrete:
            share = check_random_state(self.random_state).uniform(size=ranks.shape)
            ranks -= share * (ranks - dist.cdf(np.ceil(y) - 1.0))
        return ranks

    def uncertainty(self, X):
        """Variance of y, split into what x leaves open and what the networks disagree on.

        Needs several networks: ``n_init=5, combine_inits="average"``. Calibration is left out.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        uncertainty : Bunch
            `aleatoric`, the mean of the networks' variances; `epistemic`, the variance of their
            means; `total`, the sum. Each of shape (n_samples[, n_targets]), in squared units of y.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_dist`, and for a single network.

        Examples
        --------
        Where there are no training rows the networks disagree.

        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(-1, 1, size=(200, 1))
        >>> y = X[:, 0] ** 2 + rng.normal(scale=0.1, size=200)
        >>> model = DensityRegressor(
        ...     hidden_layer_sizes=(20,), n_init=3, combine_inits="average",
        ...     learning_rate="one_cycle", learning_rate_init=0.01, max_iter=50, random_state=0,
        ... )
        >>> found = model.fit(X, y).uncertainty([[0.0], [5.0]])
        >>> bool(found.epistemic[0] < found.aleatoric[0] and found.epistemic[1] > 0.1)
        True
        """
        check_is_fitted(self)
        if self.theta_.ndim < 2:
            raise ValueError(
                f"uncertainty compares several networks, but n_init={self.n_init!r} and "
                f"combine_inits={self.combine_inits!r} keep one. Use n_init=5 and "
                "combine_inits='average'."
            )
        law, params = self._members(X)
        aleatoric = law.var(params).mean(axis=1)
        epistemic = law.mean(params).var(axis=1)
        return Bunch(aleatoric=aleatoric, epistemic=epistemic, total=aleatoric + epistemic)

    def calibrate(self, X, y, sample_weight=None, *, method="auto"):
        """Correct the distributions by rows that training has not seen.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that training has not seen, as in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        method : {"auto", "scale", "pit"}, default="auto"
            "scale" stretches the distributions about their means by one factor per target, that of
            the largest likelihood. "pit" maps the distribution function so that the ranks of y
            are uniform, and keeps a density; only for one target. "auto" is "pit" for one target
            from 200 rows on, or where the distribution has no scale to stretch, else "scale".

        Returns
        -------
        self : object
            With `calibration_`. Fitting again clears it.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_dist`; for fewer than 20 rows of a positive weight, for a method that the
            distribution does not have, and for a y of another shape or outside its domain.

        References
        ----------
        Kuleshov, Fenner and Ermon (2018), Accurate uncertainties for deep learning using
        calibrated regression, ICML.

        Examples
        --------
        The normal distribution has no room for this skewed noise until it is calibrated.

        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(800, 1))
        >>> y = X[:, 0] + rng.exponential(size=800)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> before = model.fit(X[:400], y[:400]).score(X[600:], y[600:])
        >>> model = model.calibrate(X[400:600], y[400:600])
        >>> model.calibration_["method"]
        'pit'
        >>> model.score(X[600:], y[600:]) > before
        True
        """
        law, params = self._mixed(*self._members(X))
        y = self._checked_y(Distribution(law, params), y)
        self._in_domain(y, restore(self._loss))
        weight = check_sample_weight(sample_weight, len(y))
        self.calibration_ = calibration.fit(method, law, params, y, weight, *self._named_loss())
        return self

    def score(self, X, y, sample_weight=None):
        """Mean log-likelihood, higher is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            True values.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            In nats per row, for y in its units. ``scoring="r2"`` of scikit-learn works as well.

        Raises
        ------
        NotFittedError, ValueError
            As `log_prob`, and for weights that cannot be used.

        Examples
        --------
        It depends on the unit of y: 1000 times larger numbers have a score that is log(1000) lower.

        >>> import numpy as np
        >>> from skmlp import DensityRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(size=(400, 1))
        >>> y = X[:, 0] + rng.normal(scale=0.1, size=400)
        >>> model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
        >>> metres, millimetres = (model.fit(X, y * unit).score(X, y * unit) for unit in (1, 1000))
        >>> round(metres - millimetres, 1)
        6.9
        """
        log_prob = self.log_prob(X, y)
        weight = check_sample_weight(sample_weight, len(log_prob))
        return float(np.average(log_prob, weights=weight))

    def _members(self, X):
        """Law of a network and its parameters, of batch (n_samples, members)."""
        raw = np.swapaxes(self._outputs(X), 0, 1)
        target = Design.restore(self._design).target
        return restore(self._loss).in_units(raw, target.shift, target.scale)

    def _mixed(self, law, params):
        """The mixture of the networks; a single one is left as it is."""
        n, members = law.batch(params)
        if members == 1:
            return law, {name: value[:, 0] for name, value in params.items()}
        return law.mix(params, np.full((n, members), 1.0 / members))

    def _cast(self, values):
        # What float32 cannot hold is infinite there.
        with np.errstate(over="ignore"):
            return values.astype(self.theta_.dtype, copy=False)

    def _checked_y(self, dist, y):
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        n = dist.n_targets
        if n is None and y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        check_consistent_length(range(len(dist)), y)
        if y.shape[1:] != (() if n is None else (n,)):
            raise ValueError(f"y has shape {y.shape}, but the model has {n or 1} target(s).")
        return y

    # What this estimator answers in its own way when it is fitted

    def _fit_steps(self, X, y, sample_weight, validation, incremental, classes, context):
        self.__dict__.pop("calibration_", None)
        self._kept_apart = None
        super()._fit_steps(X, y, sample_weight, validation, incremental, classes, context)
        rows = self.__dict__.pop("_kept_apart")
        if rows is not None:
            read = self._for_scoring(self.theta_)
            self.calibration_ = read.calibrate(*rows.for_scorer()).calibration_
        return self

    def _hold_out(self, sample, validation, seed, incremental):
        fraction = self.calibration_fraction
        if fraction > 0:
            if incremental:
                raise ValueError(
                    f"calibration_fraction={fraction!r} cannot act with partial_fit. Leave it at "
                    "0, and call calibrate on rows kept apart."
                )
            training, apart = self._share(sample, fraction, seed + 1)
            sample, self._kept_apart = sample.part(training), sample.part(apart)
        return super()._hold_out(sample, validation, seed, incremental)

    def _watches_by_default(self, sample):
        return len(sample) >= ROWS_TO_WATCH

    def _make_loss(self):
        family = resolve(self.distribution, FAMILIES, self)
        names = ("n_bins", "binning", "n_mixture_components", "covariance_type")
        homes = {name: (cls,) for name, cls in FAMILIES.items()}
        check_loss_parameters(self, family, names, homes)
        if self.beta != 0.5 and family.loss != "beta_nll":
            raise ValueError(
                f"beta={self.beta!r} cannot act with loss={self.loss!r}. Use loss='beta_nll', or "
                "leave beta at 0.5."
            )
        if family.loss != self.loss and self.loss != "nll":
            raise ValueError(
                f"loss={self.loss!r} differs from that of distribution={family!r}. Leave it at "
                "'nll', or set it there."
            )
        return family

    def _fitted_loss(self, sample, resumed):
        made = self._make_loss()
        if resumed:
            before = restore(self._family)
            if made.with_loss_of(before) != before:
                raise ValueError(
                    f"distribution={self.distribution!r} (or one of its settings) differs from "
                    f"that of the first call, {before!r}. Create a new estimator, or call fit with "
                    "warm_start=False."
                )
            return restore(self._loss).with_loss_of(made)
        self._family = describe(made)
        index = sample.positions()
        weight = None if sample.weight is None else sample.weight[index]
        return made.fitted(sample.target[index], weight)

    def _initialize(self, theta, network, loss, data, n_targets, rngs):
        super()._initialize(theta, network, loss, data, n_targets, rngs)
        last = network.layers[network.dense_positions()[-1]]
        gain = loss.init_gain(last.bias.view(theta)[0, 0].astype(np.float64))
        last.weight.view(theta)[...] *= np.where(loss.constant_raw(n_targets), 0.0, gain)

    def _step_factors(self, network, dtype):
        factors = super()._step_factors(network, dtype)
        loss = restore(self._loss)
        last = network.layers[network.dense_positions()[-1]]
        constant = loss.constant_raw(loss.n_targets if loss.vector else 1)
        if constant.any():
            if factors is None:
                factors = np.ones((1, network.n_params), dtype)
            last.weight.view(factors)[..., constant] = 0.0
            last.bias.view(factors)[..., constant] = CONSTANT_RATE
        return factors

    def _watched_score(self, loss):
        return None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The score is a log-likelihood, which need not be above 0.5.
        tags.regressor_tags.poor_score = True
        try:
            family = self._make_loss()
        except (KeyError, TypeError, ValueError):
            # Parameters are refused by fit, not here.
            return tags
        tags.target_tags.multi_output = family.several_targets
        tags.target_tags.positive_only = not family.domain.contains(0.0)
        return tags
