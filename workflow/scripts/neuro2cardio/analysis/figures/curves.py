"""Curves: the loss over training, and effects over the dose."""

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...core.adapters import Axes
from ..dose import PROBES
from ..effect_tables import COMMON_GAIN, KNOWLEDGE
from ..formatting import MINUS
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

Curves = dict[tuple[str, int], pd.DataFrame]
"""`training.csv` by train set and seed."""


def training_curves(curves: Curves, axes: Axes, key: dict[str, str]) -> "Figure":
    """Training loss by step: a panel for each train set, a line for each seed.

    Args:
        curves: `training.csv` by train set and seed.
        axes: The grid, for the order of panels.
        key: `model` and `recipe` drawn.
    """
    import matplotlib

    n = len(axes.train_set)
    rows = math.ceil(n / 5)
    columns = math.ceil(n / rows)
    with matplotlib.rc_context(style.STYLE):
        figure, panels = style.new_figure(
            1.85 * columns, 0.9 + 1.35 * rows, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False
        )
        for panel, train_set in zip(panels.flat, axes.train_set, strict=False):
            for i, seed in enumerate(axes.seed):
                curve = curves[train_set, seed]
                panel.plot(
                    curve["step"], curve["loss"], color=style.COLOURS[i % len(style.COLOURS)], linewidth=0.8, label=seed
                )
            panel.set_title(style.label(train_set), fontsize=7.5)
        for panel in panels.flat[n:]:
            panel.set_axis_off()
        for panel in panels.flat[max(n - columns, 0) : n]:
            panel.tick_params(labelbottom=True)
        figure.supylabel("Training loss (nats per token)", fontsize=8)
        figure.legend(*panels[0, 0].get_legend_handles_labels(), title="Seed", loc="outside right upper", fontsize=7)
        style.add_title_and_note(
            figure, style.title(key, "training"), "Loss at each optimiser step, over the tokens that the recipe learns."
        )
    return figure


_MEASURES = {COMMON_GAIN: "Common gain", KNOWLEDGE: "Specialty knowledge", PROBES: "Facts learned"}


def dose_figure(table: pd.DataFrame, key: dict[str, str]) -> "Figure":
    """Common gain, specialty knowledge and probes over the train questions seen: a line for each series of recipes.

    Args:
        table: `dose.table`.
        key: `model` and `method` to draw.
    """
    import matplotlib

    rows = style.select(table, key)
    shown = [measure for measure in _MEASURES if (rows["measure"] == measure).any()]
    with matplotlib.rc_context(style.STYLE):
        figure, panels = style.new_figure(0.6 + 2.5 * len(shown), 3.1, ncols=len(shown), sharex=True, squeeze=False)
        for panel, measure in zip(panels.flat, shown, strict=True):
            _over_dose(panel, rows[rows["measure"] == measure])
            panel.set_title(_MEASURES[measure])
        panels[0, 0].set_ylabel("Points of accuracy")
        if rows["series"].nunique() > 1:
            panels[0, 0].legend(title="Like recipe", fontsize=7)
        figure.supxlabel("Train questions seen", fontsize=8)
        repeats = "; ".join(
            f"{row.recipe}: {row.questions:.0f} questions × {row.epochs}"
            for row in rows.drop_duplicates("recipe").itertuples()
        )
        note = f"{repeats}. Smaller doses are part of larger ones. Hollow: an adapter failed its checks of training."
        figure.suptitle(style.title(key, "dose"), x=0.01, ha="left", fontweight="bold", fontsize=9)
        lines = textwrap.wrap(note, int(figure.get_figwidth() / 0.05))
        figure.text(0.01, -0.01, "\n".join(lines), fontsize=6.5, color="0.3", va="top")
    return figure


def _over_dose(panel: "Panel", rows: pd.DataFrame) -> None:
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
    panel.set_xticks(seen, [f"{value:,.0f}" for value in seen], rotation=45, ha="right")
    panel.minorticks_off()
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", MINUS))
