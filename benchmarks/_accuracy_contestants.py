"""Who takes part in the table of accuracy: scikit-learn, boosting, RealMLP, settings of skmlp."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import _raw
import numpy as np
from _tables import installed
from sklearn import ensemble
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skmlp

PREFIX = {"regression": "Regressor", "classification": "Classifier"}
PRESETS = {"regression": "TABULAR_REGRESSION", "classification": "TABULAR_CLASSIFICATION"}


# Makers: called with the kind of set, a seed and whether X is a frame with nominal columns, they
# return an unfitted estimator. Only sets of classes have frames.


def one_hot(estimator, remainder="passthrough"):
    """The estimator behind an encoder of the nominal columns; the others go through remainder."""
    nominal = make_column_selector(dtype_include="category")
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        make_column_transformer((encoder, nominal), remainder=remainder), estimator
    )


def bare(kind, seed, frame):
    """scikit-learn's MLP on raw features."""
    estimator = _raw.bare(kind, seed)
    return one_hot(estimator) if frame else estimator


def scaled(kind, seed, frame):
    """scikit-learn's MLP behind a scaler, and for regression in front of one."""
    if frame:
        return one_hot(_raw.bare(kind, seed), StandardScaler())
    return _raw.scaled(kind, seed)


def boosting(kind, seed, frame):
    """scikit-learn's gradient boosting on histograms, which takes nominal columns by itself."""
    estimator = getattr(ensemble, f"HistGradientBoosting{PREFIX[kind]}")
    return estimator(categorical_features="from_dtype", random_state=seed)


def realmlp(kind, seed, frame):
    """RealMLP-TD-S of pytabkit, which encodes nominal columns by itself."""
    import pytabkit

    estimator = getattr(pytabkit, f"RealMLP_TD_S_{PREFIX[kind]}")
    return estimator(device="cpu", n_threads=1, random_state=seed)


def ours(kind, seed, frame, base=None, **parameters):
    """skmlp's MLP with some parameters, on top of the preset if base says so.

    A version that takes no nominal columns gets them encoded.
    """
    if base == TABULAR:
        parameters = preset(kind) | parameters
    estimator = getattr(skmlp, f"MLP{PREFIX[kind]}")(random_state=seed, **parameters)
    takes_frames = "categorical_features" in estimator.get_params()
    return one_hot(estimator) if frame and not takes_frames else estimator


def preset(kind):
    """The parameters of skmlp.presets for a kind of set."""
    from skmlp import presets

    return dict(getattr(presets, PRESETS[kind]))


@dataclass(frozen=True)
class Contestant:
    """A name, a maker, and what it needs.

    Hashable, and the same after a trip to another process: ``settings`` is JSON, ``make`` a
    function of this module.
    """

    name: str
    make: Callable
    settings: str = "{}"
    modules: tuple = ()
    missing: str = ""
    packages: tuple = ()

    def estimator(self, kind, seed, frame=False):
        """An unfitted estimator; lists among the settings become tuples."""
        settings = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in json.loads(self.settings).items()
        }
        return self.make(kind, seed, frame, **settings)

    def is_available(self):
        """Whether what it needs is installed."""
        return installed(*self.modules)

    def parameters(self, kind):
        """All parameters of skmlp's estimator but the seed, as JSON gives them back; peers: {}."""
        if self.make is not ours:
            return {}
        found = self.estimator(kind, None).get_params(deep=False)
        del found["random_state"]
        return json.loads(json.dumps(found, default=repr, sort_keys=True))


SCALED, BOOSTING, REALMLP, OURS, TABULAR = "scaled", "HGB", "RealMLP-TD-S", "skmlp", "tabular"
BUILT_IN = {
    contestant.name: contestant
    for contestant in (
        Contestant("bare", bare),
        Contestant(SCALED, scaled),
        Contestant(BOOSTING, boosting),
        Contestant(
            REALMLP,
            realmlp,
            modules=("pytabkit", "torch"),
            missing="pytabkit is not installed. Run it in an environment of its own with --save "
            "FILE, and here with --load FILE",
            packages=("pytabkit", "torch"),
        ),
        Contestant(OURS, ours, packages=("numba",)),
        Contestant(
            TABULAR,
            ours,
            settings=json.dumps({"base": TABULAR}),
            modules=("skmlp.presets",),
            missing="this skmlp has no skmlp.presets",
            packages=("numba",),
        ),
    )
}


def configured(text):
    """A contestant from ``NAME=JSON``: parameters of skmlp's MLPs.

    The key "base" with the value "tabular" puts them on top of the preset.

    Raises
    ------
    ValueError
        If the name is missing or taken, or the rest is no JSON object.
    """
    name, sign, settings = text.partition("=")
    if not (name and sign):
        raise ValueError(f"{text!r} is not NAME=JSON, as in wide='{{\"alpha\": 0.01}}'")
    if name in BUILT_IN:
        raise ValueError(f"{name!r} is the name of a built-in contestant; take another one")
    try:
        parameters = json.loads(settings)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name}: {settings!r} is no JSON ({error})") from None
    if not isinstance(parameters, dict):
        raise ValueError(f"{name}: {settings} is no JSON object of parameters")
    if parameters.get("base", TABULAR) != TABULAR:
        raise ValueError(f'{name}: "base" is {parameters["base"]!r}; it may only be "{TABULAR}"')
    modules = ("skmlp.presets",) if "base" in parameters else ()
    return Contestant(
        name, ours, json.dumps(parameters), modules, BUILT_IN[TABULAR].missing, ("numba",)
    )


def check(contestants, kinds):
    """Make all estimators once, so that a wrong name of a parameter is found before the run.

    Raises
    ------
    ValueError
        If an estimator does not have a parameter.
    """
    for contestant in contestants:
        for kind in kinds:
            try:
                contestant.estimator(kind, 0)
            except TypeError as error:
                raise ValueError(
                    f"--config {contestant.name}: {error}; for parameters of only one of the two "
                    "estimators give --task too"
                ) from None


@cache
def warm_up(contestant, kind, many):
    """Fit and predict once in this process, so that nothing that is loaded or compiled counts.

    `many` asks for three classes instead of two, for which other code is compiled.
    """
    X = np.random.default_rng(0).normal(size=(300, 5))
    y = X[:, 0] if kind == "regression" else np.digitize(X[:, 0], [0, 1] if many else [0])
    contestant.estimator(kind, 0).fit(X, y).predict(X)
