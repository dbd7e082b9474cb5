"""Say what a run found, in three lines, and one more for each base model that does not answer where it is read."""

import argparse
from pathlib import Path
from typing import Literal

import pandas as pd

from neuro2cardio.analysis import answer_mass, summary
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import errors, files


class Settings(JobSettings):
    context: Literal["prompt", "bare"]
    scope: Literal["strict", "broad"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--matrix", type=Path, required=True)
    parser.add_argument("--diagonal", type=Path, required=True)
    parser.add_argument("--term-shift", type=Path, required=True)
    parser.add_argument("--answer-mass", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    text = summary.summary(
        pd.read_csv(args.matrix),
        pd.read_csv(args.diagonal),
        pd.read_csv(args.term_shift, dtype={"seed": str}),
        settings.context,
        settings.scope,
    )
    warnings = answer_mass.warnings(pd.read_csv(args.answer_mass))
    files.write_text(args.out, text + "".join(f"{line}\n" for line in warnings))


if __name__ == "__main__":
    errors.run(main)
