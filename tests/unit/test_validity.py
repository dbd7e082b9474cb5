"""Votes of terms for a question's specialty, and the measures made from them; the real split where it is there."""

import math

import pandas as pd
import pytest

from neuro2cardio import validity
from neuro2cardio.specialties import SPECIALTIES

HEART, NERVES = "Cardiology", "Neurology"


def questions(*labels: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"question_id": [f"q{i}" for i in range(len(labels))], "specialties": list(labels)})


def mentions(*rows: tuple[str, str, list[str], str]) -> pd.DataFrame:
    columns = ["question_id", "text", "specialties", "scope"]
    return pd.DataFrame(rows, columns=columns).assign(kind="disorder", matched_to="")


def test_a_term_votes_once_shared_by_its_specialties_and_weighted_by_rarity():
    ids = questions([HEART], [HEART], [HEART], [HEART])["question_id"]
    found = mentions(
        ("q0", "Blarf", [HEART, NERVES], "strict"),
        ("q0", "blarf", [HEART, NERVES], "strict"),
        ("q1", "blarf", [HEART, NERVES], "strict"),
        ("q1", "snoot", [NERVES], "strict"),
    )
    votes = validity.votes(ids, found)
    heart, nerves = SPECIALTIES.index(HEART), SPECIALTIES.index(NERVES)
    assert votes[0, heart] == votes[0, nerves] == pytest.approx(math.log(4 / 2) / 2)
    assert votes[1, nerves] == pytest.approx(math.log(4 / 2) / 2 + math.log(4))
    assert not votes[2:].any()


def test_ties_and_questions_without_votes_count_as_missed():
    labelled = questions([HEART], [HEART], [HEART, NERVES])
    found = mentions(("q0", "blarf", [HEART, NERVES], "strict"), ("q2", "snoot", [NERVES], "strict"))
    assert list(validity.label_rank(labelled, found)) == [1, len(SPECIALTIES) - 1, 0]


def test_broad_contains_strict_and_chance_and_majority_stand_beside_agreement():
    labelled = questions([HEART], [HEART], [NERVES])
    found = mentions(("q0", "blarf", [HEART], "strict"), ("q2", "snoot", [NERVES], "broad"))
    found = pd.concat([found, found.assign(kind="placebo", specialties=[[], []])])
    words = pd.DataFrame({"specialties": [[HEART], [NERVES], []], "scope": ["strict", "broad", "none"]})
    table = validity.validity(labelled, words, found).set_index(["scope", "measure", "specialty"])["value"]
    assert table["strict", "terms", ""] == 1
    assert table["broad", "terms", ""] == 2
    assert table["strict", "questions_with_mention", ""] == pytest.approx(1 / 3)
    assert table["broad", "questions_with_mention", ""] == pytest.approx(2 / 3)
    assert table["broad", "top1_agreement", ""] == pytest.approx(2 / 3)
    assert table["broad", "top1_agreement", HEART] == pytest.approx(1 / 2)
    assert table["strict", "chance", ""] == pytest.approx(1 / 15)
    assert table["strict", "majority_class", ""] == pytest.approx(2 / 3)
    assert "top1_agreement" in validity.report(validity.validity(labelled, words, found))
