"""The only file that imports private scikit-learn names; everything else takes them from here.

All names below exist with the same signatures in every supported version (1.6 and later), but for
the callbacks of scikit-learn 1.9, which are experimental there.
"""

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import validate_data

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9

    class CallbackSupportMixin:
        """Stands for scikit-learn's mixin of the same name: no callbacks."""


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "_fit_context",
    "open_callbacks",
    "validate_data",
]


def open_callbacks(estimator, max_subtasks):
    """Context of scikit-learn's callbacks for a fit, None when there are none.

    `_fit_context` closes it.
    """
    if not hasattr(estimator, "_skl_callbacks"):
        return None
    return estimator._init_callback_context(max_subtasks=max_subtasks)
