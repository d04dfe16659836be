"""
Calibration and ensembles on real data
======================================

On few rows a network is too sure of itself: its 90 % intervals hold less than that. The average of
five networks has a far better likelihood, but only slightly wider intervals. Rows that are kept
apart to calibrate on make the intervals honest, and thereby wider.
"""

# %%
# The diabetes data that come with scikit-learn, 442 patients. By cross-validation every patient is
# in a test set once.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold, train_test_split

from skmlp import DensityRegressor
from skmlp.displays import PITDisplay, QuantileCalibrationDisplay

X, y = load_diabetes(return_X_y=True)
settings = {
    "hidden_layer_sizes": (50,),
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.01,
    "max_iter": 60,
    "random_state": 0,
}
models = {
    "one network": DensityRegressor(**settings),
    "five networks": DensityRegressor(**settings, n_init=5, combine_inits="average"),
    "five, calibrated": DensityRegressor(**settings, n_init=5, combine_inits="average"),
}

# %%
# Calibration costs a quarter of the training rows. These are fewer than the 200 from which ranks
# tell the ends of 90 % intervals, so that one number has to do: ``method="scale"`` makes all
# distributions wider by the same factor.

COVERAGES = np.array([0.5, 0.8, 0.9])
pit = {name: np.empty(len(y)) for name in models}
bounds = {name: np.empty((len(y), 2, len(COVERAGES))) for name in models}
scores = {name: np.empty(len(y)) for name in models}
for train, test in KFold(5, shuffle=True, random_state=0).split(X):
    for name, model in models.items():
        if name == "five, calibrated":
            part, apart = train_test_split(train, test_size=0.25, random_state=0)
            model.fit(X[part], y[part]).calibrate(X[apart], y[apart], method="scale")
        else:
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

figure = plt.figure(figsize=(12, 4.8), layout="constrained")
figure.suptitle("Diabetes: what networks promise and what they hold, test rows")
axes = figure.subplot_mosaic(
    [["before", "curves", "held"], ["after", "curves", "held"]], width_ratios=[1, 1.25, 1.25]
)
colors = dict(zip(models, ("C1", "C0", "C2"), strict=True))
for place, name in (("before", "one network"), ("after", "five, calibrated")):
    PITDisplay(pit=pit[name], name=name).plot(axes[place], color=colors[name])
    axes[place].set(ylim=(0, 2.2), title=f"PIT of {name}")
    axes[place].legend(fontsize="x-small", loc="upper center", ncols=2)
axes["before"].set(xlabel="")
for name in models:
    QuantileCalibrationDisplay(pit=pit[name], name=name).plot(axes["curves"], color=colors[name])
axes["curves"].set(title="Quantiles: the diagonal is right")
axes["curves"].legend(fontsize="small", loc="upper left")

places = np.arange(len(COVERAGES))
for k, name in enumerate(models):
    bars = axes["held"].bar(
        places + 0.27 * (k - 1), held[name], 0.25, color=colors[name], label=name
    )
    labels = [f"{width:.0f}" for width in widths[name]]
    axes["held"].bar_label(bars, labels, label_type="center", color="white", fontsize="small")
axes["held"].hlines(
    COVERAGES, places - 0.42, places + 0.42, color="black", linestyles="--", label="asked for"
)
axes["held"].set_xticks(places, [f"{100 * coverage:.0f} %" for coverage in COVERAGES])
axes["held"].set(
    title="Intervals, with their mean widths",
    xlabel="coverage asked for",
    ylabel="share of y inside",
    ylim=(0, 1.3),
)
axes["held"].legend(fontsize="small", loc="upper left", ncols=2)
plt.show()
