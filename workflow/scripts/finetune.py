"""Fine-tune one adapter on one train set. A rerun of a killed job goes on from its last checkpoint."""

import argparse
import json
from pathlib import Path
import shutil
from typing import Any

from neuro2cardio import errors, language_models, outputs, prompting, provenance, settings, tables, training


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
    made_from = {
        "settings": given,
        "seed": args.seed,
        "threads": args.threads,
        "train_set_sha256": provenance.sha256(args.train_set),
        "model": json.loads(args.record.read_text(encoding="utf-8")),
        "code": provenance.code_digest("training"),
        "versions": provenance.versions("torch", "transformers", "peft"),
    }
    # A checkpoint counts for exactly this job: other data, settings or code start anew. The finished adapter stays too:
    # a job which Snakemake repeats for data that came out the same costs no GPU time.
    checkpoints = args.checkpoints / provenance.text_digest(settings.canonical_json(made_from))
    finished = checkpoints / "finished"
    if not training.is_whole(finished):
        finetune(args, given, made_from, checkpoints)
    with outputs.whole(args.adapter) as part:
        shutil.copytree(finished, part, ignore=shutil.ignore_patterns(training.MARK))
    for stale in (*args.checkpoints.glob("*"), *checkpoints.glob("checkpoint-*")):
        if stale != checkpoints:
            shutil.rmtree(stale)


def finetune(args: argparse.Namespace, given: dict[str, Any], made_from: dict[str, Any], checkpoints: Path) -> None:
    recipe = settings.Recipe.model_validate(given["recipe"])
    usage = settings.Usage.model_validate(given["usage"])
    folder = language_models.location(args.record)
    prompter = prompting.for_model(folder, usage, settings.Prompt.model_validate(given["prompt"]))
    questions = prompting.questions_of(tables.read(args.train_set, tables.QUESTIONS))
    learned = training.examples(prompter, questions, recipe)
    print(f"{len(questions)} questions, {sum(len(e.input_ids) for e in learned)} tokens an epoch", flush=True)
    model = language_models.load(folder, usage.dtype, args.threads)
    trained = training.train(model, learned, recipe, args.seed, checkpoints)
    record = {**trained.record, **made_from}
    with outputs.whole(checkpoints / "finished") as part:
        training.save_adapter(trained.network, part, language_models.name(args.record))
        trained.curve.to_csv(part / "training.csv", index=False)
        digest = provenance.sha256(part / language_models.WEIGHTS)
        outputs.write_json(part / "run.json", {**record, "adapter_sha256": digest})
        training.mark_whole(part)


if __name__ == "__main__":
    errors.run(main)
