"""How many answers the fast scorer gives otherwise than the naive one, on the demo's test questions.

    make demo && PYTHONPATH=workflow/scripts python benchmarks/scoring_answers.py cardiology shuffled-answers

For the base model and the adapters named (train sets of the demo): answers that differ, and by how much options'
log-probabilities do. Naive: every sequence on its own, with all its logits, in the model's number type. Minutes a row.
"""

import sys

import demo_scorers
import numpy as np

from neuro2cardio.models import prompting, scoring


def main() -> None:
    """Print one line a row: how many answers differ, and in how many of these the two best options all but tie."""
    asked = demo_scorers.questions()
    for name, scorer in demo_scorers.scorers(sys.argv[1:]):
        print(f"{name}: {_compared(scorer, asked)}", flush=True)


def _compared(scorer: scoring.Scorer, asked: list[prompting.Question]) -> str:
    fast = scorer.score(asked, {}).predictions
    naive = [scorer.score_naive(question, ())[0][0] for question in asked]
    gaps = [np.abs(np.subtract(f, n["option_logprobs"])) for f, n in zip(fast["option_logprobs"], naive, strict=True)]
    margins = np.array([np.diff(np.sort(n["option_logprobs"])[-2:])[0] for n in naive])
    differ = fast["chosen"].to_numpy() != np.array([n["chosen"] for n in naive])
    correct = int(fast["correct"].sum()), sum(n["correct"] for n in naive)
    return (
        f"{differ.sum()} of {len(asked)} answers differ, where the two best options are at most "
        f"{margins[differ].max(initial=0):.3f} nats a token apart; correct {correct[0]} fast, {correct[1]} naive; "
        f"log-probabilities differ by {np.mean(np.concatenate(gaps)):.3f} on average, "
        f"{max(map(np.max, gaps)):.3f} at most"
    )


if __name__ == "__main__":
    main()
