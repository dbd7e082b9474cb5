"""The released data set: what is decided, how it is split, and that all its readers read it."""

from dataclasses import replace
import json

import datasets
import pandas as pd
import pytest
import yaml

from neuro2cardio.annotation import conformal, release, verification, votes
from neuro2cardio.annotation.release import Decision
from neuro2cardio.config.dataset import Dataset
from neuro2cardio.core.specialties import SPECIALTIES
from neuro2cardio.questions import identity, question_table, sources
from neuro2cardio.questions.sources import RawQuestion

C, N, P, U = "Cardiology", "Neurology", "Pediatrics", "Urology"
WORDS = ["heart", "nerve", "child", "fever", "cough", "rash", "bone", "joint", "liver", "blood", "sugar", "sleep"]


def raw(n, split="all"):
    return [
        RawQuestion(
            f"row:{i}",
            split,
            " ".join(f"{WORDS[(i * 7 + j) % 12]}{i}" for j in range(12)),
            ("yes", f"no {i}"),
            "yes",
            (),
        )
        for i in range(n)
    ]


def dataset(**changes):
    annotation = {"annotator": {"backend": "lexicon"}, "min_questions": 15, "licence": "MIT", "quorum": 3}
    given = {"origin": {"source": "hpo"}, "annotation": annotation, **changes}
    return Dataset.model_validate(given)


def tables(rows, winners, status=None, sets=None):
    ids = [identity.question_id(row.stem, row.options) for row in rows]
    status = status or ["accepted" if w else "tie" for w in winners]
    counted = [(i, [w] * 5, w, 5, s, [w], [1.0]) for i, w, s in zip(ids, winners, status, strict=True)]
    held = [(i, "", names, [1.0] * len(names)) for i, names in zip(ids, sets or [[w] for w in winners], strict=True)]
    return pd.DataFrame(counted, columns=votes.VOTES.names), pd.DataFrame(held, columns=conformal.SETS.names), ids


def trail(*rows):
    return pd.DataFrame(
        [(i, "random", verdict, before, after, also, "anna", 1, 1) for i, verdict, before, after, also in rows],
        columns=verification.TRAIL.names,
    )


def test_decisions():
    rows = raw(8)
    winners = [C, C, C, "", C, C, U, N]
    status = ["accepted", "accepted", "accepted", "tie", "accepted", "accepted", "out-of-scope", "accepted"]
    sets = [[N, C], [N, P, C], [C], [], [C], [C], [], [C, P]]
    counted, held, ids = tables(rows, winners, status, sets)
    verdicts = trail(
        (ids[2], "corrected", C, P, [N, U]),
        (ids[3], "added", "", N, []),
        (ids[4], "corrected", C, U, []),
        (ids[5], "disputed", C, C, []),
    )
    decided = release.decide(counted, held, verdicts, max_specialties=2)
    assert [decided.get(i) for i in ids] == [
        Decision((C, N), "votes"),
        Decision((C,), "votes"),
        Decision((P, N), "experts"),
        Decision((N,), "experts"),
        None,
        Decision((C,), "votes"),
        None,
        Decision((N,), "votes"),
    ]


def test_specialties_of_ones_own_are_released_like_the_fifteen():
    own = (*SPECIALTIES, U)
    rows = raw(20)
    counted, held, ids = tables(rows, [U, C] * 10, ["accepted"] * 20)
    verdicts = trail((ids[1], "corrected", C, U, [C]))
    decided = release.decide(counted, held, verdicts, 4, own)
    assert decided[ids[0]] == Decision((U,), "votes")
    assert decided[ids[1]] == Decision((U, C), "experts")
    declared = dataset().model_copy(update={"further_specialties": [U]})
    made = release.assemble(rows, decided, counted, held, declared)
    assert made.questions["specialty"].value_counts().to_dict() == {U: 11, C: 9}
    assert release.sizes(made).set_index("specialty")["all"][[C, U]].tolist() == [10, 11]
    assert verification.truth(pd.DataFrame({"question_id": ids, "specialties": [[]] * 20}), verdicts, own) == {
        ids[1]: [U, C]
    }


@pytest.fixture
def made():
    rows = raw(60)
    counted, held, ids = tables(rows, [C, N, P, ""] * 15, sets=[[C, N], [N], [P], []] * 15)
    decided = release.decide(counted, held, trail((ids[1], "corrected", N, P, [])), 4)
    return release.assemble(rows, decided, counted, held, dataset())


def test_every_question_is_released_or_dropped(made):
    assert len(made.questions) == 45
    assert len(made.dropped) == 15
    assert set(made.dropped["status"]) == {"tie"}
    assert not set(made.questions["question_id"]) & set(made.dropped["question_id"])
    assert made.questions["decided_by"].value_counts().to_dict() == {"votes": 44, "experts": 1}
    assert set(made.questions["split"]) == {"train", "validation", "test"}
    assert (made.questions["answer"] == "yes").all()


def test_votes_and_sets_stay_with_their_question(made):
    for row in made.questions.itertuples():
        if row.decided_by == "votes":
            assert row.votes == [row.specialty] * 5
            assert row.conformal_set == ([C, N] if row.specialty == C else [row.specialty])


def test_leaks_between_a_sources_own_splits_are_dropped_from_train():
    rows = raw(20, "train") + [replace(row, split="test") for row in raw(5)]
    counted, held, _ = tables(rows[:20], [C] * 20)
    made = release.assemble(rows, release.decide(counted, held, trail(), 4), counted, held, dataset())
    assert made.questions["split"].value_counts().to_dict() == {"train": 15, "test": 5}
    assert len(made.leaked) == 5
    assert not made.questions["question_id"].duplicated().any()


@pytest.fixture
def folder(made, tmp_path):
    found = release.facts(dataset(), {"dataset": "hpo", "version": "2025-01-16"})
    evidence = {"Accuracy": pd.DataFrame({"raters": ["a|b"]}), "Agreement of the experts": pd.DataFrame()}
    release.write(made, tmp_path / "release", release.card(made, found, evidence, dataset().annotation))
    return tmp_path / "release"


def test_datasets_loads_it(folder, made):
    loaded = datasets.load_dataset(str(folder))
    assert {split: len(rows) for split, rows in loaded.items()} == made.questions["split"].value_counts().to_dict()
    assert loaded["train"].column_names == release.RELEASE.names
    assert loaded["train"][0]["options"][0] == "yes"


def test_the_s_medqa_source_reads_it(folder, made):
    given = dataset(origin={"source": "s-medqa", "directory": folder})
    read = {identity.question_id(r.stem, r.options): (r.split, r.specialties) for r in sources.read(given)}
    rows = made.questions
    assert read == {i: (s, (n,)) for i, s, n in zip(rows["question_id"], rows["split"], rows["specialty"], strict=True)}


def test_the_table_source_reads_it_with_its_default_columns(folder, made):
    files = {split: folder / "parquet" / f"{split}.parquet" for split in ("train", "validation", "test")}
    read = list(sources.read(dataset(origin={"source": "table", "files": files})))
    assert sorted((r.split, r.specialties[0]) for r in read) == sorted(
        zip(made.questions["split"], made.questions["specialty"], strict=True)
    )


def test_the_grid_reads_it_with_all_specialties_and_unchanged(folder, made):
    read = release.as_dataset(folder, dataset(min_train=1, min_test=1))
    table = question_table.build(sources.read(read), read, [C, N, P])
    columns = ["question_id", "split", "specialty", "specialties"]
    expected = made.questions[columns].sort_values("question_id", ignore_index=True)
    found = table.questions[columns].sort_values("question_id", ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert len(table.leaked) == len(table.rejected) == 0


def test_the_card_says_what_there_is_and_what_is_not_known(folder, made):
    text = (folder / "README.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert front["license_name"] == "MIT"
    assert [f["split"] for f in front["configs"][0]["data_files"]] == ["train", "validation", "test"]
    assert "45 multiple-choice questions, 15 of them with several specialties; 1 by experts, 44 by votes" in text
    assert f"Below 15 questions: {', '.join(n for n in release.sizes(made).query('all < 15')['specialty'])}" in text
    assert "## Agreement of the experts\n\nNot measured." in text
    assert "- version: 2025-01-16" in text
    assert "a\\|b" in text


def test_an_empty_split_is_no_file(tmp_path):
    rows = raw(12, "train") + [replace(row, split="test") for row in raw(20)[12:]]
    counted, held, _ = tables(rows, [C] * 20)
    made = release.assemble(rows, release.decide(counted, held, trail(), 4), counted, held, dataset())
    release.write(made, tmp_path / "release", release.card(made, {"licence": "MIT"}, {}, dataset().annotation))
    assert sorted(p.name for p in (tmp_path / "release").rglob("*.json")) == ["S-MedQA_test.json", "S-MedQA_train.json"]
    assert list(datasets.load_dataset(str(tmp_path / "release"))) == ["train", "test"]
    assert json.loads((tmp_path / "release" / "S-MedQA_test.json").read_text())[0]["Specialties"] == [C]
