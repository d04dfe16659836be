"""Run every example and save its last figure as docs/images/NAME.png.

python docs/examples/render.py [PART OF A NAME ...]
"""

import io
import runpy
import sys
import time
from pathlib import Path

import matplotlib
from PIL import Image

HERE = Path(__file__).parent
IMAGES = HERE.parent / "images"
DPI, COLOURS = 85, 256


def save(figure, path):
    """Save with few colours, which makes the files three times smaller."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    image = Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def render(path):
    """Run one example and save the last figure that it leaves open."""
    import matplotlib.pyplot as plt

    start = time.perf_counter()
    runpy.run_path(str(path), run_name="__main__")
    seconds = time.perf_counter() - start
    target = IMAGES / f"{path.stem.removeprefix('plot_')}.png"
    save(plt.gcf(), target)
    plt.close("all")
    print(f"{path.name:28} {seconds:5.1f} s {target.stat().st_size / 1000:6.1f} kB", flush=True)


if __name__ == "__main__":
    matplotlib.use("Agg")
    IMAGES.mkdir(exist_ok=True)
    names = sys.argv[1:] or [""]
    for path in sorted(HERE.glob("plot_*.py")):
        if any(name in path.name for name in names):
            render(path)
