"""The one-node Slurm of tests/slurm/up.sh as a fixture: real sbatch, real scheduler, two pretended GPUs."""

from collections.abc import Iterator
from dataclasses import dataclass
import os
from pathlib import Path
import subprocess
from typing import NamedTuple

from filelock import FileLock
import pytest
from tiny_grid import Checkout, wait_for

SCRIPTS = Path(__file__).parent / "slurm"
ROOT = Path(os.environ.get("TEST_SLURM_ROOT", "/tmp/neuro2cardio-slurm"))
PROFILE = ("--profile", "slurm", "--profile", str(SCRIPTS / "fast"), "-j", "64")


class Job(NamedTuple):
    """A Slurm job, finished or not. ``comment`` is its rule and wildcards."""

    job_id: str
    state: str
    name: str
    comment: str
    start: str
    end: str


@dataclass(frozen=True)
class Slurm:
    """What tests ask of the cluster and do to it."""

    def do(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    def jobs(self, grid: Checkout) -> list[Job]:
        """All jobs that were submitted from this checkout, oldest first."""
        lines = self.do("squeue", "-h", "-t", "all", "-S", "i", "-o", "%Z|%i|%T|%j|%k|%S|%e").splitlines()
        fields = [line.split("|") for line in lines]
        return [Job(*rest) for work_dir, *rest in fields if Path(work_dir) == grid.directory]

    def cancel(self, grid: Checkout) -> None:
        """Cancel what this checkout has left; other tests may run beside this one."""
        for job in self.jobs(grid):
            if job.state in ("PENDING", "RUNNING"):
                self.do("scancel", "--quiet", job.job_id)

    def running(self, grid: Checkout, rule: str) -> Job:
        """Wait for a running job whose comment begins so."""
        found = wait_for(
            lambda: [j for j in self.jobs(grid) if j.state == "RUNNING" and j.comment.startswith(f"rule_{rule}")],
            60,
            f"a running job of {rule}",
        )
        return found[0]

    def gpus(self) -> dict[str, set[str]]:
        """What each job saw as CUDA_VISIBLE_DEVICES in its tasks; `none` where it was not set."""
        seen: dict[str, set[str]] = {}
        for line in (ROOT / "log/tasks.log").read_text().splitlines():
            _, job_id, _, devices = line.split()
            seen.setdefault(job_id, set()).add(devices)
        return seen

    def asked_memory(self, job_id: str) -> int:
        """MB that a job asked for."""
        details = self.do("scontrol", "show", "job", job_id)
        amount = details.split("ReqTRES=" if "ReqTRES=" in details else "TRES=")[1].split("mem=")[1].split(",")[0]
        return round(float(amount[:-1]) * {"M": 1, "G": 1024}[amount[-1]])


@pytest.fixture(scope="session")
def slurm(shared: Path) -> Iterator[Slurm]:
    """A running Slurm. Skips where it may not be installed; takes down what it brought up."""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        pytest.skip("a real Slurm is brought up from Debian's packages, as root: this is not Debian, or not root")
    with FileLock(shared / "packages.lock"):
        up = subprocess.run([SCRIPTS / "up.sh"], capture_output=True, text=True, timeout=600, check=False)
    if "belongs to another cluster" in up.stderr:
        pytest.skip(up.stderr.strip())
    assert up.returncode == 0, up.stdout + up.stderr
    yield Slurm()
    if "already up" not in up.stdout:
        subprocess.run([SCRIPTS / "down.sh"], check=True, timeout=120)
