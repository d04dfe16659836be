"""
Early stopping: the epoch where learning turns into memorising
==============================================================

A wide network and few noisy rows: the training loss falls for as long as one lets it, while the
loss on rows that training does not see falls and then rises again. Stopping between the two is the
cheapest regularisation there is.
"""

# %%
# With ``early_stopping=False`` and a validation set, all epochs are made, the curves are recorded
# and the best epoch is restored. That shows what early stopping would have been spared.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmlp import MLPRegressor
from skmlp.displays import LossCurveDisplay

rng = np.random.default_rng(1)


def wave(x):
    return np.sin(5 * x) * np.exp(-x)


def rows(n):
    x = rng.uniform(0, 2, n)
    return x[:, np.newaxis], wave(x) + rng.normal(0, 0.25, n)


X, y = rows(40)
X_val, y_val = rows(60)
settings = {
    "hidden_layer_sizes": (200, 200),
    "activation": "tanh",
    "alpha": 0.0,
    "batch_size": 40,
    "learning_rate_init": 0.002,
    "scoring": "loss",
    "tol": 0.0,
    "random_state": 0,
}
long = MLPRegressor(max_iter=3000, n_iter_no_change=3000, early_stopping=False, **settings)
long.fit(X, y, X_val=X_val, y_val=y_val)
stopped = MLPRegressor(max_iter=3000, n_iter_no_change=100, **settings)
stopped.fit(X, y, X_val=X_val, y_val=y_val)
print("all epochs made, the best is", long.best_iteration_)
print("early stopping:", stopped.n_iter_, "epochs, the best is", stopped.best_iteration_)
print(stopped.stop_reason_)

# %%
# The last network has no validation set: it is what comes of the same training when nobody watches.

memorised = MLPRegressor(max_iter=3000, n_iter_no_change=3000, **settings)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # it says that this could go on for ever
    memorised.set_params(scoring=None).fit(X, y)

figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
figure.suptitle("40 noisy rows, two hidden layers of 200 units")
display = LossCurveDisplay.from_estimator(long, ax=axes[0], yscale="linear")
axes[0].axvline(stopped.n_iter_, color="0.5", linewidth=1)
axes[0].annotate(
    "early stopping ends here",
    (stopped.n_iter_, 0.47),
    xytext=(8, 0),
    textcoords="offset points",
    color="0.35",
)
axes[0].set_title("Losses, and the epoch that is restored")

grid = np.linspace(0, 2, 400)
axes[1].plot(X.ravel(), y, "o", color="0.6", markersize=4, label="training rows")
axes[1].plot(grid, wave(grid), "--", color="black", linewidth=1, label="truth")
for model, label, colour in (
    (memorised, f"after {memorised.n_iter_} epochs", "#c2504a"),
    (stopped, f"epoch {stopped.best_iteration_}, restored", "#3b6ea5"),
):
    curve = model.predict(grid[:, np.newaxis])
    error = np.sqrt(np.mean((curve - wave(grid)) ** 2))
    axes[1].plot(grid, curve, color=colour, linewidth=2, label=f"{label}: error {error:.2f}")
axes[1].set(title="What the two have learned", xlabel="x", ylabel="y")
axes[1].legend(fontsize=9)
plt.show()
