"""
Tables as they come
===================

A table of flats: numbers, a bool, texts, one of a hundred towns, and gaps that say something. It
goes into the network as it is. What the network has found out about the towns can be read from its
predictions, and the usual ways to make a table of numbers first are compared.
"""

# %%
# Rents depend on the area, the condition, the balcony, the heating and the town. Each town has a
# level of rents of its own, which nobody tells the network. Landlords of bad flats like to leave
# the condition out, so that a gap tells something; the year is missing by chance.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from skmlp import MLPRegressor

N_TOWNS, N = 100, 4000
rng = np.random.default_rng(0)
level = rng.normal(size=N_TOWNS)
town = rng.choice(N_TOWNS, N, p=rng.dirichlet(np.full(N_TOWNS, 2.0)))
condition = rng.normal(size=N)
table = pd.DataFrame(
    {
        "area": rng.gamma(6, 12, N).round(),
        "year": rng.integers(1890, 2025, N).astype(float),
        "condition": condition.round(1),
        "balcony": rng.random(N) < 0.4,
        "heating": rng.choice(["gas", "oil", "district"], N, p=[0.6, 0.1, 0.3]),
        "town": np.array([f"town {i:02d}" for i in range(N_TOWNS)])[town],
    }
)


def rent_of(area, condition, balcony, district, level):
    return area * (9 + 1.5 * condition + 2 * level) + 60 * balcony + 40 * district


rent = rent_of(
    table["area"], condition, table["balcony"], table["heating"] == "district", level[town]
)
rent += rng.normal(0, 40, N)
table.loc[(condition < -0.5) & (rng.random(N) < 0.8), "condition"] = np.nan
table.loc[rng.random(N) < 0.15, "year"] = np.nan
table.loc[rng.random(N) < 0.1, "heating"] = None
X, X_test, y, y_test = train_test_split(table, rent, random_state=0)

# %%
# No step is needed before the network.

settings = {"hidden_layer_sizes": (64,), "alpha": 0.3, "learning_rate": "one_cycle"}
settings |= {"learning_rate_init": 0.01, "max_iter": 40, "random_state": 0}
model = MLPRegressor(**settings).fit(X, y)
print(f"R2 on new rows: {model.score(X_test, y_test):.3f}")
print("levels of the categories:", [len(levels) for levels in model.categories_])

# %%
# The same network behind steps that make another table first: without the texts; with numbers in
# place of the levels; and with gaps that are filled, but not marked.

numbers = make_column_selector(dtype_include="number")
others = make_column_selector(dtype_exclude="number")
ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
passing = {"verbose_feature_names_out": False, "remainder": "passthrough"}
steps = {
    "numbers only": make_column_transformer(("passthrough", numbers)),
    "levels as 0, 1, 2, ...": make_column_transformer((ordinal, others), **passing),
    "gaps not marked": make_column_transformer((SimpleImputer(), numbers), **passing),
}


def error(fitted):
    return np.sqrt(np.mean((fitted.predict(X_test) - y_test) ** 2))


errors = {"the table as it is": error(model)}
for name, before in steps.items():
    pipeline = make_pipeline(before.set_output(transform="pandas"), MLPRegressor(**settings))
    errors[name] = error(pipeline.fit(X, y))
print({name: round(float(value)) for name, value in errors.items()})

# %%
# What has been learned of the towns: the predicted rent of the same flat in each of them, and in
# one that nobody has heard of, which gets zeros for its vector.

flat = {"area": 70.0, "year": 1980.0, "condition": 0.0, "balcony": True, "heating": "gas"}
same = pd.DataFrame([{**flat, "town": name} for name in [*model.categories_[2], "elsewhere"]])
predicted = model.predict(same)
known = np.array([int(name[-2:]) for name in model.categories_[2]])
true = rent_of(70.0, 0.0, True, False, level[known])
count = X["town"].value_counts()[model.categories_[2]]

# %%
# The picture: the table, the towns, and what each way of reading the table costs.

KINDS = {"number": "#dbe9f6", "two levels": "#e3f1df", "levels": "#fdebd3", "gap": "#c23b22"}


def draw_table(ax, rows):
    kinds = ["number"] * 3 + ["two levels"] + ["levels"] * 2
    for j, (column, kind) in enumerate(zip(rows.columns, kinds, strict=True)):
        ax.text(j + 0.5, -0.35, column, ha="center", va="center", weight="bold", size=8.5)
        for i, value in enumerate(rows[column]):
            gap = value is None or value != value
            color = KINDS["gap" if gap else kind]
            ax.add_patch(Rectangle((j, i), 1, 1, facecolor=color, edgecolor="white"))
            text = f"{value:g}" if isinstance(value, float) else str(value)
            ax.text(j + 0.5, i + 0.5, "" if gap else text, ha="center", va="center", size=8)
    ax.set(xlim=(0, len(kinds)), ylim=(len(rows), -1))
    ax.axis("off")
    handles = [Rectangle((0, 0), 1, 1, facecolor=color) for color in KINDS.values()]
    ax.legend(
        handles, KINDS, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 0.02), frameon=False
    )


figure, axes = plt.subplots(
    1, 3, figsize=(13, 4.2), layout="constrained", width_ratios=[1.35, 1, 1]
)
draw_table(axes[0], X[20:34])
axes[0].set_title("The table, 14 of 3000 rows")
ax = axes[1]
ax.axline((true.mean(), true.mean()), slope=1, color="0.75", lw=1, zorder=0)
ax.scatter(true, predicted[:-1], s=count, color="#d9822b", edgecolor="white", lw=0.5)
ax.axhline(predicted[-1], color="0.35", ls="--", lw=1)
ax.annotate("a town not in the table", (true.min(), predicted[-1]), xytext=(0, 4),
            textcoords="offset points", ha="left", va="bottom", size=8.5, color="0.35")  # fmt: skip
ax.set(xlabel="true rent of one and the same flat", ylabel="predicted rent")
ax.set_title("A hundred towns (size: rows)")
ax = axes[2]
names = list(errors)[::-1]
colors = ["#b9c4cf"] * (len(names) - 1) + ["#2b6ca3"]
bars = ax.barh(names, [errors[name] for name in names], color=colors)
ax.bar_label(bars, fmt="%.0f", padding=3)
ax.axvline(40, color="0.35", ls="--", lw=1)
ax.annotate("noise", (40, -0.45), xytext=(3, 0), textcoords="offset points", size=8.5, va="top",
            color="0.35")  # fmt: skip
ax.set(xlabel="root mean squared error on new rows", xlim=(0, 1.12 * max(errors.values())))
ax.set_title("Ways to read it")
ax.spines[["top", "right"]].set_visible(False)
axes[1].spines[["top", "right"]].set_visible(False)
plt.show()
