"""
Heavy tails: one column that would spoil all
============================================

Incomes, sizes, counts: a few values are thousands of times the others. Divided by their standard
deviation, nearly all rows are the same number, and the largest new ones are far outside of
anything that training has seen. The default scaling notices such columns.
"""

# %%
# The second column is log-normal with sigma = 4, and half of what there is to know of y is in its
# logarithm.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import r2_score

from skmlp import MLPRegressor

rng = np.random.default_rng(0)


def rows(n):
    normal, exponent = rng.normal(size=(2, n))
    X = np.column_stack([normal, np.exp(4 * exponent)])
    return X, normal + exponent + rng.normal(0, 0.3, n)


X, y = rows(800)
X_new, y_new = rows(2000)
z = (X[:, 1] - X[:, 1].mean()) / X[:, 1].std()
print(f"{np.mean(np.abs(z) < 0.2):.0%} of the rows are within 0.2 standard deviations")

# %%
# ``feature_scaling="auto"``, the default, scales this column by its quartiles and bends it, as
# ``"robust"`` does with all columns; the first column is left as ``"standard"`` has it. With
# ``clip_predictions=True`` no prediction leaves the range of y.

colours = {"standard": "#c2504a", "auto": "#3b6ea5"}
settings = {"hidden_layer_sizes": (32, 32), "random_state": 0}
models = {
    kind: MLPRegressor(feature_scaling=kind, **settings).fit(X, y) for kind in ("standard", "auto")
}
clipped = MLPRegressor(feature_scaling="standard", clip_predictions=True, **settings).fit(X, y)
for name, model in {**models, "standard, clipped": clipped}.items():
    print(f"{name:18} R2 of new rows {r2_score(y_new, model.predict(X_new)):.3f}")

# %%
# Along the column, the first one held at 0:

figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
figure.suptitle("A log-normal column (sigma = 4) beside a normal one")
along = np.column_stack([np.zeros(400), np.geomspace(1e-7, 1e8, 400)])
axes[0].plot(along[:, 1], np.log(along[:, 1]) / 4, "--", color="black", linewidth=1, label="truth")
for kind, model in models.items():
    label = f'feature_scaling="{kind}"'
    axes[0].plot(along[:, 1], model.predict(along), color=colours[kind], linewidth=2, label=label)
axes[0].plot(
    along[:, 1], clipped.predict(along), ":", color=colours["standard"], linewidth=2,
    label='"standard", clip_predictions=True',
)  # fmt: skip
axes[0].plot(X[:, 1], np.full(len(X), -5.7), "|", color="0.5", markersize=8, label="training rows")
axes[0].set(xscale="log", ylim=(-6, 8), xlabel="the column", ylabel="prediction")
axes[0].set_title("What is learned of it")
axes[0].legend(loc="upper left", fontsize=9)

ends = [y_new.min(), y_new.max()]
axes[1].plot(ends, ends, color="black", linewidth=1)
for kind, model in models.items():
    found = model.predict(X_new)
    label = f'"{kind}": R2 {r2_score(y_new, found):.2f}'
    axes[1].plot(y_new, found, ".", color=colours[kind], markersize=4, alpha=0.6, label=label)
axes[1].set(ylim=(-6, 8), xlabel="y of new rows", ylabel="prediction")
axes[1].set_title("New rows")
axes[1].legend(loc="upper left", fontsize=9)
plt.show()
