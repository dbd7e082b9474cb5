"""What people's files look like, and how their rows are read."""

import json
from pathlib import Path

from hypothesis import given, settings as hypothesis_settings, strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from neuro2cardio.config.dataset import Columns
from neuro2cardio.core import records
from neuro2cardio.core.errors import InputError
from neuro2cardio.questions.sources import RawQuestion, table

HEAD = "question,a,b,answer,specialty\n"


def read(path: Path, **columns) -> list[RawQuestion]:
    return list(table.rows(path, "all", Columns.model_validate(columns)))


def csv_rows(tmp_path: Path, text: str | bytes, name: str = "exam.csv", **columns) -> list[RawQuestion]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, **{"options": ["a", "b"], **columns})


def json_row(tmp_path: Path, row: dict, **columns) -> RawQuestion:
    path = tmp_path / "exam.json"
    full = {"question": "Which?", "options": ["x", "y"], "answer": "x", "specialty": "Cardiology"}
    path.write_text(json.dumps([{**full, **row}]), encoding="utf-8")
    return read(path, **columns)[0]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Fever, chills, what?,x,y,x,Cardiology", "7 cells, more than the header's 5"),
        ("Fever,x,y,x", "4 cells, fewer than the header's 5"),
        ('"Fever, chills",x,y,x,Cardiology', ""),
        ("Fever,x,y,x,Cardiology,,", ""),
    ],
)
def test_a_row_with_more_or_fewer_cells_than_the_header_is_a_problem_and_no_question(tmp_path, row, problem):
    (found,) = csv_rows(tmp_path, f"{HEAD}{row}\n")
    assert found.problem.startswith(problem) and bool(found.problem) == bool(problem)


def test_doubled_headers_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"several columns named 'a'"):
        csv_rows(tmp_path, "question,a,a,answer,specialty\nWhich?,x,y,x,Cardiology\n")


def test_rows_of_nothing_but_separators_are_skipped(tmp_path):
    assert len(csv_rows(tmp_path, f"{HEAD}Which?,x,y,x,Cardiology\n,,,,\n   ,,,,\n\n")) == 1


@pytest.mark.parametrize(
    "content",
    [
        HEAD.replace(",", ";") + "Which?;x;y;x;Cardiology\n",
        HEAD.replace(",", "\t") + "Which?\tx\ty\tx\tCardiology\n",
        "sep=;\n" + HEAD.replace(",", ";") + "Which?;x;y;x;Cardiology\n",
        "\ufeff" + HEAD + "Which?,x,y,x,Cardiology\n",
        ("\ufeff" + HEAD.replace(",", "\t") + "Which?\tx\ty\tx\tCardiology\n").encode("utf-16-le"),
        HEAD.replace("\n", "\r\n") + "Which?,x,y,x,Cardiology\r\n",
        "Question,A,B,Answer,Specialty\nWhich?,x,y,x,Cardiology\n",
        " question , a , b , answer , specialty \nWhich?,x,y,x,Cardiology\n",
        HEAD.strip() + ",,\nWhich?,x,y,x,Cardiology,,\n",
        "\n\n" + HEAD + "Which?,x,y,x,Cardiology\n",
    ],
)
@pytest.mark.parametrize("name", ["exam.csv", "exam.CSV", "exam.tsv"])
def test_every_dialect_of_csv_gives_the_same_question(tmp_path, content, name):
    (found,) = csv_rows(tmp_path, content, name)
    assert (found.stem, found.options, found.answer, found.problem) == ("Which?", ("x", "y"), "x", "")


@pytest.mark.parametrize("before", ["", "sep=,\n", "\n"])
def test_rows_are_named_by_their_physical_line(tmp_path, before):
    content = f'{before}{HEAD}"One\nof two lines?",x,y,x,Cardiology\n,,,,\nNext?,x,y,x,Cardiology\n'
    first, second = csv_rows(tmp_path, content)
    shift = 1 if before else 0
    assert (first.row, second.row) == (f"exam.csv:{2 + shift}", f"exam.csv:{5 + shift}")


def test_a_quotation_mark_that_is_never_closed_is_named_by_its_line(tmp_path):
    with pytest.raises(InputError, match=r"line 3: .*quotation mark that opens there is never closed"):
        csv_rows(tmp_path, f'{HEAD}Which?,x,y,x,Cardiology\n"Fever,x,y,x,Cardiology\nNext?,x,y,x,Cardiology\n')


def test_text_in_another_encoding_is_named_by_its_line(tmp_path):
    with pytest.raises(InputError, match=r"not UTF-8 text \(line 2"):
        csv_rows(tmp_path, HEAD.encode() + "Sjögren?,x,y,x,Rheumatology\n".encode("latin-1"))


def test_a_cell_of_any_length_is_read(tmp_path):
    (found,) = csv_rows(tmp_path, f'{HEAD}"{"long " * 50_000}",x,y,x,Cardiology\n')
    assert len(found.stem) == 250_000


def test_json_lines_may_be_named_json_and_the_other_way_round(tmp_path):
    row = {"question": "Which?", "options": ["x", "y"], "answer": "x", "specialty": "Cardiology"}
    (tmp_path / "a.json").write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n")
    (tmp_path / "b.JSON").write_text(f"{json.dumps(row)}\n")
    (tmp_path / "c.jsonl").write_text(json.dumps([row, row], indent=1))
    assert [len(read(tmp_path / name)) for name in ("a.json", "b.JSON", "c.jsonl")] == [2, 1, 2]


def test_a_broken_line_of_json_lines_is_a_problem_and_the_others_are_read(tmp_path):
    row = json.dumps({"question": "Which?", "options": ["x", "y"], "answer": "x", "specialty": "Cardiology"})
    deep = "[" * 100_000
    (tmp_path / "a.jsonl").write_text(f"{row}\n{{'question': 1}}\n{deep}\n[1]\n{row}\n")
    found = read(tmp_path / "a.jsonl")
    assert [bool(r.problem) for r in found] == [False, True, True, True, False]
    assert found[2].problem == "not JSON: nested too deeply"
    assert found[4].row == "a.jsonl:5"


def test_a_key_given_twice_in_an_object_is_a_problem(tmp_path):
    (tmp_path / "a.json").write_text('[{"question": "One?", "question": "Two?", "options": [], "answer": ""}]')
    (tmp_path / "b.json").write_text('[{"question": "One?", "options": {"A": "x", "A": "y"}, "answer": "A"}]')
    for name, key in (("a.json", "question"), ("b.json", "A")):
        (record,) = records.read(tmp_path / name)
        assert record.problem == f"the key {key!r} is given twice"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"question": {"stem": "Which?"}}, "question: an object with the keys 'stem' where text should be"),
        ({"question": ["Which?"]}, "question: a list where text should be"),
        ({"options": [{"aid": 1, "atext": "x"}, {"aid": 2, "atext": "y"}]}, "options: options with the keys 'aid'"),
        ({"options": [["x"], ["y"]]}, "options: a list where text should be"),
        ({"options": "x or y"}, "options: one text where a list of options should be"),
        ({"options": [True, False]}, "options: a truth value (true) where text should be"),
        ({"options": {"A": {"text": "x"}, "B": "y"}}, "options: an object with the keys 'text'"),
        ({"options": {"label": ["A"], "text": ["x", "y"]}}, "options: 1 labels for 2 options"),
        ({"answer": ["x"]}, "answer: a list where text should be"),
        ({"specialty": [{"name": "Cardiology"}]}, "specialty: an object with the keys 'name'"),
    ],
)
def test_a_cell_that_is_no_text_never_becomes_one(tmp_path, row, problem):
    assert json_row(tmp_path, row).problem.startswith(problem)


@pytest.mark.parametrize(
    ("options", "answer", "chosen"),
    [
        ({"label": ["B", "A", "C"], "text": ["x", "y", "z"]}, "A", "y"),
        ({"label": ["1", "2", "3", "4"], "text": ["w", "x", "y", "z"]}, "3", "y"),
        ({"label": [1, 2], "text": ["x", "y"]}, 2, "y"),
        ({"1": "w", "2": "x", "10": "z"}, "10", "z"),
        ({"A": "x", "B": "y"}, "(b)", "y"),
        ([{"key": "A", "value": "x"}, {"key": "B", "value": "y"}], "B", "y"),
        ([{"id": "q", "text": "x"}, {"id": "p", "text": "y"}], "p", "y"),
        ({"text": ["x", "y"]}, "B", "y"),
    ],
)
def test_labels_that_a_source_gives_are_used(tmp_path, options, answer, chosen):
    found = json_row(tmp_path, {"options": options, "answer": answer}, answer_is="letter")
    assert found.options[found.answer] == chosen


@pytest.mark.parametrize(
    "cell",
    [
        "['x', \"it's\"]",
        "['x' \"it's\"]",
        "['x'\n \"it's\"]",
        "array(['x', \"it's\"], dtype=object)",
        '["x", "it\'s"]',
        "{'A': 'x', 'B': \"it's\"}",
        "[np.str_('x'), np.str_(\"it's\")]",
        "('x', \"it's\")",
        "('x', \"it's\",)",
    ],
)
def test_lists_are_read_as_pandas_and_numpy_write_them(tmp_path, cell):
    assert json_row(tmp_path, {"options": cell}).options == ("x", "it's")


@pytest.mark.parametrize("cell", ["('x')", "(see above)", "['a', None]", "('x' 'y')", "np.str_('x')"])
def test_text_that_only_looks_like_a_list_stays_text(cell):
    assert records.parsed(cell) == cell


@pytest.mark.parametrize(("value", "text"), [(10.0, "10"), (0.5, "0.5"), (3, "3"), (None, ""), (float("nan"), "")])
def test_numbers_read_as_people_write_them(value, text):
    assert records.text(value) == text


def test_parquet_maps_and_bytes_are_read_as_what_they_hold(tmp_path):
    cells = {
        "question": pa.array([b"Which?", b"\xff\xfe"], pa.binary()),
        "options": pa.array([[("A", "x"), ("B", "y")]] * 2, pa.map_(pa.string(), pa.string())),
        "answer": pa.array([2.0, 2.0]),
        "specialty": pa.array(["Cardiology"] * 2),
    }
    pq.write_table(pa.table(cells), tmp_path / "a.parquet")
    first, second = read(tmp_path / "a.parquet", answer_is="number")
    assert (first.stem, first.options, first.answer) == ("Which?", ("x", "y"), 1)
    assert second.problem == "question: bytes that are not UTF-8 text"


CELLS = st.text(alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=8,
)


@hypothesis_settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.lists(CELLS, max_size=7), min_size=1, max_size=5), separator=st.sampled_from(",;\t"))
def test_rows_of_any_shape_are_questions_or_problems(tmp_path_factory, rows, separator):
    path = tmp_path_factory.mktemp("fuzz") / "exam.csv"
    lines = [separator.join(("question", "a", "b", "answer", "specialty"))]
    lines += [separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    shapes = [row for row in rows if any(cell.strip() for cell in row)]
    if not shapes:
        with pytest.raises(InputError, match="has no rows"):
            read(path, options=["a", "b"])
        return
    found = read(path, options=["a", "b"])
    assert len(found) == len(shapes)
    for question, row in zip(found, shapes, strict=True):
        filled = max((i + 1 for i, cell in enumerate(row) if cell.strip()), default=0)
        assert bool(question.problem) == (len(row) < 5 or filled > 5)
        if not question.problem:
            assert question.stem == row[0]


@hypothesis_settings(max_examples=150, deadline=None)
@given(options=JSON, answer=JSON, stem=JSON, kind=st.sampled_from(["text", "letter", "index", "number"]))
def test_json_of_any_shape_is_a_question_or_a_problem(tmp_path_factory, options, answer, stem, kind):
    path = tmp_path_factory.mktemp("fuzz") / "exam.json"
    row = {"question": stem, "options": options, "answer": answer, "specialty": "Cardiology", "more": 1}
    path.write_text(json.dumps([row]), encoding="utf-8")
    (found,) = read(path, answer_is=kind)
    assert found.problem or all(isinstance(text, str) for text in (found.stem, *found.options))
    if isinstance(stem, dict | list | bool):
        assert found.problem
