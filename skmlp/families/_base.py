"""What a family of distributions is: a law whose parameters a network puts out."""

from abc import abstractmethod
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.optimize import minimize

from ..losses import Loss, weighted_quantile
from ._law import Law
from ._mixture import Mixture

# Scales, in standard deviations of y, stay below this.
MAX_SCALE = 150.0
# Marginal fits look at so many quantiles of y.
N_QUANTILES = 1000


@dataclass(frozen=True)
class Family(Loss, Law):
    """Contract: a proper score of p(y | raw outputs) to train by, and the law itself.

    Parameters
    ----------
    loss : {"nll", "crps", "beta_nll"}, default="nll"
        The score; one of `scores`.

    Raises
    ------
    ValueError
        For a `loss` that is not one of `scores`.

    Attributes
    ----------
    scores : tuple of str
        The scores the family has; each is a method of that name after an underscore, with the
        signature of `loss_grad`.
    several_targets : bool
        Whether y may have several columns.
    starts_optimal : tuple of str
        The scores for which `_start` gives the best constant; for the others it is sought.

    Examples
    --------
    >>> from skmlp import DensityRegressor
    >>> from skmlp.families import Laplace
    >>> DensityRegressor(Laplace(loss="crps"))
    DensityRegressor(distribution=Laplace(loss='crps', min_scale=0.001, max_scale=150.0))
    """

    loss: str = "nll"

    scores = ("nll",)
    starts_optimal = ("nll", "beta_nll")
    several_targets = False

    def __post_init__(self):
        if self.loss not in self.scores:
            able = " or ".join(f"loss={score!r}" for score in self.scores)
            raise ValueError(
                f"loss={self.loss!r} has no closed form for {type(self).__name__}. Use {able}."
            )

    def fitted(self, y, weight=None):
        """The family with what it has to know of the training targets, such as a least scale.

        Parameters
        ----------
        y : ndarray of shape (n, n_targets)
            In y's units.
        weight : ndarray of shape (n,) or None, default=None
            Non-negative weights; None for all 1.

        Returns
        -------
        family : Family
            That of `Normal` is another one for several targets.

        Raises
        ------
        ValueError
            For several targets, unless `several_targets`.

        Examples
        --------
        Values on a grid of width 1 are no reason for a scale that is much smaller.

        >>> import numpy as np
        >>> from skmlp.families import Laplace
        >>> family = Laplace().fitted(np.array([[0.0], [1.0], [2.0], [5.0]]))
        >>> family.min_scale > Laplace().min_scale
        True
        """
        if y.shape[1] > 1 and not self.several_targets:
            raise ValueError(
                f"y has {y.shape[1]} targets, but {type(self).__name__} describes one. Use "
                "distribution='normal' for a joint density, or fit one regressor per target with "
                "sklearn.multioutput.MultiOutputRegressor."
            )
        return self

    def with_loss_of(self, other):
        """The same family, trained by the score of another one, a Family with `loss`.

        Examples
        --------
        >>> from skmlp.families import Laplace, Normal
        >>> Laplace().with_loss_of(Normal(loss="crps")).loss
        'crps'
        """
        names = {"loss", "beta"} & {field.name for field in fields(self)}
        names &= {field.name for field in fields(other)}
        return replace(self, **{name: getattr(other, name) for name in names})

    def loss_grad(self, y, raw, loss, grad, work):
        getattr(self, f"_{self.loss}")(y, raw, loss, grad, work)

    @abstractmethod
    def held(self, raw):
        """Raw outputs of training, (*batch, n_raw), within the bounds of the family, in float64.

        A new array of the shape of `raw`, which is not changed.
        """

    def in_units(self, raw, shift, scale):
        """Law and parameters in the units of y.

        Parameters
        ----------
        raw : ndarray of shape (*batch, n_raw)
            As the network puts them out.
        shift, scale : ndarray of shape (n_targets,)
            y = scale * (y of training) + shift.

        Returns
        -------
        law : Law
            The family, with what it knows of the training targets in these units.
        p : dict of str to ndarray of shape (*batch, ...)
            Its parameters by name, in the units of y.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> raw = np.array([[0.5, 0.0]])  # in units of training: location 0.5, log scale 0
        >>> law, p = Normal().in_units(raw, shift=np.array([100.0]), scale=np.array([20.0]))
        >>> law.mean(p).round(6), np.sqrt(law.var(p)).round(6)
        (array([110.]), array([20.]))
        """
        factor, offset = self.units(shift, scale)
        return self, self.params(self.held(raw) * factor + offset)

    @abstractmethod
    def params(self, raw):
        """Parameters of the law, a dict, for `held` raw outputs (*batch, n_raw), in their units."""

    def constant_raw(self, n_targets):
        """Mask, (n_raw,), of the raw outputs that shall not depend on x.

        Examples
        --------
        >>> from skmlp.families import Normal
        >>> Normal(covariance_type="tied").constant_raw(1)  # location, and one log scale for all x
        array([False,  True])
        """
        return np.zeros(self.n_raw(n_targets), bool)

    def init_gain(self, raw):
        """Factors of the drawn weights of each output, given the constant `raw` they start from.

        Both have the shape (n_raw,).

        Examples
        --------
        The weights of a location are small where y hardly varies about it.

        >>> import numpy as np
        >>> from skmlp.families import Normal, Poisson
        >>> Normal().init_gain(np.array([0.0, np.log(0.01)])).round(6)
        array([0.1, 1. ])
        >>> Poisson().init_gain(np.array([0.0]))
        array([1.])
        """
        return np.ones(len(raw))

    def predict(self, raw):
        """Expected value, (..., n_targets), for `held` raw outputs (..., n_raw).

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import LogNormal
        >>> LogNormal().predict([[0.0, 0.0]]).round(3)  # exp(1 / 2)
        array([[1.649]])
        """
        mean = self.mean(self.params(np.asarray(raw, np.float64)))
        return mean if self.vector else mean[..., np.newaxis]

    def mix(self, p, weights):
        """Law and parameters of the mixture of laws of batch (*batch, k), the shape of weights.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Poisson
        >>> law, p = Poisson().mix({"mean": np.array([[1.0, 3.0]])}, np.array([[0.5, 0.5]]))
        >>> law.mean(p), law.var(p)  # 2 within, 1 between
        (array([2.]), array([3.]))
        """
        return Mixture(self), {"weights": weights, **p}

    def average(self, raw):
        """There are none: `mix` averages distributions.

        Raises
        ------
        NotImplementedError

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Normal
        >>> Normal().average(np.zeros((2, 1, 2)))
        Traceback (most recent call last):
            ...
        NotImplementedError: Mixtures of distributions have no raw outputs of their own.
        """
        raise NotImplementedError("Mixtures of distributions have no raw outputs of their own.")

    def init_raw(self, y, weight=None, n_targets=None):
        # Copies of a value are one value of more weight, so that weights count as repetitions.
        values, place = np.unique(y[:, 0], return_inverse=True)
        rows = np.bincount(place, weights=weight).astype(np.float64)
        values = values.astype(np.float64)[:, np.newaxis]
        start = self._start(values, rows)
        return start if self.loss in self.starts_optimal else self._polished(start, values, rows)

    def _start(self, y, weight):
        """The constant raw output to start from, the best one for the scores `starts_optimal`."""
        raise NotImplementedError(f"{type(self).__name__} must have _start or init_raw of its own.")

    def _polished(self, start, y, weight):
        """The constant raw output of least mean score, sought from `start`.

        Quantiles stand for y, so that the cost does not grow with its length.
        """
        if len(y) > N_QUANTILES:
            levels = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
            y, weight = weighted_quantile(y, levels, weight), np.ones(N_QUANTILES)
        share = weight / weight.sum()

        def score(constant):
            raw = np.broadcast_to(constant, (1, len(y), len(constant)))
            scores, grad = np.empty(raw.shape[:2]), np.empty(raw.shape)
            self.loss_grad(y, raw, scores, grad, _new_array)
            return scores[0] @ share, share @ grad[0]

        options = {"gtol": 1e-9, "ftol": 0.0}
        ends = (self.held(np.full(len(start), end)) for end in (-1e6, 1e6))
        bounds = list(zip(*ends, strict=True))
        found = minimize(score, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        # The search ends where rounding stops it: further digits are noise.
        return np.round(found.x, 7) if np.all(np.isfinite(found.x)) else start


@dataclass(frozen=True)
class LocationScale(Family):
    """Contract of the families whose first raw outputs are a location and a log scale.

    Parameters
    ----------
    loss : {"nll", "crps", "beta_nll"}, default="nll"
        The score; one of `scores`.
    min_scale : float, default=1e-3
        Smallest scale, in standard deviations of y. `fitted` raises it to that within the cells
        of a grid on which y lies.
    max_scale : float, default=150.0
        Largest one.

    Raises
    ------
    ValueError
        For a `loss` that is not one of `scores`.

    Examples
    --------
    A subclass adds the law, and the score of the raw outputs for training.

    >>> import numpy as np
    >>> from skmlp.families import Laplace, LocationScale
    >>> issubclass(Laplace, LocationScale)
    True
    >>> family = Laplace(min_scale=0.1)
    >>> raw = family.held(np.array([[5.0, -100.0]]))  # a location and a log scale
    >>> {name: value.round(6) for name, value in family.params(raw).items()}
    {'loc': array([5.]), 'scale': array([0.1])}
    """

    min_scale: float = 1e-3
    max_scale: float = MAX_SCALE

    def moved(self, ratio):
        return with_bounds_in(self, ratio[0])

    def n_raw(self, n_targets):
        return 2

    def fitted(self, y, weight=None):
        family = super().fitted(y, weight)
        return replace(family, min_scale=max(self.min_scale, grid_scale(y[:, 0], weight)))

    def units(self, shift, scale):
        one = np.ones_like(scale)
        return np.stack([scale[0], one[0]]), np.stack([shift[0], np.log(scale[0])])

    def held(self, raw):
        raw = np.array(raw, np.float64)
        raw[..., 1] = np.clip(raw[..., 1], np.log(self.min_scale), np.log(self.max_scale))
        return raw

    def init_gain(self, raw):
        return np.array([start_gain(raw[1]), *np.ones(len(raw) - 1)])

    def params(self, raw):
        return {"loc": raw[..., 0], "scale": np.exp(raw[..., 1])}

    def _residual(self, y, raw, work):
        """(y - loc) / scale, 1 / scale and the held logarithm of the scale."""
        shape = raw.shape[:-1]
        rho, inverse = work("log scale", shape, raw.dtype), work("1/scale", shape, raw.dtype)
        z = work("z", shape, raw.dtype)
        np.clip(raw[..., 1], np.log(self.min_scale), np.log(self.max_scale), out=rho)
        np.negative(rho, out=inverse)
        np.exp(inverse, out=inverse)
        np.subtract(y[:, 0], raw[..., 0], out=z)
        np.multiply(z, inverse, out=z)
        return z, inverse, rho


def with_bounds_in(family, ratio):
    """The family with bounds of its scale in a unit that has been divided by `ratio`."""
    low, high = (float(end * ratio) for end in (family.min_scale, family.max_scale))
    return replace(family, min_scale=low, max_scale=high)


def mean_sd(y, weight=None):
    """Weighted mean and standard deviation; what overflows is refused where y is scaled."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.average(y, weights=weight)
        return mean, np.sqrt(np.average((y - mean) ** 2, weights=weight))


def start_gain(log_scale):
    """Factor of a location's weights: where y hardly varies, it must not be missed by far."""
    return np.minimum(1.0, 10.0 * np.exp(log_scale))


def release(raw, held, grad, work):
    """Let gradients push held outputs back between their bounds, but not further out."""
    inward = work("inward", raw.shape, raw.dtype)
    np.subtract(raw, held, out=inward, casting="same_kind")
    inward *= grad
    np.greater_equal(inward, 0, out=inward)
    grad *= inward


def grid_scale(y, weight=None):
    """Standard deviation within the cells of the grid that y lies on, in those of y; 0 for none.

    A density that is narrower than that would describe the grid, not y.
    """
    _, sd = mean_sd(y, weight)
    if weight is not None:
        y = y[weight > 0]
    if sd == 0.0 or not np.isfinite(sd):
        return 0.0
    # Values that differ by rounding only are the same.
    gaps = np.diff(np.unique(np.round(y / sd, 9)))
    return float(gaps.min() / np.sqrt(12.0)) if len(gaps) else 0.0


def _new_array(key, shape, dtype):
    return np.empty(shape, dtype)
