"""The fast scorer against the naive one it must equal, on the demo's model and questions: how many times faster it is.

    make demo && PYTHONPATH=workflow/scripts python benchmarks/scoring.py

Both answer the same questions in one process, in turn; the ratio is what to read. Naive: every sequence on its own,
with all its logits. Fast: as the workflow scores.
"""

from pathlib import Path
import time

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import tables
from neuro2cardio.models import prompting, registry, scoring, term_logprobs

CHECKOUT = Path(__file__).parents[1]
QUESTIONS, ROUNDS = 8, 3


def main() -> None:
    """Print one line a method: seconds a question, fast and naive, and their ratio in the median round."""
    folder = CHECKOUT / "results/demo/test_split"
    asked = prompting.questions_of(tables.read(folder / "questions.parquet", tables.QUESTIONS).head(QUESTIONS))
    mentions = term_logprobs.by_question(tables.read(folder / "mentions.parquet", tables.MENTIONS))
    model_folder = registry.location(CHECKOUT / "resources/models/smollm2-135m/model.json")
    model = registry.load(model_folder, "auto")
    prompter = prompting.for_model(model_folder, ModelUsage(), Prompt())
    for method in ("cloze", "letter", "generate"):
        inference = Inference(methods=[method], batch_tokens=None)
        scorer = scoring.Scorer(model, prompter, inference, TermReading(contexts=["prompt"]))
        rounds = sorted(
            (_naive(scorer, asked, mentions) / (t := _fast(scorer, asked, mentions)), t) for _ in range(ROUNDS)
        )
        ratio, fast = rounds[ROUNDS // 2]
        print(f"{method:>8}: {fast / QUESTIONS:.3f} s a question, {ratio:.1f} times faster than the naive scorer")


def _fast(scorer: scoring.Scorer, asked: list[prompting.Question], mentions: scoring.Mentions) -> float:
    started = time.perf_counter()
    scorer.score(asked, mentions)
    return time.perf_counter() - started


def _naive(scorer: scoring.Scorer, asked: list[prompting.Question], mentions: scoring.Mentions) -> float:
    started = time.perf_counter()
    for question in asked:
        scorer.score_naive(question, mentions.get(question.question_id, ()))
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
