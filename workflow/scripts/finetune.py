"""Fine-tune one adapter on one train set. A rerun of a killed job goes on from its last checkpoint."""

import argparse
from functools import partial
from pathlib import Path
import shutil
from typing import Any

from neuro2cardio.config.inference import Prompt
from neuro2cardio.config.job_settings import JobSettings, read_json
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.core import errors, files, gpus, job_cache, memory, provenance, tables
from neuro2cardio.core.adapters import Adapter
from neuro2cardio.core.imports import without_collector

memory.keep_freed()
with without_collector():
    from neuro2cardio.models import adapter_files, fine_tuning, prompting, registry


class Settings(JobSettings):
    usage: ModelUsage
    prompt: Prompt
    recipe: Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--train-set", type=Path, required=True)
    parser.add_argument("--key", nargs=4, metavar=Adapter._fields, required=True, help="the adapter")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--gpus", type=int, default=0, help="how many the job may use")
    parser.add_argument("--job-cache", type=Path, required=True, help="a folder that keeps finished work, for a rerun")
    parser.add_argument("--out", type=Path, required=True, help="the adapter's folder")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    key = Adapter(*args.key[:3], seed=int(args.key[3]))
    if (said := tables.origin(args.train_set).get("train_set")) != key.train_set:
        raise errors.InputError(
            f"{args.train_set}: should be the train set {key.train_set!r}, and "
            f"{f'is {said!r}' if said else 'does not say which it is'}; delete it and run again"
        )
    train_set = provenance.sha256(args.train_set)
    prompter = prompting.for_model(registry.location(args.record), settings.usage, settings.prompt)
    prompter.show()
    made_from = job_cache.made_from(
        args.record,
        "finetune",
        settings=read_json(args.settings),
        adapter_key=key._asdict(),
        seed=key.seed,
        threads=args.threads,
        train_set_sha256=train_set,
        frame=prompter.frame.shown,
    )
    # A checkpoint counts for exactly this job: other data, settings or code start anew.
    finished = job_cache.cached(args.job_cache, made_from, partial(finetune, args, settings, prompter, made_from))
    with files.atomic_write(args.out) as part:
        ignored = shutil.ignore_patterns(job_cache.MARK)
        shutil.copytree(finished, part, ignore=ignored, copy_function=files.link_or_copy)


def finetune(
    args: argparse.Namespace,
    settings: Settings,
    prompter: prompting.Prompter,
    made_from: dict[str, Any],
    checkpoints: Path,
    target: Path,
) -> None:
    questions = prompting.questions_of(tables.read(args.train_set, tables.QUESTIONS))
    learned = fine_tuning.examples(prompter, questions, settings.recipe)
    print(f"{len(learned)} questions, {sum(len(e.input_ids) for e in learned)} tokens an epoch", flush=True)
    with gpus.taken(args.gpus):
        usage = settings.usage
        folder, tokenizer = registry.location(args.record), prompter.tokenizer
        model = registry.load(folder, usage.load, args.threads, usage.attention, args.gpus, tokenizer)
        try:
            trained = fine_tuning.train(model, learned, settings.recipe, made_from["seed"], checkpoints)
        except errors.InputError as error:
            raise errors.InputError(f"recipes.{made_from['adapter_key']['recipe']}: {error}") from error
        fine_tuning.save_adapter(trained.network, target, registry.name(args.record))
    trained.curve.to_csv(target / "training.csv", index=False)
    files.write_json(target / "run.json", {**trained.record, **made_from, **adapter_files.digests(target)})


if __name__ == "__main__":
    errors.run(main)
