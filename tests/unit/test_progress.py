"""What the screen says when a job has finished."""

import logging

import pandas as pd
import pytest

from neuro2cardio.operations import progress


@pytest.fixture
def said(monkeypatch):
    """Feed events of Snakemake to the handler; returns what it logged. The clock moves by hand."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    logger, lines = logging.getLogger("test_progress"), []
    logger.setLevel(logging.INFO)
    logger.handlers = [progress.ProgressMessages(logger), _Lines(lines)]

    def feed(event: str, after: float = 0.0, **given: object) -> list[str]:
        clock[0] += after
        logger.info("", extra={"event": event, **given})
        return [line for line in lines if line]

    return feed


class _Lines(logging.Handler):
    def __init__(self, lines):
        super().__init__()
        self.lines = lines

    def emit(self, record):
        self.lines.append(record.getMessage())


def job(number, rule, output=(), **wildcards):
    return {"jobid": number, "rule_name": rule, "wildcards": wildcards, "output": list(map(str, output))}


def test_a_line_says_the_outcome_and_the_time_left(said, tmp_path):
    curve, predictions = tmp_path / "training.csv", tmp_path / "predictions" / "base.parquet"
    curve.write_text("step,loss\n" + "".join(f"{i},{20 - i}\n" for i in range(20)))
    predictions.parent.mkdir()
    pd.DataFrame({"method": ["cloze"] * 4, "correct": [True, True, True, False]}).to_parquet(predictions)
    said("run_info", stats={"finetune": 3, "infer_base": 1, "all": 1, "total": 5})
    said("job_info", **job(1, "finetune", [curve], model="m", recipe="r", train_set="mixed", seed="2"))
    said("job_finished", after=60, job_id=1)
    said("job_info", **job(2, "infer_base", [predictions], model="m"))
    assert said("job_finished", after=30, job_id=2) == [
        "finetune m, r, mixed, seed 2: loss 19.50 to 1.50, 60 s (1 of 5 jobs done, more than 2 min left)",
        "infer base m: accuracy 75.0% (cloze), 30 s (2 of 5 jobs done, about 2 min left)",
    ]


def test_files_that_cannot_be_read_and_events_of_another_form_stop_nothing(said, tmp_path, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    (tmp_path / "training.csv").write_text("step,loss\n")
    said("run_info", stats={"finetune": 1, "total": 1})
    said("job_info", jobid=7)
    said("job_info", **job(1, "finetune", [tmp_path / "training.csv"], model="m"))
    said("job_finished", job_id=5)
    assert said("job_finished", after=100, job_id=1) == ["finetune m: 2 min (1 of 1 jobs done)"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (99, "99 s"), (100, "2 min"), (5900, "98 min"), (7800, "2 h 10 min")]
)
def test_durations_are_short(seconds, text):
    assert progress.duration(seconds) == text


def test_after_an_interruption_stopped_jobs_are_no_errors():
    lines: list[str] = []
    logger = logging.Logger("interrupted")
    logger.addHandler(_Lines(lines))
    logger.addFilter(progress.InterruptionMessages())
    logger.error("RuleException: before", extra={"event": "error", "exception": "RuleException"})
    logger.warning("Terminating processes on user request, this might take some time.")
    logger.error("RuleException: died", extra={"event": "error", "exception": "RuleException"})
    logger.error("", extra={"event": "LogEvent.JOB_ERROR"})
    logger.error(
        "WorkflowError:\nAt least one job did not complete successfully.", extra={"exception": "WorkflowError"}
    )
    assert lines == [
        "RuleException: before",
        "Terminating processes on user request, this might take some time.",
        "interrupted: jobs that ran were stopped. The same command goes on from here",
    ]
