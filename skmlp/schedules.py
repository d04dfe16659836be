"""How the learning rate, dropout and weight decay change during training."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

__all__ = [
    "SCHEDULES",
    "Adaptive",
    "Constant",
    "CosLog4",
    "Cosine",
    "FlatCosine",
    "InvScaling",
    "OneCycle",
    "Schedule",
]


class Schedule(ABC):
    """A factor for the initial learning rate (or dropout, or weight decay) at every step.

    Attributes
    ----------
    needs_horizon : bool
        Whether the factor depends on the total number of steps.
    ends_at_zero : bool
        Whether the factor tends to 0, so that a stalled loss is no reason to stop early.
    plateau_factor : float or None
        By what the training loop divides the learning rate when the loss stalls. None: it stops.
    min_learning_rate : float
        Where the loss stalls at this learning rate or below, a loop that divides stops.

    Examples
    --------
    >>> from skmlp import MLPRegressor
    >>> from skmlp.schedules import Schedule
    >>> class Halving(Schedule):
    ...     def __call__(self, step, n_steps, n_samples_seen):
    ...         return 0.5 ** (step // 1000)
    >>> model = MLPRegressor(learning_rate=Halving())
    """

    needs_horizon = False
    ends_at_zero = False
    plateau_factor = None
    min_learning_rate = 0.0

    @abstractmethod
    def __call__(self, step, n_steps, n_samples_seen):
        """Return the factor.

        Parameters
        ----------
        step : int
            From 0 to n_steps - 1.
        n_steps : int
            The horizon. Read only if `needs_horizon`.
        n_samples_seen : int
            Rows seen before the current epoch.

        Returns
        -------
        factor : float
            What the initial learning rate is multiplied by.
        """


class _WithHorizon(Schedule, ABC):
    """A curve over t = step / n_steps that ends at 0."""

    needs_horizon = True
    ends_at_zero = True


@dataclass(frozen=True)
class Constant(Schedule):
    """The initial learning rate throughout: 1.

    Examples
    --------
    >>> from skmlp.schedules import Constant
    >>> Constant()(50, 100, 0)
    1.0
    """

    def __call__(self, step, n_steps, n_samples_seen):
        return 1.0


@dataclass(frozen=True)
class InvScaling(Schedule):
    """A power of the number of rows seen: (n_samples_seen + 1) ** -power_t.

    Robbins and Monro (1951); scikit-learn's rule, which changes once an epoch.

    Parameters
    ----------
    power_t : float, default=0.5
        The larger, the faster the rate falls; 0 keeps it.

    Examples
    --------
    >>> from skmlp.schedules import InvScaling
    >>> InvScaling()(50, 100, n_samples_seen=3)
    0.5
    """

    power_t: float = 0.5

    def __call__(self, step, n_steps, n_samples_seen):
        return float((n_samples_seen + 1.0) ** -self.power_t)


@dataclass(frozen=True)
class Adaptive(Schedule):
    """1, divided by `plateau_factor` whenever the loss stalls, down to `min_learning_rate`.

    The training loop divides, because it knows the loss. Both defaults are scikit-learn's.

    Parameters
    ----------
    plateau_factor : float, default=5.0
        Above 1.
    min_learning_rate : float, default=1e-6
        Training ends when the loss stalls at this learning rate or below; at least 0.

    Raises
    ------
    ValueError
        For a `plateau_factor` that does not exceed 1, or a negative `min_learning_rate`.

    Examples
    --------
    >>> from skmlp import MLPRegressor
    >>> from skmlp.schedules import Adaptive
    >>> MLPRegressor(learning_rate=Adaptive(plateau_factor=2.0))
    MLPRegressor(learning_rate=Adaptive(plateau_factor=2.0, min_learning_rate=1e-06))
    """

    plateau_factor: float = 5.0
    min_learning_rate: float = 1e-6

    def __post_init__(self):
        if not self.plateau_factor > 1.0:
            raise ValueError(f"plateau_factor must exceed 1, got {self.plateau_factor!r}.")
        if not self.min_learning_rate >= 0.0:
            raise ValueError(
                f"min_learning_rate must be at least 0, got {self.min_learning_rate!r}."
            )

    def __call__(self, step, n_steps, n_samples_seen):
        return 1.0


@dataclass(frozen=True)
class Cosine(_WithHorizon):
    """Half a period of the cosine: (1 + cos(pi * t)) / 2.

    Loshchilov and Hutter (2017), "SGDR", without restarts.

    Examples
    --------
    >>> from skmlp.schedules import Cosine
    >>> [Cosine()(step, 100, 0) for step in (0, 50)]
    [1.0, 0.5]
    """

    def __call__(self, step, n_steps, n_samples_seen):
        return _cosine(step / n_steps)


@dataclass(frozen=True)
class FlatCosine(_WithHorizon):
    """1 for t < `flat_fraction`, then down to 0 as a cosine.

    Holzmueller, Grinsztajn and Steinwart (2024), arXiv 2407.04491, for dropout and weight decay.

    Parameters
    ----------
    flat_fraction : float, default=0.5
        Share of the steps before it falls, in [0, 1).

    Raises
    ------
    ValueError
        For a `flat_fraction` outside [0, 1).

    Examples
    --------
    >>> from skmlp.schedules import FlatCosine
    >>> [round(FlatCosine()(step, 100, 0), 3) for step in (0, 50, 75)]
    [1.0, 1.0, 0.5]
    """

    flat_fraction: float = 0.5

    def __post_init__(self):
        if not 0.0 <= self.flat_fraction < 1.0:
            raise ValueError(f"flat_fraction must lie in [0, 1), got {self.flat_fraction!r}.")

    def __call__(self, step, n_steps, n_samples_seen):
        t, flat = step / n_steps, self.flat_fraction
        return 1.0 if t < flat else _cosine((t - flat) / (1.0 - flat))


@dataclass(frozen=True)
class OneCycle(_WithHorizon):
    """Up from `initial_fraction` to 1 for t < `warmup_fraction`, then down to 0, both as a cosine.

    Smith (2018), "A disciplined approach to neural network hyper-parameters".

    Parameters
    ----------
    warmup_fraction : float, default=0.3
        Share of the steps on the way up, in [0, 1).
    initial_fraction : float, default=0.04
        Factor of the first step, in [0, 1].

    Raises
    ------
    ValueError
        For a `warmup_fraction` outside [0, 1), or an `initial_fraction` outside [0, 1].

    Examples
    --------
    >>> from skmlp.schedules import OneCycle
    >>> [round(OneCycle()(step, 100, 0), 3) for step in (0, 30, 65)]
    [0.04, 1.0, 0.5]
    """

    warmup_fraction: float = 0.3
    initial_fraction: float = 0.04

    def __post_init__(self):
        if not 0.0 <= self.warmup_fraction < 1.0:
            raise ValueError(f"warmup_fraction must lie in [0, 1), got {self.warmup_fraction!r}.")
        if not 0.0 <= self.initial_fraction <= 1.0:
            raise ValueError(f"initial_fraction must lie in [0, 1], got {self.initial_fraction!r}.")

    def __call__(self, step, n_steps, n_samples_seen):
        t, peak = step / n_steps, self.warmup_fraction
        if t < peak:
            return 1.0 - (1.0 - self.initial_fraction) * _cosine(t / peak)
        return _cosine((t - peak) / (1.0 - peak))


@dataclass(frozen=True)
class CosLog4(_WithHorizon):
    """Four cycles of growing length: (1 - cos(2 * pi * log2(1 + 15 * t))) / 2.

    Holzmueller, Grinsztajn and Steinwart (2024), arXiv 2407.04491. It begins at 0, too.

    Examples
    --------
    >>> from skmlp.schedules import CosLog4
    >>> [round(CosLog4()(step, 150, 0), 2) for step in (0, 4, 10)]
    [0.0, 1.0, 0.0]
    """

    def __call__(self, step, n_steps, n_samples_seen):
        return 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * step / n_steps)))


def _cosine(t):
    """Fall from 1 at t = 0 to 0 at t = 1."""
    return 0.5 * (1.0 + math.cos(math.pi * t))


SCHEDULES = {
    "constant": Constant,
    "invscaling": InvScaling,
    "adaptive": Adaptive,
    "cosine": Cosine,
    "flat_cosine": FlatCosine,
    "one_cycle": OneCycle,
    "coslog4": CosLog4,
}
