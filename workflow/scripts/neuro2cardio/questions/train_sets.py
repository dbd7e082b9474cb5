"""What each adapter is trained on: one set for each specialty, and the controls beside them."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Literal

import pandas as pd

from ..core import specialties
from ..core.errors import InputError

TrainSize = Literal["matched", "natural"] | int


def build(
    questions: pd.DataFrame, grid: Sequence[str], controls: Sequence[str], train_size: TrainSize
) -> dict[str, pd.DataFrame]:
    """Train sets by slug or control: rows of `tables.QUESTIONS`, by id (which is a hash).

    A question counts in each of its specialties. Sizes: `matched`, the smallest specialty's for all; `natural`, all
    there is; a number, that many or all there is where it is fewer. Smaller sets are the first by id, so that they are
    part of the larger ones. `mixed` has the matched size, the number, or in `natural` the median of the specialties.
    Raises `InputError` where a specialty has no train question.
    """
    train = questions[questions["split"] == "train"].sort_values("question_id")
    ids = {s: [q for q, own in zip(train["question_id"], train["specialties"], strict=True) if s in own] for s in grid}
    for specialty, own in ids.items():
        if not own:
            raise InputError(f"{specialty} has no train questions; leave it out of grid.specialties")
    limit = _limit([len(own) for own in ids.values()], train_size)
    chosen = {specialties.slug(s): own[:limit] for s, own in ids.items()}
    if "mixed" in controls:
        sizes = [len(own) for own in chosen.values()]
        chosen["mixed"] = _mixed(list(ids.values()), int(median(sizes)) if train_size == "natural" else max(sizes))
    by_id = train.set_index("question_id", drop=False)
    return {name: by_id.loc[sorted(own)].reset_index(drop=True) for name, own in chosen.items()}


def _limit(sizes: Sequence[int], train_size: TrainSize) -> int:
    if train_size == "matched":
        return min(sizes)
    return max(sizes) if train_size == "natural" else train_size


def _mixed(groups: Sequence[Sequence[str]], size: int) -> list[str]:
    """``size`` ids, or all there are, taken from each group in turn, none twice."""
    queues: list[Iterator[str]] = [iter(group) for group in groups]
    chosen: dict[str, None] = {}
    while queues and len(chosen) < size:
        left = []
        for queue in queues:
            taken = next((i for i in queue if i not in chosen), None)
            if taken is not None and len(chosen) < size:
                chosen[taken] = None
                left.append(queue)
        queues = left
    return list(chosen)
