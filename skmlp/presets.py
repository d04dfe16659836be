"""Parameters for tables where accuracy is worth more time than the defaults take.

Each preset is a dictionary of parameters: ``MLPRegressor(**TABULAR_REGRESSION)``. It is the recipe
of the defaults with all settings spelled out, 128 epochs of minibatches of 128 rows for tables of
any length, and the average of four networks, in float32. Single entries can be replaced, as in
``MLPRegressor(**TABULAR_REGRESSION | {"n_init": 8})``. Tables should have some hundred rows: a
tenth of them chooses the epoch.

The parametrization, the scale of the inputs, Adam's short memory and a rate that falls to 0 follow
Holzmueller, Grinsztajn and Steinwart (2024), arXiv 2407.04491; the figures were chosen on the
tables of benchmarks/README.md.

Examples
--------
>>> from skmlp import MLPClassifier, presets
>>> MLPClassifier(**presets.TABULAR_CLASSIFICATION).max_iter
128
"""

__all__ = ["TABULAR_CLASSIFICATION", "TABULAR_REGRESSION"]

_BOTH = {
    "hidden_layer_sizes": (128, 128, 128),
    "activation": "mish",
    "learning_rate": "cosine",
    "beta_2": 0.95,
    "batch_size": 128,
    "max_iter": 128,
    "early_stopping": True,
    "n_iter_no_change": float("inf"),
    "scoring": "loss",
    "parametrization": "ntk",
    "input_scale_layer": True,
    "n_init": 4,
    "combine_inits": "average",
    "dtype": "float32",
}

#: For `MLPRegressor`.
TABULAR_REGRESSION = {**_BOTH, "learning_rate_init": 0.1, "dropout": 0.0}

#: For `MLPClassifier`.
TABULAR_CLASSIFICATION = {
    **_BOTH,
    "learning_rate_init": 0.03,
    "dropout": 0.15,
    "temperature_scaling": False,
}
