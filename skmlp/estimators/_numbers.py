"""The parameters ``numeric_embedding_*``: learned waves of every column of numbers."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse

from .._sklearn_compat import Interval

NUMBER_CONSTRAINTS = {
    "numeric_embedding_size": [Interval(Integral, 0, None, closed="left")],
    "numeric_embedding_scale": [Interval(Real, 0, None, closed="neither")],
}

# By which the learning rate of embeddings is multiplied in the neural tangent parametrization,
# whose rates are meant for weights that are divided by sqrt(n_in) (Holzmueller et al. 2024, arXiv
# 2407.04491).
NTK_RATE = 0.1


class EmbedsNumbers:
    """Adds periodic embeddings of numbers to an estimator that takes tables; before `TakesTables`.

    They stand beside the numbers in front of the first dense layer.
    """

    def _layers(self):
        if self.numeric_embedding_size and self.encoder is not None:
            raise ValueError(
                f"numeric_embedding_size={self.numeric_embedding_size!r} cannot act with an "
                "encoder, whose first layer takes the numbers themselves. Leave "
                "numeric_embedding_size at 0, or encoder at None."
            )
        return super()._layers()

    def _before_network(self, sample, seeds, resumed):
        if self.numeric_embedding_size and issparse(sample.X):
            raise ValueError(
                f"numeric_embedding_size={self.numeric_embedding_size!r} cannot act on a sparse X, "
                "since the wave of a zero is not zero. Leave it at 0, or give X.toarray()."
            )
        super()._before_network(sample, seeds, resumed)

    def _described(self, recipe, sample, n_raw):
        model = super()._described(recipe, sample, n_raw)
        if self.numeric_embedding_size:
            expansion = self._expanding
            n = sample.X.shape[1] if expansion is None else len(expansion.numeric)
            model["periodic"] = [n, int(self.numeric_embedding_size)]
            model["sigma"] = float(self.numeric_embedding_scale)
        return model

    def _step_factors(self, network, dtype):
        factors = super()._step_factors(network, dtype)
        if network.waves is None or self.parametrization != "ntk":
            return factors
        factors = np.ones((1, network.n_params), dtype) if factors is None else factors
        for block in network.waves.blocks:
            block.view(factors)[...] = NTK_RATE
        return factors

    def _check_one_affine_network(self, name):
        super()._check_one_affine_network(name)
        n, size = self._model["periodic"]
        if n and size:
            raise AttributeError(
                f"{name} does not exist with numeric_embedding_size={size}: waves of the numbers "
                "stand before the first weights, which do not act on X. Set "
                "numeric_embedding_size=0; theta_ has all parameters."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.numeric_embedding_size:
            tags.input_tags.sparse = False
        return tags
