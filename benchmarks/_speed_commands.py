"""The subcommands that measure speed and memory, and their options."""

from _footprint import footprint
from _memory import memory
from _predict import predict
from _scaling import scaling
from _search import grid_search
from _speed import speed
from _starts import starts

DTYPES = ("float32", "float64")


def add_all(commands, count):
    """Add the parsers; `count` is the type of a whole number of at least 1."""
    for add in (
        add_speed,
        add_predict,
        add_memory,
        add_starts,
        add_import,
        add_search,
        add_scaling,
    ):
        add(commands, count)


def parser_of(commands, name, run, text, quick=None):
    """A parser whose options are not those of data; `quick` says what --quick does."""
    parser = commands.add_parser(name, help=text)
    if quick is not None:
        parser.add_argument("--quick", action="store_true", help=quick)
    parser.set_defaults(run=run, data=None)
    return parser


def add_measuring(parser, count, dtypes):
    """How often, with how many threads and in which dtypes."""
    parser.add_argument("--repeats", type=count, default=5, metavar="N", help="default 5")
    parser.add_argument("--threads", type=count, nargs="+", default=[1], metavar="N")
    parser.add_argument("--dtype", nargs="+", choices=DTYPES, default=dtypes)


def add_figure(parser):
    """The option that draws what is printed."""
    parser.add_argument("--figure", metavar="PATH", help="draw the table to this file")


def add_speed(commands, count):
    """The subcommand of the epoch times."""
    parser = parser_of(
        commands,
        "speed",
        speed,
        "seconds of an epoch on made-up data",
        "leave out the large workloads",
    )
    add_measuring(parser, count, list(DTYPES))
    add_figure(parser)


def add_predict(commands, count):
    """The subcommand of predictions."""
    parser = parser_of(
        commands, "predict", predict, "seconds and memory of predict", "up to 1000 rows only"
    )
    add_measuring(parser, count, list(DTYPES))


def add_memory(commands, count):
    """The subcommand of the memory of fits."""
    parser = parser_of(
        commands, "memory", memory, "memory that a fit takes", "a quarter of the rows"
    )
    text = "rows of all arrays (default: half a GB in memory, a GB mapped)"
    parser.add_argument("--rows", type=count, default=None, metavar="N", help=text)


def add_starts(commands, count):
    """The subcommand of several starts."""
    parser = parser_of(
        commands, "starts", starts, "n_init beside one fit", "leave out the big network"
    )
    add_measuring(parser, count, ["float32"])


def add_import(commands, count):
    """The subcommand of imports and pickles."""
    parser = parser_of(commands, "import", footprint, "seconds of the import, bytes of pickles")
    parser.add_argument("--repeats", type=count, default=5, metavar="N", help="default 5")


def add_search(commands, count):
    """The subcommand of the grid search."""
    parser = parser_of(
        commands, "search", grid_search, "a grid search with two jobs", "a quarter of the epochs"
    )
    parser.add_argument("--repeats", type=count, default=5, metavar="N", help="default 5")
    parser.add_argument("--jobs", type=count, nargs="+", default=[2], metavar="N")


def add_scaling(commands, count):
    """The subcommand of slopes."""
    parser = parser_of(
        commands, "scaling", scaling, "growth with rows, width and depth", "three sizes of each"
    )
    parser.add_argument("--repeats", type=count, default=5, metavar="N", help="default 5")
    parser.add_argument("--threads", type=count, default=1, metavar="N", help="default 1")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--peers", action="store_true", help="with PyTorch, JAX and the products")
    add_figure(parser)
