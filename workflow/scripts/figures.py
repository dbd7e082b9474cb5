"""Draw all figures of one model and recipe from the result tables."""

import argparse
import json
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from neuro2cardio.analysis import figures
from neuro2cardio.config.analysis import Figures
from neuro2cardio.core import adapters, errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path, required=True, help="folder of the result tables")
    parser.add_argument("--adapters", type=Path, required=True, help="folder with a training.csv for each adapter")
    parser.add_argument("--model", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--settings", required=True, help="JSON with axes, scope and figures")
    parser.add_argument("--figures", nargs="+", required=True, help="file names without suffix")
    parser.add_argument("--out", type=Path, required=True, help="folder of the figures")
    args = parser.parse_args()
    settings = json.loads(args.settings)
    axes, setup = adapters.Axes.model_validate(settings["axes"]), Figures.model_validate(settings["figures"])

    tables = {
        name: pd.read_csv(args.tables / f"{name}.csv", dtype={"seed": str})
        for name in ("transfer_matrix", "diagonal", "position_bias", "term_shift", "term_shift_grid")
    }
    curves = {
        (adapter.train_set, adapter.seed): pd.read_csv(adapter.path(args.adapters, "") / "training.csv")
        for adapter in axes.adapters(args.model, args.recipe)
    }
    key = {"model": args.model, "recipe": args.recipe}
    for name in tqdm(args.figures, unit="figure"):
        figure = figures.draw(name, tables, curves, axes, key, settings["scope"], setup.colours)
        figures.save(figure, args.out / name, setup.formats)


if __name__ == "__main__":
    errors.run(main)
