"""Temperature scaling: how sure a classifier is, told by rows that it was not trained on."""

from dataclasses import replace
from math import exp, log

import numpy as np
from scipy.optimize import minimize_scalar

from .._engine.objective import mean_loss
from ..losses import CLASSIFICATION_LOSSES
from ._defaults import BY_HAND
from ._effective import dense_layers
from ._outcome import choose

# Temperatures lie between 1 / LIMIT and LIMIT.
LIMIT = 20.0


class TemperatureScaling:
    """Adds ``temperature_scaling`` to a classifier over one network; before `HasRecipe`."""

    _by_hand = {**BY_HAND, "temperature_scaling": False}

    def _settings(self, n_rows, by_hand=False, incremental=False):
        found = super()._settings(n_rows, by_hand, incremental)
        kinds = CLASSIFICATION_LOSSES[self.loss].values()
        if "temperature_scaling" in found and not any(kind.probabilistic for kind in kinds):
            found["temperature_scaling"] = False
        return found

    def _make_loss(self):
        loss = super()._make_loss()
        if self.temperature_scaling is True and not loss.probabilistic:
            raise ValueError(
                f"temperature_scaling=True cannot act with loss={self.loss!r}, which gives no "
                "probabilities. Use loss='log_loss', or leave temperature_scaling at 'auto'."
            )
        return loss

    def _hold_out(self, sample, validation, seed, incremental):
        sample, held_out = super()._hold_out(sample, validation, seed, incremental)
        if self.temperature_scaling and held_out is None and not incremental:
            raise ValueError(
                "temperature_scaling=True cannot act without a validation set. Pass X_val and "
                "y_val to fit, set early_stopping=True, or leave temperature_scaling at 'auto'."
            )
        return sample, held_out

    def _train(self, objective, data, state, plan, watch, callbacks, fresh):
        super()._train(objective, data, state, plan, watch, callbacks, fresh)
        self.temperature_ = 1.0
        if watch and self.temperature_scaling:
            members = choose(state, self._averages())
            theta = state.theta[members]
            raw, (y, weight) = watch.outputs(theta), watch.data.targets()
            self.temperature_ = best_temperature(objective.loss.plain, y, raw, weight)
            state.theta[members] = self._calibrated(objective.network, theta)

    def _calibrated(self, network, theta):
        return divided(network, super()._calibrated(network, theta), self.temperature_)


def best_temperature(loss, y, raw, weight=None):
    """By what all raw outputs are divided for the least loss of the members' average.

    One more row, of unknown class, keeps a network from becoming too sure when a few rows are all
    told apart: labels are smoothed by 1 / (n_rows + 1).

    Parameters
    ----------
    loss : LogLoss
    y : ndarray of shape (rows, n_targets) or (rows,)
    raw : ndarray of shape (members, rows, n_raw)
        Where not all are finite, or all are 0, the temperature is 1.
    weight : ndarray of shape (rows,) or None

    Returns
    -------
    temperature : float

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, ICML. Rahaman and Thiery (2021),
    Uncertainty quantification and deep ensembles, NeurIPS (average first, then calibrate).
    """
    if not (np.isfinite(raw).all() and raw.any()):
        return 1.0
    total = len(y) if weight is None else np.sum(weight, dtype=np.float64)
    smoothed = replace(loss, label_smoothing=1.0 / (total + 1.0))
    raw = raw.astype(np.float64)

    def value(log_factor):
        mean = loss.average(raw * exp(log_factor))
        return mean_loss(smoothed, y, mean[np.newaxis], weight)[0]

    found = minimize_scalar(
        value, bounds=(-log(LIMIT), log(LIMIT)), method="bounded", options={"xatol": 1e-4}
    )
    return exp(-found.x)


def divided(network, theta, temperature):
    """Parameters, of shape (members, P), with which raw outputs are divided; theta is changed."""
    last = dense_layers(network)[-1]
    for block in (last.weight, last.bias):
        view = block.view(theta)
        view /= temperature
    return theta
