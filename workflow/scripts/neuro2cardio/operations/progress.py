"""One line on the screen for each finished job: what came out of it, how many jobs are done, and the time left."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
import csv
import logging
from pathlib import Path
import time
from typing import Any

_PARTS = ("model", "recipe", "train_set")
"""Wildcards that say which job of a rule it is, in this order."""
_WORTH_SAYING = 60.0
"""Seconds above which a lower bound of the time left is shown."""
_SHARE = 0.1
"""Of the training steps: over so many at the start and at the end, the loss is averaged."""

_STOPPING = "Terminating processes on user request"
"""How Snakemake's message after Ctrl-C begins."""
_UNFINISHED = "At least one job did not complete successfully."
"""How its last message ends."""


class ProgressMessages(logging.Handler):
    """Listens to Snakemake's log events and logs a line when a job has finished."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger
        self._total = 0
        self._finished = 0
        self._waiting: Counter[str] = Counter()
        self._jobs: dict[int, tuple[str, dict[str, Any], list[str], float]] = {}
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._started = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep track of jobs; see `logging.Handler.emit`. Never raises: a line on the screen must not stop a run."""
        try:
            self._track(str(getattr(record, "event", "")).rpartition(".")[2].lower(), record.__dict__)
        except Exception:
            self.handleError(record)

    def _track(self, event: str, given: dict[str, Any]) -> None:
        match event:
            case "run_info":
                self._waiting = Counter(given["stats"])
                self._total = self._waiting.pop("total")
            case "job_info":
                job = (given["rule_name"], dict(given["wildcards"] or {}), list(given["output"] or ()))
                self._jobs[given["jobid"]] = (*job, time.monotonic())
            case "job_finished":
                self._finish(given["job_id"])

    def _finish(self, job: int) -> None:
        if job not in self._jobs:
            return
        rule, wildcards, outputs, started = self._jobs.pop(job)
        seconds = time.monotonic() - started
        self._seconds[rule].append(seconds)
        self._waiting[rule] -= 1
        self._finished += 1
        if rule == "all":
            return
        parts = [str(wildcards[part]) for part in _PARTS if part in wildcards]
        parts += [f"seed {wildcards['seed']}"] if "seed" in wildcards else []
        name = " ".join([rule.replace("_", " "), ", ".join(parts)]).strip()
        outcome = result(rule, [Path(path) for path in outputs])
        took = f"{outcome}, {duration(seconds)}" if outcome else duration(seconds)
        self._logger.info(f"{name}: {took} ({self._finished} of {self._total} jobs done{self._left()})")

    def _left(self) -> str:
        """The time that the other jobs will take, if each takes as long as those of its rule did."""
        waiting = {rule: n for rule, n in self._waiting.items() if n > 0 and rule != "all"}
        known = {rule: sum(self._seconds[rule]) / len(self._seconds[rule]) for rule in waiting if self._seconds[rule]}
        if not known:
            return ""
        # Jobs run side by side: this many at a time so far.
        parallel = max(1.0, sum(map(sum, self._seconds.values())) / (time.monotonic() - self._started))
        left = sum(mean * waiting[rule] for rule, mean in known.items()) / parallel
        if len(known) == len(waiting):
            return f", about {duration(left)} left"
        # Of the rules that take long, none may have ended yet: "more than 1 s" says nothing.
        return f", more than {duration(left)} left" if left > _WORTH_SAYING else ""


class InterruptionMessages(logging.Filter):
    """Filter for Snakemake's logger: after Ctrl-C, one sentence instead of an error for each job that was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self._interrupted = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the errors of jobs that were stopped; see `logging.Filter.filter`."""
        said = record.getMessage()
        self._interrupted = self._interrupted or said.startswith(_STOPPING)
        if not self._interrupted:
            return True
        if said.endswith(_UNFINISHED):
            record.msg, record.args = "interrupted: jobs that ran were stopped. The same command goes on from here", ()
        event = str(getattr(record, "event", "")).rpartition(".")[2].lower()
        return event != "job_error" and getattr(record, "exception", None) != "RuleException"


def result(rule: str, outputs: Sequence[Path]) -> str:
    """What came out of a job, if that can be said in a few words and its files are there to read."""
    try:
        if rule == "finetune":
            return _loss(next(path for path in outputs if path.name == "training.csv"))
        if rule == "questions":
            return _moved(next(path for path in outputs if path.name == "moved.csv"))
        if rule in ("infer_adapter", "infer_base", "infer_few_shot", "infer_best_prompt"):
            return _accuracy([path for path in outputs if "predictions" in path.parts and "probes" not in path.parts])
    except (OSError, StopIteration, KeyError, ValueError):
        # The job's own files are checked elsewhere.
        return ""
    return ""


def _loss(curve: Path) -> str:
    with curve.open(encoding="utf-8", newline="") as lines:
        losses = [float(row["loss"]) for row in csv.DictReader(lines)]
    if not losses:
        return ""
    steps = max(1, round(_SHARE * len(losses)))
    first, last = sum(losses[:steps]) / steps, sum(losses[-steps:]) / steps
    return f"loss {first:.2f} to {last:.2f}"


def _moved(table: Path) -> str:
    from ..questions import moves

    said = moves.sentence(moves.read(table))
    return said and f"{said} (see {table})"


def _accuracy(predictions: list[Path]) -> str:
    if not predictions:
        return ""
    import pyarrow.parquet as pq

    rows = pq.read_table(predictions, columns=["method", "correct"]).to_pydict()
    by_method: Mapping[str, list[bool]] = defaultdict(list)
    for method, correct in zip(rows["method"], rows["correct"], strict=True):
        by_method[method].append(bool(correct))
    return "accuracy " + ", ".join(f"{sum(c) / len(c):.1%} ({method})" for method, c in by_method.items())


def duration(seconds: float) -> str:
    """A time as people say it: 40 s, 3 min, 2 h 10 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
