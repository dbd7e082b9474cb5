"""Fetch a model of the registry and write its record: where its files are, and what exactly they are."""

import argparse
import json
from pathlib import Path

from pydantic import TypeAdapter

from neuro2cardio.config.models import Model
from neuro2cardio.core import errors
from neuro2cardio.models import fetching, model_files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: {model: an entry of the registry}")
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    model = TypeAdapter(Model).validate_python(json.loads(args.settings)["model"])
    fetching.fetch(model, args.folder)
    print((args.folder / model_files.RECORD).read_text(encoding="utf-8"))


if __name__ == "__main__":
    errors.run(main)
