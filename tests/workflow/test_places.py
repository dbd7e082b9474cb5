"""The workflow from anywhere: another working directory, odd paths, a read-only checkout, a moved one, and as a module.

One small grid is run whole, with all of these at once; the other tests make only what takes seconds.
"""

from collections.abc import Iterator
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

import pytest
from tiny_grid import CHECKOUT, PARTS, Checkout, environment
import yaml

SNAKEMAKE = Path(sys.executable).with_name("snakemake")
SMALL = {
    "grid.specialties": ["Cardiology", "Neurology"],
    "grid.controls": [],
    "recipes.completion.epochs": 1,
}
FIRST = ("train_sets", "test_split")
"""Targets that need no model and take seconds."""


def bare_environment() -> dict[str, str]:
    """Ours without the folder of this Python in PATH, as in a terminal where nothing was activated."""
    inherited = environment()
    folders = [f for f in inherited["PATH"].split(os.pathsep) if Path(f) != SNAKEMAKE.parent]
    return {k: v for k, v in inherited.items() if k != "VIRTUAL_ENV"} | {"PATH": os.pathsep.join(folders)}


def without_root_rights() -> list[str]:
    """What comes before a command so that file modes hold for it, too, where root runs the tests."""
    if os.geteuid() != 0:
        return []
    # Through one capability alone root may write whatever the modes say. The command gives that one up.
    prefix = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("root can write everywhere here, and setpriv is missing or not allowed")
    return prefix


def start(checkout: Path, directory: Path, *arguments: str, prefix: list[str] | None = None) -> subprocess.Popen[str]:
    """Snakemake by its path, from a directory that is neither the checkout nor where results go."""
    command = [*(prefix or []), SNAKEMAKE, "-s", checkout / "Snakefile", "--directory", directory, *arguments]
    return subprocess.Popen(
        command,
        cwd=directory.parent,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def finish(run: subprocess.Popen[str], timeout: float = 300) -> str:
    """What a run said, after it succeeded."""
    said, _ = run.communicate(timeout=timeout)
    assert run.returncode == 0, said[-6000:]
    return said


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def a_checkout(at: Path) -> Path:
    """The parts of this checkout that the workflow runs from."""
    at.mkdir(parents=True)
    for part in PARTS:
        source = CHECKOUT / part
        if source.is_dir():
            shutil.copytree(source, at / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, at / part)
    return at


def a_study(new_grid: Checkout, at: Path, experiment: str = "tiny") -> Path:
    """A user's directory: a configuration and data, nothing of the workflow."""
    at.mkdir(parents=True)
    for name in ("config.yaml", "questions.json", "lexicon.json"):
        shutil.copy2(new_grid / name, at / name)
    Checkout(at).configure({**SMALL, "experiment": experiment})
    return at


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_checkout(tmp_path_factory.mktemp("shipped") / "Prüfung mit Lücken")


@pytest.fixture(scope="module")
def finished(new_grid: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A checkout that nobody may write to, and a study elsewhere that was run whole from it."""
    root = tmp_path_factory.mktemp("places")
    checkout, study = a_checkout(root / "Geräte & Öfen" / "neuro 2 cardio"), a_study(new_grid, root / "Meine Studie ß")
    before = snapshot(checkout)
    folders = [checkout, *(path for path in checkout.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        finish(start(checkout, study, "--cores", "1", prefix=without_root_rights()))
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert snapshot(checkout) == before
    yield checkout, study


def test_a_read_only_checkout_makes_a_whole_study_in_another_directory(finished: tuple[Path, Path]):
    _, study = finished
    assert (study / "results/tiny/report/index.html").is_file()
    assert (study / "results/tiny/figures/tiny/completion/transfer-cloze.png").is_file()
    # Beside it, where Snakemake was started, nothing was left.
    assert {path.name for path in study.parent.iterdir()} == {"Geräte & Öfen", "Meine Studie ß"}


def test_a_moved_checkout_and_a_moved_study_rerun_nothing(finished: tuple[Path, Path]):
    checkout, study = finished
    assert "Nothing to be done" in finish(start(checkout, study, "--dry-run"))
    checkout = checkout.rename(checkout.with_name("moved"))
    assert "Nothing to be done" in finish(start(checkout, study, "--dry-run"))
    study = study.rename(study.with_name("moved study"))
    assert "Nothing to be done" in finish(start(checkout, study, "--dry-run"))


def test_two_studies_share_one_checkout_at_the_same_time(new_grid: Checkout, shipped: Path, tmp_path: Path):
    studies = [a_study(new_grid, tmp_path / name, name) for name in ("first", "second")]
    runs = [start(shipped, study, "--cores", "1", *FIRST) for study in studies]
    for run in runs:
        finish(run)
    for study in studies:
        assert [path.name for path in (study / "results").iterdir()] == [study.name]
        assert (study / "results" / study.name / "test_split/questions.parquet").is_file()


def test_a_configuration_is_found_from_where_the_user_stands(new_grid: Checkout, shipped: Path, tmp_path: Path):
    study = a_study(new_grid, tmp_path / "study")
    Checkout(study).configure({"experiment": "own"})
    (study / "config.yaml").rename(tmp_path / "own settings.yaml")
    said = finish(start(shipped, study, "--dry-run", "--printshellcmds", *FIRST, "--configfile", "own settings.yaml"))
    assert "results/own/" in said


def test_as_a_module_with_the_configuration_of_another_workflow(new_grid: Checkout, shipped: Path, tmp_path: Path):
    study = a_study(new_grid, tmp_path / "their study", "theirs")
    settings = yaml.safe_load((study / "config.yaml").read_text())
    (study / "config.yaml").write_text(yaml.safe_dump({"ours": 1, "study": settings}))
    (study / "Snakefile").write_text(
        f"""
configfile: "config.yaml"


module neuro2cardio:
    snakefile:
        "{shipped / "Snakefile"}"
    config:
        config["study"]


use rule * from neuro2cardio as study_*


rule ours:
    input:
        "results/theirs/train_sets/cardiology.parquet",
    output:
        "count.txt",
    shell:
        "wc -c {{input}} > {{output}}"
"""
    )
    run = subprocess.run(
        [SNAKEMAKE, "--cores", "1", "ours"],
        cwd=study,
        env=bare_environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-6000:]
    assert re.fullmatch(r"\d+ results/theirs.*\n", (study / "count.txt").read_text())


def refused(run: subprocess.Popen[str]) -> str:
    """What a run said, after it stopped with a sentence and no traceback."""
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1, said[-3000:]
    assert "Traceback" not in said
    return said


def test_results_may_be_a_link_to_another_disk(new_grid: Checkout, shipped: Path, tmp_path: Path):
    study, scratch = a_study(new_grid, tmp_path / "study"), tmp_path / "scratch"
    scratch.mkdir()
    (study / "results").symlink_to(scratch)
    finish(start(shipped, study, "--cores", "1", *FIRST))
    assert (scratch / "tiny/test_split/questions.parquet").is_file()
    assert (study / "results").is_symlink()


def test_results_that_vanished_are_not_computed_anew_in_silence(new_grid: Checkout, shipped: Path, tmp_path: Path):
    study = a_study(new_grid, tmp_path / "study")
    (study / "results").symlink_to(tmp_path / "scratch")
    for arguments in (("--dry-run",), ("--cores", "1")):
        assert f"results is a link to {tmp_path / 'scratch'}, which is not there" in refused(
            start(shipped, study, *arguments)
        )
    assert not (tmp_path / "scratch").exists()


def test_what_the_command_line_names_and_is_not_there_is_said_in_a_sentence(
    new_grid: Checkout, shipped: Path, tmp_path: Path
):
    study = a_study(new_grid, tmp_path / "study")
    (tmp_path / "mine.yaml").write_text("a: 1\n")
    said = refused(start(shipped, study, "--dry-run", "--configfile", "mime.yaml"))
    assert said.endswith("error: there is no configuration file mime.yaml; did you mean 'mine.yaml'?\n")
    said = refused(start(shipped, tmp_path / "mine.yaml", "--dry-run"))
    assert said.endswith("mine.yaml is a file; name a folder, which need not exist\n")


def test_results_without_write_access_stop_before_the_first_job(new_grid: Checkout, shipped: Path, tmp_path: Path):
    study = a_study(new_grid, tmp_path / "study")
    (study / "results").mkdir(mode=0o555)
    said = refused(start(shipped, study, "--cores", "1", *FIRST, prefix=without_root_rights()))
    assert "results does not allow writing" in said
    # To look at what would run needs no right to write.
    finish(start(shipped, study, "--dry-run", *FIRST, prefix=without_root_rights()))
    # But Snakemake's own folder has to be there.
    shutil.rmtree(study / ".snakemake")
    study.chmod(0o555)
    said = refused(start(shipped, study, "--dry-run", *FIRST, prefix=without_root_rights()))
    assert "study does not allow writing, and .snakemake goes there" in said
