"""What displays share: the axes to draw on, and matplotlib only when it is needed."""

ALIASES = {"c": "color", "ls": "linestyle", "lw": "linewidth", "ds": "drawstyle"}

# Margin of new figures in inches.
PAD = 0.1


class Display:
    """Contract: data in the constructor; `plot` sets `ax_` and `figure_`, and returns self.

    What draws raises ImportError without matplotlib.
    """

    def _draw_on(self, ax, figsize=None):
        """Set `ax_` and `figure_`; axes of a new figure, of some width and height, for None."""
        plt = pyplot(type(self).__name__)
        if ax is None:
            # What stands beside the axes, legends and names, gets the room that it needs.
            figure, ax = plt.subplots(figsize=figsize, layout="constrained")
            figure.get_layout_engine().set(w_pad=PAD, h_pad=PAD)
        self.ax_ = ax
        self.figure_ = self.ax_.figure
        return self.ax_


def pyplot(caller):
    """matplotlib.pyplot, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib. Install it by: pip install skmlp[plot]"
        ) from error
    return plt


def styled(given, **defaults):
    """Keyword arguments of matplotlib, with defaults for what is not given under either name."""
    given = given or {}
    named = {ALIASES.get(key, key) for key in given}
    return {**{key: value for key, value in defaults.items() if key not in named}, **given}


def shortened(text, length=24):
    """Text of at most so many characters; an ellipsis stands for what is left out of the middle.

    Long names often differ at their ends only.
    """
    text = str(text)
    if len(text) <= length:
        return text
    tail = length // 3
    return f"{text[: length - tail - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}{text[-tail:].lstrip()}"
