"""Real use: the two estimators inside what scikit-learn offers to combine and inspect models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    train_test_split,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

from skmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

REGRESSOR = {"random_state": 0, "learning_rate_init": 0.01, "max_iter": 40, "alpha": 1.0}
CLASSIFIER = {"random_state": 0, "learning_rate_init": 0.01, "max_iter": 30}


def diabetes():
    return train_test_split(*load_diabetes(return_X_y=True, as_frame=True), random_state=0)


def wine():
    X, y = load_wine(return_X_y=True, as_frame=True)
    return train_test_split(
        X, y.map(["barolo", "grignolino", "barbera"].__getitem__), random_state=0
    )


def cancer():
    return train_test_split(*load_breast_cancer(return_X_y=True), random_state=0)


def test_columns_of_mixed_kinds():
    rng = np.random.default_rng(0)
    shop = pd.DataFrame({"size": rng.normal(50, 20, 400), "city": rng.choice([*"abc"], 400)})
    shop["new"] = rng.random(400) < 0.5
    price = 3 * shop["size"] + shop["city"].map({"a": 0, "b": 60, "c": -60}) + 40 * shop["new"]
    columns = ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough")
    model = make_pipeline(columns, MLPRegressor(**REGRESSOR | {"alpha": 0.0}))
    assert model.fit(shop[:300], price[:300]).score(shop[300:], price[300:]) > 0.98


def test_a_search_over_nested_parameters():
    X, X_test, y, y_test = wine()
    model = make_pipeline(StandardScaler(), PolynomialFeatures(1), MLPClassifier(**CLASSIFIER))
    grid = {
        "mlpclassifier__hidden_layer_sizes": [(), (20,)],
        "mlpclassifier__alpha": [1e-4, 1e-1],
        "polynomialfeatures__degree": [1],
    }
    search = GridSearchCV(model, grid, cv=3, n_jobs=2, scoring="neg_log_loss").fit(X, y)
    assert search.score(X_test, y_test) > -0.2
    assert set(search.predict(X_test)) == {"barolo", "grignolino", "barbera"}


def test_a_halving_search():
    X, X_test, y, y_test = cancer()
    grid = {"learning_rate_init": [1e-5, 1e-2], "hidden_layer_sizes": [(5,), (20,)]}
    search = HalvingGridSearchCV(
        MLPClassifier(**CLASSIFIER), grid, resource="max_iter", max_resources=24, cv=3,
        min_resources=8, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert search.best_params_["learning_rate_init"] == 1e-2
    assert search.score(X_test, y_test) > 0.93


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_calibration(loss):
    X, X_test, y, y_test = cancer()
    model = CalibratedClassifierCV(MLPClassifier(**CLASSIFIER, loss=loss), cv=3).fit(X, y)
    assert log_loss(y_test, model.predict_proba(X_test)) < 0.15


def test_ensembles_of_regressors():
    X, X_test, y, y_test = diabetes()
    mlp = MLPRegressor(**REGRESSOR)
    for model in (
        BaggingRegressor(mlp, n_estimators=4, n_jobs=2, random_state=0),
        VotingRegressor([("mlp", mlp), ("ridge", Ridge())]),
        TransformedTargetRegressor(mlp, func=np.sqrt, inverse_func=np.square),
    ):
        assert model.fit(X, y).score(X_test, y_test) > 0.2


def test_ensembles_of_classifiers():
    X, X_test, y, y_test = wine()
    mlp, logistic = (
        MLPClassifier(**CLASSIFIER),
        make_pipeline(StandardScaler(), LogisticRegression()),
    )
    pair = [("mlp", mlp), ("logistic", logistic)]
    for model in (StackingClassifier(pair, cv=3), VotingClassifier(pair, voting="soft")):
        assert model.fit(X, y).score(X_test, y_test) > 0.95


def test_several_labels_at_once():
    X, y = load_digits(return_X_y=True)
    targets = np.stack([y > 4, y % 2 == 0], axis=1)
    model = MultiOutputClassifier(MLPClassifier(**CLASSIFIER)).fit(X[:1200], targets[:1200])
    assert model.score(X[1200:], targets[1200:]) > 0.85


def test_what_matters_is_found():
    X, X_test, y, y_test = diabetes()
    X, X_test = (part.assign(noise=np.arange(len(part)) % 7) for part in (X, X_test))
    model = MLPRegressor(**REGRESSOR).fit(X, y)
    found = permutation_importance(model, X_test, y_test, n_repeats=5, random_state=0)
    importance = dict(zip(X.columns, found.importances_mean, strict=True))
    assert importance["s5"] > 0.05 > importance["noise"]
    (curve,) = partial_dependence(model, X_test, ["bmi"], kind="average").average
    assert curve[-1] > curve[0] + 30


def test_cross_validation():
    X, _, y, _ = cancer()
    model = MLPClassifier(**CLASSIFIER)
    proba = cross_val_predict(model, X, y, cv=3, method="predict_proba", n_jobs=2)
    assert log_loss(y, proba) < 0.2
    sizes, training, held_out = learning_curve(model, X, y, cv=3, train_sizes=[0.2, 1.0])
    assert held_out.mean(axis=1)[1] > 0.94 and training.shape == (2, 3)


def test_frames_from_step_to_step():
    X, X_test, y, y_test = wine()
    model = make_pipeline(StandardScaler(), MLPClassifier(**CLASSIFIER)).set_output(
        transform="pandas"
    )
    model.fit(X, y)
    assert list(model[-1].feature_names_in_) == list(X.columns)
    hidden = model.transform(X_test)
    assert isinstance(hidden, pd.DataFrame) and hidden.shape == (len(X_test), 100)
    assert list(hidden.columns) == list(model[-1].get_feature_names_out())
    assert (hidden.index == X_test.index).all()


def test_a_network_as_a_step_before_another_model():
    X, X_test, y, y_test = train_test_split(*load_iris(return_X_y=True), random_state=0)
    features = MLPClassifier((10, 4), **CLASSIFIER | {"max_iter": 150})
    model = make_pipeline(features, LogisticRegression()).fit(X, y)
    assert model[-1].n_features_in_ == 4
    assert model.score(X_test, y_test) > 0.9
    frozen = make_pipeline(FrozenEstimator(features.fit(X, y)), LogisticRegression()).fit(X, y)
    assert frozen.score(X_test, y_test) > 0.9


def test_a_network_without_hidden_layers_is_no_step():
    with pytest.raises(TypeError, match="transform"):
        make_pipeline(MLPClassifier(()), LogisticRegression()).fit(*load_iris(return_X_y=True))


def test_quantiles_make_intervals():
    X, X_test, y, y_test = diabetes()
    model = MLPRegressor("quantile", quantile=[0.1, 0.5, 0.9], **REGRESSOR).fit(X, y)
    low, middle, high = model.predict(X_test).T
    assert (low <= middle).all() and (middle <= high).all()
    assert 0.6 < np.mean((low <= y_test) & (y_test <= high)) < 0.95


def test_an_average_of_starts_beats_its_members():
    X, X_test, y, y_test = diabetes()
    settings = {**REGRESSOR, "alpha": 1e-4, "max_iter": 150}
    model = MLPRegressor(n_init=5, combine_inits="average", **settings).fit(X, y)
    alone = [r2_score(y_test, member.predict(X_test)) for member in model.estimators_]
    assert model.score(X_test, y_test) > np.mean(alone)
    assert cross_val_score(model.set_params(max_iter=20), X, y, cv=2).shape == (2,)
