"""The five ways in which a question's specialty is asked. Their words are files that a user can edit."""

from collections.abc import Sequence
from pathlib import Path
from string import Template

from ..core.errors import InputError
from .labels import OTHERS

WAYS: tuple[str, ...] = ("plain", "explained", "examples", "list-last", "student")
"""The study's five: plainly; with an explanation; with examples; examples first and the list last; as a student."""
SHOWN = "shown.txt"
"""The file of answered questions that `$examples` stands for."""
FOLDER = Path(__file__).parent / "prompts"
_NEEDED = frozenset({"specialties", "stem", "options"})
_KNOWN = _NEEDED | {"examples"}


def load(folder: Path | None = None) -> dict[str, str]:
    """The prompts by way, with their examples in place, from ``folder`` or the project's own.

    Raises `InputError` for a missing file, a placeholder that is unknown, or one that is missing.
    """
    folder = folder or FOLDER
    texts = {way: _read(folder / f"{way}.txt") for way in WAYS}
    shown = (
        _read(folder / SHOWN) if any("examples" in Template(text).get_identifiers() for text in texts.values()) else ""
    )
    return {way: _checked(text, folder / f"{way}.txt", shown) for way, text in texts.items()}


def fill(prompt: str, stem: str, options: Sequence[str], candidates: Sequence[str]) -> str:
    """The user message for one question. What a question says is text, never a placeholder."""
    listed = "\n".join(f"- {option}" for option in options)
    return (
        Template(prompt)
        .substitute(stem=stem.strip(), options=listed, specialties=", ".join((*candidates, OTHERS)))
        .strip()
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: a prompt file that cannot be read ({error})") from error


def _checked(text: str, path: Path, shown: str) -> str:
    template = Template(text)
    if not template.is_valid():
        raise InputError(f"{path}: a lone $; write $$ for a dollar sign")
    found = set(template.get_identifiers())
    if found - _KNOWN:
        raise InputError(f"{path}: unknown placeholder ${min(found - _KNOWN)}; known: {_names(_KNOWN)}")
    if _NEEDED - found:
        raise InputError(f"{path}: needs the placeholders {_names(_NEEDED - found)}")
    answered = shown.strip().replace("$", "$$")
    return text.replace("${examples}", answered).replace("$examples", answered)


def _names(placeholders: frozenset[str] | set[str]) -> str:
    return ", ".join(f"${name}" for name in sorted(placeholders))
