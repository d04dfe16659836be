"""Raw y to what a network learns: scaling of targets, which its last layer undoes."""

from abc import ABC, abstractmethod

import numpy as np


class TargetScaling(ABC):
    """How a kind of loss sees y, and how its last layer speaks in y's units.

    Parameters
    ----------
    shift, scale : ndarray of shape (n_targets,)
    """

    # Targets whose scale stands for one not known yet, since they have been constant so far.
    placeholders = False

    def __init__(self, shift=0.0, scale=1.0):
        self.shift, self.scale = shift, scale

    def seen_from(self, new):
        """This scaling with the scales of `new` in place of placeholders."""
        return type(self)(self.shift, np.where(self.placeholders, new.scale, self.scale))

    # Whether the statistics are moments of y, and whether they follow further rows.
    has_moments = True
    moves = True

    @classmethod
    @abstractmethod
    def of(cls, moments, features):
        """Scaling from the moments of y, or from the FeatureScaling of X."""

    def encode(self, y):
        """y in the network's units."""
        return (y - self.shift) / self.scale

    def decode(self, prediction):
        """A prediction in y's units."""
        return prediction * self.scale + self.shift

    def fold(self, loss, weight, bias):
        """The last layer whose raw outputs are for y in its own units."""
        return _rescaled(weight, bias, *loss.units(self.shift, self.scale))

    def unfold(self, loss, weight, bias):
        """Inverse of `fold`."""
        return _rescaled(weight, bias, *loss.units(-self.shift / self.scale, 1.0 / self.scale))


def _rescaled(weight, bias, factor, offset):
    return weight * factor, bias * factor + offset


class PlainTarget(TargetScaling):
    """y as it is."""

    has_moments = False

    @classmethod
    def of(cls, moments, features):
        return cls()

    def encode(self, y):
        return y

    def decode(self, prediction):
        return prediction

    def fold(self, loss, weight, bias):
        return weight, bias

    unfold = fold


class AffineTarget(TargetScaling):
    """(y - mean) / sd, for losses of a difference."""

    @classmethod
    def of(cls, moments, features):
        target = cls(moments.mean, moments.scale())
        target.placeholders = moments.constant()
        return target


class FixedTarget(AffineTarget):
    """The same with the statistics of the first call, where raw outputs cannot follow others."""

    moves = False


class CommonTarget(AffineTarget):
    """(y - mean) / sd with one sd for all targets, so that their units stay comparable."""

    @classmethod
    def of(cls, moments, features):
        constant = moments.constant()
        variance = np.mean(np.where(constant, 0.0, moments.deviation / moments.weight))
        scale = 1.0 if constant.all() else np.sqrt(variance)
        target = cls(moments.mean, np.full_like(moments.mean, scale))
        target.placeholders = constant.all()
        return target


class RatioTarget(TargetScaling):
    """y / mean, for losses of a ratio, whose raw output is a logarithm."""

    @classmethod
    def of(cls, moments, features):
        return cls(0.0 * moments.mean, moments.mean)


class FeatureTarget(AffineTarget):
    """Rows of X, scaled as the network sees them; its outputs are in the same units."""

    has_moments = False

    @classmethod
    def of(cls, moments, features):
        shift = 0.0 if features.shift is None else features.shift
        target = cls(shift, 1.0 if features.scale is None else features.scale)
        target.placeholders = features.placeholders()
        target.features = features
        return target

    def decode(self, prediction):
        return self.features.inverse(prediction)


TARGET_SCALINGS = {
    "affine": AffineTarget,
    "fixed": FixedTarget,
    "common": CommonTarget,
    "scale": RatioTarget,
    "none": PlainTarget,
    "features": FeatureTarget,
}
