"""The only file that imports private scikit-learn names; everything else takes them from here.

All names below exist with the same signatures in every supported version (1.6 and later).
"""

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import validate_data

__all__ = [
    "Interval",
    "Options",
    "StrOptions",
    "_fit_context",
    "validate_data",
]
