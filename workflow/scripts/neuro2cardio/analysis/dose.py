"""What a dose does: common gain, specialty knowledge and probes over the number of train questions seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from ..config.analysis import Statistics
from ..core.adapters import Axes
from ..questions.test_set import ALL, TestSet
from . import adapter_checks, effect_tables, probes
from .effect_tables import COMMON_GAIN, KNOWLEDGE, OVER_MODELS, THESE_ADAPTERS
from .transfer import Scores

PROBES = "probes"
MEASURES = (COMMON_GAIN, KNOWLEDGE, PROBES)
COLUMNS = (
    *("model", "recipe", "method", "series", "questions", "epochs", "seen", "measure", "estimate", "low", "high", "p"),
    *("smallest_detectable", "n_questions", "n_adapters", "given", "broken"),
    *("against", "added", "added_low", "added_high", "added_p", "added_detectable"),
)
"""`measure` is one of `MEASURES`; shares, not points. `broken` counts adapters that are not results. The last columns
are what the largest dose of a series adds to its smallest, the recipe `against`; empty in other rows."""
_ADDED = {"estimate": "added", "low": "added_low", "high": "added_high", "p": "added_p"}
_ADDED["smallest_detectable"] = "added_detectable"


@dataclass(frozen=True)
class Dose:
    """How much one recipe trains on.

    Attributes:
        recipe: Its name.
        series: The first of the recipes that differ in their dose alone.
        questions: Mean number of train questions, over the specialties' train sets.
        epochs: How often each is seen.
    """

    recipe: str
    series: str
    questions: float
    epochs: int

    @property
    def seen(self) -> float:
        """Train questions seen, repeats included."""
        return self.questions * self.epochs


def table(
    doses: Sequence[Dose],
    effects: pd.DataFrame,
    checks: pd.DataFrame,
    asked: pd.DataFrame | None = None,
    added: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The rows of other tables that say what a dose does, side by side: `COLUMNS`, by series and dose.

    Smaller doses are part of larger ones and all are tested on the same questions, so that intervals of two doses may
    overlap where the difference between them is certain. ``added`` is that difference.

    Args:
        doses: Recipes of the grid that differ in their dose.
        effects: `effect_tables.effects_table`.
        checks: `adapter_checks.table`.
        asked: `probes.table`, where facts were asked another way.
        added: `added`.
    """
    rows = _measures(effects, asked)
    frames = []
    for dose in _by_size(doses):
        own = rows[rows["recipe"] == dose.recipe]
        broken = [
            len(adapter_checks.broken(checks, recipe=dose.recipe, method=method, **_of_model(model)))
            for model, method in zip(own["model"], own["method"], strict=True)
        ]
        size = {"series": dose.series, "questions": dose.questions, "epochs": dose.epochs, "seen": dose.seen}
        frames.append(own.assign(**size, broken=broken))
    found = pd.concat(frames)
    if added is not None:
        key = ["model", "recipe", "method", "measure"]
        found = found.merge(added[[*key, "against", *_ADDED.values()]], on=key, how="left")
    return found.reindex(columns=list(COLUMNS)).reset_index(drop=True)


def added(
    doses: Sequence[Dose],
    blocks: Sequence[Scores],
    axes: Axes,
    test_set: TestSet,
    statistics: Statistics,
    asked: tuple[Sequence[Scores], pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """What the largest dose of each series adds to the smallest: each measure of the difference between their answers.

    Both answer the same questions, and a train set of the one is part of that of the other, so that the effects of the
    differences, question by question and train set by train set, have the errors of `effects` and `probes`.

    Args:
        doses: Recipes of the grid that differ in their dose.
        blocks: `transfer.scores`.
        axes: The grid.
        test_set: The test questions.
        statistics: Confidence.
        asked: Blocks of the probes, and the probes, as `probes.table` takes them.

    Returns:
        Rows by model, recipe, method and measure, with `against` and the columns behind it.
    """
    least = {most.recipe: fewest.recipe for fewest, most in _extremes(doses)}
    effects = effect_tables.effects_table(list(_differences(blocks, least)), axes, test_set, statistics)
    table = None if asked is None else probes.table(list(_differences(asked[0], least)), axes, asked[1], statistics)
    rows = _measures(effects, table)
    return rows.assign(against=rows["recipe"].map(least)).rename(columns=_ADDED)


def _measures(effects: pd.DataFrame, asked: pd.DataFrame | None) -> pd.DataFrame:
    """Rows of `MEASURES`, from the tables that hold them."""
    rows = effects[effects["effect"].isin([COMMON_GAIN, KNOWLEDGE])].rename(columns={"effect": "measure"})
    if asked is None:
        return rows
    injected = (asked["facts"] == probes.INJECTION) & (asked["form"] == ALL) & (asked["specialty"] == ALL)
    return pd.concat([rows, asked[injected].assign(measure=PROBES, given=THESE_ADAPTERS)])


def _by_size(doses: Sequence[Dose]) -> list[Dose]:
    return sorted(doses, key=lambda dose: (dose.series, dose.seen))


def _extremes(doses: Sequence[Dose]) -> Iterator[tuple[Dose, Dose]]:
    """The smallest and the largest dose of each series that has two."""
    for _, group in groupby(_by_size(doses), key=lambda dose: dose.series):
        ordered = list(group)
        if ordered[0].seen < ordered[-1].seen:
            yield ordered[0], ordered[-1]


def _differences(blocks: Sequence[Scores], least: dict[str, str]) -> Iterator[Scores]:
    """Answers under a recipe minus those under that of its smallest dose, for recipes that have one."""
    by = {(block.model, block.recipe, block.method): block.adapters for block in blocks}
    for block in blocks:
        if block.recipe in least:
            other = by[block.model, least[block.recipe], block.method]
            yield Scores(block.model, block.recipe, block.method, np.zeros_like(block.base), block.adapters - other)


def _of_model(model: str) -> dict[str, str]:
    return {} if model == OVER_MODELS else {"model": model}
