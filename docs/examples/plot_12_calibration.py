"""
Calibration and ensembles on real data
======================================

On few rows a network is too sure of itself: its 90 % intervals hold far less than that. Averaging
networks helps, and rows that are kept apart to calibrate on repair most of the rest. What they
cannot do is to make wrong predictions right: the intervals become honest by becoming wider.
"""

# %%
# The diabetes data that come with scikit-learn, 442 patients. By cross-validation every patient is
# in a test set once.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold

from skmlp import DensityRegressor
from skmlp.displays import PITDisplay, QuantileCalibrationDisplay

X, y = load_diabetes(return_X_y=True)
settings = {
    "hidden_layer_sizes": (50,),
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.01,
    "max_iter": 40,
    "random_state": 0,
}
models = {
    "one network": DensityRegressor(**settings),
    "five networks": DensityRegressor(**settings, n_init=5, combine_inits="average"),
    "five, calibrated": DensityRegressor(
        **settings, n_init=5, combine_inits="average", calibration_fraction=0.25
    ),
}

# %%
# `pit` is all that the calibration curves need; the score is the log-likelihood. Calibration costs
# a quarter of the training rows here, and 90 % intervals need at least 20 rows of it.

COVERAGES = np.array([0.5, 0.8, 0.9])
pit = {name: np.empty(len(y)) for name in models}
bounds = {name: np.empty((len(y), 2, len(COVERAGES))) for name in models}
scores = {name: np.empty(len(y)) for name in models}
for train, test in KFold(5, shuffle=True, random_state=0).split(X):
    for name, model in models.items():
        model.fit(X[train], y[train])
        pit[name][test] = model.pit(X[test], y[test])
        scores[name][test] = model.log_prob(X[test], y[test])
        bounds[name][test] = model.predict_interval(X[test], COVERAGES)

held, widths = {}, {}
for name, ends in bounds.items():
    inside = (ends[:, 0] <= y[:, np.newaxis]) & (y[:, np.newaxis] <= ends[:, 1])
    held[name], widths[name] = inside.mean(axis=0), (ends[:, 1] - ends[:, 0]).mean(axis=0)
    print(f"{name:18} log-likelihood {scores[name].mean():.2f}, coverages {held[name].round(2)}")

# %%
# Left the places of y in the predicted distributions, in the middle the same as curves, on the
# right what the intervals hold and how wide they are.

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.6), layout="constrained")
figure.suptitle("Diabetes: what networks promise and what they hold, test rows")
colors = dict(zip(models, ("C1", "C0", "C2"), strict=True))
for name in ("one network", "five, calibrated"):
    PITDisplay(pit=pit[name], name=name).plot(left, color=colors[name])
left.set(title="PIT: uniform is right")
left.legend(fontsize="small", loc="upper center")
for name in models:
    QuantileCalibrationDisplay(pit=pit[name], name=name).plot(middle, color=colors[name])
middle.set(title="Quantiles: the diagonal is right")
middle.legend(fontsize="x-small", loc="upper left")

places = np.arange(len(COVERAGES))
for k, name in enumerate(models):
    bars = right.bar(places + 0.27 * (k - 1), held[name], 0.25, color=colors[name], label=name)
    right.bar_label(bars, [f"{width:.0f}" for width in widths[name]], fontsize="x-small")
right.hlines(COVERAGES, places - 0.42, places + 0.42, color="black", linestyles="--", label="asked")
right.set_xticks(places, [f"{coverage:.0%}" for coverage in COVERAGES])
right.set(
    title="Coverage, with the mean width",
    xlabel="coverage asked for",
    ylabel="share of y inside",
    ylim=(0, 1.3),
)
right.legend(fontsize="small", loc="upper left")
plt.show()
