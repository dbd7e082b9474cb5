"""An annotator behind a server that speaks OpenAI's protocol, asked over the network and paid for."""

from collections.abc import Callable, Mapping, Sequence
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pandas as pd

from ..config.annotation import OpenAIAnnotator
from ..core.errors import InputError
from . import prompts
from .annotators import ANSWERS
from .labels import read_answer
from .requests import Budget, Dispatcher, Estimate, Prices, Refused, Request, Retryable, estimate
from .responses import Response, ResponseCache, Usage

if TYPE_CHECKING:
    import openai

_EXCERPT = 200


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

    def estimate(self, questions: pd.DataFrame) -> Estimate:
        """What is left to ask and what it would cost. Sends nothing."""
        return estimate(self.requests(questions), ResponseCache.peek(self._cache), self._prices)

    def annotate(self, questions: pd.DataFrame) -> pd.DataFrame:
        """Ask what is not in the cache, then read all answers from it. Raises `InputError`; responses are kept."""
        requests, given = self.requests(questions), self._settings
        budget = Budget(given.max_requests, given.max_cost, self._prices)
        with ResponseCache.opened(self._cache) as cache:
            dispatcher = Dispatcher(
                client(given),
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
        parameters: dict[str, float] = {given.limit_parameter: given.max_tokens, "seed": given.seed + sample}
        if given.temperature is not None:
            parameters["temperature"] = given.temperature
        return Request(question_id, way, sample, given.model, message, parameters, given.max_tokens)

    @property
    def _prices(self) -> Prices | None:
        given = self._settings.prices
        return Prices(given.input, given.output) if given else None

    def _check(self, failed: dict[str, str], total: int) -> None:
        if len(failed) > self._settings.max_unanswered * total:
            reason = next(iter(failed.values()))
            raise InputError(
                f"{len(failed)} of {total} requests got no answer ({reason}), more than max_unanswered "
                f"{self._settings.max_unanswered:g}; the others are kept; run again to ask for these"
            )

    def _answer(self, request: Request, response: Response | None, failed: dict[str, str]) -> tuple[Any, ...]:
        if response is None:
            text, label, problem = "", "", failed[request.key]
        else:
            reading = read_answer(response.text, self._candidates, response.finish_reason == "length")
            text, label, problem = response.text, reading.label, reading.problem
        return (request.question_id, request.prompt, request.sample, text, label, problem, [], [])


def client(settings: OpenAIAnnotator) -> Callable[[Request], Response]:
    """A function that sends one request once.

    The key comes from the environment alone and is never shown. Raises `InputError` where there is none and the server
    is not this machine.
    """
    import openai

    key = os.environ.get(settings.key_variable, "")
    host = urlsplit(settings.base_url).hostname or ""
    if not key and host not in ("localhost", "127.0.0.1", "::1"):
        raise InputError(f"set {settings.key_variable} to the key for {host}; it is read from the environment only")
    server = openai.OpenAI(
        base_url=settings.base_url, api_key=key or "none", max_retries=0, timeout=settings.timeout_seconds
    )
    return lambda request: _ask(server, request, settings)


def _ask(server: "openai.OpenAI", request: Request, settings: OpenAIAnnotator) -> Response:
    import openai

    try:
        answer = server.chat.completions.create(
            model=request.model,
            messages=[{"role": "user", "content": request.message}],
            extra_headers={"Idempotency-Key": request.key},
            extra_body=request.parameters,
        )
    except openai.APITimeoutError as error:
        raise Retryable(f"timeout after {settings.timeout_seconds:g} s", answered=False) from error
    except openai.APIConnectionError as error:
        raise Retryable(f"connection to {settings.base_url}: {error.__cause__ or error}", answered=False) from error
    except (openai.APIResponseValidationError, json.JSONDecodeError) as error:
        raise Retryable("a response that is not JSON", answered=False) from error
    except openai.APIStatusError as error:
        raise _status_error(error, settings) from error
    return _response(answer, request)


def _status_error(error: "openai.APIStatusError", settings: OpenAIAnnotator) -> Exception:
    """What a status means for the work. A server's words on a key are not repeated: some echo parts of it."""
    status = error.status_code
    if status in (401, 403):
        return InputError(f"{settings.base_url} answered {status}: the key in {settings.key_variable} is not accepted")
    if status == 404:
        return InputError(f"{settings.base_url} answered 404: it has no model {settings.model!r}, or base_url is wrong")
    if status in (408, 409, 429) or status >= 500:
        return Retryable(f"{settings.base_url} answered {status}", _retry_after(error))
    said = str(error.body or error.message).replace(os.environ.get(settings.key_variable) or "\0", "[key]")
    return Refused(f"{settings.base_url} answered {status}: {said[:_EXCERPT]}")


def _retry_after(error: "openai.APIStatusError") -> float | None:
    try:
        return max(0.0, float(error.response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _response(answer: Any, request: Request) -> Response:
    """Some servers answer 200 with an error or half a body: that is no answer, and may pass."""
    choices = getattr(answer, "choices", None)
    if not choices or choices[0].message is None:
        raise Retryable("a response without an answer", answered=False)
    used = answer.usage
    usage = Usage(used.prompt_tokens, used.completion_tokens) if used else request.bound
    return Response(choices[0].message.content or "", choices[0].finish_reason or "", usage)
