"""Docstrings say what the code does: names, order and defaults of parameters, and examples."""

import importlib
import inspect
import pkgutil
import re

import pytest
from sklearn.base import BaseEstimator

import skmlp

# What people write code against in full; the vocabulary has a sentence, the formula and its source.
FULL = ["constructions", "displays", "distributions", "inspection", "metrics"]
PRINTING = {"skmlp.show_versions"}
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.M)
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
    """Public functions and classes by name, estimators first."""
    things = {f"skmlp.{name}": getattr(skmlp, name) for name in skmlp.__all__}
    for module, loaded in public_modules().items():
        things |= {
            f"skmlp.{module}.{n}": getattr(loaded, n) for n in getattr(loaded, "__all__", ())
        }
    kinds = (inspect.isclass, inspect.isroutine)
    return {name: thing for name, thing in things.items() if any(kind(thing) for kind in kinds)}


def callables():
    """All that can be called with arguments: functions, classes, their methods."""
    for name, thing in exported().items():
        yield name, thing
        if inspect.isclass(thing):
            yield from ((f"{name}.{method}", member) for method, member in methods(thing))


CALLABLES = dict(callables())
FULLY = [
    name
    for name, thing in CALLABLES.items()
    if name.split(".")[1] in {*FULL, *skmlp.__all__} and thing.__doc__
]


def sections(thing):
    """Sections of a docstring by their titles."""
    parts = SECTION.split(inspect.getdoc(thing) or "")
    return dict(zip(parts[1::2], parts[2::2], strict=True))


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


DESCRIBED = [name for name, thing in CALLABLES.items() if described(thing)]


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


@pytest.mark.parametrize("name", [name for name in exported() if name in FULLY])
def test_there_is_an_example(name):
    assert ">>> " in sections(CALLABLES[name]).get("Examples", "")


@pytest.mark.parametrize(
    "name", [name for name, thing in exported().items() if is_estimator(thing)]
)
def test_html_links_to_the_page_of_the_reference(name):
    html = exported()[name]()._repr_html_()
    assert f"/reference/{name}.html" in html
