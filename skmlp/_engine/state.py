"""What changes while a network trains, member by member, and how it is saved and resumed."""

import time
from dataclasses import dataclass, field

import numpy as np

INTERRUPTED = "Training was interrupted by the user."
SECOND_INTERRUPT = 1.0  # seconds


@dataclass
class TrainState:
    """Everything about a fit that changes; arrays have one entry or row per member.

    Attributes
    ----------
    theta : ndarray of shape (members, P)
    moments : list of ndarray
        State of the optimizer, each of the shape of theta.
    step, epoch, samples_seen : int
        Updates so far, epochs of this fit, rows seen (scikit-learn's ``t_``).
    lag : ndarray of int
        By how many updates each member is behind `step`, as it had stopped earlier.
    order : numpy.random.Generator or None
        Shuffles the rows; members share it.
    noise : sequence of numpy.random.Generator
        One per member, for dropout and the like.
    identity : callable
        identity() -> dict of strings that tell this fit from others.
    first_step, max_epochs : int
        `step` at the start of this fit, and its largest number of epochs.
    rate_factor : ndarray of shape (members, 1)
        By which a plateau has lowered the learning rate.
    stale : ndarray of int
        Epochs in a row without improvement.
    best_loss, best_score, best_validation_loss : ndarray of float
    best_epoch : ndarray of int
        Epoch of the watched best, counted from 1; 0 when there is none.
    average : ndarray of shape (members, P) or None
        Moving average of theta over the updates of this fit; see `Plan.averaging`.
    kept, kept_moments : ndarray of shape (members, P) or None, list of such
        The parameters each member ends with, and its moments when it stopped.
    running : ndarray of bool
    converged, diverged, halted : ndarray of bool
        Whether a criterion other than the number of epochs ended the member's training, whether
        its loss or parameters became non-finite, whether a callback stopped it.
    interrupted : bool
        Whether the user ended the training.
    reasons, last_epoch, last_step : list of str, ndarray of int, ndarray of int
        Why each member stopped, and after which epoch and update.
    losses, scores, validation_losses, learning_rates : list of ndarray
        One entry per epoch, with one number per member.
    records : dict of str to list of ndarray
        The same for what callbacks have measured; see `record`.
    """

    theta: np.ndarray
    moments: list = field(default_factory=list)
    step: int = 0
    samples_seen: int = 0
    lag: np.ndarray | None = None
    rate_factor: np.ndarray | None = None
    stale: np.ndarray | None = None
    best_loss: np.ndarray | None = None
    order: np.random.Generator | None = None
    noise: tuple = ()
    identity: object = dict

    def __post_init__(self):
        members = len(self.theta)
        if self.lag is None:
            self.lag = np.zeros(members, int)
        if self.rate_factor is None:
            self.rate_factor = np.ones((members, 1), self.theta.dtype)
        if self.stale is None:
            self.stale = np.zeros(members, int)
        if self.best_loss is None:
            self.best_loss = np.full(members, np.inf)
        self.best_score = np.full(members, -np.inf)
        self.best_validation_loss = np.full(members, np.inf)
        self.best_epoch = np.zeros(members, int)
        self.epoch, self.max_epochs, self.first_step = 0, 0, self.step
        self.average, self.kept, self.kept_moments, self.interrupted = None, None, [], False
        self.running = np.ones(members, bool)
        self.converged, self.diverged, self.halted = np.zeros((3, members), bool)
        self.reasons = [""] * members
        self.last_epoch, self.last_step = np.zeros((2, members), int)
        self.losses, self.scores = [], []
        self.validation_losses, self.learning_rates = [], []
        self.records = {}

    @property
    def outcome(self):
        """The parameters that training would end with now, (members, P): to watch and to keep."""
        return self.theta if self.average is None else self.average

    def record(self, name, value):
        """Note a number (or one per member) for the epoch that has just ended.

        A fitted estimator has it in ``history_[name]``; epochs without one have NaN there.
        """
        if name in self.curves() and name not in self.records:
            raise ValueError(f"record: the name {name!r} is that of a curve. Choose another.")
        if not self.epoch:
            raise ValueError(f"record: {name!r} comes before the end of the first epoch.")
        members, column = len(self.theta), self.records.setdefault(name, [])
        while len(column) < self.epoch:
            column.append(np.full(members, np.nan))
        column[self.epoch - 1] = np.full(members, value, np.float64)

    def curves(self):
        """All histories by name; entries are arrays with one number per member."""
        return {
            "loss": self.losses,
            "learning_rate": self.learning_rates,
            "validation_score": self.scores,
            "validation_loss": self.validation_losses,
            **self.records,
        }

    def stop(self, which, reason, converged=True):
        """End the training of the members in the mask `which` that still run."""
        which = which & self.running
        if not which.any():
            return
        if self.kept is None:
            self.kept = self.outcome.copy()
        if not self.kept_moments:
            self.kept_moments = [moment.copy() for moment in self.moments]
        # A member without a watched best keeps its last parameters.
        last = which & (self.best_epoch == 0)
        self.kept[last] = self.outcome[last]
        # The others go on, and with them the moments of all.
        for kept, moment in zip(self.kept_moments, self.moments, strict=True):
            kept[which] = moment[which]
        self.last_epoch[which] = self.epoch
        self.last_step[which] = (self.step - self.lag)[which]
        for member in np.flatnonzero(which):
            self.reasons[member] = reason
        self.converged[which] = converged
        self.running[which] = False

    def usable(self):
        """Mask of the members that have something to go back to."""
        return ~self.diverged | (self.best_epoch > 0)

    def interrupt(self):
        """End the training of all members because the user wants it."""
        self.interrupted = True
        finite = np.isfinite(self.outcome).all(axis=1)
        self.diverged |= self.running & ~finite & (self.best_epoch == 0)
        self.stop(self.running, INTERRUPTED)

    def diverge(self, which, reason):
        """End the training of members that are no longer finite, and let nothing compute with NaN.

        Those that had stopped before keep what they had; the others may still have a best epoch to
        go back to, but no moments to go on with.
        """
        lost = which & self.running
        self.diverged |= lost
        self.stop(which, reason, converged=False)
        for array in (self.theta, self.outcome, *self.moments):
            array[which] = 0.0
        for kept in self.kept_moments:
            kept[lost] = 0.0
        self.last_step[lost] = 0

    def settle(self):
        """Take for each member the parameters it ends with, and its moments of that time."""
        self.epoch = int(self.last_epoch.max())
        for array, kept in zip(
            (self.theta, *self.moments), (self.kept, *self.kept_moments), strict=True
        ):
            array[...] = kept

    def lower_rate(self, factor):
        """Divide the learning rates of the members by `factor`, an array, and start anew."""
        self.rate_factor /= factor[:, np.newaxis].astype(self.rate_factor.dtype)
        self.stale[factor != 1.0] = 0

    def adopt(self, member, alone):
        """Take over a member that was trained in a state of its own."""
        mine = self.curves()
        for name, entries in alone.curves().items():
            column = mine[name] if name in mine else self.records.setdefault(name, [])
            column.extend(np.full(len(self.theta), np.nan) for _ in entries[len(column) :])
            for joint, entry in zip(column, entries, strict=False):
                joint[member] = entry[0]
        if self.kept is None:
            self.kept = self.theta.copy()
        self.kept[member] = alone.kept[0]
        for name in _PER_MEMBER:
            getattr(self, name)[member] = getattr(alone, name)[0]
        self.reasons[member] = alone.reasons[0]

    def snapshot(self):
        """What `resume` needs, as a dict of arrays and a dict of values for JSON."""
        arrays = {name: getattr(self, name) for name in (*_PER_MEMBER, "theta", "rate_factor")}
        # What a callback has stopped may go on another time.
        arrays["running"] = self.running | self.halted
        arrays |= {f"curve {name}": np.array(c) for name, c in self.curves().items() if len(c)}
        for name in ("moments", "kept_moments"):
            arrays |= {f"{name} {i}": array for i, array in enumerate(getattr(self, name))}
        for name in ("kept", "average"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        values = {name: getattr(self, name) for name in (*_COUNTS, "reasons")}
        values["generators"] = [rng.bit_generator.state for rng in (self.order, *self.noise)]
        return arrays, values

    def resume(self, arrays, values):
        """Go on from a snapshot of the same fit, before its first epoch."""
        for name in (*_PER_MEMBER, "theta", "rate_factor"):
            getattr(self, name)[...] = arrays[name]
        for i, moment in enumerate(self.moments):
            moment[...] = arrays[f"moments {i}"]
        for name in ("kept", "average"):
            if name in arrays:
                setattr(self, name, np.array(arrays[name]))
        if "kept_moments 0" in arrays:
            self.kept_moments = [
                np.array(arrays[f"kept_moments {i}"]) for i in range(len(self.moments))
            ]
        for name in (*_COUNTS, "reasons"):
            setattr(self, name, values[name])
        for rng, state in zip((self.order, *self.noise), values["generators"], strict=True):
            rng.bit_generator.state = state
        mine = self.curves()
        for key in arrays:
            kind, _, name = key.partition(" ")
            if kind == "curve":
                column = mine[name] if name in mine else self.records.setdefault(name, [])
                column[:] = list(arrays[key])


_COUNTS = ("step", "epoch", "samples_seen", "first_step")
_PER_MEMBER = (
    "stale",
    "best_loss",
    "best_score",
    "best_validation_loss",
    "best_epoch",
    "running",
    "converged",
    "diverged",
    "last_epoch",
    "last_step",
)


def passes_on():
    """Whether a Ctrl-C comes within a second of the last, so that it means more than this fit."""
    last, _interrupts["last"] = _interrupts["last"], time.monotonic()
    return _interrupts["last"] - last < SECOND_INTERRUPT


_interrupts = {"last": -np.inf}
