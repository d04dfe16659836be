"""What is inside Pipelines, fitted searches and other estimators around one."""

from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

# Where estimators around another one keep it: searches, regressors of transformed targets,
# classifiers of tuned thresholds.
INNER = ("best_estimator_", "regressor_", "estimator_")


def innermost(estimator, wanted=None):
    """The last estimator inside others, or the first with a wanted method.

    Returns
    -------
    transformers : list
        Fitted, through which X goes before it comes to that estimator.
    estimator : object

    Raises
    ------
    NotFittedError
    """
    transformers = []
    while wanted is None or not hasattr(estimator, wanted):
        check_is_fitted(estimator)
        if isinstance(estimator, FrozenEstimator):  # has the attributes of what it holds
            estimator = estimator.estimator
        elif hasattr(estimator, "steps"):
            *before, estimator = (step for _, step in estimator.steps)
            transformers += [step for step in before if step not in (None, "passthrough")]
        else:
            held = [name for name in INNER if hasattr(estimator, name)]
            if not held:
                break
            estimator = getattr(estimator, held[0])
    check_is_fitted(estimator)
    return transformers, estimator


def lacks(caller, attribute, estimator, outermost, remedy):
    """The error for an estimator without what a display shows."""
    found = type(estimator).__name__
    where = "" if estimator is outermost else f", inside {type(outermost).__name__},"
    if hasattr(outermost, "cv_results_") and not hasattr(outermost, "best_estimator_"):
        remedy = f"With refit={outermost.refit!r} a search keeps no estimator; set refit=True."
    return TypeError(f"{caller} shows {attribute}, which {found}{where} does not have. {remedy}")


def through(transformers, X):
    """X as it comes out of transformers."""
    for transformer in transformers:
        X = transformer.transform(X)
    return X


def feature_names(estimator, transformers, n_features):
    """Names of the features that an estimator behind transformers sees; x0, x1, ... for none."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        names = _names_after(transformers)
    if names is None or len(names) != n_features:
        return [f"x{j}" for j in range(n_features)]
    return [str(name) for name in names]


def _names_after(transformers):
    names = None
    for transformer in transformers:
        try:
            names = transformer.get_feature_names_out(names)
        except (AttributeError, TypeError, ValueError):
            names = None
    return names
