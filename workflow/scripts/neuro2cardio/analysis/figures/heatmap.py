"""Heatmaps: train set by test specialty, and train set by the specialty of the terms."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...core import specialties
from ...core.adapters import Axes
from ...core.base_rows import BASE
from ...questions.test_set import ALL
from ..formatting import signed
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

_MARGINS = (2.1, 1.1, 0.55, 0.6)
"""Inches around a heatmap: left, right, bottom, top. The column names need additional space at the top."""
_SLANTED_LETTER = 0.04
"""Height in inches that each letter of a slanted column name adds."""
_STARS_NOTE = "* the interval excludes zero; ** and q < 0.05 over the grid. Outlined: own specialty."


def transfer_heatmap(matrix: pd.DataFrame, axes: Axes, key: dict[str, str], colours: str) -> "Figure":
    """Change of accuracy against base, in points: train set x test specialty; on top, the base model's accuracy.

    Args:
        matrix: `transfer.matrix`.
        axes: The grid, for the order of rows and columns.
        key: `model`, `recipe` and `method` to draw.
        colours: A diverging colour map.
    """
    held = matrix[(matrix["model"] == key["model"]) & (matrix["method"] == key["method"])]
    base = held[held["train_set"] == BASE].set_index("test_specialty")
    cells = held[held["recipe"] == key["recipe"]]
    change = _wide(cells, "change", "test_specialty") * 100
    marks = _stars(cells, "change_low", "change_high", "q", "test_specialty")
    texts = change.map(signed) + marks
    texts.loc[BASE] = (base["accuracy"] * 100).map("{:.0f}%".format)
    own, controls = style.own_and_controls(axes)
    note = (
        "Points of accuracy gained or lost against the base model, whose own accuracy is the top row. "
        f"n: test questions. Mean of {style.count(cells['n_seeds'].iloc[0], 'seed')}. {_STARS_NOTE}"
    )
    return _heatmap(
        values=change.reindex([BASE, *own, *controls]),
        texts=texts,
        rows=[[BASE], own, controls],
        columns=[axes.specialties, [ALL]],
        n=base["n_questions"],
        colours=colours,
        floor=5,
        bar="Change against base (points)",
        title=style.title(key, "transfer"),
        row_title="Fine-tuned on",
        column_title="Tested on",
        note=note,
        cell=(0.46, 0.29),
    )


def term_shift_grid(grid: pd.DataFrame, axes: Axes, key: dict[str, str], colours: str) -> "Figure":
    """Shift of the log-probability of terms, by train set and by the specialty of the terms.

    Args:
        grid: `term_shift.grid_table`.
        axes: The grid, for the order of rows and columns.
        key: `model`, `recipe`, `context` and `scope` to draw.
        colours: A diverging colour map.
    """
    cells = style.select(grid, key)
    shift = _wide(cells, "shift", "term_specialty")
    own, controls = style.own_and_controls(axes)
    n = cells.drop_duplicates("term_specialty").set_index("term_specialty")["n_mentions"]
    return _heatmap(
        values=shift.reindex([*own, *controls]),
        texts=shift.map(lambda value: signed(value, 2)) + _stars(cells, "low", "high", "q", "term_specialty"),
        rows=[own, controls],
        columns=[axes.specialties],
        n=n,
        colours=colours,
        floor=0.05,
        bar="Shift against base (nats per token)",
        title=style.title(key, "term shift"),
        row_title="Fine-tuned on",
        column_title="Terms of",
        note=f"Change of the mean log-probability per token against the base model. n: mentions. {_STARS_NOTE}",
        cell=(0.56, 0.29),
    )


def _wide(cells: pd.DataFrame, value: str, column: str) -> pd.DataFrame:
    return cells.pivot(index="train_set", columns=column, values=value)


def _stars(cells: pd.DataFrame, low: str, high: str, q: str, column: str) -> pd.DataFrame:
    """One star where the interval excludes zero, a second where the test holds over the whole grid."""
    excludes = (_wide(cells, low, column) > 0) | (_wide(cells, high, column) < 0)
    holds = excludes & (_wide(cells, q, column) < style.LEVEL)
    return excludes.astype(int).add(holds.astype(int)).map(lambda stars: "*" * stars)


def _heatmap(
    *,
    values: pd.DataFrame,
    texts: pd.DataFrame,
    rows: list[list[str]],
    columns: list[list[str]],
    n: "pd.Series[int]",
    colours: str,
    floor: float,
    bar: str,
    title: str,
    row_title: str,
    column_title: str,
    note: str,
    cell: tuple[float, float],
) -> "Figure":
    """Cells with their text, groups of rows and columns set apart, the diagonal outlined.

    `cell` is a cell's width and height in inches, `floor` the least value that the colour scale spans, so that
    noise around zero stays pale.
    """
    import matplotlib

    tops, lefts = style.positions(rows, gap=0.3), style.positions(columns, gap=0.3)
    norm, cmap = _diverging(values, colours, floor)
    with matplotlib.rc_context(style.STYLE):
        figure, panel = _cell_panel(tops, lefts, cell)
        for row, top in tops.items():
            for column, left in lefts.items():
                _cell(panel, left, top, values.loc[row, column], texts.loc[row, column], norm, cmap)
        for column, left in lefts.items():
            if column != ALL and (row := specialties.slug(column)) in tops:
                panel.add_patch(_box(left, tops[row], facecolor="none", edgecolor="black", linewidth=1.4, zorder=3))
        _heatmap_axes(panel, tops, lefts, n)
        panel.text(-0.75, -1.3, f"{row_title} ↓   {column_title} →", ha="right", va="bottom", color="0.3")
        _colour_bar(panel, norm, cmap, bar)
        style.add_title_and_note(figure, title, note)
    return figure


def _cell_panel(tops: dict[str, float], lefts: dict[str, float], cell: tuple[float, float]) -> tuple["Figure", "Panel"]:
    """A figure with room for labels and a panel whose cells are so many inches wide and high."""
    from matplotlib.figure import Figure

    x, y = (-0.55, max(lefts.values()) + 0.55), (max(tops.values()) + 0.55, -0.55)
    width, height = cell[0] * (x[1] - x[0]), cell[1] * (y[0] - y[1])
    left, right, bottom, top = _MARGINS
    top += _SLANTED_LETTER * max(len(style.label(name)) for name in lefts)
    whole_width, whole_height = left + width + right, bottom + height + top
    figure = Figure(figsize=(whole_width, whole_height))
    place = (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    return figure, figure.add_axes(place, xlim=x, ylim=y)


def _diverging(values: pd.DataFrame, colours: str, floor: float) -> tuple["Normalize", "Colormap"]:
    """A colour scale whose centre is zero and whose ends are equally far from it."""
    import matplotlib
    from matplotlib.colors import Normalize

    reach = max(floor, float(np.nanmax(np.abs(values.to_numpy(dtype=float)), initial=0.0)))
    return Normalize(-reach, reach), matplotlib.colormaps[colours]


def _box(left: float, top: float, **look: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left - 0.5, top - 0.5), 1, 1, **look)


def _cell(
    panel: "Panel", left: float, top: float, value: float, text: str, norm: "Normalize", cmap: "Colormap"
) -> None:
    face = "0.94" if np.isnan(value) else cmap(norm(value))
    panel.add_patch(_box(left, top, facecolor=face, edgecolor="white", linewidth=0.8))
    panel.text(left, top, text, ha="center", va="center", fontsize=7, color=_ink(face))


def _ink(face: Any) -> str:
    """Black or white, whichever is read more easily on a colour (relative luminance of sRGB)."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(face)
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else "white"


def _heatmap_axes(panel: "Panel", tops: dict[str, float], lefts: dict[str, float], n: "pd.Series[int]") -> None:
    panel.set_yticks(list(tops.values()), [style.label(name) for name in tops])
    panel.xaxis.tick_top()
    names = [f"{style.label(name)}" for name in lefts]
    panel.set_xticks(list(lefts.values()), names, rotation=40, ha="left", rotation_mode="anchor")
    panel.tick_params(length=0)
    panel.tick_params(axis="x", pad=12)
    for name, left in lefts.items():
        panel.text(left, -0.62, f"n={n[name]}", ha="center", va="bottom", fontsize=6, color="0.3")
    for spine in panel.spines.values():
        spine.set_visible(False)


def _colour_bar(panel: "Panel", norm: "Normalize", cmap: "Colormap", label: str) -> None:
    from matplotlib.cm import ScalarMappable

    extent = panel.get_window_extent()
    width, height = extent.width / panel.figure.dpi, extent.height / panel.figure.dpi
    box = (1 + 0.15 / width, 0, 0.13 / width, 1)
    bar = panel.figure.colorbar(ScalarMappable(norm, cmap), cax=panel.inset_axes(box))
    bar.outline.set_visible(False)
    digits = 0 if float(norm(1) - norm(0)) < 0.125 else 2
    bar.set_label("\n".join(textwrap.wrap(label, int(height / 0.065))))
    bar.ax.yaxis.set_major_formatter(lambda value, _: signed(value, digits))
