"""The fitted step from raw X and y to what the engine trains on, as one object."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from .._engine.batches import DenseRows, DensifiedRows, MappedRows, SparseRows
from ._encoding import FEATURE_SCALINGS, TARGET_SCALINGS, FeatureScaling, Moments, row_blocks
from ._memo import kept


@dataclass(frozen=True)
class Design:
    """Scaling of features and target.

    Parameters
    ----------
    feature_kind : str or None
        A key of FEATURE_SCALINGS.
    features : FeatureScaling
    target_kind : str
        A key of TARGET_SCALINGS.
    target_moments : Moments or None
        Of the training targets, where the kind needs them.
    moving : bool
        Whether the statistics of features follow further rows, where the kind can do that.
    """

    feature_kind: str | None
    features: FeatureScaling
    target_kind: str
    target_moments: Moments | None
    moving: bool = True

    @classmethod
    def fit(cls, feature_kind, target_kind, X, target, weight, index, *, given=None, moving=True):
        """Statistics of the rows at `index` (None for all), weighted.

        `given` is a FeatureScaling that has been fitted elsewhere.
        """
        has_moments = TARGET_SCALINGS[target_kind].has_moments
        return cls(
            feature_kind,
            given or FEATURE_SCALINGS[feature_kind].fit(X, weight, index),
            target_kind,
            Moments.of(target, weight, index).check("y") if has_moments else None,
            moving,
        )

    @classmethod
    def identity(cls):
        """X and y as they are."""
        return cls(None, FEATURE_SCALINGS[None](), "none", None)

    def update(self, X, target, weight, index):
        """The design after more rows; kinds without running statistics stay as they are."""
        moments = self.target_moments
        if moments is not None and TARGET_SCALINGS[self.target_kind].moves:
            moments = moments.merge(Moments.of(target, weight, index)).check("y")
        features = self.features
        if self.moving:
            features = features.update(X, weight, index)
        return replace(self, features=features, target_moments=moments)

    @cached_property
    def target(self):
        """TargetScaling of the fitted statistics."""
        return TARGET_SCALINGS[self.target_kind].of(self.target_moments, self.features)

    def rows(self, X, dtype, *, mapped=False, scale_now=False):
        """Rows for the engine.

        With `scale_now` a dense X is scaled once into an array of its own; otherwise, for a
        `mapped` X and for CSR always, rows are converted and scaled batch by batch.
        """
        features = self.features
        if issparse(X):
            if features.shift is not None:
                return DensifiedRows(X, features.transform, dtype)
            return SparseRows(X, features.scale, dtype)
        if features.scale is None and X.dtype == dtype and not mapped:
            return DenseRows(X)
        if mapped or not scale_now:
            return MappedRows(X, features.transform, dtype)
        scaled = np.empty(X.shape, dtype)
        for part in row_blocks(X):
            features.transform(X[part], scaled[part])
        return DenseRows(scaled)

    def state(self):
        """The design in plain values."""
        moments = self.target_moments
        return {
            "feature_kind": self.feature_kind,
            "features": self.features.state(),
            "target_kind": self.target_kind,
            "target_moments": None if moments is None else vars(moments).copy(),
            "moving": self.moving,
        }

    @staticmethod
    def restore(state):
        """Inverse of `state`."""
        return _restored(state)

    @classmethod
    def _restored(cls, state):
        kind, moments = state["feature_kind"], state["target_moments"]
        return cls(
            kind,
            FEATURE_SCALINGS[kind].restore(state["features"]),
            state["target_kind"],
            None if moments is None else Moments(**moments),
            state["moving"],
        )


# Nobody changes a design, nor its state.
_restored = kept(Design._restored)


def check_same_design(design, feature_kind, target_kind, parameter, value):
    """Refuse to continue with another scaling than that of the first call."""
    remedy = "Create a new estimator, or call fit with warm_start=False."
    if feature_kind != design.feature_kind:
        raise ValueError(
            f"feature_scaling={feature_kind!r} differs from that of the first call, "
            f"{design.feature_kind!r}. {remedy}"
        )
    if target_kind != design.target_kind:
        raise ValueError(
            f"{parameter}={value!r} (or target_scaling) scales y in another way than the first "
            f"call did. {remedy}"
        )
