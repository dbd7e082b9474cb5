"""What every annotator does: the one interface of server, scored model and lexicon."""

from typing import Protocol

import pandas as pd
import pyarrow as pa

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
    }
)
"""One row an answer: question x prompt x sample. `label` is empty where `problem` says why. `labels` and
`probabilities` are a distribution over candidates where the annotator has one, else empty."""


class Annotator(Protocol):
    """Gives each question an answer for each of its ways of asking."""

    def annotate(self, questions: pd.DataFrame) -> pd.DataFrame:
        """Answers (columns of `ANSWERS`) for questions with the columns `question_id`, `stem` and `options`."""
        ...
