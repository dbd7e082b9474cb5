"""Errors that the user can fix, with messages that name the cause and the remedy."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
import errno
import signal
import sys

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}


class InputError(ValueError):
    """A configuration, file, model or network problem that the user has to fix."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the closest known name, or the list of all names if none is close."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if not close:
        folded = {n.casefold(): n for n in names}
        close = [folded[m] for m in get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)]
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names)}"


def run(main: Callable[[], None]) -> None:
    """Run a command: an `InputError`, a full disk or memory, a full or lost GPU and Ctrl-C end in one sentence.

    Anything else ends in a traceback.
    """
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except (RuntimeError, MemoryError) as error:
        if not (problem := device_problem(error)):
            raise
        sys.exit(f"error: {problem}")
    except OSError as error:
        if "No usable temporary directory" in str(error):
            sys.exit(
                f"error: no folder for temporary files can be written to ({error}); set TMPDIR to one with free space"
            )
        if error.errno not in _FULL:
            raise
        where = f" ({error.filename})" if error.filename else ""
        sys.exit(f"error: {_FULL[error.errno]}{where}; free some space, and the same command goes on from here")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a GPU or of the machine is full; less at once may then go on."""
    return type(error).__name__ == "OutOfMemoryError" or "CUDA out of memory" in str(error) or _machine_is_full(error)


def _machine_is_full(error: BaseException) -> bool:
    # PyTorch's allocator for the CPU raises a plain RuntimeError, with other words on each system.
    return isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error) or "bad_alloc" in str(error)


def device_problem(error: BaseException) -> str | None:
    """What to do about an error that a full memory or a lost GPU explains, as a sentence; None for any other."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    if _machine_is_full(error):
        return (
            f"the machine's memory is full ({said}); give the job more (resources.mem_mb), let fewer jobs run at once, "
            "or lower inference.batch_tokens, recipes.<name>.micro_batch_size or max_tokens"
        )
    if out_of_memory(error):
        return (
            f"the GPU's memory is full ({said}); lower inference.batch_tokens or max_tokens, set load: 4bit, or use a "
            "larger GPU; nvidia-smi shows whether other programs have a part of it"
        )
    if said.startswith(("CUDA error", "No CUDA GPUs", "CUDA driver", "CUDA unknown error", "cuDNN error")):
        return (
            f"the GPU failed ({said}); the same command goes on from what was finished. If it fails again, leave that "
            "GPU out (CUDA_VISIBLE_DEVICES, or another node) and look at it with nvidia-smi"
        )
    return None
