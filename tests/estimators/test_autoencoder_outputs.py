"""What a fitted autoencoder gives: codes, reconstructions and errors, for every kind of data."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csc_array, csr_array
from sklearn.datasets import load_wine
from sklearn.model_selection import PredefinedSplit

from skmlp import AutoencoderTransformer

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:output_activation=.* puts out:UserWarning"),
]

FRAME = load_wine(as_frame=True).data.iloc[:, :6].set_axis(np.arange(178) * 3 + 1, axis=0)
X = FRAME.to_numpy()
WEIGHT = np.random.default_rng(0).uniform(0.2, 2.0, size=len(X))
SMALL = {"n_components": 2, "hidden_layer_sizes": (7,), "max_iter": 8, "random_state": 0}
SMALL |= {"learning_rate_init": 0.01, "batch_size": 32}
AVERAGE = {"n_init": 3, "combine_inits": "average"}


def fitted(rows=X, sample_weight=None, **params):
    return AutoencoderTransformer(**{**SMALL, **params}).fit(rows, sample_weight=sample_weight)


KINDS = {
    "auto": {},
    "minmax": {"feature_scaling": "minmax"},
    "robust": {"feature_scaling": "robust"},
    "none": {"feature_scaling": None, "learning_rate_init": 1e-4},
    "log_loss": {"loss": "log_loss", "feature_scaling": "minmax"},
    "tied": {"tied_weights": True},
    "output": {"output_activation": "tanh"},
    "average": AVERAGE,
    "average of log_loss": {"loss": "log_loss", "feature_scaling": "minmax", **AVERAGE},
    "best": {"n_init": 2},
    "float32": {"dtype": "float32"},
}
ALL = pytest.mark.parametrize("params", KINDS.values(), ids=KINDS)


@ALL
def test_decoding_a_code_is_reconstructing(params):
    model = fitted(**params)
    codes, rows = model.transform(X), model.reconstruct(X)
    members = 3 if "combine_inits" in params else 1
    assert codes.shape == (178, 2 * members) and rows.shape == X.shape
    rtol = 1e-3 if "dtype" in params else 1e-8
    np.testing.assert_allclose(model.inverse_transform(codes), rows, rtol=rtol)
    assert codes.dtype == rows.dtype == model.theta_.dtype
    assert len(model.get_feature_names_out()) == codes.shape[1]
    assert model.get_feature_names_out()[1] == "autoencodertransformer1"


@ALL
def test_errors_of_entries_rows_and_sets_agree(params):
    model = fitted(**params)
    for units in ("scaled", "input"):
        entries = model.reconstruction_error(X, per_feature=True, units=units)
        rows = model.reconstruction_error(X, units=units)
        assert entries.shape == X.shape and entries.dtype == rows.dtype == np.float64
        np.testing.assert_allclose(entries.mean(axis=1), rows, rtol=1e-12)
        if units == "scaled":
            assert model.score(X) == pytest.approx(-rows.mean())
            weighted = -np.average(rows, weights=WEIGHT)
            assert model.score(X, sample_weight=WEIGHT) == pytest.approx(weighted)
            assert abs(weighted + rows.mean()) > 1e-4 * rows.mean()
    expected = (X - model.reconstruct(X)) ** 2
    rtol = 1e-3 if "dtype" in params else 1e-6
    np.testing.assert_allclose(entries, expected, rtol=rtol, atol=1e-9 * expected.max())


@pytest.mark.parametrize("kind, sd", [("standard", X.std(axis=0)), ("minmax", np.ptp(X, axis=0))])
def test_scaled_errors_are_those_of_scaled_features(kind, sd):
    model = fitted(feature_scaling=kind)
    expected = ((X - model.reconstruct(X)) / sd) ** 2
    np.testing.assert_allclose(model.reconstruction_error(X, per_feature=True), expected, rtol=1e-6)


def test_robust_scaling_is_undone_far_outside_too():
    far = X.copy()
    far[0] *= 50.0
    model = fitted(far, feature_scaling="robust", n_components=6, hidden_layer_sizes=(12,),
                   max_iter=1, init="pca", learning_rate_init=1e-12)  # fmt: skip
    np.testing.assert_allclose(model.reconstruct(far)[1:], far[1:], rtol=1e-6)
    inside = (far[1:].min(axis=0) <= model.reconstruct(far[1:])).all()
    assert inside and np.isfinite(model.reconstruct(far)).all()


def test_an_average_is_the_mean_of_its_members():
    model = fitted(**AVERAGE)
    members = model.estimators_
    rows = np.mean([member.reconstruct(X) for member in members], axis=0)
    np.testing.assert_allclose(model.reconstruct(X), rows, rtol=1e-9)
    codes = np.hstack([member.transform(X) for member in members])
    np.testing.assert_allclose(model.transform(X), codes, rtol=1e-9)
    np.testing.assert_allclose(members[0].theta_, fitted().theta_, rtol=1e-10)
    assert model.n_components_ == 2


# ---- wrong input --------------------------------------------------------------------------------


@pytest.mark.parametrize("params, width", [({}, 2), (AVERAGE, 6)], ids=["one", "average"])
def test_codes_of_another_width_are_refused(params, width):
    model = fitted(**params)
    with pytest.raises(ValueError, match=f"Z has 5 columns, but the codes have {width}"):
        model.inverse_transform(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="Z contains NaN"):
        model.inverse_transform(np.full((3, width), np.nan))


def test_unknown_units_are_refused():
    with pytest.raises(ValueError, match="units must be 'scaled' or 'input', got 'raw'"):
        fitted().reconstruction_error(X, units="raw")


@pytest.mark.parametrize("method", ["transform", "reconstruct", "reconstruction_error", "score"])
def test_other_columns_are_refused(method):
    with pytest.raises(ValueError, match="5 features.*expecting 6"):
        getattr(fitted(), method)(X[:, :5])


# ---- kinds of data ------------------------------------------------------------------------------


@ALL
def test_float32_in_gives_float32_out(params):
    small = X.astype(np.float32)
    model = fitted(small, **params)
    codes = model.transform(small)
    assert codes.dtype == model.reconstruct(small).dtype == model.theta_.dtype == np.float32
    assert model.inverse_transform(codes).dtype == np.float32
    assert model.reconstruction_error(small).dtype == np.float64
    np.testing.assert_allclose(codes, fitted(**params).transform(X), rtol=0.05, atol=0.02)


def test_integers_are_computed_with_in_float64():
    model = fitted(np.round(X).astype(int))
    assert model.theta_.dtype == np.float64
    np.testing.assert_array_equal(model.theta_, fitted(np.round(X)).theta_)


MAPPED_KINDS = {**KINDS, "noise": {"noise": "masking"}, "pca": {"init": "pca"}}


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("params", MAPPED_KINDS.values(), ids=MAPPED_KINDS)
def test_a_memory_map_is_an_array(params, early_stopping, tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    params = {**params, "early_stopping": early_stopping}
    one, other = fitted(**params), fitted(mapped, **params)
    np.testing.assert_allclose(other.theta_, one.theta_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(other.reconstruct(mapped), one.reconstruct(X), rtol=1e-9)


@pytest.mark.parametrize("noise", [None, "gaussian", "salt_and_pepper"])
def test_a_memory_map_is_never_loaded_whole(noise, tmp_path):
    mapped = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (60_000, 100))
    rng = np.random.default_rng(0)
    for start in range(0, len(mapped), 10_000):
        mapped[start : start + 10_000] = rng.random((10_000, 100), np.float32)
    model = AutoencoderTransformer(
        2, (4,), max_iter=1, batch_size=2000, noise=noise, random_state=0, early_stopping=True
    )
    tracemalloc.start()
    model.fit(mapped)
    model.score(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.9 * mapped.nbytes


SPARSE = np.where(X < np.quantile(X, 0.6, axis=0), 0.0, X)
LARGEST = np.abs(SPARSE).max(axis=0)
# Any other split depends on the values of the rows; the largest are to be trained on.
WATCHED = (np.arange(len(X)) % 4 == 0) & ~(SPARSE == LARGEST).any(axis=1)
SPLIT = PredefinedSplit(np.where(WATCHED, 0, -1))
SPARSE_KINDS = {
    "plain": {},
    "l1 and contractive": {"sparsity": "l1", "contractive_alpha": 0.1},
    "gaussian": {"noise": "gaussian"},
    "salt": {"noise": "salt_and_pepper"},
    "log_loss": {"loss": "log_loss"},
    "pca": {"init": "pca"},
    "average": AVERAGE,
    "watched": {"early_stopping": True, "noise": "masking", "validation_fraction": SPLIT},
}


@pytest.mark.parametrize("container", [csr_array, csc_array])
@pytest.mark.parametrize("params", SPARSE_KINDS.values(), ids=SPARSE_KINDS)
def test_sparse_rows_are_dense_rows_with_the_same_scaling(params, container):
    dense = SPARSE / LARGEST
    one = fitted(dense, WEIGHT, feature_scaling=None, **params)
    # Scaled and not centred, whatever the kind; None for log_loss, whose X is in [0, 1] already.
    rows = dense if "loss" in params else SPARSE
    other = fitted(container(rows), WEIGHT, **params)
    rtol = {"rtol": 1e-6, "atol": 1e-7}
    np.testing.assert_allclose(other.theta_, one.theta_, **rtol)
    np.testing.assert_allclose(other.transform(container(rows)), one.transform(dense), **rtol)
    scale = 1.0 if "loss" in params else LARGEST
    np.testing.assert_allclose(
        other.reconstruct(container(rows)), one.reconstruct(dense) * scale, **rtol
    )
    np.testing.assert_allclose(
        other.reconstruction_error(container(rows)), one.reconstruction_error(dense), **rtol
    )


def test_rows_of_weight_k_are_k_copies():
    counts = np.random.default_rng(1).integers(0, 3, size=len(X))
    params = {"solver": "lbfgs", "max_iter": 30, "sparsity": "l2", "contractive_alpha": 0.1}
    one = fitted(X, counts, **params)
    other = fitted(np.repeat(X, counts, axis=0), **params)
    np.testing.assert_allclose(one.transform(X), other.transform(X), rtol=1e-4, atol=1e-5)


# ---- tables -------------------------------------------------------------------------------------


def test_frames_keep_index_and_names():
    model = fitted(FRAME)
    assert list(model.feature_names_in_) == list(FRAME.columns)
    assert isinstance(model.transform(FRAME), np.ndarray)
    for rows in (
        model.reconstruct(FRAME),
        model.reconstruction_error(FRAME, per_feature=True),
        model.inverse_transform(pd.DataFrame(model.transform(FRAME), FRAME.index)),
    ):
        assert isinstance(rows, pd.DataFrame)
        pd.testing.assert_index_equal(rows.index, FRAME.index)
        assert list(rows.columns) == list(FRAME.columns)
    assert isinstance(model.reconstruction_error(FRAME), np.ndarray)
    np.testing.assert_allclose(model.reconstruct(FRAME), fitted().reconstruct(X), rtol=1e-9)
    assert isinstance(model.inverse_transform(model.transform(FRAME)), np.ndarray)


@pytest.mark.parametrize("library, cls", [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
@pytest.mark.parametrize("params", [{}, AVERAGE], ids=["one", "average"])
def test_set_output_gives_tables_with_names(params, library, cls):
    frame = FRAME if library == "pandas" else pl.from_dict(FRAME.to_dict("list"))
    model = fitted(frame, **params).set_output(transform=library)
    codes = model.transform(frame)
    assert isinstance(codes, cls)
    assert list(codes.columns) == list(model.get_feature_names_out())
    # scikit-learn 1.6 does not read the names of polars 2.
    known = getattr(model, "feature_names_in_", [f"x{i}" for i in range(6)])
    for rows, names in ((model.reconstruct(frame), FRAME), (model.inverse_transform(codes), None)):
        assert isinstance(rows, cls)
        assert list(rows.columns) == list(known if names is None else names.columns)
    if library == "pandas":
        assert (codes.index == FRAME.index).all()
    model.set_output(transform="default")
    np.testing.assert_array_equal(model.transform(frame), codes.to_numpy())
    again = AutoencoderTransformer(**{**SMALL, **params}).set_output(transform=library)
    assert isinstance(again.fit_transform(frame), cls)


def test_polars_frames_come_back_as_such():
    frame = pl.from_dict(FRAME.to_dict("list"))
    model = fitted(frame)
    rows = model.reconstruct(frame)
    assert isinstance(rows, pl.DataFrame) and rows.columns == list(FRAME.columns)
    same = fitted(FRAME).reconstruct(FRAME)
    np.testing.assert_allclose(rows.to_numpy(), same.to_numpy(), rtol=1e-9)


def test_names_are_made_up_where_x_has_none():
    model = fitted().set_output(transform="pandas")
    assert list(model.reconstruct(X).columns) == ["x0", "x1", "x2", "x3", "x4", "x5"]
    with pytest.raises(ValueError, match="feature names should match|Feature names"):
        fitted(FRAME).transform(FRAME.rename(columns={"ash": "other"}))
