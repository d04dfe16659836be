"""Families: distributions of y whose parameters a network puts out."""

from ._base import Family, LocationScale
from ._counts import NegativeBinomial, Poisson
from ._gamma import Gamma
from ._heavy import Laplace, StudentT
from ._histogram import Histogram
from ._law import Law, VectorLaw
from ._mixture import Mixture
from ._multivariate import MultivariateNormal
from ._normal import LogNormal, Normal
from ._normal_mixture import NormalMixture
from ._recalibrated import Recalibrated

__all__ = [
    "FAMILIES",
    "Family",
    "Gamma",
    "Histogram",
    "Laplace",
    "Law",
    "LocationScale",
    "LogNormal",
    "Mixture",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "NormalMixture",
    "Poisson",
    "Recalibrated",
    "StudentT",
    "VectorLaw",
]

FAMILIES = {
    "normal": Normal,
    "normal_mixture": NormalMixture,
    "histogram": Histogram,
    "student_t": StudentT,
    "laplace": Laplace,
    "lognormal": LogNormal,
    "gamma": Gamma,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
}
