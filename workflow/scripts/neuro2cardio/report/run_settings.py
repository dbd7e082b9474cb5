"""A finished or half-finished run as its results folder tells of it: grid, test questions, settings, versions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
import json
from pathlib import Path
from typing import Any

import pandas as pd

from ..config.job_settings import JobSettings
from ..core import tables
from ..core.adapters import Axes
from ..core.base_rows import BASE
from ..core.errors import InputError
from ..questions.test_set import TestSet

_FIRST = ("prompt", "rendered prompt", "versions", "questions", "terms")
"""What a reader looks for first among the settings that differ."""


class PageSettings(JobSettings):
    """The settings of the page, which are kept beside the results: what a run was made with."""

    axes: Axes
    config: dict[str, Any]
    """The configuration as run, without what changes no result."""


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        name: The experiment.
        folder: Its results.
        axes: Its grid.
        settings: The configuration as run.
        questions: Its test questions, indexed by id.
        test_set: The same, as every adapter answers them.
    """

    name: str
    folder: Path
    axes: Axes
    settings: dict[str, Any]
    questions: pd.DataFrame
    test_set: TestSet

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Read a results folder.

        Raises:
            InputError: It is not one, or the run has not got as far as its test questions.
        """
        axes, settings = _recorded(folder)
        questions = tables.read(folder / "test_split/questions.parquet", tables.QUESTIONS)
        test_set = TestSet.of(questions, axes.specialties)
        test = questions[questions["split"] == "test"].set_index("question_id")
        return cls(str(settings.get("experiment", folder.name)), folder, axes, settings, test, test_set)

    @property
    def methods(self) -> list[str]:
        """How its answers were read."""
        return list(self.settings["inference"]["methods"])

    @property
    def confidence(self) -> float:
        """Of its intervals."""
        return float((self.settings.get("statistics") or {}).get("confidence", 0.95))

    def renamed(self, name: str) -> "Run":
        """The same run under another name."""
        return replace(self, name=name)

    def facts(self) -> dict[str, str]:
        """Everything that says how it was made, by name: settings, prompts as rendered, versions, sources."""
        found = dict(_flat(self.settings))
        found.pop("experiment", None)
        for name, path in {"questions": "questions/source.json", "terms": "terms/mentions.json"}.items():
            found.update(_flat(_json(self.folder / path), f"{name} source"))
        for model in self.axes.model:
            found.update(_flat(_json(self.folder / f"models/{model}.json").get("frame"), f"rendered prompt.{model}"))
        record = next((r for a in self.axes.everything() if a.recipe != BASE and (r := self._record(a))), {})
        for name in ("versions", "device", "code", "model"):
            found.update(_flat(record.get(name), name if name == "versions" else f"versions.{name}"))
        return found

    def _record(self, adapter: Any) -> dict[str, Any]:
        return _json(adapter.path(self.folder / "adapters", "") / "run.json")


def _recorded(folder: Path) -> tuple[Axes, dict[str, Any]]:
    """Axes and configuration, out of the newest settings of the run's page."""
    kept = sorted((folder / "settings").glob("report-*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    if not kept:
        raise InputError(
            f"{folder}: not the results folder of a run, or its page was never made; "
            "name folders such as results/demo, and run `snakemake report` where they were made"
        )
    try:
        held = PageSettings.read(kept[-1])
    except InputError as error:
        raise InputError(f"{kept[-1]}: not the settings of a report page; it was damaged or edited") from error
    return held.axes, held.config


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested values by dotted names; lists of plain values as one text."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _flat(held, f"{name}.{key}" if name else str(key))
    elif value is not None:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def run_table(runs: Sequence[Run]) -> dict[str, Any]:
    """What there is of each run, one row each."""
    rows = [
        [
            *(
                run.name,
                f"{run.folder}",
                ", ".join(run.axes.model),
                ", ".join(run.axes.recipe),
                len(run.axes.train_set),
            ),
            *(", ".join(map(str, run.axes.seed)), len(run.test_set.question_ids)),
        ]
        for run in runs
    ]
    return {
        "columns": ["run", "folder", "models", "recipes", "train sets", "seeds", "test questions"],
        "rows": rows,
    }


def differences(runs: Sequence[Run]) -> dict[str, Any]:
    """What was set or used differently: a table of names with one column a run, prompts and versions first."""
    facts = [run.facts() for run in runs]
    names = list(dict.fromkeys(name for found in facts for name in found))
    rows = [[name, *(found.get(name) for found in facts)] for name in names]
    rows = [row for row in rows if len(set(row[1:])) > 1]

    def place(row: list[Any]) -> int:
        return next((i for i, first in enumerate(_FIRST) if str(row[0]).startswith(first)), len(_FIRST))

    return {"columns": ["setting", *(run.name for run in runs)], "rows": sorted(rows, key=place)}
