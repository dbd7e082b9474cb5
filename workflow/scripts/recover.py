"""After a run was killed: cancel the Slurm jobs it left, remove result files that are damaged, unlock the directory."""

import argparse
from pathlib import Path
import subprocess
import sys

from neuro2cardio.core.errors import InputError, run
from neuro2cardio.operations import integrity, slurm_jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snakemake", nargs="*", help="arguments of the run, such as --configfile demo.yaml (after --)")
    arguments = parser.parse_args()
    here = Path.cwd()
    if alive := slurm_jobs.controllers(here):
        raise InputError(f"Snakemake is alive here (process {alive[0]}): nothing to recover. Interrupt it with Ctrl-C")
    left = slurm_jobs.jobs(here)
    for job in left:
        print(f"cancel {job.job_id} ({job.state.lower()}): {job.comment}")
    slurm_jobs.cancel(left, here)
    damaged = list(integrity.find(here / "results"))
    for path in damaged:
        print(f"remove {path.relative_to(here)}: damaged")
        integrity.remove(path)
    unlocked = subprocess.run([sys.executable, "-m", "snakemake", "--unlock", *arguments.snakemake], check=False)
    if unlocked.returncode:
        raise InputError("snakemake --unlock failed")
    print(f"{len(left)} jobs cancelled, {len(damaged)} results removed, unlocked. Start the run again as before")


if __name__ == "__main__":
    run(main)
