"""HypernetworkRegressor."""

from numbers import Real

from ..._sklearn_compat import Interval, StrOptions, _fit_context
from ...losses import REGRESSION_LOSSES, Loss
from .._availability import available_with
from .._base import BaseMLP
from .._recipe import check_incremental
from .._regression import Regression
from ._base import HYPER_CONSTRAINTS, Hypernetwork


class HypernetworkRegressor(Hypernetwork, Regression, BaseMLP):
    """Regression for many tasks: one network writes the parameters of another.

    A hypernetwork writes the parameters theta = h(e_task, context) of a main network, which maps
    the other columns of X to y. What tasks have in common is learned by all of them together, and
    each has a main network of its own. `fit` trains on all tasks jointly; `partial_fit` and warm
    starts add tasks one after another without forgetting the earlier ones; `adapt` learns the
    embedding of a new task from few rows.

    The task is a column of X, so that pipelines, cross-validation and scorers need not know. A
    GroupKFold by task asks how well unknown tasks are predicted, a StratifiedKFold by task how
    well new rows of known ones are.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(32,)
        Hidden layers of the main network; ``()`` is a linear model for every task.
    activation : str, Activation or a sequence of them, default="relu"
        A name in `skmlp.activations.ACTIVATIONS` or an instance, for all hidden layers of the
        main network or one per layer.
    task_features : int, str, sequence of them, mask or callable, default=None
        Columns of X that tell the task of a row: positions, names of a DataFrame, a boolean mask
        or a function of X that returns such. Each different value (tuple of values for several
        columns) is a task with an embedding of its own. Texts are welcome; 17 and 17.0 are one
        task. The main network does not see these columns.
    context_features : int, str, sequence of them, mask or callable, default=None
        Columns of numbers that the hypernetwork is told. With neither kind of columns there is
        one set of parameters, theta = g(layer, position).
    context_in_main : bool, default=False
        Whether the main network sees the context columns too.
    modulation : {"auto", "full", "chunked", "low_rank", "film"}, default="auto"
        What is written: all parameters; the same in chunks of one size by one output layer, which
        is told a code of the layer plus one of the place in it; the diagonal of a product of rank
        `rank` that is added to common weights, and the biases; a scale and a shift of every unit.
        "auto" is "low_rank" for more than 20 tasks with a median of fewer than 50 rows, "chunked"
        without tasks and contexts, else "full". See `modulation_`.
    rank : int, default=8
        Of ``modulation="low_rank"``.
    chunk_size : int or None, default=None
        Parameters that are written at a time with ``modulation="chunked"``; None chooses it so
        that the output layer is small against what it writes.
    chunk_embedding_size : int, default=8
        Length of the codes of chunks.
    task_embedding_size : int, default=8
        Length of the embeddings of tasks. Small ones, such as 2, serve many tasks of few rows.
    hyper_hidden_layer_sizes : int or array-like of int, default=(32, 32)
        Hidden layers of the hypernetwork; ``()`` writes parameters that are linear in the
        embedding.
    hyper_activation : str, Activation or a sequence of them, default="relu"
        Of the hypernetwork's hidden layers.
    output_reg : float, default=0.05
        How strongly tasks outside the current set are held when training goes on without them:
        the penalty output_reg / T * sum_j ||theta_j - theta_j*||^2 over T such tasks, with their
        weights and biases now and at the last change of tasks (or the last `adapt`); 0 lets them
        be forgotten.
    output_reg_tasks : int or None, default=None
        A random choice of so many tasks is held in a step, which bounds its cost; None is all.
    unknown_task : {"average", "error"}, default="average"
        What rows of unknown tasks get: the average prediction of all known tasks, with a warning,
        or an error.
    task_weight : "balanced" or None, default=None
        "balanced" lets all tasks count the same, however many rows they have.
    loss : str or Loss, default="squared_error"
        A name in `skmlp.losses.REGRESSION_LOSSES` or an instance. The loss of several targets
        is summed over them.
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
        `X_val` of `fit`, else a part of X. "auto" is True if `X_val` is given. With False and
        `X_val` the best weights are restored as well, but only `max_iter` (or `weight_tol`) ends
        the training.
    validation_fraction : float or cross-validation splitter, default=0.1
        Share of the rows that `early_stopping` sets aside, the same of every
        task, or an object whose first split tells
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
        How hidden layers of the hypernetwork and common weights are drawn: a name in
        `skmlp.initializers.INITIALIZERS` or an instance; "auto" takes the `default_init` of the
        activation. What is written starts by the hyperfan-in rule, so that signals keep their size.
    feature_scaling : {"auto", "standard", "robust", "minmax"} or None, default="auto"
        Scaling of the columns of X, with statistics of the training rows: "standard" by mean and
        standard deviation, "robust" by median and interquartile range with a smooth clip, "minmax"
        by minimum and maximum. "auto" is "standard", but "robust" for columns with heavy tails or
        outliers. Later calls of `partial_fit` and warm starts keep the statistics of the first.
    target_scaling : bool, default=True
        Train on (y - mean) / sd, or on y / mean for "gamma", and predict in y's units. Losses
        of counts are not scaled; their output starts at the mean instead. The statistics are
        those of the first call.
    dropout : float or sequence of float, default=0.0
        Rate of dropout after every hidden layer of the main network, or one per layer.
    max_grad_norm : float or None, default=None
        Largest norm of the gradient of a minibatch; longer ones are shortened.
    delta : float, default=1.35
        Where ``loss="huber"`` turns linear, in standard deviations of y when it is scaled.
    quantile : float or sequence of float, default=0.5
        Level of ``loss="quantile"``. For several levels, `predict` has a column for each, and
        they never cross.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Which columns that the main network sees are categories: those of a DataFrame (or an array
        of objects) that hold strings or bools or have a category or Enum dtype, those at these
        positions, with these names or where a mask is True, or none. Two levels become a column of
        -1 and +1, more a column each; levels that training has not seen are zeros. Columns of tasks
        and contexts are no categories.
    missing : {"indicator", "error"}, default="indicator"
        What is done about missing values of columns that the main network sees: numbers are
        replaced by the mean of the training rows (the median for robust scaling), and a column that
        had some in training gets one more, of 0 and 1, that says where; in categories they are a
        level of their own. "error" refuses them.
    n_init : int, default=1
        Number of starts from different weights. They are trained together, on the same batches
        (one after another by "lbfgs"); the first is what ``n_init=1`` gives.
    combine_inits : {"best", "average"}, default="best"
        Keep the start with the best watched score, or the lowest training loss when nothing is
        watched; or keep all and average their predictions.
    scoring : str, callable or None, default=None
        What is watched on the validation set: a scorer's name or ``scorer(estimator, X, y)``,
        higher is better, or "loss". None is R2 for the losses
        that scikit-learn's estimator has, "loss" for the others.
    callbacks : list of Callback or None, default=None
        Instances of classes in `skmlp.callbacks`. Training works with copies of them; what they
        find out is in `history_`.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Of computation and predictions; "auto" is float32 for float32 X, else float64.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Identifiers of the tasks, tuples for several columns: those of the first call in
        ascending order, later ones appended. Empty without task columns.
    task_embeddings_ : ndarray of shape (n_tasks, task_embedding_size)
        Their learned embeddings, computed on access and read-only.
    task_loss_ : ndarray of shape (n_tasks,)
        Mean loss of the rows of every task in the last call that had some, in scaled units.
    modulation_ : str
        What ``modulation="auto"`` stands for.
    n_parameters_ : int
        Number of parameters that are learned.
    n_main_parameters_ : int
        Number of weights and biases of one main network.
    theta_ : ndarray of shape (n_theta,)
        All parameters, for scaled X and y; the first are the embeddings of the tasks, the last
        the constant output that training started from.
    coefs_, intercepts_ : list of ndarray
        Effective weights and biases, only without tasks and contexts; else see `task_parameters`.
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
    HypernetworkClassifier : The same for classes.
    MLPRegressor : One network for all rows.

    References
    ----------
    Ha, Dai and Le (2017), HyperNetworks, ICLR. Von Oswald, Henning, Grewe and Sacramento (2020),
    Continual learning with hypernetworks, ICLR. Chang, Flokas and Lipson (2020), Principled weight
    initialization for hypernetworks, ICLR. Perez et al. (2018), FiLM, AAAI.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import HypernetworkRegressor
    >>> rng = np.random.default_rng(0)
    >>> task, x = rng.integers(3, size=300), rng.uniform(-2, 2, size=300)
    >>> y = np.choose(task, [np.sin(2 * x), x**2 - 1, -x])
    >>> X = np.column_stack([task, x])
    >>> model = HypernetworkRegressor(task_features=[0], learning_rate_init=0.01, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    >>> coefs, intercepts = model.task_parameters(2)
    >>> [weight.shape for weight in coefs]
    [(1, 32), (32, 1)]
    """

    _parameter_constraints = {
        **HYPER_CONSTRAINTS,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
        "target_scaling": ["boolean"],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        activation="relu",
        *,
        task_features=None,
        context_features=None,
        context_in_main=False,
        modulation="auto",
        rank=8,
        chunk_size=None,
        chunk_embedding_size=8,
        task_embedding_size=8,
        hyper_hidden_layer_sizes=(32, 32),
        hyper_activation="relu",
        output_reg=0.05,
        output_reg_tasks=None,
        unknown_task="average",
        task_weight=None,
        loss="squared_error",
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=0.0001,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping="auto",
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-08,
        n_iter_no_change=10,
        max_fun=15000,
        weight_decay=0.0,
        weight_tol=0.0,
        init="auto",
        feature_scaling="auto",
        target_scaling=True,
        dropout=0.0,
        max_grad_norm=None,
        delta=1.35,
        quantile=0.5,
        categorical_features="from_dtype",
        missing="indicator",
        n_init=1,
        combine_inits="best",
        scoring=None,
        callbacks=None,
        dtype="auto",
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.task_features = task_features
        self.context_features = context_features
        self.context_in_main = context_in_main
        self.modulation = modulation
        self.rank = rank
        self.chunk_size = chunk_size
        self.chunk_embedding_size = chunk_embedding_size
        self.task_embedding_size = task_embedding_size
        self.hyper_hidden_layer_sizes = hyper_hidden_layer_sizes
        self.hyper_activation = hyper_activation
        self.output_reg = output_reg
        self.output_reg_tasks = output_reg_tasks
        self.unknown_task = unknown_task
        self.task_weight = task_weight
        self.loss = loss
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
        self.feature_scaling = feature_scaling
        self.target_scaling = target_scaling
        self.dropout = dropout
        self.max_grad_norm = max_grad_norm
        self.delta = delta
        self.quantile = quantile
        self.categorical_features = categorical_features
        self.missing = missing
        self.n_init = n_init
        self.combine_inits = combine_inits
        self.scoring = scoring
        self.callbacks = callbacks
        self.dtype = dtype

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit to all tasks of X jointly, or with `warm_start` go on to further ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers or categories, and task columns of any kind.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers, in any unit.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; rows of weight 0 are dropped before anything else.
        X_val, y_val : array-likes as X and y, default=None
            Rows to watch instead of a part of X, of tasks that X has.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Weights of the rows of X_val.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For input that cannot be used, tasks or contexts that are missing, parameters that
            cannot act together, and when training diverges.
        TypeError
            For a sparse X.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` or `max_fun` ends a training that has not converged, when some of
            several starts diverge and are dropped, and when the best epoch is restored because
            training has diverged after it.
        UserWarning
            When X_val lies far outside the range of X, when `batch_size` is larger than the number
            of rows, when `scoring` cannot count weights, when a task of a single row cannot be
            watched, for a y of one column, and when Ctrl-C ends the training: the model is kept.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import HypernetworkRegressor
        >>> x = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([np.repeat([0, 1], 50), np.tile(x, 2)])  # the task, and a feature
        >>> y = np.concatenate([x, -x])
        >>> model = HypernetworkRegressor(
        ...     task_features=[0], hidden_layer_sizes=(), solver="lbfgs", random_state=0
        ... )
        >>> model.fit(X, y).predict([[0, 0.5], [1, 0.5]]).round(1)
        array([ 0.5, -0.5])
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_with(check_incremental)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Make one pass over X and y, going on from the last call.

        A task outside the current set of tasks passes a boundary: the tasks of X become the
        current set, all other known tasks are held where they are by `output_reg`, and the
        moments of the optimizer start anew. Chunks with tasks of the current set pass none.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
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
            With "lbfgs", ``early_stopping=True`` or several starts of which the best is kept: then
            there is no such method.
        ValueError
            With `task_weight`; for input that cannot be used, settings of the networks that have
            changed since the first call, schedules and callbacks that need a whole fit ("cosine",
            `Checkpoint`), and when training diverges.
        TypeError
            For a sparse X.

        Examples
        --------
        Task 1 comes after task 0, of which no row is seen any more.

        >>> import numpy as np
        >>> from skmlp import HypernetworkRegressor
        >>> x = np.linspace(-1, 1, 50)
        >>> model = HypernetworkRegressor(
        ...     task_features=[0], learning_rate_init=0.01, random_state=0
        ... )
        >>> for task, y in enumerate([x, -x]):
        ...     for _ in range(100):
        ...         model = model.partial_fit(np.column_stack([np.full(50, task), x]), y)
        >>> model.predict([[0, 0.5], [1, 0.5]]).round(1)
        array([ 0.5, -0.5])
        """
        self._check_chunk()
        return self._fit(X, y, sample_weight, incremental=True)
