"""Importing large libraries in less time."""

from collections.abc import Iterator
from contextlib import contextmanager
import gc


@contextmanager
def without_collector() -> Iterator[None]:
    """While it lasts, Python does not look for garbage, and afterwards never among what was made meanwhile.

    What torch, transformers and peft make when they are imported stays until the process ends. The collector would
    look through it again and again, and find nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
