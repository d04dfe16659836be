"""Calls in fresh processes, and the resident memory that they take."""

import sys
import warnings
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

MEGABYTE = 2**20
INTERVAL = 0.002  # seconds between two looks at the memory of a child
LINUX_ONLY = "Memory is skipped: resident memory is read from /proc, which only Linux has."


@dataclass(frozen=True)
class Observed:
    """What a call returned, and the anonymous resident memory before it and at its peak, in MB."""

    result: object
    before: float
    peak: float

    @property
    def growth(self):
        """Megabytes that the call took beyond what was there."""
        return self.peak - self.before


def can_observe():
    """Whether this system tells what is needed."""
    return sys.platform == "linux"


def anonymous(pid):
    """Megabytes of memory that belong to no file, so that mapped arrays do not count."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / MEGABYTE
    raise RuntimeError(f"/proc/{pid}/status has no line RssAnon; it came with Linux 4.5.")


def observe(prepare, *arguments, threads=1):
    """Run ``prepare(*arguments)()`` in a fresh process and watch the second call only.

    `prepare` is a function of a module; what it returns may be anything callable.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_child, args=(theirs, threads, prepare, *arguments))
    child.start()
    theirs.close()  # so that the end of the child is the end of the pipe
    try:
        ours.recv()
        before = peak = anonymous(child.pid)
        ours.send("go")
        while not ours.poll(INTERVAL):
            peak = max(peak, anonymous(child.pid))
        return Observed(ours.recv(), before, peak)
    except EOFError:
        raise RuntimeError(f"{prepare.__name__}{arguments} failed in its process") from None
    finally:
        child.kill()
        child.join()


def _child(pipe, threads, prepare, *arguments):
    with threadpool_limits(limits=threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs are what was asked for
        call = prepare(*arguments)
        pipe.send("ready")
        pipe.recv()
        pipe.send(call())
        pipe.recv()  # a process that ends frees its memory
