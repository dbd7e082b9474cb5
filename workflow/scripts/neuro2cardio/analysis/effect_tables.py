"""The tables of effects: what the change is made of, and the own adapter against the others on each specialty."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from ..config.analysis import Statistics
from ..core.adapters import Axes
from ..core.base_rows import BASE_ROWS
from ..questions.test_set import ALL, TestSet
from . import cells, effects, resampling, transfer
from .effects import NONE, Estimate
from .transfer import Scores

COMMON_GAIN, KNOWLEDGE, GAIN_OF, GAIN_BEYOND = "common_gain", "specialty_knowledge", "gain_of", "gain_beyond"
THIS_SEED, THESE_ADAPTERS = "this seed", "these adapters"
OVER_MODELS = "all"
"""The model of rows in which models are random effects."""

EFFECTS = (
    *("model", "recipe", "method", "effect", "of", "estimate", "low", "high", "p", "p_holm", "smallest_detectable"),
    *("df", "n_questions", "n_train_sets", "n_adapters", "given"),
)
"""`effect` is one of the four above, `of` the control it is about; shares, not points. `p_holm` is Holm's over the
models, recipes and methods of one effect.

`given` says what an inference is conditional on: with one specialty `these adapters`, with one seed `this seed`, since
what a seed adds to all train sets is not known then. It cancels where train sets are compared, and over several models
it is in their differences.
"""

DIAGONAL = (
    *("model", "recipe", "method", "test_specialty", "n_questions", "n_seeds", "own_accuracy", "others_accuracy"),
    *("advantage", "low", "high", "p", "p_holm", "best_other", "own_minus_best", "best_low", "best_high", "answer"),
    *("best_p", "best_p_holm", "smallest_detectable"),
)
"""`advantage` is `effects.knowledge_of`; `own_minus_best` and the columns behind it are `effects.against_best`.

`p_holm` and `best_p_holm` are Holm's over the specialties of one model, recipe and method.
"""


def effects_table(blocks: Sequence[Scores], axes: Axes, test_set: TestSet, statistics: Statistics) -> pd.DataFrame:
    """Common gain, controls and specialty knowledge of each model, recipe and method, and over models.

    Args:
        blocks: `transfer.scores`.
        axes: The grid.
        test_set: The test questions.
        statistics: Confidence.
    """
    rows = [row for block in blocks for row in _effects(block, axes, test_set, statistics)]
    if len(axes.model) > 1:
        rows += over_models(blocks, axes, test_set, statistics)
    table = pd.DataFrame(rows, columns=list(EFFECTS))
    family = [table["effect"], table["of"], table["model"] == OVER_MODELS]
    table["p_holm"] = table.groupby(family)["p"].transform(resampling.holm)
    return table


def estimates(
    block: Scores, axes: Axes, test_set: TestSet, models: int = 1
) -> Iterator[tuple[str, str, Estimate, int, str]]:
    """Effect, what of, estimate, number of train sets, and what it is conditional on.

    Of one model, or of the mean over the answers of several.
    """
    n = len(axes.specialties)
    yield COMMON_GAIN, "", effects.common_gain(block, axes), n, _given(COMMON_GAIN, "", axes)
    controls = [name for i, name in enumerate(axes.train_set) if i not in axes.specialty_rows]
    controls += block.base_rows
    for control in controls:
        trained = int(control not in BASE_ROWS)
        yield GAIN_OF, control, effects.gain_of(block, axes, control), trained, _given(GAIN_OF, control, axes)
        yield GAIN_BEYOND, control, effects.gain_beyond(block, axes, control), n, _given(GAIN_BEYOND, control, axes)
    if n < 2:
        yield KNOWLEDGE, "", NONE, n, ""
        return
    matrix, noise = cells.matrix(block, axes, test_set), cells.noise(block, axes, test_set)
    least = least_of_cells(axes, test_set, models)
    yield KNOWLEDGE, "", effects.specialty_knowledge(matrix, noise, least), n, ""


def _given(effect: str, of: str, axes: Axes) -> str:
    if effect == GAIN_OF and of in BASE_ROWS:
        return ""
    if len(axes.specialties) < 2:
        return THESE_ADAPTERS
    return THIS_SEED if len(axes.seed) < 2 and effect != GAIN_BEYOND else ""


def least_of_cells(axes: Axes, test_set: TestSet, models: int = 1, of_one: bool = False) -> float:
    """The least variance of a cell of the matrix, the mean over specialties.

    As `effects.least_variance`: two more answers would differ, of one seed, and of one model where they are means over
    several. They are added to the answers of the diagonal, which has each question once: where none of N answers of
    own adapters changes, an own advantage of 3 / N is not ruled out.

    Args:
        axes: The grid.
        test_set: The test questions.
        models: Over which answers are averaged.
        of_one: For what is said of a single specialty, they are added to the answers of its own cell.
    """
    sizes = np.array([test_set.members[name].sum() for name in axes.specialties])
    step, answers = 1 / len(axes.seed) / models, sizes if of_one else len(test_set.question_ids)
    return float(np.mean(2 * step**2 / (answers + 2) / (sizes + 2)))


def _effects(block: Scores, axes: Axes, test_set: TestSet, statistics: Statistics) -> Iterator[dict[str, object]]:
    for effect, of, estimate, n, given in estimates(block, axes, test_set):
        yield (
            block.key
            | _row(effect, of, estimate, statistics)
            | {
                "n_questions": block.adapters.shape[2],
                "n_train_sets": n,
                "n_adapters": n * len(axes.seed),
                "given": given,
            }
        )


def over_models(
    blocks: Sequence[Scores], axes: Axes, test_set: TestSet, statistics: Statistics
) -> Iterator[dict[str, object]]:
    """The rows in which models are random effects: those of each recipe and method, as `EFFECTS` without `p_holm`."""
    ordered = sorted(blocks, key=lambda b: (b.recipe, b.method))
    for (recipe, method), group in groupby(ordered, key=lambda b: (b.recipe, b.method)):
        models = list(group)
        held = [list(estimates(block, axes, test_set)) for block in models]
        held.append(list(estimates(transfer.averaged(models), axes, test_set, len(models))))
        for *parts, averaged in zip(*held, strict=True):
            effect, of, _, n, given = averaged
            pooled = effects.over_models([part[2] for part in parts], averaged[2])
            key = {"model": OVER_MODELS, "recipe": recipe, "method": method}
            yield (
                key
                | _row(effect, of, pooled, statistics)
                | {
                    "n_questions": blocks[0].adapters.shape[2],
                    "n_train_sets": n,
                    "n_adapters": n * len(axes.seed) * len(axes.model),
                    "given": "" if given == THIS_SEED else given,
                }
            )


def _row(effect: str, of: str, estimate: Estimate, statistics: Statistics) -> dict[str, object]:
    low, high = estimate.interval(statistics.confidence)
    return {
        "effect": effect,
        "of": of,
        "estimate": estimate.value,
        "low": low,
        "high": high,
        "p": estimate.p,
        "smallest_detectable": estimate.detectable(statistics.confidence),
        "df": estimate.df,
    }


def diagonal(blocks: Sequence[Scores], axes: Axes, test_set: TestSet, statistics: Statistics) -> pd.DataFrame:
    """The own adapter on each specialty, and over all: how it stands out, and whether it is the best.

    Args:
        blocks: `transfer.scores`.
        axes: The grid.
        test_set: The test questions.
        statistics: Confidence, and the smallest effect that matters.
    """
    names = axes.specialties if len(axes.specialties) > 1 else []
    rows = [row for block in blocks for row in _diagonal(block, names, axes, test_set, statistics)]
    table = pd.DataFrame(rows, columns=list(DIAGONAL))
    family = [table["model"], table["recipe"], table["method"], table["test_specialty"] == ALL]
    for p in ("p", "best_p"):
        table[f"{p}_holm"] = table.groupby(family)[p].transform(resampling.holm)
    return table


def _diagonal(
    block: Scores, names: Sequence[str], axes: Axes, test_set: TestSet, statistics: Statistics
) -> Iterator[dict[str, object]]:
    adapters = block.adapters[axes.specialty_rows]
    slugs = [axes.train_set[i] for i in axes.specialty_rows]
    matrix, noise = cells.matrix(block, axes, test_set), cells.noise(block, axes, test_set)
    luck, least = effects.adapter_variance(adapters), least_of_cells(axes, test_set, of_one=True)
    own_all, others_all = [], []
    for i, name in enumerate(names):
        right = adapters[:, :, test_set.members[name]]
        accuracy = right.mean(axis=(1, 2))
        rng = resampling.generator(statistics.seed, "against best", name)
        margin = statistics.smallest_effect.specialty / 100
        best = effects.against_best(right, i, slugs, luck, margin, statistics.confidence, rng)
        own_all.append(accuracy[i])
        others_all.append(np.delete(accuracy, i).mean())
        yield (
            block.key
            | _stands(effects.knowledge_of(matrix, i, noise, least), statistics)
            | {
                "test_specialty": name,
                "n_questions": right.shape[2],
                "n_seeds": right.shape[1],
                "own_accuracy": accuracy[i],
                "others_accuracy": others_all[-1],
                "best_other": best.best,
                "own_minus_best": best.difference,
                "best_low": best.low,
                "best_high": best.high,
                "answer": best.answer,
                "best_p": best.p,
                "smallest_detectable": best.detectable,
            }
        )
    if names:
        knowledge = effects.specialty_knowledge(matrix, noise, least_of_cells(axes, test_set))
        yield (
            block.key
            | _stands(knowledge, statistics)
            | {
                "test_specialty": ALL,
                "n_questions": adapters.shape[2],
                "n_seeds": adapters.shape[1],
                "own_accuracy": float(np.mean(own_all)),
                "others_accuracy": float(np.mean(others_all)),
                "smallest_detectable": knowledge.detectable(statistics.confidence),
            }
        )


def _stands(estimate: Estimate, statistics: Statistics) -> dict[str, float]:
    low, high = estimate.interval(statistics.confidence)
    return {"advantage": estimate.value, "low": low, "high": high, "p": estimate.p}
