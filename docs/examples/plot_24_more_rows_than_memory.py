"""
More rows than memory: files, chunks, and what a stream forgets
===============================================================

What a fit takes beyond its data depends on how they come. An array is scaled into a copy, a file is
read batch by batch, and `partial_fit` sees one chunk at a time. The price of a stream is that there
is no way back: what came early and does not come again is forgotten.
"""

# %%
# Memory is the peak of what Python and NumPy allocate during one epoch. X itself does not count,
# nor does the file, which is mapped. A fit before the first measurement leaves out what is made
# only once.

import tempfile
import tracemalloc
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skmlp import MLPRegressor

N_FEATURES, CHUNK = 64, 4096
rng = np.random.default_rng(0)
settings = {"hidden_layer_sizes": (32,), "batch_size": 1024, "random_state": 0}
once = {"learning_rate": "cosine", "max_iter": 1, **settings}


def peak(run):
    """Megabytes that a function has allocated at most."""
    tracemalloc.start()
    run()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def in_chunks(X, y):
    model = MLPRegressor(**settings)
    for start in range(0, len(X), CHUNK):
        rows = slice(start, start + CHUNK)
        model.partial_fit(X[rows], y[rows])


def peaks(X, path):
    """Peak of each way to fit to the rows of X."""
    np.save(path, X)
    y = X[:, 0] + X[:, 1] ** 2
    mapped, single = np.load(path, mmap_mode="r"), X.astype(np.float32)
    return {
        "array, float64": peak(lambda: MLPRegressor(**once).fit(X, y)),
        "array, float32": peak(lambda: MLPRegressor(**once).fit(single, y)),
        "mapped file": peak(lambda: MLPRegressor(**once).fit(mapped, y)),
        f"chunks of {CHUNK} rows": peak(lambda: in_chunks(mapped, y)),
    }


numbers = 2 ** np.arange(12, 18)
everything = rng.normal(size=(numbers[-1], N_FEATURES))
with tempfile.TemporaryDirectory() as folder:
    peaks(everything[:CHUNK], Path(folder) / "first.npy")
    found = [peaks(everything[:n], Path(folder) / f"{n}.npy") for n in numbers]
memory = {way: [row[way] for row in found] for way in found[0]}
for way, values in memory.items():
    print(f"{way:20} {values[-1]:3.0f} MB")

# %%
# A stream of 60 chunks. The error on the next chunk, before it is learned, costs nothing and is an
# honest test error, as long as the rows come in random order. Sorted by a feature they do not: the
# next chunk is near the last one, so its error is small, while the network has forgotten what it
# knew about the others.

A, A_test = rng.uniform(-2, 2, (30_000, 4)), rng.uniform(-2, 2, (3000, 4))


def target(A):
    return np.sin(3 * A[:, 0]) + A[:, 1] * A[:, 2] + rng.normal(0, 0.2, len(A))


b, b_test = target(A), target(A_test)


def error(model, A, b):
    return np.sqrt(np.mean((model.predict(A) - b) ** 2))


def stream(order):
    """Errors on the next chunk, and on rows of all kinds, after each chunk."""
    model = MLPRegressor(
        hidden_layer_sizes=(64,), learning_rate_init=0.005, batch_size=25, random_state=0
    )
    ahead, everywhere, chunks = [], [], np.array_split(order, 60)
    for rows, following in zip(chunks, [*chunks[1:], None], strict=True):
        model.partial_fit(A[rows], b[rows])
        everywhere.append(error(model, A_test, b_test))
        ahead.append(np.nan if following is None else error(model, A[following], b[following]))
    return ahead, everywhere


figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
for (way, values), colour in zip(
    memory.items(), ("#c2504a", "#e0925a", "#3b6ea5", "#5c9a68"), strict=True
):
    axes[0].loglog(numbers, values, "o-", color=colour, markersize=4, label=way)
size = numbers * N_FEATURES * 8 / 1e6
axes[0].loglog(numbers, size, "--", color="0.6", linewidth=1, label="X itself, float64")
axes[0].set(title="What one epoch allocates", xlabel="rows of 64 features", ylabel="MB")
axes[0].minorticks_off()
axes[0].set_xticks(numbers, numbers)
axes[0].set_yticks([2, 5, 10, 20, 50], [2, 5, 10, 20, 50])
axes[0].legend(fontsize=8)

orders = {"random order": np.arange(len(A)), "sorted by a feature": np.argsort(A[:, 0])}
for (name, order), colour in zip(orders.items(), ("#3b6ea5", "#c2504a"), strict=True):
    ahead, everywhere = stream(order)
    seen = np.arange(1, 61) * len(A) // 60
    axes[1].semilogy(
        seen, everywhere, color=colour, linewidth=2, label=f"{name}: all kinds of rows"
    )
    axes[1].plot(seen, ahead, ".", color=colour, markersize=4, label=f"{name}: the next chunk")
axes[1].axhline(0.2, color="0.35", linestyle="--", linewidth=1)
axes[1].annotate(
    "noise", (len(A), 0.2), xytext=(0, 3), textcoords="offset points", ha="right", fontsize=8
)
axes[1].set(title="A stream of 60 chunks", xlabel="rows seen", ylabel="root mean squared error")
axes[1].legend(fontsize=8)
plt.show()
