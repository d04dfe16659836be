"""Methods that exist with some parameters only."""

from functools import update_wrapper
from types import MethodType


class Unavailable(AttributeError, ValueError):
    """A method that these parameters rule out: `hasattr` says no, and a call names the remedy."""


class available_with:
    """Decorator: the method exists where `check(estimator)` raises no `Unavailable`.

    Other than scikit-learn's `available_if` it keeps the message of the check.
    """

    def __init__(self, check):
        self.check = check

    def __call__(self, method):
        self.method = method
        update_wrapper(self, method)
        return self

    def __get__(self, estimator, owner=None):
        if estimator is None:
            return self.method
        self.check(estimator)
        return MethodType(self.method, estimator)
