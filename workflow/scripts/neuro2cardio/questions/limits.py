"""Limits of the configuration on a question table: the share of rejected rows, the questions of each specialty."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..config.dataset import Dataset
from ..core.errors import InputError
from .validation import ValidQuestion

_HOW_TO_MAP = "map names of your own in dataset.origin.specialties, for example {Nerves: Neurology}"


def check_rejected(refused: Sequence[Mapping[str, str]], total: int, dataset: Dataset) -> None:
    if not total:
        raise InputError(f"dataset.origin: {dataset.origin.source} has no rows")
    if len(refused) <= dataset.max_rejected * total:
        return
    # What stands in brackets differs from row to row, as the twin of a doubled id does, or says what to do.
    reasons = Counter(line["reason"].partition(" (")[0] for line in refused)
    first = {line["reason"].partition(" (")[0]: line for line in reversed(refused)}
    shown = [(n, first[reason]) for reason, n in reasons.most_common(10)]
    listed = "\n".join(f"  {n} x {line['reason']}, first {line['source_row']}" for n, line in shown)
    unknown = any(reason.startswith("unknown specialty") for reason in reasons)
    raise InputError(
        f"{len(refused)} of {total} rows are refused, a larger share than dataset.max_rejected: "
        f"{dataset.max_rejected}\n{listed}" + (f"\n{_HOW_TO_MAP}" if unknown else "")
    )


def check_sizes(questions: Iterable[ValidQuestion], grid: Sequence[str], dataset: Dataset) -> None:
    counts = Counter((q.split, s) for q in questions for s in q.specialties)
    few = [
        f"{specialty} has {counts[split, specialty]} {split} questions, fewer than dataset.min_{split}: {limit}"
        for split, limit in (("train", dataset.min_train), ("test", dataset.min_test))
        for specialty in grid
        if counts[split, specialty] < limit
    ]
    if few:
        raise InputError(
            "too few questions; leave these specialties out of grid.specialties or lower the limit:\n  "
            + "\n  ".join(few)
        )
