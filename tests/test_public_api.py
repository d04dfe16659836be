"""What users see: names, docstrings that agree with signatures, and no cost at import."""

import importlib
import inspect
import re
import subprocess
import sys

import pytest
from sklearn.base import BaseEstimator

import skmlp
from skmlp.estimators._defaults import BY_HAND

ESTIMATORS = [
    getattr(skmlp, name)
    for name in skmlp.__all__
    if inspect.isclass(getattr(skmlp, name)) and issubclass(getattr(skmlp, name), BaseEstimator)
]
MODULES = ["activations", "callbacks", "initializers", "losses", "optimizers", "schedules"]
MODULES += ["constructions", "inspection"]


def documented(estimator, section):
    """Lines "name : type" of a numpydoc section, as a dictionary."""
    text = inspect.getdoc(estimator)
    body = re.search(rf"^{section}\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", text, re.S | re.M).group(1)
    pairs = re.findall(r"^(\w[\w, ]*) : (.+)$", body, re.M)
    return {name: kind for names, kind in pairs for name in names.split(", ")}


@pytest.mark.parametrize("module", MODULES)
def test_public_names_exist(module):
    loaded = importlib.import_module(f"skmlp.{module}")
    assert sorted(set(loaded.__all__)) == sorted(loaded.__all__)
    for name in loaded.__all__:
        assert getattr(loaded, name) is not None


def test_the_top_level_is_short():
    assert len(skmlp.__all__) <= 10
    assert all(hasattr(skmlp, name) for name in skmlp.__all__)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_documented_parameters_are_those_of_the_signature(estimator):
    parameters = inspect.signature(estimator).parameters
    described = documented(estimator, "Parameters")
    assert list(described) == list(parameters)
    for name, parameter in parameters.items():
        default = re.search(r"default=(.+)$", described[name]).group(1)
        assert eval(default) == parameter.default, name


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_parameter_is_validated(estimator):
    assert set(estimator._parameter_constraints) == set(inspect.signature(estimator).parameters)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_documented_attributes_exist_after_fit(estimator):
    y = [0, 1] * 10
    settings = {"max_iter": 1000, "tol": 0.1, "hidden_layer_sizes": (10,), "n_components": 1}
    settings = {k: v for k, v in settings.items() if k in inspect.signature(estimator).parameters}
    fitted = estimator(**settings).fit([[float(i)] for i in range(20)], y)
    public = {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    described = set(documented(estimator, "Attributes"))
    # Names of features exist only for tables that have them, an encoder only with one, a
    # calibration only after calibrate; the rest is computed on access.
    on_access = {"feature_names_in_", "encoder_", "coefs_", "intercepts_", "estimators_"}
    on_access |= {"n_components_", "calibration_", "task_embeddings_"}
    assert described - on_access == public


@pytest.mark.parametrize("estimator", [skmlp.MLPClassifier, skmlp.MLPRegressor])
def test_shared_parameters_come_in_the_order_of_scikit_learn(estimator):
    from sklearn import neural_network

    theirs = list(inspect.signature(getattr(neural_network, estimator.__name__)).parameters)
    ours = [name for name in inspect.signature(estimator).parameters if name in theirs]
    # The oldest supported version has no loss of its own.
    assert [name for name in ours if name != "loss"] == [n for n in theirs if n != "loss"]


@pytest.mark.parametrize(
    "estimator", [skmlp.MLPClassifier, skmlp.MLPRegressor, skmlp.AutoencoderTransformer]
)
def test_shared_defaults_are_those_of_scikit_learn(estimator):
    from sklearn import neural_network

    # Autoencoders have what both kinds share.
    name = estimator.__name__ if estimator.__name__.startswith("MLP") else "MLPClassifier"
    theirs = inspect.signature(getattr(neural_network, name)).parameters
    ours = inspect.signature(estimator).parameters
    # "auto" does what False does there, unless fit gets a validation set of its own.
    assert ours["early_stopping"].default == "auto"
    for name in set(theirs) & set(ours) - {"early_stopping"}:
        # What "auto" stands for once the training is steered by hand.
        by_hand = BY_HAND if ours[name].default == "auto" else {}
        assert by_hand.get(name, ours[name].default) == theirs[name].default, name


def test_import_brings_in_little_beyond_scikit_learn():
    code = (
        "import sys, sklearn.neural_network, sklearn.utils.metaestimators; "
        "before = set(sys.modules); import skmlp; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - {'skmlp', 'numpy', 'scipy', 'sklearn'} - sys.stdlib_module_names))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_show_versions_names_what_matters(capsys):
    skmlp.show_versions()
    printed = capsys.readouterr().out
    for name in (skmlp.__version__, "numpy", "scikit-learn", "python", "threads"):
        assert name in printed


@pytest.mark.parametrize(
    "architecture, flags, advised",
    [
        ("Haswell", {"avx2", "avx512f"}, True),
        ("Zen", {"avx2", "avx512f"}, True),
        ("SkylakeX", {"avx2", "avx512f"}, False),
        ("Haswell", {"avx2"}, False),
        ("Haswell", set(), False),
    ],
)
def test_a_blas_that_ignores_the_processor_is_named(architecture, flags, advised):
    from skmlp._show_versions import blas_hint

    pools = [
        {"internal_api": "openblas", "architecture": architecture},
        {"internal_api": "openmp"},
    ]
    hint = blas_hint(pools, flags)
    assert bool(hint) == advised
    assert not advised or (architecture in hint and "OPENBLAS_CORETYPE" in hint)
