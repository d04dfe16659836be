"""
Features: an autoencoder in a Pipeline
======================================

The code of an autoencoder is a set of features for the next model, and a grid search chooses how
many. A linear classifier gets far with few of them. As their number grows PCA catches up and the
pixels themselves stay ahead: the gain is in the narrow codes.
"""

# %%
# The same pipeline with two first steps. The parameter of the step is reached as
# ``autoencoder__n_components``; each fold fits its own autoencoder, so nothing of the test rows
# leaks into the features.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from skmlp import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)

autoencoder = AutoencoderTransformer(
    hidden_layer_sizes=(128,),
    feature_scaling=None,
    batch_size=64,
    learning_rate="one_cycle",
    learning_rate_init=0.005,
    max_iter=30,
    random_state=0,
)
steps = {"autoencoder": autoencoder, "pca": PCA(random_state=0)}
widths = [2, 4, 8, 16, 32]
searches = {}
for name, step in steps.items():
    pipeline = Pipeline(
        [
            (name, step),
            ("classifier", LogisticRegression(max_iter=2000)),
        ]
    )
    search = GridSearchCV(pipeline, {f"{name}__n_components": widths}, cv=3)
    searches[name] = search.fit(X_train, y_train)

# %%
# The mean over the folds, one standard deviation of the folds to each side, and the classifier on
# all 64 pixels for comparison.

pixels = LogisticRegression(max_iter=2000).fit(X_train, y_train).score(X_test, y_test)

figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
for (name, search), marker in zip(searches.items(), "os", strict=True):
    mean, sd = (search.cv_results_[f"{which}_test_score"] for which in ("mean", "std"))
    label = {"autoencoder": "autoencoder", "pca": "PCA"}[name]
    best = search.best_params_[f"{name}__n_components"]
    test = search.score(X_test, y_test)
    axes.errorbar(
        widths,
        mean,
        sd,
        marker=marker,
        capsize=3,
        label=f"{label}: {test:.3f} on test rows, k={best}",
    )
axes.axhline(
    pixels, color="gray", linestyle="--", label=f"all 64 pixels: {pixels:.3f} on test rows"
)
axes.set_xscale("log", base=2)
axes.set_xticks(widths, widths)
axes.set(
    title="Logistic regression of digits on k features",
    xlabel="number of components k",
    ylabel="accuracy, three folds",
)
axes.grid(alpha=0.3)
axes.legend(loc="lower right")
plt.show()
