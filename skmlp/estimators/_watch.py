"""Watching a validation set while a network trains, and setting one aside."""

from inspect import Parameter, signature

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.model_selection import train_test_split

from ._outcome import warn


class Watch:
    """Scores of every member on a validation set; higher is better.

    Parameters
    ----------
    objective : Objective
        Its loss is the plain one, without label smoothing.
    data : TrainingSet
        The validation rows.
    score : callable or None
        score(theta, raw) of one member, (P,) and (n, n_raw); None watches minus the loss.
    """

    def __init__(self, objective, data, score):
        self.objective, self.data, self.score = objective, data, score
        self.workspace = None

    def __call__(self, theta):
        if self.workspace is None:
            self.workspace = self.objective.workspace(len(theta), theta.dtype)
        losses, raw = self.objective.mean_loss(theta, self.data, self.workspace)
        if self.score is None:
            return -losses, losses
        scores = [
            self.score(row, one) if np.isfinite(one).all() else np.nan
            for row, one in zip(theta, raw, strict=True)
        ]
        return np.array(scores, np.float64), losses


def score_of(scoring, estimator_of, held_out):
    """score(theta, raw) by one of scikit-learn's scorers.

    Parameters
    ----------
    scoring : str or callable
    estimator_of : callable
        estimator_of(theta) -> fitted estimator.
    held_out : Sample
    """
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    X, y, weight = held_out.taken()
    options = {}
    if weight is not None:
        if _takes_weights(scorer):
            options["sample_weight"] = weight
        else:
            warn(
                f"scoring={scoring!r} takes no sample_weight: the watched score does not count "
                "sample_weight_val and class_weight.",
                UserWarning,
            )

    def score(theta, raw):
        value = scorer(estimator_of(theta), X, y, **options)
        if not np.isscalar(value):
            raise ValueError(f"scoring={scoring!r} must return a number, got {value!r}.")
        return value

    return score


def _takes_weights(scorer):
    parameters = signature(scorer).parameters.values()
    return any(p.name == "sample_weight" or p.kind is Parameter.VAR_KEYWORD for p in parameters)


def split_by(splitter, X, y, index):
    """First split of a cross-validation splitter, without the rows that do not count."""
    training, validation = next(iter(splitter.split(X, y)))
    parts = [np.intersect1d(part, index) for part in (training, validation)]
    if min(map(len, parts)) == 0:
        raise ValueError(
            f"The first split of validation_fraction={splitter!r} has {len(parts[0])} training "
            f"and {len(parts[1])} validation rows of a positive weight; both need at least one."
        )
    return parts


def split(index, fraction, seed, *, codes=None, labels=None, weight=None):
    """Positions for training and for validation.

    They are stratified by the classes `codes`, where given: a class of one row stays in training,
    with a warning that names it, and when the validation part cannot hold a row of every class, it
    is drawn at random. With weights it gets its share of heavy and of light rows.
    """
    alone = np.zeros(len(index), bool)
    if codes is not None:
        _, positions, counts = np.unique(codes, return_inverse=True, return_counts=True)
        alone = counts[positions] == 1
        if alone.any() and len(counts) > 1:
            names = ", ".join(repr(label) for label in labels[codes[alone]].tolist())
            warn(f"Classes with a single row stay in the training part: {names}.", UserWarning)
    free = index[~alone]
    n_validation = int(np.ceil(fraction * len(free)))
    if n_validation < 2 or len(free) - n_validation < 1:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            f"dataset: validation_fraction={fraction} of {len(free)} rows is {n_validation}."
        )
    strata = None if codes is None else codes[~alone]
    if strata is not None:
        n_classes = len(np.unique(strata))
        if min(n_validation, len(free) - n_validation) < n_classes:
            strata = None
    if weight is None or np.ptp(weight[~alone]) == 0:
        training, validation = train_test_split(
            free, test_size=n_validation, random_state=seed, stratify=strata
        )
    else:
        taken = _systematic(n_validation, weight[~alone], strata, np.random.default_rng(seed))
        training, validation = np.delete(free, taken), free[taken]
    return np.sort(np.concatenate([training, index[alone]])), np.sort(validation)


def _systematic(n, weight, strata, rng):
    """Positions of n rows: each stratum gives its share, one of each stretch in order of weight.

    A stratum of two rows and more keeps one for training, if n allows.
    """
    strata = np.zeros(len(weight), int) if strata is None else strata
    order = np.lexsort((rng.random(len(weight)), weight, strata))
    _, counts = np.unique(strata, return_counts=True)
    chosen = []
    ends = np.cumsum(counts)
    for share, end, count in zip(_shares(counts, n), ends, counts, strict=True):
        edges = end - count + np.linspace(0, count, share + 1).astype(int)
        chosen.append(order[rng.integers(edges[:-1], edges[1:])])
    return np.concatenate(chosen)


def _shares(counts, n):
    """n divided in proportion to counts, by the largest remainders."""
    exact = counts * n / counts.sum()
    shares = exact.astype(int)
    shares[np.argsort(shares - exact, kind="stable")[: n - shares.sum()]] += 1
    return shares
