"""
Views: two and three dimensions of the digits
=============================================

A code of two or three numbers is a picture of the data. The autoencoder has not seen the classes,
and yet keeps them further apart than the first principal components do.
"""

# %%
# Both methods learn from the training rows; what is drawn are test rows they have not seen.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skmlp import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.4, random_state=0, stratify=y
)


def autoencoder(k):
    return AutoencoderTransformer(
        n_components=k,
        hidden_layer_sizes=(128, 64),
        activation="tanh",
        feature_scaling=None,
        batch_size=64,
        learning_rate="one_cycle",
        learning_rate_init=0.005,
        max_iter=80,
        random_state=0,
    )


codes = {
    (name, k): model.fit(X_train).transform(X_test)
    for k in (2, 3)
    for name, model in (("PCA", PCA(k)), ("Autoencoder", autoencoder(k)))
}

# %%
# How well the classes are kept apart can be counted: how often do the five nearest neighbours in
# the picture have the class of the point?


def share(code):
    """Accuracy of a vote of the five nearest neighbours, cross-validated."""
    return cross_val_score(KNeighborsClassifier(5), code, y_test, cv=5).mean()


figure = plt.figure(figsize=(9, 8), layout="constrained")
figure.suptitle("Codes of test digits, coloured by class (which the models have not seen)")
for place, ((name, k), code) in enumerate(codes.items(), start=1):
    axes = figure.add_subplot(2, 2, place, projection="3d" if k == 3 else None)
    points = axes.scatter(*code.T, c=y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=9)
    axes.set_title(f"{name}, {k}-D: neighbours agree for {share(code):.0%}")
    axes.set(xlabel="component 0", ylabel="component 1")
    axes.locator_params(nbins=5)
    if k == 3:
        axes.set_zlabel("component 2")
bar = figure.colorbar(points, ax=figure.axes, ticks=range(10), shrink=0.5, label="digit")
bar.ax.tick_params(length=0)
plt.show()
