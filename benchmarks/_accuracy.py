"""The table that defaults are judged by: skmlp beside scikit-learn, boosting and RealMLP."""

import sys
from collections import Counter

from _accuracy_cells import tried
from _accuracy_contestants import BUILT_IN, OURS, TABULAR, check
from _accuracy_figure import draw, points
from _accuracy_results import Results, append, is_frame, read, resume, same_parameters, set_name
from _accuracy_tables import (
    REFERENCES,
    SCORES,
    SECONDS,
    bar_lines,
    counted,
    means_table,
    noise_lines,
    set_row,
    set_table,
)
from _data import JUDGED, NOT_COUNTED, REGRESSION, SOURCES, kind_of, missing_sets
from joblib import Parallel, delayed

SETS = (*REGRESSION, *JUDGED)


# All cells


def chosen(args):
    """The contestants to run; those that cannot are printed."""
    asked = [BUILT_IN[name] for name in args.contestants] + args.config
    absent = [contestant for contestant in asked if not contestant.is_available()]
    for contestant in absent:
        print(f"Skipped: {contestant.name}: {contestant.missing}.")
    return [contestant for contestant in asked if contestant not in absent]


def known_results(args, contestants, specs):
    """Results of the files, as far as they are about what was asked for.

    The file that results are saved to adds no contestants, those that are loaded do.
    """
    loaded = [record for path in args.load for record in read(path)]
    saved = resume(args.save) if args.save else []
    records = [
        record
        for record in loaded + saved
        if record["set"] in specs
        and record["split"] in args.splits
        and record["seed"] < args.seeds
        and record["frame"] == is_frame(record["set"], args.frames)
    ]
    kinds = {kind_of(set_name(spec)) for spec in specs}
    wanted = {(c.name, kind): c.parameters(kind) for c in contestants for kind in kinds}
    kept, notes = same_parameters(records, wanted)
    print("".join(f"{note}\n" for note in notes), end="")
    names = {contestant.name for contestant in contestants}
    shown = names | {record["contestant"] for record in loaded}
    return Results(record for record in kept if record["contestant"] in shown)


def columns(results, names, specs):
    """Built-in contestants first, in their order, then all others that have results or will."""
    every = dict.fromkeys([*names, *results.contestants(specs)])
    return [n for n in BUILT_IN if n in every] + [n for n in every if n not in BUILT_IN]


def missing_cells(contestants, results, specs, args):
    """Arguments of the cells without a result; contestants take turns."""
    return [
        (contestant, spec, split, seed)
        for spec in specs
        for split in args.splits
        for seed in range(args.seeds)
        for contestant in contestants
        if (contestant.name, spec, split, seed) not in results
    ]


def run_cells(cells, results, specs, args):
    """Run what is missing and yield each set as soon as it and those before it are complete."""
    waiting = Counter(spec for _, spec, _, _ in cells)
    pending = list(specs)

    def complete():
        while pending and not waiting[pending[0]]:
            yield pending.pop(0)

    yield from complete()
    outcomes = Parallel(n_jobs=args.jobs, return_as="generator_unordered")(
        delayed(tried)(*cell, args.data, args.frames, args.jobs) for cell in cells
    )
    for spec, record, failure in outcomes:
        if failure:
            print(failure, file=sys.stderr, flush=True)
        else:
            results.add(record)
            if args.save:
                append(args.save, record)
        waiting[spec] -= 1
        yield from complete()


# What is printed


def print_kind(kind, contestants, results, specs, args):
    """Run the sets of a kind, print a row of the first score as soon as it is known, then all.

    Returns what the figure shows of them.
    """
    first, *others = SCORES[kind]
    names = columns(results, [contestant.name for contestant in contestants], specs)
    print(f"\n{set_table(kind, first, names).head()}", flush=True)
    cells = missing_cells(contestants, results, specs, args)
    for spec in run_cells(cells, results, specs, args):
        row = set_row(results, names, spec, first)
        print(set_table(kind, first, names).row(*row), flush=True)
    for quantity in (*others, *(q for q in SECONDS if q != "cpu")):
        table = set_table(kind, quantity, names)
        print(f"\n{table.head()}")
        for spec in specs:
            print(table.row(*set_row(results, names, spec, quantity)))
    references = args.reference or REFERENCES[kind]
    for name in args.reference:
        if name not in names:
            print(f"\nNo {name} to compare with.")
    print("\n" + "\n".join(means_table(kind, results, names, specs, references)))
    for lines in (
        noise_lines(kind, results, names, specs),
        bar_lines(kind, results, names, specs),
        incomplete(results, names, specs, args),
        environments(results, names, specs),
    ):
        if lines:
            print("\n" + "\n".join(lines))
    return f"{kind}, {len(counted(specs))} sets", *points(results, kind, names, specs)


def incomplete(results, names, specs, args):
    """A sentence for each contestant that lacks splits, seeds or whole sets."""
    n_cells, lines = len(args.splits) * args.seeds, []
    for name in names:
        lacking = {s: n_cells - len(results.of(name, s)) for s in specs}
        words = [f"{s} {n} of {n_cells}" for s, n in lacking.items() if n]
        if words:
            lines.append(f"{name} lacks fits: {', '.join(words)}.")
    return lines


def environments(results, names, specs):
    """Versions and jobs of all results, a line for each different combination."""
    found = {}
    for name in names:
        for spec in specs:
            for record in results.of(name, spec).values():
                packages = ", ".join(f"{k} {v}" for k, v in record["versions"].items())
                found.setdefault(f"{packages}; jobs {record['jobs']}", {})[name] = None
    return [f"{', '.join(who)}: {how}." for how, who in found.items()]


NOTES = """
Cells: means over splits and seeds 0, 1, ..., of the splits that all have who are in the row. rows:
of the training part; NAME:150 is the set with 150 of them. bare: scikit-learn's MLP on raw
features; scaled: behind a StandardScaler, y standardised too in regression; HGB:
HistGradientBoosting; RealMLP-TD-S: pytabkit's; skmlp: default constructor; tabular: skmlp.presets;
others: skmlp with parameters of --config. nRMSE: root mean squared error / standard deviation of
the test targets. log loss: nats, probabilities clipped at 1e-15. Times are of one fit, and of one
predict of the test part, with one thread, after a first fit that is not timed; cpu: seconds of the
processor, which a busy machine disturbs less. ConvergenceWarnings are silenced.

means: over the sets that all have ("sets" counts those of each); of scores the shifted geometric
mean exp(mean(log(score + 0.01))), of times the geometric mean; rank: mean rank, 1 is best;
/ NAME: ratio of those means on the sets that both have (their number in brackets where it is not
that of all).

Noise: differences of the two in the same split with the same seed; se: standard error of their
mean, sd / sqrt(number of pairs). Worse beyond noise: the mean is above two of them. Training parts
of splits overlap, so this standard error is a little too small, and a set is named too readily."""
CODED = "Words in the tables of german and splice are numbers in alphabetical order."
FRAMED = """german and splice are pandas frames: scikit-learn's MLP gets one-hot columns (in scaled
beside standardised ones), and so does a skmlp without categorical_features."""


def accuracy(args):
    """Print what is missing, tables for each kind of set, and how to read them.

    Raises
    ------
    ValueError
        If a parameter in --config does not exist, or a file of results cannot be read.
    """
    specs = [spec for spec in args.sets if args.task in (None, kind_of(set_name(spec)))]
    missing = missing_sets(dict.fromkeys(map(set_name, specs)), args.data)
    for kind, source in SOURCES.items():
        absent = [name for name in missing if kind_of(name) == kind]
        if absent:
            print(f"Missing: {', '.join(absent)}. Source: {source}.")
    specs = [spec for spec in specs if set_name(spec) not in missing]
    contestants = chosen(args)
    by_kind = {k: [s for s in specs if kind_of(set_name(s)) == k] for k in SCORES}
    check(contestants, [kind for kind, found in by_kind.items() if found])
    for contestant in args.config:
        print(f"{contestant.name}: {contestant.settings}")
    print(f"Splits: {args.splits}; seeds: {args.seeds}; jobs: {args.jobs}")
    results = known_results(args, contestants, specs)
    panels = [
        print_kind(kind, contestants, results, found, args)
        for kind, found in by_kind.items()
        if found
    ]
    if args.figure:
        draw(args.figure, panels, peers={*BUILT_IN} - {OURS, TABULAR})
    print(NOTES)
    if by_kind["classification"]:
        print(FRAMED if args.frames else CODED)
    for name in dict.fromkeys(map(set_name, specs)):
        if name in NOT_COUNTED:
            print(f"* {name}, counted in no mean: {NOT_COUNTED[name]}.")
