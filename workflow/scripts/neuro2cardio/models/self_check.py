"""Before a test set is scored: the fast path is held against the naive one on a few of its questions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.errors import InputError
from .prompting import Question
from .scoring import Mentions, Scorer

_SHORT = 2


@dataclass(frozen=True)
class Allowed:
    """Differences of log-probabilities that rounding explains, in nats a token.

    A wrong layout moves all numbers. Of SmolLM2 in bfloat16, with two adapters and without, they differed by 0.032 to
    0.041 on average and by 0.32 at most; where runs did not see the token before them, by 0.3 or more on average
    (benchmarks/self_check.py).
    """

    mean: float
    single: float


_ALLOWED = {"float32": Allowed(5e-3, 5e-3), "bfloat16": Allowed(0.15, 0.5)}
"""By number type: models are loaded in no other (`placement.number_type`)."""

_NO_WAY_OUT = "This version of transformers can't be used with it"
_WAY_OUT = "Set load: float32 for the model; if that does not help, this version of transformers can't be used with it"


def check(scorer: Scorer, questions: Sequence[Question], mentions: Mentions) -> float:
    """Compare both paths on the two shortest questions and the longest; returns the largest difference found.

    The difference is one of log-probabilities per token, in nats. Raises `InputError`, with the numbers, where one is,
    or all on average are, more than rounding explains.
    """
    dtype = str(scorer.model.network.dtype).removeprefix("torch.")
    allowed = _ALLOWED[dtype]
    found = list(_differences(_without_generation(scorer), _chosen(questions), mentions))
    mean = float(np.mean([gap for gap, _ in found] or [0.0]))
    largest, where = max(found, key=lambda one: one[0], default=(0.0, ""))
    # Not a number is more than any bound.
    if not (mean <= allowed.mean and largest <= allowed.single):
        raise InputError(
            f"the fast way to score this model differs from the naive one by {mean:.3g} nats a token on average and "
            f"{largest:.3g} at most ({where}), of which rounding in {dtype} explains {allowed.mean:g} and "
            f"{allowed.single:g}: its results would be wrong. {_WAY_OUT if dtype != 'float32' else _NO_WAY_OUT}"
        )
    print(
        f"self-check: fast and naive differ by {mean:.2g} nats a token on average and {largest:.2g} at most "
        f"({allowed.mean:g} and {allowed.single:g} allowed)",
        flush=True,
    )
    return largest


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
            gaps = np.abs(np.subtract(got["option_logprobs"], row["option_logprobs"]))
            where = f"question {question.question_id}, {row['method']}, order {row['permutation']}"
            yield from ((gap, where) for gap in gaps.tolist())
        if terms is not None and term_rows:
            found = terms.get_group(question.question_id).to_dict("records")
            yield from (_of_term(got, row) for got, row in zip(found, term_rows, strict=True) if row["n_tokens"])


def _of_term(got: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[float, str]:
    gap = abs(got["logprob_sum"] - row["logprob_sum"]) / row["n_tokens"]
    return float(gap), f"term {row['mention_id']}, {row['context']}"
