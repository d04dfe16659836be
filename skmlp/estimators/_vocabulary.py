"""Names to vocabulary objects, and objects to plain values that a fitted estimator can hold."""

from dataclasses import asdict, fields

from ..activations import ACTIVATIONS
from ..families import FAMILIES, MultivariateNormal
from ..initializers import INITIALIZERS
from ..losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES


def resolve(value, registry, owner=None):
    """The object a name stands for; objects are returned as they are.

    Fields of the class that are parameters of `owner` are taken from there, so that
    ``solver="sgd", momentum=0.5`` is ``SGD(momentum=0.5)``.
    """
    return build(registry[value], owner) if isinstance(value, str) else value


def build(cls, owner=None):
    """Instance of a vocabulary class with the parameters of an estimator."""
    names = [field.name for field in fields(cls)] if owner is not None else []
    return cls(**{name: getattr(owner, name) for name in names if hasattr(owner, name)})


def describe(instance):
    """(class name, fields) of a registered class, else the object itself.

    A fitted estimator holds plain values, so that it can be stored and inspected by tools that
    do not trust classes; a class of the user's own has to be held as it is.
    """
    name = _name_of(type(instance))
    return (name, asdict(instance)) if _CLASSES.get(name) is type(instance) else instance


def restore(description):
    """Inverse of `describe`."""
    if not isinstance(description, tuple):
        return description
    name, values = description
    return _CLASSES[name](**values)


def _name_of(cls):
    """Name of a class with the unit it is in, as a loss and a family may have one name."""
    return ".".join([*cls.__module__.split(".")[1:2], cls.__name__])


_CLASSES = {
    _name_of(cls): cls
    for cls in (
        *FAMILIES.values(),
        MultivariateNormal,
        *ACTIVATIONS.values(),
        *INITIALIZERS.values(),
        *REGRESSION_LOSSES.values(),
        *(cls for kinds in CLASSIFICATION_LOSSES.values() for cls in kinds.values()),
    )
}
