"""The parameters for tables: categories, their embeddings, and missing values."""

from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array, check_X_y

from .._sklearn_compat import Interval, StrOptions, validate_data
from ._design import Design
from ._expansion import Expansion, check_dense
from ._table import Table, check_no_identifier, chosen_columns, is_missing, is_plain, with_columns
from ._unseen import columns_of_zeros, silence_columns, silence_levels
from ._validation import (
    check_dimensions,
    check_finite,
    check_numbers,
    is_beyond_doubt,
)

TABLE_CONSTRAINTS = {
    "categorical_features": ["array-like", str, None],
    "max_one_hot": [Interval(Integral, 0, None, closed="left")],
    "category_embedding_size": [Interval(Integral, 1, None, closed="left")],
    "missing": [StrOptions({"indicator", "error"})],
}

OTHER_FIT = "Create a new estimator, or call fit with warm_start=False."


class TakesTables:
    """Adds categories and missing values to an estimator over one network; before `BaseMLP`.

    Inside, X is one matrix of numbers with the columns of the caller's X, in which codes stand for
    levels and NaN for what is missing; `Expansion` makes of it what the network sees.
    """

    # Whether a first call of partial_fit is under way, and the levels that its dtypes tell.
    _first_chunk, _declared = False, None

    # The side that needs no data to learn from

    def _rows_of(self, X):
        design = Design.restore(self._design)
        coded = self._table["levels"] is not None
        whole = not coded and is_beyond_doubt(self, X)
        rows = X if whole else self._read(X)
        return design.rows(rows, self.theta_.dtype, whole=whole)

    def _read(self, X):
        """Checked X as one matrix."""
        X, table = with_columns(X), self._table
        check_dimensions(X)
        if _has_columns(X) and (table["levels"] is not None or not is_plain(X)):
            validate_data(self, X, skip_check_array=True, reset=False)
            X = self._coded(X)
            check_array(X, ensure_all_finite=False, estimator=self)
        else:
            X = validate_data(
                self,
                X,
                accept_sparse=self._accept_sparse,
                dtype="numeric",
                reset=False,
                ensure_all_finite=False,
            )
        return self._checked(X)

    def _coded(self, X):
        check_dense(X)
        levels = self._table["levels"]
        if levels is None:
            return Table([None] * X.shape[1], self._table["skip"]).read(X)
        return Table.restore(self._table).read(X)

    def _checked(self, X):
        """X of numbers without what cannot be used."""
        X, allowed = check_numbers(X), False
        if self.encoder is not None:
            advice = "An encoder takes no missing values: fill them first, by SimpleImputer."
        elif issparse(X):
            advice = "What is missing in a sparse X cannot be filled in here; fill it first."
        elif self.missing == "error":
            advice = (
                "missing='error' refuses them: use missing='indicator', drop such rows or columns, "
                "or fill them first, for example by SimpleImputer."
            )
        elif not self._table["fills"]:
            advice = "No training rows are known whose means could stand for them; fill them first."
        else:
            allowed, advice = True, ""
        check_finite(X, getattr(self, "feature_names_in_", None), allowed, advice)
        return X

    def _for_scoring(self, theta):
        # Scorers get rows that have been read.
        other = super()._for_scoring(theta)
        other._table = {**self._table, "levels": None}
        return other

    def _attributes_now(self, state):
        return {**super()._attributes_now(state), "_table": {**self._table, "levels": None}}

    def _effective(self, name):
        coefs, intercepts = super()._effective(name)
        expansion = Design.restore(self._design).expansion
        if expansion is not None:
            coefs[0] = coefs[0][np.argsort(expansion.origin)]
            coefs[0].flags.writeable = False
        return coefs, intercepts

    def _affine_features(self, design):
        categories = () if design.expansion is None else design.expansion.categories
        return design.affine([self._ends(category) for category in categories])

    def _ends(self, category):
        """The numbers that -1 and +1 stand for, equal for a constant; None if there are none."""
        levels = self._levels_of(category).tolist()
        if category.missing or len(levels) not in (1, 2):
            return None
        numbers = not any(isinstance(level, str) for level in levels)
        return (float(levels[0]), float(levels[-1])) if numbers else None

    def _check_one_affine_network(self, name):
        super()._check_one_affine_network(name)
        expansion = Design.restore(self._design).expansion
        if expansion is None or expansion.plain:
            return
        if any(self._ends(category) is None for category in expansion.categories):
            raise AttributeError(
                f"{name} does not exist with categories (categorical_features="
                f"{self.categorical_features!r} found columns {self._table['categorical'][:5]}) "
                "other than bools or two numbers, without gaps: weights cannot act on levels. "
                "Encode them first, for example by OneHotEncoder."
            )
        if not expansion.gaps.any():
            return
        columns = expansion.numeric[expansion.gaps].tolist()
        raise AttributeError(
            f"{name} does not exist with missing={self.missing!r} and gaps in the training rows "
            f"(columns {columns[:5]}), which have columns of their own. Fill them first, for "
            "example by SimpleImputer."
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        takes_all = self.encoder is None
        tags.input_tags.allow_nan = takes_all and self.missing == "indicator"
        tags.input_tags.categorical = takes_all
        if not _by_dtype(self.categorical_features):
            tags.input_tags.sparse = False
        return tags

    # The template of fit

    def _fit_steps(self, X, y, sample_weight, validation, incremental, classes, context):
        self._first_chunk = incremental and not hasattr(self, "theta_")
        super()._fit_steps(X, y, sample_weight, validation, incremental, classes, context)
        self.__dict__.pop("_first_chunk")
        self.__dict__.pop("_declared", None)
        return self

    def _check_data(self, X, y, reset):
        X = with_columns(X)
        check_dimensions(X)
        check_target_is_there(y)
        if reset:
            self._table = self._empty_table()
        else:
            self._check_same_parameters()
        if not _has_columns(X) or is_plain(X):
            given = X
            X, y = self._checked_numbers(X, y, reset)
            if reset:
                self._table.update(categorical=self._chosen(X, given), fills=not issparse(X))
            elif self._table["levels"] is not None:
                X = self._coded(X)
        else:
            validate_data(self, X, y, skip_check_array=True, reset=reset)
            if reset:
                self._table.update(self._found(X))
            X, y = check_X_y(
                self._coded(X),
                y,
                multi_output=True,
                y_numeric=self._y_numeric,
                ensure_all_finite=False,
                estimator=self,
            )
        return self._checked(X), y

    def _checked_numbers(self, X, y, reset):
        """X of numbers and y as scikit-learn checks them."""
        return validate_data(
            self,
            X,
            y,
            accept_sparse=self._accept_sparse,
            dtype="numeric",
            multi_output=True,
            y_numeric=self._y_numeric,
            reset=reset,
            ensure_all_finite=False,
        )

    def _empty_table(self):
        """What is remembered of tables, before there is anything to remember."""
        asked = self.categorical_features
        if not (asked is None or isinstance(asked, str)):
            asked = np.asarray(asked).tolist()
        return {
            "levels": None,
            "categorical": [],
            "fills": False,
            "skip": list(self._skipped()),
            "asked": asked,
            "max_one_hot": self.max_one_hot,
        }

    def _check_same_parameters(self):
        """Refuse to go on with other categories."""
        now = self._empty_table()
        for name, key in (("categorical_features", "asked"), ("max_one_hot", "max_one_hot")):
            if now[key] != self._table[key]:
                raise ValueError(
                    f"{name}={now[key]!r} differs from that of the first call, "
                    f"{self._table[key]!r}. {OTHER_FIT}"
                )

    def _chosen(self, X, given):
        """Positions of the categories of a plain X."""
        chosen = self._chosen_mask(given)
        positions = [] if chosen is None else np.flatnonzero(chosen).tolist()
        if positions and issparse(X):
            raise TypeError(
                f"categorical_features={self.categorical_features!r} cannot act on a sparse X, "
                "whose categories are encoded already. Leave it at 'from_dtype', or give "
                "X.toarray()."
            )
        return positions

    def _chosen_mask(self, X):
        """Which columns of X are asked for as categories; None for those whose types say so."""
        return chosen_columns(self._asked(), X)

    def _asked(self):
        """The parameter `categorical_features`; None with an encoder, which takes numbers only."""
        asked = self.categorical_features
        if self.encoder is None:
            return asked
        if not _by_dtype(asked):
            raise ValueError(
                f"categorical_features={asked!r} cannot act with an encoder, which takes numbers "
                "only. Leave it at 'from_dtype' and encode the columns before, or leave encoder "
                "at None."
            )
        return None

    def _found(self, X):
        """What the columns of a table are."""
        asked = self._asked()
        if self.encoder is not None:
            remedy = (
                "which an encoder cannot take. Encode it first, for example by OneHotEncoder in a "
                "ColumnTransformer, or leave encoder at None."
            )
        elif asked is None:
            remedy = "which are no numbers. Set categorical_features='from_dtype', or encode it."
        else:
            remedy = (
                "but categorical_features does not list it. Add it there, use "
                "categorical_features='from_dtype', or encode it first."
            )
        chosen, numbers = self._chosen_mask(X), self._numbers_only()
        known = {"first_chunk": self._first_chunk, "skip": self._table["skip"]}
        table = Table.of(X, chosen, remedy, numbers=numbers, **known)
        if self._first_chunk:
            self._declared = table.declared
        else:
            self._texts = table.texts
        positions = [j for j, own in enumerate(table.levels) if own is not None]
        levels = table.levels if positions else None
        return {"levels": levels, "categorical": positions, "fills": True}

    def _skipped(self):
        """Positions of columns that are neither numbers nor categories."""
        return ()

    def _numbers_only(self):
        """Positions of columns that cannot be categories, each with a remedy."""
        return {}

    def _few_levels(self):
        """More texts than these that are all different are no category."""
        return self.max_one_hot

    def _sample(self, X, y, sample_weight, going_on=None, classes=None, like=None):
        sample = super()._sample(X, y, sample_weight, going_on, classes, like)
        # There are none in a first chunk, whose texts later ones may repeat.
        for j, label in self.__dict__.pop("_texts", {}).items():
            codes, levels = sample.X[sample.positions(), j], self._table["levels"][j]
            check_no_identifier(codes, levels, label, self._few_levels())
        if going_on is None and self._table["levels"] is not None and sample.index is not None:
            self._forget_other_levels(sample)
        return sample

    def _forget_other_levels(self, sample):
        """Rows that take no part shall not even tell the names of levels."""
        levels = list(self._table["levels"])
        for j in self._table["categorical"]:
            codes, declared = sample.X[:, j], set(self._declared[j] if self._first_chunk else ())
            present = set(np.unique(codes[sample.index]).tolist())
            kept = [k for k, level in enumerate(levels[j]) if k in present or level in declared]
            place = np.full(len(levels[j]) + 1, -1.0)
            place[kept] = np.arange(len(kept))
            levels[j] = [levels[j][k] for k in kept]
            there = ~np.isnan(codes)
            codes[there] = place[codes[there].astype(int)]
        # A new one: what has been made of the old one is remembered.
        self._table = {**self._table, "levels": levels}

    def _before_network(self, sample, seeds, resumed):
        super()._before_network(sample, seeds, resumed)
        if resumed:
            self._expanding = Design.restore(self._design).expansion
            return
        self._expanding = expansion = self._expansion_of(sample)
        self.is_categorical_, self.categories_ = None, []
        if expansion is not None and expansion.categories:
            self.is_categorical_ = np.zeros(sample.X.shape[1], bool)
            self.is_categorical_[self._table["categorical"]] = True
            known = sorted(expansion.categories, key=lambda category: category.column)
            self.categories_ = [self._levels_of(category) for category in known]

    def _expansion_of(self, sample):
        """What the training rows call for, None for rows that are only scaled."""
        if issparse(sample.X) or self.encoder is not None:
            return None
        categorical = np.zeros(sample.X.shape[1], bool)
        categorical[self._table["categorical"]] = True
        announced = {}
        if self._first_chunk and self._table["levels"] is not None:
            announced = {j: len(self._table["levels"][j]) for j in self._table["categorical"]}
        return Expansion.of(sample.X, sample.index, categorical, self.max_one_hot, announced)

    def _levels_of(self, category):
        """The levels of a category in the caller's terms."""
        levels = self._table["levels"]
        if levels is None:
            return category.values
        own = levels[category.column]
        known = np.empty(len(category.values), object)
        known[:] = [own[int(code)] for code in category.values]
        return known

    def _described(self, recipe, sample, n_raw):
        expansion = self._expanding
        if expansion is None:
            return super()._described(recipe, sample, n_raw)
        shapes = [
            (category.n_vectors, min(category.n_vectors, self.category_embedding_size))
            for category in expansion.embedded
        ]
        return recipe.model(expansion.width, n_raw, shapes)

    def _fit_design(self, loss, model, rows):
        return Design.fit(*self._scalings(loss), *rows, expansion=self._expanding)

    def _initialize(self, theta, network, loss, data, n_targets, rngs):
        super()._initialize(theta, network, loss, data, n_targets, rngs)
        self._silence(theta, network, data)

    def _silence(self, theta, network, data):
        """Constant numbers and levels that a dtype has announced are nothing until they come."""
        expansion, rows, index = self._expanding, data.rows, data.index
        if expansion is None:
            width = n_numbers = rows.X.shape[1]
        else:
            width, n_numbers = expansion.codes.start, len(expansion.numeric)
        zeros = columns_of_zeros(rows, index, width)
        if self._first_chunk and np.count_nonzero(zeros < n_numbers) == n_numbers:
            # One row says nothing of its columns, and units without any weights may never learn.
            zeros = zeros[zeros >= n_numbers]
        silence_columns(theta, network, zeros)
        if self._first_chunk and self._table["levels"] is not None:
            codes = rows.X[:, expansion.codes]
            silence_levels(theta, network, codes if index is None else codes[index])

    def _posed(self, recipe, sample, seeds, resumed, incremental=False):
        posed = super()._posed(recipe, sample, seeds, resumed, incremental)
        self.__dict__.pop("_expanding")
        return posed


def _by_dtype(asked):
    """Whether the parameter `categorical_features` lists no columns."""
    return asked is None or (isinstance(asked, str) and asked == "from_dtype")


def _has_columns(X):
    """Whether X is a table of at least one row and one column."""
    shape = getattr(X, "shape", ())
    return len(shape) == 2 and 0 not in shape


def check_target_is_there(y):
    """Refuse missing and infinite values of y, with their rows."""
    if y is None or issparse(y):
        return
    values = np.asarray(y)
    if values.dtype.kind == "f":
        found = {"NaN (or None)": np.isnan(values), "infinity": np.isinf(values)}
    elif values.dtype.kind == "O":
        missing = np.array([is_missing(value) for value in values.ravel().tolist()], bool)
        found = {"NaN (or None)": missing.reshape(values.shape)}
    else:
        return
    for what, wrong in found.items():
        if not wrong.any():
            continue
        rows = np.flatnonzero(wrong.reshape(len(values), -1).any(axis=1)).tolist()
        shown = f"{rows[:5]}"[:-1] + (", ...]" if len(rows) > 5 else "]")
        raise ValueError(
            f"Input y contains {what} in {len(rows)} of {len(values)} rows, at the positions "
            f"{shown}. What is to be learned must be known: drop these rows of X and y."
        )
