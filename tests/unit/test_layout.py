"""How the library's folders import each other, and what its modules are called."""

import ast
from pathlib import Path
import re
import subprocess
import sys

import pytest

from neuro2cardio.core.code_digest import LIBRARY

SCRIPTS = LIBRARY.parent
CHECKOUT = SCRIPTS.parents[1]
MODULES = [path for path in LIBRARY.rglob("*.py") if path.name != "__init__.py"]


def lint_imports(library: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's contracts on a copy of the library."""
    command = [Path(sys.executable).with_name("lint-imports"), CHECKOUT / "pyproject.toml", "--no-cache"]
    return subprocess.run(
        command, cwd=library, env={"PYTHONPATH": str(library)}, capture_output=True, text=True, check=False
    )


def test_the_library_keeps_its_contracts():
    done = lint_imports(SCRIPTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_import_that_points_upwards_is_found(tmp_path):
    for folder in (path.parent for path in LIBRARY.glob("*/__init__.py")):
        (tmp_path / "neuro2cardio" / folder.name).mkdir(parents=True)
        (tmp_path / "neuro2cardio" / folder.name / "__init__.py").touch()
    (tmp_path / "neuro2cardio" / "__init__.py").touch()
    (tmp_path / "neuro2cardio" / "core" / "downloads.py").write_text("from .. import config\n")
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    assert "neuro2cardio.core.downloads -> neuro2cardio.config" in done.stdout


def test_no_module_has_a_name_of_the_standard_library():
    names = {path.stem for path in [*MODULES, *SCRIPTS.glob("*.py")]}
    assert not names & sys.stdlib_module_names


def test_a_script_with_the_name_of_a_module_serves_that_module():
    packages = [path.parent for path in LIBRARY.glob("*/*/__init__.py")]
    for script in SCRIPTS.glob("*.py"):
        lines = [node for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.ImportFrom)]
        imported = {f"{line.module}.{alias.name}" for line in lines for alias in line.names}
        imported |= {str(line.module) for line in lines}
        for path in [*MODULES, *packages]:
            if path.stem == script.stem:
                assert ".".join(path.relative_to(SCRIPTS).with_suffix("").parts) in imported, (script, path)


def test_rule_files_share_one_namespace_and_give_each_name_once():
    files = [CHECKOUT / "Snakefile", *sorted((CHECKOUT / "workflow/rules").glob("*.smk"))]
    assert len(files) > 5
    name = re.compile(r"^ *(?:([A-Z_]{2,}) = |def (\w+)\()", re.MULTILINE)
    given = ["".join(found) for file in files for found in name.findall(file.read_text())]
    assert {"SETTINGS", "per_attempt"} <= set(given)
    assert {name for name in given if given.count(name) > 1} == set()


def test_the_readme_names_every_folder():
    table = (CHECKOUT / "README.md").read_text(encoding="utf-8").split("## Where things are")[1]
    named = set(re.findall(r"`(?:workflow/|\.\.\./)?([\w.]+)/(?:scripts/|neuro2cardio/)*`", table))
    named |= set(re.findall(r"`([\w.]+)/`", table)) | {"scripts", "neuro2cardio"}
    done = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    folders = {path.split("/")[0] for path in done.stdout.splitlines() if "/" in path} - {"workflow"}
    folders |= {path.parent.name for path in LIBRARY.glob("*/__init__.py")}
    folders |= {path.name for path in (CHECKOUT / "workflow").iterdir() if path.is_dir()}
    assert folders - named == set()


GENERATED = {"calibration.md", "lexicon-sample.md", "licences.md", "performance.md"}


@pytest.mark.parametrize(
    "page",
    [path for path in (*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")) if path.name not in GENERATED],
    ids=lambda path: path.name,
)
def test_lines_of_documents_are_at_most_100_characters(page: Path):
    """Tables, code and links that stand alone may be longer."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    long = [line for line in prose.splitlines() if len(line) > 100 and not line.lstrip().startswith(("|", "<", "["))]
    assert long == []
