"""Targets that are numbers."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import column_or_1d


class RealTargets:
    """Adds the checks of y to regressors, and remembers whether y had an axis for targets."""

    _y_numeric = True

    def _encode_target(self, y, going_on, classes):
        if issparse(y):
            raise ValueError("y is sparse, but targets must be dense; use y.toarray().")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        name = "y_val" if going_on == "X_val" else "y"
        if going_on is None:
            self._flat = y.ndim == 1
        elif self._flat != (y.ndim == 1):
            before = "one output" if self._flat else "several outputs"
            raise ValueError(
                f"{name} has shape {y.shape}, but y had {before} in the first call of fit."
            )
        return self._in_domain(np.asarray(y, np.float64), self._make_loss(), name)

    def _in_domain(self, y, loss, name="y"):
        """y of shape (n, n_targets), or an error that shows what the loss cannot use."""
        target, domain = y.reshape(len(y), -1), loss.domain
        missing = np.isnan(target).any(axis=1)
        if missing.any():
            raise ValueError(
                f"{name} contains NaN, for example in row {np.argmax(missing)}. Drop such rows."
            )
        outside = ~domain.contains(target)
        if outside.any():
            row = int(np.flatnonzero(outside.any(axis=1))[0])
            parameter, value = self._named_loss()
            raise ValueError(
                f"Some values of {name} are out of the valid range {domain} of "
                f"{parameter}={value!r}, for example "
                f"{target[row][outside[row]][0]} in row {row}. Choose another {parameter} or "
                f"transform {name}."
            )
        return target

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
