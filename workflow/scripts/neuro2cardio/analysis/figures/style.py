"""What all figures share: the style file, widths, labels, how texts are broken to fit, and how a figure is saved."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ...core import specialties
from ...core.adapters import Axes
from ...core.base_rows import BASE
from ...core.files import atomic_write
from ...questions.test_set import ALL
from ..formatting import MINUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("neuro2cardio.mplstyle")
Width = Literal["page", "column"]
INCHES: dict[Width, float] = {"page": 7.0, "column": 3.3}
"""The width of a figure over a page, and of one in a column of two, exactly as it is saved."""
FONT: dict[Width, float] = {"page": 7, "column": 6}
"""Size of labels in points; notes have `SMALL` everywhere."""
SMALL = 6
LINE_SPACING = 1.25
"""Height of a line of text, in its size."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Those of the style file."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
LINES = ("-", "--", ":", "-.")
POINT: dict[str, Any] = {"linestyle": "none", "markersize": 3.5, "elinewidth": 1.0, "capsize": 0}
"""How a point with its interval is drawn."""
LEVEL = 0.05
"""Of the tests over a whole grid."""


def context() -> AbstractContextManager[None]:
    """In which figures are made: the style file alone, whatever the user's own matplotlib is set to."""
    import matplotlib

    return matplotlib.rc_context(fname=STYLE)


def save(figure: "Figure", path: Path, formats: Sequence[str]) -> None:
    """Write a figure beside ``path`` in each format, without the dates that would make equal figures differ.

    It keeps its width, so that its fonts have their size in print; its height is that of what is drawn.
    """
    from matplotlib.transforms import Bbox

    dateless = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}}
    with context():
        # The layout is made when a figure is drawn, and the box must be that of what it makes.
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()
        box = Bbox.from_extents(0, drawn.y0 - 0.05, figure.get_figwidth(), drawn.y1 + 0.05)
        for suffix in formats:
            with atomic_write(path.with_name(f"{path.name}.{suffix}")) as part:
                figure.savefig(part, bbox_inches=box, metadata=dateless[suffix])


def new_figure(width: Width, height: float, **grid: Any) -> tuple["Figure", Any]:
    """A figure (height in inches) and its panels, without pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(INCHES[width], height), layout="constrained")
    return figure, figure.subplots(**grid)


def side_by_side(
    width: Width, height: float, n_names: int, ratios: tuple[float, float] = (1, 1)
) -> tuple["Figure", list["Panel"]]:
    """A figure of two panels that share their rows; in a column with room above for so many names of a legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(INCHES[width], height), layout="constrained")
    if width == "page":
        return figure, list(figure.subplots(ncols=2, sharey=True, width_ratios=ratios))
    figure.set_figheight(height + line_height(FONT[width], n_names))
    grid = figure.add_gridspec(2, 2, height_ratios=(line_height(FONT[width], n_names), height), width_ratios=ratios)
    left = figure.add_subplot(grid[1, 0])
    right = figure.add_subplot(grid[1, 1], sharey=left)
    right.tick_params(labelleft=False)
    return figure, [left, right]


@cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Inches that a line of text takes, from its glyphs' widths: their outlines take fifty times as long."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans", weight=weight, size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72)


def line_height(size: float, lines: int = 1) -> float:
    """Inches that so many lines of text take."""
    return lines * size * LINE_SPACING / 72


def wrap(text: str, inches: float, size: float, weight: str = "normal") -> list[str]:
    """A text in lines of at most this width, broken at blanks and hyphens; only a longer word is wider."""
    lines = [""]
    # The pattern also matches nothing, at the end.
    for part in filter(None, re.findall(r"[^\s-]*-?\s*", text)):
        if lines[-1] and text_width((lines[-1] + part).rstrip(), size, weight) > inches:
            lines.append("")
        lines[-1] += part
    return [line.rstrip() for line in lines]


def label(name: str, axes: Axes) -> str:
    """How a train set or specialty is written in a figure."""
    own = {specialties.slug(specialty): specialty for specialty in axes.specialties}
    known = {**own, ALL: "All", BASE: "Base model"}
    return name if name in axes.specialties else known.get(name, name.capitalize())


def row_labels(panel: "Panel", tops: dict[str, float], texts: Sequence[str], width: Width) -> None:
    """Write what each row is, in lines short enough to leave room for the panel."""
    lines = ["\n".join(wrap(text, 0.24 * INCHES[width], FONT[width])) for text in texts]
    panel.set_yticks(list(tops.values()), lines, fontsize=FONT[width], linespacing=1.0)


def x_label(panel: "Panel", text: str, share: float, width: Width) -> None:
    """Write what an axis shows, in lines as wide as the panel's share of the figure."""
    panel.set_xlabel("\n".join(wrap(text, share * INCHES[width], FONT[width])), fontsize=FONT[width])
    panel.tick_params(axis="x", labelsize=FONT[width])


def select(table: pd.DataFrame, key: dict[str, str]) -> pd.DataFrame:
    """The rows whose columns have these values."""
    return table[np.logical_and.reduce([table[name] == value for name, value in key.items()])]


def own_and_controls(axes: Axes) -> tuple[list[str], list[str]]:
    """The train sets of the grid's specialties, in their order, and the other train sets."""
    own = [axes.train_set[row] for row in axes.specialty_rows]
    return own, [name for name in axes.train_set if name not in own]


def title(key: dict[str, str], what: str) -> str:
    """The title of a figure: what it shows, and for which model, recipe and so on."""
    return f"{what.capitalize()}: {' · '.join(str(value) for value in key.values())}"


def count(n: int, thing: str) -> str:
    """A number with its noun, in the singular or plural."""
    return f"{n} {thing}{'' if n == 1 else 's'}"


def positions(groups: list[list[str]], gap: float) -> dict[str, float]:
    """The centre of each row or column, in cells, with a gap between groups."""
    places: dict[str, float] = {}
    at = 0.0
    for group in groups:
        for name in group:
            places[name] = at
            at += 1
        at += gap if group else 0
    return places


def add_title_and_note(figure: "Figure", title: str, note: str) -> None:
    """Add a title above a figure and a note in small print below it, both broken to its width."""
    inches = 0.98 * figure.get_figwidth()
    figure.suptitle("\n".join(wrap(title, inches, 8, "bold")), x=0.01, ha="left")
    lines = wrap(note, inches, SMALL)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=SMALL, color="0.3", linespacing=LINE_SPACING)


def legend_above(figure: "Figure", panels: Sequence["Panel"], titles: Sequence[str], width: Width) -> None:
    """A legend above each panel; in a column one above all of them, since the names are wider than the panels."""
    if width == "column":
        handles = [each for panel in panels for each in panel.get_legend_handles_labels()[0]]
        for panel, title in zip(panels, titles, strict=True):
            panel.set_title("\n".join(wrap(title, 0.36 * INCHES[width], FONT[width], "bold")), fontsize=FONT[width])
        grid = panels[0].get_gridspec()
        assert grid is not None
        above = figure.add_subplot(grid[0, :])
        above.set_axis_off()
        above.legend(handles=handles, loc="upper left", borderpad=0, fontsize=FONT[width])
        return
    for panel, title in zip(panels, titles, strict=True):
        legend = panel.legend(loc="lower left", bbox_to_anchor=(0, 1), title=title)
        legend.set_alignment("left")
        legend.get_title().set_fontweight("bold")


def add_bands(panel: "Panel", tops: dict[str, float]) -> None:
    """Add a pale band for each row and a line at zero; remove the left spine."""
    panel.axvline(0, color="0.3", linewidth=0.8, zorder=0)
    for top in tops.values():
        panel.axhspan(top - 0.48, top + 0.48, color="0.965", zorder=-1, linewidth=0)
    panel.set_ylim(max(tops.values()) + 0.6, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", MINUS))
