"""The estimators."""

from ._autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer
from ._density import DensityRegressor
from ._mlp import MLPClassifier, MLPRegressor

__all__ = [
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "DensityRegressor",
    "MLPClassifier",
    "MLPRegressor",
]
