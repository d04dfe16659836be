"""The price of several starts trained together: n_init beside a single fit."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from _speed import limited, measure, milliseconds, own_kinds, ratio
from _tables import MarkdownTable
from _workloads import Workload, digits

SMALL = Workload(2000, 8, (50, 50), 1, batch_size=32, epochs=10, is_classification=False)
BIG = Workload(5000, 784, (1024, 1024), 10, batch_size=256, epochs=1)
STARTS = (1, 4, 8, 16)
N = 8  # starts that the bars are for


@dataclass(frozen=True)
class Case:
    """A workload, the numbers of starts worth timing, and the bar for eight of them."""

    workload: Workload
    starts: tuple
    bar: float


CASES = (
    Case(SMALL, STARTS, 3.5),
    Case(digits(batch_size=32, epochs=10), STARTS, 4.5),
    Case(digits(batch_size=200, epochs=20), STARTS, 6.5),
    Case(BIG, (1, N), float(N)),
)


def contestants(kind, starts):
    """Fits with so many starts, by their number."""
    return {n: partial(kind, n_init=n) for n in starts}


def cells(seconds, case):
    """Time of one fit, ratios of the others to it, the bar and whether it is met, as text."""
    ratios = [ratio(seconds, n, 1) for n in STARTS[1:]]
    met = np.median(seconds[N]) <= case.bar * np.median(seconds[1])
    return [milliseconds(seconds[1]), *ratios, f"{case.bar}", "met" if met else "missed"]


def starts(args):
    """Print a row per workload, kernels, dtype and number of threads."""
    titles = ("workload", "batch", f"{'kernels':>14}", "dtype", "threads", f"{'one fit, ms':>20}")
    ratios = (f"{n} starts /" for n in STARTS[1:])
    table = MarkdownTable((*titles, *ratios, f"bar for {N}", "met"), 24)
    print(table.head(), flush=True)
    for threads in args.threads:
        with limited(threads):
            for case in CASES[:-1] if args.quick else CASES:
                workload = case.workload
                for dtype in args.dtype:
                    for name, kind in own_kinds().items():
                        found = contestants(kind, case.starts)
                        seconds = measure(found, workload, dtype, args.repeats)
                        first = (f"{workload.batch_size}", name, dtype, f"{threads}")
                        print(table.row(workload.name, *first, *cells(seconds, case)), flush=True)
    print(NOTES)


NOTES = f"""
Milliseconds of an epoch of one fit, median (quartiles) of the repeats, and how many times as long
an epoch with n_init=4, 8, 16 takes: ratios of medians, the fits taking turns. All make the same
epochs; the starts share their batches. An epoch is the difference of fits of 2k and k epochs over
k. No scaling. Bars for {N} starts: 3.5 for 8-50-50-1 in batches of 32, 4.5 for digits in batches of
32, 6.5 in batches of 200, and for a big network the {N} that as many separate fits take."""
