"""The figures, drawn from the result tables alone. Equal tables give equal bytes.

Matplotlib is imported where it is used: rules that only name figures must not pay for it.
"""

from collections.abc import Sequence
import math
from pathlib import Path
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core import specialties
from ..core.adapters import BASE, Axes
from ..core.errors import InputError, nearest
from ..core.files import atomic_write
from ..questions.test_set import ALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

_STYLE: Any = {
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
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito 2008, told apart by the colour-blind."""
_MARGINS = (2.1, 1.1, 0.55, 0.6)
"""Inches around a heatmap: left, right, bottom, top; on top there are the columns' names besides."""
_SLANTED_LETTER = 0.04
"""Inches by which a letter of a column's name raises it."""
_LEVEL = 0.05
_MARKS = "* the interval excludes zero; ** and q < 0.05 over the grid. Outlined: own specialty."
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_POINT: dict[str, Any] = {"linestyle": "none", "markersize": 3.5, "elinewidth": 1.0, "capsize": 0}
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
_KINDS = ("transfer", "diagonal", "position-bias", "term-shift", "term-shift-grid", "training")
Curves = dict[tuple[str, int], pd.DataFrame]
"""`training.csv` by train set and seed."""
_MINUS = "\N{MINUS SIGN}"


def draw(
    name: str,
    tables: dict[str, pd.DataFrame],
    curves: Curves,
    axes: Axes,
    key: dict[str, str],
    scope: str,
    colours: str,
) -> "Figure":
    """Draw one figure of a model and recipe.

    Args:
        name: The figure's file name: what it shows, a dash, and the method or context it shows it for.
        tables: The result tables by file name without suffix.
        curves: `training.csv` by train set and seed.
        axes: The grid.
        key: `model` and `recipe`.
        scope: The lexicon of the primary analysis.
        colours: A diverging colour map.

    Raises:
        InputError: No such figure.
    """
    kind, _, variant = name.rpartition("-")
    by_method, by_context = key | {"method": variant}, key | {"context": variant, "scope": scope}
    match kind:
        case "transfer":
            return transfer_heatmap(tables["transfer_matrix"], axes, by_method, colours)
        case "diagonal":
            return diagonal_forest(tables["diagonal"], axes, by_method)
        case "position-bias":
            return position_bias(tables["position_bias"], axes, by_method)
        case "term-shift":
            return term_shift_forest(tables["term_shift"], axes, by_context)
        case "term-shift-grid":
            return term_shift_grid(tables["term_shift_grid"], axes, by_context, colours)
        case "training":
            return training_curves(curves, axes, key)
    raise InputError(f"unknown figure {name!r}{nearest(kind, _KINDS)}")


def save(figure: "Figure", path: Path, formats: Sequence[str]) -> None:
    """Write a figure beside ``path`` in each format, without the dates that would make equal figures differ."""
    import matplotlib

    dateless = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}}
    with matplotlib.rc_context(_STYLE):
        for suffix in formats:
            with atomic_write(path.with_name(f"{path.name}.{suffix}")) as part:
                figure.savefig(part, bbox_inches="tight", pad_inches=0.05, metadata=dateless[suffix])


def _figure(width: float, height: float, **grid: Any) -> tuple["Figure", Any]:
    """A figure (inches) and its panels, in the house style and without pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**grid)


def _label(train_set: str) -> str:
    """How a train set is written in a figure."""
    return specialties.find(train_set) or {ALL: "All", BASE: "Base model"}.get(train_set, train_set.capitalize())


def signed(value: float, digits: int = 0) -> str:
    """A change as it is written in figures: with its sign, unless it rounds to nothing."""
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("+" if value > 0 else _MINUS) + text


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
    marks = _marks(cells, "change_low", "change_high", "q", "test_specialty")
    texts = change.map(signed) + marks
    texts.loc[BASE] = (base["accuracy"] * 100).map("{:.0f}%".format)
    own, controls = _own_and_controls(axes)
    note = (
        "Points of accuracy gained or lost against the base model, whose own accuracy is the top row. "
        f"n: test questions. Mean of {_count(cells['n_seeds'].iloc[0], 'seed')}. {_MARKS}"
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
        title=_title(key, "transfer"),
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
    cells = _select(grid, key)
    shift = _wide(cells, "shift", "term_specialty")
    own, controls = _own_and_controls(axes)
    n = cells.drop_duplicates("term_specialty").set_index("term_specialty")["n_mentions"]
    return _heatmap(
        values=shift.reindex([*own, *controls]),
        texts=shift.map(lambda value: signed(value, 2)) + _marks(cells, "low", "high", "q", "term_specialty"),
        rows=[own, controls],
        columns=[axes.specialties],
        n=n,
        colours=colours,
        floor=0.05,
        bar="Shift against base (nats per token)",
        title=_title(key, "term shift"),
        row_title="Fine-tuned on",
        column_title="Terms of",
        note=f"Change of the mean log-probability per token against the base model. n: mentions. {_MARKS}",
        cell=(0.56, 0.29),
    )


def _select(table: pd.DataFrame, key: dict[str, str]) -> pd.DataFrame:
    return table[np.logical_and.reduce([table[name] == value for name, value in key.items()])]


def _wide(cells: pd.DataFrame, value: str, column: str) -> pd.DataFrame:
    return cells.pivot(index="train_set", columns=column, values=value)


def _marks(cells: pd.DataFrame, low: str, high: str, q: str, column: str) -> pd.DataFrame:
    """One star where the interval excludes zero, a second where the test holds over the whole grid."""
    excludes = (_wide(cells, low, column) > 0) | (_wide(cells, high, column) < 0)
    holds = excludes & (_wide(cells, q, column) < _LEVEL)
    return excludes.astype(int).add(holds.astype(int)).map(lambda stars: "*" * stars)


def _own_and_controls(axes: Axes) -> tuple[list[str], list[str]]:
    own = [axes.train_set[row] for row in axes.specialty_rows]
    return own, [name for name in axes.train_set if name not in own]


def _title(key: dict[str, str], what: str) -> str:
    return f"{what.capitalize()}: {' · '.join(str(value) for value in key.values())}"


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'' if n == 1 else 's'}"


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

    tops, lefts = _places(rows, gap=0.3), _places(columns, gap=0.3)
    norm, cmap = _diverging(values, colours, floor)
    with matplotlib.rc_context(_STYLE):
        figure, panel = _cell_panel(tops, lefts, cell)
        for row, top in tops.items():
            for column, left in lefts.items():
                _cell(panel, left, top, values.loc[row, column], texts.loc[row, column], norm, cmap)
        for column, left in lefts.items():
            if specialties.find(column) and (row := specialties.slug(column)) in tops:
                panel.add_patch(_box(left, tops[row], facecolor="none", edgecolor="black", linewidth=1.4, zorder=3))
        _heatmap_axes(panel, tops, lefts, n)
        panel.text(-0.75, -1.3, f"{row_title} ↓   {column_title} →", ha="right", va="bottom", color="0.3")
        _colour_bar(panel, norm, cmap, bar)
        _words(figure, title, note)
    return figure


def _cell_panel(tops: dict[str, float], lefts: dict[str, float], cell: tuple[float, float]) -> tuple["Figure", "Panel"]:
    """A figure with room for labels and a panel whose cells are so many inches wide and high."""
    from matplotlib.figure import Figure

    x, y = (-0.55, max(lefts.values()) + 0.55), (max(tops.values()) + 0.55, -0.55)
    width, height = cell[0] * (x[1] - x[0]), cell[1] * (y[0] - y[1])
    left, right, bottom, top = _MARGINS
    top += _SLANTED_LETTER * max(len(_label(name)) for name in lefts)
    whole_width, whole_height = left + width + right, bottom + height + top
    figure = Figure(figsize=(whole_width, whole_height))
    place = (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    return figure, figure.add_axes(place, xlim=x, ylim=y)


def _places(groups: list[list[str]], gap: float) -> dict[str, float]:
    """Where the middle of each row or column lies, in cells, groups being a gap apart."""
    places: dict[str, float] = {}
    at = 0.0
    for group in groups:
        for name in group:
            places[name] = at
            at += 1
        at += gap if group else 0
    return places


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
    panel.set_yticks(list(tops.values()), [_label(name) for name in tops])
    panel.xaxis.tick_top()
    names = [f"{_label(name)}" for name in lefts]
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


def _words(figure: "Figure", title: str, note: str) -> None:
    """The title over a figure, and small print under it, broken where the figure ends."""
    lines = textwrap.wrap(note, int(figure.get_figwidth() / 0.05))
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=9)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6.5, color="0.3")


def term_shift_forest(table: pd.DataFrame, axes: Axes, key: dict[str, str]) -> "Figure":
    """Shift of own terms, other terms and placebos for each train set, and the contrasts between them.

    Args:
        table: `term_shift.table`.
        axes: The grid, for the order of rows.
        key: `model`, `recipe`, `context` and `scope` to draw.
    """
    import matplotlib

    cells = _select(table, {**key, "measure": "mean", "seed": ALL})
    own, controls = _own_and_controls(axes)
    tops = _places([own, [ALL], controls], gap=0.4)
    with matplotlib.rc_context(_STYLE):
        figure, panels = _figure(7.4, 2.2 + 0.4 * max(tops.values()), ncols=2, sharey=True)
        _forest(panels[0], cells, tops, _GROUP_NAMES, "Shift against base")
        _forest(panels[1], cells, tops, _CONTRAST_NAMES, "Contrasts")
        panels[0].set_yticks(list(tops.values()), [_label(name) for name in tops])
        panels[0].get_yticklabels()[len(own)].set_fontweight("bold")
        note = (
            "Nats per token; mean over questions, bootstrap intervals over questions and seeds "
            f"({_count(cells['n_seeds'].iloc[0], 'seed')}). All: the specialties' train sets together. "
            "Placebo: matched words of the same questions that are no term. Contrasts are taken within a question."
        )
        _words(figure, _title(key, "term shift"), note)
    return figure


def _forest(panel: "Panel", cells: pd.DataFrame, tops: dict[str, float], names: dict[str, str], title: str) -> None:
    """Points with intervals: one row a train set, one colour and marker a group."""
    step = 0.62 / max(len(names) - 1, 1)
    for i, (group, name) in enumerate(names.items()):
        rows = cells[cells["group"] == group].set_index("train_set").reindex(list(tops)).dropna(subset="shift")
        at = np.array([tops[train_set] for train_set in rows.index]) - 0.31 + i * step
        spread = (rows["shift"] - rows["low"], rows["high"] - rows["shift"])
        panel.errorbar(rows["shift"], at, xerr=spread, label=name, **_POINT, **_look(group))
    _band(panel, tops)
    panel.set_xlabel("Shift of log-probability (nats per token)")
    legend = panel.legend(loc="lower left", bbox_to_anchor=(0, 1), title=title)
    legend.set_alignment("left")
    legend.get_title().set_fontweight("bold")


def _look(group: str) -> dict[str, Any]:
    names = [*_GROUP_NAMES, *_CONTRAST_NAMES]
    at = names.index(group)
    return {"color": _COLOURS[at], "marker": _MARKERS[at]}


def diagonal_forest(diagonal: pd.DataFrame, axes: Axes, key: dict[str, str]) -> "Figure":
    """Own specialty's adapter minus the others', in points, for each test specialty and over all.

    Args:
        diagonal: `transfer.diagonal`.
        axes: The grid, for the order of rows.
        key: `model`, `recipe` and `method` to draw.
    """
    import matplotlib

    rows = _select(diagonal, key).set_index("test_specialty")
    tops = _places([axes.specialties, [ALL]], gap=0.4)
    with matplotlib.rc_context(_STYLE):
        figure, panel = _figure(5.8, 1.5 + 0.24 * max(tops.values()))
        _band(panel, tops)
        for name, top in tops.items():
            row = rows.loc[name]
            spread = 100 * np.array([[row["advantage"] - row["low"]], [row["high"] - row["advantage"]]])
            look = _look("own" if name != ALL else "own_adapter_minus_others")
            panel.errorbar([100 * row["advantage"]], [top], xerr=spread, **_POINT, **look)
            panel.text(1.02, top, _standing(row), transform=panel.get_yaxis_transform(), va="center", fontsize=7)
        panel.set_yticks(list(tops.values()), [f"{_label(name)} (n={rows.loc[name, 'n_questions']})" for name in tops])
        panel.get_yticklabels()[-1].set_fontweight("bold")
        panel.text(1.02, -0.85, "Best adapter", transform=panel.get_yaxis_transform(), va="center", fontweight="bold")
        panel.set_xlabel("Own adapter − other specialties' adapters (points of accuracy)")
        note = (
            "Diagonal advantage with bootstrap intervals over questions and seeds "
            f"({_count(rows['n_seeds'].iloc[0], 'seed')}). Best: highest accuracy; tied with others where a "
            "simultaneous interval over all pairs does not tell them apart."
        )
        _words(figure, _title(key, "diagonal advantage"), note)
    return figure


def _standing(row: pd.Series) -> str:
    """Which adapter is best on a test specialty, and how many cannot be told from it."""
    if not isinstance(row["best_train_set"], str):
        return ""
    tied = len(str(row["tied_with_best"]).split()) if isinstance(row["tied_with_best"], str) else 0
    return f"{_label(row['best_train_set'])}" + (f" (tied with {tied})" if tied else "")


def _band(panel: "Panel", tops: dict[str, float]) -> None:
    """Pale rows, a zero line and no left spine."""
    panel.axvline(0, color="0.3", linewidth=0.8, zorder=0)
    for top in tops.values():
        panel.axhspan(top - 0.48, top + 0.48, color="0.965", zorder=-1, linewidth=0)
    panel.set_ylim(max(tops.values()) + 0.6, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", _MINUS))


def position_bias(table: pd.DataFrame, axes: Axes, key: dict[str, str]) -> "Figure":
    """Recall by letter and flip rate, of the base model and of every train set's adapters.

    Args:
        table: `position_bias.table`.
        axes: The grid, for the order of rows.
        key: `model`, `recipe` and `method` to draw.
    """
    import matplotlib

    held = table[(table["model"] == key["model"]) & (table["method"] == key["method"])]
    held = held[held["recipe"].isin([BASE, key["recipe"]])]
    own, controls = _own_and_controls(axes)
    tops = _places([[BASE], own, controls], gap=0.4)
    with matplotlib.rc_context(_STYLE):
        figure, panels = _figure(7.2, 1.5 + 0.26 * max(tops.values()), ncols=2, sharey=True, width_ratios=(3, 1))
        for panel in panels:
            _band(panel, tops)
        letters = list(held["letter"].unique())
        for i, letter in enumerate(letters):
            rows = held[held["letter"] == letter].set_index("train_set").reindex(list(tops))
            at = np.array(list(tops.values())) + 0.22 * (i / max(len(letters) - 1, 1) * 2 - 1)
            spread = 100 * np.array([rows["recall"] - rows["recall_low"], rows["recall_high"] - rows["recall"]])
            # A recall of exactly 0 or 1 meets its Wilson bound, and rounding may put it a hair beyond.
            spread = spread.clip(min=0)
            look = {"color": _COLOURS[i % len(_COLOURS)], "marker": _MARKERS[i % len(_MARKERS)]}
            panels[0].errorbar(100 * rows["recall"], at, xerr=spread, label=letter, **_POINT, **look)
        whole = held.drop_duplicates("train_set").set_index("train_set").reindex(list(tops))
        panels[1].plot(100 * whole["flip_rate"], list(tops.values()), "o", color="black", markersize=3.5)
        panels[0].set_yticks(list(tops.values()), [_label(name) for name in tops])
        panels[0].set_xlabel("Recall where the right option stands at a letter (%)")
        panels[1].set_xlabel("Flip rate (%)")
        panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(letters), columnspacing=1)
        note = (
            f"n={whole['n_questions'].iloc[0]} questions in {_count(int(whole['permutations'].iloc[0]), 'order')}. "
            "Without position bias the letters of a row agree. Flip rate: questions whose answer depends on the order."
        )
        _words(figure, _title(key, "position bias"), note)
    return figure


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
    with matplotlib.rc_context(_STYLE):
        figure, panels = _figure(
            1.85 * columns, 0.9 + 1.35 * rows, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False
        )
        for panel, train_set in zip(panels.flat, axes.train_set, strict=False):
            for i, seed in enumerate(axes.seed):
                curve = curves[train_set, seed]
                panel.plot(curve["step"], curve["loss"], color=_COLOURS[i % len(_COLOURS)], linewidth=0.8, label=seed)
            panel.set_title(_label(train_set), fontsize=7.5)
        for panel in panels.flat[n:]:
            panel.set_axis_off()
        for panel in panels.flat[max(n - columns, 0) : n]:
            panel.tick_params(labelbottom=True)
        figure.supylabel("Training loss (nats per token)", fontsize=8)
        figure.legend(*panels[0, 0].get_legend_handles_labels(), title="Seed", loc="outside right upper", fontsize=7)
        _words(figure, _title(key, "training"), "Loss at each optimiser step, over the tokens that the recipe learns.")
    return figure


def quorum_tradeoff(table: pd.DataFrame, quorum: int) -> "Figure":
    """What a quorum of votes costs in questions and buys in accuracy, over all and by the specialty that won.

    Args:
        table: `annotation.votes.by_quorum`.
        quorum: The one that the configuration asks for: marked on the left, drawn by specialty on the right.
    """
    import matplotlib

    overall = table[table["by"] == "all"]
    rows = table[(table["by"] == "winner") & (table["quorum"] == quorum)].set_index("specialty")
    tops = {name: float(i) for i, name in enumerate(rows.index)}
    with matplotlib.rc_context(_STYLE):
        figure, (left, right) = _figure(7.2, 1.4 + 0.17 * len(tops), ncols=2, width_ratios=(1.2, 1))
        points = {name: 100 * overall[name] for name in overall.columns.difference(["quorum", "by", "specialty"])}
        x_error, y_error = (
            (points[name] - points[f"{name}_low"], points[f"{name}_high"] - points[name])
            for name in ("coverage", "accuracy")
        )
        look = {**_POINT, "marker": "o", "color": _COLOURS[0]}
        left.errorbar(points["coverage"], points["accuracy"], xerr=x_error, yerr=y_error, **look)
        left.plot(points["coverage"], points["accuracy"], color=_COLOURS[0], linewidth=0.8)
        # Quorums that come to the same share their point, and its label.
        for (x, y), votes in overall["quorum"].groupby([points["coverage"], points["accuracy"]]):
            weight = "bold" if quorum in set(votes) else "normal"
            label = ", ".join(f"{n}+" for n in votes)
            left.annotate(label, (x, y), xytext=(4, 4), textcoords="offset points", fontweight=weight)
        left.set_xlabel("Coverage: questions with a winner (%)")
        left.set_ylabel("Accuracy: winners that are right (%)")
        accuracy = 100 * rows["accuracy"]
        spread = (accuracy - 100 * rows["accuracy_low"], 100 * rows["accuracy_high"] - accuracy)
        right.errorbar(accuracy, list(tops.values()), xerr=spread, **{**look, "color": _COLOURS[1]})
        _band(right, tops)
        right.set_yticks(list(tops.values()), [f"{name} ({n})" for name, n in rows["covered"].items()])
        right.set_xlabel(f"Accuracy at {quorum} votes or more (%)")
        right.set_xlim(0, 100)
        note = (
            f"n={int(overall['n'].max())} questions with a known specialty. Wilson intervals. Left: each point is a "
            "quorum, in votes of five. Right: by the specialty that won, with the number of questions that it won."
        )
        _words(figure, "Votes: what a quorum costs and buys", note)
    return figure


def planned_and_measured(costs: pd.DataFrame) -> "Figure":
    """Hours that the jobs of each rule and model were planned to take, and took, on a logarithmic axis.

    Args:
        costs: `cost.compare`.
    """
    import matplotlib

    names = [f"{row.rule} · {row.model} ({_count(row.measured_jobs, 'job')})" for row in costs.itertuples()]
    hours = costs[["planned_hours", "measured_hours"]].to_numpy(dtype=float)
    tops = np.arange(len(costs), dtype=float)
    with matplotlib.rc_context(_STYLE):
        figure, panel = _figure(5.8, 1.5 + 0.26 * len(tops))
        for top, pair in zip(tops, hours, strict=True):
            panel.axhspan(top - 0.48, top + 0.48, color="0.965", zorder=-1, linewidth=0)
            panel.plot(pair, [top, top], color="0.6", linewidth=1, zorder=0)
        for i, kind in enumerate(("Planned", "Measured")):
            look = {"color": _COLOURS[i], "marker": _MARKERS[i], "markersize": 4, "linestyle": "none"}
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
        _words(figure, "Cost: planned and measured", "Planned for as many jobs as were measured.")
    return figure
