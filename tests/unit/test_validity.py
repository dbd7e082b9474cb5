"""Votes of terms for a question's specialty, and the measures made from them; the real split where it is there."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from neuro2cardio.core.specialties import SPECIALTIES, canonical
from neuro2cardio.terms import lexicon, mentions, validity
from neuro2cardio.terms.backends import LexiconBackend

HEART, NERVES = "Cardiology", "Neurology"


def questions(*labels: list[str]) -> pd.DataFrame:
    ids = [f"q{i}" for i in range(len(labels))]
    return pd.DataFrame({"question_id": ids, "specialties": list(labels), "stem": "a stem of twenty-six letters"})


def mentioned(*rows: tuple[str, str, list[str], str]) -> pd.DataFrame:
    columns = ["question_id", "text", "specialties", "scope"]
    frame = pd.DataFrame(rows, columns=columns).assign(kind="disorder", matched_to="", start=2)
    return frame.assign(mention_id=[f"m{i}" for i in range(len(rows))])


def test_a_term_votes_once_shared_by_its_specialties_and_weighted_by_rarity():
    ids = questions([HEART], [HEART], [HEART], [HEART])["question_id"]
    found = mentioned(
        ("q0", "Blarf", [HEART, NERVES], "strict"),
        ("q0", "blarf", [HEART, NERVES], "strict"),
        ("q1", "blarf", [HEART, NERVES], "strict"),
        ("q1", "snoot", [NERVES], "strict"),
    )
    votes = validity.votes(ids, found, SPECIALTIES)
    heart, nerves = SPECIALTIES.index(HEART), SPECIALTIES.index(NERVES)
    assert votes[0, heart] == votes[0, nerves] == pytest.approx(math.log(4 / 2) / 2)
    assert votes[1, nerves] == pytest.approx(math.log(4 / 2) / 2 + math.log(4))
    assert not votes[2:].any()


def test_ties_and_questions_without_votes_count_as_missed():
    labelled = questions([HEART], [HEART], [HEART, NERVES])
    found = mentioned(("q0", "blarf", [HEART, NERVES], "strict"), ("q2", "snoot", [NERVES], "strict"))
    assert list(validity.label_rank(labelled, found)) == [1, len(SPECIALTIES) - 1, 0]


def test_specialties_beyond_the_fifteen_have_votes_where_the_lexicon_names_them():
    labelled = questions(["Urology"], [HEART])
    found = mentioned(("q0", "blarf", ["Urology"], "strict"), ("q1", "snoot", ["Urology"], "strict"))
    assert list(validity.label_rank(labelled, found)) == [0, len(SPECIALTIES)]
    words = pd.DataFrame({"specialties": [["Urology"], ["Urology"]], "scope": ["strict", "strict"]})
    table = validity.validity(labelled, words, found).set_index(["scope", "measure", "specialty"])["value"]
    assert table["strict", "terms", "Urology"] == 2
    assert table["strict", "top1_agreement", "Urology"] == 1
    # A lexicon may also know a specialty that no question has.
    assert list(validity.label_rank(questions([HEART], [HEART]), found)) == [len(SPECIALTIES) - 1] * 2


def test_broad_contains_strict_and_chance_and_majority_stand_beside_agreement():
    labelled = questions([HEART], [HEART], [NERVES])
    found = mentioned(("q0", "blarf", [HEART], "strict"), ("q2", "snoot", [NERVES], "broad"))
    beside = found.assign(kind="placebo", specialties=[[], []], matched_to=found["mention_id"], mention_id=["p0", "p1"])
    found = pd.concat([found, beside.assign(text="to me", start=9)])
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
    assert table["strict", "placebo_minus_term_expected_tokens", ""] == 0
    assert table["strict", "placebo_minus_term_place_in_stem", ""] == pytest.approx(7 / 28)
    assert "top1_agreement" in validity.report(validity.validity(labelled, words, found))


@pytest.mark.slow
def test_the_embedded_lexicon_on_the_real_split(s_medqa_directory: Path, ontologies_directory: Path):
    """The promises of docs/terms.md, on the released validation split."""
    released = json.loads((s_medqa_directory / "S-MedQA_validation.json").read_text(encoding="utf-8"))
    split = pd.DataFrame(
        {
            "question_id": [str(i) for i in range(len(released))],
            "stem": [row["Question"] for row in released],
            "specialties": [[canonical(row["Specialty"])] for row in released],
        }
    )
    built = lexicon.embedded(ontologies_directory / "hp.obo", ontologies_directory / "icd10cm.xml", max_specialties=3)
    found = mentions.table(split, LexiconBackend(built.terms, built.versions), with_placebos=True)
    table = validity.validity(split, built.terms, found).set_index(["scope", "measure", "specialty"])["value"]
    assert table["broad", "questions_with_mention", ""] >= 0.95
    assert table["strict", "questions_with_mention", ""] >= 0.90
    majority = table["strict", "majority_class", ""]
    for scope in validity.SCOPES:
        assert table[scope, "top1_agreement", ""] >= 0.55
        assert all(table[scope, "top1_agreement", specialty] > majority for specialty in SPECIALTIES)
