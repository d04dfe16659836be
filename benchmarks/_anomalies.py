"""Anomaly detection trained on normal rows: the default detector beside simple rivals and PyOD."""

import contextlib
import io
from time import perf_counter

import numpy as np
from _data import ANOMALIES, ANOMALY_SOURCE, QUICK_ANOMALIES, anomaly_path, missing_anomalies
from _tables import MarkdownTable, installed
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from skmlp import AutoencoderOutlierDetector

BARS = {"mean AUROC of skmlp": 0.92}

# The lead over the nearest neighbours comes from these two, on which distances say little.
DECISIVE = ("Wilt", "InternetAds")


def clean_split(X, is_anomaly, seed):
    """Half of the shuffled normal rows to train on, the other half and all anomalies to test on.

    Returns
    -------
    X_train, X_test, is_anomaly_test : ndarray
    """
    normal = np.random.default_rng(seed).permutation(X[~is_anomaly])
    half = len(normal) // 2
    X_test = np.concatenate([normal[half:], X[is_anomaly]])
    return normal[:half], X_test, np.arange(len(X_test)) >= len(normal) - half


# Contestants: called with training rows, test rows and a seed, they yield a name and the anomaly
# scores of the test rows (higher: more anomalous), one pair or several.


def ours(X_train, X_test, seed):
    """The default detector, and the plain squared error of the very same networks."""
    detector = AutoencoderOutlierDetector(random_state=seed).fit(X_train)
    yield OURS, -detector.score_samples(X_test)
    frozen = FrozenEstimator(detector.autoencoder_)
    plain = AutoencoderOutlierDetector(frozen, anomaly_score="squared_error").fit(X_train)
    yield "squared error", -plain.score_samples(X_test)


def pyod_autoencoder(X_train, X_test, seed):
    """PyOD's autoencoder with its defaults."""
    from pyod.models.auto_encoder import AutoEncoder

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        model = AutoEncoder(random_state=seed, verbose=0).fit(X_train)
        scores = model.decision_function(X_test)
    yield PYOD, scores


def nearest_neighbours(X_train, X_test, seed):
    """Mean distance to the five nearest training rows."""
    distances, _ = NearestNeighbors(n_neighbors=5).fit(X_train).kneighbors(X_test)
    yield KNN, distances.mean(axis=1)


def mahalanobis(X_train, X_test, seed):
    """Mahalanobis distance to the mean; a ridge makes the covariance invertible."""
    model = EmpiricalCovariance(store_precision=False).fit(X_train)
    ridge = 1e-6 * np.trace(model.covariance_) / X_train.shape[1]
    precision = np.linalg.inv(model.covariance_ + ridge * np.eye(X_train.shape[1]))
    centred = X_test - model.location_
    yield "Mahalanobis", np.sum(centred @ precision * centred, axis=1)


def isolation_forest(X_train, X_test, seed):
    """scikit-learn's isolation forest with its defaults."""
    yield "iForest", -IsolationForest(random_state=seed).fit(X_train).score_samples(X_test)


def pca_residual(X_train, X_test, seed):
    """What the principal components with 95 % of the variance leave over."""
    pca = PCA(0.95, svd_solver="full").fit(X_train)
    residual = X_test - pca.inverse_transform(pca.transform(X_test))
    yield "PCA 95 %", np.sum(residual**2, axis=1)


def distance_to_mean(X_train, X_test, seed):
    """Euclidean distance to the mean."""
    yield "to mean", np.linalg.norm(X_test - X_train.mean(axis=0), axis=1)


OURS, KNN, PYOD = "skmlp", "kNN-5", "PyOD AE"
RAW = (ours,)  # on features as they come
STANDARDISED = (
    nearest_neighbours,
    mahalanobis,
    isolation_forest,
    pca_residual,
    distance_to_mean,
    pyod_autoencoder,
)
NAMES = (OURS, "squared error", KNN, "Mahalanobis", "iForest", "PCA 95 %", "to mean", PYOD)
TIMED = {OURS: ours, PYOD: pyod_autoencoder}


# Measuring


def contestants(has_pyod):
    """Functions of all contestants that can be run."""
    return [c for c in (*RAW, *STANDARDISED) if has_pyod or c is not pyod_autoencoder]


def run(X, is_anomaly, seed, functions):
    """AUROC by name, and seconds of fit and scores by function."""
    X_train, X_test, truth = clean_split(X, is_anomaly, seed)
    scaler = StandardScaler().fit(X_train)
    scaled = scaler.transform(X_train), scaler.transform(X_test)
    areas, seconds = {}, {}
    for function in functions:
        rows = (X_train, X_test) if function in RAW else scaled
        start = perf_counter()
        for name, scores in function(*rows, seed):
            if name in (OURS, PYOD):  # the second score of ours is not its time
                seconds[name] = perf_counter() - start
            areas[name] = roc_auc_score(truth, scores)
    return areas, seconds


def means(results):
    """Mean of each key of a list of dicts with the same keys."""
    return {key: float(np.mean([result[key] for result in results])) for key in results[0]}


def wins(rows, name, rival):
    """On how many sets a contestant's mean AUROC is above a rival's."""
    return sum(areas[name] > areas[rival] for areas in rows.values())


def summary(rows):
    """Sentences on the means over sets; ``rows`` has AUROC by name, by set."""
    lines = []
    rest = {name: areas for name, areas in rows.items() if name not in DECISIVE}
    for title, part in (
        (f"over {len(rows)} sets", rows),
        (f"over {len(rest)} sets without {' and '.join(DECISIVE)}", rest),
    ):
        if part and (part is rows or len(rest) < len(rows)):
            average = means(list(part.values()))
            rank = sorted(average, key=average.get, reverse=True)
            lines.append(
                f"Mean AUROC {title}: "
                + ", ".join(f"{name} {average[name]:.4f}" for name in rank)
                + f". skmlp is above {KNN} on {wins(part, OURS, KNN)} of {len(part)}"
                + (f", above {PYOD} on {wins(part, OURS, PYOD)}." if PYOD in average else ".")
            )
    return lines


NOTES = f"""
AUROC, mean over seeds s: the normal rows are shuffled by default_rng(s), half of them are trained
on, and the other half and all anomalies are tested on. skmlp: AutoencoderOutlierDetector(
random_state=s) on features as they come, one configuration for all sets; squared error: the same
networks with anomaly_score="squared_error". The rivals get standardised features, with statistics
of the training rows. kNN-5: mean distance to the five nearest training rows. Mahalanobis: with a
ridge of 1e-6. PCA 95 %: squared residual. to mean: Euclidean distance. PyOD AE: its defaults with
random_state=s. s: seconds of one fit and the scores of the test rows.
Bars of the project: {BARS["mean AUROC of skmlp"]} on all 14 sets, and the mean of PyOD in the same
run."""


def anomalies(args):
    """Print a row per set as soon as it is known, and the means."""
    sets = QUICK_ANOMALIES if args.quick else ANOMALIES
    missing = missing_anomalies(sets, args.data)
    if missing:
        print(f"Missing: {', '.join(missing)}. Source: {ANOMALY_SOURCE}.")
    has_pyod = installed("pyod", "torch", "tqdm")
    if has_pyod:
        import pyod.models.auto_encoder  # noqa: F401 - so that no fit waits for it
    else:
        print("PyOD's autoencoder is skipped: install pyod, torch and tqdm for it.")
    functions = contestants(has_pyod)
    names = [name for name in NAMES if has_pyod or name != PYOD]
    timed = [name for name in TIMED if name in names]
    titles = ("set", "rows x features", *names, *(f"s {name}" for name in timed))
    table = MarkdownTable(titles, cell_width=5)
    print(f"Seeds: {args.seeds}\n\n{table.head()}", flush=True)
    rows = {}
    for name in sets:
        if name in missing:
            continue
        with np.load(anomaly_path(args.data, name)) as file:
            X, is_anomaly = file["X"].astype(float), file["y"].astype(bool)
        runs = [run(X, is_anomaly, seed, functions) for seed in range(args.seeds)]
        areas, seconds = (means(part) for part in zip(*runs, strict=True))
        rows[name] = areas
        cells = [f"{areas[key]:.4f}" for key in names] + [f"{seconds[key]:.2f}" for key in timed]
        print(table.row(name, f"{X.shape[0]} x {X.shape[1]}", *cells), flush=True)
    if rows:
        print("\n" + "\n".join(summary(rows)))
    print(NOTES)
