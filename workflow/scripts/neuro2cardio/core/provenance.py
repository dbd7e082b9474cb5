"""Digests, versions and run records: what a file was made from. Light to import: the Snakefile does."""

import ast
from functools import cache
import hashlib
from importlib import metadata
from pathlib import Path

_LIBRARY = Path(__file__).parents[1]


def sha256(path: Path | str) -> str:
    """Hex digest of a file's bytes."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def git_blob_id(data: bytes) -> str:
    """The id git gives a file: ``sha1("blob <length>\\0" + bytes)``."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def text_digest(*texts: str) -> str:
    """First 16 hex of the sha256 over texts, each ended so that no two lists of texts look alike."""
    return hashlib.sha256(b"".join(t.encode() + b"\0" for t in texts)).hexdigest()[:16]


def folder_state(folder: Path) -> str:
    """Digest of the names, sizes and times of a folder's files: cheap, and another one where a file changed."""
    files = sorted(path for path in folder.expanduser().glob("*") if path.is_file())
    return text_digest(*(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files))


def versions(*packages: str) -> dict[str, str]:
    """Installed versions by package name."""
    return {name: metadata.version(name) for name in packages}


@cache
def code_digest(*modules: str) -> str:
    """Digest of library modules and all they import from the library, blind to comments, docstrings and layout.

    Snakemake does not see edits of imported modules. As a parameter of a rule, this makes exactly those jobs run again
    whose code says something else.
    """
    files = sorted(set().union(*(_closure(_path(name)) for name in modules)))
    return text_digest(*(_meaning(path) for path in files))


def _path(name: str) -> Path:
    path = _LIBRARY / (name.replace(".", "/") + ".py")
    return path if path.exists() else _LIBRARY / name.replace(".", "/") / "__init__.py"


def _closure(path: Path, seen: frozenset[Path] = frozenset()) -> set[Path]:
    found = {path}
    for imported in _imports(path):
        if imported not in seen | found:
            found |= _closure(imported, seen | found)
    return found


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Library files that a file imports, by relative import at any depth."""
    found = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                inside = [f"{name}.{alias.name}" for alias in node.names] if node.module else []
                found += [f for n in [name, *inside] if (f := _file(base, n)) is not None]
    return tuple(dict.fromkeys(found))


def _file(base: Path, name: str) -> Path | None:
    stem = base / name.replace(".", "/")
    return next((f for f in (stem.with_suffix(".py"), stem / "__init__.py") if f.is_file()), None)


@cache
def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(line: ast.AST) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
