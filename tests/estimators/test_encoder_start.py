"""The parameter `encoder`: what a network takes from an autoencoder, and what is refused."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression

from skmlp import AutoencoderTransformer, MLPClassifier, MLPRegressor
from skmlp.activations import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FRAME, LABELS = load_wine(return_X_y=True, as_frame=True)
FRAME = FRAME.iloc[:, :6]
X, LABELS = FRAME.to_numpy(), LABELS.to_numpy()
UNIT = (X - X.min(axis=0)) / np.ptp(X, axis=0)
TARGET = 100.0 + 30.0 * X[:, 0] - X[:, 4]
CODER = {"n_components": 3, "hidden_layer_sizes": (7, 5), "max_iter": 4, "random_state": 0}
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "batch_size": 32}
SMALL |= {"learning_rate_init": 0.01}
KINDS = {MLPClassifier: LABELS, MLPRegressor: TARGET}
BOTH = pytest.mark.parametrize("cls", KINDS, ids=["classifier", "regressor"])


def coder_of(**params):
    return AutoencoderTransformer(**{**CODER, **params})


def model_of(cls=MLPClassifier, encoder=None, **params):
    return cls(**{**SMALL, "encoder": encoder, **params})


ENCODERS = {
    "plain": {},
    "asymmetric": {"decoder_hidden_layer_sizes": (4,)},
    "one layer": {"hidden_layer_sizes": ()},
    "tied sparse": {"sparsity": "kl", "code_activation": "logistic"},
    "contractive": {"contractive_alpha": 0.1},
    "denoising with dropout": {"noise": "gaussian", "dropout": 0.2},
    "robust": {"feature_scaling": "robust"},
    "minmax": {"feature_scaling": "minmax"},
    "unscaled": {"feature_scaling": None, "learning_rate_init": 1e-4},
    "log_loss": {"loss": "log_loss", "feature_scaling": "minmax"},
    "prelu": {"activation": "prelu"},
    "ntk": {"parametrization": "ntk", "input_scale_layer": True},
    "ntk tied": {"parametrization": "ntk", "tied_weights": True},
    "best of three": {"n_init": 3},
    "pca": {"init": "pca"},
    "lbfgs": {"solver": "lbfgs"},
}


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("params", ENCODERS.values(), ids=ENCODERS)
@BOTH
def test_the_code_is_that_of_the_encoder(cls, params, frozen):
    coder = coder_of(**params)
    if params.get("init") == "pca":
        coder.set_params(hidden_layer_sizes=(7, 6))
    if frozen:
        coder.fit(X)
    encoder = FrozenEstimator(coder) if frozen else coder
    # Without new hidden layers the features are the code; its weights stay as they are.
    model = model_of(cls, encoder, hidden_layer_sizes=(), encoder_learning_rate=0.0)
    model.fit(X, KINDS[cls])
    codes = model.encoder_.transform(X)
    np.testing.assert_allclose(model.transform(X), codes, rtol=1e-9, atol=1e-12)
    expected = coder if frozen else clone(coder).fit(X)
    np.testing.assert_array_equal(codes, expected.transform(X))
    assert model.encoder_ is not coder
    assert model.get_feature_names_out()[2] == f"{cls.__name__.lower()}2"


@pytest.mark.parametrize("params", [{}, {"parametrization": "ntk"}, {"feature_scaling": "minmax"}])
@BOTH
def test_the_layers_of_the_mlp_follow_the_code(cls, params):
    own = {"parametrization": "ntk"} if "parametrization" in params else {}
    coder = coder_of(**params).fit(X)
    model = model_of(cls, FrozenEstimator(coder), activation="tanh", **own).fit(X, KINDS[cls])
    assert [w.shape[1] for w in model.coefs_[:-1]] == [7, 5, 3, 6]
    assert model.n_layers_ == 6
    a = X
    functions = [ACTIVATIONS[name]() for name in ("relu", "relu", "identity", "tanh")]
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    for (weight, bias), f in zip(layers[:-1], functions, strict=True):
        a = f(a @ weight + bias)
    np.testing.assert_allclose(model.transform(X), a, rtol=1e-8, atol=1e-10)
    raw = a @ layers[-1][0] + layers[-1][1]
    if cls is MLPRegressor:
        np.testing.assert_allclose(model.predict(X), raw[:, 0], rtol=1e-9)
    else:
        np.testing.assert_array_equal(model.predict(X), raw.argmax(axis=1))


def test_an_input_scale_layer_of_either_is_folded():
    coder = coder_of(input_scale_layer=True, parametrization="ntk").fit(X)
    for own in ({}, {"input_scale_layer": True}, {"parametrization": "ntk"}):
        model = model_of(
            encoder=FrozenEstimator(coder), hidden_layer_sizes=(), encoder_learning_rate=0.0, **own
        ).fit(X, LABELS)
        np.testing.assert_allclose(model.transform(X), coder.transform(X), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["robust", "minmax", None])
def test_the_scaling_of_the_encoder_replaces_that_of_the_mlp(kind):
    coder = coder_of(feature_scaling=kind, learning_rate_init=1e-4).fit(X[:90])
    models = [
        model_of(encoder=FrozenEstimator(coder), feature_scaling=own).fit(X, LABELS)
        for own in ("standard", "robust", None)
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(model.theta_, models[0].theta_)
    if kind == "robust":
        with pytest.raises(AttributeError, match="feature_scaling='robust'"):
            models[0].coefs_  # noqa: B018


@BOTH
def test_sparse_rows(cls):
    rows = np.where(UNIT < np.median(UNIT, axis=0), 0.0, UNIT)
    for encoder in (coder_of(), FrozenEstimator(coder_of().fit(csr_array(rows)))):
        model = model_of(cls, encoder, hidden_layer_sizes=(), encoder_learning_rate=0.0)
        model.fit(csr_array(rows), KINDS[cls])
        np.testing.assert_allclose(
            model.transform(csr_array(rows)), model.encoder_.transform(csr_array(rows)), rtol=1e-9,
            atol=1e-12,
        )  # fmt: skip
        np.testing.assert_allclose(model.predict(rows), model.predict(csr_array(rows)), rtol=1e-9)


def test_a_dense_encoder_takes_sparse_rows():
    coder = coder_of().fit(X)
    model = model_of(encoder=FrozenEstimator(coder), hidden_layer_sizes=(),
                     encoder_learning_rate=0.0).fit(csr_array(X), LABELS)  # fmt: skip
    np.testing.assert_allclose(model.transform(X), coder.transform(X), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_that_of_x(dtype):
    coder = coder_of().fit(X)
    model = model_of(encoder=FrozenEstimator(coder)).fit(X.astype(dtype), LABELS)
    assert model.theta_.dtype == dtype and model.encoder_.theta_.dtype == np.float64


# ---- starts and seeds ---------------------------------------------------------------------------


@BOTH
def test_all_members_start_from_the_encoder(cls):
    coder = coder_of().fit(X)
    model = model_of(
        cls, FrozenEstimator(coder), n_init=3, combine_inits="average", learning_rate_init=1e-13
    ).fit(X, KINDS[cls])
    for member in model.estimators_:
        for mine, theirs in zip(member.coefs_[:3], coder.coefs_[:3], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-7)
    heads = [member.coefs_[3] for member in model.estimators_]
    assert not np.allclose(heads[0], heads[1])
    alone = model_of(cls, FrozenEstimator(coder), learning_rate_init=1e-13).fit(X, KINDS[cls])
    np.testing.assert_allclose(heads[0], alone.coefs_[3])


def test_a_seed_reaches_the_encoder():
    encoder = coder_of(random_state=None)
    one, other, third = (
        model_of(encoder=encoder, random_state=seed).fit(X, LABELS) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.theta_, other.theta_)
    assert not np.allclose(one.encoder_.theta_, third.encoder_.theta_)
    assert encoder.random_state is None
    fixed = model_of(encoder=coder_of(random_state=5), random_state=1).fit(X, LABELS)
    np.testing.assert_array_equal(fixed.encoder_.theta_, coder_of(random_state=5).fit(X).theta_)


def test_the_encoder_is_fitted_to_training_rows_with_their_weights():
    weight = np.random.default_rng(0).integers(0, 3, size=178).astype(float)
    model = MLPRegressor(**SMALL, encoder=coder_of()).fit(X, TARGET, weight)
    rows = weight > 0
    expected = coder_of().fit(X[rows], sample_weight=weight[rows])
    np.testing.assert_array_equal(model.encoder_.theta_, expected.theta_)
    watched = model_of(encoder=coder_of(), early_stopping=True).fit(X, LABELS)
    assert watched.encoder_.t_ == 4 * (178 - 18)


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2.0, len(X))], ids=["no", "yes"])
def test_a_memory_map_with_rows_set_aside_is_not_loaded_for_the_encoder(
    weights, tmp_path, monkeypatch
):
    np.save(tmp_path / "X.npy", X)
    mapped, given = np.load(tmp_path / "X.npy", mmap_mode="r"), []
    fit = AutoencoderTransformer.fit
    monkeypatch.setattr(
        AutoencoderTransformer,
        "fit",
        lambda self, X, *args, **kwargs: (given.append(X), fit(self, X, *args, **kwargs))[1],
    )
    settings = {"encoder": coder_of(), "early_stopping": True}
    models = [model_of(**settings).fit(rows, LABELS, weights) for rows in (X, mapped)]
    assert np.shares_memory(given[1], mapped)
    codes = [model.encoder_.transform(X) for model in models]
    np.testing.assert_allclose(codes[1], codes[0], rtol=1e-9)
    np.testing.assert_allclose(models[1].predict_proba(X), models[0].predict_proba(X), rtol=1e-7)


def test_the_parameter_is_not_changed():
    unfitted, fitted = coder_of(noise="masking"), coder_of().fit(X)
    theta, params = fitted.theta_.copy(), unfitted.get_params()
    model = model_of(encoder=unfitted).fit(X, LABELS)
    assert model.encoder is unfitted and not hasattr(unfitted, "theta_")
    assert unfitted.get_params() == params
    frozen = FrozenEstimator(fitted)
    model = model_of(encoder=frozen, learning_rate_init=0.1).fit(X, LABELS)
    assert model.encoder is frozen and model.encoder.estimator is fitted
    np.testing.assert_array_equal(fitted.theta_, theta)
    np.testing.assert_array_equal(model.encoder_.theta_, theta)
    # Training has moved the copy inside the network.
    assert not np.allclose(model.coefs_[0], fitted.coefs_[0], atol=1e-3)
    model.encoder_.theta_[...] = 0.0
    np.testing.assert_array_equal(fitted.theta_, theta)


def test_without_an_encoder_there_is_no_encoder_():
    model = model_of(encoder=coder_of()).fit(X, LABELS)
    assert hasattr(model, "encoder_")
    model.set_params(encoder=None).fit(X, LABELS)
    assert not hasattr(model, "encoder_")
    assert not hasattr(model_of(hidden_layer_sizes=()), "transform")
    assert hasattr(model_of(hidden_layer_sizes=(), encoder=coder_of()), "transform")


@pytest.mark.parametrize("frozen", [True, False])
def test_copies_compute_the_same(frozen):
    encoder = FrozenEstimator(coder_of().fit(X)) if frozen else coder_of()
    model = model_of(encoder=encoder).fit(X, LABELS)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(other.encoder_.transform(X), model.encoder_.transform(X))
    again = clone(model).fit(X, LABELS)
    np.testing.assert_array_equal(again.theta_, model.theta_)


# ---- tables -------------------------------------------------------------------------------------


def test_frames_of_the_same_columns():
    for encoder in (coder_of(), FrozenEstimator(coder_of().fit(FRAME))):
        model = model_of(encoder=encoder).fit(FRAME, LABELS)
        assert list(model.encoder_.feature_names_in_) == list(FRAME.columns)
        assert isinstance(model.encoder_.reconstruct(FRAME), pd.DataFrame)
    # An array has no names, and neither have all encoders.
    model_of(encoder=FrozenEstimator(coder_of().fit(FRAME))).fit(X, LABELS)
    model_of(encoder=FrozenEstimator(coder_of().fit(X))).fit(FRAME, LABELS)


@pytest.mark.parametrize("change", ["order", "names"])
def test_frames_of_other_columns_are_refused(change):
    encoder = FrozenEstimator(coder_of().fit(FRAME))
    other = FRAME.iloc[:, ::-1] if change == "order" else FRAME.rename(columns={"ash": "dust"})
    with pytest.raises(ValueError, match="encoder was fitted to the columns.*same order"):
        model_of(encoder=encoder).fit(other, LABELS)


# ---- refusals -----------------------------------------------------------------------------------

AVERAGE = {"n_init": 2, "combine_inits": "average"}
REFUSALS = {
    "fitted": (
        lambda: coder_of().fit(X),
        r"encoder is a fitted .*FrozenEstimator\(encoder\).*clone",
    ),
    "frozen and not fitted": (
        lambda: FrozenEstimator(coder_of()),
        "FrozenEstimator holds AutoencoderTransformer, which is not fitted. Fit it first",
    ),
    "another estimator": (
        lambda: FrozenEstimator(LinearRegression().fit(X, TARGET)),
        "must hold a fitted AutoencoderTransformer, but FrozenEstimator holds LinearRegression",
    ),
    "another estimator, bare": (LinearRegression, "'encoder' parameter"),
    "its class": (lambda: AutoencoderTransformer, "'encoder' parameter"),
    "average": (lambda: coder_of(**AVERAGE), "single network.*combine_inits='best'"),
    "frozen average": (
        lambda: FrozenEstimator(coder_of(**AVERAGE).fit(X)),
        "single network.*one of its estimators_",
    ),
    "fewer columns": (
        lambda: FrozenEstimator(coder_of().fit(X[:, :4])),
        "encoder was fitted to 4 features, but X has 6",
    ),
    "wrong parameters": (lambda: coder_of(noise="pink"), "'noise' parameter"),
    "wrong combination": (lambda: coder_of(noise_level=0.5), "noise_level=0.5 cannot act"),
}


@pytest.mark.parametrize("make, message", REFUSALS.values(), ids=REFUSALS)
@BOTH
def test_what_is_no_encoder_is_refused(cls, make, message):
    with pytest.raises(ValueError, match=message):
        model_of(cls, make()).fit(X, KINDS[cls])


def test_a_member_of_an_average_is_an_encoder():
    member = coder_of(**AVERAGE).fit(X).estimators_[1]
    model = model_of(encoder=FrozenEstimator(member), hidden_layer_sizes=(),
                     encoder_learning_rate=0.0).fit(X, LABELS)  # fmt: skip
    np.testing.assert_allclose(model.transform(X), member.transform(X), rtol=1e-9, atol=1e-12)


@BOTH
def test_a_rate_without_an_encoder_is_refused(cls):
    with pytest.raises(ValueError, match="encoder_learning_rate=0.5 cannot act without.*at 1.0"):
        model_of(cls, encoder_learning_rate=0.5).fit(X, KINDS[cls])
    with pytest.raises(ValueError, match="'encoder_learning_rate' parameter.*Got -1"):
        model_of(cls, coder_of(), encoder_learning_rate=-1).fit(X, KINDS[cls])


@pytest.mark.parametrize("name", ["activation", "dropout"])
def test_lists_are_of_the_new_layers_only(name):
    values = {"activation": ["tanh"], "dropout": [0.2]}
    model = model_of(encoder=coder_of(), **{name: values[name]}).fit(X, LABELS)
    assert len(model.coefs_) == 5
    with pytest.raises(ValueError, match=f"{name} has 4 entries.*hidden_layer_sizes has 1"):
        model_of(encoder=coder_of(), **{name: values[name] * 4}).fit(X, LABELS)
