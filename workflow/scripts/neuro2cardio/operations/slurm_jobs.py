"""Find and cancel the Slurm jobs that a killed Snakemake left behind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

from ..core.errors import InputError
from . import local_jobs

JOB_NAME = "neuro2cardio_"
"""Prefix of the names of our jobs, followed by the run's id (`slurm-jobname-prefix` in slurm/config.yaml)."""


SITE = {
    "NEURO2CARDIO_ACCOUNT": "slurm_account",
    "NEURO2CARDIO_PARTITION": "slurm_partition",
    "NEURO2CARDIO_MAIL": "slurm_extra",
}
"""Environment variables that name a site, and the resource of every job that each becomes in slurm/config.yaml."""


class SlurmJob(NamedTuple):
    """A pending or running Slurm job. ``comment`` names its rule and wildcards."""

    job_id: str
    state: str
    comment: str


def jobs(directory: Path) -> list[SlurmJob]:
    """This user's unfinished Slurm jobs submitted from ``directory``; empty without Slurm."""
    if shutil.which("squeue") is None:
        return []
    lines = _slurm("squeue", "--me", "--noheader", "--format=%i|%T|%j|%Z|%k").splitlines()
    fields = [line.split("|", maxsplit=4) for line in lines]
    return [
        SlurmJob(job_id, state, comment)
        for job_id, state, name, work_dir, comment in (row for row in fields if len(row) == 5)
        if name.startswith(JOB_NAME) and Path(work_dir) == directory.resolve()
    ]


def jobs_if_any(directory: Path) -> list[SlurmJob]:
    """Like `jobs`, but if Slurm is installed and no cluster answers, print that and return none."""
    try:
        return jobs(directory)
    except InputError as error:
        why = (str(error).splitlines() or [""])[0]
        print(
            f"Slurm is installed here and no cluster answers ({why}); fine where you do not use a cluster",
            file=sys.stderr,
        )
        return []


def cancel(found: Sequence[SlurmJob], directory: Path, patience: float = 120) -> None:
    """Cancel jobs and wait until Slurm has ended them.

    Raises `InputError` if some are still running after ``patience`` seconds.
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
    """Refuse to start while jobs of a dead controller run: two writers would share checkpoints and outputs.

    Where Slurm's commands are installed and no cluster answers them (a laptop, a workstation), that is said, and the
    run goes on.

    Raises:
        InputError: Jobs of this directory run, in Slurm or on this host, and nobody on this host controls them.
    """
    if local_jobs.controllers(directory):
        return
    slurm = [job.job_id for job in jobs_if_any(directory)]
    local = [local_jobs.describe(job) for job in local_jobs.orphans(directory)]
    for found, kind in ((slurm, "Slurm jobs"), (local, "local jobs")):
        if found:
            raise InputError(
                f"{len(found)} {kind} of an earlier run are still there ({', '.join(found[:5])}), and no Snakemake on "
                "this host controls them. `python workflow/scripts/recover.py` ends them"
            )


def check_profile(environment: Mapping[str, str], default_resources: Sequence[str]) -> None:
    """Refuse to submit jobs without the account, partition or mail that the environment names.

    A second profile with its own `default-resources` replaces ours and silently drops these.

    Args:
        environment: The environment variables.
        default_resources: As Snakemake holds them: ``name=value``.

    Raises:
        InputError: Names the variables whose resource is missing.
    """
    given = {resource.partition("=")[0] for resource in default_resources}
    dropped = [f"{name} ({key})" for name, key in SITE.items() if environment.get(name) and key not in given]
    if dropped:
        raise InputError(
            f"a profile of yours replaces default-resources and drops what these variables ask for: "
            f"{', '.join(dropped)}. Repeat them in its default-resources, or unset the variables"
        )


def _slurm(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{command[0]} failed: {error}") from error
    if done.returncode:
        raise InputError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout
