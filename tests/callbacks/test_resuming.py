"""A killed fit ends as if it had never been killed."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import ShuffleSplit

from skmlp import MLPClassifier, MLPRegressor
from skmlp.callbacks import Callback, Checkpoint

from .shared import (
    MEMBERS,
    SMALL,
    Kill,
    Killed,
    Record,
    X,
    X_class,
    assert_same,
    attributes,
    check_resumes,
    finished,
    weight,
    y,
    y_class,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# --- checkpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("members", MEMBERS, ids=["one", "best", "average"])
@pytest.mark.parametrize("watch", [None, "early_stopping", "X_val", "X_val without stopping"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_a_killed_fit_ends_as_if_never_killed(solver, dropout, watch, members, weighted, tmp_path):
    settings = {**SMALL, **members, "solver": solver, "dropout": dropout, "max_iter": 11}
    options = {"sample_weight": weight} if weighted else {}
    data = X, y
    if watch == "early_stopping":
        settings["early_stopping"] = True
    elif watch is not None:
        data, options = (X[:70], y[:70]), {"X_val": X[70:], "y_val": y[70:]}
        if weighted:
            options |= {"sample_weight": weight[:70], "sample_weight_val": weight[70:]}
        settings["early_stopping"] = "auto" if watch == "X_val" else False
    check_resumes(MLPRegressor(**settings), tmp_path / "c.npz", *data, **options)


@pytest.mark.parametrize("members", MEMBERS, ids=["one", "best", "average"])
@pytest.mark.parametrize("loss", ["log_loss", "crammer_singer"])
def test_a_killed_classifier_ends_as_if_never_killed(loss, members, tmp_path):
    settings = {**SMALL, **members, "loss": loss, "early_stopping": True, "max_iter": 11}
    settings |= {"class_weight": "balanced", "dropout": 0.2}
    names = np.array(["a", "b", "c"])[y_class]
    model = check_resumes(MLPClassifier(**settings), tmp_path / "c.npz", X_class, names)
    assert set(model.predict(X_class)) == {"a", "b", "c"}


@pytest.mark.parametrize("learning_rate", ["adaptive", "invscaling", "one_cycle", "cosine"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_resumed_fit_goes_on_in_its_schedule(solver, learning_rate, tmp_path):
    settings = {**SMALL, "solver": solver, "learning_rate": learning_rate, "max_iter": 11}
    if learning_rate == "adaptive":
        settings |= {"tol": 1e9, "n_iter_no_change": 2}
    model = check_resumes(MLPRegressor(n_init=2, **settings), tmp_path / "c.npz", X, y)
    if learning_rate == "adaptive":
        assert (
            model.learning_rate_curve_[0]
            > model.learning_rate_curve_[5]
            > model.history_["learning_rate"][-1]
        )


def test_a_member_that_has_stopped_stays_stopped(tmp_path):
    """One of the restarts ends before the kill, the others after it."""
    running = []

    class Watch(Callback):
        def on_epoch_end(self, state):
            running.append(state.running.copy())

        def __deepcopy__(self, memo):
            return self

    settings = {**SMALL, "learning_rate_init": 0.3, "n_iter_no_change": 2, "tol": 1e-4}
    settings |= {"n_init": 4, "combine_inits": "average", "early_stopping": True}
    model = MLPRegressor(max_iter=30, **settings)
    clone(model).set_params(callbacks=[Watch()]).fit(X, y)
    lasting = np.sum(running, axis=0)  # epochs after which a member still ran
    saved = int(np.sort(lasting)[1]) + 1
    assert lasting.min() < saved <= lasting.max(), "choose other settings"
    check_resumes(model, tmp_path / "c.npz", X, y, kills=(saved,), every=1)


@pytest.mark.parametrize("kind", ["CSR", "float32", "float32 computed", "memmap", "integers"])
def test_all_kinds_of_data_can_be_resumed(kind, tmp_path):
    data = {
        "CSR": csr_array(np.where(np.abs(X) > 1, X, 0.0)),
        "float32": X.astype(np.float32),
        "float32 computed": X,
        "integers": np.rint(3 * X).astype(int),
    }.get(kind)
    if kind == "memmap":
        np.save(tmp_path / "X.npy", X)
        data = np.load(tmp_path / "X.npy", mmap_mode="r")
    settings = {**SMALL, "early_stopping": True, "max_iter": 11, "n_init": 2}
    settings["dtype"] = "float32" if kind == "float32 computed" else "auto"
    model = check_resumes(MLPRegressor(**settings), tmp_path / "c.npz", data, y)
    assert model.theta_.dtype == (np.float32 if "float32" in kind else np.float64)


@pytest.mark.parametrize(
    "params",
    [
        {"shuffle": False},
        {"max_grad_norm": 0.1, "weight_decay": 0.01},
        {"weight_tol": 0.03},
        {"weight_averaging": 0.9},
        {"weight_averaging": 0.9, "early_stopping": True, "n_init": 2},
        {"dropout": 0.3, "dropout_schedule": "flat_cosine"},
        {"weight_decay": 0.1, "weight_decay_schedule": "cosine"},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (6, 5), "dropout": [0.1, 0.4], "activation": ["tanh", "relu"]},
        {"validation_fraction": ShuffleSplit(1, random_state=3), "early_stopping": True},
        {"scoring": "neg_median_absolute_error", "early_stopping": True},
        {"n_iter_no_change": np.inf},
        {"random_state": None, "shuffle": True},
        {"solver": "sgd", "momentum": 0.0},
    ],
    ids=lambda params: " ".join(params),
)
def test_all_settings_can_be_resumed(params, tmp_path):
    settings = {**SMALL, "max_iter": 11, **params}
    if settings["random_state"] is None:
        # The generators come from the file: two resumed runs agree though their seeds differ.
        path = tmp_path / "c.npz"
        with pytest.raises(Killed):
            MLPRegressor(callbacks=[Checkpoint(path, 3), Kill(7)], **settings).fit(X, y)
        content = path.read_bytes()
        first = MLPRegressor(callbacks=[Checkpoint(path)], **settings).fit(X, y)
        path.write_bytes(content)
        second = MLPRegressor(callbacks=[Checkpoint(path)], **settings).fit(X, y)
        assert_same(attributes(first), attributes(second))
    else:
        check_resumes(MLPRegressor(**settings), tmp_path / "c.npz", X, y)


def test_without_a_seed_a_part_of_the_rows_cannot_be_watched(tmp_path):
    """Each run would draw another one."""
    settings = {**SMALL, "random_state": None, "early_stopping": True, "max_iter": 5}
    with pytest.raises(ValueError, match="random_state=None .* Set random_state to an integer"):
        finished(tmp_path / "c.npz", **settings)
    callbacks = [Checkpoint(tmp_path / "c.npz")]
    model = MLPRegressor(callbacks=callbacks, random_state=None, max_iter=5, batch_size=30)
    given = {"X_val": X[70:], "y_val": y[70:]}
    first = attributes(model.fit(X[:70], y[:70], **given))
    assert_same(first, attributes(model.fit(X[:70], y[:70], **given)))


def test_a_fit_may_be_killed_again_and_again(tmp_path):
    settings = {**SMALL, "dropout": 0.3, "early_stopping": True, "n_init": 2, "max_iter": 15}
    check_resumes(
        MLPRegressor(**settings), tmp_path / "c.npz", X, y, kills=(1, 4, 7, 7, 11), every=2
    )


def test_records_are_saved(tmp_path):
    path = tmp_path / "c.npz"
    norm = Record("the norm/m", lambda state: np.linalg.norm(state.theta, axis=1), first=2)
    settings = {**SMALL, "n_init": 2, "max_iter": 11}
    with pytest.raises(Killed):
        MLPRegressor(callbacks=[norm, Checkpoint(path, 3), Kill(7)], **settings).fit(X, y)
    resumed = MLPRegressor(callbacks=[norm, Checkpoint(path, 3)], **settings).fit(X, y)
    whole = MLPRegressor(callbacks=[norm], **settings).fit(X, y)
    assert_same(whole.history_, resumed.history_)
    assert np.isfinite(whole.history_["the norm/m"][1:]).all()


def test_a_seed_may_be_a_random_state(tmp_path):
    path = tmp_path / "c.npz"
    settings = {**SMALL, "max_iter": 11, "early_stopping": True}
    with pytest.raises(Killed):
        MLPRegressor(callbacks=[Checkpoint(path, 3), Kill(7)], **settings).fit(X, y)
    settings["random_state"] = np.random.RandomState(0)
    resumed = MLPRegressor(callbacks=[Checkpoint(path, 3)], **settings).fit(X, y)
    settings["random_state"] = 0
    assert_same(attributes(MLPRegressor(**settings).fit(X, y)), attributes(resumed))
