"""What every part of the configuration is built from."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..core import specialties

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Specialty = Annotated[str, AfterValidator(specialties.canonical)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
