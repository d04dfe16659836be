"""Labels of a classifier to codes, with every mismatch answered by name."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target


def check_labels(y):
    """Labels as an array, and whether they are a multilabel indicator matrix."""
    if not issparse(y) and y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if not issparse(y) and y.dtype == object:
        _check_comparable(y)
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind == "multiclass-multioutput":
        raise ValueError(
            "y has several columns that are not 0/1 indicators. Multioutput classification is not "
            "supported: fit one classifier per column with MultiOutputClassifier."
        )
    multilabel = kind == "multilabel-indicator"
    return (y.toarray() if issparse(y) else y), multilabel


def _check_comparable(y):
    try:
        np.unique(y)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in y.ravel()})
        raise ValueError(
            f"y holds labels that cannot be put in order, of the types {', '.join(kinds)}. Make "
            "them one type, for example by y.astype(str), and drop rows without a label."
        ) from error


def find_classes(y, multilabel, classes=None):
    """The labels of y, or `classes`, which must be able to hold y."""
    if classes is None:
        return np.arange(y.shape[1]) if multilabel else np.unique(y)
    classes = np.unique(np.asarray(classes))
    if multilabel and len(classes) != y.shape[1]:
        raise ValueError(f"classes has {len(classes)} entries, but y has {y.shape[1]} columns.")
    return classes


def check_known(y, multilabel, classes, name="y"):
    """Refuse labels that the first call, or the training part, did not have."""
    if multilabel:
        if y.shape[1] != len(classes):
            first = "y" if name == "y_val" else "the first call"
            raise ValueError(f"{name} has {y.shape[1]} labels, {first} had {len(classes)}.")
        return
    found = np.unique(y)
    strange = np.setdiff1d(found, classes)
    if len(strange) and name == "y_val":
        raise ValueError(
            f"y_val has classes that y does not have: {strange.tolist()}; y has "
            f"{classes.tolist()}. Leave their rows out of X_val and y_val, or add some to X and y."
        )
    if len(strange):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. 'y' has "
            f"{found}. Announce all classes in the first call, by its parameter classes."
        )


def check_same_classes(y, multilabel, classes):
    """Refuse a warm start on other labels."""
    found = np.arange(y.shape[1]) if multilabel else np.unique(y)
    if set(found.tolist()) != set(classes.tolist()):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call "
            f"to fit. Previously got {classes}, `y` has {found}"
        )


def encode(y, kind, classes):
    """Targets of the kinds "binary" (n, 1), "multilabel" (n, k) and "multiclass" (n,)."""
    if kind == "multilabel":
        return np.asarray(y, np.float64)
    codes = np.searchsorted(classes, y)
    return codes if kind == "multiclass" else (codes == 1).astype(np.float64)[:, np.newaxis]


def class_factors(class_weight, codes, classes, weight):
    """Weights of the classes.

    "balanced" gives every class the same sum: total / (n_classes * sum of the class), with sums
    of sample weights, so that a row of weight 2 counts like two rows.
    """
    if isinstance(class_weight, str):
        sums = np.bincount(codes, weights=weight, minlength=len(classes))
        present = sums > 0
        factors = np.zeros(len(classes))
        factors[present] = sums.sum() / (present.sum() * sums[present])
    else:
        try:
            factors = compute_class_weight(class_weight, classes=classes, y=classes[codes])
        except (TypeError, ValueError) as error:
            raise ValueError(f"class_weight={class_weight!r} cannot be used: {error}") from error
    if not (np.isfinite(factors) & (factors >= 0)).all():
        raise ValueError(f"class_weight={class_weight!r} must hold finite numbers >= 0 only.")
    return factors
