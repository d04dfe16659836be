"""An autoencoder that starts as principal component analysis."""

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, eigsh

from .._effective import dense_layers
from ._rows import blocks_of

# Up to so many columns their covariance matrix (32 MB) is decomposed; beyond, products with it are
# computed from the rows.
COVARIANCE_COLUMNS = 2048


def principal_axes(data, k):
    """The k leading principal axes of the rows, of shape (n_features, k), orthonormal.

    Parameters
    ----------
    data : Reconstruction
        Rows as the network sees them.
    k : int
    """
    mean = data.y[0].astype(np.float64)

    def product(v):
        total = 0.0
        for x, weight in blocks_of(data):
            x -= mean
            scores = x @ v
            total = total + x.T @ (scores if weight is None else (scores.T * weight).T)
        return total

    d = len(mean)
    if d <= max(COVARIANCE_COLUMNS, k + 1):
        axes = eigh(product(np.eye(d)), subset_by_index=(d - k, d - 1))[1]
    else:
        operator = LinearOperator((d, d), matvec=product, matmat=product, dtype=np.float64)
        start = np.random.default_rng(0).normal(size=d)
        values, axes = eigsh(operator, k, v0=start)
        axes = axes[:, np.argsort(values)]
    axes = axes[:, ::-1]
    # Signs as scikit-learn's: the largest entry of an axis is positive.
    return axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(k)])


def check_pca(autoencoder, layers):
    """Refuse an autoencoder that cannot start as principal component analysis."""
    for name, value in (
        ("code_activation", "identity"),
        ("output_activation", "identity"),
        ("loss", "squared_error"),
    ):
        if getattr(autoencoder, name) != value:
            raise ValueError(
                f"init='pca' needs {name}={value!r}, got {getattr(autoencoder, name)!r}. Change "
                "that, or use another init."
            )
    k, (widths, activations) = autoencoder.n_components, _hidden(layers)
    if min(widths, default=2 * k) < 2 * k:
        raise ValueError(
            f"init='pca' needs hidden layers of at least 2 * n_components = {2 * k} units, which "
            f"carry plus and minus each score, but the widths are {list(widths)}. Widen them, or "
            "use another init."
        )
    factors = [spread_of(activation) for activation in activations]
    if layers.tied and factors != factors[::-1]:
        raise ValueError(
            "init='pca' with tied weights needs activations of the decoder that mirror those of "
            f"the encoder, got activation={autoencoder.activation!r}."
        )


def start_from_pca(autoencoder, layers, network, theta, data):
    """Write principal component analysis of the rows into theta, for every member."""
    k, n_features, n = autoencoder.n_components, data.y.shape[1], layers.n_encoder
    if k > n_features:
        raise ValueError(
            f"init='pca' needs n_components <= n_features = {n_features}, got {k}. Lower it, or "
            "use another init."
        )
    dense = dense_layers(network)
    factors = [spread_of(activation) for activation in _hidden(layers)[1]]
    axes, mean = principal_axes(data, k), data.y[0].astype(np.float64)
    write_pca(dense[:n], dense[n:], theta, axes, mean, factors, layers.tied)


def _hidden(layers):
    """Widths and activations of the hidden layers without the code."""
    code = layers.n_encoder - 1
    return (
        (*layers.hidden[:code], *layers.hidden[code + 1 :]),
        (*layers.activations[:code], *layers.activations[code + 1 : len(layers.hidden)]),
    )


def spread_of(activation):
    """The factor c in f(z) - f(-z) = c z, or an error when there is none."""
    z = np.array([-1e6, -2.0, -1e-6, 1e-6, 2.0, 1e6])
    values = activation(z)
    if not np.allclose(values, activation(np.sign(z)) * np.abs(z), rtol=1e-12, atol=0.0):
        raise ValueError(
            "init='pca' needs activations that let plus and minus a score pass, but activation has "
            f"{type(activation).__name__}. Use 'relu', 'leaky_relu', 'prelu' or 'identity', or "
            "another init."
        )
    return float(activation([1.0])[0] - activation([-1.0])[0])


def write_pca(encoder, decoder, theta, axes, mean, factors, tied):
    """Make an autoencoder put out the projection on `axes`, with the scores as its code.

    The first k units of a hidden layer carry the scores and the next k minus the scores; the
    others keep what was drawn for them and have zero outgoing weights.

    Parameters
    ----------
    encoder, decoder : list of Dense
    theta : ndarray of shape (members, P)
        Changed in place.
    axes : ndarray of shape (n_features, k)
    mean : ndarray of shape (n_features,)
    factors : list of float
        f(1) - f(-1) of the activations of the encoder's and the decoder's hidden layers.
    tied : bool
    """
    k = axes.shape[1]
    n_hidden = len(encoder) - 1
    _write_chain(encoder, theta, axes, np.eye(k), -mean @ axes, np.zeros(k), factors[:n_hidden])
    if not tied:
        _write_chain(decoder, theta, np.eye(k), axes.T, np.zeros(k), mean, factors[n_hidden:])
        return
    # The weights are the encoder's; f(s / c) - f(-s / c) = s undoes its factors.
    for layer in decoder[:-1]:
        layer.bias.view(theta)[...] = 0.0
    decoder[-1].bias.view(theta)[...] = mean


def _write_chain(layers, theta, first, last, first_bias, last_bias, factors):
    """Let dense layers compute (x @ first + first_bias) @ last + last_bias."""
    if len(layers) == 1:
        _write(layers[0], theta, first @ last, slice(None))
        layers[0].bias.view(theta)[...] = first_bias @ last + last_bias
        return
    k = first.shape[1]
    pair = np.hstack([first, -first])
    for layer, factor in zip(layers[:-1], factors, strict=True):
        _write(layer, theta, pair, slice(2 * k))
        layer.bias.view(theta)[..., : 2 * k] = 0.0
        step = np.vstack([np.eye(k), -np.eye(k)]) / factor
        pair = np.hstack([step, -step])
    layers[0].bias.view(theta)[..., : 2 * k] = np.concatenate([first_bias, -first_bias])
    _write(layers[-1], theta, step @ last, slice(None))
    layers[-1].bias.view(theta)[...] = last_bias


def _write(layer, theta, weight, columns):
    """Write the leading rows of some columns of W_eff, and zero for the units behind them."""
    view = layer.weight.view(theta)
    view[:, len(weight) :] = 0.0
    view[:, : len(weight), columns] = weight / layer.factor
