"""One job for all seeds of a train set: the same files as with a job for each, and nothing computed twice."""

import shutil

from tiny_grid import Checkout

FOLDER = "tiny/completion/cardiology"
TABLES = [
    f"results/tiny/{table}/{FOLDER}/seed-{seed}.parquet"
    for table in ("predictions", "term_logprobs")
    for seed in (1, 2)
]
KEPT = "nothing to compute"


def test_seeds_scored_together(new_grid: Checkout, tmp_path):
    grid = new_grid.copy(tmp_path / "grid")
    grid.configure({"grid.seeds": [1, 2]})
    grid.snakemake(*TABLES, "--cores", "2")
    one_by_one = [(grid / path).read_bytes() for path in TABLES]

    # The files are the same, whichever way the work is cut: the job cache holds them.
    grid.configure({"inference.adapters_per_job": "seeds"})
    assert grid.jobs(*TABLES) == {"infer_adapter": 1}
    log = grid / f"logs/tiny/infer_adapter/{FOLDER}/seeds.log"
    grid.snakemake(TABLES[0], "--cores", "1")
    assert log.read_text().count(KEPT) == 2
    assert [(grid / path).read_bytes() for path in TABLES] == one_by_one
    assert grid.jobs(*TABLES) == {}

    # Without the cache, both are computed with one base model, to the same bytes.
    shutil.rmtree(grid / "results/tiny/job_cache/infer")
    for path in TABLES:
        (grid / path).unlink()
    grid.snakemake(TABLES[2], "--cores", "1")
    assert KEPT not in log.read_text()
    assert [(grid / path).read_bytes() for path in TABLES] == one_by_one

    # What is missing from the cache is computed, and nothing else.
    (grid / TABLES[1]).unlink()
    shutil.rmtree(grid / f"results/tiny/job_cache/infer/{FOLDER}/seed-2")
    grid.snakemake(TABLES[1], "--cores", "1")
    assert log.read_text().count(KEPT) == 1
    assert [(grid / path).read_bytes() for path in TABLES] == one_by_one

    grid.configure({"grid.seeds": [1, 2, 3]})
    assert grid.jobs(TABLES[0].replace("seed-1", "seed-3")) == {"finetune": 1, "infer_adapter": 1}
