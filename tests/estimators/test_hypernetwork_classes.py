"""Tasks that have classes of their own."""

import pickle

import numpy as np
import pytest

from skmlp import HypernetworkClassifier, MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CLASSES = [0, 1, 2, 3]


def of_classes(task, n=40):
    """Task 0 tells classes 0 and 1 apart, task 1 classes 2 and 3, by the same rule."""
    rng = np.random.default_rng(task)
    x = rng.normal(size=(n, 2))
    return np.column_stack([np.full(n, task), x]), 2 * task + (x[:, 0] > 0)


def classifier(**params):
    return HypernetworkClassifier(**{
        "task_features": [0], "hidden_layer_sizes": (8,), "hyper_hidden_layer_sizes": (10,),
        "learning_rate_init": 0.01, "random_state": 0, **params,
    })  # fmt: skip


def test_classes_of_a_task_are_its_own():
    model = classifier()
    for task in (0, 1):
        for _ in range(40):
            model.partial_fit(*of_classes(task), classes=CLASSES)
    for task in (0, 1):
        X, y = of_classes(task, n=200)
        assert model.score(X, y) > 0.9
        assert not model.predict_proba(X)[:, [2 - 2 * task, 3 - 2 * task]].any()
    # A class that comes later is a class of the task from then on.
    X, y = of_classes(0)
    model.partial_fit(X, np.full(len(y), 3))
    assert (model.predict_proba(X)[:, [0, 1, 3]] > 0).all()
    assert not model.predict_proba(X)[:, 2].any()


def test_a_warm_start_may_bring_a_task_with_some_classes_only():
    model = classifier(warm_start=True, max_iter=40)
    parts = [of_classes(task) for task in (0, 1)]
    X, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    model.fit(X, y)
    X, y = of_classes(0)
    X = X * [1.0, -1.0, 1.0] + [7.0, 0.0, 0.0]
    model.fit(X, y)
    assert model.classes_.tolist() == CLASSES and model.tasks_.tolist() == [0, 1, 7]
    assert model.score(X, y) > 0.9 and model.score(*of_classes(1)) > 0.9
    with pytest.raises(ValueError, match="classes"):
        model.fit(X, y + 5)


@pytest.mark.parametrize("kind", ["int", "str"])
def test_classes_first_by_partial_fit_then_by_warm_starts(kind):
    names = np.array(CLASSES if kind == "int" else ["ant", "bee", "cat", "dog"])
    model = classifier(warm_start=True, max_iter=30)
    X, y = of_classes(0)
    model.partial_fit(X, names[y], classes=names)
    model.fit(X, names[y])
    X, y = of_classes(1)
    model.fit(X, names[y])
    for task in (0, 1):
        X, y = of_classes(task)
        assert model.score(X, names[y]) > 0.85


def test_outputs_of_foreign_classes_are_not_held():
    """What the first task would say to classes it does not have is free to move."""
    model = classifier(output_reg=1e6, learning_rate_init=1e-4)
    model.partial_fit(*of_classes(0), classes=CLASSES)
    coefs, _ = model.task_parameters(0)
    for _ in range(50):
        model.partial_fit(*of_classes(1))
    now, _ = model.task_parameters(0)
    moved = np.abs(now[-1] - coefs[-1]).max(axis=0)
    assert moved[:2].max() < 1e-3 and moved[2:].min() > 1e-2


@pytest.mark.parametrize("loss", ["log_loss", "crammer_singer", "weston_watkins"])
def test_a_task_of_one_class(loss):
    X, y = of_classes(0, n=60)
    X[:20, 0], y[:20] = 5, 2
    model = classifier(loss=loss, max_iter=60).fit(X, y)
    assert (model.predict(X[:20]) == 2).all() and model.score(X, y) > 0.9
    assert model.task_loss_[1] == 0.0
    if loss == "log_loss":
        np.testing.assert_array_equal(model.predict_proba(X[:20]), np.tile([0, 0, 1], (20, 1)))


def test_two_classes_are_those_of_every_task():
    """There is one output then, and nothing to leave out."""
    X, y = of_classes(0, n=60)
    X[:20, 0], y[:20] = 5, 1
    probabilities = classifier(max_iter=20).fit(X, y).predict_proba(X)
    assert ((probabilities > 0) & (probabilities < 1)).all()


# ---- classes that a task has not shown -----------------------------------------------------------


def both_tasks():
    parts = [of_classes(task) for task in (0, 1)]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


@pytest.mark.parametrize("loss", ["log_loss", "crammer_singer", "weston_watkins"])
@pytest.mark.parametrize("modulation", ["full", "chunked", "low_rank", "film"])
def test_all_classes_can_be_allowed(loss, modulation):
    X, y = both_tasks()
    params = {"unseen_classes": "allow", "loss": loss, "modulation": modulation, "max_iter": 40}
    model = classifier(**params).fit(X, y)
    assert model.score(X, y) > 0.8
    assert np.abs(model.decision_function(X)).max() < 1e3
    if loss == "log_loss":
        probabilities = model.predict_proba(X)
        assert (probabilities > 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
        # Without a word about them, classes of the other task become unlikely all the same.
        assert probabilities[X[:, 0] == 0][:, 2:].mean() < 0.2


def test_allowed_classes_step_by_step():
    model = classifier(unseen_classes="allow")
    for task in (0, 1):
        for _ in range(30):
            model.partial_fit(*of_classes(task), classes=CLASSES)
    X, y = of_classes(2, n=10)
    model.adapt(X, y - 4)
    every = np.concatenate([of_classes(task)[0] for task in (0, 1, 2)])
    assert (model.predict_proba(every) > 0).all()
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict_proba(every), model.predict_proba(every))
    copied.partial_fit(*of_classes(0))
    assert (copied.predict_proba(every) > 0).all()
    coefs, intercepts = model.task_parameters(0)
    plain = MLPClassifier.from_weights(coefs, intercepts, activation="relu", classes=CLASSES)
    own = of_classes(0)[0]
    np.testing.assert_allclose(plain.predict_proba(own[:, 1:]), model.predict_proba(own))


def test_allowed_classes_go_with_smoothing_and_validation_rows():
    X, y = both_tasks()
    params = {"unseen_classes": "allow", "label_smoothing": 0.1, "max_iter": 5}
    model = classifier(**params).fit(X, y, X_val=X[:4], y_val=[3, 2, 3, 2])
    assert max(model.validation_loss_curve_) < 100.0
    with pytest.raises(ValueError, match="unseen_classes|label_smoothing"):
        classifier(**{**params, "unseen_classes": "mask"}).fit(X, y)


@pytest.mark.parametrize("warm", [False, True], ids=["partial_fit", "warm_start"])
def test_the_choice_may_change_between_calls(warm):
    X, y = both_tasks()
    model = classifier(unseen_classes="mask", warm_start=warm, max_iter=5).fit(X, y)
    hidden = model.predict_proba(X) == 0
    assert hidden.sum() == 2 * len(y)
    go_on = model.fit if warm else model.partial_fit
    model.set_params(unseen_classes="allow")
    go_on(X, y)
    assert (model.predict_proba(X) > 0).all()
    # What these tasks could have they keep; a new task has what it shows.
    model.set_params(unseen_classes="mask")
    new = X + [10.0, 0.0, 0.0]
    go_on(new, y)
    assert (model.predict_proba(X) > 0).all() and model.decision_function(X).min() > -1e6
    assert (model.predict_proba(new) == 0).sum() == 2 * len(y)


def test_later_classes_can_be_announced():
    model = classifier(warm_start=True, max_iter=40)
    model.fit(*of_classes(0), classes=CLASSES)
    assert model.classes_.tolist() == CLASSES
    model.fit(*of_classes(1))
    model.fit(*of_classes(1), classes=CLASSES)
    for task in (0, 1):
        assert model.score(*of_classes(task)) > 0.85
    with pytest.raises(ValueError, match="classes"):
        model.fit(*of_classes(1), classes=[*CLASSES, 9])
    with pytest.raises(ValueError, match="classes"):
        classifier().fit(*of_classes(1), classes=[0, 1, 2])
    X, y = of_classes(0)
    names = np.array(["no", "yes"])
    model = classifier(max_iter=3).fit(X, names[y], classes=["maybe", "no", "yes"])
    assert model.predict_proba(X).shape == (len(X), 3)
    assert not model.predict_proba(X)[:, 0].any()


def test_announced_classes_change_nothing_if_all_have_come():
    X, y = both_tasks()
    one, other = classifier(max_iter=3).fit(X, y), classifier(max_iter=3)
    np.testing.assert_array_equal(other.fit(X, y, classes=CLASSES).theta_, one.theta_)
