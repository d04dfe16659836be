"""Whole fits and predictions of small estimators: seconds, and memory at the peak."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmlp import MLPClassifier, MLPRegressor

from .common import DTYPES, KERNELS, noise, use

# rows, features, hidden units, outputs (1 is a regression), batch size
WORKLOADS = {
    "digits, 200": (1797, 64, (100,), 10, 200),
    "digits, 32": (1797, 64, (100,), 10, 32),
    "regression, 200": (4000, 8, (100,), 1, 200),
    "256x3, 256": (2000, 50, (256, 256, 256), 10, 256),
}
EPOCHS = 3


def data(workload, dtype):
    """Noise of a workload's shape."""
    rows, features, _, outputs, _ = WORKLOADS[workload]
    X = noise(rows, features, dtype=dtype)
    return X, noise(rows, seed=1) if outputs == 1 else np.arange(rows) % outputs


def estimator(workload, dtype, **parameters):
    """A few epochs without a stopping rule."""
    _, _, hidden, outputs, batch_size = WORKLOADS[workload]
    kind = MLPRegressor if outputs == 1 else MLPClassifier
    return kind(
        hidden_layer_sizes=hidden,
        batch_size=batch_size,
        dtype=dtype,
        max_iter=EPOCHS,
        tol=0.0,
        n_iter_no_change=np.inf,
        random_state=0,
        **parameters,
    )


class Fit:
    """Three epochs, with all that a fit does once."""

    param_names = ("workload", "starts", "kernels", "dtype")
    params = (tuple(WORKLOADS), (1, 8), KERNELS, DTYPES)

    def setup(self, workload, n_init, kernels, dtype):
        """Data, and a fit that loads what is loaded once."""
        use(kernels)
        self.X, self.y = data(workload, dtype)
        self.time_fit(workload, n_init, kernels, dtype)

    def time_fit(self, workload, n_init, kernels, dtype):
        """A fit."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # told to stop early
            estimator(workload, dtype, n_init=n_init).fit(self.X, self.y)

    peakmem_fit = time_fit


class Predict:
    """Predictions of a fitted classifier."""

    param_names = ("rows", "kernels", "dtype")
    params = ((1, 1000, 100_000), KERNELS, DTYPES)

    def setup(self, rows, kernels, dtype):
        """A fitted network, and rows."""
        use(kernels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model = estimator("digits, 200", dtype).fit(*data("digits, 200", dtype))
        self.X = noise(rows, self.model.n_features_in_, dtype=dtype, seed=2)
        self.time_predict()

    def time_predict(self, *parameters):
        """Classes of all rows."""
        self.model.predict(self.X)

    peakmem_predict = time_predict
