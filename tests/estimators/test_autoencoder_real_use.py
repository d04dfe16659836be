"""Autoencoders inside what scikit-learn offers to combine and to search models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler

from skmlp import AutoencoderTransformer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS, LABELS = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(
    DIGITS / 16, LABELS, train_size=700, test_size=400, random_state=0, stratify=LABELS
)
SMALL = {"hidden_layer_sizes": (32,), "feature_scaling": None, "random_state": 0}
SMALL |= {"learning_rate_init": 0.01, "learning_rate": "one_cycle", "max_iter": 25}


def model_of(n_components=8, **params):
    return AutoencoderTransformer(n_components, **{**SMALL, **params})


def pca_error(k):
    pca = PCA(k).fit(X)
    return np.mean((X_test - pca.inverse_transform(pca.transform(X_test))) ** 2)


@pytest.mark.parametrize("k", [2, 3])
def test_compression_is_better_than_linear(k):
    model = model_of(k, hidden_layer_sizes=(100,), max_iter=40).fit(X)
    assert -model.score(X_test) < 0.9 * pca_error(k)


def test_a_view_keeps_neighbours_and_classes_together():
    codes = model_of(2, hidden_layer_sizes=(100,), max_iter=40).fit(X).transform(X_test)
    linear = PCA(2).fit(X).transform(X_test)
    assert trustworthiness(X_test, codes) > trustworthiness(X_test, linear) + 0.02
    accuracy = [
        cross_val_score(KNeighborsClassifier(10), view, y_test, cv=3).mean()
        for view in (codes, linear)
    ]
    assert accuracy[0] > accuracy[1]


def test_a_search_over_the_width_of_the_code():
    pipeline = make_pipeline(
        MinMaxScaler(), model_of(max_iter=15), LogisticRegression(max_iter=500)
    )
    grid = {"autoencodertransformer__n_components": [1, 12]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_params_ == {"autoencodertransformer__n_components": 12}
    assert search.score(X_test, y_test) > 0.85


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_search_without_labels(n_jobs):
    grid = {"n_components": [2, 6]}
    search = GridSearchCV(model_of(max_iter=6), grid, cv=2, n_jobs=n_jobs).fit(X)
    assert search.best_params_ == {"n_components": 6}
    assert search.score(X_test) == pytest.approx(search.best_estimator_.score(X_test))
    # In parallel the rows may be a memory map: the outcome is the same.
    expected = clone(search.best_estimator_).fit(X)
    np.testing.assert_allclose(expected.theta_, search.best_estimator_.theta_, rtol=1e-9)


def test_folds_in_parallel_are_folds_in_turn():
    model = model_of(max_iter=3, noise="masking")
    one, other = (cross_val_score(model, X, cv=2, n_jobs=n) for n in (None, 2))
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_a_pipeline_decodes_through_all_steps():
    pipeline = make_pipeline(MinMaxScaler(), model_of()).fit(DIGITS[:500])
    rows = pipeline.inverse_transform(pipeline.transform(DIGITS[:500]))
    error = np.mean((rows - DIGITS[:500]) ** 2)
    assert error < 0.6 * np.mean((DIGITS[:500] - DIGITS[:500].mean(axis=0)) ** 2)
    assert list(pipeline.get_feature_names_out()[:2]) == [
        "autoencodertransformer0",
        "autoencodertransformer1",
    ]


def test_features_of_some_columns_beside_others():
    frame, target = load_wine(return_X_y=True, as_frame=True)
    model = AutoencoderTransformer(2, (8,), max_iter=30, random_state=0)
    columns = make_column_transformer(
        (model, list(frame.columns[:8])), remainder="passthrough"
    ).set_output(transform="pandas")
    assert isinstance(columns, ColumnTransformer)
    table = columns.fit_transform(frame)
    assert isinstance(table, pd.DataFrame) and table.shape == (178, 7)
    assert table.columns[0] == "autoencodertransformer__autoencodertransformer0"
    union = make_union(clone(model), PCA(2)).fit(frame)
    assert union.transform(frame).shape == (178, 4)
    assert LogisticRegression(max_iter=2000).fit(table, target).score(table, target) > 0.8


def test_a_frozen_autoencoder_is_not_fitted_again():
    model = model_of().fit(X)
    pipeline = make_pipeline(FrozenEstimator(model), LogisticRegression(max_iter=500))
    pipeline.fit(X[:200], y[:200])
    np.testing.assert_array_equal(pipeline[0].transform(X_test), model.transform(X_test))
    assert pipeline.score(X_test, y_test) > 0.8


def test_no_global_random_state_is_touched():
    before = np.random.get_state()  # noqa: NPY002
    model_of(max_iter=2, noise="gaussian", dropout=0.1).fit(X).transform(X)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
