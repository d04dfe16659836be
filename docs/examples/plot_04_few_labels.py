"""
Initialising: a classifier with few labels
==========================================

Many images, few labels: a denoising autoencoder learns from all training images, and its encoder
becomes the first layers of a classifier that learns from 50, 100 or 200 labels. Here that gains two
to six points of accuracy over a random start of the same layers, most with the fewest labels and
when the encoder is kept fixed. Over simpler models, one wide layer or logistic regression, the gain
is about half of that. With the settings of both tuned for each number of labels it was less than a
point (``python benchmarks/run.py labels``).
"""

# %%
# The autoencoder sees all training images and no label. The noise matters: without it, and with a
# code of 16 units, next to nothing was gained here.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skmlp import AutoencoderTransformer, MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.4, random_state=0, stratify=y
)
training = {"batch_size": 32, "learning_rate": "one_cycle", "learning_rate_init": 0.005}
autoencoder = AutoencoderTransformer(
    n_components=64,
    hidden_layer_sizes=(128,),
    code_activation="relu",
    feature_scaling=None,
    noise="gaussian",
    noise_level=0.3,
    max_iter=60,
    random_state=0,
    **training,
).fit(X_train)

# %%
# Three networks of the same layers, 128, 64 and 50 units, and two simpler models.
# ``FrozenEstimator`` says: start from the weights of this encoder. With
# ``encoder_learning_rate=0`` they stay as they are.


def classifiers(seed):
    """The rivals, not fitted."""
    own = {"max_iter": 60, "random_state": seed, **training}
    given = {"hidden_layer_sizes": (50,), "encoder": FrozenEstimator(autoencoder), **own}
    return {
        "encoder, kept fixed": MLPClassifier(encoder_learning_rate=0.0, **given),
        "encoder, trained along": MLPClassifier(**given),
        "random start, same layers": MLPClassifier((128, 64, 50), feature_scaling=None, **own),
        "random start, one layer of 256": MLPClassifier((256,), feature_scaling=None, **own),
        "logistic regression": LogisticRegression(max_iter=1000),
    }


sizes, seeds = [50, 100, 200], range(5)
scores = {name: np.empty((len(sizes), len(seeds))) for name in classifiers(0)}
for i, n_labels in enumerate(sizes):
    for seed in seeds:
        X_few, _, y_few, _ = train_test_split(
            X_train, y_train, train_size=n_labels, stratify=y_train, random_state=seed
        )
        for name, model in classifiers(seed).items():
            scores[name][i, seed] = model.fit(X_few, y_few).score(X_test, y_test)

# %%
# Means over five draws of the labelled rows with 95 % intervals. The draws are the same for all,
# so that differences are known better than the bars say.

figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
places = np.arange(len(sizes))
for k, (name, values) in enumerate(scores.items()):
    half = 2.78 * values.std(axis=1, ddof=1) / np.sqrt(len(seeds))  # Student's t, 4 degrees
    style = "none" if name == "logistic regression" else "-"
    axes.errorbar(
        places + 0.07 * (k - 2),
        values.mean(axis=1),
        half,
        marker="osDv^"[k],
        capsize=3,
        linestyle=style,
        label=name,
        color="gray" if style == "none" else f"C{k}",
    )
axes.set_xticks(places, sizes)
axes.set(
    title=f"Digits, {len(X_train)} training images of which few have labels",
    xlabel="number of labelled images",
    ylabel="accuracy, test rows",
)
axes.grid(alpha=0.3)
axes.legend(loc="lower right")
plt.show()
