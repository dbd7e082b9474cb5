"""The adapters of a grid: the paths of their tables, and a check that a table belongs to its adapter."""

from itertools import product
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from . import specialties, tables
from .base_rows import BASE
from .errors import InputError


class Adapter(NamedTuple):
    """One point of the grid; its fields are the key columns of `tables.KEYS`."""

    model: str
    recipe: str
    train_set: str
    seed: int

    @classmethod
    def base(cls, model: str) -> "Adapter":
        """The model without an adapter."""
        return cls(model, BASE, BASE, -1)

    @classmethod
    def base_row(cls, model: str, row: str) -> "Adapter":
        """The model without an adapter, as one of `base_rows.BASE_ROWS`."""
        return cls(model, BASE, row, -1)

    def path(self, folder: Path, suffix: str = ".parquet") -> Path:
        """The path of this adapter's table in a stage's folder."""
        if self.recipe == BASE:
            return folder / self.model / f"{self.train_set}{suffix}"
        return folder / self.model / self.recipe / self.train_set / f"seed-{self.seed}{suffix}"


class Axes(BaseModel):
    """The axes of the grid, in the order of the configuration. Files that do not belong to it are ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: list[str]
    recipe: list[str]
    train_set: list[str]
    seed: list[int]
    specialty: list[str] = []
    """Canonical names of the grid's specialties; all fifteen if empty."""

    @property
    def specialties(self) -> list[str]:
        """Canonical names of the specialties among the train sets: the columns of the transfer matrix."""
        known = {specialties.slug(name): name for name in self.specialty or specialties.SPECIALTIES}
        return [known[name] for name in self.train_set if name in known]

    @property
    def specialty_rows(self) -> list[int]:
        """Positions in `train_set` of those specialties, in the same order."""
        return [self.train_set.index(specialties.slug(name)) for name in self.specialties]

    def adapters(self, model: str, recipe: str) -> list[Adapter]:
        """Every train set with every seed; the seed varies fastest."""
        return [Adapter(model, recipe, *point) for point in product(self.train_set, self.seed)]

    def everything(self) -> list[Adapter]:
        """Each model's base, then its adapters."""
        found = []
        for model in self.model:
            found.append(Adapter.base(model))
            for recipe in self.recipe:
                found += self.adapters(model, recipe)
        return found


def read(folder: Path, adapter: Adapter, schema: pa.Schema) -> pd.DataFrame:
    """Read an adapter's table. Raises `InputError` if it is missing, empty, or has rows of another adapter."""
    path = adapter.path(folder)
    frame = tables.read(path, schema)
    if frame.empty:
        raise InputError(f"{path}: the table is empty; delete it and run again")
    for name, value in adapter._asdict().items():
        if (frame[name] != value).any():
            raise InputError(f"{path}: {name} should be {value!r} in every row, found {frame[name].unique().tolist()}")
    return frame
