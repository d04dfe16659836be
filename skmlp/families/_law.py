"""The mathematics of distributions, for one distribution per row and all rows at once."""

from abc import ABC, abstractmethod
from math import inf

import numpy as np

from ..losses import Interval
from ._numeric import LEVELS, argmax, bisect, bisect_whole, panels

# Sums over whole numbers have at most so many terms; beyond it cells between quantiles stand for
# them, which are finer in the tails.
MAX_CELLS = 2048
_TAIL = np.geomspace(1e-12, 1e-3, 200)
CELL_LEVELS = np.concatenate([_TAIL, np.linspace(1e-3, 1 - 1e-3, 1024)[1:-1], 1.0 - _TAIL[::-1]])


class Law(ABC):
    """Contract: functions of parameters and points.

    Parameters are a dict `p` of arrays of shape ``(*batch, ...)``, points have the shape
    ``(*batch, m)``, or one that broadcasts with it. Functions of points return ``(*batch, m)``,
    moments ``(*batch,)``. Whatever has no closed form is computed numerically here.

    Attributes
    ----------
    support : Interval
        Where the density may be positive.
    discrete : bool
        Whether only whole numbers have a probability, which `pdf` then is.
    vector : bool
        Whether y has several targets; see `VectorLaw`.
    n_core_axes : dict
        How many axes parameters have after those of the batch; 0 for those not named.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import Normal
    >>> p = {"loc": np.array([0.0, 5.0]), "scale": np.array([1.0, 2.0])}
    >>> Normal().cdf(p, np.array([[0.0], [9.0]])).round(3)
    array([[0.5  ],
           [0.977]])
    """

    support = Interval(-inf, inf, False, False)
    discrete = False
    vector = False
    n_core_axes = {}

    def batch(self, p):
        """Shape of the batch, a tuple.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> Normal().batch({"loc": np.zeros((2, 3)), "scale": np.ones((2, 3))})
        (2, 3)
        """
        name, value = next(iter(p.items()))
        return value.shape[: value.ndim - self.n_core_axes.get(name, 0)]

    @abstractmethod
    def logpdf(self, p, y):
        """Logarithm of the density at y, or of the probability of whole numbers, (*batch, m)."""

    @abstractmethod
    def cdf(self, p, y):
        """Probability of values up to y, (*batch, m)."""

    def sf(self, p, y):
        """Probability of values above y, (*batch, m).

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Poisson
        >>> p = {"mean": np.array([1.0])}
        >>> Poisson().sf(p, np.array([[-1.0, 0.0]])).round(3)  # 1 and 1 - 1 / e
        array([[1.   , 0.632]])
        """
        return 1.0 - self.cdf(p, y)

    def logcdf(self, p, y):
        """Logarithm of `cdf`, (*batch, m).

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> p = {"loc": np.array([0.0]), "scale": np.array([1.0])}
        >>> Normal().logcdf(p, np.array([[-40.0]])).round()  # where `cdf` rounds to 0
        array([[-805.]])
        """
        with np.errstate(divide="ignore"):
            return np.log(self.cdf(p, y))

    def below(self, p, y):
        """Probability of values less than y, (*batch, m).

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Poisson
        >>> p, y = {"mean": np.array([1.0])}, np.array([[0.0, 1.0]])
        >>> Poisson().below(p, y).round(3), Poisson().cdf(p, y).round(3)
        (array([[0.   , 0.368]]), array([[0.368, 0.736]]))
        """
        return self.cdf(p, np.ceil(y) - 1.0) if self.discrete else self.cdf(p, y)

    @abstractmethod
    def ppf(self, p, q):
        """Quantiles, (*batch, m): the smallest y with a `cdf` of at least q, of that shape too."""

    def _search(self, p, q, low, high):
        """Quantiles between bounds, by bisection."""
        find = bisect_whole if self.discrete else bisect
        return find(lambda y: self.cdf(p, y) >= q, *np.broadcast_arrays(low, high))

    @abstractmethod
    def mean(self, p):
        """Expected value, (*batch,)."""

    @abstractmethod
    def var(self, p):
        """Variance, (*batch,)."""

    def median(self, p):
        """Quantile of level 1/2, (*batch,).

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import LogNormal
        >>> p = {"mu": np.array([0.0]), "sigma": np.array([1.0])}
        >>> LogNormal().median(p), LogNormal().mean(p).round(3)
        (array([1.]), array([1.649]))
        """
        return self.ppf(p, np.array([0.5]))[..., 0]

    def landmarks(self, p):
        """Increasing points between which the density is smooth, (*batch, k).

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> points = Normal().landmarks({"loc": np.array([5.0]), "scale": np.array([1.0])})
        >>> bool((np.diff(points) > 0).all())
        True
        """
        return self.ppf(p, np.broadcast_to(LEVELS, (*self.batch(p), len(LEVELS))))

    def mode(self, p):
        """Where the density is largest, (*batch,).

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import LogNormal, Poisson
        >>> Poisson().mode({"mean": np.array([2.5])})
        array([2.])
        >>> LogNormal().mode({"mu": np.array([0.0]), "sigma": np.array([1.0])}).round(3)  # 1 / e
        array([0.368])
        """
        if self.discrete:
            y = self._cells(p)[..., :-1]
            best = self.logpdf(p, y).argmax(axis=-1)[..., np.newaxis]
            return np.take_along_axis(y, best, axis=-1)[..., 0]
        points, _ = panels(self.landmarks(p))
        return argmax(lambda y: self.logpdf(p, y), points)

    def skewness(self, p):
        """Third central moment over the third power of the standard deviation, (*batch,).

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Poisson
        >>> Poisson().skewness({"mean": np.array([4.0])}).round(6)  # 4 ** -0.5
        array([0.5])
        """
        mean, sd = self.mean(p)[..., np.newaxis], np.sqrt(self.var(p))[..., np.newaxis]
        return self.expect(p, lambda y: ((y - mean) / sd) ** 3)

    def entropy(self, p):
        """Expected value of minus `logpdf`, in nats, (*batch,).

        Examples
        --------
        A normal distribution has log(sd) + log(2 pi e) / 2, which is negative for a small sd.

        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> Normal().entropy({"loc": np.zeros(2), "scale": np.array([1.0, 0.1])}).round(2)
        array([ 1.42, -0.88])
        """
        return self.expect(p, lambda y: -np.maximum(self.logpdf(p, y), -1e300))

    def expect(self, p, function):
        """Expected value, (*batch,), of a function that maps points (*batch, m) to as many values.

        By quadrature between the `landmarks`, or a sum over whole numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Poisson
        >>> Poisson().expect({"mean": np.array([4.0])}, lambda y: y**2).round(6)  # 4 + 4 ** 2
        array([20.])
        """
        if self.discrete:
            edges = self._cells(p)
            mass = np.diff(self.cdf(p, edges - 1.0))
            values = function(np.floor(0.5 * (edges[..., :-1] + edges[..., 1:] - 1.0)))
            return np.sum(np.where(mass > 0, mass * values, 0.0), axis=-1)
        y, weight = panels(self.landmarks(p))
        return np.sum(weight * np.exp(self.logpdf(p, y)) * function(y), axis=-1)

    def _cells(self, p):
        """Edges of cells [edge, next) of whole numbers that hold nearly all probability.

        Cells are single numbers, or stretches between quantiles where these are too many.
        """
        ends = self.ppf(p, np.broadcast_to([1e-12, 1 - 1e-12], (*self.batch(p), 2)))
        width = int(np.max(ends[..., 1] - ends[..., 0], initial=0.0)) + 1
        if width <= MAX_CELLS:
            return ends[..., :1] + np.arange(width + 1.0)
        levels = np.broadcast_to(CELL_LEVELS, (*self.batch(p), len(CELL_LEVELS)))
        edges = self.ppf(p, levels)
        return np.sort(np.concatenate([edges, edges + 1.0], axis=-1), axis=-1)

    def sample(self, p, n, rng):
        """Random values of shape (*batch, n), by a numpy.random.Generator `rng`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> p = {"loc": np.array([1.0, 5.0]), "scale": np.ones(2)}
        >>> values = Normal().sample(p, 1000, np.random.default_rng(0))
        >>> values.shape, values.mean(axis=1).round()
        ((2, 1000), array([1., 5.]))
        """
        return self.ppf(p, rng.random((*self.batch(p), n)))

    def crps(self, p, y):
        """Continuous ranked probability score, the integral of (cdf - [value >= y])^2, (*batch, m).

        In the units of y; lower is better.

        Examples
        --------
        It tends to the absolute error as the distribution gets narrow.

        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> p = {"loc": np.zeros(2), "scale": np.array([1.0, 1e-9])}
        >>> Normal().crps(p, np.array([[2.0]])).round(3)
        array([[1.453],
               [2.   ]])
        """
        if self.discrete:
            return self._discrete_crps(p, y)
        landmarks, y = self.landmarks(p), np.asarray(y, np.float64)
        shape = np.broadcast_shapes((*landmarks.shape[:-1], 1), y.shape)
        scores = np.empty(shape)
        for j in range(shape[-1]):
            point = np.broadcast_to(y, shape)[..., j : j + 1]
            bounds = np.broadcast_to(landmarks, (*point.shape[:-1], landmarks.shape[-1]))
            x, weight = panels(np.sort(np.concatenate([bounds, point], axis=-1)))
            error = np.where(x < point, self.cdf(p, x), self.sf(p, x))
            scores[..., j] = np.sum(weight * error**2, axis=-1)
        return scores

    def _discrete_crps(self, p, y):
        edges = self._cells(p)
        x, after = edges[..., :-1], edges[..., 1:]
        cdf = 0.5 * (self.cdf(p, x) + self.cdf(p, after - 1.0))
        constant = np.sum((after - x) * cdf**2, axis=-1, keepdims=True)
        y = np.asarray(y, np.float64)
        whole = np.floor(y)
        scores = (y - whole) * (2.0 * self.cdf(p, whole) - 1.0)
        for j in range(scores.shape[-1]):
            point = np.broadcast_to(whole, scores.shape)[..., j : j + 1]
            above = np.maximum(after - np.maximum(x, point), 0.0)
            inside = constant + np.sum(above * (1.0 - 2.0 * cdf), axis=-1, keepdims=True)
            beyond = np.maximum(point - edges[..., -1:], 0.0)
            beyond += np.maximum(edges[..., :1] - point, 0.0)
            scores[..., j : j + 1] += inside + beyond
        return scores

    def crps_of_mixture(self, p, weights, y):
        """`crps`, (*batch, m), of the mixture of laws of batch (*batch, k) with `weights` of it.

        None without a closed form.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal, Poisson
        >>> weights = np.array([[0.5, 0.5]])
        >>> p = {"loc": np.array([[-1.0, 1.0]]), "scale": np.ones((1, 2))}
        >>> Normal().crps_of_mixture(p, weights, np.array([[0.0, 3.0]])).shape
        (1, 2)
        >>> Poisson().crps_of_mixture({"mean": np.array([[1.0, 3.0]])}, weights, [[2.0]]) is None
        True
        """

    def about(self, p, center, factor):
        """Parameters of center + factor * (value - center), or None where there are none.

        `center` and `factor` have the shape (*batch,), of several targets (*batch, n_targets).

        Examples
        --------
        Twice as wide about 0, by which a calibration stretches distributions about their means:

        >>> import numpy as np
        >>> from skmlp.families import Normal, Poisson
        >>> p = {"loc": np.array([1.0]), "scale": np.array([0.5])}
        >>> Normal().about(p, np.array([0.0]), np.array([2.0]))
        {'loc': array([2.]), 'scale': array([1.])}
        >>> Poisson().about({"mean": np.array([1.0])}, np.array([0.0]), np.array([2.0])) is None
        True
        """

    def to_scipy(self, p):
        """The distribution of one row (a batch of shape (1,)) as scipy.stats has it.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Poisson
        >>> frozen = Poisson().to_scipy({"mean": np.array([4.0])})
        >>> float(frozen.var())
        4.0
        """
        from ._scipy import as_scipy

        return as_scipy(self, p)


class VectorLaw(Law):
    """Contract of the laws of several targets.

    Points and all results but densities have an axis for targets after those of the batch. What is
    not joint is computed of each target by itself.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import MultivariateNormal
    >>> p = {"loc": np.array([[0.0, 1.0]]), "scale_tril": np.array([[[1.0, 0.0], [1.0, 1.0]]])}
    >>> law, own = MultivariateNormal().marginal(p, 1)
    >>> law.mean(own)
    array([1.])
    """

    vector = True

    @abstractmethod
    def n_targets_of(self, p):
        """Number of targets, an int."""

    @abstractmethod
    def marginal(self, p, j):
        """Law of one target, and its parameters, for target j, from 0, alone."""

    @abstractmethod
    def cov(self, p):
        """Covariance matrices, (*batch, n_targets, n_targets)."""

    @abstractmethod
    def conditional(self, p, given):
        """Parameters of the other targets, in their order, when some are known.

        `given` is a dict of values (*batch,) by the numbers of the known targets.
        """

    def var(self, p):
        return np.diagonal(self.cov(p), axis1=-2, axis2=-1).copy()

    def cdf(self, p, y):
        return self._by_target("cdf", p, y)

    def sf(self, p, y):
        return self._by_target("sf", p, y)

    def logcdf(self, p, y):
        return self._by_target("logcdf", p, y)

    def below(self, p, y):
        return self._by_target("below", p, y)

    def crps(self, p, y):
        return self._by_target("crps", p, y)

    def ppf(self, p, q):
        return np.stack([law.ppf(own, q) for law, own in self._marginals(p)], axis=-2)

    def median(self, p):
        return np.stack([law.median(own) for law, own in self._marginals(p)], axis=-1)

    def skewness(self, p):
        return np.stack([law.skewness(own) for law, own in self._marginals(p)], axis=-1)

    def _marginals(self, p):
        return [self.marginal(p, j) for j in range(self.n_targets_of(p))]

    def _by_target(self, name, p, y):
        columns = [
            getattr(law, name)(own, y[..., j, :]) for j, (law, own) in enumerate(self._marginals(p))
        ]
        return np.stack(columns, axis=-2)
