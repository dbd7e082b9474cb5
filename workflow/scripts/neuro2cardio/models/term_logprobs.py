"""The log-probability of each mention of a term, read at the tokens that spell it and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .logprobs import Query, Readout, Values
from .prompting import Tokens


@dataclass(frozen=True)
class MentionOffsets:
    """What scoring needs of a row of the mentions table: character offsets into the stem."""

    mention_id: str
    start: int
    end: int


@dataclass(frozen=True)
class MentionSpans:
    """Where the mentions of one question stand in its tokens; None for one that has no tokens of its own."""

    mentions: tuple[MentionOffsets, ...]
    spans: tuple[range | None, ...]
    tokens: Tokens

    @classmethod
    def find(cls, tokens: Tokens, mentions: Sequence[MentionOffsets]) -> "MentionSpans":
        """Locate mentions by the tokenizer's offsets. A text's first token has no probability: it counts as cut."""
        spans = [tokens.span(m.start, m.end) for m in mentions]
        return cls(tuple(mentions), tuple(s if s is None or s.start > 0 else None for s in spans), tokens)

    @property
    def places(self) -> list[int]:
        """Token indices to read, each once: two mentions may overlap."""
        return sorted({i for span in self.spans if span is not None for i in span})

    def readings(self) -> tuple[Readout, ...]:
        """One reading for each place, in order."""
        return tuple(Readout(i, (self.tokens.ids[i],)) for i in self.places)

    def query(self) -> Query:
        """The text up to its last mention, for a forward pass of its own."""
        places = self.places
        return Query(self.tokens.ids[: places[-1]] if places else self.tokens.ids[:1], self.readings())

    def rows(self, context: str, values: Values) -> list[dict[str, Any]]:
        """Rows of the term log-probability table (without key columns) from the values of `readings`."""
        logprobs = {place: float(v[0]) for place, v in zip(self.places, values, strict=True)}
        return [
            {"context": context, "mention_id": m.mention_id, **self._sums(span or range(0), logprobs)}
            for m, span in zip(self.mentions, self.spans, strict=True)
        ]

    def _sums(self, span: range, logprobs: Mapping[int, float]) -> dict[str, Any]:
        """The value columns of `tables.TERM_LOGPROBS`."""
        values, starts = [logprobs[i] for i in span], [logprobs[i] for i in span if self._starts_word(i, span)]
        return {
            "n_tokens": len(values),
            "n_words": len(starts),
            "logprob_sum": float(np.sum(values)) if values else np.nan,
            "logprob_first": values[0] if values else np.nan,
            "logprob_starts": float(np.sum(starts)) if starts else np.nan,
        }

    def _starts_word(self, token: int, span: range) -> bool:
        """Whether a token holds the first character of a word: of the mention, or behind white space."""
        start, end = self.tokens.offsets[token]
        start += len(self.tokens.text[start:end]) - len(self.tokens.text[start:end].lstrip())
        return token == span.start or (start < end and self.tokens.text[start - 1].isspace())


def by_question(mentions: pd.DataFrame) -> dict[str, list[MentionOffsets]]:
    """The mentions table by question."""
    found: dict[str, list[MentionOffsets]] = {}
    columns = (mentions["question_id"], mentions["mention_id"], mentions["start"], mentions["end"])
    for question_id, mention_id, start, end in zip(*columns, strict=True):
        found.setdefault(question_id, []).append(MentionOffsets(mention_id, int(start), int(end)))
    return found
