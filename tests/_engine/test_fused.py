"""Steps in one call against steps pass by pass: which fits have them, and that they are equal."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skmlp import MLPClassifier, _kernels
from skmlp._engine import fused as module
from skmlp._engine.batches import (
    DenseRows,
    DensifiedRows,
    MappedRows,
    Reconstruction,
    SparseRows,
    TrainingSet,
)
from skmlp._engine.fused import fused_steps
from skmlp._engine.network import multilayer_perceptron
from skmlp._engine.objective import Objective
from skmlp._engine.penalties import CodePenalty
from skmlp._engine.training import Plan, TrainState, train
from skmlp.activations import Identity, Logistic, ReLU
from skmlp.initializers import INITIALIZERS
from skmlp.losses import AbsoluteError, BinaryLogLoss, Poisson, SoftmaxLogLoss, SquaredError
from skmlp.optimizers import SGD, Adam
from skmlp.schedules import SCHEDULES

needs_numba = pytest.mark.skipif(
    not _kernels.available(), reason="there is nothing to compile with (pip install skmlp[accel])"
)
N, N_IN = 70, 3
RELU = ReLU()
LOSSES = [
    SquaredError(),
    BinaryLogLoss(),
    BinaryLogLoss(label_smoothing=0.2),
    SoftmaxLogLoss(),
    SoftmaxLogLoss(label_smoothing=0.2),
]


@pytest.fixture
def compiled():
    """Compiled kernels; whatever was in use before is in use again afterwards."""
    before = _kernels.in_use()
    _kernels.use(True)
    yield
    _kernels.use(before)


def network_of(n_out, hidden=(6, 5), activations=(RELU, RELU), **options):
    init = (INITIALIZERS["glorot_uniform"](), 1.0)
    sizes = (N_IN, *hidden, n_out)
    return multilayer_perceptron(sizes, activations, (init,) * (len(hidden) + 1), **options)


def plan_of(**options):
    defaults = {"learning_rate": 0.02, "batch_size": 16, "max_epochs": 6, "tol": 1e-3}
    optimizer = options.pop("optimizer", Adam())
    schedule = SCHEDULES[options.pop("schedule", "constant")]()
    return Plan(optimizer, schedule, **{**defaults, **options})


def data_of(loss, n_out=3, dtype=np.float64, weighted=False, kind=TrainingSet, index=None):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, N_IN)).astype(dtype)
    y = rng.normal(size=(N, n_out)).astype(dtype)
    if isinstance(loss, BinaryLogLoss):
        y = (y > 0).astype(dtype)
    if isinstance(loss, SoftmaxLogLoss):
        y = rng.integers(n_out, size=N)
    weight = rng.uniform(0.5, 2.0, size=N).astype(dtype) if weighted else None
    return kind(DenseRows(X), y, weight, index)


def state_of(network, members=1, dtype=np.float64):
    theta = network.initial([np.random.default_rng(seed) for seed in range(members)])
    return TrainState(theta.astype(dtype), order=np.random.default_rng(0))


def both(objective, data, plan, members=1, dtype=np.float64):
    """States after a training in calls for many steps, and after one pass by pass."""
    states = []
    for fuse in (True, False):
        state = state_of(objective.network, members, dtype)
        assert fused_steps(objective, data, state, plan) is not None
        with pytest.MonkeyPatch.context() as patch:
            if not fuse:
                patch.setattr("skmlp._engine.training.fused_steps", lambda *arguments: None)
            train(objective, data, state, plan)
        states.append(state)
    return states


def check_equal(ours, theirs, tolerance=1e-9):
    close = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(ours.theta, theirs.theta, **close)
    for moment, expected in zip(ours.moments, theirs.moments, strict=True):
        np.testing.assert_allclose(moment, expected, **close)
    np.testing.assert_allclose(ours.losses, theirs.losses, **close)
    np.testing.assert_array_equal(ours.learning_rates, theirs.learning_rates)
    for name in ("step", "epoch", "samples_seen", "reasons"):
        assert getattr(ours, name) == getattr(theirs, name)


@needs_numba
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("n_out", [1, 3])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_same_fit_pass_by_pass(compiled, loss, n_out, members, weighted, dtype):
    objective = Objective(network_of(n_out), loss, alpha=0.1)
    data = data_of(loss, n_out, dtype, weighted)
    states = both(objective, data, plan_of(), members, dtype)
    check_equal(*states, 1e-9 if dtype == np.float64 else 1e-4)
    assert np.abs(states[0].losses[-1] - states[0].losses[0]).max() > 1e-3  # something was learned


@needs_numba
@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": False},
        {"batch_size": 1000},
        {"batch_size": 7},
        {"schedule": "one_cycle"},
        {"schedule": "adaptive", "tol": 0.02, "n_iter_no_change": 2},
        {"tol": 0.05, "n_iter_no_change": 2, "max_epochs": 60},
        {"optimizer": Adam(0.5, 0.9, 1e-3)},
    ],
    ids=str,
)
@pytest.mark.parametrize("index", [None, np.arange(60)[::2]], ids=["all", "some"])
def test_the_same_plan_pass_by_pass(compiled, options, index):
    objective = Objective(network_of(3), SquaredError(), alpha=0.1)
    data = data_of(SquaredError(), weighted=True, index=index)
    check_equal(*both(objective, data, plan_of(**options)))


@needs_numba
@pytest.mark.parametrize(
    "hidden, activations",
    [((), ()), ((4,), (Identity(),)), ((4, 5), (ReLU(), Identity())), ((4,), (ReLU(), Identity()))],
)
def test_the_same_network_pass_by_pass(compiled, hidden, activations):
    objective = Objective(network_of(2, hidden, activations), SquaredError())
    check_equal(*both(objective, data_of(SquaredError(), 2), plan_of(), members=2))


@needs_numba
def test_calls_may_be_cut_anywhere(compiled, monkeypatch):
    objective, data = Objective(network_of(3), SquaredError()), data_of(SquaredError())
    whole, _ = both(objective, data, plan_of())
    monkeypatch.setattr(module, "CALL_PRODUCTS", 0)
    single, _ = both(objective, data, plan_of())
    check_equal(whole, single, 1e-15)


@needs_numba
def test_a_fit_that_diverges_is_told_so(compiled):
    objective, data = Objective(network_of(3), SquaredError()), data_of(SquaredError())
    ours, theirs = both(objective, data, plan_of(learning_rate=1e200))
    assert ours.diverged.all()
    assert ours.reasons == theirs.reasons


def double(rows, out):
    np.multiply(rows, 2.0, out=out)


@needs_numba
@pytest.mark.parametrize("entries", [1, 100, 2**18])
@pytest.mark.parametrize("layout", ["F", "every second", "read-only", "mapped", "sparse"])
def test_rows_from_elsewhere_give_the_same_fit(compiled, layout, entries, monkeypatch):
    monkeypatch.setattr(module, "CALL_ENTRIES", entries)
    data, objective = data_of(SquaredError()), Objective(network_of(3), SquaredError())
    X, y = data.rows.X, data.y
    rows = DenseRows(X)
    if layout == "F":
        rows, y = DenseRows(np.asfortranarray(X)), np.asfortranarray(y)
    elif layout == "every second":
        rows, y = DenseRows(np.repeat(X, 2, axis=0)[::2]), np.repeat(y, 2, axis=0)[::2]
    elif layout == "read-only":
        X.flags.writeable = y.flags.writeable = False
    elif layout == "mapped":
        rows = MappedRows(X / 2.0, double, X.dtype)
    else:
        rows = DensifiedRows(sparse.csr_array(X / 2.0), double, X.dtype)
    expected, given = state_of(objective.network), state_of(objective.network)
    train(objective, data_of(SquaredError()), expected, plan_of())
    other = TrainingSet(rows, y)
    assert fused_steps(objective, other, given, plan_of()) is not None
    train(objective, other, given, plan_of())
    np.testing.assert_array_equal(given.theta, expected.theta)
    np.testing.assert_array_equal(given.losses, expected.losses)


@pytest.mark.parametrize("wish", [False, pytest.param(True, marks=needs_numba)])
def test_numpy_goes_pass_by_pass(wish):
    before = _kernels.in_use()
    _kernels.use(wish)
    try:
        objective, data = Objective(network_of(3), SquaredError()), data_of(SquaredError())
        found = fused_steps(objective, data, state_of(objective.network), plan_of())
        assert (found is not None) == wish
    finally:
        _kernels.use(before)


@needs_numba
@pytest.mark.parametrize("steps_made", [2, 3])
def test_an_interrupt_is_heard_between_calls(compiled, monkeypatch, steps_made):
    objective, data = Objective(network_of(3), SquaredError()), data_of(SquaredError())
    real, calls = _kernels.steps, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3 == steps_made:
            real(*arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(_kernels, "steps", interrupted)
    monkeypatch.setattr(module, "CALL_PRODUCTS", 0)
    state = state_of(objective.network)
    train(objective, data, state, plan_of())
    assert state.interrupted
    # As it comes when a call has ended, the last one counts.
    assert state.step == state.last_step[0] == 3
    assert np.isfinite(state.theta).all()


@needs_numba
def test_members_with_other_rates_go_pass_by_pass_from_then_on(compiled):
    objective, data = Objective(network_of(3), SquaredError()), data_of(SquaredError())
    plan = plan_of(schedule="adaptive", tol=0.02, n_iter_no_change=2, max_epochs=30)
    ours, theirs = both(objective, data, plan, members=4)
    assert any(len(np.unique(rates)) > 1 for rates in ours.learning_rates)
    check_equal(ours, theirs)


@needs_numba
@pytest.mark.parametrize("method", ["warm start", "partial_fit"])
def test_going_on_is_the_same_pass_by_pass(compiled, method):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(N, N_IN)), rng.integers(3, size=N)
    found = []
    for fuse in (True, False):
        model = MLPClassifier((6,), batch_size=16, max_iter=3, random_state=0, warm_start=True)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            if not fuse:
                patch.setattr("skmlp._engine.training.fused_steps", lambda *arguments: None)
            for _ in range(3):
                if method == "warm start":
                    model.fit(X, y)
                else:
                    model.partial_fit(X, y, classes=[0, 1, 2])
        found.append(model.theta_)
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)


# Which fits are plain enough


class OwnReLU(ReLU):
    """May do something else than its parent."""


@dataclass(frozen=True)
class OwnSquaredError(SquaredError):
    """May do something else than its parent."""


@dataclass(frozen=True)
class OwnAdam(Adam):
    """May do something else than its parent."""


ORDINARY = {
    "activation": {"network": {"activations": (ReLU(), Logistic())}},
    "activation of one's own": {"network": {"activations": (ReLU(), OwnReLU())}},
    "relu of the output": {"network": {"activations": (ReLU(),) * 3}},
    "dropout": {"network": {"dropout": (0.1, 0.1)}},
    "input scale": {"network": {"input_scale": True}},
    "ntk": {"network": {"ntk": True}},
    "loss": {"loss": AbsoluteError()},
    "another loss": {"loss": Poisson()},
    "loss of one's own": {"loss": OwnSquaredError()},
    "optimizer": {"plan": {"optimizer": SGD()}},
    "optimizer of one's own": {"plan": {"optimizer": OwnAdam()}},
    "weight decay": {"plan": {"weight_decay": 0.1}},
    "averaging": {"plan": {"averaging": 0.9}},
    "clipping": {"plan": {"max_grad_norm": 1.0}},
    "reconstruction": {"kind": Reconstruction},
    "penalty": {"penalties": (CodePenalty(2, 0.1),)},
}


@needs_numba
@pytest.mark.parametrize("name", ORDINARY)
def test_other_fits_go_pass_by_pass(compiled, name):
    case = ORDINARY[name]
    loss = case.get("loss", SquaredError())
    network = network_of(3, **case.get("network", {}))
    objective = Objective(network, loss, penalties=case.get("penalties", ()))
    data = data_of(loss, kind=case.get("kind", TrainingSet))
    plan = plan_of(**case.get("plan", {}))
    assert fused_steps(objective, data, state_of(network), plan) is None


@needs_numba
def test_fits_with_frozen_parameters_or_odd_arrays_go_pass_by_pass(compiled):
    network = network_of(3)
    objective, data = Objective(network, SquaredError()), data_of(SquaredError())
    assert fused_steps(objective, data, state_of(network), plan_of()) is not None
    frozen = np.zeros((1, network.n_params))
    assert fused_steps(objective, data, state_of(network), plan_of(step_factors=frozen)) is None
    rows = SparseRows(sparse.csr_array(data.rows.X), None, np.float64)
    assert fused_steps(objective, replace(data, rows=rows), state_of(network), plan_of()) is None
    for y in (np.zeros(N, int), data.y[:, :1]):
        assert fused_steps(objective, replace(data, y=y), state_of(network), plan_of()) is None
    rows = DenseRows(np.zeros((N, N_IN + 1)))
    assert fused_steps(objective, replace(data, rows=rows), state_of(network), plan_of()) is None
    labels, classes = data_of(SoftmaxLogLoss()), Objective(network, SoftmaxLogLoss())
    assert fused_steps(classes, labels, state_of(network), plan_of()) is not None
    one_too_many = replace(labels, y=labels.y + 1)
    assert fused_steps(classes, one_too_many, state_of(network), plan_of()) is None
    late = state_of(network)
    late.lag[:] = 1
    assert fused_steps(objective, data, late, plan_of()) is None
