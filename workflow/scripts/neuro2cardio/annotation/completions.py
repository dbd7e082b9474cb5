"""The body of a chat completion, whatever a server makes of it, as one plain response."""

from collections.abc import Mapping
import json
import re
from typing import Any

from .responses import Response, Usage

_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_NUMBER = 18
_MOST_TOKENS = 10**9
_AT_LIMIT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_REASON = re.compile(r"[a-z_]{1,32}")
_TEXT_PARTS = frozenset({"", "text", "output_text", "input_text"})


class NotACompletion(ValueError):
    """A body in which nothing was generated: an error page, an empty list of choices."""


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Bytes that are not UTF-8 become U+FFFD.

    Raises:
        NotACompletion: It is not a JSON object.
        RecursionError: It is nested deeper than any answer is.
    """
    try:
        value = json.loads(body.decode("utf-8-sig", "replace"), parse_int=_int)
    except ValueError:
        raise NotACompletion("a response that is not JSON") from None
    if not isinstance(value, dict):
        raise NotACompletion("a response that is not a JSON object")
    return value


def read(value: Mapping[str, Any], bound: Usage) -> Response:
    """A completion as a plain response: text, why it ended, and tokens.

    Text is the answer alone: of a list of parts, those that are text. Tokens that a server does not count, or counts
    as no whole number above zero, are taken at their ``bound``. What was generated and cannot be read comes back as an
    empty text whose reason starts with `unreadable`: it was paid for, and asking again would pay again.

    Raises:
        NotACompletion: Nothing was generated.
    """
    choices = value.get("choices")
    usage = usage_of(value.get("usage"), bound)
    if not isinstance(choices, list) or not choices:
        raise NotACompletion("a response without an answer")
    choice = choices[0]
    if not isinstance(choice, Mapping):
        return Response("", "unreadable: its choice is not an object", usage)
    message = choice.get("message")
    content = message if isinstance(message, Mapping) else choice
    text = next((found for key in ("content", "text", "refusal") if (found := text_of(content.get(key)))), "")
    return Response(plain(text), reason_of(choice.get("finish_reason")), usage)


def usage_of(value: Any, bound: Usage) -> Usage:
    """Tokens as a server counts them; the ``bound`` of each number that it does not give, or cannot mean."""
    given = value if isinstance(value, Mapping) else {}
    return Usage(
        _tokens(given.get("prompt_tokens", given.get("input_tokens")), bound.input_tokens, 1),
        _tokens(given.get("completion_tokens", given.get("output_tokens")), bound.output_tokens, 0),
    )


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts of which those that think are left out."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        kind = content.get("type", "")
        return text_of(content.get("text")) if isinstance(kind, str) and kind in _TEXT_PARTS else ""
    if isinstance(content, list):
        return "".join(text_of(part) for part in content if isinstance(part, str | Mapping))
    return ""


def reason_of(value: Any) -> str:
    """Why an answer ended, in a word; `length` for each of the names that servers have for the token limit."""
    reason = value.casefold() if isinstance(value, str) else ""
    if reason in _AT_LIMIT:
        return "length"
    return reason if _REASON.fullmatch(reason) else ""


def plain(text: str) -> str:
    """Text that every file can hold: half a surrogate pair becomes U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def _tokens(value: Any, bound: int, least: int) -> int:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < _LONGEST_NUMBER:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    usable = isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST_TOKENS
    return value if usable else bound


def _int(digits: str) -> int:
    """Python refuses to read very long numbers; no count here is one."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else -1
