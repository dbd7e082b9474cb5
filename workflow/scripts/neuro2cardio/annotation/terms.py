"""The lexicon as annotator: a vote of the clinical terms found. It is free, and the baseline for all others."""

from collections import defaultdict
from collections.abc import Sequence
import re

import pandas as pd

from ..terms.backends import Backend
from ..terms.matching import Mention
from .annotators import ANSWERS

_LAST_SENTENCE = re.compile(r"[^.!?]*[.!?]?\s*\Z")
Weights = dict[str, float]


class TermVotes:
    """Five readings of a question's terms, each of which votes for the specialty with the most weight.

    A term's weight is shared by its specialties. `mentions`: every strict mention of the stem. `distinct`: each term
    once. `broad`: over-general terms count too. `options`: stem and options. `asked`: the last sentence and options.
    """

    def __init__(self, backend: Backend) -> None:
        self._extract = backend.extract

    def annotate(self, questions: pd.DataFrame) -> pd.DataFrame:
        """Answers with a distribution over specialties each. A reading without terms, or with a tie, has no label."""
        rows = []
        for question in questions.itertuples():
            for way, weights in self._readings(question.stem, question.options).items():
                label, problem = _vote(weights)
                total = sum(weights.values())
                ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
                labels, shares = [name for name, _ in ranked], [weight / total for _, weight in ranked]
                rows.append((question.question_id, way, 0, "", label, problem, labels, shares, 0))
        return pd.DataFrame(rows, columns=ANSWERS.names)

    def _readings(self, stem: str, options: Sequence[str]) -> dict[str, Weights]:
        in_stem = self._extract(stem)
        in_options = [mention for option in options for mention in self._extract(option)]
        asked = _LAST_SENTENCE.search(stem.strip())
        start = asked.start() if asked else 0
        strict = [m for m in in_stem if m.scope == "strict"]
        shown = [m for m in in_options if m.scope == "strict"]
        return {
            "mentions": _weigh(strict),
            "distinct": _weigh(list({m.text.casefold(): m for m in strict}.values())),
            "broad": _weigh([m for m in in_stem if m.scope in ("strict", "broad")]),
            "options": _weigh([*strict, *shown]),
            "asked": _weigh([*(m for m in strict if m.start >= start), *shown]),
        }


def _weigh(mentions: Sequence[Mention]) -> Weights:
    weights: Weights = defaultdict(float)
    for mention in mentions:
        for name in mention.specialties:
            weights[name] += 1 / len(mention.specialties)
    return dict(weights)


def _vote(weights: Weights) -> tuple[str, str]:
    if not weights:
        return "", "no terms"
    most = max(weights.values())
    first = sorted(name for name, weight in weights.items() if weight > most - 1e-9)
    return (first[0], "") if len(first) == 1 else ("", f"tie: {', '.join(first)}")
