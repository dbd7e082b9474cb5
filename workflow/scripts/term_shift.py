"""Set the log-probabilities of terms and placebos under every adapter against those under the base model."""

import argparse
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal

import pandas as pd
from tqdm import tqdm

from neuro2cardio.analysis import origins, term_shift
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import adapters, errors, tables
from neuro2cardio.questions.test_set import TestSet


class Settings(JobSettings):
    axes: adapters.Axes
    contexts: list[Literal["prompt", "bare"]]
    statistics: Statistics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--mentions", type=Path, required=True)
    parser.add_argument("--term-logprobs", type=Path, required=True, help="folder with a file for each adapter")
    parser.add_argument("--shifts", type=Path, required=True)
    parser.add_argument("--grid", type=Path, required=True)
    parser.add_argument("--balance", type=Path, required=True)
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    axes, statistics = settings.axes, settings.statistics

    origins.check_tables(args.term_logprobs, axes)
    test_set = TestSet.of(tables.read(args.questions, tables.QUESTIONS), axes.specialties)
    mentions = tables.read(args.mentions, tables.MENTIONS)
    read = partial(adapters.read, args.term_logprobs, schema=tables.TERM_LOGPROBS)
    groupings = list(product(settings.contexts, tables.SCOPES))
    shifted, grids, balance = [], [], []
    for model in tqdm(axes.model, unit="model"):
        base = read(adapters.Adapter.base(model))
        designs = [term_shift.design(base, mentions, test_set, axes.specialties, *grouping) for grouping in groupings]
        balance.append(pd.DataFrame([design.balance for design in designs]).assign(model=model))
        for recipe in axes.recipe:
            # Families of tests are within a model and recipe, so that one block at a time need be in memory.
            blocks = term_shift.shifts(model, recipe, designs, read, axes)
            shifted.append(term_shift.table(blocks, axes, statistics))
            grids.append(term_shift.grid_table(blocks, axes, statistics))
            del blocks
    tables.write_csv(pd.concat(shifted, ignore_index=True), args.shifts, sealed=True)
    tables.write_csv(pd.concat(grids, ignore_index=True), args.grid, sealed=True)
    tables.write_csv(pd.concat(balance).set_index("model").reset_index(), args.balance, sealed=True)


if __name__ == "__main__":
    errors.run(main)
