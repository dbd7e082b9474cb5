"""Digest of the code that a command runs, so that exactly the jobs run again whose code came to say something else.

Snakemake does not see edits of imported modules. From a script of ``workflow/scripts`` on, this follows names to the
functions, classes and constants of the library that the script reaches, and digests these. Comments, docstrings,
layout, error messages and what is printed do not count, nor does what cannot change a number (`LEFT_OUT`). Light to
import: the Snakefile does.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from .provenance import text_digest

SCRIPTS = Path(__file__).parents[2]
LIBRARY = Path(__file__).parents[1]
LEFT_OUT = (
    *("config", "core/errors.py", "core/files.py", "core/provenance.py", "core/code_digest.py"),
    *("core/job_cache.py", "core/downloads.py", "core/locks.py", "core/gpus.py", "core/imports.py"),
)
"""Files and folders of the library that cannot change a number: settings classes, whose values reach a job as
parameters; messages, atomic writes, digests, the job cache and downloads, whose bytes are checked."""
_WORDS = frozenset({"help", "description", "epilog", "metavar"})
"""Keyword arguments of a command line's parser that only a reader sees."""


@dataclass(frozen=True, eq=False)
class _Statement:
    """A top-level statement. Its text and what it refers to are worked out once for all scripts that reach it."""

    node: ast.stmt
    imports: dict[str, tuple[Path, str | None]]
    """Those of its file."""

    @cached_property
    def text(self) -> str:
        return ast.unparse(self.node)

    @cached_property
    def refers_to(self) -> tuple[frozenset[tuple[Path, str]], frozenset[str]]:
        """Attributes of library modules, as file and name; and names of its own file.

        A module that is used other than by an attribute is one of the latter, and so counts as a whole.
        """
        elsewhere, bases, here = set(), set(), set()
        nodes = list(ast.walk(self.node))
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                source, name = self.imports.get(node.value.id, (None, None))
                if source is not None and name is None:
                    bases.add(id(node.value))
                    elsewhere.add((source, node.attr))
        for node in nodes:
            if isinstance(node, ast.Name) and id(node) not in bases:
                here.add(node.id)
        return frozenset(elsewhere), frozenset(here)


@dataclass(frozen=True)
class _Module:
    """A file as the names that it defines."""

    path: Path
    definitions: dict[str, list[_Statement]]
    """Top-level name -> the statements that bind it."""
    imports: dict[str, tuple[Path, str | None]]
    """Name -> the library file that it comes from and its name there; None where it is the module itself."""
    always: list[_Statement]
    """What runs on import besides definitions."""


@cache
def code_digest(script: str, scripts: Path = SCRIPTS) -> str:
    """Digest of a script of ``workflow/scripts``, named without suffix, and of all library code that it reaches."""
    reached = _Walk(scripts / "neuro2cardio").reached(scripts / f"{script}.py")
    return text_digest(*sorted(statement.text for statement in reached))


class _Walk:
    def __init__(self, library: Path) -> None:
        self.library = library
        self.left: list[tuple[_Module, _Statement]] = []
        self.modules: set[Path] = set()
        self.names: set[tuple[Path, str]] = set()

    def reached(self, script: Path) -> Iterator[_Statement]:
        """All statements that count, from a script on, each once."""
        self._enter(_module(script, self.library))
        while self.left:
            module, statement = self.left.pop()
            elsewhere, here = statement.refers_to
            for path, name in elsewhere:
                self._need(path, name)
            for name in here:
                self._need_here(module, name)
            yield statement

    def _enter(self, module: _Module) -> None:
        if module.path not in self.modules:
            self.modules.add(module.path)
            self.left += [(module, statement) for statement in module.always]

    def _need_here(self, module: _Module, name: str) -> None:
        if name in module.definitions and (module.path, name) not in self.names:
            self.names.add((module.path, name))
            self.left += [(module, statement) for statement in module.definitions[name]]
        if name in module.imports:
            self._need(*module.imports[name])

    def _need(self, path: Path, name: str | None) -> None:
        """A name of a library file; all of it where the name is None, or is bound in a way that is not followed."""
        if _is_left_out(path.relative_to(self.library)):
            return
        module = _module(path, self.library)
        self._enter(module)
        if name is not None and (name in module.definitions or name in module.imports):
            self._need_here(module, name)
        elif name is not None and (inside := _file(path.parent, name)) and path.name == "__init__.py":
            self._need(inside, None)
        else:
            for each in (*module.definitions, *module.imports):
                self._need_here(module, each)


@cache
def _is_left_out(path: Path) -> bool:
    return any(path == Path(left) or Path(left) in path.parents for left in LEFT_OUT)


@cache
def _module(path: Path, library: Path) -> _Module:
    tree = _Words().visit(ast.parse(path.read_text(encoding="utf-8")))
    module = _Module(path, {}, dict(_imports(tree, path, library)), [])
    for node in (part for each in tree.body for part in _one_name_each(each)):
        names = list(_bound(node))
        statement = _Statement(node, module.imports)
        for name in names:
            module.definitions.setdefault(name, []).append(statement)
        if not names and not _is_for_types_alone(node):
            module.always.append(statement)
    return module


def _one_name_each(statement: ast.stmt) -> list[ast.stmt]:
    """An import of several names as an import of each, so that one more on its line changes nothing."""
    match statement:
        case ast.Import(names=aliases):
            return [ast.Import(names=[alias]) for alias in aliases]
        case ast.ImportFrom(module=module, names=aliases, level=level):
            return [ast.ImportFrom(module=module, names=[alias], level=level) for alias in aliases]
    return [statement]


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a top-level statement binds and does nothing else."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in aliases)


def _is_for_types_alone(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
    return False


def _imports(tree: ast.AST, path: Path, library: Path) -> Iterator[tuple[str, tuple[Path, str | None]]]:
    """Names that a file imports from the library, at any depth: relative, or under the library's own name."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        parts = (node.module or "").split(".") if node.module else []
        if node.level:
            base = path.parents[node.level - 1]
        elif parts and parts[0] == library.name:
            base, parts = library, parts[1:]
        else:
            continue
        source = _file(base, *parts)
        for alias in node.names:
            inside = _file(base, *parts, alias.name)
            if inside is not None:
                yield alias.asname or alias.name, (inside, None)
            elif source is not None:
                yield alias.asname or alias.name, (source, alias.name)


def _file(base: Path, *parts: str) -> Path | None:
    stem = base.joinpath(*parts)
    candidates: Iterable[Path] = (stem.with_name(f"{stem.name}.py"), stem / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


class _Words(ast.NodeTransformer):
    """Takes out what only a reader sees: docstrings, error messages, what is printed, a command line's help."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        match node.value:
            case ast.Constant(value=str()) | ast.Call(func=ast.Name(id="print")):
                return None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        node.cause = None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node.func:
            case ast.Name(id="InputError") | ast.Attribute(attr="InputError"):
                node.args, node.keywords = [], []
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in ("add_argument", "ArgumentParser"):
                node.keywords = [keyword for keyword in node.keywords if keyword.arg not in _WORDS]
        return self.generic_visit(node)
