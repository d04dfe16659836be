"""The parameter `refit`."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from skmlp import AutoencoderTransformer, MLPClassifier, MLPRegressor
from skmlp._engine.state import TrainState
from skmlp.callbacks import Callback, Checkpoint
from skmlp.schedules import Adaptive, Constant, FlatCosine

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_friedman1(100, noise=3.0, random_state=0)
X_class, y_class = make_classification(
    100, 10, n_informative=5, n_classes=3, flip_y=0.3, random_state=0
)
DATA = {MLPRegressor: (X, y), MLPClassifier: (X_class, y_class)}
BOTH = pytest.mark.parametrize("cls", DATA, ids=["regressor", "classifier"])
SMALL = {"hidden_layer_sizes": (8,), "batch_size": 20, "learning_rate_init": 0.02, "max_iter": 60}
SMALL |= {"random_state": 0, "early_stopping": True, "validation_fraction": 0.2}


def fitted(cls, **params):
    return cls(**{**SMALL, "refit": True, **params}).fit(*DATA[cls])


def on_all_rows(model, **params):
    """What `refit` stands for, with the parameters that do it by hand."""
    own = {"refit": False, "early_stopping": False, "scoring": None, "tol": 0.0}
    by_hand = clone(model).set_params(**own, n_iter_no_change=np.inf, **params)
    return by_hand.set_params(max_iter=model.best_iteration_).fit(*DATA[type(model)])


@BOTH
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"solver": "sgd", "dropout": 0.2},
        {"weight_decay": 0.1, "input_scale_layer": True},
        {"weight_averaging": 0.9},
        {"scoring": "loss", "feature_scaling": "robust"},
        {"dtype": "float32", "batch_size": "auto"},
    ],
    ids=str,
)
def test_it_is_a_fit_on_all_rows_of_so_many_epochs(cls, params):
    model = fitted(cls, **params)
    # The batches of the rows that were not set aside.
    by_hand = on_all_rows(model, batch_size=80 if "dtype" in params else 20)
    np.testing.assert_array_equal(model.theta_, by_hand.theta_)
    np.testing.assert_array_equal(model.predict(DATA[cls][0]), by_hand.predict(DATA[cls][0]))
    assert model.stop_reason_.endswith(f"then trained on for {model.best_iteration_} epochs.")


@BOTH
def test_what_was_found_out_before_stays(cls):
    plain, model = (fitted(cls, refit=refit) for refit in (False, True))
    assert not np.array_equal(plain.theta_, model.theta_)
    for name in ("history_", "validation_scores_", "best_iteration_", "n_iter_", "loss_"):
        assert getattr(plain, name) == getattr(model, name), name
    np.testing.assert_array_equal(plain.init_losses_, model.init_losses_)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(DATA[cls][0]), model.predict(DATA[cls][0]))


class Halfway(Constant):
    """Half as fast after half of the steps."""

    needs_horizon = True

    def __call__(self, step, n_steps, n_samples_seen):
        SEEN.add(n_steps)
        return 1.0 if step < n_steps / 2 else 0.5


SEEN = set()


def test_a_schedule_keeps_its_horizon():
    SEEN.clear()
    model = fitted(MLPRegressor, learning_rate=Halfway())
    assert model.best_iteration_ < model.n_iter_ <= 60
    assert {60 * 4, 60 * 5} == SEEN  # steps an epoch of 80 and of 100 rows


@BOTH
def test_each_start_of_an_average_has_an_epoch_of_its_own(cls):
    several = {"n_init": 3, "combine_inits": "average"}
    model = fitted(cls, **several, learning_rate_init=0.05)
    assert len(set(model.best_iteration_)) > 1
    for i, (member, epochs) in enumerate(
        zip(model.estimators_, model.best_iteration_, strict=True)
    ):
        same = on_all_rows(member, learning_rate_init=0.05, **several)
        np.testing.assert_allclose(member.theta_, same.theta_[i], rtol=1e-7, atol=1e-9)
        assert f"{epochs}" in model.stop_reason_


@BOTH
def test_of_the_best_start_only_the_winner_is_trained_again(cls, monkeypatch):
    members = []
    init = TrainState.__post_init__

    def spy(self):
        members.append(len(self.theta))
        init(self)

    monkeypatch.setattr(TrainState, "__post_init__", spy)
    model = fitted(cls, n_init=3)
    assert members == [3, 3, 1]
    losses = model.init_losses_
    monkeypatch.undo()
    average = fitted(cls, n_init=3, combine_inits="average")
    distance = [np.abs(m.theta_ - model.theta_).max() for m in average.estimators_]
    assert min(distance) < 1e-7 and len(losses) == 3


def test_the_temperature_stays():
    plain, model = (fitted(MLPClassifier, temperature_scaling=True, refit=r) for r in (False, True))
    assert model.temperature_ == plain.temperature_ != 1.0
    untempered = fitted(MLPClassifier)
    ratio = untempered.decision_function(X_class) / model.decision_function(X_class)
    np.testing.assert_allclose(ratio, model.temperature_, rtol=1e-6)


def test_all_rows_tell_scalings_levels_and_ranges():
    frame = pd.DataFrame(X).add_prefix("x").assign(level=[f"l{i // 2}" for i in range(100)])
    model = MLPRegressor(**SMALL, refit=True, max_one_hot=2).fit(frame, y)
    assert len(model.categories_[0]) == 50
    np.testing.assert_array_equal(model.target_range_, [[y.min()], [y.max()]])
    assert np.isfinite(model.predict(frame)).all()
    weight = np.arange(100) % 3
    weighted = MLPRegressor(**SMALL, refit=True).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(weighted.target_range_[:, 0], [y[weight > 0].min(), y.max()])


@pytest.mark.parametrize("frozen", [False, True])
def test_an_encoder(frozen):
    encoder = AutoencoderTransformer(3, (5,), max_iter=3, random_state=0)
    fitted_encoder = clone(encoder).fit(X)
    given = FrozenEstimator(fitted_encoder) if frozen else clone(encoder)
    model = fitted(MLPRegressor, encoder=given)
    np.testing.assert_array_equal(model.encoder_.theta_, fitted_encoder.theta_)
    assert "trained on" in model.stop_reason_


@BOTH
def test_a_part_is_watched_by_itself(cls):
    model, plain = (fitted(cls, early_stopping="auto", refit=refit) for refit in (True, False))
    np.testing.assert_array_equal(model.theta_, fitted(cls).theta_)
    assert model.early_stopping_ and not plain.early_stopping_


def test_with_the_recipe():
    many = make_friedman1(500, random_state=0)
    small = {"hidden_layer_sizes": (8,), "random_state": 0}
    plain, model = (MLPRegressor(**small, refit=refit).fit(*many) for refit in (False, True))
    assert model.settings_ == plain.settings_ and model.settings_["learning_rate"] == "cosine"
    assert model.best_iteration_ == plain.best_iteration_
    assert not np.array_equal(model.theta_, plain.theta_)


REFUSED = {
    "no part is watched": ({"early_stopping": False}, "part of X that is watched.*='auto'"),
    "lbfgs": ({"solver": "lbfgs"}, "refit=True .*solver='lbfgs'.*'adam'"),
    "warm start": ({"warm_start": True}, "warm_start=True.*Set warm_start=False"),
    "adaptive": ({"learning_rate": "adaptive"}, "learning_rate='adaptive'"),
    "as an object": ({"learning_rate": Adaptive()}, "Use another schedule"),
}


@BOTH
@pytest.mark.parametrize("case", REFUSED)
def test_where_it_cannot_act(cls, case):
    params, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        fitted(cls, **params)


@BOTH
def test_rows_of_ones_own_are_not_trained_on(cls):
    features, target = DATA[cls]
    with pytest.raises(ValueError, match="Give no X_val"):
        cls(**SMALL, refit=True).fit(features, target, X_val=features, y_val=target)


@BOTH
def test_partial_fit_refuses_it(cls):
    model = fitted(cls, early_stopping=True)
    model.set_params(early_stopping=False)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(ValueError, match="set refit=False"):
        model.partial_fit(*DATA[cls])
    model.set_params(refit=False).partial_fit(*DATA[cls])


# Callbacks, Ctrl-C and divergence


class Count(Callback):
    begun = 0

    def on_train_begin(self, state):
        Count.begun += 1


class Stop(Callback):
    def on_epoch_end(self, state):
        return state.epoch == 3


def test_callbacks_see_the_first_training(tmp_path):
    Count.begun = 0
    model = fitted(MLPRegressor, callbacks=[Count(), Checkpoint(tmp_path / "c.npz", 2)])
    assert Count.begun == 1
    again = fitted(MLPRegressor, callbacks=[Checkpoint(tmp_path / "c.npz", 2)])
    np.testing.assert_array_equal(again.theta_, model.theta_)


def test_nothing_follows_what_a_callback_has_ended():
    stopped, plain = (fitted(MLPRegressor, callbacks=[Stop()], refit=r) for r in (True, False))
    np.testing.assert_array_equal(stopped.theta_, plain.theta_)
    assert "all rows" not in stopped.stop_reason_.lower()


def in_the_second(monkeypatch, event):
    """Let something happen to the parameters after the second epoch of the second training."""
    from skmlp._engine import training

    judge = training.judge

    def judged(state, plan, watch, before):
        if plan.epochs is not None and state.epoch == 2:
            event(state)
        judge(state, plan, watch, before)

    monkeypatch.setattr(training, "judge", judged)


@BOTH
def test_ctrl_c_in_the_second_keeps_the_first(cls, monkeypatch):
    def press(state):
        raise KeyboardInterrupt

    in_the_second(monkeypatch, press)
    with pytest.warns(UserWarning, match="all rows is given up: .*user.*training before"):
        model = fitted(cls)
    plain = fitted(cls, refit=False)
    np.testing.assert_array_equal(model.predict(DATA[cls][0]), plain.predict(DATA[cls][0]))
    assert "given up" in model.stop_reason_


def test_divergence_in_the_second_keeps_the_first(monkeypatch):
    def explode(state):
        state.theta[:] = np.nan

    in_the_second(monkeypatch, explode)
    with pytest.warns(ConvergenceWarning, match="given up: .*non-finite in epoch 2"):
        model = fitted(MLPRegressor, learning_rate=FlatCosine())
    plain = fitted(MLPRegressor, learning_rate=FlatCosine(), refit=False)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
    assert model.target_range_.tolist() == plain.target_range_.tolist()
