"""Locks on folders that two jobs must not write at the same time. A lock ends with the process that holds it."""

from collections.abc import Iterator
from contextlib import contextmanager
import errno
import fcntl
import os
from pathlib import Path
import socket
import sys

from .errors import InputError

_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def exclusive(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of a folder while the block runs.

    If the file system has no locks (Lustre without ``flock``, some NFS mounts), a message says so and the block runs.

    Args:
        folder: Created if missing. The lock is a file in it.
        what: What the block does, for the message.

    Raises:
        InputError: Another process holds the lock. The message names it and its host.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Opened for appending, so that the holder's name stays readable until we hold the lock.
    with (folder / ".lock").open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "another process"
            raise InputError(
                f"{what} is already being done by {holder}, in {folder}. If no run should be going on, `make recover` "
                "ends what an earlier one left"
            ) from None
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            print(f"{folder}: the file system has no locks; going on without one", file=sys.stderr)
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        handle.flush()
        yield
