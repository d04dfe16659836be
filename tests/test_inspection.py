"""Backpropagation against difference formulas, for every kind of estimator."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import expit
from scipy.stats import t as student_t
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    DensityRegressor,
    HypernetworkClassifier,
    HypernetworkRegressor,
    MLPClassifier,
    MLPRegressor,
)
from skmlp.activations import ACTIVATIONS, Tanh
from skmlp.constructions import convex_polygon
from skmlp.estimators._problem import Problem
from skmlp.families import FAMILIES, Normal
from skmlp.inspection import check_gradient
from skmlp.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 3))
y = np.exp(0.5 * X[:, 0]) + rng.uniform(0.1, 0.5, 24)
labels = np.digitize(X[:, 1], [-0.5, 0.5])
tasks = np.repeat(["a", "b", "c"], 8)
many = pd.Categorical(np.array(list("abcdefghijkl"))[np.arange(24) % 12])
table = pd.DataFrame(X, columns=["u", "v", "w"]).assign(task=tasks)
weight = rng.uniform(0.5, 2.0, 24)
# Counts, and numbers whose distribution has parameters in the middle of their range.
FAR_FROM_BOUNDS = {
    "poisson": rng.poisson(3.0, 24),
    "negative_binomial": rng.negative_binomial(1, 0.2, 24),
    "student_t": rng.permutation(student_t(4).ppf((np.arange(24) + 0.5) / 24)),
}

SMALL = {"hidden_layer_sizes": (4,), "activation": "tanh", "random_state": 0}
HYPER = {**SMALL, "hyper_hidden_layer_sizes": (4,), "hyper_activation": "tanh"}
BY_TASK = {**HYPER, "task_features": "task"}

KINDS = {
    "regressor": (MLPRegressor(**SMALL), X, y),
    "two targets": (MLPRegressor(alpha=0.1, **SMALL), X, np.column_stack([y, X[:, 0]])),
    "classifier": (MLPClassifier(**SMALL), X, labels),
    "two classes": (MLPClassifier(label_smoothing=0.1, **SMALL), X, labels > 0),
    "multilabel": (MLPClassifier(**SMALL), X, (X > 0).astype(int)),
    "logistic regression": (MLPClassifier((), random_state=0), X, labels),
    "sparse": (MLPRegressor(**SMALL), csr_array(np.where(X > 0, X, 0.0)), y),
    "scale layer, ntk": (
        MLPRegressor(input_scale_layer=True, parametrization="ntk", **SMALL),
        X,
        y,
    ),
    "categories": (MLPRegressor(**SMALL), pd.DataFrame({"u": X[:, 0], "level": many}), y),
    "waves": (
        MLPRegressor(numeric_embedding_size=2, **SMALL),
        pd.DataFrame({"u": X[:, 0], "v": X[:, 1], "level": many}),
        y,
    ),
    "bins": (
        MLPRegressor(numeric_embedding="piecewise", numeric_embedding_size=2, **SMALL),
        pd.DataFrame({"u": X[:, 0], "v": X[:, 1], "level": many}),
        y,
    ),
    "dropout": (MLPRegressor(dropout=0.5, **SMALL), X, y),
    "early stopping": (MLPRegressor(early_stopping=True, **SMALL), X, y),
    "encoder": (
        MLPRegressor(
            encoder=AutoencoderTransformer(2, (3,), activation="tanh", max_iter=3), **SMALL
        ),
        X,
        y,
    ),
    "autoencoder": (AutoencoderTransformer(2, **SMALL), X, None),
    "tied and contractive": (
        AutoencoderTransformer(2, tied_weights=True, contractive_alpha=0.3, **SMALL),
        X,
        None,
    ),
    "denoising and sparse": (
        AutoencoderTransformer(
            4,
            code_activation="logistic",
            noise="masking",
            noise_level=0.3,
            sparsity="kl",
            sparsity_alpha=0.2,
            **SMALL,
        ),
        X,
        None,
    ),
    "density": (DensityRegressor(**SMALL), X, y),
    "covariance": (DensityRegressor(**SMALL), X, np.column_stack([y, X[:, 0]])),
    "tied covariance": (
        DensityRegressor(covariance_type="tied", **SMALL),
        X,
        np.column_stack([y, X[:, 0]]),
    ),
    "full": (HypernetworkRegressor(modulation="full", **BY_TASK), table, y),
    "chunked": (HypernetworkRegressor(modulation="chunked", chunk_size=5, **BY_TASK), table, y),
    "low_rank": (HypernetworkRegressor(modulation="low_rank", rank=2, **BY_TASK), table, y),
    "film": (HypernetworkRegressor(modulation="film", **BY_TASK), table, y),
    "context": (HypernetworkRegressor(context_features=[0], **HYPER), X, y),
    "classes of tasks": (HypernetworkClassifier(**BY_TASK), table, labels),
}


def total_error(result):
    """Both ways to put the errors into one number."""
    return max(result.relative_error, *(block.max_relative_error for block in result.blocks))


@pytest.mark.parametrize("scheme, bound", [("forward", 1e-5), ("central", 1e-7)])
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_before_training(name, scheme, bound):
    estimator, rows, target = KINDS[name]
    result = check_gradient(estimator, rows, target, scheme)
    assert total_error(result) < bound
    assert result.max_abs_error < bound
    assert np.linalg.norm(result.gradient) > 1e-3


@pytest.mark.parametrize("weights", [None, weight], ids=["", "weighted"])
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_after_training(name, weights):
    estimator, rows, target = KINDS[name]
    fitted = copy.deepcopy(estimator).set_params(max_iter=3).fit(rows, target)
    result = check_gradient(fitted, rows, target, "central", sample_weight=weights)
    assert total_error(result) < 1e-7
    # A later fit may lack classes and tasks.
    few = rows[:8]
    assert total_error(check_gradient(fitted, few, None if target is None else target[:8])) < 1e-4


@pytest.mark.parametrize("name", [n for n, cls in ACTIVATIONS.items() if cls.trainable])
def test_every_activation(name):
    model = MLPRegressor(hidden_layer_sizes=(4, 3), activation=name, random_state=0)
    assert check_gradient(model, X, y, "central").relative_error < 1e-6


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_every_loss_of_numbers(loss):
    assert check_gradient(MLPRegressor(loss, **SMALL), X, y, "central").relative_error < 1e-6


@pytest.mark.parametrize("loss", CLASSIFICATION_LOSSES)
def test_every_loss_of_classes(loss):
    model = MLPClassifier(loss=loss, **SMALL)
    assert check_gradient(model, X, labels > 0, "central").relative_error < 1e-6


@pytest.mark.parametrize("name", FAMILIES)
def test_every_distribution(name):
    target = FAR_FROM_BOUNDS.get(name, y)
    model = DensityRegressor(name, **SMALL)
    assert check_gradient(model, X, target, "central").relative_error < 1e-6


# How the error depends on eps


def errors(scheme, sizes):
    model = MLPRegressor(**SMALL).set_params(max_iter=5).fit(X, y)
    return np.array([check_gradient(model, X, y, scheme, eps).relative_error for eps in sizes])


@pytest.mark.parametrize("scheme, order", [("forward", 1), ("central", 2)])
def test_order_of_the_formulas(scheme, order):
    sizes = np.array([1e-1, 1e-2, 1e-3])
    slopes = np.diff(np.log(errors(scheme, sizes))) / np.diff(np.log(sizes))
    np.testing.assert_allclose(slopes, order, atol=0.05)


@pytest.mark.parametrize("scheme", ["forward", "central"])
def test_rounding_takes_over(scheme):
    result = check_gradient(MLPRegressor(**SMALL), X, y, scheme)
    near_best, smaller = errors(scheme, [result.eps, 1e-12])
    assert near_best < 1e-3 * smaller


def test_default_eps_follows_the_dtype():
    for dtype in ("float32", "float64"):
        model, unit = MLPRegressor(dtype=dtype, **SMALL), np.finfo(dtype).eps
        assert check_gradient(model, X, y).eps == pytest.approx(unit**0.5)
        result = check_gradient(model, X, y, "central")
        assert result.eps == pytest.approx(unit ** (1 / 3))
        assert result.relative_error < 30 * unit ** (2 / 3)


# What is found


def test_a_wrong_derivative_is_found_where_it_is(monkeypatch):
    right = Tanh.backward

    def wrong(self, z, a, grad, work):
        right(self, z, a, grad, work)
        grad *= 1.01

    monkeypatch.setattr(Tanh, "backward", wrong)
    result = check_gradient(MLPRegressor(**SMALL), X, y, "central")
    found = {block.name: block.max_relative_error for block in result.blocks}
    assert found["weights[0]"] == pytest.approx(0.01, rel=0.1)
    assert found["biases[0]"] == pytest.approx(0.01, rel=0.1)
    assert max(found["weights[1]"], found["biases[1]"]) < 1e-7
    assert result.relative_error > 1e-3


def test_gradient_of_logistic_regression_by_hand():
    weights, bias, positive = np.array([0.3, -0.2, 0.5]), 0.1, labels > 0
    model = MLPClassifier.from_weights(
        [weights[:, np.newaxis]], [[bias]], activation=[], classes=[False, True]
    ).set_params(alpha=0.7)
    result = check_gradient(model, X, positive, "central", sample_weight=weight)
    off = weight * (expit(X @ weights + bias) - positive) / weight.sum()
    np.testing.assert_allclose(result.gradient[:3], X.T @ off + 0.7 * weights / weight.sum())
    np.testing.assert_allclose(result.gradient[3], off.sum())
    np.testing.assert_allclose(result.differences, result.gradient, rtol=1e-8)
    log_proba = model.predict_log_proba(X)[np.arange(24), positive.astype(int)]
    loss = -np.average(log_proba, weights=weight) + 0.35 * weights @ weights / weight.sum()
    assert result.loss == pytest.approx(loss, rel=1e-12)


def test_it_is_what_training_minimises():
    model = MLPRegressor(solver="lbfgs", alpha=0.1, tol=1e-10, max_iter=2000, **SMALL).fit(X, y)
    result = check_gradient(model, X, y)
    assert result.loss == pytest.approx(model.loss_, rel=1e-10)
    first = check_gradient(MLPRegressor(alpha=0.1, **SMALL), X, y)
    assert np.linalg.norm(result.gradient) < 1e-3 * np.linalg.norm(first.gradient)
    start = check_gradient(model.set_params(warm_start=False), X, y)
    assert start.loss == result.loss  # a fitted one is looked at where it is


def test_a_step_along_minus_the_gradient_is_what_sgd_does():
    settings = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.01, "batch_size": 24}
    model = MLPRegressor(**settings, **SMALL).set_params(max_iter=1).fit(X, y)
    result = check_gradient(model, X, y)
    before = model.theta_.copy()
    model.set_params(warm_start=True).fit(X, y)
    np.testing.assert_allclose(model.theta_, before - 0.01 * result.gradient, rtol=1e-12)


def test_protection_of_earlier_tasks_is_part_of_it():
    first, second = np.isin(tasks, ["a", "b"]), tasks == "c"
    results = []
    for output_reg in (0.0, 10.0):
        model = HypernetworkRegressor(output_reg=output_reg, modulation="full", **BY_TASK)
        model.partial_fit(table[first], y[first]).partial_fit(table[second], y[second])
        result = check_gradient(model, table[second], y[second], "central")
        assert total_error(result) < 1e-6
        results.append(result.gradient)
    assert np.abs(results[0] - results[1]).max() > 1e-3


# What is told


def test_blocks_of_a_network():
    model = MLPRegressor(
        hidden_layer_sizes=(4, 1), activation="prelu", input_scale_layer=True, random_state=0
    )
    result = check_gradient(model, X, y)
    assert [(block.name, block.shape) for block in result.blocks] == [
        ("weights[0]", (3, 4)),
        ("biases[0]", (4,)),
        ("scales[0]", (3,)),
        ("slopes[0]", (1,)),
        ("weights[1]", (4, 1)),
        ("biases[1]", (1,)),
        ("slopes[1]", (1,)),
        ("weights[2]", (1, 1)),
        ("biases[2]", (1,)),
    ]
    frame = pd.DataFrame(result.blocks)
    assert frame.columns.tolist() == ["name", "shape", "max_abs_error", "max_relative_error"]
    assert frame.max_abs_error.max() == result.max_abs_error
    n = model.fit(X, y).theta_.size
    assert sum(int(np.prod(shape)) for shape in frame["shape"]) == n == result.gradient.size


DENSE = ["weights[0]", "biases[0]", "weights[1]", "biases[1]"]
WRITER = [f"hyper {name}" for name in DENSE]
NAMES = {
    "classifier": DENSE,
    # The second half has the weights of the first, and biases of its own.
    "tied and contractive": [*DENSE, "biases[2]", "biases[3]"],
    "full": ["hyper embeddings", *WRITER],
    "chunked": ["hyper embeddings", "hyper layer_codes", "hyper place_codes", *WRITER],
    "low_rank": [
        *("hyper embeddings", *WRITER),
        *("weights[0]", "left[0]", "right[0]", "weights[1]", "left[1]", "right[1]"),
    ],
    "categories": ["embeddings[0]", *DENSE],
    "waves": ["embeddings[0]", "frequencies", "phases", "mixing", "offsets", *DENSE],
    "film": ["hyper embeddings", *WRITER, *DENSE],
    "context": WRITER,
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_blocks(name):
    estimator, rows, target = KINDS[name]
    assert [block.name for block in check_gradient(estimator, rows, target).blocks] == NAMES[name]


def test_several_starts_are_checked_together():
    model = MLPRegressor(n_init=3, combine_inits="average", **SMALL)
    result = check_gradient(model, X, y, "central")
    assert result.gradient.shape == result.differences.shape == (3, 21)
    assert result.loss.shape == (3,)
    assert total_error(result) < 1e-7
    alone = check_gradient(MLPRegressor(**SMALL), X, y, "central")
    np.testing.assert_allclose(result.gradient[0], alone.gradient, rtol=1e-10)


@pytest.mark.parametrize("scheme, n", [("forward", 22), ("central", 42)])
def test_the_number_of_evaluations_is_counted(monkeypatch, scheme, n):
    calls, evaluate = [], Problem.value_and_grad
    monkeypatch.setattr(Problem, "value_and_grad", lambda p: calls.append(1) or evaluate(p))
    result = check_gradient(MLPRegressor(**SMALL), X, y, scheme)
    assert result.n_evaluations == n
    assert len(calls) == (n if scheme == "forward" else n + 1)  # one for backpropagation


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_nothing_changes_and_nothing_is_drawn(name, fitted):
    given, rows, target = KINDS[name]
    source = np.random.RandomState(3)
    estimator = copy.deepcopy(given).set_params(random_state=source, max_iter=2)
    if fitted:
        estimator.fit(rows, target)
    before, state = dict(vars(estimator)), source.get_state()[1].copy()
    theta = estimator.theta_.copy() if fitted else None
    first = check_gradient(estimator, rows, target)
    assert vars(estimator).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(estimator).items())
    np.testing.assert_array_equal(source.get_state()[1], state)
    if fitted:
        np.testing.assert_array_equal(estimator.theta_, theta)
    np.testing.assert_array_equal(check_gradient(estimator, rows, target).gradient, first.gradient)


def test_an_encoder_that_is_frozen():
    encoder = AutoencoderTransformer(2, (3,), activation="tanh", random_state=0).fit(X)
    model = MLPRegressor(encoder=FrozenEstimator(encoder), encoder_learning_rate=0.0, **SMALL)
    assert total_error(check_gradient(model, X, y, "central")) < 1e-7


# Refusals


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), MLPRegressor()),
        AutoencoderOutlierDetector(),
        StandardScaler(),
        MLPRegressor,
    ],
    ids=["pipeline", "detector", "other", "class"],
)
def test_other_estimators_are_refused(estimator):
    with pytest.raises(TypeError, match="estimator must be one of MLPRegressor.*last step"):
        check_gradient(estimator, X, y)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"scheme": "backward"}, "scheme='backward' is not known. Use 'forward' or 'central'"),
        ({"eps": 0.0}, "eps=0.0 must be a positive number"),
        ({"eps": -1e-6}, "eps=-1e-06 must be a positive number"),
        ({"eps": np.nan}, "eps=nan must be a positive number"),
        ({"eps": np.inf}, "eps=inf must be a positive number"),
        ({"eps": "small"}, "eps='small' must be a positive number"),
        ({"eps": 1e-20}, "eps=1e-20 is lost in rounding beside a parameter of .* in float64"),
        ({"sample_weight": -weight}, "sample_weight must not be negative"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        check_gradient(MLPRegressor(**SMALL), X, y, **options)


def test_what_fit_refuses_is_refused():
    for model, message in [
        (MLPRegressor(alpha=-1.0), "alpha"),
        (MLPRegressor(dropout=0.5, solver="lbfgs"), "dropout"),
        (MLPRegressor(activation="step"), "activation='step' has a zero gradient"),
        (convex_polygon([[0, 0, 0][:2], [1, 0], [0, 1]]), "activation='step' has a zero gradient"),
        (MLPRegressor(**SMALL).fit(X, y).set_params(hidden_layer_sizes=(9,)), "has changed since"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_gradient(model, X[:, :2] if hasattr(model, "classes_") else X, labels > 0)


def test_training_that_follows_no_gradient_is_refused():
    for model in (
        DensityRegressor(loss="beta_nll", **SMALL),
        DensityRegressor(Normal(loss="beta_nll"), **SMALL),
    ):
        with pytest.raises(ValueError, match="loss='beta_nll' with beta=0.5 .*Use loss='nll'"):
            check_gradient(model, X, y)
    # A weight of 1 is no weight.
    model = DensityRegressor(loss="beta_nll", beta=0.0, **SMALL)
    assert check_gradient(model, X, y, "central").relative_error < 1e-8


def test_no_warnings_of_its_own():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_gradient(MLPRegressor(max_iter=1, **SMALL), X, y)
