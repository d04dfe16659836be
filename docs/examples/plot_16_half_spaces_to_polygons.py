"""
From half-planes to polygons: what each layer adds
==================================================

A unit with a step function is active in a half-plane and nowhere else. One layer can tell the two
sides of a line apart. Two layers cut out what lies inside several lines, a convex polygon. Three
layers put such polygons together, to any set with straight sides. XOR, of which one layer is not
capable, needs two. All weights here are written down by `skmlp.constructions`; nothing is learned.
"""

# %%
# A line, two lines for XOR, a pentagon, and a set that is neither convex nor connected: an arrow of
# a triangle and a rectangle, and a diamond.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from skmlp.constructions import convex_polygon, half_space, logic_gate, polygon_union

angles = np.pi / 2 + 2 * np.pi * np.arange(5) / 5
pentagon = np.column_stack([np.cos(angles), np.sin(angles)])
head = [[-0.1, -0.9], [0.9, 0.1], [-0.1, 1.1]]
shaft = [[-1.0, -0.2], [0.0, -0.2], [0.0, 0.4], [-1.0, 0.4]]
diamond = [[-0.7, -1.1], [-0.35, -0.75], [-0.7, -0.4], [-1.05, -0.75]]

models = {
    "1 layer: a half-plane": half_space([0.6, 1.0], 0.2),
    "2 layers: XOR": logic_gate("xor"),
    "2 layers: a convex polygon": convex_polygon(pentagon),
    "3 layers: any polygons": polygon_union([head, shaft, diamond]),
}
for name, model in models.items():
    print(f"{name:28} weight matrices {[weight.shape for weight in model.coefs_]}")

# %%
# Above, the set where the network says 1, and the lines on which units of the first layer switch
# (on the line they are active). Below, the networks; connections of weight 0 are not drawn. One
# layer cannot do XOR: a linear g has g(0, 1) + g(1, 0) = g(0, 0) + g(1, 1), so that two positive
# values on the left leave no two negative ones on the right.

BLUE, PALE = "#3b6ea5", "#cfe0f1"


def draw_set(ax, model, low, high):
    axis = np.linspace(low, high, 400)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    inside = model.predict(points.reshape(-1, 2)).reshape(400, 400)
    ax.pcolormesh(axis, axis, inside, cmap=ListedColormap(["white", PALE]))
    # On the line of a unit w'x + b is 0.
    for w, b in zip(model.coefs_[0].T, model.intercepts_[0], strict=True):
        start, along = -b * w / (w @ w), np.array([-w[1], w[0]]) / np.hypot(*w)
        ax.plot(*(start + np.outer([-4, 4], along)).T, color=BLUE, linewidth=0.8)
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal", xticks=[], yticks=[])


def draw_network(ax, model):
    sizes = [len(model.coefs_[0]), *(weight.shape[1] for weight in model.coefs_)]
    heights = [(np.arange(n) - (n - 1) / 2) * min(0.2, 1.0 / n) for n in sizes]
    left = (4 - len(sizes)) / 2
    for layer, weight in enumerate(model.coefs_):
        for i, j in np.argwhere(weight):
            ends = heights[layer][i], heights[layer + 1][j]
            ax.plot([left + layer, left + layer + 1], ends, color="0.6", linewidth=0.6, zorder=1)
    for layer, height in enumerate(heights):
        color = "white" if layer == 0 else PALE
        ax.scatter(np.full(len(height), left + layer), height, s=32, c=color, edgecolors=BLUE)
        ax.text(left + layer, -0.58, len(height), ha="center", va="top", fontsize=9)
    ax.set(xlim=(-0.3, 3.3), ylim=(-0.7, 0.55))
    ax.set_title("inputs, and units of each layer", fontsize=9)
    ax.axis("off")


figure, axes = plt.subplots(2, 4, figsize=(11, 5.2), layout="constrained", height_ratios=[1.7, 1])
figure.suptitle("What step units can tell apart, by the number of layers")
for (above, below), (name, model) in zip(axes.T, models.items(), strict=True):
    low, high = (-0.75, 1.55) if "XOR" in name else (-1.25, 1.25)
    draw_set(above, model, low, high)
    above.set_title(name)
    draw_network(below, model)
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
truth = models["2 layers: XOR"].predict(corners)
axes[0, 1].scatter(*corners.T, s=60, c=np.where(truth, BLUE, "white"), edgecolors=BLUE, zorder=3)
for corner, value in zip(corners, truth, strict=True):
    text = f"({corner[0]}, {corner[1]}): {value}"
    style = {"textcoords": "offset points", "ha": "right", "va": "center", "fontsize": 9}
    axes[0, 1].annotate(text, corner, (-7, 0), **style)

plt.show()
