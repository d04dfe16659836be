"""The picture of a table of epoch times: what everyone takes beside skmlp's compiled kernels."""

import numpy as np

MARKS = "osD^v*"
LIMITS = 0.25, 20  # what lies beyond is drawn at the edge


def draw(path, results):
    """A panel for each dtype and number of threads, a line for each workload.

    Parameters
    ----------
    path : str
        The file; its ending says what kind.
    results : list of (str, int, str, int, dict)
        Workload, batch size, dtype, threads, and median seconds by contestant.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = list(dict.fromkeys((dtype, threads) for _, _, dtype, threads, _ in results))
    names = list(dict.fromkeys(name for *_, seconds in results for name in seconds))
    lines = list(dict.fromkeys((workload, batch) for workload, batch, *_ in results))
    figure, axes = plt.subplots(
        1,
        len(panels),
        figsize=(3.2 + 3.4 * len(panels), 1.6 + 0.42 * len(lines)),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for panel, axis in zip(panels, axes[0], strict=True):
        for workload, batch, dtype, threads, seconds in results:
            if (dtype, threads) == panel:
                _draw_line(axis, lines.index((workload, batch)), names, seconds)
        dtype, threads = panel
        axis.set_title(f"{dtype}, {threads} thread{'s' * (threads > 1)}", fontsize="medium")
        axis.set_xscale("log")
        ticks = [0.25, 0.5, 1, 2, 4, 8, 16]
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_xlim(0.22, 24)
        axis.minorticks_off()
        axis.grid(axis="x", color="0.9")
        axis.set_axisbelow(True)
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[0, 0].set_yticks(range(len(lines)), [f"{name}, batch {batch}" for name, batch in lines])
    axes[0, 0].invert_yaxis()
    figure.supxlabel(f"time of an epoch / that of {names[-1]} (log scale)", fontsize="medium")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    seen = dict(zip(labels, handles, strict=True))
    figure.legend(seen.values(), seen.keys(), loc="outside upper center", ncols=len(seen))
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw_line(axis, height, names, seconds):
    """Everyone's time over that of the last contestant, which is 1."""
    last = seconds[names[-1]]
    places = {name: seconds[name] / last for name in names if name in seconds}
    ends = np.clip([min(places.values()), max(places.values())], *LIMITS)
    axis.plot(ends, [height] * 2, color="0.8", zorder=1)
    for i, name in enumerate(names):
        if name in places:
            style = {"color": f"C{i}", "marker": MARKS[i % len(MARKS)], "label": name}
            axis.scatter(np.clip(places[name], *LIMITS), height, s=38, zorder=2, **style)
