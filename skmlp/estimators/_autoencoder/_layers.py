"""The layers of an autoencoder, its noise and its penalties, from constructor parameters."""

from inspect import signature

import numpy as np

from ..._engine.noise import NOISES
from ..._engine.penalties import SPARSITIES, Contractive
from ...activations import Identity
from ...losses import RECONSTRUCTION_LOSSES
from .._recipe import (
    Layers,
    activations_of,
    check_trainable,
    dropout_of,
    is_stochastic,
    sizes_of,
)
from ._pca import check_pca

# A contractive penalty takes a backward pass and two more for every unit of the code, or one of
# each for a random direction: for wider codes the direction is drawn.
EXACT_CODE = 16

# What acts only together with another parameter.
SETTINGS = {
    "noise_level": ("noise", tuple(NOISES)),
    "sparsity_alpha": ("sparsity", tuple(SPARSITIES)),
    "sparsity_target": ("sparsity", ("kl",)),
}


def autoencoder_layers(autoencoder):
    """`Layers` of an autoencoder, output activation included when it is not linear."""
    mirrored = autoencoder.decoder_hidden_layer_sizes is None
    encoder = sizes_of("hidden_layer_sizes", autoencoder.hidden_layer_sizes)
    decoder = encoder[::-1]
    if not mirrored:
        decoder = sizes_of("decoder_hidden_layer_sizes", autoencoder.decoder_hidden_layer_sizes)
    n_hidden, n_encoder = len(encoder) + len(decoder), len(encoder)

    def both_sides(name):
        value = getattr(autoencoder, name)
        if not isinstance(value, (list, tuple, np.ndarray)):
            return value
        if mirrored and len(value) == n_encoder:
            return [*value, *reversed(value)]
        if len(value) != n_hidden:
            raise ValueError(
                f"{name} has {len(value)} entries, but there are {n_encoder} hidden layers in the "
                f"encoder and {len(decoder)} in the decoder. Give one entry for each of them "
                "(a mirrored decoder may be left out), or a single value for all."
            )
        return value

    activations = activations_of("activation", both_sides("activation"), n_hidden)
    rates = dropout_of(both_sides("dropout"), n_hidden)
    (code,) = activations_of("code_activation", autoencoder.code_activation, 1)
    (output,) = activations_of("output_activation", autoencoder.output_activation, 1)
    for name, used in (
        ("activation", activations),
        ("code_activation", (code,)),
        ("output_activation", (output,)),
    ):
        check_trainable(name, getattr(autoencoder, name), used)
    # A loss with an inverse link of its own wants the output before it.
    is_linear = isinstance(output, Identity) or _link(autoencoder) != "identity"
    return Layers(
        (*encoder, autoencoder.n_components, *decoder),
        (
            *activations[:n_encoder],
            code,
            *activations[n_encoder:],
            *(() if is_linear else (output,)),
        ),
        (*rates[:n_encoder], 0.0, *rates[n_encoder:]),
        tied=_tied(autoencoder, decoder == encoder[::-1]),
        n_encoder=n_encoder + 1,
    )


def _tied(autoencoder, symmetric):
    """Whether encoder and decoder share their weights."""
    if autoencoder.tied_weights != "auto":
        if autoencoder.tied_weights and not symmetric:
            raise ValueError(
                "tied_weights=True needs a decoder that mirrors the encoder, but "
                f"hidden_layer_sizes={autoencoder.hidden_layer_sizes!r} and "
                f"decoder_hidden_layer_sizes={autoencoder.decoder_hidden_layer_sizes!r}. Leave the "
                "latter at None, or set tied_weights=False."
            )
        return autoencoder.tied_weights
    # Free weights could escape these penalties by a small encoder and a large decoder.
    return symmetric and (autoencoder.sparsity is not None or autoencoder.contractive_alpha > 0)


def check_combinations(autoencoder, layers):
    """Refuse parameters that cannot act together."""
    for name, (other, values) in SETTINGS.items():
        value, chosen = getattr(autoencoder, name), getattr(autoencoder, other)
        default = signature(type(autoencoder)).parameters[name].default
        if chosen not in values and value != default:
            raise ValueError(
                f"{name}={value!r} cannot act with {other}={chosen!r}; it is a setting of "
                f"{' or '.join(f'{other}={v!r}' for v in values)}. Leave {name} at its default."
            )
    if autoencoder.init == "pca":
        check_pca(autoencoder, layers)
    if autoencoder.noise is not None:
        _check_noise(autoencoder)
    if autoencoder.sparsity is not None and penalties_of(autoencoder, layers, 0)[0].of_rates:
        code = layers.activations[layers.n_encoder - 1]
        values = code([-1e4, -1.0, 0.0, 1.0, 1e4])
        if values.min() < 0.0 or values.max() > 1.0:
            raise ValueError(
                f"sparsity={autoencoder.sparsity!r} compares the mean of each code unit with a "
                f"rate, but code_activation={autoencoder.code_activation!r} leaves [0, 1]. Use "
                "code_activation='logistic'."
            )
    link = _link(autoencoder)
    if link != "identity" and autoencoder.output_activation not in ("identity", link):
        raise ValueError(
            f"output_activation={autoencoder.output_activation!r} cannot act with "
            f"loss={autoencoder.loss!r}, whose output is {link}. Leave it at 'identity', or use "
            "loss='squared_error'."
        )


def _link(autoencoder):
    """Name of the inverse link of the loss."""
    return RECONSTRUCTION_LOSSES[autoencoder.loss].link


def _check_noise(autoencoder):
    name, level = autoencoder.noise, autoencoder.noise_level
    largest = NOISES[name].largest_level
    if level > largest:
        raise ValueError(
            f"noise_level={level!r} is the share of entries that noise={name!r} changes; it must "
            f"not be above {largest:g}."
        )
    if not is_stochastic(autoencoder.solver):
        raise ValueError(
            f"noise={name!r} cannot act with solver={autoencoder.solver!r}, which needs the same "
            "objective at every evaluation. Use a stochastic solver such as 'adam'."
        )


def penalties_of(autoencoder, layers, depth):
    """Penalties on the code, the output of the first `depth` layers."""
    penalties = []
    if autoencoder.sparsity is not None:
        strength, rate = float(autoencoder.sparsity_alpha), float(autoencoder.sparsity_target)
        penalties.append(SPARSITIES[autoencoder.sparsity](depth, strength, rate))
    if autoencoder.contractive_alpha > 0:
        # L-BFGS cannot follow an objective that is drawn anew.
        drawn = autoencoder.n_components > EXACT_CODE and is_stochastic(autoencoder.solver)
        random = autoencoder.noise is not None or any(layers.dropout[: layers.n_encoder])
        strength = float(autoencoder.contractive_alpha)
        penalties.append(Contractive(depth, strength, exact=not drawn, clean=random))
    return tuple(penalties)


def is_compact(autoencoder, n_features):
    """Whether something keeps the code from being a copy of the input."""
    return (
        autoencoder.n_components <= n_features
        or autoencoder.noise is not None
        or (autoencoder.sparsity is not None and autoencoder.sparsity_alpha > 0)
        or autoencoder.contractive_alpha > 0
    )
