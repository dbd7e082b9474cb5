"""Before a test set is scored: the fast path is held against the naive one on a few of its questions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import InputError
from .prompting import Question
from .scoring import Mentions, Scorer

_TOLERANCE = {"float32": 5e-3, "bfloat16": 0.5, "float16": 0.1}
"""Largest difference of a log-probability per token, in nats, that rounding explains."""
_SHORT = 2


def check(scorer: Scorer, questions: Sequence[Question], mentions: Mentions) -> float:
    """Compare both paths on the two shortest questions and the longest; returns the largest difference found.

    The difference is one of log-probabilities per token, in nats. Raises `InputError`, with the numbers, where it is
    more than rounding explains.
    """
    dtype = str(scorer.model.network.dtype).removeprefix("torch.")
    allowed = _TOLERANCE.get(dtype, _TOLERANCE["bfloat16"])
    scorer = _without_generation(scorer)
    worst = max(_differences(scorer, _chosen(questions), mentions), key=lambda found: found[0], default=(0.0, ""))
    if worst[0] > allowed:
        raise InputError(
            f"the fast way to score this model differs from the naive one by {worst[0]:.3g} nats a token ({worst[1]}), "
            f"of which rounding in {dtype} explains {allowed:g}: its results would be wrong. Set load: "
            "float32 for the model; if that does not help, this version of transformers can't be used with it"
        )
    print(f"self-check: fast and naive differ by at most {worst[0]:.2g} nats a token ({allowed:g} allowed)", flush=True)
    return worst[0]


def _chosen(questions: Sequence[Question]) -> list[Question]:
    by_length = sorted(questions, key=lambda q: (len(q.stem), q.question_id))
    return [*by_length[:_SHORT], *by_length[_SHORT:][-1:]]


def _without_generation(scorer: Scorer) -> Scorer:
    """Generated texts are chosen by comparisons that rounding decides: the numbers behind them are compared.

    Option texts share a start as orders of the options do: with them, one order is enough.
    """
    methods = [method for method in scorer.inference.methods if method != "generate"] or ["cloze"]
    fewer = {"methods": methods, **({"permutations": 1} if "cloze" in methods else {})}
    return replace(scorer, inference=scorer.inference.model_copy(update=fewer))


def _differences(scorer: Scorer, questions: list[Question], mentions: Mentions) -> Iterator[tuple[float, str]]:
    fast = scorer.score(questions, mentions)
    rows = fast.predictions.groupby("question_id", sort=False)
    terms = fast.term_logprobs.groupby("question_id", sort=False) if len(fast.term_logprobs) else None
    for question in questions:
        answers, term_rows = scorer.score_naive(question, mentions.get(question.question_id, ()))
        for got, row in zip(rows.get_group(question.question_id).to_dict("records"), answers, strict=True):
            gap = np.abs(np.subtract(got["option_logprobs"], row["option_logprobs"])).max()
            yield float(gap), f"question {question.question_id}, {row['method']}, order {row['permutation']}"
        if terms is not None and term_rows:
            found = terms.get_group(question.question_id).to_dict("records")
            yield from (_of_term(got, row) for got, row in zip(found, term_rows, strict=True) if row["n_tokens"])


def _of_term(got: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[float, str]:
    gap = abs(got["logprob_sum"] - row["logprob_sum"]) / row["n_tokens"]
    return float(gap), f"term {row['mention_id']}, {row['context']}"
