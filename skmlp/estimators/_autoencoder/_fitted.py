"""Autoencoders as parameters of other estimators: fitted ones, or ones to be fitted."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from ._transformer import AutoencoderTransformer


def unfrozen(parameter, value):
    """The autoencoder that `value` holds if it is frozen, else None.

    Raises
    ------
    ValueError
        For one that is frozen and not fitted, or fitted and not frozen.
    """
    if not isinstance(value, FrozenEstimator):
        if hasattr(value, "theta_"):
            raise ValueError(
                f"{parameter} is a fitted AutoencoderTransformer, so that it is not clear what it "
                f"stands for. Give FrozenEstimator({parameter}) (from sklearn.frozen) to take it "
                f"as it is fitted, or clone({parameter}) to have its parameters fitted to X."
            )
        return None
    inner = value.estimator
    if not isinstance(inner, AutoencoderTransformer) or not hasattr(inner, "theta_"):
        state = "not fitted" if isinstance(inner, AutoencoderTransformer) else "none"
        raise ValueError(
            f"{parameter} must hold a fitted AutoencoderTransformer, but FrozenEstimator holds "
            f"{type(inner).__name__}, which is {state}. Fit it first, or give it bare."
        )
    return inner


def check_features(parameter, autoencoder, n_features, names):
    """Refuse a fitted autoencoder of other columns; `names` are those of X, or None."""
    if autoencoder.n_features_in_ != n_features:
        raise ValueError(
            f"{parameter} was fitted to {autoencoder.n_features_in_} features, but X has "
            f"{n_features}. Give the same columns, or an autoencoder that is fitted to X."
        )
    known = getattr(autoencoder, "feature_names_in_", names)
    if names is not None and not np.array_equal(known, names):
        raise ValueError(
            f"{parameter} was fitted to the columns {list(known[:5])}..., but X has "
            f"{list(names[:5])}.... Give the same columns in the same order."
        )
