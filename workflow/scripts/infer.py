"""Score the whole test set with the base model or with adapters of it: answers and term log-probabilities."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
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
from neuro2cardio.models.registry import LoadedModel
from neuro2cardio.models.term_logprobs import by_question
from neuro2cardio.questions import few_shot

PREDICTIONS, TERM_LOGPROBS, PROBES = "predictions.parquet", "term_logprobs.parquet", "probes.parquet"


class Settings(JobSettings):
    usage: Usage
    prompt: Prompt
    inference: Inference
    terms: TermReading


@dataclass
class BaseModel:
    """A base model that is loaded once, when it is first needed, for all adapters of a job."""

    folder: Path
    settings: Settings
    threads: int
    gpus: int
    _loaded: LoadedModel | None = None
    _taken: bool = False
    _held: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def with_adapter(self, adapter: Path | None) -> Iterator[LoadedModel]:
        """The model with an adapter on it, or by itself. Raises `InputError` where either is damaged."""
        if not self._taken:
            # Held until the process ends: PyTorch looks for devices only once.
            self._held.enter_context(gpus.taken(self.gpus))
            self._taken = True
        if self._loaded is None:
            usage = self.settings.usage
            self._loaded = registry.load(self.folder, usage.dtype, self.threads, usage.attention)
        base, self._loaded = self._loaded, None
        model = registry.with_adapter(base, adapter) if adapter else base
        yield model
        self._loaded = registry.without_adapter(model) if adapter else model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument(
        "--key",
        nargs="+",
        metavar="MODEL RECIPE TRAIN_SET SEED",
        required=True,
        help="one adapter after the other; of the base model: MODEL base base -1",
    )
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--adapter", type=Path, nargs="+", help="PEFT folders; without any, the base model")
    parser.add_argument("--shots", type=Path, help="the question table, for worked examples before each question")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--mentions", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--gpus", type=int, default=0, help="how many the job may use")
    parser.add_argument("--probes", type=Path, help="facts to ask another way, which count in no test set")
    parser.add_argument("--probe-predictions", type=Path, nargs="+", help="answers to the probes, for each adapter")
    parser.add_argument("--predictions", type=Path, nargs="+", required=True, help="a file for each adapter")
    parser.add_argument("--term-logprobs", type=Path, nargs="+", required=True, help="likewise")
    parser.add_argument(
        "--job-cache", type=Path, nargs="+", required=True, help="a folder for each, that keeps finished work"
    )
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    keys = [Adapter(*args.key[i : i + 3], seed=int(args.key[i + 3])) for i in range(0, len(args.key), 4)]
    folders: list[Path | None] = args.adapter or [None]
    for adapter, key in zip(folders, keys, strict=True):
        if adapter:
            registry.check_adapter(adapter, key._asdict(), args.record)
    shots = worked_examples(args.shots, settings.inference.base_shots) if args.shots else []
    location = registry.location(args.record)
    prompter = prompting.for_model(location, settings.usage, settings.prompt, shots)
    prompter.show()
    base = BaseModel(location, settings, args.threads, args.gpus)
    tables_of = {PREDICTIONS: args.predictions, TERM_LOGPROBS: args.term_logprobs}
    tables_of |= {PROBES: args.probe_predictions} if args.probes else {}
    for i, (key, adapter, cache) in enumerate(zip(keys, folders, args.job_cache, strict=True)):
        if len(keys) > 1:
            print(f"{key.recipe}, {key.train_set}, seed {key.seed}", flush=True)
        outputs = {name: paths[i] for name, paths in tables_of.items()}
        score_one(args, settings, prompter, base, shots, key, adapter, cache, outputs)


def score_one(
    args: argparse.Namespace,
    settings: Settings,
    prompter: prompting.Prompter,
    base: BaseModel,
    shots: list[prompting.Question],
    key: Adapter,
    adapter: Path | None,
    cache: Path,
    outputs: dict[str, Path],
) -> None:
    """Write the tables of one adapter: from its cache, or computed now."""
    read = {"test_questions": args.questions, "test_mentions": args.mentions}
    read |= {"adapter": adapter / registry.WEIGHTS} if adapter else {}
    read |= {"probes": args.probes} if args.probes else {}
    digests = {name: provenance.sha256(path) for name, path in read.items()}
    made_from = job_cache.made_from(
        args.record,
        "infer",
        settings=read_json(args.settings),
        keys=key._asdict(),
        threads=args.threads,
        read=list(digests.values()),
        frame=prompter.frame.shown,
        **({"shots": [question.question_id for question in shots]} if shots else {}),
    )
    said = digests | {"settings": provenance.text_digest(args.settings.read_text(encoding="utf-8"))}
    work = partial(infer, args, settings, prompter, base, adapter, key._asdict(), said)
    finished = job_cache.cached(cache, made_from, work)
    for name, output in outputs.items():
        with files.atomic_write(output) as part:
            files.link_or_copy(finished / name, part)


def worked_examples(questions: Path, n: int) -> list[prompting.Question]:
    return prompting.questions_of(few_shot.draw(tables.read(questions, tables.QUESTIONS), n))


def infer(
    args: argparse.Namespace,
    settings: Settings,
    prompter: prompting.Prompter,
    base: BaseModel,
    adapter: Path | None,
    keys: dict[str, Any],
    made_from: dict[str, str],
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
    with base.with_adapter(adapter) as model:
        scorer = scoring.Scorer(model, prompter, inference, settings.terms)
        self_check.check(scorer, prompting.questions_of(questions), mentions)
        bar = partial(tqdm, desc=f"batches of {scoring.QUESTIONS_AT_ONCE} questions", unit="batch", mininterval=5)
        scores = scorer.score(prompting.questions_of(questions), mentions, bar)
        if probes is not None:
            # Probes have no terms: nothing is read of their stems, and no stem is scored by itself.
            of_probes = replace(scorer, terms=TermReading(contexts=["prompt"]))
            asked = of_probes.score(prompting.questions_of(probes), {}, bar)
            tables.write(asked.predictions.assign(**keys), target / PROBES, tables.PREDICTIONS, made_from)
    tables.write(scores.predictions.assign(**keys), target / PREDICTIONS, tables.PREDICTIONS, made_from)
    tables.write(scores.term_logprobs.assign(**keys), target / TERM_LOGPROBS, tables.TERM_LOGPROBS, made_from)


if __name__ == "__main__":
    errors.run(main)
