"""What an autoencoder refuses: the message names the parameter, its value and a remedy."""

import re
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from skmlp import AutoencoderTransformer
from skmlp.activations import Step
from skmlp.optimizers import LBFGS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = load_iris().data
SMALL = {"n_components": 2, "hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0}


def fit(rows=X, **params):
    return AutoencoderTransformer(**{**SMALL, **params}).fit(rows)


REFUSALS = {
    "masking level": (
        {"noise": "masking", "noise_level": 1.5},
        ["noise_level=1.5", "noise='masking'", "must not be above 1"],
    ),
    "salt level": (
        {"noise": "salt_and_pepper", "noise_level": 1.1},
        ["noise_level=1.1", "noise='salt_and_pepper'", "must not be above 1"],
    ),
    "noise_level alone": (
        {"noise_level": 0.5},
        ["noise_level=0.5 cannot act with noise=None", "noise='gaussian'", "at its default"],
    ),
    "sparsity_alpha alone": (
        {"sparsity_alpha": 0.5},
        ["sparsity_alpha=0.5 cannot act with sparsity=None", "sparsity='l1'", "at its default"],
    ),
    "sparsity_target alone": (
        {"sparsity_target": 0.5},
        ["sparsity_target=0.5 cannot act with sparsity=None", "sparsity='kl'", "at its default"],
    ),
    "sparsity_target with l1": (
        {"sparsity_target": 0.5, "sparsity": "l1"},
        ["sparsity_target=0.5 cannot act with sparsity='l1'", "sparsity='kl'", "at its default"],
    ),
    "kl with a linear code": (
        {"sparsity": "kl"},
        ["sparsity='kl'", "code_activation='identity' leaves [0, 1]", "'logistic'"],
    ),
    "kl with tanh": (
        {"sparsity": "kl", "code_activation": "tanh"},
        ["sparsity='kl'", "code_activation='tanh' leaves [0, 1]", "'logistic'"],
    ),
    "kl with relu": (
        {"sparsity": "kl", "code_activation": "relu"},
        ["sparsity='kl'", "code_activation='relu' leaves [0, 1]", "'logistic'"],
    ),
    "tied and uneven": (
        {"tied_weights": True, "decoder_hidden_layer_sizes": (4,)},
        ["tied_weights=True", "decoder_hidden_layer_sizes=(4,)", "tied_weights=False"],
    ),
    "tied and reversed": (
        {"tied_weights": True, "hidden_layer_sizes": (5, 6), "decoder_hidden_layer_sizes": (5, 6)},
        ["tied_weights=True", "hidden_layer_sizes=(5, 6)", "tied_weights=False"],
    ),
    "noise with lbfgs": (
        {"noise": "gaussian", "solver": "lbfgs"},
        ["noise='gaussian' cannot act with solver='lbfgs'", "'adam'"],
    ),
    "noise with an LBFGS object": (
        {"noise": "masking", "solver": LBFGS()},
        ["noise='masking' cannot act with solver=", "LBFGS", "'adam'"],
    ),
    "dropout with lbfgs": (
        {"dropout": 0.2, "solver": "lbfgs"},
        ["dropout=0.2 cannot act with", "solver='lbfgs'"],
    ),
    "output of log_loss": (
        {"loss": "log_loss", "output_activation": "tanh", "feature_scaling": "minmax"},
        ["output_activation='tanh' cannot act with loss='log_loss'", "'identity'"],
    ),
    "step code": ({"code_activation": "step"}, ["code_activation='step'", "'logistic'"]),
    "step output": ({"output_activation": Step()}, ["output_activation=Step", "'logistic'"]),
    "step": ({"activation": ["step"]}, ["activation=['step']", "'logistic'"]),
    "unknown activation": (
        {"activation": ["relux"]},
        ["activation='relux' is not known", "leaky_relu"],
    ),
    "number of activations": (
        {"activation": ["relu"] * 3},
        ["activation has 3 entries", "1 hidden layers in the encoder and 1 in", "a single value"],
    ),
    "number of dropouts": ({"dropout": [0.1] * 3}, ["dropout has 3 entries", "a single value"]),
    "decoder sizes": (
        {"decoder_hidden_layer_sizes": (4, 0)},
        ["decoder_hidden_layer_sizes must be > 0", "[4, 0]"],
    ),
    "hidden sizes": ({"hidden_layer_sizes": (4, -1)}, ["hidden_layer_sizes must be > 0", "-1"]),
    "scoring alone": (
        {"scoring": "loss"},
        ["scoring='loss' cannot act without a validation set", "early_stopping=True"],
    ),
}


@pytest.mark.parametrize("params, words", REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_act_together_is_refused(params, words):
    with pytest.raises(ValueError) as error:
        fit(**params)
    for word in words:
        assert word in str(error.value)


VALUES = {
    "n_components": (0, 1.5, "2"),
    "decoder_hidden_layer_sizes": (0, "mirror"),
    "code_activation": ("softmax", None),
    "output_activation": ("softmax", None),
    "loss": ("absolute_error", None),
    "tied_weights": ("yes", None),
    "sparsity": ("l3", True),
    "sparsity_alpha": (-0.1, None),
    "sparsity_target": (0.0, 1.0),
    "noise": ("pink", True),
    "noise_level": (0.0, -1.0),
    "contractive_alpha": (-0.1, None),
    "init": ("ica", None),
    "feature_scaling": ("max", 1),
}


@pytest.mark.parametrize(
    "name, value", [(name, value) for name, values in VALUES.items() for value in values]
)
def test_wrong_values_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter.*Got {re.escape(repr(value))}"):
        fit(**{name: value})


def test_a_refused_fit_leaves_the_model_as_it_was():
    model = fit()
    theta = model.theta_.copy()
    for params in ({"noise_level": 0.5}, {"loss": "log_loss"}):
        with pytest.raises(ValueError):
            model.set_params(**params).fit(X)
        np.testing.assert_array_equal(model.theta_, theta)


# ---- the domain of log_loss ---------------------------------------------------------------------


@pytest.mark.parametrize("column, value", [(0, 1.5), (2, -0.1)])
@pytest.mark.parametrize("sparse", [False, True])
def test_values_that_a_sigmoid_cannot_reach_are_refused(column, value, sparse):
    rows = np.random.default_rng(0).random((20, 3))
    rows[4, column] = value
    expected = f"column {column}, .*to 1.5" if value > 1 else f"column {column}, .*from -0.1"
    if sparse:
        # Divided by the largest absolute value, unless feature_scaling is None.
        rows = csr_array(rows)
    with pytest.raises(ValueError, match=f"loss='log_loss' needs X in .*{expected}") as error:
        fit(rows, loss="log_loss")
    assert "feature_scaling='minmax'" in str(error.value)
    assert "squared_error" in str(error.value)


@pytest.mark.parametrize("scaling", ["standard", "robust"])
def test_centred_columns_are_refused(scaling):
    with pytest.raises(ValueError, match="loss='log_loss' needs X in .*column 0, as the network"):
        fit(loss="log_loss", feature_scaling=scaling)


def test_min_and_max_make_any_column_fit():
    model = fit(loss="log_loss", feature_scaling="minmax", max_iter=200, learning_rate_init=0.02)
    rows = model.reconstruct(X)
    assert (rows >= X.min(axis=0)).all() and (rows <= X.max(axis=0)).all()
    assert -model.score(X) < 0.3 * ((X - X.mean(axis=0)) / np.ptp(X, axis=0)).var()
    unit = (X - X.min(axis=0)) / np.ptp(X, axis=0)
    assert fit(unit, loss="log_loss").feature_scaling_ is None
    assert fit(unit, loss="log_loss", output_activation="logistic").out_activation_ == "logistic"


def test_later_chunks_must_be_in_the_domain_too():
    unit = (X - X.min(axis=0)) / np.ptp(X, axis=0)
    model = AutoencoderTransformer(**SMALL, loss="log_loss").partial_fit(unit)
    with pytest.raises(ValueError, match="needs X in"):
        model.partial_fit(unit * 2)


# ---- codes wider than X -------------------------------------------------------------------------


def test_a_code_that_can_copy_x_is_warned_of():
    with pytest.warns(UserWarning, match="n_components=5 is more than the 4 features.*noise, spar"):
        fit(n_components=5)
    with pytest.warns(UserWarning, match="n_components=5"):
        fit(n_components=5, sparsity="l1", sparsity_alpha=0.0)


@pytest.mark.parametrize(
    "params",
    [
        {"n_components": 4},
        {"noise": "gaussian"},
        {"sparsity": "l1"},
        {"sparsity": "kl", "code_activation": "logistic"},
        {"contractive_alpha": 0.1},
    ],
)
def test_a_compact_code_is_not_warned_of(params):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = AutoencoderTransformer(**{**SMALL, "n_components": 5, **params})
        model.set_params(tol=1e9, n_iter_no_change=1).fit(X)
    assert model.transform(X).shape == (150, params.get("n_components", 5))


# ---- wrong data ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows, message",
    [
        (X.reshape(150, 2, 2), r"X.reshape\(len\(X\), -1\)"),
        (np.where(X > 5, np.nan, X), "Input X contains NaN"),
        (X[:0], "0 sample"),
        (X.astype(str), "'standard'|dtype|numbers|string"),
        (X * 1e200, "Divide|divide"),
    ],
    ids=["3-D", "NaN", "no rows", "text", "huge"],
)
def test_wrong_rows_are_refused(rows, message):
    params = {"feature_scaling": None} if np.shape(rows) == X.shape else {}
    with pytest.raises(ValueError, match=message):
        fit(rows, **params)


@pytest.mark.parametrize("method", ["transform", "reconstruct", "reconstruction_error", "score",
                                    "inverse_transform", "get_feature_names_out"])  # fmt: skip
def test_methods_need_a_fit(method):
    model = AutoencoderTransformer()
    with pytest.raises(NotFittedError):
        getattr(model, method)(*([] if method == "get_feature_names_out" else [X]))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"sample_weight_val": np.ones(5)}, "sample_weight_val was given without X_val"),
        ({"X_val": X[:, :3]}, "3 features"),
        ({"X_val": np.where(X > 5, np.nan, X)}, "NaN"),
        ({"X_val": X, "sample_weight_val": np.ones(3)}, "sample_weight_val|sample_weight"),
    ],
)
def test_wrong_validation_rows_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderTransformer(**SMALL).fit(X, **options)


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        AutoencoderTransformer(**SMALL).fit(X, sample_weight=np.full(150, -1.0))
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        fit().score(X, sample_weight=np.full(150, -1.0))


def test_an_output_that_cannot_reach_the_rows_is_told():
    rows = np.random.default_rng(0).normal(size=(30, 4))
    with pytest.warns(UserWarning, match="output_activation='logistic' puts out .* 0 to 1, but X"):
        AutoencoderTransformer(2, (5,), output_activation="logistic", max_iter=3).fit(rows)
    settings = {"output_activation": "logistic", "feature_scaling": "minmax", "max_iter": 3}
    AutoencoderTransformer(2, (5,), **settings).fit(rows)
    with pytest.warns(UserWarning, match="'relu' puts out numbers from 0 to inf"):
        AutoencoderTransformer(2, (5,), output_activation="relu", max_iter=3).fit(rows)
