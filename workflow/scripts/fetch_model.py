"""Fetch a model of the registry and write its record: where its files are, and what exactly they are."""

import argparse
from pathlib import Path

from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.config.models import Model
from neuro2cardio.core import errors
from neuro2cardio.models import fetching, model_files


class Settings(JobSettings):
    model: Model
    """An entry of the registry."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--out", type=Path, required=True, help="the model's folder")
    args = parser.parse_args()
    fetching.fetch(Settings.read(args.settings).model, args.out)
    print((args.out / model_files.RECORD).read_text(encoding="utf-8"))


if __name__ == "__main__":
    errors.run(main)
