"""Heatmaps: train set by test specialty, and train set by the specialty of the terms."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...core import specialties
from ...core.adapters import Axes
from ...core.base_rows import BASE, BASE_ROWS, BEST_PROMPT, FEW_SHOT
from ...questions.test_set import ALL
from ..adapter_checks import FLAGS
from ..formatting import signed
from . import style
from .style import Width

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

_STARS_NOTE = "* the interval excludes zero; ** and q < 0.05 over the grid. Outlined: own specialty."
_SIGNS_NOTE = "+ or −: the interval excludes zero; with *: and q < 0.05 over the grid. Outlined: own specialty."

_REFERENCES = {
    BASE: "the base model",
    FEW_SHOT: "the few-shot base model",
    BEST_PROMPT: "the base model with its best prompt",
}


@dataclass(frozen=True)
class _Cells:
    """What a heatmap shows.

    Attributes:
        values: What the colours say.
        texts: What may be written in the cells, the fullest first; the last is only signs.
        rows: Groups of rows.
        columns: Groups of columns.
        n: By column, the number of questions or terms.
        warned: Rows that carry a warning.
    """

    values: pd.DataFrame
    texts: list[pd.DataFrame]
    rows: list[list[str]]
    columns: list[list[str]]
    n: "pd.Series[int]"
    warned: list[str]


@dataclass(frozen=True)
class _Words:
    """What is written around a heatmap."""

    title: str
    row_title: str
    column_title: str
    bar: str
    note: str
    more: str = ""
    """What comes after the explanation of the stars."""


def transfer_heatmap(
    matrix: pd.DataFrame, checks: pd.DataFrame, axes: Axes, key: dict[str, str], colours: str, width: Width = "page"
) -> "Figure":
    """Change of accuracy against base, in points: train set x test specialty; on top, the base model's accuracy.

    Args:
        matrix: `transfer.matrix`.
        checks: `adapter_checks.table`: broken adapters carry a warning.
        axes: The grid, for the order of rows and columns.
        key: `model`, `recipe` and `method` to draw.
        colours: A diverging colour map.
        width: Of the figure.
    """
    held = matrix[(matrix["model"] == key["model"]) & (matrix["method"] == key["method"])]
    cells = held[(held["recipe"] == key["recipe"]) | held["train_set"].isin(BASE_ROWS)]
    return _changes(cells, _accuracies(matrix, key, BASE), checks, axes, key, BASE, colours, width)


def against_heatmap(
    matrix: pd.DataFrame,
    changes: pd.DataFrame,
    checks: pd.DataFrame,
    axes: Axes,
    key: dict[str, str],
    reference: str,
    colours: str,
    width: Width = "page",
) -> "Figure":
    """Change of accuracy against a control or a base row, as `transfer_heatmap`; on top, the reference's accuracy.

    Args:
        matrix: `transfer.matrix`, for accuracies.
        changes: `references.table`.
        checks: `adapter_checks.table`: broken adapters carry a warning.
        axes: The grid, for the order of rows and columns.
        key: `model`, `recipe` and `method` to draw.
        reference: What all rows are compared with.
        colours: A diverging colour map.
        width: Of the figure.
    """
    cells = style.select(changes, {**key, "against": reference})
    seeds = style.select(matrix, key)["n_seeds"].max()
    own = _accuracies(matrix, key, reference)
    return _changes(cells.assign(n_seeds=seeds), own, checks, axes, key, reference, colours, width)


def _accuracies(matrix: pd.DataFrame, key: dict[str, str], row: str) -> pd.DataFrame:
    """The rows of the transfer matrix of a train set or base row, by test specialty."""
    recipe = BASE if row in (BASE, *BASE_ROWS) else key["recipe"]
    return style.select(matrix, {**key, "recipe": recipe, "train_set": row}).set_index("test_specialty")


def _changes(
    cells: pd.DataFrame,
    own: pd.DataFrame,
    checks: pd.DataFrame,
    axes: Axes,
    key: dict[str, str],
    reference: str,
    colours: str,
    width: Width,
) -> "Figure":
    """Changes against one row, under the accuracies of that row itself (`own`)."""
    asked = [row for row in BASE_ROWS if row != reference and (cells["train_set"] == row).any()]
    trained = [[name for name in group if name != reference] for group in style.own_and_controls(axes)]
    rows, warned = [[reference, *asked], *trained], _warned(checks, key)
    scaled = cells.assign(**{name: 100 * cells[name] for name in ("change", "change_low", "change_high")})
    shown = _Cells(
        values=_wide(scaled, "change", "test_specialty").reindex([name for group in rows for name in group]),
        texts=_under_accuracies(scaled, reference, 100 * own["accuracy"]),
        rows=rows,
        columns=[axes.specialties, [ALL]],
        n=own["n_questions"],
        warned=list(warned),
    )
    what = _REFERENCES.get(reference, f"the adapters of {reference}")
    note = (
        f"Points of accuracy gained or lost against {what}, whose own accuracy in % is the top row; brackets: "
        "interval. n: test questions. Mean of "
        f"{style.count(cells['n_seeds'].max(), 'seed')}."
    )
    reasons = "; ".join(f"{style.label(name, axes)}: {reason}" for name, reason in warned.items())
    more = f"⚠ An adapter failed a check of its training. {reasons}." if warned else ""
    title = style.title(key, "transfer" if reference == BASE else f"transfer against {reference}")
    words = _Words(title, "Fine-tuned on", "Tested on", f"Change against {reference} (points)", note, more)
    return _heatmap(shown, words, axes, colours, 5, width)


def _under_accuracies(points: pd.DataFrame, reference: str, accuracies: "pd.Series[float]") -> list[pd.DataFrame]:
    """What may stand in each cell, under a row of the reference's accuracies in percent."""
    texts = _texts(points, ("change", "change_low", "change_high", "q"), "test_specialty", 0)
    for i, table in enumerate(texts):
        table.loc[reference] = accuracies.map("{:.0f}".format if i == len(texts) - 1 else "{:.0f}%".format)
    return texts


def _warned(checks: pd.DataFrame, key: dict[str, str]) -> dict[str, str]:
    """Train sets with a broken adapter, and what is wrong."""
    own = style.select(checks, {name: key[name] for name in ("model", "recipe", "method")})
    reasons = {}
    for train_set, seeds in own.groupby("train_set", sort=False):
        flags = {flag for text in seeds.loc[seeds["broken"].astype(bool), "flags"] for flag in str(text).split()}
        if flags:
            broken, whole = int(seeds["broken"].astype(bool).sum()), len(seeds)
            reasons[str(train_set)] = (
                f"{'; '.join(FLAGS[flag] for flag in FLAGS if flag in flags)} ({broken} of {whole})"
            )
    return reasons


def term_shift_grid(
    grid: pd.DataFrame, axes: Axes, key: dict[str, str], colours: str, width: Width = "page"
) -> "Figure":
    """Shift of the log-probability of terms, by train set and by the specialty of the terms.

    Args:
        grid: `term_shift.grid_table`.
        axes: The grid, for the order of rows and columns.
        key: `model`, `recipe`, `context` and `scope` to draw.
        colours: A diverging colour map.
        width: Of the figure.
    """
    cells = style.select(grid, key)
    own, controls = style.own_and_controls(axes)
    shown = _Cells(
        values=_wide(cells, "shift", "term_specialty").reindex([*own, *controls]),
        texts=_texts(cells, ("shift", "low", "high", "q"), "term_specialty", 2),
        rows=[own, controls],
        columns=[axes.specialties],
        n=cells.drop_duplicates("term_specialty").set_index("term_specialty")["n_mentions"],
        warned=[],
    )
    note = "Change of the mean log-probability per token against the base model; brackets: interval. n: mentions."
    title = style.title(key, "term shift")
    words = _Words(title, "Fine-tuned on", "Terms of", "Shift against base (nats per token)", note)
    return _heatmap(shown, words, axes, colours, 0.05, width)


def _wide(cells: pd.DataFrame, value: str, column: str) -> pd.DataFrame:
    return cells.pivot(index="train_set", columns=column, values=value)


def _texts(cells: pd.DataFrame, names: tuple[str, str, str, str], column: str, digits: int) -> list[pd.DataFrame]:
    """What may stand in each cell, the fullest first: with the interval, without it, and only a sign."""
    value, low, high, q = (_wide(cells, name, column) for name in names)
    excludes = (low > 0) | (high < 0)
    stars = excludes.astype(int).add((excludes & (q < style.LEVEL)).astype(int)).map(lambda n: "*" * n)
    number = value.map(lambda v: signed(v, digits))
    interval = low.map(lambda v: f"[{signed(v, digits)}, ") + high.map(lambda v: f"{signed(v, digits)}]")
    interval = interval.where(low.notna() & high.notna(), "")
    sign = value.map(lambda v: signed(v, 9)[:1]).where(excludes, "") + stars.map(lambda s: s[1:])
    return [
        (number + stars + " " + interval).map(str.rstrip),
        (number + stars + "\n" + interval).map(str.rstrip),
        number + stars,
        (number + "\n" + stars).map(str.rstrip),
        sign,
    ]


@dataclass(frozen=True)
class _Layout:
    """Sizes in inches: of a cell, of the room left of and above the cells; and the texts that fit."""

    cell: tuple[float, float]
    left: float
    top: float
    texts: pd.DataFrame
    size: float
    row_labels: dict[str, str]
    column_labels: dict[str, str]
    slanted: bool
    only_signs: bool


def _heatmap(cells: _Cells, words: _Words, axes: Axes, colours: str, floor: float, width: Width) -> "Figure":
    """Cells with their text, groups of rows and columns set apart, the diagonal outlined.

    `floor` is the least value that the colour scale spans, so that noise around zero stays pale.
    """
    tops, lefts = style.positions(cells.rows, gap=0.3), style.positions(cells.columns, gap=0.3)
    norm, cmap = _diverging(cells.values, colours, floor)
    with style.context():
        layout = _layout(cells, words, axes, tops, lefts, width)
        note = " ".join([words.note, _SIGNS_NOTE if layout.only_signs else _STARS_NOTE, words.more]).rstrip()
        figure, panel, below = _panel(layout, tops, lefts, words.title, note, width)
        for row, top in tops.items():
            for column, left in lefts.items():
                value, text = cells.values.loc[row, column], layout.texts.loc[row, column]
                _cell(panel, left, top, value, text, layout.size, norm, cmap)
        for column, left in lefts.items():
            if column != ALL and (row := specialties.slug(column)) in tops:
                panel.add_patch(_box(left, tops[row], facecolor="none", edgecolor="black", linewidth=1.2, zorder=3))
        _axis_labels(panel, layout, tops, lefts, words, width)
        _colour_bar(below, norm, cmap, words.bar, width)
    return figure


def _layout(
    cells: _Cells, words: _Words, axes: Axes, tops: dict[str, float], lefts: dict[str, float], width: Width
) -> _Layout:
    font = style.FONT[width]
    names = {row: ("⚠ " if row in cells.warned else "") + style.label(row, axes) for row in tops}
    row_lines = {row: style.wrap(name, 0.2 * style.INCHES[width], font) for row, name in names.items()}
    corner = [f"{words.column_title} →", f"{words.row_title} ↓"]
    left = 0.1 + max(
        style.text_width(line, font) for line in [*corner, *(x for lines in row_lines.values() for x in lines)]
    )
    cell = (style.INCHES[width] - left - 0.05) / (max(lefts.values()) + 1.1)
    written = [cells.texts[i] for i in range(len(cells.texts))]
    at, size = _fitting([_shown(table, tops, lefts) for table in written], cell - 0.04, font)
    lines = max(text.count("\n") + 1 for text in _shown(written[at], tops, lefts))
    taken = max(style.line_height(size, lines), max(style.line_height(font, len(x)) for x in row_lines.values()))
    n = {column: f"n={cells.n[column]}" for column in lefts}
    level = {column: [*style.wrap(style.label(column, axes), cell - 0.04, font), n[column]] for column in lefts}
    slanted = any(style.text_width(line, font) > cell - 0.02 for lines in level.values() for line in lines)
    upright = {column: f"{style.label(column, axes)} ({n[column]})" for column in lefts}
    high = max(style.text_width(text, font) for text in upright.values()) if slanted else 0
    top = high or max(style.line_height(font, len(lines)) for lines in level.values())
    return _Layout(
        cell=(cell, taken + 0.06),
        left=left,
        top=max(top + 0.06, style.line_height(font, 2) + 0.06),
        texts=written[at],
        size=size,
        row_labels={row: "\n".join(lines) for row, lines in row_lines.items()},
        column_labels=upright if slanted else {column: "\n".join(lines) for column, lines in level.items()},
        slanted=slanted,
        only_signs=at == len(written) - 1,
    )


def _shown(table: pd.DataFrame, tops: dict[str, float], lefts: dict[str, float]) -> list[str]:
    """All texts of the cells drawn, without those that are missing."""
    return [
        text
        for text in table.reindex(index=list(tops), columns=list(lefts)).to_numpy().ravel()
        if isinstance(text, str)
    ]


def _fitting(candidates: list[list[str]], inches: float, font: float) -> tuple[int, float]:
    """The first list of texts whose lines are no wider, and the size in which they are not; else the last."""
    for i, texts in enumerate(candidates):
        for size in (font, style.SMALL):
            if max(style.text_width(line, size) for text in texts for line in text.split("\n")) <= inches:
                return i, size
    return len(candidates) - 1, style.SMALL


def _panel(
    layout: _Layout, tops: dict[str, float], lefts: dict[str, float], title: str, note: str, width: Width
) -> tuple["Figure", "Panel", "Panel"]:
    """A figure with its title and note, a panel whose cells have their size, and a place for the colour bar."""
    from matplotlib.figure import Figure

    x, y = (-0.55, max(lefts.values()) + 0.55), (max(tops.values()) + 0.55, -0.55)
    wide, high = layout.cell[0] * (x[1] - x[0]), layout.cell[1] * (y[0] - y[1])
    inches = style.INCHES[width]
    titles, notes = style.wrap(title, 0.98 * inches, 8, "bold"), style.wrap(note, 0.98 * inches, style.SMALL)
    bottom = style.line_height(style.SMALL, len(notes)) + 0.08
    bar = bottom + 0.34
    whole = bar + 0.2 + high + layout.top + 0.1 + style.line_height(8, len(titles))
    figure = Figure(figsize=(inches, whole))
    panel = figure.add_axes((layout.left / inches, (bar + 0.2) / whole, wide / inches, high / whole), xlim=x, ylim=y)
    below = figure.add_axes((layout.left / inches, bar / whole, min(2.4, wide) / inches, 0.08 / whole))
    figure.text(0.01, 1, "\n".join(titles), va="top", fontsize=8, fontweight="bold", linespacing=style.LINE_SPACING)
    look: Any = {"va": "bottom", "fontsize": style.SMALL, "color": "0.3", "linespacing": 1.2}
    figure.text(0.01, 0, "\n".join(notes), **look)
    return figure, panel, below


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
    panel: "Panel",
    left: float,
    top: float,
    value: float,
    text: object,
    size: float,
    norm: "Normalize",
    cmap: "Colormap",
) -> None:
    face = "0.94" if np.isnan(value) else cmap(norm(value))
    panel.add_patch(_box(left, top, facecolor=face, edgecolor="white", linewidth=0.6))
    written = text if isinstance(text, str) else ""
    look: Any = {"ha": "center", "va": "center_baseline" if "\n" not in written else "center", "linespacing": 1.05}
    panel.text(left, top, written, fontsize=size, color=_ink(face), **look)


def _ink(face: Any) -> str:
    """Black or white, whichever is read more easily on a colour (relative luminance of sRGB)."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(face)
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else "white"


def _axis_labels(
    panel: "Panel", layout: _Layout, tops: dict[str, float], lefts: dict[str, float], words: _Words, width: Width
) -> None:
    font = style.FONT[width]
    panel.set_yticks(list(tops.values()), list(layout.row_labels.values()), fontsize=font, linespacing=1.0)
    panel.set_xticks([])
    panel.tick_params(length=0)
    place: Any = {"textcoords": "offset points", "annotation_clip": False, "va": "bottom"}
    for column, left in lefts.items():
        turned: Any = {"rotation": 90 if layout.slanted else 0, "ha": "center", "fontsize": font}
        panel.annotate(layout.column_labels[column], (left, -0.5), (0, 3), **turned, **place)
    corner = f"{words.column_title} →\n{words.row_title} ↓"
    panel.annotate(corner, (-0.55, -0.5), (-3, 3), ha="right", fontsize=font, color="0.3", **place)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _colour_bar(panel: "Panel", norm: "Normalize", cmap: "Colormap", label: str, width: Width) -> None:
    from matplotlib.cm import ScalarMappable

    bar = panel.figure.colorbar(ScalarMappable(norm, cmap), cax=panel, orientation="horizontal")
    bar.outline.set_visible(False)
    digits = 0 if float(norm(1) - norm(0)) < 0.125 else 2
    bar.ax.tick_params(labelsize=style.SMALL, length=2, pad=1)
    bar.set_label(label, fontsize=style.FONT[width], labelpad=1)
    bar.ax.xaxis.set_major_locator(_few_ticks())
    bar.ax.xaxis.set_major_formatter(lambda value, _: signed(value, digits))


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5)
