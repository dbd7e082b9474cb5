"""Main memory that a process has freed, used again without asking the system for it."""

import ctypes
import os

_HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"
"""PyTorch's own switch: tensors of 2 MB and more lie in pages of 2 MB. It is read once, at the first tensor."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of malloc.h."""
_LARGEST = (2**28, 2**25)
"""Up to how many bytes a piece of memory is kept: older C libraries take no more than the second."""
_NEVER = 2**31 - 1


def keep_freed() -> bool:
    """Keep freed memory for the next tensors, and let large ones lie in large pages; call before torch is imported.

    A pass over a thousand tokens makes and frees some hundred tensors of megabytes. The C library would give each back
    to the system, which hands out zeroed pages of 4 KB, one by one as they are touched, for the next.

    Returns:
        Whether the C library can; others, as macOS's, go on as they did.
    """
    os.environ.setdefault(_HUGE_PAGES, "1")
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return False
    return any(set_option(_MMAP_THRESHOLD, size) for size in _LARGEST) and bool(set_option(_TRIM_THRESHOLD, _NEVER))
