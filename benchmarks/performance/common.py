"""What both sides of a comparison share: the job that each reads, and how each is measured."""

from collections.abc import Callable
import json
import os
from pathlib import Path
import resource
import sys
import time
from typing import Any


def measured(work: Callable[[], Any]) -> dict[str, Any]:
    """Do a piece of work; its result with seconds of wall clock and of CPU, and the process's peak memory in GB."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    result = work()
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"result": result, "wall": wall, "cpu": cpu, "memory": after.ru_maxrss / 1e6}


def job() -> dict[str, Any]:
    """The job in the file that the command line names."""
    found: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.environ.setdefault("OMP_NUM_THREADS", str(found["threads"]))
    return found


def answer(found: dict[str, Any]) -> None:
    """Write what was measured to the file that the command line names second."""
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
