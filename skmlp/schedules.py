"""How the learning rate changes during training."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

__all__ = [
    "SCHEDULES",
    "Adaptive",
    "Constant",
    "CosLog4",
    "Cosine",
    "InvScaling",
    "OneCycle",
    "Schedule",
]


class Schedule(ABC):
    """A factor for the initial learning rate, at every step of training.

    Attributes
    ----------
    needs_horizon : bool
        Whether the factor depends on the total number of steps.
    ends_at_zero : bool
        Whether the factor tends to 0, so that a stalled loss is no reason to stop early.
    plateau_factor : float or None
        By what the training loop divides the learning rate when the loss stalls. None: it stops.
    min_learning_rate : float
        Below this learning rate, a loop that divides stops.
    """

    needs_horizon = False
    ends_at_zero = False
    plateau_factor = None
    min_learning_rate = 0.0

    @abstractmethod
    def __call__(self, step, n_steps, n_samples_seen):
        """Return the factor, a float.

        Parameters
        ----------
        step : int
            From 0 to n_steps - 1.
        n_steps : int
            The horizon. Read only if `needs_horizon`.
        n_samples_seen : int
            Rows seen before the current epoch.
        """


class _WithHorizon(Schedule, ABC):
    """A curve over t = step / n_steps that ends at 0."""

    needs_horizon = True
    ends_at_zero = True


@dataclass(frozen=True)
class Constant(Schedule):
    """The initial learning rate throughout: 1."""

    def __call__(self, step, n_steps, n_samples_seen):
        return 1.0


@dataclass(frozen=True)
class InvScaling(Schedule):
    """A power of the number of rows seen: (n_samples_seen + 1) ** -power_t.

    Robbins and Monro (1951); scikit-learn's rule, which changes once an epoch.
    """

    power_t: float = 0.5

    def __call__(self, step, n_steps, n_samples_seen):
        return float((n_samples_seen + 1.0) ** -self.power_t)


@dataclass(frozen=True)
class Adaptive(Schedule):
    """1, divided by `plateau_factor` whenever the loss stalls, down to `min_learning_rate`.

    The training loop divides, because it knows the loss. Both defaults are scikit-learn's.
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
    """

    def __call__(self, step, n_steps, n_samples_seen):
        return _cosine(step / n_steps)


@dataclass(frozen=True)
class OneCycle(_WithHorizon):
    """Up from `initial_fraction` to 1 for t < `warmup_fraction`, then down to 0, both as a cosine.

    Smith (2018), "A disciplined approach to neural network hyper-parameters".
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
    "one_cycle": OneCycle,
    "coslog4": CosLog4,
}
