"""Say what a grid can find with 80%, before any GPU is used."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2cardio.analysis import answers, power
from neuro2cardio.config.job_settings import read_json
from neuro2cardio.config.settings import Settings
from neuro2cardio.core import adapters, errors, tables
from neuro2cardio.questions.test_set import TestSet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True, help="of a pilot, where there are any")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    settings = Settings.model_validate(read_json(args.settings))
    grid, statistics = settings.grid, settings.statistics
    axes = adapters.Axes(
        model=grid.models,
        recipe=grid.recipes,
        train_set=settings.train_sets,
        seed=grid.seeds,
        specialty=grid.specialties,
    )
    test_set = TestSet.of(tables.read(args.questions, tables.QUESTIONS), grid.specialties)
    sizes = [int(test_set.members[name].sum()) for name in grid.specialties]
    families = len(grid.models) * len(grid.recipes) * len(settings.inference.methods)
    given = pilot(args.predictions, axes, test_set, settings.inference.methods[0])
    rows = power.table(sizes, len(grid.seeds), families, statistics.smallest_effect, given, statistics.confidence)
    if given.several_seeds:
        rows["seeds_needed"] = power.seeds_needed(rows, sizes, statistics.smallest_effect, given, statistics.confidence)
    rows = pd.concat([rows, power.of_terms(sizes, len(grid.seeds), statistics.confidence)], ignore_index=True)
    tables.write_csv(rows, args.out)
    print(power.text(rows, sizes, len(grid.seeds), given), end="")


def pilot(folder: Path, axes: adapters.Axes, test_set: TestSet, method: str) -> power.Assumptions:
    """What the first model and recipe measured, where all of its specialties' adapters were scored."""
    own = [a for a in axes.adapters(axes.model[0], axes.recipe[0]) if a.train_set in _own(axes)]
    if not all(a.path(folder).is_file() for a in own):
        return power.Assumptions()
    read = (answers.answers(adapters.read(folder, adapter, tables.PREDICTIONS)) for adapter in own)
    right = np.array([answers.marks(found, test_set, [method])[0] for found in read])
    return power.measured(right.reshape(len(axes.specialties), len(axes.seed), -1))


def _own(axes: adapters.Axes) -> set[str]:
    return {axes.train_set[row] for row in axes.specialty_rows}


if __name__ == "__main__":
    errors.run(main)
