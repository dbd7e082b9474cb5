"""Votes, quorum, and what they are worth against a known truth."""

from collections import Counter

from hypothesis import given, strategies as st
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from neuro2cardio.annotation import votes
from neuro2cardio.annotation.annotators import ANSWERS
from neuro2cardio.annotation.labels import OTHERS

C, N, P, U = "Cardiology", "Neurology", "Pediatrics", "Urology"


def answers(*ballots: list[str], samples: int = 1) -> pd.DataFrame:
    """One question for each ballot: a label for each prompt (and sample)."""
    rows = [
        (f"q{i}", f"way{j // samples}", j % samples, "text", label, "" if label else "empty", [], [], 0)
        for i, ballot in enumerate(ballots)
        for j, label in enumerate(ballot)
    ]
    return pd.DataFrame(rows, columns=ANSWERS.names)


@pytest.mark.parametrize(
    ("ballot", "winner", "agreement", "status"),
    [
        ([C, C, C, C, C], C, 5, "accepted"),
        ([C, C, C, N, P], C, 3, "accepted"),
        ([C, C, N, P, ""], C, 2, "no-majority"),
        ([C, C, N, N, P], "", 2, "tie"),
        ([C, N, P, U, OTHERS], "", 1, "tie"),
        ([C, "", "", "", ""], C, 1, "no-majority"),
        (["", "", "", "", ""], "", 0, "no-votes"),
        ([OTHERS, OTHERS, OTHERS, C, C], OTHERS, 3, "others"),
        ([U, U, U, U, C], U, 4, "out-of-scope"),
    ],
)
def test_each_end_a_vote_can_come_to(ballot, winner, agreement, status):
    row = votes.tally(answers(ballot), quorum=3).iloc[0]
    assert (row["winner"], row["agreement"], row["status"], row["votes"]) == (winner, agreement, status, ballot)


@pytest.mark.parametrize("quorum", [1, 2, 3, 4, 5])
def test_the_quorum_decides_between_accepted_and_no_majority(quorum):
    ballots = [[C] * k + [""] * (5 - k) for k in range(1, 6)]
    status = votes.tally(answers(*ballots), quorum)["status"].tolist()
    assert status == ["no-majority"] * (quorum - 1) + ["accepted"] * (6 - quorum)


def test_a_prompt_has_one_vote_however_many_samples_and_none_where_they_tie():
    table = votes.tally(answers([C, C, N, C, N, ""], samples=2), quorum=2)
    assert table["votes"][0] == [C, "", N]
    assert dict(zip(table["labels"][0], table["probabilities"][0], strict=True)) == pytest.approx({C: 0.6, N: 0.4})


def test_scored_distributions_are_averaged():
    rows = [("q", "a", 0, "", C, "", [C, N], [0.7, 0.3], 0), ("q", "b", 0, "", N, "", [C, N], [0.1, 0.9], 0)]
    table = votes.tally(pd.DataFrame(rows, columns=ANSWERS.names), quorum=1)
    assert table["labels"][0] == [N, C]
    assert table["probabilities"][0] == pytest.approx([0.6, 0.4])


@given(st.lists(st.lists(st.sampled_from([C, N, P, U, OTHERS, ""]), min_size=5, max_size=5), min_size=1, max_size=20))
def test_no_question_is_lost_and_the_winner_has_the_most_votes(ballots):
    table = votes.tally(answers(*ballots), quorum=3)
    assert table["question_id"].tolist() == [f"q{i}" for i in range(len(ballots))]
    assert votes.status_counts(table)["n"].sum() == len(ballots)
    for ballot, winner, agreement in zip(ballots, table["winner"], table["agreement"], strict=True):
        counts = Counter(label for label in ballot if label)
        assert agreement == max(counts.values(), default=0)
        assert winner == "" or [label for label, n in counts.items() if n == agreement] == [winner]


def test_accuracy_and_coverage_by_quorum_against_hand_counts():
    ballots = [[C] * 5, [C] * 4 + [N], [N] * 3 + [C] * 2, [C, C, N, N, ""], [U] * 5, [P] * 5]
    truth = {"q0": [C], "q1": [C, N], "q2": [P, N], "q3": [C], "q4": [N], "q5": [C]}
    table = votes.by_quorum(votes.tally(answers(*ballots), 3), truth, [3, 5])
    overall = table[table["by"] == "all"].set_index("quorum")
    assert overall.loc[3, ["n", "covered", "correct"]].tolist() == [6, 4, 3]
    assert overall.loc[5, ["n", "covered", "correct"]].tolist() == [6, 2, 1]
    assert overall.loc[3, "coverage"] == pytest.approx(4 / 6)
    low, high = proportion_confint(3, 4, method="wilson")
    assert overall.loc[3, ["accuracy", "accuracy_low", "accuracy_high"]].tolist() == pytest.approx([0.75, low, high])
    by_truth = table[(table["by"] == "truth") & (table["quorum"] == 3)].set_index("specialty")
    assert by_truth.loc[C, ["n", "covered", "correct"]].tolist() == [4, 3, 2]
    by_winner = table[(table["by"] == "winner") & (table["quorum"] == 3)].set_index("specialty")
    assert by_winner.loc[P, ["n", "covered", "correct"]].tolist() == [1, 1, 0]
    assert np.isnan(by_winner.loc["Rheumatology", "accuracy"])


def test_intervals_are_around_their_rate_even_at_its_ends():
    ballots = [[C] * 5] * 17 + [[N] * 5] * 3
    table = votes.by_quorum(votes.tally(answers(*ballots), 3), {f"q{i}": [C] for i in range(20)}, [5]).dropna()
    assert (table["accuracy_low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["accuracy_high"]).all()
    assert (table["coverage"] <= table["coverage_high"]).all()


def test_questions_without_a_known_truth_are_not_measured():
    table = votes.by_quorum(votes.tally(answers([C] * 5, [N] * 5), 3), {"q1": [N]}, [3])
    assert table.loc[0, ["n", "covered", "correct"]].tolist() == [1, 1, 1]
    assert votes.by_quorum(votes.tally(answers([C] * 5), 3), {}, [3]).loc[0, "n"] == 0


def test_the_confusion_table_counts_every_known_question_once():
    ballots = [[C] * 5, [N] * 5, [U] * 5, [OTHERS] * 5, [C, C, N, N, P], [""] * 5]
    truth = {f"q{i}": [C] for i in range(5)} | {"q5": [N]}
    table = votes.confusion(votes.tally(answers(*ballots), 3), truth).set_index("truth")
    assert table.to_numpy().sum() == 6
    assert table.loc[C, [C, N, U, OTHERS, "tie"]].tolist() == [1, 1, 1, 1, 1]
    assert table.loc[N, "no-votes"] == 1


def test_problems_are_counted_by_prompt_and_kind():
    table = answers([C] * 5, [""] * 5)
    table.loc[5:6, "problem"] = ["several labels: Cardiology, Neurology", "unknown label 'heart'"]
    counts = votes.problems(table)
    assert counts[["problem", "n", "answers"]].to_numpy().tolist() == [
        ["several labels", 1, 2],
        ["unknown label", 1, 2],
        *[["empty", 1, 2]] * 3,
    ]
