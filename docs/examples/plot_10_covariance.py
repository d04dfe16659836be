"""
Two targets whose covariance turns with x
=========================================

With several targets `distribution="normal"` predicts a mean vector and a covariance matrix for
every row. Here the ellipse of the noise turns as x grows. A full matrix follows it; a diagonal one
finds the spread of each target, but cannot know that they move together.
"""

# %%
# The mean moves to the right, the noise is long in one direction and short in the other.

import matplotlib.pyplot as plt
import numpy as np

from skmlp import DensityRegressor


def true_mean(x):
    return np.stack([8 * x, np.sin(2 * np.pi * x)], axis=-1)


def true_factor(x):
    """A with the covariance A A': long along an axis that turns with x, short across it."""
    angle = 0.8 * np.pi * x
    along = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    across = np.stack([-np.sin(angle), np.cos(angle)], axis=-1)
    return np.stack([0.45 * along, 0.12 * across], axis=-1)


def draw(n):
    x = rng.uniform(size=n)
    noise = np.einsum("nij,nj->ni", true_factor(x), rng.standard_normal((n, 2)))
    return x.reshape(-1, 1), true_mean(x) + noise


rng = np.random.default_rng(0)
X, Y = draw(5000)
X_test, Y_test = draw(5000)

# %%
# "full" has its raw outputs in the triangular factor of the inverse covariance matrix, so that
# every output of the network is a valid matrix. The score is the joint log-likelihood.

models = {
    kind: DensityRegressor(
        hidden_layer_sizes=(100, 100),
        covariance_type=kind,
        learning_rate="cosine",
        learning_rate_init=0.01,
        max_iter=100,
        n_iter_no_change=np.inf,
        random_state=0,
    ).fit(X, Y)
    for kind in ("full", "diag", "tied")
}
scores = {kind: model.score(X_test, Y_test) for kind, model in models.items()}
print("mean log-likelihood, test rows")
for kind, score in scores.items():
    print(f"{kind:5} {score:5.2f}")

# %%
# Ellipses hold nine tenths of a distribution. For two targets their radius is the root of
# -2 log(1 - .9), in standard deviations.

RADIUS = np.sqrt(-2 * np.log(0.1))
turn = np.linspace(0, 2 * np.pi, 200)
circle = RADIUS * np.stack([np.cos(turn), np.sin(turn)])


def ellipse(mean, cov):
    return mean[:, np.newaxis] + np.linalg.cholesky(cov) @ circle


places = np.linspace(0.05, 0.95, 6)
true_covs = [A @ A.T for A in true_factor(places)]
fine = np.linspace(0, 1, 200)
A = true_factor(fine)
true_cov = A @ A.swapaxes(1, 2)
true_corr = true_cov[:, 0, 1] / np.sqrt(true_cov[:, 0, 0] * true_cov[:, 1, 1])

figure = plt.figure(figsize=(10, 5.4), layout="constrained")
figure.suptitle("Two targets: 90 % ellipses at six values of x, and the correlation along x")
grid = figure.add_gridspec(2, 2, width_ratios=[1.7, 1])
for k, kind in enumerate(("full", "diag")):
    axes = figure.add_subplot(grid[k, 0])
    axes.scatter(*Y[:1500].T, s=4, color="black", alpha=0.15, linewidths=0)
    dist = models[kind].predict_dist(places.reshape(-1, 1))
    for j, (mean, cov) in enumerate(zip(dist.mean(), dist.cov(), strict=True)):
        true = ellipse(true_mean(places[j]), true_covs[j])
        axes.plot(*true, "k:", label="true" if j == 0 else None)
        axes.plot(*ellipse(mean, cov), color=f"C{k}", label="predicted" if j == 0 else None)
    axes.set(title=f'covariance_type="{kind}", log-likelihood {scores[kind]:.2f}')
    axes.set(xlabel="first target", ylabel="second target", aspect="equal")
    axes.legend(loc="lower left", fontsize="small", ncols=2)

axes = figure.add_subplot(grid[:, 1])
for k, (kind, model) in enumerate(models.items()):
    corr = model.predict_dist(fine.reshape(-1, 1)).corr()[:, 0, 1]
    axes.plot(fine, corr, color=f"C{k}", label=f'"{kind}"')
axes.plot(fine, true_corr, "k:", label="true")
axes.set(title="Correlation of the targets", xlabel="x", ylabel="correlation", ylim=(-1.05, 1.05))
axes.grid(alpha=0.3)
axes.legend(loc="lower left")
plt.show()
