"""One self-contained HTML page. It makes no request, and text of the data is never read as markup."""

import base64
import gzip
import hashlib
from itertools import pairwise
import json
from pathlib import Path
import re
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markdown_it import MarkdownIt
import plotly

from .collect import Collected

_HERE = Path(__file__).parent
_METHODS = _HERE.parents[3] / "docs/methods.md"


def render(page: Collected, title: str, script: str = "page.js") -> str:
    """The page as HTML text. Equal content gives equal bytes.

    Args:
        page: What it shows.
        title: Its heading.
        script: The script that draws it: `page.js` for a run, `compare.js` for differences between runs.
    """
    scripts = [_plotly(), *((_HERE / name).read_text(encoding="utf-8") for name in ("kit.js", script))]
    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=select_autoescape(default=True))
    return environment.get_template("page.html").render(
        title=title,
        policy=_policy(scripts),
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        scripts=scripts,
        payload=payload(page),
        incomplete="This grid is not complete" if script == "page.js" else "Not everything could be compared",
        missing=page.missing,
        left_out=page.left_out,
        summary=page.data.get("summary", ""),
        methods=_definitions(),
    )


def payload(page: Collected) -> str:
    """Data and packed bytes as one text: base64 of gzip of a length, JSON of that length, and the bytes."""
    content = json.dumps(page.data, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=_plain).encode()
    whole = len(content).to_bytes(4, "little") + content + bytes(page.packed)
    # Without a time in its header, so that equal content gives equal bytes.
    return base64.b64encode(gzip.compress(whole, compresslevel=9, mtime=0)).decode()


def _plain(value: Any) -> Any:
    """What numpy and pathlib hold, as JSON."""
    return value.item() if hasattr(value, "item") else str(value)


def _plotly() -> str:
    return (Path(plotly.__file__).parent / "package_data/plotly.min.js").read_text(encoding="utf-8")


def _policy(scripts: list[str]) -> str:
    """Forbids everything but the page's own scripts. Styles are inline, for the plotting library writes its own."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _anchor(heading: str) -> str:
    """The table that a heading defines; its words where it names none."""
    named = re.search(r"`(?:\w+/)?(\w+)\.(?:csv|json|txt)`", heading)
    return named[1] if named else "-".join(re.findall(r"[a-z0-9]+", heading.lower()))


def _definitions() -> str:
    """docs/methods.md as HTML, its headings as anchors; markup inside it is shown as text."""
    if not _METHODS.is_file():
        return ""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(_METHODS.read_text(encoding="utf-8"))
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", "method-" + _anchor(inline.content))
            heading.tag = f"h{min(int(heading.tag[1]) + 2, 6)}"
        if heading.type == "inline":
            continue
    for token in tokens:
        if token.type == "heading_close":
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    return str(reader.renderer.render(tokens, reader.options, {}))
