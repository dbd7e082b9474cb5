"""Print the whole configuration as it was understood, defaults included, as YAML."""

import argparse
from pathlib import Path

import yaml

from neuro2cardio.config.job_settings import read_json
from neuro2cardio.config.settings import Settings
from neuro2cardio.core import errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    args = parser.parse_args()
    settings = Settings.model_validate(read_json(args.settings))
    print(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True), end="")


if __name__ == "__main__":
    errors.run(main)
