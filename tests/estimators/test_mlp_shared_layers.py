"""The parameter `n_shared_layers`."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import make_classification, make_friedman1
from sklearn.frozen import FrozenEstimator

from skmlp import AutoencoderTransformer, DensityRegressor, MLPClassifier, MLPRegressor
from skmlp._engine.shared import share
from skmlp._engine.state import TrainState
from skmlp.callbacks import Callback, Checkpoint
from skmlp.optimizers import LBFGS
from skmlp.schedules import Adaptive

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_friedman1(100, noise=3.0, random_state=0)
X_class, y_class = make_classification(
    100, 10, n_informative=5, n_classes=3, flip_y=0.3, random_state=0
)
DATA = {MLPRegressor: (X, y), MLPClassifier: (X_class, y_class)}
BOTH = pytest.mark.parametrize("cls", DATA, ids=["regressor", "classifier"])
SMALL = {"hidden_layer_sizes": (8, 7), "batch_size": 20, "learning_rate_init": 0.02, "max_iter": 12}
SMALL |= {"random_state": 0, "n_init": 3, "combine_inits": "average", "n_shared_layers": 1}
WATCHED = {"early_stopping": True, "validation_fraction": 0.2, "max_iter": 60}


def fitted(cls, **params):
    return cls(**{**SMALL, **params}).fit(*DATA[cls])


def shared_entries(model, n_layers=1):
    """Mask of the parameters of the first layers and of what stands before them."""
    mask = np.zeros((1, np.atleast_2d(model.theta_).shape[1]), bool)
    for block in share(model._network_of(model._model), n_layers).layers[0].blocks:
        block.view(mask)[...] = True
    return mask[0]


def check_that_they_share(model, n_layers=1):
    """Equal rows in what is shared, different ones elsewhere."""
    mine, theta = shared_entries(model, n_layers), model.theta_
    assert len(theta) == model.n_init
    for row in theta[1:]:
        np.testing.assert_array_equal(row[mine], theta[0, mine])
        assert np.all(row[~mine] != theta[0, ~mine])


def predictions(model, features):
    return getattr(model, "predict_proba", model.predict)(features)


@BOTH
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"solver": "sgd", "dropout": 0.2, "max_grad_norm": 0.5},
        {"solver": "rmsprop", "weight_decay": 0.1, "parametrization": "ntk"},
        {"input_scale_layer": True, "weight_averaging": 0.9},
        {"numeric_embedding_size": 2},
        {"numeric_embedding_size": 2, "numeric_embedding": "piecewise"},
        {"activation": "prelu", "dtype": "float32", "dropout": [0.3, 0.0]},
        {"n_shared_layers": 2, "learning_rate": "cosine", "dropout": 0.2},
    ],
    ids=str,
)
def test_the_starts_have_their_first_layers_in_common(cls, params):
    model = fitted(cls, **params)
    features = DATA[cls][0]
    members = model.estimators_
    np.testing.assert_allclose(
        predictions(model, features),
        np.mean([predictions(one, features) for one in members], axis=0),
        rtol=1e-5,
        atol=1e-6,
    )
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    early, mine = fitted(cls, **params, max_iter=1), shared_entries(model)
    assert np.all(early.theta_[0, mine] != model.theta_[0, mine])
    check_that_they_share(model, params.get("n_shared_layers", 1))


@BOTH
@pytest.mark.parametrize(
    "params",
    [
        {},
        WATCHED,
        {"solver": "lbfgs"},
        {"solver": LBFGS()},
        {"learning_rate": "adaptive", "solver": "sgd"},
        {"dropout": 0.3, "max_grad_norm": 0.1},
        {**WATCHED, "refit": True, "combine_inits": "best"},
    ],
    ids=str,
)
def test_a_single_start_shares_nothing(cls, params):
    plain, same = (fitted(cls, **params, n_init=1, n_shared_layers=n) for n in (0, 2))
    np.testing.assert_array_equal(same.theta_, plain.theta_)
    assert same.history_ == plain.history_


def test_a_single_start_may_go_on():
    plain, same = (fitted(MLPRegressor, n_init=1, n_shared_layers=n) for n in (0, 1))
    for model in (plain, same):
        model.set_params(warm_start=True).fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(same.theta_, plain.theta_)


@BOTH
def test_without_it_starts_share_nothing(cls):
    model = fitted(cls, n_shared_layers=0)
    assert len(np.unique(model.theta_, axis=0)) == 3
    mine = shared_entries(model)
    assert np.all(model.theta_[0, mine] != model.theta_[1, mine])


@BOTH
def test_each_start_goes_back_to_its_own_best_epoch(cls):
    model = fitted(cls, **WATCHED, n_init=4)
    epochs, mine = model.best_iteration_, shared_entries(model)
    assert len(set(epochs)) > 1
    for i in range(4):
        for j in range(i):
            same = np.array_equal(model.theta_[i, mine], model.theta_[j, mine])
            assert same == (epochs[i] == epochs[j])
    features = DATA[cls][0]
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(predictions(loaded, features), predictions(model, features))
    again = clone(model).fit(*DATA[cls])
    np.testing.assert_array_equal(again.theta_, model.theta_)


@BOTH
@pytest.mark.parametrize("params", [{}, WATCHED], ids=["last", "best epoch"])
def test_the_best_is_one_of_them(cls, params):
    average = fitted(cls, **params)
    best = fitted(cls, **params, combine_inits="best")
    assert best.theta_.ndim == 1 and len(best.coefs_) == 3
    np.testing.assert_array_equal(best.init_losses_, average.init_losses_)
    rows = [np.array_equal(best.theta_, row) for row in average.theta_]
    assert sum(rows) == 1
    if cls is MLPRegressor and not params:
        assert rows.index(True) == np.argmin(average.init_losses_)


@BOTH
def test_a_start_alone_can_be_trained_further(cls):
    model = fitted(cls, **WATCHED)
    member = model.estimators_[1]
    before = member.theta_.copy()
    member.set_params(early_stopping=False).partial_fit(*DATA[cls])
    assert not np.array_equal(member.theta_, before)


def test_the_recipe_stays_on():
    many = make_friedman1(500, random_state=0)
    model = MLPRegressor(
        hidden_layer_sizes=(8, 7), n_init=2, combine_inits="average", n_shared_layers=1,
        random_state=0,
    ).fit(*many)  # fmt: skip
    assert model.settings_["parametrization"] == "ntk"
    assert model.score(*many) > 0.9


def test_the_temperature():
    model = fitted(MLPClassifier, **WATCHED, temperature_scaling=True)
    plain = fitted(MLPClassifier, **WATCHED)
    assert model.temperature_ != 1.0
    for one, other in zip(model.estimators_, plain.estimators_, strict=True):
        ratio = other.decision_function(X_class) / one.decision_function(X_class)
        np.testing.assert_allclose(ratio, model.temperature_, rtol=1e-6)


def test_categories_and_gaps():
    frame = pd.DataFrame(X).add_prefix("x").assign(level=[f"l{i % 20}" for i in range(100)])
    frame.loc[3, "x1"] = np.nan
    model = MLPRegressor(**SMALL, max_one_hot=2).fit(frame, y)
    check_that_they_share(model)


def test_sparse_rows():
    X_sparse = csr_array(np.where(X < 0.5, 0.0, X))
    model = MLPRegressor(**SMALL).fit(X_sparse, y)
    check_that_they_share(model)


@pytest.mark.parametrize("frozen", [False, True])
def test_an_encoder_belongs_to_what_is_shared(frozen):
    encoder = AutoencoderTransformer(3, (5,), max_iter=3, random_state=0)
    given = FrozenEstimator(clone(encoder).fit(X)) if frozen else encoder
    model = fitted(MLPRegressor, encoder=given)
    check_that_they_share(model, 3)


@BOTH
def test_all_starts_of_an_average_are_trained_again_together(cls, monkeypatch):
    members = []
    init = TrainState.__post_init__

    def spy(self):
        members.append(len(self.theta))
        init(self)

    monkeypatch.setattr(TrainState, "__post_init__", spy)
    model = fitted(cls, **WATCHED, refit=True)
    assert members == [3, 3, 3]
    epochs, mine = model.best_iteration_, shared_entries(model)
    by_hand = {"early_stopping": False, "tol": 0.0, "n_iter_no_change": np.inf}
    for i in range(3):
        # A fit on all rows of so many epochs.
        same = fitted(cls, **by_hand, max_iter=epochs[i])
        np.testing.assert_array_equal(model.theta_[i, mine], same.theta_[i, mine])
        np.testing.assert_array_equal(model.theta_[i], same.theta_[i])


class Stop(Callback):
    def on_epoch_end(self, state):
        return state.epoch == 5


def test_a_checkpoint_goes_on(tmp_path):
    params = {**WATCHED, "dropout": 0.2, "max_iter": 12, "n_iter_no_change": np.inf}
    path = tmp_path / "c.npz"
    stopped = fitted(MLPRegressor, callbacks=[Stop(), Checkpoint(path, 1)], **params)
    assert stopped.n_iter_ == 5
    resumed = fitted(MLPRegressor, callbacks=[Checkpoint(path, 1)], **params)
    np.testing.assert_array_equal(resumed.theta_, fitted(MLPRegressor, **params).theta_)
    with pytest.raises(ValueError, match="n_shared_layers"):
        fitted(MLPRegressor, callbacks=[Checkpoint(path, 1)], **params, n_shared_layers=2)


REFUSED = {
    "more than there are": ({"n_shared_layers": 3}, "n_shared_layers=3.*2 hidden.*Lower it"),
    "of a single start": ({"n_shared_layers": 3, "n_init": 1}, "n_shared_layers=3.*2 hidden"),
    "no hidden layer": ({"hidden_layer_sizes": ()}, "n_shared_layers=1.*0 hidden"),
    "lbfgs": ({"solver": "lbfgs"}, "n_shared_layers=1.*solver='lbfgs'.*'adam'.*at 0"),
    "an object": ({"solver": LBFGS()}, "n_shared_layers=1.*LBFGS.*'adam'"),
    "warm start": ({"warm_start": True}, "n_shared_layers=1.*Set warm_start=False"),
    "adaptive": ({"learning_rate": "adaptive"}, "learning_rate='adaptive'.*another schedule"),
    "adaptive object": ({"learning_rate": Adaptive()}, "Adaptive.*another schedule"),
    "refit of the best": (
        {**WATCHED, "refit": True, "combine_inits": "best"},
        "refit=True and combine_inits='best'.*Use combine_inits='average'",
    ),
}


@BOTH
@pytest.mark.parametrize("case", REFUSED)
def test_where_it_cannot_act(cls, case):
    params, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        fitted(cls, **params)


@BOTH
def test_partial_fit_refuses_it(cls):
    model = fitted(cls)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(ValueError, match="n_shared_layers=1.*set n_shared_layers=0"):
        model.partial_fit(*DATA[cls])
    model.set_params(n_shared_layers=0).partial_fit(*DATA[cls])


def test_estimators_without_it_have_nothing_to_refuse():
    assert "n_shared_layers" not in DensityRegressor().get_params()
    assert hasattr(DensityRegressor(n_init=2, combine_inits="average"), "partial_fit")
