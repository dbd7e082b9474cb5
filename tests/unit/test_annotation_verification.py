"""Sheets go out, come back filled in or damaged, and correct the votes with a trail."""

import csv
from io import StringIO
import itertools
import json
import xml.etree.ElementTree as ElementTree

import pandas as pd
import pytest

from neuro2cardio.annotation import labels, verification, votes
from neuro2cardio.core.errors import InputError

C, N, P = "Cardiology", "Neurology", "Pediatrics"


@pytest.fixture
def questions() -> pd.DataFrame:
    rows = [
        (f"{i:08x}e1234567", f'=A question, "number" {i};\nwith two lines', ["one", "two"], i % 2, [])
        for i in range(40)
    ]
    return pd.DataFrame(rows, columns=["question_id", "stem", "options", "answer", "specialties"])


@pytest.fixture
def counted(questions) -> pd.DataFrame:
    winners = [C] * 20 + [N] * 12 + [P] * 3 + [""] * 5
    status = ["accepted"] * 35 + ["tie"] * 5
    rows = [(i, [w] * 5, w, 5, s, [], []) for i, w, s in zip(questions["question_id"], winners, status, strict=True)]
    return pd.DataFrame(rows, columns=votes.VOTES.names)


@pytest.fixture
def sample(counted) -> pd.DataFrame:
    return verification.draw(counted, random=10, per_specialty=5, seed=0)


@pytest.fixture
def sheet(sample, questions) -> list[dict[str, str]]:
    rows = list(csv.DictReader(StringIO(verification.sheet(sample, questions), newline="")))
    return [row | {"specialty": C} for row in rows]


def write(path, rows, delimiter=",", encoding="utf-8"):
    out = StringIO()
    writer = csv.DictWriter(out, rows[0], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding=encoding)
    return path


def test_the_sample_is_random_first_and_then_fills_up_specialties(sample, counted):
    assert (sample["drawn"] == "random").sum() == 10
    won = sample.merge(counted, on="question_id")
    counts = won[won["status"] == "accepted"]["winner"].value_counts()
    assert counts[N] >= 5
    assert counts[P] == 3
    assert not sample["question_id"].duplicated().any()


def test_a_larger_sample_contains_the_smaller_one(counted):
    sizes = [verification.draw(counted, n, 5, seed=4) for n in (0, 5, 10, 20, 40)]
    for small, large in itertools.pairwise(sizes):
        assert set(small["question_id"]) <= set(large["question_id"])
    assert len(sizes[-1]) == 40


def test_a_sheet_shows_the_question_and_not_the_vote(sample, questions):
    text = verification.sheet(sample, questions)
    rows = list(csv.DictReader(StringIO(text, newline="")))
    assert tuple(rows[0]) == verification.SHEET
    assert len(rows) == len(sample)
    assert C not in text
    assert all(row["question_id"].startswith("q-") for row in rows)
    assert all(row["question"].startswith("'=") for row in rows)


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-8")])
def test_a_sheet_is_read_back_as_spreadsheets_save_it(tmp_path, sample, questions, sheet, delimiter, encoding):
    sheet[0] |= {"specialty": "ob/gyn", "also": "cardiology; Neurology", "comment": "why not"}
    sheet[1] |= {"specialty": ""}
    path = write(tmp_path / "anna.csv", sheet, delimiter, encoding)
    ratings = verification.read_back(path, "anna", sample, questions)
    assert ratings["question_id"].tolist() == sample["question_id"].tolist()
    first = ratings.iloc[0]
    assert (first["specialty"], first["also"], first["comment"]) == ("Obstetrics and gynecology", [C, N], "why not")
    assert ratings["specialty"][1] == ""


def change_id(rows):
    rows[2]["question_id"] = "1.2E+10"
    return rows


def change_question(rows):
    rows[2]["question"] = "Another one?"
    return rows


def unknown_label(rows):
    rows[2]["specialty"] = "Cardiolgy"
    return rows


def also_alone(rows):
    rows[2] |= {"specialty": "", "also": C}
    return rows


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (change_id, r"unknown or changed question_id '1\.2E\+10'"),
        (change_id, r"1 of \d+ rows are missing: q-"),
        (lambda rows: rows[:-2], r"2 of \d+ rows are missing"),
        (lambda rows: [*rows, rows[0]], r"row q-\w+ is there 2 times"),
        (unknown_label, r"row q-\w+: unknown specialty 'Cardiolgy'; did you mean 'Cardiology'"),
        (change_question, r"row q-\w+: its question is not the one that was handed out"),
        (also_alone, "`also` is filled in and `specialty` is not"),
    ],
)
def test_a_damaged_sheet_is_refused_and_the_damage_named(tmp_path, sample, questions, sheet, damage, complaint):
    path = write(tmp_path / "anna.csv", damage(sheet))
    with pytest.raises(InputError, match=complaint) as caught:
        verification.read_back(path, "anna", sample, questions)
    assert "anna.csv (anna)" in str(caught.value)


def test_a_sheet_without_its_columns_is_refused(tmp_path, sample, questions, sheet):
    path = write(tmp_path / "anna.csv", [{"question_id": row["question_id"]} for row in sheet])
    with pytest.raises(InputError, match="no column also, question, specialty"):
        verification.read_back(path, "anna", sample, questions)


def exported(tasks, given):
    """What Label Studio exports (JSON) for tasks of which each got choices."""
    return [
        {"id": i, "annotations": [{"was_cancelled": False, "result": results(choices)}], **task}
        for i, (task, choices) in enumerate(zip(tasks, given, strict=True))
    ]


def results(choices):
    found = [
        {"from_name": name, "to_name": "question", "type": "choices", "value": {"choices": names}}
        for name, names in choices.items()
    ]
    return [*found, {"from_name": "comment", "to_name": "question", "type": "textarea", "value": {"text": ["well"]}}]


def test_label_studio_there_and_back(tmp_path, sample, questions):
    tasks = verification.label_studio_tasks(sample, questions)
    given = [{"specialty": [N], "also": [C, P]}] + [{"specialty": [C]}] * (len(tasks) - 1)
    path = tmp_path / "ben.json"
    path.write_text(json.dumps(exported(tasks, given)))
    ratings = verification.read_back(path, "ben", sample, questions)
    assert ratings["specialty"].tolist() == [N] + [C] * (len(tasks) - 1)
    assert ratings["also"][0] == [C, P]
    assert ratings["comment"][0] == "well"


def test_a_cancelled_task_is_left_out_and_two_annotations_are_refused(tmp_path, sample, questions):
    tasks = exported(verification.label_studio_tasks(sample, questions), [{"specialty": [C]}] * len(sample))
    tasks[0]["annotations"][0]["was_cancelled"] = True
    path = tmp_path / "ben.json"
    path.write_text(json.dumps(tasks))
    assert verification.read_back(path, "ben", sample, questions)["specialty"][0] == ""
    tasks[1]["annotations"] *= 2
    path.write_text(json.dumps(tasks))
    with pytest.raises(InputError, match="task 1 has 2 annotations"):
        verification.read_back(path, "ben", sample, questions)


def test_the_label_studio_interface_offers_every_candidate():
    root = ElementTree.fromstring(verification.label_studio_config(labels.CANDIDATES))
    offered = [choice.get("value") for choice in root.find("Choices[@name='specialty']")]
    assert offered == [*labels.CANDIDATES, labels.OTHERS]
    shown = {text.get("value") for text in root.findall("Text")}
    assert shown == {"$question", "$options", "$answer"}


def rate(question_id, *given):
    return [(question_id, f"expert{i}", primary, also, "") for i, (primary, also) in enumerate(given)]


def judged(counted, *ratings, drawn="random"):
    table = pd.DataFrame([row for rows in ratings for row in rows], columns=verification.RATINGS)
    ids = list(dict.fromkeys(table["question_id"]))
    sample = pd.DataFrame({"question_id": ids, "drawn": [drawn] * len(ids)})
    return verification.judge(counted, sample, table)


def test_experts_confirm_correct_add_and_dispute(counted):
    ids = counted["question_id"]
    trail = judged(
        counted,
        rate(ids[0], (C, [N]), (C, [N, P]), (P, [])),
        rate(ids[1], (N, []), (N, []), (C, [])),
        rate(ids[39], (P, []), (P, []), ("", [])),
        rate(ids[2], (N, []), (P, [])),
    ).set_index("question_id")
    assert trail["verdict"].tolist() == ["confirmed", "corrected", "added", "disputed"]
    assert trail["before"].tolist() == [C, C, "", C]
    assert trail["after"].tolist() == [C, N, P, C]
    assert trail["also"][ids[0]] == [N, P]
    assert trail.loc[ids[39], ["agreeing", "ratings", "experts"]].tolist() == [2, 2, "expert0, expert1"]


def test_the_truth_is_the_sources_or_else_that_of_random_undisputed_questions(counted, questions):
    ids = counted["question_id"]
    trail = judged(
        counted, rate(ids[0], (C, [N, "Urology"])), rate(ids[1], ("Urology", [])), rate(ids[2], (N, []), (P, []))
    )
    assert verification.truth(questions, trail) == {ids[0]: [C, N]}
    by_specialty = judged(counted, rate(ids[0], (C, [])), drawn="specialty")
    assert verification.truth(questions, by_specialty) == {}
    questions["specialties"] = [[N]] * 39 + [[]]
    assert verification.truth(questions, trail) == {i: [N] for i in ids[:39]}
