import pandas as pd
import pytest

from neuro2cardio.core.errors import InputError
from neuro2cardio.operations import cost

PLAN = pd.DataFrame(
    {
        "rule": ["finetune", "infer_base"],
        "model": ["a", "a"],
        "jobs": [4, 1],
        "hours": [8.0, 1.0],
        "tokens": [7200, 900],
    }
)
NO_SLURM = cost.slurm([])


def benchmark(path, seconds, rss="500.0"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{rss}\n")


def test_benchmarks_are_summed_by_rule_and_model(tmp_path):
    benchmark(tmp_path / "finetune/a/short/cardiology/seed-1.tsv", 3600, "400.0")
    benchmark(tmp_path / "finetune/a/short/neurology/seed-1.tsv", 1800, "900.0")
    benchmark(tmp_path / "finetune/b/short/neurology/seed-1.tsv", 60)
    benchmark(tmp_path / "infer_base/a.tsv", 36, "NA")
    benchmark(tmp_path / "tables/transfer_matrix.tsv", 5)
    seen = cost.measured(tmp_path, ["a"]).set_index("rule")
    assert seen.loc["finetune", ["measured_jobs", "measured_hours", "max_rss_gb"]].tolist() == [2, 1.5, 0.9]
    assert seen.loc["infer_base", "measured_hours"] == 0.01
    assert pd.isna(seen.loc["infer_base", "max_rss_gb"])
    assert set(seen.index) == {"finetune", "infer_base"}


def test_planned_hours_are_those_of_the_jobs_that_ran():
    seen = pd.DataFrame(
        {"rule": ["finetune"], "model": ["a"], "measured_jobs": [2], "measured_hours": [2.0], "max_rss_gb": [0.5]}
    )
    compared = cost.compare(PLAN, seen, NO_SLURM).iloc[0]
    assert compared["planned_hours"] == 4.0
    assert compared["ratio"] == 0.5
    assert compared["tokens_per_second"] == 7200 / 2 / 7200


def test_a_damaged_benchmark_file_is_named(tmp_path):
    file = tmp_path / "finetune/a.tsv"
    file.parent.mkdir()
    file.write_text("no table\n")
    with pytest.raises(InputError, match=r"a\.tsv"):
        cost.measured(tmp_path, ["a"])


def test_without_slurm_there_are_no_slurm_hours(tmp_path):
    log = tmp_path / "run.log"
    log.write_text("Finished jobid: 1 (Rule: finetune)\n")
    assert cost.slurm([log]).empty


def test_before_any_job_ran_there_is_no_cost(tmp_path):
    with pytest.raises(InputError, match="no job of small was measured yet"):
        cost.measured(tmp_path / "benchmarks", ["small"])
