"""The normal distribution of several targets."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import log, pi

import numpy as np
from scipy import stats
from scipy.special import logsumexp

from ._base import MAX_SCALE, Family, release, start_gain
from ._law import VectorLaw
from ._mixture import Mixture, log_weights
from ._symmetric import NormalLaw

# For the entropy of a mixture, which has no closed form.
N_DRAWS = 4096


@dataclass(frozen=True)
class Shape:
    """Where the entries of the triangular factor U of the precision matrix U'U are.

    Parameters
    ----------
    n : int
        Number of targets.
    rows, columns : ndarray of int
        Positions of the entries, the diagonal first.
    source : ndarray of int
        Raw output of each entry, counted after the means.
    """

    n: int
    rows: np.ndarray
    columns: np.ndarray
    source: np.ndarray

    @classmethod
    def full(cls, n):
        rows, columns = np.tril_indices(n, -1)
        diagonal = np.arange(n)
        rows, columns = np.append(diagonal, rows), np.append(diagonal, columns)
        return cls(n, rows, columns, np.arange(len(rows)))

    @classmethod
    def diag(cls, n):
        diagonal = np.arange(n)
        return cls(n, diagonal, diagonal, diagonal)

    @classmethod
    def spherical(cls, n):
        diagonal = np.arange(n)
        return cls(n, diagonal, diagonal, np.zeros(n, int))

    @cached_property
    def n_factor(self):
        """Number of raw outputs of the factor."""
        return int(self.source.max()) + 1

    @cached_property
    def n_diagonal(self):
        """Number of raw outputs of its diagonal."""
        return int(self.source[: self.n].max()) + 1

    def selection(self, name, dtype):
        """0/1 matrix by which a product adds up entries of one row, column or source."""
        return _selection(tuple(getattr(self, name)), np.dtype(dtype))


@lru_cache(maxsize=64)
def _selection(positions, dtype):
    matrix = np.zeros((len(positions), max(positions) + 1), dtype)
    matrix[np.arange(len(positions)), positions] = 1.0
    return matrix


SHAPES = {"full": Shape.full, "tied": Shape.full, "diag": Shape.diag, "spherical": Shape.spherical}


@dataclass(frozen=True)
class MultivariateNormal(Family, VectorLaw):
    """Normal distribution of several targets, with a mean and a covariance matrix that depend on x.

    Raw outputs are the means and the lower triangular factor U of the precision matrix U'U: the
    logarithms of its diagonal, then what is below. -log p(y) = |U (y - mean)|^2 / 2 - sum of log
    U_ii + n_targets log(2 pi) / 2. Domain: the real numbers.

    Parameters
    ----------
    loss : {"nll"}, default="nll"
        What is minimised: the negative log-likelihood.
    covariance_type : {"full", "diag", "spherical", "tied"}, default="full"
        "tied" is a full matrix that does not depend on x; "spherical" is one variance, in the units
        of y, for all targets.
    min_scale : float or tuple of float, default=1e-3
        Smallest conditional standard deviation of a target given those before it, in standard
        deviations of the target; one each in a tuple.
    max_scale : float or tuple of float, default=150.0
        Largest one.
    n_targets : int, default=2
        Set by `fitted`.

    Raises
    ------
    ValueError
        For another `loss` or `covariance_type`.

    References
    ----------
    Williams (1996), Using neural networks to model conditional multivariate densities, Neural
    Computation 8.

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import MultivariateNormal
    >>> p = {"loc": np.array([[0.0, 1.0]]), "scale_tril": np.array([[[1.0, 0.0], [1.0, 1.0]]])}
    >>> MultivariateNormal().cov(p)
    array([[[1., 1.],
            [1., 2.]]])
    """

    covariance_type: str = "full"
    min_scale: float | tuple = 1e-3
    max_scale: float | tuple = MAX_SCALE
    n_targets: int = 2

    n_core_axes = {"loc": 1, "scale_tril": 2}

    def __post_init__(self):
        super().__post_init__()
        if self.covariance_type not in SHAPES:
            raise ValueError(
                f"covariance_type={self.covariance_type!r} is not one of {', '.join(SHAPES)}."
            )

    @cached_property
    def shape(self):
        """Where the entries of the factor are."""
        return SHAPES[self.covariance_type](self.n_targets)

    @property
    def target_scaling(self):
        return "common" if self.covariance_type == "spherical" else "affine"

    def fitted(self, y, weight=None):
        return replace(self, n_targets=y.shape[1])

    def n_raw(self, n_targets):
        return n_targets + SHAPES[self.covariance_type](n_targets).n_factor

    def constant_raw(self, n_targets):
        mask = np.zeros(self.n_raw(n_targets), bool)
        mask[n_targets:] = self.covariance_type == "tied"
        return mask

    def init_raw(self, y, weight=None, n_targets=None):
        n, shape = self.n_targets, self.shape
        mean = np.average(y, axis=0, weights=weight)
        cov = np.atleast_2d(np.cov(y.T, aweights=weight, bias=True))
        cov[np.diag_indices(n)] += np.square(self.min_scale)
        if shape.n_factor <= n:
            variance = np.diag(cov)
            variance = variance if shape.n_factor == n else np.mean(variance, keepdims=True)
            return np.concatenate([mean, self._bounded(-0.5 * np.log(variance))])
        factor = np.linalg.inv(np.linalg.cholesky(cov))[shape.rows, shape.columns]
        factor[:n] = self._bounded(np.log(factor[:n]))
        return np.concatenate([mean, factor])

    def init_gain(self, raw):
        n = self.n_targets
        diagonal = np.broadcast_to(raw[n : n + self.shape.n_diagonal], (n,))
        return np.concatenate([start_gain(-diagonal), np.ones(len(raw) - n)])

    @cached_property
    def _bounds(self):
        """Bounds of the logarithms of the diagonal, one each or one for all."""
        return -np.log(self.max_scale), -np.log(self.min_scale)

    def moved(self, ratio):
        ratio = ratio[: self.shape.n_diagonal]
        low, high = (tuple((end * ratio).tolist()) for end in (self.min_scale, self.max_scale))
        return replace(self, min_scale=low, max_scale=high)

    def _bounded(self, log_diagonal):
        return np.clip(log_diagonal, *self._bounds)

    def _nll(self, y, raw, loss, grad, work):
        n, shape, batch = self.n_targets, self.shape, raw.shape[:-1]
        free = raw[..., n : n + shape.n_diagonal]
        held = work("log diagonal", free.shape, raw.dtype)
        low, high = self._bounds
        np.clip(free, low.astype(raw.dtype), high.astype(raw.dtype), out=held)
        names = ("entries", "products", "terms")
        entries, products, terms = (work(k, (*batch, len(shape.rows)), raw.dtype) for k in names)
        np.take(raw[..., n:], shape.source, axis=-1, out=entries, mode="clip")
        np.exp(held, out=entries[..., : shape.n_diagonal])
        entries[..., shape.n_diagonal : n] = entries[..., :1]
        residual, z = (work(k, (*batch, n), raw.dtype) for k in ("residual", "z"))
        np.subtract(y, raw[..., :n], out=residual)
        np.take(residual, shape.columns, axis=-1, out=products, mode="clip")
        np.multiply(products, entries, out=terms)
        np.matmul(terms, shape.selection("rows", raw.dtype), out=z)
        np.einsum("...i,...i->...", z, z, out=loss)
        loss *= 0.5
        loss += 0.5 * n * log(2.0 * pi)
        loss -= np.sum(held, axis=-1, out=residual[..., 0]) * (n / shape.n_diagonal)
        np.take(z, shape.rows, axis=-1, out=terms, mode="clip")
        products *= terms
        terms *= entries
        np.matmul(terms, shape.selection("columns", raw.dtype), out=z)
        np.negative(z, out=grad[..., :n])
        products[..., :n] *= entries[..., :n]
        products[..., :n] -= 1.0
        np.matmul(products, shape.selection("source", raw.dtype), out=grad[..., n:])
        release(free, held, grad[..., n : n + shape.n_diagonal], work)

    def units(self, shift, scale):
        n, shape = self.n_targets, self.shape
        scale = np.broadcast_to(np.asarray(scale, np.float64), (n,))
        off = slice(shape.n_diagonal, None)
        first = np.unique(shape.source, return_index=True)[1]
        factor = np.ones(shape.n_factor)
        factor[off] = 1.0 / scale[shape.columns[first][off]]
        offset = np.zeros(shape.n_factor)
        offset[: shape.n_diagonal] = -np.log(scale[: shape.n_diagonal])
        shift = np.broadcast_to(shift, (n,))
        return np.concatenate([scale, factor]), np.concatenate([shift, offset])

    def held(self, raw):
        raw = np.array(raw, np.float64)
        diagonal = slice(self.n_targets, self.n_targets + self.shape.n_diagonal)
        raw[..., diagonal] = self._bounded(raw[..., diagonal])
        return raw

    def params(self, raw):
        n, shape = self.n_targets, self.shape
        factor = np.zeros((*raw.shape[:-1], n, n))
        factor[..., shape.rows, shape.columns] = raw[..., n + shape.source]
        diagonal = np.arange(n)
        factor[..., diagonal, diagonal] = np.exp(factor[..., diagonal, diagonal])
        # The inverse of a lower triangular matrix is one too.
        return {"loc": raw[..., :n], "scale_tril": np.tril(np.linalg.inv(factor))}

    def mix(self, p, weights):
        return MultivariateMixture(self), {"weights": weights, **p}

    # The law

    def logpdf(self, p, y):
        z = np.linalg.solve(p["scale_tril"], y - p["loc"][..., np.newaxis])
        square = np.sum(z * z, axis=-2)
        return (
            -0.5 * square - (self._log_det(p) + 0.5 * z.shape[-2] * log(2.0 * pi))[..., np.newaxis]
        )

    def _log_det(self, p):
        return np.log(np.diagonal(p["scale_tril"], axis1=-2, axis2=-1)).sum(axis=-1)

    def n_targets_of(self, p):
        return p["loc"].shape[-1]

    def marginal(self, p, j):
        scale = np.sqrt(np.sum(p["scale_tril"][..., j, :] ** 2, axis=-1))
        return NormalLaw(), {"loc": p["loc"][..., j], "scale": scale}

    def mean(self, p):
        return p["loc"].copy()

    def mode(self, p):
        """Where the joint density is largest.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import MultivariateNormal
        >>> p = {"loc": np.array([[0.0, 1.0]]), "scale_tril": np.array([[[1.0, 0.0], [1.0, 1.0]]])}
        >>> MultivariateNormal().mode(p)
        array([[0., 1.]])
        """
        return p["loc"].copy()

    def cov(self, p):
        return p["scale_tril"] @ np.swapaxes(p["scale_tril"], -1, -2)

    def entropy(self, p):
        return self._log_det(p) + 0.5 * p["loc"].shape[-1] * (1.0 + log(2.0 * pi))

    def sample(self, p, n, rng):
        noise = rng.standard_normal((*p["loc"].shape, n))
        return p["loc"][..., np.newaxis] + p["scale_tril"] @ noise

    def conditional(self, p, given):
        known = np.array(list(given))
        rest = np.setdiff1d(np.arange(p["loc"].shape[-1]), known)
        loc, k = p["loc"], len(known)
        values = np.stack([np.broadcast_to(v, loc.shape[:-1]) for v in given.values()], axis=-1)
        # The triangular factor with the known targets first, without ever squaring it.
        ordered = np.swapaxes(p["scale_tril"][..., np.append(known, rest), :], -1, -2)
        factor = np.swapaxes(np.linalg.qr(ordered, mode="r"), -1, -2)
        factor *= np.sign(np.diagonal(factor, axis1=-2, axis2=-1))[..., np.newaxis, :]
        z = np.linalg.solve(factor[..., :k, :k], (values - loc[..., known])[..., np.newaxis])
        step = factor[..., k:, :k] @ z
        return {"loc": loc[..., rest] + step[..., 0], "scale_tril": factor[..., k:, k:]}

    def evidence(self, p, given):
        """Logarithm, (*batch,), of the density of the targets that `given` names, at its values.

        `given` is as for `conditional`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import MultivariateNormal, Normal
        >>> p = {"loc": np.array([[0.0, 1.0]]), "scale_tril": np.array([[[1.0, 0.0], [1.0, 1.0]]])}
        >>> found = MultivariateNormal().evidence(p, {0: np.array([2.0])})
        >>> own = {"loc": np.array([0.0]), "scale": np.array([1.0])}
        >>> bool(np.isclose(found, Normal().logpdf(own, np.array([[2.0]]))).all())
        True
        """
        known = np.array(list(given))
        cov, loc = self.cov(p)[..., known[:, np.newaxis], known], p["loc"][..., known]
        values = np.stack([np.broadcast_to(v, loc.shape[:-1]) for v in given.values()], axis=-1)
        own = {"loc": loc, "scale_tril": np.linalg.cholesky(cov)}
        return self.logpdf(own, values[..., np.newaxis])[..., 0]

    def about(self, p, center, factor):
        loc = center + factor * (p["loc"] - center)
        return {"loc": loc, "scale_tril": p["scale_tril"] * np.asarray(factor)[..., np.newaxis]}

    def to_scipy(self, p):
        return stats.multivariate_normal(p["loc"][0], self.cov(p)[0])


class MultivariateMixture(VectorLaw, Mixture):
    """Mixture of laws of several targets.

    Parameters
    ----------
    component : MultivariateNormal
        Of the parts, which differ in their parameters only.
    """

    def n_targets_of(self, p):
        return self.component.n_targets_of(p)

    def logpdf(self, p, y):
        each = self.component.logpdf(self.parts(p), y[..., np.newaxis, :, :])
        return logsumexp(each + log_weights(p)[..., np.newaxis], axis=-2)

    def marginal(self, p, j):
        law, parts = self.component.marginal(self.parts(p), j)
        return Mixture(law), {"weights": p["weights"], **parts}

    def mean(self, p):
        return np.einsum("...k,...kt->...t", p["weights"], self.component.mean(self.parts(p)))

    def mode(self, p):
        """The mean of the component at which the joint density is largest."""
        centers = self.component.mean(self.parts(p))
        best = self.logpdf(p, np.swapaxes(centers, -1, -2)).argmax(axis=-1)[
            ..., np.newaxis, np.newaxis
        ]
        return np.take_along_axis(centers, best, axis=-2)[..., 0, :]

    def entropy(self, p):
        """Mean of -log p over random values that are the same at every call."""
        values = self.sample(p, N_DRAWS, np.random.default_rng(0))
        return -self.logpdf(p, values).mean(axis=-1)

    def cov(self, p):
        """Covariance matrices: those of the components, and that of their means."""
        means = self.component.mean(self.parts(p))
        step = means - self.mean(p)[..., np.newaxis, :]
        within = np.einsum("...k,...kij->...ij", p["weights"], self.component.cov(self.parts(p)))
        return within + np.einsum("...k,...ki,...kj->...ij", p["weights"], step, step)

    def sample(self, p, n, rng):
        chosen = self._chosen(p, n, rng)
        values = self.component.sample(self.parts(p), n, rng)
        chosen = chosen[..., np.newaxis, np.newaxis, :]
        return np.take_along_axis(values, chosen, axis=-3)[..., 0, :, :]

    def conditional(self, p, given):
        """Components are weighted by how well they foresaw what is given."""
        parts = self.parts(p)
        given = {j: np.asarray(v)[..., np.newaxis] for j, v in given.items()}
        logits = log_weights(p) + self.component.evidence(parts, given)
        weights = np.exp(logits - logsumexp(logits, axis=-1, keepdims=True))
        return {"weights": weights, **self.component.conditional(parts, given)}

    def about(self, p, center, factor):
        moved = self.component.about(self.parts(p), center[..., np.newaxis, :], factor)
        return {"weights": p["weights"], **moved}

    def to_scipy(self, p):
        raise NotImplementedError(
            "scipy.stats has no mixtures of several targets. Use marginal(j).to_scipy(i)."
        )
