"""Assign questions to train, validation and test; restrict them to the grid; limit the size of the test set."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ..config.dataset import Labels, Split
from .sources import SPLITS, UNSPLIT
from .validation import ValidQuestion


def assign(questions: Sequence[ValidQuestion], split: Split) -> list[ValidQuestion]:
    """Assign a split to questions without one: in each primary specialty, the first go to test, the next to validation.

    They are ordered by a hash of the id, which is as good as random and the same for every seed, grid and machine.
    """
    done = [q for q in questions if q.split != UNSPLIT]
    for specialty in sorted({q.specialty for q in questions}):
        waiting = (q for q in questions if q.split == UNSPLIT and q.specialty == specialty)
        group = sorted(waiting, key=lambda q: (q.order, q.question_id))
        tests, validations = round(split.test * len(group)), round(split.validation * len(group))
        for i, question in enumerate(group):
            name = "test" if i < tests else "validation" if i < tests + validations else "train"
            done.append(replace(question, split=name))
    return sorted(done, key=lambda q: (SPLITS.index(q.split), q.question_id))


def in_grid(questions: Iterable[ValidQuestion], grid: Sequence[str], labels: Labels = "all") -> Iterator[ValidQuestion]:
    """Restrict questions to the grid's specialties, and leave out those that have none of them.

    With ``labels`` `primary` a question has its first specialty alone, and is left out where the grid lacks that one.
    """
    for question in questions:
        held = question.specialties if labels == "all" else question.specialties[:1]
        own = tuple(s for s in held if s in grid)
        if own:
            yield replace(question, specialties=own, specialty=own[0])


def cap_test(questions: list[ValidQuestion], grid: Sequence[str], size: int | None) -> list[ValidQuestion]:
    """Limit the test set to ``size`` questions per specialty, the first by id; rare specialties choose first."""
    if size is None:
        return questions
    tests = [q for q in questions if q.split == "test"]
    available = Counter(s for q in tests for s in q.specialties)
    counts: Counter[str] = Counter()
    chosen: set[str] = set()
    for specialty in sorted(grid, key=lambda s: (available[s], s)):
        for question in (q for q in tests if specialty in q.specialties and q.question_id not in chosen):
            if all(counts[s] < size for s in question.specialties):
                chosen.add(question.question_id)
                counts.update(question.specialties)
    return [q for q in questions if q.split != "test" or q.question_id in chosen]
