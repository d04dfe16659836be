"""What all displays have in common."""

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import AutoencoderTransformer, DensityRegressor, MLPRegressor, displays
from skmlp.displays import (
    DensityDisplay,
    EmbeddingDisplay,
    LossCurveDisplay,
    NetworkDisplay,
    QuantileCalibrationDisplay,
    ReconstructionDisplay,
)

from .shared import (
    CALIBRATION,
    FirstFeature,
    fitted,
    legend,
    normal,
)

NEW = [LossCurveDisplay, NetworkDisplay, ReconstructionDisplay, EmbeddingDisplay]
SHOWN = [DensityDisplay, *CALIBRATION, *NEW]


def shown(cls, X, y):
    """A fitted estimator that a display shows, and further arguments of from_estimator."""
    few = {"learning_rate": "one_cycle", "max_iter": 2, "random_state": 0}
    if cls in (ReconstructionDisplay, EmbeddingDisplay):
        return AutoencoderTransformer(2, 3, **few).fit(X), (X,)
    if cls in NEW:
        return MLPRegressor(hidden_layer_sizes=(3,), **few).fit(X, y), ()
    return fitted(), (X, y)


def searched(model, prefix=None):
    """A grid search over a model or a Pipeline that ends with one."""
    last = model[-1] if prefix else model
    name = f"{type(last).__name__.lower()}__alpha" if prefix else "alpha"
    return GridSearchCV(model, {name: [0.1]}, cv=2)


def documented(cls, section):
    """Names that a section of a docstring lists."""
    text = inspect.getdoc(cls)
    body = re.search(rf"^{section}\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", text, re.S | re.M).group(1)
    lines = re.findall(r"^(\w[\w, ]*) : ", body, re.M)
    return [name for line in lines for name in line.split(", ")]


def test_public_names_exist():
    assert sorted(set(displays.__all__)) == displays.__all__
    assert all(hasattr(displays, name) for name in displays.__all__)


def test_matplotlib_is_imported_when_it_is_needed():
    code = "import sys, skmlp.displays; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib(monkeypatch, data):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    X, y = data
    message = r"needs matplotlib. Install it by: pip install skmlp\[plot\]"
    for cls in SHOWN:
        model, arguments = shown(cls, X, y)
        with pytest.raises(ImportError, match=rf"{cls.__name__}.from_estimator {message}"):
            cls.from_estimator(model, *arguments)
    with pytest.raises(ImportError, match=rf"EmbeddingDisplay.from_embedding {message}"):
        EmbeddingDisplay.from_embedding(X)
    for cls in CALIBRATION:
        with pytest.raises(ImportError, match=rf"{cls.__name__}.from_predictions {message}"):
            cls.from_predictions(y, normal(y, 1.0))
        with pytest.raises(ImportError, match=rf"^{cls.__name__} {message}"):
            cls(pit=y).plot()


@pytest.mark.parametrize("cls", SHOWN)
def test_displays_follow_the_conventions(cls, data, pyplot):
    model, arguments = shown(cls, *data)
    display = cls.from_estimator(model, *arguments)
    assert display.figure_ is display.ax_.figure is pyplot.gcf()
    assert display.ax_.has_data()
    said = [*display.ax_.get_xticklabels(), *display.ax_.get_yticklabels()]
    assert all(label.get_text() for label in said) or display.ax_.get_xlabel()
    first, (_, ax) = display.ax_, pyplot.subplots()
    assert display.plot(ax) is display
    assert display.ax_ is ax is not first and display.figure_ is ax.figure
    assert cls.from_estimator(model, *arguments, ax=ax).ax_ is ax
    assert len(pyplot.get_fignums()) == 2


@pytest.mark.parametrize("cls", SHOWN)
def test_the_constructor_keeps_what_is_given(cls, data):
    model, arguments = shown(cls, *data)
    display = cls.from_estimator(model, *arguments)
    parameters = {name: getattr(display, name) for name in inspect.signature(cls).parameters}
    again = cls(**parameters)
    assert all(getattr(again, name) is value for name, value in parameters.items())
    assert not [name for name in vars(again) if name.endswith("_")]
    again.plot()
    left = set(vars(display)) - set(parameters)
    assert left == set(documented(cls, "Attributes"))
    assert set(documented(cls, "Parameters")) == set(parameters)


@pytest.mark.parametrize("cls", NEW)
def test_what_is_not_fitted_is_refused(cls, data, pyplot):
    model, arguments = shown(cls, *data)
    step = StandardScaler()
    for unfitted in (clone(model), make_pipeline(step, clone(model)), searched(clone(model))):
        with pytest.raises(NotFittedError):
            cls.from_estimator(unfitted, *arguments)
    assert not pyplot.get_fignums()


@pytest.mark.parametrize("cls", NEW)
def test_estimators_without_what_is_shown_are_refused(cls, data, pyplot):
    X, y = data
    arguments = shown(cls, X, y)[1]
    ridge = Ridge().fit(X, y)
    with pytest.raises(TypeError, match=rf"^{cls.__name__}.* which Ridge does not have. Give "):
        cls.from_estimator(ridge, *arguments)
    pipeline = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    with pytest.raises(TypeError, match=r"which Ridge, inside Pipeline, does not have"):
        cls.from_estimator(pipeline, *arguments)
    search = GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2, refit=False).fit(X, y)
    with pytest.raises(TypeError, match=r"refit=False a search keeps no estimator; set refit=True"):
        cls.from_estimator(search, *arguments)
    assert not pyplot.get_fignums()


@pytest.mark.parametrize("cls", NEW)
def test_pipelines_and_searches_show_what_is_inside(cls, data):
    X, y = data
    model, arguments = shown(cls, X, y)
    pipeline = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    search = searched(clone(pipeline), "pipeline").fit(X, y)
    assert cls.from_estimator(pipeline, *arguments).ax_.has_data()
    assert cls.from_estimator(search, *arguments).ax_.has_data()
    assert cls.from_estimator(FrozenEstimator(model), *arguments).ax_.has_data()


@pytest.mark.parametrize("cls", [DensityDisplay, *CALIBRATION])
def test_pipelines_and_searches_are_accepted(cls, data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), FirstFeature())
    for model in (pipeline, GridSearchCV(pipeline, {"firstfeature__scale": [2.0]}, cv=2)):
        display = cls.from_estimator(model.fit(X, y), X, y)
        if cls is not DensityDisplay:
            assert display.name == "FirstFeature"
    for model in (Ridge(), make_pipeline(StandardScaler(), Ridge())):
        with pytest.raises(TypeError, match="^Ridge.* has no predict_dist"):
            cls.from_estimator(model.fit(X, y), X, y)


def test_a_network_is_shown(data):
    X, y = data
    model = DensityRegressor(learning_rate="one_cycle", max_iter=3, random_state=0).fit(X, y)
    for cls in (DensityDisplay, *CALIBRATION):
        cls.from_estimator(model, X, y)
    display = QuantileCalibrationDisplay.from_estimator(model, X, y)
    np.testing.assert_allclose(display.pit, model.pit(X, y))
    assert legend(display)[-1].startswith("DensityRegressor (area ")
