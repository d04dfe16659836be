"""Scores against formulas and integrals written here; scorers in scikit-learn's tools."""

import pickle

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import gamma
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import DensityRegressor, metrics
from skmlp.distributions import Distribution
from skmlp.families import MultivariateNormal, NegativeBinomial, Normal, Poisson
from skmlp.metrics import (
    crps,
    energy_score,
    interval_coverage,
    interval_score,
    log_likelihood_scorer,
    miscalibration_area,
    neg_crps_scorer,
    nll,
    pit_values,
)

SCORES = [nll, crps, energy_score]
SCORERS = [log_likelihood_scorer, neg_crps_scorer]


def normal(loc, scale):
    loc = np.asarray(loc, float)
    return Distribution(Normal(), {"loc": loc, "scale": np.broadcast_to(scale, loc.shape)})


def poisson(rate):
    return Distribution(Poisson(), {"mean": np.asarray(rate, float)})


def several_targets(n, seed=0):
    """Distributions of two correlated targets, and values drawn from them."""
    rng = np.random.default_rng(seed)
    loc = rng.normal(size=(n, 2))
    chol = np.array([[1.0, 0.0], [0.8, 0.5]]) * rng.uniform(0.5, 1.5, size=(n, 1, 1))
    dist = Distribution(MultivariateNormal(), {"loc": loc, "scale_tril": chol})
    return loc + np.einsum("nij,nj->ni", chol, rng.normal(size=(n, 2))), dist


class Marginal(RegressorMixin, BaseEstimator):
    """Predicts one normal distribution for all rows; fast."""

    def __init__(self, inflation=1.0):
        self.inflation = inflation

    def fit(self, X, y, sample_weight=None):
        self.loc_ = np.average(y, weights=sample_weight)
        self.scale_ = self.inflation * np.std(y)
        self.n_features_in_ = np.shape(X)[1]
        return self

    def predict(self, X):
        return np.full(len(X), self.loc_)

    def predict_dist(self, X):
        return normal(self.predict(X), self.scale_)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    return X, 3.0 + X[:, 0] + rng.normal(size=60)


# Values


def test_public_names_exist():
    assert sorted(set(metrics.__all__)) == metrics.__all__
    assert all(hasattr(metrics, name) for name in metrics.__all__)


def test_nll_is_that_of_scipy():
    y, loc, scale = [0.3, -1.0, 7.0], [0.0, 1.0, 5.0], [1.0, 2.0, 0.5]
    assert nll(y, normal(loc, scale)) == pytest.approx(-stats.norm.logpdf(y, loc, scale).mean())
    counts, rate = [0, 3, 5], np.array([0.5, 2.0, 9.0])
    expected = -stats.poisson.logpmf(counts, rate).mean()
    assert nll(counts, poisson(rate)) == pytest.approx(expected)


def test_nll_of_several_targets_is_joint():
    y, dist = several_targets(3)
    covs = dist.cov()
    rows = zip(y, dist.params["loc"], covs, strict=True)
    expected = -np.mean([stats.multivariate_normal.logpdf(*row) for row in rows])
    assert nll(y, dist) == pytest.approx(expected)


def integrated_crps(cdf, y):
    left, _ = quad(lambda z: cdf(z) ** 2, y - 40, y, limit=200)
    right, _ = quad(lambda z: (1 - cdf(z)) ** 2, y, y + 40, limit=200)
    return left + right


def test_crps_is_the_integral():
    y, loc, scale = [0.3, -1.0, 7.0], [0.0, 1.0, 5.0], [1.0, 2.0, 0.5]
    rows = zip(y, loc, scale, strict=True)
    expected = np.mean([integrated_crps(stats.norm(m, s).cdf, v) for v, m, s in rows])
    assert crps(y, normal(loc, scale)) == pytest.approx(expected, rel=1e-6)


def test_crps_of_counts_is_the_sum():
    y, rate, z = np.array([0, 3, 5]), np.array([0.5, 2.0, 9.0]), np.arange(100)
    errors = stats.poisson.cdf(z, rate[:, np.newaxis]) - (z >= y[:, np.newaxis])
    assert crps(y, poisson(rate)) == pytest.approx(np.sum(errors**2, axis=1).mean())


def test_crps_averages_targets():
    y, dist = several_targets(5)
    by_target = [crps(y[:, j], dist.marginal(j)) for j in range(2)]
    assert crps(y, dist) == pytest.approx(np.mean(by_target))


def test_energy_score_of_one_target_is_crps():
    rng = np.random.default_rng(0)
    y, loc, scale = rng.normal(size=50), rng.normal(size=50), rng.uniform(0.5, 2.0, size=50)
    dist = normal(loc, scale)
    assert energy_score(y, dist, n_samples=4000, random_state=0) == pytest.approx(
        crps(y, dist), rel=0.01
    )


def test_energy_score_at_the_center_of_a_sphere():
    n, t = 300, 3
    loc = np.random.default_rng(0).normal(size=(n, t))
    chol = np.broadcast_to(2.0 * np.eye(t), (n, t, t))
    dist = Distribution(MultivariateNormal(), {"loc": loc, "scale_tril": chol})
    radius = 2.0 * np.sqrt(2.0) * gamma((t + 1) / 2) / gamma(t / 2)  # E|X - loc|
    expected = radius * (1.0 - np.sqrt(2.0) / 2.0)
    assert energy_score(loc, dist, random_state=0) == pytest.approx(expected, rel=0.01)


def test_energy_score_is_unbiased_with_few_draws():
    n = 40_000
    dist = normal(np.zeros(n), 1.0)
    few = energy_score(np.full(n, 0.5), dist, n_samples=2, random_state=0)
    assert few == pytest.approx(crps([0.5], normal([0.0], 1.0)), abs=0.02)


def test_energy_score_counts_the_correlation():
    y, dist = several_targets(2000)
    independent = {
        "loc": dist.params["loc"],
        "scale_tril": dist.std()[:, :, np.newaxis] * np.eye(2),
    }
    wrong = Distribution(MultivariateNormal(), independent)
    assert crps(y, wrong) == pytest.approx(crps(y, dist))
    assert energy_score(y, dist, random_state=0) < energy_score(y, wrong, random_state=0)


def test_energy_score_in_blocks(monkeypatch):
    y, dist = np.arange(7.0), normal(np.zeros(7), 1.0)
    whole = energy_score(y, dist, n_samples=10, random_state=0)
    monkeypatch.setattr(metrics, "BLOCK_DRAWS", 20)
    assert energy_score(y, dist, n_samples=10, random_state=0) == whole


@pytest.mark.parametrize("kind", [int, np.random.RandomState, np.random.default_rng])
def test_random_states(kind):
    counts, dist = [0, 1, 5], poisson(np.array([1.0, 2.0, 3.0]))
    for function in (energy_score, pit_values, miscalibration_area):
        once, again = (function(counts, dist, random_state=kind(3)) for _ in range(2))
        np.testing.assert_array_equal(once, again)
        assert np.any(once != function(counts, dist, random_state=kind(4)))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("shift, factor", [(0.0, 0.5), (0.0, 2.0), (0.7, 1.0)])
def test_scores_are_best_for_the_truth(score, shift, factor):
    y = np.random.default_rng(0).normal(size=2000)
    options = {"random_state": 0} if score is energy_score else {}
    right = score(y, normal(np.zeros(2000), 1.0), **options)
    assert right < score(y, normal(np.full(2000, shift), factor), **options)


def test_interval_score_is_a_sum_of_pinball_losses():
    rng = np.random.default_rng(0)
    y, ends = rng.normal(size=(40, 2)), np.sort(rng.normal(size=(40, 2, 2)), axis=-1)
    alpha = 0.3
    losses = [
        mean_pinball_loss(y, ends[..., k], alpha=level)
        for k, level in enumerate((alpha / 2, 1 - alpha / 2))
    ]
    assert interval_score(y, ends, coverage=1 - alpha) == pytest.approx(2 / alpha * sum(losses))


def test_interval_score_is_best_for_the_true_quantiles():
    y = np.random.default_rng(0).normal(size=5000)
    ends = np.tile(stats.norm.ppf([0.1, 0.9]), (5000, 1))
    right = interval_score(y, ends, coverage=0.8)
    for change in ([-0.3, 0.3], [0.3, -0.3], [0.3, 0.3]):
        assert right < interval_score(y, ends + change, coverage=0.8)


def test_interval_coverage_includes_the_ends():
    assert interval_coverage([0.0, 1.0, 1.1, -np.pi], [[0.0, 1.0]] * 4) == 0.5
    assert interval_coverage([[0.0], [5.0]], [[-np.inf, 1.0]] * 2) == 0.5
    y, dist = several_targets(4000)
    assert interval_coverage(y, dist.interval(0.7)) == pytest.approx(0.7, abs=0.02)


# Calibration


def test_pit_is_uniform_for_the_truth():
    y, dist = several_targets(3000)
    pit = pit_values(y, dist)
    assert pit.shape == y.shape
    np.testing.assert_allclose(pit, stats.norm.cdf(y, dist.mean(), dist.std()))
    assert all(stats.kstest(column, "uniform").pvalue > 0.01 for column in pit.T)


@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_pit_of_counts_is_uniform_and_in_its_step(family):
    rate = np.random.default_rng(0).uniform(0.1, 4.0, size=3000)
    if family == "poisson":
        dist, law = poisson(rate), stats.poisson(rate)
    else:
        dist = Distribution(NegativeBinomial(), {"mean": rate, "size": np.full(3000, 2.0)})
        law = stats.nbinom(2.0, 2.0 / (2.0 + rate))
    y = law.rvs(random_state=1)
    pit = pit_values(y, dist, random_state=2)
    assert np.all((law.cdf(y - 1) <= pit) & (pit <= law.cdf(y) + 1e-12))
    assert stats.kstest(pit, "uniform").pvalue > 0.01


@pytest.mark.parametrize("weighted", [False, True])
def test_miscalibration_area_is_the_integral(weighted):
    rng = np.random.default_rng(0)
    n = 30
    y, dist = rng.normal(0.3, 1.0, size=n), normal(np.zeros(n), 0.8)
    weight = rng.uniform(size=n) if weighted else None
    pit, level = stats.norm.cdf(y, 0.0, 0.8), (np.arange(100_000) + 0.5) / 100_000
    observed = np.average(pit[:, np.newaxis] <= level, axis=0, weights=weight)
    area = miscalibration_area(y, dist, sample_weight=weight)
    assert area == pytest.approx(np.mean(np.abs(observed - level)), abs=1e-5)


def test_miscalibration_area_at_its_extremes():
    assert miscalibration_area([-50.0, -50.0], normal([0.0, 0.0], 1.0)) == 0.5
    assert miscalibration_area([50.0, 50.0], normal([0.0, 0.0], 1.0)) == 0.5
    n = 20
    y = stats.norm.ppf((np.arange(n) + 0.5) / n)
    # The least that n values can have: triangles of base and height 1 / (2 n).
    assert miscalibration_area(y[::-1], normal(np.zeros(n), 1.0)) == pytest.approx(1 / (4 * n))


def test_miscalibration_area_of_narrow_and_of_right_distributions():
    n = 20_000
    y, zero = np.random.default_rng(0).normal(size=n), np.zeros(n)
    level = (np.arange(10_000) + 0.5) / 10_000
    narrow = np.mean(np.abs(stats.norm.cdf(0.5 * stats.norm.ppf(level)) - level))
    assert miscalibration_area(y, normal(zero, 0.5)) == pytest.approx(narrow, abs=0.01)
    by_chance = [
        miscalibration_area(part, normal(np.zeros(100), 1.0)) for part in np.split(y, n // 100)
    ]
    assert np.mean(by_chance) == pytest.approx(np.sqrt(np.pi / 32) / np.sqrt(100), rel=0.1)


def test_miscalibration_area_pools_targets():
    y, dist = several_targets(50)
    pooled = normal(dist.mean().ravel(), dist.std().ravel())
    weight = np.random.default_rng(0).uniform(size=50)
    assert miscalibration_area(y, dist, sample_weight=weight) == pytest.approx(
        miscalibration_area(y.ravel(), pooled, sample_weight=np.repeat(weight, 2))
    )


# Weights


def of_distributions(function):
    y, dist = several_targets(6)
    options = {"random_state": 0} if function is energy_score else {}
    return lambda weight: function(y, dist, sample_weight=weight, **options)


def of_intervals(function):
    y, dist = several_targets(6)
    return lambda weight: function(y, dist.interval(0.5), sample_weight=weight)


@pytest.mark.parametrize(
    "weighted",
    [*map(of_distributions, SCORES), *map(of_intervals, [interval_score, interval_coverage])],
    ids=["nll", "crps", "energy_score", "interval_score", "interval_coverage"],
)
def test_the_mean_is_weighted(weighted):
    by_row = [weighted(row) for row in np.eye(6)]
    weight = np.array([0.0, 1.0, 2.0, 0.5, 0.0, 3.0])
    assert weighted(weight) == pytest.approx(np.average(by_row, weights=weight))
    assert weighted(None) == pytest.approx(np.mean(by_row)) == pytest.approx(weighted(np.ones(6)))


def test_a_row_of_weight_zero_may_be_impossible():
    dist = poisson([1.0, 1.0])
    assert nll([1, -1], dist) == np.inf
    assert nll([1, -1], dist, sample_weight=[1, 0]) == pytest.approx(1.0)


# Refusals


@pytest.mark.parametrize("function", [*SCORES, pit_values, miscalibration_area])
@pytest.mark.parametrize(
    "y, message",
    [
        ([0.0, np.nan, 1.0], "y_true must hold finite numbers; got nan in row 1"),
        ([0.0, 1.0, np.inf], "got inf in row 2"),
        ([0.0, 1.0], r"y_true has shape \(2,\), but dist is of y of shape \(3,\)"),
        ([[0.0, 1.0]] * 3, r"y_true has shape \(3, 2\)"),
        ([[0.0, 1.0, 2.0]], r"y_true has shape \(1, 3\)"),
        (np.zeros((3, 1, 1)), r"y_true has shape \(3, 1, 1\)"),
        (["a", "b", "c"], "y_true must be an array of numbers"),
        ([], "y_true has shape .* at least one row"),
    ],
)
def test_bad_y_is_refused(function, y, message):
    with pytest.raises(ValueError, match=message):
        function(y, normal(np.zeros(3), 1.0))


@pytest.mark.parametrize("function", [*SCORES, pit_values, miscalibration_area])
def test_what_is_no_distribution_is_refused(function):
    with pytest.raises(TypeError, match="dist must hold distributions, .* got ndarray"):
        function([0.0, 1.0], np.zeros(2))


def test_a_column_is_one_target():
    dist = normal([0.0, 5.0], 1.0)
    assert crps([[1.0], [2.0]], dist) == crps([1.0, 2.0], dist)
    y, dist = several_targets(2)
    with pytest.raises(ValueError, match=r"y_true has shape \(2,\).* of shape \(2, 2\)"):
        crps(y[:, 0], dist)


@pytest.mark.parametrize(
    "weight, message",
    [
        ([1.0, 1.0], r"sample_weight has shape \(2,\), but must be \(3,\)"),
        ([1.0, -1.0, 1.0], "must not be negative"),
        ([0.0, 0.0, 0.0], "nor zero for all rows"),
        ([1.0, np.nan, 1.0], "sample_weight must hold finite numbers; got nan in row 1"),
    ],
)
def test_bad_weights_are_refused(weight, message):
    for call in (
        lambda: nll(np.zeros(3), normal(np.zeros(3), 1.0), sample_weight=weight),
        lambda: miscalibration_area(np.zeros(3), normal(np.zeros(3), 1.0), sample_weight=weight),
        lambda: interval_coverage(np.zeros(3), np.zeros((3, 2)), sample_weight=weight),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("coverage", [0, 1, 1.5, -0.1, 90, np.nan, "0.9", [0.5, 0.9]])
def test_bad_coverages_are_refused(coverage):
    with pytest.raises(ValueError, match="coverage=.* strictly between 0 and 1"):
        interval_score([0.0], [[0.0, 1.0]], coverage=coverage)


@pytest.mark.parametrize("function", [interval_score, interval_coverage])
@pytest.mark.parametrize(
    "interval, message",
    [
        (np.zeros((3, 2)), r"interval has shape \(3, 2\), .* must be \(2, 2\)"),
        (np.zeros((2, 2, 3)), "of one coverage"),
        ([[0.0, 1.0], [2.0, 1.0]], r"got \[2.0, 1.0\] in row 1"),
        ([[np.nan, 1.0], [0.0, 1.0]], r"must not hold NaN.* in row 0"),
    ],
)
def test_bad_intervals_are_refused(function, interval, message):
    with pytest.raises(ValueError, match=message):
        function([0.0, 1.0], interval)


@pytest.mark.parametrize("n_samples", [1, 0, 2.5, None])
def test_too_few_draws_are_refused(n_samples):
    with pytest.raises(ValueError, match="n_samples=.* at least 2"):
        energy_score([0.0], normal([0.0], 1.0), n_samples=n_samples)


# Scorers


@pytest.mark.parametrize("scorer, score", [(log_likelihood_scorer, nll), (neg_crps_scorer, crps)])
def test_scorers_are_minus_the_scores(data, scorer, score):
    X, y = data
    weight = np.arange(60.0)
    model = Marginal().fit(X, y)
    dist = model.predict_dist(X)
    assert scorer(model, X, y) == -score(y, dist)
    assert scorer(model, X, y, sample_weight=weight) == -score(y, dist, sample_weight=weight)


def test_log_likelihood_is_the_score_of_the_estimator(data):
    X, y = data
    model = DensityRegressor(learning_rate="one_cycle", max_iter=5, random_state=0).fit(X, y)
    assert log_likelihood_scorer(model, X, y) == pytest.approx(model.score(X, y))


def test_scorers_reach_the_last_estimator(data):
    X, y = data
    scaler = StandardScaler().fit(X)
    options = {"learning_rate": "one_cycle", "max_iter": 2, "random_state": 0}
    expected = log_likelihood_scorer(
        DensityRegressor(**options).fit(scaler.transform(X), y), scaler.transform(X), y
    )
    pipeline = make_pipeline(StandardScaler(), "passthrough", DensityRegressor(**options))
    search = GridSearchCV(pipeline, {"densityregressor__max_iter": [2]}, cv=2)
    inside = make_pipeline(
        StandardScaler(), GridSearchCV(DensityRegressor(**options), {"max_iter": [2]}, cv=2)
    )
    for model in (pipeline, search, inside, make_pipeline(pipeline), FrozenEstimator(pipeline)):
        score = log_likelihood_scorer(model.fit(X, y), X, y)
        assert score == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers_choose(data, scorer):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), Marginal())
    folds = KFold(3)
    expected = [
        scorer(Marginal().fit(X[train], y[train]), X[test], y[test])
        for train, test in folds.split(X)
    ]
    np.testing.assert_allclose(cross_val_score(pipeline, X, y, cv=folds, scoring=scorer), expected)
    grid = {"marginal__inflation": [0.2, 1.0, 5.0]}
    search = GridSearchCV(pipeline, grid, scoring=scorer, cv=folds).fit(X, y)
    assert search.best_params_ == {"marginal__inflation": 1.0}
    assert search.score(X, y) == scorer(search, X, y)


def test_scorers_watch_a_training(data):
    X, y = data
    model = DensityRegressor(max_iter=20, learning_rate="one_cycle", scoring=neg_crps_scorer)
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=np.arange(60.0))
    best = neg_crps_scorer(model, X, y, sample_weight=np.arange(60.0))
    assert model.best_validation_score_ == pytest.approx(best)


def test_scorers_together_with_weights(data):
    X, y = data
    weight = np.random.default_rng(0).uniform(size=60)
    scoring = {"ll": log_likelihood_scorer, "crps": neg_crps_scorer, "r2": "r2"}
    search = GridSearchCV(Marginal(), {"inflation": [1.0]}, scoring=scoring, refit="ll", cv=2)
    search.fit(X, y, sample_weight=weight)
    assert search.score(X, y) == log_likelihood_scorer(search, X, y)


def test_weights_are_routed(data):
    X, y = data
    weight = np.where(np.arange(60) < 30, 1.0, 1e-9)
    with config_context(enable_metadata_routing=True):
        asking = neg_crps_scorer.set_score_request(sample_weight=True)
        scores = cross_validate(
            Marginal().set_fit_request(sample_weight=False),
            X,
            y,
            cv=[(np.arange(60), np.arange(60))],
            scoring=pickle.loads(pickle.dumps(asking)),
            params={"sample_weight": weight},
        )
        requests = neg_crps_scorer.get_metadata_routing().score.requests
    assert requests.get("sample_weight") is None  # the original asks for nothing
    expected = neg_crps_scorer(Marginal().fit(X, y), X, y, sample_weight=weight)
    assert scores["test_score"] == pytest.approx([expected])


@pytest.mark.parametrize("scorer", SCORERS)
def test_scorers_are_pickled(data, scorer):
    X, y = data
    model = Marginal().fit(X, y)
    copy = pickle.loads(pickle.dumps(scorer))
    assert copy(model, X, y) == scorer(model, X, y)
    assert repr(copy) == repr(scorer) in metrics.__all__


def test_estimators_without_distributions_are_named(data):
    X, y = data
    for model, message in [
        (Ridge(), "^Ridge has no predict_dist.*DensityRegressor"),
        (make_pipeline(StandardScaler(), Ridge()), "^Ridge, the last estimator of Pipeline, has"),
        (GridSearchCV(Ridge(), {}, cv=2), "^Ridge, the last estimator of GridSearchCV, has"),
        (GridSearchCV(Marginal(), {}, cv=2, refit=False), "^GridSearchCV has no.*with refit"),
        (make_pipeline(StandardScaler(), "passthrough"), "^str, the last estimator of Pipeline"),
    ]:
        with pytest.raises(TypeError, match=message):
            log_likelihood_scorer(model.fit(X, y), X, y)
