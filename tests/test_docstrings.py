"""Docstrings say what the code does: names, order and defaults of parameters, errors, examples."""

import dis
import importlib
import inspect
import pkgutil
import re
from itertools import pairwise

import pytest
from sklearn.base import BaseEstimator

import skmlp

# Methods of these have one contract each, which leaves need not repeat: a sentence will do.
VOCABULARY = {"activations", "families", "initializers", "losses", "optimizers", "schedules"}
HOOKS = {"callbacks"}
PRINTING = {"skmlp.show_versions"}
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.M)
ITEMISED = ("Parameters", "Other Parameters", "Attributes", "Returns", "Yields")
ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : (.+))?$", re.M)


def public_modules():
    names = [name for _, name, _ in pkgutil.iter_modules(skmlp.__path__) if name[0] != "_"]
    return {
        name: importlib.import_module(f"skmlp.{name}") for name in names if name != "estimators"
    }


def methods(cls):
    """Public methods that skmlp wrote, the constructor as the class itself."""
    for name, member in inspect.getmembers(cls, callable):
        function = inspect.unwrap(member)
        ours = getattr(function, "__module__", None) or ""
        if name[0] != "_" and ours.startswith("skmlp") and not inspect.isclass(member):
            yield name, member


def is_estimator(thing):
    return inspect.isclass(thing) and issubclass(thing, BaseEstimator)


def exported():
    """Public functions and classes by name, estimators first; of instances their classes."""
    things = {f"skmlp.{name}": getattr(skmlp, name) for name in skmlp.__all__}
    for module, loaded in public_modules().items():
        things |= {
            f"skmlp.{module}.{n}": getattr(loaded, n) for n in getattr(loaded, "__all__", ())
        }
    kinds = {
        name: thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing)
        for name, thing in things.items()
    }
    return {name: kind for name, kind in kinds.items() if kind.__module__.startswith("skmlp")}


def callables():
    """All that can be called with arguments: functions, classes, their methods."""
    for name, thing in exported().items():
        yield name, thing
        if inspect.isclass(thing):
            yield from ((f"{name}.{method}", member) for method, member in methods(thing))


CALLABLES = dict(callables())
EXPORTED = exported()


def overrides(name):
    """Whether a method has its documentation from a base class."""
    owner, _, method = name.rpartition(".")
    bases = getattr(EXPORTED.get(owner), "__mro__", ())
    return not CALLABLES[name].__doc__ and sum(method in vars(base) for base in bases) > 1


def is_documented_in_full(name):
    is_method = name not in EXPORTED
    return not (is_method and (name.split(".")[1] in VOCABULARY | HOOKS or overrides(name)))


FULLY = [name for name in CALLABLES if is_documented_in_full(name)]


def sections(thing):
    """Sections of a docstring by their titles."""
    parts = SECTION.split(inspect.getdoc(thing) or "")
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def bare_entries(thing):
    """Entries that are names and types only, which the site shows as empty items."""
    for title in ITEMISED:
        lines = sections(thing).get(title, "").splitlines()
        for line, following in pairwise([*lines, ""]):
            if re.match(r"\S", line) and not re.match(r"\s+\S", following):
                yield f"{title}: {line}"


def described(thing):
    """Types of the documented parameters by their names, None if there is no such section."""
    text = sections(thing).get("Parameters")
    if text is None:
        return None
    pairs = ((names, kind) for names, kind in ENTRY.findall(text))
    return {name: kind for names, kind in pairs for name in names.split(", ")}


def real(thing):
    """Parameters of a signature by their names as they are documented."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(thing).parameters.values()
    return {stars.get(p.kind, "") + p.name: p for p in found if p.name not in ("self", "cls")}


def raises(thing):
    """Whether a function, or what makes objects of a class, has a `raise` of its own."""
    makers = [thing]
    if inspect.isclass(thing):
        makers = [getattr(thing, name, None) for name in ("__init__", "__post_init__")]
    ours = [inspect.unwrap(maker) for maker in makers if inspect.isroutine(maker)]
    return any(
        step.opname == "RAISE_VARARGS"
        for function in ours
        if hasattr(function, "__code__")
        for step in dis.get_instructions(function)
    )


DESCRIBED = [name for name, thing in CALLABLES.items() if described(thing)]
RAISING = [name for name, thing in CALLABLES.items() if raises(thing)]


def needs_example(name):
    """Whether there is to be an example: of all that is exported, and of documented methods.

    One example does for all classes that inherit a method, and for overrides that leave its
    documentation as it is. Abstract methods are shown by the example of their class; properties
    are attributes, which are described with the class.
    """
    thing = CALLABLES[name]
    is_abstract = getattr(thing, "__isabstractmethod__", False)
    return name in EXPORTED or (bool(thing.__doc__) and not is_abstract)


SHOWN = [name for name in CALLABLES if needs_example(name)]


@pytest.mark.parametrize("name", CALLABLES)
def test_there_is_a_docstring(name):
    assert inspect.getdoc(CALLABLES[name])


@pytest.mark.parametrize("name", CALLABLES)
def test_formulas_are_plain_text(name):
    # Pages with mathematical markup would need a script from the network.
    assert not re.search(r":math:|\.\. math::", inspect.getdoc(CALLABLES[name]))


@pytest.mark.parametrize("name", RAISING)
def test_errors_are_documented(name):
    assert "Raises" in sections(CALLABLES[name])


@pytest.mark.parametrize("name", DESCRIBED)
def test_documented_parameters_are_the_real_ones(name):
    said, there = list(described(CALLABLES[name])), list(real(CALLABLES[name]))
    # What the contract of the vocabulary says need not be said again.
    assert said == (there if name in FULLY else [one for one in there if one in said])


@pytest.mark.parametrize("name", DESCRIBED)
def test_documented_defaults_are_the_real_ones(name):
    for parameter, kind in described(CALLABLES[name]).items():
        default = real(CALLABLES[name])[parameter].default
        if said := re.search(r"default=(.+)$", kind):
            assert eval(said[1]) == default, parameter
        elif kind != "None":  # for what is only there for a Pipeline's sake
            assert default is inspect.Parameter.empty or name not in FULLY, parameter


@pytest.mark.parametrize("name", FULLY)
def test_parameters_and_results_are_documented(name):
    thing = CALLABLES[name]
    assert not real(thing) or "Parameters" in sections(thing)
    if not inspect.isclass(thing) and name not in PRINTING:
        assert "Returns" in sections(thing)


@pytest.mark.parametrize("name", CALLABLES)
def test_every_entry_has_a_description(name):
    assert not list(bare_entries(CALLABLES[name]))


@pytest.mark.parametrize("name", SHOWN)
def test_there_is_an_example(name):
    assert ">>> " in sections(CALLABLES[name]).get("Examples", "")


@pytest.mark.parametrize("name", [name for name, thing in EXPORTED.items() if is_estimator(thing)])
def test_html_links_to_the_page_of_the_reference(name):
    html = EXPORTED[name]()._repr_html_()
    assert f"/reference/{name}.html" in html
