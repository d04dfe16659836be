"""Run every example and save its last figure as docs/images/NAME.png.

python docs/examples/render.py [PART OF A NAME ...]

An example takes less than 20 seconds of one processor; those that take more are named at the end,
and the exit status says so.
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
MAX_SECONDS = 20.0


def save(figure, path):
    """Save with few colours, which makes the files three times smaller."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    image = Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def render(path):
    """Run one example, save the last figure that it leaves open, and return its CPU seconds."""
    import matplotlib.pyplot as plt

    start = time.process_time()
    runpy.run_path(str(path), run_name="__main__")
    seconds = time.process_time() - start
    target = IMAGES / f"{path.stem.removeprefix('plot_')}.png"
    save(plt.gcf(), target)
    plt.close("all")
    print(f"{path.name:28} {seconds:5.1f} s {target.stat().st_size / 1000:6.1f} kB", flush=True)
    return seconds


if __name__ == "__main__":
    matplotlib.use("Agg")
    IMAGES.mkdir(exist_ok=True)
    names = sys.argv[1:] or [""]
    paths = sorted(HERE.glob("plot_*.py"))
    seconds = {p.name: render(p) for p in paths if any(name in p.name for name in names)}
    if slow := [name for name, taken in seconds.items() if taken > MAX_SECONDS]:
        sys.exit(f"More than {MAX_SECONDS:g} s: {', '.join(slow)}")
