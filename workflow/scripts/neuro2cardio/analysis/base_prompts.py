"""The wording with which a base model answers the validation questions best."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..config.inference import Method, Prompt
from ..questions.test_set import TestSet
from . import answers, resampling

COLUMNS = (
    *("model", "method", "prompt", "system", "words", "answer_cue", "n_questions"),
    *("accuracy", "low", "high", "chosen"),
)
"""One row a wording and method; `prompt` 0 is that of the configuration, `words` those of the method."""


def table(
    model: str,
    predictions: Sequence[pd.DataFrame],
    prompts: Sequence[Prompt],
    validation: pd.DataFrame,
    methods: Sequence[Method],
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Accuracy of a base model on the validation questions with each wording, and which is chosen for each method.

    Of equal accuracies the first counts, so that the wording of the grid stays unless another one is better.

    Args:
        model: Its name.
        predictions: A `tables.PREDICTIONS` frame of each wording.
        prompts: The wordings, in the same order.
        validation: Rows of `tables.QUESTIONS`, which no prediction leaves out.
        methods: Of answering.
        confidence: Of Wilson's intervals.
    """
    test_set = TestSet.of(validation.assign(split="test"), [])
    right = [answers.marks(answers.answers(found), test_set, list(methods)).mean(axis=1) for found in predictions]
    rows = []
    for i, method in enumerate(methods):
        best = int(np.argmax([found[i] for found in right]))
        for p, prompt in enumerate(prompts):
            words = (prompt.system, getattr(prompt, method), prompt.answer_cue)
            accuracy = float(right[p][i])
            low, high = resampling.wilson(accuracy, len(validation), confidence)
            rows.append((model, method, p, *words, len(validation), accuracy, low, high, p == best))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def chosen(found: pd.DataFrame) -> Mapping[int, list[Method]]:
    """The methods that are answered with each wording: wordings that no method chose are left out."""
    kept = found[found["chosen"]]
    return {int(prompt): list(rows["method"]) for prompt, rows in kept.groupby("prompt")}
