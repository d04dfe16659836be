"""
Compression: an autoencoder beside PCA
======================================

Digits of 64 pixels are reduced to a few numbers and restored from them. With the same number of
components an autoencoder restores the digits better than principal component analysis does,
because its code may be curved; the fewer components, the larger the gain.
"""

# %%
# The digits that come with scikit-learn, 1797 images of 8 x 8 pixels. A quarter of them is kept for
# the test. All pixels have one unit, so they are only divided by their maximum, for both methods.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skmlp import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, _, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)

# %%
# `inverse_transform` takes the codes back to pixels, as that of PCA does. With ``init="pca"``
# training starts from the principal components.

widths = [2, 4, 8, 16, 32]
restored = {"autoencoder": {}, "PCA": {}}
for k in widths:
    models = {
        "autoencoder": AutoencoderTransformer(
            n_components=k,
            hidden_layer_sizes=(128, 64),
            feature_scaling=None,
            init="pca",
            batch_size=64,
            learning_rate="one_cycle",
            learning_rate_init=0.005,
            max_iter=50,
            random_state=0,
        ),
        "PCA": PCA(k),
    }
    for name, model in models.items():
        codes = model.fit(X_train).transform(X_test)
        restored[name][k] = model.inverse_transform(codes)

errors = {
    name: [((images[k] - X_test) ** 2).mean() for k in widths] for name, images in restored.items()
}

# %%
# One test image of every digit: the original, then what is left of it after compression.

shown = [(y_test == digit).nonzero()[0][0] for digit in range(10)]
rows = [("original", X_test)]
rows += [(f"{name}, {k}", restored[name][k]) for k in (2, 8, 16) for name in ("autoencoder", "PCA")]

figure = plt.figure(figsize=(11, 4.8), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.35, 1], wspace=0.05)
figure.suptitle("Digits restored from a few numbers, test images")
for axes, (name, images) in zip(left.subplots(len(rows), 1), rows, strict=True):
    axes.imshow(images[shown].reshape(10, 8, 8).swapaxes(0, 1).reshape(8, 80), cmap="gray_r")
    axes.images[0].set_clim(0, 1)
    axes.set(xticks=[], yticks=[])
    axes.set_ylabel(name, rotation=0, ha="right", va="center")

axes = right.subplots()
for name, marker in (("PCA", "s"), ("autoencoder", "o")):
    axes.plot(widths, errors[name], marker=marker, label=name)
axes.set_xscale("log", base=2)
axes.set_xticks(widths, widths)
axes.set_ylim(0)
axes.set(
    title="Mean squared error of a pixel", xlabel="number of components", ylabel="error, test rows"
)
axes.grid(alpha=0.3)
axes.legend()
plt.show()
