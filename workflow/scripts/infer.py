"""Score the whole test set with the base model or one adapter: answers and term log-probabilities in one model load."""

import argparse
from dataclasses import replace
from functools import partial
import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.job_settings import JobSettings, read_json
from neuro2cardio.config.models import Usage
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import errors, files, gpus, job_cache, provenance, tables
from neuro2cardio.core.adapters import Adapter
from neuro2cardio.models import prompting, registry, scoring, self_check, tokenizer_check
from neuro2cardio.models.term_logprobs import by_question
from neuro2cardio.questions import few_shot

PREDICTIONS, TERM_LOGPROBS, PROBES = "predictions.parquet", "term_logprobs.parquet", "probes.parquet"


class Settings(JobSettings):
    usage: Usage
    prompt: Prompt
    inference: Inference
    terms: TermReading


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument(
        "--key",
        nargs=4,
        metavar=Adapter._fields,
        required=True,
        help="the adapter; of the base model: MODEL base base -1",
    )
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--adapter", type=Path, help="a PEFT folder; without it, the base model")
    parser.add_argument("--shots", type=Path, help="the question table, for worked examples before each question")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--mentions", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--gpus", type=int, default=0, help="how many the job may use")
    parser.add_argument("--probes", type=Path, help="facts to ask another way, which count in no test set")
    parser.add_argument("--probe-predictions", type=Path, help="answers to the probes")
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--term-logprobs", type=Path, required=True)
    parser.add_argument("--job-cache", type=Path, required=True, help="a folder that keeps finished work, for a rerun")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    keys = Adapter(*args.key[:3], seed=int(args.key[3]))._asdict()
    if args.adapter:
        registry.check_adapter(args.adapter, keys, args.record)
    read = [args.questions, args.mentions, *([args.adapter / registry.WEIGHTS] if args.adapter else [])]
    read += [args.probes] if args.probes else []
    shots = worked_examples(args.shots, settings.inference.base_shots) if args.shots else []
    prompter = prompting.for_model(registry.location(args.record), settings.usage, settings.prompt, shots)
    prompter.show()
    digests = [provenance.sha256(path) for path in read]
    made_from = job_cache.made_from(
        args.record,
        "infer",
        settings=read_json(args.settings),
        keys=keys,
        threads=args.threads,
        read=digests,
        frame=prompter.frame.shown,
        **({"shots": [question.question_id for question in shots]} if shots else {}),
    )
    finished = job_cache.cached(args.job_cache, made_from, partial(infer, args, settings, prompter, keys))
    outputs = [(PREDICTIONS, args.predictions), (TERM_LOGPROBS, args.term_logprobs)]
    outputs += [(PROBES, args.probe_predictions)] if args.probes else []
    for name, output in outputs:
        with files.atomic_write(output) as part:
            files.link_or_copy(finished / name, part)


def worked_examples(questions: Path, n: int) -> list[prompting.Question]:
    return prompting.questions_of(few_shot.draw(tables.read(questions, tables.QUESTIONS), n))


def infer(
    args: argparse.Namespace,
    settings: Settings,
    prompter: prompting.Prompter,
    keys: dict[str, Any],
    _: Path,
    target: Path,
) -> None:
    questions = tables.read(args.questions, tables.QUESTIONS).query("split == 'test'")
    mentions = by_question(tables.read(args.mentions, tables.MENTIONS))
    probes = tables.read(args.probes, tables.PROBES) if args.probes else None

    inference = settings.inference
    # What cannot be asked of this tokenizer fails here, before weights are loaded.
    print(json.dumps(tokenizer_check.check(prompter, questions, inference, [])), flush=True)
    if probes is not None:
        tokenizer_check.check(prompter, probes.assign(split="test"), inference, [])
    with gpus.taken(args.gpus):
        model = registry.load(registry.location(args.record), settings.usage.dtype, args.threads)
        if args.adapter:
            model = registry.with_adapter(model, args.adapter)
        scorer = scoring.Scorer(model, prompter, inference, settings.terms)
        self_check.check(scorer, prompting.questions_of(questions), mentions)
        bar = partial(tqdm, desc=f"batches of {scoring.QUESTIONS_AT_ONCE} questions", unit="batch", mininterval=5)
        scores = scorer.score(prompting.questions_of(questions), mentions, bar)
        if probes is not None:
            # Probes have no terms: nothing is read of their stems, and no stem is scored by itself.
            of_probes = replace(scorer, terms=TermReading(contexts=["prompt"]))
            asked = of_probes.score(prompting.questions_of(probes), {}, bar)
            tables.write(asked.predictions.assign(**keys), target / PROBES, tables.PREDICTIONS)
    tables.write(scores.predictions.assign(**keys), target / PREDICTIONS, tables.PREDICTIONS)
    tables.write(scores.term_logprobs.assign(**keys), target / TERM_LOGPROBS, tables.TERM_LOGPROBS)


if __name__ == "__main__":
    errors.run(main)
