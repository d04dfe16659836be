"""init="pca": an autoencoder that starts as principal component analysis."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA

from skmlp import AutoencoderTransformer
from skmlp.activations import LeakyReLU
from skmlp.estimators._autoencoder import _pca

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = load_wine().data[:, :8]
SCALED = (X - X.mean(axis=0)) / X.std(axis=0)
WEIGHT = np.random.default_rng(0).integers(1, 4, size=len(X)).astype(float)
# Steps so short that the start is what is seen.
START = {
    "n_components": 2, "hidden_layer_sizes": (9,), "init": "pca", "max_iter": 1,
    "learning_rate_init": 1e-13, "random_state": 0, "alpha": 0.0,
}  # fmt: skip


def started(rows=X, sample_weight=None, **params):
    return AutoencoderTransformer(**{**START, **params}).fit(rows, sample_weight=sample_weight)


def assert_is_pca(model, rows, scaled, pca):
    """Codes are scores up to sign, and reconstructions projections."""
    scores, code = pca.transform(scaled), model.transform(rows)
    signs = np.sign((scores * code).sum(axis=0))
    scale = np.abs(scores).max()
    np.testing.assert_allclose(code * signs, scores, atol=1e-7 * scale)
    error = np.mean((scaled - pca.inverse_transform(scores)) ** 2, axis=1)
    np.testing.assert_allclose(model.reconstruction_error(rows), error, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("sizes", [(), (4,), (9,), (9, 6), (5, 9, 4)])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "prelu", "identity"])
def test_the_start_is_principal_component_analysis(activation, sizes, tied):
    model = started(hidden_layer_sizes=sizes, activation=activation, tied_weights=tied)
    assert_is_pca(model, X, SCALED, PCA(2).fit(SCALED))


@pytest.mark.parametrize("decoder", [(), (4,), (7, 12, 5)])
@pytest.mark.parametrize("k", [1, 2])
def test_so_it_is_with_an_asymmetric_decoder(k, decoder):
    model = started(n_components=k, decoder_hidden_layer_sizes=decoder)
    assert_is_pca(model, X, SCALED, PCA(k).fit(SCALED))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {"parametrization": "ntk"},
        {"input_scale_layer": True},
        {"parametrization": "ntk", "input_scale_layer": True},
        {"activation": ["relu", "leaky_relu"], "hidden_layer_sizes": (6, 9)},
        {"activation": LeakyReLU(0.3), "hidden_layer_sizes": (6, 9)},
        {"n_init": 3, "combine_inits": "best"},
        {"noise": "gaussian", "noise_level": 0.1},
    ],
    ids=lambda params: ",".join(params),
)
def test_so_it_is_in_every_form_of_network(params, tied):
    model = started(**params, tied_weights=tied)
    assert_is_pca(model, X, SCALED, PCA(2).fit(SCALED))


def test_all_averaged_members_start_there():
    model = started(n_init=2, combine_inits="average")
    pca = PCA(2).fit(SCALED)
    for member in model.estimators_:
        assert_is_pca(member, X, SCALED, pca)


def test_weights_count_as_copies():
    model = started(sample_weight=WEIGHT)
    copies = np.repeat(X, WEIGHT.astype(int), axis=0)
    mean, sd = copies.mean(axis=0), copies.std(axis=0)
    assert_is_pca(model, X, (X - mean) / sd, PCA(2).fit((copies - mean) / sd))


@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_are_centred_by_the_bias(weighted):
    rows = np.where(X < np.median(X, axis=0), 0.0, X)
    scaled = rows / np.abs(rows).max(axis=0)
    weight = WEIGHT if weighted else None
    copies = np.repeat(scaled, WEIGHT.astype(int), axis=0) if weighted else scaled
    model = started(csr_array(rows), weight)
    assert_is_pca(model, csr_array(rows), scaled, PCA(2).fit(copies))


@pytest.mark.parametrize("kind", ["dense", "weighted", "CSR"])
def test_many_columns_take_another_way_to_the_same(kind, monkeypatch):
    rows = csr_array(X / X.max(axis=0)) if kind == "CSR" else X
    weight = WEIGHT if kind == "weighted" else None
    direct = started(rows, weight)
    monkeypatch.setattr(_pca, "COVARIANCE_COLUMNS", 4)
    monkeypatch.setattr(_pca, "eigh", None)  # it is not called
    monkeypatch.setattr("skmlp.estimators._autoencoder._rows.BLOCK_ENTRIES", 100)
    streamed = started(rows, weight)
    np.testing.assert_allclose(streamed.transform(rows), direct.transform(rows), atol=1e-7)
    if kind == "dense":
        assert_is_pca(streamed, X, SCALED, PCA(2).fit(SCALED))


def test_all_components_reconstruct_everything():
    model = started(n_components=8, hidden_layer_sizes=(16,))
    np.testing.assert_allclose(model.reconstruct(X), X, rtol=1e-8)
    assert_is_pca(model, X, SCALED, PCA(8).fit(SCALED))


def test_float32():
    model = started(X.astype(np.float32))
    assert model.theta_.dtype == np.float32
    scores, code = PCA(2).fit_transform(SCALED), model.transform(X.astype(np.float32))
    np.testing.assert_allclose(np.abs(code), np.abs(scores), atol=1e-4)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_training_improves_on_the_start(solver):
    pca = PCA(2).fit(SCALED)
    linear = np.mean((SCALED - pca.inverse_transform(pca.transform(SCALED))) ** 2)
    model = started(solver=solver, max_iter=40, learning_rate_init=0.003, hidden_layer_sizes=(30,))
    assert -model.score(X) < 0.95 * linear
    assert "is kept" not in model.stop_reason_


@pytest.mark.parametrize("members", [{}, {"n_init": 2, "combine_inits": "average"}])
def test_a_start_that_training_made_worse_is_kept(members):
    model = started(learning_rate_init=0.3, max_iter=2, solver="adam", **members)
    assert "start, principal component analysis, was better" in model.stop_reason_
    for member in model.estimators_ if members else [model]:
        assert_is_pca(member, X, SCALED, PCA(2).fit(SCALED))


def test_only_a_new_start_is_compared():
    """A warm start goes on from where it is, and may become worse."""
    model = started(warm_start=True)
    model.set_params(learning_rate_init=0.3, max_iter=2).fit(X)
    assert "was better" not in model.stop_reason_
    pca = PCA(2).fit(SCALED)
    linear = np.mean((SCALED - pca.inverse_transform(pca.transform(SCALED))) ** 2)
    assert -model.score(X) > linear


REFUSALS = {
    "code_activation": (
        {"code_activation": "tanh"},
        "needs code_activation='identity', got 'tanh'",
    ),
    "output_activation": ({"output_activation": "relu"}, "needs output_activation='identity'"),
    "loss": (
        {"loss": "log_loss", "feature_scaling": "minmax"},
        "needs loss='squared_error', got 'log_loss'",
    ),
    "narrow": ({"hidden_layer_sizes": (9, 3)}, r"2 \* n_components = 4 units.*\[9, 3, 3, 9\]"),
    "narrow decoder": ({"decoder_hidden_layer_sizes": (3,)}, r"widths are \[9, 3\]"),
    "tanh": ({"activation": "tanh"}, "activation has Tanh. Use 'relu', 'leaky_relu', 'prelu' or"),
    "one of many": (
        {"hidden_layer_sizes": (9, 9), "activation": ["relu", "elu"]},
        "activation has ELU",
    ),
    "more than features": (
        {"n_components": 9, "hidden_layer_sizes": (20,), "noise": "gaussian"},
        "n_components <= n_features = 8, got 9. Lower it",
    ),
    "tied but not mirrored": (
        {"activation": ["relu", "leaky_relu"], "tied_weights": True},
        "decoder that mirror those of the encoder",
    ),
}


@pytest.mark.parametrize("params, message", REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_start_there_is_refused(params, message):
    with pytest.raises(ValueError, match=f"init='pca'.*{message}"):
        started(**params)
