"""What cannot be used is refused in words that name it and the way out."""

import re
from inspect import signature

import numpy as np
import pytest
from scipy.sparse import csr_array

from skmlp import HypernetworkClassifier, HypernetworkRegressor, MLPRegressor
from skmlp.activations import LeakyReLU, Step
from skmlp.callbacks import TimeLimit
from skmlp.initializers import HeNormal
from skmlp.optimizers import Adam
from skmlp.schedules import Cosine

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 40
TASKS = np.resize([1, 2, 3, 4], N)
X = np.column_stack([TASKS, RNG.normal(size=(N, 2))])
Y = X[:, 1] * TASKS
CODES = np.digitize(X[:, 1], [-0.5, 0.5])
SMALL = {
    "hidden_layer_sizes": (4,),
    "hyper_hidden_layer_sizes": (5,),
    "task_features": [0],
    "max_iter": 2,
    "random_state": 0,
}
BOTH = pytest.mark.parametrize("cls", [HypernetworkRegressor, HypernetworkClassifier])


def target_of(cls):
    return Y if cls is HypernetworkRegressor else CODES


def refusal(cls=HypernetworkRegressor, target=None, features=X, given=(), **params):
    """The message with which a fit is refused; a first fit leaves the estimator unfitted."""
    model = cls(**{**SMALL, **params})
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError)) as error:
        model.fit(features, target_of(cls) if target is None else target, **dict(given))
    assert vars(model) == before
    return str(error.value)


# ---- parameters ----------------------------------------------------------------------------------

BAD = {
    "task_features": ["site", 7, 1.5, [], {"site": 1}, object(), True, False],
    "context_features": ["site", 7, 1.5, [], {"site": 1}],
    "context_in_main": ["yes", None, 2],
    "modulation": ["Full", None, 1, "hyper"],
    "rank": ["8", None, 0, -1, 2.5],
    "chunk_size": ["8", 0, -1, 2.5],
    "chunk_embedding_size": ["8", None, 0, 2.5],
    "task_embedding_size": ["8", None, 0, 2.5],
    "hyper_hidden_layer_sizes": ["32", None, -1, 2.5, (10, None), [[5]], (0,)],
    "hyper_activation": ["Relu", None, 5, LeakyReLU, [None], "step", Step()],
    "output_reg": ["0.1", None, -0.1, np.nan],
    "output_reg_tasks": ["2", 0, -1, 2.5],
    "unknown_task": ["mean", None, 1, True],
    "task_weight": ["uniform", 1, True, {1: 2.0}],
    "unseen_classes": ["Mask", None, True, 1],
    "hidden_layer_sizes": ["100", 2.5, None, -1, (10, None), [[5]], (0,)],
    "activation": ["Relu", None, 5, LeakyReLU, [None], "step"],
    "solver": ["ADAM", None, 3, Adam],
    "learning_rate": ["linear", 0.1, None, Cosine],
    "init": ["Auto", None, 0.1, HeNormal],
    "dropout": ["0.1", None, np.nan, [None], 1.0],
    "early_stopping": ["always", None, 2],
    "callbacks": [TimeLimit(1.0), [TimeLimit], "progress"],
    "dtype": ["double", np.float32, None],
}
VALUES = [(name, value) for name, values in BAD.items() for value in values]


@BOTH
@pytest.mark.parametrize(
    "name, value", VALUES, ids=[f"{n}-{v!r}".partition(" at 0x")[0][:60] for n, v in VALUES]
)
def test_values_that_a_parameter_cannot_have(cls, name, value):
    if name == "unseen_classes":
        cls = HypernetworkClassifier
    words = refusal(cls, **{name: value})
    assert name in words


@BOTH
def test_no_parameter_of_its_own_is_left_out(cls):
    own = set(signature(cls).parameters) - set(signature(MLPRegressor).parameters)
    own -= {"class_weight", "label_smoothing", "margin"}
    assert own <= set(BAD)
    # What would act on weights that nobody holds does not exist.
    for name in ("parametrization", "input_scale_layer", "encoder"):
        assert name not in signature(cls).parameters
        with pytest.raises(TypeError, match=name):
            cls(**{name: 1})


@pytest.mark.parametrize("name, value, home", [
    ("rank", 4, "low_rank"), ("chunk_size", 64, "chunked"), ("chunk_embedding_size", 4, "chunked"),
])  # fmt: skip
@pytest.mark.parametrize("modulation", ["full", "chunked", "low_rank", "film"])
@BOTH
def test_parameters_of_other_modulations(cls, name, value, home, modulation):
    if modulation == home:
        cls(**SMALL, modulation=modulation, **{name: value}).fit(X, target_of(cls))
        return
    words = refusal(cls, modulation=modulation, **{name: value})
    assert f"{name}={value} cannot act with modulation={modulation!r}" in words
    assert f"modulation={home!r}" in words


def test_auto_takes_them_all():
    """It is not known beforehand what it stands for."""
    params = {"rank": 3, "chunk_size": 9, "chunk_embedding_size": 2}
    assert HypernetworkRegressor(**SMALL, **params).fit(X, Y).modulation_ == "full"


@pytest.mark.parametrize("params, words", [
    ({"hyper_activation": "step"}, "hyper_activation='step'"),
    ({"hyper_activation": ["relu"] * 2}, "hyper_activation has 2 entries, but hyper_hidden_layer"),
    ({"dropout": [0.1, 0.2]}, "dropout has 2 entries, but hidden_layer_sizes has 1"),
    ({"solver": "lbfgs", "dropout": 0.1}, "dropout="),
    ({"solver": "lbfgs", "learning_rate": "cosine"}, "learning_rate='cosine'"),
    ({"solver": "lbfgs", "max_grad_norm": 1.0}, "max_grad_norm"),
    ({"scoring": "r2"}, "scoring='r2' cannot act without a validation set"),
    ({"loss": "gamma"}, "loss='gamma'"),
    ({"loss": "poisson"}, "loss='poisson'"),
    ({"loss": "quantile", "quantile": (0.9, 0.1)}, "quantile="),
])  # fmt: skip
def test_combinations(params, words):
    assert words in refusal(target=Y - 100.0, **params)


@pytest.mark.parametrize("params, words", [
    ({"loss": "hinge"}, "loss='hinge' is for binary targets"),
    ({"label_smoothing": 1.5}, "label_smoothing"),
    ({"class_weight": {7: 1.0}}, "class_weight"),
])  # fmt: skip
def test_combinations_of_classifiers(params, words):
    assert words in refusal(HypernetworkClassifier, **params)


def test_smoothing_needs_all_classes_in_every_task():
    target = np.where(TASKS == 2, np.minimum(CODES, 1), CODES)
    words = refusal(HypernetworkClassifier, target, label_smoothing=0.1)
    assert "label_smoothing=0.1 cannot act" in words and "task 2.0 without class 2" in words
    model = HypernetworkClassifier(**SMALL, label_smoothing=0.1).fit(X, CODES)
    assert np.isfinite(model.predict_proba(X)).all()
    HypernetworkClassifier(**SMALL, label_smoothing=0.1).fit(X, target > 0)


def test_lbfgs_cannot_draw():
    params = {**SMALL, "solver": "lbfgs", "warm_start": True}
    later = X + [10.0, 0.0, 0.0]
    model = HypernetworkRegressor(**params, output_reg_tasks=2).fit(X, Y)
    before = model.theta_
    with pytest.raises(ValueError, match=r"solver='lbfgs' cannot .*output_reg_tasks=2.*'adam'"):
        model.fit(later, Y)
    np.testing.assert_array_equal(model.theta_, before)
    assert model.tasks_.tolist() == [1, 2, 3, 4]
    model = HypernetworkRegressor(**params, context_features=[2]).fit(X, Y)
    with pytest.raises(ValueError, match="contexts"):
        model.fit(later, Y)
    # Nothing to hold, nothing to draw.
    model.set_params(output_reg=0.0).fit(later, Y)
    assert len(model.tasks_) == 8


@BOTH
def test_partial_fit_does_not_see_all_rows(cls):
    given = {} if cls is HypernetworkRegressor else {"classes": [0, 1, 2]}
    model = cls(**SMALL, task_weight="balanced")
    with pytest.raises(
        ValueError, match="task_weight='balanced' cannot act in partial_fit.*sample"
    ):
        model.partial_fit(X, target_of(cls), **given)
    for params in ({"early_stopping": True}, {"solver": "lbfgs"}, {"n_init": 2}):
        model = cls(**SMALL, **params)
        assert not hasattr(model, "partial_fit")
    with pytest.raises(ValueError, match="learning_rate='cosine'"):
        cls(**SMALL, learning_rate="cosine").partial_fit(X, target_of(cls), **given)


def test_classes_of_partial_fit():
    model = HypernetworkClassifier(**SMALL)
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, CODES)
    with pytest.raises(ValueError, match="classes|labels"):
        model.partial_fit(X, CODES, classes=[0, 1])
    model.partial_fit(X, CODES, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, CODES, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="classes|labels"):
        model.partial_fit(X, CODES + 1)


CHANGES = [
    ({}, {"modulation": "film"}, "modulation"),
    ({}, {"modulation": "chunked"}, "modulation"),
    ({"modulation": "low_rank"}, {"rank": 3}, "rank"),
    ({"modulation": "chunked"}, {"chunk_size": 7}, "chunk_size"),
    ({"modulation": "chunked"}, {"chunk_embedding_size": 3}, "chunk_embedding_size"),
    ({}, {"task_embedding_size": 3}, "task_embedding_size"),
    ({}, {"hyper_hidden_layer_sizes": (7,)}, "hyper_hidden_layer_sizes"),
    ({}, {"hidden_layer_sizes": (7,)}, "hidden_layer_sizes"),
    ({}, {"task_features": [1]}, "task_features"),
    ({}, {"task_features": [0, 1]}, "task_features"),
    ({}, {"task_features": None}, "task_features"),
    ({}, {"context_features": [2]}, "context_features"),
    ({"context_features": [2]}, {"context_in_main": True}, "context_in_main"),
    ({}, {"feature_scaling": "robust"}, "feature_scaling"),
    ({}, {"n_init": 2, "combine_inits": "average"}, "combine_inits"),
]


@pytest.mark.parametrize("warm", [False, True], ids=["partial_fit", "warm_start"])
@pytest.mark.parametrize("params, changed, words", CHANGES, ids=[str(c[1]) for c in CHANGES])
def test_another_kind_of_network_cannot_go_on(params, changed, words, warm):
    model = HypernetworkRegressor(**{**SMALL, **params, "warm_start": warm}).fit(X, Y)
    before = model.predict(X)
    model.set_params(**changed)
    with pytest.raises(ValueError) as error:
        model.fit(X, Y) if warm else model.partial_fit(X, Y)
    assert words in str(error.value)
    np.testing.assert_array_equal(model.predict(X), before)
    model.set_params(warm_start=False).fit(X, Y)


def test_what_may_change_between_calls():
    model = HypernetworkRegressor(**SMALL).partial_fit(X, Y)
    changes = {"output_reg": 3.0, "output_reg_tasks": 1, "alpha": 0.1, "learning_rate_init": 0.1}
    model.set_params(**changes, unknown_task="error").partial_fit(X + [9.0, 0.0, 0.0], Y)
    assert len(model.tasks_) == 8


# ---- data ----------------------------------------------------------------------------------------


@BOTH
def test_sparse_rows(cls):
    words = refusal(cls, features=csr_array(X))
    assert "Sparse" in words and "toarray" in words
    model = cls(**SMALL).fit(X, target_of(cls))
    for call in (model.predict, lambda X: model.partial_fit(X, target_of(cls))):
        with pytest.raises(TypeError, match="toarray"):
            call(csr_array(X))


@BOTH
@pytest.mark.parametrize("features, words", [
    (X[:, 0], "1D array"),
    (X.tolist()[0], "1D array"),
    (np.stack([X, X]), "reshape"),
    (X[:0], "0 sample"),
    (X[:, :0], "0 feature"),
    (np.where(X == X[3, 0], np.nan, X), "missing value, nan"),
    (np.where(X == X[3, 1], np.inf, X), "infinity"),
    (X.astype(complex), "Complex"),
    (X.astype(str), "could not convert|dtype"),
    (3.0, "scalar|0"),
    (None, "None|scalar|shape"),
], ids=str)  # fmt: skip
def test_tables_that_are_none(cls, features, words):
    if "could not" in words:
        # Texts of numbers are tasks, and what is left are numbers.
        model = cls(**SMALL).fit(features.astype(object), target_of(cls))
        assert model.tasks_.tolist() == ["1.0", "2.0", "3.0", "4.0"]
        return
    assert re.search(words, refusal(cls, features=features))


@pytest.mark.parametrize("call", ["predict", "partial_fit", "adapt"])
@pytest.mark.parametrize("features", [
    X[0], X[0].tolist(), np.stack([X, X]), X[:, :2], X[:, :1], np.c_[X, X], X[:0], 3.0,
], ids=["row", "list", "3d", "two", "one", "six", "none", "scalar"])  # fmt: skip
def test_tables_of_other_shapes_later(call, features):
    model = HypernetworkRegressor(**SMALL).fit(X, Y)
    target = () if call == "predict" else (Y[: np.shape(features)[0] if np.ndim(features) else 1],)
    before = model.theta_
    with pytest.raises(ValueError) as error:
        getattr(model, call)(features, *target)
    assert "task_features" not in str(error.value)
    np.testing.assert_array_equal(model.theta_, before)


@pytest.mark.parametrize("target, words", [
    (Y[:-1], "inconsistent numbers of samples"),
    (np.where(Y == Y[3], np.nan, Y), "NaN"),
    (np.array(["a"] * N), "could not convert|numeric|string"),
])  # fmt: skip
def test_targets_of_regressors(target, words):
    assert re.search(words, refusal(target=target))


@BOTH
@pytest.mark.parametrize("weight, words", [
    (np.zeros(N), "sample_weight"),
    (-np.ones(N), "sample_weight"),
    (np.ones(N - 1), "sample_weight"),
    (np.full(N, np.nan), "sample_weight|NaN"),
], ids=["zero", "negative", "short", "nan"])  # fmt: skip
def test_weights(cls, weight, words):
    assert re.search(words, refusal(cls, given={"sample_weight": weight}))
    model = cls(**SMALL).fit(X, target_of(cls))
    with pytest.raises(ValueError, match=words):
        model.adapt(X + [9.0, 0.0, 0.0], target_of(cls), weight)


@BOTH
def test_nothing_works_before_fit(cls):
    model = cls(**SMALL)
    names = ["predict", "score", "adapt", "task_parameters"]
    names += ["predict_proba", "decision_function"] * (cls is HypernetworkClassifier)
    for name in names:
        given = {"score": (X, Y), "adapt": (X, Y), "task_parameters": (1,)}.get(name, (X,))
        with pytest.raises(ValueError, match="not fitted"):
            getattr(model, name)(*given)
    assert not hasattr(model, "tasks_") and not hasattr(model, "coefs_")
