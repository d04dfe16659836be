"""
Steps come as close as wanted
=============================

Step units are enough to approximate any continuous function: two layers for functions of one
variable, which become stairs, and three for functions of two, which become mosaics of squares. The
price differs. With n pieces the error is of the order of 1 / n for one variable and of 1 / sqrt(n)
for two: the pieces have to be small in both directions.
"""

# %%
# On each interval the stairs have the height of the function in its middle. If the function has the
# Lipschitz constant L, it is at most L / (2 n) away from that.

from itertools import pairwise, product

import matplotlib.pyplot as plt
import numpy as np

from skmlp.constructions import polygon_sum, step_function


def wave(x):
    return np.abs(np.sin(6 * x)) * (1.2 - x)


def stairs(n):
    edges = np.linspace(0, 1, n + 1)
    return step_function(edges, wave((edges[:-1] + edges[1:]) / 2))


line = np.linspace(0, 1, 4001)[1:]
numbers = 4 ** np.arange(1, 6)
errors_line = [np.abs(stairs(n).predict(line.reshape(-1, 1)) - wave(line)).max() for n in numbers]

# %%
# In the plane the pieces are squares: a sum of indicators of polygons, each times the value of the
# function in its centre. Four times as many squares are half as wide. The squares share the units
# of the first layer: 32 x 32 squares have 4096 edges, but need no more than 128 units.


def hills(X):
    x, y = X.T
    return np.exp(-8 * ((x - 0.3) ** 2 + (y - 0.6) ** 2)) + 0.6 * np.abs(np.sin(4 * x * y))


def mosaic(k):
    intervals = list(pairwise(np.linspace(0, 1, k + 1)))
    squares = np.array(
        [[[a, c], [b, c], [b, d], [a, d]] for (a, b), (c, d) in product(intervals, repeat=2)]
    )
    return polygon_sum(squares, hills(squares.mean(axis=1)))


# No point lies on an edge, where two squares count.
axis = (np.arange(192) + 0.5) / 192 + 1e-6
plane = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
mosaics = {k: mosaic(k) for k in (2, 4, 8, 16, 32)}
surfaces = {k: model.predict(plane) for k, model in mosaics.items()}
errors_plane = [np.abs(surface - hills(plane)).max() for surface in surfaces.values()]
print("units with 32 x 32 squares:", mosaics[32].hidden_layer_sizes)

# %%
# On logarithmic axes the errors lie on lines of slope -1 and -1/2.

figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.4), layout="constrained")
figure.suptitle("Functions of one and of two variables, made of step units")
axes[0].plot(line, wave(line), color="0.5", label="function")
axes[0].plot(line, stairs(16).predict(line.reshape(-1, 1)), color="C0", label="16 intervals")
axes[0].set(title="2 layers, one variable", xlabel="x")
axes[0].legend(fontsize=8)
for ax, values, title in (
    (axes[1], hills(plane), "function of two variables"),
    (axes[2], surfaces[16], "3 layers, 16 x 16 squares"),
):
    image = values.reshape(192, 192)
    ax.imshow(image, origin="lower", extent=(0, 1, 0, 1), vmin=0, vmax=hills(plane).max())
    ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$")
pieces = np.array(list(mosaics)) ** 2
for n, errors, slope, color, name in (
    (numbers, errors_line, -1, "C0", "one variable"),
    (pieces, errors_plane, -0.5, "C3", "two variables"),
):
    measured = np.polyfit(np.log(n), np.log(errors), 1)[0]
    axes[3].loglog(n, errors, "o", color=color, label=f"{name}, slope {measured:.2f}")
    guide = "1 / n" if slope == -1 else r"1 / $\sqrt{n}$"
    axes[3].loglog(n, errors[-1] * (n / n[-1]) ** slope, "--", color=color, label=guide)
axes[3].set(title="largest error", xlabel="number n of intervals or squares", ylim=(2e-4, 2))
axes[3].legend(fontsize=8, loc="lower left")

plt.show()
