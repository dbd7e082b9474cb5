"""Sheets go out, come back filled in or damaged, and correct the votes with a trail."""

import csv
from io import StringIO
import itertools
import json
import re
import xml.etree.ElementTree as ElementTree

from hypothesis import HealthCheck, given, settings, strategies as st
import pandas as pd
import pytest

from neuro2cardio.annotation import label_studio, labels, sheets, verification, votes
from neuro2cardio.core.errors import InputError

C, N, P = "Cardiology", "Neurology", "Pediatrics"
ALLOWED = sheets.allowed(labels.CANDIDATES, {})


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
    rows = list(csv.DictReader(StringIO(sheets.write(sheets.hand_out(sample, questions), ALLOWED), newline="")))
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
    text = sheets.write(sheets.hand_out(sample, questions), ALLOWED)
    rows = list(csv.DictReader(StringIO(text, newline="")))
    assert tuple(rows[0]) == sheets.SHEET
    assert len(rows) == len(sample)
    assert {row["allowed"] for row in rows} == {"; ".join(ALLOWED)}
    assert not any(row["specialty"] or row["also"] for row in rows)
    assert all(row["question_id"].startswith("q-") for row in rows)
    assert all(row["question"].startswith("'=") for row in rows)


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-8")])
def test_a_sheet_is_read_back_as_spreadsheets_save_it(tmp_path, sample, questions, sheet, delimiter, encoding):
    sheet[0] |= {"specialty": "ob/gyn", "also": "cardiology; Neurology", "comment": "why not"}
    sheet[1] |= {"specialty": ""}
    path = write(tmp_path / "anna.csv", sheet, delimiter, encoding)
    ratings = sheets.read_back(path, "anna", sheets.hand_out(sample, questions))
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
        (change_id, r"anna\.csv:\d+: unknown or changed question_id '1\.2E\+10'"),
        (change_id, r"1 of \d+ rows are missing: q-"),
        (lambda rows: rows[:-2], r"2 of \d+ rows are missing"),
        (lambda rows: [*rows, rows[0]], r"row q-\w+ is there 2 times \(anna\.csv:2, anna\.csv:\d+\)"),
        (unknown_label, r"anna\.csv:\d+ \(q-\w+\): unknown specialty 'Cardiolgy'; did you mean 'Cardiology'"),
        (change_question, r"anna\.csv:\d+ \(q-\w+\): its question is not the one that was handed out"),
        (also_alone, "`also` is filled in and `specialty` is not"),
    ],
)
def test_a_damaged_sheet_is_refused_and_the_damage_named(tmp_path, sample, questions, sheet, damage, complaint):
    path = write(tmp_path / "anna.csv", damage(sheet))
    with pytest.raises(InputError, match=complaint) as caught:
        sheets.read_back(path, "anna", sheets.hand_out(sample, questions))
    assert "anna.csv (anna)" in str(caught.value)


def test_a_sheet_without_its_columns_is_refused(tmp_path, sample, questions, sheet):
    path = write(tmp_path / "anna.csv", [{"question_id": row["question_id"]} for row in sheet])
    with pytest.raises(InputError, match="no column also, question, specialty"):
        sheets.read_back(path, "anna", sheets.hand_out(sample, questions))


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
    tasks = label_studio.tasks(sheets.hand_out(sample, questions))
    given = [{"specialty": [N], "also": [C, P]}] + [{"specialty": [C]}] * (len(tasks) - 1)
    path = tmp_path / "ben.json"
    path.write_text(json.dumps(exported(tasks, given)))
    ratings = sheets.read_back(path, "ben", sheets.hand_out(sample, questions))
    assert ratings["specialty"].tolist() == [N] + [C] * (len(tasks) - 1)
    assert ratings["also"][0] == [C, P]
    assert ratings["comment"][0] == "well"


def test_a_cancelled_task_is_left_out_and_two_annotations_are_refused(tmp_path, sample, questions):
    tasks = exported(label_studio.tasks(sheets.hand_out(sample, questions)), [{"specialty": [C]}] * len(sample))
    tasks[0]["annotations"][0]["was_cancelled"] = True
    path = tmp_path / "ben.json"
    path.write_text(json.dumps(tasks))
    assert sheets.read_back(path, "ben", sheets.hand_out(sample, questions))["specialty"][0] == ""
    tasks[1]["annotations"] *= 2
    path.write_text(json.dumps(tasks))
    with pytest.raises(InputError, match="task 1 has 2 annotations"):
        sheets.read_back(path, "ben", sheets.hand_out(sample, questions))


def test_the_label_studio_interface_offers_every_candidate():
    root = ElementTree.fromstring(label_studio.config(sheets.allowed(labels.CANDIDATES, {})))
    offered = [choice.get("value") for choice in root.find("Choices[@name='specialty']")]
    assert offered == [*labels.CANDIDATES, labels.OTHERS]
    shown = {text.get("value") for text in root.findall("Text")}
    assert shown == {"$question", "$options", "$answer"}


@pytest.mark.parametrize("nothing", ["", "none", "None.", "nothing", "n/a", "N.A.", "-", "—", "no others", "Others"])
def test_nothing_further_is_nothing(tmp_path, sample, questions, sheet, nothing):
    path = write(tmp_path / "anna.csv", [row | {"also": nothing} for row in sheet])
    ratings = sheets.read_back(path, "anna", sheets.hand_out(sample, questions))
    assert ratings["also"].tolist() == [[]] * len(sheet)


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ({"also": "none; Neurology"}, "`also` says 'none' and names a specialty besides"),
        ({"specialty": "Cardiology; Neurology"}, "several names in `specialty`"),
        ({"specialty": "not Cardiology"}, "unknown specialty 'not Cardiology'"),
        ({"specialty": "≠ Cardiology"}, "has the sign '≠'"),
        ({"answer": "Cardiology"}, "its answer is not the one"),
    ],
)
def test_what_could_be_a_wrong_label_is_refused_with_its_line(tmp_path, sample, questions, sheet, cells, complaint):
    path = write(tmp_path / "anna.csv", [sheet[0] | cells, *sheet[1:]])
    with pytest.raises(InputError, match=rf"anna\.csv:2 \(q-\w+\): .*{complaint}"):
        sheets.read_back(path, "anna", sheets.hand_out(sample, questions))


def test_rows_of_another_length_and_doubled_headers_are_refused(tmp_path, sample, questions, sheet):
    rows = sheets.hand_out(sample, questions)
    path = write(tmp_path / "anna.csv", sheet)
    whole = path.read_text()
    path.write_text(whole.rstrip("\n") + ",more\n")
    with pytest.raises(InputError, match="9 cells, more than the header's 8"):
        sheets.read_back(path, "anna", rows)
    path.write_text(whole.replace("comment,", "also,", 1))
    with pytest.raises(InputError, match="several columns named 'also'"):
        sheets.read_back(path, "anna", rows)


def test_separators_alone_capitals_and_a_sep_line_are_read(tmp_path, sample, questions, sheet):
    path = write(tmp_path / "anna.csv", [{k.upper(): v for k, v in row.items()} for row in sheet], ";", "utf-8")
    path.write_text("sep=;\n" + path.read_text() + ";;;;;;;\n")
    ratings = sheets.read_back(path, "anna", sheets.hand_out(sample, questions))
    assert ratings["specialty"].tolist() == [C] * len(sheet)


def test_json_json_lines_named_json_and_parquet_are_read(tmp_path, sample, questions, sheet):
    rows = [row | {"also": [N, P]} for row in sheet]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    (tmp_path / "lines.json").write_text("\n".join(map(json.dumps, rows)))
    pd.DataFrame(rows).to_parquet(tmp_path / "table.parquet")
    for name in ("list.json", "lines.json", "table.parquet"):
        ratings = sheets.read_back(tmp_path / name, "anna", sheets.hand_out(sample, questions))
        assert ratings["also"].tolist() == [[N, P]] * len(sheet), name


def test_the_users_own_names_are_read_and_offered(tmp_path, sample, questions, sheet):
    own = {"heart, lungs": C, "ethics": None, "sports medicine": "Sports medicine"}
    cells = [{"specialty": "Heart, Lungs"}, {"specialty": "Ethics"}, {"specialty": "sports  medicine", "also": "ENT"}]
    path = write(tmp_path / "anna.csv", [row | c for row, c in zip(sheet, cells, strict=False)] + sheet[3:])
    ratings = sheets.read_back(path, "anna", sheets.hand_out(sample, questions), own)
    assert ratings["specialty"][:3].tolist() == [C, labels.OTHERS, "Sports medicine"]
    assert ratings["also"][2] == ["Otorhinolaryngology"]
    assert sheets.allowed(labels.CANDIDATES, own)[-2:] == ["Sports medicine", labels.OTHERS]


def test_relations_and_empty_tasks_of_label_studio_are_passed_over(tmp_path, sample, questions):
    rows = sheets.hand_out(sample, questions)
    tasks = exported(label_studio.tasks(rows), [{"specialty": [C]}] * len(rows))
    tasks[0]["annotations"][0]["result"].append({"type": "relation", "from_id": "a", "to_id": "b"})
    tasks[1]["annotations"] = []
    tasks[2]["annotations"][0]["result"] = None
    path = tmp_path / "ben.json"
    path.write_text(json.dumps(tasks))
    assert sheets.read_back(path, "ben", rows)["specialty"].tolist() == [C, "", ""] + [C] * (len(rows) - 3)
    path.write_text(json.dumps(label_studio.tasks(rows)))
    with pytest.raises(InputError, match="export the project as JSON, not its tasks"):
        sheets.read_back(path, "ben", rows)


def test_the_csv_export_of_label_studio_is_read_or_says_which_to_take(tmp_path, sample, questions, sheet):
    rows = sheets.hand_out(sample, questions)
    shown = ["question_id", "question", "options", "answer", "specialty"]
    flat = [{k: row[k] for k in shown} | {"also": json.dumps({"choices": [N, P]}), "annotator": "1"} for row in sheet]
    ratings = sheets.read_back(write(tmp_path / "ben.csv", flat), "ben", rows)
    assert ratings["also"].tolist() == [[N, P]] * len(rows)
    with pytest.raises(InputError, match="export as JSON instead"):
        sheets.read_back(write(tmp_path / "ben.csv", flat[1:]), "ben", rows)


WORDS = st.sampled_from(["", C, N, "none", "-", "not Cardiology", "[", "{", "Cardiology;Neurology", '"', "≠ Neurology"])
SHAPES = st.lists(
    st.one_of(WORDS, st.text(max_size=8), st.none(), st.lists(WORDS), st.integers()), min_size=4, max_size=4
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=SHAPES, delimiter=st.sampled_from(",;\t"), as_json=st.booleans())
def test_no_shape_of_a_sheet_gives_a_wrong_label_or_a_traceback(tmp_path, cells, delimiter, as_json):
    handed_out = {"question_id": "q-1", "question": "What, now?", "options": "a\nb", "answer": "a"}
    row = handed_out | dict(zip(("specialty", "also", "comment", "extra"), cells, strict=True))
    path = tmp_path / ("anna.json" if as_json else "anna.csv")
    path.unlink(missing_ok=True)
    path.write_text(json.dumps([row])) if as_json else write(path, [row], delimiter)
    try:
        ratings = sheets.read_back(path, "anna", [handed_out])
    except InputError:
        return
    given_names = cells[0] if isinstance(cells[0], list) else [cells[0]]
    meant = {C: C, N: N, "none": labels.OTHERS}
    assert ratings["specialty"][0] in {meant.get(name, labels.find(str(name)) or "") for name in given_names} | {""}
    further = [part for cell in (cells[1] if isinstance(cells[1], list) else [cells[1]]) for part in _parts(cell)]
    assert set(ratings["also"][0]) <= {labels.find(part) for part in further} - {ratings["specialty"][0]}
    said = cells[2]
    if isinstance(said, str) and not said.lstrip().startswith(("[", "{", "=", "+", "-", "@")):
        assert " ".join(ratings["comment"][0].split()) == " ".join(said.split())


def _parts(cell: object) -> list[str]:
    """The names that a person could mean by a cell."""
    text = str(cell)
    return [text, *re.split(r"[;,|\n\r]", text.strip("[]'\""))]


def rate(question_id, *given):
    return [(question_id, f"expert{i}", primary, also, "") for i, (primary, also) in enumerate(given)]


def judged(counted, *ratings, drawn="random"):
    table = pd.DataFrame([row for rows in ratings for row in rows], columns=sheets.RATINGS)
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
