"""The few passes that small steps consist of, by NumPy or compiled; whole steps, only compiled.

``kernels.adam(...)`` is NumPy's version, or one compiled by Numba where that is installed (``pip
install skmlp[accel]``). Which it is gets decided here and nowhere else, when the first of them is
asked for; the environment variable SKMLP_COMPILED=0 decides for NumPy.
"""

import os
import warnings
from importlib.util import find_spec

from .plain import KERNELS as PLAIN

__all__ = ["available", "in_use", "use"]

_state = {"compiled": False}


def available():
    """Whether there is something to compile with."""
    return find_spec("numba") is not None


def in_use():
    """Whether kernels are, or will be, compiled ones."""
    return _state["compiled"] if "adam" in globals() else _wanted()


def use(compiled):
    """Take the compiled versions of all kernels, or those of NumPy, from now on."""
    functions = dict(PLAIN)
    if compiled:
        # Numba takes a while to load.
        from .compiled import KERNELS
        from .fused import KERNELS as STEPS

        functions |= KERNELS | STEPS
    _state["compiled"] = compiled
    globals().update(functions)


def _wanted():
    return os.environ.get("SKMLP_COMPILED", "1") != "0" and available()


def __getattr__(name):
    # Only before the first choice: then all kernels are plain names of this module.
    if name not in PLAIN:
        raise AttributeError(f"module {__name__!r} has no kernel {name!r}")
    try:
        use(_wanted())
    except Exception as error:
        # Nobody asked for it, and NumPy's kernels do the same.
        warnings.warn(
            f"Numba is installed but does not work ({type(error).__name__}: {error}); training "
            "goes on without compiled kernels. SKMLP_COMPILED=0 in the environment silences this.",
            RuntimeWarning,
            stacklevel=2,
        )
        use(False)
    return globals()[name]
