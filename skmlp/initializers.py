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
    """

    @abstractmethod
    def weights(self, rng, fan_in, fan_out, gain):
        """Return an array of shape (fan_in, fan_out)."""

    def biases(self, rng, fan_in, fan_out, gain):
        """Return an array of shape (fan_out,), zeros unless a leaf says otherwise."""
        return np.zeros(fan_out)


@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """Weights and biases from U(-l, l), l = gain * sqrt(6 / (fan_in + fan_out)).

    Glorot and Bengio (2010). That the biases come from the same interval is scikit-learn's rule.
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
    """

    def weights(self, rng, fan_in, fan_out, gain):
        return rng.normal(0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), (fan_in, fan_out))


@dataclass(frozen=True)
class HeUniform(Initializer):
    """Weights from U(-l, l), l = gain * sqrt(3 / fan_in); biases from U(-c, c), c = fan_in ** -0.5.

    The weights have the variance gain^2 / fan_in of He et al. (2015). Their zero biases would put
    the kinks of all relu units of a first layer at the origin; these put them inside the data.
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
    """

    def weights(self, rng, fan_in, fan_out, gain):
        return rng.normal(0.0, gain / math.sqrt(fan_in), (fan_in, fan_out))


@dataclass(frozen=True)
class LecunNormal(Initializer):
    """Weights from N(0, 1 / fan_in) whatever the gain; biases 0.

    LeCun et al. (1998), "Efficient BackProp"; what selu was made for (Klambauer et al., 2017).
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
