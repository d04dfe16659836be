"""Histograms: densities that are constant in bins, with exponential tails."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtr, xlogy

from ._base import Family, mean_sd

# Logits below the largest one by more than this are held; exp(-690) is still a normal number.
MIN_LOGIT = -690.0
# Largest share of an outer bin that lies beyond the values of training.
MAX_TAIL = 0.1


@dataclass(frozen=True)
class Histogram(Family):
    """Density that is constant in K bins of y: raw outputs are the logits of the bins.

    An outer bin of n rows leaves the share 1 / (n + 2) of its probability to an exponential tail
    beyond the training values, whose mean excess is the bin's width, so that no y has density 0.
    Edges are midpoints between values of y: ties can neither share bins out nor make one empty.
    Within an inner bin, -log p(y) = log width - log probability of the bin. Domain: the real
    numbers.

    Parameters
    ----------
    loss : {"nll", "crps"}, default="nll"
        What is minimised: the negative log-likelihood, or the continuous ranked probability score.
    n_bins : int, default=20
        Largest number of bins; there are fewer when y has fewer values.
    binning : {"quantile", "uniform"}, default="quantile"
        Bins of as many rows each, or of one width.
    smoothing : float, default=0.8
        Standard deviation, in bins, of the normal weights by which a row of training counts for
        the neighbours of its bin as well. Not used when every bin is a single value of y.
    edges : tuple of float, default=()
        Set by `fitted`, in units of training.
    tails : tuple of two float, default=(0.0, 0.0)
        Shares of the outer bins in the tails; set by `fitted`.

    Raises
    ------
    ValueError
        For another `loss` or `binning`, or `n_bins` below 1.

    References
    ----------
    Imani and White (2018), Improving regression performance with distributional losses, ICML (for
    the smoothing). Gneiting and Raftery (2007), JASA 102 (for the CRPS).

    Examples
    --------
    >>> import numpy as np
    >>> from skmlp.families import Histogram
    >>> halves = Histogram(edges=(0.0, 1.0, 3.0))
    >>> halves.logpdf({"probability": np.array([[0.5, 0.5]])}, np.array([[0.5, 2.0]])).round(3)
    array([[-0.693, -1.386]])
    """

    n_bins: int = 20
    binning: str = "quantile"
    smoothing: float = 0.8
    edges: tuple = ()
    tails: tuple = (0.0, 0.0)

    target_scaling = "fixed"
    scores = ("nll", "crps")
    init_is_optimal = False
    n_core_axes = {"probability": 1}

    def __post_init__(self):
        super().__post_init__()
        if self.n_bins < 1:
            raise ValueError(f"n_bins={self.n_bins} must be at least 1.")
        if self.binning not in BINNINGS:
            raise ValueError(f"binning={self.binning!r} is not one of {', '.join(BINNINGS)}.")

    @property
    def plain(self):
        return replace(self, smoothing=0.0)

    def fitted(self, y, weight=None):
        family = super().fitted(y, weight)
        y = y[:, 0]
        weight = np.ones(len(y)) if weight is None else weight
        y, weight = y[weight > 0], weight[weight > 0]
        mean, sd = mean_sd(y, weight)
        y = (y - mean) / (sd if sd > 0 else 1.0)
        values, place = np.unique(y, return_inverse=True)
        edges = BINNINGS[self.binning](values, np.bincount(place, weights=weight), self.n_bins)
        edges = _padded(edges, values)
        rows = np.bincount(np.searchsorted(edges, y, side="right") - 1, weights=weight)
        tails = np.minimum(1.0 / (rows[[0, -1]] + 2.0), MAX_TAIL)
        # Smoothing is for neighbours between which y moves; single values are not such.
        smoothing = 0.0 if len(edges) > len(values) else self.smoothing
        tails = tuple(tails.tolist())
        return replace(family, edges=tuple(edges.tolist()), tails=tails, smoothing=smoothing)

    @cached_property
    def _edges(self):
        return np.array(self.edges)

    @cached_property
    def _widths(self):
        return np.diff(self._edges)

    @cached_property
    def _tail_scales(self):
        return self._widths[[0, -1]]

    @cached_property
    def _shares(self):
        """Of each bin the share of its probability within its edges."""
        shares = np.ones(len(self._widths))
        shares[0] -= self.tails[0]
        shares[-1] -= self.tails[1]
        return shares

    @cached_property
    def _neighbours(self):
        """For each bin the weights of all bins in the target."""
        k = np.arange(len(self._widths))
        if self.smoothing == 0.0:
            return np.eye(len(k))
        edges = (np.arange(len(k) + 1) - 0.5 - k[:, np.newaxis]) / self.smoothing
        weights = np.diff(ndtr(edges), axis=1)
        return weights / weights.sum(axis=1, keepdims=True)

    def n_raw(self, n_targets):
        return len(self.edges) - 1

    def units(self, shift, scale):
        return np.ones(len(self.edges) - 1), np.zeros(len(self.edges) - 1)

    def in_units(self, raw, shift, scale):
        edges = np.asarray(self._edges) * scale[0] + shift[0]
        return replace(self, edges=tuple(edges.tolist())), self.params(self.held(raw))

    def held(self, raw):
        return np.array(raw, np.float64)

    def params(self, raw):
        # Probabilities far away from the training rows are small, but not 0.
        e = np.exp(np.maximum(raw - raw.max(axis=-1, keepdims=True), MIN_LOGIT))
        return {"probability": e / e.sum(axis=-1, keepdims=True)}

    def init_raw(self, y, weight=None, n_targets=None):
        bins = self._bins(y[:, 0])
        rows = np.bincount(bins, weights=weight, minlength=len(self._widths))
        target = rows @ self._neighbours
        return np.log(np.maximum(target / target.sum(), 1e-6))

    def mix(self, p, weights):
        return self, {"probability": np.einsum("...k,...kj->...j", weights, p["probability"])}

    def _bins(self, y):
        """Bins of values; those in the tails are in the outer bins."""
        inner = self._edges[1:-1]
        return np.searchsorted(inner, y, side="right")

    def _log_within(self, y, bins):
        """Logarithm of the density at y given its bin."""
        value = np.log(self._shares / self._widths)[bins]
        for side, (tail, scale) in enumerate(zip(self.tails, self._tail_scales, strict=True)):
            excess = self._excess(y, side)
            beyond = excess > 0
            if np.any(beyond):
                tail = max(tail, 1e-300)
                value = np.where(beyond, np.log(tail / scale) - excess / scale, value)
        return value

    def _excess(self, y, side):
        """How far y lies beyond the outer edge of a side, 0 is left and 1 is right."""
        return np.maximum(y - self._edges[-1] if side else self._edges[0] - y, 0.0)

    def _nll(self, y, raw, loss, grad, work):
        bins = self._bins(y[:, 0])
        largest = raw.max(axis=-1, keepdims=True)
        np.subtract(raw, largest, out=grad)
        total = np.log(np.exp(grad).sum(axis=-1))
        target = self._neighbours.astype(raw.dtype)[bins]
        np.einsum("nk,mnk->mn", target, grad, out=loss)
        np.subtract(total, loss, out=loss)
        loss -= self._log_within(y[:, 0], bins)
        grad -= total[..., np.newaxis]
        np.exp(grad, out=grad)
        grad -= target

    def _crps(self, y, raw, loss, grad, work):
        p = self.params(raw)["probability"]
        score, by_edge = self._score(self._at_edges(p), y)
        loss[...] = score
        # From the edges to the bins before them; the outermost edges belong to the tails.
        of_bin = np.zeros_like(p)
        inner = by_edge[..., 1:-1]
        of_bin[..., :-1] = np.cumsum(inner[..., ::-1], axis=-1)[..., ::-1]
        of_bin[..., 0] += self.tails[0] * by_edge[..., 0]
        of_bin[..., -1] -= self.tails[1] * by_edge[..., -1]
        of_bin -= np.einsum("...k,...k->...", p, of_bin)[..., np.newaxis]
        np.multiply(p, of_bin, out=grad)

    # The law

    def _masses(self, p):
        """Probabilities of left tail, bins within their edges, and right tail."""
        probability = p["probability"]
        tails = probability[..., [0, -1]] * self.tails
        inside = probability * self._shares
        return np.concatenate([tails[..., :1], inside, tails[..., 1:]], axis=-1)

    def _at_edges(self, probability):
        """cdf at the edges."""
        return np.cumsum(self._masses({"probability": probability}), axis=-1)[..., :-1]

    def logpdf(self, p, y):
        y = np.broadcast_to(y, np.broadcast_shapes((*self.batch(p), 1), np.shape(y)))
        bins = self._bins(y)
        with np.errstate(divide="ignore"):
            of_bin = np.log(np.take_along_axis(p["probability"], bins, axis=-1))
        return of_bin + self._log_within(y, bins)

    def cdf(self, p, y):
        y = np.broadcast_to(y, np.broadcast_shapes((*self.batch(p), 1), np.shape(y)))
        at_edges, bins = self._at_edges(p["probability"]), self._bins(y)
        left, right = (np.take_along_axis(at_edges, bins + i, axis=-1) for i in (0, 1))
        share = np.clip((y - self._edges[bins]) / self._widths[bins], 0.0, 1.0)
        low, high = (np.exp(-self._excess(y, i) / self._tail_scales[i]) for i in (0, 1))
        inside = left + share * (right - left)
        return np.where(y > self._edges[-1], 1.0 - (1.0 - inside) * high, inside * low)

    def ppf(self, p, q):
        at_edges = self._at_edges(p["probability"])
        q = np.broadcast_to(q, (*self.batch(p), np.shape(q)[-1]))
        bins = np.sum(q[..., np.newaxis] > at_edges[..., np.newaxis, 1:-1], axis=-1)
        left, right = (np.take_along_axis(at_edges, bins + i, axis=-1) for i in (0, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.clip((q - left) / (right - left), 0.0, 1.0)
            y = self._edges[bins] + np.nan_to_num(share) * self._widths[bins]
            low, high = at_edges[..., :1], at_edges[..., -1:]
            below = self._edges[0] + self._tail_scales[0] * np.log(q / low)
            above = self._edges[-1] - self._tail_scales[1] * np.log((1.0 - q) / (1.0 - high))
        return np.where(q < low, below, np.where(q > high, above, y))

    @cached_property
    def _segment_moments(self):
        """Means, variances and third central moments of left tail, bins and right tail."""
        middle = 0.5 * (self._edges[1:] + self._edges[:-1])
        first, last = self._tail_scales
        mean = [self._edges[0] - first, *middle, self._edges[-1] + last]
        var = [first**2, *(self._widths**2 / 12.0), last**2]
        third = [-2.0 * first**3, *(0.0 * middle), 2.0 * last**3]
        return np.array(mean), np.array(var), np.array(third)

    def mean(self, p):
        return self._masses(p) @ self._segment_moments[0]

    def var(self, p):
        mean, var, _ = self._segment_moments
        step = mean - self.mean(p)[..., np.newaxis]
        return np.sum(self._masses(p) * (var + step**2), axis=-1)

    def skewness(self, p):
        mean, var, third = self._segment_moments
        step = mean - self.mean(p)[..., np.newaxis]
        moment = np.sum(self._masses(p) * (third + 3.0 * step * var + step**3), axis=-1)
        return moment / self.var(p) ** 1.5

    def mode(self, p):
        """Middle of the bin of the largest density.

        Examples
        --------
        >>> import numpy as np
        >>> from skmlp.families import Histogram
        >>> p = {"probability": np.array([[0.4, 0.6]])}  # of which the second bin is twice as wide
        >>> Histogram(edges=(0.0, 1.0, 3.0)).mode(p)
        array([0.5])
        """
        density = p["probability"] * self._shares / self._widths
        return 0.5 * (self._edges[1:] + self._edges[:-1])[density.argmax(axis=-1)]

    def entropy(self, p):
        masses = self._masses(p)
        first, last = np.log(self._tail_scales) + 1.0
        own = np.array([first, *np.log(self._widths), last])
        return masses @ own - xlogy(masses, masses).sum(axis=-1)

    def landmarks(self, p):
        ends = super().landmarks(p)
        edges = np.broadcast_to(self._edges, (*self.batch(p), len(self._edges)))
        return np.sort(np.concatenate([ends, edges], axis=-1), axis=-1)

    def crps(self, p, y):
        at_edges = self._at_edges(p["probability"])[..., np.newaxis, :]
        return self._score(at_edges, np.asarray(y, np.float64)[..., np.newaxis])[0]

    def _score(self, at_edges, y):
        """CRPS, and its derivative with respect to the cdf at the edges.

        In each bin the integrand is a square of something linear on either side of y, which lies at
        the share t of the bin.
        """
        width, a, b = self._widths / 3.0, at_edges[..., :-1], at_edges[..., 1:]
        t = np.clip((y - self._edges[:-1]) / self._widths, 0.0, 1.0)
        f = a + t * (b - a)
        left, right = t * width, (1.0 - t) * width
        score = left * (a * a + a * f + f * f)
        score = score + right * ((1 - f) ** 2 + (1 - f) * (1 - b) + (1 - b) ** 2)
        of_f = left * (a + 2 * f) - right * (3 - 2 * f - b)
        grad = np.zeros((*score.shape[:-1], score.shape[-1] + 1))
        grad[..., :-1] = left * (2 * a + f) + of_f * (1 - t)
        grad[..., 1:] += of_f * t - right * (3 - f - 2 * b)
        total = score.sum(axis=-1)
        for side, c in enumerate((at_edges[..., 0], 1.0 - at_edges[..., -1])):
            scale, excess = self._tail_scales[side], self._excess(y[..., 0], side)
            reach = 1.0 - np.exp(-excess / scale)
            total = total + excess - 2.0 * scale * c * reach + 0.5 * scale * c * c
            slope = scale * (c - 2.0 * reach)
            grad[..., -side] += -slope if side else slope
        return total, grad


def _by_quantiles(values, rows, n):
    """Boundaries between values so that the bins have about as many rows each."""
    below = np.cumsum(rows)[:-1]
    if not len(below):
        return np.empty(0)
    levels = np.arange(1, n) / n * rows.sum()
    right = np.clip(np.searchsorted(below, levels), 0, len(below) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.where(levels - below[left] < below[right] - levels, left, right)
    chosen = np.unique(nearer) if n < len(values) else np.arange(len(below))
    return 0.5 * (values[chosen] + values[chosen + 1])


def _of_one_width(values, rows, n):
    """Boundaries of bins of one width."""
    return np.linspace(values[0], values[-1], n + 1)[1:-1] if len(values) > 1 else np.empty(0)


def _padded(inner, values):
    """All edges; the outermost are beyond the values by half the gap to the next one."""
    if len(values) == 1:
        return np.array([values[0] - 0.5, values[0] + 0.5])
    first, last = 0.5 * np.diff(values)[[0, -1]]
    return np.concatenate([[values[0] - first], inner, [values[-1] + last]])


BINNINGS = {"quantile": _by_quantiles, "uniform": _of_one_width}
