"""The axes of the grid."""

import re
from typing import Annotated, Self

from pydantic import model_validator

from ..core import specialties
from ..core.errors import nearest
from .sections import AnySpecialty, Name, NamedOnce, Section, Seed, Unique

CONTROLS = ("mixed", "shuffled-answers", "general")
"""Train sets that are not a specialty, beside `random-<k>` and `without-<specialty>`."""
RANDOM = re.compile(r"random-([1-9]\d*)")
WITHOUT = "without-"


class Grid(Section):
    """The axes of the grid: an adapter for each model x recipe x train set x seed."""

    specialties: Annotated[list[AnySpecialty], NamedOnce] = list(specialties.SPECIALTIES)
    """One train set for each. Test questions of other specialties are left out."""
    controls: Annotated[list[Name], Unique] = ["mixed", "shuffled-answers", "general", "random-1"]
    """Train sets that are not a specialty, of the same size. `mixed`: an equal share of each specialty.
    `shuffled-answers`: the same questions with answers drawn at random, format without knowledge. `general`: questions
    without medicine. `random-1`, `random-2`, ...: drawn from all questions, how much train sets differ by luck.
    `without-cardiology`: all but one."""
    models: Annotated[list[Name], NamedOnce]
    recipes: Annotated[list[Name], NamedOnce]
    seeds: Annotated[list[Seed], NamedOnce] = [1, 2, 3]
    """Each drives weight initialisation, data order and sampling of its adapters."""

    @model_validator(mode="after")
    def _known_controls(self) -> Self:
        slugs = [specialties.slug(name) for name in self.specialties]
        known = [*CONTROLS, "random-1", *(WITHOUT + slug for slug in slugs)]
        for name in self.controls:
            if name not in known and not RANDOM.fullmatch(name):
                raise ValueError(f"controls: {name!r} is unknown{nearest(name, known)}")
            if name in slugs:
                raise ValueError(f"controls: {name!r} is a specialty of the grid too")
        if len(slugs) == 1 and any(name.startswith(WITHOUT) for name in self.controls):
            raise ValueError("controls: a grid of one specialty has nothing without it")
        return self
