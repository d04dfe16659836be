"""What a bug report needs to know of an installation."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from ._version import __version__

PACKAGES = ("numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl")
OPTIONAL = ("pandas", "polars", "matplotlib", "rich")


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
    }
    print("\n\n".join(_section(title, facts) for title, facts in sections.items()))


def _section(title, facts):
    return "\n".join([title, *(f"{name:>14}: {value}" for name, value in facts.items())])


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _thread_pools():
    # Their libraries are loaded only now, with NumPy's and SciPy's.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    for number, pool in enumerate(threadpool_info(), start=1):
        architecture = pool.get("architecture", "unknown architecture")
        yield (
            f"{number} {pool['internal_api']}",
            f"{pool['num_threads']} threads, {architecture}, version {pool.get('version')}, "
            f"{pool['filepath']}",
        )
