"""Mentions and placebos: where terms are found in a text, and what stands beside them."""

from hypothesis import given, settings, strategies as st
import pandas as pd
import pytest

from neuro2cardio.core import tables
from neuro2cardio.terms import lexicon, mentions, placebos
from neuro2cardio.terms.backends import LexiconBackend
from neuro2cardio.terms.lexicon import Entry
from neuro2cardio.terms.matching import Matcher

TERMS = {
    "heart failure": "Cardiology",
    "acute heart failure with fever": "Cardiology",
    "heart": "Cardiology",
    "seizure": "Neurology",
    "Crohn's disease": "Gastroenterology",
    "AIDS": "Infectious diseases",
    "E. coli": "Infectious diseases",
    "anemia": "Hematology",
    "beta-blocker": "Cardiology",
}
GENERAL = ("heart rate", "blarf")


def lexicon_of(terms: dict[str, str] = TERMS, general: tuple[str, ...] = GENERAL) -> pd.DataFrame:
    entries = [Entry(t, (s,), "disorder", f"X:{t}", "supplement") for t, s in terms.items()]
    entries += [Entry(t, (), "general", f"X:{t}", "supplement") for t in general]
    return lexicon.build(entries, max_specialties=3)


def texts(text: str, scopes: tuple[str, ...] = ("strict", "broad")) -> list[str]:
    return [mention.text for mention in Matcher(lexicon_of()).find(text) if mention.scope in scopes]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Heart failure and HEART FAILURE", ["Heart failure", "HEART FAILURE"]),
        ("acute heart failure with fever", ["acute heart failure with fever"]),
        ("acute heart failure with rash", ["heart failure"]),
        ("The heart. Failure followed", ["heart"]),
        ("heart\nfailure", ["heart"]),
        ("heart, failure", ["heart"]),
        ("heart—failure", ["heart"]),
        ("heart\tfailure", ["heart"]),
        ("hearten the seizures", ["seizures"]),
        ("preseizure and seizure2", []),
        ("(seizure)", ["seizure"]),
        ("post-seizure", ["seizure"]),
        ("AIDS but hearing aids", ["AIDS"]),
        ("Crohn’s disease, Crohn disease", ["Crohn’s disease", "Crohn disease"]),
        ("E. coli, not E coli", ["E. coli"]),
        ("anaemia", ["anaemia"]),
        ("beta blockers and β", ["beta blockers"]),
        ("heart rate of 80", []),
        ("", []),
    ],
)
def test_terms_are_found_where_they_stand(text, found):
    assert texts(text) == found


def test_broad_terms_leave_the_strict_mentions_as_they_are():
    table = lexicon_of({"blue seizure": "Neurology", "heart": "Cardiology", "seizure heart": "Cardiology"}, ())
    with_broad = table.assign(scope=["strict" if t != "seizure heart" else "broad" for t in table["term"]])
    text = "a blue seizure heart"
    alone = Matcher(with_broad[with_broad["scope"] == "strict"]).find(text)
    both = Matcher(with_broad).find(text)
    assert [m.text for m in both if m.scope == "strict"] == [m.text for m in alone]


PIECES = st.sampled_from(
    [*TERMS, *GENERAL, "the", "patient", "Crohn’s disease", "anaemias", ".", ", ", "-", "\n", " ", "É", "İ", "ß", "37C"]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=25).map(" ".join))
@settings(max_examples=150, deadline=None)
def test_mentions_slice_to_their_text_and_never_overlap(text):
    found = MATCHER.find(text)
    end = 0
    for mention in found:
        assert text[mention.start : mention.end] == mention.text
        assert mention.start >= end
        end = mention.end
        assert not (mention.start and text[mention.start - 1].isalnum())
        assert not (mention.end < len(text) and text[mention.end].isalnum())


MATCHER = Matcher(lexicon_of())

STEM = (
    "A woman with heart failure and a seizure went home after dinner with her sister. The weather was cold and the "
    "kitchen window had been open since morning, so they drank tea and talked about the garden."
)


def questions(*stems: str) -> pd.DataFrame:
    return pd.DataFrame({"question_id": [f"q{i}" for i in range(len(stems))], "stem": list(stems)})


def table(*stems: str, with_placebos: bool = True) -> pd.DataFrame:
    return mentions.table(questions(*stems), LexiconBackend(lexicon_of(), {}), with_placebos=with_placebos)


def test_every_strict_term_has_its_placebos_best_first():
    found = table(STEM)
    terms = found[found["kind"] != "placebo"]
    beside = found[found["kind"] == "placebo"]
    strict = terms[terms["scope"] == "strict"]
    assert set(beside["matched_to"]) == set(strict["mention_id"])
    assert all(not specialties for specialties in beside["specialties"])
    assert (terms["matched_to"] == "").all()


@pytest.mark.parametrize(("text", "tokens"), [("fever", 1), ("heart failure", 2), ("cardiomyopathy", 4), ("T-wave", 2)])
def test_an_everyday_word_is_a_token_and_a_rare_one_several(text, tokens):
    assert placebos.expected_tokens(text) == tokens


def test_placebos_have_about_as_many_tokens_as_their_terms():
    found = table(STEM)
    text = dict(zip(found["mention_id"], found["text"], strict=True))
    for term, beside in found[found["kind"] == "placebo"].groupby("matched_to")["text"]:
        words = beside.str.split().map(len)
        expected = placebos.expected_tokens(text[term])
        # The best has as many everyday words as the term has tokens; beside it stand one word more and one less.
        assert words.iloc[0] == expected
        assert {expected, expected - 1} - {0} <= set(words) <= {expected - 1, expected, expected + 1}


@given(st.lists(PIECES | st.sampled_from(STEM.split()), max_size=40).map(" ".join))
@settings(max_examples=60, deadline=None)
def test_placebos_of_two_terms_share_no_word_and_contain_no_clinical_text(stem):
    found = table(stem)
    owners: dict[int, set[str]] = {}
    for row in found.itertuples():
        assert stem[row.start : row.end] == row.text
        for position in range(row.start, row.end):
            owners.setdefault(position, set()).add(row.matched_to or row.mention_id)
    placebo = found["kind"] == "placebo"
    covered = {i for row in found[~placebo].itertuples() for i in range(row.start, row.end)}
    assert all(len(held) == 1 for held in owners.values())
    assert not covered & {i for row in found[placebo].itertuples() for i in range(row.start, row.end)}
    for text in found.loc[placebo, "text"]:
        assert not MATCHER.find(text)


def test_a_word_that_stands_in_many_terms_is_no_placebo_and_hides_no_term():
    terms = {f"renal {what}": "Nephrology" for what in ("colic", "failure", "biopsy", "stone", "artery")}
    built = lexicon_of({**terms, "acute renal event": "Nephrology"})
    assert list(built.loc[built["term"] == "renal", ["scope", "reason"]].iloc[0]) == ["none", "part of terms"]
    assert "event" not in set(built["term"])
    found = mentions.table(questions("renal colic or a renal dinner"), LexiconBackend(built, {}), with_placebos=True)
    assert list(found.loc[found["kind"] != "placebo", "text"]) == ["renal colic"]
    assert not any("renal" in text for text in found.loc[found["kind"] == "placebo", "text"])
    # A broad term goes before the words that it is made of.
    entries = [Entry(t, ("Nephrology",), "disorder", t, "icd10cm") for t in terms]
    built = lexicon.build(
        [*entries, Entry("renal dinner", ("Nephrology",), "disorder", "X", "icd10cm", loose=True)], max_specialties=3
    )
    assert [m.text for m in Matcher(built).find("a renal dinner")] == ["renal dinner"]


def test_the_placebo_is_the_nearest_in_frequency_and_place():
    stem = "The seizure passed; a teacher was there, an old and interesting encyclopedia"
    others = ["A teacher", "A seizure", "An encyclopedia", "old and interesting"] * 5
    found = table(stem, *others)
    first = found[(found["question_id"] == "q0") & (found["kind"] == "placebo")].iloc[0]
    assert first["text"] == "teacher"


def test_a_stem_without_free_words_has_terms_and_no_placebo():
    found = table("seizure")
    assert list(found["kind"]) == ["disorder"]
    assert mentions.summary(found) == "1 strict and 0 broad mentions; 0 placebos, 1 strict without one"


def test_mentions_are_the_same_each_time_and_keep_the_tables_contract(tmp_path):
    first, second = table(STEM, "anemia"), table(STEM, "anemia")
    pd.testing.assert_frame_equal(first, second)
    assert first["mention_id"].is_unique
    tables.write(first, tmp_path / "mentions.parquet", tables.MENTIONS)
    pd.testing.assert_frame_equal(tables.read(tmp_path / "mentions.parquet", tables.MENTIONS), first, check_dtype=False)


def test_without_placebos_there_are_none():
    assert "placebo" not in set(table(STEM, with_placebos=False)["kind"])
