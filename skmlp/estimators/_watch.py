"""Watching a validation set while a network trains."""

import warnings

import numpy as np
from sklearn.model_selection import train_test_split


class Watch:
    """Scores of every member on a validation set; higher is better.

    Parameters
    ----------
    objective : Objective
        Its loss is the plain one, without label smoothing.
    data : TrainingSet
        The validation rows.
    score : callable or None
        score(raw, y, weight) of one member; None watches minus the loss.
    members : int
    dtype : numpy dtype
    """

    def __init__(self, objective, data, score, members, dtype):
        self.objective, self.data, self.score = objective, data, score
        self.workspace = objective.workspace(members, dtype)
        self.y, self.weight = data.targets()

    def __call__(self, theta):
        losses, raw = self.objective.mean_loss(theta, self.data, self.workspace)
        if self.score is None:
            return -losses, losses
        scores = [
            self.score(one, self.y, self.weight) if np.isfinite(one).all() else np.nan
            for one in raw
        ]
        return np.array(scores), losses


def split(index, fraction, seed, codes=None, labels=None):
    """Positions for training and for validation, stratified by `codes` where given.

    A class of one row stays in training, with a warning that names it. When the validation part
    cannot hold a row of every class, it is drawn at random.
    """
    alone = np.zeros(len(index), bool)
    if codes is not None:
        _, positions, counts = np.unique(codes, return_inverse=True, return_counts=True)
        alone = counts[positions] == 1
        if alone.any() and len(counts) > 1:
            names = ", ".join(repr(label) for label in labels[codes[alone]].tolist())
            warnings.warn(
                f"Classes with a single row stay in the training part: {names}.",
                UserWarning,
                stacklevel=7,  # the caller of fit
            )
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
    training, validation = train_test_split(
        free, test_size=n_validation, random_state=seed, stratify=strata
    )
    return np.sort(np.concatenate([training, index[alone]])), np.sort(validation)
