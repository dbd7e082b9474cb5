"""Make the page that a run ends in, from whatever of the grid is there."""

import argparse
from pathlib import Path

from neuro2cardio.core import errors, files
from neuro2cardio.report import collect, page
from neuro2cardio.report.run_settings import PageSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--results", type=Path, required=True, help="the experiment's folder under results/")
    parser.add_argument("--out", type=Path, required=True, help="the HTML file to write")
    args = parser.parse_args()
    settings = PageSettings.read(args.settings)
    collected = collect.collect(args.results, settings.axes, settings.config)
    files.write_text(args.out, page.render(collected, settings.config["experiment"]))
    for line in [*collected.missing, *collected.left_out]:
        print(line)
    print(f"open {args.out.resolve().as_uri()}")


if __name__ == "__main__":
    errors.run(main)
