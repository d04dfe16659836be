"""Autoencoders that go on training: partial_fit, warm starts, checkpoints, interruptions."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_wine

from skmlp import AutoencoderTransformer
from skmlp._engine.noise import NOISES
from skmlp.callbacks import Callback

from ..callbacks.shared import Counter, StopAfter, check_resumes

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:output_activation=.* puts out:UserWarning"),
]

X = load_wine().data[:, :6]
UNIT = (X - X.min(axis=0)) / np.ptp(X, axis=0)
SMALL = {"n_components": 2, "hidden_layer_sizes": (7,), "max_iter": 6, "random_state": 0}
SMALL |= {"learning_rate_init": 0.01, "batch_size": 32, "tol": 0.0}
AVERAGE = {"n_init": 2, "combine_inits": "average"}


def model_of(**params):
    return AutoencoderTransformer(**{**SMALL, **params})


# ---- moving statistics --------------------------------------------------------------------------


def go_on(model, rows, how):
    if how == "partial_fit":
        return model.partial_fit(rows)
    return model.set_params(warm_start=True, max_iter=1).fit(rows)


MOVING = {
    "plain": {},
    "deep": {"hidden_layer_sizes": (7, 5), "decoder_hidden_layer_sizes": (4,)},
    "one layer": {"hidden_layer_sizes": ()},
    "ntk": {"parametrization": "ntk", "input_scale_layer": True},
    "average": AVERAGE,
    "noise": {"noise": "gaussian"},
    "sparse kind, untied": {"sparsity": "l1", "tied_weights": False},
}


@pytest.mark.parametrize("how", ["partial_fit", "warm start"])
@pytest.mark.parametrize("params", MOVING.values(), ids=MOVING)
def test_moving_statistics_change_no_reconstruction(params, how):
    model = model_of(**params, learning_rate_init=1e-13, alpha=0.0).partial_fit(X[:60])
    before, codes, theta = model.reconstruct(X), model.transform(X), model.theta_.copy()
    go_on(model, X[60:] * 3.0 - 5.0, how)
    np.testing.assert_allclose(model.reconstruct(X), before, rtol=1e-7)
    np.testing.assert_allclose(model.transform(X), codes, rtol=1e-7, atol=1e-7)
    # The scaling has moved, so the same function needs other weights.
    assert not np.allclose(model.theta_, theta, rtol=1e-3)
    seen = np.vstack([X[:60], X[60:] * 3.0 - 5.0])
    scaled = ((X - model.reconstruct(X)) / seen.std(axis=0)) ** 2
    np.testing.assert_allclose(model.reconstruction_error(X), scaled.mean(axis=1), rtol=1e-6)


FROZEN = {
    "tied": {"tied_weights": True},
    "contractive": {"contractive_alpha": 0.1},
    "log_loss": {"loss": "log_loss"},
    "output": {"output_activation": "tanh"},
    "minmax": {"feature_scaling": "minmax"},
    "robust": {"feature_scaling": "robust"},
}


@pytest.mark.parametrize("how", ["partial_fit", "warm start"])
@pytest.mark.parametrize("params", FROZEN.values(), ids=FROZEN)
def test_where_they_cannot_move_the_scaling_stays_that_of_the_first_call(params, how):
    model = model_of(**params, learning_rate_init=1e-13, alpha=0.0).partial_fit(UNIT[:60])
    before, errors = model.reconstruct(UNIT), model.reconstruction_error(UNIT)
    go_on(model, UNIT[60:], how)
    np.testing.assert_allclose(model.reconstruct(UNIT), before, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.reconstruction_error(UNIT), errors, rtol=1e-7)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("members", [{}, AVERAGE], ids=["one", "average"])
def test_a_column_that_was_constant_in_the_first_chunk(members, sparse):
    """Its output gets its first real scale, which nothing was learned in; all else stays."""
    rows, others = np.where(UNIT < 0.4, 0.0, UNIT) if sparse else X.copy(), [0, 1, 3, 4, 5]
    rows[:60, 2] = 0.0 if sparse else 4.0
    wrap = csr_array if sparse else np.asarray
    first = wrap(rows[:60])
    model = model_of(**members, learning_rate_init=1e-13, alpha=0.0).partial_fit(first)
    before, codes = model.reconstruct(first), model.transform(first)
    model.partial_fit(wrap(rows[60:] * 2.0))
    np.testing.assert_allclose(model.transform(first), codes, rtol=1e-7, atol=1e-9)
    after = model.reconstruct(first)
    np.testing.assert_allclose(after[:, others], before[:, others], rtol=1e-7, atol=1e-9)
    model.set_params(learning_rate_init=0.01)
    for _ in range(60):
        model.partial_fit(wrap(rows))
    errors = (model.reconstruct(wrap(rows)) - rows) ** 2
    assert (errors.mean(axis=0) < 0.9 * rows.var(axis=0)).all()


def test_chunks_of_all_rows_learn_like_a_fit():
    model = model_of(noise="masking", sparsity="l2")
    for _ in range(40):
        model.partial_fit(X)
    assert model.t_ == 40 * len(X) and len(model.loss_curve_) == 40
    assert model.loss_curve_[-1] < 0.8 * model.loss_curve_[0]
    whole = model_of(noise="masking", sparsity="l2", max_iter=40).fit(X)
    assert model.score(X) == pytest.approx(whole.score(X), rel=0.15)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"solver": "lbfgs"}, "solver='lbfgs' is not stochastic"),
        ({"early_stopping": True}, "early_stopping=False"),
        ({"n_init": 2}, "n_init=2 with combine_inits='best'"),
    ],
)
def test_partial_fit_says_why_it_is_missing(params, message):
    model = model_of(**params)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as error:
        model.partial_fit(X)
    assert message in f"{error.value} {error.value.__cause__}"


@pytest.mark.parametrize(
    "params, message",
    [
        ({"n_components": 3}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (8,)}, "hidden_layer_sizes"),
        ({"tied_weights": True}, "tied_weights has changed"),
        ({"feature_scaling": None}, "feature_scaling=None differs"),
        ({"code_activation": "tanh"}, "activation has changed"),
        ({"sparsity": "l1"}, "tied_weights has changed"),
        ({"dtype": "float32"}, "dtype='float32' differs"),
    ],
)
def test_a_warm_start_refuses_another_network(params, message):
    model = model_of(warm_start=True).fit(X)
    with pytest.raises(ValueError, match=f"{message}.*warm_start=False"):
        model.set_params(**params).fit(X)


def test_a_warm_start_may_add_noise():
    model = model_of(warm_start=True).fit(X)
    first = model.score(X)
    model.set_params(noise="gaussian", noise_level=0.1, max_iter=60).fit(X)
    assert model.score(X) > first


# ---- watching -----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_best_epoch_on_other_rows_is_restored(weighted, solver):
    weight = np.random.default_rng(0).uniform(0.1, 5.0, size=58) if weighted else None
    model = model_of(max_iter=25, solver=solver).fit(
        X[:120], X_val=X[120:], sample_weight_val=weight
    )
    scores, losses = model.validation_scores_, model.validation_loss_curve_
    np.testing.assert_array_equal(scores, -np.array(losses))
    assert model.best_validation_score_ == max(scores) == scores[model.best_iteration_ - 1]
    errors = model.reconstruction_error(X[120:], per_feature=True).sum(axis=1)
    assert min(losses) == pytest.approx(0.5 * np.average(errors, weights=weight))


def test_a_scorer_gets_no_y():
    seen = []

    def scorer(estimator, rows, y):
        seen.append((rows.shape, y))
        return -estimator.reconstruction_error(rows).max()

    model = model_of(scoring=scorer).fit(X[:120], X_val=X[120:])
    assert seen == [((58, 6), None)] * len(model.loss_curve_)
    expected = -model.reconstruction_error(X[120:]).max()
    assert model.best_validation_score_ == pytest.approx(expected)


def test_the_split_is_left_out_of_training():
    model = model_of(early_stopping=True, validation_fraction=0.25, max_iter=3).fit(X)
    assert model.early_stopping_ and model.t_ == 3 * (178 - 45)
    assert model_of().fit(X).early_stopping_ is False


# ---- restarts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{}, {"noise": "gaussian"}, {"contractive_alpha": 0.1}])
def test_the_best_start_is_kept(params):
    best = model_of(n_init=3, **params).fit(X)
    average = model_of(n_init=3, combine_inits="average", **params).fit(X)
    winner = int(np.argmin(best.init_losses_))
    np.testing.assert_allclose(best.theta_, average.theta_[winner])
    assert best.loss_ == pytest.approx(min(best.init_losses_))
    np.testing.assert_allclose(average.estimators_[0].theta_, model_of(**params).fit(X).theta_)


def test_an_average_is_better_than_its_members():
    model = model_of(n_init=4, combine_inits="average", max_iter=30).fit(X[:120])
    assert model.score(X[120:]) > np.mean([m.score(X[120:]) for m in model.estimators_])


# ---- callbacks, checkpoints, Ctrl-C -------------------------------------------------------------


def test_callbacks_record_and_stop():
    model = model_of(callbacks=[Counter(), StopAfter(3)]).fit(X)
    assert model.history_["seen"] == [1, 2, 3] and "StopAfter" in model.stop_reason_


CHECKPOINTS = {
    **{kind: {"noise": kind} for kind in NOISES},
    "drawn projection": {"contractive_alpha": 0.1, "n_components": 17},
    "watched noise": {"noise": "masking", "early_stopping": True},
    "pca": {"init": "pca"},
    "average": {"noise": "gaussian", **AVERAGE},
    "kl": {"sparsity": "kl", "code_activation": "logistic", "dropout": 0.2},
}


@pytest.mark.parametrize("params", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_a_killed_fit_ends_as_if_never_killed(params, tmp_path):
    check_resumes(model_of(**{**params, "max_iter": 11}), tmp_path / "c.npz", X)


class Interrupt(Callback):
    """Ctrl-C after the third epoch."""

    def on_epoch_end(self, state):
        if state.epoch == 3:
            raise KeyboardInterrupt


INTERRUPTED = {
    "plain": {},
    "noise": {"noise": "masking", "early_stopping": True},
    "average": AVERAGE,
    "lbfgs": {"solver": "lbfgs"},
    "pca": {"init": "pca"},
}


@pytest.mark.parametrize("params", INTERRUPTED.values(), ids=INTERRUPTED)
def test_an_interruption_keeps_the_model(params):
    model = model_of(callbacks=[Interrupt()], max_iter=30, **params)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X)
    assert "interrupted by the user" in model.stop_reason_
    assert len(model.loss_curve_) == 3
    assert np.isfinite(model.score(X)) and model.transform(X).shape[0] == 178


# ---- copies -------------------------------------------------------------------------------------

COPIES = {
    "plain": {},
    "noise": {"noise": "salt_and_pepper"},
    "robust": {"feature_scaling": "robust"},
    "tied log_loss": {"loss": "log_loss", "feature_scaling": "minmax", "tied_weights": True},
    "average": AVERAGE,
    "warm": {"warm_start": True},
}


@pytest.mark.parametrize("params", COPIES.values(), ids=COPIES)
def test_copies_compute_the_same(params, tmp_path):
    model = model_of(**params).fit(X)
    joblib.dump(model, tmp_path / "model.joblib")
    for other in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ):
        np.testing.assert_array_equal(other.transform(X), model.transform(X))
        np.testing.assert_array_equal(other.reconstruct(X), model.reconstruct(X))
        if params != {"warm_start": True}:
            continue
        # It goes on as the original would, though a mapped theta is read-only.
        np.testing.assert_array_equal(other.fit(X).theta_, copy.deepcopy(model).fit(X).theta_)
    fresh = clone(model)
    assert not hasattr(fresh, "theta_")
    np.testing.assert_array_equal(fresh.fit(X).theta_, model.theta_)


def test_a_pickle_is_hardly_larger_than_the_parameters():
    wide = AutoencoderTransformer(8, (300,), max_iter=1, random_state=0).fit(np.tile(X, 10))
    assert len(pickle.dumps(wide)) < 1.1 * wide.theta_.nbytes + 10_000


def test_a_refit_and_a_chunk_after_loading_go_on():
    model = model_of(noise="salt_and_pepper").partial_fit(X[:90])
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        other.partial_fit(X[90:]).theta_, model.partial_fit(X[90:]).theta_
    )
