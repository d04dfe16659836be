"""AutoencoderOutlierDetector in use: defaults, frozen autoencoders, tables, copies, real data."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import AutoencoderOutlierDetector, AutoencoderTransformer
from skmlp.estimators._autoencoder._outlier import default_autoencoder

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FRAME = load_wine(as_frame=True).data.iloc[:, :6].set_axis(np.arange(178) * 2 + 5, axis=0)
X = FRAME.to_numpy()
SMALL = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0}
SMALL |= {"learning_rate_init": 0.01}


def coder_of(**params):
    return AutoencoderTransformer(**{**SMALL, **params})


def detector_of(coder=None, **params):
    return AutoencoderOutlierDetector(coder or coder_of(), **params)


# ---- the default, which warns of nothing --------------------------------------------------------


@pytest.mark.parametrize("n", [2, 5, 40, 64, 65, 90])
def test_the_default_takes_few_rows(n):
    model = AutoencoderOutlierDetector(random_state=0)
    scores = model.fit(X[:n]).score_samples(X)
    assert np.isfinite(scores).all() and scores.dtype == np.float64
    expected = "gaussian" if n > 64 else None
    assert model.autoencoder_.noise == expected and model.autoencoder_.batch_size == min(64, n)
    assert len(model.autoencoder_.estimators_) == 3


@pytest.mark.parametrize(
    "n, epochs", [(64, 100), (65, 50), (200, 50), (3200, 20), (6400, 10), (10**6, 10)]
)
def test_the_default_makes_so_many_steps(n, epochs):
    network = default_autoencoder(n, 50)
    assert network.max_iter == epochs
    assert network.n_components == 32 and network.learning_rate == "cosine"


@quiet
def test_the_default_draws_no_seed_of_its_own():
    """Without a random state two fits differ; with one they are the same."""
    rows = X[:40]
    seeded = [AutoencoderOutlierDetector(random_state=seed).fit(rows) for seed in (3, 3, 4)]
    scores = [model.score_samples(rows) for model in seeded]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])
    settings = {"random_state": None, "learning_rate": "cosine"}
    free = [detector_of(coder_of(**settings)).fit(rows) for _ in range(2)]
    assert not np.allclose(free[0].score_samples(rows), free[1].score_samples(rows))
    np.testing.assert_array_equal(free[0].score_samples(rows), free[0].score_samples(rows))


def test_no_global_random_state_is_touched():
    before = np.random.get_state()  # noqa: NPY002
    model = AutoencoderOutlierDetector(random_state=0).fit(X[:70])
    model.predict(X), model.reconstruct(X)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


# ---- the autoencoder that is given --------------------------------------------------------------


@quiet
def test_the_given_autoencoder_is_cloned():
    coder = coder_of(random_state=None)
    params = coder.get_params()
    model = detector_of(coder, random_state=7).fit(X)
    assert model.autoencoder is coder and not hasattr(coder, "theta_")
    assert coder.get_params() == params
    assert model.autoencoder_.random_state == 7
    expected = coder_of(random_state=7).fit(X)
    np.testing.assert_array_equal(model.autoencoder_.theta_, expected.theta_)
    # Its own seed is stronger.
    np.testing.assert_array_equal(
        detector_of(random_state=7).fit(X).autoencoder_.theta_, coder_of().fit(X).theta_
    )


@quiet
def test_one_that_is_fitted_but_not_frozen_is_refused():
    coder = coder_of().fit(X[:50])
    with pytest.raises(ValueError, match=r"FrozenEstimator\(autoencoder\).* or clone\(autoencoder"):
        detector_of(coder).fit(X)


@quiet
def test_columns_in_another_order_are_refused():
    frozen = FrozenEstimator(coder_of().fit(FRAME))
    with pytest.raises(ValueError, match="was fitted to the columns .*same order"):
        detector_of(frozen).fit(FRAME[FRAME.columns[::-1]])


@quiet
@pytest.mark.parametrize("rows", [X, FRAME], ids=["array", "frame"])
def test_a_frozen_autoencoder_is_taken_as_it_is(rows):
    coder = coder_of(noise="masking").fit(rows)
    theta, attributes = coder.theta_.copy(), set(vars(coder))
    model = detector_of(FrozenEstimator(coder)).fit(rows[:100])
    np.testing.assert_array_equal(model.autoencoder_.theta_, theta)
    np.testing.assert_array_equal(coder.theta_, theta)
    assert set(vars(coder)) == attributes
    np.testing.assert_array_equal(np.asarray(model.reconstruct(rows)), coder.reconstruct(rows))


def test_a_frozen_autoencoder_must_be_fitted():
    with pytest.raises(ValueError, match="autoencoder must hold a fitted .*not fitted. Fit it"):
        detector_of(FrozenEstimator(coder_of())).fit(X)


@quiet
def test_another_estimator_is_refused():
    frozen = FrozenEstimator(LinearRegression().fit(X, X))
    with pytest.raises(
        ValueError, match="must hold a fitted AutoencoderTransformer.*LinearRegression"
    ):
        detector_of(frozen).fit(X)
    with pytest.raises(ValueError, match="'autoencoder' parameter"):
        detector_of(LinearRegression()).fit(X)
    with pytest.raises(ValueError, match="was fitted to 4 features, but X has 6"):
        detector_of(FrozenEstimator(coder_of().fit(X[:, :4]))).fit(X)


@pytest.mark.parametrize(
    "params, name",
    [
        ({"contamination": 0.0}, "contamination"),
        ({"contamination": 0.6}, "contamination"),
        ({"contamination": "auto"}, "contamination"),
        ({"anomaly_score": "l1"}, "anomaly_score"),
        ({"random_state": "x"}, "random_state"),
    ],
)
def test_wrong_values_are_refused_by_name(params, name):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        detector_of(**params).fit(X)


@quiet
@pytest.mark.parametrize(
    "rows, weight, message",
    [
        (np.where(X > 100, np.nan, X), None, "NaN"),
        (X.reshape(178, 2, 3), None, "reshape"),
        (X, np.full(178, -1.0), "must not be negative"),
        (X, np.zeros(178), "at least one positive"),
        (X, np.ones(3), r"shape \(178,\)"),
    ],
    ids=["NaN", "3-D", "negative", "no weight", "few weights"],
)
def test_wrong_rows_are_refused(rows, weight, message):
    with pytest.raises(ValueError, match=message):
        detector_of().fit(rows, sample_weight=weight)


@pytest.mark.parametrize(
    "method", ["predict", "decision_function", "score_samples", "reconstruct",
               "reconstruction_error"],
)  # fmt: skip
@quiet
def test_methods_check_what_they_are_given(method):
    with pytest.raises(NotFittedError):
        getattr(detector_of(), method)(X)
    with pytest.raises(ValueError, match="5 features.*expecting 6"):
        getattr(detector_of().fit(X), method)(X[:, :5])


# ---- tables -------------------------------------------------------------------------------------


@quiet
def test_frames_keep_index_and_names():
    model = detector_of().fit(FRAME)
    assert list(model.feature_names_in_) == list(FRAME.columns)
    for table in (model.reconstruct(FRAME), model.reconstruction_error(FRAME)):
        assert isinstance(table, pd.DataFrame)
        assert list(table.columns) == list(FRAME.columns)
        pd.testing.assert_index_equal(table.index, FRAME.index)
    plain = detector_of().fit(X)
    np.testing.assert_allclose(model.score_samples(FRAME), plain.score_samples(X), rtol=1e-9)
    np.testing.assert_allclose(model.reconstruct(FRAME), plain.reconstruct(X), rtol=1e-9)
    assert isinstance(model.score_samples(FRAME), np.ndarray)
    assert isinstance(plain.reconstruction_error(X), np.ndarray)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(FRAME.iloc[:, ::-1])


@quiet
def test_polars_frames_come_back_as_such():
    frame = pl.from_dict(FRAME.to_dict("list"))
    model = detector_of().fit(frame)
    table = model.reconstruction_error(frame)
    assert isinstance(table, pl.DataFrame) and table.columns == list(FRAME.columns)
    np.testing.assert_allclose(-table.to_numpy().sum(axis=1), model.score_samples(frame))


# ---- copies and combinations --------------------------------------------------------------------


@quiet
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", ["residual_mahalanobis", "squared_error"])
def test_copies_compute_the_same(name, frozen):
    coder = FrozenEstimator(coder_of().fit(X)) if frozen else coder_of()
    model = detector_of(coder, anomaly_score=name).fit(X)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.score_samples(X), model.score_samples(X))
        assert other.offset_ == model.offset_
    again = clone(model)
    assert not hasattr(again, "offset_")
    np.testing.assert_array_equal(again.fit(X).score_samples(X), model.score_samples(X))


@quiet
def test_a_parameter_set_after_fit_acts_at_the_next_fit():
    model = detector_of().fit(X)
    scores = model.score_samples(X)
    model.set_params(anomaly_score="squared_error", contamination=0.5)
    np.testing.assert_array_equal(model.score_samples(X), scores)
    assert not np.allclose(model.fit(X).score_samples(X), scores)


@quiet
def test_predictions_of_the_training_rows():
    labels = detector_of().fit_predict(X)
    np.testing.assert_array_equal(labels, detector_of().fit(X).predict(X))
    assert set(labels) == {1, -1}


def digits():
    """Half of the zeros to train on, the rest of them and 60 others to tell apart."""
    rows, labels = load_digits(return_X_y=True)
    zeros, others = rows[labels == 0], rows[labels == 7][:60]
    return zeros[:90], np.vstack([zeros[90:], others]), np.r_[np.zeros(len(zeros) - 90), [1] * 60]


@quiet
def test_in_a_pipeline_and_a_search():
    train, test, anomalous = digits()
    pipeline = make_pipeline(StandardScaler(), detector_of(coder_of(max_iter=40))).fit(train)
    assert roc_auc_score(anomalous, -pipeline.score_samples(test)) > 0.95

    def scorer(detector, rows, y):
        return roc_auc_score(y == 7, -detector.score_samples(rows))

    rows, labels = load_digits(return_X_y=True)
    some = np.flatnonzero(np.isin(labels, [0, 7]))[:150]
    grid = {"autoencoder__n_components": [1, 4]}
    search = GridSearchCV(detector_of(), grid, scoring=scorer, cv=2).fit(rows[some], labels[some])
    assert search.best_estimator_.autoencoder_.n_components_ in (1, 4)
    assert (search.cv_results_["mean_test_score"] >= 0).all()


def cancer():
    """Half of the benign tumours to train on; the others and the malignant ones to tell apart."""
    rows, target = load_breast_cancer(return_X_y=True)
    benign = rows[target == 1]
    half = len(benign) // 2
    test = np.vstack([benign[half:], rows[target == 0]])
    return benign[:half], test, np.r_[np.zeros(len(benign) - half), np.ones((target == 0).sum())]


def test_malignant_tumours_are_anomalies_to_the_default():
    train, test, malignant = cancer()
    model = AutoencoderOutlierDetector(random_state=0).fit(train)
    assert roc_auc_score(malignant, -model.score_samples(test)) > 0.93


def test_a_threshold_of_rows_kept_apart_holds_for_new_rows():
    train, test, malignant = cancer()
    settings = {"random_state": 0, "contamination": 0.1}
    model = AutoencoderOutlierDetector(validation_fraction=0.3, **settings).fit(train)
    found = model.predict(test) == -1
    assert found[malignant == 1].mean() > 0.7 and found[malignant == 0].mean() < 0.2
    again = AutoencoderOutlierDetector(validation_fraction=0.3, **settings).fit(train)
    assert again.offset_ == model.offset_
    plain = AutoencoderOutlierDetector(**settings).fit(train)
    assert (plain.predict(train) == -1).mean() == pytest.approx(0.1, abs=0.01)
    assert plain.offset_ > model.offset_


def test_rows_kept_apart_must_leave_some_to_train_on():
    with pytest.raises(ValueError, match="validation_fraction=0.9 of 2 rows leaves none"):
        detector_of(validation_fraction=0.9).fit(X[:2])


@quiet
@pytest.mark.parametrize("name", ["residual_mahalanobis", "squared_error"])
def test_malignant_tumours_are_anomalies_to_a_small_network(name):
    train, test, malignant = cancer()
    model = detector_of(coder_of(n_components=8, hidden_layer_sizes=(30,), max_iter=200),
                        anomaly_score=name).fit(train)  # fmt: skip
    assert roc_auc_score(malignant, -model.score_samples(test)) > 0.9


@quiet
def test_rows_that_weigh_nothing_train_nothing():
    train, test, malignant = cancer()
    both = np.vstack([train, test[malignant == 1]])
    weight = np.r_[np.ones(len(train)), np.zeros(int(malignant.sum()))]
    one = detector_of().fit(both, sample_weight=weight)
    other = detector_of().fit(train)
    np.testing.assert_allclose(one.score_samples(test), other.score_samples(test), rtol=1e-6)
    assert one.offset_ == pytest.approx(other.offset_, rel=1e-6)
