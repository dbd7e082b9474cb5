"""Changes of accuracy against other references than the base model: its rows without training, and control sets."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..core.adapters import Adapter, Axes
from ..core.base_rows import BASE_ROWS
from ..core.specialties import slug
from ..questions.test_set import ALL
from . import paired, resampling

Floats = NDArray[np.float64]
Marked = dict[Adapter, dict[str, Floats]]
"""For each adapter that is there, by method: (questions,), 1.0 where it is right, 1/k of a k-fold tie, else 0.0."""


def by_method(marks: dict[Adapter, Floats], methods: Sequence[str]) -> Marked:
    """What `table` reads, from `answers.marks` of each adapter: (methods, questions), in the order of ``methods``."""
    return {adapter: dict(zip(methods, own, strict=True)) for adapter, own in marks.items()}


def table(marked: Marked, axes: Axes, members: dict[str, NDArray[np.bool_]], confidence: float) -> pd.DataFrame:
    """`changes_against.csv`: rows as those of `transfer_matrix.csv`, and in `against` what they are compared with.

    Paired by question, seeds averaged, as `paired.change`; `q` is Benjamini-Hochberg's over the cells of one model,
    recipe, method and reference, `all` being a family of its own. Train sets and references that lack a seed have no
    rows.

    Args:
        marked: Answers of all adapters that are there.
        axes: The grid.
        members: For each test specialty that has a question, and `all`: (questions,) bool, the questions of it.
        confidence: Of the intervals.
    """
    controls = [name for name in axes.train_set if name not in map(slug, axes.specialties)]
    rows: list[dict[str, Any]] = []
    for model, recipe in product(axes.model, axes.recipe):
        for method in dict.fromkeys(m for found in marked.values() for m in found):
            own = _over_seeds(marked, axes, model, recipe, method)
            for against in (name for name in (*BASE_ROWS, *controls) if name in own):
                key = {"model": model, "recipe": recipe, "method": method, "against": against}
                others = {name: right for name, right in own.items() if name != against}
                rows += [
                    row
                    for test, mask in members.items()
                    for row in _rows(key, others, own[against], test, mask, confidence)
                ]
    found = pd.DataFrame(rows)
    if not found.empty:
        family = [*(found[name] for name in ("model", "recipe", "method", "against")), found["test_specialty"] == ALL]
        found["q"] = found.groupby(family)["p"].transform(resampling.benjamini_hochberg)
    return found


def _over_seeds(marked: Marked, axes: Axes, model: str, recipe: str, method: str) -> dict[str, Floats]:
    """(questions,) of every row that is whole: the mean over its seeds."""
    rows = {row: marked.get(Adapter.base_row(model, row), {}) for row in BASE_ROWS}
    found = {row: right[method] for row, right in rows.items() if method in right}
    for name in axes.train_set:
        seeds = [marked.get(Adapter(model, recipe, name, seed), {}).get(method) for seed in axes.seed]
        present = [right for right in seeds if right is not None]
        if present and len(present) == len(seeds):
            found[name] = np.mean(present, axis=0)
    return found


def _rows(
    key: dict[str, str],
    own: dict[str, Floats],
    reference: Floats,
    test: str,
    mask: NDArray[np.bool_],
    confidence: float,
) -> list[dict[str, Any]]:
    if not own:
        return []
    found = paired.change(np.stack([right[mask] - reference[mask] for right in own.values()]), confidence)
    numbers = {"change": found.mean, "change_low": found.low, "change_high": found.high, "p": found.p}
    return [
        {
            **key,
            **{"train_set": name, "test_specialty": test, "n_questions": int(mask.sum())},
            **{column: round(float(values[i]), 6) for column, values in numbers.items()},
            "n_discordant": int(found.discordant[i]),
        }
        for i, name in enumerate(own)
    ]
