"""Curves: the loss over training, and effects over the dose."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...core.adapters import Axes
from ..dose import PROBES
from ..effect_tables import COMMON_GAIN, KNOWLEDGE
from ..formatting import MINUS
from . import style
from .style import Width

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

Curves = dict[tuple[str, int], pd.DataFrame]
"""`training.csv` by train set and seed."""


def training_curves(curves: Curves, axes: Axes, key: dict[str, str], width: Width = "page") -> "Figure":
    """Training loss by step: a panel for each train set, a line for each seed.

    Args:
        curves: `training.csv` by train set and seed.
        axes: The grid, for the order of panels.
        key: `model` and `recipe` drawn.
        width: Of the figure.
    """
    n, font = len(axes.train_set), style.FONT[width]
    rows = math.ceil(n / {"page": 5, "column": 3}[width])
    columns = math.ceil(n / rows)
    room = 0.8 * style.INCHES[width] / columns
    titles = [style.wrap(style.label(name, axes), room, font, "bold") for name in axes.train_set]
    height = 0.9 + rows * (0.9 + style.line_height(font, max(map(len, titles))))
    with style.context():
        shared = {"nrows": rows, "ncols": columns, "sharex": True, "sharey": True, "squeeze": False}
        figure, panels = style.new_figure(width, height, **shared)
        for panel, train_set, title in zip(panels.flat, axes.train_set, titles, strict=False):
            for i, seed in enumerate(axes.seed):
                curve = curves[train_set, seed]
                look = {"color": style.COLOURS[i % len(style.COLOURS)], "linestyle": style.LINES[i % len(style.LINES)]}
                panel.plot(curve["step"], curve["loss"], linewidth=0.8, label=seed, **look)
            panel.set_title("\n".join(title), fontsize=font)
            panel.tick_params(labelsize=font)
        for panel in panels.flat[n:]:
            panel.set_axis_off()
        for panel in panels.flat[max(n - columns, 0) : n]:
            panel.tick_params(labelbottom=True)
            panel.set_xlabel("Step", fontsize=font)
        figure.supylabel("Training loss (nats per token)", fontsize=font)
        if len(axes.seed) > 1:
            place: Any = {"loc": "outside right upper", "fontsize": font, "title_fontsize": font}
            figure.legend(*panels[0, 0].get_legend_handles_labels(), title="Seed", **place)
        note = "Loss at each optimiser step, over the tokens that the recipe learns; a line for each seed."
        style.add_title_and_note(figure, style.title(key, "training"), note)
    return figure


_MEASURES = {COMMON_GAIN: "Common gain", KNOWLEDGE: "Specialty knowledge", PROBES: "Facts learned"}


def dose_figure(table: pd.DataFrame, key: dict[str, str], width: Width = "page") -> "Figure":
    """Common gain, specialty knowledge and probes over the train questions seen: a line for each series of recipes.

    Args:
        table: `dose.table`.
        key: `model` and `method` to draw.
        width: Of the figure; in a column, panels stand below each other.
    """
    rows = style.select(table, key)
    shown = [measure for measure in _MEASURES if (rows["measure"] == measure).any()]
    grid = {"ncols": len(shown)} if width == "page" else {"nrows": len(shown)}
    height = 2.6 if width == "page" else 0.9 + 1.5 * len(shown)
    with style.context():
        figure, panels = style.new_figure(width, height, sharex=True, squeeze=False, **grid)
        for panel, measure in zip(panels.flat, shown, strict=True):
            _over_dose(panel, rows[rows["measure"] == measure], style.FONT[width])
            panel.set_title(_MEASURES[measure], fontsize=style.FONT[width])
            panel.tick_params(labelsize=style.FONT[width])
        figure.supylabel("Points of accuracy", fontsize=style.FONT[width])
        if rows["series"].nunique() > 1:
            small = {"fontsize": style.SMALL, "title_fontsize": style.SMALL}
            panels[0, 0].legend(title="Like recipe", **small)
        panels[-1, 0 if width == "column" else len(shown) // 2].set_xlabel("Train questions seen")
        repeats = "; ".join(
            f"{row.recipe}: {row.questions:.0f} questions × {row.epochs}"
            for row in rows.drop_duplicates("recipe").itertuples()
        )
        note = f"{repeats}. Smaller doses are part of larger ones. Hollow: an adapter failed its checks of training."
        style.add_title_and_note(figure, style.title(key, "dose"), note)
    return figure


def _over_dose(panel: "Panel", rows: pd.DataFrame, font: float) -> None:
    panel.axhline(0, color="0.3", linewidth=0.8, zorder=0)
    for i, (series, own) in enumerate(rows.groupby("series", sort=False)):
        colour = style.COLOURS[i % len(style.COLOURS)]
        panel.plot(own["seen"], 100 * own["estimate"], color=colour, linewidth=0.8)
        spread = 100 * np.array([own["estimate"] - own["low"], own["high"] - own["estimate"]])
        look = {"color": colour, "marker": style.MARKERS[i % len(style.MARKERS)], **style.POINT}
        panel.errorbar(own["seen"], 100 * own["estimate"], yerr=spread, label=series, **look)
        hollow = own[own["broken"] > 0]
        panel.plot(hollow["seen"], 100 * hollow["estimate"], "o", color="white", markersize=2, zorder=4)
    panel.set_xscale("log")
    seen = sorted(rows["seen"].unique())
    panel.set_xticks(seen, [f"{value:,.0f}" for value in seen], rotation=45, ha="right", fontsize=font)
    panel.minorticks_off()
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", MINUS))
