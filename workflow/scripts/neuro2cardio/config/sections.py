"""What every part of the configuration is built from."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from ..core import specialties

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Specialty = Annotated[str, AfterValidator(specialties.canonical)]
"""One of the fifteen, in any of its spellings."""


def _any_specialty(name: str, info: ValidationInfo) -> str:
    declared = (info.context or {}).get("further_specialties")
    # A job reads one part of a configuration that was checked as a whole.
    return name if declared is None else specialties.canonical_or_declared(name, declared)


AnySpecialty = Annotated[str, AfterValidator(_any_specialty)]
"""One of the fifteen in any of its spellings, or one that `dataset.further_specialties` declares."""
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
