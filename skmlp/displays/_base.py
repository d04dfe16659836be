"""What displays share: the axes to draw on, and matplotlib only when it is needed."""

ALIASES = {"c": "color", "ls": "linestyle", "lw": "linewidth", "ds": "drawstyle"}


class Display:
    """Contract: data in the constructor; `plot` sets `ax_` and `figure_`, and returns self."""

    def _draw_on(self, ax):
        """Set `ax_` and `figure_`; axes of a new figure for None."""
        plt = pyplot(type(self).__name__)
        self.ax_ = plt.subplots()[1] if ax is None else ax
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
