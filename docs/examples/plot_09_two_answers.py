"""
More than one right answer
==========================

Where the same x goes with two values of y, the mean of them is an answer that never occurs. A
single Normal can only become broad there; a mixture of Normals and a histogram show each branch
with its probability.
"""

# %%
# A road that forks: beyond x = 0 seven rows in ten go up and the others go down.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from skmlp import DensityRegressor
from skmlp.displays import DensityDisplay

UP, NOISE = 0.7, 0.2


def branch(x):
    """The upper one; the lower one is its mirror image."""
    return 2 * np.maximum(x, 0)


def true_density(x, y):
    upper, lower = (norm.pdf(y, side * branch(x), NOISE) for side in (1, -1))
    return UP * upper + (1 - UP) * lower


def draw(n):
    x = rng.uniform(-1, 1, n)
    side = np.where(rng.uniform(size=n) < UP, 1, -1)
    return x.reshape(-1, 1), rng.normal(side * branch(x), NOISE)


rng = np.random.default_rng(0)
X, y = draw(3000)
X_test, y_test = draw(3000)

# %%
# The same network with three distributions. With 3000 rows a tenth of them is watched, and the
# best epoch is restored.

distributions = {
    "normal": {"distribution": "normal"},
    "normal_mixture": {"distribution": "normal_mixture", "n_mixture_components": 3},
    "histogram": {"distribution": "histogram", "n_bins": 30, "binning": "uniform"},
}
models = {
    name: DensityRegressor(
        **settings,
        learning_rate="cosine",
        learning_rate_init=0.01,
        max_iter=80,
        n_iter_no_change=np.inf,
        random_state=0,
    ).fit(X, y)
    for name, settings in distributions.items()
}
scores = {name: model.score(X_test, y_test) for name, model in models.items()}

# %%
# Above the densities as colours. Below the cut at x = .75, with the truth and the predicted mean,
# which is about the same for all three, and where hardly any y is.

PLACE = 0.75
points = np.linspace(-2.7, 2.7, 900)
truth = np.log(true_density(X_test[:, 0], y_test)).mean()
print("mean log-likelihood, test rows")
for name, score in {**scores, "truth": truth}.items():
    print(f"{name:15} {score:5.2f}")

figure, axes = plt.subplots(
    2, 3, figsize=(11.5, 6), layout="constrained", sharey="row", height_ratios=[1.4, 1]
)
figure.suptitle(f"A fork: three distributions, log-likelihood of the truth {truth:.2f}")
for (above, below), (name, model) in zip(axes.T, models.items(), strict=True):
    DensityDisplay.from_estimator(
        model, X, y, kind="heatmap", ax=above, subsample=300, random_state=0, grid_resolution=300
    )
    above.axvline(PLACE, color="C1", linestyle="--")
    above.set(title=f"{name}\nlog-likelihood {scores[name]:.2f}", xlabel="x", ylim=(-2.8, 2.8))
    dist = model.predict_dist([[PLACE]])
    below.plot(points, dist.pdf(points[np.newaxis])[0], color="C1", label="predicted")
    below.plot(points, true_density(PLACE, points), color="black", linestyle=":", label="true")
    below.axvline(dist.mean()[0], color="gray", linewidth=1, label="predicted mean")
    below.set(title="cut at x = 0.75", xlabel="y")
axes[1, 0].set_ylabel("density")
axes[1, 0].legend(fontsize="small", loc="upper left")
plt.show()
