"""The figure of planned and measured cost."""

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..analysis.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def planned_and_measured(costs: pd.DataFrame) -> "Figure":
    """Planned and measured hours of each rule and model, on a logarithmic axis.

    Args:
        costs: `cost.compare`.
    """
    names = [f"{row.rule} · {row.model} ({style.count(row.measured_jobs, 'job')})" for row in costs.itertuples()]
    hours = costs[["planned_hours", "measured_hours"]].to_numpy(dtype=float)
    tops = np.arange(len(costs), dtype=float)
    with style.context():
        figure, panel = style.new_figure("page", 1.5 + 0.26 * len(tops))
        for top, pair in zip(tops, hours, strict=True):
            panel.axhspan(top - 0.48, top + 0.48, color="0.965", zorder=-1, linewidth=0)
            panel.plot(pair, [top, top], color="0.6", linewidth=1, zorder=0)
        for i, kind in enumerate(("Planned", "Measured")):
            look = {"color": style.COLOURS[i], "marker": style.MARKERS[i], "markersize": 4, "linestyle": "none"}
            panel.plot(hours[:, i], tops, label=kind, **look)
        panel.set_xscale("log")
        lowest, highest = math.floor(math.log10(hours.min())), math.ceil(math.log10(hours.max()))
        panel.set_xlim(10.0**lowest, 10.0 ** max(highest, lowest + 1))
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.set_yticks(tops, names)
        panel.set_ylim(len(tops) - 0.4, -0.6)
        panel.tick_params(axis="y", length=0)
        panel.spines["left"].set_visible(False)
        panel.set_xlabel("Hours of all jobs")
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        style.add_title_and_note(figure, "Cost: planned and measured", "Planned for as many jobs as were measured.")
    return figure
