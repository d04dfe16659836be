"""
Step size and momentum: the path to the minimum
===============================================

Gradient descent goes where the slope is steepest, which in a long valley is across it and not along
it. Small steps creep, large ones jump from side to side, and beyond a limit they climb out.
Momentum adds up what the steps have in common. Scaling the features makes the valley round, and the
question goes away.
"""

# %%
# The smallest network there is, ``hidden_layer_sizes=()``, with one feature: a weight w and a bias
# b. All paths start from the same point, given by `from_weights`; one `partial_fit` with all rows
# in one batch is one step.

import matplotlib.pyplot as plt
import numpy as np

from skmlp import MLPRegressor

rng = np.random.default_rng(0)
x = rng.normal(2.0, 1.0, size=200)
y = 1.5 * x + 1.0 + rng.normal(0, 0.3, size=200)
STEPS = 40


def path(x, start, **settings):
    """Weight and bias after each step."""
    model = MLPRegressor.from_weights([[[start[0]]]], [[start[1]]], activation="identity")
    model.set_params(solver="sgd", alpha=0.0, batch_size=len(x), **settings)
    points = [start]
    for _ in range(STEPS):
        model.partial_fit(x[:, np.newaxis], y)
        points.append((model.coefs_[0].item(), model.intercepts_[0].item()))
    return np.array(points)


def loss(x, w, b):
    """Half the mean squared error of w x + b."""
    return ((w * x[:, np.newaxis, np.newaxis] + b - y[:, np.newaxis, np.newaxis]) ** 2).mean(0) / 2


# %%
# The curvature of the valley is the largest and the smallest eigenvalue of the matrix of second
# derivatives. Steps of 2 over the largest one are the limit; with steps of that order, going along
# the valley takes as many steps as the ratio of both says.

design = np.column_stack([x, np.ones_like(x)])
curvatures = np.linalg.eigvalsh(design.T @ design / len(x))
limit = 2 / curvatures[-1]
print(f"curvatures {curvatures.round(2)}, ratio {curvatures[-1] / curvatures[0]:.0f}")
print(f"gradient descent diverges from a step size of {limit:.3f} on")

plain = {"momentum": 0.0, "nesterovs_momentum": False}
heavy = {"momentum": 0.9, "nesterovs_momentum": False}
scaled = (x - x.mean()) / x.std()
start = (-1.2, 4.0)
# On the scaled feature the same line has another weight and bias.
scaled_start = (start[0] * x.std(), start[1] + start[0] * x.mean())
runs = {
    "small steps creep": (x, start, {"learning_rate_init": 0.05 * limit, **plain}),
    "large ones jump across": (x, start, {"learning_rate_init": 0.95 * limit, **plain}),
    "too large: off it goes": (x, start, {"learning_rate_init": 1.01 * limit, **plain}),
    "momentum 0.9": (x, start, {"learning_rate_init": 0.05 * limit, **heavy}),
    "Nesterov's momentum 0.9": (
        x,
        start,
        {"learning_rate_init": 0.05 * limit, "momentum": 0.9, "nesterovs_momentum": True},
    ),
    "feature scaled, no momentum": (scaled, scaled_start, {"learning_rate_init": 0.5, **plain}),
}

figure, axes = plt.subplots(2, 3, figsize=(11, 7), layout="constrained")
figure.suptitle(
    f"The first {STEPS} steps of gradient descent, from the dot; the star is the minimum"
)
for ax, (title, (feature, first, settings)) in zip(axes.flat, runs.items(), strict=True):
    best = best_w, best_b = np.polyfit(feature, y, 1)
    w = np.linspace(best_w - 4.2, best_w + 4.2, 200)
    b = np.linspace(best_b - 7.5, best_b + 7.5, 200)
    surface = loss(feature, *np.meshgrid(w, b))
    levels = np.geomspace(surface.min() * 1.05, surface.max(), 14)
    ax.contourf(w, b, surface, levels, norm="log", cmap="Blues_r", alpha=0.75, extend="min")
    points = path(feature, first, **settings)
    ax.plot(*points.T, "-o", color="#c2504a", markersize=2.5, linewidth=1)
    ax.plot(*first, "o", color="black", markersize=6)
    ax.plot(best_w, best_b, "*", color="black", markersize=11)
    end, least = (loss(feature, *np.reshape(p, (2, 1, 1))).item() for p in (points[-1], best))
    ax.set(title=title, xlim=w[[0, -1]], ylim=b[[0, -1]], xlabel="w", ylabel="b")
    above = max(end - least, 0.0)
    text = f"step size {settings['learning_rate_init']:.3f}, at the end {above:.2g} above"
    ax.text(0.5, 0.02, text, transform=ax.transAxes, ha="center", fontsize=8)
plt.show()
