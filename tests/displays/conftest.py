"""Every test of a figure draws to memory."""

import matplotlib
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def pyplot():
    """matplotlib.pyplot that draws to memory, without figures of others."""
    backend = matplotlib.get_backend()
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")
    matplotlib.use(backend)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(201, 3)) + [0, 5, 5]
    return X, X[:, 0] + rng.normal(size=201)
