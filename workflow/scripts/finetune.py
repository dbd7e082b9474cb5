"""Fine-tune one adapter on one train set. A rerun of a killed job goes on from its last checkpoint."""

import argparse
from functools import partial
import json
from pathlib import Path
import shutil
from typing import Any

from neuro2cardio.config.inference import Prompt
from neuro2cardio.config.models import Usage
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.core import errors, files, job_cache, provenance, tables
from neuro2cardio.models import adapter_files, fine_tuning, prompting, registry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--train-set", type=Path, required=True)
    parser.add_argument("--settings", required=True, help="JSON: {usage, prompt, recipe}")
    parser.add_argument("--keys", required=True, help="JSON: {model, recipe, train_set, seed}")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True, help="the folder to write")
    args = parser.parse_args()
    given, keys = json.loads(args.settings), json.loads(args.keys)
    train_set = provenance.sha256(args.train_set)
    usage, prompt = Usage.model_validate(given["usage"]), Prompt.model_validate(given["prompt"])
    prompter = prompting.for_model(registry.location(args.record), usage, prompt)
    prompter.show()
    made_from = job_cache.made_from(
        args.record,
        "models.fine_tuning",
        settings=given,
        adapter_key=keys,
        seed=keys["seed"],
        threads=args.threads,
        train_set_sha256=train_set,
        frame=prompter.frame.shown,
    )
    # A checkpoint counts for exactly this job: other data, settings or code start anew.
    finished = job_cache.cached(args.checkpoints, made_from, partial(finetune, args, prompter, given, made_from))
    with files.atomic_write(args.adapter) as part:
        shutil.copytree(finished, part, ignore=shutil.ignore_patterns(job_cache.MARK))


def finetune(
    args: argparse.Namespace,
    prompter: prompting.Prompter,
    given: dict[str, Any],
    made_from: dict[str, Any],
    checkpoints: Path,
    target: Path,
) -> None:
    recipe = Recipe.model_validate(given["recipe"])
    usage = Usage.model_validate(given["usage"])
    questions = prompting.questions_of(tables.read(args.train_set, tables.QUESTIONS))
    learned = fine_tuning.examples(prompter, questions, recipe)
    print(f"{len(questions)} questions, {sum(len(e.input_ids) for e in learned)} tokens an epoch", flush=True)
    model = registry.load(registry.location(args.record), usage.dtype, args.threads)
    try:
        trained = fine_tuning.train(model, learned, recipe, made_from["seed"], checkpoints)
    except errors.InputError as error:
        raise errors.InputError(f"recipes.{made_from['adapter_key']['recipe']}: {error}") from error
    fine_tuning.save_adapter(trained.network, target, registry.name(args.record))
    trained.curve.to_csv(target / "training.csv", index=False)
    files.write_json(target / "run.json", {**trained.record, **made_from, **adapter_files.digests(target)})


if __name__ == "__main__":
    errors.run(main)
