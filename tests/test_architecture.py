"""The arrows of docs/architecture.md and the size budgets of CONTRIBUTING.md, as tests.

A *unit* is a module directly under skmlp (``losses``) or a package there (``_engine``); a module
that has grown into a package of the same name keeps its row. To draw a new arrow, change
``ALLOWED`` and docs/architecture.md in one commit.
"""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = "skmlp"
ROOT = Path(__file__).parents[1] / PACKAGE
FILES = sorted(ROOT.rglob("*.py"))

VOCABULARY = {"activations", "initializers", "losses", "families", "optimizers", "schedules"}
TOOLS = {"metrics", "displays", "constructions", "presets", "inspection"}
NUMERIC = {"numpy", "scipy"}

# unit -> units it may import, third-party packages or modules it may import. The standard library
# is free, and a unit may always import itself.
ALLOWED = {
    **{unit: (set(), NUMERIC) for unit in VOCABULARY},
    **{unit: ({"_kernels"}, NUMERIC) for unit in ("activations", "losses", "optimizers")},
    "families": ({"losses"}, NUMERIC),
    "distributions": ({"families"}, NUMERIC),
    "callbacks": (set(), {"numpy"}),
    "presets": (set(), set()),
    "_engine": ({"_kernels"}, NUMERIC),
    "_kernels": (set(), {"numpy"}),
    "_version": (set(), set()),
    "_show_versions": ({"_version", "_kernels"}, {"scipy", "threadpoolctl"}),
    "_sklearn_compat": (set(), {"numpy", "sklearn"}),
    "estimators": (
        VOCABULARY | {"distributions", "callbacks", "_engine", "_sklearn_compat", "_version"},
        NUMERIC | {"sklearn"},
    ),
    "metrics": (set(), NUMERIC | {"sklearn.metrics"}),
    "displays": ({"metrics"}, {"numpy", "sklearn"}),
    "constructions": ({"estimators"}, NUMERIC),
    "inspection": ({"estimators"}, NUMERIC | {"sklearn.utils"}),
    "__init__": (
        VOCABULARY
        | TOOLS
        | {"distributions", "callbacks", "estimators", "_show_versions", "_version"},
        NUMERIC | {"sklearn"},
    ),
    "__main__": ({"__init__", "estimators"}, {"numpy", "sklearn"}),
}

# Optional packages: imported inside a function, so that the module loads without them.
LAZY = {"displays": {"matplotlib"}, "callbacks": {"rich"}}

# Modules that are loaded only where an optional package is installed.
OPTIONAL = {"_kernels.compiled": {"numba"}, "_kernels.fused": {"numba"}}

PRIVATE_SKLEARN = "_sklearn_compat"

FILE_LINES = 400  # without docstrings
BODY_LINES = 50  # of a function, without its docstring


# Reading the sources


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_parts(path, root=ROOT):
    """``skmlp/_engine/layers.py`` -> ``("skmlp", "_engine", "layers")``; packages drop __init__."""
    parts = (PACKAGE, *path.relative_to(root).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def unit_of(parts):
    return parts[1] if len(parts) > 1 else "__init__"


def module_names(root=ROOT):
    """Dotted names of all modules, those of ``ALLOWED`` included, written or not."""
    written = {".".join(module_parts(path, root)) for path in root.rglob("*.py")}
    return written | {f"{PACKAGE}.{unit}" for unit in ALLOWED if unit != "__init__"}


def imported_names(tree, package):
    """Yield (dotted name, is it inside a function) for every imported name.

    ``package`` is the tuple of names of the package that contains the module; ``from a import b``
    gives ``a.b``, whether ``b`` is a module or not. The names of a relative import that climbs out
    of the outermost package begin with a dot.
    """
    lazy = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in lazy
        elif isinstance(node, ast.ImportFrom):
            base = (
                () if not node.level else package[: max(len(package) - node.level + 1, 0)] or ("",)
            )
            for alias in node.names:
                yield ".".join((*base, *filter(None, [node.module]), alias.name)), id(node) in lazy


def package_of(parts, is_package):
    return parts if is_package else parts[:-1]


def target_module(name, modules):
    """The module of this package that ``name`` comes from: its longest prefix that is a module."""
    parts = name.split(".")
    while len(parts) > 1 and ".".join(parts) not in modules:
        parts.pop()
    return ".".join(parts)


# The rules. Each takes a tree and says what is wrong with it, so each can be tried on a string.


def broken_arrows(tree, parts, is_package=False, modules=None):
    """Sentences on the imports of one module that ``ALLOWED`` and ``LAZY`` do not have."""
    unit = unit_of(parts)
    if unit not in ALLOWED:
        return [f"{unit} has no row in ALLOWED"]
    modules = module_names() if modules is None else modules
    units, packages = ALLOWED[unit]
    problems = []
    for name, lazy in imported_names(tree, package_of(parts, is_package)):
        top = name.split(".")[0]
        if top == PACKAGE:
            target = unit_of(target_module(name, modules).split("."))
            if target not in units | {unit}:
                problems.append(f"{unit} -> {target} ({name})")
        elif top not in sys.stdlib_module_names:
            allowed = packages | (LAZY.get(unit, set()) if lazy else set())
            allowed |= OPTIONAL.get(".".join(parts[1:]), set())
            if not any(name == good or name.startswith(good + ".") for good in allowed):
                problems.append(f"{unit} -> {name}")
    return problems


def private_sklearn_names(tree, parts):
    """Imported names of scikit-learn with a component that begins with an underscore."""
    if unit_of(parts) == PRIVATE_SKLEARN:
        return []
    return [
        name
        for name, _ in imported_names(tree, parts[:-1])
        if name.split(".")[0] == "sklearn"
        and any(part.startswith("_") and not part.endswith("__") for part in name.split("."))
    ]


def find_cycle(graph):
    """A list of nodes that import each other in a ring, or None. ``graph`` maps node to nodes."""
    done = set()

    def visit(node, trail):
        if node in trail:
            return trail[trail.index(node) :] + [node]
        if node in done:
            return None
        done.add(node)
        rings = (visit(target, [*trail, node]) for target in sorted(graph.get(node, ())))
        return next(filter(None, rings), None)

    return next(filter(None, (visit(node, []) for node in sorted(graph))), None)


def docstring_of(node):
    """The docstring's statement, or None."""
    holders = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    if not isinstance(node, holders) or ast.get_docstring(node, clean=False) is None:
        return None
    return node.body[0]


def n_lines(node):
    return node.end_lineno - node.lineno + 1


def file_length(source):
    """Lines of a file without its docstrings."""
    docstrings = filter(None, map(docstring_of, ast.walk(ast.parse(source))))
    return len(source.splitlines()) - sum(map(n_lines, docstrings))


def is_plain_setting(node):
    """Whether a statement is ``self.x = x``."""
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Name)
        and [ast.unparse(target) for target in node.targets] == [f"self.{node.value.id}"]
    )


def long_functions(tree):
    """Names and lengths of the functions over budget."""
    problems = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if docstring_of(node) else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            if all(map(is_plain_setting, body)):
                continue  # a constructor of scikit-learn is as long as its list of parameters
            if length > BODY_LINES:
                problems.append(f"{node.name}: {length} lines")
    return problems


# The tests of the package


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_arrows(path):
    assert not broken_arrows(parse(path), module_parts(path), path.name == "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_private_sklearn_names_only_in_compat(path):
    assert not private_sklearn_names(parse(path), module_parts(path))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_budgets(path):
    assert file_length(path.read_text(encoding="utf-8")) <= FILE_LINES
    assert not long_functions(parse(path))


@pytest.mark.parametrize("of_units", [False, True], ids=["modules", "units"])
def test_no_import_cycles(of_units):
    modules = module_names()
    graph = {}
    for path in FILES:
        parts = module_parts(path)
        package = package_of(parts, path.name == "__init__.py")
        targets = {
            target_module(name, modules)
            for name, _ in imported_names(parse(path), package)
            if name.split(".")[0] == PACKAGE
        } - {".".join(parts)}
        if of_units:
            source = unit_of(parts)
            targets = {unit_of(target.split(".")) for target in targets} - {source}
        else:
            source = ".".join(parts)
        graph.setdefault(source, set()).update(targets)
    assert find_cycle(graph) is None


def test_the_files_are_found():
    assert {"_engine", "estimators"} <= {unit_of(module_parts(path)) for path in FILES}


def test_allowed_names_only_its_own_units():
    assert set().union(*(units for units, _ in ALLOWED.values())) <= set(ALLOWED)
    assert find_cycle({unit: units for unit, (units, _) in ALLOWED.items()}) is None


# The tests of the tests: each rule catches a violation and lets the lawful neighbour pass


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("losses", "import sklearn"),
        ("losses", "from skmlp.activations import Activation"),
        ("losses", "from .activations import Activation"),
        ("losses", "from . import activations"),
        ("losses", "def f():\n    from skmlp import activations"),
        ("losses", "from skmlp import __version__"),
        ("losses", "import skmlp.estimators._mlp"),
        ("families", "from skmlp.distributions import Distribution"),
        ("_engine.layers", "from skmlp.losses import Loss"),
        ("_engine.layers", "from numba import njit"),
        ("_kernels.plain", "from numba import njit"),
        ("_kernels.plain", "from skmlp.losses import Loss"),
        ("_engine.layers", "from ..losses import Loss"),
        ("_engine.layers", "from .. import losses"),
        ("_engine.layers", "from ...numpy import array"),
        ("losses", "from ....numpy import array"),
        ("_engine.layers", "from sklearn.utils import check_array"),
        ("estimators._mlp", "from skmlp.metrics import crps"),
        ("estimators._mlp", "from skmlp import MLPRegressor"),
        ("estimators._mlp", "import pandas"),
        ("metrics", "from sklearn.base import BaseEstimator"),
        ("metrics", "from sklearn import base"),
        ("metrics", "import sklearn"),
        ("constructions", "from sklearn.utils import Bunch"),
        ("inspection", "from sklearn.base import clone"),
        ("displays", "import matplotlib.pyplot as plt"),
        ("displays", "if True:\n    import matplotlib.pyplot as plt"),
        ("presets", "import numpy"),
        ("helpers", "import numpy"),
    ],
)
def test_broken_arrows_are_caught(module, source):
    assert len(broken_arrows(ast.parse(source), (PACKAGE, *module.split(".")))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("losses", "import math, numpy as np\nfrom scipy.special import xlogy"),
        ("families", "from skmlp.losses import Loss"),
        ("families", "from .losses import Loss"),
        ("families.normal", "from .student import StudentT\nfrom skmlp.losses import Loss"),
        ("_engine.layers", "from .memory import Block\nfrom . import network"),
        ("_kernels.compiled", "from numba import njit"),
        ("activations", "from . import _kernels"),
        ("estimators._mlp", "from skmlp import activations\nfrom skmlp._engine import layers"),
        ("estimators._mlp", "from ..activations import ReLU\nfrom .. import losses"),
        ("metrics", "from sklearn.metrics import make_scorer\nfrom sklearn import metrics"),
        ("displays", "def plot():\n    import matplotlib.pyplot as plt"),
        ("inspection", "from sklearn.utils import Bunch\nfrom .estimators import MLPRegressor"),
        ("__main__", "from skmlp import MLPClassifier\nfrom sklearn.datasets import load_wine"),
    ],
)
def test_lawful_imports_pass(module, source):
    assert not broken_arrows(ast.parse(source), (PACKAGE, *module.split(".")))


def test_relative_imports_of_a_package_are_resolved():
    tree = ast.parse("from .layers import Dense")
    ((name, _),) = imported_names(tree, package_of((PACKAGE, "_engine"), is_package=True))
    assert name == "skmlp._engine.layers.Dense"


@pytest.mark.parametrize(
    "source",
    [
        "from sklearn.base import BaseEstimator, _fit_context",
        "from sklearn.utils._param_validation import Interval",
        "import sklearn.utils._param_validation as validation",
        "from sklearn.utils import _param_validation",
        "def f():\n    from sklearn.utils.validation import _check_sample_weight",
    ],
)
def test_private_sklearn_names_are_caught(source):
    tree = ast.parse(source)
    assert len(private_sklearn_names(tree, (PACKAGE, "estimators", "_mlp"))) == 1
    assert not private_sklearn_names(tree, (PACKAGE, "_sklearn_compat"))


def test_public_sklearn_names_pass():
    tree = ast.parse("from sklearn import __version__\nfrom sklearn.base import BaseEstimator")
    assert not private_sklearn_names(tree, (PACKAGE, "estimators", "_mlp"))


def test_cycles_are_found():
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_budgets_let_constructors_be_long_that_only_set():
    setting = "def __init__(self, x):\n" + "    self.x = x\n" * (BODY_LINES + 1)
    assert not long_functions(ast.parse(setting))
    assert long_functions(ast.parse(setting + "    self.y = x\n"))


def test_budgets_count_without_docstrings():
    docstring = '    """' + "word\n" * 60 + '    """\n'
    short = f"def f():\n{docstring}" + "    x = 1\n" * BODY_LINES
    assert not long_functions(ast.parse(short))
    assert long_functions(ast.parse(short + "    x = 1\n")) == [f"f: {BODY_LINES + 1} lines"]
    assert file_length(short) == 1 + BODY_LINES
