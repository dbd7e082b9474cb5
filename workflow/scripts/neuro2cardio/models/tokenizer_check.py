"""What a model's tokenizer makes of the questions, known before any GPU time is spent."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..config.inference import Inference, Method
from ..core.errors import InputError
from .prompting import LETTERS, Prompter, Question, questions_of


def check(prompter: Prompter, questions: pd.DataFrame, inference: Inference, forms: Sequence[Method]) -> dict[str, Any]:
    """Pose all questions as they are trained (`forms`) and scored (`inference`).

    Returns the window, whether the chat template is used, the letters' tokens, and by split how many questions lose
    the start of their stem and how many tokens there are. Raises `InputError` where the tokenizer merges an answer with
    what precedes it, a letter is not one token, or options alone overflow the window.
    """
    report: dict[str, Any] = {"window": prompter.window, "chat_template": prompter.uses_template}
    report["frame"] = prompter.frame.shown
    test = questions_of(questions[questions["split"] == "test"])
    train = questions_of(questions[questions["split"] == "train"])
    if "letter" in inference.methods:
        report["letters"] = {n: prompter.letter_ids(n) for n in sorted({len(q.options) for q in test})}
    too_many = max((len(q.options) for q in test + train), default=0)
    if too_many > len(LETTERS):
        raise InputError(f"a question has {too_many} options; there are letters for {len(LETTERS)}")
    for form in forms:
        report[f"train.{form}"] = _tokens([_trained(prompter, q, form) for q in train])
    for method in inference.methods:
        report[f"test.{method}"] = _tokens([_scored(prompter, q, method, inference.max_new_tokens) for q in test])
    return report


def _trained(prompter: Prompter, question: Question, form: Method) -> tuple[int, bool]:
    tokens = prompter.training(question, form)
    return len(tokens.ids), tokens.cut > 0


def _scored(prompter: Prompter, question: Question, method: Method, reserve: int) -> tuple[int, bool]:
    cut = prompter.cut(question, [(method, 0)], reserve=reserve)
    if method != "cloze":
        return len(prompter.pose(question, method, cut=cut).ids), cut > 0
    posed = [prompter.pose(question, method, option, cut=cut) for option in question.options]
    return max(len(tokens.ids) for tokens in posed), cut > 0


def _tokens(rows: list[tuple[int, bool]]) -> dict[str, Any]:
    lengths = pd.Series([n for n, _ in rows], dtype="int64")
    return {
        "questions": len(rows),
        "stems_cut": sum(cut for _, cut in rows),
        "tokens": int(lengths.sum()),
        "median_tokens": float(lengths.median()) if rows else 0.0,
        "longest_tokens": int(lengths.max()) if rows else 0,
    }
