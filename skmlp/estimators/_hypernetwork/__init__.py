"""HypernetworkRegressor and HypernetworkClassifier."""

from ._classifier import HypernetworkClassifier
from ._regressor import HypernetworkRegressor

__all__ = ["HypernetworkClassifier", "HypernetworkRegressor"]
