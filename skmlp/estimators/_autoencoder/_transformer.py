"""AutoencoderTransformer."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ..._engine.batches import DenseRows
from ..._engine.network import evaluate, forward_blocks
from ..._engine.noise import NOISES, FixedNoise
from ..._engine.objective import Objective
from ..._engine.penalties import SPARSITIES
from ..._sklearn_compat import Interval, StrOptions, _fit_context, as_table
from ...activations import ACTIVATIONS, Activation
from ...losses import RECONSTRUCTION_LOSSES
from .._availability import available_with
from .._base import BaseMLP
from .._design import Design
from .._encoding import FEATURE_SCALINGS
from .._features import Features
from .._outcome import warn
from .._recipe import check_incremental, network_of
from .._sample import value_range
from .._validation import check_sample_weight, checked_rows
from .._vocabulary import resolve, restore
from ._layers import autoencoder_layers, check_combinations, is_compact, penalties_of
from ._pca import start_from_pca
from ._rows import ReconstructionSample, dense_rows, scaled_limits


class AutoencoderTransformer(Features, BaseMLP):
    """Autoencoder: a network that learns to reconstruct its input through a code.

    h = f(x), the output of the encoder, is the code; g(h) the reconstruction. The weights minimise
    mean_rows [sum_features loss(x, g(f(x'))) + penalties(h)] with x the scaled row and x' the same,
    or a copy with fresh noise in every batch. The kinds can be combined:

    * undercomplete: fewer components than features (compression, views, features);
    * sparse: `sparsity` adds sparsity_alpha * sum_j |h_j| ("l1") or h_j^2 ("l2"), or
      sparsity_alpha * sum_j KL(sparsity_target || mean of h_j over the batch) ("kl");
    * denoising: `noise` corrupts the input, and the clean row is the target;
    * contractive: `contractive_alpha` * sum_ij (dh_i / dx_j)^2 at the clean x, which is computed
      exactly for codes of up to 16 units (and by "lbfgs"), else by an unbiased random projection.

    Parameters
    ----------
    n_components : int, default=2
        Width of the code. It may exceed the number of features when noise or a penalty keeps the
        code from being a copy of the input.
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units of the hidden layers between input and code.
    decoder_hidden_layer_sizes : int, array-like of int or None, default=None
        The same between code and output; None mirrors the encoder.
    activation : str, Activation or a sequence of them, default="relu"
        A name in `skmlp.activations.ACTIVATIONS` or an instance, for all hidden layers, or one
        for each hidden layer of the encoder, then of the decoder. The latter may be left out if
        the decoder mirrors the encoder.
    code_activation : str or Activation, default="identity"
        Of the code.
    output_activation : str or Activation, default="identity"
        Of the output, in scaled units.
    loss : {"squared_error", "log_loss"}, default="squared_error"
        Half the squared error, or the cross-entropy of a sigmoid output for X in [0, 1].
    tied_weights : bool or "auto", default="auto"
        Whether the decoder has the weights of the encoder transposed. "auto" is True with
        `sparsity` or `contractive_alpha` if the decoder mirrors the encoder: a small encoder and
        a large decoder would escape these penalties.
    sparsity : {"l1", "l2", "kl"} or None, default=None
        Penalty on the code, see above; "kl" needs a code between 0 and 1.
    sparsity_alpha : float, default=0.01
        Its strength.
    sparsity_target : float, default=0.05
        Rate of activity that ``sparsity="kl"`` aims at.
    noise : {"gaussian", "masking", "salt_and_pepper"} or None, default=None
        Corruption of the scaled input while training: added Gaussian noise, entries set to 0, or
        entries set to the smallest or largest training value of their feature. A validation set
        is corrupted once and for all.
    noise_level : float, default=0.3
        Standard deviation of the Gaussian noise, or the share of entries that are changed.
    contractive_alpha : float, default=0.0
        Strength of the contractive penalty.
    init : str or Initializer, default="auto"
        A name in `skmlp.initializers.INITIALIZERS` or an instance; "auto" takes the
        `default_init` of the activation with its `default_gain`, and for the output layer 0.6
        of that with "adam" and "rmsprop". "pca" starts as principal component analysis, whose
        scores are the code, and keeps that start if training ends worse on the training rows; it
        needs linear code and output, "relu", "leaky_relu", "prelu" or
        "identity" as activation and hidden layers of at least 2 * n_components units.
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
    parametrization : {"standard", "ntk"}, default="standard"
        "ntk" trains W in W / sqrt(n_in).
    input_scale_layer : bool, default=False
        Learn a scale of every feature before the first layer.
    feature_scaling : {"auto", "standard", "robust", "minmax"} or None, default="auto"
        Scaling of the columns of X, with statistics of the training rows: mean and standard
        deviation, median and interquartile range with a smooth clip, or minimum and maximum.
        Sparse columns are divided by their largest absolute value instead. "auto" is "standard",
        or None for ``loss="log_loss"``.
    dropout : float or sequence of float, default=0.0
        Rate of dropout after every hidden layer, or one per layer as for `activation`.
    max_grad_norm : float or None, default=None
        Largest norm of the gradient of a minibatch; longer ones are shortened.
    n_init : int, default=1
        Number of starts from different weights. They are trained together, on the same batches
        (one after another by "lbfgs"); the first is what ``n_init=1`` gives.
    combine_inits : {"best", "average"}, default="best"
        Keep the start with the best watched score, or the lowest training loss when nothing is
        watched; or keep all and average their reconstructions.
    scoring : str, callable or None, default=None
        What is watched on the validation set: a scorer's name or ``scorer(estimator, X, y)`` with
        y=None, higher is better. None and "loss" are minus the loss.
    callbacks : list of Callback or None, default=None
        Instances of classes in `skmlp.callbacks`. Training works with copies of them; what they
        find out is in `history_`.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Of computation and predictions; "auto" is float32 for float32 X, else float64.

    Attributes
    ----------
    theta_ : ndarray of shape (n_parameters,)
        All parameters, for scaled X.
    coefs_, intercepts_ : list of ndarray
        Effective weights and biases of all layers on raw X, computed on access and read-only.
        With the activations (the slopes that "prelu" learns are in `theta_`) they give the
        reconstruction in the units of X. Averaged starts, ``feature_scaling="robust"`` and scaled
        X behind an output that is not linear have none.
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
        Number of outputs, which is that of features.
    out_activation_ : str or Activation
        Of the output layer.
    n_components_ : int
        Width of the code of one network.
    tied_weights_, feature_scaling_ : bool, str or None
        What "auto" stands for.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, when X has string names.

    See Also
    --------
    AutoencoderOutlierDetector : Anomalies by what an autoencoder cannot reconstruct.
    MLPClassifier, MLPRegressor : Their parameter `encoder` starts from an autoencoder.
    sklearn.decomposition.PCA : The linear autoencoder.

    References
    ----------
    Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural networks,
    Science 313. Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11. Rifai et al.
    (2011), Contractive auto-encoders, ICML. Ng (2011), Sparse autoencoder, CS294A lecture notes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skmlp import AutoencoderTransformer
    >>> X = load_digits().data / 16
    >>> model = AutoencoderTransformer(
    ...     n_components=2, feature_scaling=None, learning_rate="one_cycle",
    ...     learning_rate_init=0.01, max_iter=50, random_state=0,
    ... ).fit(X)
    >>> model.transform(X).shape
    (1797, 2)
    >>> pca = PCA(2).fit(X)
    >>> linear = ((X - pca.inverse_transform(pca.transform(X))) ** 2).mean()
    >>> bool(-model.score(X) < 0.85 * linear)
    True
    """

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "decoder_hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "code_activation": [StrOptions(set(ACTIVATIONS)), Activation],
        "output_activation": [StrOptions(set(ACTIVATIONS)), Activation],
        "loss": [StrOptions(set(RECONSTRUCTION_LOSSES))],
        "tied_weights": ["boolean", StrOptions({"auto"})],
        "sparsity": [StrOptions(set(SPARSITIES)), None],
        "sparsity_alpha": [Interval(Real, 0, None, closed="left")],
        "sparsity_target": [Interval(Real, 0, 1, closed="neither")],
        "noise": [StrOptions(set(NOISES)), None],
        "noise_level": [Interval(Real, 0, None, closed="neither")],
        "contractive_alpha": [Interval(Real, 0, None, closed="left")],
        "init": [StrOptions({"pca"}), *BaseMLP._parameter_constraints["init"]],
        "feature_scaling": [
            StrOptions({"auto", *(kind for kind in FEATURE_SCALINGS if kind)}),
            None,
        ],
    }
    _sample_class = ReconstructionSample

    def __init__(
        self,
        n_components=2,
        hidden_layer_sizes=(100,),
        decoder_hidden_layer_sizes=None,
        activation="relu",
        *,
        code_activation="identity",
        output_activation="identity",
        loss="squared_error",
        tied_weights="auto",
        sparsity=None,
        sparsity_alpha=0.01,
        sparsity_target=0.05,
        noise=None,
        noise_level=0.3,
        contractive_alpha=0.0,
        init="auto",
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
        parametrization="standard",
        input_scale_layer=False,
        feature_scaling="auto",
        dropout=0.0,
        max_grad_norm=None,
        n_init=1,
        combine_inits="best",
        scoring=None,
        callbacks=None,
        dtype="auto",
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.decoder_hidden_layer_sizes = decoder_hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.loss = loss
        self.tied_weights = tied_weights
        self.sparsity = sparsity
        self.sparsity_alpha = sparsity_alpha
        self.sparsity_target = sparsity_target
        self.noise = noise
        self.noise_level = noise_level
        self.contractive_alpha = contractive_alpha
        self.init = init
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
        self.parametrization = parametrization
        self.input_scale_layer = input_scale_layer
        self.feature_scaling = feature_scaling
        self.dropout = dropout
        self.max_grad_norm = max_grad_norm
        self.n_init = n_init
        self.combine_inits = combine_inits
        self.scoring = scoring
        self.callbacks = callbacks
        self.dtype = dtype

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, sample_weight_val=None):
        """Fit the autoencoder to the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Dense, CSR or CSC, or memory mapped; a memory map is never loaded whole.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; rows of weight 0 are dropped before anything else.
        X_val : array-like as X, default=None
            Rows to watch instead of a part of X. The best epoch on them is restored;
            `early_stopping` says whether they end the training too.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Weights of the rows of X_val.

        Returns
        -------
        self : AutoencoderTransformer
            The fitted autoencoder.

        Raises
        ------
        ValueError
            For input that cannot be used, for parameters that cannot act together, and when
            training diverges.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` or `max_fun` ends a training that has not converged, when some of
            several starts diverge and are dropped, and when the best epoch is restored because
            training has diverged after it.
        UserWarning
            For a code wider than X that nothing keeps from being a copy of it, and for an
            `output_activation` that cannot put out what X holds; when X_val lies far outside the
            range of X, when `batch_size` is larger than the number of rows, when `scoring` cannot
            count weights, and when Ctrl-C ends the training: the model is kept.

        Examples
        --------
        The last rows are watched instead of trained on.

        >>> import numpy as np
        >>> from skmlp import AutoencoderTransformer
        >>> t = np.random.default_rng(0).normal(size=60)
        >>> X = np.column_stack([t, 10 * t + 1.0])
        >>> model = AutoencoderTransformer(1, (), solver="lbfgs", random_state=0)
        >>> model = model.fit(X[:40], X_val=X[40:])
        >>> len(model.validation_loss_curve_) == model.n_iter_
        True
        """
        return self._fit(X, None, sample_weight, (X_val, None, sample_weight_val))

    @available_with(check_incremental)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Make one pass over X, going on from the last call.

        With free weights and a linear output, running means and standard deviations keep the
        scaling up to date without changing any reconstruction by themselves (but for columns
        that have been constant so far); else the scaling stays that of the first call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of rows, as in `fit`.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : AutoencoderTransformer
            This autoencoder.

        Raises
        ------
        AttributeError
            With "lbfgs", ``early_stopping=True`` or several starts of which the best is kept: then
            there is no such method.
        ValueError
            For input that cannot be used, settings of the network that have changed since the
            first call, schedules and callbacks that need a whole fit ("cosine", `Checkpoint`), and
            when training diverges.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import AutoencoderTransformer
        >>> t = np.random.default_rng(0).normal(size=200)
        >>> X = np.column_stack([t, 10 * t + 1.0])
        >>> model = AutoencoderTransformer(1, (), learning_rate_init=0.05, random_state=0)
        >>> before = model.partial_fit(X[:100]).score(X)
        >>> for _ in range(10):
        ...     model = model.partial_fit(X[100:])
        >>> model.score(X) > before
        True
        """
        return self._fit(X, None, sample_weight, incremental=True)

    def transform(self, X):
        """Codes of the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Of several averaged starts the codes of all, side by side.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For an X with other columns than in `fit`, or with values that cannot be used.

        Examples
        --------
        Of rows on a line a code of one number tells the place, up to its sign, origin and unit.

        >>> import numpy as np
        >>> from skmlp import AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 10 * t + 1.0])
        >>> model = AutoencoderTransformer(1, (), solver="lbfgs", random_state=0).fit(X)
        >>> Z = model.transform(X)
        >>> Z.shape
        (50, 1)
        >>> round(float(abs(np.corrcoef(Z[:, 0], t)[0, 1])), 3)
        1.0
        """
        check_is_fitted(self)
        return np.concatenate(self._outputs(X, stop=self._depth()), axis=1)

    def inverse_transform(self, Z):
        """Rows in the units of X for codes.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Codes, as `transform` gives them.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            A DataFrame with the names of X if Z is one, or if `set_output` says so.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For a Z with another number of columns, or with numbers that are not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 10 * t + 1.0])
        >>> model = AutoencoderTransformer(1, (), solver="lbfgs", random_state=0).fit(X)
        >>> Z = model.transform([[0.5, 6.0]])
        >>> model.inverse_transform(Z).round(1)
        array([[0.5, 6. ]])
        """
        check_is_fitted(self)
        theta, width = np.atleast_2d(self.theta_), self._n_features_out
        codes = check_array(Z, dtype=theta.dtype, input_name="Z")
        if codes.shape[1] != width:
            raise ValueError(f"Z has {codes.shape[1]} columns, but the codes have {width}.")
        decoder = network_of(self._model).after(self._depth())
        raw = [
            evaluate(decoder, row[np.newaxis], DenseRows(part))[0]
            for row, part in zip(theta, np.split(codes, len(theta), axis=1), strict=True)
        ]
        output = _mean(restore(self._loss).predict(np.stack(raw)))
        output = Design.restore(self._design).target.decode(output)
        return table_of_features(output.astype(theta.dtype, copy=False), Z, self, names=())

    def reconstruct(self, X):
        """Rows of X coded and decoded, in the units of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            A DataFrame if X is one, or if `set_output` says so.

        Raises
        ------
        NotFittedError, ValueError
            As `transform`.

        Examples
        --------
        The second row lies off the line of the training rows, and is put near it.

        >>> import numpy as np
        >>> from skmlp import AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 10 * t + 1.0])
        >>> model = AutoencoderTransformer(
        ...     1, (), tied_weights=True, solver="lbfgs", random_state=0
        ... ).fit(X)
        >>> model.reconstruct([[0.5, 6.0], [0.0, 5.0]]).round(1)
        array([[0.5, 6. ],
               [0.2, 3. ]])
        """
        check_is_fitted(self)
        rows, decode = self._rows_of(X), Design.restore(self._design).target.decode
        reconstructed = np.empty((len(rows), self.n_features_in_), self.theta_.dtype)
        for part, _, outputs in self._member_outputs(rows):
            reconstructed[part] = decode(_mean(outputs))
        return table_of_features(reconstructed, X, self)

    def reconstruction_error(self, X, per_feature=False, units="scaled"):
        """Mean squared error of each row, or the squared error of each of its entries.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        per_feature : bool, default=False
            Whether to return the errors of the entries, whose row means are the errors of the
            rows.
        units : {"scaled", "input"}, default="scaled"
            Whether differences are taken between scaled features, as in training, or in the units
            of X.

        Returns
        -------
        error : ndarray of shape (n_samples,) or (n_samples, n_features)
            In float64. Per feature a DataFrame if X is one, or if `set_output` says so.

        Raises
        ------
        NotFittedError, ValueError
            As `transform`, and for other units.

        Examples
        --------
        The second entry is 4 units too large, which the network shares out between both.

        >>> import numpy as np
        >>> from skmlp import AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 10 * t + 1.0])
        >>> model = AutoencoderTransformer(
        ...     1, (), tied_weights=True, solver="lbfgs", random_state=0
        ... ).fit(X)
        >>> model.reconstruction_error([[0.0, 5.0]], per_feature=True).round(2)
        array([[0.12, 0.12]])
        >>> model.reconstruction_error([[0.0, 5.0]], per_feature=True, units="input").round(2)
        array([[0.04, 4.  ]])
        """
        if units not in ("scaled", "input"):
            raise ValueError(f"units must be 'scaled' or 'input', got {units!r}.")
        check_is_fitted(self)
        errors = []
        for residual in self._residuals(X, units == "input"):
            residual *= residual
            errors.append(residual if per_feature else residual.mean(axis=1))
        errors = np.concatenate(errors)
        if not per_feature:
            return errors
        return table_of_features(errors, X, self)

    def score(self, X, y=None, sample_weight=None):
        """Minus the mean reconstruction error in scaled units, so that higher is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            At most 0. Settings of `feature_scaling` change its unit and cannot be compared by it.

        Raises
        ------
        NotFittedError, ValueError
            As `transform`, and for weights that cannot be used.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp import AutoencoderTransformer
        >>> t = np.linspace(-1, 1, 50)
        >>> X = np.column_stack([t, 10 * t + 1.0])
        >>> model = AutoencoderTransformer(1, (), solver="lbfgs", random_state=0).fit(X)
        >>> apart = X + np.array([0.0, 4.0])  # off the line
        >>> model.score(X) > -0.001, model.score(apart) < -0.05
        (True, True)
        >>> bool(np.isclose(model.score(apart), -model.reconstruction_error(apart).mean()))
        True
        """
        error = self.reconstruction_error(X)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, len(error))
        return -float(np.average(error, weights=sample_weight))

    @property
    def _n_features_out(self):
        return self.n_components_ * len(np.atleast_2d(self.theta_))

    @property
    def n_components_(self):
        """Width of the code of one network."""
        return self._model["sizes"][self._model["n_encoder"]]

    def _depth(self):
        """Number of layers of the encoder."""
        return network_of(self._model).depth_of(self._model["n_encoder"])

    def _member_outputs(self, rows):
        """Yield slices, rows for the network and the scaled reconstructions of each member.

        The latter may be overwritten by the next block.
        """
        network, theta = network_of(self._model), np.atleast_2d(self.theta_)
        loss = restore(self._loss)
        for part, x, raw in forward_blocks(network, theta, rows):
            yield part, x, raw if loss.link == "identity" else loss.predict(raw)

    def _rows_and_residuals(self, X):
        """Yield blocks of rows and the residuals of each member, scaled and in float64."""
        for _, x, outputs in self._member_outputs(self._rows_of(X)):
            rows = dense_rows(x)
            yield rows, rows - outputs

    def _residuals(self, X, in_units):
        """Yield blocks of rows minus their mean reconstructions, in float64."""
        decode = Design.restore(self._design).target.decode
        for _, x, outputs in self._member_outputs(self._rows_of(X)):
            rows, mean = dense_rows(x), _mean(outputs).astype(np.float64)
            yield decode(rows) - decode(mean) if in_units else rows - mean

    def _effective(self, name):
        check_is_fitted(self)
        if self.feature_scaling_ is not None and not _is_linear(self._model, restore(self._loss)):
            raise AttributeError(
                f"{name} does not exist with feature_scaling={self.feature_scaling_!r} and an "
                "output that is not linear, into which no scaling can be folded. Use "
                "feature_scaling=None."
            )
        return super()._effective(name)

    # The template of fit

    def _layers(self):
        layers = autoencoder_layers(self)
        check_combinations(self, layers)
        return layers

    def _drawn_init(self):
        return "auto" if self.init == "pca" else self.init

    def _check_validation(self, X_val, y_val, sample_weight_val):
        if X_val is None and sample_weight_val is not None:
            raise ValueError("sample_weight_val was given without X_val. Give both, or none.")

    def _check_data(self, X, y, reset):
        X = checked_rows(self, X, reset)
        return X, np.empty((X.shape[0], 0))

    def _encode_target(self, y, going_on, classes):
        return y

    def _before_network(self, sample, seeds, resumed):
        limits = np.stack([np.asarray(ends, np.float64) for ends in value_range(sample)])
        if resumed:
            low, high = self._limits
            limits = np.stack([np.minimum(low, limits[0]), np.maximum(high, limits[1])])
        self._limits, self.tied_weights_ = limits, autoencoder_layers(self).tied
        self.feature_scaling_ = self.feature_scaling
        if self.feature_scaling == "auto":
            domain = self._make_loss().domain
            bounded = np.isfinite([domain.low, domain.high]).all()
            self.feature_scaling_ = None if bounded else "standard"
        if not is_compact(self, limits.shape[1]):
            warn(
                f"n_components={self.n_components} is more than the {limits.shape[1]} features, "
                "and nothing keeps the code from being a copy of them. Use fewer components, or "
                "set noise, sparsity or contractive_alpha.",
                UserWarning,
            )

    def _n_targets(self, sample):
        return sample.X.shape[1]

    def _make_loss(self):
        return resolve(self.loss, RECONSTRUCTION_LOSSES)

    def _watched_score(self, loss):
        """Minus the validation loss."""

    def _scalings(self, loss):
        return self.feature_scaling_, "features"

    def _fit_design(self, loss, model, rows):
        # The first layer and the last can follow moving statistics if both are free and linear.
        moving = not model["tied"] and _is_linear(model, loss)
        return Design.fit(*self._scalings(loss), *rows, moving=moving)

    def _initialize(self, theta, network, loss, data, n_targets, rngs):
        layers = autoencoder_layers(self)
        if not layers.linear_output:
            # What constant is best before the output activation is not asked.
            theta[...] = network.initial(rngs)
            return
        super()._initialize(theta, network, loss, data, n_targets, rngs)
        if self.init == "pca":
            start_from_pca(self, layers, network, theta, data)

    def _objective(self, network, loss, sample, design):
        layers = autoencoder_layers(self)
        limits = scaled_limits(self._limits, design.features, self.theta_.dtype, loss)
        if not layers.linear_output:
            self._check_reach(layers.activations[-1], limits)
        depth = network.depth_of(layers.n_encoder)
        if self.noise is not None:
            network = network.behind(NOISES[self.noise].of(float(self.noise_level), *limits))
            depth += 1
        penalties = penalties_of(self, layers, depth)
        return Objective(network, loss, float(self.alpha), penalties)

    def _check_reach(self, output, limits):
        """Warn of an output activation that cannot put out what the training rows hold."""
        low, high = output([-1e4, 1e4]) + 0.0
        # What is larger than this grows without bound.
        low, high = (low if low > -50.0 else -np.inf), (high if high < 50.0 else np.inf)
        if limits[0].min() < low - 1e-6 or limits[1].max() > high + 1e-6:
            warn(
                f"output_activation={self.output_activation!r} puts out numbers from {low:g} to "
                f"{high:g}, but X, as the network sees it, goes from {limits[0].min():g} to "
                f"{limits[1].max():g}. Choose feature_scaling (here {self.feature_scaling_!r}) to "
                "match, or leave output_activation at 'identity'.",
                UserWarning,
            )

    def _watch(self, objective, held_out, sample, data, seed):
        watch = super()._watch(objective, held_out, sample, data, seed)
        # Not the stream that has split the rows.
        watch.data = _as_trained(watch.data, objective, [seed, 1])
        return watch

    def _train(self, objective, data, state, plan, watch, callbacks, fresh):
        if self.out_activation_ == "identity":
            self.out_activation_ = self.output_activation
        compares = self.init == "pca" and fresh
        start = state.theta.copy() if compares else None
        super()._train(objective, data, state, plan, watch, callbacks, fresh)
        if compares:
            _keep_better(state, start, objective, _as_trained(data, objective, seed=0))


def _mean(outputs):
    """Mean over members; of one it is a view."""
    return outputs[0] if len(outputs) == 1 else outputs.mean(axis=0)


def table_of_features(values, like, estimator, names=None):
    """`values`, one column per feature, as a DataFrame if `set_output` says so or `like` is one.

    If the estimator was fitted to columns without names they are `names`, by default of `like`.
    """
    names = getattr(like, "columns", ()) if names is None else names
    names = names if len(names) else [f"x{i}" for i in range(values.shape[1])]
    names = getattr(estimator, "feature_names_in_", np.array(names, dtype=object))
    return as_table(values, like, names, estimator)


def _is_linear(model, loss):
    """Whether the output of the network is linear, and what the loss predicts."""
    return loss.link == "identity" and len(model["activations"]) == len(model["sizes"]) - 2


def _as_trained(data, objective, seed):
    """Rows with one fixed draw of the noise that the objective is trained with."""
    noise = objective.network.noise
    if noise is None:
        return data
    return FixedNoise(data.rows, data.y, data.weight, data.index, noise, seed)


def _keep_better(state, start, objective, data):
    """Let each member go back to its start where that has the lower objective."""

    def values(theta):
        rngs = [np.random.default_rng(0) for _ in theta]
        workspace = objective.workspace(len(theta), theta.dtype, rngs=rngs)
        return objective.over(theta, data, workspace, np.empty_like(theta))[0]

    with np.errstate(over="ignore", invalid="ignore"):
        better = state.usable() & ~(values(state.theta) <= values(start))
    state.theta[better] = start[better]
    for member in np.flatnonzero(better):
        state.reasons[member] += " The start, principal component analysis, was better: it is kept."
