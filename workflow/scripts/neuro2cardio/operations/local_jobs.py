"""Processes on this host that belong to a run: its Snakemake, and jobs left behind by a killed Snakemake."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

SCRIPTS = Path(__file__).parents[2]


def controllers(directory: Path) -> list[int]:
    """Process ids of Snakemake runs in ``directory``, without this process and without those of single jobs."""
    own = psutil.Process().pid
    return sorted(p.pid for p in _here(directory) if p.pid != own and _is_controller(_words(p)))


def orphans(directory: Path) -> list[psutil.Process]:
    """Jobs that run in ``directory`` on this host outside Slurm: this workflow's commands, and Snakemake for one job.

    Call it only if no controller is alive; its jobs would be among them.
    """
    return [p for p in _here(directory) if _is_job(_words(p)) and not _is_slurms(p) and p.pid != psutil.Process().pid]


def end(jobs: Sequence[psutil.Process], patience: float = 30) -> None:
    """End jobs and their children: SIGTERM first, so that training can write a checkpoint, then SIGKILL."""
    families = {p.pid: p for job in jobs for p in (job, *_children(job))}.values()
    for process in families:
        _signal(process, "terminate")
    _, left = psutil.wait_procs(list(families), timeout=patience)
    for process in left:
        _signal(process, "kill")
    psutil.wait_procs(left, timeout=patience)


def describe(job: psutil.Process) -> str:
    """What a job is doing, as one line."""
    script = next((Path(word).stem for word in _words(job) if word.endswith(".py")), "snakemake")
    return f"process {job.pid}: {script}"


def _here(directory: Path) -> Iterator[psutil.Process]:
    here = directory.resolve()
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == here:
                yield process
        except (psutil.Error, OSError):
            # It has just ended, or belongs to another user.
            continue


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []


def _is_controller(words: Sequence[str]) -> bool:
    """Whether a command line is Python with Snakemake as script or module, for a whole run and not for one job."""
    return _is_snakemake(words) and "--target-jobs" not in words


def _is_job(words: Sequence[str]) -> bool:
    # `make recover` is a command of the workflow too.
    script = next((Path(word) for word in words[1:3] if word.endswith(".py")), None)
    commands = {path.name for path in SCRIPTS.glob("*.py")} - {"recover.py"}
    is_command = script is not None and script.parent.name == SCRIPTS.name and script.name in commands
    return (_is_python(words) and is_command) or (_is_snakemake(words) and "--target-jobs" in words)


def _is_snakemake(words: Sequence[str]) -> bool:
    return _is_python(words) and any(Path(word).name == "snakemake" for word in words[1:3])


def _is_python(words: Sequence[str]) -> bool:
    return bool(words) and "python" in Path(words[0]).name


def _is_slurms(process: psutil.Process) -> bool:
    try:
        return "SLURM_JOB_ID" in process.environ()
    except (psutil.Error, OSError):
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _signal(process: psutil.Process, name: str) -> None:
    try:
        getattr(process, name)()
    except psutil.Error:
        # It has ended by itself.
        return
