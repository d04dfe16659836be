"""
Sub-tasks that come one after another
=====================================

A network that goes on learning with new data only forgets what it could do. A hypernetwork can be
told not to: for every earlier sub-task it need only go on writing the parameters that it wrote
when that sub-task was finished. Not one row of old data is kept.
"""

# %%
# Three functions on the same interval, so that x alone does not tell them apart. Rows arrive in
# chunks of 200, first all chunks of the first function, then all of the second, then of the third.

import matplotlib.pyplot as plt
import numpy as np

from skmlp import HypernetworkRegressor

FUNCTIONS = {
    "first: x": lambda x: x,
    "second: 2 x² - 1": lambda x: 2 * x**2 - 1,
    "third: 4 x³ - 3 x": lambda x: 4 * x**3 - 3 * x,
}
N_CHUNKS = 80
grid = np.linspace(-1, 1, 50)
wanted = np.array([function(grid) for function in FUNCTIONS.values()])


def rows_of(task, x):
    return np.column_stack([np.full(len(x), task), x])


# %%
# Column 0 of X is the number of the sub-task. When `partial_fit` meets one that is not among those
# it is busy with, it passes a boundary: all others are protected from then on. The penalty is
# `output_reg` times the mean over them of the squared distance between the parameters written now
# and those written at the boundary. After every chunk the errors of the sub-tasks known so far are
# measured.


def learn(output_reg):
    rng = np.random.default_rng(0)
    model = HypernetworkRegressor(
        (10, 10),
        "tanh",
        task_features=0,
        task_embedding_size=2,
        output_reg=output_reg,
        learning_rate_init=0.003,
        batch_size=20,
        random_state=0,
    )
    errors = np.full((len(FUNCTIONS), len(FUNCTIONS) * N_CHUNKS), np.nan)
    for task, function in enumerate(FUNCTIONS.values()):
        for chunk in range(N_CHUNKS):
            x = rng.uniform(-1, 1, 200)
            model.partial_fit(rows_of(task, x), function(x) + rng.normal(0, 0.05, 200))
            X = np.concatenate([rows_of(known, grid) for known in range(task + 1)])
            gaps = model.predict(X).reshape(task + 1, -1) - wanted[: task + 1]
            errors[: task + 1, task * N_CHUNKS + chunk] = np.sqrt(np.mean(gaps**2, axis=1))
    return model, errors


# %%
# Above: errors while the chunks come in. Below: what is left of the three functions at the end.
# Without protection (left) each is gone soon after the next one has begun. With it (right) there is
# a peak after every boundary, as the first steps of the optimiser, which starts anew there, are
# large; then the penalty, zero until something has moved, brings the earlier sub-tasks back. A
# larger `output_reg` makes the peak lower.

figure, axes = plt.subplot_mosaic(
    [[0] * 3 + [1] * 3, ["00", "01", "02", "10", "11", "12"]],
    figsize=(11, 6),
    layout="constrained",
    height_ratios=[1.3, 1],
)
figure.suptitle("Three sub-tasks, one after another, by one hypernetwork")
colors = ("C0", "C1", "C2")
for side, (output_reg, title) in enumerate({0.0: "no protection", 0.05: "protected"}.items()):
    model, errors = learn(output_reg)
    print(f"output_reg={output_reg}: root mean squared errors at the end {errors[:, -1].round(3)}")
    above = axes[side]
    for task, (name, color) in enumerate(zip(FUNCTIONS, colors, strict=True)):
        above.semilogy(errors[task], color=color, label=name)
        above.axvline(task * N_CHUNKS, color="grey", linestyle=":", linewidth=1)
        below = axes[f"{side}{task}"]
        below.plot(grid, wanted[task], "k:", linewidth=2)
        below.plot(grid, model.predict(rows_of(task, grid)), color=color, linewidth=2)
        below.set(ylim=(-1.6, 1.6), yticks=[], xlabel="x")
        below.set_title(name, fontsize="medium")
    above.set(ylim=(0.006, 2), xlabel="chunks of 200 rows", ylabel="root mean squared error")
    above.set_title(f"output_reg={output_reg:g}: {title}")
    above.legend(loc="upper left", fontsize="small")
plt.show()
