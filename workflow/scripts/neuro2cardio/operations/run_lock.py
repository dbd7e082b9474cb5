"""Who holds the lock of a directory, for the second run that Snakemake turns away.

Snakemake's lock names nobody. A run therefore writes who it is into the folder of the lock, which Snakemake removes
with the lock when the run ends or the directory is unlocked; only a run that was killed leaves it behind.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
import json
import logging
from pathlib import Path
import shlex
import socket

import psutil

from ..core.files import write_json
from .local_jobs import SCRIPTS, controllers

_LOCKS = Path(".snakemake/locks")
_REFUSAL = "Directory cannot be locked"
"""How Snakemake begins its message, in a run and in a dry run."""
_SAME = 2.0
"""Seconds by which two readings of the start of one process may differ."""


@dataclass(frozen=True)
class Holder:
    """A run of Snakemake.

    Attributes:
        host: Name of the machine.
        pid: Process id there.
        started: Start of the process, in seconds since 1970. Tells it from a later process of the same id.
        command: Its command line, without the interpreter.
    """

    host: str
    pid: int
    started: float
    command: str

    @classmethod
    def of(cls, process: psutil.Process) -> "Holder":
        """Describe a process of this host that runs Snakemake."""
        words = process.cmdline()
        # After the interpreter, its switch -m where there is one, and Snakemake itself.
        start = next((i for i, word in enumerate(words[:3]) if Path(word).name == "snakemake"), 0)
        command = shlex.join(["snakemake", *words[start + 1 :]])
        return cls(socket.gethostname(), process.pid, process.create_time(), command)

    def is_here(self) -> bool:
        """Whether it ran on this host, so that it can be said whether it still runs."""
        return self.host == socket.gethostname()

    def is_alive(self) -> bool:
        """Whether it still runs; only for a process of this host."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < _SAME
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.started).astimezone()
        return f"process {self.pid} on {self.host}, started {since:%Y-%m-%d %H:%M:%S %Z} ({self.command})"


def record(directory: Path) -> None:
    """Write who holds the lock. Call it while Snakemake holds it."""
    holder = Holder.of(psutil.Process())
    write_json(directory / _LOCKS / f"holder-{holder.host}-{holder.pid}.json", asdict(holder))


def explain(directory: Path) -> str:
    """Say who holds the lock of a directory, whether that run is alive, and what to do."""
    holders = _recorded(directory) or [Holder.of(psutil.Process(pid)) for pid in controllers(directory)]
    recover = f"`cd {shlex.quote(str(directory))} && python {shlex.quote(str(SCRIPTS / 'recover.py'))}`"
    if not holders:
        return (
            f"{directory} is locked, and no Snakemake runs in it on this host ({socket.gethostname()}). If none runs "
            f"on another host either, {recover} ends what the killed run left and unlocks"
        )
    # A living run matters more than what a dead one left behind.
    holder = min(holders, key=lambda each: (each.is_here() and not each.is_alive(), -each.started))
    if not holder.is_here():
        return (
            f"{directory} is locked by {holder}. Wait for it to end. Whether it is alive can be seen on {holder.host} "
            f"only: `ssh {holder.host} ps {holder.pid}`. If it is dead, run there: {recover}"
        )
    if holder.is_alive():
        return (
            f"{directory} is locked by {holder}. Wait for it to end, or interrupt it with Ctrl-C in its terminal or "
            f"`kill -INT {holder.pid}`"
        )
    return (
        f"{directory} is still locked by {holder}, which is dead: it was killed. {recover} ends the jobs that it left, "
        "removes what is damaged and unlocks; then start again as before"
    )


def name_holder(log: logging.LogRecord) -> bool:
    """Filter for Snakemake's logger: say who holds the lock, where Snakemake says only that there is one."""
    if _REFUSAL in log.getMessage():
        # A dry run only mentions the lock, and goes on.
        kind = "error" if log.levelno >= logging.ERROR else "note"
        log.msg, log.args = f"{kind}: {explain(Path.cwd())}", ()
    return True


def _recorded(directory: Path) -> list[Holder]:
    """The runs that wrote who they are; none if they ended or their records cannot be read."""
    try:
        paths = sorted((directory / _LOCKS).glob("holder-*.json"))
        return [Holder(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]
    except (OSError, ValueError, TypeError):
        return []
