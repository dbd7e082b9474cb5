"""The questions that each adapter is trained on: a train set for each specialty, and the controls."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Literal

import pandas as pd

from ..config.grid import RANDOM, WITHOUT
from ..core import specialties
from ..core.errors import InputError
from ..core.provenance import text_digest
from . import general

TrainSize = Literal["matched", "natural"] | int
MakeGeneral = Callable[[int], pd.DataFrame]


def build(
    questions: pd.DataFrame,
    grid: Sequence[str],
    controls: Sequence[str],
    train_size: TrainSize,
    make_general: MakeGeneral = general.questions,
) -> dict[str, pd.DataFrame]:
    """Train sets by slug or control: rows of `tables.QUESTIONS`, by id (which is a hash).

    A question counts in each of its specialties. Sizes: `matched`, the smallest specialty's for all; `natural`, all
    there is; a number, that many or all there is where it is fewer. Smaller sets are the first by id, so that they are
    part of the larger ones. Controls have the matched size, the number, or in `natural` the median of the specialties:

    - `mixed`: an equal share of each specialty;
    - `shuffled-answers`: the questions of `mixed`, with an option drawn at random as the answer to each;
    - `general`: questions without medicine;
    - `without-<specialty>`: an equal share of all others, of questions that are not the specialty's too;
    - `random-<k>`: drawn at random from all questions; those of two numbers share none while there are enough.

    Args:
        questions: The question table.
        grid: Canonical names of the specialties.
        controls: Names of the controls.
        train_size: See above.
        make_general: Makes so many questions without medicine.

    Raises:
        InputError: A specialty has no train question, or a control has fewer questions than it needs.
    """
    train = questions[questions["split"] == "train"].sort_values("question_id")
    ids = {s: [q for q, own in zip(train["question_id"], train["specialties"], strict=True) if s in own] for s in grid}
    for specialty, own in ids.items():
        if not own:
            raise InputError(f"{specialty} has no train questions; leave it out of grid.specialties")
    limit = _limit([len(own) for own in ids.values()], train_size)
    by_id = train.set_index("question_id", drop=False)
    sets = {specialties.slug(s): _rows(by_id, own[:limit]) for s, own in ids.items()}
    sizes = [len(frame) for frame in sets.values()]
    size = int(median(sizes)) if train_size == "natural" else max(sizes)
    for control in controls:
        sets[control] = _control(control, by_id, ids, size, make_general)
    return sets


def overlap(sets: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Questions that two train sets share: where questions have several specialties, their adapters learn the same.

    Args:
        sets: `build`.

    Returns:
        `train_set`, `other`, `n` and `share` (of the train set), for pairs that share any question.
    """
    ids = {name: set(frame["question_id"]) for name, frame in sets.items()}
    rows = [
        (name, other, len(own & theirs), len(own & theirs) / len(own))
        for name, own in ids.items()
        for other, theirs in ids.items()
        if name != other and own & theirs
    ]
    return pd.DataFrame(rows, columns=["train_set", "other", "n", "share"])


def _control(
    name: str, by_id: pd.DataFrame, ids: dict[str, list[str]], size: int, make_general: MakeGeneral
) -> pd.DataFrame:
    if name == "general":
        return _general(size, make_general)
    if name == "mixed":
        return _rows(by_id, _mixed(list(ids.values()), size))
    if name == "shuffled-answers":
        return _shuffled_answers(_rows(by_id, _mixed(list(ids.values()), size)))
    if match := RANDOM.fullmatch(name):
        return _rows(by_id, _random(sorted({i for own in ids.values() for i in own}), int(match[1]), size))
    left_out = next(s for s in ids if WITHOUT + specialties.slug(s) == name)
    own = set(ids[left_out])
    return _rows(by_id, _mixed([[i for i in group if i not in own] for s, group in ids.items() if s != left_out], size))


def _rows(by_id: pd.DataFrame, chosen: Sequence[str]) -> pd.DataFrame:
    return by_id.loc[sorted(chosen)].reset_index(drop=True)


def _general(size: int, make_general: MakeGeneral) -> pd.DataFrame:
    made = make_general(size)
    if len(made) < size:
        raise InputError(
            f"dataset.general: {len(made)} questions are fewer than the {size} of the other train sets; add some, or "
            "lower dataset.train_size"
        )
    return made.sort_values("question_id").reset_index(drop=True)


def _shuffled_answers(frame: pd.DataFrame) -> pd.DataFrame:
    """The same questions with an answer that says nothing: any of the options, drawn by hash."""
    drawn = [
        int(text_digest("shuffled", question_id), 16) % len(options)
        for question_id, options in zip(frame["question_id"], frame["options"], strict=True)
    ]
    return frame.assign(answer=drawn)


def _random(ids: Sequence[str], number: int, size: int) -> list[str]:
    """The ``number``-th stretch of ``size`` ids in a random order; going round where the ids run out."""
    order = sorted(ids, key=lambda question_id: text_digest("random", question_id))
    start = (number - 1) * size
    return [order[(start + i) % len(order)] for i in range(min(size, len(order)))]


def _limit(sizes: Sequence[int], train_size: TrainSize) -> int:
    if train_size == "matched":
        return min(sizes)
    return max(sizes) if train_size == "natural" else train_size


def _mixed(groups: Sequence[Sequence[str]], size: int) -> list[str]:
    """Take up to ``size`` unique ids, from each group in turn."""
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
