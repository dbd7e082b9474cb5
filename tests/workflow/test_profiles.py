"""The profiles: nothing of a site stands in them, and they do not contradict each other."""

from itertools import pairwise
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
from unittest import mock

import pytest
from tiny_grid import CHECKOUT, Checkout, environment, wait_for
import yaml
import yte

from neuro2cardio.operations import slurm_jobs

VARIABLES = {
    "NEURO2CARDIO_PARTITION": "cpu",
    "NEURO2CARDIO_GPU_PARTITION": "gpu",
    "NEURO2CARDIO_GPU_MODEL": "a100",
    "NEURO2CARDIO_ACCOUNT": "123456",
    "NEURO2CARDIO_QOS": "long",
    "NEURO2CARDIO_MAIL": "someone@example.org",
}


def profile(path: str) -> dict:
    # A profile may read the command line; that of a test is not Snakemake's.
    with (CHECKOUT / path).open() as stream, mock.patch.object(sys, "argv", ["snakemake"]):
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
        for rule in (
            "annotate_with_model",
            "finetune",
            "infer_base",
            "infer_few_shot",
            "infer_best_prompt",
            "infer_adapter",
        )
    }


def test_the_rules_that_are_given_a_gpu_partition_are_those_that_ask_for_a_gpu(
    new_grid: Checkout, site: None, tmp_path
):
    grid = new_grid.copy(tmp_path / "grid")
    annotator = {"backend": "transformers", "model": "tiny"}
    grid.configure(
        {
            "dataset.annotation": {"annotator": annotator},
            "inference.base_shots": 1,
            "inference.base_prompts": [{"cloze": "Pick."}],
        }
    )
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


BASE, LOG = "results/tiny/predictions/tiny/base.parquet", "logs/tiny/infer_base/tiny.log"
SBATCH = """#!/bin/sh
printf '%s\\n' "$@" > "$(mktemp "$CALLS/XXXXXX")"
echo 'sbatch: error: invalid account' >&2
exit 1
"""
SACCTMGR = "#!/bin/sh\nprintf '123456\\ntheirs\\n'\n"
MYSITE = """
default-resources:
  mem_mb: 2000
  runtime: 30
  slurm_account: "'theirs'"
  slurm_partition: "'cpu'"
  slurm_extra: "'--mail-user=other@example.org --mail-type=END'"
"""


@pytest.fixture(scope="module")
def before_scoring(new_grid: Checkout) -> Checkout:
    """A grid in which all is made that scoring the base model needs."""
    grid = new_grid.copy(new_grid.directory.with_name("before-scoring"))
    grid.snakemake("--cores", "2", "--until", "fetch_model", "test_split", "--", BASE)
    return grid


@pytest.fixture
def submitted(before_scoring: Checkout, tmp_path):
    """What sbatch gets for the job that scores the base model, at each attempt, and what is on the screen.

    The sbatch of the test writes down what it is told, and refuses.
    """

    def submit(*profiles: str) -> tuple[list[list[str]], str]:
        grid = before_scoring.copy(tmp_path / "grid")
        for folder in ("bin", "calls", "mysite"):
            (grid / folder).mkdir()
        (grid / "mysite/config.yaml").write_text(MYSITE)
        for name, text in {"sbatch": SBATCH, "sacctmgr": SACCTMGR}.items():
            (grid / "bin" / name).write_text(text)
            (grid / "bin" / name).chmod(0o755)
        (grid / LOG).parent.mkdir(parents=True)
        (grid / LOG).write_text("what an earlier try said")
        variables = environment() | VARIABLES | {"CALLS": str(grid / "calls")}
        variables["PATH"] = f"{grid / 'bin'}:{variables['PATH']}"
        command = [sys.executable, "-m", "snakemake", *(w for p in profiles for w in ("--profile", p)), "-j", "2", BASE]
        done = subprocess.run(command, cwd=grid.directory, env=variables, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        calls = [path.read_text().splitlines() for path in (grid / "calls").iterdir()]
        assert calls, said
        return sorted(calls, key=lambda words: int(words[words.index("--mem") + 1])), said

    return submit


def test_what_sbatch_gets_for_a_gpu_job(submitted):
    calls, said = submitted("slurm")
    assert [(words[words.index("--mem") + 1], words[words.index("-t") + 1]) for words in calls] == [
        ("1500", "10"),
        ("3000", "20"),
        ("4500", "30"),
    ]
    for words in calls:
        assert words[words.index("-A") + 1] == "123456"
        assert words[words.index("-p") + 1] == "gpu"
        assert {"--gpus=a100:1", "--qos=long", "--mail-user=someone@example.org", "--requeue"} <= set(words)
        assert any(word.startswith("--cpus-per-") and word.endswith("=1") for word in words)
        assert words[words.index("--comment") + 1] == "rule_infer_base_wildcards_tiny"
    assert "sbatch: error: invalid account" in said
    assert f"Logfile {LOG} not found" in said
    assert "what an earlier try said" not in said


def test_what_sbatch_gets_with_a_second_profile(submitted):
    calls, _ = submitted("slurm", "mysite")
    for words in calls:
        assert words[words.index("-A") + 1] == "theirs"
        assert words[words.index("-p") + 1] == "gpu"
        assert {"--gpus=a100:1", "--qos=long", "--mail-user=other@example.org"} <= set(words)
        assert "--mail-user=someone@example.org" not in words


@pytest.fixture
def controller(tmp_path, monkeypatch):
    """Starts slurm/controller.sh as Slurm would, with a Snakemake and an sbatch that write down what they are told."""
    programs = tmp_path / "bin"
    programs.mkdir()
    scripts = {
        "snakemake": 'trap "echo interrupted >> calls; exit 1" INT\necho snakemake "$@" >> calls\n'
        '[ -n "${BRIEF:-}" ] && exit 3\nwhile true; do sleep 0.05; done\n',
        "sbatch": 'echo sbatch "$@" >> calls\n',
    }
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    site = {"SUBMIT_DIR": str(tmp_path), "JOB_ID": "7", "JOB_ACCOUNT": "abc", "JOB_PARTITION": "long"}
    for name, value in site.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    command = ["bash", str(CHECKOUT / "slurm/controller.sh"), "specialty_cardiology", "-n"]
    # As from Slurm: what is started from tests in the background would be deaf to Ctrl-C, as they are.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    return lambda: subprocess.Popen(command, **heard), lambda: (tmp_path / "calls").read_text().splitlines()


def test_a_controller_whose_time_is_up_ends_its_jobs_and_submits_itself_again(controller):
    start, calls = controller
    job = start()
    wait_for(lambda: Path(os.environ["SLURM_SUBMIT_DIR"], "calls").exists(), 20, "the start of Snakemake")
    job.terminate()
    assert job.wait(20) == 0
    again = "-A abc -p long --dependency=afterany:7 slurm/controller.sh specialty_cardiology -n"
    assert calls() == ["snakemake --profile slurm -j 64 specialty_cardiology -n", "interrupted", f"sbatch {again}"]


def test_a_controller_that_ends_by_itself_is_not_submitted_again(controller, monkeypatch):
    monkeypatch.setenv("BRIEF", "1")
    start, calls = controller
    assert start().wait(20) == 3
    assert len(calls()) == 1


def test_recovery_does_not_take_the_controllers_job_for_one_of_its_own():
    asked = dict(
        re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", (CHECKOUT / "slurm/controller.sh").read_text(), re.MULTILINE)
    )
    assert not asked["job-name"].startswith(slurm_jobs.JOB_NAME)
    # Time enough to end its jobs, and a signal for the script alone.
    assert asked["signal"] == "B:TERM@300"
    assert {"time", "mem", "output"} <= asked.keys()


EIGHT_JOBS = """
rule all:
    input: expand("{i}.log", i=range(8))
rule job:
    output: "{i}.log"
    resources: gpu=1
    shell: "python job.py {output} {resources.gpu}"
"""
JOB = """
import os, sys, time
sys.path.insert(0, "workflow/scripts")
from neuro2cardio.core import gpus
with gpus.taken(int(sys.argv[2])):
    start = time.time()
    time.sleep(0.5)
    open(sys.argv[1], "w").write(f"{os.environ['CUDA_VISIBLE_DEVICES']} {start} {time.time()}")
"""


def test_a_workstation_gives_eight_jobs_four_devices_and_none_shares_one(tmp_path, monkeypatch):
    for part in ("workflow", "workstation"):
        (tmp_path / part).symlink_to(CHECKOUT / part)
    (tmp_path / "Snakefile").write_text(EIGHT_JOBS)
    (tmp_path / "job.py").write_text(JOB)
    monkeypatch.setenv("NEURO2CARDIO_GPUS", "0,1,2,3")
    monkeypatch.setenv("NEURO2CARDIO_LOCKS", str(tmp_path / "locks"))
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    command = [sys.executable, "-m", "snakemake", "--profile", "workstation", "--workflow-profile", "none"]
    done = subprocess.run([*command, "--cores", "8"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    held = sorted((path.read_text().split() for path in tmp_path.glob("*.log")), key=lambda job: float(job[1]))
    assert len(held) == 8
    for device in ("0", "1", "2", "3"):
        spans = [(float(start), float(end)) for name, start, end in held if name == device]
        assert spans
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
    # By the profile's count of GPUs, no job waits for another's lock.
    assert "waiting for" not in done.stdout + done.stderr
