"""Planned and measured cost of a grid, from Snakemake's benchmark files and, if available, Slurm's accounting."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
import re
import shutil
import subprocess

import pandas as pd

from ..core.errors import InputError

_SUBMITTED = re.compile(r"submitted with SLURM jobid (\d+) \(log: \S*/rule_([^/]+)/(?:([^/]+)/)?\d+\.log\)")


COLUMNS = (
    "rule",
    "model",
    "jobs",
    "measured_jobs",
    "planned_hours",
    "measured_hours",
    "ratio",
    "tokens_per_second",
    "max_rss_gb",
    "slurm_jobs",
    "slurm_hours",
)


def measured(benchmarks: Path, models: Sequence[str]) -> pd.DataFrame:
    """Benchmark files by rule and model: `measured_jobs`, `measured_hours` of all, `max_rss_gb` of the largest.

    ``benchmarks`` holds a folder for each rule, in which the first level is the model; other rules are ignored. Raises
    `InputError` if no job of a model has been measured yet.
    """
    rows = [
        {"rule": folder.name, "model": model, **_benchmarks(files)}
        for folder in sorted(benchmarks.glob("*"))
        for model in models
        if (files := sorted({*folder.glob(f"{model}.tsv"), *folder.glob(f"{model}/**/*.tsv")}))
    ]
    if not rows:
        raise InputError(f"{benchmarks}: no job of {', '.join(models)} was measured yet; run the grid, or a part of it")
    return pd.DataFrame(rows, columns=["rule", "model", "measured_jobs", "measured_hours", "max_rss_gb"])


def _benchmarks(files: Sequence[Path]) -> dict[str, float]:
    """Snakemake's benchmark files: `s` is seconds, `max_rss` MB, or ``NA`` where a job ended too soon."""
    tables = pd.concat([_benchmark(file) for file in files])
    return {
        "measured_jobs": len(files),
        "measured_hours": float(tables["s"].sum() / 3600),
        "max_rss_gb": float(tables["max_rss"].max() / 1000),
    }


def _benchmark(file: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(file, sep="\t", usecols=["s", "max_rss"])
    except ValueError as error:
        raise InputError(
            f"{file}: not a benchmark file of Snakemake ({error}); delete it and run its job again"
        ) from error


def compare(plan: pd.DataFrame, seen: pd.DataFrame, slurm: pd.DataFrame) -> pd.DataFrame:
    """Compare planned with measured cost: one row for each rule and model that ran.

    `planned_hours` are those of as many jobs as were measured, by the plan's arithmetic alone, uncorrected by earlier
    measurements; `ratio` is measured by planned. `slurm_hours` and `slurm_jobs` count every attempt.
    """
    table = seen.merge(plan[["rule", "model", "jobs", "hours", "tokens"]], on=["rule", "model"], how="inner")
    share = table["measured_jobs"] / table["jobs"]
    table["planned_hours"] = table["hours"] * share
    table["ratio"] = table["measured_hours"] / table["planned_hours"]
    table["tokens_per_second"] = table["tokens"] * share / (table["measured_hours"] * 3600)
    table = table.merge(slurm, on=["rule", "model"], how="left")
    return table[list(COLUMNS)]


def slurm(logs: Iterable[Path]) -> pd.DataFrame:
    """Slurm's accounting by rule and model: `slurm_jobs` (attempts) and `slurm_hours`.

    Snakemake's own logs say which Slurm job was which; Slurm's accounting, or else its job completion file, how long
    it ran. Empty where neither can be read.
    """
    submitted = {
        job: (rule, wildcards.split("_")[0])
        for log in logs
        for job, rule, wildcards in _SUBMITTED.findall(log.read_text(encoding="utf-8", errors="replace"))
    }
    spent = (_accounting(sorted(submitted)) or _completions()) if submitted else []
    rows = [(*submitted[job], 1, seconds / 3600) for job, seconds in spent if job in submitted]
    frame = pd.DataFrame(rows, columns=["rule", "model", "slurm_jobs", "slurm_hours"])
    return frame.groupby(["rule", "model"], as_index=False).sum()


def _accounting(jobs: Sequence[str]) -> list[tuple[str, float]]:
    """Job ids and seconds of every run of each job, requeued ones too; empty where the cluster keeps no accounts."""
    answer = _ask("sacct", "-X", "-D", "-n", "-P", "-o", "JobIDRaw,ElapsedRaw", "-j", ",".join(jobs))
    return [(job, float(seconds)) for job, seconds in (line.split("|") for line in answer.splitlines())]


def _completions() -> list[tuple[str, float]]:
    """Job ids and seconds from the job completion file, where Slurm writes one and we may read it."""
    found = re.search(r"^JobCompLoc\s*=\s*(\S+)", _ask("scontrol", "show", "config"), re.MULTILINE)
    if found is None or not Path(found[1]).is_file():
        return []
    text = Path(found[1]).read_text(encoding="utf-8")
    jobs = re.findall(r"^JobId=(\d+) .*? StartTime=(\S+) EndTime=(\S+)", text, re.MULTILINE)
    return [(job, (_time(end) - _time(start)).total_seconds()) for job, start, end in jobs if start != "Unknown"]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _ask(*command: str) -> str:
    """The output of a Slurm command; empty if the command is missing or fails."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else ""
