"""Say what a grid found: the verdict as JSON, and in words."""

import argparse
from pathlib import Path
from typing import Literal

from neuro2cardio.analysis import answer_mass, verdict
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import errors, files, tables


class Settings(JobSettings):
    context: Literal["prompt", "bare"]
    scope: Literal["strict", "broad"]
    statistics: Statistics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--effects", type=Path, required=True)
    parser.add_argument("--diagonal", type=Path, required=True)
    parser.add_argument("--term-shift", type=Path, required=True)
    parser.add_argument("--checks", type=Path, required=True)
    parser.add_argument("--answer-mass", type=Path, required=True)
    parser.add_argument("--probes", type=Path, help="facts asked another way, where the configuration has them")
    parser.add_argument("--dose", type=Path, help="what a dose does, where recipes differ in it")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the verdict in words")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    said = verdict.verdict(
        tables.read_csv(args.effects, dtype={"of": str}),
        tables.read_csv(args.diagonal),
        tables.read_csv(args.term_shift, dtype={"seed": str}),
        tables.read_csv(args.checks, dtype={"flags": str}, keep_default_na=True),
        settings.statistics,
        settings.context,
        settings.scope,
        tables.read_csv(args.probes) if args.probes else None,
        tables.read_csv(args.dose) if args.dose else None,
    )
    warnings = answer_mass.warnings(tables.read_csv(args.answer_mass))
    files.write_json(args.json, said)
    files.write_text(args.out, verdict.text(said) + "".join(f"{line}\n" for line in warnings))


if __name__ == "__main__":
    errors.run(main)
