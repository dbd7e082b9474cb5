"""Draw all figures of one model and recipe from the result tables."""

import argparse
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd
from tqdm import tqdm

from neuro2cardio.analysis import figures
from neuro2cardio.config.analysis import Figures
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import adapters, errors, tables

TABLES = (
    "transfer_matrix",
    "changes_against",
    "training_checks",
    "diagonal",
    "position_bias",
    "term_shift",
    "term_shift_grid",
    "probes",
)
ONLY_FOR = {"probes": "probes-", "changes_against": figures.AGAINST}
"""Tables that only some runs have, by how the names of their figures begin."""


class Settings(JobSettings):
    axes: adapters.Axes
    scope: Literal["strict", "broad"]
    figures: Figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--tables", type=Path, required=True, help="folder of the result tables")
    parser.add_argument("--adapters", type=Path, required=True, help="folder with a training.csv for each adapter")
    parser.add_argument("--model", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--figures", nargs="+", required=True, help="file names without suffix")
    parser.add_argument("--out", type=Path, required=True, help="folder of the figures")
    args = parser.parse_args()
    settings = Settings.read(args.settings)

    read = {
        name: tables.read_csv(args.tables / f"{name}.csv", dtype={"seed": str})
        for name in TABLES
        if name not in ONLY_FOR or any(figure.startswith(ONLY_FOR[name]) for figure in args.figures)
    }
    curves = {
        (adapter.train_set, adapter.seed): pd.read_csv(adapter.path(args.adapters, "") / "training.csv")
        for adapter in settings.axes.adapters(args.model, args.recipe)
    }
    key = {"model": args.model, "recipe": args.recipe}
    known = (read, curves, settings.axes, key, settings.scope, settings.figures.colours)
    for name in tqdm(args.figures, unit="figure"):
        figures.save_widths(partial(figures.draw, name, *known), args.out / name, settings.figures.formats)


if __name__ == "__main__":
    errors.run(main)
