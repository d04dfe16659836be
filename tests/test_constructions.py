"""Networks that are written down: truth tables, exact functions, rates of approximation."""

import pickle
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from matplotlib.path import Path
from scipy.optimize import linprog
from scipy.spatial import ConvexHull
from sklearn.base import clone

from skmlp import MLPClassifier, MLPRegressor, constructions
from skmlp.constructions import (
    convex_polygon,
    half_space,
    logic_gate,
    polygon_sum,
    polygon_union,
    step_function,
)

TABLE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
TRUTH = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
# Boundaries that are exact in float64, and ones that are not.
SHAPES = {
    "square": SQUARE,
    "triangle": np.array([[-1.0, -2.0], [5.0, 1.0], [0.0, 3.0]]),
    "thirds": np.array([[0.1, 0.2], [2.1 / 3.0, 0.1], [1.1, 0.7], [0.3, 1.3]]),
    "far away": np.array([[0.1, 0.2], [0.7, 0.1], [1.1, 0.7], [0.3, 1.3]]) + 1000.3,
}


def is_inside(polygon, point):
    """Whether a point lies in a closed counter-clockwise convex polygon, in exact arithmetic."""
    corners = [tuple(map(Fraction, corner)) for corner in np.asarray(polygon).tolist()]
    x, y = map(Fraction, point)
    sides = zip(corners, [*corners[1:], corners[0]], strict=True)
    return all((q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) >= 0 for p, q in sides)


def winding_number(polygon, points):
    """How often any polygon goes round each of the points, by the sum of angles."""
    to = polygon[np.newaxis] - points[:, np.newaxis]
    then = np.roll(to, -1, axis=1)
    cross = to[..., 0] * then[..., 1] - to[..., 1] * then[..., 0]
    angles = np.arctan2(cross, (to * then).sum(axis=-1)).sum(axis=1)
    return np.rint(angles / (2 * np.pi)).astype(int)


def distance_to_boundary(polygon, points):
    """Distance of each point to the nearest edge."""
    start, along = polygon, np.roll(polygon, -1, axis=0) - polygon
    to = points[:, np.newaxis] - start
    share = np.clip((to * along).sum(axis=-1) / (along**2).sum(axis=-1), 0.0, 1.0)
    return np.linalg.norm(to - share[..., np.newaxis] * along, axis=-1).min(axis=1)


def random_convex(rng, n_points=12):
    """Corners of the convex hull of random points, counter-clockwise."""
    points = rng.normal(size=(n_points, 2)) * rng.uniform(0.1, 3.0, 2) + rng.normal(size=2)
    return points[ConvexHull(points).vertices]


def squares(n):
    """n^2 squares that tile the unit square, and their centres."""
    ends = np.linspace(0.0, 1.0, n + 1)
    corners = [
        [[a, c], [b, c], [b, d], [a, d]]
        for (a, b), (c, d) in product(zip(ends[:-1], ends[1:], strict=True), repeat=2)
    ]
    corners = np.array(corners)
    return corners, corners.mean(axis=1)


def n_layers(model):
    """Layers of weights."""
    return len(model.coefs_)


# Half-spaces


@pytest.mark.parametrize("threshold", [0.0, -0.0, 1.0, -2.0, 0.3, 1e-300, -1e300])
@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_half_space_is_closed(threshold, n_features):
    w = np.zeros(n_features)
    w[0] = 1.0
    X = np.zeros((3, n_features))
    X[:, 0] = np.nextafter(threshold, -np.inf), threshold, np.nextafter(threshold, np.inf)
    model = half_space(w, threshold)
    np.testing.assert_array_equal(model.predict(X), [1, 1, 0])
    assert n_layers(model) == 1


def test_half_space_is_what_numpy_computes():
    rng = np.random.default_rng(0)
    w = rng.integers(-5, 6, 3)
    X = rng.integers(-5, 6, (500, 3))
    for threshold in (-3, 0, 4):
        model = half_space(w, threshold)
        np.testing.assert_array_equal(model.predict(X), X @ w <= threshold)
    assert (X @ w == 4).any()


@pytest.mark.parametrize(
    "weights, threshold, message",
    [
        ([0.0, 0.0], 1.0, "weights must be a vector with an entry other than 0"),
        ([[1.0, 2.0]], 1.0, "weights must be a vector"),
        (1.0, 1.0, "weights must be a vector"),
        ([], 1.0, "weights must be a vector"),
        ([1.0, np.nan], 1.0, "weights must hold finite numbers"),
        (["a"], 1.0, "weights must hold numbers"),
        ([1.0], np.inf, "threshold must be a finite number"),
        ([1.0], "0", "threshold must be a finite number"),
        ([1.0], [0.0], "threshold must be a finite number"),
    ],
)
def test_half_space_refuses(weights, threshold, message):
    with pytest.raises(ValueError, match=message):
        half_space(weights, threshold)


# Logic gates


@pytest.mark.parametrize("kind", TRUTH)
def test_truth_tables(kind):
    model = logic_gate(kind)
    np.testing.assert_array_equal(model.predict(TABLE), TRUTH[kind])
    assert n_layers(model) == (2 if kind == "xor" else 1)


def test_truth_table_of_not():
    np.testing.assert_array_equal(logic_gate("not").predict([[0], [1]]), [1, 0])


@pytest.mark.parametrize("kind", TRUTH)
def test_one_layer_can_separate_all_but_xor(kind):
    """g(x) = w'x + b with s g >= 1 at all four points, as a linear programme."""
    signs = 2 * np.array(TRUTH[kind]) - 1
    rows = -signs[:, np.newaxis] * np.column_stack([TABLE, np.ones(4)])
    found = linprog(np.zeros(3), rows, -np.ones(4), bounds=(None, None))
    assert found.status == (2 if kind == "xor" else 0)  # 2: infeasible


def test_unknown_gates_are_refused():
    with pytest.raises(ValueError, match="kind='nand' is not known. Use 'and', 'or', 'xor'"):
        logic_gate("nand")


# Step functions


def test_step_function_is_exact_and_closed_on_the_right():
    rng = np.random.default_rng(0)
    edges = np.cumsum(rng.integers(1, 5, 30)) / 8
    values = rng.integers(-9, 10, 29).astype(float)
    grid = np.sort(np.r_[edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
    grid = np.r_[edges[0] - 1, grid, edges[-1] + 1]
    place = np.searchsorted(edges, grid, side="left") - 1
    inside = (place >= 0) & (place < 29)
    expected = np.where(inside, values[np.clip(place, 0, 28)], 0.0)
    model = step_function(edges, values)
    np.testing.assert_array_equal(model.predict(grid[:, np.newaxis]), expected)
    assert n_layers(model) == 2
    assert model.coefs_[0].shape == (1, 30)


def test_step_function_of_any_numbers_is_off_by_rounding():
    rng = np.random.default_rng(0)
    values = rng.normal(size=1000) * 10.0 ** rng.integers(-3, 4, 1000)
    model = step_function(np.arange(1001), values)
    off = np.abs(model.predict(np.arange(1000)[:, np.newaxis] + 0.5) - values)
    assert off.max() < 1e-12 * np.abs(values).sum()


def test_infinite_edges_and_several_outputs():
    values = np.array([[1.0, -1.0], [2.0, 5.0], [3.0, 0.0]])
    model = step_function([-np.inf, 0.0, 2.0, np.inf], values)
    np.testing.assert_array_equal(
        model.predict([[-1e9], [0.0], [2.0], [1e9]]), values[[0, 0, 1, 2]]
    )
    assert model.coefs_[0].shape == (1, 2)


@pytest.mark.parametrize(
    "edges, values, message",
    [
        ([0.0, 1.0, 1.0], [1.0, 2.0], "edges must be at least two increasing numbers"),
        ([0.0, np.nan], [1.0], "edges must be at least two increasing"),
        ([0.0], [], "edges must be at least two increasing"),
        ([[0.0, 1.0]], [1.0], "edges must be at least two increasing"),
        ([-np.inf, np.inf], [1.0], "edges must have a finite entry"),
        (["a", "b"], [1.0], "edges must hold numbers"),
        ([0.0, 1.0], [1.0, 2.0], "values must have one entry or row per interval .*, 1, got"),
        ([0.0, 1.0], [np.inf], "values must hold finite numbers"),
        ([0.0, 1.0], np.ones((1, 0)), "values must have one entry"),
        ([0.0, 1.0, 2.0], [[1.0], [1.0, 2.0]], "values must hold numbers in a regular shape"),
    ],
)
def test_step_function_refuses(edges, values, message):
    with pytest.raises(ValueError, match=message):
        step_function(edges, values)


def test_error_in_one_dimension_falls_as_one_over_n():
    """For a Lipschitz constant L and values taken at midpoints the error is at most L / (2 n)."""
    x = np.linspace(0.0, 1.0, 5003)[1:]
    f = np.abs(np.sin(7 * x)) + x  # a kink, and slopes of at most 8
    sizes, errors = np.array([4, 16, 64, 256]), []
    for n in sizes:
        middle = (np.arange(n) + 0.5) / n
        model = step_function(np.linspace(0, 1, n + 1), np.abs(np.sin(7 * middle)) + middle)
        errors.append(np.abs(model.predict(x[:, np.newaxis]) - f).max())
    assert (errors <= 8 / (2 * sizes) + 1e-12).all()
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.1)


# Polygons


@pytest.mark.parametrize("name", SHAPES)
def test_boundary_belongs_to_the_polygon(name):
    corners = SHAPES[name]
    following = np.roll(corners, -1, axis=0)
    shares = np.linspace(0.0, 1.0, 23)[:, np.newaxis, np.newaxis]
    boundary = (corners + shares * (following - corners)).reshape(-1, 2)
    centre = corners.mean(axis=0)
    model = convex_polygon(corners)
    assert n_layers(model) == 2
    assert model.predict(boundary).all()
    assert model.predict(centre + (1 - 1e-9) * (boundary - centre)).all()
    assert not model.predict(centre + (1 + 1e-9) * (boundary - centre)).any()


@pytest.mark.parametrize("name", ["square", "triangle"])
def test_exact_on_a_grid(name):
    corners = SHAPES[name]
    axis = np.arange(-24, 49) / 8
    points = np.array(list(product(axis, axis)))
    expected = [is_inside(corners, point) for point in points.tolist()]
    assert 0 < sum(expected) < len(points)
    np.testing.assert_array_equal(convex_polygon(corners).predict(points), expected)


def test_edges_parallel_to_an_axis_are_exact_to_the_last_place():
    corners = SQUARE * [0.1, 0.7] + [0.2, 1.0 / 3.0]
    low, high = corners.min(axis=0), corners.max(axis=0)
    model = convex_polygon(corners)
    for end, outwards in ((low, -np.inf), (high, np.inf)):
        for axis in range(2):
            point = (low + high) / 2
            point[axis] = end[axis]
            beyond = point.copy()
            beyond[axis] = np.nextafter(end[axis], outwards)
            np.testing.assert_array_equal(model.predict([point, beyond]), [1, 0])


@pytest.mark.parametrize("seed", range(20))
def test_random_polygons_against_two_oracles(seed):
    rng = np.random.default_rng(seed)
    corners = random_convex(rng)
    points = rng.normal(size=(2000, 2)) * 2.0
    points = points[distance_to_boundary(corners, points) > 1e-9]
    predicted = convex_polygon(corners).predict(points)
    np.testing.assert_array_equal(predicted, Path(corners).contains_points(points))
    np.testing.assert_array_equal(predicted, winding_number(corners, points))
    assert 0 < predicted.sum() < len(points)


@pytest.mark.parametrize("seed", range(5))
def test_the_way_of_writing_vertices_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    corners = random_convex(rng)
    points = rng.normal(size=(500, 2)) * 2.0
    expected = convex_polygon(corners).predict(points)
    middles = np.stack([corners, (corners + np.roll(corners, -1, axis=0)) / 2], axis=1)
    for other in (
        corners[::-1],
        np.roll(corners, 2, axis=0),
        np.r_[corners, corners[:1]],
        np.repeat(corners, 2, axis=0),
        middles.reshape(-1, 2),
    ):
        model = convex_polygon(other)
        np.testing.assert_array_equal(model.predict(points), expected)
        assert model.coefs_[0].shape == (2, len(corners))


def test_a_circle_that_is_closed_up_to_rounding():
    angle = np.linspace(0.0, 2 * np.pi, 101)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    assert (circle[0] != circle[-1]).any()
    model = convex_polygon(circle)
    assert model.coefs_[0].shape == (2, 100)
    assert model.predict(circle).all()
    assert not model.predict(1.001 * circle).any()


@pytest.mark.parametrize(
    "vertices, message",
    [
        (
            [[0, 0], [2, 0], [1, 0.5], [1, 3]],
            r"Polygon 0 is not convex: .* bends inwards at \[1.0, 0",
        ),
        ([[0, 0], [2, 2], [2, 0], [0, 2]], "Polygon 0 is not convex"),
        ([[0, 0], [2, 0], [2, 2], [2, 5], [2, 2], [0, 2]], "is not convex: .* bends inwards"),
        (np.tile(SQUARE, (2, 1)), "is not convex: its boundary crosses itself. List the vertices"),
        ([[0, 0], [1, 1], [2, 2]], "vertices of polygon 0 must span an area"),
        ([[0, 0], [1, 1], [0.5, 0.5], [3, 3]], "must span an area"),
        ([[0, 0], [1, 1]], "must span an area"),
        ([[0, 0], [0, 0], [0, 0]], "must span an area"),
        (np.empty((0, 2)), "must span an area"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], r"vertices must have shape \(n, 2\), got \(3, 3\)"),
        ([0, 1, 2], r"vertices must have shape \(n, 2\), got \(3,\)"),
        ([SQUARE], "takes one such array, polygon_union and polygon_sum a list"),
        ([[0, 0], [1, np.inf], [0, 1]], "vertices must hold finite numbers"),
        ([[0, 0], [1], [0, 1]], "vertices must hold numbers in a regular shape"),
    ],
)
def test_what_is_not_a_convex_polygon_is_refused(vertices, message):
    with pytest.raises(ValueError, match=message):
        convex_polygon(vertices)


def test_a_pentagram_is_refused_and_the_pentagon_is_not():
    angle = 2 * np.pi * np.arange(5) / 5
    pentagon = np.column_stack([np.cos(angle), np.sin(angle)])
    assert convex_polygon(pentagon).predict([[0, 0]]) == 1
    with pytest.raises(ValueError, match="Split|split what is not convex"):
        convex_polygon(pentagon[[0, 2, 4, 1, 3]])


def test_the_polygon_at_fault_is_named():
    dart = [[0, 0], [2, 0], [1, 0.5], [1, 3]]
    for construction in (polygon_union, lambda polygons: polygon_sum(polygons, [1, 2])):
        with pytest.raises(ValueError, match="Polygon 1 is not convex: .*split"):
            construction([SQUARE, dart])
        with pytest.raises(ValueError, match="polygons must hold at least one polygon"):
            construction([])
    with pytest.raises(ValueError, match="values must have one entry or row per polygon, 1, got"):
        polygon_sum([SQUARE], [1, 2])


# Unions and sums


@pytest.mark.parametrize("seed", range(5))
def test_union_and_sum_against_matplotlib(seed):
    rng = np.random.default_rng(seed)
    polygons = [random_convex(rng) for _ in range(6)]
    values = rng.integers(-9, 10, (6, 2)).astype(float)
    points = rng.normal(size=(2000, 2)) * 2.0
    near = [distance_to_boundary(corners, points) for corners in polygons]
    points = points[np.min(near, axis=0) > 1e-9]
    inside = np.column_stack([Path(corners).contains_points(points) for corners in polygons])
    union, surface = polygon_union(polygons), polygon_sum(polygons, values)
    assert n_layers(union) == n_layers(surface) == 3
    np.testing.assert_array_equal(union.predict(points), inside.any(axis=1))
    np.testing.assert_array_equal(surface.predict(points), inside @ values)
    assert inside.sum(axis=1).max() > 1


def test_a_star_from_triangles():
    """An arbitrary polygon, that is, against its winding number."""
    angle = 2 * np.pi * np.arange(10) / 10
    star = (
        np.column_stack([np.cos(angle), np.sin(angle)])
        * np.where(np.arange(10) % 2, 0.4, 1)[:, None]
    )
    triangles = [[[0.0, 0.0], star[i - 1], star[i]] for i in range(10)]
    points = np.random.default_rng(0).uniform(-1, 1, (3000, 2))
    points = points[distance_to_boundary(star, points) > 1e-9]
    predicted = polygon_union(triangles).predict(points)
    np.testing.assert_array_equal(predicted, winding_number(star, points))
    # The triangles leave no gaps between them.
    shares = np.linspace(0.0, 0.999, 50)[:, np.newaxis, np.newaxis]
    assert polygon_union(triangles).predict((shares * star).reshape(-1, 2)).all()


def test_squares_share_units():
    corners, _ = squares(8)
    model = polygon_sum(corners, np.ones(64))
    assert [weight.shape for weight in model.coefs_] == [(2, 32), (32, 64), (64, 1)]


def test_both_count_on_a_common_edge():
    corners, _ = squares(2)
    model = polygon_sum(corners, [1.0, 10.0, 100.0, 1000.0])
    points = [[0.25, 0.25], [0.25, 0.5], [0.5, 0.5], [1.0, 1.0], [1.0, 1.01]]
    np.testing.assert_array_equal(model.predict(points), [1, 11, 1111, 1000, 0])
    np.testing.assert_array_equal(polygon_union(corners).predict(points), [1, 1, 1, 1, 0])


def test_error_in_two_dimensions_falls_as_one_over_the_root_of_the_pieces():
    """With Lipschitz constant L and a square's half diagonal the error is below L / sqrt(2 n)."""

    def f(x):
        return np.abs(np.sin(3 * x[:, 0]) - x[:, 1]) + x[:, 1] ** 2

    L = np.hypot(3.0, 3.0)
    # No point of an irrational grid lies on an edge.
    axis = (np.arange(150) + 1 / np.sqrt(2)) / 150
    points = np.array(list(product(axis, axis)))
    pieces, errors = [], []
    for n in (2, 4, 8, 16):
        corners, centres = squares(n)
        model = polygon_sum(corners, f(centres))
        errors.append(np.abs(model.predict(points) - f(points)).max())
        pieces.append(n**2)
    pieces = np.array(pieces)
    assert (errors <= L / np.sqrt(2 * pieces) + 1e-12).all()
    slope = np.polyfit(np.log(pieces), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.07)


# As estimators


MADE = {
    "half_space": lambda: half_space([1.0, 2.0], 0.5),
    "logic_gate": lambda: logic_gate("xor"),
    "convex_polygon": lambda: convex_polygon(SQUARE),
    "polygon_union": lambda: polygon_union([SQUARE, SQUARE + 0.5]),
    "polygon_sum": lambda: polygon_sum([SQUARE, SQUARE + 0.5], [1.0, 2.0]),
    "step_function": lambda: step_function([0.0, 1.0], [2.0]),
}


def test_every_construction_is_here():
    assert set(MADE) == set(constructions.__all__)


@pytest.mark.parametrize("name", MADE)
def test_they_are_fitted_estimators(name):
    model = MADE[name]()
    assert isinstance(model, (MLPClassifier, MLPRegressor))
    X = np.random.default_rng(0).uniform(-1, 2, (50, model.n_features_in_))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert model.score(X, model.predict(X)) == 1.0
    assert model.activation == "step"


@pytest.mark.parametrize("name", MADE)
def test_coefs_are_the_network(name):
    model = MADE[name]()
    X = np.random.default_rng(0).uniform(-1, 2, (200, model.n_features_in_))
    a = X
    *hidden, (W, b) = zip(model.coefs_, model.intercepts_, strict=True)
    for V, c in hidden:
        a = (a @ V + c >= 0).astype(float)
    raw = (a @ W + b)[:, 0]
    expected = raw if isinstance(model, MLPRegressor) else raw > 0
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("name", ["half_space", "polygon_union"])
def test_classifiers_claim_no_probabilities(name):
    model = MADE[name]()
    assert not hasattr(model, "predict_proba")
    X = np.random.default_rng(0).uniform(-1, 2, (50, 2))
    np.testing.assert_array_equal(model.decision_function(X) > 0, model.predict(X))


def test_step_units_cannot_be_trained():
    model = MADE["convex_polygon"]()
    for train in (model.partial_fit, clone(model).fit):
        with pytest.raises(ValueError, match="activation='step' has a zero gradient"):
            train(SQUARE, [0, 1, 0, 1])
