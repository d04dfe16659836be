"""
Noise removal: denoising autoencoders
=====================================

A denoising autoencoder is trained to restore clean rows from corrupted ones, with fresh noise in
every batch. Given digits that are corrupted in the same way, which it has never seen, it repairs
most of them.
"""

# %%
# Three kinds of noise are built in. Here the test images are corrupted by hand, in the same
# way. ``feature_scaling=None`` makes `noise_level` a number in the units of X.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmlp import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, _, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)

rng = np.random.default_rng(0)
hit = rng.random(X_test.shape) < 0.25
ends = np.where(rng.random(X_test.shape) < 0.5, X_train.min(axis=0), X_train.max(axis=0))
corrupted = {
    ("gaussian", 0.3): X_test + rng.normal(0, 0.3, X_test.shape),
    ("masking", 0.25): np.where(hit, 0, X_test),
    ("salt_and_pepper", 0.25): np.where(hit, ends, X_test),
}

# %%
# The code may be wider than the input: it is the noise that keeps the network from copying.

repaired = {}
for (noise, level), images in corrupted.items():
    model = AutoencoderTransformer(
        n_components=64,
        hidden_layer_sizes=(256,),
        code_activation="relu",
        feature_scaling=None,
        noise=noise,
        noise_level=level,
        batch_size=64,
        learning_rate="one_cycle",
        learning_rate_init=0.005,
        max_iter=60,
        random_state=0,
    ).fit(X_train)
    repaired[noise] = model.reconstruct(images)

# %%
# One test image of every digit.


def error(images):
    return ((images - X_test) ** 2).mean()


def strip(images):
    return images[shown].reshape(10, 8, 8).swapaxes(0, 1).reshape(8, 80)


shown = [(y_test == digit).nonzero()[0][0] for digit in range(10)]
figure = plt.figure(figsize=(8.5, 8.2), layout="constrained")
figure.suptitle("Noise removed from test images")
parts = figure.subfigures(3, 1, hspace=0.04)
for part, ((noise, level), images) in zip(parts, corrupted.items(), strict=True):
    part.suptitle(
        f"{noise.replace('_', ' ').capitalize()}, level {level}: mean squared error "
        f"{error(images):.3f} before, {error(repaired[noise]):.3f} after",
        fontsize="medium",
    )
    rows = {"clean": X_test, "corrupted": images, "repaired": repaired[noise]}
    for axes, (name, row) in zip(part.subplots(3, 1), rows.items(), strict=True):
        axes.imshow(strip(row), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()
