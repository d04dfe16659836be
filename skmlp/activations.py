"""Element-wise functions between the layers of a network, with first and second derivatives."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import ndtr

from . import _kernels as kernels

__all__ = ["ACTIVATIONS", "Activation", "LearnedActivation"]  # and the registry's classes


class Activation(ABC):
    """A function f applied to every entry of an array z; a stands for f(z).

    Arrays have shape (members, rows, width) and results keep their dtype. ``work(key, shape,
    dtype)`` returns an uninitialised array that belongs to the caller, so that no method but
    `curvature` allocates. Extreme inputs (1e4 in absolute value) give finite results.

    Attributes
    ----------
    needs_input : bool
        Whether `backward` and `curvature` read z. If not, ``out`` of `forward` may be z itself.
    trainable : bool
        Whether gradients say anything.
    piecewise_linear : bool
        Whether f'' is zero almost everywhere.
    gain : float
        Initial weights of standard deviation ``gain / sqrt(fan_in)`` keep the signal's scale. For
        functions that are odd, or nearly linear around 0, this is 1 / f'(0) (Glorot and Bengio,
        2010); for relu and its relatives it is ``E[f(Z)^2] ** -0.5`` with Z standard normal, which
        is the condition of He et al. (2015).
    fused : str or None
        What compiled steps, which make all passes in one call, know the function as. It counts only
        for the class that sets it, as subclasses may do something else.
    default_init, default_gain : str, float
        The initializer and the gain that ``init="auto"`` stands for in a layer followed by this
        activation. Glorot's rule as it is, scikit-learn's, gave lower errors than the gains above
        on tables: 8 % against He's on five of regression, 3 % on seven of classification.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.activations import Activation
    >>> class Square(Activation):
    ...     needs_input = True
    ...     def forward(self, z, out, work):
    ...         np.multiply(z, z, out=out)
    ...     def backward(self, z, a, grad, work):
    ...         grad *= z
    ...         grad *= 2.0
    ...     def curvature(self, z, a):
    ...         return np.full_like(z, 2.0)
    >>> Square().derivative([3.0])
    array([6.])
    """

    needs_input = False
    trainable = True
    piecewise_linear = False
    gain = 1.0
    fused = None
    default_init = "glorot_uniform"
    default_gain = 1.0
    _constants = ()  # what forward and backward take after work, in the convenience methods

    def n_slopes(self, width):
        """Return the number of learned slopes of a layer of ``width`` units, an int.

        Examples
        --------
        >>> from skmlp.activations import PReLU, ReLU
        >>> ReLU().n_slopes(10), PReLU().n_slopes(10)  # prelu: one for the whole layer
        (0, 1)
        """
        return 0

    @abstractmethod
    def forward(self, z, out, work):
        """Write f(z) to ``out``.

        Parameters
        ----------
        z : ndarray of shape (members, rows, width)
            Values to apply f to.
        out : ndarray of the shape of z
            May be z itself unless `needs_input`.
        work : callable
            ``work(key, shape, dtype)`` lends an array.
        """

    @abstractmethod
    def backward(self, z, a, grad, work):
        """Multiply ``grad`` by f'(z) in place.

        Parameters
        ----------
        z, a : ndarray of shape (members, rows, width)
            Input and output of `forward`; z holds anything unless `needs_input`.
        grad : ndarray of the shape of z
            Derivatives of the loss with respect to a; afterwards to z.
        work : callable
            ``work(key, shape, dtype)`` lends an array.
        """

    @abstractmethod
    def curvature(self, z, a):
        """Return f''(z) as a new array of the shape of z, or None if f is piecewise linear."""

    @final
    def __call__(self, z):
        """Return f(z).

        Parameters
        ----------
        z : array-like
            Of any shape.

        Returns
        -------
        a : ndarray of the shape of z
            New; float64 unless z is float32.
        """
        z = _as_float_array(z)
        out = np.empty_like(z)
        self.forward(z, out, _new_array, *self._constants)
        return out

    @final
    def derivative(self, z):
        """Return f'(z).

        Parameters
        ----------
        z : array-like
            Of any shape.

        Returns
        -------
        slope : ndarray of the shape of z
            New; float64 unless z is float32.

        Examples
        --------
        >>> from skmlp.activations import ReLU
        >>> ReLU().derivative([-2.0, 3.0])
        array([0., 1.])
        """
        z = _as_float_array(z)
        out = np.ones_like(z)
        self.backward(z, self(z), out, _new_array, *self._constants)
        return out


class LearnedActivation(Activation, ABC):
    """An activation with slopes that are trained with the weights.

    `forward`, `backward` and `curvature` take one more argument ``slope``, the last, which
    broadcasts against z: (members, 1, 1) or (members, 1, width). The convenience methods use the
    initial slope.

    Attributes
    ----------
    initial_slope : float
        What every slope starts from.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.activations import PReLU
    >>> z, out = np.array([[[-2.0, 3.0]]]), np.empty((1, 1, 2))
    >>> PReLU().slope_grad(z, np.ones_like(z), out)
    >>> out
    array([[[-2.,  0.]]])
    """

    @property
    def _constants(self):
        return (self.initial_slope,)

    @abstractmethod
    def n_slopes(self, width):
        """Return the number of slopes of a layer of ``width`` units, an int."""

    @abstractmethod
    def slope_grad(self, z, grad, out):
        """Write grad * df/dslope to ``out``, elementwise: the layer adds up what shares a slope.

        Parameters
        ----------
        z, grad, out : ndarray of shape (members, rows, width)
            ``grad`` is the derivative of the loss with respect to f(z).
        """

    @abstractmethod
    def slope_curvature(self, z, grad, out):
        """Write grad * d2f/(dz dslope) to ``out``, elementwise; shapes as in `slope_grad`."""


class _PiecewiseLinear(Activation, ABC):
    """An activation without curvature."""

    piecewise_linear = True

    def curvature(self, z, a):
        return None


class _Smooth(Activation, ABC):
    """An activation whose derivative is written to an array first."""

    @abstractmethod
    def slope(self, z, a, out, work):
        """Write f'(z) to ``out``, which is neither z nor a."""

    def backward(self, z, a, grad, work):
        out = work("activation.slope", a.shape, a.dtype)
        self.slope(z, a, out, work)
        grad *= out


class _ExponentialLinear(_Smooth, ABC):
    """f(z) = scale * z for z > 0, scale * alpha * (exp(z) - 1) otherwise."""

    scale = 1.0

    def forward(self, z, out, work):
        below = work("activation.0", z.shape, z.dtype)
        np.expm1(np.minimum(z, 0.0, out=below), out=below)
        below *= self.scale * self.alpha
        np.multiply(np.maximum(z, 0.0, out=out), self.scale, out=out)
        out += below

    def slope(self, z, a, out, work):
        """Write a + scale * alpha for a <= 0, scale otherwise.

        For a > 0 the minimum leaves scale * alpha, and the mask makes it scale.

        Examples
        --------
        >>> from skmlp.activations import ELU
        >>> ELU().derivative([3.0, 0.0, -100.0]).round(2)  # written by `slope`
        array([1., 1., 0.])
        """
        np.minimum(a, 0.0, out=out)
        out += self.scale * self.alpha
        if self.alpha != 1.0:
            above = np.greater(a, 0.0, out=work("activation.0", a.shape, a.dtype))
            above *= self.scale * (1.0 - self.alpha)
            out += above

    def curvature(self, z, a):
        return (a + self.scale * self.alpha) * (a <= 0.0)


@dataclass(frozen=True)
class Identity(_PiecewiseLinear):
    """No transformation: f(z) = z.

    Examples
    --------
    >>> from skmlp.activations import Identity
    >>> Identity()([-2.0, 3.0])
    array([-2.,  3.])
    """

    fused = "identity"

    def forward(self, z, out, work):
        if out is not z:
            np.copyto(out, z)

    def backward(self, z, a, grad, work):
        pass


@dataclass(frozen=True)
class Logistic(Activation):
    """The sigmoid function: f(z) = 1 / (1 + exp(-z)).

    Rumelhart, Hinton and Williams (1986). The gain is 1 / f'(0) = 4, as Glorot and Bengio (2010)
    and Bengio (2012, "Practical recommendations") advise.

    Examples
    --------
    >>> from skmlp.activations import Logistic
    >>> Logistic()([-2.0, 0.0, 2.0]).round(3)
    array([0.119, 0.5  , 0.881])
    """

    gain = 4.0
    default_gain = 2.0  # two hidden layers start too flat with 1, and saturated with 4

    def forward(self, z, out, work):
        _logistic(z, out)

    def backward(self, z, a, grad, work):
        kernels.logistic_backward(grad, a, work)

    def curvature(self, z, a):
        return a * (1.0 - a) * (1.0 - 2.0 * a)


@dataclass(frozen=True)
class Tanh(Activation):
    """The hyperbolic tangent: f(z) = tanh(z).

    LeCun et al. (1998), "Efficient BackProp". The gain is 1 / f'(0) = 1 (Glorot and Bengio, 2010).

    Examples
    --------
    >>> from skmlp.activations import Tanh
    >>> Tanh()([-1.0, 0.0, 1.0]).round(3)
    array([-0.762,  0.   ,  0.762])
    """

    def forward(self, z, out, work):
        """Write tanh(z), for float64 as 1 - 2 / (1 + exp(2 z)).

        Where NumPy has no vector code for the tanh of float64, this takes half its time. The
        absolute error is of the order of 1e-16.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.activations import Tanh
        >>> z = np.array([[[0.0, -100.0]]])  # members, rows, width
        >>> Tanh().forward(z, z, lambda key, *array: np.empty(*array))  # in place
        >>> z
        array([[[ 0., -1.]]])
        """
        if z.dtype == np.float32:
            np.tanh(z, out=out)
            return
        np.multiply(z, 2.0, out=out)
        with np.errstate(over="ignore"):  # 1 - 2 / (1 + inf) is the right limit
            np.exp(out, out=out)
        out += 1.0
        np.subtract(1.0, np.divide(2.0, out, out=out), out=out)

    def backward(self, z, a, grad, work):
        kernels.tanh_backward(grad, a, work)

    def curvature(self, z, a):
        return -2.0 * a * (1.0 - a * a)


@dataclass(frozen=True)
class ReLU(_PiecewiseLinear):
    """The rectified linear unit: f(z) = max(z, 0), with f'(0) = 0.

    Glorot, Bordes and Bengio (2011); gain sqrt(2) by He et al. (2015).

    Examples
    --------
    >>> from skmlp.activations import ReLU
    >>> ReLU()([-2.0, 3.0])
    array([0., 3.])
    """

    gain = math.sqrt(2.0)
    fused = "relu"

    def forward(self, z, out, work):
        kernels.relu(out, z, work)

    def backward(self, z, a, grad, work):
        kernels.relu_backward(grad, a, work)


@dataclass(frozen=True)
class LeakyReLU(_PiecewiseLinear):
    """A rectified linear unit that leaks: f(z) = max(z, negative_slope * z).

    Maas, Hannun and Ng (2013); gain sqrt(2 / (1 + negative_slope^2)) by He et al. (2015).

    Parameters
    ----------
    negative_slope : float, default=0.01
        From 0, relu, to 1, no transformation.

    Raises
    ------
    ValueError
        For a `negative_slope` outside [0, 1].

    Examples
    --------
    >>> from skmlp.activations import LeakyReLU
    >>> LeakyReLU(0.1)([-2.0, 3.0])
    array([-0.2,  3. ])
    """

    negative_slope: float = 0.01

    def __post_init__(self):
        if not 0.0 <= self.negative_slope <= 1.0:
            raise ValueError(f"negative_slope must lie in [0, 1], got {self.negative_slope!r}.")

    @property
    def gain(self):
        return math.sqrt(2.0 / (1.0 + self.negative_slope**2))

    def forward(self, z, out, work):
        leak = work("activation.0", z.shape, z.dtype)
        np.maximum(z, np.multiply(z, self.negative_slope, out=leak), out=out)

    def backward(self, z, a, grad, work):
        slope = np.greater(a, 0.0, out=work("activation.0", a.shape, a.dtype))
        grad *= np.maximum(slope, self.negative_slope, out=slope)


@dataclass(frozen=True)
class PReLU(LearnedActivation):
    """A leaky unit that learns its leak: f(z) = max(z, 0) + slope * min(z, 0).

    He et al. (2015), "Delving deep into rectifiers", whose 0.25 is the default.

    Parameters
    ----------
    initial_slope : float, default=0.25
        What every slope starts from.
    per_unit : bool, default=False
        Whether each unit has a slope of its own; if not, the layer has one.

    Examples
    --------
    >>> from skmlp.activations import PReLU
    >>> PReLU()([-2.0, 3.0])
    array([-0.5,  3. ])
    >>> PReLU(per_unit=True).n_slopes(100)
    100
    """

    initial_slope: float = 0.25
    per_unit: bool = False
    needs_input = True
    piecewise_linear = True

    @property
    def gain(self):
        return math.sqrt(2.0 / (1.0 + self.initial_slope**2))

    def n_slopes(self, width):
        return width if self.per_unit else 1

    def forward(self, z, out, work, slope):
        np.multiply(np.minimum(z, 0.0, out=out), slope, out=out)
        out += np.maximum(z, 0.0, out=work("activation.0", z.shape, z.dtype))

    def backward(self, z, a, grad, work, slope):
        factor = np.less_equal(z, 0.0, out=work("activation.0", z.shape, z.dtype))
        factor *= slope - 1.0
        factor += 1.0
        grad *= factor

    def curvature(self, z, a, slope):
        return None

    def slope_grad(self, z, grad, out):
        np.multiply(np.minimum(z, 0.0, out=out), grad, out=out)

    def slope_curvature(self, z, grad, out):
        np.multiply(np.less_equal(z, 0.0, out=out), grad, out=out)


@dataclass(frozen=True)
class ELU(_ExponentialLinear):
    """The exponential linear unit: f(z) = z for z > 0, alpha * (exp(z) - 1) otherwise.

    Clevert, Unterthiner and Hochreiter (2016); the gain is E[f(Z)^2] ** -0.5.

    Parameters
    ----------
    alpha : float, default=1.0
        At least 0; f falls towards -alpha.

    Raises
    ------
    ValueError
        For a negative `alpha`.

    Examples
    --------
    >>> from skmlp.activations import ELU
    >>> ELU()([-1.0, 2.0]).round(3)
    array([-0.632,  2.   ])
    """

    alpha: float = 1.0

    def __post_init__(self):
        if not self.alpha >= 0.0:
            raise ValueError(f"alpha must be at least 0, got {self.alpha!r}.")

    @property
    def gain(self):
        """By completing the square in E[(exp(Z) - 1)^2; Z < 0]."""
        below = math.exp(2.0) * ndtr(-2.0) - 2.0 * math.exp(0.5) * ndtr(-1.0) + 0.5
        return float((0.5 + self.alpha**2 * below) ** -0.5)


@dataclass(frozen=True)
class SELU(_ExponentialLinear):
    """The self-normalising unit: an elu times `scale`, with a fixed `alpha`.

    f(z) = scale * z for z > 0, scale * alpha * (exp(z) - 1) otherwise. Klambauer et al. (2017):
    the two constants give outputs of mean 0 and variance 1 for standard normal z, hence the gain 1.

    Examples
    --------
    >>> from skmlp.activations import SELU
    >>> SELU()([-1.0, 1.0]).round(3)
    array([-1.111,  1.051])
    """

    scale = 1.0507009873554805
    alpha = 1.6732632423543772
    default_init = "lecun_normal"


@dataclass(frozen=True)
class Softplus(_Smooth):
    """The smooth rectifier: f(z) = log(1 + exp(z)).

    Dugas et al. (2001); the gain is E[f(Z)^2] ** -0.5.

    Examples
    --------
    >>> from skmlp.activations import Softplus
    >>> Softplus()([-2.0, 0.0, 2.0]).round(3)
    array([0.127, 0.693, 2.127])
    """

    needs_input = True
    gain = 1.0418668355353016

    def forward(self, z, out, work):
        rest = np.abs(z, out=work("activation.0", z.shape, z.dtype))
        np.log1p(np.exp(np.negative(rest, out=rest), out=rest), out=rest)
        np.add(np.maximum(z, 0.0, out=out), rest, out=out)

    def slope(self, z, a, out, work):
        _logistic(z, out)

    def curvature(self, z, a):
        gate = _logistic(z, np.empty_like(z))
        return gate * (1.0 - gate)


@dataclass(frozen=True)
class GELU(_Smooth):
    """The Gaussian error linear unit: f(z) = z * Phi(z), Phi the standard normal distribution.

    Hendrycks and Gimpel (2016), exact form; the gain is E[f(Z)^2] ** -0.5.

    Examples
    --------
    >>> from skmlp.activations import GELU
    >>> GELU()([-1.0, 1.0]).round(3)
    array([-0.159,  0.841])
    """

    needs_input = True
    gain = 1.533530441195535

    def forward(self, z, out, work):
        np.multiply(ndtr(z, out=out), z, out=out)

    def slope(self, z, a, out, work):
        np.multiply(_normal_density(z, out), z, out=out)
        out += ndtr(z, out=work("activation.0", z.shape, z.dtype))

    def curvature(self, z, a):
        return _normal_density(z, np.empty_like(z)) * (2.0 - z * z)


@dataclass(frozen=True)
class SiLU(_Smooth):
    """The sigmoid-weighted linear unit, also swish: f(z) = z / (1 + exp(-z)).

    Elfwing, Uchibe and Doya (2018); the gain is E[f(Z)^2] ** -0.5.

    Examples
    --------
    >>> from skmlp.activations import SiLU
    >>> SiLU()([-1.0, 1.0]).round(3)
    array([-0.269,  0.731])
    """

    needs_input = True
    gain = 1.676532470331091

    def forward(self, z, out, work):
        np.multiply(_logistic(z, out), z, out=out)

    def slope(self, z, a, out, work):
        """Write (1 - a) * s + a, where s is the sigmoid of z.

        Examples
        --------
        >>> from skmlp.activations import SiLU
        >>> SiLU().derivative([0.0, 10.0]).round(2)  # written by `slope`
        array([0.5, 1. ])
        """
        np.subtract(1.0, a, out=out)
        out *= _logistic(z, work("activation.0", z.shape, z.dtype))
        out += a

    def curvature(self, z, a):
        gate = _logistic(z, np.empty_like(z))
        return gate * (1.0 - gate) * (2.0 + z * (1.0 - 2.0 * gate))


@dataclass(frozen=True)
class Mish(_Smooth):
    """A self-gated smooth rectifier: f(z) = z * tanh(log(1 + exp(z))).

    Misra (2020); the gain is E[f(Z)^2] ** -0.5. With e = exp(z) and d = e * (e + 2) + 2 the gate
    is e * (e + 2) / d, and f'(z) = (e + 2 + 4 * z * (1 + e) / d) * e / d.

    Examples
    --------
    >>> from skmlp.activations import Mish
    >>> Mish()([-1.0, 1.0]).round(3)
    array([-0.303,  0.865])
    """

    needs_input = True
    gain = 1.486847581273208

    def forward(self, z, out, work):
        kernels.mish(out, z, _exp_up_to_40(z, work("activation.0", z.shape, z.dtype)))

    def slope(self, z, a, out, work):
        out.fill(1.0)
        self.backward(z, a, out, work)

    def backward(self, z, a, grad, work):
        e = _exp_up_to_40(z, work("activation.0", z.shape, z.dtype))
        kernels.mish_backward(grad, z, e, work)

    def curvature(self, z, a):
        e = _exp_up_to_40(z, np.empty_like(z))
        n = e * (e + 2.0)
        d = n + 2.0
        # Divided twice by d, because d^2 could overflow in float32.
        gate_slope = 4.0 * (e / d) * ((1.0 + e) / d)
        return gate_slope * (2.0 + z * (1.0 - e / (1.0 + e) * (1.0 + 2.0 * n / d)))


@dataclass(frozen=True)
class Step(_PiecewiseLinear):
    """The threshold of the first neuron models: f(z) = 1 for z >= 0, 0 otherwise.

    McCulloch and Pitts (1943). Its derivative is 0, so it cannot be trained.

    Examples
    --------
    >>> from skmlp.activations import Step
    >>> Step()([-0.5, 0.0, 0.5])
    array([0., 1., 1.])
    """

    trainable = False

    def forward(self, z, out, work):
        np.greater_equal(z, 0.0, out=out)

    def backward(self, z, a, grad, work):
        grad.fill(0.0)


def _as_float_array(z):
    z = np.asarray(z)
    return z if z.dtype in (np.float32, np.float64) else z.astype(np.float64)


def _new_array(key, shape, dtype):
    return np.empty(shape, dtype)


def _logistic(z, out):
    """Write 1 / (1 + exp(-z)) to ``out``, which may be z, and return it."""
    np.negative(z, out=out)
    with np.errstate(over="ignore"):  # 1 / (1 + inf) is the right limit
        np.exp(out, out=out)
    out += 1.0
    return np.reciprocal(out, out=out)


def _normal_density(z, out):
    np.multiply(z, z, out=out)
    np.exp(np.multiply(out, -0.5, out=out), out=out)
    return np.multiply(out, 1.0 / math.sqrt(2.0 * math.pi), out=out)


def _exp_up_to_40(z, out):
    """Write exp(min(z, 40)) to ``out``: from there on mish is z, and exp(80) still fits float32."""
    return np.exp(np.minimum(z, 40.0, out=out), out=out)


ACTIVATIONS = {
    "identity": Identity,
    "logistic": Logistic,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "prelu": PReLU,
    "elu": ELU,
    "selu": SELU,
    "softplus": Softplus,
    "gelu": GELU,
    "silu": SiLU,
    "mish": Mish,
    "step": Step,
}

__all__ += [activation.__name__ for activation in ACTIVATIONS.values()]
