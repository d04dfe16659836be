"""Rules that turn gradients into steps of the parameters."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from . import _kernels as kernels
from ._kernels.plain import by_blocks, multiply

__all__ = ["LBFGS", "OPTIMIZERS", "SGD", "Adam", "Optimizer", "RMSprop", "StochasticOptimizer"]


class Optimizer(ABC):
    """The settings of an optimizer; what changes during training belongs to the caller.

    Examples
    --------
    >>> from skmlp import MLPRegressor
    >>> from skmlp.optimizers import SGD
    >>> MLPRegressor(solver=SGD(momentum=0.5))
    MLPRegressor(solver=SGD(momentum=0.5, nesterovs_momentum=True))
    """

    @property
    @abstractmethod
    def stochastic(self):
        """Whether it steps along gradients of minibatches; if not, it works on all rows at once.

        A class attribute of the leaves. What is stochastic is a `StochasticOptimizer`.
        """


class StochasticOptimizer(Optimizer, ABC):
    """An optimizer that makes one step per minibatch, elementwise, for all members at once.

    Attributes
    ----------
    scale_free : bool
        Whether steps stay as they are when all gradients are multiplied by a constant.
    fused : str or None
        What compiled steps, which make all passes in one call, know the rule as. It counts only for
        the class that sets it, as subclasses may do something else.

    Examples
    --------
    Descent along the signs of the gradient, which needs no state.

    >>> import numpy as np
    >>> from skmlp import MLPRegressor
    >>> from skmlp.optimizers import StochasticOptimizer
    >>> class SignDescent(StochasticOptimizer):
    ...     scale_free = True
    ...     def init(self, theta):
    ...         return []
    ...     def step(self, theta, grad, state, lr, t, scale=1.0):
    ...         theta -= lr * np.sign(grad)
    >>> solver, theta = SignDescent(), np.array([[1.0, 2.0]])
    >>> solver.step(theta, np.array([[0.3, -7.0]]), solver.init(theta), lr=0.5, t=1)
    >>> theta
    array([[0.5, 2.5]])
    >>> model = MLPRegressor(solver=SignDescent())
    """

    stochastic = True
    scale_free = False
    fused = None

    @abstractmethod
    def init(self, theta):
        """Return the state before the first step.

        Parameters
        ----------
        theta : ndarray of shape (members, n_parameters)
            Read for its shape and dtype only.

        Returns
        -------
        state : list of ndarray of shape (members, n_parameters)
            As many as `step` needs; empty for a rule without memory.
        """

    @abstractmethod
    def step(self, theta, grad, state, lr, t, scale=1.0):
        """Update `theta` and `state` in place; the values of `grad` are lost.

        Parameters
        ----------
        theta, grad : ndarray of shape (members, n_parameters)
            Parameters of every member, and the derivatives of its loss by them.
        state : list of ndarray
            From `init`.
        lr : float or ndarray that broadcasts against theta
            The learning rate. An array should have theta's dtype.
        t : int
            Number of this step, from 1.
        scale : float or ndarray that broadcasts against theta
            The gradient that counts is ``scale * grad``.
        """


@dataclass(frozen=True)
class SGD(StochasticOptimizer):
    """Stochastic gradient descent with momentum: v <- momentum * v - lr * g, theta <- theta + v.

    Polyak (1964); with `nesterovs_momentum` theta <- theta + momentum * v - lr * g, the form of
    Nesterov's (1983) method in Sutskever et al. (2013). Both are scikit-learn's.

    Parameters
    ----------
    momentum : float, default=0.9
        From 0 to 1; 0 is plain descent.
    nesterovs_momentum : bool, default=True
        Whether the new v already counts in this step; of no account without momentum.

    Raises
    ------
    ValueError
        For a `momentum` outside [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.optimizers import SGD
    >>> solver, theta = SGD(momentum=0.0), np.array([[1.0, 2.0]])
    >>> solver.step(theta, np.array([[1.0, -1.0]]), solver.init(theta), lr=0.5, t=1)
    >>> theta
    array([[0.5, 2.5]])
    """

    momentum: float = 0.9
    nesterovs_momentum: bool = True

    def __post_init__(self):
        if not 0.0 <= self.momentum <= 1.0:
            raise ValueError(f"momentum must lie in [0, 1], got {self.momentum!r}.")

    def init(self, theta):
        return [np.zeros_like(theta)] if self.momentum else []

    def step(self, theta, grad, state, lr, t, scale=1.0):
        for block in by_blocks(theta, grad, lr, scale, *state):
            self._step(*block)

    def _step(self, theta, grad, lr, scale, velocity=None):
        multiply(grad, -1.0, lr, scale)
        if not self.momentum:
            np.add(theta, grad, out=theta)
            return
        # The state is momentum * v, which is all that either form reads of the past.
        np.add(velocity, grad, out=velocity)
        if self.nesterovs_momentum:
            np.multiply(velocity, self.momentum, out=velocity)
            np.add(grad, velocity, out=grad)
            np.add(theta, grad, out=theta)
        else:
            np.add(theta, velocity, out=theta)
            np.multiply(velocity, self.momentum, out=velocity)


@dataclass(frozen=True)
class Adam(StochasticOptimizer):
    """Adaptive moments: theta <- theta - lr_t * m / (sqrt(v) + epsilon).

    m <- beta_1 * m + (1 - beta_1) * g, v <- beta_2 * v + (1 - beta_2) * g^2 and
    lr_t = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t). Kingma and Ba (2015), in the form that ends
    section 2, which is also scikit-learn's.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Decay of the mean m of gradients, in [0, 1).
    beta_2 : float, default=0.999
        Decay of the mean v of their squares, in [0, 1).
    epsilon : float, default=1e-8
        Positive, so that nothing is divided by zero.

    Raises
    ------
    ValueError
        For a decay outside [0, 1), or an `epsilon` that is not positive.

    Examples
    --------
    The first step has the length lr, whatever the gradient.

    >>> import numpy as np
    >>> from skmlp.optimizers import Adam
    >>> solver, theta = Adam(), np.array([[1.0, 2.0]])
    >>> solver.step(theta, np.array([[10.0, -0.1]]), solver.init(theta), lr=0.5, t=1)
    >>> theta.round(3)
    array([[0.5, 2.5]])
    """

    scale_free = True
    fused = "adam"

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        _check_decay("beta_1", self.beta_1)
        _check_decay("beta_2", self.beta_2)
        _check_positive("epsilon", self.epsilon)

    def init(self, theta):
        # m / (1 - beta_1) and v / (1 - beta_2), which saves a pass for each; the constants meet in
        # the last multiplication.
        return [np.zeros_like(theta), np.zeros_like(theta)]

    def step(self, theta, grad, state, lr, t, scale=1.0):
        m, v = state
        beta_1, beta_2, epsilon = self.constants
        kernels.adam(theta, grad, m, v, beta_1, beta_2, scale, self.factor(t), lr, epsilon)

    @property
    def constants(self):
        """beta_1, beta_2 and epsilon as kernels take them, for means without their constants."""
        epsilon = self.epsilon / math.sqrt(1.0 - self.beta_2)
        return float(self.beta_1), float(self.beta_2), epsilon

    def factor(self, t):
        """Return the float by which step t multiplies lr, for means without their constants.

        Examples
        --------
        >>> from skmlp.optimizers import Adam
        >>> round(Adam().factor(1), 6)  # m is the gradient g, v its square: the step is lr
        1.0
        """
        correction = math.sqrt(1.0 - self.beta_2**t) / (1.0 - self.beta_1**t)
        return correction * (1.0 - self.beta_1) / math.sqrt(1.0 - self.beta_2)


@dataclass(frozen=True)
class RMSprop(StochasticOptimizer):
    """Steps relative to recent gradients: theta <- theta - lr * g / (sqrt(v_t) + epsilon).

    v <- decay * v + (1 - decay) * g^2 and v_t = v / (1 - decay^t). Tieleman and Hinton (2012),
    lecture 6.5, with the bias correction of Kingma and Ba (2015): without it the first steps would
    be longer than the rest, the first one by the factor (1 - decay) ** -0.5.

    Parameters
    ----------
    decay : float, default=0.9
        Of the mean v of squared gradients, in [0, 1).
    epsilon : float, default=1e-8
        Positive, so that nothing is divided by zero.

    Raises
    ------
    ValueError
        For a `decay` outside [0, 1), or an `epsilon` that is not positive.

    Examples
    --------
    The first step has the length lr, whatever the gradient.

    >>> import numpy as np
    >>> from skmlp.optimizers import RMSprop
    >>> solver, theta = RMSprop(), np.array([[1.0, 2.0]])
    >>> solver.step(theta, np.array([[10.0, -0.1]]), solver.init(theta), lr=0.5, t=1)
    >>> theta.round(3)
    array([[0.5, 2.5]])
    """

    scale_free = True

    decay: float = 0.9
    epsilon: float = 1e-8

    def __post_init__(self):
        _check_decay("decay", self.decay)
        _check_positive("epsilon", self.epsilon)

    def init(self, theta):
        return [np.zeros_like(theta), np.empty_like(theta)]

    def step(self, theta, grad, state, lr, t, scale=1.0):
        factor = math.sqrt((1.0 - self.decay) / (1.0 - self.decay**t))
        for block in by_blocks(theta, grad, lr, scale, *state):
            self._step(*block, factor)

    def _step(self, theta, grad, lr, scale, v, root, factor):
        # As in Adam, the state holds v / (1 - decay); its second array is scratch.
        multiply(grad, 1.0, scale)
        np.multiply(grad, grad, out=root)
        np.multiply(v, self.decay, out=v)
        np.add(v, root, out=v)
        np.sqrt(v, out=root)
        np.add(root, self.epsilon / factor, out=root)
        np.divide(grad, root, out=grad)
        multiply(grad, 1.0 / factor, lr)
        np.subtract(theta, grad, out=theta)


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """The limited-memory quasi-Newton method of Liu and Nocedal (1989), on all rows at once.

    Parameters
    ----------
    max_fun : int, default=15000
        Largest number of evaluations of the objective.

    Examples
    --------
    >>> from skmlp import MLPRegressor
    >>> from skmlp.optimizers import LBFGS
    >>> MLPRegressor(solver=LBFGS(max_fun=100))
    MLPRegressor(solver=LBFGS(max_fun=100))
    """

    max_fun: int = 15000

    stochastic = False


def _check_decay(name, value):
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must lie in [0, 1), got {value!r}.")


def _check_positive(name, value):
    if not value > 0.0:
        raise ValueError(f"{name} must be positive, got {value!r}.")


OPTIMIZERS = {"adam": Adam, "sgd": SGD, "rmsprop": RMSprop, "lbfgs": LBFGS}
