"""
Many groups of few rows
=======================

A hundred groups, ten noisy rows each. A network for every group has too few rows, one network for
all cannot tell the groups apart. A hypernetwork learns from all rows together what the groups have
in common, and for each group a few numbers, its embedding. For a new group of five rows only these
have to be found.
"""

# %%
# Each group is a sine with an amplitude and a phase of its own, of which the models know nothing.
# They get x, and the number of the group as column 0. Groups 100 to 149 stay aside for later, and
# will have five rows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from skmlp import HypernetworkRegressor, MLPRegressor

N_GROUPS, N_NEW = 100, 50
rng = np.random.default_rng(0)
amplitude = rng.uniform(0.5, 2, N_GROUPS + N_NEW)
phase = rng.uniform(0, np.pi, N_GROUPS + N_NEW)


def truth(group, x):
    return amplitude[group] * np.sin(1.5 * x + phase[group])


def draw(groups, n):
    group, x = np.repeat(groups, n), rng.uniform(-3, 3, len(groups) * n)
    return np.column_stack([group, x]), truth(group, x) + rng.normal(0, 0.1, len(x))


known, new = np.split(np.arange(N_GROUPS + N_NEW), [N_GROUPS])
X, y = draw(known, 10)
X_new, y_new = draw(new, 5)

# %%
# All networks have two hidden layers of 32 units, and a penalty that suits them. (The separate
# ones come down to 0.40 by ``solver="lbfgs"``, in three times the time.) With
# ``modulation="film"`` the groups share the weights, and the hypernetwork writes a factor and a
# shift for every unit.

schedule = {"learning_rate": "cosine", "max_iter": 300, "random_state": 0}
network = {"hidden_layer_sizes": (32, 32), "activation": "tanh"}
hyper = HypernetworkRegressor(
    **network,
    task_features=0,
    modulation="film",
    task_embedding_size=4,
    alpha=0.3,
    learning_rate_init=0.01,
    **schedule,
).fit(X, y)
pooled = MLPRegressor(**network, learning_rate_init=0.01, **schedule).fit(X[:, 1:], y)
schedule["max_iter"] = 150
separate = {}
for group in known:
    own = X[:, 0] == group
    one = MLPRegressor(**network, alpha=0.01, learning_rate_init=0.02, **schedule)
    separate[group] = one.fit(X[own, 1:], y[own])

# %%
# `adapt` finds the embeddings of the new groups. All else stays as it is, down to the last bit of
# the predictions for known groups.

hyper.adapt(X_new, y_new)

grid = np.linspace(-3, 3, 61)


def curve(model, group):
    if model is hyper:
        return model.predict(np.column_stack([np.full(len(grid), group), grid]))
    return model.predict(grid.reshape(-1, 1))


def error(curves, groups):
    gaps = [drawn - truth(group, grid) for drawn, group in zip(curves, groups, strict=True)]
    return np.sqrt(np.mean(np.square(gaps)))


errors = {
    "one for all": error([curve(pooled, group) for group in known], known),
    "one for each": error([curve(separate[group], group) for group in known], known),
    "hypernetwork": error([curve(hyper, group) for group in known], known),
    "the same,\nnew groups": error([curve(hyper, group) for group in new], new),
}
for name, value in errors.items():
    print(f"{' '.join(name.split()):22} {value:.3f}")

# %%
# Embeddings have four entries, but lie near a plane in that space (left, by PCA): there are two
# things to know of a group, and the penalty leaves no room for more. Phase and amplitude come out
# as the two directions, though nobody has told them. The new groups (diamonds) are where theirs
# belong. In the middle two known and two new groups, in the colours of the bars.

plane = PCA(2).fit(hyper.task_embeddings_[known])
print(f"the plane has {100 * plane.explained_variance_ratio_.sum():.0f} % of the variance")

figure, axes = plt.subplot_mosaic(
    [["plane", "known 0", "known 1", "errors"], ["plane", "new 0", "new 1", "errors"]],
    figsize=(12, 5.4),
    layout="constrained",
    width_ratios=[2, 1, 1, 1],
)
figure.suptitle("100 groups of ten rows, then 50 new groups of five rows")
for groups, marker, edge in ((known, "o", "none"), (new, "D", "black")):
    points = axes["plane"].scatter(
        *plane.transform(hyper.task_embeddings_[groups]).T,
        c=phase[groups],
        s=40 * amplitude[groups],
        vmin=0,
        vmax=np.pi,
        marker=marker,
        edgecolors=edge,
    )
axes["plane"].set(title="Embeddings (new groups: diamonds)", xlabel="size: amplitude")
figure.colorbar(points, ax=axes["plane"], label="phase", location="left", shrink=0.7)

for name, groups, rows, target in (("known", known, X, y), ("new", new, X_new, y_new)):
    for i, group in enumerate(groups[:2]):
        ax, own = axes[f"{name} {i}"], rows[:, 0] == group
        if name == "known":
            ax.plot(grid, curve(pooled, group), color="C7")
            ax.plot(grid, curve(separate[group], group), color="C1")
        ax.plot(grid, curve(hyper, group), color="C0", linewidth=2.5)
        ax.plot(grid, truth(group, grid), "k:")
        ax.scatter(rows[own, 1], target[own], s=20, color="black", zorder=3)
        ax.set(title=f"{name} group {group}", ylim=(-2.2, 2.2), xlabel="x")
axes["known 0"].set_ylabel("y; dotted: truth")

bars = axes["errors"].barh(list(errors), list(errors.values()), color=["C7", "C1", "C0", "C0"])
axes["errors"].bar_label(bars, fmt="%.2f", padding=3)
axes["errors"].set(title="RMS errors", xlim=(0, 1.35 * max(errors.values())))
axes["errors"].invert_yaxis()
plt.show()
