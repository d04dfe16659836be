"""
Anomalies, and which features make them so
==========================================

A detector learns from benign tumours only and finds the malignant ones by what it cannot
reconstruct. Its score is a sum over the features, so that every alarm comes with its reasons. Two
lessons beside: simple rivals do as well on these data, and with few rows the threshold should come
from rows that the network was not trained on.
"""

# %%
# Half of the benign tumours train the detector; the rest and all malignant ones are the test. In
# and out are DataFrames.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from skmlp import AutoencoderOutlierDetector

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, _ = train_test_split(X[y == 1], test_size=0.5, random_state=0)
X_test = X.drop(X_train.index)
malignant = y[X_test.index] == 0

# %%
# `offset_`, the threshold of `predict`, is a quantile of the scores of the training rows. A network
# reconstructs those better than other benign rows, of which far more are beyond it then. With
# ``validation_fraction`` the threshold comes from rows that the network has not seen.

settings = {"contamination": 0.05, "random_state": 0}
plain = AutoencoderOutlierDetector(**settings).fit(X_train)
detector = AutoencoderOutlierDetector(validation_fraction=0.3, **settings).fit(X_train)
for name, model in {"training rows": plain, "rows kept apart": detector}.items():
    found = model.predict(X_test) == -1
    print(
        f"threshold from {name:16} false alarms {found[~malignant].mean():4.0%}, "
        f"malignant found {found[malignant].mean():4.0%}"
    )

anomaly = -detector.score_samples(X_test)  # the higher, the more anomalous
auroc = roc_auc_score(malignant, anomaly)
of_training_rows = -np.quantile(detector.score_samples(X_train), settings["contamination"])

# %%
# Simple rivals deserve to be tried on the same rows.

scaler = StandardScaler().fit(X_train)
Z_train, Z_test = scaler.transform(X_train), scaler.transform(X_test)
distances, _ = NearestNeighbors(n_neighbors=5).fit(Z_train).kneighbors(Z_test)
rivals = {
    "autoencoder": anomaly,
    "distance to the mean": (Z_test**2).sum(axis=1),
    "distance to the 5th neighbour": distances[:, -1],
    "isolation forest": -IsolationForest(random_state=0).fit(X_train).score_samples(X_test),
}
for name, values in rivals.items():
    print(f"{name:30} AUROC {roc_auc_score(malignant, values):.3f}")

# %%
# The contributions of one malignant tumour, of median score, sum up to its score. A feature may
# contribute although its value is ordinary: it does not fit the others.

contributions = detector.reconstruction_error(X_test)
scores = contributions.sum(axis=1)
row = scores[malignant].sort_values().index[malignant.sum() // 2]
largest = contributions.loc[row].nlargest(8)[::-1]
z_scores = (X_test.loc[row] - X_train.mean()) / X_train.std()

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
figure.suptitle("Breast cancer: the detector has learnt from benign tumours only")
bins = np.geomspace(anomaly.min(), anomaly.max(), 31)
left.hist(anomaly[~malignant], bins, alpha=0.7, label="benign")
left.hist(anomaly[malignant], bins, alpha=0.7, label="malignant")
left.axvline(of_training_rows, color="black", linestyle=":", label="95 % of the training rows")
left.axvline(
    -detector.offset_, color="black", linestyle="--", label="offset_, from rows kept apart"
)
left.set_xscale("log")
left.set_ylim(0, 1.45 * left.get_ylim()[1])
left.set(
    title=f"Scores of test rows, AUROC {auroc:.3f}",
    xlabel="minus score_samples (log scale)",
    ylabel="number of tumours",
)
left.legend(fontsize="small", loc="upper right")

bars = right.barh(largest.index, largest, color="C1")
labels = [f"z = {z_scores[name]:+.1f}" for name in largest.index]
right.bar_label(bars, labels, padding=3, fontsize="small")
right.margins(x=0.2)
right.set(
    title=f"Row {row}, malignant: largest contributions",
    xlabel=f"contribution to the score of {scores[row]:.0f}",
)
plt.show()
