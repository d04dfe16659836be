"""scikit-learn's own checks, on both estimators by default, with restarts, and watched."""

import os
from itertools import product

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from skmlp import MLPClassifier, MLPRegressor

SETTINGS = (
    {},
    {"n_init": 3},
    {"n_init": 2, "combine_inits": "average"},
    {"early_stopping": True},
    {"dtype": "float32"},
)


# What the checks demand of a model that computes in float32 although X is float64.
ROUNDING = "compares two orders of summation to 1e-7, which is the rounding of float32"
BEYOND_FLOAT32 = {
    "check_sample_weight_equivalence_on_dense_data": ROUNDING,
    "check_sample_weight_equivalence_on_sparse_data": ROUNDING,
    "check_regressor_multioutput": "wants float64 predictions, but dtype names that of the output",
}


def checks():
    """Pairs of estimator and check, with names that pytest can show.

    The array API check does nothing unless SciPy's switch was set before the start of Python.
    """
    for cls, settings in product((MLPRegressor, MLPClassifier), SETTINGS):
        for instance, check in estimator_checks_generator(cls(**settings)):
            name = check.func.__name__
            if name == "check_array_api_input" and not os.environ.get("SCIPY_ARRAY_API"):
                continue
            options = ",".join(f"{key}={value}" for key, value in check.keywords.items())
            label = "".join(f"{key}={value}-" for key, value in settings.items())
            marks = ()
            if "dtype" in settings and name in BEYOND_FLOAT32:
                marks = pytest.mark.xfail(reason=BEYOND_FLOAT32[name], strict=True)
            label = f"{check.args[0]}-{label}{name}({options})"
            yield pytest.param(instance, check, id=label, marks=marks)


# The checks fit random numbers with few iterations; some have classes of one row.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Classes with a single row:UserWarning")
@pytest.mark.parametrize("estimator, check", list(checks()))
def test_common_checks(estimator, check):
    check(estimator)


def test_the_checks_are_all_there():
    assert len(list(checks())) > 100 * len(SETTINGS)
