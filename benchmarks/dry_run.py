"""Seconds of a dry run of config.yaml and of ten times its grid: what Snakemake itself costs, without any job.

    python benchmarks/dry_run.py          # once, and ten times
    python benchmarks/dry_run.py 100      # a hundred times: minutes

CPU seconds beside wall-clock seconds: on a shared machine the second says little.
"""

from pathlib import Path
import re
import resource
import subprocess
import sys
import tempfile
import time

import yaml

CHECKOUT = Path(__file__).parents[1]


def dry_run(configuration: Path) -> tuple[int, float, float, float]:
    """Jobs, CPU seconds, wall-clock seconds, and GB of memory at the peak of a dry run."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--configfile", str(configuration)]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    jobs = re.search(r"^total\s+(\d+)", said.stdout + said.stderr, re.MULTILINE)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return int(jobs[1]) if jobs else 0, cpu, wall, after.ru_maxrss / 1e6


def main() -> None:
    """Print one line a grid."""
    config = yaml.safe_load((CHECKOUT / "config.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        for times in map(int, sys.argv[1:] or ("1", "10")):
            # An experiment of its own: what was computed before must not shorten the list.
            grid = config["grid"] | {"seeds": list(range(1, 3 * times + 1))}
            configuration = Path(scratch) / f"{times}.yaml"
            configuration.write_text(yaml.safe_dump(config | {"grid": grid, "experiment": f"dry-run-{times}"}))
            jobs, cpu, wall, memory = dry_run(configuration)
            print(
                f"{times:>2} x config.yaml: {jobs:>5} jobs, {cpu:5.1f} s CPU, {wall:5.1f} s wall clock, {memory:.2f} GB"
            )


if __name__ == "__main__":
    main()
