"""Figures of fitted estimators, by the conventions of scikit-learn's displays.

A display is made by a classmethod, `from_estimator`, `from_predictions` or `from_embedding`, which
computes what is shown, and draws it. `plot` draws it once more, in another way or on other axes.
Estimators may be inside a Pipeline or a fitted search. Drawing needs matplotlib:
``pip install skmlp[plot]``.
"""

from ._calibration import PITDisplay, QuantileCalibrationDisplay
from ._density import DensityDisplay
from ._embedding import EmbeddingDisplay
from ._loss import LossCurveDisplay
from ._network import NetworkDisplay
from ._reconstruction import ReconstructionDisplay

__all__ = [
    "DensityDisplay",
    "EmbeddingDisplay",
    "LossCurveDisplay",
    "NetworkDisplay",
    "PITDisplay",
    "QuantileCalibrationDisplay",
    "ReconstructionDisplay",
]
