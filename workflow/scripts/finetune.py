"""Fine-tune one adapter on one train set. A rerun of a killed job goes on from its last checkpoint."""

import argparse
from functools import partial
import json
from pathlib import Path
import shutil
from typing import Any

from neuro2cardio import errors, kept, language_models, outputs, prompting, provenance, settings, tables, training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--train-set", type=Path, required=True)
    parser.add_argument("--settings", required=True, help="JSON: {usage, prompt, recipe}")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True, help="the folder to write")
    args = parser.parse_args()
    given = json.loads(args.settings)
    train_set = provenance.sha256(args.train_set)
    made_from = kept.made_from(
        args.record, "training", settings=given, seed=args.seed, threads=args.threads, train_set_sha256=train_set
    )
    # A checkpoint counts for exactly this job: other data, settings or code start anew.
    finished = kept.once(args.checkpoints, made_from, partial(finetune, args, given, made_from))
    with outputs.whole(args.adapter) as part:
        shutil.copytree(finished, part, ignore=shutil.ignore_patterns(kept.MARK))


def finetune(
    args: argparse.Namespace, given: dict[str, Any], made_from: dict[str, Any], checkpoints: Path, target: Path
) -> None:
    recipe = settings.Recipe.model_validate(given["recipe"])
    usage = settings.Usage.model_validate(given["usage"])
    folder = language_models.location(args.record)
    prompter = prompting.for_model(folder, usage, settings.Prompt.model_validate(given["prompt"]))
    questions = prompting.questions_of(tables.read(args.train_set, tables.QUESTIONS))
    learned = training.examples(prompter, questions, recipe)
    print(f"{len(questions)} questions, {sum(len(e.input_ids) for e in learned)} tokens an epoch", flush=True)
    model = language_models.load(folder, usage.dtype, args.threads)
    trained = training.train(model, learned, recipe, args.seed, checkpoints)
    training.save_adapter(trained.network, target, language_models.name(args.record))
    trained.curve.to_csv(target / "training.csv", index=False)
    digest = provenance.sha256(target / language_models.WEIGHTS)
    outputs.write_json(target / "run.json", {**trained.record, **made_from, "adapter_sha256": digest})


if __name__ == "__main__":
    errors.run(main)
