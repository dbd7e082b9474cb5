"""The lexicon: what is written for a phrase, whose word counts, which words are over-general."""

import json
from pathlib import Path

from hypothesis import given, strategies as st
import pytest

from neuro2cardio.core.errors import InputError
from neuro2cardio.core.ontologies import HPOTerm, Synonym
from neuro2cardio.core.specialties import SPECIALTIES
from neuro2cardio.terms import lexicon
from neuro2cardio.terms.lexicon import Entry, hpo, icd10cm, spelling, supplement

HEART, NERVES, JOINTS, SKIN = "Cardiology", "Neurology", "Rheumatology", "Dermatology"


def entry(text: str, *found: str, source: str = "icd10cm", **values) -> Entry:
    return Entry(text, found, values.pop("kind", "disorder"), f"X:{text}", source, **values)


def built(*entries: Entry, max_specialties: int = 3) -> dict:
    table = lexicon.build(entries, max_specialties=max_specialties)
    return {row["term"]: row for row in table.to_dict("records")}


@pytest.mark.parametrize(
    ("phrase", "exact", "loose"),
    [
        ("Blarfosis, unspecified", {"Blarfosis"}, set()),
        ("Other specified blarfosis NOS", {"blarfosis"}, set()),
        ("Blarfosis of left snoot", {"Blarfosis of snoot"}, set()),
        ("Acute blarfosis without necrosis", {"Acute blarfosis without necrosis"}, {"blarfosis", "Acute blarfosis"}),
        ("Blarfosis (chronic) [BLX]", {"Blarfosis", "BLX"}, set()),
        ("Fracture of snoot", {"Fracture of snoot", "snoot Fracture"}, set()),
        ("Blarfosis, wild type, with fever", set(), {"Blarfosis"}),
    ],
)
def test_phrases_of_the_tabular_list_become_what_people_write(phrase, exact, loose):
    forms: dict[str, bool] = {}
    for text, is_loose in icd10cm.written_forms(phrase):
        forms[text] = is_loose and forms.get(text, True)
    assert {text for text, is_loose in forms.items() if not is_loose} == exact
    assert {text for text, is_loose in forms.items() if is_loose} == loose


def test_malignant_neoplasm_is_written_as_cancer():
    assert "snoot cancer" in dict(icd10cm.written_forms("Malignant neoplasm of snoot"))


def test_a_code_belongs_to_its_narrowest_branch():
    branches = {"A00-B99": ("All",), "A00-A09": ("Narrow",), "A17*": ("Prefix",), "A17.1*": ("Longer",), "C15-C26": ()}
    found = {
        code: icd10cm.code_specialties(code, branches) for code in ("A01.1", "A17.0", "A17.11", "B20", "C16", "Z9")
    }
    assert found == {
        "A01.1": ("Narrow",),
        "A17.0": ("Prefix",),
        "A17.11": ("Longer",),
        "B20": ("All",),
        "C16": (),
        "Z9": (),
    }


def test_tabular_list_is_read_with_its_version_and_inclusion_terms(tmp_path):
    file = tmp_path / "tabular.xml"
    file.write_text(
        "<ICD10CM.tabular><version>2099</version><diag><name>I99</name><desc>Blarfosis</desc>"
        "<inclusionTerm><note>Snoot  rot</note></inclusionTerm>"
        "<diag><name>I99.0</name><desc>Wild blarfosis</desc></diag></diag></ICD10CM.tabular>"
    )
    assert icd10cm.read_icd10cm(file) == (
        "2099",
        {"I99": ["Blarfosis", "Snoot rot"], "I99.0": ["Wild blarfosis"]},
    )


@pytest.mark.parametrize("content", ["<a/>", "no xml", None])
def test_a_file_that_is_no_tabular_list_is_named(tmp_path, content):
    file = tmp_path / "tabular.xml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=r"tabular\.xml"):
        icd10cm.read_icd10cm(file)


def test_external_causes_are_no_terms_and_circumstances_give_no_loose_ones():
    codes = {"V01": ["Blarf rider hurt"], "S01": ["Bite of snoot, initial encounter, with blarf"], "I10": ["Blarfosis"]}
    assert {e.text for e in icd10cm.entries(codes)} == {"Blarfosis"}


def test_hpo_gives_names_and_synonyms_by_scope_and_type():
    terms = {
        "HP:0000118": HPOTerm("HP:0000118", "Phenotypic abnormality", "", (), (), False),
        "HP:0001626": HPOTerm("HP:0001626", "Abnormality of the blarf", "", (), ("HP:0000118",), False),
        "HP:9": HPOTerm(
            "HP:9",
            "Blue blarf",
            "",
            (
                Synonym("Sky blarf", "EXACT", "layperson"),
                Synonym("Blarf", "BROAD", ""),
                Synonym("Old blarf", "EXACT", "obsolete_synonym"),
            ),
            ("HP:0001626",),
            False,
        ),
        "HP:10": HPOTerm("HP:10", "Gone blarf", "", (), ("HP:0001626",), True),
    }
    found = {e.text: (e.loose, e.specialties) for e in hpo.entries(terms)}
    assert found == {"Blue blarf": (False, (HEART,)), "Sky blarf": (False, (HEART,)), "Blarf": (True, (HEART,))}


def test_supplement_decides_alone_where_it_speaks():
    rows = built(entry("blarfosis", HEART, NERVES), entry("Blarfosis", JOINTS, source="supplement"))
    assert rows["blarfosis"]["specialties"] == [JOINTS]
    assert rows["blarfosis"]["sources"] == ["supplement"]


def test_sources_mean_what_they_share_else_all_they_say():
    shared = built(entry("blarfosis", HEART, NERVES), entry("blarfosis", NERVES, JOINTS, source="hpo"))
    apart = built(entry("blarfosis", HEART), entry("blarfosis", JOINTS, source="hpo"))
    silent = built(entry("blarfosis", HEART), entry("blarfosis", source="hpo"))
    assert [r["blarfosis"]["specialties"] for r in (shared, apart, silent)] == [[NERVES], [HEART, JOINTS], [HEART]]


def test_circumstances_never_redefine_a_term_found_elsewhere():
    rows = built(entry("blarfosis", HEART, rank=3), entry("blarfosis", NERVES, rank=1, secondary=True))
    assert rows["blarfosis"]["specialties"] == [HEART]
    none = built(entry("blarfosis", rank=3), entry("blarfosis", NERVES, secondary=True))
    assert none["blarfosis"]["scope"] == "none"
    alone = built(entry("blarfosis", NERVES, secondary=True))
    assert alone["blarfosis"]["scope"] == "strict"


def test_exact_goes_before_loose_and_loose_alone_is_broad():
    rows = built(
        entry("blarfosis", HEART, loose=True, rank=1),
        entry("blarfosis", NERVES, rank=9),
        entry("snootosis", SKIN, loose=True),
    )
    assert (rows["blarfosis"]["specialties"], rows["blarfosis"]["scope"]) == ([NERVES], "strict")
    assert (rows["snootosis"]["scope"], rows["snootosis"]["reason"]) == ("broad", "wider than its concept")


def test_terms_of_too_many_specialties_or_of_none_are_no_terms():
    rows = built(entry("blarfosis", *SPECIALTIES[:3]), entry("snootosis"), max_specialties=2)
    assert {term: (r["scope"], r["reason"]) for term, r in rows.items()} == {
        "blarfosis": ("none", "too many specialties"),
        "snootosis": ("none", "no specialty"),
    }


def test_common_words_are_broad_unless_they_name_a_condition():
    rows = built(
        entry("heart", HEART, kind="anatomy", source="supplement"),
        entry("lungs", SKIN, kind="anatomy", source="supplement"),
        entry("stroke", NERVES, kind="disorder"),
        entry("myocardium", HEART, kind="anatomy", source="supplement"),
    )
    assert {term: r["scope"] for term, r in rows.items()} == {
        "heart": "broad",
        "lungs": "broad",
        "stroke": "strict",
        "myocardium": "strict",
    }


def test_a_word_that_heads_terms_of_many_specialties_is_broad():
    spread = [entry(f"blarf{letter} snootosis", SPECIALTIES[i % 5]) for i, letter in enumerate("abcdefghij")]
    of_one = [entry(f"blarf{letter} snootosis", NERVES) for letter in "abcdefghij"]
    assert built(*spread, entry("snootosis", HEART))["snootosis"]["scope"] == "broad"
    assert built(*of_one, entry("snootosis", HEART))["snootosis"]["scope"] == "strict"


@pytest.mark.parametrize("text", ["BX", "chronic", "snootal", "blarf, wild", "one two three four five six seven", "12"])
def test_what_cannot_be_a_term_of_an_ontology(text):
    assert not built(entry(text, HEART), entry("blarfosis", HEART)).keys() - {"blarfosis"}


def test_abbreviations_keep_their_case_and_have_three_letters():
    rows = built(entry("BLX", HEART), entry("Blarf", HEART))
    assert {term: r["case_sensitive"] for term, r in rows.items()} == {"BLX": True, "blarf": False}


@pytest.mark.parametrize(
    ("term", "written"),
    [
        ("anemia", "anaemia"),
        ("haemorrhage", "hemorrhage"),
        ("seizure", "seizures"),
        ("headaches", "headache"),
        ("biopsy", "biopsies"),
        ("stenosis", "stenoses"),
        ("crohn's disease", "crohn disease"),
        ("esophageal tumor", "oesophageal tumour"),
        ("fetal edema", "foetal oedema"),
    ],
)
def test_plural_british_and_eponym_spellings_are_matched(term, written):
    assert written in spelling.forms(term)
    assert spelling.forms(term)[0] == term


def test_a_form_never_takes_another_terms_own_text():
    rows = built(entry("blarf", HEART), entry("blarfs", NERVES))
    assert "blarfs" not in rows["blarf"]["forms"]
    assert rows["blarfs"]["forms"][0] == "blarfs"


@given(st.text(max_size=60))
def test_folding_keeps_the_length_of_any_text(text):
    assert len(spelling.fold(text)) == len(text)
    assert len(spelling.fold(text, case=True)) == len(text)


def test_folding_levels_accents_hyphens_and_quotes():
    assert spelling.fold("Guillain–Barré’s β-BLARF") == "guillain barre's β blarf"
    assert spelling.fold("COVID-19", case=True) == "COVID 19"


def test_the_committed_supplement_is_valid_and_speaks_of_every_specialty():
    entries = list(supplement.entries())
    assert len(entries) > 800
    assert {s for e in entries for s in e.specialties} == set(SPECIALTIES)
    assert all(bool(e.specialties) != (e.kind == "general") for e in entries)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("blarf\tCardio logy\tdisorder", "unknown specialty"),
        ("blarf\tCardiology\tdisease", "unknown kind"),
        ("blarf\tCardiology", "2 columns"),
        ("first\tCardiology\tdrug", "listed twice"),
    ],
)
def test_a_wrong_line_of_the_supplement_is_named_by_number(tmp_path, line, problem):
    file = tmp_path / "supplement.tsv"
    file.write_text(f"term\tspecialties\tkind\nfirst\tCardiology\tdrug\n{line}\n")
    with pytest.raises(InputError, match=f"line 3.*{problem}"):
        list(supplement.entries(file))


def test_a_dictionary_file_becomes_a_lexicon_that_no_rule_narrows(tmp_path):
    file = tmp_path / "terms.json"
    file.write_text(json.dumps({"heart": ["cardiology"], "snootal": ["Skin", "rheumatology"]}))
    table = lexicon.dictionary(file, max_specialties=3).terms
    assert {r.term: (r.scope, r.specialties) for r in table.itertuples()} == {
        "heart": ("strict", [HEART]),
        "snootal": ("strict", [SKIN, JOINTS]),
    }


def test_a_dictionary_may_name_specialties_that_the_configuration_declares(tmp_path):
    file = tmp_path / "terms.json"
    file.write_text(json.dumps({"bladder": ["urology"], "kidney": ["Nephrology", "Urology"]}))
    table = lexicon.dictionary(file, max_specialties=3, declared=["Urology"]).terms
    assert {r.term: r.specialties for r in table.itertuples()} == {
        "bladder": ["Urology"],
        "kidney": ["Nephrology", "Urology"],
    }
    with pytest.raises(InputError, match=r"terms\.json: 'bladder': unknown specialty 'urology'.*further_specialties"):
        lexicon.dictionary(file, max_specialties=3)


@pytest.mark.parametrize("content", ["[1]", "{}", '{"a": "Cardiology"}', '{"a": ["Blarfology"]}', "{", None])
def test_a_wrong_dictionary_file_is_named(tmp_path: Path, content):
    file = tmp_path / "terms.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError):
        lexicon.dictionary(file, max_specialties=3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"angina": ["Cardiology"], "angina": ["Neurology"]}', "the term 'angina' is given twice"),
        ('{"angina": ' + "[" * 100_000, "nested too deeply"),
        (b'{"Sj\xf6gren": ["Rheumatology"]}', "not JSON in UTF-8"),
    ],
)
def test_a_dictionary_with_a_doubled_term_or_no_text_is_named(tmp_path, content, said):
    file = tmp_path / "mine.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=said):
        lexicon.dictionary(file, max_specialties=3)
