"""Remove a job's log of an earlier try before the job is submitted, so that it is not shown as the log of this one."""

import logging
from pathlib import Path


class FormerLogs(logging.Handler):
    """Listens to Snakemake's log events and removes the logs of jobs that are about to be submitted.

    A job removes its log itself when it starts. One that the cluster never starts (refused, cancelled while pending, a
    node that failed) would leave the log of an earlier run or attempt, which Snakemake then shows as its own.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Remove the logs; see `logging.Handler.emit`."""
        if str(getattr(record, "event", "")).rpartition(".")[2].lower() != "job_info":
            return
        for path in record.__dict__.get("log") or ():
            try:
                Path(path).unlink(missing_ok=True)
            except OSError:
                self.handleError(record)
