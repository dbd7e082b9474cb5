"""Whether the files of a grid belong together: the same questions and settings, and predictions of these very adapters.

A file that was edited, or copied from another run, is otherwise plausible and wrong: its rows have the right keys.
"""

from collections.abc import Collection, Sequence
import json
from pathlib import Path
from typing import Any

from ..core import tables
from ..core.adapters import Adapter, Axes
from ..core.base_rows import BASE, BASE_ROWS, BEST_PROMPT
from ..core.errors import InputError
from ..core.provenance import settings_differences

_SAME_IN_GRID = {"test_questions": "test questions", "test_mentions": "test mentions"}


def check_tables(folder: Path, axes: Axes, base_rows: Collection[str] = ()) -> None:
    """Check that all tables of a stage were made from the same test questions, and those of a model by one wording.

    Args:
        folder: The stage's folder, with a table for each adapter of ``axes``.
        axes: The grid.
        base_rows: Which of `base_rows.BASE_ROWS` are there, too.

    Raises:
        InputError: Two tables differ, or one says nothing where others do.
    """
    points = [*axes.everything(), *(Adapter.base_row(model, row) for model in axes.model for row in base_rows)]
    said = {point: tables.origin(point.path(folder)) for point in points}
    for part, name in _SAME_IN_GRID.items():
        # No terms are read under another wording.
        alike = [p for p in points if part != "test_mentions" or p.train_set != BEST_PROMPT]
        _same(folder, said, alike, part, name)
    for model in axes.model:
        alike = [point for point in points if point.model == model and point.train_set not in BASE_ROWS]
        _same(folder, said, alike, "settings", "settings of inference")


def _same(folder: Path, said: dict[Adapter, dict[str, str]], points: Sequence[Adapter], part: str, name: str) -> None:
    first, *others = points
    for other in others:
        if said[other].get(part) != said[first].get(part):
            raise InputError(
                f"{other.path(folder)} and {first.path(folder)} were made with different {name}: one of them was "
                "edited, or copied from another run. Delete the one that does not belong here, and run again"
            )


def records(predictions: Path, folder: Path, axes: Axes) -> dict[Adapter, dict[str, Any]]:
    """The `run.json` of each adapter, compared with its predictions and with the other adapters of its recipe.

    Raises:
        InputError: A record is missing; predictions were made with another adapter than the one that is there; two
            adapters of a recipe were trained with different settings.
    """
    found = {point: _record(point.path(folder, "")) for point in axes.everything() if point.recipe != BASE}
    for point, record in found.items():
        table = point.path(predictions)
        read = tables.origin(table).get("adapter", record.get("adapter_sha256"))
        if read != record.get("adapter_sha256"):
            raise InputError(
                f"{table} was made with another adapter than the one in {point.path(folder, '')}; "
                "delete it and run again"
            )
    for model in axes.model:
        for recipe in axes.recipe:
            _same_settings(folder, {p: r for p, r in found.items() if (p.model, p.recipe) == (model, recipe)})
    return found


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'run.json'}: unreadable ({error}); run `make recover`, then run again") from error
    if not isinstance(record, dict):
        raise InputError(f"{folder / 'run.json'}: not a record of training; run `make recover`, then run again")
    return record


def _same_settings(folder: Path, records: dict[Adapter, dict[str, Any]]) -> None:
    (first, expected), *others = ((point, record.get("settings") or {}) for point, record in records.items())
    for point, settings in others:
        if found := settings_differences(settings, expected):
            differing = [f"{key}: {own!r}, not {others!r}" for key, own, others in found]
            raise InputError(
                f"{point.path(folder, '')} and {first.path(folder, '')} were trained with different settings "
                f"({'; '.join(differing)}): they are of different runs. Delete the one that does not belong "
                "here, and run again"
            )
