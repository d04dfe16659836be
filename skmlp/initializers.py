"""Distributions of the parameters that training starts from."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

__all__ = [
    "INITIALIZERS",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LecunNormal",
]


class Initializer(ABC):
    """Draws the weights and biases of one dense layer, in float64.

    ``gain`` is the following activation's: the factor by which the weights make good what the
    activation takes from the signal.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp import MLPRegressor
    >>> from skmlp.initializers import Initializer
    >>> class Small(Initializer):
    ...     def weights(self, rng, fan_in, fan_out, gain):
    ...         return rng.normal(0.0, 0.01, (fan_in, fan_out))
    >>> Small().weights(np.random.default_rng(0), 3, 2, gain=1.0).shape
    (3, 2)
    >>> model = MLPRegressor(init=Small())
    """

    @abstractmethod
    def weights(self, rng, fan_in, fan_out, gain):
        """Draw weights.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of the draws.
        fan_in, fan_out : int
            Numbers of inputs and units.
        gain : float
            Factor of the following activation, see `Initializer`.

        Returns
        -------
        weights : ndarray of shape (fan_in, fan_out)
            In float64.
        """

    def biases(self, rng, fan_in, fan_out, gain):
        """Draw biases, zeros unless a subclass says otherwise; parameters as of `weights`.

        Returns
        -------
        biases : ndarray of shape (fan_out,)
            In float64.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.initializers import HeNormal
        >>> HeNormal().biases(np.random.default_rng(0), fan_in=3, fan_out=2, gain=1.0)
        array([0., 0.])
        """
        return np.zeros(fan_out)


@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """Weights and biases from U(-l, l), l = gain * sqrt(6 / (fan_in + fan_out)).

    Glorot and Bengio (2010). That the biases come from the same interval is scikit-learn's rule.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.initializers import GlorotUniform
    >>> weights = GlorotUniform().weights(np.random.default_rng(0), 100, 100, gain=1.0)
    >>> weights.std().round(2).item()  # sqrt(2 / 200)
    0.1
    """

    def weights(self, rng, fan_in, fan_out, gain):
        limit = gain * math.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-limit, limit, (fan_in, fan_out))

    def biases(self, rng, fan_in, fan_out, gain):
        limit = gain * math.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-limit, limit, fan_out)


@dataclass(frozen=True)
class GlorotNormal(Initializer):
    """Weights from N(0, s^2), s = gain * sqrt(2 / (fan_in + fan_out)); biases 0.

    Glorot and Bengio (2010), with the variance of their uniform distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.initializers import GlorotNormal
    >>> weights = GlorotNormal().weights(np.random.default_rng(0), 100, 100, gain=1.0)
    >>> weights.std().round(2).item()  # sqrt(2 / 200)
    0.1
    """

    def weights(self, rng, fan_in, fan_out, gain):
        return rng.normal(0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), (fan_in, fan_out))


@dataclass(frozen=True)
class HeUniform(Initializer):
    """Weights from U(-l, l), l = gain * sqrt(3 / fan_in); biases from U(-c, c), c = fan_in ** -0.5.

    The weights have the variance gain^2 / fan_in of He et al. (2015). Their zero biases would put
    the kinks of all relu units of a first layer at the origin; these put them inside the data.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.initializers import HeUniform
    >>> weights = HeUniform().weights(np.random.default_rng(0), 100, 100, gain=2**0.5)
    >>> weights.std().round(2).item()  # sqrt(2 / 100)
    0.14
    """

    def weights(self, rng, fan_in, fan_out, gain):
        limit = gain * math.sqrt(3.0 / fan_in)
        return rng.uniform(-limit, limit, (fan_in, fan_out))

    def biases(self, rng, fan_in, fan_out, gain):
        limit = math.sqrt(1.0 / fan_in)
        return rng.uniform(-limit, limit, fan_out)


@dataclass(frozen=True)
class HeNormal(Initializer):
    """Weights from N(0, gain^2 / fan_in); biases 0.

    He et al. (2015), "Delving deep into rectifiers".

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.initializers import HeNormal
    >>> weights = HeNormal().weights(np.random.default_rng(0), 100, 100, gain=2**0.5)
    >>> weights.std().round(2).item()  # sqrt(2 / 100)
    0.14
    """

    def weights(self, rng, fan_in, fan_out, gain):
        return rng.normal(0.0, gain / math.sqrt(fan_in), (fan_in, fan_out))


@dataclass(frozen=True)
class LecunNormal(Initializer):
    """Weights from N(0, 1 / fan_in) whatever the gain; biases 0.

    LeCun et al. (1998), "Efficient BackProp"; what selu was made for (Klambauer et al., 2017).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.initializers import LecunNormal
    >>> weights = LecunNormal().weights(np.random.default_rng(0), 100, 100, gain=2**0.5)
    >>> weights.std().round(2).item()  # sqrt(1 / 100)
    0.1
    """

    def weights(self, rng, fan_in, fan_out, gain):
        return rng.normal(0.0, math.sqrt(1.0 / fan_in), (fan_in, fan_out))


INITIALIZERS = {
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_normal": LecunNormal,
}
