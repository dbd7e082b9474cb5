"""Pose every question to a model's tokenizer, before any GPU time: windows, letters, and how many tokens there are."""

import argparse
import json
from pathlib import Path
from typing import Literal

from neuro2cardio.config.inference import Inference, Method, Prompt
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.core import errors, files, tables
from neuro2cardio.models import model_check, placement, prompting, registry, tokenizer_check


class Needs(JobSettings):
    """What a recipe asks of the model."""

    targets: Literal["all-linear"] | list[str]
    form: Method
    gradient_checkpointing: bool = False


class Settings(JobSettings):
    usage: ModelUsage
    prompt: Prompt
    inference: Inference
    recipes: dict[str, Needs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    placement.check(settings.usage.load, settings.usage.attention)
    folder = registry.location(args.record)
    prompter = prompting.for_model(folder, settings.usage, settings.prompt)
    targets = {name: recipe.targets for name, recipe in settings.recipes.items()}
    forms = sorted({recipe.form for recipe in settings.recipes.values()})
    questions = tables.read(args.questions, tables.QUESTIONS)
    checkpointing = [name for name, recipe in settings.recipes.items() if recipe.gradient_checkpointing]
    report = model_check.check_model(folder, targets, prompter, checkpointing)
    report |= tokenizer_check.check(prompter, questions, settings.inference, forms)
    files.write_json(args.out, report)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    errors.run(main)
