"""One adapter of the tiny grid, and what the tests of faults do to it."""

from contextlib import suppress
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys

import psutil
from tiny_grid import Checkout, environment, wait_for

ADAPTER = "results/tiny/adapters/tiny/completion/cardiology/seed-1"
WEIGHTS = f"{ADAPTER}/adapter_model.safetensors"
PREDICTIONS = "results/tiny/predictions/tiny/completion/cardiology/seed-1.parquet"
SCORED = "results/tiny/job_cache/infer/tiny/completion/cardiology/seed-1"
CHECKPOINTS = "results/tiny/job_cache/finetune/tiny/completion/cardiology/seed-1"


def process(grid: Checkout, script: str) -> int | None:
    """The process that runs a script of the workflow in this checkout."""
    for candidate in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if Path(candidate.cwd()) == grid.directory:
                words = [*candidate.cmdline(), "", ""]
                if words[0].endswith("python") and words[1].endswith(script):
                    return candidate.pid
    return None


def frozen_in_training(grid: Checkout) -> int:
    """Wait until training has written a checkpoint and stop it there, so that a fault meets it in the middle."""
    wait_for(lambda: list((grid / CHECKPOINTS).glob("*/checkpoint-*/whole.json")), 120, "a checkpoint")
    pid = process(grid, "finetune.py")
    assert pid is not None, "training ended before it could be stopped"
    os.kill(pid, signal.SIGSTOP)
    return pid


def resumed(grid: Checkout) -> bool:
    """Whether the adapter's training went on from a checkpoint."""
    return bool(json.loads((grid / ADAPTER / "run.json").read_text())["resumed_from_step"])


def remove_adapter(grid: Checkout) -> None:
    """As if it had never been trained."""
    for path in (grid / ADAPTER).iterdir():
        path.unlink()
    shutil.rmtree(grid / CHECKPOINTS)


def recover(grid: Checkout, expect: int = 0) -> str:
    """The documented command. Returns what it said."""
    command = [sys.executable, "workflow/scripts/recover.py"]
    done = subprocess.run(
        command, cwd=grid.directory, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr
