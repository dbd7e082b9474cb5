"""Addresses of servers that the configuration names."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_HOST = re.compile(r"(?!-)[^\s/?#@:\\]+(?<![.-])\.?|[0-9a-f:.]+(%\w+)?", re.IGNORECASE)
_HIGHEST_PORT = 65535


def server_url(url: str) -> str:
    """Check the address of a server.

    Raises:
        ValueError: It has a name or password, no host, a port that there is not, blanks, or a query.
    """
    if "@" in url:
        raise ValueError(
            "a name or password in a URL would be written to records and logs; put a key into an environment variable "
            "(for an annotator, name that in key_variable)"
        )
    if not re.match("https?://", url, re.IGNORECASE):
        raise ValueError("a URL starts with https://, or with http:// for a server on this machine")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not url.isprintable() or " " in url or not _HOST.fullmatch(host) or ".." in host:
        raise ValueError("not a URL; write it like http://localhost:8000/v1")
    if port is not None and not 0 < port <= _HIGHEST_PORT:
        raise ValueError(f"port {port} does not exist; write it like http://localhost:8000/v1")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("a URL with ? or # cannot be a base, to which paths are added")
    return url


ServerUrl = Annotated[str, AfterValidator(server_url)]
