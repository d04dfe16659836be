"""The layers of a fitted autoencoder: tied weights, effective weights, deep and uneven shapes."""

import numpy as np
import pytest
from sklearn.datasets import load_wine

from skmlp import AutoencoderTransformer
from skmlp.activations import ACTIVATIONS
from skmlp.optimizers import OPTIMIZERS

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:output_activation=.* puts out:UserWarning"),
]

X = load_wine().data[:, :6]
UNIT = (X - X.min(axis=0)) / np.ptp(X, axis=0)
SMALL = {
    "n_components": 3, "hidden_layer_sizes": (7, 5), "max_iter": 4, "random_state": 0,
    "batch_size": 32, "learning_rate_init": 0.01,
}  # fmt: skip


def fitted(rows=X, **params):
    return AutoencoderTransformer(**{**SMALL, **params}).fit(rows)


# ---- tied weights -------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_tied_weights_stay_tied(solver, loss):
    weight_decay = 0.1 if OPTIMIZERS[solver].stochastic else 0.0
    params = {"solver": solver, "weight_decay": weight_decay, "loss": loss, "alpha": 0.1}
    model = fitted(UNIT, tied_weights=True, feature_scaling=None, **params)
    assert model.tied_weights_ is True
    start = fitted(UNIT, tied_weights=True, feature_scaling=None, max_iter=1, **{
        **params, "learning_rate_init": 1e-12, "solver": "adam"
    })  # fmt: skip
    assert not np.allclose(model.coefs_[0], start.coefs_[0], atol=1e-6)
    assert len(model.coefs_) == 6
    for encoding, decoding in zip(model.coefs_[:3], model.coefs_[:2:-1], strict=True):
        np.testing.assert_array_equal(encoding, decoding.T)


@pytest.mark.parametrize(
    "params",
    [
        {"sparsity": "l1"},
        {"contractive_alpha": 0.1},
        {"noise": "gaussian"},
        {"sparsity": "l1", "decoder_hidden_layer_sizes": (4,)},
        {"sparsity": "l1", "decoder_hidden_layer_sizes": (5, 7)},
        {"sparsity": "l1", "tied_weights": False},
        {},
    ],
)
def test_auto_ties_what_penalties_could_escape(params):
    expected = ("sparsity" in params or "contractive_alpha" in params) and (
        params.get("decoder_hidden_layer_sizes") != (4,) and "tied_weights" not in params
    )
    model = fitted(feature_scaling=None, **params)
    assert model.tied_weights_ is expected
    last = model.coefs_[-1].T
    assert (last.shape == model.coefs_[0].shape and np.array_equal(last, model.coefs_[0])) == (
        expected
    )


def test_tied_weights_are_counted_once():
    tied, free = fitted(tied_weights=True), fitted()
    assert free.theta_.size - tied.theta_.size == 6 * 7 + 7 * 5 + 5 * 3


# ---- effective weights --------------------------------------------------------------------------


def by_hand(model, rows, activations, output=None):
    """Forward pass on raw X through the effective weights."""
    a, codes = rows, None
    functions = [ACTIVATIONS[name]() for name in activations]
    for i, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        a = a @ weight + bias
        if i < len(functions):
            a = functions[i](a)
        if i == len(activations) // 2:
            codes = a
    return codes, a if output is None else ACTIVATIONS[output]()(a)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("options", [{}, {"parametrization": "ntk", "input_scale_layer": True}])
@pytest.mark.parametrize("scaling", ["auto", "standard", "minmax", None])
def test_effective_weights_reconstruct_raw_rows(scaling, options, tied):
    model = fitted(
        feature_scaling=scaling, tied_weights=tied, activation="tanh", code_activation="logistic",
        **options,
    )  # fmt: skip
    codes, rows = by_hand(model, X, ["tanh", "tanh", "logistic", "tanh", "tanh"])
    np.testing.assert_allclose(model.transform(X), codes, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.reconstruct(X), rows, rtol=1e-9)
    assert model.out_activation_ == "identity"
    assert model.n_outputs_ == 6 and model.n_layers_ == 7
    assert [w.shape for w in model.coefs_] == [(6, 7), (7, 5), (5, 3), (3, 5), (5, 7), (7, 6)]
    assert not any(w.flags.writeable for w in (*model.coefs_, *model.intercepts_))


@pytest.mark.parametrize("output", ["logistic", "relu", "tanh"])
def test_effective_weights_before_an_output_activation(output):
    model = fitted(UNIT, output_activation=output, feature_scaling=None)
    _, rows = by_hand(model, UNIT, ["relu", "relu", "identity", "relu", "relu"], output)
    np.testing.assert_allclose(model.reconstruct(UNIT), rows, rtol=1e-9, atol=1e-12)
    assert model.out_activation_ == output


def test_effective_weights_of_a_sigmoid_output():
    model = fitted(UNIT, loss="log_loss")
    _, rows = by_hand(model, UNIT, ["relu", "relu", "identity", "relu", "relu"], "logistic")
    np.testing.assert_allclose(model.reconstruct(UNIT), rows, rtol=1e-9)
    assert model.out_activation_ == "logistic" and model.feature_scaling_ is None


NO_WEIGHTS = {
    "robust": ({"feature_scaling": "robust"}, "feature_scaling='robust'"),
    "minmax": (
        {"feature_scaling": "minmax", "loss": "log_loss"},
        "feature_scaling='minmax'.*feature_scaling=None",
    ),
    "tanh": ({"output_activation": "tanh"}, "feature_scaling='standard'.*feature_scaling=None"),
    "average": ({"n_init": 2, "combine_inits": "average"}, "combine_inits='average'.*estimators_"),
}


@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
@pytest.mark.parametrize("params, message", NO_WEIGHTS.values(), ids=NO_WEIGHTS)
def test_where_there_are_no_effective_weights_the_error_says_why(params, message, name):
    model = fitted(**params)
    with pytest.raises(AttributeError, match=f"{name} does not exist.*{message}"):
        getattr(model, name)


# ---- shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params, widths",
    [
        ({}, [6, 7, 5, 3, 5, 7, 6]),
        ({"hidden_layer_sizes": 4}, [6, 4, 3, 4, 6]),
        ({"hidden_layer_sizes": ()}, [6, 3, 6]),
        ({"decoder_hidden_layer_sizes": ()}, [6, 7, 5, 3, 6]),
        ({"decoder_hidden_layer_sizes": 9}, [6, 7, 5, 3, 9, 6]),
        ({"decoder_hidden_layer_sizes": (9, 8, 4)}, [6, 7, 5, 3, 9, 8, 4, 6]),
    ],
)
def test_widths_of_encoder_and_decoder(params, widths):
    model = fitted(**params)
    assert [6, *(w.shape[1] for w in model.coefs_)] == widths
    assert model.transform(X).shape == (len(X), 3) and model.n_components_ == 3


def test_activations_are_listed_from_encoder_to_decoder():
    names = ["tanh", "relu", "elu", "logistic"]
    model = fitted(activation=names, feature_scaling=None)
    _, rows = by_hand(model, X, ["tanh", "relu", "identity", "elu", "logistic"])
    np.testing.assert_allclose(model.reconstruct(X), rows, rtol=1e-9)
    mirrored = fitted(activation=["tanh", "relu"], feature_scaling=None)
    _, rows = by_hand(mirrored, X, ["tanh", "relu", "identity", "relu", "tanh"])
    np.testing.assert_allclose(mirrored.reconstruct(X), rows, rtol=1e-9)


def test_dropout_is_listed_alike_and_not_applied_to_the_code():
    one, other = fitted(dropout=[0.3, 0.1]), fitted(dropout=[0.3, 0.1, 0.1, 0.3])
    np.testing.assert_array_equal(one.theta_, other.theta_)
    assert one._model["dropout"] == [0.3, 0.1, 0.0, 0.1, 0.3]
    assert not np.array_equal(one.theta_, fitted().theta_)
    np.testing.assert_array_equal(one.transform(X), one.transform(X))
