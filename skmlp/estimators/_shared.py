"""The parameter ``n_shared_layers``: first layers that several starts have in common."""

from dataclasses import replace

from .._engine.shared import share
from ..schedules import SCHEDULES
from ._recipe import is_stochastic
from ._vocabulary import resolve


class SharesLayers:
    """Adds ``n_shared_layers`` to an estimator over one network; before `BaseMLP`.

    Layers are shared while the solver runs and nowhere else: before and after it every start has a
    complete network of its own, so that predictions, averages and pickles know nothing of it.
    """

    @property
    def _shares(self):
        """Whether there is anything to share."""
        return self.n_init > 1 and self.n_shared_layers > 0

    def _layers(self):
        layers = super()._layers()
        n_hidden = len(layers.hidden)
        if self.n_shared_layers > n_hidden:
            raise ValueError(
                f"n_shared_layers={self.n_shared_layers!r} is more than the {n_hidden} hidden "
                "layer(s) that there are. Lower it, or set hidden_layer_sizes to more layers."
            )
        if self._shares:
            self._check_shared_layers()
        return layers

    def _check_shared_layers(self):
        schedule = resolve(self.learning_rate, SCHEDULES, self)
        obstacles = {
            f"with solver={self.solver!r}, which trains one start after another. Use a stochastic "
            "solver such as 'adam'": not is_stochastic(self.solver),
            "with warm_start=True, since starts may have been restored from different epochs. Set "
            "warm_start=False": self.warm_start,
            f"with learning_rate={self.learning_rate!r}, which falls for each start by itself. Use "
            "another schedule": schedule.plateau_factor is not None,
            "with refit=True and combine_inits='best', since the best start would be trained again "
            "without the others. Use combine_inits='average'": (
                self.refit and self.combine_inits == "best"
            ),
        }
        for obstacle, is_there in obstacles.items():
            if is_there:
                raise ValueError(
                    f"n_shared_layers={self.n_shared_layers!r} cannot act {obstacle}, or leave "
                    "n_shared_layers at 0."
                )

    def _solve(self, objective, data, state, plan, watch=None, callbacks=()):
        if self._shares:
            n_encoder = self._model["n_encoder"]
            network = share(objective.network, n_encoder + self.n_shared_layers)
            network.layers[0].spread(state.theta)
            objective, plan = replace(objective, network=network), replace(plan, together=True)
        super()._solve(objective, data, state, plan, watch, callbacks)
