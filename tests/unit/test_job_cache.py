"""What a job keeps is found again by the same job alone, and only while it is whole."""

import errno
import os
from pathlib import Path

import pytest

from neuro2cardio.core import files, job_cache
from neuro2cardio.core.errors import InputError


def make(own: Path, target: Path) -> None:
    own.joinpath("checkpoint-1").mkdir(exist_ok=True)
    (target / "result").write_text(f"number {len(list(own.parent.parent.glob('made-*')))}")
    (own.parent.parent / f"made-{len(list(own.parent.parent.glob('made-*')))}").touch()


def result(folder: Path, **source: object) -> str:
    return (job_cache.cached(folder / "kept", dict(source), make) / "result").read_text()


def test_the_same_is_made_once_and_anything_else_anew(tmp_path):
    assert [result(tmp_path, seed=1, data="a"), result(tmp_path, data="a", seed=1)] == ["number 0"] * 2
    assert result(tmp_path, seed=2, data="a") == "number 1"
    # Only the newest is kept, and of it nothing but what was finished.
    assert [path.name for path in (tmp_path / "kept").glob("*/*")] == ["finished"]


def test_what_is_damaged_is_made_again(tmp_path):
    result(tmp_path, seed=1)
    file = next((tmp_path / "kept").rglob("result"))
    file.write_text("number")
    assert result(tmp_path, seed=1) == "number 1"
    file.unlink()
    assert result(tmp_path, seed=1) == "number 2"


def test_outputs_take_no_disk_twice_and_one_edited_in_place_is_never_handed_out_again(tmp_path):
    output = tmp_path / "output"
    assert result(tmp_path, seed=1) == "number 0"
    kept = next((tmp_path / "kept").rglob("result"))
    os.utime(kept, (0, 0))
    with files.atomic_write(output) as part:
        files.link_or_copy(kept, part)
    assert output.samefile(kept)
    assert output.stat().st_mtime > 0  # As new as any output: Snakemake goes by it.
    # What the workflow writes replaces the name and leaves the kept file alone,
    files.write_text(output, "other")
    assert kept.read_text() == "number 0"
    # and a job whose output is deleted finds it.
    output.unlink()
    assert result(tmp_path, seed=1) == "number 0"
    # An editor that writes through the name changes both: the digest tells, and it is made again.
    files.link_or_copy(kept, output)
    output.write_text("edited")
    assert result(tmp_path, seed=1) == "number 1"


@pytest.mark.parametrize("refused", ["no links here", "another user's"])
def test_where_a_link_is_not_possible_outputs_are_copied(tmp_path, monkeypatch, refused):
    def no_link(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("weights")
    if refused == "no links here":
        monkeypatch.setattr(os, "link", no_link)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: source.stat().st_uid + 1)
    files.link_or_copy(source, target)
    assert target.read_text() == "weights"
    assert not target.samefile(source)


def test_a_job_that_dies_keeps_what_it_wants_to_find_again_and_nothing_finished(tmp_path):
    def dies(own: Path, target: Path) -> None:
        (own / "checkpoint-1").mkdir(parents=True)
        (target / "result").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job_cache.cached(tmp_path / "kept", {"seed": 1}, dies)
    assert [path.name for path in (tmp_path / "kept").glob("*/*")] == ["checkpoint-1"]


@pytest.mark.parametrize("mark", ["", "{}", "[]", "null", '{"other": "0"}'])
def test_a_damaged_mark_vouches_for_nothing(tmp_path, mark):
    (tmp_path / "weights").write_text("x")
    job_cache.mark_whole(tmp_path)
    assert job_cache.is_whole(tmp_path)
    (tmp_path / job_cache.MARK).write_text(mark)
    assert not job_cache.is_whole(tmp_path)


def test_two_jobs_never_share_a_folder(tmp_path):
    def make(_: Path, target: Path) -> None:
        with pytest.raises(InputError, match="this job is already being done"):
            job_cache.cached(tmp_path, {"a": 2}, make)
        (target / "done").write_text("")

    job_cache.cached(tmp_path, {"a": 1}, make)
