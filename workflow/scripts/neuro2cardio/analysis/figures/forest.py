"""Forest plots: effects with their intervals, one row for each train set or specialty."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...core.adapters import Axes
from ...core.base_rows import BASE
from ...questions.test_set import ALL
from ..probes import BEYOND, INJECTION, OTHERS, OWN, TRAINED, UNTRAINED
from . import style
from .style import Width

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

_GROUP_NAMES = {
    "own": "Own specialty's terms",
    "other": "Other specialties' terms",
    "terms": "All terms",
    "placebo": "Placebo words",
}
_CONTRAST_NAMES = {
    "terms_minus_placebo": "Terms − placebo",
    "own_minus_other": "Own − other terms",
    "own_adapter_minus_others": "Own terms: own − other adapters",
}


_PITCH: dict[Width, float] = {"page": 0.36, "column": 0.3}
"""Inches from row to row where a row holds several points."""


def term_shift_forest(table: pd.DataFrame, axes: Axes, key: dict[str, str], width: Width = "page") -> "Figure":
    """Shift of own terms, other terms and placebos for each train set, and the contrasts between them.

    Args:
        table: `term_shift.table`.
        axes: The grid, for the order of rows.
        key: `model`, `recipe`, `context` and `scope` to draw.
        width: Of the figure.
    """
    cells = style.select(table, {**key, "measure": "mean", "seed": ALL})
    own, controls = style.own_and_controls(axes)
    tops = style.positions([own, [ALL], controls], gap=0.4)
    with style.context():
        height = 1.6 + _PITCH[width] * max(tops.values())
        figure, panels = style.side_by_side(width, height, len(_GROUP_NAMES) + len(_CONTRAST_NAMES))
        _forest(panels[0], cells, tops, _GROUP_NAMES, width)
        _forest(panels[1], cells, tops, _CONTRAST_NAMES, width)
        style.legend_above(figure, panels, ["Shift against base", "Contrasts"], width)
        style.row_labels(panels[0], tops, [style.label(name, axes) for name in tops], width)
        panels[0].get_yticklabels()[len(own)].set_fontweight("bold")
        note = (
            "Nats per token; mean over questions, errors clustered by question and word "
            f"({style.count(cells['n_seeds'].iloc[0], 'seed')}). All: the specialties' train sets together. "
            "Placebo: matched words of the same questions that are not terms. Contrasts are taken within a question."
        )
        style.add_title_and_note(figure, style.title(key, "term shift"), note)
    return figure


def _forest(panel: "Panel", cells: pd.DataFrame, tops: dict[str, float], names: dict[str, str], width: Width) -> None:
    """Points with intervals: one row a train set, one colour and marker a group."""
    step = 0.62 / max(len(names) - 1, 1)
    for i, (group, name) in enumerate(names.items()):
        rows = cells[cells["group"] == group].set_index("train_set").reindex(list(tops)).dropna(subset="shift")
        at = np.array([tops[train_set] for train_set in rows.index]) - 0.31 + i * step
        spread = (rows["shift"] - rows["low"], rows["high"] - rows["shift"])
        panel.errorbar(rows["shift"], at, xerr=spread, label=name, **style.POINT, **_look(group))
    style.add_bands(panel, tops)
    style.x_label(panel, "Shift of log-probability (nats per token)", 0.36, width)


def _look(group: str) -> dict[str, Any]:
    names = [*_GROUP_NAMES, *_CONTRAST_NAMES]
    at = names.index(group)
    return {"color": style.COLOURS[at], "marker": style.MARKERS[at]}


def diagonal_forest(diagonal: pd.DataFrame, axes: Axes, key: dict[str, str], width: Width = "page") -> "Figure":
    """What the own adapter adds on each test specialty and over all, in points, and whether it is the best.

    Args:
        diagonal: `effect_tables.diagonal`.
        axes: The grid, for the order of rows.
        key: `model`, `recipe` and `method` to draw.
        width: Of the figure.
    """
    rows = style.select(diagonal, key).set_index("test_specialty")
    tops = style.positions([axes.specialties, [ALL]], gap=0.4)
    with style.context():
        figure, panel = style.new_figure(width, 1.4 + 0.24 * max(tops.values()))
        style.add_bands(panel, tops)
        for name, top in tops.items():
            _draw_advantage(panel, rows.loc[name], top, width)
        font = style.FONT[width]
        legend = panel.legend(handles=_once(panel), loc="lower left", bbox_to_anchor=(0, 1), fontsize=font)
        legend.set_alignment("left")
        names = [f"{style.label(name, axes)} (n={rows.loc[name, 'n_questions']})" for name in tops]
        style.row_labels(panel, tops, names, width)
        panel.get_yticklabels()[-1].set_fontweight("bold")
        place: dict[str, Any] = {"transform": panel.get_yaxis_transform(), "va": "center", "fontsize": font}
        panel.text(1.02, -0.85, "Own the best?", fontweight="bold", **place)
        style.x_label(panel, "Points of accuracy", 0.4, width)
        note = (
            "All: specialty knowledge, with the error of train sets and questions "
            f"({style.count(rows['n_seeds'].iloc[0], 'seed')}); none for a single specialty where there are too few. "
            "Own the best: against the best of the others; not by the margin: by less than what matters, if at all."
        )
        style.add_title_and_note(figure, style.title(key, "own adapter"), note)
    return figure


_ADVANTAGES = {
    "own": ("advantage", "low", "high", "Beyond train set and test specialty", -0.15),
    "other": ("own_minus_best", "best_low", "best_high", "Own minus the best of the others", 0.15),
}
"""How each is drawn: estimate and bounds (columns of `effect_tables.diagonal`), name, and place within the row."""


def _draw_advantage(panel: "Panel", row: pd.Series, top: float, width: Width) -> None:
    for look, (estimate, low, high, name, offset) in _ADVANTAGES.items():
        if np.isfinite(row[estimate]):
            spread = 100 * np.array([[row[estimate] - row[low]], [row[high] - row[estimate]]])
            known = spread if np.isfinite(spread).all() else None
            at = {"xerr": known, "label": name, **style.POINT, **_look(look)}
            panel.errorbar([100 * row[estimate]], [top + offset], **at)
    answer = {"not better by more than the margin": "not by the margin"}.get(row["answer"], row["answer"])
    shown = answer if isinstance(answer, str) else ""
    at = {"transform": panel.get_yaxis_transform(), "va": "center", "fontsize": style.FONT[width]}
    panel.text(1.02, top, shown, **at)


def _once(panel: "Panel") -> list[Any]:
    """One handle for each name in a panel that draws its points one by one."""
    handles, names = panel.get_legend_handles_labels()
    return list(dict(zip(reversed(names), reversed(handles), strict=True)).values())[::-1]


_PROBE_GROUPS = {
    (TRAINED, OWN): "Trained on, own adapter",
    (TRAINED, OTHERS): "Trained on, others",
    (UNTRAINED, OWN): "Never trained on, own adapter",
    (UNTRAINED, OTHERS): "Never trained on, others",
}
_PROBE_CONTRAST = {(INJECTION, BEYOND): "Own − others, trained − never trained on"}


def probes_forest(table: pd.DataFrame, axes: Axes, key: dict[str, str], width: Width = "page") -> "Figure":
    """Facts asked another way: change against base by form and specialty, and what is left for facts trained on.

    Args:
        table: `probes.table`.
        axes: The grid, for the order of rows.
        key: `model`, `recipe` and `method` to draw.
        width: Of the figure.
    """
    rows = style.select(table, key)
    rows = rows.assign(row=rows["form"].where(rows["form"] != ALL, rows["specialty"]))
    tops = style.positions([[ALL], [f for f in rows["form"].unique() if f != ALL], axes.specialties], gap=0.4)
    with style.context():
        height = 1.4 + _PITCH[width] * max(tops.values())
        figure, panels = style.side_by_side(width, height, len(_PROBE_GROUPS) + len(_PROBE_CONTRAST))
        _probe_panel(panels[0], rows, tops, _PROBE_GROUPS, width)
        _probe_panel(panels[1], rows, tops, _PROBE_CONTRAST, width)
        style.legend_above(figure, panels, ["Change against base", "Facts learned"], width)
        style.row_labels(panels[0], tops, [style.label(name, axes) for name in tops], width)
        panels[0].get_yticklabels()[0].set_fontweight("bold")
        n = rows.loc[rows["row"] == ALL, "n_facts"].iloc[0]
        note = (
            f"{n} facts trained on and as many of the same specialties that no train set has, each asked in "
            f"{style.count(rows['form'].nunique() - 1, 'other form')}; intervals over facts. Facts learned: what the "
            "own adapter adds beyond the others', on facts trained on beyond the rest. No interval below 10 facts."
        )
        style.add_title_and_note(figure, style.title(key, "probes"), note)
    return figure


def _probe_panel(
    panel: "Panel", rows: pd.DataFrame, tops: dict[str, float], groups: dict[tuple[str, str], str], width: Width
) -> None:
    step = 0.62 / max(len(groups) - 1, 1)
    for i, ((facts, adapter), name) in enumerate(groups.items()):
        own = rows[(rows["facts"] == facts) & (rows["adapter"] == adapter)].set_index("row").reindex(list(tops))
        own = own.dropna(subset="estimate")
        at = np.array([tops[row] for row in own.index]) - (0.31 if len(groups) > 1 else 0) + i * step
        spread = 100 * np.array([own["estimate"] - own["low"], own["high"] - own["estimate"]])
        colour = style.COLOURS[i // 2 if len(groups) > 1 else 2]
        look: dict[str, Any] = {"color": colour, "marker": style.MARKERS[i % 2]}
        panel.errorbar(100 * own["estimate"], at, xerr=spread, label=name, **style.POINT, **look)
    style.add_bands(panel, tops)
    style.x_label(panel, "Accuracy (points)", 0.36, width)


def position_bias(table: pd.DataFrame, axes: Axes, key: dict[str, str], width: Width = "page") -> "Figure":
    """Recall by letter and flip rate, of the base model and of every train set's adapters.

    Args:
        table: `position_bias.table`.
        axes: The grid, for the order of rows.
        key: `model`, `recipe` and `method` to draw.
        width: Of the figure.
    """
    held = table[(table["model"] == key["model"]) & (table["method"] == key["method"])]
    held = held[held["recipe"].isin([BASE, key["recipe"]])]
    own, controls = style.own_and_controls(axes)
    tops = style.positions([[BASE], own, controls], gap=0.4)
    with style.context():
        height = 1.4 + 0.26 * max(tops.values())
        figure, panels = style.new_figure(width, height, ncols=2, sharey=True, width_ratios=(3, 1))
        for panel in panels:
            style.add_bands(panel, tops)
        letters = list(held["letter"].unique())
        for i, letter in enumerate(letters):
            rows = held[held["letter"] == letter].set_index("train_set").reindex(list(tops))
            at = np.array(list(tops.values())) + 0.22 * (i / max(len(letters) - 1, 1) * 2 - 1)
            spread = 100 * np.array([rows["recall"] - rows["recall_low"], rows["recall_high"] - rows["recall"]])
            look = {"color": style.COLOURS[i % len(style.COLOURS)], "marker": style.MARKERS[i % len(style.MARKERS)]}
            panels[0].errorbar(100 * rows["recall"], at, xerr=spread, label=letter, **style.POINT, **look)
        whole = held.drop_duplicates("train_set").set_index("train_set").reindex(list(tops))
        panels[1].plot(100 * whole["flip_rate"], list(tops.values()), "o", color="black", markersize=3.5)
        style.row_labels(panels[0], tops, [style.label(name, axes) for name in tops], width)
        style.x_label(panels[0], "Recall where the right option stands at a letter (%)", 0.5, width)
        style.x_label(panels[1], "Flip rate (%)", 0.18, width)
        panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(letters), 5), columnspacing=1)
        orders = style.count(int(whole["permutations"].iloc[0]), "order")
        note = (
            f"n={whole['n_questions'].iloc[0]} questions in {orders}. "
            "Without position bias the letters of a row agree. Flip rate: questions whose answer depends on the order."
        )
        style.add_title_and_note(figure, style.title(key, "position bias"), note)
    return figure
