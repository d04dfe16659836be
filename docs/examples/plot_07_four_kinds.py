"""
The four kinds side by side
===========================

Four autoencoders of 36 sigmoid units with tied weights, which differ only in what keeps the code
simple. Their filters, the weights between pixels and units, look different, and so do their
codes: a penalty on activity empties them, a contractive penalty makes them insensitive.
"""

# %%
# Pixels lie between 0 and 1, so that the cross-entropy is the loss. The code has 36 units for 64
# pixels: the plain one need not learn much.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmlp import AutoencoderTransformer

X = load_digits().data / 16
X_train, X_test = train_test_split(X, random_state=0)

kinds = {
    "plain": {},
    "sparse": {"sparsity": "kl", "sparsity_alpha": 0.3, "sparsity_target": 0.05},
    "denoising": {"noise": "masking", "noise_level": 0.5},
    "contractive": {"contractive_alpha": 0.3},
}
models = {
    kind: AutoencoderTransformer(
        n_components=36,
        hidden_layer_sizes=(),
        code_activation="logistic",
        loss="log_loss",
        tied_weights=True,
        batch_size=64,
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        max_iter=100,
        random_state=0,
        **settings,
    ).fit(X_train)
    for kind, settings in kinds.items()
}

# %%
# The Jacobian of a code, how much it moves when the pixels do, is h (1 - h) W for a sigmoid layer.
# Its norm is what the contractive penalty holds down.


def jacobian_norm(model):
    """Mean Frobenius norm over the test rows."""
    h = model.transform(X_test)
    squares = ((h * (1 - h)) ** 2) @ (model.coefs_[0] ** 2).sum(axis=0)
    return np.sqrt(squares).mean()


def mosaic(weights):
    """Filters of 8 x 8 pixels in a square of 6 x 6, each divided by its largest entry."""
    images = (weights / abs(weights).max(axis=0)).T.reshape(6, 6, 8, 8)
    framed = np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    return framed.swapaxes(1, 2).reshape(54, 54)[:-1, :-1]


figure, axes = plt.subplots(
    2, 4, figsize=(10, 5.3), layout="constrained", height_ratios=[2.3, 1], sharey="row"
)
figure.suptitle("Filters and codes of four autoencoders of 36 sigmoid units, digits")
for (above, below), (kind, model) in zip(axes.T, models.items(), strict=True):
    h = model.transform(X_test)
    above.imshow(mosaic(model.coefs_[0]), cmap="RdBu_r", vmin=-1, vmax=1)
    above.set(xticks=[], yticks=[])
    above.set_title(
        f"{kind}\nJacobian norm {jacobian_norm(model):.1f}\nmean activity {h.mean():.2f}\n"
        f"error of a pixel {model.reconstruction_error(X_test).mean():.4f}",
        fontsize="medium",
    )
    below.hist(h.ravel(), np.linspace(0, 1, 21), weights=np.full(h.size, 1 / h.size), color="C0")
    below.set(xlabel="activity of a unit", xticks=[0, 0.5, 1])
axes[1, 0].set_ylabel("share of activities")
plt.show()
