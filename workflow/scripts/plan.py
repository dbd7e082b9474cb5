"""Print what the grid of a configuration will cost, and write it as a table."""

import argparse
from pathlib import Path

import pandas as pd

from neuro2cardio.config import job_settings, settings
from neuro2cardio.core import errors, tables
from neuro2cardio.operations import memory, plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, nargs="*", default=[], help="the question table, where there is one")
    parser.add_argument("--models", type=Path, required=True, help="the folder of fetched models")
    parser.add_argument("--costs", type=Path, nargs="*", default=[], help="measured costs of earlier runs")
    parser.add_argument("--out", type=Path, required=True, help="the table (CSV)")
    args = parser.parse_args()
    grid = settings.load(job_settings.read_json(args.settings))
    lengths = (
        plan.measured_lengths(tables.read(args.questions[0], tables.QUESTIONS), grid)
        if args.questions
        else plan.known_lengths(grid)
    )
    sizes = {name: memory.model_size(grid.models[name], args.models / name / "model.json") for name in grid.grid.models}
    costs = pd.concat(map(pd.read_csv, args.costs)) if args.costs else None
    table = plan.plan(grid, lengths, sizes, costs)
    print(plan.summary(table, lengths) + plan.findable(grid, lengths) + plan.sharing(grid, sizes))
    tables.write_csv(table, args.out)


if __name__ == "__main__":
    errors.run(main)
