"""How the CPU time of scoring and training grows with the work, and which share of it are the products it needs.

    make demo && PYTHONPATH=workflow/scripts python benchmarks/scaling.py

On the demo's model, one thread, invented questions. CPU seconds (user and system): wall clock says less on a machine
that others use too. The last column is the time that the matrix products of the needed tokens would take at the
machine's own rate, by the time that was taken.
"""

from collections.abc import Callable
from pathlib import Path
import random
import resource
import tempfile
from typing import Any

import torch

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.config.terms import TermReading
from neuro2cardio.models import fine_tuning, packed, prompting, registry, scoring
from neuro2cardio.models.prompting import Question
from neuro2cardio.models.term_logprobs import MentionOffsets

RECORD = Path(__file__).parents[1] / "resources/models/smollm2-135m/model.json"
WORDS = ("fever", "chest", "pain", "after", "a", "long", "walk", "and", "aspirin", "for", "his", "heart")
ROUNDS = 2


def main() -> None:
    """Print one line a measurement."""
    folder = registry.location(RECORD)
    model, prompter = registry.load(folder, "auto", 1), prompting.for_model(folder, ModelUsage(), Prompt())
    rate = _rate(model.network.dtype)
    print(f"{model.network.dtype}, {rate / 1e9:.0f} GFLOP a second")
    weights = sum(m.weight.numel() for m in model.network.model.modules() if isinstance(m, torch.nn.Linear))

    def score(label: str, n: int = 16, words: int = 100, options: int = 4, terms: Any = (), **more: Any) -> None:
        inference = Inference(**{"methods": ["letter"], "permutations": 4, "batch_tokens": 1024, **more})
        scorer = scoring.Scorer(model, prompter, inference, TermReading(contexts=list(terms) or ["prompt"]))
        asked = _questions(n, words, options)
        found = {q.question_id: _mentions(q) if terms else [] for q in asked}
        posed = [scorer._pose(question, found[question.question_id]).queries for question in asked]
        tokens = sum(packed.tree([q.ids for q in queries]).tokens for queries in posed)
        _line(label, n, tokens, _least(lambda: scorer.score(asked, found)), 2 * weights / rate)

    for n in (8, 16, 32):
        score(f"questions {n}", n=n)
    for words in (50, 200, 400):
        score(f"words of a stem {words}", words=words)
    for options in (2, 8):
        score(f"options {options}, all orders", options=options)
    score("orders 1", permutations=1)
    score("option texts", methods=["cloze"])
    for terms in (["prompt"], ["prompt", "bare"]):
        score(f"terms: {' and '.join(terms)}", terms=terms)
    for batch_tokens in (256, 4096):
        score(f"batch tokens {batch_tokens}", batch_tokens=batch_tokens)
    for n, words in ((8, 100), (16, 100), (8, 400)):
        recipe = Recipe(loss="completion", form="letter", epochs=1, batch_size=8, warmup=0)
        learned = fine_tuning.examples(prompter, _questions(n, words, 4), recipe)
        tokens = sum(len(e.input_ids) for e in learned)
        # A forward pass, and a backward pass through the frozen weights.
        _line(f"training {n}, words {words}", n, tokens, _train(model, learned, recipe), 4 * weights / rate)


def _train(model: Any, learned: Any, recipe: Recipe) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        return _seconds(
            lambda: fine_tuning.train(model, learned, recipe, 1, Path(scratch), show=False).network.unload()
        )


def _line(label: str, n: int, tokens: int, seconds: float, needed: float) -> None:
    share = tokens * needed / seconds
    print(
        f"| {label} | {tokens / n:.0f} | {seconds / n:.3f} | {seconds / tokens * 1e3:.2f} | {share:.0%} |", flush=True
    )


def _questions(n: int, words: int, options: int) -> list[Question]:
    draw = random.Random(1)
    texts = [[" ".join(draw.choices(WORDS, k=k)) for k in (words, *[3] * options)] for _ in range(n)]
    return [Question(f"q{i}", stem, tuple(rest), 0) for i, (stem, *rest) in enumerate(texts)]


def _mentions(question: Question) -> list[MentionOffsets]:
    """Every tenth word, the last word among them: as if each question ended with a term."""
    ends = [i for i, c in enumerate(f"{question.stem} ") if c == " "][::-10]
    starts = [question.stem.rfind(" ", 0, end) + 1 for end in ends]
    return [MentionOffsets(f"{question.question_id}-{a}", a, b) for a, b in zip(starts, ends, strict=True)]


def _rate(dtype: torch.dtype) -> float:
    """FLOP a second of a product of the model's size."""
    a, b = torch.randn(1024, 576).to(dtype), torch.randn(1536, 576).to(dtype)
    seconds = _least(lambda: [torch.nn.functional.linear(a, b) for _ in range(50)])
    return 50 * 2 * 1024 * 576 * 1536 / seconds


def _least(work: Callable[[], Any]) -> float:
    return min(_seconds(work) for _ in range(ROUNDS))


def _seconds(work: Callable[[], Any]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
