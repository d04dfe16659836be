"""Parameters for tables where accuracy is worth more time than the defaults take.

Each preset is a dictionary of parameters, for example ``MLPRegressor(**TABULAR_REGRESSION)``, which
leaves the training to the recipe of the estimator and averages several networks. Single entries can
be replaced: ``MLPRegressor(**TABULAR_REGRESSION | {"n_init": 8})``.

Examples
--------
>>> from skmlp import MLPClassifier, presets
>>> MLPClassifier(**presets.TABULAR_CLASSIFICATION).n_init
4
"""

__all__ = ["TABULAR_CLASSIFICATION", "TABULAR_REGRESSION"]

_AVERAGE = {"n_init": 4, "combine_inits": "average", "dtype": "float32"}

#: For `MLPRegressor`: the average of four networks, in float32.
TABULAR_REGRESSION = {**_AVERAGE}

#: For `MLPClassifier`: the same.
TABULAR_CLASSIFICATION = {**_AVERAGE}
