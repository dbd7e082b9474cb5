"""What every annotator does: the one interface of server, scored model and lexicon."""

from pathlib import Path
from typing import Protocol

import pandas as pd
import pyarrow as pa

from ..core import tables
from ..core.provenance import text_digest

ANSWERS = pa.schema(
    {
        "question_id": pa.string(),
        "prompt": pa.string(),
        "sample": pa.int64(),
        "text": pa.string(),
        "label": pa.string(),
        "problem": pa.string(),
        "labels": pa.list_(pa.string()),
        "probabilities": pa.list_(pa.float64()),
        "thoughts": pa.int64(),
    }
)
"""One row an answer: question x prompt x sample. `label` is empty where `problem` says why. `labels` and
`probabilities` are a distribution over candidates where the annotator has one, else empty. `thoughts`: characters of
thoughts that were cut off before the answer was read."""


class Annotator(Protocol):
    """Gives each question an answer for each of its ways of asking."""

    def annotate(self, questions: pd.DataFrame) -> pd.DataFrame:
        """Answers (columns of `ANSWERS`) for questions with the columns `question_id`, `stem` and `options`."""
        ...


def in_parts(
    annotator: Annotator, questions: pd.DataFrame, folder: Path, made_from: str, size: int = 32
) -> pd.DataFrame:
    """Annotate some questions at a time and keep each part in ``folder``: a killed job goes on where it was.

    The longest questions come first, so that what is too large for the memory shows at once. ``made_from`` says all
    that the answers depend on besides the questions; parts made from something else are not used. Answers come back in
    the order of the questions. For annotators whose answers to a question do not depend on the others.
    """
    from tqdm import tqdm  # which the lexicon's environment does not have

    order = questions["stem"].str.len().sort_values(ascending=False, kind="stable").index
    answers = []
    for start in tqdm(range(0, len(order), size), desc=f"parts of {size} questions", unit="part", mininterval=5):
        part = questions.loc[order[start : start + size]]
        path = folder / f"{text_digest(made_from, *part['question_id'])}.parquet"
        if not path.exists():
            tables.write(annotator.annotate(part), path, ANSWERS)
        answers.append(tables.read(path, ANSWERS))
    found = pd.concat(answers).set_index("question_id")
    return found.loc[questions["question_id"]].reset_index()[ANSWERS.names]
