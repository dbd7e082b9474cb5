"""Every question answered by one model, with or without an adapter, and its terms' log-probabilities on the way."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..config.inference import Inference, Method
from ..config.terms import TermReading
from ..core.errors import InputError
from ..core.tables import KEYS, PREDICTIONS, TERM_LOGPROBS
from . import logprobs
from .logprobs import Continuation, Query, Readout, Values
from .packed import Ids
from .prompting import LETTERS, Prompter, Question, Tokens
from .registry import LoadedModel
from .term_logprobs import MentionOffsets, MentionSpans

Mentions = Mapping[str, Sequence[MentionOffsets]]
QUESTIONS_AT_ONCE = {"cpu": 64, "cuda": 16}
"""Questions handed to the model together; they are cut into passes by their tokens.

Many leave no small pass at the end. On a GPU they would be one pass, whose logits take memory.
"""
_CONTINUED_AT_ONCE = 16
"""Likewise, where answers are generated: keys and values of all of them are kept until the last is written."""
_BRACKETED = re.compile(r"\[\s*([A-Za-z])\s*\]")
_LONE_LETTER = re.compile(r"^\W*([A-Z])(?![A-Za-z])")


@dataclass(frozen=True)
class ScoreTables:
    """Rows of the tables `predictions` and `term_logprobs`, without the adapter's key columns."""

    predictions: pd.DataFrame
    term_logprobs: pd.DataFrame


@dataclass(frozen=True)
class _Posed:
    """One question in all forms: what is asked of the model, and what each query is."""

    question: Question
    parts: list[tuple[Method, int, Tokens]]
    """Method, permutation and tokens of each of the first queries."""
    queries: list[Query]
    """One for each of ``parts``, then one for each of ``bare``."""
    terms: MentionSpans
    """The mentions in the first query."""
    bare: list[MentionSpans]


_Rows = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""Rows of the predictions and of the term log-probabilities of one question."""


@dataclass(frozen=True)
class Scorer:
    """Scores questions with one model as the configuration says."""

    model: LoadedModel
    prompter: Prompter
    inference: Inference
    terms: TermReading

    def score(
        self,
        questions: Sequence[Question],
        mentions: Mentions,
        progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    ) -> ScoreTables:
        """Answers and term log-probabilities of all questions; ``progress`` wraps the batches.

        The longest questions come first, so that a batch that is too large for the memory shows at once. Rows come back
        in the order of the questions. Raises `InputError` where the model's numbers are not finite.
        """
        order = sorted(range(len(questions)), key=lambda i: (-len(questions[i].stem), i))
        size = self.questions_at_once
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        rows: dict[int, _Rows] = {}
        for batch in progress(batches):
            posed = [self._pose(questions[i], mentions.get(questions[i].question_id, ())) for i in batch]
            rows |= zip(batch, self._score_questions(posed), strict=True)
        predictions = {i: found for i, (found, _) in rows.items()}
        terms = {i: found for i, (_, found) in rows.items()}
        return ScoreTables(_frame(questions, predictions, PREDICTIONS), _frame(questions, terms, TERM_LOGPROBS))

    def score_naive(self, question: Question, mentions: Sequence[MentionOffsets]) -> _Rows:
        """The reference for `score`: one sequence at a time, nothing shared, nothing left out."""
        posed = self._pose(question, mentions)
        values = [logprobs.read_naive(self.model, query) for query in posed.queries]
        continued = [query for query in posed.queries if query.continued]
        texts = [logprobs.generate_naive(self.model, query.ids, self._continuation) for query in continued]
        return self._prediction_rows(posed, values, texts), self._term_rows(posed, values)

    @property
    def questions_at_once(self) -> int:
        """Questions handed to the model together."""
        if "generate" in self.inference.methods:
            return _CONTINUED_AT_ONCE
        return QUESTIONS_AT_ONCE.get(self.model.device.type, QUESTIONS_AT_ONCE["cuda"])

    @property
    def _continuation(self) -> Continuation:
        """Generated answers end with the chat template's own token, which need not be the model's end-of-text token."""
        return Continuation(self.inference.max_new_tokens, self.prompter.end_ids[-1:])

    def _score_questions(self, posed: list[_Posed]) -> Iterator[_Rows]:
        queries = [p.queries for p in posed]
        values, texts = logprobs.read_and_continue(self.model, queries, self._continuation, self.inference.batch_tokens)
        for p, v, t in zip(posed, values, texts, strict=True):
            yield self._prediction_rows(p, v, t), self._term_rows(p, v)

    def _pose(self, question: Question, mentions: Sequence[MentionOffsets]) -> _Posed:
        forms = [(m, p) for m in self.inference.methods for p in range(permutations(self.inference, m, question))]
        cut = self.prompter.cut(question, forms, reserve=self.inference.max_new_tokens)
        asked = [part for method, p in forms for part in self._ask(question, method, p, cut)]
        parts = [(method, p, tokens) for method, p, tokens, _ in asked]
        queries = [query for *_, query in asked]
        # The stem's tokens are the same in every form: its terms are read in the first.
        spans = MentionSpans.find(parts[0][2], mentions)
        if "prompt" in self.terms.contexts:
            queries[0] = replace(queries[0], readings=(*spans.readings(), *queries[0].readings))
        bare = []
        if "bare" in self.terms.contexts:
            bare = [MentionSpans.find(self.prompter.bare(question.stem, self.terms.lowercase_bare), mentions)]
        return _Posed(question, parts, [*queries, *(s.query() for s in bare)], spans, bare)

    def _ask(
        self, question: Question, method: Method, permutation: int, cut: int
    ) -> Iterator[tuple[Method, int, Tokens, Query]]:
        """The queries of a question in one form: one for each option's text, or one for all letters."""
        if method == "cloze":
            for option in question.options:
                tokens = self.prompter.pose(question, method, option, permutation, cut)
                readings = tuple(Readout(i, (tokens.ids[i],)) for i in range(tokens.answer, len(tokens.ids)))
                yield method, permutation, tokens, Query(tokens.ids[:-1], readings)
        elif method == "letter":
            # The prompt as it is tokenised with an answer behind it, for which any letter will do.
            tokens = self.prompter.pose(question, method, LETTERS[0], permutation, cut)
            reading = Readout(tokens.answer, self.prompter.letter_ids(len(question.options)))
            yield method, permutation, tokens, Query(tokens.ids[: tokens.answer], (reading,))
        else:
            tokens = self.prompter.pose(question, method, "", permutation, cut)
            yield method, permutation, tokens, Query(tokens.ids, (), continued=True)

    def _prediction_rows(self, posed: _Posed, values: list[Values], texts: Sequence[Ids]) -> list[dict[str, Any]]:
        rows: dict[tuple[Method, int], list[float]] = {}
        generated = iter(texts)
        chosen: dict[tuple[Method, int], int] = {}
        for (method, p, tokens), found in zip(posed.parts, values, strict=False):
            n = len(posed.question.options)
            if method == "cloze":
                length = len(tokens.ids) - tokens.answer
                rows.setdefault((method, p), []).append(float(np.mean([v[0] for v in found[-length:]])))
            elif method == "letter":
                rows[method, p] = [float(found[-1][(i + p) % n]) for i in range(n)]
            else:
                text = self.prompter.tokenizer.decode(list(next(generated)), skip_special_tokens=True)
                letter = parse_letter(str(text), n)
                rows[method, p] = []
                chosen[method, p] = -1 if letter is None else (letter - p) % n
        return [self._prediction(posed.question, key, logprobs, chosen.get(key)) for key, logprobs in rows.items()]

    def _prediction(
        self, question: Question, key: tuple[Method, int], logprobs: list[float], chosen: int | None
    ) -> dict[str, Any]:
        if not np.isfinite(logprobs).all():
            raise InputError(
                f"question {question.question_id}: the model's log-probabilities are not finite ({logprobs}); "
                "try load: float32, or a lower learning rate"
            )
        pick = int(np.argmax(logprobs)) if chosen is None else chosen
        return {
            "method": key[0],
            "permutation": key[1],
            "option_logprobs": logprobs,
            "answer_mass": float(np.exp(logprobs).sum()) if key[0] == "letter" else np.nan,
            "chosen": pick,
            "correct": pick == question.answer,
        }

    def _term_rows(self, posed: _Posed, values: list[Values]) -> list[dict[str, Any]]:
        rows = []
        if "prompt" in self.terms.contexts:
            rows += posed.terms.rows("prompt", values[0][: len(posed.terms.places)])
        for spans, found in zip(posed.bare, values[len(posed.parts) :], strict=True):
            rows += spans.rows("bare", found)
        return rows


def permutations(inference: Inference, method: Method, question: Question) -> int:
    """How many cyclic orders of a question's options are scored; cloze shows none of them."""
    return 1 if method == "cloze" or inference.permutations == 1 else len(question.options)


def parse_letter(text: str, n_options: int) -> int | None:
    """Index of the letter a generated answer names: in brackets, or alone at its start. None where there is none."""
    match = _BRACKETED.search(text) or _LONE_LETTER.search(text)
    if match is None:
        return None
    index = LETTERS.index(match.group(1).upper())
    return index if index < n_options else None


def _frame(questions: Sequence[Question], rows: dict[int, list[dict[str, Any]]], schema: pa.Schema) -> pd.DataFrame:
    columns = [name for name in schema.names if name not in KEYS.names]
    found = [{"question_id": q.question_id, **row} for i, q in enumerate(questions) for row in rows[i]]
    return pd.DataFrame(found, columns=columns)
