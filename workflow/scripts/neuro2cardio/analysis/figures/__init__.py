"""The figures, drawn from the result tables alone. Equal tables give equal bytes.

Matplotlib is imported inside the functions that draw, so that rules that only name figures do not load it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ...core.adapters import Axes
from ...core.errors import InputError, nearest
from . import curves as training, forest, heatmap
from .curves import Curves, dose_figure
from .style import Width, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AGAINST", "dose_figure", "draw", "save", "save_widths"]

AGAINST = "transfer-against-"
"""Begins the name of a heatmap whose reference, which comes after it, is not the base model."""
_KINDS = ("transfer", "diagonal", "position-bias", "term-shift", "term-shift-grid", "probes", "training")


def draw(
    name: str,
    tables: dict[str, pd.DataFrame],
    curves: Curves,
    axes: Axes,
    key: dict[str, str],
    scope: str,
    colours: str,
    width: Width = "page",
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
        width: Of the figure, over a page or in one of two columns.

    Raises:
        InputError: No such figure.
    """
    kind, _, variant = name.rpartition("-")
    by_method, by_context = key | {"method": variant}, key | {"context": variant, "scope": scope}
    match kind:
        case "transfer":
            matrix, checks = tables["transfer_matrix"], tables["training_checks"]
            return heatmap.transfer_heatmap(matrix, checks, axes, by_method, colours, width)
        case against if against.startswith(AGAINST):
            changes, reference = tables["changes_against"], against.removeprefix(AGAINST)
            compared = tables["transfer_matrix"], changes, tables["training_checks"]
            return heatmap.against_heatmap(*compared, axes, by_method, reference, colours, width)
        case "diagonal":
            return forest.diagonal_forest(tables["diagonal"], axes, by_method, width)
        case "position-bias":
            return forest.position_bias(tables["position_bias"], axes, by_method, width)
        case "term-shift":
            return forest.term_shift_forest(tables["term_shift"], axes, by_context, width)
        case "term-shift-grid":
            return heatmap.term_shift_grid(tables["term_shift_grid"], axes, by_context, colours, width)
        case "probes":
            return forest.probes_forest(tables["probes"], axes, by_method, width)
        case "training":
            return training.training_curves(curves, axes, key, width)
    raise InputError(f"unknown figure {name!r}{nearest(kind, _KINDS)}")


def save_widths(draw_at: Callable[[Width], "Figure"], path: Path, formats: Sequence[str]) -> None:
    """Save a figure in the width of a page and, in the folder ``column`` beside it, in that of a column."""
    save(draw_at("page"), path, formats)
    save(draw_at("column"), path.parent / "column" / path.name, formats)
