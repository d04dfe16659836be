"""The fitted step from raw X and y to what the engine trains on, as one object."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from .._engine.batches import DenseRows, DensifiedRows, MappedRows, SparseRows
from ._encoding import FEATURE_SCALINGS, FeatureScaling, refusing_overflow
from ._expansion import ExpandedRows, Expansion, check_dense
from ._memo import kept
from ._moments import Moments, row_blocks
from ._target_scaling import TARGET_SCALINGS


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
    expansion : Expansion or None
        How columns of X become those that the network sees; `features` then is about the columns
        of numbers only, which come first. None for rows that are scaled and nothing else.
    """

    feature_kind: str | None
    features: FeatureScaling
    target_kind: str
    target_moments: Moments | None
    moving: bool = True
    expansion: Expansion | None = None

    @classmethod
    def fit(
        cls,
        feature_kind,
        target_kind,
        X,
        target,
        weight,
        index,
        *,
        given=None,
        moving=True,
        expansion=None,
    ):
        """Statistics of the rows at `index` (None for all), weighted.

        `given` is a FeatureScaling that has been fitted elsewhere.
        """
        has_moments = TARGET_SCALINGS[target_kind].has_moments
        numbers = X if expansion is None else expansion.numbers(X)
        features = given
        if features is None and numbers.shape[1]:
            features = FEATURE_SCALINGS[feature_kind].fit(numbers, weight, index)
        elif features is None:
            features = FEATURE_SCALINGS[None]()
        if expansion is not None:
            expansion = expansion.filled_by(features, X, weight, index)
        return cls(
            feature_kind,
            features,
            target_kind,
            Moments.of(target, weight, index).check("y") if has_moments else None,
            moving,
            expansion,
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
        features, expansion = self.features, self.expansion
        if self.moving and expansion is None:
            features = features.update(X, weight, index)
        elif self.moving and len(expansion.numeric):
            features = features.update(expansion.numbers(X), weight, index)
            expansion = expansion.after(features)
        return replace(self, features=features, target_moments=moments, expansion=expansion)

    @cached_property
    def target(self):
        """TargetScaling of the fitted statistics."""
        return TARGET_SCALINGS[self.target_kind].of(self.target_moments, self.features)

    def rows(self, X, dtype, *, mapped=False, scale_now=False, whole=False):
        """Rows for the engine.

        With `scale_now` a dense X is scaled once into an array of its own; otherwise, for a
        `mapped` X and for CSR always, rows are converted and scaled batch by batch. X is `whole`
        if it is known to have no gaps.
        """
        features = self.features
        if not self._only_scales(X, mapped, whole):
            return self._expanded_rows(X, dtype, mapped or not scale_now)
        if issparse(X):
            if features.shift is not None:
                return DensifiedRows(X, features.transform, dtype)
            return SparseRows(X, features.scale, dtype)
        if features.scale is None and X.dtype == dtype and not mapped:
            return DenseRows(X)
        if mapped or not scale_now:
            return MappedRows(X, features.transform, dtype)
        scaled = np.empty(X.shape, dtype)
        with refusing_overflow(scaled.dtype):
            for part in row_blocks(X):
                features.transform(X[part], scaled[part])
        return DenseRows(scaled)

    def scaled(self, rows):
        """A few dense rows as the network sees them, in float64."""
        if self.expansion is None:
            out = np.empty(rows.shape)
            self.features.transform(rows, out)
        else:
            out = np.empty((len(rows), self.expansion.width))
            self.expansion.write(self.features, rows, out)
        return out

    def affine(self, ends):
        """Scaling of all columns that the network sees, in its order, as far as it is affine.

        `ends` are the numbers of each category that -1 and +1 stand for, equal for a constant.
        """
        features = self.features
        if not ends:
            return features
        low, high = np.transpose(ends)
        half, n = (high - low) / 2.0, len(self.expansion.numeric)
        # What is divided by infinity counts for nothing.
        half[half == 0.0] = np.inf
        shift = np.zeros(n) if features.shift is None else features.shift
        scale = np.ones(n) if features.scale is None else features.scale
        both = np.r_[shift, (low + high) / 2.0], np.r_[scale, half]
        return FEATURE_SCALINGS["standard"](*both)

    @property
    def bent(self):
        """Columns of X whose scaling is no affine map."""
        columns = self.features.bends
        return columns if self.expansion is None else self.expansion.numeric[columns]

    def places(self, columns):
        """Columns of what the network sees that stem from some columns of X."""
        if self.expansion is None:
            return np.array(columns, int)
        origin = self.expansion.origin
        found = [np.flatnonzero(origin == column) for column in columns]
        return np.concatenate([np.empty(0, int), *found])

    def _only_scales(self, X, mapped, whole):
        """Whether rows of X have neither categories nor gaps."""
        expansion = self.expansion
        if expansion is None or (expansion.plain and (whole or issparse(X))):
            return True
        if not expansion.plain or mapped:
            return X.dtype.kind != "f" and expansion.plain
        # Overflow is no gap, but looks like one at first.
        with np.errstate(over="ignore", invalid="ignore"):
            return not np.isnan(X.sum())

    def _expanded_rows(self, X, dtype, later):
        check_dense(X)
        expansion, features = self.expansion, self.features
        if later:
            return ExpandedRows(X, expansion, features, dtype)
        out = np.empty((X.shape[0], expansion.width), dtype)
        with refusing_overflow(out.dtype):
            for part in row_blocks(out):
                expansion.write(features, X[part], out[part])
        return DenseRows(out)

    def state(self):
        """The design in plain values."""
        moments = self.target_moments
        return {
            "feature_kind": self.feature_kind,
            "features": self.features.state(),
            "target_kind": self.target_kind,
            "target_moments": None if moments is None else vars(moments).copy(),
            "moving": self.moving,
            "expansion": None if self.expansion is None else self.expansion.state(),
        }

    @staticmethod
    def restore(state):
        """Inverse of `state`."""
        return _restored(state)

    @classmethod
    def _restored(cls, state):
        kind, moments = state["feature_kind"], state["target_moments"]
        expansion = state["expansion"]
        return cls(
            kind,
            FEATURE_SCALINGS[kind].restore(state["features"]),
            state["target_kind"],
            None if moments is None else Moments(**moments),
            state["moving"],
            None if expansion is None else Expansion.restore(expansion),
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
