"""Every distribution: what is learned, and what a fitted model says of it, in y's units."""

from functools import cache

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

from skmlp import DensityRegressor
from skmlp.distributions import Distribution
from skmlp.families import FAMILIES, Gamma, Normal

SMALL = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "random_state": 0}
# A schedule that ends at zero: reaching max_iter is success.
SMALL |= {"learning_rate": "one_cycle", "max_iter": 30, "batch_size": 100, "early_stopping": False}


def bimodal(X):
    """Two parts, as an object with logpdf, mean and rvs."""
    return [stats.norm(side * (2.0 + X[:, 0]), 0.4) for side in (-1, 1)]


# The law of y given x of each distribution.
TRUTHS = {
    "normal": lambda X: stats.norm(3.0 + 2.0 * X[:, 0], np.exp(X[:, 1] - 1.0)),
    "normal_mixture": bimodal,
    "histogram": bimodal,
    "student_t": lambda X: stats.t(4.0, 2.0 * X[:, 0], 0.3),
    "laplace": lambda X: stats.laplace(2.0 * X[:, 0], np.exp(X[:, 1] - 1.0)),
    "lognormal": lambda X: stats.lognorm(0.4, scale=np.exp(1.0 + X[:, 0])),
    "gamma": lambda X: stats.gamma(4.0, scale=np.exp(1.0 + X[:, 0]) / 4.0),
    "poisson": lambda X: stats.poisson(np.exp(1.5 + X[:, 0])),
    "negative_binomial": lambda X: stats.nbinom(3.0, 3.0 / (3.0 + np.exp(2.0 + X[:, 0]))),
}
EVERY = pytest.mark.parametrize("name", FAMILIES)
COUNTS = {"poisson", "negative_binomial"}


@cache
def data(name, n, seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.0, 1.0, size=(n, 2))
    law = TRUTHS[name](X)
    if isinstance(law, list):
        y = np.where(rng.random(n) < 0.5, *(part.rvs(random_state=rng) for part in law))
    else:
        y = law.rvs(random_state=rng)
    return X, y.astype(float)


@cache
def fitted(name, **params):
    """Tests must not change it."""
    return DensityRegressor(name, **{**SMALL, **params}).fit(*data(name, 900, 0))


def true_score(name, X, y):
    law = TRUTHS[name](X)
    if isinstance(law, list):
        return np.log(np.mean([part.pdf(y) for part in law], axis=0)).mean()
    return (law.logpmf(y) if name in COUNTS else law.logpdf(y)).mean()


# ---- what is learned -----------------------------------------------------------------------------


def test_every_distribution_has_a_truth():
    assert set(TRUTHS) == set(FAMILIES)


@EVERY
def test_the_truth_is_learned_far_better_than_the_marginal(name):
    X, y = data(name, 3000, 1)
    constant = DensityRegressor(name, **{**SMALL, "hidden_layer_sizes": ()})
    train, target = data(name, 900, 0)
    constant.fit(np.zeros_like(train), target)
    truth, marginal = true_score(name, X, y), constant.score(X, y)
    learned = fitted(name).score(X, y)
    assert marginal < learned < truth + 0.02
    share = 0.6 if name == "histogram" else 0.3
    assert truth - learned < share * (truth - marginal)


@EVERY
def test_expected_values_and_quantiles_are_near_the_truth(name):
    X, _ = data(name, 500, 1)
    model, law = fitted(name), TRUTHS[name](X)
    if isinstance(law, list):
        mean, sd = 0.0, 2.0 + X[:, 0]
        np.testing.assert_allclose(model.predict(X), mean, atol=0.8)
        np.testing.assert_allclose(model.predict(X, return_std=True)[1], sd, atol=0.6)
        return
    error = np.abs(model.predict(X) - law.mean()) / law.std()
    assert error.mean() < 0.2
    for q in (0.1, 0.9):
        distance = np.abs(model.predict_quantile(X, q) - law.ppf(q)) / law.std()
        assert distance.mean() < 0.3


def test_parameters_of_the_normal_are_found():
    X, _ = data("normal", 500, 1)
    params = fitted("normal").predict_dist(X).params
    assert np.abs(params["loc"] - 3.0 - 2.0 * X[:, 0]).mean() < 0.08
    assert np.abs(np.log(params["scale"]) - X[:, 1] + 1.0).mean() < 0.15


OTHER_SCORES = [(n, s) for n, family in FAMILIES.items() for s in family.scores if s != "nll"]


@pytest.mark.parametrize("name, loss", OTHER_SCORES)
def test_other_scores_learn_the_same_truth(name, loss):
    X, y = data(name, 3000, 1)
    model = fitted(name, loss=loss, max_iter=60)
    assert model.score(X, y) > fitted(name).score(X, y) - 0.15


def test_the_crps_forgives_outliers():
    X, y = data("normal", 900, 0)
    spoiled = y.copy()
    spoiled[::30] += 200.0
    X_test, y_test = data("normal", 1000, 1)
    nll, crps = (
        DensityRegressor(loss=loss, **SMALL).fit(X, spoiled).score(X_test, y_test)
        for loss in ("nll", "crps")
    )
    assert crps > nll + 0.5


def test_beta_0_is_the_likelihood():
    X, y = data("normal", 200, 0)
    plain = DensityRegressor(**SMALL).fit(X, y)
    weighted = DensityRegressor(loss="beta_nll", beta=0.0, **SMALL).fit(X, y)
    np.testing.assert_allclose(weighted.predict(X), plain.predict(X), rtol=1e-9)
    other = DensityRegressor(loss="beta_nll", beta=1.0, **SMALL).fit(X, y)
    assert not np.allclose(other.predict(X), plain.predict(X), rtol=1e-3)


# ---- what is said of it --------------------------------------------------------------------------


@EVERY
def test_all_predictions_are_those_of_the_distribution(name):
    model, (X, y) = fitted(name), data(name, 50, 2)
    dist = model.predict_dist(X)
    assert isinstance(dist, Distribution) and len(dist) == 50
    mean, sd = model.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, dist.mean())
    np.testing.assert_array_equal(mean, model.predict(X))
    np.testing.assert_array_equal(sd, dist.std())
    np.testing.assert_array_equal(model.predict(X, return_cov=True)[1][:, 0, 0], dist.var())
    np.testing.assert_array_equal(model.predict_quantile(X, [0.2, 0.7]), dist.ppf([0.2, 0.7]))
    np.testing.assert_array_equal(model.predict_interval(X, 0.7), dist.interval(0.7))
    np.testing.assert_array_equal(model.log_prob(X, y), dist.logpdf(y))
    np.testing.assert_array_equal(model.sample_y(X, 3, 5), dist.sample(3, 5))
    assert model.score(X, y) == pytest.approx(dist.logpdf(y).mean(), rel=1e-12)
    assert dist.discrete == (name in COUNTS)


@EVERY
def test_shapes(name):
    model, X = fitted(name), data(name, 7, 2)[0]
    assert model.predict(X).shape == (7,)
    assert model.predict(X, return_std=True)[1].shape == (7,)
    assert model.predict(X, return_cov=True)[1].shape == (7, 1, 1)
    assert model.predict_quantile(X, 0.5).shape == (7,)
    assert model.predict_quantile(X, [0.1, 0.5, 0.9]).shape == (7, 3)
    assert model.predict_interval(X).shape == (7, 2)
    assert model.predict_interval(X, [0.5, 0.9, 0.99]).shape == (7, 2, 3)
    assert model.sample_y(X).shape == (7, 1)
    assert model.sample_y(X, 4).shape == (7, 4)


@EVERY
def test_quantiles_increase_and_intervals_nest(name):
    model, X = fitted(name), data(name, 100, 2)[0]
    quantiles = model.predict_quantile(X, np.linspace(0.001, 0.999, 41))
    assert (np.diff(quantiles, axis=1) >= 0).all() and np.isfinite(quantiles).all()
    bounds = model.predict_interval(X, [0.5, 0.9])
    low, high = bounds[:, 0], bounds[:, 1]
    assert (low[:, 1] <= low[:, 0]).all() and (high[:, 0] <= high[:, 1]).all()
    np.testing.assert_allclose(bounds[..., 1], model.predict_quantile(X, [0.05, 0.95]), rtol=1e-9)


@EVERY
def test_intervals_hold_as_much_of_y_as_they_say(name):
    X, y = data(name, 3000, 1)
    for coverage in (0.5, 0.9):
        low, high = fitted(name).predict_interval(X, coverage).T
        # Those of counts hold more, as they end at whole numbers.
        excess = 0.2 if name in COUNTS else 0.06
        assert -0.06 < np.mean((low <= y) & (y <= high)) - coverage < excess


@EVERY
def test_random_values_are_reproducible_and_as_told(name):
    model, X = fitted(name), data(name, 20, 2)[0]
    values = model.sample_y(X, 2000, random_state=0)
    np.testing.assert_array_equal(values, model.sample_y(X, 2000, random_state=0))
    assert not np.array_equal(values[:, :5], model.sample_y(X, 5, random_state=1))
    assert not np.array_equal(model.sample_y(X, 5), model.sample_y(X, 5))
    mean, sd = model.predict(X, return_std=True)
    np.testing.assert_array_less(np.abs(values.mean(axis=1) - mean), 0.12 * sd)
    if name in COUNTS:
        np.testing.assert_array_equal(values, np.round(values))
    state = np.random.RandomState(0)  # noqa: NPY002
    assert not np.array_equal(model.sample_y(X, 2, state), model.sample_y(X, 2, state))


@EVERY
def test_densities_sum_to_one(name):
    model, X = fitted(name), data(name, 5, 2)[0]
    dist = model.predict_dist(X)
    if name in COUNTS:
        total = dist.pdf(np.arange(3000.0)[np.newaxis]).sum(axis=1)
    else:
        y = dist.ppf(np.linspace(1e-7, 1 - 1e-7, 20001))
        middle, width = 0.5 * (y[:, 1:] + y[:, :-1]), np.diff(y)
        total = (dist.pdf(middle) * width).sum(axis=1)
    np.testing.assert_allclose(total, 1.0, atol=2e-3)


def test_the_density_of_a_normal_by_hand():
    model, (X, y) = fitted("normal"), data("normal", 50, 2)
    mean, sd = model.predict(X, return_std=True)
    expected = -0.5 * ((y - mean) / sd) ** 2 - np.log(sd * np.sqrt(2.0 * np.pi))
    np.testing.assert_allclose(model.log_prob(X, y), expected, rtol=1e-10)
    np.testing.assert_allclose(model.score(X, y), expected.mean(), rtol=1e-10)


@EVERY
def test_the_last_layer_speaks_in_the_units_of_y(name):
    """coefs_ and intercepts_ give raw outputs, which are functions of the parameters."""
    model, X = fitted(name), data(name, 30, 2)[0]
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0.0)
    raw = hidden @ model.coefs_[1] + model.intercepts_[1]
    assert raw.shape == (30, model.n_outputs_) and model.out_activation_ == "identity"
    params = model.predict_dist(X).params
    expected = {
        "normal": lambda: {"loc": raw[:, 0], "scale": np.exp(raw[:, 1])},
        "laplace": lambda: {"loc": raw[:, 0], "scale": np.exp(raw[:, 1])},
        "student_t": lambda: {"loc": raw[:, 0], "scale": np.exp(raw[:, 1])},
        "lognormal": lambda: {"mu": raw[:, 0], "sigma": np.exp(raw[:, 1])},
        "gamma": lambda: {"shape": np.exp(raw[:, 1])},
        "poisson": lambda: {"mean": np.exp(raw[:, 0])},
        "negative_binomial": lambda: {"mean": np.exp(raw[:, 0]), "size": np.exp(raw[:, 1])},
        "normal_mixture": lambda: {"loc": raw[:, 5:10]},
        "histogram": lambda: {"probability": np.exp(raw) / np.exp(raw).sum(axis=1)[:, np.newaxis]},
    }[name]()
    for key, value in expected.items():
        np.testing.assert_allclose(params[key], value, rtol=1e-8, err_msg=key)
    if name == "gamma":
        np.testing.assert_allclose(model.predict(X), np.exp(raw[:, 0]), rtol=1e-8)


# ---- units ---------------------------------------------------------------------------------------

BRIEF = {**SMALL, "max_iter": 5}


@pytest.mark.parametrize("factor", [1000.0, 2e-4])
@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in COUNTS])
def test_other_units_of_y_change_nothing_but_units(name, factor):
    X, y = data(name, 200, 0)
    model = DensityRegressor(name, **BRIEF).fit(X, y)
    other = clone(model).fit(X, factor * y)
    np.testing.assert_allclose(
        other.log_prob(X, factor * y), model.log_prob(X, y) - np.log(factor), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(
        other.predict_quantile(X, [0.1, 0.5]), factor * model.predict_quantile(X, [0.1, 0.5]),
        rtol=1e-6, atol=1e-6 * factor,
    )  # fmt: skip
    np.testing.assert_allclose(
        other.predict(X, return_std=True)[1], factor * model.predict(X, return_std=True)[1],
        rtol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(other.loss_curve_, model.loss_curve_, rtol=1e-6)


@pytest.mark.parametrize("name", ["normal", "normal_mixture", "histogram", "student_t", "laplace"])
def test_another_origin_of_y_changes_nothing_but_the_origin(name):
    X, y = data(name, 200, 0)
    model = DensityRegressor(name, **BRIEF).fit(X, y)
    other = clone(model).fit(X, y + 500.0)
    np.testing.assert_allclose(
        other.log_prob(X, y + 500.0), model.log_prob(X, y), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(other.predict(X) - 500.0, model.predict(X), atol=1e-6)


# ---- families as objects -------------------------------------------------------------------------


def test_an_instance_acts_as_its_name():
    X, y = data("normal", 200, 0)
    by_name, by_object = (
        DensityRegressor(family, **BRIEF).fit(X, y) for family in ("normal", Normal())
    )
    np.testing.assert_array_equal(by_name.predict(X), by_object.predict(X))
    wide = DensityRegressor(Normal(min_scale=0.9), **SMALL).fit(X, y)
    assert (wide.predict(X, return_std=True)[1] >= 0.9 * y.std() * (1 - 1e-9)).all()


def test_the_score_of_an_instance_is_the_one_trained():
    X, y = data("normal", 200, 0)
    by_name, by_object = (
        DensityRegressor(**given, **BRIEF).fit(X, y)
        for given in ({"loss": "crps"}, {"distribution": Normal("crps")})
    )
    np.testing.assert_array_equal(by_name.predict(X), by_object.predict(X))
    with pytest.raises(ValueError, match="loss='beta_nll' differs from that of distribution="):
        DensityRegressor(Normal("crps"), loss="beta_nll").fit(X, y)
    DensityRegressor(Gamma(), **BRIEF).fit(X, np.exp(y))


@pytest.mark.parametrize("binning", ["quantile", "uniform"])
def test_bins(binning):
    X, y = data("histogram", 300, 0)
    model = DensityRegressor("histogram", n_bins=7, binning=binning, **BRIEF).fit(X, y)
    edges = np.array(model.predict_dist(X).law.edges)
    assert model.n_outputs_ == 7 and len(edges) == 8
    assert edges[0] < y.min() and y.max() < edges[-1]
    rows = np.histogram(y, edges)[0]
    if binning == "quantile":
        assert rows.min() >= 40
    else:
        np.testing.assert_allclose(np.diff(edges[1:-1]), np.diff(edges)[2], rtol=1e-9)


def test_components():
    X, y = data("normal_mixture", 300, 0)
    model = DensityRegressor("normal_mixture", n_mixture_components=3, **BRIEF).fit(X, y)
    params = model.predict_dist(X).params
    assert model.n_outputs_ == 9 and params["weights"].shape == (300, 3)
    np.testing.assert_allclose(params["weights"].sum(axis=1), 1.0)


def test_tails_of_a_histogram_hold_every_value():
    model, (X, y) = fitted("histogram"), data("histogram", 20, 2)
    assert np.isfinite(model.log_prob(X, y + 100.0)).all()
