"""Write docs/licences.md: the licence of every package in the lock, as its own metadata states it."""

import argparse
from importlib import metadata
from pathlib import Path
import re

from packaging.requirements import Requirement

from neuro2cardio.core import errors, files

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = [CHECKOUT / "envs" / name for name in ("neuro2cardio.lock", "torch-cpu.txt")]
_HEAD = """# Licences of the dependencies

This workflow is MIT-licensed. Below is every package that `make setup` installs with the licence
that its own metadata states. The file is written by `make licences`; do not edit it by hand.
"""
_LONGEST = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", type=Path, nargs="+", default=LOCKS)
    parser.add_argument("--out", type=Path, default=CHECKOUT / "docs/licences.md")
    args = parser.parse_args()
    rows = [f"| {name} | {licence(name)} |" for name in packages(*args.lock)]
    files.write_text(args.out, "\n".join([_HEAD, "| package | licence |", "|---|---|", *rows]) + "\n")


def packages(*locks: Path) -> list[str]:
    """The names of the packages that these files pin for this platform, sorted."""
    lines = "\n".join(lock.read_text(encoding="utf-8") for lock in locks)
    pins = map(Requirement, re.findall(r"^[A-Za-z0-9][^\\\n]*==[^\\\n]*", lines, re.MULTILINE))
    return sorted({pin.name for pin in pins if pin.marker is None or pin.marker.evaluate()}, key=str.lower)


def licence(name: str) -> str:
    """What an installed package states: an SPDX expression, else a short text, else its classifiers."""
    try:
        stated = metadata.metadata(name)
    except metadata.PackageNotFoundError as error:
        raise errors.InputError(f"{name} is in the lock and not installed; run make setup") from error
    short = stated.get("License-Expression") or stated.get("License") or ""
    classifiers = [c.rsplit(" :: ", 1)[-1] for c in stated.get_all("Classifier") or [] if c.startswith("License ::")]
    if not short or "\n" in short or len(short) > _LONGEST or short == "UNKNOWN":
        known = [c for c in classifiers if not c.startswith("Other")]
        short = "; ".join(known) or _first_line(short) or _first_line(_licence_file(name)) or "not stated"
    return short.replace("|", "/").strip()


def _licence_file(name: str) -> str:
    """The text of the licence that an installed package comes with; empty where it comes with none."""
    for path in metadata.files(name) or []:
        if re.match(r"licen[cs]e|copying", path.name, re.IGNORECASE):
            return Path(path.locate()).read_text(encoding="utf-8", errors="replace")
    return ""


def _first_line(text: str) -> str:
    return next((line.strip()[:_LONGEST] for line in text.splitlines() if line.strip()), "")


if __name__ == "__main__":
    errors.run(main)
