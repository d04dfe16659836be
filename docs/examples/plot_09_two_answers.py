"""
More than one right answer
==========================

Where the same x goes with two or three values of y, the mean of them is an answer that never
occurs. A single Normal can only become broad there; a mixture of Normals and a histogram show every
branch with its probability.
"""

# %%
# The inverse of a function that is not monotone: y is drawn first, x follows from it with noise
# (Bishop 1994). Around x = .5 three values of y are plausible. Bayes' rule gives the true density.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from skmlp import DensityRegressor
from skmlp.displays import DensityDisplay

NOISE = 0.05


def forward(y):
    return y + 0.3 * np.sin(2 * np.pi * y)


def true_density(x, points):
    """p(y | x) on evenly spaced points of y, uniform on [0, 1] before x is known."""
    joint = norm.pdf(x, forward(points), NOISE) * ((points >= 0) & (points <= 1))
    return joint / (joint.sum() * (points[1] - points[0]))


def draw(n):
    y = rng.uniform(size=n)
    return rng.normal(forward(y), NOISE).reshape(-1, 1), y


rng = np.random.default_rng(0)
X, y = draw(4000)
X_test, y_test = draw(4000)

# %%
# The same network with three distributions. With 4000 rows a tenth of them is watched, and the
# best epoch is restored.

distributions = {
    "normal": {"distribution": "normal"},
    "normal_mixture": {"distribution": "normal_mixture", "n_mixture_components": 5},
    "histogram": {"distribution": "histogram", "n_bins": 30},
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
print("mean log-likelihood, test rows:", scores)

# %%
# Above the densities as colours. Below the cut at x = .5, with the truth and the predicted mean:
# for all three it is about the same, and says little.

points = np.linspace(-0.25, 1.25, 900)
figure, axes = plt.subplots(
    2, 3, figsize=(11.5, 6), layout="constrained", sharey="row", height_ratios=[1.4, 1]
)
figure.suptitle("Three distributions for data with up to three branches")
for (above, below), (name, model) in zip(axes.T, models.items(), strict=True):
    DensityDisplay.from_estimator(
        model, X, y, kind="heatmap", ax=above, subsample=300, random_state=0, grid_resolution=300
    )
    above.axvline(0.5, color="C1", linestyle="--")
    above.set(title=f"{name}\nlog-likelihood {scores[name]:.2f}", xlabel="x")
    dist = model.predict_dist([[0.5]])
    below.plot(points, dist.pdf(points[np.newaxis])[0], color="C1", label="predicted")
    below.plot(points, true_density(0.5, points), color="black", linestyle=":", label="true")
    below.axvline(dist.mean()[0], color="gray", linewidth=1, label="predicted mean")
    below.set(title="cut at x = 0.5", xlabel="y")
axes[1, 0].set_ylabel("density")
axes[1, 0].legend(fontsize="small", loc="upper right")
plt.show()
