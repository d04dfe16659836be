"""
Activations and their derivatives
=================================

What a unit does with its weighted sum z, and how steep it is there. Learning goes backwards through
the second: a gradient is multiplied by the derivative of every unit on its way. Where that is
small, layers close to the input learn next to nothing.
"""

# %%
# All activations that `skmlp` knows come from one registry. Calling one gives f(z), `derivative`
# gives f'(z).

import matplotlib.pyplot as plt
import numpy as np

from skmlp.activations import ACTIVATIONS

z = np.linspace(-4, 4, 801)

# %%
# The gradient on its way back through random layers of 100 units, with weights of standard
# deviation 1 / sqrt(100) times the gain of the activation, which keeps the signal alive on its way
# forward. With gain 1 and logistic units, a factor of at most 1/4 remains in each layer.


def gradient_norms(activation, gain, depth=20, width=100):
    """Norms of the gradient of the last layer's sum, from the last layer to the first."""
    rng = np.random.default_rng(0)
    a, layers = rng.standard_normal((64, width)), []
    for _ in range(depth):
        weights = rng.standard_normal((width, width)) * gain / np.sqrt(width)
        sums = a @ weights
        layers.append((weights, activation.derivative(sums)))
        a = activation(sums)
    grad, norms = np.ones_like(a), []
    for weights, slope in reversed(layers):
        grad = (grad * slope) @ weights.T
        norms.append(np.linalg.norm(grad, axis=1).mean())
    return np.array(norms) / norms[0]


BLUE, RED = "#3b6ea5", "#c2504a"
COLUMNS = 5
rows = -(-(len(ACTIVATIONS) + 2) // COLUMNS)  # the panel of gradients is two wide at least
figure = plt.figure(figsize=(11, 2.4 * rows), layout="constrained")
figure.suptitle("Activations (blue) and their derivatives (red)")
grid = figure.add_gridspec(rows, COLUMNS)
for place, (name, kind) in enumerate(ACTIVATIONS.items()):
    activation = kind()
    axes = figure.add_subplot(grid[divmod(place, COLUMNS)])
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.axvline(0, color="0.8", linewidth=0.8)
    axes.plot(z, activation(z), color=BLUE, linewidth=2)
    if activation.trainable:
        slope = activation.derivative(z)
        breaks = np.abs(np.diff(slope, append=slope[-1])) > 0.3  # a jump is not a slope
        axes.plot(z, np.where(breaks, np.nan, slope), color=RED, linewidth=1.4)
    axes.set(title=name, xlim=(-4, 4), ylim=(-2, 3), xticks=[-3, 0, 3], yticks=[-1, 0, 1, 2])
    axes.tick_params(labelsize=8)

axes = figure.add_subplot(grid[-1, max(0, len(ACTIVATIONS) - COLUMNS * (rows - 1)) :])
ways = {"logistic, gain 1": ("logistic", 1.0), "logistic": ("logistic", None)}
ways |= {name: (name, None) for name in ("tanh", "relu", "selu")}
for label, (name, gain) in ways.items():
    activation = ACTIVATIONS[name]()
    norms = gradient_norms(activation, activation.gain if gain is None else gain)
    axes.semilogy(np.arange(1, len(norms) + 1), norms, label=label)
    print(f"{label:18} after 20 layers {norms[-1]:.1e} of the gradient is left")
axes.set(title="What is left of the gradient", xlabel="layers on the way back", ylim=(1e-14, 1e2))
axes.set_xticks([1, 5, 10, 15, 20])
axes.legend(fontsize=8, loc="lower left")
plt.show()
