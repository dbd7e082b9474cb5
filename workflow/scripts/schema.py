"""Write the JSON schema with which editors complete config.yaml: `make schema`."""

from pathlib import Path

from neuro2cardio.config import settings
from neuro2cardio.core import files

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.json"

if __name__ == "__main__":
    files.write_text(SCHEMA, settings.schema())
