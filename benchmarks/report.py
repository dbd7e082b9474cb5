"""The report of a simulated full grid: megabytes, seconds to make, seconds to open in a headless Chromium.

PYTHONPATH=workflow/scripts:tests:tests/unit:tests/report python benchmarks/report.py [--models 3]
"""

import argparse
from pathlib import Path
import tempfile
import time

from browser import Browser, launch
import planted
from test_page import SETTINGS, results

from neuro2cardio.core import specialties
from neuro2cardio.report import collect, page


def main() -> None:
    """Print the figures of docs/report.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--questions", type=int, default=60, help="test questions a specialty")
    parser.add_argument("--keep", type=Path, help="where to write the page")
    args = parser.parse_args()
    train_sets = [specialties.slug(name) for name in specialties.SPECIALTIES] + ["mixed"]
    models = [f"model-{i}" for i in range(args.models)]
    axes = planted.axes_of(train_sets, models=models, recipes=("completion", "full"), seeds=(1, 2, 3))
    with tempfile.TemporaryDirectory() as scratch:
        folder = results(Path(scratch) / "results", axes, each=args.questions, stem="A patient with angina. " * 20)
        start = time.monotonic()
        made = page.render(collect.collect(folder, axes, SETTINGS), "A simulated full grid")
        seconds = time.monotonic() - start
        path = args.keep or Path(scratch) / "index.html"
        path.write_text(made, encoding="utf-8")
        n = len(axes.everything()) - len(models)
        size = path.stat().st_size / 1e6
        print(f"{n} adapters, {15 * args.questions} questions: {size:.1f} MB, made in {seconds:.0f} s")
        driver = launch(Path(scratch) / "profile")
        opened = Browser(driver)
        print(f"opened in {min(opened.open(path) for _ in range(3)):.1f} s (best of 3); complaints: {opened.errors()}")
        heap = driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"] / 1e6
        print(f"JavaScript heap {heap:.0f} MB")
        driver.quit()


if __name__ == "__main__":
    main()
