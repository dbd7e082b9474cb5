"""Pose every question to a model's tokenizer, before any GPU time: windows, letters, and how many tokens there are."""

import argparse
import json
from pathlib import Path

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import Usage
from neuro2cardio.core import errors, files, tables
from neuro2cardio.models import prompting, registry, tokenizer_check


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--settings", required=True, help="JSON: {usage, prompt, inference, forms}")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    given = json.loads(args.settings)
    prompter = prompting.for_model(
        registry.location(args.record),
        Usage.model_validate(given["usage"]),
        Prompt.model_validate(given["prompt"]),
    )
    questions = tables.read(args.questions, tables.QUESTIONS)
    inference = Inference.model_validate(given["inference"])
    report = tokenizer_check.check(prompter, questions, inference, given["forms"])
    files.write_json(args.output, report)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    errors.run(main)
