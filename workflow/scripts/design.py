"""Draw the design of the study."""

import argparse
from pathlib import Path

from neuro2cardio.analysis.figures import design, save
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import errors


class Settings(JobSettings):
    design: design.Design
    formats: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--out", type=Path, required=True, help="the figure, without suffix")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    save(design.draw(settings.design), args.out, settings.formats)


if __name__ == "__main__":
    errors.run(main)
