"""What was paid for is kept: an append-only file of requests sent and responses received, on the disk before use."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
import fcntl
from io import FileIO
import json
import os
from pathlib import Path
import re
import threading
from typing import Any, Self

from ..core.errors import InputError

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Usage:
    """Tokens of one request: read and written."""

    input_tokens: int
    output_tokens: int

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)


@dataclass(frozen=True)
class Response:
    """What a server answered. ``finish_reason`` is `length` where it stopped at the token limit."""

    text: str
    finish_reason: str
    usage: Usage

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """A response as a line of the file has it. Lines of older versions hold what servers sent as it came."""
        text, reason = record["text"], record["finish_reason"]
        return cls(
            _SURROGATE.sub("\ufffd", text) if isinstance(text, str) else "",
            reason if isinstance(reason, str) else "",
            _usage(record["usage"]),
        )


class ResponseCache:
    """Responses by request key, in a JSONL file that is only ever appended to.

    Before a request leaves, a `sent` line with the most it can cost is written; then its `response`, or `failed` where
    the server refused it. A `sent` without either is in doubt: the server may have worked and charged for an answer
    that never arrived. Budgets count what is in doubt at its bound.

    A line that was cut off (a killed writer, a full disk) is passed over and counted in ``torn``, never deleted. One
    process at a time holds the file; a second one gets an `InputError`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = 0
        self._responses: dict[str, Response] = {}
        self._used = Usage(0, 0)
        self._in_doubt: dict[str, list[Usage]] = {}
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._cut = False

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Self]:
        """Hold the file for reading and appending until the block ends."""
        path.parent.mkdir(parents=True, exist_ok=True)
        cache = cls(path)
        with FileIO(path, "a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(f"{path}: another annotation is writing to it; wait for it, or stop it") from error
            cache._read()
            cache._file = handle
            yield cache

    @classmethod
    def peek(cls, path: Path) -> Self:
        """The cache as it stands, read-only; empty where there is none yet."""
        cache = cls(path)
        if path.exists():
            cache._read()
        return cache

    def get(self, key: str) -> Response | None:
        """The response to a request, where there is one."""
        return self._responses.get(key)

    def __len__(self) -> int:
        return len(self._responses)

    @property
    def used(self) -> Usage:
        """Tokens of all responses."""
        return self._used

    @property
    def in_doubt(self) -> list[Usage]:
        """Bounds of the requests that were sent and neither answered nor refused."""
        return [bound for bounds in self._in_doubt.values() for bound in bounds]

    def sent(self, key: str, bound: Usage) -> None:
        """Record that a request is about to leave."""
        self._append({"event": "sent", "key": key, "bound": asdict(bound)})

    def failed(self, key: str, reason: str) -> None:
        """Record that the server refused the request just sent, and so charged nothing."""
        self._append({"event": "failed", "key": key, "reason": reason})

    def put(self, key: str, response: Response, about: dict[str, Any]) -> None:
        """Record a response, with whatever helps to read the file by hand. It is on the disk when this returns."""
        self._append({"event": "response", "key": key, **asdict(response), "about": about})

    def _append(self, record: dict[str, Any]) -> None:
        if self._file is None:
            raise RuntimeError("the cache is open for reading only")
        line = json.dumps(record, ensure_ascii=False, sort_keys=True).encode() + b"\n"
        with self._lock:
            self._write(self._file, b"\n" + line if self._cut else line)
            self._take(record)

    def _write(self, file: FileIO, data: bytes) -> None:
        """Unbuffered, so that what a full disk refused is not written later behind our back."""
        self._cut = True
        while data:
            data = data[file.write(data) or 0 :]
        os.fsync(file.fileno())
        self._cut = False

    def _read(self) -> None:
        *lines, rest = self.path.read_bytes().split(b"\n")
        self._cut = bool(rest)
        for line in filter(None, [*lines, rest]):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                self.torn += 1

    def _take(self, record: dict[str, Any]) -> None:
        key, event = str(record["key"]), record["event"]
        doubts = self._in_doubt.setdefault(key, [])
        if event == "sent":
            doubts.append(_usage(record["bound"]))
        elif event == "failed":
            del doubts[-1:]
        elif event == "response":
            response = Response.from_record(record)
            self._responses.setdefault(key, response)
            self._used += response.usage
            del doubts[-1:]
        if not doubts:
            del self._in_doubt[key]


def _usage(value: Mapping[str, Any]) -> Usage:
    counts = (value.get(name) for name in ("input_tokens", "output_tokens"))
    return Usage(*(count if isinstance(count, int) and count >= 0 else 0 for count in counts))
