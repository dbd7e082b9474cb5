"""Training curves."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from ...core.adapters import Axes
from . import style

if TYPE_CHECKING:
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
