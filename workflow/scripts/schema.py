"""Write the JSON schema with which editors complete config.yaml: `make schema`."""

from pathlib import Path

from neuro2cardio import outputs, settings

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.json"

if __name__ == "__main__":
    outputs.write_text(SCHEMA, settings.schema())
