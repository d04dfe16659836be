"""Watching a validation set while a network trains, and setting one aside."""

from dataclasses import replace
from inspect import Parameter, signature
from numbers import Real

import numpy as np
from sklearn.metrics import get_scorer

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
        collect = self.score is not None
        losses, raw = self.objective.mean_loss(theta, self.data, self.workspace, collect)
        if self.score is None:
            return -losses, losses
        scores = [
            self.score(row, one) if np.isfinite(one).all() else np.nan
            for row, one in zip(theta, raw, strict=True)
        ]
        return np.array(scores, np.float64), losses

    def outputs(self, theta):
        """Raw outputs on the validation rows, (members, rows, n_raw)."""
        workspace = self.objective.workspace(len(theta), theta.dtype)
        return self.objective.mean_loss(theta, self.data, workspace, collect=True)[1]


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
    X, y, weight = held_out.for_scorer()
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
        if not isinstance(value, Real):
            raise ValueError(f"scoring={scoring!r} must return a number, got {value!r}.")
        return value

    return score


def _takes_weights(scorer):
    # What make_scorer returns passes everything on to its function.
    parameters = signature(getattr(scorer, "_score_func", scorer)).parameters.values()
    return any(p.name == "sample_weight" or p.kind is Parameter.VAR_KEYWORD for p in parameters)


def split_by(splitter, X, y, index):
    """First split of a cross-validation splitter, without the rows that do not count."""
    try:
        training, validation = next(iter(splitter.split(X, y)))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"validation_fraction={splitter!r} cannot split X and y: {error} A splitter that needs "
            "groups can be replaced by PredefinedSplit, or give X_val and y_val."
        ) from error
    parts = [np.intersect1d(part, index) for part in (training, validation)]
    if min(map(len, parts)) == 0:
        raise ValueError(
            f"The first split of validation_fraction={splitter!r} has {len(parts[0])} training "
            f"and {len(parts[1])} validation rows of a positive weight; both need at least one."
        )
    return parts


# Copies of a row may come into both parts where fewer distinct rows than this would be there, or
# would be watched while there are so many copies of each that the rows are cells of a table.
FEW_DISTINCT, MANY_COPIES = 8, 10

# So many rows of a class are watched where their loss chooses the epoch: one row of a rare class
# would be told by chance in one of many epochs. They are a third of the class at most, and all
# classes together make the watched part larger by a fifth at most.
FEW_OF_A_CLASS = 3

# Classes with so many times their share among the watched rows count by their share.
TOO_FREQUENT = 1.5


def split(
    index,
    fraction,
    seed,
    *,
    kinds,
    codes=None,
    labels=None,
    weight=None,
    what="Classes",
    at_least=0,
):
    """Positions for training and for validation.

    Rows that are copies of each other stay together, so that a weight of k does what k copies do,
    and nothing is watched that is trained on; but a few rows with many copies each are split copy
    by copy. Heavy and light rows have their shares, and so have the classes; a class of one row
    stays in training, with a warning that names it. When the validation part cannot hold a row of
    every class, it is drawn at random.

    Parameters
    ----------
    index : ndarray of int
        The rows to split.
    fraction : float
    seed : int
    kinds : tuple of ndarray
        Of the rows at `index`, as `kinds_of_rows` finds them.
    codes : ndarray of int or None
        Classes of the rows at `index`, with their `labels`.
    weight : ndarray or None
    what : str
        What the codes stand for, for warnings.
    at_least : int
        Rows of each class for validation, if the class is large enough.
    """
    first, group = kinds
    chance = np.random.default_rng([seed, 1]).random(len(first))
    few_watched = fraction * len(first) < FEW_DISTINCT and len(index) > MANY_COPIES * len(first)
    if len(first) < FEW_DISTINCT or few_watched:
        chance = chance[group]
        first = group = np.arange(len(index))
    strata = np.zeros(len(first), int) if codes is None else codes[first]
    alone = np.zeros(len(first), bool)
    if codes is not None:
        classes, positions, counts = np.unique(strata, return_inverse=True, return_counts=True)
        alone = (counts[positions] == 1) & (len(classes) > 1)
        if alone.any():
            names = [repr(label) for label in labels[strata[alone]].tolist()]
            names = ", ".join(names[:10] + ["..."] * (len(names) > 10))
            warn(f"{what} with a single row stay in the training part: {names}.", UserWarning)
    free = np.flatnonzero(~alone)
    n_validation = _size_of_validation(fraction, len(free))
    if min(n_validation, len(free) - n_validation) < len(np.unique(strata[free])):
        strata = np.zeros(len(first), int)
    mass = np.bincount(group, weights=weight)[free]
    rng = np.random.default_rng(seed)
    taken = free[_systematic(n_validation, at_least, strata[free], mass, chance[free], rng)]
    watched = np.isin(group, taken)
    return index[~watched], index[watched]


def _size_of_validation(fraction, n):
    size = int(np.ceil(fraction * n))
    size = max(size, 2) if size else 0
    if size < 2 or n - size < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            f"dataset: validation_fraction={fraction} and n_samples={n} distinct rows leave "
            f"{size} to watch and {max(n - size, 0)} to train on; both must be at least 2. Or set "
            "early_stopping=False."
        )
    return size


def as_frequent(codes, sample, held_out):
    """The part `held_out` of a sample, weighted where it has too many rows of a class.

    `codes` are the classes of all rows of the sample.
    """
    weight = np.ones(len(codes)) if sample.weight is None else sample.weight
    n_classes = codes.max() + 1
    whole, part = (
        np.bincount(codes[rows], weight[rows], n_classes)
        for rows in (sample.positions(), held_out.positions())
    )
    expected = whole * (part.sum() / whole.sum())
    many = part > TOO_FREQUENT * expected
    if not many.any():
        return held_out
    factors = np.divide(expected, part, out=np.ones(n_classes), where=many)
    return replace(held_out, weight=weight * factors[codes])


def _systematic(n, at_least, strata, mass, chance, rng):
    """Positions of n entries: each stratum gives its share, one of each stretch in order of mass.

    Entries of the same mass are in an order of chance. Strata give `at_least` so many entries, if
    they can.
    """
    order = np.lexsort((chance, mass, strata))
    _, counts = np.unique(strata, return_counts=True)
    chosen = []
    shares = _shares(counts, n)
    raised = np.maximum(shares, np.minimum(at_least, counts // 3))
    shares = raised if raised.sum() <= 1.2 * n else shares
    for share, end, count in zip(shares, np.cumsum(counts), counts, strict=True):
        edges = end - count + np.linspace(0, count, share + 1).astype(int)
        chosen.append(order[rng.integers(edges[:-1], edges[1:])])
    return np.concatenate(chosen)


def _shares(counts, n):
    """n divided in proportion to counts, by the largest remainders."""
    exact = counts * n / counts.sum()
    shares = exact.astype(int)
    shares[np.argsort(shares - exact, kind="stable")[: n - shares.sum()]] += 1
    return shares
