"""Laws whose distribution function has been corrected by observed ranks."""

import numpy as np

from ..losses import weighted_quantile
from ._law import Law

# Levels at which the distribution function is corrected, as far as there are rows beyond them.
LEVELS = np.array([0.005, 0.01, 0.025, 0.05, *np.arange(1, 10) / 10, 0.95, 0.975, 0.99, 0.995])
ROWS_BEYOND = 10
# Ranks into which each count is spread.
N_STRATA = 8


class Recalibrated(Law):
    """A law whose cdf F is replaced by G(F), G being increasing and piecewise linear.

    Parameters
    ----------
    law : Law
        The distribution before.
    ranks, levels : ndarray of shape (k,)
        G(ranks) = levels; both increase from 0 to 1.

    References
    ----------
    Dawid (1984), Present position and potential developments, J. R. Stat. Soc. A 147. Kuleshov,
    Fenner and Ermon (2018), Accurate uncertainties for deep learning using calibrated
    regression, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import Normal, Recalibrated
    >>> law = Recalibrated(Normal(), [0.0, 0.5, 1.0], [0.0, 0.8, 1.0])
    >>> law.cdf({"loc": np.array([3.0]), "scale": np.array([1.0])}, np.array([[3.0]]))
    array([[0.8]])
    """

    def __init__(self, law, ranks, levels):
        self.law, self.ranks, self.levels = law, np.asarray(ranks), np.asarray(levels)
        self.support, self.discrete = law.support, law.discrete

    @staticmethod
    def fit(law, p, y, weight):
        """Ranks and levels such that G of the ranks of y is about uniform.

        Of counts, whose ranks are intervals, strata of the interval stand for them.

        Parameters
        ----------
        law : Law
            The distribution before.
        p : dict of str to ndarray
            Its parameters, for a batch of n rows.
        y : ndarray of shape (n, 1)
            Observed values, one for each row of the batch.
        weight : ndarray of shape (n,)
            Non-negative weights.

        Returns
        -------
        ranks, levels : ndarray of shape (k,)
            As the constructor takes them.

        Examples
        --------
        Of distributions that are twice too narrow, more y lie in the tails than should.

        >>> import numpy as np
        >>> from scipy.special import ndtri
        >>> from skmlp.families import Normal, Recalibrated
        >>> y = ndtri((np.arange(1000) + 0.5) / 1000)
        >>> p = {"loc": np.zeros(1000), "scale": np.full(1000, 0.5)}
        >>> ranks, levels = Recalibrated.fit(Normal(), p, y[:, np.newaxis], np.ones(1000))
        >>> one = {"loc": np.zeros(1), "scale": np.array([0.5])}
        >>> Recalibrated(Normal(), ranks, levels).ppf(one, np.array([[0.9]])).round(1)  # not 0.6
        array([[1.3]])
        """
        low, high = law.below(p, y), law.cdf(p, y)
        if law.discrete:
            share = (np.arange(N_STRATA) + 0.5) / N_STRATA
            ranks = (low + share * (high - low)).ravel()
            weights = np.repeat(weight, N_STRATA) / N_STRATA
        else:
            ranks, weights = high.ravel(), weight
        beyond = np.minimum(LEVELS, 1.0 - LEVELS) * weights.sum()
        levels = LEVELS[(beyond >= ROWS_BEYOND - 1e-6) | (LEVELS == 0.5)]
        knots = weighted_quantile(ranks, levels, weights)
        # Levels with one rank have no order: their mean stands for them.
        knots, place = np.unique(np.clip(knots, 1e-9, 1.0 - 1e-9), return_inverse=True)
        levels = np.bincount(place, weights=levels) / np.bincount(place)
        # As if one more row were spread evenly: no stretch of ranks loses all probability.
        one = 1.0 / (weights.sum() + 1.0)
        levels = (1.0 - one) * levels + one * knots
        return np.concatenate([[0.0], knots, [1.0]]), np.concatenate([[0.0], levels, [1.0]])

    def batch(self, p):
        return self.law.batch(p)

    def _forward(self, rank):
        return np.interp(rank, self.ranks, self.levels)

    def _backward(self, level):
        return np.interp(level, self.levels, self.ranks)

    def logpdf(self, p, y):
        if self.discrete:
            return self._log_step(p, np.asarray(y, np.float64))
        place = np.searchsorted(self.ranks[1:-1], self.law.cdf(p, y), side="right")
        return self.law.logpdf(p, y) + self._log_slopes()[place]

    def _log_slopes(self):
        """Logarithms of the slopes of G."""
        return np.log(np.diff(self.levels) / np.diff(self.ranks))

    def _log_step(self, p, y):
        """`logpdf` of counts: the law's own where a step lies within one piece of G."""
        low, high, inner = self.law.below(p, y), self.law.cdf(p, y), self.ranks[1:-1]
        first = np.searchsorted(inner, low, side="right")
        last = np.searchsorted(inner, high, side="left")
        with np.errstate(divide="ignore"):
            across = np.log(self._forward(high) - self._forward(low))
        within = self.law.logpdf(p, y) + self._log_slopes()[first]
        return np.where((first >= last) | ~self.support.contains(y), within, across)

    def cdf(self, p, y):
        return self._forward(self.law.cdf(p, y))

    def sf(self, p, y):
        return np.interp(self.law.sf(p, y), 1.0 - self.ranks[::-1], 1.0 - self.levels[::-1])

    def ppf(self, p, q):
        return self.law.ppf(p, self._backward(np.asarray(q, np.float64)))

    def mean(self, p):
        return self.expect(p, lambda y: y)

    def var(self, p):
        mean = self.mean(p)[..., np.newaxis]
        return self.expect(p, lambda y: (y - mean) ** 2)

    def landmarks(self, p):
        steps = np.broadcast_to(self.ranks[1:-1], (*self.batch(p), len(self.ranks) - 2))
        jumps = self.law.ppf(p, steps)
        return np.sort(np.concatenate([self.law.landmarks(p), jumps], axis=-1), axis=-1)
