"""What `scaling.py` measures of scoring and training: each case one point of a curve, prepared and then run."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
import random
import shutil
import tempfile
from typing import Any, Literal, NamedTuple

import torch

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.config.terms import TermReading
from neuro2cardio.models import fine_tuning, logprobs, packed, prompting, registry, scoring
from neuro2cardio.models.logprobs import Query, Readout
from neuro2cardio.models.model_files import ModelRecord
from neuro2cardio.models.prompting import Prompter, Question
from neuro2cardio.models.registry import LoadedModel
from neuro2cardio.models.term_logprobs import MentionOffsets

RECORD = Path(__file__).parents[1] / "resources/models/smollm2-135m/model.json"
WORDS = ("fever", "chest", "pain", "after", "a", "long", "walk", "and", "aspirin", "for", "his", "heart")
SMALLEST_VOCABULARY = 16_384


@dataclass(frozen=True)
class Case:
    """A point of a curve: what is scored, or trained on where ``recipe`` is given."""

    curve: str
    x: float
    label: str = ""
    n: int = 8
    words: int = 100
    options: int = 4
    terms: tuple[str, ...] = ()
    vocabulary: int = 0
    """Other than the model's own."""
    inference: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] | None = None


class Work(NamedTuple):
    """What a case is to the machine: ``flop`` are those of the products with the model's weights, without its head."""

    tokens: int
    read: int
    flop: float
    run: Callable[[], Any]


def _cases(curve: str, **axis: list[Any]) -> list[Case]:
    ((name, values),) = axis.items()
    return [Case(curve, value, f"{value}", **{name: value}) for value in values]


SCORING = [
    *_cases("questions", n=[4, 8, 16, 32]),
    *_cases("words of a stem", words=[50, 100, 200, 400, 800]),
    *_cases("options, all orders,", options=[2, 4, 8]),
    *[replace(case, inference={"permutations": 1}) for case in _cases("options, one order,", options=[2, 4, 8])],
    *[Case("batch tokens", n, f"{n}", inference={"batch_tokens": n}) for n in (256, 512, 1024, 2048, 4096)],
    Case("option texts", 1, inference={"methods": ["cloze"]}),
    Case("terms in the prompt", 1, terms=("prompt",)),
    Case("terms in the prompt, and bare", 1, terms=("prompt", "bare")),
]
VOCABULARY = [
    Case("vocabulary", n, f"{n:,}", vocabulary=n, terms=("prompt",), inference={"methods": ["letter", "cloze"]})
    for n in (SMALLEST_VOCABULARY, 49_152, 131_072, 262_144)
]
TRAINING = [
    *[replace(case, recipe={}) for case in _cases("training questions", n=[8, 16, 32])],
    *[replace(case, recipe={}) for case in _cases("training words of a stem", words=[100, 200, 400])],
    *[Case("training micro-batch", n, f"{n}", recipe={"micro_batch_size": n}) for n in (1, 2, 4, 8)],
]


@dataclass(frozen=True)
class Base:
    """The model that is measured: its record, and the number type it is loaded in."""

    record: Path
    load: Literal["bfloat16", "float32"]

    @classmethod
    def shortened(cls, layers: int, load: Literal["bfloat16", "float32"], folder: Path) -> "Base":
        """The demo's model with its first ``layers`` alone, saved in a folder: time is a layer's by their number."""
        network: Any = registry.load(registry.location(RECORD), load, 1).network
        network.model.layers = network.model.layers[:layers]
        network.config.num_hidden_layers = layers
        if getattr(network.config, "layer_types", None):
            network.config.layer_types = network.config.layer_types[:layers]
        network.save_pretrained(folder)
        for path in (*registry.location(RECORD).glob("tokenizer*"), registry.location(RECORD) / "chat_template.jinja"):
            shutil.copy(path, folder)
        record = folder.with_name("model.json")
        ModelRecord(record).write({"location": folder.name})
        return cls(record, load)


@cache
def loaded(base: Base) -> tuple[LoadedModel, Prompter]:
    """The model and its prompts; what a process computes once was computed."""
    folder = registry.location(base.record)
    model = registry.load(folder, base.load, 1)
    logprobs.read(model, [[Query(tuple(range(50, 90)), (Readout(40, (60,)),))]])
    return model, prompting.for_model(folder, ModelUsage(), Prompt())


def prepare(case: Case, base: Base) -> Work:
    """All that comes before what is measured."""
    model, prompter = loaded(base)
    for weight in model.network.parameters():
        # A fork maps a file's pages anew: weights that nobody touched yet would count as memory of the work.
        weight.sum()
    asked = _questions(case.n, case.words, case.options)
    modules = model.network.model.modules()
    weights = sum(m.weight.numel() for m in modules if isinstance(m, torch.nn.Linear))
    if case.recipe is not None:
        recipe = Recipe(loss="completion", form="letter", epochs=1, batch_size=8, warmup=0, **case.recipe)
        learned = fine_tuning.examples(prompter, asked, recipe)
        tokens = sum(len(e.input_ids) for e in learned)
        # A forward pass, and a backward pass through the frozen weights.
        return Work(tokens, 0, 4 * weights * tokens, lambda: _train(model, learned, recipe))
    inference = Inference(**{"methods": ["letter"], "batch_tokens": 1024, **case.inference})
    scorer = scoring.Scorer(model, prompter, inference, TermReading(contexts=list(case.terms or ["prompt"])))
    found = {q.question_id: _mentions(q) if case.terms else [] for q in asked}
    posed = [scorer._pose(question, found[question.question_id]).queries for question in asked]
    if case.vocabulary:
        posed = [[_folded(query) for query in queries] for queries in posed]
        _resize(model, case.vocabulary)
    tokens = sum(packed.tree([q.ids for q in queries]).tokens for queries in posed)
    read = sum(len(query.readings) for queries in posed for query in queries)
    if case.vocabulary:
        return Work(tokens, read, 2 * weights * tokens, lambda: logprobs.read(model, posed, inference.batch_tokens))
    return Work(tokens, read, 2 * weights * tokens, lambda: scorer.score(asked, found))


def _folded(query: Query) -> Query:
    """The same work in ids that the smallest vocabulary has."""
    readings = [Readout(r.at, tuple(i % SMALLEST_VOCABULARY for i in r.tokens)) for r in query.readings]
    return Query(tuple(i % SMALLEST_VOCABULARY for i in query.ids), tuple(readings))


def _resize(model: LoadedModel, vocabulary: int) -> None:
    """Random rows for tokens that the model did not have, and none for those beyond ``vocabulary``."""
    torch.manual_seed(0)
    network: Any = model.network
    network.resize_token_embeddings(vocabulary, mean_resizing=False)


def _train(model: LoadedModel, learned: list[fine_tuning.Example], recipe: Recipe) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        fine_tuning.train(model, learned, recipe, 1, Path(scratch), show=False)


def _questions(n: int, words: int, options: int) -> list[Question]:
    draw = random.Random(1)
    texts = [[" ".join(draw.choices(WORDS, k=k)) for k in (words, *[3] * options)] for _ in range(n)]
    return [Question(f"q{i}", stem, tuple(rest), 0) for i, (stem, *rest) in enumerate(texts)]


def _mentions(question: Question) -> list[MentionOffsets]:
    """Every tenth word, the last word among them: as if each question ended with a term."""
    ends = [i for i, c in enumerate(f"{question.stem} ") if c == " "][::-10]
    starts = [question.stem.rfind(" ", 0, end) + 1 for end in ends]
    return [MentionOffsets(f"{question.question_id}-{a}", a, b) for a, b in zip(starts, ends, strict=True)]
