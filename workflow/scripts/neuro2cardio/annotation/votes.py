"""Votes on a question's specialty: winner, agreement, and what a quorum costs and buys."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
import re

import numpy as np
import pandas as pd
import pyarrow as pa

from ..analysis.resampling import wilson
from ..core import specialties
from .labels import OTHERS

VOTES = pa.schema(
    {
        "question_id": pa.string(),
        "votes": pa.list_(pa.string()),
        "winner": pa.string(),
        "agreement": pa.int64(),
        "status": pa.string(),
        "labels": pa.list_(pa.string()),
        "probabilities": pa.list_(pa.float64()),
    }
)
"""One row a question. `votes`: one label for each prompt, in their order, empty where there is none. `winner` is empty
in a tie. `agreement`: the votes of the first place. `labels` and `probabilities`: over all answers, best first."""

STATUSES = ("accepted", "no-majority", "tie", "others", "out-of-scope", "no-votes")
"""`no-majority`: a winner below the quorum. `others`: that is what won. `out-of-scope`: what won is a candidate, but
none of the specialties that are released: the 15, and the user's own. Only `accepted` questions are released."""


def tally(answers: pd.DataFrame, quorum: int, names: Sequence[str] = specialties.SPECIALTIES) -> pd.DataFrame:
    """Votes by question (columns of `VOTES`), in the order of the answers.

    Each prompt has one vote: the label most of its samples gave; none where samples tie. ``names`` are the specialties
    that are released.
    """
    ballots: dict[str, dict[str, list[str]]] = {}
    scored: dict[str, list[dict[str, float]]] = {}
    for row in answers.itertuples(index=False):
        ballots.setdefault(row.question_id, {}).setdefault(row.prompt, []).append(row.label)
        if len(row.labels):
            scores = dict(zip(row.labels, row.probabilities, strict=True))
            scored.setdefault(row.question_id, []).append(scores)
    rows = []
    for question_id, by_prompt in ballots.items():
        votes = [_winner(labels)[0] for labels in by_prompt.values()]
        winner, agreement = _winner(votes)
        ranked = _ranked(
            scored.get(question_id) or [{label: 1.0} for own in by_prompt.values() for label in own if label]
        )
        rows.append((question_id, votes, winner, agreement, _status(winner, agreement, quorum, names), *ranked))
    return pd.DataFrame(rows, columns=VOTES.names)


def status_counts(votes: pd.DataFrame) -> pd.DataFrame:
    """How many questions came to which end, and with which winner: what was dropped is listed here."""
    counts = votes.groupby(["status", "winner"]).size().rename("n").reset_index()
    counts["status"] = pd.Categorical(counts["status"], STATUSES)
    counts = counts.sort_values(["status", "n", "winner"], ascending=[True, False, True], ignore_index=True)
    return counts.astype({"status": str})


def by_quorum(
    votes: pd.DataFrame,
    truth: Mapping[str, Sequence[str]],
    quorums: Sequence[int],
    confidence: float = 0.95,
    names: Sequence[str] = specialties.SPECIALTIES,
) -> pd.DataFrame:
    """Accuracy and coverage at each quorum, over all questions and by specialty.

    A question is covered where one of the released specialties (``names``) won with at least the quorum's votes, and
    correct where the winner is among its true specialties. ``by`` is `all`, `truth` (sliced by the true primary
    specialty: how much of it is found) or `winner` (sliced by the winner: how much of it is right). Intervals are
    Wilson's.

    :param truth: question id -> true specialties, the primary first; other questions are left out.
    """
    known = votes[votes["question_id"].isin(truth.keys())]
    correct = pd.Series(
        [w in truth[i] for i, w in zip(known["question_id"], known["winner"], strict=True)], known.index, dtype=bool
    )
    primary = known["question_id"].map(lambda i: truth[i][0])
    slices = [("all", "all", np.ones(len(known), bool))]
    slices += [("truth", name, (primary == name).to_numpy()) for name in names]
    slices += [("winner", name, (known["winner"] == name).to_numpy()) for name in names]
    inside = known["winner"].isin(names)
    rows = []
    for quorum in quorums:
        covered = (inside & (known["agreement"] >= quorum)).to_numpy()
        for by, name, chosen in slices:
            n, k = int(chosen.sum()), int((chosen & covered).sum())
            hits = int((chosen & covered & correct.to_numpy()).sum())
            rows.append((quorum, by, name, n, k, hits, *_rate(k, n, confidence), *_rate(hits, k, confidence)))
    columns = ["coverage", "coverage_low", "coverage_high", "accuracy", "accuracy_low", "accuracy_high"]
    return pd.DataFrame(rows, columns=["quorum", "by", "specialty", "n", "covered", "correct", *columns])


def confusion(
    votes: pd.DataFrame, truth: Mapping[str, Sequence[str]], names: Sequence[str] = specialties.SPECIALTIES
) -> pd.DataFrame:
    """True primary specialty x what the vote said (a candidate, or the status where nothing won), as counts."""
    known = votes[votes["question_id"].isin(truth.keys())]
    said = known["winner"].where(known["winner"] != "", known["status"])
    table = pd.crosstab(known["question_id"].map(lambda i: truth[i][0]), said)
    columns = [name for name in names if name in table] + [name for name in table if name not in names]
    table = table.reindex(list(names), fill_value=0)[columns]
    return table.rename_axis("truth").rename_axis(None, axis=1).reset_index()


def problems(answers: pd.DataFrame) -> pd.DataFrame:
    """Answers that gave no label, counted by prompt and kind of problem (what stands before its colon).

    Rows of the kind `thoughts cut off` count the answers, with or without a label, whose thoughts were not read.
    """
    bad = answers[answers["problem"] != ""]
    kind = bad["problem"].str.split(":").str[0].str.replace(r" '.*", "", regex=True, flags=re.DOTALL)
    thoughts = answers[answers["thoughts"] > 0]
    kinds = pd.concat([kind, pd.Series("thoughts cut off", thoughts.index, dtype=str)]).rename("problem")
    prompts = pd.concat([bad["prompt"], thoughts["prompt"]])
    counts = pd.DataFrame({"prompt": prompts, "problem": kinds}).groupby(["prompt", "problem"]).size().rename("n")
    return counts.reset_index().merge(answers.groupby("prompt").size().rename("answers").reset_index())


def _winner(votes: Sequence[str]) -> tuple[str, int]:
    """The most frequent label and its votes; no label where several share the first place."""
    ranked = Counter(vote for vote in votes if vote).most_common(2)
    if not ranked:
        return "", 0
    tie = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
    return ("" if tie else ranked[0][0]), ranked[0][1]


def _status(winner: str, agreement: int, quorum: int, names: Sequence[str]) -> str:
    if not agreement:
        return "no-votes"
    if not winner:
        return "tie"
    if winner == OTHERS:
        return "others"
    if agreement < quorum:
        return "no-majority"
    return "accepted" if winner in names else "out-of-scope"


def _ranked(distributions: Sequence[Mapping[str, float]]) -> tuple[list[str], list[float]]:
    """The mean of distributions over labels, most probable first. A plain answer is a distribution of one label."""
    total: dict[str, float] = defaultdict(float)
    for distribution in distributions:
        for label, probability in distribution.items():
            total[label] += probability / len(distributions)
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return [label for label, _ in ranked], [float(share) for _, share in ranked]


def _rate(hits: int, n: int, confidence: float) -> tuple[float, float, float]:
    if not n:
        return float("nan"), float("nan"), float("nan")
    low, high = wilson(hits / n, n, confidence)
    return hits / n, float(low), float(high)
