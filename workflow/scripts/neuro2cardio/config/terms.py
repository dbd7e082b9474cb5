"""Which words count as clinical terms, and how their probability is read."""

from typing import Annotated, Literal

from pydantic import Field

from .sections import Fraction, NamedOnce, OneLine, Section, UserPath
from .urls import ServerUrl
from .wheels import HPO_WHEEL, ICD10CM_WHEEL, Wheel


class Embedded(Section):
    """The project's own lexicon: HPO, ICD-10-CM and a supplement."""

    backend: Literal["embedded"] = "embedded"
    hpo: Wheel = HPO_WHEEL
    icd10cm: Wheel = ICD10CM_WHEEL


class SciSpacy(Section):
    """Experimental: UMLS linking with scispacy, never run by its authors. The user installs its models and UMLS."""

    backend: Literal["scispacy"]
    model: OneLine = "en_core_sci_lg"
    threshold: Fraction = 0.85


class Snowstorm(Section):
    """The user's own SNOMED CT terminology server."""

    backend: Literal["snowstorm"]
    url: ServerUrl
    branch: OneLine = "MAIN"


class Dictionary(Section):
    """A JSON file: term -> list of specialties."""

    backend: Literal["json"]
    path: UserPath


Lexicon = Annotated[Embedded | SciSpacy | Snowstorm | Dictionary, Field(discriminator="backend")]


class TermReading(Section):
    """How the probability of terms is read."""

    contexts: Annotated[list[Literal["prompt", "bare"]], NamedOnce] = ["prompt", "bare"]
    """`prompt`: inside the prompt the model was trained on. `bare`: the question alone, as in the paper."""
    lowercase_bare: bool = True


class Terms(TermReading):
    """Which words count as clinical terms, and how their probability is read."""

    lexicon: Lexicon = Embedded()
    scope: Literal["strict", "broad"] = "strict"
    """The lexicon of the primary analysis; the other one is the sensitivity analysis."""
    max_specialties: Annotated[int, Field(ge=1)] = 3
    """Terms of more specialties are left out, as in the paper."""
    placebo: bool = True
    """Compare terms with placebos: words that are not terms, matched on tokens, frequency and position."""
