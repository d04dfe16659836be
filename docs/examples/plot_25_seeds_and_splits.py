"""
Seeds and splits: what decides a score
======================================

A fit can be repeated to the last bit on one machine, but not on every other: sums are rounded in
another order there, and training can make a tiny difference as large as that of another seed. How
much does a seed matter? On a small table less than the split of its rows.
"""

# %%
# Three fits beside the same one: the smallest possible change of one number of X, as another order
# of a sum would make it; float32 in place of float64; and another seed. After each epoch their
# predictions are compared. In float64 the difference stays tiny. In float32 it does too, until one
# row lies on different sides of the kink of one relu unit: its gradient is there in one fit and not
# in the other. With ``activation="tanh"``, which has no kinks, it stays below 1e-5.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import ShuffleSplit

from skmlp import MLPRegressor

X, y = load_diabetes(return_X_y=True)
nudged = X.copy()
nudged[0, 0] = np.nextafter(nudged[0, 0], 1.0)
N_EPOCHS = 120


def predictions(X, **settings):
    """Those for the training rows after each epoch, in standard deviations of y."""
    settings = {"random_state": 0, **settings}
    model = MLPRegressor(
        hidden_layer_sizes=(50, 50), learning_rate_init=0.005, batch_size=50, **settings
    )
    return np.array([model.partial_fit(X, y).predict(X) for _ in range(N_EPOCHS)]) / y.std()


first = predictions(X)
others = {
    "another seed": predictions(X, random_state=1),
    "float32": predictions(X, dtype="float32"),
    "last digit of one number": predictions(nudged),
}
apart = {name: np.sqrt(np.mean((other - first) ** 2, axis=1)) for name, other in others.items()}
for name, values in apart.items():
    print(f"{name:24} {values[0]:.0e} to {values[-1]:.0e}")

# %%
# Two settings, each with five seeds on twelve splits.

splits = list(ShuffleSplit(12, test_size=0.25, random_state=0).split(X))
SEEDS = range(5)


def scores(width):
    """R2 on the test rows, one row for each split, one column for each seed."""
    settings = {
        "batch_size": 64,
        "learning_rate": "cosine",
        "learning_rate_init": 0.01,
        "max_iter": 30,
    }
    return np.array(
        [
            [
                MLPRegressor(hidden_layer_sizes=width, random_state=seed, **settings)
                .fit(X[train], y[train])
                .score(X[test], y[test])
                for seed in SEEDS
            ]
            for train, test in splits
        ]
    )


narrow, wide = scores(10), scores(50)
seed_sd = np.sqrt(narrow.var(axis=1, ddof=1).mean())
split_sd = np.sqrt(narrow.mean(axis=1).var(ddof=1) - seed_sd**2 / len(SEEDS))
difference = wide[:, 0] - narrow[:, 0]
alone = np.hypot(narrow[:, 0].std(ddof=1), wide[:, 0].std(ddof=1))
pairs = difference.std(ddof=1)
print(f"standard deviation of splits {split_sd:.3f}, of seeds on one split {seed_sd:.3f}")
print(f"of a difference on other splits {alone:.3f}, on the same split {pairs:.3f}")

figure, axes = plt.subplots(1, 3, figsize=(13, 4.3), layout="constrained")
for (name, values), colour in zip(apart.items(), ("0.5", "#e0925a", "#3b6ea5"), strict=True):
    axes[0].semilogy(range(1, N_EPOCHS + 1), values, color=colour, label=name)
axes[0].set(title="Rounding grows", xlabel="epoch")
axes[0].set(ylabel="difference of predictions, in sd of y")
axes[0].legend(fontsize=8)

order = np.argsort(narrow.mean(axis=1))
place = np.arange(1, len(order) + 1)
axes[1].plot(place, narrow[order], "o", color="#3b6ea5", alpha=0.5, markersize=4)
axes[1].plot(place, narrow[order].mean(axis=1), "_", color="black", markersize=16)
axes[1].set(title=f"Splits differ by {split_sd:.3f}, seeds by {seed_sd:.3f}")
axes[1].set(xlabel="splits, sorted (a dot for each seed)", ylabel="R2, 10 units", xticks=place)

low, high = min(narrow.min(), wide.min()) - 0.02, max(narrow.max(), wide.max()) + 0.02
axes[2].plot([low, high], [low, high], "--", color="0.6", linewidth=1)
for seed in SEEDS:
    axes[2].plot(narrow[:, seed], wide[:, seed], "o", color="#c2504a", alpha=0.5, markersize=4)
axes[2].set(title=f"A difference: {alone:.3f} apart, {pairs:.3f} in pairs")
axes[2].set(xlabel="R2, 10 units", ylabel="R2, 50 units, same split and seed")
axes[2].set(xlim=(low, high), ylim=(low, high), aspect="equal")
plt.show()
