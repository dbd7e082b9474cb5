"""Experts check a sample of the questions: how it is drawn, and what their answers do to the votes."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from ..core.specialties import SPECIALTIES

TRAIL = pa.schema(
    {
        "question_id": pa.string(),
        "drawn": pa.string(),
        "verdict": pa.string(),
        "before": pa.string(),
        "after": pa.string(),
        "also": pa.list_(pa.string()),
        "experts": pa.string(),
        "agreeing": pa.int64(),
        "ratings": pa.int64(),
    }
)
"""What became of each checked question. `verdict`: `confirmed`, `corrected`, `added` (the vote had no winner) or
`disputed` (no majority of experts; the vote stands)."""


def draw(votes: pd.DataFrame, random: int, per_specialty: int, seed: int) -> pd.DataFrame:
    """The questions to check: columns `question_id` and `drawn`, in random order.

    ``random`` questions are drawn from all, whatever their votes; these alone stand for the data set as a whole. More
    are drawn (``drawn`` = `specialty`) until each specialty with accepted questions has ``per_specialty``
    of them, or all it has. A larger sample of the same seed contains the smaller one.
    """
    ids = np.sort(votes["question_id"].to_numpy(str))
    order = np.random.default_rng(seed).permutation(ids).tolist()
    chosen = dict.fromkeys(order[:random], "random")
    accepted = votes[votes["status"] == "accepted"]
    won = dict(zip(accepted["question_id"], accepted["winner"], strict=True))
    have = Counter(won[i] for i in chosen if i in won)
    for question_id in order[random:]:
        winner = won.get(question_id)
        if winner is not None and have[winner] < per_specialty:
            chosen[question_id] = "specialty"
            have[winner] += 1
    return pd.DataFrame([(i, chosen[i]) for i in order if i in chosen], columns=["question_id", "drawn"])


def wide(ratings: pd.DataFrame) -> pd.DataFrame:
    """Primary labels as questions x experts, for agreement; empty where an expert left one out."""
    return ratings.pivot(index="question_id", columns="expert", values="specialty").fillna("")


def judge(votes: pd.DataFrame, sample: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """The verdict of the experts on each checked question (columns of `TRAIL`), in the order of the sample.

    The specialty that more than half of a question's experts gave holds; so do further ones that more than half named.
    """
    before = {
        i: winner if status == "accepted" else ""
        for i, winner, status in zip(votes["question_id"], votes["winner"], votes["status"], strict=True)
    }
    given = dict(list(ratings[ratings["specialty"] != ""].groupby("question_id")))
    rows = []
    for question_id, drawn in zip(sample["question_id"], sample["drawn"], strict=True):
        if question_id in given:
            rows.append((question_id, drawn, *_verdict(before[question_id], given[question_id])))
    return pd.DataFrame(rows, columns=TRAIL.names)


def truth(questions: pd.DataFrame, trail: pd.DataFrame, names: Sequence[str] = SPECIALTIES) -> dict[str, list[str]]:
    """The true specialties by question id, the primary first: what accuracy and coverage are measured on.

    Those of the source, where it has any. Else those of the experts, for the randomly drawn questions on which they
    agree: with the ones drawn for their specialty, the sample would not be like the data set. Questions whose primary
    specialty is none of the released ones (``names``) are left out, since no set can hold it.
    """
    known = {i: list(own) for i, own in zip(questions["question_id"], questions["specialties"], strict=True) if own}
    if known:
        return known
    random = trail[(trail["drawn"] == "random") & (trail["verdict"] != "disputed") & trail["after"].isin(names)]
    return {
        i: [after, *(name for name in also if name in names)]
        for i, after, also in zip(random["question_id"], random["after"], random["also"], strict=True)
    }


def _verdict(before: str, ratings: pd.DataFrame) -> tuple[str, str, str, list[str], str, int, int]:
    n = len(ratings)
    label, agreeing = Counter(ratings["specialty"].tolist()).most_common(1)[0]
    experts = ", ".join(sorted(ratings["expert"]))
    if 2 * agreeing <= n:
        return "disputed", before, before, [], experts, agreeing, n
    named = Counter(name for p, also in zip(ratings["specialty"], ratings["also"], strict=True) for name in {p, *also})
    also = sorted(name for name, count in named.items() if 2 * count > n and name != label)
    verdict = "confirmed" if before == label else "corrected" if before else "added"
    return verdict, before, label, also, experts, agreeing, n
