"""Questions that are in another split than when the question table was last made.

Splits are made by the order of the questions' ids. Where an id is made from the question's text, one corrected typo
changes it, takes that question to another place in the order, and so may move others across a boundary.
"""

from pathlib import Path

import pandas as pd

from ..core import tables

_GUARD = r"^'(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"
"""The apostrophe that `tables.write_csv` puts before what looks like a formula."""
COLUMNS = ["question_id", "was", "now", "stem"]
"""`was` and `now` are splits; empty: the question was not there, or is not there any more."""


def since(remembered: Path, questions: pd.DataFrame) -> pd.DataFrame:
    """The questions that moved (`COLUMNS`) since the splits were remembered.

    Args:
        remembered: What `remember` wrote. Where it is missing, nothing has moved.
        questions: `question_id`, `split` and `stem` of the present table.

    Returns:
        First the questions that went from one split to another, then those that left, then those that are new. Empty
        where no question of the earlier table is in this one: it is another data set.
    """
    if not remembered.is_file():
        return pd.DataFrame(columns=COLUMNS)
    now = questions[["question_id", "split", "stem"]]
    both = read(remembered).merge(now, on="question_id", how="outer", suffixes=("_was", ""), indicator="found")
    if not (both["found"] == "both").any():
        return pd.DataFrame(columns=COLUMNS)
    changed = both[both["split_was"] != both["split"]]
    kind = changed["found"].map({"both": 0, "left_only": 1, "right_only": 2}).astype(int)
    changed = changed.assign(kind=kind).sort_values(["kind", "question_id"])
    stems = changed["stem"].where(changed["stem"].notna(), changed["stem_was"])
    moved = changed.rename(columns={"split_was": "was", "split": "now"}).assign(stem=stems)
    return moved[COLUMNS].fillna("").reset_index(drop=True)


def remember(questions: pd.DataFrame, path: Path) -> None:
    """Write the splits of a question table for the next run to compare with."""
    tables.write_csv(questions[["question_id", "split", "stem"]], path)


def sentence(moves: pd.DataFrame) -> str:
    """How many questions moved, for the log and the screen; empty where none did."""
    across = int(((moves["was"] != "") & (moves["now"] != "")).sum())
    if not len(moves):
        return ""
    new, gone = int((moves["was"] == "").sum()), int((moves["now"] == "").sum())
    return f"questions in another split than in the last run: {across}; new: {new}; gone: {gone}"


def read(path: Path) -> pd.DataFrame:
    """A table of moves, or of remembered splits, from its CSV file: all cells are text, and ids as they are."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return table.assign(question_id=table["question_id"].str.replace(_GUARD, "", regex=True))
