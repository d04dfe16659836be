"""What the residuals of an autoencoder say about a row, feature by feature."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .._moments import Moments

# Added to the variances of residuals, relative to their mean: from 1e-6 to 1e-2 it made no
# difference on fourteen sets, and it makes the matrix invertible with fewer rows than features.
RIDGE = 1e-3

# No residual counts as smaller than so many standard deviations of the features (root mean square):
# a network that has learned a few rows by heart leaves nothing to compare with.
FLOOR = 1e-2

# A matrix of so many columns takes 200 MB.
COVARIANCE_COLUMNS = 5000


class ResidualScore(ABC):
    """Contributions >= 0 of the features to the anomaly of a row; fitted to training residuals."""

    # Whether a row's score is the mean of its contributions; else it is their sum.
    mean = False

    # A contribution as there are many, where it has no unit; 0 where that depends on the rows.
    usual = 0.0

    @classmethod
    @abstractmethod
    def fit(cls, pairs, weight):
        """Score for rows and reconstructions like these.

        Parameters
        ----------
        pairs : iterable of tuple
            Blocks of rows, (rows, n_features), and residuals, (members, rows, n_features), both
            scaled and in float64.
        weight : ndarray of shape (n_samples,)
            Positive.
        """

    @abstractmethod
    def contributions(self, residual):
        """Contributions, (rows, n_features), of one block, averaged over members; overwrites it."""


@dataclass(frozen=True)
class SquaredError(ResidualScore):
    """The squared error of every feature."""

    mean = True

    @classmethod
    def fit(cls, pairs, weight):
        return cls()

    def contributions(self, residual):
        return np.square(residual, out=residual).mean(axis=0)


@dataclass(frozen=True)
class ResidualMahalanobis(ResidualScore):
    """Squares of whitened residuals, whose sum is the squared Mahalanobis norm of the residual.

    With S the covariance of the training residuals, a ridge added, D the diagonal matrix of its
    standard deviations and R = D^-1 S D^-1, the contributions are those of R^(-1/2) D^-1 r, whose
    entries are the closest to the features that uncorrelated ones can be (Garthwaite and Koch
    2016, Evaluating the contributions of individual variables to a quadratic form, Aust. N. Z. J.
    Stat. 58).

    Parameters
    ----------
    center : ndarray of shape (members, n_features)
        Mean residuals.
    whitening : ndarray of shape (members, n_features, n_features)
        Acts from the right.
    """

    usual = 1.0

    center: np.ndarray
    whitening: np.ndarray

    @classmethod
    def fit(cls, pairs, weight):
        sums, products, start, moments = 0.0, 0.0, 0, None
        for rows, residual in pairs:
            if residual.shape[-1] > COVARIANCE_COLUMNS:
                raise ValueError(
                    "anomaly_score='residual_mahalanobis' needs the covariance matrix of the "
                    f"features, but there are {residual.shape[-1]}, more than "
                    f"{COVARIANCE_COLUMNS}. Use anomaly_score='squared_error'."
                )
            w = weight[start : start + len(rows)]
            weighted = residual * w[:, np.newaxis]
            sums = sums + weighted.sum(axis=1)
            products = products + np.matmul(residual.swapaxes(1, 2), weighted)
            block = Moments.of(rows, w)
            moments = block if moments is None else moments.merge(block)
            start += len(rows)
        total = weight.sum()
        center = sums / total
        covariance = products / total - center[:, :, np.newaxis] * center[:, np.newaxis, :]
        floor = FLOOR**2 * np.mean(moments.deviation) / total
        # Of residuals that are all the same, only rounding would be whitened.
        rounding = np.finfo(np.float64).eps * np.einsum("mii->m", products) / total
        floors = floor + rounding / len(center[0])
        return cls(center, np.stack([*map(_whitening, covariance, floors)]))

    def contributions(self, residual):
        residual -= self.center[:, np.newaxis]
        white = np.matmul(residual, self.whitening)
        return np.square(white, out=white).mean(axis=0)


def _whitening(covariance, floor):
    """D^-1 R^(-1/2) after the ridge."""
    variance = np.diag(covariance)
    ridge = max(RIDGE * variance.mean() + floor, np.finfo(np.float64).tiny ** 0.5)
    scale = np.sqrt(np.maximum(variance, 0.0) + ridge)
    correlation = covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    # Rounding can take an eigenvalue below what the ridge leaves.
    values = np.maximum(values, np.finfo(np.float64).eps * len(values))
    return (vectors / np.sqrt(values)) @ vectors.T / scale[:, np.newaxis]


SCORES = {"residual_mahalanobis": ResidualMahalanobis, "squared_error": SquaredError}
