"""What classifiers share."""

from numbers import Real

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

from ..losses import CLASSIFICATION_LOSSES
from ._labels import (
    check_known,
    check_labels,
    check_same_classes,
    class_factors,
    encode,
    find_classes,
)
from ._recipe import check_loss_parameters
from ._vocabulary import build, restore
from ._watch import FEW_OF_A_CLASS, as_frequent


def _has_probabilities(estimator):
    """Condition of the methods for probabilities: of the fitted loss, else of the parameter."""
    loss = estimator.loss
    if hasattr(estimator, "_loss"):
        classes = [restore(estimator._loss)]
    else:
        classes = CLASSIFICATION_LOSSES[loss].values()
    if not any(cls.probabilistic for cls in classes):
        raise AttributeError(
            "This is a margin loss, which gives no probabilities; use decision_function, fit with "
            "loss='log_loss', or use CalibratedClassifierCV."
        )
    return True


class Classification(ClassifierMixin):
    """Adds labels, decisions and probabilities to estimators over a network.

    They have the parameters `loss`, `margin`, `class_weight` and `label_smoothing`.
    """

    def decision_function(self, X):
        """Raw outputs: logits of log_loss, or the functions g of margin losses.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of the kinds that `fit` takes.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One number per row for two classes, positive in favour of ``classes_[1]``. Logits are
            log odds, or with more than two classes log probabilities up to a constant of the row;
            g is on the scale of `margin`.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`.

        Examples
        --------
        >>> from skmlp import MLPClassifier
        >>> above = MLPClassifier.from_weights(
        ...     [[[1.0]]], [[-20.0]], activation=[], classes=["cold", "warm"]
        ... )
        >>> above.decision_function([[18.0], [21.0]])
        array([-2.,  1.])
        >>> above.predict_proba([[18.0], [21.0]]).round(2)
        array([[0.88, 0.12],
               [0.27, 0.73]])
        """
        raw = self._raw(X)
        return raw[:, 0] if self._kind == "binary" else raw

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of the kinds that `fit` takes.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Entries of `classes_`; for several labels per row a matrix of 0 and 1.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For an X with other columns than in `fit`, or with values that cannot be used.

        Examples
        --------
        >>> from skmlp import MLPClassifier
        >>> above = MLPClassifier.from_weights(
        ...     [[[1.0]]], [[-20.0]], activation=[], classes=["cold", "warm"]
        ... )
        >>> above.predict([[18.0], [21.0]])
        array(['cold', 'warm'], dtype='<U4')
        """
        raw = self._raw(X)
        if self._kind == "multilabel":
            return (raw > 0).astype(int)
        codes = raw.argmax(axis=1) if self._kind == "multiclass" else (raw[:, 0] > 0).astype(int)
        # One class only: the network may say what it likes.
        return self.classes_[np.minimum(codes, len(self.classes_) - 1)]

    @available_if(_has_probabilities)
    def predict_proba(self, X):
        """Probabilities of the classes, or of each label being present.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of the kinds that `fit` takes.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`.
        AttributeError
            With margin losses, which have no probabilities.

        Examples
        --------
        >>> from skmlp import MLPClassifier
        >>> above = MLPClassifier.from_weights(
        ...     [[[1.0]]], [[-20.0]], activation=[], classes=["cold", "warm"]
        ... )
        >>> above.predict_proba([[18.0], [20.0]]).round(2)  # columns: cold, warm
        array([[0.88, 0.12],
               [0.5 , 0.5 ]])
        """
        raw = self._raw(X)
        return self._both_classes(raw, restore(self._loss).predict)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X):
        """Logarithms of `predict_proba`, finite where that is so small that it rounds to 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of the kinds that `fit` takes.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`.
        AttributeError
            With margin losses, which have no probabilities.

        Examples
        --------
        >>> from skmlp import MLPClassifier
        >>> above = MLPClassifier.from_weights(
        ...     [[[1.0]]], [[-20.0]], activation=[], classes=["cold", "warm"]
        ... )
        >>> above.predict_proba([[-980.0]]), above.predict_log_proba([[-980.0]])
        (array([[1., 0.]]), array([[    0., -1000.]]))
        """
        raw = self._raw(X)
        return self._both_classes(raw, restore(self._loss).log_proba)

    def _both_classes(self, raw, function):
        """`function` of the raw outputs; a single logit z stands for both classes by -z and z."""
        if len(self.classes_) == 1:
            return function(np.full_like(raw, np.inf))
        return function(np.concatenate([-raw, raw], axis=1) if self._kind == "binary" else raw)

    def _check_partial_fit(self, classes):
        """Refuse a first chunk without `classes`, and weights that only all rows could tell."""
        if classes is None and not hasattr(self, "theta_"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} cannot act in partial_fit, which does not see "
                "all rows. Give a dict of weights, or sample_weight."
            )

    def _encode_target(self, y, going_on, classes):
        y, multilabel = check_labels(y)
        if going_on is None:
            found = find_classes(y, multilabel, classes)
            if classes is not None:
                check_known(y, multilabel, found)
            self.classes_ = found
            self._kind = kind_of(multilabel, len(found))
            return encode(y, self._kind, self.classes_)
        if multilabel != (self._kind == "multilabel"):
            now, then = ("multilabel", "not") if multilabel else ("not multilabel", "it")
            raise ValueError(f"y is {now}, but in the first call {then} was. Use a new estimator.")
        if classes is not None and set(np.unique(classes)) != set(self.classes_):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        # A chunk and a validation set may lack a class, a warm start must not.
        if going_on == "fit":
            check_same_classes(y, multilabel, self.classes_)
        else:
            name = "y_val" if going_on == "X_val" else "y"
            check_known(y, multilabel, self.classes_, name)
        return encode(y, self._kind, self.classes_)

    def _codes(self, target):
        """Class codes of encoded targets, None for multilabel ones."""
        if self._kind == "multilabel":
            return None
        return target if target.ndim == 1 else target[:, 0].astype(int)

    def _n_targets(self, sample):
        return len(self.classes_) if self._kind == "multiclass" else sample.target.shape[1]

    def _class_factors(self, target, weight):
        if self.class_weight is None:
            return None
        if self._kind == "multilabel":
            raise ValueError(
                f"class_weight={self.class_weight!r} cannot act on a multilabel y, whose rows "
                "belong to no single class; use sample_weight."
            )
        return class_factors(self.class_weight, self._codes(target), self.classes_, weight)

    def _class_weighted(self, weight, target, factors):
        if factors is None:
            return weight
        weight = factors[self._codes(target)] * (1.0 if weight is None else weight)
        if not weight.any():
            raise ValueError(
                f"class_weight={self.class_weight!r} leaves no row with a positive weight."
            )
        return weight

    def _strata(self, sample, index):
        codes = self._codes(sample.target)
        if codes is None:
            return {}
        return {"codes": codes[index], "labels": self.classes_, "at_least": self._few_of_a_class()}

    def _few_of_a_class(self):
        drawn = isinstance(self.validation_fraction, Real)
        return FEW_OF_A_CLASS if drawn and self.scoring == "loss" else 0

    def _part_to_watch(self, sample, validation):
        held_out = super()._part_to_watch(sample, validation)
        codes = self._codes(sample.target)
        if codes is None or not self._few_of_a_class():
            return held_out
        return as_frequent(codes, sample, held_out)

    def _make_loss(self):
        kinds = CLASSIFICATION_LOSSES[self.loss]
        if self._kind not in kinds:
            able = [name for name, others in CLASSIFICATION_LOSSES.items() if self._kind in others]
            raise ValueError(
                f"loss={self.loss!r} is for {' and '.join(kinds)} targets, but y is {self._kind} "
                f"with {len(self.classes_)} classes. Use one of {able}."
            )
        loss = build(kinds[self._kind], self)
        homes = {name: tuple(kinds.values()) for name, kinds in CLASSIFICATION_LOSSES.items()}
        check_loss_parameters(self, loss, ("margin", "label_smoothing"), homes)
        return loss

    def _watched_score(self, loss):
        # Accuracy for the loss scikit-learn's MLPClassifier has.
        return _accuracy if loss.probabilistic else None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def kind_of(multilabel, n_classes):
    """The kind of target, a key of the classes of a classification loss."""
    if multilabel:
        return "multilabel"
    return "multiclass" if n_classes > 2 else "binary"


def _accuracy(raw, y, weight):
    if y.ndim == 1:
        right = raw.argmax(axis=1) == y
    else:
        right = ((raw > 0) == (y > 0.5)).all(axis=1)
    return np.average(right, weights=weight)
