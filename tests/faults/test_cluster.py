"""What a cluster does to jobs and to the one who submitted them, on a real Slurm."""

from collections.abc import Iterator
import os
import signal

from harm import PREDICTIONS, WEIGHTS, frozen_in_training, process, recover, remove_adapter, resumed
import pytest
from real_slurm import PROFILE, ROOT, Slurm
from tiny_grid import Checkout, changed, soak, wait_for

pytestmark = pytest.mark.slurm
OTHER = WEIGHTS.replace("cardiology", "neurology")


@pytest.fixture
def hurt(grid: Checkout, finished_grid: Checkout, slurm: Slurm) -> Iterator[Checkout]:
    """A grid that lacks one adapter, which must end as the undisturbed one."""
    remove_adapter(grid)
    yield grid
    slurm.cancel(grid)
    # The tables stay as they are, and fit to the adapter if it came back as it was.
    grid.snakemake(WEIGHTS, PREDICTIONS, "--cores", "2")
    assert not changed(finished_grid.results(), grid.results())


def in_training(grid: Checkout, slurm: Slurm) -> str:
    """Stop the adapter's job in the middle of training. Returns its id."""
    frozen_in_training(grid)
    return slurm.running(grid, "finetune").job_id


def go_on(grid: Checkout) -> None:
    os.kill(process(grid, "finetune.py"), signal.SIGCONT)


def test_a_cancelled_job_is_submitted_again(hurt: Checkout, slurm: Slurm):
    run = hurt.start(WEIGHTS, *PROFILE)
    slurm.do("scancel", in_training(hurt, slurm))
    assert run.wait(300) == 0
    assert [job.state for job in slurm.jobs(hurt)] == ["CANCELLED", "COMPLETED"]
    assert resumed(hurt)


def test_a_job_that_takes_too_much_memory_gets_more(hurt: Checkout, slurm: Slurm):
    # More than Snakemake takes in its job, and less than PyTorch besides.
    hurt.configure({"models.tiny.resources.mem_mb": 500})
    hurt.snakemake(WEIGHTS, *PROFILE)
    jobs = slurm.jobs(hurt)
    assert [job.state for job in jobs] == ["FAILED", "COMPLETED"]
    assert [slurm.asked_memory(job.job_id) for job in jobs] == [500, 1000]
    assert "exceeded memory limit" in "".join(p.read_text() for p in (hurt / "logs/slurm").rglob("*.log"))


def test_a_drained_node_finishes_what_it_runs_and_starts_no_more(hurt: Checkout, slurm: Slurm):
    for path in (hurt / OTHER).parent.iterdir():
        path.unlink()
    node = os.uname().nodename.split(".")[0]
    run = hurt.start(WEIGHTS, *PROFILE)
    in_training(hurt, slurm)
    slurm.do("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    go_on(hurt)
    try:
        assert run.wait(300) == 0
        waiting = hurt.start(OTHER, *PROFILE)
        wait_for(lambda: [j for j in slurm.jobs(hurt) if j.state == "PENDING"], 60, "a job that waits")
    finally:
        slurm.do("scontrol", "update", f"nodename={node}", "state=resume")
    assert waiting.wait(300) == 0
    assert {job.state for job in slurm.jobs(hurt)} == {"COMPLETED"}


def test_a_preempted_job_is_put_back_and_goes_on(hurt: Checkout, slurm: Slurm):
    run = hurt.start(WEIGHTS, *PROFILE)
    job_id = in_training(hurt, slurm)
    urgent = ["sbatch", "--parsable", "-p", "urgent", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1"]
    slurm.do(*urgent)
    wait_for(lambda: slurm.jobs(hurt)[0].state != "RUNNING", 60, "preemption")
    assert run.wait(300) == 0
    assert [(job.job_id, job.state) for job in slurm.jobs(hurt)] == [(job_id, "COMPLETED")]
    assert "Restarts=1" in slurm.do("scontrol", "show", "job", job_id)
    assert resumed(hurt)


def test_a_killed_controller_is_recovered_from_by_the_documented_command(hurt: Checkout, slurm: Slurm):
    run = hurt.start(WEIGHTS, *PROFILE)
    job_id = in_training(hurt, slurm)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert slurm.running(hurt, "finetune").job_id == job_id
    assert "which is dead: it was killed" in hurt.snakemake(WEIGHTS, *PROFILE, expect=1)
    hurt.snakemake("--unlock")
    assert "recover.py" in hurt.snakemake(WEIGHTS, *PROFILE, expect=1)
    assert f"cancel {job_id} (running): rule_finetune_wildcards_tiny_completion_cardiology_1" in recover(hurt)
    hurt.snakemake(WEIGHTS, *PROFILE)
    assert [job.state for job in slurm.jobs(hurt)] == ["CANCELLED", "COMPLETED"]
    assert resumed(hurt)


@soak
def test_an_interrupted_controller_takes_its_jobs_with_it(hurt: Checkout, slurm: Slurm):
    run = hurt.start(WEIGHTS, *PROFILE)
    in_training(hurt, slurm)
    os.kill(run.pid, signal.SIGINT)
    assert run.wait(120) == 1
    wait_for(lambda: slurm.jobs(hurt)[0].state == "CANCELLED", 60, "the job's end")
    hurt.snakemake(WEIGHTS, *PROFILE)
    assert resumed(hurt)


@soak
def test_after_an_outage_of_slurm_the_documented_command_helps(hurt: Checkout, slurm: Slurm):
    run = hurt.start(WEIGHTS, *PROFILE)
    job_id = in_training(hurt, slurm)
    os.kill(int((ROOT / "run/slurmctld.pid").read_text()), signal.SIGTERM)
    wait_for(lambda: "Falling back to 'sacct'" in hurt.said(), 120, "a query that fails")
    slurm.do("slurmctld")
    wait_for(lambda: slurm.running(hurt, "finetune").job_id == job_id, 60, "the job, which never stopped")
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    recover(hurt)
    hurt.snakemake(WEIGHTS, *PROFILE)
    assert resumed(hurt)


@soak
def test_a_job_at_its_time_limit_gets_more_time(hurt: Checkout, slurm: Slurm):
    run = hurt.start(WEIGHTS, *PROFILE)
    job_id = in_training(hurt, slurm)
    slurm.do("scontrol", "update", f"jobid={job_id}", "timelimit=1")
    assert run.wait(400) == 0
    assert [job.state for job in slurm.jobs(hurt)] == ["TIMEOUT", "COMPLETED"]
    assert "TimeLimit=00:20:00" in slurm.do("scontrol", "show", "job", slurm.jobs(hurt)[-1].job_id)
    assert resumed(hurt)
