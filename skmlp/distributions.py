"""Conditional distributions, one per row of X, as objects."""

from math import prod

import numpy as np

__all__ = ["Distribution"]

# Rows of a block times points of each.
BLOCK_POINTS = 2048


class Distribution:
    """One distribution for each of n rows; all methods compute all rows at once.

    `DensityRegressor.predict_dist` returns it. Axes of results are rows, then targets if y has
    several, then levels, coverages or samples; a scalar level or coverage has no axis.

    Parameters
    ----------
    law : Law
        The mathematics.
    params : dict of str to ndarray
        Parameters by name, in the units of y; the first axis is that of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.distributions import Distribution
    >>> from skmlp.families import Normal
    >>> dist = Distribution(Normal(), {"loc": np.array([0.0, 5.0]), "scale": np.array([1.0, 2.0])})
    >>> len(dist)
    2
    >>> dist.interval(0.5).round(2)
    array([[-0.67,  0.67],
           [ 3.65,  6.35]])
    >>> dist[1].cdf(5.0)
    array([0.5])
    """

    def __init__(self, law, params):
        self.law = law
        self.params = {name: np.asarray(value, np.float64) for name, value in params.items()}

    def __len__(self):
        return self.law.batch(self.params)[0]

    def __getitem__(self, rows):
        """The distributions of some rows; of a single position, too, an object of length 1.

        Parameters
        ----------
        rows : int, slice or array-like of int or bool
            Positions of the rows, or a mask.

        Returns
        -------
        dist : Distribution
            Of these rows, in the order of the index.

        Raises
        ------
        IndexError
            For a row that there is not, or an index of several axes.
        """
        if isinstance(rows, (int, np.integer)):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"row {rows} of {len(self)}")
            rows = [rows]
        elif not isinstance(rows, slice):
            rows = np.atleast_1d(rows)
            rows = rows if rows.size else rows.astype(int)
            if rows.ndim > 1:
                raise IndexError(f"Rows are one axis, but the index has shape {rows.shape}.")
        return Distribution(self.law, {name: v[rows] for name, v in self.params.items()})

    def __repr__(self):
        law = type(self.law).__name__
        return f"<{len(self)} distributions, {law} of {', '.join(self.params)}>"

    @property
    def n_targets(self):
        """Number of targets, None when y has no axis for them."""
        return self.law.n_targets_of(self.params) if self.law.vector else None

    @property
    def discrete(self):
        """Whether y is whole numbers; `pdf` is then their probability."""
        return self.law.discrete

    def mean(self):
        """Expected values, in the units of y.

        Returns
        -------
        mean : ndarray of shape (n[, t])
            Of each target by itself.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import LogNormal
        >>> dist = Distribution(LogNormal(), {"mu": np.zeros(2), "sigma": np.array([0.1, 1.0])})
        >>> dist.mean().round(2)  # above the medians, which are 1
        array([1.01, 1.65])
        """
        return self._moment("mean")

    def median(self):
        """Medians, in the units of y.

        Returns
        -------
        median : ndarray of shape (n[, t])
            Of each target by itself.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import LogNormal
        >>> dist = Distribution(LogNormal(), {"mu": np.zeros(2), "sigma": np.array([0.1, 1.0])})
        >>> dist.median()
        array([1., 1.])
        """
        return self._moment("median")

    def mode(self):
        """Where densities are largest, in the units of y.

        Returns
        -------
        mode : ndarray of shape (n[, t])
            Of a mixture over several targets, the mean of the component that is best there.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import LogNormal
        >>> dist = Distribution(LogNormal(), {"mu": np.zeros(2), "sigma": np.array([0.1, 1.0])})
        >>> dist.mode().round(2)  # below the medians, which are 1
        array([0.99, 0.37])
        """
        return self._moment("mode")

    def var(self):
        """Variances, in the squared units of y.

        Returns
        -------
        var : ndarray of shape (n[, t])
            Of each target by itself.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Poisson
        >>> Distribution(Poisson(), {"mean": np.array([1.0, 4.0])}).var()  # as large as the mean
        array([1., 4.])
        """
        return self._moment("var")

    def std(self):
        """Standard deviations, in the units of y.

        Returns
        -------
        std : ndarray of shape (n[, t])
            Of each target by itself.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Poisson
        >>> Distribution(Poisson(), {"mean": np.array([1.0, 4.0])}).std()
        array([1., 2.])
        """
        return np.sqrt(self.var())

    def cov(self):
        """Covariance matrices of the targets, in the products of their units.

        Returns
        -------
        cov : ndarray of shape (n, t, t)
            With t = 1 when y has no axis for targets.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import MultivariateNormal
        >>> p = {"loc": np.array([[0.0, 1.0]]), "scale_tril": np.array([[[1.0, 0.0], [1.0, 1.0]]])}
        >>> Distribution(MultivariateNormal(), p).cov()  # one matrix for each row
        array([[[1., 1.],
                [1., 2.]]])
        """
        return self._moment("cov") if self.law.vector else self.var()[:, np.newaxis, np.newaxis]

    def corr(self):
        """Correlation matrices of the targets.

        Returns
        -------
        corr : ndarray of shape (n, t, t)
            With t = 1 when y has no axis for targets.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import MultivariateNormal
        >>> p = {"loc": np.array([[0.0, 1.0]]), "scale_tril": np.array([[[1.0, 0.0], [1.0, 1.0]]])}
        >>> Distribution(MultivariateNormal(), p).corr().round(3)
        array([[[1.   , 0.707],
                [0.707, 1.   ]]])
        """
        cov = self.cov()
        sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
        return cov / (sd[:, :, np.newaxis] * sd[:, np.newaxis, :])

    def skewness(self):
        """Third standardised central moments.

        Returns
        -------
        skewness : ndarray of shape (n[, t])
            Of each target by itself; without a unit.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal, Poisson
        >>> counts = Distribution(Poisson(), {"mean": np.array([4.0])})
        >>> counts.skewness().round(6)  # positive: the longer tail is that of large values
        array([0.5])
        >>> Distribution(Normal(), {"loc": np.array([4.0]), "scale": np.array([2.0])}).skewness()
        array([0.])
        """
        return self._moment("skewness")

    def entropy(self):
        """Entropies in nats: differential but for counts, joint for several targets.

        Returns
        -------
        entropy : ndarray of shape (n,)
            In nats per row; that of a density depends on the unit of y.

        Examples
        --------
        Twice the scale adds log 2, so that entropies of densities may be negative.

        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> dist = Distribution(Normal(), {"loc": np.zeros(3), "scale": np.array([0.1, 1.0, 2.0])})
        >>> dist.entropy().round(2)
        array([-0.88,  1.42,  2.11])
        """
        return self._moment("entropy")

    def pdf(self, y):
        """Densities at y, joint for several targets; probabilities for counts.

        Parameters
        ----------
        y : array-like, as for `logpdf`
            A value for each row, or several.

        Returns
        -------
        pdf : ndarray of shape (n[, n_points])
            Per unit of y, and of each target.

        Raises
        ------
        ValueError
            When the shape of y does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal, Poisson
        >>> narrow = Distribution(Normal(), {"loc": np.array([5.0]), "scale": np.array([0.1])})
        >>> narrow.pdf(5.0).round(2)  # per unit of y: no probability, which could not exceed 1
        array([3.99])
        >>> Distribution(Poisson(), {"mean": np.array([1.0])}).pdf([[0, 1, 2]]).round(2)
        array([[0.37, 0.37, 0.18]])
        """
        return np.exp(self.logpdf(y))

    def logpdf(self, y):
        """Logarithms of densities; of probabilities for counts.

        Parameters
        ----------
        y : array-like of shape (n[, t]) or (n or 1[, t], n_points), or a scalar
            A value for each row, or several.

        Returns
        -------
        logpdf : ndarray of shape (n[, n_points])
            Joint for several targets; per unit of y, so that it depends on the unit.

        Raises
        ------
        ValueError
            When the shape of y does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> p = {"loc": np.array([0.0, 5.0]), "scale": np.array([1.0, 2.0])}
        >>> dist = Distribution(Normal(), p)
        >>> dist.logpdf([0.0, 5.0]).round(2)  # one value for each row
        array([-0.92, -1.61])
        >>> dist.logpdf(np.linspace(-5, 5, 11)[np.newaxis, :]).shape  # the same points for all rows
        (2, 11)
        """
        return self._at_points("logpdf", y)

    def cdf(self, y):
        """Probabilities of values up to y, of each target by itself.

        Parameters
        ----------
        y : array-like, as for `logpdf`
            A value for each row, or several.

        Returns
        -------
        cdf : ndarray of shape (n[, t][, n_points])
            From 0 to 1.

        Raises
        ------
        ValueError
            When the shape of y does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> p = {"loc": np.array([0.0, 5.0]), "scale": np.array([1.0, 2.0])}
        >>> dist = Distribution(Normal(), p)
        >>> dist.cdf([1.0, 5.0]).round(2)
        array([0.84, 0.5 ])
        """
        return self._at_points("cdf", y)

    def logcdf(self, y):
        """Logarithms of `cdf`, exact far in the tail.

        Parameters
        ----------
        y : array-like, as for `logpdf`
            A value for each row, or several.

        Returns
        -------
        logcdf : ndarray of shape (n[, t][, n_points])
            From -inf to 0.

        Raises
        ------
        ValueError
            When the shape of y does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> dist = Distribution(Normal(), {"loc": np.array([0.0]), "scale": np.array([1.0])})
        >>> dist.cdf(-40.0), dist.logcdf(-40.0).round()
        (array([0.]), array([-805.]))
        """
        return self._at_points("logcdf", y)

    def sf(self, y):
        """Probabilities of values above y, of each target by itself.

        Parameters
        ----------
        y : array-like, as for `logpdf`
            A value for each row, or several.

        Returns
        -------
        sf : ndarray of shape (n[, t][, n_points])
            From 0 to 1.

        Raises
        ------
        ValueError
            When the shape of y does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> p = {"loc": np.array([180.0, 210.0]), "scale": np.array([20.0, 20.0])}
        >>> dist = Distribution(Normal(), p)
        >>> dist.sf(200.0).round(2)  # probabilities that a limit of 200 is exceeded
        array([0.16, 0.69])
        """
        return self._at_points("sf", y)

    def ppf(self, q):
        """Quantiles, of each target by itself.

        Parameters
        ----------
        q : float or array-like of shape (n_q,)
            Levels from 0 to 1.

        Returns
        -------
        quantiles : ndarray of shape (n[, t][, n_q])
            In the units of y.

        Raises
        ------
        ValueError
            For levels outside 0 and 1, or with more than one axis.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Poisson
        >>> dist = Distribution(Poisson(), {"mean": np.array([1.0, 4.0])})
        >>> dist.ppf([0.5, 0.9])
        array([[1., 2.],
               [4., 7.]])
        """
        levels = np.asarray(q, np.float64)
        if levels.ndim > 1 or not np.all((levels >= 0) & (levels <= 1)):
            raise ValueError(f"q={q!r} must be a level between 0 and 1, or a flat list of them.")
        flat = np.broadcast_to(levels.reshape(1, -1), (len(self), levels.size))
        values = self._blocks(self.law.ppf, flat)
        return values if levels.ndim else values[..., 0]

    def interval(self, coverage=0.9):
        """Central intervals, of each target by itself.

        Parameters
        ----------
        coverage : float or array-like of shape (n_cov,), default=0.9
            Probabilities strictly between 0 and 1.

        Returns
        -------
        bounds : ndarray of shape (n[, t], 2[, n_cov])
            Lower and upper ends.

        Raises
        ------
        ValueError
            For a coverage of 0 or 1, or outside, or with more than one axis.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> p = {"loc": np.array([0.0, 5.0]), "scale": np.array([1.0, 2.0])}
        >>> Distribution(Normal(), p).interval([0.5, 0.9]).shape  # rows, ends, coverages
        (2, 2, 2)
        """
        share = np.asarray(coverage, np.float64)
        if share.ndim > 1 or not np.all((share > 0) & (share < 1)):
            raise ValueError(
                f"coverage={coverage!r} must be strictly between 0 and 1, or a flat list of such "
                "numbers."
            )
        levels = np.stack([0.5 * (1.0 - share), 0.5 * (1.0 + share)])
        bounds = self.ppf(levels.ravel())
        return bounds.reshape(*bounds.shape[:-1], *levels.shape)

    def sample(self, n_samples=1, random_state=None):
        """Random values.

        Parameters
        ----------
        n_samples : int, default=1
            Values of each row.
        random_state : int, RandomState, Generator or None, default=None
            None for other values at every call.

        Returns
        -------
        samples : ndarray of shape (n[, t], n_samples)
            Of several targets jointly; in the units of y.

        Raises
        ------
        ValueError
            When `n_samples` is not a whole number of at least 1.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> dist = Distribution(Normal(), {"loc": np.array([1.0, 5.0]), "scale": np.ones(2)})
        >>> dist.sample(1000, random_state=0).mean(axis=1).round(1)
        array([1., 5.])
        """
        if not (isinstance(n_samples, (int, np.integer)) and n_samples >= 1):
            raise ValueError(f"n_samples={n_samples!r} must be a whole number of at least 1.")
        if isinstance(random_state, np.random.RandomState):
            random_state = random_state.randint(2**31 - 1)
        return self.law.sample(self.params, n_samples, np.random.default_rng(random_state))

    def crps(self, y):
        """Continuous ranked probability scores, in the units of y; lower is better.

        Parameters
        ----------
        y : array-like, as for `logpdf`
            A value for each row, or several.

        Returns
        -------
        crps : ndarray of shape (n[, t][, n_points])
            Of each target by itself.

        Raises
        ------
        ValueError
            When the shape of y does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> p = {"loc": np.array([0.0, 0.0]), "scale": np.array([1.0, 2.0])}
        >>> Distribution(Normal(), p).crps([0.0, 0.0]).round(3)
        array([0.234, 0.467])
        """
        return self._at_points("crps", y)

    def marginal(self, j):
        """Distribution of one target by itself.

        Parameters
        ----------
        j : int
            Number of the target; negative ones count from the end.

        Returns
        -------
        dist : Distribution
            Over y without an axis for targets.

        Raises
        ------
        ValueError
            When there is a single target, or no target j.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import MultivariateNormal
        >>> p = {"loc": np.array([[0.0, 1.0]]), "scale_tril": np.array([[[1.0, 0.0], [1.0, 1.0]]])}
        >>> Distribution(MultivariateNormal(), p).marginal(1).std().round(3)
        array([1.414])
        """
        if not self.law.vector:
            raise ValueError("marginal: these distributions have a single target.")
        n = self.n_targets
        if not (isinstance(j, (int, np.integer)) and -n <= j < n):
            raise ValueError(f"marginal: j={j!r} must be a target between 0 and {n - 1}.")
        return Distribution(*self.law.marginal(self.params, j % n))

    def conditional(self, given):
        """Distribution of the other targets when some are known.

        Parameters
        ----------
        given : dict of int to float or array-like of shape (n,)
            Values by the number of the target, such as ``{0: 1.5}``.

        Returns
        -------
        dist : Distribution
            Of the remaining targets in their order; without an axis for them if one remains.

        Raises
        ------
        ValueError
            When there is a single target, when none or all of them are given, or for one that
            there is not.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import MultivariateNormal
        >>> p = {"loc": np.array([[0.0, 1.0]]), "scale_tril": np.array([[[1.0, 0.0], [1.0, 1.0]]])}
        >>> known = Distribution(MultivariateNormal(), p).conditional({0: 2.0})
        >>> known.mean().round(3), known.std().round(3)
        (array([3.]), array([1.]))
        """
        if not self.law.vector:
            raise ValueError("conditional: these distributions have a single target.")
        n = self.n_targets
        known = {j % n for j in given if isinstance(j, (int, np.integer)) and -n <= j < n}
        if not 0 < len(known) == len(given) < n:
            raise ValueError(
                f"conditional: the keys of {given!r} must be different targets between 0 and "
                f"{n - 1}, and leave at least one."
            )
        given = {j % n: np.asarray(v, np.float64) for j, v in given.items()}
        left = Distribution(self.law, self.law.conditional(self.params, given))
        return left.marginal(0) if n - len(known) == 1 else left

    def to_scipy(self, i):
        """Distribution of a row as an object of scipy.stats.

        Parameters
        ----------
        i : int
            Number of the row.

        Returns
        -------
        dist : object
            A frozen distribution, or one with the same methods.

        Raises
        ------
        IndexError
            For a row that there is not.
        NotImplementedError
            For mixtures over several targets, which SciPy does not have.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.distributions import Distribution
        >>> from skmlp.families import Normal
        >>> dist = Distribution(Normal(), {"loc": np.array([0.0, 5.0]), "scale": np.ones(2)})
        >>> float(dist.to_scipy(1).mean())
        5.0
        """
        return self.law.to_scipy(self[i].params)

    def _moment(self, name):
        return self._blocks(getattr(self.law, name))

    def _at_points(self, name, y):
        y, several = self._points(y)
        values = self._blocks(getattr(self.law, name), y)
        return values if several else values[..., 0]

    def _points(self, y):
        """y of shape (n[, t], n_points), and whether there was an axis of points."""
        y = np.asarray(y, np.float64)
        n, targets = len(self), () if self.n_targets is None else (self.n_targets,)
        axes = 1 + len(targets)
        several = y.ndim > axes
        wanted = (n, *targets)
        shape = y.shape[:axes] if several else y.shape
        if y.ndim > axes + 1 or any(
            a not in (b, 1) for a, b in zip(shape[::-1], wanted[::-1], strict=False)
        ):
            names = "(n, t)" if targets else "(n,)"
            raise ValueError(
                f"y has shape {y.shape}, but must be a scalar, an array of shape {names} = "
                f"{wanted}, or one with a further axis of points, such as "
                f"{(1,) * axes + ('n_points',)}."
            )
        y = y if several else np.broadcast_to(y, wanted)[..., np.newaxis]
        return np.broadcast_to(y, (*wanted, y.shape[-1])), several

    def _blocks(self, function, points=None):
        """function(params[, points]) in blocks of rows, so that memory stays bounded."""
        n = len(self)
        per_row = 1 if points is None else max(1, prod(points.shape[1:]))
        size = max(1, BLOCK_POINTS // per_row)
        parts = []
        for start in range(0, max(n, 1), size):
            part = slice(start, start + size)
            p = {name: value[part] for name, value in self.params.items()}
            parts.append(function(p) if points is None else function(p, points[part]))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
