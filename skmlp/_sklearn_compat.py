"""The only file that imports private scikit-learn names; everything else takes them from here.

All names below exist with the same signatures in every supported version (1.6 and later), but for
the callbacks of scikit-learn 1.9, which are experimental there.
"""

from sklearn.base import _fit_context
from sklearn.utils._indexing import _get_column_indices, _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_container_adapter
from sklearn.utils.validation import _num_samples as num_samples
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
    "LinkedToDocs",
    "Options",
    "StrOptions",
    "_fit_context",
    "_get_column_indices",
    "_safe_indexing",
    "as_table",
    "num_samples",
    "open_callbacks",
    "validate_data",
]


# Where the site is, as docs/conf.py makes it.
SITE = "https://skmlp.readthedocs.io/en/stable"


class LinkedToDocs:
    """What links the HTML representation of an estimator to its page; before `BaseEstimator`."""

    _doc_link_module = "skmlp"
    _doc_link_template = SITE + "/reference/skmlp.{estimator_name}.html"


def open_callbacks(estimator, max_subtasks):
    """Context of scikit-learn's callbacks for a fit and the estimator, None when there are none.

    `_fit_context` closes it.
    """
    if not hasattr(estimator, "_skl_callbacks"):
        return None
    return estimator._init_callback_context(max_subtasks=max_subtasks), estimator


def as_table(values, like, columns, estimator):
    """`values` as the DataFrame that `set_output` of the estimator or the configuration asks for.

    Without such a wish they become a DataFrame of the library of `like`, if it is one.
    """
    adapter = _get_container_adapter("transform", estimator)
    if adapter is None:
        adapter = ADAPTERS_MANAGER.adapters.get(type(like).__module__.split(".")[0])
        if adapter is None or not adapter.is_supported_container(like):
            return values
    return adapter.create_container(values, like, columns=columns)
