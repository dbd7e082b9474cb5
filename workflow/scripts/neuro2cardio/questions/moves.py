"""Questions that are in another split than when the question table was last made.

Splits are made by the order of the questions' ids. Where an id is made from the question's text, one corrected typo
changes it, takes that question to another place in the order, and so may move others across a boundary.
"""

from pathlib import Path

import pandas as pd

from ..core import files

COLUMNS = ["question_id", "was", "now", "stem"]
"""`was` and `now` are splits; empty: the question was not there, or is not there any more."""


def account(questions: pd.DataFrame, remembered: Path) -> pd.DataFrame:
    """The questions that moved (`COLUMNS`) since the last call with this file, which then remembers the present splits.

    Args:
        questions: `question_id`, `split` and `stem` of the present table.
        remembered: A CSV file. Where it is missing, nothing has moved.

    Returns:
        First the questions that went from one split to another, then those that left, then those that are new. Empty
        where no question of the earlier table is in this one: it is another data set.
    """
    now = questions[["question_id", "split", "stem"]]
    moves = pd.DataFrame(columns=COLUMNS)
    if remembered.is_file():
        before = read(remembered)
        both = before.merge(now, on="question_id", how="outer", suffixes=("_was", ""), indicator="found")
        if (both["found"] == "both").any():
            changed = both[both["split_was"] != both["split"]]
            kind = changed["found"].map({"both": 0, "left_only": 1, "right_only": 2}).astype(int)
            changed = changed.assign(kind=kind).sort_values(["kind", "question_id"])
            stems = changed["stem"].where(changed["stem"].notna(), changed["stem_was"])
            moves = changed.rename(columns={"split_was": "was", "split": "now"}).assign(stem=stems)[COLUMNS].fillna("")
    with files.atomic_write(remembered) as part:
        now.to_csv(part, index=False)
    return moves.reset_index(drop=True)


def sentence(moves: pd.DataFrame) -> str:
    """How many questions moved, for the log and the screen; empty where none did."""
    across = int(((moves["was"] != "") & (moves["now"] != "")).sum())
    if not len(moves):
        return ""
    new, gone = int((moves["was"] == "").sum()), int((moves["now"] == "").sum())
    return f"questions in another split than in the last run: {across}; new: {new}; gone: {gone}"


def read(path: Path) -> pd.DataFrame:
    """A table of moves, or of the splits that `account` remembers, from its CSV file: all cells are text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)
