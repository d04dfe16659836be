"""Networks of step functions with weights that are written down, not learned.

What a network can express depends on its number of layers. With the activation "step", a unit is
active in a closed half-space: one layer separates half-spaces, two cut out convex polygons (and
make every step function of one variable), three make unions and weighted sums of polygons, which
come as close as wanted to any continuous function.

Every function returns a fitted estimator. It predicts and has `coefs_` and `intercepts_`; step
units have no gradient, so that it cannot be trained further.
"""

from numbers import Real

import numpy as np

from .estimators import MLPClassifier, MLPRegressor

__all__ = [
    "convex_polygon",
    "half_space",
    "logic_gate",
    "polygon_sum",
    "polygon_union",
    "step_function",
]

# Rounding errors of an edge, of its corners and of a point on it add up to less than this many
# times |normal| . |corner|: 1 machine epsilon for the products and sums on each side, 1 for corners
# and point, 1 for the normal; doubled.
SLACK = 8.0 * np.finfo(np.float64).eps


def half_space(weights, threshold):
    """One layer: 1 where w'x <= threshold, else 0.

    The points with w'x = threshold, as computed in float64, belong to it.

    Parameters
    ----------
    weights : array-like of shape (n_features,)
        w, not all zero.
    threshold : float
        In the units of w'x.

    Returns
    -------
    classifier : MLPClassifier
        With ``hidden_layer_sizes=()``, for the classes 0 and 1.

    Raises
    ------
    ValueError
        For weights that are no vector, all zero or not finite, or a threshold that is not finite.

    Notes
    -----
    A classifier of two classes puts out a number g and predicts 1 where g > 0. Here g = b - w'x,
    and b is the float64 number that follows `threshold`, so that g > 0 just where threshold - w'x
    >= 0, the half-space's boundary included.

    References
    ----------
    McCulloch and Pitts (1943), A logical calculus of the ideas immanent in nervous activity,
    Bulletin of Mathematical Biophysics 5. Rosenblatt (1958), The perceptron, Psychological Review
    65.

    Examples
    --------
    >>> from skmlp.constructions import half_space
    >>> below = half_space([1.0, 1.0], 2.0)
    >>> below.predict([[0.0, 0.0], [1.0, 1.0], [3.0, 0.0]])
    array([1, 1, 0])
    """
    w = _numbers("weights", weights)
    if w.ndim != 1 or not w.any():
        raise ValueError(
            f"weights must be a vector with an entry other than 0, got {weights!r}. It is the "
            "direction in which the half-space ends."
        )
    bias = np.nextafter(_number("threshold", threshold), np.inf)
    return _classifier([-w[:, np.newaxis]], [np.array([bias])])


def logic_gate(kind):
    """A logical function of 0 and 1: one layer for "and", "or" and "not", two for "xor".

    AND is I[x1 + x2 >= 2], OR is I[x1 + x2 >= 1], NOT is I[x <= 0]. No single half-space holds
    (0, 1) and (1, 0) but neither (0, 0) nor (1, 1): for a linear function g, g(0, 1) + g(1, 0) =
    g(0, 0) + g(1, 1), which would have to be positive and not positive. XOR is therefore made of
    two, "or" and not "and".

    Parameters
    ----------
    kind : {"and", "or", "xor", "not"}
        Which logical function.

    Returns
    -------
    classifier : MLPClassifier
        Of two features, "not" of one.

    Raises
    ------
    ValueError
        For another `kind`.

    References
    ----------
    Minsky and Papert (1969), Perceptrons, MIT Press.

    Examples
    --------
    >>> from skmlp.constructions import logic_gate
    >>> table = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> logic_gate("xor").predict(table)
    array([0, 1, 1, 0])
    """
    if kind == "xor":
        both = [[1.0, 1.0], [1.0, 1.0]]
        return _classifier([both, [[1.0], [-1.0]]], [[-1.0, -2.0], [-0.5]])
    if kind not in GATES:
        raise ValueError(f"kind={kind!r} is not known. Use 'and', 'or', 'xor' or 'not'.")
    return half_space(*GATES[kind])


def step_function(edges, values):
    """Two layers: the function of one variable that is values[i] in (edges[i], edges[i + 1]].

    It is 0 elsewhere. Each edge b has a unit I[x <= b]; the output adds up the jumps.

    Parameters
    ----------
    edges : array-like of shape (n + 1,)
        Increasing; the first may be -inf and the last inf.
    values : array-like of shape (n,) or (n, n_outputs)
        Value of each interval between edges; for several outputs a row of them.

    Returns
    -------
    regressor : MLPRegressor
        Of one feature, with one hidden layer of a unit for each finite edge.

    Raises
    ------
    ValueError
        For edges that do not increase or are all infinite, for values that are not finite, or when
        numbers of both do not fit.

    Notes
    -----
    Where the jumps and their sums are exact in float64 (integers, for instance), so is the
    function; else errors are of the order of rounding.

    References
    ----------
    Cybenko (1989), Approximation by superpositions of a sigmoidal function, Mathematics of Control,
    Signals, and Systems 2.

    Examples
    --------
    >>> from skmlp.constructions import step_function
    >>> stairs = step_function([0.0, 1.0, 3.0], [5.0, 7.0])
    >>> stairs.predict([[0.0], [0.5], [1.0], [3.0], [4.0]])
    array([0., 5., 5., 7., 0.])
    """
    b = _numbers("edges", edges, finite=False)
    if b.ndim != 1 or len(b) < 2 or not (b[1:] > b[:-1]).all():
        raise ValueError(f"edges must be at least two increasing numbers, got {_shown(edges)}.")
    v = _values("values", values, len(b) - 1, "interval between edges")
    outside = np.zeros((1, v.shape[1]))
    # Of I[x <= b]: what holds left of the edge minus what holds right of it.
    jumps = np.concatenate([outside, v]) - np.concatenate([v, outside])
    finite = np.isfinite(b)
    if not finite.any():
        raise ValueError(f"edges must have a finite entry, got {_shown(edges)}.")
    # I[x <= inf] is 1 for every x, I[x <= -inf] is 0.
    constant = jumps[-1] if b[-1] == np.inf else outside[0]
    hidden = np.full((1, finite.sum()), -1.0)
    return MLPRegressor.from_weights(
        [hidden, jumps[finite]], [b[finite], constant], activation="step"
    )


def convex_polygon(vertices):
    """Two layers: 1 inside a convex polygon and on its boundary, else 0.

    Each edge has a unit that is active on the inner side; the output asks that all are.

    Parameters
    ----------
    vertices : array-like of shape (n, 2)
        In order, clockwise or not; the first may be repeated at the end.

    Returns
    -------
    classifier : MLPClassifier
        Of two features, for the classes 0 and 1.

    Raises
    ------
    ValueError
        For a polygon that is not convex or has no area, or vertices that are not finite or of
        another shape.

    Notes
    -----
    Points on the boundary that are off it by rounding count as inside too: an edge that is not
    parallel to an axis is moved outwards by a few units in the last place. One that is, is exact.

    References
    ----------
    Lippmann (1987), An introduction to computing with neural nets, IEEE ASSP Magazine 4.

    Examples
    --------
    >>> from skmlp.constructions import convex_polygon
    >>> triangle = convex_polygon([[0, 0], [4, 0], [0, 4]])
    >>> triangle.predict([[1, 1], [2, 2], [0, 0], [3, 2]])
    array([1, 1, 1, 0])
    """
    normals, offsets, _ = _half_planes([vertices])
    return _classifier([-normals.T, np.ones((len(normals), 1))], [offsets, [0.5 - len(normals)]])


def polygon_union(polygons):
    """Three layers: 1 in at least one of several convex polygons, else 0.

    Boundaries count, as in `convex_polygon`. Any set with a boundary of straight lines can be cut
    into convex pieces: split a polygon that is not convex, into triangles for instance.

    Parameters
    ----------
    polygons : sequence of array-like of shape (n_i, 2)
        Vertices of each.

    Returns
    -------
    classifier : MLPClassifier
        Of two features, with hidden layers of a unit for each edge (polygons on the same side of
        a line parallel to an axis share it) and for each polygon.

    Raises
    ------
    ValueError
        For a polygon that is not convex or has no area, or without any.

    References
    ----------
    Lippmann (1987), An introduction to computing with neural nets, IEEE ASSP Magazine 4.

    Examples
    --------
    >>> from skmlp.constructions import polygon_union
    >>> lying, standing = [[0, 0], [3, 0], [3, 1], [0, 1]], [[0, 0], [1, 0], [1, 3], [0, 3]]
    >>> letter_L = polygon_union([lying, standing])
    >>> letter_L.predict([[2, 0.5], [0.5, 2], [2, 2]])
    array([1, 1, 0])
    """
    coefs, intercepts = _indicators(polygons)
    any_of_them = np.ones((coefs[-1].shape[1], 1))
    return _classifier([*coefs, any_of_them], [*intercepts, [-0.5]])


def polygon_sum(polygons, values):
    """Three layers: the sum of values[i] over the convex polygons i that a point lies in.

    With pieces that are small enough this comes as near as wanted to any continuous function: for
    a Lipschitz function and n squares the error is of the order of 1 / sqrt(n).

    Parameters
    ----------
    polygons : sequence of array-like of shape (n_i, 2)
        Vertices of each. They may overlap; on a common edge both count.
    values : array-like of shape (n_polygons,) or (n_polygons, n_outputs)
        Value of each polygon; for several outputs a row of them.

    Returns
    -------
    regressor : MLPRegressor
        Of two features, with hidden layers of a unit for each edge (polygons on the same side of
        a line parallel to an axis share it) and for each polygon.

    Raises
    ------
    ValueError
        For a polygon that is not convex or has no area, without any, for values that are not
        finite, or when numbers of both do not fit.

    References
    ----------
    Lippmann (1987), An introduction to computing with neural nets, IEEE ASSP Magazine 4 (the
    polygons).

    Examples
    --------
    >>> from skmlp.constructions import polygon_sum
    >>> left, right = [[0, 0], [1, 0], [1, 1], [0, 1]], [[1, 0], [2, 0], [2, 1], [1, 1]]
    >>> surface = polygon_sum([left, right], [5.0, 7.0])
    >>> surface.predict([[0.5, 0.5], [1.5, 0.5], [1.0, 0.5], [9.0, 9.0]])
    array([ 5.,  7., 12.,  0.])
    """
    coefs, intercepts = _indicators(polygons)
    v = _values("values", values, coefs[-1].shape[1], "polygon")
    return MLPRegressor.from_weights(
        [*coefs, v], [*intercepts, np.zeros(v.shape[1])], activation="step"
    )


# Half-spaces: weights and threshold.
GATES = {
    "and": ([-1.0, -1.0], -2.0),
    "or": ([-1.0, -1.0], -1.0),
    "not": ([1.0], 0.0),
}


def _classifier(coefs, intercepts):
    """Class 1 where the output is positive; without a loss that would call it log odds."""
    return MLPClassifier.from_weights(
        coefs, intercepts, activation="step", classes=[0, 1], loss="hinge"
    )


def _indicators(polygons):
    """Two layers whose units say whether a point lies in each polygon."""
    polygons = list(polygons)
    if not polygons:
        raise ValueError("polygons must hold at least one polygon, got none.")
    normals, offsets, edges = _half_planes(polygons)
    planes = np.column_stack([normals, offsets])
    planes, unit = np.unique(planes, axis=0, return_inverse=True)
    unit = unit.reshape(-1)
    needed = np.zeros((len(planes), len(polygons)))
    needed[unit, edges] = 1.0
    return [-planes[:, :2].T, needed], [planes[:, 2], 0.5 - needed.sum(axis=0)]


def _half_planes(polygons):
    """Half-planes n'x <= c whose intersections are convex polygons.

    Returns
    -------
    normals, offsets : ndarray of shape (n_edges, 2), (n_edges,)
    polygon : ndarray of int of shape (n_edges,)
        Which one each edge belongs to.
    """
    found = [_edges(_corners(vertices, i)) for i, vertices in enumerate(polygons)]
    counts = [len(offsets) for _, offsets in found]
    normals, offsets = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return normals, offsets, np.repeat(np.arange(len(found)), counts)


def _edges(corners):
    """Outer normals and offsets of the edges of a convex polygon, counter-clockwise."""
    following = np.roll(corners, -1, axis=0)
    along = following - corners
    normals = np.column_stack([along[:, 1], -along[:, 0]])
    straight = (normals == 0.0).any(axis=1)
    # The unit of an edge parallel to an axis is a comparison of one coordinate with one number.
    normals[straight] = np.sign(normals[straight]) + 0.0
    reach = (np.abs(normals) * np.maximum(np.abs(corners), np.abs(following))).sum(axis=1)
    return normals, (normals * corners).sum(axis=1) + np.where(straight, 0.0, SLACK * reach)


def _corners(vertices, i):
    """The corners of a convex polygon, counter-clockwise, without points between them."""
    points = _numbers("vertices", vertices)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"vertices must have shape (n, 2), got {points.shape} for polygon {i}. convex_polygon "
            "takes one such array, polygon_union and polygon_sum a list of them."
        )
    rounding = SLACK * np.abs(points).max(initial=0.0)
    points = points[np.hypot(*(points - np.roll(points, 1, axis=0)).T) > rounding]
    if len(points) and _signed_area(points) < 0.0:
        points = points[::-1]
    turn, flat, ahead = _turns(points, rounding)
    corners = points[~(flat & ahead)]
    turn, flat, ahead = _turns(corners, rounding)
    if len(corners) < 3 or flat.all():
        raise ValueError(
            f"vertices of polygon {i} must span an area beyond rounding, got {_shown(vertices)}."
        )
    wrong = (turn <= 0.0) | (flat & ~ahead)
    if wrong.any() or turn.sum() > 3.0 * np.pi:
        bends = (
            f"bends inwards at {corners[wrong][0].tolist()}" if wrong.any() else "crosses itself"
        )
        raise ValueError(
            f"Polygon {i} is not convex: its boundary {bends}. List the vertices in order; split "
            "what is not convex into convex pieces (triangles, for instance) for polygon_union or "
            "polygon_sum."
        )
    return corners


def _turns(points, rounding):
    """At each point the angle of the turn to the left, whether it may be 0 or pi, and if ahead."""
    before = points - np.roll(points, 1, axis=0)
    after = np.roll(before, -1, axis=0)
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    inner = (before * after).sum(axis=1)
    flat = np.abs(cross) <= rounding * (np.hypot(*before.T) + np.hypot(*after.T))
    return np.arctan2(cross, inner), flat, inner > 0.0


def _signed_area(points):
    x, y = (points - points[0]).T
    return 0.5 * (x * np.roll(y, -1) - y * np.roll(x, -1)).sum()


def _shown(vertices):
    return np.array2string(np.asarray(vertices), threshold=12, separator=", ").replace("\n", "")


def _values(name, values, n, each):
    """Values as a matrix with a row for each of n things."""
    v = _numbers(name, values)
    if v.ndim not in (1, 2) or len(v) != n or 0 in v.shape:
        raise ValueError(f"{name} must have one entry or row per {each}, {n}, got shape {v.shape}.")
    return v.reshape(n, -1)


def _numbers(name, values, finite=True):
    """Finite (or any) numbers as a new float64 array."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers in a regular shape: {error}") from error
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers, got {_shown(array)}.")
    return array


def _number(name, value):
    if not isinstance(value, Real) or not np.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}.")
    return float(value)
