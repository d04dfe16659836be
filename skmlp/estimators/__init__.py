"""The estimators."""

from ._autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer
from ._mlp import MLPClassifier, MLPRegressor

__all__ = [
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "MLPClassifier",
    "MLPRegressor",
]
