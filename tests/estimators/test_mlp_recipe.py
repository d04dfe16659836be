"""Parameters at "auto": by the recipe, or by hand as soon as scikit-learn's training is steered."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.model_selection import GridSearchCV

from skmlp import AutoencoderTransformer, MLPClassifier, MLPRegressor, presets
from skmlp.callbacks import Callback
from skmlp.estimators._defaults import RECIPE_ROWS, STEERING, recipe_for

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_regression(RECIPE_ROWS, 4, noise=5.0, random_state=0)
X_class, y_class = make_classification(
    RECIPE_ROWS, 4, n_informative=3, n_redundant=0, n_classes=3, n_clusters_per_class=1,
    random_state=1,
)  # fmt: skip
KINDS = {"MLPRegressor": (MLPRegressor, X, y), "MLPClassifier": (MLPClassifier, X_class, y_class)}


class StopAtOnce(Callback):
    """One epoch is enough to see how a fit was set up."""

    def on_epoch_end(self, state):
        return True


def quick(estimator, **parameters):
    return estimator(random_state=0, callbacks=[StopAtOnce()], **parameters)


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def test_what_is_left_alone_follows_the_recipe(kind):
    estimator, rows, target = kind
    model = quick(estimator).fit(rows, target)
    assert model.settings_["hidden_layer_sizes"] == (128, 128, 128)
    assert model.settings_["parametrization"] == "ntk"
    assert model.early_stopping_ is True
    assert model.best_validation_score_ == -model.validation_loss_curve_[0]
    assert model.get_params() == quick(estimator).get_params() | {"callbacks": model.callbacks}


def test_settings_given_as_parameters_are_the_same_fit(kind):
    estimator, rows, target = kind
    model = estimator(random_state=0).fit(rows, target)
    again = estimator(random_state=0, **model.settings_).fit(rows, target)
    np.testing.assert_array_equal(again.theta_, model.theta_)
    assert again.settings_ == {}
    assert model.n_iter_ == model.settings_["max_iter"] > model.best_iteration_


def test_no_validation_fraction_is_no_recipe(kind):
    """scikit-learn ignores it, unless it is to stop early."""
    estimator, rows, target = kind
    model = quick(estimator, validation_fraction=0.0).fit(rows, target)
    assert model.settings_["hidden_layer_sizes"] == (100,) and not model.early_stopping_


def test_sparse_frames_are_by_hand_as_sparse_matrices_are(kind):
    estimator, rows, target = kind
    frame = pd.DataFrame(rows * (rows > 0), columns=[*"abcd"])
    assert quick(estimator).fit(frame, target).settings_["parametrization"] == "ntk"
    model = quick(estimator).fit(frame.astype(pd.SparseDtype(float, 0.0)), target)
    assert model.settings_["parametrization"] == "standard"


OTHER_VALUES = {
    "solver": "sgd",
    "batch_size": 100,
    "learning_rate": "adaptive",
    "learning_rate_init": 0.01,
    "power_t": 0.3,
    "max_iter": 7,
    "shuffle": False,
    "tol": 1e-3,
    "warm_start": True,
    "momentum": 0.8,
    "nesterovs_momentum": False,
    "early_stopping": True,
    "beta_1": 0.8,
    "beta_2": 0.99,
    "epsilon": 1e-6,
    "n_iter_no_change": 3,
    "max_fun": 99,
    "weight_tol": 1e-3,
    "parametrization": "standard",
    "encoder": AutoencoderTransformer(2, (4,), max_iter=1),
    "scoring": None,
}


@pytest.mark.parametrize("name", STEERING)
def test_whoever_steers_trains_by_hand(kind, name):
    estimator, rows, target = kind
    value = {"scoring": "loss"}.get(name, OTHER_VALUES[name])
    more = {"early_stopping": True} if name == "scoring" else {}
    model = quick(estimator, **{name: value}, **more).fit(rows, target)
    expected = {key: estimator._by_hand[key] for key in model.settings_}
    assert model.settings_ == expected
    assert set(estimator._by_hand) - set(expected) <= {name, *more}


@pytest.mark.parametrize("case", ["few rows", "sparse", "a first chunk"])
def test_where_the_recipe_is_not_meant_for(kind, case):
    estimator, rows, target = kind
    model = quick(estimator)
    if case == "few rows":
        model.fit(rows[:-1], target[:-1])
    elif case == "sparse":
        model.fit(sparse.csr_array(rows), target)
    else:
        classes = {"classes": [0, 1, 2]} if estimator is MLPClassifier else {}
        model = estimator(random_state=0).partial_fit(rows, target, **classes)
    assert model.settings_ == estimator._by_hand


def test_architecture_and_penalties_do_not_steer(kind):
    estimator, rows, target = kind
    own = {"hidden_layer_sizes": (7,), "activation": "tanh", "alpha": 0.1, "dropout": 0.3}
    model = quick(estimator, **own, n_init=2).fit(rows, target)
    assert model.settings_["learning_rate"] == "cosine"
    assert set(own).isdisjoint(model.settings_)
    assert [weight.shape for weight in model.coefs_][0] == (4, 7)


@pytest.mark.parametrize("own", [{"activation": ["tanh", "relu"]}, {"dropout": [0.1, 0.2]}])
def test_a_list_says_how_many_layers_there_are(kind, own):
    estimator, rows, target = kind
    model = quick(estimator, **own).fit(rows, target)
    assert model.settings_["hidden_layer_sizes"] == (128, 128)


@pytest.mark.parametrize("n", [RECIPE_ROWS - 1, RECIPE_ROWS])
def test_lists_mean_the_same_with_few_rows(kind, n):
    estimator, rows, target = kind
    model = quick(estimator, activation=["tanh", "relu"]).fit(rows[:n], target[:n])
    assert len(model.coefs_) == 3


@pytest.mark.parametrize("own", [{"hidden_layer_sizes": ()}, {"activation": []}])
def test_no_hidden_layer_at_all(kind, own):
    estimator, rows, target = kind
    model = quick(estimator, **own).fit(rows, target)
    assert model.settings_["dropout"] == 0.0
    assert len(model.coefs_) == 1
    assert not hasattr(model, "transform")


@pytest.mark.parametrize("as_list", [False, True])
def test_rows_of_weight_0_do_not_count(kind, as_list):
    estimator, rows, target = kind
    weight = np.ones(len(rows))
    weight[::5] = 0
    kept = weight > 0
    model = quick(estimator).fit(rows, target, weight.tolist() if as_list else weight)
    alone = quick(estimator).fit(rows[kept], target[kept])
    assert model.settings_ == alone.settings_ == estimator._by_hand
    np.testing.assert_allclose(model.theta_, alone.theta_)


def test_what_has_no_rows_gets_the_usual_error(kind):
    with pytest.raises(ValueError, match="0D array|scalar|Expected 2D"):
        kind[0]().fit(np.array(1.0), kind[2])


@pytest.mark.parametrize("go_on", ["partial_fit", "warm_start"])
def test_going_on_keeps_the_network(kind, go_on):
    estimator, rows, target = kind
    model = quick(estimator).fit(rows, target)
    before = model.predict(rows)
    if go_on == "partial_fit":
        model.set_params(callbacks=None).partial_fit(rows, target)
    else:
        model.set_params(warm_start=True).fit(rows, target)
    assert model.settings_["hidden_layer_sizes"] == (128, 128, 128)
    assert model.settings_["learning_rate"] == "constant"
    assert model.score(rows, target) > 0.1
    assert before.shape == model.predict(rows).shape


def test_more_rows_take_larger_batches_and_fewer_epochs():
    rows = [500, 999, 1000, 7999, 8000, 49_999, 50_000, 10**6]
    found = [recipe_for(n) for n in rows]
    sizes, epochs = ([one[key] for one in found] for key in ("batch_size", "max_iter"))
    assert sizes == sorted(sizes) and sizes[0] == 32 and sizes[-1] == 256
    assert epochs[:3] == [160, 80, 256] and epochs[-3:] == [40, 20, 20]
    assert all(20 <= n <= 256 for n in epochs)


def test_it_is_found_again_in_copies_pickles_and_searches(kind):
    estimator, rows, target = kind
    model = quick(estimator)
    search = GridSearchCV(model, {"hidden_layer_sizes": ["auto", (5,)]}, cv=2).fit(rows, target)
    assert search.best_estimator_.settings_["learning_rate"] == "cosine"
    model.fit(rows, target)
    copied = pickle.loads(pickle.dumps(model))
    assert copied.settings_ == model.settings_
    np.testing.assert_array_equal(copied.predict(rows), model.predict(rows))
    assert not hasattr(clone(model), "settings_")


def test_a_fit_that_fails_leaves_all_as_it_was(kind):
    estimator, rows, target = kind
    model = quick(estimator).fit(rows, target)
    before = dict(vars(model))
    with pytest.raises(ValueError):
        model.fit(rows, target[:-1])
    assert vars(model).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(model).items())


@pytest.mark.parametrize("name", ["TABULAR_REGRESSION", "TABULAR_CLASSIFICATION"])
def test_presets_spell_the_recipe_out(name):
    estimator, rows, target = KINDS["MLPRegressor" if "REGR" in name else "MLPClassifier"]
    preset = getattr(presets, name)
    model = quick(estimator, **preset).fit(rows, target)
    assert model.settings_ == {}
    # An average of networks is not too sure of itself.
    own = {"batch_size", "max_iter", "temperature_scaling"}
    found = estimator(random_state=0)._settings(len(rows))
    assert all(preset[key] == value for key, value in found.items() if key not in own)
    assert len(model.estimators_) == 4
    assert model.predict(rows[:3]).shape == (3,)
    assert model.theta_.dtype == np.float32


@pytest.mark.parametrize(
    "name", ["max_iter", "learning_rate_init", "beta_2", "n_iter_no_change", "dropout"]
)
def test_other_words_than_auto_are_refused(kind, name):
    estimator, rows, target = kind
    with pytest.raises(ValueError, match=name):
        estimator(**{name: "automatic"}).fit(rows, target)
