"""How the time of an epoch grows with rows, width and depth: slopes in log-log coordinates."""

from dataclasses import dataclass

import numpy as np
from _speed import CONTESTANTS, available, limited, measure, taking_part
from _tables import MarkdownTable
from _workloads import Workload

WORK = 40_000_000  # multiply-adds of a forward pass that a measured fit should have at least


@dataclass(frozen=True)
class Family:
    """Workloads that differ in one number only."""

    name: str
    sizes: tuple
    n_rows: int = 4000
    width: int = 100
    depth: int = 1
    n_features: int = 64

    def workload(self, size):
        """The member of this size."""
        numbers = {"rows": self.n_rows, "width": self.width, "depth": self.depth}
        numbers |= {self.name: size}
        hidden = (numbers["width"],) * numbers["depth"]
        shape = Workload(numbers["rows"], self.n_features, hidden, 10, batch_size=200, epochs=1)
        weights = sum(a * b for a, b in zip(shape.sizes[:-1], shape.sizes[1:], strict=True))
        epochs = -(-WORK // (weights * shape.n_rows))
        return Workload(shape.n_rows, self.n_features, hidden, 10, batch_size=200, epochs=epochs)


FAMILIES = (
    Family("rows", (1000, 2000, 4000, 8000, 16000, 32000, 64000)),
    Family("width", (16, 32, 64, 128, 256, 512, 1024), depth=2),
    Family("depth", (1, 2, 4, 8, 16)),
)
QUICK = 3  # sizes of each that --quick takes


def slope(sizes, seconds):
    """Of log seconds over log sizes, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def last_slope(sizes, seconds):
    """Between the two largest sizes."""
    return slope(sizes[-2:], seconds[-2:])


def medians(family, sizes, names, args, worker):
    """Median seconds of an epoch by contestant, one for each size."""
    found = {name: [] for name in names}
    for size in sizes:
        workload = family.workload(size)
        contestants = taking_part(names, workload, worker)
        for name, values in measure(contestants, workload, args.dtype, args.repeats).items():
            found[name].append(np.median(values))
    return found


def draw(path, results):
    """A panel for each family: milliseconds over sizes, both logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(10, 3.2), layout="constrained")
    for panel, (family, sizes, found) in zip(axes, results, strict=True):
        for name, seconds in found.items():
            panel.loglog(sizes, 1000 * np.array(seconds), "o-", label=name, markersize=3)
        panel.set_xlabel(family.name)
        panel.set_xticks(sizes, [f"{size:g}" for size in sizes], fontsize="x-small")
        panel.minorticks_off()
    axes[0].set_ylabel("milliseconds of an epoch")
    axes[0].legend(fontsize="small")
    figure.savefig(path)
    plt.close(figure)


def scaling(args):
    """Print a table for each family, and draw the figure."""
    results = []
    names = available() if args.peers else available(*CONTESTANTS)
    with limited(args.threads, names) as worker:
        for family in FAMILIES:
            sizes = family.sizes[:QUICK] if args.quick else family.sizes
            found = medians(family, sizes, names, args, worker)
            results.append((family, sizes, found))
            columns = (f"{size}" for size in sizes)
            table = MarkdownTable((family.name, *columns, "slope", "last slope"), 16)
            print(f"\n{table.head()}", flush=True)
            for name, seconds in found.items():
                cells = (f"{1000 * value:.2f}" for value in seconds)
                slopes = (f"{rule(sizes, seconds):.2f}" for rule in (slope, last_slope))
                print(table.row(name, *cells, *slopes), flush=True)
    if args.figure:
        draw(args.figure, results)
    print(NOTES.format(threads=args.threads, dtype=args.dtype))


NOTES = """
Milliseconds of an epoch: medians of the repeats, the contestants taking turns, {threads} thread(s),
{dtype}. Slopes are those of log seconds over log size: of all sizes by least squares, and between
the last two; 1 is proportional. rows: 64-100-10; width: 4000 rows, two hidden layers, whose
products grow with the square of the width, 64 features; depth: 4000 rows, layers of 100 units."""
