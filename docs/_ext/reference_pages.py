"""The reference, made from `skmlp.__all__`, the `__all__` of public modules, and the registries."""

import importlib
import inspect
import pkgutil
import re

from forge_pages import DOCS, write
from sklearn.base import BaseEstimator

import skmlp
from skmlp._engine.modulations import MODULATIONS
from skmlp._engine.noise import NOISES
from skmlp._engine.penalties import SPARSITIES
from skmlp.activations import ACTIVATIONS
from skmlp.estimators._autoencoder._scores import SCORES
from skmlp.families import FAMILIES
from skmlp.initializers import INITIALIZERS
from skmlp.losses import CLASSIFICATION_LOSSES, RECONSTRUCTION_LOSSES, REGRESSION_LOSSES
from skmlp.optimizers import OPTIMIZERS
from skmlp.schedules import SCHEDULES

REFERENCE = DOCS / "reference"
# What formulas cannot stand in: literals, roles, and the star of an item of a list.
MARKUP = re.compile(r"(``.*?``|(?::\w+:)?`.*?`|^\s*\* )")
# Parameter, of what, and the names it takes.
REGISTRIES = [
    ("activation", "all networks", ACTIVATIONS),
    ("loss", "regressors", REGRESSION_LOSSES),
    ("loss", "classifiers", CLASSIFICATION_LOSSES),
    ("loss", "autoencoders", RECONSTRUCTION_LOSSES),
    ("distribution", "DensityRegressor", FAMILIES),
    ("solver", "all networks", OPTIMIZERS),
    ("learning_rate", "all networks", SCHEDULES),
    ("init", "all networks", INITIALIZERS),
    ("noise", "autoencoders", NOISES),
    ("sparsity", "autoencoders", SPARSITIES),
    ("anomaly_score", "AutoencoderOutlierDetector", SCORES),
    ("modulation", "hypernetworks", MODULATIONS),
]


def heading(text, line="="):
    return [text, line * len(text), ""]


def table(rows, *header):
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: auto", ""]
    for row in [header, *rows]:
        first, *rest = row
        lines += [f"   * - {first}", *(f"     - {cell}" for cell in rest)]
    return [*lines, ""]


def escaped(line):
    """A line of a docstring whose stars and bars are those of formulas, not markup."""
    parts = MARKUP.split(line)
    parts[::2] = [re.sub(r"(?<!\\)([*|])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def prose(lines):
    """Numbers of the lines that are neither in an example nor in a literal block after ``::``."""
    inside_example, block = False, None  # the indentation of the text that opened a block
    for i, line in enumerate(lines):
        text = line.strip()
        indentation = len(line) - len(line.lstrip())
        inside_example = text.startswith(">>>") or (inside_example and text != "")
        if block is not None and text and indentation <= block:
            block = None
        if block is None and not inside_example:
            yield i
            if text.endswith("::") and not text.startswith(".. "):
                block = indentation


def escape_formulas(app, what, name, obj, options, lines):
    """Docstrings have no emphasis or substitutions, but formulas; code is left alone."""
    for i in prose(lines):
        lines[i] = escaped(lines[i])


def summary(thing):
    """First paragraph of a docstring, on one line."""
    text = inspect.getdoc(thing) or ""
    return escaped(" ".join(text.split("\n\n")[0].split()))


def public_modules():
    """Public modules of skmlp that have something to say."""
    found = (name for _, name, _ in pkgutil.iter_modules(skmlp.__path__) if name[0] != "_")
    modules = {name: importlib.import_module(f"skmlp.{name}") for name in found}
    return {
        name: module
        for name, module in modules.items()
        if name != "estimators" and hasattr(module, "__all__")
    }


def names_in(module):
    """Classes and functions of a module: those of `__all__`, then classes of its registries."""
    names = list(module.__all__)
    for registry in registries_in(module).values():
        kinds = (kind for kind in registry.values() if inspect.isclass(kind))
        names += [kind.__name__ for kind in kinds if kind.__name__ not in names]
    return [name for name in names if name not in registries_in(module)]


def registries_in(module):
    things = {name: getattr(module, name) for name in module.__all__}
    return {name: thing for name, thing in things.items() if isinstance(thing, dict)}


def methods_of(cls):
    """Public methods of a class, in the order of its source, with the class that wrote them."""
    owners = {name: base for base in reversed(cls.__mro__) for name in vars(base)}
    order = [name for base in cls.__mro__ for name in vars(base)]
    for name in sorted(owners, key=order.index):
        member = inspect.getattr_static(cls, name)
        if name[0] != "_" and not isinstance(member, property) and callable(getattr(cls, name, 0)):
            yield name, owners[name]


def class_lines(qualified, members):
    members = list(members)
    lines = [f".. autoclass:: {qualified}"]
    return [*lines, f"   :members: {', '.join(members)}", ""] if members else [*lines, ""]


def estimator_lines(qualified, cls):
    """An estimator with its methods; those that are scikit-learn's are named only."""
    methods = [pair for pair in methods_of(cls) if not pair[0].endswith("_request")]
    ours = [name for name, _ in methods if getattr(cls, name).__module__.startswith("skmlp")]
    theirs = [name for name, _ in methods if name not in ours]
    said = "As in scikit-learn: " + ", ".join(f"``{name}``" for name in sorted(theirs)) + "."
    return [*class_lines(qualified, ours), said, ""]


def public_module(cls):
    """Where users find a class: in the module below skmlp, not in the file that it stands in."""
    return cls.__module__.split(".")[1]


def public_name(cls):
    return f"skmlp.{public_module(cls)}.{cls.__name__}"


def nearest_bases(cls, documented):
    """The documented classes that a class is made from, without the bases of these."""
    bases = [base for base in cls.__mro__[1:] if base in documented]
    return [base for base in bases if sum(issubclass(other, base) for other in bases) == 1]


def first_with(name, cls, owner, documented):
    """Of the classes of a page that have a method from the same base, the first by its name."""
    if owner is cls:
        return cls
    siblings = [one for one in documented if public_module(one) == public_module(cls)]
    method = vars(owner)[name]
    same = [one for one in siblings if inspect.getattr_static(one, name, None) is method]
    return min(same, key=lambda one: one.__name__)


def vocabulary_lines(qualified, cls, documented):
    """A class with what it says itself about its methods, and links to what others say."""
    said_by = {
        name: first_with(name, cls, owner, documented)
        for name, owner in methods_of(cls)
        if owner not in documented - {cls}
        and owner.__module__.startswith("skmlp")
        and vars(owner)[name].__doc__
    }
    lines = class_lines(qualified, [name for name, first in said_by.items() if first is cls])
    links = [f":py:obj:`~{public_name(base)}`" for base in nearest_bases(cls, documented)]
    links += [
        f":py:obj:`{first.__name__}.{name} <{public_name(first)}.{name}>`"
        for name, first in said_by.items()
        if first is not cls
    ]
    if links:
        lines += [f"Inherited methods: see {' and '.join(links)}.", ""]
    return lines


def thing_lines(qualified, thing, documented=frozenset()):
    if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
        return estimator_lines(qualified, thing)
    if inspect.isclass(thing):
        return vocabulary_lines(qualified, thing, documented)
    if inspect.isroutine(thing):
        return [f".. autofunction:: {qualified}", ""]
    return [f".. autodata:: {qualified}", "   :no-value:", ""]


def gallery_lines(qualified):
    return [f".. minigallery:: {qualified}", "   :add-heading: In the gallery", ""]


def estimator_page(name):
    thing = getattr(skmlp, name)
    lines = [*heading(name), ".. currentmodule:: skmlp", "", *thing_lines(f"skmlp.{name}", thing)]
    if inspect.isclass(thing):
        lines += gallery_lines(f"skmlp.{name}")
    return lines


def registry_header(registry):
    says = any(callable(kind) or isinstance(kind, dict) for kind in registry.values())
    return ("name", "what it is") if says else ("parameter", "value")


def registry_rows(registry):
    for name, kind in registry.items():
        if isinstance(kind, dict):  # by the kind of target
            kinds = dict.fromkeys(kind.values())
            said = " ".join(f":py:obj:`~{public_name(one)}`: {summary(one)}" for one in kinds)
            yield f'``"{name}"``', said
        elif inspect.isfunction(kind):
            yield f'``"{name}"``', summary(kind)
        elif not inspect.isclass(kind):  # a preset: parameters and values
            yield f"``{name}``", f"``{kind!r}``"
        elif public_module(kind) not in public_modules():
            yield f'``"{name}"``', summary(kind)
        else:
            yield f':py:obj:`"{name}" <{public_name(kind)}>`', summary(kind)


def module_page(name, module, documented):
    qualified = f"skmlp.{name}"
    lines = [
        *heading(qualified),
        f".. automodule:: {qualified}",
        "",
        f".. currentmodule:: {qualified}",
        "",
    ]
    for one, registry in registries_in(module).items():
        lines += [*heading(one, "-"), f".. py:data:: {one}", ""]
        lines += table(registry_rows(registry), *registry_header(registry))
    for one in names_in(module):
        thing = getattr(module, one)
        lines += [*heading(one, "-"), *thing_lines(f"{qualified}.{one}", thing, documented)]
    return lines


def names_page():
    lines = heading("Names that parameters accept")
    lines += [
        "Each name stands for a class. Where the page of the estimator says so, an instance of it,",
        "with settings of its own, will do as well.",
        "",
    ]
    for parameter, owner, registry in REGISTRIES:
        lines += [
            *heading(f"{parameter} of {owner}", "-"),
            *table(registry_rows(registry), "name", "what it is"),
        ]
    return lines


def index_page(modules):
    estimators = [n for n in skmlp.__all__ if inspect.isclass(getattr(skmlp, n))]
    functions = [n for n in skmlp.__all__ if n not in estimators]
    lines = heading("Reference")
    lines += ["Made from the docstrings, by the names that the package exports.", ""]
    for title, names in (("Estimators", estimators), ("Functions", functions)):
        rows = [(f":doc:`skmlp.{n}`", summary(getattr(skmlp, n))) for n in names]
        lines += [*heading(title, "-"), *table(rows, "name", "what it is")]
    rows = [(f":doc:`skmlp.{n}`", summary(module)) for n, module in modules.items()]
    lines += [*heading("Modules", "-"), *table(rows, "name", "what is in it")]
    lines += [
        ":doc:`names` lists what a string may stand for in every parameter that takes one.",
        "",
    ]
    lines += [".. toctree::", "   :hidden:", ""]
    pages = [*(f"skmlp.{n}" for n in [*skmlp.__all__, *modules]), "names"]
    return [*lines, *(f"   {page}" for page in pages)]


def on_builder_inited(app):
    modules = public_modules()
    things = (getattr(module, one) for module in modules.values() for one in names_in(module))
    documented = frozenset(thing for thing in things if inspect.isclass(thing))
    pages = {"index": index_page(modules), "names": names_page()}
    pages |= {f"skmlp.{name}": estimator_page(name) for name in skmlp.__all__}
    pages |= {
        f"skmlp.{name}": module_page(name, module, documented) for name, module in modules.items()
    }
    REFERENCE.mkdir(exist_ok=True)
    for path in REFERENCE.glob("*.rst"):
        if path.stem not in pages:
            path.unlink()
    for name, lines in pages.items():
        write(REFERENCE / f"{name}.rst", "\n".join(lines) + "\n")


def link_from_elsewhere(app, env, node, contnode):
    """Estimators and callbacks, named without their module elsewhere, lead to their pages."""
    first, *rest = node["reftarget"].split(".")
    estimators = {name: f"skmlp.{name}" for name in skmlp.__all__}
    homes = estimators | {name: f"skmlp.callbacks.{name}" for name in skmlp.callbacks.__all__}
    if node.get("refdomain") == "py" and first in homes:
        target = ".".join([homes[first], *rest])
        where = node["refdoc"], app.builder, node["reftype"]
        return env.get_domain("py").resolve_xref(env, *where, target, node, contnode)


def setup(app):
    app.connect("builder-inited", on_builder_inited)
    app.connect("missing-reference", link_from_elsewhere)
    app.connect("autodoc-process-docstring", escape_formulas, priority=100)  # before numpydoc
    return {"parallel_read_safe": True}
