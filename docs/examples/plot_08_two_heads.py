"""
Two ways to put out a density
=============================

The same network body with two heads on the same data. One puts out the heights of a histogram: K
bins, K outputs, softmax. The other puts out the mean and the standard deviation of a Normal, and
both depend on x. Both are trained by -log p, and both find how the spread of y changes with x.
"""

# %%
# The mean follows a wave, and the spread grows and shrinks along it.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from skmlp import DensityRegressor
from skmlp.displays import DensityDisplay


def true_mean(x):
    return np.sin(x)


def true_std(x):
    return 0.1 + 0.4 * np.cos(x / 2) ** 2


rng = np.random.default_rng(0)
x = rng.uniform(-2 * np.pi, 2 * np.pi, 3000)
y = rng.normal(true_mean(x), true_std(x))
X = x.reshape(-1, 1)

# %%
# Only `distribution` differs. The histogram knows nothing of bell curves; it pays for that with
# steps, and with more parameters. The step size falls to zero along a cosine. From 500 rows on a
# tenth of them is watched; with ``n_iter_no_change=np.inf`` it does not stop the training, but the
# best epoch is restored.

heads = {
    "histogram": {"distribution": "histogram", "n_bins": 40},
    "normal": {"distribution": "normal"},
}
models = {
    name: DensityRegressor(
        **head,
        hidden_layer_sizes=(100, 100),
        learning_rate="cosine",
        learning_rate_init=0.01,
        max_iter=100,
        n_iter_no_change=np.inf,
        random_state=0,
    ).fit(X, y)
    for name, head in heads.items()
}
x_test = rng.uniform(x.min(), x.max(), 3000)
y_test = rng.normal(true_mean(x_test), true_std(x_test))
truth = norm.logpdf(y_test, true_mean(x_test), true_std(x_test)).mean()
scores = {name: model.score(x_test.reshape(-1, 1), y_test) for name, model in models.items()}
print("mean log-likelihood, test rows")
for name, score in {**scores, "truth": truth}.items():
    print(f"{name:10} {score:6.3f}")

# %%
# Above the densities as colours, below cuts through them at two values of x, marked above, with the
# truth.

titles = {
    "histogram": "Histogram: 40 outputs, softmax",
    "normal": "Normal: mean(x) and log std(x)",
}
cuts = {0.0: "C1", np.pi: "C2"}
points = np.linspace(-1.8, 1.8, 600)

figure, axes = plt.subplots(
    2, 2, figsize=(10, 6.4), layout="constrained", sharey="row", height_ratios=[1.4, 1]
)
figure.suptitle("One body, two heads: p(y | x) on 3000 rows")
for (above, below), (name, model) in zip(axes.T, models.items(), strict=True):
    DensityDisplay.from_estimator(
        model, X, y, kind="heatmap", ax=above, subsample=300, random_state=0, grid_resolution=300
    )
    above.set(title=f"{titles[name]}\nlog-likelihood {scores[name]:.3f}, of the truth {truth:.3f}")
    above.set(xlabel="x")
    for place, color in cuts.items():
        above.axvline(place, color=color, linestyle="--")
        density = model.predict_dist([[place]]).pdf(points[np.newaxis])[0]
        below.plot(points, density, color=color, label=f"predicted, x = {place:.2f}")
        density = norm.pdf(points, true_mean(place), true_std(place))
        below.plot(points, density, color=color, linestyle=":", label=f"true, x = {place:.2f}")
    below.set(title="cuts at the two lines", xlabel="y", ylabel="density")
    below.legend(fontsize="small", loc="upper left")
plt.show()
