"""What all tests share."""

import pytest

from skmlp._engine import state


@pytest.fixture(autouse=True)
def no_earlier_interrupt(monkeypatch):
    """A second Ctrl-C within a second is raised; those of one test are not the other's."""
    monkeypatch.setitem(state._interrupts, "last", float("-inf"))
