"""The question table: rows of a source, validated, merged, split and cleared of leakage."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ..config.dataset import Dataset
from ..core.tables import QUESTIONS
from . import duplicates, leakage, limits, splits, validation
from .sources import SPLITS, UNSPLIT, RawQuestion
from .validation import ValidQuestion

REJECTED = ("source", "source_row", "reason", "excerpt")
"""Columns of `QuestionTable.rejected`."""


@dataclass(frozen=True)
class QuestionTable:
    """The questions of an experiment, and an account of the rows that were left out."""

    questions: pd.DataFrame
    """Rows of `tables.QUESTIONS`, by split, then id. Ids are unique."""
    rejected: pd.DataFrame
    """Columns of `REJECTED`: every row of the source that did not become a question."""
    leaked: pd.DataFrame
    """The questions dropped because they are also in another split; see `leakage.COLUMNS`."""
    similar: pd.DataFrame
    """The questions that were kept although they resemble one of another split; see `leakage.SIMILAR`."""
    flow: pd.DataFrame
    """step, n: the number of rows read, left out at each step, and remaining."""
    summary: pd.DataFrame
    """specialty, then the number of questions in each split. A question counts in each of its specialties."""


def build(raw: Iterable[RawQuestion], dataset: Dataset, grid: Sequence[str]) -> QuestionTable:
    """Make the question table of an experiment from the rows of its source.

    The steps, in this order: validate rows and merge duplicates; make splits if the source has none; leave out the
    questions of other specialties than the grid's; limit the test set to `test_size`; drop leaks from train and
    validation. Splits therefore do not depend on the grid.

    Raises:
        InputError: More than `max_rejected` of the rows were rejected, or a specialty of the grid has fewer train or
            test questions than `min_train` or `min_test`.
    """
    rows, entities = validation.unescape_rows(list(raw), dataset.unescape_html)
    checked, refused = validation.validate(rows, dataset)
    distinct, doubles = duplicates.merge_duplicates(checked)
    contradictions = [line for line in doubles if line["reason"].startswith("contradicts")]
    limits.check_rejected(refused + contradictions, len(rows), dataset)
    in_grid = list(splits.in_grid(splits.assign(distinct, dataset.split), grid, dataset.labels))
    capped = splits.cap_test(in_grid, grid, dataset.test_size)
    kept, leaked = leakage.drop(capped, dataset.leakage)
    limits.check_sizes(kept, grid, dataset)
    similar = leakage.similar(kept, dataset.leakage)
    flow = {
        "rows read": len(rows),
        "refused": len(refused),
        "left out by dataset.origin.specialties": len(rows) - len(refused) - len(checked),
        "doubled, merged or contradicting": len(doubles),
        "outside the grid": len(distinct) - len(in_grid),
        "test questions beyond dataset.test_size": len(in_grid) - len(capped),
        "leaked": len(capped) - len(kept),
        "questions": len(kept),
        "of these, similar to one of another split": len(similar),
    }
    if entities:
        what = "unescaped" if dataset.unescape_html else "left as they are; dataset.unescape_html turns them into text"
        flow[f"rows with HTML entities ({what})"] = entities
    return QuestionTable(
        questions=pd.DataFrame([_row(q) for q in kept], columns=QUESTIONS.names),
        rejected=pd.DataFrame(refused + doubles, columns=list(REJECTED)),
        leaked=pd.DataFrame(leaked, columns=list(leakage.COLUMNS)),
        similar=similar,
        flow=pd.DataFrame(flow.items(), columns=["step", "n"]),
        summary=_summary(kept, grid),
    )


def unlabelled(raw: Iterable[RawQuestion], dataset: Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Validate questions as `build` does, but with any specialties or none: those to annotate, and rejected rows.

    The first table has the columns of `tables.QUESTIONS`, one row per id, sorted by id, without a split; `specialties`
    are those of the source that are known. The second is like `QuestionTable.rejected`.

    Raises:
        InputError: More than `max_rejected` of the rows were rejected.
    """
    rows, _ = validation.unescape_rows(list(raw), dataset.unescape_html)
    checked, refused = validation.validate(rows, dataset, labelled=False)
    limits.check_rejected(refused, len(rows), dataset)
    distinct, doubles = duplicates.merge_duplicates(replace(q, split=UNSPLIT) for q in checked)
    kept = pd.DataFrame([_row(q) for q in sorted(distinct, key=_id)], columns=QUESTIONS.names)
    return kept, pd.DataFrame(refused + doubles, columns=list(REJECTED))


def _summary(questions: Iterable[ValidQuestion], grid: Sequence[str]) -> pd.DataFrame:
    counts = Counter((q.split, s) for q in questions for s in q.specialties)
    rows = [{"specialty": s, **{split: counts[split, s] for split in SPLITS}} for s in grid]
    return pd.DataFrame(rows, columns=["specialty", *SPLITS])


def _row(question: ValidQuestion) -> dict[str, object]:
    values = {name: getattr(question, name) for name in QUESTIONS.names}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _id(question: ValidQuestion) -> str:
    return question.question_id
