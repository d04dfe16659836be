"""
Checking gradients, and what it costs
=====================================

The derivatives of the error E by the weights can be had by backpropagation, or by moving one weight
after another by a small eps. The second way is so simple that it can hardly be wrong, which makes
it the check of the first. It is not exact, and it is slow: `skmlp.inspection.check_gradient`
compares both, and this figure shows how to choose eps and why nobody trains by differences.
"""

# %%
# A network with sigmoid units on 200 rows, 141 weights. The forward formula,
# (E(w + eps) - E(w)) / eps, is off by about eps, the central formula,
# (E(w + eps) - E(w - eps)) / (2 eps), by about eps squared. But E is only known to about 16 digits:
# dividing its rounding error by a tiny eps makes that large.

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning

from skmlp import MLPRegressor
from skmlp.inspection import check_gradient

X, y = make_regression(n_samples=200, n_features=12, noise=20.0, random_state=0)
model = MLPRegressor(hidden_layer_sizes=(10,), activation="logistic", random_state=0)
sizes = 10.0 ** np.arange(-13, 0.1, 0.5)
errors = {
    scheme: [check_gradient(model, X, y, scheme, eps).relative_error for eps in sizes]
    for scheme in ("forward", "central")
}
chosen = {scheme: check_gradient(model, X, y, scheme) for scheme in errors}
for scheme, result in chosen.items():
    print(f"{scheme}: eps {result.eps:.1e}, relative error {result.relative_error:.1e}")

# %%
# The cost. Backpropagation is one pass forward and one backward, about three times the work of one
# pass forward, whatever the number of weights. The forward formula needs a pass forward for each
# weight: twice as many weights, each pass twice as long. Passes are timed as a prediction and as an
# epoch of one batch, and one check is timed as a whole where that is possible in seconds.


def seconds(run, repeats=3):
    """Shortest of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def cost(width, n_epochs=20):
    """Number of weights; seconds by backpropagation, by differences, and of a check."""
    settings = {"hidden_layer_sizes": (width, width), "activation": "logistic", "random_state": 0}
    network = MLPRegressor(solver="sgd", batch_size=200, max_iter=n_epochs, **settings).fit(X, y)
    n = network.theta_.size
    epoch = seconds(lambda: network.fit(X, y)) / n_epochs
    forward = seconds(lambda: network.predict(X))
    check = seconds(lambda: check_gradient(network, X, y), 1) if n < 3000 else np.nan
    return n, epoch, (n + 1) * forward, check


with warnings.catch_warnings():
    # Twenty epochs are not meant to train anything.
    warnings.simplefilter("ignore", ConvergenceWarning)
    costs = [cost(width) for width in (4, 12, 40, 120, 400, 1000)]
n_weights, backpropagation, differences, checked = np.transpose(costs)
for n, times in zip(n_weights, differences / backpropagation, strict=True):
    print(f"{n:9.0f} weights: by differences {times:7.0f} times slower")

# %%
# Left: from the right, errors fall with slopes 1 and 2; from the left, rounding takes over. The
# dots are what `eps=None` takes, the square and the cube root of the machine epsilon. Right: with a
# million weights one gradient takes hundredths of a second by backpropagation, and hours by
# differences.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for (scheme, error), color, power in zip(errors.items(), ("C0", "C3"), (1, 2), strict=True):
    axes[0].loglog(sizes, error, color=color, label=f"{scheme} formula")
    axes[0].plot(chosen[scheme].eps, chosen[scheme].relative_error, "o", color=color)
    guide = error[-5] * (sizes / sizes[-5]) ** power
    axes[0].loglog(sizes, guide, "--", color=color, linewidth=0.8, alpha=0.6)
rounding = errors["forward"][2] * sizes[2] / sizes
axes[0].loglog(sizes, rounding, ":", color="0.4", label="rounding, ~ 1 / eps")
axes[0].set(title="error of the difference formulas", xlabel="eps", ylim=(1e-12, 1))
axes[0].set_ylabel("relative error of the gradient")
axes[0].legend(loc="upper center", fontsize=9)
axes[1].loglog(n_weights, differences, "o-", color="C0")
axes[1].loglog(n_weights, checked, "x", color="0.3")
axes[1].loglog(n_weights, backpropagation, "o-", color="C2")
for place, text, color in (
    ((8e3, 80), "differences:\nW + 1 passes forward", "C0"),
    ((4e4, 0.04), "x: check_gradient", "0.3"),
    ((9e5, 7e-4), "backpropagation", "C2"),
):
    axes[1].text(*place, text, color=color, ha="right")
for level, name in ((1, "a second"), (60, "a minute"), (3600, "an hour")):
    axes[1].axhline(level, color="0.85", linewidth=0.8, zorder=0)
    axes[1].text(1.4e6, level, name, fontsize=8, color="0.5", va="center")
axes[1].set(title="seconds for one gradient, 200 rows", xlabel="number W of weights")
axes[1].set(xlim=(60, 1.3e6), ylim=(5e-5, 5e4))
figure.suptitle("Two ways to a gradient: one is easy to trust, the other is fast")

plt.show()
