"""Derivatives computed in two ways: by backpropagation, and by difference formulas."""

from copy import deepcopy
from numbers import Real

import numpy as np
from sklearn.utils import Bunch

from .estimators import (
    AutoencoderTransformer,
    DensityRegressor,
    HypernetworkClassifier,
    HypernetworkRegressor,
    MLPClassifier,
    MLPRegressor,
)

__all__ = ["check_gradient"]

KINDS = (
    MLPRegressor,
    MLPClassifier,
    AutoencoderTransformer,
    DensityRegressor,
    HypernetworkRegressor,
    HypernetworkClassifier,
)

# The error of a formula is of the order of eps^order, that of rounding of machine epsilon / eps:
# both are equal at machine epsilon ^ (1 / (order + 1)) (Nocedal and Wright 2006, section 8.1).
ORDERS = {"forward": 1, "central": 2}


def check_gradient(estimator, X, y=None, scheme="forward", eps=None, *, sample_weight=None):
    """Compare the gradient that training follows with difference formulas.

    E(w) is what `fit` minimises over the given rows: the mean loss with all penalties, in scaled
    units, as a function of the parameters (`theta_`). Its derivatives by backpropagation are
    compared one by one with

    * ``"forward"``: ``(E(w_i + eps) - E(w_i)) / eps``, with an error of order eps
    * ``"central"``: ``(E(w_i + eps) - E(w_i - eps)) / (2 * eps)``, with an error of order eps^2

    Parameters
    ----------
    estimator : object
        `MLPRegressor`, `MLPClassifier`, `AutoencoderTransformer`, `DensityRegressor`,
        `HypernetworkRegressor` or `HypernetworkClassifier`. One that is not fitted is looked at
        where training would start, a fitted one where `fit` with ``warm_start=True`` would go on.
        It is not changed.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows that E is computed from, as `fit` takes them.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        As `fit` takes it; ignored for autoencoders.
    scheme : {"forward", "central"}, default="forward"
        Which of the two formulas.
    eps : float, default=None
        By how much a parameter is moved. None is the square root of the machine epsilon of the
        estimator's dtype for "forward", and its cube root for "central".
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    result : Bunch
        With the attributes

        relative_error : float
            Norm of the difference of both gradients over the larger of their norms.
        max_abs_error : float
            Largest absolute difference.
        blocks : list of Bunch
            For each block of parameters its `name` and `shape`, `max_abs_error`, and
            `max_relative_error`, which is that over the largest derivative in the block. The list
            makes a DataFrame.
        gradient, differences : ndarray of the shape of `theta_`
            Both gradients, zero for parameters that are not learned.
        loss : float or ndarray of shape (n_init,)
            E(w).
        n_evaluations : int
            How often E was computed for the difference formula.
        scheme, eps : str, float
            As used.

    Raises
    ------
    TypeError
        For other estimators.
    ValueError
        For an unknown `scheme`, an `eps` that is not positive or is lost in rounding, ``"step"``
        as activation, a loss whose training deliberately does not follow its gradient
        (``"beta_nll"``), and input that `fit` refuses.

    Notes
    -----
    All rows count, whatever `early_stopping` and `batch_size` say. Dropout and noise act, but are
    held fixed: every evaluation draws the same random numbers. What is not part of the
    minimised function has no part here: `weight_decay`, `max_grad_norm`, learning rates.

    With n parameters the formulas need n + 1 or 2 n evaluations of E, backpropagation the time of
    about three; take few rows and a small network. In float32 only gross mistakes are seen.

    Not every difference is a mistake. Between w and w + eps there may be a kink ("relu",
    ``loss="absolute_error"``), where there is no derivative. Parameters of distributions are held
    between bounds, beyond which the loss is flat, but training is led back. At a minimum both
    gradients are near zero, and relative errors say little.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 5.3.3. Nocedal and Wright
    (2006), Numerical Optimization, section 8.1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import MLPClassifier
    >>> from skmlp.inspection import check_gradient
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((5,), "tanh", random_state=0)
    >>> result = check_gradient(model, X, y, scheme="central")
    >>> result.relative_error < 1e-8
    True
    >>> [block.name for block in result.blocks]
    ['weights[0]', 'biases[0]', 'weights[1]', 'biases[1]']
    >>> result.n_evaluations == 2 * (4 * 5 + 5 + 5 * 3 + 3)
    True
    """
    _check_arguments(estimator, scheme, eps)
    one = estimator._copy_with({"random_state": deepcopy(estimator.random_state)})
    problem = one._problem(X, y, sample_weight)
    _check_follows_gradient(problem.objective.loss)
    if eps is None:
        eps = float(np.finfo(problem.theta.dtype).eps ** (1.0 / (ORDERS[scheme] + 1)))
    loss, grad = problem.value_and_grad()
    gradient, differences = np.zeros((2, *grad.shape))
    named, blocks, n_evaluations = problem.blocks(), [], int(scheme == "forward")
    for *_, part in named:
        gradient[:, part] = grad[:, part]
    for name, shape, part in named:
        for i in range(part.start, part.stop):
            differences[:, i] = _derivative(problem, i, scheme, eps, loss)
        n_evaluations += (part.stop - part.start) * ORDERS[scheme]
        blocks.append(_compared(name, shape, gradient[:, part], differences[:, part]))
    shape = (-1,) if len(gradient) == 1 else gradient.shape
    return Bunch(
        relative_error=_relative(np.linalg.norm, gradient, differences),
        max_abs_error=max(block.max_abs_error for block in blocks),
        blocks=blocks,
        gradient=gradient.reshape(shape),
        differences=differences.reshape(shape),
        loss=float(loss[0]) if len(loss) == 1 else loss,
        n_evaluations=n_evaluations,
        scheme=scheme,
        eps=float(eps),
    )


def _derivative(problem, i, scheme, eps, loss):
    """Derivatives by parameter i, (members,); `loss` is the value at theta."""
    theta = problem.theta
    given = theta[:, i].copy()

    def moved(sign):
        theta[:, i] = given + sign * theta.dtype.type(eps)
        value, place = problem.value_and_grad()[0], theta[:, i].astype(np.float64)
        theta[:, i] = given
        return value, place

    above, right = moved(+1)
    below, left = moved(-1) if scheme == "central" else (loss, given.astype(np.float64))
    # The step as it came out in this dtype, which is not quite eps.
    step = right - left
    if not step.all():
        raise ValueError(
            f"eps={eps!r} is lost in rounding beside a parameter of {abs(given).max():g} in "
            f"{theta.dtype}. Use a larger eps, or dtype='float64'."
        )
    return (above - below) / step


def _compared(name, shape, gradient, differences):
    """Errors of one block."""
    return Bunch(
        name=name,
        shape=shape,
        max_abs_error=float(np.abs(gradient - differences).max()),
        max_relative_error=_relative(lambda a: np.abs(a).max(), gradient, differences),
    )


def _relative(norm, gradient, differences):
    """Norm of the difference over the larger of both norms; 0 where all is zero."""
    scale = max(norm(gradient), norm(differences))
    return float(norm(gradient - differences) / scale) if scale else 0.0


def _check_arguments(estimator, scheme, eps):
    if not isinstance(estimator, KINDS):
        raise TypeError(
            "estimator must be one of "
            + ", ".join(kind.__name__ for kind in KINDS)
            + f", got {type(estimator).__name__}. Of a Pipeline give the last step with X as it "
            "gets there, of a search `best_estimator_`, of an AutoencoderOutlierDetector "
            "`autoencoder_`."
        )
    if scheme not in ORDERS:
        raise ValueError(f"scheme={scheme!r} is not known. Use 'forward' or 'central'.")
    if eps is not None and not (isinstance(eps, Real) and 0.0 < eps < np.inf):
        raise ValueError(f"eps={eps!r} must be a positive number, such as 1e-6, or None.")


def _check_follows_gradient(loss):
    if getattr(loss, "loss", None) == "beta_nll" and loss.beta:
        raise ValueError(
            f"loss='beta_nll' with beta={loss.beta!r} has nothing to compare: by design, training "
            "takes sigma^(2 beta) for a constant weight and does not follow the gradient of the "
            "loss. Use loss='nll' or loss='crps'."
        )
