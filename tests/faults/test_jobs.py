"""Jobs that are killed, starved or lied to: what comes out in the end is what an undisturbed run gives."""

import os
from pathlib import Path
import random
import re
import shutil
import signal
import socket
import subprocess
import time

from harm import ADAPTER, PREDICTIONS, SCORED, WEIGHTS, frozen_in_training, process, recover, remove_adapter, resumed
import pytest
from tiny_grid import Checkout, changed, soak, wait_for

ONE_ADAPTER = (WEIGHTS, PREDICTIONS, "--cores", "2")
"""Asked for by name: with the grid's tables there, nobody else asks for what is gone. The tables stay as they are, and
fit to it if it comes back as it was."""


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_training_killed_goes_on_from_its_checkpoint(grid: Checkout, finished_grid: Checkout, blow: signal.Signals):
    remove_adapter(grid)
    run = grid.start(WEIGHTS, "--cores", "1")
    training = frozen_in_training(grid)
    os.kill(training, blow)
    if blow is signal.SIGTERM:
        os.kill(training, signal.SIGCONT)
    assert run.wait(60) == 1
    assert not (grid / WEIGHTS).exists()
    grid.snakemake(*ONE_ADAPTER)
    assert resumed(grid)
    assert not changed(finished_grid.results(), grid.results())


def test_inference_killed_leaves_nothing_half_written(grid: Checkout, finished_grid: Checkout):
    (grid / PREDICTIONS).unlink()
    shutil.rmtree(grid / SCORED)
    run = grid.start(PREDICTIONS, "--cores", "1")
    killed = wait_for(lambda: process(grid, "infer.py"), 60, "inference")
    log = grid / "logs/tiny/infer_adapter/tiny/completion/cardiology/seed-1.log"
    wait_for(lambda: log.exists() and "batches" in log.read_text(), 60, "the first batch")
    os.kill(killed, signal.SIGKILL)
    assert run.wait(60) == 1
    assert not (grid / PREDICTIONS).exists()
    grid.snakemake(*ONE_ADAPTER)
    assert not changed(finished_grid.results(), grid.results())


def test_a_full_disk_leaves_nothing_half_written(grid: Checkout, finished_grid: Checkout):
    folder = (grid / ADAPTER).parent
    remove_adapter(grid)
    (grid / ADAPTER).rmdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk is a tmpfs, which may not be mounted here: {mounted.stderr.strip()}")
    try:
        said = grid.snakemake(WEIGHTS, "--cores", "1", expect=1)
        assert "No space left on device" in said
        assert not (grid / ADAPTER).exists() or not list((grid / ADAPTER).iterdir())
        subprocess.run(["mount", "-o", "remount,size=10m", folder], check=True)
        grid.snakemake(*ONE_ADAPTER)
        assert not changed(finished_grid.results(), grid.results())
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    ("damaged", "complaint"),
    [(WEIGHTS, "is not what training wrote"), (PREDICTIONS, "truncated or invalid Parquet file")],
)
def test_a_truncated_file_is_noticed_and_rebuilt(grid: Checkout, finished_grid: Checkout, damaged: str, complaint: str):
    (grid / damaged).write_bytes((grid / damaged).read_bytes()[:-100])
    assert complaint in grid.snakemake("--cores", "2", expect=1)
    what = "truncated or invalid" if damaged == PREDICTIONS else complaint
    assert re.search(f"remove {damaged.removesuffix('/adapter_model.safetensors')}: .*{what}", recover(grid))
    grid.snakemake("all", *ONE_ADAPTER)
    assert not changed(finished_grid.results(), grid.results())


def test_a_train_set_copied_over_anothers_trains_nothing(grid: Checkout, finished_grid: Checkout):
    remove_adapter(grid)
    folder = grid / "results/tiny/train_sets"
    shutil.copy(folder / "neurology.parquet", folder / "cardiology.parquet")
    said = grid.snakemake(WEIGHTS, "--cores", "1", expect=1)
    assert (
        "cardiology.parquet: should be the train set 'cardiology', and is 'neurology'; delete it and run again" in said
    )
    assert "remove results/tiny/train_sets/cardiology.parquet: it is the train set 'neurology'" in recover(grid)
    grid.snakemake(*ONE_ADAPTER)
    assert not changed(finished_grid.results(), grid.results())


def test_an_edited_table_reaches_no_figure(grid: Checkout, finished_grid: Checkout):
    table = grid / "results/tiny/tables/transfer_matrix.csv"
    table.write_text(table.read_text().replace("0.", "0.9", 1))
    said = grid.snakemake("--cores", "2", expect=1)
    assert "transfer_matrix.csv: edited or cut since it was written; delete it and run again" in said
    assert "remove results/tiny/tables/transfer_matrix.csv: edited or cut since it was written" in recover(grid)
    grid.snakemake("--cores", "2")
    assert not changed(finished_grid.results(), grid.results())


def test_a_second_controller_is_turned_away_and_recovery_leaves_the_first_alone(
    grid: Checkout, finished_grid: Checkout
):
    remove_adapter(grid)
    first = grid.start(WEIGHTS, "--cores", "1", log="first.out")
    training = frozen_in_training(grid)
    said = grid.snakemake(WEIGHTS, "--cores", "1", expect=1)
    assert f"locked by process {first.pid} on {socket.gethostname()}, started 2" in said
    assert f"(snakemake {WEIGHTS} --cores 1). Wait for it to end" in said
    assert "nothing to recover" in recover(grid, expect=1)
    os.kill(training, signal.SIGCONT)
    assert first.wait(120) == 0
    grid.snakemake(*ONE_ADAPTER)
    assert not changed(finished_grid.results(), grid.results())


@soak
def test_kills_at_ten_random_moments(new_grid: Checkout, finished_grid: Checkout, tmp_path: Path):
    grid = new_grid.copy(tmp_path / "grid")
    seed = int(os.environ.get("NEURO2CARDIO_KILL_SEED", time.time()))
    moments = random.Random(seed)
    print(f"NEURO2CARDIO_KILL_SEED={seed}")
    killed = 0
    for _ in range(10):
        run = grid.start("--cores", "2")
        try:
            run.wait(moments.uniform(2, 30))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            killed += 1
        recover(grid)
    grid.snakemake("--cores", "2")
    print(f"{killed} of 10 runs were killed before their end")
    assert killed
    assert not changed(finished_grid.results(), grid.results())
