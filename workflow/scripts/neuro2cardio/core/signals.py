"""React to signals while a block runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import signal
import threading


@contextmanager
def on_signal(react: Callable[[], None], *numbers: signal.Signals) -> Iterator[None]:
    """Call ``react`` on each of these signals while the block runs, instead of what they did before.

    Only the main thread can receive signals; in any other thread, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: react()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
