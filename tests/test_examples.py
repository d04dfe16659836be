"""Every example of the gallery runs, warns of nothing, and leaves a figure worth looking at."""

import ast
import runpy
from pathlib import Path

import matplotlib
import pytest

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = sorted(DOCS.glob("examples/plot_*.py"))
GUIDES = sorted(DOCS.glob("*.md"))


@pytest.fixture
def pyplot():
    """matplotlib.pyplot that draws to memory, without figures of others."""
    backend = matplotlib.get_backend()
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")
    matplotlib.use(backend)


def is_drawn(axes):
    """Whether the axes hold data and say what they are."""
    said = axes.get_title() or axes.get_xlabel() or axes.get_ylabel()
    return bool(axes.has_data() and said)


def test_there_are_examples():
    numbers = [int(path.stem.split("_")[1]) for path in EXAMPLES]
    assert numbers == list(range(1, 28))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_begins_with_title_and_text(path):
    title, underline, empty, *text = ast.get_docstring(ast.parse(path.read_text())).splitlines()
    assert underline == "=" * len(title)
    assert not empty
    assert len(" ".join(text).split(". ")) >= 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_shown_in_a_guide(path):
    image = f"images/{path.stem.removeprefix('plot_')}.png"
    assert (DOCS / image).stat().st_size < 100_000
    texts = [guide.read_text() for guide in GUIDES]
    assert any(image in text and f"examples/{path.name}" in text for text in texts)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_draws(path, pyplot):
    runpy.run_path(str(path), run_name="__main__")
    (number,) = pyplot.get_fignums()
    figure = pyplot.figure(number)
    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    assert any(titles)
    assert figure.axes and all(is_drawn(axes) for axes in figure.axes)
    figure.canvas.draw()
