"""The neural-network suite that scikit-learn does not have."""

from ._show_versions import show_versions
from ._version import __version__ as __version__
from .estimators import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    DensityRegressor,
    HypernetworkClassifier,
    HypernetworkRegressor,
    MLPClassifier,
    MLPRegressor,
)

__all__ = [
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "DensityRegressor",
    "HypernetworkClassifier",
    "HypernetworkRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "show_versions",
]
