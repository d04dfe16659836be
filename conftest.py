"""What tests and the examples in docstrings share."""

import sys

import pytest


@pytest.fixture(autouse=True)
def no_figures_left():
    """Examples of displays leave their figures open, and matplotlib warns of the 21st."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
