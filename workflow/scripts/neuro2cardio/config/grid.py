"""The axes of the grid."""

from typing import Annotated, Literal

from ..core import specialties
from .sections import AnySpecialty, Name, NamedOnce, Section, Seed, Unique


class Grid(Section):
    """What is crossed with what: an adapter for each model x recipe x train set x seed."""

    specialties: Annotated[list[AnySpecialty], NamedOnce] = list(specialties.SPECIALTIES)
    """One train set for each; test questions of the others are left out."""
    controls: Annotated[list[Literal["mixed"]], Unique] = ["mixed"]
    """Train sets that are not a specialty. `mixed`: all specialties, same size."""
    models: Annotated[list[Name], NamedOnce]
    recipes: Annotated[list[Name], NamedOnce]
    seeds: Annotated[list[Seed], NamedOnce] = [1, 2, 3]
    """Each drives weight initialisation, data order and sampling of its adapters."""
