"""DensityRegressor and the calibration of its distributions."""

from ._regressor import DensityRegressor

__all__ = ["DensityRegressor"]
