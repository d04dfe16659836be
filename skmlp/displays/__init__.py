"""Figures of fitted estimators, by the conventions of scikit-learn's displays.

A display is made by a classmethod, `from_estimator` or `from_predictions`, which computes what is
shown, and draws it. `plot` draws it once more, in another way or on other axes. Estimators may be
inside a Pipeline or a fitted search. Drawing needs matplotlib: ``pip install skmlp[plot]``.
"""

from ._calibration import PITDisplay, QuantileCalibrationDisplay
from ._density import DensityDisplay

__all__ = ["DensityDisplay", "PITDisplay", "QuantileCalibrationDisplay"]
