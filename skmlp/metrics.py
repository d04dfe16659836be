"""Scores and diagnostics of predicted distributions and intervals, and scorers for model selection.

`dist` stands for the distributions of n rows: `skmlp.distributions.Distribution`, which
`DensityRegressor.predict_dist` returns, or any object with the same methods.
"""

from copy import copy
from numbers import Integral, Real

import numpy as np
from scipy.stats import binom
from sklearn.metrics import make_scorer

__all__ = [
    "crps",
    "energy_score",
    "interval_coverage",
    "interval_score",
    "log_likelihood_scorer",
    "miscalibration_area",
    "neg_crps_scorer",
    "nll",
    "pit_values",
]

# Random numbers of a block of rows in `energy_score`: 8 MB.
BLOCK_DRAWS = 2**20


# Scores, lower is better


def nll(y_true, dist, *, sample_weight=None):
    """Mean negative log-likelihood, also called the logarithmic score.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Observed values, in the units of `dist`.
    dist : Distribution
        Of the same rows.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    loss : float
        In nats per row, for the units of y; joint for several targets. Infinite when a value of
        positive weight has density zero.

    Raises
    ------
    TypeError
        For a `dist` without `logpdf` and a length.
    ValueError
        For shapes that do not match, numbers that are not finite, or bad weights.

    References
    ----------
    Good (1952), Rational decisions, JRSS B 14. Gneiting and Raftery (2007), Strictly proper scoring
    rules, prediction, and estimation, JASA 102, section 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.distributions import Distribution
    >>> from skmlp.families import Normal
    >>> from skmlp.metrics import nll
    >>> dist = Distribution(Normal(), {"loc": np.array([0.0, 5.0]), "scale": np.array([1.0, 2.0])})
    >>> round(nll([0.0, 9.0], dist), 3)
    2.266
    """
    y = _values_of(y_true, dist, "logpdf")
    return _mean(-np.asarray(dist.logpdf(y)), sample_weight)


def crps(y_true, dist, *, sample_weight=None):
    """Mean continuous ranked probability score.

    That of a distribution function F is the integral of ``(F(z) - [z >= y])^2`` over z. It is the
    absolute error when F is a single point, and forgives outliers more than `nll` does.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Observed values, in the units of `dist`.
    dist : Distribution
        Of the same rows.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    loss : float
        In the units of y. Targets are scored each by itself, and averaged.

    Raises
    ------
    TypeError
        For a `dist` without `crps` and a length.
    ValueError
        For shapes that do not match, numbers that are not finite, or bad weights.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA
    102, section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.distributions import Distribution
    >>> from skmlp.families import Normal
    >>> from skmlp.metrics import crps
    >>> dist = Distribution(Normal(), {"loc": np.array([0.0, 5.0]), "scale": np.array([1.0, 2.0])})
    >>> round(crps([0.0, 9.0], dist), 3)
    1.57
    """
    y = _values_of(y_true, dist, "crps")
    return _mean(np.asarray(dist.crps(y)), sample_weight)


def energy_score(y_true, dist, *, n_samples=200, random_state=None, sample_weight=None):
    """Mean energy score, the continuous ranked probability score of several targets at once.

    ``E ||X - y|| - E ||X - X'|| / 2`` with independent X and ``X'`` from the distribution, by
    random draws. Both means are unbiased; each draw is paired with the next, the last with the
    first. Targets of a larger scale count for more.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Observed values, in the units of `dist`.
    dist : Distribution
        Of the same rows.
    n_samples : int, default=200
        Draws for each row.
    random_state : int, RandomState, Generator or None, default=None
        Source of the draws.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    loss : float
        In the units of y. For one target an approximation of `crps`.

    Raises
    ------
    TypeError
        For a `dist` without `sample` and a length.
    ValueError
        For shapes that do not match, numbers that are not finite, bad weights, or fewer than two
        draws.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA
    102, section 4.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.distributions import Distribution
    >>> from skmlp.families import Normal
    >>> from skmlp.metrics import energy_score
    >>> dist = Distribution(Normal(), {"loc": np.array([0.0, 5.0]), "scale": np.array([1.0, 2.0])})
    >>> round(energy_score([0.0, 9.0], dist, n_samples=100_000, random_state=0), 1)
    1.6
    """
    if not isinstance(n_samples, Integral) or n_samples < 2:
        raise ValueError(f"n_samples={n_samples!r} must be a whole number of at least 2 draws.")
    y = _values_of(y_true, dist, "sample")
    rng = _generator(random_state)
    scores = np.empty(len(y))
    size = max(1, BLOCK_DRAWS // (n_samples * y[0].size))
    for start in range(0, len(y), size):
        rows = slice(start, start + size)
        scores[rows] = _energy_scores(y[rows], dist[rows].sample(n_samples, random_state=rng))
    return _mean(scores, sample_weight)


def _energy_scores(y, draws):
    """Energy scores (n,) of y (n[, t]) by draws (n[, t], n_samples)."""
    n, n_samples = len(y), draws.shape[-1]
    draws = draws.reshape(n, -1, n_samples)
    to_y = np.linalg.norm(draws - y.reshape(n, -1, 1), axis=1)
    to_next = np.linalg.norm(draws - np.roll(draws, 1, axis=-1), axis=1)
    return to_y.mean(axis=-1) - 0.5 * to_next.mean(axis=-1)


def interval_score(y_true, interval, *, coverage=0.9, sample_weight=None):
    """Mean interval score, also called Winkler score, of central prediction intervals.

    The width of the interval, plus 2 / alpha times the distance of y from it, where alpha is one
    minus the coverage. In expectation the least for the true quantiles of levels alpha / 2 and
    1 - alpha / 2.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Observed values, in the units of `interval`.
    interval : array-like of shape (n_samples[, n_targets], 2)
        Lower and upper ends, such as `DensityRegressor.predict_interval` returns.
    coverage : float, default=0.9
        The probability that the intervals were made for.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    loss : float
        In the units of y. Targets are scored each by itself, and averaged.

    Raises
    ------
    ValueError
        For shapes that do not match, NaN, a lower end above the upper, bad weights, or a coverage
        that is not strictly between 0 and 1.

    References
    ----------
    Winkler (1972), A decision-theoretic approach to interval estimation, JASA 67. Gneiting and
    Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA 102, section 6.

    Examples
    --------
    >>> from skmlp.metrics import interval_score
    >>> interval_score([1.0, 5.0], [[0.0, 2.0], [0.0, 4.0]], coverage=0.5)
    5.0
    """
    if not (isinstance(coverage, Real) and 0 < coverage < 1):
        raise ValueError(
            f"coverage={coverage!r} must be one number strictly between 0 and 1, such as 0.9 for "
            "intervals that hold y nine times in ten."
        )
    y, low, high = _interval_of(y_true, interval)
    outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return _mean(high - low + 2.0 / (1.0 - coverage) * outside, sample_weight)


# Calibration


def interval_coverage(y_true, interval, *, sample_weight=None):
    """Share of values inside their prediction intervals, ends included.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Observed values, in the units of `interval`.
    interval : array-like of shape (n_samples[, n_targets], 2)
        Lower and upper ends, such as `DensityRegressor.predict_interval` returns.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    coverage : float
        Between 0 and 1; about the coverage that was asked for when the intervals are right. Over
        all targets.

    Raises
    ------
    ValueError
        For shapes that do not match, NaN, a lower end above the upper, or bad weights.

    References
    ----------
    Christoffersen (1998), Evaluating interval forecasts, International Economic Review 39.

    Examples
    --------
    >>> from skmlp.metrics import interval_coverage
    >>> interval_coverage([1.0, 5.0], [[0.0, 2.0], [0.0, 4.0]])
    0.5
    """
    y, low, high = _interval_of(y_true, interval)
    return _mean(((low <= y) & (y <= high)).astype(np.float64), sample_weight)


def pit_values(y_true, dist, *, random_state=None):
    """Probability integral transforms: the share of each distribution below y.

    Uniform between 0 and 1 when the distributions are right; U-shaped when they are too narrow.
    Counts get a random place in their step of the distribution function, without which even right
    distributions would not be uniform.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Observed values, in the units of `dist`.
    dist : Distribution
        Of the same rows.
    random_state : int, RandomState, Generator or None, default=None
        Source of the places of counts.

    Returns
    -------
    pit : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Of each target by itself.

    Raises
    ------
    TypeError
        For a `dist` without `cdf` and a length.
    ValueError
        For shapes that do not match, or numbers that are not finite.

    References
    ----------
    Dawid (1984), Statistical theory: the prequential approach, JRSS A 147. Czado, Gneiting and
    Held (2009), Predictive model assessment for count data, Biometrics 65.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.distributions import Distribution
    >>> from skmlp.families import Normal
    >>> from skmlp.metrics import pit_values
    >>> dist = Distribution(Normal(), {"loc": np.array([0.0, 5.0]), "scale": np.array([1.0, 2.0])})
    >>> pit_values([0.0, 9.0], dist).round(3)
    array([0.5  , 0.977])
    """
    y = _values_of(y_true, dist, "cdf")
    ranks = np.asarray(dist.cdf(y), np.float64)
    if getattr(dist, "discrete", False):
        below = dist.cdf(np.ceil(y) - 1.0)
        ranks = below + _generator(random_state).random(ranks.shape) * (ranks - below)
    return ranks


def miscalibration_area(y_true, dist, *, sample_weight=None, random_state=None):
    """Area between the curve of observed against expected quantile levels and the diagonal.

    The integral of ``|G(p) - p|`` over p, where G(p) is the share of values below the predicted
    quantile of level p, that is of `pit_values` up to p. G is a step function, and the integral is
    exact.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Observed values, in the units of `dist`.
    dist : Distribution
        Of the same rows.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    random_state : int, RandomState, Generator or None, default=None
        Source of the places of counts, see `pit_values`.

    Returns
    -------
    area : float
        0 for perfect calibration, at most 0.5. Right distributions give about
        0.31 / sqrt(n) by chance. The values of several targets are pooled.

    Raises
    ------
    TypeError
        For a `dist` without `cdf` and a length.
    ValueError
        For shapes that do not match, numbers that are not finite, or bad weights.

    References
    ----------
    Kuleshov, Fenner and Ermon (2018), Accurate uncertainties for deep learning using calibrated
    regression, ICML (the curve).

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import ndtri
    >>> from skmlp.distributions import Distribution
    >>> from skmlp.families import Normal
    >>> from skmlp.metrics import miscalibration_area
    >>> y = ndtri((np.arange(1000) + 0.5) / 1000)
    >>> right = Distribution(Normal(), {"loc": np.zeros(1000), "scale": np.ones(1000)})
    >>> round(miscalibration_area(y, right), 3)
    0.0
    >>> narrow = Distribution(Normal(), {"loc": np.zeros(1000), "scale": np.full(1000, 0.5)})
    >>> round(miscalibration_area(y, narrow), 3)
    0.102
    """
    return area_of_pit(pit_values(y_true, dist, random_state=random_state), sample_weight)


def area_of_pit(pit, sample_weight=None):
    """`miscalibration_area` of given values, (n[, t])."""
    steps, observed = observed_levels(pit, sample_weight)
    edges = np.concatenate([[0.0], steps, [1.0]])
    observed = np.concatenate([[0.0], observed])

    def signed_area(height):
        return 0.5 * height * np.abs(height)

    return float(np.sum(signed_area(edges[1:] - observed) - signed_area(edges[:-1] - observed)))


def observed_levels(pit, sample_weight=None):
    """The steps of G in `miscalibration_area`: sorted values, and the shares of values up to them.

    Both of shape (n * t,). With ties the last of them has the share.
    """
    pit = np.asarray(pit, np.float64)
    weight = np.repeat(checked_weight(sample_weight, len(pit)), pit[0].size)
    order = np.argsort(pit, axis=None, kind="stable")
    total = np.cumsum(weight[order])
    return pit.ravel()[order], total / total[-1]


def chance_band(n, share, coverage):
    """Bounds of the share that n trials of probability `share` hit, with a given coverage."""
    levels = [0.5 * (1.0 - coverage), 0.5 * (1.0 + coverage)]
    return binom.ppf(levels, n, share) / n


# Scorers


class DistributionScorer:
    """Callable ``scorer(estimator, X, y, sample_weight=None)``, higher is better.

    For the parameter `scoring` of `cross_val_score`, `GridSearchCV` and the like, and of skmlp's
    estimators. The estimator must have `predict_dist`, or be a Pipeline or a fitted search whose
    last estimator has it.

    Parameters
    ----------
    score : callable
        ``score(y_true, dist, *, sample_weight=None)``, such as `nll`; lower is better.
    name : str
        As it is printed.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from skmlp import DensityRegressor
    >>> from skmlp.metrics import neg_crps_scorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(300, 1))
    >>> y = X[:, 0] ** 2 + rng.normal(scale=0.1, size=300)
    >>> model = DensityRegressor(learning_rate_init=0.01, early_stopping=True, random_state=0)
    >>> cross_val_score(model, X, y, cv=2, scoring=neg_crps_scorer).round(1)
    array([-0.1, -0.1])
    """

    def __init__(self, score, name):
        self._score_func, self.name = score, name
        self._routing = make_scorer(score)

    def __call__(self, estimator, X, y, sample_weight=None):
        """Score of the distributions that a fitted estimator predicts.

        Parameters
        ----------
        estimator : object
            Fitted, with `predict_dist`; or a Pipeline or search whose last estimator has it.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Observed values, in the units of `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            Minus the mean of `score`.

        Raises
        ------
        TypeError
            If no `predict_dist` is found.
        NotFittedError
            For an estimator that is not fitted.
        ValueError
            For X and y that the estimator or `score` refuses.
        """
        dist = predicted_distributions(estimator, X)
        return -self._score_func(y, dist, sample_weight=sample_weight)

    def set_score_request(self, *, sample_weight):
        """A copy of this scorer that asks for `sample_weight`, for scikit-learn's metadata routing.

        Parameters
        ----------
        sample_weight : bool, str or None
            As for the scorers of scikit-learn.

        Returns
        -------
        scorer : DistributionScorer
            The copy; this scorer stays as it is.

        Raises
        ------
        RuntimeError
            Unless metadata routing is enabled.

        Examples
        --------
        >>> import sklearn
        >>> from skmlp.metrics import neg_crps_scorer
        >>> with sklearn.config_context(enable_metadata_routing=True):
        ...     weighted = neg_crps_scorer.set_score_request(sample_weight=True)
        >>> weighted
        neg_crps_scorer
        """
        asking = copy(self)
        asking._routing = make_scorer(self._score_func)
        asking._routing.set_score_request(sample_weight=sample_weight)
        return asking

    def get_metadata_routing(self):
        """What `set_score_request` has asked for.

        Returns
        -------
        routing : MetadataRequest
            Requests for the parameters of `score`.

        Examples
        --------
        >>> import sklearn
        >>> from skmlp.metrics import neg_crps_scorer
        >>> with sklearn.config_context(enable_metadata_routing=True):
        ...     weighted = neg_crps_scorer.set_score_request(sample_weight=True)
        ...     weighted.get_metadata_routing().score.requests
        {'sample_weight': True}
        """
        return self._routing.get_metadata_routing()

    def _accept_sample_weight(self):
        # Asked by searches over several scores.
        return True

    def __repr__(self):
        return self.name


#: Scorer for `nll`, times -1: mean log-likelihood, higher is better.
#:
#: Used as `neg_crps_scorer` is.
log_likelihood_scorer = DistributionScorer(nll, "log_likelihood_scorer")
#: Scorer for `crps`, times -1, so that higher is better.
#:
#: A callable ``scorer(estimator, X, y, sample_weight=None)``, for the parameter `scoring` of
#: `cross_val_score`, `GridSearchCV` and the like, and of skmlp's estimators. The estimator must
#: have `predict_dist`, or be a Pipeline or a fitted search whose last estimator has it.
neg_crps_scorer = DistributionScorer(crps, "neg_crps_scorer")


# Estimators inside others


def unwrap(estimator, attribute):
    """The estimator with some attribute inside Pipelines and fitted searches.

    Returns
    -------
    transformers : list
        Fitted, through which X goes before it comes to that estimator.
    estimator : object

    Raises
    ------
    TypeError
    """
    outermost, transformers = estimator, []
    while not hasattr(estimator, attribute):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            *before, estimator = (step for _, step in estimator.steps)
            transformers += [step for step in before if step not in (None, "passthrough")]
        else:
            raise TypeError(_without(attribute, estimator, outermost))
    return transformers, estimator


def predicted_distributions(estimator, X):
    """The distributions that an estimator predicts, or the last one inside it; see `unwrap`."""
    transformers, last = unwrap(estimator, "predict_dist")
    for transformer in transformers:
        X = transformer.transform(X)
    return last.predict_dist(X)


def _without(attribute, estimator, outermost):
    found = type(estimator).__name__
    where = "" if estimator is outermost else f", the last estimator of {type(outermost).__name__},"
    return (
        f"{found}{where} has no {attribute}. Give an estimator that has it, such as "
        "DensityRegressor for predict_dist, or a Pipeline or a fitted search (with refit) whose "
        "last estimator does."
    )


# Checks


def _values_of(y_true, dist, method):
    """y_true as a finite float64 array of the shape that `dist` has, (n[, t])."""
    if not (hasattr(dist, method) and hasattr(dist, "__len__")):
        raise TypeError(
            f"dist must hold distributions, with the method {method}, such as predict_dist "
            f"returns; got {type(dist).__name__}."
        )
    y = _numbers(y_true, "y_true")
    targets = getattr(dist, "n_targets", None)
    wanted = (len(dist),) if targets is None else (len(dist), targets)
    if y.ndim > 2 or len(y) != len(dist) or y[0].size != (targets or 1):
        raise ValueError(
            f"y_true has shape {np.shape(y_true)}, but dist is of y of shape {wanted}. Both must "
            "be of the same rows and targets."
        )
    return y.reshape(wanted)


def _interval_of(y_true, interval):
    """y_true and the ends of its intervals, three arrays (n[, t])."""
    y = _numbers(y_true, "y_true")
    interval = np.asarray(interval, np.float64)
    if y.ndim == interval.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 2) or interval.shape != (*y.shape, 2):
        raise ValueError(
            f"interval has shape {interval.shape}, but for y_true of shape {np.shape(y_true)} it "
            f"must be {(*y.shape, 2)}: a lower and an upper end for each value, of one coverage."
        )
    low, high = interval[..., 0], interval[..., 1]
    # Said in this way it catches NaN as well.
    bad = np.argwhere(~(low <= high))
    if bad.size:
        raise ValueError(
            f"interval must not hold NaN, or a lower end above the upper; got "
            f"{interval[tuple(bad[0])].tolist()} in row {bad[0][0]}."
        )
    return y, low, high


def _numbers(values, name):
    """A finite float64 array with at least one row."""
    try:
        values = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers: {error}") from error
    if not (values.ndim and values.size):
        raise ValueError(f"{name} has shape {values.shape}, but must have at least one row.")
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        raise ValueError(
            f"{name} must hold finite numbers; got {values[tuple(bad[0])]} in row {bad[0][0]} "
            f"({len(bad)} such of {values.size}). Leave these rows out."
        )
    return values


def checked_weight(sample_weight, n):
    """Weights of n rows, finite and not negative; ones for None."""
    if sample_weight is None:
        return np.ones(n)
    weight = _numbers(sample_weight, "sample_weight")
    if weight.shape != (n,):
        raise ValueError(
            f"sample_weight has shape {weight.shape}, but must be {(n,)}, one weight for each row."
        )
    if weight.min() < 0 or not weight.any():
        raise ValueError(
            f"sample_weight must not be negative, nor zero for all rows; got a smallest weight of "
            f"{weight.min():g} and a largest of {weight.max():g}."
        )
    return weight


def _mean(scores, sample_weight):
    """Mean of scores (n[, t]) over targets, and over rows by weight."""
    weight = checked_weight(sample_weight, len(scores))
    counts = weight > 0  # an infinite score of weight 0 would make NaN
    by_row = scores[counts].reshape(np.count_nonzero(counts), -1).mean(axis=1)
    return float(np.average(by_row, weights=weight[counts]))


def _generator(random_state):
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31 - 1)
    return np.random.default_rng(random_state)
