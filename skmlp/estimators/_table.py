"""Tables as they come: every column of X read as numbers, or as the levels of a category."""

from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cached_property
from math import isinf
from numbers import Real

import numpy as np
from scipy.sparse import issparse

from .._sklearn_compat import _safe_indexing
from ._memo import kept

# Classes of dtypes of pandas and polars that say that a column is a category, and those of them
# that tell all its levels.
CATEGORY_DTYPES = ("CategoricalDtype", "Categorical", "Enum")
TELLING_DTYPES = ("CategoricalDtype", "Enum")

# How the names of dtypes of numbers and of dates begin; they tell what a column is that is all
# missing.
NUMBER_DTYPES = ("Int", "UInt", "Float", "Decimal")
DATE_DTYPES = ("Date", "Time", "Duration", "Period")

ABOUT_INFINITY = "Use NaN for what is unknown, or the largest sensible value."


def is_frame(X):
    """Whether X is a DataFrame, of whatever library."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def is_plain(X):
    """Whether X holds numbers only and in one piece, so that there is nothing to read."""
    if is_frame(X):
        # Sparse columns are for scikit-learn to convert.
        plain = (isinstance(d, np.dtype) or type(d).__name__ == "SparseDtype" for d in X.dtypes)
        return all(plain) and all(d.kind in "iuf" for d in X.dtypes)
    return issparse(X) or getattr(getattr(X, "dtype", None), "kind", "O") in "biufc"


def with_columns(X):
    """X as something with columns: lists become arrays, of objects where they hold texts."""
    if hasattr(X, "shape"):
        return X
    try:
        array = np.asarray(X)
    except ValueError:  # rows of different lengths, which scikit-learn refuses in words
        return X
    return np.array(X, dtype=object) if array.dtype.kind in "USO" else array


def is_sparse(X):
    """Whether X is a sparse matrix, or a DataFrame of which scikit-learn makes one."""
    if is_frame(X):
        return all(type(dtype).__name__ == "SparseDtype" for dtype in X.dtypes)
    return issparse(X)


def names_of(X):
    """Names of the columns of a DataFrame, else None."""
    return list(X.columns) if is_frame(X) else None


def label(j, names):
    """How errors call column j."""
    return f"column {j}" if names is None else f"column {names[j]!r}"


@dataclass(frozen=True)
class Column:
    """One column as it came: its different values, and which of them every row has.

    Parameters
    ----------
    label : str
    keys : list
        Different values that are not missing, as Python objects.
    codes : ndarray of int
        Positions in `keys`, -1 where a value is missing.
    numbers : ndarray or None
        The column itself if it is an array of numbers.
    dtype : str
        Name of the class of its dtype in a DataFrame.
    declared : list
        Levels that this dtype tells.
    """

    label: str
    keys: list
    codes: np.ndarray
    numbers: np.ndarray | None
    dtype: str
    declared: list

    @classmethod
    def of(cls, X, j, names):
        """Column j of a DataFrame or an array of objects."""
        column = X[:, j] if isinstance(X, np.ndarray) else _safe_indexing(X, j, axis=1)
        dtype = getattr(column, "dtype", None)
        kind, values = type(dtype).__name__, np.asarray(column)
        declared = list(dtype.categories) if kind in TELLING_DTYPES else []
        numeric = values.dtype.kind in "iuf" and kind not in (*CATEGORY_DTYPES, "Null")
        numbers = values if numeric else None
        name = label(j, names)
        if values.ndim != 1:
            raise _foreign(name, values[0], 0)
        if numbers is not None:
            return cls(name, [], np.empty(0, int), numbers, kind, declared)
        return cls(name, *_distinct(values, name), numbers, kind, declared)

    @cached_property
    def counted(self):
        """The same with the different values of an array of numbers."""
        if self.numbers is None:
            return self
        keys, codes = _distinct(self.numbers, self.label)
        return Column(self.label, keys, codes, self.numbers, self.dtype, self.declared)

    @cached_property
    def kind(self):
        """What the values are: "number", "bool", "text", "date" or "nothing" (all missing)."""
        if self.numbers is not None:
            return "number"
        kinds = {_kind_of(key) for key in self.keys}
        if kinds == {"number", "bool"}:
            return "number"
        if len(kinds) > 1:
            return "text" if kinds <= {"text", "number", "bool"} else "other"
        if kinds:
            return kinds.pop()
        if self.dtype.startswith(NUMBER_DTYPES):
            return "number"
        return "date" if self.dtype.startswith(DATE_DTYPES) else "nothing"

    @property
    def says_category(self):
        """Whether the type of the column says that it is a category.

        If there is nothing to say it by, it is one without levels, as which anything may follow.
        """
        return self.dtype in CATEGORY_DTYPES or self.kind in ("bool", "text", "nothing")

    def as_numbers(self):
        """The column as floats, NaN where missing."""
        if self.numbers is not None:
            return self.numbers
        return np.array([*map(float, self.keys), np.nan])[self.codes]

    def levels(self, declared=()):
        """The different values and `declared` levels in order, as plain Python values."""
        found = dict.fromkeys([*map(_level_of, self.counted.keys), *declared])
        return sorted(found, key=lambda level: (isinstance(level, str), level))

    def as_codes(self, code_of):
        """Positions of the values among levels, NaN where missing, -1 for other values."""
        own = self.counted
        infinite = [k for k, key in enumerate(own.keys) if _is_infinite(key)]
        if infinite:
            row = int(np.argmax(np.isin(own.codes, infinite)))
            raise ValueError(
                f"Input X contains infinity in {self.label}, first in row {row}. {ABOUT_INFINITY}"
            )
        codes = [float(code_of.get(_level_of(key), -1)) for key in own.keys]
        return np.array([*codes, np.nan])[own.codes]


def _distinct(values, name):
    """Different values of an array that are not missing, and their positions, -1 for missing."""
    if values.dtype.kind in "mM":
        values = values.astype("datetime64[us]" if values.dtype.kind == "M" else "timedelta64[us]")
        values = values.astype(object)
    if values.dtype.kind in "biuf":
        keys, codes = np.unique(values, return_inverse=True)
        keys = keys.tolist()
    else:
        keys, codes = _appearing(values.tolist(), name)
    missing = np.array([is_missing(key) for key in keys], bool)
    if not missing.any():
        return keys, codes
    place = np.where(missing, -1, np.cumsum(~missing) - 1)
    return [key for key, gone in zip(keys, missing, strict=True) if not gone], place[codes]


def _appearing(values, name):
    """Different values in order of appearance, and the position of every one."""
    seen = {}
    try:
        codes = [seen.setdefault(value, len(seen)) for value in values]
    except TypeError:
        row = next(i for i, value in enumerate(values) if not _is_hashable(value))
        raise _foreign(name, values[row], row) from None
    return list(seen), np.array(codes, int)


def _is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _foreign(name, value, row):
    """The error for a value that is nothing a column can hold."""
    return TypeError(
        f"X has a value of type {type(value).__name__} in {name}, row {row}. In a column with more "
        "than numbers every argument must be a string, a bool, a number or missing; convert the "
        "column, or leave it out."
    )


def is_missing(value):
    """Whether a Python object stands for a missing value."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating | Decimal) and value != value


def _is_infinite(key):
    return isinstance(key, float | np.floating) and isinf(key)


def _kind_of(key):
    if isinstance(key, bool | np.bool_):
        return "bool"
    if isinstance(key, Real | Decimal):
        return "number"
    if isinstance(key, str):
        return "text"
    dates = isinstance(key, date | time | timedelta | np.datetime64 | np.timedelta64)
    return "date" if dates or type(key).__name__ == "Period" else "other"


def _level_of(key):
    """A str, bool, int or float that stands for a value."""
    if isinstance(key, np.generic):
        key = key.item()
    return key if isinstance(key, str | bool | int | float) else str(key)


@dataclass(frozen=True)
class Table:
    """What became of every column of X, so that rows to come can be read alike.

    Parameters
    ----------
    levels : list
        For every column None, if it holds numbers, or the levels of a category.
    skip : sequence of int
        Columns that are not read; zeros stand for them.
    declared : list
        For every column the levels that have a place whether rows have them or not.
    texts : dict of int to str
        Categories that only their texts say to be such, with what to call them.
    """

    levels: list
    skip: list | tuple = ()
    declared: list | tuple = ()
    texts: dict = field(default_factory=dict)

    @classmethod
    def of(cls, X, chosen, remedy, *, first_chunk=False, numbers=None, skip=()):
        """What the columns of X are.

        Parameters
        ----------
        X : DataFrame or array of objects
        chosen : ndarray of bool or None
            Which columns are categories; None if their types shall say.
        remedy : str
            What an error says about texts in a column that is no category.
        first_chunk : bool
            Whether more rows are to come, where levels may be that a dtype tells.
        numbers : dict of int to str
            Columns that cannot be categories, with a remedy of their own.
        skip : sequence of int
            Columns that are not read.
        """
        levels, declared, texts, names, numbers = [], [], {}, names_of(X), numbers or {}
        for j in range(X.shape[1]):
            declared.append([])
            if j in skip:
                levels.append(None)
                continue
            column = Column.of(X, j, names)
            if chosen is None:
                is_category = column.says_category and j not in numbers
                if is_category and column.dtype not in CATEGORY_DTYPES:
                    texts[j] = column.label
            else:
                is_category = chosen[j]
            if not is_category:
                _check_numbers(column, numbers.get(j, remedy))
            elif first_chunk:
                declared[j] = [_level_of(level) for level in column.declared]
            levels.append(column.levels(declared[j]) if is_category else None)
        return cls(levels, skip, declared, texts)

    @property
    def coded(self):
        """Whether there are categories, so that not even an array of numbers is as it seems."""
        return any(own is not None for own in self.levels)

    def read(self, X):
        """X as one matrix: numbers, or codes of levels (-1 for others); NaN where missing.

        In float32 only if all numbers are.
        """
        names, columns, single = names_of(X), [], []
        for j, (own, code_of) in enumerate(zip(self.levels, self._codes, strict=True)):
            if j in self.skip:
                columns.append(0.0)
                continue
            column = Column.of(X, j, names)
            if own is None:
                _check_numbers(column, "where fit had numbers. Give the columns as in fit.")
                columns.append(column.as_numbers())
                single.append(columns[-1].dtype == np.float32)
            else:
                columns.append(column.as_codes(code_of))
                _check_not_all_strange(column, columns[-1], own)
        out = np.empty(X.shape, np.float32 if single and all(single) else np.float64, order="C")
        for j, column in enumerate(columns):
            out[:, j] = column
        return out

    @property
    def _codes(self):
        return [
            None if own is None else {level: code for code, level in enumerate(own)}
            for own in self.levels
        ]

    def state(self):
        """The table in plain values."""
        return {"levels": self.levels, "skip": self.skip}

    @staticmethod
    def restore(state):
        """Inverse of `state`."""
        return _restored(state)


@dataclass(frozen=True)
class _Restored(Table):
    """A table that is used again and again."""

    def __post_init__(self):
        object.__setattr__(self, "_held", super()._codes)

    @property
    def _codes(self):
        return self._held


# Nobody changes a table, nor its state.
_restored = kept(lambda state: _Restored(state["levels"], state["skip"]))


def _check_numbers(column, remedy):
    """Refuse a column that is no category and holds something else than numbers."""
    kind = column.kind
    if kind in ("number", "bool", "nothing"):
        return
    if kind == "date":
        example = f", for example {str(column.keys[0])!r}" if column.keys else ""
        raise ValueError(
            f"X has dates or times in {column.label}{example}, which are neither numbers nor "
            "categories. Convert them to numbers, such as days since a date, or the month and the "
            "weekday, or leave the column out."
        )
    if kind == "other":
        strange = next(i for i, key in enumerate(column.keys) if _kind_of(key) == "other")
        row = int(np.argmax(column.codes == strange))
        raise _foreign(column.label, column.keys[strange], row)
    text = next(key for key in column.keys if isinstance(key, str))
    raise ValueError(f"X has strings such as {text!r} in {column.label}, {remedy}")


def check_no_identifier(codes, levels, label, few):
    """Refuse more than `few` texts that are all different: nothing they tell holds for other rows.

    `codes` are those of the rows that count, NaN where there is none.
    """
    codes = codes[~np.isnan(codes)]
    if not few < len(np.unique(codes)) == len(codes):
        return
    raise ValueError(
        f"All {len(codes)} strings in {label} of X are different, for example "
        f"{levels[int(codes[0])]!r}, so that it seems to be an identifier, or numbers or dates "
        "stored as text. Leave it out, or convert it; if it is a category, list it in "
        "categorical_features, or give it a category dtype."
    )


def _check_not_all_strange(column, codes, levels):
    """Refuse a category without a single known level if even the types differ."""
    known = {_kind_of(level) for level in levels}
    if not levels or not (codes == -1).any() or (codes >= 0).any():
        return
    found = {_kind_of(_level_of(key)) for key in column.counted.keys}
    if "text" in known ^ found and not known & found:
        example = _level_of(column.counted.keys[0])
        raise ValueError(
            f"No value in {column.label} of X is a level that fit has seen: there is {example!r} "
            f"of type {type(example).__name__}, but fit had {levels[0]!r} of type "
            f"{type(levels[0]).__name__}. Give the column as in fit."
        )


def first_text(X):
    """How errors call the first column of X that does not hold numbers, or None."""
    X = with_columns(X)
    if is_plain(X) or len(getattr(X, "shape", ())) != 2:
        return None
    names = names_of(X)
    for j in range(X.shape[1]):
        column = Column.of(X, j, names)
        if column.kind not in ("number", "bool", "nothing"):
            return column.label
    return None


def chosen_columns(asked, X):
    """Mask of the columns of X that the parameter `categorical_features` names.

    None stands for "from_dtype".

    Raises
    ------
    ValueError
        For a name, position or mask that X does not have.
    """
    n, names = X.shape[1], names_of(X)
    if isinstance(asked, str) and asked == "from_dtype":
        return None
    mask = np.zeros(n, bool)
    entries = np.array([]) if asked is None else np.atleast_1d(np.asarray(asked)).ravel()
    listed = entries.tolist()
    if not listed:
        return mask
    if entries.dtype.kind == "b":
        if len(listed) != n:
            raise ValueError(
                f"categorical_features is a mask of {len(listed)} entries, but X has {n} columns. "
                "Give one entry per column."
            )
        return entries
    for entry in listed:
        mask[_position(entry, asked, n, names)] = True
    return mask


def _position(entry, asked, n, names):
    if isinstance(entry, str):
        if names is None:
            raise ValueError(
                f"categorical_features={asked!r} has names of columns, but X has none. Give "
                "positions or a mask, or X as a DataFrame."
            )
        if entry not in names:
            raise ValueError(
                f"categorical_features={asked!r} names a column {entry!r} that X does not have; "
                f"its columns are {names[:10]}{'...' if len(names) > 10 else ''}."
            )
        if names.count(entry) > 1:
            raise ValueError(
                f"categorical_features={asked!r} names {entry!r}, but X has {names.count(entry)} "
                "columns of that name. Rename them, or give positions."
            )
        return names.index(entry)
    if not isinstance(entry, int) or not 0 <= entry < n:
        raise ValueError(
            f"categorical_features={asked!r} has the entry {entry!r}, but X has {n} columns: give "
            f"positions from 0 to {n - 1}, names of a DataFrame or a mask."
        )
    return entry
