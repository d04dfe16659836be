"""The picture of the table of accuracy: what errors cost in seconds."""

from _accuracy_contestants import OURS, TABULAR
from _accuracy_tables import SCORES, SHIFT, complete, counted
from _tables import geometric_mean

LABELS = {"bare": "scikit-learn, bare", "scaled": "scikit-learn, scaled"}
LABELS |= {"HGB": "HistGradientBoosting", OURS: "skmlp, default", TABULAR: "skmlp, preset"}
BELOW = {"scaled", OURS, TABULAR}  # who has the name under the point, as neighbours are close
PEER_COLOUR, OWN_COLOUR = "C0", "C1"


def points(results, kind, names, specs):
    """Seconds of the processor for a fit of each set, summed, and mean score, by contestant.

    The score is the last of its kind, over the sets that all contestants have.
    """
    specs, score = counted(specs), SCORES[kind][-1]
    scores = complete(results.table(names, specs, score)) + SHIFT
    seconds = complete(results.table(names, specs, "cpu")).sum(axis=0)
    return score, {
        name: (second, geometric_mean(column))
        for name, second, column in zip(names, seconds, scores.T, strict=True)
        if len(column)
    }


def draw(path, panels, peers):
    """A panel for each kind of set: mean error over seconds, both on log scales.

    Parameters
    ----------
    path : str
        The file; its ending says what kind.
    panels : list of (str, str, dict)
        Title, score, and what `points` found.
    peers : collection of str
        Contestants that are not skmlp.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    size = 4.2 * len(panels), 3.4
    figure, axes = plt.subplots(1, len(panels), figsize=size, squeeze=False, layout="constrained")
    for axis, (title, score, found) in zip(axes[0], panels, strict=True):
        for name, (seconds, mean) in found.items():
            own = name not in peers
            axis.plot(seconds, mean, "o", color=OWN_COLOUR if own else PEER_COLOUR)
            axis.annotate(
                LABELS.get(name, name),
                (seconds, mean),
                (0, -15 if name in BELOW else 7),
                textcoords="offset points",
                ha="center",
                fontsize="small",
                fontweight="bold" if own else None,
            )
        axis.set(title=title, xscale="log", yscale="log")
        axis.set_xlabel("CPU seconds of a fit, all sets together")
        axis.set_ylabel(f"geometric mean of {score} + {SHIFT}")
        axis.margins(0.25, 0.15)
        axis.yaxis.set_major_formatter("{x:.2f}")
        axis.yaxis.set_minor_formatter("{x:.2f}")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.tick_params(axis="y", which="minor", labelsize="x-small")
    figure.savefig(path, dpi=95)
    plt.close(figure)
