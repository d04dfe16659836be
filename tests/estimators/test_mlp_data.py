"""X of every container, dtype and order; what is refused, and how much memory it takes."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix
from sklearn.datasets import make_classification, make_regression
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_regression(n_samples=120, n_features=4, noise=5.0, random_state=0)
X_int = np.round(X * 20 + 100).clip(0, 255)
y_three = make_classification(
    n_samples=120, n_features=4, n_informative=3, n_redundant=0, n_classes=3, random_state=1,
    n_clusters_per_class=1,
)[1]  # fmt: skip
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0, "batch_size": 50}
PAIRS = [(MLPRegressor, y), (MLPClassifier, y_three)]


def outputs(model, features):
    """Whatever is continuous in the parameters."""
    return getattr(model, "decision_function", model.predict)(features)


def mapped(array, path):
    """A read-only memory map that holds `array`."""
    array.tofile(path)
    return np.memmap(path, dtype=array.dtype, mode="r", shape=array.shape)


@pytest.mark.parametrize("cls, target", PAIRS)
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_data_frames_bring_feature_names(frame, cls, target):
    columns = ["a", "b", "c", "d"]
    table = frame(dict(zip(columns, X.T, strict=True)))
    for early_stopping in (False, True):
        settings = {**SMALL, "early_stopping": early_stopping}
        model = cls(**settings).fit(table, target)
        assert model.n_features_in_ == 4
        expected = cls(**settings).fit(X, target)
        np.testing.assert_allclose(outputs(model, table), outputs(expected, X), rtol=1e-9)
    # The oldest scikit-learn does not read the names of today's polars.
    if not hasattr(StandardScaler().fit(table), "feature_names_in_"):
        return
    assert model.feature_names_in_.tolist() == columns
    with pytest.raises(ValueError, match="(?i)feature names"):
        model.predict(table[columns[::-1]])
    with pytest.warns(UserWarning, match="feature names"):
        model.predict(X)
    cls(**SMALL).partial_fit(table, target, **classes_of(cls)).partial_fit(table, target)


def classes_of(cls):
    return {"classes": [0, 1, 2]} if cls is MLPClassifier else {}


@pytest.mark.parametrize("cls, target", PAIRS)
@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[::-1][::-1],
        lambda a: a.tolist(),
        lambda a: a.astype(object),
        pd.DataFrame,
    ],
    ids=["fortran", "strided", "reversed", "list", "object", "pandas"],
)
@pytest.mark.parametrize("feature_scaling", ["standard", "robust", None])
def test_containers_do_not_matter(convert, cls, target, feature_scaling):
    settings = {**SMALL, "feature_scaling": feature_scaling}
    expected = cls(**settings).fit(X_int, target)
    model = cls(**settings).fit(convert(X_int), target)
    np.testing.assert_allclose(model.theta_, expected.theta_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(outputs(model, convert(X_int)), outputs(expected, X_int), rtol=1e-7)


@pytest.mark.parametrize("cls, target", PAIRS)
@pytest.mark.parametrize(
    "dtype, computed",
    [
        (np.float16, np.float64),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.uint8, np.float64),
        (np.int64, np.float64),
        (bool, np.float64),
    ],
)
@pytest.mark.parametrize("feature_scaling", ["standard", "minmax", "robust", None])
def test_dtypes(cls, target, dtype, computed, feature_scaling):
    features = (X_int > 100 if dtype is bool else X_int).astype(dtype)
    settings = {**SMALL, "feature_scaling": feature_scaling}
    model = cls(**settings).fit(features, target)
    assert model.theta_.dtype == computed == outputs(model, features).dtype
    expected = cls(**settings).fit(features.astype(computed), target)
    np.testing.assert_array_equal(model.theta_, expected.theta_)
    for asked in (np.float32, np.float64):
        model = cls(dtype=np.dtype(asked).name, **settings).fit(features, target)
        assert model.theta_.dtype == asked == outputs(model, features).dtype
    if cls is MLPClassifier:
        assert model.predict_proba(features).dtype == np.float64


@pytest.mark.parametrize("container", [csr_array, csr_matrix, csc_array, csc_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_sparse_containers_and_dtypes(container, dtype):
    features = container(np.where(X_int > 110, X_int, 0).astype(dtype))
    model = MLPClassifier(**SMALL).fit(features, y_three)
    expected = MLPClassifier(dtype=model.theta_.dtype.name, **SMALL)
    expected.fit(csr_array(features).astype(np.float64), y_three)
    tolerance = 1e-3 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(model.theta_, expected.theta_, atol=tolerance)
    before = features.copy()
    model.predict(features)
    assert (features != before).nnz == 0


@pytest.mark.parametrize("cls, target", PAIRS)
def test_read_only_input_stays_as_it_is(cls, target):
    features, values, weight = X.copy(), target.copy(), np.ones(120)
    for array in (features, values, weight):
        array.flags.writeable = False
    for scaling in ("standard", None):
        model = cls(feature_scaling=scaling, **SMALL).fit(features, values, weight)
        model.predict(features)
        cls(feature_scaling=scaling, **SMALL).partial_fit(features, values, **classes_of(cls))
    sparse = csr_array(X_int)
    for array in (sparse.data, sparse.indices, sparse.indptr):
        array.flags.writeable = False
    cls(**SMALL).fit(sparse, values).predict(sparse)


@pytest.mark.parametrize("cls, target", PAIRS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("feature_scaling", ["standard", "minmax", "robust", None])
def test_memory_maps_give_the_fit_of_memory(cls, target, dtype, feature_scaling, tmp_path):
    features = X_int.astype(dtype)
    on_disk = mapped(features, tmp_path / "X.bin")
    settings = {**SMALL, "feature_scaling": feature_scaling, "shuffle": False}
    in_memory = cls(**settings).fit(features, target)
    from_disk = cls(**settings).fit(on_disk, target)
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(from_disk.theta_, in_memory.theta_, atol=tolerance)
    np.testing.assert_allclose(outputs(from_disk, on_disk), outputs(from_disk, features), rtol=1e-5)
    # All other things that a fit can do with rows.
    cls(early_stopping=True, **{**settings, "shuffle": True}).fit(on_disk, target)
    cls(**settings).partial_fit(on_disk, target, **classes_of(cls))
    cls(solver="lbfgs", **settings).fit(on_disk, target, np.arange(120) % 3)


def peak_of(call):
    """Bytes that `call` allocates at most."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("feature_scaling", ["standard", "minmax", "robust", None])
@pytest.mark.parametrize("stored", [np.float32, np.uint8])
def test_a_memory_map_is_never_loaded_whole(feature_scaling, stored, tmp_path):
    n, d = 60_000, 100
    on_disk = np.memmap(tmp_path / "X.bin", dtype=stored, mode="w+", shape=(n, d))
    on_disk[:] = np.random.default_rng(0).integers(0, 200, size=(1, d))
    on_disk[:, 0] = np.arange(n) % 100
    target = on_disk[:, 0] / 100.0
    model = MLPRegressor(
        hidden_layer_sizes=(4,), max_iter=1, batch_size=2000, feature_scaling=feature_scaling
    )
    # In float64 the whole would be 48 MB; in its own dtype it is 24 or 6 MB.
    assert peak_of(lambda: model.fit(on_disk, target)) < 22e6
    assert peak_of(lambda: model.predict(on_disk)) < 26e6


def test_blocks_are_small_for_wide_rows_too(tmp_path):
    on_disk = np.memmap(tmp_path / "X.bin", dtype=np.float32, mode="w+", shape=(4000, 3000))
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=1, batch_size=100, alpha=0.0)
    model.fit(on_disk[:200], np.arange(200.0))
    # The whole is 48 MB, and 96 MB in float64.
    assert peak_of(lambda: model.predict(on_disk)) < 40e6
    sparse = csr_array((4000, 3000))
    assert peak_of(lambda: model.predict(sparse)) < 40e6
    lbfgs = MLPRegressor(hidden_layer_sizes=(4,), max_iter=1, solver="lbfgs")
    assert peak_of(lambda: lbfgs.fit(on_disk, np.arange(4000.0))) < 60e6


def test_in_memory_x_is_scaled_once_into_the_compute_dtype():
    """The peak beyond X itself is one copy of it in the compute dtype and little more."""
    features = np.random.default_rng(0).normal(size=(60_000, 100))
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=1, batch_size=2000)
    assert peak_of(lambda: model.fit(features, features[:, 0])) < 1.3 * features.nbytes
    narrow = MLPRegressor(hidden_layer_sizes=(4,), max_iter=1, batch_size=2000, dtype="float32")
    assert peak_of(lambda: narrow.fit(features, features[:, 0])) < 0.8 * features.nbytes
    assert peak_of(lambda: model.predict(features)) < 0.4 * features.nbytes


@pytest.mark.parametrize("cls, target", PAIRS)
def test_prediction_takes_bounded_memory(cls, target):
    """Hidden activations of all rows at once would be 160 MB."""
    model = cls(hidden_layer_sizes=(200,), max_iter=1, random_state=0).fit(X, target)
    many = np.zeros((100_000, 4))
    output = 100_000 * 8 * (1 if cls is MLPRegressor else 3)
    assert peak_of(lambda: model.predict(many)) < 25e6 + 3 * output
    sparse = csr_array(many)
    assert peak_of(lambda: model.predict(sparse)) < 25e6 + 3 * output


def test_prediction_is_the_same_in_blocks_and_at_once():
    model = MLPRegressor(**SMALL).fit(X, y)
    many = np.random.default_rng(0).normal(size=(20_001, 4))
    whole = model.predict(many)
    parts = np.concatenate([model.predict(many[i : i + 777]) for i in range(0, 20_001, 777)])
    np.testing.assert_allclose(whole, parts, rtol=1e-9, atol=1e-9)
    assert model.predict(many[:1]).shape == (1,)


@pytest.mark.parametrize("cls, target", PAIRS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_x_that_is_not_finite(cls, target, bad):
    features = X.copy()
    features[3, 2] = bad
    for scaling in ("standard", None):
        with pytest.raises(ValueError, match="NaN|infinity"):
            cls(feature_scaling=scaling, missing="error", **SMALL).fit(features, target)
    with pytest.raises(ValueError, match="NaN|infinity"):
        cls(**SMALL).fit(csr_array(features), target)
    with pytest.raises(ValueError, match="NaN|infinity"):
        cls(missing="error", **SMALL).fit(X, target).predict(features)


@pytest.mark.parametrize("cls, target", PAIRS)
@pytest.mark.parametrize("images", [X.reshape(120, 2, 2), X.reshape(120, 2, 2).tolist()])
def test_three_dimensions_are_answered_with_the_remedy(cls, target, images):
    with pytest.raises(ValueError, match=r"X\.reshape\(len\(X\), -1\)"):
        cls(**SMALL).fit(images, target)
    with pytest.raises(ValueError, match=r"X\.reshape\(len\(X\), -1\)"):
        cls(**SMALL).fit(X, target).predict(images)
    with pytest.raises(ValueError, match=r"X\.reshape\(len\(X\), -1\)"):
        cls(**SMALL).partial_fit(images, target, **classes_of(cls))


@pytest.mark.parametrize("cls, target", PAIRS)
def test_shapes_that_no_fit_can_use(cls, target):
    model = cls(categorical_features=None, **SMALL)
    for features, values, words in [
        (X[:, 0], target, "1D array"),
        (X[:0], target[:0], "0 sample"),
        (X[:, :0], target, "0 feature"),
        (X[:50], target, "inconsistent"),
        (np.array([["a", "b"]] * 120), target, "strings such as 'a'"),
        (X + 1j, target, "(?i)complex"),
    ]:
        with pytest.raises(ValueError, match=words):
            model.fit(features, values)
    with pytest.raises(ValueError, match="3 features.*4 features"):
        model.fit(X, target).predict(X[:, :3])


@pytest.mark.parametrize("cls, target", PAIRS)
@pytest.mark.parametrize(
    "weight, words",
    [
        (np.full(120, -1.0), "sample_weight.*negative.*-1.*0 to leave a row out"),
        (np.zeros(120), "sample_weight.*zero"),
        (np.full(120, np.nan), "sample_weight.*NaN"),
        (np.ones(119), "sample_weight.*120"),
        (np.ones((120, 2)), "sample_weight.*120"),
    ],
)
def test_weights_that_no_fit_can_use(cls, target, weight, words):
    with pytest.raises(ValueError, match=words):
        cls(**SMALL).fit(X, target, weight)
    with pytest.raises(ValueError, match=words):
        cls(**SMALL).partial_fit(X, target, weight, **classes_of(cls))


@pytest.mark.parametrize("cls, target", PAIRS)
@pytest.mark.parametrize("convert", [np.asarray, csr_array])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_rows_of_weight_zero_are_dropped(cls, target, convert, options):
    weight = np.random.default_rng(0).integers(0, 3, size=120).astype(float)
    keep = weight > 0
    settings = {**SMALL, **options}
    dropped = cls(**settings).fit(convert(X_int), target, weight)
    left_out = cls(**settings).fit(convert(X_int[keep]), target[keep], weight[keep])
    np.testing.assert_allclose(dropped.theta_, left_out.theta_, rtol=1e-7, atol=1e-10)
    assert dropped.t_ == left_out.t_


def test_a_class_without_weight_does_not_exist():
    dropped = MLPClassifier(**SMALL).fit(X, y_three, y_three != 2)
    left_out = MLPClassifier(**SMALL).fit(X[y_three != 2], y_three[y_three != 2])
    np.testing.assert_array_equal(dropped.classes_, left_out.classes_)
    np.testing.assert_allclose(dropped.theta_, left_out.theta_, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_number_as_weight_acts_on_alpha_only(scale):
    settings = {**SMALL, "alpha": 0.0}
    plain = MLPRegressor(**settings).fit(X, y)
    weighted = MLPRegressor(**settings).fit(X, y, np.full(120, scale))
    np.testing.assert_allclose(weighted.theta_, plain.theta_, rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Classes with a single row")
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("cls, target", PAIRS)
def test_few_rows(cls, target, n):
    model = cls(hidden_layer_sizes=(5,), max_iter=5, random_state=0).fit(X[:n], target[:n])
    assert np.isfinite(outputs(model, X)).all()
    if n < 3:
        with pytest.raises(ValueError, match="validation set is too small.*validation_fraction"):
            cls(early_stopping=True).fit(X[:n], target[:n])


@pytest.mark.parametrize("cls, target", PAIRS)
def test_predicting_from_many_threads_writes_nothing(cls, target):
    model = cls(**SMALL).fit(X, target)
    state = {name: repr(value) for name, value in vars(model).items()}
    parts = [np.random.default_rng(k).normal(size=(3000, 4)) for k in range(8)]
    expected = [outputs(model, part) for part in parts]
    model.theta_.flags.writeable = False
    with ThreadPoolExecutor(4) as pool:
        for got, alone in zip(
            pool.map(lambda part: outputs(model, part), parts), expected, strict=True
        ):
            np.testing.assert_array_equal(got, alone)
    assert {name: repr(value) for name, value in vars(model).items()} == state


@pytest.mark.parametrize("name", ["X", "y"])
def test_variances_that_overflow_are_refused_by_name(name):
    rng = np.random.default_rng(0)
    data = {"X": rng.normal(size=(20, 3)), "y": rng.normal(size=20)}
    data[name] = data[name] * 1e200
    with pytest.raises(ValueError, match=rf"^{name} has values so large .*\[0"):
        MLPRegressor().fit(**data)


def test_a_stream_whose_variance_overflows_is_refused():
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20.0)
    model = MLPRegressor().partial_fit(X, y)
    with pytest.raises(ValueError, match="X has values so large"):
        model.partial_fit(X + 1e300, y)
