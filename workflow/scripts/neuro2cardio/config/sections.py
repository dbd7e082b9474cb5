"""Base class and types that all parts of the configuration share."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from ..core import specialties

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]


def _any_specialty(name: str, info: ValidationInfo) -> str:
    declared = (info.context or {}).get("further_specialties")
    # A job reads one part of a configuration that was checked as a whole.
    return name if declared is None else specialties.canonical_or_declared(name, declared)


AnySpecialty = Annotated[str, AfterValidator(_any_specialty)]
"""One of the fifteen in any of its spellings, or one that `dataset.further_specialties` declares."""
RESERVED = ("base", "all")
"""Names, in tables and paths, of the model without an adapter and of the whole test set."""
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""A seed that both torch and numpy accept."""


def _not_empty(values: list[Any]) -> list[Any]:
    if not values:
        raise ValueError("is empty; name at least one")
    return values


def _unique(values: list[Any]) -> list[Any]:
    doubled = [value for i, value in enumerate(values) if value in values[:i]]
    if doubled:
        raise ValueError(f"contains duplicates: {', '.join(map(repr, doubled))}")
    return values


Unique = AfterValidator(_unique)
"""For a list: values are unique."""
NamedOnce = AfterValidator(lambda values: _unique(_not_empty(values)))
"""For a list: at least one value, and all unique."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
