"""The figures, drawn from the result tables alone. Equal tables give equal bytes.

Matplotlib is imported inside the functions that draw, so that rules that only name figures do not load it.
"""

from typing import TYPE_CHECKING

import pandas as pd

from ...core.adapters import Axes
from ...core.errors import InputError, nearest
from . import curves as training, forest, heatmap
from .curves import Curves, dose_figure
from .style import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["dose_figure", "draw", "save"]

_KINDS = ("transfer", "diagonal", "position-bias", "term-shift", "term-shift-grid", "probes", "training")


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
            return heatmap.transfer_heatmap(tables["transfer_matrix"], axes, by_method, colours)
        case "diagonal":
            return forest.diagonal_forest(tables["diagonal"], axes, by_method)
        case "position-bias":
            return forest.position_bias(tables["position_bias"], axes, by_method)
        case "term-shift":
            return forest.term_shift_forest(tables["term_shift"], axes, by_context)
        case "term-shift-grid":
            return heatmap.term_shift_grid(tables["term_shift_grid"], axes, by_context, colours)
        case "probes":
            return forest.probes_forest(tables["probes"], axes, by_method)
        case "training":
            return training.training_curves(curves, axes, key)
    raise InputError(f"unknown figure {name!r}{nearest(kind, _KINDS)}")
