"""The GPUs of one machine, handed out by file locks: Snakemake counts GPUs, but does not say which one a job has.

Light to import: a job takes its GPUs before PyTorch looks for any.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
import fcntl
import os
from pathlib import Path
import shutil
import subprocess
import time
from typing import TextIO

from .errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"
PRETENDED = "NEURO2CARDIO_GPUS"
"""Names of devices, in place of those that are there: for tests of the hand-out itself."""
LOCKS = "NEURO2CARDIO_LOCKS"
_FOLDER = Path("/tmp/neuro2cardio-gpus")
"""One place for all users and jobs of a machine, whatever `TMPDIR` says."""
_SECONDS = 1.0


def devices() -> list[str]:
    """The devices that may be used: those of `CUDA_VISIBLE_DEVICES` where it is set, else all that nvidia-smi lists."""
    if PRETENDED in os.environ:
        found = _split(os.environ[PRETENDED])
    elif shutil.which("nvidia-smi"):
        command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        found = said.stdout.split() if said.returncode == 0 else []
    else:
        found = []
    return _split(os.environ[VISIBLE]) if found and VISIBLE in os.environ else found


@contextmanager
def taken(count: int) -> Iterator[list[str]]:
    """Hold ``count`` GPUs that no other job of this machine has, and let PyTorch see no others, while the block runs.

    Waits until there are as many. A lock goes with the process that holds it, however that ends. On a cluster the
    scheduler hands GPUs out, and where there are none at all the CPU computes: both are left as they are. Raises
    `InputError` where more are asked for than the machine has.
    """
    known = [] if "SLURM_JOB_ID" in os.environ else devices()
    if not known:
        yield []
        return
    if count > len(known):
        raise InputError(
            f"a job asks for {count} GPUs and {len(known)} can be used ({', '.join(known)}): lower the model's "
            f"resources.gpu, or see {VISIBLE}"
        )
    with ExitStack() as held:
        own = _wait(known, count, held)
        before = os.environ.get(VISIBLE)
        os.environ[VISIBLE] = ",".join(own)
        held.callback(_restore, before)
        yield own


def _wait(known: Sequence[str], count: int, held: ExitStack) -> list[str]:
    """Locks on ``count`` devices, all at once or none: two jobs that each hold one of two would wait for ever."""
    waiting = False
    while True:
        with ExitStack() as tried:
            own: list[str] = []
            for name in known:
                if len(own) < count and (lock := _lock(name)) is not None:
                    tried.enter_context(lock)
                    own.append(name)
            if len(own) == count:
                held.push(tried.pop_all())
                if own:
                    print(f"this job has GPU {', '.join(own)}", flush=True)
                return own
        if not waiting:
            print(f"waiting for {count} of the GPUs {', '.join(known)}: other jobs have them", flush=True)
        waiting = True
        time.sleep(_SECONDS)


def _lock(name: str) -> TextIO | None:
    """The open file that holds a device's lock; None where another process has it."""
    folder = Path(os.environ.get(LOCKS, _FOLDER))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace('/', '_')}.lock"
    if not path.exists():
        path.touch()
        # Other users of the machine lock the same files.
        for shared, mode in ((folder, 0o1777), (path, 0o666)):
            if shared.stat().st_uid == os.getuid():
                shared.chmod(mode)
    handle = path.open("r", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(VISIBLE, None)
    else:
        os.environ[VISIBLE] = before


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip() and name.strip() != "-1"]
