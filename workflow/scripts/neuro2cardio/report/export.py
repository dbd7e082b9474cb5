"""A run for others: adapters with model cards, predictions and tasks for lm-eval, tables and report, as an RO-Crate."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
import json
from pathlib import Path
import shutil
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from ..config.inference import Inference, Prompt
from ..config.models import ModelUsage
from ..core import files, tables
from ..core.adapters import Adapter, Axes
from ..core.base_rows import BASE
from ..core.errors import InputError
from ..models import prompting, registry
from . import lm_eval_files, model_cards, ro_crate

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_RESULTS = ("tables/*.csv", "tables/*.json", "tables/*.txt", "tables/latex/*.tex", "report/index.html")


@dataclass(frozen=True)
class Export:
    """What is exported, and from where.

    Attributes:
        results: The experiment's folder.
        records: The folder with each base model's record.
        axes: The grid.
        config: The configuration as run.
    """

    results: Path
    records: Path
    axes: Axes
    config: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write the whole folder.

        Raises:
            InputError: A table, a record or a model is missing or damaged.
        """
        for pattern in _RESULTS:
            for path in sorted(self.results.glob(pattern)):
                _copy(path, folder / "results" / path.relative_to(self.results))
        files.write_json(folder / "results/config.json", self.config)
        found = list(self._adapters(folder / "adapters"))
        self._lm_eval(folder / "lm-eval")
        matrix = self.results / "tables/transfer_matrix.csv"
        date = datetime.fromtimestamp(matrix.stat().st_mtime, UTC).date().isoformat()
        crate = ro_crate.metadata(folder, self.config["experiment"], date, found, self._provenance())
        files.write_json(folder / ro_crate.NAME, crate)

    def _adapters(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Write each adapter's folder; yields its path in the crate and what it is."""
        matrix = tables.read_csv(self.results / "tables/transfer_matrix.csv")
        checks = self._flags()
        for adapter in self._grid():
            own = adapter.path(self.results / "adapters", "")
            target = adapter.path(folder, "")
            for name in _ADAPTER_FILES:
                _copy(own / name, target / name)
            facts = model_cards.CardFacts(
                record=_read(own / "run.json"),
                model=self.config["models"][adapter.model],
                source=_read(self.results / "questions/source.json"),
                n_train=pq.read_metadata(self.results / f"train_sets/{adapter.train_set}.parquet").num_rows,
                scores=model_cards.rows_of(matrix, adapter),
                base=model_cards.rows_of(matrix, Adapter.base(adapter.model)),
                flags=checks.get(adapter, ""),
                confidence=self.config["statistics"]["confidence"],
            )
            files.write_text(target / "README.md", model_cards.card(adapter, self.axes.specialties, facts))
            yield target.relative_to(folder.parent).as_posix(), f"LoRA adapter {'/'.join(map(str, adapter))}"

    def _grid(self) -> list[Adapter]:
        return [adapter for adapter in self.axes.everything() if adapter.recipe != BASE]

    def _flags(self) -> dict[Adapter, str]:
        """What the checks of training found, by adapter."""
        path = self.results / "tables/training_checks.csv"
        rows = tables.read_csv(path) if path.is_file() else pd.DataFrame(columns=[*Adapter._fields, "flags"])
        rows = rows[rows["flags"].notna()]
        keys = (Adapter(*row) for row in rows[list(Adapter._fields)].itertuples(index=False))
        return {key._replace(seed=int(key.seed)): str(flags) for key, flags in zip(keys, rows["flags"], strict=True)}

    def _lm_eval(self, folder: Path) -> None:
        inference, prompt = Inference(**self.config["inference"]), Prompt(**self.config["prompt"])
        asked = tables.read(self.results / "test_split/questions.parquet", tables.QUESTIONS).query("split == 'test'")
        questions = prompting.questions_of(asked)
        for model in self.axes.model:
            usage = ModelUsage(**{key: self.config["models"][model][key] for key in ModelUsage.model_fields})
            prompter = prompting.for_model(registry.location(self.records / model / "model.json"), usage, prompt)
            for method in (m for m in lm_eval_files.METHODS if m in inference.methods):
                name = lm_eval_files.task_name(self.config["experiment"], model, method)
                found = lm_eval_files.documents(prompter, questions, inference, method)
                lm_eval_files.write_task(folder, name, f"The test questions as {model} reads them, {method}", found)
                for adapter in (Adapter.base(model), *(a for a in self._grid() if a.model == model)):
                    rows = tables.read(adapter.path(self.results / "predictions"), tables.PREDICTIONS)
                    own = adapter.path(folder / "samples", "")
                    lm_eval_files.write_samples(own, name, found, rows[rows["method"] == method])

    def _provenance(self) -> dict[str, Any]:
        record = _read(self._grid()[0].path(self.results / "adapters", "") / "run.json")
        return {
            "questions": _read(self.results / "questions/source.json"),
            "versions": record.get("versions", {}),
            "models": self.axes.model,
        }


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: missing or unreadable ({error}); run the workflow to its end first") from error


def _copy(source: Path, target: Path) -> None:
    """A copy that may be edited; weights are hard links where the file system has them, and take no space."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".safetensors":
        with suppress(OSError):
            target.hardlink_to(source)
            return
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise InputError(f"{source}: missing; run the workflow to its end first") from error
