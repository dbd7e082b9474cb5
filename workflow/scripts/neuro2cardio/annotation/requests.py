"""Sending requests that cost money: never twice, never past a budget, politely, and with every response kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
import hashlib
import json
import math
import signal
import threading
import time

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    wait_exponential,
)
from tqdm import tqdm

from ..core.errors import InputError
from ..core.signals import on_signal
from .responses import Response, ResponseCache, Usage

CHARACTERS_PER_TOKEN = 4.0
"""Of English prose, in the tokenizers of common models: the estimate until the first responses say better."""
_SAFE_CHARACTERS_PER_TOKEN = 2.0
"""For bounds: no text of this kind has so many tokens."""
_MESSAGE_TOKENS = 16
"""What a chat template puts around a message, generously."""
_LONGEST_WAIT = 60.0
_SIGNAL_SECONDS = 0.2
_FAILURES_IN_A_ROW = 3


class Retryable(Exception):
    """A failure that may pass: a timeout, 429, 500, a truncated stream.

    ``wait`` is what the server asked for, in seconds. ``answered`` is false if the server may have answered
    without our receiving it.
    """

    def __init__(self, reason: str, wait: float | None = None, answered: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.answered = answered


class Stopped(InputError):
    """The server will answer no request at all: a wrong key, an account without money, an unknown model."""


class Refused(Exception):
    """The server will not answer this one request, however often it is asked."""


@dataclass(frozen=True)
class Request:
    """One prompt for one question. ``model``, ``message``, ``parameters`` and ``sample`` make its key."""

    question_id: str
    prompt: str
    sample: int
    model: str
    message: str
    parameters: Mapping[str, float]
    max_tokens: int
    """Of the answer, under whatever name the parameters have it."""

    @cached_property
    def key(self) -> str:
        """Hex digest that identifies the request in the cache. The address of the server is not part of it."""
        parts = {
            "model": self.model,
            "message": self.message,
            "parameters": self.parameters,
            "sample": self.sample,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def bound(self) -> Usage:
        """The most tokens it can take."""
        return Usage(
            math.ceil(len(self.message.encode()) / _SAFE_CHARACTERS_PER_TOKEN) + _MESSAGE_TOKENS,
            self.max_tokens,
        )


@dataclass(frozen=True)
class TokenPrices:
    """Of a million tokens, in any currency."""

    input: float
    output: float

    def of(self, usages: Iterable[Usage]) -> float:
        """What tokens cost."""
        return sum(u.input_tokens * self.input + u.output_tokens * self.output for u in usages) / 1e6


@dataclass(frozen=True)
class Budget:
    """Limits over the life of a cache file. A request that could cross one is not sent."""

    max_requests: int | None = None
    max_cost: float | None = None
    prices: TokenPrices | None = None

    def check(self, cache: ResponseCache, bound: Usage) -> None:
        """Raise `InputError` where one more request, at its bound, would exceed a limit."""
        doubts = cache.in_doubt
        made = len(cache) + len(doubts)
        if self.max_requests is not None and made + 1 > self.max_requests:
            raise InputError(f"stopped before max_requests {self.max_requests}: {made} are made; all answers are kept")
        if self.max_cost is not None and self.prices is not None:
            spent = self.prices.of([cache.used, *doubts])
            if spent + self.prices.of([bound]) > self.max_cost:
                raise InputError(
                    f"stopped before max_cost {self.max_cost:g}: {spent:.4f} is spent, and the next request could cost "
                    f"{self.prices.of([bound]):.4f}; all answers are kept"
                )


@dataclass(frozen=True)
class CostEstimate:
    """What is left to do. ``most`` bounds the cost; ``cost`` is the estimate. None where no prices are configured."""

    requests: int
    cached: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    most: float | None
    measured: bool

    def __str__(self) -> str:
        how = "tokens a request as measured so far" if self.measured else "a token is about four characters"
        cost = "no prices configured" if self.cost is None else f"about {self.cost:.2f}, at most {self.most:.2f}"
        return (
            f"{self.cached} answers are kept; {self.requests} requests are left: about {self.input_tokens:,} tokens "
            f"in, {self.output_tokens:,} out ({how}); cost: {cost}"
        )


def estimate(requests: Sequence[Request], cache: ResponseCache, prices: TokenPrices | None) -> CostEstimate:
    """What the requests that are not in the cache would take, without sending any."""
    left = [r for r in requests if cache.get(r.key) is None]
    known = [(r, found) for r in requests if (found := cache.get(r.key)) is not None]
    bounds = [r.bound for r in left]
    if known:
        characters = sum(len(r.message) for r, _ in known)
        per_token = characters / max(1, sum(found.usage.input_tokens for _, found in known))
        output = round(len(left) * sum(found.usage.output_tokens for _, found in known) / len(known))
    else:
        per_token, output = CHARACTERS_PER_TOKEN, sum(bound.output_tokens for bound in bounds)
    usage = Usage(round(sum(len(r.message) for r in left) / per_token), output)
    cost = prices.of([usage]) if prices else None
    most = prices.of(bounds) if prices else None
    return CostEstimate(
        len(left), len(known), usage.input_tokens, usage.output_tokens, cost, most, measured=bool(known)
    )


class Pace:
    """At most so many requests a minute over all threads, and none while a server has asked to wait."""

    def __init__(self, per_minute: float | None, stop: threading.Event) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._stop = stop
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may leave, or at once when the work is being stopped."""
        with self._lock:
            start = max(self._next, time.monotonic())
            self._next = start + self._gap
        self._stop.wait(max(0.0, start - time.monotonic()))

    def pause(self, seconds: float) -> None:
        """Hold all requests back for a while."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class Dispatcher:
    """Sends what is not in the cache, in order, from a few threads.

    ``ask`` sends one request once and raises `Retryable`, `Refused` or `Stopped`. After an error that ends the work,
    or a signal, requests that were already sent are waited for: their answers are paid for.
    """

    def __init__(
        self,
        ask: Callable[[Request], Response],
        cache: ResponseCache,
        budget: Budget,
        *,
        attempts: int,
        concurrency: int,
        per_minute: float | None,
        first_wait: float = 0.5,
    ) -> None:
        self._ask, self._cache, self._budget = ask, cache, budget
        self._attempts, self._concurrency = attempts, concurrency
        self._exponential = wait_exponential(multiplier=first_wait, max=_LONGEST_WAIT)
        self._stop = threading.Event()
        self._pace = Pace(per_minute, self._stop)
        self._admission = threading.Lock()
        self._error: BaseException | None = None
        self._in_a_row = 0

    def run(self, requests: Sequence[Request]) -> dict[str, str]:
        """Send all requests that have no response yet. Returns the reason for each key that got none.

        Raises `InputError` on a wrong key, an exhausted budget, or three requests in a row without an answer. A server
        that refuses single requests (for their content, or length) is no reason to stop once it has answered others.
        """
        left = [r for r in {r.key: r for r in requests}.values() if self._cache.get(r.key) is None]
        failed: dict[str, str] = {}
        stopping = on_signal(self._stop.set, signal.SIGTERM, signal.SIGINT)
        with stopping, tqdm(total=len(left), unit="request", mininterval=5) as bar:
            queue = iter(left)
            with ThreadPoolExecutor(self._concurrency) as pool:
                workers = [pool.submit(self._work, queue, failed, bar) for _ in range(self._concurrency)]
                while wait(workers, _SIGNAL_SECONDS).not_done:
                    pass  # a thread that waits without end does not notice signals
        if isinstance(self._error, Stopped):
            raise InputError(f"{self._error}; {len(self._cache)} answers are kept; run again to go on") from None
        if self._error is not None:
            raise self._error
        if self._stop.is_set():
            raise InputError(f"stopped by a signal; {len(self._cache)} answers are kept; run again to go on")
        return failed

    def _work(self, queue: Iterator[Request], failed: dict[str, str], bar: "tqdm[None]") -> None:
        while not self._stop.is_set():
            with self._admission:
                request = next(queue, None)
            if request is None:
                return
            try:
                self._send(request)
                self._in_a_row = 0
            except Refused as refusal:
                failed[request.key] = f"refused: {refusal}"
                if not len(self._cache):
                    self._count_failure(str(refusal))
            except Retryable as failure:
                failed[request.key] = f"no response: {failure}"
                self._count_failure(str(failure))
            except BaseException as error:  # the other threads must end well before it is raised
                self._end(error)
            bar.update()

    def _send(self, request: Request) -> None:
        """Send a request until it is answered or refused, or its attempts are used up."""
        retrying = Retrying(
            retry=retry_if_exception_type(Retryable),
            stop=stop_after_attempt(self._attempts),
            wait=self._wait_after_failure,
            sleep=sleep_using_event(self._stop),
            reraise=True,
        )
        retrying(self._send_once, request)

    def _send_once(self, request: Request) -> None:
        self._pace.wait()
        if self._stop.is_set():
            return
        with self._admission:
            self._budget.check(self._cache, request.bound)
            self._cache.sent(request.key, request.bound)
        try:
            response = self._ask(request)
        except Retryable as failure:
            if failure.answered:
                self._cache.failed(request.key, str(failure))
            raise
        except (Refused, InputError) as refusal:
            self._cache.failed(request.key, str(refusal))
            raise
        about = {"question_id": request.question_id, "prompt": request.prompt, "sample": request.sample}
        self._cache.put(request.key, response, {**about, "model": request.model, **request.parameters})

    def _wait_after_failure(self, state: RetryCallState) -> float:
        """Seconds before the next attempt. What a server asks for holds all requests back, not this one alone."""
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, Retryable) and failure.wait is not None:
            self._pace.pause(min(failure.wait, _LONGEST_WAIT))
            return 0.0
        return self._exponential(state)

    def _count_failure(self, reason: str) -> None:
        self._in_a_row += 1
        if self._in_a_row >= _FAILURES_IN_A_ROW:
            kept = f"{len(self._cache)} answers are kept; run again to go on"
            self._end(InputError(f"{self._in_a_row} requests in a row got no answer ({reason}); {kept}"))

    def _end(self, error: BaseException) -> None:
        self._error = self._error or error
        self._stop.set()
