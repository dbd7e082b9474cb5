"""What `scaling.py` measures of whole commands: a job that scores several adapters, and the tables of a grid."""

from collections.abc import Iterator
import multiprocessing
from pathlib import Path
import sys
import tempfile
from typing import Any

import grid_statistics
import pandas as pd
import scaling_models
from scaling_models import Base

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import files, specialties, tables
from neuro2cardio.core.adapters import Axes
from neuro2cardio.models import adapter_files, fine_tuning

ADAPTERS = (1, 2, 4, 8)
SEEDS, QUESTIONS = (1, 2, 4, 8), (150, 300, 600, 1200)
Took = tuple[float, int]
"""CPU seconds, and bytes at the peak."""


def adapters(base: Base) -> Iterator[tuple[int, Took]]:
    """Jobs that score 8 questions with so many adapters of one loaded base, each as the workflow runs it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        asked = scaling_models._questions(8, 100, 4)
        rows = [
            [q.question_id, "test", "made", q.question_id, q.stem, list(q.options), q.answer, "Cardiology", [], []]
            for q in asked
        ]
        tables.write(pd.DataFrame(rows, columns=tables.QUESTIONS.names), folder / "questions", tables.QUESTIONS)
        tables.write(pd.DataFrame(columns=tables.MENTIONS.names), folder / "mentions", tables.MENTIONS)
        parts: dict[str, Any] = {
            "usage": ModelUsage(load=base.load),
            "prompt": Prompt(),
            "terms": TermReading(contexts=["prompt"]),
        }
        parts["inference"] = Inference(methods=["letter"])
        files.write_json(folder / "settings", {name: part.model_dump(mode="json") for name, part in parts.items()})
        # Apart: a process that computed a gradient can't be forked, and a model that was adapted is another one.
        maker = multiprocessing.get_context("spawn").Process(target=make_adapter, args=(base, folder / "adapter"))
        maker.start()
        maker.join()
        for n in ADAPTERS:
            yield n, grid_statistics.measured(_scoring(base, folder, n))


def make_adapter(base: Base, folder: Path) -> None:
    """An adapter with random weights, as fine-tuning writes it."""
    from peft import LoraConfig, get_peft_model

    model, _ = scaling_models.loaded(base)
    drawn = LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    fine_tuning.save_adapter(get_peft_model(model.network, drawn), folder, "made")
    files.write_json(folder / adapter_files.RUN, adapter_files.digests(folder))


def _scoring(base: Base, folder: Path, n: int) -> list[str]:
    given = {name: folder / name for name in ("settings", "questions", "mentions")} | {"record": base.record}
    each = {name: [folder / f"{name}-{n}-{i}" for i in range(n)] for name in ("predictions", "term-logprobs")}
    each |= {"job-cache": [folder / f"cache-{n}-{i}" for i in range(n)], "adapter": [folder / "adapter"] * n}
    command = [sys.executable, str(grid_statistics.SCRIPTS / "infer.py"), "--threads", "1", "--key"]
    command += [word for i in range(n) for word in ("made", "made", "made", str(i))]
    command += [word for name, path in given.items() for word in (f"--{name}", str(path))]
    return command + [word for name, paths in each.items() for word in (f"--{name}", *map(str, paths))]


def statistics() -> Iterator[tuple[str, int, int, dict[str, Took]]]:
    """The tables and the verdict of grids of more and more seeds, and more and more questions.

    Yields:
        The curve, its seeds or questions, rows of predictions and terms together, and what each command took.
    """
    points = [("statistics, seeds", n, n, QUESTIONS[1]) for n in SEEDS]
    points += [("statistics, questions", n, SEEDS[1], n) for n in QUESTIONS]
    for curve, x, seeds, questions in points:
        train_sets = [specialties.slug(name) for name in specialties.SPECIALTIES] + ["shuffled-answers", "general"]
        axes = Axes(
            model=["model"], recipe=["completion", "full"], train_set=train_sets, seed=list(range(1, seeds + 1))
        )
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            mentions = grid_statistics.simulate(folder, axes, questions)
            each = questions * sum(grid_statistics.METHODS.values()) + mentions * len(grid_statistics.CONTEXTS)
            commands = grid_statistics.commands(folder, axes)
            took = {name: grid_statistics.measured(command) for name, command in commands.items()}
            yield curve, x, each * len(axes.everything()), took
