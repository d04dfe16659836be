"""A hypernetwork in plain values, as a fitted estimator holds it."""

from dataclasses import fields
from inspect import signature
from math import ceil, sqrt

import numpy as np

from ..._engine.modulations import MODULATIONS, hyper_network
from .._memo import kept
from .._recipe import Layers, activations_of, check_trainable, initializers_of, sizes_of
from .._vocabulary import describe, restore

# With "auto": so many tasks with so few rows each are better served by shared weights.
MANY_TASKS, FEW_ROWS = 20, 50


@kept
def hyper_network_of(model):
    """The network that `described` describes."""
    kind = MODULATIONS[model["modulation"]]
    return hyper_network(
        tuple(model["sizes"]),
        tuple(map(restore, model["activations"])),
        tuple((restore(init), gain) for init, gain in model["initializers"]),
        kind(**{field.name: model[field.name] for field in fields(kind)}),
        tuple(model["body"]),
        tuple(map(restore, model["body_activations"])),
        tuple((restore(init), gain) for init, gain in model["body_initializers"]),
        n_tasks=model["n_tasks"],
        embedding=model["embedding"],
        n_context=len(model["columns"][1]),
        dropout=tuple(model["dropout"]),
    )


def described(estimator, recipe, columns, modulation, n_tasks, shape):
    """The two networks in plain values; `shape` has the main network's first and last width."""
    body = sizes_of("hyper_hidden_layer_sizes", estimator.hyper_hidden_layer_sizes)
    given = estimator.hyper_activation
    activations = activations_of("hyper_activation", given, len(body), "hyper_hidden_layer_sizes")
    check_trainable("hyper_activation", given, activations)
    layers = Layers(body, activations, (0.0,) * len(body))
    initializers = initializers_of(estimator.init, layers, recipe.optimizer)[: len(body)]
    model = recipe.model(*shape)
    own = {
        "columns": columns.state(),
        "modulation": modulation,
        "rank": estimator.rank,
        "chunk": _chunk_size(estimator.chunk_size, model["sizes"]),
        "code": estimator.chunk_embedding_size,
        "embedding": estimator.task_embedding_size,
        "body": list(body),
        "body_activations": [describe(activation) for activation in activations],
        "body_initializers": [(describe(init), gain) for init, gain in initializers],
        "n_tasks": n_tasks,
    }
    used = {field.name for field in fields(MODULATIONS[modulation])}
    unused = {name for kind in MODULATIONS.values() for name in _names(kind)} - used
    return {**model, **own, **dict.fromkeys(unused)}


def resolved_modulation(estimator, columns, counts):
    """What `modulation` stands for, given the numbers of rows of the tasks."""
    if estimator.modulation != "auto":
        return estimator.modulation
    if not columns.task and not columns.context:
        return "chunked"
    if len(counts) > MANY_TASKS and np.median(counts[counts > 0]) < FEW_ROWS:
        return "low_rank"
    return "full"


def check_modulation_parameters(estimator):
    """Refuse settings of other modulations than the one that was chosen."""
    if estimator.modulation == "auto":
        return
    homes = {"rank": "low_rank", "chunk_size": "chunked", "chunk_embedding_size": "chunked"}
    for name, home in homes.items():
        value = getattr(estimator, name)
        default = signature(type(estimator)).parameters[name].default
        if estimator.modulation != home and value != default:
            raise ValueError(
                f"{name}={value!r} cannot act with modulation={estimator.modulation!r}: it is a "
                f"setting of modulation={home!r}. Leave {name} at {default!r}."
            )


def _names(kind):
    return [field.name for field in fields(kind)]


def _chunk_size(chunk_size, sizes):
    """Given, or so that output layer and codes are both small against what they write."""
    n = [(n_in + 1) * n_out for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True)]
    return min(max(n), chunk_size or max(16, ceil(4.0 * sqrt(sum(n)))))
