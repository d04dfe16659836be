"""The parameter ``clip_predictions``: no prediction is outside the range of y."""

import numpy as np

from ._design import Design
from ._vocabulary import restore

UNKNOWN = ((-np.inf,), (np.inf,))


class ClipsPredictions:
    """Adds ``clip_predictions`` to a regressor; before `Regression`."""

    def _before_network(self, sample, seeds, resumed):
        super()._before_network(sample, seeds, resumed)
        target = sample.target[sample.positions()]
        lowest, highest = target.min(axis=0), target.max(axis=0)
        if resumed:
            low, high = self.target_range_
            lowest, highest = np.minimum(lowest, low), np.maximum(highest, high)
        self.target_range_ = np.array([lowest, highest])

    def _outputs(self, X, stop=None):
        # Here, so that members are clipped before their average, and scores see it too.
        raw = super()._outputs(X, stop)
        if stop is None and self.clip_predictions and np.isfinite(self.target_range_).all():
            loss, target = restore(self._loss), Design.restore(self._design).target
            # The best constant for a single y is what stands for this y.
            ends = [loss.init_raw(end[np.newaxis]) for end in target.encode(self.target_range_)]
            np.clip(raw, *ends, out=raw)
        return raw

    def _in_range(self, prediction):
        if not self.clip_predictions:
            return prediction
        # Up to rounding it is there already.
        low, high = self.target_range_.astype(prediction.dtype)
        low = np.where(low < self.target_range_[0], np.nextafter(low, np.inf), low)
        high = np.where(high > self.target_range_[1], np.nextafter(high, -np.inf), high)
        return np.clip(prediction, low, high)

    def _check_one_affine_network(self, name):
        super()._check_one_affine_network(name)
        if self.clip_predictions:
            raise AttributeError(
                f"{name} does not exist with clip_predictions=True: clipping comes after the last "
                "weights. They are those of the network after set_params(clip_predictions=False), "
                "which needs no new fit."
            )
