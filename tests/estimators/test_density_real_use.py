"""Real use: densities inside what scikit-learn offers to combine, to search and to inspect."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import BaggingRegressor, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_pinball_loss, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    train_test_split,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from skmlp import DensityRegressor

FRAME, TARGET = load_diabetes(return_X_y=True, as_frame=True)
X, X_TEST, Y, Y_TEST = train_test_split(FRAME, TARGET, random_state=0)
# A schedule that ends at zero: reaching max_iter is success.
SMALL = {"hidden_layer_sizes": (20,), "learning_rate_init": 0.005, "random_state": 0}
SMALL |= {"learning_rate": "one_cycle", "max_iter": 30, "alpha": 10.0, "batch_size": 50}


def model_of(distribution="normal", **params):
    return DensityRegressor(distribution, **{**SMALL, **params})


def linear_score():
    """Mean log-likelihood of least squares with one variance."""
    linear = LinearRegression().fit(X, Y)
    sd = np.std(Y - linear.predict(X))
    return np.mean(-0.5 * ((Y_TEST - linear.predict(X_TEST)) / sd) ** 2) - np.log(
        sd * np.sqrt(2.0 * np.pi)
    )


def test_a_density_is_better_than_one_variance_for_all():
    model = model_of("gamma").fit(X, Y)
    assert model.score(X_TEST, Y_TEST) > linear_score() + 0.02
    assert r2_score(Y_TEST, model.predict(X_TEST)) > 0.3


def test_a_search_picks_the_settings_of_the_higher_likelihood():
    grid = {"distribution": ["laplace", "gamma"], "learning_rate_init": [1e-6, 0.005]}
    search = GridSearchCV(model_of(), grid, cv=3).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert search.best_params_ == {"distribution": "gamma", "learning_rate_init": 0.005}
    assert search.best_score_ == max(scores) and np.isfinite(scores).all()
    assert search.score(X_TEST, Y_TEST) == search.best_estimator_.score(X_TEST, Y_TEST)
    by_hand = cross_val_score(search.best_estimator_, X, Y, cv=3)
    assert np.mean(by_hand) == pytest.approx(search.best_score_)


def test_a_search_in_parallel_is_one_in_turn():
    grid = {"distribution": ["normal", "histogram"], "max_iter": [3]}
    one, two = (
        GridSearchCV(model_of(), grid, cv=2, n_jobs=n).fit(X, Y).cv_results_["mean_test_score"]
        for n in (None, 2)
    )
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_searches_by_other_scores():
    grid = {"loss": ["nll", "crps", "beta_nll"]}
    for scoring in ("r2", "neg_mean_absolute_error"):
        search = GridSearchCV(model_of(), grid, scoring=scoring, cv=2).fit(X, Y)
        assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    search = RandomizedSearchCV(model_of(), {"alpha": [0.1, 1.0]}, n_iter=1, cv=2, random_state=0)
    assert np.isfinite(search.fit(X, Y).best_score_)


def test_settings_that_do_not_fit_fail_alone():
    """One bad cell of a grid does not end the search."""
    grid = {"distribution": ["normal", "poisson"]}
    with pytest.warns(match="non-finite"), pytest.warns(match="whole numbers only"):
        search = GridSearchCV(model_of(), grid, cv=2).fit(X, Y + 0.5)
    assert search.best_params_ == {"distribution": "normal"}
    assert np.isnan(search.cv_results_["mean_test_score"][1])


def test_cross_validation():
    scores = cross_val_score(model_of(), X, Y, cv=3)
    assert scores.shape == (3,) and (scores > -6.0).all()
    assert (cross_val_score(model_of(), X, Y, cv=3, scoring="r2") > 0.3).all()
    both = cross_validate(model_of(), X, Y, cv=2, scoring=["r2", "neg_mean_squared_error"])
    assert np.isfinite(both["test_r2"]).all()
    assert cross_val_predict(model_of(), X, Y, cv=2).shape == (len(X),)


def test_the_score_of_a_search_is_a_likelihood_with_weights():
    model = model_of().fit(X, Y)
    weight = np.linspace(0.0, 1.0, len(X_TEST))
    repeated = np.average(model.log_prob(X_TEST, Y_TEST), weights=weight)
    assert model.score(X_TEST, Y_TEST, sample_weight=weight) == pytest.approx(repeated)


def test_a_pipeline():
    model = make_pipeline(StandardScaler(), model_of()).fit(X, Y)
    assert model.score(X_TEST, Y_TEST) > -6.0
    mean, sd = model.predict(X_TEST, return_std=True)
    assert mean.shape == sd.shape == (len(X_TEST),)
    interval = model[-1].predict_interval(model[:-1].transform(X_TEST), 0.8)
    inside = (interval[:, 0] <= Y_TEST) & (Y_TEST <= interval[:, 1])
    assert 0.65 < inside.mean() < 0.95
    search = GridSearchCV(model, {"densityregressor__distribution": ["normal", "gamma"]}, cv=2)
    assert search.fit(X, Y).best_score_ > -6.2


def test_columns_of_mixed_kinds():
    rng = np.random.default_rng(0)
    shop = pd.DataFrame({"size": rng.normal(50, 20, 400), "city": rng.choice([*"abc"], 400)})
    spread = shop["city"].map({"a": 1.0, "b": 10.0, "c": 30.0})
    price = 3 * shop["size"] + spread * rng.normal(size=400)
    columns = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(columns, model_of(alpha=0.0, max_iter=60))
    model.fit(shop[:300], price[:300])
    sd = pd.Series(model.predict(shop[300:], return_std=True)[1]).groupby(
        shop["city"][300:].to_numpy()
    )
    assert sd.mean()["a"] < sd.mean()["b"] < sd.mean()["c"]


def test_quantiles_are_as_good_as_those_of_a_linear_model():
    model = model_of("gamma").fit(X, Y)
    linear = LinearRegression().fit(X, Y)
    sd = np.std(Y - linear.predict(X))
    for q, z in ((0.1, -1.2816), (0.9, 1.2816)):
        ours = mean_pinball_loss(Y_TEST, model.predict_quantile(X_TEST, q), alpha=q)
        theirs = mean_pinball_loss(Y_TEST, linear.predict(X_TEST) + z * sd, alpha=q)
        assert ours < 1.05 * theirs


def test_parameters_can_be_read_and_set():
    model = model_of("student_t")
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(distribution="laplace", loss="crps") is model
    assert model.fit(X, Y).get_params()["distribution"] == "laplace"
    assert "distribution='laplace'" in repr(model)
    assert not hasattr(clone(model), "theta_")


def test_tags():
    tags = get_tags(model_of())
    assert tags.estimator_type == "regressor" and tags.regressor_tags.poor_score
    assert tags.target_tags.multi_output and tags.input_tags.sparse
    assert not tags.target_tags.positive_only
    assert not get_tags(model_of("laplace")).target_tags.multi_output
    assert not get_tags(model_of(loss="crps")).target_tags.multi_output
    assert get_tags(model_of("gamma")).target_tags.positive_only
    assert get_tags(model_of("no such law")).estimator_type == "regressor"


def test_ensembles_around_it():
    scaled = StandardScaler().fit(X)
    frozen = FrozenEstimator(model_of().fit(scaled.transform(X), Y))
    for model in (
        BaggingRegressor(model_of(), n_estimators=2, random_state=0),
        VotingRegressor([("density", model_of()), ("ridge", Ridge())]),
        TransformedTargetRegressor(model_of(), func=np.sqrt, inverse_func=np.square),
        make_pipeline(StandardScaler(), frozen),
    ):
        assert r2_score(Y_TEST, model.fit(X, Y).predict(X_TEST)) > 0.3


def test_what_matters_is_found():
    """Importance in nats: what the likelihood loses."""
    rows = X_TEST.assign(noise=np.arange(len(X_TEST)) % 7)
    model = model_of(max_iter=40).fit(X.assign(noise=np.arange(len(X)) % 7), Y)
    found = permutation_importance(model, rows, Y_TEST, n_repeats=5, random_state=0)
    importance = dict(zip(rows.columns, found.importances_mean, strict=True))
    assert importance["bmi"] > 0.03 > importance["noise"]
    (curve,) = partial_dependence(model, rows, ["bmi"], kind="average").average
    assert curve[-1] > curve[0] + 30


def test_one_regressor_per_target_where_there_is_no_joint_density():
    targets = np.c_[Y, Y**2]
    model = MultiOutputRegressor(model_of("gamma")).fit(X, targets)
    assert model.predict(X_TEST).shape == (len(X_TEST), 2)
    assert all(part.score(X_TEST, y) < 0 for part, y in
               zip(model.estimators_, (Y_TEST, Y_TEST**2), strict=True))  # fmt: skip


def test_the_same_seed_gives_the_same_density():
    first, second = (model_of("normal_mixture").fit(X, Y) for _ in range(2))
    np.testing.assert_array_equal(first.theta_, second.theta_)
    other = model_of("normal_mixture", random_state=1).fit(X, Y)
    assert not np.array_equal(first.theta_, other.theta_)


def test_predicting_writes_nothing_to_the_model():
    model = model_of(n_init=2, combine_inits="average").fit(X, Y).calibrate(X_TEST, Y_TEST)
    before = {name: repr(value) for name, value in vars(model).items()}
    rows = X_TEST.to_numpy(copy=True)
    rows.flags.writeable = False
    del model.feature_names_in_
    before.pop("feature_names_in_")
    model.predict(rows, return_std=True)
    model.predict_interval(rows, 0.5)
    model.sample_y(rows, 2)
    model.score(rows, Y_TEST)
    model.pit(rows, Y_TEST)
    model.uncertainty(rows)
    assert {name: repr(value) for name, value in vars(model).items()} == before


@pytest.mark.parametrize("method", ["predict", "sample_y", "predict_interval"])
def test_many_threads_can_ask_at_once(method):
    model = model_of("normal_mixture", n_init=2, combine_inits="average", max_iter=3).fit(X, Y)
    given = {"random_state": 0} if method == "sample_y" else {}
    expected = getattr(model, method)(X_TEST[:40], **given)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(getattr(model, method), X_TEST[:40], **given) for _ in range(8)]
    for call in calls:
        np.testing.assert_array_equal(call.result(), expected)


def test_the_densities_belong_to_whoever_asked():
    model = model_of().fit(X, Y)
    dist = model.predict_dist(X_TEST)
    for value in dist.params.values():
        value[...] = 1.0
    assert not np.allclose(model.predict(X_TEST), 1.0)
