"""Any combination of parameters and data either fits or is refused in words."""

import warnings

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from skmlp import MLPClassifier, MLPRegressor
from skmlp.activations import ACTIVATIONS
from skmlp.initializers import INITIALIZERS
from skmlp.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from skmlp.optimizers import OPTIMIZERS
from skmlp.schedules import SCHEDULES

quick = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

shared = {
    "hidden_layer_sizes": st.lists(st.integers(1, 6), max_size=2).map(tuple),
    "activation": st.sampled_from(sorted(ACTIVATIONS)),
    "solver": st.sampled_from(sorted(OPTIMIZERS)),
    "learning_rate": st.sampled_from(sorted(SCHEDULES)),
    "learning_rate_init": st.sampled_from([1e-4, 1e-2, 1.0]),
    "alpha": st.sampled_from([0.0, 1e-4, 10.0]),
    "batch_size": st.sampled_from(["auto", 1, 5]),
    "init": st.sampled_from(["auto", *sorted(INITIALIZERS)]),
    "parametrization": st.sampled_from(["standard", "ntk"]),
    "input_scale_layer": st.booleans(),
    "feature_scaling": st.sampled_from(["standard", "robust", "minmax", None]),
    "dropout": st.sampled_from([0.0, 0.4]),
    "dropout_schedule": st.sampled_from(["constant", "cosine"]),
    "max_grad_norm": st.sampled_from([None, 0.5]),
    "weight_decay": st.sampled_from([0.0, 0.1]),
    "weight_decay_schedule": st.sampled_from(["constant", "flat_cosine"]),
    "weight_averaging": st.sampled_from([0.0, 0.9]),
    "weight_tol": st.sampled_from([0.0, 1e-3]),
    "early_stopping": st.booleans(),
    "refit": st.booleans(),
    "n_init": st.sampled_from([1, 2]),
    "n_shared_layers": st.sampled_from([0, 1]),
    "shuffle": st.booleans(),
    "dtype": st.sampled_from(["auto", "float32", "float64"]),
}
of_regressors = {
    "loss": st.sampled_from(sorted(REGRESSION_LOSSES)),
    "target_scaling": st.booleans(),
    "clip_predictions": st.booleans(),
    "quantile": st.sampled_from([0.5, 0.9, (0.1, 0.9)]),
    "delta": st.sampled_from([1.35, 0.5]),
}
of_classifiers = {
    "loss": st.sampled_from(sorted(CLASSIFICATION_LOSSES)),
    "class_weight": st.sampled_from([None, "balanced", {0: 2.0}]),
    "label_smoothing": st.sampled_from([0.0, 0.2]),
    "margin": st.sampled_from([1.0, 0.3]),
}
data = {
    "n": st.integers(1, 25),
    "d": st.integers(1, 4),
    "scale": st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e8, 1e30]),
    "dtype": st.sampled_from([np.float32, np.float64, np.int64]),
    "sparse": st.booleans(),
    "weighted": st.booleans(),
    "seed": st.integers(0, 5),
}


def draw_rows(n, d, scale, dtype, sparse, weighted, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * scale + rng.integers(-1, 2)
    X = np.clip(X, -1e18, 1e18).astype(dtype)
    weight = rng.integers(0, 3, size=n).astype(float) if weighted else None
    return (csr_array(X) if sparse else X), weight, rng


def fit_or_refusal(model, X, y, weight):
    """The fitted model, or None if it was refused in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What training and data may say; everything else is a leak, NumPy's warnings above all.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return model.set_params(max_iter=4, random_state=0).fit(X, y, weight)
        except ValueError as error:
            assert len(str(error)) > 30
            return None


@quick
@given(st.fixed_dictionaries({}, optional={**shared, **of_regressors}), st.fixed_dictionaries(data),
       st.sampled_from([1e-20, 1.0, 1e12]), st.sampled_from([1, 2]))  # fmt: skip
def test_regressors_fit_or_refuse(params, rows, unit, n_targets):
    X, weight, rng = draw_rows(**rows)
    Y = rng.gamma(1.0, size=(X.shape[0], n_targets)) * unit
    model = fit_or_refusal(MLPRegressor(**params), X, Y[:, 0] if n_targets == 1 else Y, weight)
    if model is None:
        return
    predicted = model.predict(X)
    assert np.isfinite(predicted).all()
    several = np.ndim(params.get("quantile", 0.5)) and params.get("loss") == "quantile"
    width = 2 if several else n_targets
    assert predicted.shape == ((X.shape[0],) if width == 1 else (X.shape[0], width))
    assert np.isfinite(model.theta_).all() and np.isfinite(model.loss_)
    np.testing.assert_array_equal(predicted, model.predict(X))


@quick
@given(st.fixed_dictionaries({}, optional={**shared, **of_classifiers}),
       st.fixed_dictionaries(data), st.integers(1, 4))  # fmt: skip
def test_classifiers_fit_or_refuse(params, rows, n_classes):
    X, weight, rng = draw_rows(**rows)
    y = rng.integers(0, n_classes, size=X.shape[0])
    model = fit_or_refusal(MLPClassifier(**params), X, y, weight)
    if model is None:
        return
    assert np.isin(model.predict(X), y).all()
    assert np.isfinite(model.decision_function(X)).all()
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(X)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
        assert np.isfinite(model.predict_log_proba(X)).all()


@quick
@given(st.fixed_dictionaries({}, optional={k: v for k, v in shared.items() if k != "solver"}),
       st.fixed_dictionaries(data), st.fixed_dictionaries(data))  # fmt: skip
def test_chunks_of_any_kind_can_follow_each_other(params, first, second):
    model = MLPRegressor(random_state=0, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        for rows in (first, {**second, "d": first["d"]}, first):
            X, weight, rng = draw_rows(**rows)
            try:
                model.partial_fit(X, rng.normal(size=X.shape[0]), weight)
            except ValueError as error:
                assert len(str(error)) > 30
                return
            assert np.isfinite(model.predict(X)).all()
