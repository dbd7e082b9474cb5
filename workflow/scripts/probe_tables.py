"""Compare how adapters answer facts that were trained on, and facts that were not, asked another way."""

import argparse
from pathlib import Path

from neuro2cardio.analysis import answers, probes, transfer
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.config.inference import Method
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import adapters, errors, tables


class Settings(JobSettings):
    axes: adapters.Axes
    methods: list[Method]
    statistics: Statistics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--probes", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True, help="folder with a file for each adapter")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--by-fact", type=Path, required=True)
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    axes = settings.axes

    asked = tables.read(args.probes, tables.PROBES)
    test_set = probes.test_set(asked, axes.specialties)
    marks = {
        adapter: answers.marks(
            answers.answers(adapters.read(args.predictions, adapter, tables.PREDICTIONS)), test_set, settings.methods
        )
        for adapter in axes.everything()
    }
    blocks = transfer.scores(marks, axes, settings.methods)
    tables.write_csv(probes.table(blocks, axes, asked, settings.statistics), args.table, sealed=True)
    tables.write_csv(probes.by_fact(blocks, axes, asked), args.by_fact, sealed=True)


if __name__ == "__main__":
    errors.run(main)
