"""The estimators."""

from ._autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer
from ._density import DensityRegressor
from ._hypernetwork import HypernetworkClassifier, HypernetworkRegressor
from ._mlp import MLPClassifier, MLPRegressor

__all__ = [
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "DensityRegressor",
    "HypernetworkClassifier",
    "HypernetworkRegressor",
    "MLPClassifier",
    "MLPRegressor",
]
