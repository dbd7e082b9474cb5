"""The environments of clusters and of `make setup` hold the same versions."""

from pathlib import Path

import pytest
import yaml

ENVS = Path(__file__).parents[2] / "envs"


def _pins(lines: list[str]) -> dict[str, str]:
    return dict(line.strip().lower().replace("_", "-").split("==") for line in lines if "==" in line)


@pytest.mark.parametrize("name", ["gpu", "analysis", "terms"])
def test_a_conda_environment_pins_what_the_lock_pins(name):
    described = yaml.safe_load((ENVS / f"{name}.yaml").read_text())
    packages = _pins(described["dependencies"][-1]["pip"])
    lock = _pins((ENVS / "neuro2cardio.lock").read_text().splitlines())
    assert packages.items() <= lock.items()


def test_every_package_of_the_lock_has_one_version():
    lines = [line for line in (ENVS / "neuro2cardio.lock").read_text().splitlines() if not line.startswith("#")]
    assert all(line.count("==") == 1 for line in lines)
