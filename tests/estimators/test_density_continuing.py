"""Warm starts, partial_fit, encoders, callbacks, and models that come back from a file."""

import copy
import pickle
import re

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skmlp import AutoencoderTransformer, DensityRegressor
from skmlp.callbacks import Callback, Checkpoint, TimeLimit
from skmlp.families import FAMILIES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
COUNTS = RNG.poisson(np.exp(1.0 + 0.5 * X[:, 0])) + 1.0
PAIRS = np.c_[COUNTS, 10.0 * X[:, 1] + RNG.normal(size=120)]
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 6, "random_state": 0, "batch_size": 40}
STILL = {**SMALL, "learning_rate_init": 1e-300, "batch_size": "auto"}
EVERY = pytest.mark.parametrize("name", FAMILIES)
COVARIANCES = ["full", "diag", "spherical", "tied"]
# Settings, and the targets that go with them.
VARIANTS = [
    *(({"distribution": name}, COUNTS) for name in FAMILIES),
    *(({"covariance_type": kind}, PAIRS) for kind in COVARIANCES),
    ({"loss": "crps"}, COUNTS),
    ({"distribution": "histogram", "binning": "uniform"}, COUNTS),
    ({"n_init": 2, "combine_inits": "average"}, COUNTS),
    ({"n_init": 2, "combine_inits": "average"}, PAIRS),
    ({"feature_scaling": "robust"}, COUNTS),
    ({"parametrization": "ntk", "input_scale_layer": True}, COUNTS),
]
VARIOUS = pytest.mark.parametrize("params, y", VARIANTS, ids=[str(v[0]) for v in VARIANTS])


def assert_same(first, second, y=COUNTS):
    np.testing.assert_array_equal(first.theta_, second.theta_)
    np.testing.assert_array_equal(first.log_prob(X, y), second.log_prob(X, y))


# ---- going on ------------------------------------------------------------------------------------


@VARIOUS
def test_moving_statistics_change_no_density(params, y):
    model = DensityRegressor(**{**STILL, **params}).partial_fit(X[:50], y[:50])
    before, mean = model.log_prob(X, y), model.predict(X)
    for factor in (3.0, 10.0):
        model.partial_fit(X[50:] * factor + 5.0, y[50:] * factor)
        np.testing.assert_allclose(model.log_prob(X, y), before, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.predict(X), mean, rtol=1e-6, atol=1e-6)


@VARIOUS
def test_neither_does_a_warm_start(params, y):
    settings = {**STILL, **params, "max_iter": 1, "warm_start": True}
    model = DensityRegressor(**settings).fit(X[:50], y[:50])
    before = model.log_prob(X, y)
    model.fit(X[50:] * 3.0 + 5.0, y[50:] * 3.0)
    np.testing.assert_allclose(model.log_prob(X, y), before, rtol=1e-6, atol=1e-6)


@EVERY
def test_chunks_teach_a_distribution(name):
    model = DensityRegressor(name, **{**SMALL, "learning_rate_init": 0.03})
    scores = []
    for _ in range(6):
        for start in range(0, 120, 40):
            part = slice(start, start + 40)
            assert model.partial_fit(X[part], COUNTS[part]) is model
        scores.append(model.score(X, COUNTS))
    assert scores[-1] > scores[0] and model.t_ == 6 * 120


def test_chunks_of_pairs():
    model = DensityRegressor(**{**SMALL, "learning_rate_init": 0.03})
    scores = []
    for _ in range(8):
        for start in range(0, 120, 40):
            model.partial_fit(X[start : start + 40], PAIRS[start : start + 40])
        scores.append(model.score(X, PAIRS))
    assert scores[-1] > scores[0] + 0.3


@EVERY
def test_partial_fit_is_an_epoch(name):
    params = {**SMALL, "max_iter": 3, "shuffle": False, "tol": 0.0}
    model = DensityRegressor(name, **params)
    for _ in range(3):
        model.partial_fit(X, COUNTS)
    fitted = DensityRegressor(name, **params).fit(X, COUNTS)
    np.testing.assert_allclose(model.predict(X), fitted.predict(X), rtol=1e-7)
    np.testing.assert_allclose(model.loss_curve_, fitted.loss_curve_, rtol=1e-7)


@VARIOUS
def test_a_warm_start_goes_on_learning(params, y):
    settings = {**SMALL, **params, "warm_start": True, "learning_rate_init": 0.01}
    model = DensityRegressor(**settings).fit(X, y)
    first = model.loss_curve_[0]
    model.fit(X, y)
    assert len(model.loss_curve_) == 12 and model.loss_ < first


CHANGES = [
    ({}, COUNTS, {"distribution": "laplace"}, "distribution='laplace'"),
    ({}, COUNTS, {"distribution": "gamma"}, "distribution='gamma'"),
    ({"distribution": "gamma"}, COUNTS, {"distribution": "lognormal"}, "distribution='lognormal'"),
    ({"distribution": "histogram"}, COUNTS, {"n_bins": 5}, "distribution='histogram' .or one"),
    ({"distribution": "histogram"}, COUNTS, {"binning": "uniform"}, "distribution='histogram'"),
    ({"distribution": "normal_mixture"}, COUNTS, {"n_mixture_components": 2}, "normal_mixture"),
    ({}, PAIRS, {"covariance_type": "diag"}, "distribution='normal' .or one of its settings"),
    ({}, PAIRS, {"covariance_type": "tied"}, "distribution='normal' .or one of its settings"),
    ({}, COUNTS, {"hidden_layer_sizes": (7,)}, "hidden_layer_sizes"),
    ({}, COUNTS, {"n_init": 2, "combine_inits": "average"}, "combine_inits='average'"),
]


@pytest.mark.parametrize("warm", [False, True], ids=["partial_fit", "warm_start"])
@pytest.mark.parametrize("params, y, changed, words", CHANGES)
def test_another_kind_of_density_cannot_go_on(params, y, changed, words, warm):
    model = DensityRegressor(**{**SMALL, **params, "warm_start": warm}).fit(X, y)
    before = model.log_prob(X, y)
    model.set_params(**changed)
    with pytest.raises(ValueError, match=words):
        model.fit(X, y) if warm else model.partial_fit(X, y)
    np.testing.assert_array_equal(model.log_prob(X, y), before)
    model.set_params(warm_start=False).fit(X, y)


def test_another_number_of_targets_cannot_go_on():
    model = DensityRegressor(**SMALL).fit(X, COUNTS)
    with pytest.raises(ValueError, match="one output in the first call"):
        model.partial_fit(X, PAIRS)
    model = DensityRegressor(**SMALL).fit(X, PAIRS)
    with pytest.raises(ValueError, match="several outputs in the first call"):
        model.partial_fit(X, COUNTS)
    with pytest.raises(ValueError):
        model.partial_fit(X, np.c_[PAIRS, COUNTS])


@pytest.mark.parametrize("name", ["normal", "laplace", "histogram", "normal_mixture", "poisson"])
def test_another_score_may_go_on(name):
    params = {**SMALL, "warm_start": True, "learning_rate_init": 0.01, "max_iter": 30}
    model = DensityRegressor(name, **params).fit(X, COUNTS)
    crps = model.predict_dist(X).crps(COUNTS).mean()
    model.set_params(loss="crps").fit(X, COUNTS)
    assert model.predict_dist(X).crps(COUNTS).mean() < crps
    model.set_params(loss="nll", warm_start=False)
    assert np.isfinite(model.partial_fit(X, COUNTS).loss_)


def test_beta_may_change():
    model = DensityRegressor(loss="beta_nll", beta=1.0, warm_start=True, **SMALL).fit(X, COUNTS)
    model.set_params(beta=0.2).fit(X, COUNTS)
    model.set_params(loss="nll", beta=0.5).fit(X, COUNTS)
    assert len(model.loss_curve_) == 18


@pytest.mark.parametrize("params, words", [
    ({"early_stopping": True}, "does not support early_stopping=True"),
    ({"solver": "lbfgs"}, "only available for stochastic"),
    ({"n_init": 2}, "combine_inits='best'"),
])  # fmt: skip
def test_partial_fit_is_not_there_for_all(params, words):
    model = DensityRegressor(**params)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match=words):
        model.partial_fit(X, COUNTS)


def test_schedules_that_end_have_no_partial_fit():
    with pytest.raises(ValueError, match="learning_rate='cosine'"):
        DensityRegressor(learning_rate="cosine").partial_fit(X, COUNTS)


# ---- solvers and encoders ------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop", "lbfgs"])
@EVERY
def test_every_solver_learns(name, solver):
    params = {**SMALL, "solver": solver, "max_iter": 30, "learning_rate_init": 0.003}
    model = DensityRegressor(name, **params).fit(X, COUNTS)
    start = clone(model).set_params(solver="adam", learning_rate_init=1e-300, max_iter=1)
    assert model.score(X, COUNTS) > start.fit(X, COUNTS).score(X, COUNTS)


def test_lbfgs_finds_the_best_constant():
    model = DensityRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0.0, tol=1e-8)
    model.fit(np.zeros((120, 1)), COUNTS)
    mean, sd = model.predict(np.zeros((1, 1)), return_std=True)
    assert mean[0] == pytest.approx(COUNTS.mean(), rel=1e-5)
    assert sd[0] == pytest.approx(COUNTS.std(), rel=1e-4)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("params, y", [VARIANTS[0], VARIANTS[2], VARIANTS[9], VARIANTS[15]])
def test_an_encoder_stands_before_the_network(params, y, frozen):
    coder = AutoencoderTransformer(2, (5,), max_iter=4, random_state=0)
    encoder = FrozenEstimator(coder.fit(X)) if frozen else coder
    model = DensityRegressor(encoder=encoder, **{**SMALL, **params}).fit(X, y)
    assert model.encoder_.n_components == 2 and np.isfinite(model.score(X, y))
    assert model.predict_dist(X).mean().shape == y.shape
    if frozen:
        model.partial_fit(X, y)
    fixed = clone(model).set_params(encoder_learning_rate=0.0).fit(X, y)
    codes = clone(fixed).set_params(hidden_layer_sizes=()).fit(X, y).transform(X)
    expected = fixed.encoder_.transform(X)
    np.testing.assert_allclose(codes[:, :2], expected, rtol=1e-6, atol=1e-9)


def test_the_last_hidden_layer_is_a_feature():
    model = DensityRegressor(**SMALL).fit(X, COUNTS)
    assert model.transform(X).shape == (120, 6)
    assert list(model.get_feature_names_out())[0] == "densityregressor0"


# ---- callbacks -----------------------------------------------------------------------------------


class Killed(Exception):
    """Stands for the end of the process."""


class Kill(Callback):
    """Ends the fit with an error after so many epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, state):
        if state.epoch == self.epochs:
            raise Killed


@pytest.mark.parametrize("watched", [False, True])
@VARIOUS
def test_a_killed_fit_ends_as_if_never_killed(params, y, watched, tmp_path):
    settings = {**SMALL, **params, "early_stopping": watched}
    expected = DensityRegressor(**settings).fit(X, y)
    save = Checkpoint(tmp_path / "c.npz", every=2)
    with pytest.raises(Killed):
        DensityRegressor(callbacks=[save, Kill(3)], **settings).fit(X, y)
    model = DensityRegressor(callbacks=[save], **settings).fit(X, y)
    assert_same(model, expected, y)
    assert model.loss_curve_ == expected.loss_curve_


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    save = Checkpoint(tmp_path / "c.npz", every=2)
    with pytest.raises(Killed):
        DensityRegressor(callbacks=[save, Kill(3)], **SMALL).fit(X, COUNTS)
    with pytest.raises(ValueError, match="loss|distribution"):
        DensityRegressor(loss="crps", callbacks=[save], **SMALL).fit(X, COUNTS)


def test_a_killed_calibrated_fit(tmp_path):
    settings = {**SMALL, "calibration_fraction": 0.4, "early_stopping": True}
    expected = DensityRegressor(**settings).fit(X, COUNTS)
    save = Checkpoint(tmp_path / "c.npz", every=2)
    with pytest.raises(Killed):
        DensityRegressor(callbacks=[save, Kill(3)], **settings).fit(X, COUNTS)
    model = DensityRegressor(callbacks=[save], **settings).fit(X, COUNTS)
    assert model.calibration_ == expected.calibration_
    assert_same(model, expected)


def test_a_time_limit_ends_the_training():
    params = {**SMALL, "max_iter": 10**6, "tol": 0.0, "n_iter_no_change": np.inf}
    model = DensityRegressor(callbacks=[TimeLimit(0.02)], **params).fit(X, COUNTS)
    assert model.n_iter_ < 10**6 and "TimeLimit" in model.stop_reason_


class Interrupt(Callback):
    """Ctrl-C after so many epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, state):
        if state.epoch == self.epochs:
            raise KeyboardInterrupt


@pytest.mark.parametrize("fraction", [0.0, 0.4])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_ctrl_c_keeps_the_model(solver, fraction):
    params = {**SMALL, "solver": solver, "calibration_fraction": fraction, "max_iter": 50}
    model = DensityRegressor(callbacks=[Interrupt(2)], **params)
    with pytest.warns(UserWarning, match="interrupted by the user"):
        model.fit(X, COUNTS)
    assert model.n_iter_ == 2 and np.isfinite(model.score(X, COUNTS))
    assert hasattr(model, "calibration_") == (fraction > 0)


# ---- storage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("calibrated", [False, True])
@VARIOUS
def test_models_come_back_as_they_were(params, y, calibrated, tmp_path):
    model = DensityRegressor(**{**SMALL, **params}).fit(X, y)
    if calibrated:
        model.calibrate(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    for other in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ):
        assert_same(other, model, y)
        assert other.get_params().keys() == model.get_params().keys()
        assert getattr(other, "calibration_", None) == getattr(model, "calibration_", None)
    assert not hasattr(clone(model), "theta_")
    # What is read from a memory map cannot be written to.
    other.partial_fit(X, y)


def test_distributions_come_back_as_they_were():
    dist = DensityRegressor(**SMALL).fit(X, COUNTS).calibrate(X, COUNTS).predict_dist(X)
    other = pickle.loads(pickle.dumps(dist))
    np.testing.assert_array_equal(other.logpdf(COUNTS), dist.logpdf(COUNTS))


def test_a_pickle_of_another_version_warns_with_both():
    model = DensityRegressor(**SMALL).fit(X, COUNTS)
    state = model.__getstate__()
    assert re.match(r"\d+\.\d+", state["_skmlp_version"])
    other = DensityRegressor.__new__(DensityRegressor)
    with pytest.warns(UserWarning, match=rf"0\.0\.0.*{re.escape(state['_skmlp_version'])}"):
        other.__setstate__({**state, "_skmlp_version": "0.0.0"})
    assert_same(other, model)


def test_a_pickle_is_not_much_larger_than_its_parameters():
    for name in FAMILIES:
        params = {**SMALL, "hidden_layer_sizes": (300, 300), "max_iter": 1}
        model = DensityRegressor(name, **params).fit(X, COUNTS)
        assert len(pickle.dumps(model)) < 1.1 * model.theta_.nbytes + 10_000, name


def test_fit_changes_no_parameter_and_no_global_state():
    model = DensityRegressor(callbacks=[TimeLimit(60)], **SMALL)
    before, state = dict(model.get_params()), np.random.get_state()  # noqa: NPY002
    model.fit(X, COUNTS).sample_y(X, random_state=0)
    assert model.get_params() == before
    np.testing.assert_array_equal(np.random.get_state()[1], state[1])  # noqa: NPY002
