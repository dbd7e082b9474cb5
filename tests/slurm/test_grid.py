"""The whole grid through `snakemake --profile slurm -j 64`, on a real Slurm."""

from datetime import datetime
import subprocess

import pandas as pd
import pytest
from real_slurm import PROFILE, Job, Slurm
from tiny_grid import Checkout, changed, environment, wait_for

pytestmark = pytest.mark.slurm
GPU_RULES = ("rule_finetune", "rule_infer")
GPUS = 2


@pytest.fixture(scope="module")
def computed(new_grid: Checkout, slurm: Slurm) -> Checkout:
    grid = new_grid.copy(new_grid.directory.with_name("on-slurm"))
    grid.snakemake(*PROFILE)
    return grid


def on_gpu(job: Job) -> bool:
    return job.comment.startswith(GPU_RULES)


def test_the_grid_gives_the_files_of_a_run_without_slurm(computed: Checkout, finished_grid: Checkout):
    assert not changed(finished_grid.results(), computed.results())


def test_gpu_jobs_see_one_gpu_and_others_none(computed: Checkout, slurm: Slurm):
    seen = slurm.gpus()
    jobs = slurm.jobs(computed)
    assert {on_gpu(job) for job in jobs} == {True, False}
    for job in jobs:
        assert seen[job.job_id] <= ({"0", "1"} if on_gpu(job) else {"none"}), job
        assert len(seen[job.job_id]) == 1, job


def test_never_more_gpus_are_in_use_than_there_are(computed: Checkout, slurm: Slurm):
    spans = [(job.start, 1) for job in slurm.jobs(computed) if on_gpu(job)]
    spans += [(job.end, -1) for job in slurm.jobs(computed) if on_gpu(job)]
    in_use = most = 0
    # Within one second, Slurm's clock, ends come before starts.
    for _, change in sorted((datetime.fromisoformat(time), change) for time, change in spans):
        in_use += change
        most = max(most, in_use)
    assert most == GPUS


def test_jobs_and_their_logs_are_found_by_rule_and_wildcards(computed: Checkout, slurm: Slurm):
    jobs = slurm.jobs(computed)
    assert {job.name.split("_")[0] for job in jobs} == {"neuro2cardio"}
    assert "rule_finetune_wildcards_tiny_completion_cardiology_1" in {job.comment for job in jobs}
    assert "60/60" in (computed / "logs/tiny/finetune/tiny/completion/cardiology/seed-1.log").read_text()


def test_downloads_stay_on_the_submitting_node(computed: Checkout, slurm: Slurm):
    assert not [job for job in slurm.jobs(computed) if job.comment.startswith("rule_fetch")]
    assert "localrule fetch_model" in computed.said()


def test_nothing_is_submitted_that_is_up_to_date(computed: Checkout, slurm: Slurm):
    before = slurm.jobs(computed)
    assert "Nothing to be done" in computed.snakemake(*PROFILE)
    assert slurm.jobs(computed) == before


def test_cost_counts_what_slurm_ran(computed: Checkout, slurm: Slurm):
    computed.snakemake("cost", "--cores", "1")
    costs = pd.read_csv(computed / "results/tiny/plan/cost.csv").set_index("rule")
    assert costs.loc["finetune", "measured_jobs"] == costs.loc["finetune", "slurm_jobs"] == 5
    # Slurm counts whole seconds, and Snakemake's own start in the job, which a benchmark does not see.
    assert costs.loc["finetune", "slurm_hours"] > costs.loc["finetune", "measured_hours"] - 5 / 3600


def test_a_failed_job_shows_its_log(computed: Checkout, slurm: Slurm, tmp_path):
    grid = computed.copy(tmp_path / "grid")
    weights = grid / "results/tiny/adapters/tiny/completion/mixed/seed-1/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    said = grid.snakemake(*PROFILE, "--retries", "0", expect=1)
    assert "is not what training wrote" in said
    assert "SLURM status is: 'FAILED'" in said


def test_the_controller_runs_as_a_job_itself(new_grid: Checkout, slurm: Slurm, tmp_path):
    """As docs/cluster.md says for login nodes that end what runs for long: its jobs are jobs like any other's."""
    grid = new_grid.copy(tmp_path / "grid")
    target = "results/tiny/questions.parquet"
    subprocess.run(
        ["sbatch", "slurm/controller.sh", *PROFILE[2:4], target], cwd=grid.directory, env=environment(), check=True
    )

    def ended() -> list[Job]:
        under_way = ("PENDING", "RUNNING", "COMPLETING")
        return [j for j in slurm.jobs(grid) if j.name == "n2c-controller" and j.state not in under_way]

    (controller,) = wait_for(ended, 300, "the controller's job")
    log = next(grid.directory.glob("n2c-controller-*.log")).read_text()
    assert controller.state == "COMPLETED", log
    assert (grid / target).is_file(), log
    assert "rule_questions" in {job.comment for job in slurm.jobs(grid)}
    # Its time was not up: it is not submitted again.
    assert len([job for job in slurm.jobs(grid) if job.name == "n2c-controller"]) == 1
