"""The examples of docs/formats.md are read as it says."""

from pathlib import Path
import re

import pytest
import yaml

from neuro2cardio.annotation import sheets
from neuro2cardio.annotation.reading import Reading, read_answer
from neuro2cardio.config.dataset import Dataset
from neuro2cardio.questions import question_table, sources

PAGE = (Path(__file__).parents[2] / "docs/formats.md").read_text(encoding="utf-8")
TABLES = re.findall(r"```(csv|json|jsonl)\n(.*?)```\s+```yaml\ncolumns: (.*?)\n```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("suffix", "content", "columns"), TABLES)
def test_a_question_table_of_the_page_is_read_whole(tmp_path, suffix, content, columns):
    path = tmp_path / f"exam.{suffix}"
    path.write_text(content, encoding="utf-8")
    origin = {"source": "table", "files": {"all": str(path)}, "columns": yaml.safe_load(columns)}
    dataset = Dataset.model_validate({"origin": origin})
    questions, rejected = question_table.unlabelled(sources.read(dataset), dataset)
    assert rejected.empty
    rows = len(content.splitlines()) - (suffix == "csv")
    assert len(questions) == rows
    right = {q.stem: q.options[q.answer] for q in questions.itertuples()}
    said = {"Which valve?": {"Aortic", "Mitral"}, "Which node?": {"SA", "AV"}, "Which wave?": {"T"}}
    assert all(right[stem] in said.get(stem, {"Blood culture"}) for stem in right)


def test_the_page_shows_each_kind_of_table():
    assert [suffix for suffix, _, _ in TABLES] == ["csv", "csv", "json", "jsonl"]


def test_labels_of_the_page_decide_which_option_is_meant(tmp_path):
    (tmp_path / "exam.json").write_text(TABLES[2][1], encoding="utf-8")
    origin = {"source": "table", "files": {"all": str(tmp_path / "exam.json")}, "columns": {"answer_is": "letter"}}
    rows = list(sources.read(Dataset.model_validate({"origin": origin})))
    assert [row.options[row.answer] for row in rows] == ["Aortic", "AV", "T"]


ANSWERS = re.findall(r"```answer\n(.*?)\n```\s+Read as (?:`([^`]*)`|nothing: `([^`]*)`)", PAGE, re.DOTALL)


@pytest.mark.parametrize(("text", "label", "problem"), ANSWERS)
def test_an_answer_of_the_page_is_read_as_it_says(text, label, problem):
    reading = read_answer(text)
    assert (reading.label, reading.problem) == (label, problem)


def test_the_page_shows_each_kind_of_answer():
    assert len(ANSWERS) == PAGE.count("```answer") == 6
    assert read_answer(ANSWERS[0][0]) == Reading("Cardiology", "", ANSWERS[0][0].index("\nCardiology"))


SHEETS = re.findall(r"```sheet\.(csv|json)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("suffix", "content"), SHEETS)
def test_a_sheet_of_the_page_is_read_as_it_says(tmp_path, suffix, content):
    path = tmp_path / f"anna.{suffix}"
    path.write_text(content, encoding="utf-8")
    shown = {"q-1": "Which valve?", "q-2": "Which node?"}
    rows = [{"question_id": i, "question": text, "options": "", "answer": ""} for i, text in shown.items()]
    ratings = sheets.read_back(path, "anna", rows)
    assert ratings[["question_id", "specialty", "also"]].values.tolist() == [["1", "Cardiology", []], ["2", "", []]]


def test_the_page_shows_each_kind_of_sheet():
    assert [suffix for suffix, _ in SHEETS] == ["csv", "json", "json"]
