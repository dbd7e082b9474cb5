"""An annotator behind a server that speaks OpenAI's protocol, asked over the network and paid for."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from ..config.annotation import OpenAIAnnotator
from ..core.errors import InputError
from . import prompts
from .annotators import ANSWERS
from .connection import Connection
from .reading import Reading, read_answer
from .requests import Budget, CostEstimate, Dispatcher, Request, TokenPrices, estimate
from .responses import Response, ResponseCache


class Server:
    """A chat model behind any server that speaks OpenAI's protocol."""

    def __init__(
        self, settings: OpenAIAnnotator, candidates: Sequence[str], texts: Mapping[str, str], cache: Path
    ) -> None:
        self._settings, self._candidates, self._texts = settings, candidates, texts
        self._cache = cache

    def requests(self, questions: pd.DataFrame) -> list[Request]:
        """All requests, prompt by prompt within a question, so that a budget that runs out leaves whole questions."""
        return [
            self._request(row.question_id, way, sample, prompts.fill(text, row.stem, row.options, self._candidates))
            for row in questions.itertuples()
            for way, text in self._texts.items()
            for sample in range(self._settings.samples)
        ]

    def estimate(self, questions: pd.DataFrame) -> CostEstimate:
        """What is left to ask and what it would cost. Sends nothing."""
        return estimate(self.requests(questions), ResponseCache.peek(self._cache), self._prices)

    def annotate(self, questions: pd.DataFrame) -> pd.DataFrame:
        """Ask what is not in the cache, then read all answers from it. Raises `InputError`; responses are kept."""
        requests, given = self.requests(questions), self._settings
        budget = Budget(given.max_requests, given.max_cost, self._prices)
        with closing(Connection(given)) as connection, ResponseCache.opened(self._cache) as cache:
            dispatcher = Dispatcher(
                connection.ask,
                cache,
                budget,
                attempts=given.attempts,
                concurrency=given.concurrency,
                per_minute=given.requests_per_minute,
            )
            failed = dispatcher.run(requests)
            self._check(failed, len(requests))
            return pd.DataFrame([self._answer(r, cache.get(r.key), failed) for r in requests], columns=ANSWERS.names)

    def _request(self, question_id: str, way: str, sample: int, message: str) -> Request:
        given = self._settings
        parameters: dict[str, float] = {given.limit_parameter: given.max_tokens}
        if given.seed is not None:
            parameters["seed"] = given.seed + sample
        if given.temperature is not None:
            parameters["temperature"] = given.temperature
        return Request(question_id, way, sample, given.model, message, parameters, given.max_tokens)

    @property
    def _prices(self) -> TokenPrices | None:
        given = self._settings.prices
        return TokenPrices(given.input, given.output) if given else None

    def _check(self, failed: dict[str, str], total: int) -> None:
        if len(failed) > self._settings.max_unanswered * total:
            reason = next(iter(failed.values()))
            raise InputError(
                f"{len(failed)} of {total} requests got no answer ({reason}), more than max_unanswered "
                f"{self._settings.max_unanswered:g}; the others are kept; run again to ask for these"
            )

    def _answer(self, request: Request, response: Response | None, failed: dict[str, str]) -> tuple[Any, ...]:
        text, reading = "", Reading("", "")
        if response is None:
            reading = Reading("", failed[request.key])
        elif response.finish_reason.startswith("unreadable"):
            reading = Reading("", response.finish_reason)
        else:
            reading = read_answer(response.text, self._candidates, response.finish_reason == "length")
            text = response.text
        asked = (request.question_id, request.prompt, request.sample)
        return (*asked, text, reading.label, reading.problem, [], [], reading.thoughts)
