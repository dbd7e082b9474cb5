"""Write tables for readers: each test question with what every adapter made of it, and LaTeX for papers."""

import argparse
from pathlib import Path

from neuro2cardio.config.inference import Method
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import adapters, errors, files, tables
from neuro2cardio.report import latex, people_table


class Settings(JobSettings):
    axes: adapters.Axes
    methods: list[Method]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True, help="folder with a file for each adapter")
    parser.add_argument("--matrix", type=Path, required=True)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--parquet", type=Path, required=True)
    parser.add_argument("--latex", type=Path, required=True, help="folder of the LaTeX tables")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    questions = tables.read(args.questions, tables.QUESTIONS)
    table = people_table.build(questions, args.predictions, settings.axes, list(settings.methods))
    tables.write_csv(table, args.csv)
    with files.atomic_write(args.parquet) as part:
        table.to_parquet(part, index=False)
    matrix = tables.read_csv(args.matrix)
    for model in settings.axes.model:
        for recipe in settings.axes.recipe:
            for method in settings.methods:
                text = latex.transfer_table(matrix, settings.axes, model, recipe, method)
                files.write_text(args.latex / f"transfer-{model}-{recipe}-{method}.tex", text)


if __name__ == "__main__":
    errors.run(main)
