"""From questions without specialties to the question table of the grid, through Snakemake, a server and experts."""

import csv
import json

from chat_server import chat_server, echoes
import pandas as pd
import pytest
from tiny_grid import SPECIALTIES

from neuro2cardio.core import tables

FOLDER = "results/tiny/annotation"
QUESTIONS = "results/tiny/questions.parquet"
SMALL = {"verification": {"random": 30, "per_specialty": 3}, "conformal": {"level": 0.8}}


@pytest.fixture
def unlabelled(new_grid, tmp_path):
    """The tiny grid, whose questions have lost their specialties, with the lexicon as annotator."""
    grid = new_grid.copy(tmp_path / "grid")
    rows = json.loads((grid / "questions.json").read_text())
    stripped = [{name: value for name, value in row.items() if name != "specialty"} for row in rows]
    (grid / "questions.json").write_text(json.dumps(stripped))
    grid.configure(
        {
            "dataset.origin.columns": {"specialty": None},
            "dataset.annotation": {"annotator": {"backend": "lexicon"}, **SMALL},
        }
    )
    return grid


def test_annotate_check_and_train_on_the_release(unlabelled):
    grid = unlabelled
    grid.snakemake(QUESTIONS, "--cores", "2")
    table = tables.read(grid / QUESTIONS, tables.QUESTIONS)
    assert set(table["specialty"]) == set(SPECIALTIES)
    right = [
        row.specialty
        for row in table.itertuples()
        if row.stem.split("shows ")[1].split(" and")[0] in SPECIALTIES[row.specialty]
    ]
    assert len(right) == len(table) > 100
    assert pd.read_csv(grid / f"{FOLDER}/quorum.csv")["n"].max() == 0

    with (grid / f"{FOLDER}/verification/sheet.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        row["specialty"] = next(s for s, terms in SPECIALTIES.items() if row["answer"] in terms)
    for name, flaw in (("anna", "Dermatology"), ("ben", "Neurology")):
        with (grid / f"{name}.csv").open("w", newline="") as handle:
            writer = csv.DictWriter(handle, rows[0])
            writer.writeheader()
            writer.writerows([{**rows[0], "specialty": flaw}, *rows[1:]])
    grid.configure({"dataset.annotation.verification.experts": {"anna": "anna.csv", "ben": "ben.csv"}})
    assert grid.jobs(QUESTIONS) == {"verify": 1, "calibrate": 1, "release": 1, "questions": 1}
    grid.snakemake(QUESTIONS, "--cores", "2")

    trail = pd.read_csv(grid / f"{FOLDER}/verification/trail.csv")
    assert len(trail) == len(rows)
    assert trail["verdict"].value_counts()["disputed"] == 1
    agreement = pd.read_csv(grid / f"{FOLDER}/verification/agreement.csv").set_index("statistic")
    assert 0.9 < agreement.loc["cohen_kappa", "value"] < 1
    measured = pd.read_csv(grid / f"{FOLDER}/quorum.csv").query("by == 'all' and quorum == 3").iloc[0]
    assert measured["n"] in (29, 30)
    assert measured["accuracy"] == 1
    assert pd.read_csv(grid / f"{FOLDER}/conformal.csv")["coverage"][0] >= 0.8
    card = (grid / f"{FOLDER}/release/README.md").read_text()
    assert "cohen_kappa" in card


def test_a_damaged_sheet_stops_the_run_and_is_named(unlabelled):
    (unlabelled / "anna.csv").write_text("question_id,question,specialty,also\nq-1,What?,Cardiology,\n")
    unlabelled.configure({"dataset.annotation.verification.experts": {"anna": "anna.csv"}})
    said = unlabelled.snakemake(QUESTIONS, "--cores", "2", expect=1)
    assert "anna.csv (anna)" in said
    assert "unknown or changed question_id 'q-1'" in said


def test_a_server_is_estimated_first_and_asked_once(unlabelled):
    with chat_server(lambda _: "Specialty: Cardiology") as server:
        annotator = {
            "backend": "openai",
            "model": "some/model",
            "base_url": server.url,
            "prices": {"input": 1, "output": 2},
        }
        unlabelled.configure({"dataset.annotation.annotator": annotator, "dataset.annotation.max_questions": 20})
        said = unlabelled.snakemake("annotation_estimate", "--cores", "1")
        assert "100 requests are left" in said
        assert server.asked == []
        unlabelled.snakemake(f"{FOLDER}/votes.parquet", "--cores", "1")
        assert len(server.asked) == 100
        (unlabelled / f"{FOLDER}/answers.parquet").unlink()
        unlabelled.configure({"dataset.annotation.quorum": 4})
        unlabelled.snakemake(f"{FOLDER}/votes.parquet", "--cores", "1")
        assert len(server.asked) == 100
    assert (unlabelled / "resources/responses/some-model.jsonl").is_file()


def test_a_specialty_of_ones_own_is_voted_on_and_released(unlabelled):
    """A dictionary of terms may name it; the annotator of the lexicon votes for it."""
    terms = json.loads((unlabelled / "lexicon.json").read_text())
    own = {term: ["Nerves" if names == ["Neurology"] else names[0]] for term, names in terms.items()}
    (unlabelled / "lexicon.json").write_text(json.dumps(own))
    named = [name if name != "Neurology" else "Nerves" for name in SPECIALTIES]
    unlabelled.configure({"dataset.further_specialties": ["Nerves"], "grid.specialties": named})
    unlabelled.snakemake(QUESTIONS, "--cores", "2")
    assert set(tables.read(unlabelled / QUESTIONS, tables.QUESTIONS)["specialty"]) == set(named)
    sheet = (unlabelled / f"{FOLDER}/verification/sheet.csv").read_text()
    assert "Venereology; Nerves; Others" in sheet


def test_candidates_that_are_unknown_stop_before_the_first_job(unlabelled):
    unlabelled.configure({"dataset.annotation.candidates": ["Cardiology", "Nurves"]})
    said = unlabelled.snakemake("-n", expect=1)
    assert "unknown specialty 'Nurves'" in said
    assert "declare one of your own in dataset.further_specialties" in said


def test_the_key_stands_nowhere_after_a_run_that_fails(unlabelled, monkeypatch):
    """The server shows the key in every form: in an answer that is kept, in an error that passes, and in the last."""
    key, password = "sk-Zq7+vN/2wX9k=LmT4&yB8", "proxy-password-Xy7"
    monkeypatch.setenv("SOME_KEY", f"{key}\r\n")
    monkeypatch.setenv("OPENAI_API_KEY", f"{key}\n")
    monkeypatch.setenv("https_proxy", f"http://me:{password}@127.0.0.1:9")
    with chat_server(lambda _: f"Specialty: Cardiology {echoes(key)}", ["ok", "500", "ok", "401"]) as server:
        annotator = {"backend": "openai", "model": "m", "base_url": server.url, "key_variable": "SOME_KEY"}
        unlabelled.configure(
            {"dataset.annotation.annotator": {**annotator, "concurrency": 1}, "dataset.annotation.max_questions": 5}
        )
        said = unlabelled.snakemake(f"{FOLDER}/votes.parquet", "--cores", "1", "-p", "--verbose", expect=1)
    assert server.keys_seen == {f"Bearer {key}"}
    assert "the key in SOME_KEY is not accepted" in said
    assert "Cardiology" in (unlabelled / "resources/responses/m.jsonl").read_text()
    written = [path for path in unlabelled.directory.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    places = {part for path in written for part in path.relative_to(unlabelled.directory).parts[:1]}
    assert {"results", "logs", "resources", ".snakemake", "snakemake.out"} <= places
    for path in written:
        text = path.read_bytes().decode("utf-8", "replace")
        assert not [form for form, shown in {**echoes(key), "password": password}.items() if shown in text], path


def test_without_annotation_nothing_of_it_is_there(new_grid):
    assert "annotate" not in new_grid.jobs()
