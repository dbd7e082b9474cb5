"""Set the log-probabilities of terms and placebos under every adapter against those under the base model."""

import argparse
from functools import partial
from itertools import product
import json
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from neuro2cardio.analysis import term_shift
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.core import adapters, errors, tables
from neuro2cardio.questions.test_set import TestSet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--mentions", type=Path, required=True)
    parser.add_argument("--term-logprobs", type=Path, required=True, help="folder with a file for each adapter")
    parser.add_argument("--settings", required=True, help="JSON with axes, contexts and statistics")
    parser.add_argument("--shifts", type=Path, required=True)
    parser.add_argument("--grid", type=Path, required=True)
    parser.add_argument("--balance", type=Path, required=True)
    args = parser.parse_args()
    settings = json.loads(args.settings)
    axes, setup = adapters.Axes.model_validate(settings["axes"]), Statistics.model_validate(settings["statistics"])

    exam = TestSet.of(tables.read(args.questions, tables.QUESTIONS), axes.specialties)
    mentions = tables.read(args.mentions, tables.MENTIONS)
    read = partial(adapters.read, args.term_logprobs, schema=tables.TERM_LOGPROBS)
    groupings = list(product(settings["contexts"], tables.SCOPES))
    blocks, balance = [], []
    for model in tqdm(axes.model, unit="model"):
        base = read(adapters.Adapter.base(model))
        designs = [term_shift.design(base, mentions, exam, axes.specialties, *grouping) for grouping in groupings]
        balance.append(pd.DataFrame([design.balance for design in designs]).assign(model=model))
        for recipe in axes.recipe:
            blocks += term_shift.shifts(model, recipe, designs, read, axes)
    tables.write_csv(term_shift.table(blocks, axes, setup), args.shifts)
    tables.write_csv(term_shift.grid_table(blocks, axes, setup), args.grid)
    tables.write_csv(pd.concat(balance).set_index("model").reset_index(), args.balance)


if __name__ == "__main__":
    errors.run(main)
