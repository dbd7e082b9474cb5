from pathlib import Path

import invented_obo
import pytest

from neuro2cardio.core import ontologies, specialties
from neuro2cardio.core.errors import InputError

BRANCHES = {"X:1": ("Cardiology",), "X:2": ("Neurology",), "X:10": ("Dermatology",)}

QUOTED = r"""[Term]
id: X:90
name: Odd\: one
def: "Says \"ah\"\, then\nstops." [made:up]
synonym: "Odd fellow" EXACT layperson [made:up]
synonym: "OF" RELATED abbreviation []
synonym: "Fellow" BROAD []
is_a: X:1 {source="made:up"} ! Trouble of the blarf

[Term]
id: X:91
name: Gone
is_obsolete: true

[Typedef]
id: part_of
name: is no term
"""


@pytest.fixture
def obo(tmp_path: Path) -> Path:
    path = tmp_path / "made-up.obo"
    path.write_text(invented_obo.text(QUOTED), encoding="utf-8")
    return path


def test_terms_are_read_with_synonyms_and_escapes(obo):
    terms = ontologies.read_hpo(obo)
    odd = terms["X:90"]
    assert (odd.name, odd.definition, odd.parents) == ("Odd: one", 'Says "ah", then stops.', ("X:1",))
    assert odd.synonyms == (
        ontologies.Synonym("Odd fellow", "EXACT", "layperson"),
        ontologies.Synonym("OF", "RELATED", "abbreviation"),
        ontologies.Synonym("Fellow", "BROAD", ""),
    )
    assert terms["X:91"].obsolete and not odd.obsolete
    assert "part_of" not in terms
    assert ontologies.hpo_version(obo) == "made/up/2020-02-02"


def test_the_nearest_mapped_ancestor_on_each_path_gives_the_specialties(obo):
    found = ontologies.hpo_specialties(ontologies.read_hpo(obo), BRANCHES)
    assert found["X:11"] == ("Cardiology",)
    assert found["X:14"] == ("Dermatology",), "the nearer of two mapped ancestors on one path"
    assert found["X:21"] == ("Cardiology", "Neurology"), "one for each path"
    assert found["X:0"] == ()
    assert "X:91" not in found, "obsolete terms are of no specialty"


def test_an_ancestor_above_another_found_one_does_not_count(tmp_path):
    path = tmp_path / "made-up.obo"
    path.write_text(invented_obo.text("[Term]\nid: X:92\nname: Sky blarf\nis_a: X:10\nis_a: X:1\n"), encoding="utf-8")
    assert ontologies.hpo_specialties(ontologies.read_hpo(path), BRANCHES)["X:92"] == ("Dermatology",)


def test_a_branch_of_no_specialty_hides_what_is_above_it(obo):
    found = ontologies.hpo_specialties(ontologies.read_hpo(obo), {**BRANCHES, "X:10": ()})
    assert found["X:14"] == ()


def test_ancestors_reach_the_root(obo):
    assert ontologies.hpo_ancestors(ontologies.read_hpo(obo))["X:14"] == {"X:10", "X:1", "X:0"}


@pytest.mark.parametrize("table", ["hpo_branch_to_specialty.tsv", "icd10cm_block_to_specialty.tsv"])
def test_the_projects_own_branches_name_known_specialties(table):
    branches = ontologies.read_branches(ontologies.MAPPINGS / table)
    assert {s for own in branches.values() for s in own} <= set(specialties.SPECIALTIES)
    assert len(branches) > 100


def test_an_unknown_specialty_in_a_branch_table_is_an_error(tmp_path):
    table = tmp_path / "branches.tsv"
    table.write_text("branch\tspecialties\nX:1\tCardiolgy\n", encoding="utf-8")
    with pytest.raises(InputError, match="did you mean 'Cardiology'"):
        ontologies.read_branches(table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no ontology at all", r"holds no \[Term\]"),
        ("[Term]\nid: X:5\nname: Orphan\nis_a: X:4\n", "parent X:4 of X:5 is not in the file"),
    ],
)
def test_a_file_that_is_no_whole_ontology_is_an_error(tmp_path, content, message):
    path = tmp_path / "broken.obo"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        ontologies.read_hpo(path)


def test_a_missing_ontology_or_version_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no such ontology file"):
        ontologies.read_hpo(tmp_path / "none.obo")
    (tmp_path / "old.obo").write_text("format-version: 1.2\n", encoding="utf-8")
    with pytest.raises(InputError, match="no data-version"):
        ontologies.hpo_version(tmp_path / "old.obo")
