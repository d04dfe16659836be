"""Few labels: a classifier that starts from an autoencoder of all rows, and one from scratch."""

import warnings

import numpy as np
from _codes import written
from _data import digits_split
from _tables import MarkdownTable, interval
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split

from skmlp import AutoencoderTransformer, MLPClassifier

AUTOENCODER = {
    "n_components": 128,
    "hidden_layer_sizes": (256,),
    "code_activation": "relu",
    "loss": "log_loss",
    "noise": "masking",
    "noise_level": 0.25,
    "batch_size": 64,
    "learning_rate": "cosine",
    "learning_rate_init": 0.002,
    "max_iter": 200,
    "n_iter_no_change": np.inf,
}
NETWORK = {"max_iter": 200, "batch_size": 32, "n_iter_no_change": np.inf}

# Six settings for each, chosen by cross-validation on the labelled rows only
ALPHAS = (1e-4, 1.0)
GRIDS = {
    "pre-trained": {"encoder_learning_rate": (0.0, 0.1, 1.0), "alpha": ALPHAS},
    "random start": {"learning_rate_init": (0.0003, 0.001, 0.003), "alpha": ALPHAS},
    "logistic": {"C": (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)},
}
LABELS = (50, 100, 200, None)
FOLDS = 3


def denoising_autoencoder(seed):
    """An autoencoder of unlabelled rows."""
    return AutoencoderTransformer(random_state=seed, **AUTOENCODER)


def contestant(name, autoencoder, seed):
    """An unfitted classifier."""
    if name == "logistic":
        return LogisticRegression(max_iter=2000)
    if name == "pre-trained":
        encoder = FrozenEstimator(autoencoder)
        return MLPClassifier((), encoder=encoder, random_state=seed, **NETWORK)
    hidden = (*AUTOENCODER["hidden_layer_sizes"], AUTOENCODER["n_components"])
    return MLPClassifier(hidden, feature_scaling=None, random_state=seed, **NETWORK)


def labelled(y, n_labels, seed):
    """Indices of so many stratified rows; of all for None."""
    rows = np.arange(len(y))
    if n_labels is None:
        return rows
    return train_test_split(rows, train_size=n_labels, random_state=seed, stratify=y)[0]


def accuracies(n_labels, autoencoders):
    """Test accuracies in per cent, by contestant, one for each seed."""
    X, y, X_test, y_test = digits_split()
    found = {name: [] for name in GRIDS}
    for seed, autoencoder in enumerate(autoencoders):
        rows = labelled(y, n_labels, seed)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        for name, grid in GRIDS.items():
            search = GridSearchCV(contestant(name, autoencoder, seed), grid, cv=folds)
            found[name].append(100 * search.fit(X[rows], y[rows]).score(X_test, y_test))
    return {name: np.array(values) for name, values in found.items()}


def with_interval(values, sign=""):
    """Mean and 95 % t-interval, as in ``91.2 +- 0.8``."""
    mean, half = interval(values)
    return f"{mean:{sign}.1f} +- {half:.1f}"


NOTES = f"""
Accuracy in per cent on the 450 test rows, mean of seeds with the 95 % t-interval; the seed draws
the labelled rows, the autoencoder and the network. pre-trained: MLPClassifier((), encoder=
FrozenEstimator(autoencoder)), the autoencoder fitted to all 1347 training rows without labels.
random start: the same layers. gain: pre-trained minus random start on the same rows.
Each is tuned on six settings by {FOLDS}-fold cross-validation on its labelled rows:
{"; ".join(f"{name}: {grid}" for name, grid in GRIDS.items())}.
Autoencoder: {written(AUTOENCODER)}.
Both networks: {written(NETWORK)}."""


def labels(args):
    """Print a row per number of labelled rows."""
    X = digits_split()[0]
    autoencoders = [denoising_autoencoder(seed).fit(X) for seed in range(args.seeds)]
    table = MarkdownTable(("labelled rows", *GRIDS, "gain"), 13, 12)
    print(table.head(), flush=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # they run for all their epochs
        for n_labels in LABELS[:2] if args.quick else LABELS:
            found = accuracies(n_labels, autoencoders)
            gain = with_interval(found["pre-trained"] - found["random start"], "+")
            cells = [with_interval(found[name]) for name in GRIDS]
            print(table.row(f"{n_labels or f'all {len(X)}'}", *cells, gain), flush=True)
    print(NOTES)
