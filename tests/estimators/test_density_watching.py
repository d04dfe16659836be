"""Early stopping, which is on for larger data, and several starts: the best, or a mixture."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import ShuffleSplit

from skmlp import DensityRegressor
from skmlp.callbacks import Callback
from skmlp.families import FAMILIES

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1000, 3))
COUNTS = RNG.poisson(np.exp(1.0 + 0.5 * X[:, 0])) + 1.0
Y = 3.0 * X[:, 0] + RNG.normal(size=1000) * np.exp(0.5 * X[:, 1])
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0, "learning_rate_init": 0.01}
EVERY = pytest.mark.parametrize("name", FAMILIES)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def model_of(name="normal", **params):
    return DensityRegressor(name, **{**SMALL, **params})


# ---- watching ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n, watched", [(499, False), (500, True)])
def test_from_500_rows_on_a_part_is_watched(n, watched):
    model = model_of().fit(X[:n], Y[:n])
    assert model.early_stopping_ is watched
    assert (model.validation_scores_ is not None) is watched
    assert model.t_ == (450 if watched else 499) * model.n_iter_
    assert (model.best_iteration_ is not None) is watched


def test_unless_it_is_switched_off():
    model = model_of(early_stopping=False).fit(X, Y)
    assert not model.early_stopping_ and model.validation_scores_ is None


def test_rows_of_weight_zero_do_not_count_for_that():
    weight = np.r_[0.0, np.ones(499)]
    assert not model_of().fit(X[:500], Y[:500], weight).early_stopping_
    assert model_of().fit(X[:500], Y[:500], 1.0 + weight).early_stopping_


def test_a_given_validation_set_is_watched():
    model = model_of().fit(X[:100], Y[:100], X_val=X[100:200], y_val=Y[100:200])
    assert model.early_stopping_ and len(model.validation_scores_) == model.n_iter_
    silent = model_of(early_stopping=False)
    silent.fit(X[:100], Y[:100], X_val=X[100:200], y_val=Y[100:200])
    assert not silent.early_stopping_ and len(silent.validation_scores_) == 5


@pytest.mark.parametrize("name, loss", [(n, s) for n, f in FAMILIES.items() for s in f.scores])
def test_the_watched_score_is_minus_the_validation_loss(name, loss):
    model = model_of(name, loss=loss, early_stopping=True).fit(X[:300], COUNTS[:300])
    np.testing.assert_allclose(model.validation_scores_, -np.array(model.validation_loss_curve_))
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_iteration_ == 1 + np.argmax(model.validation_scores_)
    assert model.best_loss_ is None


def test_the_validation_loss_is_the_likelihood_in_units_of_training():
    model = model_of(max_iter=3, feature_scaling=None)
    model.fit(X[:300], Y[:300], X_val=X[300:500], y_val=Y[300:500])
    # What is restored is the best epoch.
    expected = model.best_validation_score_ - np.log(Y[:300].std())
    assert model.score(X[300:500], Y[300:500]) == pytest.approx(expected, rel=1e-9)


def test_training_ends_when_the_density_gets_too_sure():
    rows = slice(0, 60)
    params = {"hidden_layer_sizes": (100,), "max_iter": 400, "learning_rate_init": 0.02}
    watched = model_of(**params).fit(X[rows], Y[rows], X_val=X[500:], y_val=Y[500:])
    blind = model_of(**params).fit(X[rows], Y[rows])
    assert watched.n_iter_ < 400 and watched.best_iteration_ < watched.n_iter_
    assert watched.score(X[500:], Y[500:]) > blind.score(X[500:], Y[500:]) + 0.3


@pytest.mark.parametrize("scoring", ["r2", "loss", lambda model, X, y: model.score(X, y)],
                         ids=["r2", "loss", "score"])  # fmt: skip
def test_other_scores_can_be_watched(scoring):
    frame = pd.DataFrame(X[:300], columns=list("abc"))
    model = model_of(scoring=scoring, early_stopping=True).fit(frame, Y[:300])
    assert len(model.validation_scores_) == model.n_iter_
    assert np.isfinite(model.validation_scores_).all()


def test_splitters_tell_the_rows():
    splitter = ShuffleSplit(1, test_size=0.5, random_state=3)
    model = model_of(early_stopping=True, validation_fraction=splitter).fit(X[:200], Y[:200])
    assert model.t_ == 100 * model.n_iter_
    train, held_out = next(splitter.split(X[:200], Y[:200]))
    given = model_of(shuffle=False).fit(
        X[train], Y[train], X_val=X[held_out], y_val=Y[held_out]
    )  # fmt: skip
    assert given.validation_loss_curve_[0] == pytest.approx(
        model.validation_loss_curve_[0], abs=0.1
    )


def test_several_targets_are_watched():
    target = np.c_[Y, 100.0 * X[:, 1] + Y]
    model = model_of(max_iter=30).fit(X, target)
    assert model.early_stopping_
    np.testing.assert_allclose(model.validation_scores_, -np.array(model.validation_loss_curve_))


def test_weights_of_the_validation_set_count():
    weight = np.r_[np.zeros(50), np.ones(50)]
    rows = {"X_val": X[100:200], "y_val": Y[100:200]}
    model = model_of().fit(X[:100], Y[:100], **rows, sample_weight_val=weight)
    half = model_of().fit(X[:100], Y[:100], X_val=X[150:200], y_val=Y[150:200])
    np.testing.assert_allclose(model.validation_scores_, half.validation_scores_)


# ---- several starts ------------------------------------------------------------------------------


class Spy(Callback):
    """Keeps the state of the training."""

    def __deepcopy__(self, memo):
        return self

    def on_train_end(self, state):
        self.state = state


@cache
def averaged(name="normal", several=False):
    """Tests must not change it."""
    target = np.c_[Y, 100.0 * X[:, 1] + Y][:200] if several else COUNTS[:200]
    return model_of(name, n_init=3, combine_inits="average").fit(X[:200], target)


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_best_start_is_kept(watched, solver):
    spy = Spy()
    params = {"n_init": 4, "early_stopping": watched, "solver": solver}
    model = model_of(callbacks=[spy] if solver == "adam" else None, **params).fit(X[:200], Y[:200])
    assert model.init_losses_.shape == (4,) and model.theta_.ndim == 1
    best = np.argmin(model.init_losses_)
    first = model_of(early_stopping=watched, solver=solver).fit(X[:200], Y[:200])
    if best == 0:
        np.testing.assert_array_equal(model.theta_, first.theta_)
    np.testing.assert_allclose(model.init_losses_[0], first.init_losses_[0], rtol=1e-9)
    if solver == "adam" and not watched:
        np.testing.assert_array_equal(model.theta_, spy.state.theta[best])
    assert not hasattr(model, "estimators_")


@EVERY
def test_the_average_is_the_mixture_of_the_densities(name):
    model, rows = averaged(name), X[:50]
    members = model.estimators_
    assert len(members) == 3 and model.theta_.shape[0] == 3
    y = COUNTS[:50]
    each = np.array([member.predict_dist(rows).pdf(y) for member in members])
    assert not np.allclose(each[0], each[1])
    np.testing.assert_allclose(model.log_prob(rows, y), np.log(each.mean(axis=0)), rtol=1e-8)
    ranks = [member.predict_dist(rows).cdf(y) for member in members]
    dist = model.predict_dist(rows)
    np.testing.assert_allclose(dist.cdf(y), np.mean(ranks, axis=0), rtol=1e-8, atol=1e-12)
    means = np.array([member.predict(rows) for member in members])
    np.testing.assert_allclose(model.predict(rows), means.mean(axis=0), rtol=1e-8)
    quantiles = model.predict_quantile(rows, [0.2, 0.9])
    if not dist.discrete:
        np.testing.assert_allclose(dist.cdf(quantiles), [[0.2, 0.9]] * 50, atol=1e-6)
    values = model.sample_y(rows, 3000, 0)
    sd = model.predict(rows, return_std=True)[1]
    np.testing.assert_array_less(np.abs(values.mean(axis=1) - means.mean(axis=0)), 0.12 * sd)


def test_the_mixture_of_several_targets():
    model, rows = averaged(several=True), X[:50]
    y = np.c_[Y, 100.0 * X[:, 1] + Y][:50]
    each = [member.predict_dist(rows).pdf(y) for member in model.estimators_]
    np.testing.assert_allclose(model.log_prob(rows, y), np.log(np.mean(each, axis=0)), rtol=1e-8)
    mean, cov = model.predict(rows, return_cov=True)
    parts = [member.predict(rows, return_cov=True) for member in model.estimators_]
    within = np.mean([c for _, c in parts], axis=0)
    steps = np.array([m - mean for m, _ in parts])
    between = np.einsum("kni,knj->nij", steps, steps) / 3
    np.testing.assert_allclose(cov, within + between, rtol=1e-8)
    assert model.sample_y(rows, 4).shape == (50, 2, 4)
    assert model.predict_interval(rows, [0.5, 0.9]).shape == (50, 2, 2, 2)
    assert model.pit(rows, y).shape == (50, 2)


@pytest.mark.parametrize("several", [False, True])
def test_variance_is_split_into_what_is_open_and_what_is_disputed(several):
    model, rows = averaged(several=several), X[:50]
    found = model.uncertainty(rows)
    parts = [member.predict(rows, return_std=True) for member in model.estimators_]
    np.testing.assert_allclose(found.aleatoric, np.mean([s**2 for _, s in parts], axis=0))
    np.testing.assert_allclose(found.epistemic, np.var([m for m, _ in parts], axis=0))
    np.testing.assert_allclose(found.total, found.aleatoric + found.epistemic)
    np.testing.assert_allclose(found.total, model.predict(rows, return_std=True)[1] ** 2)
    assert found.total.shape == ((50, 2) if several else (50,))


@EVERY
def test_every_distribution_has_its_uncertainty(name):
    found = averaged(name).uncertainty(X[:50])
    sd = averaged(name).predict(X[:50], return_std=True)[1]
    np.testing.assert_allclose(found.total, sd**2, rtol=1e-7)
    assert (found.epistemic >= 0).all() and (found.aleatoric > 0).all()


def test_networks_disagree_where_there_was_no_data():
    params = {"max_iter": 60, "hidden_layer_sizes": (20,)}
    model = model_of(n_init=4, combine_inits="average", **params).fit(X[:200], Y[:200])
    near, far = (model.uncertainty(rows).epistemic.mean() for rows in (X[200:300], 4 * X[200:300]))
    assert far > 5 * near


def test_an_average_is_better_than_its_members():
    rows = slice(0, 150)
    params = {"max_iter": 100, "hidden_layer_sizes": (30,)}
    model = model_of(n_init=5, combine_inits="average", **params).fit(X[rows], Y[rows])
    alone = [member.score(X[500:], Y[500:]) for member in model.estimators_]
    assert model.score(X[500:], Y[500:]) > np.mean(alone)


def test_what_an_average_does_not_have():
    model = averaged()
    assert not hasattr(model, "coefs_") and not hasattr(model, "intercepts_")
    assert model.n_outputs_ == 2 and len(model.loss_curve_) == model.n_iter_
    member = model.estimators_[0]
    assert [w.shape for w in member.coefs_] == [(3, 6), (6, 2)]
    with pytest.raises(ValueError, match="n_init=1"):
        member.uncertainty(X)


def test_members_of_a_calibrated_average_are_as_they_were():
    """Its correction was found for the mixture."""
    model = model_of(n_init=3, combine_inits="average").fit(X[:200], Y[:200])
    before = [member.log_prob(X[:50], Y[:50]) for member in model.estimators_]
    model.calibrate(X[200:400], Y[200:400])
    for member, expected in zip(model.estimators_, before, strict=True):
        np.testing.assert_array_equal(member.log_prob(X[:50], Y[:50]), expected)


def test_an_average_goes_on():
    model = model_of(n_init=2, combine_inits="average", early_stopping=False)
    for _ in range(3):
        model.partial_fit(X[:200], Y[:200])
    together = model_of(n_init=2, combine_inits="average", max_iter=3, shuffle=False)
    assert model.theta_.shape == together.fit(X[:200], Y[:200]).theta_.shape
    first = model_of(early_stopping=False)
    for _ in range(3):
        first.partial_fit(X[:200], Y[:200])
    np.testing.assert_allclose(model.estimators_[0].predict(X), first.predict(X), rtol=1e-9)


def test_starts_that_diverge_are_dropped():
    params = {"solver": "sgd", "learning_rate_init": 1e6, "max_iter": 20}
    with pytest.raises(ValueError, match="non-finite.*Lower learning_rate_init"):
        model_of(n_init=2, **params).fit(X[:200], 1e3 * Y[:200])
