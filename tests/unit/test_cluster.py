from collections.abc import Iterator
import errno
import json
import os
from pathlib import Path
import socket
import subprocess
import sys

import psutil
import pytest

from neuro2cardio.core import locks
from neuro2cardio.core.errors import InputError
from neuro2cardio.operations import local_jobs, run_lock, slurm_jobs

SQUEUE = """#!/bin/sh
echo "7|RUNNING|neuro2cardio_1f|{here}|rule_finetune_wildcards_a"
echo "8|PENDING|neuro2cardio_1f|{here}|rule_infer_wildcards_a|b"
echo "9|RUNNING|neuro2cardio_2a|/elsewhere|rule_finetune_wildcards_a"
echo "10|RUNNING|other|{here}|"
"""


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Slurm prints for four jobs; the real one is asked in tests/faults."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "squeue").write_text(SQUEUE.format(here=tmp_path))
    (programs / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tmp_path


def test_only_this_workflows_jobs_of_this_directory_count(squeue: Path):
    assert slurm_jobs.jobs(squeue) == [
        slurm_jobs.SlurmJob("7", "RUNNING", "rule_finetune_wildcards_a"),
        slurm_jobs.SlurmJob("8", "PENDING", "rule_infer_wildcards_a|b"),
    ]


def test_a_run_beside_jobs_that_nobody_controls_is_refused(squeue: Path):
    with pytest.raises(InputError, match=r"2 Slurm jobs .*\(7, 8\).*recover\.py"):
        slurm_jobs.check_alone(squeue)


def test_without_slurm_there_are_no_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm_jobs.jobs(tmp_path) == []
    slurm_jobs.check_alone(tmp_path)


def test_a_controller_is_python_running_snakemake_here_and_not_for_one_job(tmp_path: Path):
    script = tmp_path / "snakemake"
    script.write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    commands = {
        "controller": ([sys.executable, str(script)], tmp_path),
        "elsewhere": ([sys.executable, str(script)], tmp_path.parent),
        "one job": ([sys.executable, str(script), "--target-jobs", "finetune:seed=1"], tmp_path),
        "not Snakemake": ([sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], tmp_path),
    }
    started = {
        name: subprocess.Popen(words, cwd=where, stdout=subprocess.PIPE) for name, (words, where) in commands.items()
    }
    try:
        for process in started.values():
            process.stdout.readline()
        assert local_jobs.controllers(tmp_path) == [started["controller"].pid]
    finally:
        for process in started.values():
            process.kill()
            process.communicate()


def test_slurm_commands_without_a_cluster_do_not_stop_a_run(tmp_path, monkeypatch, capsys):
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\necho 'squeue: error: DNS SRV lookup failed' >&2\nexit 1\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    slurm_jobs.check_alone(tmp_path)
    assert "no cluster answers" in capsys.readouterr().err


def test_a_job_left_behind_is_found_named_and_ended(tmp_path: Path):
    script = tmp_path / "scripts/finetune.py"
    script.parent.mkdir()
    script.write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    left = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path, stdout=subprocess.PIPE)
    other = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path.parent, stdout=subprocess.PIPE)
    slurms = subprocess.Popen(
        [sys.executable, str(script)], cwd=tmp_path, stdout=subprocess.PIPE, env={**os.environ, "SLURM_JOB_ID": "1"}
    )
    try:
        for process in (left, other, slurms):
            process.stdout.readline()
        found = local_jobs.orphans(tmp_path)
        assert [local_jobs.describe(job) for job in found] == [f"process {left.pid}: finetune"]
        with pytest.raises(InputError, match=r"1 local jobs .*finetune.*recover\.py"):
            slurm_jobs.check_alone(tmp_path)
        local_jobs.end(found)
        assert not psutil.pid_exists(left.pid)
        assert other.poll() is None and slurms.poll() is None
    finally:
        for process in (left, other, slurms):
            process.kill()
            process.communicate()


def test_a_folder_has_one_writer_and_its_lock_dies_with_it(tmp_path: Path):
    hold = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(local_jobs.SCRIPTS)!r})
from neuro2cardio.core import locks
with locks.exclusive(Path({str(tmp_path)!r}), "fine-tuning"):
    print(flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
    holder.stdout.readline()
    with pytest.raises(InputError, match=f"fine-tuning is already being done by process {holder.pid} on "):
        locks.exclusive(tmp_path, "fine-tuning").__enter__()
    holder.kill()
    holder.communicate()
    with locks.exclusive(tmp_path, "fine-tuning"):
        pass


def test_a_file_system_without_locks_is_said_and_used(tmp_path: Path, monkeypatch, capsys):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with locks.exclusive(tmp_path, "fine-tuning"):
        assert "no locks" in capsys.readouterr().err


@pytest.fixture
def run_here(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Snakemake that wrote who it is."""
    script = tmp_path / "snakemake"
    script.write_text(f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(local_jobs.SCRIPTS)!r})
from neuro2cardio.operations import run_lock
run_lock.record(Path.cwd())
print(flush=True)
time.sleep(60)
""")
    run = subprocess.Popen([sys.executable, str(script), "-j", "2"], cwd=tmp_path, stdout=subprocess.PIPE)
    run.stdout.readline()
    yield run
    run.kill()
    run.communicate()


def test_who_holds_the_lock_is_said_of_a_living_and_of_a_dead_run(run_here: subprocess.Popen[bytes], tmp_path: Path):
    living = run_lock.explain(tmp_path)
    assert f"locked by process {run_here.pid} on {socket.gethostname()}, started 2" in living
    assert "(snakemake -j 2). Wait for it to end, or interrupt it" in living and f"`kill -INT {run_here.pid}`" in living
    run_here.kill()
    run_here.wait()
    dead = run_lock.explain(tmp_path)
    assert "which is dead: it was killed" in dead and "recover.py` ends the jobs that it left" in dead
    # Nor is it alive where its number was given to another process.
    record = next((tmp_path / ".snakemake/locks").glob("holder-*.json"))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"pid": os.getpid()}))
    assert "which is dead" in run_lock.explain(tmp_path)


def test_of_a_run_on_another_host_it_is_said_where_to_look(run_here: subprocess.Popen[bytes], tmp_path: Path):
    record = next((tmp_path / ".snakemake/locks").glob("holder-*.json"))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"host": "login2"}))
    said = run_lock.explain(tmp_path)
    assert f"`ssh login2 ps {run_here.pid}`" in said and "dead: it was killed" not in said


def test_a_lock_without_a_record_is_explained_by_the_processes_of_this_host(
    run_here: subprocess.Popen[bytes], tmp_path: Path
):
    next((tmp_path / ".snakemake/locks").glob("holder-*.json")).write_text("{")
    assert f"locked by process {run_here.pid} on " in run_lock.explain(tmp_path)
    run_here.kill()
    run_here.wait()
    assert "no Snakemake runs in it on this host" in run_lock.explain(tmp_path)
