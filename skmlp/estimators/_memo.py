"""Objects built from the plain values of a fitted estimator, kept for the next prediction."""

from collections import OrderedDict
from functools import wraps

KEPT = 64


def kept(build):
    """Remember what `build` makes of the newest values, which nobody may change afterwards.

    By identity and not by content: comparing the values would cost more than building anew.
    """
    held = OrderedDict()

    @wraps(build)
    def wrapper(values):
        entry = held.get(id(values))
        if entry is None or entry[0] is not values:
            entry = held[id(values)] = (values, build(values))
            while len(held) > KEPT:
                held.popitem(last=False)
        return entry[1]

    return wrapper
