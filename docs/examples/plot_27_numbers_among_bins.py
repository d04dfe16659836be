"""
Embeddings of numbers: waves and bins beside a column
=====================================================

A network of a few smooth units bends slowly. Where y has thresholds or wiggles along a single
column, learned functions of that column, put beside it, save the layers the trouble.
"""

# %%
# A flat tariff, three thresholds and a fast wave:

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import r2_score

from skmlp import MLPRegressor

rng = np.random.default_rng(0)


def truth(x):
    steps = np.select([x < 1, x < 1.5, x < 2.5], [0.0, 1.0, 0.4], 1.4)
    return np.where(x < 3.5, steps, 1.4 + 0.6 * np.sin(12 * (x - 3.5)))


x = rng.uniform(0, 5, 600)
y = truth(x) + rng.normal(0, 0.1, 600)
grid = np.linspace(0, 5, 1000)

# %%
# ``numeric_embedding_size`` is how many functions stand beside each column, and
# ``numeric_embedding`` which ones. Everything else is the same.

embeddings = {
    "none": {"numeric_embedding_size": 0},
    "periodic": {"numeric_embedding_size": 8, "numeric_embedding_scale": 1.0},
    "piecewise": {"numeric_embedding_size": 8, "numeric_embedding": "piecewise"},
}
figure, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
figure.suptitle("600 rows, one column, two layers of 32 units")
for ax, (name, parameters) in zip(axes, embeddings.items(), strict=True):
    model = MLPRegressor(hidden_layer_sizes=(32, 32), random_state=0, **parameters)
    curve = model.fit(x[:, np.newaxis], y).predict(grid[:, np.newaxis])
    score = r2_score(truth(grid), curve)
    print(f"{name:10} R2 to the truth {score:.3f}, {model.theta_.size} parameters")
    ax.plot(x, y, ".", color="0.75", markersize=3)
    ax.plot(grid, truth(grid), "--", color="black", linewidth=1, label="truth")
    ax.plot(grid, curve, color="#3b6ea5", linewidth=2, label="learned")
    ax.set(title=f"{name}: R2 {score:.2f}", xlabel="x")
axes[0].set_ylabel("y")
axes[0].legend(fontsize=9)
plt.show()
