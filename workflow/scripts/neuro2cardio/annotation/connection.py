"""One request to a server with OpenAI's chat completions, sent once, and what its answer means for the work."""

from collections.abc import Mapping
import html
import json
import os
from pathlib import Path
import re
import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2

from ..config.annotation import OpenAIAnnotator
from ..core.errors import InputError
from . import completions
from .credentials import Redactor, find_key, is_this_machine, key_variable
from .requests import Refused, Request, Retryable, Stopped
from .responses import Response

_PASSING = frozenset({408, 409, 425, 429})
_NO_MONEY = re.compile(
    r"insufficient[_ ](quota|balance|credits?|funds)|billing[_ ](hard[_ ]limit|not[_ ]active)|exceeded your current "
    r"quota|credit balance|payment required|out of credits",
    re.IGNORECASE,
)
_MODERATED = re.compile(r"moderation|flagged|content[_ ]policy|content[_ ]filter|safety", re.IGNORECASE)
_REFUSES = re.compile(
    r"support|unknown|unrecognized|unexpected|extra|permitted|allowed|invalid|forbidden|not a valid", re.IGNORECASE
)
_INSTEAD = {
    "seed": "seed: null",
    "temperature": "temperature: null",
    "max_tokens": "limit_parameter: max_completion_tokens",
    "max_completion_tokens": "limit_parameter: max_tokens",
}
"""Parameters that some servers refuse, and the setting with which they are asked without."""


class Connection:
    """A server, with its key. All messages about it are made here, and none of them shows the key."""

    def __init__(self, settings: OpenAIAnnotator) -> None:
        self._settings = settings
        self._key = find_key(settings)
        self._variable = key_variable(settings)
        self._redact = Redactor([self._key, *_proxy_passwords()])
        self._client = _client(settings, self._redact)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._client.close()

    def ask(self, request: Request) -> Response:
        """Send a request once.

        Raises:
            Retryable: No answer came, and one may come later.
            Refused: The server will not answer this request.
            Stopped: The server will not answer any: a wrong key, no money, an unknown model.
        """
        try:
            answer = self._client.post(
                f"{self._settings.base_url.rstrip('/')}/chat/completions",
                json={
                    "model": request.model,
                    "messages": [{"role": "user", "content": request.message}],
                    **request.parameters,
                },
                headers={"Idempotency-Key": request.key, **self._authorization()},
            )
        except httpx2.TimeoutException:
            raise Retryable(f"timeout after {self._settings.timeout_seconds:g} s", answered=False) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
            # `from None`: the library's error can hold the header with the key.
            raise Retryable(self._unreached(error), answered=False) from None
        if answer.status_code != 200:
            raise self._failure(answer.status_code, answer.content, answer.headers, request)
        return self._response(answer, request)

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def _response(self, answer: httpx2.Response, request: Request) -> Response:
        try:
            value = completions.parse(answer.content)
            if value.get("error") and not value.get("choices"):
                raise self._failure(_status_in(value["error"]), answer.content, answer.headers, request)
            response = completions.read(value, request.bound)
        except completions.NotACompletion as error:
            raise Retryable(str(error), answered=False) from None
        except RecursionError:
            return Response("", "unreadable: nested too deep", request.bound)
        return Response(self._redact(response.text), response.finish_reason, response.usage)

    def _unreached(self, error: Exception) -> str:
        through = ""
        if not is_this_machine(urlsplit(self._settings.base_url).hostname or ""):
            names = _set_variables("http_proxy", "https_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir")
            through = f" ({', '.join(names)} set)" if names else ""
        return self._redact.message(
            f"connection to {self._settings.base_url}: {error or type(error).__name__}{through}"
        )

    def _failure(self, status: int, body: bytes, headers: Mapping[str, str], request: Request) -> Exception:
        """What a status means for the work, in the server's own words."""
        said = self._redact.message(server_words(body))
        what = self._redact.message(f"{self._settings.base_url} answered {status}") + (f": {said}" if said else "")
        if status == 401:
            return Stopped(f"{what}; {self._about_key()}")
        if status == 402 or _NO_MONEY.search(said):
            return Stopped(f"{what}; the account cannot pay for more")
        if status == 403 and not _MODERATED.search(said):
            return Stopped(f"{what}; the server refuses access")
        if status == 404:
            return Stopped(f"{what}; it has no model {self._settings.model!r}, or base_url is wrong")
        if status == 407:
            return Stopped(
                f"{what}; the proxy in {_names('http_proxy', 'https_proxy', 'all_proxy')} asks for a password"
            )
        if 300 <= status < 400:
            target = self._redact.message(headers.get("location", "nowhere"))
            return Stopped(f"{what}: it sends requests on to {target}; name that address in base_url if you trust it")
        if status in _PASSING or status >= 500 or status < 400:
            return Retryable(what, _retry_after(headers))
        for name in request.parameters:
            if _refuses(said, name):
                return Stopped(f"{what}; it does not take {name}: set {_INSTEAD[name]} for this annotator")
        return Refused(what)

    def _about_key(self) -> str:
        if self._key:
            return f"the key in {self._variable} is not accepted"
        return "it asks for a key: put it into an environment variable, and name that in key_variable"


def server_words(body: bytes) -> str:
    """The reason that a server gives in the body of an error, in whichever place it keeps it."""
    text = completions.plain(body.decode("utf-8", "replace"))
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return html.unescape(re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL))
    return _words(value)


def _words(value: Any, depth: int = 0) -> str:
    """The first text under the names that servers use, with the error's code behind it."""
    if isinstance(value, str):
        return value
    if depth > 3:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_words(item, depth + 1) for item in value[:3])))
    if not isinstance(value, Mapping):
        return ""
    for name in ("error", "message", "detail", "msg", "errors", "error_description", "reason"):
        found = _words(value.get(name), depth + 1)
        if found:
            codes = [value.get(key) for key in ("code", "type", "param", "loc")]
            shown = [
                ".".join(map(str, c)) if isinstance(c, list) else str(c) for c in codes if isinstance(c, str | list)
            ]
            more = [code for code in dict.fromkeys(shown) if code and code not in found]
            return f"{found} ({', '.join(more)})" if more else found
    return ""


def _status_in(error: Any) -> int:
    """The status of an error that came with 200; one that passes where it names none."""
    code = error.get("code", error.get("status")) if isinstance(error, Mapping) else None
    number = int(code) if isinstance(code, str) and code.isdecimal() and len(code) == 3 else code
    return number if isinstance(number, int) and 400 <= number < 600 else 500


def _refuses(said: str, parameter: str) -> bool:
    about_length = parameter.startswith("max_") and "context" in said.casefold()
    named = re.search(rf"\b{parameter}\b", said, re.IGNORECASE) is not None
    return named and _REFUSES.search(said) is not None and not about_length


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _client(settings: OpenAIAnnotator, redact: Redactor) -> httpx2.Client:
    """A client that goes straight to this machine, and to others through the proxies of the environment.

    Redirections are not followed: they would take the questions to an address that nobody named.
    """
    url = urlsplit(settings.base_url)
    here = is_this_machine(url.hostname or "")
    certificates = _certificates(url.scheme)
    try:
        return httpx2.Client(
            verify=certificates,
            trust_env=not here,
            follow_redirects=False,
            timeout=settings.timeout_seconds,
            headers={"Accept-Encoding": "identity", "User-Agent": "neuro2cardio"},
        )
    except ImportError:
        names = _names("http_proxy", "https_proxy", "all_proxy", holding="socks")
        raise InputError(
            f"{names}: a SOCKS proxy, which is not supported; name an HTTP proxy, or unset it for this command"
        ) from None
    except (ValueError, TypeError, httpx2.InvalidURL) as error:
        names = _names("http_proxy", "https_proxy", "all_proxy", "no_proxy")
        raise InputError(
            redact.message(f"{names}: not an address of a proxy ({error}); write it as http://host:port, or unset it")
        ) from None


def _certificates(scheme: str) -> ssl.SSLContext | bool:
    """The certificates to trust: those that the environment names, or the usual ones."""
    if scheme != "https":
        return False  # nothing is encrypted, so no certificate is looked at
    problem = _broken_certificates()
    if problem:
        raise InputError(problem)
    return httpx2.create_ssl_context()


def _broken_certificates() -> str:
    """What is wrong with the certificates that the environment names; empty where nothing is."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
        except OSError as error:  # of which the errors of ssl are kinds, too
            no_certificate = isinstance(error, ssl.SSLError)
            why = "it holds no certificate in PEM form" if no_certificate else os.strerror(error.errno or 0)
            return f"SSL_CERT_FILE: {file} is not a file of certificates ({why}); correct the variable, or unset it"
    if folder and not any(Path(part).is_dir() for part in folder.split(os.pathsep)):
        return f"SSL_CERT_DIR: {folder} is not a folder; correct the variable, or unset it"
    return ""


def _set_variables(*names: str) -> list[str]:
    """Those of some environment variables that are set, as they are written: these exist in two cases."""
    return [name for lower in names for name in (lower, lower.upper()) if os.environ.get(name)]


def _names(*names: str, holding: str = "") -> str:
    found = [name for name in _set_variables(*names) if holding in os.environ[name].casefold()]
    return ", ".join(found) or "the proxy's variable"


def _proxy_passwords() -> list[str]:
    passwords: list[str] = []
    for proxy in getproxies().values():
        try:
            parts = urlsplit(proxy)
            if parts.password:
                passwords += [parts.password, f"{parts.username}:{parts.password}"]
        except ValueError:
            continue
    return passwords
