"""Every question answered by one model, with or without an adapter, and its terms' log-probabilities on the way."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from .logprobs import Query, Reading, Values
from .prompting import LETTERS, Prompter, Question, Tokens
from .registry import LoadedModel
from .term_logprobs import Mention, MentionSpans

Mentions = Mapping[str, Sequence[Mention]]
_BRACKETED = re.compile(r"\[\s*([A-Za-z])\s*\]")
_LONE_LETTER = re.compile(r"^\W*([A-Z])(?![A-Za-z])")


@dataclass(frozen=True)
class Scores:
    """Rows of the tables `predictions` and `term_logprobs`, without the adapter's key columns."""

    predictions: pd.DataFrame
    term_logprobs: pd.DataFrame


@dataclass(frozen=True)
class _Posed:
    """One question in all forms: queries to read, what each is, prompts to continue, and its mentions' places."""

    question: Question
    queries: list[Query]
    parts: list[tuple[Method, int, Tokens]]
    prompts: list[tuple[int, ...]]
    terms: MentionSpans


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
    ) -> Scores:
        """Answers and term log-probabilities of all questions; ``progress`` wraps the batches.

        The longest questions come first, so that a batch that is too large for the memory shows at once. Rows come back
        in the order of the questions. Raises `InputError` where the model's numbers are not finite.
        """
        order = sorted(range(len(questions)), key=lambda i: (-len(questions[i].stem), i))
        size = self.inference.batch_questions
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        answers: dict[int, list[dict[str, Any]]] = {}
        terms: dict[int, list[dict[str, Any]]] = {}
        for batch in progress(batches):
            posed = [self._pose(questions[i], mentions.get(questions[i].question_id, ())) for i in batch]
            for i, (rows, term_rows) in zip(batch, self._score_batch(posed), strict=True):
                answers[i], terms[i] = rows, term_rows
        return Scores(_frame(questions, answers, PREDICTIONS), _frame(questions, terms, TERM_LOGPROBS))

    def score_naive(
        self, question: Question, mentions: Sequence[Mention]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The reference for `score`: one sequence at a time, nothing shared, nothing left out."""
        posed = self._pose(question, mentions)
        values = [logprobs.read_naive(self.model, query) for query in posed.queries]
        texts = [
            logprobs.generate_naive(self.model, p, self.inference.max_new_tokens, self._ends) for p in posed.prompts
        ]
        bare = [(s, logprobs.read_naive(self.model, s.query())) for s in self._bare(question, mentions)]
        return self._answers(posed, values, texts), self._term_rows(posed, values, bare)

    @property
    def _ends(self) -> tuple[int, ...]:
        """The token with which the chat template ends an answer, which need not be the model's end-of-text token."""
        return self.prompter.end_ids[-1:]

    def _score_batch(self, posed: list[_Posed]) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
        values = logprobs.read(self.model, [p.queries for p in posed])
        texts: list[list[tuple[int, ...]]] = [[] for _ in posed]
        if "generate" in self.inference.methods:
            prompts = [p.prompts for p in posed]
            texts = logprobs.generate(self.model, prompts, self.inference.max_new_tokens, self._ends)
        bare = [[(s, s.query()) for s in self._bare(p.question, p.terms.mentions)] for p in posed]
        flat = iter(logprobs.read(self.model, [[query] for row in bare for _, query in row])) if any(bare) else iter(())
        for p, v, t, row in zip(posed, values, texts, bare, strict=True):
            yield self._answers(p, v, t), self._term_rows(p, v, [(spans, next(flat)[0]) for spans, _ in row])

    def _pose(self, question: Question, mentions: Sequence[Mention]) -> _Posed:
        forms = [(m, p) for m in self.inference.methods for p in range(permutations(self.inference, m, question))]
        cut = self.prompter.cut(question, forms, reserve=self.inference.max_new_tokens)
        asked = [part for method, p in forms for part in self._ask(question, method, p, cut)]
        parts = [(method, p, tokens) for method, p, tokens, _ in asked]
        queries = [query for *_, query in asked]
        # The stem's tokens are the same in every form: its terms are read in the first.
        spans = MentionSpans.find(parts[0][2], mentions)
        if "prompt" in self.terms.contexts:
            queries[0] = Query(queries[0].ids, (*spans.readings(), *queries[0].readings))
        prompts = [tokens.ids for method, _, tokens in parts if method == "generate"]
        return _Posed(question, queries, parts, prompts, spans)

    def _ask(
        self, question: Question, method: Method, permutation: int, cut: int
    ) -> Iterator[tuple[Method, int, Tokens, Query]]:
        """The queries of a question in one form: one for each option's text, or one for all letters."""
        if method == "cloze":
            for option in question.options:
                tokens = self.prompter.pose(question, method, option, permutation, cut)
                readings = tuple(Reading(i, (tokens.ids[i],)) for i in range(tokens.answer, len(tokens.ids)))
                yield method, permutation, tokens, Query(tokens.ids[:-1], readings)
        elif method == "letter":
            # The prompt as it is tokenised with an answer behind it, for which any letter will do.
            tokens = self.prompter.pose(question, method, LETTERS[0], permutation, cut)
            reading = Reading(tokens.answer, self.prompter.letter_ids(len(question.options)))
            yield method, permutation, tokens, Query(tokens.ids[: tokens.answer], (reading,))
        else:
            tokens = self.prompter.pose(question, method, "", permutation, cut)
            yield method, permutation, tokens, Query(tokens.ids, ())

    def _bare(self, question: Question, mentions: Sequence[Mention]) -> list[MentionSpans]:
        if "bare" not in self.terms.contexts:
            return []
        return [MentionSpans.find(self.prompter.bare(question.stem, self.terms.lowercase_bare), mentions)]

    def _answers(self, posed: _Posed, values: list[Values], texts: list[tuple[int, ...]]) -> list[dict[str, Any]]:
        rows: dict[tuple[Method, int], list[float]] = {}
        generated = iter(texts)
        chosen: dict[tuple[Method, int], int] = {}
        for (method, p, tokens), read in zip(posed.parts, values, strict=True):
            n = len(posed.question.options)
            if method == "cloze":
                length = len(tokens.ids) - tokens.answer
                rows.setdefault((method, p), []).append(float(np.mean([v[0] for v in read[-length:]])))
            elif method == "letter":
                rows[method, p] = [float(read[-1][(i + p) % n]) for i in range(n)]
            else:
                text = self.prompter.tokenizer.decode(list(next(generated)), skip_special_tokens=True)
                letter = parse_letter(str(text), n)
                rows[method, p] = []
                chosen[method, p] = -1 if letter is None else (letter - p) % n
        return [self._answer(posed.question, key, logprobs, chosen.get(key)) for key, logprobs in rows.items()]

    def _answer(
        self, question: Question, key: tuple[Method, int], logprobs: list[float], chosen: int | None
    ) -> dict[str, Any]:
        if not np.isfinite(logprobs).all():
            raise InputError(
                f"question {question.question_id}: the model's log-probabilities are not finite ({logprobs}); "
                "try dtype: float32, or a lower learning rate"
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

    def _term_rows(
        self, posed: _Posed, values: list[Values], bare: list[tuple[MentionSpans, Values]]
    ) -> list[dict[str, Any]]:
        rows = []
        if "prompt" in self.terms.contexts:
            rows += posed.terms.rows("prompt", values[0][: len(posed.terms.places)])
        for spans, read in bare:
            rows += spans.rows("bare", read)
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
