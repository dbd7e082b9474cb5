"""Worked examples for the base model: a few train questions, the same before every test question."""

import pandas as pd

from ..core.errors import InputError
from ..core.provenance import text_digest


def draw(questions: pd.DataFrame, n: int) -> pd.DataFrame:
    """Draw ``n`` questions of the train split by hash: the same ones for the same table, never a test question.

    Args:
        questions: Rows of `tables.QUESTIONS`.
        n: How many.

    Raises:
        InputError: The train split has fewer questions.
    """
    train = questions[questions["split"] == "train"]
    if len(train) < n:
        raise InputError(f"inference.base_shots: {n} is more than the {len(train)} train questions; lower it")
    order = train["question_id"].map(lambda question_id: text_digest("few-shot", question_id))
    return train.loc[order.sort_values().index[:n]].reset_index(drop=True)
