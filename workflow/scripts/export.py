"""Export a finished run: adapters with model cards, files for lm-eval, tables and report, as an RO-Crate."""

import argparse
from pathlib import Path

from neuro2cardio.core import errors, files
from neuro2cardio.report import export
from neuro2cardio.report.run_settings import PageSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--results", type=Path, required=True, help="the experiment's folder under results/")
    parser.add_argument("--records", type=Path, required=True, help="the folder with a model.json for each base model")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    args = parser.parse_args()
    settings = PageSettings.read(args.settings)
    with files.atomic_write(args.out) as part:
        part.mkdir()
        export.Export(args.results, args.records, settings.axes, settings.config).write(part)
    for name in sorted(path.name for path in args.out.iterdir()):
        print(f"{args.out / name}")


if __name__ == "__main__":
    errors.run(main)
