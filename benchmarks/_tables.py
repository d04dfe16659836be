"""What stands around and in a printed table: Markdown, means, versions and the command."""

import os
import platform
import shlex
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy import stats
from threadpoolctl import threadpool_info

import skmlp

OPTIONAL = ("numba", "torch", "jax")


@dataclass(frozen=True)
class MarkdownTable:
    """Lines of a Markdown table, aligned so that they read well as plain text too.

    Each line is made by itself, so that a long run can print a row as soon as it is known.
    """

    titles: tuple
    name_width: int = 14
    cell_width: int = 7

    def head(self):
        """The titles and the rule below them; the first column is flush left, the rest right."""
        widths = self._widths()
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        return f"{self.row(*self.titles)}\n| {' | '.join(rule)} |"

    def row(self, *cells):
        """One line; as many cells as titles."""
        name, *rest = (
            f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(cells, self._widths(), strict=True))
        )
        return f"| {' | '.join([name, *rest])} |"

    def _widths(self):
        first, *rest = map(len, self.titles)
        return [max(first, self.name_width), *(max(width, self.cell_width) for width in rest)]


def geometric_mean(ratios):
    """exp(mean(log(ratios))); ratios > 0."""
    return float(np.exp(np.mean(np.log(ratios))))


def interval(values):
    """Mean and half the width of the 95 % t-interval of a few independent values."""
    values = np.asarray(values, float)
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * error)


def installed(*modules):
    """Whether all modules can be imported, as far as one can tell without importing them."""
    return all(find_spec(module) is not None for module in modules)


def command(arguments, directory=None):
    """The command line that was typed, with ``DIR`` for this machine's data directory."""
    words = ["python", "benchmarks/run.py"]
    for argument in arguments:
        option, sign, value = argument.partition("=")
        if directory is not None and argument == directory:
            argument = "DIR"
        elif directory is not None and sign and value == directory:
            argument = f"{option}=DIR"
        words.append(argument)
    return shlex.join(words)


def thread_pools():
    """Libraries with threads of their own as sentences, BLAS first and each once."""
    pools = sorted(threadpool_info(), key=lambda pool: pool["user_api"])
    sentences = [
        " ".join(
            filter(
                None,
                [
                    pool["user_api"],
                    Path(pool["filepath"]).name.split("-")[0].split(".")[0],
                    pool["version"],
                    pool.get("architecture"),
                    f"{pool['num_threads']} threads",
                ],
            )
        )
        for pool in pools
    ]
    return list(dict.fromkeys(sentences))


def processor():
    """What the processor calls itself, where Linux tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def environment():
    """Versions, machine and threads: two lines."""
    versions = {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "skmlp": skmlp.__version__,
    }
    versions |= {name: version(name) for name in OPTIONAL if installed(name)}
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, {processor()}"
    return (
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}; {machine}\n"
        f"Thread pools: {'; '.join(thread_pools())}"
    )


def preamble(arguments, directory=None):
    """The command, the versions and the threads that a table needs to be believed."""
    return f"    {command(arguments, directory)}\n\n{environment()}\n"
