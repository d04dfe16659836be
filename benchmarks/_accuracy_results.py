"""Results as lines of JSON, so that environments and interrupted runs can be put together.

A record has the keys ``contestant, task, set, split, seed`` (what was run), ``frame`` (whether X
was a frame with nominal columns), ``rows, features`` (of training), ``values`` (scores, and seconds
by the names fit, cpu and predict), ``epochs`` (where the model tells), ``parameters`` (of skmlp),
``jobs`` and ``versions``.
"""

import json
from pathlib import Path

import numpy as np
from _data import NOMINAL


def set_name(spec):
    """``"pol"`` of ``"pol:150"``, which is the set with 150 training rows."""
    return spec.partition(":")[0]


def is_frame(spec, frames):
    """Whether a set comes as a frame; those of numbers alone are the same either way."""
    return frames and set_name(spec) in NOMINAL


def cell(record):
    """What was run: contestant, set, split and seed."""
    return tuple(record[key] for key in ("contestant", "set", "split", "seed"))


# Files


def read(path):
    """The records of a file.

    Raises
    ------
    ValueError
        If a line is no JSON.
    """
    records = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number} is no JSON ({error}); remove it") from None
    return records


def resume(path):
    """The records of a file to append to, which need not exist.

    A last line without an end, which a run that was killed may leave, is cut off.
    """
    path = Path(path)
    if not path.exists():
        return []
    written = path.read_bytes()
    whole = written[: written.rfind(b"\n") + 1]
    if whole != written:
        path.write_bytes(whole)
    return read(path)


def append(path, record):
    """Add a line to a file."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def same_parameters(records, wanted):
    """Leave out what was made with other parameters than are asked for now.

    Parameters
    ----------
    records : list of dict
    wanted : dict of (contestant, task) to dict
        For those who are not in it, the parameters of their last record count.

    Returns
    -------
    kept : list of dict
    notes : list of str
        A sentence for each contestant and task of which something was left out.
    """
    wanted = {(r["contestant"], r["task"]): r["parameters"] for r in records} | wanted
    kept, others = [], {}
    for record in records:
        key = record["contestant"], record["task"]
        if record["parameters"] == wanted[key]:
            kept.append(record)
        else:
            others.setdefault(key, []).append(record["parameters"])
    notes = [
        f"{name}: {len(found)} results of {task} left out, as they were made with other "
        f"parameters: {difference(found[-1], wanted[name, task])}."
        for (name, task), found in others.items()
    ]
    return kept, notes


def difference(then, now, limit=5):
    """What two dictionaries of parameters differ in, as text."""
    keys = [
        key
        for key in sorted({*then, *now})
        if key not in then or key not in now or then[key] != now[key]
    ]
    words = [f"{key} {then.get(key, 'absent')}, now {now.get(key, 'absent')}" for key in keys]
    more = [f"{len(words) - limit} more"] if len(words) > limit else []
    return "; ".join(words[:limit] + more)


# In memory


class Results:
    """Records by cell; a later one takes the place of an earlier one."""

    def __init__(self, records=()):
        self._found = {}  # by contestant and set, then by split and seed
        for record in records:
            self.add(record)

    def add(self, record):
        """Take another one."""
        contestant, spec, *rest = cell(record)
        self._found.setdefault((contestant, spec), {})[tuple(rest)] = record

    def __contains__(self, key):
        contestant, spec, *rest = key
        return tuple(rest) in self.of(contestant, spec)

    def contestants(self, specs):
        """All names with results on some of the sets, in the order in which they came."""
        return list(dict.fromkeys(name for name, spec in self._found if spec in specs))

    def of(self, contestant, spec):
        """Records of a contestant on a set, by split and seed."""
        return self._found.get((contestant, spec), {})

    def by_split(self, contestant, spec, quantity):
        """Means over the seeds of a score or of seconds, by split."""
        found = {}
        for (split, _), record in self.of(contestant, spec).items():
            found.setdefault(split, []).append(record["values"][quantity])
        return {split: float(np.mean(values)) for split, values in found.items()}

    def shared_splits(self, contestants, spec):
        """The splits that all have who have any."""
        splits = [{split for split, _ in self.of(name, spec)} for name in contestants]
        return set.intersection(*filter(None, splits)) if any(splits) else set()

    def table(self, contestants, specs, quantity):
        """Means over seeds and shared splits, (sets, contestants); nan where there is none."""
        table = np.full((len(specs), len(contestants)), np.nan)
        for i, spec in enumerate(specs):
            splits = self.shared_splits(contestants, spec)
            for j, name in enumerate(contestants):
                means = self.by_split(name, spec, quantity)
                if splits and means:
                    table[i, j] = np.mean([means[split] for split in splits])
        return table

    def differences(self, contestant, reference, spec, quantity):
        """Paired differences over all splits and seeds that both have, and the reference's mean."""
        ours, theirs = self.of(contestant, spec), self.of(reference, spec)
        pairs = [
            (ours[key]["values"][quantity], theirs[key]["values"][quantity])
            for key in sorted(ours.keys() & theirs.keys())
        ]
        a, b = np.array(pairs).reshape(-1, 2).T
        return a - b, float(b.mean()) if len(b) else np.nan
