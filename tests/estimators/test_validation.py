"""Sample weights are checked in the same way under every supported scikit-learn."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from skmlp.estimators._validation import check_sample_weight


@pytest.mark.parametrize(
    "X", [3, np.int64(3), np.zeros((3, 2)), [[1], [2], [3]], csr_array((3, 2))]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_none_and_numbers_fill(X, dtype):
    for given, expected in [(None, 1), (2, 2), (0.5, 0.5), (np.float32(0.5), 0.5)]:
        weight = check_sample_weight(given, X, dtype)
        assert weight.dtype == dtype
        np.testing.assert_array_equal(weight, np.full(3, expected))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, pd.array])
def test_array_likes(container, dtype):
    weight = check_sample_weight(container([0, 1, 3]), 3, dtype)
    assert type(weight) is np.ndarray
    assert weight.dtype == dtype
    np.testing.assert_array_equal(weight, [0, 1, 3])


def test_default_dtype_and_input_untouched():
    given = np.array([1, 2, 0], dtype=np.float32)
    given.flags.writeable = False
    weight = check_sample_weight(given, 3)
    assert weight.dtype == np.float64
    np.testing.assert_array_equal(weight, given)


@pytest.mark.parametrize(
    "given", [np.ones(6), np.ones((3, 2)), np.ones((3, 1)), np.ones((1, 1, 3)), [], [[1, 1, 1]]]
)
def test_wrong_shapes(given):
    shape = re.escape(str(np.shape(given)))
    with pytest.raises(ValueError, match=rf"sample_weight must be .*\(3,\).* got shape {shape}"):
        check_sample_weight(given, 3)


def test_negative_weights_say_where():
    with pytest.raises(ValueError, match="sample_weight must not be negative; got -2 at row 1"):
        check_sample_weight([1, -2, -3], 3)
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        check_sample_weight(-1.0, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, None])
def test_not_finite(bad):
    with pytest.raises(ValueError, match="sample_weight contains (NaN|infinity)"):
        check_sample_weight([1, bad, 1], 3)


def test_numbers_not_finite():
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        check_sample_weight(np.nan, 3)


def test_too_large_for_the_dtype():
    with pytest.raises(ValueError, match="sample_weight contains infinity"):
        check_sample_weight([1, 1e300, 1], 3, np.float32)
    with pytest.raises(ValueError, match="sample_weight contains infinity"):
        check_sample_weight(1e300, 3, np.float32)


@pytest.mark.parametrize("given", [0, 0.0, [0, 0, 0], False])
def test_all_zero(given):
    # scikit-learn's common check looks for "weight" and "zero" in one line.
    with pytest.raises(ValueError, match=r"(.*weight.*zero.*)|(.*zero.*weight.*)"):
        check_sample_weight(given, 3)


def test_sum_of_rounded_weights_may_not_vanish():
    with pytest.raises(ValueError, match="all 3 are zero .in float32."):
        check_sample_weight([1e-60, 1e-60, 0], 3, np.float32)


def test_other_types_are_refused_by_name():
    with pytest.raises(TypeError, match="sample_weight"):
        check_sample_weight(csr_array(np.ones((3, 1))), 3)
