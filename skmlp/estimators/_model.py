"""A fitted network: what it holds, what it computes, how it is stored."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._engine.network import evaluate
from .._sklearn_compat import LinkedToDocs
from .._version import __version__
from ._design import Design
from ._effective import effective_parameters
from ._recipe import network_of
from ._table import label
from ._validation import checked_rows
from ._vocabulary import describe, restore


class NetworkModel(LinkedToDocs, BaseEstimator):
    """The side of an estimator that needs no data to learn from."""

    # How what `_model` says becomes a network.
    _network_of = staticmethod(network_of)

    @property
    def coefs_(self):
        """Effective weight matrices on raw X, read-only; see `intercepts_`, errors included."""
        return self._effective("coefs_")[0]

    @property
    def intercepts_(self):
        """Effective bias vectors, read-only.

        With `coefs_`, the hidden activations and `out_activation_` they give `predict` in y's
        units: scaling of X and y and the like are folded in.

        Raises
        ------
        AttributeError
            Before `fit`, and where no matrix could do it: averaged starts, categories (but
            bools), embeddings of numbers, missing values in the training rows, columns with robust
            scaling, an output activation behind which X is scaled, parameters that depend on a
            task or context.
        """
        return self._effective("intercepts_")[1]

    @property
    def estimators_(self):
        """The restarts as estimators of their own; exists with ``combine_inits="average"``.

        Raises
        ------
        AttributeError
            Before `fit`, and with a single network.
        """
        if getattr(self, "theta_", np.empty(0)).ndim < 2:
            raise AttributeError(
                f"estimators_ exists after fit with combine_inits='average' and n_init > 1; here "
                f"combine_inits={self.combine_inits!r} and n_init={self.n_init!r}."
            )
        members = []
        for i, theta in enumerate(self.theta_):
            only = slice(i, i + 1)
            training = {**self._training, "moments": [m[only] for m in self._training["moments"]]}
            for key in ("steps", "rate_factor", "stale", "best_loss"):
                training[key] = training[key][only]
            own = {"theta_": theta, "_training": training, "n_init": 1}
            if self.best_iteration_ is not None:
                own["best_iteration_"] = self.best_iteration_[i]
            members.append(self._copy_with(own))
        return members

    def _averages(self):
        return self.combine_inits == "average" and self.n_init > 1

    def _shaped(self, theta):
        """theta_ of the members: a vector, or rows for an average."""
        return theta if self._averages() else theta[0]

    def _copy_with(self, attributes):
        """A fitted copy that shares everything but some attributes."""
        other = object.__new__(type(self))
        other.__dict__.update({**self.__dict__, **attributes})
        return other

    def _for_scoring(self, theta):
        """A fitted copy with other weights, and without names of columns.

        The names would make it warn when it is given the checked array.
        """
        other = self._copy_with({"theta_": np.array(theta)})
        other.__dict__.pop("feature_names_in_", None)
        return other

    def _rows_of(self, X):
        """Checked X as rows for the engine."""
        return Design.restore(self._design).rows(checked_rows(self, X), self.theta_.dtype)

    def _outputs(self, X, stop=None):
        """Outputs of the network or of its first layers, (members, n_samples, width)."""
        if "theta_" not in vars(self):
            check_is_fitted(self)  # slower than a small network
        rows, theta = self._rows_of(X), np.atleast_2d(self.theta_)
        return evaluate(self._network_of(self._model), theta, rows, stop=stop)

    def _raw(self, X):
        """Raw outputs of shape (n_samples, n_outputs), those of the mean prediction of members."""
        raw = self._outputs(X)
        return raw[0] if self.theta_.ndim == 1 else restore(self._loss).average(raw)

    def _effective(self, name):
        check_is_fitted(self)
        self._check_one_affine_network(name)
        design = Design.restore(self._design)
        network = self._network_of(self._model)
        return effective_parameters(
            network,
            self.theta_[np.newaxis],
            self._affine_features(design),
            design.target,
            restore(self._loss),
        )

    def _affine_features(self, design):
        """The scaling of the columns that the first layer acts on."""
        return design.features

    def _check_one_affine_network(self, name):
        """Refuse what does not exist for several networks, or behind a clip."""
        if self.theta_.ndim == 2:
            raise AttributeError(
                f"{name} does not exist with combine_inits='average': the model is several "
                "networks. Use those of estimators_, or combine_inits='best'."
            )
        design = Design.restore(self._design)
        bent = self._bent_columns(design)
        if len(bent):
            names = getattr(self, "feature_names_in_", None)
            called = ", ".join([*(label(j, names) for j in bent[:5]), *["..."] * (len(bent) > 5)])
            raise AttributeError(
                f"{name} does not exist with feature_scaling={design.feature_kind!r} and its "
                f"smooth clip of {called}, which cannot be folded into a weight matrix. Use "
                "feature_scaling='standard'."
            )

    def _bent_columns(self, design):
        """Columns of X that the first layer sees through a smooth clip."""
        return design.bent

    def __getstate__(self):
        state = dict(super().__getstate__())
        # The moments are twice the size of the parameters and serve further training only.
        training = state.get("_training")
        if training and not (training["incremental"] or self.warm_start):
            steps = np.zeros_like(training["steps"])
            state["_training"] = {**training, "moments": [], "steps": steps}
        return {**state, "_skmlp_version": __version__}

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop("_skmlp_version", "unknown")
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was stored by skmlp {version} and is loaded by skmlp "
                f"{__version__}: it may behave differently or not at all. Fit it again to be sure.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)


def fitted_model(theta, model, design, loss):
    """The fitted attributes that predictions need."""
    return {
        "theta_": theta,
        "_model": model,
        "_design": design.state(),
        "_loss": describe(loss),
        "n_layers_": len(model["sizes"]),
        "n_outputs_": model["sizes"][-1],
        "out_activation_": loss.link,
    }
