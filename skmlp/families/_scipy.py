"""Laws as distributions of scipy.stats, where that has none of the kind."""

import numpy as np
from scipy import stats


class _Continuous(stats.rv_continuous):
    def __init__(self, law, p):
        super().__init__(a=law.support.low, b=law.support.high, name="law")
        self._law, self._p = law, p

    def _of_points(self, function, x):
        x = np.asarray(x, np.float64)
        return function(self._p, x.reshape(1, -1))[0].reshape(x.shape)

    def _pdf(self, x):
        return np.exp(self._of_points(self._law.logpdf, x))

    def _logpdf(self, x):
        return self._of_points(self._law.logpdf, x)

    def _cdf(self, x):
        return self._of_points(self._law.cdf, x)

    def _sf(self, x):
        return self._of_points(self._law.sf, x)

    def _ppf(self, q):
        return self._of_points(self._law.ppf, q)

    def _stats(self):
        return float(self._law.mean(self._p)[0]), float(self._law.var(self._p)[0]), None, None


class _Discrete(stats.rv_discrete):
    def __init__(self, law, p):
        super().__init__(a=0, name="law")
        self._law, self._p = law, p

    _of_points = _Continuous._of_points
    _cdf, _ppf, _stats = _Continuous._cdf, _Continuous._ppf, _Continuous._stats

    def _pmf(self, k):
        return np.exp(self._of_points(self._law.logpdf, k))

    def _logpmf(self, k):
        return self._of_points(self._law.logpdf, k)


def as_scipy(law, p):
    """The distribution of the one row of `p`."""
    return (_Discrete if law.discrete else _Continuous)(law, p)
