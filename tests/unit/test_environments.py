"""The environments of clusters and of `make setup` hold the same versions."""

from pathlib import Path
import re

import pytest
import yaml

ENVS = Path(__file__).parents[2] / "envs"


def pins(text: str) -> list[tuple[str, str]]:
    """Packages and their versions, without markers and hashes."""
    found = re.findall(r"^\s*([a-z0-9][\w.-]*)==([^\s;+]+)", text, re.MULTILINE | re.IGNORECASE)
    return [(name.lower().replace("_", "-"), version) for name, version in found]


def locked() -> list[tuple[str, str]]:
    return pins((ENVS / "neuro2cardio.lock").read_text()) + pins((ENVS / "torch-cpu.txt").read_text())


@pytest.mark.parametrize("name", ["gpu", "analysis", "terms"])
def test_a_conda_environment_pins_what_the_lock_pins(name):
    described = yaml.safe_load((ENVS / f"{name}.yaml").read_text())
    packages = pins("\n".join(described["dependencies"][-1]["pip"]))
    assert packages
    assert set(packages) <= set(locked())


def test_every_package_has_one_version_and_torch_has_one_for_both_builds():
    versions = dict(locked())
    assert set(locked()) == set(versions.items())
    shared = set(pins((ENVS / "torch-cuda.lock").read_text()))
    assert {(name, version) for name, version in shared if name in versions} <= set(versions.items())
    assert ("torch", versions["torch"]) in shared


@pytest.mark.parametrize("name", ["neuro2cardio.lock", "torch-cuda.lock"])
def test_every_package_of_a_lock_has_hashes(name):
    text = (ENVS / name).read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text[text.index("\n") :])
    assert len(entries) > 20
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)


def test_every_direct_dependency_is_locked():
    lines = (ENVS / "neuro2cardio.in").read_text().splitlines()
    direct = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    assert direct <= {name for name, _ in locked()}
