"""Each job of a machine has GPUs of its own, whatever happens to the others. The devices are pretended."""

from collections import Counter
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest

from neuro2cardio.core import gpus
from neuro2cardio.core.errors import InputError

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
JOB = """
import sys, time
from neuro2cardio.core import gpus
gpus._SECONDS = 0.02
with gpus.taken(int(sys.argv[2])) as own:
    import os
    log = open(sys.argv[1], "a", buffering=1)
    log.write(f"start {time.time()} {os.environ['CUDA_VISIBLE_DEVICES']}\\n")
    time.sleep(float(sys.argv[3]))
    log.write(f"end {time.time()} {os.environ['CUDA_VISIBLE_DEVICES']}\\n")
"""


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Four pretended GPUs, and locks of the test's own."""
    monkeypatch.setenv(gpus.PRETENDED, "0,1,2,3")
    monkeypatch.setenv(gpus.LOCKS, str(tmp_path / "locks"))
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS))
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(gpus, "_SECONDS", 0.02)
    return tmp_path


def job(log: Path, count: int = 1, seconds: float = 0.3) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", JOB, str(log), str(count), str(seconds)], stdout=subprocess.DEVNULL)


def events(folder: Path) -> list[tuple[float, str, str]]:
    lines = [line.split() for log in folder.glob("*.log") for line in log.read_text().splitlines()]
    return sorted((float(when), what, device) for what, when, device in lines)


def test_eight_jobs_on_four_devices_never_share_one(machine):
    jobs = [job(machine / f"{i}.log") for i in range(8)]
    assert [each.wait(timeout=30) for each in jobs] == [0] * 8
    busy: set[str] = set()
    used = Counter(device for _, what, device in events(machine) if what == "start")
    for _, what, device in events(machine):
        assert (device in busy) == (what == "end")
        busy ^= {device}
    assert used.keys() == {"0", "1", "2", "3"}
    assert sum(used.values()) == 8


def test_a_killed_job_frees_its_device(machine):
    first = job(machine / "first.log", count=4, seconds=60)
    while not events(machine):
        time.sleep(0.02)
    second = job(machine / "second.log", count=2, seconds=0)
    time.sleep(0.2)
    assert second.poll() is None
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.wait(timeout=20) == 0
    assert (machine / "second.log").read_text().split()[2] == "0,1"


def test_only_visible_devices_are_handed_out(machine, monkeypatch):
    monkeypatch.setenv(gpus.VISIBLE, "2,3")
    with gpus.taken(2) as own:
        assert own == ["2", "3"]
    assert os.environ[gpus.VISIBLE] == "2,3"
    with pytest.raises(InputError, match=r"asks for 3 GPUs and 2 can be used \(2, 3\)"), gpus.taken(3):
        pass


def test_a_job_that_asks_for_no_gpu_sees_none(machine):
    with gpus.taken(0):
        assert os.environ[gpus.VISIBLE] == ""


def test_slurm_and_machines_without_gpus_are_left_alone(machine, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with gpus.taken(1) as own:
        assert own == []
        assert gpus.VISIBLE not in os.environ
    monkeypatch.delenv("SLURM_JOB_ID")
    monkeypatch.setenv(gpus.PRETENDED, "")
    with gpus.taken(1) as own:
        assert own == []
