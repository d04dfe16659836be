"""Several targets: a normal distribution with a covariance matrix that depends on x."""

from functools import cache

import numpy as np
import pytest
from scipy import stats
from sklearn.multioutput import MultiOutputRegressor

from skmlp import DensityRegressor
from skmlp.families import FAMILIES

SMALL = {"hidden_layer_sizes": (24,), "learning_rate_init": 0.02, "random_state": 0}
SMALL |= {"learning_rate": "one_cycle", "max_iter": 30, "batch_size": 200}
BRIEF = {**SMALL, "hidden_layer_sizes": (8,), "max_iter": 4}
KINDS = pytest.mark.parametrize("kind", ["full", "diag", "spherical", "tied"])


def truth(X):
    """Means and covariance matrices; the units of the targets differ."""
    sd = np.stack([np.exp(0.6 * X[:, 1]), np.full(len(X), 10.0)], axis=1)
    corr = np.tile(np.eye(2), (len(X), 1, 1))
    corr[:, 0, 1] = corr[:, 1, 0] = 0.5 + 0.4 * X[:, 0]
    loc = np.stack([X[:, 0], 20.0 * X[:, 1] + 100.0], axis=1)
    return loc, corr * sd[:, :, np.newaxis] * sd[:, np.newaxis]


@cache
def data(n, seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.0, 1.0, size=(n, 2))
    loc, cov = truth(X)
    noise = rng.normal(size=(n, 2, 1))
    return X, loc + (np.linalg.cholesky(cov) @ noise)[..., 0]


@cache
def fitted(kind="full", **params):
    """Tests must not change it."""
    return DensityRegressor(covariance_type=kind, **{**SMALL, **params}).fit(*data(4000, 0))


X_TEST, Y_TEST = data(2000, 1)


# ---- what is learned -----------------------------------------------------------------------------


def test_means_and_covariance_matrices_are_found():
    loc, cov = truth(X_TEST)
    mean, found = fitted().predict(X_TEST, return_cov=True)
    sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    assert np.abs((mean - loc) / sd).mean() < 0.1
    scaled = (found - cov) / (sd[:, :, np.newaxis] * sd[:, np.newaxis])
    assert np.abs(scaled).mean(axis=0).max() < 0.15
    size = np.linalg.norm(cov / (sd[:, :, np.newaxis] * sd[:, np.newaxis]), axis=(1, 2))
    assert np.mean(np.linalg.norm(scaled, axis=(1, 2)) / size) < 0.2


def test_a_joint_density_is_better_than_two_of_one_target():
    X, Y = data(4000, 0)
    alone = [DensityRegressor(**SMALL).fit(X, Y[:, j]).score(X_TEST, Y_TEST[:, j]) for j in (0, 1)]
    joint = fitted().score(X_TEST, Y_TEST)
    assert joint > sum(alone) + 0.1
    loc, cov = truth(X_TEST)
    best = np.mean([stats.multivariate_normal(*row).logpdf(y) for *row, y in
                    zip(loc, cov, Y_TEST, strict=True)])  # fmt: skip
    assert best - 0.05 < joint < best + 0.02
    assert fitted("diag").score(X_TEST, Y_TEST) == pytest.approx(sum(alone), abs=0.05)


def test_richer_covariances_are_better_on_such_targets():
    kinds = "full", "tied", "diag", "spherical"
    score = {kind: fitted(kind).score(X_TEST, Y_TEST) for kind in kinds}
    assert score["full"] > max(score["tied"], score["diag"])
    assert min(score["tied"], score["diag"]) > score["spherical"]


@KINDS
def test_the_form_of_the_covariance(kind):
    cov = fitted(kind).predict_dist(X_TEST).cov()
    assert (np.linalg.eigvalsh(cov) > 0).all()
    np.testing.assert_array_equal(cov, np.swapaxes(cov, 1, 2))
    varies = np.ptp(cov, axis=0).max() > 1e-6 * np.abs(cov).max()
    assert varies == (kind != "tied")
    if kind in ("diag", "spherical"):
        np.testing.assert_allclose(cov[:, 0, 1], 0.0, atol=1e-12)
    # One variance in the units of y, not in those of training.
    alike = np.allclose(cov[:, 0, 0], cov[:, 1, 1], rtol=1e-9)
    assert alike == (kind == "spherical")


def test_the_tied_covariance_is_that_of_the_residuals():
    cov = fitted("tied").predict_dist(X_TEST).cov()
    np.testing.assert_allclose(cov, np.broadcast_to(cov[0], cov.shape), rtol=1e-9)
    X, Y = data(4000, 0)
    expected = np.cov((Y - fitted("tied").predict(X)).T)
    np.testing.assert_allclose(cov[0], expected, rtol=0.25)


def test_the_spherical_variance_is_that_of_all_residuals():
    model = fitted("spherical")
    mean, sd = model.predict(X_TEST, return_std=True)
    assert np.mean((Y_TEST - mean) ** 2) == pytest.approx(np.mean(sd**2), rel=0.15)


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_tied_covariances_reach_the_residuals_with_every_solver(solver):
    X, Y = data(600, 0)
    params = {**SMALL, "solver": solver, "max_iter": 100, "early_stopping": False}
    model = DensityRegressor(covariance_type="tied", **params).fit(X, Y)
    found = model.predict_dist(X[:1]).cov()[0]
    np.testing.assert_allclose(found, np.cov((Y - model.predict(X)).T), rtol=0.25)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_tied_stays_tied_with_lbfgs():
    X, Y = data(300, 0)
    params = {"hidden_layer_sizes": (4,), "solver": "lbfgs", "max_iter": 30, "random_state": 0}
    model = DensityRegressor(covariance_type="tied", **params)
    cov = model.fit(X, Y).predict_dist(X).cov()
    np.testing.assert_allclose(cov, np.broadcast_to(cov[0], cov.shape), rtol=1e-9)


@pytest.mark.parametrize("scale", [np.array([1e-6, 1e5]), np.array([3.0, 3.0])], ids=str)
@KINDS
def test_other_units_change_nothing_but_units(kind, scale):
    if kind == "spherical" and scale[0] != scale[1]:
        scale = scale[[0, 0]]
    X, Y = data(300, 0)
    model, other = (
        DensityRegressor(covariance_type=kind, **BRIEF).fit(X, target) for target in (Y, Y * scale)
    )
    expected = model.log_prob(X, Y) - np.log(scale).sum()
    np.testing.assert_allclose(other.log_prob(X, Y * scale), expected, rtol=1e-6)
    np.testing.assert_allclose(other.predict(X), model.predict(X) * scale, rtol=1e-5)


# ---- what is said --------------------------------------------------------------------------------


@KINDS
def test_shapes(kind):
    model, X, Y = fitted(kind), X_TEST[:7], Y_TEST[:7]
    dist = model.predict_dist(X)
    assert dist.n_targets == 2
    assert model.predict(X).shape == (7, 2)
    assert model.predict(X, return_std=True)[1].shape == (7, 2)
    assert model.predict(X, return_cov=True)[1].shape == (7, 2, 2)
    assert model.predict_quantile(X, 0.5).shape == (7, 2)
    assert model.predict_quantile(X, [0.1, 0.5, 0.9]).shape == (7, 2, 3)
    assert model.predict_interval(X).shape == (7, 2, 2)
    assert model.predict_interval(X, [0.5, 0.9, 0.99]).shape == (7, 2, 2, 3)
    assert model.sample_y(X, 4).shape == (7, 2, 4)
    assert model.log_prob(X, Y).shape == (7,)
    assert model.pit(X, Y).shape == (7, 2)
    mean, sd = model.predict(X, return_std=True)
    cov = model.predict(X, return_cov=True)[1]
    np.testing.assert_allclose(sd**2, np.diagonal(cov, axis1=1, axis2=2), rtol=1e-10)
    np.testing.assert_array_equal(mean, dist.mean())


def test_the_joint_density_is_that_of_scipy():
    X, Y = X_TEST[:20], Y_TEST[:20]
    mean, cov = fitted().predict(X, return_cov=True)
    expected = [stats.multivariate_normal(m, c).logpdf(y) for m, c, y in
                zip(mean, cov, Y, strict=True)]  # fmt: skip
    np.testing.assert_allclose(fitted().log_prob(X, Y), expected, rtol=1e-8)
    assert fitted().score(X, Y) == pytest.approx(np.mean(expected), rel=1e-8)


def test_intervals_are_those_of_each_target():
    dist = fitted().predict_dist(X_TEST)
    bounds = fitted().predict_interval(X_TEST, 0.8)
    for j in (0, 1):
        np.testing.assert_allclose(bounds[:, j], dist.marginal(j).interval(0.8), rtol=1e-9)
        inside = (bounds[:, j, 0] <= Y_TEST[:, j]) & (Y_TEST[:, j] <= bounds[:, j, 1])
        assert abs(inside.mean() - 0.8) < 0.04


def test_random_values_have_the_correlations():
    X = X_TEST[:5]
    values = fitted().sample_y(X, 20_000, random_state=0)
    cov = fitted().predict_dist(X).cov()
    for row, expected in zip(values, cov, strict=True):
        np.testing.assert_allclose(np.cov(row), expected, rtol=0.1)


def test_ranks_of_each_target_are_uniform():
    ranks = fitted().pit(X_TEST, Y_TEST)
    for j in (0, 1):
        assert stats.kstest(ranks[:, j], "uniform").statistic < 0.06


def test_knowing_one_target_helps_with_the_other():
    given = fitted().predict_dist(X_TEST).conditional({1: Y_TEST[:, 1]})
    alone = fitted().predict_dist(X_TEST).marginal(0)
    assert given.logpdf(Y_TEST[:, 0]).mean() > alone.logpdf(Y_TEST[:, 0]).mean() + 0.1


def test_the_last_layer_speaks_in_the_units_of_y():
    model = fitted("diag")
    hidden = np.maximum(X_TEST @ model.coefs_[0] + model.intercepts_[0], 0.0)
    raw = hidden @ model.coefs_[1] + model.intercepts_[1]
    mean, sd = model.predict(X_TEST, return_std=True)
    np.testing.assert_allclose(raw[:, :2], mean, rtol=1e-8)
    np.testing.assert_allclose(np.exp(-raw[:, 2:]), sd, rtol=1e-8)


def test_three_targets_of_which_one_is_constant():
    X, Y = data(300, 0)
    Y = np.c_[Y, np.full(len(Y), 7.0)]
    model = DensityRegressor(**SMALL).fit(X, Y)
    assert model.n_outputs_ == 3 + 6
    mean, cov = model.predict(X, return_cov=True)
    assert np.isfinite(mean).all() and np.isfinite(cov).all()
    np.testing.assert_allclose(mean[:, 2], 7.0, atol=0.1)


@KINDS
def test_targets_that_depend_on_each_other_exactly_give_finite_densities(kind):
    X, Y = data(300, 0)
    Y = np.c_[Y, Y[:, 0] + Y[:, 1]]
    model = DensityRegressor(covariance_type=kind, **BRIEF).fit(X, Y)
    assert np.isfinite(model.log_prob(X, Y)).all()
    assert np.isfinite(model.predict_dist(X).cov()).all()


def test_a_column_is_a_flat_target():
    X, Y = data(300, 0)
    flat = DensityRegressor(**BRIEF).fit(X, Y[:, 0])
    with pytest.warns(UserWarning, match="column-vector"):
        column = DensityRegressor(**BRIEF).fit(X, Y[:, :1])
    np.testing.assert_array_equal(column.predict(X), flat.predict(X))
    np.testing.assert_array_equal(column.log_prob(X, Y[:, :1]), flat.log_prob(X, Y[:, 0]))


# ---- what is refused, and the way out ------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "normal"])
def test_other_distributions_point_to_what_can_be_done(name):
    X, Y = data(100, 0)
    with pytest.raises(ValueError, match="y has 2 targets") as error:
        DensityRegressor(name, **BRIEF).fit(X, np.round(np.abs(Y)) + 1.0)
    assert "distribution='normal'" in str(error.value)
    assert "MultiOutputRegressor" in str(error.value)


@pytest.mark.parametrize("loss", ["crps", "beta_nll"])
def test_other_scores_are_for_one_target(loss):
    with pytest.raises(ValueError, match=f"loss='{loss}' is for one target, but y has 2.*'nll'"):
        DensityRegressor(loss=loss, **BRIEF).fit(*data(100, 0))


@pytest.mark.parametrize("name", ["gamma", "poisson"])
def test_one_regressor_per_target(name):
    X, Y = data(200, 0)
    Y = np.round(np.abs(Y)) + 1.0
    model = MultiOutputRegressor(DensityRegressor(name, **BRIEF)).fit(X, Y)
    assert model.predict(X).shape == (200, 2)
    alone = DensityRegressor(name, **BRIEF).fit(X, Y[:, 1])
    np.testing.assert_array_equal(model.estimators_[1].predict(X), alone.predict(X))


@pytest.mark.parametrize("y", [Y_TEST[:, 0], Y_TEST[:, :1], np.c_[Y_TEST, Y_TEST], Y_TEST[:5]],
                         ids=["flat", "one column", "four columns", "five rows"])  # fmt: skip
@pytest.mark.parametrize("method", ["log_prob", "score", "pit", "calibrate"])
def test_a_y_of_another_shape_is_refused(method, y):
    with pytest.raises(ValueError, match="shape|inconsistent numbers of samples"):
        getattr(fitted(), method)(X_TEST, y)
    assert not hasattr(fitted(), "calibration_")
