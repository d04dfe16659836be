"""The parameters ``numeric_embedding*``: learned functions of every column of numbers."""

from dataclasses import dataclass
from inspect import signature
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse

from .._sklearn_compat import Interval, StrOptions


@dataclass(frozen=True)
class Waves:
    """Waves of numbers; see `skmlp._engine.periodic`."""

    zero: str = "the wave of a zero"

    def check(self, estimator):
        """Refuse settings that cannot act."""

    def expanded(self, expansion, sample):
        """The columns that the network shall see."""
        return expansion

    def model(self, estimator, expansion, n_columns):
        """What the network is told, in plain values."""
        n = n_columns if expansion is None else len(expansion.numeric)
        return {
            "periodic": [n, int(estimator.numeric_embedding_size)],
            "sigma": float(estimator.numeric_embedding_scale),
        }


@dataclass(frozen=True)
class Bins:
    """Bins of numbers that fill up; see `skmlp._engine.piecewise`."""

    zero: str = "the place of a zero among bins"

    def check(self, estimator):
        """Refuse settings that cannot act."""
        name, value = "numeric_embedding_scale", estimator.numeric_embedding_scale
        if value != signature(type(estimator)).parameters[name].default:
            raise ValueError(
                f"{name}={value!r} cannot act with numeric_embedding="
                f"{estimator.numeric_embedding!r}, which has no waves. Leave {name} at its "
                "default, or use numeric_embedding='periodic'."
            )

    def expanded(self, expansion, sample):
        """The columns that the network shall see."""
        return expansion.with_bins(sample.X, sample.weight, sample.index)

    def model(self, estimator, expansion, n_columns):
        """What the network is told, in plain values."""
        bins = [] if expansion is None else expansion.bins
        return {"piecewise": [bins, int(estimator.numeric_embedding_size)]}


NUMERIC_EMBEDDINGS = {"periodic": Waves(), "piecewise": Bins()}

NUMBER_CONSTRAINTS = {
    "numeric_embedding": [StrOptions(set(NUMERIC_EMBEDDINGS))],
    "numeric_embedding_size": [Interval(Integral, 0, None, closed="left")],
    "numeric_embedding_scale": [Interval(Real, 0, None, closed="neither")],
}

# By which the learning rate of embeddings is multiplied in the neural tangent parametrization,
# whose rates are meant for weights that are divided by sqrt(n_in) (Holzmueller et al. 2024, arXiv
# 2407.04491).
NTK_RATE = 0.1


class EmbedsNumbers:
    """Adds embeddings of numbers to an estimator that takes tables; before `TakesTables`.

    They stand beside the numbers in front of the first dense layer.
    """

    @property
    def _embedding(self):
        """What embeds numbers, None if nothing does."""
        kind = NUMERIC_EMBEDDINGS[self.numeric_embedding]
        return kind if self.numeric_embedding_size else None

    def _layers(self):
        if self._embedding is not None:
            self._embedding.check(self)
        if self.numeric_embedding_size and self.encoder is not None:
            raise ValueError(
                f"numeric_embedding_size={self.numeric_embedding_size!r} cannot act with an "
                "encoder, whose first layer takes the numbers themselves. Leave "
                "numeric_embedding_size at 0, or encoder at None."
            )
        return super()._layers()

    def _before_network(self, sample, seeds, resumed):
        if self._embedding is not None and issparse(sample.X):
            raise ValueError(
                f"numeric_embedding_size={self.numeric_embedding_size!r} cannot act on a sparse X, "
                f"since {self._embedding.zero} is not zero. Leave it at 0, or give X.toarray()."
            )
        super()._before_network(sample, seeds, resumed)

    def _expansion_of(self, sample):
        expansion, kind = super()._expansion_of(sample), self._embedding
        return expansion if kind is None else kind.expanded(expansion, sample)

    def _described(self, recipe, sample, n_raw):
        model, kind = super()._described(recipe, sample, n_raw), self._embedding
        if kind is not None:
            model.update(kind.model(self, self._expanding, sample.X.shape[1]))
        return model

    def _step_factors(self, network, dtype):
        factors = super()._step_factors(network, dtype)
        if not network.of_numbers or self.parametrization != "ntk":
            return factors
        factors = np.ones((1, network.n_params), dtype) if factors is None else factors
        for layer in network.of_numbers:
            for block in layer.blocks:
                block.view(factors)[...] = NTK_RATE
        return factors

    def _check_one_affine_network(self, name):
        super()._check_one_affine_network(name)
        if self._network_of(self._model).of_numbers:
            size = max(self._model[key][1] for key in ("periodic", "piecewise"))
            raise AttributeError(
                f"{name} does not exist with numeric_embedding_size={size}: embeddings of the "
                "numbers stand before the first weights, which do not act on X. Set "
                "numeric_embedding_size=0; theta_ has all parameters."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.numeric_embedding_size:
            tags.input_tags.sparse = False
        return tags
