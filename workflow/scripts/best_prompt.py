"""Score the test set with the wording with which a base model answers the validation questions best."""

import argparse
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from neuro2cardio.analysis import base_prompts
from neuro2cardio.config.inference import Inference, Method, Prompt
from neuro2cardio.config.job_settings import JobSettings, read_json
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import errors, files, gpus, job_cache, memory, provenance, tables
from neuro2cardio.core.adapters import Adapter
from neuro2cardio.core.base_rows import BEST_PROMPT
from neuro2cardio.core.errors import InputError
from neuro2cardio.core.imports import without_collector

memory.keep_freed()
with without_collector():
    from neuro2cardio.models import prompting, registry, scoring, self_check, tokenizer_check

PREDICTIONS, CHOICE = "predictions.parquet", "prompts.csv"


class Settings(JobSettings):
    usage: ModelUsage
    prompts: list[Prompt]
    """That of the grid first."""
    inference: Inference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--model", required=True, help="its name in the configuration")
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--questions", type=Path, required=True, help="the question table, for its validation split")
    parser.add_argument("--test-questions", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--gpus", type=int, default=0, help="how many the job may use")
    parser.add_argument("--predictions", type=Path, required=True, help="answers to the test questions")
    parser.add_argument("--choice", type=Path, required=True, help="how each wording did on validation (CSV)")
    parser.add_argument("--job-cache", type=Path, required=True, help="a folder that keeps finished work")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    validation = tables.read(args.questions, tables.QUESTIONS).query("split == 'validation'")
    if validation.empty:
        raise InputError(
            "inference.base_prompts are chosen on the validation split, which has no questions: set "
            "dataset.split.validation, or base_prompts: []"
        )
    read = {"test_questions": provenance.sha256(args.test_questions), "settings": provenance.sha256(args.settings)}
    made_from = job_cache.made_from(
        args.record,
        "best_prompt",
        settings=read_json(args.settings),
        threads=args.threads,
        read=read,
        validation=provenance.text_digest(validation.to_json()),
    )
    finished = job_cache.cached(args.job_cache, made_from, partial(infer, args, settings, validation, read))
    for name, path in ((PREDICTIONS, args.predictions), (CHOICE, args.choice)):
        with files.atomic_write(path) as part:
            files.link_or_copy(finished / name, part)
    print(pd.read_csv(args.choice).drop(columns=["model", "system", "answer_cue"]).to_string(index=False))


def infer(
    args: argparse.Namespace, settings: Settings, validation: pd.DataFrame, read: dict[str, str], _: Path, target: Path
) -> None:
    """Answer the validation questions in every wording, and the test questions in the best; write both tables."""
    test = tables.read(args.test_questions, tables.QUESTIONS).query("split == 'test'")
    location = registry.location(args.record)
    prompters = [prompting.for_model(location, settings.usage, prompt) for prompt in settings.prompts]
    for prompter in prompters:
        tokenizer_check.check(prompter, pd.concat([validation.assign(split="test"), test]), settings.inference, [])
    with gpus.taken(args.gpus):
        how = (settings.usage.load, args.threads, settings.usage.attention, args.gpus)
        model = registry.load(location, *how, prompters[0].tokenizer)
        scorers = [
            scoring.Scorer(model, prompter, settings.inference, TermReading(contexts=["prompt"]))
            for prompter in prompters
        ]
        questions = prompting.questions_of(validation)
        self_check.check(scorers[0], questions, {})
        tried = [score(scorer, questions, settings.inference.methods, args.model) for scorer in scorers]
        choice = base_prompts.table(args.model, tried, settings.prompts, validation, settings.inference.methods)
        asked = prompting.questions_of(test)
        found = [
            score(scorers[prompt], asked, methods, args.model)
            for prompt, methods in base_prompts.chosen(choice).items()
        ]
    tables.write_csv(choice, target / CHOICE)
    tables.write(in_order(found, test, settings.inference.methods), target / PREDICTIONS, tables.PREDICTIONS, read)


def score(
    scorer: scoring.Scorer, questions: list[prompting.Question], methods: list[Method], model: str
) -> pd.DataFrame:
    """Answers by some of the methods."""
    chosen = scoring.Scorer(
        scorer.model, scorer.prompter, scorer.inference.model_copy(update={"methods": methods}), scorer.terms
    )
    bar = partial(tqdm, desc=f"batches of {chosen.questions_at_once} questions", unit="batch")
    found = chosen.score(questions, {}, bar).predictions
    return found.assign(**Adapter.base_row(model, BEST_PROMPT)._asdict())


def in_order(found: list[pd.DataFrame], test: pd.DataFrame, methods: list[Method]) -> pd.DataFrame:
    """Rows of several wordings in the order of one: by question, method, order of the options."""
    rows = pd.concat(found)
    places = {"question": (rows["question_id"], list(test["question_id"])), "by": (rows["method"], list(methods))}
    keys = {name: pd.Index(order).get_indexer(pd.Index(column)) for name, (column, order) in places.items()}
    ordered = rows.assign(**keys).sort_values([*keys, "permutation"])
    return ordered.drop(columns=list(keys)).reset_index(drop=True)


if __name__ == "__main__":
    errors.run(main)
