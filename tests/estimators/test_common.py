"""scikit-learn's own checks, on both estimators as they are constructed by default."""

import os

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from skmlp import MLPClassifier, MLPRegressor


def checks():
    """Pairs of estimator and check, with names that pytest can show.

    The array API check does nothing unless SciPy's switch was set before the start of Python.
    """
    for estimator in (MLPRegressor(), MLPClassifier()):
        for instance, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name == "check_array_api_input" and not os.environ.get("SCIPY_ARRAY_API"):
                continue
            options = ",".join(f"{key}={value}" for key, value in check.keywords.items())
            yield pytest.param(instance, check, id=f"{check.args[0]}-{name}({options})")


# The checks fit random numbers with few iterations.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator, check", list(checks()))
def test_common_checks(estimator, check):
    check(estimator)


def test_the_checks_are_all_there():
    assert len(list(checks())) > 100
