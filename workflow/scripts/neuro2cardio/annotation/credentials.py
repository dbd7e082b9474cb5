"""The key for a server: where it is read from, where it may be sent, and that no message shows it."""

import base64
from collections.abc import Iterable
import html
from ipaddress import ip_address
import json
import os
import re
from urllib.parse import quote, quote_plus, urlsplit

from ..config.annotation import OpenAIAnnotator
from ..core.errors import InputError

OPENAI_VARIABLE = "OPENAI_API_KEY"
_HIDDEN = "[key]"
_SHORTEST = 6
"""Shorter ones ("none", "EMPTY") are placeholders for servers without keys, and ordinary words."""
_PIECE = 8
"""So many characters of a key in a row are blanked wherever they stand."""
_SKIPPED = re.compile(r"\\[nrt]|[\s\"'\u200b\u00ad]+")
"""What may stand inside a key that was broken over lines or quoted in pieces."""
_USERINFO = re.compile(r"(?<=://)[^\s\"'@]+@")
_AUTHORIZATION = re.compile(r"(authorization[\s\"'\\]*[:=][\s\"'\\b]*(?:bearer|basic)\s+)[^\s\"',;}\]]+", re.IGNORECASE)
_MASKED = re.compile(r"([\w-]*)(?:\*{2,}|\.{3}|…|•{2,}|[xX]{4,})[*.…•]*([\w-]*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Redactor:
    """Blanks secrets in a text, in whatever form they appear.

    It finds the secret itself, pieces of it (8 characters or more), the secret broken over lines, percent-encoded,
    escaped (JSON, HTML), in hexadecimal, and in Base64, also inside a longer text (``user:password``). Names and
    passwords in URLs and what an ``Authorization`` header holds are blanked whatever they are.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
        forms = {_squeezed(form)[0] for secret in self._secrets for form in _forms(secret)}
        self._pieces: dict[int, set[str]] = {}
        for form in forms:
            size = min(_PIECE, len(form))
            pieces = {form[i : i + size] for i in range(len(form) - size + 1)}
            self._pieces.setdefault(size, set()).update(pieces)

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        text = _AUTHORIZATION.sub(rf"\1{_HIDDEN}", _USERINFO.sub("[hidden]@", text))
        text = _MASKED.sub(self._masked, text)
        squeezed, places = _squeezed(text)
        spans: list[tuple[int, int]] = []
        for size, pieces in self._pieces.items():
            spans += [(i, i + size) for i in range(len(squeezed) - size + 1) if squeezed[i : i + size] in pieces]
        for start, end in reversed(_merged(spans)):
            text = text[: places[start]] + _HIDDEN + text[places[end - 1] + 1 :]
        return text

    def message(self, text: str, longest: int = 400) -> str:
        """The text without secrets on one line, without control characters, cut to a readable length."""
        line = " ".join(_CONTROL.sub(" ", self(text)).split())
        return line if len(line) <= longest else line[: longest - 3] + "..."

    def _masked(self, match: re.Match[str]) -> str:
        """Servers quote a wrong key as ``sk-ab*****yz``."""
        start, end = (part.casefold() for part in match.groups())
        for secret in map(str.casefold, self._secrets):
            if (len(start) > 1 and secret.startswith(start)) or (len(end) > 1 and secret.endswith(end)):
                return _HIDDEN
        return match.group()


def find_key(settings: OpenAIAnnotator) -> str:
    """The key to send to the server of ``settings``; empty where it gets none.

    It comes from the environment variable that ``key_variable`` names and from nowhere else. Without one, the server
    gets no key, except OpenAI's own, which gets that of ``OPENAI_API_KEY``; no other remote server gets that one.

    Raises:
        InputError: The variable is not set (and the server is not this machine), holds something that no header can
            carry, or would travel unencrypted or to another company than its own.
    """
    url = urlsplit(settings.base_url)
    host = url.hostname or ""
    variable = key_variable(settings)
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if is_this_machine(host):
        return _checked(key, variable)
    if variable == OPENAI_VARIABLE and not _is_openai(host):
        raise InputError(
            f"key_variable: {variable} is sent to openai.com alone; put the key for {host} into a variable of its own "
            "and name that"
        )
    if not key:
        raise InputError(f"set {variable} to the key for {host}; it is read from the environment only")
    if url.scheme != "https":
        raise InputError(
            f"base_url: {url.scheme}://{host} is not encrypted, and the key in {variable} would travel in the open; "
            "use https://, or a tunnel that ends on this machine, or leave out key_variable where no key is needed"
        )
    return _checked(key, variable)


def key_variable(settings: OpenAIAnnotator) -> str:
    """The environment variable whose key the server gets; empty where it gets none."""
    host = urlsplit(settings.base_url).hostname or ""
    return settings.key_variable or (OPENAI_VARIABLE if _is_openai(host) else "")


def is_this_machine(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _is_openai(host: str) -> bool:
    return host == "openai.com" or host.endswith(".openai.com")


def _checked(key: str, variable: str) -> str:
    """A key that an HTTP header can carry."""
    for place, character in enumerate(key, start=1):
        if not "!" <= character <= "~":
            raise InputError(
                f"{variable}: character {place} of {len(key)} of the key is U+{ord(character):04X}, which no key has "
                "and no HTTP header can carry; copy the key alone, without words or line breaks"
            )
    if key[:1] in "\"'" and key:
        raise InputError(f"{variable}: the key stands in quotation marks; remove them")
    return key


def _forms(secret: str) -> list[str]:
    data = secret.encode("utf-8", "replace")
    escaped = "".join(f"\\u{ord(character):04x}" for character in secret)
    forms = [secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], escaped, data.hex(), data.hex(" "), data.hex(":")]
    forms += [html.escape(secret), quote(secret, safe=""), quote_plus(secret)]
    for offset in range(3):  # where the secret starts within a group of three bytes
        coded = base64.b64encode(bytes(offset) + data).decode().rstrip("=")
        whole = coded[(offset * 8 + 5) // 6 : (offset + len(data)) * 8 // 6]
        forms += [whole, whole.translate(str.maketrans("+/", "-_"))]
    return [form for form in forms if len(form) >= _SHORTEST]


def _squeezed(text: str) -> tuple[str, list[int]]:
    """The text in lower case without what may interrupt a key, and where each of its characters stood."""
    kept = [True] * len(text)
    for match in _SKIPPED.finditer(text):
        kept[match.start() : match.end()] = [False] * (match.end() - match.start())
    places = [i for i, keep in enumerate(kept) if keep]
    return "".join(_lower(text[i]) for i in places), places


def _lower(character: str) -> str:
    """One character stays one character, so that places are kept."""
    lower = character.lower()
    return lower if len(lower) == 1 else character


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
