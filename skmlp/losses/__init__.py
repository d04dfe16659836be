"""Losses: what a network's raw outputs cost, row by row, and the derivative they learn from."""

from ._base import ElementwiseLoss, Interval, Loss
from ._classification import (
    BinaryLogLoss,
    ClassificationLoss,
    CrammerSinger,
    Hinge,
    LogLoss,
    MarginLoss,
    SoftmaxLogLoss,
    WestonWatkins,
)
from ._quantiles import weighted_quantile
from ._regression import (
    AbsoluteError,
    Gamma,
    Huber,
    LogCosh,
    LogMeanLoss,
    Poisson,
    Quantile,
    SquaredError,
)

__all__ = [
    "CLASSIFICATION_LOSSES",
    "RECONSTRUCTION_LOSSES",
    "REGRESSION_LOSSES",
    "AbsoluteError",
    "BinaryLogLoss",
    "ClassificationLoss",
    "CrammerSinger",
    "ElementwiseLoss",
    "Gamma",
    "Hinge",
    "Huber",
    "Interval",
    "LogCosh",
    "LogLoss",
    "LogMeanLoss",
    "Loss",
    "MarginLoss",
    "Poisson",
    "Quantile",
    "SoftmaxLogLoss",
    "SquaredError",
    "WestonWatkins",
    "weighted_quantile",
]

REGRESSION_LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "quantile": Quantile,
    "log_cosh": LogCosh,
    "poisson": Poisson,
    "gamma": Gamma,
}

# Of rows that are their own targets.
RECONSTRUCTION_LOSSES = {"squared_error": SquaredError, "log_loss": BinaryLogLoss}

CLASSIFICATION_LOSSES = {
    "log_loss": {
        "binary": BinaryLogLoss,
        "multiclass": SoftmaxLogLoss,
        "multilabel": BinaryLogLoss,
    },
    "hinge": {"binary": Hinge},
    "crammer_singer": {"binary": Hinge, "multiclass": CrammerSinger},
    "weston_watkins": {"binary": Hinge, "multiclass": WestonWatkins},
}
