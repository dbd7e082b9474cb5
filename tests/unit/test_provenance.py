"""Outputs appear whole or not at all; digests see what code says and nothing else."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest

from neuro2cardio.core import code_digest, files, provenance, specialties, tables
from neuro2cardio.core.errors import InputError, nearest


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.csv"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic_write(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_two_writers_of_one_file_never_share_it(tmp_path):
    path = tmp_path / "table.csv"
    with files.atomic_write(path) as first, files.atomic_write(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("old", "new"):
        with files.atomic_write(tmp_path / "adapter") as part:
            part.mkdir()
            (part / name).write_text(name)
    assert [p.name for p in (tmp_path / "adapter").iterdir()] == ["new"]


def test_a_table_that_was_cut_short_is_never_read_as_data(tmp_path):
    frame = pd.DataFrame({name: pd.Series(dtype=object) for name in tables.MENTIONS.names})
    tables.write(frame, tmp_path / "m.parquet", tables.MENTIONS)
    data = (tmp_path / "m.parquet").read_bytes()
    (tmp_path / "m.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="truncated or invalid Parquet file"):
        tables.read(tmp_path / "m.parquet", tables.MENTIONS)


def test_a_flipped_bit_in_a_table_is_never_read_as_other_data(tmp_path):
    draw = np.random.default_rng(0)
    keys = {"model": "m", "recipe": "r", "train_set": "t", "seed": 1, "context": "prompt", "n_tokens": 1, "n_words": 1}
    named = {name: [f"{i:016x}" for i in range(300)] for name in ("mention_id", "question_id")}
    sums = {f"logprob_{name}": draw.normal(size=300) for name in ("sum", "first", "starts")}
    frame = pd.DataFrame({**named, **sums})
    tables.write(frame.assign(**keys), tmp_path / "t.parquet", tables.TERM_LOGPROBS)
    right, data = tables.read(tmp_path / "t.parquet", tables.TERM_LOGPROBS), (tmp_path / "t.parquet").read_bytes()
    named = 0
    for bit in draw.integers(0, 8 * len(data), size=150).tolist():
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        (tmp_path / "flipped.parquet").write_bytes(flipped)
        try:
            read = tables.read(tmp_path / "flipped.parquet", tables.TERM_LOGPROBS)
        except InputError:
            named += 1
        else:
            # Some bits carry nothing: unused header fields, and statistics that no reader looks at.
            pd.testing.assert_frame_equal(read, right)
    assert named > 120


def test_what_is_written_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with files.atomic_write(tmp_path / "adapter") as part:
            part.mkdir()
            (part / "weights").write_text("private as its writer made it")
            (part / "weights").chmod(0o600)
        files.write_text(tmp_path / "text", "")
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("adapter", "adapter/weights", "text")]
    assert modes == [0o750, 0o640, 0o640]


def test_a_table_with_other_columns_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"missing \[.*'stem'.*unknown \['stam'\]"):
        tables.write(pd.DataFrame({"stam": ["x"]}), tmp_path / "q.parquet", tables.QUESTIONS)


@pytest.fixture
def digest_after(tmp_path):
    """The digest of a script in a copy of the commands and the library, after a replacement in one of their files."""

    def edit(script: str, path: str, old: str, new: str) -> str:
        copy = tmp_path / f"copy-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(code_digest.SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
        text = (copy / path).read_text()
        assert old in text
        (copy / path).write_text(text.replace(old, new, 1))
        return code_digest.code_digest(script, copy)

    return edit


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("neuro2cardio/models/logprobs.py", "log_softmax", "softmax"),
        ("neuro2cardio/core/tables.py", '"option_logprobs"', '"option_scores"'),
        ("infer.py", "batches of", "parts of"),
    ],
)
def test_the_code_digest_sees_what_the_script_and_all_it_reaches_say(digest_after, path, old, new):
    assert digest_after("infer", path, old, new) != code_digest.code_digest("infer")


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("neuro2cardio/models/logprobs.py", "import torch\n", "import torch  # a comment\n\n"),
        ("neuro2cardio/models/scoring.py", '"""Every question', '"""Each question'),
        ("neuro2cardio/core/tables.py", "truncated or invalid", "no whole"),
        ("neuro2cardio/core/errors.py", "cutoff=0.6", "cutoff=0.7"),
        ("neuro2cardio/config/recipes.py", "rank: ", "further: int = 1\n    rank: "),
        ("neuro2cardio/core/files.py", "indent=2", "indent=4"),
        ("neuro2cardio/analysis/transfer.py", "\ndef ", "\ndef another(x): return x + 1\n\n\ndef "),
        ("neuro2cardio/models/fine_tuning.py", "_IGNORED = -100", "_IGNORED = -101"),
        ("infer.py", "the model's record", "another help text"),
    ],
)
def test_the_code_digest_does_not_see_words_and_what_the_script_does_not_reach(digest_after, path, old, new):
    assert digest_after("infer", path, old, new) == code_digest.code_digest("infer")


def test_a_new_function_of_a_reached_module_changes_no_digest_until_it_is_used(digest_after):
    unused = "\ndef _halved(x):\n    return x / 2\n"
    before = code_digest.code_digest("infer")
    scoring = "neuro2cardio/models/scoring.py"
    assert digest_after("infer", scoring, "\ndef parse_letter", f"{unused}\n\ndef parse_letter") == before
    used = f"{unused}\n\ndef parse_letter(*given):\n    _halved(1)\n    return _parse(*given)\n\n\ndef _parse"
    assert digest_after("infer", scoring, "\ndef parse_letter", used) != before


def test_all_that_digests_leave_out_is_there():
    assert all((code_digest.LIBRARY / path).exists() for path in code_digest.LEFT_OUT)


def test_git_names_a_file_as_git_does():
    assert provenance.git_blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_slugs_and_names_are_one_to_one():
    for name in specialties.SPECIALTIES:
        assert specialties.find(specialties.slug(name)) == name


def test_where_nothing_is_near_all_names_are_listed():
    assert nearest("xyz", ["b", "a"]) == "; known: a, b"
