"""Removal of noise from digits: denoising autoencoders beside plain ones and PCA."""

import numpy as np
from _codes import mean_error, verdict, written
from _data import digits_split
from _tables import MarkdownTable
from sklearn.decomposition import PCA

from skmlp import AutoencoderTransformer


def gaussian(X, level, rng):
    """X plus normal noise."""
    return X + level * rng.standard_normal(X.shape)


def masking(X, level, rng):
    """Entries are 0 with probability `level`."""
    return np.where(rng.random(X.shape) < level, 0.0, X)


def salt_and_pepper(X, level, rng):
    """Entries are 0 or 1, each with probability `level` / 2."""
    return np.where(rng.random(X.shape) < level, np.round(rng.random(X.shape)), X)


# Corruption, its level, and the goal for the mean squared error
GOALS = {gaussian: (0.3, 0.0154), masking: (0.25, 0.0153), salt_and_pepper: (0.25, 0.0236)}

PARAMETERS = {
    "n_components": 128,
    "hidden_layer_sizes": (256,),
    "code_activation": "relu",
    "loss": "log_loss",
    "batch_size": 64,
    "learning_rate": "cosine",
    "learning_rate_init": 0.002,
    "max_iter": 300,
    "n_iter_no_change": np.inf,
}
PLAIN = PARAMETERS | {"n_components": 12}  # as wide as the best of PCA: no code to copy through


def with_extremes(X):
    """X and two more rows, all 0 and all 1.

    Training sets entries to the least and the largest value of their feature; the images at test
    time get 0 or 1 also in the corners, which are black in all training images.
    """
    return np.concatenate([X, np.zeros((1, X.shape[1])), np.ones((1, X.shape[1]))])


def of_noise(noise, level, seed, **changes):
    """An autoencoder that is trained on images corrupted in the same way."""
    parameters = PARAMETERS | {"noise": noise.__name__, "noise_level": level} | changes
    return AutoencoderTransformer(random_state=seed, **parameters)


def plain(seed):
    """An undercomplete autoencoder that sees no noise in training."""
    return AutoencoderTransformer(random_state=seed, **PLAIN)


def pca_error(k, X, corrupted, clean):
    """Error of the corrupted images put through principal component analysis."""
    pca = PCA(k, svd_solver="full").fit(X)
    return mean_error(clean, pca.inverse_transform(pca.transform(corrupted)))


def measure(noise, level, plains):
    """Errors by contestant; those of the autoencoders are arrays by seed."""
    X, _, clean, _ = digits_split()
    corrupted = noise(clean, level, np.random.default_rng(0))
    rows = with_extremes(X) if noise is salt_and_pepper else X
    return {
        "nothing": mean_error(clean, corrupted),
        "PCA 8": pca_error(8, X, corrupted, clean),
        "PCA 12": pca_error(12, X, corrupted, clean),
        "plain": np.array([mean_error(clean, p.reconstruct(corrupted)) for p in plains]),
        "denoising": np.array(
            [
                mean_error(clean, of_noise(noise, level, s).fit(rows).reconstruct(corrupted))
                for s in range(len(plains))
            ]
        ),
    }


NOTES = """
nothing: the corrupted image itself. plain: the same network with a code of 12 units and without
noise in training. denoising: trained on images with the same kind of noise, drawn anew in every
batch. Test images are corrupted once, by default_rng(0). Salt and pepper set entries to 0 or 1
also where all training images are black; noise="salt_and_pepper" takes the least and the largest
training value of a feature, which two more training rows, one black and one white, make 0 and 1."""


def denoising(args):
    """Print a row per kind of noise."""
    seeds = 1 if args.quick else args.seeds
    print(
        "Digits / 16 (1347 training rows, 450 test rows): mean squared error of a pixel between\n"
        "the clean test image and what is made of its corrupted copy.\n"
        f"Configuration: {written(PARAMETERS)}; mean of {seeds} seeds.\n"
    )
    names = ("nothing", "PCA 8", "PCA 12", "plain", "denoising")
    table = MarkdownTable(("noise", "level", *names, "lowest", "highest", "bar", ""), 15)
    print(table.head(), flush=True)
    plains = [plain(seed).fit(digits_split()[0]) for seed in range(seeds)]
    for noise, (level, bar) in GOALS.items():
        errors = measure(noise, level, plains)
        best = errors["denoising"]
        numbers = [np.mean(errors[name]) for name in names] + [best.min(), best.max(), bar]
        cells = [f"{level}", *(f"{number:.4f}" for number in numbers), verdict(best.mean(), bar)]
        print(table.row(noise.__name__, *cells), flush=True)
    print(NOTES)
