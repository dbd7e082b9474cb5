"""Compare the results of runs: one page with what differs between them, and how sure that is."""

import argparse
from pathlib import Path

from neuro2cardio.core import errors, files, tables
from neuro2cardio.report import comparison, page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="results folders; all others are compared with the first")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    args = parser.parse_args()
    collected, differences = comparison.collect(args.runs)
    names = [row[0] for row in collected.data["runs"]["rows"]]
    made = page.render(collected, " and ".join(names), "compare.js")
    if not differences.empty:
        tables.write_csv(differences, args.out / "differences.csv")
    files.write_text(args.out / "index.html", made)
    for line in [*collected.missing, *collected.left_out]:
        print(line)
    print(f"open {(args.out / 'index.html').resolve().as_uri()}")


if __name__ == "__main__":
    errors.run(main)
