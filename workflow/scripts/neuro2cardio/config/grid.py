"""The axes of the grid."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..core import specialties
from .sections import AnySpecialty, Name, Section


class Grid(Section):
    """What is crossed with what: an adapter for each model x recipe x train set x seed."""

    specialties: list[AnySpecialty] = list(specialties.SPECIALTIES)
    """One train set for each; test questions of the others are left out."""
    controls: list[Literal["mixed"]] = ["mixed"]
    """Train sets that are not a specialty. `mixed`: all specialties, same size."""
    models: list[Name]
    recipes: list[Name]
    seeds: list[Annotated[int, Field(ge=0)]] = [1, 2, 3]
    """Each drives weight initialisation, data order and sampling of its adapters."""

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        for key in ("specialties", "controls", "models", "recipes", "seeds"):
            values = getattr(self, key)
            if not values and key != "controls":
                raise ValueError(f"{key} is empty; name at least one")
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names a value twice: {values}")
        return self
