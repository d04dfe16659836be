"""Families, laws and targets of the tests of distributions, made from the registry."""

import numpy as np

from skmlp.families import FAMILIES, Histogram, MultivariateNormal, NormalMixture, Recalibrated

ROWS = 3
COVARIANCES = ["full", "diag", "spherical", "tied"]


class Work:
    """Lends arrays that hold NaN the first time, and later whatever was left in them."""

    def __init__(self):
        self.arrays = {}

    def __call__(self, key, shape, dtype=np.float64):
        at = key, shape, np.dtype(dtype)
        if at not in self.arrays:
            self.arrays[at] = np.full(shape, np.nan, dtype)
        return self.arrays[at]


def evaluate(family, y, raw, work=None):
    """Losses (members, rows) and gradient (members, rows, n_raw)."""
    values = np.full(raw.shape[:2], np.nan, raw.dtype)
    grad = np.full(raw.shape, np.nan, raw.dtype)
    family.loss_grad(y, raw, values, grad, work or Work())
    return values, grad


def of_constant(family, y, constant, weight=None):
    """Mean loss and mean gradient of one raw output for all rows."""
    raw = np.ascontiguousarray(np.broadcast_to(constant, (1, len(y), len(constant))))
    values, grad = evaluate(family, y, raw)
    mean = np.average(grad[0], axis=0, weights=weight)
    return np.average(values[0], weights=weight), mean


def make_targets(family, rows, rng, n_targets=1):
    """Targets in the domain of a family, (rows, n_targets)."""
    if family.discrete:
        return rng.negative_binomial(3, 0.4, (rows, n_targets)).astype(float)
    if family.domain.low == 0:
        return rng.gamma(5.0, 0.2, (rows, n_targets))
    if n_targets == 1:
        return rng.standard_t(6, (rows, 1))
    return rng.standard_normal((rows, n_targets)) @ rng.uniform(-1, 1, (n_targets, n_targets))


def fit(family, n_targets=1, rows=200):
    return family.fitted(make_targets(family, rows, np.random.default_rng(11), n_targets))


def n_targets_of(family):
    return family.n_targets if family.vector else 1


SCALAR = {
    f"{name}-{score}": fit(cls(loss=score))
    for name, cls in FAMILIES.items()
    for score in cls.scores
}
SCALAR |= {
    f"{name}-{score}": fit(family)
    for score in ("nll", "crps")
    for name, family in {
        "histogram uniform": Histogram(score, n_bins=6, binning="uniform"),
        "histogram plain": Histogram(score, n_bins=7, smoothing=0.0),
        "histogram of one bin": Histogram(score, n_bins=1),
        "normal_mixture of one": NormalMixture(score, n_mixture_components=1),
    }.items()
}
VECTOR = {
    f"{kind} of {t}": fit(MultivariateNormal(covariance_type=kind), t)
    for kind in COVARIANCES
    for t in (2, 4)
}
EVERY = SCALAR | VECTOR


def parameters(family, rows=ROWS, seed=3, spread=0.25):
    """Parameters of `rows` laws about as wide as the targets."""
    rng = np.random.default_rng(seed)
    y = make_targets(family, 200, rng, n_targets_of(family))
    start = family.init_raw(y)
    if len(start) == 3 and not family.vector:
        start[2] = 1.5
    raw = start + spread * rng.standard_normal((rows, len(start)))
    return family.params(family.held(raw))


def mixture(family, rows=ROWS, k=3, seed=4):
    """Law and parameters of mixtures of k laws of a family."""
    rng = np.random.default_rng(seed)
    p = parameters(family, rows * k, seed)
    p = {name: value.reshape(rows, k, *value.shape[1:]) for name, value in p.items()}
    return family.mix(p, rng.dirichlet(np.full(k, 3.0), rows))


def knots():
    """Ranks and levels of a calibration that widens."""
    ranks = np.array([0.0, 0.02, 0.3, 0.5, 0.8, 0.97, 1.0])
    return ranks, np.array([0.0, 0.1, 0.35, 0.5, 0.7, 0.9, 1.0])


def law_cases():
    """Law and parameters of ROWS rows, by name: of families, mixtures, and recalibrated."""
    cases = {}
    for name, cls in FAMILIES.items():
        family = fit(cls())
        cases[name] = family, parameters(family)
        cases[f"mixture of {name}"] = mixture(family)
    for name in (*FAMILIES, "mixture of normal", "mixture of gamma", "mixture of poisson"):
        law, p = cases[name]
        cases[f"{name}, recalibrated"] = Recalibrated(law, *knots()), p
    for kind in ("uniform", "quantile"):
        family = fit(Histogram(n_bins=4, binning=kind))
        cases[f"histogram {kind}"] = family, parameters(family)
    return cases


LAWS = law_cases()
VECTOR_LAWS = {name: (family, parameters(family)) for name, family in VECTOR.items()}
VECTOR_LAWS |= {f"mixture of {name}": mixture(family) for name, family in VECTOR.items()}


def has_jumps(name):
    """Whether the density of the law of that name has jumps."""
    return "histogram" in name or "recalibrated" in name


def grid(law, p, n=8001):
    """Points (rows, n) and weights for integrals over the support, for each row."""
    center, spread = law.median(p)[:, np.newaxis], np.sqrt(law.var(p))[:, np.newaxis]
    if law.discrete:
        x = np.broadcast_to(np.arange(4000.0), (len(center), 4000))
        return x, np.ones_like(x)
    u = np.linspace(-25.0, 25.0, n)
    if law.support.low == 0:
        x = center * np.exp(2.0 * u)
        return x, 2.0 * x * (u[1] - u[0])
    return center + spread * np.sinh(u), spread * np.cosh(u) * (u[1] - u[0])
