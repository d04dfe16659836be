"""What an autoencoder minimises: gradients, penalties, and the linear case, which is known."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA

from skmlp import AutoencoderTransformer
from skmlp._engine.memory import Scratch
from skmlp._engine.noise import NOISES
from skmlp.activations import ACTIVATIONS

from .._engine.test_contract import relative_error

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:output_activation=.* puts out:UserWarning"),
]

IRIS = load_iris().data
UNIT = (IRIS - IRIS.min(axis=0)) / np.ptp(IRIS, axis=0)
TRAINABLE = [name for name, cls in ACTIVATIONS.items() if cls().trainable]
WEIGHT = np.random.default_rng(0).uniform(0.5, 2.0, size=len(IRIS))
DIGITS = load_digits().data / 16
SMALL = {"n_components": 2, "hidden_layer_sizes": (5,), "activation": "tanh", "random_state": 0}


class Spy(AutoencoderTransformer):
    """Keeps what it gives to the engine."""

    def _train(self, objective, data, *args):
        self.seen = objective, data
        super()._train(objective, data, *args)


class SameDraws:
    """A generator that gives the same numbers at every call, as differences need it."""

    def random(self, dtype, out):
        np.random.default_rng(3).random(dtype=dtype, out=out)

    def standard_normal(self, dtype, out):
        np.random.default_rng(3).standard_normal(dtype=dtype, out=out)


def built(X=IRIS, weight=None, **params):
    """Objective and one batch of the estimator with these parameters."""
    model = Spy(**{**SMALL, "max_iter": 1, **params}).fit(X, sample_weight=weight)
    objective, data = model.seen
    batch = next(iter(data.batches(9, None, Scratch(np.float64))))
    return objective, batch


def gradient_error(objective, batch):
    x, y, weight, _ = batch
    options = {"training": True, "rngs": [SameDraws()] * 2}
    return relative_error(objective, objective.network, x, y, weight, **options)


PENALTIES = {
    "none": {},
    "l1": {"sparsity": "l1", "sparsity_alpha": 0.3},
    "l2": {"sparsity": "l2", "sparsity_alpha": 0.3},
    "kl": {"sparsity": "kl", "sparsity_alpha": 0.3, "code_activation": "logistic"},
}


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("contractive", ["none", "exact", "projected"])
@pytest.mark.parametrize("sparsity", PENALTIES)
@pytest.mark.parametrize("noise", [None, *NOISES])
def test_gradients_of_all_kinds_combined(noise, sparsity, contractive, tied, loss):
    params = {"noise": noise, "tied_weights": tied, "loss": loss, **PENALTIES[sparsity]}
    if contractive != "none":
        params["contractive_alpha"] = 0.2
    if contractive == "projected":
        params["n_components"] = 17
    objective, batch = built(UNIT, **params)
    if contractive != "none":
        assert objective.penalties[-1].exact is (contractive == "exact")
    assert gradient_error(objective, batch) < 1e-6


@pytest.mark.parametrize("contractive_alpha", [0.0, 0.1])
@pytest.mark.parametrize("place", ["activation", "code_activation", "output_activation"])
@pytest.mark.parametrize("name", TRAINABLE)
def test_gradients_with_every_activation_everywhere(name, place, contractive_alpha):
    params = {place: name, "contractive_alpha": contractive_alpha, "tied_weights": True}
    assert gradient_error(*built(**params, noise="masking")) < 1e-6


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": (6, 5), "decoder_hidden_layer_sizes": (7,)},
        {"hidden_layer_sizes": (6, 5), "dropout": 0.3},
        {"hidden_layer_sizes": (6, 5), "dropout": [0.2, 0.0], "tied_weights": False},
        {"hidden_layer_sizes": ()},
        {"parametrization": "ntk", "input_scale_layer": True},
        {"parametrization": "ntk", "input_scale_layer": True, "tied_weights": False},
    ],
    ids=["asymmetric", "dropout", "dropout of one", "one layer", "ntk tied", "ntk untied"],
)
@pytest.mark.parametrize("kind", ["dense", "weighted", "CSR"])
def test_gradients_of_all_shapes_and_rows(kind, params):
    X = csr_array(np.where(IRIS < 1.5, 0.0, IRIS)) if kind == "CSR" else IRIS
    weight = WEIGHT if kind == "weighted" else None
    penalties = {"contractive_alpha": 0.2, "sparsity": "l2", "noise": "salt_and_pepper"}
    assert gradient_error(*built(X, weight, **penalties, **params)) < 1e-6


def jacobian_norms(model, X):
    """Squared Frobenius norms of the Jacobian of the code by the scaled input, row by row."""
    scale, total = X.std(axis=0), 0.0
    for j in range(X.shape[1]):
        step = np.zeros(X.shape[1])
        step[j] = 1e-5 * scale[j]
        up, down = model.transform(X + step), model.transform(X - step)
        total = total + (((up - down) / 2e-5) ** 2).sum(axis=1)
    return total


@pytest.mark.parametrize("noise", [None, "gaussian"])
@pytest.mark.parametrize("hidden", [(), (5,), (6, 5)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_contractive_penalty_is_the_mean_squared_jacobian(weighted, hidden, noise):
    weight = WEIGHT if weighted else None
    params = {**SMALL, "hidden_layer_sizes": hidden, "code_activation": "logistic", "max_iter": 3}
    model = Spy(contractive_alpha=0.7, noise=noise, **params)
    scaled = (IRIS - IRIS.mean(axis=0)) / IRIS.std(axis=0)
    model.set_params(feature_scaling=None).fit(scaled, sample_weight=weight)
    objective, data = model.seen
    theta, values = model.theta_[np.newaxis], []
    for penalties in (objective.penalties, ()):
        one = type(objective)(objective.network, objective.loss, 0.0, penalties)
        # Without training: no noise, and the two differ by the penalty alone.
        workspace = one.workspace(1, np.float64)
        values.append(one.over(theta, data, workspace, np.empty_like(theta))[0][0])
    expected = 0.7 * np.average(jacobian_norms(model, scaled), weights=weight)
    assert values[0] - values[1] == pytest.approx(expected, rel=1e-6)


def test_the_reported_loss_is_the_objective():
    """Sum over features, mean over rows, half the square, and the penalties on the same footing."""
    params = {**SMALL, "batch_size": 150, "max_iter": 1, "learning_rate_init": 1e-14}
    model = AutoencoderTransformer(
        sparsity="l1", sparsity_alpha=0.3, contractive_alpha=0.2, alpha=0.0, **params
    ).fit(IRIS)
    code = np.abs(model.transform(IRIS)).sum(axis=1).mean()
    jacobian = jacobian_norms(model, IRIS).mean()
    error = model.reconstruction_error(IRIS, per_feature=True).sum(axis=1).mean() / 2
    assert model.loss_ == pytest.approx(error + 0.3 * code + 0.2 * jacobian, rel=1e-6)


# ---- the linear autoencoder ---------------------------------------------------------------------


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_a_linear_autoencoder_is_principal_component_analysis(k, tied):
    """From a random start; Baldi and Hornik (1989)."""
    model = AutoencoderTransformer(
        k, (), tied_weights=tied, feature_scaling=None, solver="lbfgs", alpha=0.0, tol=1e-6,
        max_iter=3000, random_state=0,
    ).fit(DIGITS)  # fmt: skip
    pca = PCA(k).fit(DIGITS)
    linear = np.mean((DIGITS - pca.inverse_transform(pca.transform(DIGITS))) ** 2)
    assert linear * (1 - 1e-9) < -model.score(DIGITS) < linear * 1.001
    assert subspace_angles(model.coefs_[-1].T, pca.components_.T).max() < 0.02


# ---- what the penalties are for -----------------------------------------------------------------

TRAINED = {
    "hidden_layer_sizes": (), "max_iter": 60, "learning_rate_init": 0.01, "random_state": 0,
    "feature_scaling": None, "batch_size": 64,
}  # fmt: skip


def trained(X=DIGITS[:400], **params):
    return AutoencoderTransformer(**{**TRAINED, **params}).fit(X)


@pytest.mark.parametrize("sparsity", ["l1", "l2"])
def test_a_sparse_code_is_smaller(sparsity):
    X = DIGITS[:400]
    params = {"n_components": 20, "code_activation": "relu", "tied_weights": True}
    plain = trained(**params).transform(X)
    sparse = trained(sparsity=sparsity, sparsity_alpha=0.2, **params).transform(X)
    assert np.abs(sparse).mean() < 0.7 * np.abs(plain).mean()
    if sparsity == "l1":
        assert np.mean(sparse == 0) > np.mean(plain == 0) + 0.1


@pytest.mark.parametrize("target", [0.05, 0.2])
def test_the_rate_of_activity_comes_near_its_target(target):
    params = {"n_components": 20, "code_activation": "logistic"}
    plain = trained(**params, tied_weights=True).transform(DIGITS[:400]).mean(axis=0)
    model = trained(sparsity="kl", sparsity_alpha=2.0, sparsity_target=target, **params)
    rates = model.transform(DIGITS[:400]).mean(axis=0)
    assert np.abs(rates - target).mean() < 0.25 * target < np.abs(plain - target).mean()


@pytest.mark.parametrize("n_components", [10, 20])
def test_a_contractive_code_has_a_smaller_jacobian(n_components):
    """Exact for 10 units, projected for 20."""
    X = DIGITS[:400, 16:48] + 0.0
    params = {"n_components": n_components, "code_activation": "logistic", "tied_weights": True}
    plain = trained(X, **params)
    contractive = trained(X, contractive_alpha=0.5, **params)

    def norm(model):
        code = model.transform(X)
        return ((code * (1 - code)) ** 2 @ (model.coefs_[0] ** 2).sum(axis=0)).mean()

    assert norm(contractive) < 0.5 * norm(plain)
    # It still reconstructs.
    assert -contractive.score(X) < 0.7 * np.mean((X - X.mean(axis=0)) ** 2)
