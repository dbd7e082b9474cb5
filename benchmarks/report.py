"""The report of a simulated full grid: megabytes, seconds and memory to make it and to open it in a headless Chromium.

PYTHONPATH=workflow/scripts:tests:tests/unit:tests/report python benchmarks/report.py [--models 30] [--questions 600]
"""

import argparse
from pathlib import Path
import random
import resource
import tempfile
import time

from browser import Browser, launch
import planted
from test_page import SETTINGS, results

from neuro2cardio.core import specialties, tables
from neuro2cardio.core.adapters import Axes
from neuro2cardio.report import collect, page

_LETTERS = "eeeeettttaaaooiinnsshhrrddllucmwfygpbvk"


def _words(draw: random.Random, n: int) -> str:
    return " ".join("".join(draw.choices(_LETTERS, k=draw.randint(2, 9))) for _ in range(n))


def _with_prose(folder: Path) -> None:
    """Give each question a text of its own, as long as S-MedQA's, that compresses no better than English."""
    draw = random.Random(0)
    vocabulary = _words(draw, 4000).split()
    path = folder / "test_split/questions.parquet"
    asked = tables.read(path, tables.QUESTIONS)
    asked["stem"] = [" ".join(draw.choices(vocabulary, k=110)) for _ in range(len(asked))]
    asked["options"] = [[" ".join(draw.choices(vocabulary, k=3)) for _ in range(4)] for _ in range(len(asked))]
    tables.write(asked, path, tables.QUESTIONS)


def _simulate(folder: Path, models: int, questions: int) -> Axes:
    train_sets = [specialties.slug(name) for name in specialties.SPECIALTIES] + ["mixed"]
    names = [f"model-{i}" for i in range(models)]
    axes = planted.axes_of(train_sets, models=names, recipes=("completion", "full"), seeds=(1, 2, 3))
    results(folder, axes, each=questions)
    _with_prose(folder)
    return axes


def _make(folder: Path, axes: Axes, path: Path) -> None:
    start = time.process_time()
    collected = collect.collect(folder, axes, SETTINGS)
    path.write_text(page.render(collected, "A simulated full grid"), encoding="utf-8")
    seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    n = len(axes.everything()) - len(axes.model)
    print(f"{n} adapters, {len(collected.data['questions'])} questions: {path.stat().st_size / 1e6:.1f} MB", end=", ")
    print(f"made in {seconds:.0f} s of CPU time, peak memory of the process {peak:.1f} GB")
    print(f"left out: {collected.left_out}")


def _open(path: Path, profile: Path) -> None:
    driver = launch(profile)
    opened = Browser(driver)
    print(f"opened in {min(opened.open(path) for _ in range(3)):.1f} s (best of three); complaints: {opened.errors()}")
    heap = driver.execute_cdp_cmd("Runtime.getHeapUsage", {})
    print(f"JavaScript heap {heap['usedSize'] / 1e6:.0f} MB, buffers {heap.get('backingStorageSize', 0) / 1e6:.0f} MB")
    driver.quit()


def main() -> None:
    """Print the figures of docs/report.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--questions", type=int, default=60, help="test questions a specialty")
    parser.add_argument("--keep", type=Path, help="where to write the page")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, path = Path(scratch) / "results", args.keep or Path(scratch) / "index.html"
        axes = _simulate(folder, args.models, args.questions)
        _make(folder, axes, path)
        _open(path, Path(scratch) / "profile")


if __name__ == "__main__":
    main()
