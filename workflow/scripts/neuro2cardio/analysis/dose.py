"""What a dose does: common gain, specialty knowledge and probes over the number of train questions seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ..questions.test_set import ALL
from . import adapter_checks, probes
from .effect_tables import COMMON_GAIN, KNOWLEDGE, OVER_MODELS

PROBES = "probes"
MEASURES = (COMMON_GAIN, KNOWLEDGE, PROBES)
COLUMNS = (
    *("model", "recipe", "method", "series", "questions", "epochs", "seen", "measure", "estimate", "low", "high", "p"),
    *("smallest_detectable", "n_questions", "n_adapters", "broken"),
)
"""`measure` is one of `MEASURES`; shares, not points. `broken` counts adapters that are not results."""


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
    doses: Sequence[Dose], effects: pd.DataFrame, checks: pd.DataFrame, asked: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The rows of other tables that say what a dose does, side by side: `COLUMNS`, by series and dose.

    Nothing is estimated here. Smaller doses are part of larger ones and all are tested on the same questions, so that
    intervals of two doses may overlap where the difference between them is certain.

    Args:
        doses: Recipes of the grid that differ in their dose.
        effects: `effect_tables.effects_table`.
        checks: `adapter_checks.table`.
        asked: `probes.table`, where facts were asked another way.
    """
    rows = effects[effects["effect"].isin([COMMON_GAIN, KNOWLEDGE])].rename(columns={"effect": "measure"})
    if asked is not None:
        injected = (asked["facts"] == probes.INJECTION) & (asked["form"] == ALL) & (asked["specialty"] == ALL)
        rows = pd.concat([rows, asked[injected].assign(measure=PROBES)])
    frames = []
    for dose in sorted(doses, key=lambda dose: (dose.series, dose.seen)):
        own = rows[rows["recipe"] == dose.recipe]
        broken = [
            len(adapter_checks.broken(checks, recipe=dose.recipe, method=method, **_of_model(model)))
            for model, method in zip(own["model"], own["method"], strict=True)
        ]
        size = {"series": dose.series, "questions": dose.questions, "epochs": dose.epochs, "seen": dose.seen}
        frames.append(own.assign(**size, broken=broken))
    return pd.concat(frames)[list(COLUMNS)].reset_index(drop=True)


def _of_model(model: str) -> dict[str, str]:
    return {} if model == OVER_MODELS else {"model": model}
