"""What is made of the results: rows per set, means, ranks, ratios, noise and the bars."""

import numpy as np
from _accuracy_contestants import BOOSTING, BUILT_IN, OURS, REALMLP, SCALED, TABULAR
from _accuracy_results import set_name
from _data import NOT_COUNTED
from _tables import MarkdownTable, geometric_mean
from scipy.stats import rankdata

SCORES = {"regression": ("nRMSE",), "classification": ("error", "log loss")}
SECONDS = ("fit", "cpu", "predict")
UNITS = {"fit": " s", "cpu": " s", "predict": " ms"}
SHIFT = 0.01  # so that a set where all are nearly perfect does not decide a mean
NOISE = 2  # standard errors

REFERENCES = {"regression": (REALMLP, BOOSTING, SCALED), "classification": (BOOSTING, SCALED)}


# Numbers


def ratio(table, i, j, shift=SHIFT):
    """Shifted geometric mean of column i over that of column j, on the rows that both have.

    Returns
    -------
    ratio : float
        nan without such rows.
    n : int
        Their number.
    """
    both = table[:, [i, j]]
    both = both[np.isfinite(both).all(axis=1)] + shift
    return (geometric_mean(both[:, 0] / both[:, 1]) if len(both) else np.nan), len(both)


def complete(table):
    """The rows without nan."""
    return table[np.isfinite(table).all(axis=1)]


def mean_ranks(table):
    """Mean rank of each column, 1 is best, ties shared; of the rows without nan.

    nan where there is none.
    """
    rows = complete(table)
    return rankdata(rows, axis=1).mean(axis=0) if len(rows) else np.full(table.shape[1], np.nan)


def standard_errors(differences):
    """The mean of paired differences in its standard errors, sd / sqrt(n); nan of less than two."""
    if len(differences) < 2:
        return np.nan
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    mean = np.mean(differences)
    return mean / error if error else np.sign(mean) * np.inf if mean else 0.0


def counted(specs):
    """The sets that means are taken over."""
    return [spec for spec in specs if set_name(spec) not in NOT_COUNTED]


# Rows per set


def number(value, quantity):
    """A cell: scores with four decimals, times with three digits, nothing for nan.

    Fits are in seconds, predictions in milliseconds.
    """
    if np.isnan(value):
        return ""
    if quantity not in SECONDS:
        return f"{value:.4f}"
    return f"{1000 * value:#.3g}" if quantity == "predict" else f"{value:#.3g}"


def set_table(kind, quantity, contestants):
    """The table with a row for each set."""
    title = f"{kind}, {quantity}{UNITS.get(quantity, '')}"
    return MarkdownTable((title, "rows x features", *contestants))


def set_row(results, contestants, spec, quantity):
    """The cells of a set."""
    values = results.table(contestants, [spec], quantity)[0]
    records = [record for name in contestants for record in results.of(name, spec).values()]
    shape = f"{records[0]['rows']} x {records[0]['features']}" if records else ""
    mark = " *" if set_name(spec) in NOT_COUNTED else ""
    return spec + mark, shape, *(number(value, quantity) for value in values)


# Means


def means_table(kind, results, contestants, specs, references):
    """Lines: a row for each contestant with means, ranks and ratios over the counted sets."""
    specs = counted(specs)
    tables = {q: results.table(contestants, specs, q) for q in (*SCORES[kind], *SECONDS)}
    at = {name: contestants.index(name) for name in references if name in contestants}
    columns = {"means": contestants}
    columns["sets"] = [str(n) for n in np.isfinite(tables["fit"]).sum(axis=0)]
    for score in SCORES[kind]:
        rows = complete(tables[score])
        columns[score] = mean_cells(rows + SHIFT, score)
        columns[f"rank of {score}"] = [
            f"{rank:.2f}" if len(rows) else "" for rank in mean_ranks(rows)
        ]
        columns |= ratio_columns(score, tables[score], at)
    for quantity in ("fit", "predict"):
        columns[quantity + UNITS[quantity]] = mean_cells(complete(tables[quantity]), quantity)
    for quantity in ("fit", "cpu"):
        columns |= ratio_columns(quantity, tables[quantity], at, shift=0.0)
    markdown = MarkdownTable(tuple(columns))
    rows = zip(*columns.values(), strict=True)
    return [*markdown.head().splitlines(), *(markdown.row(*cells) for cells in rows)]


def mean_cells(rows, quantity):
    """Geometric means of the columns as text."""
    if not len(rows):
        return [""] * rows.shape[1]
    return [number(geometric_mean(column), quantity) for column in rows.T]


def ratio_columns(quantity, table, at, shift=SHIFT):
    """Columns of ratios to the references, which are given with their places."""
    return {
        f"{quantity} / {name}": [ratio_cell(table, i, j, shift) for i in range(table.shape[1])]
        for name, j in at.items()
    }


def ratio_cell(table, i, j, shift=SHIFT):
    """A ratio as text, with the number of sets where it is not that of all."""
    value, n = ratio(table, i, j, shift)
    return "" if not n else f"{value:.3f}" if n == len(table) else f"{value:.3f} ({n})"


# Noise


def worse_than(results, contestant, reference, specs, quantity):
    """Sets on which the contestant has the worse mean, in three groups.

    Returns
    -------
    groups : dict of str to list of str
        beyond noise: the mean of the paired differences is more than two standard errors; within
        noise: less; unknown: a single pair.
    """
    groups = {"beyond noise": [], "within noise": [], "unknown": []}
    for spec in specs:
        differences, level = results.differences(contestant, reference, spec, quantity)
        if not len(differences) or differences.mean() <= 0:
            continue
        errors = standard_errors(differences)
        percent = f"{100 * differences.mean() / level:+.1f} %" if level else "+inf %"
        mark = "*" if set_name(spec) in NOT_COUNTED else ""
        if np.isnan(errors):
            groups["unknown"].append(f"{spec}{mark} {percent}")
        else:
            group = "beyond noise" if errors > NOISE else "within noise"
            pairs = len(differences)
            groups[group].append(f"{spec}{mark} {percent} ({errors:.1f} se, {pairs} pairs)")
    return groups


def noise_lines(kind, results, contestants, specs, reference=SCALED):
    """A line per contestant that is no peer and score: where it is worse than the reference."""
    peers = {*BUILT_IN} - {OURS, TABULAR}
    lines = []
    for name in contestants:
        if reference not in contestants or name in peers:
            continue
        for score in SCORES[kind]:
            if not any(len(results.differences(name, reference, s, score)[0]) for s in specs):
                continue
            groups = worse_than(results, name, reference, specs, score)
            text = f"{', '.join(groups['beyond noise']) or 'nowhere'}"
            for group in ("within noise", "unknown"):
                if groups[group]:
                    text += f"; {group}: {', '.join(groups[group])}"
            lines.append(f"{name} worse than {reference} in {score}, beyond noise: {text}.")
    return lines


# The bars that the defaults have to pass: contestant, reference, quantity (of several one is
# enough), largest ratio. Seconds are the processor's, those of a clock on an idle machine.

BARS = {
    "regression": (
        (OURS, REALMLP, "nRMSE", 1.15),
        (OURS, BOOSTING, "nRMSE", 1.0),
        (TABULAR, REALMLP, "nRMSE", 1.0),
        (TABULAR, REALMLP, "cpu", 0.5),
    ),
    "classification": (
        (OURS, BOOSTING, "error", 1.06),
        (OURS, BOOSTING, "log loss", 1.02),
        (TABULAR, BOOSTING, ("error", "log loss"), 1.0),
    ),
}
LARGE, SMALL = (13_000, 18_500), 150  # training rows
LARGEST_RATIO, LARGEST_SECONDS = 4.0, 1.0


def verdict(is_met):
    """Whether a bar was passed."""
    return "met" if is_met else "missed"


def bar_lines(kind, results, contestants, specs):
    """Sentences on the bars whose contestants are there."""
    lines = []
    for name, reference, quantities, bar in BARS[kind]:
        if not {name, reference} <= {*contestants}:
            continue
        quantities = (quantities,) if isinstance(quantities, str) else quantities
        found = {}
        for quantity in quantities:
            table = results.table([name, reference], counted(specs), quantity)
            found[quantity], n = ratio(table, 0, 1, 0.0 if quantity in SECONDS else SHIFT)
        if n:
            words = " or ".join(f"{q} {value:.3f}" for q, value in found.items())
            answer = verdict(min(found.values()) <= bar)
            lines.append(f"{name} / {reference} over {n} sets: {words} (bar {bar}): {answer}.")
    return lines + seconds_lines(results, contestants, specs)


def seconds_lines(results, contestants, specs):
    """Sentences on the seconds of a default fit: about 15,000 training rows, and up to 150."""
    rows = {s: r["rows"] for s in specs for r in results.of(OURS, s).values()}
    large = [spec for spec in rows if LARGE[0] <= rows[spec] <= LARGE[1]]
    small = [spec for spec in rows if rows[spec] <= SMALL]
    lines = []
    seconds = results.table([OURS, "bare"], large, "cpu")
    ratios = {s: a / b for s, (a, b) in zip(large, seconds, strict=True) if a > 0 and b > 0}
    if ratios:
        words = ", ".join(f"{spec} {value:.2f}" for spec, value in ratios.items())
        answer = verdict(max(ratios.values()) <= LARGEST_RATIO)
        lines.append(f"{OURS} / bare, cpu seconds of fit: {words} (bar {LARGEST_RATIO}): {answer}.")
    if small:
        largest = np.max(results.table([OURS], small, "cpu"))
        answer = verdict(largest < LARGEST_SECONDS)
        lines.append(
            f"{OURS}, longest fit of at most {SMALL} rows: {largest:.2f} cpu seconds "
            f"(bar {LARGEST_SECONDS}): {answer}."
        )
    return lines
