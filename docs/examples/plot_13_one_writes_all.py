"""
One network writes the others
=============================

A hypernetwork is a network g that puts out the parameters theta of another, the main network F.
Told which of four sub-tasks is wanted, it writes a main network for each: y = F(x; g(e)). The e are
vectors, one for every sub-task, and are learned together with g; the weights of the main networks
are not learned, but put out.
"""

# %%
# Four functions of one x, 80 noisy points each. The name of the sub-task is a column of X.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmlp import HypernetworkRegressor

functions = {
    "wave": lambda x: np.sin(3 * x),
    "parabola": lambda x: x**2 - 1,
    "line": lambda x: -x / 1.5,
    "step": lambda x: np.tanh(6 * x),
}
rng = np.random.default_rng(0)
parts = []
for name, function in functions.items():
    x = rng.uniform(-2, 2, 80)
    parts.append(pd.DataFrame({"task": name, "x": x, "y": function(x) + rng.normal(0, 0.1, 80)}))
rows = pd.concat(parts)

# %%
# The main networks are 1-6-6-1, 61 weights and biases. The hypernetwork has two inputs and 61
# outputs. Of four starts the one with the lowest loss is kept.

model = HypernetworkRegressor(
    (6, 6),
    "softplus",
    task_features="task",
    task_embedding_size=2,
    learning_rate="cosine",
    learning_rate_init=0.01,
    batch_size=80,
    max_iter=600,
    n_init=4,
    random_state=0,
).fit(rows[["task", "x"]], rows["y"])
print(f"{model.n_parameters_} parameters write {model.n_main_parameters_} for every sub-task")

# %%
# `task_parameters` gives what is written. Each main network is drawn with its connections, red for
# positive and blue for negative weights, the thicker the larger, and below it the function that it
# computes. On the left are the learned e, and all that is written as an image. Its units are those
# of x and y: it could be put into any other program that knows a multilayer perceptron.


def draw_network(ax, coefs, color):
    for layer, weight in enumerate(coefs):
        places = [np.arange(n) - (n - 1) / 2 for n in weight.shape]
        for i, j in np.ndindex(*weight.shape):
            ax.plot(
                [layer, layer + 1],
                [places[0][i], places[1][j]],
                color="tab:red" if weight[i, j] > 0 else "tab:blue",
                linewidth=min(abs(weight[i, j]), 5),
                alpha=0.7,
                zorder=1,
            )
    for layer, n in enumerate([len(coefs[0]), *(weight.shape[1] for weight in coefs)]):
        ax.scatter(np.full(n, layer), np.arange(n) - (n - 1) / 2, s=70, c="white", edgecolors=color)
    ax.set(xlim=(-0.3, len(coefs) + 0.3), ylim=(-3, 3))
    ax.axis("off")


colors = dict(zip(functions, ("C0", "C1", "C2", "C4"), strict=True))
grid = np.linspace(-2, 2, 200)
figure, axes = plt.subplots(
    2, 5, figsize=(11, 5.6), layout="constrained", width_ratios=[1.25, 1, 1, 1, 1]
)
figure.suptitle("One hypernetwork writes a main network for every sub-task: theta = g(e)")

written = []
for column, (name, color) in enumerate(colors.items(), start=1):
    coefs, intercepts = model.task_parameters(name)
    written.append(
        np.concatenate(
            [part.ravel() for pair in zip(coefs, intercepts, strict=True) for part in pair]
        )
    )
    draw_network(axes[0, column], coefs, color)
    axes[0, column].set_title(f'F( · ; g(e of "{name}"))', fontsize="medium")
    below, own = axes[1, column], rows[rows["task"] == name]
    below.scatter(own["x"], own["y"], s=10, color="grey", alpha=0.6)
    predicted = model.predict(pd.DataFrame({"task": name, "x": grid}))
    below.plot(grid, predicted, color=color, linewidth=2)
    below.set(xlabel="x", ylabel="y" if column == 1 else "", ylim=(-1.6, 3.2))
    below.set_title(name, fontsize="medium")

plane, image = axes[:, 0]
for name, e in zip(model.tasks_, model.task_embeddings_, strict=True):
    plane.scatter(*e, s=90, color=colors[name])
    plane.annotate(name, e, (0, 9), textcoords="offset points", ha="center")
plane.margins(0.35)
plane.set_title("what g is told: e", fontsize="medium")
arrow = {"arrowstyle": "-|>", "color": "black", "linewidth": 2}
where = {"textcoords": "axes fraction", "xycoords": "axes fraction", "va": "center"}
plane.annotate("g", (1.24, 0.5), (1.02, 0.5), arrowprops=arrow, in_layout=False, **where)
image.imshow(
    np.transpose(written), cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto", interpolation="none"
)
image.set_xticks(range(4), list(colors), fontsize="small")
image.set(ylabel="61 weights and biases")
image.set_title("what g writes: theta", fontsize="medium")
plt.show()
