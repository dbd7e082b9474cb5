"""Score the whole test set with the base model or with adapters of it: answers and term log-probabilities."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.job_settings import JobSettings, read_json
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import errors, files, gpus, job_cache, memory, provenance, tables
from neuro2cardio.core.adapters import Adapter
from neuro2cardio.core.imports import without_collector
from neuro2cardio.questions import few_shot

memory.keep_freed()
with without_collector():
    from neuro2cardio.models import prompting, registry, scoring, self_check, tokenizer_check
    from neuro2cardio.models.registry import LoadedModel
    from neuro2cardio.models.term_logprobs import by_question

PREDICTIONS, TERM_LOGPROBS, PROBES = "predictions.parquet", "term_logprobs.parquet", "probes.parquet"


class Settings(JobSettings):
    usage: ModelUsage
    prompt: Prompt
    inference: Inference
    terms: TermReading


@dataclass
class BaseModel:
    """A base model that is loaded once, when it is first needed, for all adapters of a job."""

    folder: Path
    tokenizer: Any
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
            how = (self.settings.usage.load, self.threads, self.settings.usage.attention, self.gpus)
            self._loaded = registry.load(self.folder, *how, self.tokenizer)
        base, self._loaded = self._loaded, None
        model = registry.with_adapter(base, adapter) if adapter else base
        yield model
        self._loaded = registry.without_adapter(model) if adapter else model


@dataclass
class Job:
    """What all adapters of a job share: each is read, or computed, once."""

    args: argparse.Namespace
    settings: Settings
    prompter: prompting.Prompter
    shots: list[prompting.Question]
    base: BaseModel

    @cached_property
    def made_from(self) -> dict[str, str]:
        """Digests of the files that every adapter is asked with, and of the settings."""
        args = self.args
        read = {"test_questions": args.questions, "test_mentions": args.mentions, "settings": args.settings}
        read |= {"probes": args.probes} if args.probes else {}
        return {name: provenance.sha256(path) for name, path in read.items()}

    @cached_property
    def questions(self) -> list[prompting.Question]:
        """The test questions. What can't be asked of this tokenizer raises `InputError`, before weights are loaded."""
        asked = tables.read(self.args.questions, tables.QUESTIONS).query("split == 'test'")
        print(json.dumps(tokenizer_check.check(self.prompter, asked, self.settings.inference, [])), flush=True)
        return prompting.questions_of(asked)

    @cached_property
    def mentions(self) -> dict[str, Any]:
        """Mentions by question."""
        return by_question(tables.read(self.args.mentions, tables.MENTIONS))

    @cached_property
    def probes(self) -> list[prompting.Question]:
        """Facts asked another way; empty if the configuration asks for no probes."""
        if not self.args.probes:
            return []
        asked = tables.read(self.args.probes, tables.PROBES)
        tokenizer_check.check(self.prompter, asked.assign(split="test"), self.settings.inference, [])
        return prompting.questions_of(asked)


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
    base = BaseModel(location, prompter.tokenizer, settings, args.threads, args.gpus)
    job = Job(args, settings, prompter, shots, base)
    tables_of = {PREDICTIONS: args.predictions, TERM_LOGPROBS: args.term_logprobs}
    tables_of |= {PROBES: args.probe_predictions} if args.probes else {}
    for i, (key, adapter, cache) in enumerate(zip(keys, folders, args.job_cache, strict=True)):
        if len(keys) > 1:
            print(f"{key.recipe}, {key.train_set}, seed {key.seed}", flush=True)
        finished = score_one(job, key, adapter, cache)
        for name, paths in tables_of.items():
            with files.atomic_write(paths[i]) as part:
                files.link_or_copy(finished / name, part)


def score_one(job: Job, key: Adapter, adapter: Path | None, cache: Path) -> Path:
    """The folder with the tables of one adapter: from its cache, or computed now."""
    own = {"adapter": provenance.sha256(adapter / registry.WEIGHTS)} if adapter else {}
    made_from = job_cache.made_from(
        job.args.record,
        "infer",
        settings=read_json(job.args.settings),
        keys=key._asdict(),
        threads=job.args.threads,
        read=job.made_from | own,
        frame=job.prompter.frame.shown,
        **({"shots": [question.question_id for question in job.shots]} if job.shots else {}),
    )
    return job_cache.cached(cache, made_from, partial(infer, job, key, adapter, job.made_from | own))


def worked_examples(questions: Path, n: int) -> list[prompting.Question]:
    return prompting.questions_of(few_shot.draw(tables.read(questions, tables.QUESTIONS), n))


def infer(job: Job, key: Adapter, adapter: Path | None, made_from: dict[str, str], _: Path, target: Path) -> None:
    """Compute the tables of one adapter, and write them to ``target``."""
    questions, probes = job.questions, job.probes
    with job.base.with_adapter(adapter) as model:
        scorer = scoring.Scorer(model, job.prompter, job.settings.inference, job.settings.terms)
        bar = partial(tqdm, desc=f"batches of {scorer.questions_at_once} questions", unit="batch", mininterval=5)
        self_check.check(scorer, questions, job.mentions)
        scores = scorer.score(questions, job.mentions, bar)
        if probes:
            # Probes have no terms: nothing is read of their stems, and no stem is scored by itself.
            of_probes = replace(scorer, terms=TermReading(contexts=["prompt"]))
            asked = of_probes.score(probes, {}, bar)
            tables.write(asked.predictions.assign(**key._asdict()), target / PROBES, tables.PREDICTIONS, made_from)
    for name, frame, schema in (
        (PREDICTIONS, scores.predictions, tables.PREDICTIONS),
        (TERM_LOGPROBS, scores.term_logprobs, tables.TERM_LOGPROBS),
    ):
        tables.write(frame.assign(**key._asdict()), target / name, schema, made_from)


if __name__ == "__main__":
    errors.run(main)
