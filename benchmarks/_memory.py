"""How much memory a fit takes: of an array in memory, and of one that is mapped from disk."""

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from _children import LINUX_ONLY, MEGABYTE, can_observe, observe
from _tables import MarkdownTable

import skmlp

N_CLASSES, HIDDEN, BATCH_SIZE, EPOCHS = 10, (100,), 200, 2
FEATURES = 500  # of arrays in memory
MAPPED_FEATURES = 1024  # an image of 32 x 32
MAPPED_BYTES = 2**30
BYTES, QUICK_BYTES = 2**29, 2**27  # of arrays in memory, in float64
QUICK_MAPPED_BYTES = 2**28 + 2**20  # skmlp treats maps up to 2**28 bytes like arrays in memory
BAR_COPY, BAR_MAPPED = 50, 300  # MB beyond a scaled copy of X; MB of a process that reads a map
WRITTEN_ROWS = 4096  # at a time


def estimator(early_stopping):
    """Two epochs, validated or not."""
    return skmlp.MLPClassifier(
        HIDDEN,
        batch_size=BATCH_SIZE,
        max_iter=EPOCHS,
        tol=0.0,
        n_iter_no_change=np.inf,
        early_stopping=early_stopping,
        random_state=0,
    )


def labels(n):
    """Class numbers in turn."""
    return np.arange(n) % N_CLASSES


def noise(rng, shape, dtype):
    """Standard normal numbers, or any bytes."""
    if np.issubdtype(dtype, np.floating):
        return rng.standard_normal(shape, dtype=dtype)
    return rng.integers(256, size=shape, dtype=dtype)


def array_in_memory(n, dtype):
    """X of a caller."""
    return noise(np.random.default_rng(0), (n, FEATURES), np.dtype(dtype))


def write_map(path, n, dtype):
    """Write an .npy file of n rows, a few at a time."""
    X = np.lib.format.open_memmap(path, "w+", dtype, (n, MAPPED_FEATURES))
    rng = np.random.default_rng(0)
    for start in range(0, n, WRITTEN_ROWS):
        part = X[start : start + WRITTEN_ROWS]
        part[:] = noise(rng, part.shape, X.dtype)
    X.flush()


# In the observed process


def fit_of(X, early_stopping):
    """The call whose memory counts; what is loaded once has been loaded before it."""
    estimator(early_stopping).fit(np.array(X[:1000]), labels(len(X[:1000])))
    y = labels(len(X))

    def fit():
        start = perf_counter()
        estimator(early_stopping).fit(X, y)
        return perf_counter() - start

    return fit


def prepare_array(n, dtype, early_stopping):
    """A fit of an array in memory."""
    return fit_of(array_in_memory(n, dtype), early_stopping)


def prepare_map(path, early_stopping):
    """A fit of a mapped array."""
    return fit_of(np.load(path, mmap_mode="r"), early_stopping)


# The tables


def verdict(megabytes, bar):
    """Whether a bar is met."""
    return "met" if megabytes <= bar else "missed"


def in_memory(args):
    """Print a row for each dtype, with and without validation."""
    titles = (
        "X",
        "dtype",
        "early stopping",
        "X, MB",
        "beyond X, MB",
        "beyond copy, MB",
        "bar",
        "s",
    )
    table = MarkdownTable(titles)
    print(f"Arrays in memory\n\n{table.head()}", flush=True)
    n = args.rows or (QUICK_BYTES if args.quick else BYTES) // (8 * FEATURES)
    for dtype in ("float32", "float64"):
        for early_stopping in (False, True):
            found = observe(prepare_array, n, dtype, early_stopping)
            size = n * FEATURES * np.dtype(dtype).itemsize / MEGABYTE
            beyond = found.growth - size
            cells = (f"{size:.0f}", f"{found.growth:.0f}", f"{beyond:.0f}")
            last = (verdict(beyond, BAR_COPY), f"{found.result:.1f}")
            name = f"{n}x{FEATURES}"
            print(table.row(name, dtype, f"{early_stopping}", *cells, *last), flush=True)


def mapped(args):
    """Print a row for each dtype; the file is written to the directory of temporary files."""
    titles = ("X", "dtype", "file, MB", "before, MB", "peak, MB", "fit, MB", "bar", "s")
    table = MarkdownTable(titles)
    print(f"\nA mapped array, early stopping on\n\n{table.head()}", flush=True)
    for dtype in ("float32", "float64", "uint8"):
        row = MAPPED_FEATURES * np.dtype(dtype).itemsize
        n = args.rows or (QUICK_MAPPED_BYTES if args.quick else MAPPED_BYTES) // row
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "X.npy"
            write_map(path, n, dtype)
            found = observe(prepare_map, path, True)
        numbers = (n * row / MEGABYTE, found.before, found.peak, found.growth)
        cells = (*(f"{number:.0f}" for number in numbers), verdict(found.peak, BAR_MAPPED))
        name = f"{n}x{MAPPED_FEATURES}"
        print(table.row(name, dtype, *cells, f"{found.result:.1f}"), flush=True)


def memory(args):
    """Print both tables."""
    if not can_observe():
        print(LINUX_ONLY)
        return
    in_memory(args)
    mapped(args)
    print(NOTES)


NOTES = f"""
Anonymous resident memory (RssAnon of /proc) of a process of its own with one thread, looked at
every 2 ms: pages of mapped files, the page cache, do not count. {EPOCHS} epochs, batches of
{BATCH_SIZE}, {HIDDEN[0]} hidden units, {N_CLASSES} classes, default scaling, compiled kernels where
Numba is installed; a small fit has loaded before what is loaded once. In memory, "beyond X" is the
peak beyond what was there before the fit, X included, and "beyond copy" is that without the scaled
copy of X; the bar is {BAR_COPY} MB for it. Of a mapped array, "peak" is all of the process, "fit"
what the fit has added; the bar is {BAR_MAPPED} MB for the peak. s: seconds of the fit."""
