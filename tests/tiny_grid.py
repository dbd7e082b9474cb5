"""A whole checkout with a grid of a tiny random model, for tests that run Snakemake: no download, seconds a job."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import hashlib
import json
import os
from pathlib import Path
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from filelock import FileLock
import pandas as pd
import pytest
import yaml

CHECKOUT = Path(__file__).parents[1]
PARTS = ("Snakefile", "workflow", "slurm", "profiles", "envs")
SPECIALTIES = {
    "Cardiology": ("angina", "heart block", "pericarditis", "aortic stenosis"),
    "Neurology": ("migraine", "seizure", "neuropathy", "stroke"),
    "Dermatology": ("eczema", "psoriasis", "urticaria", "acne"),
    "Gastroenterology": ("gastritis", "colitis", "hepatitis", "ileus"),
}
CONFIG = {
    "experiment": "tiny",
    "grid": {
        "specialties": list(SPECIALTIES),
        "controls": ["mixed"],
        "models": ["tiny"],
        "recipes": ["completion"],
        "seeds": [1],
    },
    "dataset": {"origin": {"source": "table", "files": {"all": "questions.json"}}, "min_train": 5, "min_test": 3},
    "models": {
        "tiny": {
            "source": "path",
            "load": "float32",
            "max_tokens": 400,
            "resources": {"gpu": 1, "threads": 1, "mem_mb": 1500, "train_minutes": 10, "infer_minutes": 10},
        }
    },
    "recipes": {
        "completion": {
            "loss": "completion",
            "form": "cloze",
            "rank": 2,
            "epochs": 10,
            "batch_size": 4,
            "micro_batch_size": 2,
            "checkpoint_steps": 5,
        }
    },
    "inference": {"methods": ["cloze"]},
    "terms": {"lexicon": {"backend": "json", "path": "lexicon.json"}, "contexts": ["prompt"]},
    "figures": {"formats": ["png"]},
}
_STARTED: list[subprocess.Popen[str]] = []
"""Runs of Snakemake, which a test that fails leaves behind."""

soak = pytest.mark.skipif("NEURO2CARDIO_SOAK" not in os.environ, reason="takes minutes: set NEURO2CARDIO_SOAK=1")


@dataclass(frozen=True)
class Checkout:
    """A copy of the checkout with its own configuration, questions and results."""

    directory: Path

    def __truediv__(self, path: str) -> Path:
        return self.directory / path

    def copy(self, to: Path) -> "Checkout":
        """Another one in the same state. Times of files are kept, for Snakemake goes by them."""
        shutil.copytree(self.directory, to, symlinks=True)
        return Checkout(to)

    def configure(self, change: dict[str, object]) -> None:
        """Change the configuration: {"a.b": value}."""
        config = yaml.safe_load((self / "config.yaml").read_text())
        for key, value in change.items():
            *path, last = key.split(".")
            part = config
            for step in path:
                part = part[step]
            part[last] = value
        (self / "config.yaml").write_text(yaml.safe_dump(config))

    def start(self, *arguments: str, log: str = "snakemake.out") -> subprocess.Popen[str]:
        """Snakemake in this directory and its own process group."""
        command = [sys.executable, "-m", "snakemake", *arguments]
        with (self / log).open("w") as out:
            run = subprocess.Popen(
                command,
                cwd=self.directory,
                env=environment(),
                stdout=out,
                stderr=out,
                text=True,
                start_new_session=True,
                # As from a terminal: what is started from tests in the background would be deaf to Ctrl-C, as they are.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        _STARTED.append(run)
        return run

    def snakemake(self, *arguments: str, expect: int = 0, timeout: float = 600) -> str:
        """Run Snakemake to its end and return what it said."""
        process = self.start(*arguments)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"snakemake {arguments} did not end in {timeout} s:\n{self.said()[-3000:]}")
        assert status == expect, self.said()[-6000:]
        return self.said()

    def said(self, log: str = "snakemake.out") -> str:
        return (self / log).read_text(errors="replace")

    def jobs(self, *arguments: str) -> dict[str, int]:
        """The jobs of a dry run: rule -> how many."""
        said = self.snakemake("--dry-run", *arguments)
        table = re.search(r"^Job stats:\njob +count\n[- ]+\n(.*?)\n\n", said, re.DOTALL | re.MULTILINE)
        if table is None:
            assert "Nothing to be done" in said, said[-3000:]
            return {}
        counts = {line.split()[0]: int(line.split()[1]) for line in table[1].splitlines()}
        return {rule: n for rule, n in counts.items() if rule not in ("all", "total")}

    def results(self) -> dict[str, str]:
        """Digests of everything computed, by path. What says how long it took, and when, is left out."""
        root = self / "results/tiny"
        files = {str(p.relative_to(root)): p for p in sorted(root.rglob("*")) if p.is_file()}
        return {
            name: hashlib.sha256(_lasting(path)).hexdigest()
            for name, path in files.items()
            if not name.startswith(("benchmarks/", "plan/", "job_cache/"))
        }


def _lasting(path: Path) -> bytes:
    """A file without the seconds that training took and the step it went on from."""
    if path.name == "training.csv":
        return pd.read_csv(path).drop(columns="seconds").to_csv().encode()
    if path.name == "run.json":
        record = json.loads(path.read_text())
        return json.dumps({k: v for k, v in record.items() if k not in ("seconds", "resumed_from_step")}).encode()
    return path.read_bytes()


def environment() -> dict[str, str]:
    """Ours, with this Python first in PATH, one thread a process, and no hub."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NEURO2CARDIO_", "SNAKEMAKE_"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**kept, "PATH": path, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def questions(per_specialty: int = 40) -> list[dict[str, object]]:
    """Questions of four specialties, all different."""
    draw = random.Random(0)
    return [
        {
            "question": f"Case {i} of {draw.randint(10, 10**6)}: a person of {20 + i} years, {draw.randint(1, 999)} "
            f"days ill, shows {options[0]} and {draw.randint(2, 99)} other signs. What is it called?",
            "options": options,
            "answer": options[0],
            "specialty": specialty,
        }
        for specialty, terms in SPECIALTIES.items()
        for i in range(per_specialty)
        for options in [draw.sample(terms, 4)]
    ]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder that all processes of this test run share; what is in it is made by one of them and then only read."""
    several = hasattr(request.config, "workerinput")
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if several else folder) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def made_once(directory: Path, make: Callable[[Path], None]) -> Path:
    """A folder that the first process to come makes, under another name until it is whole."""
    with FileLock(directory.with_suffix(".lock")):
        if not directory.exists():
            making = directory.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            make(making)
            making.rename(directory)
    return directory


@pytest.fixture(scope="session")
def new_grid(shared: Path, tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> Checkout:
    """A checkout in which nothing was run yet."""

    def make(directory: Path) -> None:
        for part in PARTS:
            source = CHECKOUT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, directory / part)
        (directory / "config.yaml").write_text(yaml.safe_dump(CONFIG))
        # One model for all processes: its folder stands in the settings that a result was made from.
        model = shutil.copytree(tiny_model(), shared / "tiny", dirs_exist_ok=True)
        Checkout(directory).configure({"models.tiny.path": str(model)})
        (directory / "questions.json").write_text(json.dumps(questions()))
        terms = {term: [specialty] for specialty, names in SPECIALTIES.items() for term in names}
        (directory / "lexicon.json").write_text(json.dumps(terms))

    whole = Checkout(made_once(shared / "new", make))
    return whole.copy(tmp_path_factory.mktemp("grid") / "new")


@pytest.fixture(scope="session")
def finished_grid(new_grid: Checkout, shared: Path) -> Checkout:
    """The same after an undisturbed run on this machine."""

    def make(directory: Path) -> None:
        shutil.copytree(new_grid.directory, directory, symlinks=True, dirs_exist_ok=True)
        Checkout(directory).snakemake("--cores", "2")

    return Checkout(made_once(shared / "finished", make))


@pytest.fixture
def grid(finished_grid: Checkout, tmp_path: Path) -> Iterator[Checkout]:
    """A copy of the finished grid, to do things to."""
    yield finished_grid.copy(tmp_path / "grid")
    for run in _STARTED:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    _STARTED.clear()
    shutil.rmtree(tmp_path / "grid", ignore_errors=True)


def wait_for(condition, seconds: float, what: str) -> object:
    """The condition's first true value. Fails the test where it does not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"waited {seconds} s for {what}")
    return None


def changed(before: dict[str, str], after: dict[str, str]) -> Counter[str]:
    """Paths of which two results differ, or that stand in one of them only."""
    return Counter(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
