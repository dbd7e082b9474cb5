"""The demo's questions and models, for benchmarks of the scorer; `make demo` made them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import tables
from neuro2cardio.models import prompting, registry, scoring

CHECKOUT = Path(__file__).parents[1]
RESULTS = CHECKOUT / "results/demo"
RECORD = CHECKOUT / "resources/models/smollm2-135m/model.json"


def questions() -> list[prompting.Question]:
    """The demo's test questions."""
    found = tables.read(RESULTS / "test_split/questions.parquet", tables.QUESTIONS)
    return prompting.questions_of(found.query("split == 'test'"))


def scorers(train_sets: Sequence[str]) -> Iterator[tuple[str, scoring.Scorer]]:
    """Names and scorers of option texts: of the base model, then of it with the adapter of each train set."""
    folder = registry.location(RECORD)
    prompter = prompting.for_model(folder, ModelUsage(), Prompt())
    base: registry.LoadedModel | None = registry.load(folder, "auto", 1)
    for train_set in (None, *train_sets):
        assert base is not None
        adapter = RESULTS / f"adapters/smollm2-135m/completion/{train_set}/seed-1"
        model = registry.with_adapter(base, adapter) if train_set else base
        scorer = scoring.Scorer(model, prompter, Inference(methods=["cloze"]), TermReading(contexts=["prompt"]))
        yield train_set or "base model", scorer
        base = registry.without_adapter(model) if train_set else model
