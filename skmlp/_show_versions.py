"""What a bug report needs to know of an installation."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from . import _kernels
from ._version import __version__

PACKAGES = ("numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl")
OPTIONAL = ("numba", "pandas", "polars", "matplotlib", "rich")

# Kernels of OpenBLAS that use 512 bits at a time.
WIDE = ("SkylakeX", "Cooperlake", "SapphireRapids")


def show_versions():
    """Print the versions of skmlp and of what it builds on, the BLAS in use and its threads.

    Examples
    --------
    >>> from skmlp import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    System
    ...
    """
    sections = {
        "System": {
            "python": sys.version.replace("\n", " "),
            "executable": sys.executable,
            "machine": platform.platform(),
            "processors": os.cpu_count(),
        },
        "Packages": {
            "skmlp": __version__,
            **{name: _version(name) for name in (*PACKAGES, *OPTIONAL)},
        },
        "Thread pools": dict(_thread_pools()),
        "Speed": dict(_speed()),
    }
    print("\n\n".join(_section(title, facts) for title, facts in sections.items()))


def _section(title, facts):
    return "\n".join([title, *(f"{name:>14}: {value}" for name, value in facts.items())])


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _pools():
    # Their libraries are loaded only now, with NumPy's and SciPy's.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    return threadpool_info()


def _thread_pools():
    for number, pool in enumerate(_pools(), start=1):
        architecture = pool.get("architecture", "unknown architecture")
        yield (
            f"{number} {pool['internal_api']}",
            f"{pool['num_threads']} threads, {architecture}, version {pool.get('version')}, "
            f"{pool['filepath']}",
        )


def _speed():
    """What makes training faster than it is."""
    yield "kernels", "compiled" if _kernels.in_use() else "NumPy's; pip install skmlp[accel]"
    hint = blas_hint(_pools(), _processor_flags())
    if hint:
        yield "hint", hint


def blas_hint(pools, flags):
    """Advice when OpenBLAS leaves instructions of the processor unused, or None.

    Parameters
    ----------
    pools : list of dict
        What `threadpoolctl.threadpool_info` returns.
    flags : set of str
        Features of the processor, in the words of Linux.
    """
    names = {pool.get("architecture") for pool in pools if pool["internal_api"] == "openblas"}
    narrow = sorted(filter(None, names - set(WIDE)))
    if "avx512f" not in flags or not narrow:
        return None
    return (
        f"OpenBLAS uses its kernel {narrow[0]}, which ignores the AVX-512 of this processor. Try "
        "OPENBLAS_CORETYPE=SkylakeX before Python starts: matrix products may take half the time."
    )


def _processor_flags():
    """Features of the processor; empty where there is no /proc/cpuinfo."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return set()
    return set(flags.split())
