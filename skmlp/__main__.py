"""The demonstration of the README: ``python -m skmlp`` prints a table of scores and times.

All data come with scikit-learn, nothing is downloaded. Both libraries run with their defaults on
the same fixed split, scikit-learn also behind a ``StandardScaler``, because skmlp scales by itself.
"""

import warnings
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from sklearn import neural_network
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPClassifier, MLPRegressor

SEED = 0


@dataclass(frozen=True)
class Task:
    """A data set and what is to be learned from it."""

    name: str
    X: np.ndarray
    y: np.ndarray
    is_classification: bool

    def split(self):
        """X_train, X_test, y_train, y_test: three quarters of the rows and one quarter."""
        classes = self.y if self.is_classification else None
        return train_test_split(self.X, self.y, random_state=SEED, stratify=classes)

    def score(self, y_true, y_pred):
        """Accuracy, or R2."""
        return (accuracy_score if self.is_classification else r2_score)(y_true, y_pred)

    def contestants(self):
        """The three unfitted estimators, in the order of the columns."""
        if self.is_classification:
            theirs, ours = neural_network.MLPClassifier, MLPClassifier
        else:
            theirs, ours = neural_network.MLPRegressor, MLPRegressor
        return (
            theirs(random_state=SEED),
            make_pipeline(StandardScaler(), theirs(random_state=SEED)),
            ours(random_state=SEED),
        )


def load_tasks():
    """Three classifications and two regressions."""
    classifications = [
        Task(name, *load(return_X_y=True), is_classification=True)
        for name, load in [
            ("breast cancer", load_breast_cancer),
            ("wine", load_wine),
            ("digits", load_digits),
        ]
    ]
    wine = load_wine().data  # alcohol and twelve other measurements of each wine
    return [
        *classifications,
        Task("diabetes", *load_diabetes(return_X_y=True, scaled=False), is_classification=False),
        Task("wine, alcohol", wine[:, 1:], wine[:, 0], is_classification=False),
    ]


def fit_and_score(estimator, task):
    """Return the score on the test rows and the seconds that ``fit`` took."""
    X_train, X_test, y_train, y_test = task.split()
    start = perf_counter()
    estimator.fit(X_train, y_train)
    seconds = perf_counter() - start
    return task.score(y_test, estimator.predict(X_test)), seconds


def table_row(task):
    """Fit the three estimators on one task and return its line of the table."""
    results = [fit_and_score(estimator, task) for estimator in task.contestants()]
    shape = f"{task.X.shape[0]} x {task.X.shape[1]}"
    measure = "accuracy" if task.is_classification else "R2"
    cells = "".join(f"{score:10.3f}{seconds:6.2f} s" for score, seconds in results)
    return f"{task.name:<20}{shape:>9}  {measure:<8}{cells}"


def main():
    """Print the table, a line as soon as it is known."""
    print("Multilayer perceptrons with default settings: score on held-out rows, seconds of fit\n")
    titles = "".join(f"{title:>18}" for title in ("scikit-learn", "with scaler", "skmlp"))
    print(f"{'data set':<20}{'X':>9}  {'score':<8}{titles}")
    with warnings.catch_warnings():
        # scikit-learn's defaults stop after 200 epochs, converged or not, and so do skmlp's with
        # fewer than 500 rows. The advice to train longer would only break up the table. Other
        # warnings are shown.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for task in load_tasks():
            print(table_row(task), flush=True)
    print(
        "\nWith scaler: scikit-learn's estimator behind a StandardScaler; skmlp scales by itself.\n"
        "Wine, alcohol: the alcohol content predicted from the twelve other measurements.\n"
        f"One split, random_state={SEED}: differences of a few test rows mean nothing."
    )


if __name__ == "__main__":
    main()
