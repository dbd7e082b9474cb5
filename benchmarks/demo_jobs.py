"""CPU time of the demo's fine-tuning and inference against another commit's, each as its own Snakemake would run it.

    git worktree add ../before COMMIT
    (cd ../before && snakemake --configfile demo.yaml --cores 2)
    snakemake --configfile demo.yaml --cores 2
    python benchmarks/demo_jobs.py ../before

Both checkouts have run their demo; one environment serves both. The jobs run in turn, without the probes, which earlier
commits do not have. Prints the CPU seconds of each job and round, how many answers differ (of an adapter: each
checkout's own), and the ratio for four adapters and the base model, which is what the first demo had.
"""

import argparse
import os
from pathlib import Path
import re
import resource
from statistics import median
import subprocess
import tempfile

import pandas as pd

HERE = Path(__file__).resolve().parents[1]
JOBS = {
    "fine-tuning": r"finetune\.py.*train_sets/cardiology",
    "inference, base model": r"infer\.py(?!.*--adapter).*smollm2-135m/base",
    "inference, adapter": r"infer\.py.*--adapter \S*/cardiology/",
}
TIMES = {"fine-tuning": 4, "inference, base model": 1, "inference, adapter": 4}
"""How often the first demo ran each."""
MADE = ("out", "job-cache", "checkpoints", "kept", "predictions", "term-logprobs")
"""Options that name what a job makes: each run has a folder of its own."""


def main() -> None:
    """Run the jobs of both checkouts in turn and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    checkouts = {"before": args.before.resolve(), "now": HERE}
    commands = {name: job_commands(checkout) for name, checkout in checkouts.items()}
    total = dict.fromkeys(checkouts, 0.0)
    for job in JOBS:
        seconds: dict[str, list[float]] = {name: [] for name in checkouts}
        answers = {}
        for _ in range(args.rounds):
            for name, checkout in checkouts.items():
                used, answers[name] = run(commands[name][job], checkout)
                seconds[name].append(used)
        ratios = [now / before for before, now in zip(seconds["before"], seconds["now"], strict=True)]
        shown = {name: ", ".join(f"{value:.1f}" for value in values) for name, values in seconds.items()}
        print(f"{job}: before {shown['before']} s, now {shown['now']} s of CPU", end="")
        print(f", ratio {median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]", differing(answers), flush=True)
        for name, values in seconds.items():
            total[name] += TIMES[job] * median(values)
    print(f"four adapters and the base model: {total['now'] / total['before']:.2f}")


def job_commands(checkout: Path) -> dict[str, str]:
    """The shell command of each of `JOBS`, as a dry run prints it."""
    printed = subprocess.run(
        "snakemake --configfile demo.yaml --cores 1 -n -p -R finetune infer_adapter infer_base",
        shell=True,
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    )
    lines = (printed.stdout + printed.stderr).splitlines()
    return {job: next(line for line in lines if re.search(pattern, line)) for job, pattern in JOBS.items()}


def run(command: str, checkout: Path) -> tuple[float, pd.DataFrame | None]:
    """CPU seconds (user and system) of a command, and the answers it gave, if it is one that answers."""
    with tempfile.TemporaryDirectory() as folder:
        command = re.sub(r"^Shell command: ", "", command).split(" > ")[0]
        command = re.sub(r"--probes \S+ --probe-predictions \S+", "", command)
        made = (*MADE, "adapter") if "finetune.py" in command and "--checkpoints" in command else MADE
        for option in made:
            command = re.sub(rf"--{option} \S+", f"--{option} {folder}/{option}/made", command)
            Path(folder, option).mkdir()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        scripts = checkout / "workflow/scripts"
        environment = os.environ | {"NEURO2CARDIO_SCRIPTS": str(scripts), "PYTHONPATH": str(scripts)}
        subprocess.run(command, shell=True, cwd=checkout, env=environment, check=True, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        predictions = Path(folder, "predictions/made")
        answers = pd.read_parquet(predictions) if predictions.is_file() else None
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, answers


def differing(answers: dict[str, pd.DataFrame | None]) -> str:
    """How many questions, of those that both asked, were answered unlike."""
    before, now = answers["before"], answers["now"]
    if before is None or now is None:
        return ""
    both = before.merge(now, on="question_id", suffixes=("_before", "_now"))
    return f"; {(both['chosen_before'] != both['chosen_now']).sum()} of {len(both)} answers differ"


if __name__ == "__main__":
    main()
