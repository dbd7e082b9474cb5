"""After a run was killed: end the jobs it left, on this host and in Slurm, remove damaged results, and unlock."""

import argparse
from pathlib import Path
import subprocess
import sys

from neuro2cardio.core.errors import InputError, run
from neuro2cardio.operations import integrity, local_jobs, slurm_jobs


def snakefile(directory: Path) -> list[str]:
    """This checkout's, for a directory that holds none of its own."""
    own = any((directory / folder / "Snakefile").is_file() for folder in (".", "workflow"))
    return [] if own else ["--snakefile", str(Path(__file__).parents[2] / "Snakefile")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snakemake", nargs="*", help="arguments of the run, such as --configfile demo.yaml (after --)")
    arguments = parser.parse_args()
    here = Path.cwd()
    if alive := local_jobs.controllers(here):
        raise InputError(f"Snakemake is alive here (process {alive[0]}): nothing to recover. Interrupt it with Ctrl-C")
    orphans = local_jobs.orphans(here)
    for job in orphans:
        print(f"end {local_jobs.describe(job)}")
    local_jobs.end(orphans)
    left = slurm_jobs.jobs_if_any(here)
    for job in left:
        print(f"cancel {job.job_id} ({job.state.lower()}): {job.comment}")
    slurm_jobs.cancel(left, here)
    damaged = list(integrity.find(here / "results"))
    for path, problem in damaged:
        print(f"remove {path.relative_to(here)}: {problem}")
        integrity.remove(path)
    command = [sys.executable, "-m", "snakemake", "--unlock", *snakefile(here), *arguments.snakemake]
    unlocked = subprocess.run(command, check=False)
    if unlocked.returncode:
        raise InputError("snakemake --unlock failed")
    ended = len(left) + len(orphans)
    print(f"{ended} jobs ended, {len(damaged)} results removed, unlocked. Start the run again as before")


if __name__ == "__main__":
    run(main)
