"""The profiles: nothing of a site stands in them, and they do not contradict each other."""

import re
import subprocess
import sys

import pytest
from tiny_grid import CHECKOUT, Checkout, environment
import yaml
import yte

VARIABLES = {
    "NEURO2CARDIO_PARTITION": "cpu",
    "NEURO2CARDIO_GPU_PARTITION": "gpu",
    "NEURO2CARDIO_GPU_MODEL": "a100",
    "NEURO2CARDIO_ACCOUNT": "123456",
    "NEURO2CARDIO_QOS": "long",
    "NEURO2CARDIO_MAIL": "someone@example.org",
}


def profile(path: str) -> dict:
    with (CHECKOUT / path).open() as stream:
        return yte.process_yaml(stream, require_use_yte=True)


@pytest.fixture
def no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def test_the_two_profiles_share_no_key(site: None):
    assert not profile("slurm/config.yaml").keys() & profile("profiles/default/config.yaml").keys()


def test_without_variables_no_site_is_named(no_site: None):
    cluster = profile("slurm/config.yaml")
    assert cluster["default-resources"].keys() == {"nodes", "mem_mb", "runtime"}
    assert "set-resources" not in cluster
    assert "slurm-qos" not in cluster


def test_variables_name_the_site(site: None):
    cluster = profile("slurm/config.yaml")
    assert cluster["default-resources"]["slurm_partition"] == "'cpu'"
    # Quoted, or an account of digits would become a number.
    assert cluster["default-resources"]["slurm_account"] == "'123456'"
    assert "--mail-user=someone@example.org" in cluster["default-resources"]["slurm_extra"]
    assert cluster["slurm-qos"] == "long"
    assert cluster["set-resources"] == {
        rule: {"gpu_model": "'a100'", "slurm_partition": "'gpu'"}
        for rule in ("annotate_with_model", "finetune", "infer_base", "infer_few_shot", "infer_adapter")
    }


def test_the_rules_that_are_given_a_gpu_partition_are_those_that_ask_for_a_gpu(
    new_grid: Checkout, site: None, tmp_path
):
    grid = new_grid.copy(tmp_path / "grid")
    annotator = {"backend": "transformers", "model": "tiny"}
    grid.configure({"dataset.annotation": {"annotator": annotator}, "inference.base_shots": 1})
    said = grid.snakemake("--dry-run", "-p")
    asking = set(re.findall(r"^rule (\w+):\n(?:    .*\n)*?    resources: .*\bgpu=1\b", said, re.MULTILINE))
    assert asking == profile("slurm/config.yaml")["set-resources"].keys()


@pytest.mark.parametrize("path", ["slurm/config.yaml", "profiles/default/config.yaml"])
def test_every_key_has_a_reason_above_it(path: str):
    lines = (CHECKOUT / path).read_text().splitlines()
    keys = [i for i, line in enumerate(lines) if line[:1].islower()]
    assert keys
    for i in keys:
        assert lines[i - 1].startswith("#"), lines[i]


def test_no_retries_in_rules_and_no_executor_in_the_default_profile():
    assert "executor" not in yaml.safe_load((CHECKOUT / "profiles/default/config.yaml").read_text())
    for path in (CHECKOUT / "workflow/rules").glob("*.smk"):
        assert "retries:" not in path.read_text(), path


def test_a_second_profile_that_drops_the_account_is_refused_by_name(new_grid: Checkout, tmp_path):
    grid = new_grid.copy(tmp_path / "grid")
    (grid / "mysite").mkdir()
    (grid / "mysite/config.yaml").write_text("default-resources:\n  mem_mb: 2000\n  runtime: 30\n")
    (grid / "bin").mkdir()
    (grid / "bin/sbatch").write_text("#!/bin/sh\nexit 1\n")
    (grid / "bin/sbatch").chmod(0o755)
    variables = environment() | VARIABLES
    variables["PATH"] = f"{grid / 'bin'}:{variables['PATH']}"
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--profile", "mysite", "-j", "2", "questions"]
    done = subprocess.run(command, cwd=grid.directory, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "drops what these variables ask for: NEURO2CARDIO_ACCOUNT (slurm_account), " in done.stdout + done.stderr
