"""What all figures share: colours, fonts, labels, how a change is written, and how a figure is saved."""

from collections.abc import Sequence
from pathlib import Path
import textwrap
from typing import TYPE_CHECKING, Any

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

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "neuro2cardio",
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
}
"""Matplotlib settings of every figure."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito 2008, distinguishable with colour blindness."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
POINT: dict[str, Any] = {"linestyle": "none", "markersize": 3.5, "elinewidth": 1.0, "capsize": 0}
"""How a point with its interval is drawn."""
LEVEL = 0.05
"""Of the tests over a whole grid."""


def save(figure: "Figure", path: Path, formats: Sequence[str]) -> None:
    """Write a figure beside ``path`` in each format, without the dates that would make equal figures differ."""
    import matplotlib

    dateless = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}}
    with matplotlib.rc_context(STYLE):
        for suffix in formats:
            with atomic_write(path.with_name(f"{path.name}.{suffix}")) as part:
                figure.savefig(part, bbox_inches="tight", pad_inches=0.05, metadata=dateless[suffix])


def new_figure(width: float, height: float, **grid: Any) -> tuple["Figure", Any]:
    """A figure (inches) and its panels, in the house style and without pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**grid)


def label(train_set: str) -> str:
    """How a train set is written in a figure."""
    return specialties.find(train_set) or {ALL: "All", BASE: "Base model"}.get(train_set, train_set.capitalize())


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
    """Add a title above a figure and a note in small print below it, wrapped to the width of the figure."""
    lines = textwrap.wrap(note, int(figure.get_figwidth() / 0.05))
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=9)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6.5, color="0.3")


def add_bands(panel: "Panel", tops: dict[str, float]) -> None:
    """Add a pale band for each row and a line at zero; remove the left spine."""
    panel.axvline(0, color="0.3", linewidth=0.8, zorder=0)
    for top in tops.values():
        panel.axhspan(top - 0.48, top + 0.48, color="0.965", zorder=-1, linewidth=0)
    panel.set_ylim(max(tops.values()) + 0.6, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", MINUS))
