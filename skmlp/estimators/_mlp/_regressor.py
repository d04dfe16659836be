"""MLPRegressor."""

from numbers import Real

import numpy as np
from sklearn import neural_network

from ..._sklearn_compat import Interval, StrOptions, _fit_context
from ...losses import REGRESSION_LOSSES, Loss
from .._availability import available_with
from .._base import BaseMLP
from .._defaults import OPEN_CONSTRAINTS, REGRESSION_RECIPE, HasRecipe
from .._encoder import ENCODER_CONSTRAINT, StartsFromEncoder
from .._hidden import HiddenFeatures
from .._numbers import NUMBER_CONSTRAINTS, EmbedsNumbers
from .._parameters import LEVER_CONSTRAINTS
from .._range import UNKNOWN, ClipsPredictions
from .._recipe import check_incremental
from .._refit import TrainsOnAll
from .._regression import Regression
from .._shared import SharesLayers
from .._tabular import TABLE_CONSTRAINTS, TakesTables
from ._given import check_layers, parameters_from, set_weights, take_over


class MLPRegressor(
    ClipsPredictions,
    Regression,
    HiddenFeatures,
    StartsFromEncoder,
    EmbedsNumbers,
    TakesTables,
    HasRecipe,
    TrainsOnAll,
    SharesLayers,
    BaseMLP,
):
    """Multilayer perceptron for regression.

    f(x) = W_L a_{L-1} + b_L, a_k = activation(W_k a_{k-1} + b_k), a_0 = x scaled; the weights
    minimise mean loss(y, f(x)) + alpha / (2 n) * sum of squared weights by minibatch gradient
    descent or L-BFGS.

    Changing the import from `sklearn.neural_network` is enough: scikit-learn's parameters keep
    their meaning. Parameters at "auto" follow a recipe that was chosen on many tables and depends
    on the number of rows; `settings_` says what it came to. Whoever sets one of scikit-learn's
    parameters of training (`max_iter`, `solver`, `learning_rate_init`, ...) trains by hand, with
    scikit-learn's defaults where "auto" is left, and so do fits with fewer than 500 rows, with
    sparse X, with an encoder, and `partial_fit`. X and y are scaled inside, which is what the added
    parameters can undo.

    Parameters
    ----------
    loss : str or Loss, default="squared_error"
        A name in `skmlp.losses.REGRESSION_LOSSES` or an instance. The loss of several targets
        is summed over them.
    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Number of units of each hidden layer; ``()`` is linear regression. "auto" is
        (128, 128, 128), by hand (100,).
    activation : str, Activation or a sequence of them, default="auto"
        A name in `skmlp.activations.ACTIVATIONS` or an instance, for all hidden layers or one
        per layer. "auto" is "mish", by hand "relu".
    solver : str or Optimizer, default="adam"
        A name in `skmlp.optimizers.OPTIMIZERS` or an instance. Settings of a named solver come
        from the parameters of the same name.
    alpha : float, default=0.0001
        Coupled L2 penalty of the weights, divided by the sum of sample weights of the batch.
    batch_size : int or "auto", default="auto"
        Rows of a minibatch; "auto" is 32 to 256, the more the more rows there are, by hand
        min(200, n_samples).
    learning_rate : str or Schedule, default="auto"
        A name in `skmlp.schedules.SCHEDULES` or an instance; acts with every stochastic solver.
        "auto" is "cosine", by hand "constant".
    learning_rate_init : float or "auto", default="auto"
        Initial (for schedules that go up and down: largest) step size; "auto" is 0.1, by hand
        0.001.
    power_t : float, default=0.5
        Exponent of ``learning_rate="invscaling"``.
    max_iter : int or "auto", default="auto"
        Largest number of epochs, or of iterations of L-BFGS; "auto" is 40 to 256, the fewer the
        more rows there are (20 from 50,000 rows on), by hand 200.
    shuffle : bool, default=True
        Whether to shuffle the rows before each epoch.
    random_state : int, RandomState instance or None, default=None
        Source of the validation split, the order of rows, the initial weights and dropout.
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
        `X_val` of `fit`, else a part of X. "auto" restores the best epoch and trains
        to the end; by hand it is True if `X_val` is given or for `refit`. With False and
        `X_val` the best weights are restored as well, but only `max_iter` (or `weight_tol`) ends
        the training.
    validation_fraction : float or cross-validation splitter, default=0.1
        Share of the rows that `early_stopping` sets aside, or an object whose first split tells
        them.
    refit : bool, default=False
        Once the best epoch is known, train again from the start on all rows, those that were set
        aside from X among them, up to that epoch; rates fall as before. Scores, curves and
        `init_losses_` are those of the first training, which is all that callbacks see, and the
        second takes about as long. None follows one that Ctrl-C or a callback has ended.
    beta_1 : float, default=0.9
        Decay of the first moment of "adam".
    beta_2 : float or "auto", default="auto"
        Decay of the second moment of "adam"; "auto" is 0.95, by hand 0.999.
    epsilon : float, default=1e-8
        Added to the denominators of "adam" and "rmsprop".
    n_iter_no_change : int, inf or "auto", default="auto"
        Exactly so many epochs without improvement end the training; "auto" is inf, by hand 10.
    max_fun : int, default=15000
        Largest number of evaluations of "lbfgs".
    weight_decay : float, default=0.0
        Decoupled decay: every step multiplies the weights by 1 - learning rate * weight_decay;
        "adam" with it is AdamW.
    weight_decay_schedule : str or Schedule, default="constant"
        A name in `skmlp.schedules.SCHEDULES` (but "adaptive") or an instance, by whose factor
        `weight_decay` is multiplied in every step; the factor of the learning rate acts besides.
    weight_averaging : float, default=0.0
        Decay, below 1, of a moving average of the parameters over the steps of `fit`, which is
        watched and kept in their place: .99 averages about the last 100 steps, and fewer at first.
        0 is off. The training loss stays that of the parameters themselves.
    weight_tol : float, default=0.0
        Stop when an epoch moves the parameters by less, relative to their norm; 0 is off.
    init : str or Initializer, default="auto"
        A name in `skmlp.initializers.INITIALIZERS` or an instance; "auto" takes the
        `default_init` of the activation with its `default_gain`, and for the output layer 0.6
        of that with "adam" and "rmsprop".
    parametrization : {"standard", "ntk", "auto"}, default="auto"
        "ntk" trains W in W / sqrt(n_in); "auto" is that, by hand "standard".
    input_scale_layer : bool or "auto", default="auto"
        Learn a scale of every feature before the first layer; "auto" does, by hand it does not.
    feature_scaling : {"auto", "standard", "robust", "minmax"} or None, default="auto"
        Scaling of the columns of X, with statistics of the training rows: "standard" by mean and
        standard deviation, "robust" by median and interquartile range with a smooth clip, "minmax"
        by minimum and maximum. "auto" is "standard", but "robust" for columns with heavy tails or
        outliers. Sparse columns are divided by their largest absolute value instead.
    target_scaling : bool, default=True
        Train on (y - mean) / sd, or on y / mean for "gamma", and predict in y's units. Losses
        of counts are not scaled; their output starts at the mean instead.
    clip_predictions : bool, default=False
        Hold predictions within the range of y of the training rows, each output in its own, and
        each network of an average. It acts on a fitted model too.
    dropout : float, sequence of float or "auto", default="auto"
        Rate of dropout after every hidden layer, or one per layer; "auto" is 0.
    dropout_schedule : str or Schedule, default="constant"
        The same for rates of dropout: "flat_cosine" keeps them for half of the steps, then lets
        them fall to 0.
    max_grad_norm : float or None, default=None
        Largest norm of the gradient of a minibatch; longer ones are shortened.
    delta : float, default=1.35
        Where ``loss="huber"`` turns linear, in standard deviations of y when it is scaled.
    quantile : float or sequence of float, default=0.5
        Level of ``loss="quantile"``. For several levels, `predict` has a column for each, and
        they never cross.
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
    numeric_embedding : {"periodic", "piecewise"}, default="periodic"
        Which functions of every column of numbers x are learned and stand beside it, if
        `numeric_embedding_size` is not 0. "periodic": W cos(2 pi (f x + b)) + c with 16 frequencies
        f and phases b (Gorishniy et al. 2022, with biases after Holzmueller et al. 2024).
        "piecewise": W e(x), straight lines between quantiles of the training rows, up to 48 bins;
        entry t of e says how far bin t is filled, and W starts at 0 (Gorishniy et al. 2022). Both
        need a dense X.
    numeric_embedding_size : int, default=0
        How many functions of each column are learned; 0 is none.
    numeric_embedding_scale : float, default=0.1
        Standard deviation of the first frequencies of "periodic", in turns per standard deviation
        of the column (per unit of what `feature_scaling` makes of it).
    missing : {"indicator", "error"}, default="indicator"
        What is done about missing values (NaN, None, pandas.NA, null) in X: numbers are replaced by
        the mean of the training rows, or the median for robust scaling, and a column that had some
        in training gets one more, of 0 and 1, that says where; in categories they are a level of
        their own. "error" refuses them.
    n_init : int, default=1
        Number of starts from different weights. They are trained together, on the same batches
        (one after another by "lbfgs"); the first is what ``n_init=1`` gives, unless layers are
        shared.
    combine_inits : {"best", "average"}, default="best"
        Keep the start with the best watched score, or the lowest training loss when nothing is
        watched; or keep all and average their predictions.
    n_shared_layers : int, default=0
        The first so many hidden layers, and what stands before them, are one for all of several
        starts while these are trained: computed once, and moved by the mean of their gradients (Lee
        et al. 2015). Afterwards every start has them, from the epoch that was restored for it.
        `partial_fit`, `warm_start`, "lbfgs" and "adaptive" refuse it.
    scoring : str, callable or None, default=None
        What is watched on the validation set: a scorer's name or ``scorer(estimator, X, y)``,
        higher is better, or "loss". None is "loss"; by hand R2 for the losses that
        scikit-learn's estimator has, and "loss" for the others.
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
        activations (the slopes that "prelu" learns are in `theta_`) and `out_activation_` they
        give the predictions in y's units. Averaged starts, categories (but bools), missing
        values in the training rows, embeddings of numbers, columns with robust scaling and
        ``clip_predictions=True`` have none.
    target_range_ : ndarray of shape (2, n_targets)
        Smallest and largest y of the training rows, over all calls of `partial_fit`; infinite
        after `from_weights` and `from_sklearn`, where it is not known.
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
    settings_ : dict
        What the parameters at "auto" came to, by name; given as parameters they say the same.
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
        Inverse link of the loss.
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
    MLPClassifier : The same for classes.
    sklearn.neural_network.MLPRegressor : The estimator whose parameters are extended here.

    References
    ----------
    Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors,
    Nature 323. Kingma and Ba (2015), Adam: a method for stochastic optimization, ICLR. Gorishniy,
    Rubachev and Babenko (2022), On embeddings for numerical features in tabular deep learning,
    NeurIPS 35. Holzmueller, Grinsztajn and Steinwart (2024), Better by default, NeurIPS 37.
    Lee et al. (2015), Why M heads are better than one, arXiv 1511.06314.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> from skmlp import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = MLPRegressor(early_stopping=True, learning_rate_init=0.01, random_state=0)
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.3
    True
    """

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        **TABLE_CONSTRAINTS,
        **NUMBER_CONSTRAINTS,
        **OPEN_CONSTRAINTS,
        **LEVER_CONSTRAINTS,
        "encoder": ENCODER_CONSTRAINT,
        "encoder_learning_rate": [Interval(Real, 0, None, closed="left")],
        "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
        "target_scaling": ["boolean"],
        "clip_predictions": ["boolean"],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
    }

    _recipe = REGRESSION_RECIPE

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes="auto",
        activation="auto",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="auto",
        learning_rate_init="auto",
        power_t=0.5,
        max_iter="auto",
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping="auto",
        validation_fraction=0.1,
        refit=False,
        beta_1=0.9,
        beta_2="auto",
        epsilon=1e-8,
        n_iter_no_change="auto",
        max_fun=15000,
        weight_decay=0.0,
        weight_decay_schedule="constant",
        weight_averaging=0.0,
        weight_tol=0.0,
        init="auto",
        parametrization="auto",
        input_scale_layer="auto",
        feature_scaling="auto",
        target_scaling=True,
        clip_predictions=False,
        dropout="auto",
        dropout_schedule="constant",
        max_grad_norm=None,
        delta=1.35,
        quantile=0.5,
        encoder=None,
        encoder_learning_rate=1.0,
        categorical_features="from_dtype",
        max_one_hot=8,
        category_embedding_size=8,
        numeric_embedding="periodic",
        numeric_embedding_size=0,
        numeric_embedding_scale=0.1,
        missing="indicator",
        n_init=1,
        combine_inits="best",
        n_shared_layers=0,
        scoring=None,
        callbacks=None,
        dtype="auto",
    ):
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
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
        self.refit = refit
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.weight_decay = weight_decay
        self.weight_decay_schedule = weight_decay_schedule
        self.weight_averaging = weight_averaging
        self.weight_tol = weight_tol
        self.init = init
        self.parametrization = parametrization
        self.input_scale_layer = input_scale_layer
        self.feature_scaling = feature_scaling
        self.target_scaling = target_scaling
        self.clip_predictions = clip_predictions
        self.dropout = dropout
        self.dropout_schedule = dropout_schedule
        self.max_grad_norm = max_grad_norm
        self.delta = delta
        self.quantile = quantile
        self.encoder = encoder
        self.encoder_learning_rate = encoder_learning_rate
        self.categorical_features = categorical_features
        self.max_one_hot = max_one_hot
        self.category_embedding_size = category_embedding_size
        self.numeric_embedding = numeric_embedding
        self.numeric_embedding_size = numeric_embedding_size
        self.numeric_embedding_scale = numeric_embedding_scale
        self.missing = missing
        self.n_init = n_init
        self.combine_inits = combine_inits
        self.n_shared_layers = n_shared_layers
        self.scoring = scoring
        self.callbacks = callbacks
        self.dtype = dtype

    @classmethod
    def from_weights(cls, coefs, intercepts, *, activation, loss="squared_error"):
        """Fitted estimator with given weights: predicts, pickles and goes on with partial_fit.

        Parameters
        ----------
        coefs : sequence of array-like
            Weight matrices of shape (n_in, n_out), that act on X as it is.
        intercepts : sequence of array-like
            Bias vectors of shape (n_out,).
        activation : str, Activation or a sequence of them
            Of the hidden layers; one that cannot be trained, such as "step", is allowed.
        loss : str or Loss, default="squared_error"
            Its inverse link leads to predictions.

        Returns
        -------
        estimator : MLPRegressor
            With ``feature_scaling=None`` and ``target_scaling=False``.

        Raises
        ------
        ValueError
            When shapes do not fit, and for numbers that are not finite.

        Examples
        --------
        >>> from skmlp import MLPRegressor
        >>> absolute = MLPRegressor.from_weights(
        ...     [[[1.0, -1.0]], [[1.0], [1.0]]], [[0.0, 0.0], [0.0]], activation="relu"
        ... )
        >>> absolute.predict([[-3.0], [2.0]])
        array([3., 2.])
        """
        coefs, intercepts = check_layers(coefs, intercepts)
        sizes = tuple(len(bias) for bias in intercepts[:-1])
        return cls._given(
            coefs, intercepts, hidden_layer_sizes=sizes, activation=activation, loss=loss
        )

    @classmethod
    def from_sklearn(cls, mlp):
        """Fitted estimator with the parameters and weights of one of `sklearn.neural_network`.

        Parameters
        ----------
        mlp : sklearn.neural_network.MLPRegressor
            Fitted. The moments of its optimizer are not taken over.

        Returns
        -------
        estimator : MLPRegressor
            With ``feature_scaling=None`` and ``target_scaling=False``.

        Raises
        ------
        TypeError
            For another estimator, such as a Pipeline or a classifier.
        NotFittedError
            When `mlp` is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn import neural_network
        >>> from skmlp import MLPRegressor
        >>> X, y = np.linspace(-1, 1, 20).reshape(-1, 1), np.linspace(-1, 1, 20) ** 2
        >>> theirs = neural_network.MLPRegressor(solver="lbfgs", random_state=0).fit(X, y)
        >>> ours = MLPRegressor.from_sklearn(theirs)
        >>> bool(np.allclose(ours.predict(X), theirs.predict(X)))
        True
        """
        parameters = parameters_from(cls, mlp, neural_network.MLPRegressor)
        return take_over(cls._given(*check_layers(mlp.coefs_, mlp.intercepts_), **parameters), mlp)

    @classmethod
    def _given(cls, coefs, intercepts, **parameters):
        estimator = cls(feature_scaling=None, target_scaling=False, **parameters)
        estimator._validate_params()
        n_outputs = coefs[-1].shape[1]
        loss = estimator._make_loss()
        estimator._flat = n_outputs == loss.n_raw(1)
        estimator.target_range_ = np.array(UNKNOWN)
        return set_weights(estimator, coefs, intercepts, loss)

    @available_with(check_incremental)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Make one pass over X and y, going on from the last call.

        Running means and standard deviations keep the scaling up to date without changing any
        prediction by themselves.

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
            With "lbfgs", ``early_stopping=True``, `weight_averaging`, `refit`, several starts of
            which the best is kept or that share layers, or an `encoder` that is not frozen: then
            there is no such method.
        ValueError
            For input that cannot be used, settings of the network that have changed since the
            first call, schedules and callbacks that need a whole fit ("cosine", `Checkpoint`), and
            when training diverges.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import MLPRegressor
        >>> rng = np.random.default_rng(0)
        >>> model = MLPRegressor(random_state=0)
        >>> for _ in range(3):
        ...     X = rng.uniform(size=(50, 1))
        ...     model = model.partial_fit(X, X[:, 0] ** 2)
        >>> model.t_  # rows seen
        150
        """
        return self._fit(X, y, sample_weight, incremental=True)
