"""Set what a grid was planned to cost beside what it did cost, as a table and a figure."""

import argparse
from pathlib import Path

from neuro2cardio.analysis import figures
from neuro2cardio.config import job_settings, settings
from neuro2cardio.core import errors, tables
from neuro2cardio.operations import cost, cost_figure, memory, plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="the folder of fetched models")
    parser.add_argument("--benchmarks", type=Path, required=True, help="a folder of benchmark files for each rule")
    parser.add_argument("--logs", type=Path, required=True, help="the folder of Snakemake's own logs")
    parser.add_argument("--out", type=Path, required=True, help="the table (CSV)")
    parser.add_argument("--figure", type=Path, required=True, help="without suffix")
    args = parser.parse_args()
    grid = settings.load(job_settings.read_json(args.settings))
    lengths = plan.measured_lengths(tables.read(args.questions, tables.QUESTIONS), grid)
    sizes = {name: memory.model_size(grid.models[name], args.models / name / "model.json") for name in grid.grid.models}
    seen = cost.measured(args.benchmarks, grid.grid.models)
    table = cost.compare(plan.plan(grid, lengths, sizes), seen, cost.slurm(sorted(args.logs.glob("*.log"))))
    print(table.to_string(index=False))
    figures.save(cost_figure.planned_and_measured(table), args.figure, grid.figures.formats)
    tables.write_csv(table, args.out)


if __name__ == "__main__":
    errors.run(main)
