"""What tests of several modules share."""

import os
from pathlib import Path

import pytest

# Tests share their machine with whatever else runs on it: threads that wait must not hold a core. Set before torch is.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

pytest_plugins = ["tiny_grid", "tiny_models", "real_slurm"]

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def s_medqa_directory() -> Path:
    """A folder with real S-MedQA files: $NEURO2CARDIO_S_MEDQA, or the one kept beside the checkout."""
    folder = Path(os.environ.get("NEURO2CARDIO_S_MEDQA") or CHECKOUT.parent / "shared" / "s-medqa")
    if not (folder / "S-MedQA_validation.json").is_file():
        pytest.skip(f"no S-MedQA_validation.json in {folder}; set NEURO2CARDIO_S_MEDQA to a folder that holds it")
    return folder
