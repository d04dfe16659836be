"""
Local minima: several starts, the best of them, and their average
=================================================================

The loss of a network with hidden layers has many minima, and it depends on the first weights which
one training finds. Here a network of four units learns a wave twenty times. Some starts get it
right, others stay at a solution that misses a bump, and none of the small steps that training makes
leads out. ``n_init`` makes several starts in one go, and keeps the best or the average of all.
"""

# %%
# Full batches of L-BFGS, so that nothing but the start is random. Every start ends where the
# gradient is zero, for all that counts.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import mean_squared_error

from skmlp import MLPRegressor

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(-1, 1, 120))
y = np.sin(9 * x) + 0.5 * x + rng.normal(0, 0.15, 120)
grid = np.linspace(-1, 1, 400)
truth = np.sin(9 * grid) + 0.5 * grid

settings = {"hidden_layer_sizes": (4,), "activation": "tanh", "alpha": 1e-3, "solver": "lbfgs"}
settings |= {"max_iter": 3000, "max_fun": 10**6, "tol": 1e-5, "n_init": 20, "random_state": 4}
average = MLPRegressor(combine_inits="average", **settings).fit(x[:, np.newaxis], y)
members = average.estimators_
losses = average.init_losses_
order = np.argsort(losses)
best, worst = order[0], order[-1]

curves = np.array([member.predict(grid[:, np.newaxis]) for member in members])
errors = [mean_squared_error(truth, curve) for curve in curves]
mean_error = mean_squared_error(truth, average.predict(grid[:, np.newaxis]))
print(f"error against the true wave: best start {errors[best]:.4f}, average {mean_error:.4f},")
print(f"a start by chance {np.mean(errors):.4f}")

# %%
# The average is never worse than a start by chance is on average: the squared error is convex. Here
# some starts have failed, and pull it away from the truth, so that the best start is better still.
# Where all starts are about as good and differ by chance, as on most tables, the average wins.

# %%
# Minima are separate: on the straight line from one to another the loss is higher than at both
# ends. `from_weights` makes a network of any weights between them. The darkest line leads to a
# start as good as the best: nearly the same function, by units in another order and other signs. A
# network of four tanh units has 4! 2^4 = 384 such copies of every minimum.


def between(first, second, shares):
    """Training error of networks on the line from one member's weights to another's."""
    found = []
    for share in shares:
        coefs, intercepts = (
            [(1 - share) * a + share * b for a, b in zip(ours, theirs, strict=True)]
            for ours, theirs in (
                (first.coefs_, second.coefs_),
                (first.intercepts_, second.intercepts_),
            )
        )
        network = MLPRegressor.from_weights(coefs, intercepts, activation="tanh")
        found.append(mean_squared_error(y, network.predict(x[:, np.newaxis])))
    return found


figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained", width_ratios=[1, 1.4, 1])
figure.suptitle("Twenty starts of one small network")
colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(order)))
axes[0].scatter(range(1, len(order) + 1), losses[order], c=colours, s=30)
axes[0].set(title="Training loss at the end", xlabel="starts, sorted", ylabel="loss")
axes[0].set(ylim=(0, 1.1 * losses.max()), xticks=[1, 5, 10, 15, 20])

axes[1].plot(x, y, ".", color="0.75", markersize=4)
for colour, which in zip(colours, order, strict=True):
    axes[1].plot(grid, curves[which], color=colour, linewidth=0.9, alpha=0.7)
axes[1].plot(grid, average.predict(grid[:, np.newaxis]), color="#c2504a", linewidth=2.5)
axes[1].plot(grid, truth, "--", color="black", linewidth=1)
axes[1].plot([], [], color=colours[0], label=f"best start: error {errors[best]:.3f}")
axes[1].plot([], [], color=colours[-1], label=f"worst start: error {errors[worst]:.3f}")
axes[1].plot([], [], color="#c2504a", linewidth=2.5, label=f"average of all: {mean_error:.3f}")
axes[1].plot([], [], "--", color="black", linewidth=1, label="truth")
axes[1].set(title="What they learned", xlabel="x", ylabel="y", ylim=(-2.2, 3.4))
axes[1].legend(fontsize=8, ncols=2, loc="upper center")

shares = np.linspace(0, 1, 201)
for which in order[[1, len(order) // 2, -1]]:
    colour = colours[list(order).index(which)]
    line = between(members[best], members[which], shares)
    axes[2].semilogy(shares, line, color=colour)
    axes[2].plot([0, 1], [line[0], line[-1]], "o", color=colour)
axes[2].set(title="From the best start to others", ylabel="mean squared error")
axes[2].set(xlabel="0: best start, 1: another", xticks=[0, 0.5, 1])
plt.show()
