import json
from pathlib import Path
import subprocess
import sys

import invented_obo
import pandas as pd
import pytest

from neuro2cardio.config.dataset import Columns, Dataset, HuggingFace
from neuro2cardio.core import ontologies
from neuro2cardio.core.errors import InputError
from neuro2cardio.questions import sources
from neuro2cardio.questions.sources import hpo, huggingface, s_medqa, table

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
ROW = {"question": "Which organ is blue?", "options": ["blarf", "snoot"], "answer": "snoot", "specialty": "Cardiology"}


def dataset(origin: dict, **keys) -> Dataset:
    return Dataset.model_validate({"origin": origin, **keys})


def read(path: Path, **columns) -> list[sources.RawQuestion]:
    return list(table.rows(path, "all", Columns.model_validate(columns)))


def write_json(path: Path, value) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".tsv", ".parquet"])
def test_every_kind_of_table_gives_the_same_rows(tmp_path, suffix):
    path = tmp_path / f"mine{suffix}"
    if suffix == ".parquet":
        pd.DataFrame([ROW, ROW]).to_parquet(path)
    elif suffix in (".csv", ".tsv"):
        flat = {**ROW, "options": json.dumps(ROW["options"])}
        pd.DataFrame([flat, flat]).to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
    else:
        lines = [json.dumps(ROW)] * 2
        path.write_text("\n".join(lines) if suffix == ".jsonl" else f"[{','.join(lines)}]", encoding="utf-8")
    first, second = read(path)
    # In text files, rows are named by their physical line.
    line = 2 if suffix in (".csv", ".tsv") else 1
    assert first == sources.RawQuestion(
        row=f"mine{suffix}:{line}",
        split="all",
        stem="Which organ is blue?",
        options=("blarf", "snoot"),
        answer="snoot",
        specialties=("Cardiology",),
    )
    assert second.row == f"mine{suffix}:{line + 1}"


def test_line_separators_inside_a_text_end_no_row(tmp_path):
    row = {**ROW, "question": "One line,\u2028another.\nA third?", "options": json.dumps(ROW["options"])}
    (tmp_path / "mine.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n\n", encoding="utf-8")
    pd.DataFrame([row]).to_csv(tmp_path / "mine.csv", index=False)
    assert [r.stem for name in ("mine.jsonl", "mine.csv") for r in read(tmp_path / name)] == [row["question"]] * 2


@pytest.mark.parametrize(
    "options",
    [
        ["blarf", "snoot"],
        {"A": "blarf", "B": "snoot", "C": None},
        [{"key": "A", "value": "blarf"}, {"key": "B", "value": "snoot"}],
        {"label": ["A", "B"], "text": ["blarf", "snoot"]},
        '{"B": "snoot", "A": "blarf"}',
    ],
)
def test_options_in_one_column_come_in_many_forms(tmp_path, options):
    path = write_json(tmp_path / "mine.json", [{**ROW, "options": options}])
    assert read(path)[0].options == ("blarf", "snoot")


def test_options_in_columns_of_their_own_may_end_early(tmp_path):
    rows = [{**ROW, "a": "blarf", "b": "snoot", "c": "zib"}, {**ROW, "a": "blarf", "b": "snoot", "c": None}]
    pd.DataFrame(rows).to_csv(tmp_path / "mine.csv", index=False)
    three, two = read(tmp_path / "mine.csv", options=["a", "b", "c"])
    assert (three.options, two.options) == (("blarf", "snoot", "zib"), ("blarf", "snoot"))


@pytest.mark.parametrize(
    ("kind", "value", "answer"),
    [
        ("text", "snoot", "snoot"),
        ("letter", "B", 1),
        ("letter", "(b)", 1),
        ("letter", "F", table.NOT_AN_OPTION),
        ("letter", "", ""),
        ("index", 0, 0),
        ("index", 1.0, 1),
        ("index", "1.5", table.NOT_AN_OPTION),
        ("number", 1, 0),
        ("number", "second", table.NOT_AN_OPTION),
        ("number", None, ""),
        ("number", "inf", table.NOT_AN_OPTION),
    ],
)
def test_answers_come_as_text_letter_index_or_number(tmp_path, kind, value, answer):
    path = write_json(tmp_path / "mine.json", [{**ROW, "answer": value}])
    assert read(path, answer_is=kind)[0].answer == answer


@pytest.mark.parametrize(
    ("kind", "options", "answer", "found"),
    [
        ("number", {"0": "x", "1": "y", "2": "z"}, "1", "ambiguous: it labels another option"),
        ("index", {"1": "x", "2": "y", "3": "z"}, "2", "ambiguous: it labels another option"),
        ("letter", ["B. x", "A. y"], "A", "ambiguous: it labels another option than the one that begins with it"),
        ("letter", ["A. x", "B. y"], "B", 1),
        ("letter", ["A. fumigatus", "C. albicans"], "B", 1),
        ("letter", {"A.": "x", "B.": "y"}, "B", 1),
        ("letter", {"(A)": "x", "(B)": "y"}, "(b)", 1),
        ("letter", {"A": "x", "C": "z"}, "C", 1),
        ("letter", {"0": "x", "1": "y"}, "1", 1),
        ("number", {"1": "x", "2": "y"}, "2", 1),
        ("index", {"0": "x", "1": "y"}, "1", 1),
        ("letter", {"A": "x", "a": "y"}, "A", table.NOT_AN_OPTION),
        ("letter", ["x", "y", "z"], "A, B", table.NOT_AN_OPTION),
        ("number", ["x", "y"], "\u00b2", table.NOT_AN_OPTION),
    ],
)
def test_an_answer_that_could_mean_two_options_is_refused_with_its_reason(tmp_path, kind, options, answer, found):
    path = write_json(tmp_path / "mine.json", [{**ROW, "options": options, "answer": answer}])
    row = read(path, answer_is=kind)[0]
    assert found in row.problem if isinstance(found, str) else (row.answer, row.problem) == (found, "")


def test_option_columns_are_labelled_by_the_letters_they_end_in(tmp_path):
    (tmp_path / "mine.csv").write_text("question,opb,opa,answer,specialty\nWhich?,blarf,snoot,A,Cardiology\n")
    row = read(tmp_path / "mine.csv", options=["opb", "opa"], answer_is="letter")[0]
    assert row.options[row.answer] == "snoot"


CSV = "question,a,b,answer,specialty\nWhich,x,y,x,Cardiology\n"


@pytest.mark.parametrize(
    ("name", "content", "read_as"),
    [
        ("mac.csv", CSV.replace("\n", "\r").encode(), "x"),
        ("excel.csv", CSV.replace("\n", ",,,\r\n").encode("utf-8-sig"), "x"),
        ("unicode.tsv", CSV.replace(",", "\t").encode("utf-16"), "x"),
        ("wide.csv", CSV.encode("utf-32"), "x"),
        ("nbsp.csv", CSV.replace("question", "question\u00a0").replace(",x,y", ",x\u00a0,y").encode(), "x\u00a0"),
        ("lines.csv", CSV.replace(",x,y,x", ',"x\nz",y,"x\r\nz"').encode(), "x\nz"),
        ("semicolon.csv", CSV.replace(",", ";").replace("x", "x, z").encode(), "x, z"),
    ],
)
def test_spreadsheets_save_csv_in_many_ways(tmp_path, name, content, read_as):
    (tmp_path / name).write_bytes(content)
    row = read(tmp_path / name, options=["a", "b"])[0]
    assert (row.problem, row.options) == ("", (read_as, "y"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("mine.csv", CSV.encode("utf-16-le"), r"zero bytes on line 1 \(UTF-16 without its mark\?\)"),
        ("mine.jsonl", b'{"question": "x", "question": "y"}\n', "no row can be read; the first, mine.jsonl:1: the key"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_says_why(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        read(tmp_path / name)


@pytest.mark.parametrize("value", ["Cardiology; Neurology", ["Cardiology", "Neurology"], '["Cardiology", "Neurology"]'])
def test_specialties_and_votes_may_be_lists(tmp_path, value):
    path = write_json(tmp_path / "mine.json", [{**ROW, "specialty": value, "v": value}])
    row = read(path, votes="v")[0]
    assert row.specialties == row.votes == ("Cardiology", "Neurology")


def test_a_misspelled_column_names_the_nearest(tmp_path):
    path = write_json(tmp_path / "mine.json", [ROW])
    with pytest.raises(InputError, match=r"no column 'questions', .*did you mean 'question'"):
        read(path, stem="questions")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", b'[{"question": '), ("a.json", b'{"question": 1}'), ("a.parquet", b"PAR1"), ("a.csv", b"\xff\xfe")],
)
def test_a_broken_table_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        read(tmp_path / name)


def test_rows_of_s_medqa_keep_what_they_lack_empty(tmp_path):
    full = {"Question": "Q?", "Specialty": "Cardiology", "Options": ["a", "b"], "Answer": "a"}
    path = write_json(tmp_path / "S-MedQA_test.json", [full, {"Question": None, "Options": ["a", None]}])
    one, two = s_medqa.rows(path, "test")
    assert one == sources.RawQuestion("S-MedQA_test.json:1", "test", "Q?", ("a", "b"), "a", ("Cardiology",))
    assert two == sources.RawQuestion("S-MedQA_test.json:2", "test", "", ("a",), "", ())


def test_the_real_split_of_s_medqa_is_read_whole(s_medqa_directory):
    made = dataset({"source": "s-medqa", "directory": str(s_medqa_directory)}, split={"made_from": "validation"})
    rows = list(sources.read(made))
    assert len(rows) == 899
    assert {row.split for row in rows} == {"all"}
    assert all(row.answer in row.options for row in rows)


@pytest.mark.parametrize("content", ["[1, 2]", "{}", "[{"])
def test_a_broken_release_of_s_medqa_is_named(tmp_path, content):
    (tmp_path / "S-MedQA_test.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"S-MedQA_test\.json"):
        list(s_medqa.rows(tmp_path / "S-MedQA_test.json", "test"))


@pytest.fixture
def obo(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "made-up.obo"
    path.write_text(invented_obo.text(), encoding="utf-8")
    branches = tmp_path / "hpo_branch_to_specialty.tsv"
    branches.write_text("hpo_id\tspecialties\nX:1\tCardiology\nX:2\tNeurology\n", encoding="utf-8")
    monkeypatch.setattr(ontologies, "MAPPINGS", tmp_path)
    return path


def test_definitions_become_questions(obo):
    rows = {row.row: row for row in hpo.rows(obo, "all")}
    blue = rows["X:10"]
    assert blue.stem == "A colour of this organ like that of a clear sky. What is this finding called?"
    assert blue.answer == "Blue blarf" and blue.answer in blue.options and len(blue.options) == 4
    assert "Very blue blarf" not in blue.options, "a term below the answer is right, too"
    assert set(rows["X:21"].specialties) == {"Cardiology", "Neurology"}
    assert "X:13" not in rows, "its definition says its name"
    assert "X:22" not in rows, "its definition is too short"


def test_the_same_ontology_gives_the_same_questions(obo):
    assert list(hpo.rows(obo, "all")) == list(hpo.rows(obo, "all"))


def test_terms_that_only_group_others_are_neither_asked_nor_offered(obo):
    group = '[Term]\nid: X:30\nname: Abnormal blarf\ndef: "Anything that this organ should not be." []\nis_a: X:1\n'
    obo.write_text(invented_obo.text(group), encoding="utf-8")
    rows = list(hpo.rows(obo, "all"))
    assert "X:30" not in {row.row for row in rows}
    assert all("Abnormal blarf" not in row.options for row in rows)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"source": "s-medqa", "directory": "nowhere"}, r"dataset.origin.directory: no folder nowhere"),
        ({"source": "s-medqa", "directory": "realise"}, r"no folder realise; did you mean 'release'"),
        (
            {"source": "s-medqa", "directory": "release"},
            r"no train and no test split: s-medqa has validation; set .*made_f",
        ),
        ({"source": "s-medqa", "directory": "empty"}, r"empty holds none of S-MedQA_train.json"),
        (
            {"source": "table", "files": {"all": "mine.jsn"}},
            r"dataset.origin.files.all: no file mine.jsn; did you mean 'mine",
        ),
        ({"source": "table", "files": {"all": "mine.txt"}}, r"mine.txt is none of .json"),
        ({"source": "table", "files": {"all": "mine.json", "test": "mine.json"}}, "`all` stands alone"),
        ({"source": "huggingface", "id": "a/b", "revision": "1", "splits": {"train": "train"}}, "no test split"),
    ],
)
def test_what_can_be_known_before_the_first_job_is_told_then(tmp_path, monkeypatch, keys, message):
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "release"):
        (tmp_path / folder).mkdir()
    for name in ("release/S-MedQA_validation.json", "mine.json", "mine.txt"):
        write_json(tmp_path / name, [ROW])
    with pytest.raises(InputError, match=message):
        sources.files(dataset(keys))


def test_a_split_that_is_not_there_is_named(tmp_path):
    write_json(tmp_path / "S-MedQA_validation.json", [])
    with pytest.raises(InputError, match="made_from: there is no split 'train': s-medqa has validation"):
        sources.files(dataset({"source": "s-medqa", "directory": str(tmp_path)}, split={"made_from": "train"}))


def test_files_to_be_downloaded_need_not_be_there():
    assert set(sources.files(dataset({"source": "s-medqa"}))) == {"train", "validation", "test"}
    assert set(sources.files(dataset({"source": "hpo"}))) == {"all"}


def test_the_snakefile_can_ask_for_files_without_heavy_imports():
    heavy = {"pandas", "pyarrow", "datasets", "tqdm"}
    asked = f"import sys; from neuro2cardio.questions import sources; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=SCRIPTS, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_data_set_of_the_hub_is_kept_as_parquet_and_read_by_its_columns(tmp_path, monkeypatch):
    """A local folder takes the hub's place: `datasets` loads both alike."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "served").mkdir()
    for split, stem in (("train", "One?"), ("test", "Two?")):
        pd.DataFrame([{**ROW, "question": stem}]).to_parquet(tmp_path / "served" / f"{split}-0.parquet")
    keys = {"id": "served", "revision": "main", "splits": {"train": "train", "test": "test"}}
    made = dataset({"source": "huggingface", **keys})
    huggingface.fetch(made.origin, sources.hub_folder(made.origin))
    assert {(row.split, row.stem) for row in sources.read(made)} == {("train", "One?"), ("test", "Two?")}
    wrong = HuggingFace(source="huggingface", **{**keys, "splits": {"tests": "test"}})
    with pytest.raises(InputError, match="no split 'tests'; did you mean 'test'"):
        huggingface.fetch(wrong, tmp_path / "wrong")


def test_splits_of_unlike_types_are_named_and_not_joined(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unlike").mkdir()
    pd.DataFrame([{**ROW, "answer": "snoot"}]).to_parquet(tmp_path / "unlike/train-0.parquet")
    pd.DataFrame([{**ROW, "answer": [1]}]).to_parquet(tmp_path / "unlike/test-0.parquet")
    keys = {"id": "unlike", "revision": "main", "splits": {"train": "train", "test": "train"}}
    with pytest.raises(InputError, match="unlike"):
        huggingface.fetch(HuggingFace(source="huggingface", **keys), tmp_path / "out")


def test_a_hub_out_of_reach_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    origin = {"source": "huggingface", "id": "no/such-set", "revision": "main", "splits": {"train": "train"}}
    (tmp_path / "settings.json").write_text(json.dumps({"fetch": {"source": "huggingface", "origin": origin}}))
    command = [sys.executable, SCRIPTS / "fetch.py", "--settings", "settings.json", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the hub can't be reached for no/such-set" in done.stderr
    assert "source: table" in done.stderr
    assert "Traceback" not in done.stderr
