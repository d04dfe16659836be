"""The parameters of a network as seen from outside: on raw X and in y's units."""

import numpy as np

from .._engine.layers import Dense


def dense_layers(network):
    """The dense layers of a network, in order."""
    return [network.layers[i] for i in network.dense_positions()]


def effective_parameters(network, theta, features, target, loss):
    """Weights and biases that act on raw X and give y's units.

    Parameters
    ----------
    network : Network
    theta : ndarray of shape (1, P)
    features : FeatureScaling
        Must be affine.
    target : TargetScaling
    loss : Loss

    Returns
    -------
    coefs, intercepts : list of ndarray
        Folded in float64, handed out in theta's dtype and read-only.
    """
    pairs = [dense_parameters(layer, theta) for layer in dense_layers(network)]
    return folded(pairs, features, target, loss, theta.dtype)


def folded(pairs, features, target, loss, dtype):
    """The scalings folded into pairs of weights and biases; see `effective_parameters`."""
    weight, bias = pairs[0]
    if features.scale is not None:
        weight = weight / features.scale[:, np.newaxis]
        if features.shift is not None:
            bias = bias - features.shift @ weight
    pairs[0] = weight, bias
    pairs[-1] = target.fold(loss, *pairs[-1])
    coefs = [_frozen(weight, dtype) for weight, _ in pairs]
    intercepts = [_frozen(bias, dtype) for _, bias in pairs]
    return coefs, intercepts


def place_parameters(network, theta, coefs, intercepts):
    """Write weights and biases of all layers into theta, of shape (1, P)."""
    for layer, weight, bias in zip(dense_layers(network), coefs, intercepts, strict=True):
        layer.weight.view(theta)[...] = weight
        layer.bias.view(theta)[...] = bias


def copy_layers(network, theta, source, given, n_dense):
    """Copy the first `n_dense` dense layers, and the activations after them, of another network.

    Weights are copied as they act: a learned scale or a factor of the source is folded in.

    Parameters
    ----------
    network, source : Network
    theta : ndarray of shape (members, P)
        Changed in place; all members get the same.
    given : ndarray of shape (1, P')
        The parameters of the source.
    n_dense : int
    """
    pairs = zip(dense_layers(network), dense_layers(source), strict=False)
    for _, (mine, theirs) in zip(range(n_dense), pairs, strict=False):
        weight, bias = dense_parameters(theirs, given)
        mine.weight.view(theta)[...] = weight / mine.factor
        mine.bias.view(theta)[...] = bias
    mine, theirs = (_other_blocks(net, n_dense) for net in (network, source))
    for block, original in zip(mine, theirs, strict=True):
        block.view(theta)[...] = original.view(given)


def _other_blocks(network, n_dense):
    """Blocks of what is not dense before the dense layer after the first `n_dense`."""
    layers = network.layers[: network.depth_of(n_dense)]
    return [block for layer in layers if not isinstance(layer, Dense) for block in layer.blocks]


def dense_parameters(layer, theta):
    """W_eff in scaled units, in float64, and the bias of a dense layer of one network."""
    weight = layer.weight.view(theta)[0].astype(np.float64) * layer.factor
    if layer.scale is not None:
        weight *= layer.scale.view(theta)[0]
    return weight, layer.bias.view(theta)[0, 0].astype(np.float64)


def _frozen(array, dtype):
    array = np.array(array, dtype=dtype)
    array.flags.writeable = False
    return array


def reexpress(network, theta, loss, old, new):
    """Change the first and last layers so that moving statistics change no prediction.

    A column (or target) that has been constant so far had a placeholder for a scale, and weights
    that nothing was learned by: it gets its first real scale as if it had had it from the start,
    which changes no prediction for rows with that constant.

    Parameters
    ----------
    network : Network
    theta : ndarray of shape (members, P)
        Changed in place.
    loss : Loss
    old, new : Design
    """
    layers = dense_layers(network)
    _reexpress_input(network, theta, old.features, new.features)
    weight, bias = layers[-1].weight.view(theta), layers[-1].bias.view(theta)
    before = old.target.seen_from(new.target)
    folded = before.fold(loss, weight.astype(np.float64), bias.astype(np.float64))
    weight[...], bias[...] = new.target.unfold(loss, *folded)


def _reexpress_input(network, theta, old, new):
    if new is old or new.scale is None:
        return
    layer, scale = dense_layers(network)[0], np.where(old.placeholders(), new.scale, old.scale)
    # Further columns, of categories and the like, are not scaled.
    n, ratio, step = len(scale), new.scale / scale, np.zeros(len(scale))
    if new.shift is not None:
        step = (new.shift - np.where(old.unseen(), new.shift, old.shift)) / scale
        for row, bias in zip(theta, layer.bias.view(theta), strict=True):
            bias += step @ dense_parameters(layer, row[np.newaxis])[0][:n]
    layer.weight.view(theta)[..., :n, :] *= ratio[:, np.newaxis]
    if network.waves is not None:
        frequencies, phases = (b.view(theta) for b in network.waves.blocks[:2])
        turns = phases + frequencies * step[:, np.newaxis]
        # Whole turns change nothing, but cost digits.
        phases[...] = turns - np.rint(turns)
        frequencies *= ratio[:, np.newaxis]
