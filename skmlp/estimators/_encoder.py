"""The parameter ``encoder``: networks that begin with the first half of an autoencoder."""

import copy

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from ._autoencoder import AutoencoderTransformer
from ._autoencoder._fitted import check_features, unfrozen
from ._autoencoder._layers import autoencoder_layers
from ._design import Design
from ._effective import copy_layers
from ._recipe import Layers, is_stochastic, network_of
from ._vocabulary import restore

ENCODER_CONSTRAINT = [AutoencoderTransformer, FrozenEstimator, None]


class StartsFromEncoder:
    """Adds ``encoder`` and ``encoder_learning_rate`` to an estimator over one network.

    The layers of the encoder stand before the hidden layers and start from its weights; X is
    scaled as it was for the encoder.
    """

    def _layers(self):
        own = super()._layers()
        if self.encoder is None:
            if self.encoder_learning_rate != 1.0:
                raise ValueError(
                    f"encoder_learning_rate={self.encoder_learning_rate!r} cannot act without an "
                    "encoder. Leave it at 1.0, or give one."
                )
            return own
        return own.after(_layers_of(self.encoder))

    def _before_network(self, sample, seeds, resumed):
        super()._before_network(sample, seeds, resumed)
        if self.encoder is None:
            self.__dict__.pop("encoder_", None)
        elif not resumed:
            self.encoder_ = self._fitted_encoder(sample, seeds)

    def _fitted_encoder(self, sample, seeds):
        names = getattr(self, "feature_names_in_", None)
        fitted = unfrozen("encoder", self.encoder)
        if fitted is not None:
            check_features("encoder", fitted, sample.X.shape[1], names)
            return copy.deepcopy(fitted)
        encoder = clone(self.encoder)
        if encoder.random_state is None:
            encoder.set_params(random_state=seeds[0])
        if sample.mapped and sample.index is not None:
            # Not loaded whole: rows of weight 0 take no part.
            X, weight = sample.X, np.zeros(len(sample.X))
            weight[sample.index] = 1.0 if sample.weight is None else sample.weight[sample.index]
        else:
            X, _, weight = sample.taken()
        encoder.fit(X, sample_weight=weight)
        if names is not None:
            encoder.feature_names_in_ = names
        return encoder

    def _scalings(self, loss):
        features, target = super()._scalings(loss)
        return features if self.encoder is None else self.encoder_.feature_scaling_, target

    def _fit_design(self, loss, model, rows):
        if self.encoder is None:
            return super()._fit_design(loss, model, rows)
        given = Design.restore(self.encoder_._design).features
        return Design.fit(*self._scalings(loss), *rows, given=given, moving=False)

    def _initialize(self, theta, network, loss, data, n_targets, rngs):
        super()._initialize(theta, network, loss, data, n_targets, rngs)
        if self.encoder is not None:
            model, given = self.encoder_._model, self.encoder_.theta_[np.newaxis]
            copy_layers(network, theta, network_of(model), given, model["n_encoder"])

    def _given_start(self):
        return self.encoder_.theta_ if isinstance(self.encoder, FrozenEstimator) else None

    def _step_factors(self, network, dtype):
        rate, factors = self.encoder_learning_rate, super()._step_factors(network, dtype)
        if self.encoder is None or rate == 1.0:
            return factors
        if rate != 0.0 and not is_stochastic(self.solver):
            raise ValueError(
                f"encoder_learning_rate={rate!r} cannot act with solver={self.solver!r}, which has "
                "no learning rate. Use 0.0 to keep the encoder as it is, 1.0 to train it, or a "
                "stochastic solver such as 'adam'."
            )
        factors = np.ones((1, network.n_params), dtype) if factors is None else factors
        for layer in network.layers[: network.depth_of(self.encoder_._model["n_encoder"])]:
            for block in layer.blocks:
                block.view(factors)[...] *= rate
        return factors


def _layers_of(encoder):
    """Layers of the autoencoder that `encoder` is or holds."""
    fitted = unfrozen("encoder", encoder)
    if fitted is not None:
        return _fitted_layers(fitted)
    encoder._validate_params()
    if encoder.combine_inits == "average" and encoder.n_init > 1:
        raise ValueError(_ONE_NETWORK)
    return autoencoder_layers(encoder)


def _fitted_layers(encoder):
    if encoder.theta_.ndim == 2:
        raise ValueError(_ONE_NETWORK)
    model = encoder._model
    hidden = tuple(model["sizes"][1:-1])
    activations = tuple(restore(activation) for activation in model["activations"])
    return Layers(hidden, activations, tuple(model["dropout"]), n_encoder=model["n_encoder"])


_ONE_NETWORK = (
    "encoder must be a single network, but combine_inits='average' keeps several. Use "
    "combine_inits='best', or one of its estimators_."
)
