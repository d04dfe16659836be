"""Scaling of X and y inside the estimators, and the effective parameters that undo it."""

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array, csr_matrix
from scipy.special import expit, softmax
from sklearn.datasets import make_classification, make_regression
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

from skmlp import MLPClassifier, MLPRegressor
from skmlp.estimators._encoding import FEATURE_SCALINGS, StandardScaling

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_regression(n_samples=80, n_features=4, noise=5.0, random_state=0)
X = X * [1.0, 100.0, 1e-3, 5.0] + [0.0, 1e4, 7.0, -3.0]
Y = np.column_stack([y, 1e3 * y**2])
X_sparse = csr_array(np.where(np.abs(X - X.mean(axis=0)) > X.std(axis=0), X, 0.0))
X_class, y_three = make_classification(
    n_samples=80, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1,
)  # fmt: skip
y_two = y_three > 0
y_many = np.column_stack([y_three > 0, y_three > 1]).astype(int)
counts = np.random.default_rng(0).poisson(np.exp(X_class[:, 0])).astype(float)
SMALL = {"hidden_layer_sizes": (6, 5), "max_iter": 8, "random_state": 0}


def forward(model, features, activation=lambda z: np.maximum(z, 0.0)):
    """Raw outputs by hand, from the public attributes."""
    for coef, intercept in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        features = activation(features @ coef + intercept)
    return features @ model.coefs_[-1] + model.intercepts_[-1]


INVERSE_LINKS = {
    "identity": lambda z: z,
    "exp": np.exp,
    "logistic": expit,
    "softmax": lambda z: softmax(z, axis=1),
}
VARIANTS = [
    {},
    {"feature_scaling": None},
    {"feature_scaling": "minmax"},
    {"feature_scaling": None, "target_scaling": False},
    {"target_scaling": False},
    {"input_scale_layer": True, "parametrization": "ntk"},
    {"input_scale_layer": True, "feature_scaling": "minmax"},
    {"parametrization": "ntk"},
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": (), "input_scale_layer": True, "parametrization": "ntk"},
    {"solver": "lbfgs"},
    {"activation": "identity"},
]


@pytest.mark.parametrize("target", [y, Y, counts], ids=["one", "two", "counts"])
@pytest.mark.parametrize("features", [X, X_sparse], ids=["dense", "sparse"])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_effective_parameters_give_the_predictions_of_the_regressor(variant, features, target):
    settings = {**SMALL, "learning_rate_init": 1e-4, **variant}
    model = MLPRegressor(**settings).fit(features, target)
    linear = variant.get("activation") == "identity"
    by_hand = forward(model, features, *([lambda z: z] if linear else []))
    expected = by_hand if target.ndim == 2 else by_hand[:, 0]
    tolerance = 1e-9 * np.abs(expected).max()
    np.testing.assert_allclose(model.predict(features), expected, rtol=1e-7, atol=tolerance)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", "log_cosh", "gamma",
                                  "poisson", "squared_error"])  # fmt: skip
@pytest.mark.parametrize("target_scaling", [True, False])
def test_effective_parameters_of_every_loss(loss, target_scaling):
    model = MLPRegressor(loss, target_scaling=target_scaling, **SMALL).fit(X, counts + 1.0)
    by_hand = INVERSE_LINKS[model.out_activation_](forward(model, X)[:, 0])
    np.testing.assert_allclose(model.predict(X), by_hand, rtol=1e-8)
    links = {"gamma": "exp", "poisson": "exp"}
    assert model.out_activation_ == links.get(loss, "identity")


def test_effective_parameters_of_several_quantiles():
    model = MLPRegressor("quantile", quantile=[0.1, 0.5, 0.9], **SMALL).fit(X, y)
    np.testing.assert_allclose(model.predict(X), np.sort(forward(model, X), axis=1), rtol=1e-8)


@pytest.mark.parametrize("target, link", [(y_two, "logistic"), (y_three, "softmax"),
                                          (y_many, "logistic")])  # fmt: skip
@pytest.mark.parametrize("features", [X_class, csr_array(X_class)], ids=["dense", "sparse"])
@pytest.mark.parametrize("variant", [v for v in VARIANTS if "target_scaling" not in v], ids=str)
def test_effective_parameters_give_the_probabilities(variant, features, target, link):
    model = MLPClassifier(**{**SMALL, **variant}).fit(features, target)
    linear = variant.get("activation") == "identity"
    raw = forward(model, features, *([lambda z: z] if linear else []))
    assert model.out_activation_ == link
    probabilities = INVERSE_LINKS[link](raw)
    if target is y_two:
        probabilities = np.column_stack([1 - probabilities, probabilities])
    np.testing.assert_allclose(model.predict_proba(features), probabilities, rtol=1e-7, atol=1e-12)
    decision = raw[:, 0] if target is y_two else raw
    np.testing.assert_allclose(model.decision_function(features), decision, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_effective_parameters_keep_the_dtype_and_cannot_be_written(dtype):
    model = MLPRegressor(**SMALL).fit(X_class.astype(dtype), counts)
    for array in (*model.coefs_, *model.intercepts_):
        assert array.dtype == dtype
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    assert [coef.shape for coef in model.coefs_] == [(4, 6), (6, 5), (5, 1)]
    assert [intercept.shape for intercept in model.intercepts_] == [(6,), (5,), (1,)]
    by_hand = forward(model, X_class.astype(dtype))[:, 0]
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(model.predict(X_class.astype(dtype)), by_hand, atol=tolerance)


@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_the_smooth_clip_cannot_be_folded(name):
    model = MLPRegressor(feature_scaling="robust", **SMALL).fit(X, y)
    with pytest.raises(AttributeError, match=f"{name}.*feature_scaling='robust'.*standard"):
        getattr(model, name)
    assert not hasattr(model, name)


def test_unfitted_estimators_have_no_effective_parameters():
    with pytest.raises(AttributeError):
        _ = MLPRegressor().coefs_


@pytest.mark.parametrize("kind, scaler", [("standard", StandardScaler), ("minmax", MinMaxScaler)])
def test_scaling_inside_equals_scaling_outside(kind, scaler):
    inside = MLPRegressor(feature_scaling=kind, **SMALL).fit(X, y)
    scaled = scaler().fit_transform(X)
    standardised = (y - y.mean()) / y.std()
    outside = MLPRegressor(feature_scaling=None, target_scaling=False, **SMALL)
    outside.fit(scaled, standardised)
    np.testing.assert_allclose(
        inside.predict(X), outside.predict(scaled) * y.std() + y.mean(), rtol=1e-7
    )
    np.testing.assert_allclose(inside.loss_curve_, outside.loss_curve_, rtol=1e-7)


def test_the_robust_scale_is_median_iqr_and_a_smooth_clip():
    odd = np.random.default_rng(0).standard_t(2, size=(81, 2)) * [1.0, 50.0]
    odd = np.column_stack([odd, np.arange(81) == 3])
    low, median, high = np.quantile(odd, [0.25, 0.5, 0.75], axis=0, method="averaged_inverted_cdf")
    # The third column's quartiles coincide: it is divided by half its range.
    z = (odd - median) / np.where(high > low, high - low, 0.5)
    scaled = z / np.sqrt(1 + (z / 3) ** 2)
    inside = MLPRegressor(feature_scaling="robust", **SMALL).fit(odd, y[:1].repeat(81) + odd[:, 0])
    outside = MLPRegressor(feature_scaling=None, **SMALL)
    outside.fit(scaled, y[:1].repeat(81) + odd[:, 0])
    np.testing.assert_allclose(inside.predict(odd), outside.predict(scaled), rtol=1e-7)


@pytest.mark.parametrize("kind", ["standard", "robust", "minmax"])
@pytest.mark.parametrize("container", [csr_array, csr_matrix, csc_array])
def test_sparse_columns_are_divided_by_their_largest_absolute_value(kind, container):
    """Never centred, whatever the kind (E6)."""
    features = container(X_sparse)
    inside = MLPRegressor(feature_scaling=kind, **SMALL).fit(features, y)
    scaled = MaxAbsScaler().fit_transform(X_sparse.toarray())
    outside = MLPRegressor(feature_scaling=None, **SMALL).fit(scaled, y)
    np.testing.assert_allclose(inside.predict(features), outside.predict(scaled), rtol=1e-7)
    np.testing.assert_allclose(inside.predict(features.toarray()), inside.predict(features))
    np.testing.assert_allclose(forward(inside, features)[:, 0], inside.predict(features))


@pytest.mark.parametrize("feature_scaling", FEATURE_SCALINGS)
def test_a_fit_on_dense_rows_predicts_sparse_ones(feature_scaling):
    dense = X_sparse.toarray()
    model = MLPRegressor(feature_scaling=feature_scaling, **SMALL).fit(dense, y)
    np.testing.assert_allclose(model.predict(X_sparse), model.predict(dense), rtol=1e-9)


@pytest.mark.parametrize("cls, target", [(MLPRegressor, y), (MLPClassifier, y_three)])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_without_scaling_all_formats_give_the_same_fit(cls, target, solver):
    dense = X_sparse.toarray() / 1e4
    settings = {**SMALL, "feature_scaling": None, "solver": solver, "batch_size": 30}
    expected = cls(**settings).fit(dense, target).theta_
    for container in (csr_array, csc_array, csr_matrix, np.asfortranarray):
        fitted = cls(**settings).fit(container(dense), target)
        np.testing.assert_allclose(fitted.theta_, expected, rtol=1e-6, atol=1e-9)


REPEATS = np.random.default_rng(1).integers(0, 4, size=80)


@pytest.mark.parametrize("feature_scaling", FEATURE_SCALINGS)
@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "quantile", "gamma", "poisson"]
)
def test_weights_count_as_repeated_rows(feature_scaling, loss):
    model = MLPRegressor(loss, feature_scaling=feature_scaling, batch_size=1000, **SMALL)
    with pytest.warns(UserWarning, match="batch_size=1000 is larger than the"):
        weighted = model.fit(X_class, counts + 1.0, REPEATS).predict(X_class)
    with pytest.warns(UserWarning, match="batch_size=1000 is larger than the"):
        model.fit(np.repeat(X_class, REPEATS, axis=0), np.repeat(counts + 1.0, REPEATS))
    np.testing.assert_allclose(weighted, model.predict(X_class), rtol=1e-7)


@pytest.mark.parametrize("feature_scaling", FEATURE_SCALINGS)
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
def test_weights_count_as_repeated_rows_of_classes(feature_scaling, class_weight):
    model = MLPClassifier(
        feature_scaling=feature_scaling, class_weight=class_weight, solver="lbfgs", **SMALL
    )
    weighted = model.fit(X_class, y_three, REPEATS).predict_proba(X_class)
    model.fit(np.repeat(X_class, REPEATS, axis=0), np.repeat(y_three, REPEATS))
    np.testing.assert_allclose(weighted, model.predict_proba(X_class), rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -1e-9])
def test_constant_columns_get_scale_one(value):
    features = np.column_stack([X_class, np.full(80, value)])
    scaling = StandardScaling.fit(features)
    assert scaling.scale[-1] == 1.0
    for kind in FEATURE_SCALINGS:
        model = MLPRegressor(feature_scaling=kind, alpha=0.0, **SMALL)
        assert np.isfinite(model.fit(features, counts).predict(features)).all()
    assert StandardScaling.fit(features.astype(np.float32)).scale[-1] == 1.0


@pytest.mark.parametrize("target", [np.full(80, 7.25), np.zeros(80), np.full(80, -1e8)])
def test_constant_targets_are_predicted(target):
    model = MLPRegressor(**{**SMALL, "max_iter": 200, "learning_rate_init": 0.01}).fit(X, target)
    np.testing.assert_allclose(model.predict(X), target, atol=0.3)


@pytest.mark.parametrize("factor", [1e-4, 1e3, 1e6, 1e12])
def test_the_unit_of_y_does_not_matter(factor):
    """Defect i: y x 1e6 gave R2 = 0 and y x 1e-4 gave R2 = -42092."""
    settings = {**SMALL, "max_iter": 150, "learning_rate_init": 0.01}
    plain = MLPRegressor(**settings).fit(X, y)
    scaled = MLPRegressor(**settings).fit(X, y * factor)
    assert plain.n_iter_ == scaled.n_iter_
    np.testing.assert_allclose(scaled.predict(X), plain.predict(X) * factor, rtol=1e-5)
    assert scaled.score(X, y * factor) > 0.8


@pytest.mark.parametrize("loss, rows", [("gamma", counts + 0.5), ("squared_error", y)])
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_y_does_not_matter_to_other_losses(loss, rows, factor):
    plain = MLPRegressor(loss, **SMALL).fit(X_class, rows)
    scaled = MLPRegressor(loss, **SMALL).fit(X_class, rows * factor)
    np.testing.assert_allclose(scaled.predict(X_class), plain.predict(X_class) * factor, rtol=1e-5)


def test_statistics_are_those_of_the_training_part():
    """The held-out rows must not leak into the scaling."""
    model = MLPRegressor(early_stopping=True, **{**SMALL, "max_iter": 1}).fit(X, y)
    moments = model._design["features"]["moments"]
    assert (moments["mean"] != X.mean(axis=0)).all()
    assert moments["n"] == 72
