"""Pose every question to a model's tokenizer, before any GPU time: windows, letters, and how many tokens there are."""

import argparse
import json
from pathlib import Path

from neuro2cardio import errors, feasibility, language_models, outputs, prompting, settings, tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--settings", required=True, help="JSON: {usage, prompt, inference, forms}")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    given = json.loads(args.settings)
    prompter = prompting.for_model(
        language_models.location(args.record),
        settings.Usage.model_validate(given["usage"]),
        settings.Prompt.model_validate(given["prompt"]),
    )
    questions = tables.read(args.questions, tables.QUESTIONS)
    inference = settings.Inference.model_validate(given["inference"])
    report = feasibility.check(prompter, questions, inference, given["forms"])
    outputs.write_json(args.output, report)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    errors.run(main)
