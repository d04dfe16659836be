"""How a network trains behind an encoder: slower, not at all, again, and to what end."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score

from skmlp import AutoencoderTransformer, MLPClassifier, MLPRegressor
from skmlp.callbacks import Checkpoint
from skmlp.estimators._recipe import network_of
from skmlp.optimizers import OPTIMIZERS

from ..callbacks.shared import killed_and_resumed

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_wine(return_X_y=True)
X = X[:, :6]
TARGET = 100.0 + 30.0 * X[:, 0] - X[:, 4]
KINDS = {MLPClassifier: LABELS, MLPRegressor: TARGET}
BOTH = pytest.mark.parametrize("cls", KINDS, ids=["classifier", "regressor"])
CODER = {"n_components": 3, "hidden_layer_sizes": (7,), "max_iter": 4, "random_state": 0}
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "batch_size": 32}
SMALL |= {"learning_rate_init": 0.01, "tol": 0.0}


@pytest.fixture(scope="module")
def coder():
    return AutoencoderTransformer(**CODER, activation="prelu").fit(X)


def model_of(cls, encoder, **params):
    return cls(**{**SMALL, "encoder": FrozenEstimator(encoder), **params})


def encoder_part(model):
    """All parameters of the layers up to the code, members by rows."""
    network = network_of(model._model)
    depth = network.depth_of(2)
    theta = np.atleast_2d(model.theta_)
    blocks = [block for layer in network.layers[:depth] for block in layer.blocks]
    return np.hstack([block.view(theta).reshape(len(theta), -1) for block in blocks])


ACTING = {
    "plain": {},
    "all that acts on steps": {"momentum": 0.8, "weight_decay": 0.1, "alpha": 1.0,
                               "max_grad_norm": 0.1},
    "schedule": {"learning_rate": "one_cycle", "alpha": 1.0},
    "averaged": {"n_init": 2, "combine_inits": "average", "weight_decay": 0.1},
    "dropout": {"dropout": 0.3, "early_stopping": True},
}  # fmt: skip


@pytest.mark.parametrize("params", ACTING.values(), ids=ACTING)
@pytest.mark.parametrize("solver", [name for name in OPTIMIZERS if OPTIMIZERS[name].stochastic])
@BOTH
def test_with_rate_0_the_encoder_keeps_every_bit(cls, solver, params, coder):
    model = model_of(cls, coder, solver=solver, encoder_learning_rate=0.0, **params)
    model.fit(X, KINDS[cls])
    for part in encoder_part(model):
        np.testing.assert_array_equal(part, encoder_part(coder)[0])
    trained = clone(model).set_params(encoder_learning_rate=1.0).fit(X, KINDS[cls])
    assert not np.allclose(encoder_part(trained), encoder_part(coder), atol=1e-4)


@pytest.mark.parametrize("params", [{}, {"alpha": 10.0}, {"n_init": 2}])
@BOTH
def test_with_rate_0_lbfgs_trains_the_rest(cls, params, coder):
    model = model_of(cls, coder, solver="lbfgs", encoder_learning_rate=0.0, max_iter=30, **params)
    model.fit(X, KINDS[cls])
    np.testing.assert_array_equal(encoder_part(model), encoder_part(coder))
    assert model.loss_curve_[-1] < 0.9 * model.loss_curve_[0]


def test_lbfgs_behind_a_fixed_encoder_is_lbfgs_on_the_codes(coder):
    """The optimum of a linear model on the codes, which is unique."""
    params = {"solver": "lbfgs", "alpha": 1.0, "max_iter": 500, "tol": 1e-8, "random_state": 0}
    model = MLPClassifier((), encoder=FrozenEstimator(coder), encoder_learning_rate=0.0, **params)
    model.fit(X, LABELS)
    plain = MLPClassifier((), feature_scaling=None, **params).fit(coder.transform(X), LABELS)
    np.testing.assert_allclose(
        model.predict_proba(X), plain.predict_proba(coder.transform(X)), atol=1e-3
    )


def test_alpha_of_the_fixed_layers_does_not_clip_the_others(coder):
    """Parameters that stay have no part in the norm of the gradient."""
    params = {"encoder_learning_rate": 0.0, "solver": "sgd", "momentum": 0.0, "max_iter": 1}
    params |= {"batch_size": 178, "alpha": 0.0}
    one = model_of(MLPRegressor, coder, **params).fit(X, TARGET)
    start = model_of(MLPRegressor, coder, **{**params, "learning_rate_init": 1e-300})
    step = (one.theta_ - start.fit(X, TARGET).theta_) / 0.01
    norm = np.linalg.norm(step)
    clipped = clone(one).set_params(max_grad_norm=norm * 1.001).fit(X, TARGET)
    np.testing.assert_allclose(clipped.theta_, one.theta_, rtol=1e-12)
    clipped.set_params(max_grad_norm=norm / 2).fit(X, TARGET)
    half = (clipped.theta_ - start.theta_) / 0.01
    np.testing.assert_allclose(half, step / 2, atol=1e-9 * norm)


@pytest.mark.parametrize("factor", [0.5, 3.0])
@BOTH
def test_the_factor_multiplies_the_step_of_the_encoder_alone(cls, factor, coder):
    params = {"solver": "sgd", "momentum": 0.0, "max_iter": 1, "batch_size": 178}
    thetas = {}
    for rate, f in ((1e-300, 1.0), (0.01, 1.0), (0.01, factor)):
        model = model_of(cls, coder, learning_rate_init=rate, encoder_learning_rate=f, **params)
        model.fit(X, KINDS[cls])
        thetas[rate, f] = encoder_part(model)[0], model.coefs_[2:]
    (start, _), (one, head), (other, same) = thetas.values()
    assert np.abs(one - start).max() > 1e-5
    np.testing.assert_allclose(other - start, factor * (one - start), rtol=1e-6, atol=1e-12)
    for mine, theirs in zip(head, same, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_lbfgs_has_no_rate_to_multiply(factor, coder):
    model = model_of(MLPClassifier, coder, solver="lbfgs", encoder_learning_rate=factor)
    with pytest.raises(ValueError, match=f"encoder_learning_rate={factor} cannot act with solver="):
        model.fit(X, LABELS)


# ---- going on -----------------------------------------------------------------------------------


@BOTH
def test_partial_fit_needs_a_fitted_encoder(cls, coder):
    model = cls(**SMALL, encoder=AutoencoderTransformer(**CODER))
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as error:
        model.partial_fit(X, KINDS[cls])
    assert "FrozenEstimator(encoder)" in f"{error.value} {error.value.__cause__}"


@pytest.mark.parametrize("rate", [0.0, 1.0])
@BOTH
def test_chunks_go_on_from_the_encoder(cls, rate, coder):
    model = model_of(cls, coder, encoder_learning_rate=rate)
    options = {"classes": [0, 1, 2]} if cls is MLPClassifier else {}
    model.partial_fit(X[::2], KINDS[cls][::2], **options)
    encoder = model.encoder_
    theta = model.theta_.copy()
    model.partial_fit(X[1::2] * 3.0, KINDS[cls][1::2])
    assert model.encoder_ is encoder and not np.array_equal(model.theta_, theta)
    same = np.array_equal(encoder_part(model), encoder_part(coder))
    assert same is (rate == 0.0)
    if rate == 0.0:
        # The scaling of X stays that of the encoder.
        bare = model_of(cls, coder, hidden_layer_sizes=(), encoder_learning_rate=0.0)
        bare.partial_fit(X, KINDS[cls], **options).partial_fit(X * 5.0, KINDS[cls])
        np.testing.assert_allclose(bare.transform(X), coder.transform(X), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("frozen", [True, False])
@BOTH
def test_a_warm_start_keeps_the_encoder(cls, frozen, coder):
    encoder = FrozenEstimator(coder) if frozen else AutoencoderTransformer(**CODER)
    model = cls(**SMALL, encoder=encoder, warm_start=True).fit(X, KINDS[cls])
    first, copy = model.loss_curve_[-1], model.encoder_
    model.set_params(max_iter=30).fit(X, KINDS[cls])
    assert model.encoder_ is copy and model.loss_curve_[-1] < first
    with pytest.raises(ValueError, match="has changed since the first call"):
        model.set_params(encoder=None).fit(X, KINDS[cls])


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_a_killed_fit_ends_as_if_never_killed(rate, frozen, coder, tmp_path):
    encoder = FrozenEstimator(coder) if frozen else AutoencoderTransformer(**CODER)
    model = MLPClassifier(**{**SMALL, "max_iter": 11}, encoder=encoder, encoder_learning_rate=rate)
    whole = clone(model).fit(X, LABELS)
    resumed = killed_and_resumed(model, tmp_path / "c.npz", X, LABELS)
    np.testing.assert_array_equal(whole.theta_, resumed.theta_)
    assert whole.loss_curve_ == resumed.loss_curve_


def test_a_checkpoint_of_another_encoder_is_refused(coder, tmp_path):
    other = AutoencoderTransformer(**{**CODER, "random_state": 1}, activation="prelu").fit(X)
    params = {"callbacks": [Checkpoint(tmp_path / "c.npz")]}
    model_of(MLPClassifier, coder, **params).fit(X, LABELS)
    with pytest.raises(ValueError, match="c.npz"):
        model_of(MLPClassifier, other, **params).fit(X, LABELS)


# ---- what it is for -----------------------------------------------------------------------------


def digits(n=300):
    data, labels = load_digits(return_X_y=True)
    return data[:n] / 16, labels[:n], data[n : n + 400] / 16, labels[n : n + 400]


def test_a_search_reaches_the_parameters_of_the_encoder():
    rows, labels, _, _ = digits(200)
    encoder = AutoencoderTransformer(
        8, (16,), noise="masking", max_iter=3, random_state=0, feature_scaling=None
    )
    model = MLPClassifier((), encoder=encoder, max_iter=5, random_state=0)
    grid = {"encoder__noise_level": [0.1, 0.9], "encoder_learning_rate": [0.0, 1.0]}
    search = GridSearchCV(model, grid, cv=2).fit(rows, labels)
    best = search.best_estimator_
    assert best.encoder_.noise_level == search.best_params_["encoder__noise_level"]
    assert best.encoder.get_params() == best.encoder_.get_params()
    assert search.best_params_["encoder_learning_rate"] == 1.0
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores)) > 2


def test_a_fixed_encoder_of_many_rows_helps_few_labels():
    rows, labels, X_test, y_test = digits(1000)
    coder = AutoencoderTransformer(
        32, (64,), noise="masking", max_iter=40, feature_scaling=None, random_state=0,
        learning_rate_init=0.003,
    ).fit(rows)  # fmt: skip
    params = {"hidden_layer_sizes": (), "max_iter": 60, "random_state": 0}
    params |= {"learning_rate_init": 0.01}
    few = slice(0, 60)
    model = MLPClassifier(encoder=FrozenEstimator(coder), encoder_learning_rate=0.0, **params)
    untrained = clone(coder).set_params(max_iter=1, learning_rate_init=1e-9).fit(rows)
    random = clone(model).set_params(encoder=FrozenEstimator(untrained))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        scores = [m.fit(rows[few], labels[few]).score(X_test, y_test) for m in (model, random)]
    assert scores[0] > 0.7 and scores[0] > scores[1] + 0.03


def test_no_fold_sees_the_rows_of_another():
    """An encoder that is not fitted is fitted anew for every fold."""
    rows, labels, _, _ = digits(150)
    encoder = AutoencoderTransformer(4, (8,), max_iter=2, random_state=0)
    model = MLPClassifier((), encoder=encoder, max_iter=2, random_state=0)
    scores = cross_val_score(model, rows, labels, cv=2)
    assert np.isfinite(scores).all() and not hasattr(encoder, "theta_")


@BOTH
def test_no_global_random_state_is_touched(cls):
    before = np.random.get_state()  # noqa: NPY002
    encoder = AutoencoderTransformer(2, (4,), max_iter=2, noise="gaussian")
    cls(**{**SMALL, "hidden_layer_sizes": ()}, encoder=encoder).fit(X, KINDS[cls])
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
