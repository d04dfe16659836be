"""Made-up data of several targets whose means and covariance matrices are known."""

from dataclasses import dataclass

import numpy as np

from skmlp.distributions import Distribution
from skmlp.families import MultivariateNormal

N_FEATURES = 4


def joint_normal(mean, cov):
    """Joint Normals with given means (n, t) and covariance matrices (n, t, t)."""
    factor = np.linalg.cholesky(cov)
    law = MultivariateNormal(n_targets=mean.shape[1])
    return Distribution(law, {"loc": mean, "scale_tril": factor})


@dataclass(frozen=True)
class Truth:
    """Joint Normals whose means, standard deviations and correlations all depend on x.

    With phases p_j = 2 j: mean_j = 2 sin(pi x_1 + p_j) + x_2 x_3, log sd_j = sin(pi x_4 + p_j) / 2,
    and the correlation of targets i and j is the product of their loadings in one common factor,
    .65 + .25 sin(pi x_2 + p_j). It is between .16 and .81, so that relative errors make sense.
    """

    n_targets: int

    def mean(self, X):
        """Means, (n, t)."""
        return 2 * self._wave(X[:, 0]) + (X[:, 1] * X[:, 2])[:, np.newaxis]

    def cov(self, X):
        """Covariance matrices, (n, t, t)."""
        sd = np.exp(0.5 * self._wave(X[:, 3]))
        loading = 0.65 + 0.25 * self._wave(X[:, 1])
        corr = loading[:, :, np.newaxis] * loading[:, np.newaxis, :]
        diagonal = np.arange(self.n_targets)
        corr[:, diagonal, diagonal] = 1
        return sd[:, :, np.newaxis] * corr * sd[:, np.newaxis, :]

    def predict_dist(self, X):
        """The distributions themselves."""
        return joint_normal(self.mean(X), self.cov(X))

    def draw(self, n, seed):
        """n rows of X, uniform between -1 and 1, and of Y."""
        rng = np.random.default_rng(seed)
        X = rng.uniform(-1, 1, (n, N_FEATURES))
        return X, self.predict_dist(X).sample(1, rng)[..., 0]

    def _wave(self, x):
        return np.sin(np.pi * x[:, np.newaxis] + 2.0 * np.arange(self.n_targets))


def matrix_error(cov, truth):
    """|matrix - true matrix| / |true matrix| with the norm of Frobenius, meant over the rows."""
    return float(
        np.mean(np.linalg.norm(cov - truth, axis=(1, 2)) / np.linalg.norm(truth, axis=(1, 2)))
    )


def relative_errors(cov, truth):
    """|entry - true entry| / |true entry|, meant over all matrices.

    Returns
    -------
    every, diagonal, off_diagonal : float
        Mean over all entries, the variances alone, the covariances alone.
    """
    errors = np.mean(np.abs(cov - truth) / np.abs(truth), axis=0)
    is_variance = np.eye(len(errors), dtype=bool)
    parts = errors, errors[is_variance], errors[~is_variance]
    return tuple(float(np.mean(part)) for part in parts)


def joint_nll(model, X, Y):
    """Nats per row, of all targets together."""
    return -float(np.mean(model.predict_dist(X).logpdf(Y)))
