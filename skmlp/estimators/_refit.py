"""The parameter ``refit``: once the best epoch is known, train on all rows up to it."""

from dataclasses import replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._engine.training import TrainState
from ..schedules import SCHEDULES
from ._outcome import to_go_on, warn
from ._recipe import is_stochastic
from ._vocabulary import resolve


class TrainsOnAll:
    """Adds ``refit`` to an estimator; before `BaseMLP`."""

    def _watches_by_default(self, sample):
        return self.refit or super()._watches_by_default(sample)

    def _hold_out(self, sample, validation, seed, incremental):
        part, held_out = super()._hold_out(sample, validation, seed, incremental)
        if self.refit and not incremental:
            self._check_refit(held_out is not None and held_out.is_part_of(sample))
        return part, held_out

    def _check_refit(self, holds_out):
        schedule = resolve(self.learning_rate, SCHEDULES, self)
        obstacles = {
            "without a part of X that is watched. Give no X_val, set early_stopping='auto'": (
                not holds_out
            ),
            f"with solver={self.solver!r}, whose steps depend on all before. Use a stochastic "
            "solver such as 'adam'": not is_stochastic(self.solver),
            "with warm_start=True, since it trains from the start. Set warm_start=False": (
                self.warm_start
            ),
            f"with learning_rate={self.learning_rate!r}, which falls by the watched score. Use "
            "another schedule": schedule.plateau_factor is not None,
        }
        for obstacle, is_there in obstacles.items():
            if is_there:
                raise ValueError(f"refit=True cannot act {obstacle}, or leave refit at False.")

    def _train_on_all(self, recipe, sample, seeds, plan, first, members):
        """Train once more from the start, on all of the sample, each member up to its best epoch.

        The model is that of the first training if this is interrupted or diverges.
        """
        if first.interrupted or first.halted.any():
            return
        before = dict(vars(self))
        objective, data, state = self._posed(recipe, sample, seeds, resumed=False)
        noise = tuple(state.noise[member] for member in members)
        state = TrainState(state.theta[members], order=state.order, noise=noise)
        plan = replace(
            plan,
            epochs=first.best_epoch[members],
            n_iter_no_change=np.inf,
            weight_tol=0.0,
            step_factors=self._step_factors(objective.network, state.theta.dtype),
        )
        self._solve(objective, data, state, plan)
        outcome = f"All rows were then trained on for {_listed(plan.epochs)} epochs."
        if state.interrupted or state.diverged.any():
            vars(self).clear()
            vars(self).update(before)
            outcome = f"Training on all rows is given up: {state.reasons[0]}"
            category = UserWarning if state.interrupted else ConvergenceWarning
            warn(f"{outcome} The model is that of the training before.", category)
        else:
            theta = self._calibrated(objective.network, state.theta)
            self.theta_ = self._shaped(theta)
            self._training = to_go_on(state, np.arange(len(theta)), recipe.optimizer, False)
        self.stop_reason_ = f"{self.stop_reason_} {outcome}"

    def _calibrated(self, network, theta):
        """Parameters, (members, P), after what was found out on the rows that were watched."""
        return theta


def _listed(epochs):
    return " and ".join(map(str, dict.fromkeys(epochs.tolist())))
