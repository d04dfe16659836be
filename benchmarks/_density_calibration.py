"""Coverage and calibration of one and of five Normal networks, before and after ``calibrate``."""

from functools import partial

import numpy as np
from _data import uci_splits
from _density import CONFIG, available, fitted, networks, over_splits
from _density_scores import miscalibration_area, plus_minus, scores
from _tables import MarkdownTable

SETS = ("kin8nm", "power-plant")
FRACTION = 0.2
DROPOUT = 0.05


def contestant(n_nets, seed):
    """Normal networks; a fifth of the rows is kept apart for the calibration."""
    return networks("normal", n_nets, seed, dropout=DROPOUT, calibration_fraction=FRACTION)


def measures(model, X, y):
    """Scores of the test rows, with the miscalibration area and the width of the intervals."""
    dist = model.predict_dist(X)
    area = miscalibration_area(model.pit(X, y))
    width = float(np.mean(np.diff(dist.interval(0.9))))
    return scores(dist, y) | {"area": area, "width": width}


def before_and_after(contestant, split, seed):
    """Measures of the same networks without and with their calibration."""
    model, _ = fitted(contestant, split, seed)
    _, _, X_test, y_test = split
    after = measures(model, X_test, y_test)
    del model.calibration_
    before = measures(model, X_test, y_test)
    return {
        (when, key): value
        for when, found in (("before", before), ("after", after))
        for key, value in found.items()
    }


NOTES = f"""
One Normal network, or the mixture of five, with calibration_fraction={FRACTION}: the same rows are
kept apart, and the same networks are asked, before and after. Means +- standard errors over the
splits. coverage: test rows within the central 90 % intervals, per cent; width: of these, in units
of y; area: between the distribution function of the PIT values and the diagonal, 0 is best; NLL:
nats per row."""


def cells(found, when):
    """What a row says, as text."""
    return (
        plus_minus(100 * np.array(found[when, "coverage"]), 2),
        plus_minus(found[when, "area"], 4),
        plus_minus(found[when, "width"]),
        plus_minus(found[when, "nll"]),
    )


def density_calibration(args):
    """Print two rows per set as soon as they are known."""
    names = available(SETS[-1:] if args.quick else SETS, args.data)
    print(f"Splits: {args.splits}, jobs: {args.jobs}. All sets: {CONFIG}, dropout: {DROPOUT}\n")
    titles = (
        "set",
        "networks",
        "rows",
        *(f"{t:>16}" for t in ("coverage, %", "area", "width", "NLL")),
    )
    table = MarkdownTable(titles, 12)
    print(table.head(), flush=True)
    for name in names:
        splits = uci_splits(name, args.data, args.splits)
        for n_nets in (1, 5):
            found = over_splits(before_and_after, partial(contestant, n_nets), splits, args.jobs)
            for when in ("before", "after"):
                print(table.row(name, n_nets, when, *cells(found, when)), flush=True)
    print(NOTES)
