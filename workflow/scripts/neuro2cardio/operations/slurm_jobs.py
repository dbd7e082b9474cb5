"""What of a run is still alive: its Slurm jobs and its controller. For the way back after a controller was killed."""

from collections.abc import Iterator, Sequence
import os
from pathlib import Path
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

from ..core.errors import InputError

JOB_NAME = "neuro2cardio_"
"""Jobs of this workflow are named so, followed by the run's id (`slurm-jobname-prefix` in slurm/config.yaml)."""


class Job(NamedTuple):
    """A Slurm job that waits or runs. ``comment`` names its rule and wildcards."""

    job_id: str
    state: str
    comment: str


def jobs(directory: Path) -> list[Job]:
    """This user's unfinished Slurm jobs that were submitted from ``directory``; none where there is no Slurm."""
    if shutil.which("squeue") is None:
        return []
    lines = _slurm("squeue", "--me", "--noheader", "--format=%i|%T|%j|%Z|%k").splitlines()
    fields = [line.split("|", maxsplit=4) for line in lines]
    return [
        Job(job_id, state, comment)
        for job_id, state, name, work_dir, comment in fields
        if name.startswith(JOB_NAME) and Path(work_dir) == directory.resolve()
    ]


def controllers(directory: Path) -> list[int]:
    """Processes of this host that run Snakemake in ``directory``, apart from this one and from those of single jobs."""
    return sorted(pid for pid in _processes() if pid != os.getpid() and _controls(pid, directory.resolve()))


def cancel(found: Sequence[Job], directory: Path, patience: float = 120) -> None:
    """Cancel jobs and wait until Slurm has let go of them.

    Raises `InputError` where some are still there after ``patience`` seconds.
    """
    if not found:
        return
    _slurm("scancel", *(job.job_id for job in found))
    end = time.monotonic() + patience
    while left := jobs(directory):
        if time.monotonic() > end:
            raise InputError(f"jobs {', '.join(job.job_id for job in left)} did not end within {patience:.0f} s")
        time.sleep(1)


def check_alone(directory: Path) -> None:
    """Refuse to start beside the jobs of a controller that died: two writers would share checkpoints and outputs.

    Raises `InputError` where jobs of this directory run and nobody on this host controls them. Where Slurm's commands
    are installed and no cluster answers them (a laptop, a workstation), that is said, and the run goes on.
    """
    try:
        left = jobs(directory)
    except InputError as error:
        print(
            f"no cluster answers ({str(error).splitlines()[0]}): not looking for Slurm jobs of an earlier run",
            file=sys.stderr,
        )
        return
    if left and not controllers(directory):
        raise InputError(
            f"{len(left)} Slurm jobs of an earlier run are still there ({', '.join(job.job_id for job in left[:5])}), "
            "and no Snakemake on this host controls them. `python workflow/scripts/recover.py` cancels them"
        )


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())


def _controls(pid: int, directory: Path) -> bool:
    process = Path("/proc") / str(pid)
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        return (process / "cwd").readlink() == directory and _is_controller(words)
    except OSError:
        # It ended while we looked, or is another user's.
        return False


def _is_controller(words: Sequence[bytes]) -> bool:
    """Whether a command line is Python with Snakemake as script or module, for a run of its own and not for one job."""
    snakemake = any(Path(word.decode(errors="replace")).name == "snakemake" for word in words[1:3])
    return b"python" in words[0] and snakemake and b"--target-jobs" not in words


def _slurm(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise InputError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout
