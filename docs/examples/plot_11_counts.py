"""
Counts: Poisson and negative binomial
=====================================

Counts that vary more than a Poisson distribution allows look fine as long as only the mean is
plotted. The intervals and the places of the test counts in their distributions tell: the Poisson is
far too sure, the negative binomial has a second output for the spread.
"""

# %%
# Say, rentals per hour of the day. The variance is m + m^2 / 3: days differ in ways that the hour
# does not tell.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import nbinom

from skmlp import DensityRegressor
from skmlp.displays import DensityDisplay, PITDisplay
from skmlp.metrics import interval_coverage

SIZE = 3.0


def true_mean(hour):
    morning, evening = (np.exp(-0.5 * ((hour - h) / 1.7) ** 2) for h in (8.0, 17.5))
    return 2 + 25 * morning + 32 * evening


def draw(n):
    hour = rng.uniform(0, 24, n)
    rate = true_mean(hour) * rng.gamma(SIZE, 1 / SIZE, n)
    return hour.reshape(-1, 1), rng.poisson(rate)


rng = np.random.default_rng(0)
X, y = draw(3000)
X_test, y_test = draw(2000)

# %%
# Both are fitted to the counts as they are, through the logarithm of the mean.

models = {
    name: DensityRegressor(
        distribution,
        (100, 100),
        learning_rate="cosine",
        learning_rate_init=0.01,
        max_iter=60,
        n_iter_no_change=np.inf,
        random_state=0,
    ).fit(X, y)
    for name, distribution in {
        "Poisson": "poisson",
        "Negative binomial": "negative_binomial",
    }.items()
}

# %%
# The PIT of a test row is the share of its predicted distribution below y. Of right distributions
# it is uniform; high bars at both ends mean that y is too often far out. Counts get a random place
# in their step. Intervals of counts end on whole numbers, so that even the right ones hold more
# than is asked for.

right = nbinom(SIZE, SIZE / (SIZE + true_mean(X_test[:, 0]))).interval(0.9)
held = interval_coverage(y_test, np.stack(right, axis=1))
print(f"90 % intervals of the true distributions hold {100 * held:.0f} %")

figure, axes = plt.subplots(
    2, 2, figsize=(10, 6.6), layout="constrained", sharey="row", height_ratios=[1.4, 1]
)
figure.suptitle("Counts that vary more than a Poisson distribution allows")
hours = np.linspace(0, 24, 200)
for (above, below), (name, model), color in zip(
    axes.T, models.items(), ("tab:orange", "tab:blue"), strict=True
):
    DensityDisplay.from_estimator(
        model, X, y, ax=above, coverages=(0.5, 0.9), color=color, subsample=500, random_state=0
    )
    above.plot(hours, true_mean(hours), "k:", label="true mean")
    coverage = interval_coverage(y_test, model.predict_interval(X_test, 0.9))
    score = model.score(X_test, y_test)
    above.set(
        title=f"{name}: log-likelihood {score:.2f}\n90 % intervals hold {100 * coverage:.0f} %"
    )
    above.set(xlabel="hour of the day", ylabel="count")
    above.legend(fontsize="small", loc="upper left")
    PITDisplay.from_estimator(
        model, X_test, y_test, random_state=0, n_bins=20, name="test counts", color=color, ax=below
    )
    below.legend(fontsize="small", loc="upper center")
plt.show()
